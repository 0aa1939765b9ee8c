"""Entanglement without a station against QuTiP: beam splitters with thermal environments, no formula shared."""

from functools import cache

import numpy as np
import pytest
import qutip as qt
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cavities import ParameterError
from cavities.fock import dual_rail, thermal_loss_elements
from cavities.gaussian import GaussianChannel, GaussianState
from fibre.one_way import Squeezed, direct_dual_rail, direct_single_rail, shared_dual_rail
from fibre.pair_herald import Storage

Array = NDArray[np.float64]
TOP = 12  # levels of signal and environment


@cache
def _splitter(tau: float, top: int) -> qt.Qobj:
    """Cut from a larger space, so that low numbers do not see the edge."""
    a = qt.tensor(qt.destroy(top), qt.qeye(top))
    b = qt.tensor(qt.qeye(top), qt.destroy(top))
    return (float(np.arccos(np.sqrt(tau))) * (a.dag() * b - a * b.dag())).expm()


def loss(rho: qt.Qobj, tau: float, noise: float, top: int = TOP) -> qt.Qobj:
    """One mode on a beam splitter of transmission tau with N/(1-tau) thermal quanta."""
    if tau == 1 and noise == 0:
        return rho
    n = np.arange(top)
    mean = noise / (1 - tau)
    hot = qt.Qobj(np.diag((mean / (1 + mean)) ** n / (1 + mean)) if mean else np.diag(n == 0) * 1.0)
    u = _splitter(tau, top)
    return (u * qt.tensor(rho, hot) * u.dag()).ptrace(0)


def ket_bra(i: int, j: int, top: int = TOP) -> qt.Qobj:
    return qt.basis(top, i) * qt.basis(top, j).dag()


def _map(tau: float, noise: float, i: int, j: int) -> Array:
    """What becomes of |i><j|, from states only: coherences by polarisation."""
    if i == j:
        return loss(ket_bra(i, i), tau, noise).full()
    plus = (qt.basis(TOP, i) + qt.basis(TOP, j)).unit()
    turned = (qt.basis(TOP, i) + 1j * qt.basis(TOP, j)).unit()
    even = (ket_bra(i, i) + ket_bra(j, j)) / 2
    real = loss(plus * plus.dag(), tau, noise).full()
    imag = loss(turned * turned.dag(), tau, noise).full()
    mid = loss(even, tau, noise).full()
    return (real - mid) + 1j * (imag - mid)  # |i><j|


# --- L12: elements --------------------------------------------------------------------------------------


def test_elements_give_the_worked_numbers_of_l12() -> None:
    _, _, p01, _, c = thermal_loss_elements(0.4, 0.1)
    assert p01 == pytest.approx(0.5785123967, rel=1e-9)
    assert c == pytest.approx(0.5226905223, rel=1e-9)
    pair = direct_dual_rail(0.4, 0.1)
    assert pair.checked.fidelity == pytest.approx(0.8055555556, rel=1e-9)
    assert dual_rail(0.4, 0.1).fidelity == pytest.approx(0.8055555556, rel=1e-9)
    assert dual_rail(0.4, 0.1).probability == pytest.approx(float(pair.kept), rel=1e-12)


@pytest.mark.parametrize(("tau", "noise"), [(0.4, 0.1), (0.9, 0.01), (0.05, 0.2), (0.6, 0.0)])
def test_elements_are_those_of_a_beam_splitter_with_a_thermal_environment(
    tau: float, noise: float
) -> None:
    p00, p10, p01, p11, c = thermal_loss_elements(tau, noise)
    none, one, cross = (_map(tau, noise, *ij) for ij in ((0, 0), (1, 1), (1, 0)))
    assert p00 == pytest.approx(none[0, 0].real, abs=1e-6)
    assert p10 == pytest.approx(none[1, 1].real, abs=1e-6)
    assert p01 == pytest.approx(one[0, 0].real, abs=1e-6)
    assert p11 == pytest.approx(one[1, 1].real, abs=1e-6)
    assert c == pytest.approx(cross[1, 0], abs=1e-6)


