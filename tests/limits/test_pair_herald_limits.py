"""L17 from the master equation: pulsed pair sources, their light caught in one packet, heralded by number states."""

import numpy as np
import pytest

from cavities import Bath, Mode, Pump, Sideband, Square
from cavities.wavepackets import TemporalMode
from fibre import Detection
from fibre.held import clicks
from transducer import ElectroOptic
from transducer.solvers import pulse
from transducer.solvers.itinerant import captured
from transducer.solvers.start import Start

LENGTH, END = 3.0, 9.0


@pytest.mark.slow
def test_l17_two_pulsed_pair_sources_herald_as_their_gaussian_moments_say() -> None:
    """Threshold detectors; microwave halves lossy and thermal. Moments are those of the Gaussian pulse engine."""
    device = ElectroOptic(
        Mode(1e6, 0.7, 0.3), Mode(1e4, 0.03, 0.02), 1e-3, microwave_internal=Bath(0.08)
    )
    full = device.pump_for(1.1, Pump(0.0, sideband=Sideband.BLUE))
    from dataclasses import replace

    pump = replace(full, envelope=Square(LENGTH))
    # any packet will do for the comparison; this one is unlike the one that holds most
    packet = TemporalMode.gaussian("optical.out", 2.8, 2.4)
    packet = replace(packet, span=(0.0, END), breaks=())
    begin = {"optical": 0.0, "microwave": 0.05}
    found = pulse.respond(
        device, pump, [packet], held=("microwave",), start=begin, begin=0.0, end=END, rtol=1e-8
    )
    n_s, n_i = np.real(np.diag(found.normal))
    m = max(abs(found.normal[0, 1]), abs(found.anomalous[0, 1]))
    assert m**2 > 1.2 * n_s * n_i  # they are entangled, or nothing would be tested

    run = captured(
        device.hamiltonian(pump, (0.0, END)),
        Start().warmed(microwave=0.05),
        "optical.out",
        packet,
        begin=0.0,
        end=END,
        kept=("microwave",),
        accuracy=1e-5,
    )
    assert run.kept == ("microwave", "out")
    a, n = run.dimensions
    rho = run.state.reshape(a, n, a, n)
    numbers = np.einsum("anan->n", rho).real @ np.arange(n)
    assert numbers == pytest.approx(n_s, rel=1e-4, abs=0)
    assert np.einsum("anan->a", rho).real @ np.arange(a) == pytest.approx(n_i, rel=1e-4, abs=0)

    eta, dark = 0.35, 2e-3
    X = clicks(Detection(eta, eta, dark=dark), (n - 1, n - 1))
    # one detector's pattern; the other one is alike
    pair = np.einsum("anbm,ckdl,mlnk->acbd", rho, rho, X)
    probability = 2 * np.einsum("acac->", pair).real
    good = (pair[0, 1, 0, 1] + pair[1, 0, 1, 0]).real / 2 + abs(pair[0, 1, 1, 0])
    fidelity = 2 * good / probability

    p0 = (1 - dark) / (1 + eta * n_s)
    n0 = n_i - eta * m**2 / (1 + eta * n_s)
    expected = (n_i / (1 + n_i) ** 2 - p0 * n0 / (1 + n0) ** 2) / ((1 + n0) * (1 - p0))
    assert probability == pytest.approx(2 * p0 * (1 - p0), rel=1e-4, abs=0)
    assert fidelity == pytest.approx(expected, rel=1e-4, abs=0)
    assert 0.3 < fidelity < 0.95
