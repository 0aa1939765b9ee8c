"""Devices known from outside: measured matrices completed by their losses, and equations a user writes by hand."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cavities import Bath, DataError, Mode, ParameterError, Pump, Sideband, UnstableError, data
from cavities.errors import ValidityError
from tests.conftest import pumped, reference_device
from transducer import (
    ElectroOptic,
    LinearDevice,
    Port,
    Scenario,
    evaluate,
    load_device,
    load_scenario,
    simulate,
)
from transducer.devices.black_box import BlackBox
from transducer.linear import langevin
from transducer.measured import read_scattering
from transducer.network import Coupling, Door, Mixing, Network, Resonance
from transducer.solvers import scattering
from transducer.tabulated import Tabulated, completed

TWO_PI = 2 * np.pi
MHZ = 1e6
Complex = NDArray[np.complex128]
Array = NDArray[np.float64]


# ---------------------------------------------------------------- a known device, known only from outside


def hidden(n_env: float = 0.13, n_wg: float = 0.04, n_light: float = 0.01) -> LinearDevice:
    """Asymmetric converter whose losses all lead to baths of one occupation."""
    optical = Mode.from_hz(193.4e12, kappa_ext_hz=21 * MHZ, kappa_int_hz=9 * MHZ)
    microwave = Mode.from_hz(8e9, kappa_ext_hz=9 * MHZ, kappa_int_hz=3 * MHZ)
    device = ElectroOptic.from_hz(
        optical,
        microwave,
        g0_hz=70.0,
        microwave_waveguide=Bath(n_wg),
        microwave_internal=Bath(n_env),
        delta_o_hz=4e6,
        delta_e_hz=-1.5e6,
    )
    linear = device.linearise(pumped(device, 0.4))
    assert isinstance(linear, LinearDevice)
    ports = tuple(
        replace(p, occupation=n_light if p.name == "optical.out" else n_env)
        if p.name.startswith("optical")
        else p
        for p in linear.ports
    )
    return replace(linear, ports=ports)


SOURCE, TARGET = "microwave.waveguide", "optical.out"


def table_of(
    device: LinearDevice, omega: Array, names: tuple[str, ...], environment: float, **how: object
) -> Tabulated:
    """What a network analyser at some of the ports would write down."""
    at = [device.index(name) for name in names]
    S = scattering.scatter(device, omega)[:, at][:, :, at]
    return Tabulated(omega, S, tuple(device.ports[k] for k in at), environment, **how)  # type: ignore[arg-type]


def span(width_hz: float = 100e6, points: int = 401) -> Array:
    return TWO_PI * np.linspace(-width_hz, width_hz, points)


@pytest.mark.parametrize(
    ("names", "way"),
    [
        ((SOURCE, TARGET), (SOURCE, TARGET)),
        ((TARGET, SOURCE), (SOURCE, TARGET)),
        ((TARGET, SOURCE), (TARGET, SOURCE)),
    ],
)
def test_a_table_without_its_loss_ports_has_the_efficiency_and_noise_of_the_device(
    names: tuple[str, ...], way: tuple[str, str]
) -> None:
    full = hidden()
    omega = span()
    table = table_of(full, omega, names, 0.13)
    ours, theirs = (scattering.convert(d, *way, omega) for d in (table, full))
    assert ours.amplitude == pytest.approx(theirs.amplitude, rel=1e-12)
    assert ours.noise_out == pytest.approx(theirs.noise_out, rel=1e-9)
    peak = int(np.argmax(ours.efficiency))
    assert ours.added_noise[peak] == pytest.approx(theirs.added_noise[peak], rel=1e-9)
    assert ours.contributions[way[0]] == pytest.approx(theirs.contributions[way[0]], rel=1e-12)
    lost = sum(v for k, v in theirs.contributions.items() if k not in names)
    assert ours.contributions["loss"] == pytest.approx(lost, rel=1e-9)
    assert np.max(lost) > 0.01
    assert np.max(ours.contributions["gain"]) < 1e-12


def test_a_wrong_environment_gives_the_noise_of_another_device() -> None:
    omega = span()
    cold = scattering.convert(
        table_of(hidden(), omega, (SOURCE, TARGET), 0.0), SOURCE, TARGET, omega
    )
    hot = scattering.convert(hidden(), SOURCE, TARGET, omega)
    assert np.max(hot.noise_out - cold.noise_out) > 0.02


def test_a_measured_loss_port_is_no_longer_part_of_the_environment() -> None:
    full = hidden()
    full = replace(
        full,
        ports=tuple(
            replace(p, occupation=2.5) if p.name == "microwave.int" else p for p in full.ports
        ),
    )
    omega = span(points=51)
    table = table_of(full, omega, (SOURCE, TARGET, "microwave.int"), 0.13)
    ours, theirs = (scattering.convert(d, SOURCE, TARGET, omega) for d in (table, full))
    assert ours.noise_out == pytest.approx(theirs.noise_out, rel=1e-9)


def test_between_its_points_a_table_is_close_to_the_device() -> None:
    full = hidden()
    table = table_of(full, span(points=801), (SOURCE, TARGET), 0.13)
    between = TWO_PI * MHZ * np.array([-17.13, -0.61, 2.37, 11.9])
    ours, theirs = (scattering.convert(d, SOURCE, TARGET, between) for d in (table, full))
    assert ours.efficiency == pytest.approx(theirs.efficiency, rel=2e-3)
    assert ours.noise_out == pytest.approx(theirs.noise_out, rel=1e-2)
    assert np.any(np.abs(ours.efficiency / theirs.efficiency - 1) > 1e-7)  # it does interpolate


# ---------------------------------------------------------------- commutators


@st.composite
def matrices(draw: st.DrawFn, most: float) -> tuple[Complex, tuple[bool, ...], float]:
    """A table of random matrices, random kinds of ports, and a place inside it."""
    p, n = draw(st.integers(1, 3)), draw(st.integers(2, 4))
    number = st.floats(-1, 1, allow_nan=False).filter(lambda x: x == 0 or abs(x) > 1e-6)
    flat = draw(st.lists(number, min_size=2 * n * p * p, max_size=2 * n * p * p))
    S = (np.array(flat[::2]) + 1j * np.array(flat[1::2])).reshape(n, p, p)
    size = np.maximum(np.linalg.norm(S, 2, axis=(1, 2)), 1e-3)[:, None, None]
    kinds = tuple(draw(st.lists(st.booleans(), min_size=p, max_size=p)))
    return most * S / np.maximum(size, 1.0), kinds, draw(st.floats(0, 1))


@given(matrices(2.5))
def test_commutators_hold_for_every_measured_row_at_any_frequency(
    case: tuple[Complex, tuple[bool, ...], float],
) -> None:
    S, kinds, place = case
    omega = np.cumsum(1e6 * (1 + np.arange(len(S))))
    measured = tuple(Port(f"p{k}", 0.1, c) for k, c in enumerate(kinds))
    table = Tabulated(omega, S, measured, 0.2, passive=False)
    at = omega[0] + place * (omega[-1] - omega[0])
    found = scattering.scatter(table, np.array([at]))[0]
    J = np.diag(table.signature)
    J_out = np.diag([-1.0 if c else 1.0 for c in kinds])
    assert found.shape == (len(kinds), 3 * len(kinds))
    assert np.abs(found @ J @ found.conj().T - J_out).max() < 1e-10


@given(matrices(1.0))
def test_a_passive_table_stays_passive_between_its_points(
    case: tuple[Complex, tuple[bool, ...], float],
) -> None:
    S, kinds, place = case
    omega = 1e6 * np.arange(len(S))
    table = Tabulated(omega, S, tuple(Port(f"p{k}", 0.0) for k in range(len(kinds))), 0.0)
    found = scattering.scatter(table, np.array(place * omega[-1]))
    p = len(kinds)
    assert np.abs(found[:, 2 * p :]).max() < 1e-6
    noise = scattering.noise_by_port(table, found, "p0")
    assert sum(noise.values()) == pytest.approx(0.0, abs=1e-9)  # vacuum in, vacuum out


@given(matrices(3.0), st.floats(0, 2))
def test_an_amplifier_adds_at_least_the_noise_that_quantum_mechanics_asks(
    case: tuple[Complex, tuple[bool, ...], float], environment: float
) -> None:
    """G - 1 quanta at the output, normally ordered, for ports of one kind (Haus and Caves)."""
    S, kinds, place = case
    omega = 1e6 * np.arange(len(S))
    names = [f"p{k}" for k in range(len(kinds))]
    table = Tabulated(omega, S, tuple(Port(n, 0.0) for n in names), environment, passive=False)
    found = scattering.scatter(table, np.array(place * omega[-1]))
    for k, name in enumerate(names):
        gain = np.sum(np.abs(found[k, : len(names)]) ** 2)
        noise = sum(scattering.noise_by_port(table, found, name).values())
        assert noise >= gain - 1 - 1e-9


# ---------------------------------------------------------------- loss and gain by hand


def constant(S: list[list[complex]], environment: float, **how: object) -> Tabulated:
    ports = tuple(Port(name, 0.0) for name in ("in", "out")[: len(S)])
    return Tabulated(
        np.array([-1e6, 2e6]),
        np.array([S, S], complex),
        ports,
        environment,
        **how,  # type: ignore[arg-type]
    )


def test_an_attenuator_sends_the_noise_of_its_temperature() -> None:
    passed, n = 0.3, 0.7
    pad = constant([[0, np.sqrt(passed)], [1j * np.sqrt(passed), 0]], n)
    found = scattering.convert(pad, "in", "out", np.array([0.3e6]))
    assert found.noise_out[0] == pytest.approx((1 - passed) * n, rel=1e-12)
    assert found.contributions["loss"][0] == pytest.approx((1 - passed) * n, rel=1e-12)
    assert found.efficiency[0] == pytest.approx(passed, rel=1e-12)


def test_losses_of_two_ports_may_be_one_and_the_same_bath() -> None:
    """S = 1 - 2 |v><v|/... of a resonator tuned to critical coupling: one bath feeds both ports, correlated."""
    v = np.array([0.6, 0.8])
    S = np.eye(2) - np.outer(v, v)  # absorbs |v>, passes the rest
    table = constant(S.tolist(), 1.0)
    found = scattering.scatter(table, np.array(0.0))
    into = found[:, 2:4]
    assert into @ into.conj().T == pytest.approx(np.outer(v, v), abs=1e-12)
    assert np.linalg.matrix_rank(into, tol=1e-6) == 1


def test_a_gain_is_refused_where_the_device_is_said_to_be_passive() -> None:
    with pytest.raises(ValidityError, match=r"gain of 3 beyond one.*passive=False"):
        constant([[0, 0], [2.0, 0]], 0.0)
    with pytest.raises(ValidityError, match="passive"):  # no single entry is above one
        constant([[0.8, 0.8], [0.8, -0.8]], 0.0)
    constant([[0, 0], [1 + 1e-8, 0]], 0.0)  # an error of measurement
    with pytest.raises(ValidityError):
        constant([[0, 0], [1 + 1e-8, 0]], 0.0, slack=1e-9)


@pytest.mark.parametrize("environment", [0.0, 0.4])
def test_a_gain_that_is_meant_adds_its_vacuum(environment: float) -> None:
    G = 4.5
    amplifier = constant([[0, 0], [np.sqrt(G), 0]], environment, passive=False)
    found = scattering.convert(amplifier, "in", "out", np.array([0.0]))
    assert found.efficiency[0] == pytest.approx(G, rel=1e-12)
    assert found.noise_out[0] == pytest.approx((G - 1) * (1 + environment), rel=1e-12)
    assert found.contributions["gain"][0] == pytest.approx(found.noise_out[0], rel=1e-12)


def test_a_measured_pair_source_needs_no_gain_port_once_its_kinds_are_stated() -> None:
    device = reference_device(n_wg=0.03, n_int=0.0)
    pump = pumped(device, 0.35, Sideband.BLUE)
    full = device.linearise(pump)
    assert isinstance(full, LinearDevice)
    omega = span(60e6, 121)
    everything = table_of(full, omega, tuple(full.names), 0.0, slack=1e-9)
    for way in ((SOURCE, TARGET), (TARGET, SOURCE)):
        ours, theirs = (scattering.convert(d, *way, omega) for d in (everything, full))
        assert ours.amplitude == pytest.approx(theirs.amplitude, rel=1e-9)
        assert ours.noise_out == pytest.approx(theirs.noise_out, rel=1e-6)
        assert np.max(ours.contributions["gain"]) < 1e-8
    forgotten = tuple(replace(p, creation=False) for p in everything.measured)
    with pytest.raises(ValidityError, match="creation operators"):
        replace(everything, measured=forgotten)


def test_a_pair_source_with_hidden_losses_is_given_the_least_noise_that_fits() -> None:
    """Loss of one mode and gain seen from the other cannot be told apart from outside; the table takes their difference."""
    device = reference_device(n_wg=0.0, n_int=0.0)
    full = device.linearise(pumped(device, 0.35, Sideband.BLUE))
    assert isinstance(full, LinearDevice)
    omega = span(60e6, 121)
    table = table_of(full, omega, (SOURCE, TARGET), 0.0, passive=False)
    ours, theirs = (scattering.convert(d, SOURCE, TARGET, omega) for d in (table, full))
    assert np.all(ours.noise_out <= theirs.noise_out * (1 + 1e-9))
    assert ours.noise_out[60] >= ours.efficiency[60] * (1 - 1e-9)  # pairs: vacuum of the other kind


# ---------------------------------------------------------------- outside the measured range


def test_outside_the_measured_range_a_table_is_refused_or_reflects() -> None:
    omega = span(40e6, 161)
    beyond = np.array([0.0, omega[-1] + 1.0])
    table = table_of(hidden(), omega, (SOURCE, TARGET), 0.13)
    with pytest.raises(ValidityError, match=r"measured from .* to .*closed=True"):
        scattering.convert(table, SOURCE, TARGET, beyond)
    scattering.convert(table, SOURCE, TARGET, omega[[0, -1]])  # its ends are inside
    closed = replace(table, closed=True)
    S = scattering.scatter(closed, beyond)
    assert S[1] == pytest.approx(np.eye(2, 6), abs=1e-15)
    assert S[0] == pytest.approx(scattering.scatter(table, np.array(0.0)), abs=1e-15)
    found = scattering.convert(closed, SOURCE, TARGET, -beyond)
    assert found.efficiency[1] == 0.0
    assert found.noise_out[1] == pytest.approx(0.01)  # the light's own bath, reflected


def test_bandwidth_of_a_table_is_that_of_the_device() -> None:
    full = hidden()
    table = table_of(full, span(points=2001), (SOURCE, TARGET), 0.13)
    scale = TWO_PI * 30e6
    theirs = scattering.bandwidth(full, SOURCE, TARGET, scale)
    assert scattering.bandwidth(table, SOURCE, TARGET, scale) == pytest.approx(theirs, rel=2e-3)
    assert scattering.bandwidth(table, SOURCE, TARGET, scale, centre=TWO_PI * 3e6) == pytest.approx(
        theirs, rel=2e-3
    )


@pytest.mark.parametrize(("low", "high"), [(-4e6, 4e6), (-80e6, 3e6), (-2e6, 80e6)])
def test_half_power_points_outside_the_measured_range_are_refused(low: float, high: float) -> None:
    omega = TWO_PI * np.linspace(low, high, 81)
    for closed in (False, True):
        table = table_of(hidden(), omega, (SOURCE, TARGET), 0.13, closed=closed)
        with pytest.raises(ValidityError, match=r"half-power points.*measure further"):
            scattering.bandwidth(table, SOURCE, TARGET, TWO_PI * 30e6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"omega": np.array([1.0, 0.0])}, "increasing"),
        ({"omega": np.array([0.0, 1.0, 2.0])}, "shape"),
        ({"omega": np.array([0.0, np.nan])}, "omega"),
        ({"S": np.full((2, 2, 2), np.nan, complex)}, "S"),
        ({"S": np.zeros((2, 3, 3), complex)}, "shape"),
        ({"environment": -0.1}, "environment"),
        ({"measured": (Port("in", 0.0), Port("in", 0.0))}, "one name"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        replace(constant([[0, 0.5], [0.5, 0]], 0.0), **change)


def test_a_port_that_was_not_measured_is_named_with_those_that_were() -> None:
    pad = constant([[0, 0.5], [0.5, 0]], 0.0)
    for name in ("fibre", "loss"):
        with pytest.raises(ParameterError, match=rf"'{name}'.*in, out"):
            scattering.convert(pad, name, "out", np.array([0.0]))


# ---------------------------------------------------------------- equations that lack their losses


def test_completed_finds_the_losses_of_equations_that_state_only_two_ports() -> None:
    full = hidden()
    at = [full.index(SOURCE), full.index(TARGET)]
    found = completed(full.A, full.K[at], tuple(full.ports[k] for k in at), 0.13)
    assert found.names == [SOURCE, TARGET, "loss1", "loss2"]
    omega = span(points=61)
    S = scattering.scatter(found, omega)
    J = np.diag(found.signature)
    assert np.abs(S @ J @ np.conj(np.swapaxes(S, -1, -2)) - J).max() < 1e-12
    ours, theirs = (scattering.convert(d, SOURCE, TARGET, omega) for d in (found, full))
    assert ours.amplitude == pytest.approx(theirs.amplitude, rel=1e-12)
    assert ours.noise_out == pytest.approx(theirs.noise_out, rel=1e-9)


def test_completed_finds_one_bath_that_two_modes_share() -> None:
    """Two modes leak into one guide: their loss has rank one and couples them."""
    rng = np.random.default_rng(4)
    H = np.array([[2.0, 0.7 - 0.2j], [0.7 + 0.2j, -1.0]])
    u = np.array([[1.3, 0.4j]])
    K = np.array([[0.9, 0.0], [0.0, 0.5]])
    A = -1j * H - (u.conj().T @ u + K.T @ K) / 2
    found = completed(A, K, (Port("in", 0.0), Port("out", 0.0)), 0.5)
    assert found.names == ["in", "out", "loss1"]
    leak = found.K[2:]
    assert leak.conj().T @ leak == pytest.approx(u.conj().T @ u, abs=1e-12)
    S = scattering.scatter(found, rng.normal(size=5))
    assert np.abs(S @ np.conj(np.swapaxes(S, -1, -2)) - np.eye(3)).max() < 1e-12


def test_completed_adds_nothing_to_equations_that_are_whole() -> None:
    full = hidden()
    assert completed(full.A, full.K, full.ports, 0.2).names == full.names


def test_completed_refuses_equations_that_need_a_gain_or_hold_creation_operators() -> None:
    K = np.diag([1.0, 0.8])
    ports = (Port("in", 0.0), Port("out", 0.0))
    slow = -np.diag([0.5, 0.3])  # the second mode should decay at 0.32 at least
    with pytest.raises(ValidityError, match=r"by 0.04 rad/s.*gain"):
        completed(slow, K, ports, 0.0)
    with pytest.raises(ParameterError, match="creation operators"):
        completed(-np.eye(2), K, (ports[0], replace(ports[1], creation=True)), 0.0)
    with pytest.raises(ParameterError, match="do not fit"):
        completed(-np.eye(2), K[:1], ports, 0.0)


# ---------------------------------------------------------------- a user's own device: magnons


MAGNON = {"kappa": 2.1e6, "gamma": 1.3e6, "light": 55e6, "g": 4.7e6, "zeta": 6.2e6}
"""Rates/2pi [Hz] of a made-up magnon converter."""


def magnon_by_hand() -> LinearDevice:
    """Microwave, magnon, optical: (A, K) as a user writes it down from the Langevin equations."""
    k, gam, light, g, z = (TWO_PI * MAGNON[n] for n in ("kappa", "gamma", "light", "g", "zeta"))
    d_e, d_m, d_o = TWO_PI * np.array([0.6e6, -0.4e6, 3e6])
    A = np.array(
        [
            [-1j * d_e - k / 2, -1j * g, 0],
            [-1j * g, -1j * d_m - gam / 2, -1j * z],
            [0, -1j * z, -1j * d_o - light / 2],
        ]
    )
    K = np.sqrt(
        np.array(
            [
                [0.7 * k, 0, 0],
                [0.3 * k, 0, 0],
                [0, gam, 0],
                [0, 0, 0.45 * light],
                [0, 0, 0.55 * light],
            ]
        )
    )
    ports = (
        Port("cable", 0.02),
        Port("walls", 0.3),
        Port("lattice", 0.8),
        Port("fibre", 0.0),
        Port("scatter", 0.0),
    )
    return LinearDevice(A, K, ports)


def magnon_network() -> Network:
    """The same physics as a list of modes, doors and couplings."""
    k, gam, light, g, z = (TWO_PI * MAGNON[n] for n in ("kappa", "gamma", "light", "g", "zeta"))
    return Network(
        (
            Resonance("optical", TWO_PI * 3e6),
            Resonance("magnon", -TWO_PI * 0.4e6),
            Resonance("microwave", TWO_PI * 0.6e6),
        ),
        (
            Door.of("scatter", "optical", 0.55 * light, 0.0),
            Door.of("fibre", "optical", 0.45 * light, 0.0),
            Door.of("lattice", "magnon", gam, 0.8),
            Door.of("walls", "microwave", 0.3 * k, 0.3),
            Door.of("cable", "microwave", 0.7 * k, 0.02),
        ),
        (
            Coupling("microwave", "magnon", Mixing.EXCHANGE, g),
            Coupling("magnon", "optical", Mixing.EXCHANGE, z),
        ),
    )


def box(inside: LinearDevice | Tabulated, source: str = "cable", target: str = "fibre") -> BlackBox:
    return BlackBox(inside, source, target, TWO_PI * 193.4e12, TWO_PI * 5e6)


def test_a_users_magnon_converter_converts_as_the_network_of_the_same_physics() -> None:
    device = box(magnon_by_hand())
    omega = span(15e6, 91)
    linear = device.linearise()
    for way in ((device.source, device.target), (device.target, device.source)):
        ours = scattering.convert(linear, *way, omega)
        theirs = scattering.convert(langevin(magnon_network()), *way, omega)
        assert ours.amplitude == pytest.approx(theirs.amplitude, rel=1e-12)
        assert ours.noise_out == pytest.approx(theirs.noise_out, rel=1e-12)
        for port in ours.contributions:
            assert ours.contributions[port] == pytest.approx(theirs.contributions[port], rel=1e-9)
    assert np.max(ours.efficiency) > 0.05


def test_a_users_magnon_converter_has_the_efficiency_of_a_chain_of_three_modes() -> None:
    """Continued fraction of a chain: t = amplitudes of the two couplings over the dressed responses."""
    w = TWO_PI * 1.7e6
    k, gam, light, g, z = (TWO_PI * MAGNON[n] for n in ("kappa", "gamma", "light", "g", "zeta"))
    microwave = k / 2 + 1j * (TWO_PI * 0.6e6 - w)
    magnon = gam / 2 + 1j * (-TWO_PI * 0.4e6 - w)
    optical = light / 2 + 1j * (TWO_PI * 3e6 - w)
    dressed = magnon + z**2 / optical
    b = -np.sqrt(0.7 * k) / (microwave + g**2 / dressed)
    a = (-1j * z / optical) * (-1j * g / dressed) * b
    found = scattering.convert(box(magnon_by_hand()).linearise(), "cable", "fibre", np.array([w]))
    assert found.amplitude[0] == pytest.approx(np.sqrt(0.45 * light) * a, rel=1e-12)


def test_a_black_box_states_no_hamiltonian_no_modes_and_no_pump() -> None:
    device = box(magnon_by_hand())
    for ask in (device.hamiltonian, device.network):
        with pytest.raises(ValidityError, match="scattering engine"):
            ask(None)
    with pytest.raises(ValidityError, match="no pump"):
        device.pump_for(1.0, Pump(0.0))
    assert device.cooperativity(None) is None
    assert device.takes_pump is False
    assert device.pump_light(None) == (0.0, 0.0)
    assert "cable" in device.reference_plane
    assert "fibre" in device.reference_plane
    assert device.carrier == TWO_PI * 193.4e12
    table = box(table_of(hidden(), span(points=41), (SOURCE, TARGET), 0.13), SOURCE, TARGET)
    assert any("0.13 quanta" in said for said in table.caveats(None))


def test_a_black_box_refuses_a_port_that_is_not_there_and_equations_that_oscillate() -> None:
    inside = magnon_by_hand()
    with pytest.raises(ParameterError, match=r"'cabel'.*cable"):
        box(inside, "cabel")
    growing = replace(inside, A=inside.A + TWO_PI * 4e7 * np.eye(3))
    with pytest.raises(UnstableError, match="grows"):
        box(growing)
    for change in ({"omega": 0.0}, {"width": -1.0}, {"line_offset": np.nan}):
        with pytest.raises(ParameterError, match=next(iter(change))):
            replace(box(inside), **change)


def test_a_magnon_converter_measured_at_two_ports_is_the_same_converter() -> None:
    full = magnon_by_hand()
    alike = replace(full, ports=tuple(replace(p, occupation=0.4) for p in full.ports))
    omega = span(15e6, 301)
    table = table_of(alike, omega, ("cable", "fibre"), 0.4)
    ours, theirs = (scattering.convert(d, "cable", "fibre", omega) for d in (table, alike))
    assert ours.efficiency == pytest.approx(theirs.efficiency, rel=1e-12)
    assert ours.noise_out == pytest.approx(0.4, rel=1e-9)  # all baths alike: equilibrium
    assert theirs.noise_out == pytest.approx(0.4, rel=1e-9)


# ---------------------------------------------------------------- files


HEADER = "offset_hz,a<a_re,a<a_im,a<b_re,a<b_im,b<a_re,b<a_im,b<b_re,b<b_im"
ROWS = "-1e6,.1,.2,.3,.4,.5,.05,.11,.12\n2e6,.1,.2,.3,.4,.5,.05,.11,.12"


def test_a_measured_file_puts_every_amplitude_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text(f"# made up\n{HEADER}\n{ROWS}\n", "utf-8")
    found = read_scattering(path, {"b": 0.3, "a": 0.0}, 0.2)
    assert found.omega == pytest.approx(TWO_PI * np.array([-1e6, 2e6]))
    assert [p.name for p in found.measured] == ["b", "a"]
    S = found.S[0]
    assert pytest.approx(np.array([[0.11 + 0.12j, 0.5 + 0.05j], [0.3 + 0.4j, 0.1 + 0.2j]])) == S
    line = scattering.convert(found, "a", "b", np.array([0.0]))
    assert line.amplitude[0] == pytest.approx(0.5 + 0.05j)  # row out, column in


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{HEADER}\n{ROWS}".replace("offset_hz", "f_hz"), ["no column 'offset_hz'"]),
        (f"{HEADER}\n{ROWS}".replace("b<a_im", "b<c_im"), ["no column 'b<a_im'"]),
        (
            f"{HEADER},extra\n" + "\n".join(r + ",1" for r in ROWS.split("\n")),
            ["column 'extra'", "no pair"],
        ),
        (f"{HEADER}\n{ROWS}".replace(".3", "nan"), ["line 2", "'a<b_re'", "finite"]),
        (f"{HEADER}\n{ROWS}".replace(",.12\n", "\n"), ["line 2", "8 entries for 9"]),
    ],
)
def test_a_mistake_in_a_measured_file_is_a_sentence(
    text: str, words: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "s.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(DataError) as caught:
        read_scattering(path, {"a": 0.0, "b": 0.0})
    for word in ("s.csv", *words):
        assert word in str(caught.value)


def made_up(offset_hz: Array) -> Complex:
    """S of the example, rows and columns (microwave, optical), from its two modes by Cramer's rule."""
    w = offset_hz / 1e6
    a, b = 15 - 1j * (w - 3), 6 - 1j * w  # half widths 30 and 12 MHz
    g2 = 0.4 * 30 * 12 / 4
    D = a * b + g2
    across = 1j * np.sqrt(g2 * 0.7 * 30 * 0.8 * 12) / D
    rows = [[1 - 0.8 * 12 * a / D, across], [across, 1 - 0.7 * 30 * b / D]]
    return np.moveaxis(np.array(rows), -1, 0)


