"""What a sweep does at its points: it calls a function and keeps numbers, codes and reasons.

This is all that a worker runs. It knows no physics: only which errors are a point's own fault.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cavities.errors import PhysicsError, SweepError, ToolkitError
from cavities.rules import Codes, Status, status_of
from cavities.sentences import short
from transducer.sweeps.axes import LONGEST, RESERVED, Values, require_storable, require_unit

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

Record = Any
"""What a function returns: a mapping or a dataclass of numbers (of arrays, if vectorised)."""
Function = Callable[..., Record]
Columns = Mapping[str, Values]

STATUS, REASON = "status", "reason"
"""Entries with which a vectorised record marks its own failed points."""


@dataclass(frozen=True)
class Variable:
    """How an output is labelled.

    Parameters
    ----------
    unit : str
        Unit as it is printed.
    long_name : str
        What it is, in words.
    """

    unit: str = "1"
    long_name: str = ""

    def require_storable(self, name: str) -> None:
        """Refuse a label that no file can hold, or that readers would take for a calendar."""
        for text in (self.unit, self.long_name):
            require_storable(text, f"the label of '{name}'")
        require_unit(self.unit, f"the label of '{name}'")


@dataclass(frozen=True)
class Block:
    """Results at consecutive points.

    Parameters
    ----------
    names : tuple of str
        Outputs, in the function's order; empty if every point failed.
    values : ndarray, shape (number of names, n)
        What came out; NaN where a point failed.
    codes : ndarray of int8, shape (n,)
        A `Status` per point.
    reasons : ndarray of int32, shape (n,)
        Which of `sentences` says why; 0 where nothing failed.
    sentences : tuple of str
        Reasons, each once; the first is empty.
    labels : dict of str to Variable
        Units and names that the function's own record declares.
    wall, cpu : float
        Time it took [s].
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    codes: Codes
    reasons: NDArray[np.int32]
    sentences: tuple[str, ...]
    labels: dict[str, Variable]
    wall: float = 0.0
    cpu: float = 0.0

    @property
    def failed(self) -> int:
        """Number of points that gave no result."""
        return int(np.count_nonzero(self.codes))


def compute(function: Function, columns: Columns, vectorised: bool) -> Block:
    """Call a function at every point of a block.

    Parameters
    ----------
    function : callable
        Called with the axes' names as keywords: one number or word each, or whole columns if
        `vectorised`.
    columns : mapping of str to ndarray, shape (n,)
        Values of every axis.
    vectorised : bool
        Whether the function takes columns.

    Returns
    -------
    Block
        A point at which the function raised a `PhysicsError` holds NaN, its code and the sentence.

    Raises
    ------
    SweepError
        If the record is not flat, or holds what is not a real number.
    Exception
        Whatever else the function raises, with a note that names the point.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    with _one_thread:
        block = (batch if vectorised else _one_by_one)(function, columns)
    for name, label in block.labels.items():
        label.require_storable(name)
    clash = set(block.names) & set(columns)
    if clash:
        raise SweepError(f"'{clash.pop()}' is an axis and an output; rename one of them")
    return Block(
        block.names,
        block.values,
        block.codes,
        block.reasons,
        block.sentences,
        block.labels,
        time.perf_counter() - wall,
        time.process_time() - cpu,
    )


_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "BLIS_NUM_THREADS")
"""What libraries ask for their number of threads when they are loaded."""


class _OneThread:
    """Keep BLAS to one thread, in a worker and in a serial run alike: both round the same way.

    Limits hold for the whole process, so threads that compute at a time share them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users, self._known = 0, 0
        self._limits: list[Any] = []
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> None:
        from threadpoolctl import ThreadpoolController

        with self._lock:
            new = self._controller is None or self._known != len(sys.modules)
            if self._controller is None or new:  # a library may have come; slow, so nothing is
                self._controller = ThreadpoolController()  # changed before it is done
                self._known = len(sys.modules)
            if self._users == 0:
                self._before = {name: os.environ.get(name) for name in _THREADS}
                os.environ.update(dict.fromkeys(_THREADS, "1"))
            if self._users == 0 or new:
                self._limits.append(self._controller.limit(limits=1))
            self._users += 1

    _controller: "ThreadpoolController | None" = None

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users:
                return
            while self._limits:
                self._limits.pop().restore_original_limits()
            for name, value in self._before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


_one_thread = _OneThread()


def lost(columns: Columns, sentence: str) -> Block:
    """Block of points whose worker died."""
    size = len(next(iter(columns.values())))
    reasons = np.ones(size, dtype=np.int32)
    codes = np.full(size, Status.LOST, dtype=np.int8)
    return Block((), np.empty((0, size)), codes, reasons, ("", sentence), {})


