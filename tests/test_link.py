"""The link as an engineer reads it: the budget adds up, the clock is one clock, each knob does what it says."""

from dataclasses import replace

import numpy as np
import pytest

from cavities import ParameterError, ValidityError
from fibre import (
    Arm,
    Detector,
    FabryPerot,
    FibreSpan,
    Link,
    Loss,
    Memory,
    Photon,
    Schedule,
    Scheme,
    SpectralGrid,
    Station,
    Wave,
    evaluate_link,
    gaussian_amplitude,
    overlap,
    propagate,
    stretched,
)
from fibre.budget import budget, seen
from fibre.causes import CAUSES, fidelity_without
from fibre.herald import EMITTERS
from fibre.link import delivered, figures, heralded
from transducer import simulate
from transducer.chain import evaluate, link_of
from transducer.node import Emitter, emit
from transducer.scenario import build_scenario, load_scenario

GRID = SpectralGrid.around(6e7, 512)
CARRIER = 2 * np.pi * 193.4e12


def ideal(fwhm: float = 40e-9, offset: float = 0.0, noise: float = 0.0, eta: float = 1.0) -> Photon:
    """A photon from anywhere: the link knows nothing of transducers."""
    amplitude = np.sqrt(eta) * gaussian_amplitude(GRID.omega - offset, fwhm)
    line = noise / (1 + (GRID.omega / 1.2e8) ** 2)
    return Photon(Wave(GRID, amplitude, line), 0.1, CARRIER)


def simple_link(**changes: object) -> Link:
    spans = (FibreSpan("a", 10e3, 2e-4, 3e-4, 1.468), FibreSpan("b", 4e3, 2e-4, 3e-4, 1.468))
    memories = (Memory(300e-6, 200e-6), Memory(150e-6, 250e-6))
    arms = tuple(
        Arm(name, ideal(noise=0.02), (), (Loss("coupler", 3.0), span), memory)
        for name, span, memory in zip("AB", spans, memories, strict=True)
    )
    station = Station(Detector("d", 0.9, 10.0, 30e-9), 200e-9, 0.2, phase_rms=0.1)
    return Link(
        (arms[0], arms[1]), station, replace(Schedule(reset=5e-6, feedback=1e-6), **changes)
    )  # type: ignore[arg-type]


def test_every_row_adds_up_to_the_arm() -> None:
    link = simple_link()
    photons, rows = budget(link)
    for arm, photon in zip("AB", photons, strict=True):
        own = [row for row in rows if row.arm == arm]
        assert sum(row.loss_db for row in own) == pytest.approx(own[-1].cumulative_db)
        assert 10 ** (-own[-1].cumulative_db / 10) == pytest.approx(photon.transmission)


def test_pure_losses_commute() -> None:
    elements = [Loss("x", 1.3), FibreSpan("f", 7e3, 2e-4, 3e-4, 1.47), Loss("y", 0.4)]
    one, _ = propagate(ideal(noise=0.3), elements)
    two, _ = propagate(ideal(noise=0.3), elements[::-1])
    assert one.transmission == pytest.approx(two.transmission)
    assert one.mode_noise == pytest.approx(two.mode_noise)


def test_a_filter_takes_its_insertion_loss_and_its_line_from_the_photon() -> None:
    """A Lorentzian filter on an exponential photon passes k_f/(k_f + G) (L14b)."""
    G, k_f = 2e7, 6e7
    exponential = np.sqrt(G) / (G / 2 - 1j * GRID.omega)
    photon = Photon(Wave(GRID, exponential, 0 * GRID.omega), 0.1, CARRIER)
    assert photon.transmission == pytest.approx(1.0, abs=1e-9)
    after = FabryPerot("f", k_f, 1.0, 0.0, 40.0)(photon)
    assert after.transmission == pytest.approx(10**-0.1 * k_f / (k_f + G), rel=1e-9)


def test_a_cascade_of_filters_is_its_stages_one_after_another() -> None:
    once = FabryPerot("f", 6e7, 1.0, 0.0, 40.0, stages=3)(
        replace(ideal(noise=0.1), pump_flux=1e12, pump_offset=5e10)
    )
    step = replace(ideal(noise=0.1), pump_flux=1e12, pump_offset=5e10)
    for _ in range(3):
        step = FabryPerot("f", 6e7, 1.0, 0.0, 40.0)(step)
    assert once.transmission == pytest.approx(step.transmission)
    assert once.mode_noise == pytest.approx(step.mode_noise)
    assert once.pump_flux == pytest.approx(step.pump_flux) == pytest.approx(1e12 * 10**-12.3)


