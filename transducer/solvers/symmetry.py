"""What a master equation conserves, found from its list of terms alone.

A charge is a sum of levels that the Hamiltonian keeps and every jump changes by a fixed amount.
Then density matrix elements of one coherence order never feed those of another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

import numpy as np
from numpy.typing import NDArray

from transducer.hamiltonian import Hamiltonian, Ladder, Polynomial, Term

Integers = NDArray[np.int64]


def change(term: Term, modes: Sequence[str]) -> Integers:
    """By how much a term changes the level of each mode, shape (modes,)."""
    moved = np.zeros(len(modes), dtype=np.int64)
    for op in term.operators:
        if isinstance(op, Ladder):
            moved[modes.index(op.mode)] += 1 if op.dagger else -1
        else:
            moved[modes.index(op.mode)] += op.ket - op.bra
    return moved


@dataclass(frozen=True)
class Symmetry:
    r"""Weak symmetries of a master equation, :math:`Q=\sum_k q_k n_k`.

    Parameters
    ----------
    charges : ndarray of int, shape (c, modes)
        Independent conserved charges, U(1); empty if there is none.
    parities : ndarray of int, shape (p, modes)
        Further sums of levels whose parity alone is conserved.
    """

    charges: Integers
    parities: Integers

    @property
    def exists(self) -> bool:
        """Whether anything is conserved."""
        return len(self.charges) + len(self.parities) > 0

    def order(self, moved: Integers) -> tuple[int, ...]:
        """Coherence order of what changes the levels by `moved`, shape (modes,)."""
        orders = [int(q @ moved) for q in self.charges]
        return tuple(orders + [int(q @ moved) % 2 for q in self.parities])

    def negative(self, order: tuple[int, ...]) -> tuple[int, ...]:
        """Coherence order of the Hermitian conjugate."""
        c = len(self.charges)
        return tuple(-k for k in order[:c]) + order[c:]

    def named(self, modes: Sequence[str]) -> str:
        """Say what is conserved, in words."""
        said = [_sum(q, modes) for q in self.charges]
        said += [f"parity of {_sum(q, modes)}" for q in self.parities]
        return "; ".join(said) if said else "nothing"

    def orders(self, operator: Polynomial, modes: Sequence[str]) -> set[tuple[int, ...]]:
        """Coherence orders that an operator has, read as a matrix."""
        return {self.order(change(term, modes)) for term in operator}


def _sum(q: Integers, modes: Sequence[str]) -> str:
    parts = []
    for factor, mode in zip(q, modes, strict=True):
        if factor:
            size = "" if abs(factor) == 1 else f"{abs(factor)} "
            parts.append(("+ " if factor > 0 else "- ") + size + f"n({mode})")
    return " ".join(parts).removeprefix("+ ")


def conserved(hamiltonian: Hamiltonian) -> Symmetry:
    """Find all charges and parities of a master equation.

    Parameters
    ----------
    hamiltonian : Hamiltonian
        Terms of coefficient zero are skipped; factors in time are taken to be anything.

    Returns
    -------
    Symmetry
        Possibly empty: a linear drive, for example, conserves nothing.

    Notes
    -----
    Weak symmetry of a Lindblad equation: Buca and Prosen, New J. Phys. 14, 073007 (2012); Albert
    and Jiang, Phys. Rev. A 89, 022118 (2014).
    """
    modes = hamiltonian.modes
    rows = [change(t, modes) for t in hamiltonian.terms if t.coefficient != 0]
    for _, _, operator in hamiltonian.collapses():
        moved = [change(t, modes) for t in operator if t.coefficient != 0]
        rows += [other - moved[0] for other in moved[1:]]
    table = np.unique(np.array([*rows, np.zeros(len(modes))], dtype=np.int64), axis=0)
    charges = _integer_null_space(table)
    parities = _parity_null_space(table, charges)
    return Symmetry(charges, parities)


def _integer_null_space(table: Integers) -> Integers:
    """Integer basis of all q with table @ q = 0, shape (c, modes)."""
    n = table.shape[1]
    rows = [[Fraction(int(x)) for x in row] for row in table if np.any(row)]
    pivots: list[int] = []
    done = 0
    for column in range(n):
        pivot = next((r for r in range(done, len(rows)) if rows[r][column] != 0), None)
        if pivot is None:
            continue
        rows[done], rows[pivot] = rows[pivot], rows[done]
        lead = rows[done][column]
        rows[done] = [x / lead for x in rows[done]]
        for r in range(len(rows)):
            if r != done and rows[r][column] != 0:
                factor = rows[r][column]
                rows[r] = [x - factor * y for x, y in zip(rows[r], rows[done], strict=True)]
        pivots.append(column)
        done += 1
    basis = []
    for free in (c for c in range(n) if c not in pivots):
        vector = [Fraction(0)] * n
        vector[free] = Fraction(1)
        for r, column in enumerate(pivots):
            vector[column] = -rows[r][free]
        scale = lcm(*(x.denominator for x in vector))
        whole = [int(x * scale) for x in vector]
        shared = gcd(*whole)
        basis.append([x // shared for x in whole])
    return np.array(basis, dtype=np.int64).reshape(-1, n)


def _parity_null_space(table: Integers, charges: Integers) -> Integers:
    """Vectors q of zeros and ones with table @ q even, beyond those that the charges imply."""
    n = table.shape[1]
    reduced: list[tuple[int, Integers]] = []  # pivot column, row

    def fold(row: Integers) -> Integers:
        row = row % 2
        for column, known in reduced:
            if row[column]:
                row = (row + known) % 2
        return row

    for row in table:
        left = fold(row)
        if np.any(left):
            column = int(np.flatnonzero(left)[0])
            reduced = [(c, (k + left) % 2 if k[column] else k) for c, k in reduced]
            reduced.append((column, left))
    pivots = {c for c, _ in reduced}
    found = []
    for free in (c for c in range(n) if c not in pivots):
        vector = np.zeros(n, dtype=np.int64)
        vector[free] = 1
        for column, known in reduced:
            vector[column] = known[free]
        found.append(vector)
    reduced = []
    for charge in charges:
        left = fold(charge)
        if np.any(left):
            reduced.append((int(np.flatnonzero(left)[0]), left))
    news = []
    for vector in found:
        left = fold(vector)
        if np.any(left):
            news.append(left)
            reduced.append((int(np.flatnonzero(left)[0]), left))
    return np.array(news, dtype=np.int64).reshape(-1, n)
