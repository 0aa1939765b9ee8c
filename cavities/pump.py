"""A pump power is a number only together with the plane where it was measured."""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.constants import HBAR, Real, angular
from cavities.envelope import Envelope
from cavities.errors import ParameterError
from cavities.heating import Dose
from cavities.modes import Mode


class Sideband(Enum):
    """On which side of the converted optical mode the pump stands."""

    RED = "red"
    """Below by one microwave quantum: beam splitter, a microwave photon becomes an optical one."""
    BLUE = "blue"
    """Above by one microwave quantum.

    Two-mode squeezing, pairs of a microwave and an optical photon.
    """


class Plane(Enum):
    """Where a pump power is measured."""

    COUPLER = "coupler"
    """In the waveguide or beam right before the cavity, after every insertion loss."""
    FIBRE = "fibre"
    """In the fibre that leads to the device: `Pump.insertion` lies between here and the coupler."""


@dataclass(frozen=True)
class Pump:
    """Pump light, its power at a named plane, and its timing.

    Parameters
    ----------
    power : float or ndarray, shape (...)
        Power while the pump is on (peak power of a pulse) at `plane` [W], >= 0.
    sideband : Sideband
        Red (conversion) or blue (pair generation).
    plane : Plane
        Reference plane of `power`.
    insertion : float
        Power transmission from `plane` to the cavity coupler [1], in (0, 1]; must be 1 for
        `Plane.COUPLER`.
    detuning : float or ndarray, shape (...)
        Pump laser minus the place that `sideband` names [rad/s]: in a direct electro-optic device
        the pumped resonance, in an optomechanical one the optical resonance minus (red) or plus
        (blue) the mechanical frequency.
    pulse_length : float, optional
        Length of a pump pulse [s], > 0; None for a continuous pump.
    envelope : Envelope, optional
        Shape of a pulse in time; its length is then that of the pulse.
    repetition_rate : float, optional
        Pulses per second [1/s], > 0: what makes an average power.

    Examples
    --------
    >>> round(Pump(1e-3, plane=Plane.FIBRE, insertion=0.65).power_at_coupler, 8)
    0.00065
    """

    power: Real
    sideband: Sideband = Sideband.RED
    plane: Plane = Plane.COUPLER
    insertion: float = 1.0
    detuning: Real = 0.0
    pulse_length: float | None = None
    envelope: Envelope | None = None
    repetition_rate: float | None = None

    def __post_init__(self) -> None:
        checks.number("Pump.power", self.power, "W", at_least=0.0)
        checks.number("Pump.insertion", self.insertion, "1", above=0.0, at_most=1.0)
        checks.number("Pump.detuning", self.detuning, "rad/s")
        if self.pulse_length is not None:
            checks.number("Pump.pulse_length", self.pulse_length, "s", above=0.0)
        if self.repetition_rate is not None:
            checks.number("Pump.repetition_rate", self.repetition_rate, "1/s", above=0.0)
        if self.envelope is not None and self.pulse_length not in (None, self.envelope.length):
            raise ParameterError(
                f"Pump.pulse_length [s] is {self.pulse_length}, but its envelope is "
                f"{self.envelope.length:.4g} s long; leave pulse_length out"
            )
        if self.plane is Plane.COUPLER and self.insertion != 1.0:
            raise ParameterError(
                f"Pump.insertion [1] must be 1 at the coupler plane, got {self.insertion}; give "
                "the power at Plane.FIBRE or leave the insertion out"
            )

    @classmethod
    def from_hz(
        cls, power: Real, *, detuning_hz: Real, sideband: Sideband = Sideband.RED
    ) -> "Pump":
        """Make a pump, powered at the coupler [W], from its detuning/2π [Hz]."""
        return cls(power, sideband=sideband, detuning=angular(detuning_hz))

    @property
    def power_at_coupler(self) -> Real:
        """Power that reaches the cavity coupler [W]."""
        return self.power * self.insertion

    @property
    def average_power(self) -> Real | None:
        """Average power at the coupler [W]; None for pulses whose repetition rate is not given."""
        if self.envelope is None and self.pulse_length is None:
            return self.power_at_coupler
        if self.repetition_rate is None:
            return None
        assert self.pulse_energy is not None
        return np.minimum(self.pulse_energy * self.repetition_rate, self.power_at_coupler)

    @property
    def pulse_energy(self) -> Real | None:
        """Energy of a pulse at the coupler [J]; None for a continuous pump."""
        lit = self.pulse_length if self.envelope is None else self.envelope.energy_length
        return None if lit is None else self.power_at_coupler * lit

    @property
    def dose(self) -> Dose:
        """Average power and pulse energy at the coupler."""
        return Dose(self.average_power, self.pulse_energy)


def photon_flux(power: Real, omega: Real) -> Real:
    r"""Photons per second of a beam, :math:`P/\hbar\omega`.

    Parameters
    ----------
    power : float or ndarray, shape (...)
        Power [W], >= 0.
    omega : float or ndarray, shape (...)
        Angular frequency [rad/s], > 0.

    Returns
    -------
    float or ndarray, shape (...)
        Flux [1/s].

    Examples
    --------
    >>> f"{photon_flux(1e-6, 2 * np.pi * 299792458.0 / 1550e-9):.4e}"
    '7.8029e+12'
    """
    checks.number("photon_flux: power", power, "W", at_least=0.0)
    checks.number("photon_flux: omega", omega, "rad/s", above=0.0)
    return power / (HBAR * omega)


