"""Results that open anywhere, years later: the door to every archive, finished or still growing.

What is in an archive is described in ``docs/archive.md``. Nothing in it is ever executed.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cavities.errors import DataError
from transducer.disk import Seal, seal_of
from transducer.sweeps import probe
from transducer.sweeps.merge import attributes_of, collected, dataset_of
from transducer.sweeps.points import Variable
from transducer.sweeps.shards import SCHEMA, SCHEMA_VERSION, Parts, newer, text_of

if TYPE_CHECKING:
    import h5py
    import xarray

EAGER = 256 << 20
"""Bytes up to which a finished archive is read whole."""

PATIENCE = 20.0
"""Seconds that a child process may take to read a file of unknown origin, and 1 s per 20 MB."""


def load(path: Path | str) -> "xarray.Dataset":
    """Read an archive: a sweep or a link, finished or still growing.

    Parameters
    ----------
    path : path
        ``NAME.h5``; while the sweep runs, its blocks are found in ``NAME.h5.parts/``.

    Returns
    -------
    xarray.Dataset
        Figures on their axes with units and long names, ``status`` (`cavities.rules.Status`) and
        ``reason`` per point. Points that are not computed yet are NaN and marked ``PENDING``. An
        archive above 256 MiB stays on the disk and is read as it is used.

    Raises
    ------
    DataError
        If it is missing, damaged, of a newer toolkit, or no archive of ours.

    Notes
    -----
    A file without a valid seal is read by a child process first, with a time limit: libhdf5 can
    hang on a damaged one.
    """
    path = Path(path)
    if _is_growing(path):
        try:
            found = _growing(path)
        except DataError:
            if not path.exists():
                raise
        else:
            if not path.exists():
                return found
        # it was finished while we looked
    _vet(path)
    return _finished(path)


def _is_growing(path: Path) -> bool:
    try:
        return not path.exists() and Parts(path).folder.is_dir()
    except (OSError, ValueError):
        return False  # a name that no file can have; whoever opens it says so


def _growing(path: Path) -> "xarray.Dataset":
    manifest, design, block, _ = collected(Parts(path))
    declared = {n: Variable(v["unit"], v["long_name"]) for n, v in manifest["outputs"].items()}
    return dataset_of(design, block, declared, attributes_of(manifest, Parts(path).runs()))


def study_of(path: Path | str) -> tuple[dict[str, Any], dict[str, str]]:
    """What a sweep is, and the texts of its inputs, from its archive.

    Parameters
    ----------
    path : path
        ``NAME.h5``, finished or growing.

    Returns
    -------
    tuple of dict and dict of str to str
        Description (function, axes, block), and inputs by name.

    Raises
    ------
    DataError
        If there is no sweep in it.
    """
    found = about(path)
    if found.manifest is None:
        raise DataError(f"{path}: holds a link, not a sweep; choose another archive")
    return found.manifest, found.inputs


def texts_of(path: Path | str) -> dict[str, str]:
    """Texts that an archive of a sweep or a link keeps of its inputs, by name."""
    return about(path).inputs


def runs_of(path: Path | str) -> list[dict[str, Any]]:
    """Runs that made a sweep's archive, oldest first: when, by whom, versions, time."""
    return about(path).runs


@dataclass(frozen=True)
class About:
    """What an archive says of itself.

    Parameters
    ----------
    manifest : dict, optional
        Description of the sweep; None for a link.
    runs : list of dict
        Runs that made it, oldest first.
    inputs : dict of str to str
        Texts it rests on, by name.
    """

    manifest: dict[str, Any] | None
    runs: list[dict[str, Any]]
    inputs: dict[str, str]


def about(path: Path | str) -> About:
    """Description, runs and inputs of an archive, finished or growing, in one look.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    path = Path(path)
    if _is_growing(path):
        try:
            manifest, _, inputs = Parts(path).study()
            return About(manifest, Parts(path).runs(), inputs)
        except DataError:
            if not path.exists():
                raise
    _vet(path)
    with _h5(path) as file:
        _require_ours(path, file.attrs.get("schema"), file.attrs.get("schema_version"))
        texts = {name: text_of(file["inputs"], name) for name in file.get("inputs", ())}
    study, runs = texts.pop("study.json", None), texts.pop("runs.json", "[]")
    return About(None if study is None else json.loads(study), json.loads(runs), texts)


@contextmanager
def _h5(path: Path) -> "Iterator[h5py.File]":
    import h5py

    with _read_by_h5(path), h5py.File(path, "r") as file:
        yield file


@contextmanager
def _read_by_h5(path: Path) -> Iterator[None]:
    """Whatever a reader says of a strange file becomes a sentence."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            f"{path}: cannot be read as an archive: {_one_line(error)}; restore it from a copy"
        ) from None


