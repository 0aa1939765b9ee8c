"""Reduced master equations against plain QuTiP on the whole space, for every device and node.

Levels are given wherever both sides are compared, so that the truncated models are the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
import qutip

from cavities import ParameterError, TruncationError, ValidityError
from tests.test_engine_cases import CASES, Case, in_fock_space
from transducer.hamiltonian import (
    Channel,
    Hamiltonian,
    Jump,
    Ladder,
    Modulation,
    Polynomial,
    Term,
    Transition,
    adjoint,
    lowering,
    number,
    transition,
)
from transducer.progress import Interrupted, Progress
from transducer.solvers import reduced, regression
from transducer.solvers.blocks import Space
from transducer.solvers.operators import operators, polynomial
from transducer.solvers.reduced import Evolution, evolve
from transducer.solvers.regression import correlation, propagator, spectrum, steady
from transducer.solvers.start import Start
from transducer.solvers.symmetry import conserved
from transducer.solvers.truncation import Trial, distance

Levels = Mapping[str, int]
AGREE = 1e-7
"""The integrator works at 1e-8 relative to the state; expectation values add up a few of these."""


def up(mode: str) -> Ladder:
    return Ladder(mode, True)


def down(mode: str) -> Ladder:
    return Ladder(mode)


def with_adjoint(
    coefficient: complex, *ops: Ladder | Transition, factor: Modulation | None = None
) -> tuple[Term, Term]:
    term = Term(coefficient, ops, factor)
    return term, term.adjoint()


def detuned(mode: str, delta: float) -> Term:
    return Term(delta, (up(mode), down(mode)))


# --- the referee ----------------------------------------------------------------------------------


def prepared(model: Hamiltonian, start: Start, levels: Levels) -> qutip.Qobj:
    """The start by tensor products; thermal modes cut at their levels."""
    counts = [levels[m] for m in model.modes]
    ket = 0
    warm = dict(start.thermal)
    for amplitude, occupied in start.ket:
        n = dict(occupied)
        ket = ket + amplitude * qutip.tensor(
            [qutip.basis(d, n.get(m, 0)) for m, d in zip(model.modes, counts, strict=True)]
        )
    rho = qutip.ket2dm(ket)
    for k, mode in enumerate(model.modes):
        if mode not in warm:
            continue
        # ground states of the others are untouched by a shift up of this one
        parts = []
        weights = (warm[mode] / (1 + warm[mode])) ** np.arange(counts[k])
        for n, p in enumerate(weights / weights.sum()):
            jump = qutip.basis(counts[k], n) * qutip.basis(counts[k], 0).dag()
            lift = qutip.tensor([jump if j == k else qutip.qeye(d) for j, d in enumerate(counts)])
            parts.append(p * lift * rho * lift.dag())
        rho = sum(parts[1:], parts[0])
    return rho


def whole(
    model: Hamiltonian,
    start: Start,
    times: np.ndarray,
    asked: Mapping[str, Polynomial],
    levels: Levels,
) -> tuple[dict[str, np.ndarray], qutip.Qobj]:
    """QuTiP's mesolve in the whole space; what was asked, and the state at the end."""
    H, c_ops, a = operators(model, levels)
    observables = [polynomial(op, a, levels) for op in asked.values()]
    options = {
        "method": "vern7",
        "rtol": 1e-10,
        "atol": 1e-12,
        "nsteps": 10**6,
        "normalize_output": False,
        "store_final_state": True,
        "max_step": (times[-1] - times[0]) / 20,
        "progress_bar": "",
    }
    rho = prepared(model, start, levels)
    found = qutip.mesolve(H, rho, times, c_ops, e_ops=observables, options=options)
    values = {name: np.asarray(v) for name, v in zip(asked, found.expect, strict=True)}
    return values, found.final_state


def agree(
    model: Hamiltonian,
    start: Start,
    times: np.ndarray,
    asked: Mapping[str, Polynomial],
    levels: Levels,
    *,
    kept: Sequence[str] = (),
    within: float = AGREE,
) -> Evolution:
    """Everything asked is compared at every instant, and must be there to be compared."""
    ours = evolve(model, start, times, asked, levels=levels, kept=kept)
    theirs, rho = whole(model, start, times, asked, levels)
    for name, expected in theirs.items():
        assert ours.values[name].shape == times.shape
        assert np.max(np.abs(ours.values[name] - expected)) < within, name
        assert np.max(np.abs(expected)) > 1e-4, f"{name} says nothing"
    if kept:
        part = rho.ptrace([model.modes.index(m) for m in kept])
        places = sorted(range(len(kept)), key=lambda k: model.modes.index(kept[k]))
        if places != list(range(len(kept))):
            part = part.permute([places.index(k) for k in range(len(kept))])
        assert ours.dimensions == tuple(levels[m] for m in kept)
        assert np.max(np.abs(ours.state - part.full())) < within
    return ours


def fastest(model: Hamiltonian) -> float:
    rates = [abs(t.coefficient) for t in model.terms] + [c.kappa for c in model.channels]
    return max(rates)


# --- every device ---------------------------------------------------------------------------------


def small(model: Hamiltonian) -> dict[str, int]:
    """Unequal levels, so that no two modes can be exchanged: 4, 3 or 3, 4, 2 or 3, 3, 2, 2."""
    sizes = {2: (4, 3), 3: (3, 4, 2), 4: (3, 3, 2, 2)}[len(model.modes)]
    return dict(zip(model.modes, sizes, strict=True))


@in_fock_space
def test_quanta_of_every_device_follow_plain_qutip_from_a_number_state(case: Case) -> None:
    model = case.device.hamiltonian(case.pump)
    asked = {m: number(m) for m in model.modes}
    first, second = model.modes[:2]
    asked["exchanged"] = (
        Term(1.0, (up(first), down(second))),
        Term(0.5, (down(first), down(second))),
    )
    start = Start.fock(**{second: 1, first: 1})
    times = np.array([0.0, 0.7, 2.0, 5.0]) / fastest(model)
    found = agree(model, start, times, asked, small(model), kept=(second, first))
    assert found.route.startswith("reduced to")
    assert found.truncation is None


@in_fock_space
def test_amplitudes_of_every_device_follow_plain_qutip_from_a_warm_superposition(
    case: Case,
) -> None:
    model = case.device.hamiltonian(case.pump)
    first, second = model.modes[:2]
    start = Start.superposed((0.6, {}), (0.8j, {first: 1})).warmed(**{second: 0.3})
    asked = {"a": lowering(first), "b": lowering(second), "b dag": adjoint(lowering(second))}
    asked |= {"quanta": number(first)}
    times = np.array([0.0, 0.4, 1.5, 4.0]) / fastest(model)
    found = agree(model, start, times, asked, small(model), kept=(first,))
    assert found.values["b dag"] == pytest.approx(np.conj(found.values["b"]), abs=1e-12)


