"""L4f,h, L10, L11, L12, L13d, L14, L22a: capacities, number states, packets and pair statistics, by brute force."""

import itertools
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
import qutip
from scipy.integrate import quad, solve_ivp
from scipy.linalg import expm, solve_continuous_lyapunov

from cavities import GaussianChannel, GaussianState, Mode, ParameterError, Sideband, ValidityError
from cavities.capacity import (
    adaptive_noise,
    breaks_entanglement,
    capacity_rate,
    coherent_state_fidelity,
    pure_loss_bound,
    pure_loss_capacity,
    teleported_noise,
    thermal_entropy,
    thermal_loss_bounds,
)
from cavities.fock import dual_rail, photon_added_thermal, through_converter
from cavities.wavepackets import TemporalMode, overlap, through_filter
from tests import brute
from tests.conftest import pumped
from transducer import ElectroOptic, pulsed
from transducer.linear import LinearDevice, langevin
from transducer.network import Coupling, Door, Mixing, Network, Resonance
from transducer.solvers import scattering, steady

TWO_PI = 2 * np.pi


# --- L11: capacities ----------------------------------------------------------------------------------


def test_l11c_the_two_way_bound_of_a_pure_loss_is_its_series() -> None:
    assert pure_loss_bound(0.01) == pytest.approx(0.0144995697, rel=1e-9)  # worked number
    with mpmath.workdps(50):
        for eta in ("1e-12", "0.01", "0.37", "0.93"):
            x = mpmath.mpf(eta)
            series = mpmath.nsum(lambda k, x=x: x**k / k, [1, mpmath.inf]) / mpmath.log(2)
            assert float(pure_loss_bound(float(x))) == pytest.approx(float(series), rel=1e-14)
    assert pure_loss_bound(1.0) == np.inf


def coherent_information(V: np.ndarray) -> float:
    """S(B) - S(AB) of a two-mode Gaussian state, vacuum 1/2, from symplectic eigenvalues of the test's own."""

    def entropy(cov: np.ndarray) -> float:
        n = len(cov) // 2
        J = np.kron(np.eye(n), [[0, 1], [-1, 0]])
        nu = np.sort(np.abs(np.linalg.eigvals(J @ cov)))[::2]
        nu = np.maximum(nu, 0.5 + 1e-15)
        return float(np.sum((nu + 0.5) * np.log2(nu + 0.5) - (nu - 0.5) * np.log2(nu - 0.5)))

    return entropy(V[2:, 2:]) - entropy(V)


def half_sent(N: float, eta: float, noise: float) -> np.ndarray:
    """Half of a two-mode squeezed vacuum of N photons through a converter: covariance by hand."""
    c = np.sqrt(eta * N * (N + 1)) * np.diag([1.0, -1.0])
    out = eta * N + noise + 0.5
    return np.block([[(N + 0.5) * np.eye(2), c], [c.T, out * np.eye(2)]])


@pytest.mark.parametrize("eta", [0.55, 0.7, 0.95])
def test_l11_unassisted_capacity_is_the_coherent_information_of_strong_squeezing(
    eta: float,
) -> None:
    # the difference to infinite squeezing is about 1/(N (1 - eta)): 7e-4; rounding grows with N
    found = coherent_information(half_sent(3e4, eta, 0.0))
    assert float(pure_loss_capacity(eta)) == pytest.approx(found, abs=7e-4)
    assert float(pure_loss_capacity(1 - eta)) == 0.0
    noise = 0.3 * (1 - eta)
    lower, _ = thermal_loss_bounds(eta, noise)
    assert float(lower) == pytest.approx(
        max(0.0, coherent_information(half_sent(3e4, eta, noise))), abs=2e-3
    )


def test_l11_the_bounds_of_a_noisy_loss_are_ordered_and_vanish_when_it_breaks_entanglement() -> (
    None
):
    eta, share = np.meshgrid(np.linspace(0.02, 0.98, 49), np.linspace(0.0, 1.4, 57))
    noise = share * eta  # input-referred: share
    lower, upper = thermal_loss_bounds(eta, noise)
    assert np.all(lower <= upper + 1e-12)
    assert np.all(upper >= 0)
    assert np.all(upper[share >= 1] == 0)
    inside = share < 0.95
    assert np.all(upper[inside] > 0)
    # no noise: both are those of a pure loss
    assert lower[0] == pytest.approx(np.maximum(0, np.log2(eta[0] / (1 - eta[0]))), abs=1e-12)
    assert upper[0] == pytest.approx(-np.log2(1 - eta[0]), abs=1e-12)
    # the upper bound falls with noise all the way: no jump at the entanglement-breaking point
    assert np.all(np.diff(upper, axis=0) <= 1e-12)
    with mpmath.workdps(50):
        e, n = mpmath.mpf("0.73"), mpmath.mpf("0.11") / mpmath.mpf("0.27")
        g = (n + 1) * mpmath.log(n + 1, 2) - n * mpmath.log(n, 2)
        theirs = -mpmath.log((1 - e) * e**n, 2) - g
    assert float(thermal_loss_bounds(0.73, 0.11)[1]) == pytest.approx(float(theirs), rel=1e-13)


