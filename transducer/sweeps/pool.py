"""Who computes the blocks: this process, worker processes, or any executor."""

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import uuid
from collections import Counter, deque
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
from dataclasses import dataclass, replace

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
def sheltered() -> Iterator[None]:
    """Keep Ctrl-C waiting until this is done; processes started in here are born deaf to it."""
    came: list[int] = []
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    held = main and handler is not None
    if held:  # another thread may take the signal, but the handler always runs in this one
        signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if held:
            signal.signal(signal.SIGINT, handler)
    if came and callable(handler):
        handler(came[0], None)


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
        self.pool = self._made()
        self.waiting: dict[Future[Block], _Task] = {}
        self.pieces: dict[int, dict[int, Block]] = {}  # blocks that had to be taken apart
        self.suspects: deque[_Task] = deque()  # died in company: to be tried alone
        self.strikes: Counter[_Task] = Counter()
        self.name, self.handed_out = uuid.uuid4().hex, 0
        self.proven = False

    def run(self, numbers: Sequence[int]) -> Iterator[tuple[int, Block]]:
        """Blocks as they are done; those whose worker died are tried again, at last alone."""
        queue = deque(_Task(n, *self.plan.bounds(n)) for n in numbers)
        while queue or self.suspects or self.waiting:
            if self.suspects and not self.waiting:
                self._submit(self.suspects.popleft())  # alone: if a worker dies now, it is this one
            elif not self.suspects:
                while queue and len(self.waiting) < self.in_flight:
                    self._submit(queue.popleft())
            alone = len(self.waiting) == 1
            done, _ = wait(self.waiting, return_when=FIRST_COMPLETED)
            broken: BrokenExecutor | None = None
            dead: list[_Task] = []
            while done:
                future = done.pop()
                task = self.waiting.pop(future)
                try:
                    block = future.result()
                except BrokenExecutor as error:
                    broken = error
                    dead.append(task)
                    continue
                except (Exception, CancelledError) as error:
                    if type(error).__name__ == "KilledWorker":  # dask names the culprit itself
                        yield from self._accused(task)
                        continue
                    del future
                    yield from self.finished()  # what others have done by now is kept
                    raise _told(error) from error.__cause__
                self.proven = True
                del future  # nothing holds a result longer than it takes to keep it
                yield from self._settled(task, block)
                del block
            if broken is not None:
                yield from self.finished()
                dead += self.waiting.values()
                self.waiting.clear()
                self._renew(broken)
                if alone:
                    yield from self._accused(dead[0])
                else:
                    self._suspect(dead)

    def _suspect(self, dead: list[_Task]) -> None:
        self.strikes.update(dead)
        self.suspects.extend(sorted(dead, key=lambda task: task.start))

    def _submit(self, task: _Task) -> None:
        columns = self.plan.design.columns(task.start, task.stop)
        self.handed_out += 1
        tag = f"{self.name}-{self.handed_out}"
        arguments = (tag, os.getpid(), self.plan.function, columns, self.plan.vectorised)
        with sheltered():
            try:
                future = self.pool.submit(_attempt, *arguments)
            except BrokenExecutor as error:  # it broke while nobody looked
                self._suspect(list(self.waiting.values()))
                self.waiting.clear()
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
        self.pool = self._made()
        if not self.proven:
            self._prove()

    def _made(self) -> Executor:
        pool = self.make()
        if not isinstance(pool, Executor):
            raise SweepError(
                "the function given as 'executor' must return a concurrent.futures.Executor, got "
                f"{type(pool).__name__}"
            )
        return pool

    def _prove(self) -> None:
        """See that workers can live at all, before points are blamed for their deaths."""
        try:
            with sheltered():
                ready = self.pool.submit(_ready, self.plan.function)
            ready.result()
        except BrokenExecutor:
            raise SweepError(
                "workers die before they reach any point: they must be able to import the module "
                "of the function, and a script that starts them needs if __name__ == '__main__':"
            ) from None
        self.proven = True

    def _accused(self, task: _Task) -> Iterator[tuple[int, Block]]:
        """Take apart a task that killed its worker, down to the point that does it."""
        self.strikes[task] += 1
        whole = (task.start, task.stop) == self.plan.bounds(task.number)
        if whole and self.strikes[task] == 1:
            self.suspects.appendleft(task)  # an accident happens once
            return
        if task.stop - task.start == 1:
            columns = self.plan.design.columns(task.start, task.stop)
            sentence = "its worker died, and died again when the point was tried alone"
            yield from self._settled(task, lost(columns, sentence))
            return
        self.pieces.setdefault(task.number, {})
        half = (task.start + task.stop) // 2
        self.suspects.extendleft(
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
        """Blocks that are done already: what a run that is broken off can still keep."""
        for future, task in list(self.waiting.items()):
            if future.done() and not future.cancelled() and future.exception() is None:
                del self.waiting[future]
                yield from self._settled(task, future.result())

    def end(self, at_once: bool, own: bool) -> None:
        """Give up what was not begun; end the executor if the sweep made it."""
        for future in self.waiting:
            future.cancel()
        if not own:
            return
        workers = list(getattr(self.pool, "_processes", None) or {}) if at_once else []
        with contextlib.suppress(Exception):
            try:
                self.pool.shutdown(wait=not at_once, cancel_futures=True)
            except TypeError:  # dask's takes no such argument
                self.pool.shutdown(wait=not at_once)
        for process in workers:
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)


def _attempt(tag: str, home: int, function: Function, columns: Columns, vectorised: bool) -> Block:
    """Compute; the tag keeps executors that remember calls from answering with an old failure."""
    try:
        block = compute(function, columns, vectorised)
        # a thread of the calling process: its time is counted there
        return replace(block, cpu=0.0) if os.getpid() == home else block
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # it would take the pool down on its way back
            plain = RuntimeError(f"{type(error).__name__}: {error}")
            for note in getattr(error, "__notes__", ()):
                plain.add_note(note)
            raise plain from None
        raise


def _ready(function: Function) -> bool:
    """Answer that a worker is there and knows the function."""
    return callable(function)


def _told(error: BaseException) -> BaseException:
    """The error itself, or a sentence where it is the executor's and not the function's."""
    if isinstance(error, CancelledError):
        return SweepError(
            "the executor gave the work up: its scheduler or client was closed; what was committed "
            "is kept, run the same again"
        )
    if isinstance(error, (pickle.PicklingError, AttributeError, TypeError)) and (
        "pickle" in str(error)
    ):
        return unsendable(error)
    return error


def unsendable(error: BaseException) -> SweepError:
    """Sentence for a function that cannot travel."""
    return SweepError(
        f"the function cannot be sent to worker processes ({' '.join(str(error).split())}); define "
        "it at the top of a module, or compute with workers=0"
    )


def serial(plan: Plan, numbers: Sequence[int]) -> Iterator[tuple[int, Block]]:
    """Blocks one after another, in this process."""
    for number in numbers:
        yield number, compute(plan.function, plan.columns(number), plan.vectorised)
