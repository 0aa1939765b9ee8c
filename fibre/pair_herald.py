r"""Clicks on one half of pair light, and what they leave in the memories of the other half.

Two squeezing sources, unequal, thermal and lossy, meet at one station: one click (Duan, Lukin,
Cirac and Zoller), or one click in each of two bins with the qubit in which of two rails holds the
idler.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.constants import Real
from cavities.errors import ParameterError
from fibre.herald import Detection, Heralded, arms_optics, click_parts, fresh
from fibre.memory import Memory
from fibre.outcomes import CLICK
from fibre.patterns import Optics, PairLight, pair_elements, pattern_probability

Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class Idler:
    r"""The half of a node's pair light that stays: moments of one temporal mode.

    Parameters
    ----------
    quanta : float or ndarray, shape (...)
        :math:`n_i=\langle b^\dagger b\rangle` at the output it leaves by [quanta], >= 0.
    cross : float or ndarray, shape (...)
        :math:`m=|\langle a b\rangle|` with the light that travels, at emission [quanta], >= 0.
    capture : float
        Probability that one of its quanta is caught by the memory [1], in (0, 1].
    noise : float
        Thermal quanta that the way into the memory adds, in it [quanta], >= 0.
    """

    quanta: Real
    cross: Real
    capture: float = 1.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        checks.number("Idler.quanta", self.quanta, "quanta", at_least=0.0)
        checks.number("Idler.cross", self.cross, "quanta", at_least=0.0)
        checks.number("Idler.capture", self.capture, "1", above=0.0, at_most=1.0)
        checks.number("Idler.noise", self.noise, "quanta", at_least=0.0)


@dataclass(frozen=True)
class Storage:
    """What waiting does to a stored mode: loss of quanta, and dephasing between their numbers.

    Parameters
    ----------
    survival : float or ndarray, shape (...)
        Probability that a quantum is still there [1].
    coherence : float or ndarray, shape (...)
        Factor on the coherence between neighbouring numbers beyond that loss [1], in [0, 1].
    """

    survival: Real = 1.0
    coherence: Real = 1.0

    def __post_init__(self) -> None:
        checks.probability("Storage.survival", self.survival)
        checks.probability("Storage.coherence", self.coherence)


def storage(memory: Memory, time: Real) -> Storage:
    r"""Storage of a mode for a time, :math:`e^{-t/T_1}` and :math:`e^{-t(1/T_2-1/2T_1)}`.

    Parameters
    ----------
    memory : Memory
        T1 and T2 of the mode that stores.
    time : float or ndarray, shape (...)
        Time [s], >= 0.
    """
    checks.number("storage: time", time, "s", at_least=0.0)
    pure = max(0.0, 1 / memory.T2 - 1 / (2 * memory.T1))
    return Storage(np.exp(-time / memory.T1), np.exp(-time * pure))


def _whole(seen: Detection) -> Detection:
    """A gate below one noise mode as one mode of fewer quanta: it holds no more of the signal's."""
    K = np.asarray(seen.noise_modes, dtype=np.float64)
    if np.all(K >= 1.0):
        return seen
    share = np.minimum(1.0, K)
    return replace(
        seen,
        noise_a=seen.noise_a * share,
        noise_b=seen.noise_b * share,
        noise_modes=np.maximum(1.0, K),
    )


def _optics(seen: Detection) -> Optics:
    r"""Two arms of pair light: each brings its quanta in its own temporal mode.

    Arm A's is u, arm B's :math:`Mu+\sqrt{1-M^2}\,w`; what the gate holds beyond one noise mode
    fills the other one of the two, and beyond two the spare ones: white light for K >= 2.
    """
    white = arms_optics(seen)
    fields = (seen.noise_a, seen.noise_b, seen.overlap, seen.noise_modes)
    n_a, n_b, M, K = np.broadcast_arrays(*(np.asarray(f, float) for f in fields))
    lead = np.broadcast_shapes(np.shape(white.noise)[:-2], K.shape)
    other, rest = np.clip(K - 1, 0.0, 1.0), np.sqrt(np.maximum(0.0, 1 - M**2))
    noise = np.zeros((*lead, 4, 4))
    for d, e in np.ndindex(2, 2):
        sign = 1.0 if d == e else -1.0
        u, w, U, W = 2 * d, 2 * d + 1, 2 * e, 2 * e + 1
        b = sign * n_b / 2
        noise[..., u, U] = n_a / 2 + b * (M**2 + other * rest**2)
        noise[..., w, W] = other * n_a / 2 + b * (rest**2 + other * M**2)
        noise[..., u, W] = noise[..., w, U] = b * (1 - other) * M * rest
    spare = np.maximum(0.0, K - 2)
    return replace(
        white, t=np.broadcast_to(white.t, (*lead, 4, 2)), noise=noise, spare=(spare, spare)
    )


