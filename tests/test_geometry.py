"""From geometry and materials to couplings, losses and line noise: each formula against a computation that shares none with it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import qutip
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.linalg import eigh, expm
from scipy.optimize import brentq, minimize_scalar

from cavities import DataError, Mode, ParameterError, Pump, ValidityError, data
from cavities.constants import BOLTZMANN, HBAR, LIGHT_SPEED, PLANCK
from cavities.cryostat import Stage, attenuation_for, line_occupation
from cavities.losses import (
    VACUUM_PERMEABILITY,
    Loss,
    LossBudget,
    complex_conductivity,
    surface_impedance,
)
from cavities.numbers import STATUSES
from transducer import ElectroOptic
from transducer.fields import FieldAlong
from transducer.geometry import (
    VACUUM_PERMITTIVITY,
    capacitive_shift,
    cavity_field,
    dispersive_coupling,
    membrane_shift,
    piezo_coupling,
    planar_field,
    pockels_coupling,
    zero_point_motion,
    zero_point_voltage,
)
from transducer.materials import load_material
from transducer.measured import read_columns

TWO_PI = 2 * np.pi
GHZ = 1e9
Array = NDArray[np.float64]


# ---------------------------------------------------------------- zero-point amplitudes


def oscillator_on_a_grid(
    inertia: float, stiffness: float, width: float
) -> tuple[float, float, float]:
    """Transition frequency, variance of position and of momentum in the ground state of p^2/2m + k x^2/2.

    Sinc-basis grid of full width `width`; nothing but the Schroedinger equation.
    """
    n = 241
    x = np.linspace(-width / 2, width / 2, n)
    dx = x[1] - x[0]
    k = np.arange(n)[:, None] - np.arange(n)[None, :]
    with np.errstate(divide="ignore"):
        squared = np.where(k == 0, np.pi**2 / 3, 2.0 * (-1.0) ** k / np.where(k == 0, 1, k) ** 2)
    momentum = HBAR**2 * squared / dx**2  # p^2
    energies, states = np.linalg.eigh(momentum / (2 * inertia) + np.diag(stiffness * x**2 / 2))
    ground = states[:, 0]
    omega = (energies[1] - energies[0]) / HBAR
    return omega, float(ground @ (x**2 * ground)), float(ground @ momentum @ ground)


def test_zero_point_voltage_is_the_spread_of_the_voltage_in_the_ground_state_of_an_lc() -> None:
    C, L = 61e-15, 1.3e-9
    omega, _, charge2 = oscillator_on_a_grid(C, 1 / L, 2.0e-15)  # flux is the position, in Wb
    assert omega == pytest.approx(1 / np.sqrt(L * C), rel=1e-9)
    assert zero_point_voltage(omega, C) == pytest.approx(np.sqrt(charge2) / C, rel=1e-9, abs=0)


def test_zero_point_voltage_makes_a_hamiltonian_with_half_a_quantum_in_the_capacitor() -> None:
    C, omega, n = 83e-15, TWO_PI * 7.1 * GHZ, 12
    b = qutip.destroy(n)
    V = float(zero_point_voltage(omega, C)) * (b + b.dag())
    vacuum = qutip.basis(n, 0)
    energy = C * qutip.expect(V * V, vacuum) / 2
    assert energy == pytest.approx(
        PLANCK * 7.1 * GHZ / 4, rel=1e-12, abs=0
    )  # half of half a quantum


def test_zero_point_motion_is_the_spread_of_the_ground_state() -> None:
    mass, omega = 0.73e-12, TWO_PI * 1.9e6
    found, spread2, _ = oscillator_on_a_grid(mass, mass * omega**2, 4e-14)
    assert found == pytest.approx(omega, rel=1e-9)
    assert zero_point_motion(mass, omega) == pytest.approx(np.sqrt(spread2), rel=1e-9, abs=0)


def test_planar_field_is_voltage_over_gap_and_the_share_lowers_it() -> None:
    omega, C = TWO_PI * 6.3 * GHZ, 47e-15
    whole = planar_field(omega, C, 4.2e-6)
    assert whole * 4.2e-6 == pytest.approx(zero_point_voltage(omega, C), rel=1e-12, abs=0)
    assert planar_field(omega, C, 4.2e-6, 0.37) / whole == pytest.approx(0.37, rel=1e-12)
    for bad in (0.0, 1.2, np.nan):
        with pytest.raises(ParameterError, match="field_share"):
            planar_field(omega, C, 4.2e-6, bad)


def test_the_vacuum_energy_of_a_filled_box_is_half_a_quantum_half_of_it_electric() -> None:
    a, height, c, eps = 21e-3, 3e-3, 34e-3, 9.4  # a TE101 box filled with a crystal
    omega = LIGHT_SPEED / np.sqrt(eps) * np.pi * np.hypot(1 / a, 1 / c)
    x, z = (np.arange(400) + 0.5) / 400 * a, (np.arange(300) + 0.5) / 300 * c
    shape2 = np.sin(np.pi * x / a)[:, None] ** 2 * np.sin(np.pi * z / c)[None, :] ** 2
    cell = a / 400 * c / 300 * height
    effective = float(np.sum(shape2)) * cell  # integral over the square at the maximum
    peak = cavity_field(omega, eps, effective)
    b = qutip.destroy(9)
    variance = qutip.expect((b + b.dag()) ** 2, qutip.basis(9, 0))
    energy = float(np.sum(VACUUM_PERMITTIVITY * eps * peak**2 * variance * shape2)) * cell
    assert energy == pytest.approx(HBAR * omega / 2, rel=1e-12, abs=0)


def test_a_crystal_that_fills_part_of_a_capacitor_takes_its_share_of_the_energy() -> None:
    d, crystal_area, empty_area, eps = 31e-6, 2.1e-9, 5.7e-9, 27.9
    omega = TWO_PI * 8.2 * GHZ
    part, rest = (
        VACUUM_PERMITTIVITY * eps * crystal_area / d,
        VACUUM_PERMITTIVITY * empty_area / d,
    )
    found = cavity_field(omega, eps, crystal_area * d, participation=part / (part + rest))
    assert found == pytest.approx(planar_field(omega, part + rest, d), rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("omega", lambda: cavity_field(0.0, 4.0, 1e-9)),
        ("permittivity", lambda: cavity_field(1e10, 0.5, 1e-9)),
        ("volume", lambda: cavity_field(1e10, 4.0, -1e-9)),
        ("participation", lambda: cavity_field(1e10, 4.0, 1e-9, 1.01)),
        ("capacitance", lambda: zero_point_voltage(1e10, 0.0)),
        ("mass", lambda: zero_point_motion(0.0, 1e6)),
        ("overlap", lambda: pockels_coupling(1e15, 2.1, 3e-11, 1e-3, 1.5)),
        ("index", lambda: pockels_coupling(1e15, 0.9, 3e-11, 1e-3)),
        ("reflectivity", lambda: membrane_shift(1e15, 1e-3, 1.1)),
        ("gap", lambda: capacitive_shift(1e10, 0.4, 0.0)),
        ("k2", lambda: piezo_coupling(1.0, 1e10, 1e10)),
    ],
)
def test_a_quantity_outside_its_domain_is_named(name: str, call: Callable[[], object]) -> None:
    with pytest.raises(ParameterError, match=name):
        call()


# ---------------------------------------------------------------- couplings


def index_under_field(n: float, r: float, field: float) -> float:
    """Refractive index from the definition of the Pockels effect: the impermeability gains r E."""
    return float((1 / n**2 + r * field) ** -0.5)


@pytest.mark.parametrize("share", [1.0, 0.31])
def test_pockels_coupling_is_the_shift_of_a_fabry_perot_by_the_zero_point_field(
    share: float,
) -> None:
    n, r, length, order = 2.138, 30.8e-12, 4.7e-3, 12973
    field = float(cavity_field(TWO_PI * 8.9 * GHZ, 27.9, 1.7e-10))

    def resonance(E: float) -> float:
        path = index_under_field(n, r, E) * share * length + n * (1 - share) * length
        return order * np.pi * LIGHT_SPEED / path

    step = 1e5  # far above the zero-point field, which floats would not resolve
    slope = (resonance(step) - resonance(-step)) / (2 * step)
    found = pockels_coupling(resonance(0.0), n, r, field, share)
    assert found == pytest.approx(abs(slope) * field, rel=1e-8)


def ring_doublet(n: float, r: float, peak: float, radius: float, m: int, turns: int) -> Array:
    """Frequencies of the modes near azimuthal order m of a ring whose index a field peak*cos(turns phi) modulates."""
    points, most = 512, 60
    phi = np.arange(points) * TWO_PI / points
    index2 = np.array([index_under_field(n, r, peak * np.cos(turns * p)) ** 2 for p in phi])
    fourier = np.fft.fft(index2) / points
    k = np.arange(-most, most + 1)
    mass = fourier[(k[:, None] - k[None, :]) % points]
    squares = eigh(np.diag((k / radius) ** 2).astype(complex), mass, eigvals_only=True)
    omega = LIGHT_SPEED * np.sqrt(np.maximum(squares, 0))
    near = np.argsort(np.abs(omega - m * LIGHT_SPEED / (n * radius)))[:2]
    return np.sort(omega[near])


def ring_field(
    field: Callable[[Array], Array], length: float, n: int = 4001, weight: Array | None = None
) -> FieldAlong:
    """A field around a ring whose solver normalised it to one zero-point energy: zero_point is the field itself."""
    s = np.linspace(0.3, 0.3 + length, n)  # a path need not start at zero
    omega = TWO_PI * 8.4 * GHZ
    ones = np.ones(n) if weight is None else weight
    return FieldAlong(s, field((s - s[0]) / length), ones, omega, HBAR * omega / 4)


def test_half_of_a_standing_wave_couples_two_travelling_modes_of_a_ring() -> None:
    """Counter-propagating modes m, -m and a field of 2m periods: the doublet of the wave equation is 2 g wide."""
    n, r, radius, m, peak = 2.2, 31e-12, 0.8e-3, 7, 2e5
    low, high = ring_doublet(n, r, peak, radius, m, 2 * m)
    centre = m * LIGHT_SPEED / (n * radius)
    assert (high - low) / 2 == pytest.approx(pockels_coupling(centre, n, r, peak, 0.5), rel=1e-5)
    field = ring_field(lambda u: peak * np.cos(TWO_PI * 2 * m * u), TWO_PI * radius)
    found = field.coupling(centre, n, r, 1.0, periods=2 * m)
    assert found == pytest.approx((high - low) / 2, rel=1e-5)


@pytest.mark.parametrize("turn", [0.0, 0.17, 0.25])
def test_the_overlap_of_neighbouring_ring_modes_with_a_cosine_field_is_one_half(
    turn: float,
) -> None:
    field = ring_field(lambda u: 3.1 * np.cos(TWO_PI * (u - turn)), 5.3e-3)
    assert field.effective_field(periods=1) == pytest.approx(3.1 / 2, rel=1e-6)
    assert field.effective_field(periods=0) < 1e-6
    assert field.effective_field(periods=2) < 1e-6


def test_a_uniform_field_couples_a_mode_to_itself_and_no_two_neighbours() -> None:
    field = ring_field(lambda u: np.full_like(u, -1.7), 5.3e-3)
    assert field.effective_field() == pytest.approx(1.7, rel=1e-12)
    assert field.effective_field(periods=1) < 1e-12


def test_an_electrode_over_a_part_of_the_ring_couples_by_its_fourier_component() -> None:
    part = 0.3
    field = ring_field(lambda u: np.where(u < part, 2.0, 0.0), 1.0, n=40001)
    assert field.effective_field(0) == pytest.approx(2 * part, rel=1e-3)
    assert field.effective_field(1) == pytest.approx(2 * np.sin(np.pi * part) / np.pi, rel=1e-3)


def test_weights_of_any_scale_average_the_field_where_the_light_is() -> None:
    u = np.linspace(0, 1, 4001)
    for scale in (1.0, 17.0):
        field = ring_field(lambda x: 1 + x, 2e-3, weight=scale * np.exp(-3 * u))
        above = quad(lambda x: (1 + x) * np.exp(-3 * x), 0, 1)[0]
        below = quad(lambda x: np.exp(-3 * x), 0, 1)[0]
        assert field.effective_field() == pytest.approx(above / below, rel=1e-6)
    with pytest.raises(ParameterError, match="weight is zero everywhere"):
        ring_field(lambda x: 1 + x, 2e-3, weight=np.zeros(4001)).effective_field()


def test_unequal_steps_do_not_bias_the_average() -> None:
    u = np.linspace(0, 1, 3001) ** 2
    field = FieldAlong(2e-3 * u, 1 + u**2, np.ones_like(u), 5e10, HBAR * 5e10 / 4)
    assert field.effective_field() == pytest.approx(4 / 3, rel=1e-6)


def test_a_solver_that_normalises_to_any_energy_gives_the_same_zero_point_field() -> None:
    omega, eps, volume = TWO_PI * 9.1 * GHZ, 41.0, 3.3e-10
    expected = cavity_field(omega, eps, volume)
    for peak in (1.0, 6.2e4):  # V/m, uniform in the crystal: all energy is electric at the peak
        energy = VACUUM_PERMITTIVITY * eps * peak**2 / 2 * volume
        s = np.linspace(0, 1e-3, 7)
        field = FieldAlong(s, np.full(7, peak), np.ones(7), omega, energy)
        assert field.zero_point == pytest.approx(expected, rel=1e-12)
        assert field.effective_field() == pytest.approx(expected, rel=1e-12)


def test_a_field_that_fits_no_path_is_refused() -> None:
    s, e = np.linspace(0, 1, 5), np.ones(5)
    with pytest.raises(ParameterError, match="increase"):
        FieldAlong(s[::-1], e, e, 1e10, 1.0)
    with pytest.raises(ParameterError, match="one length"):
        FieldAlong(s, e[:4], e, 1e10, 1.0)
    with pytest.raises(ParameterError, match="energy"):
        FieldAlong(s, e, e, 1e10, 0.0)
    with pytest.raises(ParameterError, match="weight"):
        FieldAlong(s, e, -e, 1e10, 1.0)


def test_coupling_of_an_exported_field_holds_the_confinement_once() -> None:
    field = ring_field(lambda u: 0.4 * np.cos(TWO_PI * u), 5e-3)
    whole = field.coupling(1.2e15, 2.14, 31e-12, 1.0, periods=1)
    assert field.coupling(1.2e15, 2.14, 31e-12, 0.6, periods=1) == pytest.approx(0.6 * whole)


# ---------------------------------------------------------------- mechanics


def field_at_the_mirror(k: float, x: float, length: float, thickness: float, n: float) -> float:
    """Field at the second mirror, started from zero at the first, through a membrane at x."""
    e, slope = np.sin(k * x), np.cos(k * x)  # field and its derivative over k
    inside = n * k * thickness
    e, slope = (
        e * np.cos(inside) + slope / n * np.sin(inside),
        slope * np.cos(inside) - n * e * np.sin(inside),
    )
    rest = k * (length - x - thickness)
    return float(e * np.cos(rest) + slope * np.sin(rest))


def resonance_with_membrane(guess: float, *cavity: float) -> float:
    """Wavenumber above `guess` at which the field vanishes at both mirrors: the first one."""
    length = cavity[1]
    grid = guess + np.arange(200) * 0.02 / length  # a free spectral range is pi/length
    signs = np.sign([field_at_the_mirror(k, *cavity) for k in grid])
    first = int(np.flatnonzero(signs[1:] != signs[:-1])[0])
    return float(
        brentq(
            field_at_the_mirror, grid[first], grid[first + 1], args=cavity, xtol=1e-12, rtol=1e-15
        )
    )


def slab_reflectivity(k: float, thickness: float, n: float) -> float:
    """|r| of the membrane alone, by matching waves at its two faces."""
    p = np.exp(1j * n * k * thickness)
    # unknowns: r, forward, backward, t
    M = np.array([[-1, 1, 1, 0], [1, n, -n, 0], [0, p, 1 / p, -1], [0, n * p, -n / p, -1]], complex)
    return float(abs(np.linalg.solve(M, np.array([1, 1, 0, 0], complex))[0]))


@pytest.mark.parametrize(("thickness", "n"), [(48e-9, 2.0), (110e-9, 3.4)])
def test_membrane_shift_is_the_largest_slope_of_a_solved_cavity(thickness: float, n: float) -> None:
    length, wavelength = 1.1e-3, 1.064e-6
    k0 = TWO_PI / wavelength
    step, largest, at = 2e-11, 0.0, 0.0
    for x in length / 2 + np.linspace(0, wavelength / 2, 81):
        k = resonance_with_membrane(k0, float(x), length, thickness, n)
        just_below = k - 0.01 / length
        up, down = (
            resonance_with_membrane(just_below, float(x) + s, length, thickness, n)
            for s in (step, -step)
        )
        slope = abs(up - down) / (2 * step) * LIGHT_SPEED
        if slope > largest:
            largest, at = slope, k
    found = membrane_shift(LIGHT_SPEED * at, length, slab_reflectivity(at, thickness, n))
    assert found == pytest.approx(largest, rel=2e-3)  # wavelength over length


def test_capacitive_shift_is_the_slope_of_a_circuit_whose_plate_moves() -> None:
    L, fixed, area, d = 2.2e-9, 55e-15, 190e-12, 61e-9

    def omega(gap: float) -> float:
        return 1 / np.sqrt(L * (fixed + VACUUM_PERMITTIVITY * area / gap))

    step = d * 1e-5
    slope = (omega(d + step) - omega(d - step)) / (2 * step)
    moving = VACUUM_PERMITTIVITY * area / d
    found = capacitive_shift(omega(d), moving / (moving + fixed), d)
    assert found == pytest.approx(slope, rel=1e-8)
    assert dispersive_coupling(-found, 4e-15) == pytest.approx(slope * 4e-15, rel=1e-8)


def circuit_splitting(L: float, rest: float, static: float, Lm: float, Cm: float) -> float:
    """Distance of the two modes of an LC with a Butterworth-van Dyke branch at its node [rad/s]."""
    total = rest + static
    capacitance = np.array([[total + Cm, -Cm], [-Cm, Cm]])  # node, and between Cm and Lm
    inverse = np.diag([1 / L, 1 / Lm])
    low, high = np.sqrt(eigh(inverse, capacitance, eigvals_only=True))
    return float(high - low)


@pytest.mark.parametrize(("k2", "participation"), [(0.004, 0.23), (0.02, 0.06), (0.0007, 1.0)])
def test_piezo_coupling_is_half_the_smallest_splitting_of_the_equivalent_circuit(
    k2: float, participation: float
) -> None:
    static, omega_m = 21e-15, TWO_PI * 5.1 * GHZ
    Cm = static * k2 / (1 - k2)
    Lm = 1 / (omega_m**2 * Cm)
    rest = static / participation - static
    tuned = 1 / (omega_m**2 * (static + rest))
    best = minimize_scalar(
        lambda x: circuit_splitting(tuned * x, rest, static, Lm, Cm),
        bounds=(0.9, 1.1),
        method="bounded",
        options={"xatol": 1e-10},
    )
    found = 2 * piezo_coupling(k2, omega_m, omega_m, participation)
    assert found == pytest.approx(best.fun, rel=1.5 * k2 * participation + 0.5 * k2)


def test_piezo_coupling_beyond_first_order_is_refused() -> None:
    assert piezo_coupling(0.3, 3e10, 4e10, 0.5) > 0
    with pytest.raises(ParameterError, match=r"p k\^2 is 0.24, above 0.2"):
        piezo_coupling(0.3, 3e10, 4e10, 0.8)


# ---------------------------------------------------------------- exported fields


def written(folder: Path, text: str) -> Path:
    path = folder / "rim.csv"
    path.write_text(text, "utf-8")
    return path


def test_a_field_file_is_read_with_comments_blank_lines_and_any_order_of_columns(
    tmp_path: Path,
) -> None:
    path = written(
        tmp_path, "# a solver\n\ne_v_per_m, s_m\n 1.5,0.0\n# half way\n-2e0,1e-3\n\n3,2.5e-3\n"
    )
    field = FieldAlong.read(path, 5e10, 2e-24)
    assert field.position.tolist() == [0.0, 1e-3, 2.5e-3]
    assert field.field.tolist() == [1.5, -2.0, 3.0]
    assert field.weight.tolist() == [1.0, 1.0, 1.0]
    path = written(tmp_path, "s_m,weight,e_v_per_m\n0,0.2,1\n1,0.7,1\n")
    assert FieldAlong.read(path, 5e10, 2e-24).weight.tolist() == [0.2, 0.7]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("s_m,weight\n0,1\n1,1\n", ["no column 'e_v_per_m'"]),
        ("s,e_v_per_m\n0,1\n1,1\n", ["no column 's_m'"]),
        ("s_m,e_v_per_m,ez\n0,1,2\n1,1,2\n", ["column 'ez'", "s_m, e_v_per_m, weight"]),
        ("s_m,e_v_per_m\n0,1\n1,nan\n", ["line 3", "column 'e_v_per_m'", "finite", "nan"]),
        ("# x\n\ns_m,e_v_per_m\n0,1\n1,inf\n", ["line 5", "column 'e_v_per_m'", "inf"]),
        ("s_m,e_v_per_m\n0,1\n1,2,3\n", ["line 3", "3 entries for 2 columns"]),
        ("s_m,e_v_per_m\n0,1\n1\n", ["line 3", "1 entries for 2 columns"]),
        ("s_m,e_v_per_m\n0,1\n1,two\n", ["line 3", "column 'e_v_per_m'", "'two' is no number"]),
        ("s_m,e_v_per_m\n0,1\n1,\n", ["line 3", "column 'e_v_per_m'", "no number"]),
        ("s_m,s_m\n0,1\n1,2\n", ["line 1", "column names"]),
        ("s_m,e_v_per_m\n", ["no data"]),
        ("", ["no data"]),
    ],
)
def test_a_mistake_in_a_field_file_is_a_sentence_with_file_line_and_column(
    text: str, words: list[str], tmp_path: Path
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(DataError) as caught:
        FieldAlong.read(path, 5e10, 2e-24)
    said = str(caught.value)
    for word in ("rim.csv", *words):
        assert word in said, (word, said)
    assert "\n" not in said


def test_a_file_that_is_not_there_or_not_text_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.csv.*cannot be read"):
        read_columns(tmp_path / "nowhere.csv")
    (tmp_path / "raw.csv").write_bytes(b"s_m,e\xff\xfe\n1,2\n")
    with pytest.raises(DataError, match=r"raw\.csv.*UTF-8"):
        read_columns(tmp_path / "raw.csv")


# ---------------------------------------------------------------- superconductors


def mattis_bardeen(omega: float, temperature: float, gap: float) -> tuple[float, float]:
    """sigma_1 and sigma_2 over the normal conductivity, from the full integrals (1958)."""
    h, t = HBAR * omega / gap, BOLTZMANN * temperature / gap

    def fermi(E: float) -> float:
        return float(1 / (np.exp(E / t) + 1))

    def dissipative(u: float) -> float:  # E = cosh u takes the root of the density of states out
        E = np.cosh(u)
        return 2 / h * (fermi(E) - fermi(E + h)) * (E * E + 1 + h * E) / np.sqrt((E + h) ** 2 - 1)

    def reactive(theta: float) -> float:  # so does E = 1 - h/2 + h/2 sin(theta) at both ends
        E = 1 - h / 2 + h / 2 * np.sin(theta)
        return 1 / h * (1 - 2 * fermi(E + h)) * (E * E + 1 + h * E) / np.sqrt((E + h + 1) * (1 + E))

    one = quad(dissipative, 0, np.arccosh(1 + 50 * t), limit=400, epsabs=0, epsrel=1e-10)[0]
    return one, quad(reactive, -np.pi / 2, np.pi / 2, epsabs=0, epsrel=1e-12)[0]


ALUMINIUM, NIOBIUM = 1.764 * BOLTZMANN * 1.2, 1.86 * BOLTZMANN * 9.25


@pytest.mark.parametrize(
    ("gap", "temperature", "frequency"),
    [
        (ALUMINIUM, 0.10, 5 * GHZ),
        (ALUMINIUM, 0.15, 6 * GHZ),
        (ALUMINIUM, 0.20, 3 * GHZ),
        (NIOBIUM, 1.5, 7 * GHZ),
        (NIOBIUM, 1.5, 1 * GHZ),
    ],
)
def test_conductivity_agrees_with_the_full_integrals_to_its_order(
    gap: float, temperature: float, frequency: float
) -> None:
    """The form keeps the leading order in k T/gap and hbar w/gap: it misses sigma_1 by a part of their sum.

    sigma_2 loses only the square of hbar w/gap and the rare quasiparticles.
    """
    omega = TWO_PI * frequency
    found = complex_conductivity(omega, temperature, gap, 1.0)
    one, two = mattis_bardeen(omega, temperature, gap)
    small = (BOLTZMANN * temperature + HBAR * omega) / gap
    assert found.real == pytest.approx(one, rel=0.3 * small)
    assert -found.imag == pytest.approx(two, rel=2e-3)
    assert 0.3 * small < 0.07


def test_conductivity_becomes_the_full_integral_as_both_energies_leave_the_gap() -> None:
    missed = []
    for part in (1.0, 0.5, 0.25):
        omega, temperature = part * TWO_PI * 6 * GHZ, part * 0.16
        one, _ = mattis_bardeen(omega, temperature, ALUMINIUM)
        missed.append(abs(complex_conductivity(omega, temperature, ALUMINIUM, 1.0).real / one - 1))
    assert missed[1] / missed[0] == pytest.approx(0.5, abs=0.06)  # first order
    assert missed[2] / missed[1] == pytest.approx(0.5, abs=0.04)


def test_conductivity_scales_with_that_of_the_normal_metal_and_broadcasts() -> None:
    omega = TWO_PI * np.array([3.0, 5.0, 8.0]) * GHZ
    T = np.array([[0.1], [0.2]])
    found = complex_conductivity(omega, T, ALUMINIUM, 3e8)
    assert found.shape == (2, 3)
    assert found[1, 2] == pytest.approx(3e8 * complex_conductivity(omega[2], 0.2, ALUMINIUM, 1.0))
    cold = complex_conductivity(TWO_PI * 5 * GHZ, 1e-3, ALUMINIUM, 1.0)  # no overflow
    assert np.isfinite(cold)
    assert cold.real < 1e-100


@pytest.mark.parametrize(
    ("temperature", "frequency", "words"),
    [(0.31 * 1.764 * 1.2, 5 * GHZ, "k_B T over the gap"), (0.1, 13.5 * GHZ, "photon energy")],
)
def test_conductivity_refuses_what_needs_the_full_integrals(
    temperature: float, frequency: float, words: str
) -> None:
    with pytest.raises(ValidityError, match=words):
        complex_conductivity(TWO_PI * frequency, temperature, ALUMINIUM, 1.0)
    with pytest.raises(ValidityError, match=words):  # one bad point of many
        complex_conductivity(
            TWO_PI * np.array([4 * GHZ, frequency]),
            np.array([0.1, temperature]),
            ALUMINIUM,
            1.0,
        )


def impedance_by_integration(omega: float, sigma: complex, thickness: float) -> complex:
    """E over H at the front of a slab whose back carries no current beyond it, from Maxwell's equations."""
    maxwell = np.array([[0, -1j * omega * VACUUM_PERMEABILITY], [-sigma, 0]])
    scale = np.diag([1.0, 1e3])  # keep both entries of one size
    step = expm(-np.linalg.inv(scale) @ maxwell @ scale * thickness / 64)
    field = np.array([1.0, 0.0], complex)
    for _ in range(64):
        field = step @ field
    E, H = scale @ field
    return complex(E / H)


