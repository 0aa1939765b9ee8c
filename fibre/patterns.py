r"""Any click pattern behind any linear optics, exactly.

Photons of qubit emitters, of pulsed Gaussian sources with several Schmidt modes, or of small
density matrices meet beam splitters, losses and thermal noise; threshold or number-resolving
detectors report; what is left in the memories is returned with the probability as its trace.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.constants import Real
from cavities.errors import ParameterError
from fibre.outcomes import Outcomes, Parts, polynomial

Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class Optics:
    r"""Linear optics between emitters and detected modes.

    .. math:: d = t\,a + \text{noise}, \qquad N_{ij} = \langle d_j^\dagger d_i\rangle_\mathrm{noise}

    Parameters
    ----------
    t : ndarray of complex, shape (..., d, e)
        Amplitudes from each emitter's mode to each detected mode: splitters, losses, efficiencies,
        overlaps and phases inside [1].
    noise : ndarray of complex, shape (..., d, d)
        Normally ordered correlations of the noise in the detected modes [quanta], Hermitian,
        positive.
    detector : tuple of int
        Which detector looks at each detected mode; several temporal modes may share one.
    dark : float or ndarray, shape (...)
        Dark probability per gate and detector [1], in [0, 1).
    spare : tuple of float
        Further noise modes in the gate of each detector, beside the detected ones; they hold
        `spare_noise` each. Empty for none; negative where the detected modes are more than the
        gate holds.
    spare_noise : tuple of float or ndarray, shape (...)
        Their quanta per mode, per detector [quanta].
    spare_cross : ndarray, shape (..., j, j), optional
        Correlations between the detectors of one spare mode [quanta], with `spare_noise` on the
        diagonal; all detectors then have as many spare modes. Without it they are independent.

    Raises
    ------
    ParameterError
        If shapes disagree, `t` amplifies (t†t beyond one), or the noise is not a positive matrix.
    """

    t: Parts
    noise: Parts
    detector: tuple[int, ...]
    dark: Real = 0.0
    spare: tuple[Real, ...] = ()
    spare_noise: tuple[Real, ...] = ()
    spare_cross: Parts | None = None

    def __post_init__(self) -> None:
        d = len(self.detector)
        if d == 0:
            raise ParameterError(
                "Optics.detector is empty: an arm with no detector cannot herald; name at least one"
            )
        if np.ndim(self.t) < 2 or np.shape(self.t)[-2] != d:
            raise ParameterError(
                f"Optics.t must have one row per detected mode, {d}, got shape {np.shape(self.t)}"
            )
        if np.shape(self.noise)[-2:] != (d, d):
            raise ParameterError(
                f"Optics.noise must be a {d} x {d} matrix per point, got {np.shape(self.noise)}"
            )
        if sorted(set(self.detector)) != list(range(self.detectors)):
            raise ParameterError(
                "Optics.detector must number the detectors from 0 without a gap, got "
                f"{self.detector}; an arm with no detector cannot herald"
            )
        checks.number("Optics.dark", self.dark, "1", at_least=0.0, below=1.0)
        if len(self.spare) != len(self.spare_noise) or len(self.spare) not in (0, self.detectors):
            raise ParameterError("Optics.spare and spare_noise take one number per detector")
        for modes, quanta in zip(self.spare, self.spare_noise, strict=True):
            checks.number("Optics.spare", modes, "1")
            checks.number("Optics.spare_noise", quanta, "quanta", at_least=0.0)
        gram = np.swapaxes(np.conj(self.t), -1, -2) @ self.t
        most = float(np.max(np.linalg.eigvalsh(gram))) if gram.shape[-1] else 0.0
        if not most <= 1 + 1e-9:
            raise ParameterError(
                "Optics.t must not amplify: the largest eigenvalue of t†t is at most 1, got "
                f"{most:.6g}; linear optics loses light or keeps it"
            )
        low = _lowest("Optics.noise", self.noise)
        if not low >= -1e-10:
            raise ParameterError(
                "Optics.noise [quanta] must be a positive matrix, got an eigenvalue of "
                f"{low:.3g} of its largest"
            )
        _together(
            "Optics",
            (self.t, 2),
            (self.noise, 2),
            *((np.asarray(v), 0) for v in (self.dark, *self.spare, *self.spare_noise)),
        )

    @property
    def detectors(self) -> int:
        """Number of detectors."""
        return max(self.detector) + 1

    def asks(self, asked: Sequence[int]) -> Outcomes:
        """Check that every detector is asked once.

        Raises
        ------
        ParameterError
            If there are more or fewer outcomes than detectors.
        """
        if len(asked) != self.detectors:
            raise ParameterError(
                f"{self.detectors} detectors need {self.detectors} outcomes, got {tuple(asked)}"
            )
        return Outcomes(tuple(asked))


def _lowest(what: str, matrix: Parts) -> float:
    """Lowest eigenvalue of a Hermitian matrix over its largest [1].

    Raises
    ------
    ParameterError
        If an entry is not finite, or the matrix is not Hermitian.
    """
    if not np.all(np.isfinite(matrix)):
        raise ParameterError(f"{what} [quanta] must be finite, got {np.asarray(matrix)!r:.60}")
    scale = max(float(np.max(np.abs(matrix))), np.finfo(float).tiny)
    skew = float(np.max(np.abs(matrix - np.swapaxes(np.conj(matrix), -1, -2)))) / scale
    if not skew <= 1e-9:
        raise ParameterError(
            f"{what} [quanta] must be Hermitian, it differs from its adjoint by {skew:.3g} of its "
            "largest entry"
        )
    return float(np.min(np.linalg.eigvalsh(np.asarray(matrix) / scale)))


def _together(what: str, *arrays: tuple[Parts, int]) -> tuple[int, ...]:
    """Common leading shape of arrays whose last axes are not a batch.

    Raises
    ------
    ParameterError
        If they do not broadcast.
    """
    shapes = [np.shape(array)[: np.ndim(array) - own] for array, own in arrays]
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ParameterError(
            f"{what}: its fields must broadcast against each other, got batches of "
            f"{', '.join(map(str, shapes))}"
        ) from None


@dataclass(frozen=True)
class PairLight:
    r"""Pulsed Gaussian pair light: signals at the detectors, idlers in the memories.

    Zero mean, phase-insensitive: the only correlations are
    :math:`N_{ij}=\langle d_j^\dagger d_i\rangle`, :math:`B_{ij}=\langle b_j^\dagger b_i\rangle` and
    :math:`m_{ij}=\langle d_i b_j\rangle`.

    Parameters
    ----------
    signals : ndarray of complex, shape (..., d, d)
        N at the detected modes, noise included [quanta].
    idlers : ndarray of complex, shape (..., k, k)
        B of the stored modes [quanta].
    cross : ndarray of complex, shape (..., d, k)
        m between them [quanta].

    Raises
    ------
    ParameterError
        If the moments break the uncertainty relation.
    """

    signals: Parts
    idlers: Parts
    cross: Parts

    def __post_init__(self) -> None:
        d, k = np.shape(self.signals)[-1], np.shape(self.idlers)[-1]
        if (
            np.shape(self.signals)[-2:] != (d, d)
            or np.shape(self.idlers)[-2:] != (k, k)
            or np.shape(self.cross)[-2:] != (d, k)
        ):
            raise ParameterError(
                "PairLight takes signals (d, d), idlers (k, k) and cross (d, k), got shapes "
                f"{np.shape(self.signals)}, {np.shape(self.idlers)}, {np.shape(self.cross)}"
            )
        lead = _together("PairLight", (self.signals, 2), (self.idlers, 2), (self.cross, 2))
        for name in ("signals", "idlers"):
            if (
                np.shape(getattr(self, name))[-1]
                and _lowest(f"PairLight.{name}", getattr(self, name)) < -1e-10
            ):
                raise ParameterError(f"PairLight.{name} [quanta] must be a positive matrix")
        if not np.all(np.isfinite(self.cross)):
            raise ParameterError("PairLight.cross [quanta] must be finite")
        if d == 0 or k == 0:
            return
        # <v v^dag> of v = (d, b^dag): normal on one side, antinormal on the other, is a variance
        whole = np.zeros((*lead, d + k, d + k), dtype=np.complex128)
        whole[..., :d, :d] = self.signals
        whole[..., d:, d:] = np.swapaxes(self.idlers, -1, -2)
        whole[..., :d, d:] = self.cross
        whole[..., d:, :d] = np.swapaxes(np.conj(self.cross), -1, -2)
        low = np.inf
        for vacuum in (np.repeat([0.0, 1.0], [d, k]), np.repeat([1.0, 0.0], [d, k])):
            own = whole + np.diag(vacuum)
            scale = np.sqrt(np.einsum("...ii->...i", own).real)
            root = np.where(scale > 1e-140, scale, 1.0)  # an empty mode shares nothing
            low = min(
                low,
                float(np.min(np.linalg.eigvalsh(own / (root[..., :, None] * root[..., None, :])))),
            )
        if not low >= -1e-9:
            raise ParameterError(
                "PairLight: these moments are no quantum state, they undercut the uncertainty "
                f"relation by {-low:.3g} of a mode's variance; |m|^2 of one pair is at most "
                "n_s (n_i + 1) and n_i (n_s + 1)"
            )

    def stored(self, efficiency: Sequence[float] | NDArray[np.float64]) -> "PairLight":
        """Idlers behind a cold loss each: capture and storage, efficiencies [1], shape (k,)."""
        checks.probability("PairLight.stored: efficiency", np.asarray(efficiency))
        root = np.sqrt(np.asarray(efficiency, dtype=np.float64))
        return PairLight(
            self.signals, self.idlers * root[:, None] * root[None, :], self.cross * root[None, :]
        )


def _counted(
    noise: Parts, detector: tuple[int, ...], out: Outcomes
) -> tuple[Parts, list[list[Parts]]]:
    r"""Weight :math:`1/\det(1+(1-Z)N)` and :math:`K=(1-ZW)^{-1}Z`, :math:`W=N(1+N)^{-1}`.

    Detected modes are let in one after the other; each step only adds what it lets through.
    """
    d = len(detector)
    S = np.eye(d) + noise
    W = noise @ np.linalg.inv(S)
    weight = out.constant(1 / np.linalg.det(S).real)
    zero = out.constant(np.zeros(W.shape[:-2], dtype=np.complex128))
    K = [[zero for _ in range(d)] for _ in range(d)]
    seen: list[int] = []
    for i in range(d):
        z = out.fired(detector[i])
        if not np.any(z):
            continue  # a silent detector lets nothing in
        reach = {a: _sum(K[a][b] * W[..., b, i, None] for b in seen) for a in seen}  # (K W)_ai
        leave = {b: _sum(W[..., i, a, None] * K[a][b] for a in seen) for b in seen}  # (W K)_ib
        back = out.constant(W[..., i, i]) + _sum(W[..., i, a, None] * reach[a] for a in seen)
        round_trip = out.times(z, back)
        pivot = out.over(z, round_trip)
        weight = out.over(weight, round_trip)
        for a in seen:
            K[a][i] = out.times(reach[a], pivot)
            K[i][a] = out.times(pivot, leave[a])
        for a, b in product(seen, seen):
            K[a][b] = K[a][b] + out.times(K[a][i], leave[b])
        K[i][i] = pivot + zero
        seen.append(i)
    return weight, K


def _sum(terms: Iterable[Parts]) -> Parts:
    total: Parts = np.zeros(1)
    for term in terms:
        total = total + term
    return total


def _elements(
    optics: Optics,
    out: Outcomes,
    noise: Parts,
    y: Parts,
    silent: Parts,
    front: NDArray[np.float64] | float,
    numbers: Sequence[int],
) -> Complex:
    """Fock elements of front x weight(Z) x Gamma(silent + y^dag K(Z) y), the outcome's part."""
    weight, K = _counted(noise, optics.detector, out)
    d, e = y.shape[-2:]
    grown: list[list[Parts]] = []
    for i in range(e):
        row = []
        for j in range(e):
            entry = out.constant(silent[..., i, j])
            for a, b in product(range(d), range(d)):
                if np.any(K[a][b]):
                    factor = np.conj(y[..., a, i]) * y[..., b, j]
                    entry = entry + factor[..., None] * K[a][b]
            row.append(entry)
        grown.append(row)
    joint = optics.spare_cross is not None
    if optics.spare_cross is not None and optics.spare:
        one, _ = _counted(optics.spare_cross, tuple(range(optics.detectors)), out)
        weight = out.times(weight, out.raised(one.real, optics.spare[0]))
    for k in range(optics.detectors):
        weight = out.times(weight, out.dark(k, optics.dark))
        if optics.spare and not joint:
            own = out.spare(k, optics.spare[k], optics.spare_noise[k])
            weight = out.times(weight, own)
    weight = weight * np.asarray(front)[..., None]
    levels = [n + 1 for n in numbers]
    states = list(product(*(range(n) for n in levels)))
    found: dict[tuple[tuple[int, ...], tuple[int, ...]], Parts] = {}
    for n, m in product(states, states):
        if sum(n) == sum(m) and n <= m:
            found[n, m] = out.times(weight, polynomial(grown, n, m, out))[..., -1]
    lead = np.broadcast_shapes(*(np.shape(v) for v in found.values()))
    result = np.zeros((*lead, *levels, *levels), dtype=np.complex128)
    flat = result.reshape(*lead, len(states), len(states))
    at = {state: k for k, state in enumerate(states)}
    for (n, m), value in found.items():
        flat[..., at[n], at[m]] = value
        flat[..., at[m], at[n]] = np.conj(value)
    return result


