"""L14d, L15, L22h and L23c from the clicks of master equations, against their closed forms."""

from itertools import product

import numpy as np
import pytest
import qutip

from cavities import Mode, Pump, Sideband
from cavities.wavepackets import dephased_visibility
from fibre import Detection, single_click
from fibre.distil import teleported_gate_fidelity
from fibre.herald import Heralded
from fibre.timed import Timed, Watch, herald_timed, on_off, two_rounds
from transducer import ElectroOptic
from transducer.hamiltonian import Channel, Hamiltonian
from transducer.nodes import spin_photon
from transducer.solvers import steady
from transducer.solvers.counting import Counts, emit_clicks, trajectories
from transducer.solvers.operators import operators
from transducer.solvers.start import Start


def spin(alpha: float) -> np.ndarray:
    c = np.array([np.sqrt(1 - alpha), np.sqrt(alpha)])
    return np.outer(c, c)


def gauss(n: int, length: float) -> tuple[np.ndarray, np.ndarray]:
    x, w = np.polynomial.legendre.leggauss(n)
    return length * (x + 1) / 2, length * w / 2


# --- L15 -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rates", "overlap", "eta", "alpha"),
    [
        ((1.0, 1.0), 1.0, (0.6, 0.6), (0.3, 0.3)),
        ((1.0, 1.0), 0.8, (0.6, 0.35), (0.3, 0.15)),
        ((1.5, 0.7), 1.0, (0.45, 0.7), (0.2, 0.4)),
    ],
)
def test_l15_clicks_in_a_long_gate_are_the_herald_that_knows_no_times(
    rates: tuple[float, float],
    overlap: float,
    eta: tuple[float, float],
    alpha: tuple[float, float],
) -> None:
    """Unequal decays overlap by M = 2 sqrt(G1 G2)/(G1 + G2), whatever else they share."""
    length = 22.0 / min(rates)
    a, b = (
        emit_clicks(spin_photon(g), 0.0, length, most=2).source.attenuated(e)
        for g, e in zip(rates, eta, strict=True)
    )
    prepared = (spin(alpha[0]), spin(alpha[1]))
    watch = Watch((0.0, length), overlap=overlap)
    plus, minus = (on_off(a, b, watch, s, prepared, nodes=26) for s in (1, -1))
    z = np.array([1.0, 1.0, -1.0, -1.0])
    found = Heralded(plus.state + z[:, None] * minus.state * z)
    M = overlap * 2 * np.sqrt(rates[0] * rates[1]) / sum(rates)
    expected = single_click(Detection(*eta, overlap=M), *alpha)
    # Gauss points of the inner integral see 22 lifetimes at once, exp(-22) is never emitted
    assert found.probability == pytest.approx(expected.probability, rel=1e-8)
    assert found.fidelity == pytest.approx(expected.fidelity, rel=1e-8)
    assert np.abs(found.state - expected.state).max() < 1e-8
    assert plus.by_number[1] > 1e-3  # two photons on one detector are part of it
    assert plus.remainder < 1e-8
    (p, q), (e, f) = alpha, eta
    two = e * (1 - f) + f * (1 - e) + e * f * (1 + M**2) / 2
    formula = p * (1 - q) * e + q * (1 - p) * f + p * q * two
    assert found.probability == pytest.approx(formula, rel=1e-8)
    good = (p * (1 - q) * e + q * (1 - p) * f) / 2 + M * np.sqrt(p * (1 - p) * q * (1 - q) * e * f)
    assert found.fidelity == pytest.approx(good / formula, rel=1e-8)


# --- L14d ------------------------------------------------------------------------------------------------


def test_l14d_two_photons_of_dephased_emitters_meet_with_their_hong_ou_mandel_visibility() -> None:
    """Both emitters bright, two clicks in one round: P(same detector) = (1 + V)/2."""
    rate, dephasing, eta, length = 1.0, 0.35, (0.7, 0.4), 22.0
    node = spin_photon(rate, dephasing=dephasing)
    a, b = (emit_clicks(node, 0.0, length, most=2).source.attenuated(e) for e in eta)
    both = (spin(1.0), spin(1.0))
    same = sum(on_off(a, b, Watch((0.0, length)), s, both, nodes=26).by_number[1] for s in (1, -1))
    V = dephased_visibility(rate, dephasing)
    assert pytest.approx(rate / (rate + 2 * dephasing)) == V
    assert same == pytest.approx(eta[0] * eta[1] * (1 + V) / 2, rel=1e-8)


