"""Results that open anywhere, years later.

One HDF5 file, moved into place whole, never over another one.
"""

import hashlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cavities.errors import DataError
from fibre.link import LinkFigures
from transducer.chain import LinkReport, frequencies_hz, verdict
from transducer.contract import versions

if TYPE_CHECKING:
    import xarray

SCHEMA = "transducer-toolkit/sweep"
SCHEMA_VERSION = 1
"""Schema of every archive; a link is a sweep with one point. Described in ``docs/archive.md``."""

OK = 0
"""Status code of a point that was computed."""


def require_free(path: Path, overwrite: bool) -> None:
    """Refuse to write over a file.

    Raises
    ------
    DataError
        If it exists and `overwrite` is not set, or is no place for a file.
    """
    if path.is_dir():
        raise DataError(f"{path}: is a folder; give the name of a file that ends in .h5")
    if path.exists() and not overwrite:
        raise DataError(
            f"{path}: exists already and is kept; choose another name or add --overwrite"
        )


def place(path: Path, write: Callable[[Path], None], overwrite: bool) -> None:
    """Write a file under a temporary name beside its place, flush it, and move it there whole.

    Parameters
    ----------
    path : Path
        Where it belongs; its folder is made if need be.
    write : callable
        Writes the file it is given the path of.
    overwrite : bool
        Whether a file that stands there may be replaced; otherwise it is kept, even one that
        appeared meanwhile.

    Raises
    ------
    DataError
        If the place is taken or cannot be written; nothing is left behind.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written: {error.strerror}; choose another --out"
        ) from None
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        with temporary.open("rb") as done:
            os.fsync(done.fileno())
        temporary.chmod(0o666 & ~_umask())
        if overwrite:
            os.replace(temporary, path)
        else:
            os.link(temporary, path)
    except FileExistsError:
        raise DataError(f"{path}: appeared meanwhile and is kept; choose another name") from None
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written: {error.strerror or error}; free space or choose another "
            "--out"
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def fresh_path(folder: Path, stem: str) -> Path:
    """A path in `folder` that no archive has yet.

    Stem, date and time, and a counter where that is taken.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S")
    count = 1
    while True:
        tail = "" if count == 1 else f"-{count}"
        path = folder / f"{stem}-{stamp}{tail}.h5"
        if not path.exists() and not path.with_suffix(".png").exists():
            return path
        count += 1


def git_revision() -> str:
    """Revision of the checkout the toolkit runs from, with ``-dirty`` for uncommitted changes.

    Empty in a wheel.
    """
    here = Path(__file__).resolve().parent.parent
    if not (here / ".git").exists():
        return ""
    try:
        found = subprocess.run(
            [
                "git",
                "-C",
                str(here),
                "describe",
                "--always",
                "--dirty",
                "--abbrev=40",
                "--exclude=*",
            ],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip()


def dataset_of(report: LinkReport) -> "xarray.Dataset":
    """Figures of a link as a sweep with one axis, the heralding scheme.

    Units and long names on every variable.
    """
    import xarray

    outcomes = report.outcomes
    variables: dict[str, tuple[list[str], object, dict[str, str]]] = {}
    for entry in fields(LinkFigures):
        values = [float(getattr(o.figures, entry.name)) for o in outcomes]
        variables[entry.name] = (["scheme"], np.array(values), _attributes(entry.metadata))
    states = np.stack([o.pair.normalised for o in outcomes])
    basis = {"units": "1", "long_name": "delivered density matrix, basis 00 01 10 11"}
    variables["state_real"] = (["scheme", "row_state", "column_state"], states.real, basis)
    variables["state_imag"] = (["scheme", "row_state", "column_state"], states.imag, basis)
    variables["status"] = (
        ["scheme"],
        np.full(len(outcomes), OK, dtype=np.int32),
        {"units": "1", "long_name": "status of the point, 0 is computed"},
    )
    variables["reason"] = (
        ["scheme"],
        np.array([""] * len(outcomes), dtype=object),
        {"long_name": "why a point failed, in a sentence"},
    )
    names = np.array([o.scheme.value for o in outcomes], dtype=object)
    labels = np.array(["00", "01", "10", "11"], dtype=object)
    dataset = xarray.Dataset(
        {name: (dims, values, attrs) for name, (dims, values, attrs) in variables.items()},
        coords={
            "scheme": ("scheme", names, {"long_name": "heralding scheme"}),
            "row_state": labels,
            "column_state": labels,
        },
    )
    scenario = report.scenario
    dataset.attrs = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "title": scenario.title or scenario.name,
        "scenario": scenario.name,
        "engine": report.engine,
        "verdict": verdict(report),
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "git_revision": git_revision(),
        "versions": json.dumps(versions()),
    }
    return dataset


