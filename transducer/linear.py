"""The narrow waist.

Any Gaussian device is a drift matrix, a port matrix and a bath at every port.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.constants import Real
from cavities.errors import ParameterError, UnstableError

Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class Port:
    """One door of one mode.

    Parameters
    ----------
    name : str
        For example ``microwave.waveguide``.
    occupation : float or ndarray, shape (...)
        Normally ordered occupation of the bath that comes in [quanta], >= 0.
    creation : bool
        True if the vector x holds the creation operator of this port's mode.
    """

    name: str
    occupation: Real
    creation: bool = False

    def __post_init__(self) -> None:
        checks.number(f"Port {self.name}: occupation", self.occupation, "quanta", at_least=0.0)


@dataclass(frozen=True)
class LinearDevice:
    r"""Linear quantum Langevin equations in the frame of pump and reference.

    .. math:: \dot x = A x - K^\dagger x_\mathrm{in}, \qquad x_\mathrm{out} = x_\mathrm{in} + K x

    x holds annihilation operators, or creation operators for modes that a squeezing interaction
    mixes in.

    Parameters
    ----------
    A : ndarray of complex, shape (..., n, n)
        Drift matrix [rad/s], loss included.
    K : ndarray, shape (..., p, n)
        Port matrix [rad^1/2 s^-1/2]: element (port, mode) is the root of the port's decay rate.
    ports : tuple of Port
        All p doors; loss channels are ports too.

    Raises
    ------
    ParameterError
        If the shapes do not match.
    """

    A: Complex
    K: NDArray[np.float64]
    ports: tuple[Port, ...]

    def __post_init__(self) -> None:
        n = self.A.shape[-1]
        if self.A.shape[-2:] != (n, n) or self.K.shape[-2:] != (len(self.ports), n):
            raise ParameterError(
                f"LinearDevice: A {self.A.shape}, K {self.K.shape} and {len(self.ports)} ports do "
                "not fit together"
            )

    @property
    def signature(self) -> NDArray[np.float64]:
        """+1 for ports of annihilation operators, -1 for creation operators.

        J of S J S^dag = J, shape (p,).
        """
        return np.array([-1.0 if port.creation else 1.0 for port in self.ports])

    def index(self, name: str) -> int:
        """Position of a port.

        Raises
        ------
        ParameterError
            If there is no such port.
        """
        known = [port.name for port in self.ports]
        if name not in known:
            raise ParameterError(f"there is no port '{name}'; the device has {', '.join(known)}")
        return known.index(name)

    @property
    def growth_rate(self) -> NDArray[np.float64]:
        """Fastest growth of an amplitude [rad/s], shape (...); negative for a stable device."""
        return np.asarray(np.max(np.linalg.eigvals(self.A).real, axis=-1))

    def require_stable(self, remedy: Callable[[], str]) -> None:
        """Refuse a device with a growing mode.

        Raises
        ------
        UnstableError
            Says by how much it grows, and what `remedy` returns.
        """
        growth = float(np.max(self.growth_rate))
        if growth >= 0:
            raise UnstableError(
                f"device is unstable: the fastest mode grows at {growth:.3g} rad/s; {remedy()}"
            )
