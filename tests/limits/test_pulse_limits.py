"""L10, L13a-b, L24f-h: the pulse engine against integrals over frequency and moment equations of the test's own.

Nothing here calls the engine's matrices: scattering amplitudes are two-by-two inverses by hand,
moments are integrated forward in time with virtual output cavities, the engine works backward.
"""

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp
from scipy.linalg import expm
from scipy.special import erfc

from cavities import (
    Bath,
    Gaussian,
    HotBath,
    Mode,
    Oscillator,
    PowerLaw,
    Pump,
    Ramped,
    Sampled,
    Sideband,
    Square,
    ValidityError,
    power_for_photons,
)
from cavities.envelope import Envelope
from cavities.timeline import Timeline, ring_up
from cavities.wavepackets import TemporalMode, overlap
from transducer import ElectroOptic, pulsed
from transducer.devices.membrane import Membrane
from transducer.devices.piezo import Phonon, PiezoOptomechanical
from transducer.solvers import scattering
from transducer.solvers.pulse import respond

TWO_PI = 2 * np.pi
FWHM = np.sqrt(8 * np.log(2))
RED, BLUE = Sideband.RED, Sideband.BLUE
Complex = np.ndarray


def converter(
    optical: tuple[float, float],
    microwave: tuple[float, float],
    quanta: tuple[float, float, float] = (0.0, 0.0, 0.0),
    delta: tuple[float, float] = (0.0, 0.0),
    overlap: float = 1.0,
) -> ElectroOptic:
    """Electro-optic device of (external, internal) rates; quanta of waveguide, internal and optical baths."""
    return ElectroOptic(
        Mode(1e4, *optical),
        Mode(1e3, *microwave),
        1e-3,
        overlap,
        Bath(quanta[0]),
        Bath(quanta[1]),
        Bath(quanta[2]),
        *delta,
    )


def pump_of(
    device: ElectroOptic, C: object, side: Sideband = RED, envelope: Envelope | None = None
) -> Pump:
    return device.pump_for(C, Pump(0.0, sideband=side, envelope=envelope))


def spectrum(mode: TemporalMode, w: np.ndarray) -> Complex:
    """v(w) = int v(t) e^{iwt} dt by trapezia, spectrally exact for a smooth packet."""
    t = np.linspace(*mode.span, 2401)
    return np.exp(1j * np.outer(w, t)) @ mode.at(t) * (t[1] - t[0])


def red_conversion(
    w: np.ndarray,
    g: float,
    k: tuple[float, float],
    ext: tuple[float, float],
    d: tuple[float, float],
) -> Complex:
    """Optical output over microwave input: the inverse of [[x_o, ig], [ig, x_e]], by hand."""
    x_o, x_e = k[0] / 2 + 1j * d[0] - 1j * w, k[1] / 2 + 1j * d[1] - 1j * w
    return 1j * g * np.sqrt(ext[0] * ext[1]) / (x_o * x_e + g**2)


# --- wave packets through a steady device ---------------------------------------------------------


def test_l13a_the_efficiency_between_two_packets_is_the_integral_over_their_spectra() -> None:
    device = converter((1.8, 0.2), (0.8, 0.2))
    u = TemporalMode.gaussian("microwave.waveguide", 0.0, 2.0 * FWHM)
    v = TemporalMode.gaussian("optical.out", 1.8, 2.0 * FWHM)
    found = abs(respond(device, pump_of(device, 0.7), [v]).amplitude(u)) ** 2
    w = np.linspace(-10, 10, 2001)
    S = red_conversion(w, np.sqrt(0.7 * 2) / 2, (2.0, 1.0), (1.8, 0.8), (0.0, 0.0))
    exact = np.sum(np.conj(spectrum(v, w)) * S * spectrum(u, w)) * (w[1] - w[0]) / TWO_PI
    assert found == pytest.approx(abs(exact) ** 2, abs=1e-8)
    # worked numbers: 0.660066 is the integral; a virtual cavity with a cut-off singularity gives 0.660039
    assert found == pytest.approx(0.660066, abs=1e-6)


def test_l13a_amplitude_and_phase_between_chirped_detuned_packets() -> None:
    """A missing star, or a frequency counted the wrong way, changes the number by more than a tenth."""
    device = converter((1.5, 0.4), (0.7, 0.2), delta=(0.6, -0.3))
    u = TemporalMode.gaussian("microwave.waveguide", -0.5, 1.7 * FWHM, offset=0.25, chirp=0.3)
    v = TemporalMode.gaussian("optical.out", 1.4, 2.2 * FWHM, offset=0.4, chirp=0.2)
    found = complex(respond(device, pump_of(device, 1.2), [v]).amplitude(u))
    w = np.linspace(-14, 14, 2801)
    g = np.sqrt(1.2 * 1.9 * 0.9) / 2
    S = red_conversion(w, g, (1.9, 0.9), (1.5, 0.7), (0.6, -0.3))
    exact = np.sum(np.conj(spectrum(v, w)) * S * spectrum(u, w)) * (w[1] - w[0]) / TWO_PI
    assert found == pytest.approx(exact, abs=1e-8)
    mirrored = np.sum(spectrum(v, w) * S * spectrum(u, w)) * (w[1] - w[0]) / TWO_PI
    assert abs(abs(mirrored) / abs(exact) - 1) > 0.1


def test_the_largest_efficiency_is_that_of_the_packet_it_belongs_to() -> None:
    device = converter((1.5, 0.4), (0.7, 0.2), delta=(0.6, -0.3))
    v = TemporalMode.gaussian("optical.out", 1.4, 2.2 * FWHM, offset=0.4, chirp=0.2)
    found = respond(device, pump_of(device, 1.2), [v])
    w = np.linspace(-14, 14, 2801)
    g = np.sqrt(1.2 * 1.9 * 0.9) / 2
    S = red_conversion(w, g, (1.9, 0.9), (1.5, 0.7), (0.6, -0.3))
    # |int v* S u|^2 is largest for u proportional to S* v, where it is int |S v|^2
    best = np.sum(np.abs(S * spectrum(v, w)) ** 2) * (w[1] - w[0]) / TWO_PI
    # before the engine's beginning the kernel, e^{-kappa t/2}-like, is cut: 1e-7 of it
    assert found.largest_efficiency("microwave.waveguide") == pytest.approx(best, abs=1e-6)


def test_l13b_thermal_photons_of_a_packet() -> None:
    device = converter((1.5, 0.4), (0.6, 0.4), quanta=(0.0, 0.4, 0.0))
    v = TemporalMode.gaussian("microwave.waveguide", 0.0, 2.0 * FWHM)
    found = respond(device, Pump(0.0), [v]).quanta()
    assert found == pytest.approx(0.3236115681, abs=1e-9)  # worked number
    # |v(w)|^2 of a Gaussian by hand
    line = quad(
        lambda w: np.sqrt(8 * np.pi) * 2 * np.exp(-8 * w**2) * 0.24 * 0.4 / (0.25 + w**2) / TWO_PI,
        -10,
        10,
        points=[0.0],
        epsabs=1e-13,
    )[0]
    assert found == pytest.approx(line, abs=1e-9)