@pytest.mark.parametrize("thickness", [20e-9, 110e-9, 900e-9])
def test_surface_impedance_of_a_film_solves_maxwells_equations(thickness: float) -> None:
    omega = TWO_PI * 6.4 * GHZ
    sigma = complex(complex_conductivity(omega, 0.21, ALUMINIUM, 1 / 2.9e-8))
    found = surface_impedance(omega, np.asarray(sigma), thickness)
    assert complex(found) == pytest.approx(
        impedance_by_integration(omega, sigma, thickness), rel=1e-7, abs=0
    )
    assert found.real > 0
    assert found.imag > 0


def test_surface_resistance_of_bulk_is_that_of_two_fluids() -> None:
    omega = TWO_PI * 6.4 * GHZ
    sigma = complex(complex_conductivity(omega, 0.18, ALUMINIUM, 1 / 2.9e-8))
    depth = 1 / np.sqrt(VACUUM_PERMEABILITY * omega * -sigma.imag)
    found = surface_impedance(omega, np.asarray(sigma))
    leading = VACUUM_PERMEABILITY**2 * omega**2 * depth**3 * sigma.real / 2
    assert found.real == pytest.approx(leading, rel=1e-3, abs=0)
    assert found.imag == pytest.approx(omega * VACUUM_PERMEABILITY * depth, rel=1e-3)
    # the same power as currents dissipate in the decaying field, E = w mu0 lambda exp(-z/lambda)
    power = quad(
        lambda z: sigma.real * (omega * VACUUM_PERMEABILITY * depth * np.exp(-z)) ** 2 * depth,
        0,
        40,
    )[0]
    assert found.real == pytest.approx(power, rel=1e-3, abs=0)


