"""Results that open anywhere, years later.

One HDF5 file, moved into place whole, never over another one.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cavities.constants import ordinary
from cavities.errors import DataError
from cavities.numbers import count_by_status
from fibre.figures import LinkFigures
from fibre.link import Row
from transducer.contract import versions
from transducer.simulation import ArmConversion, LinkReport, frequencies_hz, verdict

if TYPE_CHECKING:
    import h5py
    import xarray

SCHEMA = "transducer-toolkit/sweep"
SCHEMA_VERSION = 1
"""Schema of every archive; a link is a sweep with one point. Described in ``docs/archive.md``."""

OK = 0
"""Status code of a point that was computed."""


IN_FLIGHT: set[Path] = set()
"""Temporary files that exist right now; whoever ends the process at once removes them."""


def require_free(path: Path, overwrite: bool) -> None:
    """Refuse a place where no file can or may be written.

    Raises
    ------
    DataError
        If something stands there and `overwrite` is not set, or it is no place for a file.
    """
    try:
        if path.is_dir():
            raise DataError(f"{path}: is a folder; give the name of a file")
        if (path.exists() or path.is_symlink()) and not overwrite:
            raise DataError(
                f"{path}: exists already and is kept; choose another name or add --overwrite"
            )
        for folder in path.parents:
            if folder.exists():
                if not folder.is_dir():
                    raise DataError(
                        f"{path}: {folder} is a file, not a folder; choose another name"
                    )
                if not os.access(folder, os.W_OK | os.X_OK):
                    raise DataError(f"{path}: {folder} may not be written to; choose another name")
                break
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: Exception) -> DataError:
    reason = getattr(error, "strerror", None) or str(error)
    return DataError(f"{path}: cannot be written: {reason}; free space or choose another place")


def place(files: Mapping[Path, bytes], overwrite: bool = False) -> None:
    """Put files into place, all of them or none.

    Each is written under a temporary name beside its place and flushed; only when all are on the
    disk are they moved.

    Parameters
    ----------
    files : mapping of Path to bytes
        Where they belong and what is in them; folders are made if need be.
    overwrite : bool
        Whether files that stand there may be replaced; otherwise they are kept, even those that
        appeared meanwhile.

    Raises
    ------
    DataError
        If a place is taken or cannot be written; nothing is left behind.
    """
    waiting: dict[Path, Path] = {}
    undo: list[Callable[[], object]] = []
    path = next(iter(files))
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            waiting[path] = _written(path, content)
        for path, temporary in waiting.items():
            if overwrite:
                undo.append(_replaced(temporary, path))
            else:
                _claimed(temporary, path)
                undo.append(partial(path.unlink, missing_ok=True))
    except FileExistsError:
        _undone(undo)
        raise DataError(f"{path}: appeared meanwhile and is kept; choose another name") from None
    except (OSError, ValueError) as error:
        _undone(undo)
        raise _unwritable(path, error) from None
    finally:
        for temporary in [*waiting.values(), *map(_backup, waiting.values())]:
            temporary.unlink(missing_ok=True)
            IN_FLIGHT.discard(temporary)


def _backup(temporary: Path) -> Path:
    return temporary.with_suffix(".old")


def _claimed(temporary: Path, path: Path) -> None:
    """Move a file to a place that must be free."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: claim the name, then move onto it
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        os.replace(temporary, path)


def _replaced(temporary: Path, path: Path) -> Callable[[], object]:
    """Move a file over another one; what is returned brings the old one back."""
    kept = _backup(temporary)
    back: Callable[[], object] = partial(path.unlink, missing_ok=True)
    if path.exists():
        IN_FLIGHT.add(kept)
        try:
            os.link(path, kept)
        except OSError:
            shutil.copy2(path, kept)
        back = partial(os.replace, kept, path)
    os.replace(temporary, path)
    return back


def _undone(steps: list[Callable[[], object]]) -> None:
    for step in reversed(steps):
        step()


