"""A finished sweep: as one dataset in memory, or as one HDF5 file that opens anywhere."""

import contextlib
import io
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cavities.errors import DamageError, SweepError
from cavities.rules import Status
from transducer.disk import IN_FLIGHT, flush_folder, seal_file, umask
from transducer.sweeps.axes import POINT, Design
from transducer.sweeps.points import Block, Variable, joined, unlike
from transducer.sweeps.shards import SCHEMA, SCHEMA_VERSION, Parts, pending, store_text, unwritable

if TYPE_CHECKING:
    import h5netcdf
    import xarray

CHUNK = 65536
"""Values per chunk of a variable in an archive."""

STATUS_LABELS = {
    "units": "1",
    "long_name": "what became of the point",
    "flag_values": np.array([int(s) for s in Status], dtype=np.int8),
    "flag_meanings": " ".join(s.name.lower() for s in Status),
}


def slabs(
    start: int, stop: int, shape: Sequence[int]
) -> Iterator[tuple[tuple[slice, ...], int, int]]:
    """Boxes that make up the points ``start`` to ``stop`` of a grid in row-major order.

    Yields the box and the points it holds, counted from `start`.

    Examples
    --------
    >>> [(box, a, b) for box, a, b in slabs(1, 6, (3, 2))][0]
    ((slice(0, 1, None), slice(1, 2, None)), 0, 1)
    """
    if len(shape) == 1:
        yield (slice(start, stop),), 0, stop - start
        return
    inner = math.prod(shape[1:])
    at = start
    while at < stop:
        row, offset = divmod(at, inner)
        if offset or stop - at < inner:
            end = min(stop, (row + 1) * inner)
            for box, a, b in slabs(offset, offset + end - at, shape[1:]):
                yield (slice(row, row + 1), *box), at - start + a, at - start + b
        else:
            rows = (stop - at) // inner
            end = at + rows * inner
            full = tuple(slice(0, n) for n in shape[1:])
            yield (slice(row, row + rows), *full), at - start, end - start
        at = end


Labels = dict[str, Variable]
"""Units and long names of the outputs, in their order."""


def labels_of(design: Design, declared: Mapping[str, Variable], names: Sequence[str]) -> Labels:
    """Units and long names of every output; an output must not be called like an axis."""
    clash = set(names) & set(design.names)
    if clash:
        raise SweepError(f"'{clash.pop()}' is an axis and an output; rename one of them")
    return {name: declared.get(name, Variable()) for name in names}


def dataset_of(
    design: Design,
    block: Block,
    declared: Mapping[str, Variable],
    attributes: Mapping[str, object],
) -> "xarray.Dataset":
    """Every point of a sweep as an ``xarray.Dataset``.

    Parameters
    ----------
    design : Design
        The points.
    block : Block
        Their results, all of them, in order.
    declared : mapping of str to Variable
        Units and names, over those that the function's record declares.
    attributes : mapping
        Attributes of the dataset.

    Returns
    -------
    xarray.Dataset
        Outputs, ``status`` and ``reason`` on the axes.
    """
    import xarray

    labels = labels_of(design, {**block.labels, **declared}, block.names)
    dims, shape = design.dims, design.shape
    variables: dict[str, Any] = {
        name: (dims, row.reshape(shape), _attributes(labels[name], name))
        for name, row in zip(block.names, block.values, strict=True)
    }
    reasons = np.array(block.sentences, dtype=object)[block.reasons]
    variables["status"] = (dims, block.codes.reshape(shape), dict(STATUS_LABELS))
    variables["reason"] = (dims, reasons.reshape(shape), dict(REASON_LABELS))
    coordinates = {
        axis.name: (
            axis.name if design.kind == "grid" else POINT,
            axis.values.copy(),
            _attributes(Variable(axis.unit, axis.long_name), axis.name)
            if axis.numeric
            else {"long_name": axis.long_name or axis.name},
        )
        for axis in design.axes
    }
    return xarray.Dataset(variables, coords=coordinates, attrs=dict(attributes))


REASON_LABELS = {"long_name": "why a point has no result, in a sentence"}


def _attributes(label: Variable, name: str) -> dict[str, str]:
    return {"units": label.unit, "long_name": label.long_name or name}


