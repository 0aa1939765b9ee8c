"""A block of a master equation in its smallest coordinates, and QuTiP's integrators on it.

What the start cannot reach is cut; where a gauge makes everything real, mirrored elements are one.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from transducer.hamiltonian import Hamiltonian
from transducer.solvers.blocks import Block, Order, Piece, Space, closure
from transducer.solvers.operators import coefficient
from transducer.solvers.symmetry import Symmetry, change

if TYPE_CHECKING:
    import qutip
    from scipy.sparse import csr_array

Complex = NDArray[np.complex128]
Array = NDArray[np.float64]

LOOKS = 101
"""Instants at which a run stops at least: to look at the populations, and to see every pulse."""
RTOL, ATOL = 1e-8, 1e-10
"""Tolerances of the integrator at the default accuracy of 1e-6."""


def gauge(model: Hamiltonian) -> Array | None:
    r"""Phases :math:`a_k\to e^{i\theta_k}a_k` that make the whole Liouvillian real [rad].

    Returns
    -------
    ndarray, shape (modes,), or None
        None if a factor in time is complex or no such phases were found; that detunings vanish in a
        block is for the block to see.
    """
    modes = model.modes
    if any(not m.real for m in model.modulations()):
        return None
    rows, phases = [], []
    for term in model.terms:
        moved = change(term, modes)
        if np.any(moved) and term.coefficient != 0:
            rows.append(moved)
            phases.append(np.pi / 2 - np.angle(term.coefficient))
    for _, _, operator in model.collapses():
        present = [t for t in operator if t.coefficient != 0]
        if not present:
            continue
        first, *others = present
        for term in others:
            rows.append(change(term, modes) - change(first, modes))
            phases.append(np.angle(first.coefficient) - np.angle(term.coefficient))
    chosen: list[int] = []
    for k in range(len(rows)):
        table = np.array([rows[c] for c in [*chosen, k]], dtype=float)
        if np.linalg.matrix_rank(table) == len(table):
            chosen.append(k)
    if not chosen:
        return np.zeros(len(modes))
    table = np.array([rows[c] for c in chosen], dtype=float)
    theta = np.linalg.lstsq(table, np.array([phases[c] for c in chosen]), rcond=None)[0]
    return np.asarray(theta)


class Reduced:
    """One model at one choice of levels, in the smallest coordinates that its start allows.

    Parameters
    ----------
    model : Hamiltonian
        The master equation.
    levels : mapping of str to int
        Levels of each mode.
    start : csr_array, shape (d, d)
        What is evolved: a density matrix, or an operator times one.
    orders : iterable of tuple of int
        Coherence orders to keep.
    symmetry : Symmetry
        Of the model.
    hermitian : bool
        Whether `start` is Hermitian: then folding is tried.
    """

    def __init__(
        self,
        model: Hamiltonian,
        space: Space,
        start: "csr_array",
        orders: Iterable[Order],
        symmetry: Symmetry,
        hermitian: bool = True,
    ) -> None:
        self.space = space
        self.block = Block(space, symmetry, orders)
        pieces = self.block.generator(model)
        x = self.block.pack(start)
        pattern = sum(abs(p.matrix) for p in pieces)
        reached = np.flatnonzero(closure(pattern, x != 0))
        self.reached = reached
        self.pieces = tuple(Piece(p.modulation, _square(p.matrix, reached)) for p in pieces)
        self.vector = x[reached]
        self.folded = False
        self._expand: csr_array | None = None
        self._turn: Complex | None = None
        theta = gauge(model) if hermitian else None
        if theta is not None:
            self._fold(theta)

    @property
    def size(self) -> int:
        """Unknowns handed to the integrator."""
        return len(self.vector)

    def _fold(self, theta: Array) -> None:
        """Merge elements (i, j) and (j, i) if the gauged block is real and the start symmetric."""
        from scipy.sparse import coo_array, diags_array

        i, j = self.block.i[self.reached], self.block.j[self.reached]
        n = len(i)
        where = np.full(self.block.size, -1, dtype=np.int64)
        where[self.reached] = np.arange(n)
        at = self.block.position(j, i)
        mirror = np.where(at >= 0, where[np.maximum(at, 0)], -1)
        if np.any(mirror < 0):
            return
        angle = theta @ self.space.numbers
        turn = np.exp(1j * (angle[i] - angle[j]))
        gauged = turn * self.vector
        scale = float(np.max(np.abs(gauged), initial=0.0))
        if np.max(np.abs(gauged - gauged[mirror]), initial=0.0) > 1e-13 * scale:
            return
        pieces = []
        for piece in self.pieces:
            matrix = diags_array(turn) @ piece.matrix @ diags_array(np.conj(turn))
            size = float(np.max(np.abs(matrix.data), initial=0.0))
            if np.max(np.abs(matrix.data.imag), initial=0.0) > 1e-13 * size:
                return
            pieces.append(Piece(piece.modulation, matrix.real.tocsr()))
        upper = np.flatnonzero(i <= j)
        new = np.full(n, -1, dtype=np.int64)
        new[upper] = np.arange(len(upper))
        column = np.where(i <= j, new, new[mirror])
        entries = (np.ones(n), (np.arange(n), column))
        expand = coo_array(entries, shape=(n, len(upper))).tocsr()
        self.pieces = tuple(
            Piece(p.modulation, (p.matrix[upper] @ expand).astype(np.complex128).tocsr())
            for p in pieces
        )
        self.vector = gauged[upper]
        self._expand, self._turn, self.folded = expand, turn, True

    def row(self, functional: Complex) -> Complex:
        """A functional of the block, in these coordinates."""
        row = functional[self.reached]
        if self._expand is None or self._turn is None:
            return row
        return np.asarray((row * np.conj(self._turn)) @ self._expand)

    def block_vector(self, vector: Complex) -> Complex:
        """Vector of the block from one in these coordinates."""
        x = vector
        if self._expand is not None and self._turn is not None:
            x = np.conj(self._turn) * (self._expand @ vector)
        full = np.zeros(self.block.size, dtype=np.complex128)
        full[self.reached] = x
        return full

    def coordinates(self, matrix: Complex) -> Complex:
        """These coordinates of a matrix that lives in them."""
        x = self.block.pack(matrix)[self.reached]
        if self._expand is None or self._turn is None:
            return x
        i, j = self.block.i[self.reached], self.block.j[self.reached]
        return np.asarray((self._turn * x)[i <= j])

    def run(
        self,
        times: Array,
        breaks: Sequence[float],
        rtol: float,
        atol: float,
        looks: bool = False,
    ) -> "Iterable[tuple[int | None, float, Complex]]":
        """Index, instant and state of each of the `times`; None for what lies between them."""
        looks = looks or any(p.modulation is not None for p in self.pieces)
        yield from integrate(solver(self.pieces, rtol, atol), self.vector, times, breaks, looks)


def solver(pieces: Sequence[Piece], rtol: float, atol: float) -> "qutip.SESolver":
    """QuTiP's Schroedinger solver on i times the generator: its integrator, nothing else."""
    import qutip
    from scipy.sparse import csr_matrix

    parts: list[object] = []
    for piece in pieces:
        operator = qutip.Qobj(csr_matrix(1j * piece.matrix))
        if piece.modulation is None:
            parts.append(operator)
        else:
            parts.append([operator, coefficient(piece.modulation)])
    options = {
        "method": "vern7",
        "rtol": rtol,
        "atol": atol,
        "nsteps": 10_000_000,
        "normalize_output": False,
        "progress_bar": "",
        # a dense output would look beyond the instant it stops at, across an edge of a pulse
        "interpolate": False,
    }
    return qutip.SESolver(qutip.QobjEvo(parts), options=options)


def integrate(
    engine: "qutip.SESolver",
    vector: Complex,
    times: Array,
    breaks: Sequence[float],
    looking: bool = True,
) -> "Iterable[tuple[int | None, float, Complex]]":
    """Step a QuTiP solver through `times` [s], stopping at `breaks` and `LOOKS` on the way."""
    import qutip

    here = float(times[0])
    yield 0, here, vector
    if len(times) == 1:
        return
    marks = [b for b in breaks if times[0] < b < times[-1]]
    count = LOOKS if looking else 2
    looks = [float(t) for t in np.linspace(times[0], times[-1], count)[1:-1]]
    stops = sorted({*marks, *looks, *map(float, times[1:])})
    index = {float(t): k for k, t in enumerate(times)}
    engine.start(qutip.Qobj(vector[:, None]), here)
    broken = set(marks)
    for stop in stops:
        state = engine.step(stop)
        yield index.get(stop), stop, state.full()[:, 0]
        if stop in broken:  # the next stretch starts afresh, with its own first step
            engine.start(state, stop)


def _square(matrix: "csr_array", keep: NDArray[np.int64]) -> "csr_array":
    if len(keep) == matrix.shape[0]:
        return matrix
    return matrix[keep][:, keep]
