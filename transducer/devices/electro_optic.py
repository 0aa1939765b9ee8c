"""A direct electro-optic transducer.

Pump light, one microwave mode and one optical mode mix in a Pockels medium.
"""

from dataclasses import dataclass, replace

import numpy as np

from cavities import checks
from cavities.baths import VACUUM, Bath
from cavities.constants import Real, angular
from cavities.errors import ParameterError, ValidityError
from cavities.modes import Mode
from cavities.pump import Pump, Sideband, intracavity_photons, photon_flux, power_for_photons
from transducer.devices.base import Device
from transducer.hamiltonian import Channel, Hamiltonian, Ladder, Term
from transducer.linear import LinearDevice, Port

RESOLVED = 0.1
"""Largest linewidth or coupling over the microwave frequency for one sideband to stand alone."""


@dataclass(frozen=True)
class StokesMode:
    """The optical mode on the other side of a red pump, squeezed with the microwave (L6).

    Parameters
    ----------
    mode : Mode
        Its linewidths.
    coupling_ratio : float
        Its bare coupling over that of the converted mode, g_-/g_+ [1], >= 0.
    delta : float
        Its detuning from the Stokes frequency [rad/s].
    """

    mode: Mode
    coupling_ratio: float = 1.0
    delta: float = 0.0

    def __post_init__(self) -> None:
        checks.number("StokesMode.coupling_ratio", self.coupling_ratio, "1", at_least=0.0)
        checks.number("StokesMode.delta", self.delta, "rad/s")


