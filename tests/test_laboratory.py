"""What a laboratory would see, against covariances, click statistics and simulated runs of the test's own."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.linalg import expm

from cavities import GaussianState, ParameterError, ValidityError
from transducer.laboratory import Clicks, Counting, Heterodyne

M_COMPLEX = 0.52 * np.exp(0.9j)


def pair(n_1: float = 0.4, n_2: float = 0.7, m: complex = M_COMPLEX) -> GaussianState:
    """Asymmetric two-mode state with a complex anomalous moment."""
    return GaussianState.from_moments(n_1, n_2, m)


def general_pair() -> GaussianState:
    """Two modes, each squeezed along its own axis, with every element of the covariance filled."""
    normal = np.array([[0.9, 0.11 - 0.17j], [0.11 + 0.17j, 1.3]])
    anomalous = np.array([[0.3 + 0.2j, 0.6 - 0.5j], [0.6 - 0.5j, -0.4 + 0.1j]])
    return GaussianState.from_correlations(normal, anomalous)


CHAIN = Heterodyne(np.array([0.35, 0.8]), np.array([2.3, 0.6]), 1e5, reference=0.0)


# --- heterodyne: covariance --------------------------------------------------------------------------


def recorded_by_hand(V: np.ndarray, eta: np.ndarray, added: np.ndarray, gain: float) -> np.ndarray:
    """Covariance of both quadratures of every mode behind loss, amplifier and double homodyne.

    Modes, in order: signals, loss baths, idlers, and the vacuum of the splitter; every step is a
    symplectic matrix over all of them. The idler bath holds what gives `added` at large gain.
    """
    n = len(eta)
    size = 4 * n
    idler = added / (1 - 1 / gain)
    big = np.eye(2 * size) / 2
    big[: 2 * n, : 2 * n] = V
    for k in range(n):
        big[2 * (2 * n + k), 2 * (2 * n + k)] = idler[k]
        big[2 * (2 * n + k) + 1, 2 * (2 * n + k) + 1] = idler[k]
    for k in range(n):
        s, loss, idle, open_ = k, n + k, 2 * n + k, 3 * n + k
        for one, two, c, t, flip in (
            (s, loss, np.sqrt(eta[k]), np.sqrt(1 - eta[k]), None),
            (s, idle, np.sqrt(gain), np.sqrt(gain - 1), "amplifier"),
            (s, open_, np.sqrt(0.5), np.sqrt(0.5), None),
        ):
            U = np.eye(2 * size)
            for q in (0, 1):
                i, j = 2 * one + q, 2 * two + q
                sign = 1.0 if flip is None or q == 0 else -1.0
                U[i, i] = U[j, j] = c
                U[i, j] = t * sign
                U[j, i] = -t if flip is None else t * sign
            big = U @ big @ U.T
    # x is read on one output of the splitter, p on the other; both referred to the amplifier's input
    picked = np.zeros((2 * n, 2 * size))
    for k in range(n):
        picked[2 * k, 2 * k] = np.sqrt(2 / gain)
        # the other output carries -(signal - vacuum)/sqrt 2: turn it
        picked[2 * k + 1, 2 * (3 * n + k) + 1] = -np.sqrt(2 / gain)
    return np.asarray(picked @ big @ picked.T)


@pytest.mark.parametrize("state", [pair(), general_pair()], ids=["pair", "general"])
def test_the_record_is_loss_amplifier_and_double_homodyne_written_out(state: GaussianState) -> None:
    """With gain G the open port of the homodyne adds 1/2G instead of nothing: G of 1e10 is enough.

    `added_noise` counts beyond the half quantum of both quadratures: an amplifier at the quantum
    limit has an idler in vacuum, which is that half, so a noise n of the chain is an idler of n + 1/2.
    """
    eta, added = np.array([0.35, 0.8]), np.array([2.3, 0.6])
    found = CHAIN.recorded(state)
    theirs = recorded_by_hand(state.covariance, eta, added + 0.5, gain=1e10)
    assert found == pytest.approx(theirs, rel=1e-7, abs=1e-7)


def test_a_perfect_chain_sees_the_q_function() -> None:
    """Without loss or amplifier noise the record is V + 1/2: coherent states have one, not a half."""
    perfect = Heterodyne(1.0, 0.0, 1.0)
    assert perfect.recorded(GaussianState.thermal([0.0])) == pytest.approx(np.eye(2), abs=1e-14)
    state = general_pair()
    assert perfect.recorded(state) == pytest.approx(state.covariance + np.eye(4) / 2, abs=1e-13)


def test_a_number_for_all_ports_is_that_number_at_each_port() -> None:
    one = Heterodyne(0.4, 1.5, 1e3)
    each = Heterodyne(np.array([0.4, 0.4]), np.array([1.5, 1.5]), 1e3)
    assert one.recorded(general_pair()) == pytest.approx(each.recorded(general_pair()), abs=1e-14)


# --- heterodyne: inference ---------------------------------------------------------------------------


@cache
def repeated(runs: int = 400, shots: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Values and error bars of many simulated runs, the chain's noise known."""
    found = [CHAIN.infer(CHAIN.records(general_pair(), shots, seed)) for seed in range(runs)]
    return np.array([f.value for f in found]), np.array([f.sigma for f in found])


