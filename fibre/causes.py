"""What costs a link its fidelity.

Each imperfection is switched off exactly, alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cavities.constants import Real
from cavities.errors import PhysicsError
from fibre.budget import Link, arrived, budget, seen, twins
from fibre.elements import Background, Element, FibreSpan, Switch
from fibre.herald import EMITTERS, Detection, Heralded, Scheme
from fibre.link import heralded, when_known
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
        What the detectors see without it, from what they see and the link without it.
    pair : callable
        The heralded state without it.
    schemes : tuple of Scheme
        Schemes that have it.
    """

    name: str
    link: Callable[[Link], Link] = lambda link: link
    seen: Callable[[Detection, Link], Detection] = lambda seen, link: seen
    pair: Callable[[Heralded], Heralded] = lambda pair: pair
    schemes: tuple[Scheme, ...] = tuple(Scheme)


def _quiet(link: Link) -> Link:
    """No noise leaves the transducers; what joins on the way stays."""
    arms = []
    for arm in link.arms:
        photon = arm.photon
        if photon.held is not None:
            photon = replace(photon, held=photon.held.silenced)
        wave = replace(photon.wave, noise=np.zeros_like(photon.wave.noise))
        arms.append(replace(arm, photon=replace(photon, wave=wave)))
    return replace(link, arms=(arms[0], arms[1]))


def _no_decay(link: Link) -> Link:
    still = Memory(1e12, 1e12)
    one, two = (replace(arm, memory=still) for arm in link.arms)
    return replace(link, arms=(one, two))


def _without_rate(seen_: Detection, link: Link, rate: Real) -> Detection:
    # 1 - p_d = exp(-T R_dark) exp(-T R_stray) exp(-T pump): one factor is taken out
    kept = np.log1p(-np.asarray(seen_.dark)) + link.station.gate * np.asarray(rate)
    return replace(seen_, dark=np.maximum(0.0, -np.expm1(kept)))


def _no_dark_counts(seen_: Detection, link: Link) -> Detection:
    return _without_rate(seen_, link, link.station.detector.dark_rate)


def _no_stray_light(seen_: Detection, link: Link) -> Detection:
    return _without_rate(seen_, link, link.station.background)


def _no_pump(seen_: Detection, link: Link) -> Detection:
    counts = link.station.gate * (link.station.detector.dark_rate + link.station.background)
    return replace(seen_, dark=-np.expm1(-counts))


def _dark_line(link: Link) -> Link:
    """No light joins on the way: no Raman light, no crosstalk."""
    one, two = (
        replace(arm, elements=tuple(_in_the_dark(e) for e in arm.elements)) for arm in link.arms
    )
    return replace(link, arms=(one, two))


def _in_the_dark(element: Element) -> Element:
    if isinstance(element, Switch):
        return replace(element, neighbour_quanta=0.0)
    if isinstance(element, Background):
        return replace(element, quanta=0.0)
    return replace(element, classical=()) if isinstance(element, FibreSpan) else element


def _true_switches(link: Link) -> Link:
    one, two = (
        replace(
            arm,
            elements=tuple(
                replace(e, fidelity_loss=0.0) if isinstance(e, Switch) else e for e in arm.elements
            ),
        )
        for arm in link.arms
    )
    return replace(link, arms=(one, two))


def _no_afterpulse(link: Link) -> Link:
    calm = replace(link.station.detector, afterpulse=0.0)
    return replace(link, station=replace(link.station, detector=calm))


def _no_phase_noise(link: Link) -> Link:
    still = replace(link.station, phase_rms=0.0, phase_change_rms=0.0, bin_change_rms=None)
    return replace(link, station=still)


def _noise_of(seen_: Detection, link: Link) -> Detection:
    """The same clicks with the noise of this link."""
    photons, _ = budget(link)
    own = seen(photons, link.station)
    return replace(seen_, noise_a=own.noise_a, noise_b=own.noise_b, noise_modes=own.noise_modes)


def _alike(seen_: Detection, link: Link) -> Detection:
    return replace(seen_, overlap=1.0)


def _caught(link: Link) -> Link:
    """Every idler quantum is stored, and no other."""
    arms = []
    for arm in link.arms:
        idler = arm.photon.idler
        if idler is not None:
            idler = replace(idler, capture=1.0, noise=0.0)
        arms.append(replace(arm, photon=replace(arm.photon, idler=idler)))
    return replace(link, arms=(arms[0], arms[1]))


def _one_mode(seen_: Detection, link: Link) -> Detection:
    return replace(seen_, noise_modes=1.0)


def _one_bright(pair: Heralded) -> Heralded:
    state = pair.state.copy()
    state[..., 3, 3] = 0.0
    return replace(pair, state=state)


