"""Steady states, two-time correlations, spectra and propagators, each in its own small block.

The regression theorem needs no more than one block per operator.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.errors import ParameterError, TruncationError, ValidityError
from transducer.conversion import Truncation
from transducer.hamiltonian import Channel, Hamiltonian, Polynomial, Term
from transducer.progress import progress
from transducer.solvers.blocks import Block, Order, Space
from transducer.solvers.coordinates import ATOL, RTOL, Reduced, integrate, solver
from transducer.solvers.reduced import Question, complete, count
from transducer.solvers.start import Start
from transducer.solvers.symmetry import change, conserved
from transducer.solvers.truncation import Trial, first_guess, settle, strides

if TYPE_CHECKING:
    from scipy.sparse import csc_array
    from threadpoolctl import ThreadpoolController

Complex = NDArray[np.complex128]
Array = NDArray[np.float64]

DIRECT = 2500
"""Unknowns up to which a sparse factorisation is used.

Above it, an incomplete one with iterations is faster: 0.15 s against 0.21 s at 3 100 unknowns,
1.7 s against 300 s at 6 300 (three modes that conserve a parity alone)."""
LARGEST = (40_000, 1024)
"""Most unknowns of a steady state, and largest Hilbert-space dimension, that are tried."""
DROP, FILL = 1e-3, 20
"""Entries dropped from the incomplete factors, and their largest growth."""

NOT_UNIQUE = (
    "the master equation has no unique steady state: some mode has no loss, a qubit keeps what it "
    "stores, or a drive keeps some states apart; give every mode a port, or follow it in time "
    "instead"
)


@cache
def _pools() -> "ThreadpoolController":
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _one_thread() -> AbstractContextManager[object]:
    """One BLAS thread: SuperLU's products are tiny, and idle threads that spin cost thirtyfold."""
    limit: AbstractContextManager[object] = _pools().limit(limits=1, user_api="blas")
    return limit


class Factors:
    """Solves A x = b for one matrix: factorised, or iterated behind an incomplete factorisation."""

    def __init__(self, matrix: "csc_array") -> None:
        from scipy.sparse.linalg import spilu, splu

        self.matrix = matrix
        self.direct = matrix.shape[0] <= DIRECT
        try:
            with _one_thread():
                self.factors = splu(matrix) if self.direct else spilu(matrix, DROP, FILL)
        except RuntimeError as error:
            raise ValidityError(NOT_UNIQUE) from error

    @property
    def singular(self) -> bool:
        """Whether a pivot vanishes against the largest, to rounding."""
        pivots = np.abs(self.factors.U.diagonal())
        return bool(np.min(pivots) < 1e-13 * np.max(pivots))

    def solve(self, right: Complex, matrix: "csc_array | None" = None) -> Complex:
        """Solve for one right-hand side [as given]; `matrix` may be a near one, if iterated."""
        from scipy.sparse.linalg import LinearOperator, gmres, splu

        if self.direct and matrix is None:
            return np.asarray(self.factors.solve(right))
        matrix = self.matrix if matrix is None else matrix
        behind = LinearOperator(matrix.shape, self.factors.solve, dtype=np.complex128)
        found, failed = gmres(matrix, right, M=behind, rtol=1e-12, restart=80, maxiter=8)
        if failed:
            return np.asarray(splu(matrix).solve(right))
        return np.asarray(found)


