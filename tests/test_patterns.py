"""Click patterns against Fock space, against many digits, and against what no physics allows."""

from collections.abc import Sequence
from itertools import permutations, product

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cavities import ParameterError
from fibre.herald import Detection, arms_optics, click_operator
from fibre.outcomes import CLICK, Outcomes
from fibre.patterns import (
    Optics,
    PairLight,
    click_elements,
    left_behind,
    pair_elements,
    pattern_probability,
)
from tests.brute_patterns import (
    FockPairs,
    Passive,
    box,
    fock_elements,
    naive_clicks,
    naive_pairs,
    sector,
    unitary,
)

Complex = NDArray[np.complex128]
TURNED = np.array([[1, 1j], [1j, 1]]) / np.sqrt(2)
SEEDS = st.integers(0, 2**32 - 1)


def square(elements: Complex, modes: int) -> Complex:
    """Elements as matrices over all number states."""
    lead = elements.shape[: elements.ndim - 2 * modes]
    size = int(np.prod(elements.shape[len(lead) : len(lead) + modes]))
    return elements.reshape(*lead, size, size)


def hermitian(matrix: Complex) -> Complex:
    return np.asarray((matrix + np.swapaxes(matrix.conj(), -1, -2)) / 2)


def eyes(d: int, detector: tuple[int, ...], dark: float = 0.0) -> Optics:
    """Detectors alone, without an emitter."""
    return Optics(np.zeros((d, 0)), np.zeros((d, d)), detector, dark)


def lone(N: Complex) -> PairLight:
    """Noise on detectors and nothing in a memory."""
    return PairLight(N, np.zeros((0, 0)), np.zeros((len(N), 0)))


def any_optics(rng: np.random.Generator, d: int, e: int, scale: float = 1.0) -> tuple[Complex, ...]:
    """Complex t that loses light, and a complex noise matrix of full rank."""
    z = rng.normal(size=(d + e, d + e)) + 1j * rng.normal(size=(d + e, d + e))
    t = np.linalg.qr(z)[0][:d, :e] * np.sqrt(scale * rng.uniform(0.05, 1.0, e))
    g = rng.normal(size=(d, d)) + 1j * rng.normal(size=(d, d))
    return t, hermitian(g @ np.diag(rng.uniform(0, 0.3, d)) @ g.conj().T / d)


# --- the brute force itself -----------------------------------------------------------------------


def test_the_brute_force_sends_number_states_like_a_qutip_hamiltonian() -> None:
    import qutip

    levels, theta = 6, 0.4
    a = qutip.tensor(qutip.destroy(levels), qutip.qeye(levels))
    b = qutip.tensor(qutip.qeye(levels), qutip.destroy(levels))
    H = theta * (a.dag() * b + b.dag() * a) + 0.3 * a.dag() * a
    full = (1j * H).expm().full().reshape((levels,) * 4)
    one = (1j * np.array([[0.3, theta], [theta, 0.0]])).astype(complex)
    from scipy.linalg import expm

    known = Passive(expm(one))
    for state in ((1, 0), (0, 1), (2, 1), (1, 3)):
        sent = known.sent(state)
        for k, (x, y) in enumerate(sector(2, sum(state))):
            assert sent[k] == pytest.approx(full[x, y, state[0], state[1]], abs=1e-12)


# --- emitters against Fock space ------------------------------------------------------------------

THREE_REPORTS = [
    (CLICK, 0, 0),
    (0, CLICK, CLICK),
    (CLICK, CLICK, CLICK),
    (1, 0, CLICK),
    (0, 2, 1),
    (2, CLICK, 0),
    (1, 1, 1),
    (0, 0, 0),
]


@pytest.mark.parametrize("asked", THREE_REPORTS)
def test_a_click_pattern_of_two_emitters_equals_fock_space_brute_force(
    asked: tuple[int, ...],
) -> None:
    """Up to three photons in one emitter, complex lossy t, unequal correlated noise, dark counts."""
    U, means, dark, detector = unitary(6, 1), [0.05, 0.01, 0.03, 0.0], 0.02, (0, 1, 2)
    N = (U[:3, 2:] * np.array(means)) @ U[:3, 2:].conj().T
    assert np.max(np.abs(N.imag)) > 3e-3
    found = square(click_elements(Optics(U[:3, :2], N, detector, dark), asked, (3, 1)), 2)
    brute = fock_elements(Passive(U), means, detector, asked, box((3, 1)), dark, most=5)
    assert found == pytest.approx(brute, abs=3e-8)
    # what the tolerance would have to swallow to miss a transpose, of the noise or of the elements
    if any(a != 0 for a in asked):
        assert np.max(np.abs(found - found.T)) > 3e-5
        mirrored = Optics(U[:3, :2], N.T, detector, dark)
        assert np.max(np.abs(square(click_elements(mirrored, asked, (3, 1)), 2) - brute)) > 1e-5


@pytest.mark.parametrize(
    "asked", [(CLICK, 0), (CLICK, CLICK), (1, 0), (2, CLICK), (0, 1), (1, 2), (3, 0)]
)
def test_several_temporal_modes_on_a_detector_equal_brute_force_for_three_emitters(
    asked: tuple[int, ...],
) -> None:
    U, means, dark, detector = unitary(6, 7), [0.03, 0.002, 0.05], 5e-3, (1, 0, 0, 1)
    N = (U[:4, 3:] * np.array(means)) @ U[:4, 3:].conj().T
    found = square(click_elements(Optics(U[:4, :3], N, detector, dark), asked, (1, 2, 1)), 3)
    brute = fock_elements(Passive(U), means, detector, asked, box((1, 2, 1)), dark, most=5)
    assert found == pytest.approx(brute, abs=3e-8)