def test_l14d_two_rounds_of_dephased_emitters_lose_a_visibility_in_each_round() -> None:
    r"""Each click ends a coherence of both emitters, :math:`\int\Gamma e^{-\Gamma t-2\gamma t}dt`.

    The photons of one round never meet those of the other: their phases are forgotten from one
    excitation to its own click, V in each round, and F = (1 + V^2)/2.
    """
    rate, dephasing, eta, length = 1.0, 0.15, (0.7, 0.4), 22.0
    node = spin_photon(rate, dephasing=dephasing)
    a, b = (emit_clicks(node, 0.0, length).source.attenuated(e) for e in eta)
    t, w = gauss(26, length)
    first, second = (x.ravel() for x in np.meshgrid(t, t, indexing="ij"))
    half = (spin(0.5), spin(0.5))
    same, other = (
        sum(two_rounds(a, b, (first, second), Watch((0.0, length)), s, half) for s in pairs)
        for pairs in (((1, 1), (-1, -1)), ((1, -1), (-1, 1)))
    )
    pair = Timed(first, same, other, 0.0).summed(np.outer(w, w).ravel())
    V = dephased_visibility(rate, dephasing)
    assert pair.probability == pytest.approx(eta[0] * eta[1] / 2, rel=1e-8)
    assert pair.fidelity == pytest.approx((1 + V**2) / 2, abs=1e-8)
    # an emitter that dephases against one that does not: its phase alone is lost, once
    quiet = emit_clicks(spin_photon(rate), 0.0, length).source.attenuated(eta[1])
    times, weights = gauss(40, length)
    click = herald_timed(a, quiet, times, Watch((0.0, length)), half).summed(weights)
    expected = 0.25 * np.sqrt(eta[0] * eta[1]) * rate / (rate + dephasing)
    assert click.state[1, 2] == pytest.approx(expected, rel=1e-8)


# --- L22h ------------------------------------------------------------------------------------------------


WINDOW, RUNS = (20.0, 120.0), 1500
PAIRS = ElectroOptic(Mode(1e6, 0.7, 0.3), Mode(1e4, 0.25, 0.15), 1e-3)
PUMP = PAIRS.pump_for(0.15, Pump(0.0, sideband=Sideband.BLUE))


def pair_model() -> tuple[Hamiltonian, dict[str, int]]:
    return PAIRS.hamiltonian(PUMP), {"optical": 5, "microwave": 6}


@pytest.fixture(scope="module")
def counted() -> tuple[Counts, dict[str, float], float]:
    """Trajectories of a pair source, its fluxes by the master equation and by linear theory."""
    model, levels = pair_model()
    known = {c.name: c for c in model.channels if c.kappa > 0}
    ports = tuple(known)[:3]
    found = trajectories(model, Start(), ports, WINDOW, levels, RUNS, seed=11)
    H, c_ops, a = operators(model, levels)
    rho = qutip.steadystate(H, c_ops)
    flux = {}
    for name in ports:
        L = sum(u * a[m] for m, u in known[name].amplitudes)
        flux[name] = qutip.expect(L.dag() * L, rho)
    linear = steady.fluxes(PAIRS.linearise(PUMP))
    return found, flux, max(abs(float(linear[p]) / flux[p] - 1) for p in ports)


@pytest.mark.slow
def test_l22h_trajectories_click_at_the_flux_of_the_steady_state(
    counted: tuple[Counts, dict[str, float], float],
) -> None:
    found, flux, gap = counted
    assert gap < 1e-3  # six levels hold the source: linear theory agrees
    assert len(set(np.round(list(flux.values()), 6))) == 3  # no port can stand for another
    for name, expected in flux.items():
        mean, error = found.rate(name)
        time = RUNS * (WINDOW[1] - WINDOW[0])
        # bunched counts scatter more than a Poisson process does, but not much
        poisson = np.sqrt(expected / time)
        assert 0.9 * poisson < error < 2 * poisson
        assert abs(mean - expected) < 4 * error, name
    for run in found.times:
        for times in run:
            assert np.all((times >= WINDOW[0]) & (times <= WINDOW[1]))


