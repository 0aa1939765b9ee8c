"""Time-tagged heralds in factorised form against one joint master equation in plain QuTiP.

Levels are given wherever both sides are compared, so that the truncated models are the same.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
import qutip

from cavities import ParameterError, ValidityError
from cavities.wavepackets import TemporalMode
from fibre.clicks import ClickSource, responses, twice
from fibre.elements import FabryPerot, FibreSpan, Loss
from fibre.memory import Memory
from fibre.timed import (
    Timed,
    Watch,
    _two,
    herald_timed,
    on_off,
    over_efficiency,
    silent,
    sweep_efficiency,
    two_rounds,
)
from tests import brute_clicks
from transducer.hamiltonian import Channel, Hamiltonian, Ladder, Modulation, Term
from transducer.nodes import (
    Node,
    Transmon,
    filtered,
    pair_source,
    spin_photon,
    through,
    transmon_resonator,
)
from transducer.solvers.counting import emit_clicks
from transducer.solvers.operators import operators

AGREE = 1e-9
"""Both sides integrate at 1e-11 of a state of trace one; rates per unit time are of order one."""


def device(
    g: float,
    kappa_a: float,
    kappa_b: float,
    delta: float,
    warm: float,
    blue: bool,
    names: tuple[str, str] = ("light", "microwave"),
) -> Hamiltonian:
    """An electro-optic converter or pair source; the bath of its microwave loss is warm."""
    a, b = names
    term = Term(g, (Ladder(a, True), Ladder(b, blue)))
    return Hamiltonian(
        names,
        (term, term.adjoint(), Term(delta, (Ladder(a, True), Ladder(a)))),
        (
            Channel(f"{a}.out", ((a, np.sqrt(0.7 * kappa_a)),), 0.0),
            Channel(f"{a}.int", ((a, np.sqrt(0.3 * kappa_a)),), 0.0),
            Channel(f"{b}.port", ((b, np.sqrt(0.6 * kappa_b)),), 0.0),
            Channel(f"{b}.int", ((b, np.sqrt(0.4 * kappa_b)),), warm),
        ),
    )


SOURCE_A = device(0.30 * np.exp(0.4j), 1.0, 0.2, 0.3, 0.25, True)
SOURCE_B = device(0.25, 1.3, 0.35, -0.15, 0.4, True)


def pure(*amplitudes: complex) -> np.ndarray:
    c = np.array(amplitudes, complex) / np.linalg.norm(amplitudes)
    return np.outer(c, c.conj())


def superposed(alpha: float, phase: float = 0.0) -> np.ndarray:
    return pure(np.sqrt(1 - alpha), np.sqrt(alpha) * np.exp(1j * phase))


# --- the referee's side ----------------------------------------------------------------------------------


def embedded(node: Node, rho: np.ndarray, counts: Mapping[str, int]) -> qutip.Qobj:
    """What `rho` of the prepared states is in the whole node, by tensor products; tails are cut."""
    modes = node.model.modes
    warm = dict(node.thermal)

    def factor(mode: str, ket: int, bra: int) -> qutip.Qobj:
        d = counts[mode]
        if mode in warm:
            p = (warm[mode] / (1 + warm[mode])) ** np.arange(d)
            return qutip.Qobj(np.diag(p / p.sum()))
        return qutip.basis(d, ket) * qutip.basis(d, bra).dag()

    total = 0
    for s, one in enumerate(node.kets):
        for r, two in enumerate(node.kets):
            n, k = dict(one), dict(two)
            total = total + rho[s, r] * qutip.tensor(
                [factor(m, n.get(m, 0), k.get(m, 0)) for m in modes]
            )
    return total


def joined(node: Node, levels: Mapping[str, int], rho: np.ndarray) -> brute_clicks.Node:
    model = node.model
    counts = {m: dict(model.levels).get(m, levels.get(m, 0)) for m in model.modes}
    H, c_ops, a = operators(model, levels)
    b = sum(u * a[m] for m, u in model.channel(node.port).amplitudes)
    keep = [model.modes.index(m) for m in node.memory]
    return brute_clicks.Node(H, c_ops, b, embedded(node, rho, counts), keep)


def turned(node: Node, omega: float) -> Node:
    """The same light on a carrier of its own: the charge light - microwave is added to H."""
    extra = (
        Term(omega, (Ladder("light", True), Ladder("light"))),
        Term(-omega, (Ladder("microwave", True), Ladder("microwave"))),
    )
    return replace(node, model=replace(node.model, terms=(*node.model.terms, *extra)))


def shifted(model: Hamiltonian, by: float) -> Hamiltonian:
    """Everything in it happens `by` later."""

    def moved(m: Modulation | None) -> Modulation | None:
        if m is None:
            return None
        old: Callable[[float], complex] = m.factor
        return Modulation(lambda t: old(t - by), tuple(b + by for b in m.breaks), m.real)

    def late(t: Term) -> Term:
        return replace(t, modulation=moved(t.modulation))

    return replace(
        model,
        terms=tuple(late(t) for t in model.terms),
        channels=tuple(
            replace(c, modulations=tuple((m, moved(f)) for m, f in c.modulations))
            for c in model.channels
        ),
        jumps=tuple(replace(j, operator=tuple(late(t) for t in j.operator)) for j in model.jumps),
    )


# --- one click -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("d", "clicks"), [(3, [0.3, 1.7, 3.6]), pytest.param(4, [1.1, 2.9], marks=pytest.mark.slow)]
)
def test_the_factorised_herald_of_two_pair_sources_is_that_of_their_joint_space(
    d: int, clicks: list[float]
) -> None:
    window, phi, dark, eta, omega = 4.0, 0.7, 0.013, (0.6, 0.35), 0.45
    levels = {"light": d, "microwave": d}
    one = pair_source(SOURCE_A, "light.out", thermal={"microwave": 0.3})
    two = pair_source(SOURCE_B, "light.out")
    a = emit_clicks(one, 0.0, window, carrier=omega, levels=levels, memory_levels=d).source
    b = emit_clicks(two, 0.0, window, levels=levels, memory_levels=d).source
    a, b = a.attenuated(eta[0]).rotated(-0.2), b.attenuated(eta[1]).rotated(phi - 0.2)
    found = herald_timed(a, b, np.array(clicks), Watch((0.0, window), dark))
    # the referee turns the light in its Hamiltonian; that turns the memory too, known at the end
    nodes = (joined(turned(one, omega), levels, pure(1)), joined(two, levels, pure(1)))
    back = np.kron(np.exp(-1j * omega * window * np.arange(d)), np.ones(d))
    for k, t in enumerate(clicks):
        for sign, states in ((1, found.plus), (-1, found.minus)):
            brute = brute_clicks.single_click(nodes, eta, phi, dark, window, t, sign).full()
            brute = back[:, None] * brute * back.conj()
            assert np.abs(states[k] - brute).max() < AGREE
            if sign > 0:  # both what light of one node and what interference does is there to see
                off = np.abs(brute - np.diag(np.diag(brute))).max()
                assert off > 1e-5
    assert np.abs(found.plus - found.minus).max() > 1e-4
    none = brute_clicks.no_click(nodes, eta, phi, dark, window).full()
    none = back[:, None] * none * back.conj()
    assert np.abs(silent(a, b, Watch((0.0, window), dark)) - none).max() < AGREE


def alone(node: brute_clicks.Node, rho: qutip.Qobj, begin: float, end: float) -> qutip.Qobj:
    """Unwatched evolution of one node."""
    options = {"method": "vern7", "rtol": 1e-11, "atol": 1e-13, "nsteps": 10**7}
    options |= {"max_step": (end - begin) / 100, "normalize_output": False, "progress_bar": ""}
    options |= {"store_final_state": True}
    return qutip.mesolve(node.H, rho, [begin, end], node.c_ops, options=options).final_state


@pytest.mark.slow
def test_a_pulsed_spin_behind_a_warm_transducer_meets_a_raman_transmon_in_a_late_narrow_gate() -> (
    None
):
    """Coherences of both prepared states, packets in time, a lag, and unwatched time around."""
    begin, clock, gate, lag, omega, phi, dark = 0.0, 6.0, (1.5, 4.5), 0.4, 0.8, 0.6, 0.02
    eta = (0.55, 0.8)
    packet = TemporalMode.gaussian("emission", 2.2, 1.1, offset=0.3)
    spin = spin_photon(1.0, packet=packet, store=Memory(25.0, 18.0), dephasing=0.05, lost=0.03)
    converter = device(0.5, 2.0, 1.5, 0.2, 0.3, False)
    A = through(spin, converter, "microwave.port", "light.out", 0.8)
    pulse = Modulation(lambda t: np.exp(-(((t - 2.0) / 1.1) ** 2)), (), True)
    transmon = Transmon(3, 0.25, -0.9, T1=20.0, Tphi=15.0)
    B = transmon_resonator(transmon, pulse, 0.9, 1.2, kappa_int=0.3)
    prepared = (
        0.9 * superposed(0.4, 0.8) + 0.1 * np.diag([0.3, 0.7]),
        superposed(0.55, -1.1),
    )
    levels_a, levels_b = {"light": 2, "microwave": 2}, {"resonator": 2}
    a = emit_clicks(A, begin, clock, carrier=omega, levels=levels_a).source.attenuated(eta[0])
    b = emit_clicks(B, begin, clock, levels=levels_b, memory_levels=3).source.attenuated(eta[1])
    clicks = [2.3, 3.8]
    found = herald_timed(a, b.rotated(phi), np.array(clicks), Watch(gate, dark, lag=lag), prepared)

    late = replace(B, model=shifted(B.model, lag))  # its clock in detector time
    one, two = joined(A, levels_a, prepared[0]), joined(late, levels_b, prepared[1])
    one = one._replace(rho=alone(one, one.rho, begin, gate[0]))
    two = two._replace(rho=alone(two, two.rho, begin + lag, gate[0]))
    assert a.prepared == b.prepared == 2
    assert (a.memory, b.memory) == (2, 3)
    for t, sign in zip(clicks, (1, -1), strict=True):
        joint = brute_clicks._Joint((one, two), eta, phi + omega * t, dark, 0.0)
        free = brute_clicks._Joint((one, two), (0.0, 0.0), 0.0, 0.0, 0.0).no_click
        rho = joint.click(joint.evolve(joint.no_click, joint.rho, gate[0], t), sign)
        rho = joint.evolve(joint.no_click, rho, t, gate[1])
        rho = joint.evolve(free, rho, gate[1], clock)
        # A has come to its clock; B goes on for the lag
        spin_at = one.keep[0]
        shift = len(one.b.dims[0])
        rho = rho.ptrace([spin_at, shift, shift + 1])
        scale = rho.tr().real
        lifted = two._replace(
            H=qutip.tensor(qutip.qeye(2), two.H),
            c_ops=[qutip.tensor(qutip.qeye(2), c) for c in two.c_ops],
        )
        rho = scale * alone(lifted, rho / scale, clock, clock + lag)
        brute = rho.ptrace([0, 1]).full()
        states = found.plus if sign > 0 else found.minus
        k = clicks.index(t)
        assert np.abs(states[k] - brute).max() < AGREE
        # a click of A leaves |1>|1>, one of B |0>|0>: what bright transmons fell to is level 0
        assert abs(brute[0, 4]) > 1e-3
        assert abs(brute[0, 4].imag) > 1e-4


def test_a_photon_shape_that_jumps_clicks_at_the_square_of_its_amplitude() -> None:
    """An exponential packet begins with a jump: the factor has two values there."""
    packet = TemporalMode.exponential("emission", 1.0037, 1.3)
    source = emit_clicks(spin_photon(1.0, packet=packet), 0.0, 10.0).source.attenuated(0.7)
    dark = emit_clicks(spin_photon(1.0), 0.0, 10.0).source
    times = np.array([1.2, 2.0, 4.5])
    found = herald_timed(
        source, dark, times, Watch((0.0, 10.0)), (np.diag([0, 1]), np.diag([1, 0]))
    )
    assert found.rates == pytest.approx(0.7 * np.abs(packet.at(times)) ** 2, rel=1e-6)


@pytest.mark.slow
def test_packets_click_with_the_product_of_their_amplitudes_at_their_own_times() -> None:
    """Both emission operators move in time and are complex; the light of B comes later."""
    eta, zeta, alpha, beta, lag, phi, delta = 0.7, 0.4, 0.35, 0.2, 0.9, 0.5, 0.6
    u = TemporalMode.gaussian("emission", 7.0, 2.4, offset=0.4, chirp=0.25)
    v = TemporalMode.gaussian("emission", 6.5, 1.9, offset=-0.3, chirp=-0.15)
    a, b = (
        emit_clicks(spin_photon(1.0, packet=p), 0.0, 14.0, carrier=c).source.attenuated(e)
        for p, c, e in ((u, 0.2 + delta, eta), (v, 0.2, zeta))
    )
    one, two = superposed(alpha, 0.3), superposed(beta, -0.8)
    times, gate = np.array([6.0, 7.3, 8.8]), (0.9, 14.0)
    found = herald_timed(a, b.rotated(phi), times, Watch(gate, lag=lag), (one, two))
    f, g = u.at(times), v.at(times - lag)
    turn = np.exp(-1j * (delta * times + phi))
    expected = 0.5 * np.sqrt(eta * zeta) * one[1, 0] * two[0, 1] * f * g.conj() * turn
    # the virtual couplers leave out 1e-9 of each packet at its end
    assert found.plus[:, 2, 1] == pytest.approx(expected, abs=1e-8)
    assert found.minus[:, 2, 1] == pytest.approx(-expected, abs=1e-8)
    alone = 0.5 * eta * alpha * (1 - beta) * np.abs(f) ** 2
    assert found.plus[:, 2, 2].real == pytest.approx(alone, abs=1e-8)
    both = eta * np.abs(f) ** 2 * (1 - zeta) + zeta * np.abs(g) ** 2 * (1 - eta)
    assert found.plus[:, 3, 3].real == pytest.approx(0.5 * alpha * beta * both, abs=1e-8)
    assert np.abs(expected).min() > 1e-3
    # in two rounds A answers first and B later, or the other way round; unsorted on purpose
    t, s = np.array([8.0, 6.2]), np.array([6.8, 7.5])
    pairs = two_rounds(a, b.rotated(phi), (t, s), Watch(gate, lag=lag), (1, -1), (one, two))
    amplitude = u.at(t) * v.at(s - lag) * np.conj(v.at(t - lag) * u.at(s))
    amplitude = amplitude * np.exp(-1j * delta * (t - s))
    expected = -0.25 * eta * zeta * one[1, 0] * two[0, 1] * amplitude
    assert pairs[:, 1, 2] == pytest.approx(expected, abs=1e-8)
    assert np.abs(expected.imag).min() > 1e-5


def test_a_pulse_much_shorter_than_the_run_is_still_the_pulse_that_it_is() -> None:
    """Scaled in time, the same emission: the answer may not depend on how long the node waits."""

    def stays(centre: float, width: float, clock: float) -> float:
        shape = Modulation(
            lambda t: float(np.exp(-(((t - centre) / width) ** 2))),
            (centre - 5 * width, centre, centre + 5 * width),
            True,
        )
        node = transmon_resonator(Transmon(3), shape, 1.5 / width, 2.0 / width)
        source = emit_clicks(node, 0.0, clock, levels={"resonator": 2}, memory_levels=3).source
        watch, other = Watch((0.0, clock)), plain(1.0, clock)
        prepared = (np.diag([0, 1]), np.diag([1, 0]))
        return float(np.trace(silent(source, other, watch, prepared)).real)

    assert stays(50.0, 0.15, 100.0) == pytest.approx(stays(6.0, 1.0, 14.0), abs=1e-6)


# --- two clicks ------------------------------------------------------------------------------------------


def emitters() -> tuple[Node, Node]:
    one = spin_photon(1.0, lost=0.2, dephasing=0.1, detuning=0.3, store=Memory(9.0, 7.0))
    return one, spin_photon(0.6, lost=0.1, detuning=-0.2)


def test_on_off_of_single_emitters_is_the_joint_one_and_leaves_nothing_out() -> None:
    window, phi, eta = 5.0, 0.9, (0.8, 0.55)
    prepared = (superposed(0.4, 0.5), superposed(0.7, -0.3))
    nodes = emitters()
    a, b = (
        emit_clicks(n, 0.0, window, most=2).source.attenuated(e)
        for n, e in zip(nodes, eta, strict=True)
    )
    referee = tuple(joined(n, {}, r) for n, r in zip(nodes, prepared, strict=True))
    for sign in (1, -1):
        found = on_off(a, b.rotated(phi), Watch((0.0, window)), sign, prepared, nodes=20)
        extra = 0.0 if sign > 0 else np.pi
        brute = brute_clicks.on_off(referee, eta, phi + extra, 0.0, window).full()
        # quadrature of smooth decays and 1 - P(0) - P(1) - P(2) of four numbers near one
        assert np.abs(found.state - brute).max() < 1e-8
        assert found.remainder < 1e-8
        assert found.by_number.sum() == pytest.approx(np.trace(brute).real, abs=1e-8)
        assert found.by_number[1] > 0.01
        assert abs(found.state[1, 2]) > 0.01


def mixed(model: Hamiltonian, kind: str) -> Hamiltonian:
    """Break what a pair source conserves: down to a parity, or to nothing."""
    red = Term(0.2 * np.exp(0.5j), (Ladder("light", True), Ladder("microwave")))
    drive = Term(0.3j, (Ladder("microwave"),))
    added = {"pairs": (), "parity": (red,), "two modes": (), "driven": (drive,)}[kind]
    terms = tuple(x for t in added for x in (t, t.adjoint()))
    channels = model.channels
    if kind == "two modes":
        amplitudes = (("light", 0.8), ("microwave", 0.4j))
        channels = (replace(channels[0], amplitudes=amplitudes), *channels[1:])
    return replace(model, terms=(*model.terms, *terms), channels=channels)


@pytest.mark.parametrize("kind", ["pairs", "parity", "two modes", "driven"])
def test_two_clicks_of_any_symmetry_are_those_of_the_joint_space(kind: str) -> None:
    window, phi, dark, eta, first, later = 3.0, 0.4, 0.02, (0.6, 0.5), 0.9, 2.1
    levels = {"light": 3, "microwave": 3}
    one = pair_source(mixed(SOURCE_A, kind), "light.out")
    two = pair_source(mixed(SOURCE_B, "parity"), "light.out")
    a, b = (
        emit_clicks(n, 0.0, window, levels=levels, memory_levels=3, most=2).source.attenuated(e)
        for n, e in zip((one, two), eta, strict=True)
    )
    b = b.rotated(phi)
    watch, gate = Watch((0.0, window), dark), (0.0, window)
    answers = tuple(twice(s, first, np.array([later]), gate) for s in (a, b))
    states = [pure(1), pure(1)]
    nodes = (joined(one, levels, pure(1)), joined(two, levels, pure(1)))
    quiet = np.exp(-2 * dark * window)
    for signs in ((1, 1), (1, -1), (-1, 1)):
        found = _two(a, b, *answers, first, np.array([later]), watch, states, signs)
        setup = (nodes, eta, phi, dark, window)
        brute = brute_clicks.two_clicks(*setup, first, later, *signs).full()
        assert np.abs(quiet * found[0] - brute).max() < AGREE
        assert np.abs(brute - np.diag(np.diag(brute))).max() > 1e-5
    single = herald_timed(a, b, np.array([1.3]), watch).minus[0]
    brute = brute_clicks.single_click(nodes, eta, phi, dark, window, 1.3, -1).full()
    assert np.abs(single - brute).max() < AGREE


@pytest.mark.slow
def test_on_off_of_warm_sources_leaves_out_less_than_its_remainder() -> None:
    window, phi, dark, eta = 1.6, 0.7, 0.02, (0.6, 0.35)
    levels = {"light": 3, "microwave": 3}
    one, two = pair_source(SOURCE_A, "light.out"), pair_source(SOURCE_B, "light.out")
    a, b = (
        emit_clicks(n, 0.0, window, levels=levels, memory_levels=3, most=2).source.attenuated(e)
        for n, e in zip((one, two), eta, strict=True)
    )
    found = on_off(a, b.rotated(phi), Watch((0.0, window), dark), 1, nodes=10)
    nodes = (joined(one, levels, pure(1)), joined(two, levels, pure(1)))
    setup = (nodes, eta, phi, dark, window)
    missing = brute_clicks.on_off(*setup).full() - found.state
    assert 1e-7 < found.remainder < 1e-3
    lowest = np.linalg.eigvalsh(missing)[0]
    assert lowest > -1e-9  # what is left out is a state of three clicks or more
    assert 1e-8 < np.trace(missing).real < found.remainder
    x, w = np.polynomial.legendre.leggauss(6)
    t, w = window * (x + 1) / 2, window * w / 2
    single = sum(
        wi * brute_clicks.single_click(*setup, ti, 1).tr().real for ti, wi in zip(t, w, strict=True)
    )
    double = 0.0
    for ti, wi in zip(t, w, strict=True):
        for yi, vi in zip(*np.polynomial.legendre.leggauss(4), strict=True):
            later, weight = ti + (window - ti) * (yi + 1) / 2, (window - ti) * vi / 2
            double += wi * weight * brute_clicks.two_clicks(*setup, ti, later, 1, 1).tr().real
    # six and four Gauss points on functions that bend over one unit of time
    assert found.by_number[0] == pytest.approx(single, rel=1e-6)
    assert found.by_number[1] == pytest.approx(double, rel=1e-4, abs=0)


# --- Barrett and Kok -------------------------------------------------------------------------------------

SPREAD = (superposed(0.5), superposed(0.5))


def rounds(
    rates: tuple[float, float],
    eta: tuple[float, float],
    overlap: float = 1.0,
    carriers: tuple[float, float] = (0.0, 0.0),
    prepared: tuple[np.ndarray, np.ndarray] = SPREAD,
    phase: float = 0.0,
    n: int = 28,
) -> tuple[Timed, np.ndarray]:
    """Both click times on a product grid: states for equal and unequal detectors, and weights."""
    length = 24.0 / min(rates)  # exp(-24) is never emitted
    a, b = (
        emit_clicks(spin_photon(r), 0.0, length, carrier=c).source.attenuated(e)
        for r, c, e in zip(rates, carriers, eta, strict=True)
    )
    b = b.rotated(phase)
    x, w = np.polynomial.legendre.leggauss(n)
    t, w = length * (x + 1) / 2, length * w / 2
    first, second = (g.ravel() for g in np.meshgrid(t, t, indexing="ij"))
    weights = np.outer(w, w).ravel()
    watch = Watch((0.0, length), overlap=overlap)
    same, other = (
        sum(two_rounds(a, b, (first, second), watch, s, prepared) for s in pairs)
        for pairs in (((1, 1), (-1, -1)), ((1, -1), (-1, 1)))
    )
    return Timed(second - first, same, other, carriers[0] - carriers[1]), weights


def test_two_rounds_of_ideal_emitters_have_the_textbook_probability_and_fidelity() -> None:
    M, eta = 0.83, (0.6, 0.35)
    found, weights = rounds((1.0, 1.0), eta, M, phase=1.2)
    pair = found.summed(weights)
    assert pair.probability == pytest.approx(eta[0] * eta[1] / 2, rel=1e-9)
    assert pair.fidelity == pytest.approx((1 + M**2) / 2, abs=1e-9)  # a phase that stays drops out


def test_two_rounds_hold_an_unequal_superposition_only_where_it_was_prepared() -> None:
    """Clicks ask for one bright qubit; which of the two was bright is in the populations."""
    one, two = superposed(0.3, 0.4), superposed(0.6, -0.7)
    found, weights = rounds((1.0, 1.0), (0.6, 0.35), prepared=(one, two))
    state = found.summed(weights).state
    eta = 0.6 * 0.35
    # bright at first is dark in the end
    assert state[1, 1] == pytest.approx(eta * 0.3 * 0.4, rel=1e-9)
    assert state[2, 2] == pytest.approx(eta * 0.7 * 0.6, rel=1e-9)
    expected = eta * one[1, 0] * two[0, 1]
    assert state[1, 2] == pytest.approx(expected, rel=1e-9)
    assert abs(expected.imag) > 0.01


def test_two_rounds_of_unequal_emitters_have_the_visibility_of_their_rates() -> None:
    fast, slow, M = 1.7, 0.6, 0.9
    found, weights = rounds((fast, slow), (0.5, 0.5), M, n=40)
    V = 4 * fast * slow / (fast + slow) ** 2
    pair = found.summed(weights)
    assert pair.probability == pytest.approx(0.125, rel=1e-9)
    assert pair.fidelity == pytest.approx((1 + M**2 * V) / 2, abs=1e-9)


def test_a_known_detuning_costs_no_fidelity_in_two_rounds_and_an_unknown_one_its_lorentzian() -> (
    None
):
    rate, delta = 1.0, 0.7
    found, weights = rounds((rate, rate), (0.6, 0.35), carriers=(0.4 + delta, 0.4), n=30)
    lorentzian = 1 / (1 + (delta / rate) ** 2)
    plain = found.summed(weights).fidelity
    assert plain == pytest.approx((1 + lorentzian) / 2, abs=1e-8)
    assert found.corrected().summed(weights).fidelity == pytest.approx(1.0, abs=1e-9)
    wrong = found.corrected(-delta).summed(weights).fidelity
    assert wrong == pytest.approx((1 + 1 / (1 + (2 * delta / rate) ** 2)) / 2, abs=1e-8)


# --- the phase that turns --------------------------------------------------------------------------------


def test_the_bell_phase_turns_with_the_click_time_and_a_known_one_is_undone() -> None:
    delta, window = 1.3, 4.0
    one, two = superposed(0.3), superposed(0.2)
    a = emit_clicks(spin_photon(1.0), 0.0, window, carrier=0.5 + delta).source.rotated(0.4)
    b = emit_clicks(spin_photon(0.7), 0.0, window, carrier=0.5).source.rotated(-0.3)
    times = np.array([0.2, 0.9, 1.6, 3.3])
    found = herald_timed(a, b, times, Watch((0.0, window)), (one, two))
    assert found.turning == pytest.approx(delta)
    # |01> has the photon of B, |10> that of A: e^{i phi_B - i w_B t} against e^{i phi_A - i w_A t}
    expected = np.exp(1j * (delta * times - 0.7))
    for states, sign in ((found.plus, 1), (found.minus, -1)):
        angle = states[:, 1, 2] / np.abs(states[:, 1, 2])
        assert angle == pytest.approx(sign * expected, abs=1e-9)
    right, wrong = found.corrected(), found.corrected(0.9)
    still = right.plus[:, 1, 2] / np.abs(right.plus[:, 1, 2])
    assert still == pytest.approx(np.full(4, np.exp(-0.7j)), abs=1e-9)
    rest = wrong.plus[:, 1, 2] / np.abs(wrong.plus[:, 1, 2])
    assert rest == pytest.approx(np.exp(1j * (0.4 * times - 0.7)), abs=1e-9)
    for index in range(4):  # what is not a coherence of A stays
        diagonal = found.plus[:, index, index].real
        assert right.plus[:, index, index].real == pytest.approx(diagonal, rel=1e-14, abs=0)


# --- many efficiencies at once ---------------------------------------------------------------------------


def test_chebyshev_nodes_answer_every_pair_of_efficiencies_as_directly() -> None:
    gate = (0.4, 3.7)
    levels = {"light": 4, "microwave": 4}
    one, two = pair_source(SOURCE_A, "light.out"), pair_source(SOURCE_B, "light.out")
    a = emit_clicks(one, 0.0, 4.0, carrier=0.3, levels=levels).source
    b = emit_clicks(two, 0.0, 4.0, levels=levels).source.rotated(0.8)
    times, watch = np.array([0.9, 2.2, 3.5]), Watch(gate, 0.01, overlap=0.9)
    tables = [over_efficiency(s, times, gate, top) for s, top in ((a, 0.8), (b, 1.0))]
    assert all(0 < t.error < 1e-10 for t in tables)
    pairs = (np.array([0.05, 0.31, 0.8]), np.array([0.92, 0.17, 0.0]))
    found = sweep_efficiency((a, tables[0]), (b, tables[1]), pairs, times, watch)
    assert found.plus.shape == (3, 3, 4, 4)
    for k, (eta, zeta) in enumerate(zip(*pairs, strict=True)):
        direct = herald_timed(a.attenuated(eta), b.attenuated(zeta), times, watch)
        scale = np.abs(direct.plus).max()
        assert np.abs(found.plus[k] - direct.plus).max() < 1e-9 * scale
        assert np.abs(found.minus[k] - direct.minus).max() < 1e-9 * scale
    with pytest.raises(ParameterError, match=r"efficiency.*<= 0.8, got 0.81"):
        tables[0].at(0.81)


# --- elements of a link ----------------------------------------------------------------------------------


def plain(rate: float = 1.0, window: float = 20.0) -> ClickSource:
    return emit_clicks(spin_photon(rate), 0.0, window).source


def test_losses_and_fibres_act_on_a_click_source_as_loss_and_delay() -> None:
    source = FibreSpan("span", 2e3, 0.2e-3, 0.25e-3, 1.468)(Loss("coupler", 1.3)(plain()))
    assert source.efficiency == pytest.approx(10 ** (-0.13) * 10 ** (-0.04), rel=1e-12)
    assert source.delay == pytest.approx(2e3 * 1.468 / 299792458.0, rel=1e-12, abs=0)
    assert plain().rotated(0.3).rotated(0.4).phase == pytest.approx(0.7)
    times, bright = np.array([0.5, 3.0]), (np.diag([0, 1]), np.diag([1, 0]))
    rate = herald_timed(source, plain(), times, Watch((0.0, 20.0)), bright).rates
    assert rate == pytest.approx(source.efficiency * np.exp(-times), rel=1e-9)


def test_a_filter_behind_a_click_source_is_refused_with_what_to_do_instead() -> None:
    cavity = FabryPerot("filter", 1.0, 0.5, 0.1, 40.0)
    with pytest.raises(ValidityError, match=r"remembers what came before.*nodes\.filtered"):
        cavity(plain())


@pytest.mark.parametrize("offset", [0.0, -0.8])
def test_a_filter_cavity_inside_the_node_passes_its_width_over_the_sum_of_widths(
    offset: float,
) -> None:
    """L14b; off resonance the Lorentzian of both widths together."""
    rate, width, window = 1.0, 0.6, 90.0
    node = filtered(spin_photon(rate), width, offset)
    source = emit_clicks(node, 0.0, window).source
    assert node.port == "filter1.out"
    x, w = np.polynomial.legendre.leggauss(120)
    t, w = window * (x + 1) / 2, window * w / 2
    bright = (np.diag([0, 1]), np.diag([1, 0]))
    found = float(
        w @ herald_timed(source, plain(1.0, window), t, Watch((0.0, window)), bright).rates
    )
    both = rate + width
    expected = width / both / (1 + (2 * offset / both) ** 2)
    assert found == pytest.approx(expected, rel=1e-8)
    # silence is the rest
    quiet = np.trace(silent(source, plain(1.0, window), Watch((0.0, window)), bright)).real
    assert quiet == pytest.approx(1 - expected, rel=1e-8)


# --- sentences -------------------------------------------------------------------------------------------


def test_a_question_that_makes_no_sense_is_answered_with_a_sentence() -> None:
    source, gate = plain(), Watch((1.0, 5.0))
    ready = (superposed(0.3), superposed(0.4))
    with pytest.raises(ParameterError, match=r"click times .* lie in the gate, 1 s to 5 s"):
        herald_timed(source, source, np.array([0.5, 2.0]), gate, ready)
    with pytest.raises(ParameterError, match="must increase"):
        herald_timed(source, source, np.array([3.0, 2.0]), gate, ready)
    with pytest.raises(ParameterError, match="does not meet the node"):
        responses(source, np.array([31.0]), (30.0, 32.0))
    with pytest.raises(ParameterError, match="more than one state; give 'prepared'"):
        herald_timed(source, source, np.array([2.0]), gate)
    with pytest.raises(ParameterError, match=r"trace 1, got trace 1\.5"):
        herald_timed(source, source, np.array([2.0]), gate, (1.5 * ready[0], ready[1]))
    with pytest.raises(ParameterError, match="lowest eigenvalue -0"):
        herald_timed(source, source, np.array([2.0]), gate, (ready[0], np.diag([1.2, -0.2])))
    with pytest.raises(ParameterError, match="Hermitian 2 x 2 matrix"):
        herald_timed(source, source, np.array([2.0]), gate, (ready[0], np.eye(3) / 3))
    with pytest.raises(ParameterError, match=r"sign must be \+1 or -1, got 0"):
        on_off(source, source, gate, 0, ready)
    with pytest.raises(ParameterError, match="must open before it closes"):
        Watch((2.0, 1.0))
    with pytest.raises(ParameterError, match=r"Watch\.overlap"):
        Watch((0.0, 1.0), overlap=1.2)
    with pytest.raises(ParameterError, match=r"Watch\.dark_rate"):
        Watch((0.0, 1.0), -1.0)
    with pytest.raises(ParameterError, match=r"ClickSource\.efficiency"):
        replace(source, efficiency=1.1)
    with pytest.raises(ParameterError, match="transmittance"):
        source.attenuated(1.1)
    with pytest.raises(ParameterError, match="clock must run forwards"):
        replace(source, clock=-1.0)
    with pytest.raises(ParameterError, match="begin 3 s must be before clock 1 s"):
        emit_clicks(spin_photon(1.0), 3.0, 1.0)
    with pytest.raises(ParameterError, match="most"):
        emit_clicks(spin_photon(1.0), 0.0, 1.0, most=3)


def test_a_warm_port_and_a_memory_that_does_not_fit_are_refused() -> None:
    with pytest.raises(ValidityError, match="what is counted there"):
        emit_clicks(spin_photon(1.0, occupation=0.1), 0.0, 1.0)
    with pytest.raises(ParameterError, match="memory 'spin' has 2 levels, 3 are to be read"):
        emit_clicks(spin_photon(1.0), 0.0, 1.0, memory_levels=3)
    levels = {"light": 3, "microwave": 3}
    pairs = emit_clicks(
        pair_source(SOURCE_A, "light.out"), 0.0, 1.0, levels=levels, memory_levels=3
    ).source
    t = np.array([0.5])
    with pytest.raises(ParameterError, match="two_rounds needs nodes whose memory is a qubit"):
        two_rounds(pairs, pairs, (t, t), Watch((0.0, 1.0)), (1, 1), (pure(1), pure(1)))
    nine = herald_timed(pairs, pairs, t, Watch((0.0, 1.0)))
    with pytest.raises(ValidityError, match="these memories have 9 states"):
        nine.corrected(0.1)
    four = nine.qubits((3, 3))
    assert four.plus.shape == (1, 4, 4)
    assert four.plus[0, 1, 2] == nine.plus[0, 1, 3]
    assert four.plus[0, 3, 3] == nine.plus[0, 4, 4]
    assert four.corrected(0.1).plus.shape == (1, 4, 4)


def test_a_fock_space_that_grows_by_itself_answers_as_a_larger_one() -> None:
    one = pair_source(SOURCE_A, "light.out")
    made = emit_clicks(one, 0.0, 3.0, accuracy=1e-4)
    assert made.truncation is not None
    assert "conserved is" in made.route
    larger = {m: n + 3 for m, n in made.truncation.levels.items()}
    direct = emit_clicks(one, 0.0, 3.0, levels=larger).source
    times = np.array([0.7, 1.9])
    quick, slow = (responses(s, times, (0.2, 2.8), 0.7) for s in (made.source, direct))
    for name in ("silent", "click", "left"):
        x, y = getattr(quick, name), getattr(slow, name)
        assert np.abs(x - y).max() < 2e-4 * max(np.abs(y).max(), 1e-3)