def click_elements(optics: Optics, asked: Sequence[int], numbers: Sequence[int]) -> Complex:
    r"""Elements of a click pattern between the emitters' photon numbers (L24).

    .. math:: X(Z) = \frac{(1-p_d)^{\ldots}}{\det(1+(1-Z)N)}\,
              {:}e^{-a^\dagger Q(Z) a}{:}, \qquad
              1-Q = 1 - t^\dagger S^{-1}t + t^\dagger S^{-1}K(Z)S^{-1}t

    Z counts: zero for a silent detector, one minus zero for a click, the n-th power for n photons.

    Parameters
    ----------
    optics : Optics
        Between emitters and detectors.
    asked : sequence of int
        Report of each detector: 0, `fibre.outcomes.CLICK`, or a photon number.
    numbers : sequence of int
        Largest photon number of each emitter.

    Returns
    -------
    ndarray of complex, shape (..., N1 + 1, ..., Ne + 1, N1 + 1, ..., Ne + 1)
        Elements :math:`\langle n|X|m\rangle`, ket numbers first; zero unless the totals agree. A
        state with amplitudes c_s on photon numbers n_s leaves
        :math:`\rho_{ss'} = c_s c_{s'}^*\langle n_{s'}|X|n_s\rangle`.

    Raises
    ------
    ParameterError
        If outcomes or numbers do not match the detectors and emitters.

    Notes
    -----
    Relative accuracy stays near machine precision at any transmission, unless the optics itself
    cancels amplitudes.

    Source: generating functions of photon counts, Mandel and Wolf, *Optical Coherence and Quantum
    Optics*, ch. 14; permanents of linear optics, Scheel, arXiv:quant-ph/0406127.

    Examples
    --------
    >>> import numpy as np
    >>> splitter = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
    >>> optics = Optics(splitter * np.sqrt(0.3), np.zeros((2, 2)), (0, 1))
    >>> X = click_elements(optics, (-1, 0), (1, 1))
    >>> print(f"{X[1, 0, 1, 0].real:.3f} {X[1, 0, 0, 1].real:.3f} {X[1, 1, 1, 1].real:.4f}")
    0.150 0.150 0.2550
    """
    if len(numbers) != np.shape(optics.t)[-1] or min(numbers, default=0) < 0:
        raise ParameterError(
            f"click_elements: {np.shape(optics.t)[-1]} emitters need as many photon numbers >= 0, "
            f"got {tuple(numbers)}"
        )
    S = np.eye(len(optics.detector)) + optics.noise
    v = np.linalg.solve(S, optics.t)
    silent = np.eye(len(numbers)) - np.swapaxes(np.conj(optics.t), -1, -2) @ v
    out = optics.asks(asked)
    return _elements(optics, out, np.asarray(optics.noise), v, silent, 1.0, numbers)


