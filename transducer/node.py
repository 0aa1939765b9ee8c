"""A node: a qubit emits a microwave photon, or not, and a transducer hands it to the fibre."""

from dataclasses import dataclass

import numpy as np

from cavities import checks
from cavities.constants import Real
from cavities.errors import ValidityError
from fibre.budget import Row
from fibre.elements import decibels
from fibre.memory import Memory, qubit_channel
from fibre.photon import Photon, SpectralGrid, Wave, gaussian_amplitude
from transducer.conversion import Conversion


@dataclass(frozen=True)
class Emitter:
    """A qubit that sends a Gaussian microwave photon where it is bright.

    Parameters
    ----------
    memory : Memory
        The qubit.
    bright : float or ndarray, shape (...)
        Bright-state population α of a single-click round [1], in [0, 1]; a two-click herald uses
        1/2.
    photon_fwhm : float
        Full width at half maximum of the photon's intensity [s], > 0.
    efficiency : float
        Probability that the photon of a bright qubit reaches the transducer's microwave port [1],
        in (0, 1].
    offset : float
        Photon frequency from the device's frame [rad/s].
    idle : float
        Time the node keeps the qubit under its own dynamics after the emission [s], >= 0; the
        link's memory takes over from its end.
    line_noise : float
        Thermal quanta per mode that the microwave path brings to the transducer's port [quanta],
        >= 0, beside the waveguide bath of the device.
    incoming_noise : float
        Thermal quanta per mode that the same path brings to the memory when it catches a quantum
        from the transducer [quanta], >= 0.
    """

    memory: Memory
    bright: Real
    photon_fwhm: float
    efficiency: float = 1.0
    offset: float = 0.0
    idle: float = 0.0
    line_noise: float = 0.0
    incoming_noise: float = 0.0

    def __post_init__(self) -> None:
        checks.number("Emitter.line_noise", self.line_noise, "quanta", at_least=0.0)
        checks.number("Emitter.incoming_noise", self.incoming_noise, "quanta", at_least=0.0)
        checks.probability("Emitter.bright", self.bright)
        checks.number("Emitter.photon_fwhm", self.photon_fwhm, "s", above=0.0)
        checks.number("Emitter.efficiency", self.efficiency, "1", above=0.0, at_most=1.0)
        checks.number("Emitter.offset", self.offset, "rad/s")
        checks.number("Emitter.idle", self.idle, "s", at_least=0.0)


STEADY = 8.0
"""Smallest pump-pulse length times angular bandwidth for which a steady conversion is used."""


def require_steady(pulse_length: float, bandwidth: float, photon_fwhm: float) -> None:
    """Refuse a pump pulse in which the conversion never becomes steady.

    Parameters
    ----------
    pulse_length : float
        Pump pulse [s].
    bandwidth : float
        Full width at half maximum of the conversion [rad/s].
    photon_fwhm : float
        Photon length [s].

    Raises
    ------
    ValidityError
        If the pulse is shorter than the photon, or than `STEADY` over the bandwidth.
    """
    ratio = pulse_length * bandwidth
    if ratio < STEADY:
        raise ValidityError(
            f"pump pulse times bandwidth is {ratio:.3g}, below {STEADY:g}: the conversion does not "
            f"become steady; lengthen the pulse from {pulse_length:.3g} s to "
            f"{STEADY / bandwidth:.3g} s or more"
        )
    if photon_fwhm > pulse_length:
        raise ValidityError(
            f"the photon ({photon_fwhm:.3g} s) is longer than the pump pulse ({pulse_length:.3g} "
            "s); shorten the photon or lengthen the pulse"
        )


def emit(
    conversion: Conversion,
    emitter: Emitter,
    grid: SpectralGrid,
    carrier: float,
    pump_light: tuple[Real, float] = (0.0, 0.0),
) -> Photon:
    r"""Photon at the transducer's optical output.

    .. math:: v(\omega) = \sqrt{\epsilon}\,S(\omega)\,u(\omega-\delta),
              \qquad N(\omega) = N_\mathrm{out}(\omega) + |S(\omega)|^2 n_\mathrm{line}

    Parameters
    ----------
    conversion : Conversion
        On the frequencies of `grid`; output noise at the optical port.
    emitter : Emitter
        The qubit.
    grid : SpectralGrid
        Frequencies of the link.
    carrier : float
        Optical carrier [rad/s].
    pump_light : tuple of float or ndarray and float
        Pump photons per second at the output [1/s] and their offset from the carrier [rad/s].

    Returns
    -------
    Photon
        Its `clock` lies `Emitter.idle` after the end of the emission, its qubit has decayed until
        then.
    """
    u = gaussian_amplitude(grid.omega - emitter.offset, emitter.photon_fwhm)
    held = float(np.sum(grid.weight * np.abs(u) ** 2))
    if not abs(held - 1) < 1e-6:
        raise ValidityError(
            f"the frequency grid holds {held:.6g} of the photon instead of 1: its duration of "
            f"{emitter.photon_fwhm:.3g} s or its offset is out of scale with the lines it meets; "
            "make the grid with SpectralGrid.resolving"
        )
    amplitude = np.sqrt(emitter.efficiency) * conversion.amplitude * u
    noise = conversion.noise_out
    if emitter.line_noise > 0:
        noise = noise + np.abs(conversion.amplitude) ** 2 * emitter.line_noise
    return sent(Wave(grid, amplitude, noise), emitter, carrier, pump_light)


def sent(
    wave: Wave, emitter: Emitter, carrier: float, pump_light: tuple[Real, float] = (0.0, 0.0)
) -> Photon:
    """Photon of a wave at the transducer's output, and the qubit that its node keeps.

    Parameters
    ----------
    wave : Wave
        Spectrum of photon and noise at the optical output.
    emitter : Emitter
        The qubit.
    carrier : float
        Optical carrier [rad/s].
    pump_light : tuple of float or ndarray and float
        Pump photons per second at the output [1/s] and their offset from the carrier [rad/s].
    """
    kept = qubit_channel(emitter.memory, emitter.idle)
    return Photon(
        wave,
        emitter.bright,
        carrier,
        clock=emitter.idle,
        survival=float(np.max(kept.survival)),
        coherence=float(np.max(kept.coherence)),
        pump_flux=pump_light[0],
        pump_offset=pump_light[1],
    )


def head_rows(
    photon: Photon, emitter: Emitter, arm: str, node_basis: str, device_name: str, device_basis: str
) -> tuple[Row, ...]:
    """The budget's first two lines.

    The qubit's emission, and the transducer on this very photon.
    """
    emission = decibels(emitter.efficiency)
    total = decibels(photon.transmission)
    conversion = total - emission
    passed = photon.transmission / emitter.efficiency
    return (
        Row(
            arm,
            "qubit emission",
            emission,
            emission,
            emission,
            emitter.efficiency,
            0.0,
            0.0,
            node_basis,
            "node",
        ),
        Row(
            arm,
            f"transducer {device_name}",
            conversion,
            conversion,
            total,
            passed,
            photon.mode_noise,
            0.0,
            device_basis,
            "transducer",
        ),
    )


def pair_rows(
    photon: Photon, emitter: Emitter, arm: str, node_basis: str, device_name: str, device_basis: str
) -> tuple[Row, ...]:
    """The budget's first line for pair light: the source, at whose output the signal is counted."""
    name, basis = f"pair source {device_name}", device_basis
    return (Row(arm, name, 0.0, 0.0, 0.0, 1.0, photon.mode_noise, 0.0, basis, "transducer"),)
