"""Studies against scalar calls: the same numbers, the same sentences, one archive, and mistakes that cost nothing."""

import importlib.util
import itertools
import json
import math
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import transducer
from cavities import data
from cavities.errors import DataError, ToolkitError
from cavities.rules import Status
from fibre.herald import Scheme
from transducer import archive as archives
from transducer import evaluate, load_scenario, simulate, sweep_report
from transducer.cli import app
from transducer.scenario_keys import is_fast, with_key
from transducer.study import DEVICE_OUTPUTS, load_study, output_labels, restored, run
from transducer.sweep_report import sweep_figure
from transducer.sweeps import run as sweep_run
from transducer.sweeps import sweep
from transducer.sweeps.compare import compare
from transducer.sweeps.shards import Parts

METRO = (data.root("scenarios") / "metro.toml").read_text("utf-8")
TARGET = (data.root("scenarios") / "metro_target.toml").read_text("utf-8")
SAHU = (data.root("devices") / "sahu2022.toml").read_text("utf-8")
FIBRE = (data.root("parts") / "fibre.g652d.toml").read_text("utf-8")
PATH = TARGET[TARGET.index("[[arm.path]]") : TARGET.index("[station]")]
ONE, TWO = Scheme.SINGLE_CLICK, Scheme.TWO_CLICK
FIGURES = [name for name in output_labels() if not name.startswith("conversion_")]

LENGTH = "length_km = 12.5"
BRIGHT = "bright_population = 0.05"
COOPERATIVITY = "cooperativity = 0.5"
OVER = "[arm.transducer.override]\n"

# both arms unlike each other in every number that an axis sets below
UNLIKE = (
    TARGET
    + PATH.replace("[[arm.path]]", "[[arm_b.path]]").replace(LENGTH, "length_km = 7.25")
    + PATH.replace("[[arm.path]]", "[[arm_a.path]]").replace(LENGTH, "length_km = 3.5")
    + "[arm_a.node]\nbright_population = 0.031\n[arm_b.node]\nbright_population = 0.047\n"
    + "[arm_a.transducer.pump]\ncooperativity = 0.43\n[arm_b.transducer.pump]\ncooperativity = 0.61\n"
)
FULL_PATH = PATH.replace("[[arm.path]]", "[[arm_a.path]]")


def swapped(text: str, old: str, new: str) -> str:
    """A scenario as someone would edit it: exactly one place changes."""
    assert text.count(old) == 1, (old, text.count(old))
    return text.replace(old, new)


COUNTER = itertools.count()


def by_hand(
    folder: Path, text: str, scheme: Scheme = ONE, engine: str = "scattering"
) -> dict[str, float]:
    """Figures of a scenario that was written out, by the public scalar call."""
    path = folder / f"by_hand_{next(COUNTER)}.toml"
    path.write_text(text, "utf-8")
    return {n: float(v) for n, v in evaluate(load_scenario(path), scheme, engine).as_dict().items()}


def told_by_hand(folder: Path, text: str, scheme: Scheme = ONE) -> str:
    """Sentence of the public scalar call, the scenario called s.toml."""
    path = folder / f"by_hand_{next(COUNTER)}.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ToolkitError) as caught:
        evaluate(load_scenario(path), scheme)
    return str(caught.value).replace(str(path), "s.toml")


def axis(
    name: str, keys: str | list[str], values: list[object] | None = None, **more: object
) -> str:
    keys = [keys] if isinstance(keys, str) else keys
    lines = ["[[axes]]", f"name = {json.dumps(name)}"]
    # single quotes: a key may hold double ones
    lines.append("keys = [" + ", ".join(f"'{key}'" for key in keys) + "]")
    if values is not None:
        lines.append(f"values = {json.dumps(values)}")
    lines += [f"{key} = {json.dumps(value)}" for key, value in more.items()]
    return "\n".join(lines) + "\n"


