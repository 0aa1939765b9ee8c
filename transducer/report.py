"""A report for the terminal: what the device does, what the link loses where, what comes out."""

from dataclasses import replace

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cavities.constants import ordinary
from fibre.budget import Row
from fibre.distil import teleported_gate_fidelity
from transducer.citations import rests_on
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
    if report.best.scheme.pairs:
        _show_pairs(report, console)
    console.print(_budget_table(report))
    console.print(
        "[dim]F factor: fidelity over that without the element, in both arms where they are equal; "
        "sigma: a data sheet's maximum is read as three of them[/dim]"
    )
    if report.cases:
        console.print(_cases_table(report))
    console.print(_herald_table(report))
    console.print(_causes_table(report))
    if report.purified:
        console.print(_after_table(report))
    _show_wait(report, console)
    _show_phase(report, console)
    console.print(escape(rests_on(scenario.inputs)))
    _show_band(report, console)
    for warning in report.warnings:
        console.print(f"[yellow]note[/yellow] {escape(warning)}")
    console.print(f"\n[bold]{escape(verdict(report))}[/bold]\n")


def _show_pairs(report: LinkReport, console: Console) -> None:
    """What a blue pump makes: the table above it is the conversion that comes along."""
    for arm, idler in report.idlers:
        console.print(
            f"Arm {arm} is a pair source: {float(np.max(idler.quanta)):.4g} quanta in the idler's "
            f"packet, |<ab>| = {float(np.max(idler.cross)):.4g} with its partner in the light, at "
            f"the device's ports; {idler.capture:.3g} of the idler is caught. Efficiency and noise "
            "above are those of the same ports as an amplifier."
        )


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
        "kind",
        "band nm",
        "loss dB",
        "max",
        "sigma",
        "sum dB",
        "T",
        "noise",
        "F factor",
        "µs",
        "status",
    )
    table.box, table.padding = SIMPLE_HEAD, (0, 1, 0, 0)  # room for the element's name
    for column in table.columns[1:]:
        column.no_wrap = True
    place: dict[str, int] = {}
    for arms, row in _folded(report):
        place[row.arm] = place.get(row.arm, -1) + 1
        factor = report.factors.get((row.arm, place[row.arm]))
        table.add_row(
            escape(row.element),
            arms,
            row.kind,
            "" if row.band_nm is None else "-".join(f"{nm:g}" for nm in row.band_nm),
            f"{float(row.loss_db):.2f}",
            f"{float(row.loss_db_max):.2f}",
            f"{float(row.sigma_db):.2f}" if float(row.sigma_db) > 0 else "",
            f"{float(row.cumulative_db):.2f}",
            f"{float(row.transmittance):.3g}",
            f"{float(row.added_noise):.2g}" if float(row.added_noise) > 0 else "",
            "" if factor is None else f"{factor:.4f}",
            f"{1e6 * float(row.delay_s):.2f}" if float(row.delay_s) > 0 else "",
            row.basis,
            end_section=row.element == report.rows[-1].element,
        )
    return table


def _cases_table(report: LinkReport) -> Table:
    table = titled_table(
        f"Totals, and what is left of {report.best.scheme.value}",
        "case",
        "arm A dB",
        "arm B dB",
        "P herald",
        "pairs/s",
        "F",
        "ebit/s",
    )
    for case in report.cases:
        f = case.figures
        table.add_row(
            case.name,
            *(f"{loss:.2f}" for loss in case.losses_db),
            f"{float(f.herald_probability):.3g}",
            f"{float(f.delivered_rate):.3g}",
            f"{float(f.fidelity):.4f}",
            f"{float(f.hashing_rate):.3g}",
        )
    return table


