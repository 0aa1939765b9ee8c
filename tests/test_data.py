"""The data door: a checkout reads data/ itself, a wheel carries its own copy, parts need no transducer."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cavities import DataError, data
from cavities.numbers import numbers_in
from fibre import parts
from transducer.published import load_device, read_paper

REPOSITORY = Path(__file__).resolve().parent.parent
IN_CHECKOUT = (REPOSITORY / "data").is_dir() and data.root("parts") == REPOSITORY / "data" / "parts"


def run(code: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        **options,  # type: ignore[call-overload]
    )


def test_every_shipped_file_loads_and_every_number_has_an_address() -> None:
    for name in data.names("devices"):
        assert all(number.where for _, number in numbers_in(read_paper(name).file))
    for name in data.names("parts"):
        part = parts.load_part(name)
        assert part.key == name
        assert all(number.where for _, number in numbers_in(part))


def test_an_edited_toml_is_seen_at_once_in_an_editable_install(tmp_path: Path) -> None:
    """In a copy of the checkout, put on the path as an editable install does."""
    assert IN_CHECKOUT, "the tests run from a checkout"
    import shutil

    for name in ("cavities", "fibre", "data"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    path = tmp_path / "data" / "parts" / "conn.lc_apc.toml"
    code = (
        "from pathlib import Path\n"
        "from fibre.parts import load_part\n"
        "def loss(): return load_part('conn.lc_apc').values.insertion_loss_db.value\n"
        "print(loss())\n"
        f"path = Path({str(path)!r})\n"
        "path.write_text(path.read_text('utf-8').replace('value = 0.2,', 'value = 0.25,'), 'utf-8')\n"
        "print(loss())"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert run(code, cwd=elsewhere, env=env).stdout.split() == ["0.2", "0.25"]
    assert run(code, cwd=elsewhere, env=env).stdout.split() == ["0.25", "0.25"]


def test_parts_load_while_transducer_cannot_be_imported(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['transducer'] = None\n"
        "from fibre import load_part\n"
        "print(load_part('switch.polatis.6000_32').name)\n"
        "try:\n    import transducer\nexcept ImportError:\n    print('unimportable')"
    )
    done = run(code, cwd=tmp_path)
    assert done.stdout.split("\n")[:2] == ["32x32 beam-steering switch", "unimportable"], (
        done.stderr
    )


@pytest.mark.slow
def test_a_wheel_outside_the_checkout_carries_its_data(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(site)
    assert "fibre/_data/parts/fibre.g652d.toml" in names
    assert "transducer/_data/devices/sahu2022.toml" in names
    assert not any(name.startswith(("tests/", "data/")) for name in names)
    code = (
        "import cavities, fibre, transducer, cavities.data as d\n"
        "assert 'site' in transducer.__file__, transducer.__file__\n"
        "print(d.root('devices')); print(d.root('parts'))\n"
        "from transducer import load_scenario, evaluate\n"
        "s = load_scenario('metro'); print(evaluate(s, s.schemes[0]).fidelity > 0)"
    )
    env = {**os.environ, "PYTHONPATH": str(site)}
    done = run(code, cwd=tmp_path, env=env)
    assert done.stdout.split("\n")[:3] == [
        str(site / "transducer" / "_data" / "devices"),
        str(site / "fibre" / "_data" / "parts"),
        "True",
    ], done.stderr
    # parts without the top floor at all
    import shutil

    shutil.rmtree(site / "transducer")
    done = run(
        "from fibre import load_part; print(load_part('fibre.g652d').key)",
        cwd=tmp_path,
        env={**env, "PYTHONSAFEPATH": "1"},
    )
    assert done.stdout.strip() == "fibre.g652d", done.stderr


def test_the_unrelated_namesake_is_named_when_it_stands_beside_us(tmp_path: Path) -> None:
    """Its dist-info is enough: a real install of it shares our folder name."""
    beside = tmp_path / "site"
    (beside / "transducer-0.9.dist-info").mkdir(parents=True)
    done = run(f"import sys; sys.path.insert(0, {str(beside)!r}); import transducer", cwd=tmp_path)
    assert done.returncode == 1
    assert "unrelated distribution named 'transducer'" in done.stderr
    assert "pip uninstall transducer" in done.stderr


def test_the_command_says_so_when_the_namesake_is_found_first(tmp_path: Path) -> None:
    other = tmp_path / "transducer"
    other.mkdir()
    (other / "__init__.py").write_text("")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import transducer_toolkit as t; t.main()"
    done = run(code, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "is another one" in done.stderr
    assert "pip uninstall transducer" in done.stderr


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ({"optical.kapa_int_hz": 1.0}, ["unknown key 'optical.kapa_int_hz'", "kappa_int_hz"]),
        ({"optical.extraction": 1.5}, ["extraction", "1.5", "< 1"]),
        ({"coupling.g0_hz": "strong"}, ["coupling.g0_hz", "'strong'", "number"]),
        (
            {"microwave.kappa_int_hz": -1.0},
            ["microwave.kappa_int_hz", "-1.0", ">= 0"],
        ),
        ({"coupling.g0_hz": True}, ["coupling.g0_hz", "number"]),
        (
            {"coupling.g0_hz": {"value": 1.0, "status": "heard", "where": "x"}},
            ["status", "'heard'"],
        ),
    ],
)
def test_a_bad_override_is_named_with_file_key_and_value(override: dict, words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        load_device("sahu2022", override=override)
    for word in ["data/devices/sahu2022.toml", *words]:
        assert word in str(caught.value)


def test_an_override_of_the_external_rate_replaces_the_coupling_ratio() -> None:
    device = load_device("sahu2022", override={"optical.kappa_ext_hz": 5e6}).device
    assert device.optical.kappa_ext == pytest.approx(2 * 3.141592653589793 * 5e6)  # type: ignore[attr-defined]


def test_a_misspelt_name_suggests_the_nearest_one() -> None:
    with pytest.raises(
        DataError, match=r"no 'sahu2202' in data/devices; did you mean 'sahu2022'\?"
    ):
        load_device("sahu2202")
    with pytest.raises(DataError, match=r"did you mean 'low_noise'\?"):
        load_device("sahu2022", "low_nois")


def test_a_users_own_device_and_part_lie_beside_the_scenario(tmp_path: Path) -> None:
    text = (data.root("devices") / "sahu2022.toml").read_text("utf-8")
    (tmp_path / "mine.toml").write_text(text.replace('key = "sahu2022"', 'key = "mine"'), "utf-8")
    assert load_device("mine.toml", "low_noise", beside=tmp_path).file.key == "mine"


def test_the_wheel_and_the_accessor_agree_on_who_carries_what() -> None:
    import ast

    tree = ast.parse((REPOSITORY / "hatch_build.py").read_text("utf-8"))
    (owners,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "OWNERS"
    ]
    assert owners == data.KINDS
