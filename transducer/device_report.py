"""A device in words and tables: every number's address, what follows from it, where it stands."""

from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cavities import data
from cavities.constants import ordinary
from cavities.errors import PhysicsError
from cavities.numbers import count_by_status
from cavities.pump import Pump
from transducer.answers import Answers, ask
from transducer.claims import compare
from transducer.devices.pumped import PumpedDevice
from transducer.published import Published, load_device
from transducer.report import titled_table

if TYPE_CHECKING:
    from transducer.device_file import DeviceFile


def points_of(file: "DeviceFile") -> list[str]:
    """Names of the operating points of a device file."""
    return list(getattr(file, "operating_point", {}))


def show_list(console: Console) -> None:
    """Print all devices: kind, year, statuses of their numbers, operating points."""
    table = titled_table("Devices", "key", "model", "year", "numbers by status", "operating points")
    for name in data.names("devices"):
        found = load_device(name)
        counts = count_by_status(found.inputs)
        table.add_row(
            escape(name),
            found.file.model,
            str(found.file.source.year or "-"),
            ", ".join(f"{count} {status}" for status, count in counts.items()),
            ", ".join(points_of(found.file)) or "-",
        )
    console.print(table)


def show_device(name: str, console: Console) -> None:
    """Print a device: its numbers with addresses, then each operating point.

    Raises
    ------
    DataError
        If there is no such device.
    """
    found = load_device(name)
    source = found.file.source
    console.print(f"[bold]{escape(found.file.key)}[/bold]  {escape(source.title)}")
    where = [source.journal, f"doi {source.doi}" if source.doi else "", source.platform]
    console.print(escape("; ".join(text for text in where if text)))
    if source.note:
        console.print(f"[dim]{escape(source.note)}[/dim]")
    _numbers(name, console)
    if not found.device.takes_pump:
        _figures(found, "as it is", console)
    for point in points_of(found.file):
        _figures(load_device(name, point), point, console)
    _claims(name, console)


def _numbers(name: str, console: Console) -> None:
    table = titled_table(f"Numbers of {escape(name)}", "key", "value", "sigma", "status", "where")
    seen = set()
    points = [None, *points_of(load_device(name).file)]
    for point in points:
        inputs = load_device(name, point).inputs
        for entry in sorted(inputs, key=lambda e: e.key.startswith(("operating_point", "pulse"))):
            if entry.key in seen:
                continue
            seen.add(entry.key)
            sigma = entry.number.sigmas
            table.add_row(
                escape(entry.key),
                f"{entry.number.value:.6g}",
                "-" if sigma is None else f"-{sigma[0]:.3g} +{sigma[1]:.3g}",
                entry.number.status,
                escape(entry.number.where),
            )
    console.print(table)


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


def _claims(name: str, console: Console) -> None:
    found = compare(name)
    if not found:
        return
    table: Table = titled_table(
        "What the paper reports", "figure", "at", "reported", "predicted", "dB", "kind"
    )
    for entry in found:
        c = entry.claim
        direction = "" if c.direction == "up" else ", optics to microwave"
        table.add_row(
            c.figure + direction,
            escape(c.operating_point),
            f"{c.value:.4g}",
            f"{entry.predicted:.4g}",
            f"{entry.miss_db:+.2f}",
            c.kind,
        )
    console.print(table)
    for entry in found:
        if entry.claim.note:
            console.print(f"[dim]{entry.claim.figure}: {escape(entry.claim.note)}[/dim]")
