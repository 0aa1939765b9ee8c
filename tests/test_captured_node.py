"""A qubit's photon through a master equation and into a link: Gaussian where it must be, and off by what is derived.

Rates are of order one: the numbers are those of the equations, not of a device.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from cavities import ValidityError
from cavities.wavepackets import TemporalMode
from fibre import Detection, Link, Memory, Scheme, SpectralGrid, evaluate_link, gaussian_amplitude
from fibre.budget import Arm, budget, seen
from fibre.causes import CAUSES, fidelity_without
from fibre.held import Held, herald_held
from fibre.herald import EMITTERS, Heralded, prepared_pair, single_click, two_click
from fibre.memory import decay, qubit_channel
from transducer.captured_node import CapturedEmission, emit_captured
from transducer.chain import link_of
from transducer.hamiltonian import Channel, Hamiltonian, Ladder, Term
from transducer.node import Emitter
from transducer.nodes import Node, spin_packet, spin_photon, through
from transducer.scenario import load_scenario
from transducer.solvers.itinerant import captured

Complex = NDArray[np.complex128]
Array = NDArray[np.float64]

CARRIER = 2 * np.pi * 193.4e12
FOREVER = Memory(1e12, 1e12)
FWHM = 3.0

# an electro-optic converter: light (out, int), microwave (waveguide, int), coupling, warm loss
O_OUT, O_INT, E_IN, E_INT, G, WARM = 1.2, 0.5, 1.6, 0.4, 0.6, 0.1
# a converter of one line
P_IN, P_OUT, P_INT = 0.9, 1.1, 0.4
POLE = P_IN + P_OUT + P_INT


def electro_optic() -> Hamiltonian:
    up = Term(G, (Ladder("o", True), Ladder("e")))
    return Hamiltonian(
        ("o", "e"),
        (up, up.adjoint()),
        (
            Channel("optical.out", (("o", np.sqrt(O_OUT)),), 0.0),
            Channel("optical.int", (("o", np.sqrt(O_INT)),), 0.0),
            Channel("microwave.waveguide", (("e", np.sqrt(E_IN)),), 0.0),
            Channel("microwave.int", (("e", np.sqrt(E_INT)),), WARM),
        ),
    )


def one_line(warm: float, waveguide: float = 0.0, detuning: float = 0.0) -> Hamiltonian:
    turn = Term(detuning, (Ladder("f", True), Ladder("f")))
    return Hamiltonian(
        ("f",),
        (turn,) if detuning else (),
        (
            Channel("optical.out", (("f", np.sqrt(P_OUT)),), 0.0),
            Channel("microwave.waveguide", (("f", np.sqrt(P_IN)),), waveguide),
            Channel("microwave.int", (("f", np.sqrt(P_INT)),), warm),
        ),
    )


def expected(S: Complex, noise: Array, grid: SpectralGrid, offset: float) -> tuple[Complex, float]:
    """Amplitude S u (L1), and the noise in its normalised mode, ∫|v|² N dω/2π."""
    v = S * gaussian_amplitude(grid.omega - offset, FWHM)
    share = grid.weight * np.abs(v) ** 2
    return v, float(np.sum(share * noise) / np.sum(share))


GRID = SpectralGrid.resolving([O_OUT + O_INT, E_IN + E_INT], [(0.0, FWHM)])
_BELOW = ((O_OUT + O_INT) / 2 - 1j * GRID.omega) * ((E_IN + E_INT) / 2 - 1j * GRID.omega) + G**2
CONVERTED = -1j * G * np.sqrt(O_OUT * E_IN) / _BELOW
NOISE = WARM * G**2 * O_OUT * E_INT / np.abs(_BELOW) ** 2
AMPLITUDE, N_V = expected(CONVERTED, NOISE, GRID, 0.0)
TAU = float(np.sum(GRID.weight * np.abs(AMPLITUDE) ** 2))


@cache
def emission(memory: Memory = FOREVER) -> CapturedEmission:
    source, target = "microwave.waveguide", "optical.out"
    return emit_captured(
        electro_optic(), source, target, Emitter(memory, 0.12, FWHM), GRID, NOISE, CARRIER
    )


def joint(emitted: CapturedEmission) -> Held:
    held = emitted.photon.held
    assert held is not None
    return held


def turned(table: Complex) -> Complex:
    """The same table with the photon's phase taken out, one for each photon."""
    phase = np.angle(table[0, 1, 0, 0, 1, 1])
    n = np.arange(table.shape[3])
    return table * np.exp(1j * phase * (n[:, None] - n))[:, None, :]


