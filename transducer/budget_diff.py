"""Two links row by row: which element costs more, and what that does to the pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np
from rich.console import Console
from rich.markup import escape

from cavities.constants import Real
from fibre.budget import Row, budget, seen
from fibre.herald import Scheme
from fibre.link import figures
from fibre.margins import totals
from transducer.chain import link_of, require_pumps
from transducer.report import titled_table
from transducer.scenario import Scenario


@dataclass(frozen=True)
class Pairing:
    """A row of one budget beside that of another; one of them may be missing.

    Parameters
    ----------
    first, second : Row, optional
        The rows.
    """

    first: Row | None
    second: Row | None


def paired(first: Sequence[Row], second: Sequence[Row]) -> list[Pairing]:
    """Match the rows of two budgets: the same element in the same arm, then the same kind.

    Parameters
    ----------
    first, second : sequence of Row
        Of whole budgets.
    """
    found: list[Pairing] = []
    for arm in dict.fromkeys(row.arm for row in (*first, *second)):
        a = [row for row in first if row.arm == arm]
        b = [row for row in second if row.arm == arm]
        names = SequenceMatcher(None, [_key(r) for r in a], [_key(r) for r in b], autojunk=False)
        for tag, i0, i1, j0, j1 in names.get_opcodes():
            if tag == "equal":
                found += [Pairing(x, y) for x, y in zip(a[i0:i1], b[j0:j1], strict=True)]
            else:
                found += _by_kind(a[i0:i1], b[j0:j1])
    return found


def _key(row: Row) -> tuple[str, str]:
    return row.kind, row.element


def _by_kind(a: Sequence[Row], b: Sequence[Row]) -> list[Pairing]:
    """Rows between two that match by name: the same kind first, the rest in order."""
    found: list[Pairing] = []
    kinds = SequenceMatcher(None, [r.kind for r in a], [r.kind for r in b], autojunk=False)
    for _, i0, i1, j0, j1 in kinds.get_opcodes():
        for k in range(max(i1 - i0, j1 - j0)):
            one = a[i0 + k] if i0 + k < i1 else None
            two = b[j0 + k] if j0 + k < j1 else None
            found.append(Pairing(one, two))
    return found


def show_budget_diff(first: Scenario, second: Scenario, console: Console) -> None:
    """Print two scenarios' budgets row by row, their totals and figures.

    Parameters
    ----------
    first, second : Scenario
        The links; conversion by the scattering engine.
    console : Console
        Where to print.
    """
    a, b = (_evaluated(scenario) for scenario in (first, second))
    table = titled_table(
        f"{escape(first.name)} against {escape(second.name)}",
        "element",
        "arm",
        "loss dB",
        "then",
        "change",
        "max change",
        "noise change",
        "status",
    )
    for pair in paired(a[0], b[0]):
        table.add_row(*_row(pair))
    console.print(table)
    sums = titled_table("Totals", "arm", "typical dB", "typical then", "worst dB", "worst then")
    for one, two in zip(totals(a[0]), totals(b[0]), strict=True):
        sums.add_row(
            one.arm,
            f"{one.typical_db:.2f}",
            f"{two.typical_db:.2f}",
            f"{one.worst_db:.2f}",
            f"{two.worst_db:.2f}",
        )
    console.print(sums)
    moved = titled_table("Figures", "figure", "scheme", "first", "then", "ratio")
    for scheme in dict.fromkeys([*a[1], *b[1]]):
        if scheme not in a[1] or scheme not in b[1]:
            continue
        for label, name in _FIGURES:
            x, y = _one(a[1][scheme][name]), _one(b[1][scheme][name])
            ratio = f"{y / x:.4g}" if x else "-"
            moved.add_row(label, scheme, f"{x:.6g}", f"{y:.6g}", ratio)
    console.print(moved)


_FIGURES = (
    ("herald probability", "herald_probability"),
    ("delivered pairs per second", "delivered_rate"),
    ("fidelity when both nodes know", "fidelity"),
    ("distillable ebits per second", "hashing_rate"),
)


def _evaluated(scenario: Scenario) -> tuple[tuple[Row, ...], dict[str, dict[str, Real]]]:
    require_pumps(scenario, scenario.schemes)
    link = link_of(scenario)
    photons, rows = budget(link)
    detection = seen(photons, link.station)
    found = {s.value: figures(link, Scheme(s), detection)[0].as_dict() for s in scenario.schemes}
    return rows, found


def _row(pair: Pairing) -> tuple[str, ...]:
    one, two = pair.first, pair.second
    known = two if two is not None else one
    assert known is not None
    name = known.element if one is None or two is None else one.element
    if one is not None and two is not None and one.element != two.element:
        name = f"{one.element} -> {two.element}"
    loss = [None if row is None else _one(row.loss_db) for row in (one, two)]
    worst = [0.0 if row is None else _one(row.loss_db_max) for row in (one, two)]
    noise = [0.0 if row is None else _one(row.added_noise) for row in (one, two)]
    change = (loss[1] or 0.0) - (loss[0] or 0.0)
    return (
        escape(name),
        known.arm,
        "-" if loss[0] is None else f"{loss[0]:.2f}",
        "-" if loss[1] is None else f"{loss[1]:.2f}",
        f"{change:+.2f}" if abs(change) >= 5e-3 else "",
        f"{worst[1] - worst[0]:+.2f}" if abs(worst[1] - worst[0]) >= 5e-3 else "",
        f"{noise[1] - noise[0]:+.2g}" if abs(noise[1] - noise[0]) > 1e-9 else "",
        " -> ".join(dict.fromkeys(row.basis for row in (one, two) if row is not None)),
    )


def _one(value: Real) -> float:
    return float(np.max(value))