@pytest.mark.parametrize("asked", [(CLICK, 0), (0, CLICK), (CLICK, CLICK), (1, 0), (1, 1), (0, 2)])
def test_the_splitter_of_l24_with_unequal_noise_equals_brute_force(asked: tuple[int, ...]) -> None:
    """[[1, i], [i, 1]] behind unequal arms: the case where the transpose of N is worth percents."""
    tau, noise = (0.6, 0.25), (0.02, 0.09)
    U = np.zeros((4, 4), dtype=complex)  # emitters a, b and their baths
    for k in range(2):
        U[k, k] = U[k + 2, k + 2] = np.sqrt(tau[k])
        U[k, k + 2], U[k + 2, k] = np.sqrt(1 - tau[k]), -np.sqrt(1 - tau[k])
    whole = np.eye(4, dtype=complex)
    whole[:2, :2] = TURNED
    U = whole @ U
    means = [n / (1 - x) for n, x in zip(noise, tau, strict=True)]
    N = TURNED @ np.diag(noise) @ TURNED.conj().T
    optics = Optics(TURNED * np.sqrt(tau), N, (0, 1), 1e-3)
    found = square(click_elements(optics, asked, (2, 2)), 2)
    brute = fock_elements(Passive(U), means, (0, 1), asked, box((2, 2)), 1e-3, most=7)
    assert found == pytest.approx(brute, abs=2e-7)
    if asked == (CLICK, 0):
        wrong = square(
            click_elements(Optics(TURNED * np.sqrt(tau), N.T, (0, 1), 1e-3), asked, (2, 2)), 2
        )
        assert np.max(np.abs(wrong - brute)) > 0.02


def test_what_a_click_leaves_in_the_memories_has_the_order_of_the_coherence_right() -> None:
    """Memory and photon in one state vector: no element is read off, only a partial trace taken."""
    import qutip

    tau, levels = (0.7, 0.35), 3
    kets = []
    for bright, phase in ((0.3, 0.4), (0.6, 0.1)):
        zero, one = qutip.basis(2, 0), qutip.basis(2, 1)
        kets.append(
            np.sqrt(1 - bright) * qutip.tensor(zero, qutip.basis(levels, 0))
            + np.sqrt(bright) * np.exp(1j * phase) * qutip.tensor(one, qutip.basis(levels, 1))
        )
    vacuum = qutip.basis(levels, 0)
    psi = qutip.tensor(kets[0], kets[1], vacuum, vacuum)  # memory, a, memory, b, losses

    def lower(where: int) -> qutip.Qobj:
        each = [qutip.qeye(n) for n in (2, levels, 2, levels, levels, levels)]
        each[where] = qutip.destroy(levels)
        return qutip.tensor(*each)

    a, b, x, y = lower(1), lower(3), lower(4), lower(5)
    for mode, lost, share in ((a, x, tau[0]), (b, y, tau[1])):
        angle = np.arccos(np.sqrt(share))
        psi = (angle * (mode * lost.dag() - mode.dag() * lost)).expm() * psi
    psi = (1j * np.pi / 4 * (a.dag() * b + b.dag() * a)).expm() * psi
    nothing = vacuum * vacuum.dag()
    clicked = qutip.tensor(
        qutip.qeye(2),
        qutip.qeye(levels) - nothing,
        qutip.qeye(2),
        nothing,
        qutip.qeye(levels),
        qutip.qeye(levels),
    )
    kept = (clicked * psi).ptrace([0, 2]).full()
    spins = qutip.tensor(*(k.ptrace(0) * 0 + _prepared(k) for k in kets)).full()
    optics = Optics(TURNED * np.sqrt(tau), np.zeros((2, 2)), (0, 1))
    found = left_behind(click_elements(optics, (CLICK, 0), (1, 1)), spins)
    assert np.abs(kept[1, 2].imag) > 0.02  # a swapped order would show
    assert found == pytest.approx(kept, abs=1e-12)


def _prepared(ket):
    """The qubit that was prepared: amplitudes on 0 and 1 before the photon carries them off."""
    import qutip

    c = ket.full().reshape(2, -1)
    v = qutip.Qobj(np.array([[c[0, 0]], [c[1, 1]]]))
    return v * v.dag()


def test_the_patterns_of_three_threshold_detectors_sum_to_the_identity() -> None:
    rng = np.random.default_rng(4)
    t, N = any_optics(rng, 4, 2)
    optics = Optics(t, N, (0, 2, 1, 2), 0.03, (1.5, 0.0, 2.0), (0.02, 0.1, 0.3))
    total = sum(
        square(click_elements(optics, asked, (3, 2)), 2) for asked in product((0, CLICK), repeat=3)
    )
    assert total == pytest.approx(np.eye(12), abs=1e-13)


def test_counted_photons_sum_to_the_identity_and_their_sum_without_none_is_a_click() -> None:
    rng = np.random.default_rng(5)
    t, N = any_optics(rng, 3, 2)
    optics = Optics(t, N * 0.2, (0, 1, 0), 0.02)
    by_number = [square(click_elements(optics, (n, CLICK), (2, 1)), 2) for n in range(14)]
    silent = square(click_elements(optics, (0, CLICK), (2, 1)), 2)
    click = square(click_elements(optics, (CLICK, CLICK), (2, 1)), 2)
    assert by_number[0] == pytest.approx(silent, abs=1e-15)
    assert sum(by_number[1:]) == pytest.approx(click, abs=1e-9)
    table = [square(click_elements(optics, nm, (2, 1)), 2) for nm in product(range(8), repeat=2)]
    assert np.max(np.abs(sum(table) - np.eye(6))) < 1e-4
    short = [square(click_elements(optics, nm, (2, 1)), 2) for nm in product(range(4), repeat=2)]
    assert np.max(np.abs(sum(table) - np.eye(6))) < 0.1 * np.max(np.abs(sum(short) - np.eye(6)))


def test_dark_counts_of_a_blind_detector_are_poissonian_and_those_of_a_click_bernoulli() -> None:
    p = 0.2
    rate = -np.log(1 - p)
    optics = Optics(np.zeros((1, 1)), np.zeros((1, 1)), (0,), p)
    expected = {0: 1 - p, CLICK: p, 1: (1 - p) * rate, 2: (1 - p) * rate**2 / 2}
    for asked, probability in expected.items():
        X = click_elements(optics, (asked,), (1,))
        assert pytest.approx(np.eye(2) * probability, rel=1e-14) == X


@pytest.mark.parametrize("K", [1.0, 2.0, 3.3])
def test_two_arms_on_a_splitter_are_the_closed_form_of_the_herald(K: float) -> None:
    """The closed form knows one noise mode more or less per gate: equal noise, where it is exact."""
    seen = Detection(0.6, 0.15, 0.08, 0.08, overlap=0.85, noise_modes=K, dark=2e-3)
    X = square(click_elements(arms_optics(seen), (CLICK, 0), (1, 1)), 2)
    assert pytest.approx(click_operator(seen), rel=1e-12, abs=1e-15) == X