@given(
    tau=st.floats(0.0, 1.0),
    share=st.floats(0.0, 1.0),
    noise=st.floats(0.0, 1.0),
)
def test_two_losses_in_a_row_are_one_on_the_vacuum_and_never_beat_it(
    tau: float, share: float, noise: float
) -> None:
    """Behind a further cold loss: tau -> s tau, N -> s N; P(0|0) follows Bose statistics."""
    p00, p10, p01, p11, c = thermal_loss_elements(share * tau, share * noise)
    assert p00 == pytest.approx(1 / (1 + share * noise))
    for p in (p00, p10, p01, p11):
        assert 0 <= p <= 1
    assert p00 + p10 <= 1 + 1e-12
    assert p01 + p11 <= 1 + 1e-12
    assert c <= np.sqrt(p00 * p11) + 1e-12


# --- half of a Bell pair ----------------------------------------------------------------------------------


def _bell_with_b(tau: float, noise: float) -> Array:
    """(|0>|0> + |1>|1>)/sqrt2 with B lost in thermal light, whole Fock space of B."""
    out = np.zeros((2, TOP, 2, TOP), dtype=complex)
    for i in (0, 1):
        for j in (0, 1):
            out[i, :, j, :] = 0.5 * _map(tau, noise, i, j)
    return out


@pytest.mark.parametrize(("tau", "noise"), [(0.4, 0.1), (0.8, 0.02)])
def test_a_single_rail_is_the_brute_force_one(tau: float, noise: float) -> None:
    pair = direct_single_rail(tau, noise)
    whole = _bell_with_b(tau, noise)[:, :2, :, :2][:, ::-1, :, ::-1]
    np.testing.assert_allclose(pair.state, whole.reshape(4, 4), atol=1e-6)
    assert pair.probability == pytest.approx(1.0)
    assert pair.beyond == pytest.approx(1 - np.einsum("abab->", whole).real, abs=1e-6)


def _dual(
    tau: tuple[float, float], noise: tuple[float, float], kept: tuple[float, float] = (1.0, 1.0)
) -> Array:
    """(|0>|10> + |1>|01>)/sqrt2 through both rails, then (survival, coherence) of each; B flipped."""
    survival, coherence = kept
    rail = []
    for t, n in zip(tau, noise, strict=True):
        maps = {}
        for ij in ((0, 0), (0, 1), (1, 0), (1, 1)):
            out = qt.Qobj(_map(t, n, *ij))
            if survival < 1:  # a map: real and imaginary parts are sent one by one
                out = _linear_loss(out, survival)
            maps[ij] = out.full()[:2, :2] * np.array([[1, coherence], [coherence, 1]])
        rail.append(maps)
    out = np.zeros((4, 4), dtype=complex)
    for a in (0, 1):
        for b in (0, 1):
            # early rail holds 1 - qubit, late rail holds qubit
            joint = np.kron(rail[0][1 - a, 1 - b], rail[1][a, b]).reshape(2, 2, 2, 2) / 2
            for x in (0, 1):
                for y in (0, 1):
                    # B's qubit x: (early, late) = (1 - x, x), then flipped
                    out[2 * a + 1 - x, 2 * b + 1 - y] = joint[1 - x, x, 1 - y, y]
    return out


def _linear_loss(op: qt.Qobj, tau: float) -> qt.Qobj:
    cold = ket_bra(0, 0)
    u = _splitter(tau, TOP)
    return (u * qt.tensor(op, cold) * u.dag()).ptrace(0)


@pytest.mark.parametrize(("tau", "noise"), [(0.4, 0.1), (0.8, 0.02), (0.1, 0.0)])
def test_a_dual_rail_is_the_brute_force_one(tau: float, noise: float) -> None:
    pair = direct_dual_rail(tau, noise)
    np.testing.assert_allclose(pair.state, _dual((tau, tau), (noise, noise)), atol=1e-6)
    assert pair.probability == pytest.approx(1.0)


def test_dephasing_of_both_rails_takes_its_square_from_the_coherence() -> None:
    pair = direct_dual_rail(0.4, 0.1, Storage(1.0, 0.8))
    brute = _dual((0.4, 0.4), (0.1, 0.1), (1.0, 0.8))
    np.testing.assert_allclose(pair.state, brute, atol=1e-6)