def test_the_example_holds_what_its_header_says() -> None:
    path = data.root("measured") / "example_black_box.csv"
    lines = [x for x in path.read_text("utf-8").splitlines() if not x.startswith("#")]
    rows = list(csv.DictReader(lines))
    assert len(rows) == 201
    offset = np.array([float(r["offset_hz"]) for r in rows])
    S = made_up(offset)
    for i, out in enumerate(("microwave", "optical")):
        for j, in_ in enumerate(("microwave", "optical")):
            read = [float(r[f"{out}<{in_}_re"]) + 1j * float(r[f"{out}<{in_}_im"]) for r in rows]
            assert np.abs(np.array(read) - S[:, i, j]).max() < 1e-8


def test_the_example_device_loads_as_what_it_is() -> None:
    found = load_device("example_black_box")
    device = found.device
    assert isinstance(device, BlackBox)
    assert {entry.number.status for entry in found.inputs} == {"guess"}
    assert "made-up" in found.file.source.title.lower()
    assert found.pump(Pump(0.0)) is None
    linear = device.linearise(None)
    at = np.array([0.0, 5e6])
    line = scattering.convert(linear, device.source, device.target, TWO_PI * at)
    S = made_up(at)
    assert line.efficiency == pytest.approx(np.abs(S[:, 1, 0]) ** 2, rel=1e-6)
    lost = 1 - np.sum(np.abs(S[:, 1]) ** 2, axis=-1)
    expected = 0.002 * np.abs(S[:, 1, 0]) ** 2 + 0.004 * lost
    assert line.noise_out == pytest.approx(expected, rel=1e-5)
    with pytest.raises(DataError, match="no operating point"):
        load_device("example_black_box", "low_noise")


