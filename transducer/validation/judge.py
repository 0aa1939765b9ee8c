"""A claim held against its prediction: ratio, uncertainty, verdict."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from cavities import checks, data
from cavities.errors import DataError, ParameterError, ToolkitError
from cavities.numbers import TRUSTED, Input
from cavities.sentences import nearest
from transducer.device_file import ListingFile
from transducer.paper_file import Claim
from transducer.published import Paper, read_paper
from transducer.validation.cases import Case, MissingInputError
from transducer.validation.figures import FIGURES
from transducer.validation.quantities import Quantity
from transducer.validation.relations import RELATIONS, computed
from transducer.validation.uncertainty import SILENT, Predict, Spread, is_free, moved_by, spread_of

SIGMAS = 2.0
"""A claim that is missed by more standard deviations than this fails."""
UNSTATED = 0.05
"""Relative error of a measured figure whose uncertainty no source states; in dB figures 0.2 dB."""
LOOSE = 10.0
"""A claim or a prediction that is only known to a factor of this between its ends tests nothing."""
SAMPLES = 200
"""Draws of the Monte Carlo."""


class Verdict(Enum):
    """What became of a claim."""

    PREDICTED = "predicted"
    """Met, and all that it rests on was read in the paper or its abstract, or derived from that."""
    CONSISTENT = "consistent"
    """Met, but an input or the claim itself is secondary, a free parameter has a range, or one
    number of the paper stands against another."""
    FAILS = "fails"
    """Missed by more than `SIGMAS` standard deviations."""
    FITTED = "fitted"
    """An input was fitted, tuned or back-solved: agreement says nothing, so it is not counted."""
    UNTESTABLE = "cannot be tested"
    """An input is missing, recalled, a guess or too uncertain, or no model gives such a figure."""


@dataclass(frozen=True)
class Judged:
    """One claim and what the toolkit says about it.

    Parameters
    ----------
    paper : Paper
        Where it stands.
    claim : Claim
        The claim.
    verdict : Verdict
        What became of it.
    quantity : Quantity, optional
        What kind of figure; None for one that no model gives.
    unit : str
        Of the figure.
    engine : str
        What computed the prediction; empty without one.
    plane : str
        Ports and reference plane of the prediction; empty for a closed form, whose `definition` the
        claim states.
    predicted : float, optional
        In the unit of the claim; shown even where it must not be judged.
    spread : Spread, optional
        How far the prediction is known.
    inputs : tuple of Input
        Numbers that the prediction rests on.
    why : str
        Why it cannot be tested, or is not counted.
    """

    paper: Paper
    claim: Claim
    verdict: Verdict
    quantity: Quantity | None = None
    unit: str = ""
    engine: str = ""
    plane: str = ""
    predicted: float | None = None
    spread: Spread | None = None
    inputs: tuple[Input, ...] = ()
    why: str = ""

    @property
    def miss_db(self) -> float | None:
        """Predicted over reported [dB]; a plain difference for a claim that is in dB already."""
        if self.predicted is None:
            return None
        if self.claim.figure.endswith("_db"):
            return self.predicted - self.claim.value
        ratio = self.predicted / self.claim.value
        return float(10 * np.log10(ratio)) if ratio > 0 else -np.inf

    @property
    def sigma(self) -> float | None:
        """Standard deviation of the difference, on the side of the miss, in the claim's unit."""
        if self.predicted is None or self.spread is None:
            return None
        above = self.predicted > self.claim.value
        theirs = _error(self.claim)[1 if above else 0]
        ours = self.predicted - self.spread.low if above else self.spread.high - self.predicted
        return float(np.hypot(theirs, max(ours, 0.0)))

    @property
    def z(self) -> float | None:
        """Miss in standard deviations; zero inside the band of free parameters or of a bound.

        None where nothing is known of the uncertainty.
        """
        if self.predicted is None or self.spread is None or self.sigma is None:
            return None
        low, high = self.spread.band or (self.predicted, self.predicted)
        value = self.claim.value
        miss = low - value if low > value else high - value if high < value else 0.0
        if (self.claim.bound == "below" and miss < 0) or (self.claim.bound == "above" and miss > 0):
            miss = 0.0
        if miss == 0.0:
            return 0.0
        return miss / self.sigma if self.sigma > 0 else None


Answer = tuple[float, tuple[Input, ...], Spread]
"""A prediction, what it rests on, and how far it is known."""


