"""``transducer device list`` and ``device show`` as a user meets them: real processes, every number with its address."""

import io
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from cavities import Pump, ToolkitError, UnstableError, data
from cavities.constants import ordinary
from cavities.numbers import STATUSES
from tests.commands import refused, transducer
from transducer import load_device
from transducer.device_report import show_device
from transducer.devices.pumped import PumpedDevice
from transducer.published import device_names
from transducer.solvers import scattering

DEVICES = data.names("devices")
BUILT = device_names()
DRAWS = 8
"""Enough to see what is printed; how far predictions are known is asked elsewhere."""
Table = list[list[str]]


@cache
def shown(name: str) -> str:
    """What is printed; that a process prints the same is asked once."""
    written = io.StringIO()
    show_device(name, Console(file=written, width=120, highlight=False), DRAWS)
    return written.getvalue()


def test_the_command_prints_what_is_held_against_the_files_here() -> None:
    done = transducer("device", "show", "example_black_box")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout == shown("example_black_box")


def tables(text: str) -> dict[str, Table]:
    """Printed tables by title; a cell that was folded over several lines is one again, without its blanks."""
    found: dict[str, Table] = {}
    title, before, last = "", "", 1
    for line in text.splitlines():
        if line.startswith("┏"):
            title = before.strip()
            found[title] = []
        elif line.startswith("│"):
            cells = [re.sub(r"\s+", "", cell) for cell in line.strip("│").split("│")]
            rows = found[title]
            if rows and not (cells[0] and cells[last]):  # a continued row
                rows[-1] = [a + b for a, b in zip(rows[-1], cells, strict=True)]
            else:
                rows.append(cells)
        before = line
    return found


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def raw(name: str) -> Mapping[str, object]:
    return tomllib.loads((data.root("devices") / f"{name}.toml").read_text("utf-8"))


