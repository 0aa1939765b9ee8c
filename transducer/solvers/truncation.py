"""A Fock space that looks after itself: it grows until the answers stand still, or says why not."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cavities.errors import TruncationError
from transducer.conversion import Truncation
from transducer.hamiltonian import Hamiltonian
from transducer.solvers.start import Start
from transducer.solvers.symmetry import change

LARGEST_BLOCK = 300_000
"""Largest number of unknowns that is tried."""
LARGEST_DIMENSION = 4096
"""Largest Hilbert-space dimension that is tried."""
BYTES_PER_UNKNOWN = 2_000
"""Memory of an unknown: its row of the generator, and the integrator's stages."""
CLOSED = 1e-2
"""A mode whose highest level never holds this share of the accuracy needs no more levels."""
SMALL = 1e-3
"""Quantities below this size count as absolute."""


@dataclass(frozen=True)
class Trial:
    """What one choice of levels gave.

    Parameters
    ----------
    values : tuple of ndarray
        The asked quantities.
    populations : mapping of str to ndarray, shape (levels,)
        Largest population that each level of a mode ever had [1].
    block : int
        Unknowns that were solved.
    """

    values: tuple[NDArray[np.inexact], ...]
    populations: Mapping[str, NDArray[np.float64]]
    block: int


def first_guess(model: Hamiltonian, start: Start, accuracy: float) -> dict[str, int]:
    """Levels to begin with: what starts in a mode, and the thermal tail of its baths."""
    fixed, warm = dict(model.levels), dict(start.thermal)
    levels = {}
    for mode in model.modes:
        if mode in fixed:
            levels[mode] = fixed[mode]
            continue
        rates = [(c.rate(mode), c.occupation) for c in model.channels]
        total = sum(rate for rate, _ in rates)
        n = sum(rate * occupation for rate, occupation in rates) / total if total > 0 else 0.0
        n = max(n, warm.get(mode, 0.0))
        tail = int(np.ceil(np.log(accuracy) / np.log(n / (1 + n)))) if n > 0 else 0
        if len(model.growing) > 2:  # couplings cool: start small, the check enlarges
            tail = min(tail, 3 if len(model.growing) == 3 else 1)
        quanta = start.excitations(model.growing)
        levels[mode] = max(2, 1 + quanta + tail)
    return levels


def distance(one: Trial, two: Trial) -> float:
    """Largest change of a quantity, relative to its largest value over all points [1]."""
    worst = 0.0
    for x, y in zip(one.values, two.values, strict=True):
        if x.shape != y.shape:  # a kept mode that grew: the smaller one is part of the larger
            x = np.pad(x, [(0, b - a) for a, b in zip(x.shape, y.shape, strict=True)])
        if y.size:
            scale = max(SMALL, float(np.max(np.abs(y))))
            worst = max(worst, float(np.max(np.abs(x - y))) / scale)
    return worst


def leak(populations: NDArray[np.float64], highest: int) -> float:
    """Population of the `highest` uppermost levels: one alone may be empty by parity."""
    return float(np.sum(np.abs(populations[-highest:])))


def missing_levels(populations: NDArray[np.float64], move: float) -> int:
    """Levels still missing, if the error falls from level to level as the populations do."""
    if len(populations) < 4 or not 0 < populations[-2] < populations[-3]:
        return 0
    fall = float(np.log(populations[-3] / populations[-2]))
    return int(np.ceil(np.log(move) / fall))


