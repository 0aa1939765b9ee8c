"""What no protocol can beat, and how much noise a heralded link can bear."""

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.constants import Real


def pure_loss_bound(transmission: Real) -> NDArray[np.float64]:
    r"""Two-way assisted capacity of a pure-loss mode, :math:`-\log_2(1-\eta)` (L11).

    Parameters
    ----------
    transmission : float or ndarray, shape (...)
        Transmission η from end to end [1], in [0, 1].

    Returns
    -------
    ndarray, shape (...)
        Ebits per mode; infinite at η = 1.

    Source: Pirandola, Laurenza, Ottaviani and Banchi, Nat. Commun. 8, 15043 (2017).

    Examples
    --------
    >>> round(float(pure_loss_bound(0.01)), 10)
    0.0144995697
    """
    checks.probability("pure_loss_bound: transmission", transmission)
    with np.errstate(divide="ignore"):
        return np.asarray(-np.log1p(-np.asarray(transmission, float)) / np.log(2))


def relay_bound(first: Real, second: Real, modes: int = 1) -> NDArray[np.float64]:
    """Most ebits per attempt through a station between two arms (L11): the smaller arm's bound times `modes`."""
    return modes * np.minimum(pure_loss_bound(first), pure_loss_bound(second))


def direct_bound(first: Real, second: Real, modes: int = 1) -> NDArray[np.float64]:
    """Most ebits per attempt without a station: a reference line that a midpoint protocol may beat."""
    return modes * pure_loss_bound(np.multiply(first, second))


LOW_TRANSMISSION_THRESHOLD = (np.sqrt(2) - 1) / 2
"""Input-referred noise per attempt above which no single- or two-click herald is entangled at low transmission
[quanta] (L23)."""


def noise_threshold(transmission: float) -> float:
    r"""Input-referred noise at which heralded pairs of two equal arms stop being entangled (L23).

    Solves :math:`\mathrm{Coh}^2 = P_{00}P_{11}` of L21 for :math:`n`, one noise mode per gate, threshold detectors
    without dark counts; the same n holds for the single-click herald at any α and for the two-click herald.

    Parameters
    ----------
    transmission : float
        Transmission τ from emitter to detector of each arm [1], in (0, 1].

    Returns
    -------
    float
        Noise n = N/τ referred to the emitter [quanta]: 0.2071 at low τ, 0.376 at τ = 1.

    Examples
    --------
    >>> round(noise_threshold(1e-6), 5), round(noise_threshold(1.0), 3)
    (0.20711, 0.376)
    """
    checks.number("noise_threshold: transmission", transmission, "1", above=0.0, at_most=1.0)
    from fibre.herald import Detection, click_operator

    def entangled(n: float) -> bool:
        e = click_operator(Detection(transmission, transmission, n * transmission, n * transmission))
        return bool(e[1, 2] ** 2 > e[0, 0] * e[3, 3])

    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if entangled(middle) else (low, middle)
    return (low + high) / 2
