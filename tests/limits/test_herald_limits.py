"""L15, L16, L20, L21, L23 and the general herald behind them, against Fock-space brute force."""

import mpmath
import numpy as np
import pytest

from fibre import (
    Detection,
    Memory,
    click_operator,
    decay,
    hashing_bound,
    negativity,
    noise_threshold,
    pure_loss_bound,
    qubit_channel,
    single_click,
    two_click,
)
from fibre.bounds import LOW_TRANSMISSION_THRESHOLD
from fibre.distil import teleported_gate_fidelity
from fibre.herald import PSI_PLUS, Heralded
from tests.brute import herald_elements


def spins(alpha: tuple[float, float]) -> np.ndarray:
    one = np.array([np.sqrt(1 - alpha[0]), np.sqrt(alpha[0])])
    two = np.array([np.sqrt(1 - alpha[1]), np.sqrt(alpha[1])])
    c = np.kron(one, two)
    return np.outer(c, c)


def brute_single(elements: dict, alpha: tuple[float, float], sigma: float = 0.0) -> Heralded:
    """Sum both patterns, Z-correct one, average the phase by quadrature."""
    rho = spins(alpha).astype(complex)
    z = np.diag([1.0, -1.0, 1.0, -1.0])
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    out = np.zeros((4, 4), complex)
    for x, w in zip(nodes, weights / weights.sum(), strict=True):
        turn = np.diag(np.exp(1j * sigma * x * np.array([0, 1, 0, 1])))  # phase of arm B's photon
        for name, fix in (("plus", z), ("minus", np.eye(4))):
            after = turn @ (elements[name] * rho) @ turn.conj().T
            out += w * fix @ after @ fix
    return Heralded(out)


def brute_two(elements: dict) -> Heralded:
    """Two rounds with a flip, every pattern corrected by its own sign."""
    x = np.fliplr(np.eye(4))
    z = np.diag([1.0, -1.0, 1.0, -1.0])
    out = np.zeros((4, 4), complex)
    for first in ("plus", "minus"):
        for second in ("plus", "minus"):
            rho = elements[first] * spins((0.5, 0.5))
            rho = elements[second] * (x @ rho @ x)
            out += rho if first == second else z @ rho @ z
    return Heralded(out)


def test_l15_single_click_without_noise_at_the_worked_points() -> None:
    pair = single_click(Detection(0.05, 0.05), 0.1, 0.1)
    assert pair.probability == pytest.approx(0.009975, rel=1e-10)
    assert pair.fidelity == pytest.approx(0.9022556391, rel=1e-10)
    dim = single_click(Detection(0.05, 0.05, overlap=0.95, dark=1e-4), 0.1, 0.1, 0.2)
    assert dim.probability == pytest.approx(0.01017076907, rel=1e-9)
    bright = single_click(Detection(0.6, 0.6, overlap=0.9, dark=1e-3), 0.3, 0.3, 0.1)
    assert bright.fidelity == pytest.approx(0.7334359166, rel=1e-9)


def test_l15_low_transmission_limits() -> None:
    pair = single_click(Detection(1e-5, 1e-5), 0.1, 0.1)
    assert pair.probability == pytest.approx(2 * 0.1 * 1e-5, rel=1e-5)
    assert pair.fidelity == pytest.approx(0.9, rel=1e-6)


def test_l15_single_click_matches_a_number_expansion_with_unequal_arms() -> None:
    tau, alpha, M, dark, sigma = (0.45, 0.2), (0.15, 0.35), 0.85, 2e-3, 0.4
    brute = brute_single(herald_elements(tau, (0.0, 0.0), M, dark, levels=3), alpha, sigma)
    pair = single_click(Detection(*tau, overlap=M, dark=dark), *alpha, sigma)
    assert pair.probability == pytest.approx(brute.probability, rel=1e-12)
    assert pair.state == pytest.approx(brute.state, abs=1e-13)