def test_waiting_loses_quanta_from_both_rails_without_noise() -> None:
    pair = direct_dual_rail(0.4, 0.0, Storage(0.5, 0.9))
    np.testing.assert_allclose(pair.state, _dual((0.4, 0.4), (0.0, 0.0), (0.5, 0.9)), atol=1e-6)


def test_waiting_loses_quanta_from_both_rails_with_noise() -> None:
    """Two quanta, one of them lost, pass the check as well: the answer is not survival times."""
    pair = direct_dual_rail(0.4, 0.1, Storage(0.5, 0.9))
    brute = _dual((0.4, 0.4), (0.1, 0.1), (0.5, 0.9))
    np.testing.assert_allclose(pair.state, brute, atol=1e-6)


@given(
    tau=st.floats(0.01, 1.0),
    noise=st.floats(0.0, 0.5),
    survival=st.floats(0.05, 1.0),
)
def test_a_cold_loss_in_the_memory_is_a_cold_loss_on_the_way(
    tau: float, noise: float, survival: float
) -> None:
    late = direct_dual_rail(tau, noise, Storage(survival))
    on_the_way = direct_dual_rail(survival * tau, survival * noise)
    np.testing.assert_allclose(late.state, on_the_way.state, rtol=1e-9, atol=1e-15)


def test_a_batch_of_waiting_times_is_its_points() -> None:
    both = Storage(np.array([1.0, 0.5]), np.array([0.9, 0.8]))
    pair = direct_dual_rail(0.4, 0.0, both)
    assert pair.state.shape == (2, 4, 4)
    dephased = direct_dual_rail(0.4, 0.0, Storage(1.0, np.array([0.9, 0.8])))
    assert dephased.state.shape == (2, 4, 4)


def test_a_batch_of_transmissions_and_noises_is_its_points() -> None:
    tau, noise = np.array([[0.1], [0.9]]), np.array([0.0, 0.1, 0.3])
    for act in (direct_single_rail, direct_dual_rail):
        whole = act(tau, noise)
        assert whole.state.shape == (2, 3, 4, 4)
        for i in range(2):
            for j in range(3):
                point = act(float(tau[i, 0]), float(noise[j]))
                np.testing.assert_allclose(whole.state[i, j], point.state, rtol=1e-12)
                assert whole.beyond[i, j] == pytest.approx(float(point.beyond))  # type: ignore[index]


@given(tau=st.floats(0.0, 1.0), noise=st.floats(0.0, 2.0), rails=st.booleans())
def test_direct_pairs_are_states_of_probability_one(tau: float, noise: float, rails: bool) -> None:
    pair = (direct_dual_rail if rails else direct_single_rail)(tau, noise)
    assert pair.probability == pytest.approx(1.0, abs=1e-9)
    assert np.min(np.linalg.eigvalsh(pair.state)) >= -1e-12
    assert -1e-12 <= pair.fidelity <= 1 + 1e-12


@pytest.mark.parametrize("act", [direct_single_rail, direct_dual_rail])
def test_direct_pairs_refuse_what_is_no_loss(act: object) -> None:
    with pytest.raises(ParameterError, match=r"efficiency \[1\].*>= 0 and <= 1.*got 1\.2"):
        act(1.2, 0.0)  # type: ignore[operator]
    with pytest.raises(ParameterError, match=r"noise_out \[quanta\].*>= 0.*got -0\.1"):
        act(0.5, -0.1)  # type: ignore[operator]


# --- squeezed pairs ---------------------------------------------------------------------------------------

lossy = st.tuples(
    st.floats(0.001, 5.0),  # pairs
    st.floats(0.01, 1.0),
    st.floats(0.01, 1.0),
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
)


def gaussian(p: float, a: float, b: float, n: float, k: float) -> GaussianState:
    """The same by covariance matrices and channels."""
    state = GaussianState.two_mode_squeezed(float(np.arcsinh(np.sqrt(p))))
    for mode, (eta, noise) in enumerate(((a, n), (b, k))):
        state = GaussianChannel.of_converter(eta, noise).on(mode, 2).apply(state)
    return state


