"""Hamiltonians of devices: pulsed, with a quantum pump, and the records they are made of.

Pulses are refereed by the pulse engine, which shares no dynamics with the master equation, and by
moment equations of the test's own; the quantum pump by plain QuTiP in the frame that is not displaced.
"""

import itertools
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
import qutip
from scipy.integrate import solve_ivp

from cavities import (
    Bath,
    Gaussian,
    HotBath,
    Irradiation,
    Mode,
    Oscillator,
    ParameterError,
    PowerLaw,
    Pump,
    Ramped,
    Sampled,
    Sideband,
    Square,
    ValidityError,
)
from cavities.envelope import Envelope
from tests.test_engine_cases import Case, in_fock_space
from transducer import (
    ElectroOptic,
    Phonon,
    PiezoOptomechanical,
    SingleModeElectroOptic,
    StokesMode,
)
from transducer.devices.base import Device
from transducer.hamiltonian import (
    Channel,
    Hamiltonian,
    Jump,
    Ladder,
    Modulation,
    Polynomial,
    Term,
    Transition,
    adjoint,
    conjugate,
    lowering,
    number,
    product,
)
from transducer.solvers.operators import operators, polynomial
from transducer.solvers.pulse import respond
from transducer.solvers.reduced import evolve
from transducer.solvers.start import Start
from transducer.solvers.symmetry import conserved

RED, BLUE = Sideband.RED, Sideband.BLUE
COOPERATIVITY = {RED: 1.4, BLUE: 0.3}
LASER = 0.35
SHAPES: dict[str, Envelope] = {
    "square": Square(2.1),
    "gaussian": Gaussian(0.6),
    "ramped": Ramped(2.4, 0.8, 0.5),
    "sampled": Sampled(np.array([0.0, 0.7, 1.9, 2.6]), np.array([0.2, 1.0, 0.5, 0.1])),
}
WINDOWS = [(0.0, 3.3), (-0.4, 1.7)]
QUANTA = {"o": number("optical"), "e": number("microwave")}
ENOUGH = {"optical": 8, "microwave": 13}
TIGHT = {
    "method": "vern7",
    "rtol": 1e-10,
    "atol": 1e-12,
    "nsteps": 10**6,
    "max_step": 0.02,
    "normalize_output": False,
    "progress_bar": "",
}
sides = pytest.mark.parametrize("side", [RED, BLUE], ids=["red", "blue"])


def up(mode: str) -> Ladder:
    return Ladder(mode, True)


def down(mode: str) -> Ladder:
    return Ladder(mode)


def pulsed(
    side: Sideband, shape: Envelope | None, laser: float = LASER, **more: object
) -> tuple[ElectroOptic, Pump]:
    """kappa_o = 2, kappa_e = 0.8, pump mode 2.9 wide, warm baths, everything detuned."""
    device = ElectroOptic(
        Mode(1e4, 1.3, 0.7),
        Mode(1e3, 0.5, 0.3),
        1e-3,
        overlap=0.9,
        microwave_waveguide=Bath(0.01),
        microwave_internal=Bath(0.02),
        optical_bath=Bath(0.003),
        pump_mode=Mode(1e4, 2.0, 0.9),
        delta_o=0.4,
        delta_e=-0.2,
        **more,  # type: ignore[arg-type]
    )
    pump = device.pump_for(COOPERATIVITY[side], Pump(0.0, sideband=side, detuning=laser))
    return device, replace(pump, envelope=shape)


def by_pulse_engine(
    device: Device, pump: Pump, modes: tuple[str, ...], window: tuple[float, float]
) -> list[float]:
    """Quanta at the end of the window, one microwave quantum at its beginning."""
    found = respond(
        device,
        pump,
        (),
        held=modes,
        begin=window[0],
        end=window[1],
        start={"microwave": 1.0},
        rtol=1e-8,
    )
    return [float(found.quanta(k)) for k in range(len(modes))]


def by_master_equation(
    device: Device,
    pump: Pump,
    modes: tuple[str, ...],
    window: tuple[float, float],
    levels: dict[str, int] | None = None,
    accuracy: float = 1e-6,
) -> list[float]:
    asked = {m: number(m) for m in modes}
    model = device.hamiltonian(pump, window)
    start = Start.fock(microwave=1)
    found = evolve(model, start, np.array(window), asked, levels=levels, accuracy=accuracy)
    return [float(found.values[m][-1].real) for m in modes]


# --- pulses: electro-optic ------------------------------------------------------------------------


