"""Protocols and places of the station side by side, on the same hardware.

Each at its own best operating point; what cannot be done says why.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cavities.capacity import pure_loss_bound
from cavities.constants import Real, ordinary
from cavities.errors import ParameterError, PhysicsError, ValidityError
from cavities.pump import Sideband
from cavities.sentences import nearest
from fibre.distil import hashing_bound, negativity
from fibre.elements import Element, FibreSpan
from fibre.figures import LinkFigures
from fibre.herald import EMITTERS, Heralded, Scheme
from fibre.link import Arm, Link, evaluate_link, propagate, require_encoding
from fibre.memory import QubitChannel, decay, qubit_channel
from fibre.one_way import Squeezed, direct_dual_rail, direct_single_rail, shared_dual_rail
from fibre.pair_herald import storage
from fibre.photon import SAME_CARRIER_HZ, Company, Photon
from transducer.chain import is_blue, link_of
from transducer.goals import Goal, Setting, best_setting
from transducer.scenario import ArmSetup, Scenario
from transducer.solvers import scattering

STATIONS = ("midpoint", "end", "none", "source")
"""Where the clicks happen: between the arms, beside node A, nowhere, or a source between them."""

ONE_WAY = ("direct", "direct-time-bin", "pair-source", "teleport")
"""Protocols without a station."""

PROTOCOLS = (*(scheme.value for scheme in Scheme), *ONE_WAY)
"""Every protocol that is compared."""


@dataclass(frozen=True)
class Compared:
    """One protocol with its station at one place, at its best operating point.

    Parameters
    ----------
    protocol, station : str
        Names of `PROTOCOLS` and `STATIONS`.
    setting : mapping of str to float
        The knobs that were turned, and where they stand.
    figures : LinkFigures, optional
        What it gives; None if it cannot be done here.
    why_not : str
        Why it cannot, in a sentence.
    note : str
        What a reader must know of its figures.
    """

    protocol: str
    station: str
    setting: Mapping[str, float]
    figures: LinkFigures | None
    why_not: str = ""
    note: str = ""


def compare(
    scenario: Scenario,
    protocols: Sequence[str] = PROTOCOLS,
    stations: Sequence[str] = STATIONS,
    goal: Goal | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> tuple[Compared, ...]:
    """Compare protocols and places of the station on one scenario's hardware.

    Parameters
    ----------
    scenario : Scenario
        Its devices, qubits, paths, station and timing are used by all.
    protocols, stations : sequence of str
        Which ones; pairs that make no sense are left out.
    goal : Goal, optional
        Most distillable entanglement per second by default.
    progress : callable
        Told in words what is being done.

    Returns
    -------
    tuple of Compared
        Best first; what cannot be done last.

    Raises
    ------
    ParameterError
        If a name is unknown.
    ValidityError
        If a floor is asked that nothing meets.
    """
    for kind, asked, known in (
        ("protocol", protocols, PROTOCOLS),
        ("station", stations, STATIONS),
    ):
        for name in asked:
            if name not in known:
                raise ParameterError(f"{kind} '{name}' is not known; {nearest(name, known)}")
    goal = goal or Goal()
    if not any(_makes_sense(p, s) for p in protocols for s in stations):
        raise ParameterError(
            f"protocol {', '.join(protocols)} does not go with station {', '.join(stations)}: "
            "heralds need midpoint or end, direct and teleport take none, pair-source takes source"
        )
    found: list[Compared] = []
    for protocol in protocols:
        for station in stations:
            if not _makes_sense(protocol, station):
                continue
            progress(f"{protocol}, station {station}")
            try:
                found.append(_at_best(scenario, protocol, station, goal))
            except PhysicsError as error:
                found.append(Compared(protocol, station, {}, None, str(error)))
    found.sort(key=lambda c: (-1.0, -1.0) if c.figures is None else goal.worth(c.figures))
    found.reverse()
    if found and found[0].figures is not None:
        goal.require(found[0].figures, f"{found[0].protocol} ({found[0].station})")
    return tuple(found)


def _makes_sense(protocol: str, station: str) -> bool:
    if protocol == "pair-source":
        return station == "source"
    if protocol in ONE_WAY:
        return station == "none"
    return station in ("midpoint", "end")


def _at_best(scenario: Scenario, protocol: str, station: str, goal: Goal) -> Compared:
    note = ""
    if protocol in ONE_WAY:
        evaluate, knobs, note = _one_way(scenario, protocol)
    elif Scheme(protocol) in EMITTERS:
        evaluate, knobs = _emitters(scenario, Scheme(protocol), station)
    else:
        evaluate, knobs = _pairs(scenario, Scheme(protocol), station)
        note = "idlers up to one quantum count as qubits"
    if not knobs:
        return Compared(protocol, station, {}, evaluate({}), note=note)
    setting, figures = best_setting(evaluate, knobs, goal)
    return Compared(protocol, station, setting, figures, note=note)


Evaluate = Callable[[Setting], LinkFigures]
Knobs = Mapping[str, tuple[float, float]]


def backwards_through(elements: Sequence[Element]) -> tuple[Element, ...]:
    """The same path the other way: classical light that ran along now runs against."""

    def turned(element: Element) -> Element:
        if not isinstance(element, FibreSpan):
            return element
        channels = (replace(c, counter=not c.counter) for c in element.classical)
        return replace(element, classical=tuple(channels))

    return tuple(turned(element) for element in reversed(elements))


def at_end(link: Link) -> Link:
    """Move the station to node A: all fibre of arm A goes behind that of arm B.

    Raises
    ------
    ValidityError
        If arm A has no fibre to move.
    """
    one, two = link.arms
    moved = backwards_through([e for e in one.elements if isinstance(e, FibreSpan)])
    if not moved:
        raise ValidityError("arm A has no fibre: its station stands beside it already")
    places = [k for k, e in enumerate(two.elements) if isinstance(e, FibreSpan)]
    at = places[-1] + 1 if places else len(two.elements)
    longer = (*two.elements[:at], *moved, *two.elements[at:])
    kept = tuple(e for e in one.elements if not isinstance(e, FibreSpan))
    return replace(link, arms=(replace(one, elements=kept), replace(two, elements=longer)))


def _placed(link: Link, station: str) -> Link:
    return at_end(link) if station == "end" else link


def _with_pump(scenario: Scenario, sideband: Sideband, cooperativity: float | None) -> Scenario:
    """The same hardware under another pump."""
    arms = []
    for arm in scenario.arms:
        if arm.pump is None:
            if sideband is Sideband.BLUE:
                raise ValidityError(
                    f"arm {arm.name}: '{arm.device_name}' states no pump, so it makes no pairs"
                )
            arms.append(arm)
            continue
        pump = replace(arm.pump, sideband=sideband)
        if cooperativity is not None:
            pump = arm.device.pump_for(cooperativity, pump)
        arms.append(replace(arm, pump=pump))
    return replace(scenario, arms=(arms[0], arms[1]))


def _red(scenario: Scenario) -> Scenario:
    """The scenario with converting pumps: at the same power if it was pumped blue."""
    if any(is_blue(arm) for arm in scenario.arms):
        return _with_pump(scenario, Sideband.RED, None)
    return scenario


def _emitters(scenario: Scenario, scheme: Scheme, station: str) -> tuple[Evaluate, Knobs]:
    link = _placed(link_of(_red(scenario)), station)
    require_encoding(link, scheme)

    def at(setting: Setting) -> LinkFigures:
        bright = (setting.get("bright_a", 0.5), setting.get("bright_b", 0.5))
        one, two = (
            replace(arm, photon=replace(arm.photon, bright=alpha))
            for arm, alpha in zip(link.arms, bright, strict=True)
        )
        return evaluate_link(replace(link, arms=(one, two)), scheme)

    if scheme is not Scheme.SINGLE_CLICK:
        return at, {}
    return at, {"bright_a": (1e-4, 0.5), "bright_b": (1e-4, 0.5)}


PAIR_KNOBS: dict[str, tuple[float, float]] = {
    "cooperativity": (1e-5, 0.5),
    "gate_share": (0.03, 1.0),
    "photon_over_gate": (0.1, 1.0),
}
"""What a pair source can turn: its squeezing, the gate as a share of the station's, and how long a
packet the memory catches."""


def _pairs(scenario: Scenario, scheme: Scheme, station: str) -> tuple[Evaluate, Knobs]:
    _with_pump(scenario, Sideband.BLUE, None)  # says why not, before anything is computed

    def at(setting: Setting) -> LinkFigures:
        gate = setting["gate_share"] * scenario.station.gate
        length = setting["photon_over_gate"] * gate
        pumped = _with_pump(scenario, Sideband.BLUE, setting["cooperativity"])
        pumped = replace(pumped, station=replace(scenario.station, gate=gate))
        one, two = (
            replace(arm, emitter=replace(arm.emitter, photon_fwhm=length)) for arm in pumped.arms
        )
        return evaluate_link(_placed(link_of(replace(pumped, arms=(one, two))), station), scheme)

    return at, PAIR_KNOBS


def _one_way(scenario: Scenario, protocol: str) -> tuple[Evaluate, Knobs, str]:
    scenario = _red(scenario)  # receivers convert, whatever the scenario pumps
    link = link_of(scenario)
    for arm, setup in zip(link.arms, reversed(scenario.arms), strict=True):
        _require_one_colour(arm.photon, setup)
    if protocol.startswith("direct"):
        encoding = "time-bin" if protocol == "direct-time-bin" else "path"
        _require_one_way(link, encoding)
        rails = 2 if encoding == "time-bin" else 1
        note = "checked for one photon" if rails == 2 else "no herald: a loss goes unnoticed"
        return (lambda setting: _direct(scenario, link, rails)), {}, note
    if protocol == "pair-source":
        _require_one_way(link, "time-bin")
        note = "a bright source between the arms, checked for one photon at each node"
        return (
            (lambda setting: _from_source(scenario, link, setting["pairs"])),
            {"pairs": (1e-5, 1.0)},
            note,
        )
    _require_one_way(link, "path")

    def at(setting: Setting) -> LinkFigures:
        pumped = _with_pump(scenario, Sideband.BLUE, setting["cooperativity"])
        return _teleport(scenario, link, link_of(pumped))

    _with_pump(scenario, Sideband.BLUE, None)
    note = "fidelity of a teleported coherent state: classical below 1/2"
    return at, {"cooperativity": (1e-3, 0.9)}, note


def _require_one_way(link: Link, encoding: str) -> None:
    scheme = Scheme.SINGLE_CLICK if encoding == "path" else Scheme.TIME_BIN
    require_encoding(link, scheme)


def _require_one_colour(photon: Photon, setup: ArmSetup) -> None:
    here = setup.device.converted_frequency(setup.pump)
    apart = abs(float(np.max(ordinary(photon.carrier - here))))
    if apart > SAME_CARRIER_HZ:
        raise ValidityError(
            f"arm {setup.name}: the photon and what its transducer converts are {apart:.4g} Hz "
            "apart; tune both transducers to one optical frequency (wavelength and detunings)"
        )


def received(photon: Photon, setup: ArmSetup) -> Photon:
    r"""A photon behind the receiver of a node: light converted back and caught by its memory.

    .. math:: v \to \sqrt{\epsilon}\,S_{eo}(\omega)\,v, \qquad
              N \to \epsilon\,(|S_{eo}|^2 N + N_\mathrm{out})

    Parameters
    ----------
    photon : Photon
        At the optical port of the node's transducer.
    setup : ArmSetup
        Node that receives: its device converts from light to microwave, its emission efficiency is
        that of the capture.

    Returns
    -------
    Photon
        In the node's memory; transmission and noise include the capture.
    """
    device = setup.device
    _require_one_colour(photon, setup)
    omega = photon.wave.grid.omega + np.max(device.centre(setup.pump))
    down = scattering.convert(
        device.linearise(setup.pump), device.target, device.source, np.asarray(omega)
    )
    passed = np.abs(down.amplitude) ** 2
    wave = replace(
        photon.wave,
        amplitude=photon.wave.amplitude * down.amplitude,
        noise=photon.wave.noise * passed,
    )
    company = tuple(replace(c, shape=c.shape * passed) for c in photon.company)
    own = (*company, Company(1.0, np.asarray(down.noise_out)))
    caught = replace(photon, wave=wave, company=own, pump_flux=0.0)
    caught = caught.attenuated(setup.emitter.efficiency)
    line = setup.emitter.incoming_noise
    return caught.joined_by(line) if line > 0 else caught


def _path(photon: Photon, arm: Arm, backwards: bool) -> Photon:
    """Through an arm's path: towards the middle, or from it to the node."""
    elements = backwards_through(arm.elements) if backwards else arm.elements
    return propagate(photon, elements, arm.name)[0]