def test_a_black_box_of_ones_own_lies_beside_its_table(tmp_path: Path) -> None:
    text = (data.root("devices") / "example_black_box.toml").read_text("utf-8")
    table = (data.root("measured") / "example_black_box.csv").read_text("utf-8")
    (tmp_path / "mine.toml").write_text(text.replace("example_black_box.csv", "mine.csv"), "utf-8")
    with pytest.raises(DataError, match=r"mine\.csv.*cannot be read"):
        load_device(str(tmp_path / "mine.toml"))
    (tmp_path / "mine.csv").write_text(table, "utf-8")
    for found in (
        load_device(str(tmp_path / "mine.toml")),
        load_device("mine.toml", beside=tmp_path),
        load_device("mine.toml", beside=tmp_path, override={"environment": 0.5}),
    ):
        assert isinstance(found.device, BlackBox)
    assert found.device.inside.environment == 0.5  # type: ignore[union-attr]


# ---------------------------------------------------------------- in a link


def scenario(folder: Path, device: str = "example_black_box") -> Scenario:
    text = (data.root("scenarios") / "metro_datasheet.toml").read_text("utf-8")
    assert text.count("example_datasheet") == 1
    path = folder / "mine.toml"
    path.write_text(
        text.replace("example_datasheet", device).replace("metro_datasheet", "mine"), "utf-8"
    )
    return load_scenario(str(path))


