"""States and channels that a covariance matrix tells completely."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.errors import ParameterError

Matrix = NDArray[np.float64]
Moments = NDArray[np.complex128]


def symplectic_form(modes: int) -> Matrix:
    """Commutator matrix Ω of n = `modes` modes, order (x1, p1, x2, p2, ...), shape (2n, 2n)."""
    return np.kron(np.eye(modes), np.array([[0.0, 1.0], [-1.0, 0.0]]))


def _symplectic_eigenvalues(covariance: Matrix) -> NDArray[np.float64]:
    values = np.linalg.eigvals(1j * symplectic_form(len(covariance) // 2) @ covariance)
    return np.asarray(np.sort(np.abs(values))[::2], dtype=np.float64)


@dataclass(frozen=True)
class GaussianState:
    r"""A Gaussian state of several modes: mean vector and covariance matrix.

    Quadratures :math:`x=(a+a^\dagger)/\sqrt2`, order (x1, p1, x2, p2, ...); vacuum has variance
    1/2.

    Parameters
    ----------
    mean : ndarray, shape (2 n,)
        Mean quadratures [1].
    covariance : ndarray, shape (2 n, 2 n)
        Symmetrised covariance V [quanta, vacuum = 1/2].

    Raises
    ------
    ParameterError
        If V is not symmetric or breaks the uncertainty relation :math:`V + i\Omega/2 \ge 0`.

    Examples
    --------
    >>> state = GaussianState.two_mode_squeezed(0.5)
    >>> round(state.log_negativity([0]), 6)   # 2 r / ln 2
    1.442695
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]

    def __post_init__(self) -> None:
        v = self.covariance
        if v.ndim != 2 or v.shape[0] != v.shape[1] or len(v) % 2 or self.mean.shape != v.shape[:1]:
            raise ParameterError(
                f"GaussianState.covariance must be (2n, 2n) with a mean of (2n,), got {v.shape} "
                f"and {self.mean.shape}"
            )
        scale = max(1.0, float(np.max(np.abs(v))))
        if not np.all(np.isfinite(v)) or np.max(np.abs(v - v.T)) > 1e-9 * scale:
            raise ParameterError("GaussianState.covariance must be finite and symmetric")
        lowest = float(np.linalg.eigvalsh(v + 0.5j * symplectic_form(len(v) // 2))[0])
        if lowest < -1e-9 * scale:
            raise ParameterError(
                "GaussianState.covariance breaks the uncertainty relation V + i Omega/2 >= 0: its "
                f"lowest eigenvalue is {lowest:.3g}"
            )

    @classmethod
    def thermal(cls, occupations: Sequence[float]) -> "GaussianState":
        """Independent thermal modes with mean photon numbers `occupations` [quanta].

        Zeros give vacuum.
        """
        n = np.asarray(occupations, dtype=np.float64)
        checks.number("GaussianState.thermal: occupations", n, "quanta", at_least=0.0)
        return cls(np.zeros(2 * len(n)), np.diag(np.repeat(n + 0.5, 2)))

    @classmethod
    def from_moments(cls, n_1: float, n_2: float, m: complex) -> "GaussianState":
        """Two modes with ``<a1^dag a1>``, ``<a2^dag a2>`` and ``<a1 a2> = m`` [quanta]."""
        cross = np.array([[np.real(m), np.imag(m)], [np.imag(m), -np.real(m)]])
        v = np.block([[(n_1 + 0.5) * np.eye(2), cross], [cross.T, (n_2 + 0.5) * np.eye(2)]])
        return cls(np.zeros(4), v)

    @classmethod
    def from_correlations(cls, normal: Moments, anomalous: Moments) -> "GaussianState":
        """State of n modes without mean field from its second moments.

        Parameters
        ----------
        normal : ndarray of complex, shape (n, n)
            ``<a_k^dag a_l>`` [quanta].
        anomalous : ndarray of complex, shape (n, n)
            ``<a_k a_l>`` [quanta].
        """
        n = len(normal)
        v = np.zeros((2 * n, 2 * n))
        v[::2, ::2] = normal.real + anomalous.real
        v[1::2, 1::2] = normal.real - anomalous.real
        v[::2, 1::2] = normal.imag + anomalous.imag
        v[1::2, ::2] = -normal.imag + anomalous.imag
        v = (v + v.T) / 2 + 0.5 * np.eye(2 * n)
        return cls(np.zeros(2 * n), v)

    @classmethod
    def two_mode_squeezed(cls, r: float) -> "GaussianState":
        """Two-mode squeezed vacuum with squeezing parameter `r` [1]."""
        return cls.from_moments(np.sinh(r) ** 2, np.sinh(r) ** 2, np.sinh(r) * np.cosh(r))

    @property
    def modes(self) -> int:
        """Number of modes."""
        return len(self.covariance) // 2

    @property
    def photons(self) -> NDArray[np.float64]:
        """Mean photon number of each mode [quanta], shape (n,)."""
        second = np.diag(self.covariance) + self.mean**2
        return np.asarray((second[::2] + second[1::2] - 1) / 2)

    def reduced(self, keep: Sequence[int]) -> "GaussianState":
        """State of the modes listed in `keep`."""
        index = np.ravel([[2 * k, 2 * k + 1] for k in keep])
        return GaussianState(self.mean[index], self.covariance[np.ix_(index, index)])

    def symplectic_eigenvalues(self) -> NDArray[np.float64]:
        """Symplectic spectrum, ascending [quanta, vacuum = 1/2], shape (n,)."""
        return _symplectic_eigenvalues(self.covariance)

    def log_negativity(self, party: Sequence[int]) -> float:
        r"""Logarithmic negativity between the modes of `party` and the rest, base 2.

        .. math:: E_N = \sum_k \max(0, -\log_2 2\tilde\nu_k)

        Source: Vidal and Werner, Phys. Rev. A 65, 032314 (2002).
        """
        flip = np.ones(2 * self.modes)
        for k in party:
            flip[2 * k + 1] = -1.0
        nu = _symplectic_eigenvalues(flip[:, None] * self.covariance * flip)
        return float(np.sum(np.maximum(0.0, -np.log2(2 * nu))))

    def epr_variance(self, phase: float = 0.0) -> float:
        r"""Duan variance of modes 0 and 1 (L5).

        .. math:: \Delta = \langle(x_1-x_2')^2\rangle+\langle(p_1+p_2')^2\rangle

        Mode 1 is turned by `phase` [rad] first. Separable states have at least 2 (at equal local
        gains).

        Source: Duan, Giedke, Cirac and Zoller, Phys. Rev. Lett. 84, 2722 (2000).
        """
        c, s = np.cos(phase), np.sin(phase)
        rotate = np.eye(4)
        rotate[2:, 2:] = [[c, -s], [s, c]]
        v = rotate @ self.covariance[:4, :4] @ rotate.T
        x, p = np.array([1.0, 0, -1, 0]), np.array([0, 1.0, 0, 1])
        return float(x @ v @ x + p @ v @ p)


@dataclass(frozen=True)
class GaussianChannel:
    r"""A Gaussian channel, :math:`V \to X V X^T + Y` and mean :math:`\to X\,`mean.

    Parameters
    ----------
    X, Y : ndarray, shape (2 n, 2 n)
        Gain and noise matrices in the order (x1, p1, ...).

    Raises
    ------
    ParameterError
        If the map is not completely positive, :math:`Y + \tfrac{i}{2}(\Omega - X\Omega X^T) \ge 0`.

    Examples
    --------
    >>> out = GaussianChannel.loss(0.25, environment=0.1).apply(GaussianState.thermal([2.0]))
    >>> round(float(out.photons[0]), 6)
    0.575
    """

    X: NDArray[np.float64]
    Y: NDArray[np.float64]

    def __post_init__(self) -> None:
        omega = symplectic_form(len(self.X) // 2)
        test = self.Y + 0.5j * (omega - self.X @ omega @ self.X.T)
        lowest = float(np.linalg.eigvalsh(test)[0])
        if lowest < -1e-9:
            raise ParameterError(
                "GaussianChannel is not completely positive: the lowest eigenvalue of Y + i(Omega "
                f"- X Omega X^T)/2 is {lowest:.3g}"
            )

    @classmethod
    def loss(cls, transmission: float, environment: float = 0.0) -> "GaussianChannel":
        r"""One mode through a loss, :math:`V \to \eta V + (1-\eta)(n+\tfrac12)`.

        Parameters
        ----------
        transmission : float
            η [1], in [0, 1].
        environment : float
            Occupation n of the bath that replaces what is lost [quanta], >= 0.
        """
        checks.probability("GaussianChannel.loss: transmission", transmission)
        checks.number("GaussianChannel.loss: environment", environment, "quanta", at_least=0.0)
        one = np.eye(2)
        return cls(np.sqrt(transmission) * one, (1 - transmission) * (environment + 0.5) * one)

    @classmethod
    def amplifier(cls, gain: float, environment: float = 0.0) -> "GaussianChannel":
        r"""One mode through a phase-preserving amplifier, :math:`V \to GV + (G-1)(n+\tfrac12)`.

        Parameters
        ----------
        gain : float
            Power gain G [1], >= 1.
        environment : float
            Occupation n of the idler bath [quanta], >= 0.

        Source: Caves, Phys. Rev. D 26, 1817 (1982).
        """
        checks.number("GaussianChannel.amplifier: gain", gain, "1", at_least=1.0)
        one = np.eye(2)
        return cls(np.sqrt(gain) * one, (gain - 1) * (environment + 0.5) * one)

    @classmethod
    def of_converter(cls, efficiency: float, noise_out: float) -> "GaussianChannel":
        """One mode through a converter of `efficiency` [1] with output noise `noise_out` [quanta].

        Raises
        ------
        ParameterError
            If the noise is below the quantum floor of a gain above one.
        """
        checks.number("GaussianChannel.of_converter: efficiency", efficiency, "1", at_least=0.0)
        one = np.eye(2)
        return cls(np.sqrt(efficiency) * one, (noise_out + (1 - efficiency) / 2) * one)

    def on(self, mode: int, modes: int) -> "GaussianChannel":
        """Embed a one-mode channel on `mode` of `modes` modes."""
        x, y = np.eye(2 * modes), np.zeros((2 * modes, 2 * modes))
        at = slice(2 * mode, 2 * mode + 2)
        x[at, at], y[at, at] = self.X, self.Y
        return GaussianChannel(x, y)

    def then(self, later: "GaussianChannel") -> "GaussianChannel":
        """Send the output of this channel through `later`."""
        return GaussianChannel(later.X @ self.X, later.X @ self.Y @ later.X.T + later.Y)

    def apply(self, state: GaussianState) -> GaussianState:
        """Output state for an input `state` of the same number of modes."""
        return GaussianState(self.X @ state.mean, self.X @ state.covariance @ self.X.T + self.Y)
