"""What the sweeps of `test_sweep_pools` call: here, so that worker processes can import it."""

import contextlib
import math
import os
import signal
import time
from pathlib import Path

import numpy as np

from cavities.errors import ParameterError


def note(log, *words):
    """Append a line in one write: lines of several processes do not mix, nor die with them."""
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, (" ".join(map(str, words)) + "\n").encode())
    finally:
        os.close(file)


def noted(log):
    """Lines of a log that are complete."""
    path = Path(log)
    text = path.read_text() if path.exists() else ""
    return [line.split() for line in text.splitlines(keepends=True) if line.endswith("\n")]


def die(linger=0.0):
    """End as the kernel ends a process that takes too much memory.

    A nanny of dask does not replace a worker that dies before the nanny knows that it has started
    (distributed/nanny.py, `_on_worker_exit`): there, linger.
    """
    time.sleep(linger)
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def rough(x, y, scheme):
    """A function with everything: BLAS, words, refused points, NaN, infinities and tiny numbers."""
    if x < 0.2:
        raise ParameterError(f"x must be at least 0.2, got {x}")
    size = 48
    i = np.arange(size)
    a = np.cos(x * np.outer(i + 1, i + 2)) / (1 + y)
    values = np.linalg.eigvalsh(a @ a.T + np.eye(size))
    return {
        "largest": values[-1],
        "trace": float(np.sum(a @ a)) * (1.0 if scheme == "one" else -1.0),
        "odd": math.nan if x > 0.9 else (math.inf if y > 0.7 else 5e-324 * (1 + int(9 * x))),
        "whole": int(10 * y),
    }


def columns(x, y):
    """The same for a function that takes columns."""
    a = np.stack([x, y, x * y, np.sin(x / 3)])
    return {
        "square": x * x - y,
        "gram": np.einsum("ik,ik->k", a, a),
        "constant": 3,
        "status": np.where(x > 0.8, 6, 0),
        "reason": np.where(x > 0.8, "x is too large", "").astype(object),
    }


def slow(x, log, pause=0.02):
    note(log, os.getpid(), x)
    time.sleep(pause)
    return {"cube": x * x * x, "sine": math.sin(x)}


def deadly(x, log, poison, pause=0.0, linger=0.0):
    """Kills whoever computes one of the points."""
    note(log, x, os.getpid())
    time.sleep(pause)
    if x in poison:
        die(linger)
    return {"cube": x * x * x}


def deadly_columns(x, log, poison, linger=0.0):
    note(log, x.size, int(np.isin(x, poison).sum()))
    if np.isin(x, poison).any():
        die(linger)
    return {"cube": x * x * x}


def heavy_columns(a, b, c, flag):
    """Dies at the first call: only one process can make the flag."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(flag, os.O_CREAT | os.O_EXCL))
        die()
    return {"sum": a + b + c}


def dies_once(x, flag, at, linger=0.0):
    """A worker that is shot from outside, once: out of memory, say."""
    if x == at and not os.path.exists(flag):
        Path(flag).touch()
        die(linger)
    return {"cube": x * x * x}


def divides(x, flag, at, log):
    """Has a mistake until the flag is there."""
    note(log, x)
    return {"inverse": 1 / (x - at if not os.path.exists(flag) else x + 1)}


class AwkwardError(Exception):
    """Can be pickled, but not unpickled: as many exceptions of libraries."""

    def __init__(self, code, text):
        super().__init__(f"{text} (code {code})")


def awkward(x):
    if x == 2:
        raise AwkwardError(7, "the solver gave up")
    return {"cube": x * x * x}


def threads_now(library=""):
    from threadpoolctl import threadpool_info

    return max(
        info["num_threads"]
        for info in threadpool_info()
        if info["user_api"] == "blas" and library in info["filepath"]
    )


def threads(x, pause=0.0):
    """Threads of BLAS at the start of the call and at its end; no two calls take equally long."""
    first = threads_now()
    time.sleep(pause * x)
    return {"first": first, "last": threads_now()}


def late_threads(x):
    """The same where the function loads its library itself, as the toolkit does with scipy."""
    import scipy.linalg

    scipy.linalg.eigh(np.eye(3))
    return {"scipy": threads_now("scipy.libs")}


def reciprocal(x):
    """Divides by what it is given."""
    return {"y": 1 / x}


def busy(x):
    """Works for a while, and never waits."""
    return {"y": float(sum(i % 7 for i in range(20000))) + x}