def pair_elements(
    light: PairLight, optics: Optics, asked: Sequence[int], numbers: Sequence[int]
) -> Complex:
    r"""State of the idlers after a click pattern on the signals, not normalised (L17, L18).

    Parameters
    ----------
    light : PairLight
        Moments at the detectors and in the memories. Several Schmidt modes are several signal
        modes on one detector, with an idler each; idlers that are not stored are left out.
    optics : Optics
        Which detector sees which signal mode, dark counts and spare noise modes; its `t` holds no
        emitter, its `noise` is part of `light.signals` and stays zero here.
    asked : sequence of int
        Report of each detector.
    numbers : sequence of int
        Largest photon number of each idler that is looked at.

    Returns
    -------
    ndarray of complex, shape (..., N1 + 1, ..., Nk + 1, N1 + 1, ..., Nk + 1)
        Elements :math:`\langle n|\rho|m\rangle` over the full bosonic space of everything else.

    Source: photon-number elements of Gaussian states, Quesada et al., Phys. Rev. A 98, 062322
    (2018), in the form without cancellation that L24 has.

    Examples
    --------
    >>> import numpy as np
    >>> p, eta = 0.05, 0.2
    >>> n, m = np.eye(2) * p, np.eye(2) * np.sqrt(p * (1 + p))
    >>> t = np.array([[1, 1], [1, -1]]) * np.sqrt(eta / 2)
    >>> light = PairLight(t @ n @ t.T, n, t @ m)
    >>> none = Optics(np.zeros((2, 0)), np.zeros((2, 2)), (0, 1))
    >>> rho = pair_elements(light, none, (-1, 0), (1, 1))
    >>> print(f"{(rho[1, 0, 1, 0] + rho[1, 0, 0, 1]).real * 2:.7f}")    # F x P of L17, two patterns
    0.0172768
    """
    k = np.shape(light.idlers)[-1]
    if len(numbers) != k or min(numbers, default=0) < 0:
        raise ParameterError(
            f"pair_elements: {k} stored modes need as many photon numbers >= 0, got "
            f"{tuple(numbers)}"
        )
    if np.any(optics.noise):
        raise ParameterError("pair_elements: put the noise into PairLight.signals, not into Optics")
    if np.shape(light.signals)[-1] != len(optics.detector):
        raise ParameterError(
            f"pair_elements: light in {np.shape(light.signals)[-1]} signal modes needs as many "
            f"detected modes, got {len(optics.detector)}"
        )
    R = np.eye(k) + np.swapaxes(light.idlers, -1, -2)
    u = np.linalg.solve(R, np.swapaxes(np.conj(light.cross), -1, -2))  # (1+B^T)^-1 m^dag
    left = light.signals - light.cross @ u  # signals once the idlers are found empty
    left = (left + np.swapaxes(np.conj(left), -1, -2)) / 2
    S = np.eye(left.shape[-1]) + left
    udag = np.swapaxes(np.conj(u), -1, -2)
    y = np.linalg.solve(S, udag)
    silent = np.linalg.solve(R, np.swapaxes(light.idlers, -1, -2)) - u @ y
    front = 1 / np.linalg.det(R).real
    found = _elements(optics, optics.asks(asked), left, y, silent, front, numbers)
    lead = found.ndim - 2 * k
    order = [*range(lead), *(lead + k + i for i in range(k)), *(lead + i for i in range(k))]
    return np.asarray(found.transpose(order))  # the idlers are conjugate to the signals


