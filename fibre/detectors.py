"""The station in the middle: a beam splitter, two threshold detectors and a gate."""

from dataclasses import dataclass

import numpy as np

from cavities import checks
from cavities.constants import Real
from fibre.elements import transmittance
from fibre.photon import Photon


@dataclass(frozen=True)
class Detector:
    """A photon detector.

    Parameters
    ----------
    name : str
        What the budget calls it.
    efficiency : float
        System detection efficiency [1], in (0, 1].
    dark_rate : float
        Dark counts [1/s], >= 0.
    dead_time : float
        Time after a click in which it is blind [s], >= 0.
    margin_db : float
        Worst case of the efficiency below typical [dB], >= 0.
    basis : str
        Status of the weakest number in it.
    jitter : float
        Full width at half maximum of its timing error [s], >= 0.
    afterpulse : float
        Probability that a click is followed by a false one in the next gate [1], in [0, 1).
    resolved : int
        Photon number up to which it tells numbers apart, >= 1; 1 is a threshold detector.
    """

    name: str
    efficiency: float
    dark_rate: float
    dead_time: float = 0.0
    margin_db: float = 0.0
    basis: str = "guess"
    jitter: float = 0.0
    afterpulse: float = 0.0
    resolved: int = 1

    def __post_init__(self) -> None:
        checks.number("Detector.efficiency", self.efficiency, "1", above=0.0, at_most=1.0)
        checks.number("Detector.dark_rate", self.dark_rate, "1/s", at_least=0.0)
        checks.number("Detector.dead_time", self.dead_time, "s", at_least=0.0)
        checks.number("Detector.margin_db", self.margin_db, "dB", at_least=0.0)
        checks.number("Detector.jitter", self.jitter, "s", at_least=0.0)
        checks.number("Detector.afterpulse", self.afterpulse, "1", at_least=0.0, below=1.0)
        checks.number("Detector.resolved", self.resolved, "1", at_least=1)


@dataclass(frozen=True)
class Station:
    """A midpoint station: balanced beam splitter, two equal detectors, one gate for both.

    Parameters
    ----------
    detector : Detector
        Both detectors.
    gate : float
        Detection gate per round [s], > 0.
    splitter_db : float
        Excess loss of the beam splitter [dB], >= 0.
    splitter_margin_db : float
        Worst case above typical [dB], >= 0.
    splitter_basis : str
        Status of the beam splitter's numbers.
    phase_rms : float or ndarray, shape (...)
        Rms of the relative optical phase of the arms in one attempt [rad], >= 0; it enters the
        single-click herald.
    phase_change_rms : float or ndarray, shape (...)
        Rms of the change of that phase between two rounds [rad], >= 0; it enters the two-click
        herald.
    distinguishability : float or ndarray, shape (...)
        Factor on the photons' amplitude overlap for what the model of the photons does not hold
        [1], in [0, 1]; 1 is perfect.
    bin_change_rms : float or ndarray, shape (...), optional
        The same between two bins, which no flip keeps apart [rad], >= 0; as between two rounds if
        left out.
    background : float or ndarray, shape (...)
        Stray light that reaches each detector and is counted [1/s], >= 0.
    """

    detector: Detector
    gate: float
    splitter_db: float = 0.0
    splitter_margin_db: float = 0.0
    splitter_basis: str = "guess"
    phase_rms: Real = 0.0
    phase_change_rms: Real = 0.0
    distinguishability: Real = 1.0
    background: Real = 0.0
    bin_change_rms: Real | None = None

    def __post_init__(self) -> None:
        checks.number("Station.gate", self.gate, "s", above=0.0)
        checks.number("Station.splitter_db", self.splitter_db, "dB", at_least=0.0)
        checks.number("Station.splitter_margin_db", self.splitter_margin_db, "dB", at_least=0.0)
        checks.number("Station.phase_rms", self.phase_rms, "rad", at_least=0.0)
        checks.number("Station.phase_change_rms", self.phase_change_rms, "rad", at_least=0.0)
        checks.probability("Station.distinguishability", self.distinguishability)
        if self.bin_change_rms is not None:
            checks.number("Station.bin_change_rms", self.bin_change_rms, "rad", at_least=0.0)
        checks.number("Station.background", self.background, "1/s", at_least=0.0)

    def change_rms(self, flips: bool) -> Real:
        """Rms change of the phase between two rounds, or between two bins without a flip [rad]."""
        if flips or self.bin_change_rms is None:
            return self.phase_change_rms
        return self.bin_change_rms

    def split(self, photon: Photon) -> Photon:
        """Excess loss of the beam splitter; its balanced splitting belongs to the herald."""
        return photon.attenuated(transmittance(self.splitter_db))

    def detect(self, photon: Photon) -> Photon:
        """Detection efficiency, as a loss in front of a perfect detector."""
        return photon.attenuated(self.detector.efficiency)

    def dark_probability(self, first: Photon, second: Photon) -> Real:
        r"""Probability that one detector fires in a gate without signal or thermal noise [1].

        .. math:: p_d = 1 - \exp[-T(R_\mathrm{dark} + R_\mathrm{stray} + (\Phi_A+\Phi_B)/2)]

        Φ is the pump light of each arm at the detectors: half of it reaches each one (L22e).

        Parameters
        ----------
        first, second : Photon
            Of the two arms, at the detectors.

        Returns
        -------
        float or ndarray, shape (...)
            Probability per gate and detector [1].
        """
        leak = (first.pump_flux + second.pump_flux) / 2
        return -np.expm1(-self.gate * (self.detector.dark_rate + self.background + leak))