@dataclass(frozen=True)
class ElectroOptic(Device):
    r"""Three-wave mixing of a strong pump with an optical mode a and a microwave mode b.

    .. math:: H/\hbar = \delta_o a^\dagger a + \delta_e b^\dagger b +
              \begin{cases} g\,(a^\dagger b + \mathrm{h.c.}) & \text{red pump: beam splitter} \\
                            g\,(a^\dagger b^\dagger + \mathrm{h.c.}) & \text{blue pump: two-mode
                            squeezing} \end{cases}

    with :math:`g = g_0\sqrt{n_p}` and :math:`C = 4g^2/\kappa_o\kappa_e`.

    Ports: ``optical.out`` (matched to the outgoing beam), ``optical.mismatch`` (the rest of the
    coupler), ``optical.int``, ``microwave.waveguide``, ``microwave.int``, and ``stokes.ext``,
    ``stokes.int`` where there is one.

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
        [rad/s]; `Pump.detuning` shifts the optical one.
    pump_mode : Mode, optional
        The pumped mode, if its linewidths differ from those of `optical`.
    stokes : StokesMode, optional
        The other sideband of a red pump.

    Raises
    ------
    ParameterError
        If a parameter is outside its domain.
    ValidityError
        If a linewidth is not small against the microwave frequency: then both sidebands act at
        once.

    Notes
    -----
    Rotating-wave, undepleted pump. Efficiency is from the microwave waveguide port to the matched
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

    def __post_init__(self) -> None:
        checks.number("ElectroOptic.g0", self.g0, "rad/s", at_least=0.0)
        checks.number("ElectroOptic.overlap", self.overlap, "1", above=0.0, at_most=1.0)
        checks.number("ElectroOptic.delta_o", self.delta_o, "rad/s")
        checks.number("ElectroOptic.delta_e", self.delta_e, "rad/s")
        self._require_resolved("optical linewidth", self.optical.kappa)
        self._require_resolved("microwave linewidth", self.microwave.kappa)

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

    def _require_resolved(self, what: str, rate: Real) -> None:
        ratio = float(np.max(rate / self.microwave.omega))
        if ratio > RESOLVED:
            raise ValidityError(
                f"{what} over microwave frequency is {ratio:.3g}, above {RESOLVED}: one sideband "
                "alone is not valid; narrow the line, or model both sidebands and their "
                "counter-rotating terms"
            )

    @property
    def pumped(self) -> Mode:
        """The mode that holds the pump."""
        return self.optical if self.pump_mode is None else self.pump_mode

    def pump_photons(self, pump: Pump) -> Real:
        """Intracavity pump photons [1] (L7), mode overlap included."""
        return intracavity_photons(self.pumped, pump.power_at_coupler, pump.detuning, self.overlap)

    @property
    def takes_pump(self) -> bool:
        """A pump drives the conversion."""
        return True

    def caveats(self, pump: Pump | None, bandwidth: float) -> list[str]:
        """Heating beyond its measured range, and a pulse taken as steady."""
        pump = self._need(pump)
        said = []
        heating = self.microwave_internal.heating
        if heating is not None and not heating.covers(self.pump_photons(pump)):
            said.append(
                "the pump lies outside the range in which its heating was measured; the noise is "
                "an extrapolation"
            )
        if pump.pulse_length is not None:
            said.append(
                f"conversion taken as steady during the {1e9 * pump.pulse_length:.0f} ns pump "
                f"pulse (pulse times angular bandwidth {pump.pulse_length * bandwidth:.1f}); "
                "ring-up and ring-down take a few per cent of the photon at a product near 9"
            )
        return said

    def pump_for(self, cooperativity: Real, like: Pump) -> Pump:
        """A pump like `like`, with the power that gives this cooperativity [1]."""
        checks.number("ElectroOptic.pump_for: cooperativity", cooperativity, "1", at_least=0.0)
        checks.number("ElectroOptic.g0", self.g0, "rad/s", above=0.0)
        photons = (
            cooperativity * self.optical.kappa * self.microwave.kappa / (4 * np.square(self.g0))
        )
        power = power_for_photons(self.pumped, photons, like.detuning, self.overlap)
        return replace(like, power=power / like.insertion)

    def coupling(self, pump: Pump) -> Real:
        r"""Pump-enhanced coupling :math:`g=g_0\sqrt{n_p}` [rad/s].

        Raises
        ------
        ValidityError
            If it is not small against the microwave frequency.
        """
        g = self.g0 * np.sqrt(self.pump_photons(pump))
        self._require_resolved("coupling g", g)
        return g

    def cooperativity(self, pump: Pump | None) -> Real:
        r"""Cooperativity :math:`C=4g^2/\kappa_o\kappa_e` [1]."""
        return (
            4
            * np.square(self.coupling(self._need(pump)))
            / (self.optical.kappa * self.microwave.kappa)
        )

    def pump_light(self, pump: Pump | None) -> tuple[Real, float]:
        """All pump light at the coupler, taken to leave by the output [1/s]; offset [rad/s]."""
        pump = self._need(pump)
        offset = -self.microwave.omega if pump.sideband is Sideband.RED else self.microwave.omega
        flux = photon_flux(pump.power_at_coupler, self.optical.omega + offset)
        return flux, float(np.max(offset))

    @staticmethod
    def _need(pump: Pump | None) -> Pump:
        if pump is None:
            raise ParameterError(
                "an electro-optic device needs a pump; give its power or a cooperativity"
            )
        return pump

    def optical_detuning(self, pump: Pump) -> Real:
        """Optical mode minus frame [rad/s]: a detuned laser takes the whole frame with it."""
        return self.delta_o - pump.detuning

    def converted_frequency(self, pump: Pump | None) -> float:
        """Angular frequency of the light converted from a signal of offset zero [rad/s]."""
        return self.carrier + float(np.max(self._need(pump).detuning))

    @property
    def carrier(self) -> float:
        """Optical frequency of the frame with the pump on its resonance [rad/s]."""
        return float(np.max(self.optical.omega)) - self.delta_o

    @property
    def source(self) -> str:
        """Port where the microwave signal comes in."""
        return "microwave.waveguide"

    @property
    def target(self) -> str:
        """Port where the converted light goes out."""
        return "optical.out"

    @property
    def reference_plane(self) -> str:
        """Where efficiency and noise are counted, in words."""
        return (
            "from the microwave waveguide to the optical beam behind the coupler, mode mismatch "
            "included; noise referred to the microwave waveguide"
        )

    @property
    def scale(self) -> float:
        """The wider linewidth [rad/s]."""
        return float(np.max(np.maximum(self.optical.kappa, self.microwave.kappa)))

    def _doors(self, pump_photons: Real) -> list[tuple[str, str, Real, Real]]:
        """Name, mode, rate [rad/s] and occupation [quanta] of every port."""
        o, e, matched = self.optical, self.microwave, self.overlap**2
        light = self.optical_bath.at(pump_photons)
        doors = [
            ("optical.out", "optical", matched * o.kappa_ext, light),
            ("optical.mismatch", "optical", (1 - matched) * o.kappa_ext, light),
            ("optical.int", "optical", o.kappa_int, light),
            (
                "microwave.waveguide",
                "microwave",
                e.kappa_ext,
                self.microwave_waveguide.at(pump_photons),
            ),
            ("microwave.int", "microwave", e.kappa_int, self.microwave_internal.at(pump_photons)),
        ]
        if self.stokes is not None:
            s = self.stokes.mode
            doors += [
                ("stokes.ext", "stokes", s.kappa_ext, light),
                ("stokes.int", "stokes", s.kappa_int, light),
            ]
        return doors

    def linearise(self, pump: Pump | None) -> LinearDevice:
        """Linear Langevin equations for x = (a, b).

        With a blue pump x = (a, b†), with a Stokes mode x = (a, b, s†).

        Raises
        ------
        UnstableError
            If a mode grows, for example for a blue pump at C >= 1.
        """
        pump = self._need(pump)
        blue = self._is_blue(pump)
        g, n_p = self.coupling(pump), self.pump_photons(pump)
        creation = {"optical": False, "microwave": blue, "stokes": True}
        modes = ["optical", "microwave"] + (["stokes"] if self.stokes else [])
        doors = self._doors(n_p)

        batch = np.broadcast_shapes(np.shape(g), *(np.shape(rate) for _, _, rate, _ in doors))
        K = np.zeros((*batch, len(doors), len(modes)))
        for p, (_, mode, rate, _) in enumerate(doors):
            K[..., p, modes.index(mode)] = np.sqrt(rate)
        A = -0.5 * (np.swapaxes(K, -1, -2) @ K).astype(np.complex128)
        A[..., 0, 0] += -1j * self.optical_detuning(pump)
        A[..., 1, 1] += 1j * self.delta_e if blue else -1j * self.delta_e
        A[..., 0, 1] = -1j * g
        A[..., 1, 0] = 1j * g if blue else -1j * g
        if self.stokes is not None:
            g_minus = self.stokes.coupling_ratio * g
            A[..., 2, 2] += 1j * self.stokes.delta
            A[..., 1, 2] = -1j * g_minus
            A[..., 2, 1] = 1j * g_minus
        ports = tuple(Port(name, n, creation[mode]) for name, mode, _, n in doors)
        device = LinearDevice(A, K, ports)
        device.require_stable(lambda: self._remedy(pump))
        return device

    def _is_blue(self, pump: Pump) -> bool:
        blue = pump.sideband is Sideband.BLUE
        if blue and self.stokes is not None:
            raise ParameterError(
                "a blue pump already drives the Stokes mode as its signal; leave StokesMode out "
                "or pump red"
            )
        return blue

    def _remedy(self, pump: Pump) -> str:
        C = float(np.max(self.cooperativity(pump)))
        power = float(np.max(pump.power))
        if pump.sideband is Sideband.BLUE and not np.any(
            [self.delta_e, *np.ravel(self.optical_detuning(pump))]
        ):
            return (
                f"a blue pump has its threshold at cooperativity 1, here it is {C:.4g}: lower the "
                f"pump power (pump.power_w or pump.cooperativity) from {power:.4g} W to less than "
                f"{power / C:.4g} W"
            )
        return f"the cooperativity is {C:.4g}: lower the pump power to less than {power:.4g} W"

    def hamiltonian(self, pump: Pump | None) -> Hamiltonian:
        """The same physics as ladder operators and baths, independent of `linearise`.

        Rates, occupations and g are computed once for both; the dynamics are not.
        """
        pump = self._need(pump)
        blue = self._is_blue(pump)
        g = _one("coupling g", self.coupling(pump))
        a, b = Ladder("optical"), Ladder("microwave")
        a_dag, b_dag = Ladder("optical", True), Ladder("microwave", True)
        mixing = ((a_dag, b_dag), (b, a)) if blue else ((a_dag, b), (b_dag, a))
        terms = [
            Term(_one("optical detuning", self.optical_detuning(pump)), (a_dag, a)),
            Term(self.delta_e, (b_dag, b)),
            *(Term(g, pair) for pair in mixing),
        ]
        modes = ["optical", "microwave"]
        if self.stokes is not None:
            s, s_dag = Ladder("stokes"), Ladder("stokes", True)
            g_minus = self.stokes.coupling_ratio * g
            terms += [
                Term(self.stokes.delta, (s_dag, s)),
                Term(g_minus, (s_dag, b_dag)),
                Term(g_minus, (b, s)),
            ]
            modes.append("stokes")
        channels = tuple(
            Channel(name, mode, _one(f"rate of {name}", rate), _one(f"occupation of {name}", n))
            for name, mode, rate, n in self._doors(self.pump_photons(pump))
        )
        approximations = [
            "rotating wave: one sideband" if self.stokes is None else "rotating wave",
            "undepleted classical pump",
        ]
        return Hamiltonian(tuple(modes), tuple(terms), channels, tuple(approximations))


def _one(label: str, value: Real) -> float:
    array = np.asarray(value, dtype=np.float64)
    if array.size != 1:
        raise ParameterError(
            f"{label}: the master equation takes one device at a time, got {array.size} values; "
            "loop over them"
        )
    return float(array.reshape(()))