def test_l11_entropy_of_a_thermal_mode_is_that_of_its_number_distribution() -> None:
    for n in (0.0, 1e-3, 0.4, 3.0):
        p = brute.thermal_weights(n, 600)
        p = p[p > 1e-300]
        assert float(thermal_entropy(n)) == pytest.approx(-np.sum(p * np.log2(p)), abs=1e-12)


@pytest.mark.parametrize("eta", [0.1, 0.3, 0.8, 1.0, 1.4, 3.0])
def test_l11e_one_quantum_at_the_input_is_where_strong_squeezing_loses_its_entanglement(
    eta: float,
) -> None:
    """Loss and gain alike: symplectic eigenvalue of the partial transpose, by hand and by the toolkit."""
    pair = GaussianState.two_mode_squeezed(float(np.arcsinh(np.sqrt(50.0))))
    for referred in (0.97, 1.0, 1.03):
        noise = referred * eta
        if noise < eta - 1:
            continue
        V = half_sent(50.0, eta, noise)
        flip = np.diag([1.0, 1.0, 1.0, -1.0])
        J = np.kron(np.eye(2), [[0, 1], [-1, 0]])
        nu = np.min(np.abs(np.linalg.eigvals(J @ flip @ V @ flip)))
        out = GaussianChannel.of_converter(eta, noise).on(1, 2).apply(pair)
        assert out.covariance == pytest.approx(V, abs=1e-9)
        assert out.log_negativity([0]) == pytest.approx(max(0.0, -np.log2(2 * nu)), abs=1e-9)
        assert bool(breaks_entanglement(noise / eta * (1 + 1e-12))) == (2 * nu >= 1 - 1e-6)
        if referred == 1.0:
            assert 2 * nu == pytest.approx(1.0, abs=1e-9)  # worked number


def test_l11_coherent_states_through_unit_gain_have_one_over_one_plus_n() -> None:
    """Overlap of a displaced thermal state with the coherent state, in number states."""
    for N in (0.0, 0.3, 1.0):
        found = float(coherent_state_fidelity(N))
        alpha = 0.8 - 0.5j
        d = 60
        vacuum = qutip.coherent(d, alpha)
        out = qutip.displace(d, alpha) * qutip.thermal_dm(d, N) * qutip.displace(d, alpha).dag()
        assert found == pytest.approx(qutip.expect(out, vacuum), abs=1e-6)
    assert float(coherent_state_fidelity(0.5)) == pytest.approx(2 / 3)
    assert float(coherent_state_fidelity(1.0)) == pytest.approx(1 / 2)


def chain(couplings: list[float], ends: tuple[float, float]) -> LinearDevice:
    """Resonators in a row, a guide at each end."""
    n = len(couplings) + 1
    names = [f"r{k}" for k in range(n)]
    return langevin(
        Network(
            tuple(Resonance(name) for name in names),
            (Door.of("in", names[0], ends[0], 0.0), Door.of("out", names[-1], ends[1], 0.0)),
            tuple(
                Coupling(names[k], names[k + 1], Mixing.EXCHANGE, g)
                for k, g in enumerate(couplings)
            ),
        )
    )


def lost(device: LinearDevice) -> Callable[[np.ndarray], np.ndarray]:
    def loss(w: np.ndarray) -> np.ndarray:
        return np.abs(scattering.scatter(device, w)[..., 0, 0]) ** 2

    return loss


def test_l11g_a_matched_lossless_pair_carries_two_root_two_kappa_over_pi_ln_two() -> None:
    pair = chain([0.5], (1.0, 1.0))
    Q = capacity_rate(lost(pair), 1.0)
    assert pytest.approx(1.298881885, rel=1e-7) == Q  # worked number; its quadrature gave ...878
    # by hand: 1 - eta = x^4/(1 + x^4) at C = 1, x = sqrt2 w
    by_hand = quad(lambda x: np.log2(x**-4.0), 0, 1)[0] * 2 / np.sqrt(2) / TWO_PI
    assert pytest.approx(by_hand, rel=1e-7) == Q
    # in other units the rate scales with kappa, whatever scale the integral is told
    faster = chain([0.5e6], (1e6, 1e6))
    assert capacity_rate(lost(faster), 3e5) == pytest.approx(1e6 * by_hand, rel=1e-6)


