"""A scenario file's newer tables, each held against a formula written here by hand."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy.integrate import quad
from scipy.stats import nbinom

from cavities import data
from cavities.constants import HBAR, LIGHT_SPEED
from cavities.errors import DataError, PhysicsError, ToolkitError, ValidityError
from cavities.pump import Pump, Sideband
from cavities.wavepackets import TemporalMode
from fibre.budget import budget, propagate, seen, stretched
from fibre.causes import interplay, shares_of
from fibre.herald import Detection, Scheme
from fibre.link import evaluate_link, figures
from fibre.memory import Memory
from fibre.pair_herald import Idler, Storage, pair_click
from fibre.photon import SpectralGrid
from tests.conftest import pumped, reference_device
from transducer.chain import evaluate, link_of
from transducer.node import Emitter
from transducer.pair_node import emit_pairs
from transducer.report import show
from transducer.scenario import Scenario, load_scenario
from transducer.simulation import simulate
from transducer.solvers import scattering
from transducer.solvers.pulse import respond

TARGET = (data.root("scenarios") / "metro_target.toml").read_text("utf-8")
FILTER = (
    '[[arm.path]]\npart = "filter.fp.fibre_cavity"\ncount = 4\n'
    "override.values.insertion_loss_db = { value = 0.3, status = "
    '"tuned", where = "target: low-loss cascade" }\n'
)
FIBRE = '[[arm.path]]\npart = "fibre.g652d"\nlength_km = 12.5\n'
SWITCH = '[[arm.path]]\npart = "switch.polatis.6000_32"\n'
PHASES = "\n".join(line for line in TARGET.splitlines() if line.startswith("phase_")) + "\n"
LOCK = next(line for line in TARGET.splitlines() if line.startswith("lock_duty")) + "\n"
REGISTRATION = """
[registration]
linewidth_a_hz = 30.0
linewidth_b_hz = 50.0
fibre_drift_rad_per_s = 900.0
residual_rad = 0.06
interval_s = 80e-6
lock_time_s = 20e-6
offset_rms_hz = 2000.0
"""
RAMAN = """[[arm.path.classical]]
power_dbm = -20.0
raman = "noise.raman.cband"
attenuation_db_per_km = 0.22
counter = {counter}
"""

Edit = tuple[str, str]


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Write metro_target with some of its text replaced and more at its end."""
    count = [0]

    def write(*edits: Edit, extra: str = "") -> Path:
        text = TARGET
        for old, new in edits:
            assert old in text, old
            text = text.replace(old, new, 1)
        count[0] += 1
        path = tmp_path / f"own{count[0]}.toml"
        path.write_text(text + extra, "utf-8")
        return path

    return write


def refused(error: ToolkitError, *words: str) -> None:
    said = str(error)
    assert "\n" not in said
    for word in words:
        assert word in said, (word, said)


def scattered(
    length: float, counter: bool, carrier: float, power: float = 1e-5, beta: float = 3e-3
) -> float:
    """Raman quanta per mode by summing over the place where they are made."""
    a, c = (np.log(10) / 10 * x / 1e3 for x in (0.20, 0.22))
    lamp = (lambda z: np.exp(-c * (length - z))) if counter else (lambda z: np.exp(-c * z))
    watts_per_m = quad(lambda z: power * beta * lamp(z) * np.exp(-a * (length - z)), 0, length)[0]
    wavelength = 2 * np.pi * LIGHT_SPEED / carrier
    return float(watts_per_m * wavelength**2 / LIGHT_SPEED / (HBAR * carrier))


def row_of(rows: tuple, part: str, arm: str = "A") -> object:
    (found,) = [row for row in rows if row.arm == arm and part in row.element]
    return found


# ---------------------------------------------------------------- light on the line


@pytest.mark.parametrize("counter", [False, True])
def test_raman_light_joins_behind_the_fibre_and_costs_fidelity(
    make: Callable[..., Path], counter: bool
) -> None:
    dark = link_of(load_scenario(make((FILTER, ""), (FIBRE, FIBRE + FILTER))))
    lit_text = FIBRE + RAMAN.format(counter=str(counter).lower()) + FILTER
    lit = link_of(load_scenario(make((FILTER, ""), (FIBRE, lit_text))))
    carrier = lit.arms[0].photon.carrier
    N = scattered(12.5e3, counter, carrier)

    before, _ = budget(dark)
    after, lit_rows = budget(lit)
    assert row_of(lit_rows, "G.652.D").added_noise == pytest.approx(N, rel=1e-9)  # type: ignore[attr-defined]
    # behind the fibre: filter, switch, connectors, splitter, detector
    grid, v = lit.arms[0].photon.wave.grid, lit.arms[0].photon.wave.amplitude
    (elements,) = [[e for e in lit.arms[0].elements if e.kind == "filter"]]
    F2 = np.abs(elements[0].response(grid.omega)) ** 2  # type: ignore[attr-defined]
    flat = 10 ** (-(1.0 + 2 * 0.2 + 0.15) / 10) * 0.93
    packet = grid.weight * np.abs(v) ** 2 * F2
    in_mode = N * flat * np.sum(packet * F2) / np.sum(packet)
    flux = N * flat * np.sum(grid.weight * F2)
    for one, two in zip(before, after, strict=True):
        assert two.mode_noise - one.mode_noise == pytest.approx(in_mode, rel=1e-9)
        assert two.noise_flux - one.noise_flux == pytest.approx(flux, rel=1e-9)
        assert two.transmission == one.transmission
    for scheme in (Scheme.SINGLE_CLICK, Scheme.TWO_CLICK):
        quiet, loud = evaluate_link(dark, scheme), evaluate_link(lit, scheme)
        assert loud.fidelity < quiet.fidelity - 1e-4
        shares = dict(shares_of(lit, scheme, seen(after, lit.station), float(loud.fidelity)))
        gained = float(quiet.fidelity - loud.fidelity)
        assert shares["light that joins on the line"] == pytest.approx(gained, rel=1e-9)


