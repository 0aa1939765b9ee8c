"""Run a sweep: in memory, or into an archive that keeps every finished block."""

import os
import pickle
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cavities.errors import DamageError, DataError, SweepError
from transducer import archive as archives
from transducer.progress import Interrupted, progress
from transducer.sweeps.axes import Axes, design_of
from transducer.sweeps.merge import attributes_of, dataset_of, merge
from transducer.sweeps.plan import Plan, plan_of, require_same
from transducer.sweeps.points import Block, Function, Variable, joined
from transducer.sweeps.pool import Crew, Maker, processes, serial, sheltered, unsendable
from transducer.sweeps.shards import Parts, now, run_note

if TYPE_CHECKING:
    import xarray


def sweep(
    function: Function,
    axes: Axes,
    *,
    archive: Path | str | None = None,
    vectorised: bool = False,
    block: int | None = None,
    workers: int = 0,
    executor: Executor | Maker | None = None,
    in_flight: int | None = None,
    outputs: Mapping[str, Variable] | None = None,
    inputs: Mapping[str, str] | None = None,
    title: str = "",
) -> "xarray.Dataset":
    """Call a function at every point of some axes.

    Parameters
    ----------
    function : callable
        Takes the axes' names as keywords and returns a flat record: a mapping or a dataclass of
        real numbers. Fields with ``unit`` and ``long_name`` in their metadata label the result.
    axes : Design, mapping or sequence of Axis
        A mapping of names to values (or `Axis`) makes a grid; see `grid`, `zipped`, `sampled`.
    archive : path, optional
        HDF5 file to make, its name ending in ``.h5``. Every finished block is on the disk at once,
        in ``NAME.h5.parts/``; when all are there they become the file. The same call goes on where
        one was stopped, and gives a finished archive back.
    vectorised : bool
        Whether the function takes whole columns, shape (n,), and returns columns or numbers. It may
        mark its own failures with ``status`` (a `cavities.rules.Status` per point) and ``reason``.
    block : int, optional
        Points per block. By default 65536 for a vectorised function and 16 to 1024 for any other,
        by the number of points alone. A block is what can be lost: keep it to seconds.
    workers : int
        Processes to start, 0 to compute here. The function and what it holds are sent to them, so
        it must live in a module; scripts need ``if __name__ == "__main__":``.
    executor : Executor or callable, optional
        Any `concurrent.futures.Executor`, such as ``dask.distributed.Client.get_executor()``, or a
        function that makes one, which is called again if a dying worker breaks it.
    in_flight : int, optional
        Most blocks handed out at a time, and so the most that a kill costs: by default one per
        worker of `workers`, twice the workers of a standard pool, twice the processors of this
        machine for any other `executor`.
    outputs : mapping of str to Variable, optional
        Units and long names of outputs.
    inputs : mapping of str to str, optional
        Texts the function rests on (device files, settings), by name; stored, and compared when a
        sweep goes on.
    title : str
        What it is, in words.

    Returns
    -------
    xarray.Dataset
        Outputs on the axes, with ``status`` (`cavities.rules.Status`) and ``reason`` per point. A
        point at which the function raises a `PhysicsError` is NaN and says why. Of an archive above
        256 MiB, the outputs are read from the file as they are used.

    Raises
    ------
    ParameterError, SweepError
        If axes, function or archive do not fit each other; nothing is computed, nothing written.
    DataError
        If the archive cannot be written or read; committed blocks are kept.
    Interrupted
        On Ctrl-C; finished blocks are kept.
    Exception
        What else the function raises stops the sweep; committed blocks are kept.

    Notes
    -----
    Resumed or not, serial or in parallel, results are bit-identical on one machine with the same
    versions: block boundaries are fixed, and BLAS keeps to one thread.

    Examples
    --------
    >>> found = sweep(lambda C: {"eta": 4 * C / (1 + C) ** 2}, {"C": [0.5, 1.0, 2.0]})
    >>> found.eta.sel(C=1.0).item()
    1.0
    """
    plan = plan_of(function, design_of(axes), vectorised, block, outputs or {}, inputs or {}, title)
    hands = _hands(workers, executor, in_flight)
    if workers or isinstance(executor, ProcessPoolExecutor):
        _require_sendable(function)
    if archive is None:
        return _in_memory(plan, hands)
    path = Path(archive)
    _require_possible(path)
    if path.suffix != ".h5" or path.is_dir():
        raise SweepError(f"{path}: an archive is a file whose name ends in .h5; rename it")
    return _archived(plan, path, hands)


def _require_possible(path: Path) -> None:
    """Refuse a place that no file can have, or that nobody may look at."""
    try:
        path.exists()
        Parts(path).folder.exists()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(
            f"{str(path)!r}: no archive can stand there: {reason}; choose another place"
        ) from None


def finish(archive: Path | str) -> None:
    """Turn a complete set of blocks into the archive, where nobody did.

    Raises
    ------
    SweepError
        If blocks are missing, or the archive is finished already.
    DataError
        If there is no such sweep, or no room.
    """
    path = Path(archive)
    _require_possible(path)
    parts = Parts(path)
    if not parts.folder.is_dir():
        state = "is finished already" if path.exists() else "is not there"
        raise SweepError(f"{path}: {state}; there is nothing to merge")
    with parts.lock():
        if not (path.exists() and archives.about(path).manifest == parts.study()[0]):
            with sheltered():
                merge(parts)
        parts.clear()  # a kill may have come between the merge and this


@dataclass(frozen=True)
class _Hands:
    """Who computes: nobody but this process if `make` is None."""

    said: str
    make: Maker | None = None
    own: bool = True
    renewable: bool = True
    in_flight: int = 1


