"""Damaged archives and mangled input files: each is refused in a sentence, or gives the right numbers.

Every mutant is drawn from (seed, index) alone and judged in a worker process that is watched from outside: an exception
that is no `ToolkitError`, more than 20 s, a crash, a file that changed by being read, a file left behind, or a number
that is silently wrong or not finite is a failure. ``python -m benchmarks.fuzz archives 7 123`` judges mutant 123 of
seed 7 here and prints what became of it.
"""

import contextlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.mutants import (
    ENDING,
    INSIDE,
    Rng,
    folder_mutated,
    mutated,
    pick,
    sources,
    text_mutated,
)

ROOT = Path(__file__).resolve().parent.parent
SCRATCH = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where mutants live: in memory, where there is such a place, for every block is flushed."""
SLOW = 20.0
"""Seconds from which a mutant counts as a hang."""
SILENCE = 60.0
"""Seconds without a word after which a worker is killed."""
MEMORY = 3 << 30
"""Bytes of address space of a worker: a mutant that asks for more fails with a `MemoryError`."""
LARGEST_RUN = 20_000
"""Points up to which a mutated study is run."""
WORKERS = 2
UNSEALED = 200
"""Most mutants of a run that have no seal: each is read by child processes, half a second in all."""

Folder = dict[str, bytes | None]
"""Everything below a folder: contents by relative name, None for a folder."""


class Failure(Exception):
    """A mutant that was neither refused in a sentence nor read as it should be."""


# --- what is swept -----------------------------------------------------------------------------------------------


def swept(x, y, word):
    """Cheap, smooth, and refused below the diagonal."""
    from cavities.errors import ParameterError, UnstableError

    if x * y < 0.1:
        raise ParameterError(f"x y = {x * y} is below 0.1")
    if word == "gamma" and x > 2.0:
        raise UnstableError("gamma oscillates above x = 2")
    return {"product": x * y + len(word), "ratio": x / (y + 1.0), "root": (x + y) ** 0.5}


def other(x, y, word):
    """Another sweep over the same axes, with outputs of the same names."""
    return {"product": x - y, "ratio": x + y + len(word), "root": x * x}


def axes(columns: int = 4):
    from transducer.sweeps import Axis, grid

    words = Axis("word", ["alpha", "beta", "gamma"], long_name="a word")
    return grid(
        Axis("x", np.linspace(0.1, 3.0, 6), "W", "power"),
        Axis("y", np.linspace(0.0, 2.0, columns), "1", "share"),
        words,
    )


def _sweep(path: Path, function: Callable[..., Any] = swept, columns: int = 4):
    from transducer.sweeps import sweep

    return sweep(
        function, axes(columns), archive=path, block=9, title="fuzzed", inputs={"a.txt": "A"}
    )


@contextlib.contextmanager
def _interrupted(after: int) -> Iterator[None]:
    """Ctrl-C once so many blocks are on the disk."""
    from transducer.progress import Interrupted
    from transducer.sweeps.shards import Parts

    real, left = Parts.commit, [after]

    def commit(self: Parts, number: int, block: Any) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        real(self, number, block)

    with (
        mock.patch.object(Parts, "commit", commit),
        contextlib.suppress(Interrupted, KeyboardInterrupt),
    ):
        yield


def _study_text() -> str:
    text = (ROOT / "data/studies/metro_distance.toml").read_text("utf-8")
    return text.replace("count = 60", "count = 5").replace("count = 50", "count = 4") + "\n"


def originals(folder: Path) -> None:
    """Make the archives that are mutated: finished, sampled, of a link, of old, and running ones."""
    from transducer import load_scenario, simulate
    from transducer.link_archive import link_bytes
    from transducer.study import load_study, run
    from transducer.sweeps import Axis, sweep, zipped

    _sweep(folder / "grid.h5")
    side = zipped(
        Axis("x", np.linspace(0.2, 3, 9)),
        Axis("y", np.linspace(0, 2, 9)),
        Axis("word", ["gamma"] * 9),
    )
    sweep(swept, side, archive=folder / "zipped.h5", block=4)
    study = folder / "study.toml"
    study.write_text(
        _study_text().replace('name = "metro_distance"', 'name = "metro_distance"\nblock = 11')
    )
    run(load_study(study, folder / "study.h5"))
    (folder / "link.h5").write_bytes(
        link_bytes(simulate(load_scenario("metro_target"), "scattering"))
    )
    shutil.copy(ROOT / "tests/archives/link-v1.h5", folder / "v1.h5")
    for after in (3, 2):
        with _interrupted(after):
            _sweep(folder / "running.h5")
    with _interrupted(2):
        run(load_study(study, folder / "resumable.h5"))
    with _interrupted(6):
        _sweep(folder / "stranger.h5", other)
    with _interrupted(6):
        _sweep(folder / "wider.h5", swept, 5)


FINISHED = ("grid.h5", "zipped.h5", "study.h5", "link.h5")


# --- judging archives --------------------------------------------------------------------------------------------


def snapshot(folder: Path) -> Folder:
    """Every file below a folder, byte by byte."""
    found: Folder = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = os.readlink(path).encode()
        else:
            found[name] = None if path.is_dir() else path.read_bytes()
    return found


def _require_untouched(before: Folder, folder: Path, by: str) -> None:
    after = snapshot(folder)
    if after != before:
        apart = [n for n in {*before, *after} if before.get(n, b"?") != after.get(n, b"?")]
        raise Failure(f"{by} changed the disk: {sorted(apart)[:4]}")


def _told(call: Callable[[], Any], said: list[str]) -> Any:
    """What a call returns; a `ToolkitError` becomes None and a note, and must be a sentence on one line."""
    from cavities.errors import ToolkitError

    try:
        return call()
    except ToolkitError as error:
        if not str(error).strip():
            raise Failure(f"{type(error).__name__} without a word") from None
        said.append(f"{type(error).__name__}: {error}")
        return None


def _unlike(
    wanted: Any, found: Any, checked: set[str] | None = None
) -> tuple[list[str], list[str]]:
    """Figures that differ from the original's at points that are not pending: with a checksum, and without."""
    from cavities.rules import Status

    wrong: list[str] = []
    free: list[str] = []

    def note(name: str, what: str) -> None:
        (wrong if checked is None or name in checked else free).append(what)

    if dict(wanted.sizes) != dict(found.sizes):
        return [f"sizes {dict(wanted.sizes)} became {dict(found.sizes)}"], []
    codes = found["status"] if "status" in found else wanted["status"]
    pending = codes == Status.PENDING
    for name in wanted.coords:
        if name not in found.coords or not np.array_equal(wanted[name].values, found[name].values):
            note(str(name), f"axis {name} changed")
    for name in wanted.data_vars:
        if name not in found.data_vars:
            if not bool(pending.all()):
                (wrong if checked is None else free).append(f"a name: {name} is gone")
            continue
        one, two = wanted[name], found[name]
        if one.dims != two.dims:
            note(str(name), f"{name} has dimensions {two.dims}")
            continue
        if one.dims == pending.dims:
            keep = ~pending.values
            a, b = one.values[keep], two.values[keep]
        else:
            a, b = one.values, two.values
        same = (
            a.tobytes() == b.tobytes()
            if one.dtype.kind in "fi" and one.dtype == two.dtype
            else None
        )
        if same is None:
            same = np.array_equal(a, b, equal_nan=one.dtype.kind == "f" and two.dtype.kind == "f")
        if not same and not (one.dtype.kind == "f" and np.array_equal(a, b, equal_nan=True)):
            note(str(name), f"{name}: {a.ravel()[:3]} became {b.ravel()[:3]}")
    for name in found.data_vars:
        if name not in wanted.data_vars:
            (wrong if checked is None else free).append(f"a name: {name} came from nowhere")
    if "status" in found:
        figures = [
            v for n, v in found.data_vars.items() if v.dtype.kind == "f" and v.dims == pending.dims
        ]
        hidden = sum(int((np.isnan(v.values) & (codes.values == 0)).sum()) for v in figures)
        if hidden:
            wrong.append(f"{hidden} values are NaN at points that say OK")
        lit = sum(
            int((~np.isnan(v.values) & (codes.values == Status.PENDING)).sum()) for v in figures
        )
        if lit:
            wrong.append(f"{lit} values stand at points that say PENDING")
    return wrong, free