def test_l24d_unequal_thermal_arms() -> None:
    tau, noise, alpha, dark = (0.5, 0.2), (0.08, 0.03), (0.1, 0.25), 1e-3
    splitter = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
    N = splitter @ np.diag(noise) @ splitter.T
    c = [np.array([np.sqrt(1 - x), np.sqrt(x)]) for x in alpha]
    psi = np.kron(*c)
    optics = Optics(splitter * np.sqrt(tau), N, (0, 1), dark)
    rho = left_behind(click_elements(optics, (CLICK, 0), (1, 1)), np.outer(psi, psi))
    bell = np.array([0, 1, 1, 0]) / np.sqrt(2)
    assert (bell @ rho @ bell).real / np.trace(rho).real == pytest.approx(0.4781318492, rel=1e-9)
    # the tilted splitter announces |01> + i|10> or its partner, with the same fidelity
    N = TURNED @ np.diag(noise) @ TURNED.conj().T
    optics = Optics(TURNED * np.sqrt(tau), N, (0, 1), dark)
    rho = left_behind(click_elements(optics, (CLICK, 0), (1, 1)), np.outer(psi, psi))
    # detector 0 sees a + i b: the photon of B brings its i into the memory
    ket = np.array([0, 1j, 1, 0]) / np.sqrt(2)
    assert (ket.conj() @ rho @ ket).real / np.trace(rho).real == pytest.approx(
        0.4781318492, rel=1e-9
    )


# --- pair sources against Fock space --------------------------------------------------------------


@pytest.fixture(scope="module")
def two_sources() -> FockPairs:
    """Unequal complex squeezing, thermal baths and losses, mixed on both sides."""
    z = [0.16 * np.exp(0.7j), 0.11 * np.exp(-1.9j)]
    return FockPairs(z, unitary(4, 5), [0.012, 0.0], unitary(4, 6), [0.008, 0.02], most=6)


@pytest.mark.parametrize(
    "asked",
    [(CLICK, 0), (0, CLICK), (CLICK, CLICK), (1, 0), (0, 1), (1, 1), (2, 0), (1, 2), (0, 0)],
)
def test_idlers_after_a_pattern_equal_fock_space_brute_force(
    two_sources: FockPairs, asked: tuple[int, ...]
) -> None:
    light, detector, dark = PairLight(*two_sources.moments(3, 2)), (0, 1, 1), 0.015
    found = square(pair_elements(light, eyes(3, detector, dark), asked, (2, 2)), 2)
    brute = two_sources.state(detector, asked, box((2, 2)), dark)
    assert found == pytest.approx(brute, abs=1e-9)
    if any(asked):  # the conjugate state would not pass
        assert np.max(np.abs(found - found.T)) > 3e-6


@pytest.mark.parametrize("asked", [(CLICK, 0), (CLICK, CLICK), (1, 0), (0, 2), (1, 1)])
def test_two_schmidt_modes_per_source_equal_fock_space_brute_force(asked: tuple[int, ...]) -> None:
    """Four signal modes on two detectors; all four idlers looked at, then one of each source."""
    z = [0.14, 0.06j, 0.1 * np.exp(2j), 0.05]
    source = FockPairs(z, unitary(5, 11), [0.004], unitary(5, 12), [0.01], most=4)
    detector, dark = (0, 0, 1, 1), 1e-3
    N, B, m = source.moments(4, 4)
    found = square(pair_elements(PairLight(N, B, m), eyes(4, detector, dark), asked, (1,) * 4), 4)
    brute = source.state(detector, asked, box((1,) * 4), dark)
    assert found == pytest.approx(brute, abs=2e-8)
    # idlers that are not stored are left out
    two = PairLight(N, B[:2, :2], m[:, :2])
    found = square(pair_elements(two, eyes(4, detector, dark), asked, (2, 1)), 2)
    assert found == pytest.approx(source.state(detector, asked, box((2, 1)), dark), abs=2e-8)


@pytest.mark.parametrize("most", [8, 20, 21, 30])
def test_high_photon_numbers_are_right_or_refused(most: int) -> None:
    """Twenty-one factorial is beyond a 64-bit integer."""
    n, tau = 2.0, 0.8
    light = PairLight(np.zeros((1, 1)), np.eye(1) * n, np.zeros((1, 1)))
    optics = Optics(np.eye(1) * np.sqrt(tau), np.zeros((1, 1)), (0,))
    try:
        rho = pair_elements(light, eyes(1, (0,)), (0,), (most,))
        X = click_elements(optics, (0,), (most,))
    except ParameterError:
        return
    k = np.arange(most + 1)
    assert np.diag(rho).real == pytest.approx(n**k / (1 + n) ** (k + 1), rel=1e-9)
    assert np.diag(X).real == pytest.approx((1 - tau) ** k, rel=1e-9)


def test_a_cold_store_is_a_beam_splitter_on_the_idlers() -> None:
    z, eta = [0.15, 0.1j], (0.6, 0.85)
    V = np.zeros((4, 4))
    for k in range(2):
        V[k, k] = V[k + 2, k + 2] = np.sqrt(eta[k])
        V[k, k + 2], V[k + 2, k] = np.sqrt(1 - eta[k]), -np.sqrt(1 - eta[k])
    source = FockPairs(z, unitary(3, 2), [0.01], V, [0.0, 0.0], most=6)
    p = np.abs(z) ** 2 / (1 - np.abs(z) ** 2)
    N, _, _ = source.moments(2, 2)
    before = PairLight(N, np.diag(p), source.signal.U[:2, :2] * (np.array(z) * (1 + p)))
    found = square(pair_elements(before.stored(eta), eyes(2, (0, 1)), (1, CLICK), (2, 2)), 2)
    assert found == pytest.approx(source.state((0, 1), (1, CLICK), box((2, 2))), abs=1e-9)


def test_counted_idlers_equal_the_walrus() -> None:
    quantum = pytest.importorskip("thewalrus.quantum")
    z = [0.5 * np.exp(0.7j), 0.3 * np.exp(-1.9j)]
    N, B, m = FockPairs(z, unitary(3, 5), [0.3], unitary(4, 6), [0.1, 0.2]).moments(2, 2)
    n, M = np.zeros((4, 4), dtype=complex), np.zeros((4, 4), dtype=complex)
    n[:2, :2], n[2:, 2:], M[:2, 2:], M[2:, :2] = N, B, m, m.T
    xp = 2 * (M - n).imag
    V = np.block([[2 * (n + M).real, xp], [xp.T, 2 * (n - M).real]]) + np.eye(8)
    for asked in ((0, 0), (1, 0), (0, 2), (1, 1)):
        theirs = quantum.density_matrix(
            np.zeros(8), V, post_select=dict(enumerate(asked)), cutoff=3, hbar=2
        )
        ours = pair_elements(PairLight(N, B, m), eyes(2, (0, 1)), asked, (2, 2))
        assert ours == pytest.approx(theirs.transpose(0, 2, 1, 3), abs=1e-12)


