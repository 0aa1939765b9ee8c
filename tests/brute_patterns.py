"""Referees of click patterns: Fock space photon by photon, and inclusion-exclusion with many digits.

Neither shares a formula with `fibre.patterns`: the first sends number states through a passive
unitary and reads the detectors off the photon numbers, the second subtracts no-click operators as
L24 and L18 write them, in mpmath.
"""

from collections.abc import Sequence
from functools import cache
from itertools import combinations, permutations, product
from math import exp, factorial, log, sqrt

import mpmath as mp
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr

CLICK = -1
Complex = NDArray[np.complex128]
State = tuple[int, ...]


# --- Fock space -----------------------------------------------------------------------------------


@cache
def sector(modes: int, total: int) -> tuple[State, ...]:
    """All ways to put `total` photons into `modes`."""
    if modes == 1:
        return ((total,),)
    return tuple((n, *rest) for n in range(total + 1) for rest in sector(modes - 1, total - n))


@cache
def up(modes: int, total: int) -> tuple[tuple[NDArray[np.int64], NDArray[np.float64]], ...]:
    """For a_i^dag on a sector: where each basis state goes, and its factor."""
    at = {state: k for k, state in enumerate(sector(modes, total + 1))}
    found = []
    for i in range(modes):
        goes = [at[(*s[:i], s[i] + 1, *s[i + 1 :])] for s in sector(modes, total)]
        found.append((np.array(goes), np.array([sqrt(s[i] + 1) for s in sector(modes, total)])))
    return tuple(found)


class Passive:
    """A passive unitary on number states: a_k^dag -> sum_i U_ik a_i^dag."""

    def __init__(self, U: Complex) -> None:
        assert np.allclose(U.conj().T @ U, np.eye(len(U)), atol=1e-12)
        self.U, self.modes = U, len(U)
        self.known: dict[State, Complex] = {(0,) * len(U): np.ones(1, dtype=complex)}

    def sent(self, state: State) -> Complex:
        """Amplitudes over `sector(modes, total)` of what the number state becomes."""
        if state not in self.known:
            k = next(i for i, n in enumerate(state) if n)
            before = self.sent((*state[:k], state[k] - 1, *state[k + 1 :]))
            out = np.zeros(len(sector(self.modes, sum(state))), dtype=complex)
            for i, (goes, factor) in enumerate(up(self.modes, sum(state) - 1)):
                out[goes] += self.U[i, k] * factor * before
            self.known[state] = out / sqrt(state[k])
        return self.known[state]