def butterworth(n: int, w_c: float) -> tuple[list[float], float]:
    """Couplings and end rates of a Butterworth chain, from its low-pass prototype."""
    p = [2 * np.sin((2 * k - 1) * np.pi / (2 * n)) for k in range(1, n + 1)]
    return [w_c / np.sqrt(p[k] * p[k + 1]) for k in range(n - 1)], 2 * w_c / p[0]


def test_l11h_a_butterworth_chain_carries_two_n_w_c_and_tends_to_31_4_g_max() -> None:
    w_c = 0.7
    for n, rel in (
        (3, 1e-4),
        (4, 3e-4),
    ):  # reflection below 1e-32 is rounding: x^2n reaches it near the centre
        g, end = butterworth(n, w_c)
        Q = capacity_rate(lost(chain(g, (end, end))), w_c, rtol=1e-5)
        assert pytest.approx(2 * n * w_c / (np.pi * np.log(2)), rel=rel) == Q
    # n = 20: the chain is the filter, frequency by frequency, and the filter has the capacity
    n = 20
    g, end = butterworth(n, w_c)
    x = np.array([0.3, 0.8, 0.97, 1.0, 1.1, 1.6])
    S = scattering.scatter(chain(g, (end, end)), x * w_c)
    assert np.abs(S[:, 1, 0]) ** 2 == pytest.approx(1 / (1 + x ** (2 * n)), rel=1e-9)

    def loss(w: np.ndarray) -> np.ndarray:
        y = np.abs(w / w_c) ** (2 * n)
        return np.maximum(y / (1 + y), 1e-300)

    Q = capacity_rate(loss, w_c)
    assert pytest.approx(2 * n * w_c / (np.pi * np.log(2)), rel=1e-6) == Q
    ratios = []
    for n in (20, 100, 400):
        g, _ = butterworth(n, w_c)
        ratios.append(2 * n * w_c / (np.pi * np.log(2)) / (max(g) / TWO_PI))
    assert Q / (max(butterworth(20, w_c)[0]) / TWO_PI) == pytest.approx(ratios[0], rel=1e-6)
    assert ratios[-1] == pytest.approx(31.40070864, rel=1e-8)  # worked number, n = 400
    assert ratios[-1] == pytest.approx(31.40111218, rel=2e-5)  # and its limit, closing as 1/n^2
    assert ratios[0] < ratios[1] < ratios[2] < 31.40111218


def test_l11_a_capacity_integral_without_end_says_so() -> None:
    with pytest.raises(ValidityError, match="does not settle: nothing is lost"):
        capacity_rate(lambda w: np.where(np.abs(w) < 1, 0.0, 1.0), 1.0)


@pytest.mark.parametrize("C", [0.02, 0.3, 0.7])
def test_l11i_teleportation_over_a_pair_source_adds_the_epr_variance_of_its_outputs(
    C: float,
) -> None:
    device = ElectroOptic(Mode(1e4, 1.7, 0.0), Mode(1e3, 0.6, 0.0), 1e-3)
    pair = scattering.pair_moments(
        device.linearise(pumped(device, C, Sideband.BLUE)),
        "optical.out",
        "microwave.waveguide",
        np.array(0.0),
    )
    # <(x_o - x_e)^2> = <(p_o + p_e)^2> = n_o + n_e + 1 - 2|m|
    found = float(pair.n_1 + pair.n_2 + 1 - 2 * abs(pair.m))
    assert float(teleported_noise(C)) == pytest.approx(found, abs=1e-9)
    if C == 0.3:
        assert found == pytest.approx(0.08539326729, rel=1e-9)  # worked number


def test_l22f_g_squeezing_measuring_and_feeding_forward_adds_squeezed_noise_to_one_quadrature() -> (
    None
):
    """Covariance of input and ancilla, beam splitter, homodyne of the idle port, feed-forward: step by step."""
    eta, V_s, V_in = 0.3, 0.07, (1.7, 0.9)
    t, r = np.sqrt(eta), np.sqrt(1 - eta)
    # (x, p) of the signal and of the ancilla, x squeezed
    V = np.diag([V_in[0], V_in[1], V_s, 0.25 / V_s])
    B = np.array([[t, 0, r, 0], [0, t, 0, r], [-r, 0, t, 0], [0, -r, 0, t]])
    out = B @ V @ B.T
    # p of the idle port, -r p + t p_s, is measured; p_o = t p + r p_s loses its p_s with gain r/t
    F = np.array([[1, 0, 0, 0], [0, 1, 0, -r / t]])
    final = F @ out @ F.T
    added_x = final[0, 0] / eta - V_in[0]
    added_p = final[1, 1] * eta - V_in[1]
    assert float(adaptive_noise(eta, V_s)) == pytest.approx(added_x, rel=1e-12)
    assert added_p == pytest.approx(0.0, abs=1e-12)
    assert float(adaptive_noise(0.3, 1e-9)) < 1e-8  # perfect at any efficiency


