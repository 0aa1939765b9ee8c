"""L1-L7 of the electro-optic converter, each against a computation that shares no formula with the code."""

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq, minimize_scalar

from cavities import (
    Bath,
    GaussianState,
    Mode,
    Pump,
    Sideband,
    depleted_photons,
    intracavity_photons,
    thermal_occupation,
)
from cavities.constants import BOLTZMANN, HBAR
from tests.conftest import pumped, reference_device
from transducer import ElectroOptic, StokesMode
from transducer.solvers import scattering

TWO_PI = 2 * np.pi
MHZ = 1e6


def driven_response(
    g: float,
    kappa: tuple[float, float],
    ext: tuple[float, float],
    delta: tuple[float, float],
    w: float,
) -> tuple[complex, complex]:
    """Optical and microwave output over microwave input, by integrating the mean-field equations until steady."""
    scale = max(kappa)
    k_o, k_e, g_, d_o, d_e, w_ = (x / scale for x in (*kappa, g, *delta, w))
    drive = np.sqrt(ext[1] / scale)

    def rhs(t: float, y: np.ndarray) -> list[complex]:
        a, b = y
        return [
            -(1j * d_o + k_o / 2) * a - 1j * g_ * b,
            -(1j * d_e + k_e / 2) * b - 1j * g_ * a - drive * np.exp(-1j * w_ * t),
        ]

    end = 60 / min(k_o, k_e)
    run = solve_ivp(rhs, (0, end), np.zeros(2, complex), rtol=1e-10, atol=1e-12)
    a, b = run.y[:, -1] * np.exp(1j * w_ * end)
    return complex(np.sqrt(ext[0] / scale) * a), complex(1 + drive * b)


def conversion(device: ElectroOptic, pump: Pump, omega: float) -> scattering.Conversion:
    linear = device.linearise(pump)
    return scattering.convert(linear, device.source, device.target, np.array([omega]))


def test_l1_conversion_spectrum_is_what_a_driven_time_evolution_gives() -> None:
    device = reference_device(delta_o_hz=15e6, delta_e_hz=-1e6)
    pump = pumped(device, 0.3)
    w = TWO_PI * 3e6
    found = conversion(device, pump, w)
    o, e = device.optical, device.microwave
    light, reflected = driven_response(
        float(device.coupling(pump)),
        (o.kappa, e.kappa),
        (o.kappa_ext, e.kappa_ext),
        (device.delta_o, device.delta_e),
        w,
    )
    assert found.efficiency[0] == pytest.approx(0.2388836172, rel=1e-9)  # worked number
    assert found.amplitude[0] == pytest.approx(light, rel=1e-6)  # ODE, amplitude and phase
    S = scattering.scatter(device.linearise(pump), np.array(w))
    i = device.linearise(pump).index("microwave.waveguide")
    assert S[i, i] == pytest.approx(reflected, rel=1e-6)


@pytest.mark.parametrize(("C", "eta"), [(0.3, 0.3408284024), (4.0, 0.3072)])
def test_l1_peak_efficiency(C: float, eta: float) -> None:
    device = reference_device()
    found = conversion(device, pumped(device, C), 0.0).efficiency[0]
    assert found == pytest.approx(eta, rel=1e-9)
    assert found == pytest.approx(0.48 * 4 * C / (1 + C) ** 2, rel=1e-12)


def test_l1_reflection_on_resonance() -> None:
    device = reference_device()
    linear = device.linearise(pumped(device, 0.3))
    S = scattering.scatter(linear, np.array(0.0))
    i = linear.index("microwave.waveguide")
    assert S[i, i] == pytest.approx(1 - 2 * 0.8 / 1.3, rel=1e-12)