def pair_by_hand(
    w: np.ndarray,
    g: float,
    k: tuple[float, float],
    eta: tuple[float, float],
    quanta: tuple[float, float, float],
) -> tuple[np.ndarray, np.ndarray, Complex]:
    """n_o(w), n_e(-w), m(w) of a resonant blue device from a' = -k a/2 - i g b^dag - ..., by hand."""
    wg, internal, light = quanta
    x_o, x_e = k[0] / 2 - 1j * w, k[1] / 2 - 1j * w
    D = x_o * x_e - g**2
    # (a, b^dag) = R (-sqrt(k) inputs), R = [[x_e, -ig], [ig, x_o]]/D
    aa, ab, ba, bb = x_e / D, -1j * g / D, 1j * g / D, x_o / D
    out_o = np.sqrt(k[0] * eta[0])
    out_e = np.sqrt(k[1] * eta[1])
    rows = []
    for port in range(4):  # optical ext, int; microwave ext, int
        optical, share = port < 2, (eta[0], 1 - eta[0], eta[1], 1 - eta[1])[port]
        root = np.sqrt((k[0] if optical else k[1]) * share)
        o = (port == 0) - out_o * (aa if optical else ab) * root
        e = (port == 2) - out_e * (ba if optical else bb) * root
        n = (light, light, wg, internal)[port]
        rows.append((optical, n, o, e))
    n_o = sum(abs(o) ** 2 * (n + (not optical)) for optical, n, o, _ in rows)
    n_e = sum(abs(e) ** 2 * (n + optical) for optical, n, _, e in rows)
    # a annihilates, e is the row of b^dag: <a b> takes <c c^dag> = n + 1 of optical, <c^dag c> = n of microwave inputs
    m = sum(o * np.conj(e) * (n + optical) for optical, n, o, e in rows)
    return n_o, n_e, m


@pytest.mark.parametrize(("chirp_o", "chirp_e"), [(0.0, 0.0), (0.25, -0.15), (0.25, 0.15)])
def test_l24f_to_h_moments_of_two_packets_are_integrals_over_the_pair_spectra(
    chirp_o: float, chirp_e: float
) -> None:
    device = converter((1.4, 0.6), (0.8, 0.2), quanta=(0.0, 0.2, 0.0))
    pump = pump_of(device, 0.3, BLUE)
    o = TemporalMode.gaussian("optical.out", 0.0, 2.0 * FWHM, chirp=chirp_o)
    e = TemporalMode.gaussian("microwave.waveguide", 0.0, 2.0 * FWHM, chirp=chirp_e)
    found = respond(device, pump, [o, e])
    w = np.linspace(-12, 12, 2401)
    dw = (w[1] - w[0]) / TWO_PI
    n_o, n_e, m = pair_by_hand(w, np.sqrt(0.3 * 2) / 2, (2.0, 1.0), (0.7, 0.8), (0.0, 0.2, 0.0))
    theirs = scattering.pair_moments(
        device.linearise(pump), "optical.out", "microwave.waveguide", w
    )
    assert theirs.n_1 == pytest.approx(n_o, rel=1e-10)
    assert theirs.n_2 == pytest.approx(n_e, rel=1e-10)
    assert theirs.m == pytest.approx(m, rel=1e-10)
    v_o, v_e = spectrum(o, w), spectrum(e, -w)
    assert found.quanta(0) == pytest.approx(np.sum(abs(v_o) ** 2 * n_o) * dw, abs=2e-8)
    assert found.quanta(1) == pytest.approx(np.sum(abs(v_e) ** 2 * n_e) * dw, abs=2e-8)
    moment = np.sum(np.conj(v_o) * np.conj(v_e) * m) * dw
    assert complex(found.anomalous[0, 1]) == pytest.approx(moment, abs=2e-8)
    if chirp_o == 0:
        assert float(found.quanta(0)) == pytest.approx(1.219820642, rel=1e-8)  # worked numbers
        assert float(found.quanta(1)) == pytest.approx(1.525250908, rel=1e-8)
        assert abs(moment) == pytest.approx(1.657225144, rel=1e-8)
    else:  # one star or none is another number
        assert abs(abs(np.sum(np.conj(v_o) * v_e * m) * dw) - abs(moment)) > 0.01
    state = found.state()
    assert state.photons == pytest.approx(np.array([found.quanta(0), found.quanta(1)]), abs=1e-10)
    assert state.symplectic_eigenvalues().min() >= 0.5 - 1e-9


def test_two_overlapping_packets_of_an_empty_waveguide_hold_no_photons() -> None:
    """With complex overlaps and the port's creation operator in the equations, vacuum stays vacuum."""
    device = converter((1.4, 0.6), (0.8, 0.2))
    shapes = [(0.0, 0.5), (1.1, 0.9)]
    for port in ("optical.out", "microwave.waveguide"):
        packets = [TemporalMode.gaussian(port, c, 3.0, offset=o) for c, o in shapes]
        assert abs(overlap(*packets).imag) > 0.05
        found = respond(device, pump_of(device, 0.0, BLUE), packets)
        assert found.overlaps[0, 1] == pytest.approx(overlap(*packets), abs=1e-9)
        assert np.abs(found.normal).max() < 1e-9


# --- moments in time under a shaped pulse -----------------------------------------------------------


class Packet:
    """Gaussian packet for a virtual cavity, with |v|^2 integrated by the error function."""

    def __init__(self, port: str, centre: float, sigma: float, offset: float, chirp: float) -> None:
        self.centre, self.sigma, self.offset, self.chirp = centre, sigma, offset, chirp
        self.mode = TemporalMode.gaussian(port, centre, sigma * FWHM, offset, chirp)

    def coupling(self, t: float) -> complex:
        """g_v(t) = -v*(t)/sqrt(int |v|^2)."""
        x = t - self.centre
        size = (TWO_PI * self.sigma**2) ** -0.25 * np.exp(-(x**2) / (4 * self.sigma**2))
        v = size * np.exp(-1j * (self.offset * x + self.chirp * x**2 / 2))
        return complex(-np.conj(v) / np.sqrt(erfc(-x / self.sigma / np.sqrt(2)) / 2))


