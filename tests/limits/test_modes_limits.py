"""L13, L4, L5: mode functions, what a device holds, Kerr resonators, against kernels and moment equations of the test's own.

Kernels are written from the two-by-two Langevin equations and diagonalised on Gauss nodes (Nystroem);
held operators and packets are collected forward in time, the engine works backward.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm, solve_continuous_lyapunov

from cavities import (
    Bath,
    Gaussian,
    GaussianState,
    HotBath,
    Mode,
    Oscillator,
    ParameterError,
    PowerLaw,
    Pump,
    Sideband,
    Square,
    UnstableError,
    power_for_photons,
)
from cavities.envelope import Envelope
from cavities.wavepackets import TemporalMode
from transducer import ElectroOptic, Phonon, PiezoOptomechanical
from transducer.devices.kerr import KerrResonator
from transducer.solvers import scattering
from transducer.solvers.modes import emitted, mixed, pairs
from transducer.solvers.pulse import respond
from transducer.solvers.quadrature import output_noise

RED, BLUE = Sideband.RED, Sideband.BLUE
Complex = np.ndarray


def converter(
    optical: tuple[float, float],
    microwave: tuple[float, float],
    quanta: tuple[float, float, float] = (0.0, 0.0, 0.0),
    delta: tuple[float, float] = (0.0, 0.0),
) -> ElectroOptic:
    """Electro-optic device of (external, internal) rates; quanta of waveguide, internal and optical baths."""
    return ElectroOptic(
        Mode(1e4, *optical),
        Mode(1e3, *microwave),
        1e-3,
        1.0,
        Bath(quanta[0]),
        Bath(quanta[1]),
        Bath(quanta[2]),
        *delta,
    )


def pump_of(
    device: ElectroOptic, C: float, side: Sideband = RED, envelope: Envelope | None = None
) -> Pump:
    return device.pump_for(C, Pump(0.0, sideband=side, envelope=envelope))


def gauss_nodes(a: float, b: float, count: int, pieces: int = 1) -> tuple[np.ndarray, np.ndarray]:
    x, w = np.polynomial.legendre.leggauss(count)
    edges = np.linspace(a, b, pieces + 1)
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + half * (x + 1)).ravel(), (half * w).ravel()


def gram(first: Sequence[TemporalMode], second: Sequence[TemporalMode]) -> Complex:
    """int u_i^* v_j dt of packets that live in one window."""
    t, w = gauss_nodes(*first[0].span, 60, 3)
    u, v = (np.array([mode.at(t) for mode in modes]) for modes in (first, second))
    return np.asarray(np.conj(u) * w @ v.T)


# --- emitted(): mode functions of one port -------------------------------------------------------------


def test_emitted_modes_are_the_eigenfunctions_of_the_two_time_kernel_of_converted_heat() -> None:
    """Detuned converter, warm microwave: <a_out^dag(t) a_out(s)> is complex and has two rates.

    The optical port is in vacuum, so that the kernel is kappa_ext <a^dag(t) a(s)>, by regression.
    """
    device = converter((1.1, 0.5), (0.3, 0.4), quanta=(0.2, 0.9, 0.0), delta=(0.8, -0.35))
    pump = pump_of(device, 0.9)
    T = 6.0
    basis = TemporalMode.legendre("optical.out", 0.0, T, 24, offset=-0.2)
    found = emitted(respond(device, pump, basis))

    g = np.sqrt(0.9 * 1.6 * 0.7) / 2
    A = np.array([[-0.8 - 0.8j, -1j * g], [-1j * g, -0.35 + 0.35j]])
    D = np.diag([0.0, 0.3 * 0.2 + 0.4 * 0.9])
    # X_ij = <x_j^dag x_i>: A X + X A^dag + D = 0
    X = solve_continuous_lyapunov(A, -D)
    t, w = gauss_nodes(0.0, T, 150)
    values, vectors = np.linalg.eig(A)
    start = np.linalg.solve(vectors, X[:, 0])  # <a^dag(t) x(t)>
    delay = t[None, :] - t[:, None]
    later = vectors[0] * start @ np.exp(values[:, None, None] * np.abs(delay)).reshape(2, -1)
    later = later.reshape(delay.shape)
    kernel = 1.1 * np.where(delay >= 0, later, np.conj(later))
    assert np.abs(kernel.imag).max() > 0.15 * kernel.real.max()
    theirs, functions = np.linalg.eigh(np.sqrt(w)[:, None] * kernel * np.sqrt(w))
    theirs, functions = theirs[::-1], functions[:, ::-1]
    # the kernel is kinked only in its imaginary and second derivative: converted light is smooth
    assert found.quanta[:4] == pytest.approx(theirs[:4], rel=1e-4)
    for k in range(3):
        # int F(t, s) phi*(s) ds = lambda phi*(t)
        share = abs(np.sum(found.modes[k].at(t) * functions[:, k] * np.sqrt(w))) ** 2
        assert share == pytest.approx(1.0, abs=1e-4)
    assert np.all(np.diff(found.quanta) <= 0)
    assert found.tail < 1e-3
    # quanta in a window are those of the flux
    assert found.quanta.sum() == pytest.approx(1.1 * X[0, 0].real * T, rel=1e-3)


def test_emitted_modes_respond_with_their_own_quanta_and_without_correlations() -> None:
    """The packets that `emitted` gives, asked again of the engine."""
    device = converter((1.1, 0.5), (0.3, 0.4), quanta=(0.2, 0.9, 0.0), delta=(0.8, -0.35))
    pump = pump_of(device, 1.3, BLUE, Gaussian(1.4))
    basis = TemporalMode.legendre("microwave.waveguide", -1.0, 9.0, 20, offset=0.3)
    found = emitted(respond(device, pump, basis))
    again = respond(device, pump, found.modes[:3])
    assert np.abs(again.overlaps - np.eye(3)).max() < 1e-10
    assert again.normal == pytest.approx(np.diag(found.quanta[:3]), abs=2e-7)
    # no other packet of the window holds more than the first
    rng = np.random.default_rng(4)
    for _ in range(5):
        c = rng.normal(size=20) + 1j * rng.normal(size=20)
        other = mixed(basis, c / np.linalg.norm(c))
        assert float(respond(device, pump, [other]).quanta()) < found.quanta[0]


def test_emitted_reports_a_basis_that_does_not_hold_the_light() -> None:
    device = converter((1.4, 0.6), (0.8, 0.3), quanta=(0.0, 0.6, 0.0))
    pump = pump_of(device, 2.0, RED, Gaussian(0.5))
    wide = emitted(respond(device, pump, TemporalMode.legendre("optical.out", 0.0, 12.0, 24)))
    poor = emitted(respond(device, pump, TemporalMode.legendre("optical.out", 0.0, 12.0, 4)))
    assert wide.tail < 1e-2
    assert poor.tail > 0.05


@pytest.mark.parametrize(
    ("packets", "sentence"),
    [
        (
            [
                TemporalMode.box("optical.out", 0.0, 2.0),
                TemporalMode.box("microwave.waveguide", 0.0, 2.0),
            ],
            "must belong to one port",
        ),
        (
            [
                TemporalMode.box("optical.out", 0.0, 2.0),
                TemporalMode.box("optical.out", 1.0, 3.0),
            ],
            r"not orthonormal \(by 0.5\); take TemporalMode.legendre",
        ),
    ],
)
def test_a_basis_that_is_none_is_refused(packets: list[TemporalMode], sentence: str) -> None:
    device = converter((1.4, 0.6), (0.8, 0.3))
    with pytest.raises(ParameterError, match=sentence):
        emitted(respond(device, pump_of(device, 0.5), packets))


def test_a_batch_has_no_one_set_of_mode_functions() -> None:
    device = converter((1.4, 0.6), (0.8, 0.3))
    pump = device.pump_for(np.array([[0.3], [0.6]]), Pump(0.0))
    with pytest.raises(ParameterError, match="a batch has many; take one point"):
        emitted(respond(device, pump, TemporalMode.legendre("optical.out", 0.0, 2.0, 2)))


@pytest.mark.parametrize("count", [2, 5])
def test_mixed_packets_are_as_orthonormal_as_the_unitary_that_mixes_them(count: int) -> None:
    rng = np.random.default_rng(count)
    U, _ = np.linalg.qr(rng.normal(size=(count, count)) + 1j * rng.normal(size=(count, count)))
    basis = TemporalMode.legendre("optical.out", -1.5, 2.5, count, offset=0.7)
    packets = [mixed(basis, U[:, k]) for k in range(count)]
    assert gram(packets, packets) == pytest.approx(np.eye(count), abs=1e-10)
    # amplitude of each basis packet: c, not its conjugate
    assert gram(basis, packets) == pytest.approx(U, abs=1e-10)
    assert packets[0].port == "optical.out"
    assert packets[0].span == (-1.5, 2.5)


# --- pairs(): Schmidt modes ---------------------------------------------------------------------------


class PairSource:
    """A weakly and shortly pumped pair source, and its joint amplitude by first-order perturbation.

    psi(t, s) = -i sqrt(k_o k_e) int g(u) G_o(t - u) G_e(s - u) du with G_j(x) = exp(-(k_j/2 + i d_j) x).
    """

    def __init__(self, fwhm: float, C: float = 1e-4, internal: float = 0.3) -> None:
        self.k_o, self.k_e, self.d = (1.6, 0.4), (1.0, internal), (0.5, -0.3)
        self.device = converter(self.k_o, self.k_e, delta=self.d)
        self.envelope = Gaussian(fwhm)
        self.pump = pump_of(self.device, C, BLUE, self.envelope)
        self.g = np.sqrt(C * sum(self.k_o) * sum(self.k_e)) / 2
        self.window = (0.0, self.envelope.length + 9.0)

    def bases(self, count: int) -> tuple[list[TemporalMode], list[TemporalMode]]:
        return tuple(  # type: ignore[return-value]
            list(TemporalMode.legendre(port, *self.window, count, offset=offset))
            for port, offset in (("optical.out", self.d[0]), ("microwave.waveguide", self.d[1]))
        )

    def amplitude(self, t: np.ndarray) -> Complex:
        lam = (sum(self.k_o) + sum(self.k_e)) / 2 + 1j * sum(self.d)
        width, rate = self.envelope.fwhm, sum(self.k_o) / 2

        def rhs(x: float, y: Complex) -> list[complex]:
            inside = 0 <= x <= 5 * width
            s = 2.0 ** (-2 * ((x - 2.5 * width) / width) ** 2) if inside else 0.0
            return [rate * (s - y[0]), self.g * y[0] - lam * y[1]]

        run = solve_ivp(
            rhs,
            (0.0, self.window[1]),
            [0j, 0j],
            rtol=1e-9,
            atol=1e-14,
            max_step=width / 10,
            dense_output=True,
        )
        first = np.minimum(t[:, None], t)
        filled = run.sol(first.ravel())[1].reshape(first.shape)
        o = np.exp(-(sum(self.k_o) / 2 + 1j * self.d[0]) * (t[:, None] - first))
        e = np.exp(-(sum(self.k_e) / 2 + 1j * self.d[1]) * (t[None, :] - first))
        return np.asarray(-1j * np.sqrt(self.k_o[0] * self.k_e[0]) * filled * o * e)


def test_l13_schmidt_modes_at_low_gain_are_those_of_the_joint_amplitude() -> None:
    source = PairSource(2.0)
    one, two = source.bases(40)
    response = respond(source.device, source.pump, [*one, *two])
    found = pairs(response, range(40), range(40, 80))
    t, w = gauss_nodes(*source.window, 20, 16)
    psi = source.amplitude(t)
    root = np.sqrt(w)
    U, s, Vh = np.linalg.svd(root[:, None] * psi * root)
    # the amplitude is kinked at equal times: 40 polynomials miss a share as 1/40^2 of it, mostly of the weak modes
    assert found.correlations[:2] == pytest.approx(s[:2], rel=2e-3)
    assert found.correlations[2:4] == pytest.approx(s[2:4], rel=2e-2)
    for k in range(2):
        assert abs(np.sum(np.conj(U[:, k]) * found.first[k].at(t) * root)) == pytest.approx(
            1.0, abs=1e-3
        )
        assert abs(np.sum(np.conj(Vh[k]) * found.second[k].at(t) * root)) == pytest.approx(
            1.0, abs=1e-3
        )
    K = np.sum(s**2) ** 2 / np.sum(s**4)
    # the weak modes that they miss count here: 0.7 % (14 polynomials: 11 %)
    assert found.schmidt_number == pytest.approx(K, rel=1.2e-2)
    assert K > 1.5


def test_schmidt_packets_are_correlated_one_to_one_with_the_stated_strength() -> None:
    """At high gain, too: asked again of the engine, <A_j B_k> is diagonal, real and positive."""
    source = PairSource(2.0, C=1.5)
    one, two = source.bases(14)
    found = pairs(respond(source.device, source.pump, [*one, *two]), range(14), range(14, 28))
    again = respond(source.device, source.pump, [*found.first[:3], *found.second[:3]])
    cross = again.anomalous[:3, 3:]
    assert cross == pytest.approx(np.diag(found.correlations[:3]), abs=1e-7)
    assert found.correlations[0] > 0.5
    assert gram(found.second[:4], found.second[:4]) == pytest.approx(np.eye(4), abs=1e-9)


def click_purity(state: GaussianState, clicked: int, eta: float) -> float:
    """Purity of the other modes after "some detector on the first `clicked` modes fired".

    rho_click = (rho - p_0 rho_0)/(1 - p_0), rho_0 Gaussian; Tr(rho sigma) = 1/sqrt det(V + W).
    """
    n = 2 * clicked
    V = state.covariance
    V_o, V_e, V_x = V[:n, :n], V[n:, n:], V[n:, :n]
    p_0 = 1 / np.sqrt(np.linalg.det(np.eye(n) + eta * (V_o - np.eye(n) / 2)))
    seen = V_o + np.eye(n) * (1 / eta - 0.5)
    V_0 = V_e - V_x @ np.linalg.solve(seen, V_x.T)

    def product(a: np.ndarray, b: np.ndarray) -> float:
        return float(1 / np.sqrt(np.linalg.det(a + b)))

    whole = product(V_e, V_e) - 2 * p_0 * product(V_e, V_0) + p_0**2 * product(V_0, V_0)
    return whole / (1 - p_0) ** 2


@pytest.mark.parametrize(("fwhm", "C"), [(0.25, 2e-2), (2.0, 6e-4), (4.0, 3e-4)])
def test_l13_a_weak_click_leaves_the_partner_with_purity_one_over_k(fwhm: float, C: float) -> None:
    """Every packet of both ports, Gaussian states subtracted as a click subtracts them.

    The microwave has no internal loss, so that a click heralds a photon and not a vacuum.
    """
    source = PairSource(fwhm, C, internal=0.0)
    one, two = source.bases(36)
    response = respond(source.device, source.pump, [*one, *two], rtol=1e-9)
    K = pairs(response, range(36), range(36, 72)).schmidt_number
    purity = click_purity(response.state(), 36, eta=0.3)
    # a second pair costs about four times the pairs per pulse; the basis leaves out 0.2 to 0.5 % of the partner,
    # where the click then leaves a vacuum: twice that of the purity
    pairs_per_pulse = float(np.trace(response.normal[36:, 36:]).real)
    assert pairs_per_pulse < 2e-3
    assert purity == pytest.approx(1 / K, rel=1.5e-2)


def test_a_longer_pump_pulse_makes_more_schmidt_modes() -> None:
    numbers = []
    for fwhm in (0.25, 2.0, 6.0):
        source = PairSource(fwhm)
        one, two = source.bases(20)
        found = pairs(respond(source.device, source.pump, [*one, *two]), range(20), range(20, 40))
        numbers.append(found.schmidt_number)
    assert 1.0 <= numbers[0] < numbers[1] < numbers[2]
    assert numbers[2] > 1.5 * numbers[0]


# --- what the device holds at the end -----------------------------------------------------------------


def crystal(
    kappa: tuple[float, float],
    omega_m: float,
    gamma: float,
    n: float,
    light: float = 0.0,
    hot: HotBath | None = None,
) -> PiezoOptomechanical:
    """Optomechanical crystal without a microwave mode."""
    return PiezoOptomechanical(
        Mode(1e6, *kappa),
        None,
        (Phonon(Oscillator(omega_m, gamma, Bath(n), hot), 1e-3, 0.0),),
        overlap=0.9,
        optical_bath=Bath(light),
    )


def light_for(
    device: PiezoOptomechanical,
    G: float,
    side: Sideband,
    envelope: Envelope | None,
    laser: float = 0.0,
) -> Pump:
    """Pump with this coupling on the first phonon at full power."""
    like = Pump(0.0, sideband=side, envelope=envelope, detuning=laser)
    photons = (G / device.phonons[0].g0) ** 2
    power = power_for_photons(device.optical, photons, device.pump_detuning(like), device.overlap)
    return replace(like, power=power)


def collect(
    drift: Callable[[float], Complex],
    noise: Callable[[float], list[tuple[Complex, float]]],
    start: Complex,
    edges: tuple[float, ...],
) -> Complex:
    """<x x^dag> at the end of x' = B(t) x + sum_j u_j(t) in_j with <in_j in_j^dag> = q_j."""
    size = len(start)

    def rhs(t: float, y: Complex) -> Complex:
        C, B = y.reshape(size, size), drift(t)
        D = sum(q * np.outer(u, np.conj(u)) for u, q in noise(t))
        return np.asarray(B @ C + C @ B.conj().T + D).ravel()

    y = start.astype(complex).ravel()
    for a, b in pairwise(edges):
        y = solve_ivp(
            rhs, (a, b), y, method="DOP853", rtol=1e-10, atol=1e-13, max_step=(b - a) / 30
        ).y[:, -1]
    return np.asarray(y.reshape(size, size))


