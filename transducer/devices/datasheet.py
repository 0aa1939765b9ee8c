"""A transducer of which only the data sheet is known.

Efficiency, added noise, bandwidth, repetition rate.
"""

from dataclasses import dataclass

import numpy as np

from cavities import checks
from cavities.constants import angular
from cavities.pump import Pump
from transducer.devices.base import UnpumpedDevice
from transducer.network import Amplitude, Door, Network, Resonance


@dataclass(frozen=True)
class Datasheet(UnpumpedDevice):
    r"""A black box with a single-pole response.

    It is the one-mode network with these figures: :math:`\kappa_e = \kappa_o = \sqrt{\eta}\,B/2`
    and the rest of B lost, so that :math:`|S(0)|^2 = \eta`, the full width at half maximum is B,
    and commutators are kept at every frequency. The added noise enters with the signal, at the
    microwave port.

    Parameters
    ----------
    efficiency : float
        Photon-number efficiency on resonance η, microwave port to optical fibre port [1], in (0,
        1].
    added_noise : float
        Noise referred to the microwave port [quanta], normally ordered, >= 0.
    bandwidth : float
        Full width at half maximum B [rad/s], > 0.
    repetition_rate : float
        Largest rate of conversion pulses [1/s], > 0.
    omega : float
        Angular frequency of the converted light [rad/s], > 0.

    Notes
    -----
    A data sheet states no line shape; the single pole is an assumption. It states no pump either:
    pump light in the detection gate is not counted.

    Examples
    --------
    >>> box = Datasheet.from_hz(0.5, 0.01, bandwidth_hz=20e6, repetition_rate=1e4)
    >>> box.linearise(None).K.shape
    (3, 1)
    """

    efficiency: float
    added_noise: float
    bandwidth: float
    repetition_rate: float
    omega: float

    def __post_init__(self) -> None:
        checks.number("Datasheet.efficiency", self.efficiency, "1", above=0.0, at_most=1.0)
        checks.number("Datasheet.added_noise", self.added_noise, "quanta", at_least=0.0)
        checks.number("Datasheet.bandwidth", self.bandwidth, "rad/s", above=0.0)
        checks.number("Datasheet.repetition_rate", self.repetition_rate, "1/s", above=0.0)
        checks.number("Datasheet.omega", self.omega, "rad/s", above=0.0)

    @classmethod
    def from_hz(
        cls,
        efficiency: float,
        added_noise: float,
        *,
        bandwidth_hz: float,
        repetition_rate: float,
        frequency_hz: float = 193.4e12,
    ) -> "Datasheet":
        """Make one from ordinary frequencies [Hz]."""
        bandwidth = float(angular(bandwidth_hz))
        return cls(
            efficiency, added_noise, bandwidth, repetition_rate, float(angular(frequency_hz))
        )

    @property
    def carrier(self) -> float:
        """Angular frequency of the converted light [rad/s]."""
        return self.omega

    @property
    def outside(self) -> str:
        """What it is called in a sentence."""
        return "a data sheet"

    @property
    def source(self) -> str:
        """Port where the microwave signal comes in."""
        return "microwave"

    @property
    def target(self) -> str:
        """Port where the converted light goes out."""
        return "optical"

    @property
    def reference_plane(self) -> str:
        """Where efficiency and noise are counted, in words."""
        return (
            "data sheet: from its microwave port to its optical port; noise at its microwave port"
        )

    def scale(self, pump: Pump | None = None) -> float:
        """Its bandwidth [rad/s]."""
        return self.bandwidth

    def caveats(self, pump: Pump | None) -> list[str]:
        """What a data sheet leaves open."""
        return [
            "a data sheet; a single-pole line is assumed, and pump light in the gate is not counted"
        ]

    def network(self, pump: Pump | None = None, drive: Amplitude = 1.0) -> Network:
        """One mode with two doors and a loss; no pump is needed."""
        door = np.sqrt(self.efficiency) * self.bandwidth / 2
        lost = max(self.bandwidth - 2 * door, 0.0)
        doors = (
            Door.of("optical", "mode", door, 0.0),
            Door.of("microwave", "mode", door, self.added_noise),
            Door.of("loss", "mode", lost, 0.0),
        )
        return Network((Resonance("mode"),), doors, (), ("a single-pole line",))
