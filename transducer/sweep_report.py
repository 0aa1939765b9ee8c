"""Sweeps in words, tables and a picture: what is in an archive, and what moved between two."""

import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.markup import escape

from cavities.rules import Status
from transducer import archive
from transducer.citations import rests_on_files
from transducer.plots import plain
from transducer.report import titled_table
from transducer.sweeps.compare import compare

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = 4
"""Outputs in a picture."""

DECADES = 50.0
"""Ratio of largest to smallest from which a logarithmic scale is drawn."""


def show_info(path: Path | str, console: Console) -> None:
    """Print what an archive holds: axes, outputs, failures, and how it was made."""
    found = archive.load(path)
    title = str(found.attrs.get("title", "")) or "no title"
    console.print(f"\n[bold]{escape(str(path))}[/bold]  {escape(title)}")
    codes = found["status"].values
    _show_points(codes, console)
    table = titled_table("Axes", "axis", "unit", "points", "from", "to", "meaning")
    for name, axis in found.coords.items():
        values = axis.values
        if axis.dtype.kind == "f":
            ends = [_number(values.min()), _number(values.max())]
        else:
            ends = [str(values[0]), str(values[-1])]
        meaning = str(axis.attrs.get("long_name", ""))
        unit = str(axis.attrs.get("units", ""))
        table.add_row(escape(str(name)), escape(unit), str(values.size), *ends, escape(meaning))
    console.print(table)
    console.print(_figures_table(found))
    _show_reasons(found, console)
    _show_runs(archive.about(path), found, console)


def _show_points(codes: "np.ndarray", console: Console) -> None:
    counts = {status: int(np.count_nonzero(codes == status)) for status in Status}
    listed = ", ".join(
        f"{count} {status.name.lower().replace('_', ' ')}"
        for status, count in counts.items()
        if count and status is not Status.OK
    )
    rest = f"; {listed}" if listed else ""
    console.print(f"{codes.size} points, {counts[Status.OK]} computed{rest}")


def _figures_table(found: "xarray.Dataset") -> object:
    table = titled_table("Outputs", "output", "unit", "least", "median", "most", "meaning")
    for name, column in found.data_vars.items():
        if column.dtype.kind != "f":
            continue
        values = column.values[np.isfinite(column.values)]
        ends = [_number(f(values)) if values.size else "-" for f in (np.min, np.median, np.max)]
        unit, meaning = str(column.attrs.get("units", "")), str(column.attrs.get("long_name", ""))
        table.add_row(escape(str(name)), escape(unit), *ends, escape(meaning))
    return table


def _show_reasons(found: "xarray.Dataset", console: Console) -> None:
    codes, reasons = found["status"].values.ravel(), found["reason"].values.ravel()
    failed = (codes != Status.OK) & (codes != Status.PENDING)
    if not failed.any():
        return
    told = Counter(reasons[failed].tolist()).most_common()
    table = titled_table("Points without a result", "reason", "points")
    for sentence, count in told[:10]:
        table.add_row(escape(str(sentence)), str(count))
    if len(told) > 10:
        rest = sum(count for _, count in told[10:])
        table.add_row(f"and {len(told) - 10} other reasons", str(rest))
    console.print(table)


def _show_runs(about: archive.About, found: "xarray.Dataset", console: Console) -> None:
    for run in about.runs:
        libraries = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
        console.print(
            f"[dim]{escape(str(run['started']))}: {run['points']} points by "
            f"{escape(str(run['executor']))} in {run['wall_s']:.3g} s ({run['cpu_s']:.3g} s CPU); "
            f"{escape(libraries)}[/dim]"
        )
    inputs = about.inputs
    if "inputs.json" in inputs:
        console.print(escape(_rests_on(inputs)))
    if inputs:
        console.print(f"[dim]holds the texts of: {escape(', '.join(sorted(inputs)))}[/dim]")
    versions = json.loads(str(found.attrs.get("versions", "{}")) or "{}")
    if not about.runs and versions:
        console.print(f"[dim]made by {escape(str(versions))}[/dim]")


def show_diff(first: Path | str, second: Path | str, console: Console) -> None:
    """Print which figures differ between two archives of the same points, and which inputs do."""
    found = compare(first, second)
    for change in found.inputs:
        console.print(f"input: {escape(change)}")
    if found.missing:
        console.print(f"in one of them only: {escape(', '.join(found.missing))}")
    if not found.moves:
        console.print(f"[bold]no figure moved[/bold] ({found.same} compared)")
        return
    table = titled_table(
        f"Figures that moved ({found.same} did not)",
        "figure",
        "unit",
        "points",
        "largest change",
        "relative",
        "at",
    )
    for move in found.moves:
        table.add_row(
            escape(move.name),
            escape(move.unit),
            str(move.points),
            f"{move.largest:+.4g}" if np.isfinite(move.largest) else "value came or went",
            f"{move.relative:.2g}" if np.isfinite(move.relative) else "-",
            escape(move.where),
        )
    console.print(table)


def _number(value: float) -> str:
    return f"{value:.5g}"