def written(folder: Path, *axes: str, scenario: str = TARGET, head: str = "") -> Path:
    """A study file beside its own scenario file s.toml."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "s.toml").write_text(scenario, "utf-8")
    place = folder / "study.toml"
    start = 'schema_version = 1\nname = "try"\nscenario = "s.toml"\n'
    place.write_text(start + head + "\n" + "\n".join(axes), "utf-8")
    return place


def swept(folder: Path, *axes: str, scenario: str = TARGET, head: str = ""):
    """A study in memory, for speed; that an archive holds the same bits is a test of its own."""
    study = load_study(written(folder, *axes, scenario=scenario, head=head), folder / "a.h5")
    return sweep(
        study.function,
        study.design,
        vectorised=True,
        block=study.block,
        outputs=study.outputs,
        title=study.title or study.name,
    )


def agrees(found, where: Mapping[str, int], expected: Mapping[str, float]) -> None:
    """One point of a dataset against the scalar call, to the last digits."""
    index = tuple(where[dim] for dim in found["status"].dims)
    assert found["status"].values[index] == Status.OK, found["reason"].values[index]
    for name, value in expected.items():
        assert math.isclose(found[name].values[index], value, rel_tol=1e-12, abs_tol=0.0), (
            name,
            where,
            found[name].values[index],
            value,
        )


def same_bits(one, two) -> None:
    assert list(one.coords) == list(two.coords)
    assert list(one.data_vars) == list(two.data_vars)
    for name in [*one.coords, *one.data_vars]:
        a, b = one[name].values, two[name].values
        assert a.shape == b.shape
        if a.dtype.kind in "OUT" or b.dtype.kind in "OUT":
            assert a.ravel().tolist() == b.ravel().tolist(), name
        else:
            assert a.tobytes() == b.tobytes(), name


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


# --- every point is the scalar call on a scenario that was written out ---------------------------

SINGLE_KEYS = {
    "arm.path[3].length_km": (LENGTH, "length_km = {}", [0.0, 3.7, 41.0]),
    "arm.node.bright_population": (BRIGHT, "bright_population = {}", [0.011, 0.33, 1.0]),
    "station.phase_rms_rad": (
        "phase_rms_rad = { value = 0.1,",
        "phase_rms_rad = {{ value = {},",
        [0.0, 0.21, 1.4],
    ),
    "station.phase_change_rms_rad": (
        "phase_change_rms_rad = { value = 0.02,",
        "phase_change_rms_rad = {{ value = {},",
        [0.0, 0.31, 1.1],
    ),
    "station.distinguishability": (
        "distinguishability = { value = 0.99,",
        "distinguishability = {{ value = {},",
        [0.3, 0.9, 1.0],
    ),
    "arm.transducer.pump.cooperativity": (COOPERATIVITY, "cooperativity = {}", [0.35, 0.6, 1.3]),
    "arm.transducer.pump.pulse_length_s": (
        "pulse_length_s = 400e-9",
        "pulse_length_s = {}",
        [3.5e-7, 9e-7],
    ),
    "arm.transducer.override.optical.extraction": (
        "optical.extraction = { value = 0.9,",
        "optical.extraction = {{ value = {},",
        [0.7, 0.85],
    ),
    "arm.transducer.override.coupling.g0_hz": (OVER, OVER + "coupling.g0_hz = {}\n", [30.0, 45.0]),
    "arm.transducer.override.microwave.frequency_hz": (
        OVER,
        OVER + "microwave.frequency_hz = {}\n",
        [8e9, 9.5e9],
    ),
    "arm.path[0].override.values.insertion_loss_db": (
        "insertion_loss_db = { value = 0.5,",
        "insertion_loss_db = {{ value = {},",
        [0.0, 1.5],
    ),
    "arm.path[1].override.values.insertion_loss_db": (
        'part = "conn.uncooled_to_cryo_feedthrough"',
        'part = "conn.uncooled_to_cryo_feedthrough"\noverride.values.insertion_loss_db = {}',
        [0.2, 2.5],
    ),
    "station.override.detector.values.dark_rate_hz": (
        'detector = "det.snspd.commercial"',
        'detector = "det.snspd.commercial"\noverride.detector.values.dark_rate_hz = {}',
        [1.0, 1e4],
    ),
    "arm.node.emission_efficiency": (
        "emission_efficiency = { value = 0.97,",
        "emission_efficiency = {{ value = {},",
        [0.4, 0.8],
    ),
    "arm.node.photon_fwhm_s": ("photon_fwhm_s = 120e-9", "photon_fwhm_s = {}", [90e-9, 130e-9]),
    "station.gate_s": ("gate_s = 300e-9", "gate_s = {}", [200e-9, 390e-9]),
    "schedule.feedback_s": (
        "feedback_s = { value = 1e-6,",
        "feedback_s = {{ value = {},",
        [0.0, 4e-5],
    ),
    "schedule.hold_s": ("hold_s = 10.0", "hold_s = {}", [0.5, 100.0]),
}


@pytest.mark.parametrize("scheme", [ONE, TWO], ids=lambda s: s.value)
@pytest.mark.parametrize("key", SINGLE_KEYS)
def test_every_point_is_the_scalar_call_on_a_scenario_with_that_value(key, scheme, tmp_path):
    old, new, values = SINGLE_KEYS[key]
    found = swept(tmp_path, axis("x", key, values), head=f'scheme = "{scheme.value}"')
    for i, value in enumerate(values):
        expected = by_hand(tmp_path, swapped(TARGET, old, new.format(value)), scheme)
        agrees(found, {"x": i}, expected)
    first, last = (found.isel(x=i) for i in (0, -1))
    moved = [n for n in FIGURES if float(first[n]) != float(last[n])]
    unseen = {
        "station.phase_rms_rad": TWO,
        "arm.node.bright_population": TWO,
        "station.phase_change_rms_rad": ONE,
        "arm.transducer.pump.pulse_length_s": ONE,  # the repetition rate waits longer
    }
    assert bool(moved) == (unseen.get(key) is not scheme)


def test_a_scheme_that_nobody_names_is_the_first_of_the_scenario(tmp_path):
    text = swapped(TARGET, '["single-click", "two-click"]', '["two-click", "single-click"]')
    found = swept(tmp_path, axis("x", "arm.node.bright_population", [0.1]), scenario=text)
    agrees(found, {"x": 0}, by_hand(tmp_path, text.replace(BRIGHT, "bright_population = 0.1"), TWO))


ARM_KEYS = {
    "arm_a.path[3].length_km": ("length_km = 3.5", "length_km = {}", [1.5, 20.0]),
    "arm_b.path[3].length_km": ("length_km = 7.25", "length_km = {}", [1.5, 20.0]),
    "arm_a.node.bright_population": ("bright_population = 0.031", "bright_population = {}", [0.2]),
    "arm_b.node.bright_population": ("bright_population = 0.047", "bright_population = {}", [0.2]),
    "arm_a.transducer.pump.cooperativity": (
        "cooperativity = 0.43",
        "cooperativity = {}",
        [0.35, 0.9],
    ),
    "arm_b.transducer.pump.cooperativity": (
        "cooperativity = 0.61",
        "cooperativity = {}",
        [0.35, 0.9],
    ),
    "arm_a.transducer.override.optical.extraction": (
        "[arm_a.node]\n",
        "[arm_a.transducer.override]\noptical.extraction = {}\n[arm_a.node]\n",
        [0.6, 0.8],
    ),
    "arm_b.transducer.override.optical.extraction": (
        "[arm_b.node]\n",
        "[arm_b.transducer.override]\noptical.extraction = {}\n[arm_b.node]\n",
        [0.6, 0.8],
    ),
    "arm_a.node.emission_efficiency": (
        "[arm_a.node]\n",
        "[arm_a.node]\nemission_efficiency = {}\n",
        [0.5],
    ),
    "arm_b.node.emission_efficiency": (
        "[arm_b.node]\n",
        "[arm_b.node]\nemission_efficiency = {}\n",
        [0.5],
    ),
}


@pytest.mark.parametrize("key", ARM_KEYS)
def test_an_arm_s_own_key_moves_that_arm_and_not_the_other(key, tmp_path):
    old, new, values = ARM_KEYS[key]
    found = swept(tmp_path, axis("x", key, values), scenario=UNLIKE)
    for i, value in enumerate(values):
        agrees(found, {"x": i}, by_hand(tmp_path, swapped(UNLIKE, old, new.format(value))))
    other = key.replace("arm_a", "arm_q").replace("arm_b", "arm_a").replace("arm_q", "arm_b")
    wrong = by_hand(
        tmp_path, swapped(UNLIKE, ARM_KEYS[other][0], ARM_KEYS[other][1].format(values[0]))
    )
    assert any(float(found[n][0]) != pytest.approx(v, rel=1e-9, abs=0) for n, v in wrong.items())


@pytest.mark.parametrize("side", ["a", "b"])
def test_a_common_scenario_takes_a_value_for_one_arm_alone(side, tmp_path):
    place, other = f"arm_{side}", "b" if side == "a" else "a"
    for key, table, name, values in [
        (f"{place}.node.bright_population", f"[{place}.node]", "bright_population", [0.2, 0.4]),
        (
            f"{place}.transducer.pump.cooperativity",
            f"[{place}.transducer.pump]",
            "cooperativity",
            [0.9],
        ),
    ]:
        found = swept(tmp_path, axis("x", key, values))
        for i, value in enumerate(values):
            text = f"{TARGET}\n{table}\n{name} = {value}\n"
            agrees(found, {"x": i}, by_hand(tmp_path, text))
    assert float(found[f"transmission_{side}"][0]) != float(found[f"transmission_{other}"][0])


@pytest.mark.parametrize("side", ["a", "b"])
def test_the_fibre_of_one_arm_of_a_common_path_can_be_an_axis(side, tmp_path):
    found = swept(tmp_path, axis("x", f"arm_{side}.path[3].length_km", [2.0, 30.0]))
    own = FULL_PATH.replace("arm_a", f"arm_{side}")
    for i, value in enumerate((2.0, 30.0)):
        text = TARGET + "\n" + own.replace(LENGTH, f"length_km = {value}")
        agrees(found, {"x": i}, by_hand(tmp_path, text))


def test_a_fibre_that_counts_twice_is_as_long_in_a_study_as_in_its_scenario(tmp_path):
    text = swapped(TARGET, LENGTH, LENGTH + "\ncount = 3")
    found = swept(tmp_path, axis("x", "arm.path[3].length_km", [2.0, 11.0]), scenario=text)
    for i, value in enumerate((2.0, 11.0)):
        agrees(found, {"x": i}, by_hand(tmp_path, text.replace(LENGTH, f"length_km = {value}")))


def test_one_axis_may_set_several_keys_slow_and_fast_alike(tmp_path):
    keys = ["arm_a.path[3].length_km", "arm_b.path[3].length_km"]
    found = swept(tmp_path, axis("x", keys, [1.5, 9.0]), scenario=UNLIKE)
    for i, value in enumerate((1.5, 9.0)):
        text = UNLIKE.replace("length_km = 3.5", f"length_km = {value}")
        text = text.replace("length_km = 7.25", f"length_km = {value}")
        agrees(found, {"x": i}, by_hand(tmp_path, text))
    keys = ["arm.path[3].length_km", "arm.path[0].override.values.insertion_loss_db"]
    found = swept(tmp_path, axis("x", keys, [0.5, 3.0]))
    for i, value in enumerate((0.5, 3.0)):
        text = TARGET.replace(LENGTH, f"length_km = {value}")
        text = text.replace(
            "insertion_loss_db = { value = 0.5", f"insertion_loss_db = {{ value = {value}"
        )
        agrees(found, {"x": i}, by_hand(tmp_path, text))


def test_scheme_is_an_axis_of_words(tmp_path):
    found = swept(
        tmp_path,
        axis("x", "arm.path[3].length_km", [2.0, 30.0]),
        axis("scheme", "scheme", ["two-click", "single-click"]),
    )
    assert found.fidelity.dims == ("x", "scheme")
    for i, value in enumerate((2.0, 30.0)):
        for j, scheme in enumerate((TWO, ONE)):
            text = TARGET.replace(LENGTH, f"length_km = {value}")
            agrees(found, {"x": i, "scheme": j}, by_hand(tmp_path, text, scheme))


def own_devices(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, loss in (("one", "10.8e6"), ("two", "17.5e6")):
        text = SAHU.replace('key = "sahu2022"', f'key = "{name}"')
        text = text.replace("kappa_int_hz = { value = 10.8e6", f"kappa_int_hz = {{ value = {loss}")
        (folder / f"{name}.toml").write_text(text, "utf-8")


def test_devices_are_an_axis_of_words(tmp_path):
    own_devices(tmp_path)
    names = ["two.toml", "sahu2022", "one.toml"]
    found = swept(
        tmp_path,
        axis("device", "arm.transducer.device", names),
        axis("x", "arm.node.bright_population", [0.1, 0.3]),
    )
    for i, name in enumerate(names):
        for j, value in enumerate((0.1, 0.3)):
            text = TARGET.replace('device = "sahu2022"', f'device = "{name}"')
            text = text.replace(BRIGHT, f"bright_population = {value}")
            agrees(found, {"device": i, "x": j}, by_hand(tmp_path, text))
    assert float(found.transmission_a[0, 0]) != float(found.transmission_a[1, 0])
    assert float(found.transmission_a[1, 0]) == float(found.transmission_a[2, 0])


def test_parts_and_operating_points_are_axes_of_words(tmp_path):
    text = swapped(
        TARGET,
        'pump = { sideband = "red", cooperativity = 0.5, pulse_length_s = 400e-9 }',
        'operating_point = "low_noise"\npump = { sideband = "red", pulse_length_s = 400e-9 }',
    )
    points, qubits = ["high_efficiency", "low_noise"], ["qubit.ibm.heron_r3", "mem.srf.qubit34ms"]
    found = swept(
        tmp_path,
        axis("at", "arm.transducer.operating_point", points),
        axis("qubit", "arm.node.qubit", qubits),
        scenario=text,
        head='scheme = "two-click"',
    )
    for i, point in enumerate(points):
        for j, qubit in enumerate(qubits):
            hand = text.replace('"low_noise"', f'"{point}"').replace(
                '"mem.srf.qubit34ms"', f'"{qubit}"'
            )
            agrees(found, {"at": i, "qubit": j}, by_hand(tmp_path, hand, TWO))


@pytest.mark.parametrize("key", ["arm.path[5].count", "arm.path[2].count"])
def test_how_many_of_a_part_stand_in_a_row_is_an_axis(key, tmp_path):
    old = 'part = "conn.lc_apc"\ncount = 2' if "5" in key else "count = 4"
    found = swept(tmp_path, axis("x", key, [3, 5]))
    for i, value in enumerate((3, 5)):
        text = swapped(TARGET, old, old[:-1] + str(value))
        agrees(found, {"x": i}, by_hand(tmp_path, text))


EXTRACTION = TARGET[TARGET.index("optical.extraction") : TARGET.index("optical.overlap")]
QUOTED = EXTRACTION.replace("optical.extraction", '"optical.extraction"')


@pytest.mark.parametrize("before", ["optical.overlap", "heating.low_noise"])
def test_an_override_written_as_a_quoted_dotted_key_is_moved_or_refused_but_not_ignored(
    before, tmp_path
):
    text = TARGET.replace(EXTRACTION, "").replace(before, QUOTED + before)
    agrees_with = by_hand(tmp_path, TARGET)
    assert by_hand(tmp_path, text) == agrees_with
    key = "arm.transducer.override.optical.extraction"
    try:
        found = swept(tmp_path, axis("x", key, [0.6, 0.8]), scenario=text)
    except DataError as error:
        one_sentence(str(error), "optical.extraction")
        return
    for i, value in enumerate((0.6, 0.8)):
        hand = swapped(text, 'extraction" = { value = 0.9', f'extraction" = {{ value = {value}')
        agrees(found, {"x": i}, by_hand(tmp_path, hand))


def test_a_key_with_quotes_is_refused_in_a_sentence(tmp_path):
    place = written(tmp_path, axis("x", 'arm.transducer.override."optical.extraction"', [0.6]))
    before = files(tmp_path)
    with pytest.raises(DataError, match="optical") as caught:
        load_study(place, tmp_path / "a.h5")
    one_sentence(str(caught.value), "study.toml", "'x'")
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("engine", "key", "old", "values"),
    [
        ("pulse", "arm.node.bright_population", BRIGHT, [0.4]),
        ("master-equation", "arm.path[3].length_km", LENGTH, [1.0, 30.0]),
        ("master-equation", "arm.transducer.pump.cooperativity", COOPERATIVITY, [0.6]),
    ],
)
def test_an_engine_of_a_study_is_the_engine_of_the_scalar_call(engine, key, old, values, tmp_path):
    found = swept(
        tmp_path, axis("x", key, values), head=f'engine = "{engine}"\noutputs = {FIGURES}'
    )
    for i, value in enumerate(values):
        text = TARGET.replace(old, f"{old.split('=')[0]}= {value}")
        agrees(found, {"x": i}, by_hand(tmp_path, text, ONE, engine))


@pytest.mark.parametrize("engine", ["scattering", "master-equation"])
def test_device_outputs_are_those_of_the_link_report(engine, tmp_path):
    found = swept(
        tmp_path,
        axis("x", "arm_a.node.offset_hz", [7e5]),
        scenario=UNLIKE,
        head=f"engine = '{engine}'\noutputs = {[f'{n}_{s}' for n in DEVICE_OUTPUTS for s in 'ab']}",
    )
    assert len(found.data_vars) == 6 + 2
    for i, value in enumerate((7e5,)):
        path = tmp_path / f"by_hand_{i}.toml"
        path.write_text(
            UNLIKE.replace("[arm_a.node]\n", f"[arm_a.node]\noffset_hz = {value}\n"), "utf-8"
        )
        report = simulate(load_scenario(path), engine, (ONE,))
        for side, arm in zip("ab", report.conversions, strict=True):
            got = {n: float(found[f"{n}_{side}"][i]) for n in DEVICE_OUTPUTS}
            assert got["conversion_efficiency"] == pytest.approx(
                float(arm.at_signal.efficiency[0]), rel=1e-12
            )
            assert got["conversion_noise"] == pytest.approx(
                float(arm.at_signal.added_noise[0]), rel=1e-12
            )
            assert got["conversion_bandwidth"] == pytest.approx(
                float(arm.bandwidth) / (2 * np.pi), rel=1e-12
            )
    assert float(found.conversion_efficiency_a[0]) != float(found.conversion_efficiency_b[0])


# --- designs -------------------------------------------------------------------------------------

MIXED = {
    "length": ("arm.path[3].length_km", [1.0, 12.5, 30.0]),
    "C": ("arm.transducer.pump.cooperativity", [0.35, 0.7]),
    "bright": ("arm.node.bright_population", [0.1, 0.4]),
    "scheme": ("scheme", ["single-click", "two-click"]),
}


def mixed_by_hand(
    folder: Path, length: float, C: float, bright: float, scheme: str = "single-click"
):
    text = TARGET.replace(LENGTH, f"length_km = {length!r}").replace(
        BRIGHT, f"bright_population = {bright!r}"
    )
    return by_hand(folder, text.replace(COOPERATIVITY, f"cooperativity = {C!r}"), Scheme(scheme))


@pytest.fixture(scope="module")
def mixed_points(tmp_path_factory) -> dict[tuple[object, ...], dict[str, float]]:
    folder = tmp_path_factory.mktemp("mixed")
    points = itertools.product(*(values for _, values in MIXED.values()))
    return {point: mixed_by_hand(folder, *point) for point in points}


@pytest.mark.parametrize("order", list(itertools.permutations(MIXED)), ids="-".join)
def test_slow_and_fast_axes_in_any_order_are_the_scalar_calls(order, mixed_points, tmp_path):
    found = swept(tmp_path, *(axis(name, *MIXED[name]) for name in order))
    assert found.fidelity.dims == order
    for point, expected in mixed_points.items():
        at = {n: MIXED[n][1].index(v) for n, v in zip(MIXED, point, strict=True)}
        agrees(found, at, expected)


@pytest.mark.parametrize("block", [1, 5, 7, 1000])
def test_the_size_of_a_block_does_not_matter(block, mixed_points, tmp_path):
    order = ("length", "scheme", "bright", "C")
    found = swept(tmp_path, *(axis(n, *MIXED[n]) for n in order), head=f"block = {block}")
    for point, expected in mixed_points.items():
        agrees(
            found, {n: MIXED[n][1].index(v) for n, v in zip(MIXED, point, strict=True)}, expected
        )


def test_axes_side_by_side_are_the_scalar_calls(tmp_path):
    table = {
        "C": [0.5, 0.35, 0.5, 0.7, 0.35],
        "length": [1.0, 2.0, 30.0, 4.0, 2.0],
        "scheme": ["two-click", "single-click", "single-click", "two-click", "single-click"],
        "bright": [0.1, 0.2, 0.3, 0.4, 0.45],
    }
    for block in ("", "\nblock = 2"):
        found = swept(
            tmp_path,
            *(axis(n, MIXED[n][0], v) for n, v in table.items()),
            head='sampler = { kind = "zipped" }' + block,
        )
        assert found.fidelity.dims == ("point",)
        for i in range(5):
            point = {n: v[i] for n, v in table.items()}
            agrees(found, {"point": i}, mixed_by_hand(tmp_path, **point))


@pytest.mark.parametrize("kind", ["sobol", "latin-hypercube"])
def test_sampled_points_are_the_scalar_calls_at_the_values_they_state(kind, tmp_path):
    found = swept(
        tmp_path,
        axis("bright", MIXED["bright"][0], start=0.01, stop=0.5, spacing="log"),
        axis("C", MIXED["C"][0], start=0.35, stop=0.9),
        axis("length", MIXED["length"][0], start=1.0, stop=40.0),
        head=f'sampler = {{ kind = "{kind}", count = 8, seed = 3 }}\nblock = 3',
    )
    assert found.sizes == {"point": 8}
    for i in range(8):
        point = {n: float(found[n][i]) for n in ("length", "C", "bright")}
        agrees(found, {"point": i}, mixed_by_hand(tmp_path, **point))


def test_spacing_and_ends_of_an_axis_are_as_written(tmp_path):
    found = swept(
        tmp_path,
        axis("a", MIXED["bright"][0], start=0.01, stop=0.16, count=5, spacing="log", unit="1"),
        axis("b", MIXED["length"][0], start=2.0, stop=1.0, count=3, unit="km", long_name="fibre"),
        head="outputs = ['fidelity']",
    )
    np.testing.assert_allclose(found.a, [0.01, 0.02, 0.04, 0.08, 0.16], rtol=1e-12)
    assert found.b.values.tolist() == [2.0, 1.5, 1.0]
    assert found.b.attrs == {"units": "km", "long_name": "fibre"}
    assert set(found.data_vars) == {"fidelity", "status", "reason"}
    assert found.fidelity.attrs["units"] == "1"


# --- points without a result -----------------------------------------------------------------------


def fails_alone(found, bad: int, sentence: str, folder: Path, texts: list[str]) -> None:
    assert str(found.reason[bad].item()) == sentence
    assert found.status[bad].item() not in (Status.OK, Status.PENDING)
    for name in FIGURES:
        assert np.isnan(float(found[name][bad]))
    for i, text in enumerate(texts):
        if i != bad:
            agrees(found, {"x": i}, by_hand(folder, text))


FAILING = {
    "a fibre through which no light comes": (
        TARGET,
        "arm.path[3].length_km",
        LENGTH,
        [1.0, 1e5, 12.5],
    ),
    "a cooperativity too small for the pulse": (
        METRO,
        "arm.transducer.pump.cooperativity",
        'pump.sideband = "red"',
        [0.6, 0.02, 0.5],
    ),
    "a cooperativity of zero": (
        TARGET,
        "arm.transducer.pump.cooperativity",
        COOPERATIVITY,
        [0.6, 0.0, 0.5],
    ),
    "a gate longer than the pulse": (
        TARGET,
        "station.gate_s",
        "gate_s = 300e-9",
        [2e-7, 5e-7, 3e-7],
    ),
    "a fibre of negative length": (TARGET, "arm.path[3].length_km", LENGTH, [1.0, -1.0, 12.5]),
    "a population above one": (TARGET, "arm.node.bright_population", BRIGHT, [0.1, 1.5, 0.2]),
    "a negative population": (TARGET, "arm.node.bright_population", BRIGHT, [0.1, -0.5, 0.2]),
    "a photon without a width": (
        TARGET,
        "arm.node.photon_fwhm_s",
        "photon_fwhm_s = 120e-9",
        [9e-8, 0.0, 1e-7],
    ),
    "a distinguishability above one": (
        TARGET,
        "station.distinguishability",
        "distinguishability = { value = 0.99",
        [0.9, 1.5, 0.8],
    ),
    "a distinguishability of zero": (
        TARGET,
        "station.distinguishability",
        "distinguishability = { value = 0.99",
        [0.9, 0.0, 0.8],
    ),
    "a negative phase": (
        TARGET,
        "station.phase_rms_rad",
        "phase_rms_rad = { value = 0.1",
        [0.1, -0.5, 0.2],
    ),
}


@pytest.mark.parametrize("what", FAILING)
def test_a_failing_point_says_what_the_scalar_call_says_and_its_neighbours_stand(what, tmp_path):
    base, key, old, values = FAILING[what]
    head = old.rpartition("=")[0] if old in TARGET else old + "\npump.cooperativity "
    texts = [swapped(base, old, f"{head}= {value!r}") for value in values]
    found = swept(tmp_path, axis("x", key, values), scenario=base, head=f"outputs = {FIGURES}")
    fails_alone(found, 1, told_by_hand(tmp_path, texts[1]), tmp_path, texts)


def test_a_failing_point_of_one_arm_names_that_arm_s_key(tmp_path):
    key, old = "arm_b.transducer.pump.cooperativity", "cooperativity = 0.61"
    found = swept(tmp_path, axis("x", key, [0.5, -1.0, 0.7]), scenario=UNLIKE)
    sentence = told_by_hand(tmp_path, UNLIKE.replace(old, "cooperativity = -1.0"))
    assert "arm_b.transducer.pump.cooperativity" in sentence
    assert str(found.reason[1].item()) == sentence


@pytest.mark.parametrize("side", ["a", "b"])
def test_a_failing_point_of_the_first_arm_is_named_by_its_own_key(side, tmp_path):
    key, old = f"arm_{side}.node.photon_fwhm_s", f"[arm_{side}.node]\n"
    found = swept(tmp_path, axis("x", key, [1e-7, -1e-7, 9e-8]), scenario=UNLIKE)
    text = UNLIKE.replace(old, old + "photon_fwhm_s = -1e-7\n")
    assert str(found.reason[1].item()) == told_by_hand(tmp_path, text)


def test_points_fail_alone_where_axes_meet(tmp_path):
    lengths, populations = [1.0, 1e5, 30.0], [0.1, 0.2, 0.4]
    found = swept(
        tmp_path,
        axis("C", MIXED["C"][0], [0.5, 0.0]),
        axis("x", MIXED["length"][0], lengths),
        axis("bright", MIXED["bright"][0], populations),
    )
    ok = found.status.values == Status.OK
    expected = np.zeros((2, 3, 3), dtype=bool)
    expected[0, [0, 2], :] = True
    assert (ok == expected).all()
    for i, j in itertools.product((0, 2), range(3)):
        expected = mixed_by_hand(tmp_path, lengths[i], 0.5, populations[j])
        agrees(found, {"C": 0, "x": i, "bright": j}, expected)
    no_pump = told_by_hand(tmp_path, TARGET.replace(COOPERATIVITY, "cooperativity = 0.0"))
    assert set(found.reason.values[1].ravel()) == {no_pump}


# --- one key -----------------------------------------------------------------------------------

NESTED = {
    "arm": {
        "path": [{"length_km": 1.0}, {"length_km": 2.0}],
        "node": {
            "eff": {"value": 0.9, "status": "read", "where": "p. 3", "note": "n", "sigma": 0.1}
        },
        "deep": {
            "number": {
                "value": 1.0,
                "min": 0.5,
                "max": 2.0,
                "max_status": "read",
                "status": "guess",
            }
        },
    },
    "arm_a": {"node": {"eff": 0.3}},
}


def test_a_key_is_set_in_a_copy_and_nowhere_else():
    before = json.dumps(NESTED)
    out = with_key(NESTED, "arm.path[1].length_km", 9.0, "f.toml")
    assert json.dumps(NESTED) == before
    assert out["arm"]["path"] == [{"length_km": 1.0}, {"length_km": 9.0}]
    assert out["arm"]["node"] == NESTED["arm"]["node"]
    assert out["arm_a"] == NESTED["arm_a"]


def test_missing_tables_are_made_on_the_way_to_a_key():
    out = with_key({"a": 1}, "arm.transducer.override.optical.extraction", 0.5, "f.toml")
    assert out == {"a": 1, "arm": {"transducer": {"override": {"optical": {"extraction": 0.5}}}}}
    assert with_key(NESTED, "arm_b.node.eff", 0.2, "f")["arm_b"] == {"node": {"eff": 0.2}}


def test_a_number_keeps_its_address_and_loses_its_uncertainty():
    out = with_key(NESTED, "arm_b.deep.number", 3.0, "f")
    assert out["arm_b"]["deep"]["number"] == 3.0
    out = with_key({"arm": NESTED["arm"]}, "arm.node.eff", 0.5, "f")["arm"]["node"]["eff"]
    assert out == {"value": 0.5, "status": "read", "where": "p. 3", "note": "n"}
    out = with_key(NESTED, "arm.deep.number", 3.0, "f")["arm"]["deep"]["number"]
    assert out == {"value": 3.0, "status": "guess"}


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("arm.path[2].length_km", ["[2]", "holds 2"]),
        ("arm.node[0].eff", ["[0]"]),
        ("arm.path.length_km", ["arm.path.length_km"]),
        ("arm.path[0].length_km.more", ["more"]),
        ("arm.deep", ["is a table"]),
        ("arm.node.eff", ["hidden by 'arm_a'", "arm_b"]),
        ("arm..node", ["arm..node"]),
        ("arm.path[-1].length_km", ["path[-1]"]),
        ("arm.path[x].length_km", ["path[x]"]),
        ("arm.path[0", ["path[0"]),
        ("[0].x", ["[0].x"]),
        (".", ["."]),
    ],
)
def test_a_key_that_leads_nowhere_is_refused_in_a_sentence(key, words):
    with pytest.raises(DataError) as caught:
        with_key(NESTED, key, 1.0, "f.toml")
    one_sentence(str(caught.value), "f.toml", *words)


HIDDEN = {
    "its own number": (
        "[arm_a.node]\nbright_population = 0.2\n",
        "arm.node.bright_population",
        0.1,
    ),
    "its own path": (FULL_PATH, "arm.path[3].length_km", 3.0),
    "its own device": (
        '[arm_a.transducer]\ndevice = "sahu2022"\noperating_point = "high_efficiency"\n'
        "pump.pulse_length_s = 400e-9\n",
        "arm.transducer.pump.cooperativity",
        0.6,
    ),
    "its own device, an override": (
        '[arm_a.transducer]\ndevice = "sahu2022"\noperating_point = "high_efficiency"\n'
        "pump.pulse_length_s = 400e-9\n",
        "arm.transducer.override.optical.extraction",
        0.8,
    ),
    "its own power": (
        "[arm_a.transducer.pump]\npower_w = 0.02\n",
        "arm.transducer.pump.cooperativity",
        0.6,
    ),
}


@pytest.mark.parametrize("what", HIDDEN)
def test_a_common_key_that_would_not_reach_an_arm_is_refused(what, tmp_path):
    own, key, value = HIDDEN[what]
    place = written(tmp_path, axis("x", key, [value]), scenario=TARGET + "\n" + own)
    before = files(tmp_path)
    with pytest.raises(DataError) as caught:
        load_study(place, tmp_path / "a.h5")
    one_sentence(str(caught.value), "s.toml", key, "arm_a")
    assert files(tmp_path) == before


def test_fast_keys_are_those_that_scale_light_or_phase():
    fast = [k for k in (*SINGLE_KEYS, *ARM_KEYS) if is_fast(k)]
    assert len(fast) == 5 + 4
    assert not is_fast("arm.path[3].length_km.x")
    assert not is_fast("arm.path[3].count")
    assert not is_fast("scheme")


# --- mistakes in a study file --------------------------------------------------------------------


def one_sentence(said: str, *words: str) -> None:
    assert "\n" not in said.strip(), said
    assert len(said) < 600, said
    assert "Traceback" not in said
    for word in words:
        assert word in said, (word, said)


GOOD = axis("x", MIXED["bright"][0], [0.1, 0.2])
BAD = {
    "an unknown key": ([GOOD], "outputz = ['fidelity']", ["outputz", "outputs"]),
    "an unknown key of an axis": ([GOOD + "step = 2\n"], "", ["step", "axes.0"]),
    "a misspelt scenario key": (
        [axis("x", "arm.node.bright_popluation", [0.1])],
        "",
        ["axis 'x'", "bright_popluation", "bright_population"],
    ),
    "a misspelt first table": (
        [axis("x", "am.node.bright_population", [0.1])],
        "",
        ["axis 'x'", "am"],
    ),
    "a misspelt station key": (
        [axis("x", "station.phase_rms", [0.1])],
        "",
        ["axis 'x'", "phase_rms", "phase_rms_rad"],
    ),
    "a misspelt override": (
        [axis("x", "arm.transducer.override.optical.extration", [0.1])],
        "",
        ["axis 'x'", "extration", "extraction"],
    ),
    "an entry that the path does not have": (
        [axis("x", "arm.path[9].length_km", [1.0])],
        "",
        ["axis 'x'", "[9]"],
    ),
    "a length of something that is no fibre": (
        [axis("x", "arm.path[0].length_km", [1.0])],
        "",
        ["axis 'x'", "length_km", "fibre"],
    ),
    "an axis over a table": ([axis("x", "arm.node", [0.1])], "", ["axis 'x'", "arm.node", "table"]),
    "an axis over a list": ([axis("x", "arm.path", [0.1])], "", ["axis 'x'", "path"]),
    "words where a number belongs": (
        [axis("x", MIXED["length"][0], ["far", "near"])],
        "",
        ["axis 'x'", "length_km", "far"],
    ),
    "numbers where a word belongs": ([axis("x", "scheme", [1.0, 2.0])], "", ["axis 'x'", "scheme"]),
    "a device that there is not": (
        [axis("x", "arm.transducer.device", ["sahu2202"])],
        "",
        ["axis 'x'", "sahu2202", "sahu2022"],
    ),
    "an axis without values": ([axis("x", MIXED["bright"][0])], "", ["axes.0", "values", "start"]),
    "an axis with no value in it": ([axis("x", MIXED["bright"][0], [])], "", ["axes.0", "values"]),
    "values and start both": (
        [axis("x", MIXED["bright"][0], [0.1], start=0.1, stop=0.2)],
        "",
        ["axes.0", "values", "start"],
    ),
    "values and a count": (
        [axis("x", MIXED["bright"][0], [0.1], count=1)],
        "",
        ["axes.0", "count"],
    ),
    "a start without a stop": (
        [axis("x", MIXED["bright"][0], start=0.1, count=2)],
        "",
        ["axes.0", "stop"],
    ),
    "a grid axis without a count": (
        [axis("x", MIXED["bright"][0], start=0.1, stop=0.2)],
        "",
        ["'x'", "count"],
    ),
    "a logarithm of zero": (
        [axis("x", MIXED["bright"][0], start=0.0, stop=0.2, count=3, spacing="log")],
        "",
        ["axes.0", "start", "log"],
    ),
    "a logarithm of a negative number": (
        [axis("x", MIXED["bright"][0], start=-1.0, stop=-0.2, count=3, spacing="log")],
        "",
        ["axes.0", "start", "log"],
    ),
    "an unknown spacing": (
        [axis("x", MIXED["bright"][0], start=0.1, stop=0.2, count=3, spacing="lin")],
        "",
        ["spacing", "linear"],
    ),
    "a count of zero": (
        [axis("x", MIXED["bright"][0], start=0.1, stop=0.2, count=0)],
        "",
        ["axes.0.count", "0"],
    ),
    "a count that is not whole": (
        [axis("x", MIXED["bright"][0], start=0.1, stop=0.2, count=2.5)],
        "",
        ["axes.0.count", "2.5"],
    ),
    "two axes of one name": ([GOOD, axis("x", MIXED["length"][0], [1.0])], "", ["'x'", "twice"]),
    "an axis named status": (
        [axis("status", MIXED["length"][0], [1.0])],
        "",
        ["'status'", "rename"],
    ),
    "an axis named point": ([axis("point", MIXED["length"][0], [1.0])], "", ["'point'", "rename"]),
    "an axis named like an output": (
        [axis("fidelity", MIXED["length"][0], [1.0])],
        "",
        ["'fidelity'", "rename"],
    ),
    "an axis name with a space": (
        [axis("x y", MIXED["length"][0], [1.0])],
        "",
        ["axes.0.name", "x y"],
    ),
    "an axis that repeats a value": (
        [axis("x", MIXED["length"][0], [1.0, 2.0, 1.0])],
        "",
        ["'x'", "more than once"],
    ),
    "an axis without keys": (
        ['[[axes]]\nname = "x"\nkeys = []\nvalues = [1.0]'],
        "",
        ["axes.0.keys"],
    ),
    "an axis with numbers and words": (
        [axis("x", MIXED["length"][0], [1.0, "two"])],
        "",
        ["axes.0", "words"],
    ),
    "a value that is true": ([axis("x", MIXED["length"][0], [True])], "", ["axes.0.values"]),
    "a value that is not finite": (
        ['[[axes]]\nname = "x"\nkeys = ["arm.path[3].length_km"]\nvalues = [1.0, inf]'],
        "",
        ["axes.0.values", "inf"],
    ),
    "a value that is not a number": (
        ['[[axes]]\nname = "x"\nkeys = ["arm.path[3].length_km"]\nvalues = [nan]'],
        "",
        ["axes.0.values", "nan"],
    ),
    "a stop that is not finite": (
        [
            '[[axes]]\nname = "x"\nkeys = ["arm.path[3].length_km"]\nstart = 1.0\nstop = inf\ncount = 3'
        ],
        "",
        ["axes.0.stop", "inf"],
    ),
    "axes of different length side by side": (
        [GOOD, axis("y", MIXED["length"][0], [1.0])],
        'sampler = { kind = "zipped" }',
        ["equally long"],
    ),
    "an unknown output": (
        [GOOD],
        "outputs = ['fidelty']",
        ["outputs", "fidelty", "did you mean 'fidelity'"],
    ),
    "an output given twice": ([GOOD], "outputs = ['fidelity', 'fidelity']", ["outputs", "once"]),
    "no output at all": ([GOOD], "outputs = []", ["outputs"]),
    "a scheme that is set and swept": (
        [axis("x", "scheme", ["single-click"])],
        'scheme = "two-click"',
        ["'scheme'", "leave one"],
    ),
    "an unknown scheme": ([GOOD], 'scheme = "one-click"', ["scheme", "one-click", "single-click"]),
    "an unknown engine": ([GOOD], 'engine = "scatering"', ["engine", "scatering", "scattering"]),
    "an unknown sampler": ([GOOD], 'sampler = { kind = "sobool" }', ["sampler.kind", "sobol"]),
    "a sampler without a seed": (
        [axis("x", MIXED["bright"][0], start=0.1, stop=0.2)],
        'sampler = { kind = "sobol", count = 4 }',
        ["sampler", "seed"],
    ),
    "a sampler without a count": (
        [axis("x", MIXED["bright"][0], start=0.1, stop=0.2)],
        'sampler = { kind = "sobol", seed = 4 }',
        ["sampler", "count"],
    ),
    "a seed of a grid": ([GOOD], "sampler = { seed = 4 }", ["sampler", "seed"]),
    "a sampler of values": (
        [GOOD],
        'sampler = { kind = "sobol", count = 4, seed = 1 }',
        ["'x'", "start"],
    ),
    "a sampled range that is upside down": (
        [axis("x", MIXED["bright"][0], start=0.3, stop=0.2)],
        'sampler = { kind = "sobol", count = 4, seed = 1 }',
        ["'x'", "below"],
    ),
    "an archive that is no archive": ([GOOD], 'archive = "out.txt"', ["archive", "out.txt", ".h5"]),
    "a study without axes": ([], "", ["axes"]),
    "a study with an empty list of axes": ([], "axes = []", ["axes"]),
    "a block of no points": ([GOOD], "block = 0", ["block", "0"]),
    "one key from two axes": (
        [GOOD, axis("y", MIXED["bright"][0], [0.3, 0.4])],
        "",
        ["bright_population", "'x'", "'y'"],
    ),
    "one slow key from two axes": (
        [axis("x", MIXED["C"][0], [0.5]), axis("y", MIXED["C"][0], [0.6])],
        "",
        ["cooperativity", "'x'", "'y'"],
    ),
    "one key twice in one axis": (
        [axis("x", [MIXED["C"][0], MIXED["C"][0]], [0.5])],
        "",
        ["cooperativity", "'x'"],
    ),
    "the scheme from two axes": (
        [axis("x", "scheme", ["single-click"]), axis("y", "scheme", ["two-click"])],
        "",
        ["scheme", "'x'", "'y'"],
    ),
    "a key of both arms and of one": (
        [axis("x", "arm_a.node.bright_population", [0.1]), axis("y", MIXED["bright"][0], [0.3])],
        "",
        ["bright_population", "'x'", "'y'"],
    ),
    "an axis that nothing reads": (
        [axis("x", "schemes[0]", ["single-click", "two-click"])],
        "",
        ["'x'", "scheme"],
    ),
    "a word of the axis that is misspelt": (
        [axis("x", "scheme", ["single-click", "tow-click"])],
        "",
        ["'x'", "tow-click", "two-click"],
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_a_mistake_in_a_study_is_one_sentence_and_writes_nothing(what, tmp_path, monkeypatch):
    axes, head, words = BAD[what]
    place = written(tmp_path, *axes, head=head)
    monkeypatch.chdir(tmp_path)
    before = files(tmp_path)
    with pytest.raises(ToolkitError) as caught:
        run(load_study(place.name))
    one_sentence(str(caught.value), *words)
    assert files(tmp_path) == before
    # file and remedy, too
    assert "study.toml" in str(caught.value), str(caught.value)
    assert any(mark in str(caught.value) for mark in (";", "?", "must")), str(caught.value)


def test_an_unknown_scenario_is_one_sentence_that_names_the_study(tmp_path):
    place = written(tmp_path, GOOD)
    for name, hint in (("metro_targe", "metro_target"), ("gone.toml", "gone.toml")):
        place.write_text(place.read_text().replace('"s.toml"', f'"{name}"'), "utf-8")
        with pytest.raises(DataError) as caught:
            load_study(place, tmp_path / "a.h5")
        one_sentence(str(caught.value), name, hint, "study.toml")
        place.write_text(place.read_text().replace(f'"{name}"', '"s.toml"'), "utf-8")
    assert files(tmp_path) == ["s.toml", "study.toml"]


def test_an_unknown_study_is_one_sentence(tmp_path):
    for name, hint in (
        ("metro_distanc", "metro_distance"),
        ("no.toml", "no.toml"),
        ("x" * 5000, "xxx"),
    ):
        with pytest.raises(DataError) as caught:
            load_study(name)
        one_sentence(str(caught.value), hint)
    (tmp_path / "broken.toml").write_text("name = [", "utf-8")
    with pytest.raises(DataError, match="not valid TOML"):
        load_study(tmp_path / "broken.toml")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(DataError):
        load_study(tmp_path / "folder.toml")


@pytest.mark.parametrize("name", ["out.txt", "out", "out.h5.gz"])
def test_an_archive_asked_for_that_is_no_h5_is_refused_before_anything_runs(name, tmp_path):
    place = written(tmp_path, GOOD)
    before = files(tmp_path)
    with pytest.raises(ToolkitError, match=r"\.h5"):
        run(load_study(place, tmp_path / name))
    assert files(tmp_path) == before


@pytest.mark.parametrize("name", ["self", "lambda", "function", "columns", "dims", "rows", "size"])
def test_an_axis_may_have_any_name_that_is_not_taken(name, tmp_path):
    found = swept(tmp_path, axis(name, MIXED["bright"][0], [0.1, 0.3]))
    text = TARGET.replace(BRIGHT, "bright_population = 0.3")
    agrees(found, {name: 1}, by_hand(tmp_path, text))


# --- shipped studies -----------------------------------------------------------------------------


def test_there_are_shipped_studies_and_they_load_by_name(tmp_path):
    names = data.names("studies")
    assert {"metro_distance", "pump_power", "tolerances"} <= set(names)
    for name in names:
        study = load_study(name)
        assert study.name == name
        assert study.archive == Path(f"results/{name}.h5")


@pytest.mark.parametrize("name", data.names("studies"))
def test_a_shipped_study_runs_and_is_finite_wherever_it_is_computed(name, tmp_path, monkeypatch):
    import tomllib

    text = (data.root("studies") / f"{name}.toml").read_text("utf-8")
    raw = tomllib.loads(text)
    for line in {line for line in text.splitlines() if line.startswith("count = ")}:
        text = text.replace(line + "\n", "count = 5\n")
    small = tmp_path / f"{name}.toml"
    small.write_text(text.replace("count = 256", "count = 16"), "utf-8")
    monkeypatch.chdir(tmp_path)
    found = run(load_study(small, "a.h5"))
    ok = found.status.values == Status.OK
    assert ok.mean() > 0.5
    for output in raw.get("outputs", FIGURES):
        assert np.isfinite(found[output].values[ok]).all(), output
        assert np.isnan(found[output].values[~ok]).all(), output
    assert all(r for r in found.reason.values[~ok])
    sweep_figure(found).draw_without_rendering()


def test_an_archive_holds_what_is_computed_in_memory(tmp_path):
    axes = [axis(name, *MIXED[name]) for name in ("scheme", "C", "length", "bright")]
    found = swept(tmp_path, *axes)
    kept = run(load_study(tmp_path / "study.toml", tmp_path / "kept.h5"))
    assert kept.title == found.title == "try"
    same_bits(kept[list(found.data_vars)], found)
    for name in output_labels():
        assert kept[name].attrs["units"] == output_labels()[name].unit


def test_a_shipped_study_and_its_copy_are_one_study(tmp_path):
    shutil.copy(data.root("studies") / "pump_power.toml", tmp_path / "mine.toml")
    one, two = (
        load_study("pump_power", tmp_path / "a.h5"),
        load_study(tmp_path / "mine.toml", tmp_path / "a.h5"),
    )
    assert one.function.fingerprint() == two.function.fingerprint()
    assert one.inputs == two.inputs
    assert (
        one.design.columns(0, 9)["length"].tolist() == two.design.columns(0, 9)["length"].tolist()
    )


def test_the_wheel_carries_the_studies_where_the_door_looks_for_them():
    source = Path(transducer.__file__).parent.parent / "hatch_build.py"
    spec = importlib.util.spec_from_file_location("hatch_build_of_the_project", source)
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    assert hook.OWNERS == data.KINDS
    assert data.KINDS["studies"] == "transducer"
    folders = {p.name for p in (source.parent / "data").iterdir() if p.is_dir()}
    assert folders == set(data.KINDS)
    build_data: dict = {"force_include": {}}
    hook.DataHook.initialize(None, "standard", build_data)
    assert build_data["force_include"]["data/studies"] == "transducer/_data/studies"


# --- stop and go on --------------------------------------------------------------------------------

OWN = swapped(TARGET, 'device = "sahu2022"', 'device = "own.dev.toml"')
OWN = swapped(OWN, 'part = "fibre.g652d"', 'part = "own.fibre.toml"')
OWN_AXES = (
    axis("C", MIXED["C"][0], [0.0, 0.35, 0.5, 0.7]),
    axis("length", MIXED["length"][0], [1.0, 12.5, 1e5]),
)


SOME = (
    "['fidelity', 'delivered_rate', 'transmission_a', 'noise_a', 'latency', 'conversion_noise_b']"
)


def own_files(folder: Path, head: str = "block = 2") -> Path:
    place = written(folder, *OWN_AXES, scenario=OWN, head=f"outputs = {SOME}\n{head}")
    (folder / "own.dev.toml").write_text(SAHU.replace('"sahu2022"', '"own.dev"', 1), "utf-8")
    (folder / "own.fibre.toml").write_text(
        FIBRE.replace('"fibre.g652d"', '"own.fibre"', 1), "utf-8"
    )
    return place


def stopped(place: Path, archive: Path, monkeypatch, after: int = 2) -> None:
    with monkeypatch.context() as patch:
        commit, done = Parts.commit, []

        def stop(self: Parts, number: int, block: object) -> None:
            if len(done) == after:
                raise KeyboardInterrupt
            done.append(number)
            commit(self, number, block)

        patch.setattr(Parts, "commit", stop)
        with pytest.raises(KeyboardInterrupt, match="resume") as caught:
            run(load_study(place, archive))
    assert str(archive) in str(caught.value)
    assert not archive.exists()
    assert len(Parts(archive).done()) == after


@pytest.fixture
def elsewhere(tmp_path, monkeypatch) -> Iterator[Path]:
    folder = tmp_path / "elsewhere" / "deeper"
    folder.mkdir(parents=True)
    yield folder
    monkeypatch.undo()


@pytest.mark.parametrize("after", [1, 4])
def test_a_study_that_was_stopped_goes_on_from_another_folder_to_the_same_bits(
    after, tmp_path, elsewhere, monkeypatch
):
    home = tmp_path / "home"
    own_files(home / "sub")
    monkeypatch.chdir(home)
    whole = run(load_study("sub/study.toml", "whole.h5"))
    stopped(Path("sub/study.toml"), Path("out/part.h5"), monkeypatch, after)
    pending = archives.load("out/part.h5")
    assert int((pending.status == Status.PENDING).sum()) == 12 - 2 * after
    monkeypatch.chdir(elsewhere)
    found = run(restored(Path("../../home/out/part.h5")))
    same_bits(found, whole)
    assert not (home / "out" / "part.h5.parts").exists()
    same_bits(archives.load(home / "out" / "part.h5"), archives.load(home / "whole.h5"))
    again = restored(home / "out" / "part.h5")  # from yet another place: it is finished
    same_bits(run(again), whole)


def test_a_study_of_a_shipped_scenario_goes_on_with_the_same_sentences(tmp_path, monkeypatch):
    place = written(
        tmp_path,
        axis("x", "arm.node.photon_fwhm_s", [1e-7, -1.0, 9e-8, -2.0, 1.1e-7]),
        head="block = 1",
    )
    place.write_text(place.read_text().replace('"s.toml"', '"metro_target"'), "utf-8")
    whole = run(load_study(place, tmp_path / "whole.h5"))
    stopped(place, tmp_path / "part.h5", monkeypatch, 2)
    found = run(restored(tmp_path / "part.h5"))
    assert found.reason.values.tolist() == whole.reason.values.tolist()
    same_bits(found, whole)


def test_an_archive_and_its_files_may_move_together(tmp_path, monkeypatch):
    own_files(tmp_path / "home")
    stopped(tmp_path / "home" / "study.toml", tmp_path / "home" / "a.h5", monkeypatch)
    whole = run(load_study(tmp_path / "home" / "study.toml", tmp_path / "home" / "b.h5"))
    shutil.move(tmp_path / "home", tmp_path / "moved")
    same_bits(run(restored(tmp_path / "moved" / "a.h5")), whole)


CHANGES = {
    "device": (
        "own.dev.toml",
        "kappa_int_hz = { value = 8.1e6",
        "kappa_int_hz = { value = 8.3e6",
        "microwave.kappa_int_hz",
        "8100000.0",
        "8300000.0",
    ),
    "part": (
        "own.fibre.toml",
        "1550 = { value = 0.20",
        "1550 = { value = 0.21",
        "values.attenuation_db_per_km.1550",
        "0.2",
        "0.21",
    ),
}


@pytest.mark.parametrize(
    ("what", "finished"), [("device", False), ("device", True), ("part", False)]
)
def test_a_changed_number_is_refused_by_file_key_old_and_new_value(
    what, finished, tmp_path, monkeypatch
):
    place, target = own_files(tmp_path), tmp_path / "a.h5"
    if finished:
        run(load_study(place, target))
    else:
        stopped(place, target, monkeypatch)
    before = files(tmp_path)
    file, old, new, key, was, now = CHANGES[what]
    text = (tmp_path / file).read_text("utf-8")
    (tmp_path / file).write_text(text.replace(old, new, 1), "utf-8")
    for again in (lambda: restored(target), lambda: load_study(place, target)):
        with pytest.raises(ToolkitError) as caught:
            run(again())
        one_sentence(str(caught.value), str(target), file, key, was, now)
    assert files(tmp_path) == before
    (tmp_path / file).write_text("# a remark\n" + text.replace(" # ", " # more: "), "utf-8")
    found = run(restored(target))
    assert int((found.status == Status.PENDING).sum()) == 0


def test_a_changed_scenario_is_refused_by_key_old_and_new_value(tmp_path, monkeypatch):
    place, target = own_files(tmp_path), tmp_path / "a.h5"
    stopped(place, target, monkeypatch)
    scenario = tmp_path / "s.toml"
    scenario.write_text(
        OWN.replace("lock_duty = { value = 0.8", "lock_duty = { value = 0.7"), "utf-8"
    )
    with pytest.raises(ToolkitError) as caught:
        run(load_study(place, target))
    one_sentence(str(caught.value), "scenario", "schedule.lock_duty.value", "was 0.8", "is 0.7")
    scenario.write_text("# said otherwise\n" + OWN.replace("12.5", "12.50"), "utf-8")
    found = run(load_study(place, target))
    assert int((found.status == Status.PENDING).sum()) == 0


def test_a_scenario_that_changed_is_not_resumed_in_silence(tmp_path, monkeypatch):
    """An archive goes on with the scenario it holds, or says that the file is another one now."""
    place, target = own_files(tmp_path), tmp_path / "a.h5"
    whole = run(load_study(place, tmp_path / "whole.h5"))
    stopped(place, target, monkeypatch)
    (tmp_path / "s.toml").write_text(
        OWN.replace("lock_duty = { value = 0.8", "lock_duty = { value = 0.7"), "utf-8"
    )
    try:
        found = run(restored(target))
    except ToolkitError as error:
        one_sentence(str(error), "lock_duty", "0.8", "0.7")
    else:
        same_bits(found, whole)


def test_a_changed_study_is_refused_and_a_remark_in_it_is_not(tmp_path, monkeypatch):
    place, target = own_files(tmp_path), tmp_path / "a.h5"
    stopped(place, target, monkeypatch)
    text = place.read_text("utf-8")
    for old, new, words in (
        ("0.35, 0.5, 0.7", "0.35, 0.55, 0.7", ["'C'"]),
        ("block = 2", "block = 3", ["block", "2", "3"]),
        ("block = 2", 'block = 2\nscheme = "two-click"', ["scheme"]),
        ("block = 2", 'block = 2\nengine = "pulse"', ["engine"]),
        ("'fidelity', ", "", ["outputs"]),
    ):
        assert old in text
        place.write_text(text.replace(old, new), "utf-8")
        with pytest.raises(ToolkitError) as caught:
            run(load_study(place, target))
        one_sentence(str(caught.value), *words)
    place.write_text("# a remark\n" + text, "utf-8")
    assert int((run(load_study(place, target)).status == Status.PENDING).sum()) == 0


def test_a_device_of_a_word_axis_counts_as_an_input_even_if_two_share_a_name(tmp_path):
    for folder, loss in (("p", "8.1e6"), ("q", "9.9e6")):
        (tmp_path / folder).mkdir()
        text = SAHU.replace('"sahu2022"', '"dev"', 1).replace("value = 8.1e6", f"value = {loss}")
        (tmp_path / folder / "dev.toml").write_text(text, "utf-8")
    place = written(tmp_path, axis("d", "arm.transducer.device", ["p/dev.toml", "q/dev.toml"]))
    try:
        run(load_study(place, tmp_path / "a.h5"))
    except DataError as error:
        one_sentence(str(error), "dev")
        return
    text = (tmp_path / "p" / "dev.toml").read_text("utf-8")
    (tmp_path / "p" / "dev.toml").write_text(
        text.replace("g0_hz = { value = 37.0", "g0_hz = { value = 38.0"), "utf-8"
    )
    with pytest.raises(ToolkitError, match=r"was 37\.0, is 38\.0"):
        run(restored(tmp_path / "a.h5"))


def test_an_archive_that_no_study_made_is_not_resumed(tmp_path):
    sweep(lambda x: {"y": 2 * x}, {"x": [1.0, 2.0]}, archive=tmp_path / "a.h5")
    with pytest.raises(DataError, match="not made by a study"):
        restored(tmp_path / "a.h5")
    with pytest.raises(DataError):
        restored(tmp_path / "none.h5")


def test_two_processes_give_the_same_bits_as_one(tmp_path):
    own_files(tmp_path)
    found = [run(load_study(tmp_path / "study.toml", tmp_path / f"{n}.h5"), n) for n in (0, 2)]
    same_bits(*found)
    same_bits(*(archives.load(tmp_path / f"{n}.h5") for n in (0, 2)))


# --- the command line ----------------------------------------------------------------------------


def said(*arguments: object) -> str:
    """What a command prints; it must end well."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # as the command line itself does
        done = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(autouse=True)