# --- pair sources against worked numbers ----------------------------------------------------------


def seeded(p: float, n_th: float) -> tuple[float, float, float]:
    """Signal, idler and cross moment of a squeezer with p pairs whose idler started thermal."""
    return p * (1 + n_th), p + n_th * (1 + p), np.sqrt(p * (1 + p)) * (1 + n_th)


def on_splitter(
    n_s: float, n_i: float, m: float, eta: float, splitter: Complex = TURNED
) -> PairLight:
    """Two equal sources on a balanced splitter."""
    t = splitter * np.sqrt(eta)
    return PairLight(t @ t.conj().T * n_s, np.eye(2) * n_i, t * m)


def heralded(light: PairLight, dark: float, asked: tuple[int, int]) -> tuple[float, float]:
    """Probability of either pattern, and fidelity over the whole bosonic space."""
    other = asked[::-1]
    P = F = 0.0
    # detector 0 sees a + i b, detector 1 a - i b up to a phase: that is what the idlers keep
    for report, ket in ((asked, [0, 1j, 1, 0]), (other, [0, -1j, 1, 0])):
        rho = square(pair_elements(light, eyes(2, (0, 1), dark), report, (1, 1)), 2)
        v = np.array(ket) / np.sqrt(2)
        F += (v.conj() @ rho @ v).real
        P += float(pattern_probability(light, eyes(2, (0, 1), dark), report))
    return P, F / P


def test_l17a_l17c_l17d_pure_pairs_behind_a_complex_splitter() -> None:
    p, eta = 0.05, 0.2
    light = on_splitter(p, p, np.sqrt(p * (1 + p)), eta)
    P, F = heralded(light, 0.0, (CLICK, 0))
    assert pytest.approx((0.01960592099, (1 + eta * p) ** 2 / (1 + p) ** 3), rel=1e-9) == (P, F)
    P, F = heralded(light, 0.0, (1, 0))
    assert pytest.approx((0.01941180296, 0.8900127416), rel=1e-9) == (P, F)


def test_l17e_l17f_thermal_lossy_pairs_behind_a_complex_splitter() -> None:
    light = on_splitter(*seeded(np.sinh(0.3) ** 2, 0.1), 0.25 * 0.9).stored((0.7, 0.7))
    assert heralded(light, 1e-3, (CLICK, 0)) == pytest.approx(
        (0.04573145466, 0.5165804655), rel=1e-9
    )


def test_l18_one_lossy_pair_clicked_and_silent() -> None:
    """L18b, c, d with detectors of .9 and .5 behind the losses; g, h, i without detectors."""
    n_s, n_i, m = seeded(np.sinh(0.4) ** 2, 0.2)
    light = PairLight(
        np.array([[0.27 * n_s]]), np.array([[n_i]]), np.array([[np.sqrt(0.27) * m]])
    ).stored((0.8,))
    optics, many = eyes(1, (0,)), np.arange(21)
    click = np.diag(square(pair_elements(light, optics, (CLICK,), (20,)), 1)).real
    silent = np.diag(square(pair_elements(light, optics, (0,), (20,)), 1)).real
    assert np.sum(click * (1 - 0.5**many)) == pytest.approx(0.02816624776, rel=1e-9)
    assert np.sum(silent * many) / np.sum(silent) == pytest.approx(0.2638158537, rel=1e-9)
    assert np.sum(click * many) / np.sum(click) == pytest.approx(1.385784628, rel=1e-9)
    # g, h, i: populations and the anomalous coherence come from counted signals and from the moments
    n_1, n_2, cross = 0.3 * n_s, 0.8 * n_i, np.sqrt(0.24) * m
    both = PairLight(np.array([[n_1]]), np.array([[n_2]]), np.array([[cross]]))
    zero = pair_elements(both, optics, (0,), (1,)).real
    one = pair_elements(both, optics, (1,), (1,)).real
    assert zero[0, 0] == pytest.approx(0.7495597654, rel=1e-9)
    assert one[1, 1] == pytest.approx(0.03009723479, rel=1e-9)
    # g: <11|rho|00> squared is what one signal photon adds to one idler beyond the product
    D = (1 + n_1) * (1 + n_2) - cross**2
    assert zero[0, 0] * cross / D == pytest.approx(0.1466676049, rel=1e-9)
    coherence = np.sqrt(zero[0, 0] * one[1, 1] - one[0, 0] * zero[1, 1])
    assert coherence == pytest.approx(0.1466676049, rel=1e-9)


def test_l22i_l22j_two_time_bins_are_two_independent_clicks() -> None:
    p, n_th, eta_i, eta_s, dark = 0.08, 0.05, 0.9, 0.15, 2e-3
    light = on_splitter(*seeded(p, n_th), eta_s).stored((eta_i, eta_i))
    R = pair_elements(light, eyes(2, (0, 1), dark), (CLICK, 0), (1, 1))
    # rails: early and late of A, early and late of B; one quantum in each pair of rails
    rho = np.zeros((4, 4), dtype=complex)
    for k, (a, b) in enumerate(product((0, 1), repeat=2)):
        for j, (x, y) in enumerate(product((0, 1), repeat=2)):
            rho[k, j] = R[1 - a, 1 - b, 1 - x, 1 - y] * R[a, b, x, y]
    kept = np.trace(rho).real
    ket = np.array([0, 1, 1, 0]) / np.sqrt(2)
    assert kept == pytest.approx(4.124677663e-05, rel=1e-9)
    assert (ket @ rho @ ket).real / kept == pytest.approx(0.8482640356, rel=1e-9)


# --- nothing cancels ------------------------------------------------------------------------------

ARMS = [(0.3, 0.7), (1e-6, 3e-9), (2e-15, 1e-15), (1e-15, 0.4)]
NOISE = [(0.0, 0.0), (0.3, 0.02), (1e-9, 3e-4)]
DARK = [0.0, 1e-9, 1e-3]
SKEW = unitary(2, 8)  # no balanced splitter: two photons do not cancel by interference