def _light(optics: Optics, one: Idler, two: Idler, kept: tuple[Storage, Storage]) -> PairLight:
    eta = [np.asarray(i.capture * s.survival) for i, s in zip((one, two), kept, strict=True)]
    lead = np.broadcast_shapes(
        np.shape(optics.noise)[:-2],
        *(np.shape(e) for e in eta),
        *(np.shape(v) for i in (one, two) for v in (i.quanta, i.cross)),
    )
    idlers = np.zeros((*lead, 2, 2))
    cross = np.broadcast_to(optics.t, (*lead, 4, 2)).copy()
    for k, (idler, share) in enumerate(zip((one, two), eta, strict=True)):
        idlers[..., k, k] = share * idler.quanta + kept[k].survival * idler.noise
        cross[..., :, k] *= (np.sqrt(share) * idler.cross)[..., None]
    return PairLight(np.broadcast_to(optics.noise, (*lead, 4, 4)), idlers, cross)


def _click(
    seen: Detection, one: Idler, two: Idler, kept: tuple[Storage, Storage], phase: Real = 1.0
) -> tuple[Complex, NDArray[np.float64]]:
    """State of the two idlers, up to one quantum each, and probability, for one detector.

    `phase` is a further factor on the coherence.
    """
    seen = _whole(seen)
    held = np.asarray(kept[0].coherence) * np.asarray(kept[1].coherence) * phase
    if not seen.resolving and np.all(np.asarray(seen.overlap) == 1.0):
        return _alike(seen, one, two, kept, held)
    known = _optics(seen)
    light = _light(known, one, two, kept)
    optics = Optics(
        np.zeros((4, 0)),
        np.zeros((4, 4)),
        known.detector,
        known.dark,
        known.spare,
        known.spare_noise,
        known.spare_cross,
    )
    asked = (1, 0) if seen.resolving else (CLICK, 0)
    rho = pair_elements(light, optics, asked, (1, 1))
    probability = np.asarray(pattern_probability(light, optics, asked))
    elements = rho.reshape(*rho.shape[:-4], 4, 4)
    lead = np.broadcast_shapes(elements.shape[:-2], held.shape)
    state = np.broadcast_to(elements, (*lead, 4, 4)).copy()
    state[..., 1, 2] *= held
    state[..., 2, 1] *= held
    return state, probability


def _alike(
    seen: Detection,
    one: Idler,
    two: Idler,
    kept: tuple[Storage, Storage],
    held: NDArray[np.float64],
) -> tuple[Complex, NDArray[np.float64]]:
    r"""The same in closed form for photons that overlap fully.

    Idlers found empty leave signals of :math:`n' = n - \tau m^2/(1+b)`; with them the click is that
    of two emitters of brightness :math:`\tau m^2/(1+b)^2` under a ceiling of b/(1+b).
    """
    K, p_d = np.asarray(seen.noise_modes, float), np.asarray(seen.dark, float)
    total, left, bright, ceiling, front = [], [], [], [], np.asarray(1.0)
    arriving = ((seen.tau_a, seen.noise_a), (seen.tau_b, seen.noise_b))
    for (tau, noise), idler, storage_ in zip(arriving, (one, two), kept, strict=True):
        share = np.asarray(idler.capture * storage_.survival, float)
        b = share * idler.quanta + np.asarray(storage_.survival) * idler.noise
        square = share * np.asarray(tau) * np.square(idler.cross)
        n = np.asarray(noise, float)
        if np.any(square > np.minimum(n * (b + 1), b * (n + 1)) * (1 + 1e-9)):
            raise ParameterError(
                "pair_click: these moments are no quantum state: |m|^2 of a pair is at most "
                "n_s (n_i + 1) and n_i (n_s + 1)"
            )
        total.append(n)
        left.append(np.maximum(0.0, n - square / (1 + b)))
        bright.append(square / (1 + b) ** 2)
        ceiling.append(b / (1 + b))
        front = front / (1 + b)
    s, s_left = (total[0] + total[1]) / 2, (left[0] + left[1]) / 2
    own, quiet = np.log1p(fresh(left[0], left[1])), np.log1p(-p_d)
    spare: Real = 0.0  # of the modes beside the signal's own: one of a share, and whole ones
    others: Real = 1 - p_d
    if not np.all(K == 1.0):
        share, rest = np.clip(K - 1, 0.0, 1.0), np.maximum(0.0, K - 2)
        first = np.log1p(fresh(share * total[0], share * total[1]))
        spare = first + rest * np.log1p(fresh(total[0], total[1]))
        others = others * np.exp(-np.log1p(share * s) - rest * np.log1p(s))
    parts = click_parts(
        (bright[0], bright[1]),
        (s_left, (left[0] - left[1]) / 2),
        1.0,
        quiet - own - spare,
        (ceiling[0], ceiling[1]),
    )
    weight = front * others / (1 + s_left)
    lead = np.broadcast_shapes(weight.shape, parts[3].shape, parts[4].shape, held.shape)
    state = np.zeros((*lead, 4, 4), dtype=np.complex128)
    for index, element in enumerate(parts[:4]):
        state[..., index, index] = weight * element
    state[..., 1, 2] = state[..., 2, 1] = weight * held * parts[4]
    # one silent, less both silent: with sigma = fresh(total) the weight of both is 1/(1 + sigma)
    sigma = fresh(total[0], total[1])
    fires = -np.expm1(quiet - spare - np.log1p(sigma))
    return state, np.broadcast_to(np.asarray(others / (1 + s) * fires), lead)


