"""What a click means.

The exact, unnormalised state of two stored qubits after noisy light met two detectors.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.constants import Real
from cavities.errors import ValidityError
from fibre.memory import Memory, decay, qubit_channel

if TYPE_CHECKING:
    from fibre.patterns import Optics

State = NDArray[np.complex128]
Array = NDArray[np.float64]

PSI_PLUS = np.array([0.0, 1.0, 1.0, 0.0]) / np.sqrt(2)
"""Target state, basis |A B> = 00, 01, 10, 11.

Heralds of the other phase are corrected by a Z on one side.
"""


SHORT_GATE_NOISE = 0.05
"""Noise per mode up to which a gate may hold less than one noise mode [quanta]."""


class Scheme(Enum):
    """Heralding schemes between two emitters and a midpoint station."""

    SINGLE_CLICK = "single-click"
    """One click in one round: rate grows with the transmission, phase-sensitive (L15, L21)."""
    TWO_CLICK = "two-click"
    """One click in each of two rounds with a spin flip between them: Barrett-Kok (L16, L21)."""
    TIME_BIN = "time-bin"
    """The same in two bins of one photon each, early or late: no flip between them (L16, L21)."""
    PAIR_CLICK = "pair-click"
    """One click between two squeezing sources, idlers stored: DLCZ (L17)."""
    PAIR_TIME_BIN = "pair-time-bin"
    """One click in each of two bins of squeezed light; the idler's rail is the qubit (L22i)."""

    @property
    def rounds(self) -> int:
        """Emission rounds, and optical modes used, per attempt."""
        return 1 if self in (Scheme.SINGLE_CLICK, Scheme.PAIR_CLICK) else 2

    @property
    def encoding(self) -> str:
        """How the photon carries the qubit: by being there or not, or by when it comes."""
        return "path" if self.rounds == 1 else "time-bin"

    @property
    def pairs(self) -> bool:
        """Whether the nodes are squeezing sources (blue pump) instead of emitters (red pump)."""
        return self in (Scheme.PAIR_CLICK, Scheme.PAIR_TIME_BIN)

    @property
    def flips(self) -> bool:
        """Whether the qubits are flipped between two rounds."""
        return self is Scheme.TWO_CLICK


EMITTERS = tuple(scheme for scheme in Scheme if not scheme.pairs)
"""Schemes between qubits that emit."""


@dataclass(frozen=True)
class Detection:
    """All that the detectors see of two arms in one gate.

    Every field broadcasts against the others.

    Parameters
    ----------
    tau_a, tau_b : float or ndarray, shape (...)
        Transmission from emitter to detector of each arm, everything included [1], in [0, 1].
    noise_a, noise_b : float or ndarray, shape (...)
        Normally ordered noise quanta per mode that each arm brings to the detectors [quanta], >= 0.
    overlap : float or ndarray, shape (...)
        Amplitude overlap M of the two photons [1], in [0, 1].
    noise_modes : float or ndarray, shape (...)
        Noise modes K in one gate [1], > 0 (L24e); the modes of the photons are among them.
    dark : float or ndarray, shape (...)
        Dark probability per gate and detector [1], in [0, 1).
    resolving : bool
        Whether the detectors tell one photon from more: a click is then exactly one.
    """

    tau_a: Real
    tau_b: Real
    noise_a: Real = 0.0
    noise_b: Real = 0.0
    overlap: Real = 1.0
    noise_modes: Real = 1.0
    dark: Real = 0.0
    resolving: bool = False

    def __post_init__(self) -> None:
        checks.probability("Detection.tau_a", self.tau_a)
        checks.probability("Detection.tau_b", self.tau_b)
        checks.number("Detection.noise_a", self.noise_a, "quanta", at_least=0.0)
        checks.number("Detection.noise_b", self.noise_b, "quanta", at_least=0.0)
        checks.probability("Detection.overlap", self.overlap)
        checks.number("Detection.noise_modes", self.noise_modes, "1", above=0.0)
        checks.number("Detection.dark", self.dark, "1", at_least=0.0, below=1.0)
        mean = (np.asarray(self.noise_a) + np.asarray(self.noise_b)) / 2
        few = np.asarray(self.noise_modes) < 1.0
        if np.any(few & (mean > SHORT_GATE_NOISE)):
            worst = float(np.max(np.where(few, mean, 0.0)))
            raise ValidityError(
                f"a gate that holds less than one noise mode is valid up to {SHORT_GATE_NOISE} "
                f"noise quanta per mode, got {worst:.3g}; lengthen the gate or lower the noise"
            )


