"""Protocols side by side: each at its best against a dense scan, each figure against a formula."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cavities import data
from cavities.constants import LIGHT_SPEED
from cavities.errors import ParameterError, ValidityError
from cavities.pump import Sideband
from fibre.budget import Link, budget
from fibre.distil import hashing_bound
from fibre.elements import FibreSpan
from fibre.herald import Heralded, Scheme
from fibre.link import evaluate_link
from fibre.memory import Memory, QubitChannel, decay, qubit_channel
from fibre.one_way import Squeezed, direct_dual_rail, direct_single_rail, shared_dual_rail
from fibre.pair_herald import storage
from tests import commands
from tests.commands import transducer
from transducer.chain import link_of
from transducer.comparison import Compared, at_end
from transducer.comparison import compare as compare_all
from transducer.goals import Goal
from transducer.pair_node import emit_pairs
from transducer.scenario import Scenario, load_scenario
from transducer.solvers import scattering

TARGET = (data.root("scenarios") / "metro_target.toml").read_text("utf-8")
CHEAP = ("single-click", "two-click", "time-bin", "direct", "direct-time-bin", "pair-source")
COOL = ("low_noise = { value = 0.003", "low_noise = { value = 0.0010")
COOLER = ("high_noise = { value = 0.0065", "high_noise = { value = 0.0012")
MEMORY = Memory(25e-3, 34e-3)
TRAVEL = 12.5e3 * 1.4682 / LIGHT_SPEED
FEEDBACK, CAUGHT = 1e-6, 0.97

Make = Callable[..., Scenario]


def compare(*asked: object, **more: object) -> tuple[Compared, ...]:
    """With the scenario's own gate and photon: what formulas and scans can be held against."""
    return compare_all(*asked, fixed_shape=True, **more)  # type: ignore[arg-type]


def test_turning_gate_and_photon_is_no_loss() -> None:
    scenario = load_scenario("metro_target")
    for protocol in ("single-click", "two-click"):
        fixed = compare(scenario, (protocol,), ("midpoint",))[0].figures
        free = compare_all(scenario, (protocol,), ("midpoint",))[0]
        assert fixed is not None
        assert free.figures is not None
        assert float(free.figures.hashing_rate) > float(fixed.hashing_rate) + 5
        assert set(free.setting) >= {"gate_share", "photon_over_gate"}


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def write(*edits: tuple[str, str], extra: str = "") -> Scenario:
        text = TARGET
        for old, new in edits:
            assert old in text, old
            text = text.replace(old, new, 1)
        path = tmp_path / "own.toml"
        path.write_text(text + extra, "utf-8")
        return load_scenario(path)

    return write


def refused(done: subprocess.CompletedProcess[str], cwd: Path, *words: str) -> None:
    commands.refused(done, *words)
    assert [p for p in cwd.rglob("*") if p.suffix in (".h5", ".png")] == []


# ---------------------------------------------------------------- ranking and optimum


def test_protocols_are_ranked_by_distillable_rate() -> None:
    found = compare(load_scenario("metro_target"), CHEAP)
    assert {c.protocol for c in found} == set(CHEAP)
    assert len(found) == 3 * 2 + 3
    rates = [float(c.figures.hashing_rate) for c in found if c.figures is not None]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > 0
    useless = [c.figures for c in found if c.figures is not None and c.figures.hashing_rate == 0]
    merit = [float(f.negativity + f.fidelity) for f in useless]
    assert merit == sorted(merit, reverse=True)


def test_what_makes_no_sense_is_left_out() -> None:
    found = compare(load_scenario("metro_target"), ("single-click", "direct", "pair-source"))
    places = {(c.protocol, c.station) for c in found}
    assert places == {
        ("single-click", "midpoint"),
        ("single-click", "end"),
        ("direct", "none"),
        ("pair-source", "source"),
    }


