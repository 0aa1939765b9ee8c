"""Master equations solved where they live: in the coherence orders that the question needs.

The conserved charges are found, one block is assembled, cut to what can be reached, gauged and
folded where everything can be made real, and handed to QuTiP's own integrators.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.errors import ParameterError
from transducer.conversion import Truncation
from transducer.hamiltonian import Hamiltonian, Modulation, Polynomial
from transducer.progress import Interrupted, Progress, progress
from transducer.solvers.blocks import Block, Order, Piece, Space
from transducer.solvers.start import Start
from transducer.solvers.symmetry import Symmetry, change, conserved
from transducer.solvers.truncation import Trial, first_guess, kept_modes, settle, strides

if TYPE_CHECKING:
    import qutip
    from scipy.sparse import csr_array

Complex = NDArray[np.complex128]
Array = NDArray[np.float64]

LOOKS = 101
"""Instants at which a run stops at least: to look at the populations, and to see every pulse."""
RTOL, ATOL = 1e-8, 1e-10
"""Tolerances of the integrator at the default accuracy of 1e-6."""


@dataclass(frozen=True)
class Evolution:
    """What a master equation says in time.

    Parameters
    ----------
    times : ndarray, shape (t,)
        Instants [s].
    values : mapping of str to ndarray of complex, shape (t,)
        Expectation values of what was asked.
    kept : tuple of str
        Modes whose joint state at the last instant was asked.
    state : ndarray of complex, shape (d, d)
        Their density matrix, in the order of `kept`; (1, 1) of the trace if none was.
    dimensions : tuple of int
        Levels of the kept modes.
    route : str
        How it was solved: the charge, the unknowns, whether they were folded.
    approximations : tuple of str
        What the model neglects, in words.
    truncation : Truncation, optional
        How the Fock space was chosen; None if the levels were given.
    """

    times: Array
    values: Mapping[str, Complex]
    kept: tuple[str, ...]
    state: Complex
    dimensions: tuple[int, ...]
    route: str
    approximations: tuple[str, ...]
    truncation: Truncation | None

    def __str__(self) -> str:
        """Route, truncation and approximations, one line each."""
        lines = [self.route]
        if self.truncation is not None:
            t = self.truncation
            levels = ", ".join(f"{n} of {mode}" for mode, n in t.levels.items())
            lines.append(
                f"levels: {levels}; enlarging moved the answers by {t.change:.2g} of the asked "
                f"accuracy, the highest level holds {t.leakage:.1e}"
            )
        lines += [f"neglected: {said}" for said in self.approximations]
        return "\n".join(lines)


@dataclass(frozen=True)
class Partial:
    """An evolution that was interrupted.

    Parameters
    ----------
    levels : mapping of str to int
        Levels it ran with.
    times : ndarray, shape (t,)
        Instants that were asked [s].
    done : int
        Instants that are finished.
    reached : float
        Instant of `vector` [s], at the last finished one or beyond it.
    free : bool
        Whether the levels were the toolkit's choice, still to be checked.
    values : mapping of str to ndarray of complex, shape (done,)
        What was asked, so far.
    vector : ndarray of complex
        State at `reached`, in the coordinates of the run.
    populations : mapping of str to ndarray
        Largest populations so far.
    """

    levels: Mapping[str, int]
    times: Array
    done: int
    reached: float
    free: bool
    values: Mapping[str, Complex]
    vector: Complex
    populations: Mapping[str, Array]


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
        reached = _closure(pieces, np.flatnonzero(x))
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
            parts.append([operator, qutip.coefficient(_plain(piece.modulation))])
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


def _plain(modulation: Modulation) -> object:
    factor = modulation.factor
    return lambda t: complex(factor(t))


def _square(matrix: "csr_array", keep: NDArray[np.int64]) -> "csr_array":
    if len(keep) == matrix.shape[0]:
        return matrix
    return matrix[keep][:, keep]


def _closure(pieces: Sequence[Piece], support: NDArray[np.int64]) -> NDArray[np.int64]:
    """Everything that the pieces can reach from the elements in `support`, sorted."""
    size = pieces[0].matrix.shape[0]
    reached = np.zeros(size, dtype=bool)
    reached[support] = True
    patterns = [abs(p.matrix) for p in pieces]
    while True:
        found = reached.copy()
        for pattern in patterns:
            found |= (pattern @ reached.astype(np.float64)) > 0
        if np.array_equal(found, reached):
            return np.flatnonzero(reached)
        reached = found


@dataclass(frozen=True)
class Question:
    """What is asked of an evolution, before levels are chosen.

    Parameters
    ----------
    model : Hamiltonian
        The master equation.
    start : Start
        State at the first instant.
    times : ndarray, shape (t,)
        Instants [s], increasing.
    asked : mapping of str to Polynomial
        Operators whose expectation values are wanted.
    kept : tuple of str
        Modes whose joint state at the end is wanted.
    """

    model: Hamiltonian
    start: Start
    times: Array
    asked: Mapping[str, Polynomial]
    kept: tuple[str, ...] = ()

    @cached_property
    def symmetry(self) -> Symmetry:
        """What the model conserves."""
        return conserved(self.model)

    def orders(self, space: Space, matrix: "csr_array") -> set[Order]:
        """Coherence orders that the start has and the question needs, one of each ± pair."""
        symmetry, modes = self.symmetry, self.model.modes
        coo = matrix.tocoo()
        moved = space.numbers[:, coo.row] - space.numbers[:, coo.col]
        has = {symmetry.order(m) for m in np.unique(moved, axis=1).T}
        wanted: set[Order] = {symmetry.order(np.zeros(len(modes), dtype=np.int64))}
        for operator in self.asked.values():
            for order in symmetry.orders(operator, modes):
                wanted |= {order, symmetry.negative(order)}
        if self.kept:
            positions = kept_modes(modes, self.kept)
            steps = np.meshgrid(
                *(np.arange(1 - space.levels[k], space.levels[k]) for k in positions)
            )
            table = np.zeros((len(modes), steps[0].size), dtype=np.int64)
            for k, step in zip(positions, steps, strict=True):
                table[k] = step.ravel()
            wanted |= {symmetry.order(column) for column in np.unique(table, axis=1).T}
        return {max(order, symmetry.negative(order)) for order in has & wanted}

    def size(self, levels: Mapping[str, int]) -> int:
        """Unknowns of the block at these levels, before anything is cut or folded."""
        space = Space(self.model.modes, levels)
        if not self.symmetry.exists:
            return space.dimension**2
        return count(space, self.symmetry, self.orders(space, self.start.matrix(space)))


def count(space: Space, symmetry: Symmetry, orders: Iterable[Order]) -> int:
    """Elements of these coherence orders, without listing them."""
    labels = np.concatenate(
        [symmetry.charges @ space.numbers, (symmetry.parities @ space.numbers) % 2]
    )
    values, amount = np.unique(labels, axis=1, return_counts=True)
    held = {tuple(map(int, v)): int(a) for v, a in zip(values.T, amount, strict=True)}
    c = len(symmetry.charges)
    total = 0
    for order in orders:
        for value, amount_here in held.items():
            ket = [v + k for v, k in zip(value[:c], order[:c], strict=True)]
            ket += [(v + k) % 2 for v, k in zip(value[c:], order[c:], strict=True)]
            total += amount_here * held.get(tuple(ket), 0)
    return total


def evolve(
    model: Hamiltonian,
    start: Start,
    times: Array,
    asked: Mapping[str, Polynomial],
    *,
    kept: Sequence[str] = (),
    levels: Mapping[str, int] | None = None,
    accuracy: float = 1e-6,
    resume: Partial | None = None,
) -> Evolution:
    r"""Follow a master equation in time, pulses and all.

    .. math:: \dot\rho = \mathcal L(t)\rho,\qquad \langle A\rangle(t)=\mathrm{Tr}[A\rho(t)]

    Parameters
    ----------
    model : Hamiltonian
        Hamiltonian over ħ [rad/s], ports and jumps; its factors in time may be anything.
    start : Start
        State at the first instant.
    times : array_like, shape (t,)
        Increasing instants [s]; the first is the beginning.
    asked : mapping of str to Polynomial
        Operators, for example ``{"photons": number("optical")}``.
    kept : sequence of str
        Modes whose joint density matrix at the last instant is wanted as well.
    levels : mapping of str to int, optional
        Levels of each mode; by default they grow until nothing asked moves by more than `accuracy`.
    accuracy : float
        Largest change allowed on enlarging, relative to the largest value of each quantity [1],
        quantities below 1e-3 counted as absolute; the integrator works 100 times finer.
    resume : Partial, optional
        What an interrupted run left: it goes on at the same levels.

    Returns
    -------
    Evolution
        ``print`` it for the route, the truncation and what the model neglects.

    Raises
    ------
    TruncationError
        If the Fock space it would need is too large; the sentence says what it would take.
    Interrupted
        On Ctrl-C; its `partial` can be given as `resume`.

    Notes
    -----
    Weak symmetries: Buca and Prosen, New J. Phys. 14, 073007 (2012). Without any, plain
    ``qutip.mesolve`` runs and `route` says so.

    Examples
    --------
    >>> from transducer.hamiltonian import Channel, Hamiltonian, number
    >>> decay = Hamiltonian(("a",), (), (Channel("out", (("a", 1.0),), 0.0),))
    >>> found = evolve(decay, Start.fock(a=1), np.array([0.0, 1.0]), {"n": number("a")})
    >>> print(f"{found.values['n'][-1].real:.7f}")
    0.3678794
    """
    times = np.atleast_1d(np.asarray(times, dtype=np.float64))
    checks.number("evolve: times", times, "s")
    checks.number("evolve: accuracy", accuracy, "1", above=0.0, below=1.0)
    if np.any(np.diff(times) <= 0):
        raise ParameterError("evolve: times [s] must increase; sort them and drop repeated ones")
    named = {op.mode for operator in asked.values() for t in operator for op in t.operators}
    for mode in sorted(named | set(kept) | start.modes):
        if mode not in model.modes:
            raise ParameterError(f"evolve: there is no mode '{mode}'; there are {model.modes}")
    question = Question(model, start, times, dict(asked), tuple(kept))
    rtol, atol = min(RTOL, accuracy / 100), min(ATOL, accuracy / 10_000)
    route: list[str] = []
    states: dict[tuple[int, ...], Complex] = {}

    free = levels is None

    def trial(chosen: dict[str, int]) -> Trial:
        go_on = resume if resume is not None and dict(resume.levels) == chosen else None
        label = f"master equation, {'x'.join(map(str, chosen.values()))} levels"
        with progress(label, len(times) + LOOKS - 1) as bar:
            answer, state, said = _follow(question, chosen, rtol, atol, bar, go_on, free)
        states[tuple(chosen.values())] = state
        route.append(said)
        return answer

    truncation = None
    free = levels is None and (resume is None or resume.free)
    if not free:
        chosen = complete(model, resume.levels if resume is not None else levels or {})
        answer = trial(chosen)
    else:
        symmetry = question.symmetry
        least = strides(model, bool(len(symmetry.parities)) or not symmetry.exists)
        guess = first_guess(model, start, accuracy) if resume is None else dict(resume.levels)
        answer, truncation = settle(trial, model, guess, accuracy, question.size, least)
        chosen = dict(truncation.levels)
    values = {
        name: np.asarray(v, dtype=np.complex128)
        for name, v in zip(asked, answer.values, strict=False)
    }
    dimensions = tuple(chosen[m] for m in kept)
    state = states[tuple(chosen.values())]
    return Evolution(
        times, values, tuple(kept), state, dimensions, route[-1], model.approximations, truncation
    )


def complete(model: Hamiltonian, levels: Mapping[str, int]) -> dict[str, int]:
    """Levels of all modes, those that physics fixes filled in."""
    fixed = dict(model.levels)
    unknown = sorted(set(levels) - set(model.modes))
    if unknown:
        raise ParameterError(f"levels: there is no mode '{unknown[0]}'; there are {model.modes}")
    for mode, n in levels.items():
        checks.number(f"levels of {mode}", n, "1", at_least=1)
    for mode, n in fixed.items():
        if levels.get(mode, n) != n:
            raise ParameterError(
                f"levels: mode '{mode}' has {n} levels by its physics, not {levels[mode]}"
            )
    missing = [m for m in model.modes if m not in levels and m not in fixed]
    if missing:
        raise ParameterError(f"levels: mode '{missing[0]}' has none; give each of {model.modes}")
    return {m: fixed.get(m, levels.get(m, 0)) for m in model.modes}


def _follow(
    question: Question,
    levels: dict[str, int],
    rtol: float,
    atol: float,
    bar: Progress,
    resume: Partial | None,
    free: bool,
) -> tuple[Trial, Complex, str]:
    """One evolution at given levels: what was asked, the kept state and the route."""
    space = Space(question.model.modes, levels)
    matrix = question.start.matrix(space)
    breaks = question.model.breaks()
    symmetry = question.symmetry
    orders = question.orders(space, matrix)
    reduced = Reduced(question.model, space, matrix, orders, symmetry)
    block = reduced.block
    first = [reduced.row(block.functional(op)) for op in question.asked.values()]
    # of each pair of orders one is kept: the other is its Hermitian conjugate
    second = [
        reduced.row(_without_order_zero(block, op, symmetry)) for op in question.asked.values()
    ]
    rows = np.array(first, dtype=np.complex128).reshape(len(first), reduced.size)
    mirrored = np.array(second, dtype=np.complex128).reshape(len(second), reduced.size)
    populations = _population_rows(reduced)
    values = np.zeros((len(first), len(question.times)), dtype=np.complex128)
    highest = {mode: np.zeros(n) for mode, n in levels.items()}
    times, offset = question.times, 0
    if resume is not None:
        _require_same(resume, question)
        offset = resume.done - 1
        times = np.concatenate([[resume.reached], times[resume.done :]])
        reduced.vector = resume.vector
        for k, name in enumerate(question.asked):
            values[k, : resume.done] = resume.values[name]
        highest = {mode: np.array(p) for mode, p in resume.populations.items()}
        bar.step(offset)
    vector, done, reached = reduced.vector, max(offset, 0), float(times[0])
    try:
        if symmetry.exists:
            steps = reduced.run(times, breaks, rtol, atol, looks=free)
        else:
            steps = _plain_mesolve(question.model, space, reduced, times, breaks, rtol, atol)
        for index, instant, vector in steps:
            reached = instant
            if index is not None:
                if index > 0 or resume is None:
                    values[:, offset + index] = rows @ vector + np.conj(mirrored @ vector)
                done = offset + index + 1
            for mode, row in populations.items():
                highest[mode] = np.maximum(highest[mode], (row @ vector).real)
            bar.step()
    except KeyboardInterrupt:
        partial = Partial(
            levels,
            question.times,
            done,
            reached,
            free,
            {name: values[n, :done] for n, name in enumerate(question.asked)},
            vector,
            highest,
        )
        raise Interrupted(
            f"stopped after {done} of {len(question.times)} instants; go on with resume=, given "
            "the 'partial' of this interrupt",
            partial,
        ) from None
    state = _kept_state(reduced, vector, question.kept, symmetry)
    said = _route(reduced, symmetry, question.model)
    counts = [levels[mode] for mode in question.kept]
    asked = (*values, state.reshape(counts + counts)) if question.kept else tuple(values)
    trial = Trial(asked, highest, reduced.size)
    return trial, state, said


def _require_same(resume: Partial, question: Question) -> None:
    same = np.array_equal(resume.times, question.times)
    if set(resume.values) != set(question.asked) or not same:
        raise ParameterError(
            f"evolve: the interrupted run asked for {sorted(resume.values)} at "
            f"{len(resume.times)} instants; resume it with the same questions and times"
        )


def _without_order_zero(block: Block, operator: Polynomial, symmetry: Symmetry) -> Complex:
    """Functional of the adjoint on the orders whose partner was left out, conjugated later."""
    adjoint = tuple(term.adjoint() for term in operator)
    row = block.functional(adjoint)
    c = len(symmetry.charges)
    charge = symmetry.charges @ block.space.numbers
    alone = np.ones(block.size, dtype=bool)
    for q in charge[:c]:
        alone &= q[block.i] == q[block.j]
    # orders that are their own partner hold both halves already
    return np.where(alone, 0.0, row)


def _population_rows(reduced: Reduced) -> dict[str, "csr_array"]:
    from scipy.sparse import coo_array

    block, space = reduced.block, reduced.space
    diagonal = np.flatnonzero(block.i == block.j)
    rows = {}
    for k, mode in enumerate(space.modes):
        level = space.numbers[k, block.i[diagonal]]
        shape = (space.levels[k], block.size)
        whole = coo_array((np.ones(len(diagonal)), (level, diagonal)), shape=shape).tocsr()
        part = whole[:, reduced.reached]
        if reduced._expand is not None:
            part = part @ reduced._expand  # the gauge leaves populations alone
        rows[mode] = part.tocsr()
    return rows


def _kept_state(
    reduced: Reduced, vector: Complex, kept: Sequence[str], symmetry: Symmetry
) -> Complex:
    """Partial trace over all modes but the kept ones."""
    space, block = reduced.space, reduced.block
    positions = kept_modes(space.modes, kept)
    dims = [space.levels[k] for k in positions]
    d = int(np.prod(dims)) if dims else 1
    x = reduced.block_vector(vector)
    others = [k for k in range(len(space.modes)) if k not in positions]
    n_i, n_j = space.numbers[:, block.i], space.numbers[:, block.j]
    same = np.all(n_i[others] == n_j[others], axis=0)

    def label(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        index = np.zeros(numbers.shape[1], dtype=np.int64)
        for k, size in zip(positions, dims, strict=True):
            index = index * size + numbers[k]
        return index

    state = np.zeros((d, d), dtype=np.complex128)
    a, b = label(n_i[:, same]), label(n_j[:, same])
    np.add.at(state, (a, b), x[same])
    charge = symmetry.charges @ space.numbers
    alone = np.all(charge[:, block.i] == charge[:, block.j], axis=0)[same]
    np.add.at(state, (b[~alone], a[~alone]), np.conj(x[same][~alone]))
    return state


def _route(reduced: Reduced, symmetry: Symmetry, model: Hamiltonian) -> str:
    d = reduced.space.dimension
    if not symmetry.exists:
        return f"plain mesolve on {d * d} unknowns: no charge survives"
    orders = ", ".join(str(o[0]) if len(o) == 1 else str(o) for o in reduced.block.orders)
    folded = ", real and folded" if reduced.folded else ""
    return (
        f"reduced to {reduced.size} of {d * d} unknowns{folded}: conserved is "
        f"{symmetry.named(model.modes)}; coherence orders {orders}"
    )


def _plain_mesolve(
    model: Hamiltonian,
    space: Space,
    reduced: Reduced,
    times: Array,
    breaks: Sequence[float],
    rtol: float,
    atol: float,
) -> "Iterable[tuple[int | None, float, Complex]]":
    """QuTiP's own master equation on the whole space, its states read in the block's order."""
    import qutip

    from transducer.solvers.operators import operators

    H, c_ops, _ = operators(model, dict(zip(space.modes, space.levels, strict=True)))
    options = {"method": "vern7", "rtol": rtol, "atol": atol, "nsteps": 10_000_000}
    options |= {"progress_bar": "", "normalize_output": False, "interpolate": False}
    solver = qutip.MESolver(H, c_ops, options=options)
    dims = [list(space.levels), list(space.levels)]
    rho = qutip.Qobj(reduced.block.unpack(reduced.block_vector(reduced.vector)), dims=dims)
    yield 0, float(times[0]), reduced.vector
    if len(times) == 1:
        return
    marks = {b for b in breaks if times[0] < b < times[-1]}
    index = {float(t): k for k, t in enumerate(times)}
    solver.start(rho, float(times[0]))
    looks = [float(t) for t in np.linspace(times[0], times[-1], LOOKS)[1:-1]]
    for stop in sorted({*marks, *looks, *map(float, times[1:])}):
        rho = solver.step(stop)
        yield index.get(stop), stop, reduced.coordinates(rho.full())
        if stop in marks:
            solver.start(rho, stop)
