"""Builders of nodes: what they emit and keep, against closed forms and plain QuTiP."""

from dataclasses import replace

import numpy as np
import pytest
import qutip
from scipy.integrate import solve_ivp
from scipy.special import erfc

from cavities import ParameterError
from cavities.wavepackets import TemporalMode
from fibre.memory import Memory
from transducer.hamiltonian import (
    Channel,
    Hamiltonian,
    Jump,
    Ladder,
    Modulation,
    Polynomial,
    Term,
    Transition,
    lowering,
    number,
    transition,
)
from transducer.nodes import (
    Node,
    Transmon,
    filtered,
    pair_source,
    resting,
    spin_photon,
    through,
    time_bin,
    transmon_resonator,
    under_light,
    with_memory_cavity,
)
from transducer.solvers.itinerant import captured, outgoing
from transducer.solvers.reduced import evolve

AGREE = 1e-7
"""The integrator works at 1e-8 relative to the state."""
ALWAYS = Modulation(lambda t: 1.0, (), True)


def converter(
    g: complex = 0.5 * np.exp(0.3j), delta: float = 0.2, warm: float = 0.0, blue: bool = False
) -> Hamiltonian:
    term = Term(g, (Ladder("light", True), Ladder("microwave", blue)))
    return Hamiltonian(
        ("light", "microwave"),
        (term, term.adjoint(), Term(delta, (Ladder("light", True), Ladder("light")))),
        (
            Channel("light.out", (("light", np.sqrt(1.4)),), 0.0),
            Channel("light.int", (("light", np.sqrt(0.6)),), 0.0),
            Channel("microwave.port", (("microwave", np.sqrt(0.9)),), 0.0),
            Channel("microwave.int", (("microwave", np.sqrt(0.5)),), warm),
        ),
        ("rotating wave of the converter",),
    )


def mesolve(
    H: object, rho: qutip.Qobj, times: np.ndarray, c_ops: list, e_ops: list
) -> tuple[np.ndarray, qutip.Qobj]:
    options = {"method": "vern7", "rtol": 1e-10, "atol": 1e-12, "nsteps": 10**6}
    options |= {"progress_bar": "", "store_final_state": True, "normalize_output": False}
    options |= {"max_step": (times[-1] - times[0]) / 50}
    found = qutip.mesolve(H, rho, times, c_ops, e_ops=e_ops, options=options)
    return np.array(found.expect), found.final_state


# --- spins -----------------------------------------------------------------------------------------------


def test_a_spin_and_its_emitter_decay_dephase_and_turn_as_written() -> None:
    alpha, rate, lost, dephasing, detuning = 0.3, 1.1, 0.35, 0.2, 0.7
    store = Memory(6.0, 4.0)
    node = spin_photon(rate, store=store, lost=lost, dephasing=dephasing, detuning=detuning)
    times = np.array([0.0, 0.6, 1.7])
    both: Polynomial = (Term(1.0, (Transition("spin", 0, 1), Ladder("emitter"))),)
    flipped: Polynomial = (Term(1.0, (Transition("spin", 1, 0), Ladder("emitter"))),)
    asked = {
        "emitter": number("emitter"),
        "spin": number("spin"),
        "coherence": both,
        "other": flipped,
    }
    found = evolve(node.model, node.bright(alpha), times, asked).values
    assert found["emitter"] == pytest.approx(alpha * np.exp(-(rate + lost) * times), abs=AGREE)
    assert found["spin"] == pytest.approx(alpha * np.exp(-times / store.T1), abs=AGREE)
    # Tr(|0><1| x |0><1| rho) = <1 1|rho|0 0>
    decay = (rate + lost) / 2 + dephasing + 1 / store.T2 + 1j * detuning
    expected = np.sqrt(alpha * (1 - alpha)) * np.exp(-decay * times)
    assert found["coherence"] == pytest.approx(expected, abs=AGREE)
    assert np.abs(found["other"]).max() < 1e-12