def test_mode_overlap_enters_conversion_and_pump_apart_from_the_coupling_ratio() -> None:
    from dataclasses import replace

    whole = reference_device()
    part = replace(whole, overlap=0.78)
    pump = pumped(whole, 0.3)
    assert part.cooperativity(pump) == pytest.approx(0.3 * 0.78**2)  # less pump gets in
    same_coupling = pumped(part, 0.3)
    ratio = (
        conversion(part, same_coupling, 0.0).efficiency[0]
        / conversion(whole, pump, 0.0).efficiency[0]
    )
    assert ratio == pytest.approx(0.78**2, rel=1e-12)  # less signal gets out
    linear = part.linearise(same_coupling)
    S = scattering.scatter(linear, np.array(TWO_PI * 4e6))
    assert np.abs(S @ S.conj().T - np.eye(len(linear.ports))).max() < 1e-12


def half_maximum_by_root(k_o: float, k_e: float, C: float, sign: float = 1.0) -> float:
    """Width from |D|^2 alone, D = (k_o/2 - iw)(k_e/2 - iw) + sign g^2, outermost root of |D|^2 = 2 min |D|^2."""
    g2 = sign * C * k_o * k_e / 4

    def d2(w: float) -> float:
        return abs((k_o / 2 - 1j * w) * (k_e / 2 - 1j * w) + g2) ** 2

    far = 20 * max(k_o, k_e, np.sqrt(abs(g2)))
    grid = np.linspace(0, far, 200001)
    lowest = grid[np.argmin([abs((k_o / 2 - 1j * w) * (k_e / 2 - 1j * w) + g2) for w in grid])]
    best = minimize_scalar(d2, bracket=(lowest, lowest + 1e-3 * far)).fun
    best = min(best, d2(0.0))
    return 2 * brentq(lambda w: d2(w) - 2 * best, lowest, far, xtol=1e-14 * far, rtol=1e-14)


@pytest.mark.parametrize(
    ("k_o", "k_e", "C"), [(200.0, 10.0, 0.3), (1.0, 1.0, 1.0), (1.0, 0.4, 2.0), (1.0, 0.4, 30.0)]
)
def test_l2_bandwidth_single_and_split(k_o: float, k_e: float, C: float) -> None:
    optical = Mode.from_hz(193e12, kappa_ext_hz=0.7 * k_o * MHZ, kappa_int_hz=0.3 * k_o * MHZ)
    microwave = Mode.from_hz(8e9, kappa_ext_hz=0.6 * k_e * MHZ, kappa_int_hz=0.4 * k_e * MHZ)
    device = ElectroOptic.from_hz(optical, microwave, g0_hz=100.0)
    linear = device.linearise(pumped(device, C))
    found = scattering.bandwidth(linear, device.source, device.target, device.scale(None))
    assert found / TWO_PI / MHZ == pytest.approx(half_maximum_by_root(k_o, k_e, C), rel=1e-7)


def test_l2_worked_bandwidth_butterworth_and_split_peak() -> None:
    device = reference_device()
    linear = device.linearise(pumped(device, 0.3))
    width = scattering.bandwidth(linear, device.source, device.target, device.scale(None))
    assert width / TWO_PI / MHZ == pytest.approx(13.15330579, rel=1e-9)
    matched = ElectroOptic.from_hz(
        Mode.from_hz(193e12, kappa_ext_hz=MHZ, kappa_int_hz=0.0),
        Mode.from_hz(8e9, kappa_ext_hz=MHZ, kappa_int_hz=0.0),
        g0_hz=100.0,
    )
    flat = matched.linearise(pumped(matched, 1.0))
    width = scattering.bandwidth(flat, matched.source, matched.target, matched.scale(None))
    assert width / TWO_PI / MHZ == pytest.approx(np.sqrt(2), rel=1e-9)
    # split peaks of matched linewidths reach unit efficiency at any C > 1 (g = 1.3 kappa)
    split = matched.linearise(pumped(matched, 4 * 1.3**2))
    w = TWO_PI * MHZ * np.linspace(0.5, 2.0, 20001)
    line = scattering.convert(split, matched.source, matched.target, w).efficiency
    assert line.max() == pytest.approx(1.0, abs=1e-6)
    assert w[np.argmax(line)] / TWO_PI / MHZ == pytest.approx(np.sqrt(1.3**2 - 0.25), abs=2e-4)


