"""Two pairs into one, gate by gate on sixteen dimensions, and what the outcome is worth."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cavities import ParameterError
from fibre import Memory
from fibre.distil import (
    entropy_bits,
    hashing_bound,
    negativity,
    require_state,
    teleported_gate_fidelity,
)
from fibre.herald import PSI_PLUS, Detection, Scheme, single_click, two_click
from fibre.memory import decay, qubit_channel
from fibre.purify import Purification, purified, purify, secret_key_fraction
from fibre.waiting import Attempts
from transducer.scenario import load_scenario
from transducer.simulation import simulate

State = NDArray[np.complex128]

X = np.array([[0, 1], [1, 0]], complex)
Z = np.diag([1, -1]).astype(complex)
Y = 1j * X @ Z
ONE = np.eye(2, dtype=complex)
BELL = {
    "phi+": np.array([1, 0, 0, 1]) / np.sqrt(2),
    "phi-": np.array([1, 0, 0, -1]) / np.sqrt(2),
    "psi+": np.array([0, 1, 1, 0]) / np.sqrt(2),
    "psi-": np.array([0, 1, -1, 0]) / np.sqrt(2),
}
SEEDS = range(6)
ROOT = Path(__file__).parents[1]


def bell_diagonal(**weights: float) -> State:
    return np.asarray(sum(w * np.outer(BELL[k], BELL[k]) for k, w in weights.items()), complex)


def aimed_at_phi(state: State) -> State:
    """From the literature's phi+ to this code's psi+: X on B."""
    flip = np.kron(ONE, X)
    return np.asarray(flip @ state @ flip)


def random_state(seed: int, rank: int = 4) -> State:
    """Anything but Bell diagonal: complex coherences everywhere, unequal populations."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(4, rank)) + 1j * rng.normal(size=(4, rank))
    state = root @ root.conj().T
    return np.asarray(state / np.trace(state).real)


states = st.builds(random_state, st.integers(0, 10**6), st.integers(1, 4))


# --- the referee: four qubits A1 B1 A2 B2, gates as matrices ----------------------------------------


def on(gates: dict[int, State]) -> State:
    """Kronecker product with these one-qubit operators on qubits 0..3."""
    whole = np.eye(1, dtype=complex)
    for qubit in range(4):
        whole = np.kron(whole, gates.get(qubit, ONE))
    return whole


def cnot(control: int, target: int) -> State:
    zero, one = np.diag([1, 0]).astype(complex), np.diag([0, 1]).astype(complex)
    return on({control: zero}) + on({control: one, target: X})


def rx(angle: float) -> State:
    return np.asarray(np.cos(angle / 2) * ONE - 1j * np.sin(angle / 2) * X)


def brute(one: State, two: State, results: list[tuple[int, int]], turn: float = 0.0) -> State:
    """Turn A's qubits by +turn about x and B's by -turn, CNOT on both sides, look at pair 2."""
    rho = np.kron(one, two)
    gates = on({0: rx(turn), 2: rx(turn), 1: rx(-turn), 3: rx(-turn)})
    gates = cnot(1, 3) @ cnot(0, 2) @ gates
    rho = gates @ rho @ gates.conj().T
    kept = np.zeros((4, 4), complex)
    for a, b in results:
        seen = on({2: np.diag([1 - a, a]).astype(complex), 3: np.diag([1 - b, b]).astype(complex)})
        after = (seen @ rho @ seen).reshape(4, 4, 4, 4)
        kept += np.einsum("ikjk->ij", after)
    return kept


def twirled(state: State) -> State:
    """Average over the bilateral rotations that leave psi- alone, seen from phi+."""
    # from phi+ to psi-: Y on B; the twelve rotations of a tetrahedron average like all
    back = np.kron(ONE, Y)
    singlet = back @ state @ back.conj().T
    turn = (ONE - 1j * (X + Y + Z)) / 2  # a third of a turn about (1, 1, 1)
    group = []
    for pauli in (ONE, X, Y, Z):
        for power in range(3):
            group.append(pauli @ np.linalg.matrix_power(turn, power))
    mean = sum(np.kron(u, u) @ singlet @ np.kron(u, u).conj().T for u in group) / len(group)
    return np.asarray(back.conj().T @ mean @ back)