def test_the_lost_photon_leaves_by_a_port_of_its_own() -> None:
    node = spin_photon(1.1, lost=0.35)
    rates = {c.name: c.kappa for c in node.model.channels}
    assert rates == pytest.approx({"emission": 1.1, "emitter.lost": 0.35})
    assert (node.memory, node.port) == (("spin",), "emission")
    assert "instantaneous excitation of the emitter" in node.model.approximations


def test_a_warm_port_excites_the_emitter_of_a_spin() -> None:
    rate, n = 1.1, 0.4
    node = spin_photon(rate, occupation=n)
    times = np.array([0.0, 0.5, 2.0])
    found = evolve(node.model, node.start(1, 0), times, {"e": number("emitter")}).values["e"]
    fast = rate * (1 + 2 * n)
    assert found == pytest.approx(n / (1 + 2 * n) * (1 - np.exp(-fast * times)), abs=AGREE)


def test_a_packet_leaves_the_emitter_as_its_integral_says_and_comes_out_in_its_shape() -> None:
    packet = TemporalMode.gaussian("emission", 3.0, 1.3, offset=0.4, chirp=0.3)
    node = spin_photon(7.0, packet=packet)  # the rate is not used
    times = np.array([packet.span[0], 2.2, 3.0, 3.9])
    found = evolve(node.model, node.start(0, 1), times, {"e": number("emitter")}).values["e"]
    sigma = 1.3 / np.sqrt(8 * np.log(2))
    assert found[1:] == pytest.approx(erfc((times[1:] - 3.0) / sigma / np.sqrt(2)) / 2, abs=AGREE)
    out = captured(node.model, node.start(0, 1), "emission", packet, levels={"out": 2})
    assert out.state[1, 1].real == pytest.approx(1.0, abs=1e-6)
    mirrored = TemporalMode.gaussian("emission", 3.0, 1.3, offset=-0.4, chirp=0.3)
    wrong = captured(node.model, node.start(0, 1), "emission", mirrored, levels={"out": 2})
    # the overlap of two Gaussian packets 0.8 rad/s apart: exp(-(0.8 sigma)^2)
    assert wrong.state[1, 1].real == pytest.approx(np.exp(-((0.8 * sigma) ** 2)), abs=1e-6)


@pytest.mark.parametrize(("T1", "T2"), [(3.0, 2.2), (3.0, 6.0), (1.4, 0.3)])
def test_a_store_relaxes_in_T1_and_dephases_in_T2(T1: float, T2: float) -> None:
    node = spin_photon(1.0, store=Memory(T1, T2))
    times = np.array([0.0, 0.8, 2.5])
    asked = {"up": number("spin"), "coherence": lowering("spin")}
    dark = node.start(1, 0)
    start = replace(dark, ket=((0.6, ()), (0.8j, (("spin", 1),))))
    found = evolve(node.model, start, times, asked).values
    assert found["up"] == pytest.approx(0.64 * np.exp(-times / T1), abs=AGREE)
    assert found["coherence"] == pytest.approx(0.48j * np.exp(-times / T2), abs=AGREE)


def test_a_store_at_twice_T1_has_no_dephasing_and_none_is_perfect() -> None:
    assert resting("spin", None) == ()
    assert [j.name for j in resting("spin", Memory(2.0, 4.0))] == ["relaxation of spin"]
    assert len(resting("spin", Memory(2.0, 3.9))) == 2


def test_pump_light_shortens_a_memory_only_while_it_is_on() -> None:
    T1, extra, on, off, root = 5.0, 0.9, 1.0, 2.5, 0.7
    lit = Modulation(lambda t: root if on < t < off else 0.0, (on, off), True)
    node = under_light(spin_photon(1.0, store=Memory(T1, 2 * T1)), "spin", extra, lit)
    times = np.array([0.0, 0.9, 1.8, 2.5, 4.0])
    found = evolve(node.model, node.start(0, 1), times, {"s": number("spin")}).values["s"]
    light = np.clip(times, on, off) - on  # root of the power, squared
    expected = np.exp(-times / T1 - extra * root**2 * light)
    assert found == pytest.approx(expected, abs=AGREE)


