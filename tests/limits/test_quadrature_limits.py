"""Squeezed, amplified and correlated light: quadrature scattering, squashing, parametric gain, cascades (L13e)."""

from dataclasses import replace

import numpy as np
import pytest

from cavities import (
    Bath,
    GaussianState,
    Mode,
    Oscillator,
    ParameterError,
    Pump,
    Sideband,
    power_for_photons,
)
from cavities.capacity import adaptive_noise
from transducer import ElectroOptic, StokesMode
from transducer.devices.membrane import Membrane
from transducer.devices.piezo import Phonon, PiezoOptomechanical
from transducer.devices.single_mode import SingleModeElectroOptic
from transducer.linear import LinearDevice, langevin
from transducer.network import Coupling, Door, Mixing, Network, Resonance
from transducer.solvers import scattering
from transducer.solvers.quadrature import (
    PortNoise,
    cascade,
    doubled,
    drive_angle,
    linearised_kerr,
    output_noise,
    quadrature_scattering,
)

RED, BLUE = Sideband.RED, Sideband.BLUE


def electro_optic(stokes: bool = False) -> ElectroOptic:
    other = StokesMode(Mode(1e4, 0.9, 0.5), 0.4, 0.8) if stokes else None
    return ElectroOptic(
        Mode(1e4, 1.4, 0.6),
        Mode(1e3, 0.8, 0.3),
        1e-3,
        0.9,
        Bath(0.13),
        Bath(0.3),
        Bath(0.05),
        0.35,
        -0.2,
        stokes=other,
    )


def at(device: object, photons: float, side: Sideband = RED, detuning: float = 0.0) -> Pump:
    like = Pump(0.0, sideband=side, detuning=detuning)
    power = power_for_photons(device.pumped, photons, device.pump_detuning(like), device.overlap)
    return replace(like, power=power)


def devices() -> dict[str, LinearDevice]:
    eo, stokes = electro_optic(), electro_optic(True)
    piezo = PiezoOptomechanical(
        Mode(1e4, 1.4, 0.6),
        Mode(39.6, 0.8, 0.3),
        (
            Phonon(Oscillator(40.0, 0.2, Bath(0.4)), 1e-3, 0.3 + 0.2j),
            Phonon(Oscillator(40.9, 0.1, Bath(0.2)), 6e-4, -0.25),
        ),
        direct=1e-4j,
        overlap=0.9,
        microwave_waveguide=Bath(0.13),
        microwave_internal=Bath(0.3),
    )
    membrane = Membrane(
        Mode(1e4, 1.4, 0.6),
        Mode(1e3, 0.8, 0.3),
        Oscillator(3.0, 0.05, Bath(2.0)),
        1e-3,
        1e-3,
        Pump(0.0),
        0.9,
        Bath(0.13),
        Bath(0.3),
        Bath(0.05),
    )
    membrane = replace(
        membrane, microwave_pump=Pump(power_for_photons(membrane.microwave, 2e4, -3.0))
    )
    single = SingleModeElectroOptic(
        Mode(1e4, 1.4, 0.6), Mode(3.0, 0.3, 0.2), 1e-3, 0.9, Bath(0.13), Bath(0.3), Bath(0.05)
    )
    found = {
        "red": eo.linearise(at(eo, 2e5)),
        "blue": eo.linearise(at(eo, 1e5, BLUE)),
        "stokes": stokes.linearise(at(stokes, 1e5)),
        "piezo red": piezo.linearise(at(piezo, 2e5)),
        "piezo blue": piezo.linearise(at(piezo, 2e4, BLUE)),
        "piezo both": replace(piezo, counter_rotating=True).linearise(at(piezo, 4e4)),
        "membrane": membrane.linearise(at(membrane, 4e4, detuning=0.3)),
        "membrane rotating": replace(
            membrane, mechanics=Oscillator(30.0, 0.05, Bath(2.0)), rotating_wave=True
        ).linearise(
            at(replace(membrane, mechanics=Oscillator(30.0, 0.05, Bath(2.0))), 4e4, detuning=0.3)
        ),
        "single": single.linearise(at(single, 4e4, detuning=0.2)),
        "kerr": parametric(0.3 - 0.2j, 0.4),
    }
    return found


