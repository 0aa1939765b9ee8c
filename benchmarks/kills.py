"""What kill -9 costs a running sweep: a hundred kills at random moments, serial and with two workers."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
LOG = "KILLED_SWEEP_LOG"
BLOCKS, POINTS = 60, 8
"""Blocks of a study, and points of each."""
WORK = 0.1
"""Seconds that a block takes."""
PATIENCE = 30.0
"""Seconds after which something that should happen does not."""


def note(word: str, number: int) -> None:
    """Append a line in one write, so that no kill cuts it."""
    file = os.open(os.environ[LOG], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(file, f"{word} {number} {os.getpid()} {time.time()}\n".encode())
    os.close(file)


def worked(x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """A block of work: how the child processes spend their time."""
    if LOG in os.environ:
        note("begin", int(x[0]))
        time.sleep(WORK)
        note("end", int(x[0]))
    return {"sine": np.sin(x * y), "root": np.sqrt(1 + x) / y}


def study(archive: str | None, workers: int):
    """The sweep that is killed; into no file, it is the reference."""
    from transducer.sweeps import Axis, grid, sweep

    points = grid(Axis("x", np.arange(float(BLOCKS))), Axis("y", np.arange(1.0, 1.0 + POINTS)))
    return sweep(
        worked,
        points,
        archive=archive,
        vectorised=True,
        block=POINTS,
        workers=workers,
        title="killed",
    )


def main() -> None:
    """Child process: ``python -m benchmarks.kills ARCHIVE WORKERS``."""
    from benchmarks.kills import note, study  # by the name that its workers know

    note("start", 0)
    study(sys.argv[1], int(sys.argv[2]))


@dataclass
class Toll:
    """What the kills cost."""

    kills: int = 0
    running: int = 0
    """Kills after the first block of the run had begun."""
    lost: int = 0
    wrong: int = 0
    orphans: int = 0
    completed: int = 0
    blocks: list[int] = field(default_factory=list)
    """Blocks that one worker had begun and that were not committed: the most at each kill."""
    seconds: list[float] = field(default_factory=list)
    """Work of one worker that is to do again: the most at each kill."""


def lines(log: Path) -> list[tuple[str, int, int, float]]:
    """What the swept function said."""
    text = log.read_text() if log.exists() else ""
    whole = (line.split() for line in text.splitlines(keepends=True) if line.endswith("\n"))
    return [(word, int(number), int(pid), float(when)) for word, number, pid, when in whole]


def committed(archive: Path) -> set[int]:
    """Blocks on the disk; all of them once the archive stands."""
    if archive.exists():
        return set(range(BLOCKS))
    parts = archive.with_name(archive.name + ".parts")
    return {int(p.stem[6:]) for p in parts.glob("block-*.h5") if p.stem[6:].isdecimal()}


def alive(log: Path) -> Iterator[int]:
    """Processes that inherited this log."""
    mark = f"{LOG}={log}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name)
            except OSError:
                continue


def agrees(archive: Path, reference, done: set[int]) -> bool:
    """Whether every committed block is as the uninterrupted run has it, and the rest is pending."""
    from cavities.rules import Status
    from transducer.archive import load

    if not archive.exists() and not archive.with_name(archive.name + ".parts").exists():
        return not done  # killed before it had begun
    found = load(archive)
    there = np.isin(np.arange(BLOCKS), sorted(done))
    if not ((found["status"].values == int(Status.PENDING)) == ~there[:, None]).all():
        return False
    names = [n for n in reference.data_vars if n in found] if done else []
    return (not done or len(names) == len(reference.data_vars)) and all(
        np.array_equal(found[n].values[there], reference[n].values[there]) for n in names
    )


def killed(workers: int, count: int, seed: int) -> Toll:
    """Kill sweeps `count` times, each study as often as it takes to complete."""
    moments, toll, reference = random.Random(seed), Toll(), study(None, 0)
    while toll.kills < count:
        with tempfile.TemporaryDirectory() as name:
            archive, log = Path(name, "work", "killed.h5"), Path(name, "log")
            archive.parent.mkdir()
            before: set[int] = set()
            last = False
            while not archive.exists() and not last:
                last = toll.kills >= count  # enough of it: let this one complete
                before = _one(toll, archive, log, workers, moments, before, reference, last)
            toll.completed += 1
            toll.wrong += not _finished(archive, log, workers, reference)
            toll.lost += archive.exists() is False
    return toll


def _one(toll, archive, log, workers, moments, before, reference, last) -> set[int]:
    """One run: killed at a random moment since the sweep began, unless it is the last."""
    old = len(lines(log))
    child = _child(archive, log, workers)
    # at any time since the call, while workers start and files are made, or since the first block
    word = moments.choice(("start", "begin", "begin", "begin"))
    wait = moments.uniform(0.0, 1.0)
    end = time.monotonic() + PATIENCE
    while child.poll() is None and time.monotonic() < end:
        if any(line[0] == word for line in lines(log)[old:]):
            break
        time.sleep(0.005)
    try:
        child.wait(PATIENCE if last else wait)
    except subprocess.TimeoutExpired:
        child.kill()
    when = time.time()
    died = child.wait() == -signal.SIGKILL
    while (left := list(alive(log))) and time.time() < when + 5:
        time.sleep(0.01)
    toll.orphans += len(left)
    now = committed(archive)
    toll.lost += len(before - now)
    toll.wrong += not agrees(archive, reference, now)
    if died:
        toll.kills += 1
        toll.running += any(line[0] == "begin" for line in lines(log)[old:])
        begun: dict[int, dict[int, float]] = {}
        for word, number, pid, at in lines(log)[old:]:
            toll.wrong += word == "begin" and number in before  # a committed block, computed again
            if number not in now and word == "begin":
                begun.setdefault(pid, {})[number] = when - at
            if number not in now and word == "end":
                begun[pid][number] -= when - at
        toll.blocks.append(max(map(len, begun.values()), default=0))
        toll.seconds.append(max((sum(b.values()) for b in begun.values()), default=0.0))
    return now


def _child(archive: Path, log: Path, workers: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.kills", str(archive), str(workers)],
        cwd=ROOT,
        env={**os.environ, LOG: str(log), "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _finished(archive: Path, log: Path, workers: int, reference) -> bool:
    """Whether the same call gives the uninterrupted run."""
    from transducer.archive import load

    if _child(archive, log, workers).wait(PATIENCE) != 0:
        return False
    return load(archive).drop_attrs().identical(reference.drop_attrs())


def kills(count: int = 100) -> tuple[str, str, str]:
    """M9: kill -9 at random moments of a running sweep, half of them serial, half with two workers."""
    with ThreadPoolExecutor(2) as both:
        serial = both.submit(killed, 0, count - count // 2, 1)
        pool = both.submit(killed, 2, count // 2, 2)
        tolls = serial.result(), pool.result()
    lost, wrong, orphans = (sum(getattr(t, n) for t in tolls) for n in ("lost", "wrong", "orphans"))
    again = [max(t.seconds, default=0.0) for t in tolls]
    most = [max(t.blocks, default=0) for t in tolls]
    twice = sum(n > 1 for t in tolls for n in t.blocks)
    met = lost == wrong == orphans == twice == 0 and max(again) <= 5
    return (
        "M9 kill -9 at random moments of a running sweep, blocks of 0.1 s, half serial and half two workers",
        f"{sum(t.kills for t in tolls)} kills ({sum(t.running for t in tolls)} after the first block of the run had begun) over {sum(t.completed for t in tolls)} studies: {lost} committed blocks lost, "
        f"{wrong} results apart from the uninterrupted run, {orphans} workers left; to do again at most {most[0]} and "
        f"{most[1]} blocks per worker ({again[0]:.2f} and {again[1]:.2f} s), more than one at {twice} kills",
        "0 lost, equal, <= 1 block (<= 5 s) per worker" + ("" if met else "  MISSED"),
    )


if __name__ == "__main__":
    main()