def test_light_that_does_no_harm_changes_nothing() -> None:
    plain = spin_photon(1.0, store=Memory(5.0, 7.0))
    times = np.array([0.0, 1.3])
    asked = {"s": number("spin")}
    lit = under_light(plain, "spin", 0.0, ALWAYS)
    one, two = (evolve(n.model, n.start(0.6, 0.8), times, asked).values["s"] for n in (plain, lit))
    assert two == pytest.approx(one, abs=AGREE)


# --- transmons -------------------------------------------------------------------------------------------


def pulse(t: float) -> float:
    return float(np.exp(-(((t - 2.0) / 0.9) ** 2)))


def test_a_raman_emission_is_that_of_a_master_equation_written_by_hand() -> None:
    g, kappa, inner, T1, Tphi, delta, K = 1.1, 1.3, 0.4, 12.0, 9.0, 0.3, -1.7
    transmon = Transmon(3, delta, K, T1, Tphi)
    node = transmon_resonator(transmon, Modulation(pulse, (), True), g, kappa, kappa_int=inner)
    start = node.start(0.6, 0.8j)
    x, w = np.polynomial.legendre.leggauss(40)
    inside, weights = 4 * (x + 1), 4 * w
    times = np.array([0.0, *inside, 8.0])
    asked = {"n": number("resonator")}
    asked |= {f"p{k}": transition("transmon", k, k) for k in range(3)}
    asked["dark"] = (Term(1.0, (Transition("transmon", 1, 2),)),)
    levels = {"resonator": 3}
    found = evolve(node.model, start, times, asked, levels=levels)

    q, r = (
        qutip.tensor(qutip.destroy(3), qutip.qeye(3)),
        qutip.tensor(qutip.qeye(3), qutip.destroy(3)),
    )
    level = [qutip.tensor(qutip.basis(3, k), qutip.qeye(3)) for k in range(3)]
    drop = r.dag() * level[0] * level[2].dag()
    H = delta * q.dag() * q + K / 2 * q.dag() ** 2 * q**2
    H = qutip.QobjEvo([H, [g * (drop + drop.dag()), pulse]])
    c_ops = [np.sqrt(kappa + inner) * r, np.sqrt(1 / T1) * q, np.sqrt(2 / Tphi) * q.dag() * q]
    psi = 0.6 * qutip.basis([3, 3], [1, 0]) + 0.8j * qutip.basis([3, 3], [2, 0])
    e_ops = [r.dag() * r, *(k * k.dag() for k in level), level[1] * level[2].dag()]
    brute, _ = mesolve(H, psi.proj(), times, c_ops, e_ops)
    for name, values in zip(("n", "p0", "p1", "p2", "dark"), brute, strict=True):
        assert found.values[name] == pytest.approx(values, abs=AGREE), name
    photon = kappa * float(weights @ found.values["n"][1:-1].real)
    assert photon == pytest.approx(kappa * float(weights @ brute[0, 1:-1].real), abs=AGREE)
    assert 0.2 < photon < 0.64 * kappa / (kappa + inner)
    # |1> stays but for its own decay, |2> has fallen; both feed |0>
    left = [found.values[f"p{k}"][-1].real for k in range(3)]
    assert sum(left) == pytest.approx(1.0, abs=1e-9)
    assert left[2] < 0.1 < left[1] < 0.36 < left[0]


def test_a_raman_emission_without_losses_ends_in_the_ground_state_beside_its_photon() -> None:
    kappa = 1.3
    node = transmon_resonator(Transmon(3), Modulation(pulse, (), True), 1.1, kappa)
    x, w = np.polynomial.legendre.leggauss(60)
    times, weights = np.array([0.0, *(6 * (x + 1)), 12.0]), 6 * w
    asked = {"n": number("resonator"), "up": transition("transmon", 2, 2)}
    found = evolve(node.model, node.start(0, 1), times, asked, levels={"resonator": 2}).values
    photon = kappa * float(weights @ found["n"][1:-1].real)
    rest = found["n"][-1].real + found["up"][-1].real
    assert photon + rest == pytest.approx(1.0, abs=AGREE)
    assert photon > 0.9
    dark = evolve(node.model, node.start(1, 0), times, asked, levels={"resonator": 2}).values
    assert np.abs(dark["n"]).max() < 1e-12


