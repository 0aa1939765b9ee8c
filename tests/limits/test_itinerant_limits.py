"""L13: photons that come in, are converted and leave, against integrals of the test's own.

Nothing here shares a line with the virtual cavities: amplitudes follow from linear equations,
photon statistics from combinatorics.
"""

from collections.abc import Callable
from dataclasses import replace
from math import comb

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from cavities import ParameterError, ValidityError
from cavities.wavepackets import TemporalMode, overlap
from tests.test_engine_cases import LIGHT, WAVEGUIDE, electro_optic
from transducer.hamiltonian import (
    Channel,
    Hamiltonian,
    Jump,
    Ladder,
    Modulation,
    Term,
    Transition,
    number,
)
from transducer.solvers.itinerant import (
    captured,
    catching,
    chained,
    incoming,
    outgoing,
    principal,
    throwing,
)
from transducer.solvers.pulse import respond
from transducer.solvers.reduced import evolve
from transducer.solvers.start import Start

FWHM = np.sqrt(8 * np.log(2))
"""Full width at half maximum of a Gaussian in units of its sigma."""


def up(mode: str) -> Ladder:
    return Ladder(mode, True)


def down(mode: str) -> Ladder:
    return Ladder(mode)


def with_adjoint(coefficient: complex, *ops: Ladder | Transition) -> tuple[Term, Term]:
    term = Term(coefficient, ops)
    return term, term.adjoint()


def detuned(mode: str, delta: float) -> Term:
    return Term(delta, (up(mode), down(mode)))


def converter(
    C: float,
    k: tuple[float, float],
    eta: tuple[float, float],
    delta: tuple[float, float] = (0.0, 0.0),
    n_int: float = 0.0,
) -> Hamiltonian:
    """Two modes a and b, each with an outer port and internal loss, that exchange quanta."""
    g = np.sqrt(C * k[0] * k[1]) / 2
    return Hamiltonian(
        ("a", "b"),
        (detuned("a", delta[0]), detuned("b", delta[1]), *with_adjoint(g, up("b"), down("a"))),
        (
            Channel("of a", (("a", np.sqrt(eta[0] * k[0])),), 0.0),
            Channel("in a", (("a", np.sqrt((1 - eta[0]) * k[0])),), n_int),
            Channel("of b", (("b", np.sqrt(eta[1] * k[1])),), 0.0),
            Channel("in b", (("b", np.sqrt((1 - eta[1]) * k[1])),), 0.0),
        ),
    )


def photons(found_state: np.ndarray) -> np.ndarray:
    return np.real(np.diag(found_state))


def passed_on(
    model: Hamiltonian, u: TemporalMode, v: TemporalMode, *, quanta: int = 1, into: str = "of a"
) -> np.ndarray:
    """Photon statistics in v behind port b, of a packet u with `quanta` photons before `into`."""
    whole = incoming(model, into, u)
    levels = dict.fromkeys((*whole.modes, "out"), quanta + 1)
    span = min(u.span[0], v.span[0]), max(u.span[1], v.span[1])
    found = captured(
        whole,
        Start.fock(**{"in": quanta}),
        "of b",
        v,
        begin=span[0],
        end=span[1],
        levels=levels,
    )
    assert np.trace(found.state) == pytest.approx(1.0, abs=1e-7)
    assert found.kept == ("out",)
    return photons(found.state)


def amplitude_in_time(model: Hamiltonian, u: TemporalMode, v: TemporalMode, star: bool) -> complex:
    """int v^* b_out dt of the linear equations, by an integrator that knows nothing of packets."""
    (da, db, gba, _), (of_a, in_a, of_b, in_b) = model.terms, model.channels
    k_a, k_b = of_a.kappa + in_a.kappa, of_b.kappa + in_b.kappa
    g = gba.coefficient  # b^dag a
    r_a, r_b = of_a.amplitudes[0][1], of_b.amplitudes[0][1]

    def slope(t: float, y: np.ndarray) -> np.ndarray:
        a, b, _ = y
        u_t, v_t = complex(u.at(np.array(t))), complex(v.at(np.array(t)))
        return np.array(
            [
                -(k_a / 2 + 1j * da.coefficient) * a - 1j * np.conj(g) * b - r_a * u_t,
                -(k_b / 2 + 1j * db.coefficient) * b - 1j * g * a,
                (np.conj(v_t) if star else v_t) * r_b * b,
            ]
        )

    span = (min(u.span[0], v.span[0]), max(u.span[1], v.span[1]))
    steps = {"method": "DOP853", "rtol": 1e-10, "atol": 1e-12, "max_step": 0.1}
    found = solve_ivp(slope, span, np.zeros(3, complex), **steps)
    return complex(found.y[2, -1])


