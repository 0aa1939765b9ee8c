"""CONVENTIONS.md is the one table: every field of every record stands in it."""

import dataclasses
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def named_in_tables() -> set[str]:
    text = (REPOSITORY / "CONVENTIONS.md").read_text("utf-8")
    first_cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("|")]
    return {name for cell in first_cells for name in re.findall(r"`([^`]+)`", cell)}


def records() -> list[type]:
    found = []
    for package in ("cavities", "fibre", "transducer"):
        module = importlib.import_module(package)
        for info in pkgutil.walk_packages(module.__path__, package + "."):
            if info.name.endswith("__main__"):
                continue
            inside = importlib.import_module(info.name)
            found += [
                o
                for n, o in vars(inside).items()
                if isinstance(o, type)
                and dataclasses.is_dataclass(o)
                and o.__module__ == info.name
                and not n.startswith("_")
            ]
    return found


@pytest.mark.parametrize("record", records(), ids=lambda r: r.__name__)
def test_every_field_of_a_record_stands_in_the_conventions(record: type) -> None:
    missing = {field.name for field in dataclasses.fields(record)} - named_in_tables()
    assert not missing


@pytest.mark.parametrize("record", records(), ids=lambda r: r.__name__)
def test_every_record_is_frozen(record: type) -> None:
    assert record.__dataclass_params__.frozen  # type: ignore[attr-defined]


def test_the_conventions_name_no_field_that_is_gone() -> None:
    known = {field.name for record in records() for field in dataclasses.fields(record)}
    assert named_in_tables() <= known


def test_the_readme_has_exactly_the_two_set_up_commands() -> None:
    text = (REPOSITORY / "README.md").read_text("utf-8")
    commands = [line.strip() for line in text.splitlines() if "python3 -m venv" in line]
    assert commands == [
        "python3 -m venv .venv && .venv/bin/pip install -e . && .venv/bin/transducer link",
        "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest",
    ]
    assert "pip install transducer\n" not in text


def test_no_file_holds_the_address_of_a_registry() -> None:
    for path in [*REPOSITORY.glob("data/**/*.toml"), REPOSITORY / "constraints.txt"]:
        assert not re.search(
            r"https?://(pypi|files\.pythonhosted|registry)", path.read_text("utf-8")
        )


def test_the_readmes_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    text = (REPOSITORY / "README.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    for code in blocks:
        exec(compile(code, "README.md", "exec"), {})
    said = capsys.readouterr().out
    assert len(blocks) == 2
    assert "microwave.int" in said
    assert said.endswith("1.0\n")


def test_nothing_tracked_holds_a_machine_path() -> None:
    import subprocess

    listed = subprocess.run(
        ["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.split()
    for name in filter(lambda n: (REPOSITORY / n).is_file(), listed):
        text = (REPOSITORY / name).read_text("utf-8", errors="ignore")
        assert not re.search(r"(?<![\w.])/(home|root|Users|work)/\w", text), name
