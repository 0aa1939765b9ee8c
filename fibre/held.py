"""A photon's mode and the qubit it left behind, as a small density matrix, Gaussian or not.

Whatever a node did (decay while it emitted, a second photon, anything a master equation holds) is
in the table; loss, interference and clicks act on it exactly.
"""

from dataclasses import dataclass, replace
from math import comb, factorial, sqrt
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.constants import Real
from cavities.errors import ParameterError

Complex = NDArray[np.complex128]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Held:
    r"""What a node makes of each element :math:`|s\rangle\langle s'|` of its prepared qubit.

    Parameters
    ----------
    table : ndarray of complex, shape (2, 2, 2, n, 2, n)
        For s, s': density matrix of memory and photon mode, ket (memory, photons) before bra [1];
        at the node's optical output.
    quiet : ndarray of complex, optional
        The same without the transducer's noise, to say what the noise costs.
    transmission : float
        Probability that the photon of a bright, noiseless node is in the mode [1], in (0, 1].

    Raises
    ------
    ParameterError
        If the table is not a completely positive, trace-preserving map to 1e-6.
    """

    table: Complex
    quiet: Complex | None = None
    transmission: float = 1.0

    def __post_init__(self) -> None:
        for table in (self.table, self.quiet):
            if table is not None:
                _check(table)
        checks.number("Held.transmission", self.transmission, "1", above=0.0, at_most=1.0)

    @property
    def levels(self) -> int:
        """Photon numbers that are kept, from 0 on."""
        return int(self.table.shape[3])

    @property
    def silenced(self) -> "Held":
        """Without the transducer's noise.

        Raises
        ------
        ParameterError
            If it was not computed.
        """
        if self.quiet is None:
            raise ParameterError("Held.quiet was not computed; make the photon with it")
        return replace(self, table=self.quiet)

    @classmethod
    def gaussian(cls, transmission: float, noise: float, accuracy: float = 1e-9) -> "Held":
        r"""What a perfect emitter and a thermal-loss converter make: L12 as a table.

        .. math:: \rho \to \text{amplifier}(1+N)\circ\text{loss}(\tau/(1+N))

        Parameters
        ----------
        transmission : float
            τ [1], in (0, 1].
        noise : float
            Output noise N [quanta], >= 0.
        accuracy : float
            Weight of the photon numbers that are left out [1].
        """
        checks.number("Held.gaussian: transmission", transmission, "1", above=0.0, at_most=1.0)
        checks.number("Held.gaussian: noise", noise, "quanta", at_least=0.0)
        tail = np.log(accuracy) / np.log(noise / (1 + noise)) if noise > 0 else 0.0
        n = 3 + int(np.ceil(tail))
        return cls(_gaussian(transmission, noise, n), _gaussian(transmission, 0.0, n), transmission)

    def state(self, prepared: Complex) -> Complex:
        """Density matrix of memory and mode for one prepared qubit state, shape (2 n, 2 n)."""
        rho = np.einsum("st,stabcd->abcd", prepared, self.table)
        return np.asarray(rho.reshape(2 * self.levels, 2 * self.levels))

    @property
    def mode_noise(self) -> float:
        """Quanta in the mode if the qubit was dark [quanta], at the node's output."""
        return float(self.populations(0.0) @ np.arange(self.levels))

    def populations(self, bright: float) -> Array:
        """Photon-number distribution for a qubit of this bright population [1], shape (n,)."""
        table = self.table
        dark = np.einsum("anan->n", table[0, 0]).real
        lit = np.einsum("anan->n", table[1, 1]).real
        return np.asarray((1 - bright) * dark + bright * lit)