def moments_in_time(
    device: ElectroOptic,
    g: float,
    side: Sideband,
    envelope: Envelope,
    packets: tuple[Packet, Packet] | None,
    span: tuple[float, float],
) -> tuple[Complex, np.ndarray]:
    """<z z^dag> at the end, z = (a, b, v, w, and conjugates), and int kappa_ext <n> dt of both ports.

    The pump cavity fills by an equation of its own; v and w collect what leaves the two ports.
    """
    k_oe, k_oi = float(device.optical.kappa_ext), float(device.optical.kappa_int)
    k_ee, k_ei = float(device.microwave.kappa_ext), float(device.microwave.kappa_int)
    quanta = [
        float(bath.occupation)
        for bath in (
            device.optical_bath,
            device.optical_bath,
            device.microwave_waveguide,
            device.microwave_internal,
        )
    ]
    k_o, k_e = k_oe + k_oi, k_ee + k_ei
    fill = k_o / 2

    def rhs(t: float, y: np.ndarray) -> np.ndarray:
        e, C = y[0], y[1:65].reshape(8, 8)
        s = float(envelope.amplitude(np.array(t)))
        gv, gw = (p.coupling(t) for p in packets) if packets else (0.0, 0.0)
        G = g * e
        M = np.zeros((8, 8), complex)
        M[0, 0], M[1, 1] = -k_o / 2 - 1j * device.delta_o, -k_e / 2 - 1j * device.delta_e
        M[2, 2], M[3, 3] = -(abs(gv) ** 2) / 2, -(abs(gw) ** 2) / 2
        M[2, 0], M[3, 1] = -gv * np.sqrt(k_oe), -gw * np.sqrt(k_ee)
        if side is RED:
            M[0, 1], M[1, 0] = -1j * G, -1j * np.conj(G)
        else:
            M[0, 5], M[1, 4] = -1j * G, -1j * G
        M[4:, 4:], M[4:, :4] = np.conj(M[:4, :4]), np.conj(M[:4, 4:])
        B = np.zeros((8, 8), complex)  # columns: four inputs, four conjugates
        B[0, 0], B[2, 0], B[0, 1] = -np.sqrt(k_oe), -gv, -np.sqrt(k_oi)
        B[1, 2], B[3, 2], B[1, 3] = -np.sqrt(k_ee), -gw, -np.sqrt(k_ei)
        B[4:, 4:] = np.conj(B[:4, :4])
        D = B @ np.diag([n + 1 for n in quanta] + quanta) @ B.conj().T
        dC = M @ C + C @ M.conj().T + D
        # what leaves beyond what a bath of zero sends in
        flux = [k_oe * C[4, 4], k_ee * C[5, 5]]
        return np.concatenate([[fill * (s - e)], dC.ravel(), flux])

    n_a = quanta[0]
    n_b = (k_ee * quanta[2] + k_ei * quanta[3]) / k_e
    C = np.diag([n_a + 1, n_b + 1, 1, 1, n_a, n_b, 0, 0]).astype(complex)
    y = np.concatenate([[0.0], C.ravel(), [0.0, 0.0]]).astype(complex)
    marks = sorted({*span, *(b for b in envelope.breaks if span[0] < b < span[1])})
    for a, b in itertools.pairwise(marks):
        inside = (a + 1e-12, b - 1e-12)  # a square edge belongs to its own piece
        run = solve_ivp(rhs, inside, y, method="DOP853", rtol=1e-9, atol=1e-11)
        y = run.y[:, -1]
    return y[1:65].reshape(8, 8), y[65:].real


ENVELOPES = {
    "gaussian": Gaussian(1.6),
    "ramped": Ramped(4.0, 1.3, 0.6),
    "sampled": Sampled(np.array([0.0, 0.7, 1.9, 4.2]), np.array([0.2, 1.0, 0.5, 0.1])),
    "square": Square(3.1),
}


@pytest.mark.parametrize("side", [RED, BLUE])
@pytest.mark.parametrize("shape", ENVELOPES)
def test_moments_of_chirped_packets_are_what_virtual_cavities_collect_under_a_pulse(
    shape: str, side: Sideband
) -> None:
    """Pump ring-up, envelope, chirp, detunings and four unequal baths at once."""
    device = converter((1.4, 0.6), (0.8, 0.3), (0.13, 0.3, 0.05), delta=(0.35, -0.2))
    envelope = ENVELOPES[shape]
    C = 2.5  # above threshold for the blue pulse: a pulse may have gain
    pump = pump_of(device, C, side, envelope)
    o = Packet("optical.out", 3.2, 0.9, 0.3, 0.4)
    e = Packet("microwave.waveguide", 3.6, 1.1, -0.2, 0.25)
    found = respond(device, pump, [o.mode, e.mode])
    start, stop = min(p.centre - 7 * p.sigma for p in (o, e)), 12.0
    C_end, _ = moments_in_time(
        device, np.sqrt(C * 2.0 * 1.1) / 2, side, envelope, (o, e), (start, stop)
    )
    # the virtual cavities open at -7 sigma: a share of 1e-12 of each packet is left out
    assert found.quanta(0) == pytest.approx(C_end[6, 6].real, rel=2e-6)
    assert found.quanta(1) == pytest.approx(C_end[7, 7].real, rel=2e-6)
    if side is RED:
        moment = C_end[6, 7]  # <v^dag w>
        assert complex(found.normal[0, 1]) == pytest.approx(moment, abs=2e-6)
        assert np.abs(found.anomalous).max() == 0
    else:
        moment = C_end[2, 7]  # <v w>
        assert complex(found.anomalous[0, 1]) == pytest.approx(moment, abs=2e-6)
        assert abs(found.normal[0, 1]) == 0
    assert abs(moment) > 0.02
    assert abs(moment.imag) > 0.003  # its phase is tested, too


@pytest.mark.parametrize(("shape", "side"), [("gaussian", RED), ("ramped", BLUE), ("sampled", RED)])
def test_all_packets_of_a_window_together_hold_what_the_flux_integrates_to(
    shape: str, side: Sideband
) -> None:
    device = converter((1.4, 0.6), (0.8, 0.3), (0.0, 0.7, 0.0), delta=(0.35, -0.2))
    envelope = ENVELOPES[shape]
    pump = pump_of(device, 1.5, side, envelope)
    span = (0.0, 7.0)
    basis = TemporalMode.legendre("optical.out", *span, 48)
    found = respond(device, pump, basis, rtol=1e-9)
    assert np.abs(found.overlaps - np.eye(48)).max() < 1e-6  # degree 47 on steps of order 8
    _, flux = moments_in_time(device, np.sqrt(1.5 * 2.0 * 1.1) / 2, side, envelope, None, span)
    counts = np.diag(found.normal).real
    assert counts.sum() < flux[0] * (1 + 1e-7)
    # light with a kinked correlation: M polynomials leave out a share as 1/M, which two M take off
    assert 2 * counts.sum() - counts[:24].sum() == pytest.approx(flux[0], rel=1e-3)


@pytest.mark.parametrize("side", [RED, BLUE])
def test_a_coherent_packet_through_a_pulse_is_the_driven_mean_field(side: Sideband) -> None:
    """With a blue pump the light follows the conjugate of the microwave: `amplitude` times alpha*."""
    device = converter((1.4, 0.6), (0.8, 0.3), delta=(0.35, -0.2))
    envelope = ENVELOPES["gaussian"]
    pump = pump_of(device, 2.0, side, envelope)
    u = TemporalMode.gaussian("microwave.waveguide", 3.4, 1.3 * FWHM, offset=0.5, chirp=-0.3)
    v = TemporalMode.gaussian("optical.out", 4.3, 1.1 * FWHM, offset=-0.2, chirp=0.2)
    back = TemporalMode.gaussian("microwave.waveguide", 4.3, 1.2 * FWHM, offset=0.3)
    found = respond(device, pump, [v, back])
    g = np.sqrt(2.0 * 2.0 * 1.1) / 2

    def rhs(t: float, y: np.ndarray) -> list[complex]:
        e, a, b = y[:3]
        s = float(envelope.amplitude(np.array(t)))
        into = complex(u.at(np.array(t)))
        other_a, other_b = (b, a) if side is RED else (np.conj(b), np.conj(a))
        turned = np.conj(e) if side is RED else e
        return [
            1.0 * (s - e),
            -(1.0 + 0.35j) * a - 1j * g * e * other_a,
            -(0.55 - 0.2j) * b - 1j * g * turned * other_b - np.sqrt(0.8) * into,
            np.conj(complex(v.at(np.array(t)))) * np.sqrt(1.4) * a,
            np.conj(complex(back.at(np.array(t)))) * (np.sqrt(0.8) * b + into),
        ]

    y = np.zeros(5, complex)
    for a, b in ((-10.0, 0.0), (0.0, 8.0), (8.0, 19.0)):
        y = solve_ivp(rhs, (a, b), y, method="DOP853", rtol=1e-10, atol=1e-12, max_step=0.2).y[
            :, -1
        ]
    assert complex(found.amplitude(u, 0)) == pytest.approx(y[3], abs=3e-8)
    assert complex(found.amplitude(u, 1)) == pytest.approx(y[4], abs=3e-8)
    assert abs(y[3]) > 0.05