def test_l3_added_noise_depends_neither_on_pump_nor_on_frequency() -> None:
    device = reference_device()
    for C in (0.05, 0.3, 2.0):
        for w in (0.0, TWO_PI * 7e6):
            assert conversion(device, pumped(device, C), w).added_noise[0] == pytest.approx(
                0.02 + 0.15 * 0.2 / 0.8, rel=1e-10
            )


def test_l3_noise_by_port_sums_to_the_output_and_names_the_internal_bath() -> None:
    device = reference_device(n_wg=0.0)
    found = conversion(device, pumped(device, 0.3), TWO_PI * 2e6)
    assert sum(found.contributions.values()) == pytest.approx(found.noise_out)
    assert found.added_noise[0] == pytest.approx(0.0375, rel=1e-10)  # L3b
    assert found.contributions["microwave.int"] == pytest.approx(found.noise_out)


def output_power_of_a_beam_splitter_converter(C: float) -> float:
    """Occupation of the microwave mode from its spectrum in the waveguide of a probe-less device."""
    k_a, k_b, n_a, n_b = 1.0, 0.3, 0.05, 0.5
    g2 = C * k_a * k_b / 4

    def spectrum(w: float) -> float:
        x_a, x_b = k_a / 2 - 1j * w, k_b / 2 - 1j * w
        d = abs(x_a * x_b + g2) ** 2
        return (k_b * n_b * abs(x_a) ** 2 + k_a * n_a * g2) / d / TWO_PI

    return quad(spectrum, -np.inf, np.inf, limit=400)[0]


def test_l3_laser_cooled_occupation_matches_qutip_quadrature_and_the_engine() -> None:
    """Exact for any g: nb - (nb - na) k_a/(k_a + k_b) C/(1 + C), at k = (1, 0.3), g = 0.4."""
    device = ElectroOptic(
        Mode.from_hz(193e12, kappa_ext_hz=0.6 * MHZ, kappa_int_hz=0.4 * MHZ),
        Mode.from_hz(8e9, kappa_ext_hz=0.1 * MHZ, kappa_int_hz=0.2 * MHZ),
        TWO_PI * 100.0,
        1.0,
        Bath(0.5),
        Bath(0.5),
        Bath(0.05),
    )
    linear = device.linearise(pumped(device, 4 * 0.4**2 / 0.3))

    def flux(x: float) -> float:
        """Photons that leave by the internal port beyond what its bath sends in."""
        S = scattering.scatter(linear, np.array(x * TWO_PI * MHZ))
        return float(sum(scattering.noise_by_port(linear, S, "microwave.int").values())) - 0.5

    # net flux out of the internal port = kappa_int (<b^dag b> - n_int)
    net = quad(flux, -np.inf, np.inf, limit=400)[0] / TWO_PI
    assert 0.5 + net / 0.2 == pytest.approx(0.2643207856, rel=1e-7)
    import qutip

    C = 4 * 0.4**2 / 0.3
    closed = 0.5 - (0.5 - 0.05) * (1.0 / 1.3) * C / (1 + C)
    assert closed == pytest.approx(0.2643207856, rel=1e-9)
    assert output_power_of_a_beam_splitter_converter(C) == pytest.approx(closed, rel=1e-8)
    a = qutip.tensor(qutip.destroy(7), qutip.qeye(11))
    b = qutip.tensor(qutip.qeye(7), qutip.destroy(11))
    H = 0.4 * (a.dag() * b + b.dag() * a)
    c_ops = [np.sqrt(1.05) * a, np.sqrt(0.05) * a.dag(), np.sqrt(0.45) * b, np.sqrt(0.15) * b.dag()]
    rho = qutip.steadystate(H, c_ops)
    # 7 x 11 levels: the tail (n/(1+n))^11 of the warmer mode leaves about 1e-4
    assert qutip.expect(b.dag() * b, rho) == pytest.approx(closed, abs=2e-4)