def test_inferred_covariances_are_unbiased() -> None:
    """Mean of 400 runs: each of ten elements within four standard errors (one in 1600 of false alarms)."""
    values, _ = repeated()
    off = (values.mean(axis=0) - general_pair().covariance) / (
        values.std(axis=0, ddof=1) / np.sqrt(len(values))
    )
    assert np.abs(off).max() < 4.0


def test_the_error_bars_are_the_spread_of_repeated_runs() -> None:
    """A spread of 400 runs is known to 1/sqrt(800) = 3.5 %; four of these are allowed."""
    values, sigmas = repeated()
    ratio = values.std(axis=0, ddof=1) / sigmas.mean(axis=0)
    assert np.abs(ratio - 1).max() < 0.15
    # diagonal elements have sqrt 2 of what uncorrelated ones have: a forgotten term shows
    expected = CHAIN.expected(general_pair(), 500).sigma
    assert np.abs(values.std(axis=0, ddof=1) / expected - 1).max() < 0.15


def test_expected_is_the_mean_of_what_is_inferred() -> None:
    values, sigmas = repeated()
    expected = CHAIN.expected(general_pair(), 500)
    assert expected.value == pytest.approx(general_pair().covariance, abs=1e-12)
    error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    assert np.abs((values.mean(axis=0) - expected.value) / error).max() < 4.0
    # the bars themselves fluctuate by 1/sqrt(500) each, their mean by 0.2 %; bias of order 1/shots
    assert sigmas.mean(axis=0) == pytest.approx(expected.sigma, rel=0.02)


def test_records_are_repeatable_and_have_the_recorded_covariance() -> None:
    state = general_pair()
    one, again, other = (CHAIN.records(state, 200_000, seed) for seed in (3, 3, 4))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert one.shape == (200_000, 4)
    d = np.diag(CHAIN.recorded(state))
    # five of sqrt(2 V_ii V_jj/M)
    bar = 5 * np.sqrt(2 * np.outer(d, d) / 200_000)
    assert np.all(np.abs(one.T @ one / len(one) - CHAIN.recorded(state)) < bar)


