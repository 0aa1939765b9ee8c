"""A scattering matrix that was measured, completed by the losses it implies."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.errors import ParameterError, ValidityError
from transducer.linear import Complex, LinearDevice, Port, same

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tabulated:
    r"""Scattering between measured ports at given frequencies.

    Commutators must hold, so what S lacks comes from ports that were not measured:

    .. math:: R = J - S J S^\dagger = V\,\mathrm{diag}(r)\,V^\dagger

    Positive r are losses with the bath ``loss``, negative ones gains whose vacuum adds noise, the
    port ``gain``. Losses and gains that are hidden together cancel in R: the noise of a table with
    gain is a lower bound.

    Parameters
    ----------
    omega : ndarray, shape (n,)
        Frequencies from the frame, increasing [rad/s]; between them S is linear, so that steps
        should be small against the line (a sixteenth of it costs about a percent).
    S : ndarray of complex, shape (n, p, p)
        Amplitudes: row out, column in.
    measured : tuple of Port
        The p ports with their baths.
    environment : float
        Occupation of the ports that were not measured [quanta], >= 0.
    passive : bool
        Refuse a matrix with gain beyond `slack`.
    slack : float
        Largest gain of a passive matrix that counts as an error of measurement [1].
    closed : bool
        Take the device to reflect everything outside the measured range; otherwise a frequency
        there is refused.

    Raises
    ------
    ParameterError
        If shapes or frequencies do not fit.
    ValidityError
        If a passive matrix has gain.
    """

    omega: Array
    S: Complex
    measured: tuple[Port, ...]
    environment: float = 0.0
    passive: bool = True
    slack: float = 1e-6
    closed: bool = False

    def __eq__(self, other: object) -> bool:
        """Equal in every number: arrays are compared whole."""
        return isinstance(other, Tabulated) and same(self, other)

    __hash__ = object.__hash__

    def __post_init__(self) -> None:
        checks.number("Tabulated.omega", self.omega, "rad/s")
        checks.number("Tabulated.S: |S|", np.abs(self.S), "1")
        checks.number("Tabulated.environment", self.environment, "quanta", at_least=0.0)
        p = len(self.measured)
        if self.omega.ndim != 1 or len(self.omega) < 2 or np.any(np.diff(self.omega) <= 0):
            raise ParameterError("Tabulated.omega [rad/s] must be two or more increasing numbers")
        if self.S.shape != (len(self.omega), p, p):
            raise ParameterError(
                f"Tabulated.S must have shape ({len(self.omega)}, {p}, {p}), one matrix per "
                f"frequency between {p} ports, got {self.S.shape}"
            )
        if len({port.name for port in self.measured}) < p:
            raise ParameterError("Tabulated.measured: two ports have one name; rename one")
        if self.passive:
            gain = -float(np.min(np.linalg.eigvalsh(self._missing(self.S))))
            if gain > self.slack:
                raise ValidityError(
                    f"Tabulated.S has a gain of {gain:.3g} beyond one, but is said to be passive; "
                    "check calibration, mark ports of creation operators, or set passive=False"
                )

    def _missing(self, S: Complex) -> Complex:
        J = np.diag([-1.0 if port.creation else 1.0 for port in self.measured])
        return np.asarray(J - S @ J @ np.conj(np.swapaxes(S, -1, -2)))

    @property
    def ports(self) -> tuple[Port, ...]:
        """Measured ports, then one loss and one gain for each of them."""
        p = len(self.measured)
        lost = tuple(Port("loss", self.environment) for _ in range(p))
        return self.measured + lost + tuple(Port("gain", self.environment, True) for _ in range(p))

    @property
    def signature(self) -> Array:
        """+1 for ports of annihilation operators, -1 for creation operators, shape (3 p,)."""
        return np.array([-1.0 if port.creation else 1.0 for port in self.ports])

    def index(self, name: str, creation: bool | None = None) -> int:
        """Position of a measured port.

        Raises
        ------
        ParameterError
            If it was not measured.
        """
        for k, port in enumerate(self.measured):
            if port.name == name and creation in (None, port.creation):
                return k
        known = ", ".join(port.name for port in self.measured)
        raise ParameterError(f"there is no measured port '{name}'; there are {known}")

    def scatter(self, omega: Array) -> Complex:
        """Amplitudes from all ports to the measured ones, shape (..., p, 3 p).

        Parameters
        ----------
        omega : ndarray, shape (...)
            Frequencies inside the measured range [rad/s].

        Raises
        ------
        ValidityError
            If a frequency lies outside.
        """
        w = np.asarray(omega, dtype=np.float64)
        low, high = self.omega[0], self.omega[-1]
        outside = (w < low) | (w > high)
        if np.any(outside) and not self.closed:
            worst = float(w[outside].flat[0])
            raise ValidityError(
                f"the scattering matrix was measured from {low:.4g} to {high:.4g} rad/s, asked at "
                f"{worst:.4g}; narrow the photon, measure further, or say closed=True"
            )
        k = np.clip(np.searchsorted(self.omega, w, "right") - 1, 0, len(self.omega) - 2)
        x = ((w - self.omega[k]) / (self.omega[k + 1] - self.omega[k]))[..., None, None]
        S = (1 - x) * self.S[k] + x * self.S[k + 1]
        S = np.where(outside[..., None, None], np.eye(len(self.measured)), S)
        r, V = np.linalg.eigh(self._missing(S))
        lost = V * np.sqrt(np.maximum(r, 0.0))[..., None, :]
        gained = V * np.sqrt(np.maximum(-r, 0.0))[..., None, :]
        return np.concatenate([S, lost, gained], axis=-1)


def require_commutators(device: LinearDevice) -> None:
    r"""Refuse equations that do not keep commutators.

    .. math:: A J_x + J_x A^\dagger + K^\dagger J K = 0

    Parameters
    ----------
    device : LinearDevice
        A user's own equations.

    Raises
    ------
    ParameterError
        If a number is not finite, or the sum above exceeds 1e-6 of A.
    """
    checks.number("LinearDevice.A: |A|", np.abs(device.A), "rad/s")
    checks.number("LinearDevice.K: |K|", np.abs(device.K), "(rad/s)^1/2")
    J_x = np.diag(np.where(device.kinds, -1.0, 1.0))
    K = np.asarray(device.K, dtype=np.complex128)
    K_dag = np.conj(np.swapaxes(K, -1, -2))
    drift = device.A @ J_x
    left = drift + np.conj(np.swapaxes(drift, -1, -2)) + K_dag @ (device.signature[:, None] * K)
    worst, size = float(np.max(np.abs(left))), float(np.max(np.abs(device.A)))
    if worst > 1e-6 * size:
        raise ParameterError(
            f"these equations break commutators by {worst:.3g} rad/s: a loss or gain has no port; "
            "complete them with transducer.tabulated.completed"
        )


def completed(A: Complex, K: Complex, ports: tuple[Port, ...], environment: float) -> LinearDevice:
    r"""Add the loss or gain ports that a user's own equations need to keep commutators.

    .. math:: D = -(A J_x + J_x A^\dagger) - K^\dagger J K

    must vanish; its positive part becomes losses, its negative part gains, called ``loss`` and
    ``gain``.

    Parameters
    ----------
    A : ndarray of complex, shape (n, n)
        Drift matrix of annihilation operators [rad/s].
    K : ndarray, shape (p, n)
        Port matrix [(rad/s)^1/2].
    ports : tuple of Port
        The p ports, none of a creation operator.
    environment : float
        Occupation of the ports that are added [quanta].

    Returns
    -------
    LinearDevice
        Not yet looked at for stability.

    Raises
    ------
    ParameterError
        If a port belongs to a creation operator.
    ValidityError
        If a gain would be needed: then the equations hold no annihilation operators only.
    """
    A, K = np.asarray(A, np.complex128), np.asarray(K, np.complex128)
    LinearDevice(A, K, ports)  # shapes
    checks.number("completed: |A|", np.abs(A), "rad/s")
    checks.number("completed: |K|", np.abs(K), "(rad/s)^1/2")
    if any(port.creation for port in ports):
        raise ParameterError(
            "completed: equations with creation operators must bring all their ports; make a "
            "LinearDevice"
        )
    D = -(A + A.conj().T) - K.conj().T @ K
    r, V = np.linalg.eigh(D)
    scale = float(np.max(np.abs(A)))
    if r[0] < -1e-9 * scale:
        raise ValidityError(
            f"these equations decay more slowly than their ports drain them (by {-r[0]:.3g} "
            "rad/s): they need a gain; write them with creation operators, or lower the port rates"
        )
    rows = np.sqrt(np.maximum(r, 0.0))[:, None] * V.conj().T
    keep = r > 1e-12 * scale
    extra = tuple(Port(f"loss{k + 1}", environment) for k in range(int(np.sum(keep))))
    return LinearDevice(A, np.concatenate([K, rows[keep]]), ports + extra)
