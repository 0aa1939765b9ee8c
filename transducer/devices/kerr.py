"""A Kerr resonator: the amplifier or squeezer in front of, or behind, a transducer."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.baths import VACUUM, Bath
from cavities.errors import ParameterError, UnstableError
from cavities.modes import Mode
from transducer.linear import LinearDevice, langevin
from transducer.network import Coupling, Door, Mixing, Network, Resonance
from transducer.solvers.quadrature import drive_angle, linearised_kerr


@dataclass(frozen=True)
class KerrResonator:
    r"""One mode with a Kerr shift, driven through its waveguide and linearised around its field.

    .. math:: H/\hbar=\delta\,a^\dagger a+\tfrac K2a^{\dagger2}a^2,\qquad
              n\left[(\delta+Kn)^2+\kappa^2/4\right]=\kappa_\mathrm{ext}\,|a_\mathrm{in}|^2

    Ports: ``waveguide`` and ``int``.

    Parameters
    ----------
    mode : Mode
        Linewidths.
    kerr : float
        K, shift of the resonance per photon [rad/s]; negative for a transmon.
    detuning : float
        Resonance minus drive δ, at low power [rad/s].
    flux : float
        Drive photons per second at the waveguide [1/s], >= 0.
    waveguide, internal : Bath
        Baths.

    Notes
    -----
    Linearised: fluctuations small against the field. Source: Yurke and Buks, J. Lightwave Technol.
    24, 5054 (2006).
    """

    mode: Mode
    kerr: float
    detuning: float
    flux: float
    waveguide: Bath = VACUUM
    internal: Bath = VACUUM

    def __post_init__(self) -> None:
        checks.number("KerrResonator.kerr", self.kerr, "rad/s")
        checks.number("KerrResonator.detuning", self.detuning, "rad/s")
        checks.number("KerrResonator.flux", self.flux, "1/s", at_least=0.0)

    def photon_numbers(self) -> NDArray[np.float64]:
        """All steady photon numbers, ascending: one, or three where it is bistable."""
        K, d, half = self.kerr, self.detuning, float(np.max(self.mode.kappa)) / 2
        drive = float(np.max(self.mode.kappa_ext)) * self.flux
        if drive == 0:
            return np.zeros(1)
        if K == 0:
            return np.array([drive / (d**2 + half**2)])
        # in units of the linear answer, so that the roots are of order one
        unit = drive / half**2
        a, b = K * unit / half, d / half
        roots = np.roots([a**2, 2 * a * b, b**2 + 1, -1.0])
        real = roots.real[np.abs(roots.imag) < 1e-7 * np.maximum(1.0, np.abs(roots.real))]
        return np.sort(real[real > 0]) * unit

    def field(self, branch: int = 0) -> complex:
        """Field inside [1]; `branch` counts all steady photon numbers from below."""
        numbers = self.photon_numbers()
        if not 0 <= branch < len(numbers):
            raise ParameterError(
                f"KerrResonator: there is no branch {branch}; there are {len(numbers)}, from 0 on"
            )
        n = float(numbers[branch])
        detuned = self.detuning + self.kerr * n
        # a = -sqrt(kappa_ext) a_in / (kappa/2 + i delta): the drive is real and positive
        angle = drive_angle(float(np.max(self.mode.kappa)), -detuned)
        return complex(np.sqrt(n) * np.exp(-1j * angle))

    def network(self, branch: int = 0) -> Network:
        """One mode with a squeezing coupling, drive real and positive at the waveguide."""
        delta, squeeze = linearised_kerr(
            self.mode.kappa, self.kerr, self.field(branch), self.detuning
        )
        doors = (
            Door.of("waveguide", "kerr", self.mode.kappa_ext, self.waveguide.occupation),
            Door.of("int", "kerr", self.mode.kappa_int, self.internal.occupation),
        )
        coupling = Coupling("kerr", "kerr", Mixing.SQUEEZING, squeeze)
        return Network(
            (Resonance("kerr", delta),), doors, (coupling,), ("linearised Kerr interaction",)
        )

    def linearise(self, branch: int = 0) -> LinearDevice:
        """Linear equations around the field of a branch.

        Raises
        ------
        UnstableError
            On the middle branch, or where the resonator oscillates by itself.
        """
        try:
            return langevin(self.network(branch)).judged((), lambda: "change the drive")
        except UnstableError:
            n = self.photon_numbers()[branch]
            raise UnstableError(
                f"the Kerr resonator is unstable with {n:.4g} photons inside (branch {branch} of "
                f"{len(self.photon_numbers())}): choose another branch, or change the drive"
            ) from None
