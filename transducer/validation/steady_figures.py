"""Figures of a device whose pump stands still: conversion, noise, width, pump light."""

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize_scalar

from cavities.constants import ordinary
from cavities.errors import ParameterError
from cavities.pump import Pump, Sideband
from transducer.devices.electro_optic import ElectroOptic
from transducer.devices.membrane import Membrane, sideband_gain
from transducer.devices.piezo import PiezoOptomechanical
from transducer.devices.pumped import PumpedDevice
from transducer.devices.single_mode import SingleModeElectroOptic
from transducer.solvers import scattering
from transducer.validation.cases import Case, MissingInputError
from transducer.validation.quantities import Quantity
from transducer.validation.registry import INTO_LIGHT, figure


def _ports(case: Case) -> tuple[str, str]:
    device = case.found.device
    ports = device.source, device.target
    return ports if case.claim.direction == "up" else (ports[1], ports[0])


def _still(case: Case) -> Pump | None:
    return case.pump() if case.found.device.takes_pump else None


def _converted(case: Case, pump: Pump | None) -> tuple[float, float]:
    """Efficiency and added noise at the centre of the line."""
    device = case.found.device
    centre = float(np.max(device.centre(pump)))
    line = scattering.convert(device.linearise(pump), *_ports(case), np.array([centre]))
    return float(line.efficiency[0]), float(line.added_noise[0])


@figure(Quantity.EFFICIENCY, "1", "scattering", INTO_LIGHT)
def efficiency(case: Case) -> float:
    """Photon conversion efficiency at the centre of the line, gain included."""
    return _converted(case, _still(case))[0]


@figure(Quantity.EFFICIENCY, "1/W", "scattering", INTO_LIGHT)
def efficiency_per_watt(case: Case) -> float:
    """Slope of the efficiency against pump power at the coupler, for a weak pump."""
    pump = _lit(case)
    weak = replace(pump, power=1e-6 * pump.power)
    return _converted(case, weak)[0] / float(np.max(weak.power_at_coupler))


@figure(Quantity.EFFICIENCY, "1", "scattering", INTO_LIGHT)
def efficiency_without_gain(case: Case) -> float:
    """Efficiency over the gain of the unresolved sidebands, as membrane papers quote it (L9)."""
    device = case.found.device
    if not isinstance(device, Membrane):
        raise ParameterError("'efficiency_without_gain' is a figure of membranes")
    kappas = (device.optical.kappa, device.microwave.kappa)
    return efficiency(case) / float(np.max(sideband_gain(kappas, device.mechanics.omega)))


@figure(Quantity.EFFICIENCY, "1", "scattering", "between the modes, both extractions divided out")
def internal_efficiency(case: Case) -> float:
    """Efficiency over the extraction of both modes and the mode overlap."""
    device = case.found.device
    microwave = getattr(device, "microwave", None)
    if not isinstance(device, PumpedDevice) or microwave is None:
        raise ParameterError("'internal_efficiency' needs an optical and a microwave mode")
    light = device.optical.extraction * device.overlap**2
    return efficiency(case) / float(np.max(light * microwave.extraction))


@figure(
    Quantity.NOISE, "quanta", "scattering", "referred to the port the signal enters, normal order"
)
def added_noise(case: Case) -> float:
    """Added noise at the centre of the line, referred to the input."""
    return _converted(case, _still(case))[1]


@figure(Quantity.BANDWIDTH, "Hz", "scattering", INTO_LIGHT)
def bandwidth_hz(case: Case) -> float:
    """Full width at half maximum of the conversion."""
    device, pump = case.found.device, _still(case)
    centre = float(np.max(device.centre(pump)))
    linear = device.linearise(pump)
    width = scattering.bandwidth(linear, *_ports(case), device.scale(pump), centre)
    return float(ordinary(width))


@figure(Quantity.PHOTONS, "1", "scattering", "inside the pumped mode", known_to=1e-5)
def best_photons(case: Case) -> float:
    """Intracavity photons at which the conversion is most efficient."""
    device, pump = _pumped(case), _lit(case)
    start = float(np.log(np.max(device.pump_photons(pump))))

    def lost(log_photons: float) -> float:
        other = device.pump_with(float(np.exp(log_photons)), pump)
        return -_converted(case, other)[0]

    found = minimize_scalar(
        lost, bounds=(start - 5, start + 5), method="bounded", options={"xatol": 1e-7}
    )
    if min(abs(found.x - start + 5), abs(found.x - start - 5)) < 1e-3:
        raise ParameterError(
            "'best_photons': the efficiency has no maximum within a factor 150 of the operating "
            "point; move the point"
        )
    return float(np.exp(found.x))