def judge(
    case: Case, samples: int = SAMPLES, answered: dict[object, Answer] | None = None
) -> Judged:
    """Hold one claim against its prediction.

    Parameters
    ----------
    case : Case
        Claim and paper.
    samples : int
        Draws of the Monte Carlo, >= 2.
    answered : dict, optional
        Keeps what was asked of a paper already, for claims that ask the same.

    Returns
    -------
    Judged

    Raises
    ------
    DataError
        If the claim names a closed form, an argument, a key or an operating point that is not
        there.
    """
    checks.number("judge: samples", float(samples), "1", at_least=2.0)
    claim, paper = case.claim, case.paper
    _require_solved(case)
    ask = _question(case)
    if ask is None:
        why = "; ".join(claim.missing)
        if not why:
            raise DataError(
                f"{paper.label}: no model predicts '{claim.figure}' "
                f"({nearest(claim.figure, FIGURES)}); name what is 'missing', or a closed form 'by'"
            )
        known = FIGURES.get(claim.figure)
        unit = "" if known is None else known.unit
        return Judged(paper, claim, Verdict.UNTESTABLE, unit=unit, why=f"missing: {why}")
    found = Judged(paper, claim, Verdict.UNTESTABLE, ask.quantity, ask.unit, ask.engine, ask.plane)
    try:
        base = ask.predict({})
    except MissingInputError as error:
        return replace(found, why=f"missing: {'; '.join([*claim.missing, str(error)])}")
    except DataError:
        raise
    except ToolkitError as error:
        why = f"missing: {'; '.join(claim.missing)}" if claim.missing else str(error)
        return replace(found, why=why)
    if not np.isfinite(base):
        return replace(found, why="missing: a setting at which this figure exists")
    same = (claim.figure, claim.direction, claim.operating_point, claim.by, str(claim.given))
    answered = {} if answered is None else answered
    if same not in answered:
        inputs = moved_by(ask.predict, ask.candidates, base, ask.known_to)
        answered[same] = base, inputs, spread_of(ask.predict, inputs, base, samples)
    base, inputs, spread = answered[same]
    found = replace(found, predicted=base, spread=spread, inputs=inputs)
    verdict, why = _verdict(found, ask.ours)
    return replace(found, verdict=verdict, why=why)


def _require_solved(case: Case) -> None:
    """What is said to be back-solved from other claims must be in the file, and say so itself."""
    for key in case.claim.solved_elsewhere:
        try:
            status = case.number(key).status
        except MissingInputError:
            raise DataError(
                f"{case.paper.label}: 'solved_elsewhere' names '{key}', not in this file"
            ) from None
        if status not in BENT:
            raise DataError(
                f"{case.paper.label}: 'solved_elsewhere' names '{key}', whose status is {status}; "
                f"that is for {', '.join(BENT)}"
            )


BENT = ("fitted", "tuned", "identity")
"""Statuses of numbers that were chosen with a claim in view."""


def _error(claim: Claim) -> tuple[float, float]:
    """One standard deviation of a claim (down, up): as stated, else its rounding and `UNSTATED`.

    A bound without a sigma is taken to `UNSTATED`, too.
    """
    if claim.sigma:
        return claim.sigmas
    floor = 0.2 if claim.figure.endswith("_db") else UNSTATED * claim.value
    down, up = claim.sigmas
    return float(np.hypot(down, floor)), float(np.hypot(up, floor))


@dataclass(frozen=True)
class _Question:
    quantity: Quantity
    unit: str
    engine: str
    plane: str
    predict: Callable[[Mapping[str, float]], float]
    candidates: Sequence[Input]
    known_to: float = SILENT
    ours: bool = True


def _question(case: Case) -> _Question | None:
    """What to ask, of whom; None if no model gives such a figure."""
    claim, paper = case.claim, case.paper
    if claim.by is not None:
        if claim.by not in RELATIONS:
            raise DataError(
                f"{paper.label}: 'by' = '{claim.by}' is not a closed form; "
                f"{nearest(claim.by, RELATIONS)}"
            )
        form = RELATIONS[claim.by]
        if set(claim.given) != set(form.arguments):
            raise DataError(
                f"{paper.label}: '{claim.by}' takes {', '.join(form.arguments)}; 'given' has "
                f"{', '.join(claim.given) or 'nothing'}"
            )
        named = dict(claim.given)

        def closed(changed: Mapping[str, float]) -> float:
            own = Case(paper.with_values(changed), claim)
            return computed(form.name, {name: own.value(key) for name, key in named.items()})

        keys = set(named.values())
        used = [e for e in paper.inputs(None, every_point=True) if e.key in keys]
        return _Question(
            form.quantity, form.unit, "closed form", "", _guarded(closed), used, ours=form.ours
        )
    if claim.figure not in FIGURES or isinstance(paper.file, ListingFile):
        return None
    known = FIGURES[claim.figure]

    def asked(changed: Mapping[str, float]) -> float:
        return known.predict(Case(paper.with_values(changed), claim))

    return _Question(
        known.quantity,
        known.unit,
        known.engine,
        known.plane_of(claim.direction),
        _guarded(asked),
        paper.inputs(claim.operating_point),
        known.known_to,
        known.ours,
    )