def test_surface_impedance_of_a_thin_film_is_its_sheet_and_of_a_thick_one_that_of_bulk() -> None:
    omega = TWO_PI * 5 * GHZ
    sigma = np.asarray(complex(complex_conductivity(omega, 0.2, ALUMINIUM, 1 / 2.9e-8)))
    thin = surface_impedance(omega, sigma, 1e-9)
    assert complex(thin) == pytest.approx(complex(1 / (sigma * 1e-9)), rel=1e-4)
    thick = surface_impedance(omega, sigma, 5e-6)
    assert complex(thick) == pytest.approx(
        complex(surface_impedance(omega, sigma)), rel=1e-9, abs=0
    )
    with pytest.raises(ParameterError, match="thickness"):
        surface_impedance(omega, sigma, 0.0)


# ---------------------------------------------------------------- loss budgets


def budget() -> LossBudget:
    return LossBudget(
        (
            Loss.walls("walls", 3.1e-6, 640.0),
            Loss.dielectric("disc", 0.71, 1.3e-6),
            Loss.sound("piezo", 0.71, 0.17, 4e-6),
            Loss.coupling("pin", 2.3e5),
        )
    )


def test_losses_add_as_the_energy_that_leaves_in_a_radian() -> None:
    """A ring-down with every loss taken out step by step, 1/Q of the energy per radian."""
    energy, steps = 1.0, 4000
    span = 1e4  # radians
    rates = (3.1e-6 / 640.0, 0.71 * 1.3e-6, 0.71 * 0.17 * 4e-6, 1 / 2.3e5)
    for _ in range(steps):
        for rate in rates:
            energy *= 1 - rate * span / steps
    found = budget()
    total = 1 / found.internal_q + 1 / found.external_q
    assert np.exp(-total * span) == pytest.approx(energy, rel=1e-6)
    assert found.external_q == pytest.approx(2.3e5)