def worst_error(found: Complex, exact: Sequence[Sequence[mp.mpc]]) -> float:
    """Largest relative error, of coherences against themselves unless interference takes them."""
    worst = 0.0
    for i, j in product(range(len(exact)), repeat=2):
        value = exact[i][j]
        size = abs(value)
        bound = mp.sqrt(abs(exact[i][i] * exact[j][j]))
        if size < bound / 1000:
            size = bound
        error = abs(mp.mpc(complex(found[i, j])) - value)
        if size == 0:
            assert error == 0
        else:
            worst = max(worst, float(error / size))
    return worst


def overlapping(
    tau: tuple[float, float], noise: tuple[float, float], overlap: float = 0.8
) -> tuple[Complex, Complex]:
    """Two temporal modes per detector, two emitters that overlap in part."""
    rest = np.sqrt(1 - overlap**2)
    shape = np.array([[1.0, overlap], [0.0, rest]])  # temporal mode, emitter
    t = np.einsum("ae,ue,e->aue", SKEW, shape, np.sqrt(tau)).reshape(4, 2)
    n = hermitian(SKEW @ np.diag(noise) @ SKEW.conj().T)
    return t, np.kron(n, np.eye(2))


@pytest.mark.parametrize("dark", DARK)
@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("tau", ARMS)
def test_a_click_of_faint_emitters_keeps_twelve_digits(
    tau: tuple[float, float], noise: tuple[float, float], dark: float
) -> None:
    t, N = overlapping(tau, noise)
    optics = Optics(t, N, (0, 0, 1, 1), dark)
    for asked in ((CLICK, 0), (0, CLICK), (CLICK, CLICK)):
        found = square(click_elements(optics, asked, (2, 1)), 2)
        exact = naive_clicks(t, N, (0, 0, 1, 1), asked, dark, box((2, 1)))
        assert worst_error(found, exact) < 1e-12, asked


@pytest.mark.parametrize("tau", ARMS)
def test_counted_photons_of_faint_emitters_keep_twelve_digits(tau: tuple[float, float]) -> None:
    t, N = overlapping(tau, (1e-9, 3e-4))
    optics = Optics(t, N, (0, 0, 1, 1), 1e-6)
    for asked in ((1, 0), (2, 0), (CLICK, 1)):
        found = square(click_elements(optics, asked, (1, 1)), 2)
        exact = naive_clicks(t, N, (0, 0, 1, 1), asked, 1e-6, box((1, 1)))
        assert worst_error(found, exact) < 1e-12, asked


def sources(
    p: tuple[float, float],
    tau: tuple[float, float],
    noise: tuple[float, float],
    eta: tuple[float, float],
) -> tuple[Complex, Complex, Complex]:
    pairs = np.array(p)
    t = SKEW * np.sqrt(tau)
    N = t @ np.diag(pairs) @ t.conj().T + SKEW @ np.diag(noise) @ SKEW.conj().T
    phase = np.exp(1j * np.array([0.3, -1.2]))
    return hermitian(N), np.diag(pairs * eta), t * (phase * np.sqrt(pairs * (1 + pairs) * eta))


@pytest.mark.parametrize("dark", DARK)
@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("tau", ARMS)
def test_a_click_of_faint_pair_light_keeps_twelve_digits(
    tau: tuple[float, float], noise: tuple[float, float], dark: float
) -> None:
    N, B, m = sources((0.05, 0.02), tau, noise, (0.8, 0.6))
    light, optics = PairLight(N, B, m), eyes(2, (0, 1), dark)
    for asked in ((CLICK, 0), (0, CLICK), (CLICK, CLICK)):
        found = square(pair_elements(light, optics, asked, (1, 1)), 2)
        assert worst_error(found, naive_pairs(N, B, m, (0, 1), asked, dark, box((1, 1)))) < 1e-12
        none = np.zeros((0, 0)), np.zeros((2, 0))
        exact = naive_pairs(N, *none, (0, 1), asked, dark, [()])
        P = np.asarray(pattern_probability(light, optics, asked), dtype=complex).reshape(1, 1)
        assert worst_error(P, exact) < 1e-12, asked


@pytest.mark.parametrize("p", [(1e-3, 4e-4), (1e-5, 3e-6), (1e-8, 3e-9), (1e-12, 2e-13)])
def test_a_click_of_weakly_pumped_sources_keeps_twelve_digits(p: tuple[float, float]) -> None:
    """Lossy idlers, dark counts: every element is well conditioned in the moments."""
    N, B, m = sources(p, (0.01, 0.003), (0.0, 0.0), (0.8, 0.6))
    light, optics = PairLight(N, B, m), eyes(2, (0, 1), 1e-6)
    for asked in ((CLICK, 0), (CLICK, CLICK), (0, 0)):
        found = square(pair_elements(light, optics, asked, (1, 1)), 2)
        exact = naive_pairs(N, B, m, (0, 1), asked, 1e-6, box((1, 1)))
        assert worst_error(found, exact) < 1e-12, asked


# --- properties -----------------------------------------------------------------------------------


@given(SEEDS, st.sampled_from(THREE_REPORTS), st.floats(0, 0.9))
def test_every_outcome_is_an_effect(seed: int, asked: tuple[int, ...], dark: float) -> None:
    rng = np.random.default_rng(seed)
    t, N = any_optics(rng, 4, 2)
    optics = Optics(t, N, (0, 1, 2, 1), dark)
    X = square(click_elements(optics, asked, (2, 2)), 2)
    assert pytest.approx(X.conj().T, abs=1e-14) == X
    values = np.linalg.eigvalsh(X)
    assert values[0] > -1e-13
    assert values[-1] < 1 + 1e-13