def _causes_table(report: LinkReport) -> Table:
    schemes = [outcome.scheme.value for outcome in report.outcomes]
    table = titled_table("Infidelity by cause: each switched off exactly, alone", "cause", *schemes)
    shares = [dict(outcome.limits) for outcome in report.outcomes]
    for name in dict.fromkeys(name for one in shares for name in one):
        values = [one.get(name) for one in shares]
        if any(value is not None and abs(value) >= 5e-7 for value in values):
            table.add_row(name, *("-" if v is None else f"{v:+.6f}" for v in values))
    rest = [f"{outcome.interplay:+.6f}" for outcome in report.outcomes]
    table.add_row("the scheme itself, and causes that act together", *rest, end_section=True)
    sums = [f"{1 - float(outcome.figures.fidelity):.6f}" for outcome in report.outcomes]
    table.add_row("infidelity when both nodes know", *sums)
    return table


def _after_table(report: LinkReport) -> Table:
    from fibre.purify import secret_key_fraction

    table = titled_table(
        f"After the herald: two pairs of {report.best.scheme.value} into one",
        "protocol",
        "P success",
        "F",
        "pairs/s",
        "ebit/s",
        "key bit/s",
        "gate F",
    )
    best = report.best
    f = best.figures
    key = float(secret_key_fraction(best.pair.checked.normalised))
    kept, fidelity = float(f.delivered_rate) * float(f.kept), float(f.checked_fidelity)
    table.add_row(
        "none",
        "-",
        f"{fidelity:.4f}",
        f"{kept:.3g}",
        f"{float(f.hashing_rate):.3g}",
        f"{key * kept:.3g}",
        f"{teleported_gate_fidelity(fidelity):.4f}",
    )
    for found in report.purified:
        key = float(secret_key_fraction(found.state))
        table.add_row(
            found.how.value,
            f"{found.probability:.4f}",
            f"{found.fidelity:.4f}",
            f"{found.rate:.3g}",
            f"{found.hashing_rate:.3g}",
            f"{key * found.rate:.3g}",
            f"{teleported_gate_fidelity(found.fidelity):.4f}",
        )
    return table


def _show_wait(report: LinkReport, console: Console) -> None:
    wait, wanted = report.wait, report.scenario.request
    if wait is None:
        return
    many = "one pair" if wait.pairs == 1 else f"{wait.pairs} pairs at once"
    kept = "" if wait.cutoff is None else f", each kept {wait.cutoff:.3g} s at most"
    said = (
        f"Time to {many}{kept}: median {wait.quantile(0.5):.3g} s, 99 % within "
        f"{wait.quantile(0.99):.3g} s, mean {wait.mean:.3g} s"
    )
    if wanted.deadline is not None:
        said += f"; within {wanted.deadline:g} s with probability {wait.by(wanted.deadline):.4g}"
    if wait.outage is not None:
        said += f"; counted from the end of an outage ({wait.outage.name})"
    console.print(said + ".")


def _show_phase(report: LinkReport, console: Console) -> None:
    registration = report.scenario.registration
    if registration is None:
        return
    station = report.scenario.station
    gap = report.scenario.schedule.gap(station.gate, station.detector.dead_time)
    for what, shares in (
        ("in one attempt", registration.within_attempt()),
        ("between two rounds", registration.between_bins(gap)),
    ):
        parts = ", ".join(f"{name} {np.sqrt(value):.3g}" for name, value in vars(shares).items())
        console.print(
            f"Phase {what}: {shares.rms:.3g} rad rms ({parts}), coherence {shares.coherence:.4f}."
        )


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
    ("share kept by a check of both memories", "kept", "{:.4g}", 1.0),
    ("fidelity of what is kept", "checked_fidelity", "{:.4f}", 1.0),
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
    lines = [
        line
        for line in _LINES
        if not (
            report.best.scheme.pairs
            and line[1] in ("added_noise_a", "added_noise_b", "noise_threshold")
        )
    ]  # of pair light the quanta at the source are the signal
    for label, name, form, scale in lines:
        values = [float(getattr(outcome.figures, name)) for outcome in report.outcomes]
        table.add_row(escape(label), *(form.format(scale * value) for value in values))
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