def _travel(arm: Arm) -> float:
    return float(np.max(sum((element.delay for element in arm.elements), start=0.0)))


def _direct(scenario: Scenario, link: Link, rails: int) -> LinkFigures:
    one, two = link.arms
    light = _path(_path(one.photon, one, False), two, True)
    at_b = received(light, scenario.arms[1])
    tau, noise = at_b.transmission, at_b.mode_noise
    travel = _travel(one) + _travel(two)
    wait = travel + link.schedule.feedback  # until A knows
    if rails == 1:
        pair = direct_single_rail(tau, noise)
        at_home = qubit_channel(two.memory, wait)
    else:
        pair = direct_dual_rail(tau, noise, storage(two.memory, wait))
        at_home = QubitChannel(1.0, 1.0)  # its rails have waited already
    told = qubit_channel(one.memory, travel + wait)
    pair = replace(pair, state=decay(pair.state, told, at_home))
    return _figures(link, pair, (tau, tau), (noise, noise), travel, travel, rails)


def _from_source(scenario: Scenario, link: Link, pairs: float) -> LinkFigures:
    sides, noises, travels, kept = [], [], [], []
    for arm, setup in zip(link.arms, scenario.arms, strict=True):
        shape = replace(arm.photon.wave, noise=np.zeros_like(arm.photon.wave.noise))
        norm = np.sqrt(shape.norm)
        packet = replace(shape, amplitude=shape.amplitude / norm)
        start = Photon(packet, 0.0, arm.photon.carrier)
        end = received(_path(start, arm, True), setup)
        sides.append(end.transmission)
        noises.append(end.mode_noise)
        travels.append(_travel(arm))
    last = max(travels)
    for arm, own in zip(link.arms, travels, strict=True):
        # each node tells the other through both arms
        kept.append(storage(arm.memory, sum(travels) + last - own + link.schedule.feedback))
    light = Squeezed.pure(pairs).through((sides[0], sides[1]), (noises[0], noises[1]))
    light = light.through((kept[0].survival, kept[1].survival))
    pair = shared_dual_rail(light, (kept[0], kept[1]))
    tau = (sides[0], sides[1])
    return _figures(link, pair, tau, (noises[0], noises[1]), last, sum(travels), 2)