def off(table: Complex, transmission: float, noise: float) -> float:
    """Largest distance from a thermal-loss converter's table (L12)."""
    n = table.shape[3]
    ideal = Held.gaussian(transmission, noise, 1e-14).table
    top = min(n, ideal.shape[3])
    full = np.zeros_like(table)
    full[:, :, :, :top, :, :top] = ideal[:, :, :, :top, :, :top]
    return float(np.max(np.abs(turned(table) - full)))


def damped(table: Complex, survival: float, coherence: float) -> Complex:
    """Amplitude damping and dephasing of the memory, written out on the table's indices."""
    out = np.empty_like(table)
    out[:, :, 1, :, 1, :] = survival * table[:, :, 1, :, 1, :]
    out[:, :, 0, :, 0, :] = table[:, :, 0, :, 0, :] + (1 - survival) * table[:, :, 1, :, 1, :]
    out[:, :, 0, :, 1, :] = coherence * table[:, :, 0, :, 1, :]
    out[:, :, 1, :, 0, :] = coherence * table[:, :, 1, :, 0, :]
    return out


# --- a Gaussian device -----------------------------------------------------------------------------


@pytest.mark.slow
def test_the_captured_photon_is_that_of_the_scattering_matrix() -> None:
    """1e-6 of τ: 1e-9 of the packet's energy is left out at either end, an amplitude of 3e-5."""
    emitted = emission()
    assert joint(emitted).transmission == pytest.approx(TAU, abs=1e-6)
    assert emitted.photon.transmission == pytest.approx(TAU, abs=1e-6)
    alike = np.sum(GRID.weight * np.conj(emitted.photon.wave.amplitude) * AMPLITUDE) / TAU
    assert abs(alike) == pytest.approx(1.0, abs=1e-6)
    shape = emitted.photon.wave.amplitude / np.sqrt(emitted.photon.wave.norm)
    normal = np.abs(np.sum(GRID.weight * np.conj(shape) * AMPLITUDE / np.sqrt(TAU)))
    assert normal > 1 - 1e-8
    # the packet in time is the Fourier transform of what the link was given
    t = np.array([-1.0, 0.4, 1.7, 3.0])
    kernel = np.exp(-1j * np.outer(t, GRID.omega))
    packet = kernel @ (GRID.weight * AMPLITUDE) / np.sqrt(TAU)
    found = emitted.packet.at(t)
    assert np.max(np.abs(found * np.exp(1j * np.angle(packet[1] / found[1])) - packet)) < 1e-5


@pytest.mark.slow
def test_a_dark_qubit_leaves_the_noise_of_the_scattering_matrix_in_the_photons_mode() -> None:
    """A thermal mode of N_v quanta, to the accuracy asked of the joint state."""
    dark = joint(emission()).populations(0.0)
    n = np.arange(len(dark))
    assert np.max(np.abs(dark - N_V**n / (1 + N_V) ** (n + 1))) < 1e-5
    assert dark[1] == pytest.approx(N_V / (1 + N_V) ** 2, rel=1e-4)
    assert N_V > 0.01


@pytest.mark.slow
def test_a_gaussian_device_makes_a_gaussian_table() -> None:
    held = joint(emission())
    assert off(held.table, TAU, N_V) < 1e-5
    assert off(held.table, TAU, 0.0) > 3e-3  # the noise is seen
    assert off(held.silenced.table, TAU, 0.0) < 1e-5


@pytest.mark.slow
def test_offset_detuning_and_a_lossy_path_are_those_of_the_scattering_matrix() -> None:
    """A line far from the frame, a photon beside the line: frequencies count from `centre`."""
    warm, detuning, offset, efficiency = 0.06, 0.7, 0.3, 0.8
    grid = SpectralGrid.resolving([POLE], [(offset, FWHM)])
    S = np.sqrt(efficiency * P_IN * P_OUT) / (POLE / 2 - 1j * grid.omega)
    noise = P_OUT * P_INT * warm / (POLE**2 / 4 + grid.omega**2)
    v, n_v = expected(S, noise, grid, offset)
    tau = float(np.sum(grid.weight * np.abs(v) ** 2))
    emitter = Emitter(FOREVER, 0.12, FWHM, efficiency, offset)
    device = one_line(warm, detuning=detuning)
    ports = ("microwave.waveguide", "optical.out")
    emitted = emit_captured(
        device, *ports, emitter, grid, noise, CARRIER, centre=detuning, accuracy=1e-4
    )
    assert emitted.photon.transmission == pytest.approx(tau, abs=1e-6)
    alike = np.sum(grid.weight * np.conj(emitted.photon.wave.amplitude) * v) / tau
    assert abs(alike) == pytest.approx(1.0, abs=1e-6)
    assert off(joint(emitted).table, tau, n_v) < 1e-4


