"""One engine against the other: scattering and the QuTiP master equation share nothing but the physical parameters."""

import numpy as np
import pytest

from cavities import Bath, Mode, Pump, Sideband, TruncationError
from tests.conftest import pumped, reference_device
from transducer import ElectroOptic, StokesMode
from transducer.hamiltonian import Hamiltonian, lowering
from transducer.solvers import master_equation, scattering
from transducer.solvers.operators import operators
from transducer.solvers.regression import Stationary

TWO_PI = 2 * np.pi
MHZ = 1e6
OMEGA = TWO_PI * MHZ * np.array([0.0, 3.0, -8.0, 25.0])


def agree(device: ElectroOptic, pump: Pump, source: str, target: str) -> None:
    ours = scattering.convert(device.linearise(pump), source, target, OMEGA)
    theirs = master_equation.convert(device.hamiltonian(pump), source, target, OMEGA)
    assert theirs.efficiency == pytest.approx(ours.efficiency, rel=1e-6)
    assert theirs.noise_out == pytest.approx(ours.noise_out, rel=1e-6, abs=1e-9)
    assert theirs.amplitude == pytest.approx(ours.amplitude, rel=1e-6)
    assert theirs.truncation is not None
    assert theirs.truncation.change <= 1.0
    assert theirs.truncation.leakage < 1e-6


def test_red_pump_with_detunings_and_unequal_baths() -> None:
    device = reference_device(delta_o_hz=15e6, delta_e_hz=-1e6)
    agree(device, pumped(device, 0.3), "microwave.waveguide", "optical.out")


def test_reflection_at_the_noisy_port_includes_what_came_in() -> None:
    """At the waveguide port the incoming thermal noise interferes with what the cavity sends back."""
    device = reference_device(delta_e_hz=-1e6, n_wg=0.12, n_int=0.03)
    agree(device, pumped(device, 0.3), "microwave.waveguide", "microwave.waveguide")


def test_the_other_direction_with_a_warm_optical_bath() -> None:
    from dataclasses import replace

    device = replace(reference_device(n_wg=0.01, n_int=0.05), optical_bath=Bath(0.04), overlap=0.8)
    agree(device, pumped(device, 0.6), "optical.out", "microwave.waveguide")


@pytest.mark.slow
def test_blue_pump_seen_at_the_microwave_port_of_a_detuned_device() -> None:
    """A creation-type target: both engines count the offset at the mode that leaves, with its sign."""
    device = reference_device(delta_o_hz=20e6, delta_e_hz=2e6, n_wg=0.02, n_int=0.05)
    agree(device, pumped(device, 0.15, Sideband.BLUE), "optical.out", "microwave.waveguide")


@pytest.mark.slow
def test_blue_pump_below_threshold() -> None:
    device = reference_device(delta_o_hz=5e6, n_wg=0.02, n_int=0.05)
    agree(device, pumped(device, 0.15, Sideband.BLUE), "microwave.waveguide", "optical.out")


@pytest.mark.slow
def test_three_modes_with_residual_stokes_light() -> None:
    optical = Mode.from_hz(193e12, kappa_ext_hz=18 * MHZ, kappa_int_hz=12 * MHZ)
    microwave = Mode.from_hz(8e9, kappa_ext_hz=5 * MHZ, kappa_int_hz=2 * MHZ)
    other = StokesMode(optical, 0.3, 1.5 * optical.kappa)
    device = ElectroOptic(optical, microwave, TWO_PI * 100.0, stokes=other)
    pump = pumped(device, 0.2)
    ours = scattering.convert(device.linearise(pump), device.source, device.target, OMEGA[:2])
    theirs = master_equation.convert(
        device.hamiltonian(pump), device.source, device.target, OMEGA[:2], accuracy=2e-5
    )
    assert theirs.efficiency == pytest.approx(ours.efficiency, rel=1e-4)
    assert theirs.noise_out == pytest.approx(ours.noise_out, rel=1e-4)


