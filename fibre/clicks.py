"""What a node is to a detector that tags clicks with their times, as plain arrays.

Between clicks a node evolves under its no-click generator, at a click the emission operator acts,
and at the end its memory is read. Two nodes never need a joint space for that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.constants import Real
from cavities.errors import ParameterError, ValidityError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from fibre.elements import Filter

Complex = NDArray[np.complex128]
Array = NDArray[np.float64]

SAMPLES = 48
"""Chebyshev nodes at which factors in time are kept between two breaks."""
_ANGLES = np.pi * (np.arange(SAMPLES) + 0.5) / SAMPLES
_NODES = -np.cos(_ANGLES)
_SIGNS = (-1.0) ** np.arange(SAMPLES) * np.sin(_ANGLES)
DENSE = 256
"""Elements up to which a still generator is multiplied as a full matrix."""
REACH = 12.0
"""Norm of the generator times the step of one Taylor series."""
RTOL, ATOL = 1e-11, 1e-13
"""Tolerances of the integration between clicks."""


@dataclass(frozen=True)
class Superoperator:
    """A linear map on the elements of a node's density matrix, possibly moving in time.

    Parameters
    ----------
    matrices : tuple of csr_array, shape (n, n)
        Parts of the map; rates in 1/s, emission in 1/s^1/2.
    factors : ndarray of complex, shape (parts, stretches, samples)
        Factor of each part at the Chebyshev nodes of `stretches` [1]; (1, 0, 0) if it stands still.
    """

    matrices: tuple["csr_array", ...]
    factors: Complex

    @property
    def still(self) -> bool:
        """Whether it does not depend on time."""
        return bool(self.factors.shape[1] == 0)


@dataclass(frozen=True)
class ClickSource:
    r"""A node whose photons are counted, as a time-tagged herald needs it.

    .. math:: \dot\rho = (\mathcal L-\eta\mathcal J)\rho\ \text{between clicks},\qquad
              \mathcal J\rho = b\rho b^\dagger,\qquad
              d_\pm = (\sqrt{\eta_1}\,b_1 \pm e^{i\varphi}\sqrt{\eta_2}\,b_2)/\sqrt2

    Elements of the density matrix are listed in one vector of length n, those that the question
    needs alone.

    Parameters
    ----------
    generator : Superoperator
        Unobserved evolution, all losses included.
    click : Superoperator
        J of a lossless fibre.
    left, right : Superoperator
        :math:`b\rho` and :math:`\rho b^\dagger` of a lossless fibre.
    inputs : ndarray of complex, shape (n, p * p)
        State in which the node starts for each element |s><s'| of what was prepared.
    outputs : ndarray of complex, shape (m * m, n)
        Row that reads each element <s|.|s'> of the memory.
    breaks : tuple of float
        Instants between which factors in time are polynomials [s].
    begin, clock : float
        The node starts, and ends its own dynamics [s]; the link's memory acts from `clock` on.
    carrier : float
        Angular frequency of the frame in which b stands still [rad/s].
    most : int
        Clicks in one gate for which it holds enough elements, 1 or 2.
    efficiency : float or ndarray, shape (...)
        Transmission to the detector so far, its efficiency included [1].
    delay : float
        Travel time so far [s].
    phase : float
        Phase that the light picked up on its way [rad].

    Raises
    ------
    ParameterError
        If an efficiency is outside [0, 1] or the clock runs backwards.
    """

    generator: Superoperator
    click: Superoperator
    left: Superoperator
    right: Superoperator
    inputs: Complex
    outputs: Complex
    breaks: tuple[float, ...]
    begin: float
    clock: float
    carrier: float = 0.0
    most: int = 1
    efficiency: Real = 1.0
    delay: Real = 0.0
    phase: float = 0.0

    def __post_init__(self) -> None:
        checks.probability("ClickSource.efficiency", self.efficiency)
        checks.number("ClickSource.delay", self.delay, "s", at_least=0.0)
        if not self.begin < self.clock:
            raise ParameterError(
                f"ClickSource: it begins at {self.begin:g} s and ends at {self.clock:g} s; its "
                "clock must run forwards"
            )

    @property
    def prepared(self) -> int:
        """Dimension p of what is prepared."""
        return int(np.sqrt(self.inputs.shape[1]) + 0.5)

    @property
    def memory(self) -> int:
        """Dimension m of the memory."""
        return int(np.sqrt(self.outputs.shape[0]) + 0.5)

    def attenuated(self, transmittance: Real) -> "ClickSource":
        """Send its light through a cold, frequency-independent loss [1]."""
        checks.probability("ClickSource.attenuated: transmittance", transmittance)
        return replace(self, efficiency=self.efficiency * transmittance)

    def delayed(self, delay: Real) -> "ClickSource":
        """Let its light travel for `delay` [s], >= 0."""
        return replace(self, delay=self.delay + delay)

    def rotated(self, phase: float) -> "ClickSource":
        """Turn the phase of its light [rad]."""
        return replace(self, phase=self.phase + phase)

    def filtered(self, element: "Filter") -> "ClickSource":
        """Refuse: a filter acts on what a node emits at all earlier times.

        Raises
        ------
        ValidityError
            Always; it says what to do instead.
        """
        raise ValidityError(
            "a filter cannot act on a node whose clicks are tagged: it remembers what came before; "
            "put the filter cavity into the node (transducer.nodes.filtered) and count behind it"
        )

    def joined_by(self, quanta: Real) -> "ClickSource":
        """Refuse: white light has no place in a node whose clicks are tagged one by one.

        Raises
        ------
        ValidityError
            Always; it says what to do instead.
        """
        raise ValidityError(
            "background light cannot join a node whose clicks are tagged with their times; count "
            "it with the detectors' dark rate"
        )

    def share_within(self, half_width: float) -> float:
        """Share of the light near the carrier [1]: all of it, for its line is not followed."""
        return 1.0

    @cached_property
    def _edges(self) -> Array:
        return np.array([self.begin, *self.breaks, self.clock])

    def at(self, operator: Superoperator, time: float, ahead: bool = True) -> "csr_array":
        """A superoperator at an instant [s]; at a break on the side `ahead` of it, or behind."""
        if operator.still:
            return operator.matrices[0]
        k = int(np.searchsorted(self._edges, time, "right" if ahead else "left")) - 1
        k = min(max(k, 0), len(self._edges) - 2)
        a, b = self._edges[k], self._edges[k + 1]
        row = _barycentric(2 * (time - a) / (b - a) - 1)
        factors = operator.factors[:, k, :] @ row
        return sum(f * m for f, m in zip(factors, operator.matrices, strict=True))

    def follow(
        self, vectors: Complex, times: Sequence[float], watched: float, adjoint: bool = False
    ) -> list[Complex]:
        r"""Vectors at each of `times` [s], the first being where they start.

        Parameters
        ----------
        vectors : ndarray of complex, shape (n, k)
            States; with `adjoint` the transposed rows of functionals.
        times : sequence of float
            Monotonic; falling for `adjoint`.
        watched : float
            Efficiency η with which clicks are excluded [1].
        adjoint : bool
            Follow :math:`-\dot w = (\mathcal L-\eta\mathcal J)^T w` backwards instead.
        """
        if self.generator.still and self.click.still:
            return self._step_by_step(vectors, np.abs(np.diff(times)), watched, adjoint)
        from scipy.integrate import solve_ivp

        shape = vectors.shape
        sign = -1.0 if adjoint else 1.0
        marks = [b for b in self.breaks if min(times) < b < max(times)]
        longest = (self.clock - self.begin) / 100
        found = {float(times[0]): vectors}
        here, y = float(times[0]), vectors.ravel().astype(np.complex128)
        wanted = [float(t) for t in times[1:] if t != times[0]]
        for stop in sorted({*marks, *wanted[-1:]}, reverse=adjoint):
            # inside a stretch the factors are those of the stretch, up to its very ends
            middle = (here + stop) / 2

            def slope(t: float, y: Complex, inner: float = middle) -> Complex:
                matrix = self._watched(t, watched, adjoint, ahead=t <= inner)
                return np.asarray(sign * (matrix @ y.reshape(shape)).ravel())

            asked = [t for t in wanted if min(here, stop) <= t <= max(here, stop)]
            asked = sorted({*asked, stop} - {here}, reverse=adjoint)
            run = solve_ivp(
                slope,
                (here, stop),
                y,
                "DOP853",
                asked,
                rtol=RTOL,
                atol=ATOL,
                max_step=longest,
            )
            found |= {t: column.reshape(shape) for t, column in zip(asked, run.y.T, strict=True)}
            here, y = stop, run.y[:, -1]
        return [found[float(t)] for t in times]

    @cached_property
    def _parts(self) -> list[NDArray[np.int64]]:
        """Elements that the still evolution leaves apart."""
        from scipy.sparse.csgraph import connected_components

        pattern = abs(self.generator.matrices[0]) + abs(self.click.matrices[0])
        count, label = connected_components(pattern, directed=False)
        order = np.argsort(label, kind="stable")
        return np.split(order, np.searchsorted(label[order], np.arange(1, count)))

    def _step_by_step(
        self, vectors: Complex, steps: Array, watched: float, adjoint: bool
    ) -> list[Complex]:
        sparse = self._watched(self.begin, watched, adjoint)
        # a small product costs less than finding its zeros
        matrix = sparse.toarray() if sparse.shape[0] <= DENSE else sparse
        found = np.zeros((len(steps) + 1, *vectors.shape), dtype=np.complex128)
        for rows in self._parts:
            inside = vectors[rows]
            columns = np.flatnonzero(np.any(inside != 0, axis=0))
            if len(columns):
                part = _exponentials(matrix[rows][:, rows], inside[:, columns], steps)
                found[:, rows[:, None], columns] = part
        return list(found)

    def _watched(
        self, time: float, watched: float, adjoint: bool, ahead: bool = True
    ) -> "csr_array":
        matrix = self.at(self.generator, time, ahead)
        if watched:
            matrix = matrix - watched * self.at(self.click, time, ahead)
        return matrix.T.tocsr() if adjoint else matrix.tocsr()


def stretches(begin: float, clock: float, breaks: Sequence[float]) -> Array:
    """Chebyshev nodes between all breaks [s], shape (stretches, SAMPLES); no edge is among them."""
    edges = np.array([begin, *breaks, clock])
    return np.asarray(edges[:-1, None] + np.diff(edges)[:, None] * (_NODES + 1) / 2)


def _barycentric(x: float) -> Array:
    """Weights of the values at the Chebyshev nodes for the polynomial through them at x."""
    gap = x - _NODES
    hit = np.flatnonzero(gap == 0)
    if len(hit):
        return np.asarray(np.arange(SAMPLES) == hit[0], dtype=np.float64)
    row = _SIGNS / gap
    return np.asarray(row / row.sum())


def _exponentials(matrix: "csr_array | Complex", vectors: Complex, steps: Array) -> list[Complex]:
    """Vectors before and after each step [s] of a generator that stands still, by Taylor series.

    The middle of the diagonal is taken out first: it halves the norm.
    """
    diagonal = matrix.diagonal().real
    middle = 0.5 * float(np.min(diagonal, initial=0.0) + np.max(diagonal, initial=-np.inf))
    if isinstance(matrix, np.ndarray):
        matrix = matrix - middle * np.eye(len(matrix))
    else:
        from scipy.sparse import eye_array

        matrix = (matrix - middle * eye_array(matrix.shape[0], format="csr")).tocsr()
    size = float(abs(matrix).sum(axis=0).max(initial=0.0))
    y = vectors.astype(np.complex128)
    found, terms = [y], 8
    for step in steps:
        parts = max(1, int(np.ceil(size * step / REACH)))
        h = step / parts
        scaled, decay = matrix * h, np.exp(middle * h)
        for _ in range(parts):
            largest, term, k = np.abs(y).max(initial=0.0), y, 0
            while True:
                k += 1
                term = (scaled @ term) * (1 / k)
                y = y + term
                # as many terms as the last time, then as many as it takes
                if k >= terms and np.abs(term).max(initial=0.0) <= 1e-16 * largest:
                    break
            terms, y = max(k - 1, 8), y * decay
        found.append(y)
    return found


@dataclass(frozen=True)
class Responses:
    r"""What a node answers to "nothing, then a click at t, then nothing", at one efficiency.

    Each is a map from what was prepared to the memory at the node's clock, element
    :math:`(s s', p p')`.

    Parameters
    ----------
    times : ndarray, shape (t,)
        Click times in the node's own time [s].
    silent : ndarray of complex, shape (m * m, p * p)
        No click in the gate [1].
    click : ndarray of complex, shape (t, m * m, p * p)
        A click of this node's photon at t, rate per second of a lossless fibre [1/s].
    left, right : ndarray of complex, shape (t, m * m, p * p)
        :math:`b\rho` and :math:`\rho b^\dagger` at t, of a lossless fibre [1/s^1/2].
    efficiency : float or ndarray, shape (...)
        η with which the gate was watched [1]; many give all answers leading axes.
    """

    times: Array
    silent: Complex
    click: Complex
    left: Complex
    right: Complex
    efficiency: Real


def one_efficiency(source: ClickSource) -> float:
    """Link efficiency of a source that has only one.

    Raises
    ------
    ParameterError
        If it has many.
    """
    if np.size(source.efficiency) != 1:
        raise ParameterError(
            f"the click source carries {np.size(source.efficiency)} efficiencies; sweep them with "
            "over_efficiency and sweep_efficiency, or take one at a time"
        )
    return float(np.ravel(source.efficiency)[0])


def responses(
    source: ClickSource, times: Array, gate: tuple[float, float], efficiency: float | None = None
) -> Responses:
    """Answer of a node to one click at each of `times`: one run forwards, one backwards.

    Parameters
    ----------
    source : ClickSource
        The node.
    times : ndarray, shape (t,)
        Click times in the node's own time [s], increasing, inside the gate.
    gate : tuple of float
        Opening and closing of the detectors in the node's own time [s]; outside of it nothing is
        watched.
    efficiency : float, optional
        η [1]; by default that of the source.

    Raises
    ------
    ParameterError
        If a click lies outside the gate, or the gate does not meet the node's own time.
    """
    eta = one_efficiency(source) if efficiency is None else efficiency
    times = np.atleast_1d(np.asarray(times, dtype=np.float64))
    if times.size:
        checks.number("responses: times", times, "s")
    opens, closes = max(gate[0], source.begin), min(gate[1], source.clock)
    if not opens < closes:
        raise ParameterError(
            f"the gate from {gate[0]:g} s to {gate[1]:g} s does not meet the node, which runs from "
            f"{source.begin:g} s to {source.clock:g} s; move the gate"
        )
    if np.any(times < opens) or np.any(times > closes) or np.any(np.diff(times) < 0):
        raise ParameterError(
            f"click times [s] must increase and lie in the gate, {opens:g} s to {closes:g} s, got "
            f"{times.min():g} s to {times.max():g} s"
        )
    before = source.follow(source.inputs, [source.begin, opens], 0.0)[-1]
    forward = source.follow(before, [opens, *times, closes], eta)
    after = source.follow(source.outputs.T, [source.clock, closes], 0.0, adjoint=True)[-1]
    backward = source.follow(after, [closes, *times[::-1]], eta, adjoint=True)[:0:-1]
    silent = after.T @ forward[-1]
    parts: dict[str, list[Complex]] = {"click": [], "left": [], "right": []}
    for t, x, w in zip(times, forward[1:-1], backward, strict=True):
        for name, found in parts.items():
            found.append(w.T @ (source.at(getattr(source, name), float(t)) @ x))
    shape = (len(times), *silent.shape)
    click, left, right = (np.array(parts[name]).reshape(shape) for name in parts)
    return Responses(times, silent, click, left, right, eta)


def twice(
    source: ClickSource,
    first: float,
    later: Array,
    gate: tuple[float, float],
    efficiency: float | None = None,
) -> dict[tuple[str, str], Complex]:
    """Answer of a node to a click at `first` and another at each of `later`.

    Parameters
    ----------
    source : ClickSource
        The node.
    first : float
        Earlier click in the node's own time [s].
    later : ndarray, shape (t,)
        Later clicks, increasing [s].
    gate : tuple of float
        As in `responses`.
    efficiency : float, optional
        η [1]; by default that of the source.

    Returns
    -------
    dict
        For each pair of what acted first and later (``"none"``, ``"click"``, ``"left"`` or
        ``"right"``) the map to the memory, shape (t, m * m, p * p).
    """
    eta = one_efficiency(source) if efficiency is None else efficiency
    if source.most < 2:
        raise ParameterError(
            "this click source was made for one click in a gate; make it with emit_clicks(most=2)"
        )
    opens, closes = max(gate[0], source.begin), min(gate[1], source.clock)
    before = source.follow(source.inputs, [source.begin, opens], 0.0)[-1]
    there = source.follow(before, [opens, first], eta)[-1]
    after = source.follow(source.outputs.T, [source.clock, closes], 0.0, adjoint=True)[-1]
    backward = source.follow(after, [closes, *later[::-1]], eta, adjoint=True)[:0:-1]
    names = ("none", "click", "left", "right")
    started = [
        there if name == "none" else source.at(getattr(source, name), first) @ there
        for name in names
    ]
    wide = there.shape[1]
    onwards = source.follow(np.concatenate(started, axis=1), [first, *later], eta)[1:]
    found: dict[tuple[str, str], list[Complex]] = {(a, b): [] for a in names for b in names}
    for t, x, w in zip(later, onwards, backward, strict=True):
        for b in names:
            y = x if b == "none" else source.at(getattr(source, b), float(t)) @ x
            z = w.T @ y
            for k, a in enumerate(names):
                found[a, b].append(z[:, k * wide : (k + 1) * wide])
    return {key: np.array(value) for key, value in found.items()}
