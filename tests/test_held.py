"""A joint state of memory and photons is heralded exactly: against closed forms, permanents and Fock space."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import permutations, product
from math import factorial, prod, sqrt

import numpy as np
import pytest
import qutip
from mpmath import mp, mpf
from numpy.typing import NDArray
from scipy.linalg import expm, logm

from cavities import ParameterError
from cavities.fock import through_converter
from fibre.held import Held, clicks, herald_held, permanents
from fibre.herald import Detection, prepared_pair, single_click, two_click
from fibre.memory import Memory, decay, qubit_channel

Complex = NDArray[np.complex128]

ROUNDING = 1e-13
"""Some hundred additions of numbers below one."""
ZZ = np.diag([1.0, -1.0, -1.0, 1.0])
Z_A = np.diag([1.0, 1.0, -1.0, -1.0])


def flown(seen: Detection, one: tuple[float, float], two: tuple[float, float]) -> Detection:
    """What the detectors see of two nodes' (τ, N), for the closed forms that count from the emitter."""
    return replace(
        seen,
        tau_a=seen.tau_a * one[0],
        tau_b=seen.tau_b * two[0],
        noise_a=seen.tau_a * one[1],
        noise_b=seen.tau_b * two[1],
    )


def scrambled(rng: np.random.Generator, levels: int, environment: int = 3) -> Held:
    """Any physical node: a random isometry of the qubit into memory, photons and surroundings."""
    size = 2 * levels * environment
    raw = rng.normal(size=(size, 2)) + 1j * rng.normal(size=(size, 2))
    V = np.linalg.qr(raw)[0].reshape(2, levels, environment, 2)
    return Held(np.einsum("abes,cdet->stabcd", V, V.conj()))


def any_state(rng: np.random.Generator, size: int = 4) -> Complex:
    raw = rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))
    rho = raw @ raw.conj().T
    return rho / np.trace(rho)


@cache
def by_hand(
    t_a: float, t_b: float, M: float, dark: float, numbers: tuple[int, int], phase: float = 0.0
) -> tuple[Complex, Complex]:
    """Both click operators in plain QuTiP: arms A and B with two temporal modes each.

    A's photons are in temporal mode 1, B's in M 1 + sqrt(1 - M^2) 2. No sector of more photons
    than `numbers` together is ever reached, so this many levels are exact.
    """
    d = sum(numbers) + 1
    a1, a2, b1, b2 = (
        qutip.tensor([qutip.destroy(d) if k == j else qutip.qeye(d) for k in range(4)])
        for j in range(4)
    )

    def mixed(x: qutip.Qobj, y: qutip.Qobj) -> qutip.Qobj:
        return (np.pi / 4 * (x.dag() * y - x * y.dag())).expm()

    splitter = mixed(a1, b1) * mixed(a2, b2)
    nothing = qutip.basis(d, 0).proj()
    no_c = (1 - dark) * qutip.tensor(nothing, nothing, qutip.qeye(d), qutip.qeye(d))
    no_d = (1 - dark) * qutip.tensor(qutip.qeye(d), qutip.qeye(d), nothing, nothing)
    both = no_c * no_d
    found = []
    for silent in (no_d, no_c):
        X = splitter.dag() * (silent - both) * splitter
        for mode, t in ((a1, t_a), (a2, t_a), (b1, t_b), (b2, t_b)):
            kraus = [
                # k photons lost: ((1 - t)/t)^{k/2} sqrt(t)^{n} a^k / sqrt(k!)
                sqrt((1 - t) ** k / factorial(k))
                * (mode.dag() * mode * 0.5 * np.log(t)).expm()
                * mode**k
                for k in range(d)
            ]
            X = sum(K.dag() * X * K for K in kraus)
        vacuum = qutip.tensor([qutip.basis(d, 0)] * 4)
        second = M * b1.dag() + sqrt(1 - M**2) * b2.dag()
        turn = np.exp(1j * phase)
        kets = [
            (turn * a1.dag()) ** n * second**k * vacuum / sqrt(factorial(n) * factorial(k))
            for n, k in product(range(numbers[0] + 1), range(numbers[1] + 1))
        ]
        shape = (numbers[0] + 1, numbers[1] + 1) * 2
        found.append(np.array([[x.overlap(X * y) for y in kets] for x in kets]).reshape(shape))
    return found[0], found[1]