# --- L13a: one photon -----------------------------------------------------------------------------

L13A = converter(0.7, (2.0, 1.0), (0.9, 0.8))


def test_l13a_one_photon_is_converted_as_the_integral_over_frequency_says() -> None:
    u = TemporalMode.gaussian("of a", 0.0, 2 * FWHM)
    v = TemporalMode.gaussian("of b", 1.8, 2 * FWHM)
    w = np.linspace(-6, 6, 20001)
    g2 = 0.7 * 2.0 * 1.0 / 4
    S = np.sqrt(0.9 * 2.0 * 0.8 * g2) / ((1.0 - 1j * w) * (0.5 - 1j * w) + g2)
    packet = np.sqrt(2 / np.pi) * 2 * np.exp(-2 * (2 * w) ** 2)  # |u~|^2 / 2 pi
    eta = abs(np.sum(S * packet * np.exp(-1.8j * w)) * (w[1] - w[0])) ** 2
    assert eta == pytest.approx(0.6600664, abs=1e-7)
    P = passed_on(L13A, u, v)
    # virtual cavities leave out 1e-9 at either end
    assert P[1] == pytest.approx(eta, abs=1e-6)
    assert P[0] == pytest.approx(1 - eta, abs=1e-6)


def test_two_photons_are_converted_one_by_one() -> None:
    """A linear converter is a beam splitter of p: binomial statistics from Fock 2 in."""
    model = converter(0.7, (2.0, 1.0), (0.9, 0.8), delta=(0.4, -0.3))
    u = TemporalMode.gaussian("of a", 0.0, 2.5, offset=0.2)
    v = TemporalMode.exponential("of b", -1.0, 0.9, offset=-0.1)
    p = abs(amplitude_in_time(model, u, v, star=True)) ** 2
    one = passed_on(model, u, v)
    assert one[1] == pytest.approx(p, abs=1e-6)
    two = passed_on(model, u, v, quanta=2)
    binomial = [comb(2, n) * p**n * (1 - p) ** (2 - n) for n in range(3)]
    assert two == pytest.approx(binomial, abs=2e-6)
    assert 0.1 < p < 0.9


@pytest.mark.parametrize("quanta", [1, 2])
def test_a_superposition_comes_out_with_the_phase_of_the_amplitude(quanta: int) -> None:
    """0.6 |0> + 0.8i |k>: the element (k, 0) is 0.48i t^k, and its sign is that of a + L."""
    model = converter(0.7, (2.0, 1.0), (0.9, 0.8), delta=(0.4, -0.3))
    u = TemporalMode.gaussian("of a", 0.0, 2.5, offset=0.2)
    v = TemporalMode.gaussian("of b", 0.8, 3.5, offset=-0.1)
    t = amplitude_in_time(model, u, v, star=True)
    whole = incoming(model, "of a", u)
    start = Start.superposed((0.6, {}), (0.8j, {"in": quanta}))
    span = min(u.span[0], v.span[0]), max(u.span[1], v.span[1])
    levels = dict.fromkeys((*whole.modes, "out"), quanta + 1)
    found = captured(whole, start, "of b", v, begin=span[0], end=span[1], levels=levels)
    assert found.state[quanta, 0] == pytest.approx(0.48j * t**quanta, abs=2e-6)
    assert abs(t.imag / t.real) > 0.1


# --- the conjugate of a chirped packet ------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "chirp"),
    [((0.0, 0.0), (0.35, 0.3)), ((0.5, 0.3), (0.0, 0.5)), ((0.5, 0.2), (-0.3, 0.0))],
)
def test_a_chirped_photon_is_caught_by_the_conjugate_of_its_packet(
    offset: tuple[float, float], chirp: tuple[float, float]
) -> None:
    model = converter(0.8, (2.0, 3.0), (0.9, 0.7), delta=(0.2, -0.1))
    u = TemporalMode.gaussian("of a", 0.0, 4.0, offset[0], chirp[0])
    v = TemporalMode.gaussian("of b", 0.9, 4.5, offset[1], chirp[1])
    right = abs(amplitude_in_time(model, u, v, star=True)) ** 2
    wrong = abs(amplitude_in_time(model, u, v, star=False)) ** 2
    assert abs(right - wrong) > 0.05  # the star matters here
    assert passed_on(model, u, v)[1] == pytest.approx(right, abs=1e-6)


# --- L13b, c: noise in a packet -------------------------------------------------------------------


