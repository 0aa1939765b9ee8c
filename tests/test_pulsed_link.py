"""A link through a pump pulse: the photon against a forward integration, the steady answer as its limit."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from cavities import Bath, Mode, ParameterError, Pump, Ramped, Square, ValidityError
from fibre import Memory, Scheme, SpectralGrid
from tests.conftest import reference_device
from transducer import ElectroOptic, Emitter, emit, evaluate, load_scenario
from transducer.pulsed_node import emit_pulsed
from transducer.solvers import scattering

MHZ = 2 * np.pi * 1e6


def device() -> ElectroOptic:
    return ElectroOptic(
        Mode(2 * np.pi * 193e12, 18 * MHZ, 7 * MHZ),
        Mode(2 * np.pi * 8.8e9, 9 * MHZ, 3 * MHZ),
        2 * np.pi * 40.0,
        overlap=0.9,
        microwave_waveguide=Bath(0.01),
        microwave_internal=Bath(0.06),
        delta_o=3 * MHZ,
    )


def emitter(fwhm: float, offset: float = 0.0) -> Emitter:
    return Emitter(Memory(1e-3, 1e-3), 0.2, fwhm, 0.8, offset)


def grid(fwhm: float) -> SpectralGrid:
    return SpectralGrid.resolving([25 * MHZ], [(0.0, fwhm)])


def forward(d: ElectroOptic, pump: Pump, fwhm: float, offset: float) -> tuple[float, float]:
    """Converted share of a photon and mean arrival, by integrating the mean field forwards in time."""
    shape = pump.envelope
    assert shape is not None
    g = float(d.coupling(replace(pump, envelope=None)))
    o, e = d.optical, d.microwave
    rate = o.kappa / 2 - 1j * pump.detuning
    sigma, middle = fwhm / np.sqrt(8 * np.log(2)), shape.length / 2

    def u(t: float) -> complex:
        x = t - middle
        return (2 * np.pi * sigma**2) ** -0.25 * np.exp(-((x / (2 * sigma)) ** 2) - 1j * offset * x)

    def rhs(t: float, y: np.ndarray) -> list[complex]:
        a, b, filled = y[:3]
        light = float(shape.amplitude(np.array(t)))
        leaves = d.overlap**2 * o.kappa_ext * abs(a) ** 2
        return [
            -(1j * (d.delta_o - pump.detuning) + o.kappa / 2) * a - 1j * g * filled * b,
            -(1j * d.delta_e + e.kappa / 2) * b
            - 1j * g * np.conj(filled) * a
            - np.sqrt(e.kappa_ext) * u(t),
            rate * (light - filled),
            leaves,
            leaves * t,
        ]

    y = np.zeros(5, complex)
    marks = [middle - 12 * sigma, 0.0, *shape.breaks[1:], shape.length + 60 / o.kappa]
    for a, b in zip(sorted(marks)[:-1], sorted(marks)[1:], strict=True):
        inside = (
            a + 1e-9 * shape.length,
            b - 1e-9 * shape.length,
        )  # an edge belongs to its own piece
        if inside[1] > inside[0]:
            y = solve_ivp(rhs, inside, y, method="DOP853", rtol=1e-9, atol=1e-12).y[:, -1]
    return float(y[3].real), float(y[4].real / y[3].real)


@pytest.mark.parametrize("offset", [0.0, 2 * MHZ])
@pytest.mark.parametrize(
    "shape", [Square(120e-9), Ramped(150e-9, 40e-9, 20e-9)], ids=["square", "ramped"]
)
def test_the_photon_of_a_pulse_is_what_a_forward_integration_gives(
    shape: Square | Ramped, offset: float
) -> None:
    d, fwhm = device(), 45e-9
    pump = replace(d.pump_for(0.6, Pump(0.0, detuning=1 * MHZ)), envelope=shape)
    share, arrival = forward(d, pump, fwhm, offset)
    found = emit_pulsed(d, pump, emitter(fwhm, offset), grid(fwhm))
    assert float(found.photon.transmission) == pytest.approx(0.8 * share, rel=1e-5)
    assert found.photon.wave.arrival == pytest.approx(arrival, rel=1e-3)
    assert found.unseen < 1e-4


def test_a_long_pulse_gives_the_steady_photon_and_its_noise() -> None:
    d, fwhm = device(), 60e-9
    pump = d.pump_for(0.6, Pump(0.0))
    steady = emit(
        scattering.convert(d.linearise(pump), d.source, d.target, grid(fwhm).omega),
        emitter(fwhm),
        grid(fwhm),
        d.carrier,
    )
    found = emit_pulsed(d, replace(pump, envelope=Square(900e-9)), emitter(fwhm), grid(fwhm))
    assert float(found.photon.transmission) == pytest.approx(float(steady.transmission), rel=1e-6)
    assert found.noise == pytest.approx(float(steady.mode_noise), rel=1e-5)
    # the average over the pulse lacks what the first and last few ring-up times (35 ns) do
    assert float(found.photon.mode_noise) == pytest.approx(found.noise, rel=0.08)


def test_a_short_pulse_converts_less_and_is_less_noisy_than_a_steady_pump() -> None:
    """The microwave mode starts cold in this light: noise needs the time of ring-up to reach the output."""
    scenario = load_scenario("metro")
    pulsed = evaluate(scenario, Scheme.SINGLE_CLICK, "pulse")
    steady = evaluate(scenario, Scheme.SINGLE_CLICK)
    assert float(pulsed.herald_probability) < float(steady.herald_probability)
    assert float(pulsed.herald_fidelity) > float(steady.herald_fidelity)


def test_the_pulse_engine_needs_a_pulse() -> None:
    d = reference_device()
    with pytest.raises(ParameterError, match=r"pulse_length_s.*scattering engine"):
        emit_pulsed(d, d.pump_for(0.3, Pump(0.0)), emitter(40e-9), grid(40e-9))
    with pytest.raises(ValidityError, match=r"example_datasheet.*states no pump"):
        evaluate(load_scenario("metro_datasheet"), Scheme.SINGLE_CLICK, "pulse")