def read(one: Held, two: Held, X: Complex, pair: Complex) -> Complex:
    """Memories left by one click, every index written out in one matrix of both whole nodes."""
    n, k = one.levels, two.levels
    joint = np.zeros((4 * n * k, 4 * n * k), dtype=complex)
    for s, r, t, u in product(range(2), repeat=4):
        alone = one.table[s, t].reshape(2 * n, 2 * n), two.table[r, u].reshape(2 * k, 2 * k)
        joint += pair[2 * s + r, 2 * t + u] * np.kron(*alone)
    rho = qutip.Qobj(joint, dims=[[2, n, 2, k]] * 2).permute([0, 2, 1, 3])
    click = qutip.tensor(qutip.qeye([2, 2]), qutip.Qobj(X.reshape(n * k, n * k), dims=[[n, k]] * 2))
    return (click * rho).ptrace([0, 1]).full()


# --- against the closed forms of Gaussian light -------------------------------------------------

NODES = ((0.62, 0.04), (0.35, 0.11))
SEEN = Detection(0.41, 0.73, overlap=1.0, noise_modes=1.0, dark=0.013)


def test_one_click_on_gaussian_tables_is_the_closed_form() -> None:
    """1e-8: the tables leave out 1e-9 of the photon numbers, in each arm."""
    one, two = (Held.gaussian(*node) for node in NODES)
    state = herald_held(one, two, SEEN, prepared_pair(0.12, 0.31), 0.23)
    exact = single_click(flown(SEEN, *NODES), 0.12, 0.31, 0.23)
    assert np.max(np.abs(state - exact.state)) < 1e-8


def test_two_clicks_on_gaussian_tables_are_the_closed_form() -> None:
    """The second round starts from what the first left, decayed and flipped."""
    one, two = (Held.gaussian(*node) for node in NODES)
    memories, gap = (Memory(3.0, 2.0), Memory(1.5, 2.5)), 0.4
    waits = [qubit_channel(m, gap) for m in memories]
    first = herald_held(one, two, SEEN, prepared_pair(0.5, 0.5))
    between = decay(first, waits[0], waits[1])[::-1, ::-1]
    state = herald_held(one, two, SEEN, between, 0.31)
    exact = two_click(flown(SEEN, *NODES), 0.31, memories, gap)
    assert np.max(np.abs(state - exact.state)) < 1e-8


@pytest.mark.parametrize("M", [0.0, 0.64, 1.0])
def test_without_noise_any_overlap_is_exact(M: float) -> None:
    one, two = Held.gaussian(0.62, 0.0), Held.gaussian(0.35, 0.0)
    seen = replace(SEEN, overlap=M)
    quiet = flown(seen, (0.62, 0.0), (0.35, 0.0))
    state = herald_held(one, two, seen, prepared_pair(0.12, 0.31), 0.23)
    assert np.max(np.abs(state - single_click(quiet, 0.12, 0.31, 0.23).state)) < ROUNDING
    first = herald_held(one, two, seen, prepared_pair(0.5, 0.5))
    second = herald_held(one, two, seen, first[::-1, ::-1])
    assert np.max(np.abs(second - two_click(quiet).state)) < ROUNDING


def test_noise_beside_the_photons_mode_fires_like_dark_counts() -> None:
    """K - 1 thermal modes of n quanta are all empty with probability (1 + n)^-(K-1)."""
    noisy = replace(SEEN, noise_a=0.07, noise_b=0.07, noise_modes=3.6)
    dark = 1 - (1 - SEEN.dark) / 1.07**2.6
    assert clicks(noisy, (2, 2)) == pytest.approx(
        clicks(replace(SEEN, dark=dark), (2, 2)), rel=1e-12
    )