def test_l13bc_a_packet_of_thermal_light_holds_the_noise_of_its_spectrum_and_is_thermal() -> None:
    """kappa 1, eta 0.6, an inner bath of 0.4, sigma 2: N_v = 0.3236115681."""
    kappa, eta, n = 1.0, 0.6, 0.4
    model = Hamiltonian(
        ("a",),
        (),
        (
            Channel("out", (("a", np.sqrt(eta * kappa)),), 0.0),
            Channel("int", (("a", np.sqrt((1 - eta) * kappa)),), n),
        ),
    )
    w = np.linspace(-6, 6, 20001)
    packet = np.sqrt(2 / np.pi) * 2 * np.exp(-2 * (2 * w) ** 2)
    spectrum = n * eta * (1 - eta) * kappa**2 / (kappa**2 / 4 + w**2)
    N = float(np.sum(packet * spectrum) * (w[1] - w[0]))
    assert abs(N - 0.3236115681) < 1e-9
    v = TemporalMode.gaussian("out", 0.0, 2 * FWHM)
    warm = Start().warmed(a=(1 - eta) * n)
    found = captured(model, warm, "out", v)
    P = photons(found.state)
    k = np.arange(len(P))
    assert np.sum(k * P) == pytest.approx(N, abs=1e-5)
    assert P[1] == pytest.approx(N / (1 + N) ** 2, abs=2e-6)
    assert P[:6] == pytest.approx(N ** k[:6] / (1 + N) ** (k[:6] + 1), abs=2e-6)
    assert found.truncation is not None
    assert found.truncation.change <= 1


# --- L13d: couplings of the virtual cavities ------------------------------------------------------


@pytest.mark.parametrize("offset", [0.0, 0.8])
def test_l13d_a_sech_is_thrown_and_caught_by_a_logistic_coupling(offset: float) -> None:
    G, t0 = 1.7, 0.6
    packet = TemporalMode.sech("port", t0, G, offset)
    throws, catches = throwing(packet), catching(packet)
    for x in (-20.0, -6.0, -1.3, 0.0, 0.7, 3.0, 9.0, 20.0):  # e^-20 = 2e-9 is still kept
        t = t0 + x / G
        turn = np.exp(1j * offset * x / G)
        expected = np.sqrt(G * np.exp(x) / (1 + np.exp(x)))
        assert throws.factor(t) == pytest.approx(expected * turn, rel=1e-7, abs=0)
        mirrored = np.sqrt(G / (np.exp(x) + 1))
        assert catches.factor(t) == pytest.approx(-mirrored * turn, rel=1e-7, abs=0)
    assert throws.factor(t0 + 22 / G) == 0
    assert catches.factor(t0 - 22 / G) == 0
    assert throws.real == (offset == 0)
    assert throws.breaks[-1] == pytest.approx(t0 + np.log(1e9) / G, abs=0.05)


def test_an_exponential_is_thrown_by_a_constant_coupling() -> None:
    packet = TemporalMode.exponential("port", 0.4, 1.3)
    throws = throwing(packet)
    for t in (0.41, 1.0, 7.0, 15.0):
        assert throws.factor(t) == pytest.approx(np.sqrt(1.3), rel=1e-8, abs=0)
    assert throws.factor(0.39) == 0
    rising = catching(TemporalMode.exponential("port", 0.4, 1.3, rising=True))
    for t in (0.39, -1.0, -7.0, -15.0):
        assert rising.factor(t) == pytest.approx(-np.sqrt(1.3), rel=1e-8, abs=0)


def test_a_box_is_thrown_by_one_over_the_root_of_what_is_left() -> None:
    packet = TemporalMode.box("port", 1.0, 3.0, offset=0.7)
    throws, catches = throwing(packet), catching(packet)
    for t in (1.001, 1.6, 2.9, 2.99999):
        turn = np.exp(0.7j * (t - 1.0))
        assert throws.factor(t) == pytest.approx(turn / np.sqrt(3.0 - t), rel=1e-8, abs=0)
        assert catches.factor(t) == pytest.approx(-turn / np.sqrt(t - 1.0), rel=1e-8, abs=0)


def two_bins(first: complex, second: complex) -> TemporalMode:
    """Constant amplitudes in two touching bins of length one: |v|^2 jumps inside the span."""

    def shape(t: np.ndarray) -> np.ndarray:
        return np.where(t < 1.0, first, second).astype(complex)

    return TemporalMode("port", shape, (0.0, 2.0), (1.0,))