def test_pump_leakage_counts_what_the_rejection_leaves() -> None:
    """L22e: 1 uW at 1550 nm is 7.803e12/s; 120 dB leave 7.803/s."""
    from cavities import photon_flux

    flux = photon_flux(1e-6, 2 * np.pi * 299792458.0 / 1550e-9)
    photon = replace(ideal(), pump_flux=flux, pump_offset=5e10)
    after = FabryPerot("f", 3e8, 0.0, 0.0, 40.0, stages=3)(photon)
    assert after.pump_flux == pytest.approx(7.8029, rel=1e-4)
    station = Station(Detector("d", 1.0, 0.0), 1e-3)
    # half of each arm's light reaches each detector
    assert station.dark_probability(after, replace(after, pump_flux=0.0)) == pytest.approx(
        7.8029e-3 / 2, rel=3e-3
    )


@pytest.mark.parametrize(("delta", "fwhm"), [(2e7, 40e-9), (5e7, 25e-9)])
def test_overlap_of_detuned_gaussian_photons(delta: float, fwhm: float) -> None:
    """L14e: V = M^2 = exp(-delta^2 sigma^2)."""
    sigma = fwhm / np.sqrt(8 * np.log(2))
    M = overlap(ideal(fwhm), ideal(fwhm, delta))
    assert pytest.approx(np.exp(-(delta**2) * sigma**2), rel=1e-9) == M**2


def test_overlap_of_two_exponential_photons() -> None:
    """L14: V = 4 G1 G2/((G1+G2)^2 + 4 d^2) for equal start times; arrivals differ by 1/G1 - 1/G2, which M removes."""
    G = 2e7
    one = np.sqrt(G) / (G / 2 - 1j * GRID.omega)
    two = np.sqrt(G) / (G / 2 - 1j * (GRID.omega - 1.1e7))
    photons = [Photon(Wave(GRID, a, 0 * GRID.omega), 0.1, CARRIER) for a in (one, two)]
    assert overlap(*photons) ** 2 == pytest.approx(4 * G**2 / (4 * G**2 + 4 * 1.1e7**2), rel=1e-6)


def test_the_gate_keeps_the_share_of_the_wave_packet_inside_it() -> None:
    from scipy.special import erf

    fwhm, gate = 40e-9, 60e-9
    sigma = fwhm / np.sqrt(8 * np.log(2))
    delayed = ideal(fwhm)
    delayed = replace(
        delayed,
        wave=replace(
            delayed.wave, amplitude=delayed.wave.amplitude * np.exp(1j * GRID.omega * 70e-9)
        ),
    )
    for photon in (ideal(fwhm), delayed):
        assert photon.wave.gate_share(gate) == pytest.approx(
            erf(gate / (2 * np.sqrt(2) * sigma)), rel=1e-9
        )
    assert delayed.wave.arrival == pytest.approx(70e-9, rel=1e-6)


def test_noise_modes_are_the_gate_times_the_noise_bandwidth() -> None:
    """White-enough Lorentzian noise of full width B: K = T (pi/2) B / 2 pi for a photon much narrower than B."""
    wide = SpectralGrid.around(1e7, 2048)
    B, T = 2 * np.pi * 20e6, 5e-6
    line = 0.03 / (1 + (2 * wide.omega / B) ** 2)
    photon = Photon(Wave(wide, gaussian_amplitude(wide.omega, 4e-6), line), 0.1, CARRIER)
    found = seen((photon, photon), Station(Detector("d", 1.0, 0.0), T))
    assert found.noise_modes == pytest.approx(T * B / 4, rel=1e-3)


def test_a_gate_shorter_than_a_noise_mode_is_fine_for_little_noise_and_refused_for_much() -> None:
    link = simple_link()
    short = replace(link, station=replace(link.station, gate=6e-9))
    assert evaluate_link(short, Scheme.SINGLE_CLICK).noise_modes < 1
    arms = tuple(
        replace(
            arm,
            photon=replace(
                arm.photon, wave=replace(arm.photon.wave, noise=50 * arm.photon.wave.noise)
            ),
        )
        for arm in short.arms
    )
    with pytest.raises(ValidityError, match=r"less than one noise mode.*lengthen the gate"):
        evaluate_link(replace(short, arms=(arms[0], arms[1])), Scheme.SINGLE_CLICK)


