"""A device known from outside: a measured scattering matrix, or a user's own equations."""

from dataclasses import dataclass

from cavities import checks
from cavities.constants import Real
from cavities.errors import ValidityError
from cavities.pump import Pump
from transducer.devices.base import UnpumpedDevice
from transducer.linear import LinearDevice
from transducer.network import Amplitude, Network
from transducer.tabulated import Tabulated, require_commutators


@dataclass(frozen=True)
class BlackBox(UnpumpedDevice):
    """Stated ports and what lies between them; magnons, rare earths and atoms enter this way.

    Parameters
    ----------
    inside : LinearDevice or Tabulated
        Equations (A, K) with all ports, or a measured S(ω) that is completed by its losses. From
        equations that lack their losses `transducer.tabulated.completed` makes the first.
    source_port, target_port : str
        Ports of the microwave signal and of the converted light.
    omega : float
        Angular frequency of the light at the line's centre [rad/s], > 0.
    width : float
        A width of the order of the line's [rad/s], > 0.
    line_offset : float
        Offset of the line from the frame [rad/s].

    Raises
    ------
    ParameterError
        If a port is not there, a number is not finite, or the equations break commutators.
    UnstableError
        If the equations have a growing mode.
    """

    inside: LinearDevice | Tabulated
    source_port: str
    target_port: str
    omega: float
    width: float
    line_offset: float = 0.0

    def __post_init__(self) -> None:
        checks.number("BlackBox.omega", self.omega, "rad/s", above=0.0)
        checks.number("BlackBox.width", self.width, "rad/s", above=0.0)
        checks.number("BlackBox.line_offset", self.line_offset, "rad/s")
        self.inside.index(self.source_port)
        self.inside.index(self.target_port)
        if isinstance(self.inside, LinearDevice):
            self.inside.judged((), lambda: "a converter must be stable; change A")
            require_commutators(self.inside)

    @property
    def carrier(self) -> float:
        """Angular frequency of the light at the line's centre [rad/s]."""
        return self.omega

    @property
    def outside(self) -> str:
        """What it is called in a sentence."""
        return "a black box"

    @property
    def source(self) -> str:
        """Port where the microwave signal comes in."""
        return self.source_port

    @property
    def target(self) -> str:
        """Port where the converted light goes out."""
        return self.target_port

    @property
    def reference_plane(self) -> str:
        """Where efficiency and noise are counted, in words."""
        return (
            f"black box: from port '{self.source_port}' to port '{self.target_port}', as measured"
        )

    def scale(self, pump: Pump | None = None) -> float:
        """Its stated width [rad/s]."""
        return self.width

    def centre(self, pump: Pump | None = None) -> Real:
        """Offset of its line from the frame [rad/s]."""
        return self.line_offset

    def caveats(self, pump: Pump | None) -> list[str]:
        """What it leaves open."""
        if isinstance(self.inside, Tabulated):
            return [
                "a measured scattering matrix: what it lacks to unity is taken as loss into baths "
                f"of {self.inside.environment:.3g} quanta; pump light in the gate is not counted"
            ]
        return ["a black box; pump light in the gate is not counted"]

    def network(self, pump: Pump | None = None, drive: Amplitude = 1.0) -> Network:
        """A black box states none.

        Raises
        ------
        ValidityError
            Always.
        """
        raise ValidityError(
            "a black box states no modes and couplings; use the scattering engine, or describe the "
            "device by its couplings"
        )

    def linearise(self, pump: Pump | None = None) -> LinearDevice | Tabulated:
        """What is inside."""
        return self.inside