def filling(device: PiezoOptomechanical, pump: Pump, envelope: Gaussian, end: float) -> Callable:
    """Pump field over its steady value: its own equation, integrated once."""
    kappa = float(device.optical.kappa)
    rate = kappa / 2 - 1j * float(device.pump_detuning(pump))
    T = envelope.fwhm

    def rhs(t: float, e: Complex) -> list[complex]:
        s = 2.0 ** (-2 * ((t - 2.5 * T) / T) ** 2) if t <= 5 * T else 0.0
        return [rate * (s - e[0])]

    pieces, last = [], np.zeros(1, complex)
    for a, b in ((0.0, min(5 * T, end)), (min(5 * T, end), end)):
        if b > a:
            run = solve_ivp(
                rhs,
                (a, b),
                last,
                method="DOP853",
                rtol=1e-10,
                atol=1e-12,
                max_step=T / 40,
                dense_output=True,
            )
            pieces.append((b, run.sol))
            last = run.y[:, -1]
    return lambda t: complex(next((sol for b, sol in pieces if t <= b), pieces[-1][1])(t)[0])


@pytest.mark.parametrize("end", [3.4, 7.5])
def test_l10_phonons_held_after_a_blue_pulse_are_those_of_the_moment_equations(end: float) -> None:
    """Warm phonon, warm light, detuned laser, a pump that rings up; within the pulse, and long after."""
    kappa, omega_m, gamma, n, light, G, laser = (4.0, 2.0), 90.0, 0.15, 0.8, 0.05, 0.6, 0.9
    device = crystal(kappa, omega_m, gamma, n, light)
    envelope = Gaussian(1.1)
    pump = light_for(device, G, BLUE, envelope, laser)
    found = respond(device, pump, [], held=("mechanics", "optical"), end=end, rtol=1e-9)
    assert found.creation == (True, False)
    e = filling(device, pump, envelope, end)

    def drift(t: float) -> Complex:
        g = G * e(t)
        # blue: the frame's optical mode stands at minus the laser's detuning
        return np.array([[-3.0 + 1j * laser, -1j * g], [1j * np.conj(g), -gamma / 2]])

    C = collect(
        drift,
        lambda t: [
            (np.array([np.sqrt(6.0), 0]), 1 + light),
            (np.array([0, np.sqrt(gamma)]), n),
        ],
        np.diag([1 + light, n]),
        (0.0, 2.75, *((5.5,) if end > 5.5 else ()), end),
    )
    assert float(found.quanta(0)) == pytest.approx(C[1, 1].real, abs=1e-7)
    assert float(found.quanta(1)) == pytest.approx(C[0, 0].real - 1, abs=1e-7)
    # anomalous moments have a test of their own below
    assert complex(found.anomalous[1, 0]) == pytest.approx(C[0, 1], abs=3e-6)
    assert float(found.quanta(0)) > n + 0.2
    assert abs(C[0, 1]) > 0.1 or end > 5.5  # the light that was born with the phonon is gone
    assert found.overlaps == pytest.approx(np.eye(2), abs=1e-12)