def _teleport(scenario: Scenario, red: Link, blue: Link) -> LinkFigures:
    one, two = red.arms
    source = blue.arms[0].photon
    assert source.idler is not None
    light = _path(_path(source, one, False), two, True)
    at_b = received(light, scenario.arms[1])
    tau, noise = at_b.transmission, at_b.mode_noise
    travel = _travel(one) + _travel(two)
    held = storage(one.memory, travel)
    caught = source.idler.capture * held.survival
    at_home = caught * source.idler.quanta + held.survival * source.idler.noise
    moments = Squeezed(at_home, noise, np.sqrt(caught * tau) * source.idler.cross)
    zero = Heralded(np.zeros((4, 4), dtype=np.complex128), 1.0)
    found = _figures(red, zero, (tau, tau), (noise, noise), travel, travel, 1)
    up = float(found.delivered_rate)
    return replace(
        found,
        fidelity=moments.teleported_fidelity,
        herald_fidelity=moments.teleported_fidelity,
        checked_fidelity=moments.teleported_fidelity,
        kept=1.0,
        negativity=(2.0**moments.log_negativity - 1) / 2,
        hashing=moments.hashing,
        hashing_rate=up * moments.hashing,
    )


def _figures(
    link: Link,
    pair: Heralded,
    tau: tuple[Real, Real],
    noise: tuple[Real, Real],
    travel: float,
    message: float,
    rounds: int,
) -> LinkFigures:
    """Figures of a protocol in which nothing is detected on the way."""
    schedule = replace(link.schedule, flip=0.0)
    steps = (rounds, link.station.gate, 0.0, travel, message)
    period = schedule.attempt_period(*steps)
    switches = [e.switch_time for arm in link.arms for e in arm.elements]
    up = schedule.availability(max(switches, default=0.0))
    inside = float(np.max(pair.inside))
    checked = pair.checked.normalised if inside > 0 else None
    hashing = 0.0 if checked is None else pair.kept * hashing_bound(checked)
    state = pair.state
    with np.errstate(divide="ignore", invalid="ignore"):
        coherence = np.abs(state[..., 1, 2])
        separability = state[..., 0, 0].real * state[..., 3, 3].real / coherence**2
    one_photon = rounds * pure_loss_bound(np.minimum(tau[0], tau[1]))
    return LinkFigures(
        transmission_a=tau[0],
        transmission_b=tau[1],
        noise_a=noise[0],
        noise_b=noise[1],
        added_noise_a=noise[0] / tau[0],
        added_noise_b=noise[1] / tau[1],
        noise_modes=1.0,
        overlap=1.0,
        dark_probability=0.0,
        herald_probability=pair.probability,
        herald_fidelity=pair.fidelity,
        fidelity=pair.fidelity,
        kept=pair.kept,
        checked_fidelity=0.0 if checked is None else pair.checked.fidelity,
        negativity=0.0 if checked is None else pair.kept * negativity(checked),
        latency=travel + message + schedule.feedback,
        attempt_period=period,
        waiting=period / schedule.serial_time(*steps),
        rate=pair.probability / period,
        delivered_rate=up * pair.probability / period,
        hashing=hashing,
        hashing_rate=up * pair.probability / period * hashing,
        relay_bound=one_photon,
        direct_bound=one_photon,
        separability=separability,
        noise_threshold=np.nan,
    )