def test_a_batch_is_its_links_one_by_one() -> None:
    one, two = Held.gaussian(0.62, 0.04, 1e-4), Held.gaussian(0.35, 0.11, 1e-4)
    t, M, rms = np.array([0.02, 0.3, 0.9]), np.array([0.9, 0.5, 0.7]), np.array([0.1, 0.4, 0.0])
    alpha = np.array([0.1, 0.2, 0.7])
    whole = herald_held(
        one, two, replace(SEEN, tau_a=t, overlap=M), prepared_pair(alpha, 0.31), rms
    )
    assert whole.shape == (3, 4, 4)
    for k in range(3):
        seen = replace(SEEN, tau_a=t[k], overlap=M[k])
        alone = herald_held(one, two, seen, prepared_pair(alpha[k], 0.31), rms[k])
        assert np.max(np.abs(whole[k] - alone)) < ROUNDING


# --- nothing cancels ----------------------------------------------------------------------------


def many_digits(
    t_a: float, t_b: float, M: float, dark: float, numbers: tuple[int, int]
) -> NDArray[np.object_]:
    """(1-p) [Γ(1-Q_-) - (1-p) Γ(1-Q_±)] by permutations, subtracted with 50 digits."""
    with mp.workdps(50):
        a, b, m, p = map(mpf, (t_a, t_b, M, dark))
        cross = m * mp.sqrt(a * b) / 2
        one = [[1 - a / 2, cross], [cross, 1 - b / 2]]
        both = [[1 - a, mpf(0)], [mpf(0), 1 - b]]
        shape = (numbers[0] + 1, numbers[1] + 1)
        out = np.zeros(shape * 2, dtype=object)
        for n in np.ndindex(shape):
            for k in np.ndindex(shape):
                if sum(n) == sum(k):
                    out[n + k] = (1 - p) * (brute(one, n, k) - (1 - p) * brute(both, n, k))
        return out


def brute(G: list[list[mpf]], n: tuple[int, ...], m: tuple[int, ...]) -> mpf:
    """<n| Γ(G) |m>: a sum over all ways to assign outgoing photons to incoming ones."""
    rows = [0] * n[0] + [1] * n[1]
    columns = [0] * m[0] + [1] * m[1]
    total = sum(
        (
            prod((G[i][columns[j]] for i, j in zip(rows, order, strict=True)), start=mpf(1))
            for order in permutations(range(len(columns)))
        ),
        start=mpf(0),
    )
    return total / mp.sqrt(prod(factorial(x) for x in n + m))


@pytest.mark.parametrize(
    ("scale", "dark"), [(1e-13, 0.0), (1e-13, 3e-15), (1e-6, 2e-9), (0.6, 0.02)]
)
def test_click_operators_keep_their_digits_at_any_transmission(scale: float, dark: float) -> None:
    """Elements that vanish in exact arithmetic are exactly zero."""
    t_a, t_b, M = 0.7 * scale, 1.3 * scale, 0.83
    exact = many_digits(t_a, t_b, M, dark, (3, 2)).astype(float)
    found = clicks(Detection(t_a, t_b, overlap=M, dark=dark), (3, 2))
    assert np.all(np.abs(found - exact) <= 1e-12 * np.abs(exact))
    assert np.count_nonzero(exact) > 20


def test_a_herald_keeps_its_digits_at_any_transmission() -> None:
    """Every element of the state relative to itself: P11 is 1e-13 of P01, and dark counts smaller."""
    one, two = Held.gaussian(0.62, 0.0), Held.gaussian(0.35, 0.0)
    seen = Detection(2e-13, 5e-13, overlap=0.83, dark=1e-17)
    found = herald_held(one, two, seen, prepared_pair(0.12, 0.31)).real
    exact = many_digits(2e-13 * 0.62, 5e-13 * 0.35, 0.83, 1e-17, (1, 1)).reshape(4, 4)
    expected = (2 * exact * prepared_pair(0.12, 0.31)).astype(float)
    # one loss within the table, one behind it: their product is one ulp from the other order
    assert np.all(np.abs(found - expected) <= 1e-12 * np.abs(expected))
    assert np.all(np.diag(expected) > 0)


# --- permanents and click operators by brute force -----------------------------------------------