def test_anomalous_moments_are_as_accurate_as_the_engine_says() -> None:
    """Light and phonon in the falling edge of a pulse, against their own equation.

    `rtol` promises an error of "efficiencies and moments" below 1e-9; ten times that is allowed.
    """
    kappa, omega_m, gamma, n, light, G, laser = (4.0, 2.0), 90.0, 0.15, 0.8, 0.05, 0.6, 0.9
    device = crystal(kappa, omega_m, gamma, n, light)
    envelope, end = Gaussian(1.1), 5.4
    pump = light_for(device, G, BLUE, envelope, laser)
    e = filling(device, pump, envelope, end)

    def drift(t: float) -> Complex:
        g = G * e(t)
        return np.array([[-3.0 + 1j * laser, -1j * g], [1j * np.conj(g), -gamma / 2]])

    C = collect(
        drift,
        lambda t: [
            (np.array([np.sqrt(6.0), 0]), 1 + light),
            (np.array([0, np.sqrt(gamma)]), n),
        ],
        np.diag([1 + light, n]),
        (0.0, 2.75, end),
    )
    found = respond(device, pump, [], held=("mechanics", "optical"), end=end, rtol=1e-9)
    assert complex(found.anomalous[1, 0]) == pytest.approx(C[0, 1], abs=1e-8)