def bose(nu: float) -> float:
    n = max(0.0, nu - 0.5)
    return (n + 1) * np.log2(n + 1) - (n * np.log2(n) if n > 0 else 0.0)


@given(lossy)
def test_squeezed_figures_are_those_of_the_covariance_matrix(
    case: tuple[float, float, float, float, float],
) -> None:
    p, a, b, n, k = case
    pair = Squeezed.pure(p).through((a, b), (n, k))
    state = gaussian(*case)
    np.testing.assert_allclose(state.photons, [pair.first, pair.second], rtol=1e-9, atol=1e-9)
    assert pair.log_negativity == pytest.approx(state.log_negativity([0]), abs=1e-8)
    assert pair.separation == pytest.approx(state.epr_variance(), rel=1e-8)
    # with m > 0 no turn of the second mode does better than the one that is used
    turned = min(state.epr_variance(phase) for phase in np.linspace(0, 2 * np.pi, 17))
    assert pair.separation <= turned + 1e-9
    whole = sum(bose(nu) for nu in state.symplectic_eigenvalues())
    local = max(bose(float(m) + 0.5) for m in state.photons)
    assert pair.hashing == pytest.approx(max(0.0, local - whole), abs=1e-6)
    assert 0 <= pair.teleported_fidelity <= 1


def test_squeezed_gives_the_worked_numbers_of_l5() -> None:
    C, eta = 0.2, 0.7
    p = float(np.sinh(2 * np.arctanh(np.sqrt(C))) ** 2)
    pair = Squeezed.pure(p).through((eta, eta))
    assert pair.separation == pytest.approx(0.8042572473, rel=1e-9)
    assert pair.log_negativity == pytest.approx(1.314271064, rel=1e-9)
    r, thermal = 0.4, 0.2
    s, c = np.sinh(r) ** 2, np.cosh(r) ** 2
    hot = Squeezed(s * (1 + thermal), s + c * thermal, np.sqrt(s * c) * (1 + thermal))
    assert hot.through((0.3, 0.8)).log_negativity == pytest.approx(0.3239078108, rel=1e-9)


@pytest.mark.parametrize("C", [0.0, 0.06, 0.3, 0.9])
def test_teleporting_over_pure_squeezing_adds_its_squeezed_variance(C: float) -> None:
    r = 2 * np.arctanh(np.sqrt(C))
    pair = Squeezed.pure(np.sinh(r) ** 2)
    assert pair.teleported_noise == pytest.approx(np.exp(-2 * r), rel=1e-8)
    assert pair.teleported_noise == pytest.approx(
        ((1 - np.sqrt(C)) / (1 + np.sqrt(C))) ** 2, rel=1e-8
    )
    if C == 0.3:
        assert pair.teleported_noise == pytest.approx(0.08539326729, rel=1e-9)
    assert pair.teleported_fidelity == pytest.approx(1 / (1 + np.exp(-2 * r)), rel=1e-8)


def test_teleported_fidelity_is_that_of_an_average_over_homodyne_results() -> None:
    """Braunstein and Kimble: the output is the input plus the noise of the EPR sum and difference."""
    pair = Squeezed.pure(0.4).through((0.8, 0.6), (0.02, 0.1))
    v = gaussian(0.4, 0.8, 0.6, 0.02, 0.1).covariance
    x, p = np.array([-1.0, 0, 1, 0]), np.array([0, 1.0, 0, 1])
    vx, vp = 0.5 + x @ v @ x, 0.5 + p @ v @ p  # output variances of a coherent state
    assert pair.teleported_fidelity == pytest.approx(1 / np.sqrt((vx + 0.5) * (vp + 0.5)), rel=1e-9)


def test_vacuum_teleports_with_a_quantum_of_noise_and_is_not_entangled() -> None:
    nothing = Squeezed.pure(0.0)
    assert nothing.separation == pytest.approx(2.0)
    assert nothing.teleported_fidelity == pytest.approx(0.5)
    assert nothing.log_negativity == 0
    assert nothing.hashing == 0