def moments(side: Sideband, shape: Envelope, window: tuple[float, float]) -> list[float]:
    """Pump, <a^dag a>, <b^dag b> and <a^dag b> (red) or <a b> (blue) of `pulsed`, numbers by hand."""
    fill, G = 1.45 - 1j * LASER, np.sqrt(COOPERATIVITY[side] * 2.0 * 0.8 / 4)
    d_o, d_e, n_o, n_e = 0.4 - LASER, -0.2, 0.003, (0.5 * 0.01 + 0.3 * 0.02) / 0.8
    inside = [b for b in shape.breaks if window[0] < b < window[1]]
    marks = [window[0], *inside, window[1]]
    y = np.array([0, 0, 1, 0], dtype=complex)
    for begin, end in itertools.pairwise(marks):
        lit = 0 <= (begin + end) / 2 <= shape.length

        def slope(t: float, y: np.ndarray, lit: bool = lit) -> list[complex]:
            e, N, M, x = y
            g = G * e
            if side is RED:  # a' = -i d_o a - i g b, b' = -i d_e b - i g* a
                dN, dM = 2 * np.real(-1j * g * x), 2 * np.real(-1j * np.conj(g * x))
                dx = (1j * d_o - 1j * d_e - 1.4) * x + 1j * np.conj(g) * (M - N)
            else:  # a' = -i d_o a - i g b^dag, b' = -i d_e b - i g a^dag
                dN = dM = 2 * np.real(-1j * g * np.conj(x))
                dx = (-1j * d_o - 1j * d_e - 1.4) * x - 1j * g * (N + M + 1)
            s = float(shape.amplitude(np.array(t))) if lit else 0.0
            return [fill * (s - e), dN - 2.0 * (N - n_o), dM - 0.8 * (M - n_e), dx]

        run = solve_ivp(slope, (begin, end), y, method="DOP853", rtol=1e-11, atol=1e-13)
        y = run.y[:, -1]
    return [float(y[1].real), float(y[2].real)]


@pytest.mark.parametrize("window", WINDOWS, ids=["pulse and dark after", "dark before and pulse"])
@pytest.mark.parametrize("shape", SHAPES)
@sides
def test_quanta_after_a_pulse_are_those_of_the_moment_equations_and_of_the_pulse_engine(
    side: Sideband, shape: str, window: tuple[float, float]
) -> None:
    device, pump = pulsed(side, SHAPES[shape])
    modes = ("optical", "microwave")
    ours = by_master_equation(device, pump, modes, window, ENOUGH)
    by_hand = moments(side, SHAPES[shape], window)
    # blue: what 8 by 13 levels cut off, 7e-9; red: interpolation and integrator, 1e-10
    assert ours == pytest.approx(by_hand, rel=0, abs=2e-8)
    # the pulse engine keeps at least one step between two breaks; 3e-7 on so coarse a grid
    theirs = by_pulse_engine(device, pump, modes, window)
    assert ours == pytest.approx(theirs, rel=0, abs=1e-6)
    # the pump did something, and so did its detuning: the drive is complex
    dark = moments(side, Square(1e-9), window)
    assert min(abs(a - b) for a, b in zip(by_hand, dark, strict=True)) > 1e-3
    assert [m.real for m in device.hamiltonian(pump, window).modulations()] == [False, False]


@sides
def test_levels_chosen_by_the_toolkit_keep_the_accuracy_of_a_pulse(side: Sideband) -> None:
    device, pump = pulsed(side, SHAPES["ramped"])
    ours = by_master_equation(device, pump, ("optical", "microwave"), WINDOWS[0])
    # relative to the largest value ever, which is the microwave's first quantum
    assert ours == pytest.approx(moments(side, SHAPES["ramped"], WINDOWS[0]), rel=0, abs=1e-6)


def test_the_coupling_under_a_square_pulse_is_the_exponential_of_a_filling_cavity() -> None:
    """g(t) = g (1 - e^{-(kappa/2 - i Delta) t}), and what it held runs out after the pulse."""
    device, pump = pulsed(RED, SHAPES["square"])
    H, _, a = operators(device.hamiltonian(pump, (-0.4, 4.0)), {"optical": 3, "microwave": 4})
    steady, _, _ = operators(device.hamiltonian(pump), {"optical": 3, "microwave": 4})
    still = 0.05 * a["optical"].dag() * a["optical"]
    still = still - 0.2 * a["microwave"].dag() * a["microwave"]
    # C = 1.4
    full = np.sqrt(1.4 * 2.0 * 0.8 / 4) * a["optical"].dag() * a["microwave"]
    assert (steady - still - full - full.dag()).norm() < 1e-12
    rate = 1.45 - 1j * LASER
    for t in (-0.3, 0.15, 0.9, 2.0, 2.6, 3.7):
        filled = -np.expm1(-rate * min(max(t, 0.0), 2.1)) * np.exp(-rate * max(t - 2.1, 0.0))
        # fourth-order interpolation between nodes 0.04 filling times apart
        assert (H(t) - still - filled * full - np.conj(filled) * full.dag()).norm() < 1e-7


def test_a_window_that_begins_inside_the_pulse_finds_the_cavity_as_it_was_filled_before() -> None:
    device, pump = pulsed(RED, SHAPES["square"])
    whole = device.hamiltonian(pump, (0.0, 3.0))
    late = device.hamiltonian(pump, (1.0, 3.0))
    start, times = Start.fock(microwave=1), np.array([1.0, 3.0])
    levels = {"optical": 3, "microwave": 3}
    one, two = (evolve(m, start, times, QUANTA, levels=levels) for m in (whole, late))
    for name in QUANTA:
        assert two.values[name] == pytest.approx(one.values[name], rel=0, abs=1e-9)
    assert late.breaks() == (2.1,)