def scan(link: Link, points: int = 301) -> tuple[np.ndarray, ...]:
    """Fidelity, delivered and distillable rate of single clicks on a dense grid of populations."""
    alpha = np.geomspace(1e-4, 0.5, points)
    one, two = link.arms
    one = replace(one, photon=replace(one.photon, bright=alpha[:, None]))
    two = replace(two, photon=replace(two.photon, bright=alpha[None, :]))
    f = evaluate_link(replace(link, arms=(one, two)), Scheme.SINGLE_CLICK)
    whole = (points, points)
    return tuple(
        np.broadcast_to(np.asarray(v), whole)
        for v in (f.fidelity, f.delivered_rate, f.hashing_rate)
    )


UNEQUAL = "\n[arm_b.node]\nemission_efficiency = {}\n"


@pytest.mark.parametrize(
    ("station", "emission"),
    [("midpoint", 0.97), ("midpoint", 0.6), ("midpoint", 0.3), ("end", 0.97), ("end", 0.6)],
)
def test_the_single_click_optimum_is_that_of_a_dense_scan(
    make: Make, station: str, emission: float
) -> None:
    scenario = make(COOL, COOLER, extra=UNEQUAL.format(emission))
    link = link_of(scenario)
    F, _, ebits = scan(at_end(link) if station == "end" else link)
    (found,) = compare(scenario, ("single-click",), (station,))
    assert found.figures is not None
    assert np.max(ebits) > 0
    assert float(found.figures.hashing_rate) >= 0.99 * np.max(ebits)
    assert float(found.figures.hashing_rate) <= 1.01 * np.max(ebits)
    at = np.unravel_index(np.argmax(ebits), ebits.shape)
    assert float(found.figures.fidelity) == pytest.approx(F[at], rel=0.01)


def test_where_nothing_distils_the_best_is_the_most_entangled() -> None:
    scenario = load_scenario("metro_target")
    link = link_of(scenario)
    F, _, ebits = scan(link, 121)
    assert np.max(ebits) == 0
    (found,) = compare(scenario, ("single-click",), ("midpoint",))
    assert found.figures is not None
    assert float(found.figures.fidelity) >= np.max(F) * 0.99


@pytest.mark.parametrize("station", ["midpoint", "end"])
@pytest.mark.parametrize("floor", [0.55, 0.65, 0.72])
def test_a_fidelity_floor_is_met_at_the_highest_rate(station: str, floor: float) -> None:
    scenario = load_scenario("metro_target")
    link = link_of(scenario)
    F, rate, _ = scan(at_end(link) if station == "end" else link)
    (found,) = compare(scenario, ("single-click",), (station,), Goal(fidelity_floor=floor))
    assert found.figures is not None
    assert float(found.figures.fidelity) >= floor
    most = np.max(np.where(floor <= F, rate, 0.0))
    assert most > 0
    assert float(found.figures.delivered_rate) >= 0.99 * most


@pytest.mark.parametrize("station", ["midpoint", "end"])
@pytest.mark.parametrize("floor", [50.0, 150.0, 400.0])
def test_a_rate_floor_is_met_at_the_highest_fidelity(station: str, floor: float) -> None:
    scenario = load_scenario("metro_target")
    link = link_of(scenario)
    F, rate, _ = scan(at_end(link) if station == "end" else link)
    (found,) = compare(scenario, ("single-click",), (station,), Goal(rate_floor=floor))
    assert found.figures is not None
    assert float(found.figures.delivered_rate) >= floor
    best = np.max(np.where(rate >= floor, F, 0.0))
    assert best > 0
    assert float(found.figures.fidelity) >= best * 0.99


def test_a_protocol_that_misses_the_floor_stands_behind_one_that_meets_it() -> None:
    goal = Goal(fidelity_floor=0.8)
    found = compare(
        load_scenario("metro_target"), ("single-click", "two-click"), ("midpoint",), goal
    )
    assert [c.protocol for c in found] == ["two-click", "single-click"]
    assert found[1].figures is not None
    assert float(found[1].figures.fidelity) < 0.8