def test_l4_squeezing_keeps_the_pseudo_unitarity_and_the_closed_gains() -> None:
    device = reference_device(n_wg=0.0, n_int=0.0)
    pump = pumped(device, 0.2, Sideband.BLUE)
    linear = device.linearise(pump)
    S = scattering.scatter(linear, np.array(0.0))
    J = np.diag(linear.signature)
    assert np.abs(S @ J @ S.conj().T - J).max() < 1e-12
    i = linear.index("microwave.waveguide")
    assert abs(S[i, i]) ** 2 == pytest.approx((1 - 1.6 / 0.8) ** 2, rel=1e-10)  # L4c
    gain = conversion(device, pump, 0.0).efficiency[0]
    assert gain == pytest.approx(0.48 * 4 * 0.2 / 0.8**2, rel=1e-10)
    noise = conversion(device, pump, 0.0).noise_out[0]
    assert noise == pytest.approx(0.75, rel=1e-10)  # L4d: eta_o sinh^2 r, not eta_e eta_o
    assert noise == pytest.approx(0.6 * np.sinh(2 * np.arctanh(np.sqrt(0.2))) ** 2, rel=1e-10)


def lyapunov_pairs(
    k_a: float, k_b: float, C: float, n_a: float, n_b: float
) -> tuple[float, float, complex]:
    """Steady ``<a^dag a>, <b^dag b>, <a b>`` of a squeezing interaction, from the moment equations."""
    g = np.sqrt(C * k_a * k_b) / 2

    def rhs(t: float, y: np.ndarray) -> list[float]:
        na, nb, m = y  # <ab> = -i m
        return [
            -k_a * na + 2 * g * m + k_a * n_a,
            -k_b * nb + 2 * g * m + k_b * n_b,
            -(k_a + k_b) / 2 * m + g * (na + nb + 1),
        ]

    run = solve_ivp(rhs, (0, 400), [0.0, 0.0, 0.0], rtol=1e-11, atol=1e-12)
    return tuple(run.y[:, -1])  # type: ignore[return-value]


def test_l4_pair_rate_is_the_integrated_output_spectrum_and_the_moment_equations() -> None:
    k_a, k_b, C = 1.0, 0.4, 0.15
    optical = Mode.from_hz(193e12, kappa_ext_hz=k_a * MHZ, kappa_int_hz=0.0)
    microwave = Mode.from_hz(8e9, kappa_ext_hz=0.25 * k_b * MHZ, kappa_int_hz=0.75 * k_b * MHZ)
    device = ElectroOptic.from_hz(
        optical, microwave, g0_hz=100.0, microwave_internal=Bath(0.3), microwave_waveguide=Bath(0.3)
    )
    linear = device.linearise(pumped(device, C, Sideband.BLUE))

    def flux(w: float) -> float:
        S = scattering.scatter(linear, np.array(w * TWO_PI * MHZ))
        return float(sum(scattering.noise_by_port(linear, S, "optical.out").values()))

    integrated = quad(flux, -np.inf, np.inf, limit=400)[0]  # in units of 2 pi MHz
    n_a, _, _ = lyapunov_pairs(k_a, k_b, C, 0.0, 0.3)
    pair_rate = 4 * (C * k_a * k_b / 4) / (k_a + k_b) * 1.3 / (1 - C)
    assert k_a * n_a == pytest.approx(0.06554621849, rel=1e-7)  # L4h worked number
    assert pair_rate == pytest.approx(0.06554621849, rel=1e-9)
    assert integrated / TWO_PI == pytest.approx(pair_rate, rel=1e-6)


def test_l4_threshold_is_cooperativity_one_and_is_refused_with_the_power_to_use() -> None:
    from cavities import UnstableError

    device = reference_device()
    device.linearise(pumped(device, 0.999, Sideband.BLUE))
    with pytest.raises(UnstableError, match=r"threshold at cooperativity 1.*lower the pump power"):
        device.linearise(pumped(device, 1.001, Sideband.BLUE))