@pytest.mark.parametrize("accuracy", [1e-6, 1e-8])
def test_a_pulse_that_comes_late_is_not_stepped_into_from_before_its_breaks(
    accuracy: float,
) -> None:
    """Nothing moves for a long time: steps grow, and must end where the pulse begins."""

    def shot(centre: float) -> float:
        shape = Modulation(
            lambda t: float(np.exp(-((t - centre) ** 2))), (centre - 4, centre + 4), True
        )
        node = transmon_resonator(Transmon(3), shape, 1.5, 2.0)
        found = evolve(
            node.model,
            node.start(0, 1),
            np.array([0.0, centre - 4.0, centre + 9.0]),
            {"up": transition("transmon", 2, 2)},
            levels={"resonator": 2},
            accuracy=accuracy,
        ).values["up"]
        assert found[1].real == pytest.approx(1.0, abs=AGREE)
        return float(found[2].real)

    early, late = shot(5.0), shot(50.0)
    assert late == pytest.approx(early, abs=AGREE)
    assert 0.01 < early < 0.05


def test_a_transmon_of_three_levels_feels_its_anharmonicity_in_a_warm_resonator() -> None:
    g, kappa, inner, warm, delta, K = 0.8, 0.9, 0.3, 0.35, 0.2, -1.5
    d = 4

    def made(anharmonicity: float) -> Node:
        transmon = Transmon(3, delta, anharmonicity, T1=15.0)
        shape = Modulation(pulse, (), True)
        return transmon_resonator(
            transmon, shape, g, kappa, kappa_int=inner, occupation=warm, raman=False
        )

    node = made(K)
    times = np.array([0.0, 1.5, 2.8, 5.0])
    asked = {"n": number("resonator"), "one": transition("transmon", 1, 1)}
    asked |= {"two": transition("transmon", 2, 2), "a": lowering("transmon")}
    start = node.start(0.8, -0.6j)
    found = evolve(node.model, start, times, asked, levels={"resonator": d}).values

    q, r = (
        qutip.tensor(qutip.destroy(3), qutip.qeye(d)),
        qutip.tensor(qutip.qeye(3), qutip.destroy(d)),
    )
    H = qutip.QobjEvo(
        [
            delta * q.dag() * q + K / 2 * q.dag() * q.dag() * q * q,
            [g * (r.dag() * q + r * q.dag()), pulse],
        ]
    )
    total = kappa + inner
    c_ops = [np.sqrt(total * (warm + 1)) * r, np.sqrt(total * warm) * r.dag(), q / np.sqrt(15.0)]
    level = [qutip.tensor(qutip.basis(3, k).proj(), qutip.qeye(d)) for k in range(3)]
    psi = 0.8 * qutip.basis([3, d], [0, 0]) - 0.6j * qutip.basis([3, d], [1, 0])
    brute, _ = mesolve(H, psi.proj(), times, c_ops, [r.dag() * r, level[1], level[2], q])
    for name, values in zip(("n", "one", "two", "a"), brute, strict=True):
        assert found[name] == pytest.approx(values, abs=AGREE), name
    assert found["two"].real.max() > 0.01
    harmonic = evolve(made(0.0).model, start, times, asked, levels={"resonator": d}).values
    assert np.abs(harmonic["two"] - found["two"]).max() > 1e-3


def test_two_levels_have_no_anharmonicity_and_infinite_times_no_jumps() -> None:
    assert len(Transmon(2, 0.3, -1.0).terms("q")) == 1
    assert len(Transmon(3, 0.3, -1.0).terms("q")) == 2
    assert Transmon().jumps("q") == ()
    assert [j.name for j in Transmon(T1=1.0, Tphi=2.0).jumps("q")] == [
        "relaxation of q",
        "dephasing of q",
    ]


