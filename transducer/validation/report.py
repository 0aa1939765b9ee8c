"""What became of every claim, in tables: for a terminal, as CSV, as LaTeX."""

import re
from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from transducer.citations import citation_line
from transducer.report import titled_table
from transducer.tables import csv_of, latex_of, tex, tex_numbers
from transducer.validation.figures import FIGURES
from transducer.validation.judge import SIGMAS, UNSTATED, Judged, Verdict
from transducer.validation.relations import RELATIONS

TESTED = (Verdict.PREDICTED, Verdict.CONSISTENT, Verdict.FAILS, Verdict.FITTED)
"""Verdicts of claims that a table shows with their prediction."""

COLOURS = {
    Verdict.PREDICTED: "green",
    Verdict.CONSISTENT: "cyan",
    Verdict.FAILS: "red",
    Verdict.FITTED: "dim",
    Verdict.UNTESTABLE: "dim",
}
"""Colour of a verdict on a terminal."""


def show_claims(found: Sequence[Judged], console: Console) -> None:
    """Print the table of the tested claims, why others are not, and the count.

    Parameters
    ----------
    found : sequence of Judged
        From `transducer.validation.judge.judged`.
    console : Console
        Where to print.
    """
    table = titled_table(
        "Published devices: what their numbers predict and what they report",
        "paper",
        "figure",
        "engine",
        "reported",
        "predicted",
        "dB",
        "z",
        "verdict",
    )
    for column in (0, 7):
        table.columns[column].no_wrap = True
    table.columns[1].justify = "left"
    for column, wide in ((1, 19), (2, 11), (3, 15), (4, 15)):  # the terminal's share of each
        table.columns[column].max_width = wide
    table.padding = (0, 1, 0, 0)
    tested = [entry for entry in found if entry.verdict in TESTED]
    for entry in tested:
        table.add_row(*_row(entry))
    if tested:
        console.print(table)
    for entry in tested:
        if entry.verdict is Verdict.FAILS:
            console.print(f"[red]{_name(entry)}[/red]: {escape(entry.why or 'no reason is known')}")
    silent = [entry for entry in found if entry.verdict is Verdict.UNTESTABLE]
    if silent:
        console.print("\n[bold]Cannot be tested[/bold]")
    for entry in silent:
        would = (
            ""
            if entry.predicted is None
            else f"; the numbers at hand would give {_number(entry.predicted)}"
        )
        console.print(
            f"[dim]{_name(entry)}, {_number(entry.claim.value)}: {escape(entry.why)}{would}[/dim]"
        )
    console.print(f"\n{count_of(found)}")
    console.print(
        f"[dim]z: miss in standard deviations of claim and inputs together; above {SIGMAS:g} it "
        "fails. Predicted: all inputs read in the paper, its abstract, or derived; consistent: "
        "one is secondary, or free within a stated range (then the range of the prediction is "
        "shown); fitted: one was fitted or back-solved, not counted. A claim without a stated "
        f"uncertainty is taken to {UNSTATED:.0%}.[/dim]"
    )
    line = citation_line(entry.paper.citable for entry in found)
    console.print(line, markup=False)


def count_of(found: Sequence[Judged]) -> str:
    """How many claims of how many papers became what, in a sentence."""
    counts = Counter(entry.verdict for entry in found)
    papers = len({entry.paper.label for entry in found})
    what = f"{len(found)} claim{'' if len(found) == 1 else 's'}"
    whose = f"{papers} paper{'' if papers == 1 else 's'}"
    met = [entry for entry in found if entry.verdict is Verdict.PREDICTED]
    engines = Counter("closed forms" if "form" in e.engine else "engines" for e in met)
    how = {
        Verdict.PREDICTED: f" (by {' and '.join(f'{k} {n}' for k, n in sorted(engines.items()))})"
    }
    listed = ", ".join(f"{counts[v]} {v.value}{how.get(v, '')}" for v in Verdict if counts[v])
    return f"{what} of {whose}: {listed or 'none'}."


def figure_of(entry: Judged) -> str:
    """What is claimed, in words: figure, direction, operating point."""
    claim = entry.claim
    way = ", optics to microwave" if claim.direction == "down" else ""
    point = f" at {claim.operating_point}" if claim.operating_point else ""
    return f"{claim.figure.replace('_', ' ')}{way}{point}"


def _name(entry: Judged) -> str:
    return f"{escape(entry.paper.key)}, {escape(figure_of(entry))}"


def _signed(value: float, digits: int) -> str:
    """With its sign; what rounds to zero is plus zero."""
    return f"{round(value, digits) + 0.0:+.{digits}f}"


def _number(value: float) -> str:
    return f"{value:.3g}"


def _reported(entry: Judged) -> str:
    claim = entry.claim
    sign = {"below": "< ", "above": "> ", None: ""}[claim.bound]
    text = sign + _number(claim.value)
    if claim.sigma:
        down, up = claim.sigma
        text += f" ±{up:.2g}" if down == up else f" -{down:.2g} +{up:.2g}"
    return text