def test_l4_bandwidth_of_the_pair_source_uses_the_opposite_sign() -> None:
    optical = Mode.from_hz(193e12, kappa_ext_hz=1.0 * MHZ, kappa_int_hz=0.0)
    microwave = Mode.from_hz(8e9, kappa_ext_hz=0.3 * MHZ, kappa_int_hz=0.1 * MHZ)
    device = ElectroOptic.from_hz(optical, microwave, g0_hz=100.0)
    linear = device.linearise(pumped(device, 0.99, Sideband.BLUE))
    width = (
        scattering.bandwidth(linear, device.source, device.target, device.scale(None))
        / TWO_PI
        / MHZ
    )
    assert width == pytest.approx(half_maximum_by_root(1.0, 0.4, 0.99, sign=-1.0), rel=1e-6)
    assert width == pytest.approx(0.002862985661, rel=1e-8)  # L4k


def symmetric_pair_source(eta: float) -> tuple[ElectroOptic, Pump]:
    optical = Mode.from_hz(193e12, kappa_ext_hz=eta * 30 * MHZ, kappa_int_hz=(1 - eta) * 30 * MHZ)
    microwave = Mode.from_hz(8e9, kappa_ext_hz=eta * 7 * MHZ, kappa_int_hz=(1 - eta) * 7 * MHZ)
    device = ElectroOptic.from_hz(optical, microwave, g0_hz=100.0)
    return device, pumped(device, 0.2, Sideband.BLUE)


def test_l5_entanglement_of_the_outputs() -> None:
    device, pump = symmetric_pair_source(0.7)
    linear = device.linearise(pump)
    found = scattering.pair_moments(linear, "optical.out", "microwave.waveguide", np.array(0.0))
    state = GaussianState.from_moments(float(found.n_1), float(found.n_2), complex(found.m))
    best = min(state.epr_variance(phase) for phase in np.linspace(0, TWO_PI, 3601))
    assert best == pytest.approx(0.8042572473, rel=1e-6)  # L5a, phase scanned
    assert state.log_negativity([0]) == pytest.approx(1.314271064, rel=1e-9)  # L5b


def test_l5_output_moments_of_an_uneven_warm_source_match_the_moment_equations() -> None:
    """Unequal extractions, detuned, warm: moments of filtered outputs by quadrature against a Lyapunov equation."""
    from scipy.linalg import solve_continuous_lyapunov

    optical = Mode.from_hz(193e12, kappa_ext_hz=18 * MHZ, kappa_int_hz=12 * MHZ)
    microwave = Mode.from_hz(8e9, kappa_ext_hz=2 * MHZ, kappa_int_hz=5 * MHZ)
    device = ElectroOptic(
        optical,
        microwave,
        TWO_PI * 100.0,
        0.9,
        Bath(0.07),
        Bath(0.3),
        Bath(0.02),
        TWO_PI * 4e6,
        TWO_PI * -1e6,
    )
    linear = device.linearise(pumped(device, 0.3, Sideband.BLUE))
    unit = device.scale(None)
    A, K = linear.A / unit, linear.K / np.sqrt(unit)
    i, j = linear.index("optical.out"), linear.index("microwave.waveguide")
    # two narrow filter cavities f_1, f_2 listen to the outputs: x' = A x - K^T xi, f' = -k/2 f - sqrt(k) out
    k = 1e-3
    big = np.zeros((4, 4), complex)
    big[:2, :2] = A
    big[2, 2] = big[3, 3] = -k / 2
    big[2, :2], big[3, :2] = -np.sqrt(k) * K[i], -np.sqrt(k) * K[j]
    drive = np.zeros((4, len(linear.ports)))
    drive[:2] = -K.T
    drive[2, i] = drive[3, j] = -np.sqrt(k)
    n = np.array([float(p.occupation) for p in linear.ports])
    above = np.diag([n_ + (0 if p.creation else 1) for n_, p in zip(n, linear.ports, strict=True)])
    # W_ab = <x_a x_b^dag>
    W = solve_continuous_lyapunov(big, -(drive @ above @ drive.T).astype(complex))
    found = scattering.pair_moments(linear, "optical.out", "microwave.waveguide", np.array(0.0))
    # x = (a, b^dag): <f_1 f_1^dag> = n_1 + 1, <f_2 f_2^dag> = n_2 (f_2 is a creation operator), <f_1 f_2^dag> = m
    assert W[2, 2].real - 1 == pytest.approx(float(found.n_1), rel=5e-3)
    assert W[3, 3].real == pytest.approx(float(found.n_2), rel=5e-3)
    assert W[2, 3] == pytest.approx(complex(found.m), rel=5e-3)
    assert abs(found.m.imag) > 0.01  # the phase is tested, too