@given(SEEDS, st.permutations(range(3)), st.permutations(range(2)), st.permutations(range(4)))
def test_names_of_detectors_emitters_and_modes_do_not_matter(
    seed: int, detectors: list[int], emitters: list[int], modes: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    t, N = any_optics(rng, 4, 2)
    asked, numbers, spare, warm = (CLICK, 2, 0), (2, 1), (1.0, 0.5, 2.0), (0.01, 0.03, 0.2)
    detector = (0, 1, 2, 1)
    X = click_elements(Optics(t, N, detector, 0.01, spare, warm), asked, numbers)
    old = [detectors.index(k) for k in range(3)]  # new detector k was old[k]
    moved = Optics(
        t[np.ix_(modes, emitters)],
        N[np.ix_(modes, modes)],
        tuple(detectors[detector[i]] for i in modes),
        0.01,
        tuple(spare[k] for k in old),
        tuple(warm[k] for k in old),
    )
    Y = click_elements(moved, tuple(asked[k] for k in old), tuple(numbers[k] for k in emitters))
    assert pytest.approx(X.transpose(*emitters, *(2 + k for k in emitters)), abs=1e-14) == Y


def any_light(rng: np.random.Generator, d: int, k: int, pairs: float = 0.15) -> PairLight:
    """Two-mode squeezers seen through random lossy optics on both sides, thermal baths."""
    s = max(d, k)
    p = rng.uniform(0, pairs, s)
    U, V = (unitary(s + 2, int(rng.integers(2**31))) for _ in range(2))
    baths = rng.uniform(0, 0.1, (2, 2))
    m = U[:d, :s] * np.sqrt(p * (1 + p)) @ V[:k, :s].T
    N = hermitian(U[:d] * np.array([*p, *baths[0]]) @ U[:d].conj().T)
    B = hermitian(V[:k] * np.array([*p, *baths[1]]) @ V[:k].conj().T)
    return PairLight(N, B, m)


@given(SEEDS, st.sampled_from([(CLICK, 0), (CLICK, CLICK), (1, 0), (2, CLICK), (0, 0)]))
def test_the_trace_over_the_idler_is_the_probability_of_the_pattern(
    seed: int, asked: tuple[int, int]
) -> None:
    light = any_light(np.random.default_rng(seed), 3, 1)
    optics = Optics(np.zeros((3, 0)), np.zeros((3, 3)), (1, 0, 1), 0.02, (0.5, 1.5), (0.02, 0.07))
    rho = square(pair_elements(light, optics, asked, (20,)), 1)
    assert np.trace(rho).real == pytest.approx(pattern_probability(light, optics, asked), rel=1e-9)


def test_the_trace_over_two_idlers_is_the_probability_of_the_pattern() -> None:
    light, optics = any_light(np.random.default_rng(3), 2, 2, 0.06), eyes(2, (0, 1), 0.01)
    for asked in ((CLICK, 0), (1, CLICK)):
        rho = square(pair_elements(light, optics, asked, (5, 5)), 2)
        P = float(pattern_probability(light, optics, asked))
        assert np.trace(rho).real == pytest.approx(P, rel=3e-4)
        few = np.trace(square(pair_elements(light, optics, asked, (2, 2)), 2)).real
        assert abs(P - np.trace(rho).real) < 0.1 * abs(P - few)


@given(SEEDS, st.sampled_from([(CLICK, 0), (CLICK, CLICK), (1, 0), (0, 2)]))
def test_idlers_are_left_in_a_positive_state(seed: int, asked: tuple[int, int]) -> None:
    light = any_light(np.random.default_rng(seed), 3, 2)
    rho = square(pair_elements(light, eyes(3, (0, 1, 1), 0.01), asked, (2, 1)), 2)
    assert np.linalg.eigvalsh(rho)[0] > -1e-14


@given(SEEDS)
def test_noise_counted_without_an_emitter_is_gaussian_light_counted(seed: int) -> None:
    _, N = any_optics(np.random.default_rng(seed), 3, 1)
    for asked in ((CLICK, 0), (1, CLICK), (2, 1)):
        X = click_elements(Optics(np.zeros((3, 0)), N, (0, 1, 1), 0.01), asked, ())
        P = pattern_probability(lone(N), eyes(3, (0, 1, 1), 0.01), asked)
        assert pytest.approx(P, rel=1e-12) == X


def test_a_batch_of_emitters_is_its_points() -> None:
    rng = np.random.default_rng(9)
    made = [any_optics(rng, 3, 2) for _ in range(4)]
    t = np.array([m[0] for m in made])[:, None]  # (4, 1, 3, 2)
    N = np.array([any_optics(rng, 3, 2)[1] for _ in range(5)])  # (5, 3, 3)
    dark = rng.uniform(0, 0.3, (2, 1, 1))
    spare, warm = (rng.uniform(0, 3, 5), 1.0), (0.1, rng.uniform(0, 0.5, (4, 1)))
    for asked in ((CLICK, 0), (2, CLICK), (2, 2)):
        X = click_elements(Optics(t, N, (0, 1, 1), dark, spare, warm), asked, (2, 1))
        assert X.shape == (2, 4, 5, 3, 2, 3, 2)
        for i, j, k in product(range(2), range(4), range(5)):
            point = Optics(
                t[j, 0],
                N[k],
                (0, 1, 1),
                float(dark[i, 0, 0]),
                (float(spare[0][k]), 1.0),
                (0.1, float(warm[1][j, 0])),
            )
            one = click_elements(point, asked, (2, 1))
            assert X[i, j, k] == pytest.approx(one, rel=1e-12, abs=1e-16)


def test_a_batch_of_pair_light_is_its_points() -> None:
    rng = np.random.default_rng(10)
    lights = [any_light(rng, 3, 2) for _ in range(4)]
    whole = PairLight(
        np.array([x.signals for x in lights]),
        np.array([x.idlers for x in lights]),
        np.array([x.cross for x in lights]),
    )
    dark = rng.uniform(0, 0.3, (3, 1))
    optics = Optics(np.zeros((3, 0)), np.zeros((3, 3)), (0, 1, 1), dark)
    for asked in ((CLICK, 0), (2, 2)):
        rho = pair_elements(whole, optics, asked, (2, 1))
        P = pattern_probability(whole, optics, asked)
        assert rho.shape == (3, 4, 3, 2, 3, 2)
        assert P.shape == (3, 4)
        for i, j in product(range(3), range(4)):
            alone = eyes(3, (0, 1, 1), float(dark[i, 0]))
            one = pair_elements(lights[j], alone, asked, (2, 1))
            assert rho[i, j] == pytest.approx(one, rel=1e-12, abs=1e-16)
            assert P[i, j] == pytest.approx(pattern_probability(lights[j], alone, asked), rel=1e-12)


# --- spare modes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [(CLICK, 0), (CLICK, CLICK), (1, 0), (2, CLICK), (3, 1)])
@pytest.mark.parametrize("K", [1, 3])
def test_spare_modes_are_detected_modes_that_hold_noise_alone(
    K: int, asked: tuple[int, int]
) -> None:
    t, N = any_optics(np.random.default_rng(12), 2, 2)
    warm = (0.07, 0.2)
    spare = Optics(t, N, (0, 1), 0.01, (float(K), 1.0), warm)
    more = np.zeros((3 + K, 2), dtype=complex)
    more[:2] = t
    noise = np.diag([0.0, 0.0, *[warm[0]] * K, warm[1]]).astype(complex)
    noise[:2, :2] = N
    listed = Optics(more, noise, (0, 1, *[0] * K, 1), 0.01)
    assert click_elements(spare, asked, (2, 1)) == pytest.approx(
        click_elements(listed, asked, (2, 1)), rel=1e-12, abs=1e-15
    )


@pytest.mark.parametrize("asked", [CLICK, 0, 1, 2])
def test_a_negative_spare_mode_takes_a_detected_one_away(asked: int) -> None:
    light = lone(np.eye(2) * 0.3)
    fewer = Optics(np.zeros((2, 0)), np.zeros((2, 2)), (0, 0), 0.01, (-1.0,), (0.3,))
    one = pattern_probability(lone(np.eye(1) * 0.3), eyes(1, (0,), 0.01), (asked,))
    assert pattern_probability(light, fewer, (asked,)) == pytest.approx(one, rel=1e-12)


def test_part_of_a_spare_mode_lies_between_whole_ones() -> None:
    t, N = any_optics(np.random.default_rng(13), 2, 1)
    K = np.linspace(0, 3, 31)
    optics = Optics(t, N, (0, 1), 1e-3, (K, 0.0), (0.2, 0.0))
    for n in range(3):
        click, silent = (click_elements(optics, (a, 0), (2,))[..., n, n].real for a in (CLICK, 0))
        assert np.all(np.diff(click) > 0)
        assert np.all(np.diff(silent) < 0)
        # the mean number of noise counts is K n: a silent gate gets rarer by the same factor each
        assert silent[1:] / silent[:-1] == pytest.approx(np.full(30, 1.2**-0.1), rel=1e-12)


# --- refusals -------------------------------------------------------------------------------------

PLAIN = (np.eye(2) * 0.5, np.eye(2) * 0.1, (0, 1))


@pytest.mark.parametrize(
    ("t", "noise", "detector"),
    [
        (np.array([[0.8, 0.8], [0.6, 0.6]]), PLAIN[1], (0, 1)),  # columns not orthogonal
        (np.diag([1.001, 0.1]), PLAIN[1], (0, 1)),
        (PLAIN[0], np.array([[0.1, 0.02], [0.0, 0.1]]), (0, 1)),
        (PLAIN[0], np.array([[0.1, 0.02j], [0.02j, 0.1]]), (0, 1)),
        (PLAIN[0], np.diag([0.1, -1e-6]), (0, 1)),
        (PLAIN[0], np.array([[0.1, 0.2j], [-0.2j, 0.1]]), (0, 1)),  # correlated beyond one
        (PLAIN[0], np.eye(3) * 0.1, (0, 1)),
        (PLAIN[0], PLAIN[1], (0,)),
        (PLAIN[0], PLAIN[1], (0, 1, 1)),
        (PLAIN[0], PLAIN[1], (0, 2)),
        (PLAIN[0], PLAIN[1], (1, 1)),
        (PLAIN[0], PLAIN[1], (-1, 0)),
        (PLAIN[0], np.full((2, 2), np.nan), (0, 1)),
        (np.full((2, 2), np.nan), PLAIN[1], (0, 1)),
        (np.array([0.5, 0.5]), PLAIN[1], (0, 1)),
    ],
)
def test_optics_that_no_laboratory_has_are_refused(
    t: Complex, noise: Complex, detector: tuple[int, ...]
) -> None:
    with pytest.raises(ParameterError):
        Optics(t, noise, detector)


def test_optics_without_a_detector_are_refused_in_words() -> None:
    with pytest.raises(ParameterError):
        Optics(np.zeros((0, 1)), np.zeros((0, 0)), ())


def test_batches_that_do_not_fit_each_other_are_refused_in_words() -> None:
    with pytest.raises(ParameterError):
        click_elements(Optics(np.zeros((5, 2, 1)), np.zeros((3, 2, 2)), (0, 1)), (CLICK, 0), (1,))


@pytest.mark.parametrize("quanta", [1.0, 1e3, 1e5])
def test_strong_noise_of_one_hot_mode_on_four_detectors_is_accepted(quanta: float) -> None:
    """A matrix of rank one: its zero eigenvalues round to some 1e-16 of the largest."""
    for seed in range(8):
        v = unitary(4, seed)[:, 0]
        Optics(np.zeros((4, 1)), quanta * np.outer(v, v.conj()), (0, 1, 2, 3))


@pytest.mark.parametrize("dark", [-1e-3, 1.0, np.nan])
def test_dark_counts_beyond_a_probability_are_refused(dark: float) -> None:
    with pytest.raises(ParameterError):
        Optics(*PLAIN, dark)


def test_spare_modes_need_one_number_per_detector() -> None:
    with pytest.raises(ParameterError):
        Optics(*PLAIN, 0.0, (1.0,), (0.1,))
    with pytest.raises(ParameterError):
        Optics(*PLAIN, 0.0, (1.0, 1.0), (0.1,))
    with pytest.raises(ParameterError):
        Optics(*PLAIN, 0.0, (1.0, 1.0), (0.1, -0.1))


@pytest.mark.parametrize("asked", [(), (CLICK,), (CLICK, 0, 0), (-2, 0)])
def test_questions_that_do_not_fit_the_detectors_are_refused(asked: tuple[int, ...]) -> None:
    with pytest.raises(ParameterError):
        click_elements(Optics(*PLAIN), asked, (1, 1))
    with pytest.raises(ParameterError):
        pattern_probability(lone(PLAIN[1]), eyes(2, (0, 1)), asked)


@pytest.mark.parametrize("numbers", [(), (1,), (1, 1, 1), (1, -1)])
def test_photon_numbers_that_do_not_fit_the_emitters_are_refused(numbers: tuple[int, ...]) -> None:
    with pytest.raises(ParameterError):
        click_elements(Optics(*PLAIN), (CLICK, 0), numbers)
    light = PairLight(np.eye(2) * 0.1, np.eye(2) * 0.1, np.zeros((2, 2)))
    with pytest.raises(ParameterError):
        pair_elements(light, eyes(2, (0, 1)), (CLICK, 0), numbers)


def test_noise_in_the_optics_of_pair_light_is_refused() -> None:
    with pytest.raises(ParameterError):
        pair_elements(lone(PLAIN[1]), Optics(np.zeros((2, 0)), *PLAIN[1:]), (CLICK, 0), ())


def test_detectors_that_see_fewer_modes_than_the_light_has_are_refused() -> None:
    """Otherwise the probability is 1.875."""
    with pytest.raises(ParameterError):
        pattern_probability(lone(np.diag([0.1, 0.2])), eyes(1, (0,)), (CLICK,))


def test_detectors_that_see_more_modes_than_the_light_has_are_refused() -> None:
    with pytest.raises(ParameterError):
        pattern_probability(lone(np.diag([0.1, 0.2])), eyes(3, (0, 1, 2)), (CLICK, 0, 0))
    with pytest.raises(ParameterError):
        pattern_probability(lone(np.diag([0.1])), eyes(2, (0, 1)), (CLICK, 0))


@given(SEEDS, st.floats(1.001, 3))
def test_pair_light_beyond_the_uncertainty_relation_is_refused(seed: int, factor: float) -> None:
    """One of two pure modes has too strong a cross moment; a rotation on both sides hides it."""
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.05, 2, 2)
    U, V = unitary(2, seed % 1000), unitary(2, seed % 997 + 1)
    m = np.sqrt(p * (1 + p))
    N, B = hermitian(U * p @ U.conj().T), hermitian(V * p @ V.conj().T)
    PairLight(N, B, U * m @ V.T)
    with pytest.raises(ParameterError):
        PairLight(N, B, U * (m * np.array([factor, 1])) @ V.T)