def click_operator(seen: Detection) -> NDArray[np.float64]:
    r"""Elements of "this detector clicks, the other is silent" between photon numbers (L24).

    .. math:: X_D = (1-p_d)^{|D|}\,{:}e^{-a^\dagger Q_D a}{:}\,/\det(1+\mu N)

    for the silent set D; the click is :math:`X_{\{2\}} - X_{\{1,2\}}`, and its Fock elements are
    permanents of :math:`1-Q_D`.

    Parameters
    ----------
    seen : Detection
        What the detectors see.

    Returns
    -------
    ndarray, shape (..., 4, 4)
        Elements between :math:`|n_A n_B\rangle` = 00, 01, 10, 11, for one of the two equally likely
        patterns, phased such that the coherence is positive.

    Notes
    -----
    The difference of the two no-click operators is written without cancellation: :math:`X_{12}`
    follows from :math:`X_2` by a rank-one step (block inverse), so that every term of a click is a
    sum of positive ones. Relative accuracy stays near machine precision at any transmission. Noise
    is white across the modes of a gate; a finite overlap puts the photons in two temporal modes,
    both of which see it. K keeps the mean count exactly and the no-click probability to second
    order in the noise: within 1e-4 for the noise of a useful link, 3 % where one arm brings 0.2
    quanta per mode and the other none.

    Source: photon-number generating functions of thermal light, Mandel and Wolf, *Optical Coherence
    and Quantum Optics*, ch. 14; the batched form is checked against Fock-space brute force in the
    tests.
    """
    if seen.resolving:
        return _one_photon(seen)
    t_a, t_b = np.asarray(seen.tau_a, float), np.asarray(seen.tau_b, float)
    n_a, n_b = np.asarray(seen.noise_a, float), np.asarray(seen.noise_b, float)
    M, K, p_d = seen.overlap, seen.noise_modes, seen.dark

    # behind the beam splitter: s = <d_j^dag d_j>, r = <d_+^dag d_->
    s, r = (n_a + n_b) / 2, (n_a - n_b) / 2
    weight = (1 - p_d) * np.exp(-K * np.log1p(s))
    ratio_log = np.log1p(-np.asarray(p_d)) - K * np.log1p(fresh(n_a, n_b))
    parts = click_parts((t_a, t_b), (s, r), M, ratio_log)
    shape = np.broadcast_shapes(np.shape(weight), np.shape(parts[3]), np.shape(parts[4]))
    out = np.zeros((*shape, 4, 4))
    for index, element in enumerate(parts[:4]):
        out[..., index, index] = weight * element
    out[..., 1, 2] = out[..., 2, 1] = weight * parts[4]
    return out


def fresh(noise_a: Real, noise_b: Real) -> Array:
    """Noise of one detector once the other is found empty, per mode [quanta]: a Schur complement.

    Parameters
    ----------
    noise_a, noise_b : float or ndarray, shape (...)
        Noise per mode that each arm brings to a balanced splitter [quanta], >= 0.
    """
    n_a, n_b = np.asarray(noise_a, dtype=np.float64), np.asarray(noise_b, dtype=np.float64)
    s = (n_a + n_b) / 2
    return np.asarray((s + n_a * n_b) / (1 + s))


def click_parts(
    brightness: tuple[Array, Array],
    noise: tuple[Array, Array],
    overlap: Real,
    ratio_log: Real,
    ceilings: tuple[Real, Real] = (1.0, 1.0),
) -> tuple[Array, Array, Array, Array, Array]:
    r"""One detector's click over its silence weight, element by element, without cancellation.

    .. math:: \mathrm{per}\,G - e^{\rho}\,\mathrm{per}(G - d)

    with :math:`G = c - Q` when the other detector is silent and :math:`G - d` when both are.

    Parameters
    ----------
    brightness : tuple of two ndarray, shape (...)
        Squared amplitudes of the arms' photons at the splitter [1].
    noise : tuple of two ndarray, shape (...)
        s and r: half the sum and half the difference of the arms' noise per mode [quanta].
    overlap : float or ndarray, shape (...)
        Amplitude overlap of the photons [1].
    ratio_log : float or ndarray, shape (...)
        ρ, logarithm of the weight of both silent over one silent [1], <= 0.
    ceilings : tuple of two float or ndarray, shape (...)
        c of each arm: 1 for emitters, b/(1+b) for idlers of b quanta [1].

    Returns
    -------
    tuple of five ndarray, shape (...)
        Elements 00, 01, 10, 11 and the coherence 01-10.
    """
    (t_a, t_b), (s, r), M = brightness, noise, overlap
    c_a, c_b = ceilings
    rho = r / (1 + s)
    sigma = 1 + (s + s**2 - r**2) / (1 + s)
    ratio, missing = np.exp(ratio_log), -np.expm1(ratio_log)
    root = np.sqrt(t_a * t_b)
    q_aa, q_bb, q_ab = t_a / (2 * (1 + s)), t_b / (2 * (1 + s)), -M * root / (2 * (1 + s))
    d_aa = t_a * (1 - rho) ** 2 / (2 * sigma)
    d_bb = t_b * (1 + rho) ** 2 / (2 * sigma)
    d_ab = M * root * (1 - rho**2) / (2 * sigma)
    g_aa, g_bb = c_a - q_aa, c_b - q_bb
    both = d_aa * g_bb + d_bb * g_aa - d_aa * d_bb - d_ab**2 - 2 * q_ab * d_ab
    return (
        np.asarray(missing),
        np.asarray(missing * g_bb + ratio * d_bb),
        np.asarray(missing * g_aa + ratio * d_aa),
        np.asarray(missing * (g_aa * g_bb + q_ab**2) + ratio * both),
        np.asarray(ratio * d_ab - missing * q_ab),
    )