def expected(one: State, two: State, how: Purification) -> State:
    if how is Purification.EPL:
        return brute(one, two, [(1, 1)])
    pairs = [aimed_at_phi(one), aimed_at_phi(two)]
    same = [(0, 0), (1, 1)]
    if how is Purification.DEJMPS:
        return aimed_at_phi(brute(pairs[0], pairs[1], same, np.pi / 2))
    return aimed_at_phi(brute(twirled(pairs[0]), twirled(pairs[1]), same))


@pytest.mark.parametrize("how", Purification)
@pytest.mark.parametrize("seed", SEEDS)
def test_two_unequal_pairs_are_purified_as_gates_on_four_qubits_do(
    how: Purification, seed: int
) -> None:
    one, two = random_state(seed), random_state(100 + seed, 1 + seed % 4)
    np.testing.assert_allclose(purify(one, two, how).state, expected(one, two, how), atol=1e-13)


@pytest.mark.parametrize("how", Purification)
def test_batches_of_pairs_are_their_points(how: Purification) -> None:
    one = np.array([random_state(k) for k in range(6)]).reshape(3, 2, 4, 4)
    two = np.array([random_state(50 + k) for k in range(2)])
    whole = purify(one, two, how)
    assert whole.state.shape == (3, 2, 4, 4)
    assert whole.probability.shape == whole.fidelity.shape == (3, 2)
    for i in range(3):
        for j in range(2):
            np.testing.assert_allclose(
                whole.state[i, j], expected(one[i, j], two[j], how), atol=1e-13
            )
    mixed = purify(one[0, 0], two, how)
    np.testing.assert_allclose(mixed.state[1], expected(one[0, 0], two[1], how), atol=1e-13)


@given(one=states, two=states, how=st.sampled_from(Purification))
def test_what_is_kept_is_positive_and_its_trace_is_the_probability(
    one: State, two: State, how: Purification
) -> None:
    found = purify(one, two, how)
    np.testing.assert_allclose(found.state, found.state.conj().T, atol=1e-14)
    assert np.linalg.eigvalsh(found.state)[0] >= -1e-13
    p = float(found.probability)
    assert p == pytest.approx(np.trace(found.state).real)
    assert -1e-14 <= p <= 1 + 1e-12
    if p > 1e-6:
        require_state("kept", found.normalised)
        assert -1e-12 <= float(found.fidelity) <= 1 + 1e-12


@given(one=states, two=states)
def test_the_results_of_a_measurement_exhaust_it(one: State, two: State) -> None:
    """Equal and unequal results of the second pair together are certain."""
    every = [(0, 0), (0, 1), (1, 0), (1, 1)]
    total = brute(one, two, every)
    assert np.trace(total).real == pytest.approx(1.0)
    equal = purify(one, two, Purification.DEJMPS).probability
    flip = aimed_at_phi
    other = np.trace(brute(flip(one), flip(two), every[1:3], np.pi / 2)).real
    assert float(equal) + other == pytest.approx(1.0)


@given(one=states, two=states, how=st.sampled_from(Purification))
def test_relabelling_the_nodes_changes_no_figure(one: State, two: State, how: Purification) -> None:
    swap = np.eye(4)[[0, 2, 1, 3]]
    ahead = purify(one, two, how)
    back = purify(swap @ one @ swap, swap @ two @ swap, how)
    assert float(back.probability) == pytest.approx(float(ahead.probability), abs=1e-12)
    if how is not Purification.DEJMPS and float(ahead.probability) > 1e-6:
        assert float(back.fidelity) == pytest.approx(float(ahead.fidelity), abs=1e-8)


@given(one=states, two=states, how=st.sampled_from(Purification), scale=st.floats(0.0, 1.0))
def test_purification_is_linear_in_a_pair_that_is_not_twirled(
    one: State, two: State, how: Purification, scale: float
) -> None:
    other = random_state(7)
    mixed = scale * one + (1 - scale) * other
    parts = scale * purify(one, two, how).state + (1 - scale) * purify(other, two, how).state
    np.testing.assert_allclose(purify(mixed, two, how).state, parts, atol=1e-13)