def _check(table: Complex) -> None:
    shape = table.shape
    if len(shape) != 6 or shape[:3] != (2, 2, 2) or shape[4] != 2 or shape[3] != shape[5]:
        raise ParameterError(f"Held.table must have the shape (2, 2, 2, n, 2, n), got {shape}")
    traced = np.einsum("stanan->st", table)
    off = float(np.max(np.abs(traced - np.eye(2))))
    n = 4 * shape[3]
    choi = table.transpose(0, 2, 3, 1, 4, 5).reshape(n, n)
    skew = float(np.max(np.abs(choi - choi.conj().T)))
    lowest = float(np.min(np.linalg.eigvalsh((choi + choi.conj().T) / 2)))
    if off > 1e-5 or skew > 1e-6 or lowest < -1e-6:
        raise ParameterError(
            "Held.table must be a physical map: it misses the trace by "
            f"{off:.2g}, Hermiticity by {skew:.2g}, and its lowest eigenvalue is {lowest:.2g}; "
            "compute it with a higher accuracy"
        )


def _gaussian(transmission: float, noise: float, n: int) -> Complex:
    eta, gain = transmission / (1 + noise), noise / (1 + noise)
    lossy = {  # what loss makes of |s><s'|, on photon numbers 0 and 1
        (0, 0): ((0, 0, 1.0),),
        (1, 1): ((1, 1, eta), (0, 0, 1 - eta)),
        (0, 1): ((0, 1, sqrt(eta)),),
        (1, 0): ((1, 0, sqrt(eta)),),
    }
    table = np.zeros((2, 2, 2, n, 2, n), dtype=np.complex128)
    for (s, t), parts in lossy.items():
        for a, b, weight in parts:
            for k in range(n - max(a, b)):
                made = sqrt(comb(a + k, k) * comb(b + k, k)) * gain**k
                table[s, t, s, a + k, t, b + k] += weight * made * (1 + noise) ** (-(a + b) / 2 - 1)
    return table


def permanents(G: Array, numbers: tuple[int, int]) -> NDArray[np.float64]:
    r"""Fock elements of :math:`\Gamma(G)={:}e^{-a^\dagger(1-G)a}{:}` for two modes.

    .. math:: \langle n|\Gamma(G)|m\rangle =
              \mathrm{per}\,G[n,m]\big/\sqrt{n_1!n_2!\,m_1!m_2!}

    Parameters
    ----------
    G : ndarray, shape (..., 2, 2)
        One-photon matrix; with entries >= 0 nothing cancels.
    numbers : tuple of int
        Largest photon number of either mode.

    Returns
    -------
    ndarray, shape (..., N1 + 1, N2 + 1, N1 + 1, N2 + 1)
        Elements [n1, n2, m1, m2], zero unless the totals agree.
    """
    a, b = numbers
    lead = G.shape[:-2]
    powers = {(i, j): [np.ones(lead)] for i in (0, 1) for j in (0, 1)}
    for (i, j), known in powers.items():
        for _ in range(a + b):
            known.append(known[-1] * G[..., i, j])
    out = np.zeros((*lead, a + 1, b + 1, a + 1, b + 1))
    for m1 in range(a + 1):
        for m2 in range(b + 1):
            for n1 in range(min(a, m1 + m2) + 1):
                n2 = m1 + m2 - n1
                if n2 > b:
                    continue
                total: Array = np.zeros(lead)
                for k in range(max(0, n1 - m2), min(m1, n1) + 1):
                    # k photons of column 1 stay in mode 1, n1 - k come over from column 2
                    ways = comb(m1, k) * comb(m2, n1 - k)
                    total = total + ways * (
                        powers[0, 0][k]
                        * powers[1, 0][m1 - k]
                        * powers[0, 1][n1 - k]
                        * powers[1, 1][m2 - n1 + k]
                    )
                norm = sqrt(factorial(n1) * factorial(n2) / (factorial(m1) * factorial(m2)))
                out[..., n1, n2, m1, m2] = norm * total
    return out