@pytest.mark.parametrize("reference", [0.2, 0.5, 0.8])
def test_reference_shots_enlarge_the_error_as_a_run_with_the_device_off_does(
    reference: float,
) -> None:
    """Both covariances are drawn (Wishart), the off one subtracted; 2000 runs give the spread to 1.6 %."""
    from scipy.stats import wishart

    chain = replace(CHAIN, reference=reference)
    shots = 600
    blank = shots * reference / (1 - reference)
    root = np.repeat(np.sqrt([0.35, 0.8]), 2)
    vacuum = GaussianState.thermal([0.0, 0.0])
    on = wishart.rvs(shots, CHAIN.recorded(general_pair()) / shots, size=2000, random_state=1)
    off = wishart.rvs(round(blank), CHAIN.recorded(vacuum) / blank, size=2000, random_state=2)
    inferred = (on - off) / np.outer(root, root) + np.eye(4) / 2
    found = chain.expected(general_pair(), shots)
    assert inferred.std(axis=0) == pytest.approx(found.sigma, rel=0.07)
    assert found.value == pytest.approx(general_pair().covariance, abs=1e-12)
    # and it is larger than with the noise known, by the stated amount
    known = CHAIN.expected(general_pair(), shots).sigma
    extra = found.sigma**2 - known**2
    seen = 1.0 + np.repeat([2.3, 0.6], 2)  # vacuum, its double, and the chain
    by_hand = np.outer(seen, seen) * (1 + np.eye(4)) / blank / np.outer(root, root) ** 2
    assert extra == pytest.approx(by_hand, rel=1e-9)


def test_error_bars_of_infer_include_the_reference_shots() -> None:
    chain = replace(CHAIN, reference=0.3)
    records = chain.records(general_pair(), 800, 11)
    plain, with_blank = CHAIN.infer(records), chain.infer(records)
    assert with_blank.value == pytest.approx(plain.value, abs=1e-13)
    assert np.all(with_blank.sigma > plain.sigma)


def test_fewer_than_ten_shots_are_refused() -> None:
    with pytest.raises(ParameterError, match="9 shots say nothing; take 10 or more"):
        CHAIN.infer(CHAIN.records(pair(), 9, 0))


@pytest.mark.parametrize(
    "wrong",
    [
        {"efficiency": 0.0},
        {"efficiency": np.array([0.5, 1.1])},
        {"added_noise": -0.1},
        {"rate": 0.0},
        {"reference": 1.0},
    ],
)
def test_a_chain_outside_its_domain_is_refused_by_name(wrong: dict[str, float]) -> None:
    given = {"efficiency": 0.5, "added_noise": 1.0, "rate": 1e3, **wrong}
    with pytest.raises(ParameterError, match=f"Heterodyne.{next(iter(wrong))}"):
        Heterodyne(**given)


# --- heterodyne: time to see entanglement ------------------------------------------------------------

ENTANGLED = GaussianState.from_moments(0.5, 0.8, 0.9 * np.exp(-2.1j))


def turned(values: np.ndarray, phase: float) -> np.ndarray:
    """Duan variance of each covariance, mode 2 turned by complex numbers: <|a_1 - a_2'^dag|^2> style."""
    n = (values[..., 0, 0] + values[..., 1, 1]) / 2 + (values[..., 2, 2] + values[..., 3, 3]) / 2
    # <a_1 a_2> from the covariance
    m = (values[..., 0, 2] - values[..., 1, 3]) / 2 + 1j * (
        values[..., 0, 3] + values[..., 1, 2]
    ) / 2
    return np.asarray(2 * n - 4 * np.real(m * np.exp(1j * phase)))


def test_the_witness_is_taken_at_the_best_phase() -> None:
    """A scan of the phase, and 2 (1 + n_1 + n_2 - 2 |m|) by hand."""
    for state in (ENTANGLED, GaussianState.from_moments(0.5, 0.8, 0.8j), general_pair()):
        phase = Heterodyne._best_phase(state)
        scan = [state.epr_variance(x) for x in np.linspace(-np.pi, np.pi, 4001)]
        # nearest grid point: (2 pi/8000)^2/2 of the contrast
        assert state.epr_variance(phase) == pytest.approx(min(scan), abs=3e-6)
        assert state.epr_variance(phase) <= min(scan) + 1e-12
    best = ENTANGLED.epr_variance(Heterodyne._best_phase(ENTANGLED))
    assert best == pytest.approx(2 * (1 + 0.5 + 0.8 - 1.8), rel=1e-12)
    assert Heterodyne._best_phase(ENTANGLED) == pytest.approx(2.1, rel=1e-12)