def test_raman_light_follows_a_swept_length(make: Callable[..., Path]) -> None:
    text = FIBRE + RAMAN.format(counter="false") + FILTER
    link = link_of(load_scenario(make((FILTER, ""), (FIBRE, text))))
    lengths = np.array([1e3, 12.5e3, 60e3])
    _, rows = budget(stretched(link, lengths))
    found = row_of(rows, "G.652.D").added_noise  # type: ignore[attr-defined]
    carrier = link.arms[0].photon.carrier
    assert found == pytest.approx([scattered(x, False, carrier) for x in lengths], rel=1e-9)
    F = evaluate_link(stretched(link, lengths), Scheme.TWO_CLICK).fidelity
    single = [float(evaluate_link(stretched(link, x), Scheme.TWO_CLICK).fidelity) for x in lengths]
    assert np.asarray(F) == pytest.approx(np.array(single), rel=1e-12)


def test_two_channels_add_and_a_sigma_free_override_counts(make: Callable[..., Path]) -> None:
    one = RAMAN.format(counter="false")
    two = one + "override.values.raman_per_km_nm = 6e-9\n"
    text = FIBRE + one + two + FILTER
    link = link_of(load_scenario(make((FILTER, ""), (FIBRE, text))))
    _, rows = budget(link)
    N = scattered(12.5e3, False, link.arms[0].photon.carrier)
    assert row_of(rows, "G.652.D").added_noise == pytest.approx(3 * N, rel=1e-9)  # type: ignore[attr-defined]


def test_raman_data_of_another_band_are_refused(make: Callable[..., Path]) -> None:
    """noise.raman.oband holds from 1260 to 1360 nm: at 1550 nm it is three decades too small."""
    text = FIBRE + RAMAN.format(counter="false").replace("cband", "oband") + FILTER
    with pytest.raises(DataError) as caught:
        load_scenario(make((FILTER, ""), (FIBRE, text)))
    refused(caught.value, "noise.raman.oband", "1260 to 1360 nm")


def test_classical_light_belongs_to_a_fibre_and_its_law_to_a_noise_part(
    make: Callable[..., Path],
) -> None:
    with pytest.raises(DataError) as caught:
        load_scenario(make((SWITCH, SWITCH + RAMAN.format(counter="false"))))
    refused(caught.value, "switch.polatis.6000_32", "classical")
    wrong = FIBRE + RAMAN.format(counter="false").replace("noise.raman.cband", "conn.lc_apc")
    with pytest.raises(DataError) as caught:
        load_scenario(make((FIBRE, wrong)))
    refused(caught.value, "conn.lc_apc", "noise.raman.cband")


@pytest.mark.parametrize("rate", [0.0, 40.0, 2e5])
def test_stray_light_adds_to_the_dark_probability(make: Callable[..., Path], rate: float) -> None:
    path = make(("gate_s = 300e-9", f"gate_s = 300e-9\nbackground_hz = {rate}"))
    scenario = load_scenario(path)
    link = link_of(scenario)
    photons, _ = budget(link)
    pump = float(photons[0].pump_flux + photons[1].pump_flux)
    assert pump > 0
    expected = 1 - np.exp(-300e-9 * (5.0 + rate + pump / 2))
    found = evaluate(scenario, Scheme.SINGLE_CLICK)
    assert found.dark_probability == pytest.approx(expected, rel=1e-9)
    if rate:
        base = evaluate(load_scenario(make()), Scheme.SINGLE_CLICK)
        assert found.fidelity < base.fidelity
        shares = dict(
            shares_of(link, Scheme.SINGLE_CLICK, seen(photons, link.station), float(found.fidelity))
        )
        gained = float(base.fidelity - found.fidelity)
        assert shares["stray light at the detectors"] == pytest.approx(gained, abs=1e-12)


# ---------------------------------------------------------------- registration


def registered(make: Callable[..., Path], more: str = REGISTRATION, *edits: Edit) -> Scenario:
    return load_scenario(make((PHASES, ""), (LOCK, ""), *edits, extra=more))


def test_registration_gives_phase_and_duty(make: Callable[..., Path]) -> None:
    scenario = registered(make)
    width, interval = 2 * np.pi * 80.0, 80e-6
    jitter = 40e-12 / (2 * np.sqrt(2 * np.log(2)))
    offset = 2 * np.pi * 2000.0
    within = 0.06**2 + width * interval / 2 + (900 * interval) ** 2 / 3 + (offset * jitter) ** 2
    gap = 300e-9 + 1e-6  # gate and the flip of the cavity
    between = width * gap + (900 * gap) ** 2 + (offset * gap) ** 2 + 2 * (offset * jitter) ** 2
    assert scenario.station.phase_rms == pytest.approx(np.sqrt(within), rel=1e-12)
    assert scenario.station.phase_change_rms == pytest.approx(np.sqrt(between), rel=1e-12)
    assert scenario.schedule.lock_duty == pytest.approx(0.8, rel=1e-12)
    typed = load_scenario(
        make(
            (
                PHASES,
                f"phase_rms_rad = {np.sqrt(within)!r}\nphase_change_rms_rad = {np.sqrt(between)!r}\n".replace(
                    "np.float64(", ""
                ).replace(")", ""),
            )
        )
    )
    for scheme in (Scheme.SINGLE_CLICK, Scheme.TWO_CLICK):
        one, two = evaluate(scenario, scheme), evaluate(typed, scheme)
        assert one.fidelity == pytest.approx(two.fidelity, rel=1e-12)
        assert one.delivered_rate == pytest.approx(two.delivered_rate, rel=1e-12)


def test_a_shared_laser_diffuses_for_its_delay_only(make: Callable[..., Path]) -> None:
    more = REGISTRATION.replace(
        "linewidth_b_hz = 50.0", "linewidth_b_hz = 0.0\nshared_laser = true\nlaser_delay_s = 3e-7"
    )
    scenario = registered(make, more)
    jitter, offset = 40e-12 / (2 * np.sqrt(2 * np.log(2))), 2 * np.pi * 2000.0
    laser = 2 * np.pi * 30.0 * 3e-7
    within = 0.06**2 + laser + (900 * 80e-6) ** 2 / 3 + (offset * jitter) ** 2
    gap = 1.3e-6
    between = 2 * laser + (900 * gap) ** 2 + (offset * gap) ** 2 + 2 * (offset * jitter) ** 2
    assert scenario.station.phase_rms == pytest.approx(np.sqrt(within), rel=1e-12)
    assert scenario.station.phase_change_rms == pytest.approx(np.sqrt(between), rel=1e-12)