def test_l16_two_click_at_the_worked_points_and_by_number_expansion() -> None:
    pair = two_click(Detection(0.3, 0.3, overlap=0.95))
    assert pair.probability == pytest.approx(0.3**2 / 2, rel=1e-12)
    assert pair.fidelity == pytest.approx(0.95125, rel=1e-12)
    tau, M, dark = (0.45, 0.2), 0.85, 2e-3
    brute = brute_two(herald_elements(tau, (0.0, 0.0), M, dark, levels=3))
    pair = two_click(Detection(*tau, overlap=M, dark=dark))
    assert pair.state == pytest.approx(brute.state, abs=1e-13)


def test_l16_a_phase_that_stays_drops_out_and_one_that_moves_dephases() -> None:
    seen = Detection(0.3, 0.1)
    still, moving = two_click(seen), two_click(seen, phase_change_rms=0.5)
    assert moving.probability == pytest.approx(still.probability)
    ratio = moving.state[1, 2] / still.state[1, 2]
    assert ratio == pytest.approx(np.exp(-0.125), rel=1e-12)


def test_l21_weights_with_thermal_noise_at_the_worked_point() -> None:
    e = click_operator(Detection(0.3, 0.3, 0.06, 0.06, dark=1e-3))
    assert e[0, 0] == pytest.approx(0.05423549306, rel=1e-9)
    assert e[1, 1] == e[2, 2] == pytest.approx(0.1722517917, rel=1e-9)
    assert e[3, 3] == pytest.approx(0.2568672512, rel=1e-9)
    assert e[1, 2] == pytest.approx(0.1333659665, rel=1e-9)
    seen = Detection(0.3, 0.3, 0.06, 0.06, dark=1e-3)
    assert single_click(seen, 0.15, 0.15).probability == pytest.approx(0.1777777276, rel=1e-9)
    assert two_click(seen).probability == pytest.approx(0.08720400356, rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tau", "noise", "overlap", "dark"),
    [
        ((0.5, 0.2), (0.05, 0.02), 1.0, 1e-3),
        ((0.4, 0.15), (0.05, 0.02), 0.8, 1e-3),
        ((0.25, 0.6), (0.0, 0.04), 0.6, 0.0),
    ],
)
def test_l21_herald_through_noisy_arms_matches_brute_force(
    tau: tuple, noise: tuple, overlap: float, dark: float
) -> None:
    """Both temporal modes carry the noise: K = 2. Seven levels: the thermal tail leaves about 1e-7."""
    elements = herald_elements(tau, noise, overlap, dark, levels=7)
    seen = Detection(*tau, *noise, overlap=overlap, noise_modes=2.0, dark=dark)
    for pattern, sign in (("minus", 1.0), ("plus", -1.0)):
        expected = elements[pattern].copy()
        expected[1, 2] *= sign
        expected[2, 1] *= sign
        assert click_operator(seen) == pytest.approx(expected, abs=3e-7)
    alpha = (0.1, 0.25)
    assert single_click(seen, *alpha).state == pytest.approx(
        brute_single(elements, alpha).state, abs=3e-7
    )
    assert two_click(seen).state == pytest.approx(brute_two(elements).state, abs=3e-7)


def test_l21_unequal_arms_at_the_worked_point() -> None:
    pair = single_click(Detection(0.5, 0.2, 0.08, 0.03, dark=1e-3), 0.1, 0.25)
    assert pair.fidelity == pytest.approx(0.4781318492, rel=1e-9)  # L24d


def test_l21_more_noise_modes_act_as_dark_counts() -> None:
    """L24e: K modes are one mode and a dark probability 1 - (1 - p_d)(1 + N)^-(K-1)."""
    tau, n, dark, K = 0.2, 0.03, 1e-3, 3.7
    many = click_operator(Detection(tau, tau, n, n, noise_modes=K, dark=dark))
    one = click_operator(Detection(tau, tau, n, n, dark=1 - (1 - dark) * (1 + n) ** (1 - K)))
    assert many == pytest.approx(one, rel=1e-12)