_kept: dict[Path, Any] = {}


def _wanted(path: Path) -> Any:
    """The original in memory."""
    from transducer import archive

    if path not in _kept:
        _kept[path] = archive.load(path)
    return _kept[path]


def _checked(path: Path) -> set[str]:
    """Variables of an old archive whose numbers carry a checksum."""
    import h5py

    with h5py.File(path) as file:
        return {n for n, v in file.items() if isinstance(v, h5py.Dataset) and v.fletcher32}


def archive_mutant(rng: Rng, source: Path, folder: Path, unsealed: float) -> dict[str, Any]:
    """Make one mutant in an empty folder, read it in every way, and judge."""
    if rng.random() < unsealed:
        name = "v1.h5" if rng.random() < 0.5 else FINISHED[int(rng.integers(0, 4))]
        kinds = (*INSIDE, *INSIDE, *ENDING) if name == "v1.h5" else ENDING
    elif rng.random() < 0.16:
        return _running_mutant(rng, source, folder)
    else:
        name, kinds = FINISHED[int(rng.integers(0, 4))], INSIDE
    raw, said = mutated(rng, (source / name).read_bytes(), kinds)
    (folder / name).write_bytes(raw)
    how = f"{name}: {said}"
    return _read(rng, source / name, folder, name, how, sealed=kinds is INSIDE)


