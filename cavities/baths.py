"""Every port is a bath: how many quanta it sends in, and how the pump warms it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.constants import BOLTZMANN, HBAR, Real, angular


def thermal_occupation(omega: Real, temperature: Real) -> NDArray[np.float64]:
    r"""Mean photon number of a bath mode in thermal equilibrium.

    .. math:: n_\mathrm{th} = \left[ e^{\hbar\omega / k_B T} - 1 \right]^{-1}

    Parameters
    ----------
    omega : float or ndarray, shape (...)
        Mode angular frequency [rad/s], > 0.
    temperature : float or ndarray, shape (...)
        Bath temperature [K], >= 0; broadcast against `omega`.

    Returns
    -------
    ndarray, shape (...)
        Occupation [quanta]. Zero at T = 0.

    Raises
    ------
    ParameterError
        If the frequency is not positive or the temperature is negative.

    Examples
    --------
    >>> float(thermal_occupation(2 * np.pi * 8e9, 0.050).round(10))
    0.0004627488
    """
    checks.number("thermal_occupation: omega", omega, "rad/s", above=0.0)
    checks.number("thermal_occupation: temperature", temperature, "K", at_least=0.0)
    omega_, temperature_ = np.broadcast_arrays(np.asarray(omega, float), np.asarray(temperature))
    with np.errstate(divide="ignore", over="ignore"):
        n_th = 1.0 / np.expm1(HBAR * omega_ / (BOLTZMANN * temperature_))
    return np.asarray(n_th, dtype=np.float64)


@dataclass(frozen=True)
class Heating:
    r"""Occupation that the pump adds to a bath, a power law in the intracavity pump photons.

    .. math:: \Delta n = n_\mathrm{ref} \, (n_p / n_{p,\mathrm{ref}})^{q}

    Parameters
    ----------
    occupation : float
        Added occupation at the reference point [quanta], >= 0.
    photons : float
        Intracavity pump photons at the reference point [1], > 0.
    exponent : float
        Exponent q of the power law [1], >= 0.
    lowest, highest : float
        Range of intracavity photons in which the law was measured [1]; `covers` says whether a
        point is in it.

    Notes
    -----
    Empirical, and different for each device; the coefficients live in the data file of the device.
    """

    occupation: float
    photons: float
    exponent: float
    lowest: float
    highest: float

    def __post_init__(self) -> None:
        checks.number("Heating.occupation", self.occupation, "quanta", at_least=0.0)
        checks.number("Heating.photons", self.photons, "1", above=0.0)
        checks.number("Heating.exponent", self.exponent, "1", at_least=0.0)
        checks.number("Heating.lowest", self.lowest, "1", at_least=0.0)
        checks.number("Heating.highest", self.highest, "1", at_least=self.lowest)

    def added(self, pump_photons: Real) -> Real:
        """Added occupation [quanta] at `pump_photons` intracavity pump photons [1]."""
        return self.occupation * (pump_photons / self.photons) ** self.exponent

    def covers(self, pump_photons: Real) -> bool:
        """Whether every point lies in the measured range, with 1e-6 relative slack at its ends."""
        low = np.min(pump_photons) >= self.lowest * (1 - 1e-6)
        high = np.max(pump_photons) <= self.highest * (1 + 1e-6)
        return bool(low and high)


@dataclass(frozen=True)
class Bath:
    """What a port sends into the device: thermal quanta, cold or warmed by the pump.

    Parameters
    ----------
    occupation : float or ndarray, shape (...)
        Normally ordered occupation without pump [quanta], >= 0; vacuum is 0.
    heating : Heating, optional
        What the pump adds.

    Examples
    --------
    >>> round(float(Bath.from_temperature(0.060, frequency_hz=8.795e9).occupation), 6)
    0.000881
    """

    occupation: Real = 0.0
    heating: Heating | None = None

    def __post_init__(self) -> None:
        checks.number("Bath.occupation", self.occupation, "quanta", at_least=0.0)

    @classmethod
    def from_temperature(cls, temperature: Real, *, frequency_hz: Real) -> "Bath":
        """Bath of a mode at `frequency_hz` [Hz] in equilibrium at `temperature` [K]."""
        return cls(thermal_occupation(angular(frequency_hz), temperature))

    def at(self, pump_photons: Real) -> Real:
        """Occupation [quanta] with `pump_photons` intracavity pump photons [1]."""
        if self.heating is None:
            return self.occupation
        return self.occupation + self.heating.added(pump_photons)


VACUUM = Bath(0.0)
"""A cold port."""
