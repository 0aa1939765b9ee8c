"""One list of devices, put to every engine: what one of them says, the others must say, too.

Scattering against the master equation in Fock space, and against the pulse engine with long packets;
commutators, noise port by port and both directions for each.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from cavities import (
    Bath,
    HotBath,
    Irradiation,
    Mode,
    Oscillator,
    PowerLaw,
    Pump,
    Sideband,
    ValidityError,
    power_for_photons,
)
from cavities.wavepackets import TemporalMode
from transducer import (
    BlackBox,
    Datasheet,
    ElectroOptic,
    LinearDevice,
    Membrane,
    Partner,
    Phonon,
    PiezoOptomechanical,
    Port,
    SingleModeElectroOptic,
    StokesMode,
    Tabulated,
)
from transducer.devices.base import Device
from transducer.solvers import master_equation, scattering
from transducer.solvers.pulse import respond
from transducer.solvers.quadrature import output_noise
from transducer.tabulated import completed

RED, BLUE = Sideband.RED, Sideband.BLUE


@dataclass(frozen=True)
class Case:
    """A device under a pump and what is asked of it.

    Parameters
    ----------
    name : str
        Of the case.
    device, pump : Device, Pump
        What is solved; no pump for devices that take none.
    source, target : str
        Ports.
    offsets : tuple of float
        Frequencies from the frame [rad/s]; the first one is that of the long packet.
    fock : float, optional
        Relative agreement asked of the master equation; None where its space is too large.
    timed : bool
        Whether the pulse engine can take it.
    reciprocal : bool
        Whether both directions convert alike.
    width : float
        Full width at half maximum of the long packet [s].
    """

    name: str
    device: Device
    pump: Pump | None
    source: str
    target: str
    offsets: tuple[float, ...]
    fock: float | None = None
    timed: bool = True
    reciprocal: bool = True
    width: float = 14.0


# --- the list ------------------------------------------------------------------------------------------

OPTICAL = Mode(1e4, 1.3, 0.7)
MICROWAVE = Mode(1e3, 0.8, 0.3)
WAVEGUIDE, LIGHT = "microwave.waveguide", "optical.out"


def electro_optic(
    C: float,
    side: Sideband = RED,
    quanta: tuple[float, float, float] = (0.01, 0.015, 0.003),
    **more: object,
) -> tuple[ElectroOptic, Pump]:
    device = ElectroOptic(
        OPTICAL,
        MICROWAVE,
        1e-3,
        overlap=0.9,
        microwave_waveguide=Bath(quanta[0]),
        microwave_internal=Bath(quanta[1]),
        optical_bath=Bath(quanta[2]),
        **{"delta_o": 0.4, "delta_e": -0.2, **more},  # type: ignore[arg-type]
    )
    return device, device.pump_for(C, Pump(0.0, sideband=side, detuning=0.15))


def piezo(
    G: float,
    side: Sideband = RED,
    hot: HotBath | None = None,
    laser: float = 0.1,
    gamma: float = 0.25,
    omega: float = 300.0,
    microwave: bool = True,
    n: float = 0.01,
    **more: object,
) -> tuple[PiezoOptomechanical, Pump]:
    """One phonon between light and microwave; G is the coupling of light and phonon."""
    device = PiezoOptomechanical(
        OPTICAL,
        Mode(omega + 0.2, 0.6, 0.25) if microwave else None,
        (Phonon(Oscillator(omega, gamma, Bath(2 * n), hot), 1e-3, 0.3 * np.exp(0.5j)),),
        overlap=0.9,
        microwave_waveguide=Bath(n),
        microwave_internal=Bath(1.5 * n),
        optical_bath=Bath(0.2 * n),
        **more,  # type: ignore[arg-type]
    )
    like = Pump(0.0, sideband=side, detuning=laser)
    photons = (G / 1e-3) ** 2
    power = power_for_photons(device.optical, photons, device.pump_detuning(like), device.overlap)
    return device, replace(like, power=power)


def membrane(omega: float, G_o: float, G_e: float, side: Sideband = RED) -> tuple[Membrane, Pump]:
    optical, microwave = Mode(1e6, 0.7, 0.3), Mode(1e4, 0.5, 0.3)
    drive = Pump(1.0, detuning=0.05)
    device = Membrane(
        optical,
        microwave,
        Oscillator(omega, 0.06, Bath(0.4)),
        1e-3,
        1e-3,
        drive,
        overlap=0.9,
        microwave_waveguide=Bath(0.05),
        microwave_internal=Bath(0.12),
        optical_bath=Bath(0.02),
    )
    per_watt = float(device.microwave_photons)
    device = replace(device, microwave_pump=replace(drive, power=(G_e / 1e-3) ** 2 / per_watt))
    return device, Membrane.pumped_to(device, (G_o / 1e-3) ** 2, Pump(0.0, sideband=side), None)


def made(
    name: str, built: tuple[Device, Pump | None], offsets: tuple[float, ...], **more: object
) -> Case:
    device, pump = built
    return Case(name, device, pump, device.source, device.target, offsets, **more)  # type: ignore[arg-type]


HOT = HotBath(PowerLaw(0.02, 1e5, 0.5, 0.0, 1e9), PowerLaw(0.15, 1e5, 1.0, 0.0, 1e9))
TINY = (1e-4, 2e-4, 5e-5)
STOKES = Mode(9e3, 0.9, 0.5)


def own_equations() -> BlackBox:
    """Two modes of a user's own, detuned, with loss that the ports do not explain."""
    A = np.array([[-1.1 - 0.3j, 0.5 - 0.4j], [-0.5 - 0.4j, -0.8 + 0.2j]])
    K = np.array([[0.9, 0.0], [0.0, 1.1]])
    inside = completed(A, K, (Port("mw", 0.1), Port("light", 0.02)), 0.3)
    return BlackBox(inside, "mw", "light", 1e6, 1.0)


