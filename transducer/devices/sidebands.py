"""What light does to one mechanical mode: both sidebands, and the spring."""

from dataclasses import dataclass

import numpy as np

from cavities.constants import Real


@dataclass(frozen=True)
class Sidebands:
    r"""Rates at which one pumped cavity takes quanta from a mechanical mode and gives them (L9).

    .. math:: \Gamma_\mathrm{AS}=\frac{G^2\kappa}{(\kappa/2)^2+(\Delta+\omega_m)^2},\quad
              \Gamma_\mathrm{S}=\frac{G^2\kappa}{(\kappa/2)^2+(\Delta-\omega_m)^2}

    Parameters
    ----------
    anti_stokes, stokes : float or ndarray, shape (...)
        The two rates [rad/s].
    spring : float or ndarray, shape (...)
        Shift of the mechanical frequency [rad/s].
    """

    anti_stokes: Real
    stokes: Real
    spring: Real

    @classmethod
    def of(cls, kappa: Real, coupling: Real, detuning: Real, omega_m: Real) -> "Sidebands":
        """Weak-coupling rates of a cavity.

        Parameters
        ----------
        kappa : float or ndarray, shape (...)
            Full linewidth [rad/s].
        coupling : float or ndarray, shape (...)
            Pump-enhanced coupling G [rad/s].
        detuning : float or ndarray, shape (...)
            Laser minus resonance Δ [rad/s].
        omega_m : float or ndarray, shape (...)
            Mechanical frequency [rad/s].

        Notes
        -----
        Second order in G: G small against κ. Source: Aspelmeyer, Kippenberg and Marquardt, Rev.
        Mod. Phys. 86, 1391 (2014), section V.
        """
        upper = (kappa / 2) ** 2 + (detuning + omega_m) ** 2
        lower = (kappa / 2) ** 2 + (detuning - omega_m) ** 2
        squared = np.square(coupling)
        spring = squared * ((detuning - omega_m) / lower + (detuning + omega_m) / upper)
        return cls(squared * kappa / upper, squared * kappa / lower, spring)

    @property
    def damping(self) -> Real:
        """Net optical damping [rad/s]; negative where it amplifies."""
        return self.anti_stokes - self.stokes
