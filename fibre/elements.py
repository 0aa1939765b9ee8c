"""What a photon meets on its way.

Each element sees only the light before it and hands on what leaves: a finished photon, or a node
whose clicks will be tagged with their times.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import numpy as np

from cavities import checks
from cavities.constants import LIGHT_SPEED, Real
from cavities.errors import ParameterError, ValidityError
from fibre.line_noise import Classical, raman_quanta
from fibre.photon import Amplitude, Spectrum


def transmittance(loss_db: Real) -> Real:
    """Power transmission of a loss in dB.

    Examples
    --------
    >>> round(transmittance(3.0), 4)
    0.5012
    """
    return 10.0 ** (-loss_db / 10.0)


def decibels(transmission: Real) -> Real:
    """Loss in dB of a power transmission: the inverse of `transmittance`.

    Examples
    --------
    >>> round(float(decibels(0.5)), 4)
    3.0103
    """
    return -10.0 * np.log10(transmission)


class Filter(Protocol):
    """What a photon has to know of a filter."""

    def response(self, omega: Spectrum) -> Amplitude:
        """Amplitude transmission [1] at offsets from the carrier [rad/s]."""

    def pump_transmittance(self, offset: float) -> float:
        """Power transmission [1] of pump light at an offset from the carrier [rad/s]."""


class Light(Protocol):
    """What can be sent through elements: a `Photon`, or a `ClickSource`."""

    def attenuated(self, transmittance: Real) -> Self:
        """Behind a cold, frequency-independent loss [1]."""

    def delayed(self, delay: Real) -> Self:
        """After a travel time [s]."""

    def filtered(self, element: Filter) -> Self:
        """Behind a filter."""

    def joined_by(self, quanta: Real) -> Self:
        """In the company of white light of so many quanta per mode."""

    def share_within(self, half_width: float) -> float:
        """Share of the photon within `half_width` [rad/s] of the carrier [1]."""


Travelling = TypeVar("Travelling", bound=Light)


class Element(Protocol):
    """Anything between a transducer and a detector: callable, with a name and a worst case."""

    @property
    def name(self) -> str:
        """What the budget calls it."""

    @property
    def basis(self) -> str:
        """Status of the weakest number in it."""

    @property
    def margin_db(self) -> Real:
        """How much worse than typical its data sheet allows it to be [dB]."""

    @property
    def sigma_db(self) -> Real:
        """Standard deviation of its loss among parts of its kind [dB]."""

    @property
    def kind(self) -> str:
        """What sort of thing it is: coupling, connector, filter, fibre, switch and so on."""

    @property
    def band_nm(self) -> tuple[float, float] | None:
        """Wavelengths that it is specified for [nm], if any are stated."""

    @property
    def delay(self) -> Real:
        """Travel time through it [s]."""

    @property
    def switch_time(self) -> float:
        """Time it needs to be set up before a session [s]."""

    def __call__(self, light: Travelling) -> Travelling:
        """Hand on the light."""


@dataclass(frozen=True)
class Loss:
    """A cold element that only loses light: coupler, connector, splice, feedthrough, isolator.

    Parameters
    ----------
    name : str
        What the budget calls it.
    loss_db : float or ndarray, shape (...)
        Typical insertion loss [dB], >= 0.
    margin_db : float
        Worst case above typical [dB], >= 0.
    basis : str
        Status of the weakest number in it.
    switch_time : float
        Time to set it up before a session [s]; 0 for what does not switch.
    sigma_db : float
        Standard deviation of the loss among parts of its kind [dB], >= 0.
    kind : str
        What sort of thing it is.
    band_nm : tuple of two float, optional
        Wavelengths that it is specified for [nm].
    """

    name: str
    loss_db: Real
    margin_db: float = 0.0
    basis: str = "guess"
    switch_time: float = 0.0
    sigma_db: float = 0.0
    kind: str = "loss"
    band_nm: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        checks.number("Loss.loss_db", self.loss_db, "dB", at_least=0.0)
        checks.number("Loss.margin_db", self.margin_db, "dB", at_least=0.0)
        checks.number("Loss.switch_time", self.switch_time, "s", at_least=0.0)
        checks.number("Loss.sigma_db", self.sigma_db, "dB", at_least=0.0)

    @property
    def delay(self) -> float:
        """Travel time through it [s]: zero."""
        return 0.0

    def __call__(self, light: Travelling) -> Travelling:
        """Attenuate photon, noise and pump light alike."""
        return light.attenuated(transmittance(self.loss_db))


@dataclass(frozen=True)
class FibreSpan:
    """A length of fibre.

    Parameters
    ----------
    name : str
        What the budget calls it.
    length : float or ndarray, shape (...)
        Length [m], >= 0.
    attenuation : float
        Typical attenuation [dB/m], >= 0.
    attenuation_max : float
        Data-sheet ceiling [dB/m], >= `attenuation`.
    group_index : float
        Group index [1], >= 1.
    basis : str
        Status of the weakest number in it.
    sigma : float
        Standard deviation of the attenuation among fibres of its kind [dB/m], >= 0.
    band_nm : tuple of two float, optional
        Wavelengths that it is specified for [nm].
    classical : tuple of Classical
        Classical channels that share it; their Raman light joins at its output.
    carrier : float
        Carrier of the photon [rad/s]; needed with classical channels.
    """

    name: str
    length: Real
    attenuation: float
    attenuation_max: float
    group_index: float
    basis: str = "guess"
    sigma: float = 0.0
    band_nm: tuple[float, float] | None = None
    classical: tuple[Classical, ...] = ()
    carrier: float = 0.0

    def __post_init__(self) -> None:
        if self.classical:
            checks.number("FibreSpan.carrier", self.carrier, "rad/s", above=0.0)
        checks.number("FibreSpan.length", self.length, "m", at_least=0.0)
        checks.number("FibreSpan.attenuation", self.attenuation, "dB/m", at_least=0.0)
        checks.number(
            "FibreSpan.attenuation_max", self.attenuation_max, "dB/m", at_least=self.attenuation
        )
        checks.number("FibreSpan.group_index", self.group_index, "1", at_least=1.0)
        checks.number("FibreSpan.sigma", self.sigma, "dB/m", at_least=0.0)

    @property
    def kind(self) -> str:
        """What sort of thing it is: a fibre."""
        return "fibre"

    @property
    def margin_db(self) -> Real:
        """How much more it may lose at the data-sheet ceiling [dB]."""
        return (self.attenuation_max - self.attenuation) * self.length

    @property
    def sigma_db(self) -> Real:
        """Standard deviation of its loss, the whole length of one make [dB]."""
        return self.sigma * self.length

    @property
    def delay(self) -> Real:
        """Travel time [s]."""
        return self.length * self.group_index / LIGHT_SPEED

    @property
    def switch_time(self) -> float:
        """A fibre does not switch [s]."""
        return 0.0

    def __call__(self, light: Travelling) -> Travelling:
        """Attenuate photon, noise and pump light alike, and let them travel."""
        lost = transmittance(self.attenuation * self.length)
        after = light.attenuated(lost).delayed(self.delay)
        for channel in self.classical:
            scattered = raman_quanta(channel, self.length, self.attenuation, self.carrier)
            after = after.joined_by(scattered if np.ndim(scattered) else float(scattered))
        return after


@dataclass(frozen=True)
class Stages(ABC):
    """Identical filter stages in a row, isolated from each other: what every line shape shares."""

    name: str
    bandwidth: float
    insertion_db: float
    margin_db: float
    extinction_db: float
    stages: int = 1
    basis: str = "guess"
    sigma_db: float = 0.0
    band_nm: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        name = type(self).__name__
        checks.number(f"{name}.bandwidth", self.bandwidth, "rad/s", above=0.0)
        checks.number(f"{name}.insertion_db", self.insertion_db, "dB", at_least=0.0)
        checks.number(f"{name}.margin_db", self.margin_db, "dB", at_least=0.0)
        checks.number(f"{name}.extinction_db", self.extinction_db, "dB", at_least=0.0)
        checks.number(f"{name}.stages", self.stages, "1", at_least=1)
        checks.number(f"{name}.sigma_db", self.sigma_db, "dB", at_least=0.0)

    @property
    def kind(self) -> str:
        """What sort of thing it is: a filter."""
        return "filter"

    @property
    def delay(self) -> float:
        """Travel time through it [s]; its group delay is in the photon's arrival instead."""
        return 0.0

    @property
    def switch_time(self) -> float:
        """A filter does not switch [s]."""
        return 0.0

    @property
    def _inserted(self) -> float:
        return float(transmittance(self.stages * self.insertion_db))

    @abstractmethod
    def rejection_db(self, offset: float) -> float:
        """Rejection of the cascade [dB] at `offset` [rad/s] from its line, above insertion loss."""

    @abstractmethod
    def response(self, omega: Spectrum) -> Amplitude:
        """Amplitude transmission [1] at offsets from the carrier [rad/s], insertion included."""

    def pump_transmittance(self, offset: float) -> float:
        """Power transmission of pump light at an offset [1], insertion included."""
        return float(self._inserted * transmittance(self.rejection_db(offset)))

    def __call__(self, light: Travelling) -> Travelling:
        """Filter the photon and its noise by the line, the pump by the rejection."""
        return light.filtered(self)