class Stationary:
    """Steady state of one model at one choice of levels, and what follows from it.

    Parameters
    ----------
    model : Hamiltonian
        Nothing in it may depend on time.
    levels : mapping of str to int
        Levels of each mode.

    Raises
    ------
    ValidityError
        If a factor depends on time, or no unique steady state exists.
    """

    def __init__(self, model: Hamiltonian, levels: Mapping[str, int]) -> None:
        if next(iter(model.modulations()), None) is not None:
            raise ValidityError(
                "a steady state needs a model that stands still; follow a pulse with evolve"
            )
        self.model = model
        self.space = Space(model.modes, levels)
        self.symmetry = conserved(model)
        self.scale = max((c.kappa for c in model.channels), default=0.0) or 1.0
        self.largest = 0
        zero = self.symmetry.order(np.zeros(len(model.modes), dtype=np.int64))
        self.block = self._made([zero])
        self.vector = self._steady()

    def _made(self, orders: Sequence[Order]) -> Block:
        block = Block(self.space, self.symmetry, orders)
        self.largest = max(self.largest, block.size)
        return block

    def _steady(self) -> Complex:
        matrix = (self.block.generator(self.model)[0].matrix / self.scale).tolil()
        # the rows of populations sum to zero: one of them becomes the trace
        matrix[0, :] = self.block.trace
        right = np.zeros(self.block.size, dtype=np.complex128)
        right[0] = 1.0
        factors = Factors(matrix.tocsc())
        if factors.singular:
            raise ValidityError(NOT_UNIQUE)
        vector = factors.solve(right)
        here = self.block.position(self.block.j, self.block.i)
        if not np.all(np.isfinite(vector)):
            raise ValidityError(NOT_UNIQUE)
        return np.asarray((vector + np.conj(vector[here])) / 2)

    def expect(self, operator: Polynomial) -> complex:
        """Expectation value in the steady state."""
        return complex(self.block.functional(operator) @ self.vector)

    def populations(self, mode: str) -> Array:
        """Populations of the levels of one mode, shape (levels,)."""
        k = self.space.modes.index(mode)
        diagonal = self.block.i == self.block.j
        level = self.space.numbers[k, self.block.i[diagonal]]
        weights = self.vector[diagonal].real
        counted = np.bincount(level, weights=weights, minlength=self.space.levels[k])
        return np.asarray(counted, dtype=np.float64)

    def times(self, left: Polynomial | None, right: Polynomial | None) -> tuple[Block, Complex]:
        r"""Block and vector of :math:`A\rho B^\dagger` of the steady state; None is 1."""
        modes = self.model.modes
        still = np.zeros(len(modes), dtype=np.int64)
        kets = [still] if left is None else [change(t, modes) for t in left]
        bras = [still] if right is None else [change(t, modes) for t in right]
        target = self._made([self.symmetry.order(a - b) for a in kets for b in bras])
        return target, self.block.map_to(target, left, right) @ self.vector

    def resolvents(
        self, omega: Array, block: Block, questions: Sequence[tuple[Complex, Complex]]
    ) -> list[Complex]:
        r"""Half-sided transforms :math:`\int_0^\infty dt\,e^{i\omega t}\,r\,e^{Lt}x` [s].

        One factorisation per frequency serves all `questions` (x, r) in one block; where the block
        is large, one serves all frequencies as a preconditioner. Vectors x must have no trace.
        """
        from scipy.sparse import csc_array, eye_array

        answers = [np.zeros(omega.shape, dtype=np.complex128) for _ in questions]
        if all(not np.any(x) or not np.any(r) for x, r in questions):
            return answers
        still = csc_array(block.generator(self.model)[0].matrix / self.scale)
        one = eye_array(block.size, dtype=np.complex128, format="csc")
        near: Factors | None = None
        pinned = int(np.argmax(block.trace.real))
        for k, w in np.ndenumerate(omega):
            matrix = (still + (1j * w / self.scale) * one).tocsc()
            if w == 0 and np.any(block.trace):
                # what has no trace keeps none: that fixes the one free solution
                matrix = matrix.tolil()
                matrix[pinned, :] = block.trace
                matrix = matrix.tocsc()
            if near is None or near.direct:
                near = Factors(matrix)
            for q, (x, r) in enumerate(questions):
                if np.any(x) and np.any(r):
                    if w == 0 and np.any(block.trace):
                        x = np.where(np.arange(block.size) == pinned, 0.0, x)
                    found = near.solve(x, None if near.direct else matrix)
                    answers[q][k] = -(r @ found) / self.scale
        return answers


