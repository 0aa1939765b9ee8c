"""Every port is a bath: how many quanta it sends in, and how the pump warms it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.constants import BOLTZMANN, HBAR, Real, angular
from cavities.errors import ParameterError
from cavities.heating import Dose, PowerLaw

NO_LIGHT = Dose()
"""Nothing known of the dose."""


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
class Bath:
    """What a port sends into the device: thermal quanta, cold or warmed by the pump.

    Parameters
    ----------
    occupation : float or ndarray, shape (...)
        Normally ordered occupation without pump [quanta], >= 0; vacuum is 0.
    heating : PowerLaw, optional
        Occupation that the pump adds [quanta] against the intracavity pump photons [1].
    average_heating : PowerLaw, optional
        Occupation that the pump adds [quanta] against its average power at the coupler [W].
    pulse_heating : PowerLaw, optional
        Occupation that a pulse adds [quanta] against its energy at the coupler [J].

    Examples
    --------
    >>> round(float(Bath.from_temperature(0.060, frequency_hz=8.795e9).occupation), 6)
    0.000881
    """

    occupation: Real = 0.0
    heating: PowerLaw | None = None
    average_heating: PowerLaw | None = None
    pulse_heating: PowerLaw | None = None

    def __post_init__(self) -> None:
        checks.number("Bath.occupation", self.occupation, "quanta", at_least=0.0)

    @classmethod
    def from_temperature(cls, temperature: Real, *, frequency_hz: Real) -> "Bath":
        """Bath of a mode at `frequency_hz` [Hz] in equilibrium at `temperature` [K]."""
        return cls(thermal_occupation(angular(frequency_hz), temperature))

    def at(self, pump_photons: Real, dose: Dose = NO_LIGHT) -> Real:
        """Occupation [quanta] under the pump.

        Parameters
        ----------
        pump_photons : float or ndarray, shape (...)
            Intracavity pump photons [1].
        dose : Dose
            Average power and pulse energy at the coupler.

        Raises
        ------
        ParameterError
            If the bath follows the average power or the pulse energy and none is known.
        """
        occupation = self.occupation
        if self.heating is not None:
            occupation = occupation + self.heating.at(pump_photons)
        for law, light, remedy in (
            (
                self.average_heating,
                dose.average_power,
                "average pump power [W]: give the pulsed pump its repetition_rate",
            ),
            (self.pulse_heating, dose.pulse_energy, "pulse energy [J]: give the pump a pulse"),
        ):
            if law is not None:
                if light is None:
                    raise ParameterError(f"this bath is warmed by an unknown {remedy}")
                occupation = occupation + law.at(light)
        return occupation

    def covers(self, pump_photons: Real, dose: Dose = NO_LIGHT) -> bool:
        """Whether its heating was measured there; parameters as `at`."""
        return all(
            law is None or (light is not None and law.covers(light))
            for law, light in (
                (self.heating, pump_photons),
                (self.average_heating, dose.average_power),
                (self.pulse_heating, dose.pulse_energy),
            )
        )


VACUUM = Bath(0.0)
"""A cold port."""