def intracavity_photons(mode: Mode, power: Real, detuning: Real = 0.0, overlap: Real = 1.0) -> Real:
    r"""Photons that a pump keeps in its cavity mode (L7).

    .. math:: n_p = \frac{|\Lambda|^2\,\kappa_\mathrm{ext}\,P/\hbar\omega_p}{\Delta^2 + \kappa^2/4}

    Parameters
    ----------
    mode : Mode
        The pumped mode.
    power : float or ndarray, shape (...)
        Power at the cavity coupler, after insertion loss [W], >= 0.
    detuning : float or ndarray, shape (...)
        Laser minus resonance, Δ [rad/s].
    overlap : float or ndarray, shape (...)
        Amplitude overlap Λ of the incoming beam with the mode that the coupler excites [1], in [0,
        1].

    Returns
    -------
    float or ndarray, shape (...)
        Intracavity photons [1].

    Notes
    -----
    Undepleted pump; `depleted_photons` says what a strong microwave tone leaves of it.

    Source: input-output theory, e.g. Gardiner and Collett, Phys. Rev. A 31, 3761 (1985).

    Examples
    --------
    >>> mode = Mode.from_hz(299792458.0 / 1550e-9, kappa_ext_hz=120e6, kappa_int_hz=80e6)
    >>> round(float(intracavity_photons(mode, 1e-3, detuning=2 * np.pi * 50e6)), 1)
    11921923.5
    """
    checks.number("intracavity_photons: power", power, "W", at_least=0.0)
    checks.number("intracavity_photons: overlap", overlap, "1", at_least=0.0, at_most=1.0)
    captured = overlap**2 * mode.kappa_ext * photon_flux(power, mode.omega)
    return captured / (np.square(detuning) + mode.kappa**2 / 4)


def power_for_photons(mode: Mode, photons: Real, detuning: Real = 0.0, overlap: Real = 1.0) -> Real:
    """Power that keeps a number of photons in a mode: the inverse of `intracavity_photons` (L7).

    Parameters
    ----------
    mode : Mode
        The pumped mode.
    photons : float or ndarray, shape (...)
        Intracavity photons [1], >= 0.
    detuning : float or ndarray, shape (...)
        Laser minus resonance [rad/s].
    overlap : float or ndarray, shape (...)
        Amplitude overlap of beam and mode [1], in (0, 1].

    Returns
    -------
    float or ndarray, shape (...)
        Power at the cavity coupler [W].
    """
    checks.number("power_for_photons: photons", photons, "1", at_least=0.0)
    checks.number("power_for_photons: overlap", overlap, "1", above=0.0, at_most=1.0)
    flux = photons * (np.square(detuning) + mode.kappa**2 / 4) / (overlap**2 * mode.kappa_ext)
    return HBAR * mode.omega * flux


def depleted_photons(
    undepleted: Real,
    g0: Real,
    microwave_photons: Real,
    kappa_pump: Real,
    kappa_o: Real,
    pump_detuning: Real = 0.0,
    optical_detuning: Real = 0.0,
) -> Real:
    r"""Pump photons left while a strong microwave tone converts them (L7b).

    .. math:: n_p = n_{p0}\left|\frac{\chi}{\chi+g_0^2n_b/(\kappa_o/2+i\delta)}\right|^2,\quad
              \chi=\kappa_p/2-i\Delta

    On resonance :math:`n_{p0}\,(1+4g_0^2n_b/\kappa_p\kappa_o)^{-2}`.

    Parameters
    ----------
    undepleted : float or ndarray, shape (...)
        Intracavity pump photons without the tone [1], >= 0.
    g0 : float or ndarray, shape (...)
        Size of the single-photon coupling [rad/s].
    microwave_photons : float or ndarray, shape (...)
        Photons of the tone in the microwave mode [1], >= 0.
    kappa_pump, kappa_o : float or ndarray, shape (...)
        Full energy linewidths of the pump mode and of the converted optical mode [rad/s], > 0.
    pump_detuning : float or ndarray, shape (...)
        Laser minus pump mode Δ [rad/s].
    optical_detuning : float or ndarray, shape (...)
        Converted mode minus converted light δ [rad/s].

    Returns
    -------
    float or ndarray, shape (...)
        Intracavity pump photons [1].

    Notes
    -----
    The microwave tone is undepleted.

    Source: the steady state of the classical three-wave equations, which the tests integrate.
    """
    checks.number("depleted_photons: undepleted", undepleted, "1", at_least=0.0)
    checks.number("depleted_photons: kappa_pump", kappa_pump, "rad/s", above=0.0)
    chi = np.asarray(kappa_pump) / 2 - 1j * np.asarray(pump_detuning)
    drained = tone_loss(g0, microwave_photons, kappa_o, optical_detuning)
    return undepleted * np.square(np.abs(chi / (chi + drained)))


def tone_loss(
    g0: Real, microwave_photons: Real, kappa_o: Real, optical_detuning: Real = 0.0
) -> NDArray[np.complex128]:
    r"""Loss that a microwave tone gives the pump's amplitude by converting it.

    .. math:: g_0^2n_b/(\kappa_o/2+i\delta)

    Parameters as `depleted_photons`; in rad/s, its imaginary part a shift.
    """
    checks.number("tone_loss: microwave_photons", microwave_photons, "1", at_least=0.0)
    checks.number("tone_loss: kappa_o", kappa_o, "rad/s", above=0.0)
    converted = np.asarray(kappa_o) / 2 + 1j * np.asarray(optical_detuning)
    return np.asarray(np.square(g0) * microwave_photons / converted)
