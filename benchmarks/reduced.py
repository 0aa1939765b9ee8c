"""Reduced master equations and the factorised herald against plain QuTiP: M1, M2, M4."""

import time
from collections.abc import Callable

import numpy as np

Row = tuple[str, str, str]


def timed(function: Callable[[], object]) -> tuple[float, object]:
    start = time.process_time()
    answer = function()
    return time.process_time() - start, answer


def verdict(ratio: float, bar: float) -> str:
    return f">= {bar:g}x" + ("" if ratio >= bar else "  MISSED")


def warm_device(n_th: float):
    """An electro-optic device on resonance, its microwave bath at `n_th`, rates of order one."""
    from cavities import Bath, Mode, Pump
    from transducer import ElectroOptic

    device = ElectroOptic(
        Mode(1e6, 0.7, 0.3), Mode(1e4, 0.2, 0.1), 1e-3, microwave_internal=Bath(3 * n_th)
    )
    return device.hamiltonian(device.pump_for(1.6, Pump(0.0)))


def evolutions() -> tuple[Row, Row]:
    """M1 and M2: one microwave photon over a warm bath through the converter, 20 kappa^-1 long."""
    import qutip

    from transducer.hamiltonian import number
    from transducer.solvers.operators import operators
    from transducer.solvers.reduced import evolve
    from transducer.solvers.start import Start

    model = warm_device(1 / 3)
    times = np.linspace(0.0, 20.0, 11)
    asked = {"optical": number("optical"), "microwave": number("microwave")}

    def ours(levels: dict[str, int]) -> np.ndarray:
        found = evolve(model, Start.fock(microwave=1), times, asked, levels=levels)
        return np.array([found.values[name].real for name in asked])

    def theirs(levels: dict[str, int], dia: bool = False, **options: object) -> np.ndarray:
        H, c_ops, a = operators(model, levels)
        start = qutip.tensor(
            qutip.fock_dm(levels["optical"], 0), qutip.fock_dm(levels["microwave"], 1)
        )
        e_ops = [a[name].dag() * a[name] for name in asked]
        if dia:
            H, c_ops = H.to("Dia"), [c.to("Dia") for c in c_ops]
        run = qutip.mesolve(H, start, times, c_ops=c_ops, e_ops=e_ops, options=options)
        return np.array(run.expect)

    tight = {"method": "vern7", "rtol": 1e-8, "atol": 1e-10, "nsteps": 10**6}
    rows = []
    for label, levels, plain, bar in (
        ("M1 20 x 16 levels, both vern7 at 1e-8", (20, 16), tight, 50),
        ("M2 16 x 12 levels, mesolve as it comes", (16, 12), {}, 60),
    ):
        chosen = dict(zip(("optical", "microwave"), levels, strict=True))
        ours(chosen)  # imports
        mine = min(timed(lambda c=chosen: ours(c))[0] for _ in range(5))
        spent, answer = timed(lambda c=chosen, p=plain: theirs(c, **p))
        best, best_answer = timed(lambda c=chosen: theirs(c, dia=True, matrix_form=True, **tight))
        reference = ours(chosen)
        ratio = spent / mine
        apart = float(np.max(np.abs(reference - answer)))
        apart_best = float(np.max(np.abs(reference - best_answer)))
        rows.append(
            (
                f"{label}: reduced and folded master equation / qutip.mesolve",
                f"{ratio:.3g}x ({1e3 * mine:.0f} ms / {spent:.2f} s; answers differ by {apart:.0e}); against Dia, vern7, "
                f"matrix_form, its best, {best / mine:.3g}x (differ by {apart_best:.0e})",
                verdict(ratio, bar),
            )
        )
    return rows[0], rows[1]


def pair_nodes():
    """Two unlike pair sources with warm microwave memories."""
    from transducer.hamiltonian import Channel, Hamiltonian, Ladder, Term
    from transducer.nodes import pair_source

    nodes = []
    for n, g, kappa, gamma, delta in ((0.05, 0.3, 1.0, 0.2, 0.3), (0.08, 0.25, 1.3, 0.3, -0.1)):
        up = Term(g, (Ladder("a", True), Ladder("b", True)))
        shift = Term(delta, (Ladder("a", True), Ladder("a")))
        ports = (
            Channel("light", (("a", np.sqrt(0.7 * kappa)),), 0.0),
            Channel("a.int", (("a", np.sqrt(0.3 * kappa)),), 0.0),
            Channel("b.int", (("b", np.sqrt(gamma)),), n),
        )
        nodes.append(
            pair_source(Hamiltonian(("a", "b"), (up, up.adjoint(), shift), ports), "light", "b")
        )
    return nodes


LENGTH, ETA, PHASE, DARK = 10.0, (0.6, 0.35), 0.7, 0.01