def pattern_probability(
    light: PairLight, optics: Optics, asked: Sequence[int]
) -> NDArray[np.float64]:
    """Probability of a click pattern on Gaussian light, idlers traced out [1], shape (...)."""
    nothing = PairLight(
        light.signals,
        np.zeros((*np.shape(light.idlers)[:-2], 0, 0)),
        np.zeros((*np.shape(light.cross)[:-1], 0)),
    )
    return np.asarray(pair_elements(nothing, optics, asked, ()).real)


def left_behind(elements: Complex, prepared: Complex) -> Complex:
    r"""State of the emitters' qubits after a click, photon number and qubit equal.

    Parameters
    ----------
    elements : ndarray of complex, shape (..., 2, ..., 2, 2, ..., 2)
        From `click_elements` with one photon at most per emitter.
    prepared : ndarray of complex, shape (..., 2**e, 2**e)
        State of the qubits as they were prepared.

    Returns
    -------
    ndarray of complex, shape (..., 2**e, 2**e)
        Unnormalised state; its trace is the probability of the pattern.
    """
    size = np.shape(prepared)[-1]
    e = int(np.log2(size))
    X = elements.reshape(*elements.shape[: elements.ndim - 2 * e], size, size)
    return np.asarray(np.swapaxes(X, -1, -2) * prepared)