def settle(
    question: Callable[[dict[str, int]], Trial],
    model: Hamiltonian,
    levels: Mapping[str, int],
    accuracy: float,
    size: Callable[[Mapping[str, int]], int],
    least: Mapping[str, int],
    largest: tuple[int, int] = (LARGEST_BLOCK, LARGEST_DIMENSION),
) -> tuple[Trial, Truncation]:
    """Enlarge every mode that leaks until no asked quantity moves by more than `accuracy`.

    Parameters
    ----------
    question : callable
        Takes levels, gives a `Trial`.
    model : Hamiltonian
        Whose modes grow.
    levels : mapping of str to int
        To begin with.
    accuracy : float
        Largest change allowed, relative to the largest value of each quantity [1].
    size : callable
        Unknowns that a choice of levels would need.
    least : mapping of str to int
        Levels added to each mode at least, from `strides`.
    largest : tuple of int
        Most unknowns, and largest Hilbert-space dimension, that are tried.

    Returns
    -------
    tuple of Trial and Truncation
        Of the last, largest space; `Truncation.change` is how far it moved from the one before, in
        units of `accuracy`.

    Raises
    ------
    TruncationError
        If the space it would need is too large.
    """
    _refuse(model, levels, size, largest, None, 0.0, "")
    began = time.monotonic()
    now = question(dict(levels))
    spent = time.monotonic() - began
    change, spread = np.inf, False
    untried = set(model.growing)
    while True:
        larger = dict(levels)
        leaks = {m: leak(now.populations[m], least[m]) for m in model.growing}
        most = max(leaks.values(), default=0.0)
        for mode, population in leaks.items():
            # a mode that was never enlarged may seem closed because nothing fits into it
            if mode not in untried and population < min(most, CLOSED * accuracy):
                continue
            more = missing_levels(now.populations[mode], change / accuracy) if spread else 0
            larger[mode] += max(least[mode], more, int(np.ceil(0.15 * levels[mode])))
            untried.discard(mode)
        moved = f"; at {_by(levels)} a quantity still moved by {change:.2g} of its size"
        told = moved if np.isfinite(change) else ""
        _refuse(model, larger, size, largest, now.block, spent, told)
        began = time.monotonic()
        then = question(dict(larger))
        spent = time.monotonic() - began
        change, spread = distance(now, then), True
        levels, now = larger, then
        if change <= accuracy or not model.growing:
            leakage = max(
                (float(np.abs(p[-1])) for m, p in now.populations.items() if m in model.growing),
                default=0.0,
            )
            return now, Truncation(dict(levels), change / accuracy, leakage, now.block)


def _refuse(
    model: Hamiltonian,
    levels: Mapping[str, int],
    size: Callable[[Mapping[str, int]], int],
    largest: tuple[int, int],
    solved: int | None,
    spent: float,
    told: str,
) -> None:
    dimension = int(np.prod(list(levels.values())))
    block = size(levels) if dimension <= largest[1] else None
    if block is not None and block <= largest[0]:
        return
    if block is None:
        block = dimension * dimension
    need = f"{block:.2g} unknowns, about {block * BYTES_PER_UNKNOWN / 2**30:.2g} GiB"
    if solved:
        need += f" and {spent * (block / solved) ** 1.3:.2g} s or more"
    advice = (
        "this model is Gaussian: the scattering and pulse engines are exact for it"
        if model.gaussian
        else "cool its baths, shorten the pulse, or eliminate a mode"
    )
    raise TruncationError(
        f"the master equation needs {_by(levels)}, a Fock space of dimension {dimension} "
        f"({need}), beyond {largest[0]} unknowns or dimension {largest[1]}{told}; "
        f"{advice}"
    )


def _by(levels: Mapping[str, int]) -> str:
    return " x ".join(str(n) for n in levels.values()) + " levels (" + ", ".join(levels) + ")"


def strides(model: Hamiltonian, parity: bool) -> dict[str, int]:
    """Levels by which each mode must grow to notice what was missing: the longest step of a term.

    Parameters
    ----------
    model : Hamiltonian
        Its terms and jumps.
    parity : bool
        Whether only a parity is conserved, or nothing: then every other level may stay empty.
    """
    operators = [model.terms, *(operator for _, _, operator in model.collapses())]
    moved = [change(term, model.modes) for operator in operators for term in operator]
    longest = np.max(np.abs(np.array([np.zeros(len(model.modes)), *moved])), axis=0)
    least = 2 if parity else 1
    return {m: max(least, int(n)) for m, n in zip(model.modes, longest, strict=True)}


def kept_modes(modes: Sequence[str], kept: Sequence[str]) -> tuple[int, ...]:
    """Positions of the kept modes among all, in the order asked."""
    return tuple(list(modes).index(mode) for mode in kept)