def test_the_operators_of_a_device_are_those_written_by_hand() -> None:
    """Electro-optic with direct path: C = 0.9, kappa_o = 2, kappa_e = 1.1, g0 = 1 + 0.4 e^0.8i."""
    case = next(c for c in CASES if c.name == "electro-optic with direct path")
    H, c_ops, a = operators(case.device.hamiltonian(case.pump), {"optical": 4, "microwave": 3})
    o = qutip.tensor(qutip.destroy(4), qutip.qeye(3))
    e = qutip.tensor(qutip.qeye(4), qutip.destroy(3))
    assert (a["optical"] - o).norm() == 0
    assert (a["microwave"] - e).norm() == 0
    G = np.sqrt(0.9 * 2.0 * 1.1 / 4) * np.exp(1j * np.angle(1 + 0.4 * np.exp(0.8j)))
    by_hand = (0.4 - 0.15) * o.dag() * o - 0.2 * e.dag() * e
    by_hand += G * o.dag() * e + np.conj(G) * e.dag() * o
    assert (H - by_hand).norm() < 1e-13
    baths = [(1.3 * 0.81, o, 0.003), (1.3 * 0.19, o, 0.003), (0.7, o, 0.003)]
    baths += [(0.8, e, 0.01), (0.3, e, 0.015)]
    expected = []
    for rate, op, n in baths:
        expected += [np.sqrt(rate * (n + 1)) * op, np.sqrt(rate * n) * op.dag()]
    assert len(c_ops) == len(expected)
    for mine, theirs in zip(c_ops, expected, strict=True):
        assert (mine - theirs).norm() < 1e-13


def test_the_operators_of_a_moving_node_are_those_written_by_hand() -> None:
    """Warming acts on the thermal parts alone; the tunable port moves under the root."""
    tunable = Modulation(lambda t: np.exp(-t + 0.5j * t))
    heats = Modulation(lambda t: 1 + t**2, real=True)
    channel = Channel("port", (("a", 0.9j),), 0.4, (("a", tunable),), heats)
    model = Hamiltonian(
        ("q", "a"),
        with_adjoint(0.3j, Transition("q", 1, 0), down("a"), factor=tunable),
        (channel,),
        jumps=(Jump("dephasing", (Term(0.35, (Transition("q", 1, 1),)),)),),
        levels=(("q", 2),),
    )
    H, c_ops, _ = operators(model, {"a": 3})
    sigma_plus = qutip.tensor(qutip.basis(2, 1) * qutip.basis(2, 0).dag(), qutip.qeye(3))
    a = qutip.tensor(qutip.qeye(2), qutip.destroy(3))
    t, f, w = 0.7, np.exp(-0.7 + 0.35j), 1.49
    coupling = 0.3j * f * sigma_plus * a
    assert (H(t) - coupling - coupling.dag()).norm() < 1e-13
    one, loss, gain, dephasing = c_ops
    assert (one(t) - 0.9j * f * a).norm() < 1e-13
    assert (loss(t) - np.sqrt(0.4 * w) * 0.9j * f * a).norm() < 1e-13
    assert (gain(t) - np.sqrt(0.4 * w) * np.conj(0.9j * f) * a.dag()).norm() < 1e-13
    assert (dephasing - 0.35 * sigma_plus * sigma_plus.dag()).norm() < 1e-13


# --- nodes ----------------------------------------------------------------------------------------


def node(delta_q: float, delta_c: float, phase: float = 0.5) -> Hamiltonian:
    """A dephasing qubit that exchanges with a resonator in two baths."""
    return Hamiltonian(
        ("qubit", "cavity"),
        (
            detuned("qubit", delta_q),
            detuned("cavity", delta_c),
            *with_adjoint(0.8 * np.exp(1j * phase), Transition("qubit", 1, 0), down("cavity")),
        ),
        (
            Channel("out", (("cavity", 0.9),), 0.05),
            Channel("inside", (("cavity", 0.3j),), 0.4),
        ),
        jumps=(
            Jump("dephasing", (Term(0.35, (Transition("qubit", 1, 1),)),)),
            Jump("relaxation", (Term(0.2, (Transition("qubit", 0, 1),)),)),
        ),
        levels=(("qubit", 2),),
    )


NODE_LEVELS = {"qubit": 2, "cavity": 5}
NODE_TIMES = np.array([0.0, 0.6, 1.9, 6.0])
NODE_ASKED = {
    "excited": number("qubit"),
    "photons": number("cavity"),
    "exchanged": (Term(1j, (Transition("qubit", 1, 0), down("cavity"))),),
}


def test_a_detuned_qubit_and_its_resonator_are_not_folded_and_follow_plain_qutip() -> None:
    found = agree(node(0.6, -0.35), Start.fock(qubit=1), NODE_TIMES, NODE_ASKED, NODE_LEVELS)
    assert "folded" not in found.route


def test_a_resonant_qubit_and_its_resonator_fold_into_fewer_unknowns() -> None:
    start = Start.fock(qubit=1).warmed(cavity=0.25)
    alike = agree(node(0.0, 0.0), start, NODE_TIMES, NODE_ASKED, NODE_LEVELS)
    apart = agree(node(0.6, -0.35), start, NODE_TIMES, NODE_ASKED, NODE_LEVELS)
    assert "folded" in alike.route
    assert unknowns(alike) < unknowns(apart) < 100
    # a common detuning is a change of frame: the block of order zero does not see it
    turning = agree(node(0.7, 0.7), start, NODE_TIMES, NODE_ASKED, NODE_LEVELS)
    assert "folded" in turning.route


def unknowns(found: Evolution) -> int:
    return int(found.route.split()[2])


def test_a_superposed_qubit_lends_its_phase_to_the_resonator() -> None:
    """<sigma> and <a> from (0.6 |0> + 0.8i |1>), and their joint state in either order."""
    start = Start.superposed((0.6, {}), (0.8j, {"qubit": 1}))
    asked = {"sigma": transition("qubit", 0, 1), "a": lowering("cavity"), **NODE_ASKED}
    for kept in (("qubit", "cavity"), ("cavity", "qubit"), ("qubit",)):
        agree(node(0.6, -0.35), start, NODE_TIMES, asked, NODE_LEVELS, kept=kept)


def test_a_state_of_two_quanta_and_none_has_a_coherence_of_order_two() -> None:
    start = Start.superposed((0.8, {}), (-0.6j, {"cavity": 2}))
    squared = {"aa": (Term(1.0, (down("cavity"), down("cavity"))),)}
    found = agree(node(0.6, -0.35), start, NODE_TIMES, squared, NODE_LEVELS, kept=("cavity",))
    assert "orders 0, 2" in found.route
    # what nobody asks is left out
    alone = evolve(node(0.6, -0.35), start, NODE_TIMES, {"n": number("cavity")}, levels=NODE_LEVELS)
    assert "orders 0" in alone.route
    assert "2" not in alone.route.split("orders")[1]


def test_two_squeezed_modes_follow_plain_qutip_by_the_difference_of_their_levels() -> None:
    model = Hamiltonian(
        ("a", "b"),
        (detuned("a", 0.3), detuned("b", -0.1), *with_adjoint(0.25 + 0.1j, up("a"), up("b"))),
        (Channel("of a", (("a", 1.1),), 0.15), Channel("of b", (("b", 0.7),), 0.05)),
    )
    asked = {"a": number("a"), "b": number("b"), "pair": (Term(1.0, (down("a"), down("b"))),)}
    times = np.array([0.0, 0.8, 3.0])
    found = agree(model, Start.fock(a=1), times, asked, {"a": 5, "b": 4}, kept=("b", "a"))
    assert "n(a) - n(b)" in found.route or "n(b)" in found.route.split("conserved is")[1]
    assert {abs(q) for q in conserved(model).charges[0]} == {1}
    assert int(np.prod(conserved(model).charges[0])) == -1
    assert "folded" not in found.route