def _predicted(entry: Judged) -> str:
    assert entry.predicted is not None
    assert entry.spread is not None
    if entry.spread.band is not None:
        low, high = entry.spread.band
        return f"{_number(low)} to {_number(high)}"
    down, up = entry.predicted - entry.spread.low, entry.spread.high - entry.predicted
    text = _number(entry.predicted)
    sigma = max(down, up)
    return text + (f" ±{sigma:.1g}" if sigma > 1e-3 * abs(entry.predicted) else "")


def _row(entry: Judged) -> tuple[str, ...]:
    z, miss = entry.z, entry.miss_db
    colour = COLOURS[entry.verdict]
    return (
        escape(entry.paper.key),
        escape(figure_of(entry)),
        entry.engine,
        _reported(entry),
        _predicted(entry),
        "" if miss is None else _signed(miss, 2),
        "" if z is None else _signed(z, 1),
        f"[{colour}]{entry.verdict.value}[/{colour}]",
    )


COLUMNS = (
    "paper",
    "doi",
    "figure",
    "unit",
    "direction",
    "operating_point",
    "definition",
    "reported",
    "reported_sigma_down",
    "reported_sigma_up",
    "bound",
    "claim_status",
    "claim_where",
    "engine",
    "plane",
    "predicted",
    "predicted_low",
    "predicted_high",
    "band_low",
    "band_high",
    "ratio_db",
    "z",
    "verdict",
    "why",
    "inputs",
    "draws",
    "draws_refused",
)
"""Columns of the CSV table."""


def as_csv(found: Sequence[Judged]) -> str:
    """All claims as CSV, one line each, numbers in full; a header names the columns.

    Parameters
    ----------
    found : sequence of Judged
        The claims.
    """
    return csv_of(COLUMNS, map(_record, found))


def _record(entry: Judged) -> dict[str, object]:
    claim, spread = entry.claim, entry.spread
    band = (None, None) if spread is None or spread.band is None else spread.band
    return {
        "paper": entry.paper.key,
        "doi": entry.paper.file.source.doi,
        "figure": claim.figure,
        "unit": entry.unit,
        "direction": claim.direction,
        "operating_point": claim.operating_point or "",
        "definition": claim.definition,
        "reported": claim.value,
        "reported_sigma_down": claim.sigma[0] if claim.sigma else None,
        "reported_sigma_up": claim.sigma[1] if claim.sigma else None,
        "bound": claim.bound or "",
        "claim_status": claim.status,
        "claim_where": claim.where,
        "engine": entry.engine,
        "plane": entry.plane,
        "predicted": entry.predicted,
        "predicted_low": None if spread is None else spread.low,
        "predicted_high": None if spread is None else spread.high,
        "band_low": band[0],
        "band_high": band[1],
        "ratio_db": entry.miss_db,
        "z": entry.z,
        "verdict": entry.verdict.value,
        "why": entry.why,
        "inputs": "; ".join(f"{e.key} {e.number.status}" for e in entry.inputs),
        "draws": None if spread is None else spread.samples,
        "draws_refused": None if spread is None else spread.refused,
    }


def as_latex(found: Sequence[Judged]) -> str:
    r"""The tested claims as a LaTeX table that cites its papers; needs no package.

    Parameters
    ----------
    found : sequence of Judged
        The claims; those that cannot be tested are counted, not listed.
    """
    tested = [entry for entry in found if entry.verdict in TESTED]
    rows = []
    for entry in tested:
        z, miss = entry.z, entry.miss_db
        rows.append(
            (
                rf"\cite{{{entry.paper.key}}}",
                tex(figure_of(entry)),
                tex_numbers(_reported(entry)),
                tex_numbers(_predicted(entry)),
                "" if miss is None else f"${_signed(miss, 2)}$".replace("inf", r"\infty"),
                "" if z is None else f"${_signed(z, 1)}$",
                entry.verdict.value,
            )
        )
    header = ("paper", "figure", "reported", "predicted", "dB", "$z$", "verdict")
    return latex_of("llllrrl", header, rows, count_of(found))


def show_figures(console: Console) -> None:
    """Print what a claim may name: figures of devices, and closed forms with their arguments.

    Parameters
    ----------
    console : Console
        Where to print.
    """
    table = titled_table("Figures that a device can be asked", "figure", "unit", "engine", "what")
    table.columns[-1].justify = "left"
    for known in FIGURES.values():
        what = f"{_plain(known.says)} [dim]Plane: {escape(known.plane)}.[/dim]"
        table.add_row(escape(known.name), known.unit, known.engine, what)
    console.print(table)
    forms = titled_table("Closed forms, for 'by'", "by", "unit", "given", "what")
    for column in forms.columns[2:]:
        column.justify = "left"
    for form in RELATIONS.values():
        given = ", ".join(form.arguments)
        forms.add_row(escape(form.name), form.unit, escape(given), _plain(form.says))
    console.print(forms)


def _plain(sentence: str) -> str:
    """A docstring's sentence without its formula."""
    return escape(re.sub(r",? :math:`[^`]*`", "", sentence))
