"""What must hold for every device, herald and link, over random parameters."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cavities import (
    Bath,
    GaussianChannel,
    GaussianState,
    Mode,
    Pump,
    Sideband,
    UnstableError,
)
from fibre import (
    Detection,
    Memory,
    decay,
    hashing_bound,
    negativity,
    noise_threshold,
    qubit_channel,
    relay_bound,
    single_click,
    two_click,
)
from fibre.herald import click_operator
from transducer import ElectroOptic, StokesMode
from transducer.solvers import scattering

TWO_PI = 2 * np.pi
unit = st.floats(0.0, 1.0)
share = st.floats(0.02, 0.98)
rate = st.floats(1e5, 3e8)
detuning = st.floats(-3e8, 3e8)


@st.composite
def devices(draw: st.DrawFn, stokes: bool = False) -> ElectroOptic:
    def mode(frequency: float) -> Mode:
        kappa, eta = draw(rate), draw(share)
        return Mode.from_hz(frequency, kappa_ext_hz=eta * kappa, kappa_int_hz=(1 - eta) * kappa)

    other = None
    if stokes:
        other = StokesMode(mode(193e12), draw(st.floats(0.0, 0.6)), TWO_PI * draw(detuning))
    return ElectroOptic(
        mode(193e12),
        mode(8e9),
        TWO_PI * 100.0,
        draw(st.floats(0.1, 1.0)),
        Bath(draw(st.floats(0, 3))),
        Bath(draw(st.floats(0, 3))),
        Bath(draw(st.floats(0, 1))),
        TWO_PI * draw(detuning),
        TWO_PI * draw(detuning),
        stokes=other,
    )


@given(devices(), st.floats(1e-3, 4.0), detuning)
def test_a_passive_device_neither_makes_nor_loses_quanta(
    device: ElectroOptic, C: float, w: float
) -> None:
    linear = device.linearise(device.pump_for(C, Pump(0.0)))
    S = scattering.scatter(linear, np.array(TWO_PI * w))
    assert np.abs(S @ S.conj().T - np.eye(len(linear.ports))).max() < 1e-12
    assert np.abs(S.conj().T @ S - np.eye(len(linear.ports))).max() < 1e-12


@given(devices(), st.floats(1e-3, 0.9), detuning)
def test_a_squeezing_device_keeps_its_commutators(device: ElectroOptic, C: float, w: float) -> None:
    linear = device.linearise(device.pump_for(C, Pump(0.0, sideband=Sideband.BLUE)))
    S = scattering.scatter(linear, np.array(TWO_PI * w))
    J = np.diag(linear.signature)
    scale = max(1.0, np.abs(S).max() ** 2)  # near threshold the gain amplifies rounding
    assert np.abs(S @ J @ S.conj().T - J).max() < 1e-12 * scale


@given(devices(stokes=True), st.floats(1e-3, 2.0), detuning)
def test_a_device_with_both_sidebands_keeps_its_commutators(
    device: ElectroOptic, C: float, w: float
) -> None:
    try:
        linear = device.linearise(device.pump_for(C, Pump(0.0)))
    except UnstableError:
        assume(False)
        raise
    S = scattering.scatter(linear, np.array(TWO_PI * w))
    J = np.diag(linear.signature)
    scale = max(1.0, np.abs(S).max() ** 2)
    assert np.abs(S @ J @ S.conj().T - J).max() < 1e-11 * scale


@given(devices(), st.floats(1e-3, 4.0), detuning, st.floats(0.1, 3.0))
def test_equal_baths_leave_every_output_at_their_temperature(
    device: ElectroOptic, C: float, w: float, n: float
) -> None:
    from dataclasses import replace

    same = replace(
        device, microwave_waveguide=Bath(n), microwave_internal=Bath(n), optical_bath=Bath(n)
    )
    linear = same.linearise(same.pump_for(C, Pump(0.0)))
    S = scattering.scatter(linear, np.array(TWO_PI * w))
    for port in linear.ports:
        noise = sum(scattering.noise_by_port(linear, S, port.name).values())
        assert noise == pytest.approx(n, rel=1e-11)


@given(devices(), st.floats(1e-3, 0.9), detuning)
def test_output_pairs_are_physical_states(device: ElectroOptic, C: float, w: float) -> None:
    linear = device.linearise(device.pump_for(C, Pump(0.0, sideband=Sideband.BLUE)))
    pair = scattering.pair_moments(
        linear, "optical.out", "microwave.waveguide", np.array(TWO_PI * w)
    )
    state = GaussianState.from_moments(float(pair.n_1), float(pair.n_2), complex(pair.m))
    assert state.symplectic_eigenvalues().min() >= 0.5 - 1e-9 * (1 + float(pair.n_1))
    entangled = abs(pair.m) ** 2 > pair.n_1 * pair.n_2 * (1 + 1e-6) + 1e-9
    if entangled:  # L5d
        assert state.log_negativity([0]) > 0


@given(unit, st.floats(0, 5), unit, st.floats(0, 2))
def test_gaussian_loss_channels_compose(eta_1: float, n_1: float, eta_2: float, n_2: float) -> None:
    state = GaussianState.two_mode_squeezed(0.7)
    first = GaussianChannel.loss(eta_1, n_1).on(1, 2)
    second = GaussianChannel.loss(eta_2, n_2).on(1, 2)
    step = second.apply(first.apply(state))
    once = first.then(second).apply(state)
    assert once.covariance == pytest.approx(step.covariance, abs=1e-12)
    expected = eta_2 * (eta_1 * np.sinh(0.7) ** 2 + (1 - eta_1) * n_1) + (1 - eta_2) * n_2  # L22d
    assert once.photons[1] == pytest.approx(expected, abs=1e-11)


seen_by = st.builds(
    Detection,
    tau_a=unit,
    tau_b=unit,
    noise_a=st.floats(0, 2),
    noise_b=st.floats(0, 2),
    overlap=unit,
    noise_modes=st.floats(1, 8),
    dark=st.floats(0, 0.3),
)


@given(seen_by, unit, unit, st.floats(0, 3))
def test_a_heralded_state_is_positive_and_its_trace_is_a_probability(
    seen: Detection, alpha_a: float, alpha_b: float, sigma: float
) -> None:
    for pair in (single_click(seen, alpha_a, alpha_b, sigma), two_click(seen, sigma)):
        assert 0 <= pair.probability <= 1 + 1e-12
        values = np.linalg.eigvalsh(pair.state)
        assert values.min() >= -1e-13 * max(1.0, float(pair.probability))
        if pair.probability > 1e-12:
            assert 0 <= pair.fidelity <= 1 + 1e-12


def swapped(state: np.ndarray) -> np.ndarray:
    order = [0, 2, 1, 3]
    return state[np.ix_(order, order)]


@given(seen_by, unit, unit)
def test_swapping_the_arms_swaps_the_state(seen: Detection, alpha_a: float, alpha_b: float) -> None:
    mirror = Detection(
        seen.tau_b,
        seen.tau_a,
        seen.noise_b,
        seen.noise_a,
        seen.overlap,
        seen.noise_modes,
        seen.dark,
    )
    here = single_click(seen, alpha_a, alpha_b).state
    there = single_click(mirror, alpha_b, alpha_a).state
    assert swapped(there) == pytest.approx(here, abs=1e-14)
    assert swapped(two_click(mirror).state) == pytest.approx(two_click(seen).state, abs=1e-14)


@given(seen_by, unit, unit)
def test_no_herald_beats_the_relay_bound(seen: Detection, alpha_a: float, alpha_b: float) -> None:
    assume(seen.tau_a < 1 and seen.tau_b < 1)
    for pair, modes in ((single_click(seen, alpha_a, alpha_b), 1), (two_click(seen), 2)):
        assume(pair.probability > 1e-9)
        ebits = float(pair.probability * hashing_bound(pair.normalised))
        assert ebits <= float(relay_bound(seen.tau_a, seen.tau_b, modes)) + 1e-12


def test_a_midpoint_herald_may_beat_the_direct_line() -> None:
    from fibre import direct_bound

    pair = single_click(Detection(0.01, 0.01), 0.05, 0.05)
    ebits = float(pair.probability * hashing_bound(pair.normalised))
    assert ebits == pytest.approx(7.1e-4, rel=0.02)
    assert ebits > float(direct_bound(0.01, 0.01)) == pytest.approx(1.4427e-4, rel=1e-3)


def test_an_unbalanced_herald_gains_from_loss_in_its_stronger_arm() -> None:
    strong = single_click(Detection(0.5, 0.01), 0.1, 0.1).fidelity
    even = single_click(Detection(0.01, 0.01), 0.1, 0.1).fidelity
    assert strong == pytest.approx(0.575, abs=2e-3)
    assert even == pytest.approx(0.90, abs=2e-3)


@given(st.floats(1e-4, 1.0), st.floats(0.01, 0.99), st.floats(0.05, 0.95))
def test_single_click_pairs_are_entangled_exactly_below_the_noise_threshold(
    tau: float, alpha: float, factor: float
) -> None:
    limit = float(noise_threshold(tau))
    quiet, loud = factor * limit * tau, (1 + factor) * limit * tau
    below = single_click(Detection(tau, tau, quiet, quiet), alpha, alpha)
    above = single_click(Detection(tau, tau, loud, loud), alpha, alpha)
    assert negativity(below.normalised) > 0
    assert negativity(above.normalised) < 1e-12


@given(
    st.integers(0, 10_000),
    st.floats(1e-6, 1e-3),
    st.floats(0.2, 2.0),
    st.floats(0, 1e-3),
    st.floats(0, 1e-3),
)
def test_waiting_keeps_trace_and_positivity_and_adds_up(
    seed: int, T1: float, ratio: float, t_1: float, t_2: float
) -> None:
    rng = np.random.default_rng(seed)
    m = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    rho = m @ m.conj().T
    rho /= np.trace(rho).real
    one, two = Memory(T1, ratio * T1), Memory(2 * T1, ratio * T1)
    step = decay(rho, qubit_channel(one, t_1), qubit_channel(two, t_2))
    step = decay(step, qubit_channel(one, t_2), qubit_channel(two, t_1))
    once = decay(rho, qubit_channel(one, t_1 + t_2), qubit_channel(two, t_1 + t_2))
    assert once == pytest.approx(step, abs=1e-12)
    assert np.trace(once).real == pytest.approx(1.0, abs=1e-12)
    assert np.linalg.eigvalsh(once).min() >= -1e-12


@given(st.lists(st.floats(1e-6, 1.0), min_size=2, max_size=5), st.floats(0, 0.4))
def test_a_batch_is_its_points(taus: list[float], noise: float) -> None:
    tau = np.array(taus)
    batch = single_click(Detection(tau, 0.3, noise, 0.1, 0.9, 2.0, 1e-4), 0.1, 0.3, 0.2)
    for k, value in enumerate(taus):
        point = single_click(Detection(value, 0.3, noise, 0.1, 0.9, 2.0, 1e-4), 0.1, 0.3, 0.2)
        assert batch.state[k] == pytest.approx(point.state, abs=1e-16)
    assert click_operator(Detection(tau, 0.3)).shape == (len(taus), 4, 4)


@given(st.floats(1.0, 20.0), st.floats(0, 3), st.floats(0, 2))
def test_an_amplifier_adds_at_least_its_quantum(gain: float, idler: float, n: float) -> None:
    out = GaussianChannel.amplifier(gain, idler).apply(GaussianState.thermal([n]))
    assert out.photons[0] == pytest.approx(gain * n + (gain - 1) * (idler + 1), rel=1e-9, abs=1e-9)


@given(unit, st.floats(0, 2))
def test_a_converter_is_its_loss_and_its_noise(efficiency: float, noise: float) -> None:
    pair = GaussianState.two_mode_squeezed(0.5)
    out = GaussianChannel.of_converter(efficiency, noise).on(1, 2).apply(pair)
    assert out.reduced([1]).photons[0] == pytest.approx(
        efficiency * np.sinh(0.5) ** 2 + noise, abs=1e-12
    )
    assert out.reduced([0]).photons[0] == pytest.approx(np.sinh(0.5) ** 2)
    if noise >= 1:  # L11: entanglement breaking when the noise referred to the input reaches one
        assert out.log_negativity([0]) == pytest.approx(0.0, abs=1e-9)


def test_a_gain_without_its_noise_is_no_channel() -> None:
    from cavities import ParameterError

    with pytest.raises(ParameterError, match="not completely positive"):
        GaussianChannel.of_converter(2.0, 0.5)