def _ctrl_c_as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def undrawn(monkeypatch) -> None:
    """Pictures cost time: where only words and archives matter, none is drawn."""
    monkeypatch.setattr(sweep_report, "sweep_png", lambda found, inputs: b"a picture")


def process(*arguments: object, cwd: Path, code: str = "") -> list[str]:
    start = ["-c", code] if code else ["-m", "transducer"]
    return [sys.executable, *start, *map(str, arguments)]


def called(*arguments: object, cwd: Path, code: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        process(*arguments, cwd=cwd, code=code), cwd=cwd, capture_output=True, text=True, timeout=60
    )


def test_sweep_writes_archive_and_picture_and_says_so_once(tmp_path, monkeypatch):
    own_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    out = said("sweep", "study.toml", "--out", "new/folder/a.h5")
    assert "wrote new/folder/a.h5" in out
    assert "wrote new/folder/a.png" in out
    assert "12 points, 6 computed" in out
    assert "no light comes through" in " ".join(out.split())
    archive, picture = Path("new/folder/a.h5"), Path("new/folder/a.png")
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert sorted(p.name for p in archive.parent.iterdir()) == ["a.h5", "a.png"]
    stamps = [(p.stat().st_mtime_ns, p.stat().st_ino, p.read_bytes()) for p in (archive, picture)]
    for command in (("sweep", "study.toml", "--out", archive), ("resume", archive)):
        again = said(*command)
        assert "12 points, 6 computed" in again
        assert [
            (p.stat().st_mtime_ns, p.stat().st_ino, p.read_bytes()) for p in (archive, picture)
        ] == stamps
    assert sorted(p.name for p in archive.parent.iterdir()) == ["a.h5", "a.png"]