def test_noise_without_a_bandwidth_is_refused() -> None:
    white = replace(ideal(), wave=replace(ideal().wave, noise=0.01 + 0 * GRID.omega))
    link = simple_link()
    arms = tuple(replace(arm, photon=white) for arm in link.arms)
    with pytest.raises(ValidityError, match=r"no bandwidth.*filter"):
        evaluate_link(replace(link, arms=(arms[0], arms[1])), Scheme.SINGLE_CLICK)
    filtered = tuple(
        replace(arm, elements=(*arm.elements, FabryPerot("f", 3e8, 1.0, 0.0, 40.0, stages=2)))
        for arm in arms
    )
    evaluate_link(replace(link, arms=(filtered[0], filtered[1])), Scheme.SINGLE_CLICK)


def test_photons_of_different_carriers_are_refused() -> None:
    link = simple_link()
    other = replace(link.arms[1], photon=replace(link.arms[1].photon, carrier=CARRIER + 1e7))
    with pytest.raises(ValidityError, match="do not interfere"):
        evaluate_link(replace(link, arms=(link.arms[0], other)), Scheme.SINGLE_CLICK)


def test_a_short_gate_buys_indistinguishability() -> None:
    """Within the gate the two packets differ less: M of the gated packets by a direct time integral."""
    one, two = ideal(30e-9), ideal(120e-9)
    gate = 40e-9
    sigma = [f / np.sqrt(8 * np.log(2)) for f in (30e-9, 120e-9)]
    t = np.linspace(-gate / 2, gate / 2, 20001)
    u, v = (np.exp(-(t**2) / (4 * s**2)) for s in sigma)
    expected = np.trapezoid(u * v, t) / np.sqrt(np.trapezoid(u * u, t) * np.trapezoid(v * v, t))
    assert overlap(one.gated(gate), two.gated(gate)) == pytest.approx(expected, rel=1e-7)
    assert overlap(one.gated(gate), two.gated(gate)) > overlap(one, two) + 0.1


@pytest.mark.parametrize(
    ("fwhm", "offset"), [(40e-9, 0.0), (20e-6, 2 * np.pi * 5e6), (2e-6, 2 * np.pi * 20e6)]
)
def test_the_grid_resolves_long_and_offset_photons(fwhm: float, offset: float) -> None:
    grid = SpectralGrid.resolving([3e7, 3e8], [(offset, fwhm)])
    assert np.sum(
        grid.weight * np.abs(gaussian_amplitude(grid.omega - offset, fwhm)) ** 2
    ) == pytest.approx(1, abs=1e-8)


def test_a_photon_that_no_grid_can_hold_is_refused() -> None:
    from transducer.conversion import Conversion

    with pytest.raises(ValidityError, match="cannot be resolved together"):
        SpectralGrid.resolving([1e7], [(0.0, 1e3)])
    flat = Conversion(GRID.omega, np.ones(512) + 0j, np.zeros(512), "a", "b", "test")
    with pytest.raises(ValidityError, match="the frequency grid holds"):
        emit(flat, Emitter(Memory(1.0, 1.0), 0.1, 20e-6, offset=3e7), GRID, CARRIER)


def test_splitting_one_idle_time_between_node_and_link_gives_the_same_state() -> None:
    """One clock: what the node's own dynamics did before `clock` the link's memory does not do again."""
    scenario = load_scenario("metro_target")
    idle = 37e-6
    base = link_of(scenario)
    arms = []
    for arm, setup in zip(base.arms, scenario.arms, strict=True):
        emitter = replace(setup.emitter, idle=idle)
        from transducer.chain import convert

        conversion = convert(setup, "scattering", arm.photon.wave.grid.omega)
        photon = emit(
            conversion,
            emitter,
            arm.photon.wave.grid,
            setup.device.carrier,
            setup.device.pump_light(setup.pump),
        )
        assert photon.clock == idle
        arms.append(replace(arm, photon=photon))
    split = replace(base, arms=(arms[0], arms[1]))
    for scheme in EMITTERS:
        states = []
        for link in (base, split):
            photons, _ = budget(link)
            pair, latency = delivered(link, heralded(link, scheme, seen(photons, link.station)))
            states.append(pair.state)
            assert latency == pytest.approx(2 * 12.5e3 * 1.4682 / 299792458.0 + 1e-6)
        assert states[1] == pytest.approx(states[0], abs=1e-15)
        # and counting it twice would show
        double = replace(
            base, schedule=replace(base.schedule, feedback=base.schedule.feedback + idle)
        )
        photons, _ = budget(double)
        late, _ = delivered(double, heralded(double, scheme, seen(photons, double.station)))
        assert abs(late.fidelity - 1) > abs(split_fidelity(states[0]) - 1) + 1e-4


def split_fidelity(state: np.ndarray) -> float:
    from fibre.herald import Heralded

    return float(Heralded(state).fidelity)