def test_a_floor_that_nothing_meets_names_the_bound() -> None:
    scenario = load_scenario("metro_target")
    with pytest.raises(ValidityError) as caught:
        compare(scenario, ("single-click", "two-click"), ("midpoint",), Goal(fidelity_floor=0.99))
    for word in ("two-click (midpoint)", "0.99", "0.88", "noise quanta", "separability", "L23"):
        assert word in str(caught.value)
    with pytest.raises(ValidityError) as caught:
        compare(scenario, ("single-click",), ("midpoint",), Goal(rate_floor=1e9))
    for word in ("single-click (midpoint)", "1e+09", "relay bound", "ebit/s"):
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("protocol", ["direct", "direct-time-bin", "pair-source", "teleport"])
@pytest.mark.parametrize("goal", [Goal(fidelity_floor=0.999), Goal(rate_floor=1e12)])
def test_a_floor_that_no_one_way_protocol_meets_is_said_in_numbers(
    protocol: str, goal: Goal
) -> None:
    with pytest.raises(ValidityError) as caught:
        compare(load_scenario("metro_target"), (protocol,), goal=goal)
    said = str(caught.value)
    assert protocol in said
    assert "nan" not in said


def test_unreachable_fidelity_reports_the_best_that_can_be_had() -> None:
    """The sentence says how far one gets: that must be the scan's highest fidelity."""
    scenario = load_scenario("metro_target")
    F, _, _ = scan(link_of(scenario))
    with pytest.raises(ValidityError) as caught:
        compare(scenario, ("single-click",), ("midpoint",), Goal(fidelity_floor=0.99))
    said = float(str(caught.value).split("the best is ")[1].split(",")[0])
    assert said == pytest.approx(np.max(F), rel=0.01)


@pytest.mark.parametrize("goal", [(0.8, 3.0), (1.2, None), (-0.1, None), (None, -1.0)])
def test_wrong_goals_are_refused(goal: tuple[float | None, float | None]) -> None:
    with pytest.raises(ParameterError):
        Goal(*goal)


def test_bad_names_are_refused_with_what_is_known() -> None:
    scenario = load_scenario("metro_target")
    with pytest.raises(ParameterError, match="did you mean 'single-click'"):
        compare(scenario, ("single-clik",))
    with pytest.raises(ParameterError, match="did you mean 'midpoint'"):
        compare(scenario, ("single-click",), ("midpont",))


# ---------------------------------------------------------------- the station's place


def test_the_station_at_the_end_moves_all_fibre_and_no_loss(make: Make) -> None:
    scenario = make(
        extra='\n[[arm_b.path]]\npart = "couple.rigid.fang"\n'
        '[[arm_b.path]]\npart = "filter.fp.fibre_cavity"\ncount = 4\n'
        '[[arm_b.path]]\npart = "fibre.g652d"\nlength_km = 7.5\n'
        '[[arm_b.path]]\npart = "conn.lc_apc"\n'
    )
    link = link_of(scenario)
    moved = at_end(link)
    spans = [[e for e in arm.elements if isinstance(e, FibreSpan)] for arm in moved.arms]
    assert spans[0] == []
    assert [float(e.length) for e in spans[1]] == [7.5e3, 12.5e3]
    _, before = budget(link)
    _, after = budget(moved)
    for column in ("loss_db", "loss_db_max", "delay_s"):
        one, two = (sum(float(getattr(row, column)) for row in rows) for rows in (before, after))
        assert one == pytest.approx(two, rel=1e-12), column
    kinds = [e.kind for e in moved.arms[1].elements]
    assert kinds.index("connector") > max(k for k, kind in enumerate(kinds) if kind == "fibre")
    found = evaluate_link(moved, Scheme.SINGLE_CLICK)
    travel = 20e3 * 1.4682 / LIGHT_SPEED
    assert float(found.latency) == pytest.approx(2 * travel + FEEDBACK, rel=1e-9)