# --- time bins -------------------------------------------------------------------------------------------

EARLY = TemporalMode.gaussian("emission", 4.0, 1.2, offset=0.3)
LATE = TemporalMode.gaussian("emission", 16.0, 1.6, chirp=0.2)


def test_a_photon_is_early_where_the_spin_is_dark_and_late_where_it_is_bright() -> None:
    node = time_bin(EARLY, LATE)
    begin, end = EARLY.span[0], LATE.span[1]
    for spin, packet, expected in (
        (0, EARLY, 1.0),
        (1, EARLY, 0.0),
        (0, LATE, 0.0),
        (1, LATE, 1.0),
    ):
        start = node.start(1 - spin, spin)
        out = captured(
            node.model, start, "emission", packet, begin=begin, end=end, levels={"out": 2}
        )
        # the virtual cavities leave out 1e-9 of a packet, its root in amplitude
        assert out.state[1, 1].real == pytest.approx(expected, abs=1e-6)


def test_the_spin_is_entangled_with_the_bin_of_its_photon() -> None:
    node = time_bin(EARLY, LATE, Memory(400.0, 300.0))
    model = outgoing(outgoing(node.model, "emission", EARLY, "one"), "emission", LATE, "two")
    begin, end = EARLY.span[0], LATE.span[1]
    found = evolve(
        model,
        node.start(np.sqrt(0.5), np.sqrt(0.5)),
        np.array([begin, end]),
        {},
        kept=("spin", "one", "two"),
        levels={"one": 2, "two": 2},
    )
    rho = found.state.reshape((2,) * 6)
    time = end - begin
    assert rho[0, 1, 0, 1, 0, 1] == pytest.approx(0.5 * np.exp(-time / 300), abs=1e-6)
    early = rho[0, 1, 0, 0, 1, 0].real  # relaxation of the other half brings no early photon
    assert early == pytest.approx(0.5, abs=1e-6)
    assert rho[1, 0, 1, 1, 0, 1].real == pytest.approx(0.5 * np.exp(-time / 400), abs=1e-6)
    assert np.abs(rho[:, 1, 1]).max() < 1e-8


# --- memory cavities -------------------------------------------------------------------------------------


def emitter_mode(kappa: float) -> Node:
    model = Hamiltonian(("wave",), (), (Channel("out", (("wave", np.sqrt(kappa)),), 0.0),))
    return Node(model, ("wave",), ((), (("wave", 1),)), "out")


def test_l10g_a_swap_into_a_lossy_memory_cavity_ends_with_its_closed_form() -> None:
    g, k1, k2 = 1.0, 0.1, 0.03
    node = with_memory_cavity(emitter_mode(k1), "wave", ALWAYS, g, kappa=k2)
    assert node.memory == ("cavity",)
    omega = np.sqrt(g**2 - ((k1 - k2) / 4) ** 2)
    t = np.pi / 2 / omega
    asked = {"n": number("cavity"), "left": number("wave")}
    found = evolve(node.model, node.start(0, 1), np.array([0.0, t]), asked).values
    expected = (g / omega) ** 2 * np.exp(-(k1 + k2) * t / 2)
    assert expected == pytest.approx(0.903200148, abs=1e-9)
    assert found["n"][1].real == pytest.approx(expected, abs=AGREE)
    # what stays behind is k1 - k2 of a quarter turn
    stays = ((k1 - k2) / 4 / omega) ** 2 * np.exp(-(k1 + k2) * t / 2)
    assert found["left"][1].real == pytest.approx(stays, abs=AGREE)