def test_l21_low_transmission_closed_forms() -> None:
    n, tau = 0.01, 1e-6
    seen = Detection(tau, tau, n * tau, n * tau)
    alpha = np.linspace(0.05, 0.2, 3001)
    best = np.max(single_click(seen, alpha, alpha).fidelity)
    assert best == pytest.approx((1 + n) * (np.sqrt(1 + n) - np.sqrt(n)) ** 2, rel=1e-6)
    closed = ((0.5 + n) ** 2 + 0.25) / (2 * n * (1 + n) + 2 * (0.5 + n) ** 2)
    assert two_click(seen).fidelity == pytest.approx(closed, rel=1e-6)
    assert two_click(seen).fidelity == pytest.approx(0.9439304577, rel=1e-8)


@pytest.mark.parametrize("tau", [1e-2, 1e-6, 1e-12, 1e-15])
def test_the_click_is_free_of_cancellation_against_fifty_digits(tau: float) -> None:
    """P = w1 - w0 loses its digits as 1/P; here 12 survive down to probabilities of 1e-15."""
    mpmath.mp.dps = 50
    tau_b, n_a, n_b, dark, K, M = tau / 3, 0.07 * tau, 0.02 * tau, 1e-3 * tau, 2.6, 0.9
    mp = mpmath.mpf
    found = click_operator(Detection(tau, tau_b, n_a, n_b, M, K, dark))

    ta, tb, na, nb, pd, k, m = map(mp, (tau, tau_b, n_a, n_b, dark, K, M))
    t = mpmath.matrix(
        [[mpmath.sqrt(ta / 2), mpmath.sqrt(tb / 2)], [mpmath.sqrt(ta / 2), -mpmath.sqrt(tb / 2)]]
    )
    N = mpmath.matrix([[(na + nb) / 2, (na - nb) / 2], [(na - nb) / 2, (na + nb) / 2]])
    one = mpmath.eye(2)

    def no_click(mu: mpmath.matrix, silent: int) -> tuple:
        inverse = (one + mu * N) ** -1 * mu
        w = (1 - pd) ** silent / mpmath.det(one + mu * N) ** k
        q = t.T * inverse * t
        return w, q[0, 0], q[1, 1], m * q[0, 1]

    two = no_click(mpmath.diag([0, 1]), 1)
    both = no_click(mpmath.diag([1, 1]), 2)

    def elements(x: tuple) -> tuple:
        w, qa, qb, qc = x
        return w, w * (1 - qb), w * (1 - qa), w * ((1 - qa) * (1 - qb) + qc**2), -w * qc

    exact = [a - b for a, b in zip(elements(two), elements(both), strict=True)]
    got = [found[0, 0], found[1, 1], found[2, 2], found[3, 3], found[1, 2]]
    for value, reference in zip(got, exact, strict=True):
        assert abs(value - float(reference)) <= 1e-12 * float(abs(reference))


def test_l20_memory_decay_matches_a_master_equation_with_unequal_qubits() -> None:
    import qutip

    one, two, t = Memory(100e-6, 80e-6), Memory(30e-6, 45e-6), (12e-6, 31e-6)
    rng = np.random.default_rng(3)
    m = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    rho = m @ m.conj().T
    rho /= np.trace(rho)
    found = decay(rho, qubit_channel(one, t[0]), qubit_channel(two, t[1]))

    state = qutip.Qobj(rho, dims=[[2, 2], [2, 2]])
    lower = qutip.Qobj(np.array([[0, 1], [0, 0]]))  # |0><1|: 1 is the excited state
    number = lower.dag() * lower
    eye = qutip.qeye(2)
    for which, memory, wait in ((0, one, t[0]), (1, two, t[1])):
        dephasing = 1 / memory.T2 - 1 / (2 * memory.T1)
        ops = [np.sqrt(1 / memory.T1) * lower, np.sqrt(2 * dephasing) * number]
        c_ops = [qutip.tensor(op, eye) if which == 0 else qutip.tensor(eye, op) for op in ops]
        state = qutip.mesolve(
            0 * qutip.tensor(eye, eye),
            state,
            [0, wait],
            c_ops=c_ops,
            options={"atol": 1e-12, "rtol": 1e-10},
        ).states[-1]
    assert found == pytest.approx(state.full(), abs=1e-8)