def test_permanents_are_the_second_quantised_matrix() -> None:
    """Γ(G) = exp(a† ln G a), in whole sectors of up to five photons."""
    G = np.array([[0.61, 0.17], [0.29, 0.83]])
    top = 6
    a = np.kron(np.diag(np.sqrt(np.arange(1.0, top)), 1), np.eye(top))
    b = np.kron(np.eye(top), np.diag(np.sqrt(np.arange(1.0, top)), 1))
    log = logm(G)
    exponent = sum(log[i, j] * x.T @ y for i, x in enumerate((a, b)) for j, y in enumerate((a, b)))
    whole = expm(exponent).reshape((top,) * 4)
    found = permanents(G, (3, 2))
    assert np.max(np.abs(found - whole[:4, :3, :4, :3])) < 1e-12  # expm of a matrix of norm ten
    assert np.count_nonzero(found) > 20


def test_permanents_are_sums_over_permutations() -> None:
    G = np.array([[[0.61, 0.17], [0.29, 0.83]], [[0.2, 0.9], [0.4, 0.05]]])
    found = permanents(G, (2, 3))
    for g, table in zip(G, found, strict=True):
        for n1, n2, m1, m2 in np.ndindex(3, 4, 3, 4):
            same = n1 + n2 == m1 + m2
            exact = float(brute(g.tolist(), (n1, n2), (m1, m2))) if same else 0.0
            assert table[n1, n2, m1, m2] == pytest.approx(exact, rel=1e-13, abs=0.0)


@pytest.mark.parametrize("M", [1.0, 0.78])
def test_clicks_are_beam_splitters_and_threshold_detectors(M: float) -> None:
    """Two photons in arm A, one in arm B, and every coherence between fewer."""
    plus, minus = by_hand(0.55, 0.8, M, 0.03, (2, 1))
    found = clicks(Detection(0.55, 0.8, overlap=M, dark=0.03), (2, 1))
    assert np.max(np.abs(found - plus)) < 1e-12  # exponentials of matrices up to norm ten
    n = np.arange(3)
    odd = (-1.0) ** (n[:, None] - n)
    assert np.max(np.abs(found * odd[:, None, :, None] - minus)) < 1e-12
    assert found[1, 0, 0, 1] > 0.1


# --- light that is not Gaussian ------------------------------------------------------------------


@pytest.fixture
def anything() -> tuple[Held, Held, Detection, Complex]:
    rng = np.random.default_rng(7)
    seen = Detection(0.55, 0.8, overlap=0.78, dark=0.03)
    return scrambled(rng, 3), scrambled(rng, 2), seen, any_state(rng)


def patterns(
    seen: Detection, numbers: tuple[int, int], phase: float = 0.0
) -> tuple[Complex, Complex]:
    return by_hand(
        float(seen.tau_a), float(seen.tau_b), float(seen.overlap), float(seen.dark), numbers, phase
    )


def test_any_node_and_any_pair_is_heralded_as_in_fock_space(
    anything: tuple[Held, Held, Detection, Complex],
) -> None:
    """Both detectors, the second one's pattern corrected by a Z on memory A."""
    one, two, seen, pair = anything
    plus, minus = (read(one, two, X, pair) for X in patterns(seen, (2, 1)))
    found = herald_held(one, two, seen, pair)
    assert np.max(np.abs(found - plus - Z_A @ minus @ Z_A)) < 1e-12
    # the correction matters here: without it, or on the other memory, the state is another one
    assert np.max(np.abs(found - plus - minus)) > 1e-3
    assert np.max(np.abs(plus - plus.conj().T)) < 1e-12


def test_phase_noise_is_an_average_over_phases(
    anything: tuple[Held, Held, Detection, Complex],
) -> None:
    """Coherences of two photons lose four times the exponent; 12 Gauss-Hermite nodes do it to 1e-12."""
    one, two, seen, pair = anything
    rms = 0.37
    x, w = np.polynomial.hermite_e.hermegauss(12)
    average = np.zeros((4, 4), dtype=complex)
    for phase, weight in zip(rms * x, w / w.sum(), strict=True):
        turn = np.exp(1j * phase * np.arange(3))
        turned = replace(one, table=one.table * (turn[:, None] * turn.conj())[:, None, :])
        average += weight * herald_held(turned, two, seen, pair)
    assert np.max(np.abs(herald_held(one, two, seen, pair, rms) - average)) < 1e-11
    assert np.max(np.abs(herald_held(one, two, seen, pair) - average)) > 1e-4