def test_a_packet_that_jumps_is_thrown_exactly_on_both_sides_of_the_jump() -> None:
    first, second = 0.6, 0.8j
    packet = two_bins(first, second)
    throws, catches = throwing(packet), catching(packet)
    # within one step of the interpolation, 1/4000 of the span, the slope is that of one side alone
    for t, within in ((0.2, 1e-7), (0.998, 1e-7), (0.9999, 5e-5), (1.0001, 5e-5), (1.7, 1e-7)):
        early = t < 1
        v = first if early else second
        before = 0.36 * t if early else 0.36 + 0.64 * (t - 1)
        expected = np.conj(v) / np.sqrt(1 - before)
        assert throws.factor(t) == pytest.approx(expected, rel=within, abs=0), t
        caught = -np.conj(v) / np.sqrt(before)
        assert catches.factor(t) == pytest.approx(caught, rel=within, abs=0), t


def test_a_packet_that_is_not_normalised_is_thrown_as_the_normalised_one() -> None:
    once = TemporalMode.sech("port", 0.6, 1.7)
    thrice = replace(once, shape=lambda t: 3j * once.shape(t))
    for t in (-2.0, 0.6, 4.0):
        ratio = throwing(thrice).factor(t) / throwing(once).factor(t)
        assert ratio == pytest.approx(-1j, rel=1e-9)


@pytest.mark.parametrize(
    ("packet", "middle"),
    [
        pytest.param(TemporalMode.sech("port", 0.0, 1.4, offset=0.5), 0.4, id="sech"),
        pytest.param(TemporalMode.gaussian("port", 0.0, 2.0, chirp=0.4), -0.3, id="chirped"),
        pytest.param(TemporalMode.box("port", -1.0, 2.0), 0.7, id="box"),
        pytest.param(TemporalMode.exponential("port", 0.0, 0.9), 0.6, id="exponential"),
        pytest.param(two_bins(0.6, 0.8j), 1.1, id="two bins"),
    ],
)
def test_a_thrown_photon_is_caught_whole_in_its_own_packet_and_by_its_overlap_in_another(
    packet: TemporalMode, middle: float
) -> None:
    """A port without a device: everything passes."""
    empty = Hamiltonian(("idle",), (), (Channel("port", (("idle", 0.0),), 0.0),))
    whole = incoming(empty, "port", packet)
    levels = {"idle": 2, "in": 2, "out": 2}
    same = captured(whole, Start.fock(**{"in": 1}), "port", packet, levels=levels)
    # 1e-9 is left out at either end, and the integrator works at 1e-8 of the amplitude a step
    assert photons(same.state)[1] == pytest.approx(1.0, abs=2e-6)
    a, b = packet.span
    other = TemporalMode.gaussian("port", middle, 1.5, offset=1.1)
    span = min(a, other.span[0]), max(b, other.span[1])
    part = captured(
        whole, Start.fock(**{"in": 1}), "port", other, begin=span[0], end=span[1], levels=levels
    )
    share = abs(overlap(other, packet)) ** 2 / abs(overlap(packet, packet))
    # the 1e-9 of `other` left out is an amplitude of 3e-5, times what of the packet falls there
    assert photons(part.state)[1] == pytest.approx(share, abs=1e-5)
    assert 0.01 < share < 0.9


# --- L13e: one system after the other -------------------------------------------------------------


def after_one_another(first: bool) -> Hamiltonian:
    """Mode b, and mode a in front of its port (or behind it), both lossy and detuned."""
    alone = Hamiltonian(
        ("b",),
        (detuned("b", -0.4),),
        (Channel("port", (("b", 1.1 * np.exp(0.3j)),), 0.0), Channel("in b", (("b", 0.5),), 0.0)),
    )
    joined = chained(
        alone, alone.channel("port"), ("a",), (Term(0.8 * np.exp(-0.5j), (down("a"),)),), first
    )
    return replace(
        joined,
        terms=(*joined.terms, detuned("a", 0.7)),
        channels=(*joined.channels, Channel("in a", (("a", 0.6),), 0.0)),
    )