@pytest.mark.parametrize("reference", [0.0, 0.35])
def test_after_the_time_named_the_witness_lies_below_two_by_the_sigmas_asked(
    reference: float,
) -> None:
    """Brute: 3000 runs of that length, with unequal efficiencies and noises and a complex moment.

    Their mean is 2 - gap and their spread gap/sigmas, known to 1/sqrt(6000) = 1.3 %.
    """
    from scipy.stats import wishart

    chain = Heterodyne(np.array([0.35, 0.8]), np.array([2.3, 0.6]), 2e4, reference)
    sigmas = 4.0
    time = chain.time_for_entanglement(ENTANGLED, sigmas)
    shots = time * 2e4 * (1 - reference)
    assert shots > 100  # so that rounding to a whole number of shots does not show
    root = np.repeat(np.sqrt([0.35, 0.8]), 2)
    vacuum = GaussianState.thermal([0.0, 0.0])
    on = wishart.rvs(
        round(shots), chain.recorded(ENTANGLED) / round(shots), size=3000, random_state=5
    )
    off = chain.recorded(vacuum)
    if reference:
        blank = round(time * 2e4 * reference)
        off = wishart.rvs(blank, off / blank, size=3000, random_state=6)
    inferred = (on - off) / np.outer(root, root) + np.eye(4) / 2
    duan = turned(inferred, 2.1)
    gap = 2 - (2 * (1 + 0.5 + 0.8) - 3.6)
    assert np.mean(duan) == pytest.approx(2 - gap, abs=5 * gap / sigmas / np.sqrt(3000))
    assert np.std(duan) == pytest.approx(gap / sigmas, rel=0.06)


def test_the_same_from_simulated_records_themselves() -> None:
    """Records, infer and witness together: 300 runs know the spread to 4 %."""
    chain = Heterodyne(np.array([0.6, 0.9]), np.array([0.5, 0.3]), 2e4, 0.0)
    time = chain.time_for_entanglement(ENTANGLED, 5.0)
    shots = round(time * 2e4)
    values = np.array(
        [chain.infer(chain.records(ENTANGLED, shots, seed)).value for seed in range(300)]
    )
    gap = 2 - ENTANGLED.epr_variance(2.1)
    assert np.std(turned(values, 2.1)) == pytest.approx(gap / 5, rel=0.16)
    assert np.mean(turned(values, 2.1)) == pytest.approx(2 - gap, abs=4 * gap / 5 / np.sqrt(300))


def test_locally_squeezed_packets_have_the_spread_that_the_time_is_computed_from() -> None:
    """The halves x and p of the witness are correlated: 2 Tr(Q S Q S) for the quadratic form Q, and drawn."""
    from scipy.stats import wishart

    turn = np.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
    local = np.eye(4)
    local[:2, :2] = turn @ np.diag(np.exp([0.5, -0.5])) @ turn.T
    V = local @ GaussianState.two_mode_squeezed(0.9).covariance @ local.T
    state = GaussianState(np.zeros(4), V)
    eta, added = np.array([0.9, 0.95]), np.array([0.02, 0.05])
    chain = Heterodyne(eta, added, 1.0, 0.0)
    phase = Heterodyne._best_phase(state)
    gap = 2 - state.epr_variance(phase)
    time = chain.time_for_entanglement(state, 5.0)
    # |a_1 - a_2'^dag|^2 as a form of the records, and their covariance, both written out
    z_1, z_2 = np.array([1, 1j, 0, 0]), np.array([0, 0, 1, -1j]) * np.exp(-1j * phase)
    root = np.repeat(np.sqrt(eta), 2)
    z = (z_1 - z_2) / root
    Q = np.real(np.outer(z, np.conj(z)))
    seen = root[:, None] * V * root + np.diag(np.repeat((1 - eta) / 2 + 0.5 + added, 2))
    assert time == pytest.approx((5 / gap) ** 2 * 2 * np.trace(Q @ seen @ Q @ seen), rel=1e-9)
    on = wishart.rvs(500, chain.recorded(state) / 500, size=6000, random_state=9)
    duan = turned(on / np.outer(root, root), phase)
    # 6000 runs know a spread to 0.9 %
    assert np.std(duan) * np.sqrt(500) == pytest.approx(gap * np.sqrt(time) / 5, rel=0.04)