def test_a_station_that_stands_beside_its_node_already_is_said(make: Make) -> None:
    scenario = make(('[[arm.path]]\npart = "fibre.g652d"\nlength_km = 12.5\n', ""))
    found = {c.station: c for c in compare(scenario, ("two-click",))}
    assert found["midpoint"].figures is not None
    assert found["end"].figures is None
    assert "no fibre" in found["end"].why_not


# ---------------------------------------------------------------- without a station


W = np.linspace(-40, 40, 40_001) / 120e-9
FLAT = 10 ** (-(0.5 + 0.3 + 12.5 * 0.2 + 1.0 + 0.4) / 10)
SIGMA = 120e-9 / np.sqrt(8 * np.log(2))
U = (8 * np.pi * SIGMA**2) ** 0.25 * np.exp(-((SIGMA * W) ** 2)) + 0j


def line() -> np.ndarray:
    B, stages = 2 * np.pi * 50e6, 4
    return 10 ** (-0.03 * stages / 2) * (1 - 2j * W / B) ** (-stages)


def over(values: np.ndarray) -> float:
    return float(np.trapezoid(values.real, W)) / (2 * np.pi)


def conversions(scenario: Scenario) -> tuple[object, object]:
    device, pump = scenario.arms[0].device, scenario.arms[0].pump
    linear, at = device.linearise(pump), W + float(np.max(device.centre(pump)))
    up = scattering.convert(linear, device.source, device.target, at)
    down = scattering.convert(linear, device.target, device.source, at)
    return up, down


def end_to_end(scenario: Scenario) -> tuple[float, float]:
    """Transmission and noise from one qubit to the other's memory, on a plain grid."""
    up, down = conversions(scenario)
    S_up, S_down = up.amplitude, down.amplitude  # type: ignore[attr-defined]
    lines = np.abs(line()) ** 4
    share = CAUGHT * np.abs(U * S_up) ** 2 * lines * np.abs(S_down) ** 2
    tau = CAUGHT * FLAT**2 * over(share)
    noise = FLAT**2 * up.noise_out * lines * np.abs(S_down) ** 2 + down.noise_out  # type: ignore[attr-defined]
    return tau, CAUGHT * over(share * noise) / over(share)


PHASE, CHANGE = 0.1, 0.02
"""Phase noise of the scenario in one attempt, and between two bins [rad]."""


def dephased(pair: Heralded, rms: float) -> Heralded:
    factor = np.ones((4, 4))
    factor[1, 2] = factor[2, 1] = np.exp(-(rms**2) / 2)
    return replace(pair, state=pair.state * factor)


def waits() -> tuple[float, float]:
    """Time until A and B know, from when each is done."""
    travel = 2 * TRAVEL
    return 2 * travel + FEEDBACK, travel + FEEDBACK


def test_a_photon_sent_directly_is_a_thermal_loss() -> None:
    scenario = load_scenario("metro_target")
    tau, noise = end_to_end(scenario)
    (found,) = compare(scenario, ("direct",), ("none",))
    f = found.figures
    assert f is not None
    assert float(f.transmission_a) == pytest.approx(tau, rel=1e-6)
    assert float(f.noise_a) == pytest.approx(noise, rel=1e-6)
    at_a, at_b = (qubit_channel(MEMORY, t) for t in waits())
    pair = direct_single_rail(tau, noise)
    late = dephased(replace(pair, state=decay(pair.state, at_a, at_b)), PHASE)
    assert float(f.fidelity) == pytest.approx(float(late.fidelity), rel=1e-6)
    assert float(f.kept) == pytest.approx(float(late.kept), rel=1e-6)
    period = max(5e-6 + 300e-9 + 4 * TRAVEL + FEEDBACK, 400e-9 / 0.01, 1e-5)
    assert float(f.attempt_period) == pytest.approx(period, rel=1e-9)
    up = 0.8 * 10 / 10.025
    assert float(f.delivered_rate) == pytest.approx(up * float(late.probability) / period)
    bound = float(np.max(-np.log2(1 - tau)))
    assert float(f.direct_bound) == pytest.approx(bound, rel=1e-5)