@pytest.mark.parametrize("how", Purification)
def test_perfect_pairs_stay_perfect(how: Purification) -> None:
    psi = bell_diagonal(**{"psi+": 1.0})
    found = purify(psi, psi, how)
    assert float(found.probability) == pytest.approx(0.5 if how is Purification.EPL else 1.0)
    assert float(found.fidelity) == pytest.approx(1.0)


@pytest.mark.parametrize("how", Purification)
def test_pairs_without_entanglement_gain_none(how: Purification) -> None:
    rng = np.random.default_rng(8)
    for _ in range(20):
        pairs = []
        for _ in range(2):
            parts = [rng.normal(size=(2, 2)) @ np.array([1, 1j]) for _ in range(6)]
            kets = [v / np.linalg.norm(v) for v in parts]
            products = [np.kron(kets[k], kets[k + 3]) for k in range(3)]
            pairs.append(sum(np.outer(v, v.conj()) for v in products) / 3)
        found = purify(pairs[0], pairs[1], how)
        assert float(negativity(found.normalised)) < 1e-12


# --- worked numbers of L19 -----------------------------------------------------------------------------


def test_l19a_and_l19b_bbpssw_on_werner_states() -> None:
    F = 0.8
    werner = F * np.outer(PSI_PLUS, PSI_PLUS) + (1 - F) / 3 * (
        np.eye(4) - np.outer(PSI_PLUS, PSI_PLUS)
    )
    found = purify(werner.astype(complex), werner.astype(complex), Purification.BBPSSW)
    assert float(found.probability) == pytest.approx(0.7688888889, abs=1e-10)
    assert float(found.fidelity) == pytest.approx(0.838150289, abs=1e-9)
    e = (1 - F) / 3
    assert float(found.probability) == pytest.approx(F**2 + 2 * F * e + 5 * e**2, rel=1e-14)
    assert float(found.fidelity) == pytest.approx(
        (F**2 + e**2) / (F**2 + 2 * F * e + 5 * e**2), rel=1e-14
    )


@given(st.lists(st.floats(0.01, 1.0), min_size=8, max_size=8))
def test_l19c_dejmps_on_unequal_bell_diagonal_states(raw: list[float]) -> None:
    """A = phi+, B = psi-: they pair, as do C = psi+ and D = phi-."""
    one, two = (np.array(w) / np.sum(w) for w in (raw[:4], raw[4:]))
    names = ("phi+", "psi-", "psi+", "phi-")
    pairs = [aimed_at_phi(bell_diagonal(**dict(zip(names, w, strict=True)))) for w in (one, two)]
    found = purify(pairs[0], pairs[1], Purification.DEJMPS)
    (a, b, c, d), (A, B, C, D) = one, two
    p = (a + b) * (A + B) + (c + d) * (C + D)
    assert float(found.probability) == pytest.approx(p, rel=1e-12)
    assert float(found.fidelity) == pytest.approx((a * A + b * B) / p, rel=1e-12)


def test_l19c_dejmps_worked_number() -> None:
    pair = aimed_at_phi(bell_diagonal(**{"phi+": 0.75, "phi-": 0.1, "psi+": 0.1, "psi-": 0.05}))
    found = purify(pair, pair, Purification.DEJMPS)
    assert float(found.probability) == pytest.approx(0.68, abs=1e-12)
    assert float(found.fidelity) == pytest.approx((0.75**2 + 0.05**2) / 0.68, rel=1e-12)


def test_l19f_epl_removes_all_that_is_even() -> None:
    for even in (np.diag([0, 0, 0, 0.3]), np.diag([0.3, 0, 0, 0])):
        pair = 0.7 * np.outer(PSI_PLUS, PSI_PLUS) + even + 0j
        found = purify(pair, pair, Purification.EPL)
        assert float(found.fidelity) == pytest.approx(1.0, abs=1e-12)
        assert float(found.probability) == pytest.approx(0.49 / 2, rel=1e-12)


def x_state(p00: float, p01: float, p10: float, p11: float, coherence: complex) -> State:
    state = np.diag([p00, p01, p10, p11]).astype(complex)
    state[1, 2], state[2, 1] = coherence, np.conj(coherence)
    return state