def test_a_port_that_two_modes_share_makes_them_interfere() -> None:
    shared = Channel("shared", (("a", 0.9 * np.exp(0.4j)), ("b", 0.6j)), 0.3)
    model = Hamiltonian(
        ("a", "b"),
        (detuned("a", 0.5), detuned("b", -0.2)),
        (shared, Channel("inside", (("b", 0.4),), 0.1)),
    )
    cross = {"cross": (Term(1.0, (up("a"), down("b"))),), "a": number("a"), "b": number("b")}
    times = np.array([0.0, 0.5, 2.5])
    agree(model, Start.fock(a=2), times, cross, {"a": 4, "b": 5}, kept=("a", "b"))
    resonant = replace(model, terms=())
    found = agree(resonant, Start.fock(a=2), times, cross, {"a": 4, "b": 5})
    assert "folded" in found.route  # its complex amplitudes are gauged away
    apart = replace(
        model,
        channels=(
            Channel("one", (("a", 0.9),), 0.3),
            Channel("two", (("b", 0.6),), 0.3),
        ),
    )
    other = evolve(apart, Start.fock(a=2), times, cross, levels={"a": 4, "b": 5})
    assert np.max(np.abs(other.values["cross"])) == 0


def test_a_kerr_term_turns_the_phase_of_each_number_apart() -> None:
    model = Hamiltonian(
        ("a", "b"),
        (
            detuned("a", 0.2),
            Term(0.45, (up("a"), up("a"), down("a"), down("a"))),
            *with_adjoint(0.5j, up("a"), down("b")),
        ),
        (Channel("out", (("a", 0.5),), 0.1), Channel("other", (("b", 0.8),), 0.02)),
    )
    start = Start.superposed((0.6, {"a": 1}), (0.64j, {"a": 2}), (-0.48, {"a": 1, "b": 1}))
    asked = {"a": lowering("a"), "b": lowering("b"), "n": number("a")}
    found = agree(model, start, np.array([0.0, 1.0, 3.0]), asked, {"a": 5, "b": 4})
    assert not model.gaussian
    assert "orders 0, 1" in found.route


def test_three_waves_with_weighted_charges_follow_plain_qutip() -> None:
    """a^dag b b and a^dag b p together: charges with weights, two of them, and both kept apart."""
    model = Hamiltonian(
        ("a", "b", "p"),
        with_adjoint(0.7 - 0.2j, up("a"), down("b"), down("p")),
        tuple(Channel(m, ((m, u),), 0.1) for m, u in (("a", 0.8), ("b", 0.5), ("p", 0.3))),
    )
    start = Start.superposed((0.6, {"b": 1, "p": 2}), (0.8, {"a": 1, "p": 1}))
    asked = {m: number(m) for m in model.modes}
    asked |= {"wave": (Term(1j, (up("a"), down("b"), down("p"))),)}
    found = agree(model, start, np.array([0.0, 0.9, 2.5]), asked, {"a": 3, "b": 3, "p": 4})
    assert len(conserved(model).charges) == 2
    assert unknowns(found) < 100  # of 1296
    pairs = Hamiltonian(
        ("a", "b"),
        with_adjoint(0.7 - 0.2j, up("a"), down("b"), down("b")),
        (Channel("a", (("a", 0.8),), 0.1), Channel("b", (("b", 0.5),), 0.2)),
    )
    start = Start.superposed((0.6, {"b": 2}), (0.8, {"a": 1, "b": 1}))
    asked = {"a": number("a"), "b": number("b"), "<b>": lowering("b")}
    agree(pairs, start, np.array([0.0, 0.9, 2.5]), asked, {"a": 4, "b": 6}, kept=("b",))


# --- less or no symmetry --------------------------------------------------------------------------


def driven(*more: Term) -> Hamiltonian:
    return Hamiltonian(
        ("a", "b"),
        (detuned("a", 0.3), *with_adjoint(0.4, up("a"), down("b")), *more),
        (Channel("of a", (("a", 0.9),), 0.1), Channel("of b", (("b", 0.6),), 0.03)),
    )


def test_a_linear_drive_leaves_plain_mesolve_and_the_route_says_so() -> None:
    model = driven(*with_adjoint(0.2 + 0.3j, down("b")))
    assert not conserved(model).exists
    asked = {"a": lowering("a"), "b": number("b")}
    start = Start.superposed((0.6, {}), (0.8j, {"a": 1}))
    found = agree(model, start, np.array([0.0, 1.0, 3.0]), asked, {"a": 4, "b": 5}, kept=("b", "a"))
    assert found.route == "plain mesolve on 400 unknowns: no charge survives"
    assert str(found).startswith("plain mesolve")


@pytest.mark.parametrize(
    "mixed",
    [
        pytest.param(
            (Term(0.5, (Ladder("a"),)), Term(0.2j, (Ladder("a", True),))), id="a and adag"
        ),
        pytest.param((Term(0.5, (Ladder("a"),)), Term(0.3, ())), id="a and one"),
        pytest.param((Term(0.5j, (Ladder("a"),)), Term(0.3, (Ladder("b"),) * 2)), id="a and bb"),
    ],
)
def test_a_jump_of_mixed_charge_is_not_split_by_a_symmetry_it_does_not_have(
    mixed: tuple[Term, ...],
) -> None:
    model = replace(driven(), jumps=(Jump("mixed", mixed),))
    asked = {"a": number("a"), "b": lowering("b"), "bb": (Term(1.0, (down("b"), down("b"))),)}
    start = Start.superposed((0.8, {}), (0.48j, {"b": 1}), (0.36, {"b": 2}))
    agree(model, start, np.array([0.0, 1.0, 3.0]), asked, {"a": 4, "b": 5}, kept=("b",))
    assert len(conserved(model).charges) == 0


def test_squeezing_one_mode_keeps_its_parity_and_follows_plain_qutip() -> None:
    model = driven(*with_adjoint(0.2 + 0.1j, down("b"), down("b")))
    found_symmetry = conserved(model)
    assert len(found_symmetry.charges) == 0
    assert len(found_symmetry.parities) == 1
    asked = {
        "a": number("a"),
        "bb": (Term(1.0, (down("b"), down("b"))),),
        "mixed": (Term(1j, (up("b"), down("a"))),),
    }
    times = np.array([0.0, 1.0, 3.0])
    levels = {"a": 4, "b": 6}
    even = agree(model, Start.fock(b=1), times, asked, levels, kept=("b", "a"))
    assert "parity of" in even.route
    assert unknowns(even) == (4 * 6) ** 2 // 2
    odd = {**asked, "b": lowering("b")}
    start = Start.superposed((0.6, {}), (0.8j, {"b": 1}))
    agree(model, start, times, odd, levels, kept=("a",))


# --- in time --------------------------------------------------------------------------------------

BUMP = Modulation(lambda t: np.exp(-((t - 1.2) ** 2)), real=True)
CHIRP = Modulation(lambda t: np.exp(-((t - 1.0) ** 2) - 0.7j * (t - 0.5) ** 2))
TUNED = Modulation(lambda t: 0.3 + np.exp(1j * t) * np.sin(0.9 * t))
HEATED = Modulation(lambda t: 3 * t**2 * np.exp(-t), real=True)
PULSE_TIMES = np.array([0.0, 0.9, 1.7, 4.0])


