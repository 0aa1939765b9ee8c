"""What is lost where: two arms, what the light meets in them, and what the detectors see."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cavities.constants import Real
from cavities.errors import ParameterError, ValidityError
from fibre.detectors import Station
from fibre.elements import Element, FibreSpan, Switch, decibels
from fibre.herald import (
    Detection,
)
from fibre.memory import Memory
from fibre.photon import Photon, overlap
from fibre.schedule import Schedule


@dataclass(frozen=True)
class Row:
    """One line of a budget: what one element does to one arm.

    Parameters
    ----------
    arm : str
        Name of the arm.
    element : str
        Name of the element.
    loss_db, loss_db_max : float or ndarray
        Typical and worst-case loss of the photon in it [dB].
    cumulative_db : float or ndarray
        Typical loss from the emitter to behind it [dB].
    transmittance : float or ndarray
        Transmission of the photon through it [1].
    added_noise : float or ndarray
        Noise it adds to the photon's mode, at its output [quanta].
    delay_s : float or ndarray
        Travel time through it [s].
    basis : str
        Status of the weakest number in it.
    kind : str
        What sort of thing it is: node, transducer, coupling, fibre, filter, switch and so on.
    band_nm : tuple of two float, optional
        Wavelengths it is specified for [nm].
    sigma_db : float or ndarray
        Standard deviation of its loss [dB]; a data sheet's maximum is read as three of them.
    """

    arm: str
    element: str
    loss_db: Real
    loss_db_max: Real
    cumulative_db: Real
    transmittance: Real
    added_noise: Real
    delay_s: Real
    basis: str
    kind: str = "loss"
    band_nm: tuple[float, float] | None = None
    sigma_db: Real = 0.0


@dataclass(frozen=True)
class Arm:
    """One side of a link, from the output of its node to the station.

    Parameters
    ----------
    name : str
        What the budget calls it.
    photon : Photon
        What the node sends, at the node's optical output port.
    head : tuple of Row
        The budget's lines up to there, made by the node.
    elements : tuple of Element
        What the photon meets, in this order.
    memory : Memory
        The qubit that waits.
    """

    name: str
    photon: Photon
    head: tuple[Row, ...]
    elements: tuple[Element, ...]
    memory: Memory


@dataclass(frozen=True)
class Link:
    """Two arms, the station between them, and the timing.

    Parameters
    ----------
    arms : tuple of two Arm
        A and B.
    station : Station
        The midpoint.
    schedule : Schedule
        How often one may try.
    """

    arms: tuple[Arm, Arm]
    station: Station
    schedule: Schedule


def _row(
    arm: str,
    name: str,
    before: Photon,
    after: Photon,
    margin: Real,
    delay: Real,
    basis: str,
    cumulative: Real,
    kind: str,
    band: tuple[float, float] | None = None,
    sigma: Real = 0.0,
) -> Row:
    if not np.all(np.asarray(after.transmission) > 0):
        raise ParameterError(
            f"arm {arm}: no light comes through '{name}' (transmission below 1e-300); shorten the "
            "fibre or lower its loss"
        )
    passed = after.transmission / before.transmission
    loss = decibels(passed)
    joined: Real = 0.0
    if len(after.company) > len(before.company):  # filters reshape what joined before
        joined = np.maximum(0.0, after.joined_noise - passed * before.joined_noise)
    return Row(
        arm,
        name,
        loss,
        loss + margin,
        cumulative + loss,
        passed,
        joined + 0.0 * passed,
        delay,
        basis,
        kind,
        band,
        sigma,
    )


def _margin(element: Element) -> Real:
    """Worst case above typical; a known polarisation may meet all of a switch's dependence."""
    extra = element.polarisation_loss_db if isinstance(element, Switch) else 0.0
    return element.margin_db + extra


def propagate(
    photon: Photon, elements: Sequence[Element], arm: str = "", head: Sequence[Row] = ()
) -> tuple[Photon, tuple[Row, ...]]:
    """Send a photon through elements and write the budget.

    Parameters
    ----------
    photon : Photon
        At the input of the first element.
    elements : sequence of Element
        In the order in which the photon meets them.
    arm : str
        Name of the arm, for the rows.
    head : sequence of Row
        Lines that precede these.

    Returns
    -------
    tuple of Photon and tuple of Row
        The photon behind the last element, and all lines.

    Raises
    ------
    ParameterError
        If no light comes in.
    """
    if not np.all(np.asarray(photon.transmission) > 0):
        raise ParameterError(
            f"arm {arm}: the node sends no light (transmission {photon.transmission}); raise the "
            "pump power or the conversion efficiency above zero"
        )
    rows = list(head)
    for element in elements:
        after = element(photon)
        cumulative = rows[-1].cumulative_db if rows else 0.0
        rows.append(
            _row(
                arm,
                element.name,
                photon,
                after,
                _margin(element),
                element.delay,
                element.basis,
                cumulative,
                element.kind,
                element.band_nm,
                element.sigma_db,
            )
        )
        photon = after
    return photon, tuple(rows)