def test_a_held_phonon_and_the_stokes_packet_of_its_birth_are_correlated() -> None:
    """<a_v c> by collecting v*(t) a_out(t) as one more variable beside light and phonon."""
    kappa, omega_m, gamma, n, light, G = (3.5, 1.5), 90.0, 0.12, 0.35, 0.04, 0.7
    device = crystal(kappa, omega_m, gamma, n, light)
    envelope = Gaussian(0.9)
    pump = light_for(device, G, BLUE, envelope)
    end = 6.0
    packet = TemporalMode.gaussian("optical.out", 2.6, 1.2, offset=0.4, chirp=-0.2)
    packet = replace(packet, span=(0.0, 5.2), breaks=())
    found = respond(device, pump, [packet], held=("mechanics",), begin=0.0, end=end, rtol=1e-9)
    e = filling(device, pump, envelope, end)
    out, rest = 0.81 * 3.5, 5.0 - 0.81 * 3.5
    fine = gauss_nodes(0.0, 5.2, 40, 8)
    norm = np.sqrt(np.sum(fine[1] * np.abs(packet.at(fine[0])) ** 2))

    def v(t: float) -> complex:
        return complex(packet.at(np.array(t))) / norm if t <= 5.2 else 0.0

    def drift(t: float) -> Complex:
        g = G * e(t)
        return np.array(
            [
                [-2.5, -1j * g, 0],
                [1j * np.conj(g), -gamma / 2, 0],
                [np.conj(v(t)) * np.sqrt(out), 0, 0],
            ]
        )

    C = collect(
        drift,
        lambda t: [
            (np.array([-np.sqrt(out), 0, np.conj(v(t))]), 1 + light),
            (np.array([-np.sqrt(rest), 0, 0]), 1 + light),
            (np.array([0, -np.sqrt(gamma), 0]), n),
        ],
        np.diag([1 + light, n, 0.0]),
        (0.0, 2.25, 4.5, 5.2, end),
    )
    # the order is (packet, phonon); <P c> = <P (c^dag)^dag>
    assert complex(found.anomalous[0, 1]) == pytest.approx(C[2, 1], abs=1e-7)
    assert float(found.quanta(0)) == pytest.approx(C[2, 2].real - 1, abs=1e-7)
    assert float(found.quanta(1)) == pytest.approx(C[1, 1].real, abs=1e-7)
    assert found.overlaps == pytest.approx(np.eye(2), abs=1e-10)
    assert abs(C[2, 1]) > 0.3
    # and so strongly that the two are entangled, m^2 > n_1 n_2 (L5)
    n_1, n_2 = float(found.quanta(0)), float(found.quanta(1))
    assert abs(C[2, 1]) ** 2 > n_1 * n_2
    assert found.state().log_negativity([0]) > 0.1