# --- heralds of such nodes ---------------------------------------------------------------------------


def rounds(one: Held, two: Held, view: Detection, scheme: Scheme, alpha: float) -> Heralded:
    if scheme is Scheme.SINGLE_CLICK:
        return Heralded(herald_held(one, two, view, prepared_pair(alpha, alpha)))
    first = herald_held(one, two, view, prepared_pair(0.5, 0.5))
    return Heralded(herald_held(one, two, view, first[::-1, ::-1]))


@pytest.mark.slow
@pytest.mark.parametrize("scheme", list(EMITTERS))
def test_a_noisy_transducer_heralds_as_its_efficiency_and_noise_say(scheme: Scheme) -> None:
    """L21 at K = 1 and M = 1, with dark counts; the arms lose differently."""
    alpha, dark, t_a, t_b = 0.12, 2e-3, 0.7, 0.45
    held = joint(emission())
    found = rounds(held, held, Detection(t_a, t_b, dark=dark), scheme, alpha)
    view = Detection(t_a * TAU, t_b * TAU, t_a * N_V, t_b * N_V, dark=dark)
    exact = single_click(view, alpha, alpha) if scheme is Scheme.SINGLE_CLICK else two_click(view)
    assert found.probability == pytest.approx(exact.probability, abs=1e-5)
    assert found.fidelity == pytest.approx(exact.fidelity, abs=2e-5)
    silent = rounds(held.silenced, held.silenced, Detection(t_a, t_b, dark=dark), scheme, alpha)
    assert silent.fidelity > found.fidelity + 0.01


@pytest.mark.slow
def test_a_spin_that_decays_while_it_emits_is_the_ideal_one_decayed_for_the_window() -> None:
    """Nothing acts between spin and photon after the start: both channels commute.

    With survivals s = e^(-T/T1), coherences q = e^(-T/T2) over the window T:
    F' = [s_B p01 + s_A p10 + (s_A (1-s_B) + s_B (1-s_A)) p11]/2 + q_A q_B Re c, and P' = P.
    """
    memory = Memory(90.0, 55.0)
    decayed, ideal = joint(emission(memory)), joint(emission())
    packet = emission(memory).packet
    begin, end = packet.span
    window = end - begin
    s, q = np.exp(-window / memory.T1), np.exp(-window / memory.T2)
    assert q < 0.7  # it matters
    assert np.max(np.abs(decayed.table - damped(ideal.table, s, q))) < 1e-6
    # a spin that decays inside the master equation, cold, says the same
    spin = spin_packet(
        replace(TemporalMode.gaussian("in", 0.0, FWHM), span=(begin, -begin)), memory
    )
    warm = electro_optic()
    cold = replace(warm, channels=tuple(replace(c, occupation=0.0) for c in warm.channels))
    alone = through(spin, cold, "microwave.waveguide", "optical.out")
    for amplitudes in ((0.6, 0.8), (0.6, 0.8j)):
        seen = captured(
            alone.model,
            alone.start(*amplitudes),
            alone.port,
            packet,
            begin=begin,
            end=end,
            kept=("spin",),
            levels=dict.fromkeys(alone.model.modes, 2) | {"out": 3},
        ).state.reshape(2, 3, 2, 3)
        prepared = np.outer(amplitudes, np.conj(amplitudes))
        mine = np.einsum("st,stabcd->abcd", prepared, decayed.silenced.table)[:, :3, :, :3]
        assert np.max(np.abs(seen - mine)) < 2e-6

    view = Detection(0.7, 0.45, overlap=0.93, dark=2e-3)
    best = rounds(ideal, ideal, view, Scheme.SINGLE_CLICK, 0.12)
    both = rounds(decayed, decayed, view, Scheme.SINGLE_CLICK, 0.12)
    mixed = rounds(decayed, ideal, view, Scheme.SINGLE_CLICK, 0.12)
    assert both.probability == pytest.approx(best.probability, abs=1e-6)
    own = qubit_channel(memory, window)
    assert np.max(np.abs(both.state - decay(best.state, own, own))) < 1e-6
    rho = best.normalised
    kept, moved, c = (rho[1, 1] + rho[2, 2]).real, rho[3, 3].real, rho[1, 2].real
    assert both.fidelity == pytest.approx(
        (s * kept + 2 * s * (1 - s) * moved) / 2 + q**2 * c, abs=1e-6
    )
    one = (rho[1, 1].real + s * rho[2, 2].real + (1 - s) * moved) / 2 + q * c
    assert mixed.fidelity == pytest.approx(one, abs=1e-6)


