"""From a scenario to a link.

Both devices convert, both qubits emit, and the photons are on their way.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cavities.constants import Real
from cavities.errors import ParameterError, ValidityError
from cavities.pump import Sideband
from cavities.sentences import nearest
from fibre.budget import Arm, Link, stretched
from fibre.elements import FabryPerot
from fibre.figures import LinkFigures
from fibre.herald import Scheme
from fibre.link import evaluate_link
from fibre.photon import Photon, SpectralGrid
from transducer.conversion import Conversion
from transducer.devices.pumped import PumpedDevice
from transducer.node import emit, head_rows, pair_rows, require_steady
from transducer.scenario import ArmSetup, Scenario
from transducer.solvers import scattering

CONVERTERS = ("scattering", "master-equation")
"""Engines that can compute a conversion."""


def converter(engine: str) -> str:
    """Engine of the steady conversion that goes with an engine of the photon."""
    return "scattering" if engine in ("pulse", "node") else engine


def grid_for(scenario: Scenario) -> SpectralGrid:
    """Frequencies that resolve every line of both arms: photons, devices and filters."""
    widths = []
    for arm in scenario.arms:
        widths += [arm.device.scale(arm.pump)]
        widths += [e.bandwidth for e in arm.elements if isinstance(e, FabryPerot)]
    packets = [(arm.emitter.offset, arm.emitter.photon_fwhm) for arm in scenario.arms]
    return SpectralGrid.resolving(widths, packets)


def convert(arm: ArmSetup, engine: str, omega: NDArray[np.float64]) -> Conversion:
    """Conversion of one arm's device by one engine.

    Parameters
    ----------
    arm : ArmSetup
        Device and pump.
    engine : str
        ``scattering`` or ``master-equation``.
    omega : ndarray, shape (n,)
        Offset of the signal from the centre of the device's line [rad/s].
    """
    device = arm.device
    shifted = omega + device.centre(arm.pump)
    if engine == "scattering":
        linear = device.linearise(arm.pump)
        found = scattering.convert(linear, device.source, device.target, shifted)
        return replace(found, omega=omega)
    if engine != "master-equation":
        raise ParameterError(f"engine '{engine}' is not known; {nearest(engine, CONVERTERS)}")
    from transducer.solvers import master_equation

    device.linearise(arm.pump)  # stability is a question of the device, whoever solves it
    hamiltonian = device.hamiltonian(arm.pump)
    found = master_equation.convert(hamiltonian, device.source, device.target, shifted)
    return replace(found, omega=omega)


def bandwidth_of(arm: ArmSetup) -> float:
    """Full width at half maximum of one arm's conversion [rad/s]."""
    d = arm.device
    linear = d.linearise(arm.pump)
    return scattering.bandwidth(
        linear, d.source, d.target, d.scale(arm.pump), float(np.max(d.centre(arm.pump)))
    )


def link_of(scenario: Scenario, engine: str = "scattering") -> Link:
    """The link of a scenario: both devices linearised, both photons emitted.

    Raises
    ------
    UnstableError, ValidityError, ParameterError
        If a device oscillates, a pulse is too short, or an arm cannot convert.
    """
    grid = grid_for(scenario)
    one, two = scenario.arms
    twins = same_device(one, two) and one.emitter == two.emitter
    if is_blue(one) or is_blue(two):
        sent_a = _pair(scenario, one, grid, engine)
        sent_b = sent_a if twins else _pair(scenario, two, grid, engine)
        return Link((_arm(one, sent_a), _arm(two, sent_b)), scenario.station, scenario.schedule)
    first = _converted(one, engine, grid)
    second = first if same_device(one, two) else _converted(two, engine, grid)
    sent_a = _emitted(scenario, one, grid, *first, engine)
    sent_b = sent_a if twins else _emitted(scenario, two, grid, *second, engine)
    arms = (_arm(one, sent_a), _arm(two, sent_b))
    return Link(arms, scenario.station, scenario.schedule)


def _converted(setup: ArmSetup, engine: str, grid: SpectralGrid) -> tuple[Conversion, float]:
    """Conversion on the link's frequencies, and its full width [rad/s]."""
    setup.device.linearise(setup.pump)  # an oscillating device is named before anything else
    return convert(setup, converter(engine), grid.omega), bandwidth_of(setup)


def require_pumps(scenario: Scenario, schemes: Sequence[Scheme]) -> None:
    """Refuse emitters on a blue pump, and pair schemes on a red one.

    Raises
    ------
    ValidityError
        It names the arm and both ways out.
    """
    for arm in scenario.arms:
        blue = is_blue(arm)
        unfit = next((scheme for scheme in schemes if scheme.pairs != blue), None)
        if unfit is None:
            continue
        arm.device.linearise(arm.pump)  # an oscillating device is named before anything else
        if blue:
            raise ValidityError(
                f"arm {arm.name}: a blue pump makes pairs, it does not convert: {unfit.value} "
                "needs 'transducer.pump.sideband' = 'red'; pair-click and pair-time-bin use pairs"
            )
        raise ValidityError(
            f"arm {arm.name}: {unfit.value} needs pairs: set 'transducer.pump.sideband' = 'blue', "
            "on a device that takes a pump"
        )