def test_two_time_bins_and_two_pulses() -> None:
    """What the first pulse leaves in the microwave mode correlates the light of the second with the first."""
    device = converter((1.4, 0.6), (0.1, 0.05), (0.0, 0.1, 0.0))
    shape = Sampled(
        np.array([0.0, 0.6, 1.4, 2.0, 4.0, 4.6, 5.6, 6.2]),
        np.array([0.03, 1.0, 1.0, 0.02, 0.02, 0.6, 0.6, 0.03]),
    )
    pump = pump_of(device, 4.0, BLUE, shape)
    bins = [TemporalMode.box("optical.out", 0.0, 3.0), TemporalMode.box("optical.out", 4.0, 7.0)]
    memory = TemporalMode.gaussian("microwave.waveguide", 10.0, 2.5)
    found = respond(device, pump, [*bins, memory])
    assert np.abs(found.overlaps - np.eye(3)).max() < 1e-12

    # forward: amplitudes of (a, b^dag) from every instant, by one propagator on a fine grid
    t = np.linspace(0.0, 8.0, 4001)
    h = t[1] - t[0]
    g = np.sqrt(4.0 * 2.0 * 0.15) / 2
    drive = solve_ivp(
        lambda x, e: [1.0 * (float(shape.amplitude(np.array(x))) - e[0])],
        (0, 8),
        [0.0],
        rtol=1e-9,
        atol=1e-12,
        max_step=0.02,
        dense_output=True,
    ).sol(t + h / 2)[0]
    steps = np.array(
        [expm(h * np.array([[-1.0, -1j * g * e], [1j * g * e, -0.075]])) for e in drive]
    )
    # <x x^dag> equal-time by a midpoint rule, then two-time moments by the regression theorem
    X = np.diag([1.0, 0.1 / 3]).astype(complex)  # <a a^dag> = 1, <b^dag b> = 0.1 (0.05/0.15)
    D = np.diag([2.0, 0.15 * 0.1 / 3])
    states = [X]
    for U in steps[:-1]:
        X = U @ (X + h / 2 * D) @ U.conj().T + h / 2 * D
        states.append(X)
    early = (t < 3.0) & (t >= 0)
    late = (t >= 4.0) & (t < 7.0)
    # c(t) = int_early <a(t) a^dag(s)> ds, propagated
    run, cross = np.zeros(2, complex), 0.0j
    for k, U in enumerate(steps):
        if early[k]:
            run = run + h * states[k][:, 0]
        if late[k]:
            cross += h * run[0]
        run = U @ run
    # normally ordered: the packets do not overlap in time
    correlation = 1.4 * cross / 3.0
    # beyond equal times a_out(t) a_out^dag(s) also holds <a(t) a_in^dag(s)>; subtract it by [a(t), a_out^dag(s)] = 0
    sent, vacuum = np.zeros(2, complex), 0.0j
    for k, U in enumerate(steps):
        if early[k]:
            sent = sent + h * np.array([1.0, 0.0])
        if late[k]:
            vacuum += h * sent[0]
        sent = U @ sent
    correlation -= 1.4 * vacuum / 3.0
    # midpoint and rectangle rules of 2 ms: 0.3 %
    assert complex(found.normal[1, 0]) == pytest.approx(np.conj(correlation), rel=3e-3)
    assert abs(found.normal[1, 0]) > 0.05
    assert abs(found.anomalous[0, 2]) > 0.1  # and the microwave holds the partner of both


def test_the_budget_says_what_a_port_gives_when_its_bath_is_switched_off() -> None:
    device = converter((1.4, 0.6), (0.8, 0.3), (0.13, 0.3, 0.05), delta=(0.35, -0.2))
    for side in (RED, BLUE):
        pump = pump_of(device, 1.4, side, Gaussian(1.6))
        packets = [
            TemporalMode.gaussian("optical.out", 4.0, 2.0, chirp=0.2),
            TemporalMode.gaussian("microwave.waveguide", 4.4, 2.5),
        ]
        begin = {"optical": 0.2, "microwave": 0.45}
        whole = respond(device, pump, packets, start=begin, begin=2.0)
        cold = respond(
            replace(device, microwave_internal=Bath(0.0)), pump, packets, start=begin, begin=2.0
        )
        empty = respond(device, pump, packets, start={}, begin=2.0)
        for k in (0, 1):
            shares = whole.budget(k)
            assert sum(shares.values()) == pytest.approx(float(whole.quanta(k)), rel=1e-12)
            assert float(whole.quanta(k) - cold.quanta(k)) == pytest.approx(
                float(shares["microwave.int"] - cold.budget(k)["microwave.int"]), abs=1e-10
            )
            # an empty start still gives its vacuum, where the pump squeezes the other mode
            vacuum = float(empty.from_start(1 - k, k)) if side is BLUE else 0.0
            assert float(empty.budget(k)["start"]) == pytest.approx(vacuum, abs=1e-10)
            held = sum(q * whole.from_start(i, k) for i, q in enumerate(begin.values()))
            assert float(whole.quanta(k) - empty.quanta(k)) == pytest.approx(float(held), rel=1e-9)
            assert shares["start"] - empty.budget(k)["start"] == pytest.approx(
                float(held), rel=1e-9
            )


def test_a_batch_of_powers_is_its_points() -> None:
    device = converter((1.4, 0.6), (0.8, 0.3), (0.13, 0.3, 0.05), delta=(0.35, -0.2), overlap=0.9)
    Cs = np.array([0.2, 0.9, 2.1])
    packets = [
        TemporalMode.gaussian("optical.out", 4.0, 2.0, chirp=0.2),
        TemporalMode.gaussian("microwave.waveguide", 4.4, 2.5),
    ]
    u = TemporalMode.gaussian("microwave.waveguide", 3.6, 2.0)
    for side in (RED, BLUE):
        batch = respond(device, pump_of(device, Cs[:, None], side, Gaussian(1.6)), packets)
        assert batch.normal.shape == (3, 2, 2)
        for k, C in enumerate(Cs):
            point = respond(device, pump_of(device, float(C), side, Gaussian(1.6)), packets)
            assert batch.normal[k] == pytest.approx(point.normal, abs=1e-7)
            assert batch.anomalous[k] == pytest.approx(point.anomalous, abs=1e-7)
            assert complex(batch.amplitude(u)[k]) == pytest.approx(
                complex(point.amplitude(u)), abs=1e-7
            )
        assert abs(batch.quanta()[0] - batch.quanta()[2]) > 1e-3


