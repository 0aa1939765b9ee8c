"""What an archive costs: on a master-equation sweep, and on a million and ten million links."""

import gc
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from fibre.budget import Link, stretched
from fibre.figures import LinkFigures
from fibre.herald import Scheme
from fibre.link import evaluate_link

spent = 0.0
"""CPU seconds inside the swept function."""


def converted(power: float) -> dict[str, float]:
    """Efficiency and noise of a small device by the master equation, which grows its own space."""
    global spent
    start = time.process_time()
    from cavities import Bath, Mode, Pump
    from transducer import ElectroOptic
    from transducer.solvers import master_equation

    optical = Mode.from_hz(193.4e12, kappa_ext_hz=18e6, kappa_int_hz=12e6)
    microwave = Mode.from_hz(8e9, kappa_ext_hz=5e6, kappa_int_hz=3e6)
    device = ElectroOptic.from_hz(optical, microwave, g0_hz=100.0, microwave_internal=Bath(0.15))
    hamiltonian = device.hamiltonian(Pump(power))
    found = master_equation.convert(hamiltonian, device.source, device.target, np.array([0.0]))
    spent += time.process_time() - start
    return {"efficiency": float(found.efficiency[0]), "noise": float(found.added_noise[0])}


def archive_overhead() -> tuple[str, str, str]:
    """M8: what a sweep costs beside its function, into an archive and in memory, side by side."""
    global spent
    from transducer.sweeps import Axis, grid, sweep

    def beside(block: int, path: Path | None) -> tuple[float, float]:
        """CPU seconds beside the function, and in all."""
        global spent
        spent, start = 0.0, time.process_time()
        sweep(converted, points, archive=path, block=block)
        whole = time.process_time() - start
        return whole - spent, whole

    shares = []
    with tempfile.TemporaryDirectory() as folder:
        points = grid(Axis("power", np.geomspace(1e-6, 1e-4, 800), "W"))
        warm = grid(Axis("power", [1e-5, 2e-5], "W"))
        sweep(converted, warm, archive=Path(folder, "warm.h5"))
        for block in (16, 100):
            archived, _ = beside(block, Path(folder, f"{block}.h5"))
            bare, whole = beside(block, None)
            shares.append((archived - bare) / whole)
    worst = max(shares)
    return (
        "M8 CPU that the archive adds to a master-equation sweep in memory, blocks of 16 and of 100 points",
        f"{100 * shares[0]:.2f} % and {100 * shares[1]:.2f} %",
        "<= 2 %" + ("" if worst <= 0.02 else "  MISSED"),
    )


@cache
def metro() -> Link:
    """The metro link."""
    from transducer import link_of, load_scenario

    return link_of(load_scenario("metro"))


def many_links(length: np.ndarray, bright: np.ndarray) -> LinkFigures:
    """Every figure of the metro link at many lengths and populations."""
    link = stretched(metro(), length)
    one, two = (replace(a, photon=replace(a.photon, bright=bright)) for a in link.arms)
    return evaluate_link(replace(link, arms=(one, two)), Scheme.SINGLE_CLICK)


def links_in(points: int) -> tuple[float, float, float]:
    """CPU seconds bare and through a sweep into a finished archive, and peak memory of it all [MB]."""
    from transducer import archive
    from transducer.sweeps import Axis, grid, sweep

    lengths = Axis("length", np.linspace(1e3, 5e4, points // 1000), "m")
    design = grid(lengths, Axis("bright", np.linspace(0.01, 0.3, 1000)))
    probe = many_links(**design.columns(5000, 5003))  # also warms everything up
    start = time.process_time()
    for first in range(0, design.size, 65536):
        many_links(**design.columns(first, min(design.size, first + 65536)))
    bare = time.process_time() - start
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "links.h5")
        gc.collect()
        start = time.process_time()
        found = sweep(many_links, design, archive=path, vectorised=True)
        cost = time.process_time() - start
        rows = found.fidelity[5, :3].values
        assert np.array_equal(rows, np.broadcast_to(probe.fidelity, (3,))), "the archive lies"
        found.close()
        again = archive.load(path)
        assert int((again["status"] != 0).sum()) == 0
        again.close()
    return bare, cost, peak_memory()


def peak_memory() -> float:
    """Most memory this process has held [MB]; what its parent held before it began is not counted."""
    try:
        status = Path("/proc/self/status").read_text("ascii")
        return float(status.split("VmHWM:")[1].split()[0]) / 1e3
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def many(points: int) -> tuple[str, str, str]:
    """`points` link evaluations into a finished archive, in a process of its own."""
    code = f"from benchmarks.sweeps import links_in; print(*links_in({points}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    bare, cost, memory = map(float, done.stdout.split())
    met = cost <= 5 * bare and memory < 1024
    return (
        f"{points:.0e} link evaluations through the sweep into a finished archive / bare vectorised",
        f"{cost / bare:.2f}x ({cost:.1f} s / {bare:.1f} s CPU), peak memory {memory:.0f} MB",
        "<= 5x, < 1 GiB" + ("" if met else "  MISSED"),
    )