@pytest.mark.parametrize("shape", ["square", "gaussian"])
def test_light_that_moves_the_resonator_and_its_loss_moves_them_along_the_pulse(
    shape: str,
) -> None:
    """Detuning and internal loss follow |drive|^1.2 and |drive|: neither is smooth where it is dark."""
    light = Irradiation(PowerLaw(0.35, 3e5, 0.6, 0.0, 1e9), PowerLaw(0.5, 3e5, 0.5, 0.0, 1e9))
    device, pump = pulsed(RED, SHAPES[shape], irradiation=light)
    window = (0.0, 2.8)
    model = device.hamiltonian(pump, window)
    moving = [t for t in model.terms if t.modulation is not None and len(set(t.operators)) == 2]
    # g, its conjugate, and the detuning of the microwave
    assert len(moving) == 3
    assert [c.name for c in model.channels if c.modulations] == ["microwave.int"]
    modes = ("optical", "microwave")
    ours = by_master_equation(device, pump, modes, window, {"optical": 5, "microwave": 7})
    theirs = by_pulse_engine(device, pump, modes, window)
    assert ours == pytest.approx(theirs, rel=0, abs=1e-6)
    still, _ = pulsed(RED, SHAPES[shape])
    without = by_pulse_engine(still, pump, modes, window)
    assert abs(without[1] - theirs[1]) > 1e-3


def test_a_pulse_on_the_model_with_both_sidebands_is_that_of_the_pulse_engine() -> None:
    """No charge survives but a parity; the pump stands 3 off the line that it fills."""
    device = SingleModeElectroOptic(
        Mode(1e4, 1.3, 0.7), Mode(3.0, 0.5, 0.3), 1e-3, 0.9, Bath(0.002), Bath(0.004), Bath(0.001)
    )
    like = Pump(0.0, detuning=0.2, envelope=Gaussian(0.7))
    pump = device.pump_for(0.3, like)
    modes, window = ("optical", "microwave"), (0.0, 3.4)
    levels = {"optical": 7, "microwave": 9}
    ours = by_master_equation(device, pump, modes, window, levels)
    theirs = by_pulse_engine(device, pump, modes, window)
    assert ours == pytest.approx(theirs, rel=0, abs=1e-6)
    assert theirs[0] > 5e-3


# --- pulses: hot baths ----------------------------------------------------------------------------

MECHANICS = ("optical", "microwave", "mechanics")


def heated(hot: HotBath, shape: Envelope) -> tuple[PiezoOptomechanical, Pump]:
    """kappa_o = 2, omega_m = 12, so that the laser beats with its cavity; G = 0.5 at the peak."""
    device = PiezoOptomechanical(
        Mode(1e4, 1.3, 0.7),
        Mode(12.2, 0.5, 0.2),
        (Phonon(Oscillator(12.0, 0.15, Bath(0.01), hot), 1e-3, 0.6 * np.exp(0.5j)),),
        overlap=0.9,
        microwave_waveguide=Bath(0.004),
        microwave_internal=Bath(0.006),
    )
    pump = device.pump_with(2.5e5, Pump(0.0, detuning=0.3))
    return device, replace(pump, envelope=shape)


PROMPT = HotBath(PowerLaw(0.12, 2e5, 0.5, 0.0, 1e9), PowerLaw(0.4, 2e5, 0.9, 0.0, 1e9))
LATE = replace(PROMPT, delayed=0.6, turn_on=1.7, turn_off=0.8)


def test_a_hot_bath_couples_and_warms_as_its_laws_say_along_a_pulse() -> None:
    shape = Gaussian(0.8)
    _, pump = heated(PROMPT, shape)
    # light in the waveguide counts as 4e4 photons at the peak, with the pulse, not with the cavity
    device, _ = heated(replace(PROMPT, per_watt=4e4 / pump.power), shape)
    fill = 1.0 - 1j * (0.3 - 12.0)
    filled = solve_ivp(
        lambda t, y: [fill * (float(shape.amplitude(np.array(t))) - y[0])],
        (0.0, 4.0),
        np.zeros(1, complex),
        method="DOP853",
        rtol=1e-11,
        atol=1e-13,
        dense_output=True,
    ).sol
    hot = device.hamiltonian(pump, (0.0, 4.0)).channel("mechanics.hot")
    ((mode, amplitude),) = hot.amplitudes
    ((moving, factor),) = hot.modulations
    assert mode == moving == "mechanics"
    assert hot.warming is not None
    for t in (1.1, 1.9, 2.0, 2.7):
        x = 2.5e5 * abs(filled(t)[0]) ** 2 + 4e4 * float(shape.power(np.array(t)))
        rate, occupation = 0.4 * (x / 2e5) ** 0.9, 0.12 * (x / 2e5) ** 0.5
        assert abs(amplitude * factor.factor(t)) ** 2 == pytest.approx(rate, rel=1e-6, abs=0)
        warm = hot.occupation * np.real(hot.warming.factor(t))
        assert warm == pytest.approx(occupation, rel=1e-6, abs=0)


