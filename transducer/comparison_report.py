"""The table that sets protocols and places of the station side by side."""

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.markup import escape

from cavities.constants import Real
from transducer.citations import rests_on
from transducer.comparison import Compared
from transducer.goals import Goal
from transducer.report import titled_table
from transducer.scenario import Scenario


def show_comparison(
    scenario: Scenario, found: Sequence[Compared], goal: Goal, console: Console
) -> None:
    """Print one line per protocol and place of the station, best first.

    Parameters
    ----------
    scenario : Scenario
        The hardware.
    found : sequence of Compared
        From `transducer.comparison.compare`.
    goal : Goal
        What "best" means.
    console : Console
        Where to print.
    """
    console.print(f"\n[bold]{escape(scenario.name)}[/bold]  {escape(scenario.title)}")
    table = titled_table(
        f"Protocols on the same hardware, each at its best: {_sentence(goal)}",
        "protocol",
        "station",
        "P herald",
        "F",
        "P kept",
        "F kept",
        "pairs/s",
        "kept/s",
        "ebit/s",
        "% bound",
    )
    for column in table.columns:
        column.no_wrap = True
    for one in found:
        f = one.figures
        if f is None:
            continue
        up = _one(f.delivered_rate) / _one(f.rate)
        most = up / _one(f.attempt_period) * _one(f.relay_bound)
        table.add_row(
            one.protocol,
            one.station,
            f"{_one(f.herald_probability):.3g}",
            f"{_one(f.fidelity):.3f}",
            f"{_one(f.kept):.3g}",
            f"{_one(f.checked_fidelity):.3f}",
            f"{_one(f.delivered_rate):.3g}",
            f"{_one(f.delivered_rate) * _one(f.kept):.3g}",
            f"{_one(f.hashing_rate):.3g}",
            f"{100 * _one(f.hashing_rate) / most:.2g}",
        )
    console.print(table)
    for one in found:
        if one.setting:
            knobs = ", ".join(f"{_SHORT[name]} {value:.3g}" for name, value in one.setting.items())
            console.print(f"operating point of {one.protocol}, {one.station}: {escape(knobs)}")
    notes = {f"{one.protocol}: {one.note}" for one in found if one.figures is not None and one.note}
    for note in sorted(notes):
        console.print(f"[dim]{escape(note)}[/dim]")
    for one in found:
        if one.figures is None:
            console.print(f"[yellow]not here[/yellow] {one.protocol}, {one.station}: ", end="")
            console.print(escape(one.why_not))
    console.print(escape(rests_on(scenario.inputs)))
    console.print(
        "P herald and F: whatever is announced, errors and empty memories counted; P kept and F "
        "kept: once both memories were checked to hold a qubit. % bound: of the relay bound, or of "
        "the loss bound where no station stands. C: cooperativity of a blue pump; gate: share of "
        "the station's; photon: width over that gate; αA, αB: bright populations; pairs: of a "
        "source, per bin.\n"
    )


_SHORT = {
    "cooperativity": "C",
    "gate_share": "gate",
    "photon_over_gate": "photon",
    "bright_a": "αA",
    "bright_b": "αB",
    "pairs": "pairs",
}


def _sentence(goal: Goal) -> str:
    if goal.fidelity_floor is not None:
        return f"most pairs per second of fidelity {goal.fidelity_floor:g} or more"
    if goal.rate_floor is not None:
        return f"highest fidelity at {goal.rate_floor:g} pairs/s or more"
    return "most distillable entanglement per second"


def _one(value: Real) -> float:
    return float(np.max(value))
