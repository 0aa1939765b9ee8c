"""A sweep on disk while it runs: one small sealed file per finished block, and a lock.

``NAME.h5.parts/`` holds ``study.h5`` (what the sweep is), ``block-….h5`` (a block each),
``run-….json`` (who computed when) and ``lock``. A file appears whole, by one rename, or not at all.
"""

import contextlib
import glob
import hashlib
import itertools
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cavities.errors import DamageError, DataError, SweepError
from cavities.rules import Status
from transducer.disk import IN_FLIGHT, flush_folder, is_sealed, sealed, umask, unsealed
from transducer.sweeps.axes import Axis, Design
from transducer.sweeps.plan import Plan
from transducer.sweeps.points import Block, Variable
from transducer.version import git_revision, versions

if TYPE_CHECKING:
    import h5py

SCHEMA = "transducer-toolkit/sweep"
SCHEMA_VERSION = 2
"""Schema of every archive; described in ``docs/archive.md``."""

_ONE_AT_A_TIME = threading.Lock()
_IMAGES = itertools.count()
"""Names of files in memory: libhdf5 refuses two that are open under one."""
_HELD: set[Path] = set()
"""Folders that this process holds the lock of."""


def parts_of(archive: Path) -> Path:
    """Folder in which an archive grows."""
    return archive.with_name(archive.name + ".parts")


class Parts:
    """The folder of a running sweep.

    Parameters
    ----------
    archive : Path
        The archive that it will become.
    """

    def __init__(self, archive: Path) -> None:
        self.archive, self.folder = archive, parts_of(archive)
        self._identity: str | None = None

    def begin(self, plan: Plan) -> None:
        """Make the folder with the sweep's description in it, in one step.

        Raises
        ------
        DataError
            If the place cannot be written.
        """
        try:
            self.archive.parent.mkdir(parents=True, exist_ok=True)
            name = f".{self.folder.name}."
            waiting = Path(tempfile.mkdtemp(prefix=name, dir=self.archive.parent))
        except (OSError, ValueError) as error:
            raise unwritable(self.folder, error) from None
        try:
            os.chmod(waiting, 0o777 & ~umask())
            _write(waiting / "study.h5", sealed(_study_image(plan)))
            try:
                os.rename(waiting, self.folder)  # onto another one: refused, nothing is lost
            except OSError:
                if self.folder.is_dir():
                    return  # another process was faster; the lock decides
                raise
            flush_folder(self.archive.parent)
        except OSError as error:
            raise unwritable(self.folder, error) from None
        finally:
            shutil.rmtree(waiting, ignore_errors=True)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only one who writes here.

        Raises
        ------
        SweepError
            If somebody else does.
        """
        import fcntl

        place = Path(os.path.realpath(self.folder))
        busy = SweepError(
            f"{self.archive}: another process is writing to it; wait for it, or choose another "
            "archive"
        )
        with _ONE_AT_A_TIME:  # closing the file once would let go of this process's own lock
            if place in _HELD:
                raise busy
            _HELD.add(place)
        try:
            try:
                file = (self.folder / "lock").open("a+")
            except OSError as error:
                raise unwritable(self.folder, error) from None
            with file:
                try:
                    # the kernel lets go of it when this process ends, however it ends
                    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except (BlockingIOError, PermissionError):
                    raise busy from None
                except OSError as error:
                    raise unwritable(self.folder, error) from None
                yield
        finally:
            with _ONE_AT_A_TIME:
                _HELD.discard(place)

    def study(self) -> tuple[dict[str, Any], Design, dict[str, str]]:
        """Description, points and inputs of the sweep.

        Raises
        ------
        DataError
            If the description is missing or damaged.
        """
        remedy = "restore it from a copy, or move the folder away to begin anew"
        return read_study(_whole(self.folder / "study.h5", remedy), self.archive)

    def done(self) -> dict[int, Path]:
        """Blocks that are there, by number."""
        found = {}
        with contextlib.suppress(FileNotFoundError):  # merged meanwhile
            for entry in os.scandir(self.folder):
                number = entry.name.removeprefix("block-").removesuffix(".h5")
                whole = number.isdecimal() and entry.name == _block_name(int(number))
                if whole and entry.is_file(follow_symlinks=False):
                    found[int(number)] = Path(entry.path)
        return dict(sorted(found.items()))

    def commit(self, number: int, block: Block) -> None:
        """Put a finished block on the disk: it is there whole, and flushed, when this returns.

        Raises
        ------
        DataError
            If it cannot be written; what was committed before is kept.
        """
        path = self.folder / _block_name(number)
        try:
            _write(path, sealed(_block_image(block, self.place(number))))
            flush_folder(self.folder)
        except OSError as error:
            raise unwritable(path, error) from None

    def read(self, number: int) -> Block:
        """A committed block.

        Raises
        ------
        DataError
            If it was damaged since.
        """
        path = self.folder / _block_name(number)
        block, place = _block_of(_whole(path))
        self._require_place(path, number, place)
        return block

    def about(self, number: int) -> tuple[tuple[str, ...], dict[str, Variable], tuple[str, ...]]:
        """Outputs, labels and reasons of a committed block, its values left where they are."""
        path = self.folder / _block_name(number)
        with _opened(_whole(path)) as file:
            said = json.loads(text_of(file, "about.json"))
        self._require_place(path, number, said["place"])
        labels = {n: Variable(*v) for n, v in said["labels"].items()}
        return tuple(said["names"]), labels, tuple(said["sentences"])

    def place(self, number: int) -> list[str | int]:
        """Where a block belongs: to this very sweep, and at this number."""
        if self._identity is None:
            with (self.folder / "study.h5").open("rb") as file:
                self._identity = hashlib.file_digest(file, "sha256").hexdigest()
        return [self._identity, number]

    def _require_place(self, path: Path, number: int, place: object) -> None:
        if place != self.place(number):
            raise DamageError(
                f"{path}: is a block of another sweep, or of another place in this one; run the "
                "same sweep again to mend it"
            )

    def set_aside(self, number: int) -> None:
        """Move a damaged block out of the way; it goes with the folder at the end of the sweep."""
        path = self.folder / _block_name(number)
        try:
            os.replace(path, path.with_suffix(f".damaged-{time.time_ns()}"))
        except OSError as error:
            raise unwritable(path, error) from None

    def note_run(self, run: Mapping[str, Any], path: Path | None = None) -> Path:
        """Write down who computes what, when a run begins, and again (to `path`) when it ends."""
        path = path or self.folder / f"run-{time.time_ns()}-{os.getpid()}.json"
        try:
            _write(path, sealed(json.dumps(run).encode("utf-8")))
        except OSError as error:
            raise unwritable(path, error) from None
        return path

    def runs(self) -> list[dict[str, Any]]:
        """Runs that wrote here, oldest first; a note that was damaged is left out."""
        notes = []
        for path in sorted(self.folder.glob("run-*.json")):
            with contextlib.suppress(DataError, ValueError):
                notes.append(json.loads(unsealed(_whole(path))))
        return notes

    def clear(self) -> None:
        """Remove the folder, and what a kill left of one that was not yet in its place."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for stale in self.archive.parent.glob(f".{glob.escape(self.folder.name)}.*"):
            shutil.rmtree(stale, ignore_errors=True)