@pytest.mark.slow
@pytest.mark.parametrize("hot", [PROMPT, LATE], ids=["prompt", "delayed"])
def test_quanta_beside_a_bath_that_heats_in_time_are_those_of_the_pulse_engine(
    hot: HotBath,
) -> None:
    device, pump = heated(hot, Gaussian(0.6))
    window = (0.0, 3.2)
    ours = by_master_equation(device, pump, MECHANICS, window, accuracy=1e-5)
    found = respond(
        device, pump, (), held=MECHANICS, begin=0.0, end=3.2, start={"microwave": 1.0}, rtol=1e-6
    )
    theirs = [float(found.quanta(k)) for k in range(3)]
    # a delay is followed by straight lines between nodes, a law with exponent 0.5 has a kink at
    # the dark ends, and the levels are chosen to 1e-5
    assert ours == pytest.approx(theirs, rel=0, abs=1e-4)
    cold, _ = heated(replace(hot, occupation=replace(hot.occupation, value=0.0)), Gaussian(0.6))
    chilled = respond(
        cold, pump, (), held=MECHANICS, begin=0.0, end=3.2, start={"microwave": 1.0}, rtol=1e-6
    )
    assert theirs[2] - float(chilled.quanta(2)) > 5e-3


# --- plain QuTiP ----------------------------------------------------------------------------------


def by_plain_mesolve(
    model: Hamiltonian, levels: dict[str, int], times: np.ndarray
) -> dict[str, np.ndarray]:
    H, c_ops, a = operators(model, levels)
    assert isinstance(H, qutip.QobjEvo)
    kets = [qutip.basis(levels[m], int(m == "microwave")) for m in model.modes]
    numbers = [a[m].dag() * a[m] for m in model.modes]
    rho = qutip.ket2dm(qutip.tensor(kets))
    found = qutip.mesolve(H, rho, times, c_ops, e_ops=numbers, options=TIGHT)
    return dict(zip(model.modes, map(np.asarray, found.expect), strict=True))


def in_agreement(model: Hamiltonian, levels: dict[str, int], times: np.ndarray) -> None:
    theirs = by_plain_mesolve(model, levels, times)
    asked = {m: number(m) for m in model.modes}
    ours = evolve(model, Start.fock(microwave=1), times, asked, levels=levels)
    assert ours.route.startswith("reduced to")
    for m, expected in theirs.items():
        # plain mesolve does not know of the edges: steps of 0.02 across a kink cost 1e-8
        assert np.max(np.abs(ours.values[m] - expected)) < 1e-7, m
        assert np.max(np.abs(expected[1:])) > 1e-3


@pytest.mark.parametrize("shape", ["square", "ramped"])
@sides
def test_plain_mesolve_with_the_operators_of_a_pulse_gives_the_same_numbers(
    side: Sideband, shape: str
) -> None:
    device, pump = pulsed(side, SHAPES[shape])
    model = device.hamiltonian(pump, (-0.2, 3.0))
    in_agreement(model, {"optical": 4, "microwave": 5}, np.array([-0.2, 0.5, 1.3, 3.0]))


@pytest.mark.parametrize("begin", [0.05, 0.0])
def test_plain_mesolve_with_rates_and_occupations_in_time_gives_the_same_numbers(
    begin: float,
) -> None:
    """At the first light the interpolated occupation is zero to rounding, on either side of it."""
    device, pump = heated(LATE, Gaussian(0.5))
    model = device.hamiltonian(pump, (begin, 2.2))
    _, c_ops, _ = operators(model, {"optical": 2, "microwave": 2, "mechanics": 3})
    assert sum(isinstance(c, qutip.QobjEvo) for c in c_ops) == 3
    times = np.array([begin, 1.1, 2.2])
    in_agreement(model, {"optical": 2, "microwave": 2, "mechanics": 3}, times)


# --- windows --------------------------------------------------------------------------------------


def test_a_window_of_a_pump_without_a_pulse_is_refused() -> None:
    device, pump = pulsed(RED, None)
    with pytest.raises(ParameterError, match="window belongs to a pump with an envelope"):
        device.hamiltonian(pump, (0.0, 1.0))


@pytest.mark.parametrize("window", [(1.0, 0.5), (0.7, 0.7)])
def test_a_window_that_does_not_increase_is_refused(window: tuple[float, float]) -> None:
    device, pump = pulsed(RED, SHAPES["square"])
    with pytest.raises(ParameterError, match=r"window \[s\] must increase"):
        device.hamiltonian(pump, window)


def test_a_window_of_too_many_filling_times_is_refused_with_their_number() -> None:
    device, pump = pulsed(RED, SHAPES["square"])
    # 2e5 steps of 0.04/|1.45 - 0.35i| reach 5363
    with pytest.raises(ValidityError, match=r"pulse takes 2\.2e\+05 steps"):
        device.hamiltonian(pump, (0.0, 6000.0))


