"""A pulse has a shape: square, Gaussian, ramped by a modulator, or as it was measured."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import erf

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.errors import ParameterError

Array = NDArray[np.float64]


class Envelope(ABC):
    """Power of a pulse against time, over its peak; it starts at time zero."""

    @property
    @abstractmethod
    def length(self) -> float:
        """From the first to the last light [s]."""

    @property
    @abstractmethod
    def energy_length(self) -> float:
        r"""Energy over peak power, :math:`\\int P\\,dt/P_\\mathrm{peak}` [s]."""

    @property
    @abstractmethod
    def breaks(self) -> tuple[float, ...]:
        """Instants between which the shape is smooth, start and end included [s]."""

    @abstractmethod
    def _inside(self, time: Array) -> Array:
        """Amplitude over its peak between start and end."""

    def amplitude(self, time: Array) -> Array:
        """Amplitude over its peak [1], the root of the relative power, at `time` [s]."""
        t = np.asarray(time, dtype=np.float64)
        lit = (t >= 0) & (t <= self.length)
        return np.where(lit, self._inside(np.clip(t, 0.0, self.length)), 0.0)

    def power(self, time: Array) -> Array:
        """Power over its peak [1] at `time` [s]."""
        return np.asarray(self.amplitude(time) ** 2)


@dataclass(frozen=True)
class Square(Envelope):
    """Constant power for a time.

    Parameters
    ----------
    duration : float
        Length [s], > 0.
    """

    duration: float

    def __post_init__(self) -> None:
        checks.number("Square.duration", self.duration, "s", above=0.0)

    @property
    def length(self) -> float:
        """Its duration [s]."""
        return self.duration

    @property
    def energy_length(self) -> float:
        """Its duration [s]."""
        return self.duration

    @property
    def breaks(self) -> tuple[float, ...]:
        """Start and end [s]."""
        return (0.0, self.duration)

    def _inside(self, time: Array) -> Array:
        return np.ones_like(time)


@dataclass(frozen=True)
class Gaussian(Envelope):
    r"""Gaussian power, cut where it has fallen to 3e-8 of its peak.

    .. math:: P(t)/P_\mathrm{peak} = 2^{-4(t-t_0)^2/T^2},\qquad t_0 = 2.5\,T

    Parameters
    ----------
    fwhm : float
        Full width at half maximum T of the power [s], > 0.
    """

    fwhm: float

    def __post_init__(self) -> None:
        checks.number("Gaussian.fwhm", self.fwhm, "s", above=0.0)

    @property
    def length(self) -> float:
        """Five times the full width at half maximum [s]."""
        return 5.0 * self.fwhm

    @property
    def energy_length(self) -> float:
        """Energy over peak power [s]: 1.064 times the full width at half maximum."""
        root = 2 * np.sqrt(np.log(2))
        return float(self.fwhm * np.sqrt(np.pi) / root * erf(2.5 * root))

    @property
    def breaks(self) -> tuple[float, ...]:
        """Start, middle and end [s]."""
        return (0.0, 0.5 * self.length, self.length)

    def _inside(self, time: Array) -> Array:
        return np.asarray(2.0 ** (-2.0 * ((time - 0.5 * self.length) / self.fwhm) ** 2))


@dataclass(frozen=True)
class Ramped(Envelope):
    r"""A square pulse whose edges a modulator rounds: amplitude :math:`\sin^2(\pi t/2T_r)`.

    Parameters
    ----------
    duration : float
        From the first to the last light [s], > 0.
    rise, fall : float
        Time from no light to full power and back [s], >= 0; 10 to 90 % of the power take 0.474 of
        it.

    Raises
    ------
    ParameterError
        If rise and fall do not fit into the duration.
    """

    duration: float
    rise: float
    fall: float = 0.0

    def __post_init__(self) -> None:
        checks.number("Ramped.duration", self.duration, "s", above=0.0)
        checks.number("Ramped.rise", self.rise, "s", at_least=0.0)
        checks.number("Ramped.fall", self.fall, "s", at_least=0.0)
        if self.rise + self.fall > self.duration * (1 + 1e-12):
            raise ParameterError(
                f"Ramped: rise and fall take {self.rise + self.fall:.4g} s, more than the "
                f"duration of {self.duration:.4g} s; lengthen the pulse"
            )

    @property
    def length(self) -> float:
        """Its duration [s]."""
        return self.duration

    @property
    def energy_length(self) -> float:
        """Energy over peak power [s]: an edge holds 3/8 of its time."""
        return self.duration - 0.625 * (self.rise + self.fall)

    @property
    def breaks(self) -> tuple[float, ...]:
        """Ends of the edges [s]."""
        ends = {0.0, self.rise, self.duration - self.fall, self.duration}
        return tuple(sorted(ends))

    def _inside(self, time: Array) -> Array:
        up = np.minimum(time / self.rise, 1.0) if self.rise > 0 else np.ones_like(time)
        left = self.duration - time
        down = np.minimum(left / self.fall, 1.0) if self.fall > 0 else np.ones_like(time)
        return np.asarray((np.sin(np.pi / 2 * up) * np.sin(np.pi / 2 * down)) ** 2)


@dataclass(frozen=True)
class Sampled(Envelope):
    """A pulse as it was measured: power at instants, linear between them.

    Parameters
    ----------
    times : ndarray, shape (t,)
        Instants, from 0 on, increasing [s].
    powers : ndarray, shape (t,)
        Power there over its peak [1]: the largest must be 1.
    """

    times: Array
    powers: Array

    def __post_init__(self) -> None:
        checks.number("Sampled.times", self.times, "s", at_least=0.0)
        checks.number("Sampled.powers", self.powers, "1", at_least=0.0, at_most=1.0 + 1e-9)
        if self.times.ndim != 1 or self.times.shape != self.powers.shape or len(self.times) < 2:
            raise ParameterError(
                "Sampled: times and powers must be two lists of one length, at least 2, got "
                f"{self.times.shape} and {self.powers.shape}"
            )
        if self.times[0] != 0 or np.any(np.diff(self.times) <= 0):
            raise ParameterError("Sampled.times [s] must start at 0 and increase")
        if abs(float(np.max(self.powers)) - 1) > 1e-9:
            raise ParameterError(
                f"Sampled.powers [1] must reach 1 at the peak, got {np.max(self.powers):.6g}; "
                "divide by the peak and give the peak power to the pump"
            )

    @property
    def length(self) -> float:
        """Last instant [s]."""
        return float(self.times[-1])

    @property
    def energy_length(self) -> float:
        """Energy over peak power, by trapezia [s]."""
        middle = 0.5 * (self.powers[1:] + self.powers[:-1])
        return float(np.sum(middle * np.diff(self.times)))

    @property
    def breaks(self) -> tuple[float, ...]:
        """Every instant [s]."""
        return tuple(float(t) for t in self.times)

    def _inside(self, time: Array) -> Array:
        return np.asarray(np.sqrt(np.interp(time, self.times, self.powers)))
