"""A membrane shared by a microwave circuit and an optical cavity.

Both are pumped, both push it, and at MHz frequencies neither can forget the other sideband.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.baths import VACUUM, Bath
from cavities.constants import Real
from cavities.errors import ParameterError
from cavities.heating import HotBath, Irradiation
from cavities.modes import Mode, Oscillator
from cavities.pump import Pump, Sideband, intracavity_photons
from cavities.rules import Rule, Status
from transducer.devices.pumped import PumpedDevice, mechanical_doors, need, wrong_side
from transducer.devices.sidebands import Sidebands
from transducer.linear import langevin
from transducer.network import Amplitude, Coupling, Mixing, Network, Resonance

ROTATING = 0.1
"""Largest κ/4ω_m, or coupling over ω_m, for which the rotating-wave version is offered."""


def cooling_floor(kappa: Real, omega_m: Real, detuning: Real) -> Real:
    r"""Occupation that back-action leaves a mechanical mode (L9).

    .. math:: n_\mathrm{min}=\frac{\Gamma_\mathrm{S}}{\Gamma_\mathrm{AS}-\Gamma_\mathrm{S}}
              = -\frac{(\kappa/2)^2+(\Delta+\omega_m)^2}{4\Delta\omega_m}

    :math:`(\kappa/4\omega_m)^2` at Δ = -ω_m; lowest, :math:`(\sqrt{1+\kappa^2/4\omega_m^2}-1)/2`,
    at :math:`\Delta=-\sqrt{\omega_m^2+\kappa^2/4}`.

    Parameters
    ----------
    kappa, omega_m : float or ndarray, shape (...)
        Full linewidth and mechanical frequency [rad/s], > 0.
    detuning : float or ndarray, shape (...)
        Laser minus resonance [rad/s], < 0.

    Returns
    -------
    float or ndarray, shape (...)
        Occupation [quanta], in the limit of weak coupling.

    Source: Marquardt, Chen, Clerk and Girvin, Phys. Rev. Lett. 99, 093902 (2007).
    """
    checks.number("cooling_floor: kappa", kappa, "rad/s", above=0.0)
    checks.number("cooling_floor: omega_m", omega_m, "rad/s", above=0.0)
    checks.number(
        "cooling_floor: detuning", detuning, "rad/s", below=0.0, remedy="a blue pump heats"
    )
    return -((kappa / 2) ** 2 + (detuning + omega_m) ** 2) / (4 * detuning * omega_m)


@dataclass(frozen=True)
class Membrane(PumpedDevice):
    r"""Radiation pressure of two pumped cavities on one mechanical mode c.

    .. math:: H/\hbar = \omega_m c^\dagger c + \sum_{j=o,e}\left[-\Delta_j a_j^\dagger a_j
              + G_j (a_j+a_j^\dagger)(c+c^\dagger)\right],\qquad G_j = g_{0,j}\sqrt{n_j}

    with all counter-rotating terms: optical spring, gain of the unresolved sideband and its quantum
    noise, cooling limits (L8, L9).

    Ports: those of `PumpedDevice`, ``mechanics.int`` and, with a hot bath, ``mechanics.hot``.

    Parameters
    ----------
    optical, microwave : Mode
        The two cavities.
    mechanics : Oscillator
        The membrane mode.
    g0_o, g0_e : float or ndarray, shape (...)
        Single-photon couplings of light and microwave [rad/s], >= 0.
    microwave_pump : Pump
        Drive of the microwave cavity; its `detuning` counts from ω_e ∓ ω_m as that of the laser
        does from ω_o ∓ ω_m.
    overlap : float
        Amplitude overlap of the optical mode and the beam [1], in (0, 1].
    microwave_waveguide, microwave_internal, optical_bath : Bath
        Baths.
    irradiation : Irradiation, optional
        What the light does to the microwave resonator.
    rotating_wave : bool
        Drop the counter-rotating terms; see `in_rotating_wave`.

    Notes
    -----
    The frame is that of the two pumps: a signal belongs at `centre`, one mechanical frequency above
    the microwave pump. Port baths are white over the two sidebands.

    Source: Andrews et al., Nat. Phys. 10, 321 (2014); Brubaker et al., Phys. Rev. X 12, 021062
    (2022).
    """

    optical: Mode
    microwave: Mode
    mechanics: Oscillator
    g0_o: Real
    g0_e: Real
    microwave_pump: Pump
    overlap: float = 1.0
    microwave_waveguide: Bath = VACUUM
    microwave_internal: Bath = VACUUM
    optical_bath: Bath = VACUUM
    irradiation: Irradiation | None = None
    rotating_wave: bool = False

    def __post_init__(self) -> None:
        self._check_common()
        checks.number("Membrane.g0_o", self.g0_o, "rad/s", at_least=0.0)
        checks.number("Membrane.g0_e", self.g0_e, "rad/s", at_least=0.0)
        if self.microwave_pump.sideband is Sideband.BLUE:
            raise ParameterError(
                "Membrane.microwave_pump: a blue microwave pump amplifies the membrane; pump red"
            )

    def in_rotating_wave(self) -> "Membrane":
        """Give the same device without counter-rotating terms.

        Its frame then turns with the mechanical mode, and `rules` refuse it where κ/4ω_m or G/ω_m
        exceed `ROTATING`.
        """
        return replace(self, rotating_wave=True)

    @property
    def lift(self) -> Real:
        """The mechanical frequency [rad/s]: the converted light lies that far above the laser."""
        return self.mechanics.omega

    @property
    def microwave_detuning(self) -> Real:
        """Microwave drive minus microwave resonance [rad/s]."""
        return self.microwave_pump.detuning - self.mechanics.omega

    @property
    def microwave_photons(self) -> Real:
        """Drive photons in the microwave cavity [1] (L7)."""
        return intracavity_photons(
            self.microwave, self.microwave_pump.power_at_coupler, self.microwave_detuning
        )

    def photons_for(self, cooperativity: Real) -> Real:
        r"""Intracavity photons of an optical cooperativity :math:`4G_o^2/\kappa_o\gamma_m`."""
        checks.number("Membrane.g0_o", self.g0_o, "rad/s", above=0.0)
        rate = self.optical.kappa * self.mechanics.gamma
        return cooperativity * rate / (4 * np.square(self.g0_o))

    def cooperativity(self, pump: Pump | None) -> Real:
        r"""Optical cooperativity :math:`C_o=4G_o^2/\kappa_o\gamma_m` [1]."""
        squared = np.square(self.couplings(need(pump))[0])
        return 4 * squared / (self.optical.kappa * self.mechanics.gamma)

    def couplings(self, pump: Pump) -> tuple[Real, Real]:
        """Pump-enhanced couplings G_o and G_e [rad/s]."""
        light = self.g0_o * np.sqrt(self.pump_photons(pump))
        return light, self.g0_e * np.sqrt(self.microwave_photons)

    def sidebands(self, pump: Pump) -> tuple[Sidebands, Sidebands]:
        """Weak-coupling scattering rates of light and microwave (L9)."""
        G_o, G_e = self.couplings(pump)
        omega_m = self.mechanics.omega
        return (
            Sidebands.of(self.optical.kappa, G_o, self.pump_detuning(pump), omega_m),
            Sidebands.of(self.microwave.kappa, G_e, self.microwave_detuning, omega_m),
        )

    def hot_baths(self) -> dict[str, HotBath]:
        """Bath of absorbed light on the membrane, if there is one."""
        return {} if self.mechanics.hot is None else {"mechanics": self.mechanics.hot}

    def rules(self, pump: Pump | None) -> tuple[Rule, ...]:
        """The rotating-wave version needs resolved sidebands; the full one holds everywhere."""
        if not self.rotating_wave:
            return ()
        omega_m = self.mechanics.omega
        pump = need(pump)
        G_o, G_e = self.couplings(pump)
        full = "the full model (Membrane without in_rotating_wave)"
        sides = (pump.detuning, self.microwave_pump.detuning)
        return tuple(wrong_side(np.abs(side) / omega_m, full) for side in sides) + tuple(
            Rule(
                what,
                Status.NOT_RESOLVED,
                rate / omega_m,
                ROTATING,
                lambda ratio, what=what: (  # type: ignore[misc]
                    f"{what} is {ratio:.3g}, above {ROTATING}: the rotating-wave membrane drops "
                    "sidebands that matter; take the full model (Membrane without in_rotating_wave)"
                ),
            )
            for what, rate in (
                ("optical kappa/4 over mechanical frequency", self.optical.kappa / 4),
                ("microwave kappa/4 over mechanical frequency", self.microwave.kappa / 4),
                ("optical coupling over mechanical frequency", G_o),
                ("microwave coupling over mechanical frequency", G_e),
            )
        )

    def mechanical_pole(self, pump: Pump | None) -> NDArray[np.complex128]:
        r"""Pole :math:`-i\omega_\mathrm{eff}-\Gamma/2` of the mode that is most mechanical [rad/s].

        Parameters
        ----------
        pump : Pump
            The laser.

        Returns
        -------
        ndarray of complex, shape (...)
            Spring and damping by both cavities included, at any coupling; where normal modes split,
            the one with the larger mechanical share.
        """
        A = langevin(self.network(pump)).A
        poles, vectors = np.linalg.eig(A)
        share = np.abs(vectors[..., 2, :]) ** 2 / np.sum(np.abs(vectors) ** 2, axis=-2)
        best = np.argmax(share, axis=-1)[..., None]
        return np.asarray(np.take_along_axis(poles, best, axis=-1)[..., 0])

    def centre(self, pump: Pump | None) -> Real:
        """Mechanical frequency with its optical springs, from the frame [rad/s], shape (...)."""
        return -self.mechanical_pole(need(pump)).imag

    def line_shift(self, pump: Pump) -> Real:
        """Optical springs [rad/s]."""
        bare = 0.0 if self.rotating_wave else self.mechanics.omega
        return self.centre(pump) - bare

    def scale(self, pump: Pump | None) -> float:
        """Width of the mechanical line, broadened by both cavities [rad/s]."""
        width = float(np.max(-2 * self.mechanical_pole(need(pump)).real))
        return max(width, 1e-9 * float(np.max(self.optical.kappa)))

    def network(self, pump: Pump | None, drive: Amplitude = 1.0) -> Network:
        """Modes (a_o, a_e, c) in the frame of the two pumps."""
        pump = need(pump)
        n_p = self.pump_photons(pump) * np.abs(drive) ** 2
        power = pump.power_at_coupler * np.abs(drive) ** 2
        G_o, G_e = self.couplings(pump)
        omega_m, rotating = self.mechanics.omega, self.rotating_wave
        blue = pump.sideband is Sideband.BLUE
        turn = omega_m if rotating else 0.0
        modes = (
            Resonance("optical", -self.pump_detuning(pump) + (turn if blue else -turn)),
            Resonance("microwave", -self.microwave_detuning - turn + self.light_shift(n_p)),
            Resonance("mechanics", omega_m - turn),
        )
        couplings = []
        for name, G, mirrored in (("optical", G_o * drive, blue), ("microwave", G_e, False)):
            kept = Mixing.SQUEEZING if mirrored else Mixing.EXCHANGE
            dropped = Mixing.EXCHANGE if mirrored else Mixing.SQUEEZING
            couplings.append(Coupling(name, "mechanics", kept, G))
            if not rotating:
                couplings.append(Coupling(name, "mechanics", dropped, G))
        dose = pump.dose
        doors = self.light_doors(n_p, dose) + self.microwave_doors(self.microwave, n_p, dose)
        doors += mechanical_doors("mechanics", self.mechanics, n_p, power, dose)
        neglected = ["undepleted pumps", "linearised radiation pressure"]
        if rotating:
            neglected.append("rotating wave: no counter-rotating sidebands")
        return Network(modes, tuple(doors), tuple(couplings), tuple(neglected))

    def remedy(self, pump: Pump | None) -> str:
        """The laser power below which the membrane does not ring."""
        pump = need(pump)
        limit = self.stable_power(pump)
        return (
            f"lower the laser power from {float(np.max(pump.power)):.4g} W to less than "
            f"{limit:.4g} W, pump red, or lower the microwave drive"
        )

    @classmethod
    def pumped_to(
        cls, device: "Membrane", laser_photons: Real, like: Pump, delta: Real | None = None
    ) -> Pump:
        """Find a laser by its intracavity photons and its detuning from the cavity.

        Parameters
        ----------
        device : Membrane
            The device.
        laser_photons : float or ndarray, shape (...)
            Intracavity photons [1], >= 0.
        like : Pump
            Sideband, plane and timing.
        delta : float or ndarray, optional
            Laser minus resonance [rad/s]; one mechanical frequency by default.
        """
        side = -1.0 if like.sideband is Sideband.RED else 1.0
        detuning = 0.0 if delta is None else delta - side * device.mechanics.omega
        return device.pump_with(laser_photons, replace(like, detuning=detuning))


def sideband_gain(kappas: tuple[Real, Real], omega_m: Real) -> Real:
    r"""Gain of the conversion by the unresolved sidebands at Δ_j = -ω_m (L9).

    .. math:: \mathcal A=\prod_j\left[1+(\kappa_j/4\omega_m)^2\right]

    Parameters
    ----------
    kappas : tuple of float or ndarray, shape (...)
        Full linewidths of the two cavities [rad/s].
    omega_m : float or ndarray, shape (...)
        Mechanical frequency [rad/s], > 0.

    Source: Andrews et al., Nat. Phys. 10, 321 (2014), supplement; exact only at Δ_j = -ω_m.
    """
    checks.number("sideband_gain: omega_m", omega_m, "rad/s", above=0.0)
    one, two = (1 + (kappa / (4 * omega_m)) ** 2 for kappa in kappas)
    return one * two