def test_l20_closed_forms_of_psi_and_phi() -> None:
    wait = qubit_channel(Memory(100e-6, 80e-6), 12e-6)
    e = 1 - np.exp(-0.12)
    psi = np.outer(PSI_PLUS, PSI_PLUS).astype(complex)
    later = Heralded(decay(psi, wait, wait))
    assert later.fidelity == pytest.approx((np.exp(-0.12) + np.exp(-0.3)) / 2, rel=1e-12)
    phi = np.array([1, 0, 0, 1]) / np.sqrt(2)
    later = decay(np.outer(phi, phi).astype(complex), wait, wait)
    found = float(np.real(phi @ later @ phi))
    assert found == pytest.approx((1 + (1 - e) ** 2 + e**2) / 4 + np.exp(-0.3) / 2, rel=1e-12)
    assert found == pytest.approx(0.8202628225, rel=1e-9)  # L20b


def test_l20_waiting_between_the_rounds_is_a_step_by_step_simulation() -> None:
    tau, dark, gap = (0.45, 0.2), 2e-3, 7e-6
    one, two = Memory(40e-6, 30e-6), Memory(15e-6, 25e-6)
    elements = herald_elements(tau, (0.0, 0.0), 1.0, dark, levels=3)
    x, z = np.fliplr(np.eye(4)), np.diag([1.0, -1.0, 1.0, -1.0])
    out = np.zeros((4, 4), complex)
    for first in ("plus", "minus"):
        for second in ("plus", "minus"):
            rho = (elements[first] * spins((0.5, 0.5))).astype(complex)
            for who, memory in ((0, one), (1, two)):
                rho = _kraus(rho, who, memory, gap)
            rho = elements[second] * (x @ rho @ x)
            out += rho if first == second else z @ rho @ z
    found = two_click(Detection(*tau, dark=dark), 0.0, (one, two), gap)
    assert found.state == pytest.approx(out, abs=1e-13)


def _kraus(rho: np.ndarray, who: int, memory: Memory, t: float) -> np.ndarray:
    s, c = np.exp(-t / memory.T1), np.exp(-t / memory.T2)
    flip = (1 - c / np.sqrt(s)) / 2  # extra dephasing as random Z
    damp = [np.diag([1, np.sqrt(s)]), np.array([[0, np.sqrt(1 - s)], [0, 0]])]
    dephase = [np.sqrt(1 - flip) * np.eye(2), np.sqrt(flip) * np.diag([1, -1])]
    for ops in (damp, dephase):
        big = [np.kron(k, np.eye(2)) if who == 0 else np.kron(np.eye(2), k) for k in ops]
        rho = sum(k @ rho @ k.T for k in big)
    return rho


def test_l23_threshold_at_low_transmission_is_the_closed_form() -> None:
    assert pytest.approx(0.207106781, rel=1e-8) == LOW_TRANSMISSION_THRESHOLD
    assert noise_threshold(1e-7) == pytest.approx(LOW_TRANSMISSION_THRESHOLD, rel=1e-6)
    n = LOW_TRANSMISSION_THRESHOLD
    assert n * (1 + n) == pytest.approx(0.25)
    assert noise_threshold(1.0) == pytest.approx(0.376, abs=5e-4)


@pytest.mark.slow
@pytest.mark.parametrize("tau", [0.2, 0.6])
def test_l23_pairs_are_entangled_exactly_below_the_threshold_in_fock_space(tau: float) -> None:
    """By the partial transpose of the brute-force state, for any alpha, one noise mode per gate."""
    limit = float(noise_threshold(tau))
    for factor, entangled in ((0.9, True), (1.1, False)):
        noise = factor * limit * tau
        elements = one_mode_elements(tau, noise)
        for alpha in (0.05, 0.3, 0.5):
            pair = brute_single(elements, (alpha, alpha))
            assert bool(negativity(pair.normalised) > 1e-9) is entangled
        assert bool(brute_two(elements).fidelity > 0.5) is entangled


