"""An archive is whole or not there, opens in plain readers, and holds everything the result rests on."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
import xarray

from cavities import DataError
from transducer import disk, link_archive, load_scenario, simulate


@pytest.fixture(scope="module")
def report():
    return simulate(load_scenario("metro"), "scattering")


@pytest.fixture(scope="module")
def path(report, tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("archive") / "metro.h5"
    disk.place({target: link_archive.link_bytes(report)})
    return target


def test_it_opens_in_xarray_with_units_and_schema(path: Path, report) -> None:
    with xarray.open_dataset(path, engine="h5netcdf") as found:
        assert found.attrs["schema"] == "transducer-toolkit/sweep"
        assert found.attrs["schema_version"] == 2
        assert found["fidelity"].dims == ("scheme",)
        best = found["fidelity"].sel(scheme=report.best.scheme.value)
        assert float(best) == float(report.best.figures.fidelity)
        assert found["attempt_period"].attrs == {"units": "s", "long_name": "time per attempt"}
        assert all("units" in found[n].attrs for n in found.data_vars if found[n].dtype.kind == "f")
        assert (found["status"] == 0).all()
        assert float(found["conversion_efficiency_a"]) == pytest.approx(0.087, rel=1e-3)
        assert float(found["conversion_noise_b"]) == pytest.approx(0.16, rel=1e-3)
        assert "numpy" in json.loads(found.attrs["versions"])
        assert json.loads(found.attrs["inputs_by_status"])["recalled"] == 8
        assert found.attrs["git_revision"] or not (Path(__file__).parent.parent / ".git").exists()
        state = found["state_real"].values + 1j * found["state_imag"].values
        assert np.trace(state[0]) == pytest.approx(1.0)
    with xarray.open_dataset(path, engine="h5netcdf", group="detail") as detail:
        total = detail["noise_by_port"].sum("port")
        assert np.allclose(total, detail["noise_out"], rtol=1e-12, atol=0)
        assert float(detail["efficiency"].max()) == pytest.approx(0.087, rel=1e-3)
        assert detail["budget_loss_db"].attrs["units"] == "dB"
        assert "microwave waveguide" in str(detail["reference_plane"].values[0])


def test_it_opens_in_plain_h5py_and_its_inputs_match_their_hashes(path: Path) -> None:
    with h5py.File(path) as file:
        inputs = file["inputs"]
        assert {
            "scenario.json",
            "inputs.json",
            "devices.sahu2022.toml",
            "parts.fibre.g652d.toml",
        } <= set(inputs)
        for name, stored in inputs.items():
            raw = bytes(stored[()])
            assert hashlib.sha256(raw).hexdigest() == stored.attrs["sha256"], name
            assert stored.fletcher32
        assert json.loads(bytes(inputs["scenario.json"][()]))["name"] == "metro"
        numbers = json.loads(bytes(inputs["inputs.json"][()]))
        assert all(entry["where"] and entry["status"] for entry in numbers)
        assert file["fidelity"].fletcher32


def test_the_archived_scenario_gives_the_same_figures_again(path: Path, report) -> None:
    from transducer.chain import evaluate
    from transducer.scenario import build_scenario

    with h5py.File(path) as file:
        raw = json.loads(bytes(file["inputs/scenario.json"][()]))
    again = build_scenario(raw, "archived", Path())
    assert float(evaluate(again, report.best.scheme).fidelity) == float(
        report.best.figures.fidelity
    )


def test_it_opens_in_the_netcdf_c_library(path: Path, report) -> None:
    with netCDF4.Dataset(path) as file:
        assert file.schema == "transducer-toolkit/sweep"
        assert float(file["fidelity"][0]) == float(report.best.figures.fidelity)
        assert file["detail/efficiency"].units == "1"


def test_a_disk_that_fills_up_leaves_neither_file_behind(tmp_path: Path) -> None:
    """The second file does not fit: the first must not stay, nor any temporary one."""
    import resource

    code = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "from pathlib import Path\n"
        "from transducer import disk\n"
        "try:\n"
        "    disk.place({Path('a.h5'): b'x' * 10_000, Path('a.png'): b'y' * 90_000})\n"
        "except ValueError as error:\n"
        "    print('SAID', error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert "SAID a.png: cannot be written: File too large" in done.stdout, done.stderr
    assert list(tmp_path.iterdir()) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 50_000


def test_an_exception_while_writing_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", broken)
    with pytest.raises(KeyboardInterrupt):
        disk.place({tmp_path / "a.h5": b"half"})
    assert list(tmp_path.iterdir()) == []
    assert not disk.IN_FLIGHT


def test_a_file_that_appeared_meanwhile_is_kept_and_its_partner_withdrawn(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"theirs")
    with pytest.raises(DataError, match=r"a\.png: appeared meanwhile"):
        disk.place({tmp_path / "a.h5": b"mine", tmp_path / "a.png": b"mine"})
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a.png": b"theirs"}


def test_an_overwrite_that_fails_halfway_brings_the_old_files_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    targets = [tmp_path / "a.h5", tmp_path / "a.png"]
    disk.place(dict.fromkeys(targets, b"old"))
    real = os.replace

    def failing(source: Path, target: Path) -> None:
        if Path(target).name == "a.png" and Path(source).suffix == ".tmp":
            raise OSError(5, "Input/output error")
        real(source, target)

    monkeypatch.setattr("os.replace", failing)
    with pytest.raises(DataError, match=r"a\.png: cannot be written: Input/output error"):
        disk.place(dict.fromkeys(targets, b"new"), overwrite=True)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a.h5": b"old", "a.png": b"old"}


def test_a_file_system_without_hard_links_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", no_links)
    targets = [tmp_path / "a.h5", tmp_path / "a.png"]
    disk.place(dict.fromkeys(targets, b"one"))
    with pytest.raises(DataError, match="appeared meanwhile"):
        disk.place(dict.fromkeys(targets, b"two"))
    disk.place(dict.fromkeys(targets, b"three"), overwrite=True)
    assert {p.read_bytes() for p in tmp_path.iterdir()} == {b"three"}


def test_overwriting_replaces_both(tmp_path: Path) -> None:
    targets = [tmp_path / "a.h5", tmp_path / "a.png"]
    disk.place(dict.fromkeys(targets, b"one"))
    disk.place(dict.fromkeys(targets, b"two"), overwrite=True)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a.h5": b"two", "a.png": b"two"}


def test_the_picture_has_three_panels_with_words(report, tmp_path: Path) -> None:
    from transducer import plots

    figure = plots.link_figure(report)
    labels = {axes.get_xlabel() for axes in figure.axes}
    assert len(figure.axes) == 3
    assert "8 recalled" in figure.get_supxlabel()
    assert any("MHz" in label for label in labels)
    assert any("dB" in label for label in labels)


def test_a_waterfall_of_unlike_arms_names_each_arms_elements() -> None:
    from transducer.plots import _labels

    names = [["emission", "transducer x", "coupler"], ["emission", "transducer y"]]
    assert _labels(names, "AB") == ["emission", "A: transducer x\nB: transducer y", "A: coupler"]
