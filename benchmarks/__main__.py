"""Ratios measured side by side in one run, with equal answers checked: ``python -m benchmarks``."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np


def children_cpu(command: list[str]) -> float:
    """CPU seconds (user and system) of one whole process."""
    before = os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = os.times()
    return (
        after.children_user + after.children_system - before.children_user - before.children_system
    )


def paired(ours: list[str], theirs: list[str], runs: int = 9) -> tuple[float, float, float]:
    """Median CPU of two commands run in turn, and the median of the ratios pair by pair."""
    children_cpu(ours), children_cpu(theirs)  # warm the file cache
    pairs = [(children_cpu(ours), children_cpu(theirs)) for _ in range(runs)]
    one, two = zip(*pairs, strict=True)
    return (
        statistics.median(one),
        statistics.median(two),
        statistics.median(a / b for a, b in pairs),
    )


def cpu(function: Callable[[], object], repeat: int) -> float:
    """CPU seconds of one call, median over `repeat`."""
    times = []
    for _ in range(repeat):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return statistics.median(times)


def light_link() -> tuple[str, str, str]:
    """M11: a scattering-only link, whole process, against importing what its door needs."""
    ours = [sys.executable, "-m", "transducer", "link", "--engine", "scattering", "--no-files"]
    theirs = [sys.executable, "-c", "import numpy, pydantic, typer, rich.table"]
    one, two, ratio = paired(ours, theirs)
    return (
        "scattering-only link, whole process / import numpy, pydantic, typer, rich.table",
        f"{ratio:.2f}x ({one:.3f} s / {two:.3f} s CPU)",
        "<= 2.5x" + ("" if ratio <= 2.5 else "  MISSED"),
    )


def referee_block() -> tuple[str, str, str]:
    """The referee's symmetry block against ``qutip.spectrum`` on the whole space, equal answer."""
    import qutip

    from transducer import load_scenario
    from transducer.solvers import master_equation

    arm = load_scenario("metro").arms[0]
    hamiltonian = arm.device.hamiltonian(arm.pump)
    levels = {"optical": 5, "microwave": 9}
    H, c_ops, a = master_equation.operators(hamiltonian, levels)
    op, w = a["optical"], 1e7

    def block() -> float:
        solved = master_equation._Solved(hamiltonian, levels)
        start = solved.rho @ op.dag().full()
        return float(
            2 * solved.resolvents(np.array([w]), [(start, solved.a["optical"])])[0].real[0]
        )

    def whole() -> float:
        return float(qutip.spectrum(H, [w], c_ops, op.dag(), op, solver="solve")[0])

    difference = abs(block() / whole() - 1)
    return (
        "optical spectrum of sahu2022 at one frequency, 5 x 9 levels: block found by sparsity / qutip.spectrum",
        f"1/{cpu(whole, 3) / cpu(block, 5):.2g} (answers agree to {difference:.0e})",
        "for information",
    )


def main() -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("claim", "measured", "bar", title="Side by side in one run")
    for measure in (light_link, referee_block):
        table.add_row(*measure())
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