def test_time_bins_sent_directly_are_checked_for_one_photon() -> None:
    scenario = load_scenario("metro_target")
    tau, noise = end_to_end(scenario)
    (found,) = compare(scenario, ("direct-time-bin",), ("none",))
    f = found.figures
    assert f is not None
    at_a, wait_b = qubit_channel(MEMORY, waits()[0]), waits()[1]
    pair = direct_dual_rail(tau, noise, storage(MEMORY, wait_b))
    late = dephased(replace(pair, state=decay(pair.state, at_a, QubitChannel(1.0, 1.0))), CHANGE)
    assert float(f.fidelity) == pytest.approx(float(late.fidelity), rel=1e-6)
    assert float(f.checked_fidelity) == pytest.approx(float(late.checked.fidelity), rel=1e-6)
    ebits = late.kept * hashing_bound(late.checked.normalised)
    assert float(f.hashing) == pytest.approx(float(ebits), rel=1e-5, abs=1e-12)


def test_a_source_in_the_middle_feeds_both_nodes() -> None:
    scenario = load_scenario("metro_target")
    up, down = conversions(scenario)
    sent = U * up.amplitude  # type: ignore[attr-defined]
    sent = sent / np.sqrt(over(np.abs(sent) ** 2))
    share = np.abs(sent * line() * down.amplitude) ** 2  # type: ignore[attr-defined]
    tau = CAUGHT * FLAT * over(share)
    noise = CAUGHT * over(share * down.noise_out) / over(share)  # type: ignore[attr-defined]
    (found,) = compare(scenario, ("pair-source",), ("source",))
    f = found.figures
    assert f is not None
    assert float(f.transmission_a) == pytest.approx(tau, rel=1e-6)
    assert float(f.noise_b) == pytest.approx(noise, rel=1e-6)
    kept = storage(MEMORY, 2 * TRAVEL + FEEDBACK)

    def ebits_of(pairs: float) -> tuple[float, float, float]:
        light = Squeezed.pure(pairs).through((tau, tau), (noise, noise))
        light = light.through((float(kept.survival),) * 2)
        pair = dephased(shared_dual_rail(light, (kept, kept)), CHANGE)
        worth = pair.kept * hashing_bound(pair.checked.normalised)
        return float(worth), float(pair.fidelity), float(pair.checked.fidelity)

    worth, F, checked = ebits_of(found.setting["pairs"])
    assert float(f.hashing) == pytest.approx(worth, rel=1e-4)
    assert float(f.fidelity) == pytest.approx(F, rel=1e-5)
    assert float(f.checked_fidelity) == pytest.approx(checked, rel=1e-5)
    most = max(ebits_of(p)[0] for p in np.geomspace(1e-5, 1.0, 400))
    assert worth >= 0.99 * most


def test_a_teleported_state_is_that_of_the_squeezed_pair() -> None:
    scenario = load_scenario("metro_target")
    (found,) = compare(scenario, ("teleport",), ("none",))
    f = found.figures
    assert f is not None
    arm = scenario.arms[0]
    assert arm.pump is not None
    pump = arm.device.pump_for(
        found.setting["cooperativity"], replace(arm.pump, sideband=Sideband.BLUE)
    )
    grid = link_of(scenario).arms[0].photon.wave.grid
    light = emit_pairs(arm.device, pump, arm.emitter, grid, arm.device.carrier)
    assert light.idler is not None
    _, down = conversions(scenario)
    n_out = np.interp(W, grid.omega, light.wave.noise)
    lines = np.abs(line()) ** 4
    # the idler's partner: all of the light that is correlated with it
    partner = np.interp(W, grid.omega, np.abs(light.wave.amplitude) ** 2)
    share = partner * lines * np.abs(down.amplitude) ** 2  # type: ignore[attr-defined]
    tau = CAUGHT * FLAT**2 * over(share)
    passed = FLAT**2 * lines * np.abs(down.amplitude) ** 2 * n_out + down.noise_out  # type: ignore[attr-defined]
    noise = CAUGHT * over(share * passed) / over(share)
    at_a, at_b = (storage(MEMORY, t) for t in waits())
    tau, noise = tau * float(at_b.survival), noise * float(at_b.survival)
    n_a = float(at_a.survival) * CAUGHT * float(light.idler.quanta)
    lost = np.exp(-(PHASE**2) / 2) * float(at_a.coherence) * float(at_b.coherence)
    m = lost * np.sqrt(float(at_a.survival) * CAUGHT * tau) * float(light.idler.cross)
    fidelity = 1 / (2 + n_a + noise - 2 * m)
    assert float(f.transmission_b) == pytest.approx(tau, rel=1e-4)
    assert float(f.noise_b) == pytest.approx(noise, rel=1e-3)
    assert float(f.fidelity) == pytest.approx(fidelity, rel=1e-5)