def parametric(g: complex, delta: float, n: float = 0.0) -> LinearDevice:
    """One mode of linewidth 1.5 that squeezes itself; 2/3 of its loss leaves by the guide."""
    return langevin(
        Network(
            (Resonance("a", delta),),
            (Door.of("guide", "a", 1.0, n), Door.of("loss", "a", 0.5, 0.0)),
            (Coupling("a", "a", Mixing.SQUEEZING, g),),
        )
    )


KINDS = list(devices())


@pytest.mark.parametrize("kind", KINDS)
def test_the_quadratures_scatter_by_a_real_symplectic_matrix_at_zero_frequency(kind: str) -> None:
    device = devices()[kind]
    S = quadrature_scattering(device, np.array(0.0))
    p = len(S) // 2
    J = np.block([[np.zeros((p, p)), np.eye(p)], [-np.eye(p), np.zeros((p, p))]])
    scale = max(1.0, np.abs(S).max() ** 2)
    assert p == len(device.names)
    assert np.abs(S.imag).max() < 1e-12 * scale
    assert np.abs(S @ J @ S.T - J).max() < 1e-12 * scale
    w = np.array([0.7, 3.1])
    S = quadrature_scattering(device, w)  # elsewhere it keeps J with S(-w) on the other side
    mirror = quadrature_scattering(device, -w)
    assert np.abs(mirror - S.conj()).max() < 1e-12 * scale
    assert np.abs(S @ J @ np.swapaxes(mirror, -1, -2) - J).max() < 1e-11 * scale


@pytest.mark.parametrize("kind", KINDS)
def test_noise_of_thermal_inputs_is_the_sum_over_the_ports(kind: str) -> None:
    device = devices()[kind]
    w = np.array([-1.3, 0.0, 0.4, 3.05])
    found = output_noise(device, w)
    assert set(found.ports) == set(device.names)
    for name in device.names:
        creation = device.ports[device.index(name)].creation
        # the row of a creation operator at -w tells of its mode at w
        S = scattering.scatter(device, -w if creation else w)
        theirs = sum(scattering.noise_by_port(device, S, name).values())
        assert found.occupation(name) == pytest.approx(theirs, rel=1e-9, abs=1e-12)
        i = found.ports.index(name)
        S = scattering.scatter(device, w if creation else -w)
        mirrored = sum(scattering.noise_by_port(device, S, name).values())
        assert found.mirrored[:, i, i].real == pytest.approx(mirrored, rel=1e-9, abs=1e-12)
        assert np.all(found.squeezing(name) > 0)
        assert np.all(found.squeezing(name) <= found.homodyne(name, 0.3) + 1e-12)


def test_correlations_of_a_blue_device_are_its_pair_moments() -> None:
    device = devices()["blue"]
    w = np.array([-0.8, 0.0, 0.5])
    found = output_noise(device, w)
    pair = scattering.pair_moments(device, "optical.out", "microwave.waveguide", w)
    o, e = found.ports.index("optical.out"), found.ports.index("microwave.waveguide")
    assert found.normal[:, o, o].real == pytest.approx(pair.n_1, rel=1e-10)
    assert found.mirrored[:, e, e].real == pytest.approx(pair.n_2, rel=1e-10)
    assert found.anomalous[:, o, e] == pytest.approx(pair.m, rel=1e-10)
    assert np.abs(pair.m).min() > 0.05


def test_equal_baths_through_a_passive_device_stay_uncorrelated() -> None:
    eo = replace(
        electro_optic(),
        microwave_waveguide=Bath(0.7),
        microwave_internal=Bath(0.7),
        optical_bath=Bath(0.7),
    )
    found = output_noise(eo.linearise(at(eo, 2e5)), np.array([0.0, 0.9]))
    assert found.normal == pytest.approx(np.broadcast_to(0.7 * np.eye(5), (2, 5, 5)), abs=1e-12)
    assert np.abs(found.anomalous).max() < 1e-12


# --- squeezed inputs ----------------------------------------------------------------------------------


