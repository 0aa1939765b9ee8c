"""Pulsed optomechanics in closed form: pairs, readout, swap, statistics (L10).

These formulas follow a pulse adiabatically; each is offered with the check that it may. The pulse
engine (`transducer.solvers.pulse`) has no such limit.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cavities import checks
from cavities.constants import Real
from cavities.errors import ValidityError
from cavities.rules import Rule, Status, settle

ADIABATIC = 10.0
"""Smallest κ T: 1.3 % wrong there, 26 % at 2, 4e-4 at 40, for a pump that stands in its cavity.

A square pulse that must first fill its cavity has lost 3/κT of its rate by then: give the mean.
"""


def scattering_rate(g0: Real, photons: Real, kappa: Real) -> Real:
    r"""Optomechanical rate :math:`\Gamma=4g_0^2n_c/\kappa` [rad/s], resolved sidebands.

    Parameters
    ----------
    g0, kappa : float or ndarray, shape (...)
        Single-photon coupling and optical linewidth [rad/s]; κ > 0.
    photons : float or ndarray, shape (...)
        Intracavity pump photons [1], >= 0.
    """
    checks.number("scattering_rate: kappa", kappa, "rad/s", above=0.0)
    checks.number("scattering_rate: photons", photons, "1", at_least=0.0)
    return 4 * np.square(g0) * photons / kappa


def _adiabatic(what: str, kappa: Real, rate: Real, length: Real) -> Callable[[Real], Real]:
    """Check that the light follows; a batch is NaN where it does not."""
    checks.number(f"{what}: rate", rate, "rad/s", at_least=0.0)
    checks.number(f"{what}: length", length, "s", above=0.0)
    checks.number(f"{what}: kappa", kappa, "rad/s", above=0.0)
    remedy = "the light does not follow; use transducer.solvers.pulse"
    codes = settle(
        (
            Rule(
                "adiabatic limit over linewidth times length",
                Status.NOT_ADIABATIC,
                ADIABATIC / np.multiply(kappa, length),
                1.0,
                lambda ratio: (
                    f"{what}: optical linewidth times pulse length is {ADIABATIC / ratio:.3g}, "
                    f"below {ADIABATIC:g}: {remedy}"
                ),
            ),
            Rule(
                "scattering rate over optical linewidth",
                Status.NOT_ADIABATIC,
                np.divide(rate, kappa),
                0.1,
                lambda ratio: (
                    f"{what}: scattering rate over optical linewidth is {ratio:.3g}, above 0.1: "
                    f"{remedy}"
                ),
            ),
        )
    )
    return lambda value: value if codes.ndim == 0 else np.where(codes == Status.OK, value, np.nan)


@dataclass(frozen=True)
class Pairs:
    """What a blue pulse makes.

    Parameters
    ----------
    photons : float or ndarray, shape (...)
        Light scattered into the Stokes line, all optical ports together [quanta].
    phonons : float or ndarray, shape (...)
        Phonons afterwards [quanta].
    """

    photons: Real
    phonons: Real


def blue_pulse(rate: Real, length: Real, quanta: Real, kappa: Real) -> Pairs:
    r"""Pairs of a blue pulse (L10).

    .. math:: n_\mathrm{ph} = (1+n)(e^{\Gamma T}-1),\qquad n_m = (1+n)e^{\Gamma T}-1

    Parameters
    ----------
    rate : float or ndarray, shape (...)
        Γ [rad/s], >= 0: its mean over `length`, the filling of the cavity by the pump counted.
    length : float or ndarray, shape (...)
        T [s], > 0.
    quanta : float or ndarray, shape (...)
        Phonons n before [quanta], >= 0.
    kappa : float or ndarray, shape (...)
        Optical linewidth [rad/s]: checked, not used.

    Raises
    ------
    ValidityError
        If the light does not follow adiabatically; a batch gives NaN there.

    Notes
    -----
    No mechanical loss during the pulse. Source: Hofer, Wieczorek, Aspelmeyer and Hammerer, Phys.
    Rev. A 84, 052327 (2011).
    """
    marked = _adiabatic("blue_pulse", kappa, rate, length)
    checks.number("blue_pulse: quanta", quanta, "quanta", at_least=0.0)
    grown = np.multiply(rate, length)
    return Pairs(marked((1 + quanta) * np.expm1(grown)), marked((1 + quanta) * np.exp(grown) - 1))


def readout_probability(rate: Real, length: Real, kappa: Real, gamma: Real = 0.0) -> Real:
    r"""Probability that a red pulse turns a phonon into a photon (L10).

    .. math:: p_r = \frac{\Gamma}{\Gamma+\gamma}\left(1-e^{-(\Gamma+\gamma)T}\right)

    Parameters
    ----------
    rate, gamma : float or ndarray, shape (...)
        Γ and the phonon's other energy decay rate [rad/s], >= 0.
    length : float or ndarray, shape (...)
        T [s], > 0.
    kappa : float or ndarray, shape (...)
        Optical linewidth [rad/s]: checked, not used.

    Returns
    -------
    float or ndarray, shape (...)
        Probability [1], into all optical ports together.

    Raises
    ------
    ValidityError
        If the light does not follow adiabatically; a batch gives NaN there.
    """
    marked = _adiabatic("readout_probability", kappa, rate, length)
    checks.number("readout_probability: gamma", gamma, "rad/s", at_least=0.0)
    total = np.add(rate, gamma)
    share = np.divide(rate, total, out=np.zeros_like(np.asarray(total, float)), where=total > 0)
    return marked(np.asarray(share * -np.expm1(-total * length)))


def swap_probability(g: Real, kappas: tuple[Real, Real], time: Real | None = None) -> Real:
    r"""Probability that an excitation has changed sides between two lossy modes (L10).

    .. math:: P(t) = \frac{g^2}{\Omega^2}\sin^2(\Omega t)\,e^{-(\kappa_1+\kappa_2)t/2},\qquad
              \Omega=\sqrt{g^2-(\kappa_1-\kappa_2)^2/16}

    Parameters
    ----------
    g : float or ndarray, shape (...)
        Coupling [rad/s], > 0.
    kappas : tuple of float or ndarray, shape (...)
        Energy decay rates of both [rad/s], >= 0.
    time : float or ndarray, optional
        Duration [s]; :math:`\pi/2\Omega` by default.

    Raises
    ------
    ValidityError
        If the coupling is overdamped.
    """
    checks.number("swap_probability: g", g, "rad/s", above=0.0)
    one, two = kappas
    for rate in kappas:
        checks.number("swap_probability: kappas", rate, "rad/s", at_least=0.0)
    if time is not None:
        checks.number("swap_probability: time", time, "s", at_least=0.0)
    squared = np.square(g) - np.square(np.subtract(one, two)) / 16
    if not np.all(squared > 0):
        raise ValidityError(
            "swap_probability: g must exceed |kappa_1 - kappa_2|/4: the exchange is overdamped; "
            "integrate the two modes instead (transducer.solvers.pulse)"
        )
    Omega = np.sqrt(squared)
    t = np.pi / (2 * Omega) if time is None else np.asarray(time, dtype=np.float64)
    fade = np.exp(-(np.add(one, two)) * t / 2)
    return np.asarray(np.square(g) / squared * np.sin(Omega * t) ** 2 * fade)


def cross_correlation(quanta: Real) -> Real:
    r"""Stokes-phonon cross correlation after a blue pulse, :math:`g^{(2)}=2+1/n` (L10).

    Parameters
    ----------
    quanta : float or ndarray, shape (...)
        Pairs p of a cold device, or the phonons after the pulse of a warm one [quanta], > 0.
    """
    checks.number("cross_correlation: quanta", quanta, "quanta", above=0.0)
    return 2 + 1 / np.asarray(quanta, dtype=np.float64)


def heralded_autocorrelation(pairs: Real) -> Real:
    r"""Autocorrelation of a phonon heralded by a weak click, :math:`2p(2+3p)/(1+2p)^2` (L10).

    Parameters
    ----------
    pairs : float or ndarray, shape (...)
        Mean pairs per pulse p [quanta], >= 0, cold device.
    """
    checks.number("heralded_autocorrelation: pairs", pairs, "quanta", at_least=0.0)
    p = np.asarray(pairs, dtype=np.float64)
    return 2 * p * (2 + 3 * p) / (1 + 2 * p) ** 2


def asymmetry_quanta(red: Real, blue: Real) -> Real:
    r"""Phonons from the asymmetry of the sidebands, :math:`n = 1/(R_S/R_{AS}-1)` (L10).

    Parameters
    ----------
    red, blue : float or ndarray, shape (...)
        Rates or probabilities of anti-Stokes (red pump) and Stokes light (blue pump) at equal pump,
        backgrounds taken off; blue > red > 0.

    Raises
    ------
    ValidityError
        If blue does not exceed red: heating differs between the pumps, or a background is left.
    """
    checks.number("asymmetry_quanta: red", red, "any", above=0.0)
    ratio = np.divide(blue, red)
    if not np.all(ratio > 1):
        raise ValidityError(
            f"asymmetry_quanta: blue over red is {float(np.min(ratio)):.4g}, it must exceed 1; "
            "take off the backgrounds, or the pumps heat differently"
        )
    return 1 / (ratio - 1)
