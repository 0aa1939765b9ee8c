"""Electro-optic coupling from the exported field of a field solver."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.constants import HBAR
from cavities.errors import DataError, ParameterError
from transducer.geometry import pockels_coupling
from transducer.measured import read_columns

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FieldAlong:
    """A microwave field along the path of the light.

    Parameters
    ----------
    position : ndarray, shape (n,)
        Along the path [m], increasing.
    field : ndarray, shape (n,)
        Peak field along the useful crystal axis [V/m], with its sign.
    weight : ndarray, shape (n,)
        Share of the light's energy in the crystal per length there, any scale [1]; ones for a
        uniform waveguide.
    omega : float
        Microwave angular frequency [rad/s], > 0.
    energy : float
        Stored energy the solver normalised to, electric and magnetic [J], > 0.

    Raises
    ------
    ParameterError
        If the lists do not fit.
    """

    position: Array
    field: Array
    weight: Array
    omega: float
    energy: float

    def __post_init__(self) -> None:
        checks.number("FieldAlong.position", self.position, "m")
        checks.number("FieldAlong.field", self.field, "V/m")
        checks.number("FieldAlong.weight", self.weight, "1", at_least=0.0)
        checks.number("FieldAlong.omega", self.omega, "rad/s", above=0.0)
        checks.number("FieldAlong.energy", self.energy, "J", above=0.0)
        shapes = {self.position.shape, self.field.shape, self.weight.shape}
        if len(shapes) > 1 or self.position.ndim != 1 or len(self.position) < 2:
            raise ParameterError(f"FieldAlong needs three lists of one length, got {shapes}")
        if np.any(np.diff(self.position) <= 0):
            raise ParameterError("FieldAlong.position [m] must increase")

    @classmethod
    def read(cls, path: Path, omega: float, energy: float) -> "FieldAlong":
        """Read a CSV file with columns ``s_m``, ``e_v_per_m`` and, if it varies, ``weight``.

        Parameters
        ----------
        path : Path
            The file.
        omega : float
            Microwave angular frequency [rad/s].
        energy : float
            Stored energy of the export [J].

        Raises
        ------
        DataError
            If a column is missing or unknown, or a row is no row of numbers.
        """
        columns = read_columns(path)
        for name in ("s_m", "e_v_per_m"):
            if name not in columns:
                raise DataError(f"{path}: there is no column '{name}'; export it")
        unknown = sorted(set(columns) - {"s_m", "e_v_per_m", "weight"})
        if unknown:
            raise DataError(
                f"{path}: column '{unknown[0]}' is not one of s_m, e_v_per_m, weight; rename it"
            )
        weight = columns.get("weight", np.ones_like(columns["s_m"]))
        return cls(columns["s_m"], columns["e_v_per_m"], weight, omega, energy)

    @property
    def zero_point(self) -> Array:
        r"""Zero-point field along the path, :math:`E\sqrt{\hbar\omega/4U}` [V/m], shape (n,).

        The operator is E (b + b^dag); a peak field of stored energy U holds U = ∫ε E²/2 dV.
        """
        return np.asarray(self.field * np.sqrt(HBAR * self.omega / (4 * self.energy)))

    def effective_field(self, periods: int = 0) -> float:
        r"""Field that couples two modes whose phases differ by `periods` turns along the path.

        .. math:: E = \left|\int w\,E(s)\,e^{-2\pi i m s/L}\,ds\right|\Big/\int w\,ds

        Parameters
        ----------
        periods : int
            m: zero for one mode, 1 for neighbouring modes of a ring.

        Returns
        -------
        float
            Zero-point field [V/m], by trapezia.
        """
        s, w = self.position, self.weight
        phase = np.exp(-2j * np.pi * periods * (s - s[0]) / (s[-1] - s[0]))
        total = float(_trapezia(w, s).real)
        if not total > 0:
            raise ParameterError("FieldAlong.weight is zero everywhere; no light is in the crystal")
        return float(np.abs(_trapezia(w * self.zero_point * phase, s)) / total)

    def coupling(
        self, omega_o: float, index: float, pockels: float, confinement: float, periods: int = 0
    ) -> float:
        """Single-photon coupling g0 [rad/s].

        Parameters
        ----------
        omega_o : float
            Optical angular frequency [rad/s].
        index, pockels : float
            Refractive index [1] and Pockels coefficient [m/V].
        confinement : float
            Share of the light's energy in the crystal [1], in (0, 1].
        periods : int
            Turns by which the phases of the two optical modes differ.
        """
        field = self.effective_field(periods)
        checks.number("FieldAlong: effective field", field, "V/m", above=0.0)
        return float(np.max(pockels_coupling(omega_o, index, pockels, field, confinement)))


def _trapezia(values: NDArray[np.complex128] | Array, at: Array) -> complex:
    return complex(np.sum((values[1:] + values[:-1]) / 2 * np.diff(at)))
