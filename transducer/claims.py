"""What a paper reports, held against what its numbers predict."""

from dataclasses import dataclass

import numpy as np

from cavities.constants import ordinary
from cavities.errors import ParameterError
from cavities.pump import Pump
from transducer.device_file import Claim
from transducer.devices.piezo import PiezoOptomechanical
from transducer.devices.pumped import PumpedDevice
from transducer.devices.single_mode import SingleModeElectroOptic
from transducer.published import Published, load_device
from transducer.solvers import scattering


@dataclass(frozen=True)
class Compared:
    """One claim and its prediction.

    Parameters
    ----------
    claim : Claim
        The claim.
    predicted : float
        In the unit of the claim.
    """

    claim: Claim
    predicted: float

    @property
    def miss_db(self) -> float:
        """Predicted over reported [dB]; a plain difference for a claim that is in dB already."""
        if self.claim.figure.endswith("_db"):
            return self.predicted - self.claim.value
        return float(10 * np.log10(self.predicted / self.claim.value))


def predict(found: Published, claim: Claim) -> float:
    """Figure of a claim from the device's own numbers.

    Parameters
    ----------
    found : Published
        Device at the claim's operating point.
    claim : Claim
        What is reported, in which direction.

    Returns
    -------
    float
        In the unit of the claim.

    Raises
    ------
    ParameterError
        If the device has no such figure.
    """
    device = found.device
    pump = found.pump(Pump(0.0))
    if claim.figure == "pump_photons" and isinstance(device, PumpedDevice) and pump is not None:
        return float(np.max(device.pump_photons(pump)))
    if claim.figure == "scattering_rate_hz":
        if not isinstance(device, PiezoOptomechanical) or pump is None:
            raise ParameterError("'scattering_rate_hz' is a figure of optomechanical devices")
        return float(np.max(ordinary(device.scattering_rate(pump))))
    if claim.figure == "selectivity_db":
        if not isinstance(device, SingleModeElectroOptic) or pump is None:
            raise ParameterError("'selectivity_db' is a figure of devices with one optical mode")
        return float(10 * np.log10(np.max(device.selectivity(pump))))
    if claim.figure == "pump_photons":
        raise ParameterError("'pump_photons' is a figure of pumped devices")
    linear = device.linearise(pump)
    ports = (device.source, device.target)
    if claim.direction == "down":
        ports = (device.target, device.source)
    centre = float(np.max(device.centre(pump)))
    if claim.figure == "bandwidth_hz":
        width = scattering.bandwidth(linear, *ports, device.scale(pump), centre)
        return float(ordinary(width))
    line = scattering.convert(linear, *ports, np.array([centre]))
    if claim.figure == "added_noise":
        return float(line.added_noise[0])
    if claim.figure == "internal_efficiency":
        return float(line.efficiency[0]) / _extraction(device)
    return float(line.efficiency[0])


def _extraction(device: object) -> float:
    microwave = getattr(device, "microwave", None)
    if not isinstance(device, PumpedDevice) or microwave is None:
        raise ParameterError("'internal_efficiency' needs an optical and a microwave mode")
    light = device.optical.extraction * device.overlap**2
    return float(np.max(light * microwave.extraction))


def compare(name: str) -> list[Compared]:
    """All claims of a device file with their predictions.

    Parameters
    ----------
    name : str
        Name of a shipped device, or a TOML file.

    Raises
    ------
    DataError
        If a claim names an operating point that is not there.
    """
    file = load_device(name).file
    claims: list[Claim] = list(getattr(file, "reported", []))
    return [Compared(c, predict(load_device(name, c.operating_point), c)) for c in claims]