@pytest.mark.parametrize("first", [True, False])
def test_l13e_a_photon_passes_two_systems_in_series_as_the_product_of_their_amplitudes(
    first: bool,
) -> None:
    u = TemporalMode.gaussian("port", 0.0, 3.0, offset=0.3, chirp=0.1)
    v = TemporalMode.gaussian("port", 1.1, 3.5, offset=0.1)
    dt = 0.005
    t = np.arange(-60, 60, dt)
    w = 2 * np.pi * np.fft.fftfreq(len(t), dt)
    # ifft carries exp(+i w t); physics' field turns as exp(-i w t)
    S1 = 1 - 0.64 / ((0.64 + 0.36) / 2 - 1j * (w - 0.7))
    S2 = 1 - 1.21 / ((1.21 + 0.25) / 2 - 1j * (w + 0.4))
    field = np.fft.fft(np.fft.ifft(u.at(t)) * S2 * S1)
    eta = abs(np.sum(np.conj(v.at(t)) * field) * dt) ** 2
    only = np.fft.fft(np.fft.ifft(u.at(t)) * S2)
    assert abs(abs(np.sum(np.conj(v.at(t)) * only) * dt) ** 2 - eta) > 0.05
    model = incoming(after_one_another(first), "port", u)
    levels = dict.fromkeys((*model.modes, "out"), 2)
    span = min(u.span[0], v.span[0]), max(u.span[1], v.span[1])
    found = captured(
        model, Start.fock(**{"in": 1}), "port", v, begin=span[0], end=span[1], levels=levels
    )
    assert photons(found.state)[1] == pytest.approx(eta, abs=1e-6)


def test_what_stands_behind_never_reaches_what_stands_in_front() -> None:
    for first in (True, False):
        model = after_one_another(first)
        front, behind = ("a", "b") if first else ("b", "a")
        asked = {"a": number("a"), "b": number("b")}
        times = np.array([0.0, 0.8, 2.0])
        levels = {"a": 2, "b": 2}
        down_stream = evolve(model, Start.fock(**{front: 1}), times, asked, levels=levels)
        assert down_stream.values[behind][1].real > 0.05
        back = evolve(model, Start.fock(**{behind: 1}), times, asked, levels=levels)
        # 1e-10 is the integrator's absolute tolerance on elements of size one
        assert np.max(np.abs(back.values[front])) < 1e-10
        kappa = {"a": 1.0, "b": 1.46}
        for mode, run in ((front, down_stream), (behind, back)):
            expected = np.exp(-kappa[mode] * times)
            assert run.values[mode] == pytest.approx(expected, rel=1e-6)


def test_a_thermal_port_warms_both_systems_of_a_series_alike() -> None:
    """Lossless apart from the port: a warm input leaves each in the state of its bath."""
    alone = Hamiltonian(("b",), (), (Channel("port", (("b", 1.1),), 0.3),))
    model = chained(alone, alone.channel("port"), ("a",), (Term(0.8j, (down("a"),)),), True)
    asked = {
        "a": number("a"),
        "b": number("b"),
        "correlated": (Term(1.0, (up("a"), down("b"))),),
    }
    start = Start().warmed(a=0.3, b=0.3)
    found = evolve(model, start, np.array([0.0, 2.0]), asked, levels={"a": 9, "b": 9})
    for mode in ("a", "b"):  # cut at nine levels: 0.23^9 is 2e-6
        assert found.values[mode] == pytest.approx(0.3, abs=5e-5)
    assert np.max(np.abs(found.values["correlated"])) < 5e-5


def test_a_new_mode_needs_a_new_name_and_a_port_that_is_there() -> None:
    u = TemporalMode.sech("of a", 0.0, 1.0)
    twice = incoming(L13A, "of a", u)
    with pytest.raises(ParameterError, match="a mode 'in' already"):
        incoming(twice, "of a", u)
    with pytest.raises(ParameterError, match="there is no port 'nowhere'"):
        outgoing(L13A, "nowhere", u)
    assert incoming(twice, "of a", u, name="later").modes == ("a", "b", "in", "later")


def test_two_packets_come_in_one_after_the_other_at_one_port() -> None:
    """Bins that do not overlap: the second cavity stands in front of the first, which is shut."""
    model = converter(0.7, (2.0, 1.0), (0.9, 0.8))
    early = TemporalMode.box("of a", 0.0, 2.0)
    late = TemporalMode.box("of a", 2.0, 5.0, offset=0.3)
    v = TemporalMode.gaussian("of b", 3.5, 3.0)
    whole = incoming(incoming(model, "of a", early), "of a", late, name="later")
    span = min(early.span[0], v.span[0]), max(late.span[1], v.span[1])
    start = Start.superposed((0.6, {"in": 1}), (0.8j, {"later": 1}))
    levels = dict.fromkeys((*whole.modes, "out"), 2)
    found = captured(whole, start, "of b", v, begin=span[0], end=span[1], levels=levels)
    first = amplitude_in_time(model, early, v, star=True)
    second = amplitude_in_time(model, late, v, star=True)
    together = abs(0.6 * first + 0.8j * second) ** 2
    assert photons(found.state)[1] == pytest.approx(together, abs=1e-5)
    apart = abs(0.6 * first) ** 2 + abs(0.8 * second) ** 2
    assert abs(together - apart) > 0.01  # they interfere