def test_time_bins_without_a_flip_drift_for_the_shorter_gap(make: Callable[..., Path]) -> None:
    """Bins of one photon follow each other after gate and dead time: no 1 us flip lies between."""
    more = REGISTRATION.replace("900.0", "2e5").replace("residual_rad = 0.06", "residual_rad = 0.0")
    scenario = registered(make, more)
    width, offset, gap = 2 * np.pi * 80.0, 2 * np.pi * 2000.0, 300e-9 + 30e-9
    jitter = 40e-12 / (2 * np.sqrt(2 * np.log(2)))
    between = width * gap + (2e5 * gap) ** 2 + (offset * gap) ** 2 + 2 * (offset * jitter) ** 2
    station = replace(scenario.station, phase_change_rms=float(np.sqrt(between)))
    by_hand = evaluate(replace(scenario, station=station), Scheme.TIME_BIN)
    found = evaluate(scenario, Scheme.TIME_BIN)
    assert found.fidelity == pytest.approx(by_hand.fidelity, rel=1e-9)


def test_both_or_neither_of_registration_and_sigmas_is_one_sentence(
    make: Callable[..., Path],
) -> None:
    first, second = PHASES.splitlines(keepends=True)
    for edits, extra, word in (
        ([(PHASES, "")], "", "registration"),
        ([(first, "")], "", "phase_rms_rad"),
        ([(LOCK, "")], REGISTRATION, "phase_rms_rad"),
        ([(LOCK, ""), (second, "")], REGISTRATION, "phase_rms_rad"),
        ([(PHASES, "")], REGISTRATION, "lock_duty"),
        ([(LOCK, "")], "", "lock_duty"),
        ([(PHASES, ""), (LOCK, "")], REGISTRATION.replace("lock_time_s = 20e-6\n", ""), "lock"),
    ):
        with pytest.raises(DataError) as caught:
            load_scenario(make(*edits, extra=extra))
        refused(caught.value, word, "own")


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("linewidth_a_hz = 30.0", "linewidth_a_hz = -1.0", "linewidth_a_hz"),
        ("interval_s = 80e-6", "interval_s = 0.0", "interval"),
        ("residual_rad = 0.06", "residual_rad = 0.06\nlaser_delay_s = 1e-6", "laser_delay"),
        ("residual_rad = 0.06", "residul_rad = 0.06", "residual_rad"),
        ("residual_rad = 0.06\n", "", "residual_rad"),
    ],
)
def test_a_wrong_registration_is_refused_in_words(
    make: Callable[..., Path], old: str, new: str, word: str
) -> None:
    with pytest.raises(ToolkitError) as caught:
        registered(make, REGISTRATION.replace(old, new))
    refused(caught.value, word)


# ---------------------------------------------------------------- switches


@pytest.mark.parametrize(
    ("topology", "ports", "modules", "mean", "longest"),
    [
        ("single-stage", 4, 0, 1, 1),
        ("crossbar", 4, 0, 4, 7),
        ("benes", 8, 0, 5, 5),
        ("spanke", 8, 0, 6, 6),
        ("clos", 8, 2, 3, 3),
    ],
)
def test_a_fabric_multiplies_the_loss_of_its_element(
    make: Callable[..., Path], topology: str, ports: int, modules: int, mean: int, longest: int
) -> None:
    text = (
        SWITCH.replace("switch.polatis.6000_32", "switch.bto.2x2")
        + f'fabric = {{ topology = "{topology}", ports = {ports}, modules = {modules}, '
        + "interstage_db = 0.1, interstage_margin_db = 0.05 }\n"
        + "override.values.insertion_loss_db = { value = 0.3, max = 0.4, status = "
        + '"guess", where = "here" }\n'
    )
    scenario = load_scenario(make((SWITCH, text)))
    link = link_of(scenario)
    _, rows = budget(link)
    row = row_of(rows, topology)
    typical = mean * 0.3 + (mean - 1) * 0.1
    assert row.loss_db == pytest.approx(typical, rel=1e-12)  # type: ignore[attr-defined]
    assert row.loss_db_max == pytest.approx(longest * 0.4 + (longest - 1) * 0.15)  # type: ignore[attr-defined]
    base = evaluate(load_scenario(make()), Scheme.SINGLE_CLICK)
    found = evaluate_link(link, Scheme.SINGLE_CLICK)
    ratio = 10 ** (-(typical - 1.0) / 10)
    assert found.transmission_a / base.transmission_a == pytest.approx(ratio, rel=1e-9)


@pytest.mark.parametrize(
    ("fabric", "word"),
    [
        ('{ topology = "benes", ports = 6 }', "power of two"),
        ('{ topology = "clos", ports = 8 }', "divide"),
        ('{ topology = "bennes", ports = 8 }', "benes"),
        ('{ topology = "benes", ports = 1 }', "ports"),
    ],
)
def test_a_fabric_that_cannot_be_wired_is_refused(
    make: Callable[..., Path], fabric: str, word: str
) -> None:
    with pytest.raises(ToolkitError) as caught:
        load_scenario(make((SWITCH, SWITCH + f"fabric = {fabric}\n")))
    refused(caught.value, word)
    with pytest.raises(DataError) as caught:
        load_scenario(make((FIBRE, FIBRE + 'fabric = { topology = "benes", ports = 8 }\n')))
    refused(caught.value, "fibre.g652d", "switch")


CISCO = (
    SWITCH.replace("switch.polatis.6000_32", "switch.cisco.uqs")
    + "override.values.insertion_loss_db = 1.0\n"
)


@pytest.mark.parametrize(
    ("scheme", "encoding"),
    [(Scheme.TWO_CLICK, "time-bin"), (Scheme.TIME_BIN, "time-bin"), (Scheme.SINGLE_CLICK, "path")],
)
def test_a_switch_that_cannot_carry_the_encoding_is_refused(
    make: Callable[..., Path], scheme: Scheme, encoding: str
) -> None:
    scenario = load_scenario(make((SWITCH, CISCO)))
    for act in (lambda: evaluate(scenario, scheme), lambda: simulate(scenario, schemes=(scheme,))):
        with pytest.raises(ValidityError) as caught:
            act()
        refused(caught.value, "Cisco Universal Quantum Switch", encoding, "polarisation")