def test_a_hot_bath_warms_the_held_phonon_as_its_rate_equation_says() -> None:
    """Coupling to light switched off by a vanishing g0: heat alone, at rate gamma_p(t), with occupation n_p(t)."""
    hot = HotBath(PowerLaw(3.0, 1e4, 0.5, 0.0, 1e9), PowerLaw(0.4, 1e4, 1.0, 0.0, 1e9))
    device = crystal((40.0, 20.0), 600.0, 0.05, 0.2, hot=hot)
    device = replace(device, phonons=(replace(device.phonons[0], g0=1e-9),))
    T, end = 4.0, 6.0
    like = Pump(0.0, envelope=Square(T))
    power = power_for_photons(device.optical, 2e4, device.pump_detuning(like), device.overlap)
    pump = replace(like, power=power)
    found = respond(device, pump, [], held=("mechanics",), end=end)

    rate = 30.0 - 1j * float(device.pump_detuning(pump))

    def photons(t: float) -> float:
        if t <= T:
            return 2e4 * abs(1 - np.exp(-rate * t)) ** 2
        return 2e4 * abs((1 - np.exp(-rate * T)) * np.exp(-rate * (t - T))) ** 2

    def rhs(t: float, y: np.ndarray) -> list[float]:
        x = photons(t)
        n_p, gamma_p = 3.0 * np.sqrt(x / 1e4), 0.4 * x / 1e4
        return [-0.05 * (y[0] - 0.2) - gamma_p * (y[0] - n_p)]

    run = np.array([0.2])
    for a, b in ((0.0, 0.3), (0.3, T), (T, T + 0.3), (T + 0.3, end)):
        run = solve_ivp(
            rhs, (a, b), run, rtol=1e-9, atol=1e-11, max_step=2e-3 if b - a < 0.5 else 0.1
        ).y[:, -1]
    assert float(found.quanta()) == pytest.approx(run[0], rel=1e-6)
    assert float(found.quanta()) > 1.0