# --- emitters -------------------------------------------------------------------------------------


def emitter(G: float, delta: float = 0.0, dephasing: float = 0.0) -> Hamiltonian:
    jumps = (Jump("dephasing", (Term(np.sqrt(dephasing), (Transition("q", 1, 1),)),)),)
    return Hamiltonian(
        ("q",),
        (detuned("q", delta),),
        (Channel("light", (("q", np.sqrt(G)),), 0.0),),
        jumps=jumps if dephasing else (),
        levels=(("q", 2),),
    )


def test_a_box_catches_its_share_of_a_decaying_emitter() -> None:
    """|int box^* sqrt(G) e^{-Gt/2}|^2 = (4 / G T) (1 - e^{-GT/2})^2, and its coherence."""
    G, T = 0.9, 2.5
    box = TemporalMode.box("light", 0.0, T)
    amplitude = 2 / np.sqrt(G * T) * (1 - np.exp(-G * T / 2))
    found = captured(emitter(G), Start.fock(q=1), "light", box, levels={"q": 2, "out": 2})
    assert photons(found.state)[1] == pytest.approx(amplitude**2, abs=1e-6)
    start = Start.superposed((0.6, {}), (0.8j, {"q": 1}))
    both = captured(emitter(G), start, "light", box, kept=("q",), levels={"q": 2, "out": 2})
    assert both.kept == ("q", "out")
    rho = both.state.reshape(2, 2, 2, 2)  # q, out, q, out
    # no photon and dark against no qubit and one photon
    assert rho[0, 1, 0, 0] == pytest.approx(0.48j * amplitude, abs=1e-6)
    assert rho[1, 0, 0, 0] == pytest.approx(0.48j * np.exp(-G * T / 2), abs=1e-6)
    assert rho[1, 0, 1, 0] == pytest.approx(0.64 * np.exp(-G * T), abs=1e-6)
    # qubit still excited and photon caught: never both, but a shared amplitude
    assert rho[1, 1, 1, 1] == pytest.approx(0, abs=1e-8)
    assert rho[1, 0, 0, 1] == pytest.approx(0.64 * amplitude * np.exp(-G * T / 2), abs=1e-6)


def test_an_early_and_a_late_bin_share_one_photon_as_the_decay_does() -> None:
    """Two virtual cavities at one port: the second bin sees what the first let pass."""
    G = 0.9
    first, second = TemporalMode.box("light", 0.0, 1.0), TemporalMode.box("light", 1.0, 3.0)
    model = outgoing(outgoing(emitter(G), "light", first, name="early"), "light", second, "late")
    levels = {"q": 2, "early": 2, "late": 2}
    found = evolve(
        model,
        Start.fock(q=1),
        np.array([0.0, 3.0]),
        {"both": (Term(1.0, (up("early"), down("late"))),)},
        kept=("late", "early"),
        levels=levels,
    )
    one = 2 / np.sqrt(G) * (1 - np.exp(-G / 2))
    two = 2 / np.sqrt(2 * G) * (np.exp(-G / 2) - np.exp(-1.5 * G))
    P = np.real(np.diag(found.state)).reshape(2, 2)  # late, early
    assert P[0, 1] == pytest.approx(one**2, abs=1e-6)
    assert P[1, 0] == pytest.approx(two**2, abs=1e-6)
    assert found.values["both"][-1] == pytest.approx(one * two, abs=1e-6)


def test_a_detuned_emitter_is_caught_at_its_own_frequency() -> None:
    G, T, delta = 0.9, 14.0, 1.3
    at, mirrored = (
        photons(
            captured(
                emitter(G, delta),
                Start.fock(q=1),
                "light",
                TemporalMode.exponential("light", 0.0, G, offset=offset),
                end=T,
                levels={"q": 2, "out": 2},
            ).state
        )[1]
        for offset in (delta, -delta)
    )
    assert at == pytest.approx((1 - np.exp(-G * T)) ** 2, abs=1e-5)
    assert mirrored == pytest.approx(G**2 / (G**2 + 4 * delta**2), abs=1e-4)