def test_a_switch_without_a_stated_loss_names_the_number_it_needs(
    make: Callable[..., Path],
) -> None:
    with pytest.raises(DataError) as caught:
        load_scenario(make((SWITCH, CISCO.splitlines()[0] + "\n" + CISCO.splitlines()[1] + "\n")))
    refused(caught.value, "switch.cisco.uqs", "insertion_loss_db", "override")


@pytest.mark.parametrize("scheme", [Scheme.SINGLE_CLICK, Scheme.TWO_CLICK, Scheme.TIME_BIN])
def test_a_fidelity_loss_depolarises_both_qubits(make: Callable[..., Path], scheme: Scheme) -> None:
    text = SWITCH + "override.values.fidelity_loss = 0.04\n"
    base = evaluate(load_scenario(make()), scheme)
    found = evaluate(load_scenario(make((SWITCH, text))), scheme)
    kept = (1 - 0.08) ** 2
    expected = kept * base.herald_fidelity + (1 - kept) / 4
    assert found.herald_fidelity == pytest.approx(float(expected), rel=1e-12)
    assert found.herald_probability == pytest.approx(float(base.herald_probability), rel=1e-12)
    assert found.fidelity < base.fidelity


@pytest.mark.parametrize("scheme", [Scheme.SINGLE_CLICK, Scheme.TWO_CLICK])
def test_a_count_of_switches_is_as_many_entries(make: Callable[..., Path], scheme: Scheme) -> None:
    """Depolarising channels in a row multiply: 1 - 2 f each, however they are written."""
    one = SWITCH + "override.values.fidelity_loss = 0.1\n"
    many = SWITCH + "count = 3\noverride.values.fidelity_loss = 0.1\n"
    apart = evaluate(load_scenario(make((SWITCH, one + one + one))), scheme)
    counted = evaluate(load_scenario(make((SWITCH, many))), scheme)
    assert counted.transmission_a == pytest.approx(float(apart.transmission_a), rel=1e-12)
    assert counted.herald_fidelity == pytest.approx(float(apart.herald_fidelity), rel=1e-9)


def test_a_long_row_of_imperfect_switches_is_still_a_channel(make: Callable[..., Path]) -> None:
    text = SWITCH + (
        "count = 6\noverride.values.fidelity_loss = 0.1\noverride.values.insertion_loss_db = 0.1\n"
    )
    found = evaluate(load_scenario(make((SWITCH, text))), Scheme.TWO_CLICK)
    base = evaluate(
        load_scenario(make((SWITCH, text.replace("fidelity_loss = 0.1", "fidelity_loss = 0.0")))),
        Scheme.TWO_CLICK,
    )
    kept = 0.8**12
    assert found.herald_fidelity == pytest.approx(
        float(kept * base.herald_fidelity + (1 - kept) / 4), rel=1e-9
    )


def test_neighbours_leak_by_the_isolation(make: Callable[..., Path]) -> None:
    swapped = (FILTER, ""), (FIBRE, FIBRE.rstrip() + "\n")
    text = SWITCH + "neighbour_quanta = 3.0\noverride.values.isolation_db = 40.0\n" + FILTER
    link = link_of(load_scenario(make(swapped[0], (SWITCH, text))))
    _, rows = budget(link)
    assert row_of(rows, "32x32").added_noise == pytest.approx(3e-4, rel=1e-9)  # type: ignore[attr-defined]
    with pytest.raises(ToolkitError) as caught:
        load_scenario(make((SWITCH, SWITCH + "neighbour_quanta = 3.0\n")))
    refused(caught.value, "isolation_db")
    with pytest.raises(DataError) as caught:
        load_scenario(make((FIBRE, FIBRE + "neighbour_quanta = 3.0\n")))
    refused(caught.value, "neighbour_quanta", "fibre")


# ---------------------------------------------------------------- timing


def test_outages_memories_and_modes_change_the_rate(make: Callable[..., Path]) -> None:
    travel = 12.5e3 * 1.4682 / LIGHT_SPEED
    outages = """
[[schedule.outages]]
name = "calibration"
interval_s = 3600.0
duration_s = 400.0

[[schedule.outages]]
name = "polarisation"
interval_s = 60.0
duration_s = 3.0
"""
    scenario = load_scenario(
        make(
            ("hold_s = 10.0", "hold_s = 10.0\nmemories = 4\nmodes = 7"),
            ("pump_duty = { value = 0.01", "pump_duty = { value = 1.0"),
            (
                'pulse.repetition_rate_hz = { value = 1e5, status = "tuned", '
                'where = "target: recovery within 10 us" }\n',
                "pulse.repetition_rate_hz = 1e9\n",
            ),
            extra=outages,
        )
    )
    base = evaluate(load_scenario(make()), Scheme.SINGLE_CLICK)
    found = evaluate(scenario, Scheme.SINGLE_CLICK)
    p = float(base.herald_probability)
    assert found.herald_probability == pytest.approx(p, rel=1e-12)
    serial = 5e-6 + 300e-9 + 2 * travel + 1e-6
    period = max(serial / 4, 5e-6 + 300e-9, 400e-9)
    up = 0.8 * 10 / 10.025 * 3600 / 4000 * 60 / 63
    assert found.attempt_period == pytest.approx(period, rel=1e-9)
    assert found.rate == pytest.approx((1 - (1 - p) ** 7) / period, rel=1e-9)
    assert found.delivered_rate == pytest.approx(up * (1 - (1 - p) ** 7) / period, rel=1e-9)
    assert found.relay_bound == pytest.approx(7 * float(base.relay_bound), rel=1e-9)
    many = evaluate(replace_schedule(scenario, memories=10_000), Scheme.SINGLE_CLICK)
    assert many.attempt_period == pytest.approx(5.3e-6, rel=1e-9)