@pytest.mark.slow
def test_a_photon_replaces_what_the_waveguide_held_in_its_mode() -> None:
    """A virtual cavity swaps its state with the mode it emits: that mode of the bath is gone.

    N = N_v - τ n_wg in the outgoing mode, where N_v = ∫|v|² N_out is that of a continuous bath.
    """
    n_wg = 0.02
    grid = SpectralGrid.resolving([POLE], [(0.0, FWHM)])
    S = np.sqrt(P_IN * P_OUT) / (POLE / 2 - 1j * grid.omega)
    noise = P_OUT * P_IN * n_wg / (POLE**2 / 4 + grid.omega**2)
    v, n_v = expected(S, noise, grid, 0.0)
    tau = float(np.sum(grid.weight * np.abs(v) ** 2))
    device, ports = one_line(0.0, n_wg), ("microwave.waveguide", "optical.out")
    emitter = Emitter(FOREVER, 0.12, FWHM)
    emitted = emit_captured(device, *ports, emitter, grid, noise, CARRIER, accuracy=1e-3)
    assert off(joint(emitted).table, tau, n_v - tau * n_wg) < 3e-5
    assert off(joint(emitted).table, tau, n_v) > 3e-3


# --- an emitter that is an atom --------------------------------------------------------------------


def four_starts(node: Node, packet: TemporalMode, end: float) -> tuple[Held, float]:
    """The node's table from the dark, the bright, and two superposed qubits."""
    half = 1 / np.sqrt(2)

    def run(*amplitudes: complex, levels: object = None) -> object:
        return captured(
            node.model,
            node.start(*amplitudes),
            node.port,
            packet,
            begin=0.0,
            end=end,
            kept=("spin",),
            levels=levels,  # type: ignore[arg-type]
        )

    first = run(half, half)
    known = first.truncation.levels  # type: ignore[attr-defined]
    starts = ((half, 1j * half), (1.0, 0.0), (0.0, 1.0))
    plus = first.state  # type: ignore[attr-defined]
    i, dark, lit = (run(*a, levels=known).state for a in starts)  # type: ignore[attr-defined]
    # |+><+| - (00 + 11)/2 = (01 + 10)/2 and |i><i| - (00 + 11)/2 = (10 - 01) i/2
    real, imaginary = plus - (dark + lit) / 2, i - (dark + lit) / 2
    size = len(dark) // 2
    table = np.array([[dark, real + 1j * imaginary], [real - 1j * imaginary, lit]])
    shaped = table.reshape(2, 2, 2, size, 2, size)
    arrived = 1 - shaped[1, 1, 1, 0, 1, 0].real - shaped[1, 1, 0, 0, 0, 0].real
    return Held(shaped), float(arrived)


RATE, LOST = 0.8, 0.15


@pytest.mark.parametrize("length", [1.5, 4.0])
def test_a_photon_of_an_atom_is_cut_where_the_window_ends(length: float) -> None:
    """Γ/(Γ+γ) (1 - e^{-(Γ+γ)T}): the packet starts at its peak, the virtual cavity misses 1e-9 of it."""
    total = RATE + LOST
    long = TemporalMode.exponential("emission", 0.0, total)
    packet = replace(long, span=(0.0, length))
    held, arrived = four_starts(spin_photon(RATE, lost=LOST), packet, length)
    eta = RATE / total * (1 - np.exp(-total * length))
    assert arrived == pytest.approx(eta, abs=1e-6)
    assert off(held.table, eta, 0.0) < 1e-6
    assert abs(eta - RATE / total) > 0.01


