"""Light on the line that is not the photon: Raman, pump, background, warm stages."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.constants import HBAR, LIGHT_SPEED, Real
from cavities.errors import ParameterError


@dataclass(frozen=True)
class Classical:
    """A classical channel that shares a fibre with the photon.

    Parameters
    ----------
    power : float or ndarray, shape (...)
        Power where it enters the fibre [W], >= 0.
    coefficient : float
        Spontaneous Raman light of one polarisation per power, length and wavelength at the
        photon's wavelength [1/m²], >= 0: 3e-9 /(km nm) is 3e-3.
    attenuation : float
        Loss of the fibre at the channel's wavelength [dB/m], >= 0.
    counter : bool
        Whether it travels against the photon.
    """

    power: Real
    coefficient: float
    attenuation: float
    counter: bool = False

    def __post_init__(self) -> None:
        checks.number("Classical.power", self.power, "W", at_least=0.0)
        checks.number("Classical.coefficient", self.coefficient, "1/m^2", at_least=0.0)
        checks.number("Classical.attenuation", self.attenuation, "dB/m", at_least=0.0)


def raman_quanta(
    channel: Classical, length: Real, attenuation: float, carrier: float
) -> NDArray[np.float64]:
    r"""Spontaneous Raman light at the end of a fibre, per mode and polarisation.

    .. math:: \text{co:}\quad P\beta\,\frac{e^{-\alpha_c L}-e^{-\alpha L}}{\alpha-\alpha_c},
              \qquad
              \text{counter:}\quad P\beta\,\frac{1-e^{-(\alpha+\alpha_c)L}}{\alpha+\alpha_c},
              \qquad
              N = \frac{1}{h\nu}\frac{dP}{d\lambda}\frac{\lambda^2}{c}

    Parameters
    ----------
    channel : Classical
        The classical light.
    length : float or ndarray, shape (...)
        Shared length L [m], >= 0.
    attenuation : float
        Loss of the fibre at the photon's wavelength [dB/m], >= 0.
    carrier : float
        Carrier of the photon [rad/s].

    Returns
    -------
    ndarray, shape (...)
        Photons per second and hertz [quanta per mode], at the fibre's output towards the station.

    Notes
    -----
    White over the photon's line. For a counter-propagating channel `power` is where it enters, at
    the photon's output end. Scattering is not depleted.

    Source: Eraerds et al., New J. Phys. 12, 063027 (2010); the quantum-limited form follows from
    the gain of the same scattering.

    Examples
    --------
    >>> from cavities.constants import LIGHT_SPEED, angular
    >>> light = Classical(1e-3, 2e-3, 0.0)           # 0 dBm, 2e-9 /(km nm), lossless
    >>> flux = raman_quanta(light, 20e3, 0.0, float(angular(LIGHT_SPEED / 1550e-9)))
    >>> print(f"{float(flux):.4f}")
    0.0025
    """
    checks.number("raman_quanta: length", length, "m", at_least=0.0)
    checks.number("raman_quanta: attenuation", attenuation, "dB/m", at_least=0.0)
    checks.number("raman_quanta: carrier", carrier, "rad/s", above=0.0)
    L = np.asarray(length, dtype=np.float64)
    nepers = np.log(10) / 10
    a, c = nepers * attenuation, nepers * channel.attenuation
    if channel.counter:
        reach = L * _mean_decay((a + c) * L)
    else:
        reach = np.exp(-c * L) * L * _mean_decay((a - c) * L)
    frequency = carrier / (2 * np.pi)
    per_hertz = (LIGHT_SPEED / frequency) ** 2 / LIGHT_SPEED
    return np.asarray(channel.power * channel.coefficient * reach * per_hertz / (HBAR * carrier))


def _mean_decay(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """(1 - exp(-x))/x, one at x = 0."""
    small = np.abs(x) < 1e-12
    return np.where(small, 1.0, -np.expm1(-x) / np.where(small, 1.0, x))


def leaked_counts(
    power: Real, carrier: float, rejection_db: Real, duty: float = 1.0
) -> NDArray[np.float64]:
    r"""Pump photons that pass a rejection (L22e).

    .. math:: \frac{P}{\hbar\omega}\,10^{-A/10}\,d

    Parameters
    ----------
    power : float or ndarray, shape (...)
        Pump power in front of the filters [W], >= 0.
    carrier : float
        Pump frequency [rad/s], > 0.
    rejection_db : float or ndarray, shape (...)
        Rejection A of the whole chain at the pump [dB], >= 0.
    duty : float
        Share d of the time the pump is on and the detector looks [1].

    Returns
    -------
    ndarray, shape (...)
        Counts per second at a perfect detector [1/s].

    Examples
    --------
    >>> from cavities.constants import LIGHT_SPEED, angular
    >>> print(f"{leaked_counts(1e-6, float(angular(LIGHT_SPEED / 1550e-9)), 120.0):.3f}")
    7.803
    """
    checks.number("leaked_counts: power", power, "W", at_least=0.0)
    checks.number("leaked_counts: carrier", carrier, "rad/s", above=0.0)
    checks.number("leaked_counts: rejection_db", rejection_db, "dB", at_least=0.0)
    checks.probability("leaked_counts: duty", duty)
    photons = np.asarray(power) / (HBAR * carrier)
    return np.asarray(duty * photons * 10.0 ** (-np.asarray(rejection_db) / 10))


@dataclass(frozen=True)
class Cascade:
    r"""Noise of losses in a row, counted at any plane (L22d).

    .. math:: N_\mathrm{out} = \tau\Big(n_\mathrm{in}
              + \sum_k\frac{(1-\eta_k)n_k}{\prod_{j\le k}\eta_j}\Big), \qquad \tau=\prod_k\eta_k

    Parameters
    ----------
    transmissions : tuple of float
        η of each stage, in signal order [1], in (0, 1].
    occupations : tuple of float
        Thermal quanta n of each stage's bath [quanta], >= 0.
    incoming : float
        Noise that enters the first stage [quanta], >= 0.

    Raises
    ------
    ParameterError
        If the tuples differ in length or a number leaves its domain.

    Examples
    --------
    >>> chain = Cascade((0.5, 0.8, 0.3), (0.1, 1.5, 0.0), 0.02)
    >>> print(f"{chain.outgoing:.4f} {chain.referred(0):.4f}")
    0.1044 0.8700
    """

    transmissions: tuple[float, ...]
    occupations: tuple[float, ...]
    incoming: float = 0.0

    def __post_init__(self) -> None:
        if len(self.transmissions) != len(self.occupations):
            raise ParameterError(
                "Cascade needs one occupation per transmission, got "
                f"{len(self.occupations)} and {len(self.transmissions)}"
            )
        for eta in self.transmissions:
            checks.number("Cascade.transmissions", eta, "1", above=0.0, at_most=1.0)
        for n in self.occupations:
            checks.number("Cascade.occupations", n, "quanta", at_least=0.0)
        checks.number("Cascade.incoming", self.incoming, "quanta", at_least=0.0)

    @property
    def transmission(self) -> float:
        """Of all stages [1]."""
        return float(np.prod(self.transmissions))

    def at(self, plane: int) -> float:
        """Noise behind the first `plane` stages [quanta]; 0 is the input."""
        self._check(plane)
        noise = self.incoming
        for eta, n in zip(self.transmissions[:plane], self.occupations[:plane], strict=True):
            noise = eta * noise + (1 - eta) * n
        return noise

    @property
    def reversed(self) -> "Cascade":
        """The same stages passed the other way, nothing coming in."""
        return Cascade(self.transmissions[::-1], self.occupations[::-1])

    @property
    def outgoing(self) -> float:
        """Noise behind the last stage [quanta]."""
        return self.at(len(self.transmissions))

    def referred(self, plane: int) -> float:
        """Outgoing noise over the transmission from `plane` to the output [quanta]."""
        self._check(plane)
        return self.outgoing / float(np.prod(self.transmissions[plane:]))

    def _check(self, plane: int) -> None:
        if not 0 <= plane <= len(self.transmissions):
            raise ParameterError(
                f"Cascade: plane {plane} does not exist; 0 is the input, "
                f"{len(self.transmissions)} the output"
            )


def combined(chains: Sequence[Cascade]) -> Cascade:
    """Chains in a row; noise enters by the first one only.

    Raises
    ------
    ParameterError
        If a later chain has light of its own at its input.
    """
    if any(chain.incoming > 0 for chain in chains[1:]):
        raise ParameterError("combined: only the first chain may have incoming noise; add a stage")
    return Cascade(
        tuple(eta for chain in chains for eta in chain.transmissions),
        tuple(n for chain in chains for n in chain.occupations),
        chains[0].incoming if chains else 0.0,
    )