def test_either_side_of_the_uncertainty_relation_is_asked() -> None:
    for n_s, n_i in ((0.1, 0.5), (0.5, 0.1)):
        bound = np.sqrt(min(n_s * (1 + n_i), n_i * (1 + n_s)))
        PairLight(np.array([[n_s]]), np.array([[n_i]]), np.array([[bound * 0.9999j]]))
        with pytest.raises(ParameterError):
            PairLight(np.array([[n_s]]), np.array([[n_i]]), np.array([[bound * 1.0001j]]))


@pytest.mark.parametrize(
    ("signals", "idlers", "cross"),
    [
        (np.diag([0.1, -0.01]), np.eye(1) * 0.1, np.zeros((2, 1))),
        (np.eye(2) * 0.1, np.eye(1) * -0.01, np.zeros((2, 1))),
        (np.eye(2) * 0.1, np.eye(1) * 0.1, np.zeros((1, 2))),
        (np.full((2, 2), np.nan), np.eye(1) * 0.1, np.zeros((2, 1))),
        (np.array([[0.1, 0.0], [5.0, 0.1]]), np.eye(1) * 0.1, np.zeros((2, 1))),
        (np.array([[0.1, 5.0], [0.0, 0.1]]), np.eye(1) * 0.1, np.zeros((2, 1))),
        (np.array([[0.1, 0.05j], [0.05j, 0.1]]), np.eye(1) * 0.1, np.zeros((2, 1))),
        (np.eye(1) * 0.1, np.array([[0.1, 0.0], [5.0, 0.1]]), np.zeros((1, 2))),
        (np.eye(1) * 0.1, np.array([[0.1, 5.0], [0.0, 0.1]]), np.zeros((1, 2))),
        (np.eye(1) * (0.1 + 0.05j), np.eye(1) * 0.1, np.zeros((1, 1))),
    ],
)
def test_moments_of_no_state_are_refused(signals: Complex, idlers: Complex, cross: Complex) -> None:
    with pytest.raises(ParameterError):
        PairLight(signals, idlers, cross)


