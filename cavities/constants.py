"""Exact SI constants, and the one place where an ordinary frequency becomes an angular one."""

import numpy as np
from numpy.typing import NDArray

Real = float | NDArray[np.float64]
"""A real quantity: one number or an array of them (records broadcast)."""

PLANCK = 6.62607015e-34
"""Planck constant [J s], exact (SI 2019)."""
HBAR = PLANCK / (2.0 * np.pi)
"""Reduced Planck constant [J s]."""
BOLTZMANN = 1.380649e-23
"""Boltzmann constant [J/K], exact (SI 2019)."""
LIGHT_SPEED = 299792458.0
"""Speed of light in vacuum [m/s], exact."""


def angular(frequency_hz: Real) -> Real:
    """Turn an ordinary frequency or a rate/2π into an angular one.

    Parameters
    ----------
    frequency_hz : float or ndarray, shape (...)
        Ordinary frequency or rate/2π [Hz].

    Returns
    -------
    float or ndarray, shape (...)
        ``2 pi * frequency_hz`` [rad/s].

    Examples
    --------
    >>> round(angular(1.0), 6)
    6.283185
    """
    return 2.0 * np.pi * frequency_hz


def wavelength_nm(omega: float) -> float:
    """Vacuum wavelength [nm] of light at `omega` [rad/s].

    Examples
    --------
    >>> round(wavelength_nm(angular(193.4144890e12)), 3)
    1550.0
    """
    return 1e9 * LIGHT_SPEED / float(np.max(ordinary(omega)))


def ordinary(omega: Real) -> Real:
    """Turn an angular frequency [rad/s] into an ordinary one [Hz]: the inverse of `angular`.

    Examples
    --------
    >>> ordinary(angular(5.0))
    5.0
    """
    return omega / (2.0 * np.pi)