def measured() -> BlackBox:
    """A table of the electro-optic device seen from its two outer ports."""
    device, pump = electro_optic(0.6)
    linear = device.linearise(pump)
    keep = [linear.index(WAVEGUIDE), linear.index(LIGHT)]
    w = np.linspace(-6, 6, 601)
    S = scattering.scatter(linear, w)[:, keep][:, :, keep]
    ports = (Port("mw", 0.1), Port("light", 0.02))
    return BlackBox(Tabulated(w, S, ports, environment=0.05), "mw", "light", 1e6, 1.0)


CASES = [
    made("electro-optic, red", electro_optic(0.6), (0.2, 0.0, -0.9, 2.5), fock=1e-6),
    made("electro-optic, blue", electro_optic(0.08, BLUE), (0.3, 0.0, -0.7), fock=1e-5),
    made(
        "electro-optic with Stokes mode",
        electro_optic(0.3, quanta=TINY, stokes=StokesMode(STOKES, 0.35, 1.4)),
        (-0.2, 0.6),
        fock=1e-4,
    ),
    made(
        "electro-optic with Stokes doublet",
        electro_optic(
            0.04,
            quanta=(2e-5, 4e-5, 1e-5),
            stokes=StokesMode(STOKES, 0.3, 0.3, Partner(Mode(9e3, 0.2, 0.6), 1.2, -0.5)),
        ),
        (-0.2, 0.6),
        fock=1e-3,
    ),
    made(
        "electro-optic with direct path",
        electro_optic(0.9, direct=4e-4 * np.exp(0.8j)),
        (0.1, -1.1),
        fock=1e-6,
    ),
    made(
        "electro-optic, irradiated",
        electro_optic(
            0.7,
            irradiation=Irradiation(
                PowerLaw(0.35, 3e5, 0.6, 0.0, 1e9), PowerLaw(0.5, 3e5, 0.5, 0.0, 1e9)
            ),
        ),
        (-0.3, 0.8),
        fock=1e-6,
    ),
]