def test_l19g_epl_on_x_states() -> None:
    q, c = 0.62, 0.8
    pair = x_state(0.06, q / 2, q / 2, 0.32, c * q / 2)
    found = purify(pair, pair, Purification.EPL)
    assert float(found.probability) == pytest.approx(0.2306, abs=1e-12)
    assert float(found.fidelity) == pytest.approx((q**2 / 2) * (1 + c**2) / 2 / 0.2306, rel=1e-12)
    odd = x_state(0.06, 0.42, 0.2, 0.32, 0.1)
    found = purify(odd, odd, Purification.EPL)
    assert float(found.probability) == pytest.approx(2 * 0.42 * 0.2 + 2 * 0.06 * 0.32, rel=1e-12)


def test_l19i_hashing_is_one_minus_the_entropy_of_the_weights() -> None:
    for order in (("psi+", "phi+", "phi-", "psi-"), ("phi-", "psi-", "psi+", "phi+")):
        pair = bell_diagonal(**dict(zip(order, (0.9, 0.05, 0.03, 0.02), strict=True)))
        assert float(hashing_bound(pair)) == pytest.approx(0.3824568767, abs=1e-10)


@pytest.mark.parametrize("alpha", [0.01, 0.1, 0.4, 0.77, 0.99])
def test_l21i_epl_of_two_single_clicks_is_a_two_click_pair_at_any_alpha(alpha: float) -> None:
    seen = Detection(0.3, 0.3, 0.06, 0.06, dark=0.001)  # dark counts as in L21a
    pair = single_click(seen, alpha, alpha).normalised
    found = purify(pair, pair, Purification.EPL)
    assert float(found.fidelity) == pytest.approx(0.5442085094, abs=1e-10)
    assert float(found.fidelity) == pytest.approx(float(two_click(seen).fidelity), rel=1e-12)


@given(
    tau=st.tuples(st.floats(0.01, 1.0), st.floats(0.01, 1.0)),
    noise=st.tuples(st.floats(0.0, 0.3), st.floats(0.0, 0.3)),
    overlap=st.floats(0.0, 1.0),
    dark=st.floats(0.0, 0.1),
    alpha=st.tuples(st.floats(0.05, 0.95), st.floats(0.05, 0.95)),
)
def test_epl_of_single_clicks_is_a_two_click_pair_of_unequal_arms_too(
    tau: tuple[float, float],
    noise: tuple[float, float],
    overlap: float,
    dark: float,
    alpha: tuple[float, float],
) -> None:
    """Both clicks of a pair are of each emitter once: alpha(1 - alpha) of both sides drops out."""
    seen = Detection(*tau, *noise, overlap, 1.0, dark)
    pair = single_click(seen, *alpha).normalised
    found = purify(pair, pair, Purification.EPL)
    assert float(found.fidelity) == pytest.approx(float(two_click(seen).fidelity), rel=1e-9)


@given(one=states, two=states, phase=st.floats(-7.0, 7.0))
def test_an_unknown_constant_phase_on_both_pairs_cancels_in_epl(
    one: State, two: State, phase: float
) -> None:
    """The light's phase: a Z rotation of one qubit, the same for both pairs."""
    # heralded pairs: X states, whatever the memory has done to them
    keep = np.eye(4) + np.fliplr(np.diag([0, 1, 1, 0]))
    pairs = [keep * one, keep * two]
    turn = np.kron(np.diag([1, np.exp(1j * phase)]), ONE)
    turned = [turn @ pair @ turn.conj().T for pair in pairs]
    before, after = (purify(*both, Purification.EPL) for both in (pairs, turned))
    np.testing.assert_allclose(after.state, before.state, atol=1e-13)
    # averaged over all phases, single pairs are worth nothing, together they keep their coherence
    same = purify(pairs[0], pairs[0], Purification.EPL)
    assert same.state[1, 2].real == pytest.approx(abs(pairs[0][1, 2]) ** 2, abs=1e-14)
    assert abs(same.state[1, 2].imag) < 1e-14


# --- secret key ----------------------------------------------------------------------------------------