def unwritable(path: Path, error: Exception) -> DataError:
    """Sentence for a file that could not be written."""
    reason = getattr(error, "strerror", None) or str(error)
    return DataError(
        f"{path}: cannot be written: {reason}; what was committed is kept: free space or choose "
        "another place, then run the same again"
    )


def _block_name(number: int) -> str:
    return f"block-{number:08d}.h5"


def _write(path: Path, content: bytes) -> None:
    """Write under a temporary name, flush, move into place."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    IN_FLIGHT.add(temporary)
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        IN_FLIGHT.discard(temporary)


def _whole(path: Path, remedy: str = "run the same sweep again to mend it") -> bytes:
    """A sealed file as it was written."""
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"{path}: cannot be read: {reason}; {remedy}") from None
    if not is_sealed(content):
        raise DamageError(f"{path}: was damaged since it was written; {remedy}")
    return content


@contextlib.contextmanager
def _image() -> "Iterator[tuple[h5py.File, list[bytes]]]":
    """Make an HDF5 file that lives in memory: libhdf5 never sees a disk that may be full."""
    import h5py

    out: list[bytes] = []
    with h5py.File(f"image-{next(_IMAGES)}", "w", driver="core", backing_store=False) as file:
        yield file, out
        file.flush()
        out.append(file.id.get_file_image())


def _opened(content: bytes) -> "h5py.File":
    import h5py

    return h5py.File(h5py.h5f.open_file_image(content))


def store_text(group: "h5py.Group", name: str, text: str) -> None:
    """Text as checksummed bytes, with its SHA-256 beside it."""
    raw = text.encode("utf-8")
    stored = _store_bytes(group, name, raw)
    stored.attrs["sha256"] = hashlib.sha256(raw).hexdigest()
    stored.attrs["encoding"] = "utf-8"


def _store_bytes(group: "h5py.Group", name: str, raw: bytes) -> "h5py.Dataset":
    return group.create_dataset(
        name,
        data=np.frombuffer(raw, dtype=np.uint8),
        **({"chunks": (len(raw),), "fletcher32": True} if raw else {}),
    )


def text_of(group: "h5py.Group", name: str) -> str:
    """Text that `store_text` stored."""
    return bytes(group[name][()]).decode("utf-8")


def _study_image(plan: Plan) -> bytes:
    manifest = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **plan.manifest()}
    manifest["created"] = now()
    with _image() as (file, out):
        store_text(file, "study.json", json.dumps(manifest))
        axes = file.create_group("axes")
        for axis in plan.design.axes:
            if axis.numeric:
                axes.create_dataset(axis.name, data=axis.values, chunks=True, fletcher32=True)
            else:
                store_text(axes, axis.name, json.dumps(axis.values.tolist()))
        inputs = file.create_group("inputs")
        for name, text in plan.inputs.items():
            store_text(inputs, name.replace("/", "."), text)
    return out[0]


def read_study(content: bytes, where: Path) -> tuple[dict[str, Any], Design, dict[str, str]]:
    """Description, points and inputs from the image of a ``study.h5``."""
    with _opened(content) as file:
        manifest = json.loads(text_of(file, "study.json"))
        if manifest["schema_version"] > SCHEMA_VERSION:
            raise newer(where, manifest["schema_version"])
        said = manifest["design"]
        axes = [_axis_of(file["axes"], entry) for entry in said["axes"]]
        inputs = {name: text_of(file["inputs"], name) for name in file["inputs"]}
    return manifest, Design(said["kind"], tuple(axes), said["seed"]), inputs


def newer(where: Path, version: object) -> DataError:
    """Sentence for an archive of a later toolkit."""
    return DataError(
        f"{where}: was written by a newer toolkit (schema version {version}, this one reads up to "
        f"{SCHEMA_VERSION}); update transducer-toolkit"
    )


def _axis_of(group: "h5py.Group", entry: Mapping[str, Any]) -> Axis:
    name = entry["name"]
    stored = group[name]
    numeric = stored.dtype.kind == "f"
    values = stored[()] if numeric else np.array(json.loads(text_of(group, name)), dtype=object)
    return Axis(name, values, entry["unit"], entry["long_name"])


def _block_image(block: Block, place: list[str | int]) -> bytes:
    about = {
        "place": place,
        "names": block.names,
        "sentences": block.sentences,
        "labels": {n: [v.unit, v.long_name] for n, v in block.labels.items()},
        "wall_s": block.wall,
        "cpu_s": block.cpu,
    }
    size = block.codes.size
    with _image() as (file, out):
        _store_bytes(file, "about.json", json.dumps(about).encode("utf-8"))
        if block.names:
            rows = min(len(block.names), max(1, (1 << 17) // size))
            file.create_dataset(
                "values", data=block.values, chunks=(rows, size), fletcher32=True, dtype="<f8"
            )
        file.create_dataset("status", data=block.codes, chunks=(size,), fletcher32=True)
        if len(block.sentences) > 1:
            file.create_dataset("reason", data=block.reasons, chunks=(size,), fletcher32=True)
    return out[0]


def _block_of(content: bytes) -> tuple[Block, object]:
    """A block, and where it says it belongs."""
    with _opened(content) as file:
        about = json.loads(text_of(file, "about.json"))
        codes = file["status"][()]
        names = tuple(about["names"])
        values = file["values"][()] if names else np.empty((0, codes.size))
        reasons = file["reason"][()] if "reason" in file else np.zeros(codes.size, dtype=np.int32)
    labels = {n: Variable(*v) for n, v in about["labels"].items()}
    sentences = tuple(about["sentences"])
    spent = about["wall_s"], about["cpu_s"]
    return Block(names, values, codes, reasons, sentences, labels, *spent), about["place"]


def pending(size: int, reason: str = "not computed yet") -> Block:
    """Block of points that are not computed yet, or whose block cannot be read."""
    codes = np.full(size, Status.PENDING, dtype=np.int8)
    reasons = np.ones(size, dtype=np.int32)
    return Block((), np.empty((0, size)), codes, reasons, ("", reason), {})


def now() -> str:
    """Date and time, in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def run_note(executor: str, points: int, wall: float, cpu: float, started: str) -> dict[str, Any]:
    """What is remembered of one run."""
    return {
        "started": started,
        "executor": executor,
        "points": points,
        "wall_s": round(wall, 6),
        "cpu_s": round(cpu, 6),
        "threads": 1,
        "git_revision": git_revision(),
        "versions": versions(),
    }
