"""Where a cavity loses its energy: walls, dielectrics, sound, coupling; 1/Q adds up."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.constants import BOLTZMANN, HBAR, Real
from cavities.errors import ParameterError, ValidityError
from cavities.modes import Mode

VACUUM_PERMEABILITY = 1.25663706212e-6
"""μ0 [H/m], CODATA 2018."""

Complex = NDArray[np.complex128]


def complex_conductivity(
    omega: Real, temperature: Real, gap: float, normal_conductivity: float
) -> Complex:
    r"""Conductivity of a superconductor well below its transition.

    .. math:: \frac{\sigma_1}{\sigma_n}=\frac{4\Delta}{\hbar\omega}e^{-\Delta/k_BT}\sinh(x)K_0(x),
              \quad \frac{\sigma_2}{\sigma_n}=\frac{\pi\Delta}{\hbar\omega}
              \left[1-2e^{-\Delta/k_BT}e^{-x}I_0(x)\right],\quad x=\frac{\hbar\omega}{2k_BT}

    Parameters
    ----------
    omega : float or ndarray, shape (...)
        Angular frequency [rad/s], > 0.
    temperature : float or ndarray, shape (...)
        Temperature [K], > 0.
    gap : float
        Δ [J], > 0.
    normal_conductivity : float
        σ_n just above the transition [S/m], > 0.

    Returns
    -------
    ndarray of complex, shape (...)
        σ1 - iσ2 [S/m], time dependence e^{+iωt} as in circuit theory.

    Raises
    ------
    ValidityError
        If ħω exceeds 0.3 Δ or k_B T exceeds 0.3 Δ: there the full Mattis-Bardeen integrals are
        needed.

    Notes
    -----
    First order in the two ratios: σ1 is a few per cent low at 0.1 of both, σ2 good to 1e-3.

    Source: Mattis and Bardeen, Phys. Rev. 111, 412 (1958); low-temperature form as in Gao, thesis,
    Caltech (2008), section 2.
    """
    from scipy.special import ive, kve

    checks.number("complex_conductivity: omega", omega, "rad/s", above=0.0)
    checks.number("complex_conductivity: temperature", temperature, "K", above=0.0)
    checks.number("complex_conductivity: gap", gap, "J", above=0.0)
    checks.number("complex_conductivity: sigma_n", normal_conductivity, "S/m", above=0.0)
    w, T = np.broadcast_arrays(np.asarray(omega, float), np.asarray(temperature, float))
    for what, ratio in (("photon energy", HBAR * w / gap), ("k_B T", BOLTZMANN * T / gap)):
        worst = float(np.max(ratio))
        if worst > 0.3:
            raise ValidityError(
                f"complex_conductivity: {what} over the gap is {worst:.3g}, above 0.3: the "
                "low-temperature form fails; integrate Mattis-Bardeen, or lower it"
            )
    x = HBAR * w / (2 * BOLTZMANN * T)
    pairs = np.exp(-gap / (BOLTZMANN * T))
    # sinh(x) K0(x) with scaled Bessel functions: no overflow at large x
    product = -np.expm1(-2 * x) / 2 * kve(0, x)
    sigma_1 = 4 * gap / (HBAR * w) * pairs * product
    sigma_2 = np.pi * gap / (HBAR * w) * (1 - 2 * pairs * ive(0, x))
    return np.asarray(normal_conductivity * (sigma_1 - 1j * sigma_2))


def surface_impedance(
    omega: Real, conductivity: Complex, thickness: float | None = None
) -> Complex:
    r"""Surface impedance of a superconductor in the local limit.

    .. math:: Z_s=\sqrt{\frac{i\omega\mu_0}{\sigma}}\ \coth\!\left(d\sqrt{i\omega\mu_0\sigma}\right)

    Parameters
    ----------
    omega : float or ndarray, shape (...)
        Angular frequency [rad/s], > 0.
    conductivity : ndarray of complex, shape (...)
        σ1 - iσ2 [S/m].
    thickness : float, optional
        Film thickness d [m]; None for bulk.

    Returns
    -------
    ndarray of complex, shape (...)
        R_s + iX_s [ohm].

    Notes
    -----
    Dirty or local limit: coherence length and mean free path small against the penetration depth.
    A residual resistance comes on top. Source: Kautz, J. Appl. Phys. 49, 308 (1978).
    """
    checks.number("surface_impedance: omega", omega, "rad/s", above=0.0)
    inductive = 1j * np.asarray(omega, dtype=np.float64) * VACUUM_PERMEABILITY
    bulk = np.sqrt(inductive / conductivity)
    if thickness is None:
        return np.asarray(bulk)
    checks.number("surface_impedance: thickness", thickness, "m", above=0.0)
    return np.asarray(bulk / np.tanh(thickness * np.sqrt(inductive * conductivity)))


@dataclass(frozen=True)
class Loss:
    """One way in which a cavity loses energy.

    Parameters
    ----------
    name : str
        What loses.
    inverse_q : float or ndarray, shape (...)
        Its 1/Q [1], >= 0.
    external : bool
        True for the wanted coupling to a waveguide.
    """

    name: str
    inverse_q: Real
    external: bool = False

    def __post_init__(self) -> None:
        checks.number(f"Loss '{self.name}': 1/Q", self.inverse_q, "1", at_least=0.0)

    @classmethod
    def walls(cls, name: str, resistance: Real, geometry_factor: Real) -> "Loss":
        r"""Currents in walls, :math:`1/Q=R_s/G`.

        Parameters
        ----------
        name : str
            Which walls.
        resistance : float or ndarray
            Surface resistance [ohm], residual included, >= 0.
        geometry_factor : float or ndarray
            :math:`G=\omega\mu_0\int|H|^2dV/\int|H|^2dA` [ohm], > 0, from a field solver.
        """
        checks.number("Loss.walls: resistance", resistance, "ohm", at_least=0.0)
        checks.number("Loss.walls: geometry_factor", geometry_factor, "ohm", above=0.0)
        return cls(name, resistance / geometry_factor)

    @classmethod
    def dielectric(cls, name: str, participation: Real, tan_delta: Real) -> "Loss":
        r"""Electric field in a dielectric, :math:`1/Q=p\tan\delta`.

        Parameters
        ----------
        name : str
            Which dielectric.
        participation : float or ndarray
            Share of the electric energy in it [1].
        tan_delta : float or ndarray
            Loss tangent at the temperature and power of use [1], >= 0.
        """
        checks.probability("Loss.dielectric: participation", participation)
        checks.number("Loss.dielectric: tan_delta", tan_delta, "1", at_least=0.0)
        return cls(name, participation * tan_delta)

    @classmethod
    def sound(cls, name: str, participation: Real, k2: Real, radiated: Real) -> "Loss":
        r"""Sound that a piezoelectric radiates, :math:`1/Q=p\,k^2\,r`.

        Parameters
        ----------
        name : str
            Which piezoelectric.
        participation : float or ndarray
            Share of the electric energy in it [1].
        k2 : float or ndarray
            Electromechanical coupling k² [1]: share of that energy in strain.
        radiated : float or ndarray
            Share of the strain energy that leaves per radian [1], in [0, 1]: 1 if every wave
            leaves, far less where a resonance or a bandgap holds it.
        """
        for label, value in (("participation", participation), ("k2", k2), ("radiated", radiated)):
            checks.probability(f"Loss.sound: {label}", value)
        return cls(name, participation * k2 * radiated)

    @classmethod
    def coupling(cls, name: str, quality: Real) -> "Loss":
        """Wanted coupling of external quality factor `quality` [1], > 0."""
        checks.number("Loss.coupling: quality", quality, "1", above=0.0)
        return cls(name, 1 / np.asarray(quality, dtype=np.float64), external=True)


@dataclass(frozen=True)
class LossBudget:
    """All losses of a cavity.

    Parameters
    ----------
    losses : tuple of Loss
        They add up as 1/Q.
    """

    losses: tuple[Loss, ...]

    def __post_init__(self) -> None:
        if not self.losses:
            raise ParameterError("LossBudget.losses is empty; name at least one loss")

    def _sum(self, losses: Sequence[Loss]) -> Real:
        return sum((np.asarray(loss.inverse_q, float) for loss in losses), start=np.zeros(()))

    @property
    def internal_q(self) -> Real:
        """Quality factor of all losses but the wanted coupling [1]."""
        with np.errstate(divide="ignore"):
            return 1 / self._sum([loss for loss in self.losses if not loss.external])

    @property
    def external_q(self) -> Real:
        """Quality factor of the wanted coupling [1]."""
        with np.errstate(divide="ignore"):
            return 1 / self._sum([loss for loss in self.losses if loss.external])

    def shares(self) -> dict[str, Real]:
        """Share of each loss in the total [1]; they add up to one."""
        total = self._sum(self.losses)
        return {loss.name: loss.inverse_q / total for loss in self.losses}

    def mode(self, omega: Real) -> Mode:
        """Mode at `omega` [rad/s] with these losses."""
        return Mode(omega, omega / self.external_q, omega / self.internal_q)