def test_a_command_that_wrote_nothing_does_not_say_that_it_wrote(tmp_path, undrawn):
    own_files(tmp_path)
    archive = tmp_path / "a.h5"
    said("sweep", tmp_path / "study.toml", "--out", archive)
    assert "\nwrote " not in said("sweep", tmp_path / "study.toml", "--out", archive)
    assert "\nwrote " not in said("resume", archive)


def test_a_study_without_a_place_goes_into_results_under_its_name(tmp_path, monkeypatch, undrawn):
    own_files(tmp_path / "there")
    monkeypatch.chdir(tmp_path)
    out = said("sweep", "there/study.toml")
    assert "wrote results/try.h5" in out
    assert files(tmp_path / "results") == ["try.h5", "try.png"]
    own_files(tmp_path / "there", head='archive = "kept/mine.h5"\nblock = 4')
    assert "wrote kept/mine.h5" in said("sweep", "there/study.toml")


def test_info_of_a_running_archive_counts_what_is_pending(tmp_path, monkeypatch, undrawn):
    place = own_files(tmp_path)
    stopped(place, tmp_path / "a.h5", monkeypatch)
    out = said("info", tmp_path / "a.h5")
    assert "12 points, 1 computed; 3 not valid, 8 pending" in out
    out = said("resume", tmp_path / "a.h5")
    assert "pending" not in out
    out = said("info", tmp_path / "a.h5")
    assert "12 points, 6 computed" in out
    assert "km" in out or "length" in out
    assert "own.dev" in out
    assert "Rests on" in out
    assert "serial" in out