def _attributes(metadata: object) -> dict[str, str]:
    assert hasattr(metadata, "__getitem__")
    return {"units": metadata["unit"], "long_name": metadata["long_name"]}


def detail_of(report: LinkReport) -> "xarray.Dataset":
    """Spectra of both devices and the rows of the budget, for the group ``detail``."""
    import xarray

    found = report.conversions
    arms = ["arm"]
    ports = list(dict.fromkeys(p for c in found for p in c.spectrum.contributions))
    by_port = np.array(
        [[c.spectrum.contributions.get(p, 0 * c.spectrum.omega) for p in ports] for c in found]
    )
    rows = report.rows
    numbers = {
        "loss_db": ("dB", "typical loss"),
        "loss_db_max": ("dB", "worst-case loss"),
        "cumulative_db": ("dB", "loss since the emitter"),
        "transmittance": ("1", "transmission"),
        "added_noise": ("quanta", "noise added at the element's output"),
        "delay_s": ("s", "travel time"),
    }
    budget = {
        f"budget_{name}": (
            ["budget_row"],
            np.array([float(getattr(r, name)) for r in rows]),
            {"units": unit, "long_name": meaning},
        )
        for name, (unit, meaning) in numbers.items()
    }
    words = {
        f"budget_{name}": (
            ["budget_row"],
            np.array([getattr(r, name) for r in rows], dtype=object),
            {"long_name": meaning},
        )
        for name, meaning in (
            ("arm", "arm"),
            ("element", "element"),
            ("basis", "status of its weakest number"),
        )
    }
    spectra = {
        "frequency_offset": (
            [*arms, "sample"],
            np.array([frequencies_hz(c.spectrum) for c in found]),
            {"units": "Hz", "long_name": "offset from the device's frame"},
        ),
        "efficiency": (
            [*arms, "sample"],
            np.array([c.spectrum.efficiency for c in found]),
            {"units": "1", "long_name": found[0].reference_plane},
        ),
        "noise_out": (
            [*arms, "sample"],
            np.array([c.spectrum.noise_out for c in found]),
            {"units": "quanta", "long_name": "output noise, normally ordered"},
        ),
        "noise_by_port": (
            [*arms, "port", "sample"],
            by_port,
            {"units": "quanta", "long_name": "output noise by port of origin"},
        ),
        "bandwidth": (
            arms,
            np.array([frequencies_hz_scalar(c.bandwidth) for c in found]),
            {"units": "Hz", "long_name": "full width at half maximum"},
        ),
    }
    return xarray.Dataset(
        {**budget, **words, **spectra},
        coords={
            "arm": np.array([c.arm for c in found], dtype=object),
            "port": np.array(ports, dtype=object),
        },
    )


def frequencies_hz_scalar(omega: float) -> float:
    """One angular frequency [rad/s] as an ordinary one [Hz]."""
    return omega / (2 * np.pi)


def write_link(report: LinkReport, path: Path) -> None:
    """Write a link's archive to `path` (which `place` hands over).

    Root group: figures on their axes. Group ``detail``: spectra and budget. Group ``inputs``: the
    scenario as used, every device and part file with its SHA-256, and every number with address and
    status; text as checksummed bytes.
    """
    import h5py

    checked = {"fletcher32": True}
    for dataset, mode, group in (
        (dataset_of(report), "w", None),
        (detail_of(report), "a", "detail"),
    ):
        numeric = [n for n, v in dataset.data_vars.items() if v.dtype.kind in "fi"]
        dataset.to_netcdf(
            path, mode=mode, group=group, engine="h5netcdf", encoding={n: checked for n in numeric}
        )
    scenario = report.scenario
    texts = {"scenario.json": json.dumps(scenario.raw, sort_keys=True)}
    texts |= {f"{name}.toml": text for name, text in scenario.files.items()}
    texts["inputs.json"] = json.dumps(
        [{"file": e.file, "key": e.key, **e.number.model_dump()} for e in scenario.inputs]
    )
    with h5py.File(path, "a") as file:
        inputs = file.create_group("inputs")
        for name, text in texts.items():
            encoded = text.encode("utf-8")
            stored = inputs.create_dataset(
                name.replace("/", "."),
                data=np.frombuffer(encoded, dtype=np.uint8),
                chunks=(max(1, len(encoded)),),
                fletcher32=True,
            )
            stored.attrs["sha256"] = hashlib.sha256(encoded).hexdigest()
            stored.attrs["encoding"] = "utf-8"
