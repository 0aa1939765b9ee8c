"""M5, M6 and M10: Gaussian heralds, whole links in batches, and digits down to the faintest light."""

import time
from collections.abc import Callable

import numpy as np

from fibre.herald import Detection, Heralded, Scheme, single_click, two_click
from fibre.pair_herald import Idler, Storage, pair_click

Row = tuple[str, str, str]


def _cpu(function: Callable[[], object], repeat: int) -> float:
    times = []
    for _ in range(repeat):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return float(np.median(times))


def gaussian_herald(links: int = 200_000) -> Row:
    """M5: one click between two pair sources, in a batch, against thewalrus link by link."""
    what = f"M5 one click between two pair sources, {links} unequal links: batch / thewalrus"
    try:
        from thewalrus.quantum import density_matrix
    except ImportError:
        return what, "thewalrus is not installed: pip install -e '.[benchmark]'", ">= 1e4x  NOT RUN"
    rng = np.random.default_rng(5)
    p, warm = rng.uniform(0.005, 0.2, (2, links)), rng.uniform(0.0, 0.1, (2, links))
    eta, kept = rng.uniform(0.01, 0.6, (2, links)), rng.uniform(0.5, 1.0, links)
    n_s, n_i, m = p * (1 + warm), p * (1 + warm) + warm, np.sqrt(p * (1 + p)) * (1 + warm)

    def ours(at: slice) -> Heralded:
        e, n, k = eta[:, at], n_s[:, at], Storage(kept[at])
        seen = Detection(e[0], e[1], e[0] * n[0], e[1] * n[1])
        one, two = Idler(n_i[0, at], m[0, at]), Idler(n_i[1, at], m[1, at])
        return pair_click(seen, one, two, kept=(k, k))

    index = list(range(0, links, links // 8))
    splitter = np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2)

    def covariances(k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        t = splitter * np.sqrt(eta[:, k])
        N, B = t @ np.diag(n_s[:, k]) @ t.T, np.diag(kept[k] * n_i[:, k])
        return N, B, t * np.sqrt(kept[k]) * m[:, k]

    def as_documented(k: int) -> np.ndarray:
        """Its own heralding: n photons here, none there, summed until nothing is added."""
        N, B, cross = covariances(k)
        x = np.block([[2 * B + np.eye(2), 2 * cross.T], [2 * cross, 2 * N + np.eye(2)]])
        p_ = np.block([[2 * B + np.eye(2), -2 * cross.T], [-2 * cross, 2 * N + np.eye(2)]])
        V = np.block([[x, np.zeros((4, 4))], [np.zeros((4, 4)), p_]])  # hbar = 2, xxpp
        total, n = np.zeros((2, 2, 2, 2), complex), 1
        while True:
            one = density_matrix(np.zeros(8), V, post_select={2: n, 3: 0}, cutoff=2, hbar=2)
            total, n = total + one, n + 1
            if np.max(np.abs(one)) < 1e-14:
                return 2 * total.transpose(0, 2, 1, 3).reshape(4, 4)

    def by_hand(k: int) -> np.ndarray:
        """At its best: two conditional covariances made by hand, one hafnian table each."""
        N, B, cross = covariances(k)
        total = np.zeros((2, 2, 2, 2), complex)
        for sign, silent in ((1.0, (1,)), (-1.0, (0, 1))):
            mu = np.zeros((2, 2))
            mu[list(silent), list(silent)] = 1.0
            left = B - cross.T @ np.linalg.inv(np.eye(2) + mu @ N) @ mu @ cross
            V = np.kron(np.eye(2), 2 * left + np.eye(2))
            weight = sign / np.linalg.det(np.eye(2) + mu @ N)
            total = total + weight * density_matrix(np.zeros(4), V, cutoff=2, hbar=2)
        return 2 * total.transpose(0, 2, 1, 3).reshape(4, 4)

    block = 8192

    def batch() -> np.ndarray:
        parts = [ours(slice(k, k + block)).state for k in range(0, links, block)]
        return np.concatenate(parts)[index]

    mine = batch()
    per_link = _cpu(batch, 5) / links
    found = []
    for route in (as_documented, by_hand):
        difference = float(np.max(np.abs(mine - np.array([route(k) for k in index]))))
        found.append((_cpu(lambda r=route: [r(k) for k in index], 3) / len(index), difference))
    ratio, difference = found[0][0] / per_link, max(d for _, d in found)
    met = ratio >= 1e4 and difference <= 1e-12
    return (
        what,
        f"{ratio:.2g}x its own heralding, {found[1][0] / per_link:.2g}x two conditional tables made "
        f"by hand ({1e6 * per_link:.2f} us a link; answers agree to {difference:.0e})",
        ">= 1e4x, <= 1e-12" + ("" if met else "  MISSED"),
    )


def whole_links(points: int = 1_000_000, block: int = 8192) -> Row:
    """M6: the metro scenario with all its rows and figures, in blocks, against a python loop."""
    from transducer import evaluate, load_scenario

    scenario = load_scenario("metro")
    rng = np.random.default_rng(6)
    lengths = rng.uniform(1e2, 3e4, points)

    def at(length: float | np.ndarray) -> np.ndarray:
        found = evaluate(scenario, Scheme.TWO_CLICK, length=length)  # all 22 rows, all figures
        return np.asarray(found.delivered_rate)

    def batch() -> np.ndarray:
        parts = [at(lengths[k : k + block]) for k in range(0, points, block)]
        return np.concatenate(parts)

    some = range(0, points, points // 200)

    def loop() -> np.ndarray:
        return np.array([float(at(float(lengths[k]))) for k in some])

    ours, start = batch(), time.process_time()
    loop()
    each = (time.process_time() - start) / len(some)
    seconds = _cpu(batch, 1)
    difference = float(np.max(np.abs(ours[list(some)] / loop() - 1)))
    ratio = each / (seconds / points)
    return (
        f"M6 {points:.0e} metro links with every row and figure: batch / python loop over the same",
        f"{ratio:.3g}x ({seconds:.1f} s CPU; answers agree to {difference:.0e})",
        ">= 100x" + ("" if ratio >= 100 and difference < 1e-12 else "  MISSED"),
    )


def digits(points: int = 400) -> Row:
    """M10: herald probability, fidelity and rate against 50 digits over the whole domain."""
    import mpmath

    from fibre.schedule import Schedule

    rng = np.random.default_rng(10)
    worst = 0.0
    schedule = Schedule(reset=5e-6, feedback=1e-6, lock_duty=0.8)
    with mpmath.workdps(50):
        for _ in range(points):
            t = 10 ** rng.uniform(-15, 0, 2)
            n = rng.uniform(0, 0.3, 2) * rng.choice([0.0, 1.0], 2) * t
            dark = float(rng.choice([0.0, 10 ** rng.uniform(-12, -2)]))
            modes, overlap = float(rng.uniform(1, 6)), float(rng.uniform(0.5, 1))
            alpha = rng.uniform(1e-3, 0.5, 2)
            seen = Detection(t[0], t[1], n[0], n[1], overlap, modes, dark)
            period = float(schedule.attempt_period(1, 1e-7, 3e-8, 6e-5, 6e-5))
            for ours, theirs in (
                (single_click(seen, *alpha), _reference(seen, alpha, False)),
                (two_click(seen), _reference(seen, alpha, True)),
            ):
                rate = float(ours.probability) / period
                exact = theirs[0] / (
                    mpmath.mpf(5e-6) + mpmath.mpf(1e-7) + 2 * mpmath.mpf(6e-5) + mpmath.mpf(1e-6)
                )
                worst = max(worst, abs(float(rate / exact - 1)))
                worst = max(worst, abs(float(float(ours.fidelity) / theirs[1] - 1)))
    return (
        f"M10 rate and fidelity of {2 * points} links, transmissions 1 to 1e-15, against 50 digits",
        f"{worst:.1e} relative at most",
        "<= 1e-12" + ("" if worst <= 1e-12 else "  MISSED"),
    )


def _reference(seen: Detection, alpha: np.ndarray, twice: bool) -> tuple[object, object]:
    """Probability and fidelity from differences of silences, in 50 digits."""
    import mpmath as mp

    names = ("tau_a", "tau_b", "noise_a", "noise_b", "overlap", "noise_modes", "dark")
    ta, tb, na, nb, M, K, pd = (mp.mpf(float(getattr(seen, name))) for name in names)
    s, r = (na + nb) / 2, (na - nb) / 2

    def silence(both: bool) -> list[object]:
        """Elements 00, 01, 10, 11 and the coherence when one detector, or both, are silent."""
        if both:
            det = (1 + s) ** 2 - r**2
            # mu (1 + mu N)^-1 in the arms: diagonal
            qa, qb, qab = ta / (1 + na), tb / (1 + nb), mp.mpf(0)
            weight = (1 - pd) ** 2 * det ** (-K)
        else:
            qa, qb = ta / (2 * (1 + s)), tb / (2 * (1 + s))
            qab = -M * mp.sqrt(ta * tb) / (2 * (1 + s))
            weight = (1 - pd) * (1 + s) ** (-K)
        pair = (1 - qa) * (1 - qb) + qab**2
        return [weight * v for v in (mp.mpf(1), 1 - qb, 1 - qa, pair, -qab)]

    X = [a - b for a, b in zip(silence(False), silence(True), strict=True)]
    if twice:
        diagonal = [X[0] * X[3], X[1] * X[2], X[2] * X[1], X[3] * X[0]]
        state, coherence = [v / 4 for v in diagonal], X[4] ** 2 / 4
        total = 4 * sum(state)
        return total, 4 * ((state[1] + state[2]) / 2 + coherence) / total
    a, b = (mp.mpf(float(v)) for v in alpha)
    weights = [(1 - a) * (1 - b), (1 - a) * b, a * (1 - b), a * b]
    state = [w * x for w, x in zip(weights, X, strict=False)]
    coherence = mp.sqrt(weights[1] * weights[2]) * X[4]
    total = 2 * sum(state)
    return total, 2 * ((state[1] + state[2]) / 2 + coherence) / total
