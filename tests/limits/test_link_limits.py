"""L15, L17i, L19, L20f, L21g, L21i, L23: worked numbers of links, by number expansions and 16 x 16 density matrices."""

from itertools import product
from math import comb, factorial

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq

from fibre import Detection, negativity, noise_threshold, single_click, two_click
from fibre.bounds import LOW_TRANSMISSION_THRESHOLD
from fibre.distil import teleported_gate_fidelity
from fibre.herald import PSI_PLUS, Heralded
from fibre.purify import Purification, purify

Array = NDArray[np.complex128]
BELL = {
    "phi+": np.array([1, 0, 0, 1]) / np.sqrt(2),
    "phi-": np.array([1, 0, 0, -1]) / np.sqrt(2),
    "psi+": np.array([0, 1, 1, 0]) / np.sqrt(2),
    "psi-": np.array([0, 1, -1, 0]) / np.sqrt(2),
}


# --- a number expansion of its own: loss, then an amplifier of gain 1 + N, then binomials ------------


def arm(tau: float, noise: float, levels: int) -> NDArray[np.float64]:
    """Matrices of what |i><j|, i, j < 2, becomes: shape (2, 2, levels, levels), by Kraus operators."""
    G = 1 + noise
    t = tau / G
    out = np.zeros((2, 2, levels, levels))
    lost = {(0, 0): 1.0, (1, 1): np.sqrt(t), (1, 0): np.sqrt(1 - t)}  # (from, to)
    for i, j in product((0, 1), repeat=2):
        kept = np.zeros((2, 2))  # after the loss
        if (i, j) == (1, 1):
            kept[1, 1], kept[0, 0] = lost[1, 1] ** 2, lost[1, 0] ** 2
        else:
            kept[i, j] = lost[i, i] * lost[j, j]
        for a, b in product((0, 1), repeat=2):
            for k in range(levels - 1):
                scale = ((G - 1) / G) ** k / factorial(k) / G ** (1 + (a + b) / 2)
                up = np.sqrt(factorial(a + k) / factorial(a) * factorial(b + k) / factorial(b))
                if max(a, b) + k < levels:
                    out[i, j, a + k, b + k] += kept[a, b] * scale * up
    return out