def test_a_memory_cavity_dephases_warms_up_and_swaps_only_while_it_is_coupled() -> None:
    off = Modulation(lambda t: 1.0 if t < 0.4 else 0.0, (0.4,), True)
    kappa, dephasing, warm = 0.2, 0.15, 0.3
    node = with_memory_cavity(
        emitter_mode(0.5), "wave", off, 0.9, kappa=kappa, dephasing=dephasing, occupation=warm
    )
    asked = {"n": number("cavity"), "a": lowering("cavity")}
    times = np.array([0.0, 0.4, 2.9])
    levels = {"wave": 8, "cavity": 9}
    found = evolve(node.model, node.start(0.6, 0.8), times, asked, levels=levels).values
    wait = times[2] - times[1]
    n, a = found["n"].real, found["a"]
    # nine levels hold a cavity of a third of a quantum to 1e-5
    assert n[2] == pytest.approx(warm + (n[1] - warm) * np.exp(-kappa * wait), abs=3e-5)
    assert a[2] == pytest.approx(a[1] * np.exp(-(kappa / 2 + dephasing) * wait), abs=3e-5)
    assert abs(a[1]) > 0.1


# --- behind a transducer ---------------------------------------------------------------------------------


def test_a_path_splits_what_is_emitted_into_what_arrives_and_what_is_lost() -> None:
    rate, eta = 1.3, 0.7
    node = through(spin_photon(rate), converter(), "microwave.port", "light.out", eta)
    rates = {c.name: c.rate("emitter") for c in node.model.channels}
    assert rates["microwave.port"] == pytest.approx(eta * rate)
    assert rates["emission.path"] == pytest.approx((1 - eta) * rate)
    assert sum(rates.values()) == pytest.approx(rate)
    assert node.port == "light.out"
    times = np.array([0.0, 0.7, 1.9])
    found = evolve(node.model, node.start(0, 1), times, {"e": number("emitter")}).values["e"]
    assert found == pytest.approx(np.exp(-rate * times), abs=AGREE)  # nothing travels back
    whole = through(spin_photon(rate), converter(), "microwave.port", "light.out")
    assert "emission.path" not in [c.name for c in whole.model.channels]
    said = node.model.approximations
    assert said == (
        "rotating wave of the converter",
        "instantaneous excitation of the emitter",
    )


def test_the_lossy_path_brings_in_the_bath_of_the_port_it_leads_to() -> None:
    device = converter()
    warmer = replace(
        device,
        channels=tuple(
            replace(c, occupation=0.25) if c.name == "microwave.port" else c
            for c in device.channels
        ),
    )
    node = through(spin_photon(1.0), warmer, "microwave.port", "light.out", 0.7)
    assert node.model.channel("emission.path").occupation == 0.25
    assert node.model.channel("microwave.port").occupation == 0.25
    # the emitter sees one bath, however the path divides it
    times = np.array([0.0, 40.0])
    levels = {"light": 2, "microwave": 2}
    found = evolve(node.model, node.start(1, 0), times, {"e": number("emitter")}, levels=levels)
    assert found.values["e"][1].real == pytest.approx(0.25 / 1.5, abs=AGREE)


def test_jumps_of_the_device_and_of_the_node_both_go_on_behind_a_path() -> None:
    """A converter whose light dephases by itself, behind a spin that does."""
    rate, store = 0.3, Memory(5.0, 4.0)
    jiggle = Jump(
        "dephasing of light", (Term(np.sqrt(2 * rate), (Ladder("light", True), Ladder("light"))),)
    )
    device = replace(converter(g=0.0), jumps=(jiggle,))
    node = through(spin_photon(1.0, store=store), device, "microwave.port", "light.out", 0.8)
    start = replace(node.start(1, 0), ket=((0.6, ()), (0.8, (("light", 1), ("spin", 1)))))
    times = np.array([0.0, 0.9])
    both: Polynomial = (Term(1.0, (Transition("spin", 0, 1), Ladder("light"))),)
    found = evolve(node.model, start, times, {"c": both}, levels={"light": 2, "microwave": 2})
    decay = 1.0 + 0.2j + rate + 1 / store.T2  # half of 2.0, its detuning, both dephasings
    assert found.values["c"] == pytest.approx(0.48 * np.exp(-decay * times), abs=AGREE)


