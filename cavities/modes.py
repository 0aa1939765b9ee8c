"""A resonance loses its energy through doors, and only one of them leads to a waveguide."""

from dataclasses import dataclass

from cavities import checks
from cavities.baths import VACUUM, Bath
from cavities.constants import Real, angular
from cavities.heating import HotBath


@dataclass(frozen=True)
class Mode:
    r"""One resonance, with its external and its internal loss as separate ports.

    .. math:: \kappa = \kappa_\mathrm{ext} + \kappa_\mathrm{int}

    Parameters
    ----------
    omega : float or ndarray, shape (...)
        Resonance angular frequency [rad/s], > 0.
    kappa_ext : float or ndarray, shape (...)
        Energy decay rate into the waveguide (full width) [rad/s], >= 0.
    kappa_int : float or ndarray, shape (...)
        Energy decay rate into everything else (full width) [rad/s], >= 0.

    Raises
    ------
    ParameterError
        If a rate is negative or not finite, or if the mode has no loss at all.

    Examples
    --------
    >>> mode = Mode.from_hz(8.8e9, kappa_ext_hz=5.6e6, kappa_int_hz=8.1e6)
    >>> round(mode.extraction, 4)
    0.4088
    """

    omega: Real
    kappa_ext: Real
    kappa_int: Real

    def __post_init__(self) -> None:
        checks.number("Mode.omega", self.omega, "rad/s", above=0.0)
        checks.number("Mode.kappa_ext", self.kappa_ext, "rad/s", at_least=0.0)
        checks.number("Mode.kappa_int", self.kappa_int, "rad/s", at_least=0.0)
        checks.number("Mode.kappa", self.kappa, "rad/s", above=0.0)

    @classmethod
    def from_hz(cls, frequency_hz: Real, *, kappa_ext_hz: Real, kappa_int_hz: Real) -> "Mode":
        """Make a mode from ordinary frequencies and rates/2π [Hz]."""
        return cls(angular(frequency_hz), angular(kappa_ext_hz), angular(kappa_int_hz))

    @property
    def kappa(self) -> Real:
        """Full-width energy decay rate [rad/s]."""
        return self.kappa_ext + self.kappa_int

    @property
    def extraction(self) -> Real:
        r"""Coupling ratio :math:`\eta = \kappa_\mathrm{ext}/\kappa` [1]."""
        return self.kappa_ext / self.kappa


@dataclass(frozen=True)
class Oscillator:
    """A mechanical mode with the bath it is clamped to and the bath that absorbed light makes.

    Parameters
    ----------
    omega : float or ndarray, shape (...)
        Resonance angular frequency [rad/s], > 0.
    gamma : float or ndarray, shape (...)
        Energy decay rate (full width) into its own bath [rad/s], >= 0: from a ring-down, not from a
        spectral line that dephasing widens.
    bath : Bath
        Its own bath.
    hot : HotBath, optional
        Bath of absorbed light.
    """

    omega: Real
    gamma: Real
    bath: Bath = VACUUM
    hot: HotBath | None = None

    def __post_init__(self) -> None:
        checks.number("Oscillator.omega", self.omega, "rad/s", above=0.0)
        checks.number("Oscillator.gamma", self.gamma, "rad/s", at_least=0.0)

    @classmethod
    def from_hz(
        cls, frequency_hz: Real, *, gamma_hz: Real, bath: Bath = VACUUM, hot: HotBath | None = None
    ) -> "Oscillator":
        """Make a mechanical mode from its frequency and decay rate/2π [Hz]."""
        return cls(angular(frequency_hz), angular(gamma_hz), bath, hot)