def test_the_truncation_check_grows_the_space_with_the_noise() -> None:
    levels = []
    for n in (0.01, 0.3):
        device = reference_device(n_wg=0.0, n_int=n)
        found = master_equation.convert(
            device.hamiltonian(pumped(device, 0.3)), device.source, device.target, OMEGA[:1]
        )
        assert found.truncation is not None
        levels.append(found.truncation.levels["microwave"])
    assert levels[1] > levels[0]


def test_a_space_that_cannot_hold_the_noise_is_refused_in_words() -> None:
    device = reference_device(n_int=60.0)
    with pytest.raises(
        TruncationError,
        match=r"Fock space of dimension \d+ .*scattering and pulse engines are exact",
    ):
        master_equation.convert(
            device.hamiltonian(pumped(device, 0.3)), device.source, device.target, OMEGA[:1]
        )


def test_the_block_found_by_sparsity_holds_qutips_own_steady_state_and_spectrum() -> None:
    import qutip

    device = reference_device(delta_o_hz=15e6, delta_e_hz=-4e6, n_wg=0.02, n_int=0.1)
    hamiltonian = device.hamiltonian(pumped(device, 0.4))
    levels = {"optical": 3, "microwave": 5}
    solved = Stationary(hamiltonian, levels)
    H, c_ops, a = operators(hamiltonian, levels)
    rho = qutip.steadystate(H, c_ops)
    assert solved.block.unpack(solved.vector) == pytest.approx(rho.full(), abs=1e-10)
    assert solved.largest < solved.space.dimension**2  # a symmetry was found, none was assumed
    w = TWO_PI * 3e6
    op = a["optical"]
    block, start = solved.times(None, lowering("optical"))
    row = block.functional(lowering("optical"))
    mine = 2 * solved.resolvents(np.array([w]), block, [(start, row)])[0].real
    plain = qutip.spectrum(H, [w], c_ops, op.dag(), op, solver="solve")[0]
    mirror = qutip.spectrum(H, [-w], c_ops, op.dag(), op, solver="solve")[0]
    assert mine[0] == pytest.approx(plain, rel=1e-6, abs=0)
    assert abs(mirror / plain - 1) > 0.1  # the sign of the frequency matters here


def test_without_a_symmetry_the_whole_space_is_one_block() -> None:
    """A coherent drive breaks the number symmetry; it must be detected, not assumed."""
    from transducer.hamiltonian import Ladder, Term

    device = reference_device(n_wg=0.0, n_int=0.02)
    base = device.hamiltonian(pumped(device, 0.3))
    kick = 0.05 * device.microwave.kappa
    drive = (Term(kick, (Ladder("microwave"),)), Term(kick, (Ladder("microwave", True),)))
    driven = Hamiltonian(base.modes, base.terms + drive, base.channels)
    levels = {"optical": 3, "microwave": 4}
    assert Stationary(base, levels).largest < 144
    assert Stationary(driven, levels).largest == 144


def test_the_data_sheet_device_has_no_hamiltonian_and_says_so() -> None:
    from cavities import ValidityError
    from transducer import Datasheet

    box = Datasheet.from_hz(0.3, 0.02, bandwidth_hz=5e6, repetition_rate=1e3)
    with pytest.raises(ValidityError, match="no Hamiltonian"):
        box.hamiltonian(None)
    found = scattering.convert(box.linearise(None), box.source, box.target, np.array([0.0]))
    assert found.efficiency[0] == pytest.approx(0.3)
    assert found.added_noise[0] == pytest.approx(0.02)
    assert scattering.bandwidth(
        box.linearise(None), box.source, box.target, box.scale()
    ) == pytest.approx(TWO_PI * 5e6)
    S = scattering.scatter(box.linearise(None), np.array(1e7))
    assert np.abs(S @ S.conj().T - np.eye(3)).max() < 1e-12
