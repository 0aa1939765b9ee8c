"""Couplings from geometry and materials, so that a design can start before a device exists."""

import numpy as np

from cavities import checks
from cavities.constants import HBAR, Real
from cavities.errors import ParameterError

VACUUM_PERMITTIVITY = 8.8541878128e-12
"""ε0 [F/m], CODATA 2018."""


def zero_point_voltage(omega: Real, capacitance: Real) -> Real:
    r"""Zero-point voltage of a lumped resonator, :math:`V=\sqrt{\hbar\omega/2C}` [V].

    Parameters
    ----------
    omega : float or ndarray, shape (...)
        Angular frequency [rad/s], > 0.
    capacitance : float or ndarray, shape (...)
        Total capacitance C [F], > 0.
    """
    checks.number("zero_point_voltage: omega", omega, "rad/s", above=0.0)
    checks.number("zero_point_voltage: capacitance", capacitance, "F", above=0.0)
    return np.sqrt(HBAR * omega / (2 * capacitance))


def planar_field(omega: Real, capacitance: Real, gap: Real, field_share: Real = 1.0) -> Real:
    r"""Zero-point field at a waveguide between planar electrodes.

    .. math:: E = s\,V/d

    Parameters
    ----------
    omega, capacitance : float or ndarray, shape (...)
        Of the microwave resonator [rad/s], [F].
    gap : float or ndarray, shape (...)
        Distance of the electrodes d [m], > 0.
    field_share : float or ndarray, shape (...)
        Field in the waveguide along the useful axis over V/d [1], in (0, 1]: less than one where a
        cladding of low permittivity takes the field.

    Returns
    -------
    float or ndarray, shape (...)
        Field [V/m].
    """
    checks.number("planar_field: gap", gap, "m", above=0.0)
    checks.number("planar_field: field_share", field_share, "1", above=0.0, at_most=1.0)
    return field_share * zero_point_voltage(omega, capacitance) / gap


def cavity_field(omega: Real, permittivity: Real, volume: Real, participation: Real = 1.0) -> Real:
    r"""Zero-point field of a cavity mode.

    .. math:: E = \sqrt{\frac{p\,\hbar\omega}{2\varepsilon_0\varepsilon_rV}}

    A whispering-gallery disc in a 3D cavity takes the effective volume at the rim,
    :math:`V=\int\varepsilon|E|^2dV/\varepsilon_r|E_\mathrm{rim}|^2`, with p = 1; a bulk cavity with
    a crystal takes the crystal's volume and the share p of the electric energy inside.

    Parameters
    ----------
    omega : float or ndarray, shape (...)
        Angular frequency [rad/s], > 0.
    permittivity : float or ndarray, shape (...)
        ε_r of the crystal at that frequency along the field [1], >= 1.
    volume : float or ndarray, shape (...)
        Volume [m^3], > 0.
    participation : float or ndarray, shape (...)
        p [1], in (0, 1].

    Returns
    -------
    float or ndarray, shape (...)
        Field [V/m]; the field operator is E (b + b^dag).
    """
    checks.number("cavity_field: omega", omega, "rad/s", above=0.0)
    checks.number("cavity_field: permittivity", permittivity, "1", at_least=1.0)
    checks.number("cavity_field: volume", volume, "m^3", above=0.0)
    checks.number("cavity_field: participation", participation, "1", above=0.0, at_most=1.0)
    energy = participation * HBAR * omega / 2
    return np.sqrt(energy / (VACUUM_PERMITTIVITY * permittivity * volume))


def pockels_coupling(
    omega: Real, index: Real, pockels: Real, field: Real, overlap: Real = 1.0
) -> Real:
    r"""Electro-optic single-photon coupling.

    .. math:: g_0 = \tfrac12\,\omega_o\,n^2\,r\,\Gamma\,E

    Γ counts everything between a uniform field in all of the light and the real one: confinement
    of the light in the crystal, and one half for two travelling modes that a standing microwave
    wave of one period couples.

    Parameters
    ----------
    omega : float or ndarray, shape (...)
        Optical angular frequency [rad/s], > 0.
    index : float or ndarray, shape (...)
        Refractive index n for the light's polarisation [1], >= 1.
    pockels : float or ndarray, shape (...)
        Pockels coefficient r of polarisation and field [m/V], > 0.
    field : float or ndarray, shape (...)
        Zero-point field E [V/m], > 0.
    overlap : float or ndarray, shape (...)
        Γ [1], in (0, 1].

    Returns
    -------
    float or ndarray, shape (...)
        g0 [rad/s].

    Source: first-order perturbation of the index, δn = -n³rE/2; Ilchenko et al., J. Opt. Soc. Am. B
    20, 333 (2003); Tsang, arXiv:1003.0116.
    """
    checks.number("pockels_coupling: omega", omega, "rad/s", above=0.0)
    checks.number("pockels_coupling: index", index, "1", at_least=1.0)
    checks.number("pockels_coupling: pockels", pockels, "m/V", above=0.0)
    checks.number("pockels_coupling: field", field, "V/m", above=0.0)
    checks.number("pockels_coupling: overlap", overlap, "1", above=0.0, at_most=1.0)
    return 0.5 * omega * np.square(index) * pockels * overlap * field


