"""How often one may try.

What must follow, what may overlap, and how much of the day the link is up.
"""

from dataclasses import dataclass

import numpy as np

from cavities import checks
from cavities.constants import Real
from fibre.waiting import Outage


@dataclass(frozen=True)
class Schedule:
    """Timing of the attempts of one link; with one memory it waits for each herald.

    Parameters
    ----------
    reset : float
        Time to prepare the qubits before an attempt [s], >= 0.
    flip : float
        Time of the spin flip between two rounds [s], >= 0.
    feedback : float
        Electronics at the station and correction at the nodes [s], >= 0.
    pump_on : float
        Time the pump is on in each round [s], >= 0.
    pump_duty : float
        Largest share of the time the pump may be on [1], in (0, 1].
    repetition_rate : float
        Largest mean rate of pump pulses, one per round [1/s], > 0; infinite if nothing limits it.
    lock_duty : float
        Share of the time that phase and frequency locks leave to the link [1], in (0, 1].
    hold : float
        Time a circuit through the switches is held [s], > 0; infinite if it is never changed.
    memories : int
        Memories per node that wait for a herald each, >= 1: with several, attempts follow each
        other without waiting for the one before.
    modes : int
        Independent modes that share an attempt, in frequency or space, >= 1; one herald is kept.
    outages : tuple of Outage
        Down times that recur: calibration, relock, realignment.
    """

    reset: float = 0.0
    flip: float = 0.0
    feedback: float = 0.0
    pump_on: float = 0.0
    pump_duty: float = 1.0
    repetition_rate: float = np.inf
    lock_duty: float = 1.0
    hold: float = np.inf
    memories: int = 1
    modes: int = 1
    outages: tuple[Outage, ...] = ()

    def __post_init__(self) -> None:
        checks.number("Schedule.memories", self.memories, "1", at_least=1)
        checks.number("Schedule.modes", self.modes, "1", at_least=1)
        for name in ("reset", "flip", "feedback", "pump_on"):
            checks.number(f"Schedule.{name}", getattr(self, name), "s", at_least=0.0)
        checks.number("Schedule.pump_duty", self.pump_duty, "1", above=0.0, at_most=1.0)
        checks.number("Schedule.lock_duty", self.lock_duty, "1", above=0.0, at_most=1.0)
        for name, unit in (("repetition_rate", "1/s"), ("hold", "s")):
            if getattr(self, name) != np.inf:
                checks.number(f"Schedule.{name}", getattr(self, name), unit, above=0.0)

    def emission(self, rounds: int, gate: float, dead_time: float) -> float:
        """Time from the first emission's start to the last one's end [s]."""
        return gate + (rounds - 1) * self.gap(gate, dead_time)

    def gap(self, gate: float, dead_time: float) -> float:
        """Time from one round to the next [s].

        Photon and flip, and no shorter than the detectors' dead time.
        """
        return gate + max(self.flip, dead_time)

    def attempt_period(
        self, rounds: int, gate: float, dead_time: float, travel: Real, message: Real
    ) -> Real:
        r"""Time per attempt.

        Steps that follow each other add, limits that overlap take the maximum.

        .. math:: T = \max[(t_\mathrm{reset} + t_\mathrm{emit} + t_\mathrm{travel}
                  + t_\mathrm{back} + t_\mathrm{feedback})/M,
                  \; t_\mathrm{reset} + t_\mathrm{emit},
                  \; R t_\mathrm{pump}/d_\mathrm{pump}, \; R/f_\mathrm{rep}]

        M memories per node wait for a herald each: pipelined operation.

        Parameters
        ----------
        rounds : int
            Emission rounds R per attempt.
        gate : float
            Length of one emission window [s].
        dead_time : float
            Dead time of the detectors [s].
        travel : float or ndarray, shape (...)
            Travel time of the photon on the longer arm [s].
        message : float or ndarray, shape (...)
            Travel time of the herald on the longer arm [s].

        Returns
        -------
        float or ndarray, shape (...)
            Period [s].
        """
        serial = self.serial_time(rounds, gate, dead_time, travel, message)
        cooling = rounds * max(self.pump_on / self.pump_duty, 1 / self.repetition_rate)
        if self.memories > 1:
            own = self.reset + self.emission(rounds, gate, dead_time)
            serial = np.maximum(serial / self.memories, own)
        return np.maximum(serial, cooling)

    def serial_time(
        self, rounds: int, gate: float, dead_time: float, travel: Real, message: Real
    ) -> Real:
        """Time of the steps that must follow each other [s]; arguments as of `attempt_period`."""
        emission = self.emission(rounds, gate, dead_time)
        return self.reset + emission + travel + message + self.feedback

    def availability(self, switch_time: float) -> float:
        """Share of the time in which attempts can be made [1].

        Locks, setting the switches once per circuit, and outages.
        """
        checks.number("Schedule.availability: switch_time", switch_time, "s", at_least=0.0)
        share = 1.0 if self.hold == np.inf else self.hold / (self.hold + switch_time)
        for outage in self.outages:
            share *= outage.availability
        return self.lock_duty * share