def factorised(levels: dict[str, int], clicks: np.ndarray):
    """Both detectors' states at all click times, from the nodes on."""
    from fibre.timed import Watch, herald_timed
    from transducer.solvers.counting import emit_clicks

    sources = [
        emit_clicks(node, 0.0, LENGTH, levels=levels).source.attenuated(eta)
        for node, eta in zip(pair_nodes(), ETA, strict=True)
    ]
    watch = Watch((0.0, LENGTH), DARK)
    return herald_timed(sources[0], sources[1].rotated(PHASE), clicks, watch)


def joint(
    d: int, clicks: np.ndarray, method: dict[str, object], shared: bool = False
) -> list[list[np.ndarray]]:
    """The same in the joint space of both nodes, each click of each detector by itself or the first run shared."""
    import qutip

    from transducer.solvers.operators import operators

    levels = {"a": d, "b": d}
    one = qutip.tensor(qutip.qeye(d), qutip.qeye(d))
    parts = []
    for k, node in enumerate(pair_nodes()):
        H, c_ops, a = operators(node.model, levels)
        lift = (lambda x: qutip.tensor(x, one)) if k == 0 else (lambda x: qutip.tensor(one, x))
        b = node.model.channel(node.port).amplitudes[0][1] * a["a"]
        parts.append((lift(H), [lift(c) for c in c_ops], lift(b)))
    L = qutip.liouvillian(parts[0][0] + parts[1][0], parts[0][1] + parts[1][1])
    arms = [np.sqrt(eta) * part[2] for eta, part in zip(ETA, parts, strict=True)]
    d_ops = [(arms[0] + sign * np.exp(1j * PHASE) * arms[1]) / np.sqrt(2) for sign in (1, -1)]
    jumps = [qutip.sprepost(x, x.dag()) for x in d_ops]
    quiet = L - sum(jumps) - 2 * DARK * qutip.qeye_like(L)
    vacuum = qutip.tensor(*[qutip.fock_dm(d, 0)] * 4)
    options = {"normalize_output": False, "progress_bar": "", **method}
    if shared:
        before = qutip.mesolve(quiet, vacuum, [0.0, *clicks], options=options).states[1:]
    found = []
    for jump in jumps:
        row = []
        for k, t in enumerate(clicks):
            rho = (
                before[k]
                if shared
                else qutip.mesolve(quiet, vacuum, [0.0, t], options=options).states[-1]
            )
            clicked = qutip.vector_to_operator(jump * qutip.operator_to_vector(rho)) + DARK * rho
            after = qutip.mesolve(quiet, clicked, [0.0, LENGTH - t], options=options).states[-1]
            row.append(after.ptrace([1, 3]).full())
        found.append(row)
    return found


def herald() -> tuple[Row, Row]:
    """M4, and a node of dimension 80 with 200 click times against one click time of QuTiP at 16."""
    clicks = np.linspace(0.5, LENGTH - 0.5, 9)
    levels = {"a": 4, "b": 4}
    factorised(levels, clicks)  # imports
    mine = min(timed(lambda: factorised(levels, clicks))[0] for _ in range(5))
    tight = {"method": "vern7", "rtol": 1e-10, "atol": 1e-12, "nsteps": 10**6}
    found = factorised(levels, clicks)
    spent, brute = timed(lambda: joint(4, clicks, tight))
    clever, _ = timed(lambda: joint(4, clicks, tight, shared=True))
    keep = [0, 1, 4, 5]
    apart = max(
        float(np.max(np.abs(ours[k] - theirs[k][np.ix_(keep, keep)])))
        for ours, theirs in ((found.plus, brute[0]), (found.minus, brute[1]))
        for k in range(len(clicks))
    )
    plain = {"rtol": 1e-10, "atol": 1e-12, "nsteps": 10**6}  # equal accuracy, the default method
    once = timed(lambda: joint(4, clicks[:1], plain))[0]
    ratio = spent / mine
    wide, _ = timed(lambda: factorised({"a": 8, "b": 10}, np.linspace(0.05, 9.95, 200)))
    single, _ = timed(lambda: joint(4, clicks[4:5], tight))
    return (
        (
            "M4 time-tagged herald of two unlike nodes, d = 16 each, 9 click times, both detectors, cold: factorised / joint space in QuTiP, vern7, one click at a time",
            f"{ratio:.3g}x ({1e3 * mine:.0f} ms / {spent:.1f} s; states differ by {apart:.0e}); {clever / mine:.3g}x if QuTiP's run up to the clicks is shared; the default method takes {once:.1f} s for one click time",
            verdict(ratio, 500),
        ),
        (
            "nodes of dimension 80 (8 x 10 levels), 200 click times, factorised / QuTiP, d = 16, one click time, both detectors",
            f"{wide:.2f} s / {single:.2f} s CPU",
            "less" + ("" if wide < single else "  MISSED"),
        ),
    )
