"""What costs a link its fidelity.

Each imperfection is switched off exactly, alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from fibre.herald import Detection, Heralded, Scheme
from fibre.link import Link, delivered, heralded
from fibre.memory import Memory


@dataclass(frozen=True)
class Cause:
    """An imperfection that can be switched off exactly, and how.

    Parameters
    ----------
    name : str
        What tables and the verdict call it.
    link : callable
        The link without it.
    seen : callable
        What the detectors see without it, from what they see and the link.
    pair : callable
        The heralded state without it.
    """

    name: str
    link: Callable[[Link], Link] = lambda link: link
    seen: Callable[[Detection, Link], Detection] = lambda seen, link: seen
    pair: Callable[[Heralded], Heralded] = lambda pair: pair


def _no_noise(seen_: Detection, link: Link) -> Detection:
    return replace(seen_, noise_a=0.0, noise_b=0.0)


def _quiet(link: Link) -> Link:
    one, two = (
        arm
        if arm.photon.held is None
        else replace(arm, photon=replace(arm.photon, held=arm.photon.held.silenced))
        for arm in link.arms
    )
    return replace(link, arms=(one, two))


def _no_decay(link: Link) -> Link:
    still = Memory(1e12, 1e12)
    one, two = (replace(arm, memory=still) for arm in link.arms)
    return replace(link, arms=(one, two))


def _no_dark_counts(seen_: Detection, link: Link) -> Detection:
    # 1 - p_d = exp(-T R_dark) exp(-T pump): one factor is taken out
    kept = np.log1p(-np.asarray(seen_.dark)) + link.station.gate * link.station.detector.dark_rate
    return replace(seen_, dark=np.maximum(0.0, -np.expm1(kept)))


def _no_pump(seen_: Detection, link: Link) -> Detection:
    counts = link.station.gate * link.station.detector.dark_rate
    return replace(seen_, dark=-np.expm1(-counts))


def _no_phase_noise(link: Link) -> Link:
    return replace(link, station=replace(link.station, phase_rms=0.0, phase_change_rms=0.0))


def _alike(seen_: Detection, link: Link) -> Detection:
    return replace(seen_, overlap=1.0)


def _one_bright(pair: Heralded) -> Heralded:
    state = pair.state.copy()
    state[..., 3, 3] = 0.0
    return Heralded(state)


CAUSES = (
    Cause("transducer noise", link=_quiet, seen=_no_noise),
    Cause("memory decay while the herald travels", link=_no_decay),
    Cause("detector dark counts", seen=_no_dark_counts),
    Cause("pump light in the gate", seen=_no_pump),
    Cause("optical phase noise", link=_no_phase_noise),
    Cause("distinguishable photons", seen=_alike),
    Cause("both qubits bright", pair=_one_bright),
)
"""Imperfections that can be switched off one at a time."""


def fidelity_without(
    link: Link, scheme: Scheme, detection: Detection, cause: Cause
) -> float | None:
    """Bell fidelity when both nodes know, one cause switched off exactly [1].

    None if nothing heralds without it. `detection` is what the detectors see, from `seen`.
    """
    other = cause.link(link)
    pair = cause.pair(heralded(other, scheme, cause.seen(detection, link)))
    if not np.all(pair.probability > 0):
        return None
    return float(np.max(delivered(other, pair)[0].fidelity))
