"""Laws of waiting against enumerated chains, simulated clocks and direct sums."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import gamma

from cavities import ParameterError, ValidityError
from fibre import (
    Arm,
    Detector,
    FibreSpan,
    Link,
    Loss,
    Memory,
    Photon,
    Schedule,
    Scheme,
    SpectralGrid,
    Station,
    Wave,
    evaluate_link,
    gaussian_amplitude,
)
from fibre.memory import decay, qubit_channel
from fibre.waiting import (
    Attempts,
    Outage,
    Wait,
    both_links,
    measured_rate,
    multiplexed,
    stored,
)

Array = NDArray[np.float64]
State = NDArray[np.complex128]

T = 1e-6
"""Period of an attempt in most tests [s]; it divides nothing exactly."""


# --- the referees -----------------------------------------------------------------------------------


def plain_law(p: float, k: int, steps: int) -> Array:
    """P(k successes within n attempts), n = 0..steps: every attempt moves the count."""
    held = np.zeros(k + 1)
    held[0] = 1.0
    law = [0.0]
    for _ in range(steps):
        moved = p * held[:-1]
        held[:-1] -= moved
        held[1:] += moved
        law.append(float(held[-1]))
    return np.array(law)


def two_law(p: float, m: int, steps: int) -> Array:
    """P(two pairs live together within n attempts): masses of "none stored" and of every age."""
    q = 1 - p
    born = [0.0] * (steps + 1)
    none, stored_, done = 1.0, 0.0, 0.0
    law = np.zeros(steps + 1)
    for n in range(1, steps + 1):
        born[n] = none * p
        # a pair born in attempt n - m has failed to be joined in m attempts: it is thrown away
        expired = born[n - m] * q**m if n > m else 0.0
        done += p * stored_
        stored_ = q * stored_ + born[n] - expired
        none = q * none + expired
        law[n] = done
    return law


def chain_law(p: float, k: int, m: int, steps: int) -> Array:
    """The same for k pairs: a chain on the tuples of ages of the stored pairs."""
    states: dict[tuple[int, ...], float] = {(): 1.0}
    law, done = [0.0], 0.0
    for _ in range(steps):
        after: dict[tuple[int, ...], float] = {}
        for ages, weight in states.items():
            older = tuple(a + 1 for a in ages if a + 1 <= m)
            after[older] = after.get(older, 0.0) + weight * (1 - p)
            if len(older) == k - 1:
                done += weight * p
            else:
                grown = (*older, 0)
                after[grown] = after.get(grown, 0.0) + weight * p
        states = after
        law.append(done)
    return np.array(law)


def first(law: Array, share: float) -> int:
    """Fewest attempts with at least this share."""
    return int(np.searchsorted(law, share))


def test_the_two_chains_and_a_bernoulli_simulation_agree() -> None:
    """The referees referee each other first."""
    p, m, runs, length = 0.15, 4, 40_000, 400
    np.testing.assert_allclose(two_law(p, m, length), chain_law(p, 2, m, length), atol=1e-13)
    np.testing.assert_allclose(
        plain_law(p, 3, 60), chain_law(p, 3, 1000, 60), atol=1e-13
    )  # without cut-off
    hit = np.random.default_rng(5).random((runs, length)) < p
    last = np.full(runs, -(10**9))
    ended = np.full(runs, length + 1)
    for n in range(length):
        now = hit[:, n] & (ended > length)
        over = now & (n - last <= m)
        ended[over] = n + 1
        last[now] = n
    law = two_law(p, m, length)
    for n in (2, 5, 20, 60, 150):
        share = float(np.mean(ended <= n))
        assert abs(share - law[n]) < 5 * np.sqrt(law[n] * (1 - law[n]) / runs)


# --- all pairs are kept -------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 2, 3, 4])
@pytest.mark.parametrize("p", [0.02, 0.3, 0.5, 0.97, 1.0])
def test_waits_for_k_pairs_are_a_count_attempt_by_attempt(p: float, k: int) -> None:
    law = plain_law(p, k, int(40 * k / p))
    wait = Wait(Attempts(p, T), k)
    for n in (0, 1, k - 1, k, k + 1, 3 * k, round(k / p), round(3 * k / p)):
        assert wait.by(n * T) == pytest.approx(law[n], abs=1e-12)
        assert wait.by((n + 0.999) * T) == pytest.approx(law[n], abs=1e-12)
    for share in (1e-6, 0.1, 0.499, 0.9, 0.99, 1 - 1e-9):
        assert wait.quantile(share) == pytest.approx(first(law, share) * T, rel=1e-12)
    assert wait.mean == pytest.approx(float(np.sum(1 - law)) * T, rel=1e-6)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
@pytest.mark.parametrize("p", [1e-9, 1e-7, 1e-5])
def test_waits_for_rare_pairs_are_a_gamma_law(p: float, k: int) -> None:
    wait = Wait(Attempts(p, T), k)
    for share in (1e-3, 0.05, 0.5, 0.99, 0.999999):
        exact = gamma(k).ppf(share) / p
        assert wait.quantile(share) / T == pytest.approx(exact, rel=20 * p + 1e-8, abs=k + 1)
    for x in (0.01, 0.5, 1.0, 4.0, 20.0):
        assert wait.by(x / p * T) == pytest.approx(gamma(k).cdf(x), rel=2 * k**2 * p / x + 1e-7)
    assert wait.mean == pytest.approx(k / p * T)


@given(
    p=st.floats(1e-9, 1.0),
    k=st.integers(1, 4),
    share=st.floats(1e-9, 1 - 1e-9),
    up=st.floats(0.3, 1e7),
    down=st.floats(0.0, 1e7),
    outage=st.booleans(),
)
def test_by_and_quantile_are_inverse_to_each_other(
    p: float, k: int, share: float, up: float, down: float, outage: bool
) -> None:
    wait = Wait(Attempts(p, T), k, outage=Outage("lock", up * T, down * T) if outage else None)
    time = wait.quantile(share)
    assert wait.by(time * (1 + 1e-12)) >= share * (1 - 1e-9)
    earlier = time * (1 - 1e-9) - 1e-3 * T
    if earlier > 0:
        assert wait.by(earlier) <= share * (1 + 1e-6)


@pytest.mark.parametrize("p", [1e-9, 1e-3, 0.4, 1.0])
def test_two_links_in_parallel_wait_for_the_later_one(p: float) -> None:
    """E max = sum over n of P(max > n), and a simulation."""
    if p >= 1e-3:
        n = np.arange(int(60 / p) + 1)
        assert both_links(p) == pytest.approx(np.sum(1 - (1 - (1 - p) ** n) ** 2), rel=1e-10)
        rng = np.random.default_rng(3)
        later = np.maximum(rng.geometric(p, 200_000), rng.geometric(p, 200_000))
        error = max(float(np.std(later)) / np.sqrt(len(later)), 1e-12)
        assert abs(float(both_links(p)) - float(np.mean(later))) < 5 * error
    else:
        assert both_links(p) == pytest.approx(1.5 / p, rel=1e-8)


def test_both_links_is_vectorised() -> None:
    found = both_links(np.array([0.1, 1.0]))
    assert found == pytest.approx([2.8 / 0.19, 1.0])


@given(p=st.floats(0.0, 1.0), modes=st.integers(1, 50))
def test_multiplexing_fails_only_if_every_mode_fails(p: float, modes: int) -> None:
    failed = 1.0
    for _ in range(modes):
        failed *= 1 - p
    assert multiplexed(p, modes) == pytest.approx(1 - failed, abs=1e-14)
    assert multiplexed(1e-12, modes) == pytest.approx(modes * 1e-12, rel=1e-9)


def test_a_dead_time_counts_what_a_simulated_detector_counts() -> None:
    rate, dead = 1e6, 4e-7
    arrivals = np.cumsum(np.random.default_rng(9).exponential(1 / rate, 300_000))
    counted, ready = 0, 0.0
    for time in arrivals:
        if time >= ready:
            counted, ready = counted + 1, time + dead
    expected = float(measured_rate(rate, dead))
    assert counted / arrivals[-1] == pytest.approx(expected, rel=5 / np.sqrt(counted))


# --- two pairs with a cut-off ------------------------------------------------------------------------

TABLED = [(0.019, 50), (0.01, 1), (0.01, 10), (1e-3, 200), (1e-3, 2000), (5e-4, 1500)]
"""(p, m) of the tabulated branch."""
BORDER = [(1e-3, 20), (1e-3, 14), (1e-3, 10), (2e-4, 55), (2e-4, 80)]
"""(p, m) on both sides of where a second pair is called rare."""
FREQUENT = [(1.0, 1), (0.9, 3), (0.5, 1), (0.5, 5), (0.5, 1000), (0.1, 1), (0.1, 100), (0.021, 200)]
"""(p, m) where an attempt is likely to succeed."""


@pytest.mark.parametrize(("p", "m"), TABLED + BORDER + FREQUENT)
def test_the_mean_wait_for_two_pairs_with_a_cutoff_is_that_of_the_chain(p: float, m: int) -> None:
    wait = Wait(Attempts(p, T), 2, m * T)
    steps = int(min(18 * wait.mean / T + 10, 1_500_000))
    law = two_law(p, m, steps)
    if law[-1] > 1 - 1e-6:
        assert wait.mean == pytest.approx(float(np.sum(1 - law)) * T, rel=2e-5)
    hit = 1 - (1 - p) ** m
    assert wait.mean == pytest.approx((1 / p + 1 / (p * hit)) * T, rel=1e-9)


def compare_with_chain(p: float, m: int, shares: float, times: float) -> None:
    wait = Wait(Attempts(p, T), 2, m * T)
    law = two_law(p, m, int(min(6 * wait.mean / T + 20, 1_500_000)))
    points = np.unique(np.linspace(0, len(law) - 1, 40).astype(int))
    points = np.unique([0, 1, 2, 3, 4, *points])
    found = np.array([wait.by(float(n) * T) for n in points])
    assert found == pytest.approx(law[points], abs=shares)
    for share in (0.1, 0.5, 0.9, 0.99):
        low, high = first(law, share - 1e-9), first(law, share + 1e-9)  # a share may be met exactly
        found_at = wait.quantile(share) / T
        assert low * (1 - times) - 0.01 <= found_at <= high * (1 + times) + 0.01


@pytest.mark.parametrize(("p", "m"), TABLED)
def test_the_law_for_two_pairs_with_a_cutoff_is_that_of_the_chain(p: float, m: int) -> None:
    """Where the table has a line for every attempt nothing is approximate."""
    compare_with_chain(p, m, 1e-6, 1e-6)


@pytest.mark.parametrize(("p", "m"), FREQUENT)
def test_the_law_for_two_frequent_pairs_with_a_cutoff_is_that_of_the_chain(
    p: float, m: int
) -> None:
    compare_with_chain(p, m, 1e-6, 1e-6)


@pytest.mark.parametrize(("p", "m"), BORDER)
def test_the_law_of_a_rare_second_pair_meets_the_table_at_their_border(p: float, m: int) -> None:
    """Both sides within the share of second pairs in time, which is what is neglected."""
    hit = 1 - (1 - p) ** m
    wait = Wait(Attempts(p, T), 2, m * T)
    law = two_law(p, m, int(min(6 * wait.mean / T, 1_500_000)))
    for n in np.linspace(0.05, 0.95, 10) * (len(law) - 1):
        assert wait.by(float(int(n)) * T) == pytest.approx(law[int(n)], abs=hit)
    for share in (0.1, 0.5, 0.9):
        assert wait.quantile(share) / T == pytest.approx(
            first(law, share), rel=hit + 0.1 * hit / share
        )


@pytest.mark.parametrize("share", [1e-3, 0.01, 0.1, 0.5, 0.99])
def test_quantiles_of_a_rare_second_pair_are_those_of_an_exponential_wait(share: float) -> None:
    """Of tries that succeed once in 10 000 the law is exponential: t = -mean log(1 - share)."""
    wait = Wait(Attempts(1e-5, T), 2, 10 * T)
    assert wait.quantile(share) == pytest.approx(-wait.mean * np.log1p(-share), rel=2e-3)
    assert wait.by(-wait.mean * np.log1p(-share)) == pytest.approx(share, rel=2e-3)


@pytest.mark.parametrize("p", [1e-4, 1e-2, 0.03, 0.3, 1.0])
def test_a_cutoff_that_is_never_reached_changes_nothing(p: float) -> None:
    free, held = Wait(Attempts(p, T), 2), Wait(Attempts(p, T), 2, 1e3 / p * T)
    assert held.mean == pytest.approx(free.mean, rel=1e-9)
    for share in (0.05, 0.5, 0.99):
        assert held.quantile(share) == pytest.approx(free.quantile(share), rel=1e-4, abs=0.01 * T)
        time = free.quantile(share)
        assert held.by(time) == pytest.approx(free.by(time), abs=1e-4)


@pytest.mark.parametrize("p", [1e-3, 0.01, 0.2, 1.0])
def test_two_pairs_need_two_attempts(p: float) -> None:
    wait = Wait(Attempts(p, T), 2, 200 * T)
    assert wait.by(T) == pytest.approx(0.0, abs=1e-12)
    assert wait.quantile(1e-9) >= 2 * T * (1 - 1e-12)
    assert wait.by(2 * T) == pytest.approx(p**2, rel=1e-6)


@given(p=st.floats(1e-3, 1.0), m=st.integers(1, 300), share=st.floats(0.01, 0.99))
@settings(max_examples=20)
def test_by_and_quantile_are_inverse_with_a_cutoff(p: float, m: int, share: float) -> None:
    wait = Wait(Attempts(p, T), 2, m * T)
    time = wait.quantile(share)
    step = max(T, 1e-4 * wait.mean)
    assert wait.by(time + step) >= share - 1e-6
    assert wait.by(max(0.0, time - 2 * step)) <= share + 1e-6


def test_cutoffs_only_lengthen_a_wait() -> None:
    means = [Wait(Attempts(0.01, T), 2, m * T).mean for m in (1, 3, 10, 100, 1000)]
    assert means == sorted(means, reverse=True)
    assert means[-1] > Wait(Attempts(0.01, T), 2).mean


def test_a_cutoff_counts_whole_attempts() -> None:
    attempts = Attempts(0.01, T)
    assert [Wait(attempts, 2, c * T).life for c in (1.0, 1.99, 2.0, 3.0, 7.0, 29.0)] == [
        1, 1, 2, 3, 7, 29,
    ]  # fmt: skip


# --- three pairs with a cut-off --------------------------------------------------------------------


@pytest.mark.parametrize(("p", "m"), [(0.2, 5), (0.5, 2), (0.08, 12), (1.0, 2)])
def test_three_pairs_with_a_cutoff_are_the_chain_within_the_sample_error(p: float, m: int) -> None:
    wait = Wait(Attempts(p, T), 3, m * T)
    steps = int(16 * wait.mean / T + 10)
    law = chain_law(p, 3, m, steps)
    mean = float(np.sum(1 - law))
    square = float(np.sum((2 * np.arange(len(law)) + 1) * (1 - law)))
    sigma = np.sqrt(max(0.0, square - mean**2) / wait.samples)
    assert abs(wait.mean / T - mean) < 5 * sigma + 1e-4 * mean
    for n in (2, 3, 5, round(mean / 2), round(mean), round(3 * mean)):
        error = np.sqrt(law[n] * (1 - law[n]) / wait.samples)
        assert abs(wait.by(n * T) - law[n]) < 5 * error + 1e-4
    for share in (0.1, 0.5, 0.99):
        error = 5 * np.sqrt(share * (1 - share) / wait.samples)
        low, high = first(law, share - error), first(law, share + error)
        assert low <= wait.quantile(share) / T * (1 + 1e-9) <= high * (1 + 1e-8)


def test_four_pairs_with_a_cutoff_are_the_chain_within_the_sample_error() -> None:
    p, m = 0.3, 6
    wait = Wait(Attempts(p, T), 4, m * T)
    law = chain_law(p, 4, m, int(12 * wait.mean / T))
    assert wait.mean / T == pytest.approx(float(np.sum(1 - law)), rel=0.02)
    for share in (0.1, 0.5, 0.9):
        assert wait.quantile(share) / T == pytest.approx(first(law, share), rel=0.02, abs=1)


# --- outages -----------------------------------------------------------------------------------------


def walked(up: float, interval: float, duration: float) -> float:
    """Clock after so much up time, walked cycle by cycle."""
    clock = 0.0
    while up > interval:
        clock, up = clock + interval + duration, up - interval
    return clock + up


@pytest.mark.parametrize("up", [0.0, 1.0, 2.999, 3.0, 3.001, 6.0, 7.5, 60.0])
def test_an_outage_stops_a_clock_that_is_walked_cycle_by_cycle(up: float) -> None:
    assert Outage("x", 3.0, 2.0).clock(up) == pytest.approx(walked(up, 3.0, 2.0))
    assert Outage("x", 3.0, 0.0).clock(up) == pytest.approx(up)


@pytest.mark.parametrize(("k", "interval", "duration"), [(1, 50, 30), (2, 7, 100), (3, 500, 40)])
def test_waits_with_outages_are_those_on_a_simulated_clock(
    k: int, interval: int, duration: int
) -> None:
    p, runs = 0.02, 40_000
    outage = Outage("calibration", interval * T, duration * T)
    wait = Wait(Attempts(p, T), k, outage=outage)
    ups = np.random.default_rng(11).geometric(p, (runs, k)).sum(axis=1)
    clocks = np.array([walked(float(u), interval, duration) for u in ups])
    for deadline in (0.4, 1.0, 2.5):
        end = deadline * float(np.mean(clocks))
        share = float(np.mean(clocks <= end + 1e-6))
        assert abs(wait.by(end * T) - share) < 5 * np.sqrt(share * (1 - share) / runs)
    for share in (0.1, 0.5, 0.9):
        error = 5 * np.sqrt(share * (1 - share) / runs)
        low, high = np.quantile(clocks, [share - error, share + error], method="inverted_cdf")
        assert low <= wait.quantile(share) / T * (1 + 1e-9) <= high * (1 + 1e-8)


def test_outages_that_are_short_against_a_wait_lengthen_it_by_their_share() -> None:
    p = 1e-4
    outage = Outage("calibration", 50 * T, 30 * T)
    wait = Wait(Attempts(p, T), 1, outage=outage)
    ups = np.random.default_rng(11).geometric(p, 100_000).astype(float)
    mean = float(np.mean(ups + 30 * np.maximum(0, np.ceil(ups / 50) - 1)))
    assert wait.mean / T == pytest.approx(mean, rel=5 / np.sqrt(len(ups)) + 50 * p)


@pytest.mark.parametrize(("interval", "duration"), [(100, 100), (10_000, 10_000)])
def test_the_mean_with_outages_is_the_mean_of_the_law_that_by_gives(
    interval: int, duration: int
) -> None:
    """All three describe one law, counted from the end of an outage: E T = integral of 1 - by."""
    p = 0.01
    wait = Wait(Attempts(p, T), 1, outage=Outage("x", interval * T, duration * T))
    ends = np.arange(20 * (interval + duration)) if interval < 1000 else np.arange(25_000)
    law = np.array([wait.by(float(n) * T) for n in ends])
    assert law[-1] > 1 - 1e-6
    assert wait.mean / T == pytest.approx(float(np.sum(1 - law)), rel=0.02)


def test_availability_is_the_share_of_a_long_walk() -> None:
    outage = Outage("x", 3.0, 0.7)
    assert outage.availability == pytest.approx(3000.0 / walked(3000.0, 3.0, 0.7), rel=1e-3)


def test_the_schedule_multiplies_locks_circuits_and_outages() -> None:
    outages = (Outage("calibration", 100.0, 7.0), Outage("relock", 3.0, 0.5))
    schedule = Schedule(lock_duty=0.9, hold=10.0, outages=outages)
    expected = 0.9 * (10.0 / 10.3) * (100.0 / 107.0) * (3.0 / 3.5)
    assert schedule.availability(0.3) == pytest.approx(expected, rel=1e-14)
    # independent cycles, each on its own clock
    time = np.random.default_rng(2).uniform(0, 1e6, 400_000)
    up = (time % 107.0 < 100.0) & (time % 3.5 < 3.0)
    share = Schedule(outages=outages).availability(0.0)
    assert abs(float(np.mean(up)) - share) < 5 * np.sqrt(share * (1 - share) / len(time))


# --- storage over the law of a wait -------------------------------------------------------------------

MEMORIES = (Memory(90e-6, 60e-6), Memory(40e-6, 70e-6))


def random_state(seed: int) -> State:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    state = root @ root.conj().T
    return np.asarray(state / np.trace(state))


def direct(state: State, p: float, period: float, m: int, memories: tuple[Memory, Memory]) -> State:
    """Sum over waiting times, each with its own decay; the waits that end within m attempts."""
    n = np.arange(1, m + 1)
    weight = p * np.exp((n - 1) * np.log1p(-p)) if p < 1 else (n == 1) * 1.0
    later = decay(
        np.broadcast_to(state, (m, 4, 4)),
        *(qubit_channel(memory, n * period) for memory in memories),
    )
    return np.asarray(np.einsum("n,nij->ij", weight, later) / np.sum(weight))


@pytest.mark.parametrize("p", [1e-3, 0.02, 0.3, 0.999, 1.0])
@pytest.mark.parametrize("m", [None, 1, 3, 40])
@pytest.mark.parametrize("period", [1e-6, 17e-6])
def test_a_stored_pair_is_the_sum_over_its_waiting_times(
    p: float, m: int | None, period: float
) -> None:
    state = random_state(1)
    found = stored(state, MEMORIES, Attempts(p, period), None if m is None else m * period)
    last = m if m is not None else int(40 / p) + 1
    expected = direct(state, p, period, last, MEMORIES)
    np.testing.assert_allclose(found, expected, atol=1e-11)


@pytest.mark.parametrize("p", [1e-4, 1e-6, 1e-8])
@pytest.mark.parametrize("cut", [None, 0.02, 1.0])
def test_a_pair_stored_for_a_rare_success_is_an_exponential_average(
    p: float, cut: float | None
) -> None:
    """Continuous time: every element decays at its own rate Gamma, averaged over R e^{-R t}."""
    memories = (Memory(2e-3 / p * T, 1e-3 / p * T), Memory(0.7e-3 / p * T, 1.3e-3 / p * T))
    memories = tuple(Memory(1e3 * m.T1, 1e3 * m.T2) for m in memories)  # some of the mean wait
    state, R = random_state(2), p / T
    found = stored(state, memories, Attempts(p, T), None if cut is None else cut / R)
    x, w = np.polynomial.legendre.leggauss(200)
    end = 45.0 if cut is None else cut
    times, weights = (x + 1) * end / 2, w * end / 2
    weights = weights * np.exp(-times)
    later = decay(
        np.broadcast_to(state, (200, 4, 4)), *(qubit_channel(m, times / R) for m in memories)
    )
    expected = np.einsum("n,nij->ij", weights, later) / np.sum(weights)
    # one attempt is a share p of a mean wait, and of a cut-off p/cut
    np.testing.assert_allclose(found, expected, atol=3 * p / min(1.0, cut or 1.0) + 1e-7)


@pytest.mark.parametrize("p", [1e-3, 1e-5, 1e-8])
def test_exponential_storage_is_r_over_r_plus_1_over_t(p: float) -> None:
    R = p / T
    one, two = Memory(1.0 / R, 0.5 / R), Memory(3.0 / R, 2.0 / R)
    psi = np.outer([0, 1, 1, 0], [0, 1, 1, 0]) / 2 + 0j
    found = stored(psi, (one, two), Attempts(p, T))
    assert found[1, 2].real == pytest.approx(
        0.5 * R / (R + 1 / one.T2 + 1 / two.T2), rel=3 * p + 1e-6
    )
    assert found[2, 2].real == pytest.approx(0.5 * R / (R + 1 / one.T1), rel=3 * p + 1e-6)
    assert found[1, 1].real == pytest.approx(0.5 * R / (R + 1 / two.T1), rel=3 * p + 1e-6)


@pytest.mark.parametrize("p", [1e-8, 1e-10, 1e-12, 1e-14])
@pytest.mark.parametrize("cutoff", [None, T, 1e-2])
def test_storage_keeps_the_trace_however_rare_a_success_is(p: float, cutoff: float | None) -> None:
    """A state that is stored must still be a state: purify refuses a trace that is off by 1e-6."""
    found = stored(random_state(3), MEMORIES, Attempts(p, T), cutoff)
    assert np.trace(found).real == pytest.approx(1.0, abs=1e-7)


def test_a_cutoff_of_one_attempt_waits_for_exactly_one() -> None:
    state = random_state(4)
    for p in (1e-8, 1e-4, 0.5, 1.0):
        found = stored(state, MEMORIES, Attempts(p, T), T)
        once = decay(state, *(qubit_channel(memory, T) for memory in MEMORIES))
        np.testing.assert_allclose(found, once, atol=1e-7)


def test_memories_of_a_and_b_are_not_swapped() -> None:
    state = np.diag([0, 0, 1, 0]) + 0j  # A is excited
    for short, expected in (
        ((Memory(T, T), Memory(1.0, 1.0)), 0.0),
        ((Memory(1.0, 1.0), Memory(T, T)), 1.0),
    ):
        found = stored(state, short, Attempts(0.01, T))
        assert found[2, 2].real == pytest.approx(expected, abs=0.01)


# --- how the schedule uses it ---------------------------------------------------------------------------


@given(
    reset=st.floats(0, 1e-4),
    flip=st.floats(0, 1e-6),
    feedback=st.floats(0, 1e-5),
    pump_on=st.floats(0, 1e-5),
    duty=st.floats(0.01, 1.0),
    repetition=st.floats(1e3, 1e9),
    memories=st.integers(1, 500),
    rounds=st.integers(1, 2),
    travel=st.floats(0, 1e-3),
)
def test_a_pipelined_period_is_never_below_what_one_node_must_do(
    reset: float,
    flip: float,
    feedback: float,
    pump_on: float,
    duty: float,
    repetition: float,
    memories: int,
    rounds: int,
    travel: float,
) -> None:
    gate, dead = 1e-7, 3e-8
    one = Schedule(reset, flip, feedback, pump_on, duty, repetition)
    many = replace(one, memories=memories)
    steps = (rounds, gate, dead, travel, travel)
    period = float(many.attempt_period(*steps))
    emission = rounds * gate + (rounds - 1) * max(flip, dead)
    serial = reset + emission + 2 * travel + feedback
    cooling = rounds * max(pump_on / duty, 1 / repetition)
    assert period >= (reset + emission) * (1 - 1e-12)
    assert period >= cooling * (1 - 1e-12)
    assert period <= float(one.attempt_period(*steps)) * (1 + 1e-12)
    assert memories * period >= serial * (1 - 1e-12)  # no memory is used twice at once
    best = max(serial / memories, reset + emission, cooling)
    assert period == pytest.approx(best, rel=1e-12)


def link(schedule: Schedule, length: float = 5e3) -> Link:
    grid = SpectralGrid.around(6e7, 512)
    line = 0.02 / (1 + (grid.omega / 1.2e8) ** 2)
    photon = Photon(Wave(grid, gaussian_amplitude(grid.omega, 40e-9), line), 0.3, 1.2e15)
    fibre = FibreSpan("fibre", length, 2e-4, 3e-4, 1.47)
    arms = [Arm(n, photon, (), (Loss("coupler", 1.0), fibre), Memory(3e-4, 2e-4)) for n in "AB"]
    return Link((arms[0], arms[1]), Station(Detector("d", 0.9, 10.0, 30e-9), 200e-9), schedule)


@pytest.mark.parametrize("scheme", [Scheme.SINGLE_CLICK, Scheme.TWO_CLICK])
def test_modes_raise_the_rate_to_that_of_any_herald_and_nothing_else(scheme: Scheme) -> None:
    bare = Schedule(reset=5e-6, feedback=1e-6, lock_duty=0.8)
    one = evaluate_link(link(bare), scheme)
    for modes in (2, 7, 400):
        many = evaluate_link(link(replace(bare, modes=modes)), scheme)
        p = float(one.herald_probability)
        assert many.herald_probability == pytest.approx(p)
        assert many.attempt_period == pytest.approx(one.attempt_period)
        announced = 1 - (1 - p) ** modes
        assert many.rate == pytest.approx(announced / float(one.attempt_period), rel=1e-9)
        assert many.delivered_rate == pytest.approx(0.8 * float(many.rate), rel=1e-12)
        assert many.fidelity == pytest.approx(float(one.fidelity), rel=1e-12)
        assert many.hashing_rate == pytest.approx(
            float(many.delivered_rate) * float(many.hashing), rel=1e-12
        )


@pytest.mark.parametrize("scheme", [Scheme.SINGLE_CLICK, Scheme.TWO_CLICK])
def test_memories_shorten_the_period_and_leave_the_pair_and_its_latency(scheme: Scheme) -> None:
    bare = Schedule(reset=5e-7, feedback=1e-6)
    one = evaluate_link(link(bare), scheme)
    for memories in (2, 5, 1000):
        many = evaluate_link(link(replace(bare, memories=memories)), scheme)
        own = 5e-7 + scheme.rounds * 200e-9 + (scheme.rounds - 1) * 30e-9
        expected = max(float(one.attempt_period) / memories, own)
        assert many.attempt_period == pytest.approx(expected, rel=1e-12)
        for name in ("herald_probability", "fidelity", "latency", "hashing", "kept"):
            assert getattr(many, name) == pytest.approx(getattr(one, name), rel=1e-12)
        assert many.rate == pytest.approx(
            float(one.rate) * float(one.attempt_period) / expected, rel=1e-12
        )


# --- what is refused ----------------------------------------------------------------------------------


def test_what_is_no_link_is_refused_in_a_sentence() -> None:
    attempts = Attempts(0.1, T)
    for make, words in (
        (lambda: Attempts(0.0, T), "Attempts.probability"),
        (lambda: Attempts(1.1, T), "Attempts.probability"),
        (lambda: Attempts(0.1, 0.0), "Attempts.period"),
        (lambda: Outage("lock", 0.0, 1.0), "interval"),
        (lambda: Outage("lock", 1.0, -1.0), "duration"),
        (lambda: Wait(attempts, 0), "Wait.pairs"),
        (lambda: Wait(attempts, 2, -1.0), "Wait.cutoff"),
        (lambda: Wait(attempts, 2, 0.5 * T), "keep them for at least"),
        (lambda: Wait(attempts, 3, 1.5 * T), "keep them for at least"),
        (lambda: Wait(attempts).quantile(1.0), "share"),
        (lambda: Wait(attempts).quantile(0.0), "share"),
        (lambda: Wait(attempts).by(-1.0), "deadline"),
        (lambda: stored(random_state(1), MEMORIES, attempts, 0.5 * T), "shorter than one attempt"),
        (lambda: multiplexed(1.5, 2), "probability"),
        (lambda: multiplexed(0.5, 0), "modes"),
        (lambda: both_links(0.0), "probability"),
        (lambda: measured_rate(-1.0, 0.0), "rate"),
        (lambda: Schedule(memories=0), "memories"),
        (lambda: Schedule(modes=0), "modes"),
    ):
        with pytest.raises(ParameterError, match=words):
            make()
    with pytest.raises(ValidityError, match="leave one of them out"):
        Wait(attempts, 2, 5 * T, Outage("lock", 1.0, 10 * T))


def test_a_cutoff_that_ends_in_the_first_attempt_does_not_matter_to_one_pair() -> None:
    attempts = Attempts(0.1, T)
    cut = Wait(attempts, 1, 0.1 * T, Outage("lock", 1.0, 1.0))
    free = Wait(attempts, 1, None, Outage("lock", 1.0, 1.0))
    assert cut.mean == free.mean
    assert cut.quantile(0.9) == free.quantile(0.9)


def test_a_share_beyond_the_table_is_refused_and_the_last_one_is_not() -> None:
    wait = Wait(Attempts(1e-3, T), 2, 200 * T)
    assert wait.quantile(1 - 1e-8) > wait.quantile(0.99)
    with pytest.raises(ValidityError, match="ask for less"):
        wait.quantile(1 - 1e-15)


def test_by_never_falls_and_stays_a_probability() -> None:
    for wait, end in itertools.product(
        (Wait(Attempts(1e-3, T), 2, 200 * T), Wait(Attempts(0.3, T), 3, 4 * T)), (2e-3, 1.0)
    ):
        found = [wait.by(float(t)) for t in np.linspace(0, end, 20)]
        assert np.all(np.diff(found) >= -1e-12)
        assert 0 <= found[0] <= found[-1] <= 1
