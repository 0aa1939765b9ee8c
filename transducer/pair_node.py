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
    r"""Pair light of a blue-pumped device: idler in the memory, signal at its optical output.

    .. math:: n_e=\int\frac{d\omega}{2\pi}|v_e(-\omega)|^2 n_e(-\omega),\quad
              v_o(\omega)=\frac{m(\omega)\,v_e^*(-\omega)}{m},\quad
              m^2=\int\frac{d\omega}{2\pi}\,|m(\omega)\,v_e(-\omega)|^2

    The idler's packet has the Gaussian intensity of the emitter's photon and the phase that a
    matched memory catches. Everything in the light that is correlated with it lies in its partner
    mode v_o, which is therefore the signal: whatever filters and gates make of it, no correlation
    is left out (L24f-h with this v_o).

    Parameters
    ----------
    device : Device
        With one squeezed pair of ports, below threshold.
    pump : Pump
        Blue.
    emitter : Emitter
        `photon_fwhm` of the idler's packet and `offset` of the signal; its `efficiency` is the
        probability that a quantum at the microwave port is caught by the memory.
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
    # a microwave line that is shifted up by light puts its partner down by as much
    omega = grid.omega - float(np.max(device.centre(pump)))
    found = scattering.pair_moments(linear, first, second, -omega if swapped else omega)
    n_o, n_e = (found.n_2, found.n_1) if swapped else (found.n_1, found.n_2)
    u = gaussian_amplitude(grid.omega - emitter.offset, emitter.photon_fwhm)
    share = grid.weight * np.abs(u) ** 2
    held = float(np.sum(share))
    if not abs(held - 1) < 1e-6:
        raise ValidityError(
            f"the frequency grid holds {held:.6g} of the idler's packet instead of 1: its duration "
            f"of {emitter.photon_fwhm:.3g} s is out of scale with the lines it meets"
        )
    cross = float(np.sqrt(np.sum(share * np.abs(found.m) ** 2)))
    if cross == 0:
        raise ValidityError("the device makes no pairs: raise the pump power above zero")
    idler = Idler(float(np.sum(share * n_e)), cross, emitter.efficiency, emitter.incoming_noise)
    partner = u * np.abs(found.m) / cross  # all that is correlated with the idler is in this mode
    flux, offset = device.pump_light(pump)
    return Photon(
        Wave(grid, partner, np.asarray(n_o)),
        0.0,
        carrier,
        clock=emitter.idle,
        pump_flux=flux,
        pump_offset=offset,
        idler=idler,
    )


def _ports(device: Device) -> tuple[str, str]:
    return device.target, device.source