# --- mode functions ---------------------------------------------------------------------------------


def test_the_mode_functions_of_thermal_light_are_those_of_its_correlation_kernel() -> None:
    """Eigenvalues over a polynomial basis against a Nystroem solution of int F e^{-k|t-s|/2} phi = lambda phi."""
    device = converter((1.5, 0.4), (0.6, 0.4), quanta=(0.0, 0.7, 0.0))
    T = 5.0
    basis = TemporalMode.legendre("microwave.waveguide", 0.0, T, 24)
    found = respond(device, Pump(0.0), basis)
    values = np.sort(np.linalg.eigvalsh(found.normal))[::-1]
    flux = 0.6 * 0.4 * 0.7  # kappa_ext kappa_int n/kappa, leaves with decay rate kappa/2
    x, w = np.polynomial.legendre.leggauss(400)
    t, w = T * (x + 1) / 2, T * w / 2
    kernel = flux * np.exp(-np.abs(t[:, None] - t) / 2)
    theirs = np.sort(np.linalg.eigvalsh(np.sqrt(w[:, None]) * kernel * np.sqrt(w)))[::-1]
    # Nystroem on a kinked kernel with 400 nodes: 1e-4 at the fourth
    assert values[:4] == pytest.approx(theirs[:4], rel=2e-4)
    assert values.min() > -1e-10
    assert values.sum() < flux * T
    # eigenvalues fall as 1/k^2: M polynomials leave out a share as 1/M, which two M take off
    first = np.trace(found.normal[:12, :12]).real
    assert 2 * values.sum() - first == pytest.approx(flux * T, rel=2e-3)


# --- commutators --------------------------------------------------------------------------------------

rate = st.floats(0.1, 3.0)
offset = st.floats(-2.0, 2.0)
quanta = st.floats(0.0, 2.0)
envelopes = st.one_of(
    st.none(),
    st.builds(Square, st.floats(0.5, 5.0)),
    st.builds(Gaussian, st.floats(0.3, 2.0)),
    st.builds(
        lambda d, r, f: Ramped(d, r * d, f * d),
        st.floats(0.5, 5.0),
        st.floats(0.01, 0.5),
        st.floats(0.01, 0.5),
    ),
    st.builds(
        lambda a, b, T: Sampled(np.array([0.0, 0.4 * T, T]), np.array([a, 1.0, b])),
        st.floats(0, 1),
        st.floats(0, 1),
        st.floats(0.5, 5.0),
    ),
)


@st.composite
def pulsed_devices(draw: st.DrawFn) -> tuple[object, Pump]:
    kind = draw(st.sampled_from(["electro-optic", "piezo", "piezo, both sidebands", "membrane"]))
    side = draw(st.sampled_from([RED, BLUE]))
    optical, microwave = (draw(rate), draw(rate)), (draw(rate), draw(rate))
    overlap_ = draw(st.floats(0.2, 1.0))
    pump = Pump(0.0, sideband=side, detuning=draw(offset), envelope=draw(envelopes))
    baths = (Bath(draw(quanta)), Bath(draw(quanta)), Bath(draw(quanta)))
    if kind == "electro-optic":
        device: object = ElectroOptic(
            Mode(1e4, *optical),
            Mode(1e3, *microwave),
            1e-3,
            overlap_,
            *baths,
            draw(offset),
            draw(offset),
        )
    elif kind == "membrane":
        device = Membrane(
            Mode(1e4, *optical),
            Mode(1e3, *microwave),
            Oscillator(draw(st.floats(2.0, 9.0)), draw(st.floats(0.01, 0.5)), Bath(draw(quanta))),
            1e-3,
            1e-3,
            Pump(0.0),
            overlap_,
            *baths,
        )
        # tens of photons: a coupling of half a linewidth
        driven = power_for_photons(
            device.microwave, draw(st.floats(1e3, 3e5)), -device.mechanics.omega
        )
        device = replace(device, microwave_pump=Pump(driven))
    else:
        both = kind != "piezo"
        omega = 5.0 if both else 40.0
        phonons = tuple(
            Phonon(
                Oscillator(omega + k * 0.7, draw(st.floats(0.01, 0.4)), Bath(draw(quanta))),
                1e-3 / (k + 1),
                draw(st.floats(0.0, 0.8)),
            )
            for k in range(2)
        )
        device = PiezoOptomechanical(
            Mode(1e4, *optical),
            Mode(omega + draw(offset), *microwave),
            phonons,
            overlap=overlap_,
            microwave_waveguide=baths[0],
            microwave_internal=baths[1],
            optical_bath=baths[2],
            counter_rotating=both,
        )
    photons = draw(st.floats(0.0, 5e5))  # g up to 0.7
    power = power_for_photons(device.pumped, photons, device.pump_detuning(pump), overlap_)
    return device, replace(pump, power=power)


@given(pulsed_devices(), offset, st.floats(-0.5, 0.5))
@settings(max_examples=40)
def test_packets_keep_their_commutators_for_any_device_pulse_and_step(
    made: tuple[object, Pump], carrier: float, chirp: float
) -> None:
    device, pump = made
    packets = [
        *TemporalMode.legendre("optical.out", 0.5, 4.0, 3, carrier),
        TemporalMode.box("optical.out", 4.0, 5.0, -carrier),
        TemporalMode.gaussian("optical.int", 3.0, 0.5, carrier, chirp),
        *TemporalMode.legendre("microwave.waveguide", 1.0, 5.0, 2, -carrier),
    ]
    if carrier == -carrier:
        packets.pop(3)
    # the steps stay coarse on purpose: the commutators must not wait for convergence
    found = respond(device, pump, packets, rtol=0.1, start={})
    size = max(
        1.0, float(np.max(np.sum(np.abs(found.kernels) ** 2 * found.line.weights, axis=(-2, -1))))
    )
    # packets of one port are orthogonal only once the steps resolve their polynomials times carrier
    assert np.abs(found.overlaps - np.eye(len(packets))).max() < 1e-12 * size + 1e-10
    assert np.abs(np.diag(found.overlaps) - 1).max() < 1e-12 * size


def test_a_lossless_mechanical_mode_keeps_the_commutators_of_a_blue_pulse() -> None:
    """The mode has no open door, so its kind (creation) must come from the equations, not from its ports."""
    device = optomechanical(20.0, 0.7, 60.0, gamma=0.0)
    pump = optomechanical_pump(device, 1.2, BLUE)
    packets = TemporalMode.legendre("optical.out", 0.0, 3.0, 6)
    found = respond(device, pump, packets, start={"mechanics": 0.3}, begin=0.0)
    assert np.abs(found.overlaps - np.eye(6)).max() < 1e-12


