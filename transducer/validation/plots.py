"""Pictures of what became of every claim: they draw, they never compute."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from transducer.citations import citation_line
from transducer.plots import plain
from transducer.validation.judge import SIGMAS, Judged, Verdict
from transducer.validation.landscape import Place, RateMap
from transducer.validation.quantities import Quantity
from transducer.validation.report import figure_of

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = {
    Quantity.EFFICIENCY: "o",
    Quantity.NOISE: "s",
    Quantity.BANDWIDTH: "D",
    Quantity.RATE: "v",
    Quantity.PHOTONS: "P",
    Quantity.COOPERATIVITY: "^",
    Quantity.OCCUPATION: "h",
    Quantity.PROBABILITY: "p",
    Quantity.CORRELATION: "*",
    Quantity.RATIO: "X",
    Quantity.FIDELITY: "d",
}
"""One marker per kind of figure."""
FAMILY_COLOURS = {
    "electro-optic": "#4477aa",
    "piezo-optomechanical": "#ee6677",
    "optomechanical crystal": "#aa3377",
    "membrane": "#228833",
    "electrostatic": "#66ccee",
    "rare-earth ions": "#ccbb44",
    "atoms": "#ee7733",
    "magnons": "#882255",
    "microwave link": "#555555",
    "other": "#999933",
    "example": "#bbbbbb",
}
"""One colour per kind of hardware."""
THRESHOLDS = (
    (1.0, "1: entanglement is destroyed"),
    (0.5, "1/2: no cloning, at unit gain"),
    (0.2071, "0.207: a herald of low transmission"),
)
"""Added noise beyond which something is lost [quanta]: L11, L11, L23."""


def plot_predicted(found: Sequence[Judged], ax: "Axes") -> "Axes":
    """Predicted against reported figures, one marker per claim; hollow where it is not counted."""
    shown = [e for e in found if e.verdict is not Verdict.UNTESTABLE]
    values = [_ratio(e, v) for e in shown for v in (e.claim.value, e.predicted) if v is not None]
    values = [v for v in values if v > 0] or [1.0]
    ends = np.array([min(values) / 5, max(values) * 5])
    for entry in shown:
        assert entry.predicted is not None
        assert entry.spread is not None
        colour = FAMILY_COLOURS[entry.paper.file.source.family]
        marker = MARKERS[entry.quantity] if entry.quantity is not None else "."
        counted = entry.verdict is not Verdict.FITTED
        known = entry.spread.band or (entry.spread.low, entry.spread.high)
        low, high = (_ratio(entry, v) for v in known)
        told = entry.claim.value
        x, y = _ratio(entry, told), _ratio(entry, entry.predicted)
        down, up = entry.claim.sigma or (0.0, 0.0)
        down, up = x - _ratio(entry, told - down), _ratio(entry, told + up) - x
        if not y > 0:  # nothing is predicted: below the edge
            y = low = high = float(ends[0]) * 1.3
            ax.annotate("", (x, y / 1.25), (x, y), arrowprops={"arrowstyle": "->"})
        ax.errorbar(
            [x],
            [y],
            xerr=[[min(down, 0.95 * x)], [up]],
            yerr=[[max(y - low, 0.0)], [max(high - y, 0.0)]],
            fmt=marker,
            ms=7,
            color=colour,
            mfc=colour if counted else "white",
            mec="black" if entry.verdict is Verdict.FAILS else colour,
            mew=1.4 if entry.verdict is Verdict.FAILS else 0.9,
            elinewidth=0.9,
        )
    ax.plot(ends, ends, color="black", lw=0.8, zorder=0)
    ax.fill_between(ends, ends / 2, ends * 2, color="#dddddd", zorder=-1, lw=0)
    ax.set(xlim=tuple(ends), ylim=tuple(ends))
    ax.set(xscale="log", yscale="log", xlabel="reported", ylabel="predicted")
    _legend_predicted(shown, ax)
    return ax


def _ratio(entry: Judged, value: float) -> float:
    """A figure on an axis of ratios: one in dB is one, too."""
    return float(10 ** (value / 10)) if entry.claim.figure.endswith("_db") else value


def _legend_predicted(shown: Sequence[Judged], ax: "Axes") -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    kinds = dict.fromkeys(e.quantity for e in shown if e.quantity is not None)
    families = dict.fromkeys(e.paper.file.source.family for e in shown)
    handles: list[Artist] = [
        Line2D([], [], marker=MARKERS[q], color="#555555", ls="", label=q.value) for q in kinds
    ]
    handles += [Patch(color=FAMILY_COLOURS[f], label=f) for f in families]
    handles += [
        Line2D([], [], marker="o", mfc="white", color="#555555", ls="", label="fitted"),
        Line2D(
            [],
            [],
            marker="o",
            mfc="#999999",
            mec="black",
            color="#999999",
            ls="",
            mew=1.4,
            label=f"fails by more than {SIGMAS:g} sigma",
        ),
        Patch(color="#dddddd", label="within a factor of two"),
    ]
    ax.legend(handles=handles, frameon=False, fontsize="small", loc="upper left")


def plot_misses(found: Sequence[Judged], ax: "Axes") -> "Axes":
    """Miss of every counted claim [dB], with the uncertainty of claim and inputs together."""
    shown = [e for e in found if e.verdict in _COUNTED and e.miss_db is not None]
    shown.sort(key=lambda e: (_COUNTED.index(e.verdict), e.paper.key))
    for k, entry in enumerate(shown):
        colour = FAMILY_COLOURS[entry.paper.file.source.family]
        assert entry.predicted is not None
        assert entry.miss_db is not None
        width = 10 / np.log(10) * (entry.sigma or 0.0) / entry.claim.value
        miss, spread = entry.miss_db, entry.spread
        if not np.isfinite(miss):
            ax.text(0.01, k, "nothing is predicted", transform=ax.get_yaxis_transform(), fontsize=6)
            continue
        if entry.claim.figure.endswith("_db"):
            width = entry.sigma or 0.0
        elif spread is not None and spread.band is not None:
            low, high = (10 * np.log10(b / entry.claim.value) for b in spread.band)
            ax.plot([low, high], [k, k], color=colour, lw=5, alpha=0.35, solid_capstyle="butt")
        fails = entry.verdict is Verdict.FAILS
        ax.errorbar(
            [miss],
            [k],
            xerr=[[width], [width]],
            fmt=MARKERS[entry.quantity] if entry.quantity is not None else ".",
            color=colour,
            mec="black" if fails else colour,
            ms=5,
            elinewidth=0.9,
        )
    ax.axvline(0, color="black", lw=0.8)
    names = [plain(f"{e.paper.key}: {figure_of(e)}") for e in shown]
    ax.set_yticks(np.arange(len(shown)), names, fontsize=6)
    ax.set(xlabel="predicted over reported [dB]", ylim=(len(shown) - 0.4, -0.6))
    ax.grid(axis="x", lw=0.4, color="#cccccc")
    return ax


_COUNTED = (Verdict.PREDICTED, Verdict.CONSISTENT, Verdict.FAILS)


def plot_map(places: Sequence[Place], rates: RateMap | None, ax: "Axes") -> "Axes":
    """Efficiency and added noise of published devices, thresholds, lines of equal link rate."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    both = [p for p in places if p.efficiency is not None and p.noise is not None]
    etas = [p.efficiency.value for p in places if p.efficiency is not None]
    noises = [p.noise.value for p in places if p.noise is not None]
    left, right = min([1e-8, *etas]) / 30, 30.0
    low, high = min([0.01, *noises]) / 12, max([10.0, *noises]) * 100
    ax.set(xscale="log", yscale="log", xlim=(left, right), ylim=(low, high))
    ax.axhspan(high / 2.5, high, color="#f2f2f2", zorder=-2)  # beside the axes: no such figure
    ax.axvspan(left, left * 3, color="#f2f2f2", zorder=-2)
    if rates is not None and np.any(rates.pairs > 0):
        _rates(rates, ax)
    for value, said in THRESHOLDS:
        ax.axhline(value, color="black", lw=0.8, ls="--", zorder=0)
        ax.text(left * 300, value * 1.05, said, fontsize=7, va="bottom")
    for place in places:
        colour = FAMILY_COLOURS[place.paper.file.source.family]
        x = left * 1.6 if place.efficiency is None else place.efficiency.value
        y = high / 1.5 if place.noise is None else place.noise.value
        marker = "o" if place in both else (">" if place.efficiency is None else "^")
        if place in both and place.efficiency is not None:
            marker = "D" if place.efficiency.figure == "internal_efficiency" else "o"
        face = colour if place.firm else "white"
        if place.noise is not None and place.noise.bound == "below":
            ax.annotate(
                "", (x, y / 1.7), (x, y), arrowprops={"arrowstyle": "->", "color": colour, "lw": 1}
            )
        ax.plot([x], [y], marker, mfc=face, color=colour, ms=7 if place in both else 5, zorder=3)
    _names(places, left, high, ax)
    families = dict.fromkeys(p.paper.file.source.family for p in places)
    handles: list[Artist] = [Patch(color=FAMILY_COLOURS[f], label=f) for f in families]
    handles += [
        Line2D([], [], marker=marker, mfc=face, label=label, color="#555555", ls="")
        for marker, face, label in (
            ("^", "#555555", "no noise reported"),
            (">", "#555555", "no efficiency reported"),
            ("D", "#555555", "internal efficiency only"),
            ("o", "white", "secondary or recalled"),
        )
    ]
    ax.legend(
        handles=handles,
        frameon=False,
        fontsize="small",
        loc="center left",
        bbox_to_anchor=(0, 0.68),
        ncols=2,
    )
    ax.set(
        xlabel="conversion efficiency, each by its paper's own definition",
        ylabel="added noise, referred to the input [quanta]",
    )
    return ax