@dataclass(frozen=True)
class Steady:
    """A steady state.

    Parameters
    ----------
    values : mapping of str to complex
        Expectation values of what was asked.
    route : str
        How it was solved.
    approximations : tuple of str
        What the model neglects.
    truncation : Truncation, optional
        How the Fock space was chosen; None if the levels were given.
    """

    values: Mapping[str, complex]
    route: str
    approximations: tuple[str, ...]
    truncation: Truncation | None


def steady(
    model: Hamiltonian,
    asked: Mapping[str, Polynomial],
    *,
    levels: Mapping[str, int] | None = None,
    accuracy: float = 1e-6,
) -> Steady:
    r"""Steady state of a master equation, :math:`\mathcal L\rho=0`.

    Parameters
    ----------
    model : Hamiltonian
        Stands still.
    asked : mapping of str to Polynomial
        Operators.
    levels : mapping of str to int, optional
        Levels of each mode; by default they grow until nothing asked moves by more than `accuracy`.
    accuracy : float
        Largest change allowed on enlarging, relative to each quantity [1]; below 1e-3 absolute.

    Raises
    ------
    ValidityError
        If there is no unique one, or the model depends on time.
    TruncationError
        If the Fock space it would need is too large.

    Examples
    --------
    >>> from transducer.hamiltonian import Channel, Hamiltonian, number
    >>> warm = Hamiltonian(("a",), (), (Channel("bath", (("a", 1.0),), 0.25),))
    >>> print(f"{steady(warm, {'n': number('a')}).values['n'].real:.6f}")
    0.250000
    """

    def trial(chosen: dict[str, int]) -> Trial:
        solved = Stationary(model, chosen)
        values = tuple(np.array(solved.expect(operator)) for operator in asked.values())
        populations = {mode: solved.populations(mode) for mode in model.modes}
        return Trial(values, populations, solved.block.size)

    answer, truncation = settled(trial, model, levels, accuracy)
    values = {name: complex(v) for name, v in zip(asked, answer.values, strict=True)}
    how = "factorised" if answer.block <= DIRECT else "iterated behind an incomplete factorisation"
    route = f"steady state of {answer.block} unknowns, {how}"
    return Steady(values, route, model.approximations, truncation)


def settled(
    trial: Callable[[dict[str, int]], Trial],
    model: Hamiltonian,
    levels: Mapping[str, int] | None,
    accuracy: float,
) -> tuple[Trial, Truncation | None]:
    """Answer of a steady-state question at given levels, or at levels that have settled."""
    if levels is not None:
        return trial(complete(model, levels)), None
    symmetry = conserved(model)
    zero = symmetry.order(np.zeros(len(model.modes), dtype=np.int64))

    def size(chosen: Mapping[str, int]) -> int:
        return count(Space(model.modes, chosen), symmetry, [zero])

    least = strides(model, bool(len(symmetry.parities)) or not symmetry.exists)
    guess = first_guess(model, Start(), accuracy)
    return settle(trial, model, guess, accuracy, size, least, LARGEST)