def test_shares_add_up_to_one_and_name_every_loss() -> None:
    shares = budget().shares()
    assert list(shares) == ["walls", "disc", "piezo", "pin"]
    assert sum(shares.values()) == pytest.approx(1.0, rel=1e-14)
    assert shares["pin"] > shares["disc"] > shares["piezo"] > 0
    assert shares["walls"] / shares["pin"] == pytest.approx(3.1e-6 / 640 * 2.3e5)


def test_a_mode_decays_at_its_frequency_over_its_quality() -> None:
    omega = TWO_PI * 8.8 * GHZ
    found = budget()
    mode = found.mode(omega)
    assert isinstance(mode, Mode)
    assert mode.kappa_ext == pytest.approx(omega / 2.3e5)
    assert mode.kappa_int == pytest.approx(omega / found.internal_q)
    assert mode.extraction == pytest.approx(found.shares()["pin"])


def test_a_budget_of_arrays_and_one_without_a_coupling_are_allowed() -> None:
    resistance = np.array([1e-6, 5e-6])
    found = LossBudget((Loss.walls("walls", resistance, 500.0),))
    assert found.internal_q == pytest.approx(500.0 / resistance)
    assert np.isinf(found.external_q)
    assert found.mode(5e10).kappa_ext == 0.0


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: LossBudget(()), "empty"),
        (lambda: Loss("x", -1e-6), "1/Q"),
        (lambda: Loss.walls("x", 1e-6, 0.0), "geometry_factor"),
        (lambda: Loss.dielectric("x", 1.2, 1e-6), "participation"),
        (lambda: Loss.sound("x", 0.5, 0.1, 1.1), "radiated"),
        (lambda: Loss.coupling("x", 0.0), "quality"),
    ],
)
def test_a_loss_outside_its_domain_is_refused(call: Callable[[], object], word: str) -> None:
    with pytest.raises(ParameterError, match=word):
        call()


