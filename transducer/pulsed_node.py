"""A photon that meets a pump pulse: what ring-up, ring-down and edges leave of it."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cavities.envelope import Envelope, Square
from cavities.errors import ParameterError, ValidityError
from cavities.pump import Pump
from cavities.wavepackets import TemporalMode
from fibre.photon import Photon, SpectralGrid, Wave
from transducer.devices.pumped import PumpedDevice
from transducer.node import Emitter, sent
from transducer.solvers.pulse import respond
from transducer.solvers.response import PulseResponse

Complex = NDArray[np.complex128]

FIRST, LARGEST = 12, 96
"""Packets per smooth piece of the window: the number tried first, and the largest."""
UNSEEN = 1e-5
"""Largest share of the photon in the last quarter of the packets."""


@dataclass(frozen=True)
class PulsedEmission:
    """What a pulsed device sends when its qubit is bright.

    Parameters
    ----------
    photon : Photon
        Spectrum of the photon, and of the noise averaged over the pulse.
    noise : float
        Noise in the photon's own mode, exact [quanta]; `photon.mode_noise` has it from the averaged
        spectrum.
    unseen : float
        Share of the photon in the last quarter of the packets [1]: more than what is missed.
    """

    photon: Photon
    noise: float
    unseen: float


def envelope_of(pump: Pump) -> Envelope:
    """Shape of a pump pulse, square if none is given.

    Raises
    ------
    ParameterError
        For a continuous pump.
    """
    if pump.envelope is not None:
        return pump.envelope
    if pump.pulse_length is None:
        raise ParameterError(
            "the pulse engine needs a pump pulse: give 'pump.pulse_length_s', or take the "
            "scattering engine for a continuous pump"
        )
    return Square(pump.pulse_length)


def emit_pulsed(
    device: PumpedDevice, pump: Pump, emitter: Emitter, grid: SpectralGrid
) -> PulsedEmission:
    r"""Photon behind a pulsed transducer; the microwave photon arrives at the middle of the pulse.

    .. math:: v(t)=\sqrt\epsilon\int G(t,t')\,u(t')\,dt',\qquad
              N(\omega)=\frac1T\sum_{kl}\varphi_k^*(\omega)\varphi_l(\omega)
              \langle a_k^\dagger a_l\rangle

    with packets φ_k that fill the window of the pulse and of the optical ring-down.

    Parameters
    ----------
    device : PumpedDevice
        One pumped transducer.
    pump : Pump
        A pulse: its envelope, or a square of its length.
    emitter : Emitter
        The qubit.
    grid : SpectralGrid
        Frequencies of the link, from the centre of the device's line.

    Returns
    -------
    PulsedEmission
        Photon at the optical output port; noise at the same plane.

    Raises
    ------
    ValidityError
        If the packets do not resolve the photon, or its noise is far from that of the pulse's
        average, so that a link that takes noise as white across the gate would err.
    """
    shape = envelope_of(pump)
    pump = replace(pump, envelope=shape, pulse_length=None)
    centre = float(np.max(device.centre(pump)))
    middle = 0.5 * shape.length
    photon = TemporalMode.gaussian(
        device.source, middle, emitter.photon_fwhm, centre + emitter.offset
    )
    slowest = min(float(np.max(device.optical.kappa)), 2 * device.pump_rate(pump).real)
    end = shape.length + 50.0 / slowest
    marks = [0.0, *(b for b in shape.breaks if 0 < b < shape.length), shape.length, end]
    if len(marks) > 8:
        marks = [0.0, shape.length, end]
    response, amplitudes, seen, unseen = None, np.zeros(0, np.complex128), 0.0, 1.0
    count = FIRST
    while unseen > UNSEEN and count <= LARGEST:
        packets = [
            packet
            for a, b in pairwise(marks)
            for packet in TemporalMode.legendre(device.target, a, b, count, centre)
        ]
        response = respond(device, pump, packets, begin=min(0.0, photon.span[0]), rtol=1e-7)
        amplitudes = np.array([response.amplitude(photon, k) for k in range(len(packets))])
        shares = np.abs(amplitudes.reshape(-1, count)) ** 2
        seen = float(np.sum(shares))
        unseen, count = float(np.sum(shares[:, -(count // 4) :])) / seen, 2 * count
    assert response is not None
    if unseen > 100 * UNSEEN:
        raise ValidityError(
            f"the last packets still hold {unseen:.2g} of the converted photon; shorten the pulse, "
            "or give its envelope with fewer samples"
        )
    found = _photon(device, pump, emitter, grid, response, amplitudes, shape, centre)
    own = np.conj(amplitudes) / np.sqrt(seen)
    exact = float(np.real(own.conj() @ response.normal @ own))
    average = float(np.max(found.mode_noise))
    if abs(average - exact) > 0.25 * exact + 1e-6:
        raise ValidityError(
            f"the photon's own mode holds {exact:.3g} quanta of noise, the average of the pulse "
            f"{average:.3g}: a link that takes noise as white across the gate would err; lengthen "
            "the pulse or the photon"
        )
    return PulsedEmission(found, exact, unseen)


def _photon(
    device: PumpedDevice,
    pump: Pump,
    emitter: Emitter,
    grid: SpectralGrid,
    response: PulseResponse,
    amplitudes: Complex,
    shape: Envelope,
    centre: float,
) -> Photon:
    """Spectra of photon and noise on the frequencies of the link."""
    times, weights = response.line.times, response.line.weights
    packets = np.stack([m.at(times) for m in response.modes])
    kernel = np.exp(1j * np.outer(times, grid.omega + centre)) * weights[:, None]
    # four nodes a step follow four radians; equal steps would fold what lies beyond back in
    kernel[:, np.abs(grid.omega + centre) * np.max(response.line.steps) > 4] = 0.0
    spectra = packets @ kernel  # (k, omega)
    noise = np.sum(np.conj(spectra) * (response.normal @ spectra), axis=0).real
    held = np.array([np.trace(response.normal).real, float(np.sum(np.abs(amplitudes) ** 2))])
    on_grid = np.array(
        [
            float(np.sum(grid.weight * noise)),
            float(np.sum(grid.weight * np.abs(amplitudes @ spectra) ** 2)),
        ]
    )
    # the wings of a window's noise, 1/omega^2, oscillate faster than the outer nodes lie apart
    if np.any(np.abs(on_grid - held) > np.array([0.05, 1e-3]) * held + 1e-12):
        raise ValidityError(
            f"the link's frequencies hold {on_grid[1] / held[1]:.4g} of the photon and "
            f"{on_grid[0] / max(held[0], 1e-300):.4g} of the noise of a pulse; shorten the pulse"
        )
    wave = Wave(
        grid,
        np.sqrt(emitter.efficiency) * (amplitudes @ spectra),
        np.maximum(noise, 0.0) / shape.length * (held[0] / on_grid[0] if on_grid[0] > 0 else 1.0),
    )
    return sent(wave, emitter, device.converted_frequency(pump), device.pump_light(pump))