@pytest.mark.slow
def test_the_principal_packet_of_an_emitter_is_its_decay() -> None:
    G, T, delta = 0.9, 5.0, 1.3
    found = principal(emitter(G, delta), Start.fock(q=1), "light", (0.0, T), {"q": 2})
    assert found.occupations[0] == pytest.approx(1 - np.exp(-G * T), rel=1e-7)
    assert np.max(np.abs(found.occupations[1:])) < 1e-8  # one photon, one packet
    ideal = TemporalMode.exponential("light", 0.0, G, offset=delta)
    mode = found.packets[0]
    assert abs(overlap(mode, mode) - 1) < 1e-9
    assert abs(overlap(mode, ideal)) ** 2 == pytest.approx(1 - np.exp(-G * T), abs=1e-7)
    wrong = TemporalMode.exponential("light", 0.0, G, offset=-delta)
    assert abs(overlap(mode, wrong)) ** 2 < 0.5
    t = np.array([0.3, 1.1, 4.0])
    shape = np.abs(mode.at(t)) ** 2
    assert shape == pytest.approx(G * np.exp(-G * t) / (1 - np.exp(-G * T)), rel=1e-5)
    # what the packet catches is its occupation
    caught = captured(emitter(G, delta), Start.fock(q=1), "light", mode, levels={"q": 2, "out": 2})
    assert photons(caught.state)[1] == pytest.approx(1 - np.exp(-G * T), abs=1e-6)


def kernel_eigenvalues(
    kernel: Callable[[np.ndarray, np.ndarray], np.ndarray], T: float, nodes: int
) -> np.ndarray:
    x, w = np.polynomial.legendre.leggauss(nodes)
    t, w = T * (x + 1) / 2, T * w / 2
    root = np.sqrt(w)
    matrix = root[:, None] * kernel(t[:, None], t[None, :]) * root
    return np.linalg.eigvalsh(matrix)[::-1]


@pytest.mark.slow
def test_principal_packets_of_a_dephasing_emitter_are_those_of_its_kernel() -> None:
    """G exp(-G (t + t') / 2 - gamma |t - t'| / 2): gamma is the rate of the projector's jump."""
    G, T, gamma = 0.9, 3.0, 0.5
    found = principal(
        emitter(G, 0.4, gamma), Start.fock(q=1), "light", (0.0, T), {"q": 2}, nodes=48
    )
    expected = kernel_eigenvalues(
        lambda t, s: G * np.exp(-G * (t + s) / 2 - gamma / 2 * np.abs(t - s)), T, 600
    )
    # a kink on the diagonal: Gauss nodes converge as 1/n^2
    assert found.occupations == pytest.approx(expected[:3], rel=5e-3)
    assert sum(expected) == pytest.approx(1 - np.exp(-G * T), rel=1e-6)
    caught = captured(
        emitter(G, 0.4, gamma),
        Start.fock(q=1),
        "light",
        found.packets[0],
        levels={"q": 2, "out": 2},
    )
    assert photons(caught.state)[1] == pytest.approx(found.occupations[0], rel=2e-3)


@pytest.mark.slow
def test_principal_packets_of_a_thermal_lossy_source_are_those_of_its_kernel() -> None:
    """<L^dag(t) L(s)> = k e^{i d (t-s) - k|t-s|/2} n(min(t, s)), n(t) relaxing to the bath's."""
    k_e, k_i, n_i, n_0, delta, T = 0.8, 0.5, 0.3, 0.05, 0.6, 3.0
    model = Hamiltonian(
        ("a",),
        (detuned("a", delta),),
        (Channel("out", (("a", np.sqrt(k_e)),), 0.0), Channel("in", (("a", np.sqrt(k_i)),), n_i)),
    )
    k, n_s = k_e + k_i, k_i * n_i / (k_e + k_i)

    def kernel(t: np.ndarray, s: np.ndarray) -> np.ndarray:
        n = n_s + (n_0 - n_s) * np.exp(-k * np.minimum(t, s))
        return k_e * n * np.exp(-k * np.abs(t - s) / 2 - 1j * delta * (t - s))

    start = Start().warmed(a=n_0)
    found = principal(model, start, "out", (0.0, T), {"a": 9}, nodes=48)
    same = kernel_eigenvalues(kernel, T, 48)
    assert found.occupations == pytest.approx(same[:3], abs=2e-6)  # nine levels
    fine = kernel_eigenvalues(kernel, T, 800)
    assert found.occupations == pytest.approx(fine[:3], rel=2e-2)
    assert np.max(np.abs(found.occupations / fine[1:4] - 1)) > 0.2
    assert abs(overlap(found.packets[0], found.packets[1])) < 1e-6
    caught = captured(model, start, "out", found.packets[0], levels={"a": 7, "out": 7})
    P = photons(caught.state)
    assert np.sum(np.arange(7) * P) == pytest.approx(found.occupations[0], rel=2e-3)