# ---------------------------------------------------------------- cryostat lines

OMEGA = TWO_PI * 6.7 * GHZ
LINE = (
    Stage("50K", 46.0, 1.5),
    Stage("4K", 3.4, 20.0),
    Stage("still", 0.9, 0.7),
    Stage("cold", 0.11, 20.0),
    Stage("mixing", 0.014, 23.0),
)


def planck(temperature: float, omega: float = OMEGA) -> float:
    """Mean occupation by summing the Boltzmann weights of a ladder."""
    if temperature == 0:
        return 0.0
    x = HBAR * omega / (BOLTZMANN * temperature)
    n = np.arange(int(60 / x) + 40)
    weights = np.exp(-x * n)
    return float(n @ weights / weights.sum())


def beam_splitter_chain(stages: tuple[Stage, ...], source: float) -> float:
    """Output occupation from one unitary over the signal and a mode of every stage."""
    modes = len(stages) + 1
    U = np.eye(modes)
    for k, stage in enumerate(stages, 1):
        passed = 10 ** (-stage.attenuation_db / 10)
        mix = np.eye(modes)
        mix[0, 0] = mix[k, k] = np.sqrt(passed)
        mix[0, k], mix[k, 0] = np.sqrt(1 - passed), -np.sqrt(1 - passed)
        U = mix @ U
    assert pytest.approx(np.eye(modes), abs=1e-12) == U @ U.T
    state = np.diag([planck(source)] + [planck(s.temperature) for s in stages])  # <a^dag a>
    return float((U @ state @ U.T)[0, 0])


