"""A microwave field that modulates one optical resonance: both sidebands, one mode."""

from dataclasses import dataclass

import numpy as np

from cavities import checks
from cavities.baths import VACUUM, Bath
from cavities.constants import Real, ordinary
from cavities.heating import Irradiation
from cavities.modes import Mode
from cavities.pump import Pump
from transducer.devices.pumped import PumpedDevice, need
from transducer.network import Amplitude, Coupling, Mixing, Network, Resonance


@dataclass(frozen=True)
class SingleModeElectroOptic(PumpedDevice):
    r"""One optical mode whose frequency a microwave mode shifts, pumped a microwave frequency off.

    .. math:: H/\hbar = -\Delta a^\dagger a + \omega_e b^\dagger b
              + g\,(a+a^\dagger)(b+b^\dagger),\qquad g=g_0\sqrt{n_p}

    Both sidebands of the pump lie under the same line, so the linewidth decides how much of the
    other one there is: this model needs no resolved sidebands.

    Parameters
    ----------
    optical, microwave : Mode
        The two modes.
    g0 : float or ndarray, shape (...)
        Single-photon coupling, the shift of the resonance by a zero-point field [rad/s], >= 0.
    overlap : float
        Amplitude overlap of the optical mode and the beam [1], in (0, 1].
    microwave_waveguide, microwave_internal, optical_bath : Bath
        Baths.
    irradiation : Irradiation, optional
        What the light does to the microwave resonator.

    Notes
    -----
    Source: Tsang, arXiv:1003.0116, section II; Witmer et al., Quantum Sci. Technol. 5, 034004
    (2020) for a device of this kind.
    """

    optical: Mode
    microwave: Mode
    g0: Real
    overlap: float = 1.0
    microwave_waveguide: Bath = VACUUM
    microwave_internal: Bath = VACUUM
    optical_bath: Bath = VACUUM
    irradiation: Irradiation | None = None

    def __post_init__(self) -> None:
        self._check_common()
        checks.number("SingleModeElectroOptic.g0", self.g0, "rad/s", at_least=0.0)

    @property
    def lift(self) -> Real:
        """The microwave frequency [rad/s]."""
        return self.microwave.omega

    def photons_for(self, cooperativity: Real) -> Real:
        """Intracavity pump photons of a cooperativity [1]."""
        checks.number("SingleModeElectroOptic.g0", self.g0, "rad/s", above=0.0)
        rate = self.optical.kappa * self.microwave.kappa
        return cooperativity * rate / (4 * np.square(self.g0))

    def cooperativity(self, pump: Pump | None) -> Real:
        r"""Cooperativity :math:`C=4g^2/\kappa_o\kappa_e` [1]."""
        squared = np.square(self.g0) * self.pump_photons(need(pump))
        return 4 * squared / (self.optical.kappa * self.microwave.kappa)

    def selectivity(self, pump: Pump) -> Real:
        r"""Power in the sideband above the pump over that below, exact for a signal at ω_e.

        .. math:: \frac{\kappa_o^2/4+(\Delta-\omega_e)^2}{\kappa_o^2/4+(\Delta+\omega_e)^2}
        """
        delta, half = self.pump_detuning(pump), self.optical.kappa / 2
        omega = self.microwave.omega
        return (half**2 + (delta - omega) ** 2) / (half**2 + (delta + omega) ** 2)

    def centre(self, pump: Pump | None) -> Real:
        """The microwave frequency, counted from the pump [rad/s]."""
        return self.microwave.omega + self.line_shift(need(pump))

    def line_shift(self, pump: Pump) -> Real:
        """Change of the microwave resonance by the light [rad/s]."""
        return self.light_shift(self.pump_photons(pump))

    def scale(self, pump: Pump | None) -> float:
        """The microwave linewidth, broadened by the light [rad/s]."""
        C = float(np.max(self.cooperativity(need(pump))))
        return float(np.max(self.microwave.kappa)) * (1 + C)

    def network(self, pump: Pump | None, drive: Amplitude = 1.0) -> Network:
        """Modes (a, b) in the frame of the pump."""
        pump = need(pump)
        n_p = self.pump_photons(pump) * np.abs(drive) ** 2
        g = self.g0 * np.sqrt(self.pump_photons(pump)) * drive
        modes = (
            Resonance("optical", -self.pump_detuning(pump)),
            Resonance("microwave", self.microwave.omega + self.light_shift(n_p)),
        )
        couplings = tuple(Coupling("optical", "microwave", side, g) for side in Mixing)
        dose = pump.dose
        doors = self.light_doors(n_p, dose) + self.microwave_doors(self.microwave, n_p, dose)
        return Network(modes, tuple(doors), couplings, ("undepleted pump",))

    def remedy(self, pump: Pump | None) -> str:
        """The power below which the device is stable."""
        pump = need(pump)
        spread = float(np.max(ordinary(self.optical.kappa)))
        return (
            f"lower the pump power from {float(np.max(pump.power)):.4g} W to less than "
            f"{self.stable_power(pump):.4g} W, or pump red of the line ({spread:.3g} Hz wide)"
        )
