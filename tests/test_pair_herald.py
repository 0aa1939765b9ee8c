"""Pair-source heralds against Fock-space brute force that shares nothing with the closed forms."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.linalg import expm

from cavities import ParameterError
from fibre.herald import Detection, Heralded, Scheme, single_click, two_click
from fibre.memory import Memory, QubitChannel, decay, depolarised, qubit_channel
from fibre.pair_herald import (
    Idler,
    Storage,
    pair_click,
    pair_time_bin,
    require_idlers,
    storage,
)
from tests.brute import thermal_weights

Array = NDArray[np.float64]
PSI = np.array([0.0, 1.0, 1.0, 0.0]) / np.sqrt(2)
D = 8  # levels of every detected mode: the light there is faint


# --- brute force: beam splitters by blocks of fixed photon number, exact without a cut-off ----------


@cache
def splitter(theta: float, d: int) -> Array:
    """<n1 n2|U|a b> with a -> cos a + sin b; a, b < d and every output kept, shape (2d-1,)*2 + (d,)*2."""
    top = 2 * d - 1
    out = np.zeros((top, top, d, d))
    for total in range(top):
        n = np.arange(total + 1)
        up = np.diag(np.sqrt(n[1:] * (total + 1.0 - n[1:])), -1)  # a^dag b
        u = expm(theta * (up - up.T))
        for a in range(max(0, total - d + 1), min(d, total + 1)):
            out[n, total - n, a, total - a] = u[:, a]
    return out


def channel(tau: float, noise: float, d: int, out: int) -> Array:
    """Thermal loss as a linear map, shape (out, out, d, d): environment of N/(1-tau) quanta."""
    if tau == 1.0:
        assert noise == 0
        return np.einsum("ik,jl->ijkl", np.eye(out, d), np.eye(out, d))
    mean = noise / (1 - tau)
    levels = 1 if mean == 0 else max(2, int(np.ceil(np.log(1e-12) / np.log(mean / (1 + mean)))))
    size = max(d, levels)
    u = splitter(float(np.arccos(np.sqrt(tau))), size)[:, :, :d, :levels]
    u = u * np.sqrt(thermal_weights(mean, levels))
    kept = np.zeros((out, *u.shape[1:]))
    kept[: min(out, len(u))] = u[:out]
    flat = kept.transpose(0, 2, 1, 3).reshape(out * d, -1)
    return (flat @ flat.T).reshape(out, d, out, d).transpose(0, 2, 1, 3)


class Source:
    """TMSV of p pairs; idler and signal through thermal losses of their own; then the signal's arm."""

    def __init__(
        self,
        p: float,
        idler: tuple[float, float] = (1.0, 0.0),
        signal: tuple[float, float] = (1.0, 0.0),
        tau: float = 0.3,
        joined: float = 0.0,
        capture: float = 1.0,
    ) -> None:
        self.p, self.tau, self.joined, self.capture = p, tau, joined, capture
        self.lossy_idler, self.lossy_signal = idler, signal
        self.at_detector = tau * (signal[0] * p + signal[1]) + joined

    @property
    def idler(self) -> Idler:
        eta, n = self.lossy_idler
        m = np.sqrt(eta * self.lossy_signal[0] * self.p * (1 + self.p))
        return Idler(eta * self.p + n, m, self.capture)

    @cache  # noqa: B019
    def operators(self, survival: float = 1.0) -> Array:
        """Signal operators G[i, i'] = <i|rho|i'> of the idler, and the one with the idler traced out.

        Shape (5, D, D): 00, 01, 10, 11, trace.
        """
        levels = 14
        amplitude = np.sqrt((self.p / (1 + self.p)) ** np.arange(levels) / (1 + self.p))
        e_s, n_s = self.lossy_signal
        e_i, n_i = self.lossy_idler
        s = channel(e_s, n_s, levels, 22)
        s = np.einsum("abcd,cdnm->abnm", channel(self.tau, self.joined, 22, D), s, optimize=True)
        i = channel(e_i, n_i, levels, 22)
        i = np.einsum(
            "abcd,cdnm->abnm", channel(self.capture * survival, 0.0, 22, 22), i, optimize=True
        )
        weight = amplitude[:, None] * amplitude
        parts = [i[a, b] for a in (0, 1) for b in (0, 1)] + [np.eye(levels)]
        return np.array([np.einsum("abnm,nm->ab", s, weight * part) for part in parts])


def seen_of(pair: tuple[Source, Source], **changes: object) -> Detection:
    """Arm transmissions count from where `cross` is given: behind the source's own signal loss."""
    one, two = pair
    seen = Detection(one.tau, two.tau, one.at_detector, two.at_detector)
    return replace(seen, **changes)  # type: ignore[arg-type]


