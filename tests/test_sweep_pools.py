"""Adversarial referee of who computes a sweep: workers that die, executors that break, mistakes.

Every test has an alarm: a sweep that hangs fails instead of standing still.
"""

import contextlib
import logging
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
import weakref
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from cavities.errors import SweepError, ToolkitError
from cavities.rules import Status
from tests import swept
from transducer.archive import load, runs_of
from transducer.sweeps import Axis, sweep, zipped
from transducer.sweeps.pool import processes

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 40
"""Seconds after which a test has hung."""


class HungError(BaseException):
    """No test may take this long; not an Exception, so that nothing swallows it."""


@contextlib.contextmanager
def alarm(seconds):
    def ring(*_):
        raise HungError(f"still running after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def nothing_hangs():
    with alarm(LONGEST):
        yield


@pytest.fixture
def no_worker_is_left():
    """Whatever happened, the sweep's own processes are gone soon after."""
    before = {child.pid for child in multiprocessing.active_children()}
    yield
    until = time.monotonic() + 10
    while left := {c.pid for c in multiprocessing.active_children()} - before:
        if time.monotonic() > until:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            pytest.fail(f"worker processes are left: {left}")
        time.sleep(0.02)


def spawned(workers=2):
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


@pytest.fixture(scope="module")
def pool():
    """A given executor of worker processes, for tests that do not break it."""
    with spawned() as made:
        yield made


def figures(dataset):
    """All figures and words at the points, exactly, and their units."""
    return {
        str(name): (
            v.dims,
            v.shape,
            [str(word) for word in v.values.ravel()]
            if v.dtype.kind in "OU"
            else v.values.tobytes(),
            v.attrs.get("units"),
        )
        for name, v in dataset.variables.items()
    }


def labels(dataset):
    """All that a dataset says besides: order, types, labels, what it is."""
    said = ("schema", "schema_version", "title", "function", "sampling")
    return (
        [str(name) for name in dataset.data_vars],
        [str(name) for name in dataset.coords],
        {str(name): str(v.dtype) for name, v in dataset.variables.items()},
        {
            (str(name), key): str(value)
            for name, v in dataset.variables.items()
            for key, value in v.attrs.items()
        },
        {key: str(dataset.attrs[key]) for key in said},
    )


def same(one, two):
    assert figures(one) == figures(two)


def numbers(count):
    return [float(i) for i in range(count)]


ROUGH = {
    "x": np.linspace(0.1, 1.0, 7),
    "y": np.array([0.1, 1 / 3, 0.8]),
    "scheme": ["one", "two"],
}
COLUMNS = {"x": np.linspace(0.0, 1.0, 23) ** 2, "y": np.array([0.1, 1 / 3, math.pi])}


@pytest.fixture(scope="module")
def serial_rough():
    with alarm(LONGEST):
        return sweep(swept.rough, ROUGH, block=5, title="rough")


@pytest.fixture(scope="module")
def serial_columns():
    with alarm(LONGEST):
        return sweep(swept.columns, COLUMNS, block=10, vectorised=True)


# --- the same bits, whoever computes ------------------------------------------------------------


def by_whom(name, pool):
    return {
        "serial": {},
        "workers": {"workers": 2},
        "a process pool": {"executor": pool},
        "a thread pool": {"executor": ThreadPoolExecutor(3)},
        "a maker": {"executor": partial(ThreadPoolExecutor, 2), "in_flight": 1},
    }[name]


@pytest.mark.parametrize("archived", [False, True], ids=["in memory", "archived"])
@pytest.mark.parametrize(
    "whom", ["serial", "workers", "a process pool", "a thread pool", "a maker"]
)
def test_a_sweep_gives_the_same_bits_whoever_computes_it(
    whom, archived, pool, serial_rough, tmp_path
):
    archive = tmp_path / "rough.h5" if archived else None
    found = sweep(
        swept.rough, ROUGH, block=5, title="rough", archive=archive, **by_whom(whom, pool)
    )
    same(found, serial_rough)
    if not archived:
        assert labels(found) == labels(serial_rough)
    codes = set(found.status.values.ravel().tolist())
    assert codes == {Status.OK, Status.OUTSIDE_DOMAIN, Status.NOT_A_NUMBER}, "an empty claim"
    if archived:
        same(load(archive), serial_rough)


def test_a_sweep_in_memory_has_the_labels_types_and_order_of_an_archived_one(
    serial_rough, tmp_path
):
    archived = sweep(swept.rough, ROUGH, block=5, title="rough", archive=tmp_path / "rough.h5")
    for one, two in zip(labels(serial_rough), labels(archived), strict=True):
        assert one == two


@pytest.mark.parametrize("archived", [False, True], ids=["in memory", "archived"])
@pytest.mark.parametrize("whom", ["serial", "a process pool", "a thread pool"])
def test_a_vectorised_sweep_gives_the_same_bits_whoever_computes_it(
    whom, archived, pool, serial_columns, tmp_path
):
    archive = tmp_path / "columns.h5" if archived else None
    asked = {"block": 10, "vectorised": True, "archive": archive}
    same(sweep(swept.columns, COLUMNS, **asked, **by_whom(whom, pool)), serial_columns)


def test_a_given_executor_still_works_after_the_sweep(pool):
    sweep(swept.rough, ROUGH, block=5, executor=pool)
    assert pool.submit(os.getpid).result(20) != os.getpid()
    threads = ThreadPoolExecutor(1)
    sweep(swept.rough, ROUGH, block=5, executor=threads)
    assert threads.submit(os.getpid).result(20) == os.getpid()


# --- workers that die ------------------------------------------------------------------------------


class Killer(threading.Thread):
    """Sends SIGKILL to the worker that computed the n-th point that was noted."""

    def __init__(self, log, after):
        super().__init__(daemon=True)
        self.log, self.after, self.killed = log, after, None

    def run(self):
        until = time.monotonic() + LONGEST
        while time.monotonic() < until:
            lines = swept.noted(self.log)
            if len(lines) >= self.after:
                self.killed = int(lines[-1][0])
                os.kill(self.killed, signal.SIGKILL)
                return
            time.sleep(0.005)


def killed_once(tmp_path, **by):
    log, archive = str(tmp_path / "log"), tmp_path / "slow.h5"
    function = partial(swept.slow, log=log)
    axes = {"x": np.linspace(0, 3, 60)}
    killer = Killer(log, after=20)
    killer.start()
    found = sweep(function, axes, block=4, archive=archive, **by)
    killer.join(10)
    lines = swept.noted(log)
    workers = {int(line[0]) for line in lines}
    assert killer.killed in workers
    assert os.getpid() not in workers
    at = [int(line[0]) for line in lines]
    assert len(at) > 60 or at[-1] != killer.killed, "it was killed when all was done"
    expected = sweep(partial(swept.slow, log=log, pause=0), axes, block=4)
    for name in ("cube", "sine", "status"):
        assert found[name].values.tobytes() == expected[name].values.tobytes()
    assert set(found.reason.values.tolist()) == {""}
    assert len(lines) <= 60 + 4 * 4 * 2, "work was done over and over"
    same(load(archive), found)


@pytest.mark.usefixtures("no_worker_is_left")
def test_a_sweep_is_whole_though_one_of_its_workers_was_killed(tmp_path):
    killed_once(tmp_path, workers=2)


def poisoned(found, poison, where="cube"):
    """All is right but the poison, which is marked as lost with a reason in a sentence."""
    x = found.x.values
    bad = np.isin(x, poison)
    assert found.status.values[bad].tolist() == [Status.LOST] * bad.sum()
    assert found.status.values[~bad].tolist() == [Status.OK] * (~bad).sum()
    assert np.isnan(found[where].values[bad]).all()
    assert found[where].values[~bad].tolist() == (x**3)[~bad].tolist()
    assert all("worker died" in r for r in found.reason.values[bad].tolist())
    assert set(found.reason.values[~bad].tolist()) <= {""}


@pytest.mark.usefixtures("no_worker_is_left")
def test_a_poisonous_point_is_lost_alone_after_few_attempts(tmp_path):
    log, archive = str(tmp_path / "log"), tmp_path / "deadly.h5"
    function = partial(swept.deadly, log=log, poison=(5.0,))
    found = sweep(function, {"x": numbers(24)}, block=8, workers=2, archive=archive)
    poisoned(found, [5.0])
    same(load(archive), found)
    tried = [float(line[0]) for line in swept.noted(log)]
    assert tried.count(5.0) <= 2 + math.log2(8)
    assert max(tried.count(x) for x in numbers(24)) <= 2 + math.log2(8)


def test_poisonous_points_of_a_vectorised_sweep_are_lost_alone(tmp_path):
    log = str(tmp_path / "log")
    function = partial(swept.deadly_columns, log=log, poison=(0.0, 6.0))
    found = sweep(function, {"x": numbers(12)}, block=4, workers=2, vectorised=True)
    poisoned(found, [0.0, 6.0])
    attempts = sum(int(line[1]) for line in swept.noted(log))
    assert attempts <= 2 * (2 + math.log2(4)) + 2


@pytest.mark.usefixtures("no_worker_is_left")
def test_a_worker_that_dies_while_long_columns_are_on_their_way_hangs_nothing(tmp_path):
    """No pipe takes these columns at once: the executor is still writing when nobody reads."""
    count = 1 << 19
    columns = {"a": np.arange(count), "b": np.arange(count) / 3, "c": np.sqrt(np.arange(count))}
    design = zipped(*(Axis(name, values) for name, values in columns.items()))
    function = partial(swept.heavy_columns, flag=str(tmp_path / "flag"))
    found = sweep(function, design, block=count // 8, vectorised=True, workers=2, in_flight=8)
    assert (tmp_path / "flag").exists()
    assert not found.status.values.any()
    assert (found["sum"].values == columns["a"] + columns["b"] + columns["c"]).all()


@pytest.mark.parametrize("count", [1, 5])
def test_a_point_whose_worker_was_shot_once_is_not_lost(count, tmp_path):
    """A block of one point, nothing else in flight: one death is no proof against the point."""
    function = partial(swept.dies_once, flag=str(tmp_path / "flag"), at=float(count - 1))
    found = sweep(function, {"x": numbers(count)}, block=1, workers=1, in_flight=1)
    assert (tmp_path / "flag").exists()
    assert found.status.values.tolist() == [Status.OK] * count, found.reason.values.tolist()
    assert found.cube.values.tolist() == [x**3 for x in numbers(count)]


def test_a_worker_that_is_killed_while_it_stands_idle_is_replaced(tmp_path, monkeypatch):
    from transducer.sweeps.shards import Parts

    made, commit = [], Parts.commit

    def maker():
        made.append(processes(1))
        return made[-1]

    def commit_and_kill(self, number, block):
        """Between two blocks the only worker dies."""
        commit(self, number, block)
        if number == 2:
            for pid in list(made[0]._processes):
                os.kill(pid, signal.SIGKILL)
            until = time.monotonic() + 10
            while not made[0]._broken and time.monotonic() < until:
                time.sleep(0.01)

    monkeypatch.setattr(Parts, "commit", commit_and_kill)
    function = partial(swept.slow, log=str(tmp_path / "log"), pause=0)
    asked = {"block": 1, "in_flight": 1, "archive": tmp_path / "a.h5"}
    found = sweep(function, {"x": numbers(6)}, executor=maker, **asked)
    assert len(made) == 2
    assert found.cube.values.tolist() == [x**3 for x in numbers(6)]
    assert len(swept.noted(str(tmp_path / "log"))) == 6


# --- executors that break ---------------------------------------------------------------------------


@pytest.mark.usefixtures("no_worker_is_left")
def test_a_given_executor_that_breaks_stops_the_sweep_with_a_sentence_and_keeps_blocks(tmp_path):
    archive, log = tmp_path / "deadly.h5", str(tmp_path / "log")
    function = partial(swept.deadly, log=log, poison=(9.0,))
    call = partial(sweep, function, {"x": numbers(12)}, block=2, archive=archive)
    given = spawned(1)
    with given, pytest.raises(SweepError, match="a function that makes the executor"):
        call(executor=given, in_flight=1)
    half = load(archive)
    assert half.status.values.tolist() == [Status.OK] * 8 + [Status.PENDING] * 4
    with pytest.raises(SweepError, match="a function that makes the executor"):
        call(executor=given)  # broken from the start
    made = []

    def maker():
        made.append(spawned(1))
        return made[-1]

    before = len(swept.noted(log))
    found = call(executor=maker)
    assert len(made) > 1, "a maker is called again"
    poisoned(found, [9.0])
    again = {float(line[0]) for line in swept.noted(log)[before:]}
    assert again == {8.0, 9.0, 10.0, 11.0}, "finished blocks were computed again"
    for executor in made:
        with pytest.raises(RuntimeError):
            executor.submit(os.getpid)  # every one was shut down


def test_a_broken_executor_in_memory_is_a_sentence_too(tmp_path):
    function = partial(swept.deadly, log=str(tmp_path / "log"), poison=(1.0,))
    with spawned(1) as given, pytest.raises(SweepError, match="run the same again"):
        sweep(function, {"x": numbers(3)}, executor=given)


def test_what_is_no_executor_is_refused_in_a_sentence():
    with pytest.raises(SweepError):
        sweep(swept.awkward, {"x": [1.0]}, executor=3)


# --- no more than in_flight ------------------------------------------------------------------------


class CountedFuture(Future):
    taken = False

    def result(self, timeout=None):
        self.taken = True
        return super().result(timeout)


def living(references):
    return sum(ref() is not None for ref in references)


class Counting(Executor):
    """Counts tasks that are handed out and not taken back, and futures and results that live."""

    def __init__(self, most, most_results):
        self.threads = ThreadPoolExecutor(most)
        self.most, self.most_results = most, most_results
        self.futures, self.results = [], []
        self.out = self.alive = self.held = 0

    def _settled(self, references, most, so_far):
        """How many live; a thread that only just finished may let go of its own first."""
        until = time.monotonic() + 0.3
        while living(references) > most >= so_far and time.monotonic() < until:
            time.sleep(0.002)
        return max(so_far, living(references))

    def submit(self, fn, /, *args, **kwargs):
        future = CountedFuture()
        self.futures.append(weakref.ref(future))
        there = [f for f in (ref() for ref in self.futures) if f is not None]
        self.out = max(self.out, sum(not f.taken for f in there))
        del there
        self.alive = self._settled(self.futures, self.most, self.alive)
        self.held = self._settled(self.results, self.most_results, self.held)

        def work(future, fn, args, kwargs):
            try:
                result = fn(*args, **kwargs)
                base = result.values if result.values.base is None else result.values.base
                self.results.append(weakref.ref(base))
                future.set_result(result)
            except BaseException as error:
                future.set_exception(error)

        self.threads.submit(work, future, fn, args, kwargs)
        return future


def test_at_most_in_flight_tasks_are_handed_out_and_not_taken_back(tmp_path):
    counting = Counting(3, 3)
    function = partial(swept.slow, log=str(tmp_path / "log"), pause=0.001)
    found = sweep(function, {"x": numbers(40)}, block=1, executor=counting, in_flight=3)
    assert (found.status.values == 0).all()
    assert len(counting.futures) == 40
    assert counting.out == 3


def test_at_most_in_flight_futures_are_alive(tmp_path):
    counting = Counting(3, 3)
    function = partial(swept.slow, log=str(tmp_path / "log"), pause=0.001)
    sweep(function, {"x": numbers(40)}, block=1, executor=counting, in_flight=3)
    assert counting.alive <= 3


def test_results_that_are_on_the_disk_are_not_held_in_memory(tmp_path):
    counting = Counting(2, 4)
    axes = {"x": np.linspace(0, 0.5, 4000), "y": [1.0]}
    sweep(
        swept.columns,
        axes,
        block=100,
        vectorised=True,
        executor=counting,
        in_flight=2,
        archive=tmp_path / "a.h5",
    )
    assert len(counting.results) == 40
    assert counting.held <= 4


# --- functions that do not travel ------------------------------------------------------------------


@pytest.mark.usefixtures("no_worker_is_left")
def test_a_function_that_cannot_be_sent_is_an_understandable_error(tmp_path):
    archive = tmp_path / "a.h5"
    with pytest.raises(Exception, match=r"(?i)pickle|sent") as caught:
        sweep(lambda x: {"y": x}, {"x": numbers(8)}, block=1, workers=2, archive=archive)
    assert isinstance(caught.value, ToolkitError), f"no sentence but {caught.value!r}"


SCRIPT = """
import sys
sys.path.insert(0, {root!r})
from transducer.sweeps import sweep

def cube(x):
    return {{"cube": x**3}}

{guard}found = sweep({function}, {{"x": [1.0, 2.0, 3.0]}}, workers=1)
{guard}print("status", found.status.values.tolist(), found.reason.values.tolist())
"""


def scripted(tmp_path, guard="", function="cube", stdin=False):
    text = SCRIPT.format(root=str(ROOT), guard=guard, function=function)
    path = tmp_path / "script.py"
    path.write_text(text)
    command = [sys.executable, "-" if stdin else str(path)]
    return subprocess.run(
        command,
        input=text if stdin else None,
        capture_output=True,
        text=True,
        timeout=30,
        cwd=tmp_path,
        check=False,
    )


def test_a_guarded_script_may_hold_the_function(tmp_path):
    done = scripted(tmp_path, guard="if __name__ == '__main__': ")
    assert "status [0, 0, 0]" in done.stdout, done.stderr


def test_a_lambda_in_a_script_hangs_nothing_at_its_end(tmp_path):
    done = scripted(
        tmp_path, guard="if __name__ == '__main__': ", function="lambda x: {'cube': x**3}"
    )
    assert done.returncode != 0
    assert "pickle" in done.stderr.lower()
    assert "status" not in done.stdout


def test_a_function_that_workers_cannot_find_is_an_error_and_not_lost_points(tmp_path):
    """A notebook or a session: there is no file that a worker could import it from."""
    done = scripted(tmp_path, stdin=True)
    assert done.returncode != 0, done.stdout
    assert "Error" in done.stderr
    assert "status" not in done.stdout


def test_a_script_without_a_guard_is_an_error_and_not_lost_points(tmp_path):
    done = scripted(tmp_path)
    assert done.returncode != 0, done.stdout
    assert "status" not in done.stdout
    assert "__main__" in done.stderr


# --- mistakes in the function ----------------------------------------------------------------------


def mistaken(tmp_path, at=17.0, **by):
    """An ordinary exception stops the sweep and says where; mended, the same call goes on."""
    flag, log, archive = tmp_path / "mended", str(tmp_path / "log"), tmp_path / "divides.h5"
    function = partial(swept.divides, flag=str(flag), at=at, log=log)
    call = partial(sweep, function, {"x": numbers(20)}, block=2, archive=archive, in_flight=1, **by)
    with pytest.raises(ZeroDivisionError) as caught:
        call()
    assert caught.value.__notes__ == ["at the point x = 17"]
    half = load(archive)
    assert half.status.values.tolist() == [Status.OK] * 16 + [Status.PENDING] * 4
    flag.touch()
    before = len(swept.noted(log))
    found = call()  # while the error is still held, as a notebook holds its last one
    assert found.status.values.tolist() == [Status.OK] * 20
    assert [float(line[0]) for line in swept.noted(log)[before:]] == [16.0, 17.0, 18.0, 19.0]
    assert found.inverse.values[:16].tolist() == [1 / (x - at) for x in numbers(16)]
    assert found.inverse.values[16:].tolist() == [1 / (x + 1) for x in numbers(20)[16:]]
    assert isinstance(caught.value, ZeroDivisionError)


def test_a_mistake_in_the_function_stops_a_serial_sweep_and_names_the_point(tmp_path):
    mistaken(tmp_path)


@pytest.mark.usefixtures("no_worker_is_left")
def test_a_mistake_in_the_function_stops_the_workers_and_names_the_point(tmp_path):
    mistaken(tmp_path, workers=2)


def test_a_mistake_in_the_function_leaves_a_given_executor_whole(tmp_path, pool):
    mistaken(tmp_path, executor=pool)


def test_a_mistake_in_memory_is_raised_too(tmp_path, pool):
    function = partial(swept.divides, flag=str(tmp_path / "f"), at=3.0, log=str(tmp_path / "log"))
    with pytest.raises(ZeroDivisionError) as caught:
        sweep(function, {"x": numbers(6)}, executor=pool)
    assert caught.value.__notes__ == ["at the point x = 3"]


def test_a_mistake_keeps_the_notes_and_the_cause_that_it_had():
    def function(x):
        try:
            {}["missing"]
        except KeyError as missing:
            error = RuntimeError("no such entry")
            error.add_note("look into the table")
            raise error from missing

    with pytest.raises(RuntimeError) as caught:
        sweep(function, {"x": [4.0]})
    assert caught.value.__notes__ == ["look into the table", "at the point x = 4"]
    assert isinstance(caught.value.__cause__, KeyError)


def test_an_error_that_does_not_come_back_whole_is_not_taken_for_a_dead_worker():
    with pytest.raises(Exception, match="the solver gave up"):
        sweep(swept.awkward, {"x": numbers(4)}, block=1, workers=1)


def test_the_note_of_a_run_counts_the_points_that_it_committed(tmp_path):
    """The last, shorter block is done first; then an earlier one fails."""
    archive = tmp_path / "a.h5"

    def function(x):
        if x == 0.0:
            until = time.monotonic() + 20
            while not (tmp_path / "a.h5.parts" / "block-00000002.h5").exists():
                assert time.monotonic() < until
                time.sleep(0.005)
            raise ZeroDivisionError
        return {"y": x}

    threads = ThreadPoolExecutor(3)
    with threads, pytest.raises(ZeroDivisionError):
        sweep(
            function,
            {"x": [*numbers(8), 8.0]},
            block=4,
            executor=threads,
            in_flight=3,
            archive=archive,
        )
    committed = int((load(archive).status.values == Status.OK).sum())
    assert committed in (1, 5)
    assert runs_of(archive)[-1]["points"] == committed


# --- one thread for BLAS -----------------------------------------------------------------------------


@pytest.fixture
def two_threads(monkeypatch):
    """BLAS would take two threads, here and in processes that start now."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "2")
    with threadpool_limits(2, user_api="blas"):
        if swept.threads_now() != 2:
            pytest.skip("this BLAS has one thread only")
        yield


def one_thread(found):
    assert found["first"].values.tolist() == [1] * found.x.size
    assert found["last"].values.tolist() == [1] * found.x.size


def test_blas_keeps_to_one_thread_in_a_serial_sweep_and_has_its_own_again_afterwards(two_threads):
    one_thread(sweep(swept.threads, {"x": numbers(4)}))
    assert swept.threads_now() == 2


def test_blas_keeps_to_one_thread_in_workers(two_threads):
    bare = processes(1)
    with bare:
        assert bare.submit(swept.threads_now).result(20) == 2, "an empty claim"
        one_thread(sweep(swept.threads, {"x": numbers(4)}, block=1, executor=bare))
        assert bare.submit(swept.threads_now).result(20) == 2
    one_thread(sweep(swept.threads, {"x": numbers(4)}, block=1, workers=2))


def fresh(script):
    """What a fresh process prints whose BLAS would take two threads."""
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=30, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


THREADED = """
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from tests import swept
from transducer.sweeps import sweep

before = swept.threads_now()
with ThreadPoolExecutor(6) as pool:
    asked = dict(block=1, executor=pool, in_flight=6)
    found = sweep(partial(swept.threads, pause=0.05), {"x": [1, 2, 3, 4, 5, 6]}, **asked)
print(before, int(found["first"].max()), int(found["last"].max()), swept.threads_now())
"""


def test_blas_keeps_to_one_thread_in_a_thread_pool_and_has_its_own_again_afterwards(two_threads):
    assert fresh(THREADED) == ["2", "1", "1", "2"]


def test_blas_that_the_function_loads_itself_keeps_to_one_thread(two_threads):
    with processes(1) as bare:
        assert bare.submit(swept.late_threads, 0).result(20) == {"scipy": 2}, "an empty claim"
    found = sweep(swept.late_threads, {"x": numbers(6)}, block=2, workers=1)
    assert found["scipy"].values.tolist() == [1] * 6


LATE = """
from tests import swept
from transducer.sweeps import sweep

found = sweep(swept.late_threads, {"x": [0.0, 1.0, 2.0, 3.0]}, block=2)
print(*found["scipy"].values.astype(int))
"""


def test_blas_that_the_function_loads_itself_keeps_to_one_thread_in_a_serial_sweep(two_threads):
    assert fresh(LATE) == ["1", "1", "1", "1"]


# --- what is refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ({"workers": -1}, "workers >= 0"),
        ({"in_flight": 0}, "in_flight >= 1"),
        ({"workers": 2, "in_flight": -3}, "in_flight >= 1"),
        ({"workers": 1, "executor": ThreadPoolExecutor}, "exclude each other"),
        ({"workers": -1, "executor": ThreadPoolExecutor}, "exclude each other"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(by, said, tmp_path):
    with pytest.raises(SweepError, match=said):
        sweep(swept.awkward, {"x": [1.0]}, archive=tmp_path / "a.h5", **by)
    assert list(tmp_path.iterdir()) == []


# --- dask ------------------------------------------------------------------------------------------


LINGER = 1.0
"""Seconds that a worker of dask lives before it dies, so that its nanny replaces it."""


class Dask:
    """Two worker processes; a new cluster where a nanny did not bring its worker back."""

    def __init__(self):
        self.client = None

    def start(self):
        import dask
        from dask.distributed import Client, LocalCluster

        with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
            made = LocalCluster(
                n_workers=2,
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                silence_logs=logging.CRITICAL,
            )
        self.client = Client(made)

    def end(self):
        if self.client is not None:
            made, self.client = self.client.cluster, None
            with contextlib.suppress(Exception):
                made.close(timeout=10)

    def ready(self):
        if self.client is None:
            self.start()
        until = time.monotonic() + 6
        while len(self.client.scheduler_info(n_workers=-1)["workers"]) < 2:
            if time.monotonic() > until:
                self.end()
                self.start()
                until = time.monotonic() + 20
            time.sleep(0.05)
        self.client.cluster.scheduler.allowed_failures = 0
        return self.client


@pytest.fixture(scope="module")
def dask_here():
    pytest.importorskip("distributed")
    before = os.environ.get("PYTHONPATH")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep + before if before else ''}")
        here = Dask()
        yield here
        with alarm(LONGEST):
            here.end()


@pytest.fixture
def dask_client(dask_here):
    """Two workers, whatever the test before did to them; a task is given up when a worker dies."""
    return dask_here.ready()


@pytest.mark.parametrize("archived", [False, True], ids=["in memory", "archived"])
def test_dask_gives_the_same_bits(dask_client, archived, serial_rough, tmp_path):
    archive = tmp_path / "rough.h5" if archived else None
    asked = {"block": 5, "title": "rough", "archive": archive}
    same(sweep(swept.rough, ROUGH, executor=dask_client.get_executor(), **asked), serial_rough)


def test_dask_gives_the_same_bits_of_a_vectorised_sweep(dask_client, serial_columns):
    asked = {"block": 10, "vectorised": True}
    found = sweep(swept.columns, COLUMNS, executor=dask_client.get_executor(), **asked)
    same(found, serial_columns)


@pytest.mark.parametrize("allowed", [0, 3])
def test_a_dask_sweep_is_whole_though_a_worker_was_killed(dask_client, allowed, tmp_path):
    dask_client.cluster.scheduler.allowed_failures = allowed
    killed_once(tmp_path, executor=dask_client.get_executor(), in_flight=4)


@pytest.mark.parametrize("block", [1, 2])
def test_a_poisonous_point_is_lost_alone_with_dask(dask_client, block, tmp_path):
    """Points that only wait at the worker that dies are innocent, though dask accuses them too."""
    log = str(tmp_path / "log")
    function = partial(swept.deadly, log=log, poison=(2.0,), pause=0.4)
    executor = dask_client.get_executor()
    found = sweep(function, {"x": numbers(6)}, block=block, executor=executor, in_flight=6)
    poisoned(found, [2.0])
    assert [float(line[0]) for line in swept.noted(log)].count(2.0) <= 2 + math.log2(block) + 1


def test_a_poisonous_point_of_a_vectorised_sweep_is_lost_alone_with_dask(dask_client, tmp_path):
    log = str(tmp_path / "log")
    function = partial(swept.deadly_columns, log=log, poison=(3.0,), linger=LINGER)
    executor = dask_client.get_executor()
    asked = {"block": 2, "vectorised": True, "archive": tmp_path / "a.h5"}
    poisoned(sweep(function, {"x": numbers(8)}, executor=executor, **asked), [3.0])


def test_a_point_that_dies_once_with_dask_is_not_lost(dask_client, tmp_path):
    function = partial(swept.dies_once, flag=str(tmp_path / "flag"), at=2.0, linger=LINGER)
    executor = dask_client.get_executor()
    found = sweep(function, {"x": numbers(4)}, block=1, executor=executor, in_flight=2)
    assert (tmp_path / "flag").exists()
    assert found.status.values.tolist() == [Status.OK] * 4, found.reason.values.tolist()


def test_a_mistake_in_the_function_stops_a_dask_sweep_and_names_the_point(dask_client, tmp_path):
    mistaken(tmp_path, executor=dask_client.get_executor())


def test_a_mended_function_is_called_again_by_dask_from_the_first_block_on(dask_client, tmp_path):
    """The scheduler remembers failed calls while their errors are held, as a notebook holds them."""
    flag, log = tmp_path / "mended", str(tmp_path / "log")
    function = partial(swept.divides, flag=str(flag), at=1.0, log=log)
    axes = {"x": numbers(4)}
    with pytest.raises(ZeroDivisionError) as caught:
        sweep(function, axes, block=2, executor=dask_client.get_executor(), in_flight=1)
    flag.touch()
    found = sweep(function, axes, block=2, executor=dask_client.get_executor(), in_flight=1)
    assert found.inverse.values.tolist() == [1 / (x + 1) for x in numbers(4)]
    assert isinstance(caught.value, ZeroDivisionError)


def test_a_lambda_travels_with_dask(dask_client):
    found = sweep(lambda x: {"y": 2 * x}, {"x": [1.0, 2.0]}, executor=dask_client.get_executor())
    assert found.y.values.tolist() == [2.0, 4.0]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_mistake_shows_the_line_of_the_function_that_made_it(workers):
    with pytest.raises(ZeroDivisionError) as caught:
        sweep(swept.reciprocal, {"x": [1.0, 0.0]}, workers=workers)
    told = "".join(traceback.format_exception(caught.value))
    assert "in reciprocal" in told
    assert "1 / x" in told


def test_the_time_of_threads_is_counted_once(tmp_path):
    path = tmp_path / "a.h5"
    start = time.process_time()
    with ThreadPoolExecutor(4) as pool:
        sweep(swept.busy, {"x": np.arange(16.0)}, executor=pool, block=1, archive=path)
    spent = time.process_time() - start
    (noted,) = runs_of(path)
    assert noted["cpu_s"] <= spent


def test_a_maker_that_makes_no_executor_is_refused_in_a_sentence():
    with pytest.raises(
        SweepError, match=r"must return a concurrent\.futures\.Executor, got NoneType"
    ):
        sweep(swept.busy, {"x": [1.0]}, executor=lambda: None)