def is_blue(setup: ArmSetup) -> bool:
    """Whether an arm's pump makes pairs instead of converting."""
    return setup.pump is not None and setup.pump.sideband is Sideband.BLUE


def _pair(scenario: Scenario, setup: ArmSetup, grid: SpectralGrid, engine: str) -> Photon:
    """Pair light at the transducer's output, its idler in the memory."""
    from transducer.pair_node import emit_pairs

    if setup.pump is None or not is_blue(setup):
        raise ValidityError(
            f"arm {setup.name}: the other arm's blue pump makes pairs, this one converts: pump "
            "both blue for a pair protocol, or both red"
        )
    if engine != "scattering":
        raise ValidityError(
            f"arm {setup.name}: pair light of a link comes from the scattering engine, not from "
            f"'{engine}'; use --engine scattering, or pump red"
        )
    device, pump, emitter = setup.device, setup.pump, setup.emitter
    carrier = device.converted_frequency(pump)
    if isinstance(device, PumpedDevice):  # the partner of a line that is shifted up lies below
        carrier -= 2 * float(np.max(device.line_shift(pump)))
    light = emit_pairs(device, pump, emitter, grid, carrier)
    if pump.pulse_length is not None:
        require_steady(pump.pulse_length, bandwidth_of(setup), emitter.photon_fwhm)
        _require_inside(scenario, setup, pump.pulse_length)
    return light


def _require_inside(scenario: Scenario, setup: ArmSetup, pulse: float) -> None:
    """Refuse a gate that looks where no pump shines."""
    if scenario.station.gate > pulse * (1 + 1e-9):
        raise ValidityError(
            f"arm {setup.name}: the gate ({scenario.station.gate:.3g} s) is longer than the "
            f"pump pulse ({pulse:.3g} s), beyond which nothing is converted; shorten "
            "'station.gate_s'"
        )


def _emitted(
    scenario: Scenario,
    setup: ArmSetup,
    grid: SpectralGrid,
    conversion: Conversion,
    width: float,
    engine: str,
) -> Photon:
    """Photon at the transducer's output."""
    if setup.emitter.line_noise > 0 and engine in ("pulse", "node"):
        raise ValidityError(
            f"arm {setup.name}: the {engine} engine takes a cold microwave line; use the "
            "scattering engine, or give the line's noise to the device's waveguide bath"
        )
    pulse = setup.pump.pulse_length if setup.pump is not None else None
    if pulse is not None:
        if engine != "pulse":
            require_steady(pulse, width, setup.emitter.photon_fwhm)
        _require_inside(scenario, setup, pulse)
    if engine == "pulse":
        return _pulsed(setup, grid)
    light = setup.device.pump_light(setup.pump)
    carrier = setup.device.converted_frequency(setup.pump)
    if engine == "node":
        return _captured(setup, grid, conversion, carrier)
    return emit(conversion, setup.emitter, grid, carrier, light)


def _arm(setup: ArmSetup, photon: Photon) -> Arm:
    basis = (setup.node_basis, setup.device_name, setup.device_basis)
    make = head_rows if photon.idler is None else pair_rows
    head = make(photon, setup.emitter, setup.name, *basis)
    return Arm(setup.name, photon, head, setup.elements, setup.emitter.memory)


def _pulsed(setup: ArmSetup, grid: SpectralGrid) -> Photon:
    from transducer.pulsed_node import emit_pulsed

    if setup.pump is None or not isinstance(setup.device, PumpedDevice):
        raise ValidityError(
            f"arm {setup.name}: '{setup.device_name}' states no pump, so the pulse engine has "
            "nothing to follow; use the scattering engine"
        )
    return emit_pulsed(setup.device, setup.pump, setup.emitter, grid).photon


def _captured(
    setup: ArmSetup, grid: SpectralGrid, conversion: Conversion, carrier: float
) -> Photon:
    """Photon and qubit jointly, by virtual cavities."""
    from transducer.captured_node import emit_captured

    device, pump = setup.device, setup.pump
    flux, offset = device.pump_light(pump)
    return emit_captured(
        device.hamiltonian(pump),
        device.source,
        device.target,
        setup.emitter,
        grid,
        conversion.noise_out,
        carrier,
        centre=float(np.max(device.centre(pump))),
        pump_light=(float(np.max(flux)), offset),
    ).photon


def same_device(one: ArmSetup, two: ArmSetup) -> bool:
    """Whether two arms convert alike."""
    return one.device == two.device and one.pump == two.pump


def evaluate(
    scenario: Scenario, scheme: Scheme, engine: str = "scattering", length: Real | None = None
) -> LinkFigures:
    """Figures of one scheme on a scenario: what a sweep stores.

    Parameters
    ----------
    scenario : Scenario
        The link.
    scheme : Scheme
        Heralding scheme.
    engine : str
        ``scattering``, ``master-equation``, ``pulse`` or ``node``.
    length : float or ndarray, shape (...), optional
        Length of each fibre [m] instead of the scenario's; an array makes a batch of links.

    Returns
    -------
    LinkFigures
        A flat record of floats, or of arrays of a batch.
    """
    require_pumps(scenario, (scheme,))
    link = link_of(scenario, engine)
    return evaluate_link(link if length is None else stretched(link, length), scheme)
