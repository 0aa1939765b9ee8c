"""Photons that come in, are converted and fly away, as modes of virtual cavities.

A cavity with a coupling that depends on time emits any wave packet, and another one swallows it
whole: what the second holds in the end is the state of the outgoing packet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.errors import ParameterError, ValidityError
from cavities.wavepackets import TemporalMode
from transducer.hamiltonian import (
    Channel,
    Hamiltonian,
    Ladder,
    Modulation,
    Term,
    conjugate,
    product,
)
from transducer.solvers.coordinates import ATOL, RTOL
from transducer.solvers.reduced import Evolution, evolve
from transducer.solvers.regression import coherence
from transducer.solvers.start import Start

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

UNSEEN = 1e-9
"""Share of a packet at its singular end that the virtual cavity leaves out [1]."""
POINTS = 4000
"""Nodes along a packet between which the logarithm of its integral is interpolated."""


def throwing(packet: TemporalMode) -> Modulation:
    r"""Coupling of a cavity that emits a wave packet u [(rad/s)^1/2].

    .. math:: g_u(t) = u^*(t)\Big/\sqrt{1-\int_{-\infty}^t|u|^2}

    Parameters
    ----------
    packet : TemporalMode
        u; it is normalised over its span.

    Returns
    -------
    Modulation
        In (rad/s)^1/2; zero once only 1e-9 of the packet is left.

    Source: Kiilerich and Mølmer, Phys. Rev. Lett. 123, 123604 (2019), eq. 2.
    """
    return _coupling(packet, incoming=True)


def catching(packet: TemporalMode) -> Modulation:
    r"""Coupling of a cavity that swallows a wave packet v [(rad/s)^1/2].

    .. math:: g_v(t) = -v^*(t)\Big/\sqrt{\int_{-\infty}^t|v|^2}

    Parameters
    ----------
    packet : TemporalMode
        v; it is normalised over its span.

    Returns
    -------
    Modulation
        In (rad/s)^1/2; zero until 1e-9 of the packet has come.

    Source: Kiilerich and Mølmer, Phys. Rev. Lett. 123, 123604 (2019), eq. 5.
    """
    return _coupling(packet, incoming=False)


def _coupling(packet: TemporalMode, incoming: bool) -> Modulation:
    """Both couplings; integrals are taken from the singular end, where they are small."""
    a, b = packet.span
    length = b - a
    near = length * np.geomspace(1e-12, 1e-2, 1200)
    marks = [t for t in packet.breaks if a < t < b]
    times = np.unique(np.concatenate([np.linspace(a, b, POINTS), a + near, b - near, marks]))
    x, w = np.polynomial.legendre.leggauss(6)
    step = np.diff(times)
    inner = times[:-1, None] + step[:, None] * (x + 1) / 2
    share = np.sum(w * np.abs(packet.at(inner)) ** 2, axis=1) * step / 2
    total = float(np.sum(share))
    checks.number("virtual cavity: norm of the packet", total, "1", above=0.0)
    if incoming:
        integral = np.concatenate([np.cumsum(share[::-1])[::-1], [0.0]]) / total
    else:
        integral = np.concatenate([[0.0], np.cumsum(share)]) / total
    kept = integral > UNSEEN
    t, log = times[kept], np.log(integral[kept])
    first, last = float(t[0]), float(t[-1])
    sign = 1.0 if incoming else -1.0
    # cubic Hermite of the logarithm: its slope is the hazard |v|^2 / I, known exactly
    density = np.abs(packet.at(t)) ** 2 / total / integral[kept]
    slope = -density if incoming else density
    root = np.sqrt(total)

    def factor(s: float) -> complex:
        if not first < s < last:
            return 0j
        k = min(int(np.searchsorted(t, s, "right")) - 1, len(t) - 2)
        h = t[k + 1] - t[k]
        y = (s - t[k]) / h
        value = (
            log[k] * (1 + 2 * y) * (1 - y) ** 2
            + slope[k] * h * y * (1 - y) ** 2
            + log[k + 1] * y * y * (3 - 2 * y)
            + slope[k + 1] * h * y * y * (y - 1)
        )
        v = complex(packet.shape(np.array([s]))[0])
        return complex(sign * np.conj(v) / root * np.exp(-0.5 * value))

    breaks = tuple(sorted({first, last, *marks}))
    samples = packet.at(np.linspace(a, b, 257))
    real = bool(np.all(samples.imag == 0))
    return Modulation(factor, breaks, real)


def incoming(model: Hamiltonian, port: str, packet: TemporalMode, name: str = "in") -> Hamiltonian:
    """Let a wave packet come in through a port: the mode `name` holds its state at first.

    Parameters
    ----------
    model : Hamiltonian
        Device or node.
    port : str
        Where it comes in, after all that came in there before.
    packet : TemporalMode
        Its shape in time, in the frame of the model.
    name : str
        The new mode.

    Returns
    -------
    Hamiltonian
        With one more mode; start it with `Start.fock` or a superposition.
    """
    return _cascaded(model, port, name, conjugate(throwing(packet)), first=True)


def outgoing(model: Hamiltonian, port: str, packet: TemporalMode, name: str = "out") -> Hamiltonian:
    """Catch what leaves by a port in one wave packet: the mode `name` holds its state in the end.

    Parameters
    ----------
    model : Hamiltonian
        Device or node.
    port : str
        Where it leaves; what comes in at that port and goes out again is caught as well.
    packet : TemporalMode
        Shape of the packet, in the frame of the model.
    name : str
        The new mode; start it in its ground state.
    """
    return _cascaded(model, port, name, conjugate(catching(packet)), first=False)


def _cascaded(
    model: Hamiltonian, port: str, name: str, coupling: Modulation | None, first: bool
) -> Hamiltonian:
    r"""One more mode in front of a port, or behind it.

    :math:`H\to H+(L_B^\dagger L_A-\mathrm{h.c.})/2i,\ L=L_A+L_B` for A before B.
    """
    if name in model.modes:
        raise ParameterError(f"there is a mode '{name}' already; give the packet another name")
    channel = model.channel(port)
    new = Term(1.0, (Ladder(name),), coupling)
    return chained(model, channel, (name,), (new,), first)


def chained(
    model: Hamiltonian,
    channel: Channel,
    modes: Sequence[str],
    operator: tuple[Term, ...],
    first: bool,
) -> Hamiltonian:
    """Couple another system's output operator into a port, or behind it (series product).

    Parameters
    ----------
    model : Hamiltonian
        Whose port it is.
    channel : Channel
        The port.
    modes : sequence of str
        New modes, added to the model's.
    operator : tuple of Term
        Output operator of the other system, single lowering operators [(rad/s)^1/2].
    first : bool
        Whether the other system is in front.

    Source: Gough and James, Commun. Math. Phys. 287, 1109 (2009), series product.
    """
    before, after = (operator, channel.leaving) if first else (channel.leaving, operator)
    terms = []
    for b in after:
        for a in before:
            dag = b.adjoint()
            coefficient = dag.coefficient * a.coefficient / 2j
            moving = product(dag.modulation, a.modulation)
            up = Term(coefficient, (*dag.operators, *a.operators), moving)
            terms += [up, up.adjoint()]
    entries = [(op.operators[0].mode, complex(op.coefficient)) for op in operator]
    moved = tuple(
        (op.operators[0].mode, op.modulation) for op in operator if op.modulation is not None
    )
    joined = replace(
        channel,
        amplitudes=(*channel.amplitudes, *entries),
        modulations=(*channel.modulations, *moved),
    )
    channels = tuple(joined if c.name == channel.name else c for c in model.channels)
    return replace(
        model,
        modes=(*model.modes, *modes),
        terms=(*model.terms, *terms),
        channels=channels,
    )


@dataclass(frozen=True)
class Principal:
    """Wave packets that hold what a port emits, most of it in the fewest.

    Parameters
    ----------
    packets : tuple of TemporalMode
        Orthonormal, by falling occupation.
    occupations : ndarray, shape (n,)
        Quanta in each; negative where a difference of two coherences has them [quanta].
    unseen : float
        Share of the emission in the last quarter of the polynomials: more than what is missed [1].
    """

    packets: tuple[TemporalMode, ...]
    occupations: Array
    unseen: float


def principal(
    model: Hamiltonian,
    start: Start,
    port: str,
    window: tuple[float, float],
    levels: Mapping[str, int],
    *,
    against: Start | None = None,
    count: int = 3,
    nodes: int = 48,
    rtol: float = RTOL,
    atol: float = ATOL,
) -> Principal:
    r"""Principal wave packets of what a port emits, from its two-time correlation.

    .. math:: \int\langle L^\dagger(t)L(t')\rangle\,v_k(t)\,dt = n_k\,v_k(t')

    Parameters
    ----------
    model : Hamiltonian
        Device or node; the port's bath must be cold.
    start : Start
        State at the beginning of the window.
    port : str
        Port.
    window : tuple of float
        Beginning and end [s]; the emission must be smooth in between.
    levels : mapping of str to int
        Levels of each mode.
    against : Start, optional
        A second start whose emission is subtracted: of a bright and a dark qubit the difference is
        the photon alone, without the noise around it.
    count : int
        Packets wanted.
    nodes : int
        Gauss nodes in the window.
    rtol, atol : float
        Tolerances of the integrator [1].

    Raises
    ------
    ValidityError
        If the nodes do not resolve the emission.
    """
    begin, end = window
    if not begin < end:
        raise ParameterError(f"principal: the window [s] must increase, got {window}")
    x, w = np.polynomial.legendre.leggauss(nodes)
    times = np.concatenate([[begin], begin + (end - begin) * (x + 1) / 2])
    weight = (end - begin) / 2 * w
    channel = model.channel(port)
    G = coherence(model, start, channel, times, levels, rtol, atol)[1:, 1:]
    if against is not None:
        G = G - coherence(model, against, channel, times, levels, rtol, atol)[1:, 1:]
    root = np.sqrt(weight)
    # <L^dag(t) L(t')> = sum_k n_k v_k^*(t) v_k(t')
    values, vectors = np.linalg.eigh(root[:, None] * G.conj() * root)
    largest = np.argsort(-np.abs(values))[:count]
    legendre = np.polynomial.legendre.legvander(x, nodes - 1) * np.sqrt(np.arange(nodes) + 0.5)
    packets, unseen = [], 0.0
    for k in largest:
        coefficients = legendre.T @ (np.sqrt(w) * vectors[:, k])
        tail = float(np.sum(np.abs(coefficients[-(nodes // 4) :]) ** 2))
        unseen = max(unseen, tail * abs(values[k]) / max(np.max(np.abs(values)), 1e-300))
        packets.append(_polynomial(port, begin, end, coefficients))
    if unseen > 1e-4:
        raise ValidityError(
            f"{nodes} nodes do not resolve what port '{port}' emits in the window (the last "
            f"quarter of the polynomials holds {unseen:.1e}); shorten the window or raise 'nodes'"
        )
    return Principal(tuple(packets), values[largest], unseen)


def _polynomial(port: str, begin: float, end: float, coefficients: Complex) -> TemporalMode:
    scale = np.sqrt(np.arange(len(coefficients)) + 0.5) * np.sqrt(2 / (end - begin))
    series = np.polynomial.Legendre(coefficients * scale, domain=[begin, end])
    peak = coefficients[int(np.argmax(np.abs(coefficients)))]
    turn = np.conj(peak) / abs(peak)

    def shape(t: Array) -> Complex:
        return np.asarray(turn * series(np.asarray(t)), dtype=np.complex128)

    fastest = 4 * len(coefficients) / (end - begin)
    return TemporalMode(port, shape, (begin, end), (), fastest)


def captured(
    model: Hamiltonian,
    start: Start,
    port: str,
    packet: TemporalMode,
    *,
    begin: float | None = None,
    end: float | None = None,
    kept: Sequence[str] = (),
    levels: Mapping[str, int] | None = None,
    accuracy: float = 1e-6,
) -> Evolution:
    """State of one outgoing wave packet, jointly with the modes that are kept.

    Parameters
    ----------
    model : Hamiltonian
        Device or node.
    start : Start
        At `begin`.
    port : str
        Where the packet leaves.
    packet : TemporalMode
        Its shape.
    begin, end : float, optional
        [s]; by default the packet's span.
    kept : sequence of str
        Modes whose state is wanted together with the packet's, for example a qubit.
    levels, accuracy
        As in `evolve`.

    Returns
    -------
    Evolution
        Its `kept` are the modes asked and ``"out"``; `state` is their density matrix at the end.

    Notes
    -----
    The virtual cavity leaves out 1e-9 of the packet's energy at its singular end: probabilities
    are good to a few 1e-6 where the packet's tail is as strong as what it catches (6e-5 at worst).
    """
    caught = outgoing(model, port, packet)
    first = packet.span[0] if begin is None else begin
    last = packet.span[1] if end is None else end
    return evolve(
        caught,
        start,
        np.array([first, last]),
        {},
        kept=(*kept, "out"),
        levels=levels,
        accuracy=accuracy,
    )