@pytest.mark.parametrize("protocol", ["direct", "direct-time-bin", "pair-source", "teleport"])
def test_a_receiver_converts_whatever_the_scenario_pumps(make: Make, protocol: str) -> None:
    """A blue scenario lends its hardware: nodes that receive are pumped red at the same power."""
    pump = 'sideband = "red", cooperativity = 0.5'
    red = make((pump, 'sideband = "red", cooperativity = 0.05'))
    blue = make(
        (pump, 'sideband = "blue", cooperativity = 0.05'),
        ('schemes = ["single-click", "two-click"]', 'schemes = ["pair-click"]'),
    )
    assert red.arms[0].pump is not None
    assert blue.arms[0].pump is not None
    assert red.arms[0].pump.power == pytest.approx(blue.arms[0].pump.power, rel=1e-12)
    one, two = (compare(s, (protocol,))[0].figures for s in (red, blue))
    assert one is not None
    assert two is not None
    assert float(two.transmission_a) == pytest.approx(float(one.transmission_a), rel=1e-9)
    assert float(two.noise_a) == pytest.approx(float(one.noise_a), rel=1e-3)
    assert float(two.fidelity) == pytest.approx(float(one.fidelity), rel=1e-3)


@pytest.mark.parametrize("protocol", ["direct", "direct-time-bin", "teleport"])
def test_a_receiver_of_another_colour_is_refused(make: Make, protocol: str) -> None:
    """125 GHz off the receiver's line nothing is converted, as for a click of both arms."""
    scenario = make(extra="\n[arm_b.transducer.override]\noptical.wavelength_nm = 1551.0\n")
    (click,) = compare(scenario, ("two-click",), ("midpoint",))
    assert click.figures is None
    assert "carriers" in click.why_not
    (found,) = compare(scenario, (protocol,))
    assert found.figures is None
    assert "Hz apart" in found.why_not


FIBRE = '[[arm.path]]\npart = "fibre.g652d"\nlength_km = 12.5\n'
RAMAN = """[[arm.path.classical]]
power_dbm = -20.0
raman = "noise.raman.cband"
attenuation_db_per_km = 0.22
counter = {}
"""
PATHS = TARGET[TARGET.index("[[arm.path]]") : TARGET.index("[station]")]


def reaches() -> tuple[float, float]:
    """Effective lengths of Raman light along with its lamp and against it [m]."""
    a, c, L = np.log(10) / 10 * 2.0e-4, np.log(10) / 10 * 2.2e-4, 12.5e3
    along = (np.exp(-c * L) - np.exp(-a * L)) / (a - c)
    against = (1 - np.exp(-(a + c) * L)) / (a + c)
    return float(along), float(against)