@given(n=st.floats(0.0, 3.0), k=st.floats(0.0, 3.0), share=st.floats(0.0, 1.5))
def test_entangled_exactly_where_the_cross_moment_exceeds_the_mean(
    n: float, k: float, share: float
) -> None:
    m = share * np.sqrt(n * k)
    if m**2 > 0.999 * min(n * (k + 1), k * (n + 1)) or n * k < 1e-6:
        return
    pair = Squeezed(n, k, m)
    if share > 1 + 1e-6:
        assert pair.log_negativity > 0
    if share < 1:
        assert pair.log_negativity < 1e-9


def test_squeezed_accepts_exactly_what_the_uncertainty_relation_accepts() -> None:
    rng = np.random.default_rng(3)
    kept = refused = 0
    for _ in range(300):
        n, k = rng.uniform(0, 2, 2)
        m = rng.uniform(0, 1.5) * np.sqrt(min(n * (k + 1), k * (n + 1)))
        try:
            GaussianState.from_moments(n, k, m)
            physical = True
        except ParameterError:
            physical = False
        if physical:
            Squeezed(n, k, m)
            kept += 1
        else:
            with pytest.raises(ParameterError, match="no quantum state"):
                Squeezed(n, k, m)
            refused += 1
    assert min(kept, refused) > 50


def test_squeezed_refuses_in_sentences() -> None:
    with pytest.raises(ParameterError, match=r"Squeezed\.first \[quanta\].*>= 0.*got -0\.1"):
        Squeezed(-0.1, 0.0, 0.0)
    with pytest.raises(ParameterError, match=r"transmissions \[1\].*got 1\.1"):
        Squeezed.pure(0.1).through((1.1, 0.5))


@pytest.mark.parametrize("noises", [(-0.01, 0.0), (0.0, -0.01)])
def test_squeezed_refuses_negative_noise(noises: tuple[float, float]) -> None:
    """Hot light behind a loss of negative noise is no channel, even if the moments look like a state."""
    hot = Squeezed(0.5, 0.5, 0.1)
    with pytest.raises(ParameterError, match=r"noise.*\[quanta\].*>= 0.*got -0\.01"):
        hot.through((0.5, 0.5), noises)


def test_squeezed_batches_are_their_points() -> None:
    p, tau = np.array([0.1, 1.0]), np.array([[0.2], [0.9]])
    whole = Squeezed.pure(p).through((tau, 0.5), (0.01, 0.02))
    for name in ("separation", "log_negativity", "hashing", "teleported_fidelity"):
        found = getattr(whole, name)
        assert found.shape == (2, 2)
        for i in range(2):
            for j in range(2):
                one = Squeezed.pure(float(p[j])).through((float(tau[i, 0]), 0.5), (0.01, 0.02))
                assert found[i, j] == pytest.approx(float(getattr(one, name)), rel=1e-9)


# --- two bins from a source in the middle -------------------------------------------------------------------


def _shared_elements(
    p: float, tau: tuple[float, float], noise: tuple[float, float]
) -> NDArray[np.complex128]:
    """<ij|rho|kl>, i..l <= 1, of one bin: a Schmidt sum, each side lost by itself in QuTiP."""
    levels = 7
    weight = np.sqrt((p / (1 + p)) ** np.arange(levels) / (1 + p))
    sides = []
    for t, n in zip(tau, noise, strict=True):
        maps = {}
        for i in range(levels):
            for j in range(levels):
                maps[i, j] = _thermal_operator(i, j, t, n)
        sides.append(maps)
    out = np.zeros((2, 2, 2, 2), dtype=complex)
    for i in range(levels):
        for j in range(levels):
            out += weight[i] * weight[j] * np.einsum("ik,jl->ijkl", sides[0][i, j], sides[1][i, j])
    return out


@cache
def _thermal_unitary(tau: float, noise: float) -> Array:
    top = 18
    mean = noise / (1 - tau)
    n = np.arange(top)
    weights = (mean / (1 + mean)) ** n / (1 + mean)
    u = _splitter(tau, top).full().real.reshape((top,) * 4)  # out, env out, in, env in
    return u[:2] * np.sqrt(weights)


