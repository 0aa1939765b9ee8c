"""Pump conventions, sides and batches: what is easily got wrong about a device without any formula being wrong."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from cavities import (
    Bath,
    HotBath,
    Mode,
    Oscillator,
    ParameterError,
    Plane,
    PowerLaw,
    Pump,
    Sideband,
    Square,
    Status,
    ValidityError,
)
from tests.conftest import pumped, reference_device
from transducer import BlackBox, ElectroOptic, LinearDevice, Membrane, Port, StokesMode, load_device
from transducer.devices.electro_optic import Partner
from transducer.devices.piezo import Phonon, PiezoOptomechanical
from transducer.solvers import pulse, quadrature, scattering, steady

MHZ = 2 * np.pi * 1e6


def crystal(hot: HotBath | None = None, **more: object) -> PiezoOptomechanical:
    mode = Oscillator(2 * np.pi * 5e9, 2 * np.pi * 1e4, Bath(0.1), hot)
    return PiezoOptomechanical(
        Mode(2 * np.pi * 193e12, 40 * MHZ, 20 * MHZ),
        None,
        (Phonon(mode, 2 * np.pi * 0.5e6, 0.0),),
        **more,  # type: ignore[arg-type]
    )


def test_a_detuned_laser_takes_all_frames_along() -> None:
    """The same modes, once with a laser 8 MHz off and once with every detuning written out."""
    optical = Mode(2 * np.pi * 193e12, 18 * MHZ, 12 * MHZ)
    microwave = Mode(2 * np.pi * 8e9, 5 * MHZ, 2 * MHZ)
    side = StokesMode(optical, 0.7, 20 * MHZ, Partner(optical, 6 * MHZ, 3 * MHZ))
    moved = StokesMode(optical, 0.7, 12 * MHZ, Partner(optical, 6 * MHZ, -5 * MHZ))
    one = ElectroOptic(optical, microwave, 600.0, delta_o=2 * MHZ, stokes=side)
    two = ElectroOptic(optical, microwave, 600.0, delta_o=-6 * MHZ, stokes=moved)
    laser = one.pump_for(0.5, Pump(0.0, detuning=8 * MHZ))
    same = two.pump_for(0.5, Pump(0.0))
    w = MHZ * np.array([0.0, 2.0, -5.0])
    here = scattering.convert(one.linearise(laser), one.source, one.target, w)
    there = scattering.convert(two.linearise(same), two.source, two.target, w)
    assert here.amplitude == pytest.approx(there.amplitude, rel=1e-12)
    assert here.noise_out == pytest.approx(there.noise_out, rel=1e-12)


def test_a_laser_on_the_other_side_is_refused_where_one_sideband_stands_alone() -> None:
    device = crystal()
    on_the_blue_line = Pump(1e-6, detuning=2 * np.pi * 10e9)
    with pytest.raises(ValidityError, match=r"2 sideband frequencies.*counter_rotating=True"):
        device.linearise(on_the_blue_line)
    # the full model knows what happens there: it amplifies
    full = replace(device, counter_rotating=True)
    growth = full.linearise(replace(on_the_blue_line, power=1e-12))
    assert growth.growth_rate > -2 * np.pi * 1e4 / 2  # type: ignore[union-attr]
    membrane = Membrane(
        Mode(1e9, 0.05, 0.02), Mode(1e4, 0.04, 0.01), Oscillator(1.0, 1e-5), 1e-5, 1e-5, Pump(1.0)
    ).in_rotating_wave()
    with pytest.raises(ValidityError, match="other sideband takes over"):
        membrane.linearise(Pump(1e-3, detuning=1.9))


def test_the_scattering_rate_falls_off_the_sideband() -> None:
    device = crystal()
    there = device.pump_with(100.0, Pump(0.0))
    off = device.pump_with(100.0, Pump(0.0, detuning=30 * MHZ))
    ratio = float(device.scattering_rate(off) / device.scattering_rate(there))
    assert ratio == pytest.approx(0.5, rel=1e-12)  # half a linewidth off


def test_a_tone_depletes_the_pump_as_the_three_waves_do_at_any_detuning() -> None:
    """Classical equations, integrated until steady, with a parallel path and both modes detuned."""
    optical, pump_mode = Mode(1e6, 1.1, 0.7), Mode(1e6, 0.4, 0.9)
    device = ElectroOptic(
        optical,
        Mode(1e4, 1.0, 0.5),
        0.01,
        delta_o=0.8,
        pump_mode=pump_mode,
        direct=0.012 * np.exp(0.9j),
        tone_photons=4000.0,
    )
    pump = Pump(1.0, detuning=0.3)
    bare = replace(device, tone_photons=0.0).pump_photons(pump)
    single, b = abs(device.g0 + device.direct), np.sqrt(4000.0)
    chi = pump_mode.kappa / 2 - 0.3j

    def rhs(t: float, y: np.ndarray) -> np.ndarray:
        pumped_, a = y
        drive = chi  # steady amplitude one without the tone
        return np.array(
            [
                drive - chi * pumped_ - 1j * single * b * a,
                -(optical.kappa / 2 + 1j * (0.8 - 0.3)) * a - 1j * single * b * pumped_,
            ]
        )

    end = solve_ivp(rhs, (0, 200), np.zeros(2, complex), rtol=1e-10, atol=1e-12).y[:, -1]
    assert device.pump_photons(pump) / bare == pytest.approx(abs(end[0]) ** 2, rel=1e-7)
    assert abs(end[0]) ** 2 < 0.8


LAW = PowerLaw(0.5, 100.0, 0.5, 1.0, 1e4)
RATE = PowerLaw(2 * np.pi * 20e3, 100.0, 0.6, 1.0, 1e4)


def test_a_slow_tail_keeps_heating_after_the_pulse() -> None:
    held = []
    for turn_off in (1e5, 1e7):
        device = crystal(HotBath(LAW, RATE, delayed=0.8, turn_on=1e7, turn_off=turn_off))
        pump = replace(device.pump_with(300.0, Pump(0.0)), envelope=Square(1e-6))
        later = pulse.respond(device, pump, (), held=("mechanics",), end=4e-6, start={}, rtol=1e-3)
        held.append(float(later.quanta()))
    assert held[0] > 1.3 * held[1]


def test_a_continuous_pump_finds_its_hot_bath_settled() -> None:
    """A delay is a matter of switching: without switching, pulse engine and steady state agree."""
    device = crystal(HotBath(LAW, RATE, delayed=0.8, turn_on=1e4, turn_off=1e4))
    pump = device.pump_with(300.0, Pump(0.0))
    after = pulse.respond(device, pump, (), held=("mechanics",), begin=0.0, end=5e-6)
    names = device.network(pump).names
    steady_ = steady.moments(device.linearise(pump))  # type: ignore[arg-type]
    k = names.index("mechanics")
    assert float(after.quanta()) == pytest.approx(float(steady_[k, k].real), rel=1e-6)


def test_no_light_no_heat() -> None:
    assert PowerLaw(0.64, 44.0, 0.0, 40.0, 50.0).at(0.0) == 0.0
    found = load_device("mirhosseini2020", "readout")
    dark = found.device.network(found.pump(Pump(0.0)), 0.0)
    assert {float(d.occupation) for d in dark.doors} == {0.0}


def test_the_pump_of_an_operating_point_is_counted_where_it_was_measured() -> None:
    for name, point in (("ren2020", "ten_photons"), ("mirhosseini2020", "readout")):
        found = load_device(name, point)
        at_coupler, in_fibre = (
            found.pump(like) for like in (Pump(0.0), Pump(0.0, plane=Plane.FIBRE, insertion=0.5))
        )
        assert at_coupler is not None
        assert in_fibre is not None
        assert float(in_fibre.power) == pytest.approx(2 * float(at_coupler.power), rel=1e-12)
        assert found.device.pump_photons(in_fibre) == pytest.approx(  # type: ignore[attr-defined]
            found.device.pump_photons(at_coupler),  # type: ignore[attr-defined]
            rel=1e-12,
        )


def test_one_bad_point_of_a_batch_takes_nothing_down() -> None:
    device = reference_device()
    good = pumped(device, 0.5, Sideband.BLUE)
    powers = good.power * np.array([1.0, 4.0, 0.3])  # the second one oscillates
    batch = device.linearise(replace(good, power=powers))
    assert isinstance(batch, LinearDevice)
    assert batch.status is not None
    assert batch.status.tolist() == [Status.OK, Status.UNSTABLE, Status.OK]
    found = scattering.convert(batch, device.source, device.target, np.zeros(()))
    moments, through = (
        steady.moments(batch),
        quadrature.cascade(batch, "optical.out", batch, "optical.out"),
    )
    pairs = scattering.pair_moments(batch, "optical.out", "microwave.waveguide", np.zeros(()))
    assert found.status is not None
    for k, power in enumerate(powers):
        if k == 1:
            assert np.isnan(found.efficiency[k])
            assert np.isnan(moments[k]).all()
            assert np.isnan(pairs.n_1[k])
            continue
        one = device.linearise(replace(good, power=power))
        alone = scattering.convert(one, device.source, device.target, np.zeros(()))
        assert found.efficiency[k] == pytest.approx(float(alone.efficiency), rel=1e-12)
        assert moments[k] == pytest.approx(steady.moments(one), rel=1e-9)  # type: ignore[arg-type]
    assert through.status is not None
    assert through.status.tolist() == batch.status.tolist()


def test_a_pulsed_batch_marks_the_points_that_its_model_cannot_hold() -> None:
    device = crystal()
    good = replace(device.pump_with(50.0, Pump(0.0)), envelope=Square(200e-9))
    powers = good.power * np.array([1.0, 1e8, 0.3])
    found = pulse.respond(
        device, replace(good, power=powers[:, None]), (), held=("mechanics",), end=2e-7, start={}
    )
    assert found.status is not None
    assert found.status.tolist() == [Status.OK, Status.NOT_RESOLVED, Status.OK]
    assert np.isnan(found.quanta()[1])
    alone = pulse.respond(
        device, replace(good, power=powers[2]), (), held=("mechanics",), end=2e-7, start={}
    )
    assert found.quanta()[2] == pytest.approx(float(alone.quanta()), rel=1e-6)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"start": {"mechanics": -3.0}}, "start of 'mechanics'"),
        ({"start": {"sound": 1.0}}, "no mode 'sound'"),
        ({"held": ()}, "nothing is asked"),
        ({"held": ("light",)}, "no mode 'light'"),
        ({"rtol": float("nan")}, "rtol"),
        ({"end": None}, "'end' must be given"),
        ({"end": -1.0}, "after its end"),
    ],
)
def test_what_a_pulse_cannot_be_asked_is_said(change: dict[str, object], sentence: str) -> None:
    device = crystal()
    pump = replace(device.pump_with(50.0, Pump(0.0)), envelope=Square(200e-9))
    asked = {"held": ("mechanics",), "end": 2e-7, "start": {}} | change
    with pytest.raises(ParameterError, match=sentence):
        pulse.respond(device, pump, (), **asked)  # type: ignore[arg-type]


def test_a_batch_of_pulses_without_an_axis_for_time_is_refused() -> None:
    device = crystal()
    pump = replace(device.pump_with(50.0, Pump(0.0)), envelope=Square(200e-9))
    with pytest.raises(ParameterError, match=r"last axis of length 1"):
        pulse.respond(
            device, replace(pump, power=pump.power * np.ones(3)), (), held=("mechanics",), end=2e-7
        )


def test_equations_that_lose_a_commutator_are_no_device() -> None:
    one_port = LinearDevice(np.array([[-1e5 + 0j]]), np.array([[1e3]]), (Port("in", 0.0),))
    with pytest.raises(ParameterError, match=r"break commutators.*completed"):
        BlackBox(one_port, "in", "in", 1e15, 1e5)
    lost = LinearDevice(np.array([[-1e5 + 0j]]), np.array([[np.nan]]), (Port("in", 0.0),))
    with pytest.raises(ParameterError, match=r"LinearDevice\.K"):
        BlackBox(lost, "in", "in", 1e15, 1e5)


def test_laser_noise_needs_both_sidebands() -> None:
    device = reference_device()
    linear = device.linearise(pumped(device, 0.3))
    noise = {"optical.out": quadrature.PortNoise.laser(0.0, 10.0)}
    with pytest.raises(ParameterError, match="both sidebands"):
        quadrature.output_noise(linear, np.zeros(()), noise)  # type: ignore[arg-type]
    # a squeezed input centred on the converted line is another matter
    squeezed = {"optical.out": quadrature.PortNoise.squeezed(0.4)}
    quadrature.output_noise(linear, np.zeros(()), squeezed)  # type: ignore[arg-type]


@pytest.mark.parametrize("omega", [np.nan, np.inf, np.array([])])
def test_a_frequency_that_is_none_is_named(omega: object) -> None:
    device = reference_device()
    linear = device.linearise(pumped(device, 0.3))
    with pytest.raises(ParameterError, match="omega"):
        scattering.convert(linear, device.source, device.target, np.asarray(omega, float))


def test_light_shortens_the_life_of_a_qubit_beside_the_device() -> None:
    from transducer import load_scenario
    from transducer.scenario import build_scenario

    quiet = load_scenario("metro")
    law = {"value": 2e3, "reference": 1e-6, "exponent": 1.0, "lowest": 0.0, "highest": 1.0}
    numbers = {
        f"qubit_relaxation.{k}": {"value": v, "where": "made up", "status": "guess"}
        for k, v in law.items()
    }
    raw = dict(quiet.raw)
    for side in ("arm_a", "arm_b"):
        arm = dict(raw[side])  # type: ignore[call-overload]
        arm["transducer"] = {**arm["transducer"], "override": numbers}
        raw[side] = arm
    lit = build_scenario(raw, quiet.label, quiet.folder)
    pump, before, after = lit.arms[0].pump, quiet.arms[0].emitter.memory, lit.arms[0].emitter.memory
    assert pump is not None
    added = 2e3 * float(pump.power) * 100e-9 * 1e3 / 1e-6  # 100 ns pulses, a thousand a second
    assert added > 1.0
    assert pytest.approx(added, rel=1e-9) == 1 / after.T1 - 1 / before.T1
    assert pytest.approx(added / 2, rel=1e-9) == 1 / after.T2 - 1 / before.T2


def test_light_that_shifts_the_microwave_takes_the_line_along() -> None:
    from cavities import Irradiation

    device = replace(
        reference_device(),
        irradiation=Irradiation(shift=PowerLaw(2 * MHZ, 1e6, 0.5, 1.0, 1e12)),
    )
    pump = pumped(device, 0.3)
    centre = float(np.max(device.centre(pump)))
    assert centre < -10 * MHZ
    w = np.array([centre, 0.0])
    found = scattering.convert(device.linearise(pump), device.source, device.target, w)
    assert found.efficiency[0] > 2 * found.efficiency[1]
    assert device.converted_frequency(pump) == pytest.approx(device.carrier + centre, rel=1e-15)