def test_an_atoms_photon_through_a_warm_line_heralds_with_what_arrives_in_the_window() -> None:
    """One excitation, three amplitudes, by its own differential equation; then L15 and L21.

    e' = -(Γ+γ)e/2, f' = -κf/2 - √(Γκ_in) e, v = √κ_out f; the line's thermal quanta n leak into
    the window's packet as N = κ_out n ∫∫ v*(t) v(t') e^{-κ|t-t'|/2}.
    """
    length, warm, alpha = 5.0, 0.03, 0.12
    resting = P_INT * warm / POLE

    def slope(t: float, y: Array) -> list[float]:
        e, f, past, _, _ = y
        v = np.sqrt(P_OUT) * f
        return [
            -(RATE + LOST) / 2 * e,
            -POLE / 2 * f - np.sqrt(RATE * P_IN) * e,
            v - POLE / 2 * past,
            v**2,
            2 * P_OUT * resting * v * past,
        ]

    flown = solve_ivp(slope, (0, length), [1.0, 0, 0, 0, 0], rtol=1e-11, atol=1e-13)
    eta, noise = float(flown.y[3, -1]), float(flown.y[4, -1] / flown.y[3, -1])
    whole = solve_ivp(slope, (0, 60.0), [1.0, 0, 0, 0, 0], rtol=1e-11, atol=1e-13).y[3, -1]
    assert eta < whole - 0.01  # the window does cut

    def shape(t: Array) -> Complex:
        late, soon = np.exp(-POLE * t / 2), np.exp(-(RATE + LOST) * t / 2)
        return (soon - late).astype(np.complex128)

    norm = solve_ivp(
        lambda t, y: [abs(shape(np.array(t))) ** 2], (0, length), [0.0], rtol=1e-11, atol=1e-13
    ).y[0, -1]
    packet = TemporalMode(
        "optical.out", lambda t: shape(t) / np.sqrt(norm), (0.0, length), (), POLE
    )
    atom = spin_photon(RATE, lost=LOST)
    ports = ("microwave.waveguide", "optical.out")
    cold, arrived = four_starts(through(atom, one_line(0.0), *ports), packet, length)
    assert arrived == pytest.approx(eta, abs=1e-5)
    hot, _ = four_starts(through(atom, one_line(warm), *ports, 1.0, {"f": resting}), packet, length)
    assert off(hot.table, eta, noise) < 1e-5
    assert off(hot.table, eta, 0.0) > 1e-3

    view = Detection(0.7, 0.7)
    quiet, loud = (rounds(h, h, view, Scheme.SINGLE_CLICK, alpha) for h in (cold, hot))
    seen_eta = 0.7 * eta
    assert quiet.probability == pytest.approx(
        2 * alpha * seen_eta - (alpha * seen_eta) ** 2, abs=1e-5
    )  # L15
    assert quiet.fidelity == pytest.approx((1 - alpha) / (1 - alpha * seen_eta / 2), abs=1e-5)
    twice = rounds(cold, cold, view, Scheme.TWO_CLICK, alpha)
    assert twice.probability == pytest.approx(seen_eta**2 / 2, abs=1e-5)  # L16
    assert twice.fidelity == pytest.approx(1.0, abs=1e-5)
    exact = single_click(Detection(seen_eta, seen_eta, 0.7 * noise, 0.7 * noise), alpha, alpha)
    assert loud.probability == pytest.approx(exact.probability, abs=1e-5)  # L21
    assert loud.fidelity == pytest.approx(exact.fidelity, abs=2e-5)
    assert loud.fidelity < quiet.fidelity - 1e-3


# --- in a link -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def target() -> Link:
    """A link whose two kinds of phase noise differ, through filters and a gate."""
    return link_of(load_scenario("metro_target"))


def holding(link: Link, arms: str = "AB", arriving: bool = False) -> Link:
    """Give the photons of these arms the table of their own efficiency and noise.

    With `arriving`, the noise is the one that loss alone would turn into what reaches the detector.
    """
    photons, _ = budget(link)
    found: list[Arm] = []
    for arm, photon in zip(link.arms, photons, strict=True):
        wave = arm.photon.wave
        noise = wave.mode_noise
        if arriving:
            noise = float(photon.mode_noise / photon.transmission) * wave.norm
        held = Held.gaussian(wave.norm, noise) if arm.name in arms else None
        found.append(replace(arm, photon=replace(arm.photon, held=held)))
    return replace(link, arms=(found[0], found[1]))