def unitary(modes: int, seed: int) -> Complex:
    """A random one, with complex entries throughout."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(modes, modes)) + 1j * rng.normal(size=(modes, modes))
    q, r = qr(z)
    return np.asarray(q * (np.diag(r) / np.abs(np.diag(r))))


def effect(asked: int, photons: int, dark: float, extra: Sequence[float] = (1.0,)) -> float:
    """Probability of a report, given photons; `extra` is a distribution of further ones."""
    total = 0.0
    rate = -log(1 - dark)
    for k, weight in enumerate(extra):
        n = photons + k
        if asked == CLICK:
            total += weight * (1 - (1 - dark) * (n == 0))
        elif n <= asked:
            total += weight * exp(-rate) * rate ** (asked - n) / factorial(asked - n)
    if asked == CLICK:  # numbers that `extra` leaves out do click
        total += 1 - sum(extra)
    return total


def thermal(means: Sequence[float], most: int) -> list[tuple[State, float]]:
    """Number states of thermal modes and their weights, up to `most` photons together."""
    found = []
    for total in range(most + 1):
        for state in sector(len(means), total) if means else [()] if total == 0 else []:
            weight = 1.0
            for n, mean in zip(state, means, strict=True):
                weight *= (mean / (1 + mean)) ** n / (1 + mean)
            if weight > 0:
                found.append((state, weight))
    return found


def fock_elements(
    optics: Passive,
    means: Sequence[float],
    detector: Sequence[int],
    asked: Sequence[int],
    states: Sequence[State],
    dark: float = 0.0,
    most: int = 6,
    extra: Sequence[Sequence[float]] | None = None,
) -> Complex:
    """Matrix <n|X|m> over emitter states; inputs are emitters, then thermal modes.

    The first outputs are those that are detected, the others are lost.
    """
    extra = extra or [(1.0,)] * len(asked)
    X = np.zeros((len(states), len(states)), dtype=complex)
    totals = sorted({sum(s) for s in states})
    assert optics.modes == len(states[0]) + len(means)
    for total in totals:
        where = [k for k, s in enumerate(states) if sum(s) == total]
        for bath, weight in thermal(means, most):
            sent = np.array([optics.sent((*states[k], *bath)) for k in where]).T
            pi = report(optics.modes, total + sum(bath), tuple(detector), tuple(asked), dark, extra)
            X[np.ix_(where, where)] += weight * (sent.conj().T * pi) @ sent
    return X


def report(
    modes: int,
    total: int,
    detector: State,
    asked: State,
    dark: float,
    extra: Sequence[Sequence[float]],
) -> NDArray[np.float64]:
    table = [[effect(a, n, dark, extra[k]) for n in range(total + 1)] for k, a in enumerate(asked)]
    out = np.ones(len(sector(modes, total)))
    basis = np.array(sector(modes, total))
    for k in range(len(asked)):
        seen = sum(basis[:, i] for i, who in enumerate(detector) if who == k)
        out *= np.array(table[k])[seen]
    return out


def box(numbers: Sequence[int]) -> list[State]:
    """Photon numbers of the emitters in the order of the elements."""
    return list(product(*(range(n + 1) for n in numbers)))


class FockPairs:
    """TMSV sources; signals and idlers each through a passive unitary with thermal baths."""

    def __init__(
        self,
        squeezing: Sequence[complex],
        signal: Complex,
        signal_baths: Sequence[float],
        idler: Complex,
        idler_baths: Sequence[float],
        most: int = 6,
    ) -> None:
        self.z = np.asarray(squeezing)  # sum_n z^n |n n> sqrt(1 - |z|^2)
        self.signal, self.signal_baths = Passive(signal), signal_baths
        self.idler, self.idler_baths = Passive(idler), idler_baths
        self.most = most

    def moments(self, detected: int, stored: int) -> tuple[Complex, Complex, Complex]:
        """N, B and m from the input-output relations."""
        k = len(self.z)
        p = np.abs(self.z) ** 2 / (1 - np.abs(self.z) ** 2)
        pair = self.z / (1 - np.abs(self.z) ** 2)  # <s x> of one source
        U, V = self.signal.U[:detected], self.idler.U[:stored]
        N = (U * np.array([*p, *self.signal_baths])) @ U.conj().T
        B = (V * np.array([*p, *self.idler_baths])) @ V.conj().T
        return N, B, (U[:, :k] * pair) @ V[:, :k].T

    def state(
        self,
        detector: Sequence[int],
        asked: Sequence[int],
        looked: Sequence[State],
        dark: float = 0.0,
    ) -> Complex:
        """Unnormalised idler state between the stored number states `looked`."""
        k, stored = len(self.z), len(looked[0])
        states = [s for total in range(self.most + 1) for s in sector(k, total)]
        X = fock_elements(self.signal, self.signal_baths, detector, asked, states, dark, self.most)
        c = np.array(
            [
                np.prod([z**n * sqrt(1 - abs(z) ** 2) for z, n in zip(self.z, s, strict=True)])
                for s in states
            ]
        )
        before = np.outer(c, c.conj()) * X.T  # rho_nn' = c_n c_n'^* <n'|X|n>
        after = np.zeros((len(looked), len(looked)), dtype=complex)
        for total in range(self.most + 1):
            where = [a for a, s in enumerate(states) if sum(s) == total]
            rho = before[np.ix_(where, where)]
            for bath, weight in thermal(self.idler_baths, self.most):
                basis = sector(self.idler.modes, total + sum(bath))
                sent = np.array([self.idler.sent((*states[a], *bath)) for a in where]).T
                lost: dict[State, list[tuple[int, int]]] = {}
                at = {s: i for i, s in enumerate(looked)}
                for row, s in enumerate(basis):
                    if s[:stored] in at:
                        lost.setdefault(s[stored:], []).append((at[s[:stored]], row))
                for pairs in lost.values():
                    to, rows = (list(v) for v in zip(*pairs, strict=True))
                    part = sent[rows]
                    after[np.ix_(to, to)] += weight * part @ rho @ part.conj().T
        return after


# --- many digits ----------------------------------------------------------------------------------


def exact(matrix: NDArray[np.generic]) -> mp.matrix:
    array = np.asarray(matrix, dtype=complex)
    out = mp.matrix(*array.shape)
    for i, j in np.ndindex(*array.shape):
        out[i, j] = mp.mpc(array[i, j].real, array[i, j].imag)
    return out


def dagger(matrix: mp.matrix) -> mp.matrix:
    return matrix.transpose_conj()


def permanent(G: mp.matrix, rows: State, columns: State) -> mp.mpc:
    """Per G[rows, columns] over the root of the factorials, term by term."""
    r = [i for i, n in enumerate(rows) for _ in range(n)]
    c = [i for i, n in enumerate(columns) for _ in range(n)]
    if len(r) != len(c):
        return mp.mpc(0)
    total = mp.mpc(0)
    for order in permutations(range(len(r))):
        term = mp.mpc(1)
        for i, j in enumerate(order):
            term *= G[r[i], c[j]]
        total += term
    norm = mp.mpf(1)
    for n in (*rows, *columns):
        norm *= mp.factorial(n)
    return total / mp.sqrt(norm)


def _solved(mu: mp.matrix, N: mp.matrix) -> tuple[mp.matrix, mp.mpf]:
    S = mp.eye(N.rows) + mu * N
    return (S**-1) * mu, mp.det(S)


def _patterns(
    silenced, detector: Sequence[int], asked: Sequence[int], dark: float, states: Sequence[State]
) -> list[list[mp.mpc]]:
    """Inclusion-exclusion for clicks, derivatives for photon numbers, of silenced(mu)."""
    p = mp.mpf(dark)
    clicked = [k for k, a in enumerate(asked) if a == CLICK]
    counted = [k for k, a in enumerate(asked) if a > 0]
    assert len(counted) <= 1

    def operator(blind: set[int], z: mp.mpf) -> list[list[mp.mpc]]:
        mu = mp.zeros(len(detector))
        weight = mp.mpf(1)
        for i, who in enumerate(detector):
            mu[i, i] = 0 if who in blind else 1 - z if who in counted else 1
        for k in range(len(asked)):
            if k in counted:
                weight *= (1 - p) ** (1 - z)
            elif k not in blind:
                weight *= 1 - p
        return [[weight * v for v in row] for row in silenced(mu, states)]

    size = len(states)
    total = [[mp.mpc(0)] * size for _ in states]
    for many in range(len(clicked) + 1):
        for silent in combinations(clicked, many):
            blind = set(clicked) - set(silent)
            if not counted:
                part = operator(blind, mp.mpf(0))
            else:  # the coefficient of z^n: a Fourier sum over a circle
                n, points = asked[counted[0]], 48
                part = [[mp.mpc(0)] * size for _ in states]
                radius = mp.mpf("1e-3")
                for k in range(points):
                    turn = mp.expjpi(mp.mpf(2 * k) / points)
                    one = operator(blind, radius * turn)
                    for i, j in product(range(size), range(size)):
                        part[i][j] += one[i][j] / (points * (radius * turn) ** n)
            for i, j in product(range(size), range(size)):
                total[i][j] += (-1) ** many * part[i][j]
    return total


def naive_clicks(
    t: Complex,
    noise: Complex,
    detector: Sequence[int],
    asked: Sequence[int],
    dark: float,
    states: Sequence[State],
    digits: int = 110,
) -> list[list[mp.mpc]]:
    """L24 as it is written: <n|X|m> over `states`."""
    with mp.workdps(digits):
        T, N = exact(t), exact(noise)

        def silenced(mu: mp.matrix, looked: Sequence[State]) -> list[list[mp.mpc]]:
            inner, det = _solved(mu, N)
            G = mp.eye(T.cols) - dagger(T) * inner * T
            return [[permanent(G, n, m) / det for m in looked] for n in looked]

        return _patterns(silenced, detector, asked, dark, states)


def naive_pairs(
    signals: Complex,
    idlers: Complex,
    cross: Complex,
    detector: Sequence[int],
    asked: Sequence[int],
    dark: float,
    states: Sequence[State],
    digits: int = 110,
) -> list[list[mp.mpc]]:
    """L18: idlers of what is left when no photon was seen; <n|rho|m> over `states`."""
    with mp.workdps(digits):
        N, B, m = exact(signals), exact(idlers), exact(cross)

        def silenced(mu: mp.matrix, looked: Sequence[State]) -> list[list[mp.mpc]]:
            inner, det = _solved(mu, N)
            if B.rows == 0:  # nothing stored: the probability alone
                return [[1 / det]]
            left = B - (dagger(m) * inner * m).T
            R = mp.eye(B.rows) + left
            W = left * R**-1
            whole = det * mp.det(R)
            return [[permanent(W, a, b) / whole for b in looked] for a in looked]

        return _patterns(silenced, detector, asked, dark, states)