def test_merge_completes_a_folder_whose_blocks_are_all_there(tmp_path, monkeypatch):
    place = own_files(tmp_path)
    whole = run(load_study(place, tmp_path / "whole.h5"))

    def killed(parts: Parts) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sweep_run, "merge", killed)
        with pytest.raises(KeyboardInterrupt):
            run(load_study(place, tmp_path / "a.h5"))
    assert not (tmp_path / "a.h5").exists()
    assert f"wrote {tmp_path / 'a.h5'}" in said("merge", tmp_path / "a.h5")
    assert not (tmp_path / "a.h5.parts").exists()
    same_bits(archives.load(tmp_path / "a.h5"), whole)
    same_bits(run(restored(tmp_path / "a.h5")), whole)


def test_merge_of_what_is_not_complete_or_not_there_is_refused(tmp_path, monkeypatch):
    place = own_files(tmp_path)
    stopped(place, tmp_path / "a.h5", monkeypatch)
    before = files(tmp_path)
    for name, words in (("a.h5", "4 of 6 blocks"), ("b.h5", "not there")):
        done = CliRunner().invoke(app, ["merge", str(tmp_path / name)])
        assert isinstance(done.exception, ToolkitError)
        one_sentence(str(done.exception), name, words)
    assert files(tmp_path) == before
    run(restored(tmp_path / "a.h5"))
    done = CliRunner().invoke(app, ["merge", str(tmp_path / "a.h5")])
    one_sentence(str(done.exception), "finished already")