def test_l10g_what_two_modes_hold_after_a_swap_is_what_qutip_finds() -> None:
    """Lossy, warm, detuned, from one microwave photon and .05 thermal quanta of light."""
    import qutip

    device = converter((0.15, 0.1), (0.05, 0.1), quanta=(0.02, 0.07, 0.03), delta=(0.25, -0.2))
    C = 4 * 0.7**2 / (0.25 * 0.15)
    pump = pump_of(device, C)
    T = 1.7
    found = respond(
        device,
        pump,
        [],
        held=("optical", "microwave"),
        begin=0.0,
        end=T,
        start={"microwave": 1.0, "optical": 0.05},
    )
    levels = 7
    a = qutip.tensor(qutip.destroy(levels), qutip.qeye(levels))
    b = qutip.tensor(qutip.qeye(levels), qutip.destroy(levels))
    H = 0.25 * a.dag() * a - 0.2 * b.dag() * b + 0.7 * (a.dag() * b + b.dag() * a)
    c_ops = []
    for op, rate, n in ((a, 0.25, 0.03), (b, 0.05, 0.02), (b, 0.1, 0.07)):
        c_ops += [np.sqrt(rate * (1 + n)) * op, np.sqrt(rate * n) * op.dag()]
    start = qutip.tensor(
        qutip.thermal_dm(levels, 0.05, method="analytic"), qutip.fock_dm(levels, 1)
    )
    run = qutip.mesolve(
        H,
        start,
        [0.0, T],
        c_ops,
        e_ops=[a.dag() * a, b.dag() * b, a.dag() * b],
        options={"rtol": 1e-9, "atol": 1e-11},
    )
    n_a, n_b, cross = (complex(x[-1]) for x in run.expect)
    # seven levels cut 1e-6 of three quanta
    assert float(found.quanta(0)) == pytest.approx(n_a.real, abs=1e-5)
    assert float(found.quanta(1)) == pytest.approx(n_b.real, abs=1e-5)
    assert complex(found.normal[0, 1]) == pytest.approx(cross, abs=1e-5)
    assert abs(cross.imag) > 0.05
    assert found.overlaps == pytest.approx(np.eye(2), abs=1e-12)


def test_held_operators_keep_their_commutators_in_every_frame_and_with_packets() -> None:
    """Red, blue and both sidebands; three modes and a packet at each of two ports that ends with them."""
    optical, microwave = Mode(1e6, 3.0, 1.0), Mode(30.2, 0.5, 0.3)
    for side, both in ((RED, False), (BLUE, False), (RED, True), (BLUE, True)):
        device = PiezoOptomechanical(
            optical,
            microwave,
            (Phonon(Oscillator(30.0, 0.1, Bath(0.3)), 1e-3, 0.3 * np.exp(0.6j)),),
            microwave_internal=Bath(0.2),
            counter_rotating=both,
        )
        pump = light_for(device, 0.5, side, Gaussian(0.8))
        packets = [
            TemporalMode.box("optical.out", 1.0, 4.5),
            TemporalMode.exponential("microwave.waveguide", 4.5, 1.1, rising=True),
        ]
        packets[1] = replace(packets[1], span=(-3.0, 4.5))
        found = respond(
            device, pump, packets, held=("mechanics", "optical", "microwave"), end=4.5, rtol=1e-6
        )
        assert found.overlaps == pytest.approx(np.eye(5), abs=1e-11)
        assert found.state().symplectic_eigenvalues().min() > 0.5 - 1e-9
        assert found.quanta(2) == pytest.approx(found.state().photons[2], abs=1e-10)


def test_a_held_mode_that_is_not_there_is_refused_by_name() -> None:
    device = crystal((4.0, 2.0), 90.0, 0.15, 0.0)
    pump = light_for(device, 0.3, RED, Gaussian(0.5))
    with pytest.raises(ParameterError, match="no mode 'microwave'; the device has optical, mech"):
        respond(device, pump, [], held=("microwave",), end=3.0)
    with pytest.raises(ParameterError, match="no mode 'phonon'"):
        respond(device, pump, [], held=("mechanics",), end=3.0, start={"phonon": 1.0})
    with pytest.raises(ParameterError, match="'end' must be given"):
        respond(device, pump, [], held=("mechanics",))
    with pytest.raises(ParameterError, match="after its end"):
        respond(device, pump, [], held=("mechanics",), begin=4.0, end=3.0)


def test_the_chance_that_a_stored_quantum_reaches_a_packet_is_that_of_its_amplitude() -> None:
    """Three modes, complex piezo coupling, shaped red pulse: one amplitude equation forward in time."""
    optical, microwave = Mode(1e6, 3.0, 1.0), Mode(50.3, 0.5, 0.3)
    piezo = 0.6 * np.exp(0.6j)
    device = PiezoOptomechanical(
        optical, microwave, (Phonon(Oscillator(50.0, 0.1), 1e-3, piezo),), overlap=0.9
    )
    envelope = Gaussian(1.2)
    pump = light_for(device, 1.3, RED, envelope, laser=-0.4)
    packet = TemporalMode.gaussian("optical.out", 3.6, 1.5, offset=0.3)
    packet = replace(packet, span=(0.0, 9.0), breaks=())
    found = respond(device, pump, [packet], begin=0.0, start={})
    e = filling(device, pump, envelope, 9.0)
    t, w = gauss_nodes(0.0, 9.0, 40, 8)
    norm = np.sqrt(np.sum(w * np.abs(packet.at(t)) ** 2))

    def rhs(x: float, y: Complex) -> list[complex]:
        a, b, c, _ = y
        g = 1.3 * e(x)
        v = complex(packet.at(np.array(x))) / norm
        return [
            -(2.0 + 0.4j) * a - 1j * g * c,
            -(0.4 + 0.3j) * b - 1j * piezo * c,
            -0.05 * c - 1j * np.conj(piezo) * b - 1j * np.conj(g) * a,
            np.conj(v) * np.sqrt(0.81 * 3.0) * a,
        ]

    for mode in range(3):
        y = np.zeros(4, complex)
        y[mode] = 1.0
        for a, b in ((0.0, 3.0), (3.0, 6.0), (6.0, 9.0)):
            y = solve_ivp(rhs, (a, b), y, method="DOP853", rtol=1e-10, atol=1e-12, max_step=0.1).y[
                :, -1
            ]
        assert float(found.from_start(mode)) == pytest.approx(abs(y[3]) ** 2, abs=1e-8)
    assert float(found.from_start(2)) > 0.01


