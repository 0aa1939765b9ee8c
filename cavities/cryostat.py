"""What reaches a device down a wire: the noise of every stage, attenuated by the colder ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cavities import checks
from cavities.baths import thermal_occupation
from cavities.constants import Real
from cavities.errors import ParameterError


@dataclass(frozen=True)
class Stage:
    """One stage of a cryostat that a line passes.

    Parameters
    ----------
    name : str
        For example ``4K``.
    temperature : float or ndarray, shape (...)
        Temperature of what attenuates [K], >= 0: that of the attenuator's resistor, which may be
        warmer than the plate.
    attenuation_db : float or ndarray, shape (...)
        Attenuators and cable there [dB], >= 0.
    """

    name: str
    temperature: Real
    attenuation_db: Real

    def __post_init__(self) -> None:
        checks.number(f"Stage {self.name}: temperature", self.temperature, "K", at_least=0.0)
        checks.number(f"Stage {self.name}: attenuation", self.attenuation_db, "dB", at_least=0.0)


def line_occupation(omega: Real, stages: Sequence[Stage], source_temperature: Real = 300.0) -> Real:
    r"""Occupation at the end of an attenuated line.

    .. math:: n_k = \frac{n_{k-1}}{A_k} + \left(1-\frac1{A_k}\right) n_\mathrm{th}(\omega,T_k)

    Parameters
    ----------
    omega : float or ndarray, shape (...)
        Angular frequency [rad/s], > 0.
    stages : sequence of Stage
        From warm to cold, as the signal meets them.
    source_temperature : float or ndarray, shape (...)
        Noise temperature of what feeds the line [K].

    Returns
    -------
    float or ndarray, shape (...)
        Occupation at the last stage's output [quanta], normally ordered.

    Raises
    ------
    ParameterError
        If there is no stage.

    Source: Krinner et al., EPJ Quantum Technology 6, 2 (2019), section 3.
    """
    if not stages:
        raise ParameterError("line_occupation: stages is empty; give the stages the line passes")
    n: Real = thermal_occupation(omega, source_temperature)
    for stage in stages:
        passed = 10.0 ** (-np.asarray(stage.attenuation_db, dtype=np.float64) / 10)
        n = passed * n + (1 - passed) * thermal_occupation(omega, stage.temperature)
    return n


def attenuation_for(
    omega: float, stages: Sequence[Stage], last: Stage, occupation: float, source: float = 300.0
) -> float:
    """Attenuation of a last stage that brings a line down to an occupation.

    Parameters
    ----------
    omega : float
        Angular frequency [rad/s], > 0.
    stages : sequence of Stage
        The stages before.
    last : Stage
        The last one; its attenuation is looked for.
    occupation : float
        Wanted occupation [quanta].
    source : float
        Noise temperature of what feeds the line [K].

    Returns
    -------
    float
        Attenuation [dB], >= 0.

    Raises
    ------
    ParameterError
        If the stage itself is warmer than that.
    """
    floor = float(thermal_occupation(omega, last.temperature))
    before = float(np.max(line_occupation(omega, stages, source)))
    if before <= occupation:
        return 0.0
    if not occupation > floor:
        raise ParameterError(
            f"attenuation_for: {occupation:.3g} quanta cannot be reached: stage '{last.name}' "
            f"alone sends {floor:.3g}; cool it"
        )
    return float(10 * np.log10((before - floor) / (occupation - floor)))
