"""A node that makes pairs: a blue-pumped transducer sends light and keeps its microwave partner."""

import numpy as np

from cavities.errors import ValidityError
from cavities.pump import Pump, Sideband
from fibre.pair_herald import Idler
from fibre.photon import Photon, SpectralGrid, Wave, gaussian_amplitude
from transducer.devices.base import Device
from transducer.linear import LinearDevice
from transducer.node import Emitter
from transducer.solvers import scattering


def emit_pairs(
    device: Device, pump: Pump, emitter: Emitter, grid: SpectralGrid, carrier: float
) -> Photon:
    r"""Pair light of a blue-pumped device: signal at its optical output, idler in the memory.

    .. math:: n_o=\int\frac{d\omega}{2\pi}|v_o|^2 n_o(\omega),\quad
              n_e=\int\frac{d\omega}{2\pi}|v_e(-\omega)|^2 n_e(-\omega),\quad
              m=\int\frac{d\omega}{2\pi}\,v_o^*(\omega)\,v_e^*(-\omega)\,m(\omega)

    Both packets have the Gaussian intensity of the emitter's photon; the memory catches the
    packet whose spectral phase matches, so that m is as large as that intensity allows (L24f-h).

    Parameters
    ----------
    device : Device
        With one squeezed pair of ports, below threshold.
    pump : Pump
        Blue.
    emitter : Emitter
        `photon_fwhm` and `offset` of the packets; its `efficiency` is the probability that a
        quantum at the microwave port is caught by the memory.
    grid : SpectralGrid
        Frequencies of the link.
    carrier : float
        Optical carrier [rad/s].

    Returns
    -------
    Photon
        Its wave is the signal's temporal mode, of norm one here; its noise is all the light of the
        device, that of the mode included; its `idler` is at the microwave output.

    Raises
    ------
    ValidityError
        If the device makes no such pairs, or its model does not hold.
    UnstableError
        Above threshold.
    """
    linear = device.linearise(pump)
    if not isinstance(linear, LinearDevice) or linear.doubled or pump.sideband is not Sideband.BLUE:
        raise ValidityError(
            "pair light needs a blue-pumped device whose optical and microwave output form one "
            "squeezed pair; this one does not: set 'transducer.pump.sideband' = 'blue', or take an "
            "electro-optic or piezo device"
        )
    ports = {name: linear.ports[linear.index(name)].creation for name in _ports(device)}
    light, microwave = _ports(device)
    swapped = ports[light]
    first, second = (microwave, light) if swapped else (light, microwave)
    if ports[light] == ports[microwave]:
        raise ValidityError(
            "pair light needs a squeezing interaction between light and microwave; this device "
            "exchanges quanta instead: pump it blue"
        )
    centre = float(np.max(device.centre(pump)))
    omega = grid.omega + centre
    found = scattering.pair_moments(linear, first, second, -omega if swapped else omega)
    n_o, n_e = (found.n_2, found.n_1) if swapped else (found.n_1, found.n_2)
    u = gaussian_amplitude(grid.omega - emitter.offset, emitter.photon_fwhm)
    share = grid.weight * np.abs(u) ** 2
    idler = Idler(
        float(np.sum(share * n_e)),
        float(np.sum(share * np.abs(found.m))),
        emitter.efficiency,
        emitter.line_noise,
    )
    flux, offset = device.pump_light(pump)
    return Photon(
        Wave(grid, u, np.asarray(n_o)),
        0.0,
        carrier,
        clock=emitter.idle,
        pump_flux=flux,
        pump_offset=offset,
        idler=idler,
    )


def _ports(device: Device) -> tuple[str, str]:
    return device.target, device.source
