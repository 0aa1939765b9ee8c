"""Floor 2, the tool: devices, their engines, published devices, links from end to end.

``import transducer`` loads neither qutip, h5py, matplotlib, xarray nor scipy; they come when they
are used.
"""

from transducer_toolkit import namesake

_problem = namesake()
if _problem is not None:
    raise ImportError(_problem)

from transducer.chain import evaluate, link_of  # noqa: E402
from transducer.conversion import Conversion  # noqa: E402
from transducer.devices.black_box import BlackBox  # noqa: E402
from transducer.devices.datasheet import Datasheet  # noqa: E402
from transducer.devices.electro_optic import ElectroOptic, Partner, StokesMode  # noqa: E402
from transducer.devices.membrane import Membrane  # noqa: E402
from transducer.devices.piezo import Phonon, PiezoOptomechanical  # noqa: E402
from transducer.devices.single_mode import SingleModeElectroOptic  # noqa: E402
from transducer.linear import LinearDevice, Port  # noqa: E402
from transducer.node import Emitter, emit  # noqa: E402
from transducer.published import load_device  # noqa: E402
from transducer.scenario import Scenario, load_scenario  # noqa: E402
from transducer.simulation import LinkReport, simulate, verdict  # noqa: E402
from transducer.tabulated import Tabulated  # noqa: E402
from transducer.version import __version__  # noqa: E402

__all__ = [
    "BlackBox",
    "Conversion",
    "Datasheet",
    "ElectroOptic",
    "Emitter",
    "LinearDevice",
    "LinkReport",
    "Membrane",
    "Partner",
    "Phonon",
    "PiezoOptomechanical",
    "Port",
    "Scenario",
    "SingleModeElectroOptic",
    "StokesMode",
    "Tabulated",
    "__version__",
    "emit",
    "evaluate",
    "link_of",
    "load_device",
    "load_scenario",
    "simulate",
    "verdict",
]
