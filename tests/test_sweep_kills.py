"""Adversarial referee of crashes: kills, full disks, failing flushes, Ctrl-C, second writers, damage.

Two ways to die: at random moments by ``kill -9``, and one by one at every step that changes the disk
(`at_every_step`). The same in either case: what was committed is there, and the same call goes on.
"""

import contextlib
import errno
import itertools
import json
import os
import random
import resource
import shutil  # noqa: F401  child processes have it from here
import signal
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cavities.errors import DataError, SweepError, ToolkitError
from cavities.rules import Status
from transducer import archive as archives
from transducer.progress import Interrupted
from transducer.sweeps import Axis, grid, merge, shards, sweep
from transducer.sweeps.run import finish
from transducer.sweeps.shards import parts_of

ROOT = Path(__file__).resolve().parent.parent
BLOCK = 4
"""Points per block: one value of x."""
LOG, PAUSE = "KILLS_LOG", "KILLS_PAUSE"
"""Variables of the environment: workers inherit them."""
AT: dict[int, object] = {}
"""What happens in the middle of a block, by number; in this process only."""


# ---- what is swept, here and in child processes ---------------------------------------------------------------------


def note(*words):
    """Append a line in one write: lines of several processes do not mix, nor die with them."""
    if LOG in os.environ:
        file = os.open(os.environ[LOG], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(file, (" ".join(map(str, words)) + "\n").encode())
        os.close(file)


def figures(x, y):
    """Takes a block's columns; says when it begins and when it ends."""
    number = int(x[0])
    note("begin", number, os.getpid())
    if number in AT:
        AT[number]()
    time.sleep(float(os.environ.get(PAUSE, 0)))
    found = {
        "cube": x**3 / 7 + y,
        "sine": np.sin(x * y),
        "status": np.where((x + y) % 5 == 0, int(Status.OUTSIDE_DOMAIN), 0),
        "reason": np.array(
            [f"x + y must not be {a + b:g}" for a, b in zip(x, y, strict=True)], object
        ),
    }
    note("end", number, os.getpid())
    return found


def design(blocks):
    return grid(Axis("x", np.arange(blocks, dtype=float), "s"), Axis("y", np.arange(1.0, 5.0)))


def run(archive, blocks, workers=0, in_flight=None):
    note("start")
    return sweep(
        figures,
        design(blocks),
        archive=archive,
        vectorised=True,
        block=BLOCK,
        workers=workers,
        in_flight=in_flight,
    )


def expected(blocks):
    """An uninterrupted run, through no file."""
    log = os.environ.pop(LOG, None)
    try:
        return sweep(figures, design(blocks), vectorised=True, block=BLOCK)
    finally:
        if log is not None:
            os.environ[LOG] = log


def same(found, reference):
    found, reference = found.drop_attrs(), reference.drop_attrs()
    return found.load().identical(reference) and all(
        found[n].values.tobytes() == reference[n].values.tobytes()
        for n in ("cube", "sine", "status")
    )


# ---- watching ---------------------------------------------------------------------------------------------------------


def environment(log=None, pause=0.0):
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    found = {**os.environ, "PYTHONPATH": path, PAUSE: str(pause), "OPENBLAS_NUM_THREADS": "1"}
    return {**found, LOG: str(log)} if log is not None else found


def child(code, folder, log=None, pause=0.0, **more):
    """A fresh process that has this module's names."""
    text = f"import os, signal\nfrom tests.test_sweep_kills import *\n{code}"
    return subprocess.Popen(
        [sys.executable, "-c", text],
        cwd=folder,
        env=environment(log, pause),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


def ended(process, code=0):
    out, err = process.communicate(timeout=150)
    assert process.returncode == code, (process.returncode, out, err)
    return out + err


def noted(log):
    text = log.read_text() if log.exists() else ""
    return [line.split() for line in text.splitlines(keepends=True) if line.endswith("\n")]


def numbers(lines, word):
    return [int(line[1]) for line in lines if line[0] == word]


def appeared(log, old, word):
    return any(line[0] == word for line in noted(log)[old:])


def until(condition, seconds=20.0, process=None):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it never happened"
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.002)
    return found


def related(log):
    """Living processes that write to this log: a swept process and all it started."""
    mark = f"{LOG}={log}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def committed(archive):
    """Blocks on the disk, by number."""
    return {
        int(p.name[6:-3]) for p in parts_of(archive).glob("block-*.h5") if p.name[6:-3].isdecimal()
    }


def require_readable(archive, blocks, reference):
    """What is committed is there bit by bit, the rest says that it is not."""
    if not archive.exists() and not parts_of(archive).exists():
        return set()
    done = set(range(blocks)) if archive.exists() else committed(archive)
    found = archives.load(archive)
    for number in range(blocks):
        row = found.isel(x=number)
        if number in done:
            assert same(row.drop_vars("x"), reference.isel(x=number).drop_vars("x")), number
        else:
            assert (row["status"] == int(Status.PENDING)).all()
            assert all(np.isnan(row[n]).all() for n in ("cube", "sine") if n in row)
    return done


def require_sentence(text, path, *words):
    assert "\n" not in text.strip(), text
    assert str(path) in text, text
    assert all(word in text for word in words), text


def listed(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


# ---- kill -9 at random moments ------------------------------------------------------------------------------------------


def killed_at_random(tmp_path, blocks, pause, waits, workers):
    """Kill and go on, again and again; says what each kill left to do again."""
    folder, log = tmp_path / "work", tmp_path / "log"
    folder.mkdir()
    archive, reference = folder / "a.h5", expected(blocks)
    before: set[int] = set()
    again = []
    for count, (word, wait) in enumerate(waits):
        in_flight = workers if workers and count % 2 else None
        old = len(noted(log))
        process = child(f"run('a.h5', {blocks}, {workers}, {in_flight})", folder, log, pause)
        until(partial(appeared, log, old, word), process=process)
        time.sleep(wait)
        process.kill()
        ended(process, -signal.SIGKILL)
        until(lambda: not related(log), 5.0)  # no worker outlives its parent
        now = committed(archive)
        assert before <= now, "committed blocks were lost"
        assert require_readable(archive, blocks, reference) == now
        lines = noted(log)[old:]
        begun, done = numbers(lines, "begin"), numbers(lines, "end")
        assert not set(begun) & before, "a committed block was computed again"
        assert len(begun) == len(set(begun))
        again.append((set(begun) - now, set(begun) - set(done), in_flight or 2 * workers or 1))
        before = now
    assert len(before) < blocks, "nothing was left to kill"
    ended(child(f"run('a.h5', {blocks}, {workers})", folder, log, 0.0))
    assert same(archives.load(archive), reference)
    assert set(numbers(noted(log), "begin")) == set(range(blocks))
    return folder, before, again


def test_a_serial_sweep_survives_kills_at_random_moments_and_redoes_one_block_at_most(tmp_path):
    moments = random.Random(20260101)
    waits = [("start", moments.uniform(0, 0.5)) for _ in range(2)]
    waits += [("begin", moments.uniform(0, 0.4)) for _ in range(4)]
    folder, done, again = killed_at_random(tmp_path, 120, 0.02, waits, 0)
    assert len(done) > 10
    assert all(len(redone) <= 1 for redone, _, _ in again)
    assert listed(folder) == ["a.h5"]


def test_a_sweep_with_two_workers_survives_kills_and_leaves_no_worker_behind(tmp_path):
    """Computed twice: what was being computed, and what waited in memory for its commit."""
    moments = random.Random(20260102)
    waits = [
        ("start", moments.uniform(0, 1.0)),  # perhaps while the workers are still starting
        ("begin", moments.uniform(0, 0.4)),
        ("begin", moments.uniform(0, 0.4)),
        ("begin", moments.uniform(0, 0.4)),
    ]
    folder, done, again = killed_at_random(tmp_path, 160, 0.03, waits, 2)
    assert len(done) > 10
    for redone, unfinished, in_flight in again:
        assert len(unfinished) <= 2, "more blocks in work than workers"
        assert len(redone) <= in_flight
    assert listed(folder) == ["a.h5"]


# ---- death at every step that changes the disk --------------------------------------------------------------------------

CHANGES = {"os.rename", "os.link", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.truncate"}


def before_every_change(fault):
    """Call `fault` with number and name of every step that changes the disk, before it is done."""
    count = itertools.count()

    def hook(event, arguments):
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & 3
        if (event in CHANGES or writes) and threading.current_thread() is threading.main_thread():
            fault(next(count), f"{event} {Path(os.fsdecode(arguments[0])).name}")

    sys.addaudithook(hook)

    def counted(name, real, *arguments):
        fault(next(count), f"os.{name}")
        return real(*arguments)

    for name in ("fsync", "posix_fallocate"):
        setattr(os, name, partial(counted, name, getattr(os, name)))


def kill_here(n, at, step):
    if n == at:
        os._exit(9)


def fail_once(n, at, step):
    if n == at:
        raise OSError(errno.EIO, "Input/output error")


def fail_from_here_on(n, at, step):
    if n >= at:
        raise OSError(errno.EROFS, "Read-only file system")


def interrupt_here(n, at, step):
    if n == at:
        raise KeyboardInterrupt


def at_every_step(fault, blocks):
    """Run a small sweep with a fault at step 0, 1, 2...: how it ended, what was left, how it went on."""
    sys.dont_write_bytecode = True
    shards.git_revision = lambda: ""  # it asks git each time
    with tempfile.TemporaryDirectory() as warm:
        reference = run(Path(warm, "warm.h5"), blocks)
    found = []
    for at in itertools.count():
        with tempfile.TemporaryDirectory() as name:
            folder, report = Path(name, "work"), Path(name, "report.json")
            folder.mkdir()
            archive = folder / "a.h5"
            said = {"step": "", "error": "", "said": ""}

            channel = os.open(report, os.O_RDWR | os.O_CREAT, 0o644)

            def meet(n, step, at=at, said=said, channel=channel):
                if n == at:
                    said["step"] = step
                    os.write(channel, json.dumps(said).encode())
                fault(n, at, step)

            if (pid := os.fork()) == 0:
                before_every_change(meet)
                archives.load = str  # what it gives back is of no interest here
                try:
                    run(archive, blocks)
                except BaseException as error:
                    said.update(error=type(error).__name__, said=str(error))
                    said["ours"] = isinstance(error, (ToolkitError, KeyboardInterrupt))
                os.pwrite(channel, json.dumps(said).encode().ljust(4000), 0)
                os._exit(0)
            os.waitpid(pid, 0)
            os.close(channel)
            entry = json.loads(report.read_text() or "{}")
            if not entry.get("step"):
                return found
            entry["left"] = listed(folder)
            try:
                entry["committed"] = len(require_readable(archive, blocks, reference))
            except Exception as error:
                entry["unreadable"] = f"{type(error).__name__}: {error}"
            try:
                entry["whole"] = same(run(archive, blocks), reference)
            except Exception as error:
                entry["stuck"] = f"{type(error).__name__}: {error}"
            entry["at the end"] = listed(folder)
            found.append(entry)
    return found


FAULTS = {"kill_here": 2, "fail_once": 1, "fail_from_here_on": 1, "interrupt_here": 1}
"""Number of blocks for each."""


@pytest.fixture(scope="module")
def fates(tmp_path_factory):
    """What became of a small sweep, by fault, for every step."""
    folder = tmp_path_factory.mktemp("steps")
    running = {
        name: child(f"print(json.dumps(at_every_step({name}, {blocks})))", folder)
        for name, blocks in FAULTS.items()
    }
    return {name: json.loads(ended(process).splitlines()[-1]) for name, process in running.items()}


each_fault = pytest.mark.parametrize("fault", list(FAULTS))


@each_fault
def test_at_every_step_what_was_committed_can_be_read(fault, fates):
    fate = fates[fault]
    assert len(fate) > 25
    assert [(e["step"], e["unreadable"]) for e in fate if "unreadable" in e] == []
    assert set(range(FAULTS[fault] + 1)) <= {e["committed"] for e in fate}
    if fault == "kill_here":
        counts = [e["committed"] for e in fate]
        assert counts == sorted(counts)


@each_fault
def test_at_every_step_the_same_call_completes_to_the_same_bits(fault, fates):
    assert [(e["step"], e.get("stuck")) for e in fates[fault] if not e.get("whole")] == []


@each_fault
def test_at_every_step_the_same_call_leaves_the_archive_and_nothing_else(fault, fates):
    left = [(e["step"], e["at the end"]) for e in fates[fault] if e["at the end"] != ["a.h5"]]
    assert left == []


@pytest.mark.parametrize("fault", ["fail_once", "fail_from_here_on"])
def test_at_every_step_a_failing_disk_is_one_sentence_or_no_harm(fault, fates):
    for entry in fates[fault]:
        if entry["error"]:
            assert entry["error"] == "DataError", entry
            require_sentence(entry["said"], "a.h5", "cannot be")


@pytest.mark.parametrize("fault", ["fail_once", "interrupt_here"])
def test_at_every_step_a_failure_leaves_no_temporary_file(fault, fates):
    """A disk that fails once, or Ctrl-C: there is time to clean up."""
    stray = [
        (entry["step"], name)
        for entry in fates[fault]
        for name in entry["left"]
        if ".tmp" in name or name.startswith(".")
    ]
    allowed = [s for s in stray if s[0].startswith("os.remove")]  # the removal itself failed
    assert [s for s in stray if s not in allowed] == []


def test_a_disk_that_fails_to_flush_is_never_passed_over_in_silence(fates):
    """Whoever is told nothing believes that the sweep lasts through a power cut."""
    silent = [e["step"] for e in fates["fail_once"] if e["step"] == "os.fsync" and not e["error"]]
    assert silent == []


# ---- kills around the merge ---------------------------------------------------------------------------------------------


def died_before_clearing(tmp_path, blocks=3):
    """An archive whose process died when NAME.h5 stood and NAME.h5.parts was not yet removed."""
    code = f"shutil.rmtree = lambda *a, **k: os._exit(9) if str(a[0]).endswith('a.h5.parts') else None\nrun('a.h5', {blocks})"
    ended(child(code, tmp_path), 9)
    archive = tmp_path / "a.h5"
    assert archive.exists()
    assert len(committed(archive)) == blocks
    return archive


def test_a_kill_between_placing_the_file_and_removing_its_parts_loses_nothing(tmp_path):
    archive, reference = died_before_clearing(tmp_path), expected(3)
    assert same(archives.load(archive), reference)
    assert same(run(archive, 3), reference)
    assert same(archives.load(archive), reference)
    assert listed(tmp_path) == ["a.h5"]


def test_a_finished_archive_is_not_written_to_when_what_a_kill_left_is_merged(
    tmp_path, monkeypatch
):
    """In the parts there may still be a second name of the finished file itself."""
    archive = died_before_clearing(tmp_path)
    (parts_of(archive) / "merged.tmp").unlink(missing_ok=True)
    os.link(archive, parts_of(archive) / "merged.tmp")  # a kill right after the link
    before = archive.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.posix_fallocate", full)
        with contextlib.suppress(ToolkitError):
            finish(archive)
    assert archive.read_bytes() == before


def test_an_archive_that_was_moved_away_after_a_kill_is_not_written_to(tmp_path, monkeypatch):
    archive = died_before_clearing(tmp_path)
    (parts_of(archive) / "merged.tmp").unlink(missing_ok=True)
    os.link(archive, parts_of(archive) / "merged.tmp")
    kept = archive.rename(tmp_path / "kept.h5")
    before = kept.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.posix_fallocate", full)
        with pytest.raises(DataError):
            run(archive, 3)
    assert kept.read_bytes() == before
    assert same(run(archive, 3), expected(3))


def test_a_kill_in_the_middle_of_the_merge_is_made_good_by_the_same_call(tmp_path):
    code = "merge.seal_file = lambda path: os._exit(9)\nrun('a.h5', 3)"
    ended(child(code, tmp_path), 9)
    archive = tmp_path / "a.h5"
    assert (parts_of(archive) / "merged.tmp").stat().st_size > 0
    assert not archive.exists()
    assert require_readable(archive, 3, expected(3)) == {0, 1, 2}
    (parts_of(archive) / "merged.tmp").write_bytes(b"half of it" * 100_000)
    assert same(run(archive, 3), expected(3))
    assert listed(tmp_path) == ["a.h5"]


def test_a_kill_while_the_name_is_claimed_without_hard_links_is_made_good(tmp_path):
    """Such a file system lets a name be claimed by an empty file only; a kill can leave it so."""
    code = """
def no_link(*_):
    raise PermissionError(1, "Operation not permitted")
real = os.replace
os.link = no_link
os.replace = lambda a, b: os._exit(9) if str(b).endswith("a.h5") and str(a).endswith("merged.tmp") else real(a, b)
run("a.h5", 3)
"""
    ended(child(code, tmp_path), 9)
    archive = tmp_path / "a.h5"
    assert committed(archive) == {0, 1, 2}
    assert same(run(archive, 3), expected(3))
    assert listed(tmp_path) == ["a.h5"]


def test_whoever_reads_while_the_sweep_is_being_merged_reads_all_of_it(tmp_path, monkeypatch):
    """Between two looks of a reader the parts may become the file."""
    archive, reference = tmp_path / "a.h5", expected(3)
    with monkeypatch.context() as patch:
        patch.setattr("transducer.sweeps.run.merge", lambda parts: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(archive, 3)
    real = shards.Parts.study

    def merged_now(parts):
        found = real(parts)
        monkeypatch.setattr(shards.Parts, "study", real)
        finish(archive)
        return found

    monkeypatch.setattr(shards.Parts, "study", merged_now)
    assert same(archives.load(archive), reference)


def test_an_archive_says_what_computed_it_even_if_every_run_was_killed(tmp_path):
    """Killed between the last block and the note of the run: versions must not be lost."""
    code = "from transducer.sweeps.shards import Parts\nParts.note_run = lambda *_: os._exit(9)\nrun('a.h5', 3)"
    ended(child(code, tmp_path), 9)
    found = run(tmp_path / "a.h5", 3)
    assert "numpy" in json.loads(found.attrs["versions"])
    assert archives.runs_of(tmp_path / "a.h5")


# ---- a disk that is full, fails, or may not be written ------------------------------------------------------------------


def limited(size):
    """From here on no file may grow beyond `size` bytes in this process."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


SAID = """
try:
    run('a.h5', 6)
except DataError as error:
    print(error)
"""


def test_a_disk_that_is_full_at_the_third_block_keeps_two_and_the_same_call_goes_on(tmp_path):
    said = ended(child("AT[2] = lambda: limited(1000)" + SAID, tmp_path))
    require_sentence(said, "a.h5.parts", "cannot be written", "File too large", "is kept")
    archive = tmp_path / "a.h5"
    assert require_readable(archive, 6, expected(6)) == {0, 1}
    assert not [name for name in listed(tmp_path) if "tmp" in name]
    assert same(run(archive, 6), expected(6))
    assert listed(tmp_path) == ["a.h5"]


def test_a_disk_that_is_full_from_the_start_leaves_nothing(tmp_path):
    said = ended(child("run('warm.h5', 1)\nos.remove('warm.h5')\nlimited(1000)" + SAID, tmp_path))
    require_sentence(said, "a.h5.parts", "cannot be written", "File too large")
    assert listed(tmp_path) == []
    assert same(run(tmp_path / "a.h5", 6), expected(6))


def test_a_disk_that_holds_the_blocks_but_not_the_merged_file_keeps_every_block(tmp_path):
    said = ended(child("limited(20_000)" + SAID, tmp_path))
    archive = tmp_path / "a.h5"
    require_sentence(said, "a.h5", "cannot be written", "File too large", "is kept")
    assert require_readable(archive, 6, expected(6)) == set(range(6))
    assert not [name for name in listed(tmp_path) if "tmp" in name]
    assert same(run(archive, 6), expected(6))
    assert listed(tmp_path) == ["a.h5"]


FULL_AFTER_ALL = """
real = os.posix_fallocate
def promised(*arguments):
    real(*arguments)
    limited({limit})
os.posix_fallocate = promised
try:
    run('a.h5', 3)
except DataError as error:
    print(error)
"""


@pytest.mark.parametrize("limit", [0, 1000, 6000, 20_000])
def test_a_disk_that_breaks_its_promise_of_room_is_one_sentence_and_keeps_every_block(
    limit, tmp_path
):
    """Some file systems promise room that they have not; the error meets libhdf5 in the middle of it."""
    archive = tmp_path / "a.h5"
    process = child(FULL_AFTER_ALL.format(limit=limit), tmp_path)
    out, err = process.communicate(timeout=60)
    assert require_readable(archive, 3, expected(3)) == {0, 1, 2}
    assert same(run(archive, 3), expected(3))
    assert listed(tmp_path) == ["a.h5"]
    assert process.returncode == 0, (process.returncode, err[-600:])
    require_sentence(out + err, "a.h5", "cannot be written: File too large", "is kept")


@pytest.mark.parametrize("at", range(1, 12))
def test_a_flush_that_fails_is_one_sentence_and_keeps_what_was_committed(at, tmp_path, monkeypatch):
    """Of the study and its folder, the blocks and their folder, the run's note, the archive and its folder."""
    archive, reference, count = tmp_path / "a.h5", expected(3), itertools.count(1)
    real, before = os.fsync, []

    def failing(handle):
        if next(count) == at:
            before.append(committed(archive))
            raise OSError(errno.EIO, "Input/output error")
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", failing)
        with pytest.raises(DataError) as caught:
            run(archive, 3)
    require_sentence(str(caught.value), "a.h5", "cannot be written: Input/output error")
    assert [n for n in listed(tmp_path) if not n.startswith(("a.h5.parts", "a.h5"))] == []
    assert not [name for name in listed(tmp_path) if "tmp" in name]
    kept = require_readable(archive, 3, reference)
    assert before[0] <= kept
    assert same(run(archive, 3), reference)
    assert listed(tmp_path) == ["a.h5"]


AS_NOBODY = """
run("../warm.h5", 1)
if os.getuid() == 0:  # permissions do not bind root
    os.setgid(65534)
    os.setuid(65534)
"""


def test_a_folder_that_may_not_be_written_is_one_sentence_and_stays_empty(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    said = ended(child(AS_NOBODY + SAID, folder))
    require_sentence(said, "a.h5.parts", "cannot be written", "Permission denied")
    assert listed(folder) == []


def test_parts_that_may_not_be_written_are_one_sentence_and_are_kept(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    ended(child("AT[2] = lambda: os._exit(9)\nrun('a.h5', 6)", folder), 9)
    (folder / "a.h5.parts").chmod(0o555)
    folder.chmod(0o555)
    before = listed(folder)
    said = ended(child(AS_NOBODY + SAID, folder))
    require_sentence(said, "a.h5", "cannot be written", "Permission denied")
    assert listed(folder) == before
    for place in (folder, folder / "a.h5.parts"):
        place.chmod(0o755)
    assert same(run(folder / "a.h5", 6), expected(6))


@pytest.mark.parametrize("where", ["tempfile.mkdtemp", "os.mkdir"])
def test_a_refused_folder_is_one_sentence_and_leaves_nothing(where, tmp_path, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    archive = tmp_path / "new" / "a.h5" if where == "os.mkdir" else tmp_path / "a.h5"
    with monkeypatch.context() as patch:
        patch.setattr(where, refused)
        with pytest.raises(DataError) as caught:
            run(archive, 3)
    require_sentence(str(caught.value), "a.h5.parts", "cannot be written: Permission denied")
    assert listed(tmp_path) == []


# ---- two writers ----------------------------------------------------------------------------------------------------------


def test_a_second_process_is_refused_and_the_first_completes_unharmed(tmp_path):
    log, archive = tmp_path / "log", tmp_path / "work" / "a.h5"
    archive.parent.mkdir()
    first = child("run('a.h5', 30)", archive.parent, log, 0.05)
    until(lambda: committed(archive))
    for call in (
        lambda: run(archive, 30),
        lambda: run(archive, 30, workers=2),
        lambda: finish(archive),
    ):
        with pytest.raises(SweepError) as caught:
            call()
        require_sentence(str(caught.value), archive, "another process is writing to it")
    assert first.poll() is None
    ended(first)
    assert sorted(numbers(noted(log), "begin")) == list(range(30))
    assert same(archives.load(archive), expected(30))
    assert listed(archive.parent) == ["a.h5"]


@contextlib.contextmanager
def running(archive, blocks, tmp_path, monkeypatch):
    """A sweep in a thread of this process, waiting in its second block until this block ends."""
    go, log = threading.Event(), tmp_path / "log"
    monkeypatch.setenv(LOG, str(log))
    held = threading.Event()

    def hold():
        held.set()
        go.wait(120)

    monkeypatch.setitem(AT, 1, hold)
    failures = []

    def first():
        try:
            run(archive, blocks)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=first)
    thread.start()
    try:
        assert held.wait(60)
        monkeypatch.delitem(AT, 1)
        yield log
    finally:
        go.set()
        thread.join(120)
    assert failures == []


@pytest.mark.parametrize(
    "spelling", ["as it is", "relative", "through its parent", "through a link"]
)
def test_a_second_call_in_the_same_process_is_refused_however_the_path_is_spelled(
    spelling, tmp_path, monkeypatch
):
    folder = tmp_path / "work"
    folder.mkdir()
    archive = folder / "a.h5"
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(folder)
    other = {
        "as it is": archive,
        "relative": Path("a.h5"),
        "through its parent": tmp_path / "link" / ".." / "work" / "a.h5",
        "through a link": tmp_path / "link" / "a.h5",
    }[spelling]
    with running(archive, 4, tmp_path, monkeypatch) as log:
        with pytest.raises(SweepError, match="another process is writing to it"):
            run(other, 4)
        busy = child("run('a.h5', 4)", folder)  # nor did the refused call take the lock away
        assert "another process is writing to it" in ended(busy, 1)
    assert sorted(numbers(noted(log), "begin")) == [0, 1, 2, 3]
    assert same(archives.load(archive), expected(4))
    assert listed(folder) == ["a.h5"]


def test_two_threads_that_come_at_the_same_instant_do_not_both_write(tmp_path, monkeypatch):
    import fcntl

    both = threading.Barrier(2)

    def late(real, *arguments):
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(0.5)  # until the other one stands here too
        return real(*arguments)

    for name in ("lockf", "flock"):
        monkeypatch.setattr(fcntl, name, partial(late, getattr(fcntl, name)))
    archive, log = tmp_path / "work" / "a.h5", tmp_path / "log"
    monkeypatch.setenv(LOG, str(log))
    monkeypatch.setenv(PAUSE, "0.05")
    said: list[BaseException] = []

    def call():
        try:
            run(archive, 4)
        except BaseException as error:
            said.append(error)

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert all(isinstance(e, SweepError) and "another process" in str(e) for e in said), said
    assert sorted(numbers(noted(log), "begin")) == [0, 1, 2, 3]
    assert same(archives.load(archive), expected(4))


def test_two_sweeps_in_two_threads_into_two_archives_do_not_meet(tmp_path):
    said: list[BaseException] = []

    def call(archive):
        try:
            run(archive, 60)
        except BaseException as error:
            said.append(error)

    archives_here = [tmp_path / "a.h5", tmp_path / "b.h5"]
    threads = [threading.Thread(target=call, args=(archive,)) for archive in archives_here]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert said == []
    assert all(same(archives.load(archive), expected(60)) for archive in archives_here)
    assert listed(tmp_path) == ["a.h5", "b.h5"]


# ---- Ctrl-C ---------------------------------------------------------------------------------------------------------------

UNDER_CTRL_C = """
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    run("a.h5", 60, {workers}, {in_flight})
except Interrupted as error:
    print(error)
"""


@pytest.mark.parametrize(("workers", "in_flight"), [(0, None), (2, None), (2, 30)])
def test_ctrl_c_says_how_to_go_on_keeps_finished_blocks_and_the_same_call_completes(
    workers, in_flight, tmp_path
):
    """The terminal sends it to the workers as well."""
    log, archive = tmp_path / "log", tmp_path / "work" / "a.h5"
    archive.parent.mkdir()
    code = UNDER_CTRL_C.format(workers=workers, in_flight=in_flight)
    process = child(code, archive.parent, log, 0.05, start_new_session=True)
    until(lambda: len(committed(archive)) >= 4)
    os.killpg(process.pid, signal.SIGINT)
    said = ended(process)
    until(lambda: not related(log), 5.0)
    require_sentence(
        said,
        "a.h5.parts",
        "interrupted after",
        "of 240 points",
        "the same call",
        "transducer resume a.h5",
    )
    kept = require_readable(archive, 60, expected(60))
    assert len(kept) >= 4
    assert int(said.split()[2]) in (
        BLOCK * (len(kept) - 1),
        BLOCK * len(kept),
    )  # one was on its way
    lines = noted(log)
    # of each worker at most what it was at, and one that was just being committed
    assert len(set(numbers(lines, "begin")) - kept) <= max(1, 2 * workers)
    assert not [name for name in listed(archive.parent) if "tmp" in name]
    assert same(run(archive, 60), expected(60))
    assert listed(archive.parent) == ["a.h5"]


def test_ctrl_c_while_the_workers_are_starting_is_the_same_sentence_and_no_traceback(tmp_path):
    log, archive = tmp_path / "log", tmp_path / "work" / "a.h5"
    archive.parent.mkdir()
    code = UNDER_CTRL_C.format(workers=2, in_flight=None)
    process = child(code, archive.parent, log, 0.05, start_new_session=True)
    until(lambda: len(related(log)) >= 3)  # a worker is there, and not yet at work
    time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    said = ended(process)
    until(lambda: not related(log), 5.0)
    require_sentence(said, "a.h5.parts", "interrupted after", "transducer resume a.h5")
    assert same(run(archive, 60), expected(60))


def test_ctrl_c_during_the_merge_keeps_every_block_and_says_how_to_go_on(tmp_path, monkeypatch):
    archive = tmp_path / "a.h5"

    def ctrl_c(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(merge, "seal_file", ctrl_c)
        with pytest.raises(KeyboardInterrupt) as caught:
            run(archive, 3)
    assert not [name for name in listed(tmp_path) if "tmp" in name]
    assert require_readable(archive, 3, expected(3)) == {0, 1, 2}
    assert same(run(archive, 3), expected(3))
    assert isinstance(caught.value, Interrupted), (
        "a bare KeyboardInterrupt does not say how to go on"
    )


# ---- damage ---------------------------------------------------------------------------------------------------------------


def begun(archive, blocks, tmp_path, monkeypatch):
    """A sweep that stopped before its last block."""

    def stop():
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setitem(AT, blocks - 1, stop)
        with pytest.raises(ZeroDivisionError):
            run(archive, blocks)
    log = tmp_path / "log"
    log.unlink(missing_ok=True)
    monkeypatch.setenv(LOG, str(log))
    return log


def flip(path, at):
    raw = bytearray(path.read_bytes())
    raw[at] ^= 0x10
    path.write_bytes(raw)


@pytest.mark.parametrize("workers", [0, 2])
def test_damaged_blocks_are_named_and_they_alone_are_computed_again(workers, tmp_path, monkeypatch):
    archive = tmp_path / "work" / "a.h5"
    log = begun(archive, 8, tmp_path, monkeypatch)
    parts = parts_of(archive)
    first = parts / "block-00000001.h5"
    flip(first, first.stat().st_size // 2)
    found = archives.load(archive)  # the others are whole and are read
    assert (found["status"].values[1] == int(Status.PENDING)).all()
    assert all(np.isnan(found[name].values[1]).all() for name in ("cube", "sine"))
    require_sentence(found["reason"].values[1, 0], first, "was damaged")
    assert same(found.isel(x=[0, 2, 3]), expected(8).isel(x=[0, 2, 3]))
    second = parts / "block-00000004.h5"
    os.truncate(second, second.stat().st_size // 2)
    (parts / "block-00000005.h5").write_bytes(b"")
    flip(parts / "block-00000006.h5", -1)  # the seal itself
    assert same(run(archive, 8, workers), expected(8))
    assert sorted(numbers(noted(log), "begin")) == [1, 4, 5, 6, 7]
    assert same(archives.load(archive), expected(8))
    assert listed(archive.parent) == ["a.h5"]


def test_every_byte_of_a_block_is_under_its_seal(tmp_path, monkeypatch):
    archive = tmp_path / "work" / "a.h5"
    begun(archive, 3, tmp_path, monkeypatch)
    path = parts_of(archive) / "block-00000001.h5"
    whole = path.read_bytes()
    for at in range(0, len(whole), 97):
        flip(path, at)
        found = archives.load(archive).isel(x=1)
        assert (found["status"] == int(Status.PENDING)).all()
        assert "block-00000001" in found["reason"].values[0]
        path.write_bytes(whole)
    assert not (archives.load(archive)["status"].isel(x=1) == int(Status.PENDING)).any()


def test_a_block_that_is_damaged_after_the_last_look_does_not_get_into_the_file(
    tmp_path, monkeypatch
):
    archive, place = tmp_path / "a.h5", None
    real = merge.merge

    def damaged_before(parts):
        place = parts.folder / "block-00000001.h5"
        flip(place, place.stat().st_size // 2)
        real(parts)

    with monkeypatch.context() as patch:
        patch.setattr("transducer.sweeps.run.merge", damaged_before)
        with pytest.raises(DataError) as caught:
            run(archive, 3)
    require_sentence(str(caught.value), "block-00000001.h5", "was damaged", "again")
    assert place is None
    assert not archive.exists()
    assert same(run(archive, 3), expected(3))
    assert listed(tmp_path) == ["a.h5"]


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "gone"])
def test_a_damaged_description_is_a_sentence_that_names_it_and_costs_no_block(
    damage, tmp_path, monkeypatch
):
    archive = tmp_path / "work" / "a.h5"
    begun(archive, 4, tmp_path, monkeypatch)
    study = parts_of(archive) / "study.h5"
    if damage == "flipped":
        flip(study, study.stat().st_size // 2)
    elif damage == "gone":
        study.unlink()
    else:
        os.truncate(study, study.stat().st_size // 2 if damage == "cut" else 0)
    with pytest.raises(DataError) as caught:
        archives.load(archive)
    require_sentence(str(caught.value), study)
    said = str(caught.value)
    try:
        mended = run(archive, 4)
    except DataError as error:
        require_sentence(str(error), study)
        assert committed(archive) == {0, 1, 2}
        mends = False
    else:
        mends = same(mended, expected(4))
    assert mends or "run the sweep again to mend it" not in said, "that does not mend it"


def test_a_damaged_note_of_a_run_is_a_sentence_or_no_harm(tmp_path, monkeypatch):
    archive = tmp_path / "work" / "a.h5"
    begun(archive, 4, tmp_path, monkeypatch)
    notes = sorted(parts_of(archive).glob("run-*.json"))[-1]
    notes.write_bytes(notes.read_bytes()[:20])
    try:
        found = archives.load(archive)
        assert int((found["status"] == int(Status.PENDING)).sum()) == BLOCK
    except DataError as error:
        require_sentence(str(error), notes)
    try:
        assert same(run(archive, 4), expected(4))
    except DataError as error:
        require_sentence(str(error), notes)


def test_a_damaged_archive_is_not_computed_over(tmp_path):
    archive = tmp_path / "a.h5"
    run(archive, 3)
    flip(archive, archive.stat().st_size // 2)
    before = archive.read_bytes()
    for call in (lambda: archives.load(archive), lambda: run(archive, 3)):
        with pytest.raises(DataError) as caught:
            call()
        require_sentence(str(caught.value), archive, "seal does not match")
    assert archive.read_bytes() == before
