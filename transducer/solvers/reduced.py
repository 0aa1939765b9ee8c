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
from transducer.hamiltonian import Hamiltonian, Polynomial
from transducer.progress import Interrupted, Progress, progress
from transducer.solvers.blocks import Block, Order, Space
from transducer.solvers.coordinates import ATOL, LOOKS, RTOL, Reduced
from transducer.solvers.start import Start
from transducer.solvers.symmetry import Symmetry, conserved
from transducer.solvers.truncation import Trial, first_guess, kept_modes, settle, strides

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Complex = NDArray[np.complex128]
Array = NDArray[np.float64]


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