def arms_optics(seen: Detection) -> "Optics":
    r"""Two arms on a balanced splitter as general optics: two temporal modes per detector.

    Mode u is that of arm A's photon; arm B's is M u and the rest w, which sees noise like u. The
    other K - 2 noise modes of the gate are spare.

    Parameters
    ----------
    seen : Detection
        What the detectors see.

    Returns
    -------
    Optics
        Detected modes (1, u), (1, w), (2, u), (2, w); emitters A and B.
    """
    from fibre.patterns import Optics

    fields = (seen.tau_a, seen.tau_b, seen.noise_a, seen.noise_b, seen.overlap, seen.noise_modes)
    t_a, t_b, n_a, n_b, M, K = np.broadcast_arrays(*(np.asarray(f, float) for f in fields))
    t = np.zeros((*t_a.shape, 4, 2))
    noise = np.zeros((*t_a.shape, 4, 4))
    s, r = (n_a + n_b) / 2, (n_a - n_b) / 2
    rest = np.sqrt(np.maximum(0.0, 1 - M**2))
    for detector, sign in ((0, 1.0), (1, -1.0)):
        u, w = 2 * detector, 2 * detector + 1
        t[..., u, 0] = np.sqrt(t_a / 2)
        t[..., u, 1] = sign * M * np.sqrt(t_b / 2)
        t[..., w, 1] = sign * rest * np.sqrt(t_b / 2)
        for mode in (u, w):
            noise[..., mode, mode] = s
            noise[..., mode, (mode + 2) % 4] = r
    cross = noise[..., [0, 2], :][..., [0, 2]]
    return Optics(t, noise, (0, 0, 1, 1), seen.dark, (K - 2, K - 2), (s, s), cross)


def _one_photon(seen: Detection) -> NDArray[np.float64]:
    """Elements of "exactly one photon here, none there" between photon numbers."""
    from fibre.patterns import click_elements

    found = click_elements(arms_optics(seen), (1, 0), (1, 1))
    out: NDArray[np.float64] = found.reshape(*found.shape[:-4], 4, 4).real
    return out


@dataclass(frozen=True)
class Heralded:
    """The state that a herald announces, not normalised.

    Its trace, and what lies beyond the two qubits, is the probability of the herald.

    Parameters
    ----------
    state : ndarray of complex, shape (..., 4, 4)
        Unnormalised density matrix of the two stored qubits, basis |A B> = 00, 01, 10, 11 [1].
    beyond : float or ndarray, shape (...)
        Probability of a herald that left no pair of qubits: an empty rail, several quanta [1].
    """

    state: State
    beyond: Real = 0.0

    @property
    def probability(self) -> NDArray[np.float64]:
        """Probability of the herald per attempt [1]."""
        return np.asarray(self.inside + self.beyond)

    @property
    def inside(self) -> NDArray[np.float64]:
        """Probability of a herald that left a pair of qubits [1]."""
        return np.asarray(np.einsum("...ii->...", self.state).real)

    @property
    def kept(self) -> NDArray[np.float64]:
        """Share of the heralds that a check of both memories would keep [1]."""
        return np.asarray(self.inside / self.probability)

    @property
    def checked(self) -> "Heralded":
        """The pair once both memories were found to hold a qubit."""
        return Heralded(self.state)

    @property
    def normalised(self) -> State:
        """Density matrix of the pair once heralded, trace 1 less what lies beyond."""
        return np.asarray(self.state / self.probability[..., None, None])

    @property
    def fidelity(self) -> NDArray[np.float64]:
        r"""Fidelity with :math:`|\Psi^+\rangle` [1]."""
        return np.asarray(np.einsum("i,...ij,j->...", PSI_PLUS, self.normalised, PSI_PLUS).real)


