"""Steps in time with Gauss nodes inside them, and how a cavity fills along them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

STAGES = 4
"""Gauss nodes per step: order 8."""


def _gauss() -> tuple[Array, Array, Array]:
    """Nodes and weights on [0, 1], and the integrals from 0 to each node of the Lagrange basis."""
    x, w = np.polynomial.legendre.leggauss(STAGES)
    c, b = (x + 1) / 2, w / 2
    powers = np.arange(STAGES)
    vandermonde = c[:, None] ** powers
    integrals = c[:, None] ** (powers + 1) / (powers + 1)
    return c, b, integrals @ np.linalg.inv(vandermonde)


NODES, WEIGHTS, FORWARD = _gauss()
BACKWARD = WEIGHTS[None, :] - FORWARD
"""Integrals of the Lagrange basis from each node to 1; FORWARD: from 0 to each node."""


@dataclass(frozen=True)
class Timeline:
    """Steps in time and the Gauss nodes inside them.

    Parameters
    ----------
    edges : ndarray, shape (s + 1,)
        Ends of the steps [s], increasing.
    """

    edges: Array

    @classmethod
    def between(
        cls, breaks: Sequence[float], step: float, fine: Sequence[tuple[float, float, float]] = ()
    ) -> "Timeline":
        """Steps of at most `step` [s] that end at all `breaks` [s].

        Parameters
        ----------
        breaks : sequence of float
            Beginning, end, and instants where something is not smooth [s].
        step : float
            Longest step [s].
        fine : sequence of (float, float, float)
            From, to [s], and the longest step between them [s].
        """
        low, high = min(breaks), max(breaks)
        ends = [t for a, b, _ in fine for t in (a, b) if low < t < high]
        marks = np.unique(np.asarray([*breaks, *ends], dtype=np.float64))
        pieces = []
        for a, b in pairwise(marks):
            middle = (a + b) / 2
            longest = min([step, *(s for x, y, s in fine if x <= middle <= y)])
            pieces.append(np.linspace(a, b, max(1, int(np.ceil((b - a) / longest))) + 1)[:-1])
        return cls(np.concatenate([*pieces, marks[-1:]]))

    def halved(self) -> "Timeline":
        """Every step cut in two, the shortest ones too."""
        middles = (self.edges[:-1] + self.edges[1:]) / 2
        return Timeline(np.sort(np.concatenate([self.edges, middles])))

    @cached_property
    def steps(self) -> Array:
        """Lengths of the steps [s], shape (s,)."""
        return np.diff(self.edges)

    @cached_property
    def times(self) -> Array:
        """All nodes [s], shape (s STAGES,), increasing."""
        return (self.edges[:-1, None] + self.steps[:, None] * NODES).ravel()

    @cached_property
    def weights(self) -> Array:
        """Weights of an integral over all nodes [s], shape (s STAGES,)."""
        return np.asarray((self.steps[:, None] * WEIGHTS).ravel())

    def interpolate(self, values: Complex) -> Callable[[Array], Complex]:
        """Polynomial through the nodes of every step, as a function of time [s]; zero outside.

        Parameters
        ----------
        values : ndarray of complex, shape (s STAGES,)
            Values at `times`.
        """
        table = values.reshape(-1, STAGES)
        scale = np.array(
            [np.prod([NODES[i] - NODES[j] for j in range(STAGES) if j != i]) for i in range(STAGES)]
        )

        def at(time: Array) -> Complex:
            t = np.asarray(time, dtype=np.float64)
            step = np.clip(np.searchsorted(self.edges, t, "right") - 1, 0, len(self.steps) - 1)
            x = (t - self.edges[step]) / self.steps[step]
            total = np.zeros(t.shape, dtype=np.complex128)
            for i in range(STAGES):
                others = [x - NODES[j] for j in range(STAGES) if j != i]
                total = total + table[step, i] * np.prod(others, axis=0) / scale[i]
            inside = (t >= self.edges[0]) & (t <= self.edges[-1])
            return np.where(inside, total, 0.0)

        return at


def ring_up(rate: complex, relative: Array, line: Timeline) -> Complex:
    r"""Amplitude of a cavity behind its drive, both over their steady values.

    .. math:: \dot e = \lambda\,[s(t)-e],\qquad \lambda=\kappa/2-i\Delta

    Parameters
    ----------
    rate : complex
        λ [rad/s].
    relative : ndarray, shape (t,)
        Amplitude of the drive over its peak, s, at the nodes of `line` [1].
    line : Timeline
        Steps; the cavity is empty before.

    Returns
    -------
    ndarray of complex, shape (t,)
        Amplitude e at the nodes [1].
    """
    drive = relative.reshape(-1, STAGES)
    h = line.steps[:, None, None] * rate
    # stage values e_i = e_n + h sum_j a_ij (s_j - e_j)
    solved = np.linalg.solve(
        np.eye(STAGES) + h * FORWARD,
        np.concatenate(
            [np.ones((len(drive), STAGES, 1)), (h * FORWARD) @ drive[..., None]], axis=-1
        ),
    )
    start, out = 0j, np.empty(drive.shape, dtype=np.complex128)
    for n in range(len(drive)):
        out[n] = solved[n, :, 0] * start + solved[n, :, 1]
        start = start + line.steps[n] * rate * np.sum(WEIGHTS * (drive[n] - out[n]))
    return out.ravel()