@pytest.mark.parametrize("eta", [1.0, 0.65])
def test_a_photon_through_a_linear_converter_is_caught_as_its_scattered_amplitude(
    eta: float,
) -> None:
    """|<v|S u>|^2 with the amplitudes of both modes followed by hand."""
    packet = TemporalMode.gaussian("emission", 5.0, 2.0, offset=0.25)
    wanted = TemporalMode.gaussian("light.out", 6.3, 2.4, offset=-0.1)
    g, delta = 0.5 * np.exp(0.3j), 0.2
    node = through(spin_photon(1.0, packet=packet), converter(), "microwave.port", "light.out", eta)
    begin, end = packet.span[0], wanted.span[1]
    out = captured(
        node.model,
        node.start(0, 1),
        "light.out",
        wanted,
        begin=begin,
        end=end,
        levels={"light": 2, "microwave": 2, "out": 2},
    )

    def slope(t: float, y: np.ndarray) -> list[complex]:
        light, wave, _ = y
        u = complex(packet.at(np.array([t]))[0])
        v = complex(wanted.at(np.array([t]))[0])
        return [
            -(1.0 + 1j * delta) * light - 1j * g * wave,
            -0.7 * wave - 1j * np.conj(g) * light - np.sqrt(0.9) * u,
            np.conj(v) * np.sqrt(1.4) * light,
        ]

    run = solve_ivp(slope, (begin, end), np.zeros(3, complex), rtol=1e-10, atol=1e-12, max_step=0.2)
    expected = eta * abs(run.y[2, -1]) ** 2
    assert 0.1 < expected < 0.9
    assert out.state[1, 1].real == pytest.approx(expected, abs=1e-6)


def test_filters_are_chained_one_behind_the_other() -> None:
    width, offset = 0.8, 0.3
    node = filtered(spin_photon(1.0), width, offset, stages=2)
    assert node.port == "filter2.out"
    assert set(node.model.modes) == {"spin", "emitter", "filter1", "filter2"}
    x, w = np.polynomial.legendre.leggauss(120)
    times, weights = np.array([0.0, *(30 * (x + 1)), 60.0]), 30 * w
    levels = {"filter1": 2, "filter2": 2}
    asked = {"n": number("filter2")}
    n = evolve(node.model, node.start(0, 1), times, asked, levels=levels).values["n"].real
    passed = width / 2 * float(weights @ n[1:-1])
    omega = np.linspace(-4000, 4000, 4_000_001)
    line = 0.5 / np.pi / (omega**2 + 0.25)
    both = line * (1 + (2 * (omega - offset) / width) ** 2) ** -2.0
    # the sum over frequencies leaves out 1e-9 beyond its ends
    assert passed == pytest.approx(float(np.sum(both) * (omega[1] - omega[0])), abs=1e-6)


# --- pair sources ----------------------------------------------------------------------------------------


def test_a_pair_source_makes_the_mean_numbers_of_its_master_equation() -> None:
    model = converter(0.35 * np.exp(0.6j), -0.15, 0.3, blue=True)
    node = pair_source(model, "light.out", thermal={"microwave": 0.4})
    assert node.memory == ("microwave",)
    assert node.kets == ((),)
    times, levels = np.array([0.0, 0.8, 2.5]), {"light": 5, "microwave": 7}
    pairs: Polynomial = (Term(1.0, (Ladder("light"), Ladder("microwave"))),)
    asked = {"l": number("light"), "m": number("microwave"), "p": pairs}
    found = evolve(node.model, node.start(), times, asked, levels=levels).values

    a, b = (
        qutip.tensor(qutip.destroy(5), qutip.qeye(7)),
        qutip.tensor(qutip.qeye(5), qutip.destroy(7)),
    )
    g = 0.35 * np.exp(0.6j)
    H = g * a.dag() * b.dag() + np.conj(g) * a * b - 0.15 * a.dag() * a
    c_ops = [np.sqrt(2.0) * a, np.sqrt(0.9 + 0.5 * 1.3) * b, np.sqrt(0.5 * 0.3) * b.dag()]
    p = (0.4 / 1.4) ** np.arange(7)
    rho = qutip.tensor(qutip.fock_dm(5, 0), qutip.Qobj(np.diag(p / p.sum())))
    brute, _ = mesolve(H, rho, times, c_ops, [a.dag() * a, b.dag() * b, a * b])
    for name, values in zip(("l", "m", "p"), brute, strict=True):
        assert found[name] == pytest.approx(values, abs=AGREE), name
    assert abs(found["p"][2].imag) > 0.01
    assert found["m"][2].real > found["l"][2].real > 0.05


