"""The catalogue of parts and the published links, in tables that keep every number's status."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from cavities import data
from cavities.numbers import count_by_status, weakest
from fibre import parts
from fibre.published_links import LinkClaim, claims_of, load_link
from transducer.citations import citation_line
from transducer.report import titled_table
from transducer.tables import csv_of, latex_of, tex, tex_numbers


def show_parts(category: str | None, console: Console) -> None:
    """Print the catalogue: key, category, name, how its numbers are known.

    Parameters
    ----------
    category : str, optional
        Only these.
    console : Console
        Where to print.
    """
    table = titled_table("Parts", "key", "category", "name", "numbers by status")
    table.columns[0].no_wrap = True
    for name in data.names("parts"):
        part = parts.load_part(name)
        if category is not None and part.category != category:
            continue
        counts = count_by_status(parts.inputs_of(part))
        listed = ", ".join(f"{n} {status}" for status, n in counts.items())
        table.add_row(escape(name), part.category, escape(part.name), listed or "none stated")
    console.print(table)
    console.print(
        "A part of your own is one TOML file of the same keys: name it with its .toml where a "
        "scenario asks for a part.\n"
    )


def show_part(name: str, console: Console) -> None:
    """Print one part: every number with its range, status and address.

    Raises
    ------
    DataError
        If there is no such part.
    """
    part = parts.load_part(name)
    console.print(f"\n[bold]{escape(part.key)}[/bold]  {escape(part.name)} ({part.category})")
    for text in (part.source, part.note):
        if text:
            console.print(f"[dim]{escape(text)}[/dim]")
    if part.band_nm is not None:
        console.print(f"Band: {part.band_nm[0]:g} to {part.band_nm[1]:g} nm.")
    encodings = getattr(part, "encodings", None)
    if part.category == "switch":
        listed = "nothing is stated" if encodings is None else ", ".join(encodings)
        console.print(f"Encodings it carries: {listed}.")
    table = titled_table("Numbers", "key", "value", "min", "max", "sigma", "status", "where")
    table.columns[-1].justify = "left"
    for entry in parts.inputs_of(part):
        n = entry.number
        status = n.status if n.max_status is None else f"{n.status} (max {n.max_status})"
        table.add_row(
            escape(entry.key.removeprefix("values.")),
            f"{n.value:g}",
            "" if n.min is None else f"{n.min:g}",
            "" if n.max is None else f"{n.max:g}",
            "" if n.sigmas is None else "/".join(f"{s:g}" for s in n.sigmas),
            status,
            escape(n.where + (f" ({n.note})" if n.note else "")),
        )
    console.print(table)


def show_links(names: Sequence[str], console: Console) -> None:
    """Print published links: predicted against reported, and what each comparison is worth.

    Parameters
    ----------
    names : sequence of str
        Which ones; all of ``data/links`` if empty.
    console : Console
        Where to print.
    """
    table = titled_table(
        "Published links",
        "link",
        "figure",
        "predicted",
        "reported",
        "off by",
        "sigma",
        "worth",
        "weakest input",
    )
    table.columns[0].no_wrap = True
    silent, said = [], []
    asked = names or data.names("links")
    for name in asked:
        file = load_link(name)
        claims = claims_of(file)
        testable = [claim for claim in claims if claim.predicted is not None]
        for claim in testable:
            table.add_row(*_claim_row(claim))
            if claim.why:
                said.append(f"{name}, {claim.figure}: {claim.why}")
        if not testable:
            silent.append((name, _why_silent(file.missing, claims)))
    console.print(table)
    for sentence in said:
        console.print(f"[dim]{escape(sentence)}[/dim]")
    for name, why in silent:
        console.print(f"{escape(name)}: no testable claim ({escape(why)})")
    console.print(
        "Worth: independent, all inputs read in the source; consistent, some are secondary; "
        "illustration, some are recalled or guessed, so neither pass nor fail; tuned and identity "
        "say nothing; upper bound, an error is not stated and counts as none.\n"
    )
    console.print(citation_line(asked))


def link_claims(names: Sequence[str]) -> list[LinkClaim]:
    """Every claim of some published links, of all by default.

    Raises
    ------
    DataError
        If there is no such link.
    """
    return [claim for name in names or data.names("links") for claim in claims_of(load_link(name))]


LINK_COLUMNS = (
    "link",
    "figure",
    "reported",
    "reported_status",
    "reported_where",
    "predicted",
    "ratio_db",
    "deviation",
    "worth",
    "why",
    "inputs",
)
"""Columns of the CSV table of published links."""


def links_csv(found: Sequence[LinkClaim]) -> str:
    """Claims of published links as CSV, numbers in full; a header names the columns."""
    return csv_of(
        LINK_COLUMNS,
        (
            {
                "link": claim.key,
                "figure": claim.figure,
                "reported": claim.reported.value,
                "reported_status": claim.reported.status,
                "reported_where": claim.reported.where,
                "predicted": claim.predicted,
                "ratio_db": claim.ratio_db,
                "deviation": claim.deviation,
                "worth": claim.worth,
                "why": claim.why,
                "inputs": "; ".join(f"{e.key} {e.number.status}" for e in claim.inputs),
            }
            for claim in found
        ),
    )


def links_latex(found: Sequence[LinkClaim]) -> str:
    """Claims of published links that can be predicted, as a LaTeX table that cites its papers."""
    rows = [
        (
            rf"\cite{{{claim.key}}}",
            tex(claim.figure.replace("_", " ")),
            tex_numbers(f"{claim.reported.value:.4g}"),
            tex_numbers(f"{claim.predicted:.4g}"),
            tex_numbers(_off(claim)),
            "" if claim.deviation is None else f"${claim.deviation:+.1f}$",
            claim.worth,
        )
        for claim in found
        if claim.predicted is not None
    ]
    header = ("link", "figure", "reported", "predicted", "off by", r"$\sigma$", "worth")
    return latex_of("llrrrrl", header, rows)


def _why_silent(missing: Sequence[str], claims: Sequence[LinkClaim]) -> str:
    if missing:
        return "missing: " + ", ".join(missing)
    return (
        claims[0].why if claims and claims[0].why else "nothing is reported that a herald predicts"
    )


def _off(claim: LinkClaim) -> str:
    """Rates and probabilities in dB, fidelities by their difference."""
    assert claim.predicted is not None
    if claim.figure == "fidelity":
        return f"{claim.predicted - claim.reported.value:+.3f}"
    return f"{claim.ratio_db:+.2f} dB"


def _claim_row(claim: LinkClaim) -> tuple[str, ...]:
    deviation = claim.deviation
    assert claim.predicted is not None
    return (
        escape(claim.key),
        claim.figure,
        f"{claim.predicted:.4g}",
        f"{claim.reported.value:.4g}",
        _off(claim),
        "" if deviation is None else f"{deviation:+.1f}",
        claim.worth,
        weakest(entry.number for entry in claim.inputs),
    )