def replace_schedule(scenario: Scenario, **changes: int) -> Scenario:
    return replace(scenario, schedule=replace(scenario.schedule, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("deadline", [0.02, 0.5])
def test_a_request_is_answered_with_its_quantiles(
    make: Callable[..., Path], deadline: float
) -> None:
    extra = f"\n[request]\npairs = 3\ndeadline_s = {deadline}\n"
    report = simulate(load_scenario(make(extra=extra)), "scattering")
    f = report.best.figures
    p, period = float(f.herald_probability), float(f.attempt_period)
    share = 0.8 * 10 / 10.025
    law = nbinom(3, p)
    assert report.wait is not None
    for q in (0.5, 0.99):
        steps = law.ppf(q) + 3
        assert report.wait.quantile(q) == pytest.approx(steps * period / share, rel=1e-9)
    by = law.cdf(np.floor(deadline * share / period) - 3)
    assert report.wait.by(deadline) == pytest.approx(by, rel=1e-9)
    assert report.wait.mean == pytest.approx(3 / p * period / share, rel=1e-9)
    text = printed(report)
    assert "Time to 3 pairs at once" in text
    assert f"{report.wait.quantile(0.5):.3g} s" in text
    assert f"{report.wait.quantile(0.99):.3g} s" in text
    assert f"within {deadline:g} s with probability {by:.4g}" in text


def printed(report: object) -> str:
    stream = io.StringIO()
    show(report, Console(file=stream, width=160, highlight=False))  # type: ignore[arg-type]
    return " ".join(stream.getvalue().split())


@pytest.mark.parametrize(
    ("extra", "word"),
    [
        ("\n[request]\npairs = 0\n", "pairs"),
        ("\n[request]\ndeadline_s = 0.0\n", "deadline_s"),
        ("\n[margins]\nrepair_db = -1.0\n", "repair_db"),
        ('\n[[schedule.outages]]\nname = "x"\ninterval_s = 0.0\nduration_s = 1.0\n', "interval_s"),
        ('\n[[schedule.outages]]\nname = "x"\nduration_s = 1.0\n', "interval_s"),
    ],
)
def test_wrong_wishes_are_refused_in_words(
    make: Callable[..., Path], extra: str, word: str
) -> None:
    with pytest.raises(DataError) as caught:
        load_scenario(make(extra=extra))
    refused(caught.value, word)


# ---------------------------------------------------------------- totals and shares


def test_the_fidelity_column_adds_up_exactly(make: Callable[..., Path]) -> None:
    text = FIBRE + RAMAN.format(counter="true") + FILTER
    path = make(
        (FILTER, ""),
        (FIBRE, text),
        (SWITCH, SWITCH + "override.values.fidelity_loss = 0.02\n"),
        ("gate_s = 300e-9", "gate_s = 300e-9\nbackground_hz = 500.0"),
    )
    report = simulate(load_scenario(path), "scattering")
    for outcome in report.outcomes:
        total = sum(share for _, share in outcome.limits) + outcome.interplay
        assert total == pytest.approx(1 - float(outcome.figures.fidelity), abs=1e-15)
        assert outcome.interplay == interplay(float(outcome.figures.fidelity), outcome.limits)
        names = dict(outcome.limits)
        for cause in (
            "light that joins on the line",
            "stray light at the detectors",
            "switches that turn the qubit",
            "transducer noise",
        ):
            assert names[cause] > 1e-6, cause
        assert ("both qubits bright" in names) == (outcome.scheme is Scheme.SINGLE_CLICK)
    shown = printed(report)
    assert "Infidelity by cause" in shown
    for outcome in report.outcomes:
        assert f"{1 - float(outcome.figures.fidelity):.6f}" in shown


def test_printed_rows_add_up_to_the_printed_totals(make: Callable[..., Path]) -> None:
    report = simulate(load_scenario(make()), "scattering")
    for k, arm in enumerate("AB"):
        own = [row for row in report.rows if row.arm == arm]
        typical = sum(float(row.loss_db) for row in own)
        worst = sum(float(row.loss_db_max) for row in own)
        sigma = 3 * np.sqrt(sum(float(row.sigma_db) ** 2 for row in own))
        losses = [case.losses_db[k] for case in report.cases]
        assert losses == pytest.approx([typical, typical + sigma, worst], rel=1e-12)
        tau = getattr(report.best.figures, f"transmission_{arm.lower()}")
        assert 10 ** (-typical / 10) == pytest.approx(float(tau), rel=1e-12)


def test_cases_are_the_herald_at_that_much_more_loss(make: Callable[..., Path]) -> None:
    path = make(extra="\n[margins]\nrepair_db = 0.7\nageing_db = 0.4\n")
    scenario = load_scenario(path)
    report = simulate(scenario, "scattering")
    assert [case.name for case in report.cases] == [
        "typical",
        "mean + 3 sigma",
        "worst case",
        "worst case and margins",
    ]
    link = link_of(scenario)
    photons, _ = budget(link)
    at = seen(photons, link.station)
    pump = float(photons[0].pump_flux + photons[1].pump_flux) / 2
    typical = report.cases[0].losses_db[0]
    for case in report.cases:
        t = 10 ** (-(case.losses_db[0] - typical) / 10)
        dimmer = Detection(
            at.tau_a * t,
            at.tau_b * t,
            at.noise_a * t,
            at.noise_b * t,
            at.overlap,
            at.noise_modes,
            1 - np.exp(-300e-9 * (5.0 + pump * t)),
        )
        by_hand, _ = figures(link, report.best.scheme, dimmer)
        for name in ("herald_probability", "fidelity", "delivered_rate", "hashing_rate"):
            assert float(getattr(case.figures, name)) == pytest.approx(
                float(getattr(by_hand, name)), rel=1e-9
            ), name
    worst, margins = report.cases[2].losses_db[0], report.cases[3].losses_db[0]
    assert margins - worst == pytest.approx(1.1, abs=1e-12)
    assert "worst case and margins" in printed(report)


def test_the_worst_case_is_the_link_built_of_worst_parts(make: Callable[..., Path]) -> None:
    report = simulate(load_scenario(make()), "scattering")
    where = 'status = "guess", where = "here" }'
    feed = '[[arm.path]]\npart = "conn.uncooled_to_cryo_feedthrough"\n'
    path = make(
        (feed, feed + f"override.values.insertion_loss_db = {{ value = 1.0, {where}\n"),
        (FIBRE, FIBRE + "override.values.attenuation_db_per_km.1550 = 0.30\n"),
        (SWITCH, SWITCH + "override.values.insertion_loss_db = 1.8\n"),
        (
            'part = "conn.lc_apc"\ncount = 2\n',
            'part = "conn.lc_apc"\ncount = 2\noverride.values.insertion_loss_db = 0.75\n',
        ),
        (
            'splitter = "passive.bs5050"\n',
            'splitter = "passive.bs5050"\noverride.detector.values.efficiency = 0.80\n'
            "override.splitter.values.insertion_loss_db = 0.4\n",
        ),
    )
    found = evaluate(load_scenario(path), report.best.scheme)
    case = report.cases[2].figures
    for name in ("transmission_a", "fidelity", "delivered_rate"):
        assert float(getattr(case, name)) == pytest.approx(float(getattr(found, name)), rel=1e-9), (
            name
        )


# ---------------------------------------------------------------- pair light


def blue(make: Callable[..., Path], C: float = 1e-3, *edits: Edit, extra: str = "") -> Scenario:
    return load_scenario(
        make(
            ('sideband = "red", cooperativity = 0.5', f'sideband = "blue", cooperativity = {C}'),
            ('schemes = ["single-click", "two-click"]', 'schemes = ["pair-click"]'),
            *edits,
            extra=extra,
        )
    )


def by_hand(scenario: Scenario) -> tuple[Detection, Idler]:
    """What reaches the detectors, from the device's moments on a plain grid of frequencies."""
    setup = scenario.arms[0]
    device, pump = setup.device, setup.pump
    linear = device.linearise(pump)
    fwhm, gate = setup.emitter.photon_fwhm, scenario.station.gate
    near = np.linspace(-40, 40, 40_001) / fwhm
    far = np.linspace(-6e5, 6e5, 400_001) / fwhm * 1e-2
    light_is_created = linear.ports[linear.index(device.target)].creation

    def moments(w: np.ndarray) -> scattering.PairMoments:
        w = w + float(np.max(device.centre(pump)))
        if light_is_created:
            found = scattering.pair_moments(linear, device.source, device.target, -w)
            return scattering.PairMoments(found.n_2, found.n_1, found.m)
        return scattering.pair_moments(linear, device.target, device.source, w)

    def line(w: np.ndarray) -> np.ndarray:
        B, stages = 2 * np.pi * 50e6, 4
        return 10 ** (-0.03 * stages / 2) * (1 - 2j * w / B) ** (-stages)

    sigma = fwhm / np.sqrt(8 * np.log(2))
    u = (8 * np.pi * sigma**2) ** 0.25 * np.exp(-((sigma * near) ** 2))

    def over(values: np.ndarray, w: np.ndarray = near) -> float:
        return float(np.trapezoid(values.real, w)) / (2 * np.pi)

    at = moments(near)
    # the idler's partner holds all that is correlated with it
    m, n_i = np.sqrt(over(u**2 * np.abs(at.m) ** 2)), over(u**2 * at.n_2)
    v = u * np.abs(at.m) / m * line(near)
    passed = over(np.abs(v) ** 2)
    flat = 10 ** (-(0.5 + 0.3 + 12.5 * 0.2 + 1.0 + 0.4 + 0.15) / 10) * 0.93
    flux = flat * over(np.abs(line(far)) ** 2 * moments(far).n_1, far)
    # share of the packet within the gate around its mean arrival
    times = np.linspace(-6 * fwhm, 10 * fwhm, 8001)
    coarse = near[::20]
    packet = np.exp(-1j * np.outer(times, coarse)) @ v[::20]
    density = np.abs(packet) ** 2
    density /= np.trapezoid(density, times)
    mean = np.trapezoid(density * times, times)
    inside = np.linspace(mean - gate / 2, mean + gate / 2, 4001)
    share = np.trapezoid(np.interp(inside, times, density), inside)
    tau = flat * passed * share
    # the cut packet is broader: its noise is asked where it is
    wide = np.linspace(-200 / gate, 200 / gate, 8001)
    cut = np.interp(inside, times, packet.real) + 1j * np.interp(inside, times, packet.imag)
    ends = np.full(len(inside), 1.0)
    ends[[0, -1]] = 0.5  # trapezium
    spectrum = np.exp(1j * np.outer(wide, inside)) @ (ends * cut)
    step = inside[1] - inside[0]
    whole = 2 * np.pi * float(np.sum(ends * np.abs(cut) ** 2)) / step  # Parseval
    weight = np.abs(spectrum) ** 2 / whole
    seen_noise = np.abs(line(wide)) ** 2 * moments(wide).n_1
    noise = flat * float(np.trapezoid(weight * seen_noise, wide))
    photons, _ = budget(link_of(scenario))
    dark = 1 - np.exp(-gate * (5.0 + float(photons[0].pump_flux)))
    seen_ = Detection(tau, tau, noise, noise, 0.99, gate * flux / noise, dark)
    return seen_, Idler(n_i, m, setup.emitter.efficiency)


def test_a_blue_pumped_scenario_is_the_herald_of_its_moments(make: Callable[..., Path]) -> None:
    scenario = blue(make)
    seen_, idler = by_hand(scenario)
    found = evaluate(scenario, Scheme.PAIR_CLICK)
    assert found.transmission_a == pytest.approx(seen_.tau_a, rel=1e-5)
    assert found.noise_a == pytest.approx(seen_.noise_a, rel=1e-5)
    assert float(found.noise_modes) == pytest.approx(seen_.noise_modes, rel=1e-4)
    pair = pair_click(seen_, idler, idler, 0.1)
    assert float(found.herald_probability) == pytest.approx(float(pair.probability), rel=1e-4)
    assert float(found.herald_fidelity) == pytest.approx(float(pair.fidelity), rel=1e-4)
    # idlers wait for their own photon, the later photon and the station
    wait = 2 * 12.5e3 * 1.4682 / LIGHT_SPEED + 1e-6
    T1, T2 = 25e-3, 34e-3
    kept = Storage(np.exp(-wait / T1), np.exp(-wait * (1 / T2 - 1 / (2 * T1))))
    late = pair_click(seen_, idler, idler, 0.1, (kept, kept))
    assert float(found.fidelity) == pytest.approx(float(late.fidelity), rel=1e-4)
    assert float(found.kept) == pytest.approx(float(late.kept), rel=1e-4)


def test_pair_light_in_the_travelling_mode_is_that_of_the_filtered_packet(
    make: Callable[..., Path],
) -> None:
    """The cross moment at the detectors is sqrt(tau) m: exact while the filters pass the packet."""
    scenario = blue(make)
    setup = scenario.arms[0]
    photon = link_of(scenario).arms[0].photon
    after, _ = propagate(photon, setup.elements)
    assert photon.idler is not None
    grid = photon.wave.grid
    linear = setup.device.linearise(setup.pump)
    created = linear.ports[linear.index(setup.device.target)].creation
    ports = (setup.device.source, setup.device.target)
    w = grid.omega - float(np.max(setup.device.centre(setup.pump)))
    w = -w if created else w
    m = scattering.pair_moments(linear, *(ports if created else ports[::-1]), w).m
    v = after.wave.amplitude
    # <a b_v> in the packet at the detectors: its own amplitude times what the idler sees of it
    emitter, sigma = setup.emitter, setup.emitter.photon_fwhm / np.sqrt(8 * np.log(2))
    idler = (8 * np.pi * sigma**2) ** 0.25 * np.exp(-((sigma * (grid.omega - emitter.offset)) ** 2))
    sent = photon.wave.amplitude
    lit = np.abs(sent) > 1e-12 * np.max(np.abs(sent))
    line = np.where(lit, v / np.where(lit, sent, 1.0), 0.0)
    exact = np.abs(np.sum(grid.weight * np.conj(v) * line * np.abs(m) * idler))
    exact = exact / np.sqrt(after.wave.norm)
    used = np.sqrt(after.wave.norm) * photon.idler.cross
    assert used == pytest.approx(float(exact), rel=1e-9)


@pytest.mark.parametrize("C", [0.05, 0.3])
def test_pair_light_is_that_of_the_pulse_engine(C: float) -> None:
    device = reference_device()
    pump = pumped(device, C, Sideband.BLUE)
    fwhm = 60e-9
    emitter = Emitter(Memory(1.0, 1.0), 0.5, fwhm, 0.9)
    grid = SpectralGrid.resolving([device.scale(pump)], [(0.0, fwhm)])
    light = emit_pairs(device, pump, emitter, grid, device.carrier)
    assert light.idler is not None
    linear = device.linearise(pump)
    created = linear.ports[linear.index(device.target)].creation
    ports = (device.source, device.target) if created else (device.target, device.source)
    m = scattering.pair_moments(linear, *ports, -grid.omega if created else grid.omega).m
    sigma = fwhm / np.sqrt(8 * np.log(2))
    u = (8 * np.pi * sigma**2) ** 0.25 * np.exp(-((sigma * grid.omega) ** 2))

    # the packet whose spectral phase matches, v_e(-w) = |u| e^{i arg m}, and its partner
    spectrum = np.abs(u) * np.exp(1j * np.angle(m))
    spectrum = np.conj(spectrum) if created else spectrum
    kept = np.abs(u) > 1e-9 * np.max(np.abs(u))

    def packet(of: np.ndarray, sign: float) -> Callable[[np.ndarray], np.ndarray]:
        def shape(t: np.ndarray) -> np.ndarray:
            kernel = np.exp(1j * sign * np.outer(t.ravel(), grid.omega[kept]))
            return ((kernel * grid.weight[kept]) @ of[kept]).reshape(t.shape)

        return shape

    reach = 14 * sigma
    span, fast = (-reach, reach), 4 / sigma
    microwave = TemporalMode(device.source, packet(spectrum, 1.0), span, (0.0,), fast)
    partner = packet(light.wave.amplitude, -1.0)
    optical = TemporalMode(device.target, partner, span, (0.0,), fast)
    plain = TemporalMode.gaussian(device.source, 0.0, fwhm)
    found = respond(device, pump, [optical, microwave, plain])
    assert float(found.quanta(0)) == pytest.approx(light.mode_noise, rel=1e-5)
    assert float(found.quanta(2)) == pytest.approx(float(light.idler.quanta), rel=1e-5)
    assert abs(found.anomalous[0, 1]) == pytest.approx(float(light.idler.cross), rel=1e-5)
    assert abs(found.anomalous[0, 2]) <= light.idler.cross * (1 + 1e-9)


@pytest.mark.parametrize("scheme", [Scheme.PAIR_CLICK, Scheme.PAIR_TIME_BIN])
def test_a_blue_scenario_is_reported_whole(make: Callable[..., Path], scheme: Scheme) -> None:
    scenario = blue(make, 1e-3, extra="\n[margins]\nrepair_db = 1.0\n")
    report = simulate(scenario, "scattering", (scheme,))
    outcome = report.best
    total = sum(share for _, share in outcome.limits) + outcome.interplay
    assert total == pytest.approx(1 - float(outcome.figures.fidelity), abs=1e-14)
    assert len(report.cases) == 4
    rates = [float(case.figures.delivered_rate) for case in report.cases]
    assert rates == sorted(rates, reverse=True)
    assert "pair source" in printed(report)


def test_mixed_pumps_are_refused(make: Callable[..., Path]) -> None:
    mixed = '\n[arm_b.transducer.pump]\nsideband = "{}"\ncooperativity = 0.01\n'
    red_and_blue = load_scenario(make(extra=mixed.format("blue")))
    blue_and_red = blue(make, 1e-3, extra=mixed.format("red"))
    for scenario in (red_and_blue, blue_and_red):
        for scheme in (Scheme.SINGLE_CLICK, Scheme.PAIR_CLICK):
            with pytest.raises(PhysicsError) as caught:
                evaluate(scenario, scheme)
            refused(caught.value, "arm ", "sideband")
        with pytest.raises(PhysicsError) as caught:
            link_of(scenario)
        refused(caught.value, "pump", "arm ")


@pytest.mark.parametrize("engine", ["pulse", "node", "master-equation"])
def test_pair_light_of_another_engine_is_refused(make: Callable[..., Path], engine: str) -> None:
    with pytest.raises(ValidityError) as caught:
        simulate(blue(make), engine)
    refused(caught.value, "--engine scattering", engine)


def test_pair_light_of_a_red_pump_is_refused() -> None:
    device = reference_device()
    emitter = Emitter(Memory(1.0, 1.0), 0.5, 60e-9)
    grid = SpectralGrid.around(1e8)
    with pytest.raises(ValidityError) as caught:
        emit_pairs(device, pumped(device, 0.1), emitter, grid, device.carrier)
    refused(caught.value, "blue")
    with pytest.raises(PhysicsError):  # above threshold
        emit_pairs(device, device.pump_for(1.5, Pump(0.0, Sideband.BLUE)), emitter, grid, 1e15)


# ---------------------------------------------------------------- waits, and the command line


@pytest.mark.parametrize("pairs", [1, 2])
@pytest.mark.parametrize("scheme", [Scheme.SINGLE_CLICK, Scheme.TWO_CLICK])
def test_the_mean_wait_is_the_inverse_of_the_delivered_rate(
    make: Callable[..., Path], pairs: int, scheme: Scheme
) -> None:
    path = make(
        ("hold_s = 10.0", "hold_s = 10.0\nmemories = 3\nmodes = 5"),
        extra='\n[[schedule.outages]]\nname = "x"\ninterval_s = 60.0\nduration_s = 15.0\n'
        '\n[[schedule.outages]]\nname = "y"\ninterval_s = 5.0\nduration_s = 0.5\n'
        f"\n[request]\npairs = {pairs}\n",
    )
    report = simulate(load_scenario(path), "scattering", (scheme,))
    assert report.wait is not None
    # it begins at the end of the longest outage, long before the next one; the others count by share
    expected = pairs / float(report.best.figures.delivered_rate) * 60.0 / 75.0
    assert report.wait.mean == pytest.approx(expected, rel=1e-9)
    # a long way out the law runs at that rate, too
    late = report.wait.quantile(0.5)
    assert 0.2 * expected < late < 2 * expected


def test_neighbours_of_counted_switches_leak_at_each(make: Callable[..., Path]) -> None:
    """As in a fabric, light leaks in at every element of a row, not at one of them."""
    one = SWITCH + "neighbour_quanta = 3.0\noverride.values.isolation_db = 30.0\n"
    two = SWITCH + "count = 2\nneighbour_quanta = 3.0\noverride.values.isolation_db = 30.0\n"
    apart, counted, single = (
        float(
            evaluate(
                load_scenario(make((FILTER, ""), (SWITCH, text + FILTER))), Scheme.SINGLE_CLICK
            ).added_noise_a
        )
        for text in (one + one, two, one)
    )
    assert counted > single * 1.5
    assert counted >= apart * (1 - 1e-9)


def run(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "transducer", "link", path.name, *arguments],
        cwd=path.parent,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )


@pytest.mark.slow
def test_the_command_answers_a_scenario_with_every_new_table(make: Callable[..., Path]) -> None:
    fabric = (
        SWITCH.replace("switch.polatis.6000_32", "switch.bto.2x2")
        + 'fabric = { topology = "benes", ports = 4, interstage_db = 0.05 }\n'
        + "override.values.fidelity_loss = 0.001\n"
    )
    path = make(
        (PHASES, ""),
        (LOCK, ""),
        (FILTER, ""),
        (FIBRE, FIBRE + RAMAN.format(counter="true") + FILTER),
        (SWITCH, fabric),
        ("gate_s = 300e-9", "gate_s = 300e-9\nbackground_hz = 20.0"),
        extra=REGISTRATION
        + '\n[[schedule.outages]]\nname = "cal"\ninterval_s = 3600.0\nduration_s = 60.0\n'
        + "\n[request]\npairs = 2\ncutoff_s = 0.5\ndeadline_s = 1.0\n"
        + "\n[margins]\nrepair_db = 1.0\nageing_db = 0.5\n",
    )
    done = run(path, "--engine", "scattering", "--no-files")
    assert done.returncode == 0, done.stderr
    for words in (
        "Time to 2 pairs at once, each kept 0.5 s at most",
        "within 1 s with probability",
        "Phase in one attempt",
        "worst case and margins",
        "light that joins on the line",
        "switches that turn the qubit",
        "benes 4 x 4",
        "F factor",
    ):
        assert words in " ".join(done.stdout.split()), words
    as_json = run(path, "--engine", "scattering", "--no-files", "--json")
    assert as_json.returncode == 0, as_json.stderr
    found = json.loads(as_json.stdout)
    assert found["scenario"]["name"] == "metro_target"
    kept = run(path, "--engine", "scattering", "--out", "a.h5")
    assert kept.returncode == 0, kept.stderr
    assert {p.name for p in path.parent.iterdir()} == {path.name, "a.h5", "a.png"}


@pytest.mark.slow
def test_the_command_answers_a_blue_scenario(make: Callable[..., Path]) -> None:
    path = make(
        ('sideband = "red", cooperativity = 0.5', 'sideband = "blue", cooperativity = 0.01'),
        ('schemes = ["single-click", "two-click"]', 'schemes = ["pair-click", "pair-time-bin"]'),
    )
    done = run(path, "--no-files", "--json")
    assert done.returncode == 0, done.stderr
    protocols = {p["herald"]["protocol"] for p in json.loads(done.stdout)["protocols"]}
    assert protocols == {"pair-click", "pair-time-bin"}
    done = run(path, "--out", "a.h5")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("edits", "extra", "words"),
    [
        ([(PHASES, "")], "", ("registration", "phase_rms_rad")),
        ([(LOCK, "")], REGISTRATION, ("registration", "phase_rms_rad")),
        ([(SWITCH, CISCO)], "", ("Cisco", "path", "polarisation")),
        ([(FIBRE, FIBRE + RAMAN.format(counter="3"))], "", ("counter",)),
        ([(FIBRE, FIBRE + RAMAN.format(counter="true"))], "", ("filter", "bandwidth")),
        ([('sideband = "red"', 'sideband = "blue"')], "", ("single-click", "sideband")),
        ([('"single-click", "two-click"', '"pair-click"')], "", ("pair-click", "blue")),
        ([], "\n[margins]\nrepair_db = nan\n", ("repair_db", "finite")),
        ([], "\n[request]\npairs = 2\ncutoff_s = 1e-9\n", ("cut", "pairs")),
    ],
    ids=[f"mistake{k}" for k in range(9)],
)
def test_mistakes_are_one_sentence_and_nothing_is_written(
    make: Callable[..., Path], edits: list[Edit], extra: str, words: tuple[str, ...]
) -> None:
    path = make(*edits, extra=extra)
    for arguments in (("--engine", "scattering"), ("--out", "x.h5", "--engine", "scattering")):
        done = run(path, *arguments)
        assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.startswith("transducer: ")
        assert "Traceback" not in done.stderr
        for word in (path.name, *words):
            assert word in done.stderr, (word, done.stderr)
        assert [p.name for p in path.parent.iterdir()] == [path.name]