def receive(
    photon: Photon, station: Station, arm: str, head: Sequence[Row]
) -> tuple[Photon, tuple[Row, ...]]:
    """Take a photon through the station's splitter, gate and detector, and write their lines.

    Parameters
    ----------
    photon : Photon
        At the station's input.
    station : Station
        The midpoint.
    arm : str
        Name of the arm.
    head : sequence of Row
        Lines that precede these.
    """
    rows = list(head)
    splitter, detector = station.splitter_margin_db, station.detector
    steps = (
        ("beam splitter excess", station.split, splitter, station.splitter_basis, "passive"),
        ("detection gate", lambda p: p.gated(station.gate), 0.0, "derived", "gate"),
        (detector.name, station.detect, detector.margin_db, detector.basis, "detector"),
    )
    for name, act, margin, basis, kind in steps:
        after = act(photon)
        cumulative = rows[-1].cumulative_db if rows else 0.0
        line = _row(
            arm, name, photon, after, margin, 0.0, basis, cumulative, kind, None, margin / 3
        )
        rows.append(line)
        photon = after
    return photon, tuple(rows)


def arrived(arm: Arm, station: Station) -> tuple[Photon, tuple[Row, ...]]:
    """Photon of one arm at the detectors, and the arm's lines of the budget."""
    photon, lines = propagate(arm.photon, arm.elements, arm.name, arm.head)
    return receive(photon, station, arm.name, lines)


def twins(link: Link) -> bool:
    """Whether both arms send the same photon through equal elements."""
    one, two = link.arms
    if one.photon is not two.photon:
        return False
    try:
        return one.elements == two.elements
    except ValueError:  # columns of a batch that are not the same array
        return False


def budget(link: Link) -> tuple[tuple[Photon, Photon], tuple[Row, ...]]:
    """Photons at the detectors, and every line of both arms."""
    one, two = link.arms
    photon, rows = arrived(one, link.station)
    if not twins(link):
        other, lines = arrived(two, link.station)
        return (photon, other), (*rows, *lines)
    tail = (replace(row, arm=two.name) for row in rows[len(one.head) :])
    return (photon, photon), (*rows, *two.head, *tail)


def seen(photons: tuple[Photon, Photon], station: Station) -> Detection:
    r"""What the detectors see of two photons that arrived.

    The number of noise modes is the gate times the noise rate over the noise per mode,
    :math:`K = T(R_A+R_B)/(N_A+N_B)`.

    Raises
    ------
    ValidityError
        If the noise reaches beyond the frequencies that were looked at, if the carriers differ, if
        pump light or dark counts fill the gate, or if a gate below one noise mode sees much noise.
    """
    one, two = photons
    for photon in photons:
        _require_band_limited(photon)
    noise = np.asarray(one.mode_noise) + np.asarray(two.mode_noise)
    flux = np.asarray(one.noise_flux) + np.asarray(two.noise_flux)
    with np.errstate(invalid="ignore", divide="ignore"):
        modes = np.where(noise > 0, station.gate * flux / np.where(noise > 0, noise, 1.0), 1.0)
    distinct = overlap(one, two) * station.distinguishability
    dark = station.dark_probability(one, two)
    if not np.all(np.asarray(dark) < 1.0):
        leak = float(np.max(np.asarray(one.pump_flux) + np.asarray(two.pump_flux)) / 2)
        raise ValidityError(
            f"a detector fires in every gate: {leak:.3g} pump photons and "
            f"{station.detector.dark_rate:.3g} dark counts per second reach it; add pump-rejection "
            "filters to the path or shorten the gate"
        )
    return Detection(
        one.transmission,
        two.transmission,
        one.mode_noise,
        two.mode_noise,
        distinct,
        modes,
        dark,
        station.detector.resolved > 1,
    )


def _require_band_limited(photon: Photon) -> None:
    """Refuse noise that is white across the whole grid: its rate would be that of the grid."""
    far = photon.noise_beyond(0.5 * float(np.max(np.abs(photon.wave.grid.omega))))
    if np.any(far > 0.05 * np.asarray(photon.noise_flux)):
        raise ValidityError(
            "the noise at the detectors has no bandwidth: it is white far beyond the photon; put "
            "a filter behind what makes it (classical light in the fibre, crosstalk of a switch, a "
            "warm optical bath)"
        )


def stretched(link: Link, length: Real) -> Link:
    """Give every fibre of a link another length.

    Parameters
    ----------
    link : Link
        With at least one fibre in each arm.
    length : float or ndarray, shape (...)
        Length of each fibre [m], >= 0; an array makes a batch of links.
    """

    def span(element: Element) -> Element:
        return replace(element, length=length) if isinstance(element, FibreSpan) else element

    one, two = (replace(arm, elements=tuple(map(span, arm.elements))) for arm in link.arms)
    return replace(link, arms=(one, two))