def _written(path: Path, content: bytes) -> Path:
    """Write a temporary file beside `path` and flush it to the disk."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    IN_FLIGHT.add(temporary)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
    except BaseException:
        temporary.unlink(missing_ok=True)
        IN_FLIGHT.discard(temporary)
        raise
    return temporary


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
    for found in report.conversions:
        for name, value, unit, meaning in _conversion_figures(found):
            variables[f"{name}_{found.arm.lower()}"] = (
                [],
                np.array(value),
                {"units": unit, "long_name": f"{meaning}, arm {found.arm}"},
            )
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
        "inputs_by_status": json.dumps(count_by_status(scenario.inputs)),
        "git_revision": git_revision(),
        "versions": json.dumps(versions()),
    }
    return dataset


def _conversion_figures(found: ArmConversion) -> tuple[tuple[str, float, str, str], ...]:
    signal = found.at_signal
    return (
        ("conversion_efficiency", float(signal.efficiency[0]), "1", "efficiency at the signal"),
        (
            "conversion_noise",
            float(signal.added_noise[0]),
            "quanta",
            "noise referred to the source",
        ),
        ("conversion_bandwidth", float(np.max(ordinary(found.bandwidth))), "Hz", "full width"),
    )


def _attributes(metadata: object) -> dict[str, str]:
    assert hasattr(metadata, "__getitem__")
    return {"units": metadata["unit"], "long_name": metadata["long_name"]}


Variable = tuple[list[str], "np.ndarray", dict[str, str]]
"""Dimensions, values and attributes of one variable."""

BUDGET_NUMBERS = {
    "loss_db": ("dB", "typical loss"),
    "loss_db_max": ("dB", "worst-case loss"),
    "cumulative_db": ("dB", "loss since the emitter"),
    "transmittance": ("1", "transmission"),
    "added_noise": ("quanta", "noise added at the element's output"),
    "delay_s": ("s", "travel time"),
}
BUDGET_WORDS = {"arm": "arm", "element": "element", "basis": "status of its weakest number"}


def _budget_variables(rows: Sequence[Row]) -> dict[str, Variable]:
    """Turn the rows of the budget into one variable per column."""
    columns: dict[str, Variable] = {}
    for name, (unit, meaning) in BUDGET_NUMBERS.items():
        values = np.array([float(getattr(row, name)) for row in rows])
        columns[f"budget_{name}"] = (
            ["budget_row"],
            values,
            {"units": unit, "long_name": meaning},
        )
    for name, meaning in BUDGET_WORDS.items():
        words = np.array([getattr(row, name) for row in rows], dtype=object)
        columns[f"budget_{name}"] = (["budget_row"], words, {"long_name": meaning})
    return columns


def _spectrum_variables(found: Sequence[ArmConversion], ports: list[str]) -> dict[str, Variable]:
    """Efficiency and noise of both devices on their own frequencies."""
    line = ["arm", "sample"]
    by_port = [
        [c.spectrum.contributions.get(p, 0 * c.spectrum.omega) for p in ports] for c in found
    ]

    def variable(dims: list[str], values: object, unit: str, meaning: str) -> Variable:
        return dims, np.array(values), {"units": unit, "long_name": meaning}

    planes = np.array([c.reference_plane for c in found], dtype=object)
    meaning = {"long_name": "where efficiency and noise are counted"}
    return {
        "frequency_offset": variable(
            line,
            [frequencies_hz(c.spectrum) for c in found],
            "Hz",
            "offset from the device's frame",
        ),
        "efficiency": variable(
            line,
            [c.spectrum.efficiency for c in found],
            "1",
            "conversion efficiency, see reference_plane",
        ),
        "noise_out": variable(
            line,
            [c.spectrum.noise_out for c in found],
            "quanta",
            "output noise, normally ordered",
        ),
        "noise_by_port": variable(
            ["arm", "port", "sample"], by_port, "quanta", "output noise by port of origin"
        ),
        "bandwidth": variable(
            ["arm"], [ordinary(c.bandwidth) for c in found], "Hz", "full width at half maximum"
        ),
        "reference_plane": (["arm"], planes, meaning),
    }


def detail_of(report: LinkReport) -> "xarray.Dataset":
    """Spectra of both devices and the rows of the budget, for the group ``detail``."""
    import xarray

    found = report.conversions
    ports = list(dict.fromkeys(p for c in found for p in c.spectrum.contributions))
    return xarray.Dataset(
        {**_budget_variables(report.rows), **_spectrum_variables(found, ports)},
        coords={
            "arm": np.array([c.arm for c in found], dtype=object),
            "port": np.array(ports, dtype=object),
        },
    )


def link_bytes(report: LinkReport) -> bytes:
    """Make the archive of a link, in memory: libhdf5 never sees a disk that may be full.

    Root group: figures on their axes. Group ``detail``: spectra and budget. Group ``inputs``: the
    scenario as used, every device and part file with its SHA-256, and every number with address and
    status; text as checksummed bytes.
    """
    import h5netcdf
    import h5py
    from xarray.backends import H5NetCDFStore

    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        for dataset, group in ((dataset_of(report), None), (detail_of(report), "detail")):
            checked = {n: {"fletcher32": True} for n, v in dataset.items() if v.dtype.kind in "fi"}
            with h5netcdf.File(file, "a") as netcdf:
                store = H5NetCDFStore(netcdf, group=group, mode="a", autoclose=False)
                dataset.dump_to_store(store, encoding=checked)
                store.sync()
        _add_inputs(file, report)
    return memory.getvalue()


def _add_inputs(file: "h5py.File", report: LinkReport) -> None:
    scenario = report.scenario
    texts = {"scenario.json": json.dumps(scenario.raw, sort_keys=True)}
    texts |= {f"{name}.toml": text for name, text in scenario.files.items()}
    texts["inputs.json"] = json.dumps(
        [{"file": e.file, "key": e.key, **e.number.model_dump()} for e in scenario.inputs]
    )
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