def test_diff_of_equal_archives_says_that_no_figure_moved(tmp_path):
    place = own_files(tmp_path)
    for name in ("a.h5", "b.h5"):
        run(load_study(place, tmp_path / name))
    out = said("diff", tmp_path / "a.h5", tmp_path / "b.h5")
    assert out.strip() == "no figure moved (6 compared)"
    assert compare(tmp_path / "a.h5", tmp_path / "a.h5").moves == ()


def test_diff_names_the_changed_input_and_the_largest_change_of_every_figure(tmp_path):
    place = own_files(tmp_path)
    one = run(load_study(place, tmp_path / "a.h5"))
    device = tmp_path / "own.dev.toml"
    text = device.read_text("utf-8").replace(
        "frequency_hz = { value = 8.795e9", "frequency_hz = { value = 8.1e9"
    )
    text = text.replace("g0_hz = { value = 37.0", "g0_hz = { value = 39.0")
    device.write_text(text, "utf-8")
    two = run(load_study(place, tmp_path / "b.h5"))
    found = compare(tmp_path / "a.h5", tmp_path / "b.h5")
    changed = " | ".join(found.inputs)
    assert "own.dev.toml 'coupling.g0_hz.value' was 37.0, is 39.0" in changed
    assert (
        "own.dev.toml 'microwave.frequency_hz.value' was 8795000000.0, is 8100000000.0" in changed
    )
    moved = {move.name: move for move in found.moves}
    names = [name for name in one.data_vars if name in output_labels()]
    for name in names:
        a, b = one[name].values, two[name].values
        apart = ~((a == b) | (np.isnan(a) & np.isnan(b)))
        assert (name in moved) == bool(apart.any()), name
        if name in moved:
            move = moved[name]
            change = np.where(np.isfinite(b - a), b - a, 0.0)
            assert move.points == apart.sum()
            assert abs(move.largest) == np.abs(change).max()
            assert move.largest in change
            relative = np.abs(change) / np.fmax(np.abs(a), np.abs(b))
            assert move.relative == pytest.approx(np.nanmax(relative), rel=1e-12)
            assert move.unit == output_labels()[name].unit
    assert "noise_a" in moved
    assert found.same + len(found.moves) == len(names)
    relatives = [move.relative for move in found.moves]
    assert relatives == sorted(relatives, reverse=True)
    out = said("diff", tmp_path / "a.h5", tmp_path / "b.h5")
    assert "coupling.g0_hz" in out
    assert f"{moved['noise_a'].largest:+.4g}" in out