def single_mode(side: Sideband) -> tuple[SingleModeElectroOptic, Pump]:
    device = SingleModeElectroOptic(
        OPTICAL,
        Mode(3.0, 0.5, 0.3),
        1e-3,
        0.9,
        Bath(0.002),
        Bath(0.004),
        Bath(0.001),
    )
    return device, device.pump_for(0.04, Pump(0.0, sideband=side, detuning=0.2))


CASES += [
    made("single-mode electro-optic, red", single_mode(RED), (3.0, 2.4), fock=1e-5),
    made("single-mode electro-optic, blue", single_mode(BLUE), (3.0, 3.5), fock=1e-5),
    made("piezo, red", piezo(0.45), (0.15, -0.4), fock=1e-4),
    made("piezo, blue below threshold", piezo(0.05, BLUE, n=2e-4), (-0.1, 0.3), fock=1e-3),
    made("piezo, hot bath", piezo(0.45, hot=HOT, n=2e-3), (0.1, -0.5), fock=1e-4),
    made(
        "piezo, both sidebands",
        piezo(0.5, omega=6.0, n=0.2, counter_rotating=True),
        (6.1, 5.5),
    ),
    made(
        "piezo, both sidebands, blue",
        piezo(0.15, BLUE, omega=6.0, n=0.2, counter_rotating=True),
        (6.0, 6.4),
    ),
    made(
        "piezo with a direct path out of phase",
        piezo(0.45, direct=0.6e-3 * np.exp(1.1j), n=0.3),
        (0.15, -0.4),
        reciprocal=False,
    ),
    made("optomechanical crystal, red", piezo(0.4, microwave=False), (0.1, -0.3), fock=1e-6),
    made(
        "optomechanical crystal, blue", piezo(0.15, BLUE, microwave=False), (-0.1, 0.2), fock=1e-5
    ),
    made("membrane, both sidebands", membrane(2.0, 0.12, 0.1), (2.0, 1.93)),
    made(
        "membrane, rotating wave",
        (lambda pair: (pair[0].in_rotating_wave(), pair[1]))(membrane(12.0, 0.12, 0.1)),
        (0.03, -0.1),
    ),
    made(
        "data sheet",
        (
            Datasheet.from_hz(0.3, 0.02, bandwidth_hz=0.4, repetition_rate=1.0),
            None,
        ),
        (0.2, -1.0),
        timed=False,
    ),
    made("black box, own equations", (own_equations(), None), (0.1, -0.7), timed=False),
    made("black box, measured", (measured(), None), (0.11, -0.7), timed=False),
]


def listed(keep: Callable[[Case], bool]) -> list[object]:
    return [pytest.param(case, id=case.name) for case in CASES if keep(case)]


every = pytest.mark.parametrize("case", listed(lambda c: True))
in_fock_space = pytest.mark.parametrize("case", listed(lambda c: c.fock is not None))
in_time = pytest.mark.parametrize("case", listed(lambda c: c.timed))


def linear_of(case: Case) -> LinearDevice | Tabulated:
    return case.device.linearise(case.pump)


def commutators(linear: LinearDevice | Tabulated, S: np.ndarray) -> np.ndarray:
    inside = np.diag(linear.signature)
    measured_ports = S.shape[-2]
    return np.asarray(
        S @ inside @ np.conj(np.swapaxes(S, -1, -2)) - inside[:measured_ports, :measured_ports]
    )


# --- (a) scattering and master equation ---------------------------------------------------------------