@figure(Quantity.COOPERATIVITY, "1", "eigenvalues", "inside the device")
def threshold_cooperativity(case: Case) -> float:
    """Optical cooperativity at which a blue pump makes the device oscillate."""
    device, pump = _pumped(case), _lit(case, Sideband.BLUE)
    C = device.cooperativity(pump)
    strong = replace(pump, power=pump.power * 1e4)
    limit = device.stable_power(strong)
    if C is None or not np.isfinite(limit):
        raise ParameterError("'threshold_cooperativity': the device does not oscillate")
    return float(np.max(C)) * limit / float(np.max(pump.power))


# ---------------------------------------------------------------- pump and closed forms


def _lit(case: Case, sideband: Sideband = Sideband.RED) -> Pump:
    """Pump of an operating point that has light."""
    pump = case.pump(sideband)
    if not np.all(np.asarray(pump.power) > 0):
        raise MissingInputError("an operating point with light: here the pump has no power")
    return pump


def _pumped(case: Case) -> PumpedDevice:
    device = case.found.device
    if not isinstance(device, PumpedDevice):
        raise ParameterError(f"'{case.claim.figure}' is a figure of pumped devices")
    return device


def phonons_of(case: Case) -> PiezoOptomechanical:
    """The device of a case that has phonons.

    Raises
    ------
    ParameterError
        If it has none.
    """
    device = case.found.device
    if not isinstance(device, PiezoOptomechanical):
        raise ParameterError(f"'{case.claim.figure}' is a figure of optomechanical devices")
    return device


@figure(Quantity.PHOTONS, "1", "closed form", "inside the pumped mode")
def pump_photons(case: Case) -> float:
    """Intracavity pump photons (L7), at the peak of a pulse."""
    return float(np.max(_pumped(case).pump_photons(case.pump())))


@figure(Quantity.PHOTONS, "Hz", "as stated", "inside the device", ours=False)
def coupling_hz(case: Case) -> float:
    """Single-photon coupling over 2π that the file states, where it was computed from geometry."""
    device = _pumped(case)
    if isinstance(device, PiezoOptomechanical):
        return float(np.max(ordinary(device.phonons[0].g0)))
    if isinstance(device, ElectroOptic | SingleModeElectroOptic):
        return float(np.max(ordinary(device.g0)))
    raise ParameterError("'coupling_hz' is a figure of devices that state a single-photon coupling")


@figure(Quantity.COOPERATIVITY, "1", "closed form", "inside the device")
def cooperativity(case: Case) -> float:
    """Cooperativity of the pumped coupling."""
    C = _pumped(case).cooperativity(case.pump())
    if C is None:
        raise ParameterError("this device has no cooperativity")
    return float(np.max(C))


@figure(Quantity.COOPERATIVITY, "1", "closed form", "inside the device")
def cooperativity_per_photon(case: Case) -> float:
    """Cooperativity of one intracavity pump photon."""
    device = _pumped(case)
    return cooperativity(case) / float(np.max(device.pump_photons(_lit(case))))


@figure(Quantity.RATE, "Hz", "closed form", "into all optical ports")
def scattering_rate_hz(case: Case) -> float:
    """Optomechanical scattering rate over 2π."""
    return float(np.max(ordinary(phonons_of(case).scattering_rate(case.pump()))))


@figure(Quantity.RATIO, "dB", "closed form", "both sidebands at the optical output")
def selectivity_db(case: Case) -> float:
    """Power in the sideband above a red pump over that below."""
    device = case.found.device
    if not isinstance(device, SingleModeElectroOptic):
        raise ParameterError("'selectivity_db' is a figure of devices with one optical mode")
    return float(10 * np.log10(np.max(device.selectivity(case.pump()))))


@figure(Quantity.RATIO, "1", "closed form", "both sidebands at the optical output")
def stokes_fraction(case: Case) -> float:
    r"""Stokes over anti-Stokes scattering of a red pump, :math:`1/(1+(4\omega_m/\kappa)^2)`."""
    device = phonons_of(case)
    return float(1 / (1 + np.max(np.square(4 * device.omega_m / device.optical.kappa))))


@figure(Quantity.OCCUPATION, "quanta", "heating law", "inside the mechanical mode", ours=False)
def heated_quanta(case: Case) -> float:
    """Phonons that the pump's heating law gives the first phonon at the operating point."""
    device, pump = phonons_of(case), case.pump()
    mode = device.phonons[0].mode
    if mode.bath.heating is None:
        raise MissingInputError("phonon heating")
    return float(np.max(mode.bath.at(device.pump_photons(pump), pump.dose)))
