"""L22h: clicks of a quantum-jump unravelling follow the rates of the linear theory, as far as statistics can tell."""

import numpy as np
import pytest

from cavities import Mode, Pump, Sideband
from transducer import ElectroOptic
from transducer.solvers import steady
from transducer.solvers.operators import operators


@pytest.mark.slow
def test_l22h_jumps_of_a_pair_source_come_at_the_rate_of_its_flux_and_in_pairs() -> None:
    import qutip

    device = ElectroOptic(Mode(1e6, 0.7, 0.3), Mode(1e4, 0.25, 0.15), 1e-3)
    pump = device.pump_for(
        0.15, Pump(0.0, sideband=Sideband.BLUE)
    )  # L4f: 0.0504 pairs per unit time
    flux = steady.fluxes(device.linearise(pump))
    levels = {"optical": 5, "microwave": 6}
    hamiltonian = device.hamiltonian(pump)
    H, c_ops, _ = operators(hamiltonian, levels)
    names = [channel.name for channel in hamiltonian.channels if channel.kappa > 0]
    length, runs, settle = 120.0, 120, 20.0
    found = qutip.mcsolve(
        H,
        qutip.tensor(qutip.basis(5, 0), qutip.basis(6, 0)),
        [0.0, length],
        c_ops,
        ntraj=runs,
        seeds=7,
        options={"progress_bar": "", "keep_runs_results": True, "map": "serial", "method": "vern7"},
    )
    counts = {name: 0 for name in names}
    light, microwave = [], []
    for times, which in zip(found.col_times, found.col_which, strict=True):
        keep = [(t, names[w]) for t, w in zip(times, which, strict=True) if t > settle]
        for _, name in keep:
            counts[name] += 1
        light.append(sum(name.startswith("optical") for _, name in keep))
        microwave.append(sum(name.startswith("microwave") for _, name in keep))
    window = runs * (length - settle)
    for name in names:
        expected = float(flux[name]) * window
        # pairs bunch: the variance is that of a Poisson process times about 1 + 2 C/(1 - C)^2 ...
        assert counts[name] == pytest.approx(expected, abs=4.5 * np.sqrt(1.6 * expected)), name
    # every photon has its partner: the two counts differ by edges only, far less than their spread
    difference = np.array(light) - np.array(microwave)
    assert np.var(difference) < 0.5 * np.var(light)
    assert sum(light) / window == pytest.approx(0.05042016807, rel=0.15)