def test_squeezed_light_through_a_lossy_converter_keeps_eta_of_its_squeezing() -> None:
    """At line centre one phase rotates both quadratures: eta V + (1 - eta)/2."""
    device = ElectroOptic(Mode(1e4, 1.4, 0.6), Mode(1e3, 0.8, 0.3), 1e-3)
    pump = device.pump_for(0.6, Pump(0.0))
    linear = device.linearise(pump)
    r, angle = 0.7, 0.4
    found = output_noise(
        linear, np.array(0.0), {"microwave.waveguide": PortNoise.squeezed(r, angle)}
    )
    eta = 0.7 * (0.8 / 1.1) * 4 * 0.6 / 1.6**2
    i, j = linear.index("optical.out"), linear.index("microwave.waveguide")
    turn = float(np.angle(scattering.scatter(linear, np.array(0.0))[i, j]))
    for theta, V in ((0.0, np.exp(2 * r) / 2), (np.pi / 2, np.exp(-2 * r) / 2)):
        assert found.homodyne("optical.out", angle + turn + theta) == pytest.approx(
            eta * V + (1 - eta) / 2, rel=1e-9
        )
    assert found.squeezing("optical.out") == pytest.approx(
        eta * np.exp(-2 * r) / 2 + (1 - eta) / 2, rel=1e-9
    )
    assert found.squeezing("optical.out") < 0.5
    # a beam splitter shares the rest: all ports together hold the photons that came in
    assert sum(float(found.occupation(p)) for p in found.ports) == pytest.approx(np.sinh(r) ** 2)


def test_off_centre_a_squeezed_input_meets_two_amplitudes() -> None:
    """M_out(w) = S(w) S(-w) M: by hand from the two-by-two inverse of a detuned device."""
    device = ElectroOptic(
        Mode(1e4, 1.4, 0.6), Mode(1e3, 0.8, 0.3), 1e-3, delta_o=0.35, delta_e=-0.2
    )
    linear = device.linearise(device.pump_for(0.6, Pump(0.0)))
    noise = PortNoise.squeezed(0.7, 0.4, 0.2)
    g = np.sqrt(0.6 * 2.0 * 1.1) / 2

    def S(w: float) -> complex:
        x_o, x_e = 1.0 + 1j * (0.35 - w), 0.55 + 1j * (-0.2 - w)
        return 1j * g * np.sqrt(1.4 * 0.8) / (x_o * x_e + g**2)

    w = 0.55
    found = output_noise(linear, np.array(w), {"microwave.waveguide": noise})
    i = found.ports.index("optical.out")
    assert found.anomalous[i, i] == pytest.approx(S(w) * S(-w) * noise.anomalous, rel=1e-10)
    assert found.occupation("optical.out") == pytest.approx(
        abs(S(w)) ** 2 * noise.normal, rel=1e-10
    )
    assert abs(abs(S(w)) / abs(S(-w)) - 1) > 0.09
    mean = 0.5 + noise.normal * (abs(S(w)) ** 2 + abs(S(-w)) ** 2) / 2
    assert found.homodyne("optical.out", 0.9) == pytest.approx(
        mean + (S(w) * S(-w) * noise.anomalous * np.exp(-1.8j)).real, rel=1e-10
    )


def test_l22f_a_squeezed_optical_input_replaces_the_vacuum_of_a_converter() -> None:
    """The idle port of a lossless converter carries the ancilla: x_o = sqrt(eta) x + sqrt(1-eta) x_s."""
    device = ElectroOptic(Mode(1e4, 2.0, 0.0), Mode(1e3, 1.1, 0.0), 1e-3)
    linear = device.linearise(device.pump_for(0.2, Pump(0.0)))
    eta = 4 * 0.2 / 1.2**2
    quiet = output_noise(linear, np.array(0.0), {"optical.out": PortNoise.squeezed(1.1, 0.2)})
    V_s = np.exp(-2.2) / 2
    assert quiet.squeezing("optical.out") == pytest.approx(eta / 2 + (1 - eta) * V_s, rel=1e-9)
    added = (quiet.squeezing("optical.out") - eta / 2) / eta
    assert float(adaptive_noise(eta, V_s)) == pytest.approx(float(added), rel=1e-9)


