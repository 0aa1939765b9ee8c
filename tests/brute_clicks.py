"""Brute-force referee for heralding two nodes by time-tagged clicks, in plain QuTiP.

Two open systems ("nodes") emit into fibres that meet at a 50/50 beam splitter with one
detector behind each port. Everything is done in the full tensor product of both nodes, one
Liouvillian superoperator, one ODE: no repository code, no shortcut, so it is slow and only for
small dimensions. hbar = 1; rates, times and dark counts share one unit of time.

Detected operators  d_s = (sqrt(eta_1) b_1 + s e^{i phi} sqrt(eta_2) b_2) / sqrt(2),  s = +1, -1.
Click               J_s rho = d_s rho d_s^dag + gamma_d rho.
No click            G = L_1 x 1 + 1 x L_2 - D_+ - D_- - 2 gamma_d,  D_s rho = d_s rho d_s^dag.

Run it as a script for its self-check: ``python tests/brute_clicks.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import qutip


class Node(NamedTuple):
    """One open system with an output.

    Attributes
    ----------
    H : Qobj or QobjEvo
        Hamiltonian (hbar = 1).
    c_ops : sequence of Qobj or QobjEvo
        All collapse operators, the emission operator `b` among them.
    b : Qobj
        Emission operator into the fibre, square root of its rate included.
    rho : Qobj
        State at time 0 (a ket is accepted).
    keep : sequence of int
        Tensor factors of this node to keep. `ptrace` keeps them in tensor order.
    """

    H: qutip.Qobj | qutip.QobjEvo
    c_ops: Sequence[qutip.Qobj]
    b: qutip.Qobj
    rho: qutip.Qobj
    keep: Sequence[int]


class _Joint:
    """Both nodes in one tensor product: Liouvillian, detected operators, state, propagation."""

    def __init__(self, nodes, eta, phi, dark, window):
        one, two = nodes
        id1, id2 = (qutip.qeye(node.b.dims[0]) for node in nodes)
        # L_1 x 1 + 1 x L_2, by lifting every operator; linear in H, exact for QobjEvo too
        ham = qutip.tensor(one.H, id2) + qutip.tensor(id1, two.H)
        c_ops = [qutip.tensor(c, id2) for c in one.c_ops]
        c_ops += [qutip.tensor(id1, c) for c in two.c_ops]
        total = qutip.liouvillian(ham, c_ops)
        b1, b2 = qutip.tensor(one.b, id2), qutip.tensor(id1, two.b)
        eta1, eta2 = eta
        arm1, arm2 = np.sqrt(eta1) * b1, np.exp(1j * phi) * np.sqrt(eta2) * b2
        self.detected = {s: (arm1 + s * arm2) / np.sqrt(2) for s in (+1, -1)}
        self.dark, self.window = float(dark), float(window)
        seen = {s: qutip.sprepost(d, d.dag()) for s, d in self.detected.items()}
        unit = qutip.spre(qutip.tensor(id1, id2))
        self.no_click = total - seen[+1] - seen[-1] - 2 * self.dark * unit
        self.no_minus = total - seen[-1] - self.dark * unit
        rhos = [qutip.ket2dm(node.rho) if node.rho.isket else node.rho for node in nodes]
        self.rho = qutip.tensor(*rhos).to("Dense")
        shift = len(one.b.dims[0])
        self.keep = [*one.keep, *(shift + k for k in two.keep)]

    def evolve(self, generator, rho, t0, t1):
        """Propagate an unnormalised state from t0 to t1."""
        scale = rho.tr().real
        if t1 == t0 or scale == 0.0:
            return rho
        if t1 < t0:
            raise ValueError("times must be ordered: 0 <= t1 <= t2 <= window")
        driven = isinstance(generator, qutip.QobjEvo) and not generator.isconstant
        options = {
            "method": "vern7",
            "rtol": 1e-11,
            "atol": 1e-13,
            "nsteps": 100_000_000,
            "max_step": (t1 - t0) / 200 if driven else 0,  # never step over a pulse
            "interpolate": False,
            "normalize_output": False,  # QuTiP's default would throw the probability away
            "store_states": False,
            "store_final_state": True,
            "progress_bar": "",
        }
        # linear: start from trace 1, so that the tolerances are relative to this branch
        final = qutip.mesolve(generator, rho / scale, [t0, t1], options=options).final_state
        return scale * final.to("Dense")

    def click(self, rho, sign):
        """J_sign[rho]."""
        if sign not in self.detected:
            raise ValueError("sign must be +1 or -1")
        d = self.detected[sign]
        return (d @ rho @ d.dag() + self.dark * rho).to("Dense")

    def histories(self, times, signs):
        """Clicks `signs` at `times`, no other click in the window; kept factors only."""
        rho, now = self.rho, 0.0
        for t, sign in zip(times, signs, strict=True):
            rho = self.click(self.evolve(self.no_click, rho, now, t), sign)
            now = t
        return self.evolve(self.no_click, rho, now, self.window).ptrace(self.keep)


def single_click(nodes, eta, phi, dark, window, t, sign):
    """Kept state after exactly one click, of detector `sign` at `t`, in ``[0, window]``.

    Parameters
    ----------
    nodes : pair of Node
        The two nodes.
    eta : pair of float
        Efficiency of each arm, 0 to 1.
    phi : float
        Phase of arm 2.
    dark : float
        Dark count rate of each of the two detectors.
    window : float
        Length of the window, from time 0.
    t : float
        Time of the click.
    sign : int
        Detector, +1 or -1.

    Returns
    -------
    Qobj
        Unnormalised density, per unit of time, of node 1's kept factors, then node 2's.
    """
    return _Joint(nodes, eta, phi, dark, window).histories([t], [sign])


def two_clicks(nodes, eta, phi, dark, window, t1, t2, sign1, sign2):
    """Kept state after exactly two clicks, `sign1` at `t1` then `sign2` at ``t2 >= t1``.

    Parameters are those of `single_click`.

    Returns
    -------
    Qobj
        Unnormalised density, per unit of time squared.
    """
    return _Joint(nodes, eta, phi, dark, window).histories([t1, t2], [sign1, sign2])


def no_click(nodes, eta, phi, dark, window):
    """Kept state when neither detector clicks, dark counts included, in ``[0, window]``.

    Parameters are those of `single_click`.

    Returns
    -------
    Qobj
        Unnormalised state; its trace is the probability.
    """
    return _Joint(nodes, eta, phi, dark, window).histories([], [])


def on_off(nodes, eta, phi, dark, window):
    """Kept state when detector + clicks at least once and detector - never.

    "- silent" less "both silent". For the other outcome (- clicks, + silent) give ``phi + pi``.
    Parameters are those of `single_click`.

    Returns
    -------
    Qobj
        Unnormalised state; its trace is the probability.
    """
    joint = _Joint(nodes, eta, phi, dark, window)
    minus_silent = joint.evolve(joint.no_minus, joint.rho, 0.0, joint.window)
    both_silent = joint.evolve(joint.no_click, joint.rho, 0.0, joint.window)
    return (minus_silent - both_silent).ptrace(joint.keep)


def _gauss(n, a, b):
    x, w = np.polynomial.legendre.leggauss(n)
    return 0.5 * (b - a) * x + 0.5 * (a + b), 0.5 * (b - a) * w


def _emitter(a, rate=1.0, detuning=0.0, extra=()):
    """Memory x emitter in sqrt(1-a)|0,0> + sqrt(a)|1,1>, decaying at `rate` into the fibre."""
    lower = qutip.tensor(qutip.qeye(2), qutip.destroy(2))
    b = np.sqrt(rate) * lower
    psi = np.sqrt(1 - a) * qutip.basis([2, 2], [0, 0]) + np.sqrt(a) * qutip.basis([2, 2], [1, 1])
    number = lower.dag() @ lower
    ham = qutip.QobjEvo([[number, detuning]]) if callable(detuning) else detuning * number
    others = [
        np.sqrt(g) * op for g, op in ((r, {"loss": lower, "dephase": number}[k]) for k, r in extra)
    ]
    return Node(ham, [b, *others], b, psi, [0])


def _check_sum_rule():
    """Unequal lossy, detuned, dephased emitters, no dark count: all histories add up to one."""
    nodes = (
        _emitter(0.4, 1.0, 0.3, [("loss", 0.2), ("dephase", 0.1)]),
        _emitter(0.7, 0.6, lambda t: 0.5 * np.sin(t), [("loss", 0.1)]),
    )
    setup = (nodes, (0.8, 0.55), 0.9, 0.0, 4.0)
    p0 = no_click(*setup).tr().real
    p1 = sum(
        w * single_click(*setup, t, s).tr().real
        for t, w in zip(*_gauss(24, 0, 4.0), strict=True)
        for s in (1, -1)
    )
    p2 = 0.0
    for t2, w2 in zip(*_gauss(10, 0, 4.0), strict=True):
        for t1, w1 in zip(*_gauss(8, 0, t2), strict=True):
            for s1, s2 in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
                p2 += w1 * w2 * two_clicks(*setup, t1, t2, s1, s2).tr().real
    print(
        f"(a) sum rule: P0 {p0:.12f}  P1 {p1:.12f}  P2 {p2:.12f}  sum - 1 = {p0 + p1 + p2 - 1:+.2e}"
    )


def _check_textbook():
    """Identical emitters, long window, threshold detectors: the formula of the on-off herald."""
    a, eta, window = 0.3, 0.6, 40.0
    nodes = (_emitter(a), _emitter(a))
    plus = on_off(nodes, (eta, eta), 0.0, 0.0, window)
    minus = on_off(nodes, (eta, eta), np.pi, 0.0, window)
    e01, e10 = qutip.basis([2, 2], [0, 1]), qutip.basis([2, 2], [1, 0])
    bell = {s: (e01 + s * e10).unit() for s in (1, -1)}
    p = (plus.tr() + minus.tr()).real
    fp = qutip.expect(plus, bell[1]) + qutip.expect(minus, bell[-1])
    p_book = 2 * a * (1 - a) * eta + a**2 * (2 * eta * (1 - eta) + eta**2 * (1 + 1) / 2)
    fp_book = 2 * a * (1 - a) * eta
    print(f"(b) on-off, both detectors: P {p:.12f}  book {p_book:.12f}  diff {p - p_book:+.2e}")
    print(f"    F P {fp:.12f}  book {fp_book:.12f}  diff {fp - fp_book:+.2e};  F {fp / p:.9f}")
    f_plus = qutip.expect(plus, bell[1]) / plus.tr().real
    print(f"    + alone with (|01>+|10>)/sqrt2: F {f_plus:.12f}  book {fp_book / p_book:.12f}")
    # the same herald from its clicks: one + click, or two + clicks (identical photons bunch)
    t1s, w1s = _gauss(24, 0, 1)
    x, w = -np.log1p(-t1s), w1s / (1 - t1s)  # t = -ln(1-u): the decay is flat in u
    single = sum(
        wi * single_click(nodes, (eta, eta), 0.0, 0.0, window, ti, 1)
        for ti, wi in zip(x, w, strict=True)
    )
    for ti in x[:9:3]:  # HOM: opposite detectors never both click
        cross = two_clicks(nodes, (eta, eta), 0.0, 0.0, window, ti, ti + 0.7, 1, -1).tr().real
        assert abs(cross) < 1e-12, cross
    double = 0.0
    us, wu = _gauss(6, 0, 1)
    for u, wa in zip(us, wu, strict=True):
        ta = -np.log1p(-u)
        for v, wb in zip(us, wu, strict=True):
            tb = ta - np.log1p(-v)
            jac = 1 / ((1 - u) * (1 - v))
            double += (
                wa
                * wb
                * jac
                * two_clicks(nodes, (eta, eta), 0.0, 0.0, window, ta, tb, 1, 1).tr().real
            )
    total = single.tr().real + double
    print(
        f"    integrated + clicks: one {single.tr().real:.12f} two {double:.12f}; less on_off {total - plus.tr().real:+.2e}"
    )


def _check_closed_form():
    """Single-click elements known in closed form, with unequal arms, chirp, dark counts, losses."""
    a1, a2, k1, k2, loss1, phi, dark, window, t = 0.4, 0.7, 1.0, 0.6, 0.3, 0.9, 0.05, 5.0, 1.3
    eta = (0.8, 0.5)
    nodes = (
        _emitter(a1, k1, 0.35, [("loss", loss1)]),
        _emitter(a2, k2, lambda t: 0.8 * np.sin(2 * t)),
    )
    phase1, phase2 = 0.35 * t, 0.4 * (1 - np.cos(2 * t))
    silent = np.exp(-2 * dark * window)
    worst = 0.0
    for s in (1, -1):
        rho = single_click(nodes, eta, phi, dark, window, t, s).full()
        c10 = np.sqrt(a1 * (1 - a2) * eta[0] * k1) * np.exp(-(k1 + loss1) * t / 2 - 1j * phase1)
        c01 = (
            s
            * np.exp(1j * phi)
            * np.sqrt(a2 * (1 - a1) * eta[1] * k2)
            * np.exp(-k2 * t / 2 - 1j * phase2)
        )
        worst = max(worst, abs(rho[1, 2] - 0.5 * silent * c01 * c10.conjugate()))
        worst = max(worst, abs(rho[0, 0] - (1 - a1) * (1 - a2) * dark * silent))
        # one photon of node 2: seen at t, or never seen and a dark count instead
        unseen = 1 - eta[1] * (1 - np.exp(-k2 * window))
        exact = silent * (0.5 * abs(c01) ** 2 + a2 * (1 - a1) * unseen * dark)
        worst = max(worst, abs(rho[1, 1] - exact))
        pair = two_clicks(nodes, eta, phi, dark, window, 0.4, t, s, -s).full()[0, 0]
        worst = max(worst, abs(pair - (1 - a1) * (1 - a2) * dark**2 * silent))
    print(f"(c) closed forms (chirped QobjEvo, unequal arms, dark counts): worst error {worst:.1e}")


def _check_evo():
    """A constant Hamiltonian given as Qobj and as QobjEvo; driven emitters; dark-count sum rule."""
    base = _emitter(0.4, 1.0, 0.3)
    evo = base._replace(H=qutip.QobjEvo(lambda t: 0.3 * base.b.dag() @ base.b))
    args = ((0.8, 0.55), 0.9, 0.02, 3.0)
    diff = (
        single_click((base, base), *args, 1.1, 1) - single_click((evo, evo), *args, 1.1, 1)
    ).full()
    print(f"(d) Qobj against function QobjEvo: {np.abs(diff).max():.1e}")
    # re-excited by a drive (any number of photons): for a short window the first three orders close
    lower = base.b
    drive = qutip.QobjEvo([[lower + lower.dag(), lambda t: 0.5 * np.cos(t)]])
    nodes = (base._replace(H=drive), base._replace(H=0.4 * (lower + lower.dag())))
    residue = []
    for window in (0.2, 0.1):
        setup = (nodes, (0.8, 0.55), 0.9, 0.1, window)
        p = no_click(*setup).tr().real
        for t, w in zip(*_gauss(6, 0, window), strict=True):
            p += w * sum(single_click(*setup, t, s).tr().real for s in (1, -1))
            for u, v in zip(*_gauss(4, 0, t), strict=True):
                p += (
                    w
                    * v
                    * sum(
                        two_clicks(*setup, u, t, q, r).tr().real for q in (1, -1) for r in (1, -1)
                    )
                )
        residue.append(1 - p)
    print(
        f"    driven, dark counts: 1-P0-P1-P2 = {residue[0]:.3e}, {residue[1]:.3e} at half the window; order {np.log2(residue[0] / residue[1]):.2f} (3 expected)"
    )


if __name__ == "__main__":
    _check_sum_rule()
    _check_textbook()
    _check_closed_form()
    _check_evo()