def test_line_noise_is_that_of_a_chain_of_beam_splitters() -> None:
    found = line_occupation(OMEGA, LINE, 293.0)
    assert float(found) == pytest.approx(beam_splitter_chain(LINE, 293.0), rel=1e-8)
    assert 1e-4 < float(found) < 1e-1
    backwards = line_occupation(OMEGA, LINE[::-1], 293.0)
    assert float(backwards) > 10 * float(found)  # the order matters


def test_line_noise_is_the_cascade_of_the_physics_reference() -> None:
    """L22d, worked number 0.1044: eta = (.5, .8, .3), baths (.1, 1.5, 0), input .02."""

    def kelvin(n: float) -> float:
        return 0.0 if n == 0 else HBAR * OMEGA / (BOLTZMANN * np.log1p(1 / n))

    etas, baths, n_in = (0.5, 0.8, 0.3), (0.1, 1.5, 0.0), 0.02
    stages = [
        Stage(f"s{k}", kelvin(n), -10 * np.log10(eta))
        for k, (eta, n) in enumerate(zip(etas, baths, strict=True))
    ]
    found = float(line_occupation(OMEGA, stages, kelvin(n_in)))
    assert found == pytest.approx(0.1044, rel=1e-12)
    carried, passed = n_in, 1.0
    for eta, n in zip(etas, baths, strict=True):
        passed *= eta
        carried += (1 - eta) * n / passed
    assert found == pytest.approx(passed * carried, rel=1e-12)