def test_a_node_that_outlasts_its_herald_is_refused() -> None:
    link = simple_link()
    slow = replace(link.arms[0], photon=replace(link.arms[0].photon, clock=1.0))
    with pytest.raises(ValidityError, match="longer than the herald's travel"):
        evaluate_link(replace(link, arms=(slow, link.arms[1])), Scheme.SINGLE_CLICK)


def test_each_memory_waits_for_its_own_photon_and_the_last_herald() -> None:
    link = simple_link()
    travel = [arm.elements[1].delay for arm in link.arms]
    photons, _ = budget(link)
    pair = heralded(link, Scheme.SINGLE_CLICK, seen(photons, link.station))
    late, latency = delivered(link, pair)
    assert latency == pytest.approx(2 * travel[0] + 1e-6)
    waits = [own + max(travel) + 1e-6 for own in travel]
    both_up = pair.state[3, 3].real * np.exp(-waits[0] / 300e-6) * np.exp(-waits[1] / 150e-6)
    assert late.state[3, 3].real == pytest.approx(both_up, rel=1e-12)


def test_swapping_the_arms_of_a_link_swaps_its_state() -> None:
    link = simple_link()
    mirror = replace(link, arms=(link.arms[1], link.arms[0]))
    order = [0, 2, 1, 3]
    for scheme in EMITTERS:
        states = []
        for this in (link, mirror):
            photons, _ = budget(this)
            states.append(
                delivered(this, heralded(this, scheme, seen(photons, this.station)))[0].state
            )
        assert states[1][np.ix_(order, order)] == pytest.approx(states[0], abs=1e-16)
        assert abs(states[0] - states[1]).max() > 1e-6  # the arms do differ


def test_attempt_period_adds_what_follows_and_takes_the_larger_of_what_overlaps() -> None:
    s = Schedule(reset=5e-6, flip=50e-9, feedback=1e-6, pump_on=200e-9, pump_duty=1e-2)
    serial = 5e-6 + 1e-7 + 60e-6 + 60e-6 + 1e-6
    assert s.attempt_period(1, 1e-7, 0.0, 60e-6, 60e-6) == pytest.approx(serial)
    # two rounds: photon, flip, photon
    assert s.attempt_period(2, 1e-7, 0.0, 60e-6, 60e-6) == pytest.approx(serial + 150e-9)
    # a slow detector stretches the gap
    assert s.attempt_period(2, 1e-7, 1e-6, 60e-6, 60e-6) == pytest.approx(serial + 1.1e-6)
    cooled = replace(s, pump_duty=1e-3)
    assert cooled.attempt_period(1, 1e-7, 0.0, 60e-6, 60e-6) == pytest.approx(200e-6)
    assert cooled.attempt_period(2, 1e-7, 0.0, 60e-6, 60e-6) == pytest.approx(400e-6)
    slow = replace(s, repetition_rate=100.0)
    assert slow.attempt_period(1, 1e-7, 0.0, 60e-6, 60e-6) == pytest.approx(1e-2)
    assert slow.attempt_period(2, 1e-7, 0.0, 60e-6, 60e-6) == pytest.approx(
        2e-2
    )  # pulses, not attempts


def test_setting_the_switches_costs_its_share_of_the_circuit() -> None:
    assert Schedule(lock_duty=0.8, hold=1.0).availability(0.025) == pytest.approx(0.8 / 1.025)
    assert Schedule(lock_duty=0.8).availability(0.025) == pytest.approx(0.8)


def test_each_cause_that_is_switched_off_is_off_exactly() -> None:
    link = simple_link()
    noisy = replace(link, station=replace(link.station, distinguishability=0.9))
    photons, _ = budget(noisy)
    photons = (replace(photons[0], pump_flux=3e4), photons[1])
    base = seen(photons, noisy.station)
    gain = {c.name: fidelity_without(noisy, Scheme.SINGLE_CLICK, base, c) for c in CAUSES}

    def direct(detection: object = base, **changes: object) -> float:
        other = replace(noisy, **changes)  # type: ignore[arg-type]
        return float(delivered(other, heralded(other, Scheme.SINGLE_CLICK, detection))[0].fidelity)  # type: ignore[arg-type]

    assert gain["transducer noise"] == pytest.approx(
        direct(replace(base, noise_a=0.0, noise_b=0.0))
    )
    assert gain["distinguishable photons"] == pytest.approx(direct(replace(base, overlap=1.0)))
    assert gain["optical phase noise"] == pytest.approx(
        direct(station=replace(noisy.station, phase_rms=0.0))
    )
    assert gain["memory decay while the herald travels"] == pytest.approx(
        float(heralded(noisy, Scheme.SINGLE_CLICK, base).fidelity)
    )
    gate = noisy.station.gate
    only_pump = replace(base, dark=1 - np.exp(-gate * 1.5e4))
    only_dark = replace(base, dark=1 - np.exp(-gate * noisy.station.detector.dark_rate))
    assert gain["detector dark counts"] == pytest.approx(direct(only_pump), rel=1e-9)
    assert gain["pump light in the gate"] == pytest.approx(direct(only_dark), rel=1e-9)
    assert gain["pump light in the gate"] > gain["detector dark counts"] > direct()
    from fibre.herald import Heralded

    pair = heralded(noisy, Scheme.SINGLE_CLICK, base)
    rest = pair.state - np.diag([0, 0, 0, pair.state[3, 3]])
    assert gain["both qubits bright"] == pytest.approx(
        float(delivered(noisy, Heralded(rest))[0].fidelity)
    )


