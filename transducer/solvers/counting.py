"""Photon counting from the master equation: what a time-tagged herald needs of a node."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product as pairs_of
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.errors import ParameterError, ValidityError
from fibre.clicks import SAMPLES, ClickSource, Superoperator, responses, stretches
from transducer.conversion import Truncation
from transducer.hamiltonian import Hamiltonian, Modulation, Polynomial, conjugate, product
from transducer.nodes import Node
from transducer.solvers.blocks import Block, Order, Piece, Space, closure
from transducer.solvers.coordinates import LOOKS
from transducer.solvers.reduced import complete, count
from transducer.solvers.regression import require_cold
from transducer.solvers.start import Start
from transducer.solvers.symmetry import Symmetry, change, conserved
from transducer.solvers.truncation import Trial, first_guess, settle, strides

if TYPE_CHECKING:
    pass

Complex = NDArray[np.complex128]
Array = NDArray[np.float64]

HALVINGS = 9
"""How often a stretch of time is halved before a factor in time counts as unresolved."""
UNRESOLVED = 1e-8
"""Largest share of a factor in time in the upper quarter of its polynomials [1]."""


@dataclass(frozen=True)
class Clicks:
    """A click source and how it was made.

    Parameters
    ----------
    source : ClickSource
        Plain arrays.
    truncation : Truncation, optional
        How the Fock space was chosen; None if the levels were given.
    route : str
        How many elements are kept, of how many, and what is conserved.
    approximations : tuple of str
        What the model neglects.
    """

    source: ClickSource
    truncation: Truncation | None
    route: str
    approximations: tuple[str, ...]


def emit_clicks(
    node: Node,
    begin: float,
    clock: float,
    *,
    carrier: float = 0.0,
    memory_levels: int = 2,
    most: int = 1,
    levels: Mapping[str, int] | None = None,
    accuracy: float = 1e-6,
) -> Clicks:
    """Reduce a node to what a time-tagged herald needs of it.

    Parameters
    ----------
    node : Node
        Memory, emitter, transducer; the bath of its port must be cold.
    begin, clock : float
        It starts, and its own dynamics end [s].
    carrier : float
        Angular frequency of the frame of its light [rad/s]; two nodes beat at the difference.
    memory_levels : int
        Lowest levels of each memory mode that are read.
    most : int
        Clicks in one gate that the herald may ask for, 1 or 2.
    levels : mapping of str to int, optional
        Levels of each mode; by default they grow until no answer to a click moves by more than
        `accuracy`.
    accuracy : float
        As in `evolve`, for the answers at full efficiency.

    Returns
    -------
    Clicks
        Its `source` goes through link elements and into `fibre.timed.herald_timed`.

    Raises
    ------
    ValidityError
        If the port's bath is warm.
    TruncationError
        If the Fock space it would need is too large.
    """
    if not begin < clock:
        raise ParameterError(f"emit_clicks: begin {begin:g} s must be before clock {clock:g} s")
    checks.number("emit_clicks: memory_levels", memory_levels, "1", at_least=1)
    checks.number("emit_clicks: most", most, "1", at_least=1, at_most=2)
    require_cold(node.model.channel(node.port), "what is counted there")
    inner = begin + (clock - begin) * np.array([0.1, 0.3, 0.5, 0.7, 0.9])

    def made(chosen: Mapping[str, int]) -> tuple[ClickSource, int, Block]:
        return _source(node, begin, clock, carrier, memory_levels, most, chosen)

    def trial(chosen: dict[str, int]) -> Trial:
        source, size, _ = made(chosen)
        found = responses(source, inner, (begin, clock), 1.0)
        scale = clock - begin
        values = (
            found.silent,
            found.click * scale,
            found.left * np.sqrt(scale),
        )
        # states between clicks are not looked at: every mode counts as leaking
        populations = {mode: np.ones(2) for mode in node.model.modes}
        return Trial(values, populations, size)

    truncation = None
    if levels is None:
        symmetry = conserved(node.model)
        starts = node.start(*_equal(node))
        guess = first_guess(node.model, starts, accuracy)
        for mode in node.memory:
            if mode in node.model.growing:
                guess[mode] = max(guess[mode], memory_levels)

        def size(chosen: Mapping[str, int]) -> int:
            space = Space(node.model.modes, chosen)
            orders = _orders(node, space, symmetry, memory_levels, most)
            return count(space, symmetry, orders)

        least = strides(node.model, bool(len(symmetry.parities)) or not symmetry.exists)
        _, truncation = settle(trial, node.model, guess, accuracy, size, least)
        levels = truncation.levels
    source, size_, block = made(complete(node.model, levels))
    d = block.space.dimension
    route = (
        f"{size_} of {d * d} elements of the density matrix; conserved is "
        f"{block.symmetry.named(node.model.modes)}"
    )
    return Clicks(source, truncation, route, node.model.approximations)


def _equal(node: Node) -> tuple[complex, ...]:
    n = len(node.kets)
    return (1 / np.sqrt(n),) * n


def _memory_elements(
    node: Node, space: Space, memory_levels: int
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    counts = []
    for mode in node.memory:
        n = space.levels[space.modes.index(mode)]
        if memory_levels > n:
            raise ParameterError(
                f"memory '{mode}' has {n} levels, {memory_levels} are to be read; give it more"
            )
        counts.append(range(memory_levels))
    states = list(pairs_of(*counts))
    return [(a, b) for a in states for b in states]


def _orders(
    node: Node, space: Space, symmetry: Symmetry, memory_levels: int, most: int
) -> set[Order]:
    """Coherence orders between what is prepared and what the memory is read in."""
    modes = space.modes
    read: set[Order] = set()
    for ket, bra in _memory_elements(node, space, memory_levels):
        moved = np.zeros(len(modes), dtype=np.int64)
        for mode, a, b in zip(node.memory, ket, bra, strict=True):
            moved[modes.index(mode)] = a - b
        read.add(symmetry.order(moved))
    prepared: set[Order] = set()
    levels = [np.array([dict(ket).get(m, 0) for m in modes], dtype=np.int64) for ket in node.kets]
    for ket_levels in levels:
        for bra_levels in levels:
            prepared.add(symmetry.order(ket_levels - bra_levels))
    operator = node.model.channel(node.port).leaving
    lowers = [change(t, modes) for t in operator]
    # a click takes one step down on one side, or both sides alike
    steps = {symmetry.order(sign * s) for s in lowers for sign in (1, -1)}
    reach = [prepared]
    for _ in range(most):
        reach.append(reach[-1] | {_sum(o, s, symmetry) for o in reach[-1] for s in steps})
    back = [read]
    for _ in range(most):
        back.append(back[-1] | {_sum(o, s, symmetry) for o in back[-1] for s in steps})
    needed: set[Order] = set()
    for k in range(most + 1):
        needed |= reach[k] & back[most - k]
    return needed or prepared


def _sum(a: Order, b: Order, symmetry: Symmetry) -> Order:
    c = len(symmetry.charges)
    plus = [x + y for x, y in zip(a, b, strict=True)]
    return tuple(plus[:c] + [x % 2 for x in plus[c:]])


def _source(
    node: Node,
    begin: float,
    clock: float,
    carrier: float,
    memory_levels: int,
    most: int,
    levels: Mapping[str, int],
) -> tuple[ClickSource, int, Block]:
    model = node.model
    space, symmetry = Space(model.modes, levels), conserved(model)
    block = Block(space, symmetry, _orders(node, space, symmetry, memory_levels, most))
    b = model.channel(node.port).leaving
    generator = block.generator(model)
    click = _both(block, b)
    left, right = _one_side(block, b, True), _one_side(block, b, False)
    inputs = np.stack([block.pack(m) for m in _inputs(node, space)], axis=1)
    outputs = np.stack(
        [_reader(node, block, *e) for e in _memory_elements(node, space, memory_levels)]
    )
    keep = _needed([generator, click, left, right], inputs, outputs)
    breaks = _cuts(model, begin, clock, [generator, click, left, right])
    grid = stretches(begin, clock, breaks)

    def kept(pieces: Sequence[Piece]) -> Superoperator:
        matrices = tuple(p.matrix[keep][:, keep].tocsr() for p in pieces)
        if all(p.modulation is None for p in pieces):
            return Superoperator((sum(matrices[1:], matrices[0]),), np.zeros((1, 0, 0), complex))
        factors = [_sampled(p.modulation, grid) for p in pieces]
        return Superoperator(matrices, np.array(factors))

    source = ClickSource(
        kept(generator),
        kept(click),
        kept(left),
        kept(right),
        inputs[keep],
        outputs[:, keep],
        breaks,
        begin,
        clock,
        carrier,
        most,
    )
    return source, len(keep), block


def _sampled(modulation: Modulation | None, grid: Array) -> Complex:
    """Values at Chebyshev nodes of every stretch, shape (stretches, SAMPLES)."""
    if modulation is None:
        return np.ones(grid.shape, dtype=np.complex128)
    return np.array([[complex(modulation.factor(float(t))) for t in row] for row in grid])


def _cuts(
    model: Hamiltonian, begin: float, clock: float, maps: Sequence[Sequence[Piece]]
) -> tuple[float, ...]:
    """Instants between which every factor in time is a polynomial, halved until it is one."""
    moving = {p.modulation for pieces in maps for p in pieces if p.modulation is not None}
    cuts = {t for t in model.breaks() if begin < t < clock}
    for _ in range(HALVINGS if moving else 0):
        edges = np.array([begin, *sorted(cuts), clock])
        grid = stretches(begin, clock, sorted(cuts))
        worst = np.zeros(len(grid))
        for modulation in moving:
            values = _sampled(modulation, grid)
            mirrored = np.concatenate([values, values[:, ::-1]], axis=1)
            size = np.abs(np.fft.fft(mirrored, axis=1))
            # a stretch that is resolved has nothing in its upper coefficients
            upper = size[:, 3 * SAMPLES // 4 : 5 * SAMPLES // 4].max(axis=1)
            worst = np.maximum(worst, upper / max(float(size.max()), 1e-300))
        coarse = np.flatnonzero(worst > UNRESOLVED)
        if not len(coarse):
            return tuple(sorted(cuts))
        cuts |= {float(0.5 * (edges[k] + edges[k + 1])) for k in coarse}
    if moving:
        raise ValidityError(
            f"a factor in time is not resolved between its breaks ({float(worst.max()):.1e} of it "
            "in the upper quarter of its polynomials); frame the pulse with breaks, or run the "
            "node for a shorter time"
        )
    return ()


def _both(block: Block, b: Polynomial) -> tuple[Piece, ...]:
    """J rho = b rho b^dag, a piece per factor in time."""
    return tuple(
        Piece(
            product(p.modulation, conjugate(q.modulation)),
            block.map_to(block, (replace(p, modulation=None),), (replace(q, modulation=None),)),
        )
        for p in b
        for q in b
    )


def _one_side(block: Block, b: Polynomial, ket: bool) -> tuple[Piece, ...]:
    pieces = []
    for p in b:
        still = (replace(p, modulation=None),)
        matrix = block.map_to(block, still, None) if ket else block.map_to(block, None, still)
        pieces.append(Piece(p.modulation if ket else conjugate(p.modulation), matrix))
    return tuple(pieces)


def _inputs(node: Node, space: Space) -> "list[object]":
    """|s, n_s><s', n_s'| and the thermal modes, for every pair of prepared states."""
    from scipy.sparse import coo_array

    still = Start(((1.0, ()),), node.thermal).matrix(space).diagonal()
    warm = np.flatnonzero(still)
    found: list[object] = []
    for one in node.kets:
        for two in node.kets:
            rows, columns = warm + space.ket(dict(one)), warm + space.ket(dict(two))
            shape = (space.dimension, space.dimension)
            values = still[warm].astype(np.complex128)
            found.append(coo_array((values, (rows, columns)), shape=shape).tocsr())
    return found


def _reader(node: Node, block: Block, ket: tuple[int, ...], bra: tuple[int, ...]) -> Complex:
    """Row that sums rho over all elements |ket, n><bra, n|."""
    space = block.space
    positions = [space.modes.index(m) for m in node.memory]
    others = [k for k in range(len(space.modes)) if k not in positions]
    n_i, n_j = space.numbers[:, block.i], space.numbers[:, block.j]
    here = np.all(n_i[others] == n_j[others], axis=0)
    for k, a, c in zip(positions, ket, bra, strict=True):
        here &= (n_i[k] == a) & (n_j[k] == c)
    return np.asarray(here, dtype=np.complex128)


def _needed(
    maps: Sequence[Sequence[Piece]], inputs: Complex, outputs: Complex
) -> NDArray[np.int64]:
    """Elements that the inputs can reach and that the outputs can see."""
    pattern = sum(abs(p.matrix) for pieces in maps for p in pieces)
    ahead = closure(pattern, np.any(inputs != 0, axis=1))
    behind = closure(pattern.T.tocsr(), np.any(outputs != 0, axis=0))
    return np.flatnonzero(ahead & behind)


@dataclass(frozen=True)
class Counts:
    """Clicks of unravelled trajectories.

    Parameters
    ----------
    ports : tuple of str
        Ports that were listened to.
    times : tuple of tuple of ndarray
        Click times [s] by trajectory and port.
    window : tuple of float
        Counting window [s].
    """

    ports: tuple[str, ...]
    times: tuple[tuple[Array, ...], ...]
    window: tuple[float, float]

    def numbers(self, port: str) -> NDArray[np.int64]:
        """Clicks in each trajectory, shape (trajectories,)."""
        if port not in self.ports:
            raise ParameterError(f"Counts: port '{port}' was not listened to; {self.ports} were")
        k = self.ports.index(port)
        return np.array([len(run[k]) for run in self.times], dtype=np.int64)

    def rate(self, port: str) -> tuple[float, float]:
        """Mean clicks per second and its standard error [1/s]."""
        counted = self.numbers(port) / (self.window[1] - self.window[0])
        return float(np.mean(counted)), float(np.std(counted, ddof=1) / np.sqrt(len(counted)))

    def fano(self, port: str) -> float:
        """Variance over mean of the number of clicks [1]; 1 for independent ones."""
        counted = self.numbers(port)
        return float(np.var(counted, ddof=1) / np.mean(counted))


def trajectories(
    model: Hamiltonian,
    start: Start,
    ports: Sequence[str],
    window: tuple[float, float],
    levels: Mapping[str, int],
    runs: int,
    seed: int,
) -> Counts:
    """Unravel a master equation into quantum jumps and keep the clicks of some ports.

    Parameters
    ----------
    model : Hamiltonian
        Every loss of every port is watched; only those of `ports` are kept.
    start : Start
        A pure state: no thermal modes.
    ports : sequence of str
        Ports with cold baths.
    window : tuple of float
        The trajectories begin at zero; clicks in the window are kept [s].
    levels : mapping of str to int
        Levels of each mode.
    runs, seed : int
        Number of trajectories and seed of their random numbers.

    Returns
    -------
    Counts
        Good for statistics, not for digits: errors fall as one over the root of `runs`.

    Raises
    ------
    ParameterError
        If the start is not pure or the window begins before zero.

    Source: Dalibard, Castin and Mølmer, Phys. Rev. Lett. 68, 580 (1992), through ``qutip.mcsolve``.
    """
    import qutip

    from transducer.solvers.operators import operators

    if start.thermal:
        raise ParameterError(
            "trajectories: the start must be pure; begin in the ground state and let the window "
            "open later"
        )
    checks.number("trajectories: runs", runs, "1", at_least=2)
    if not 0 <= window[0] < window[1]:
        raise ParameterError(f"trajectories: the window [s] must lie after zero, got {window}")
    for port in ports:
        require_cold(model.channel(port), "what is counted there")
    chosen = complete(model, levels)
    H, c_ops, _ = operators(model, chosen)
    if any(c.warming is not None for c in model.channels):
        raise ParameterError(
            "trajectories: a bath that warms in time is not followed; give it a constant occupation"
        )
    names: list[str] = []
    for channel in model.channels:
        if channel.kappa > 0:
            names += [channel.name] + ([channel.name + " gain"] if channel.occupation > 0 else [])
    names += [jump.name for jump in model.jumps]
    space = Space(model.modes, chosen)
    ket = np.zeros(space.dimension, dtype=np.complex128)
    for amplitude, numbers in start.ket:
        ket[space.ket(dict(numbers))] += amplitude
    dims = [list(space.levels), [1] * len(space.levels)]
    options = {
        "progress_bar": "",
        "keep_runs_results": True,
        "map": "serial",
        "method": "vern7",
        "nsteps": 1_000_000,
    }
    # no step crosses an edge of a pulse, and none is longer than a hundredth of the run
    looks = map(float, np.linspace(0.0, window[1], LOOKS))
    marks = (t for t in model.breaks() if 0 < t < window[1])
    found = qutip.mcsolve(
        H,
        qutip.Qobj(ket[:, None], dims=dims),
        sorted({*looks, *marks}),
        c_ops,
        ntraj=runs,
        seeds=seed,
        options=options,
    )
    kept = []
    for times, which in zip(found.col_times, found.col_which, strict=True):
        t = np.asarray(times, dtype=np.float64)
        w = np.asarray(which, dtype=np.int64)
        inside = t >= window[0]
        kept.append(tuple(t[inside & (w == names.index(port))] for port in ports))
    return Counts(tuple(ports), tuple(kept), window)
