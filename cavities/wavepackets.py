"""Wave packets: the shape in time of one mode of a waveguide or a beam."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.errors import ParameterError
from cavities.timeline import Timeline, ring_up

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class TemporalMode:
    r"""One mode of a port, :math:`a_v=\int v^*(t)\,a(t)\,dt` with :math:`\int|v|^2dt=1`.

    Parameters
    ----------
    port : str
        Port where it is emitted or comes in.
    shape : callable
        v(t) [s^-1/2] at an array of times [s], in the device's frame.
    span : tuple of float
        Outside these two instants [s] it is left out.
    breaks : tuple of float
        Instants where it is not smooth [s].
    fastest : float
        Its fastest rate or offset [rad/s], for the choice of steps.

    Examples
    --------
    >>> mode = TemporalMode.gaussian("optical.out", centre=0.0, fwhm=2.0)
    >>> t = np.linspace(-8, 8, 4001)
    >>> round(float(np.sum(np.abs(mode.at(t)) ** 2) * (t[1] - t[0])), 9)
    1.0
    """

    port: str
    shape: Callable[[Array], Complex]
    span: tuple[float, float]
    breaks: tuple[float, ...] = ()
    fastest: float = 0.0

    def __post_init__(self) -> None:
        checks.number("TemporalMode.span", np.asarray(self.span, float), "s")
        if not self.span[0] < self.span[1]:
            raise ParameterError(
                f"TemporalMode.span [s] must be two increasing instants, got {self.span}"
            )

    def at(self, time: Array) -> Complex:
        """Amplitude [s^-1/2] at `time` [s]; zero outside the span."""
        t = np.asarray(time, dtype=np.float64)
        inside = (t >= self.span[0]) & (t <= self.span[1])
        return np.where(inside, self.shape(np.clip(t, *self.span)), 0.0).astype(np.complex128)

    @classmethod
    def gaussian(
        cls, port: str, centre: float, fwhm: float, offset: float = 0.0, chirp: float = 0.0
    ) -> "TemporalMode":
        r"""Gaussian packet, :math:`|v|^2` of full width `fwhm` [s] at half maximum.

        Parameters
        ----------
        port : str
            Port.
        centre, fwhm : float
            Middle and width [s].
        offset : float
            Frequency from the frame [rad/s].
        chirp : float
            Rate at which the frequency rises [rad/s^2].
        """
        checks.number("TemporalMode.gaussian: fwhm", fwhm, "s", above=0.0)
        sigma = fwhm / np.sqrt(8 * np.log(2))

        def shape(t: Array) -> Complex:
            x = t - centre
            envelope = (2 * np.pi * sigma**2) ** -0.25 * np.exp(-((x / (2 * sigma)) ** 2))
            return np.asarray(envelope * np.exp(-1j * (offset * x + chirp * x**2 / 2)))

        reach = 12 * sigma  # |v| has fallen to exp(-36)
        fastest = abs(offset) + abs(chirp) * reach + 2 / sigma
        return cls(port, shape, (centre - reach, centre + reach), (centre,), fastest)

    @classmethod
    def exponential(
        cls, port: str, start: float, rate: float, offset: float = 0.0, rising: bool = False
    ) -> "TemporalMode":
        r"""Packet of a decaying emitter, :math:`|v|^2=\Gamma e^{-\Gamma(t-t_0)}`, or its mirror.

        Parameters
        ----------
        port : str
            Port.
        start : float
            Its edge [s].
        rate : float
            Γ [rad/s], > 0.
        offset : float
            Frequency from the frame [rad/s].
        rising : bool
            Let it end at `start` instead.
        """
        checks.number("TemporalMode.exponential: rate", rate, "rad/s", above=0.0)
        side = -1.0 if rising else 1.0

        def shape(t: Array) -> Complex:
            x = t - start
            return np.asarray(np.sqrt(rate) * np.exp(-side * rate * x / 2 - 1j * offset * x))

        reach = 70 / rate  # |v| has fallen to exp(-35)
        span = (start - reach, start) if rising else (start, start + reach)
        return cls(port, shape, span, (start,), abs(offset) + rate)

    @classmethod
    def sech(cls, port: str, centre: float, rate: float, offset: float = 0.0) -> "TemporalMode":
        r"""Packet :math:`v=\tfrac12\sqrt\Gamma\,\mathrm{sech}(\Gamma(t-t_0)/2)` (L13d).

        Parameters
        ----------
        port : str
            Port.
        centre : float
            Middle [s].
        rate : float
            Γ [rad/s], > 0.
        offset : float
            Frequency from the frame [rad/s].
        """
        checks.number("TemporalMode.sech: rate", rate, "rad/s", above=0.0)

        def shape(t: Array) -> Complex:
            x = t - centre
            return np.asarray(np.sqrt(rate) / 2 / np.cosh(rate * x / 2) * np.exp(-1j * offset * x))

        reach = 72 / rate
        return cls(port, shape, (centre - reach, centre + reach), (centre,), abs(offset) + rate)

    @classmethod
    def box(cls, port: str, start: float, stop: float, offset: float = 0.0) -> "TemporalMode":
        """Constant amplitude between two instants [s]: an analysis window, a time bin."""
        if not start < stop:
            raise ParameterError(f"TemporalMode.box: {start} s must be before {stop} s")

        def shape(t: Array) -> Complex:
            return np.asarray(np.exp(-1j * offset * (t - start)) / np.sqrt(stop - start))

        return cls(port, shape, (start, stop), (start, stop), abs(offset) + 1 / (stop - start))

    @classmethod
    def sampled(cls, port: str, times: Array, values: Complex) -> "TemporalMode":
        """Packet given at increasing `times` [s], linear between them; it is normalised."""
        t, v = np.asarray(times, float), np.asarray(values, np.complex128)
        checks.number("TemporalMode.sampled: times", t, "s")
        if t.ndim != 1 or t.shape != v.shape or len(t) < 2 or np.any(np.diff(t) <= 0):
            raise ParameterError(
                "TemporalMode.sampled: times [s] must increase, with one value each, at least 2"
            )
        step = np.diff(t)
        a, b = v[:-1], v[1:]
        norm = np.sum(step * (np.abs(a) ** 2 + np.abs(b) ** 2 + np.real(a * np.conj(b)))) / 3
        checks.number("TemporalMode.sampled: norm", float(norm), "1", above=0.0)

        def shape(x: Array) -> Complex:
            return np.interp(x, t, v.real) + 1j * np.interp(x, t, v.imag)

        scaled = cls(port, shape, (float(t[0]), float(t[-1])), tuple(map(float, t)))
        root = np.sqrt(norm)
        return cls(port, lambda x: shape(x) / root, scaled.span, scaled.breaks)

    @classmethod
    def legendre(
        cls, port: str, start: float, stop: float, count: int, offset: float = 0.0
    ) -> tuple["TemporalMode", ...]:
        """Give `count` orthonormal packets that fill a window [s]: polynomials times a carrier.

        Parameters
        ----------
        port : str
            Port.
        start, stop : float
            Window [s].
        count : int
            How many, >= 1.
        offset : float
            Frequency from the frame [rad/s].
        """
        length = stop - start

        def packet(k: int) -> "TemporalMode":
            polynomial = np.polynomial.Legendre.basis(k)

            def shape(t: Array) -> Complex:
                x = (2 * t - start - stop) / length
                root = np.sqrt((2 * k + 1) / length)
                return np.asarray(root * polynomial(x) * np.exp(-1j * offset * (t - start)))

            return cls(port, shape, (start, stop), (start, stop), abs(offset) + 4 * k / length)

        return tuple(packet(k) for k in range(count))


def overlap(first: TemporalMode, second: TemporalMode, points: int = 1024) -> complex:
    r"""Amplitude overlap :math:`\int u^*v\,dt` of two packets [1], by Gauss quadrature.

    Parameters
    ----------
    first, second : TemporalMode
        u and v.
    points : int
        Nodes, spread over the pieces between the breaks.
    """
    low, high = max(first.span[0], second.span[0]), min(first.span[1], second.span[1])
    if not low < high:
        return 0j
    marks = {low, high, *(b for b in first.breaks + second.breaks if low < b < high)}
    edges = sorted(marks)
    x, w = np.polynomial.legendre.leggauss(min(512, max(16, points // (len(edges) - 1))))
    total = 0j
    for a, b in pairwise(edges):
        t = a + (b - a) * (x + 1) / 2
        total += (b - a) / 2 * complex(np.sum(w * np.conj(first.at(t)) * second.at(t)))
    return total


def through_filter(
    packet: TemporalMode, width: float, offset: float = 0.0
) -> tuple[TemporalMode, float]:
    r"""Send a packet through a Lorentzian filter (L14).

    .. math:: \dot y = \frac{\kappa_f}{2}(v-y) - i\,\delta\,y,\qquad
              T=\int|y|^2dt\ \Big(=\frac{\kappa_f}{\kappa_f+\Gamma}
              \text{ for a decay of rate }\Gamma\Big)

    Parameters
    ----------
    packet : TemporalMode
        v.
    width : float
        Full width at half maximum of the power transmission κ_f [rad/s], > 0.
    offset : float
        Centre of the filter from the frame [rad/s].

    Returns
    -------
    TemporalMode
        The packet behind it, normalised.
    float
        Power transmission T [1].
    """
    checks.number("through_filter: width", width, "rad/s", above=0.0)
    tail = packet.span[1] + 70 / width
    fastest = max(packet.fastest, width, abs(offset), 1 / (packet.span[1] - packet.span[0]))
    line = Timeline.between([*packet.span, *packet.breaks, tail], 0.25 / fastest)
    # in the filter's own frame it is a plain first-order lag
    turn = np.exp(1j * offset * line.times)
    behind = ring_up(width / 2, packet.at(line.times) * turn, line) / turn
    transmission = float(np.sum(line.weights * np.abs(behind) ** 2))
    shape = line.interpolate(behind / np.sqrt(transmission))
    # the polynomials of the steps carry it on, so their ends need no breaks
    after = TemporalMode(packet.port, shape, (packet.span[0], tail), packet.breaks, fastest)
    return after, transmission


def dephased_visibility(rate: float, dephasing: float) -> float:
    r"""Interference of two photons whose emitters lose their phase while they decay (L14).

    .. math:: V = \frac{\Gamma}{\Gamma+2\gamma^*},\qquad \frac1{T_2}=\frac\Gamma2+\gamma^*

    Parameters
    ----------
    rate : float
        Decay rate Γ = 1/T1 of both emitters [1/s], > 0.
    dephasing : float
        Pure dephasing γ* of each [1/s], >= 0, without memory.

    Returns
    -------
    float
        Hong-Ou-Mandel visibility V [1]; the amplitude overlap of pure photons would be its root.

    Source: Bylander, Robert-Philip and Abram, Eur. Phys. J. D 22, 295 (2003).
    """
    checks.number("dephased_visibility: rate", rate, "1/s", above=0.0)
    checks.number("dephased_visibility: dephasing", dephasing, "1/s", at_least=0.0)
    return rate / (rate + 2 * dephasing)