def test_separability_tells_entanglement_for_unequal_arms() -> None:
    from fibre import negativity

    link = simple_link()
    for scale in np.geomspace(0.3, 30, 9):
        arms = (
            replace(
                link.arms[0],
                photon=replace(
                    link.arms[0].photon,
                    wave=replace(
                        link.arms[0].photon.wave, noise=scale * link.arms[0].photon.wave.noise
                    ),
                ),
            ),
            link.arms[1],
        )
        this = replace(link, arms=arms)
        photons, _ = budget(this)
        for scheme in EMITTERS:
            found, _ = figures(this, scheme, seen(photons, this.station))
            at_emission = heralded(this, scheme, seen(photons, this.station))
            if scheme is Scheme.TWO_CLICK:  # without the wait between the rounds
                from fibre import two_click

                at_emission = two_click(seen(photons, this.station))
            assert bool(found.separability < 1) is bool(negativity(at_emission.normalised) > 1e-12)


def test_a_batch_of_lengths_is_its_points() -> None:
    link = simple_link()
    lengths = np.array([1e3, 8e3, 20e3])

    for scheme in EMITTERS:
        batch = evaluate_link(stretched(link, lengths), scheme).as_dict()
        for k, length in enumerate(lengths):
            point = evaluate_link(stretched(link, float(length)), scheme).as_dict()
            for name, value in point.items():
                assert np.broadcast_to(batch[name], 3)[k] == pytest.approx(value, rel=1e-12), name


def test_arms_may_differ_in_everything() -> None:
    scenario = load_scenario("metro")
    raw = dict(scenario.raw)
    raw["arm_b"] = {
        **raw["arm_b"],  # type: ignore[dict-item]
        "transducer": {"device": "example_datasheet", "pump": {}},
        "node": {
            **raw["arm_b"]["node"],
            "bright_population": 0.05,
            "photon_fwhm_s": 60e-9,
            "offset_hz": 2e6,
        },  # type: ignore[index]
    }
    mixed = build_scenario(raw, "mixed", scenario.folder)
    found = evaluate(mixed, Scheme.SINGLE_CLICK)
    assert found.transmission_b > 2 * found.transmission_a
    assert found.noise_a != found.noise_b
    assert 0.5 < found.overlap < 0.97
    report = simulate(mixed, "all")
    assert report.conversions[0].device != report.conversions[1].device


def test_a_photon_through_a_gain_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"norm <= 1.*red-detuned"):
        ideal(eta=1.5)


def test_emission_through_a_flat_converter_is_the_worked_herald() -> None:
    """A converter much wider than the photon and a gate of one noise mode: the link's weights are L21's."""
    from fibre.herald import click_operator

    grid = SpectralGrid.around(2e9, 16384)
    tau, N = 0.3, 0.06
    B = 2 * np.pi * 5e9
    flat = N / (1 + (2 * grid.omega / B) ** 2)
    from transducer.conversion import Conversion

    conversion = Conversion(grid.omega, np.full(16384, np.sqrt(tau)) + 0j, flat, "a", "b", "test")
    photon = emit(conversion, Emitter(Memory(1.0, 1.0), 0.1, 40e-9), grid, CARRIER)
    gate = 4 / B  # K = T B/4 = 1
    found = seen((photon, photon), Station(Detector("d", 1.0, 0.0), gate))
    assert found.noise_modes == pytest.approx(1.0, rel=2e-3)
    weights = click_operator(replace(found, noise_modes=1.0, dark=1e-3))
    assert weights[1, 1] == pytest.approx(0.1722517917, rel=1e-5)
    assert weights[1, 2] == pytest.approx(0.1333659665, rel=1e-5)