@pytest.mark.slow
def test_l22h_every_photon_has_a_partner_in_the_other_mode(
    counted: tuple[Counts, dict[str, float], float],
) -> None:
    found, _, _ = counted
    light, wave = (found.numbers(found.ports[k]) for k in (0, 2))
    assert found.ports[0].startswith("optical")
    assert found.ports[2].startswith("microwave")
    # of a pair, 0.7 and 0.25/0.4 reach these two ports; counts of one mode alone would be at 0
    assert np.corrcoef(light, wave)[0, 1] > 0.6


@pytest.mark.slow
def test_l22h_light_of_one_half_of_the_pairs_bunches_as_thermal_light_of_its_coherence(
    counted: tuple[Counts, dict[str, float], float],
) -> None:
    r"""Gaussian light in a long window, :math:`F=1+2\kappa\int_0^\infty|G(\tau)|^2d\tau/n`."""
    found, flux, _ = counted
    model, levels = pair_model()
    H, c_ops, a = operators(model, levels)
    times = np.linspace(0.0, 60.0, 2401)
    G = qutip.correlation_2op_1t(H, None, times, c_ops, a["optical"].dag(), a["optical"])
    kappa, n = model.channel("optical.out").kappa, float(np.real(G[0]))
    assert kappa * n == pytest.approx(flux["optical.out"], rel=1e-6)
    square = np.abs(G) ** 2
    integral, lag = np.trapezoid(square, times), np.trapezoid(square * times, times)
    length = WINDOW[1] - WINDOW[0]
    expected = 1 + 2 * kappa / n * (integral - lag / length)  # fewer partners near the edges
    counts = found.numbers("optical.out")
    error = np.std((counts - counts.mean()) ** 2) / np.sqrt(RUNS) / counts.mean()
    assert abs(found.fano("optical.out") - expected) < 4 * error
    assert expected > 1 + 4 * error  # independent clicks would be seen to be something else


def test_l22h_two_ports_of_equal_rates_are_told_apart() -> None:
    """One photon leaves a critically coupled cavity by either port, never by both."""
    ports = ("out", "int")
    model = Hamiltonian(("light",), (), tuple(Channel(p, (("light", 1.0),), 0.0) for p in ports))
    runs = 600
    found = trajectories(model, Start.fock(light=1), ports, (0.0, 12.0), {"light": 2}, runs, 5)
    one, two = (found.numbers(p) for p in ports)
    assert np.array_equal(one + two, np.ones(runs))  # exp(-24) is left after twelve units
    assert abs(one.mean() - 0.5) < 4 * 0.5 / np.sqrt(runs)


# --- L23c ------------------------------------------------------------------------------------------------

X, Y, Z = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1.0, -1.0])
PSI = np.array([0, 1, 1, 0]) / np.sqrt(2)


def heralded_pair() -> np.ndarray:
    """Two unlike emitters, one click at a known time, unlike arms and a dark count now and then."""
    a = emit_clicks(spin_photon(1.0, dephasing=0.1, lost=0.2), 0.0, 8.0).source.attenuated(0.4)
    b = emit_clicks(spin_photon(0.8, detuning=0.2), 0.0, 8.0).source.attenuated(0.5).rotated(0.3)
    found = herald_timed(
        a, b, np.array([0.6]), Watch((0.0, 8.0), 2e-3, overlap=0.95), (spin(0.1), spin(0.08))
    )
    state = found.corrected(0.0).plus[0]
    return state / np.trace(state).real


def bilateral_cliffords() -> list[np.ndarray]:
    """Twelve local rotations that keep Psi+: the even permutations of the axes and their signs."""
    turn = (np.eye(2) - 1j * (X + Y + Z)) / 2  # X -> Y -> Z
    axes = [np.linalg.matrix_power(turn, k) for k in range(3)]
    group = [axis @ pauli for axis, pauli in product(axes, (np.eye(2), X, Y, Z))]
    # of the singlet u x u; Psi+ = (Z x 1) singlet
    return [np.kron(Z @ u @ Z, u) for u in group]