# --- Kerr resonators ------------------------------------------------------------------------------------

KERR_MODE = Mode(3e4, 0.9, 0.4)
BISTABLE = {"negative": (-0.02, 2.4, 95.0), "positive": (0.03, -2.4, 60.0)}


def kerr(
    K: float, delta: float, flux: float, quanta: tuple[float, float] = (0, 0)
) -> KerrResonator:
    return KerrResonator(KERR_MODE, K, delta, flux, Bath(quanta[0]), Bath(quanta[1]))


def steady_numbers(K: float, delta: float, flux: float) -> np.ndarray:
    """Zeros of n ((delta + K n)^2 + kappa^2/4) - kappa_ext F by bisection between sign changes."""

    def excess(n: np.ndarray) -> np.ndarray:
        return n * ((delta + K * n) ** 2 + 1.3**2 / 4) - 0.9 * flux

    n = np.linspace(0, 4 * 0.9 * flux / 1.3**2 + 1, 400_001)
    found = []
    for k in np.flatnonzero(np.diff(np.sign(excess(n)))):
        a, b = n[k], n[k + 1]
        for _ in range(60):
            middle = (a + b) / 2
            a, b = (middle, b) if np.sign(excess(middle)) == np.sign(excess(a)) else (a, middle)
        found.append((a + b) / 2)
    return np.array(found)


@pytest.mark.parametrize("side", ["negative", "positive"])
def test_a_kerr_resonator_has_the_photon_numbers_of_its_cubic(side: str) -> None:
    K, delta, flux = BISTABLE[side]
    numbers = []
    for scale in (0.1, 1.0, 6.0):
        found = kerr(K, delta, scale * flux).photon_numbers()
        assert found == pytest.approx(steady_numbers(K, delta, scale * flux), rel=1e-9)
        numbers.append(len(found))
    assert numbers == [1, 3, 1]
    # detuned to the other side it is never bistable
    assert len(kerr(-K, delta, flux).photon_numbers()) == 1


@pytest.mark.parametrize("side", ["negative", "positive"])
def test_the_outer_branches_are_where_the_driven_mean_field_settles(side: str) -> None:
    """alpha' = -i(delta + K|alpha|^2) alpha - kappa/2 alpha - sqrt(kappa_ext) alpha_in, from empty and from full."""
    K, delta, flux = BISTABLE[side]
    device = kerr(K, delta, flux)

    def rhs(t: float, y: Complex) -> list[complex]:
        a = y[0]
        pull = -1j * (delta + K * abs(a) ** 2) * a - 0.65 * a - np.sqrt(0.9 * flux)
        return [pull]

    low, middle, high = device.photon_numbers()
    for branch, n in ((0, low), (2, high)):
        start = device.field(branch) * 1.05
        settled = solve_ivp(rhs, (0, 60), [start], rtol=1e-10, atol=1e-12).y[0, -1]
        assert abs(settled) ** 2 == pytest.approx(n, rel=1e-7)
        assert device.field(branch) == pytest.approx(settled, rel=1e-7)
    from_empty = solve_ivp(rhs, (0, 80), [0j], rtol=1e-10, atol=1e-12).y[0, -1]
    assert min(abs(abs(from_empty) ** 2 / n - 1) for n in (low, high)) < 1e-6
    # a little off the middle branch it runs away
    for push in (0.99, 1.01):
        away = solve_ivp(rhs, (0, 80), [device.field(1) * push], rtol=1e-9, atol=1e-11).y[0, -1]
        assert abs(abs(away) ** 2 / middle - 1) > 0.2
    # and the field of every branch is a zero of the equation
    for branch in range(3):
        assert abs(rhs(0.0, [device.field(branch)])[0]) < 1e-8


@pytest.mark.parametrize("side", ["negative", "positive"])
def test_the_middle_branch_is_refused_as_unstable(side: str) -> None:
    K, delta, flux = BISTABLE[side]
    device = kerr(K, delta, flux)
    with pytest.raises(
        UnstableError, match=r"unstable with .* photons inside \(branch 1 of 3\): choose another"
    ):
        device.linearise(1)
    for branch in (0, 2):
        assert device.linearise(branch).growth_rate < 0


def test_a_kerr_resonator_without_drive_or_without_kerr_is_a_cavity() -> None:
    assert kerr(-0.02, 0.7, 0.0).photon_numbers() == pytest.approx(np.zeros(1))
    assert kerr(0.0, 0.7, 50.0).photon_numbers() == pytest.approx(
        np.array([0.9 * 50 / (0.49 + 0.65**2)]), rel=1e-12
    )
    S = scattering.scatter(kerr(-0.02, 0.7, 0.0).linearise(), np.array(0.3))
    assert S[0, 0] == pytest.approx(1 - 0.9 / (0.65 + 0.4j), rel=1e-12)