class Sight(Protocol):
    """What a herald has to know of the detectors: `fibre.herald.Detection` knows it."""

    @property
    def tau_a(self) -> Real:
        """Transmission of arm A from the plane of its `Held` to the detectors [1]."""

    @property
    def tau_b(self) -> Real:
        """Transmission of arm B [1]."""

    @property
    def noise_a(self) -> Real:
        """Noise per mode that arm A brings beside the photon's own mode [quanta]."""

    @property
    def noise_b(self) -> Real:
        """Noise per mode that arm B brings [quanta]."""

    @property
    def overlap(self) -> Real:
        """Amplitude overlap M of the two photons' modes [1]."""

    @property
    def noise_modes(self) -> Real:
        """Noise modes K in one gate [1]."""

    @property
    def dark(self) -> Real:
        """Dark probability per gate and detector [1]."""

    @property
    def resolving(self) -> bool:
        """Whether a click is exactly one photon."""


def clicks(seen: Sight, numbers: tuple[int, int]) -> Array:
    r"""Elements of "this detector clicks, the other is silent" between photon numbers.

    .. math:: X = (1-p)\,[\Gamma(1-Q_-) - \Gamma(1-Q_\pm) + p\,\Gamma(1-Q_\pm)]

    with :math:`Q_-` the light on the silent detector and :math:`Q_\pm` that on both.

    Parameters
    ----------
    seen : Detection
        What the detectors see; its noise fills the modes of the gate beside the photon's own one
        (L24e), K - 1 of them, none for K < 1.
    numbers : tuple of int
        Largest photon number of arm A and of arm B.

    Returns
    -------
    ndarray, shape (..., N1 + 1, N2 + 1, N1 + 1, N2 + 1)
        Elements [n1, n2, m1, m2] for the detector whose coherence is positive; the other one's
        have the sign (-1)^(n1 - m1).

    Notes
    -----
    The difference is an integral of its derivative along :math:`1-Q_\pm+s\Delta`, a polynomial in s
    with terms of one sign: Gauss-Legendre is exact, and nothing cancels at any transmission.
    """
    if seen.resolving:
        return _one_photon(seen, numbers)
    t_a, t_b, M = np.broadcast_arrays(
        np.asarray(seen.tau_a, float),
        np.asarray(seen.tau_b, float),
        np.asarray(seen.overlap, float),
    )
    extra = np.maximum(np.asarray(seen.noise_modes) - 1.0, 0.0)
    mean = (np.asarray(seen.noise_a) + np.asarray(seen.noise_b)) / 2
    kept = (1 - np.asarray(seen.dark)) * np.exp(-extra * np.log1p(mean))
    fires = -np.expm1(np.log1p(-np.asarray(seen.dark)) - extra * np.log1p(mean))

    both = np.zeros((*t_a.shape, 2, 2))
    both[..., 0, 0], both[..., 1, 1] = 1 - t_a, 1 - t_b
    delta = np.zeros_like(both)
    delta[..., 0, 0], delta[..., 1, 1] = t_a / 2, t_b / 2
    delta[..., 0, 1] = delta[..., 1, 0] = M * np.sqrt(t_a * t_b) / 2
    a, b = numbers
    shape = (a + 1, b + 1, a + 1, b + 1)
    difference = np.zeros((*t_a.shape, *shape))
    nodes, weights = np.polynomial.legendre.leggauss(max(1, (a + b + 1) // 2))
    # <n| sum_ij Delta_ij a_i^dag Gamma a_j |m>
    roots = (np.sqrt(np.arange(a + 1)), np.sqrt(np.arange(b + 1)))
    for x, w in zip((nodes + 1) / 2, weights / 2, strict=True):
        inner = permanents(both + x * delta, numbers)
        for i in (0, 1):
            for j in (0, 1):
                raised = np.roll(inner, 1, axis=-4 + i)
                raised = np.roll(raised, 1, axis=-2 + j)
                ket = roots[i].reshape([-1 if k == i else 1 for k in range(4)])
                bra = roots[j].reshape([-1 if k == 2 + j else 1 for k in range(4)])
                # the roots are zero where the roll wrapped around
                difference += (
                    w * delta[..., i, j][..., None, None, None, None] * (ket * bra * raised)
                )
    quiet = permanents(both, numbers)
    lead = np.broadcast_shapes(kept.shape, t_a.shape)
    grown = (*lead, 1, 1, 1, 1)
    k, f = np.broadcast_to(kept, lead).reshape(grown), np.broadcast_to(fires, lead).reshape(grown)
    return np.asarray(k * (difference + f * quiet))


def _one_photon(seen: Sight, numbers: tuple[int, int]) -> Array:
    """Elements of "exactly one photon here, none there"."""
    from fibre.patterns import Optics, click_elements

    fields = (seen.tau_a, seen.tau_b, seen.overlap, seen.noise_modes)
    t_a, t_b, M, K = np.broadcast_arrays(*(np.asarray(f, float) for f in fields))
    mean = (np.asarray(seen.noise_a) + np.asarray(seen.noise_b)) / 2
    t = np.zeros((*t_a.shape, 4, 2))
    for detector, sign in ((0, 1.0), (2, -1.0)):
        t[..., detector, 0] = np.sqrt(t_a / 2)
        t[..., detector, 1] = sign * M * np.sqrt(t_b / 2)
        t[..., detector + 1, 1] = sign * np.sqrt(np.maximum(0.0, 1 - M**2) * t_b / 2)
    extra = np.maximum(K - 1.0, 0.0)
    none = np.zeros((4, 4))
    optics = Optics(t, none, (0, 0, 1, 1), seen.dark, (extra, extra), (mean, mean))
    return np.asarray(click_elements(optics, (1, 0), numbers).real)


def herald_held(
    one: Held,
    two: Held,
    seen: Sight,
    pair: Complex | Array,
    phase_rms: Real = 0.0,
) -> Complex:
    """Unnormalised state of two memories after one click of either detector.

    Parameters
    ----------
    one, two : Held
        Nodes A and B.
    seen : Detection
        What the detectors see, transmissions counted from the nodes' outputs.
    pair : ndarray of complex, shape (..., 4, 4)
        State of the two qubits that were prepared, basis 00, 01, 10, 11; it need not be a product.
    phase_rms : float or ndarray, shape (...)
        Rms of the relative optical phase [rad], Gaussian.

    Returns
    -------
    ndarray of complex, shape (..., 4, 4)
        Both patterns summed, that of the other sign corrected by a Z on memory A; its trace is the
        probability.
    """
    a, b = one.levels - 1, two.levels - 1
    X = clicks(seen, (a, b))
    n = np.arange(a + 1)
    moved = n[:, None] - n[None, :]  # n1 - m1: the phase that arm A's light carries
    sigma = np.asarray(phase_rms, dtype=np.float64)[..., None, None]
    dephased = np.exp(-((sigma * moved) ** 2) / 2)
    X = X * dephased[..., :, None, :, None]
    odd = np.where(moved % 2, -1.0, 1.0)
    prepared = np.asarray(pair, dtype=np.complex128).reshape(*np.shape(pair)[:-2], 2, 2, 2, 2)
    # Tr_photons[X (A x B)], the click's bra contracted with the state's ket
    plus = _contracted(one, two, X, prepared)
    minus = _contracted(one, two, X * odd[:, None, :, None], prepared)
    z = np.array([1.0, -1.0])
    minus = minus * z[:, None, None, None] * z[None, None, :, None]
    total = plus + minus
    return np.asarray(total.reshape(*total.shape[:-4], 4, 4))


def _contracted(one: Held, two: Held, X: Array, prepared: Complex | Array) -> Complex:
    """Memory state [mu nu, mu' nu'] for one click operator."""
    # A[s, s', mu, n, mu', n'], B[r, r', nu, k, nu', k']: sum over photons of <n' k'|X|n k>
    half = np.einsum("stanbm,...mlnk->...stablk", one.table, X, optimize=True)
    return np.asarray(
        np.einsum("...srtu,...stablk,ruckdl->...acbd", prepared, half, two.table, optimize=True)
    )
