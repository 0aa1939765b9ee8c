"""Closed forms of the field that a paper's numbers can be held against without a whole device.

A file names one with `by` and says with `given` which of its numbers are the arguments. Rates and
couplings may be in any common unit of frequency, over 2π or not, where only their ratios enter.
"""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature

import numpy as np

from cavities.baths import thermal_occupation
from cavities.constants import LIGHT_SPEED, angular
from cavities.errors import ParameterError
from transducer.validation.quantities import Quantity


@dataclass(frozen=True)
class Relation:
    """A closed form with a name.

    Parameters
    ----------
    name : str
        What `by` calls it.
    quantity : Quantity
        What kind of figure it gives.
    unit : str
        Unit of what it gives.
    compute : callable
        The function.
    ours : bool
        Whether it is more than one number of the paper set against another.
    """

    name: str
    quantity: Quantity
    unit: str
    compute: Callable[..., float]
    ours: bool = True

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the arguments."""
        return tuple(signature(self.compute).parameters)

    @property
    def says(self) -> str:
        """First line of what it says about itself."""
        return (self.compute.__doc__ or "").strip().splitlines()[0]


RELATIONS: dict[str, Relation] = {}
"""Every closed form that a claim may name."""


def relation(
    quantity: Quantity, unit: str = "1", ours: bool = True
) -> Callable[[Callable[..., float]], Callable[..., float]]:
    """Enter a closed form into `RELATIONS` under its own name."""

    def enter(compute: Callable[..., float]) -> Callable[..., float]:
        name = compute.__name__
        RELATIONS[name] = Relation(name, quantity, unit, compute, ours)
        return compute

    return enter


@relation(Quantity.COOPERATIVITY)
def cooperativity(g: float, kappa: float, gamma: float) -> float:
    r"""Cooperativity :math:`C=4g^2/\kappa\gamma` of two modes, or of a mode and an ensemble."""
    return 4 * g**2 / (kappa * gamma)


@relation(Quantity.EFFICIENCY)
def matched_ceiling(
    kappa_o_ext: float, kappa_o: float, kappa_e_ext: float, kappa_e: float
) -> float:
    r"""Largest efficiency :math:`\eta_o\eta_e` of a matched converter without gain (L8)."""
    return kappa_o_ext / kappa_o * kappa_e_ext / kappa_e


@relation(Quantity.EFFICIENCY)
def three_mode_efficiency(eta_o: float, eta_e: float, c_o: float, c_e: float) -> float:
    r"""Efficiency :math:`\eta_o\eta_e\,4C_oC_e/(1+C_o+C_e)^2` through a middle mode (L8)."""
    return eta_o * eta_e * 4 * c_o * c_e / (1 + c_o + c_e) ** 2


@relation(Quantity.EFFICIENCY)
def internal_efficiency(c: float) -> float:
    r"""Internal efficiency :math:`4C/(1+C)^2` of two modes on resonance (L1)."""
    return 4 * c / (1 + c) ** 2


@relation(Quantity.EFFICIENCY)
def product(one: float, two: float) -> float:
    """Efficiency of two stages, one behind the other."""
    return one * two


@relation(Quantity.EFFICIENCY)
def photon_from_power_efficiency(
    power_efficiency: float, frequency_hz: float, wavelength_m: float
) -> float:
    r"""Photon efficiency from a power efficiency, :math:`\eta=\eta_P\,\omega_e/\omega_o`."""
    return power_efficiency * frequency_hz * wavelength_m / LIGHT_SPEED


@relation(Quantity.EFFICIENCY)
def transferred(loss: float, missed: float, time_s: float, t1_s: float) -> float:
    r"""Transfer of an excitation, :math:`(1-\ell)(1-m)e^{-t/T_1}`: link loss, missed capture."""
    return (1 - loss) * (1 - missed) * float(np.exp(-time_s / t1_s))


@relation(Quantity.OCCUPATION, "quanta")
def thermal_quanta(frequency_hz: float, temperature_k: float) -> float:
    r"""Bose occupation :math:`1/(e^{\hbar\omega/k_BT}-1)` (L7d)."""
    return float(thermal_occupation(angular(frequency_hz), temperature_k))


@relation(Quantity.PHOTONS, ours=False)
def single_photon_coupling(g: float, photons: float) -> float:
    r"""Single-photon coupling :math:`g_0=g/\sqrt n` from the enhanced one, in its unit."""
    return g / float(np.sqrt(photons))


@relation(Quantity.RATE, "Hz")
def rate_of(probability: float, rate_hz: float) -> float:
    """Events per second: probability per attempt times attempts per second."""
    return probability * rate_hz


@relation(Quantity.RATE, "Hz")
def throughput_hz(efficiency: float, bandwidth_hz: float, duty: float) -> float:
    r"""Throughput :math:`\Theta=\eta BD` of a converter with a duty cycle [Hz]."""
    return efficiency * bandwidth_hz * duty


@relation(Quantity.RATE, "Hz")
def efficiency_bandwidth_hz(efficiency: float, bandwidth_hz: float) -> float:
    """Efficiency times bandwidth [Hz]."""
    return efficiency * bandwidth_hz


@relation(Quantity.PROBABILITY)
def per_pulse(rate_hz: float, pulses_hz: float) -> float:
    """Events per pulse: rate of events over rate of pulses."""
    return rate_hz / pulses_hz


@relation(Quantity.NOISE, "quanta")
def noise_at_the_input(quanta: float, efficiency: float) -> float:
    r"""Added noise referred to the input of what leads there, :math:`N=n/\eta`."""
    return quanta / efficiency


@relation(Quantity.BANDWIDTH, "Hz")
def weak_bandwidth_hz(kappa_o: float, kappa_e: float) -> float:
    r"""Full width at half maximum of two weakly coupled modes on resonance (L2, C to 0)."""
    q, p = (kappa_o**2 + kappa_e**2) / 4, kappa_o * kappa_e / 4
    return 2 * float(np.sqrt(p**2 / (q / 2 + np.sqrt(q**2 / 4 + p**2))))


@relation(Quantity.PHOTONS, "Hz", ours=False)
def computed_by_authors(value: float) -> float:
    """A number that the authors computed beforehand and then measured."""
    return value


@relation(Quantity.CORRELATION)
def pair_cross_correlation(probability: float, quanta: float) -> float:
    r"""Cross correlation :math:`2+1/n_m` of a blue pulse, :math:`n_m=n+p` phonons (L10).

    p are all Stokes photons of a pulse, those of thermal phonons too: each leaves one phonon.
    """
    return 2 + 1 / (quanta + probability)


@relation(Quantity.CORRELATION)
def heralded_from_cross(cross: float) -> float:
    r"""Estimate :math:`g^{(2)}_{mm|S}\approx4/(g^{(2)}_{Sm}-1)` of a heralded phonon."""
    return 4 / (cross - 1)


@relation(Quantity.CORRELATION)
def thermal_correlation(modes: float) -> float:
    r"""Autocorrelation :math:`1+1/K` of thermal light of K equal modes."""
    return 1 + 1 / modes


@relation(Quantity.FIDELITY)
def transfer_fidelity(efficiency: float, coherence: float) -> float:
    r"""Process fidelity :math:`(1+\eta+2c\sqrt\eta)/4` of a transfer with loss and coherence c."""
    return (1 + efficiency + 2 * coherence * float(np.sqrt(efficiency))) / 4


def computed(name: str, arguments: dict[str, float]) -> float:
    """Value of a closed form.

    Raises
    ------
    ParameterError
        If its value is no finite number: the arguments lie outside its domain.
    """
    try:
        value = float(RELATIONS[name].compute(**arguments))
    except (ZeroDivisionError, OverflowError, ValueError) as error:
        raise ParameterError(f"'{name}' has no value at {arguments}: {error}") from None
    if not np.isfinite(value):
        raise ParameterError(f"'{name}' has no value at {arguments}, got {value}")
    return value