def _read(
    rng: Rng, original: Path, folder: Path, name: str, how: str, sealed: bool
) -> dict[str, Any]:
    from transducer import archive
    from transducer.sweeps.compare import compare

    path, before = folder / name, snapshot(folder)
    heard: list[str] = []
    free: list[str] = []
    wanted = _wanted(original)
    try:
        found = _told(lambda: archive.load(path), heard)
        calls: list[tuple[str, Callable[[], Any]]] = [
            ("study_of", lambda: archive.study_of(path)),
            ("texts_of", lambda: archive.texts_of(path)),
            ("runs_of", lambda: archive.runs_of(path)),
            ("compare", lambda: compare(path, original)),
        ]
        if rng.random() < 0.2:
            calls[3] = ("compare", lambda: compare(original, path))
        if not sealed:  # each call starts a process
            calls = [calls[int(rng.integers(0, 4))]]
        results = {what: _told(call, heard) for what, call in calls}
        if found is not None:
            wrong, free = _unlike(wanted, found, _checked(original) if name == "v1.h5" else None)
            if wrong:
                raise Failure(f"loads with other numbers: {'; '.join(wrong[:3])}")
            seen, whole = results.get("compare"), bool((found["status"] != 11).all())
            if seen is not None and whole and seen.moves and not free:
                raise Failure(f"compare says that {seen.moves[0].name} moved, load does not")
        _require_untouched(before, folder, "reading")
    except Exception as error:
        return {"how": how, "failure": _described(error)}
    return {
        "how": how,
        "outcome": "refused" if found is None else "loaded",
        "said": heard[:1],
        "free": free,
    }


def _running_mutant(rng: Rng, source: Path, folder: Path) -> dict[str, Any]:
    """A running sweep, damaged: read, then go on with it."""
    name = "running.h5"
    shutil.copytree(source / f"{name}.parts", folder / f"{name}.parts")
    how = "running: " + folder_mutated(rng, folder, name, source)
    if rng.random() < 0.2:
        how += (
            "; " + folder_mutated(rng, folder, name, source)
            if (folder / f"{name}.parts").is_dir()
            else ""
        )
    before = snapshot(folder)
    done = _read(rng, source / "grid.h5", folder, name, how, sealed=True)
    failures = [done["failure"]] if "failure" in done else []
    if before != snapshot(folder):
        return done
    heard: list[str] = []
    own = snapshot(source / f"{name}.parts")
    healthy = {
        n: raw
        for n, raw in before.items()
        if "/block-" in n and raw and own.get(Path(n).name) == raw
    }
    try:
        found = _told(lambda: _sweep(folder / name), heard)
        if found is None:
            after = snapshot(folder)
            lost = [n for n, raw in healthy.items() if after.get(n) != raw]
            if lost:
                raise Failure(f"healthy blocks are gone after '{heard[0]}': {lost}")
            loose = [n for n in after if n not in before and re.search(r"\.tmp$|/merged", n)]
            if loose:
                raise Failure(f"temporary files are left behind after '{heard[0]}': {loose}")
        else:
            wrong, _ = _unlike(_wanted(source / "grid.h5"), found)
            if wrong:
                raise Failure(f"going on gave other numbers: {'; '.join(wrong[:3])}")
            left = [p.name for p in folder.iterdir() if p.name != name]
            if left:
                raise Failure(f"finished, and left behind {left}")
    except Exception as error:
        failures.append(_described(error))
    if failures:
        return {"how": how, "failure": failures[0], "also": failures[1:]}
    again = "went on" if not heard else "refused to go on"
    return {
        "how": how,
        "outcome": f"{done['outcome']}, {again}",
        "said": [*done["said"], *heard][:2],
    }


