"""A device in words and tables: every number's address, what follows from it, where it stands."""

from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.markup import escape

from cavities import data
from cavities.constants import ordinary
from cavities.errors import PhysicsError
from cavities.numbers import Number, count_by_status, numbers_in
from cavities.pump import Pump
from transducer.answers import Answers, ask
from transducer.device_file import ListingFile
from transducer.devices.pumped import PumpedDevice
from transducer.published import Paper, Published, read_paper
from transducer.report import titled_table
from transducer.validation.cases import Case
from transducer.validation.judge import SAMPLES, judge
from transducer.validation.report import show_claims

if TYPE_CHECKING:
    from transducer.device_file import PaperFile


def points_of(file: "PaperFile") -> list[str]:
    """Names of the operating points of a device file."""
    return list(getattr(file, "operating_point", {}))


def show_list(console: Console) -> None:
    """Print all devices: kind, year, statuses of their numbers, operating points."""
    table = titled_table(
        "Devices", "key", "model", "year", "numbers by status", "operating points", "claims"
    )
    for name in data.names("devices"):
        paper = read_paper(name)
        counts = count_by_status(paper.inputs(None))
        table.add_row(
            escape(name),
            paper.file.model,
            str(paper.file.source.year or "-"),
            ", ".join(f"{count} {status}" for status, count in counts.items()) or "-",
            ", ".join(points_of(paper.file)) or "-",
            str(len(paper.claims)),
        )
    console.print(table)


def show_device(name: str, console: Console, samples: int = SAMPLES) -> None:
    """Print a device: its numbers with addresses, each operating point, and what it reports.

    `samples` are the draws behind each uncertainty of a prediction.

    Raises
    ------
    DataError
        If there is no such device.
    """
    paper = read_paper(name)
    built = None if isinstance(paper.file, ListingFile) else paper.at()  # or one sentence, no table
    source = paper.file.source
    console.print(f"[bold]{escape(paper.key)}[/bold]  {escape(source.title)}")
    where = [source.journal, f"doi {source.doi}" if source.doi else "", source.platform]
    console.print(escape("; ".join(text for text in where if text)))
    if source.note:
        console.print(f"[dim]{escape(source.note)}[/dim]")
    _numbers(name, paper, console)
    if built is None:
        console.print("A listing: what the source states is too little to build a device.")
    else:
        if not built.device.takes_pump:
            _figures(built, "as it is", console)
        for point in points_of(paper.file):
            _figures(paper.at(point), point, console)
    _claims(paper, samples, console)


def _numbers(name: str, paper: Paper, console: Console) -> None:
    entries = list(numbers_in(paper.file))
    if not entries:
        return
    table = titled_table(f"Numbers of {escape(name)}", "key", "value", "sigma", "status", "where")
    for key, number in sorted(entries, key=lambda e: e[0].startswith(("operating_point", "pulse"))):
        table.add_row(
            escape(key),
            f"{number.value:.6g}",
            _sigma(number),
            number.status,
            escape(number.where),
        )
    console.print(table)


def _sigma(number: Number) -> str:
    """As stated; a free range or a rounding where the source gives that instead."""
    if number.sigmas is not None:
        return f"-{number.sigmas[0]:.3g} +{number.sigmas[1]:.3g}"
    if number.rounding is not None:
        return f"rounded to {2 * number.rounding:.3g}"
    if number.min is not None and number.max is not None:
        return f"{number.min:.4g} to {number.max:.4g}"
    return "-"


def _figures(found: Published, point: str, console: Console) -> None:
    device = found.device
    pump = found.pump(Pump(0.0))
    try:
        answers = ask(device, pump)
    except PhysicsError as error:
        console.print(f"[bold]{escape(point)}[/bold]: {escape(str(error))}")
        return
    up, down = answers.up, answers.down
    table = titled_table(f"{escape(found.file.key)} at '{escape(point)}'", "figure", "value")
    for what, value in _pump_rows(device, pump, answers):
        table.add_row(what, value)
    table.add_row("efficiency, microwave to optics", f"{up.efficiency[0]:.4g}")
    table.add_row("efficiency, optics to microwave", f"{down.efficiency[0]:.4g}")
    if up.efficiency[0] > 0:
        width = ordinary(answers.bandwidth)
        table.add_row("bandwidth (full width at half maximum)", f"{width:.4g} Hz")
        table.add_row("added noise, at the microwave port", f"{up.added_noise[0]:.4g} quanta")
    if down.efficiency[0] > 0:
        table.add_row("added noise, at the optical port", f"{down.added_noise[0]:.4g} quanta")
    table.add_row("entanglement sent through", _survives(answers))
    if np.isfinite(answers.capacity[1]):
        low, high = answers.capacity
        table.add_row("qubits per mode, unassisted, at least", f"{low:.3g}")
        table.add_row("ebits per mode, two-way, at most", f"{high:.3g}")
        table.add_row(
            "dual-rail photon: arrives, fidelity if so",
            f"{answers.dual_rail_probability:.3g}, {answers.dual_rail_fidelity:.3g}",
        )
    console.print(table)
    console.print(f"[dim]{escape(device.reference_plane)}; normally ordered quanta[/dim]")
    noise = titled_table(
        "Output noise by port", "comes in at", "at the optical port", "at the microwave port"
    )
    for port in up.contributions:
        pair = (up.contributions[port][0], down.contributions[port][0])
        if any(q > 0 for q in pair):
            noise.add_row(escape(port), *(f"{q:.4g}" for q in pair))
    noise.add_row("[bold]all[/bold]", f"{up.noise_out[0]:.4g}", f"{down.noise_out[0]:.4g}")
    console.print(noise)
    limits = titled_table("Validity", "limit", "here", "at most")
    for rule in device.rules(pump):
        limits.add_row(escape(rule.what), f"{float(np.max(rule.ratio)):.3g}", f"{rule.limit:g}")
    if device.rules(pump):
        console.print(limits)
    for said in device.caveats(pump):
        console.print(f"[yellow]{escape(said)}[/yellow]")


def _survives(answers: Answers) -> str:
    return "is destroyed (added noise >= 1)" if answers.breaks_entanglement else "survives in part"


def _pump_rows(device: object, pump: Pump | None, answers: Answers) -> list[tuple[str, str]]:
    if not isinstance(device, PumpedDevice) or pump is None:
        return []
    rows = [
        ("pump power at the coupler", f"{float(np.max(pump.power_at_coupler)):.4g} W"),
        ("intracavity pump photons", f"{float(np.max(device.pump_photons(pump))):.4g}"),
    ]
    C = device.cooperativity(pump)
    if C is not None:
        rows.append(("cooperativity", f"{float(np.max(C)):.4g}"))
    limit = answers.stable_power
    rows.append(
        ("stable up to", f"{limit:.4g} W" if np.isfinite(limit) else "a million times this power")
    )
    return rows


def _claims(paper: Paper, samples: int, console: Console) -> None:
    """What the paper reports, judged; each claim's definition and notes below."""
    if not paper.claims:
        return
    found = [judge(Case(paper, claim), samples) for claim in paper.claims]
    show_claims(found, console)
    for claim in paper.claims:
        for said in (claim.definition, claim.note):
            if said:
                console.print(f"[dim]{escape(claim.figure)}: {escape(said)}[/dim]")