def test_a_line_in_equilibrium_carries_its_temperature_whatever_its_attenuation() -> None:
    stages = [Stage("a", 1.7, 3.3), Stage("b", 1.7, 0.0), Stage("c", 1.7, 40.0)]
    assert float(line_occupation(OMEGA, stages, 1.7)) == pytest.approx(planck(1.7), rel=1e-9)


def test_line_noise_broadcasts_over_frequency_and_attenuation() -> None:
    omega = TWO_PI * np.array([4.0, 8.0, 12.0]) * GHZ
    last = Stage("mixing", 0.02, np.array([[10.0], [20.0]]))
    found = np.asarray(line_occupation(omega, [LINE[1], last]))
    assert found.shape == (2, 3)
    one = line_occupation(omega[1], [LINE[1], Stage("mixing", 0.02, 20.0)])
    assert found[1, 1] == pytest.approx(float(one))


@pytest.mark.parametrize("wanted", [3e-3, 0.04, 0.9])
def test_attenuation_for_brings_the_line_to_what_was_asked(wanted: float) -> None:
    last = Stage("mixing", 0.021, 0.0)
    needed = attenuation_for(OMEGA, LINE[:3], last, wanted, 293.0)
    assert needed > 0
    whole = (*LINE[:3], Stage("mixing", 0.021, needed))
    assert beam_splitter_chain(whole, 293.0) == pytest.approx(wanted, rel=1e-7)


def test_a_line_that_is_cold_enough_needs_no_attenuation() -> None:
    assert attenuation_for(OMEGA, LINE, Stage("more", 0.02, 0.0), 1.0) == 0.0


def test_what_no_attenuator_can_reach_is_refused_by_name() -> None:
    with pytest.raises(ParameterError, match=r"stage 'cold'.*cool it"):
        attenuation_for(OMEGA, LINE[:2], Stage("cold", 0.3, 0.0), 0.01)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: line_occupation(OMEGA, []), "stages is empty"),
        (lambda: Stage("4K", -4.0, 20.0), "Stage 4K: temperature"),
        (lambda: Stage("4K", 4.0, -20.0), "Stage 4K: attenuation"),
        (lambda: Stage("4K", 4.0, np.nan), "Stage 4K: attenuation"),
        (lambda: line_occupation(0.0, LINE), "omega"),
        (lambda: line_occupation(OMEGA, LINE, -1.0), "temperature"),
    ],
)
def test_a_line_outside_its_domain_is_refused(call: Callable[[], object], word: str) -> None:
    with pytest.raises(ParameterError, match=word):
        call()


# ---------------------------------------------------------------- materials


def test_every_shipped_material_loads_and_every_number_has_status_and_address() -> None:
    names = data.names("materials")
    assert {"linbo3", "nb", "al", "aln", "si"} <= set(names)
    for name in names:
        found = load_material(name)
        assert found.file.key == name
        assert found.file.title
        assert found.inputs
        for entry in found.inputs:
            assert entry.file == f"materials/{name}"
            assert entry.number.status in STATUSES
            assert len(entry.number.where) > 10, (name, entry.key)


def test_a_number_that_was_not_looked_up_is_marked_as_recalled_or_a_guess() -> None:
    marked = 0
    for name in data.names("materials"):
        for entry in load_material(name).inputs:
            where = entry.number.where.lower()
            unseen = ("not looked up", "searched for and not found", "from memory", "(recalled)")
            if entry.number.status in ("recalled", "guess"):
                marked += 1
            elif entry.number.status != "derived":  # those say which of their inputs is recalled
                assert not any(w in where for w in unseen[:2]), (name, entry.key, where)
    assert marked > 20


def test_no_material_claims_to_have_been_read_where_only_an_abstract_was() -> None:
    for name in data.names("materials"):
        for entry in load_material(name).inputs:
            if entry.number.status == "read":
                assert "abstract" not in entry.number.where.lower(), (name, entry.key)