# --- judging texts -----------------------------------------------------------------------------------------------


def text_mutant(rng: Rng, source: Path, folder: Path, unsealed: float = 0.0) -> dict[str, Any]:
    """Make one mutated scenario or study in an empty folder, use it, and judge."""
    every = sources()
    kind = "scenarios" if rng.random() < 0.5 else "studies"
    kind, name, text = pick(rng, [entry for entry in every if entry[0] == kind])
    raw, said = text_mutated(rng, text, kind == "studies")
    path = folder / "mutant.toml"
    path.write_bytes(raw)
    how = f"{name}: {said}"
    try:
        outcome, heard = (_scenario if kind == "scenarios" else _study)(path, folder)
    except Exception as error:
        return {"how": how, "failure": _described(error), "text": _change(text, raw)}
    return {"how": how, "outcome": outcome, "said": heard[:1]}


def _change(text: str, raw: bytes) -> str:
    """Lines of a mutant that its original does not have, abridged."""
    old = {*text.split("\n")}
    fresh = [line[:200] for line in raw.decode("utf-8", "replace").split("\n") if line not in old]
    return " | ".join(fresh)[:600] + f" ({len(raw)} bytes)"


def _scenario(path: Path, folder: Path) -> tuple[str, list[str]]:
    from transducer import load_scenario, simulate

    before, heard = snapshot(folder), []
    loaded = _told(lambda: load_scenario(path), heard)
    _require_untouched(before, folder, "load_scenario")
    if loaded is None:
        return "scenario refused", heard
    report = _told(lambda: simulate(loaded, "scattering"), heard)
    _require_untouched(before, folder, "simulate")
    if report is None:
        return "simulation refused", heard
    _require_finite(report)
    return "scenario computed", heard


def _require_finite(report: Any) -> None:
    bad = []
    for outcome in report.outcomes:
        bad += [
            f"{n} = {v}" for n, v in outcome.figures.as_dict().items() if not np.all(np.isfinite(v))
        ]
        bad += [f"limit {n} = {v}" for n, v in outcome.limits if not np.isfinite(v)]
        if not np.all(np.isfinite(outcome.pair.normalised)):
            bad.append("the delivered state")
    for found in report.conversions:
        for where in ("at_signal", "spectrum"):
            one = getattr(found, where)
            bad += [
                f"{where}.{n}"
                for n in ("efficiency", "noise_out")
                if not np.all(np.isfinite(getattr(one, n)))
            ]
        if not np.all(np.isfinite(found.bandwidth)):
            bad.append(f"bandwidth = {found.bandwidth}")
    for row in report.rows:
        numbers = {
            n: getattr(row, n)
            for n in ("loss_db", "loss_db_max", "transmittance", "added_noise", "delay_s")
        }
        bad += [
            f"row {row.element}: {n} = {v}"
            for n, v in numbers.items()
            if not np.all(np.isfinite(v))
        ]
    bad += [
        f"uncertainty of {n} = {v}"
        for n, v in report.uncertainty.items()
        if not np.all(np.isfinite(v))
    ]
    if bad:
        raise Failure(f"not finite: {'; '.join(bad[:4])}")


def _study(path: Path, folder: Path) -> tuple[str, list[str]]:
    from transducer import archive
    from transducer.study import load_study, run

    before, heard = snapshot(folder), []
    target = folder / "out.h5"
    loaded = _told(lambda: load_study(path, target), heard)
    _require_untouched(before, folder, "load_study")
    if loaded is None:
        return "study refused", heard
    if loaded.design.size > LARGEST_RUN:
        return "study loaded, too large to run", heard
    found = _told(lambda: run(loaded), heard)
    if found is None:
        _require_untouched(before, folder, f"a refused run ({heard[0]})")
        return "run refused", heard
    again = archive.load(target)
    wrong, _ = _unlike(found, again)
    if wrong:
        raise Failure(f"the archive differs from what run returned: {wrong[:3]}")
    fine = again["status"].values == 0
    for name, column in again.data_vars.items():
        if column.dtype.kind == "f":
            values = column.values[fine]
            if not np.isfinite(values).all():
                raise Failure(
                    f"{name} holds {values[~np.isfinite(values)][0]} at a point that says OK"
                )
    if sorted(p.name for p in folder.iterdir()) != ["mutant.toml", "out.h5"]:
        raise Failure(f"left behind: {sorted(p.name for p in folder.iterdir())}")
    return "study computed" if fine.any() else "study computed, no point OK", heard