def test_a_pulse_that_does_not_hold_as_a_model_is_refused_before_it_is_followed() -> None:
    device, pump = pulsed(RED, SHAPES["square"], laser=600.0)
    with pytest.raises(ValidityError, match="other sideband takes over"):
        device.hamiltonian(pump, (0.0, 1.0))


def test_without_a_window_nothing_moves_and_the_pump_stands_at_its_peak() -> None:
    device, pump = pulsed(RED, SHAPES["gaussian"])
    model = device.hamiltonian(pump)
    assert list(model.modulations()) == []
    assert model.breaks() == ()
    assert model == device.hamiltonian(replace(pump, envelope=None))
    H, c_ops, _ = operators(model, {"optical": 2, "microwave": 2})
    assert all(isinstance(op, qutip.Qobj) for op in (H, *c_ops))


def test_what_the_light_does_not_touch_does_not_move() -> None:
    device, pump = pulsed(BLUE, SHAPES["ramped"])
    model = device.hamiltonian(pump, (0.3, 9.0))
    assert [t.operators for t in model.terms if t.modulation is not None] == [
        (up("optical"), up("microwave")),
        (down("microwave"), down("optical")),
    ]
    assert all(not c.modulations and c.warming is None for c in model.channels)
    assert model.breaks() == (0.8, 2.4 - 0.5, 2.4)


def test_an_array_of_devices_is_refused_with_or_without_a_window() -> None:
    device, pump = pulsed(RED, SHAPES["square"])
    many = replace(device, g0=np.array([1e-3, 2e-3, 3e-3]))
    with pytest.raises(ParameterError, match=r"one device at a time, got 3 values"):
        many.hamiltonian(pump)
    with pytest.raises(ParameterError, match=r"one device at a time"):
        replace(many, g0=many.g0[:, None]).hamiltonian(pump, (0.0, 1.0))


# --- a quantum pump -------------------------------------------------------------------------------


def three_waves(
    side: Sideband, photons: float, g0: float, laser: float = 0.27, n: float = 0.0
) -> tuple[ElectroOptic, Pump]:
    """|g| stays at 0.42 if photons and g0 are chosen so; a direct path makes it complex."""
    device = ElectroOptic(
        Mode(1e4, 0.5, 0.3),
        Mode(1e3, 0.3, 0.15),
        g0,
        overlap=0.9,
        microwave_internal=Bath(2 * n),
        optical_bath=Bath(n),
        delta_o=0.5,
        delta_e=-0.15,
        pump_mode=Mode(9e3, 0.9, 0.4),
        direct=0.5 * g0 * np.exp(0.8j),
    )
    return device, device.pump_with(photons, Pump(0.0, sideband=side, detuning=laser))


QUANTUM = {**QUANTA, "p": lowering("pump")}


@pytest.mark.slow
@pytest.mark.parametrize("laser", [0.27, -0.6])
@sides
def test_a_quantum_pump_is_the_driven_three_wave_model_that_is_not_displaced(
    side: Sideband, laser: float
) -> None:
    """The lab's pump starts in a coherent state and is driven: alpha = eps / (kappa_p/2 - i Delta).

    The two frames cut a and b alike, so only the pump's levels are to be enough: its tail beyond
    13 levels is 1e-12 of 0.7 photons, and depletion puts less than that beside it.
    """
    photons, g0, n = 0.7, 0.4, 0.01
    device, pump = three_waves(side, photons, g0, laser, n)
    times = np.array([0.0, 0.7, 1.8, 4.0])
    levels = {"optical": 3, "microwave": 4, "pump": 11}
    ours = evolve(
        device.with_quantum_pump(pump), Start.fock(microwave=1), times, QUANTUM, levels=levels
    )
    counts = [3, 4, 14]
    a, b, P = (
        qutip.tensor([qutip.destroy(d) if j == k else qutip.qeye(d) for j, d in enumerate(counts)])
        for k in range(3)
    )
    alpha = np.sqrt(photons)
    eps = alpha * (1.3 / 2 - 1j * laser)
    single = g0 * (1 + 0.5 * np.exp(0.8j))
    mixing = single * a.dag() * (b if side is RED else b.dag()) * P
    H = (0.5 - laser) * a.dag() * a - 0.15 * b.dag() * b - laser * P.dag() * P
    H = H + mixing + mixing.dag() + 1j * (eps * P.dag() - np.conj(eps) * P)
    c_ops = []
    # bath of light in a and in P, n; vacuum in the waveguide, 2n inside the resonator
    for rate, op, warm in ((0.8, a, n), (0.3, b, 0.0), (0.15, b, 2 * n), (1.3, P, n)):
        c_ops += [np.sqrt(rate * (warm + 1)) * op, np.sqrt(rate * warm) * op.dag()]
    # analytic: the series, cut, rather than the displacement of a truncated space
    coherent = qutip.coherent(14, alpha, method="analytic").unit()
    rho = qutip.ket2dm(qutip.tensor(qutip.basis(3, 0), qutip.basis(4, 1), coherent))
    options = {**TIGHT, "rtol": 1e-8, "atol": 1e-10, "max_step": 0.0}
    e_ops = [a.dag() * a, b.dag() * b, P]
    lab = qutip.mesolve(H, rho, times, c_ops, e_ops=e_ops, options=options).expect
    assert ours.values["o"] == pytest.approx(lab[0], rel=0, abs=1e-6)
    assert ours.values["e"] == pytest.approx(lab[1], rel=0, abs=1e-6)
    assert alpha + ours.values["p"] == pytest.approx(lab[2], rel=0, abs=1e-6)
    # the field is visibly not the undepleted one, and not real
    assert np.min(np.abs(ours.values["p"][1:])) > 0.01
    assert np.max(np.abs(ours.values["p"].imag)) > 0.005