def measured_errors(state: State) -> tuple[float, float]:
    """Share of wrong results: unequal bits are right in Z for psi+, equal ones in X."""
    bits = [np.diag([1, 0]).astype(complex), np.diag([0, 1]).astype(complex)]
    signs = [(ONE + X) / 2, (ONE - X) / 2]
    wrong_z = sum(np.trace(np.kron(b, b) @ state).real for b in bits)
    wrong_x = sum(np.trace(np.kron(signs[i], signs[1 - i]) @ state).real for i in (0, 1))
    return wrong_z, wrong_x


def h(p: float) -> float:
    p = min(max(p, 0.0), 1.0)
    return -sum(x * np.log2(x) for x in (p, 1 - p) if x > 0)


@given(states, st.floats(0.0, 1.0))
def test_the_key_is_what_measurements_in_z_and_x_leave(noise: State, share: float) -> None:
    state = share * np.outer(PSI_PLUS, PSI_PLUS) + (1 - share) * noise
    z, x = measured_errors(state)
    key = float(secret_key_fraction(state))
    assert key == pytest.approx(max(0.0, 1 - h(z) - h(x)), abs=1e-10)
    assert 0 <= key <= 1


@given(st.lists(st.floats(0.0, 1.0), min_size=4, max_size=4).filter(lambda w: sum(w) > 1e-3))
def test_hashing_is_no_less_than_the_key_of_bell_diagonal_pairs(raw: list[float]) -> None:
    weights = np.array(raw) / np.sum(raw)
    pair = bell_diagonal(**dict(zip(BELL, weights, strict=True)))
    assert float(hashing_bound(pair)) >= float(secret_key_fraction(pair)) - 1e-9
    positive = weights[weights > 0]
    assert float(hashing_bound(pair)) == pytest.approx(
        max(0.0, 1 + float(np.sum(positive * np.log2(positive)))), abs=1e-9
    )


def test_keys_of_batches_are_their_points_and_edges_are_finite() -> None:
    perfect = np.outer(PSI_PLUS, PSI_PLUS) + 0j
    batch = np.array([perfect, np.eye(4) / 4, bell_diagonal(**{"psi-": 1.0}), random_state(3)])
    keys = secret_key_fraction(batch)
    assert keys[:3] == pytest.approx([1.0, 0.0, 1.0])  # psi-: every X result is wrong, and known
    assert keys[3] == pytest.approx(float(secret_key_fraction(random_state(3))))
    # the BB84 threshold: 11.0 % errors in both bases
    for error, positive in ((0.1095, True), (0.1105, False)):
        pair = bell_diagonal(
            **{
                "psi+": (1 - error) ** 2,
                "psi-": error * (1 - error),
                "phi+": error * (1 - error),
                "phi-": error**2,
            }
        )
        assert measured_errors(pair) == pytest.approx((error, error))
        assert (float(secret_key_fraction(pair)) > 0) is positive


@given(states)
def test_hashing_is_the_larger_coherent_information_and_entropies_are_in_bits(state: State) -> None:
    def entropy(rho: State) -> float:
        values = np.linalg.eigvalsh(rho)
        return -sum(float(v) * np.log2(float(v)) for v in values if v > 1e-15)

    def part(side: int) -> State:
        out = np.zeros((2, 2), complex)
        for bit in range(2):
            bra = np.eye(2)[bit].reshape(1, 2)
            look = np.kron(ONE, bra) if side == 0 else np.kron(bra, ONE)
            out += look @ state @ look.T
        return out

    assert float(entropy_bits(state)) == pytest.approx(entropy(state), abs=1e-9)
    coherent = max(entropy(part(0)), entropy(part(1))) - entropy(state)
    assert float(hashing_bound(state)) == pytest.approx(max(0.0, coherent), abs=1e-9)


@given(states)
def test_negativity_is_half_the_trace_norm_above_one_and_bounds_hashing(state: State) -> None:
    flipped = np.zeros((4, 4), complex)
    for i, j in np.ndindex(4, 4):
        flipped[(i & 2) | (j & 1), (j & 2) | (i & 1)] = state[i, j]
    norm = float(np.sum(np.abs(np.linalg.eigvalsh(flipped))))
    assert float(negativity(state)) == pytest.approx((norm - 1) / 2, abs=1e-10)
    # log-negativity is an upper bound of what hashing distils
    assert float(hashing_bound(state)) <= np.log2(norm) + 1e-9