def test_the_trace_is_the_probability_that_exactly_one_detector_clicks(
    anything: tuple[Held, Held, Detection, Complex],
) -> None:
    """Of the light alone, no memory is looked at; lost light leaves both detectors silent."""
    one, two, seen, pair = anything
    light = np.einsum("srtu,stanam,rubkbl->nkml", pair.reshape(2, 2, 2, 2), one.table, two.table)
    # all photons lost, and no dark count
    quiet = (1 - 0.03) ** 2 * np.einsum(
        "nknk,nk->", light, np.outer(0.45 ** np.arange(3), 0.2 ** np.arange(2))
    )
    alone = sum(np.einsum("nkml,mlnk->", light, X) for X in patterns(seen, (2, 1)))
    state = herald_held(one, two, seen, pair)
    assert np.trace(state) == pytest.approx(alone, abs=1e-12)
    assert 0 < np.trace(state).real < 1 - quiet.real


def test_swapped_arms_are_swapped_memories_up_to_the_side_of_the_correction(
    anything: tuple[Held, Held, Detection, Complex],
) -> None:
    """Z on A and Z on B differ by Z x Z: even coherences agree, odd ones flip in one pattern."""
    one, two, seen, pair = anything
    swap = np.eye(4)[[0, 2, 1, 3]]
    turned = replace(seen, tau_a=seen.tau_b, tau_b=seen.tau_a)
    here = herald_held(one, two, seen, pair)
    there = swap @ herald_held(two, one, turned, swap @ pair @ swap) @ swap
    minus = read(one, two, patterns(seen, (2, 1))[1], pair)
    corrected = Z_A @ minus @ Z_A
    assert np.max(np.abs((here + ZZ @ here @ ZZ) - (there + ZZ @ there @ ZZ))) < 1e-12
    assert np.max(np.abs((here - there) - (corrected - ZZ @ corrected @ ZZ))) < 1e-12
    assert np.max(np.abs(here - there)) > 1e-3


def test_swapped_arms_are_swapped_memories_where_photons_tell_the_memory() -> None:
    """Tables that conserve memory plus photons have no odd coherences: the swap is exact."""
    one, two = Held.gaussian(0.62, 0.04, 1e-4), Held.gaussian(0.35, 0.11, 1e-4)
    swap = np.eye(4)[[0, 2, 1, 3]]
    seen = replace(SEEN, overlap=0.78)
    turned = replace(seen, tau_a=seen.tau_b, tau_b=seen.tau_a)
    here = herald_held(one, two, seen, prepared_pair(0.12, 0.31))
    there = swap @ herald_held(two, one, turned, prepared_pair(0.31, 0.12)) @ swap
    assert np.max(np.abs(here - there)) < ROUNDING
    assert abs(here[1, 1] - here[2, 2]) > 1e-2


# --- tables --------------------------------------------------------------------------------------


def test_populations_behind_a_converter() -> None:
    """L12: P(n|s) for τ = 0.4, N = 0.1."""
    t, N = 0.4, 0.1
    held = Held.gaussian(t, N)
    dark, lit = held.populations(0.0), held.populations(1.0)
    assert dark[:2] == pytest.approx([1 / (1 + N), N / (1 + N) ** 2], rel=1e-13)
    expected = [(1 + N - t) / (1 + N) ** 2, (N * (1 + N) + t * (1 - N)) / (1 + N) ** 3]
    assert lit[:2] == pytest.approx(expected, rel=1e-13)
    assert held.table[0, 1, 0, 0, 1, 1] == pytest.approx(sqrt(t) / (1 + N) ** 2, rel=1e-13)
    assert held.populations(0.3) == pytest.approx(0.7 * dark + 0.3 * lit)
    assert held.silenced.populations(1.0)[:2] == pytest.approx([1 - t, t], rel=1e-13)
    assert held.transmission == t