def test_time_goes_as_the_square_of_the_sigmas_and_inverse_to_the_rate() -> None:
    chain = Heterodyne(0.5, 1.0, 1e4)
    one = chain.time_for_entanglement(ENTANGLED, 3.0)
    assert chain.time_for_entanglement(ENTANGLED, 6.0) == pytest.approx(4 * one, rel=1e-12)
    twice = replace(chain, rate=2e4)
    assert twice.time_for_entanglement(ENTANGLED, 3.0) == pytest.approx(one / 2, rel=1e-12)
    noisier = replace(chain, added_noise=np.array([1.0, 6.0]))
    assert noisier.time_for_entanglement(ENTANGLED, 3.0) > 2 * one


def test_half_of_the_shots_with_the_device_off_is_not_far_from_the_best_share() -> None:
    """A weak signal under a loud chain: on and off shots weigh alike, so that the best share is near a half."""
    state = GaussianState.from_moments(0.02, 0.03, 0.05)
    times = {
        share: Heterodyne(0.3, 20.0, 1e4, share).time_for_entanglement(state)
        for share in (0.1, 0.3, 0.5, 0.7, 0.9)
    }
    assert min(times, key=lambda s: times[s]) == 0.5
    known = Heterodyne(0.3, 20.0, 1e4, 0.0).time_for_entanglement(state)
    # twice the shots, twice the variance
    assert times[0.5] == pytest.approx(4 * known, rel=0.01)


def test_a_separable_state_is_refused_with_its_variance_and_a_remedy() -> None:
    state = GaussianState.from_moments(0.5, 0.8, 0.3j)
    with pytest.raises(
        ValidityError,
        match=r"Duan variance is 3\.4, not below 2: no time suffices; lower the noise, or optimise",
    ):
        CHAIN.time_for_entanglement(state)
    with pytest.raises(ValidityError, match="no time suffices"):
        CHAIN.time_for_entanglement(GaussianState.thermal([0.0, 0.0]))


def test_sigmas_must_be_positive() -> None:
    with pytest.raises(ParameterError, match="sigmas"):
        CHAIN.time_for_entanglement(ENTANGLED, 0.0)


# --- counting ----------------------------------------------------------------------------------------


@cache
def fock_pair(r: float, n_a: float, n_b: float, levels: int) -> np.ndarray:
    """Joint photon numbers of a squeezed pair of thermal modes, QuTiP matrices, shape (levels, levels)."""
    import qutip

    a = qutip.tensor(qutip.destroy(levels), qutip.qeye(levels)).full()
    b = qutip.tensor(qutip.qeye(levels), qutip.destroy(levels)).full()
    squeeze = r * (a.T @ b.T - a @ b)
    start = qutip.tensor(
        qutip.thermal_dm(levels, n_a, method="analytic"),
        qutip.thermal_dm(levels, n_b, method="analytic"),
    ).full()
    U = expm(squeeze)
    return np.asarray(np.diag(U @ start @ U.conj().T).real.reshape(levels, levels))


def moments(r: float, n_a: float, n_b: float) -> GaussianState:
    """The same state by Bogoliubov: a -> cosh a + sinh b^dag."""
    c, s = np.cosh(r), np.sinh(r)
    return GaussianState.from_moments(
        c**2 * n_a + s**2 * (n_b + 1), c**2 * n_b + s**2 * (n_a + 1), c * s * (1 + n_a + n_b)
    )