def sweep_figure(found: "xarray.Dataset", outputs: Sequence[str] = ()) -> "Figure":
    """Up to four outputs of a sweep on one sheet: lines, maps, or clouds of samples.

    Parameters
    ----------
    found : xarray.Dataset
        From `transducer.sweeps.sweep` or `transducer.archive.load`.
    outputs : sequence of str
        Which; the first four by default.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    held = [str(n) for n, v in found.data_vars.items() if v.dtype.kind == "f"]
    names = [n for n in (outputs or held) if n in held][:SHOWN]
    columns = min(2, max(1, len(names)))
    rows = max(1, -(-len(names) // columns))
    figure = Figure(figsize=(5.5 * columns, 3.8 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for name, ax in zip(names, panels, strict=False):
        plot_output(found, name, ax)
    for ax in panels[len(names) :]:
        ax.set_visible(False)
    failed = int(np.count_nonzero(found["status"].values))
    title = str(found.attrs.get("title", ""))
    figure.suptitle(
        (f"{plain(title)}: " if title else "")
        + f"{found['status'].size} points"
        + (f", {failed} without a result (blank)" if failed else "")
    )
    return figure


def plot_output(found: "xarray.Dataset", name: str, ax: "Axes") -> "Axes":
    """One output: a line, a map over the two longest axes, or a cloud against the first axis.

    Further axes are held at their middle value (words: the first), which the title says.
    """
    values = found[name]
    axes = [d for d in values.dims if d in found.coords and found.sizes[d] > 1]
    axes.sort(key=lambda d: -found.sizes[d])
    held = {d: _middle(found[d]) for d in values.dims if d in found.coords and d not in axes[:2]}
    if values.dims == ("point",):
        _cloud(found, name, ax)
    elif len(axes) >= 2:
        x, y = sorted(axes[:2], key=values.dims.index)
        _map(values.isel(held).transpose(y, x), ax)
    else:
        x = axes[0] if axes else values.dims[0]
        marker = "." if found.sizes[x] < 60 else ""
        ax.plot(_positions(found[x]), np.atleast_1d(values.isel(held).values), marker=marker)
        _label_axis(ax, found[x], "x")
    fixed = [f"{d} = {_shown(found[d].values[i])}" for d, i in held.items() if found.sizes[d] > 1]
    at = f"\nat {', '.join(fixed)}" if fixed else ""
    ax.set_title(_labelled(name, values, 60) + at, fontsize="small")
    return ax


def _middle(axis: "xarray.DataArray") -> int:
    """Where an axis is held that is not drawn: in the middle, words at the first."""
    return axis.size // 2 if axis.dtype.kind == "f" else 0


def _cloud(found: "xarray.Dataset", name: str, ax: "Axes") -> None:
    first, *more = [str(c) for c in found.coords]
    shade = found[more[0]].values if more and found[more[0]].dtype.kind == "f" else None
    dots = ax.scatter(_positions(found[first]), found[name].values, c=shade, s=10)
    if shade is not None:
        ax.figure.colorbar(dots, ax=ax, label=_labelled(more[0], found[more[0]], 42))
    _label_axis(ax, found[first], "x")


def _map(grid: "xarray.DataArray", ax: "Axes") -> None:
    from matplotlib.colors import LogNorm

    y, x = grid.dims
    numeric = [side for side in (y, x) if grid[side].dtype.kind == "f"]
    grid = grid.sortby(numeric)
    shown = grid.values[np.isfinite(grid.values)]
    decades = shown.size > 0 and shown.min() > 0 and shown.max() / shown.min() > DECADES
    norm = LogNorm() if decades else None
    places = (_positions(grid[x]), _positions(grid[y]))
    drawn = ax.pcolormesh(*places, grid.values, shading="nearest", norm=norm)
    ax.figure.colorbar(drawn, ax=ax)
    _label_axis(ax, grid[x], "x")
    _label_axis(ax, grid[y], "y")


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else plain(str(value))


def _positions(axis: "xarray.DataArray") -> "np.ndarray":
    return np.arange(axis.size) if axis.dtype.kind != "f" else np.asarray(axis.values)


def _label_axis(ax: "Axes", axis: "xarray.DataArray", side: str) -> None:
    """Name an axis; words become ticks, and values spaced by a factor a logarithmic scale."""
    (ax.set_xlabel if side == "x" else ax.set_ylabel)(_labelled(str(axis.name), axis, 42))
    values = axis.values
    if axis.dtype.kind != "f":
        (ax.set_xticks if side == "x" else ax.set_yticks)(
            np.arange(axis.size), list(map(plain, values))
        )
    elif values.min() > 0 and values.max() / values.min() > DECADES and _geometric(values):
        (ax.set_xscale if side == "x" else ax.set_yscale)("log")


def _geometric(values: "np.ndarray") -> bool:
    """Whether the middle value lies nearer to the geometric mean of the ends than to their mean."""
    low, middle, high = values.min(), np.median(values), values.max()
    return bool(middle < np.sqrt(np.sqrt(low * high) * (low + high) / 2))


def _labelled(name: str, of: "xarray.DataArray", width: int) -> str:
    import textwrap

    unit = str(of.attrs.get("units", ""))
    words = str(of.attrs.get("long_name", "")) or name
    whole = f"{words} [{unit}]" if unit not in ("", "1") else words
    return textwrap.fill(plain(whole), width)


def sweep_png(found: "xarray.Dataset", inputs: Mapping[str, str]) -> bytes:
    """Draw a sweep's sheet as a PNG picture; its foot says what it rests on.

    Parameters
    ----------
    found : xarray.Dataset
        From `transducer.sweeps.sweep` or `transducer.archive.load`.
    inputs : mapping of str to str
        Texts that the sweep's archive keeps, by name.
    """
    figure = sweep_figure(found)
    if "inputs.json" in inputs:
        wide = int(figure.get_figwidth() * 15)
        figure.supxlabel(plain("\n".join(wrap(_rests_on(inputs), wide))), fontsize=7)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    return picture.getvalue()


def _rests_on(inputs: Mapping[str, str]) -> str:
    """What the numbers of an archive are worth, and whose they are."""
    entries = json.loads(inputs["inputs.json"])
    return rests_on_files([(str(e.get("file", "")), str(e["status"])) for e in entries])
