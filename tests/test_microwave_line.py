"""A warm microwave line: it loses the photon and brings its own quanta, both ways."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cavities import data
from cavities.baths import thermal_occupation
from cavities.errors import DataError, ValidityError
from fibre.herald import Scheme
from transducer.chain import convert, evaluate, link_of
from transducer.comparison import compare
from transducer.scenario import Scenario, load_scenario
from transducer.scenario_keys import with_key

TARGET = (data.root("scenarios") / "metro_target.toml").read_text("utf-8")
LINE = """
[arm.node.line]
frequency_hz = 8.8e9

[[arm.node.line.stages]]
part = "mw.circulator.cryo"
temperature_k = 0.3
override.values.insertion_loss_db = { value = 1.0, status = "guess", where = "test" }

[[arm.node.line.stages]]
part = "mw.coax.nbti_64m"
length_m = 2000.0
temperature_k = 0.05
override.values.attenuation_db_per_km = { value = 1.0, status = "guess", where = "test" }

[[arm.path]]
"""


def written(tmp_path: Path, *edits: tuple[str, str]) -> Scenario:
    text = TARGET.replace("\n[[arm.path]]\n", LINE, 1)
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = tmp_path / "warm.toml"
    path.write_text(text, "utf-8")
    return load_scenario(path)


def cascade(stages: list[tuple[float, float]]) -> float:
    noise = 0.0
    for loss_db, temperature in stages:
        eta = 10 ** (-loss_db / 10)
        n = 1 / np.expm1(6.62607015e-34 * 8.8e9 / (1.380649e-23 * temperature))
        noise = eta * noise + (1 - eta) * n
    return float(noise)


def test_the_line_loses_the_photon_and_adds_its_quanta_through_the_converter(
    tmp_path: Path,
) -> None:
    cold, warm = load_scenario("metro_target"), written(tmp_path)
    one, two = (link_of(s).arms[0].photon for s in (cold, warm))
    assert two.transmission / one.transmission == pytest.approx(10**-0.3, rel=1e-9)
    n = cascade([(1.0, 0.3), (2.0, 0.05)])
    assert n == pytest.approx(float(np.max(warm.arms[0].emitter.line_noise)), rel=1e-9)
    S = convert(cold.arms[0], "scattering", one.wave.grid.omega).amplitude
    assert two.wave.noise == pytest.approx(one.wave.noise + np.abs(S) ** 2 * n, rel=1e-9)
    assert evaluate(warm, Scheme.TWO_CLICK).fidelity < evaluate(cold, Scheme.TWO_CLICK).fidelity


def test_the_order_of_warm_stages_matters_and_turns_with_the_direction(tmp_path: Path) -> None:
    emitter = written(tmp_path).arms[0].emitter
    assert emitter.incoming_noise == pytest.approx(cascade([(2.0, 0.05), (1.0, 0.3)]), rel=1e-9)
    assert emitter.incoming_noise > 1.3 * emitter.line_noise
    assert float(thermal_occupation(2 * np.pi * 8.8e9, 0.3)) > emitter.incoming_noise


def test_a_warm_line_warms_the_idler_and_the_receiver(tmp_path: Path) -> None:
    blue = ('sideband = "red", cooperativity = 0.5', 'sideband = "blue", cooperativity = 0.05')
    pairs = ('schemes = ["single-click", "two-click"]', 'schemes = ["pair-click"]')
    scenario = written(tmp_path, blue, pairs)
    idler = link_of(scenario).arms[0].photon.idler
    assert idler is not None
    assert idler.noise == scenario.arms[0].emitter.incoming_noise
    cold = replace(
        scenario,
        arms=tuple(
            replace(a, emitter=replace(a.emitter, incoming_noise=0.0)) for a in scenario.arms
        ),
    )
    noisy, quiet = (evaluate(s, Scheme.PAIR_CLICK).kept for s in (scenario, cold))
    assert noisy < quiet - 0.01  # more memories hold more than one quantum
    warm, still = (compare(s, ("direct",), ("none",))[0].figures for s in (scenario, cold))
    assert warm is not None
    assert still is not None
    more = float(warm.noise_b) - float(still.noise_b)
    assert more == pytest.approx(scenario.arms[0].emitter.incoming_noise, rel=1e-9)


def test_engines_that_take_a_cold_line_say_so(tmp_path: Path) -> None:
    with pytest.raises(ValidityError, match="cold microwave line"):
        link_of(written(tmp_path), "pulse")


def test_a_part_of_the_optical_path_has_no_place_in_the_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no place in a microwave line"):
        written(tmp_path, ('part = "mw.circulator.cryo"', 'part = "conn.lc_apc"'))


def test_whole_numbers_that_a_file_leaves_out_can_be_axes() -> None:
    raw = {"schedule": {"reset_s": 1e-6}}
    assert with_key(raw, "schedule.modes", 4.0, "x")["schedule"]["modes"] == 4
    for key in ("margins.repair_db", "request.pairs"):
        with pytest.raises(DataError, match="moves none"):
            with_key(raw, key, 1.0, "x")