@dataclass(frozen=True)
class FabryPerot(Stages):
    r"""A cascade of Fabry-Perot filters on the carrier.

    Insertion loss, line shape and pump rejection.

    .. math:: F(\omega) = \sqrt{T_0}^{\,s}\,(1 - 2i\omega/B)^{-s}

    Parameters
    ----------
    name : str
        What the budget calls it.
    bandwidth : float
        Full width at half maximum B of one stage's transmission [rad/s], > 0.
    insertion_db : float
        Typical peak insertion loss of one stage [dB], >= 0.
    margin_db : float
        Worst case above typical, all stages [dB], >= 0.
    extinction_db : float
        Data-sheet rejection of one stage far from resonance [dB], >= 0.
    stages : int
        Number of identical stages s, >= 1, isolated from each other.
    basis : str
        Status of the weakest number in it.
    sigma_db : float
        Standard deviation of the insertion loss, all stages [dB], >= 0.
    band_nm : tuple of two float, optional
        Wavelengths that it is specified for [nm].

    Notes
    -----
    Valid within half a free spectral range. At the pump a stage rejects the smaller of its
    data-sheet extinction and the Lorentzian of its line.
    """

    def rejection_db(self, offset: float) -> float:
        """Rejection of the cascade [dB] at `offset` [rad/s] from its line, above insertion loss."""
        lorentzian = 10 * np.log10(1 + (2 * offset / self.bandwidth) ** 2)
        return self.stages * float(min(self.extinction_db, lorentzian))

    def response(self, omega: Spectrum) -> Amplitude:
        """Amplitude transmission [1] at offsets from the carrier [rad/s], insertion included."""
        line = (1 - 2j * omega / self.bandwidth) ** (-self.stages)
        return np.asarray(np.sqrt(self._inserted) * line, dtype=np.complex128)