# --- sentences -------------------------------------------------------------------------------------------


def test_a_node_that_makes_no_sense_is_refused_with_a_sentence() -> None:
    spin, device = spin_photon(1.0), converter()
    with pytest.raises(ParameterError, match="memory 'qubit' is not one of"):
        replace(spin, memory=("qubit",))
    with pytest.raises(ParameterError, match="there is no port 'light'; the device has emission"):
        replace(spin, port="light")
    with pytest.raises(ParameterError, match=r"give 2 amplitudes.*got 1"):
        spin.start()
    with pytest.raises(ParameterError, match="must sum to 1, got 2; normalise"):
        spin.start(1.0, 1.0)
    with pytest.raises(ParameterError, match=r"Node\.bright: alpha"):
        spin.bright(1.2)
    for name in ("lost", "dephasing"):
        with pytest.raises(ParameterError, match=f"spin_photon: {name}"):
            spin_photon(1.0, **{name: -0.1})
    with pytest.raises(ParameterError, match="spin_photon: rate"):
        spin_photon(-1.0)
    with pytest.raises(ParameterError, match=r"occupation"):
        spin_photon(1.0, occupation=-0.1)
    with pytest.raises(ParameterError, match="under_light: extra"):
        under_light(spin, "spin", -1.0, ALWAYS)
    with pytest.raises(ParameterError, match="'qubit' is not one of the modes"):
        under_light(spin, "qubit", 1.0, ALWAYS)
    with pytest.raises(ParameterError, match=r"Transmon\.levels"):
        Transmon(1)
    with pytest.raises(ParameterError, match=r"Transmon\.Tphi \[s\] must be > 0, got 0"):
        Transmon(Tphi=0.0)
    with pytest.raises(ParameterError, match="a Raman emission needs three levels, got 2"):
        transmon_resonator(Transmon(2), ALWAYS, 1.0, 1.0)
    with pytest.raises(ParameterError, match="the bins overlap"):
        time_bin(LATE, EARLY)
    with pytest.raises(ParameterError, match="'wave' is not one of the modes"):
        with_memory_cavity(spin, "wave", ALWAYS, 1.0)
    with pytest.raises(ParameterError, match="there is no port 'out'"):
        pair_source(device, "out")
    with pytest.raises(ParameterError, match="through: efficiency"):
        through(spin, device, "microwave.port", "light.out", 1.2)
    with pytest.raises(ParameterError, match=r"there is no port 'wave\.port'"):
        through(spin, device, "wave.port", "light.out")
    once = through(spin, device, "microwave.port", "light.out")
    with pytest.raises(ParameterError, match="both have a mode 'light'; rename one"):
        through(once, device, "microwave.port", "light.out")
    with pytest.raises(ParameterError, match="filtered: width"):
        filtered(spin, 0.0)
    with pytest.raises(ParameterError, match="filtered: stages"):
        filtered(spin, 1.0, stages=0)


def test_a_memory_cavity_needs_a_name_of_its_own() -> None:
    with pytest.raises(ParameterError, match="'wave'"):
        with_memory_cavity(emitter_mode(0.1), "wave", ALWAYS, 1.0, name="wave")


@pytest.mark.parametrize("name", ["kappa", "dephasing"])
def test_a_memory_cavity_with_a_negative_rate_is_refused(name: str) -> None:
    with pytest.raises(ParameterError, match=name):
        with_memory_cavity(emitter_mode(0.1), "wave", ALWAYS, 1.0, **{name: -0.1})


def test_a_resonator_with_a_negative_loss_is_refused() -> None:
    with pytest.raises(ParameterError, match="kappa_int"):
        transmon_resonator(Transmon(3), ALWAYS, 1.0, 1.0, kappa_int=-0.1)