@sides
def test_a_strong_quantum_pump_goes_over_into_the_classical_one_as_the_square_of_g0(
    side: Sideband,
) -> None:
    """Back-action of one pump quantum: the coupling stays, the photons grow as 1/g0^2."""
    levels = {"optical": 4, "microwave": 4}
    times, start = np.array([0.0, 1.1, 2.5]), Start.fock(microwave=1)
    apart = []
    for g0 in (0.08, 0.04, 0.02):
        device, pump = three_waves(side, (0.3 / g0) ** 2, g0)
        quantum = evolve(
            device.with_quantum_pump(pump), start, times, QUANTUM, levels={**levels, "pump": 6}
        )
        classical = evolve(device.hamiltonian(pump), start, times, QUANTA, levels=levels)
        apart.append([(quantum.values[k] - classical.values[k])[1:].real for k in QUANTA])
    one, two, three = np.abs(np.array(apart))
    assert np.min(three) > 1e-7  # above the integrator's error
    # the next order is g0^4: its share falls by four, too
    assert one / two == pytest.approx(np.full_like(one, 4.0), rel=0.05)
    assert two / three == pytest.approx(np.full_like(one, 4.0), rel=0.0125)


@pytest.mark.parametrize(("side", "sign"), [(RED, 1), (BLUE, -1)], ids=["red", "blue"])
def test_a_quantum_pump_conserves_the_sum_or_the_difference_of_signal_quanta(
    side: Sideband, sign: int
) -> None:
    device, pump = three_waves(side, 0.7, 0.4)
    model = device.with_quantum_pump(pump)
    found = conserved(model)
    assert model.modes == ("optical", "microwave", "pump")
    ((o, e, p),) = found.charges.tolist()
    assert (o * e, abs(o), p) == (sign, 1, 0)
    assert len(found.parities) == 0
    H, _, a = operators(model, {"optical": 4, "microwave": 3, "pump": 5})
    n = {m: x.dag() * x for m, x in a.items()}
    charge = n["optical"] + sign * n["microwave"]
    assert qutip.commutator(H, charge).norm() < 1e-12
    assert qutip.commutator(H, n["optical"] + n["pump"]).norm() > 0.1


def test_a_quantum_pump_leaves_through_the_ports_of_its_own_mode() -> None:
    device, pump = three_waves(RED, 0.7, 0.4, n=0.03)
    model = device.with_quantum_pump(pump)
    ports = {c.name: (c.rate("pump"), c.occupation) for c in model.channels}
    assert ports.pop("pump.ext") == pytest.approx((0.9, 0.03), rel=1e-14)
    assert ports.pop("pump.int") == pytest.approx((0.4, 0.03), rel=1e-14)
    assert ports == {c.name: (0.0, c.occupation) for c in device.hamiltonian(pump).channels}
    alike = replace(device, pump_mode=None).with_quantum_pump(pump)
    assert alike.channel("pump.ext").kappa == pytest.approx(0.5, rel=1e-14)


def test_a_quantum_pump_is_no_longer_called_undepleted() -> None:
    device, pump = three_waves(RED, 0.7, 0.4)
    classical, quantum = device.hamiltonian(pump), device.with_quantum_pump(pump)
    assert classical.approximations == ("rotating wave: one sideband", "undepleted pump")
    assert quantum.approximations == ("rotating wave: one sideband",)
    assert classical.gaussian
    assert not quantum.gaussian
    levels = {"optical": 2, "microwave": 2, "pump": 3}
    found = evolve(quantum, Start.fock(microwave=1), np.array([0.0, 0.5]), QUANTA, levels=levels)
    assert "undepleted" not in str(found)
    assert "neglected: rotating wave: one sideband" in str(found)


def test_a_quantum_pump_beside_a_tone_or_a_stokes_mode_is_refused() -> None:
    device, pump = three_waves(RED, 0.7, 0.4)
    for more in (
        {"tone_photons": 2.0},
        {"stokes": StokesMode(Mode(9e3, 0.9, 0.5), 0.35, 1.4)},
    ):
        refused = replace(device, **more)  # type: ignore[arg-type]
        with pytest.raises(ValidityError, match="leave tone_photons and the Stokes mode out"):
            refused.with_quantum_pump(pump)


def test_an_array_of_quantum_pumps_is_refused() -> None:
    device, pump = three_waves(RED, 0.7, 0.4)
    with pytest.raises(ParameterError, match="one device at a time, got 2 values"):
        device.with_quantum_pump(replace(pump, power=pump.power * np.array([1.0, 2.0])))