def teleported_cnot(pair: np.ndarray) -> np.ndarray:
    """Choi state of a CNOT between two nodes that share `pair`: local gates, two measurements.

    Qubits: reference and control at node A, its half of the pair, the other half, target and
    reference at node B.
    """
    pair = np.kron(np.eye(2), X) @ pair @ np.kron(np.eye(2), X)  # Psi+ to Phi+
    n = 6
    bell = np.array([1, 0, 0, 1]) / np.sqrt(2)
    ends = np.outer(bell, bell)
    rho = np.kron(np.kron(ends, pair), ends).astype(complex)

    def gate(u: np.ndarray, *qubits: int) -> np.ndarray:
        k = len(qubits)
        order = [*qubits, *(q for q in range(n) if q not in qubits)]
        full = np.kron(u, np.eye(2 ** (n - k))).reshape((2,) * (2 * n))
        back = np.argsort(order)
        return full.transpose([*back, *(n + back)]).reshape(2**n, 2**n)

    cnot = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]])
    hadamard = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
    before = gate(cnot, 1, 2)
    rho = before @ rho @ before.T
    total = np.zeros_like(rho)
    for m in (0, 1):  # Z of A's half: flip B's half
        project = gate(np.diag([1.0 - m, m]), 2)
        fix = gate(X, 3) if m else np.eye(2**n)
        step = gate(hadamard, 3) @ gate(cnot, 3, 4) @ fix @ project
        middle = step @ rho @ step.conj().T
        for k in (0, 1):  # X of B's half: a Z on the control
            last = gate(np.diag([1.0 - k, k]), 3)
            last = (gate(Z, 1) if k else np.eye(2**n)) @ last
            total += last @ middle @ last.conj().T
    tensor = total.reshape((2,) * 12)
    return np.einsum("abijcdefijgh->abcdefgh", tensor).reshape(16, 16)


def process_fidelity(pair: np.ndarray) -> float:
    bell = np.array([1, 0, 0, 1]) / np.sqrt(2)
    cnot = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]])
    middle = np.kron(np.kron(np.eye(2), cnot), np.eye(2))
    ideal = middle @ np.kron(bell, bell)
    return float(np.real(ideal.conj() @ teleported_cnot(pair) @ ideal))


def test_l23c_a_cnot_through_a_heralded_pair_has_the_pairs_fidelity() -> None:
    pair = heralded_pair()
    F = float(np.real(PSI @ pair @ PSI))
    assert 0.6 < F < 0.95
    twirled = sum(u @ pair @ u.conj().T for u in bilateral_cliffords()) / 12
    werner = F * np.outer(PSI, PSI) + (1 - F) / 3 * (np.eye(4) - np.outer(PSI, PSI))
    assert np.abs(twirled - werner).max() < 1e-12
    assert np.abs(pair - werner).max() > 0.02
    paulis = [np.kron(p, p) for p in (np.eye(2), X, Y, Z)]
    diagonal = sum(p @ pair @ p.conj().T for p in paulis) / 4
    assert np.abs(diagonal - werner).max() > 1e-3
    for state in (twirled, diagonal):
        assert np.trace(teleported_cnot(state)).real == pytest.approx(1.0, abs=1e-12)
        assert process_fidelity(state) == pytest.approx(F, abs=1e-12)
    assert teleported_gate_fidelity(F) == pytest.approx((4 * F + 1) / 5, rel=1e-12)


def test_l23c_the_average_over_inputs_is_four_fifths_of_the_process_and_a_fifth() -> None:
    """Pure product and entangled inputs of a two-design: all 36 products of Pauli states and more."""
    pair = heralded_pair()
    twirled = sum(u @ pair @ u.conj().T for u in bilateral_cliffords()) / 12
    choi = teleported_cnot(twirled).reshape((2,) * 8)
    F = process_fidelity(twirled)
    cnot = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]])
    rng = np.random.default_rng(3)
    total, square, runs = 0.0, 0.0, 4000
    for _ in range(runs):
        psi = rng.normal(size=4) + 1j * rng.normal(size=4)
        psi /= np.linalg.norm(psi)
        x = psi.reshape(2, 2)
        # references projected on psi*: rho_out = 4 <psi*| choi |psi*>
        out = 4 * np.einsum("rs,rctsRCTS,RS->ctCT", x, choi, x.conj()).reshape(4, 4)
        want = cnot @ psi
        value = float(np.real(want.conj() @ out @ want))
        total, square = total + value, square + value**2
    mean = total / runs
    error = np.sqrt((square / runs - mean**2) / runs)
    assert abs(mean - (4 * F + 1) / 5) < 4 * error
    assert error < 0.01 * (1 - F)  # sharp enough to tell (4F + 1)/5 from F
