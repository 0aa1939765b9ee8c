"""Materials by name, every number with its source and status."""

from dataclasses import dataclass

from cavities import data
from cavities.constants import BOLTZMANN, Real
from cavities.errors import DataError
from cavities.losses import complex_conductivity, surface_impedance
from cavities.numbers import Input, NonNegative, Number, Positive, Strict, numbers_in


class OpticalTable(Strict):
    """Light near 1550 nm."""

    n_ordinary: Positive | None = None
    n_extraordinary: Positive | None = None
    r33_m_per_v: Positive | None = None
    r13_m_per_v: Positive | None = None
    r51_m_per_v: Positive | None = None
    p11: Number | None = None
    p12: Number | None = None
    p44: Number | None = None


class MicrowaveTable(Strict):
    """GHz fields."""

    eps_r_parallel: Positive | None = None
    eps_r_perpendicular: Positive | None = None
    tan_delta: Positive | None = None
    tan_delta_room: Positive | None = None


class MechanicalTable(Strict):
    """Sound and piezoelectricity."""

    density_kg_m3: Positive | None = None
    sound_longitudinal_m_s: Positive | None = None
    k2_eff: NonNegative | None = None
    d33_c_per_n: Number | None = None
    e33_c_per_m2: Number | None = None


class SuperconductorTable(Strict):
    """A superconductor."""

    critical_temperature_k: Positive
    gap_ratio: Positive
    normal_resistivity_ohm_m: Positive
    penetration_depth_m: Positive | None = None
    residual_resistance_ohm: Positive | None = None


class MaterialFile(Strict):
    """One material of ``data/materials``."""

    key: str
    title: str
    optical: OpticalTable | None = None
    microwave: MicrowaveTable | None = None
    mechanical: MechanicalTable | None = None
    superconductor: SuperconductorTable | None = None


@dataclass(frozen=True)
class Material:
    """A material with the addresses of its numbers.

    Parameters
    ----------
    file : MaterialFile
        Its tables.
    inputs : tuple of Input
        Every number with file, key and status.
    """

    file: MaterialFile
    inputs: tuple[Input, ...]

    def number(self, key: str) -> Number:
        """One number by its dotted key, for example ``optical.r33_m_per_v``.

        Raises
        ------
        DataError
            If the file does not state it.
        """
        for entry in self.inputs:
            if entry.key == key:
                return entry.number
        known = ", ".join(entry.key for entry in self.inputs)
        raise DataError(f"materials/{self.file.key} states no '{key}'; it has {known}")

    def value(self, key: str) -> float:
        """Value of `number`, in the unit of its key."""
        return self.number(key).value

    def surface_resistance(
        self, omega: Real, temperature: Real, thickness: float | None = None
    ) -> Real:
        """Surface resistance of a superconductor, the residual one added [ohm].

        Parameters
        ----------
        omega : float or ndarray, shape (...)
            Angular frequency [rad/s].
        temperature : float or ndarray, shape (...)
            Temperature [K], well below the transition.
        thickness : float, optional
            Film thickness [m].

        Raises
        ------
        DataError
            If the material is none.
        ValidityError
            If it is too warm or the frequency too high for the low-temperature form.

        Notes
        -----
        The residual resistance is stated at one frequency and film; it is added as it stands.
        """
        s = self.file.superconductor
        if s is None:
            raise DataError(f"materials/{self.file.key} is no superconductor; take nb, al or nbtin")
        gap = s.gap_ratio.value * BOLTZMANN * s.critical_temperature_k.value
        sigma = complex_conductivity(omega, temperature, gap, 1 / s.normal_resistivity_ohm_m.value)
        residual = s.residual_resistance_ohm.value if s.residual_resistance_ohm else 0.0
        return surface_impedance(omega, sigma, thickness).real + residual


def load_material(name: str) -> Material:
    """Read a material by name from ``data/materials``, or from a user's own TOML file.

    Examples
    --------
    >>> load_material("linbo3").number("optical.r33_m_per_v").status
    'secondary'
    """
    file = data.load("materials", name, MaterialFile)
    inputs = [Input(f"materials/{file.key}", key, number) for key, number in numbers_in(file)]
    return Material(file, tuple(inputs))
