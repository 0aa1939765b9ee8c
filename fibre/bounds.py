"""What no protocol can beat, and how much noise a heralded link can bear."""

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.capacity import pure_loss_bound
from cavities.constants import Real


def relay_bound(first: Real, second: Real, modes: int = 1) -> NDArray[np.float64]:
    r"""Most ebits per attempt through a station between two arms (L11).

    .. math:: R \le m \min_{j}\,[-\log_2(1-\eta_j)]

    Parameters
    ----------
    first, second : float or ndarray, shape (...)
        Transmission of each arm, emitter to detector [1], in [0, 1].
    modes : int
        Optical modes m that one attempt uses.

    Returns
    -------
    ndarray, shape (...)
        Ebits per attempt. Noise only lowers what can be reached: the bound stays valid.

    Source: Pirandola, Commun. Phys. 2, 51 (2019), repeater chains.
    """
    return modes * np.minimum(pure_loss_bound(first), pure_loss_bound(second))


def direct_bound(first: Real, second: Real, modes: int = 1) -> NDArray[np.float64]:
    r"""Most ebits per attempt without a station: a reference line a midpoint protocol may beat.

    .. math:: R \le -m\log_2(1-\eta_1\eta_2)

    Parameters
    ----------
    first, second : float or ndarray, shape (...)
        Transmission of each arm [1], in [0, 1].
    modes : int
        Optical modes m that one attempt uses.

    Returns
    -------
    ndarray, shape (...)
        Ebits per attempt.
    """
    return modes * pure_loss_bound(np.multiply(first, second))


LOW_TRANSMISSION_THRESHOLD = (np.sqrt(2) - 1) / 2
"""Input-referred noise above which no herald is entangled at low transmission [quanta] (L23)."""


def noise_threshold(transmission: Real) -> NDArray[np.float64]:
    r"""Input-referred noise at which heralded pairs of two equal arms stop being entangled (L23).

    Solves :math:`\mathrm{Coh}^2 = P_{00}P_{11}` of L21 for :math:`n`, one noise mode per gate,
    threshold detectors without dark counts; the same n holds for the single-click herald at any α
    and for the two-click herald. Written out, with :math:`N = n\tau`,

    .. math:: n\,[\,n(1+N)^2 + (1-N)(1+N-\tau/2)\,] = (1+N)^2/4.

    Parameters
    ----------
    transmission : float or ndarray, shape (...)
        Transmission τ from emitter to detector of each arm [1], in (0, 1].

    Returns
    -------
    ndarray, shape (...)
        Noise n = N/τ referred to the emitter [quanta]: 0.2071 at low τ, 0.376 at τ = 1.

    Source: the criterion of Peres, Phys. Rev. Lett. 77, 1413 (1996), on the elements of
    `click_operator`.

    Examples
    --------
    >>> noise_threshold([1e-6, 1.0]).round(4).tolist()
    [0.2071, 0.3761]
    """
    tau = np.asarray(transmission, dtype=np.float64)
    checks.number("noise_threshold: transmission", tau, "1", above=0.0, at_most=1.0)
    n = np.full_like(tau, 0.25)
    for _ in range(8):  # Newton: quadratic from the first step, at any transmission
        N = n * tau
        M = 1 + N
        shape = n * M**2 + (1 - N) * (1 + N - tau / 2)
        slope = shape + n * (M**2 + 2 * n * M * tau + tau * (tau / 2 - 2 * N)) - M * tau / 2
        n = n - (n * shape - M**2 / 4) / slope
    return np.asarray(n)