def uneven_link() -> Link:
    """Every number of arm A differs from arm B's."""
    link = simple_link(flip=50e-9)
    photons = (
        replace(ideal(noise=0.02), bright=0.1),
        replace(ideal(fwhm=60e-9, noise=0.005), bright=0.35),
    )
    one, two = (replace(arm, photon=photon) for arm, photon in zip(link.arms, photons, strict=True))
    memories = (Memory(3e-6, 2e-6), Memory(1e-6, 1.5e-6))
    arms = tuple(replace(arm, memory=m) for arm, m in zip((one, two), memories, strict=True))
    return replace(link, arms=(arms[0], arms[1]))


def test_every_number_goes_to_its_own_arm() -> None:
    """The link's herald is the herald of its parts, put together by hand."""
    from fibre import single_click, two_click

    link = uneven_link()
    photons, rows = budget(link)
    found = seen(photons, link.station)
    for arm, photon, tau, noise in zip(
        link.arms, photons, (found.tau_a, found.tau_b), (found.noise_a, found.noise_b), strict=True
    ):
        lost = 10 ** (-(3.0 + 0.2 + arm.elements[1].length * 2e-4) / 10) * 0.9
        share = arm.photon.wave.gate_share(link.station.gate)
        assert tau == pytest.approx(lost * share, rel=1e-12)  # the gate cuts the photon ...
        assert noise == pytest.approx(
            lost * arm.photon.wave.mode_noise, rel=1e-12
        )  # ... not the noise
        assert photon.gate == link.station.gate
    assert found.noise_a != found.noise_b
    assert found.tau_a != found.tau_b
    by_hand = single_click(found, 0.1, 0.35, link.station.phase_rms).state
    assert heralded(link, Scheme.SINGLE_CLICK, found).state == pytest.approx(by_hand, abs=1e-15)
    gap = link.station.gate + 50e-9  # the flip is longer than the dead time
    memories = (link.arms[0].memory, link.arms[1].memory)
    by_hand = two_click(found, 0.0, memories, gap).state
    assert heralded(link, Scheme.TWO_CLICK, found).state == pytest.approx(by_hand, abs=1e-15)
    swapped_memories = two_click(found, 0.0, memories[::-1], gap).state
    assert abs(swapped_memories - by_hand).max() > 1e-6
    assert {row.arm for row in rows} == {"A", "B"}


def test_the_period_of_a_link_counts_both_ways_and_its_rate_the_switches() -> None:
    link = uneven_link()
    switch = Loss("switch", 1.0, switch_time=0.5)
    arms = tuple(replace(arm, elements=(*arm.elements, switch)) for arm in link.arms)
    held = replace(
        link, arms=(arms[0], arms[1]), schedule=replace(link.schedule, hold=2.0, lock_duty=0.5)
    )
    travel = 10e3 * 1.468 / 299792458.0
    for scheme, emission in ((Scheme.SINGLE_CLICK, 200e-9), (Scheme.TWO_CLICK, 650e-9 - 200e-9)):
        found = evaluate_link(held, scheme)
        assert found.attempt_period == pytest.approx(5e-6 + emission + 2 * travel + 1e-6, rel=1e-9)
        assert found.waiting == pytest.approx(1.0)
        assert found.delivered_rate / found.rate == pytest.approx(0.5 * 2.0 / 2.5)
    slow = replace(held, schedule=replace(held.schedule, repetition_rate=100.0))
    assert evaluate_link(slow, Scheme.SINGLE_CLICK).waiting == pytest.approx(
        1e-2 / (6.2e-6 + 2 * travel), rel=1e-6
    )


def test_the_relay_bound_is_that_of_the_weaker_arm() -> None:
    from fibre import relay_bound

    assert relay_bound(0.3, 0.01, 2) == pytest.approx(-2 * np.log2(0.99))
    assert relay_bound(0.01, 0.3, 2) == pytest.approx(-2 * np.log2(0.99))


def test_the_metro_scenario_takes_its_timing_and_worst_cases_from_its_files() -> None:
    scenario = load_scenario("metro")
    assert scenario.schedule.repetition_rate == 1000.0  # the device's
    assert scenario.schedule.flip == 32e-9  # the qubit's
    assert scenario.schedule.pump_on == 100e-9
    rows = {row.element: row for row in simulate(scenario, "scattering").rows}
    margin = {name: row.loss_db_max - row.loss_db for name, row in rows.items()}
    assert margin["SNSPD"] == pytest.approx(10 * np.log10(0.93 / 0.80))
    assert margin["4 x Fabry-Perot stage, 50 MHz"] == pytest.approx(4 * 2.0)
    assert margin["2 x LC/APC mated pair"] == pytest.approx(2 * 0.55)
    assert rows["transducer sahu2022"].basis == "identity"