def zero_point_motion(mass: Real, omega: Real) -> Real:
    r"""Zero-point motion, :math:`x=\sqrt{\hbar/2m\omega}` [m].

    Parameters
    ----------
    mass : float or ndarray, shape (...)
        Effective mass [kg], > 0, for the displacement that the shift below refers to.
    omega : float or ndarray, shape (...)
        Mechanical angular frequency [rad/s], > 0.
    """
    checks.number("zero_point_motion: mass", mass, "kg", above=0.0)
    checks.number("zero_point_motion: omega", omega, "rad/s", above=0.0)
    return np.sqrt(HBAR / (2 * mass * omega))


def dispersive_coupling(shift: Real, motion: Real) -> Real:
    r"""Optomechanical single-photon coupling.

    .. math:: g_0=\left|\frac{\partial\omega}{\partial x}\right| x_\mathrm{zpf}

    Parameters
    ----------
    shift : float or ndarray, shape (...)
        Frequency shift per displacement [rad/s per m].
    motion : float or ndarray, shape (...)
        Zero-point motion [m], > 0.

    Returns
    -------
    float or ndarray, shape (...)
        g0 [rad/s], >= 0.
    """
    checks.number("dispersive_coupling: motion", motion, "m", above=0.0)
    checks.number("dispersive_coupling: shift", shift, "rad/s/m")
    return np.abs(shift) * motion


def membrane_shift(omega: Real, length: Real, reflectivity: Real) -> Real:
    r"""Largest shift of a membrane in the middle of a cavity, :math:`2|r|\omega/L` [rad/s per m].

    Parameters
    ----------
    omega : float or ndarray, shape (...)
        Optical angular frequency [rad/s], > 0.
    length : float or ndarray, shape (...)
        Cavity length L [m], > 0.
    reflectivity : float or ndarray, shape (...)
        Amplitude reflectivity of the membrane r [1], in [0, 1].

    Source: Jayich et al., New J. Phys. 10, 095008 (2008).
    """
    checks.number("membrane_shift: omega", omega, "rad/s", above=0.0)
    checks.number("membrane_shift: length", length, "m", above=0.0)
    checks.probability("membrane_shift: reflectivity", reflectivity)
    return 2 * reflectivity * omega / length


def capacitive_shift(omega: Real, participation: Real, gap: Real) -> Real:
    r"""Shift of a circuit by one plate of its capacitor, :math:`\eta\,\omega/2d` [rad/s per m].

    Parameters
    ----------
    omega : float or ndarray, shape (...)
        Microwave angular frequency [rad/s], > 0.
    participation : float or ndarray, shape (...)
        Share η of the moving capacitor in the whole [1], in (0, 1].
    gap : float or ndarray, shape (...)
        Distance of its plates d [m], > 0.
    """
    checks.number("capacitive_shift: omega", omega, "rad/s", above=0.0)
    checks.number("capacitive_shift: participation", participation, "1", above=0.0, at_most=1.0)
    checks.number("capacitive_shift: gap", gap, "m", above=0.0)
    return participation * omega / (2 * gap)


def piezo_coupling(k2: Real, omega_m: Real, omega_e: Real, participation: Real = 1.0) -> Real:
    r"""Piezoelectric coupling of a phonon to a circuit.

    .. math:: g = \tfrac12\sqrt{p\,k_\mathrm{eff}^2\,\omega_m\omega_e}

    Parameters
    ----------
    k2 : float or ndarray, shape (...)
        Effective electromechanical coupling of the mechanical mode,
        :math:`k_\mathrm{eff}^2=C_m/(C_0+C_m)` of its equivalent circuit [1], in (0, 1).
    omega_m, omega_e : float or ndarray, shape (...)
        Angular frequencies of phonon and circuit [rad/s], > 0.
    participation : float or ndarray, shape (...)
        Share of the transducer's capacitance in that of the circuit p [1], in (0, 1].

    Returns
    -------
    float or ndarray, shape (...)
        g [rad/s], to first order in :math:`p k^2`.

    Raises
    ------
    ParameterError
        If :math:`p k^2` exceeds 0.2, where the two modes no longer exchange single quanta at a rate
        small against their frequency.

    Source: Butterworth-van Dyke circuit beside an LC; the tests solve it.
    """
    checks.number("piezo_coupling: k2", k2, "1", above=0.0, below=1.0)
    checks.number("piezo_coupling: participation", participation, "1", above=0.0, at_most=1.0)
    checks.number("piezo_coupling: omega_m", omega_m, "rad/s", above=0.0)
    checks.number("piezo_coupling: omega_e", omega_e, "rad/s", above=0.0)
    strength = np.multiply(participation, k2)
    if np.max(strength) > 0.2:
        raise ParameterError(
            f"piezo_coupling: p k^2 is {float(np.max(strength)):.3g}, above 0.2: solve the circuit "
            "with its counter-rotating terms instead"
        )
    return 0.5 * np.sqrt(strength * omega_m * omega_e)
