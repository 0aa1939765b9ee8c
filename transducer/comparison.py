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
from fibre.budget import Arm, Link, propagate
from fibre.elements import Element, FibreSpan, Switch
from fibre.figures import LinkFigures
from fibre.herald import EMITTERS, PSI_PLUS, Detection, Heralded, Scheme
from fibre.link import evaluate_link, require_encoding, tallied
from fibre.memory import QubitChannel, decay, depolarised, qubit_channel
from fibre.one_way import Squeezed, direct_dual_rail, direct_single_rail, shared_dual_rail
from fibre.pair_herald import storage
from fibre.photon import SAME_CARRIER_HZ, Company, Photon, overlap
from transducer.chain import is_blue, link_of
from transducer.goals import Goal, Setting, best_setting
from transducer.scenario import ArmSetup, Scenario, registered
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
    fixed_shape: bool = False,
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
    fixed_shape : bool
        Whether emitters keep the scenario's gate and photon instead of turning both.

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
                found.append(_at_best(scenario, protocol, station, goal, fixed_shape))
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


def _at_best(
    scenario: Scenario, protocol: str, station: str, goal: Goal, fixed_shape: bool
) -> Compared:
    note = ""
    if protocol in ONE_WAY:
        evaluate, knobs, note = _one_way(scenario, protocol)
    elif Scheme(protocol) in EMITTERS:
        evaluate, knobs = _emitters(scenario, Scheme(protocol), station, goal, fixed_shape)
    else:
        evaluate, knobs = _pairs(scenario, Scheme(protocol), station)
        note = "idlers up to one quantum count as qubits"
    setting, figures = best_setting(evaluate, knobs, goal) if knobs else ({}, evaluate({}))
    if protocol == Scheme.SINGLE_CLICK.value:  # its populations, once gate and photon are known
        bright = {name: (float(BRIGHT[0]), float(BRIGHT[-1])) for name in ("bright_a", "bright_b")}
        shape = dict(setting)
        setting, figures = best_setting(lambda s: evaluate({**shape, **s}), bright, goal)
        setting = {**shape, **setting}
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


SHAPES: dict[str, tuple[float, float]] = {"gate_share": (0.03, 1.0), "photon_over_gate": (0.1, 2.0)}
"""What every node can turn: the gate as a share of the station's, and its photon over that gate."""


def _shaped(scenario: Scenario, setting: Setting) -> Scenario:
    """The same hardware with another gate and another photon."""
    gate = setting["gate_share"] * scenario.station.gate
    length = setting["photon_over_gate"] * gate
    one, two = (
        replace(arm, emitter=replace(arm.emitter, photon_fwhm=length)) for arm in scenario.arms
    )
    station, schedule = replace(scenario.station, gate=gate), scenario.schedule
    if scenario.registration is not None:  # the phase between bins depends on their distance
        station, schedule = registered(scenario.registration, station, schedule)
    return replace(scenario, arms=(one, two), station=station, schedule=schedule)


BRIGHT = np.geomspace(1e-4, 0.5, 24)
"""Bright-state populations of the grid on which a single click is searched."""


def _emitters(
    scenario: Scenario, scheme: Scheme, station: str, goal: Goal, fixed_shape: bool
) -> tuple[Evaluate, Knobs]:
    red = _red(scenario)
    link = _placed(link_of(red), station)
    require_encoding(link, scheme)
    overlap(link.arms[0].photon, link.arms[1].photon)  # of one colour

    def placed(setting: Setting) -> Link:
        if "gate_share" not in setting:
            return link
        return _placed(link_of(_shaped(red, setting)), station)

    def at(setting: Setting) -> LinkFigures:
        link = placed(setting)
        if scheme is not Scheme.SINGLE_CLICK:
            return evaluate_link(link, scheme)
        bright = [setting[name] for name in ("bright_a", "bright_b") if name in setting]
        if bright:
            return evaluate_link(_bright(link, bright[0], bright[1]), scheme)
        grid = _bright(link, BRIGHT[:, None], BRIGHT[None, :])
        return goal.pick(evaluate_link(grid, scheme))[1]

    return at, {} if fixed_shape else SHAPES


def _bright(link: Link, one: Real, two: Real) -> Link:
    arms = [
        replace(arm, photon=replace(arm.photon, bright=alpha))
        for arm, alpha in zip(link.arms, (one, two), strict=True)
    ]
    return replace(link, arms=(arms[0], arms[1]))


PAIR_KNOBS: dict[str, tuple[float, float]] = {"cooperativity": (1e-5, 0.5), **SHAPES}
"""What a pair source can turn: its squeezing, too."""