def joined(blocks: Sequence[Block]) -> Block:
    """Blocks one after another as one."""
    names = next((b.names for b in blocks if b.names), ())
    labels = next((b.labels for b in blocks if b.names), {})
    sentences = {"": 0}
    parts, reasons = [], []
    for block in blocks:
        parts.append(_rows(block, names))
        place = [sentences.setdefault(s, len(sentences)) for s in block.sentences]
        reasons.append(np.array(place, dtype=np.int32)[block.reasons])
    return Block(
        names,
        np.concatenate(parts, axis=1),
        np.concatenate([b.codes for b in blocks]),
        np.concatenate(reasons),
        tuple(sentences),
        labels,
        sum(b.wall for b in blocks),
        sum(b.cpu for b in blocks),
    )


def _rows(block: Block, names: tuple[str, ...]) -> NDArray[np.float64]:
    """Values of a block in the order of `names`; NaN if it has no outputs."""
    if block.names == names:
        return block.values
    if not block.names:
        return np.full((len(names), block.codes.size), np.nan)
    if set(block.names) != set(names):
        raise SweepError(unlike(names, block.names))
    return block.values[[block.names.index(name) for name in names]]


def unlike(first: Sequence[str], second: Sequence[str]) -> str:
    """Sentence for outputs that differ from point to point."""
    apart = sorted(set(first) ^ set(second)) or list(second)
    return (
        f"the function must return the same outputs at every point: {', '.join(map(repr, apart))} "
        "came at some points only"
    )


def _one_by_one(function: Function, columns: Columns) -> Block:
    return joined([single(function, _at(columns, i)) for i in range(_length(columns))])


def single(function: Function, point: Mapping[str, float | str]) -> Block:
    """Call at one point."""
    try:
        found, labels = _flat(function(**point))
        row = {name: _real(name, value) for name, value in found.items()}
    except PhysicsError as error:
        return _refused(1, error)
    except Exception as error:
        _locate(error, f"at the point {described(point)}")
        raise
    return _settled(tuple(row), np.array([*row.values()])[:, None], labels)


def _refused(size: int, error: PhysicsError) -> Block:
    codes = np.full(size, status_of(error), dtype=np.int8)
    reasons = np.ones(size, dtype=np.int32)
    sentence = _storable(str(error)) or status_of(error).name.lower().replace("_", " ")
    return Block((), np.empty((0, size)), codes, reasons, ("", sentence), {})


def _storable(sentence: str) -> str:
    """A sentence as every file can keep it."""
    return sentence.replace("\0", "?").encode("utf-8", "replace").decode("utf-8")


def batch(function: Function, columns: Columns) -> Block:
    """Call with whole columns; where a point is refused, halve until it stands alone."""
    size = _length(columns)
    try:
        # copies: a function may do with its columns what it likes
        found, labels = _flat(function(**{n: v.copy() for n, v in columns.items()}), own_marks=True)
        own, said = _marks(found.pop(STATUS, 0), found.pop(REASON, ""), size)
        rows = [_column(name, value, size) for name, value in found.items()]
    except PhysicsError as error:
        if size == 1:
            return _refused(1, error)
        half = size // 2
        first = {name: values[:half] for name, values in columns.items()}
        second = {name: values[half:] for name, values in columns.items()}
        return joined([batch(function, first), batch(function, second)])
    except Exception as error:
        _locate(error, f"in the block that starts at {described(_at(columns, 0))}")
        raise
    values = np.array(rows) if rows else np.empty((0, size))
    return _settled(tuple(found), values, labels, own, said)


def _locate(error: Exception, where: str) -> None:
    """Say where an error came up: in its sentence if it is one of ours, else in a note."""
    if isinstance(error, ToolkitError):
        error.args = (f"{error} ({where})",)
    else:
        error.add_note(where)


def _marks(codes: object, reasons: object, size: int) -> tuple[Codes, NDArray[Any]]:
    """Status and reason of every point, as a vectorised function gives them."""
    given = np.asarray(codes)
    known = {int(status) for status in Status if status not in (Status.PENDING, Status.LOST)}
    if given.dtype.kind not in "iub" or given.shape not in ((), (size,)):
        raise SweepError(
            f"'{STATUS}' must be whole numbers of cavities.rules.Status, one or {size} of "
            f"them, got {short(codes)}"
        )
    strange = set(np.unique(given).tolist()) - known
    if strange:
        raise SweepError(
            f"'{STATUS}' holds {min(strange)}, which is no cavities.rules.Status; they go from "
            f"0 to {max(known)}"
        )
    said = np.asarray(reasons, dtype=object)
    if said.shape not in ((), (size,)):
        raise SweepError(f"'{REASON}' must be one sentence or {size}, got shape {said.shape}")
    return (
        np.broadcast_to(given, (size,)).astype(np.int8),
        np.broadcast_to(said, (size,)),
    )