def test_a_ports_noise_has_the_quadratures_it_says_and_no_more_than_quantum_mechanics_allows() -> (
    None
):
    noise = PortNoise.squeezed(0.6, 0.3, 0.25)
    for V, angle in ((0.75 * np.exp(1.2), 0.3), (0.75 * np.exp(-1.2), 0.3 + np.pi / 2)):
        found = 0.5 + noise.normal + (noise.anomalous * np.exp(-2j * angle)).real
        assert found == pytest.approx(V, rel=1e-12)
    assert noise.quadratures == pytest.approx((0.75 * np.exp(1.2), 0.75 * np.exp(-1.2)), abs=1e-6)
    laser = PortNoise.laser(0.4, 1.7, 0.8)
    for V, angle in ((0.9, 0.8), (2.2, 0.8 + np.pi / 2)):
        found = 0.5 + laser.normal + (laser.anomalous * np.exp(-2j * angle)).real
        assert found == pytest.approx(V, rel=1e-12)
    # classical noise never squeezes
    assert min(PortNoise.laser(0.0, 3.0).quadratures) == pytest.approx(0.5)
    PortNoise(0.5, np.sqrt(0.75))
    with pytest.raises(ParameterError, match=r"exceeds sqrt\(N\(N\+1\)\) = 0\.866"):
        PortNoise(0.5, 0.87)
    with pytest.raises(ParameterError, match=r"PortNoise\.normal \[quanta\]"):
        PortNoise(-0.1)
    with pytest.raises(ParameterError, match="laser: phase"):
        PortNoise.laser(0.1, -0.2)
    with pytest.raises(ParameterError, match="there is no port 'optical'"):
        output_noise(devices()["red"], np.array(0.0), {"optical": noise})
    with pytest.raises(ParameterError, match="there is no port 'x'"):
        output_noise(devices()["red"], np.array(0.0)).occupation("x")


# --- laser noise in optomechanics ---------------------------------------------------------------------


def one_cavity(
    kappa: tuple[float, float], Delta: float, G: float, omega: float, gamma: float, n: float
) -> LinearDevice:
    return langevin(
        Network(
            (Resonance("a", -Delta), Resonance("c", omega)),
            (
                Door.of("light", "a", kappa[0], 0.0),
                Door.of("loss", "a", kappa[1], 0.0),
                Door.of("bath", "c", gamma, n),
            ),
            tuple(Coupling("a", "c", side, G) for side in Mixing),
        )
    )


def by_quadratures(
    kappa: tuple[float, float],
    Delta: float,
    G: float,
    omega: float,
    gamma: float,
    n: float,
    V: np.ndarray,
    w: float,
) -> np.ndarray:
    """Symmetrised output covariance of (x, p) at w, from the four real Langevin equations.

    x' = -k/2 x - Delta p, p' = Delta x - k/2 p - 2 G q, q' = omega r, r' = -omega q - 2 G x, both
    mechanical quadratures damped at gamma/2; V is the covariance of the light that comes in.
    """
    k = sum(kappa)
    F = np.array(
        [
            [-k / 2, -Delta, 0, 0],
            [Delta, -k / 2, -2 * G, 0],
            [0, 0, -gamma / 2, omega],
            [-2 * G, 0, -omega, -gamma / 2],
        ]
    )
    B = np.zeros((4, 6))
    B[0, 0] = B[1, 1] = -np.sqrt(kappa[0])
    B[0, 2] = B[1, 3] = -np.sqrt(kappa[1])
    B[2, 4] = B[3, 5] = -np.sqrt(gamma)
    T = np.linalg.solve(-1j * w * np.eye(4) - F, B)
    out = np.zeros((2, 6), complex)
    out[:, :2] = np.eye(2)
    out += np.sqrt(kappa[0]) * T[:2]
    C = np.zeros((6, 6))
    C[:2, :2], C[2:, 2:] = V, np.diag([0.5, 0.5, n + 0.5, n + 0.5])
    return out @ C @ out.conj().T