@pytest.mark.parametrize("factor", [BUMP, CHIRP], ids=["real pulse", "chirped pulse"])
def test_a_pulsed_coupling_follows_plain_qutip(factor: Modulation) -> None:
    still = node(0.0, 0.0)
    pulsed = replace(
        still,
        terms=with_adjoint(1.1 - 0.4j, Transition("qubit", 1, 0), down("cavity"), factor=factor),
    )
    found = agree(
        pulsed, Start.fock(qubit=1), PULSE_TIMES, NODE_ASKED, NODE_LEVELS, kept=("cavity", "qubit")
    )
    assert ("folded" in found.route) == factor.real
    start = Start.superposed((0.6, {}), (0.8j, {"qubit": 1}))
    asked = {"sigma": transition("qubit", 0, 1), "a": lowering("cavity")}
    agree(pulsed, start, PULSE_TIMES, asked, NODE_LEVELS, kept=("cavity",))


def test_two_factors_in_one_model_do_not_get_confused() -> None:
    model = Hamiltonian(
        ("a", "b"),
        (
            *with_adjoint(0.9, up("a"), down("b"), factor=BUMP),
            *with_adjoint(0.4j, up("a"), down("b"), factor=CHIRP),
            Term(0.8, (up("b"), down("b")), BUMP),
        ),
        (Channel("of a", (("a", 0.8),), 0.1), Channel("of b", (("b", 0.5),), 0.2)),
    )
    asked = {"a": number("a"), "b": number("b"), "ab": (Term(1.0, (up("a"), down("b"))),)}
    agree(model, Start.fock(b=1), PULSE_TIMES, asked, {"a": 3, "b": 4}, kept=("b",))


@pytest.mark.parametrize("symmetric", [True, False], ids=["charge", "no charge"])
def test_tunable_couplers_of_a_shared_port_and_its_warming_follow_plain_qutip(
    symmetric: bool,
) -> None:
    """|f|^2, f g^* and their product with the warming, all in one port."""
    port = Channel(
        "port",
        (("a", 0.8), ("b", 0.5 * np.exp(0.3j))),
        0.2,
        (("a", TUNED), ("b", CHIRP)),
        HEATED,
    )
    drive = () if symmetric else with_adjoint(0.2, up("a"), factor=CHIRP)
    model = Hamiltonian(
        ("a", "b"), (detuned("a", 0.4), *drive), (port, Channel("in", (("b", 0.3),), 0.05))
    )
    asked = {"a": number("a"), "b": number("b"), "ab": (Term(1.0, (up("a"), down("b"))),)}
    start = Start.superposed((0.6, {"a": 1}), (0.8j, {"b": 1}))
    found = agree(model, start, PULSE_TIMES, asked, {"a": 4, "b": 3}, kept=("b", "a"))
    assert ("plain mesolve" in found.route) != symmetric


def square(begin: float, end: float) -> Modulation:
    return Modulation(lambda t: 1.0 if begin <= t < end else 0.0, (begin, end), real=True)


def test_a_square_pulse_with_its_edges_between_two_instants_is_three_still_stretches() -> None:
    """The referee never sees an edge: it solves each stretch with coefficients that stand still."""
    edges = (0.63, 1.87)
    for drive in ((), with_adjoint(0.3, down("cavity"))):
        base = replace(node(0.6, -0.35), terms=(*node(0.6, -0.35).terms[:2], *drive))
        coupling = with_adjoint(1.4 + 0.3j, Transition("qubit", 1, 0), down("cavity"))
        on = replace(base, terms=(*base.terms, *coupling))
        factor = square(*edges)
        pulsed = replace(
            base, terms=(*base.terms, *(replace(t, modulation=factor) for t in coupling))
        )
        assert pulsed.breaks() == edges
        times = np.array([0.0, 0.4, 2.5, 4.0])
        start = Start.fock(qubit=1)
        asked = {"excited": number("qubit"), "photons": number("cavity")}
        found = evolve(pulsed, start, times, asked, levels=NODE_LEVELS)
        _, _, a = operators(base, NODE_LEVELS)
        rho = prepared(base, start, NODE_LEVELS)
        options = {"method": "vern7", "rtol": 1e-11, "atol": 1e-13, "progress_bar": ""}
        stretches = [(base, [0.0, 0.4]), (base, [0.4, 0.63]), (on, [0.63, 1.87])]
        stretches += [(base, [1.87, 2.5]), (base, [2.5, 4.0])]
        for model, span in stretches:
            H, c_ops, _ = operators(model, NODE_LEVELS)
            rho = qutip.mesolve(H, rho, span, c_ops, options=options).final_state
            if span[1] in times:
                k = list(times).index(span[1])
                for name, op in asked.items():
                    expected = qutip.expect(polynomial(op, a, NODE_LEVELS), rho)
                    assert abs(found.values[name][k] - expected) < AGREE


def coupled_between(begin: float, end: float) -> Hamiltonian:
    """A mode of rate 1.44 whose coupler is open between two instants."""
    amplitude = (("a", square(begin, end)),)
    return Hamiltonian(("a",), (), (Channel("out", (("a", 1.2),), 0.0, amplitude),))


def test_a_square_pulse_takes_the_same_wherever_its_edges_lie() -> None:
    """Before the first edge nothing moves and steps grow long; none may look across it."""
    for begin in np.linspace(0.05, 2.5, 50):
        model = coupled_between(begin, begin + 0.4)
        found = evolve(
            model, Start.fock(a=1), np.array([0.0, 3.0]), {"n": number("a")}, levels={"a": 2}
        )
        assert found.values["n"][1] == pytest.approx(np.exp(-1.44 * 0.4), abs=AGREE), begin


def test_no_integration_step_looks_across_an_edge() -> None:
    """As `Modulation.breaks` says: before the restart at an edge nothing behind it is evaluated."""
    seen: list[float] = []

    def factor(t: float) -> complex:
        seen.append(t)
        return 1.0 if t < 1.0 else 0.0

    model = replace(
        node(0.0, 0.0),
        terms=with_adjoint(
            0.2,
            Transition("qubit", 1, 0),
            down("cavity"),
            factor=Modulation(factor, (1.0,), real=True),
        ),
    )
    evolve(model, Start.fock(qubit=1), np.array([0.0, 3.0]), NODE_ASKED, levels=NODE_LEVELS)
    assert min(seen) < 0.5
    behind = next(k for k, t in enumerate(seen) if t > 1.0 + 1e-12)
    assert min(seen[behind:]) >= 1.0 - 1e-12


def test_instants_may_start_anywhere_and_the_first_is_the_beginning() -> None:
    """A pulse at 1.2 seen from -3 on, and the same pulse missed from 5 on."""
    model = replace(
        node(0.0, 0.0),
        terms=with_adjoint(1.1, Transition("qubit", 1, 0), down("cavity"), factor=BUMP),
    )
    early = np.array([-3.0, -1.0, 3.0])
    agree(model, Start.fock(qubit=1), early, NODE_ASKED, NODE_LEVELS)
    late = evolve(model, Start.fock(qubit=1), np.array([7.0, 9.0]), NODE_ASKED, levels=NODE_LEVELS)
    # relaxation alone: rate 0.2^2
    assert late.values["excited"][1] == pytest.approx(np.exp(-0.04 * 2), rel=1e-7)
    one = evolve(model, Start.fock(qubit=1), np.array([7.0]), NODE_ASKED, levels=NODE_LEVELS)
    assert one.values["excited"].tolist() == [1.0]