@in_fock_space
def test_the_master_equation_finds_the_efficiency_and_noise_of_the_scattering_matrix(
    case: Case,
) -> None:
    assert case.fock is not None
    w = np.array(case.offsets)
    ours = scattering.convert(linear_of(case), case.source, case.target, w)
    theirs = master_equation.convert(
        case.device.hamiltonian(case.pump),
        case.source,
        case.target,
        w,
        accuracy=case.fock / 5,
    )
    assert theirs.amplitude == pytest.approx(ours.amplitude, rel=case.fock, abs=0)
    assert theirs.efficiency == pytest.approx(ours.efficiency, rel=case.fock, abs=0)
    assert theirs.noise_out == pytest.approx(ours.noise_out, rel=case.fock, abs=case.fock * 1e-4)
    assert np.all(ours.noise_out > 0.01 * case.fock)  # so that the noise is compared at all


@pytest.mark.parametrize("case", listed(lambda c: c.pump is None))
def test_devices_known_from_outside_have_no_hamiltonian(case: Case) -> None:
    with pytest.raises(ValidityError, match="no Hamiltonian"):
        case.device.hamiltonian(case.pump)


# --- (b) scattering and pulse engine ------------------------------------------------------------------


def spectrum(w: np.ndarray, centre: float, fwhm: float, offset: float) -> np.ndarray:
    """int v e^{iwt} dt of a Gaussian packet, in closed form."""
    sigma = fwhm / np.sqrt(8 * np.log(2))
    return np.asarray(
        (8 * np.pi * sigma**2) ** 0.25
        * np.exp(-((sigma * (w - offset)) ** 2) + 1j * centre * (w - offset))
    )


@in_time
def test_a_long_packet_is_converted_and_filled_as_the_spectra_say_in_both_directions(
    case: Case,
) -> None:
    """|int v* S u|^2 and int |v|^2 N_out over frequency, S and N_out from `scattering.convert`.

    Where the equations hold a port's creation operator, its packet stands at minus the offset.
    """
    assert case.pump is not None
    linear = linear_of(case)
    sides = {}
    for port in (case.source, case.target):
        mirrored = linear.ports[linear.index(port)].creation
        offset = -case.offsets[0] if mirrored else case.offsets[0]
        sides[port] = offset
    early = {p: TemporalMode.gaussian(p, 0.0, case.width, o) for p, o in sides.items()}
    late = {p: TemporalMode.gaussian(p, 2.5, case.width, o) for p, o in sides.items()}
    found = respond(
        case.device,
        case.pump,
        [late[case.target], late[case.source]],
        begin=-6 * case.width,
        rtol=1e-8,
    )
    assert np.abs(found.overlaps - np.eye(2)).max() < 1e-9
    for k, (into, out) in enumerate(((case.source, case.target), (case.target, case.source))):
        reach = 8 * np.sqrt(8 * np.log(2)) / case.width
        w = sides[out] + np.linspace(-reach, reach, 801)
        dw = (w[1] - w[0]) / (2 * np.pi)
        by_frequency = scattering.convert(linear, into, out, w)
        v = spectrum(w, 2.5, case.width, sides[out])
        # a creation-type partner contributes the conjugate of its spectrum at -w: the same Gaussian
        u = spectrum(w, 0.0, case.width, sides[out])
        amplitude = np.sum(np.conj(v) * by_frequency.amplitude * u) * dw
        noise = np.sum(np.abs(v) ** 2 * by_frequency.noise_out) * dw
        eta = abs(complex(found.amplitude(early[into], k))) ** 2
        assert eta == pytest.approx(abs(amplitude) ** 2, rel=1e-6, abs=1e-8)
        assert float(found.quanta(k)) == pytest.approx(float(noise), rel=1e-6, abs=1e-8)
        assert eta > 1e-5  # otherwise nothing is compared
    total = sum(float(x) for x in found.budget(0).values())
    assert total == pytest.approx(float(found.quanta(0)), rel=1e-9)