@pytest.mark.parametrize("n_s", [1e-6, 1e-9, 1e-12, 1e-15])
def test_faint_light_beyond_the_uncertainty_relation_is_refused_too(n_s: float) -> None:
    """Ten times the cross moment allowed: accepted, it leaves a memory with negative populations."""
    n_i = 0.05
    m = 10 * np.sqrt(n_s * (1 + n_i))
    PairLight(np.array([[n_s]]), np.array([[n_i]]), np.array([[m / 11]]))
    with pytest.raises(ParameterError):
        PairLight(np.array([[n_s]]), np.array([[n_i]]), np.array([[m]]))


def test_efficiencies_of_a_store_beyond_one_are_refused() -> None:
    with pytest.raises(ParameterError):
        any_light(np.random.default_rng(1), 2, 2).stored((0.5, 1.1))


def test_questions_that_would_not_fit_are_refused() -> None:
    """Seven clicks at once are 128 parts; a table of all products of ten would take 8 GiB."""
    out = Outcomes((CLICK,) * 7)
    x = out.times(out.dark(0, 0.5), out.dark(6, 0.25))
    assert x[1 + 64] == pytest.approx(0.125, rel=1e-15)
    for asked in ((CLICK,) * 8, (7, 7, 7), (200,)):
        with pytest.raises(ParameterError, match="more than 128"):
            Outcomes(asked)


def test_parts_of_outcomes_multiply_like_the_functions_they_stand_for() -> None:
    """A click's list is f(silent), f(any) - f(silent); a number's is a polynomial that is cut off."""
    out = Outcomes((CLICK, 2))
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 5, 6))
    made = out.times(a, b)

    def value(parts: Complex, fires: int, z: float) -> Complex:
        p = parts.reshape(-1, 2, 3)
        return np.asarray((p[:, 0] + fires * p[:, 1]) @ np.array([1, z, z * z]))

    for fires in (0, 1):
        small = 1e-4  # what is cut off is of third order
        assert value(made, fires, small) == pytest.approx(
            value(a, fires, small) * value(b, fires, small), abs=1e-10
        )
    again = out.times(out.over(a, 0.1 * b), out.constant(np.ones(5)) - 0.1 * b)
    assert again == pytest.approx(a, abs=1e-12)


def test_orders_of_the_question_do_not_matter_to_three_detectors_alike() -> None:
    """A symmetric tritter in front of equal noise: patterns that are rotations agree."""
    w = np.exp(2j * np.pi / 3)
    tritter = np.array([[1, 1, 1], [1, w, w**2], [1, w**2, w]]) / np.sqrt(3)
    optics = Optics(tritter * np.sqrt(0.4), np.eye(3) * 0.05, (0, 1, 2), 1e-3)
    diagonal = [
        np.diag(square(click_elements(optics, order, (1, 0, 0)), 3)).real
        for order in set(permutations((CLICK, 0, 0)))
    ]
    assert diagonal[0] == pytest.approx(diagonal[1], rel=1e-13)
    assert diagonal[0] == pytest.approx(diagonal[2], rel=1e-13)
