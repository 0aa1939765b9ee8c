"""Whether two nodes share a phase and a frequency, each cause from its own parameters.

The pump's phase is imprinted on the photon, the fibre turns it, the lock holds it for a while, and
an offset between the transducers lets it run.
"""

from dataclasses import dataclass, fields

import numpy as np

from cavities import checks
from cavities.constants import Real
from cavities.errors import ParameterError


@dataclass(frozen=True)
class Registration:
    r"""What keeps the optical phases of two nodes together, and what pulls them apart.

    Parameters
    ----------
    linewidth_a, linewidth_b : float
        Full Lorentzian linewidth of each node's pump laser [rad/s], >= 0.
    shared_laser : bool
        Whether one laser pumps both nodes: then only the difference of its travel times counts,
        and `linewidth_a` is its linewidth.
    laser_delay : float
        Difference of travel times from a shared laser over both nodes to the station [s], >= 0.
    fibre_drift : float
        Rate at which the phase of the fibres turns, both arms together [rad/s], >= 0.
    residual : float
        Rms phase that the lock leaves right after it acted [rad], >= 0.
    interval : float
        Time the link has from one action of the lock to the next [s], >= 0.
    lock_time : float
        Time each action of the lock takes from the link, beside the interval [s], >= 0.
    offset : float
        Known frequency difference of the two photons [rad/s].
    offset_rms : float
        Rms uncertainty of that difference [rad/s], >= 0.
    jitter : float
        Rms timing error of a click [s], >= 0.

    Raises
    ------
    ParameterError
        If a number leaves its domain, or a delay is given for lasers that are not shared.

    Notes
    -----
    White frequency noise: the phase of a line of full width Δω diffuses by Δω t. Drift is taken at
    its full rate over the whole time, which is its worst case. The lock's error grows through the
    interval; its mean square over the interval is used.
    """

    linewidth_a: float = 0.0
    linewidth_b: float = 0.0
    shared_laser: bool = False
    laser_delay: float = 0.0
    fibre_drift: float = 0.0
    residual: float = 0.0
    interval: float = 0.0
    lock_time: float = 0.0
    offset: float = 0.0
    offset_rms: float = 0.0
    jitter: float = 0.0

    def __post_init__(self) -> None:
        for name, unit in (
            ("linewidth_a", "rad/s"),
            ("linewidth_b", "rad/s"),
            ("laser_delay", "s"),
            ("fibre_drift", "rad/s"),
            ("residual", "rad"),
            ("interval", "s"),
            ("lock_time", "s"),
            ("offset_rms", "rad/s"),
            ("jitter", "s"),
        ):
            checks.number(f"Registration.{name}", getattr(self, name), unit, at_least=0.0)
        checks.number("Registration.offset", self.offset, "rad/s")
        if self.laser_delay > 0 and not self.shared_laser:
            raise ParameterError(
                "Registration.laser_delay [s] belongs to one laser that pumps both nodes; set "
                "shared_laser, or leave it out"
            )
        if self.lock_time > 0 and self.interval == 0:
            raise ParameterError(
                "Registration.lock_time [s] needs the interval in which it recurs; give "
                "Registration.interval [s] > 0"
            )

        apart = 0.0 if self.shared_laser else self.linewidth_a + self.linewidth_b
        if self.interval == 0 and (apart > 0 or self.fibre_drift > 0):
            raise ParameterError(
                "Registration.interval [s] must be > 0: lasers and fibres drift apart from one "
                "action of the lock to the next; say how long that is"
            )

    @property
    def duty(self) -> float:
        """Share of the time that the lock leaves to the link [1]."""
        if self.lock_time == 0:
            return 1.0
        return self.interval / (self.interval + self.lock_time)

    def _diffusion(self, time: float) -> float:
        """Variance of the relative phase of two lasers that ran apart for a time [rad²]."""
        return (self.linewidth_a + self.linewidth_b) * time

    def within_attempt(self) -> "Shares":
        r"""Variances of the relative phase of the arms in one attempt [rad²].

        .. math:: \sigma^2 = \sigma_\mathrm{lock}^2 + (\Delta\omega_A+\Delta\omega_B)\tfrac{T}{2}
                  + \tfrac13(\dot\phi T)^2 + (\delta^2+\sigma_\delta^2)t_j^2

        T is the time between two actions of the lock, over which the mean is taken; a shared laser
        has :math:`\Delta\omega\,\delta t` instead. For the single-click herald.
        """
        if self.shared_laser:
            laser = self.linewidth_a * self.laser_delay
        else:
            laser = self._diffusion(self.interval) / 2
        return Shares(
            lock=self.residual**2,
            laser=laser,
            fibre=(self.fibre_drift * self.interval) ** 2 / 3,
            offset=(self.offset**2 + self.offset_rms**2) * self.jitter**2,
        )

    def between_bins(self, gap: float) -> "Shares":
        r"""Variances of the change of that phase from one bin or round to the next [rad²].

        .. math:: \sigma^2 = (\Delta\omega_A+\Delta\omega_B)\,t + (\dot\phi\,t)^2
                  + (\sigma_\delta\,t)^2 + 2(\delta^2+\sigma_\delta^2)t_j^2

        Parameters
        ----------
        gap : float
            Time t between the two emissions [s], >= 0.

        Notes
        -----
        A known offset turns the Bell phase by δt, which is corrected; what is not known of it, and
        of the two click times, stays. A shared laser diffuses for no longer than its delay
        difference, in both bins.
        """
        checks.number("Registration.between_bins: gap", gap, "s", at_least=0.0)
        laser = self._diffusion(gap)
        if self.shared_laser:
            laser = 2 * self.linewidth_a * min(gap, self.laser_delay)
        return Shares(
            lock=0.0,
            laser=laser,
            fibre=(self.fibre_drift * gap) ** 2,
            offset=(self.offset_rms * gap) ** 2
            + 2 * (self.offset**2 + self.offset_rms**2) * self.jitter**2,
        )


@dataclass(frozen=True)
class Shares:
    """Variances of a phase by cause; independent, so they add.

    Parameters
    ----------
    lock, laser, fibre, offset : float
        Variance that each cause contributes [rad²], >= 0.
    """

    lock: float
    laser: float
    fibre: float
    offset: float

    def __post_init__(self) -> None:
        for entry in fields(self):
            checks.number(f"Shares.{entry.name}", getattr(self, entry.name), "rad^2", at_least=0.0)

    @property
    def rms(self) -> float:
        """Rms phase of all causes together [rad]."""
        return float(np.sqrt(sum(getattr(self, entry.name) for entry in fields(self))))

    @property
    def coherence(self) -> float:
        r"""Factor on the coherence of a herald, :math:`e^{-\sigma^2/2}` [1]."""
        return float(np.exp(-(self.rms**2) / 2))


def offset_overlap(offset: Real, rms_duration: Real) -> Real:
    r"""Amplitude overlap of two equal Gaussian photons of unlike frequency (L14e).

    .. math:: M = e^{-\delta^2\sigma^2/2}, \qquad V = M^2

    Parameters
    ----------
    offset : float or ndarray, shape (...)
        Frequency difference δ [rad/s].
    rms_duration : float or ndarray, shape (...)
        Rms width σ of \|u(t)\|² [s], >= 0.

    Examples
    --------
    >>> round(float(offset_overlap(0.3, 2.0)) ** 2, 10)
    0.6976763261
    """
    checks.number("offset_overlap: offset", offset, "rad/s")
    checks.number("offset_overlap: rms_duration", rms_duration, "s", at_least=0.0)
    return np.exp(-(np.square(offset) * np.square(rms_duration)) / 2)