def _thermal_operator(i: int, j: int, tau: float, noise: float) -> Array:
    u = _thermal_unitary(tau, noise)
    return np.einsum("aek,bek->ab", u[:, :, i], u[:, :, j])


def test_two_bins_of_shared_light_are_the_brute_force_ones() -> None:
    p, tau, noise = 0.15, (0.7, 0.4), (0.02, 0.05)
    bin_ = Squeezed.pure(p).through(tau, noise)
    kept = (Storage(1.0, 0.9), Storage(1.0, 0.7))
    pair = shared_dual_rail(bin_, kept)
    one = _shared_elements(p, tau, noise)
    dephased = one.copy()
    for i, j, k, m in np.ndindex(2, 2, 2, 2):
        dephased[i, j, k, m] *= 0.9 ** abs(i - k) * 0.7 ** abs(j - m)
    whole = np.einsum("abcd,wxyz->abwxcdyz", dephased, dephased)  # A_e B_e A_l B_l
    brute = np.zeros((4, 4), dtype=complex)
    for a, b, c, d in np.ndindex(2, 2, 2, 2):
        # qubit 0 early: (early, late) = (1, 0); B is flipped
        index = (1 - a, b, a, 1 - b, 1 - c, d, c, 1 - d)
        brute[2 * a + b, 2 * c + d] = whole[index]
    np.testing.assert_allclose(pair.state, brute, atol=1e-7)
    assert pair.probability == pytest.approx(1.0)
    assert pair.kept == pytest.approx(np.trace(brute).real, rel=1e-5)


def test_shared_light_has_the_number_elements_of_l18() -> None:
    s, c = np.sinh(0.4) ** 2, np.cosh(0.4) ** 2
    bin_ = Squeezed(s * 1.2, s + c * 0.2, np.sqrt(s * c) * 1.2).through((0.3, 0.8))
    pair = shared_dual_rail(bin_)
    p00, p11, cross = 0.7495597654, 0.03009723479, 0.1466676049
    assert pair.state[1, 1].real == pytest.approx(p00 * p11, rel=1e-8)
    assert pair.state[1, 2].real == pytest.approx(cross**2, rel=1e-8)


def test_pure_shared_light_is_perfect_once_checked_and_half_kept_at_the_best_gain() -> None:
    p = np.array([0.01, 0.1, 0.5, 1.0, 3.0])
    pair = shared_dual_rail(Squeezed.pure(p))
    np.testing.assert_allclose(pair.checked.fidelity, 1.0, rtol=1e-9)
    np.testing.assert_allclose(pair.kept, 2 * p / (1 + p) ** 3, rtol=1e-9)


@given(lossy, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_shared_pairs_are_states_and_exchanging_the_sides_exchanges_the_qubits(
    case: tuple[float, float, float, float, float], one: float, two: float
) -> None:
    p, a, b, n, k = case
    ahead = shared_dual_rail(
        Squeezed.pure(p).through((a, b), (n, k)), (Storage(1.0, one), Storage(1.0, two))
    )
    back = shared_dual_rail(
        Squeezed.pure(p).through((b, a), (k, n)), (Storage(1.0, two), Storage(1.0, one))
    )
    order = [0, 2, 1, 3]
    np.testing.assert_allclose(back.state[np.ix_(order, order)], ahead.state, rtol=1e-9, atol=1e-15)
    assert np.min(np.linalg.eigvalsh(ahead.state)) >= -1e-12
    assert -1e-12 <= ahead.fidelity <= ahead.checked.fidelity + 1e-9 <= 1 + 1e-8


def test_batches_of_shared_light_are_their_points() -> None:
    p, held = np.array([0.1, 0.5]), np.array([[0.9], [0.5]])
    pair = shared_dual_rail(Squeezed.pure(p), (Storage(1.0, held), Storage()))
    assert pair.state.shape == (2, 2, 4, 4)
    assert pair.kept.shape == (2, 2)