def test_l23c_a_gate_teleported_through_a_bell_diagonal_pair() -> None:
    """CNOT by cat-entangler through a noisy pair: process fidelity by its Choi state is F."""
    assert teleported_gate_fidelity(0.93) == pytest.approx((4 * 0.93 + 1) / 5)
    for F, weights in ((0.93, (0.93, 0.0233, 0.0233, 0.0234)), (0.7, (0.7, 0.2, 0.07, 0.03))):
        assert teleported_cnot(bell_diagonal(**dict(zip(BELL, weights, strict=True)))) == (
            pytest.approx(F, abs=1e-12)
        )
        assert teleported_gate_fidelity(F) == pytest.approx((4 * F + 1) / 5, rel=1e-14)


def teleported_cnot(pair: State) -> float:
    """Process fidelity of a CNOT through a pair aimed at phi+; qubits c r t s A B, r and s references.

    CNOT c to A, A measured in Z and B flipped; CNOT B to t, B measured in X and c corrected by Z.
    """
    n = 6

    def op(gates: dict[int, State]) -> State:
        whole = np.eye(1, dtype=complex)
        for qubit in range(n):
            whole = np.kron(whole, gates.get(qubit, ONE))
        return whole

    zero, one = np.diag([1, 0]).astype(complex), np.diag([0, 1]).astype(complex)

    def cx(a: int, b: int) -> State:
        return op({a: zero}) + op({a: one, b: X})

    phi = np.outer(BELL["phi+"], BELL["phi+"])
    rho = np.kron(np.kron(phi, phi), pair).astype(complex)
    rho = cx(0, 4) @ rho @ cx(0, 4)
    after = op({4: zero}) @ rho @ op({4: zero})
    flip = op({4: one, 5: X})
    rho = after + flip @ rho @ flip.conj().T
    rho = cx(5, 2) @ rho @ cx(5, 2)
    plus, minus = (ONE + X) / 2, (ONE - X) / 2
    sign = op({5: minus, 0: Z})
    rho = op({5: plus}) @ rho @ op({5: plus}) + sign @ rho @ sign.conj().T
    rho = np.einsum("ikjk->ij", rho.reshape(16, 4, 16, 4))
    gate = np.kron(np.eye(2), np.eye(8)).astype(complex)
    gate = np.kron(np.kron(np.kron(zero, ONE), ONE), ONE) + np.kron(
        np.kron(np.kron(one, ONE), X), ONE
    )
    ideal = gate @ np.kron(BELL["phi+"], BELL["phi+"])
    return float((ideal.conj() @ rho @ ideal).real)


# --- the bookkeeping of rates -------------------------------------------------------------------------

MEMORIES = (Memory(90e-6, 60e-6), Memory(40e-6, 70e-6))


def waited(state: State, p: float, period: float) -> State:
    total = np.zeros((4, 4), complex)
    for n in range(1, int(40 / p) + 1):
        later = decay(state, *(qubit_channel(memory, n * period) for memory in MEMORIES))
        total += p * (1 - p) ** (n - 1) * later
    return total


@pytest.mark.parametrize("how", Purification)
@pytest.mark.parametrize("p", [0.05, 0.4])
def test_a_purified_pair_is_a_fresh_one_and_one_that_waited_told_a_message_later(
    how: Purification, p: float
) -> None:
    noise = random_state(2)
    pair = 0.8 * np.outer(PSI_PLUS, PSI_PLUS) + 0.2 * noise
    period, message, up = 2e-6, 5e-6, 0.7
    found = purified(pair, how, MEMORIES, Attempts(p, period), message, up)
    kept = expected(pair, waited(pair, p, period), how)
    told = decay(kept, *(qubit_channel(memory, message) for memory in MEMORIES))
    success = np.trace(kept).real
    np.testing.assert_allclose(found.state, told / success, atol=1e-12)
    assert found.probability == pytest.approx(success, rel=1e-12)
    assert found.fidelity == pytest.approx((PSI_PLUS @ told @ PSI_PLUS).real / success, rel=1e-12)
    # two successes per try, success of the try, share of the time the link is up
    assert found.rate == pytest.approx(up * success * (p / period) / 2, rel=1e-12)
    assert found.hashing_rate == pytest.approx(
        found.rate * float(hashing_bound(found.state)), rel=1e-12
    )
    assert found.how is how