def test_diff_counts_values_that_came_or_went(tmp_path):
    place = own_files(tmp_path)
    run(load_study(place, tmp_path / "a.h5"))
    device = tmp_path / "own.fibre.toml"
    device.write_text(
        device.read_text("utf-8").replace(
            "1550 = { value = 0.20, max = 0.30", "1550 = { value = 0.0001, max = 0.30"
        ),
        "utf-8",
    )
    two = run(load_study(place, tmp_path / "b.h5"))
    assert int((two.status == Status.OK).sum()) == 9
    moved = {m.name: m for m in compare(tmp_path / "a.h5", tmp_path / "b.h5").moves}
    assert moved["transmission_a"].points == 9
    assert moved["transmission_a"].relative == np.inf
    assert np.isfinite(moved["transmission_a"].largest)
    assert "length = 100000" in moved["transmission_a"].where
    said("diff", tmp_path / "a.h5", tmp_path / "b.h5")


def test_diff_of_other_axes_is_refused(tmp_path):
    for name, axes in (
        ("a", [axis("x", MIXED["bright"][0], [0.1, 0.2])]),
        ("b", [axis("x", MIXED["bright"][0], [0.1, 0.3])]),
        ("c", [axis("y", MIXED["bright"][0], [0.1, 0.2])]),
        ("d", [axis("x", MIXED["bright"][0], [0.1])]),
    ):
        place = written(tmp_path, *axes, head="outputs = ['fidelity']")
        run(load_study(place, tmp_path / f"{name}.h5"))
    for name, words in (("b", "other values"), ("c", "only"), ("d", "other values")):
        done = CliRunner().invoke(
            app, ["diff", str(tmp_path / "a.h5"), str(tmp_path / f"{name}.h5")]
        )
        assert isinstance(done.exception, ToolkitError)
        one_sentence(str(done.exception), "axis", words)


def test_a_figure_that_one_archive_lacks_is_named(tmp_path):
    for name, head in (("a", "outputs = ['fidelity', 'rate']"), ("b", "outputs = ['fidelity']")):
        run(load_study(written(tmp_path, GOOD, head=head), tmp_path / f"{name}.h5"))
    found = compare(tmp_path / "a.h5", tmp_path / "b.h5")
    assert found.missing == ("rate",)
    assert "rate" in said("diff", tmp_path / "a.h5", tmp_path / "b.h5")


