"""What pump light does besides converting: it warms baths, loads resonators, ages qubits.

The laws are empirical. Their coefficients live in the data file of the device they were measured
on, with the range they were measured in.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.constants import Real
from cavities.errors import ParameterError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PowerLaw:
    r"""A quantity that grows as a power of the light.

    .. math:: y(x) = y_\mathrm{ref}\,(x/x_\mathrm{ref})^q

    Parameters
    ----------
    value : float
        y at the reference point, in the unit of what it describes, >= 0.
    reference : float
        x at the reference point: intracavity photons [1] or a power [W], > 0.
    exponent : float
        q [1], >= 0.
    lowest, highest : float
        Range of x in which the law was measured; `covers` says whether a point is in it.

    Examples
    --------
    >>> law = PowerLaw(0.4, 100.0, 0.5, 10.0, 1000.0)
    >>> float(law.at(400.0)), law.covers(400.0), law.covers(4.0)
    (0.8, True, False)
    """

    value: float
    reference: float
    exponent: float
    lowest: float
    highest: float

    def __post_init__(self) -> None:
        checks.number("PowerLaw.value", self.value, "unit of the law", at_least=0.0)
        checks.number("PowerLaw.reference", self.reference, "1 or W", above=0.0)
        checks.number("PowerLaw.exponent", self.exponent, "1", at_least=0.0)
        checks.number("PowerLaw.lowest", self.lowest, "1 or W", at_least=0.0)
        checks.number("PowerLaw.highest", self.highest, "1 or W", at_least=self.lowest)

    def at(self, light: Real) -> Real:
        """Value at `light` (photons [1], power [W], energy [J], >= 0); without light none."""
        x = np.asarray(light, dtype=np.float64)
        return np.where(x > 0, self.value * (x / self.reference) ** self.exponent, 0.0)

    def covers(self, light: Real) -> bool:
        """Whether every point lies in the measured range, with 1e-6 relative slack at its ends."""
        low = np.min(light) >= self.lowest * (1 - 1e-6)
        high = np.max(light) <= self.highest * (1 + 1e-6)
        return bool(low and high)


@dataclass(frozen=True)
class HotBath:
    r"""A bath that absorbed light makes: it couples and warms as the pump does, with a delay.

    .. math:: x = n_c + \beta P,\qquad n_p = n_p(x),\quad \gamma_p = \gamma_p(x)

    and in time, with the law's value as target,

    .. math:: n_p(t) = (1-\delta)\,n_p(x(t)) + \delta\,y(t),\qquad
              \dot y = \gamma_\mathrm{on,off}\,[n_p(x(t)) - y],

    so that a step of light gives :math:`n_p[1-\delta e^{-\gamma_\mathrm{on}t}]` and its end a tail
    :math:`\delta\,n_p e^{-\gamma_\mathrm{off}t}`. The rate comes with the light at once and keeps
    the same share and tail when it goes: what is still hot still couples.

    Parameters
    ----------
    occupation : PowerLaw
        Occupation n_p [quanta] against x [photons].
    rate : PowerLaw
        Energy rate γ_p at which it couples to the mode [rad/s] against x [photons].
    per_watt : float
        β, light in the waveguide counted as intracavity photons [photons/W], >= 0.
    delayed : float
        Share δ that comes with a delay [1], in [0, 1].
    turn_on, turn_off : float
        Rates of the delay when the light comes and when it goes [rad/s], > 0.

    Notes
    -----
    Form of the delay: Meenehan et al., Phys. Rev. X 5, 041002 (2015), for a silicon nanobeam
    (δ = 0.79 there).
    """

    occupation: PowerLaw
    rate: PowerLaw
    per_watt: float = 0.0
    delayed: float = 0.0
    turn_on: float = np.inf
    turn_off: float = np.inf

    def __post_init__(self) -> None:
        checks.number("HotBath.per_watt", self.per_watt, "photons/W", at_least=0.0)
        checks.probability("HotBath.delayed", self.delayed)
        for name in ("turn_on", "turn_off"):
            value = getattr(self, name)
            if not value > 0:
                raise ParameterError(f"HotBath.{name} [rad/s] must be > 0, got {value}")
            if self.delayed > 0 and not np.isfinite(value):
                raise ParameterError(
                    f"HotBath.{name} [rad/s] must be finite where a share is delayed; give the rate"
                )

    def drive(self, photons: Real, power: Real) -> Real:
        """What warms the bath, x = n_c + β P [photons], from photons [1] and coupler power [W]."""
        return photons + self.per_watt * power

    def covers(self, photons: Real, power: Real) -> bool:
        """Whether both laws were measured there."""
        x = self.drive(photons, power)
        return self.occupation.covers(x) and self.rate.covers(x)

    def warming(
        self, times: Array, photons: Array, power: Array, settled: bool = False
    ) -> tuple[Array, Array]:
        """Rate γ_p and occupation n_p at increasing `times` [s], light given there.

        Parameters
        ----------
        times : ndarray, shape (t,)
            Instants, increasing [s].
        photons, power : ndarray, shape (..., t)
            Intracavity photons [1] and power at the coupler [W] at these instants, taken as linear
            between them.
        settled : bool
            The light of the first instant was on for ever; otherwise it was dark before.

        Returns
        -------
        tuple of ndarray, shape (..., t)
            Rate [rad/s] and occupation [quanta].
        """
        checks.number("HotBath.warming: times", times, "s")
        if np.any(np.diff(times) <= 0):
            raise ParameterError("HotBath.warming: times [s] must increase")
        x = np.maximum(self.drive(photons, power), 0.0)
        rate, target = np.asarray(self.rate.at(x)), np.asarray(self.occupation.at(x))
        if self.delayed == 0:
            return rate, target
        share = self.delayed
        slow = _lagging(times, target, self.turn_on, self.turn_off, settled)
        tail = _lagging(times, rate, np.inf, self.turn_off, settled)
        return (1 - share) * rate + share * tail, (1 - share) * target + share * slow


def _lagging(times: Array, target: Array, up: float, down: float, settled: bool) -> Array:
    """First-order lag behind a target that is linear between the instants, exact for that."""
    y = np.zeros_like(target)
    y[..., 0] = target[..., 0] if settled or not np.isfinite(up) else 0.0
    for k in range(1, len(times)):
        before, now = target[..., k - 1], target[..., k]
        rises = now >= y[..., k - 1]
        if not np.isfinite(up) and np.all(rises):
            y[..., k] = now
            continue
        h = np.where(rises, up if np.isfinite(up) else 0.0, down) * (times[k] - times[k - 1])
        h = np.maximum(h, 1e-300)
        kept = np.exp(-h)
        ramp = (now - before) * (1 + np.expm1(-h) / h)
        moved = y[..., k - 1] * kept - np.expm1(-h) * before + ramp
        y[..., k] = np.where(rises & (not np.isfinite(up)), now, moved)
    return y


@dataclass(frozen=True)
class Dose:
    """How much light a device gets on the whole.

    Parameters
    ----------
    average_power : float or ndarray, optional
        Average pump power at the coupler [W]; None where no repetition rate is known.
    pulse_energy : float or ndarray, optional
        Energy of a pump pulse at the coupler [J]; None for a continuous pump.
    """

    average_power: Real | None = None
    pulse_energy: Real | None = None


def two_bath_occupation(
    time: Real, start: Real, intrinsic: tuple[Real, Real], hot: tuple[Real, Real]
) -> Real:
    r"""Occupation of a mode between a cold and a hot bath (L10).

    .. math:: n(t) = n_\infty + (n_0-n_\infty)e^{-\Gamma t},\quad
              n_\infty = \frac{\gamma_0n_\mathrm{cold}+\gamma_pn_p}{\gamma_0+\gamma_p},\quad
              \Gamma=\gamma_0+\gamma_p

    Parameters
    ----------
    time : float or ndarray, shape (...)
        Since the hot bath appeared [s], >= 0.
    start : float or ndarray, shape (...)
        Occupation at time zero [quanta], >= 0.
    intrinsic, hot : tuple of float or ndarray, shape (...)
        Energy rate [rad/s] and occupation [quanta] of each bath.

    Returns
    -------
    float or ndarray, shape (...)
        Occupation [quanta].

    Raises
    ------
    ParameterError
        If a rate, an occupation or the time is negative, or both rates are zero.

    Source: rate equation of a damped oscillator with two reservoirs.
    """
    for label, (rate, n) in (("intrinsic", intrinsic), ("hot", hot)):
        checks.number(f"two_bath_occupation: rate of the {label} bath", rate, "rad/s", at_least=0.0)
        checks.number(f"two_bath_occupation: occupation of {label}", n, "quanta", at_least=0.0)
    checks.number("two_bath_occupation: time", time, "s", at_least=0.0)
    checks.number("two_bath_occupation: start", start, "quanta", at_least=0.0)
    total = intrinsic[0] + hot[0]
    checks.number("two_bath_occupation: sum of rates", total, "rad/s", above=0.0)
    final = (intrinsic[0] * intrinsic[1] + hot[0] * hot[1]) / total
    return final + (start - final) * np.exp(-total * time)


@dataclass(frozen=True)
class Irradiation:
    """What pump light does to a superconducting resonator: more loss, a lower frequency.

    Parameters
    ----------
    loss : PowerLaw, optional
        Added internal energy decay rate [rad/s] against intracavity pump photons [1].
    shift : PowerLaw, optional
        Downward shift of the resonance [rad/s] against intracavity pump photons [1].
    """

    loss: PowerLaw | None = None
    shift: PowerLaw | None = None

    def added_loss(self, photons: Real) -> Real:
        """Added internal decay rate [rad/s]."""
        return 0.0 if self.loss is None else self.loss.at(photons)

    def detuning(self, photons: Real) -> Real:
        """Change of the resonance frequency [rad/s], <= 0."""
        return 0.0 if self.shift is None else -self.shift.at(photons)

    def covers(self, photons: Real) -> bool:
        """Whether the laws were measured there."""
        return all(law is None or law.covers(photons) for law in (self.loss, self.shift))


def lifetime_under_light(dark: Real, law: PowerLaw, light: Real) -> Real:
    r"""T1 of a qubit beside the light, :math:`1/T_1 = 1/T_1^\mathrm{dark} + \Gamma(x)`.

    Parameters
    ----------
    dark : float or ndarray, shape (...)
        T1 without light [s], > 0.
    law : PowerLaw
        Added relaxation rate [1/s] against the light.
    light : float or ndarray, shape (...)
        Light in the unit of the law, >= 0.

    Returns
    -------
    float or ndarray, shape (...)
        T1 [s].
    """
    checks.number("lifetime_under_light: dark", dark, "s", above=0.0)
    checks.number("lifetime_under_light: light", light, "unit of the law", at_least=0.0)
    return 1.0 / (1.0 / dark + law.at(light))


@dataclass(frozen=True)
class Recovery:
    r"""Quasiparticles or heat that a pulse leaves behind, gone with one time constant.

    Parameters
    ----------
    time : float
        Time constant τ [s], > 0: about 8 ms for quasiparticles in aluminium, about 2 ms with
        vortices as traps (Mirhosseini et al., Nature 588, 599 (2020)).
    """

    time: float

    def __post_init__(self) -> None:
        checks.number("Recovery.time", self.time, "s", above=0.0)

    def residue(self, rate: Real) -> Real:
        r"""What is left of a pulse's excess when the next one comes, all earlier ones included.

        .. math:: r = \frac{e^{-1/f\tau}}{1-e^{-1/f\tau}} = \frac{1}{e^{1/f\tau}-1}

        Parameters
        ----------
        rate : float or ndarray, shape (...)
            Repetition rate f [1/s], > 0.

        Returns
        -------
        float or ndarray, shape (...)
            Residue over the excess of one pulse [1].
        """
        checks.number("Recovery.residue: rate", rate, "1/s", above=0.0)
        with np.errstate(over="ignore"):
            return 1.0 / np.expm1(1.0 / (rate * self.time))

    def highest_rate(self, residue: Real) -> Real:
        r"""Repetition rate at which a residue is left, :math:`f = 1/\tau\ln(1+1/r)` [1/s].

        Parameters
        ----------
        residue : float or ndarray, shape (...)
            Allowed residue over the excess of one pulse [1], > 0.
        """
        checks.number("Recovery.highest_rate: residue", residue, "1", above=0.0)
        return 1.0 / (self.time * np.log1p(1.0 / residue))