def fock_clicks(
    numbers: np.ndarray, eta: tuple[float, float], dark: tuple[float, float]
) -> tuple[float, float, float]:
    """Clicks of one, other, both detectors: binomial loss of every photon number."""
    n = np.arange(len(numbers))
    hit = [1 - (1 - d) * (1 - e) ** n for e, d in zip(eta, dark, strict=True)]
    return (
        float(hit[0] @ numbers @ np.ones(len(n))),
        float(np.ones(len(n)) @ numbers @ hit[1]),
        float(hit[0] @ numbers @ hit[1]),
    )


def counting(
    eta: tuple[float, float], dark: tuple[float, float] = (0.0, 0.0), rate: float = 1e5
) -> Counting:
    return Counting(eta, dark, 40e-9, rate)


WORKED = (0.3 * 0.9, 0.8 * 0.5)
"""L18: losses of .3 and .8 on the way, detectors of .9 and .5."""


def test_l18b_coincidences_at_the_worked_point() -> None:
    """r = .4, microwave bath .2: 0.02816624776, by photon numbers, too."""
    state = moments(0.4, 0.0, 0.2)
    brute = fock_clicks(fock_pair(0.4, 0.0, 0.2, 18), WORKED, (0.0, 0.0))
    found = counting(WORKED).clicks(state, 1)
    assert (found.first, found.second, found.both) == pytest.approx(brute, rel=1e-9, abs=0)
    assert found.both == pytest.approx(0.02816624776, rel=1e-9, abs=0)
    # loss before the detectors is one with their efficiency
    from cavities import GaussianChannel

    lossy = GaussianChannel.loss(0.3).on(0, 2).then(GaussianChannel.loss(0.8).on(1, 2)).apply(state)
    assert counting((0.9, 0.5)).clicks(lossy, 1).both == pytest.approx(found.both, rel=1e-10)


def test_l18c_l18d_l18h_what_a_click_and_its_absence_herald_at_the_worked_point() -> None:
    """A weak second detector reads the mean photon number that the first one's answer leaves."""
    state, weak = moments(0.4, 0.0, 0.2), 1e-5
    found = counting((WORKED[0], 0.8 * weak)).clicks(state, 1)
    # second order in the weak efficiency: 1e-5; rounding of a difference near one: 1e-9
    assert found.both / found.first / weak == pytest.approx(1.385784628, rel=1e-4)
    silent = (found.second - found.both) / (1 - found.first) / weak
    assert silent == pytest.approx(0.2638158537, rel=1e-4)
    seen = counting((0.3, 0.8)).clicks(state, 1)
    assert 1 - seen.first - seen.second + seen.both == pytest.approx(0.7495597654, rel=1e-9)


@pytest.mark.parametrize(
    ("r", "n_a", "n_b", "eta", "rates"),
    [
        (0.4, 0.0, 0.2, (0.3, 0.8), (0.0, 0.0)),
        (0.3, 0.15, 0.05, (0.9, 0.2), (3e5, 1.1e6)),
        (0.25, 0.0, 0.0, (1.0, 0.55), (0.0, 2e6)),
        (0.2, 0.1, 0.3, (0.0, 0.7), (5e5, 0.0)),
    ],
)
def test_click_probabilities_are_those_of_photon_numbers(
    r: float, n_a: float, n_b: float, eta: tuple[float, float], rates: tuple[float, float]
) -> None:
    dark = tuple(1 - np.exp(-40e-9 * rate) for rate in rates)
    brute = fock_clicks(fock_pair(r, n_a, n_b, 18), eta, (dark[0], dark[1]))
    found = counting(eta, rates).clicks(moments(r, n_a, n_b), 1000)
    # 18 levels leave out less than 1e-9 of these states
    assert (found.first, found.second, found.both) == pytest.approx(brute, rel=1e-8, abs=1e-13)
    assert found.correlation == pytest.approx(brute[2] / brute[0] / brute[1], rel=1e-8)
    assert found.counts == pytest.approx(tuple(1000 * p for p in brute), rel=1e-8)


