"""What a link gives, in one flat record: the figures that tables, archives and sweeps hold."""

from dataclasses import dataclass, field, fields

from cavities.constants import Real


def _figure(unit: str, meaning: str) -> Real:
    """Declare a figure with its unit and meaning, which tables, archives and pictures print."""
    declared: Real = field(metadata={"unit": unit, "long_name": meaning})
    return declared


@dataclass(frozen=True)
class LinkFigures:
    """What a link gives: a flat record of floats, or of arrays of a batch.

    Every field carries its unit and meaning in its metadata; noise is normally ordered quanta.
    """

    transmission_a: Real = _figure("1", "transmission of arm A, emitter to detector")
    transmission_b: Real = _figure("1", "transmission of arm B, emitter to detector")
    noise_a: Real = _figure("quanta", "noise in the photon's mode at the detectors, arm A")
    noise_b: Real = _figure("quanta", "noise in the photon's mode at the detectors, arm B")
    added_noise_a: Real = _figure("quanta", "noise of arm A referred to the emitter")
    added_noise_b: Real = _figure("quanta", "noise of arm B referred to the emitter")
    noise_modes: Real = _figure("1", "noise modes in one gate")
    overlap: Real = _figure("1", "amplitude overlap of the two photons")
    dark_probability: Real = _figure("1", "dark counts and pump light per gate and detector")
    herald_probability: Real = _figure("1", "probability of the herald per attempt")
    herald_fidelity: Real = _figure("1", "Bell fidelity when the emission ended")
    fidelity: Real = _figure("1", "Bell fidelity when both nodes know")
    kept: Real = _figure("1", "share of the heralds that a check of both memories would keep")
    checked_fidelity: Real = _figure("1", "Bell fidelity of those that are kept")
    negativity: Real = _figure(
        "1", "negativity of the delivered pair, above zero exactly when entangled"
    )
    latency: Real = _figure("s", "time from the end of the emission until both nodes know")
    attempt_period: Real = _figure("s", "time per attempt")
    waiting: Real = _figure("1", "attempt period over the steps that must follow each other")
    rate: Real = _figure("1/s", "heralds per second while the link is up")
    delivered_rate: Real = _figure("1/s", "heralded pairs per second, down times counted")
    hashing: Real = _figure("1", "distillable ebits per delivered pair, lower bound")
    hashing_rate: Real = _figure("1/s", "distillable ebits per second, lower bound")
    relay_bound: Real = _figure("1", "most ebits per attempt through this station")
    direct_bound: Real = _figure("1", "most ebits per attempt without a station, reference line")
    separability: Real = _figure("1", "P00 P11 over squared coherence: entangled below one")
    noise_threshold: Real = _figure(
        "quanta", "L23: emitter noise ending entanglement; equal arms, one mode, no dark counts"
    )

    def as_dict(self) -> dict[str, Real]:
        """Field name to value."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}
