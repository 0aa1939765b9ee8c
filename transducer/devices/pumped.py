"""What all transducers share that one laser pumps.

An optical mode with a matched and a mismatched beam, a microwave mode with two doors, pump light.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.baths import Bath
from cavities.constants import Real
from cavities.errors import ParameterError
from cavities.heating import Dose, HotBath, Irradiation
from cavities.modes import Mode, Oscillator
from cavities.pump import Pump, Sideband, intracavity_photons, photon_flux
from cavities.rules import Rule, Status
from transducer.devices.base import Device
from transducer.network import Amplitude, Door, Network


def need(pump: Pump | None) -> Pump:
    """Refuse to go on without a pump.

    Raises
    ------
    ParameterError
        If there is none.
    """
    if pump is None:
        raise ParameterError("this device needs a pump; give its power or a cooperativity")
    return pump


def wrong_side(ratio: Real, instead: str) -> Rule:
    """Refuse a laser nearer to the other sideband than a one-sideband model can bear.

    Parameters
    ----------
    ratio : float or ndarray, shape (...)
        Detuning of the laser from the place its sideband names, over the sideband frequency [1].
    instead : str
        Model that holds there.
    """
    return Rule(
        "pump detuning over sideband frequency",
        Status.WRONG_SIDE,
        ratio,
        0.5,
        lambda worst: (
            f"the laser stands {worst:.3g} sideband frequencies from where its sideband says, more "
            f"than 0.5: the other sideband takes over; name the other sideband, or take {instead}"
        ),
    )


class PumpedDevice(Device):
    """A transducer with one converted optical mode, pumped by light.

    Ports: ``optical.out`` (matched to the outgoing beam), ``optical.mismatch`` (the rest of the
    coupler), ``optical.int``, ``microwave.waveguide``, ``microwave.int``; a model adds its own.
    """

    optical: Mode
    overlap: float
    microwave_waveguide: Bath
    microwave_internal: Bath
    optical_bath: Bath
    irradiation: Irradiation | None

    def _check_common(self) -> None:
        name = type(self).__name__
        checks.number(f"{name}.overlap", self.overlap, "1", above=0.0, at_most=1.0)

    @property
    def pumped(self) -> Mode:
        """The mode that holds the pump."""
        return self.optical

    @property
    @abstractmethod
    def lift(self) -> Real:
        """Angular frequency that the conversion lifts a signal by, above a red pump [rad/s]."""

    def pump_detuning(self, pump: Pump) -> Real:
        """Laser minus the pumped resonance [rad/s]; one `lift` off that of the converted mode."""
        return pump.detuning + (-self.lift if pump.sideband is Sideband.RED else self.lift)

    @abstractmethod
    def photons_for(self, cooperativity: Real) -> Real:
        """Intracavity pump photons of a cooperativity [1]."""

    def pump_photons(self, pump: Pump) -> Real:
        """Intracavity pump photons [1] (L7), mode overlap included."""
        detuning = self.pump_detuning(pump)
        return intracavity_photons(self.pumped, pump.power_at_coupler, detuning, self.overlap)

    def pump_for(self, cooperativity: Real, like: Pump) -> Pump:
        """Find the pump of this cooperativity [1], like `like` in all but its power."""
        checks.number("pump_for: cooperativity", cooperativity, "1", at_least=0.0)
        photons = self.photons_for(cooperativity)
        return self.pump_with(photons, like)

    def pump_with(self, photons: Real, like: Pump) -> Pump:
        """Find the pump that keeps a number of photons in its cavity, like `like` but its power.

        Parameters
        ----------
        photons : float or ndarray, shape (...)
            Intracavity photons [1], >= 0.
        like : Pump
            Everything else.
        """
        checks.number("pump_with: photons", photons, "1", at_least=0.0)
        one = replace(like, power=1.0)
        return replace(like, power=photons / self.pump_photons(one))

    def pump_rate(self, pump: Pump) -> complex:
        """Rate at which the pump fills its cavity, κ/2 - iΔ [rad/s]; of one device."""
        rate = np.ravel(self.pumped.kappa / 2 - 1j * np.asarray(self.pump_detuning(pump)))
        if np.any(np.abs(rate - rate[0]) > 1e-12 * np.abs(rate[0])):
            raise ParameterError(
                "a batch of pulses needs one pump mode and one detuning: they shape the pulse; "
                "loop over them"
            )
        return complex(rate[0])

    @property
    def takes_pump(self) -> bool:
        """A pump drives the conversion."""
        return True

    def hot_baths(self) -> dict[str, HotBath]:
        """Baths that absorbed light makes, by the mechanical mode they act on."""
        return {}

    def in_time(
        self, pump: Pump, times: NDArray[np.float64], drive: Amplitude, lit: NDArray[np.float64]
    ) -> Network:
        """Network at each of the `times`, the delay of hot baths followed."""
        network = self.network(pump, drive)
        hot = self.hot_baths()
        if not hot:
            return network
        photons = np.asarray(self.pump_photons(pump) * np.abs(drive) ** 2)
        power = np.asarray(pump.power_at_coupler * lit)
        return follow(network, hot, times, photons, power, pump.envelope is None)

    def measured(self, pump: Pump) -> bool:
        """Whether everything that heats was measured at this pump."""
        n_p, power = self.pump_photons(pump), pump.power_at_coupler
        if not all(hot.covers(n_p, power) for hot in self.hot_baths().values()):
            return False
        baths = (self.microwave_internal, self.microwave_waveguide, self.optical_bath)
        return all(bath.covers(n_p, pump.dose) for bath in baths) and (
            self.irradiation is None or self.irradiation.covers(n_p)
        )

    def caveats(self, pump: Pump | None) -> list[str]:
        """Heating beyond its measured range."""
        pump = need(pump)
        said = []
        if not self.measured(pump):
            said.append(
                "the pump lies outside the range in which its heating was measured; the noise is "
                "an extrapolation"
            )
        return said

    def pump_light(self, pump: Pump | None) -> tuple[Real, float]:
        """All pump light at the coupler, taken to leave by the output [1/s]; offset [rad/s]."""
        pump = need(pump)
        offset = -self.lift if pump.sideband is Sideband.RED else self.lift
        flux = photon_flux(pump.power_at_coupler, self.optical.omega + offset)
        return flux, float(np.max(offset))

    @property
    def source(self) -> str:
        """Port where the microwave signal comes in."""
        return "microwave.waveguide"

    @property
    def target(self) -> str:
        """Port where the converted light goes out."""
        return "optical.out"

    @property
    def reference_plane(self) -> str:
        """Where efficiency and noise are counted, in words."""
        return (
            "from the microwave waveguide to the optical beam behind the coupler, mode mismatch "
            "included; noise referred to the microwave waveguide"
        )

    @property
    def carrier(self) -> float:
        """Optical frequency of the light converted on resonance [rad/s]."""
        return float(np.max(self.optical.omega))

    def converted_frequency(self, pump: Pump | None) -> float:
        """Angular frequency of the light converted from a signal at `centre` [rad/s]."""
        pump = need(pump)
        return self.carrier + float(np.max(pump.detuning)) + float(np.max(self.line_shift(pump)))

    def line_shift(self, pump: Pump) -> Real:
        """How far the pump has moved the line from where the bare mode is [rad/s]."""
        return 0.0

    def light_doors(self, pump_photons: Real, dose: Dose) -> list[Door]:
        """The three optical ports.

        Parameters
        ----------
        pump_photons : float or ndarray, shape (...)
            Intracavity pump photons [1].
        dose : Dose
            Average power and pulse energy at the coupler.
        """
        o, matched = self.optical, self.overlap**2
        light = self.optical_bath.at(pump_photons, dose)
        return [
            Door.of("optical.out", "optical", matched * o.kappa_ext, light),
            Door.of("optical.mismatch", "optical", (1 - matched) * o.kappa_ext, light),
            Door.of("optical.int", "optical", o.kappa_int, light),
        ]

    def microwave_doors(self, e: Mode, pump_photons: Real, dose: Dose) -> list[Door]:
        """The two ports of the microwave mode `e`, loss from the light included.

        Parameters as `light_doors`.
        """
        lossier = 0.0 if self.irradiation is None else self.irradiation.added_loss(pump_photons)
        waveguide = self.microwave_waveguide.at(pump_photons, dose)
        internal = self.microwave_internal.at(pump_photons, dose)
        return [
            Door.of("microwave.waveguide", "microwave", e.kappa_ext, waveguide),
            Door.of("microwave.int", "microwave", e.kappa_int + lossier, internal),
        ]

    def light_shift(self, pump_photons: Real) -> Real:
        """Change of the microwave resonance by the light [rad/s]."""
        return 0.0 if self.irradiation is None else self.irradiation.detuning(pump_photons)


def mechanical_doors(
    name: str, mechanics: Oscillator, pump_photons: Real, power: Real, dose: Dose
) -> list[Door]:
    """Ports of a mechanical mode: its own loss, and the bath that absorbed light makes.

    The hot bath is the settled one; `follow` puts its delay in.

    Parameters
    ----------
    name : str
        Name of the mode.
    mechanics : Oscillator
        The mode.
    pump_photons, power : float or ndarray, shape (...)
        Intracavity pump photons [1] and pump power at the coupler [W].
    dose : Dose
        Average power and pulse energy at the coupler.
    """
    cold = mechanics.bath.at(pump_photons, dose)
    doors = [Door.of(f"{name}.int", name, mechanics.gamma, cold)]
    if mechanics.hot is not None:
        x = mechanics.hot.drive(pump_photons, power)
        rate, n_p = mechanics.hot.rate.at(x), mechanics.hot.occupation.at(x)
        doors.append(Door.of(f"{name}.hot", name, rate, n_p))
    return doors


def follow(
    network: Network,
    hot: Mapping[str, HotBath],
    times: NDArray[np.float64],
    photons: NDArray[np.float64],
    power: NDArray[np.float64],
    settled: bool,
) -> Network:
    """Give the hot doors of a network in time the rate and occupation they have then.

    Parameters
    ----------
    network : Network
        In time, hot baths settled.
    hot : mapping of str to HotBath
        By name of the mechanical mode.
    times : ndarray, shape (t,)
        Increasing [s].
    photons, power : ndarray, shape (..., t)
        Intracavity pump photons [1] and power at the coupler [W] then.
    settled : bool
        The light of the first instant was on for ever.
    """
    doors = []
    for door in network.doors:
        name = door.name.removesuffix(".hot")
        if door.name.endswith(".hot") and name in hot:
            rate, occupation = hot[name].warming(times, photons, power, settled)
            door = Door.of(door.name, name, rate, occupation)
        doors.append(door)
    return replace(network, doors=tuple(doors))