def test_a_detuned_pump_takes_the_frame_with_it() -> None:
    """Laser up by D: less power in the cavity, converted light up by D, optical detuning down by D."""
    from cavities import Plane, Pump
    from tests.conftest import reference_device

    device = reference_device()
    detuned = device.pump_for(
        0.3, Pump(0.0, plane=Plane.FIBRE, insertion=0.5, detuning=2 * np.pi * 15e6)
    )
    assert device.cooperativity(detuned) == pytest.approx(0.3)
    assert detuned.power > 2 * device.pump_for(0.3, Pump(0.0)).power
    shifted = replace(device, delta_o=-2 * np.pi * 15e6)
    from transducer.solvers import scattering

    w = np.array([0.0, 1e7])
    here = scattering.convert(device.linearise(detuned), device.source, device.target, w)
    there = scattering.convert(
        shifted.linearise(device.pump_for(0.3, Pump(0.0))), device.source, device.target, w
    )
    assert here.amplitude == pytest.approx(there.amplitude, rel=1e-12)
    assert device.converted_frequency(detuned) - device.carrier == pytest.approx(
        2 * np.pi * 15e6, rel=1e-3
    )


def test_a_wave_refuses_a_batch_of_devices() -> None:
    with pytest.raises(ParameterError, match="one spectrum on its grid"):
        Wave(GRID, np.ones((3, 512)) * 1e-6 + 0j, np.zeros((3, 512)))


@pytest.mark.slow
def test_a_pump_pulse_that_is_steady_enough_loses_a_few_per_cent() -> None:
    """Square pump around the photon, mean-field ODE: what the steady theory leaves out at a product of 9."""
    from scipy.integrate import solve_ivp

    scenario = load_scenario("metro")
    setup = scenario.arms[0]
    device, pump, T = setup.device, setup.pump, 100e-9
    o, e = device.optical, device.microwave
    g = float(device.coupling(pump))
    sigma = 40e-9 / np.sqrt(8 * np.log(2))

    def u(t: float, t_0: float) -> float:
        return float((2 * np.pi * sigma**2) ** -0.25 * np.exp(-((t - t_0) ** 2) / (4 * sigma**2)))

    def converted(t_0: float, pulsed: bool) -> float:
        def rhs(t: float, y: np.ndarray) -> list[complex]:
            on = g if not pulsed or 0 < t < T else 0.0
            return [
                -o.kappa / 2 * y[0] - 1j * on * y[1],
                -e.kappa / 2 * y[1] - 1j * on * y[0] - np.sqrt(e.kappa_ext) * u(t, t_0),
            ]

        t = np.linspace(-150e-9, 350e-9, 4001)
        run = solve_ivp(
            rhs, (t[0], t[-1]), np.zeros(2, complex), t_eval=t, rtol=1e-7, atol=1e-3, max_step=2e-9
        )
        return float(np.trapezoid(0.78**2 * o.kappa_ext * np.abs(run.y[0]) ** 2, t))

    steady = converted(50e-9, False)
    grid = link_of(scenario).arms[0].photon
    assert steady == pytest.approx(grid.transmission / setup.emitter.efficiency, rel=1e-3)
    best = max(converted(t_0, True) for t_0 in (35e-9, 40e-9, 45e-9, 50e-9))
    assert 0.93 < best / steady < 1.0


@pytest.mark.parametrize(("modes", "noise", "error"), [(10, 0.005, 2e-3), (10, 0.02, 7e-3)])
def test_a_fractional_number_of_noise_modes_counts_right(
    modes: int, noise: float, error: float
) -> None:
    """Noise spread over several modes of unequal strength against K = (sum)^2-free mean count of the photon's mode.

    Exact no-click probability of independent thermal modes, prod 1/(1 + n_k), against (1 + N)^-K with the same
    total: equal to second order in the noise per mode.
    """
    from fibre import click_operator
    from fibre.herald import Detection

    weights = np.exp(-np.linspace(0, 2, modes))
    n = noise * weights / weights[0]
    K = n.sum() / noise
    exact = np.prod(1 / (1 + n)) - np.prod(1 / (1 + n)) ** 2
    found = click_operator(Detection(0.0, 0.0, noise, noise, noise_modes=K))[0, 0]
    assert found == pytest.approx(exact, rel=error)


