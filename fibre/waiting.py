"""How long one waits for pairs: the whole law, not only its mean.

Attempts succeed or fail, stored pairs expire at a cut-off, the link goes down for calibration.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.constants import Real
from cavities.errors import ParameterError, ValidityError

if TYPE_CHECKING:
    from fibre.memory import Memory

Array = NDArray[np.float64]
State = NDArray[np.complex128]

STEPS = 1 << 20
"""Steps in which a law with a cut-off is tabulated."""
REACH = 24.0
"""Mean waits that the table covers: less than 1e-9 of the law lies beyond."""


@dataclass(frozen=True)
class Outage:
    """A down time that recurs: calibration, relock, polarisation realignment.

    Parameters
    ----------
    name : str
        What it is for.
    interval : float
        Up time from one to the next [s], > 0.
    duration : float
        Time it takes [s], >= 0.
    """

    name: str
    interval: float
    duration: float

    def __post_init__(self) -> None:
        checks.number(f"Outage '{self.name}': interval", self.interval, "s", above=0.0)
        checks.number(f"Outage '{self.name}': duration", self.duration, "s", at_least=0.0)

    @property
    def availability(self) -> float:
        """Share of the time that it leaves [1]."""
        return self.interval / (self.interval + self.duration)

    def clock(self, up: Real) -> Array:
        """Clock time at which so much up time has passed, counted from the end of an outage [s]."""
        passed = np.asarray(up, dtype=np.float64)
        # a wait that ends with an up interval need not sit through the outage behind it
        outages = np.maximum(0.0, np.ceil(passed / self.interval * (1 - 1e-15)) - 1)
        return np.asarray(passed + self.duration * outages)


@dataclass(frozen=True)
class Attempts:
    """A link that tries again and again.

    Parameters
    ----------
    probability : float
        Of a pair per attempt [1], in (0, 1].
    period : float
        Time per attempt [s], > 0.
    """

    probability: float
    period: float

    def __post_init__(self) -> None:
        checks.number("Attempts.probability", self.probability, "1", above=0.0, at_most=1.0)
        checks.number("Attempts.period", self.period, "s", above=0.0)

    @property
    def rate(self) -> float:
        """Pairs per second [1/s]."""
        return self.probability / self.period

    def within(self, attempts: Real) -> Array:
        """Probability of at least one pair in so many attempts [1]."""
        n = np.asarray(attempts, dtype=np.float64)
        if self.probability == 1.0:
            return np.where(n > 0, 1.0, 0.0)
        return np.asarray(-np.expm1(n * np.log1p(-self.probability)))


def multiplexed(probability: Real, modes: Real) -> Array:
    r"""Probability that at least one of M modes heralds, :math:`1-(1-p)^M` [1].

    Parameters
    ----------
    probability : float or ndarray, shape (...)
        Per mode p [1], in [0, 1].
    modes : float or ndarray, shape (...)
        Independent modes M in time, frequency or space that share an attempt, >= 1.

    Examples
    --------
    >>> round(float(multiplexed(1e-3, 10)), 8)
    0.00995512
    """
    checks.probability("multiplexed: probability", probability)
    checks.number("multiplexed: modes", modes, "1", at_least=1.0)
    p = np.asarray(probability, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.asarray(-np.expm1(modes * np.log1p(-p)))


def both_links(probability: Real) -> Array:
    r"""Mean attempts until two links that try in parallel both have a pair (L20).

    .. math:: \frac{3-2p}{p(2-p)}

    Parameters
    ----------
    probability : float or ndarray, shape (...)
        Of each link per attempt p [1], in (0, 1]; the first pair is kept.
    """
    checks.number("both_links: probability", probability, "1", above=0.0, at_most=1.0)
    p = np.asarray(probability, dtype=np.float64)
    return np.asarray((3 - 2 * p) / (p * (2 - p)))


def measured_rate(rate: Real, dead_time: Real) -> Array:
    r"""Rate behind a dead time that clicks do not prolong, :math:`R/(1+R\tau_d)` [1/s]."""
    checks.number("measured_rate: rate", rate, "1/s", at_least=0.0)
    checks.number("measured_rate: dead_time", dead_time, "s", at_least=0.0)
    return np.asarray(rate / (1 + np.asarray(rate) * dead_time))


@dataclass(frozen=True)
class Wait:
    """The law of the time until k pairs are held at once.

    Parameters
    ----------
    attempts : Attempts
        The link.
    pairs : int
        k, >= 1.
    cutoff : float, optional
        Age at which a stored pair is thrown away [s]; None keeps all.
    outage : Outage, optional
        A down time that recurs: attempts stop, and the wait begins at the end of one. Together
        with a cut-off it is refused where pairs have to wait for each other.
    samples : int
        Runs of a simulation, where the law has no closed form (three pairs or more, with a
        cut-off).

    Raises
    ------
    ParameterError
        If k is below one, or a cut-off is shorter than one attempt where k > 1.
    ValidityError
        If a cut-off and an outage longer than it are asked together.
    """

    attempts: Attempts
    pairs: int = 1
    cutoff: float | None = None
    outage: Outage | None = None
    samples: int = 100_000

    def __post_init__(self) -> None:
        checks.number("Wait.pairs", self.pairs, "1", at_least=1)
        if self.pairs != int(self.pairs):
            raise ParameterError(f"Wait.pairs must be a whole number, got {self.pairs}")
        checks.number("Wait.samples", self.samples, "1", at_least=100)
        if self.cutoff is not None:
            checks.number("Wait.cutoff", self.cutoff, "s", above=0.0)
            if self.pairs > 1 and self.life < self.pairs - 1:
                raise ParameterError(
                    f"Wait.cutoff [s] of {self.cutoff:.3g} lets no {self.pairs} pairs live "
                    f"together at one attempt per {self.attempts.period:.3g} s; keep them for at "
                    f"least {(self.pairs - 1) * self.attempts.period:.3g} s"
                )
            if self.pairs > 1 and self.outage is not None and self.outage.duration > 0:
                raise ValidityError(
                    "Wait: a cut-off together with outages is not modelled: pairs would expire "
                    "while the link is down; leave one of them out"
                )

    @property
    def life(self) -> int:
        """Attempts that a stored pair lives through."""
        assert self.cutoff is not None
        return int(np.floor(self.cutoff / self.attempts.period * (1 + 1e-12)))

    @property
    def _plain(self) -> bool:
        return self.pairs == 1 or self.cutoff is None

    def by(self, deadline: float) -> float:
        """Probability of holding the pairs within a deadline [1], in [s] from the start."""
        checks.number("Wait.by: deadline", deadline, "s", at_least=0.0)
        up = self._up_time(deadline)
        steps = np.floor(up / self.attempts.period * (1 + 1e-12))
        if self._plain:
            return float(self._negative_binomial(steps))
        if self._rare is not None:
            return float(-np.expm1(-max(0.0, steps - 1) / self._rare)) if steps >= 2 else 0.0
        times, done = self._table
        return float(np.interp(steps, times, done, left=0.0))

    def quantile(self, share: float) -> float:
        """Time by which a share of all waits has ended [s]: 0.5 is the median."""
        checks.number("Wait.quantile: share", share, "1", above=0.0, below=1.0)
        if self._plain:
            steps = self._steps_to(share)
        elif self._rare is not None:
            steps = float(np.ceil(1 - self._rare * np.log1p(-share)))
        else:
            times, done = self._table
            if not share <= done[-1]:
                raise ValidityError(
                    f"Wait.quantile: the table ends at a share of {done[-1]:.6g}, got {share:g}; "
                    "ask for less"
                )
            k = int(np.searchsorted(done, share))
            steps = float(times[k])
            if self.pairs == 2 and self._stride > 1 and k > 0:  # between two coarse steps
                ahead = (share - done[k - 1]) / (done[k] - done[k - 1])
                steps = float(np.ceil(times[k - 1] + ahead * self._stride - 1e-9))
        up = steps * self.attempts.period
        return float(up if self.outage is None else self.outage.clock(up))

    @property
    def mean(self) -> float:
        """Mean wait [s], with the outages it sits through."""
        p = self.attempts.probability
        if self._plain:
            steps = self.pairs / p
        elif self.pairs == 2:
            steps = self._mean_of_two
        else:
            steps = float(np.mean(self._simulated))
        up = steps * self.attempts.period
        if self.outage is None:
            return up
        return up + self.outage.duration * self._outages(steps)

    def _outages(self, steps: float) -> float:
        """Mean number of outages that a wait of so many attempts on average sits through."""
        assert self.outage is not None
        between = self.outage.interval / self.attempts.period
        if steps / between > 1e4:
            return steps / between
        if self.pairs == 1:
            left = -np.expm1(np.log(max(1e-300, float(self._left(np.floor(between))))))
            return float((1 - left) / left) if left > 0 else steps / between
        reach = np.floor(between * np.arange(1, 64 * int(np.ceil(steps / between)) + 64))
        return float(np.sum(self._left(reach)))

    def _left(self, steps: Real) -> Array:
        """Probability that the wait has not ended after so many attempts."""
        if self.pairs == 1 and self.attempts.probability < 1:
            return np.asarray(np.exp(np.asarray(steps) * np.log1p(-self.attempts.probability)))
        return np.asarray(1 - self._negative_binomial(steps))

    def _up_time(self, deadline: float) -> float:
        if self.outage is None:
            return deadline
        cycle = self.outage.interval + self.outage.duration
        whole = np.floor(deadline / cycle)
        return float(whole * self.outage.interval + min(deadline % cycle, self.outage.interval))

    def _negative_binomial(self, attempts: Real) -> Array:
        """P(k successes within n attempts), the regularised incomplete beta function."""
        if self.pairs == 1:
            return self.attempts.within(attempts)
        from scipy.special import betainc

        n = np.asarray(attempts, dtype=np.float64)
        k = float(self.pairs)
        enough = n >= k
        return np.where(
            enough, betainc(k, np.where(enough, n - k + 1, 1.0), self.attempts.probability), 0.0
        )

    def _steps_to(self, share: float) -> float:
        """Fewest attempts with at least this probability, by bisection."""
        low, high = self.pairs - 1.0, float(self.pairs)
        while self._negative_binomial(high) < share:
            low, high = high, 2 * high
        while high - low > max(0.5, 1e-13 * high):
            middle = np.floor((low + high) / 2) if high < 2**52 else (low + high) / 2
            if middle in (low, high):
                break
            if self._negative_binomial(middle) >= share:
                high = middle
            else:
                low = middle
        return high

    @cached_property
    def _table(self) -> tuple[Array, Array]:
        """Attempts, and the probability that the wait has ended by then."""
        if self.pairs > 2:
            steps = np.sort(self._simulated)
            times, first = np.unique(steps, return_index=True)
            return times, np.append(first[1:], len(steps)) / len(steps)
        return self._two_with_cutoff()

    @cached_property
    def _mean_of_two(self) -> float:
        """Mean attempts until two pairs live together: a first one, and gaps until one is short."""
        return (1 + 1 / float(self.attempts.within(self.life))) / self.attempts.probability

    @property
    def _stride(self) -> int:
        """Attempts per step of the table."""
        return max(1, int(np.ceil(REACH * self._mean_of_two / STEPS)))

    @cached_property
    def _rare(self) -> float | None:
        """Mean attempts of a second pair that is rarely in time: nearly exponential, no table.

        A geometric number of tries, each many attempts long; None where the table resolves it.
        """
        if self.pairs != 2 or self._plain:
            return None
        s, p = self._stride, self.attempts.probability
        coarse = s > 1 and (s > max(1, self.life // 8) or s * p > 0.02)
        return self._mean_of_two if coarse else None

    def _two_with_cutoff(self) -> tuple[Array, Array]:
        r"""Two pairs with a cut-off: gaps between successes until one is at most `life`.

        .. math:: \hat T(z) = \hat g(z)\,\frac{\hat g_{\le m}(z)}{1-\hat g_{>m}(z)}

        inverted by a discrete Fourier transform, exactly where a step is one attempt; coarser steps
        keep the mean of each gap.
        """
        from scipy.fft import irfft, next_fast_len, rfft

        p, m, stride = self.attempts.probability, self.life, self._stride
        size = int(np.ceil(REACH * self._mean_of_two / stride)) + 2
        length = next_fast_len(2 * size)
        ends = np.arange(size) * stride
        tail = np.exp(np.log1p(-p) * ends) if p < 1 else (ends == 0) * 1.0
        inside = tail[:-1] - tail[1:]  # of a gap that ends within (end, next end]
        shares = np.clip((m - ends[:-1]) / stride, 0.0, 1.0)
        upper = (stride + 1) / (2 * stride)  # gaps of one step lie this far up in it

        def placed(mass: Array) -> Array:
            out = np.zeros(size)
            out[1:] += upper * mass
            out[:-1] += (1 - upper) * mass
            return out

        g, short, long_ = (
            rfft(placed(v), length) for v in (inside, inside * shares, inside * (1 - shares))
        )
        law = irfft(g * short / (1 - long_), length)[:size]
        times = np.asarray(ends, dtype=np.float64)
        return times, np.asarray(np.clip(np.cumsum(law), 0.0, 1.0))

    @cached_property
    def _simulated(self) -> Array:
        """Attempts until k pairs live together, one number per run; the seed is fixed."""
        rng = np.random.default_rng(20_261)
        k, m, p = self.pairs, self.life, self.attempts.probability
        # k - 1 gaps within m attempts: a success has at least this chance to complete the set
        chance = float(self.attempts.within(m / (k - 1))) ** (k - 1)
        if chance < 1e-4:
            raise ValidityError(
                f"Wait: {k} pairs hardly ever live together within {self.cutoff:g} s at "
                f"{self.attempts.rate:.3g} pairs/s; keep them longer, or ask for fewer"
            )
        total = np.zeros(self.samples)
        recent = np.zeros((self.samples, k - 1))
        seen = np.zeros(self.samples, dtype=int)
        open_ = np.arange(self.samples)
        for _ in range(1_000_000):
            gap = rng.geometric(p, len(open_)).astype(float)
            total[open_] += gap
            recent[open_] = np.roll(recent[open_], 1, axis=1)
            recent[open_, 0] = gap
            seen[open_] += 1
            alive = (seen[open_] >= k) & (np.sum(recent[open_], axis=1) <= m)
            open_ = open_[~alive]
            if len(open_) == 0:
                return total
        raise ValidityError(
            f"Wait: {self.pairs} pairs hardly ever live together within {self.cutoff:g} s at "
            f"{self.attempts.rate:.3g} pairs/s; keep them longer, or ask for fewer"
        )


def stored(
    state: State, memories: "tuple[Memory, Memory]", attempts: Attempts, cutoff: float | None = None
) -> State:
    r"""A pair that waits for the next success, averaged over the law of that wait (L20).

    .. math:: \bar\rho = \frac{p\,E\,(1-qE)^{-1}[1-(qE)^m]}{1-q^m}\rho,
              \qquad E = e^{\mathcal L T},\; q = 1-p

    Parameters
    ----------
    state : ndarray of complex, shape (4, 4)
        The pair when it is stored.
    memories : tuple of two Memory
        Of A and B.
    attempts : Attempts
        Of the link it waits for.
    cutoff : float, optional
        Longest wait [s]: the average is over the waits that end in time.

    Returns
    -------
    ndarray of complex, shape (4, 4)
        Averaged state; its trace is kept.

    Notes
    -----
    Each factor :math:`e^{-t/T}` averages to :math:`pe^{-T_a/T}/(1-qe^{-T_a/T})`, which is
    R/(R + 1/T) for short attempts.
    """
    from fibre.memory import decay, qubit_channel

    p, T = attempts.probability, attempts.period
    basis = np.eye(16, dtype=np.complex128).reshape(16, 4, 4)
    one, two = (qubit_channel(memory, T) for memory in memories)
    E = decay(basis, one, two).reshape(16, 16).T  # one attempt, as a matrix on vec(rho)
    # 1 - q E = p + q (1 - E), and 1 - E from the decays themselves: nothing cancels at small p
    lost = [1 / memory.T1 for memory in memories]
    still = np.eye(16) - E
    diagonal = np.diag_indices(16)
    still[diagonal] = -np.expm1(_exponents(memories, lost) * T)
    average = p * E @ np.linalg.inv(p * np.eye(16) + (1 - p) * still)
    norm = 1.0
    if cutoff is not None:
        m = int(np.floor(cutoff / T * (1 + 1e-12)))
        if m < 1:
            raise ParameterError(
                f"stored: a cut-off of {cutoff:.3g} s is shorter than one attempt of {T:.3g} s"
            )
        # decay over m attempts at once: exponents, not a power of a matrix
        late = decay(basis, *(qubit_channel(memory, m * T) for memory in memories))
        grown = m * np.log1p(-p) if p < 1 else -np.inf
        missed = np.eye(16) - late.reshape(16, 16).T
        missed[diagonal] = -np.expm1(_exponents(memories, lost) * m * T)
        norm = float(-np.expm1(grown))
        average = average @ (norm * np.eye(16) + np.exp(grown) * missed)
    found = (average @ state.reshape(16) / norm).reshape(4, 4)
    return np.asarray(found * (np.trace(state) / np.trace(found)))


def _exponents(memories: "tuple[Memory, Memory]", lost: list[float]) -> Array:
    """Rate at which each element of vec(rho) decays by itself, negative [1/s], shape (16,)."""
    rates = []
    for a, b, c, d in np.ndindex(2, 2, 2, 2):  # ket A, ket B, bra A, bra B
        total = 0.0
        for (ket, bra), memory, loss in zip(((a, c), (b, d)), memories, lost, strict=True):
            if ket == bra:
                total -= loss * ket
            else:
                total -= 1 / memory.T2
        rates.append(total)
    return np.array(rates)
