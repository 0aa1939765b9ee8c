"""Floor 0, quantum optics with no device in it.

Modes, ports, baths, pumps, Gaussian states, and the data door.
"""

from cavities.baths import VACUUM, Bath, thermal_occupation
from cavities.constants import angular, ordinary
from cavities.envelope import Envelope, Gaussian, Ramped, Sampled, Square
from cavities.errors import (
    DataError,
    ParameterError,
    PhysicsError,
    ToolkitError,
    TruncationError,
    UnstableError,
    ValidityError,
)
from cavities.gaussian import GaussianChannel, GaussianState
from cavities.heating import (
    HotBath,
    Irradiation,
    PowerLaw,
    Recovery,
    lifetime_under_light,
    two_bath_occupation,
)
from cavities.modes import Mode, Oscillator
from cavities.pump import (
    Plane,
    Pump,
    Sideband,
    depleted_photons,
    intracavity_photons,
    photon_flux,
    power_for_photons,
)
from cavities.rules import Status

__all__ = [
    "VACUUM",
    "Bath",
    "DataError",
    "Envelope",
    "Gaussian",
    "GaussianChannel",
    "GaussianState",
    "HotBath",
    "Irradiation",
    "Mode",
    "Oscillator",
    "ParameterError",
    "PhysicsError",
    "Plane",
    "PowerLaw",
    "Pump",
    "Ramped",
    "Recovery",
    "Sampled",
    "Sideband",
    "Square",
    "Status",
    "ToolkitError",
    "TruncationError",
    "UnstableError",
    "ValidityError",
    "angular",
    "depleted_photons",
    "intracavity_photons",
    "lifetime_under_light",
    "ordinary",
    "photon_flux",
    "power_for_photons",
    "thermal_occupation",
    "two_bath_occupation",
]