def test_emitter_loss_is_referred_back_into_the_noise() -> None:
    """Everything before the transducer counts: half the emission doubles the noise referred to the emitter."""
    scenario = load_scenario("metro_datasheet")
    full = evaluate(scenario, Scheme.SINGLE_CLICK)
    arms = tuple(
        replace(arm, emitter=replace(arm.emitter, efficiency=arm.emitter.efficiency / 2))
        for arm in scenario.arms
    )
    half = evaluate(replace(scenario, arms=(arms[0], arms[1])), Scheme.SINGLE_CLICK)
    assert half.added_noise_a == pytest.approx(2 * full.added_noise_a)
    assert half.noise_a == pytest.approx(full.noise_a)


def test_the_band_is_the_papers_own_where_it_states_one_and_absent_elsewhere() -> None:
    """At the low-noise point the paper says 0.16 +0.02 -0.01: that band, and what it does to the fidelity."""
    scenario = load_scenario("metro")
    report = simulate(scenario, "scattering")
    assert [e.key for e in report.varied_inputs] == ["heating.low_noise", "heating.high_noise"]
    assert report.uncertainty["added_noise"] == pytest.approx((0.01, 0.02), rel=1e-6)
    assert (
        "efficiency" not in report.uncertainty
    )  # no input of it states a sigma: zero would be a lie
    raw = dict(scenario.raw)
    for arm in ("arm_a", "arm_b"):
        raw[arm] = {
            **raw[arm],
            "transducer": {**raw[arm]["transducer"], "override": {"heating.low_noise": 0.18}},
        }
    worse = evaluate(build_scenario(raw, "x", scenario.folder), report.best.scheme).fidelity
    assert report.uncertainty["fidelity"][0] == pytest.approx(
        float(report.best.figures.fidelity - worse), rel=1e-9
    )
    assert simulate(load_scenario("metro_target"), "scattering").uncertainty == {}


@pytest.mark.slow
def test_the_band_does_not_depend_on_the_engine_of_the_link() -> None:
    bands = [
        simulate(load_scenario("metro"), engine).uncertainty
        for engine in ("scattering", "master-equation")
    ]
    assert set(bands[0]) == set(bands[1])
    for name, band in bands[0].items():
        assert bands[1][name] == pytest.approx(band, rel=1e-9)


def with_figures(scenario, arm: str, **figures_: dict):
    raw = dict(scenario.raw)
    own = dict(raw[arm])
    own["transducer"] = {
        **own["transducer"],
        "override": {f"figures.{k}": v for k, v in figures_.items()},
    }
    raw[arm] = own
    return build_scenario(raw, "varied", scenario.folder)


def test_the_band_of_one_arms_number_does_not_move_the_other_arm() -> None:
    base = load_scenario("metro_datasheet")
    number = {"status": "guess", "where": "x"}
    quiet = with_figures(
        base, "arm_a", added_noise={"value": 0.01, **number}, efficiency={"value": 0.2, **number}
    )
    one = with_figures(
        quiet,
        "arm_b",
        added_noise={"value": 0.01, **number},
        efficiency={"value": 0.1, "sigma": 0.01, **number},
    )
    other = with_figures(
        quiet, "arm_b", added_noise={"value": 0.01, **number}, efficiency={"value": 0.11, **number}
    )
    report = simulate(one, "scattering", [Scheme.TWO_CLICK])
    assert [(e.key, e.number.value) for e in report.varied_inputs] == [("figures.efficiency", 0.1)]
    here = float(report.best.figures.herald_probability)
    there = float(simulate(other, "scattering", [Scheme.TWO_CLICK]).best.figures.herald_probability)
    assert report.uncertainty["herald_probability"][1] == pytest.approx(there - here, rel=1e-9)
    assert "efficiency" not in report.uncertainty  # arm A states none


def test_a_sigma_that_leaves_the_domain_is_left_out_and_said() -> None:
    base = load_scenario("metro_datasheet")
    number = {"value": 0.002, "sigma": 0.003, "status": "guess", "where": "x"}
    report = simulate(with_figures(base, "arm_a", added_noise=number), "scattering")
    assert any(
        "added_noise" in w and "-0.003" in w and "leaves the domain" in w for w in report.warnings
    )


def test_an_emitter_checks_its_numbers() -> None:
    with pytest.raises(
        ParameterError,
        match=r"Emitter\.efficiency \[1\] must be a finite number > 0 and <= 1, got 1\.2",
    ):
        Emitter(Memory(1.0, 1.0), 0.1, 1e-8, efficiency=1.2)
    with pytest.raises(ParameterError, match=r"T2 \[s\] must be at most 2 T1"):
        Memory(1e-6, 3e-6)
