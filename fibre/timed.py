"""A herald that knows when its detectors clicked.

Two different nodes, a balanced beam splitter, two detectors that tag times: between clicks the two
nodes evolve apart, and a click is a sum of four products.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product as pairs_of

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.constants import Real
from cavities.errors import ParameterError, ValidityError
from fibre.clicks import ClickSource, Responses, one_efficiency, responses, twice
from fibre.herald import Heralded

Complex = NDArray[np.complex128]
Array = NDArray[np.float64]

UNRESOLVED = 1e-6
"""Largest error of an interpolant [1]."""
COARSE = 1e-3
"""Largest share of a click rate in the upper orders that Gauss nodes see: its square is missed."""
CHEBYSHEV = 14
"""Efficiencies at which a sweep over link efficiencies is computed."""


@dataclass(frozen=True)
class Watch:
    """Two detectors behind a balanced beam splitter, and when they are looked at.

    Parameters
    ----------
    gate : tuple of float
        Opening and closing in detector time, travel left out [s]: a photon that left node A at its
        time t arrives at t, one of node B at t + `lag`.
    dark_rate : float
        Counts per second of each detector without light [1/s], >= 0.
    overlap : float
        Amplitude overlap of the two beams for what their shapes in time do not hold [1], in
        [0, 1].
    lag : float
        How much later than A's the light of node B arrives [s], in what the nodes' timing does not
        make up for: they emit such that their photons meet, so `ClickSource.delay` alone shifts
        nothing here, it counts into the wait for the herald.
    """

    gate: tuple[float, float]
    dark_rate: float = 0.0
    overlap: float = 1.0
    lag: float = 0.0

    def __post_init__(self) -> None:
        checks.number("Watch.gate", np.asarray(self.gate, float), "s")
        checks.number("Watch.dark_rate", self.dark_rate, "1/s", at_least=0.0)
        checks.probability("Watch.overlap", self.overlap)
        checks.number("Watch.lag", self.lag, "s")
        if not self.gate[0] < self.gate[1]:
            raise ParameterError(f"Watch.gate [s] must open before it closes, got {self.gate}")

    @property
    def length(self) -> float:
        """How long the gate is open [s]."""
        return self.gate[1] - self.gate[0]


@dataclass(frozen=True)
class Timed:
    r"""What a click at each time announces, for either detector.

    Parameters
    ----------
    times : ndarray, shape (t,)
        Click times in detector time [s].
    plus, minus : ndarray of complex, shape (..., t, m, m)
        Unnormalised states of the two memories per second of click time, first memory leading
        [1/s]; their traces are the rates at which this is the only click of the gate.
    turning : float
        Angular frequency at which the light of A turns against that of B [rad/s].
    """

    times: Array
    plus: Complex
    minus: Complex
    turning: float

    @property
    def rates(self) -> Array:
        """Probability per second that the only click of the gate comes at each time [1/s]."""
        both = self.plus + self.minus
        return np.asarray(np.einsum("...ii->...", both).real)

    def corrected(self, frequency: float | None = None) -> "Timed":
        r"""Undo the Bell phase that turns with the click time, :math:`e^{i\delta t}` on memory A.

        Parameters
        ----------
        frequency : float, optional
            Detuning that is assumed known [rad/s]; by default the true one.
        """
        self._require_qubits()
        delta = self.turning if frequency is None else frequency
        turn = np.exp(1j * delta * self.times)
        phase = np.stack([np.ones_like(turn), np.ones_like(turn), turn, turn], axis=-1)
        factor = phase[:, :, None] * np.conj(phase[:, None, :])
        return replace(self, plus=self.plus * factor, minus=self.minus * factor)

    def _require_qubits(self) -> None:
        m = self.plus.shape[-1]
        if m != 4:
            raise ValidityError(
                f"the Bell phase is corrected on two qubits, these memories have {m} states "
                "together; cut them down with `qubits` first"
            )

    def qubits(self, memories: tuple[int, int]) -> "Timed":
        """Keep the two lowest levels of each memory, given their dimensions."""
        b = memories[1]
        keep = [i * b + j for i in (0, 1) for j in (0, 1)]
        cut = np.ix_(keep, keep)
        plus, minus = (x[..., cut[0], cut[1]] for x in (self.plus, self.minus))
        return replace(self, plus=plus, minus=minus)

    def summed(self, weights: Array) -> Heralded:
        """State over all click times, the detector's sign corrected by a Z on memory A.

        Parameters
        ----------
        weights : ndarray, shape (t,)
            Quadrature weights of `times` [s].
        """
        self._require_qubits()
        if np.shape(weights) != self.times.shape:
            raise ParameterError(
                f"Timed.summed: give one weight [s] for each of {len(self.times)} click times"
            )
        sign = np.array([1.0, 1.0, -1.0, -1.0])
        flipped = self.minus * sign[:, None] * sign
        return Heralded(np.einsum("t,...tij->...ij", weights, self.plus + flipped))


def herald_timed(
    one: ClickSource,
    two: ClickSource,
    times: Array,
    watch: Watch,
    prepared: tuple[Complex, Complex] | None = None,
) -> Timed:
    r"""States of two memories for one click at each of `times`, and none besides (L14, L15).

    .. math:: \rho_\pm(t)=e^{-2\gamma T}\Big\{\tfrac12\big[\eta_1J_1\!\otimes\!A_2
              +\eta_2A_1\!\otimes\!J_2\pm M\sqrt{\eta_1\eta_2}\,(e^{-i\theta(t)}B_1\!\otimes\!
              B_2^\dagger+\mathrm{h.c.})\big]+\gamma A_1\!\otimes\!A_2\Big\}

    with A silent, J a click and B the emission operator in each node, and
    :math:`\theta=\varphi_2-\varphi_1+(\omega_1-\omega_2)t`.

    Parameters
    ----------
    one, two : ClickSource
        Nodes A and B at the detectors: fibre, filters and detector efficiency included.
    times : array_like, shape (t,)
        Click times in detector time [s], increasing, inside the gate.
    watch : Watch
        Detectors and gate.
    prepared : tuple of two ndarray of complex, shape (p, p), optional
        Density matrix that each node was prepared in; by default (needed for p > 1) its only one.

    Returns
    -------
    Timed
        For both detectors.

    Raises
    ------
    ParameterError
        If a click lies outside the gate, or a prepared state is missing or not a state.

    Source: Barrett and Kok, Phys. Rev. A 71, 060310 (2005), in the form of photon counting
    (Srinivas and Davies, Opt. Acta 28, 981, 1981); Hermans et al., arXiv:2208.07449 for the phase
    that turns.
    """
    times = np.atleast_1d(np.asarray(times, dtype=np.float64))
    a = responses(one, times, watch.gate)
    shifted = (watch.gate[0] - watch.lag, watch.gate[1] - watch.lag)
    b = responses(two, times - watch.lag, shifted)
    return combine(one, two, a, b, times, watch, prepared)


def combine(
    one: ClickSource,
    two: ClickSource,
    a: Responses,
    b: Responses,
    times: Array,
    watch: Watch,
    prepared: tuple[Complex, Complex] | None = None,
) -> Timed:
    """Put the answers of two nodes together, as in `herald_timed`.

    Parameters
    ----------
    one, two : ClickSource
        The nodes.
    a, b : Responses
        Their answers at the click times.
    times : ndarray, shape (t,)
        Detector times [s].
    watch : Watch
        Detectors and gate.
    prepared : tuple of two ndarray of complex, shape (p, p), optional
        As in `herald_timed`.
    """
    states = _prepared(one, two, prepared)
    parts = (_applied(a, states[0], one.memory), _applied(b, states[1], two.memory))
    return _joined(one, two, parts, (a.efficiency, b.efficiency), times, watch)


Parts = tuple[Complex, Complex, Complex]
"""Memory matrices of a node for "silent", "click" and "emission"."""


def _joined(
    one: ClickSource,
    two: ClickSource,
    parts: tuple[Parts, Parts],
    efficiencies: tuple[Real, Real],
    times: Array,
    watch: Watch,
) -> Timed:
    """The sum of products; leading axes are those of the efficiencies."""
    (A, J, B), (C, K, D) = parts
    eta, zeta = (np.asarray(e, dtype=np.float64)[..., None, None, None] for e in efficiencies)
    turning = one.carrier - two.carrier
    angle = two.phase - one.phase + turning * times
    cross = watch.overlap * np.sqrt(eta * zeta) * np.exp(-1j * angle)[:, None, None]
    quiet = np.exp(-2 * watch.dark_rate * watch.length)
    alone = 0.5 * (eta * _kron(J, C) + zeta * _kron(A, K)) + watch.dark_rate * _kron(A, C)
    both = 0.5 * cross * _kron(B, np.conj(np.swapaxes(D, -1, -2)))
    both = both + np.conj(np.swapaxes(both, -1, -2))
    return Timed(times, quiet * (alone + both), quiet * (alone - both), turning)


def _prepared(
    one: ClickSource, two: ClickSource, prepared: tuple[Complex, Complex] | None
) -> list[Complex]:
    states = []
    for k, source in enumerate((one, two)):
        if prepared is None:
            if source.prepared > 1:
                raise ParameterError(
                    "herald_timed: the nodes can be prepared in more than one state; give "
                    "'prepared', a density matrix for each"
                )
            states.append(np.ones((1, 1), dtype=np.complex128))
            continue
        rho = np.asarray(prepared[k], dtype=np.complex128)
        p = source.prepared
        if rho.shape != (p, p) or not np.allclose(rho, rho.conj().T, atol=1e-12):
            raise ParameterError(
                f"herald_timed: a prepared state must be a Hermitian {p} x {p} matrix, got shape "
                f"{rho.shape}"
            )
        if abs(np.trace(rho).real - 1) > 1e-9 or np.min(np.linalg.eigvalsh(rho)) < -1e-12:
            raise ParameterError(
                "herald_timed: a prepared state must be positive with trace 1, got trace "
                f"{np.trace(rho).real:.9g} and lowest eigenvalue "
                f"{np.min(np.linalg.eigvalsh(rho)):.2g}"
            )
        states.append(rho)
    return states


def _applied(found: Responses, state: Complex, m: int) -> Parts:
    """Memory matrices for one prepared state; "silent" has an axis of length 1 for the times."""
    x = state.ravel()
    lead = found.silent.shape[:-2]
    count = len(found.times)
    return (
        (found.silent @ x).reshape(*lead, 1, m, m),
        (found.click @ x).reshape(*lead, count, m, m),
        (found.left @ x).reshape(*lead, count, m, m),
    )


def _kron(a: Complex, b: Complex) -> Complex:
    joint = np.einsum("...ij,...kl->...ikjl", a, b)
    n = a.shape[-1] * b.shape[-1]
    return np.asarray(joint.reshape(*joint.shape[:-4], n, n))


def silent(
    one: ClickSource,
    two: ClickSource,
    watch: Watch,
    prepared: tuple[Complex, Complex] | None = None,
) -> Complex:
    """Unnormalised state of the memories if no detector clicks, shape (m, m)."""
    states = _prepared(one, two, prepared)
    shifted = (watch.gate[0] - watch.lag, watch.gate[1] - watch.lag)
    none = np.zeros(0)
    A = _applied(responses(one, none, watch.gate), states[0], one.memory)[0][0]
    C = _applied(responses(two, none, shifted), states[1], two.memory)[0][0]
    return np.asarray(np.exp(-2 * watch.dark_rate * watch.length) * _kron(A, C))


@dataclass(frozen=True)
class Window:
    """State for "this detector clicked at least once, the other never", by number of clicks.

    Parameters
    ----------
    state : ndarray of complex, shape (m, m)
        Unnormalised, one and two clicks of the first detector summed.
    by_number : ndarray, shape (2,)
        Probability of one and of two clicks [1].
    remainder : float
        Probability of three clicks or more in both detectors together [1]: more than what the state
        leaves out.
    """

    state: Complex
    by_number: Array
    remainder: float


def on_off(
    one: ClickSource,
    two: ClickSource,
    watch: Watch,
    sign: int,
    prepared: tuple[Complex, Complex] | None = None,
    nodes: int = 24,
) -> Window:
    r"""Herald of detectors that only say whether they clicked, expanded in the number of clicks.

    .. math:: \rho = \int\!dt\,\rho_\pm(t)+\int\!\!\int_{t<t'}\!dt\,dt'\,\rho_{\pm\pm}(t,t')+\dots

    Parameters
    ----------
    one, two : ClickSource
        The nodes, made for two clicks.
    watch : Watch
        Detectors and gate.
    sign : int
        +1 or -1: the detector that clicks.
    prepared : tuple of two ndarray of complex, optional
        As in `herald_timed`.
    nodes : int
        Gauss nodes in the gate; the emission must be smooth in it.

    Returns
    -------
    Window
        With the probability that more than two clicks come, which bounds what is left out.

    Notes
    -----
    "At least one click" of non-Gaussian nodes does not factorise; the expansion does. The remainder
    is that of all clicks together, 1 - P(0) - P(1) - P(2), of both detectors.
    """
    if sign not in (1, -1):
        raise ParameterError(f"on_off: sign must be +1 or -1, got {sign}")
    for source, lag in ((one, 0.0), (two, watch.lag)):
        opens, closes = watch.gate[0] - lag, watch.gate[1] - lag
        if opens < source.begin or closes > source.clock:
            raise ParameterError(
                f"on_off: the gate, {opens:g} s to {closes:g} s in the node's time, must lie in "
                f"the node's run, {source.begin:g} s to {source.clock:g} s; shorten the gate or "
                "run the node for longer"
            )
    states = _prepared(one, two, prepared)
    x, w = np.polynomial.legendre.leggauss(nodes)
    low, length = watch.gate[0], watch.length
    t, weight = low + length * (x + 1) / 2, length / 2 * w
    single = herald_timed(one, two, t, watch, prepared)
    # what the rate has in its upper Legendre orders, the nodes may have missed
    orders = np.abs(np.polynomial.legendre.legvander(x, nodes - 1).T @ (w * single.rates))
    upper = float(np.max(orders[-(nodes // 4) :]) / max(float(np.max(orders)), 1e-300))
    if upper > COARSE:
        raise ValidityError(
            f"on_off: {nodes} nodes do not resolve the click rate in the gate ({upper:.1e} of it "
            "in the upper quarter of the polynomials); raise 'nodes' or shorten the gate"
        )
    first = np.einsum("t,tij->ij", weight, single.plus if sign > 0 else single.minus)
    both_signs = float(weight @ single.rates)
    shifted = (watch.gate[0] - watch.lag, watch.gate[1] - watch.lag)
    quiet = np.exp(-2 * watch.dark_rate * length)
    second = np.zeros_like(first)
    counted = 0.0
    for k in range(nodes):
        rest = watch.gate[1] - t[k]
        later = t[k] + rest * (x + 1) / 2
        a = twice(one, float(t[k]), later, watch.gate)
        b = twice(two, float(t[k]) - watch.lag, later - watch.lag, shifted)
        for s, s_later in pairs_of((1, -1), repeat=2):
            found = quiet * _two(one, two, a, b, float(t[k]), later, watch, states, (s, s_later))
            together = weight[k] * rest / 2 * np.einsum("t,tij->ij", w, found)
            counted += float(np.trace(together).real)
            if s == s_later == sign:
                second += together
    none = float(np.trace(silent(one, two, watch, prepared)).real)
    by_number = np.array([np.trace(first).real, np.trace(second).real])
    return Window(first + second, by_number, max(0.0, 1 - none - both_signs - counted))


def _two(
    one: ClickSource,
    two: ClickSource,
    a: dict[tuple[str, str], Complex],
    b: dict[tuple[str, str], Complex],
    first: float,
    later: Array,
    watch: Watch,
    states: Sequence[Complex],
    signs: tuple[int, int],
) -> Complex:
    """States for two clicks of given signs, shape (t, m, m), darks of both detectors included."""
    first_terms = _terms(one, two, watch, np.array([first]), signs[0])
    later_terms = _terms(one, two, watch, later, signs[1])
    total: Complex = np.zeros(1, dtype=np.complex128)
    for (x, y, c), (u, v, e) in pairs_of(first_terms, later_terms):
        A = (a[x, u] @ states[0].ravel()).reshape(-1, one.memory, one.memory)
        B = (b[y, v] @ states[1].ravel()).reshape(-1, two.memory, two.memory)
        total = total + (c * e)[:, None, None] * _kron(A, B)
    return total


def _terms(
    one: ClickSource, two: ClickSource, watch: Watch, times: Array, sign: int
) -> list[tuple[str, str, Complex]]:
    """A click as a sum of products: what acts in A, what in B, and the factor."""
    eta, zeta = one_efficiency(one), one_efficiency(two)
    angle = two.phase - one.phase + (one.carrier - two.carrier) * times
    cross = 0.5 * sign * watch.overlap * np.sqrt(eta * zeta) * np.exp(-1j * angle)
    ones = np.ones(len(times))
    return [
        ("click", "none", 0.5 * eta * ones + 0j),
        ("none", "click", 0.5 * zeta * ones + 0j),
        ("left", "right", cross),
        ("right", "left", np.conj(cross)),
        ("none", "none", watch.dark_rate * ones + 0j),
    ]


def two_rounds(
    one: ClickSource,
    two: ClickSource,
    times: tuple[Array, Array],
    watch: Watch,
    signs: tuple[int, int],
    prepared: tuple[Complex, Complex],
) -> Complex:
    r"""Barrett-Kok with time tags (L16): a click in each of two rounds, qubits flipped between.

    Parameters
    ----------
    one, two : ClickSource
        Nodes whose memory is the qubit that is prepared; each round starts afresh from it.
    times : tuple of two ndarray, shape (t,)
        Click times of the first and the second round [s], paired, each counted from the start of
        its round and increasing.
    watch : Watch
        Detectors and gate of both rounds.
    signs : tuple of int
        Which detector clicked, +1 or -1.
    prepared : tuple of two ndarray of complex, shape (2, 2)
        States of the qubits before the first round.

    Returns
    -------
    ndarray of complex, shape (t, 4, 4)
        Unnormalised states per second squared [1/s^2], after the second round, not flipped back.

    Raises
    ------
    ParameterError
        If a memory is not the qubit that was prepared.
    """
    for source in (one, two):
        if source.prepared != 2 or source.memory != 2:
            raise ParameterError(
                "two_rounds needs nodes whose memory is a qubit, prepared and read in one basis, "
                f"got {source.prepared} states prepared and {source.memory} read"
            )
    if any(sign not in (1, -1) for sign in signs):
        raise ParameterError(f"two_rounds: signs must be +1 or -1, got {signs}")
    if np.shape(np.atleast_1d(times[0])) != np.shape(np.atleast_1d(times[1])):
        raise ParameterError("two_rounds: give as many click times of one round as of the other")
    states = _prepared(one, two, prepared)
    shifted = (watch.gate[0] - watch.lag, watch.gate[1] - watch.lag)
    found = []
    for t in times:
        t = np.atleast_1d(np.asarray(t, dtype=np.float64))
        order = np.argsort(t)
        back = np.argsort(order)
        answers = []
        for source, gate, lag in ((one, watch.gate, 0.0), (two, shifted, watch.lag)):
            r = responses(source, t[order] - lag, gate)
            answers.append(
                {
                    "none": np.broadcast_to(r.silent, (len(t), 4, 4)),
                    "click": r.click[back],
                    "left": r.left[back],
                    "right": r.right[back],
                }
            )
        found.append((t, answers))
    quiet = np.exp(-4 * watch.dark_rate * watch.length)
    total: Complex = np.zeros(1, dtype=np.complex128)
    (t1, (a1, b1)), (t2, (a2, b2)) = found
    for (x, y, c), (u, v, e) in pairs_of(
        _terms(one, two, watch, t1, signs[0]), _terms(one, two, watch, t2, signs[1])
    ):
        A = _flipped_round(a1[x], a2[u], states[0])
        B = _flipped_round(b1[y], b2[v], states[1])
        total = total + (c * e)[:, None, None] * _kron(A, B)
    return np.asarray(quiet * total)


def _flipped_round(first: Complex, second: Complex, state: Complex) -> Complex:
    between = (first @ state.ravel()).reshape(-1, 2, 2)[:, ::-1, ::-1]
    after = np.einsum("tij,tj->ti", second, between.reshape(-1, 4))
    return np.asarray(after.reshape(-1, 2, 2))


@dataclass(frozen=True)
class Interpolant:
    """Answers of a node at any link efficiency, from a few of them.

    Parameters
    ----------
    times : ndarray, shape (t,)
        Click times in the node's own time [s].
    gate : tuple of float
        In the node's own time [s].
    coefficients : tuple of ndarray
        Chebyshev coefficients of silent, click, left and right on [0, `largest`].
    largest : float
        Largest efficiency [1].
    error : float
        Largest difference from a direct computation at efficiencies between the nodes, relative to
        the largest value of each answer [1].
    """

    times: Array
    gate: tuple[float, float]
    coefficients: tuple[Complex, Complex, Complex, Complex]
    largest: float
    error: float

    def at(self, efficiency: Real) -> Responses:
        """Answers at one efficiency or many [1]; many give a leading axis.

        Raises
        ------
        ParameterError
            If an efficiency lies outside [0, largest].
        """
        checks.number(
            "Interpolant: efficiency", efficiency, "1", at_least=0.0, at_most=self.largest
        )
        y = 2 * np.asarray(efficiency, dtype=np.float64) / self.largest - 1
        basis = np.polynomial.chebyshev.chebvander(y, len(self.coefficients[0]) - 1)
        found = [np.tensordot(basis, c, axes=(-1, 0)) for c in self.coefficients]
        return Responses(self.times, found[0], found[1], found[2], found[3], efficiency)


def over_efficiency(
    source: ClickSource,
    times: Array,
    gate: tuple[float, float],
    largest: float = 1.0,
    nodes: int = CHEBYSHEV,
) -> Interpolant:
    """Prepare a node for a sweep over link efficiencies: everything is analytic in them.

    Parameters
    ----------
    source : ClickSource
        The node.
    times : ndarray, shape (t,)
        Click times in the node's own time [s].
    gate : tuple of float
        In the node's own time [s].
    largest : float
        Largest efficiency of the sweep [1], in (0, 1].
    nodes : int
        Chebyshev nodes.

    Returns
    -------
    Interpolant
        With its measured error.
    """
    checks.number("over_efficiency: largest", largest, "1", above=0.0, at_most=1.0)
    checks.number("over_efficiency: nodes", nodes, "1", at_least=2)
    k = np.arange(nodes)
    points = np.cos(np.pi * (k + 0.5) / nodes)
    tables = [responses(source, times, gate, largest * (p + 1) / 2) for p in points]
    transform = 2 / nodes * np.cos(np.pi * np.outer(k, k + 0.5) / nodes)
    transform[0] /= 2
    names = ("silent", "click", "left", "right")
    silent_, click, left, right = (
        np.tensordot(transform, np.array([getattr(r, name) for r in tables]), axes=(1, 0))
        for name in names
    )
    found = Interpolant(np.asarray(times), gate, (silent_, click, left, right), largest, 0.0)
    worst = 0.0
    for share in (0.03, 0.47, 0.98):
        direct, quick = responses(source, times, gate, share * largest), found.at(share * largest)
        for name in names:
            scale = max(float(np.max(np.abs(getattr(direct, name)), initial=0.0)), 1e-300)
            gap = np.abs(getattr(direct, name) - getattr(quick, name))
            worst = max(worst, float(np.max(gap, initial=0.0)) / scale)
    if worst > UNRESOLVED:
        raise ValidityError(
            f"{nodes} efficiencies leave an error of {worst:.1e} in between; raise 'nodes' or "
            "lower 'largest'"
        )
    return replace(found, error=worst)


def sweep_efficiency(
    one: tuple[ClickSource, Interpolant],
    two: tuple[ClickSource, Interpolant],
    efficiencies: tuple[Array, Array],
    times: Array,
    watch: Watch,
    prepared: tuple[Complex, Complex] | None = None,
) -> Timed:
    """States of two memories for many link efficiencies at once, through the interpolants.

    Parameters
    ----------
    one, two : tuple of ClickSource and Interpolant
        The nodes, and their answers from `over_efficiency` at the same click times.
    efficiencies : tuple of two ndarray, shape (n,)
        Of arm A and arm B, paired [1]; they stand in for what the sources carry.
    times : ndarray, shape (t,)
        Detector times [s].
    watch : Watch
        Detectors and gate; no lag.
    prepared : tuple of two ndarray of complex, optional
        As in `herald_timed`.

    Returns
    -------
    Timed
        With a leading axis of length n.
    """
    if watch.lag:
        raise ParameterError(
            "sweep_efficiency takes no lag; shift the click times of node B's interpolant instead"
        )
    times = np.asarray(times, dtype=np.float64)
    for _, table in (one, two):
        if not np.array_equal(table.times, times) or table.gate != watch.gate:
            raise ParameterError(
                "sweep_efficiency: click times and gate must be those that the interpolants were "
                "made for; make them anew with over_efficiency"
            )
    if np.shape(efficiencies[0]) != np.shape(efficiencies[1]):
        raise ParameterError(
            "sweep_efficiency: give as many efficiencies of arm A as of arm B, got "
            f"{np.shape(efficiencies[0])} and {np.shape(efficiencies[1])}"
        )
    states = _prepared(one[0], two[0], prepared)
    parts = [
        _applied(table.at(eta), state, source.memory)
        for (source, table), eta, state in zip((one, two), efficiencies, states, strict=True)
    ]
    return _joined(one[0], two[0], (parts[0], parts[1]), efficiencies, times, watch)
