"""L10h and the laws of light as a heater, against rate equations, sums and quadrature of the test's own."""

import itertools

import numpy as np
import pytest
import qutip
from scipy.integrate import quad, solve_ivp

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
    Recovery,
    Sampled,
    Square,
    intracavity_photons,
    lifetime_under_light,
    two_bath_occupation,
)
from cavities.envelope import Envelope
from cavities.heating import Dose
from transducer import ElectroOptic
from transducer.devices.piezo import Phonon, PiezoOptomechanical
from transducer.solvers import scattering

LAW = PowerLaw(0.4, 100.0, 0.5, 10.0, 1000.0)


def hot(
    delayed: float = 0.79, turn_on: float = 2.1, turn_off: float = 0.6, q: float = 0.3
) -> HotBath:
    return HotBath(
        PowerLaw(1.7, 50.0, q, 1.0, 1e4),
        PowerLaw(0.2, 50.0, 0.8, 1.0, 1e4),
        per_watt=30.0,
        delayed=delayed,
        turn_on=turn_on,
        turn_off=turn_off,
    )


# --- laws ---------------------------------------------------------------------------------------------


def test_a_power_law_is_a_straight_line_in_logarithms_and_knows_its_range() -> None:
    x = np.geomspace(3.0, 3e3, 7)
    slope = np.diff(np.log(LAW.at(x))) / np.diff(np.log(x))
    assert slope == pytest.approx(np.full(6, 0.5))
    assert LAW.at(100.0) == 0.4
    assert LAW.at(0.0) == 0.0
    assert PowerLaw(0.4, 100.0, 0.0, 1.0, 2.0).at(0.0) == 0.0  # no light, no heat
    assert PowerLaw(0.4, 100.0, 0.0, 1.0, 2.0).at(1e-9) == 0.4
    assert LAW.covers(np.array([10.0, 1000.0]))
    assert not LAW.covers(np.array([9.9, 500.0]))
    assert not LAW.covers(1001.0)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ((-0.1, 1.0, 1.0, 0.0, 1.0), r"PowerLaw\.value"),
        ((0.1, 0.0, 1.0, 0.0, 1.0), r"PowerLaw\.reference \[1 or W\] must be a finite number > 0"),
        ((0.1, 1.0, -1.0, 0.0, 1.0), r"PowerLaw\.exponent"),
        ((0.1, 1.0, 1.0, 2.0, 1.0), r"PowerLaw\.highest .* >= 2"),
    ],
)
def test_a_law_outside_its_domain_is_refused(wrong: tuple[float, ...], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        PowerLaw(*wrong)


# --- the delayed hot bath -----------------------------------------------------------------------------


def test_a_step_of_light_warms_at_once_and_then_slowly() -> None:
    bath = hot()
    t = np.linspace(0.0, 3.0, 61)
    n_p = 1.7 * (80.0 / 50.0) ** 0.3
    found = bath.warming(t, np.full(61, 80.0), np.zeros(61))[1]
    assert found == pytest.approx(n_p * (1 - 0.79 * np.exp(-2.1 * t)), rel=1e-12)
    # light in the waveguide counts as beta P photons
    shared = bath.warming(t, np.full(61, 50.0), np.full(61, 1.0))[1]
    assert shared == pytest.approx(found, rel=1e-12)


def test_the_end_of_the_light_leaves_a_tail_of_the_delayed_share() -> None:
    bath = hot()
    n_p = 1.7 * (80.0 / 50.0) ** 0.3
    edge, h = 9.0, 1e-9
    t = np.concatenate([np.linspace(0.0, edge, 31), edge + h + np.linspace(0.0, 4.0, 41)])
    light = np.where(t <= edge, 80.0, 0.0)
    tail = bath.warming(t, light, np.zeros(len(t)))[1][31:]
    # warm to 1 - e^{-19}
    assert tail == pytest.approx(0.79 * n_p * np.exp(-0.6 * np.linspace(0.0, 4.0, 41)), rel=1e-7)


@pytest.mark.parametrize("steps", [6, 60])
def test_light_that_ramps_is_followed_exactly_for_a_linear_target(steps: int) -> None:
    """With exponent one the target is as linear as the light: any steps are exact, for a batch too."""
    bath = HotBath(
        PowerLaw(2.0, 10.0, 1.0, 0.0, 1e3),
        PowerLaw(1.0, 1.0, 1.0, 0.0, 1e3),
        delayed=0.6,
        turn_on=1.3,
        turn_off=0.4,
    )
    t = np.unique(np.concatenate([np.linspace(0, 6, steps), [1.0, 2.5, 4.0]]))
    peaks = np.array([5.0, 20.0])

    def light(x: np.ndarray) -> np.ndarray:
        return np.interp(x, [0.0, 1.0, 2.5, 4.0, 6.0], [0.0, 1.0, 1.0, 1.6, 2.0])

    found = bath.warming(t, peaks[:, None] * light(t), np.zeros((2, len(t))))[1]
    for k, peak in enumerate(peaks):
        y, values = 0.0, [0.0]
        for a, b in itertools.pairwise(t):
            run = solve_ivp(
                lambda x, y, peak=peak: [1.3 * (0.2 * peak * light(x) - y[0])],
                (a, b),
                [y],
                rtol=1e-11,
                atol=1e-13,
            )
            y = float(run.y[0, -1])
            values.append(y)
        theirs = 0.4 * 0.2 * peak * light(t) + 0.6 * np.array(values)
        assert found[k] == pytest.approx(theirs, abs=1e-9)


def test_a_falling_target_cools_with_the_other_rate_once_the_bath_is_warmer_than_it() -> None:
    """The rate is chosen by the sign of target minus y; steps across the crossing err as their square."""
    bath = hot()
    t = np.linspace(0.0, 8.0, 4001)
    photons = 80.0 * np.exp(-(((t - 3.0) / 1.2) ** 2))
    found = bath.warming(t, photons, np.zeros(len(t)))[1]

    def rhs(x: float, y: np.ndarray) -> list[float]:
        target = 1.7 * (80.0 / 50.0 * np.exp(-(((x - 3.0) / 1.2) ** 2))) ** 0.3
        return [(2.1 if target >= y[0] else 0.6) * (target - y[0])]

    y = solve_ivp(rhs, (0, 8), [0.0], t_eval=t, rtol=1e-10, atol=1e-12, max_step=0.01).y[0]
    target = 1.7 * (photons / 50.0) ** 0.3
    assert found == pytest.approx(0.21 * target + 0.79 * y, abs=2e-6)
    one_rate = hot(turn_off=2.1).warming(t, photons, np.zeros(len(t)))[1]
    assert np.abs(one_rate - found).max() > 0.05


def test_a_bath_without_delay_is_the_law_itself_and_domains_are_told() -> None:
    prompt = HotBath(LAW, LAW, 2.0)
    t = np.array([0.0, 1.0, 5.0])
    assert prompt.warming(t, np.array([100.0, 0.0, 400.0]), np.zeros(3))[1] == pytest.approx(
        np.array([0.4, 0.0, 0.8])
    )
    assert prompt.drive(10.0, 3.0) == 16.0
    assert prompt.covers(10.0, 3.0)
    assert not prompt.covers(5.0, 0.5)
    with pytest.raises(
        ParameterError, match=r"HotBath\.turn_on \[rad/s\] must be finite where a share is delayed"
    ):
        HotBath(LAW, LAW, delayed=0.5)
    with pytest.raises(ParameterError, match=r"HotBath\.turn_off \[rad/s\] must be > 0"):
        HotBath(LAW, LAW, delayed=0.5, turn_on=1.0, turn_off=0.0)
    with pytest.raises(ParameterError, match=r"HotBath\.delayed"):
        HotBath(LAW, LAW, delayed=1.2)
    with pytest.raises(ParameterError, match="must increase"):
        hot().warming(np.array([0.0, 1.0, 1.0]), np.zeros(3), np.zeros(3))


# --- two baths ----------------------------------------------------------------------------------------


def test_l10h_a_mode_between_a_cold_and_a_hot_bath_against_qutip() -> None:
    gamma_0, n_0, gamma_p, n_p, t = 0.01, 0.01, 0.2, 3.0, 4.0
    found = two_bath_occupation(t, 0.01, (gamma_0, n_0), (gamma_p, n_p))
    assert found == pytest.approx(1.628271938, rel=1e-9)  # worked number
    d = 60
    a = qutip.destroy(d)
    ops = []
    for rate, n in ((gamma_0, n_0), (gamma_p, n_p)):
        ops += [np.sqrt(rate * (n + 1)) * a, np.sqrt(rate * n) * a.dag()]
    run = qutip.mesolve(
        0 * a,
        qutip.thermal_dm(d, 0.01),
        [0, t],
        ops,
        e_ops=[a.dag() * a],
        options={"rtol": 1e-9, "atol": 1e-11},
    )
    # 60 levels: (1.63/2.63)^60 = 3e-13 of the tail
    assert found == pytest.approx(run.expect[0][-1], rel=1e-6)


def test_l10_two_baths_settle_at_their_weighted_mean_and_batch() -> None:
    t = np.array([0.0, 0.7, 1e3])
    found = two_bath_occupation(t, 5.0, (0.3, 0.2), (0.9, 4.0))
    run = solve_ivp(
        lambda x, n: -0.3 * (n - 0.2) - 0.9 * (n - 4.0), (0, 0.7), [5.0], rtol=1e-11, atol=1e-13
    )
    assert found[0] == 5.0
    assert found[1] == pytest.approx(run.y[0, -1], rel=1e-9)
    assert found[2] == pytest.approx((0.3 * 0.2 + 0.9 * 4.0) / 1.2, rel=1e-12)
    with pytest.raises(ParameterError, match="sum of rates"):
        two_bath_occupation(1.0, 0.0, (0.0, 1.0), (0.0, 1.0))
    with pytest.raises(ParameterError, match="rate of the hot bath"):
        two_bath_occupation(1.0, 0.0, (0.1, 1.0), (-0.1, 1.0))


def test_a_hot_door_heats_a_phonon_to_the_mean_of_its_baths() -> None:
    """The steady occupation, read at the mechanical port over all frequencies."""
    gamma, n_cold = 0.3, 0.1
    bath = HotBath(
        PowerLaw(4.0, 1000.0, 0.5, 1.0, 1e6), PowerLaw(0.9, 1000.0, 1.0, 1.0, 1e6), per_watt=2.0
    )
    device = PiezoOptomechanical(
        Mode(1e4, 1.2, 0.8),
        Mode(30.0, 0.2, 0.1),
        (Phonon(Oscillator(30.0, gamma, Bath(n_cold), bath), 0.0, 0.0),),
    )
    pump = Pump(1e-19)
    n_c = float(intracavity_photons(device.optical, 1e-19, -30.0))
    assert n_c > 10
    linear = device.linearise(pump)
    x = n_c + 2.0 * 1e-19
    rate, n_p = 0.9 * x / 1000, 4.0 * np.sqrt(x / 1000)

    def density(w: float) -> float:
        S = scattering.scatter(linear, np.array(w))
        return float(sum(scattering.noise_by_port(linear, S, "mechanics.int").values())) - n_cold

    net = quad(density, -np.inf, np.inf, limit=200)[0] / (2 * np.pi)
    n = (gamma * n_cold + rate * n_p) / (gamma + rate)
    assert net == pytest.approx(gamma * (n - n_cold), rel=1e-7)


# --- repetition ---------------------------------------------------------------------------------------


def test_what_earlier_pulses_leave_is_their_sum_and_its_inverse_a_rate() -> None:
    slow = Recovery(8e-3)
    for f in (5.0, 200.0, 3e4):
        k = np.arange(1, 20000)
        brute = np.sum(np.exp(-k / (f * 8e-3)))
        found = float(slow.residue(f))
        assert found == pytest.approx(brute, rel=1e-10)
        assert float(slow.highest_rate(found)) == pytest.approx(f, rel=1e-12)
    assert Recovery(2e-3).residue(100.0) < slow.residue(100.0)
    assert float(slow.residue(1e-3)) == 0.0  # a pulse every quarter of an hour leaves nothing
    with pytest.raises(ParameterError, match=r"Recovery\.residue: rate"):
        slow.residue(0.0)
    with pytest.raises(ParameterError, match=r"Recovery\.time"):
        Recovery(0.0)


def test_a_bath_that_follows_the_average_power_needs_a_repetition_rate() -> None:
    law = PowerLaw(0.5, 1e-6, 0.7, 1e-9, 1e-3)
    device = ElectroOptic(
        Mode(1e4, 1.4, 0.6),
        Mode(1e3, 0.8, 0.3),
        1e-6,
        microwave_internal=Bath(0.02, average_heating=law),
    )
    with pytest.raises(ParameterError, match=r"give the pulsed pump its repetition_rate"):
        device.linearise(Pump(1e-6, pulse_length=0.1))
    pulsed = device.linearise(Pump(1e-18, envelope=Ramped(0.3, 0.1, 0.06), repetition_rate=1.7))
    lit = quad(
        lambda t: float(Ramped(0.3, 0.1, 0.06).power(np.array(t))), 0, 0.3, points=[0.1, 0.24]
    )[0]
    j = pulsed.index("microwave.int")
    assert pulsed.ports[j].occupation == pytest.approx(
        0.02 + 0.5 * (1e-18 * lit * 1.7 / 1e-6) ** 0.7, rel=1e-9
    )
    # always on: the average is the power
    cw = device.linearise(Pump(1e-18))
    assert cw.ports[j].occupation == pytest.approx(0.02 + 0.5 * (1e-12) ** 0.7, rel=1e-12)
    assert (
        Pump(1e-3, pulse_length=2.0, repetition_rate=3.0).average_power == 1e-3
    )  # never above peak
    bath = Bath(0.02, average_heating=law)
    assert bath.covers(1.0, Dose(1e-6))
    assert not bath.covers(1.0, Dose(1e-2))
    assert not bath.covers(1.0)
    both = Bath(0.02, LAW, law)
    assert both.at(400.0, Dose(1e-6)) == pytest.approx(0.02 + 0.8 + 0.5, rel=1e-12)


# --- light on the microwave resonator -----------------------------------------------------------------


def test_light_on_a_superconductor_loads_its_resonator_and_pulls_it_down() -> None:
    """Reflection of the microwave guide, by hand, with loss and frequency moved by the photons."""
    light = Irradiation(PowerLaw(0.5, 1000.0, 1.0, 1.0, 1e6), PowerLaw(0.8, 1000.0, 0.5, 1.0, 1e6))
    device = ElectroOptic(
        Mode(1e4, 1.4, 0.6), Mode(1e3, 0.8, 0.3), 0.0, delta_e=0.15, irradiation=light
    )
    pump = Pump(2e-28)
    n = float(intracavity_photons(device.optical, 2e-28))
    pump = Pump(2e-28 * 1700.0 / n)
    linear = device.linearise(pump)
    w = np.array([-1.0, -0.4, 0.0, 0.3])
    S = scattering.scatter(linear, w)
    j = linear.index("microwave.waveguide")
    kappa = 1.1 + 0.5 * 1.7
    centre = 0.15 - 0.8 * np.sqrt(1.7)
    assert S[:, j, j] == pytest.approx(1 - 0.8 / (kappa / 2 + 1j * (centre - w)), rel=1e-9)
    assert light.covers(1700.0)
    assert not light.covers(2e6)
    assert Irradiation().added_loss(1e9) == 0
    assert Irradiation().detuning(1e9) == 0
    assert light.detuning(1000.0) == -0.8
    # the loss is a port with the internal bath: it lets noise in, too
    warm = ElectroOptic(
        Mode(1e4, 1.4, 0.6),
        Mode(1e3, 0.8, 0.3),
        0.0,
        microwave_internal=Bath(0.4),
        irradiation=Irradiation(light.loss),
    ).linearise(pump)
    S = scattering.scatter(warm, np.array(0.0))
    noise = sum(scattering.noise_by_port(warm, S, "microwave.waveguide").values())
    assert noise == pytest.approx(0.4 * 0.8 * (0.3 + 0.85) / (kappa / 2) ** 2, rel=1e-9)


def test_a_qubit_beside_the_light_relaxes_through_both_channels() -> None:
    law = PowerLaw(2e4, 1e-6, 0.5, 1e-9, 1e-3)
    found = float(lifetime_under_light(30e-6, law, 4e-6))
    run = solve_ivp(lambda t, p: -p / 30e-6 - 4e4 * p, (0, found), [1.0], rtol=1e-11, atol=1e-14)
    assert run.y[0, -1] == pytest.approx(np.exp(-1), rel=1e-8)
    assert float(lifetime_under_light(30e-6, law, 0.0)) == pytest.approx(30e-6)
    with pytest.raises(ParameterError, match="lifetime_under_light: dark"):
        lifetime_under_light(0.0, law, 1.0)


# --- envelopes ----------------------------------------------------------------------------------------

SHAPES: dict[str, Envelope] = {
    "square": Square(1.7),
    "gaussian": Gaussian(0.6),
    "ramped": Ramped(2.0, 0.7, 0.3),
    "ramped, no fall": Ramped(2.0, 0.7),
    "ramped, no flat top": Ramped(1.0, 0.7, 0.3),
    "sampled": Sampled(np.array([0.0, 0.3, 1.1, 1.4]), np.array([0.2, 1.0, 0.4, 0.0])),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_energy_of_a_pulse_is_its_power_integrated(shape: str) -> None:
    envelope = SHAPES[shape]
    marks = envelope.breaks
    energy = sum(
        quad(lambda t: float(envelope.power(np.array(t))), a, b, epsabs=1e-13)[0]
        for a, b in itertools.pairwise(marks)
    )
    assert envelope.energy_length == pytest.approx(energy, rel=1e-9)
    assert marks[0] == 0
    assert marks[-1] == envelope.length
    t = np.linspace(-0.5, envelope.length + 0.5, 5001)
    power = envelope.power(t)
    assert np.all(power[(t < 0) | (t > envelope.length)] == 0)
    assert power.max() == pytest.approx(1.0, abs=1e-3)
    assert power.max() <= 1
    assert envelope.amplitude(t) ** 2 == pytest.approx(power)


def test_shapes_are_what_their_words_say() -> None:
    pulse = Gaussian(0.6)
    middle = pulse.length / 2
    at = pulse.power(np.array([middle - 0.3, middle, middle + 0.3, 0.0]))
    assert at[:3] == pytest.approx(np.array([0.5, 1.0, 0.5]))
    assert at[3] == pytest.approx(2.0**-25)
    edge = Ramped(2.0, 0.7, 0.3)
    t = np.linspace(0.0, 0.7, 200001)
    power = edge.power(t)
    rise = t[np.argmax(power >= 0.9)] - t[np.argmax(power >= 0.1)]
    assert rise / 0.7 == pytest.approx(0.474, abs=1e-3)
    assert edge.amplitude(np.array([0.35, 1.85])) == pytest.approx(np.array([0.5, 0.5]))
    assert edge.power(np.array([1.0])) == 1.0


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Square(0.0), r"Square\.duration \[s\] must be a finite number > 0, got 0"),
        (lambda: Gaussian(-1.0), r"Gaussian\.fwhm"),
        (
            lambda: Ramped(1.0, 0.7, 0.4),
            r"rise and fall take 1\.1 s, more than the duration of 1 s; lengthen",
        ),
        (lambda: Ramped(1.0, -0.1), r"Ramped\.rise"),
        (
            lambda: Sampled(np.array([0.0, 1.0]), np.array([0.4, 0.9])),
            r"must reach 1 at the peak, got 0\.9; divide",
        ),
        (
            lambda: Sampled(np.array([0.1, 1.0]), np.array([0.4, 1.0])),
            r"must start at 0 and increase",
        ),
        (
            lambda: Sampled(np.array([0.0, 0.0]), np.array([0.4, 1.0])),
            r"must start at 0 and increase",
        ),
        (lambda: Sampled(np.array([0.0, 1.0]), np.array([1.0])), r"two lists of one length"),
        (lambda: Sampled(np.array([0.0, 1.0]), np.array([1.0, 1.5])), r"Sampled\.powers"),
        (lambda: Pump(1.0, pulse_length=2.0, envelope=Square(1.0)), r"leave pulse_length out"),
    ],
)
def test_an_impossible_envelope_is_refused_in_words(make: object, sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        make()  # type: ignore[operator]