def click(
    tau: tuple[float, float], noise: tuple[float, float], dark: float = 0.0, levels: int = 24
) -> NDArray[np.float64]:
    """Elements of "one clicks, two is silent" between 00, 01, 10, 11; one noise mode per gate.

    Only sum_n |b_n><b_n| leaves a port of a balanced splitter dark, with binomial amplitudes b_n.
    """
    A, B = (arm(t, n, levels) for t, n in zip(tau, noise, strict=True))
    out = np.zeros((4, 4))
    for i, j in product(range(4), repeat=2):
        a, b = A[i // 2, j // 2], B[i % 2, j % 2]
        total = 0.0
        for n in range(2 * levels - 1):
            k = np.arange(max(0, n - levels + 1), min(n, levels - 1) + 1)
            c = np.array([np.sqrt(comb(n, int(x)) / 2.0**n) for x in k])
            weight = dark if n == 0 else 1.0
            total += weight * (c @ (a[np.ix_(k, k)] * b[np.ix_(n - k, n - k)]) @ c)
        out[i, j] = (1 - dark) * total
    return out


def spins(alpha: tuple[float, float]) -> NDArray[np.float64]:
    c = np.kron(*(np.array([np.sqrt(1 - a), np.sqrt(a)]) for a in alpha))
    return np.outer(c, c)


def test_the_number_expansion_is_the_herald_of_unequal_noisy_arms() -> None:
    tau, noise, alpha = (0.5, 0.2), (0.08, 0.03), (0.1, 0.25)
    expected = Heralded(2 * click(tau, noise, 1e-3) * spins(alpha) + 0j)
    found = single_click(Detection(*tau, *noise, dark=1e-3), *alpha)
    assert found.state == pytest.approx(expected.state, abs=1e-13)
    assert expected.fidelity == pytest.approx(0.4781318492, rel=1e-9)  # L24d


# --- L15c, d -------------------------------------------------------------------------------------------


def test_l15c_l15d_at_low_transmission_the_next_order_is_the_worked_one() -> None:
    pair = single_click(Detection(1e-5, 1e-5), 0.1, 0.1)
    brute = Heralded(2 * click((1e-5, 1e-5), (0.0, 0.0), levels=3) * spins((0.1, 0.1)) + 0j)
    for found in (pair, brute):
        assert found.fidelity == pytest.approx(0.90000045, abs=1e-11)
        assert found.probability == pytest.approx(1.999999e-06, rel=1e-11)


@pytest.mark.parametrize(("a", "b"), [(0.1, 0.1), (0.05, 0.3)])
def test_l15c_l15d_of_unequal_bright_populations_at_low_transmission(a: float, b: float) -> None:
    """P = (a + b) eta; both bright: a b of it each; the coherence is the geometric mean."""
    eta = 1e-9
    pair = single_click(Detection(eta, eta), a, b)
    odd = a * (1 - b) + b * (1 - a) + 2 * np.sqrt(a * b * (1 - a) * (1 - b))
    assert pair.probability == pytest.approx((a + b) * eta, rel=1e-8)
    assert pair.fidelity == pytest.approx(odd / 2 / (a + b), rel=1e-8)
    if a == b:
        assert pair.fidelity == pytest.approx(1 - a, rel=1e-8)


# --- L17i, L21g, L23 ----------------------------------------------------------------------------------


def best_alpha(elements: NDArray[np.float64]) -> tuple[float, float]:
    alpha = np.linspace(0.0005, 0.9995, 200001)
    odd = alpha * (1 - alpha) * (elements[1, 1] + elements[2, 2]) / 2
    F = (odd + alpha * (1 - alpha) * elements[1, 2]) / (
        2 * odd + (1 - alpha) ** 2 * elements[0, 0] + alpha**2 * elements[3, 3]
    )
    k = int(np.argmax(F))
    return float(alpha[k]), float(F[k])


def test_l17i_at_the_threshold_the_best_single_click_has_fidelity_one_half() -> None:
    n = (np.sqrt(2) - 1) / 2
    tau = 1e-7
    at, F = best_alpha(click((tau, tau), (n * tau, n * tau), levels=4))
    assert pytest.approx(0.5, abs=1e-6) == F
    assert at == pytest.approx(0.292893219, abs=1e-4)
    alpha = np.linspace(0.2, 0.4, 200001)
    pair = single_click(Detection(1e-9, 1e-9, n * 1e-9, n * 1e-9), alpha, alpha)
    assert np.max(pair.fidelity) == pytest.approx(0.5, abs=1e-8)
    assert alpha[np.argmax(pair.fidelity)] == pytest.approx(0.292893219, abs=1e-4)


def test_l21g_the_best_single_click_at_a_hundredth_of_a_quantum() -> None:
    n, tau = 0.01, 1e-6
    at, F = best_alpha(click((tau, tau), (n * tau, n * tau), levels=4))
    assert pytest.approx(0.8271925125, abs=2e-7) == F
    assert at == pytest.approx(np.sqrt(n**2 + n) - n, abs=1e-4)
    pair = single_click(Detection(1e-11, 1e-11, n * 1e-11, n * 1e-11), at, at)
    assert pair.fidelity == pytest.approx(0.8271925125, abs=1e-8)


def lowest_transposed(tau: float, n: float, alpha: tuple[float, float]) -> float:
    state = click((tau, tau), (n * tau, n * tau), levels=20) * spins(alpha)
    turned = state.reshape(2, 2, 2, 2).transpose(0, 3, 2, 1).reshape(4, 4)
    return float(np.min(np.linalg.eigvalsh(turned / np.trace(state))))


@pytest.mark.parametrize("alpha", [(0.2, 0.2), (0.1, 0.6)])
@pytest.mark.parametrize(("tau", "limit"), [(1e-4, 0.207106781), (0.35, None), (1.0, 0.376)])
def test_l23_the_partial_transpose_turns_positive_at_the_threshold(
    alpha: tuple[float, float], tau: float, limit: float | None
) -> None:
    """0.2071 at low transmission, 0.376 at one, whatever the bright populations, unequal ones too."""
    root = brentq(lambda n: lowest_transposed(tau, n, alpha) + 1e-13, 0.02, 0.8, xtol=1e-9)
    assert root == pytest.approx(float(noise_threshold(tau)), rel=2e-5)
    if limit is not None:
        assert root == pytest.approx(limit, abs=5e-4)
    assert pytest.approx(0.207106781, rel=1e-8) == LOW_TRANSMISSION_THRESHOLD


def test_l23c_the_average_fidelity_of_the_worked_gate() -> None:
    assert teleported_gate_fidelity(0.93) == pytest.approx(0.944, rel=1e-12)


# --- L20f ----------------------------------------------------------------------------------------------


def test_l20f_phase_noise_is_a_gaussian_average_over_phases() -> None:
    sigma = 0.3
    x, w = np.polynomial.hermite_e.hermegauss(30)
    average = np.sum(w / w.sum() * np.abs((1 + np.exp(1j * sigma * x)) / 2) ** 2)
    assert average == pytest.approx(0.9779987409, rel=1e-10)
    for arms in ((0.3, 0.3), (0.45, 0.02)):  # two clicks balance unequal arms
        pair = two_click(Detection(*arms), phase_change_rms=sigma)
        assert pair.fidelity == pytest.approx(0.9779987409, rel=1e-10)
    dim = single_click(Detection(1e-9, 1e-9), 1e-9, 1e-9, sigma)
    assert dim.fidelity == pytest.approx(0.9779987409, rel=1e-7)


# --- L19: purification on the 16 x 16 density matrix --------------------------------------------------


def mixture(**weights: float) -> Array:
    names = {"phi_p": "phi+", "phi_m": "phi-", "psi_p": "psi+", "psi_m": "psi-"}
    return sum(w * np.outer(BELL[names[k]], BELL[names[k]]) for k, w in weights.items()) + 0j


def on(gates: dict[int, Array], qubits: int = 4) -> Array:
    out = np.eye(1)
    for k in range(qubits):
        out = np.kron(out, gates.get(k, np.eye(2)))
    return out


def cnot(control: int, target: int) -> Array:
    zero, one, x = np.diag([1.0, 0]), np.diag([0, 1.0]), np.fliplr(np.eye(2))
    return on({control: zero}) + on({control: one, target: x})


def distilled(one: Array, two: Array, results: tuple[tuple[int, int], ...]) -> Array:
    """Qubits A1 B1 A2 B2; CNOTs A1 -> A2, B1 -> B2; A2 and B2 found in `results`."""
    rho = np.kron(one, two)
    U = cnot(0, 2) @ cnot(1, 3)
    rho = U @ rho @ U.conj().T
    out = np.zeros((4, 4), complex)
    for a, b in results:
        P = on({2: np.diag([1.0 - a, a]), 3: np.diag([1.0 - b, b])})
        kept = (P @ rho @ P).reshape(4, 4, 4, 4)
        out += np.einsum("ikjk->ij", kept)
    return out


def test_l19a_l19b_bbpssw_of_werner_states() -> None:
    F = 0.8
    g = (1 - F) / 3
    aimed = mixture(phi_p=F, phi_m=g, psi_p=g, psi_m=g)
    brute = distilled(aimed, aimed, ((0, 0), (1, 1)))
    p = float(np.trace(brute).real)
    assert p == pytest.approx(0.7688888889, rel=1e-9)
    assert (BELL["phi+"] @ brute @ BELL["phi+"]).real / p == pytest.approx(0.838150289, rel=1e-9)
    pair = mixture(psi_p=F, psi_m=g, phi_p=g, phi_m=g)
    found = purify(pair, pair, Purification.BBPSSW)
    assert found.probability == pytest.approx(0.7688888889, rel=1e-9)
    assert found.fidelity == pytest.approx(0.838150289, rel=1e-9)
    # any state of this fidelity is made such a Werner state first
    odd = mixture(psi_p=F, phi_p=1 - F)
    assert purify(odd, odd, Purification.BBPSSW).fidelity == pytest.approx(0.838150289, rel=1e-9)


def test_l19c_dejmps_of_a_bell_diagonal_state() -> None:
    aimed = mixture(phi_p=0.75, phi_m=0.1, psi_p=0.1, psi_m=0.05)
    turn = np.array([[1, -1j], [-1j, 1]]) / np.sqrt(2)
    U = np.kron(turn, turn.conj())
    turned = U @ aimed @ U.conj().T
    brute = distilled(turned, turned, ((0, 0), (1, 1)))
    p = float(np.trace(brute).real)
    A, B, C, D = 0.75, 0.05, 0.1, 0.1  # B = psi-
    assert p == pytest.approx((A + B) ** 2 + (C + D) ** 2) == pytest.approx(0.68, rel=1e-12)
    F = (BELL["phi+"] @ brute @ BELL["phi+"]).real / p
    assert pytest.approx((A**2 + B**2) / p, rel=1e-12) == F
    # the link aims at psi+: X on B carries phi+ to psi+, phi- to psi-
    pair = mixture(psi_p=0.75, psi_m=0.1, phi_p=0.1, phi_m=0.05)
    found = purify(pair, pair, Purification.DEJMPS)
    assert found.probability == pytest.approx(0.68, rel=1e-12)
    assert found.fidelity == pytest.approx(F, rel=1e-12)


def test_l19c_dejmps_of_two_different_heralded_pairs() -> None:
    """Unequal arms, two pairs of different age, not Bell-diagonal: the whole matrix, not four numbers."""
    pairs = [
        single_click(Detection(0.3, 0.1, 0.002, 0.004, 0.9), a, b, 0.2).normalised
        for a, b in ((0.1, 0.25), (0.05, 0.2))
    ]
    x = np.kron(np.eye(2), np.fliplr(np.eye(2)))
    turn = np.array([[1, -1j], [-1j, 1]]) / np.sqrt(2)
    U = np.kron(turn, turn.conj())
    turned = [U @ x @ rho @ x @ U.conj().T for rho in pairs]
    brute = x @ distilled(turned[0], turned[1], ((0, 0), (1, 1))) @ x
    found = purify(pairs[0], pairs[1], Purification.DEJMPS)
    assert found.state == pytest.approx(brute, abs=1e-14)


def x_state(p01: float, p10: float, c: complex, p00: float, p11: float) -> Array:
    """X-state of relative coherence c: its element is c sqrt(p01 p10)."""
    rho = np.diag([p00, p01, p10, p11]).astype(complex)
    rho[1, 2] = c * np.sqrt(p01 * p10)
    rho[2, 1] = np.conj(rho[1, 2])
    return rho


def test_l19f_epl_makes_a_mixture_of_one_bell_state_and_both_bright_perfect() -> None:
    pair = 0.7 * np.outer(PSI_PLUS, PSI_PLUS) + 0.3 * np.diag([0, 0, 0, 1]) + 0j
    brute = distilled(pair, pair, ((1, 1),))
    for state in (brute, purify(pair, pair, Purification.EPL).state):
        found = Heralded(state)
        assert found.fidelity == pytest.approx(1.0, rel=1e-12)
        assert found.probability == pytest.approx(0.7**2 / 2, rel=1e-12)


@pytest.mark.parametrize("share", [0.5, 0.3])
def test_l19g_epl_of_an_x_state(share: float) -> None:
    """p01 = p10 at the worked point; unequal ones: q^2/2 becomes 2 p01 p10; an unknown phase drops out."""
    q, c, p00, p11 = 0.62, 0.8, 0.06, 0.32
    p01, p10 = share * q, (1 - share) * q
    rho = x_state(p01, p10, c * np.exp(0.7j), p00, p11)
    brute = Heralded(distilled(rho, rho, ((1, 1),)))
    found = purify(rho, rho, Purification.EPL)
    assert found.state == pytest.approx(brute.state, abs=1e-15)
    p = 2 * p01 * p10 + 2 * p00 * p11
    assert found.probability == pytest.approx(p, rel=1e-12)
    assert found.fidelity == pytest.approx(2 * p01 * p10 * (1 + c**2) / 2 / p, rel=1e-12)
    if share == 0.5:
        assert found.probability == pytest.approx(0.2306, rel=1e-12)


# --- L21i ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [(0.1, 0.1), (0.4, 0.4), (0.07, 0.55)])
def test_l21i_epl_of_two_single_clicks_has_the_fidelity_of_two_clicks(
    alpha: tuple[float, float],
) -> None:
    for tau, noise in (((0.3, 0.3), (0.06, 0.06)), ((0.5, 0.2), (0.08, 0.03))):
        raw = click(tau, noise, 1e-3) * spins(alpha) + 0j
        rho = raw / np.trace(raw)
        brute = Heralded(distilled(rho, rho, ((1, 1),)))
        seen = Detection(*tau, *noise, dark=1e-3)
        pair = single_click(seen, *alpha).normalised
        found = purify(pair, pair, Purification.EPL)
        assert found.fidelity == pytest.approx(float(brute.fidelity), rel=1e-10)
        assert found.fidelity == pytest.approx(float(two_click(seen).fidelity), rel=1e-12)
        if tau[0] == tau[1]:
            assert found.fidelity == pytest.approx(0.5442085094, rel=1e-9)


@pytest.mark.parametrize("n", [0.15, 0.2, 0.215, 0.3])
def test_l21_two_clicks_pass_one_half_exactly_where_one_click_is_entangled(n: float) -> None:
    tau = 1e-6
    seen = Detection(tau, tau, n * tau, n * tau)
    entangled = bool(negativity(single_click(seen, 0.2, 0.35).normalised) > 1e-12)
    assert bool(two_click(seen).fidelity > 0.5) is entangled is bool(n < 0.2071)
