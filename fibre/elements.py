"""What a photon meets on its way.

Each element sees only the light before it and hands on what leaves: a finished photon, or a node
whose clicks will be tagged with their times.
"""

from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import numpy as np

from cavities import checks
from cavities.constants import LIGHT_SPEED, Real
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
    def delay(self) -> Real:
        """Travel time through it [s]."""

    @property
    def switch_time(self) -> float:
        """Time it needs to be set up before a session [s]."""

    def __call__(self, light: Travelling) -> Travelling:
        """Hand on the light."""


@dataclass(frozen=True)
class Loss:
    """A cold element that only loses light: coupler, connector, splice, feedthrough, switch path.

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
    """

    name: str
    loss_db: Real
    margin_db: float = 0.0
    basis: str = "guess"
    switch_time: float = 0.0

    def __post_init__(self) -> None:
        checks.number("Loss.loss_db", self.loss_db, "dB", at_least=0.0)
        checks.number("Loss.margin_db", self.margin_db, "dB", at_least=0.0)
        checks.number("Loss.switch_time", self.switch_time, "s", at_least=0.0)

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
    """

    name: str
    length: Real
    attenuation: float
    attenuation_max: float
    group_index: float
    basis: str = "guess"

    def __post_init__(self) -> None:
        checks.number("FibreSpan.length", self.length, "m", at_least=0.0)
        checks.number("FibreSpan.attenuation", self.attenuation, "dB/m", at_least=0.0)
        checks.number(
            "FibreSpan.attenuation_max", self.attenuation_max, "dB/m", at_least=self.attenuation
        )
        checks.number("FibreSpan.group_index", self.group_index, "1", at_least=1.0)

    @property
    def margin_db(self) -> Real:
        """How much more it may lose at the data-sheet ceiling [dB]."""
        return (self.attenuation_max - self.attenuation) * self.length

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
        return light.attenuated(lost).delayed(self.delay)


@dataclass(frozen=True)
class FabryPerot:
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

    Notes
    -----
    Valid within half a free spectral range. At the pump a stage rejects the smaller of its
    data-sheet extinction and the Lorentzian of its line.
    """

    name: str
    bandwidth: float
    insertion_db: float
    margin_db: float
    extinction_db: float
    stages: int = 1
    basis: str = "guess"

    def __post_init__(self) -> None:
        checks.number("FabryPerot.bandwidth", self.bandwidth, "rad/s", above=0.0)
        checks.number("FabryPerot.insertion_db", self.insertion_db, "dB", at_least=0.0)
        checks.number("FabryPerot.margin_db", self.margin_db, "dB", at_least=0.0)
        checks.number("FabryPerot.extinction_db", self.extinction_db, "dB", at_least=0.0)
        checks.number("FabryPerot.stages", self.stages, "1", at_least=1)

    @property
    def delay(self) -> float:
        """Travel time through it [s]; its group delay is in the photon's arrival instead."""
        return 0.0

    @property
    def switch_time(self) -> float:
        """A filter does not switch [s]."""
        return 0.0

    def rejection_db(self, offset: float) -> float:
        """Rejection of the cascade [dB] at `offset` [rad/s] from its line, above insertion loss."""
        lorentzian = 10 * np.log10(1 + (2 * offset / self.bandwidth) ** 2)
        return self.stages * float(min(self.extinction_db, lorentzian))

    def response(self, omega: Spectrum) -> Amplitude:
        """Amplitude transmission [1] at offsets from the carrier [rad/s], insertion included."""
        inserted = transmittance(self.stages * self.insertion_db)
        line = (1 - 2j * omega / self.bandwidth) ** (-self.stages)
        return np.asarray(np.sqrt(inserted) * line, dtype=np.complex128)

    def pump_transmittance(self, offset: float) -> float:
        """Power transmission of pump light at an offset [1], insertion included."""
        inserted = transmittance(self.stages * self.insertion_db)
        return float(inserted * transmittance(self.rejection_db(offset)))

    def __call__(self, light: Travelling) -> Travelling:
        """Filter the photon and its noise by the line, the pump by the rejection."""
        return light.filtered(self)
