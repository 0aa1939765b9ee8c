r"""Arithmetic of what detectors report: functions of "did it fire" without a subtraction.

A click is one minus silence, and the difference of two numbers near one has no digits left where
light is faint. Here a quantity that depends on what each detector reports is kept as its parts:
for a click detector f(silent) and f(any) - f(silent), for n photons the powers of a generating
variable up to z^n. Sums and products of such lists are sums of products of parts, so what is born
positive stays exact to the last digits, however rare.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from math import lgamma

import numpy as np
from numpy.typing import NDArray

from cavities.errors import ParameterError

Parts = NDArray[np.inexact]
"""Shape (..., r): the r parts of a quantity; the last part is the outcome that is asked for."""

LARGEST = 128
"""Parts up to which an outcome is computed: seven clicks at once."""

CLICK = -1
"""Outcome of a threshold detector that fires, whatever the number of photons."""


@dataclass(frozen=True)
class Outcomes:
    """What each detector is asked to report.

    Parameters
    ----------
    asked : tuple of int
        Per detector: 0 is silent, `CLICK` any number of photons above 0, n > 0 exactly n.

    Raises
    ------
    ParameterError
        If there is no detector, a number is below -1, or the parts would exceed 128.
    """

    asked: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.asked or min(self.asked) < CLICK:
            raise ParameterError(
                "Outcomes.asked must give one number per detector, at least one: 0 for silent, "
                f"{CLICK} for a click, n for exactly n photons; got {self.asked}"
            )
        if any(isinstance(n, bool) or not isinstance(n, (int, np.integer)) for n in self.asked):
            raise ParameterError(f"Outcomes.asked must be whole numbers, got {self.asked}")
        if self.size > LARGEST:
            raise ParameterError(
                f"Outcomes.asked: {self.asked} needs {self.size} parts, more than {LARGEST}; ask "
                "fewer detectors or fewer photons at once"
            )

    @property
    def parts(self) -> tuple[int, ...]:
        """Parts that each detector needs."""
        return tuple(2 if n == CLICK else n + 1 for n in self.asked)

    @property
    def size(self) -> int:
        """Parts of a quantity that depends on all of them."""
        return int(np.prod(self.parts))

    @cached_property
    def product(self) -> NDArray[np.float64]:
        """Table T[a, b, c]: how much part a times part b gives of part c, shape (r, r, r)."""
        tables = [_table(n) for n in self.asked]
        return reduce(_joined, tables)

    def constant(self, value: Parts | float) -> Parts:
        """A quantity that depends on no detector."""
        value = np.asarray(value)
        out = np.zeros((*value.shape, self.size), dtype=value.dtype)
        out[..., 0] = value
        return out

    def fired(self, detector: int) -> Parts:
        """Part list of z of one detector, the variable that counts its photons, shape (r,).

        Zero for a detector that is asked to be silent.
        """
        each = [np.eye(1, parts)[0] for parts in self.parts]
        each[detector] = np.eye(1, self.parts[detector], 1)[0]
        return reduce(np.kron, each)

    def dark(self, detector: int, probability: Parts | float) -> Parts:
        """Part list of the detector's own false counts.

        Parameters
        ----------
        detector : int
            Which one.
        probability : float or ndarray, shape (...)
            Dark probability per gate [1]; for n photons the counts are Poissonian with it.
        """
        p = np.asarray(probability, dtype=np.float64)
        n = self.asked[detector]
        quiet = 1 - p
        own = np.zeros((*p.shape, self.parts[detector]))
        own[..., 0] = quiet
        if n == CLICK:
            own[..., 1] = p
        else:
            rate = -np.log1p(-p)
            for k in range(1, n + 1):
                own[..., k] = own[..., k - 1] * rate / k
        return self._placed(detector, own)

    def spare(self, detector: int, modes: Parts | float, noise: Parts | float) -> Parts:
        r"""Part list of noise modes of a detector that no photon of interest shares.

        .. math:: (1+(1-z)n)^{-K}

        Parameters
        ----------
        detector : int
            Which one.
        modes : float or ndarray, shape (...)
            K [1], need not be whole.
        noise : float or ndarray, shape (...)
            n [quanta].
        """
        K, n = np.broadcast_arrays(np.asarray(modes, float), np.asarray(noise, float))
        quiet = -K * np.log1p(n)
        own = np.zeros((*K.shape, self.parts[detector]))
        own[..., 0] = np.exp(quiet)
        if self.asked[detector] == CLICK:
            own[..., 1] = -np.expm1(quiet)
        for k in range(1, self.asked[detector] + 1):
            own[..., k] = own[..., k - 1] * (K + k - 1) / k * n / (1 + n)
        return self._placed(detector, own)

    def _placed(self, detector: int, own: Parts) -> Parts:
        before = int(np.prod(self.parts[:detector]))
        after = self.size // before // own.shape[-1]
        out = np.zeros((*own.shape[:-1], before, own.shape[-1], after))
        out[..., 0, :, 0] = own
        return out.reshape(*own.shape[:-1], self.size)

    def times(self, one: Parts, two: Parts) -> Parts:
        """Product of two part lists."""
        shape = np.broadcast_shapes(one.shape, two.shape)
        if self.size > 8:
            spread = np.tensordot(one, self.product, axes=1)  # (..., b, c)
            return np.asarray((two[..., None, :] @ spread)[..., 0, :])
        out = np.zeros(shape, dtype=np.result_type(one, two))
        for a, b, c in self._ways:
            out[..., c] += one[..., a] * two[..., b]
        return out

    @cached_property
    def _ways(self) -> list[tuple[int, int, int]]:
        return [(int(a), int(b), int(c)) for a, b, c in np.argwhere(self.product)]

    def over(self, one: Parts, less: Parts) -> Parts:
        r"""Quotient :math:`x/(1-w)` of part lists, by forward substitution.

        Parameters
        ----------
        one, less : ndarray, shape (..., r)
            x, and w with :math:`w < 1` at every report.
        """
        T = self.product
        shape = np.broadcast_shapes(one.shape, less.shape)
        kind = np.result_type(one, less)
        out = np.zeros(shape, dtype=kind)
        one = np.broadcast_to(one, shape)
        for c in range(self.size):
            # y[c] (1 - sum_a w[a] T[a,c,c]) = x[c] + sum_{b<c} sum_a w[a] T[a,b,c] y[b]
            diagonal = less @ T[:, c, c]
            carried = np.zeros(shape[:-1], dtype=kind)
            for b in range(c):
                weight = less @ T[:, b, c]
                carried = carried + weight * out[..., b]
            out[..., c] = (one[..., c] + carried) / (1 - diagonal)
        return out

    def raised(self, factor: Parts, exponent: Parts | float) -> Parts:
        r"""A positive part list to a real power, :math:`w^\kappa`, without a subtraction.

        Parameters
        ----------
        factor : ndarray, shape (..., r)
            w, positive at every report.
        exponent : float or ndarray, shape (...)
            κ [1].

        Notes
        -----
        Detector by detector: powers of a series for photon numbers; for a click
        :math:`(w_0+w_1)^\kappa - w_0^\kappa = \kappa w_1\int_0^1 (w_0+tw_1)^{\kappa-1}dt`.
        """
        return _raised(factor, self.asked, np.asarray(exponent, dtype=np.float64))


def _raised(w: Parts, asked: tuple[int, ...], kappa: NDArray[np.float64]) -> Parts:
    if not asked:
        return np.asarray(w ** kappa[..., None])
    size = 2 if asked[-1] == CLICK else asked[-1] + 1
    by_last = w.reshape(*w.shape[:-1], w.shape[-1] // size, size)
    below = [by_last[..., k] for k in range(size)]
    inner = Outcomes(asked[:-1]) if asked[:-1] else None

    def times(a: Parts, b: Parts) -> Parts:
        return a * b if inner is None else inner.times(a, b)

    def over(a: Parts, b: Parts) -> Parts:
        return a / b if inner is None else inner.over(a, inner.constant(1.0) - b)

    out = [_raised(below[0], asked[:-1], kappa)]
    if asked[-1] == CLICK:
        v = over(below[1], below[0])
        if inner is None:
            grown = np.expm1(kappa[..., None] * np.log1p(v))
        else:
            one = inner.constant(1.0)
            nodes, weights = np.polynomial.legendre.leggauss(16)
            slopes = [
                0.5 * weight * _raised(one + 0.5 * (x + 1) * v, asked[:-1], kappa - 1)
                for x, weight in zip(nodes, weights, strict=True)
            ]
            grown = kappa[..., None] * times(v, np.sum(slopes, axis=0))
        out.append(times(out[0], grown))
    else:
        for k in range(1, size):
            terms = [
                (kappa[..., None] * j - (k - j)) * times(below[j], out[k - j])
                for j in range(1, k + 1)
            ]
            out.append(over(np.asarray(sum(terms)) / k, below[0]))
    lead = np.broadcast_shapes(*(part.shape for part in out))
    stacked = np.stack([np.broadcast_to(part, lead) for part in out], axis=-1)
    return stacked.reshape(*lead[:-1], lead[-1] * size)


def _table(asked: int) -> NDArray[np.float64]:
    size = 2 if asked == CLICK else asked + 1
    T = np.zeros((size, size, size))
    for a in range(size):
        for b in range(size):
            if asked == CLICK:
                T[a, b, max(a, b)] = 1.0  # (f + dF)(g + dG): whatever depends on it is a difference
            elif a + b < size:
                T[a, b, a + b] = 1.0
    return T


def _joined(one: NDArray[np.float64], two: NDArray[np.float64]) -> NDArray[np.float64]:
    a, b = one.shape[0], two.shape[0]
    both = np.einsum("abc,xyz->axbycz", one, two)
    return np.asarray(both.reshape(a * b, a * b, a * b))


def polynomial(
    entries: Sequence[Sequence[Parts]], rows: Sequence[int], columns: Sequence[int], out: Outcomes
) -> Parts:
    r"""Permanent of a matrix of part lists with repeated rows and columns.

    .. math:: \mathrm{per}\,G[n,m]\big/\sqrt{\textstyle\prod n_i!\,\prod m_j!}

    Parameters
    ----------
    entries : nested sequence of ndarray, shape (..., r)
        G, square.
    rows, columns : sequence of int
        How often each row n and each column m is taken; equal totals.
    out : Outcomes
        Arithmetic of the entries.

    Notes
    -----
    Expanded along the photons of the columns; the cost grows with the number of ways to share
    them among the rows, fit for up to some eight photons.
    """
    ways: dict[tuple[int, ...], Parts] = {tuple(rows): out.constant(1.0)}
    for column, times in enumerate(columns):
        for _ in range(times):
            after: dict[tuple[int, ...], Parts] = {}
            for left, value in ways.items():
                for row, count in enumerate(left):
                    if count == 0:
                        continue
                    key = (*left[:row], count - 1, *left[row + 1 :])
                    term = count * out.times(value, entries[row][column])
                    after[key] = after[key] + term if key in after else term
            ways = after
    total = ways[tuple(0 for _ in rows)]
    norm = sum(lgamma(n + 1) for counts in (rows, columns) for n in counts)
    return np.asarray(total * np.exp(-norm / 2))
