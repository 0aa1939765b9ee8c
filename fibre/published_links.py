"""Published entanglement links: their inputs, what a herald predicts, what a match is worth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from cavities import data
from cavities.numbers import (
    STATUSES,
    Input,
    NonNegative,
    Number,
    Positive,
    Share,
    Strict,
    numbers_in,
)
from fibre.elements import transmittance
from fibre.herald import Detection, Heralded, single_click, two_click

Protocol = Literal["single-click", "two-click", "reflection", "pair-source", "direct", "other"]


class BellShare(Number):
    """Share of the Bell states that linear optics tells apart, in (0, 1/2]."""

    value: Annotated[float, Field(gt=0, le=0.5)]


class ArmOfLink(Strict):
    """``[arm_a]``, ``[arm_b]``: what a photon passes from the emitter to the click."""

    chain: dict[str, Share] = Field(default_factory=dict)
    bright_population: Share | None = None
    fibre_km: NonNegative | None = None
    fibre_db_per_km: NonNegative | None = None


class StationOfLink(Strict):
    """``[station]``: interference, false clicks and phase."""

    visibility: Share | None = None
    dark_probability: NonNegative | None = None
    dark_rate_hz: NonNegative | None = None
    window_s: Positive | None = None
    phase_rms_rad: NonNegative | None = None
    bell_states: BellShare | None = None


class NodesOfLink(Strict):
    """``[nodes]``: errors of the emitters and of what reads them."""

    double_excitation: NonNegative | None = None
    spin_error: NonNegative | None = None


class TimingOfLink(Strict):
    """``[timing]``: how often one tries."""

    attempt_rate_hz: Positive | None = None
    attempt_s: Positive | None = None
    duty: Share | None = None


class ReportedOfLink(Strict):
    """``[reported]``: what the paper claims; `other` holds figures that no model here predicts."""

    probability: Positive | None = None
    rate_hz: Positive | None = None
    fidelity: Share | None = None
    other: dict[str, Number] = Field(default_factory=dict)


class LinkFile(Strict):
    """A published link."""

    key: str
    title: str
    year: Annotated[int, Field(ge=1990, le=2100)] | None = None
    node: str
    protocol: Protocol
    source: str
    note: str = ""
    missing: list[str] = Field(default_factory=list)
    arm_a: ArmOfLink = ArmOfLink()
    arm_b: ArmOfLink = ArmOfLink()
    station: StationOfLink = StationOfLink()
    nodes: NodesOfLink = NodesOfLink()
    timing: TimingOfLink = TimingOfLink()
    other_inputs: dict[str, Number] = Field(default_factory=dict)
    reported: ReportedOfLink = ReportedOfLink()


JUDGED = ("independent", "consistent")
"""What a comparison must be worth to be judged in sigmas."""


@dataclass(frozen=True)
class LinkClaim:
    """One reported figure beside its prediction.

    Parameters
    ----------
    key : str
        Of the link.
    figure : str
        ``probability``, ``rate_hz`` or ``fidelity``.
    reported : Number
        What the paper says.
    predicted : float, optional
        None where an input is missing.
    inputs : tuple of Input
        Numbers that the prediction rests on.
    worth : str
        What a match says: independent, consistent, tuned, identity, illustration, upper bound
        (an error is not stated), or none.
    why : str
        Why nothing can be predicted, or what the model leaves out.
    """

    key: str
    figure: str
    reported: Number
    predicted: float | None
    inputs: tuple[Input, ...]
    worth: str
    why: str = ""

    @property
    def ratio_db(self) -> float | None:
        """Predicted over reported [dB]."""
        if self.predicted is None:
            return None
        return float(10 * np.log10(self.predicted / self.reported.value))

    @property
    def deviation(self) -> float | None:
        """Difference in units of the reported sigma [1], where that can be judged."""
        sigmas = self.reported.sigmas
        if self.predicted is None or sigmas is None or self.worth not in JUDGED:
            return None
        difference = self.predicted - self.reported.value
        sigma = sigmas[1] if difference > 0 else sigmas[0]
        return difference / sigma if sigma > 0 else None


def load_link(name: str) -> LinkFile:
    """Read a published link by name from ``data/links``, or from a user's own TOML file.

    Raises
    ------
    DataError
        If there is none, or a key or number is not what it should be.
    """
    return data.load("links", name, LinkFile)


def worth_of(inputs: Sequence[Input]) -> str:
    """What agreement with a prediction from these inputs would say.

    Examples
    --------
    >>> worth_of([Input("links/x", "a", Number(value=1.0, where="p. 2", status="read"))])
    'independent'
    """
    statuses = {entry.number.status for entry in inputs}
    for status, said in (
        ("identity", "identity"),
        ("tuned", "tuned"),
        ("fitted", "tuned"),
        ("guess", "illustration"),
        ("recalled", "illustration"),
        ("secondary", "consistent"),
    ):
        if status in statuses:
            return said
    assert statuses <= set(STATUSES)
    return "independent"


def claims_of(file: LinkFile) -> list[LinkClaim]:
    """Every reported figure of a link with what the herald makes of its inputs.

    Parameters
    ----------
    file : LinkFile
        From `load_link`.

    Returns
    -------
    list of LinkClaim
        One per reported probability, rate and fidelity.

    Notes
    -----
    The chain of an arm is multiplied to its transmission. Visibility is that of two-photon
    interference, :math:`V=M^2`. Where fewer than two of the four Bell states are heralded,
    `bell_states` (their share of the pairs, 1/2 by default) scales a two-click probability. A
    second photon of an emitter dephases its qubit; spin errors mix the pair with noise.
    """
    pair, used, why = _heralded(file)
    reported, found = file.reported, []
    rate_inputs: list[Input] = []
    rate = None
    if pair is not None:
        rate, rate_inputs = _attempt_rate(file)
    for figure, number in (
        ("probability", reported.probability),
        ("rate_hz", reported.rate_hz),
        ("fidelity", reported.fidelity),
    ):
        if number is None:
            continue
        value, rests, said = None, list(used), why
        if pair is not None and figure == "probability":
            value = float(pair.probability)
        elif pair is not None and figure == "fidelity":
            value, said = _fidelity(file, pair)
        elif pair is not None and rate is not None:
            value, rests = float(pair.probability) * rate, [*used, *rate_inputs]
        elif pair is not None:
            said = "the attempt rate is not known"
        if figure != "fidelity":
            rests = [e for e in rests if not e.key.startswith(("nodes.", "station.phase"))]
        worth = "none" if value is None else worth_of(rests)
        if value is not None and figure == "fidelity" and said:
            worth = "upper bound"
        found.append(LinkClaim(file.key, figure, number, value, tuple(rests), worth, said))
    return found


def _input(file: LinkFile, key: str, number: Number) -> Input:
    return Input(f"links/{file.key}", key, number)


def _transmission(file: LinkFile, arm: ArmOfLink, name: str) -> tuple[float | None, list[Input]]:
    used = [_input(file, f"{name}.chain.{key}", number) for key, number in arm.chain.items()]
    if not arm.chain:
        return None, used
    value = float(np.prod([number.value for number in arm.chain.values()]))
    if arm.fibre_km is not None and arm.fibre_db_per_km is not None:
        value *= float(transmittance(arm.fibre_km.value * arm.fibre_db_per_km.value))
        used.append(_input(file, f"{name}.fibre_km", arm.fibre_km))
        used.append(_input(file, f"{name}.fibre_db_per_km", arm.fibre_db_per_km))
    return value, used


def _heralded(file: LinkFile) -> tuple[Heralded | None, list[Input], str]:
    if file.protocol not in ("single-click", "two-click"):
        return None, [], f"no model of this kind of link here: {file.protocol}"
    tau_a, used_a = _transmission(file, file.arm_a, "arm_a")
    tau_b, used_b = _transmission(file, file.arm_b, "arm_b")
    used = [*used_a, *used_b]
    if tau_a is None or tau_b is None:
        return None, used, "the transmissions of the arms are not known"
    station = file.station
    silent = "bell_states" if file.protocol == "single-click" else "phase_rms_rad"
    used += [
        _input(file, f"station.{key}", number)
        for key, number in numbers_in(station)
        if key != silent
    ]
    dark = 0.0
    if station.dark_probability is not None:
        dark = station.dark_probability.value
    elif station.dark_rate_hz is not None and station.window_s is not None:
        dark = float(-np.expm1(-station.dark_rate_hz.value * station.window_s.value))
    overlap = 1.0 if station.visibility is None else float(np.sqrt(station.visibility.value))
    seen = Detection(tau_a, tau_b, overlap=overlap, dark=dark)
    if file.protocol == "single-click":
        alphas = []
        for name, arm in (("arm_a", file.arm_a), ("arm_b", file.arm_b)):
            if arm.bright_population is None:
                return None, used, "the bright-state populations are not known"
            used.append(_input(file, f"{name}.bright_population", arm.bright_population))
            alphas.append(arm.bright_population.value)
        phase = 0.0 if station.phase_rms_rad is None else station.phase_rms_rad.value
        pair = single_click(seen, alphas[0], alphas[1], phase)
    else:
        pair = two_click(seen)
        if station.bell_states is not None:
            pair = Heralded(pair.state * (station.bell_states.value / 0.5))
    used += [_input(file, f"nodes.{key}", number) for key, number in numbers_in(file.nodes)]
    return pair, used, ""


def _fidelity(file: LinkFile, pair: Heralded) -> tuple[float, str]:
    """Fidelity with the errors of the nodes; what is not stated is taken as perfect, and said."""
    state = pair.normalised.copy()
    nodes, absent = file.nodes, []
    if file.protocol == "single-click":
        if nodes.double_excitation is None:
            absent.append("double excitation")
        else:
            state[..., 1, 2] *= 1 - nodes.double_excitation.value
            state[..., 2, 1] *= 1 - nodes.double_excitation.value
        if file.station.phase_rms_rad is None:
            absent.append("optical phase")
    if file.station.visibility is None:
        absent.append("distinguishable photons")
    if file.station.dark_probability is None and file.station.dark_rate_hz is None:
        absent.append("dark counts")
    error = 0.0
    if nodes.spin_error is None:
        absent.append("spin errors")
    else:
        error = nodes.spin_error.value
    found = (1 - error) * float(Heralded(state).fidelity) + error / 4
    return found, ("without " + ", ".join(absent)) if absent else ""


def _attempt_rate(file: LinkFile) -> tuple[float | None, list[Input]]:
    timing = file.timing
    used = [_input(file, f"timing.{key}", number) for key, number in numbers_in(timing)]
    duty = 1.0 if timing.duty is None else timing.duty.value
    if timing.attempt_rate_hz is not None:
        return duty * timing.attempt_rate_hz.value, used
    if timing.attempt_s is not None:
        return duty / timing.attempt_s.value, used
    return None, used