def numbers(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, Mapping]]:
    """Every number of a TOML file by its dotted key, read without the toolkit."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            if "value" in value and "where" in value:
                yield prefix + key, value
            else:
                yield from numbers(value, f"{prefix}{key}.")


def points(name: str) -> list[str | None]:
    return list(raw(name).get("operating_point", {})) or [None]  # type: ignore[call-overload]


# ---------------------------------------------------------------- list


def test_the_list_names_every_shipped_device_with_kind_year_statuses_and_points() -> None:
    done = transducer("device", "list")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    rows = {row[0]: row for row in tables(done.stdout)["Devices"]}
    assert sorted(rows) == DEVICES
    for name, row in rows.items():
        text = raw(name)
        assert row[1] == text["model"]
        assert row[2] == str(text["source"].get("year", "-"))  # type: ignore[attr-defined]
        counted = [0] * len(STATUSES)
        for key, number in numbers(text):
            if not key.startswith("operating_point."):
                counted[STATUSES.index(number["status"])] += 1
        expected = [f"{n}{s}" for n, s in zip(counted, STATUSES, strict=True) if n]
        assert row[3] == (",".join(expected) or "-"), name
        named = text.get("operating_point", {})
        assert row[4] == (",".join(named) or "-")  # type: ignore[call-overload]
        assert row[5] == str(len(text.get("reported", [])))  # type: ignore[arg-type]


# ---------------------------------------------------------------- show


@pytest.mark.parametrize("name", DEVICES)
def test_show_prints_every_number_with_value_sigma_status_and_address(name: str) -> None:
    rows = {row[0]: row for row in tables(shown(name)).get(f"Numbers of {name}", [])}
    expected = dict(numbers(raw(name)))
    assert sorted(rows) == sorted(expected)
    for key, number in expected.items():
        _, value, sigma, status, where = rows[key]
        assert float(value) == pytest.approx(number["value"], rel=1e-5, abs=1e-300), key
        assert status == number["status"], key
        assert where == squeezed(number["where"]), key
        if "sigma" in number:
            low, high = re.fullmatch(r"-([\d.]+(?:e[-+]\d+)?)\+(\S+)", sigma).groups()  # type: ignore[union-attr]
            steps = np.broadcast_to(number["sigma"], 2)
            assert [float(low), float(high)] == pytest.approx(steps, rel=1e-2), key
        elif "rounding" in number:
            step = float(sigma.removeprefix("roundedto"))
            assert step == pytest.approx(2 * number["rounding"], rel=1e-2), key
        elif "min" in number and "max" in number:
            ends = [float(end) for end in sigma.split("to")]
            assert ends == pytest.approx([number["min"], number["max"]], rel=1e-3), key
        else:
            assert sigma == "-", key


@pytest.mark.parametrize("name", DEVICES)
def test_show_says_what_the_paper_is(name: str) -> None:
    text, source = squeezed(shown(name)), raw(name)["source"]
    for word in ("title", "journal", "doi", "platform", "note"):
        assert squeezed(source.get(word, "")) in text  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", BUILT)
def test_show_prints_the_figures_of_every_operating_point(name: str) -> None:
    printed = tables(shown(name))
    for point in points(name):
        found = load_device(name, point)
        device, pump = found.device, found.pump(Pump(0.0))
        linear = device.linearise(pump)
        centre = np.array([float(np.max(device.centre(pump)))])
        up = scattering.convert(linear, device.source, device.target, centre)
        down = scattering.convert(linear, device.target, device.source, centre)
        rows = dict(row for row in printed[f"{name} at '{point or 'as it is'}'"])
        there = float(rows["efficiency,microwavetooptics"])
        back = float(rows["efficiency,opticstomicrowave"])
        assert there == pytest.approx(up.efficiency[0], rel=1e-3, abs=0)
        assert back == pytest.approx(down.efficiency[0], rel=1e-3, abs=0)
        width = rows.get("bandwidth(fullwidthathalfmaximum)", "none")
        assert ("none" in width) is (there == 0)
        for line, port, efficiency in ((up, "microwave", there), (down, "optical", back)):
            noise = rows.get(f"addednoise,atthe{port}port")
            assert (noise is None) is (efficiency == 0)
            if noise is not None:
                assert float(noise.removesuffix("quanta")) == pytest.approx(
                    line.added_noise[0], rel=1e-3, abs=0
                )
        if isinstance(device, PumpedDevice):
            watts = float(rows["pumppoweratthecoupler"].removesuffix("W"))
            assert watts == pytest.approx(float(np.max(pump.power_at_coupler)), rel=1e-3, abs=0)  # type: ignore[union-attr]
            assert "intracavitypumpphotons" in rows
            assert "stableupto" in rows
        else:
            assert "stableupto" not in rows


@pytest.mark.parametrize("name", BUILT)
def test_the_bandwidth_that_is_printed_is_where_the_efficiency_falls_to_half(name: str) -> None:
    printed = tables(shown(name))
    for point in points(name):
        found = load_device(name, point)
        device, pump = found.device, found.pump(Pump(0.0))
        rows = dict(row for row in printed[f"{name} at '{point or 'as it is'}'"])
        text = rows.get("bandwidth(fullwidthathalfmaximum)")
        if text is None:
            continue
        width = float(text.removesuffix("Hz"))
        centre = ordinary(float(np.max(device.centre(pump))))
        f = centre + width * np.linspace(-2, 2, 8001)
        line = scattering.convert(
            device.linearise(pump), device.source, device.target, 2 * np.pi * f
        )
        above = f[line.efficiency >= np.max(line.efficiency) / 2]
        assert above[-1] - above[0] == pytest.approx(width, rel=3e-3)


@pytest.mark.parametrize("name", BUILT)
def test_the_noise_by_port_adds_up_and_is_the_added_noise_behind_the_converter(name: str) -> None:
    text = shown(name)
    for point, block in blocks(name, text).items():
        printed = tables(block)
        noise = printed["Output noise by port"]
        assert noise[-1][0] == "all"
        for column in (1, 2):
            parts = [float(row[column]) for row in noise[:-1]]
            assert sum(parts) == pytest.approx(float(noise[-1][column]), rel=2e-3, abs=1e-30)
        rows = dict(printed[f"{name} at '{point}'"])
        for column, way, port in (
            (1, "microwavetooptics", "microwave"),
            (2, "opticstomicrowave", "optical"),
        ):
            efficiency = float(rows[f"efficiency,{way}"])
            added = rows.get(f"addednoise,atthe{port}port")
            if added is not None:
                out = float(added.removesuffix("quanta")) * efficiency
                assert out == pytest.approx(float(noise[-1][column]), rel=3e-3, abs=1e-30)


def blocks(name: str, text: str) -> dict[str, str]:
    """The part of the output that belongs to each operating point."""
    starts = [(m.start(), m[1]) for m in re.finditer(rf"^{name} at '(.+?)'\s*$", text, re.M)]
    ends = [start for start, _ in starts[1:]] + [len(text)]
    return {point: text[start:end] for (start, point), end in zip(starts, ends, strict=True)}


@pytest.mark.parametrize("name", BUILT)
def test_show_holds_every_limit_of_validity_against_its_value(name: str) -> None:
    text = shown(name)
    found_blocks = blocks(name, text)
    assert list(found_blocks) == [point or "as it is" for point in points(name)]
    for point in points(name):
        found = load_device(name, point)
        rules = found.device.rules(found.pump(Pump(0.0)))
        printed = tables(found_blocks[point or "as it is"]).get("Validity", [])
        assert [row[0] for row in printed] == [squeezed(rule.what) for rule in rules]
        for row, rule in zip(printed, rules, strict=True):
            assert float(row[1]) == pytest.approx(float(np.max(rule.ratio)), rel=1e-2, abs=1e-12)
            assert float(row[1]) <= float(row[2]) == rule.limit


CLAIMS = "Published devices: what their numbers predict and what they report"


@pytest.mark.parametrize("name", DEVICES)
def test_show_holds_every_claim_against_its_prediction(name: str) -> None:
    claims = raw(name).get("reported", [])
    text = shown(name)
    printed = tables(text).get(CLAIMS, [])
    for row in printed:
        paper, _, engine, reported, predicted, decibel, _, verdict = row
        assert (paper, bool(engine)) == (name, True)
        assert verdict in ("predicted", "consistent", "fails", "fitted")
        first = r"[<>]?([\d.]+(?:e[-+]\d+)?)"
        told, found = (re.match(first, cell)[1] for cell in (reported, predicted))  # type: ignore[index]
        if "to" not in predicted and "selectivity" not in row[1]:
            miss = 10 * np.log10(float(found) / float(told))
            assert float(decibel) == pytest.approx(miss, abs=0.06)  # three digits are printed
    rest = text.partition("\nCannot be tested\n")[2].partition("\n\n")[0]
    silent = sum(line.startswith(f"{name}, ") for line in rest.splitlines())
    assert len(printed) + silent == len(claims)  # type: ignore[arg-type]
    for claim in claims:  # type: ignore[attr-defined]
        for said in ("note", "reason", "definition"):
            assert squeezed(claim.get(said, "")) in squeezed(text)


def test_a_listing_says_that_no_device_can_be_built_from_it() -> None:
    listings = sorted(set(DEVICES) - set(BUILT))
    assert len(listings) > 40
    for name in listings:
        assert "too little to build a device" in shown(name)
        with pytest.raises(ToolkitError, match="is a listing"):
            load_device(name)


def test_the_stable_power_that_is_printed_is_where_the_device_begins_to_oscillate() -> None:
    point = "matched"
    rows = dict(tables(shown("brubaker2022"))[f"brubaker2022 at '{point}'"])
    limit = float(rows["stableupto"].removesuffix("W"))

    def at(power: float) -> float:
        over = {f"operating_point.{point}.power_w": power}
        found = load_device("brubaker2022", point, over)
        return float(found.device.linearise(found.pump(Pump(0.0))).growth_rate)  # type: ignore[union-attr]

    assert at(0.99 * limit) < 0
    with pytest.raises(UnstableError):
        at(1.01 * limit)


# ---------------------------------------------------------------- a file of one's own


def copied(name: str, folder: Path, *changes: tuple[str, str], key: str = "mine2031") -> Path:
    text = (data.root("devices") / f"{name}.toml").read_text("utf-8")
    for old, new in ((f'key = "{name}"', f'key = "{key}"'), *changes):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = folder / f"{key}.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_new_paper_is_one_file_and_no_code(tmp_path: Path) -> None:
    path = copied(
        "sahu2022",
        tmp_path,
        (
            'extraction = { value = 0.41, rounding = 0.005, status = "secondary"',
            'extraction = { value = 0.205, status = "guess"',
        ),
    )
    for name, cwd in ((path.name, tmp_path), (str(path), None)):
        done = transducer("device", "show", name, cwd=cwd)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        assert done.stdout.startswith("mine2031")
        printed = tables(done.stdout)
        (numbers_,) = (t for title, t in printed.items() if title.startswith("Numbers of"))
        row = next(r for r in numbers_ if r[0] == "microwave.extraction")
        assert row[1] == "0.205"
        assert row[3] == "guess"
        rows = dict(printed["mine2031 at 'low_noise'"])
        theirs = dict(tables(shown("sahu2022"))["sahu2022 at 'low_noise'"])
        ratio = float(rows["efficiency,microwavetooptics"]) / float(
            theirs["efficiency,microwavetooptics"]
        )
        assert ratio == pytest.approx(
            0.5, rel=2e-3
        )  # half of the light leaves the cooperativity alone
        claims = {r[1]: r for r in printed[CLAIMS]}
        assert "efficiencyatlow_noise" not in claims  # it now rests on a guess
        said = squeezed(done.stdout)
        assert (
            "missing:microwave.extraction(aguessstandsinitsplace);thenumbersathandwouldgive0.0435"
            in said
        )
    assert [p.name for p in tmp_path.iterdir()] == ["mine2031.toml"]  # showing writes nothing


@pytest.mark.parametrize("name", [n for n in BUILT if n != "example_black_box"])
def test_every_shipped_file_is_a_pattern_for_a_new_one(name: str, tmp_path: Path) -> None:
    own = name[:-1] + "x"  # as long: tables are folded alike
    path = copied(name, tmp_path, key=own)
    written = io.StringIO()
    show_device(str(path), Console(file=written, width=120, highlight=False), DRAWS)
    found = squeezed(written.getvalue()).replace(squeezed(str(path)), name)
    assert found.replace(own, name) == squeezed(shown(name))


def test_a_measured_matrix_of_ones_own_is_two_files_and_no_code(tmp_path: Path) -> None:
    table = (data.root("measured") / "example_black_box.csv").read_text("utf-8")
    (tmp_path / "mine.csv").write_text(table, "utf-8")
    copied("example_black_box", tmp_path, ('"example_black_box.csv"', '"mine.csv"'))
    done = transducer("device", "show", "mine2031.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = dict(tables(done.stdout)["mine2031 at 'as it is'"])
    assert float(rows["efficiency,microwavetooptics"]) == pytest.approx(0.448, rel=1e-3)
    broken = table.replace("0.99417366", "0.9941736x", 1)
    assert broken != table
    (tmp_path / "mine.csv").write_text(broken, "utf-8")
    done = transducer("device", "show", "mine2031.toml", cwd=tmp_path)
    refused(done, "mine.csv", "line 5", "microwave<microwave_re", "is no number")


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "sahu2023"], ["sahu2023", "did you mean 'sahu2022'?"]),
        (["show", "Brubaker"], ["Brubaker", "did you mean 'brubaker2022'?"]),
        (["show", "example_blackbox"], ["did you mean 'example_black_box'?"]),
        (["show", "zzz"], ["zzz", "data/devices"]),
        (["show", ""], ["data/devices"]),
        (["show", "../devices/sahu2022"], ["data/devices"]),
        (["show", "missing.toml"], ["missing.toml", "no such file"]),
        (["show"], ["key"]),
        (["show", "sahu2022", "yoon2023"], ["yoon2023"]),
        (["lst"], ["lst"]),
        (["list", "sahu2022"], ["sahu2022"]),
        ([], ["command"]),
    ],
)
def test_a_mistaken_command_is_one_sentence(
    arguments: list[str], words: list[str], tmp_path: Path
) -> None:
    refused(transducer("device", *arguments, cwd=tmp_path), *words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([('model = "electro-optic"', 'model = "electrooptic"')], ["did you mean 'electro-optic'"]),
        ([('model = "electro-optic"\n', "")], ["'model'"]),
        ([("overlap = {", "overlpa = {")], ["overlpa", "did you mean 'overlap'?"]),
        ([("value = 0.78,", "value = 1.78,")], ["optical.overlap", "1.78"]),
        (
            [
                (
                    'value = 37.0, rounding = 0.5, status = "secondary"',
                    'value = 37.0, status = "sure"',
                )
            ],
            ["sure"],
        ),
        ([("value = 37.0,", 'value = "37",')], ["coupling.g0_hz", "number"]),
        ([("[heating]", "[heating")], ["not valid TOML", "line"]),
        ([("wavelength_nm = { value = 1550.0, ", "wavelength_nm = { ")], ["wavelength_nm"]),
    ],
)
def test_a_mistake_in_a_file_of_ones_own_is_one_sentence(
    changes: list[tuple[str, str]], words: list[str], tmp_path: Path
) -> None:
    path = copied("sahu2022", tmp_path, *changes)
    with pytest.raises(ToolkitError) as caught:  # the command prints these and ends with status 2
        load_device(str(path))
    said = str(caught.value)
    for word in ("mine2031.toml", *words):
        assert word in said, (word, said)


def test_such_a_mistake_ends_the_command_with_one_sentence(tmp_path: Path) -> None:
    copied("sahu2022", tmp_path, ("overlap = {", "overlpa = {"))
    done = transducer("device", "show", "mine2031.toml", cwd=tmp_path)
    refused(done, "mine2031.toml", "overlpa", "did you mean 'overlap'?")


def test_a_claim_about_an_operating_point_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    text = copied("witmer2020", tmp_path).read_text("utf-8")
    old = 'operating_point = "weak"'
    (tmp_path / "mine2031.toml").write_text(
        text.replace(old, 'operating_point = "waek"', 1), "utf-8"
    )
    done = transducer("device", "show", "mine2031.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert "did you mean 'weak'?" in done.stderr


def test_an_operating_point_outside_the_model_is_said_and_the_rest_is_shown(tmp_path: Path) -> None:
    path = copied("brubaker2022", tmp_path)
    text = path.read_text("utf-8")
    head, tail = text.split("[operating_point.matched]")
    loud = "\n[operating_point.loud]\npower_w = { value = 1.0, status = 'guess', where = 'far above' }\n\n"
    path.write_text(head + loud + "[operating_point.matched]" + tail, "utf-8")
    done = transducer("device", "show", path.name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "loud: device is unstable" in said
    assert "mine2031 at 'matched'" in said


def test_brackets_in_a_file_are_only_text(tmp_path: Path) -> None:
    path = copied(
        "example_datasheet",
        tmp_path,
        ('title = "Example data sheet"', 'title = "[red]Example[/blue] $x"'),
        ("example: largest pulse rate", "example [bold] rate [/]"),
    )
    done = transducer("device", "show", path.name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "[red]Example[/blue] $x" in done.stdout
    assert "example [bold] rate [/]" in done.stdout


def test_help_names_both_commands(tmp_path: Path) -> None:
    done = transducer("device", "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "list" in done.stdout
    assert "show" in done.stdout