PAIRS = tuple(scheme for scheme in Scheme if scheme.pairs)
"""Schemes between squeezing sources."""

CAUSES = (
    Cause("transducer noise", link=_quiet, seen=_noise_of, schemes=EMITTERS),
    Cause("light that joins on the line", link=_dark_line, seen=_noise_of),
    Cause("memory decay while the herald travels", link=_no_decay),
    Cause("detector dark counts", seen=_no_dark_counts),
    Cause("stray light at the detectors", seen=_no_stray_light),
    Cause("pump light in the gate", seen=_no_pump),
    Cause("afterpulses", link=_no_afterpulse),
    Cause("optical phase noise", link=_no_phase_noise),
    Cause("distinguishable photons", seen=_alike),
    Cause("switches that turn the qubit", link=_true_switches),
    Cause("both qubits bright", pair=_one_bright, schemes=(Scheme.SINGLE_CLICK,)),
    Cause("idlers that are not caught", link=_caught, schemes=PAIRS),
    Cause("clicks of modes whose idler is not stored", seen=_one_mode, schemes=PAIRS),
)
"""Imperfections that can be switched off one at a time."""


def fidelity_without(
    link: Link, scheme: Scheme, detection: Detection, cause: Cause
) -> float | None:
    """Bell fidelity when both nodes know, one cause switched off exactly [1].

    None if nothing heralds without it, or it is none of this scheme's. `detection` is what the
    detectors see, from `seen`.
    """
    if scheme not in cause.schemes:
        return None
    other = cause.link(link)
    seen_ = cause.seen(detection, other)
    pair = cause.pair(heralded(other, scheme, seen_))
    if not np.all(pair.probability > 0):
        return None
    return float(np.max(when_known(other, scheme, seen_, pair)[0].fidelity))


def shares_of(
    link: Link, scheme: Scheme, detection: Detection, fidelity: float
) -> tuple[tuple[str, float], ...]:
    r"""Infidelity by cause, :math:`F_{\setminus k} - F`; with `interplay` the column adds to 1 - F.

    Parameters
    ----------
    link : Link
        The link.
    scheme : Scheme
        Heralding scheme.
    detection : Detection
        What the detectors see, from `seen`.
    fidelity : float
        Bell fidelity F of the delivered pair [1].

    Returns
    -------
    tuple of (str, float)
        Name and share [1], largest first. A share is negative where a cause helps by accident.
    """
    found = []
    for cause in CAUSES:
        better = fidelity_without(link, scheme, detection, cause)
        if better is not None:
            found.append((cause.name, better - fidelity))
    return tuple(sorted(found, key=lambda item: -item[1]))


def interplay(fidelity: float, shares: Sequence[tuple[str, float]]) -> float:
    """What the shares of single causes leave of the infidelity [1].

    The scheme's own limit, and causes that act together: negative where taking away one cause takes
    away the harm of another, too.
    """
    return 1 - fidelity - sum(share for _, share in shares)


def element_factors(link: Link, scheme: Scheme, fidelity: float) -> dict[tuple[str, int], float]:
    r"""What each element on the way does to the delivered fidelity, :math:`F/F_{\setminus k}` [1].

    Parameters
    ----------
    link : Link
        The link.
    scheme : Scheme
        Heralding scheme.
    fidelity : float
        Bell fidelity F of the delivered pair [1].

    Returns
    -------
    dict of (str, int) to float
        By arm and place among the arm's rows; left out where the link does not work without the
        element, as without a filter. Equal arms lose it on both sides, unlike ones on this side
        only, where balancing the arms may make it a help. Below one: it costs fidelity.
    """
    found: dict[tuple[str, int], float] = {}
    intact, _ = budget(link)
    alike = twins(link)
    for side, arm in enumerate(link.arms):
        if side == 1 and alike:
            found |= {(arm.name, place): factor for (_, place), factor in found.items()}
            break
        for k in range(len(arm.elements)):
            bare = replace(arm, elements=(*arm.elements[:k], *arm.elements[k + 1 :]))
            other = link.arms[1 - side]
            if alike:
                other = replace(other, elements=bare.elements)
            arms = (bare, other) if side == 0 else (other, bare)
            without = replace(link, arms=arms)
            try:
                photon, _ = arrived(bare, link.station)
                far = photon if alike else intact[1 - side]
                seen_ = seen((photon, far) if side == 0 else (far, photon), link.station)
                pair = heralded(without, scheme, seen_)
                better = float(np.max(when_known(without, scheme, seen_, pair)[0].fidelity))
            except PhysicsError:
                continue
            if better > 0:
                found[arm.name, len(arm.head) + k] = fidelity / better
    return found
