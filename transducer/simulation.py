"""The whole chain.

Two devices, two qubits, two arms and a station become a rate, a fidelity and a verdict.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cavities.constants import ordinary
from cavities.errors import DataError, ParameterError, PhysicsError
from cavities.numbers import TRUSTED, Input, count_by_status
from cavities.sentences import nearest
from fibre.budget import Link, Row, budget, seen
from fibre.causes import element_factors, interplay, shares_of
from fibre.figures import LinkFigures
from fibre.herald import Heralded, Scheme
from fibre.link import evaluate_link, figures
from fibre.margins import Margins, degraded, totals
from fibre.waiting import Attempts, Wait
from transducer.chain import (
    bandwidth_of,
    convert,
    converter,
    evaluate,
    link_of,
    require_pumps,
    same_device,
)
from transducer.conversion import Conversion
from transducer.scenario import ArmSetup, Scenario, varied

if TYPE_CHECKING:
    from fibre.pair_herald import Idler
    from fibre.purify import Purified

ENGINES = ("all", "scattering", "master-equation", "pulse", "node")
"""What may compute the link: ``all`` computes the conversion twice and compares."""

RELATIVE, ABSOLUTE = 1e-6, 1e-9
"""Agreement asked of two engines: relative, or in quanta."""


@dataclass(frozen=True)
class Referee:
    """What a second, independent engine says about one conversion.

    Parameters
    ----------
    engine : str
        Its name, or ``none``.
    conversion : Conversion, optional
        Its answer at the compared frequencies.
    max_relative_deviation : float, optional
        Largest relative difference of efficiency or noise [1].
    agrees : bool, optional
        Whether every difference is within 1e-6 relative or 1e-9 quanta.
    note : str
        Why there is none, in a sentence.
    """

    engine: str
    conversion: Conversion | None = None
    max_relative_deviation: float | None = None
    agrees: bool | None = None
    note: str = ""


@dataclass(frozen=True)
class ArmConversion:
    """What one arm's device does.

    Parameters
    ----------
    arm : str
        A or B.
    device : str
        Its name.
    at_signal : Conversion
        At the photon's centre frequency, one value.
    spectrum : Conversion
        On a grid around the line, for pictures.
    bandwidth : float
        Full width at half maximum [rad/s].
    cooperativity : float, optional
        None for a data sheet.
    reference_plane : str
        Where efficiency and noise are counted.
    referee : Referee
        The second opinion.
    """

    arm: str
    device: str
    at_signal: Conversion
    spectrum: Conversion
    bandwidth: float
    cooperativity: float | None
    reference_plane: str
    referee: Referee


@dataclass(frozen=True)
class Outcome:
    """What one heralding scheme gives on a link.

    Parameters
    ----------
    scheme : Scheme
        The scheme.
    figures : LinkFigures
        Its figures.
    pair : Heralded
        The delivered, unnormalised state.
    limits : tuple of (str, float)
        Causes that cost fidelity, with what the fidelity gains without each [1], largest first.
    """

    scheme: Scheme
    figures: LinkFigures
    pair: Heralded
    limits: tuple[tuple[str, float], ...]

    @property
    def interplay(self) -> float:
        """Infidelity that no single cause explains [1]; with `limits` it adds up to 1 - F."""
        return interplay(float(self.figures.fidelity), self.limits)


@dataclass(frozen=True)
class Case:
    """The best scheme at another loss of both arms.

    Parameters
    ----------
    name : str
        Typical, mean plus three sigma, worst case, or worst case with margins.
    losses_db : tuple of two float
        From emitter to click, arms A and B [dB].
    figures : LinkFigures
        What it gives then.
    """

    name: str
    losses_db: tuple[float, float]
    figures: LinkFigures


@dataclass(frozen=True)
class LinkReport:
    """All that `simulate` found.

    Parameters
    ----------
    scenario : Scenario
        What was asked.
    engine : str
        Engine of the conversion that the link rests on.
    conversions : tuple of two ArmConversion
        A and B.
    rows : tuple of Row
        The budget.
    outcomes : tuple of Outcome
        One per scheme; the first is the best one.
    uncertainty : dict
        Figure name to (down, up): one sigma from the inputs that state one; efficiency and added
        noise are arm A's. A figure that none of them moves is left out.
    varied_inputs : tuple of Input
        Those inputs.
    warnings : tuple of str
        What a reader must know, in sentences.
    cases : tuple of Case
        The best scheme at typical loss, at mean plus three sigma, in the worst case, with margins;
        a case in which nothing heralds is left out.
    factors : dict of (str, int) to float
        By arm and place among its rows: fidelity over that without the element [1].
    purified : tuple of Purified
        What two of the best scheme's pairs become.
    wait : Wait, optional
        Law of the time to the requested pairs.
    idlers : tuple of (str, Idler)
        By arm: what a pair source keeps.
    """

    scenario: Scenario
    engine: str
    conversions: tuple[ArmConversion, ArmConversion]
    rows: tuple[Row, ...]
    outcomes: tuple[Outcome, ...]
    uncertainty: dict[str, tuple[float, float]]
    varied_inputs: tuple[Input, ...]
    warnings: tuple[str, ...]
    cases: tuple[Case, ...] = ()
    factors: dict[tuple[str, int], float] = field(default_factory=dict)
    purified: tuple["Purified", ...] = ()
    wait: Wait | None = None
    idlers: tuple[tuple[str, "Idler"], ...] = ()

    @property
    def best(self) -> Outcome:
        """The outcome that gives most: distillable rate first, then fidelity."""
        return self.outcomes[0]


def simulate(
    scenario: Scenario,
    engine: str = "all",
    schemes: Sequence[Scheme] | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> LinkReport:
    """Everything about a scenario.

    Conversion, second opinion, budget, entanglement, limits and uncertainty.

    Parameters
    ----------
    scenario : Scenario
        The link.
    engine : str
        One of `ENGINES`.
    schemes : sequence of Scheme, optional
        Heralding schemes; those of the scenario by default.
    progress : callable
        Told in words what is being done.

    Returns
    -------
    LinkReport
        Best scheme first.

    Raises
    ------
    ParameterError, UnstableError, ValidityError, TruncationError
        A sentence that names the scenario's file.
    """
    if engine not in ENGINES:
        raise ParameterError(f"engine '{engine}' is not known; {nearest(engine, ENGINES)}")
    try:
        return _simulate(scenario, engine, tuple(schemes or scenario.schemes), progress)
    except PhysicsError as error:
        if str(error).startswith(scenario.label):
            raise
        raise type(error)(f"{scenario.label}: {error}") from None
    except (ArithmeticError, np.linalg.LinAlgError):
        raise ParameterError(
            f"{scenario.label}: a number is too large or too small to compute with; look for a "
            "slip in an exponent or a unit"
        ) from None


def _simulate(
    scenario: Scenario, engine: str, schemes: tuple[Scheme, ...], progress: Callable[[str], None]
) -> LinkReport:
    main = engine if engine != "all" else "scattering"
    require_pumps(scenario, schemes)
    progress("photons through both arms")
    link = link_of(scenario, main)
    photons, rows = budget(link)
    detection = seen(photons, link.station)
    progress("conversion" if engine != "all" else "conversion, by two engines")
    conversions = _conversions(scenario, main, engine == "all")
    outcomes = []
    for scheme in schemes:
        found, pair = figures(link, scheme, detection)
        limits = shares_of(link, scheme, detection, float(found.fidelity))
        outcomes.append(Outcome(scheme, found, pair, limits))
    outcomes.sort(
        key=lambda o: (float(o.figures.hashing_rate), float(o.figures.fidelity)), reverse=True
    )
    progress("uncertainty of the inputs")
    band, used, said = _uncertainty(scenario, outcomes[0], conversions[0].at_signal, main)
    return LinkReport(
        scenario,
        main,
        conversions,
        rows,
        tuple(outcomes),
        band,
        used,
        (*_warnings(scenario, conversions, engine), *said),
        _cases(link, outcomes[0], rows, scenario.margins),
        element_factors(link, outcomes[0].scheme, float(outcomes[0].figures.fidelity)),
        _purified(link, outcomes[0]),
        _wait(scenario, outcomes[0]),
        tuple((a.name, a.photon.idler) for a in link.arms if a.photon.idler is not None),
    )


def _cases(link: Link, best: Outcome, rows: Sequence[Row], margins: Margins) -> tuple[Case, ...]:
    """Figures of the best scheme as the loss of both arms gets worse."""
    found = totals(rows)
    a, b = found[0], found[-1]
    levels = [
        ("typical", (a.typical_db, b.typical_db)),
        ("mean + 3 sigma", (a.statistical_db, b.statistical_db)),
        ("worst case", (a.worst_db, b.worst_db)),
    ]
    if margins.total_db > 0:
        worst = (a.worst_db + margins.total_db, b.worst_db + margins.total_db)
        levels.append(("worst case and margins", worst))
    cases = []
    for name, losses in levels:
        extra = (losses[0] - a.typical_db, losses[1] - b.typical_db)
        try:
            found_then = evaluate_link(degraded(link, extra), best.scheme)
        except PhysicsError:
            continue  # a link that works typically may not herald at all in a worse case
        cases.append(Case(name, losses, found_then))
    return tuple(cases)


def _purified(link: Link, best: Outcome) -> tuple["Purified", ...]:
    """What two pairs of the best scheme become, once both memories were found to hold a qubit."""
    if float(best.figures.negativity) <= 0:
        return ()
    from fibre.purify import Purification, purified

    memories = (link.arms[0].memory, link.arms[1].memory)
    pair, message = best.pair.checked.normalised, float(best.figures.latency)
    return tuple(purified(pair, how, memories, _kept(best), message) for how in Purification)


def _kept(best: Outcome) -> Attempts:
    """Attempts for pairs that a check of both memories keeps, down times by their share."""
    f = best.figures
    per_attempt = float(f.rate) * float(f.attempt_period) * float(f.kept)  # of all modes together
    share = float(f.delivered_rate) / float(f.rate)
    return Attempts(min(1.0, per_attempt), float(f.attempt_period) / share)


def _wait(scenario: Scenario, best: Outcome) -> Wait | None:
    """Law of the time to the requested pairs; the longest outage as it comes, others by share."""
    wanted, attempts = scenario.request, _kept(best)
    longest = max(scenario.schedule.outages, key=lambda outage: outage.duration, default=None)
    if wanted.pairs > 1 and wanted.cutoff is not None:
        longest = None  # pairs that expire while the link is down are not modelled: a share again
    if longest is not None:
        attempts = replace(attempts, period=attempts.period * longest.availability)
    return Wait(attempts, wanted.pairs, wanted.cutoff, longest)


def _conversions(
    scenario: Scenario, main: str, second_opinion: bool
) -> tuple[ArmConversion, ArmConversion]:
    found: list[ArmConversion] = []
    for arm in scenario.arms:
        if (
            found
            and same_device(scenario.arms[0], arm)
            and (arm.emitter.offset == scenario.arms[0].emitter.offset)
        ):
            found.append(replace(found[0], arm=arm.name, device=arm.device_name))
            continue
        width = bandwidth_of(arm)
        at = np.array([arm.emitter.offset])
        span = arm.emitter.offset + width * np.linspace(-3, 3, 301)
        C = arm.device.cooperativity(arm.pump)
        found.append(
            ArmConversion(
                arm.name,
                arm.device_name,
                convert(arm, converter(main), at),
                convert(arm, "scattering", span),
                width,
                None if C is None else float(C),
                arm.device.reference_plane,
                _second_opinion(arm, width) if second_opinion else _no_opinion(main),
            )
        )
    return found[0], found[1]


def _no_opinion(main: str) -> Referee:
    return Referee("none", note=f"only the {main} engine was asked; use --engine all to compare")


def _second_opinion(arm: ArmSetup, width: float) -> Referee:
    """Ask the master equation at the signal and across the line, and compare with scattering."""
    omega = arm.emitter.offset + width * np.array([0.0, -1.0, -0.5, 0.5, 1.0])
    try:
        theirs = convert(arm, "master-equation", omega)
    except PhysicsError as error:
        return Referee("none", note=str(error))
    ours = convert(arm, "scattering", omega)
    worst = max(
        deviation(ours.efficiency, theirs.efficiency),
        deviation(ours.noise_out, theirs.noise_out, ABSOLUTE / RELATIVE),
    )
    return Referee("master-equation", theirs, worst, worst <= RELATIVE)


def deviation(ours: NDArray[np.float64], theirs: NDArray[np.float64], floor: float = 0.0) -> float:
    r"""Largest relative difference of two spectra.

    .. math:: \max_\omega |x - y| / \max(|x|, x_0)

    Parameters
    ----------
    ours, theirs : ndarray, shape (n,)
        x and y, in one unit.
    floor : float
        Value x_0 below which differences count as absolute, in that unit: 1e-3 quanta make
        1e-6 relative the same as 1e-9 quanta.

    Returns
    -------
    float
        Deviation [1].
    """
    difference = np.abs(ours - theirs)
    scale = np.maximum(np.abs(ours), max(floor, np.finfo(float).tiny))
    return float(np.max(difference / scale))


BANDED = ("herald_probability", "fidelity", "delivered_rate", "hashing_rate")
"""Link figures that get an uncertainty band."""


def _uncertainty(
    scenario: Scenario, best: Outcome, signal: Conversion, main: str
) -> tuple[dict[str, tuple[float, float]], tuple[Input, ...], list[str]]:
    """One-sigma band: each input that states a sigma moved down and up, the changes in quadrature.

    A step that would leave the domain is left out and said.
    """
    used = tuple(entry for entry in scenario.inputs if entry.number.sigmas is not None)

    stepped = "pulse" if main == "pulse" else "scattering"

    def all_figures(link: LinkFigures, signal: Conversion) -> dict[str, float]:
        out = {name: float(getattr(link, name)) for name in BANDED}
        out["efficiency"] = float(signal.efficiency[0])
        out["added_noise"] = float(signal.added_noise[0])
        return out

    def moved_figures(which: Scenario) -> dict[str, float]:
        arm = which.arms[0]
        signal = convert(arm, "scattering", np.array([arm.emitter.offset]))
        return all_figures(evaluate(which, best.scheme, stepped), signal)

    if not used:
        return {}, used, []
    # steps are taken by scattering: so must the centre be, or the engines' difference would show
    same = signal.engine == "scattering"
    centre = all_figures(best.figures, signal) if same else moved_figures(scenario)
    down, up = dict.fromkeys(centre, 0.0), dict.fromkeys(centre, 0.0)
    said = []
    for entry in used:
        assert entry.number.sigmas is not None
        minus, plus = entry.number.sigmas
        moved = []
        for step in (-minus, plus):
            try:
                moved.append(moved_figures(varied(scenario, entry, entry.number.value + step)))
            except (PhysicsError, DataError):
                said.append(
                    f"{entry.file} '{entry.key}': one sigma of {step:+.3g} from "
                    f"{entry.number.value:g} leaves the domain; the band leaves that step out"
                )
        for name, value in centre.items():
            steps = [m[name] - value for m in moved]
            down[name] += min(0.0, *steps, 0.0) ** 2
            up[name] += max(0.0, *steps, 0.0) ** 2
    band = {n: (float(np.sqrt(down[n])), float(np.sqrt(up[n]))) for n in centre}
    # a figure that no stated uncertainty moves has no band: zero would read as exact
    return {n: steps for n, steps in band.items() if any(steps)}, used, said


def _warnings(
    scenario: Scenario, conversions: tuple[ArmConversion, ArmConversion], engine: str
) -> list[str]:
    said: list[str] = []
    for arm, found in zip(scenario.arms, conversions, strict=True):
        for caveat in arm.device.caveats(arm.pump):
            said.append(f"{found.device}: {caveat}")
        if engine == "pulse":
            said.append(
                f"{found.device}: photon and noise of the link are those of the pump pulse, with "
                "ring-up and ring-down; the transducer's table is that of a steady pump"
            )
        elif engine == "node":
            said.append(
                f"{found.device}: qubit and photon of the link are one density matrix from the "
                "master equation, the qubit's decay while it emits included; the transducer's "
                "table is that of scattering"
            )
        elif arm.pump is not None and arm.pump.pulse_length is not None:
            length = arm.pump.pulse_length
            said.append(
                f"{found.device}: conversion taken as steady during the {1e9 * length:.0f} ns pump "
                f"pulse (pulse times angular bandwidth {length * found.bandwidth:.1f}); ring-up "
                "and ring-down take a few per cent of the photon at a product near 9: --engine "
                "pulse follows them"
            )
        if found.referee.agrees is False:
            said.append(
                f"{found.device}: the two engines differ by "
                f"{found.referee.max_relative_deviation:.2g}, more than {RELATIVE:g} relative and "
                f"{ABSOLUTE:g} quanta"
            )
        if engine == "all" and found.referee.conversion is None:
            said.append(f"{found.device}: no second engine: {found.referee.note}")
        if found.at_signal.engine == "master-equation":
            said.append(
                f"{found.device}: bandwidth, spectrum and one-sigma band are from the scattering "
                "engine"
            )
    counts = count_by_status(scenario.inputs)
    weak = {s: n for s, n in counts.items() if s not in (*TRUSTED, "secondary")}
    if weak:
        listed = ", ".join(f"{n} {s}" for s, n in weak.items())
        said.append(
            f"{sum(weak.values())} of {len(scenario.inputs)} inputs cannot carry a prediction: "
            f"{listed}"
        )
    return list(dict.fromkeys(said))


def verdict(report: LinkReport) -> str:
    """The answer in one sentence.

    Entanglement or not, how much, what limits it, and what it rests on.
    """
    best = report.best
    f = best.figures
    fidelity, rate = float(f.fidelity), float(f.delivered_rate)
    total, weak = len(report.scenario.inputs), _untrusted(report.scenario.inputs)
    rests = f"{weak} of its {total} inputs are recalled, guessed, tuned or back-solved"
    band = report.uncertainty.get("fidelity")
    spread = f" (-{band[0]:.2g}/+{band[1]:.2g})" if band else " (no stated uncertainty moves it)"
    cause, largest = best.limits[0] if best.limits else ("", 0.0)
    if largest <= max(1e-6, best.interplay):
        alone = "nothing but the scheme itself"
        cause = alone if largest <= 1e-6 else "the scheme itself, or causes that act together"
    if float(f.negativity) <= 1e-12:
        head = (
            f"No entanglement: the best scheme, {best.scheme.value}, heralds {_si(rate)} pairs/s "
            f"of fidelity {fidelity:.3f}{spread}"
        )
    elif float(f.hashing) <= 0:
        head = (
            f"Entangled but not distillable by hashing: {best.scheme.value} delivers {_si(rate)} "
            f"pairs/s of fidelity {fidelity:.3f}{spread}"
        )
    else:
        head = (
            f"Entanglement: {best.scheme.value} delivers {_si(rate)} pairs/s of fidelity "
            f"{fidelity:.3f}{spread}, worth {_si(float(f.hashing_rate))} ebit/s"
        )
    return f"{head}; fidelity is limited by {cause}, the rate by {_slowest(report)}; {rests}."


def _slowest(report: LinkReport) -> str:
    """What costs the rate most, in dB: an element, or the wait for pump and repetition limits."""
    largest = max(report.rows, key=lambda row: float(row.loss_db))
    waiting = 10 * np.log10(float(report.best.figures.waiting))
    if waiting > float(largest.loss_db):
        return f"waiting for the next pump pulse ({waiting:.1f} dB)"
    return f"{largest.element} ({float(largest.loss_db):.1f} dB in arm {largest.arm})"


def _untrusted(inputs: Sequence[Input]) -> int:
    return sum(e.number.status not in (*TRUSTED, "secondary") for e in inputs)


def _si(value: float) -> str:
    return f"{value:.3g}"


def frequencies_hz(conversion: Conversion) -> NDArray[np.float64]:
    """Offsets of a conversion as ordinary frequencies [Hz], for pictures and archives."""
    return np.asarray(ordinary(conversion.omega))