@pytest.mark.slow
def test_l5_log_negativity_of_a_lossy_thermal_pair_matches_the_fock_space_partial_transpose() -> (
    None
):
    """L5c: r = 0.4, 0.2 thermal quanta in b, eta = (0.3, 0.8): 0.3239078108."""
    import qutip

    from cavities import GaussianChannel

    r, n_b, eta = 0.4, 0.2, (0.3, 0.8)
    squeezed = _thermal_squeezed(r, n_b)
    for mode, transmission in enumerate(eta):
        squeezed = GaussianChannel.loss(transmission).on(mode, 2).apply(squeezed)
    assert squeezed.log_negativity([1]) == pytest.approx(0.3239078108, rel=1e-8)

    levels = 18
    a, b = (
        qutip.tensor(qutip.destroy(levels), qutip.qeye(levels)),
        qutip.tensor(qutip.qeye(levels), qutip.destroy(levels)),
    )
    rho = qutip.tensor(qutip.fock_dm(levels, 0), qutip.thermal_dm(levels, n_b, "analytic"))
    squeeze = (r * (a.dag() * b.dag() - a * b)).expm()
    rho = squeeze * rho * squeeze.dag()
    for op, transmission in ((a, eta[0]), (b, eta[1])):
        rho = qutip.mesolve(
            0 * a,
            rho,
            [0, -np.log(transmission)],
            c_ops=[op],
            options={"atol": 1e-10, "rtol": 1e-9},
        ).states[-1]
    transposed = qutip.partial_transpose(rho, [0, 1])
    log_negativity = np.log2(np.sum(np.abs(transposed.eigenenergies())))
    # 18 levels: squeezed tails of order tanh(0.4)^36 and the thermal one (1/6)^18
    assert squeezed.log_negativity([1]) == pytest.approx(log_negativity, rel=1e-4)


def _thermal_squeezed(r: float, n_b: float) -> GaussianState:
    c, s = np.cosh(r), np.sinh(r)
    n_1 = s**2 * (1 + n_b)
    n_2 = s**2 + c**2 * n_b
    return GaussianState.from_moments(n_1, n_2, c * s * (1 + n_b))


def stokes_device(
    d_s_over_kappa: float, C_minus_over_plus: float, eta_e: float = 0.8
) -> ElectroOptic:
    optical = Mode.from_hz(193e12, kappa_ext_hz=0.6 * 30 * MHZ, kappa_int_hz=0.4 * 30 * MHZ)
    microwave = Mode.from_hz(8e9, kappa_ext_hz=eta_e * 7 * MHZ, kappa_int_hz=(1 - eta_e) * 7 * MHZ)
    other = StokesMode(optical, np.sqrt(C_minus_over_plus), d_s_over_kappa * optical.kappa)
    return ElectroOptic(optical, microwave, TWO_PI * 100.0, stokes=other)


def test_l6_residual_stokes_light_changes_the_efficiency() -> None:
    device = stokes_device(3.0, 0.3 / 0.8)
    found = conversion(device, pumped(device, 0.8), 0.0)
    assert found.efficiency[0] == pytest.approx(0.4780217007, rel=1e-9)  # L6c


@pytest.mark.parametrize(("d_s", "floor"), [(3.0, 0.00676), (0.4, 0.1524), (0.0, 0.25)])
def test_l6_residual_stokes_light_is_a_noise_floor_at_zero_temperature(
    d_s: float, floor: float
) -> None:
    device = stokes_device(d_s, 0.2 / 0.5)
    found = conversion(device, pumped(device, 0.5), 0.0)
    assert found.added_noise[0] == pytest.approx(floor, rel=1e-3)
    assert found.added_noise[0] == pytest.approx(0.2 / (1 + 4 * d_s**2) / 0.8, rel=1e-9)