def bogoliubov(
    K: float, delta: float, alpha: complex, w: float
) -> tuple[dict[str, Complex], dict[str, Complex]]:
    """Output at the guide at +w and -w: weights of a and a^dag of both ports, by 2 x 2 inverses."""
    D, s = delta + 2 * K * abs(alpha) ** 2, K * alpha**2
    rows = {}
    for sign in (1, -1):
        # (-iw + kappa/2 + iD) a + i s a^dag = -sum sqrt(k) in; and its conjugate at -w
        x, y = 0.65 + 1j * D - 1j * sign * w, 0.65 - 1j * D - 1j * sign * w
        det = x * y - abs(s) ** 2
        aa, ad = y / det, -1j * s / det
        out = {"guide": np.sqrt(0.9), "int": np.sqrt(0.4)}
        keep = {p: (p == "guide") - np.sqrt(0.9) * aa * r for p, r in out.items()}
        turn = {p: -np.sqrt(0.9) * ad * r for p, r in out.items()}
        rows[sign] = (keep, turn)
    return rows[1], rows[-1]  # type: ignore[return-value]


@pytest.mark.parametrize("case", ["negative", "positive", "amplifier"])
def test_noise_and_squeezing_behind_a_kerr_resonator_are_a_bogoliubov_transformation(
    case: str,
) -> None:
    """Unequal warm baths at both ports; gain of signal and idler, output noise, best squeezing."""
    K, delta, flux = BISTABLE.get(case, (-0.02, 1.05, 20.0))
    branch = 2 if case in BISTABLE else 0
    device = kerr(K, delta, flux, (0.15, 0.4))
    alpha = device.field(branch)
    linear = device.linearise(branch)
    n = {"guide": 0.15, "int": 0.4}
    for w in (0.0, 0.37, -1.2):
        (keep, turn), (keep_m, turn_m) = bogoliubov(K, delta, alpha, w)
        S = scattering.scatter(linear, np.array(w))
        i = linear.index("waveguide", False)
        j = linear.index("waveguide", True)
        assert S[i, i] == pytest.approx(keep["guide"], rel=1e-9)
        assert S[i, j] == pytest.approx(turn["guide"], rel=1e-9)
        # commutator of the output, by hand: |keep|^2 - |turn|^2 over both ports
        hand = sum(abs(keep[p]) ** 2 - abs(turn[p]) ** 2 for p in n)
        assert hand == pytest.approx(1.0, abs=1e-10)
        J = np.diag(linear.signature)
        assert np.abs(S @ J @ S.conj().T - J).max() < 1e-12 * max(1.0, np.abs(S).max() ** 2)

        N = sum(abs(keep[p]) ** 2 * n[p] + abs(turn[p]) ** 2 * (n[p] + 1) for p in n)
        N_m = sum(abs(keep_m[p]) ** 2 * n[p] + abs(turn_m[p]) ** 2 * (n[p] + 1) for p in n)
        # <b(w) b(-w)> = sum keep(w) turn(-w) (n + 1) + turn(w) keep(-w) n
        M = sum(keep[p] * turn_m[p] * (n[p] + 1) + turn[p] * keep_m[p] * n[p] for p in n)
        found = output_noise(linear, np.array(w))
        assert found.occupation("waveguide") == pytest.approx(N, rel=1e-9)
        assert found.squeezing("waveguide") == pytest.approx(0.5 + (N + N_m) / 2 - abs(M), rel=1e-9)
        best = np.angle(M) / 2 + np.pi / 2
        assert found.homodyne("waveguide", best) == pytest.approx(
            0.5 + (N + N_m) / 2 - abs(M), rel=1e-9
        )
    if case == "amplifier":
        gain = abs(bogoliubov(K, delta, alpha, 0.0)[0][0]["guide"]) ** 2
        assert gain > 1.5


def test_a_cold_lossless_kerr_resonator_squeezes_as_much_as_it_amplifies() -> None:
    """Pure two-photon squeezing at line centre: sqrt of the product of extreme variances is the vacuum's."""
    device = KerrResonator(Mode(3e4, 1.3, 0.0), -0.02, 1.05, 13.0)
    found = output_noise(device.linearise(), np.array(0.0))
    low = float(found.squeezing("waveguide"))
    high = 1 + 2 * float(found.occupation("waveguide")) - low
    assert low * high == pytest.approx(0.25, rel=1e-9)
    assert low < 0.3
    alpha, D = device.field(), 1.05 - 0.04 * abs(device.field()) ** 2
    # gain by hand
    G = abs(1 - 1.3 * (0.65 - 1j * D) / (0.65**2 + D**2 - (0.02 * abs(alpha) ** 2) ** 2)) ** 2
    r = np.arccosh(np.sqrt(G))
    assert low == pytest.approx(np.exp(-2 * r) / 2, rel=1e-7)


def test_two_modes_relax_in_the_engine_as_one_matrix_exponential() -> None:
    """Held amplitudes without pulse or packet: the memory is exp(A T), so nothing is lost in bookkeeping."""
    device = converter((0.4, 0.3), (0.2, 0.6), delta=(0.5, -0.7))
    pump = pump_of(device, 3.0)
    g = np.sqrt(3.0 * 0.7 * 0.8) / 2
    A = np.array([[-0.35 - 0.5j, -1j * g], [-1j * g, -0.4 + 0.7j]])
    found = respond(device, pump, [], held=("optical", "microwave"), begin=0.0, end=2.3)
    assert found.memory == pytest.approx(expm(2.3 * A), abs=1e-8)