@pytest.mark.parametrize("Delta", [-3.0, -0.4])
def test_laser_noise_squashes_the_mechanical_line(Delta: float) -> None:
    """The laser's noise drives the membrane and beats with it: the sum of both alone is wrong."""
    kappa, G, omega, gamma, n = (1.1, 0.4), 0.12, 3.0, 0.01, 30.0
    device = one_cavity(kappa, Delta, G, omega, gamma, n)
    angle = drive_angle(sum(kappa), Delta)
    n_x, n_p = 0.5, 4.0
    laser = PortNoise.laser(n_x, n_p, angle)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    V = turn @ np.diag([0.5 + n_x, 0.5 + n_p]) @ turn.T
    line = omega + np.linspace(-0.25, 0.25, 41)
    found = output_noise(device, line, {"light": laser})
    for k in (0, 13, 20, 31):
        cov = by_quadratures(kappa, Delta, G, omega, gamma, n, V, float(line[k]))
        for theta in (0.0, 0.7, 2.1):
            u = np.array([np.cos(theta), np.sin(theta)])
            assert found.homodyne("light", theta)[k] == pytest.approx((u @ cov @ u).real, rel=1e-8)
    # what intensity detection at w would add up: mechanics without laser noise, laser without mechanics
    mechanics = output_noise(device, line).occupation("light")
    away = one_cavity(kappa, Delta, 0.0, omega, gamma, n)
    laser_alone = output_noise(away, line, {"light": laser}).occupation("light")
    both = found.occupation("light")
    excess = both - mechanics - laser_alone
    assert np.abs(excess).max() > 0.2


@pytest.mark.parametrize("eta", [0.3, 0.75])
def test_at_the_sideband_an_overcoupled_cavity_shows_less_than_its_phonons_and_its_laser(
    eta: float,
) -> None:
    """Line of a membrane heated by the laser, plus the laser's noise, is 4 eta C/(1+C) (2 eta - 1) n_L too much.

    By hand in the rotating wave: out = (1 - 2 eta/(1+C)) laser + ..., against |1 - 2 eta|^2 and a
    membrane that holds the laser's heat as if it knew nothing of the laser.
    """
    kappa, G, omega, gamma, n = 1.5, 0.12, 20.0, 0.01, 30.0
    ports = (eta * kappa, (1 - eta) * kappa)
    C = 4 * G**2 / (kappa * gamma)
    laser = PortNoise.laser(1.1, 3.4, drive_angle(kappa, -omega))
    n_L = (1.1 + 3.4) / 2
    device = one_cavity(ports, -omega, G, omega, gamma, n)
    # the pole, shifted by the spring
    poles = np.linalg.eigvals(device.A)
    w = np.array(-poles[np.argmin(np.abs(poles.imag + omega) + np.abs(poles.real) * 0.1)].imag)
    both = float(output_noise(device, w, {"light": laser}).occupation("light"))
    warmed = one_cavity(ports, -omega, G, omega, gamma, n + C * eta * n_L)
    alone = one_cavity(ports, -omega, 0.0, omega, gamma, n)
    apart = float(output_noise(warmed, w).occupation("light")) + float(
        output_noise(alone, w, {"light": laser}).occupation("light")
    )
    by_hand = 4 * eta * C / (1 + C) * (1 - 2 * eta) * n_L
    # resolved sideband, kappa/4 omega = 0.02; the line is 0.05 wide
    assert both - apart == pytest.approx(by_hand, rel=0.02)
    assert (both < apart) == (eta > 0.5)


def test_the_phase_of_the_drive_is_where_its_field_inside_is_real() -> None:
    """Steady state of alpha' = (i Delta - kappa/2) alpha - sqrt(kappa_ext) alpha_in, integrated."""
    from scipy.integrate import solve_ivp

    for Delta in (-2.3, 0.0, 0.7):
        drive = np.exp(1j * drive_angle(1.5, Delta))
        run = solve_ivp(
            lambda t, a, Delta=Delta, drive=drive: [
                (1j * Delta - 0.75) * a[0] - np.sqrt(1.1) * drive
            ],
            (0, 40),
            [0j],
            rtol=1e-10,
            atol=1e-12,
        )
        assert abs(np.angle(run.y[0, -1])) < 1e-8