def test_rates_of_purified_pairs_are_those_of_a_simulated_link() -> None:
    pair = 0.8 * np.outer(PSI_PLUS, PSI_PLUS) + 0.05 * np.eye(4)
    p, period = 0.2, 1e-6
    found = purified(pair + 0j, Purification.EPL, MEMORIES, Attempts(p, period), 0.0)
    rng = np.random.default_rng(6)
    runs = 200_000
    spent = rng.geometric(p, (runs, 2)).sum() * period
    kept = int(np.sum(rng.random(runs) < found.probability))
    assert kept / spent == pytest.approx(found.rate, rel=6 / np.sqrt(kept))


@pytest.mark.parametrize("p", [1e-8, 1e-10, 1e-12])
def test_pairs_that_are_very_rare_can_be_purified(p: float) -> None:
    """Storage must hand a normalised state on, however long the wait."""
    memory = Memory(10e-6 / p, 10e-6 / p)
    pair = 0.9 * np.outer(PSI_PLUS, PSI_PLUS) + 0.025 * np.eye(4)
    found = purified(pair + 0j, Purification.EPL, (memory, memory), Attempts(p, 1e-6), 0.0)
    common = purified(
        pair + 0j,
        Purification.EPL,
        (Memory(10.0, 10.0), Memory(10.0, 10.0)),
        Attempts(1e-4, 1e-4),
        0.0,
    )
    assert found.fidelity == pytest.approx(common.fidelity, abs=1e-4)


def test_modes_raise_the_rate_of_purified_pairs_with_that_of_bare_ones(tmp_path: Path) -> None:
    """The report's purified pairs come from the same heralds as its bare ones."""
    text = (ROOT / "data" / "scenarios" / "metro_target.toml").read_text("utf-8")
    bare, kept = [], []
    for modes in (1, 100):
        path = tmp_path / f"{modes}.toml"
        path.write_text(text.replace("[schedule]\n", f"[schedule]\nmodes = {modes}\n", 1), "utf-8")
        report = simulate(load_scenario(path), "scattering", (Scheme.TWO_CLICK,))
        bare.append(float(report.best.figures.delivered_rate))
        kept.append({found.how: found for found in report.purified})
    for how, found in kept[0].items():
        many = kept[1][how]
        gained = many.rate / many.probability / (found.rate / found.probability)
        assert gained == pytest.approx(bare[1] / bare[0], rel=1e-9)
        assert many.fidelity >= found.fidelity - 1e-12  # the first pair waits less


def test_what_is_no_pair_of_qubits_is_refused_in_a_sentence() -> None:
    good = random_state(1)
    for bad, words in (
        (2 * good, "trace of 1"),
        (good + np.diag([0, 0.1j, -0.1j, 0]), "Hermitian"),
        (np.diag([0.5, 0.6, -0.1, 0.0]) + 0j, "positive"),
        (np.eye(2) / 2 + 0j, "4 x 4"),
        (good * np.nan, "finite"),
    ):
        for call in (
            lambda s: purify(s, good, Purification.EPL),
            lambda s: purify(good, s, Purification.DEJMPS),
            secret_key_fraction,
            lambda s: require_state("x", s),
        ):
            with pytest.raises(ParameterError, match=words):
                call(bad)
    with pytest.raises(ParameterError, match="message"):
        purified(good, Purification.EPL, MEMORIES, Attempts(0.1, 1e-6), -1.0)
    with pytest.raises(ParameterError, match="availability"):
        purified(good, Purification.EPL, MEMORIES, Attempts(0.1, 1e-6), 0.0, 1.5)
    with pytest.raises(ParameterError, match="bell_fidelity"):
        teleported_gate_fidelity(1.2)
