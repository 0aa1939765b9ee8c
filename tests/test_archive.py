"""An archive is whole or not there, opens in plain readers, and holds everything the result rests on."""

import hashlib
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray

from cavities import DataError
from transducer import archive, load_scenario, simulate


@pytest.fixture(scope="module")
def report():  # noqa: ANN201
    return simulate(load_scenario("metro"), "scattering")


@pytest.fixture(scope="module")
def path(report, tmp_path_factory) -> Path:  # noqa: ANN001
    target = tmp_path_factory.mktemp("archive") / "metro.h5"
    archive.place(target, lambda p: archive.write_link(report, p), overwrite=False)
    return target


def test_it_opens_in_xarray_with_units_and_schema(path: Path, report) -> None:  # noqa: ANN001
    with xarray.open_dataset(path, engine="h5netcdf") as found:
        assert found.attrs["schema"] == "transducer-toolkit/sweep"
        assert found.attrs["schema_version"] == 1
        assert found["fidelity"].dims == ("scheme",)
        best = found["fidelity"].sel(scheme=report.best.scheme.value)
        assert float(best) == float(report.best.figures.fidelity)
        assert found["attempt_period"].attrs == {"units": "s", "long_name": "time per attempt"}
        assert all("units" in found[n].attrs for n in found.data_vars if found[n].dtype.kind == "f")
        assert (found["status"] == 0).all()
        assert "numpy" in json.loads(found.attrs["versions"])
        assert found.attrs["git_revision"] or not (Path(__file__).parent.parent / ".git").exists()
        state = found["state_real"].values + 1j * found["state_imag"].values
        assert np.trace(state[0]) == pytest.approx(1.0)
    with xarray.open_dataset(path, engine="h5netcdf", group="detail") as detail:
        total = detail["noise_by_port"].sum("port")
        assert np.allclose(total, detail["noise_out"], rtol=1e-12, atol=0)
        assert float(detail["efficiency"].max()) == pytest.approx(0.087, rel=1e-3)
        assert detail["budget_loss_db"].attrs["units"] == "dB"


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


def test_the_archived_scenario_gives_the_same_figures_again(path: Path, report) -> None:  # noqa: ANN001
    from transducer.chain import evaluate
    from transducer.scenario import build_scenario

    with h5py.File(path) as file:
        raw = json.loads(bytes(file["inputs/scenario.json"][()]))
    again = build_scenario(raw, "archived", Path())
    assert float(evaluate(again, report.best.scheme).fidelity) == float(
        report.best.figures.fidelity
    )


def test_a_failing_writer_leaves_nothing_behind(tmp_path: Path) -> None:
    def half(p: Path) -> None:
        p.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        archive.place(tmp_path / "a.h5", half, overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_is_one_sentence_and_nothing_stays(tmp_path: Path) -> None:
    def full(p: Path) -> None:
        p.write_bytes(b"some")
        raise OSError(28, "No space left on device")

    with pytest.raises(DataError, match=r"a\.h5: cannot be written: No space left on device"):
        archive.place(tmp_path / "a.h5", full, overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_appeared_meanwhile_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "a.h5"

    def race(p: Path) -> None:
        p.write_bytes(b"mine")
        target.write_bytes(b"theirs")

    with pytest.raises(DataError, match="appeared meanwhile"):
        archive.place(target, race, overwrite=False)
    assert target.read_bytes() == b"theirs"
    assert [p.name for p in tmp_path.iterdir()] == ["a.h5"]


def test_the_picture_has_three_panels_with_words(report, tmp_path: Path) -> None:  # noqa: ANN001
    from transducer import plots

    figure = plots.link_figure(report)
    labels = {axes.get_xlabel() for axes in figure.axes}
    assert len(figure.axes) == 3
    assert any("MHz" in label for label in labels)
    assert any("dB" in label for label in labels)