# --- the records ----------------------------------------------------------------------------------

DECAY = (Channel("out", (("a", 0.7), ("b", 0.4j)), 0.2),)


@pytest.mark.parametrize(
    ("terms", "jumps", "levels", "gaussian"),
    [
        (number("a"), (), (), True),
        ((Term(0.3j, (up("a"), up("b"))),), (), (), True),
        ((Term(0.3, (up("a"), up("a"))),), (), (), True),
        ((Term(0.3, (up("a"),)),), (), (), True),
        ((Term(0.3, (up("a"), down("b"), down("b"))),), (), (), False),
        ((Term(0.3, (up("a"), up("a"), down("a"), down("a"))),), (), (), False),
        ((Term(0.3, (Transition("a", 1, 0),)),), (), (), False),
        ((), (Jump("loss", lowering("b")),), (), True),
        ((), (Jump("dephasing", number("b")),), (), False),
        ((), (Jump("decay", (Term(0.3, (Transition("b", 0, 1),)),)),), (), False),
        (number("a"), (), (("b", 2),), False),
    ],
    ids=[
        "detuning",
        "squeezing of two",
        "squeezing of one",
        "drive",
        "three waves",
        "Kerr",
        "levels coupled",
        "linear jump",
        "dephasing",
        "level decays",
        "qubit",
    ],
)
def test_gaussian_is_what_has_quadratic_terms_linear_jumps_and_no_qubit(
    terms: Polynomial, jumps: tuple[Jump, ...], levels: tuple[tuple[str, int], ...], gaussian: bool
) -> None:
    assert Hamiltonian(("a", "b"), terms, DECAY, jumps=jumps, levels=levels).gaussian is gaussian


def test_modes_grow_unless_physics_fixes_their_levels() -> None:
    model = Hamiltonian(("a", "q", "b", "r"), (), DECAY, levels=(("r", 3), ("q", 2)))
    assert model.growing == ("a", "b")
    assert Hamiltonian(("a", "b"), (), DECAY).growing == ("a", "b")


def test_two_modes_of_one_name_are_refused() -> None:
    with pytest.raises(ParameterError, match="two modes are called 'b'; rename one"):
        Hamiltonian(("b", "a", "b"), (), ())


@pytest.mark.parametrize(
    "more",
    [
        {"terms": (Term(1.0, (up("a"), down("c"))),)},
        {"terms": (Term(1.0, (Transition("c", 1, 0),)),)},
        {"channels": (Channel("out", (("a", 0.3), ("c", 0.7)), 0.0),)},
        {"jumps": (Jump("dephasing", number("c")),)},
        {"levels": (("c", 2),)},
    ],
    ids=["ladder", "transition", "channel", "jump", "levels"],
)
def test_a_mode_that_is_not_there_is_refused(more: dict[str, object]) -> None:
    model = Hamiltonian(("a", "b"), number("b"), DECAY)
    with pytest.raises(ParameterError, match=r"'c' is not one of the modes \('a', 'b'\)"):
        replace(model, **more)  # type: ignore[arg-type]


def test_a_mode_of_one_level_and_a_negative_level_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"levels of a"):
        Hamiltonian(("a",), (), (), levels=(("a", 1),))
    for ket, bra in ((-1, 0), (0, -1)):
        with pytest.raises(ParameterError, match="Transition"):
            Transition("a", ket, bra)


def test_a_port_that_is_not_there_is_refused_with_those_there_are() -> None:
    model = Hamiltonian(("a", "b"), (), DECAY)
    assert model.channel("out") is DECAY[0]
    with pytest.raises(ParameterError, match="there is no port 'in'; the device has out"):
        model.channel("in")


TURNING = Modulation(lambda t: np.exp(-0.3 * t + 0.9j * t), (0.4, 1.7))
BREATHING = Modulation(lambda t: 1.0 + 0.5 * np.sin(t), (1.1, 1.7), real=True)
COUNTS = {"a": 4, "q": 3}


def made(operator: Polynomial) -> qutip.Qobj | qutip.QobjEvo:
    a = {
        "a": qutip.tensor(qutip.destroy(4), qutip.qeye(3)),
        "q": qutip.tensor(qutip.qeye(4), qutip.destroy(3)),
    }
    return polynomial(operator, a, COUNTS)


def at(operator: Polynomial, t: float) -> qutip.Qobj:
    found = made(operator)
    return found(t) if isinstance(found, qutip.QobjEvo) else found


