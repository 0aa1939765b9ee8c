"""Pictures of what was computed: they draw, they never compute."""

import io
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from fibre.budget import Row
from transducer.citations import rests_on
from transducer.simulation import ArmConversion, LinkReport, frequencies_hz

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PORT_COLOURS = {
    "optical.out": "#4477aa",
    "optical.mismatch": "#66ccee",
    "optical.int": "#228833",
    "microwave.waveguide": "#ccbb44",
    "microwave.int": "#ee6677",
    "stokes.ext": "#aa3377",
    "stokes.int": "#bbbbbb",
    "partner.ext": "#882255",
    "partner.int": "#999999",
    "mechanics.int": "#117733",
    "mechanics.hot": "#cc3311",
    "mechanics2.int": "#44bb99",
    "mechanics2.hot": "#ee7733",
    "optical": "#4477aa",
    "microwave": "#ccbb44",
    "loss": "#bbbbbb",
    "gain": "#555555",
}
"""One colour per port, everywhere."""
ARM_COLOURS = {"A": "#4477aa", "B": "#ee6677"}


def plot_spectrum(found: Sequence[ArmConversion], ax: "Axes") -> "Axes":
    """Conversion efficiency of both arms against offset from the line's centre."""
    same = found[0].spectrum is found[1].spectrum
    for arm in found[: 1 if same else 2]:
        label = f"{plain(arm.device)}, {'both arms' if same else 'arm ' + arm.arm}"
        x = frequencies_hz(arm.spectrum) / 1e6
        ax.plot(x, arm.spectrum.efficiency, color=ARM_COLOURS[arm.arm], label=label)
        referee = arm.referee.conversion
        if referee is not None:
            ax.plot(
                frequencies_hz(referee) / 1e6,
                referee.efficiency,
                "o",
                mfc="none",
                color="black",
                label="master equation",
            )
    ax.set(
        xlabel="offset from the centre of the line [MHz]",
        ylabel="conversion efficiency",
        ylim=(0, None),
    )
    ax.legend(frameon=False, fontsize="small")
    return ax


def plot_noise(found: ArmConversion, ax: "Axes") -> "Axes":
    """Output noise of one arm's device, stacked by the port where it comes in."""
    x = frequencies_hz(found.spectrum) / 1e6
    contributions = {p: n for p, n in found.spectrum.contributions.items() if np.any(n > 0)}
    if contributions:
        colours = [PORT_COLOURS.get(port, "#888888") for port in contributions]
        ax.stackplot(x, *contributions.values(), labels=list(contributions), colors=colours)
    ax.plot(x, found.spectrum.noise_out, color="black", lw=1, label="all ports")
    ax.set(
        xlabel="offset from the centre of the line [MHz]",
        ylabel=f"output noise, arm {found.arm} [quanta]",
        ylim=(0, None),
    )
    ax.legend(frameon=False, fontsize="small")
    return ax


def plot_waterfall(rows: Sequence[Row], ax: "Axes") -> "Axes":
    """Loss of both arms, element by element, typical as bars and worst case as whiskers."""
    arms = list(dict.fromkeys(row.arm for row in rows))
    height = 0.8 / len(arms)
    for k, arm in enumerate(arms):
        own = [row for row in rows if row.arm == arm]
        y = np.arange(len(own)) + (k - (len(arms) - 1) / 2) * height
        loss = np.array([float(row.loss_db) for row in own])
        start = np.array([float(row.cumulative_db) for row in own]) - loss
        spare = np.array([float(row.loss_db_max) for row in own]) - loss
        ax.barh(
            y,
            loss,
            left=start,
            height=height,
            color=ARM_COLOURS.get(arm, "#888888"),
            label=f"arm {arm}: {float(own[-1].cumulative_db):.1f} dB",
        )
        worst = spare > 1e-9
        ax.errorbar(
            (start + loss)[worst],
            y[worst],
            xerr=[np.zeros(worst.sum()), spare[worst]],
            fmt="none",
            ecolor="black",
            elinewidth=0.8,
            capsize=2,
        )
    labels = _labels([[row.element for row in rows if row.arm == arm] for arm in arms], arms)
    ax.set_yticks(np.arange(len(labels)), labels, fontsize="small")
    ax.invert_yaxis()
    ax.set_xlabel("loss since the qubit [dB]; whiskers: worst case of the element")
    ax.legend(frameon=False, fontsize="small", loc="lower left")
    return ax


def _labels(names: Sequence[Sequence[str]], arms: Sequence[str]) -> list[str]:
    """Name each line of a waterfall; where the arms differ, say which arm has what."""
    labels = []
    for line in zip_longest(*names):
        if len(set(line)) == 1:
            labels.append(plain(line[0]))
            continue
        own = [f"{arm}: {plain(n)}" for arm, n in zip(arms, line, strict=True) if n is not None]
        labels.append("\n".join(own))
    return labels


def link_figure(report: LinkReport) -> "Figure":
    """Conversion spectrum, noise by port and loss waterfall of a link, on one sheet."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 8), layout="constrained")
    FigureCanvasAgg(figure)
    sheets = figure.subfigures(2, 1, height_ratios=[1, 1.15], squeeze=False)
    top, bottom = sheets[0, 0], sheets[1, 0]
    left, right = top.subplots(1, 2)
    plot_spectrum(report.conversions, left)
    one, two = report.conversions
    plot_noise(one, right)
    if two.spectrum is not one.spectrum:
        x = frequencies_hz(two.spectrum) / 1e6
        right.plot(x, two.spectrum.noise_out, "--", color="black", label="arm B, all ports")
        right.set_ylabel("output noise, arm A by port [quanta]")
        right.legend(frameon=False, fontsize="small")
    plot_waterfall(report.rows, bottom.subplots())
    best = report.best.figures
    figure.suptitle(
        f"{plain(report.scenario.name)}: {report.best.scheme.value}, "
        f"{float(best.delivered_rate):.3g} pairs/s, fidelity {float(best.fidelity):.3f}"
    )
    figure.supxlabel(plain(rests_on(report.scenario.inputs)), fontsize="small")
    return figure


def link_png(report: LinkReport) -> bytes:
    """Draw the link's sheet as a PNG picture."""
    picture = io.BytesIO()
    link_figure(report).savefig(picture, format="png", dpi=120)
    return picture.getvalue()


def plain(text: str) -> str:
    """Keep a user's dollar signs out of mathematics."""
    return text.replace("$", r"\$")
