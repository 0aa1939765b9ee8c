"""What every device can be asked, whatever it is made of."""

from abc import ABC, abstractmethod

from cavities.constants import Real
from cavities.pump import Pump
from transducer.hamiltonian import Hamiltonian
from transducer.linear import LinearDevice


class Device(ABC):
    """A transducer: physical parameters that become a `LinearDevice` and a `Hamiltonian`."""

    @property
    @abstractmethod
    def carrier(self) -> float:
        """Angular frequency of the light converted from a signal of offset zero [rad/s]."""

    @property
    @abstractmethod
    def source(self) -> str:
        """Port where the microwave signal comes in."""

    @property
    @abstractmethod
    def target(self) -> str:
        """Port where the converted light goes out."""

    @property
    @abstractmethod
    def reference_plane(self) -> str:
        """Where efficiency and noise are counted, in words."""

    @property
    @abstractmethod
    def scale(self) -> float:
        """A width of the order of the conversion line's [rad/s]."""

    def converted_frequency(self, pump: Pump | None) -> float:
        """Angular frequency of the light converted from a signal of offset zero [rad/s]."""
        return self.carrier

    @property
    @abstractmethod
    def takes_pump(self) -> bool:
        """Whether its conversion depends on a pump at all."""

    @abstractmethod
    def pump_for(self, cooperativity: Real, like: Pump) -> Pump:
        """Find the pump of this cooperativity [1], like `like` in all but its power.

        Raises
        ------
        ValidityError
            If the device takes no pump.
        """

    @abstractmethod
    def caveats(self, pump: Pump | None, bandwidth: float) -> list[str]:
        """Say in sentences what a reader must know about this device under this pump.

        Parameters
        ----------
        pump : Pump, optional
            The pump.
        bandwidth : float
            Full width at half maximum of the conversion [rad/s].
        """

    @abstractmethod
    def linearise(self, pump: Pump | None) -> LinearDevice:
        """Linear Langevin equations under this pump.

        Raises
        ------
        UnstableError
            If a mode grows.
        """

    @abstractmethod
    def hamiltonian(self, pump: Pump | None) -> Hamiltonian:
        """Hamiltonian and baths under this pump.

        Raises
        ------
        ValidityError
            If the device is known only from outside.
        """

    @abstractmethod
    def cooperativity(self, pump: Pump | None) -> Real | None:
        """Cooperativity under this pump [1]; None for a device that has none."""

    @abstractmethod
    def pump_light(self, pump: Pump | None) -> tuple[Real, float]:
        """Largest pump flux at the optical output [1/s], and its offset to the carrier [rad/s]."""
