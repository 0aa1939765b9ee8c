"""Who computes the blocks: this process, worker processes, or any executor."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from dataclasses import dataclass

from cavities.errors import SweepError
from transducer.sweeps.plan import Plan
from transducer.sweeps.points import Block, Columns, Function, compute, joined, lost

Maker = Callable[[], Executor]
"""Makes an executor; called again when one breaks."""


def processes(workers: int) -> Executor:
    """Worker processes of this machine: they start clean and end with this process.

    Parameters
    ----------
    workers : int
        How many, >= 1.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_in_worker)


def _in_worker() -> None:
    """Leave Ctrl-C to the parent, and end when the parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def _sheltered() -> Iterator[None]:
    """Processes that are started in here are born deaf to Ctrl-C: it is the parent's."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@dataclass(frozen=True)
class _Task:
    """Points of a block that are computed together."""

    number: int
    start: int
    stop: int


class Crew:
    """Hands blocks to an executor, a few at a time, and takes them back as they are done.

    Parameters
    ----------
    plan : Plan
        The sweep.
    make : callable
        Makes the executor.
    renewable : bool
        Whether a broken executor may be made anew.
    in_flight : int
        Most blocks that are handed out at a time.
    """

    def __init__(self, plan: Plan, make: Maker, renewable: bool, in_flight: int) -> None:
        self.plan, self.make, self.renewable = plan, make, renewable
        self.in_flight = in_flight
        self.pool = make()
        self.waiting: dict[Future[Block], _Task] = {}
        self.pieces: dict[int, dict[int, Block]] = {}  # blocks that had to be taken apart
        self.handed_out = 0

    def run(self, numbers: Sequence[int]) -> Iterator[tuple[int, Block]]:
        """Blocks as they are done; those whose worker died are tried again, at last alone."""
        queue = deque(_Task(n, *self.plan.bounds(n)) for n in numbers)
        suspects: deque[_Task] = deque()
        while queue or suspects or self.waiting:
            if suspects and not self.waiting:
                self._submit(suspects.popleft())  # alone: if a worker dies now, it is this one
            elif not suspects:
                while queue and len(self.waiting) < self.in_flight:
                    self._submit(queue.popleft())
            alone = len(self.waiting) == 1
            done, _ = wait(self.waiting, return_when=FIRST_COMPLETED)
            for future in done:
                task = self.waiting.pop(future, None)
                if task is None:
                    continue
                try:
                    block = future.result()
                except BrokenExecutor as error:
                    dead = [task, *self.waiting.values()]
                    self.waiting.clear()
                    self._renew(error)
                    if alone:
                        yield from self._accused(task, suspects)
                    else:
                        suspects.extend(sorted(dead, key=lambda t: t.start))
                    break
                except (Exception, CancelledError) as error:
                    if type(error).__name__ != "KilledWorker":
                        raise
                    yield from self._accused(task, suspects)  # the scheduler tried it often enough
                else:
                    yield from self._settled(task, block)

    def _submit(self, task: _Task) -> None:
        columns = self.plan.design.columns(task.start, task.stop)
        self.handed_out += 1
        arguments = (self.handed_out, self.plan.function, columns, self.plan.vectorised)
        with _sheltered():
            try:
                future = self.pool.submit(_attempt, *arguments)
            except BrokenExecutor as error:  # it broke while it stood idle
                self._renew(error)
                future = self.pool.submit(_attempt, *arguments)
        self.waiting[future] = task

    def _renew(self, error: BrokenExecutor) -> None:
        if not self.renewable:
            raise SweepError(
                "a worker died and took the executor with it; give the sweep a function that makes "
                "the executor (or workers=N) so that it can be made anew, and run the same again"
            ) from error
        with contextlib.suppress(Exception):
            self.pool.shutdown(wait=False, cancel_futures=True)
        self.pool = self.make()

    def _accused(self, task: _Task, suspects: deque[_Task]) -> Iterator[tuple[int, Block]]:
        """Take apart a task that killed its worker, down to the point that does it."""
        if task.stop - task.start == 1:
            columns = self.plan.design.columns(task.start, task.stop)
            sentence = "its worker died, and died again when the point was tried alone"
            yield from self._settled(task, lost(columns, sentence))
            return
        self.pieces.setdefault(task.number, {})
        half = (task.start + task.stop) // 2
        suspects.extendleft(
            [_Task(task.number, half, task.stop), _Task(task.number, task.start, half)]
        )

    def _settled(self, task: _Task, block: Block) -> Iterator[tuple[int, Block]]:
        """A whole block, once all of it is there."""
        pieces = self.pieces.get(task.number)
        if pieces is None:
            first, last = self.plan.bounds(task.number)
            if (task.start, task.stop) == (first, last):
                yield task.number, block
                return
            pieces = self.pieces.setdefault(task.number, {})
        pieces[task.start] = block
        first, last = self.plan.bounds(task.number)
        if sum(b.codes.size for b in pieces.values()) == last - first:
            del self.pieces[task.number]
            yield task.number, joined([pieces[start] for start in sorted(pieces)])

    def finished(self) -> Iterator[tuple[int, Block]]:
        """Blocks that are done already: what a run that is interrupted can still keep."""
        for future, task in list(self.waiting.items()):
            if future.done() and not future.cancelled() and future.exception() is None:
                yield from self._settled(task, future.result())

    def end(self, at_once: bool, own: bool) -> None:
        """Give up what was not begun; end the executor if the sweep made it."""
        for future in self.waiting:
            future.cancel()
        if not own:
            return
        workers = list(getattr(self.pool, "_processes", None) or {}) if at_once else []
        with contextlib.suppress(Exception):
            self.pool.shutdown(wait=not at_once, cancel_futures=True)
        for process in workers:
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)


def _attempt(count: int, function: Function, columns: Columns, vectorised: bool) -> Block:
    """Compute; the count keeps executors that remember calls from answering with an old failure."""
    return compute(function, columns, vectorised)


def serial(plan: Plan, numbers: Sequence[int]) -> Iterator[tuple[int, Block]]:
    """Blocks one after another, in this process."""
    for number in numbers:
        yield number, compute(plan.function, plan.columns(number), plan.vectorised)