@pytest.mark.parametrize("name", ["electro-optic, red", "piezo, red", "electro-optic, blue"])
def test_longer_packets_tend_to_the_efficiency_at_one_frequency(name: str) -> None:
    """The error falls as the square of the length: slope and curvature of the line."""
    case = next(c for c in CASES if c.name == name)
    assert case.pump is not None
    linear = linear_of(case)
    exact = scattering.convert(linear, case.source, case.target, np.array(case.offsets[:1]))
    errors = []
    for width in (30.0, 60.0):
        mirrored = linear.ports[linear.index(case.source)].creation
        u = TemporalMode.gaussian(
            case.source, 0.0, width, case.offsets[0] * (-1 if mirrored else 1)
        )
        v = TemporalMode.gaussian(case.target, 0.0, width, case.offsets[0])
        found = respond(case.device, case.pump, [v], rtol=1e-8)
        errors.append(abs(complex(found.amplitude(u))) ** 2 / exact.efficiency[0] - 1)
        assert float(found.quanta()) == pytest.approx(float(exact.noise_out[0]), rel=0.03)
    assert abs(errors[0]) < 0.05
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.15)


# --- (c) commutators -----------------------------------------------------------------------------------


@every
def test_commutators_hold_to_rounding_at_every_offset(case: Case) -> None:
    linear = linear_of(case)
    spread = (0.0,) if isinstance(linear, Tabulated) else (0.0, 0.37, -1.9, 40.0)
    for offset in case.offsets:
        for more in spread:
            S = scattering.scatter(linear, np.array(offset + more))
            scale = max(1.0, float(np.abs(S).max()) ** 2)
            assert np.abs(commutators(linear, S)).max() < 1e-12 * scale


# --- (d) noise port by port ----------------------------------------------------------------------------


@every
def test_the_noise_is_the_sum_over_the_ports_and_each_share_answers_to_its_own_bath(
    case: Case,
) -> None:
    """One quantum more at one port adds |S|^2 there and nothing elsewhere."""
    linear = linear_of(case)
    w = np.array(case.offsets)
    found = scattering.convert(linear, case.source, case.target, w)
    assert sum(found.contributions.values()) == pytest.approx(found.noise_out, rel=1e-12, abs=0)
    assert np.all(found.noise_out >= 0)
    if isinstance(linear, Tabulated):
        return
    assert set(found.contributions) == set(linear.names)
    # the doubled covariance of the quadrature engine, where inputs are pairs (N, M)
    other = output_noise(linear, w).occupation(case.target)
    assert found.noise_out == pytest.approx(other, rel=1e-9, abs=1e-13)
    for name in linear.names:
        warmer = replace(
            linear,
            ports=tuple(
                replace(p, occupation=p.occupation + 1.0) if p.name == name else p
                for p in linear.ports
            ),
        )
        now = scattering.convert(warmer, case.source, case.target, w)
        share = now.contributions[name] - found.contributions[name]
        assert now.noise_out - found.noise_out == pytest.approx(share, rel=1e-9, abs=1e-13)
        doubled = sum(p.name == name for p in linear.ports) == 2
        if not doubled and name != case.target:
            through = scattering.convert(linear, name, case.target, w).efficiency
            assert share == pytest.approx(through, rel=1e-9, abs=1e-13)


# --- (e) both directions -------------------------------------------------------------------------------


@every
def test_both_directions_convert_and_are_alike_where_they_must_be(case: Case) -> None:
    """|S_oe| = |S_eo| of two modes with one coupling, of any chain, and of any tree of couplings."""
    linear = linear_of(case)
    w = np.array(case.offsets)
    S = scattering.scatter(linear, w)
    i, j = linear.index(case.target), linear.index(case.source)
    there, back = np.abs(S[..., i, j]), np.abs(S[..., j, i])
    assert np.all(np.isfinite(there))
    assert np.all(np.isfinite(back))
    assert np.all(there > 1e-3)
    # at a creation-type port the offset of its own mode is minus that of the matrix
    forward = scattering.convert(linear, case.source, case.target, w)
    mirrored = linear.ports[j].creation
    backward = scattering.convert(linear, case.target, case.source, -w if mirrored else w)
    assert forward.efficiency == pytest.approx(there**2, rel=1e-12)
    assert backward.efficiency == pytest.approx(back**2, rel=1e-12)
    if case.name == "black box, own equations":
        # its two couplings, .5 - .4i and -.5 - .4i, have one modulus: reciprocal by a choice of phase
        assert there == pytest.approx(back, rel=1e-10)
    if case.reciprocal:
        assert there == pytest.approx(back, rel=1e-9)
    else:
        assert np.all(np.abs(there / back - 1) > 0.05)