def _pairs(scenario: Scenario, scheme: Scheme, station: str) -> tuple[Evaluate, Knobs]:
    _with_pump(scenario, Sideband.BLUE, None)  # says why not, before anything is computed

    def at(setting: Setting) -> LinkFigures:
        pumped = _with_pump(scenario, Sideband.BLUE, setting["cooperativity"])
        return evaluate_link(_placed(link_of(_shaped(pumped, setting)), station), scheme)

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
        phase = link.station.phase_rms
    else:
        pair = direct_dual_rail(tau, noise, storage(two.memory, wait))
        at_home = QubitChannel(1.0, 1.0)  # its rails have waited already
        phase = link.station.change_rms(False)
    told = qubit_channel(one.memory, travel + wait)
    pair = replace(pair, state=decay(pair.state, told, at_home))
    # the photon that B holds has passed the switches of both arms
    switches = [(1, e) for arm in link.arms for e in arm.elements if isinstance(e, Switch)]
    pair = _disturbed(pair, phase, switches)
    return _figures(link, pair, (tau, tau), (noise, noise), travel, travel, rails)


def _disturbed(pair: Heralded, phase: Real, switches: Sequence[tuple[int, Switch]]) -> Heralded:
    """A pair behind phase noise, and behind switches that turn the qubit that passed."""
    state = pair.state.copy()
    lost = np.exp(-np.square(phase) / 2)
    state[..., 1, 2] *= lost
    state[..., 2, 1] *= lost
    for side, switch in switches:
        if switch.depolarising > 0:
            state = depolarised(state, side, switch.depolarising)
    return replace(pair, state=state)


def _from_source(scenario: Scenario, link: Link, pairs: float) -> LinkFigures:
    sides, noises, travels, kept = [], [], [], []
    for arm, setup in zip(link.arms, scenario.arms, strict=True):
        shape = replace(arm.photon.wave, noise=np.zeros_like(arm.photon.wave.noise))
        packet = replace(shape, amplitude=shape.amplitude / np.sqrt(shape.norm))
        end = received(_path(Photon(packet, 0.0, arm.photon.carrier), arm, True), setup)
        sides.append(end.transmission)
        noises.append(end.mode_noise)
        travels.append(_travel(arm))
    last = max(travels)
    for arm, own in zip(link.arms, travels, strict=True):
        # each node tells the other through both arms
        kept.append(storage(arm.memory, sum(travels) + last - own + link.schedule.feedback))
    light = Squeezed.pure(pairs).through((sides[0], sides[1]), (noises[0], noises[1]))
    light = light.through((kept[0].survival, kept[1].survival))
    switches = [
        (side, e)
        for side, arm in enumerate(link.arms)
        for e in arm.elements
        if isinstance(e, Switch)
    ]
    pair = shared_dual_rail(light, (kept[0], kept[1]))
    pair = _disturbed(pair, link.station.change_rms(False), switches)
    tau, noise = (sides[0], sides[1]), (noises[0], noises[1])
    return _figures(link, pair, tau, noise, last, sum(travels), 2)


def _teleport(scenario: Scenario, red: Link, blue: Link) -> LinkFigures:
    one, two = red.arms
    source = blue.arms[0].photon
    assert source.idler is not None
    for element in (*one.elements, *two.elements):
        if isinstance(element, Switch) and element.depolarising > 0:
            raise ValidityError(
                f"'{element.name}': only a fidelity loss of qubits is known of it, which says "
                "nothing of squeezed light; choose a switch that states its loss and isolation"
            )
    at_b = received(_path(_path(source, one, False), two, True), scenario.arms[1])
    travel = _travel(one) + _travel(two)
    held = storage(one.memory, travel + travel + red.schedule.feedback)
    late = storage(two.memory, travel + red.schedule.feedback)
    tau, noise = at_b.transmission * late.survival, at_b.mode_noise * late.survival
    caught = source.idler.capture * held.survival
    at_home = caught * source.idler.quanta + held.survival * source.idler.noise
    lost = np.exp(-np.square(red.station.phase_rms) / 2) * held.coherence * late.coherence
    moments = Squeezed(at_home, noise, lost * np.sqrt(caught * tau) * source.idler.cross)
    bell = Heralded(np.outer(PSI_PLUS, PSI_PLUS).astype(np.complex128))
    found = _figures(red, bell, (tau, tau), (noise, noise), travel, travel, 1)
    fidelity = moments.teleported_fidelity
    return replace(
        found,
        fidelity=fidelity,
        herald_fidelity=fidelity,
        checked_fidelity=fidelity,
        negativity=(2.0**moments.log_negativity - 1) / 2,
        hashing=moments.hashing,
        hashing_rate=float(found.delivered_rate) * moments.hashing,
        separability=np.nan,
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
    schedule = replace(link.schedule, flip=0.0, modes=1)  # nothing chooses between modes
    steps = (rounds, link.station.gate, 0.0, travel, message)
    seen_ = Detection(*tau, *noise)
    with np.errstate(divide="ignore", invalid="ignore"):
        coherence = np.abs(pair.state[..., 1, 2])
        separability = pair.state[..., 0, 0].real * pair.state[..., 3, 3].real / coherence**2
    most = rounds * pure_loss_bound(np.minimum(*tau))
    return replace(
        tallied(link, schedule, steps, seen_, pair, pair),
        relay_bound=most,
        direct_bound=most,
        separability=separability,
    )