def without_noise(link: Link, scheme: Scheme) -> float:
    cause = next(c for c in CAUSES if c.name == "transducer noise")
    found = fidelity_without(link, scheme, seen(budget(link)[0], link.station), cause)
    assert found is not None
    return found


FIGURES = ("herald_probability", "herald_fidelity", "fidelity")


@pytest.mark.parametrize("scheme", list(EMITTERS))
@pytest.mark.parametrize("arms", ["A", "AB"])
def test_a_link_with_tables_is_the_link_with_gaussian_light(
    target: Link, scheme: Scheme, arms: str
) -> None:
    """A gate cuts the photon and not the noise, a table has both lost in it: 0.7 % of N here.

    That is 5e-6 quanta fewer in each arm, of 2e-2 heralds: 5e-4. With the noise that arrives the
    two agree but for 1 - M² = 2 %: there Gaussian noise fills both photons' modes, a table only its
    own. Measured 1.3e-5 at most.
    """
    gaussian = evaluate_link(target, scheme)
    close = evaluate_link(holding(target, arms), scheme)
    closer = evaluate_link(holding(target, "AB", arriving=True), scheme)
    for name in FIGURES:
        exact = getattr(gaussian, name)
        assert getattr(close, name) == pytest.approx(exact, rel=6e-4)
        assert getattr(closer, name) == pytest.approx(exact, rel=2e-5)
    assert close.fidelity > gaussian.fidelity  # the gate's share of the noise is missing


def test_a_gate_counts_the_same_noise_with_tables_and_without(target: Link) -> None:
    """A table attenuates its own mode's noise as the gate cuts the photon; other modes make up for it."""
    dark = replace(
        target,
        arms=tuple(replace(arm, photon=replace(arm.photon, bright=1e-9)) for arm in target.arms),
    )
    one, two = (
        evaluate_link(link, Scheme.SINGLE_CLICK).herald_probability
        for link in (dark, holding(dark))
    )
    # first order in the noise exactly; the products of two modes, of 1e-3 quanta each, differ
    assert two == pytest.approx(one, rel=1e-5, abs=0)


@pytest.mark.parametrize(
    "scheme",
    list(EMITTERS),
)
def test_separability_of_a_link_with_tables(target: Link, scheme: Scheme) -> None:
    """It depends on the scheme by its phase noise alone."""
    found = evaluate_link(holding(target, arriving=True), scheme)
    assert found.separability == pytest.approx(evaluate_link(target, scheme).separability, rel=5e-5)


@pytest.mark.parametrize("scheme", list(EMITTERS))
@pytest.mark.parametrize(
    "arms",
    ["AB", "A"],
)
def test_without_its_noise_a_link_with_tables_is_the_quiet_one(
    target: Link, scheme: Scheme, arms: str
) -> None:
    """No noise is left: overlap and loss are exact, whatever the photons are made of."""
    held = holding(target, arms)
    quiet = without_noise(held, scheme)
    assert quiet == pytest.approx(without_noise(target, scheme), abs=1e-12)
    assert quiet > evaluate_link(held, scheme).fidelity + 0.05


def test_devices_that_it_cannot_follow_are_refused_with_a_reason() -> None:
    """Quanta made by the device itself, and a mode far too fast for the photon."""
    model = electro_optic()
    emitter = Emitter(FOREVER, 0.12, FWHM)
    ports = ("microwave.waveguide", "optical.out")
    squeeze = Term(0.05, (Ladder("o", True), Ladder("e", True)))
    making = replace(model, terms=(*model.terms, squeeze, squeeze.adjoint()))
    with pytest.raises(ValidityError, match="makes quanta by itself"):
        emit_captured(making, *ports, emitter, GRID, NOISE, CARRIER)
    broad = replace(
        model,
        channels=(*model.channels, Channel("optical.drain", (("o", 40.0),), 0.0)),
    )
    with pytest.raises(ValidityError, match="scattering or pulse engine"):
        emit_captured(broad, *ports, emitter, GRID, NOISE, CARRIER)
    deaf = replace(model, channels=tuple(c for c in model.channels if c.name != "optical.out"))
    deaf = replace(deaf, channels=(*deaf.channels, Channel("optical.out", (), 0.0)))
    with pytest.raises(ValidityError, match="sends no light"):
        emit_captured(deaf, *ports, emitter, GRID, NOISE, CARRIER)
