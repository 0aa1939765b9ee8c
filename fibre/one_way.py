r"""Entanglement without a station: a photon goes all the way, or comes from between the nodes.

A node's photon is converted back at the other node; or a pair source in the middle feeds both; or
squeezed light makes a continuous-variable pair over which states are teleported.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.capacity import thermal_entropy
from cavities.constants import Real
from cavities.errors import ParameterError
from cavities.fock import thermal_loss_elements
from fibre.herald import Heralded
from fibre.pair_herald import Storage

Array = NDArray[np.float64]


def direct_single_rail(transmission: Real, noise_out: Real) -> Heralded:
    r"""Emit on one side, absorb on the other: half of a Bell pair through a thermal loss (L12).

    .. math:: \tfrac{1}{\sqrt2}(|0\rangle|\mathrm{vac}\rangle+|1\rangle|1\rangle)
              \to \text{loss}(\tau, N), \text{ then a flip of B}

    Parameters
    ----------
    transmission : float or ndarray, shape (...)
        τ from A's qubit to B's memory, receiver and capture included [1], in [0, 1].
    noise_out : float or ndarray, shape (...)
        N in the received mode, behind all that [quanta], >= 0.

    Returns
    -------
    Heralded
        Nothing announces a loss: probability 1, what holds two quanta or more is `beyond`.
    """
    p00, p10, p01, p11, c = thermal_loss_elements(transmission, noise_out)
    state = np.zeros((*p00.shape, 4, 4), dtype=np.complex128)
    # B is flipped, so that |0>|1> + |1>|0> is aimed at
    state[..., 1, 1] = p00 / 2
    state[..., 0, 0] = p10 / 2
    state[..., 3, 3] = p01 / 2
    state[..., 2, 2] = p11 / 2
    state[..., 1, 2] = state[..., 2, 1] = c / 2
    inside = (p00 + p10 + p01 + p11) / 2
    return Heralded(state, np.maximum(0.0, 1 - inside))


def direct_dual_rail(transmission: Real, noise_out: Real, kept: Storage | None = None) -> Heralded:
    r"""Half of a Bell pair sent as early or late photon, checked for one photon (L12).

    Parameters
    ----------
    transmission : float or ndarray, shape (...)
        τ of each bin, end to end [1], in [0, 1].
    noise_out : float or ndarray, shape (...)
        N of each bin at the end [quanta], >= 0.
    kept : Storage, optional
        What happened to the rails of B since they were filled.

    Returns
    -------
    Heralded
        Qubit 0 is early, 1 late; B is flipped. `kept` of it is L12's p, `checked.fidelity` its
        F_e.

    Examples
    --------
    >>> pair = direct_dual_rail(0.4, 0.1)
    >>> print(f"{pair.checked.fidelity:.10f}")     # L12f
    0.8055555556
    """
    late = kept or Storage()
    s, d = np.asarray(late.survival), np.asarray(late.coherence) ** 2
    p00, p10, p01, p11, c = thermal_loss_elements(s * transmission, s * noise_out)
    right, wrong = p11 * p00 / 2, p10 * p01 / 2
    state = np.zeros((*np.broadcast_shapes(right.shape, d.shape), 4, 4), dtype=np.complex128)
    state[..., 1, 1] = state[..., 2, 2] = right
    state[..., 0, 0] = state[..., 3, 3] = wrong
    state[..., 1, 2] = state[..., 2, 1] = d * c**2 / 2
    return Heralded(state, np.maximum(0.0, 1 - 2 * (right + wrong)))


@dataclass(frozen=True)
class Squeezed:
    r"""Two modes that share pairs, whatever happened to them: normally ordered moments.

    Parameters
    ----------
    first, second : float or ndarray, shape (...)
        Mean quanta [quanta], >= 0.
    cross : float or ndarray, shape (...)
        :math:`|\langle ab\rangle|` [quanta], >= 0.

    Raises
    ------
    ParameterError
        If the moments break the uncertainty relation.
    """

    first: Real
    second: Real
    cross: Real

    def __post_init__(self) -> None:
        checks.number("Squeezed.first", self.first, "quanta", at_least=0.0)
        checks.number("Squeezed.second", self.second, "quanta", at_least=0.0)
        checks.number("Squeezed.cross", self.cross, "quanta", at_least=0.0)
        n, k, m = (np.asarray(v, float) for v in (self.first, self.second, self.cross))
        most = np.minimum(n * (k + 1), k * (n + 1))
        if np.any(m**2 > most * (1 + 1e-9) + 1e-15):
            raise ParameterError(
                "Squeezed: these moments are no quantum state: |m|^2 must be at most "
                "min[n_1 (n_2 + 1), n_2 (n_1 + 1)]"
            )

    @classmethod
    def pure(cls, pairs: Real) -> "Squeezed":
        """Two-mode squeezed vacuum with so many pairs on average [1], >= 0."""
        return cls(pairs, pairs, np.sqrt(np.asarray(pairs) * (1 + np.asarray(pairs))))

    def through(
        self, transmissions: tuple[Real, Real], noises: tuple[Real, Real] = (0.0, 0.0)
    ) -> "Squeezed":
        """Behind a thermal loss on each side: transmissions [1] and output noises [quanta]."""
        a, b = (np.asarray(t, float) for t in transmissions)
        checks.probability("Squeezed.through: transmissions", a)
        checks.probability("Squeezed.through: transmissions", b)
        for noise in noises:
            checks.number("Squeezed.through: noises", noise, "quanta", at_least=0.0)
        return Squeezed(
            a * self.first + noises[0], b * self.second + noises[1], np.sqrt(a * b) * self.cross
        )

    @property
    def separation(self) -> Array:
        r"""Duan variance at the best phase, :math:`2+2n_1+2n_2-4|m|`; separable states have 2."""
        n, k, m = (np.asarray(v, float) for v in (self.first, self.second, self.cross))
        return np.asarray(2 + 2 * n + 2 * k - 4 * m)

    @property
    def teleported_noise(self) -> Array:
        """Noise of a state teleported over it at unit gain [quanta] (L11i)."""
        return self.separation / 2

    @property
    def teleported_fidelity(self) -> Array:
        """Fidelity of a teleported coherent state [1]: above 1/2 no measurement does it."""
        return np.asarray(1 / (1 + self.teleported_noise))

    @property
    def _symplectic(self) -> tuple[Array, Array]:
        n, k, m = (np.asarray(v, float) for v in (self.first, self.second, self.cross))
        a, b = n + 0.5, k + 0.5
        root = np.sqrt(np.maximum(0.0, (a + b) ** 2 - 4 * m**2))
        return (root + (b - a)) / 2, (root - (b - a)) / 2

    @property
    def log_negativity(self) -> Array:
        """Entanglement, base 2 [1]."""
        n, k, m = (np.asarray(v, float) for v in (self.first, self.second, self.cross))
        a, b = n + 0.5, k + 0.5
        least = (a + b) / 2 - np.sqrt(((a - b) / 2) ** 2 + m**2)
        return np.asarray(np.maximum(0.0, -np.log2(2 * least)))

    @property
    def hashing(self) -> Array:
        """Distillable ebits per pair of modes, lower bound: the better coherent information [1]."""
        one, two = (np.maximum(0.0, nu - 0.5) for nu in self._symplectic)
        whole = thermal_entropy(one) + thermal_entropy(two)
        local = np.maximum(thermal_entropy(self.first), thermal_entropy(self.second))
        return np.asarray(np.maximum(0.0, local - whole))


def shared_dual_rail(
    bin_: Squeezed, kept: tuple[Storage, Storage] = (Storage(), Storage())
) -> Heralded:
    r"""Two bins of squeezed light, one mode of each at every node, checked for one quantum each.

    .. math:: p = 2P_{11}P_{00}+2P_{10}P_{01},\qquad
              F = \frac{P_{11}P_{00}+\langle11|\rho|00\rangle^2}{p}

    Parameters
    ----------
    bin_ : Squeezed
        Moments of one bin in the two memories.
    kept : tuple of two Storage
        What happened to the rails since; the loss is part of `bin_`, only the dephasing acts here.

    Returns
    -------
    Heralded
        Qubit 0 is early, 1 late; B is flipped. Probability 1: nothing announces it, `kept` is the
        probability of the check.

    Notes
    -----
    Two-mode number elements of L18.
    """
    n, k, m = (np.asarray(v, float) for v in (bin_.first, bin_.second, bin_.cross))
    D = (1 + n) * (1 + k) - m**2
    b1, b2, mu = (n * (1 + k) - m**2) / D, (k * (1 + n) - m**2) / D, m / D
    p00, p10, p01 = 1 / D, b1 / D, b2 / D
    p11, c = (b1 * b2 + mu**2) / D, mu / D
    held = np.asarray(kept[0].coherence) ** 2 * np.asarray(kept[1].coherence) ** 2
    state = np.zeros((*np.broadcast_shapes(D.shape, held.shape), 4, 4), dtype=np.complex128)
    state[..., 1, 1] = state[..., 2, 2] = p11 * p00
    state[..., 0, 0] = state[..., 3, 3] = p10 * p01
    state[..., 1, 2] = state[..., 2, 1] = c**2 * held
    return Heralded(state, np.maximum(0.0, 1 - 2 * (p11 * p00 + p10 * p01)))