def one_mode_elements(tau: float, noise: float, levels: int = 10) -> dict:
    """Click elements for one temporal mode, by an explicit beam splitter on truncated modes."""
    from tests.brute import _povm, mixer, thermal_loss

    d = levels
    basis = np.eye(d)
    bs = mixer(d, -np.pi / 4)
    quiet = np.outer(basis[0], basis[0])
    none = {"plus": _povm(bs, np.eye(d), quiet, d), "minus": _povm(bs, quiet, np.eye(d), d)}
    both = _povm(bs, quiet, quiet, d)
    arm = {
        (n, m): thermal_loss(np.outer(basis[n], basis[m]), tau, noise)[:d, :d]
        for n in (0, 1)
        for m in (0, 1)
    }
    out = {name: np.zeros((4, 4), complex) for name in none}
    for i, (na, nb) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        for j, (ma, mb) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
            joint = np.einsum("ik,jl->ijkl", arm[na, ma], arm[nb, mb])
            for name, effect in none.items():
                out[name][i, j] = np.einsum("ijkl,klij->", joint, effect - both)
    return out


def test_l23_a_cnot_through_a_werner_pair_has_the_pairs_fidelity() -> None:
    """L23c by its Choi state: teleport a CNOT through a Werner pair and compare with the ideal gate."""
    F = 0.93
    assert teleported_gate_fidelity(F) == pytest.approx(
        (4 * _process_fidelity(F) + 1) / 5, rel=1e-10
    )
    assert _process_fidelity(F) == pytest.approx(F, rel=1e-10)


def test_hashing_of_a_bell_diagonal_state_is_one_minus_its_entropy() -> None:
    bell = np.array([[1, 0, 0, 1], [1, 0, 0, -1], [0, 1, 1, 0], [0, 1, -1, 0]]) / np.sqrt(2)
    weights = np.array([0.9, 0.05, 0.03, 0.02])
    state = np.einsum("k,ki,kj->ij", weights, bell, bell).astype(complex)
    assert hashing_bound(state) == pytest.approx(0.3824568767, rel=1e-9)  # L19i


def test_pure_loss_bound_is_its_series() -> None:
    eta = 0.01
    series = sum(eta**k / k for k in range(1, 12)) / np.log(2)
    assert pure_loss_bound(eta) == pytest.approx(series, rel=1e-14)


def _process_fidelity(F: float) -> float:
    """Entanglement fidelity of a CNOT teleported through a Werner pair: every Bell error becomes a Pauli error."""
    x, z, one = np.array([[0, 1], [1, 0]]), np.diag([1.0, -1.0]), np.eye(2)
    paulis = {"phi+": one, "phi-": z, "psi+": x, "psi-": x @ z}
    weights = {"phi+": F, "phi-": (1 - F) / 3, "psi+": (1 - F) / 3, "psi-": (1 - F) / 3}
    cnot = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]], float)
    # gate teleportation: measure Z-parity of control and pair half a, X of target and pair half b after CNOTs
    total = 0.0
    for name, pauli in paulis.items():
        total += weights[name] * abs(np.trace(cnot.T @ _teleported(pauli)) / 4) ** 2
    return total


def _teleported(error: np.ndarray) -> np.ndarray:
    """The two-qubit gate done by pair half a (control side) and b (target side) for a known Bell error on b.

    Protocol on outcomes (0, +): CNOT from control to a, measure a in Z; CNOT from b to target, measure b in X.
    """
    bell = np.array([[1, 0], [0, 1]]) / np.sqrt(2)  # amplitude of |a b>
    pair = bell @ error.T  # error on b
    gate = np.zeros((4, 4))
    for c in (0, 1):
        for t in (0, 1):
            for b in (0, 1):
                a = c  # outcome 0 of the Z-parity: a + c = 0
                amplitude = (
                    pair[a, b] / np.sqrt(2) * 2
                )  # outcome + of X on b, both outcomes renormalised
                gate[2 * c + (t ^ b), 2 * c + t] += amplitude
    return gate