# --- kept states ----------------------------------------------------------------------------------


def test_the_kept_state_is_a_density_matrix_with_the_asked_expectations_in_it() -> None:
    start = Start.superposed((0.6, {}), (0.8j, {"qubit": 1}))
    asked = {"sigma": transition("qubit", 0, 1), "excited": number("qubit")}
    found = evolve(node(0.6, -0.35), start, NODE_TIMES, asked, levels=NODE_LEVELS, kept=("qubit",))
    assert found.state.shape == (2, 2)
    assert np.trace(found.state) == pytest.approx(1.0, abs=1e-8)
    assert found.state[1, 1] == pytest.approx(found.values["excited"][-1], abs=1e-12)
    # <|0><1|> is the element (1, 0)
    assert found.state[1, 0] == pytest.approx(found.values["sigma"][-1], abs=1e-12)
    assert abs(found.state[1, 0]) > 0.01
    assert found.state == pytest.approx(found.state.conj().T, abs=1e-14)


@pytest.mark.parametrize("kept", [("cavity", "qubit"), ("qubit", "cavity"), ("cavity",)])
def test_levels_settle_whichever_modes_are_kept_and_in_whichever_order(
    kept: tuple[str, ...],
) -> None:
    """A mode that grows behind a kept one moves the elements of the matrix: that is no change."""
    found = evolve(node(0.6, -0.35), Start.fock(qubit=1), NODE_TIMES, {}, kept=kept, accuracy=1e-4)
    assert found.truncation is not None
    assert found.truncation.change <= 1
    assert found.truncation.levels["cavity"] < 20


def test_a_kept_mode_that_grew_is_compared_with_the_part_it_had() -> None:
    one = Trial((np.diag([0.7, 0.3]).astype(complex),), {}, 1)
    two = Trial((np.diag([0.7, 0.299, 0.001]).astype(complex),), {}, 1)
    assert distance(one, two) == pytest.approx(0.001 / 0.7, rel=1e-12)


# --- truncation -----------------------------------------------------------------------------------


def test_levels_chosen_by_the_toolkit_reach_the_asked_accuracy_in_a_warm_bath() -> None:
    model = Hamiltonian(
        ("a", "b"),
        (detuned("a", 0.3), *with_adjoint(0.5 + 0.2j, up("a"), down("b"))),
        (Channel("of a", (("a", 0.9),), 0.02), Channel("of b", (("b", 0.7),), 0.45)),
    )
    times = np.array([0.0, 1.0, 4.0])
    asked = {"a": number("a"), "b": number("b"), "cross": (Term(1.0, (up("a"), down("b"))),)}
    found = evolve(model, Start.fock(a=1), times, asked)
    theirs, _ = whole(model, Start.fock(a=1), times, asked, {"a": 11, "b": 17})
    for name, expected in theirs.items():
        # 1e-6 of the largest value: what `accuracy` promises
        assert found.values[name] == pytest.approx(
            expected, abs=1e-6 * np.max(np.abs(expected)), rel=0
        )
    assert found.truncation is not None
    assert found.truncation.change <= 1
    assert 0 < found.truncation.leakage < 1e-6
    assert "enlarging moved the answers" in str(found)


def test_a_looser_accuracy_needs_fewer_levels_and_still_keeps_its_word() -> None:
    model = Hamiltonian(("a",), (), (Channel("bath", (("a", 1.3),), 0.6),))
    sizes = []
    for accuracy in (1e-3, 1e-8):
        found = evolve(
            model, Start(), np.array([0.0, 0.5, 3.0]), {"n": number("a")}, accuracy=accuracy
        )
        expected = 0.6 * (1 - np.exp(-1.69 * np.array([0.0, 0.5, 3.0])))
        assert np.max(np.abs(found.values["n"] - expected)) < accuracy * expected[-1]
        assert found.truncation is not None
        sizes.append(found.truncation.levels["a"])
    assert sizes[0] < sizes[1]


def test_a_qubit_is_never_given_a_third_level() -> None:
    found = evolve(node(0.6, -0.35), Start.fock(qubit=1), NODE_TIMES, NODE_ASKED)
    assert found.truncation is not None
    assert found.truncation.levels["qubit"] == 2
    assert found.truncation.levels["cavity"] > 3
    alone = Hamiltonian(
        ("qubit",), (), (Channel("out", (("qubit", 0.8),), 0.0),), levels=(("qubit", 2),)
    )
    decay = evolve(alone, Start.fock(qubit=1), np.array([0.0, 2.0]), {"n": number("qubit")})
    assert decay.values["n"][1] == pytest.approx(np.exp(-1.28), rel=1e-7)


def hot(*terms: Term, levels: tuple[tuple[str, int], ...] = ()) -> Hamiltonian:
    modes = ("a", "b") if not levels else ("a", "b", "q")
    return Hamiltonian(
        modes,
        (*with_adjoint(0.5, up("a"), down("b")), *terms),
        (Channel("hot", (("a", 1.0),), 400.0), Channel("cold", (("b", 0.5),), 0.0)),
        levels=levels,
    )


def test_a_huge_occupation_is_refused_with_the_size_it_would_take_and_a_better_engine() -> None:
    with pytest.raises(
        TruncationError,
        match=r"Fock space of dimension \d+ .* GiB.*this model is Gaussian: the scattering and "
        r"pulse engines are exact",
    ):
        evolve(hot(), Start(), np.array([0.0, 1.0]), {"n": number("a")})


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(hot(Term(0.1, (Ladder("a", True),) * 2 + (Ladder("a"),) * 2)), id="Kerr"),
        pytest.param(
            hot(
                *with_adjoint(0.3, Transition("q", 1, 0), Ladder("b")),
                levels=(("q", 2),),
            ),
            id="qubit",
        ),
    ],
)
def test_what_is_not_gaussian_is_not_sent_to_the_gaussian_engines(model: Hamiltonian) -> None:
    with pytest.raises(TruncationError, match=r"dimension \d+ .* GiB") as refused:
        evolve(model, Start(), np.array([0.0, 1.0]), {"n": number("a")})
    assert "Gaussian" not in str(refused.value)
    with pytest.raises(TruncationError, match="GiB"):
        steady(model, {"n": number("a")})