def pair_click(
    seen: Detection,
    one: Idler,
    two: Idler,
    phase_rms: Real = 0.0,
    kept: tuple[Storage, Storage] = (Storage(), Storage()),
) -> Heralded:
    r"""Herald on one click of either detector between two pair sources (L17, unequal arms L18).

    Parameters
    ----------
    seen : Detection
        What the detectors see: `noise_a` and `noise_b` are all quanta in the signal's mode there,
        the pair light itself included; `tau_a` and `tau_b` count from the plane of `cross`.
    one, two : Idler
        What nodes A and B keep.
    phase_rms : float or ndarray, shape (...)
        Rms of the relative optical phase of the two arms [rad], Gaussian.
    kept : tuple of two Storage
        What happened to the idlers since; loss commutes with the click.

    Returns
    -------
    Heralded
        Qubit 1 is one idler quantum; what holds more is `beyond`, so the fidelity is that over the
        whole bosonic space. Both patterns are summed, the other sign corrected by a Z.

    Raises
    ------
    ParameterError
        If the moments are no quantum state.

    Source: Duan et al., Nature 414, 413 (2001); Krastanov et al., Phys. Rev. Lett. 127, 040503
    (2021).

    Examples
    --------
    >>> p = 0.05
    >>> idler = Idler(p, (p * (1 + p)) ** 0.5)
    >>> pair = pair_click(Detection(0.2, 0.2, 0.2 * p, 0.2 * p), idler, idler)
    >>> print(f"{pair.probability:.8f} {pair.fidelity:.6f}")     # L17a, b
    0.01960592 0.881201
    """
    checks.number("pair_click: phase_rms", phase_rms, "rad", at_least=0.0)
    lost = np.exp(-np.square(np.asarray(phase_rms)) / 2)
    state, probability = _click(seen, one, two, kept, lost)
    state *= 2
    return _beside(state, 2 * probability)


def pair_time_bin(
    seen: Detection,
    one: Idler,
    two: Idler,
    phase_change_rms: Real = 0.0,
    early: tuple[Storage, Storage] = (Storage(), Storage()),
    late: tuple[Storage, Storage] = (Storage(), Storage()),
) -> Heralded:
    r"""Herald on one click in each of two bins; the qubit is which rail holds the idler (L22i).

    .. math:: \rho_{ab} \propto R^{(e)}\otimes R^{(l)}\ \text{on one idler quantum per node}

    Parameters
    ----------
    seen : Detection
        What the detectors see in each bin, as of `pair_click`.
    one, two : Idler
        What nodes A and B keep of each bin.
    phase_change_rms : float or ndarray, shape (...)
        Rms of the change of the relative phase from bin to bin [rad], Gaussian.
    early, late : tuple of two Storage
        What happened to the idlers of each bin since.

    Returns
    -------
    Heralded
        Qubit 0 is early, 1 late; heralds that left no quantum, or more than one, in a node are
        `beyond`: `fidelity` counts them as errors, `checked.fidelity` is post-selected, and `kept`
        is the probability of that post-selection. All four patterns are summed.

    Source: Zhong et al., Phys. Rev. Lett. 124, 010511 (2020).
    """
    checks.number("pair_time_bin: phase_change_rms", phase_change_rms, "rad", at_least=0.0)
    E, p_e = _click(seen, one, two, early)
    L, p_l = _click(seen, one, two, late)
    lost = np.exp(-np.square(np.asarray(phase_change_rms)) / 2)
    coherence = lost * E[..., 2, 1] * L[..., 1, 2]
    state = np.zeros((*np.broadcast_shapes(E.shape, (*coherence.shape, 4, 4))[:-2], 4, 4), complex)
    # |A B> = early early, early late, late early, late late
    state[..., 0, 0] = E[..., 3, 3] * L[..., 0, 0]
    state[..., 1, 1] = E[..., 2, 2] * L[..., 1, 1]
    state[..., 2, 2] = E[..., 1, 1] * L[..., 2, 2]
    state[..., 3, 3] = E[..., 0, 0] * L[..., 3, 3]
    state[..., 1, 2] = coherence
    state[..., 2, 1] = np.conj(coherence)
    return _beside(4 * state, 4 * p_e * p_l)


def _beside(state: Complex, probability: NDArray[np.float64]) -> Heralded:
    inside = sum(state[..., k, k].real for k in range(4))
    return Heralded(state, np.maximum(0.0, probability - inside))


def require_idlers(one: Idler | None, two: Idler | None) -> tuple[Idler, Idler]:
    """Refuse pair protocols between nodes that make no pairs.

    Raises
    ------
    ParameterError
        If either node keeps no idler.
    """
    if one is None or two is None:
        raise ParameterError(
            "a pair protocol needs pair light from both nodes: pump both transducers blue"
        )
    return one, two