# --- L10: pulsed optomechanics ------------------------------------------------------------------------


def optomechanical(
    kappa: float,
    extraction: float,
    omega_m: float,
    gamma: float,
    g0: float = 1e-3,
    both: bool = False,
    hot: HotBath | None = None,
    n: float = 0.0,
    overlap: float = 0.9,
) -> PiezoOptomechanical:
    """Piezo device whose microwave mode stands aside: light and one phonon."""
    return PiezoOptomechanical(
        Mode(1e6, extraction * kappa, (1 - extraction) * kappa),
        Mode(omega_m, 0.3, 0.2),
        (Phonon(Oscillator(omega_m, gamma, Bath(n), hot), g0, 0.0),),
        overlap=overlap,
        counter_rotating=both,
    )


def optomechanical_pump(
    device: PiezoOptomechanical, G: float, side: Sideband, envelope: Envelope | None = None
) -> Pump:
    photons = (G / device.phonons[0].g0) ** 2
    like = Pump(0.0, sideband=side, envelope=envelope)
    power = power_for_photons(device.optical, photons, device.pump_detuning(like), device.overlap)
    return replace(like, power=power)


LIGHT = ("optical.out", "optical.mismatch", "optical.int")


def complete(windows: list[tuple[float, float]], count: int) -> list[TemporalMode]:
    return [
        packet
        for port in LIGHT
        for a, b in windows
        for packet in TemporalMode.legendre(port, a, b, count)
    ]


def test_l10c_a_red_pulse_turns_a_phonon_into_light_with_one_minus_exp_gamma_t() -> None:
    """kappa = 2000, G = 2, T = 60: 0.3812166 adiabatically, 0.38121037 exactly."""
    device = optomechanical(2000.0, 1.0, 1e4, gamma=0.0, overlap=1.0)
    pump = optomechanical_pump(device, 2.0, RED)
    Gamma = float(device.scattering_rate(pump))
    assert Gamma == pytest.approx(0.008)
    closed = float(pulsed.readout_probability(Gamma, 60.0, 2000.0))
    assert closed == pytest.approx(0.3812166082, rel=1e-9)
    # the ring-up of 1 ms gets windows of its own
    packets = [
        p
        for a, b, count in ((0.0, 0.004, 2), (0.004, 0.02, 1), (0.02, 60.0, 4))
        for p in TemporalMode.legendre("optical.out", a, b, count)
    ]
    found = respond(device, pump, packets, start={"mechanics": 1.0}, begin=0.0, rtol=1e-5)
    read = sum(float(found.from_start(2, k)) for k in range(len(packets)))
    U = expm(60.0 * np.array([[-1000.0, -2j], [-2j, 0.0]]))
    by_hand = 1 - np.sum(np.abs(U[:, 1]) ** 2)
    assert by_hand == pytest.approx(0.3812103705, abs=1e-9)  # worked number
    # of the ring-up, 5e-6 of the light, the few packets there miss a part
    assert read == pytest.approx(by_hand, abs=5e-7)
    assert read == pytest.approx(closed, abs=2e-5)  # adiabatic: 2 Gamma/kappa wrong


def test_l10_a_readout_leaves_by_all_optical_ports_in_the_ratio_of_their_rates() -> None:
    device = optomechanical(50.0, 0.6, 140.0, gamma=0.0)
    pump = optomechanical_pump(device, 1.1, RED)
    packets = complete([(0.0, 0.3), (0.3, 4.0)], 8)
    found = respond(device, pump, packets, start={"mechanics": 1.0}, begin=0.0)
    shares = np.array([sum(found.from_start(2, k + i * 16) for k in range(16)) for i in range(3)])
    M = np.array([[-25.0, -1.1j], [-1.1j, 0.0]])
    by_hand = 1 - np.sum(np.abs(expm(4.0 * M)[:, 1]) ** 2)
    assert shares.sum() == pytest.approx(by_hand, abs=1e-7)
    # optical.out 0.6 x 0.9^2, mismatch 0.6 x 0.19, internal 0.4
    assert shares / shares.sum() == pytest.approx(np.array([0.486, 0.114, 0.4]), abs=1e-9)


def optomechanical_moments(
    kappa: float, G: Callable[[float], complex], gamma: float, n: float, side: Sideband, T: float
) -> tuple[float, float]:
    """Photons emitted and phonons left after T, from the moments <a^dag a>, <c^dag c> and the cross one."""

    def rhs(t: float, y: np.ndarray) -> list[complex]:
        N, n_c, x, _ = y  # x = <a^dag c> (red) or <a c> (blue)
        g = G(t)
        if side is RED:  # a' = -i g c, c' = -i g* a
            dN = -kappa * N + 2 * np.imag(g * x)
            dn = -gamma * n_c - 2 * np.imag(g * x)
            dx = -(kappa + gamma) / 2 * x + 1j * np.conj(g) * n_c - 1j * np.conj(g) * N
        else:  # a' = -i g c^dag, c' = -i g a^dag
            dN = -kappa * N + 2 * np.real(-1j * g * np.conj(x))
            dn = -gamma * n_c + 2 * np.real(-1j * g * np.conj(x))
            dx = -(kappa + gamma) / 2 * x - 1j * g * (N + n_c + 1)
        return [dN, dn, dx, kappa * N]

    run = solve_ivp(
        rhs,
        (0, T),
        np.array([0, n, 0, 0], complex),
        method="DOP853",
        rtol=1e-10,
        atol=1e-12,
        max_step=T / 50,
    )
    return float(run.y[3, -1].real), float(run.y[1, -1].real)


@pytest.mark.parametrize(("n_th", "GammaT"), [(0.0, 0.05), (0.3, 0.7)])
def test_l10_a_blue_pulse_makes_one_plus_n_times_exp_gamma_t_minus_one_photons(
    n_th: float, GammaT: float
) -> None:
    kappa, T = 400.0, 2.0
    Gamma = GammaT / T
    G = np.sqrt(Gamma * kappa) / 2
    device = optomechanical(kappa, 1.0, 1100.0, gamma=0.0, overlap=1.0)
    pump = optomechanical_pump(device, G, BLUE)
    packets = TemporalMode.legendre("optical.out", 0.0, T, 16)
    found = respond(device, pump, packets, start={"mechanics": n_th}, begin=0.0, rtol=1e-6)
    counts = np.diag(found.normal).real
    half = counts[:8].sum()
    # spontaneous light has a kinked correlation: M polynomials miss a share as 1/M (0.5 % at 8)
    photons = 2 * counts.sum() - half
    assert counts.sum() == pytest.approx(photons, rel=5e-3)
    exact, phonons = optomechanical_moments(kappa, lambda t: G, 0.0, n_th, BLUE, T)
    closed = pulsed.blue_pulse(Gamma, T, n_th, kappa)
    # the ring-up, 3/(kappa T) = 4e-3 of the light, is a second kink of which they miss a part
    assert photons == pytest.approx(exact, rel=1e-3)
    # the light lags by 2/kappa and 3/kappa: times Gamma e^{Gamma T}, 0.7 % at kappa T = 800
    assert photons == pytest.approx(closed.photons, rel=8e-3)
    assert phonons == pytest.approx(closed.phonons, rel=8e-3)
    assert photons == pytest.approx((1 + n_th) * np.expm1(GammaT), rel=8e-3)


