"""Ratios measured side by side in one run, with equal answers checked: ``python -m benchmarks``.

``--long`` adds ten million links and 10^4 mutants of archives and of texts: about ten minutes more.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from benchmarks.fuzz import fuzz
from benchmarks.kills import kills
from benchmarks.links import digits, gaussian_herald, whole_links
from benchmarks.reduced import evolutions, herald
from benchmarks.sweeps import archive_overhead, many


def children_cpu(command: list[str]) -> float:
    """CPU seconds (user and system) of one whole process."""
    before = os.times()
    as_a_user = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
    subprocess.run(
        command, check=True, env=as_a_user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
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
    from transducer.hamiltonian import lowering
    from transducer.solvers.operators import operators
    from transducer.solvers.regression import Stationary

    arm = load_scenario("metro").arms[0]
    hamiltonian = arm.device.hamiltonian(arm.pump)
    levels = {"optical": 5, "microwave": 9}
    H, c_ops, a = operators(hamiltonian, levels)
    op, w = a["optical"], 1e7

    def block() -> float:
        solved = Stationary(hamiltonian, levels)
        inside, start = solved.times(None, lowering("optical"))
        row = inside.functional(lowering("optical"))
        return float(2 * solved.resolvents(np.array([w]), inside, [(start, row)])[0].real[0])

    def whole() -> float:
        return float(qutip.spectrum(H, [w], c_ops, op.dag(), op, solver="solve")[0])

    difference = abs(block() / whole() - 1)
    return (
        "optical spectrum of sahu2022 at one frequency, 5 x 9 levels: block found by sparsity / qutip.spectrum",
        f"1/{cpu(whole, 3) / cpu(block, 5):.2g} (answers agree to {difference:.0e})",
        "for information",
    )


def _small_device(n_int: float):
    from cavities import Bath, Mode
    from transducer import ElectroOptic

    optical = Mode.from_hz(193.4e12, kappa_ext_hz=18e6, kappa_int_hz=12e6)
    microwave = Mode.from_hz(8e9, kappa_ext_hz=5e6, kappa_int_hz=3e6)
    return ElectroOptic.from_hz(
        optical, microwave, g0_hz=100.0, microwave_internal=Bath(n_int), delta_e_hz=1e6
    )


def steady_sweep() -> tuple[str, str, str]:
    """M3: a sweep of pump powers through the public path, against ``qutip.steadystate`` at N = 6.

    QuTiP's side is charged with its steady state alone; efficiency and noise at a frequency would cost it a response
    and a spectrum more. They are checked all the same, by the master equation at the same 6 x 6 levels.
    """
    from dataclasses import replace

    import qutip

    from cavities import Pump
    from transducer.solvers import master_equation, scattering, steady
    from transducer.solvers.operators import operators

    device = _small_device(0.02)  # N = 6 holds all but 1e-9 of it
    full = device.pump_for(0.8, Pump(0.0))
    points, block = 200_000, 8192
    powers = full.power * np.linspace(0.05, 1.0, points)
    centre = np.zeros(())

    def sweep() -> tuple[np.ndarray, np.ndarray]:
        found = []
        for start in range(0, points, block):
            pump = replace(full, power=powers[start : start + block])
            linear = device.linearise(pump)
            found.append(scattering.convert(linear, device.source, device.target, centre))
        return (
            np.concatenate([f.efficiency for f in found]),
            np.concatenate([f.noise_out for f in found]),
        )

    index = list(range(0, points, points // 8))
    levels = {"optical": 6, "microwave": 6}

    def theirs() -> list[float]:
        occupations = []
        for k in index:
            pump = replace(full, power=float(powers[k]))
            H, c_ops, a = operators(device.hamiltonian(pump), levels)
            rho = qutip.steadystate(H, c_ops)
            occupations.append(qutip.expect(a["optical"].dag() * a["optical"], rho))
        return occupations

    efficiency, noise = sweep()
    apart, apart_noise, apart_quanta = 0.0, 0.0, 0.0
    for k, occupation in zip(index, theirs(), strict=True):
        pump = replace(full, power=float(powers[k]))
        answer = master_equation._answer(
            device.hamiltonian(pump), levels, device.source, device.target, np.zeros(1)
        )
        apart = max(apart, abs(np.abs(answer.amplitude[0]) ** 2 / efficiency[k] - 1))
        apart_noise = max(apart_noise, abs(answer.noise[0] / noise[k] - 1))
        held = steady.moments(device.linearise(pump))[0, 0].real
        apart_quanta = max(apart_quanta, abs(occupation / held - 1))
    ours, their = cpu(sweep, 3) / points, cpu(theirs, 3) / len(index)
    ratio = their / ours
    return (
        "M3 steady-state sweep, efficiency and noise by port, public path / qutip.steadystate alone, 6 x 6 levels",
        f"{ratio:.2g}x ({1 / ours:.2g} / {1 / their:.2g} points/s; efficiency differs by {apart:.0e}, "
        f"noise by {apart_noise:.0e}, quanta in the mode by {apart_quanta:.0e})",
        ">= 5e4x" + ("" if ratio >= 5e4 else "  MISSED"),
    )


def pulsed_conversion() -> tuple[str, str, str]:
    """M7: photons that a pump pulse turns one microwave photon over a warm bath into, against ``mesolve``.

    n_th = 1; both say what the optical mode holds when the pulse ends.
    """
    from dataclasses import replace

    import qutip

    from cavities import Bath, Mode, Pump, Square
    from transducer import ElectroOptic
    from transducer.solvers import pulse
    from transducer.solvers.operators import operators

    kappa = 2 * np.pi * 1e6
    device = ElectroOptic(
        Mode(2 * np.pi * 193e12, 0.9 * kappa, 0.3 * kappa),
        Mode(2 * np.pi * 8e9, 0.1 * kappa, 0.1 * kappa),
        2 * np.pi * 50.0,
        microwave_internal=Bath(1.0),
        pump_mode=Mode(2 * np.pi * 193e12, 3 * kappa, 1 * kappa),
    )
    length, points = 12.0 / kappa, 2000
    full = replace(device.pump_for(4.0, Pump(0.0)), envelope=Square(length))
    powers = full.power * np.linspace(0.2, 1.0, points)

    def ours() -> tuple[np.ndarray, np.ndarray]:
        pump = replace(full, power=powers[:, None])
        found = pulse.respond(
            device, pump, (), held=("optical",), end=length, start={"microwave": 1.0}, rtol=1e-6
        )
        return found.from_start(1), found.quanta()

    def theirs(method: str) -> float:
        levels = {"optical": 16, "microwave": 20}
        H, c_ops, a = operators(device.hamiltonian(replace(full, envelope=None)), levels)
        still = operators(device.hamiltonian(replace(full, envelope=None, power=0.0)), levels)[0]
        # the pump fills its cavity: g(t) = g (1 - exp(-kappa_p t/2))
        rate = device.pumped.kappa / 2
        pulsed = [still, [H - still, lambda t: 1 - np.exp(-rate * t)]]
        start = qutip.tensor(qutip.fock_dm(16, 0), qutip.fock_dm(20, 1))
        number = a["optical"].dag() * a["optical"]
        options = {"rtol": 1e-8, "atol": 1e-10, "method": method, "nsteps": 100000}
        run = qutip.mesolve(
            pulsed, start, [0.0, length], c_ops=c_ops, e_ops=[number], options=options
        )
        return float(run.expect[0][-1])

    spent = {}
    for method in ("vern7", "adams"):  # QuTiP at its best, and as it comes
        begin = time.process_time()
        reference = theirs(method)
        spent[method] = time.process_time() - begin
    their = spent["adams"]
    answer = float(ours()[1][-1])
    mine = cpu(ours, 3) / points
    ratio = their / mine
    return (
        "M7 a microwave photon over a bath of one quantum, through a pump pulse: quanta in the optical mode at its end, batch of 2000 / mesolve as it comes, 16 x 20 levels",
        f"{ratio:.2g}x ({1e6 * mine:.0f} us / {their:.1f} s; against vern7, its best, {spent['vern7'] / mine:.2g}x; answers {answer:.8f}, {reference:.8f} differ by {abs(answer - reference):.0e})",
        ">= 1e5x" + ("" if ratio >= 1e5 else "  MISSED"),
    )


def main() -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("claim", "measured", "bar", title="Side by side in one run")
    for measure in (light_link, referee_block, steady_sweep, pulsed_conversion):
        table.add_row(*measure())
    for row in (*evolutions(), *herald()):
        table.add_row(*row)
    for measure in (gaussian_herald, whole_links, digits):
        table.add_row(*measure())
    table.add_row(*archive_overhead())
    table.add_row(*many(10**6))
    table.add_row(*kills())
    if "--long" in sys.argv[1:]:
        table.add_row(*many(10**7))
        table.add_row(*fuzz())
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