def correlation(
    model: Hamiltonian,
    left: Polynomial,
    right: Polynomial,
    delays: Array,
    *,
    levels: Mapping[str, int] | None = None,
    accuracy: float = 1e-6,
) -> Complex:
    r"""Steady-state correlation :math:`\langle A(t+\tau)B(t)\rangle` at delays τ >= 0.

    Parameters
    ----------
    model : Hamiltonian
        Stands still.
    left, right : Polynomial
        A and B.
    delays : array_like, shape (t,)
        τ [s], increasing from zero on.
    levels, accuracy
        As in `steady`.

    Returns
    -------
    ndarray of complex, shape (t,)
        In units of A times B.

    Source: Gardiner and Zoller, *Quantum Noise*, section 5.2 (regression theorem).
    """
    delays = np.atleast_1d(np.asarray(delays, dtype=np.float64))
    checks.number("correlation: delays", delays, "s", at_least=0.0)
    if np.any(np.diff(delays) <= 0):
        raise ParameterError("correlation: delays [s] must increase; sort them")
    grid = delays if delays[0] == 0 else np.concatenate([[0.0], delays])

    def trial(chosen: dict[str, int]) -> Trial:
        solved = Stationary(model, chosen)
        block, x = solved.times(right, None)
        row = block.functional(left)
        steps = integrate(solver(block.generator(model), RTOL, ATOL), x, grid, (), False)
        values = np.array([row @ v for k, _, v in steps if k is not None])
        populations = {mode: solved.populations(mode) for mode in model.modes}
        return Trial((values,), populations, block.size)

    answer, _ = settled(trial, model, levels, accuracy)
    return np.asarray(answer.values[0][len(grid) - len(delays) :], dtype=np.complex128)


def spectrum(
    model: Hamiltonian,
    left: Polynomial,
    right: Polynomial,
    omega: Array,
    *,
    levels: Mapping[str, int] | None = None,
    accuracy: float = 1e-6,
) -> Array:
    r"""Spectrum of two operators in the steady state, their means taken out.

    .. math:: 2\,\mathrm{Re}\int_0^\infty d\tau\,e^{-i\omega\tau}
              \big[\langle A(\tau)B(0)\rangle-\langle A\rangle\langle B\rangle\big]

    Parameters
    ----------
    model : Hamiltonian
        Stands still.
    left, right : Polynomial
        A and B; :math:`L^\dagger` and L of a port give the spectrum of what it emits, with
        frequencies as in :math:`e^{-i\omega t}`: a mode at δ emits at δ.
    omega : array_like, shape (n,)
        Angular frequencies from the frame [rad/s].
    levels, accuracy
        As in `steady`.

    Returns
    -------
    ndarray, shape (n,)
        [s] times the units of A and B.
    """
    omega = np.atleast_1d(np.asarray(omega, dtype=np.float64))
    checks.number("spectrum: omega", omega, "rad/s")

    def trial(chosen: dict[str, int]) -> Trial:
        solved = Stationary(model, chosen)
        block, x = solved.times(right, None)
        x = x - solved.expect(right) * block.pack(solved.block.unpack(solved.vector))
        value = solved.resolvents(-omega, block, [(x, block.functional(left))])[0]
        populations = {mode: solved.populations(mode) for mode in model.modes}
        return Trial((2 * value.real,), populations, block.size)

    answer, _ = settled(trial, model, levels, accuracy)
    return np.asarray(answer.values[0], dtype=np.float64)