def test_a_gaussian_table_is_loss_and_amplification_of_number_states() -> None:
    """Every element of |s><s'| against the Kraus operators of `through_converter`."""
    held = Held.gaussian(0.4, 0.1)
    n = held.levels
    for s, t in product(range(2), repeat=2):
        put = np.zeros((2, 2), dtype=complex)
        put[s, t] = 1.0
        light = held.table[s, t, s, :, t, :]
        assert np.max(np.abs(light - through_converter(put, 0.4, 0.1, n))) < ROUNDING
        assert np.sum(np.abs(held.table[s, t])) == pytest.approx(np.sum(np.abs(light)))


@pytest.mark.parametrize("accuracy", [1e-3, 1e-6, 1e-9])
def test_a_gaussian_table_leaves_out_what_was_allowed(accuracy: float) -> None:
    """A bright qubit has one photon more: its tail is three times as heavy at most, here."""
    held = Held.gaussian(0.4, 0.1, min(accuracy, 1e-6))
    assert 0 <= 1 - held.populations(0.0).sum() < min(accuracy, 1e-6)
    assert 0 <= 1 - held.populations(1.0).sum() < min(accuracy, 1e-6)


def test_the_state_of_a_node_is_that_of_its_prepared_qubit() -> None:
    held = scrambled(np.random.default_rng(3), 3)
    rho = any_state(np.random.default_rng(4), 2)
    whole = held.state(rho)
    lit = rho[1, 1].real
    numbers = np.einsum("anan->n", whole.reshape(2, 3, 2, 3)).real
    assert np.trace(whole) == pytest.approx(1.0)
    assert np.min(np.linalg.eigvalsh(whole)) > -ROUNDING
    # off-diagonal elements of the qubit move photon numbers of a general node, not of a mixture
    assert numbers != pytest.approx(held.populations(lit), abs=1e-3)
    mixed = held.state(np.diag([1 - lit, lit]).astype(complex)).reshape(2, 3, 2, 3)
    assert np.einsum("anan->n", mixed).real == pytest.approx(held.populations(lit))


def _too_much(table: Complex) -> Complex:
    return 1.01 * table


def _turned(table: Complex) -> Complex:
    """The transposed qubit: trace and Hermiticity are kept, complete positivity is not."""
    return table.swapaxes(0, 1).copy()


def _skewed(table: Complex) -> Complex:
    out = table.copy()
    out[0, 1] *= 1j
    return out


def _without_memory(table: Complex) -> Complex:
    return table[:, :, :1, :, :1, :]


def _uneven(table: Complex) -> Complex:
    return table[..., :-1]


def _flat(table: Complex) -> Complex:
    n = table.shape[3]
    return table.reshape(2, 2, 2 * n, 2 * n)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_too_much, "misses the trace by 0.01"),
        (_turned, "lowest eigenvalue is -0"),
        (_skewed, "Hermiticity by 0.74"),
        (_without_memory, "must have the shape"),
        (_uneven, "must have the shape"),
        (_flat, "must have the shape"),
    ],
)
def test_a_table_that_is_no_physical_map_is_refused(
    spoil: Callable[[Complex], Complex], words: str
) -> None:
    good = Held.gaussian(0.4, 0.1)
    with pytest.raises(ParameterError, match=words):
        Held(spoil(good.table))
    with pytest.raises(ParameterError, match=words):
        Held(good.table, quiet=spoil(good.table))


@pytest.mark.parametrize("transmission", [0.0, -0.1, 1.1, np.nan])
def test_a_transmission_outside_its_domain_is_refused(transmission: float) -> None:
    with pytest.raises(ParameterError, match="transmission"):
        Held(Held.gaussian(0.4, 0.1).table, transmission=transmission)
    with pytest.raises(ParameterError, match="transmission"):
        Held.gaussian(transmission, 0.1)


def test_what_the_noise_costs_is_not_guessed() -> None:
    with pytest.raises(ParameterError, match="quiet was not computed"):
        _ = Held(Held.gaussian(0.4, 0.1).table).silenced