def test_l10_phonons_after_a_shaped_blue_pulse_follow_the_integral_of_gamma() -> None:
    """A slow packet at the mechanical port reads a known share of the phonons that a pulse left."""
    kappa, omega_m, gamma, n_th, G = 100.0, 300.0, 0.02, 0.2, 2.6
    device = optomechanical(kappa, 0.7, omega_m, gamma)
    shape = Gaussian(0.8)
    pump = optomechanical_pump(device, G, BLUE, shape)
    T = shape.length + 0.2
    L = 2.0
    packet = TemporalMode(
        "mechanics.int",
        lambda t: np.sqrt(gamma / -np.expm1(-gamma * L)) * np.exp(-gamma * (t - T) / 2) + 0j,
        (T, T + L),
        (T, T + L),
    )
    # a phonon at the start of the packet goes into it with 1 - e^{-gamma L}
    found = respond(device, pump, [packet], start={"mechanics": n_th}, begin=0.0)
    n_found = float(found.quanta()) / -np.expm1(-gamma * L)
    rate = kappa / 2 - 1j * omega_m

    def drive(t: float) -> complex:
        # ring-up of a slow pulse: e = s - s'/lambda + s''/lambda^2, exact to 1e-8 here
        s = 2 ** (-2 * ((t - 2.0) / 0.8) ** 2) if t <= 4.0 else 0.0
        c = 4 * np.log(2) / 0.64
        x = t - 2.0
        return complex(G * s * (1 + c * x / rate + (c**2 * x**2 - c) / rate**2))

    photons, phonons = optomechanical_moments(kappa, drive, gamma, n_th, BLUE, T)
    assert n_found == pytest.approx(phonons, rel=1e-5)
    mean = 4 * G**2 / kappa * shape.energy_length / shape.length
    closed = pulsed.blue_pulse(mean, shape.length, n_th, kappa)
    # adiabatic to 4 Gamma/kappa = 1 %, mechanical loss gamma T = 8 % of the start's share: both small
    assert phonons == pytest.approx(closed.phonons, rel=0.1)
    lossless = optomechanical_moments(kappa, drive, 0.0, n_th, BLUE, T)
    assert lossless[1] == pytest.approx(closed.phonons, rel=0.01)
    assert lossless[0] == pytest.approx(closed.photons, rel=0.01)
    assert lossless[1] - lossless[0] == pytest.approx(n_th, abs=1e-6)  # born in pairs
    del photons


def test_l10_readout_beside_another_loss_of_the_phonon() -> None:
    kappa, G, gamma, T = 300.0, 2.1, 0.05, 15.0
    Gamma = 4 * G**2 / kappa
    U = expm(T * np.array([[-kappa / 2, -1j * G], [-1j * G, -gamma / 2]]))
    grid = np.linspace(0, T, 20001)
    M = np.array([[-kappa / 2, -1j * G], [-1j * G, -gamma / 2]])
    values, vectors = np.linalg.eig(M)
    a = (vectors[0] * np.linalg.solve(vectors, [0, 1])) @ np.exp(values[:, None] * grid)
    read = np.trapezoid(kappa * np.abs(a) ** 2, grid)
    closed = float(pulsed.readout_probability(Gamma, T, kappa, gamma))
    # Gamma/kappa = 2e-4
    assert read == pytest.approx(closed, abs=5e-4)
    assert closed < 1 - np.exp(-Gamma * T) - 0.05
    assert np.abs(U[1, 1]) ** 2 == pytest.approx(np.exp(-(Gamma + gamma) * T), rel=1e-2)


def test_the_adiabatic_formulas_refuse_a_pulse_the_light_cannot_follow() -> None:
    for refused in (
        lambda: pulsed.blue_pulse(0.01, 9.0, 0.1, 1.0),
        lambda: pulsed.readout_probability(0.01, 9.0, 1.0),
    ):
        with pytest.raises(ValidityError, match=r"linewidth times pulse length is 9, below 10"):
            refused()
    with pytest.raises(ValidityError, match=r"scattering rate over optical linewidth is 0\.2"):
        pulsed.blue_pulse(0.2, 100.0, 0.0, 1.0)
    assert pulsed.readout_probability(0.01, 11.0, 1.0) > 0
    # at the border the formula is 1.3 % wrong, as it says
    exact, _ = optomechanical_moments(1.0, lambda t: np.sqrt(0.001) / 2, 0.0, 0.0, BLUE, 10.0)
    missing = 1 - exact / np.expm1(0.01)
    assert 0.05 < missing < 0.5


def test_l10g_swap_of_two_lossy_modes_is_the_two_amplitudes_in_time() -> None:
    for g, k1, k2, t in ((1.0, 0.1, 0.03, None), (0.8, 0.9, 0.2, 1.3)):
        Omega = np.sqrt(g**2 - (k1 - k2) ** 2 / 16)
        time = np.pi / 2 / Omega if t is None else t
        U = expm(time * np.array([[-k1 / 2, -1j * g], [-1j * g, -k2 / 2]]))
        assert pulsed.swap_probability(g, (k1, k2), t) == pytest.approx(abs(U[1, 0]) ** 2, rel=1e-9)
    assert pulsed.swap_probability(1.0, (0.1, 0.03)) == pytest.approx(0.9032001480, rel=1e-9)
    with pytest.raises(ValidityError, match="overdamped"):
        pulsed.swap_probability(0.1, (1.0, 0.2))


# --- both sidebands, hot baths ------------------------------------------------------------------------


@pytest.mark.parametrize("side", [RED, BLUE])
def test_a_pulse_on_the_model_with_both_sidebands_tends_to_that_with_one(side: Sideband) -> None:
    """Two frames: packets of the full model ride on the mechanical frequency."""
    deviations = []
    for omega_m in (20.0, 60.0):
        full = optomechanical(2.0, 0.7, omega_m, 0.3, both=True, n=0.4)
        part = optomechanical(2.0, 0.7, omega_m, 0.3, n=0.4)
        shape = Gaussian(2.0)
        pump = optomechanical_pump(part, 0.6, side, shape)
        found = []
        for device, w in ((full, omega_m), (part, 0.0)):
            light = w if side is RED else -w
            packets = [
                TemporalMode.gaussian("optical.out", 5.4, 2.4, light, 0.1),
                TemporalMode.gaussian("mechanics.int", 5.8, 2.8, w, -0.05),
            ]
            found.append(respond(device, pump, packets, rtol=1e-6))
        one, two = found
        assert np.abs(one.overlaps - np.eye(2)).max() < 1e-11
        pick = (lambda r: r.normal) if side is RED else (lambda r: r.anomalous)
        # packets start their carriers at their own centres
        turn = np.exp(1j * omega_m * (5.8 - 5.4))
        moved = complex(pick(one)[0, 1])
        near = complex(pick(two)[0, 1])
        deviations.append(
            max(
                abs(float(one.quanta(0) - two.quanta(0))),
                abs(float(one.quanta(1) - two.quanta(1))),
                abs(abs(moved) - abs(near)),
            )
        )
        assert abs(near) > 0.03
        del turn
    # corrections fall as (kappa/4 omega_m)^2 and (G/omega_m)^2
    assert deviations[0] < 5e-3
    assert deviations[1] < deviations[0] / 5


