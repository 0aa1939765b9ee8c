"""What a laboratory would see: records of a detection chain, their error bars, the time needed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.errors import ParameterError, ValidityError
from cavities.gaussian import GaussianState

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Covariance:
    """A covariance inferred at the device's ports, with its error.

    Parameters
    ----------
    value : ndarray, shape (2 n, 2 n)
        Order (x1, p1, ...), vacuum 1/2 [quanta].
    sigma : ndarray, shape (2 n, 2 n)
        One standard deviation of each element [quanta].
    """

    value: Array
    sigma: Array


@dataclass(frozen=True)
class Heterodyne:
    r"""Both quadratures of every packet, through loss and an amplifier.

    .. math:: V_\mathrm{rec} = \eta V + (1-\eta)\tfrac12 + \tfrac12 + n_\mathrm{add}

    The one half on top is the vacuum that measuring both quadratures costs; the gain drops out once
    the record is referred to the input. Bandwidth and window are those of the wave packets.

    Parameters
    ----------
    efficiency : float or ndarray, shape (n,)
        From each port to its amplifier η [1], in (0, 1].
    added_noise : float or ndarray, shape (n,)
        Noise of the chain beyond the vacuum, at the amplifier's input [quanta], >= 0.
    rate : float
        Shots per second [1/s], > 0.
    reference : float
        Share of the shots spent with the device off, to know the chain's noise [1], in [0, 1); zero
        takes that noise as known exactly.
    """

    efficiency: float | Array
    added_noise: float | Array
    rate: float
    reference: float = 0.5

    def __post_init__(self) -> None:
        checks.number("Heterodyne.efficiency", self.efficiency, "1", above=0.0, at_most=1.0)
        checks.number("Heterodyne.added_noise", self.added_noise, "quanta", at_least=0.0)
        checks.number("Heterodyne.rate", self.rate, "1/s", above=0.0)
        checks.number("Heterodyne.reference", self.reference, "1", at_least=0.0, below=1.0)

    def _spread(self, value: float | Array, modes: int) -> Array:
        if np.size(value) not in (1, modes):
            raise ParameterError(
                f"Heterodyne: {np.size(value)} chains do not fit {modes} packets; give one each"
            )
        return np.repeat(np.broadcast_to(np.asarray(value, float), (modes,)), 2)

    def recorded(self, state: GaussianState) -> Array:
        """Covariance of the records, at the amplifier's input [quanta], shape (2 n, 2 n)."""
        root = np.sqrt(self._spread(self.efficiency, state.modes))
        return np.asarray(root[:, None] * state.covariance * root + np.diag(self._off(state.modes)))

    def _off(self, modes: int) -> Array:
        eta = self._spread(self.efficiency, modes)
        return (1 - eta) / 2 + 0.5 + self._spread(self.added_noise, modes)

    def records(self, state: GaussianState, shots: int, seed: int) -> Array:
        """Simulated records of a state without mean field.

        Parameters
        ----------
        state : GaussianState
            Of the wave packets at the device's ports.
        shots : int
            How many, >= 1.
        seed : int
            Of the random numbers.

        Returns
        -------
        ndarray, shape (shots, 2 n)
            Quadratures at the amplifier's input.
        """
        checks.number("Heterodyne.records: shots", float(shots), "1", at_least=1.0)
        rng = np.random.default_rng(seed)
        root = np.sqrt(self._spread(self.efficiency, state.modes))
        return rng.multivariate_normal(root * state.mean, self.recorded(state), size=shots)

    def infer(self, records: Array) -> Covariance:
        r"""Covariance at the ports from records, the chain's known noise taken off.

        .. math:: \sigma^2(V_{ij}) = \frac{V_{ii}V_{jj}+V_{ij}^2}{M}
                  \left[+\frac{V^\mathrm{off}_{ii}V^\mathrm{off}_{jj}}{M_\mathrm{off}}\right]

        Parameters
        ----------
        records : ndarray, shape (shots, 2 n)
            From `records`, or measured and referred to the amplifier's input.

        Raises
        ------
        ParameterError
            If there are fewer than ten shots.
        """
        if records.ndim != 2 or records.shape[1] % 2:
            raise ParameterError(
                f"Heterodyne.infer: records must be (shots, 2 n), got {records.shape}"
            )
        checks.number("Heterodyne.infer: records", records, "root of quanta")
        shots, size = records.shape
        if shots < 10:
            raise ParameterError(f"Heterodyne.infer: {shots} shots say nothing; take 10 or more")
        seen = np.cov(records, rowvar=False)
        return self._inferred(seen, shots, size // 2)

    def expected(self, state: GaussianState, shots: int) -> Covariance:
        """Covariance at the ports and its error bars for a number of shots, without sampling."""
        checks.number("Heterodyne.expected: shots", float(shots), "1", at_least=1.0)
        return self._inferred(self.recorded(state), shots, state.modes)

    def _inferred(self, seen: Array, shots: int, modes: int) -> Covariance:
        root = np.sqrt(self._spread(self.efficiency, modes))
        scale = 1 / (root[:, None] * root)
        d = np.diag(seen)
        variance = (d[:, None] * d + seen**2) / shots
        if self.reference > 0:
            off = self._off(modes) + self._spread(self.efficiency, modes) / 2
            blank = shots * self.reference / (1 - self.reference)
            both = off[:, None] * off * (1 + np.eye(2 * modes))
            variance = variance + both / blank
        return Covariance((seen - np.diag(self._off(modes))) * scale, np.sqrt(variance) * scale)

    def time_for_entanglement(self, state: GaussianState, sigmas: float = 5.0) -> float:
        r"""Time until the Duan variance of two packets lies below 2 by a number of sigmas (L5).

        Parameters
        ----------
        state : GaussianState
            Two packets.
        sigmas : float
            How many, > 0.

        Returns
        -------
        float
            Time [s], reference shots included.

        Raises
        ------
        ValidityError
            If the packets are not entangled by that measure: no time suffices.
        """
        checks.number("time_for_entanglement: sigmas", sigmas, "1", above=0.0)
        phase = self._best_phase(state)
        gap = 2 - state.epr_variance(phase)
        if gap <= 0:
            raise ValidityError(
                f"time_for_entanglement: the Duan variance is {2 - gap:.4g}, not below 2: no time "
                "suffices; lower the noise, or optimise local gains"
            )
        shots = (sigmas / gap) ** 2 * self._duan_variance(state, phase)
        return float(shots / (1 - self.reference) / self.rate)

    @staticmethod
    def _best_phase(state: GaussianState) -> float:
        V = state.covariance
        return float(np.arctan2(V[1, 2] + V[0, 3], V[0, 2] - V[1, 3])) * -1.0

    def _duan_variance(self, state: GaussianState, phase: float) -> float:
        """Variance of the estimator of x V x + p V p from one shot, Gaussian records."""
        c, s = np.cos(phase), np.sin(phase)
        x = np.array([1.0, 0.0, -c, s])
        p = np.array([0.0, 1.0, s, c])
        root = np.sqrt(self._spread(self.efficiency, 2))
        u, v = x / root, p / root
        seen = self.recorded(state)
        found = 2 * ((u @ seen @ u) ** 2 + (v @ seen @ v) ** 2 + 2 * (u @ seen @ v) ** 2)
        if self.reference > 0:
            off = np.diag(self._off(2) + self._spread(self.efficiency, 2) / 2)
            blank = 2 * ((u @ off @ u) ** 2 + (v @ off @ v) ** 2 + 2 * (u @ off @ v) ** 2)
            found += blank * (1 - self.reference) / self.reference
        return float(found)


@dataclass(frozen=True)
class Clicks:
    """Counts of two detectors, with error bars.

    Parameters
    ----------
    first, second, both : float
        Probability per gate of a click in one, in the other, in both [1].
    shots : int
        Gates.
    """

    first: float
    second: float
    both: float
    shots: int

    def __post_init__(self) -> None:
        checks.number("Clicks.shots", float(self.shots), "1", at_least=1.0)
        for name in ("first", "second", "both"):
            checks.probability(f"Clicks.{name}", getattr(self, name))

    @property
    def counts(self) -> tuple[float, float, float]:
        """Expected counts of first, second and coincidences."""
        return self.first * self.shots, self.second * self.shots, self.both * self.shots

    @property
    def sigmas(self) -> tuple[float, float, float]:
        """One standard deviation of the counts, binomial."""
        one, two, both = (
            float(np.sqrt(self.shots * p * (1 - p))) for p in (self.first, self.second, self.both)
        )
        return one, two, both

    @property
    def correlation(self) -> float:
        """Coincidences over accidental ones, :math:`g^{(2)}=p_{12}/p_1p_2` [1].

        Raises
        ------
        ValidityError
            If a detector never clicks.
        """
        if not self.first * self.second > 0:
            raise ValidityError(
                "g2 has no value: a detector never clicks, so no time suffices; raise the "
                "efficiency or the photon number"
            )
        return self.both / (self.first * self.second)

    @property
    def correlation_sigma(self) -> float:
        """One standard deviation of `correlation` [1], counts of one run, to first order."""
        p, q, c, M = self.first, self.second, self.both, self.shots
        # variance of ln(c/pq) from a multinomial of the four outcomes
        variance = (1 - c) / c + (1 - p) / p + (1 - q) / q
        variance += 2 * (c - p * q) / (p * q) - 2 * (1 - p) / p - 2 * (1 - q) / q
        return float(self.correlation * np.sqrt(max(variance, 0.0) / M))


@dataclass(frozen=True)
class Counting:
    r"""Threshold detectors behind two packets.

    .. math:: p_0 = (1-p_d)\Big/\sqrt{\det\left[1+\eta(V-\tfrac12)\right]}

    Parameters
    ----------
    efficiency : tuple of float
        From each port to a click η [1], in [0, 1].
    dark_rate : tuple of float
        Dark and background counts of each detector [1/s], >= 0.
    gate : float
        Time a detector is open per shot [s], > 0.
    rate : float
        Shots per second [1/s], > 0.
    """

    efficiency: tuple[float, float]
    dark_rate: tuple[float, float]
    gate: float
    rate: float

    def __post_init__(self) -> None:
        for eta, dark in zip(self.efficiency, self.dark_rate, strict=True):
            checks.probability("Counting.efficiency", eta)
            checks.number("Counting.dark_rate", dark, "1/s", at_least=0.0)
        checks.number("Counting.gate", self.gate, "s", above=0.0)
        checks.number("Counting.rate", self.rate, "1/s", above=0.0)

    def _silent(self, state: GaussianState, watched: tuple[bool, bool]) -> float:
        eta = np.repeat([e if w else 0.0 for e, w in zip(self.efficiency, watched, strict=True)], 2)
        V = state.covariance[:4, :4]
        matrix = np.eye(4) + eta[:, None] * (V - 0.5 * np.eye(4))
        quiet = np.exp(
            -self.gate * sum(d for d, w in zip(self.dark_rate, watched, strict=True) if w)
        )
        return float(quiet / np.sqrt(np.linalg.det(matrix)))

    def clicks(self, state: GaussianState, shots: int) -> Clicks:
        """Click probabilities of two packets, exact for a Gaussian state without mean field.

        Parameters
        ----------
        state : GaussianState
            Two packets at the device's ports.
        shots : int
            Gates.

        Raises
        ------
        ParameterError
            If the state has another number of packets, or a mean field.
        """
        if state.modes != 2 or np.any(state.mean):
            field = " with a mean field" if np.any(state.mean) else ""
            raise ParameterError(
                f"Counting.clicks: two packets without mean field are needed, got {state.modes}"
                f"{field}"
            )
        a = self._silent(state, (True, False))
        b = self._silent(state, (False, True))
        none = self._silent(state, (True, True))
        return Clicks(1 - a, 1 - b, 1 - a - b + none, shots)

    def counts(self, state: GaussianState, shots: int, seed: int) -> Clicks:
        """Simulated counts: the probabilities that a run of `shots` gates would estimate."""
        expected = self.clicks(state, shots)
        p, q, c = expected.first, expected.second, expected.both
        weights = np.clip([c, p - c, q - c, 1 - p - q + c], 0.0, 1.0)
        drawn = np.random.default_rng(seed).multinomial(shots, weights / np.sum(weights))
        both, one, two = (float(k) / shots for k in drawn[:3])
        return Clicks(both + one, both + two, both, shots)

    def time_for_correlation(
        self, state: GaussianState, above: float = 2.0, sigmas: float = 5.0
    ) -> float:
        """Time until the cross correlation lies above a classical bound by a number of sigmas.

        Parameters
        ----------
        state : GaussianState
            Two packets.
        above : float
            The bound [1]: 2 for thermal marginals (Cauchy-Schwarz), 1 for any correlation.
        sigmas : float
            How many, > 0.

        Returns
        -------
        float
            Time [s].

        Raises
        ------
        ValidityError
            If the correlation does not exceed the bound: no time suffices.
        """
        one = self.clicks(state, 1)
        gap = one.correlation - above
        if not gap > 0:
            raise ValidityError(
                f"time_for_correlation: g2 is {one.correlation:.4g}, not above {above:g}: no time "
                "suffices; lower gain, noise or dark counts"
            )
        return float((sigmas * one.correlation_sigma / gap) ** 2 / self.rate)
