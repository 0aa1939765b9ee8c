"""Floor 0, quantum optics with no device in it.

Modes, ports, baths, pumps, Gaussian states, and the data door.
"""

from cavities.baths import VACUUM, Bath, Heating, thermal_occupation
from cavities.constants import angular, ordinary
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
from cavities.modes import Mode
from cavities.pump import (
    Plane,
    Pump,
    Sideband,
    depleted_photons,
    intracavity_photons,
    photon_flux,
    power_for_photons,
)

__all__ = [
    "VACUUM",
    "Bath",
    "DataError",
    "GaussianChannel",
    "GaussianState",
    "Heating",
    "Mode",
    "ParameterError",
    "PhysicsError",
    "Plane",
    "Pump",
    "Sideband",
    "ToolkitError",
    "TruncationError",
    "UnstableError",
    "ValidityError",
    "angular",
    "depleted_photons",
    "intracavity_photons",
    "ordinary",
    "photon_flux",
    "power_for_photons",
    "thermal_occupation",
]
