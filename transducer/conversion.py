"""What a converter does to a signal, whichever engine found it.

Efficiency and added noise at every frequency.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.errors import ValidityError
from cavities.rules import Codes

Spectrum = NDArray[np.float64]


@dataclass(frozen=True)
class Truncation:
    """How a Fock space was cut, and what that costs.

    Parameters
    ----------
    levels : mapping of str to int
        Levels kept of each mode.
    change : float
        Largest change of an asked quantity when any mode was enlarged, in units of the asked
        tolerance [1].
    leakage : float
        Largest population of a mode's highest level [1].
    block : int
        Unknowns in the largest symmetry block that was solved.
    """

    levels: Mapping[str, int]
    change: float
    leakage: float
    block: int


@dataclass(frozen=True)
class Conversion:
    r"""Conversion between two ports at the frequencies `omega`.

    Efficiency :math:`\eta=|S|^2` from the source port to the target port; noise normally ordered,
    at the target port with vacuum at the source's signal, and referred to the source port as
    :math:`N_\mathrm{add}=N_\mathrm{out}/\eta`.

    Parameters
    ----------
    omega : ndarray, shape (n,)
        Offset of the signal from the device's frame [rad/s].
    amplitude : ndarray of complex, shape (..., n)
        Scattering amplitude S from source to target [1].
    noise_out : ndarray, shape (..., n)
        Output noise at the target port [quanta].
    contributions : mapping of str to ndarray, shape (..., n)
        The same by port where it comes from [quanta]; the sum is `noise_out`. Empty if the engine
        cannot tell.
    source, target : str
        Port names.
    engine : str
        Who computed it.
    truncation : Truncation, optional
        For engines with a Fock space.
    status : ndarray of int8, shape (...), optional
        A `cavities.Status` per point of a batch; figures are NaN where it is not OK.
    """

    omega: Spectrum
    amplitude: NDArray[np.complex128]
    noise_out: Spectrum
    source: str
    target: str
    engine: str
    contributions: Mapping[str, Spectrum] = field(default_factory=dict)
    truncation: Truncation | None = None
    status: Codes | None = None

    @property
    def efficiency(self) -> Spectrum:
        """Photon-number efficiency from `source` to `target` [1], shape (..., n)."""
        return np.asarray(np.abs(self.amplitude) ** 2)

    @property
    def added_noise(self) -> Spectrum:
        """Noise referred to the source port [quanta], shape (..., n).

        Infinite where nothing is converted.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.noise_out / self.efficiency)


def half_power_width(efficiency: Callable[[Spectrum], Spectrum], scale: float) -> float:
    """Full width between the outermost half-maximum points of a line, exact also for a split one.

    Parameters
    ----------
    efficiency : callable
        Efficiency [1] at an array of offsets [rad/s].
    scale : float
        Any width of the order of the line's [rad/s], > 0.

    Returns
    -------
    float
        Width [rad/s], to about 1e-10 relative.

    Raises
    ------
    ValidityError
        If nothing is converted at all.

    Examples
    --------
    >>> round(half_power_width(lambda w: 1 / (1 + (w - 0.3) ** 2), 1.0), 9)
    2.0
    """
    checks.number("half_power_width: scale", scale, "rad/s", above=0.0)
    omega = scale * np.tan(np.pi * (np.arange(1, 256) / 256 - 0.5))
    values = efficiency(omega)
    top = int(np.argmax(values))
    if not values[top] > 0:
        raise ValidityError(
            "the device converts nothing: its efficiency is zero; raise the pump power"
        )
    low, high = omega[max(top - 1, 0)], omega[min(top + 1, len(omega) - 1)]
    peak = float(values[top])
    for _ in range(9):
        inner = np.linspace(low, high, 17)
        line = efficiency(inner)
        best = int(np.argmax(line))
        peak = max(peak, float(line[best]))
        low, high = inner[max(best - 1, 0)], inner[min(best + 1, 16)]
    above = np.flatnonzero(values >= peak / 2)
    first, last = (int(above[0]), int(above[-1])) if len(above) else (top, top)
    edges = []
    for inside, outside in ((first, first - 1), (last, last + 1)):
        a = omega[inside] if len(above) else 0.5 * (low + high)
        b = omega[np.clip(outside, 0, len(omega) - 1)]
        for _ in range(10):
            inner = np.linspace(a, b, 17)
            ok = np.flatnonzero(efficiency(inner) >= peak / 2)
            k = int(ok[-1]) if len(ok) else 0
            a, b = inner[k], inner[min(k + 1, 16)]
        edges.append(0.5 * (a + b))
    return float(edges[1] - edges[0])