# --- the command line --------------------------------------------------------------------------------------------


def command_mutant(rng: Rng, source: Path, folder: Path, unsealed: float = 0.0) -> dict[str, Any]:
    """One mutant through a process of its own: status 0, or 2 and one sentence."""
    command = pick(rng, ["sweep", "link", "info", "diff", "resume", "resume", "merge"])
    if command in ("sweep", "link"):
        kind = "studies" if command == "sweep" else "scenarios"
        _, name, text = pick(rng, [entry for entry in sources() if entry[0] == kind])
        raw, said = text_mutated(rng, text, kind == "studies")
        (folder / "mutant.toml").write_bytes(raw)
        tail = (
            ["--out", "out.h5"] if command == "sweep" else ["--engine", "scattering", "--no-files"]
        )
        given = [command, "mutant.toml", *tail]
        if command == "sweep" and _points(folder / "mutant.toml") > LARGEST_RUN:
            return {"how": f"{name}: {said}", "outcome": "sweep too large to run", "said": []}
    elif command in ("resume", "merge") or (command == "info" and rng.random() < 0.5):
        name = pick(rng, ["resumable.h5", "running.h5"])
        shutil.copytree(source / f"{name}.parts", folder / f"{name}.parts")
        said = folder_mutated(rng, folder, name, source)
        given = [command, name]
    else:
        name = pick(rng, [*FINISHED, "v1.h5"])
        raw, said = mutated(rng, (source / name).read_bytes(), (*INSIDE, *ENDING))
        (folder / name).write_bytes(raw)
        given = ["info", name] if command == "info" else ["diff", str(source / name), name]
    how = f"transducer {' '.join(given)}; {name}: {said}"
    try:
        return {
            "how": how,
            "outcome": f"{command} ended with {_command(given, folder)}",
            "said": [],
        }
    except Exception as error:
        return {"how": how, "failure": _described(error)}


def _points(path: Path) -> int:
    """Points of a study; 0 if it is refused."""
    from transducer.study import load_study

    loaded = _told(lambda: load_study(path, path.with_suffix(".h5")), [])
    return 0 if loaded is None else loaded.design.size


def _command(given: list[str], folder: Path) -> int:
    done = subprocess.run(
        [sys.executable, "-m", "transducer", *given],
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SLOW + 20,
        check=False,
    )
    lines = done.stderr.splitlines()
    if "Traceback" in done.stderr + done.stdout:
        raise Failure(f"traceback: {' / '.join(lines[-4:])}")
    if done.returncode not in (0, 2):
        raise Failure(f"status {done.returncode}: {' / '.join(lines[-3:])}")
    if done.returncode == 2 and not (len(lines) == 1 and lines[0].startswith("transducer: ")):
        raise Failure(f"status 2 and {len(lines)} lines: {' / '.join(lines[:3])}")
    return done.returncode


# --- workers, and who watches them -------------------------------------------------------------------------------