def _rates(rates: RateMap, ax: "Axes") -> None:
    x, y = rates.efficiency, rates.noise
    edge = ax.contour(
        x, y, np.log(rates.separability), levels=[0.0], colors="#777777", linewidths=2
    )
    ax.clabel(edge, fmt=lambda v: "entangled below", fontsize=7, inline=False)
    logs = np.ma.masked_invalid(np.log10(np.where(rates.pairs > 0, rates.pairs, np.nan)))
    top = int(np.floor(np.max(logs)))
    levels = list(range(top - 7, top + 1))
    lines = ax.contour(x, y, logs, levels=levels, colors="#999999", linewidths=0.8, linestyles="-")
    ax.clabel(lines, fmt=lambda v: f"$10^{{{int(v)}}}$/s", fontsize=7)
    ax.text(
        0.18,
        0.01,
        f"grey: entangled pairs per second of the link '{plain(rates.scenario)}', both ends alike",
        transform=ax.transAxes,
        va="bottom",
        fontsize=7,
        color="#666666",
    )


def _names(places: Sequence[Place], left: float, high: float, ax: "Axes") -> None:
    """Names beside the markers; those along the edges stand upright and step aside."""
    edge = sorted((p for p in places if p.noise is None), key=lambda p: p.efficiency.value)  # type: ignore[union-attr]
    at = -np.inf
    for place in edge:
        assert place.efficiency is not None
        at = max(at + 0.16, float(np.log10(place.efficiency.value)))
        ax.annotate(
            plain(place.paper.key),
            (place.efficiency.value, high / 1.5),
            (10**at, high / 3.5),
            rotation=90,
            fontsize=6,
            ha="center",
            va="top",
            arrowprops={"arrowstyle": "-", "lw": 0.3, "color": "#999999"},
        )
    named: list[tuple[float, float]] = []
    for place in sorted(
        (p for p in places if p.noise is not None),
        key=lambda p: -p.noise.value,  # type: ignore[union-attr]
    ):
        assert place.noise is not None
        x = left * 1.6 if place.efficiency is None else place.efficiency.value
        here = (float(np.log10(x)), float(np.log10(place.noise.value)))
        crowded = any(abs(here[0] - a) < 1 and abs(here[1] - b) < 0.25 for a, b in named)
        named.append(here)
        ax.annotate(
            plain(place.paper.key),
            (x, place.noise.value),
            (6, -10 if crowded else 4),
            textcoords="offset points",
            fontsize=7,
        )


def claims_figure(found: Sequence[Judged]) -> "Figure":
    """Predicted against reported over all decades, and the misses in dB beside it."""
    figure = _sheet(15, 9.5)
    left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
    plot_predicted(found, left)
    plot_misses(found, right)
    counted = [e for e in found if e.verdict is not Verdict.UNTESTABLE]
    _footnote(figure, [e.paper.citable for e in counted])
    return figure


def map_figure(places: Sequence[Place], rates: RateMap | None) -> "Figure":
    """The map of published devices on one sheet."""
    figure = _sheet(12, 8.5)
    plot_map(places, rates, figure.subplots())
    _footnote(figure, [p.paper.citable for p in places])
    return figure


def _sheet(width: float, height: float) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _footnote(figure: "Figure", keys: Sequence[str]) -> None:
    """Names of the papers whose numbers a figure used."""
    import textwrap

    wide = int(figure.get_figwidth() * 16)
    figure.supxlabel(plain("\n".join(textwrap.wrap(citation_line(keys), wide))), fontsize=7)


def png(figure: "Figure") -> bytes:
    """A figure as a PNG picture."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    return picture.getvalue()