def test_amplitude_and_phase_of_the_laser_do_different_things() -> None:
    """On resonance only amplitude noise pushes the membrane."""
    device = one_cavity((1.1, 0.4), 0.0, 0.12, 3.0, 0.01, 0.0)
    angle = drive_angle(1.5, 0.0)
    pushed = [
        float(output_noise(device, np.array(3.0), {"light": noise}).occupation("bath"))
        for noise in (
            PortNoise.laser(5.0, 0.0, angle),
            PortNoise.laser(0.0, 5.0, angle),
            PortNoise(0.0),
        )
    ]
    assert pushed[1] == pytest.approx(pushed[2], rel=1e-9)
    assert pushed[0] > 2 * pushed[2]


# --- Kerr and parametric gain -------------------------------------------------------------------------


def test_a_linearised_kerr_resonator_is_the_slope_of_its_classical_equation() -> None:
    """alpha' = -i(delta + K|alpha|^2) alpha - kappa/2 alpha: derivatives along both real directions."""
    kerr, field, delta = 0.013, 3.1 - 1.7j, -0.6

    def pull(alpha: complex) -> complex:
        return -1j * (delta + kerr * abs(alpha) ** 2) * alpha

    h = 1e-5
    along = (pull(field + h) - pull(field - h)) / (2 * h)
    across = (pull(field + 1j * h) - pull(field - 1j * h)) / (2j * h)
    detuning, squeezing = linearised_kerr(1.5, kerr, field, delta)
    # d alpha' = -i detuning d alpha - i squeezing d alpha*
    assert -1j * detuning == pytest.approx((along + across) / 2, abs=1e-8)
    assert -1j * squeezing == pytest.approx((along - across) / 2, abs=1e-8)
    A = parametric(squeezing, float(detuning)).A
    assert A[0, 0] == pytest.approx(-1j * detuning - 0.75, abs=1e-12)
    assert A[0, 1] == pytest.approx(-1j * squeezing, abs=1e-12)
    assert A[1, 0] == pytest.approx(np.conj(A[0, 1]), abs=1e-12)


@pytest.mark.parametrize("x", [0.2, 0.6, 0.95])
def test_a_degenerate_parametric_amplifier_squeezes_and_amplifies(x: float) -> None:
    """x' = -(k/2)(1 -+ x) x - sqrt(k_e) x_in: one real equation for each quadrature."""
    k_e, k_i = 1.0, 0.5
    k = k_e + k_i
    phase = 0.7
    device = parametric(x * k / 2 * np.exp(1j * phase), 0.0)
    for w in (0.0, 0.45):
        found = output_noise(device, np.array(w))
        for theta, sign in ((0.0, -1.0), (np.pi / 2, 1.0)):
            pole = k / 2 * (1 + sign * x) - 1j * w
            through, from_loss = 1 - k_e / pole, -np.sqrt(k_e * k_i) / pole
            V = (abs(through) ** 2 + abs(from_loss) ** 2) / 2
            # -i g a^dag: the amplified quadrature lies at half the phase of -i g
            angle = (phase - np.pi / 2) / 2 + theta
            assert found.homodyne("guide", angle) == pytest.approx(V, rel=1e-9)
            if sign > 0:
                assert found.squeezing("guide") == pytest.approx(V, rel=1e-9)
    # at line centre: 1/2 - (k_e/k) 2x/(1+x)^2
    assert output_noise(device, np.array(0.0)).squeezing("guide") == pytest.approx(
        0.5 - k_e / k * 2 * x / (1 + x) ** 2, rel=1e-9
    )


def test_a_parametric_amplifier_gives_pure_squeezing_only_without_loss() -> None:
    whole = langevin(
        Network(
            (Resonance("a"),),
            (Door.of("guide", "a", 1.5, 0.0),),
            (Coupling("a", "a", Mixing.SQUEEZING, 0.3),),
        )
    )
    pure = output_noise(whole, np.array(0.0))
    i = pure.ports.index("guide")
    N, M = pure.normal[i, i].real, pure.anomalous[i, i]
    assert abs(M) ** 2 == pytest.approx(N * (N + 1), rel=1e-9)
    state = GaussianState.from_correlations(pure.normal, pure.anomalous)
    assert state.symplectic_eigenvalues() == pytest.approx(np.array([0.5]), abs=1e-9)
    lossy = output_noise(parametric(0.3, 0.0), np.array(0.0))
    N, M = lossy.normal[0, 0].real, lossy.anomalous[0, 0]
    assert abs(M) ** 2 < 0.99 * N * (N + 1)