# --- interruption ---------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [None, BUMP, CHIRP], ids=["still", "real pulse", "chirped"])
@pytest.mark.parametrize("symmetric", [True, False], ids=["reduced", "plain"])
def test_an_interrupted_run_goes_on_where_it_was(
    factor: Modulation | None, symmetric: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive = () if symmetric else with_adjoint(0.2, down("cavity"))
    model = replace(
        node(0.0, 0.0),
        terms=(
            *with_adjoint(0.9, Transition("qubit", 1, 0), down("cavity"), factor=factor),
            *drive,
        ),
    )
    times = np.linspace(0.0, 4.0, 7)
    start = Start.fock(qubit=1)
    at_once = evolve(model, start, times, NODE_ASKED, levels=NODE_LEVELS, kept=("cavity",))
    with monkeypatch.context() as patched:
        patched.setattr(Progress, "step", third_step_stops())
        with pytest.raises(
            Interrupted, match=r"stopped after \d of 7 instants.*resume="
        ) as stopped:
            evolve(model, start, times, NODE_ASKED, levels=NODE_LEVELS, kept=("cavity",))
    partial = stopped.value.partial
    assert isinstance(partial, reduced.Partial)
    assert 1 <= partial.done <= 3  # it also stops between the instants, to look
    for name in NODE_ASKED:
        assert partial.values[name] == pytest.approx(
            at_once.values[name][: partial.done], abs=1e-12
        )
    onwards = evolve(model, start, times, NODE_ASKED, kept=("cavity",), resume=partial)
    for name in NODE_ASKED:
        # the integrator chooses other steps after the restart: its own tolerance of 1e-8 a step
        assert np.max(np.abs(onwards.values[name] - at_once.values[name])) < 3e-9
    assert np.max(np.abs(onwards.state - at_once.state)) < 3e-9
    assert onwards.values["excited"].shape == (7,)


def third_step_stops() -> Callable[..., None]:
    count = [0]

    def step(self: Progress, more: int = 1) -> None:
        count[0] += 1
        if count[0] == 3:
            raise KeyboardInterrupt

    return step


def test_an_interrupted_run_whose_levels_were_free_goes_on_and_is_still_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = np.linspace(0.0, 4.0, 7)
    with monkeypatch.context() as patched:
        patched.setattr(Progress, "step", third_step_stops())
        with pytest.raises(Interrupted) as stopped:
            evolve(node(0.0, 0.0), Start.fock(qubit=1), times, NODE_ASKED)
    partial = stopped.value.partial
    onwards = evolve(node(0.0, 0.0), Start.fock(qubit=1), times, NODE_ASKED, resume=partial)
    expected = evolve(node(0.0, 0.0), Start.fock(qubit=1), times, NODE_ASKED)
    for name in NODE_ASKED:
        assert np.max(np.abs(onwards.values[name] - expected.values[name])) < 1e-6
    assert onwards.truncation is not None
    assert onwards.truncation.change <= 1.0
    with pytest.raises(ParameterError, match="same questions and times"):
        evolve(node(0.0, 0.0), Start.fock(qubit=1), 3 * times, NODE_ASKED, resume=partial)


def test_a_mode_that_nothing_fits_into_at_first_is_not_taken_for_closed() -> None:
    """Two quanta for one: at two levels the coupling vanishes, and with it every sign of a leak."""
    pair = with_adjoint(0.7, up("a"), up("a"), down("b"))
    model = Hamiltonian(
        ("a", "b"),
        pair,
        (Channel("a.out", (("a", 1.0),), 0.0), Channel("b.out", (("b", np.sqrt(0.2)),), 0.0)),
    )
    times = np.array([0.0, 1.0, 2.0])
    found = evolve(model, Start.fock(b=1), times, {"n": number("a")})
    wide = evolve(model, Start.fock(b=1), times, {"n": number("a")}, levels={"a": 8, "b": 5})
    assert found.values["n"][1].real > 0.6
    assert np.max(np.abs(found.values["n"] - wide.values["n"])) < 1e-6


def test_a_transient_between_two_instants_counts_for_the_levels() -> None:
    """A drive that has come and gone leaves nothing in its mode, and a trace in another."""
    kick = Modulation(lambda t: float(np.exp(-((t - 5) ** 2))), (), True)
    model = Hamiltonian(
        ("c", "m"),
        (
            *with_adjoint(1.2, up("c"), factor=kick),
            Term(0.8, (up("c"), down("c"), up("m"), down("m"))),
        ),
        (Channel("c.out", (("c", 1.0),), 0.0), Channel("m.out", (("m", 0.1),), 0.0)),
    )
    half = 1 / np.sqrt(2)
    start, asked = Start.superposed((half, {}), (half, {"m": 1})), {"m": (Term(1.0, (down("m"),)),)}
    found = evolve(model, start, np.array([0.0, 20.0]), asked)
    wide = evolve(model, start, np.array([0.0, 20.0]), asked, levels={"c": 16, "m": 3})
    assert abs(found.values["m"][-1] - wide.values["m"][-1]) < 2e-6
    assert abs(wide.values["m"][-1]) < 0.4


def test_an_interrupted_run_of_which_only_a_state_is_asked_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = np.linspace(0.0, 4.0, 7)
    model, start = node(0.6, -0.35), Start.fock(qubit=1)
    at_once = evolve(model, start, times, {}, levels=NODE_LEVELS, kept=("cavity",))
    with monkeypatch.context() as patched:
        patched.setattr(Progress, "step", third_step_stops())
        with pytest.raises(Interrupted) as stopped:
            evolve(model, start, times, {}, levels=NODE_LEVELS, kept=("cavity",))
    partial = stopped.value.partial
    onwards = evolve(model, start, times, {}, kept=("cavity",), resume=partial)
    assert np.max(np.abs(onwards.state - at_once.state)) < 3e-9


# --- steady states, correlations, spectra ---------------------------------------------------------


def emitter() -> Hamiltonian:
    """A qubit pumped and decaying, in a detuned resonator: nothing in it is real or alike."""
    base = node(0.6, -0.35)
    pumped = Jump("pump", (Term(0.45, (Transition("qubit", 1, 0),)),))
    return replace(base, jumps=(*base.jumps, pumped))


LASING = {"qubit": 2, "cavity": 6}


def test_the_steady_state_is_qutips() -> None:
    H, c_ops, a = operators(emitter(), LASING)
    rho = qutip.steadystate(H, c_ops)
    asked = {**NODE_ASKED, "projector": transition("qubit", 0, 0)}
    found = steady(emitter(), asked, levels=LASING)
    for name, op in asked.items():
        expected = qutip.expect(polynomial(op, a, LASING), rho)
        assert found.values[name] == pytest.approx(expected, rel=1e-9, abs=0)
    assert abs(found.values["exchanged"]) > 0.01
    assert "factorised" in found.route


@pytest.mark.parametrize("mixing", ["parity", "nothing"])
def test_the_steady_state_is_qutips_with_little_or_no_symmetry(mixing: str) -> None:
    ops = (down("b"), down("b")) if mixing == "parity" else (down("b"),)
    model = driven(*with_adjoint(0.15 + 0.1j, *ops))
    levels = {"a": 4, "b": 5}
    H, c_ops, a = operators(model, levels)
    rho = qutip.steadystate(H, c_ops)
    asked = {"a": number("a"), "mixed": (Term(1.0, (up("b"), down("a"))),)}
    asked |= {"drift": (Term(1.0, ops),)}
    found = steady(model, asked, levels=levels)
    for name, op in asked.items():
        expected = qutip.expect(polynomial(op, a, levels), rho)
        assert found.values[name] == pytest.approx(expected, rel=1e-8, abs=0)
        assert abs(expected) > 1e-3


def test_a_steady_state_settles_on_its_levels_and_thermal_occupations_are_the_bath_average() -> (
    None
):
    model = Hamiltonian(
        ("a",),
        (detuned("a", 3.0),),
        (Channel("one", (("a", 1.0),), 0.3), Channel("two", (("a", 0.5j),), 0.9)),
    )
    found = steady(model, {"n": number("a")})
    assert found.values["n"] == pytest.approx((0.3 + 0.25 * 0.9) / 1.25, rel=1e-6)
    assert found.truncation is not None
    assert found.truncation.change <= 1


def test_two_time_correlations_are_qutips() -> None:
    """Two different operators of one order, so that no exchange of A and B can pass."""
    H, c_ops, a = operators(emitter(), LASING)
    left = adjoint(lowering("cavity"))
    right = transition("qubit", 0, 1)
    delays = np.array([0.0, 0.4, 1.5, 4.0])
    A, B = (polynomial(op, a, LASING) for op in (left, right))
    options = {"method": "vern7", "rtol": 1e-10, "atol": 1e-12, "normalize_output": False}
    expected = qutip.correlation_2op_1t(H, None, delays, c_ops, A, B, options=options)
    found = correlation(emitter(), left, right, delays, levels=LASING)
    assert np.max(np.abs(found - expected)) < AGREE
    assert np.max(np.abs(expected.imag)) > 0.01
    swapped = correlation(emitter(), adjoint(right), adjoint(left), delays, levels=LASING)
    assert np.max(np.abs(swapped - expected)) > 0.01
    # a first delay that is not zero is a delay, not the beginning
    later = correlation(emitter(), left, right, delays[1:], levels=LASING)
    assert np.max(np.abs(later - expected[1:])) < AGREE


def test_a_correlation_at_no_delay_is_the_steady_expectation_of_the_product() -> None:
    product = (Term(1.0, (up("cavity"), Transition("qubit", 0, 1))),)
    now = correlation(
        emitter(),
        adjoint(lowering("cavity")),
        transition("qubit", 0, 1),
        np.array([0.0]),
        levels=LASING,
    )
    expected = steady(emitter(), {"x": product}, levels=LASING).values["x"]
    assert now[0] == pytest.approx(expected, rel=1e-10, abs=0)


def test_spectra_are_qutips_at_the_frequencies_of_qutip() -> None:
    """Two different operators in a model that is not alike at plus and minus the frequency."""
    H, c_ops, a = operators(emitter(), LASING)
    left, right = adjoint(lowering("cavity")), transition("qubit", 0, 1)
    A, B = (polynomial(op, a, LASING) for op in (left, right))
    w = np.array([-1.1, -0.3, 0.4, 1.7])
    expected = qutip.spectrum(H, w, c_ops, A, B, solver="solve")
    mirrored = qutip.spectrum(H, -w, c_ops, A, B, solver="solve")
    assert np.max(np.abs(expected / mirrored - 1)) > 0.1  # the sign matters here
    found = spectrum(emitter(), left, right, w, levels=LASING)
    assert found == pytest.approx(expected, rel=1e-8, abs=1e-11)


def test_the_emission_of_a_detuned_mode_stands_at_its_detuning() -> None:
    r"""A mode of detuning 2 turns as exp(-2it): the docstring counts it at +2."""
    model = Hamiltonian(("a",), (detuned("a", 2.0),), (Channel("out", (("a", 0.8),), 0.3),))
    leaving = model.channels[0].leaving
    w = np.array([2.0, 2.5, -2.0])
    found = spectrum(model, adjoint(leaving), leaving, w)
    # kappa n times a Lorentzian of full width kappa
    expected = 0.64 * 0.3 * 0.64 / ((w - 2) ** 2 + 0.32**2)
    assert found == pytest.approx(expected, rel=1e-6, abs=0)


def test_the_noise_of_a_photon_number_is_finite_at_zero_frequency() -> None:
    """<n(t) n> - <n>^2 = n (n + 1) e^{-kt}; the mean itself is a line of no width, not a number."""
    model = Hamiltonian(("a",), (detuned("a", 0.3),), (Channel("out", (("a", 1.1),), 0.3),))
    w = np.array([0.0, 1e-4, 0.5])
    found = spectrum(model, number("a"), number("a"), w, levels={"a": 18})
    # 18 levels: 0.23^18 is 3e-12, times the square of the number
    assert found == pytest.approx(2 * 0.39 * 1.21 / (1.21**2 + w**2), rel=1e-7, abs=0)


def test_a_drive_adds_no_noise_to_the_light_of_a_warm_mode() -> None:
    """Of a displaced thermal state only the fluctuations have a spectrum, as if undriven."""
    model = Hamiltonian(("a",), (detuned("a", 0.3),), (Channel("out", (("a", 1.1),), 0.1),))
    moved = replace(model, terms=(*model.terms, *with_adjoint(0.2j, down("a"))))
    w = np.array([0.0, 0.7])
    leaving = lowering("a")
    levels = {"a": 18}
    plain, driven = (
        spectrum(m, adjoint(leaving), leaving, w, levels=levels) for m in (model, moved)
    )
    assert driven == pytest.approx(plain, rel=1e-6, abs=0)


def test_the_iterated_route_gives_the_answers_of_the_factorised_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left, right = adjoint(lowering("cavity")), transition("qubit", 0, 1)
    w = np.array([-1.1, 0.4, 1.7])
    direct = steady(emitter(), NODE_ASKED, levels=LASING)
    lines = spectrum(emitter(), left, right, w, levels=LASING)
    monkeypatch.setattr(regression, "DIRECT", 0)
    iterated = steady(emitter(), NODE_ASKED, levels=LASING)
    assert "iterated" in iterated.route
    assert "factorised" in direct.route
    for name, value in direct.values.items():
        assert iterated.values[name] == pytest.approx(value, rel=1e-9, abs=0)
    others = spectrum(emitter(), left, right, w, levels=LASING)
    assert others == pytest.approx(lines, rel=1e-8, abs=1e-11)


@pytest.mark.parametrize(
    ("model", "order"), [(emitter(), (0,)), (emitter(), (1,)), (None, (0,))], ids=str
)
def test_the_propagator_is_qutips_on_the_block(
    model: Hamiltonian | None, order: tuple[int, ...]
) -> None:
    if model is None:
        pulse = with_adjoint(1.1, Transition("qubit", 1, 0), down("cavity"), factor=CHIRP)
        model = replace(emitter(), terms=(*emitter().terms[:2], *pulse))
    levels = {"qubit": 2, "cavity": 3}
    H, c_ops, _ = operators(model, levels)
    options = {"method": "vern7", "rtol": 1e-10, "atol": 1e-12, "progress_bar": ""}
    options |= {"normalize_output": False}
    expected = qutip.propagator(H, [0.3, 1.9], c_ops, options=options)[1].full()
    if isinstance(H, qutip.Qobj):
        expected = (1.6 * qutip.liouvillian(H, c_ops)).expm().full()
    block, found = propagator(model, levels, 0.3, 1.9, order)
    at = block.i + block.space.dimension * block.j
    assert np.max(np.abs(found - expected[np.ix_(at, at)])) < AGREE
    assert np.max(np.abs(found - found.T)) > 0.1
    # two halves make a whole
    first, second = (propagator(model, levels, *span, order)[1] for span in ((0.3, 1), (1, 1.9)))
    assert np.max(np.abs(second @ first - found)) < AGREE


def test_a_propagator_does_not_look_across_an_edge() -> None:
    block, found = propagator(coupled_between(0.7, 1.1), {"a": 2}, 0.0, 3.0)
    excited = int(block.position(np.array([1]), np.array([1]))[0])
    assert found[excited, excited] == pytest.approx(np.exp(-1.44 * 0.4), abs=AGREE)


LOSSLESS = Hamiltonian(("a", "b"), (detuned("a", 2.0),), (Channel("of b", (("b", 1.0),), 0.2),))
MEMORY = Hamiltonian(
    ("spin", "cavity"),
    (Term(0.37, (Transition("spin", 1, 1), up("cavity"), down("cavity"))),),
    (Channel("out", (("cavity", 1.3),), 0.2),),
    levels=(("spin", 2),),
)
TICKLED = replace(
    MEMORY,
    terms=(
        *MEMORY.terms,
        *with_adjoint(0.3, Transition("spin", 1, 1), down("cavity")),
    ),
    jumps=(Jump("dephasing", (Term(0.3, (Transition("spin", 1, 1),)),)),),
)
DARK = Hamiltonian(("a", "b"), (), (Channel("shared", (("a", 1.3), ("b", 0.7j)), 0.0),))
PAIRS = Hamiltonian(
    ("a",), (), (), jumps=(Jump("two at once", (Term(0.7, (down("a"), down("a"))),)),)
)


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(LOSSLESS, id="lossless mode"),
        pytest.param(MEMORY, id="spin memory"),
        pytest.param(TICKLED, id="spin memory that is driven and dephased"),
        pytest.param(DARK, id="dark superposition"),
        pytest.param(PAIRS, id="parity that two-photon loss keeps"),
    ],
)
@pytest.mark.parametrize("direct", [True, False], ids=["direct", "iterated"])
def test_a_steady_state_that_is_not_unique_is_refused(
    model: Hamiltonian, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not direct:
        monkeypatch.setattr(regression, "DIRECT", 0)
    levels = {m: 2 if m == "spin" else 4 for m in model.modes}
    with pytest.raises(ValidityError, match="no unique steady state"):
        steady(model, {"n": number(model.modes[0])}, levels=levels)


def test_a_steady_state_of_a_pulse_is_refused() -> None:
    moving = replace(node(0.0, 0.0), terms=(Term(0.3, (up("cavity"), down("cavity")), BUMP),))
    with pytest.raises(ValidityError, match="stands still"):
        steady(moving, {"n": number("cavity")}, levels=NODE_LEVELS)


# --- the pair source (L4f, L22a) ------------------------------------------------------------------

C_PAIRS = 0.15
KAPPAS = (1.0, 0.4)


def pair_source() -> Hamiltonian:
    """Two-mode squeezing at cooperativity 0.15 between modes of kappa 1 and 0.4, vacuum baths."""
    G = np.sqrt(C_PAIRS * KAPPAS[0] * KAPPAS[1]) / 2
    return Hamiltonian(
        ("a", "b"),
        with_adjoint(G * np.exp(0.3j), up("a"), up("b")),
        tuple(Channel(m, ((m, np.sqrt(k)),), 0.0) for m, k in zip("ab", KAPPAS, strict=True)),
    )


def test_l22a_pairs_of_the_steady_source_are_bunched_by_one_plus_one_over_c() -> None:
    """g_ab(0) = 1 + 1/C inside the modes: 7.6667 at C = 0.15, whatever the ratio of the rates."""
    both = (Term(1.0, (up("a"), down("a"), up("b"), down("b"))),)
    asked = {"a": number("a"), "b": number("b"), "both": both}
    found = steady(pair_source(), asked).values
    cross = found["both"] / (found["a"] * found["b"])
    assert cross.real == pytest.approx(1 + 1 / C_PAIRS, rel=1e-5)
    assert abs(found["a"] / found["b"] - 0.4) < 1e-5  # kappa_a n_a = kappa_b n_b: made in pairs


def test_l4f_the_pair_rate_is_that_of_the_moment_equations() -> None:
    """R = kappa_a n_a = C kappa_a kappa_b / ((1 - C) (kappa_a + kappa_b)): 0.0504 at these."""
    found = steady(pair_source(), {"a": number("a"), "b": number("b")}).values
    rate = C_PAIRS * KAPPAS[0] * KAPPAS[1] / ((1 - C_PAIRS) * sum(KAPPAS))
    assert rate == pytest.approx(0.0504, abs=5e-5)
    assert KAPPAS[0] * found["a"].real == pytest.approx(rate, rel=2e-6)
    assert KAPPAS[1] * found["b"].real == pytest.approx(rate, rel=2e-6)


# --- what is refused ------------------------------------------------------------------------------


def test_questions_that_make_no_sense_are_refused_in_words() -> None:
    model = node(0.6, -0.35)
    for times in (np.array([0.0, 1.0, 1.0]), np.array([0.0, 2.0, 1.0])):
        with pytest.raises(ParameterError, match=r"times \[s\] must increase"):
            evolve(model, Start(), times, NODE_ASKED, levels=NODE_LEVELS)
    with pytest.raises(ParameterError, match="mode 'cavity' has none"):
        evolve(model, Start(), NODE_TIMES, NODE_ASKED, levels={"qubit": 2})
    with pytest.raises(ParameterError, match="must sum to 1"):
        Start.superposed((0.6, {}), (0.9, {"qubit": 1}))
    with pytest.raises(ParameterError, match="thermal and in a level at once"):
        Start.fock(cavity=1).warmed(cavity=0.1)
    with pytest.raises(ParameterError, match="level 5 is not among them"):
        evolve(model, Start.fock(cavity=5), NODE_TIMES, NODE_ASKED, levels=NODE_LEVELS)


def test_a_state_named_twice_does_not_slip_through_the_norm() -> None:
    """0.6 |1> + 0.8 |1> is no state of norm one, although the squares sum to it."""
    with pytest.raises(ParameterError):
        Start.superposed((0.6, {"qubit": 1}), (0.8, {"qubit": 1}))


@pytest.mark.parametrize("where", ["start", "thermal", "asked", "kept"])
def test_a_mode_that_does_not_exist_is_refused_in_words(where: str) -> None:
    model = node(0.6, -0.35)
    start = {"start": Start.fock(ghost=1), "thermal": Start().warmed(ghost=0.2)}.get(where, Start())
    asked = {"n": number("ghost" if where == "asked" else "cavity")}
    kept = ("ghost",) if where == "kept" else ()
    with pytest.raises(ParameterError, match="ghost"):
        evolve(model, start, NODE_TIMES, asked, kept=kept, levels=NODE_LEVELS)


def test_the_start_is_the_tensor_product_that_it_says() -> None:
    """Two thermal modes around a superposition, element by element."""
    levels = {"a": 3, "q": 2, "b": 4}
    model = Hamiltonian(("a", "q", "b"), (), (), levels=(("q", 2),))
    start = Start.superposed((0.6, {}), (0.8j, {"q": 1})).warmed(b=0.3, a=0.7)
    ours = start.matrix(Space(model.modes, levels)).toarray()

    def thermal(n: float, size: int) -> np.ndarray:
        p = (n / (1 + n)) ** np.arange(size)
        return np.diag(p / p.sum())

    c = np.array([0.6, 0.8j])
    expected = np.kron(np.kron(thermal(0.7, 3), np.outer(c, c.conj())), thermal(0.3, 4))
    assert np.max(np.abs(ours - expected)) < 1e-15
    assert np.max(np.abs(prepared(model, start, levels).full() - expected)) < 1e-15
