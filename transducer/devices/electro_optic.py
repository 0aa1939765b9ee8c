"""A direct electro-optic transducer.

Pump light, one microwave mode and one optical mode mix in a Pockels medium.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cavities import checks
from cavities.baths import VACUUM, Bath
from cavities.constants import Real, angular
from cavities.errors import ParameterError, ValidityError
from cavities.heating import Dose, Irradiation
from cavities.modes import Mode
from cavities.pump import Pump, Sideband, depleted_photons, tone_loss
from cavities.rules import Rule, Status, settle
from transducer.devices.pumped import PumpedDevice, need, wrong_side
from transducer.network import Amplitude, Coupling, Door, Mixing, Network, Resonance

if TYPE_CHECKING:
    from transducer.hamiltonian import Hamiltonian

RESOLVED = 0.1
"""Largest linewidth or coupling over the microwave frequency for one sideband to stand alone."""


@dataclass(frozen=True)
class Partner:
    """A mode that hybridises with the Stokes mode and splits it into a doublet.

    Parameters
    ----------
    mode : Mode
        Its linewidths.
    splitting : float
        Rate J at which the two exchange light [rad/s]: the doublet is 2 J wide.
    delta : float
        Its detuning from the Stokes frequency [rad/s].
    """

    mode: Mode
    splitting: float
    delta: float = 0.0

    def __post_init__(self) -> None:
        checks.number("Partner.splitting", self.splitting, "rad/s", at_least=0.0)
        checks.number("Partner.delta", self.delta, "rad/s")


@dataclass(frozen=True)
class StokesMode:
    r"""The optical mode on the other side of a red pump, squeezed with the microwave (L6).

    Three things suppress it, and they do not act alike: a smaller bare coupling, a detuning, and a
    partner that splits it. Say which.

    Parameters
    ----------
    mode : Mode
        Its linewidths.
    coupling_ratio : float
        Its bare coupling over that of the converted mode, g_-/g_+ [1], >= 0.
    delta : float
        Its detuning from the Stokes frequency, pump on its resonance [rad/s]; `Pump.detuning` takes
        the frame along.
    partner : Partner, optional
        Mode that it hybridises with.
    """

    mode: Mode
    coupling_ratio: float = 1.0
    delta: float = 0.0
    partner: Partner | None = None

    def __post_init__(self) -> None:
        checks.number("StokesMode.coupling_ratio", self.coupling_ratio, "1", at_least=0.0)
        checks.number("StokesMode.delta", self.delta, "rad/s")

    @classmethod
    def suppressed(cls, mode: Mode, back_action: float) -> "StokesMode":
        r"""Mode whose back-action is `back_action` times that of an unsuppressed one (L6).

        .. math:: \mathrm{Re}\,C_-^c / C_+ = \frac{1}{1+4\delta^2/\kappa^2}

        reached by a detuning of a single mode, with equal bare couplings. For a single detuned mode
        the scattered power falls alike; for a doublet it does not (use `Partner`).

        Parameters
        ----------
        mode : Mode
            Its linewidths, those of the converted mode for the ratio to mean what it says.
        back_action : float
            Suppression [1], in (0, 1].
        """
        checks.number(
            "StokesMode.suppressed: back_action", back_action, "1", above=0.0, at_most=1.0
        )
        delta = 0.5 * float(np.max(mode.kappa)) * np.sqrt(1 / back_action - 1)
        return cls(mode, 1.0, float(delta))


@dataclass(frozen=True)
class ElectroOptic(PumpedDevice):
    r"""Three-wave mixing of a strong pump with an optical mode a and a microwave mode b.

    .. math:: H/\hbar = \delta_o a^\dagger a + \delta_e b^\dagger b +
              \begin{cases} g\,a^\dagger b + \mathrm{h.c.} & \text{red pump: beam splitter} \\
                            g\,a^\dagger b^\dagger + \mathrm{h.c.} & \text{blue pump: two-mode
                            squeezing} \end{cases}

    with :math:`g = (g_0+g_d)\sqrt{n_p}` and :math:`C = 4|g|^2/\kappa_o\kappa_e`.

    Ports: ``optical.out`` (matched to the outgoing beam), ``optical.mismatch`` (the rest of the
    coupler), ``optical.int``, ``microwave.waveguide``, ``microwave.int``, and ``stokes.ext``,
    ``stokes.int``, ``partner.ext``, ``partner.int`` where there are such modes.

    Parameters
    ----------
    optical, microwave : Mode
        The two modes, loss rates as full energy widths.
    g0 : float or ndarray, shape (...)
        Single-photon coupling [rad/s], >= 0.
    overlap : float
        Amplitude overlap Λ of the optical mode at the coupler with the outgoing and incoming beam
        [1], in (0, 1]. It enters the conversion and the pump, apart from the coupling ratio.
    microwave_waveguide, microwave_internal, optical_bath : Bath
        Baths of the microwave's waveguide and internal port, and of all optical ports.
    delta_o, delta_e : float
        Detunings of the modes from the frame of pump and reference, pump on its resonance
        [rad/s]; `Pump.detuning` shifts the optical one. A mismatch of the free spectral range from
        the microwave frequency is a `delta_o` of FSR - Ω_e, with `delta_e` = 0 (L7).
    pump_mode : Mode, optional
        The pumped mode, if its linewidths differ from those of `optical`.
    stokes : StokesMode, optional
        The other sideband of a red pump.
    direct : complex
        Single-photon coupling g_d of a parallel path between the same two modes [rad/s], with its
        phase: amplitudes add, not powers.
    tone_photons : float or ndarray, shape (...)
        Photons of a strong microwave tone in the microwave mode [1]: it depletes the pump (L7b).
    irradiation : Irradiation, optional
        Loss and frequency shift that the pump light gives the microwave resonator.

    Raises
    ------
    ParameterError
        If a parameter is outside its domain.
    ValidityError
        If a linewidth is not small against the microwave frequency: then both sidebands act at
        once; `SingleModeElectroOptic` solves that case.

    Notes
    -----
    Rotating-wave, classical pump. Efficiency is from the microwave waveguide port to the matched
    optical output port; noise is normally ordered and referred to the microwave waveguide.

    Source: Tsang, arXiv:1003.0116 and arXiv:1105.3986.
    """

    optical: Mode
    microwave: Mode
    g0: Real
    overlap: float = 1.0
    microwave_waveguide: Bath = VACUUM
    microwave_internal: Bath = VACUUM
    optical_bath: Bath = VACUUM
    delta_o: float = 0.0
    delta_e: float = 0.0
    pump_mode: Mode | None = None
    stokes: StokesMode | None = None
    direct: complex = 0.0
    tone_photons: Real = 0.0
    irradiation: Irradiation | None = None

    def __post_init__(self) -> None:
        checks.number("ElectroOptic.g0", self.g0, "rad/s", at_least=0.0)
        self._check_common()
        checks.number("ElectroOptic.delta_o", self.delta_o, "rad/s")
        checks.number("ElectroOptic.delta_e", self.delta_e, "rad/s")
        checks.number("ElectroOptic.direct: |g|", abs(self.direct), "rad/s")
        checks.number("ElectroOptic.tone_photons", self.tone_photons, "1", at_least=0.0)
        settle(self._resolved_lines())

    @classmethod
    def from_hz(
        cls,
        optical: Mode,
        microwave: Mode,
        *,
        g0_hz: Real,
        overlap: float = 1.0,
        microwave_waveguide: Bath = VACUUM,
        microwave_internal: Bath = VACUUM,
        delta_o_hz: float = 0.0,
        delta_e_hz: float = 0.0,
    ) -> "ElectroOptic":
        """Make a device from g0/2π and detunings/2π [Hz]; `Mode.from_hz` makes its modes."""
        return cls(
            optical,
            microwave,
            angular(g0_hz),
            overlap,
            microwave_waveguide,
            microwave_internal,
            delta_o=float(angular(delta_o_hz)),
            delta_e=float(angular(delta_e_hz)),
        )

    def _resolved(self, what: str, rate: Real) -> Rule:
        return Rule(
            f"{what} over microwave frequency",
            Status.NOT_RESOLVED,
            rate / self.microwave.omega,
            RESOLVED,
            lambda ratio: (
                f"{what} over microwave frequency is {ratio:.3g}, above {RESOLVED}: one sideband "
                "alone is not valid; narrow the line or lower the pump, or take "
                "SingleModeElectroOptic, which keeps both sidebands"
            ),
        )

    def _resolved_lines(self) -> tuple[Rule, ...]:
        return (
            self._resolved("optical linewidth", self.optical.kappa),
            self._resolved("microwave linewidth", self.microwave.kappa),
        )

    def rules(self, pump: Pump | None) -> tuple[Rule, ...]:
        """Both linewidths and the coupling are small against the microwave frequency."""
        g = np.abs(self._coupling(need(pump)))
        side = np.abs(need(pump).detuning)
        return (
            *self._resolved_lines(),
            self._resolved("coupling g", g),
            wrong_side(side / self.microwave.omega, "SingleModeElectroOptic"),
        )

    @property
    def pumped(self) -> Mode:
        """The mode that holds the pump, one microwave frequency from the converted one."""
        return self.optical if self.pump_mode is None else self.pump_mode

    def pump_photons(self, pump: Pump) -> Real:
        """Intracavity pump photons [1] (L7, L7b), mode overlap and depletion included."""
        return depleted_photons(
            super().pump_photons(pump),
            np.abs(self.g0 + self.direct),
            self.tone_photons,
            self.pumped.kappa,
            self.optical.kappa,
            pump.detuning,
            self.optical_detuning(pump),
        )

    def pump_rate(self, pump: Pump) -> complex:
        """Rate at which the pump fills its cavity, the conversion by a tone included [rad/s]."""
        loss = tone_loss(
            np.abs(self.g0 + self.direct),
            self.tone_photons,
            self.optical.kappa,
            self.optical_detuning(pump),
        )
        return super().pump_rate(pump) + complex(np.ravel(loss)[0])

    @property
    def lift(self) -> Real:
        """The microwave frequency [rad/s]."""
        return self.microwave.omega

    def pump_detuning(self, pump: Pump) -> Real:
        """Laser minus the pumped resonance [rad/s]."""
        return pump.detuning

    def photons_for(self, cooperativity: Real) -> Real:
        """Intracavity pump photons of a cooperativity [1]."""
        single = np.abs(self.g0 + self.direct)
        checks.number("ElectroOptic.g0", single, "rad/s", above=0.0)
        return cooperativity * self.optical.kappa * self.microwave.kappa / (4 * single**2)

    def _coupling(self, pump: Pump) -> Amplitude:
        single = self.g0 + self.direct if self.direct else self.g0
        return single * np.sqrt(self.pump_photons(pump))

    def coupling(self, pump: Pump) -> Amplitude:
        r"""Pump-enhanced coupling :math:`g=(g_0+g_d)\sqrt{n_p}` [rad/s].

        Raises
        ------
        ValidityError
            If it is not small against the microwave frequency.
        """
        settle(self.rules(pump))
        return self._coupling(pump)

    def cooperativity(self, pump: Pump | None) -> Real:
        r"""Cooperativity :math:`C=4|g|^2/\kappa_o\kappa_e` [1]."""
        g = np.abs(self._coupling(need(pump)))
        return 4 * np.square(g) / (self.optical.kappa * self.microwave.kappa)

    def optical_detuning(self, pump: Pump) -> Real:
        """Optical mode minus frame [rad/s]: a detuned laser takes the whole frame with it."""
        return self.delta_o - pump.detuning

    @property
    def carrier(self) -> float:
        """Optical frequency of the frame with the pump on its resonance [rad/s]."""
        return float(np.max(self.optical.omega)) - self.delta_o

    def line_shift(self, pump: Pump) -> Real:
        """Change of the microwave resonance by the light [rad/s]."""
        return self.light_shift(self.pump_photons(pump))

    def centre(self, pump: Pump | None) -> Real:
        """Where the light has moved the microwave resonance to, from the frame [rad/s]."""
        return self.line_shift(need(pump))

    def scale(self, pump: Pump | None) -> float:
        """The wider linewidth [rad/s]."""
        return float(np.max(np.maximum(self.optical.kappa, self.microwave.kappa)))

    def _stokes_doors(self, pump_photons: Real, dose: Dose) -> list[Door]:
        if self.stokes is None:
            return []
        light = self.optical_bath.at(pump_photons, dose)
        others = [("stokes", self.stokes.mode)]
        if self.stokes.partner is not None:
            others.append(("partner", self.stokes.partner.mode))
        doors = []
        for name, mode in others:
            doors.append(Door.of(f"{name}.ext", name, mode.kappa_ext, light))
            doors.append(Door.of(f"{name}.int", name, mode.kappa_int, light))
        return doors

    def network(self, pump: Pump | None, drive: Amplitude = 1.0) -> Network:
        """Modes (a, b), with a Stokes mode and its partner where there are such."""
        pump = need(pump)
        blue = self._is_blue(pump)
        n_p = self.pump_photons(pump) * np.abs(drive) ** 2
        g = self._coupling(pump) * drive
        modes = [
            Resonance("optical", self.optical_detuning(pump)),
            Resonance("microwave", self.delta_e + self.light_shift(n_p)),
        ]
        mixing = Mixing.SQUEEZING if blue else Mixing.EXCHANGE
        couplings = [Coupling("optical", "microwave", mixing, g)]
        neglected = ["rotating wave" if self.stokes else "rotating wave: one sideband"]
        neglected.append("classical pump" if np.any(self.tone_photons) else "undepleted pump")
        if self.stokes is not None:
            s = self.stokes
            modes.append(Resonance("stokes", s.delta - pump.detuning))
            couplings.append(
                Coupling("stokes", "microwave", Mixing.SQUEEZING, s.coupling_ratio * g)
            )
            if s.partner is not None:
                modes.append(Resonance("partner", s.partner.delta - pump.detuning))
                couplings.append(
                    Coupling("stokes", "partner", Mixing.EXCHANGE, s.partner.splitting)
                )
        dose = pump.dose
        doors = self.light_doors(n_p, dose) + self.microwave_doors(self.microwave, n_p, dose)
        doors += self._stokes_doors(n_p, dose)
        return Network(tuple(modes), tuple(doors), tuple(couplings), tuple(neglected))

    def with_quantum_pump(self, pump: Pump) -> "Hamiltonian":
        r"""Hamiltonian in which the pump is a quantum mode, in the frame displaced by its field.

        .. math:: H/\hbar = \dots + g_0\,a^\dagger b\,(\alpha+p) + \mathrm{h.c.}
                  - \Delta_p\,p^\dagger p

        with :math:`b\to b^\dagger` for a blue pump, α the undepleted field and p what the pump
        mode holds beside it: exact for three-wave mixing, depletion and pump noise included.

        Parameters
        ----------
        pump : Pump
            Steady; `tone_photons` must be zero, since the tone's depletion is followed instead.

        Returns
        -------
        Hamiltonian
            With a mode ``pump`` and its ports ``pump.ext`` and ``pump.int``, starting empty.

        Raises
        ------
        ValidityError
            With a tone or a Stokes mode, which it does not hold.
        """
        from transducer.hamiltonian import Channel, Ladder, Term

        if np.any(self.tone_photons) or self.stokes is not None:
            raise ValidityError(
                "with_quantum_pump: leave tone_photons and the Stokes mode out; a tone is a "
                "Fock or superposed start of the microwave mode here"
            )
        if pump.envelope is not None:
            raise ValidityError(
                "with_quantum_pump: the frame is displaced by a steady field; give a pump without "
                "an envelope"
            )
        classical = self.hamiltonian(pump)
        single = complex(np.ravel(self.g0 + self.direct)[0])
        up = (Ladder("optical", True), Ladder("microwave", self._is_blue(pump)), Ladder("pump"))
        mixing = Term(single, up)
        detuning = -float(np.ravel(self.pump_detuning(pump))[0])
        terms = [mixing, mixing.adjoint()]
        if detuning:
            terms.append(Term(detuning, (Ladder("pump", True), Ladder("pump"))))
        kappas = (("ext", self.pumped.kappa_ext), ("int", self.pumped.kappa_int))
        light = float(np.ravel(self.optical_bath.at(self.pump_photons(pump), pump.dose))[0])
        ports = tuple(
            Channel(f"pump.{name}", (("pump", float(np.sqrt(np.ravel(rate)[0]))),), light)
            for name, rate in kappas
        )
        return replace(
            classical,
            modes=(*classical.modes, "pump"),
            terms=(*classical.terms, *terms),
            channels=(*classical.channels, *ports),
            approximations=("rotating wave: one sideband",),
        )

    def _is_blue(self, pump: Pump) -> bool:
        blue = pump.sideband is Sideband.BLUE
        if blue and self.stokes is not None:
            raise ParameterError(
                "a blue pump already drives the Stokes mode as its signal; leave StokesMode out "
                "or pump red"
            )
        return blue

    def remedy(self, pump: Pump | None) -> str:
        """The power below which the device is stable, and the threshold it belongs to."""
        pump = need(pump)
        C, power = float(np.max(self.cooperativity(pump))), float(np.max(pump.power))
        limit = self.stable_power(pump)
        law = ""
        if pump.sideband is Sideband.BLUE and not np.any(
            [self.delta_e, *np.ravel(self.optical_detuning(pump))]
        ):
            law = "a blue pump has its threshold at cooperativity 1, here it is "
        else:
            law = "the cooperativity is "
        return (
            f"{law}{C:.4g}: lower the pump power (pump.power_w or pump.cooperativity) from "
            f"{power:.4g} W to less than {limit:.4g} W"
        )