# --- cascades -----------------------------------------------------------------------------------------


def guide(kappa: float, delta: float = 0.0) -> LinearDevice:
    return langevin(Network((Resonance("a", delta),), (Door.of("guide", "a", kappa, 0.0),)))


def test_l13e_two_cavities_in_a_row_multiply_their_phases() -> None:
    both = cascade(guide(1.0), "guide", guide(2.0), "guide")
    S = scattering.scatter(both, np.array(0.3))[0, 0]
    assert np.angle(S) == pytest.approx(1.663752589, rel=1e-9)  # worked number
    by_hand = (-0.5 - 0.3j) / (0.5 - 0.3j) * (-1.0 - 0.3j) / (1.0 - 0.3j)
    assert pytest.approx(by_hand, abs=1e-12) == S


@pytest.mark.parametrize(
    ("first", "second"),
    [("red", "kerr"), ("blue", "stokes"), ("membrane", "blue"), ("kerr", "single")],
)
def test_l13e_a_cascade_scatters_as_the_product_and_keeps_its_commutators(
    first: str, second: str
) -> None:
    one, two = devices()[first], devices()[second]
    leaves = "guide" if first == "kerr" else "optical.out"
    enters = "guide" if second == "kerr" else "microwave.waveguide"
    both = cascade(one, leaves, two, enters)
    w = np.array([-0.6, 0.0, 0.9])
    S, S1, S2 = (scattering.scatter(d, w) for d in (both, doubled(one), doubled(two)))
    J = np.diag(both.signature)
    scale = max(1.0, np.abs(S).max() ** 2)
    assert np.abs(S @ J @ np.conj(np.swapaxes(S, -1, -2)) - J).max() < 1e-11 * scale
    d1, d2 = doubled(one), doubled(two)
    target = "loss" if second == "kerr" else "optical.out"
    source = "loss" if first == "kerr" else "microwave.int"
    for out_c in (False, True):
        for in_c in (False, True):
            product = sum(
                S2[:, d2.index(target, out_c), d2.index(enters, c)]
                * S1[:, d1.index(leaves, c), d1.index(source, in_c)]
                for c in (False, True)
            )
            found = S[:, both.index(target, out_c), both.index("first:" + source, in_c)]
            assert found == pytest.approx(product, rel=1e-9, abs=1e-12)
    # the second device's own inputs do not reach the first
    back = S[:, both.index("first:" + source), both.index(target)]
    assert np.abs(back).max() < 1e-12


def test_squeezing_made_by_one_device_is_what_the_next_one_gets() -> None:
    """A cascade against handing the outputs over as an input of the second device alone, at line centre."""
    amplifier = parametric(0.4, 0.0)
    device = ElectroOptic(Mode(1e4, 1.4, 0.6), Mode(1e3, 0.8, 0.3), 1e-3)
    linear = device.linearise(device.pump_for(0.6, Pump(0.0)))
    both = cascade(amplifier, "guide", linear, "microwave.waveguide")
    found = output_noise(both, np.array(0.0)).squeezing("optical.out")
    out = output_noise(amplifier, np.array(0.0))
    noise = PortNoise(float(out.normal[0, 0].real), complex(out.anomalous[0, 0]))
    by_step = output_noise(linear, np.array(0.0), {"microwave.waveguide": noise}).squeezing(
        "optical.out"
    )
    assert found == pytest.approx(by_step, rel=1e-10)
    assert found < 0.45
    # and what it holds in its first guide: a colder bath there would squeeze more
    warm = cascade(parametric(0.4, 0.0, 0.5), "guide", linear, "microwave.waveguide")
    assert output_noise(warm, np.array(0.0)).squeezing("optical.out") > found + 0.003
