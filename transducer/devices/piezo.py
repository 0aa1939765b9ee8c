"""GHz phonons between light and, through piezoelectricity, a microwave mode."""

from dataclasses import dataclass

import numpy as np

from cavities import checks
from cavities.baths import VACUUM, Bath
from cavities.constants import Real
from cavities.errors import ParameterError
from cavities.heating import HotBath, Irradiation
from cavities.modes import Mode, Oscillator
from cavities.pump import Pump, Sideband
from cavities.rules import Rule, Status
from transducer.devices.pumped import PumpedDevice, mechanical_doors, need, wrong_side
from transducer.devices.sidebands import Sidebands
from transducer.network import Amplitude, Coupling, Mixing, Network, Resonance

RESOLVED = 0.1
"""Largest κ_o/4ω_m, or coupling over ω_m, for one optical sideband to stand alone."""


@dataclass(frozen=True)
class Phonon:
    """One mechanical mode of a piezo-optomechanical device with its two couplings.

    Parameters
    ----------
    mode : Oscillator
        Frequency, loss, baths.
    g0 : float or ndarray, shape (...)
        Single-photon optomechanical coupling [rad/s], >= 0.
    piezo : float or complex
        Piezoelectric coupling to the microwave mode [rad/s]; its sign against that of other modes
        matters.
    """

    mode: Oscillator
    g0: Real
    piezo: Amplitude

    def __post_init__(self) -> None:
        checks.number("Phonon.g0", self.g0, "rad/s", at_least=0.0)
        checks.number("Phonon.piezo: |g|", np.abs(self.piezo), "rad/s")