def coherence(
    model: Hamiltonian,
    start: Start,
    channel: Channel,
    times: Array,
    levels: Mapping[str, int],
    rtol: float = RTOL,
    atol: float = ATOL,
) -> Complex:
    r"""First-order coherence of what leaves by a port, :math:`\langle L^\dagger(t)L(t')\rangle`.

    Parameters
    ----------
    model : Hamiltonian
        May depend on time.
    start : Start
        State at the first instant.
    channel : Channel
        The port; its bath must be cold, or what comes in would be part of what goes out.
    times : ndarray, shape (t,)
        Increasing [s]; the first is the beginning.
    levels : mapping of str to int
        Levels of each mode.
    rtol, atol : float
        Tolerances of the integrator [1].

    Returns
    -------
    ndarray of complex, shape (t, t)
        Element (k, l) at times k, l [1/s]; Hermitian.

    Source: Gardiner and Zoller, *Quantum Noise*, section 5.2 (regression theorem).
    """
    require_cold(channel, "its coherence")
    question = Question(model, start, times, {})
    space, symmetry = Space(model.modes, levels), question.symmetry
    matrix = start.matrix(space)
    coo = matrix.tocoo()
    moved = space.numbers[:, coo.row] - space.numbers[:, coo.col]
    modes, L = model.modes, channel.leaving
    lifts = symmetry.orders(tuple(t.adjoint() for t in L), modes)
    # <L^dag(t) L(t')> sees only orders that L^dag closes: those of L rho with rho of order zero
    zero = symmetry.order(np.zeros(len(modes), dtype=np.int64))
    has = {symmetry.order(m) for m in np.unique(moved, axis=1).T}
    forward = Reduced(model, space, matrix, {zero} & has or {zero}, symmetry, hermitian=False)
    lowered = {symmetry.negative(order) for order in lifts}
    target = Block(space, symmetry, lowered)
    onwards = solver(target.generator(model), rtol, atol)
    maps = [forward.block.map_to(target, (_still(t),), None) for t in L]
    rows = [target.functional((_still(t.adjoint()),)) for t in L]
    factors = np.array(
        [[1.0 if t.modulation is None else t.modulation.factor(s) for s in times] for t in L],
        dtype=np.complex128,
    )
    breaks = model.breaks()
    G = np.zeros((len(times), len(times)), dtype=np.complex128)
    with progress("two-time correlation", len(times)) as bar:
        for m, _, vector in forward.run(times, breaks, rtol, atol):
            if m is None:
                continue
            x = forward.block_vector(vector)
            lowered_now = sum(f * (move @ x) for f, move in zip(factors[:, m], maps, strict=True))
            for k, _, v in integrate(onwards, np.asarray(lowered_now), times[m:], breaks):
                if k is None:
                    continue
                seen = [np.conj(f) * (r @ v) for f, r in zip(factors[:, m + k], rows, strict=True)]
                G[m + k, m] = sum(seen)
                G[m, m + k] = np.conj(G[m + k, m])
            bar.step()
    return G


def _still(term: Term) -> Term:
    return replace(term, modulation=None)


def require_cold(channel: Channel, what: str) -> None:
    """Refuse a port through which thermal noise comes in.

    Raises
    ------
    ValidityError
        If its occupation is not zero.
    """
    if channel.occupation > 0:
        raise ValidityError(
            f"port '{channel.name}' has a bath of {channel.occupation:.3g} quanta: {what} would "
            "hold what comes in as well; put the noise on another port, or cool this one"
        )


def propagator(
    model: Hamiltonian,
    levels: Mapping[str, int],
    begin: float,
    end: float,
    order: Order | None = None,
) -> tuple[Block, Complex]:
    r"""Propagator :math:`\mathcal U(t_1,t_0)` of one coherence order, as a dense matrix.

    Parameters
    ----------
    model : Hamiltonian
        May depend on time.
    levels : mapping of str to int
        Levels of each mode.
    begin, end : float
        t_0 and t_1 [s].
    order : tuple of int, optional
        Coherence order; by default that of the populations.

    Returns
    -------
    Block
        Which element is where.
    ndarray of complex, shape (n, n)
        Acts on `Block.pack` of a density matrix.

    Raises
    ------
    TruncationError
        If it would have more than 4 000 rows.
    """
    import qutip

    space, symmetry = Space(model.modes, levels), conserved(model)
    zero = symmetry.order(np.zeros(len(model.modes), dtype=np.int64))
    block = Block(space, symmetry, [order if order is not None else zero])
    if block.size > 4000:
        raise TruncationError(
            f"a propagator of {block.size} rows is beyond 4000; evolve states with it instead"
        )
    engine = solver(block.generator(model), RTOL, ATOL)
    marks = [b for b in model.breaks() if begin < b < end]
    state = qutip.qeye(block.size)
    for a, b in zip([begin, *marks], [*marks, end], strict=True):
        engine.start(state, a)
        state = engine.step(b)
    return block, np.asarray(state.full())
