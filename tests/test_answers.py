"""Every device answers the same questions; each answer is held against a formula or engine of its own."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

from cavities import ParameterError, Pump, Sideband, UnstableError
from tests.conftest import pumped, reference_device
from transducer import load_device
from transducer.answers import ask
from transducer.device_report import points_of
from transducer.published import device_names
from transducer.solvers import scattering


def test_every_shipped_device_answers_at_every_operating_point() -> None:
    asked = 0
    for name in device_names():
        file = load_device(name).file
        for point in points_of(file) or [None]:
            found = load_device(name, point)
            answers = ask(found.device, found.pump(Pump(0.0)))
            assert sum(answers.up.contributions.values())[0] == pytest.approx(
                answers.up.noise_out[0], abs=0
            )
            assert answers.up.efficiency[0] >= 0
            assert not answers.capacity[0] > answers.capacity[1]
            asked += 1
    assert asked >= 9


def test_a_red_device_answers_with_the_closed_forms() -> None:
    device = reference_device()
    answers = ask(device, pumped(device, 0.3))
    eta = 0.48 * 4 * 0.3 / 1.3**2
    noise = 0.02 + 0.15 * 0.25
    assert answers.up.efficiency[0] == pytest.approx(eta, rel=1e-12)
    assert answers.bandwidth / (2 * np.pi * 1e6) == pytest.approx(13.15330579, rel=1e-8)  # L2a
    assert answers.stable_power == np.inf
    assert not answers.breaks_entanglement
    # L11: below one half nothing unassisted; two-way bound by hand
    n_E = eta * noise / (1 - eta)
    g = (n_E + 1) * np.log2(n_E + 1) - n_E * np.log2(n_E)
    assert answers.capacity == pytest.approx((0.0, -np.log2((1 - eta) * eta**n_E) - g), rel=1e-9)
    assert answers.noiseless_capacity == pytest.approx((0.0, -np.log2(1 - eta)), rel=1e-9)
    assert np.isnan(answers.pair_rate)


def test_a_blue_device_answers_with_its_pairs_and_its_threshold() -> None:
    device = reference_device(n_wg=0.03, n_int=0.15)
    pump = pumped(device, 0.2, Sideband.BLUE)
    answers = ask(device, pump)
    linear = device.linearise(pump)
    # the rate is the integral of the light's spectrum over all optical ports
    scale = device.scale(pump)

    def density(x: float) -> float:
        S = scattering.scatter(linear, np.array(scale * x))
        ports = ("optical.out", "optical.mismatch", "optical.int")
        return sum(float(sum(scattering.noise_by_port(linear, S, port).values())) for port in ports)

    flux = scale * quad(density, -np.inf, np.inf, limit=400)[0] / (2 * np.pi)
    assert answers.pair_rate == pytest.approx(flux, rel=1e-6)
    # L4: 4 g^2/(k_o + k_e) (1 + mean bath)/(1 - C)
    k_o, k_e = device.optical.kappa, device.microwave.kappa
    warm = 0.8 * 0.03 + 0.2 * 0.15
    law = 0.2 * k_o * k_e / (k_o + k_e) * (1 + warm) / (1 - 0.2)
    assert answers.pair_rate == pytest.approx(law, rel=1e-9)
    assert answers.stable_power == pytest.approx(float(pump.power) / 0.2, rel=1e-4)
    assert answers.log_negativity > 0
    assert answers.pairs is not None
    best = min(answers.pairs.epr_variance(x) for x in np.linspace(0, 2 * np.pi, 3601))
    assert answers.epr_variance == pytest.approx(best, rel=1e-5)


def test_what_cannot_be_asked_is_said() -> None:
    device = reference_device()
    pump = pumped(device, 0.3)
    with pytest.raises(ParameterError, match=r"got a batch of shape \(2,\)"):
        ask(device, replace(pump, power=np.array([1.0, 2.0]) * pump.power))
    with pytest.raises(UnstableError, match="threshold at cooperativity 1"):
        ask(device, pumped(device, 1.2, Sideband.BLUE))