@dataclass(frozen=True)
class PiezoOptomechanical(PumpedDevice):
    r"""A microwave mode b, mechanical modes c_k and an optical mode a.

    .. math:: H/\hbar = \sum_k \left[\delta_k c_k^\dagger c_k
              + (g_{\mathrm{pe},k}\,b^\dagger c_k+\mathrm{h.c.})
              + G_k\,(a^\dagger c_k+\mathrm{h.c.})\right]
              + \delta_e b^\dagger b + \delta_o a^\dagger a
              + \sqrt{n_c}\,(g_d\,a^\dagger b+\mathrm{h.c.})

    for a red pump, :math:`G_k = g_{0,k}\sqrt{n_c}`; a blue pump squeezes a with c_k instead. With
    `counter_rotating` both optical sidebands are kept.

    Ports: those of `PumpedDevice`; ``mechanics.int`` and, with a hot bath, ``mechanics.hot`` of the
    first phonon, ``mechanics2.int``... of the others.

    Parameters
    ----------
    optical : Mode
        The optical mode that the converted light leaves.
    microwave : Mode, optional
        Resonator or, as long as it holds at most one quantum, qubit. None for an optomechanical
        crystal alone: its source is then its first phonon's own port.
    phonons : tuple of Phonon
        The mechanical modes; the first one is the reference of the frame.
    direct : complex
        Single-photon electro-optic coupling g_d that bypasses the phonons [rad/s], with its phase:
        amplitudes add.
    overlap : float
        Amplitude overlap of the optical mode and the beam [1], in (0, 1].
    microwave_waveguide, microwave_internal, optical_bath : Bath
        Baths.
    irradiation : Irradiation, optional
        What the light does to the microwave resonator.
    pump_mode : Mode, optional
        Mode that holds the pump on resonance (Brillouin devices); by default the pump stands one
        mechanical frequency off the optical mode itself.
    mode_spacing : float, optional
        Distance of the first phonon to the nearest mechanical mode that is not listed [rad/s]; a
        coupling beyond it is refused.
    counter_rotating : bool
        Keep the other optical sideband, too.

    Notes
    -----
    Piezoelectric coupling in the rotating-wave approximation. Efficiency is from the microwave
    waveguide to the beam behind the optical coupler.

    Source: Mirhosseini et al., Nature 588, 599 (2020); Wu, Zeuthen, Balram and Srinivasan, Phys.
    Rev. Applied 13, 014027 (2020).
    """

    optical: Mode
    microwave: Mode | None
    phonons: tuple[Phonon, ...]
    direct: complex = 0.0
    overlap: float = 1.0
    microwave_waveguide: Bath = VACUUM
    microwave_internal: Bath = VACUUM
    optical_bath: Bath = VACUUM
    irradiation: Irradiation | None = None
    pump_mode: Mode | None = None
    mode_spacing: float | None = None
    counter_rotating: bool = False

    def __post_init__(self) -> None:
        self._check_common()
        checks.number("PiezoOptomechanical.direct: |g|", abs(self.direct), "rad/s")
        if not self.phonons:
            raise ParameterError(
                "PiezoOptomechanical.phonons is empty; give at least one mechanical mode, or take "
                "ElectroOptic"
            )
        if self.mode_spacing is not None:
            checks.number("PiezoOptomechanical.mode_spacing", self.mode_spacing, "rad/s", above=0.0)

    @property
    def omega_m(self) -> Real:
        """Frequency of the first phonon, the reference of the frame [rad/s]."""
        return self.phonons[0].mode.omega

    @property
    def lift(self) -> Real:
        """The frequency of the first phonon [rad/s]."""
        return self.omega_m

    def names(self) -> list[str]:
        """Names of the mechanical modes."""
        return ["mechanics", *(f"mechanics{k}" for k in range(2, len(self.phonons) + 1))]

    @property
    def pumped(self) -> Mode:
        """The mode that holds the pump."""
        return self.optical if self.pump_mode is None else self.pump_mode

    @property
    def source(self) -> str:
        """The microwave waveguide, or the phonon's own port without a microwave mode."""
        return "mechanics.int" if self.microwave is None else "microwave.waveguide"

    @property
    def reference_plane(self) -> str:
        """Where efficiency and noise are counted, in words."""
        if self.microwave is None:
            return "from the phonon's own bath to the optical beam behind the coupler"
        return super().reference_plane

    def pump_detuning(self, pump: Pump) -> Real:
        """Laser minus the resonance of the mode that holds the pump [rad/s]."""
        return super().pump_detuning(pump) if self.pump_mode is None else pump.detuning

    def photons_for(self, cooperativity: Real) -> Real:
        r"""Intracavity photons of :math:`C_{om}=4g_0^2n_c/\kappa_o\gamma_m` of the first phonon."""
        first = self.phonons[0]
        checks.number("Phonon.g0", first.g0, "rad/s", above=0.0)
        checks.number("Oscillator.gamma", first.mode.gamma, "rad/s", above=0.0)
        rate = self.optical.kappa * first.mode.gamma
        return cooperativity * rate / (4 * np.square(first.g0))

    def cooperativity(self, pump: Pump | None) -> Real:
        r"""Optomechanical cooperativity of the first phonon, :math:`4G^2/\kappa_o\gamma_m` [1]."""
        gamma = self.phonons[0].mode.gamma
        checks.number("Oscillator.gamma", gamma, "rad/s", above=0.0)
        return self.scattering_rate(need(pump)) / gamma

    def scattering_rate(self, pump: Pump) -> Real:
        r"""Optomechanical rate of the first phonon [rad/s].

        .. math:: \Gamma=\frac{4g_0^2n_c}{\kappa_o}\,
                  \frac{(\kappa_o/2)^2}{(\kappa_o/2)^2+\delta^2}

        with δ the detuning of the pump from its sideband.
        """
        squared, half = (
            np.square(self.phonons[0].g0) * self.pump_photons(pump),
            self.optical.kappa / 2,
        )
        return squared * self.optical.kappa / (half**2 + np.square(pump.detuning))

    def hot_baths(self) -> dict[str, HotBath]:
        """Baths of absorbed light, by mechanical mode."""
        named = zip(self.names(), self.phonons, strict=True)
        return {name: phonon.mode.hot for name, phonon in named if phonon.mode.hot is not None}

    def rules(self, pump: Pump | None) -> tuple[Rule, ...]:
        """One sideband needs a narrow optical line; all listed modes need their neighbours far."""
        n_p = self.pump_photons(need(pump))
        found = []
        if not self.counter_rotating:
            strongest = np.sqrt(n_p) * _largest([p.g0 for p in self.phonons])
            if self.pump_mode is None:
                side = np.abs(need(pump).detuning) / self.omega_m
                found.append(wrong_side(side, "PiezoOptomechanical(counter_rotating=True)"))
            line = self.optical.kappa / 4 if self.pump_mode is None else 0.0
            for what, rate in (
                ("optical kappa/4 over mechanical frequency", line),
                ("optomechanical coupling over mechanical frequency", strongest),
            ):
                found.append(
                    Rule(
                        what,
                        Status.NOT_RESOLVED,
                        rate / self.omega_m,
                        RESOLVED,
                        lambda ratio, what=what: (  # type: ignore[misc]
                            f"{what} is {ratio:.3g}, above {RESOLVED}: one optical sideband alone "
                            "is not valid; take PiezoOptomechanical(counter_rotating=True)"
                        ),
                    )
                )
        piezo = _largest([np.abs(p.piezo) for p in self.phonons])
        if self.microwave is not None:
            total = self.microwave.omega + self.omega_m
            apart = np.where(piezo > 0, np.abs(self.microwave.omega - self.omega_m), 0.0) / 4
            for what, rate in (
                ("piezoelectric coupling", piezo),
                ("a quarter of the microwave detuning", apart),
            ):
                found.append(
                    Rule(
                        f"{what} over sum frequency",
                        Status.NOT_RESOLVED,
                        rate / total,
                        RESOLVED,
                        lambda ratio, what=what: (  # type: ignore[misc]
                            f"{what} over the sum of microwave and mechanical frequency is "
                            f"{ratio:.3g}, above {RESOLVED}: the rotating wave in the "
                            "piezoelectric coupling fails; tune the microwave mode or couple it "
                            "less"
                        ),
                    )
                )
        if self.mode_spacing is not None:
            found.append(
                Rule(
                    "piezoelectric coupling over mode spacing",
                    Status.CROWDED,
                    piezo / self.mode_spacing,
                    1.0,
                    lambda ratio: (
                        f"the piezoelectric coupling is {ratio:.3g} times the spacing to the next "
                        "mechanical mode, above 1: that mode takes its share; add it to 'phonons'"
                    ),
                )
            )
        return tuple(found)

    def centre(self, pump: Pump | None) -> Real:
        """Offset from the frame of the first phonon with its optical spring [rad/s], shape (...).

        The frame is that phonon's bare frequency in the rotating wave, the laser with both
        sidebands.
        """
        bare = self.omega_m if self.counter_rotating else 0.0
        return bare + self.line_shift(need(pump))

    def line_shift(self, pump: Pump) -> Real:
        r"""Optical spring of the first phonon (L9) [rad/s], shape (...).

        .. math:: \delta\omega = G^2\left[\frac{\Delta-\omega_m}{(\kappa_o/2)^2+(\Delta-\omega_m)^2}
                  +\frac{\Delta+\omega_m}{(\kappa_o/2)^2+(\Delta+\omega_m)^2}\right]

        with Δ laser minus resonance; the term of the kept sideband alone in the rotating wave.

        Notes
        -----
        Second order in G: normal modes of light and phonon are split about this place.
        """
        squared = np.square(self.phonons[0].g0) * self.pump_photons(pump)
        half, kept = self.optical.kappa / 2, pump.detuning
        if not self.counter_rotating:
            return squared * kept / (half**2 + np.square(kept))
        side = 1 if pump.sideband is Sideband.BLUE else -1
        laser = side * self.omega_m + kept
        return Sidebands.of(2 * half, np.sqrt(squared), laser, self.omega_m).spring

    def scale(self, pump: Pump | None) -> float:
        """Width of the narrower of the microwave line and the loaded mechanical one [rad/s]."""
        pump = need(pump)
        line = np.max(self.phonons[0].mode.gamma + self.scattering_rate(pump))
        if self.microwave is not None:
            line = min(line, np.max(self.microwave.kappa))
        return float(line + 2 * np.max(np.abs(self.phonons[0].piezo)))

    def network(self, pump: Pump | None, drive: Amplitude = 1.0) -> Network:
        """Modes (a, b, c_1, ...) in the frame of laser and first phonon, or of the laser alone."""
        pump = need(pump)
        n_p = self.pump_photons(pump) * np.abs(drive) ** 2
        power = pump.power_at_coupler * np.abs(drive) ** 2
        field = np.sqrt(self.pump_photons(pump)) * drive
        blue = pump.sideband is Sideband.BLUE
        turn = 0.0 if self.counter_rotating else self.omega_m
        frame = self.omega_m - turn  # of the optical mode from the frame, with the laser in place
        modes = [Resonance("optical", (-frame if blue else frame) - pump.detuning)]
        kept = Mixing.SQUEEZING if blue else Mixing.EXCHANGE
        sides = list(Mixing) if self.counter_rotating else [kept]
        couplings = []
        dose = pump.dose
        doors = self.light_doors(n_p, dose)
        if self.microwave is not None:
            off = self.microwave.omega - turn + self.light_shift(n_p)
            modes.append(Resonance("microwave", off))
            doors += self.microwave_doors(self.microwave, n_p, dose)
        for name, phonon in zip(self.names(), self.phonons, strict=True):
            modes.append(Resonance(name, phonon.mode.omega - turn))
            if self.microwave is not None:
                couplings.append(Coupling("microwave", name, Mixing.EXCHANGE, phonon.piezo))
            couplings += [Coupling("optical", name, side, phonon.g0 * field) for side in sides]
            doors += mechanical_doors(name, phonon.mode, n_p, power, dose)
        if self.direct:
            couplings += [
                # a^dag a (g b + g* b^dag): the squeezing side has the conjugate
                Coupling(
                    "optical",
                    "microwave",
                    side,
                    (self.direct if side is Mixing.EXCHANGE else np.conj(self.direct)) * field,
                )
                for side in sides
            ]
        neglected = ["undepleted pump", "rotating wave in the piezoelectric coupling"]
        if not self.counter_rotating:
            neglected.append("rotating wave: one optical sideband")
        return Network(tuple(modes), tuple(doors), tuple(couplings), tuple(neglected))

    def remedy(self, pump: Pump | None) -> str:
        """The pump power below which the phonons do not lase."""
        pump = need(pump)
        return (
            f"lower the pump power from {float(np.max(pump.power)):.4g} W to less than "
            f"{self.stable_power(pump):.4g} W, or pulse it: a pulse may have gain"
        )


def _largest(values: list[Real]) -> Real:
    """Largest of some numbers or arrays, point by point."""
    return np.asarray(np.max(np.stack(np.broadcast_arrays(*values)), axis=0))