def _guarded(predict: Callable[[Mapping[str, float]], float]) -> Predict:
    """Say in words where arithmetic breaks down."""

    def asked(changed: Mapping[str, float]) -> float:
        try:
            return predict(changed)
        except (ArithmeticError, np.linalg.LinAlgError) as error:
            raise ParameterError(
                f"the figure cannot be computed from these numbers ({type(error).__name__})"
            ) from error

    return asked


def _keys(inputs: Sequence[Input]) -> str:
    return ", ".join(entry.key for entry in inputs)


def _loose(found: Judged) -> str:
    """Why claim or prediction are known too badly to test anything; empty if they are not."""
    claim, spread = found.claim, found.spread
    assert spread is not None
    down, up = claim.sigmas
    low, high = spread.band or (spread.low, spread.high)
    ends = {"claim": (claim.value - down, claim.value + up), "prediction": (low, high)}
    for what, (least, most) in ends.items():
        wide = most - least > 10 if claim.figure.endswith("_db") else most > LOOSE * least
        if wide:
            return f"missing: accuracy; the {what} is known from {least:.3g} to {most:.3g} only"
    if spread.refused > spread.samples:
        return (
            f"missing: accuracy; {spread.refused} of {spread.refused + spread.samples} draws of "
            "the inputs make no such device"
        )
    return ""


def _verdict(found: Judged, ours: bool) -> tuple[Verdict, str]:
    claim, inputs = found.claim, found.inputs
    if claim.missing:
        return Verdict.UNTESTABLE, f"missing: {'; '.join(claim.missing)}"
    if claim.status in ("recalled", "guess"):
        return Verdict.UNTESTABLE, f"the claim is {claim.status}"
    recalled = [e for e in inputs if e.number.status == "recalled"]
    if recalled:
        return Verdict.UNTESTABLE, f"rests on what is only recalled: {_keys(recalled)}"
    guessed = [e for e in inputs if e.number.status == "guess" and not is_free(e.number)]
    if guessed:
        return Verdict.UNTESTABLE, f"missing: {_keys(guessed)} (a guess stands in its place)"
    elsewhere = set(claim.solved_elsewhere)
    bent = [e for e in inputs if e.number.status in BENT and e.key not in elsewhere]
    if bent:
        words = "/".join(dict.fromkeys(e.number.status for e in bent))
        return Verdict.FITTED, f"{words}: {_keys(bent)}"
    if claim.status in BENT:
        return Verdict.FITTED, f"the claim is {claim.status}"
    loose = _loose(found)
    if loose:
        return Verdict.UNTESTABLE, loose
    z = found.z
    if z is None:
        return Verdict.UNTESTABLE, "missing: an uncertainty of the claim or of any input"
    if abs(z) > SIGMAS:
        return Verdict.FAILS, claim.reason
    statuses = {e.number.status for e in inputs} | {claim.status}
    free = [e for e in inputs if is_free(e.number)]
    if free:
        return Verdict.CONSISTENT, f"free within a stated range: {_keys(free)}"
    if not ours:
        return Verdict.CONSISTENT, "one number of the paper against another"
    if elsewhere:
        return Verdict.CONSISTENT, f"back-solved from other claims: {', '.join(elsewhere)}"
    if statuses <= set(TRUSTED):
        return Verdict.PREDICTED, ""
    second = [e for e in inputs if e.number.status == "secondary"]
    return Verdict.CONSISTENT, f"secondary: {_keys(second) or 'the claim'}"


def judged(
    names: Sequence[str] = (),
    samples: int = SAMPLES,
    say: Callable[[str], None] = lambda text: None,
) -> list[Judged]:
    """Every claim of some papers, of all shipped ones by default.

    Parameters
    ----------
    names : sequence of str
        Names of shipped files, or TOML files.
    samples : int
        Draws of the Monte Carlo, >= 2.
    say : callable
        Told what is being done.

    Raises
    ------
    DataError
        If there is no such file, or one is malformed.
    """
    papers = [read_paper(name) for name in dict.fromkeys(names) or data.names("devices")]
    found = []
    for k, paper in enumerate(papers):
        answered: dict[object, Answer] = {}
        for claim in paper.claims:
            say(f"{paper.key}: {claim.figure} ({k + 1} of {len(papers)})")
            found.append(judge(Case(paper, claim), samples, answered))
    return found