def attributes_of(manifest: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Attributes of an archive: what it is, and on what it was computed."""
    last = runs[-1] if runs else {}
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "title": manifest["title"],
        "function": manifest["function"]["name"],
        "sampling": manifest["design"]["kind"],
        "created": manifest["created"],
        "git_revision": last.get("git_revision", ""),
        "versions": json.dumps(last.get("versions", {})),
        "wall_time_s": float(sum(run["wall_s"] for run in runs)),
        "cpu_time_s": float(sum(run["cpu_s"] for run in runs)),
    }


def merge(parts: Parts) -> None:
    """Turn the blocks of a complete sweep into one file, and put it into place.

    Raises
    ------
    SweepError
        If blocks are missing.
    DataError
        If there is no room, or another file appeared in its place; every block is kept.
    """
    manifest, design, inputs = parts.study()
    size, block = design.size, int(manifest["block"])
    count = -(-size // block)
    done = parts.done()
    if len(done) < count:
        raise SweepError(
            f"{parts.archive}: {count - len(done)} of {count} blocks are missing; run the sweep "
            "again, or 'transducer resume', to compute them"
        )
    names, sentences, labels = _survey(parts, count)
    declared = {n: Variable(v["unit"], v["long_name"]) for n, v in manifest["outputs"].items()}
    shown = labels_of(design, {**labels, **declared}, names)
    temporary = parts.folder / "merged.tmp"
    texts = {**inputs, "study.json": json.dumps(manifest), "runs.json": json.dumps(parts.runs())}
    room = _room(design, len(names), texts, sentences)
    IN_FLIGHT.add(temporary)
    try:
        temporary.unlink(missing_ok=True)  # it may be a second name of a finished archive
        with _Reserved(temporary, room) as space:
            _fill(space, parts, (manifest, design, texts), shown, sentences)
        if space.error is not None:
            raise space.error
        seal_file(temporary)
        os.chmod(temporary, 0o666 & ~umask())
        _settle(temporary, parts.archive)
        flush_folder(parts.archive.parent)
    except FileExistsError:
        raise SweepError(
            f"{parts.archive}: appeared meanwhile and is kept; move it away, then run 'transducer "
            "merge'"
        ) from None
    except OSError as error:
        raise unwritable(parts.archive, error) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        IN_FLIGHT.discard(temporary)


def _settle(temporary: Path, path: Path) -> None:
    """Give the file its name, never over another one; a kill leaves no half name."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links; the lock keeps other sweeps away
        if path.exists():
            raise FileExistsError(path) from None
        os.replace(temporary, path)


def _survey(parts: Parts, count: int) -> tuple[tuple[str, ...], dict[str, int], Labels]:
    """Names, labels and reasons over all blocks; reading them all proves that they are whole."""
    names: tuple[str, ...] = ()
    labels: Labels = {}
    sentences = {"": 0}
    for number in range(count):
        own, declared, said = parts.about(number)
        if own and names and set(own) != set(names):
            raise SweepError(f"{parts.archive}: {unlike(names, own)}")
        if own and not names:
            names, labels = own, declared
        for sentence in said:
            sentences.setdefault(sentence, len(sentences))
    return names, sentences, labels


def _chunk(shape: Sequence[int]) -> tuple[int, ...]:
    """Chunk of at most `CHUNK` values: whole rows, from the last dimension up."""
    chunk, room = [], CHUNK
    for length in reversed(shape):
        chunk.append(max(1, min(length, room)))
        room //= chunk[-1]
    return tuple(reversed(chunk))


def _room(
    design: Design, outputs: int, texts: Mapping[str, str], sentences: Mapping[str, int]
) -> int:
    """Bytes that the file will need, rounded up."""
    shape = design.shape
    whole = math.prod(-(-n // c) * c for n, c in zip(shape, _chunk(shape), strict=True))
    chunks = whole // math.prod(_chunk(shape)) + 1
    coordinates = sum(len(axis.values) for axis in design.axes)
    words = sum(len(t.encode()) for t in [*texts.values(), *sentences]) + 32 * len(sentences)
    words += sum(64 * len(a.values) for a in design.axes if not a.numeric)
    per_variable = 8192 + 96 * chunks
    variables = outputs + len(design.axes) + len(texts) + 4
    return int(whole * (8 * outputs + 5) + 8 * coordinates + 2 * words + variables * per_variable)


def _fill(
    space: "_Reserved",
    parts: Parts,
    study: tuple[Mapping[str, Any], Design, Mapping[str, str]],
    labels: Labels,
    sentences: Mapping[str, int],
) -> None:
    import h5netcdf
    import h5py

    manifest, design, texts = study
    with h5py.File(space, "w", rdcc_nbytes=1 << 22) as file:
        with h5netcdf.File(file, "a") as netcdf:
            _coordinates(netcdf, design, sentences)
            variables = _variables(netcdf, design, labels)
            attributes = attributes_of(manifest, parts.runs())
            order = {"axes": " ".join(design.names), "outputs": " ".join(labels)}
            for name, value in {**attributes, **order}.items():
                netcdf.attrs[name] = value
            stored = {name: file[name] for name in variables}
            for start, block in _runs(parts, design.size, int(manifest["block"])):
                place = np.array([sentences[s] for s in block.sentences], dtype=np.int32)
                columns = _columns(block, labels, place)
                for box, a, b in slabs(start, start + block.codes.size, design.shape):
                    sides = [s.stop - s.start for s in box]
                    for name, column in columns.items():
                        stored[name][box] = column[a:b].reshape(sides)
        inputs = file.create_group("inputs")
        for name, text in texts.items():
            store_text(inputs, name, text)


def _columns(block: Block, labels: Labels, place: NDArray[np.int32]) -> dict[str, NDArray[Any]]:
    rows = dict(zip(block.names, block.values, strict=True))
    empty = np.full(block.codes.size, np.nan)
    columns: dict[str, NDArray[Any]] = {name: rows.get(name, empty) for name in labels}
    return {**columns, "status": block.codes, "reason": place[block.reasons]}


def _runs(parts: Parts, size: int, step: int) -> Iterator[tuple[int, Block]]:
    """Blocks in order, small ones joined to what fills a chunk."""
    together = max(1, CHUNK // step)
    count = -(-size // step)
    for first in range(0, count, together):
        numbers = range(first, min(count, first + together))
        yield first * step, joined([parts.read(number) for number in numbers])


def _coordinates(netcdf: "h5netcdf.File", design: Design, sentences: Mapping[str, int]) -> None:
    import h5py

    netcdf.dimensions = dict(zip(design.dims, design.shape, strict=True))
    netcdf.dimensions["reason_index"] = len(sentences)
    for axis in design.axes:
        dims = (axis.name,) if design.kind == "grid" else (POINT,)
        kind = "<f8" if axis.numeric else h5py.string_dtype()
        checked = {"fletcher32": True, "chunks": (min(CHUNK, len(axis.values)),)}
        stored = netcdf.create_variable(
            axis.name, dims, kind, data=axis.values, **(checked if axis.numeric else {})
        )
        if axis.numeric:
            stored.attrs["units"] = axis.unit
        stored.attrs["long_name"] = axis.long_name or axis.name
    words = np.array(list(sentences), dtype=object)
    stored = netcdf.create_variable(
        "reason_text", ("reason_index",), h5py.string_dtype(), data=words
    )
    stored.attrs["long_name"] = REASON_LABELS["long_name"]


def _variables(netcdf: "h5netcdf.File", design: Design, labels: Labels) -> dict[str, Any]:
    kinds = {**dict.fromkeys(labels, "<f8"), "status": "i1", "reason": "<i4"}
    variables = {}
    for name, kind in kinds.items():
        variables[name] = netcdf.create_variable(
            name, design.dims, kind, chunks=_chunk(design.shape), fletcher32=True
        )
        if design.kind != "grid":
            variables[name].attrs["coordinates"] = " ".join(design.names)
    for name, label in labels.items():
        variables[name].attrs.update({"units": label.unit, "long_name": label.long_name or name})
    variables["status"].attrs.update(STATUS_LABELS)
    variables["reason"].attrs["long_name"] = "place of the reason in reason_text"
    return variables


class _Reserved(io.RawIOBase):
    """A file whose room is claimed before libhdf5 writes to it: it never meets a full disk.

    An error that comes all the same is kept in `error`: libhdf5 crashes on one that it is told.
    """

    def __init__(self, path: Path, room: int) -> None:
        super().__init__()
        self.error: OSError | None = None
        self._file = path.open("x+b", buffering=0)
        self._end = 0
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(self._file.fileno(), 0, room)
            else:
                for _ in range(0, room, 1 << 20):
                    self._file.write(bytes(1 << 20))
                self._file.seek(0)
        except BaseException:
            self._file.close()
            raise

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        inside = view[: max(0, self._end - self._file.tell())]
        return self._file.readinto(inside) or 0

    def write(self, content: Any) -> int:
        view = memoryview(content).cast("B")
        try:
            while view:
                view = view[self._put(view) :]
        except OSError as error:
            self.error = self.error or error
            self._file.seek(len(view), 1)  # on with the show
        self._end = max(self._end, self._file.tell())
        return memoryview(content).nbytes

    def _put(self, view: memoryview) -> int:
        return self._file.write(view) or 0

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == 2:
            offset, whence = self._end + offset, 0
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def truncate(self, size: int | None = None) -> int:
        self._end = self._file.tell() if size is None else size
        return self._end

    def flush(self) -> None:
        if not self._file.closed:
            self._file.flush()

    def close(self) -> None:
        if not self._file.closed:
            self._file.truncate(self._end)
            self._file.close()
        super().close()


def collected(parts: Parts) -> tuple[Mapping[str, Any], Design, Block, Mapping[str, str]]:
    """What is there of a running sweep: points that are not yet computed are marked `PENDING`.

    Raises
    ------
    DataError
        If the description is damaged. A damaged block leaves its points pending, and says so.
    """
    manifest, design, inputs = parts.study()
    step, size = int(manifest["block"]), design.size
    done = parts.done()
    blocks = []
    for number in range(-(-size // step)):
        points = min(step, size - number * step)
        try:
            blocks.append(parts.read(number) if number in done else pending(points))
        except DamageError as error:  # the others are whole
            blocks.append(pending(points, str(error)))
    return manifest, design, joined(blocks), inputs
