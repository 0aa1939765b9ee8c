"""The part of a Liouvillian that a question needs, assembled by index maps.

Every term moves all levels by fixed amounts, so it is a shift of the basis index with a weight;
no product of whole superoperators is ever formed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cavities.errors import ParameterError
from transducer.hamiltonian import (
    Hamiltonian,
    Ladder,
    Modulation,
    Polynomial,
    Term,
    conjugate,
    product,
)
from transducer.solvers.symmetry import Symmetry

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Complex = NDArray[np.complex128]
Integers = NDArray[np.int64]
Order = tuple[int, ...]


@dataclass(frozen=True)
class Shift:
    r"""Operator :math:`A|i\rangle = w_i|i+s\rangle` in the product basis, with a factor in time.

    Parameters
    ----------
    step : int
        s.
    weight : ndarray of complex, shape (d,)
        w; zero where nothing is reached.
    modulation : Modulation, optional
        Factor in time.
    """

    step: int
    weight: Complex
    modulation: Modulation | None = None


class Space:
    """A truncated Fock space, and operators in it as shifts.

    Parameters
    ----------
    modes : sequence of str
        In the order of the tensor product, QuTiP's.
    levels : mapping of str to int
        Levels of each mode.
    """

    def __init__(self, modes: Sequence[str], levels: Mapping[str, int]) -> None:
        self.modes = tuple(modes)
        self.levels = tuple(int(levels[m]) for m in modes)
        self.dimension = int(np.prod(self.levels))
        strides = np.cumprod([1, *self.levels[::-1]])[:-1][::-1]
        self.strides = strides.astype(np.int64)
        self.numbers: Integers = np.stack(np.unravel_index(np.arange(self.dimension), self.levels))

    def shift(self, term: Term) -> Shift:
        """One term as a shift, truncated as the product of truncated ladder matrices is."""
        numbers = self.numbers.copy()
        weight = np.full(self.dimension, complex(term.coefficient))
        step = 0
        for op in reversed(term.operators):
            k = self.modes.index(op.mode)
            n = numbers[k]
            if isinstance(op, Ladder) and op.dagger:
                weight = weight * np.where(n + 1 < self.levels[k], np.sqrt(np.abs(n + 1)), 0.0)
                move = 1
            elif isinstance(op, Ladder):
                weight = weight * np.sqrt(np.maximum(n, 0))
                move = -1
            else:
                if max(op.ket, op.bra) >= self.levels[k]:
                    raise ParameterError(
                        f"mode '{op.mode}' has {self.levels[k]} levels, counted from 0; there is "
                        f"no level {max(op.ket, op.bra)}"
                    )
                weight = weight * (n == op.bra)
                move = op.ket - op.bra
            numbers[k] = n + move
            step += move * int(self.strides[k])
        return Shift(step, weight, term.modulation)

    def matrix(self, operator: Polynomial) -> "csr_array":
        """Sparse matrix of an operator that stands still, shape (d, d)."""
        from scipy.sparse import coo_array

        rows, columns, values = [], [], []
        for term in operator:
            moved = self.shift(term)
            i = np.flatnonzero(moved.weight)
            rows.append(i + moved.step)
            columns.append(i)
            values.append(moved.weight[i])
        d = self.dimension
        if not rows:
            return coo_array((d, d), dtype=np.complex128).tocsr()
        entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
        return coo_array(entries, shape=(d, d)).tocsr()

    def ket(self, numbers: Mapping[str, int]) -> int:
        """Index of a product state of levels; modes left out are in their ground state."""
        index = 0
        for mode, n in numbers.items():
            k = self.modes.index(mode)
            if not 0 <= n < self.levels[k]:
                raise ParameterError(
                    f"mode '{mode}' has {self.levels[k]} levels; level {n} is not among them"
                )
            index += n * int(self.strides[k])
        return index


@dataclass(frozen=True)
class Piece:
    """A part of a generator with one factor in time.

    Parameters
    ----------
    modulation : Modulation, optional
        None stands still.
    matrix : csr_array, shape (n, n)
        The part.
    """

    modulation: Modulation | None
    matrix: "csr_array"


class Block:
    """Density matrix elements of some coherence orders, and what the master equation does to them.

    Parameters
    ----------
    space : Space
        The truncated Fock space.
    symmetry : Symmetry
        Charges; with none the block is the whole Liouvillian.
    orders : iterable of tuple of int
        Coherence orders, ket minus bra, to keep.
    """

    def __init__(self, space: Space, symmetry: Symmetry, orders: Iterable[Order]) -> None:
        self.space, self.symmetry = space, symmetry
        self.orders = tuple(sorted(set(orders)))
        d = space.dimension
        kept = np.zeros((d, d), dtype=bool)
        charge = symmetry.charges @ space.numbers
        parity = (symmetry.parities @ space.numbers) % 2
        for order in self.orders:
            here = np.ones((d, d), dtype=bool)
            for q, k in zip(charge, order, strict=False):
                here &= (q[:, None] - q[None, :]) == k
            for q, k in zip(parity, order[len(charge) :], strict=True):
                here &= (q[:, None] ^ q[None, :]) == k
            kept |= here
        self.i, self.j = np.nonzero(kept)
        self.size = len(self.i)
        self._where = np.full(d * d, -1, dtype=np.int64)
        self._where[self.i * d + self.j] = np.arange(self.size)

    def position(self, i: Integers, j: Integers) -> Integers:
        """Position of elements (i, j) in the block; -1 where they are not in it."""
        return np.asarray(self._where[i * self.space.dimension + j])

    def pack(self, matrix: "Complex | csr_array") -> Complex:
        """Vector of a matrix, the elements outside the block left out."""
        if isinstance(matrix, np.ndarray):
            return np.asarray(matrix[self.i, self.j])
        coo = matrix.tocoo()
        vector = np.zeros(self.size, dtype=np.complex128)
        at = self.position(coo.row.astype(np.int64), coo.col.astype(np.int64))
        np.add.at(vector, at[at >= 0], coo.data[at >= 0])
        return vector

    def unpack(self, vector: Complex) -> Complex:
        """Matrix of a vector, zero outside the block, shape (d, d)."""
        d = self.space.dimension
        matrix = np.zeros((d, d), dtype=np.complex128)
        matrix[self.i, self.j] = vector
        return matrix

    def functional(self, operator: Polynomial) -> Complex:
        r"""Row r with :math:`r\cdot x=\mathrm{Tr}[A\rho]`; those outside are left out."""
        row = np.zeros(self.size, dtype=np.complex128)
        for term in operator:
            moved = self.space.shift(term)
            k = np.flatnonzero(moved.weight)
            # Tr[A rho] = sum_k A_{k+s,k} rho_{k,k+s}
            at = self.position(k, k + moved.step)
            np.add.at(row, at[at >= 0], moved.weight[k][at >= 0])
        return row

    def sandwich(
        self, left: Shift | None, right: Shift | None, factor: complex = 1.0
    ) -> tuple[Integers, Integers, Complex]:
        r"""Entries of :math:`\rho\mapsto c\,A\rho B^\dagger` within the block; None is 1."""
        rows, columns, values = self._moved(left, right, factor, self)
        return rows, columns, values

    def _moved(
        self, left: Shift | None, right: Shift | None, factor: complex, target: "Block"
    ) -> tuple[Integers, Integers, Complex]:
        i, j = self.i, self.j
        value = np.full(self.size, factor, dtype=np.complex128)
        if left is not None:
            value = value * left.weight[i]
        if right is not None:
            value = value * np.conj(right.weight[j])
        keep = np.flatnonzero(value)
        to_i = i[keep] + (left.step if left is not None else 0)
        to_j = j[keep] + (right.step if right is not None else 0)
        rows = target.position(to_i, to_j)
        inside = rows >= 0
        return rows[inside], keep[inside], value[keep][inside]

    def map_to(
        self, target: "Block", left: Polynomial | None, right: Polynomial | None
    ) -> "csr_array":
        r"""Matrix of :math:`\rho\mapsto A\rho B^\dagger` from this block to another; None is 1."""
        from scipy.sparse import coo_array

        lefts: list[Shift | None] = [None] if left is None else [self.space.shift(t) for t in left]
        rights: list[Shift | None] = (
            [None] if right is None else [self.space.shift(t) for t in right]
        )
        parts = [self._moved(a, b, 1.0, target) for a in lefts for b in rights]
        rows, columns, values = (np.concatenate(x) for x in zip(*parts, strict=True))
        return coo_array((values, (rows, columns)), shape=(target.size, self.size)).tocsr()

    def generator(self, hamiltonian: Hamiltonian) -> tuple[Piece, ...]:
        """Master equation in this block, one piece per factor in time; the still one first.

        Each is what QuTiP's Liouvillian has between these elements.
        """
        from scipy.sparse import coo_array

        entries: dict[Modulation | None, list[tuple[Integers, Integers, Complex]]] = {None: []}
        effective: dict[Modulation | None, dict[int, Complex]] = {}

        def add(shift: Shift, factor: complex, modulation: Modulation | None) -> None:
            steps = effective.setdefault(modulation, {})
            known = steps.get(shift.step, 0.0)
            steps[shift.step] = known + factor * shift.weight

        products = _Products()
        for term in hamiltonian.terms:
            add(self.space.shift(term), 1.0, term.modulation)
        for rate, warming, operator in hamiltonian.collapses():
            shifts = [self.space.shift(t) for t in operator]
            for p in shifts:
                for q in shifts:
                    factor = products.of(p.modulation, q.modulation, warming)
                    entries.setdefault(factor, []).append(self.sandwich(p, q, rate))
                    # -i/2 of q^dag p in the effective Hamiltonian
                    add(_dag_times(q, p), -0.5j * rate, factor)
        for modulation, steps in effective.items():
            other = products.conjugate(modulation)
            for step, weight in steps.items():
                part = Shift(step, weight)
                entries.setdefault(modulation, []).append(self.sandwich(part, None, -1j))
                entries.setdefault(other, []).append(self.sandwich(None, part, 1j))
        pieces = []
        for modulation, parts in entries.items():
            rows, columns, values = (
                (np.concatenate(x) for x in zip(*parts, strict=True))
                if parts
                else (np.zeros(0, int), np.zeros(0, int), np.zeros(0, complex))
            )
            shape = (self.size, self.size)
            matrix = coo_array((values, (rows, columns)), shape=shape).tocsr()
            matrix.eliminate_zeros()
            if modulation is None or matrix.nnz:
                pieces.append(Piece(modulation, matrix))
        return tuple(pieces)

    @cached_property
    def trace(self) -> Complex:
        """Row that takes the trace."""
        return np.asarray(self.i == self.j, dtype=np.complex128)


def closure(pattern: "csr_array", reached: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """All that a map of this pattern, applied any number of times, reaches from `reached`."""
    while True:
        found = np.asarray(reached | ((pattern @ reached.astype(np.float64)) > 0))
        if np.array_equal(found, reached):
            return found
        reached = found


def _dag_times(q: Shift, p: Shift) -> Shift:
    """q^dag p: |i> -> p_i |i+s_p> -> conj(q at the level it came from)."""
    step = p.step - q.step
    source = np.arange(len(p.weight))
    middle = source + step  # index k with k + s_q = i + s_p
    inside = (middle >= 0) & (middle < len(p.weight))
    weight = np.where(inside, p.weight * np.conj(q.weight[np.where(inside, middle, 0)]), 0.0)
    return Shift(step, weight)


class _Products:
    """Products of factors in time, each made once, so that equal ones share a piece."""

    def __init__(self) -> None:
        self._known: dict[tuple[Modulation | None, ...], Modulation | None] = {}
        self._conjugates: dict[Modulation | None, Modulation | None] = {None: None}

    def conjugate(self, modulation: Modulation | None) -> Modulation | None:
        if modulation not in self._conjugates:
            other = conjugate(modulation)
            self._conjugates[modulation] = other
            self._conjugates[other] = modulation
        return self._conjugates[modulation]

    def of(
        self, p: Modulation | None, q: Modulation | None, warming: Modulation | None
    ) -> Modulation | None:
        key = (p, q, warming)
        if key not in self._known:
            self._known[key] = product(p, self.conjugate(q), warming)
            mirrored = (q, p, warming)
            if mirrored not in self._known:
                self._known[mirrored] = self.conjugate(self._known[key])
        return self._known[key]