def _one_line(error: object) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else text[:157] + "..."


def _finished(path: Path) -> "xarray.Dataset":
    import xarray

    with _read_by_h5(path):
        found = xarray.open_dataset(path, engine="h5netcdf", decode_times=False, phony_dims="sort")
        whole = False
        try:
            _require_ours(path, found.attrs.get("schema"), found.attrs.get("schema_version"))
            if "status" not in found or "reason" not in found:
                raise DataError(
                    f"{path}: is no archive of this toolkit: it has no status of its points; open "
                    "it with xarray"
                )
            if found.nbytes <= EAGER:
                return _ordered(_worded(found.load()))
            whole = True
            lazy = _ordered(_worded(found))
            lazy.set_close(found.close)
            return lazy
        finally:
            if not whole:
                found.close()


def _require_ours(path: Path, schema: object, version: Any) -> None:
    if isinstance(schema, bytes):
        schema = schema.decode("utf-8", "replace")
    if schema != SCHEMA:
        raise DataError(
            f"{path}: is no archive of this toolkit: it does not say schema = '{SCHEMA}'; open it "
            "with xarray"
        )
    number = np.ravel(version)
    if number.size != 1 or number.dtype.kind not in "iu" or number[0] > SCHEMA_VERSION:
        raise newer(path, version)


def _ordered(found: "xarray.Dataset") -> "xarray.Dataset":
    """Axes and outputs in the order of the sweep; a file keeps them by the alphabet."""
    import xarray

    axes, outputs = (str(found.attrs.pop(name, "")).split() for name in ("axes", "outputs"))
    coordinates = [
        *(n for n in axes if n in found.coords),
        *(n for n in found.coords if n not in axes),
    ]
    marks = ["status", "reason"] if outputs else []
    others = [n for n in found.data_vars if n not in (*outputs, *marks)]
    names = [*(n for n in outputs if n in found), *others, *marks]
    return xarray.Dataset(
        {name: found.variables[name] for name in names},
        {name: _as_objects(found.variables[name]) for name in coordinates},
        found.attrs,
    )


def _as_objects(axis: Any) -> Any:
    """Words as they are in memory."""
    return axis.astype(object) if axis.dtype.kind == "U" else axis


def _worded(found: "xarray.Dataset") -> "xarray.Dataset":
    """Put the sentences in place of their numbers."""
    if "reason_text" not in found:
        return found
    words = np.array([str(w) for w in found["reason_text"].values], dtype=object)
    place = found["reason"]
    labels = {"long_name": found["reason_text"].attrs.get("long_name", "")}
    found = found.drop_vars("reason_text")
    found["reason"] = (place.dims, words[place.values], labels)
    return found


def _vet(path: Path) -> None:
    """Refuse a file that is damaged, newer, or not ours, before any reader can hang on it."""
    try:
        if path.is_dir():
            raise DataError(f"{path}: is a folder; give the name of an archive, NAME.h5")
        seal = seal_of(path)
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{str(path)!r}: cannot be read: {reason}; check the path") from None
    if seal is Seal.BROKEN:
        raise DataError(
            f"{path}: was changed or damaged since it was written: its seal does not match; "
            "restore it from a copy (xarray opens what can be opened of it)"
        )
    if seal is Seal.NONE:
        _ask_a_child(path)


def _ask_a_child(path: Path) -> None:
    limit = PATIENCE + path.stat().st_size / 20e6
    command = [sys.executable, probe.__file__, str(path.absolute())]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
        said = json.loads(done.stdout) if done.returncode == 0 else {"error": "its reader crashed"}
    except subprocess.TimeoutExpired:
        said = {"error": f"its reader did not end within {limit:.0f} s"}
    except (OSError, ValueError):
        said = {"error": "its reader said nothing"}
    if "error" in said:
        raise DataError(
            f"{path}: cannot be read as an archive: {_one_line(said['error'])}; restore it "
            "from a copy"
        )
    version: Any = said.get("schema_version")
    _require_ours(path, said.get("schema"), version)
    if int(version) >= 2:
        raise DataError(
            f"{path}: lacks its seal: it was cut short or rewritten; restore it from a copy "
            "(xarray opens what can be opened of it)"
        )