def test_the_phase_of_a_pair_does_not_change_its_counts() -> None:
    box = counting((0.4, 0.7), (1e4, 2e4))
    one = box.clicks(GaussianState.from_moments(0.2, 0.3, 0.4), 1)
    two = box.clicks(GaussianState.from_moments(0.2, 0.3, 0.4 * np.exp(1.2j)), 1)
    assert (one.first, one.second, one.both) == pytest.approx(
        (two.first, two.second, two.both), rel=1e-12
    )


def test_dark_counts_alone_are_uncorrelated_poisson_events() -> None:
    found = counting((0.4, 0.7), (2e6, 5e5)).clicks(GaussianState.thermal([0.0, 0.0]), 1)
    p, q = -np.expm1(-0.08), -np.expm1(-0.02)
    assert (found.first, found.second) == pytest.approx((p, q), rel=1e-12)
    assert found.correlation == pytest.approx(1.0, rel=1e-9)


def test_weak_clicks_count_photons_and_weak_pairs_have_g2_of_their_moments() -> None:
    """To first order in the efficiencies: 1 + |m|^2/(n_1 n_2) for Gaussian light."""
    n_1, n_2, m = 0.03, 0.05, 0.17 * np.exp(0.4j)
    found = counting((1e-4, 3e-4)).clicks(GaussianState.from_moments(n_1, n_2, m), 1)
    assert found.first == pytest.approx(1e-4 * n_1, rel=1e-4)
    assert found.second == pytest.approx(3e-4 * n_2, rel=1e-4)
    # p_12 of 1e-9 is a difference of numbers near one: rounding 1e-7
    assert found.correlation == pytest.approx(1 + abs(m) ** 2 / (n_1 * n_2), rel=2e-3)


def test_counts_of_a_run_scatter_as_their_error_bars_say() -> None:
    """4000 runs know a spread to 1.1 %, and a mean to a sixtieth of a bar."""
    box = counting((0.3, 0.8), (2e5, 4e5))
    state, shots = moments(0.4, 0.05, 0.2), 20_000
    expected = box.clicks(state, shots)
    runs = [box.counts(state, shots, seed) for seed in range(4000)]
    for k in range(3):
        seen = np.array([run.counts[k] for run in runs])
        assert seen.mean() == pytest.approx(
            expected.counts[k], abs=4 * expected.sigmas[k] / np.sqrt(4000)
        )
        assert seen.std() == pytest.approx(expected.sigmas[k], rel=0.05)
    g2 = np.array([run.correlation for run in runs])
    assert g2.std() == pytest.approx(expected.correlation_sigma, rel=0.05)
    # a ratio of counts is biased at second order: 1/counts
    assert g2.mean() == pytest.approx(expected.correlation, abs=0.3 * expected.correlation_sigma)


@pytest.mark.parametrize(("p", "q", "c"), [(0.02, 0.05, 0.004), (0.6, 0.3, 0.25), (0.5, 0.7, 0.36)])
def test_the_error_of_g2_is_that_of_a_multinomial_run(p: float, q: float, c: float) -> None:
    shots = 50_000
    drawn = np.random.default_rng(8).multinomial(
        shots, [c, p - c, q - c, 1 - p - q + c], size=20_000
    )
    both, one, two = drawn[:, 0], drawn[:, 1], drawn[:, 2]
    g2 = both * shots / ((both + one) * (both + two))
    # spread of 20000 runs: 0.5 %; second order of the ratio: 1/counts = 0.5 %
    assert np.std(g2) == pytest.approx(Clicks(p, q, c, shots).correlation_sigma, rel=0.03)