@dataclass(frozen=True)
class FlatTop(Stages):
    r"""A channel filter with a flat passband: thin film, arrayed waveguide, wavelength switch.

    .. math:: |F(\omega)|^2 = T_0^s \text{ inside } |\omega| \le B/2,
              \quad T_0^s\,10^{-sX/10} \text{ outside}

    Parameters
    ----------
    name, bandwidth, insertion_db, margin_db, extinction_db, stages, basis, sigma_db, band_nm
        As of `FabryPerot`; `bandwidth` [rad/s] is the passband, `extinction_db` X [dB] the
        rejection of one stage outside.

    Notes
    -----
    Nothing is known of its edges: a photon that reaches them is refused.

    Raises
    ------
    ValidityError
        On use, if more than 1e-3 of the photon lies outside the passband.
    """

    def rejection_db(self, offset: float) -> float:
        """Rejection of the cascade [dB] at `offset` [rad/s] from its line, above insertion loss."""
        return self.stages * self.extinction_db if abs(offset) > self.bandwidth / 2 else 0.0

    def response(self, omega: Spectrum) -> Amplitude:
        """Amplitude transmission [1] at offsets from the carrier [rad/s], insertion included."""
        outside = np.abs(omega) > self.bandwidth / 2
        rejected = np.where(outside, transmittance(self.stages * self.extinction_db), 1.0)
        return np.asarray(np.sqrt(self._inserted * rejected), dtype=np.complex128)

    def __call__(self, light: Travelling) -> Travelling:
        """Filter the photon and its noise; a photon at the edges is refused."""
        share = light.share_within(self.bandwidth / 2)
        if not share >= 1 - 1e-3:
            raise ValidityError(
                f"'{self.name}': {100 * (1 - share):.2g} % of the photon lies outside its passband "
                f"of {self.bandwidth / (2 * np.pi):.3g} Hz, where its unknown edges decide; use a "
                "wider filter, a longer photon, or a Fabry-Perot, whose line is known"
            )
        return light.filtered(self)