def test_l6_three_modes_agree_with_the_moment_equations() -> None:
    """Mean photon number of the anti-Stokes mode, from the spectrum and from an ODE of second moments."""
    device = stokes_device(0.4, 0.2 / 0.5)
    pump = pumped(device, 0.5)
    linear = device.linearise(pump)
    A, K = linear.A / device.scale(None), linear.K / np.sqrt(device.scale(None))
    kinds = np.array([False, False, True])  # a, b, s^dag
    n = 3
    # <x_i^dag x_j> of inputs: vacuum gives 1 for creation-type entries, 0 else
    diffusion = K.T @ np.diag([1.0 if p.creation else 0.0 for p in linear.ports]) @ K

    def rhs(t: float, y: np.ndarray) -> np.ndarray:
        N = y.reshape(n, n)  # N_ij = <x_i^dag x_j>
        return (A.conj() @ N + N @ A.T + diffusion).ravel()

    start = np.diag(kinds.astype(complex)).ravel()
    N = solve_ivp(rhs, (0, 300), start, rtol=1e-10, atol=1e-12).y[:, -1].reshape(n, n)

    def flux(x: float) -> float:
        S = scattering.scatter(linear, np.array(x * device.scale(None)))
        return float(sum(scattering.noise_by_port(linear, S, "optical.int").values()))

    emitted = quad(flux, -np.inf, np.inf, limit=400)[0] / TWO_PI
    kappa_int = device.optical.kappa_int / device.scale(None)
    assert emitted == pytest.approx(kappa_int * N[0, 0].real, rel=1e-6)


def test_l7_intracavity_photons_by_ringing_up_a_driven_cavity() -> None:
    optical = Mode.from_hz(299792458.0 / 1550e-9, kappa_ext_hz=120e6, kappa_int_hz=80e6)
    detuning = TWO_PI * 50e6
    found = float(intracavity_photons(optical, 1e-3, detuning))
    assert found == pytest.approx(11921923.5, rel=1e-8)
    rate = np.sqrt(1e-3 / (HBAR * optical.omega))
    run = solve_ivp(
        lambda t, a: (1j * detuning - optical.kappa / 2) * a - np.sqrt(optical.kappa_ext) * rate,
        (0, 60 / optical.kappa),
        np.zeros(1, complex),
        rtol=1e-10,
        atol=1e-6,
    )
    assert found == pytest.approx(abs(run.y[0, -1]) ** 2, rel=1e-7)


def test_l7_a_strong_microwave_tone_depletes_the_pump_as_the_three_wave_equations_say() -> None:
    k_p, k_pe, k_o, g0, n_b, drive = 1.0, 0.5, 2.0, 0.01, 5000.0, 10.0
    undepleted = k_pe * drive**2 / (k_p**2 / 4)

    def rhs(t: float, y: np.ndarray) -> list[complex]:
        p, a = y  # the tone is held at sqrt(n_b)
        return [
            -k_p / 2 * p - 1j * g0 * a * np.sqrt(n_b) - np.sqrt(k_pe) * drive,
            -k_o / 2 * a - 1j * g0 * p * np.sqrt(n_b),
        ]

    run = solve_ivp(rhs, (0, 80), np.zeros(2, complex), rtol=1e-10, atol=1e-12)
    found = depleted_photons(undepleted, g0, n_b, k_p, k_o)
    assert found == pytest.approx(50.0, rel=1e-12)
    assert found == pytest.approx(abs(run.y[0, -1]) ** 2, rel=1e-7)


def test_l7_bose_occupation_is_the_boltzmann_sum() -> None:
    omega, temperature = TWO_PI * 8e9, 0.050
    x = HBAR * omega / (BOLTZMANN * temperature)
    weights = np.exp(-x * np.arange(200))
    assert thermal_occupation(omega, temperature) == pytest.approx(
        np.sum(np.arange(200) * weights) / np.sum(weights), rel=1e-12
    )
    assert thermal_occupation(omega, 0.0) == 0.0
