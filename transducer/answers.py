"""What every device can be asked, answered in one record."""

from dataclasses import dataclass

import numpy as np

from cavities.capacity import (
    breaks_entanglement,
    pure_loss_bound,
    pure_loss_capacity,
    thermal_loss_bounds,
)
from cavities.errors import ParameterError
from cavities.fock import dual_rail
from cavities.gaussian import GaussianState
from cavities.pump import Pump, Sideband
from transducer.conversion import Conversion
from transducer.devices.base import Device
from transducer.devices.pumped import PumpedDevice
from transducer.linear import LinearDevice
from transducer.solvers import scattering, steady


@dataclass(frozen=True)
class Answers:
    """A device under one pump, at the centre of its line.

    Efficiency and noise count between `Device.source` and `Device.target`; `Device.reference_plane`
    says where those are.

    Parameters
    ----------
    up, down : Conversion
        Microwave to light and back, noise by port.
    bandwidth : float
        Full width at half maximum [rad/s]; NaN where nothing is converted.
    stable_power : float
        Pump power at which it begins to oscillate [W]; infinite if it does not, NaN without a pump.
    breaks_entanglement : bool
        Whether its noise destroys all entanglement that is sent through (L11).
    capacity : tuple of float
        Lower bound of the unassisted and upper bound of the two-way capacity [1/mode] (L11).
    noiseless_capacity : tuple of float
        The same two if it had no noise: what the efficiency alone allows [1/mode].
    dual_rail_probability, dual_rail_fidelity : float
        A dual-rail photon through it, post-selected (L12); NaN for a gain.
    pairs : GaussianState, optional
        Of a blue pump: light and microwave outputs at the centre (L4, L5).
    pair_rate : float
        Of a blue pump: pairs per second, all optical ports together, NaN else (L4).
    """

    up: Conversion
    down: Conversion
    bandwidth: float
    stable_power: float
    breaks_entanglement: bool
    capacity: tuple[float, float]
    noiseless_capacity: tuple[float, float]
    dual_rail_probability: float
    dual_rail_fidelity: float
    pairs: GaussianState | None
    pair_rate: float

    @property
    def log_negativity(self) -> float:
        """Entanglement of the pair, base 2 [1]; NaN without a blue pump."""
        return np.nan if self.pairs is None else self.pairs.log_negativity([0])

    @property
    def epr_variance(self) -> float:
        r"""Duan variance of the pair at the best phase; separable states have 2 or more (L5).

        .. math:: \Delta = 2 + 2n_1 + 2n_2 - 4|m|
        """
        if self.pairs is None:
            return np.nan
        V = self.pairs.covariance
        m = complex(V[0, 2] - V[1, 3], V[0, 3] + V[1, 2]) / 2
        return float(2 * np.sum(self.pairs.photons) + 2 - 4 * abs(m))


def ask(device: Device, pump: Pump | None = None) -> Answers:
    """Answer all questions about one device under one pump.

    Parameters
    ----------
    device : Device
        Any kind; a black box answers what its ports can tell.
    pump : Pump, optional
        None for devices that take none.

    Returns
    -------
    Answers

    Raises
    ------
    UnstableError, ValidityError
        If the device oscillates, or its model does not hold.
    ParameterError
        For a batch: ask point by point, or take the engines.

    Examples
    --------
    >>> from transducer import load_device
    >>> found = load_device("yoon2023", "peak")
    >>> answers = ask(found.device, found.pump(Pump(0.0)))
    >>> answers.breaks_entanglement, round(1e9 * float(answers.up.efficiency[0]), 1)
    (True, 9.5)
    """
    linear = device.linearise(pump)
    if isinstance(linear, LinearDevice) and linear.A.ndim != 2:
        raise ParameterError(
            f"ask: it takes one device, got a batch of shape {linear.A.shape[:-2]}; loop over it"
        )
    centre = np.array([float(np.max(device.centre(pump)))])
    up = scattering.convert(linear, device.source, device.target, centre)
    down = scattering.convert(linear, device.target, device.source, centre)
    eta, noise = float(up.efficiency[0]), float(up.noise_out[0])
    width, lossy = np.nan, 0 < eta < 1
    if eta > 0:
        args = (device.source, device.target, device.scale(pump), float(centre[0]))
        width = scattering.bandwidth(linear, *args)
    bounds, plain, rail = (np.nan, np.nan), (np.nan, np.nan), (np.nan, np.nan)
    if lossy:
        low, high = thermal_loss_bounds(eta, noise)
        bounds = (float(low), float(high))
        plain = (float(pure_loss_capacity(eta)), float(pure_loss_bound(eta)))
        found = dual_rail(eta, noise)
        rail = (float(np.max(found.probability)), float(np.max(found.fidelity)))
    pairs, rate = _pairs(device, pump, linear) if _is_blue(pump) else (None, np.nan)
    return Answers(
        up,
        down,
        width,
        _stable_power(device, pump),
        bool(breaks_entanglement(up.added_noise[0])) if eta > 0 else True,
        bounds,
        plain,
        *rail,
        pairs,
        rate,
    )


def _is_blue(pump: Pump | None) -> bool:
    return pump is not None and pump.sideband is Sideband.BLUE


def _stable_power(device: Device, pump: Pump | None) -> float:
    """Threshold, looked for up to a million times the given power."""
    if pump is None or not isinstance(device, PumpedDevice):
        return np.nan
    power = float(np.max(pump.power))
    far = Pump(
        1e6 * power if power > 0 else 1.0,
        pump.sideband,
        pump.plane,
        pump.insertion,
        pump.detuning,
        pump.pulse_length,
        pump.envelope,
        pump.repetition_rate,
    )
    return device.stable_power(far)


def _pairs(device: Device, pump: Pump | None, linear: object) -> tuple[GaussianState | None, float]:
    """Moments of light and microwave at the centre, and the rate at which pairs are born."""
    if not isinstance(linear, LinearDevice) or linear.doubled:
        return None, np.nan
    conjugated = linear.ports[linear.index(device.source)].creation
    if not conjugated:
        return None, np.nan
    found = scattering.pair_moments(linear, device.target, device.source, np.zeros(()))
    state = GaussianState.from_moments(float(found.n_1), float(found.n_2), complex(found.m))
    light = [flux for name, flux in steady.fluxes(linear).items() if name.startswith("optical")]
    return state, float(np.sum(light))