def _described(error: Exception) -> dict[str, str]:
    """What went wrong, and the line of the toolkit it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        f
        for f in frames
        if not {"site-packages", "lib", "benchmarks"} & {*Path(f.filename).parts[:-1]}
    ]
    last = (own or frames or [None])[-1]
    where = f"{Path(last.filename).name}:{last.lineno}" if last is not None else "?"
    if isinstance(error, Failure):
        return {"kind": "wrong", "what": str(error)[:400], "where": ""}
    return {"kind": type(error).__name__, "what": str(error)[:300], "where": where}


KINDS: dict[str, Callable[[Rng, Path, Path, float], dict[str, Any]]] = {
    "archives": archive_mutant,
    "texts": text_mutant,
    "commands": command_mutant,
}
SALT = {"archives": 1, "texts": 2, "commands": 3}


def judged(kind: str, seed: int, index: int, source: Path, unsealed: float) -> dict[str, Any]:
    """Make mutant `index` of `seed` and judge it."""
    rng = np.random.default_rng([seed, SALT[kind], index])
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix=f"fuzz-{index}-", dir=SCRATCH) as name:
        try:
            found = KINDS[kind](rng, source, Path(name), unsealed)
        except (Exception, SystemExit) as error:  # the mutator's own mistake, too, must be seen
            found = {"how": "?", "failure": _described(error)}  # type: ignore[arg-type]
    spent = time.perf_counter() - start
    if spent > SLOW and "failure" not in found:
        found["failure"] = {"kind": "hang", "what": f"took {spent:.0f} s", "where": ""}
    return {"index": index, "seconds": round(spent, 3), **found}


def _work() -> None:
    """Judge every `step`-th mutant from `first` on, a line each on the standard output: what a worker runs."""
    import resource

    kind, source = sys.argv[1], Path(sys.argv[2])
    seed, first, stop, step = map(int, sys.argv[3:7])
    unsealed = float(sys.argv[7])
    from transducer import archive

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    archive.PATIENCE = 5.0  # a hang of libhdf5 costs as long
    warnings.simplefilter("ignore")
    cwd = snapshot(Path.cwd())
    out, quiet = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    for index in range(first, stop, step):
        found = judged(kind, seed, index, source, unsealed)
        if snapshot(Path.cwd()) != cwd:
            found.setdefault(
                "failure", {"kind": "wrong", "what": "wrote into the working folder", "where": ""}
            )
            cwd = snapshot(Path.cwd())
        os.write(out, (json.dumps(found) + "\n").encode())


def _watched(
    kind: str, source: Path, seed: int, share: range, unsealed: float
) -> list[dict[str, Any]]:
    """Outcomes of a share of the mutants; a worker that hangs or dies is replaced, its mutant is a failure."""
    found: list[dict[str, Any]] = []
    at = share.start
    while at < share.stop:
        said, ending = _listen(kind, source, seed, range(at, share.stop, share.step), unsealed)
        found += said
        at += share.step * len(said)
        if at < share.stop:
            found.append({"index": at, "seconds": SILENCE, "how": "?", "failure": ending})
            at += share.step
    return found


def _listen(
    kind: str, source: Path, seed: int, share: range, unsealed: float
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    numbers = [seed, share.start, share.stop, share.step, unsealed]
    command = [
        sys.executable,
        "-c",
        "from benchmarks.fuzz import _work; _work()",
        kind,
        str(source),
    ]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory(prefix="fuzz-cwd-") as cwd, tempfile.TemporaryFile() as errors:
        worker = subprocess.Popen(
            [*command, *map(str, numbers)],
            cwd=cwd,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        assert worker.stdout is not None
        raw, hung = b"", False
        try:
            while True:
                if not select.select([worker.stdout], [], [], SILENCE)[0]:
                    hung = True
                    break
                piece = os.read(worker.stdout.fileno(), 1 << 16)
                if not piece:
                    break
                raw += piece
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL)
            status = worker.wait()
            worker.stdout.close()
        errors.seek(0)
        last = errors.read().decode("utf-8", "replace").strip().splitlines()[-1:]
        lines = raw.split(b"\n")[:-1]
        what = f"silent for {SILENCE:.0f} s" if hung else f"the worker ended with {status}: {last}"
        ending = {"kind": "hang" if hung else "crash", "what": what, "where": ""}
        return [json.loads(line) for line in lines], ending


def _fuzzed(kind: str, count: int, seed: int, unsealed: float = 0.0) -> dict[str, Any]:
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="fuzz-originals-", dir=SCRATCH) as name:
        source = Path(name)
        if kind != "texts":
            originals(source)
        shares = [range(k, count, WORKERS) for k in range(WORKERS)]
        before = snapshot(source)
        with ThreadPoolExecutor(WORKERS) as pool:
            found = [
                entry
                for part in pool.map(
                    lambda share: _watched(kind, source, seed, share, unsealed), shares
                )
                for entry in part
            ]
        if snapshot(source) != before:
            found.append(
                {
                    "index": -1,
                    "how": "?",
                    "failure": {"kind": "wrong", "what": "an original changed"},
                }
            )
    found.sort(key=lambda entry: entry["index"])
    failures = [entry for entry in found if "failure" in entry]
    return {
        "kind": kind,
        "seed": seed,
        "count": len(found),
        "outcomes": dict(Counter(entry["outcome"] for entry in found if "outcome" in entry)),
        "failures": failures,
        "unchecked": dict(Counter(f.split(":")[0] for e in found for f in e.get("free", ()))),
        "slowest": max((entry.get("seconds", 0.0) for entry in found), default=0.0),
        "slow": [
            (e["index"], e["seconds"], e["how"])
            for e in sorted(found, key=lambda e: -e.get("seconds", 0.0))[:8]
        ],
        "seconds": time.perf_counter() - start,
    }


def fuzz_archives(count: int, seed: int) -> dict[str, Any]:
    """Mutate archives, finished and running, and read them; running ones are gone on with.

    Returns
    -------
    dict
        ``count``, ``outcomes`` (how many of each), ``failures`` (a record each: index, how the mutant was made, what
        went wrong and where), ``unchecked`` (variables of a version-1 archive that have no checksum and were seen to
        change), ``slowest`` mutant and all of them [s], and which were ``slow``.
    """
    return _fuzzed("archives", count, seed, min(0.08, UNSEALED / max(1, count)))


def fuzz_texts(count: int, seed: int) -> dict[str, Any]:
    """Mutate scenario and study files, half of each, load them, and compute what can be loaded; as `fuzz_archives`."""
    return _fuzzed("texts", count, seed)


def fuzz_commands(count: int, seed: int) -> dict[str, Any]:
    """Give mutants of both kinds to the real command line; as `fuzz_archives`."""
    return _fuzzed("commands", count, seed)


def summary(found: dict[str, Any]) -> str:
    """Failures in words, each kind once with its first mutant."""
    kinds: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for entry in found["failures"]:
        for failure in (entry["failure"], *entry.get("also", ())):
            key = (
                failure["kind"],
                failure.get("where", ""),
                re.sub(r"[\d.e+-]+", "#", failure["what"])[:60],
            )
            kinds.setdefault(key, []).append({**entry, "failure": failure})
    lines = [
        f"{found['kind']}, seed {found['seed']}: {len(found['failures'])} of {found['count']} mutants fail"
    ]
    for (kind, where, _), entries in sorted(kinds.items(), key=lambda item: -len(item[1])):
        first = entries[0]
        lines.append(f"{len(entries)}x {kind} {where}: {first['failure']['what']}")
        lines += [f"    mutant {e['index']}: {e['how'][:200]}" for e in entries[:3]]
        lines += [f"      text: {e['text'][:300]}" for e in entries[:2] if "text" in e]
    return "\n".join(lines)


def fuzz(count: int = 10_000) -> tuple[str, str, str]:
    """M8: mutated archives and mutated input files; never a traceback, a hang, a partial write or a silent NaN."""
    runs = (fuzz_archives(count, 8), fuzz_texts(count, 8))
    for found in runs:
        if found["failures"]:
            print(summary(found), file=sys.stderr)
    failed = sum(len(found["failures"]) for found in runs)
    loaded = sum(
        n
        for found in runs
        for o, n in found["outcomes"].items()
        if "refused" not in o.split(",")[0]
    )
    return (
        f"{count} mutated archives, {count} mutated scenario and study files: traceback, hang, partial write or silent NaN",
        f"{failed} (refused in a sentence {sum(f['count'] for f in runs) - failed - loaded}, read or computed {loaded}; "
        f"slowest {max(f['slowest'] for f in runs):.1f} s, all {sum(f['seconds'] for f in runs):.0f} s)",
        "0" + ("" if not failed else "  MISSED"),
    )


def main() -> None:
    kind, seed = sys.argv[1], int(sys.argv[2])
    if len(sys.argv) > 4:  # a whole run: kind seed count all
        count = int(sys.argv[3])
        found = {"archives": fuzz_archives, "texts": fuzz_texts, "commands": fuzz_commands}[kind](
            count, seed
        )
        print(summary(found))
        print({k: v for k, v in found.items() if k != "failures"})
        return
    with tempfile.TemporaryDirectory() as name:
        originals(Path(name))
        unsealed = float(os.environ.get("UNSEALED", "0.08"))
        print(json.dumps(judged(kind, seed, int(sys.argv[3]), Path(name), unsealed), indent=1))


if __name__ == "__main__":
    from benchmarks.fuzz import (
        main as _main,  # under its own name, so that sweeps recognise `swept`
    )

    _main()