def _settled(
    names: tuple[str, ...],
    values: NDArray[np.float64],
    labels: dict[str, Variable],
    codes: Codes | None = None,
    said: NDArray[Any] | None = None,
) -> Block:
    """Mark what failed: what the record says itself, and numbers that are none."""
    size = values.shape[1]
    codes = np.zeros(size, dtype=np.int8) if codes is None else codes.copy()
    sentences, reasons = {"": 0}, np.zeros(size, dtype=np.int32)
    for i in np.flatnonzero(codes):
        sentence = (
            _storable(str(said[i]))
            if said is not None and said[i]
            else Status(codes[i]).name.lower()
        )
        reasons[i] = sentences.setdefault(sentence, len(sentences))
    empty = np.isnan(values)
    for i in np.flatnonzero(empty.any(axis=0) & (codes == Status.OK)):
        which = ", ".join(f"'{names[j]}'" for j in np.flatnonzero(empty[:, i]))
        codes[i] = Status.NOT_A_NUMBER
        sentence = f"{which} came out as not a number"
        reasons[i] = sentences.setdefault(sentence, len(sentences))
    values[:, codes != Status.OK] = np.nan
    return Block(names, values, codes, reasons, tuple(sentences), labels)


def _length(columns: Columns) -> int:
    return len(next(iter(columns.values())))


def _at(columns: Columns, index: int) -> dict[str, float | str]:
    """One point, as plain numbers and words."""
    return {n: v[index].item() if v.dtype.kind == "f" else v[index] for n, v in columns.items()}


def described(point: Mapping[str, float | str]) -> str:
    """A point in words.

    Examples
    --------
    >>> described({"power": 1e-6, "scheme": "single-click"})
    'power = 1e-06, scheme = single-click'
    """
    shown = (f"{v:.12g}" if isinstance(v, float) else v for v in point.values())
    return ", ".join(f"{name} = {text}" for name, text in zip(point, shown, strict=True))


def _flat(record: Record, own_marks: bool = False) -> tuple[dict[str, Any], dict[str, Variable]]:
    """Entries of a record, and the units it declares in its fields' metadata."""
    entries, labels = _entries(record)
    if not set(entries) - ({STATUS, REASON} if own_marks else set()):
        raise SweepError("the function returned no output; return {'efficiency': 0.1}, for example")
    return entries, labels


def _entries(record: Record) -> tuple[dict[str, Any], dict[str, Variable]]:
    if is_dataclass(record) and not isinstance(record, type):
        entries = {field.name: getattr(record, field.name) for field in fields(record)}
        labels = {
            f.name: Variable(f.metadata["unit"], f.metadata.get("long_name", ""))
            for f in fields(record)
            if "unit" in f.metadata
        }
        return entries, labels
    if isinstance(record, Mapping):
        return dict(record), {}
    raise SweepError(
        "a swept function must return a mapping or a dataclass of numbers, got "
        f"{type(record).__name__}; return for example {{'efficiency': 0.1}}"
    )


def _real(name: object, value: object) -> float:
    array = _numbers(name, value)
    if array.ndim != 0:
        raise SweepError(
            f"output {name!r} must be one real number per point, got shape {array.shape}; give "
            "each component a name of its own, or sweep with vectorised=True"
        )
    return float(array)


def _column(name: object, value: object, size: int) -> NDArray[np.float64]:
    array = _numbers(name, value)
    if array.shape not in ((), (size,)):
        raise SweepError(
            f"output {name!r} of a vectorised function must have shape ({size},) or be one number, "
            f"got shape {array.shape}"
        )
    return np.broadcast_to(array, (size,))


def _numbers(name: object, value: object) -> NDArray[np.float64]:
    if (
        not isinstance(name, str)
        or not name.isidentifier()
        or name in RESERVED
        or len(name) > LONGEST
    ):
        raise SweepError(
            f"output {short(name)}: a name must be letters, digits and underscores, and none of "
            f"{', '.join(RESERVED)}"
        )
    try:
        array = np.asarray(value)
    except ValueError:
        raise SweepError(f"output {name!r} must be a real number, got {short(value)}") from None
    if isinstance(value, np.ma.MaskedArray):
        array = np.ma.filled(value.astype(np.float64), np.nan)  # what is masked is no number
    if array.dtype.kind not in "biuf":
        kind = "complex" if array.dtype.kind == "c" else type(value).__name__
        raise SweepError(
            f"output {name!r} must be a real number, got {kind}; split complex numbers into two"
        )
    return array.astype(np.float64)