def _hands(workers: int, executor: Executor | Maker | None, in_flight: int | None) -> _Hands:
    if workers and executor is not None:
        raise SweepError("'workers' and 'executor' exclude each other; leave one of them out")
    if workers < 0 or (in_flight is not None and in_flight < 1):
        raise SweepError(f"workers >= 0 and in_flight >= 1 are needed, got {workers}, {in_flight}")
    if workers:
        return _Hands(
            f"{workers} processes", partial(processes, workers), in_flight=in_flight or workers
        )
    if executor is None:
        return _Hands("serial")
    if not callable(executor) and not isinstance(executor, Executor):
        raise SweepError(
            "'executor' must be a concurrent.futures.Executor or a function that makes one, got "
            f"{type(executor).__name__}"
        )
    known = getattr(executor, "_max_workers", None)  # of the standard pools
    many = in_flight or 2 * (known if isinstance(known, int) else os.cpu_count() or 1)
    said = getattr(executor, "__name__", type(executor).__name__)
    if isinstance(executor, Executor):
        given = executor
        return _Hands(said, lambda: given, own=False, renewable=False, in_flight=many)
    return _Hands(said, executor, in_flight=many)


def _require_sendable(function: Function) -> None:
    try:
        pickle.dumps(function)
    except Exception as error:
        raise unsendable(error) from None


def _in_memory(plan: Plan, hands: _Hands) -> "xarray.Dataset":
    found: dict[int, Block] = {}
    started, wall, cpu = now(), time.perf_counter(), time.process_time()
    _compute(plan, range(plan.blocks), hands, found.__setitem__, "nothing was kept")
    everything = joined([found.pop(number) for number in range(plan.blocks)])
    run = _run(hands, plan.design.size, everything.cpu, started, wall, cpu)
    manifest = {**plan.manifest(), "created": started}
    return dataset_of(plan.design, everything, plan.outputs, attributes_of(manifest, [run]))


def _archived(plan: Plan, path: Path, hands: _Hands) -> "xarray.Dataset":
    parts = Parts(path)
    try:
        if not (_is_finished(plan, path) and not parts.folder.exists()):
            _finish(plan, path, parts, hands)
        return archives.load(path)
    except Interrupted:
        raise
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; {_kept(parts)}", None) from None


def _kept(parts: Parts) -> str:
    return (
        f"finished blocks are kept in {parts.folder}: the same call, or 'transducer resume "
        f"{parts.archive}', goes on from there"
    )


def _finish(plan: Plan, path: Path, parts: Parts, hands: _Hands) -> None:
    """Compute what is missing and merge; or clear away what a kill left beside the archive."""
    if not parts.folder.exists() and not path.exists():
        parts.begin(plan)
    with parts.lock():
        if not _is_finished(plan, path):  # it may have been finished meanwhile
            manifest, _, inputs = parts.study()
            require_same(manifest, inputs, plan, str(path))
            _complete(plan, parts, hands)
            with sheltered():  # an interrupt inside libhdf5 would crash it
                merge(parts)
        parts.clear()


def _is_finished(plan: Plan, path: Path) -> bool:
    """Whether the archive is there, and is this sweep's."""
    if not path.exists():
        return False
    manifest, inputs = archives.study_of(path)
    require_same(manifest, inputs, plan, str(path))
    return True


def _complete(plan: Plan, parts: Parts, hands: _Hands) -> None:
    """Compute the blocks that are not there yet."""
    done = parts.done()
    for number in list(done):
        try:
            parts.about(number)
        except DamageError:
            parts.set_aside(number)
            del done[number]
    missing = [number for number in range(plan.blocks) if number not in done]
    if not missing:
        return
    started, wall, cpu = now(), time.perf_counter(), time.process_time()
    points, elsewhere = 0, 0.0
    note = parts.note_run(_run(hands, 0, 0.0, started, wall, cpu))

    def keep(number: int, block: Block) -> None:
        nonlocal points, elsewhere
        parts.commit(number, block)
        points += block.codes.size
        elsewhere += block.cpu

    try:
        _compute(plan, missing, hands, keep, _kept(parts))
    finally:
        parts.note_run(_run(hands, points, elsewhere, started, wall, cpu), note)


def _run(
    hands: _Hands, points: int, elsewhere: float, started: str, wall: float, cpu: float
) -> dict[str, object]:
    """What is remembered of this run; the workers' time is in their blocks."""
    here = time.process_time() - cpu
    workers = elsewhere if hands.make is not None else 0.0
    return run_note(hands.said, points, time.perf_counter() - wall, here + workers, started)


def _compute(
    plan: Plan,
    numbers: Sequence[int],
    hands: _Hands,
    keep: Callable[[int, Block], None],
    kept: str,
) -> None:
    """Compute blocks and keep each as it is done; Ctrl-C keeps what is done."""
    size = sum(b - a for a, b in map(plan.bounds, numbers))
    crew: Crew | None = None
    whole = False
    with progress(plan.title or "sweep", size) as bar:
        try:
            if hands.make is not None:
                crew = Crew(plan, hands.make, hands.renewable, hands.in_flight)
            blocks = crew.run(numbers) if crew is not None else serial(plan, numbers)
            for number, block in blocks:
                with sheltered():
                    keep(number, block)
                    bar.step(block.codes.size, block.failed)
            whole = True
        except KeyboardInterrupt:
            for number, block in crew.finished() if crew is not None else ():
                keep(number, block)
                bar.step(block.codes.size, block.failed)
            raise Interrupted(
                f"interrupted after {bar.done} of {size} points; {kept}", None
            ) from None
        finally:
            if crew is not None:
                crew.end(at_once=not whole, own=hands.own)