def brute_click(
    one: Source,
    two: Source,
    overlap: float = 1.0,
    second_mode: bool = False,
    extra: int = 0,
    dark: float = 0.0,
    resolving: bool = False,
    phase_rms: float = 0.0,
    survival: tuple[float, float] = (1.0, 1.0),
    coherence: tuple[float, float] = (1.0, 1.0),
) -> tuple[Array, float]:
    """State of both idlers (one quantum at most each) and probability of "1 clicks, 2 is silent".

    Photon A is in temporal mode u, photon B in M u + sqrt(1-M^2) w. `second_mode` fills what is
    left of u and w with noise like the pair light; `extra` more modes of it follow.
    """
    u = splitter(np.pi / 4, D)
    flat = u.reshape(-1, D * D)
    top = 2 * D - 1

    def effect(first: Array, second: Array) -> Array:
        weight = np.outer(first, second).ravel()
        return (flat.T * weight) @ flat  # [(a' b'), (a b)]

    zero, all_, single = np.eye(1, top)[0], np.ones(top), np.eye(1, top, 1)[0]
    others = []  # distribution at detector 1 given that 2 is silent, of every extra mode
    for _ in range(extra):
        a = np.diag(thermal_weights(one.at_detector, D))
        b = np.diag(thermal_weights(two.at_detector, D))
        others.append(
            [
                float(np.sum(effect(f, zero) * np.kron(a, b)))
                for f in (zero, single, all_)  # silent, one, any at detector 1
            ]
        )
    none = float(np.prod([o[0] for o in others]))
    any_other = float(np.prod([o[2] for o in others]))
    terms: list[tuple[float, Array, Array]] = []
    s, t, w = effect(zero, zero), effect(single, zero), effect(all_, zero)
    quiet = 1 - dark
    if resolving:
        rate = -np.log1p(-dark)
        single_other = sum(
            o[1] * float(np.prod([x[0] for x in others[:k] + others[k + 1 :]]))
            for k, o in enumerate(others)
        )
        terms += [(quiet**2 * none, t, s), (quiet**2 * none, s, t)]
        terms += [(quiet**2 * (rate * none + single_other), s, s)]
    else:
        terms += [(quiet * any_other, w, w), (-(quiet**2) * none, s, s)]

    G, H = one.operators(survival[0]), two.operators(survival[1])
    fill_a = thermal_weights(one.at_detector, D) if second_mode else np.eye(1, D)[0]
    fill_b = thermal_weights(two.at_detector, D) if second_mode else np.eye(1, D)[0]
    turn = splitter(float(np.arccos(overlap)), D)[:D, :D].reshape(D * D, D * D)
    B = [
        (turn @ np.kron(h, np.diag(fill_b)) @ turn.T).reshape(D, D, D, D) for h in H
    ]  # v, rest -> u, w

    def value(left: Array, right: Array, a: Array, b: Array) -> float:
        on_u = np.einsum("pqab,ap->qb", left.reshape(D, D, D, D), a)
        on_w = np.einsum("pqab,ap->qb", right.reshape(D, D, D, D), np.diag(fill_a))
        return float(np.einsum("qb,rc,bcqr->", on_u, on_w, b, optimize=True))

    state = np.zeros((4, 4))
    for i in range(4):
        for j in range(4):
            a, b = G[2 * (i // 2) + j // 2], B[2 * (i % 2) + j % 2]
            state[i, j] = sum(f * value(x, y, a, b) for f, x, y in terms)
    probability = sum(f * value(x, y, G[4], B[4]) for f, x, y in terms)
    factor = np.exp(-(phase_rms**2) / 2) * coherence[0] * coherence[1]
    state[1, 2] *= factor
    state[2, 1] *= factor
    return state, probability


def agree(pair: Heralded, state: Array, probability: float, tolerance: float = 1e-6) -> None:
    assert pair.probability == pytest.approx(2 * probability, rel=tolerance)
    size = float(np.max(np.abs(state)))
    np.testing.assert_allclose(pair.state, 2 * state, rtol=tolerance, atol=tolerance * 2 * size)


ALIKE = (
    Source(0.12, (0.8, 0.05), (0.9, 0.02), 0.35, 0.004, 0.85),
    Source(0.12, (0.8, 0.05), (0.9, 0.02), 0.35, 0.004, 0.85),
)
UNLIKE = (
    Source(0.12, (0.8, 0.05), (0.9, 0.02), 0.35, 0.004, 0.85),
    Source(0.05, (0.95, 0.01), (0.7, 0.0), 0.15, 0.001, 0.6),
)


# --- L17: worked numbers -----------------------------------------------------------------------------


def seeded(p: float, thermal: float) -> tuple[float, float, float]:
    """Moments of a squeezer whose idler input holds `thermal` quanta: n_s, n_i, m."""
    return p * (1 + thermal), p + (1 + p) * thermal, np.sqrt(p * (1 + p)) * (1 + thermal)


@pytest.mark.parametrize(
    ("resolving", "P", "F"),
    [
        (False, 0.01960592099, (1 + 0.2 * 0.05) ** 2 / 1.05**3),
        (True, 0.01941180296, 0.8900127416),
    ],
)
def test_pure_pair_light_gives_the_worked_numbers_of_l17(
    resolving: bool, P: float, F: float
) -> None:
    p, eta = 0.05, 0.2
    idler = Idler(p, np.sqrt(p * (1 + p)))
    pair = pair_click(Detection(eta, eta, eta * p, eta * p, resolving=resolving), idler, idler)
    assert pair.probability == pytest.approx(P, rel=1e-9)
    assert pair.fidelity == pytest.approx(F, rel=1e-9)


def test_thermal_lossy_pair_light_gives_the_worked_numbers_of_l17() -> None:
    n_s, n_i, m = seeded(np.sinh(0.3) ** 2, 0.1)
    eta, dark = 0.25 * 0.9, 1e-3
    pair = pair_click(
        Detection(eta, eta, eta * n_s, eta * n_s, dark=dark), Idler(n_i, m, 0.7), Idler(n_i, m, 0.7)
    )
    assert pair.probability == pytest.approx(0.04573145466, rel=1e-9)
    assert pair.fidelity == pytest.approx(0.5165804655, rel=1e-9)


def test_the_fidelity_of_a_weak_source_falls_by_three_pairs_not_one() -> None:
    p = 1e-4
    idler = Idler(p, np.sqrt(p * (1 + p)))
    pair = pair_click(Detection(1e-3, 1e-3, 1e-3 * p, 1e-3 * p), idler, idler)
    assert (1 - pair.fidelity) / p == pytest.approx(3, rel=2e-3)


# --- one click against brute force -------------------------------------------------------------------


@pytest.mark.parametrize("resolving", [False, True])
@pytest.mark.parametrize("dark", [0.0, 2e-2])
def test_a_click_between_equal_thermal_sources_is_the_brute_force_one(
    resolving: bool, dark: float
) -> None:
    pair = pair_click(
        seen_of(ALIKE, dark=dark, resolving=resolving), ALIKE[0].idler, ALIKE[1].idler
    )
    agree(pair, *brute_click(*ALIKE, dark=dark, resolving=resolving))


@pytest.mark.parametrize("resolving", [False, True])
def test_a_click_between_unequal_sources_and_arms_is_the_brute_force_one(resolving: bool) -> None:
    """One mode per gate (K = 1): L18 is exact for any two arms."""
    one, two = UNLIKE
    pair = pair_click(seen_of(UNLIKE, dark=1e-3, resolving=resolving), one.idler, two.idler)
    agree(pair, *brute_click(one, two, dark=1e-3, resolving=resolving), tolerance=1e-5)


@pytest.mark.parametrize("arms", [(0.3, 0.0), (0.0, 0.3)])
def test_one_source_alone_clicks_as_often_as_its_light_does(arms: tuple[float, float]) -> None:
    """Beside a dark arm, detector 1 sees half of one thermal mode: no approximation is needed."""
    p = 0.3
    n = [0.5 * p * (a > 0) for a in arms]
    idlers = [Idler(p * (a > 0), np.sqrt(p * (1 + p)) * (a > 0)) for a in arms]
    pair = pair_click(Detection(0.5, 0.5, *n), *idlers)
    exact = 2 * (1 / (1 + sum(n) / 2) - 1 / (1 + sum(n)))
    assert pair.probability == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("resolving", [False, True])
@pytest.mark.parametrize("overlap", [1.0, 0.8, 0.0])
def test_two_white_temporal_modes_and_a_partial_overlap_are_the_brute_force_ones(
    resolving: bool, overlap: float
) -> None:
    one, two = UNLIKE
    kept = (Storage(0.9, 0.95), Storage(0.7, 0.85))
    seen = seen_of(UNLIKE, dark=3e-3, resolving=resolving, overlap=overlap, noise_modes=2.0)
    pair = pair_click(seen, one.idler, two.idler, 0.4, kept)
    state, probability = brute_click(
        one,
        two,
        overlap,
        True,
        0,
        3e-3,
        resolving,
        0.4,
        (0.9, 0.7),
        (0.95, 0.85),
    )
    agree(pair, state, probability)


@pytest.mark.parametrize("resolving", [False, True])
def test_further_noise_modes_of_equal_arms_are_the_brute_force_ones(resolving: bool) -> None:
    seen = seen_of(ALIKE, resolving=resolving, overlap=0.9, noise_modes=4.0)
    pair = pair_click(seen, ALIKE[0].idler, ALIKE[1].idler)
    agree(pair, *brute_click(*ALIKE, 0.9, True, 2, resolving=resolving))


@pytest.mark.parametrize("resolving", [False, True])
def test_further_noise_modes_of_unequal_arms_are_the_brute_force_ones(resolving: bool) -> None:
    one, two = UNLIKE
    seen = seen_of(UNLIKE, resolving=resolving, overlap=0.9, noise_modes=4.0)
    pair = pair_click(seen, one.idler, two.idler)
    agree(pair, *brute_click(one, two, 0.9, True, 2, resolving=resolving), tolerance=1e-5)


def test_threshold_heralds_of_emitters_and_of_empty_pair_sources_count_the_same_noise() -> None:
    """Both describe the same noise at the same detectors: without light they must agree."""
    seen = Detection(0.3, 0.3, 0.05, 0.01, noise_modes=1.0, dark=1e-4)
    emitters = single_click(seen, 0.0, 0.0)
    pairs = pair_click(seen, Idler(0.0, 0.0), Idler(0.0, 0.0))
    assert pairs.probability == pytest.approx(emitters.probability, rel=1e-9)


def test_numbers_told_apart_are_those_of_two_emitters() -> None:
    """Resolving detectors and bright emitters: exactly one photon, two white modes, unequal arms."""
    tau, noise, overlap, dark, alpha = (0.5, 0.2), (0.03, 0.01), 0.8, 2e-3, (0.3, 0.1)
    seen = Detection(*tau, *noise, overlap, 2.0, dark, True)
    pair = single_click(seen, *alpha, 0.3)
    d = D
    maps = [channel(t, n, 2, d) for t, n in zip(tau, noise, strict=True)]
    u = splitter(np.pi / 4, d).reshape(-1, d * d)
    zero, one = np.eye(1, 2 * d - 1)[0], np.eye(1, 2 * d - 1, 1)[0]
    quiet, single = ((u.T * np.outer(f, zero).ravel()) @ u for f in (zero, one))
    fill = [thermal_weights(n, d) for n in noise]
    turn = splitter(float(np.arccos(overlap)), d)[:d, :d].reshape(d * d, d * d)
    rate = -np.log1p(-dark)
    terms = ((1.0, single, quiet), (1.0, quiet, single), (rate, quiet, quiet))
    state = np.zeros((4, 4))
    root = [np.array([np.sqrt(1 - a), np.sqrt(a)]) for a in alpha]
    for i in range(4):
        for j in range(4):
            a = maps[0][:, :, i // 2, j // 2]
            b = turn @ np.kron(maps[1][:, :, i % 2, j % 2], np.diag(fill[1])) @ turn.T
            b = b.reshape(d, d, d, d)
            total = 0.0
            for f, left, right in terms:
                on_u = np.einsum("pqab,ap->qb", left.reshape(d, d, d, d), a)
                on_w = np.einsum("pqab,ap->qb", right.reshape(d, d, d, d), np.diag(fill[0]))
                total += f * np.einsum("qb,rc,bcqr->", on_u, on_w, b, optimize=True)
            bright = root[0][i // 2] * root[0][j // 2] * root[1][i % 2] * root[1][j % 2]
            state[i, j] = 2 * (1 - dark) ** 2 * bright * total
    state[1, 2] *= np.exp(-(0.3**2) / 2)
    state[2, 1] *= np.exp(-(0.3**2) / 2)
    np.testing.assert_allclose(pair.state, state, atol=1e-8)


def test_numbers_told_apart_reduce_to_hand_counts_without_noise() -> None:
    a, eta = 0.3, 0.6
    pair = single_click(Detection(eta, eta, resolving=True), a, a)
    # one of two, or one of the two that bunch is lost; exactly one photon is detected
    P = 2 * a * (1 - a) * eta + a**2 * 2 * eta * (1 - eta)
    assert pair.probability == pytest.approx(P, rel=1e-12)
    assert pair.fidelity == pytest.approx(2 * a * (1 - a) * eta / P, rel=1e-12)


# --- two bins ----------------------------------------------------------------------------------------


def test_time_bins_give_the_worked_numbers_of_l22() -> None:
    n_s, n_i, m = seeded(0.08, 0.05)
    idler = Idler(n_i, m, 0.9)
    pair = pair_time_bin(Detection(0.15, 0.15, 0.15 * n_s, 0.15 * n_s, dark=2e-3), idler, idler)
    assert pair.checked.fidelity == pytest.approx(0.8482640356, rel=1e-9)
    assert pair.inside / 4 == pytest.approx(4.124677663e-05, rel=1e-9)
    assert pair.kept == pytest.approx(pair.inside / pair.probability)


@pytest.mark.parametrize("p", [0.02, 0.2])
def test_the_unconditional_fidelity_is_half_of_six_vacua_at_low_transmission(p: float) -> None:
    eta = 1e-6
    idler = Idler(p, np.sqrt(p * (1 + p)))
    pair = pair_time_bin(Detection(eta, eta, eta * p, eta * p), idler, idler)
    assert pair.fidelity == pytest.approx(0.5 * (1 + p) ** -6, rel=1e-5)
    assert pair.checked.fidelity == pytest.approx(1.0, rel=1e-5)


def brute_bins(early: Array, late: Array, factor: float = 1.0) -> Array:
    """Dual-rail block of E x L on the idlers A_e B_e A_l B_l, picked from the whole 16 x 16 matrix."""
    whole = np.kron(early, late).reshape((2,) * 8)
    rails = {0: (1, 0), 1: (0, 1)}  # qubit -> (early, late) numbers
    out = np.zeros((4, 4))
    for a in (0, 1):
        for b in (0, 1):
            for c in (0, 1):
                for d in (0, 1):
                    (ae, al), (be, bl) = rails[a], rails[b]
                    (ce, cl), (de, dl) = rails[c], rails[d]
                    out[2 * a + b, 2 * c + d] = whole[ae, be, al, bl, ce, de, cl, dl]
    out[1, 2] *= factor
    out[2, 1] *= factor
    return out


def lindblad(rate: float, dephasing: float, time: float, levels: int) -> Array:
    """Superoperator of one stored bosonic mode by its own master equation."""
    a = np.diag(np.sqrt(np.arange(1.0, levels)), 1)
    n = a.T @ a
    one = np.eye(levels)

    def dissipator(c: Array) -> Array:
        cc = c.T @ c
        return np.kron(c, c) - 0.5 * np.kron(cc, one) - 0.5 * np.kron(one, cc)

    whole = rate * dissipator(a) + dephasing * dissipator(n)
    return expm(whole * time)


def test_storage_is_the_master_equation_of_a_damped_and_dephased_mode() -> None:
    memory, t = Memory(100e-6, 80e-6), 30e-6
    kept = storage(memory, t)
    step = lindblad(1 / 100, 2 * (1 / 80 - 1 / 200), 30.0, 3)
    lone = np.zeros((3, 3))
    lone[1, 1] = 1
    assert kept.survival == pytest.approx((step @ lone.ravel()).reshape(3, 3)[1, 1], rel=1e-9)
    lone = np.zeros((3, 3))
    lone[0, 1] = 1
    left = (step @ lone.ravel()).reshape(3, 3)[0, 1]
    assert np.sqrt(kept.survival) * kept.coherence == pytest.approx(left, rel=1e-9)
    assert left == pytest.approx(np.exp(-t / 80e-6), rel=1e-9)


@pytest.mark.parametrize("resolving", [False, True])
def test_time_bins_of_unequal_arms_and_memories_are_the_brute_force_ones(resolving: bool) -> None:
    """Early and late idlers wait for different times; two white modes, partial overlap."""
    one, two = UNLIKE
    clocks = (Memory(100e-6, 80e-6), Memory(60e-6, 120e-6))
    times = (35e-6, 20e-6)
    stores = [tuple(storage(m, t) for m in clocks) for t in times]
    seen = seen_of(UNLIKE, dark=1e-3, overlap=0.9, noise_modes=2.0, resolving=resolving)
    pair = pair_time_bin(seen, one.idler, two.idler, 0.3, stores[0], stores[1])  # type: ignore[arg-type]
    found = []
    for t in times:
        survival = tuple(float(np.exp(-t / m.T1)) for m in clocks)
        coherence = tuple(float(np.exp(-t * (1 / m.T2 - 0.5 / m.T1))) for m in clocks)
        found.append(
            brute_click(
                one,
                two,
                0.9,
                True,
                0,
                1e-3,
                resolving,
                0.0,
                survival,  # type: ignore[arg-type]
                coherence,  # type: ignore[arg-type]
            )
        )
    (E, p_e), (L, p_l) = found
    state = 4 * brute_bins(E, L, float(np.exp(-(0.3**2) / 2)))
    np.testing.assert_allclose(pair.state, state, rtol=1e-6, atol=1e-6 * float(np.max(state)))
    assert pair.probability == pytest.approx(4 * p_e * p_l, rel=1e-6)


def test_waiting_after_the_click_is_the_master_equation_on_the_heralded_modes() -> None:
    """The idlers' whole bosonic state is heralded first and damped afterwards, level by level."""
    p, eta, levels = 0.15, 0.3, 9
    weights = np.sqrt((p / (1 + p)) ** np.arange(levels) / (1 + p))
    loss = channel(eta, 0.0, levels, levels)
    u = splitter(np.pi / 4, levels).reshape(-1, levels * levels)
    zero, all_ = np.eye(1, 2 * levels - 1)[0], np.ones(2 * levels - 1)
    click = sum(
        f * (u.T * np.outer(g, zero).ravel()) @ u for f, g in ((1.0, all_), (-1.0, zero))
    ).reshape((levels,) * 4)
    # through the loss in the Heisenberg picture, per arm
    click = np.einsum("pqab,apnm->mqnb", click, loss, optimize=True)
    click = np.einsum("mqnb,bqkl->mlnk", click, loss, optimize=True)
    # n, k: kets of A, B; the idlers repeat the numbers
    rho = np.einsum("mlnk,n,k,m,l->nkml", click, weights, weights, weights, weights)
    kept = []
    for memory, t in ((Memory(100e-6, 80e-6), 30e-6), (Memory(60e-6, 120e-6), 30e-6)):
        kept.append(storage(memory, t))
        rate, pure = t / memory.T1, t * (1 / memory.T2 - 0.5 / memory.T1)
        step = lindblad(rate, 2 * pure, 1.0, levels).reshape((levels,) * 4)
        side = "abnm,nkml->akbl" if len(kept) == 1 else "abkl,nkml->namb"
        rho = np.einsum(side, step, rho, optimize=True)
    idler = Idler(p, np.sqrt(p * (1 + p)))
    pair = pair_click(Detection(eta, eta, eta * p, eta * p), idler, idler, 0.0, (kept[0], kept[1]))
    brute = 2 * rho[:2, :2, :2, :2].reshape(4, 4)
    np.testing.assert_allclose(pair.state, brute, rtol=1e-5, atol=1e-7)


# --- rounds with afterpulses ---------------------------------------------------------------------------


def test_an_afterpulse_is_a_dark_count_of_the_second_round_alone() -> None:
    """Four emission histories, written out: no noise, one photon at most per round and node."""
    tau, dark, after, M = (0.5, 0.3), 1e-2, 0.05, 0.9
    seen = Detection(*tau, overlap=M, dark=dark)
    pair = two_click(seen, 0.2, afterpulse=after)

    def elements(p: float) -> Array:
        a, b = tau
        one = [1.0, 1 - b, 1 - a]  # no photon reaches the station from 00, 01, 10
        X = np.zeros((4, 4))
        X[0, 0] = (1 - p) * p
        X[1, 1] = (1 - p) * (b / 2 + p * one[1])
        X[2, 2] = (1 - p) * (a / 2 + p * one[2])
        lost = (1 - a) * (1 - b)
        single = (a * (1 - b) + b * (1 - a)) / 2
        both = a * b * (1 + M**2) / 4
        X[3, 3] = (1 - p) * (single + both + p * lost)
        X[1, 2] = X[2, 1] = (1 - p) * M * np.sqrt(a * b) / 2
        return X

    first, second = elements(dark), elements(1 - (1 - dark) * (1 - after))
    state = 4 * second * (first / 4)[::-1, ::-1]
    state[1, 2] *= np.exp(-0.02)
    state[2, 1] *= np.exp(-0.02)
    np.testing.assert_allclose(pair.state, state, rtol=1e-12, atol=1e-15)
    calm = two_click(seen, 0.2)
    assert pair.probability > calm.probability
    assert pair.fidelity < calm.fidelity


def test_an_afterpulse_alone_heralds_nothing() -> None:
    """Without any first click there is nothing that an afterpulse could follow."""
    assert two_click(Detection(0.0, 0.0), afterpulse=0.3).probability == 0


def test_resolving_detectors_know_two_photons_from_one_in_two_rounds() -> None:
    """Barrett and Kok's own case: no double click is possible, so counting changes nothing."""
    seen = Detection(0.3, 0.3, overlap=0.95)
    plain, counted = two_click(seen), two_click(replace(seen, resolving=True))
    np.testing.assert_allclose(plain.state, counted.state, atol=1e-15)


# --- depolarising --------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_depolarising_has_the_average_fidelity_it_states(side: int, p: float) -> None:
    """Average over the six Pauli eigenstates, a 2-design; the other qubit is a bystander."""
    states = [
        np.array(v, dtype=complex) / np.linalg.norm(v)
        for v in ([1, 0], [0, 1], [1, 1], [1, -1], [1, 1j], [1, -1j])
    ]
    other = np.array([[0.7, 0.2 - 0.1j], [0.2 + 0.1j, 0.3]])
    found = []
    for v in states:
        rho = np.outer(v, v.conj())
        pair = np.kron(rho, other) if side == 0 else np.kron(other, rho)
        out = depolarised(pair, side, p).reshape(2, 2, 2, 2)
        mine = np.einsum("abcb->ac" if side == 0 else "abac->bc", out)
        rest = np.einsum("abac->bc" if side == 0 else "abcb->ac", out)
        np.testing.assert_allclose(rest, other, atol=1e-15)
        found.append((v.conj() @ mine @ v).real)
    assert np.mean(found) == pytest.approx(1 - p / 2, rel=1e-12)


@pytest.mark.parametrize("side", [0, 1])
def test_depolarising_is_four_equal_pauli_kicks(side: int) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(3, 4, 4)) + 1j * rng.normal(size=(3, 4, 4))
    rho = x @ np.swapaxes(x.conj(), -1, -2)
    paulis = [
        np.eye(2),
        np.array([[0, 1], [1, 0]]),
        np.array([[0, -1j], [1j, 0]]),
        np.diag([1, -1]),
    ]
    kicks = [np.kron(s, np.eye(2)) if side == 0 else np.kron(np.eye(2), s) for s in paulis]
    p = 0.37
    brute = (1 - p) * rho + p / 4 * sum(k @ rho @ k.conj().T for k in kicks)
    np.testing.assert_allclose(depolarised(rho, side, p), brute, atol=1e-12)
    with pytest.raises(ParameterError, match=r"probability \[1\].*got 1\.2"):
        depolarised(rho, side, 1.2)


# --- whatever the numbers ------------------------------------------------------------------------------

sources = st.tuples(
    st.floats(0.0, 1.0),  # pairs
    st.floats(0.0, 1.0),  # transmission to the detector
    st.floats(0.0, 0.3),  # noise on the idler
    st.floats(0.0, 0.3),  # noise on the signal
    st.floats(0.1, 1.0),  # capture
)


def built(source: tuple[float, float, float, float, float]) -> tuple[float, float, Idler]:
    p, tau, n_i, n_s, capture = source
    return tau, tau * p + n_s, Idler(p + n_i, np.sqrt(p * (1 + p)), capture)


@given(
    one=sources,
    two=sources,
    overlap=st.floats(0.0, 1.0),
    modes=st.floats(2.0, 5.0),
    dark=st.floats(0.0, 0.3),
    resolving=st.booleans(),
    bins=st.booleans(),
    sigma=st.floats(0.0, 2.0),
)
def test_every_herald_is_a_state_with_a_probability(
    one: tuple[float, float, float, float, float],
    two: tuple[float, float, float, float, float],
    overlap: float,
    modes: float,
    dark: float,
    resolving: bool,
    bins: bool,
    sigma: float,
) -> None:
    (t_a, n_a, i_a), (t_b, n_b, i_b) = built(one), built(two)
    seen = Detection(t_a, t_b, n_a, n_b, overlap, modes, dark, resolving)
    act = pair_time_bin if bins else pair_click
    pair = act(seen, i_a, i_b, sigma)
    assert -1e-12 <= pair.probability <= 1 + 1e-9
    assert np.all(np.asarray(pair.beyond) >= 0)
    assert np.min(np.linalg.eigvalsh(pair.state)) >= -1e-9 * max(1e-3, float(pair.probability))
    if pair.probability > 1e-12:
        assert -1e-9 <= pair.fidelity <= 1 + 1e-9
        assert -1e-9 <= pair.kept <= 1 + 1e-9
        if pair.inside > 1e-12:
            assert pair.fidelity <= pair.checked.fidelity + 1e-9


@given(
    one=sources,
    two=sources,
    overlap=st.floats(0.0, 1.0),
    modes=st.floats(1.0, 5.0),
    resolving=st.booleans(),
    bins=st.booleans(),
)
def test_exchanging_the_arms_exchanges_the_qubits(
    one: tuple[float, float, float, float, float],
    two: tuple[float, float, float, float, float],
    overlap: float,
    modes: float,
    resolving: bool,
    bins: bool,
) -> None:
    (t_a, n_a, i_a), (t_b, n_b, i_b) = built(one), built(two)
    act = pair_time_bin if bins else pair_click
    ahead = act(Detection(t_a, t_b, n_a, n_b, overlap, modes, 1e-3, resolving), i_a, i_b)
    back = act(Detection(t_b, t_a, n_b, n_a, overlap, modes, 1e-3, resolving), i_b, i_a)
    order = [0, 2, 1, 3]
    np.testing.assert_allclose(back.state[np.ix_(order, order)], ahead.state, rtol=1e-7, atol=1e-12)
    assert back.probability == pytest.approx(float(ahead.probability), rel=1e-7, abs=1e-12)


@pytest.mark.parametrize("resolving", [False, True])
@pytest.mark.parametrize(
    ("tau", "pairs", "overlap"), [(1.0, (1.0, 1.0), 0.0), (0.5, (0.1, 0.01), 0.9)]
)
def test_one_noise_mode_and_a_partial_overlap_leave_no_negative_population(
    resolving: bool, tau: float, pairs: tuple[float, float], overlap: float
) -> None:
    """K = 1 with two temporal modes: a spare mode is taken away, the state must stay one."""
    idlers = [Idler(p, np.sqrt(p * (1 + p))) for p in pairs]
    seen = Detection(tau, tau, tau * pairs[0], tau * pairs[1], overlap, 1.0, 0.0, resolving)
    pair = pair_click(seen, *idlers)
    assert np.min(np.linalg.eigvalsh(pair.state)) >= -1e-12 * pair.probability


@given(tau=st.floats(0.0, 1.0), overlap=st.floats(0.0, 1.0), resolving=st.booleans())
def test_nothing_heralds_without_squeezing_and_noise(
    tau: float, overlap: float, resolving: bool
) -> None:
    empty = Idler(0.0, 0.0)
    seen = Detection(tau, 0.5 * tau, overlap=overlap, resolving=resolving)
    assert pair_click(seen, empty, empty).probability == 0
    assert pair_time_bin(seen, empty, empty).probability == 0


@given(
    survival=st.floats(0.01, 1.0),
    one=sources,
    two=sources,
    resolving=st.booleans(),
)
def test_waiting_never_changes_how_often_it_clicks(
    survival: float,
    one: tuple[float, float, float, float, float],
    two: tuple[float, float, float, float, float],
    resolving: bool,
) -> None:
    (t_a, n_a, i_a), (t_b, n_b, i_b) = built(one), built(two)
    seen = Detection(t_a, t_b, n_a, n_b, resolving=resolving)
    kept = (Storage(survival, 0.5), Storage(1.0, 0.9))
    now, later = pair_click(seen, i_a, i_b), pair_click(seen, i_a, i_b, 0.0, kept)
    assert later.probability == pytest.approx(float(now.probability), rel=1e-7, abs=1e-12)


def test_waiting_is_a_smaller_capture() -> None:
    one, two = UNLIKE
    seen = seen_of(UNLIKE, overlap=0.9, noise_modes=2.0)
    waited = pair_click(seen, one.idler, two.idler, 0.0, (Storage(0.6), Storage(0.8)))
    caught = pair_click(
        seen, replace(one.idler, capture=0.85 * 0.6), replace(two.idler, capture=0.6 * 0.8)
    )
    np.testing.assert_allclose(waited.state, caught.state, rtol=1e-12)


# --- arrays and refusals -------------------------------------------------------------------------------


@pytest.mark.parametrize("act", [pair_click, pair_time_bin])
@pytest.mark.parametrize("resolving", [False, True])
def test_a_batch_is_its_points(act: object, resolving: bool) -> None:
    n_s, n_i, m = seeded(np.array([0.02, 0.05, 0.2]), 0.03)
    tau = np.array([[0.1], [0.4]])
    survival = np.array([0.9, 0.7, 0.5])
    sigma = np.array([[0.1], [0.5]])
    kept = (Storage(survival, 0.9), Storage())
    more = {} if act is pair_click else {"late": kept}
    whole = act(  # type: ignore[operator]
        Detection(tau, 0.2, tau * n_s, 0.2 * n_s, resolving=resolving),
        Idler(n_i, m, 0.8),
        Idler(n_i, m),
        sigma,
        kept,
        **more,
    )
    assert whole.state.shape == (2, 3, 4, 4)
    assert whole.probability.shape == (2, 3)
    for i in range(2):
        for j in range(3):
            t, s = float(tau[i, 0]), Storage(float(survival[j]), 0.9)
            more = {} if act is pair_click else {"late": (s, Storage())}
            point = act(  # type: ignore[operator]
                Detection(t, 0.2, t * n_s[j], 0.2 * n_s[j], resolving=resolving),
                Idler(n_i[j], m[j], 0.8),
                Idler(n_i[j], m[j]),
                float(sigma[i, 0]),
                (s, Storage()),
                **more,
            )
            np.testing.assert_allclose(whole.state[i, j], point.state, rtol=1e-9, atol=1e-15)
            assert whole.probability[i, j] == pytest.approx(float(point.probability))


def test_batches_of_waiting_times_alone_are_their_points() -> None:
    idler = Idler(0.05, np.sqrt(0.05 * 1.05))
    seen = Detection(0.2, 0.2, 0.01, 0.01)
    times = np.array([0.0, 10e-6, 30e-6])
    kept = storage(Memory(100e-6, 80e-6), times)
    pair = pair_click(seen, idler, idler, 0.0, (kept, kept))
    assert pair.fidelity.shape == (3,)
    assert np.all(np.diff(pair.fidelity) < 0)
    bins = pair_time_bin(seen, idler, idler, 0.0, (kept, Storage()), (Storage(), kept))
    assert bins.state.shape == (3, 4, 4)


def test_refusals_name_quantity_value_and_range() -> None:
    with pytest.raises(ParameterError, match=r"Idler\.quanta \[quanta\].*>= 0.*got -0\.1"):
        Idler(-0.1, 0.0)
    with pytest.raises(ParameterError, match=r"Idler\.cross \[quanta\].*>= 0.*got -1"):
        Idler(0.1, -1.0)
    with pytest.raises(ParameterError, match=r"Idler\.capture \[1\].*> 0 and <= 1.*got 0"):
        Idler(0.1, 0.1, 0.0)
    with pytest.raises(ParameterError, match=r"Storage\.survival \[1\].*got 1\.1"):
        Storage(1.1)
    with pytest.raises(ParameterError, match=r"time \[s\].*>= 0.*got -1"):
        storage(Memory(1.0, 1.0), -1.0)
    with pytest.raises(ParameterError, match=r"phase_rms \[rad\].*got -0\.1"):
        pair_click(Detection(0.1, 0.1), Idler(0.1, 0.1), Idler(0.1, 0.1), -0.1)
    with pytest.raises(ParameterError, match=r"afterpulse \[1\].*< 1.*got 1"):
        two_click(Detection(0.1, 0.1), afterpulse=1.0)
    with pytest.raises(ParameterError, match="no quantum state"):
        pair_click(Detection(0.5, 0.5, 0.05, 0.05), Idler(0.1, 0.9), Idler(0.1, 0.1))
    with pytest.raises(ParameterError, match="pump both transducers blue"):
        require_idlers(Idler(0.1, 0.1), None)


def test_schemes_know_what_they_are() -> None:
    pairs = {s for s in Scheme if s.pairs}
    assert pairs == {Scheme.PAIR_CLICK, Scheme.PAIR_TIME_BIN}
    assert {s: s.rounds for s in pairs} == {Scheme.PAIR_CLICK: 1, Scheme.PAIR_TIME_BIN: 2}
    assert [s for s in Scheme if s.flips] == [Scheme.TWO_CLICK]


def test_a_memory_wait_between_rounds_acts_before_the_flip() -> None:
    """Who emitted first decays while it is still in its bright state."""
    seen, memory, gap = Detection(0.3, 0.3), Memory(100e-6, 100e-6), 20e-6
    pair = two_click(seen, 0.0, (memory, Memory(1.0, 1.0)), gap)
    wait = [qubit_channel(memory, gap), QubitChannel(np.exp(-gap), np.exp(-gap))]
    alone = single_click(seen, 0.5, 0.5).state / 2
    decayed = decay(alone, wait[0], wait[1])[::-1, ::-1]
    factor = 4 * 2 * single_click(seen, 0.5, 0.5).state  # 4 x click elements
    np.testing.assert_allclose(pair.state, decayed * factor, rtol=1e-12, atol=1e-15)