def test_an_adjoint_turns_operators_around_and_conjugates_coefficient_and_factor() -> None:
    """Products that do not commute, levels, and a factor whose phase turns."""
    operator = (
        Term(0.4 + 0.3j, (up("a"), up("a"), down("a"), Transition("q", 2, 0)), TURNING),
        Term(-0.2j, (down("a"), Transition("q", 0, 1)), BREATHING),
        Term(0.7 - 0.1j, (down("q"), up("a"))),
    )
    for t in (0.0, 0.8, 2.3):
        assert (at(adjoint(operator), t) - at(operator, t).dag()).norm() < 1e-13
        assert (at(adjoint(adjoint(operator)), t) - at(operator, t)).norm() < 1e-13
        assert (at(operator, t) - at(operator, t).dag()).norm() > 0.1
    first, second, third = adjoint(operator)
    assert first.modulation is not None
    assert first.modulation.breaks == TURNING.breaks
    assert second.modulation is BREATHING  # one object: equal factors are recognised by it
    assert third.modulation is None


def test_factors_in_time_multiply_and_keep_their_breaks() -> None:
    assert product() is None
    assert product(None, None) is None
    assert product(None, TURNING, None) is TURNING
    assert conjugate(None) is None
    both = product(BREATHING, None, TURNING)
    assert both is not None
    assert both.factor(0.6) == pytest.approx(
        (1 + 0.5 * np.sin(0.6)) * np.exp(-0.18 + 0.54j), rel=1e-14
    )
    assert both.breaks == (0.4, 1.1, 1.7)
    assert not both.real
    twice = product(BREATHING, BREATHING)
    assert twice is not None
    assert twice.real


def busy() -> Hamiltonian:
    """A still warm port, a cold one, one that moves and warms, one without loss, and a jump."""
    return Hamiltonian(
        ("a", "q"),
        (Term(0.3, (up("a"), down("q")), TURNING), Term(0.3, (up("q"), down("a")))),
        (
            Channel("still", (("a", 0.8j), ("q", 0.3)), 0.45),
            Channel("cold", (("q", 0.5),), 0.0),
            Channel("moving", (("a", 0.6), ("q", 0.2j)), 0.7, (("a", TURNING),), BREATHING),
            Channel("warmed vacuum", (("a", 0.4),), 0.0, warming=BREATHING),
            Channel("closed", (("a", 0.0),), 3.0),
        ),
        jumps=(Jump("dephasing", (Term(0.35, (Transition("q", 1, 1),), BREATHING),)),),
        levels=(("q", 3),),
    )


def liouvillian(
    parts: Iterable[tuple[float, Modulation | None, Polynomial]], t: float
) -> qutip.Qobj:
    total = 0
    for rate, factor, operator in parts:
        weight = rate * (1.0 if factor is None else np.real(factor.factor(t)))
        total = total + weight * qutip.lindblad_dissipator(at(operator, t))
    return total


@pytest.mark.parametrize("t", [0.0, 0.9, 4.4])
def test_loss_and_gain_put_together_or_apart_are_one_liouvillian(t: float) -> None:
    model = busy()
    a, q = at(lowering("a"), 0.0), at(lowering("q"), 0.0)
    f, w = np.exp(-0.3 * t + 0.9j * t), 1 + 0.5 * np.sin(t)
    shared, moving = 0.8j * a + 0.3 * q, 0.6 * f * a + 0.2j * q
    excited = qutip.tensor(qutip.qeye(4), qutip.fock_dm(3, 1))
    D = qutip.lindblad_dissipator
    by_hand = 1.45 * D(shared) + 0.45 * D(shared.dag()) + D(0.5 * q) + D(0.4 * a)
    by_hand = by_hand + (1 + 0.7 * w) * D(moving) + 0.7 * w * D(moving.dag())
    by_hand = by_hand + D(0.35 * w * excited)
    assert (liouvillian(model.collapses(), t) - by_hand).norm() < 1e-12
    assert (liouvillian(model.merged(), t) - by_hand).norm() < 1e-12
    # and so do QuTiP's operators, whose roots carry the occupation
    _, c_ops, _ = operators(model, {"a": 4})
    summed = sum(D(c(t) if isinstance(c, qutip.QobjEvo) else c) for c in c_ops)
    assert (summed - by_hand).norm() < 1e-12
    assert len(list(model.merged())) < len(list(model.collapses()))


def test_breaks_are_collected_from_every_factor() -> None:
    model = busy()
    assert model.breaks() == (0.4, 1.1, 1.7)
    # one term, a port's amplitude, two occupations, a jump
    assert len(list(model.modulations())) == 5
    assert replace(model, terms=(), channels=()).breaks() == (1.1, 1.7)
    port = Hamiltonian(("a", "q"), (), model.channels[2:3])
    assert replace(port, channels=(replace(port.channels[0], warming=None),)).breaks() == (0.4, 1.7)


# --- what is neglected ----------------------------------------------------------------------------


@in_fock_space
def test_what_a_device_neglects_is_said_by_its_hamiltonian_and_printed_with_every_answer(
    case: Case,
) -> None:
    model = case.device.hamiltonian(case.pump)
    assert model.approximations
    assert all(said.strip() for said in model.approximations)
    levels = {m: 2 for m in model.modes}
    asked = {"n": number(model.modes[0])}
    found = evolve(model, Start.fock(), np.array([0.0, 0.01]), asked, levels=levels)
    printed = [line for line in str(found).splitlines() if line.startswith("neglected: ")]
    assert printed == [f"neglected: {said}" for said in model.approximations]
