"""A report for the terminal: what the device does, what the link loses where, what comes out."""

from dataclasses import replace

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cavities.constants import ordinary
from cavities.numbers import count_by_status
from fibre.link import Row
from transducer.simulation import ArmConversion, LinkReport, verdict


def show(report: LinkReport, console: Console) -> None:
    """Print one table per stage, the warnings and the verdict.

    Parameters
    ----------
    report : LinkReport
        From `transducer.simulation.simulate`.
    console : Console
        Where to print.
    """
    scenario = report.scenario
    console.print(f"\n[bold]{escape(scenario.name)}[/bold]  {escape(scenario.title)}")
    same = report.conversions[0].at_signal is report.conversions[1].at_signal
    for found in report.conversions[: 1 if same else 2]:
        arms = "both arms" if same else f"arm {found.arm}"
        console.print(_device_table(found, arms))
        console.print(f"[dim]{found.reference_plane}; normally ordered quanta[/dim]")
        if found.referee.note:
            console.print(f"[dim]referee: {escape(found.referee.note)}[/dim]")
    console.print(_noise_table(report))
    console.print(_budget_table(report))
    console.print(_herald_table(report))
    counts = count_by_status(scenario.inputs)
    listed = ", ".join(f"{n} {status}" for status, n in counts.items())
    console.print(f"Rests on {len(scenario.inputs)} inputs: {listed}.")
    _show_band(report, console)
    for warning in report.warnings:
        console.print(f"[yellow]note[/yellow] {escape(warning)}")
    console.print(f"\n[bold]{escape(verdict(report))}[/bold]\n")