@dataclass(frozen=True)
class Switch:
    r"""One path through an optical switch: a loss, and what it does to the state that passes.

    Parameters
    ----------
    name : str
        What the budget calls it.
    loss_db : float or ndarray, shape (...)
        Typical insertion loss [dB], >= 0.
    margin_db : float
        Worst case above typical [dB], >= 0; the polarisation-dependent loss comes on top of it.
    basis : str
        Status of the weakest number in it.
    switch_time : float
        Time to set it up before a session [s], >= 0.
    sigma_db : float
        Standard deviation of the loss [dB], >= 0.
    band_nm : tuple of two float, optional
        Wavelengths that it is specified for [nm].
    isolation_db : float, optional
        How far light of another port is suppressed [dB], >= 0; None if nothing is stated.
    polarisation_loss_db : float
        Polarisation-dependent loss [dB], >= 0.
    fidelity_loss : float
        Average-fidelity loss of a qubit that passes, where that is all a vendor states [1], in
        [0, 1/2].
    encodings : frozenset of str, optional
        Encodings it carries; None if nothing is stated.
    neighbour_quanta : float
        Light in the photon's mode at its other inputs, all together [quanta per mode], >= 0.

    Raises
    ------
    ParameterError
        If a number leaves its domain, or neighbours are given without an isolation.
    """

    name: str
    loss_db: Real
    margin_db: float = 0.0
    basis: str = "guess"
    switch_time: float = 0.0
    sigma_db: float = 0.0
    band_nm: tuple[float, float] | None = None
    isolation_db: float | None = None
    polarisation_loss_db: float = 0.0
    fidelity_loss: float = 0.0
    encodings: frozenset[str] | None = None
    neighbour_quanta: float = 0.0

    def __post_init__(self) -> None:
        checks.number("Switch.loss_db", self.loss_db, "dB", at_least=0.0)
        for name in ("margin_db", "sigma_db", "polarisation_loss_db"):
            checks.number(f"Switch.{name}", getattr(self, name), "dB", at_least=0.0)
        checks.number("Switch.switch_time", self.switch_time, "s", at_least=0.0)
        checks.number("Switch.fidelity_loss", self.fidelity_loss, "1", at_least=0.0, at_most=0.5)
        checks.number("Switch.neighbour_quanta", self.neighbour_quanta, "quanta", at_least=0.0)
        if self.isolation_db is not None:
            checks.number("Switch.isolation_db", self.isolation_db, "dB", at_least=0.0)
        elif self.neighbour_quanta > 0:
            raise ParameterError(
                f"'{self.name}': light at its other inputs leaks by its isolation, which is not "
                "stated; give 'isolation_db'"
            )

    @property
    def kind(self) -> str:
        """What sort of thing it is: a switch."""
        return "switch"

    @property
    def delay(self) -> float:
        """Travel time through it [s]: zero."""
        return 0.0

    @property
    def depolarising(self) -> float:
        r"""Probability that a qubit is replaced by noise, :math:`p = 2(1-\bar F)` [1].

        The channel of average fidelity :math:`1 - p/2` that keeps no direction.
        """
        return 2 * self.fidelity_loss

    def require(self, encoding: str) -> None:
        """Refuse an encoding that the switch is not known to carry.

        Raises
        ------
        ValidityError
            If its encodings are stated and this one is not among them.
        """
        if self.encodings is not None and encoding not in self.encodings:
            listed = ", ".join(sorted(self.encodings)) or "none"
            raise ValidityError(
                f"'{self.name}' carries {listed}, not the {encoding} encoding of this protocol; "
                "choose another switch or another protocol"
            )

    def __call__(self, light: Travelling) -> Travelling:
        """Attenuate photon, noise and pump light alike; neighbours leak in at the output."""
        passed = light.attenuated(transmittance(self.loss_db))
        if self.neighbour_quanta == 0 or self.isolation_db is None:
            return passed
        return passed.joined_by(float(transmittance(self.isolation_db)) * self.neighbour_quanta)


@dataclass(frozen=True)
class Background:
    """White light that joins at one place: Raman light of other channels, stray light.

    Parameters
    ----------
    name : str
        What the budget calls it.
    quanta : float or ndarray, shape (...)
        Its photons per mode and polarisation, which is per second and hertz [quanta], >= 0.
    basis : str
        Status of the weakest number in it.
    """

    name: str
    quanta: Real
    basis: str = "guess"

    def __post_init__(self) -> None:
        checks.number("Background.quanta", self.quanta, "quanta", at_least=0.0)

    @property
    def margin_db(self) -> float:
        """Light that joins costs no loss [dB]."""
        return 0.0

    @property
    def sigma_db(self) -> float:
        """Light that joins costs no loss [dB]."""
        return 0.0

    @property
    def kind(self) -> str:
        """What sort of thing it is: background."""
        return "background"

    @property
    def band_nm(self) -> tuple[float, float] | None:
        """White: no band."""
        return None

    @property
    def delay(self) -> float:
        """No travel [s]."""
        return 0.0

    @property
    def switch_time(self) -> float:
        """It does not switch [s]."""
        return 0.0

    def __call__(self, light: Travelling) -> Travelling:
        """Add the light to the photon's noise."""
        return light.joined_by(self.quanta)
