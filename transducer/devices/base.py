"""What every device can be asked, whatever it is made of."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cavities.constants import Real
from cavities.errors import ParameterError, ValidityError
from cavities.pump import Pump
from cavities.rules import Rule, settle
from cavities.timeline import Timeline, ring_up
from transducer.linear import LinearDevice, langevin
from transducer.network import Amplitude, Network
from transducer.tabulated import Tabulated

if TYPE_CHECKING:
    from transducer.hamiltonian import Hamiltonian

LONGEST = 2e5
"""Most steps of a pulse that are kept for the master equation."""


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

    @abstractmethod
    def scale(self, pump: Pump | None) -> float:
        """A width of the order of the conversion line's under this pump [rad/s]."""

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
    def caveats(self, pump: Pump | None) -> list[str]:
        """Say in sentences what a reader must know about this device under this pump.

        Parameters
        ----------
        pump : Pump, optional
            The pump.
        """

    @abstractmethod
    def network(self, pump: Pump | None, drive: Amplitude = 1.0) -> Network:
        """Modes, doors and couplings under this pump.

        Parameters
        ----------
        pump : Pump, optional
            The pump at its full power.
        drive : complex or ndarray, shape (...)
            Intracavity pump amplitude over its steady value at full power [1]: an array of it in
            time gives the device in time.
        """

    def pump_rate(self, pump: Pump) -> complex:
        """Rate at which the pump fills its cavity, κ/2 - iΔ [rad/s].

        Raises
        ------
        ValidityError
            If the device takes no pump.
        """
        raise ValidityError("this device takes no pump, so no pulse can shape it")

    def in_time(
        self, pump: Pump, times: NDArray[np.float64], drive: Amplitude, lit: NDArray[np.float64]
    ) -> Network:
        """Network at each of the `times`, baths with a delay followed.

        Parameters
        ----------
        pump : Pump
            The pump at its full power.
        times : ndarray, shape (t,)
            Increasing [s].
        drive : ndarray of complex, shape (t,)
            Intracavity pump amplitude over its steady value at full power [1].
        lit : ndarray, shape (t,)
            Power that arrives over full power [1].
        """
        return self.network(pump, drive)

    def rules(self, pump: Pump | None) -> tuple[Rule, ...]:
        """What must hold for this model to be valid under this pump."""
        return ()

    def remedy(self, pump: Pump | None) -> str:
        """What would make an unstable device stable, for the sentence that refuses it."""
        return "lower the pump power"

    def stable_power(self, pump: Pump | None) -> float:
        """Pump power below which the device is stable [W], at the pump's own plane.

        Parameters
        ----------
        pump : Pump
            A pump that may be unstable; everything but its power is kept.

        Returns
        -------
        float
            Lowest power at which a mode grows [W], to 1e-6; infinite if none up to the given power
            does.
        """
        if pump is None or np.size(pump.power) != 1:
            raise ParameterError("stable_power: it takes one pump with one power")
        drive = np.concatenate([[0.0], np.geomspace(1e-6, 1.0, 400)])
        for _ in range(3):
            growth = langevin(self.network(pump, drive)).growth_rate
            grows = np.flatnonzero(growth >= 0)
            if len(grows) == 0:
                return np.inf
            first = int(grows[0])
            drive = np.linspace(drive[max(first - 1, 0)], drive[first], 401)
        return float(np.max(pump.power)) * float(drive[-1]) ** 2

    def centre(self, pump: Pump | None) -> Real:
        """Offset of the line from the frame [rad/s], shape (...): where a signal belongs."""
        return 0.0

    def linearise(self, pump: Pump | None) -> LinearDevice | Tabulated:
        """Linear Langevin equations under this pump.

        A batch carries a status per point.

        Raises
        ------
        ValidityError
            If the model does not hold.
        UnstableError
            If a mode grows.
        """
        network = self.network(pump)
        device = langevin(network)
        return device.judged(self.rules(pump), lambda: self.remedy(pump), network.decays())

    def hamiltonian(
        self, pump: Pump | None, window: tuple[float, float] | None = None
    ) -> "Hamiltonian":
        """Hamiltonian and baths under this pump; they share no algebra with `linearise`.

        Rates, occupations and couplings are computed once for both; the dynamics are not.

        Parameters
        ----------
        pump : Pump, optional
            The pump. The Hamiltonian is in the frame displaced by its field.
        window : tuple of float, optional
            Beginning and end [s] of a pulse of the pump's `envelope` to be followed, ring-up, hot
            baths and all; without it the pump stands at its full power.

        Raises
        ------
        ValidityError
            If the model does not hold, or the device is known only from outside.
        ParameterError
            If a window is given for a pump without envelope.
        """
        from transducer.hamiltonian import on_the_board

        settle(self.rules(pump))
        if window is None:
            return on_the_board(self.network(pump))
        if pump is None or pump.envelope is None:
            raise ParameterError(
                "hamiltonian: a window belongs to a pump with an envelope; give the pump a pulse"
            )
        if np.size(pump.power) != 1:
            raise ParameterError(
                "hamiltonian: the master equation takes one device at a time, got "
                f"{np.size(pump.power)} pump powers; loop over them"
            )
        begin, end = window
        if not begin < end:
            raise ParameterError(f"hamiltonian: the window [s] must increase, got {window}")
        breaks = tuple(b for b in pump.envelope.breaks if begin < b < end)
        first = min(begin, 0.0)
        step = 0.04 / abs(self.pump_rate(pump))
        reach = max(end, pump.envelope.length) - first
        if reach / step > LONGEST:
            raise ValidityError(
                f"the pulse takes {reach / step:.2g} steps of the pump's filling time, more than "
                f"{LONGEST:.0e}; shorten the window, or take the pump as steady"
            )
        line = Timeline.between([first, *breaks, *pump.envelope.breaks, end], step)
        return on_the_board(self.in_pulse(pump, line), line, breaks)

    def in_pulse(self, pump: Pump, line: Timeline) -> Network:
        """Network along a timeline: the pump's envelope as its cavity follows it.

        Parameters
        ----------
        pump : Pump
            Without envelope it is on all the time.
        line : Timeline
            Beginning before the pulse.
        """
        if pump.envelope is None:
            drive: Amplitude = np.ones(len(line.times), dtype=np.complex128)
            lit = np.ones(len(line.times))
        else:
            relative = pump.envelope.amplitude(line.times)
            rate, first = self.pump_rate(pump), float(line.edges[0])
            drive = ring_up(rate, relative, line)
            if first > 0:  # what the pulse has filled before the line begins rings on
                marks = [0.0, *(b for b in pump.envelope.breaks if 0 < b < first), first]
                before = Timeline.between(marks, min(0.04 / abs(rate), first / 64))
                filled = ring_up(rate, pump.envelope.amplitude(before.times), before)
                held = before.interpolate(filled)(np.array([first]))[0]
                drive = drive + held * np.exp(-rate * (line.times - first))
            lit = relative**2
        return self.in_time(pump, line.times, drive, lit)

    @abstractmethod
    def cooperativity(self, pump: Pump | None) -> Real | None:
        """Cooperativity under this pump [1]; None for a device that has none."""

    @abstractmethod
    def pump_light(self, pump: Pump | None) -> tuple[Real, float]:
        """Largest pump flux at the optical output [1/s], and its offset to the carrier [rad/s]."""


class UnpumpedDevice(Device):
    """A device known from outside: whatever pumps it is inside, and no Hamiltonian is stated."""

    @property
    @abstractmethod
    def outside(self) -> str:
        """What it is called in a sentence, for example ``a data sheet``."""

    @property
    def takes_pump(self) -> bool:
        """It states no pump."""
        return False

    def pump_for(self, cooperativity: Real, like: Pump) -> Pump:
        """Refuse: it states no pump.

        Raises
        ------
        ValidityError
            Always.
        """
        raise ValidityError(f"{self.outside} states no pump; leave the pump out")

    def hamiltonian(
        self, pump: Pump | None = None, window: tuple[float, float] | None = None
    ) -> "Hamiltonian":
        """It has none.

        Raises
        ------
        ValidityError
            Always.
        """
        raise ValidityError(
            f"{self.outside} states no Hamiltonian, so no master equation can be run on it; use "
            "the scattering engine, or describe the device by its couplings"
        )

    def cooperativity(self, pump: Pump | None = None) -> Real | None:
        """It states none."""
        return None

    def pump_light(self, pump: Pump | None = None) -> tuple[Real, float]:
        """It states no pump: none is counted."""
        return 0.0, 0.0