def titled_table(title: str, *columns: str) -> Table:
    """Make a table with its title, first column to the left, figures to the right."""
    table = Table(title=title, title_justify="left", header_style="bold", pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(escape(column), justify="left" if index == 0 else "right", overflow="fold")
    return table


def _device_table(found: ArmConversion, arms: str) -> Table:
    signal, referee = found.at_signal, found.referee
    table = titled_table(f"Transducer {escape(found.device)}, {arms}", "figure", signal.engine)
    theirs = referee.conversion
    efficiency = [_digits(signal.efficiency[0])]
    noise = [_digits(signal.added_noise[0])]
    width = [f"{ordinary(found.bandwidth) / 1e6:.4g} MHz"]
    cooperativity = ["-" if found.cooperativity is None else f"{found.cooperativity:.4g}"]
    if theirs is not None and theirs.truncation is not None:
        levels = " x ".join(str(n) for n in theirs.truncation.levels.values())
        table.add_column(f"{theirs.engine} ({levels} levels)", justify="right")
        table.add_column("difference", justify="right")
        for row, one, two in (
            (efficiency, signal.efficiency[0], theirs.efficiency[0]),
            (noise, signal.added_noise[0], theirs.added_noise[0]),
        ):
            row += [_digits(two), f"{two - one:+.1e}"]
        agrees = "agree" if referee.agrees else "DIFFER"
        width += ["", ""]
        cooperativity += [
            "largest, across the line",
            f"{referee.max_relative_deviation:.1e} {agrees}",
        ]
    table.add_row("efficiency", *efficiency)
    table.add_row(escape("added noise [quanta]"), *noise)
    table.add_row("bandwidth (FWHM)", *width)
    table.add_row("cooperativity", *cooperativity)
    return table


def _digits(value: float) -> str:
    """Enough digits for two engines to be told apart, whatever the size."""
    return f"{value:.8f}" if 1e-4 <= abs(value) < 1e4 or value == 0 else f"{value:.8e}"


def _noise_table(report: LinkReport) -> Table:
    table = titled_table("Output noise by port", "port", "A [quanta]", "B [quanta]")
    a, b = (c.at_signal for c in report.conversions)
    if not a.contributions or not b.contributions:
        table.add_row(
            "all (this engine cannot tell them apart)",
            f"{a.noise_out[0]:.6f}",
            f"{b.noise_out[0]:.6f}",
        )
        return table
    for port in dict.fromkeys([*a.contributions, *b.contributions]):
        values = [
            f"{c.contributions[port][0]:.6f}" if port in c.contributions else "-" for c in (a, b)
        ]
        table.add_row(port, *values)
    return table


def _budget_table(report: LinkReport) -> Table:
    table = titled_table(
        "Link, each arm from the qubit to the click",
        "element",
        "arm",
        "loss dB",
        "worst dB",
        "sum dB",
        "noise added",
        "delay µs",
        "basis",
    )
    for arms, row in _folded(report):
        table.add_row(
            escape(row.element),
            arms,
            f"{float(row.loss_db):.2f}",
            f"{float(row.loss_db_max):.2f}",
            f"{float(row.cumulative_db):.2f}",
            f"{float(row.added_noise):.5f}" if float(row.added_noise) > 0 else "",
            f"{1e6 * float(row.delay_s):.2f}" if float(row.delay_s) > 0 else "",
            row.basis,
            end_section=row.element == report.rows[-1].element,
        )
    return table


def _folded(report: LinkReport) -> list[tuple[str, Row]]:
    """Rows with the arms they stand for: equal arms are printed once."""
    names = list(dict.fromkeys(row.arm for row in report.rows))
    arms = [[row for row in report.rows if row.arm == name] for name in names]
    if all(
        [replace(row, arm="") for row in arm] == [replace(row, arm="") for row in arms[0]]
        for arm in arms
    ):
        return [(", ".join(names), row) for row in arms[0]]
    return [(row.arm, row) for row in report.rows]


_LINES = (
    ("herald probability per attempt", "herald_probability", "{:.4g}", 1.0),
    ("attempt period [µs]", "attempt_period", "{:.5g}", 1e6),
    ("heralds per second", "rate", "{:.4g}", 1.0),
    ("delivered pairs per second", "delivered_rate", "{:.4g}", 1.0),
    ("latency [µs]", "latency", "{:.5g}", 1e6),
    ("fidelity when the emission ended", "herald_fidelity", "{:.4f}", 1.0),
    ("fidelity when both nodes know", "fidelity", "{:.4f}", 1.0),
    ("negativity (> 0: entangled)", "negativity", "{:.4g}", 1.0),
    ("distillable ebits per second (hashing)", "hashing_rate", "{:.4g}", 1.0),
    ("ebits per attempt: relay bound", "relay_bound", "{:.4g}", 1.0),
    ("ebits per attempt: direct line (reference)", "direct_bound", "{:.4g}", 1.0),
    ("noise modes per gate", "noise_modes", "{:.3g}", 1.0),
    ("dark and pump counts per gate", "dark_probability", "{:.3g}", 1.0),
    ("noise at the emitter, arm A [quanta]", "added_noise_a", "{:.4g}", 1.0),
    ("noise at the emitter, arm B [quanta]", "added_noise_b", "{:.4g}", 1.0),
    ("   L23 limit: equal arms, one mode, no dark", "noise_threshold", "{:.4g}", 1.0),
    ("separability (< 1: entangled at emission)", "separability", "{:.4g}", 1.0),
)


def _herald_table(report: LinkReport) -> Table:
    schemes = [outcome.scheme.value for outcome in report.outcomes]
    table = titled_table("Entanglement", "figure", *schemes)
    for label, name, form, scale in _LINES:
        values = [float(getattr(outcome.figures, name)) for outcome in report.outcomes]
        table.add_row(escape(label), *(form.format(scale * value) for value in values))
    causes = ["; ".join(f"{c} {gain:+.3f}" for c, gain in o.limits[:3]) for o in report.outcomes]
    table.add_row("fidelity gained without", *causes)
    return table


def _show_band(report: LinkReport, console: Console) -> None:
    total = len(report.scenario.inputs)
    if not report.uncertainty:
        console.print("No stated uncertainty moves a figure: there is no one-sigma band.")
        return
    names = {
        "efficiency": "efficiency",
        "added_noise": "added noise",
        "fidelity": "fidelity",
        "delivered_rate": "pairs/s",
        "hashing_rate": "ebit/s",
    }
    shown = [
        f"{names[key]} -{down:.2g}/+{up:.2g}"
        for key, (down, up) in report.uncertainty.items()
        if key in names
    ]
    console.print(
        f"One-sigma band from the {len(report.varied_inputs)} of {total} inputs that state an "
        "uncertainty: " + ", ".join(shown) + "."
    )