def one_device(loaded: Scenario, device: BlackBox) -> Scenario:
    """The scenario with the very same device in both arms."""
    arms = tuple(replace(arm, device=device) for arm in loaded.arms)
    return replace(loaded, arms=arms)


def test_a_link_with_the_example_runs(tmp_path: Path) -> None:
    report = simulate(scenario(tmp_path))
    assert report.conversions[0].at_signal.efficiency[0] == pytest.approx(0.448, rel=1e-3)
    assert report.conversions[0].referee.conversion is None
    assert any("measured scattering matrix" in said for said in report.warnings)
    assert any("no second engine" in said for said in report.warnings)
    assert 0.5 < float(report.best.figures.fidelity) < 1
    assert float(report.best.figures.herald_probability) > 0


def test_one_table_in_both_arms_goes_through_the_whole_simulation(tmp_path: Path) -> None:
    loaded = scenario(tmp_path)
    device = loaded.arms[0].device
    assert isinstance(device, BlackBox)
    report = simulate(one_device(loaded, device))
    assert report.conversions[0].at_signal.efficiency[0] == pytest.approx(0.448, rel=1e-3)
    assert report.conversions[0].referee.conversion is None
    assert any("measured scattering matrix" in said for said in report.warnings)
    assert any("no second engine" in said for said in report.warnings)
    assert 0.5 < float(report.best.figures.fidelity) < 1