def test_simulated_counts_are_repeatable_and_consistent() -> None:
    box = counting((0.3, 0.8), (2e5, 4e5))
    one, again, other = (box.counts(moments(0.4, 0.05, 0.2), 5000, s) for s in (1, 1, 2))
    assert one == again
    assert one != other
    assert one.both <= min(one.first, one.second)
    assert all(float(x).is_integer() for x in np.round(one.counts, 9))


def test_after_the_time_named_g2_lies_above_the_bound_by_five_sigmas() -> None:
    box = counting((0.05, 0.1), (1e3, 2e3))
    state = moments(0.25, 0.0, 0.05)
    time = box.time_for_correlation(state, above=2.0, sigmas=5.0)
    shots = round(time * 1e5)
    g2 = np.array([box.counts(state, shots, seed).correlation for seed in range(2000)])
    # at the time named there are some tens of coincidences: the spread is known to 2 %, the ratio to 1/count
    distance = (g2.mean() - 2.0) / g2.std()
    assert distance == pytest.approx(5.0, rel=0.08)


def test_time_for_a_correlation_scales_with_rate_and_sigmas() -> None:
    box, state = counting((0.05, 0.1), (1e3, 2e3)), moments(0.25, 0.0, 0.05)
    one = box.time_for_correlation(state)
    assert replace(box, rate=2e5).time_for_correlation(state) == pytest.approx(one / 2, rel=1e-12)
    assert box.time_for_correlation(state, sigmas=10.0) == pytest.approx(4 * one, rel=1e-12)
    assert box.time_for_correlation(state, above=1.0) < one
    # rare clicks: coincidences go with the product of the efficiencies, and so does the time
    half = counting((0.025, 0.05), (0.0, 0.0)).time_for_correlation(state)
    full = counting((0.05, 0.1), (0.0, 0.0)).time_for_correlation(state)
    assert half == pytest.approx(4 * full, rel=0.15)


def test_a_correlation_below_the_bound_is_refused_with_its_value_and_a_remedy() -> None:
    with pytest.raises(
        ValidityError,
        match=r"g2 is 1, not above 2: no time suffices; lower gain, noise or dark counts",
    ):
        counting((0.3, 0.4)).time_for_correlation(GaussianState.thermal([0.1, 0.2]))


def test_detectors_that_never_click_are_refused_in_words() -> None:
    """An empty pair and no dark counts, or a blind detector: 0/0 coincidences prove nothing."""
    with pytest.raises(ValidityError, match="no time suffices"):
        counting((0.3, 0.4)).time_for_correlation(GaussianState.thermal([0.0, 0.0]))
    with pytest.raises(ValidityError, match="no time suffices"):
        counting((0.0, 0.4)).time_for_correlation(moments(0.3, 0.0, 0.0))


def test_states_that_the_formula_does_not_hold_for_are_refused() -> None:
    box = counting((0.3, 0.4))
    with pytest.raises(ParameterError, match="two packets without mean field are needed, got 3"):
        box.clicks(GaussianState.thermal([0.1, 0.2, 0.3]), 10)
    shifted = GaussianState(np.array([0.5, 0, 0, 0]), pair().covariance)
    with pytest.raises(ParameterError, match="without mean field"):
        box.clicks(shifted, 10)


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"efficiency": (0.5, 1.2)}, "efficiency"),
        ({"efficiency": (-0.1, 0.2)}, "efficiency"),
        ({"dark_rate": (0.0, -1.0)}, "dark_rate"),
        ({"gate": 0.0}, "gate"),
        ({"rate": -1.0}, "rate"),
    ],
)
def test_detectors_outside_their_domain_are_refused_by_name(
    wrong: dict[str, object], name: str
) -> None:
    given = {
        "efficiency": (0.5, 0.5),
        "dark_rate": (0.0, 0.0),
        "gate": 1e-8,
        "rate": 1e4,
        **wrong,
    }
    with pytest.raises(ParameterError, match=f"Counting.{name}"):
        Counting(**given)  # type: ignore[arg-type]