def test_light_that_leaves_the_middle_meets_the_lamps_of_arm_b_the_other_way(make: Make) -> None:
    """What runs along with B's own photon runs against A's photon on its way to B."""

    def noise(text: str) -> float:
        own = PATHS.replace(FIBRE, text).replace("arm.path", "arm_b.path")
        (found,) = compare(make(extra="\n" + own), ("direct",), ("none",))
        assert found.figures is not None
        return float(found.figures.noise_a)

    dark = noise(FIBRE)
    co, counter = (noise(FIBRE + RAMAN.format(flag)) - dark for flag in ("false", "true"))
    along, against = reaches()
    assert co > 0
    assert counter / co == pytest.approx(along / against, rel=1e-6)


def test_fibre_that_is_moved_to_the_other_arm_is_passed_the_other_way(make: Make) -> None:
    """Arm A's spans in reverse order, and lamps along with A's photon against B's."""
    two = FIBRE.replace("12.5", "3.0") + RAMAN.format("false") + FIBRE + RAMAN.format("true")
    moved = at_end(link_of(make((FIBRE, two))))
    spans = [e for e in moved.arms[1].elements if isinstance(e, FibreSpan)]
    assert [float(e.length) for e in spans] == [3e3, 12.5e3, 12.5e3, 3e3]
    assert [e.classical[0].counter for e in spans] == [False, True, False, True]


def test_a_switch_that_carries_no_path_stops_the_protocols_that_need_it(make: Make) -> None:
    scenario = make(
        (
            'part = "switch.polatis.6000_32"\n',
            'part = "switch.cisco.uqs"\noverride.values.insertion_loss_db = 1.0\n',
        )
    )
    for found in compare(scenario, CHEAP):
        assert found.figures is None, found.protocol
        assert "Cisco Universal Quantum Switch" in found.why_not
        assert "polarisation" in found.why_not


# ---------------------------------------------------------------- data sheets and the command line


def test_a_data_sheet_makes_no_pairs_but_all_else_works() -> None:
    found = compare(load_scenario("metro_datasheet"))
    pairs = {"pair-click", "pair-time-bin", "teleport"}
    for one in found:
        if one.protocol in pairs:
            assert one.figures is None
            assert "example_datasheet" in one.why_not
            assert "pairs" in one.why_not
        else:
            assert one.figures is not None, (one.protocol, one.why_not)
    seen = [c.figures is not None for c in found]
    assert seen == sorted(seen, reverse=True)


@pytest.mark.slow
def test_the_command_compares_everything(tmp_path: Path) -> None:
    done = transducer(
        "link", "metro_datasheet", "--protocol", "all", "--station", "all", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    for word in ("two-click", "pair-source", "direct-time-bin", "not here", "operating point"):
        assert word in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--protocol", "all", "--json"), ("--json", "--out")),
        (("--protocol", "all", "--out", "x.h5"), ("--json", "--out")),
        (("--station", "end", "--json"), ("--json",)),
        (("--protocol", "sinlge-click", "--station", "all"), ("did you mean 'single-click'",)),
        (("--protocol", "sinlge-click"), ("did you mean 'single-click'",)),
        (("--protocol", "two-click", "--station", "middle"), ("station", "midpoint")),
        (("--protocol", "two-click", "--fidelity", "0.999"), ("0.999", "noise quanta")),
        (("--protocol", "two-click", "--rate", "1e9"), ("relay bound",)),
        (("--protocol", "two-click", "--fidelity", "1.5"), ("1.5", "<= 1")),
        (("--fidelity", "0.9", "--rate", "5"), ("not both",)),
        (("--protocol", "direct", "--station", "end"), ("direct", "end")),
        (("--protocol", "direct", "--station", "none", "--engine", "pulse"), ("--engine",)),
    ],
    ids=lambda v: " ".join(v) if v and v[0].startswith("--") else "",
)
def test_mistakes_of_a_comparison_are_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    done = transducer("link", "metro_target", *arguments, cwd=tmp_path)
    refused(done, tmp_path, *words)


def test_what_is_said_of_a_protocol_is_one_sentence() -> None:
    for one in compare(load_scenario("metro_datasheet"), ("pair-click", "teleport")):
        assert isinstance(one.why_not, str)
        assert "\n" not in one.why_not