def prepared_pair(bright_a: Real, bright_b: Real) -> NDArray[np.float64]:
    """Coherent product of two qubits with these bright populations [1], shape (..., 4, 4)."""
    a, b = np.broadcast_arrays(np.asarray(bright_a, float), np.asarray(bright_b, float))
    one = np.stack([np.sqrt(1 - a), np.sqrt(a)], axis=-1)
    two = np.stack([np.sqrt(1 - b), np.sqrt(b)], axis=-1)
    c = (one[..., :, None] * two[..., None, :]).reshape(*a.shape, 4)
    return np.asarray(c[..., :, None] * c[..., None, :])


def _dephased(state: State, phase_rms: Real) -> State:
    factor = np.ones((4, 4))
    factor = np.broadcast_to(factor, (*np.shape(phase_rms), 4, 4)).copy()
    lost = np.exp(-np.square(phase_rms) / 2)
    factor[..., 1, 2] = factor[..., 2, 1] = lost
    return np.asarray(state * factor)


def single_click(
    seen: Detection, bright_a: Real, bright_b: Real, phase_rms: Real = 0.0
) -> Heralded:
    r"""Herald on one click of either detector (L15 with noise: L21, unequal arms: L24).

    Parameters
    ----------
    seen : Detection
        What the detectors see.
    bright_a, bright_b : float or ndarray, shape (...)
        Bright-state populations α of the two emitters [1], in [0, 1].
    phase_rms : float or ndarray, shape (...)
        Rms of the relative optical phase of the two arms [rad], Gaussian.

    Returns
    -------
    Heralded
        At the instant the emission ended; memories have not decayed yet.

    Notes
    -----
    Both patterns are summed; the one with the other sign is corrected by a Z. Threshold detectors:
    two photons on one detector count as one click.

    Source: Cabrillo et al., Phys. Rev. A 59, 1025 (1999); Hermans et al., arXiv:2208.07449.

    Examples
    --------
    >>> pair = single_click(Detection(0.05, 0.05), 0.1, 0.1)
    >>> print(f"{pair.probability:.6f} {pair.fidelity:.6f}")     # L15
    0.009975 0.902256
    """
    checks.probability("single_click: bright_a", bright_a)
    checks.probability("single_click: bright_b", bright_b)
    checks.number("single_click: phase_rms", phase_rms, "rad", at_least=0.0)
    state = 2 * click_operator(seen) * prepared_pair(bright_a, bright_b)
    return Heralded(_dephased(state.astype(np.complex128), phase_rms))


def two_click(
    seen: Detection,
    phase_change_rms: Real = 0.0,
    memories: tuple[Memory, Memory] | None = None,
    gap: float = 0.0,
    afterpulse: float = 0.0,
) -> Heralded:
    r"""Herald on one click in each of two rounds with a spin flip between (L16; with noise L21).

    Parameters
    ----------
    seen : Detection
        What the detectors see in each round.
    phase_change_rms : float or ndarray, shape (...)
        Rms of the change of the relative optical phase from round to round [rad], Gaussian; a phase
        that is the same in both rounds drops out.
    memories : tuple of two Memory, optional
        Qubits that wait between the rounds; None is a perfect wait.
    gap : float
        Time between the two emissions [s], >= 0.
    afterpulse : float
        Probability of a false click in the second round [1], taken for both detectors, of which
        only the one that clicked has it: an upper estimate.

    Returns
    -------
    Heralded
        At the instant the second emission ended.

    Source: Barrett and Kok, Phys. Rev. A 71, 060310 (2005).

    Examples
    --------
    >>> pair = two_click(Detection(0.3, 0.3, overlap=0.95))
    >>> print(f"{pair.probability:.6f} {pair.fidelity:.6f}")     # eta^2/2, (1 + M^2)/2
    0.045000 0.951250
    """
    checks.number("two_click: phase_change_rms", phase_change_rms, "rad", at_least=0.0)
    checks.number("two_click: gap", gap, "s", at_least=0.0)
    checks.number("two_click: afterpulse", afterpulse, "1", at_least=0.0, below=1.0)
    click = click_operator(seen)
    state = (click * prepared_pair(0.5, 0.5)).astype(np.complex128)
    if memories is not None:
        one, two = memories
        state = decay(state, qubit_channel(one, gap), qubit_channel(two, gap))
    state = state[..., ::-1, ::-1]  # flip both qubits: who was dark now emits
    if afterpulse > 0:
        dark = 1 - (1 - np.asarray(seen.dark)) * (1 - afterpulse)
        click = click_operator(replace(seen, dark=dark))
    state = 4 * click * state
    return Heralded(_dephased(state, phase_change_rms))