def test_the_difference_of_a_bright_and_a_dark_emitter_is_the_photon_alone() -> None:
    """A warm side port makes the dark one glow as well; the difference starts at one photon."""
    G, T, g, n = 0.9, 3.0, 0.4, 0.2
    base = emitter(G)
    warm = replace(base, channels=(*base.channels, Channel("warm", (("q", np.sqrt(g)),), n)))
    bright, dark = Start.fock(q=1), Start()
    found = principal(warm, bright, "light", (0.0, T), {"q": 2}, against=dark, count=1, nodes=32)
    alone = principal(warm, bright, "light", (0.0, T), {"q": 2}, count=1, nodes=32)
    assert found.occupations[0] < alone.occupations[0] - 0.01
    # <s+ s-> of the difference decays at the total rate, and so does its coherence at half of it
    total = G + g * (1 + 2 * n)
    expected = G / total * (1 - np.exp(-total * T))
    assert found.occupations[0] == pytest.approx(expected, rel=1e-6)


def test_a_warm_port_and_a_window_that_is_too_coarse_are_refused() -> None:
    base = emitter(0.9)
    warm = replace(base, channels=(replace(base.channels[0], occupation=0.1),))
    with pytest.raises(ValidityError, match=r"bath of 0\.1 quanta"):
        principal(warm, Start.fock(q=1), "light", (0.0, 3.0), {"q": 2})
    with pytest.raises(ValidityError, match="8 nodes do not resolve"):
        principal(emitter(0.9, delta=40.0), Start.fock(q=1), "light", (0.0, 3.0), {"q": 2}, nodes=8)
    with pytest.raises(ParameterError, match=r"window .* must increase"):
        principal(base, Start.fock(q=1), "light", (3.0, 0.0), {"q": 2})


# --- the Gaussian engine as referee ---------------------------------------------------------------


def test_a_photon_through_an_electro_optic_device_holds_what_the_pulse_engine_says() -> None:
    """One photon in: efficiency plus noise in the packet; none in: the noise alone."""
    device, pump = electro_optic(0.6, quanta=(0.0, 0.05, 0.0))
    u = TemporalMode.gaussian(WAVEGUIDE, 0.0, 3.0, offset=0.1, chirp=0.1)
    v = TemporalMode.gaussian(LIGHT, 1.2, 3.0, offset=0.2)
    begin = -16.0
    referee = respond(device, pump, [v], begin=begin - 20, rtol=1e-9)
    eta = abs(complex(referee.amplitude(u))) ** 2
    noise = float(referee.quanta())
    model = incoming(device.hamiltonian(pump), WAVEGUIDE, u)
    levels = {"optical": 4, "microwave": 5, "in": 2, "out": 4}
    end = max(u.span[1], v.span[1])
    means = []
    for quanta in (0, 1):
        found = captured(
            model, Start.fock(**{"in": quanta}), LIGHT, v, begin=begin, end=end, levels=levels
        )
        P = photons(found.state)
        means.append(float(np.sum(np.arange(4) * P)))
    # four levels of light and five of microwave: occupations of 0.02 cut at their fourth power
    assert means[0] == pytest.approx(noise, rel=1e-3)
    assert means[1] == pytest.approx(eta + noise, rel=1e-4)
    assert eta > 0.1
    assert noise > 1e-3


def test_levels_settle_for_a_photon_kept_together_with_its_emitter() -> None:
    G, T = 0.9, 2.5
    box = TemporalMode.box("light", 0.0, T)
    found = captured(emitter(G), Start.fock(q=1), "light", box, kept=("q",), accuracy=1e-5)
    size = found.dimensions[1]
    amplitude = 2 / np.sqrt(G * T) * (1 - np.exp(-G * T / 2))
    assert photons(found.state).reshape(2, size)[0, 1] == pytest.approx(amplitude**2, abs=1e-5)
    assert found.truncation is not None
    assert size < 6


def test_a_modulated_port_throws_what_it_is_told_to() -> None:
    """A tunable coupler on the mode itself emits the sech of L13d: the virtual cavity is one."""
    G = 1.7
    logistic = Modulation(lambda t: 1 / np.sqrt(1 + np.exp(-G * t)), real=True)
    model = Hamiltonian(
        ("a",), (), (Channel("port", (("a", np.sqrt(G)),), 0.0, (("a", logistic),)),)
    )
    v = TemporalMode.sech("port", 0.0, G)
    found = captured(
        model, Start.fock(a=1), "port", v, begin=-15.0, end=15.0, levels={"a": 2, "out": 2}
    )
    assert photons(found.state)[1] == pytest.approx(1.0, abs=2e-6)