# --- L12: number states -------------------------------------------------------------------------------


def random_state(d: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    m = rng.normal(size=(d, d)) + 1j * rng.normal(size=(d, d))
    rho = m @ m.conj().T
    return rho / np.trace(rho)


def test_l12_every_element_through_a_noisy_loss_is_that_of_a_beam_splitter_with_a_thermal_mode() -> (
    None
):
    rho = random_state(3, 7)
    out = through_converter(rho, 0.4, 0.1)
    theirs = brute.thermal_loss(rho, 0.4, 0.1)
    # environment of 14 levels beyond the signal's, n_E = 1/6: 1e-12 of it is cut
    assert out[:8, :8] == pytest.approx(theirs[:8, :8], abs=1e-9)
    zero, one = np.diag([1.0, 0]).astype(complex), np.diag([0, 1.0]).astype(complex)
    lift = np.array([[0, 0], [1.0, 0]], dtype=complex)
    assert through_converter(one, 0.4, 0.1)[0, 0].real == pytest.approx(0.5785123967, rel=1e-9)
    assert through_converter(lift, 0.4, 0.1)[1, 0].real == pytest.approx(0.5226905223, rel=1e-9)
    N, t = 0.1, 0.4
    assert through_converter(zero, t, N)[1, 1].real == pytest.approx(N / (1 + N) ** 2, rel=1e-12)
    assert through_converter(one, t, N)[1, 1].real == pytest.approx(
        (N * (1 + N) + t * (1 - N)) / (1 + N) ** 3, rel=1e-12
    )
    assert np.trace(out).real == pytest.approx(1.0, abs=1e-11)


def test_l12_a_beam_splitter_of_qutip_agrees() -> None:
    d, tau, N = 12, 0.55, 0.2
    a, b = (
        qutip.tensor(qutip.destroy(d), qutip.qeye(d)),
        qutip.tensor(qutip.qeye(d), qutip.destroy(d)),
    )
    U = (np.arccos(np.sqrt(tau)) * (a.dag() * b - a * b.dag())).expm()
    rho = random_state(3, 11)
    big = np.zeros((d, d), complex)
    big[:3, :3] = rho
    joint = U * qutip.tensor(qutip.Qobj(big), qutip.thermal_dm(d, N / (1 - tau))) * U.dag()
    # thermal tail of 0.44 quanta beyond 12 levels: 1e-6
    assert through_converter(rho, tau, N)[:5, :5] == pytest.approx(
        joint.ptrace(0).full()[:5, :5], abs=2e-6
    )


def test_a_gain_is_a_two_mode_squeezer_whose_idler_is_traced_out() -> None:
    d, G = 30, 1.3
    a, b = (
        qutip.tensor(qutip.destroy(d), qutip.qeye(d)),
        qutip.tensor(qutip.qeye(d), qutip.destroy(d)),
    )
    r = np.arccosh(np.sqrt(G))
    rho = random_state(3, 3)
    big = np.zeros((d, d), complex)
    big[:3, :3] = rho
    U = (r * (a.dag() * b.dag() - a * b)).expm()
    n_i = 0.15
    joint = U * qutip.tensor(qutip.Qobj(big), qutip.thermal_dm(d, n_i)) * U.dag()
    out = through_converter(rho, G, (G - 1) * (1 + n_i))
    # cut at 30 levels, gain of 0.35 quanta: below 1e-8
    assert out[:7, :7] == pytest.approx(joint.ptrace(0).full()[:7, :7], abs=1e-7)
    with pytest.raises(ParameterError, match="a gain adds its quantum"):
        through_converter(rho, 1.3, 0.29)


def test_l12f_a_dual_rail_qubit_by_brute_force() -> None:
    """(|0>|10> + |1>|01>)/sqrt2 with a reference qubit, both rails through the loss, one photon kept."""
    for tau, N in ((0.4, 0.1), (0.75, 0.1)):
        ket = [(1, 0), (0, 1)]  # the photon in rail A, in rail B
        maps = {}
        for n in (0, 1):
            for m in (0, 1):
                op = np.zeros((2, 2), complex)
                op[n, m] = 1
                maps[n, m] = brute.thermal_loss(op, tau, N, 20)[:2, :2]
        joint = np.zeros((4, 4), complex)  # reference x which rail holds the photon
        for i in (0, 1):
            for j in (0, 1):
                for k in (0, 1):
                    for n in (0, 1):
                        (a, b), (c, d) = ket[k], ket[n]
                        A = maps[ket[i][0], ket[j][0]][a, c]
                        B = maps[ket[i][1], ket[j][1]][b, d]
                        joint[2 * i + k, 2 * j + n] += A * B / 2
        bell = np.array([1, 0, 0, 1]) / np.sqrt(2)
        p = np.trace(joint).real
        F = (bell @ joint @ bell).real / p
        found = dual_rail(tau, N)
        assert float(found.probability) == pytest.approx(p, rel=1e-8)
        assert float(found.fidelity) == pytest.approx(F, rel=1e-8)
        if tau == 0.4:
            assert float(found.fidelity) == pytest.approx(0.8055555556, rel=1e-9)  # worked number
    with pytest.raises(ParameterError, match="no photon arrives"):
        dual_rail(0.0, 0.0)


def test_l10_adding_a_quantum_to_a_thermal_mode() -> None:
    d, n = 80, 0.35
    a = qutip.destroy(d)
    rho = a.dag() * qutip.thermal_dm(d, n) * a
    rho = rho / rho.tr()
    assert photon_added_thermal(n, 20) == pytest.approx(rho.diag().real[:20], abs=1e-12)
    k = np.arange(400)
    assert np.sum(k * photon_added_thermal(n, 400)) == pytest.approx(2 * n + 1, rel=1e-12)
    assert photon_added_thermal(0.0, 4).tolist() == [0, 1, 0, 0]


# --- L13d, L14: packets -------------------------------------------------------------------------------


def test_l13d_a_coupler_that_opens_as_a_logistic_curve_emits_a_sech() -> None:
    G = 1.3

    def rhs(t: float, y: np.ndarray) -> list[float]:
        kappa = G * np.exp(G * t) / (1 + np.exp(G * t))
        return [-kappa / 2 * y[0]]

    t = np.linspace(-20, 12, 3201)
    run = solve_ivp(rhs, (-20, 12), [1.0], t_eval=t, rtol=1e-12, atol=1e-14, method="DOP853")
    out = np.sqrt(G * np.exp(G * t) / (1 + np.exp(G * t))) * run.y[0]
    packet = TemporalMode.sech("microwave.waveguide", 0.0, G)
    assert np.abs(packet.at(t) - out).max() < 1e-9


def test_every_packet_has_unit_norm_and_the_width_it_was_asked_for() -> None:
    gaussian = TemporalMode.gaussian("p", 0.7, 1.9, 0.4, 0.3)
    half = abs(gaussian.at(np.array([0.7 - 0.95, 0.7, 0.7 + 0.95]))) ** 2
    assert half / half[1] == pytest.approx(np.array([0.5, 1, 0.5]), rel=1e-12)
    # the frequency rises: phase -(offset x + chirp x^2/2), derivative at x is offset + chirp x
    h = 1e-5
    for x in (-0.6, 0.9):
        step = gaussian.at(np.array([0.7 + x + h])) / gaussian.at(np.array([0.7 + x - h]))
        assert -np.angle(step[0]) / (2 * h) == pytest.approx(0.4 + 0.3 * x, rel=1e-6)
    t = np.array([0.0, 0.4, 1.5, 2.0])
    v = np.array([0.1, 1 + 0.5j, -0.3j, 0.4])
    for mode in (
        gaussian,
        TemporalMode.exponential("p", 0.3, 1.2, 0.7),
        TemporalMode.exponential("p", 0.3, 1.2, 0.7, rising=True),
        TemporalMode.sech("p", 0.2, 1.1, 0.5),
        TemporalMode.box("p", 0.5, 2.0, 0.3),
        TemporalMode.sampled("p", t, v),
        *TemporalMode.legendre("p", 0.5, 2.0, 3, 0.3),
    ):
        pieces = sorted({*mode.span, *mode.breaks})
        norm = sum(
            quad(lambda x, m=mode: float(abs(m.at(np.array(x))) ** 2), a, b, limit=400)[0]
            for a, b in itertools.pairwise(pieces)
        )
        assert norm == pytest.approx(1.0, abs=1e-7)
        assert overlap(mode, mode) == pytest.approx(1.0, abs=1e-9)
    assert overlap(*TemporalMode.legendre("p", 0.5, 2.0, 2, 0.3)) == pytest.approx(0.0, abs=1e-12)


def test_l14_overlaps_of_detuned_packets() -> None:
    G1, G2, d = 1.0, 0.45, 0.6
    one = TemporalMode.exponential("p", 0.0, G1)
    two = TemporalMode.exponential("p", 0.0, G2, offset=d)
    found = overlap(one, two)
    # int_0^inf sqrt(G1 G2) e^{-(G1+G2)t/2 - i d t} dt
    by_hand = np.sqrt(G1 * G2) / ((G1 + G2) / 2 + 1j * d)
    assert found == pytest.approx(by_hand, abs=1e-9)
    assert abs(found) ** 2 == pytest.approx(4 * G1 * G2 / ((G1 + G2) ** 2 + 4 * d**2), rel=1e-9)
    fwhm = 2.0 * np.sqrt(8 * np.log(2))
    g1 = TemporalMode.gaussian("p", 0.0, fwhm)
    g2 = TemporalMode.gaussian("p", 0.0, fwhm, offset=0.3)
    assert abs(overlap(g1, g2)) ** 2 == pytest.approx(0.6976763261, rel=1e-8)  # worked number L14e
    assert overlap(one, TemporalMode.box("p", -2.0, -1.0)) == 0
    assert overlap(two, one) == pytest.approx(np.conj(found), abs=1e-12)


@pytest.mark.parametrize(("offset", "carrier"), [(0.0, 0.0), (1.1, 0.0), (0.9, -0.7)])
def test_l14b_a_lorentzian_filter_passes_what_lies_under_its_line(
    offset: float, carrier: float
) -> None:
    kappa_f, G = 3.0, 1.0
    after, T = through_filter(TemporalMode.exponential("p", 0.0, G, carrier), kappa_f, offset)
    line = quad(
        lambda w: (
            G
            / (G**2 / 4 + (w - carrier) ** 2)
            * (kappa_f**2 / 4)
            / (kappa_f**2 / 4 + (w - offset) ** 2)
            / TWO_PI
        ),
        -np.inf,
        np.inf,
        limit=400,
    )[0]
    assert pytest.approx(line, rel=1e-7) == T
    if offset == 0:
        assert pytest.approx(0.75, rel=1e-8) == T  # worked number
    # in time: y = int kappa_f/2 e^{-(kappa_f/2 + i offset)(t-s)} v(s) ds
    t = np.array([0.05, 0.4, 1.3, 4.0])
    lag, own = kappa_f / 2 + 1j * offset, G / 2 + 1j * carrier
    y = kappa_f / 2 * np.sqrt(G) * (np.exp(-own * t) - np.exp(-lag * t)) / (lag - own)
    assert after.at(t) == pytest.approx(y / np.sqrt(T), abs=1e-6)
    assert overlap(after, after) == pytest.approx(1.0, abs=1e-6)


def test_l14_two_filters_pass_less_than_one_squared_passes_of_white_light() -> None:
    packet = TemporalMode.gaussian("p", 0.0, 1.4)
    once, T1 = through_filter(packet, 2.2)
    _, T2 = through_filter(once, 2.2)
    sigma = 1.4 / np.sqrt(8 * np.log(2))
    v2 = lambda w: np.sqrt(8 * np.pi) * sigma * np.exp(-2 * (sigma * w) ** 2) / TWO_PI  # noqa: E731
    L = lambda w: 1.21 / (1.21 + w**2)  # noqa: E731
    assert pytest.approx(quad(lambda w: v2(w) * L(w), -20, 20)[0], rel=1e-7) == T1
    assert pytest.approx(quad(lambda w: v2(w) * L(w) ** 2, -20, 20)[0], rel=1e-6) == T1 * T2
    assert T2 > T1  # what passed once lies under the line


# --- L10: statistics ----------------------------------------------------------------------------------


def test_l10_correlations_of_pairs_are_those_of_their_number_distribution() -> None:
    p = 0.05
    k = np.arange(400)
    weights = (p / (1 + p)) ** k / (1 + p)  # sinh^2 r = p, both modes hold k
    mean = np.sum(k * weights)
    assert mean == pytest.approx(p)
    assert pulsed.cross_correlation(p) == pytest.approx(np.sum(k**2 * weights) / mean**2, rel=1e-12)
    # a weak click takes one Stokes photon: weights k p_k
    heralded = k * weights / np.sum(k * weights)
    g2 = np.sum(k * (k - 1) * heralded) / np.sum(k * heralded) ** 2
    assert pulsed.heralded_autocorrelation(p) == pytest.approx(g2, rel=1e-12)
    assert pulsed.heralded_autocorrelation(p) == pytest.approx(
        0.1776859504, rel=1e-9
    )  # worked number
    assert pulsed.heralded_autocorrelation(0.0) == 0


def test_l10_cross_correlation_of_a_warm_phonon_counts_the_phonons_after_the_pulse() -> None:
    n_th, r, d = 0.3, 0.4, 26
    a, b = (
        qutip.tensor(qutip.destroy(d), qutip.qeye(d)),
        qutip.tensor(qutip.qeye(d), qutip.destroy(d)),
    )
    U = (r * (a.dag() * b.dag() - a * b)).expm()
    rho = U * qutip.tensor(qutip.fock_dm(d, 0), qutip.thermal_dm(d, n_th)) * U.dag()
    n_a, n_b = qutip.expect(a.dag() * a, rho), qutip.expect(b.dag() * b, rho)
    g2 = qutip.expect(a.dag() * a * b.dag() * b, rho) / (n_a * n_b)
    # truncation at 26 levels with 0.5 phonons: 1e-5
    assert float(pulsed.cross_correlation(n_b)) == pytest.approx(g2, rel=1e-4)
    assert n_b > n_a + 0.25
    assert n_a == pytest.approx((1 + n_th) * np.sinh(r) ** 2, rel=1e-4)


def test_l10_sideband_asymmetry_counts_the_phonons() -> None:
    """Rates proportional to n and n + 1, from the number distribution."""
    n = 0.42
    k = np.arange(600)
    P = (n / (1 + n)) ** k / (1 + n)
    red, blue = 0.03 * np.sum(P * k), 0.03 * np.sum(P * (k + 1))
    assert float(pulsed.asymmetry_quanta(red, blue)) == pytest.approx(n, rel=1e-12)
    with pytest.raises(ValidityError, match="it must exceed 1"):
        pulsed.asymmetry_quanta(0.2, 0.2)


def test_l10g_swap_probability_of_qutip() -> None:
    g, k1, k2 = 1.0, 0.1, 0.03
    t = np.pi / 2 / np.sqrt(g**2 - (k1 - k2) ** 2 / 16)
    a, b = (
        qutip.tensor(qutip.destroy(2), qutip.qeye(2)),
        qutip.tensor(qutip.qeye(2), qutip.destroy(2)),
    )
    run = qutip.mesolve(
        g * (a.dag() * b + a * b.dag()),
        qutip.tensor(qutip.fock_dm(2, 1), qutip.fock_dm(2, 0)),
        [0, t / 2, t],
        [np.sqrt(k1) * a, np.sqrt(k2) * b],
        e_ops=[b.dag() * b],
        options={"rtol": 1e-10, "atol": 1e-12},
    )
    assert pulsed.swap_probability(g, (k1, k2)) == pytest.approx(run.expect[0][-1], rel=1e-7)
    assert pulsed.swap_probability(g, (k1, k2), t / 2) == pytest.approx(run.expect[0][1], rel=1e-7)
    assert run.expect[0][-1] == pytest.approx(0.9032001479, rel=1e-7)  # worked number


# --- L4, L22a: the steady pair source -----------------------------------------------------------------


def source(n_b: float, d: float = 0.0, C: float = 0.15) -> LinearDevice:
    k_a, k_b = 1.0, 0.4
    return langevin(
        Network(
            (Resonance("a", d), Resonance("b", -0.3 * d)),
            (
                Door.of("a.out", "a", 0.7 * k_a, 0.0),
                Door.of("a.int", "a", 0.3 * k_a, 0.0),
                Door.of("b.out", "b", 0.6 * k_b, n_b),
                Door.of("b.int", "b", 0.4 * k_b, n_b),
            ),
            (Coupling("a", "b", Mixing.SQUEEZING, np.sqrt(C * k_a * k_b) / 2),),
        )
    )


def qutip_source(
    n_b: float, d: float, C: float, levels: int
) -> tuple[float, float, complex, float]:
    k_a, k_b = 1.0, 0.4
    a = qutip.tensor(qutip.destroy(levels), qutip.qeye(levels))
    b = qutip.tensor(qutip.qeye(levels), qutip.destroy(levels))
    g = np.sqrt(C * k_a * k_b) / 2
    H = d * a.dag() * a - 0.3 * d * b.dag() * b + g * (a.dag() * b.dag() + a * b)
    ops = [np.sqrt(k_a) * a, np.sqrt(k_b * (1 + n_b)) * b]
    if n_b:
        ops.append(np.sqrt(k_b * n_b) * b.dag())
    rho = qutip.steadystate(H, ops)
    n_1, n_2 = qutip.expect(a.dag() * a, rho), qutip.expect(b.dag() * b, rho)
    return n_1, n_2, qutip.expect(a * b, rho), qutip.expect(a.dag() * a * b.dag() * b, rho)


def test_l4f_l22a_pair_rate_and_cross_correlation_against_the_master_equation() -> None:
    device = source(0.0)
    n_1, n_2, m, both = qutip_source(0.0, 0.0, 0.15, 9)
    flux = steady.fluxes(device)
    R = flux["a.out"] + flux["a.int"]
    assert pytest.approx(0.05042016807, rel=1e-9) == R  # worked number
    assert pytest.approx(1.0 * n_1, rel=1e-6) == R  # 9 levels: 3e-7 in 0.05
    assert pytest.approx(flux["b.out"] + flux["b.int"], rel=1e-12) == R  # born in pairs
    assert flux["a.out"] == pytest.approx(0.7 * R, rel=1e-12)
    assert flux["b.out"] == pytest.approx(0.6 * R, rel=1e-12)
    X = steady.moments(device)
    N_a, N_b, cross = X[0, 0].real, X[1, 1].real - 1, np.conj(X[0, 1])  # x = (a, b^dag)
    assert n_2 == pytest.approx(N_b, rel=1e-5)
    assert cross == pytest.approx(m, abs=1e-6)
    g2 = 1 + abs(cross) ** 2 / (N_a * N_b)
    assert g2 == pytest.approx(7.666666667, rel=1e-9)  # worked number
    assert g2 == pytest.approx(
        both / (n_1 * n_2), rel=1e-5
    )  # no Gaussian factorisation in this one


def test_l4_moments_of_a_detuned_warm_pair_source_keep_their_phase() -> None:
    n_1, n_2, m, _ = qutip_source(0.3, 0.35, 0.15, 13)
    X = steady.moments(source(0.3, 0.35))
    assert X[0, 0].real == pytest.approx(n_1, rel=1e-4)  # tail of 0.4 quanta beyond 13 levels
    assert X[1, 1].real - 1 == pytest.approx(n_2, rel=1e-4)
    assert np.conj(X[0, 1]) == pytest.approx(m, rel=1e-4)
    assert abs(m.real) > 0.02
    assert abs(m.imag) > 0.1
    warm = qutip_source(0.3, 0.0, 0.15, 13)
    assert 1 + abs(warm[2]) ** 2 / warm[0] / warm[1] == pytest.approx(3.36, abs=0.01)  # section 2


def test_l4h_thermal_seeds_raise_the_optical_flux() -> None:
    flux = steady.fluxes(source(0.3))
    assert flux["a.out"] + flux["a.int"] == pytest.approx(0.06554621849, rel=1e-9)  # worked number
    # real quadratures (x_a, p_a, x_b, p_b), H = g(x_a x_b - p_a p_b): Lyapunov by scipy
    g = np.sqrt(0.15 * 0.4) / 2
    F = np.array([[-0.5, 0, 0, -g], [0, -0.5, -g, 0], [0, -g, -0.2, 0], [-g, 0, 0, -0.2]])
    D = np.diag([0.5, 0.5, 0.4 * 0.8, 0.4 * 0.8])
    V = solve_continuous_lyapunov(F, -D)
    n_a = (V[0, 0] + V[1, 1] - 1) / 2
    n_b = (V[2, 2] + V[3, 3] - 1) / 2
    assert flux["a.out"] + flux["a.int"] == pytest.approx(n_a, rel=1e-10)
    # the warm waveguide is counted net of what came in
    assert flux["b.out"] == pytest.approx(0.24 * (n_b - 0.3), rel=1e-10)
    assert flux["b.out"] + flux["b.int"] == pytest.approx(n_a, rel=1e-10)


def test_the_flux_of_a_port_is_its_spectrum_integrated() -> None:
    device = source(0.3, 0.35)
    flux = steady.fluxes(device)

    def spectrum(port: str, n: float) -> float:
        def density(w: float) -> float:
            S = scattering.scatter(device, np.array(w))
            return float(sum(scattering.noise_by_port(device, S, port).values())) - n

        return quad(density, -np.inf, np.inf, limit=200)[0] / TWO_PI

    assert flux["a.out"] == pytest.approx(spectrum("a.out", 0.0), rel=1e-6)
    assert flux["b.out"] == pytest.approx(spectrum("b.out", 0.3), rel=1e-6)


def test_a_source_above_threshold_has_no_steady_state() -> None:
    with pytest.raises(ValidityError, match="no steady state"):
        steady.moments(source(0.0, C=1.01))
    grown = expm(np.array([[-0.5, -1j], [1j, -0.2]]) * 3)  # and it does grow
    assert np.abs(grown).max() > 1


def test_l14d_dephasing_takes_visibility_as_a_double_integral_over_both_photons_says() -> None:
    """V = int int |g(t, s)|^2 over the product of intensities, g the first-order coherence of a dephased decay."""
    from scipy.integrate import dblquad

    from cavities.wavepackets import dephased_visibility

    rate, dephasing = 1.0, 0.2
    # |<a^dag(t) a(s)>|^2 = (Gamma e^{-Gamma (t + s)/2} e^{-gamma* |t - s|})^2
    value = dblquad(
        lambda s, t: 2 * (rate * np.exp(-rate * (t + s) / 2 - dephasing * (t - s))) ** 2,
        0.0,
        40.0,
        0.0,
        lambda t: t,
        epsabs=1e-10,
    )[0]
    assert dephased_visibility(rate, dephasing) == pytest.approx(value, rel=1e-7)
    assert value == pytest.approx(0.7142857143, rel=1e-7)  # worked number
    with pytest.raises(ParameterError, match="dephasing"):
        dephased_visibility(1.0, -0.1)