def test_a_delayed_hot_bath_warms_the_phonon_as_its_rate_equation_says() -> None:
    """The mechanical port shows gamma n_m(t); light and phonon are decoupled here, heat alone is tested."""
    gamma = 0.4
    hot = HotBath(
        PowerLaw(3.0, 1000.0, 0.6, 1.0, 1e6),
        PowerLaw(0.5, 1000.0, 0.9, 1.0, 1e6),
        delayed=0.7,
        turn_on=1.1,
        turn_off=0.45,
    )
    device = optomechanical(4.0, 0.7, 12.0, gamma, g0=0.0)
    shape = Gaussian(1.5)
    like = Pump(0.0, envelope=shape)
    power = power_for_photons(device.optical, 1500.0, device.pump_detuning(like), device.overlap)
    pump = replace(like, power=power)
    # light in the guide warms, too: 400 photons' worth at the peak, with the envelope, not with the cavity
    hot = replace(hot, per_watt=400.0 / power)
    device = optomechanical(4.0, 0.7, 12.0, gamma, g0=0.0, hot=hot)
    windows = [(0.0, 3.0), (3.0, 6.0), (6.0, 10.0)]
    packets = [TemporalMode.box("mechanics.int", a, b) for a, b in windows]
    # the delay is followed between nodes by straight lines: 1e-6 is what its steps can give
    found = respond(device, pump, packets, rtol=1e-6)
    counted = np.array([float(found.quanta(k)) for k in range(3)])
    fill = 2.0 - 1j * -12.0

    def shape_at(t: np.ndarray) -> np.ndarray:
        return np.where((t >= 0) & (t <= 7.5), 2 ** (-2 * ((t - 3.75) / 1.5) ** 2), 0.0)

    filled = solve_ivp(
        lambda t, y: fill * (shape_at(np.array(t)) - y),
        (0, 10),
        np.zeros(1, complex),
        rtol=1e-10,
        atol=1e-12,
        max_step=0.01,
        dense_output=True,
    ).sol
    fine = np.linspace(0, 10, 40001)
    x = 1500.0 * np.abs(filled(fine)[0]) ** 2 + 400.0 * shape_at(fine) ** 2
    rate, target = 0.5 * (x / 1000) ** 0.9, 3.0 * (x / 1000) ** 0.6
    # the rate comes at once and leaves a tail, the occupation lags both ways
    tail, warm = np.zeros_like(rate), np.zeros_like(rate)
    fade = np.exp(-0.45 * fine[1])
    for k in range(1, len(fine)):
        middle = (rate[k] + rate[k - 1]) / 2
        tail[k] = max(rate[k], middle + (tail[k - 1] - middle) * fade)
        goal = (target[k] + target[k - 1]) / 2
        lag = 1.1 if goal >= warm[k - 1] else 0.45
        warm[k] = goal + (warm[k - 1] - goal) * np.exp(-lag * fine[1])
    gamma_p, n_p = 0.3 * rate + 0.7 * tail, 0.3 * target + 0.7 * warm

    def rhs(t: float, y: np.ndarray) -> list[float]:
        n, held = y[0], y[1]
        hot_rate, hot_n = np.interp(t, fine, gamma_p), np.interp(t, fine, n_p)
        return [
            -(gamma + hot_rate) * n + hot_rate * hot_n,
            n - (gamma + hot_rate) / 2 * held,  # int <c^dag(s) c(t)> ds, by the regression theorem
            2 * gamma * held,
        ]

    y, theirs = np.zeros(3), []
    for a, b in windows:
        y[1:] = 0.0
        y = solve_ivp(rhs, (a, b), y, rtol=1e-9, atol=1e-12, max_step=0.01).y[:, -1]
        theirs.append(y[2] / (b - a))
    assert counted == pytest.approx(np.array(theirs), rel=2e-5)
    assert counted.max() > 0.2
    prompt = replace(
        device,
        phonons=(
            replace(
                device.phonons[0],
                mode=replace(device.phonons[0].mode, hot=replace(hot, delayed=0.0)),
            ),
        ),
    )
    assert float(respond(prompt, pump, packets[:1], rtol=1e-6).quanta()) > 1.2 * counted[0]


def test_a_square_pulse_with_a_delayed_hot_bath_settles() -> None:
    """A step of light lights the bath at an edge, not at a node: halving the steps must converge."""
    hot = HotBath(
        PowerLaw(3.0, 1000.0, 0.6, 1.0, 1e6),
        PowerLaw(0.5, 1000.0, 0.9, 1.0, 1e6),
        delayed=0.7,
        turn_on=1.1,
        turn_off=0.45,
    )
    device = optomechanical(4.0, 0.7, 12.0, 0.4, g0=0.0, hot=hot)
    power = power_for_photons(device.optical, 1500.0, -12.0, device.overlap)
    packet = TemporalMode.box("mechanics.int", 1.0, 3.0)
    found = respond(device, Pump(power, envelope=Square(4.0)), [packet], rtol=1e-6)
    assert found.refinement <= 1e-6


# --- the timeline -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ENVELOPES)
def test_a_cavity_rings_up_behind_every_envelope_as_its_equation_says(shape: str) -> None:
    envelope = ENVELOPES[shape]
    rate = 1.3 - 4.1j
    line = Timeline.between([*envelope.breaks, envelope.length + 2.0], 0.02)
    found = ring_up(rate, envelope.amplitude(line.times), line)
    e, values = 0.0j, []
    marks = [*envelope.breaks, envelope.length + 2.0]
    for a, b in itertools.pairwise(marks):
        inside = line.times[(line.times > a) & (line.times < b)]
        dark = a >= envelope.length
        run = solve_ivp(
            lambda t, y, dark=dark: [
                rate * ((0.0 if dark else float(envelope.amplitude(np.array(t)))) - y[0])
            ],
            (a, b),
            [complex(e)],
            method="DOP853",
            rtol=1e-11,
            atol=1e-13,
            t_eval=np.append(inside, b),
        )
        values.append(run.y[0, :-1])
        e = run.y[0, -1]
    assert found == pytest.approx(np.concatenate(values), abs=2e-9)


def test_interpolation_between_the_nodes_is_of_fourth_order_and_zero_outside() -> None:
    errors = []
    for step in (0.2, 0.1):
        line = Timeline.between([0.0, 0.8, 3.2], step)
        at = line.interpolate(np.exp((-0.4 + 2.1j) * line.times))
        t = np.linspace(0.0, 3.2, 977)
        errors.append(np.abs(at(t) - np.exp((-0.4 + 2.1j) * t)).max())
    assert errors[0] < 1e-4
    assert errors[0] / errors[1] == pytest.approx(16, rel=0.25)
    assert np.all(at(np.array([-1e-9, 3.2 + 1e-9, 17.0])) == 0)
    assert np.sum(line.weights * np.exp(-line.times)) == pytest.approx(-np.expm1(-3.2), rel=1e-13)