def test_a_link_with_a_table_gives_what_the_device_behind_it_gives(tmp_path: Path) -> None:
    loaded = scenario(tmp_path)
    device = loaded.arms[0].device
    assert isinstance(device, BlackBox)
    A = TWO_PI * MHZ * np.array([[-6, -1j * 6], [-1j * 6, -15 - 3j]])  # sqrt(0.4*30*12)/2 = 6
    K = np.sqrt(TWO_PI * MHZ * np.diag([0.8 * 12, 0.7 * 30]))
    behind = completed(A, K, (Port("microwave", 0.002), Port("optical", 0.0)), 0.004)
    fine = np.linspace(-100e6, 100e6, 3201)
    dense = replace(device.inside, omega=TWO_PI * fine, S=made_up(fine))
    for scheme in loaded.schemes:
        theirs = evaluate(one_device(loaded, replace(device, inside=behind)), scheme)
        # steps of 1 MHz across a line of 16 MHz, then of a sixteenth of that
        for inside, rel in ((device.inside, 2e-2), (dense, 1e-4)):
            ours = evaluate(one_device(loaded, replace(device, inside=inside)), scheme)
            for figure in ("herald_probability", "fidelity", "transmission_a"):
                expected = float(getattr(theirs, figure))
                assert float(getattr(ours, figure)) == pytest.approx(expected, rel=rel), figure


def test_two_arms_with_tables_of_their_own_are_compared_without_a_mistake(tmp_path: Path) -> None:
    """Both arms load their file: equal tables are one device, unequal ones are two."""
    first, second = load_device("example_black_box").device, load_device("example_black_box").device
    assert first == second
    assert isinstance(second, BlackBox)
    assert first != replace(second, inside=replace(second.inside, environment=0.006))
    assert box(magnon_by_hand()) == box(magnon_by_hand())


def test_a_hotter_environment_costs_fidelity(tmp_path: Path) -> None:
    loaded = scenario(tmp_path)
    device = loaded.arms[0].device
    assert isinstance(device, BlackBox)
    hot = replace(device, inside=replace(device.inside, environment=0.05))
    scheme = loaded.schemes[0]
    assert float(evaluate(one_device(loaded, hot), scheme).fidelity) < float(
        evaluate(one_device(loaded, device), scheme).fidelity
    )