def test_indices_and_permittivities_are_those_of_solids() -> None:
    for name in data.names("materials"):
        for entry in load_material(name).inputs:
            if entry.key.startswith("optical.n_"):
                assert 1.3 < entry.number.value < 4, (name, entry.key)
            if entry.key.endswith("_m_per_v"):
                assert 1e-13 < entry.number.value < 5e-9, (name, entry.key)
            if "tan_delta" in entry.key:
                assert entry.number.value < 0.5, (name, entry.key)


def test_surface_resistance_of_niobium_falls_on_cooling_to_its_residual_one() -> None:
    niobium = load_material("nb")
    T = np.array([4.2, 3.0, 2.2, 1.8, 1.4, 0.1])
    found = np.asarray(niobium.surface_resistance(TWO_PI * 1.3 * GHZ, T))
    assert np.all(np.diff(found) < 0)
    residual = niobium.value("superconductor.residual_resistance_ohm")
    assert found[-1] == pytest.approx(residual, rel=1e-12, abs=0)
    # activated: the logarithm of R T against 1/T falls with the gap
    gap = niobium.value("superconductor.gap_ratio") * niobium.value(
        "superconductor.critical_temperature_k"
    )
    slope = np.log((found[2] - residual) * T[2] / ((found[1] - residual) * T[1]))
    assert slope / (1 / T[1] - 1 / T[2]) == pytest.approx(gap, rel=0.05)


def test_surface_resistance_of_niobium_grows_as_the_square_of_the_frequency() -> None:
    niobium = load_material("nb")
    residual = niobium.value("superconductor.residual_resistance_ohm")
    f = np.array([0.65, 1.3, 2.6]) * GHZ
    found = np.asarray(niobium.surface_resistance(TWO_PI * f, 2.0)) - residual
    powers = np.diff(np.log(found)) / np.diff(np.log(f))
    assert np.all((powers > 1.7) & (powers < 2.0))  # two, less a logarithm


def test_a_thin_film_loses_more_than_bulk() -> None:
    niobium = load_material("nb")
    bulk = niobium.surface_resistance(TWO_PI * 6 * GHZ, 2.0)
    assert niobium.surface_resistance(TWO_PI * 6 * GHZ, 2.0, thickness=40e-9) > bulk


def test_a_key_a_material_does_not_state_is_answered_with_what_it_has() -> None:
    with pytest.raises(DataError) as caught:
        load_material("si").value("optical.r33_m_per_v")
    said = str(caught.value)
    assert said.startswith("materials/si states no 'optical.r33_m_per_v'")
    assert "optical.n_ordinary" in said
    with pytest.raises(DataError, match=r"linbo3.*no superconductor"):
        load_material("linbo3").surface_resistance(1e10, 1.0)
    with pytest.raises(DataError, match="did you mean 'linbo3'"):
        load_material("linbo")


def test_a_material_of_ones_own_is_a_file_and_a_misspelt_key_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    good = 'key = "mine"\ntitle = "mine"\n[optical]\nn_ordinary = { value = 2.5, status = "guess", where = "example" }\n'
    path.write_text(good, "utf-8")
    assert load_material(str(path)).value("optical.n_ordinary") == 2.5
    path.write_text(good.replace("n_ordinary", "n_ordinry"), "utf-8")
    with pytest.raises(DataError, match=r"n_ordinry.*did you mean 'n_ordinary'"):
        load_material(str(path))


# ---------------------------------------------------------------- a design from nothing


def test_a_lithium_niobate_disc_walks_from_materials_to_the_pump_it_needs() -> None:
    crystal, walls = load_material("linbo3"), load_material("al")
    omega_e, omega_o = TWO_PI * 8.8 * GHZ, TWO_PI * LIGHT_SPEED / 1550e-9
    radius, rim_width, height = 2.5e-3, 0.5e-3, 0.15e-3
    eps = crystal.value("microwave.eps_r_parallel")
    n = crystal.value("optical.n_extraordinary")
    r = crystal.value("optical.r33_m_per_v")
    field = cavity_field(omega_e, eps, TWO_PI * radius * rim_width * height)
    # a standing microwave wave of one period, as a solver would export it
    s = np.linspace(0, TWO_PI * radius, 2001)
    export = FieldAlong(
        s, float(field) * np.cos(s / radius), np.ones_like(s), omega_e, HBAR * omega_e / 4
    )
    g0 = export.coupling(omega_o, n, r, 1.0, periods=1)
    assert g0 == pytest.approx(float(pockels_coupling(omega_o, n, r, field, 0.5)), rel=1e-6)
    assert 10 < g0 / TWO_PI < 100  # Hz: discs of this size were measured at tens of hertz

    resistance = walls.surface_resistance(omega_e, 0.1)
    losses = LossBudget(
        (
            Loss.walls("walls", resistance, 50.0),
            Loss.dielectric("disc", 0.5, crystal.value("microwave.tan_delta")),
            Loss.coupling("pin", 6e3),
        )
    )
    microwave = losses.mode(omega_e)
    assert losses.shares()["disc"] > losses.shares()["walls"]
    optical = LossBudget((Loss("glass", 1 / 2.4e7), Loss.coupling("prism", 1.6e7))).mode(omega_o)
    device = ElectroOptic(optical, microwave, g0)
    pump = device.pump_for(1.0, Pump(0.0))
    assert float(device.cooperativity(pump)) == pytest.approx(1.0, rel=1e-9)
    # the same from a driven cavity: a' = -kappa/2 a + sqrt(kappa_ext P/hbar w), 4 g0^2 |a|^2 = kappa kappa
    amplitude = np.sqrt(optical.kappa_ext * float(pump.power) / (HBAR * omega_o)) / (
        optical.kappa / 2
    )
    coupling = g0 * amplitude
    assert 4 * coupling**2 == pytest.approx(float(optical.kappa * microwave.kappa), rel=1e-4)
    assert 1e-2 < float(pump.power) < 1e2  # W: why such discs are pulsed