def test_ctrl_c_says_in_one_sentence_how_to_go_on_and_resume_does(tmp_path, undrawn):
    values = np.linspace(0.35, 0.9, 400).tolist()
    place = written(
        tmp_path, axis("C", MIXED["C"][0], values), head="block = 4\noutputs = ['fidelity']"
    )
    parts = Parts(tmp_path / "a.h5")
    started = subprocess.Popen(
        process("sweep", place, "--out", "a.h5", cwd=tmp_path),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        limit = time.monotonic() + 30
        while len(parts.done()) < 3 and time.monotonic() < limit and started.poll() is None:
            time.sleep(0.01)
        started.send_signal(signal.SIGINT)
        out, err = started.communicate(timeout=30)
    finally:
        started.kill()
    assert started.returncode == 130, (out, err)
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    one_sentence(err, "transducer: interrupted after", "of 400 points", "transducer resume a.h5")
    assert 3 <= len(parts.done()) < 100
    assert [p.name for p in parts.folder.iterdir() if p.name.endswith(".tmp")] == []
    assert not (tmp_path / "a.h5").exists()
    out = said("resume", tmp_path / "a.h5", "--workers", 2)
    assert "400 points, 400 computed" in out
    assert (tmp_path / "a.png").exists()
    same_bits(archives.load(tmp_path / "a.h5"), run(load_study(place, tmp_path / "b.h5")))


STOPPED_WHILE_DRAWING = """
import transducer.sweep_report as report, transducer.cli as cli
def stop(found, inputs): raise KeyboardInterrupt
report.sweep_png = stop
cli.main()
"""


def test_ctrl_c_while_the_picture_is_drawn_keeps_the_archive_and_is_a_sentence(tmp_path, undrawn):
    own_files(tmp_path)
    done = called("sweep", "study.toml", "--out", "a.h5", cwd=tmp_path, code=STOPPED_WHILE_DRAWING)
    assert done.returncode == 130
    assert done.stderr.strip().startswith("transducer: interrupted"), done.stderr
    assert (tmp_path / "a.h5").exists()
    out = said("sweep", tmp_path / "study.toml", "--out", tmp_path / "a.h5")
    assert "a.png" in out
    assert (tmp_path / "a.png").exists()


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    own_files(tmp_path)
    (tmp_path / "file").write_text("", "utf-8")
    before = files(tmp_path)
    done = called("sweep", "study.toml", "--out", "file/a.h5", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    one_sentence(done.stderr, "transducer: ", "file/a.h5", "cannot be written", ";")
    assert files(tmp_path) == before


@pytest.mark.parametrize("name", ["x" * 5000, "study.toml\0", "no_such_study"])
def test_a_strange_name_of_a_study_is_one_sentence(name, tmp_path):
    done = CliRunner().invoke(app, ["sweep", name])
    assert isinstance(done.exception, ToolkitError), repr(done.exception)
    one_sentence(str(done.exception)[:300])


def test_output_that_nobody_reads_on_costs_no_file(tmp_path):
    own_files(tmp_path)
    command = f'"{sys.executable}" -m transducer sweep study.toml --out a.h5 | head -1'
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert "Traceback" not in done.stderr
    assert done.stderr == ""
    assert (tmp_path / "a.h5").exists()
    assert (tmp_path / "a.png").exists()
    assert int((archives.load(tmp_path / "a.h5").status == Status.PENDING).sum()) == 0


def test_every_command_refuses_a_file_that_is_no_archive(tmp_path):
    place = tmp_path / "a.h5"
    place.write_bytes(b"not an archive")
    for command in (["info", place], ["resume", place], ["diff", place, place], ["merge", place]):
        done = CliRunner().invoke(app, [str(c) for c in command])
        assert isinstance(done.exception, ToolkitError), (command, repr(done.exception))
        one_sentence(str(done.exception), "a.h5")
    assert place.read_bytes() == b"not an archive"


def test_a_foreign_file_in_the_archive_s_place_is_kept(tmp_path, undrawn):
    own_files(tmp_path)
    for name in ("a.h5",):
        (tmp_path / name).write_bytes(b"precious")
        done = CliRunner().invoke(
            app, ["sweep", str(tmp_path / "study.toml"), "--out", str(tmp_path / name)]
        )
        assert isinstance(done.exception, ToolkitError)
        assert (tmp_path / name).read_bytes() == b"precious"
    (tmp_path / "b.png").write_bytes(b"precious")
    said("sweep", tmp_path / "study.toml", "--out", tmp_path / "b.h5")
    assert (tmp_path / "b.png").read_bytes() == b"precious"


# --- the picture -----------------------------------------------------------------------------------

PICTURES = {
    "a line": ([axis("x", MIXED["bright"][0], [0.1, 0.2, 0.3])], ""),
    "a line of words": ([axis("x", "scheme", ["single-click", "two-click"])], ""),
    "a map": (
        [axis("x", MIXED["bright"][0], [0.1, 0.2]), axis("y", MIXED["length"][0], [1.0, 1e5, 9.0])],
        "",
    ),
    "a map of words": (
        [
            axis("x", MIXED["bright"][0], [0.1, 0.2]),
            axis("y", "scheme", ["single-click", "two-click"]),
        ],
        "",
    ),
    "a logarithmic map": (
        [
            axis("x", MIXED["bright"][0], start=1e-3, stop=0.5, count=5, spacing="log"),
            axis("y", MIXED["length"][0], start=0.1, stop=100.0, count=4, spacing="log"),
        ],
        "",
    ),
    "three axes with words": (
        [
            axis("x", MIXED["bright"][0], [0.1, 0.2]),
            axis("w", "scheme", ["single-click", "two-click"]),
            axis("y", MIXED["length"][0], [1.0, 5.0, 9.0]),
        ],
        "",
    ),
    "a row of zipped words": (
        [
            axis("w", "scheme", ["single-click", "two-click"]),
            axis("y", MIXED["length"][0], [1.0, 5.0]),
        ],
        'sampler = { kind = "zipped" }',
    ),
    "one zipped axis": (
        [axis("y", MIXED["length"][0], [1.0, 5.0])],
        'sampler = { kind = "zipped" }',
    ),
    "zipped words alone": (
        [axis("w", "scheme", ["single-click", "two-click"])],
        'sampler = { kind = "zipped" }',
    ),
    "a sampled box": (
        [
            axis("x", MIXED["bright"][0], start=0.01, stop=0.3, spacing="log"),
            axis("y", MIXED["length"][0], start=1.0, stop=3.0),
        ],
        'sampler = { kind = "sobol", count = 8, seed = 1 }',
    ),
    "one sample": (
        [axis("x", MIXED["bright"][0], start=0.01, stop=0.3)],
        'sampler = { kind = "latin-hypercube", count = 1, seed = 1 }',
    ),
    "one point": ([axis("x", MIXED["bright"][0], [0.1])], ""),
    "one point of three axes": (
        [
            axis("x", MIXED["bright"][0], [0.1]),
            axis("w", "scheme", ["two-click"]),
            axis("y", MIXED["length"][0], [1.0]),
        ],
        "",
    ),
    "a line that failed": ([axis("x", MIXED["length"][0], [1e5, 2e5])], ""),
    "a map that failed": (
        [axis("x", MIXED["length"][0], [1e5, 2e5]), axis("y", MIXED["bright"][0], [0.1, 0.2])],
        "",
    ),
    "a cloud that failed": (
        [
            axis("x", MIXED["length"][0], start=1e5, stop=2e5),
            axis("y", MIXED["bright"][0], start=0.1, stop=0.2),
        ],
        'sampler = { kind = "sobol", count = 4, seed = 1 }',
    ),
    "a point that failed": ([axis("x", MIXED["length"][0], [1e5])], ""),
    "one figure that is the same everywhere": (
        [axis("x", MIXED["length"][0], [1.0, 2.0]), axis("y", MIXED["bright"][0], [0.1, 0.2])],
        "outputs = ['overlap']",
    ),
    "a title with signs": ([GOOD], "title = 'a $ and an _ and 100 % of $\\alpha'"),
}


@pytest.mark.parametrize("what", PICTURES)
def test_a_picture_is_drawn_without_a_warning(what, tmp_path):
    axes, head = PICTURES[what]
    if "outputs" not in head and what != "a map":
        head += "\noutputs = ['fidelity', 'delivered_rate']"
    found = swept(tmp_path, *axes, head=head)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = sweep_figure(found)
        figure.draw_without_rendering()
    title = figure.get_suptitle()
    assert f"{found.status.size} points" in title or f"{found.status.size} point" in title
    failed = int((found.status != Status.OK).sum())
    assert (f"{failed} without" in title) == bool(failed)
    shown = [ax for ax in figure.axes if ax.get_visible() and ax.get_xlabel()]
    assert len(shown) == min(4, len(found.data_vars) - 2)


def test_a_picture_shows_the_figures_that_are_asked_for(tmp_path):
    found = swept(tmp_path, *PICTURES["a line"][0])
    figure = sweep_figure(found, ["fidelity"])
    (ax,) = figure.axes
    assert ax.lines[0].get_xdata().tolist() == [0.1, 0.2, 0.3]
    assert ax.lines[0].get_ydata().tolist() == found.fidelity.values.tolist()


def test_a_map_shows_every_value_at_its_place(tmp_path):
    found = swept(
        tmp_path,
        axis("x", MIXED["bright"][0], [0.1, 0.2, 0.4]),
        axis("w", "scheme", ["single-click", "two-click"]),
        axis("y", MIXED["length"][0], [1.0, 5.0, 9.0, 11.0]),
    )
    ax = sweep_figure(found, ["fidelity"]).axes[0]
    (mesh,) = ax.collections
    expected = found.fidelity.isel(w=0).transpose("y", "x").values
    np.testing.assert_array_equal(np.asarray(mesh.get_array()).reshape(expected.shape), expected)
    assert "w = single-click" in ax.get_title()


def test_words_with_signs_are_drawn_as_they_are(tmp_path):
    found = sweep(
        lambda w, v, x: {"y": x}, {"w": ["$x^$", "b"], "v": ["$_$", "c"], "x": [1.0, 2.0]}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sweep_figure(found).draw_without_rendering()


def test_a_fibre_that_an_arm_shares_keeps_its_count_where_the_arm_alone_is_swept(tmp_path):
    once = 'part = "fibre.g652d"\nlength_km = 12.5'
    assert once in TARGET
    text = TARGET.replace(once, once + "\ncount = 2")
    found = swept(tmp_path, axis("x", "arm_a.path[3].length_km", [5.0, 20.0]), scenario=text)
    both = swept(tmp_path, axis("x", "arm.path[3].length_km", [5.0, 20.0]), scenario=text)
    assert float(found["transmission_a"][0]) == float(both["transmission_a"][0])
    assert float(found["transmission_a"][1]) == float(both["transmission_a"][1])
    assert float(found["transmission_b"][0]) != float(both["transmission_b"][0])