def test_two_paths_out_of_phase_convert_unlike_in_the_two_directions_as_three_equations_say() -> (
    None
):
    """The loop light - phonon - microwave - light encloses a phase: by the inverse of a 3 x 3 matrix."""
    case = next(c for c in CASES if not c.reciprocal)
    device = case.device
    assert isinstance(device, PiezoOptomechanical)
    piezo_, direct, G = 0.3 * np.exp(0.5j), 0.6e-3 * 450 * np.exp(1.1j), 0.45
    for w in case.offsets:
        M = np.array(
            [
                [1.0 - 0.1j - 1j * w, 1j * direct, 1j * G],
                [1j * np.conj(direct), 0.425 + 0.2j - 1j * w, 1j * piezo_],
                [1j * G, 1j * np.conj(piezo_), 0.125 - 1j * w],
            ]
        )
        R = np.linalg.inv(M)
        root = np.sqrt(0.81 * 1.3 * 0.6)
        found = scattering.convert(linear_of(case), case.source, case.target, np.array([w]))
        back = scattering.convert(linear_of(case), case.target, case.source, np.array([w]))
        assert found.amplitude[0] == pytest.approx(-root * R[0, 1], rel=1e-9)
        assert back.amplitude[0] == pytest.approx(-root * R[1, 0], rel=1e-9)
    # turned back into phase, both directions are alike
    # G is real: the loop's phase is that of direct times piezo
    flat = replace(device, direct=0.6e-3 * np.exp(-0.5j))
    S = scattering.scatter(flat.linearise(case.pump), np.array(0.15))
    linear = flat.linearise(case.pump)
    i, j = linear.index(case.target), linear.index(case.source)
    turned = abs(S[i, j]) / abs(S[j, i])
    assert turned == pytest.approx(1.0, rel=1e-9)


def test_noise_is_not_the_same_in_the_two_directions_of_a_warm_device() -> None:
    """Efficiency is reciprocal, added noise is not: the microwave's bath leaves by its own port."""
    case = CASES[0]
    linear, w = linear_of(case), np.array(case.offsets)
    there = scattering.convert(linear, case.source, case.target, w)
    back = scattering.convert(linear, case.target, case.source, w)
    assert there.efficiency == pytest.approx(back.efficiency, rel=1e-9)
    assert np.all(np.abs(there.added_noise / back.added_noise - 1) > 0.05)


# --- membrane: full and rotating-wave ------------------------------------------------------------------


def test_a_packet_through_the_full_membrane_is_that_through_the_rotating_wave_one() -> None:
    """kappa/4 omega of 1/48 and G/omega of 1/100: efficiency and noise agree to a per cent, after the spring."""
    full, pump = membrane(12.0, 0.12, 0.1)
    turning = full.in_rotating_wave()
    results = []
    for device, frame in ((full, 12.0), (turning, 0.0)):
        offset = frame + 0.03
        v = TemporalMode.gaussian(device.target, 3.0, 30.0, offset)
        u = TemporalMode.gaussian(device.source, 0.0, 30.0, offset)
        found = respond(device, pump, [v], rtol=1e-7)
        results.append((abs(complex(found.amplitude(u))) ** 2, float(found.quanta())))
    (eta, n), (eta_r, n_r) = results
    assert eta == pytest.approx(eta_r, rel=0.01)
    assert n == pytest.approx(n_r, rel=0.01)
    assert eta != pytest.approx(eta_r, rel=1e-6)  # they are two models
    assert eta > 0.05
