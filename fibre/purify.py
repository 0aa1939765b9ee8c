r"""Two pairs into a better one, on the states they really are (L19).

Local gates are perfect; their errors belong to the pairs that go in.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from fibre.distil import hashing_bound, require_state
from fibre.herald import Heralded
from fibre.memory import Memory, decay, qubit_channel
from fibre.waiting import Attempts, stored

State = NDArray[np.complex128]

_FLIP = np.kron(np.eye(2), np.array([[0, 1], [1, 0]]))  # X on B: psi+ to phi+
_ROTATED = np.kron(
    np.array([[1, -1j], [-1j, 1]]) / np.sqrt(2), np.array([[1, 1j], [1j, 1]]) / np.sqrt(2)
)


class Purification(Enum):
    """How two pairs become one."""

    EPL = "EPL"
    """Bilateral CNOT, both targets found 1: removes all that is not odd; made for click heralds."""
    DEJMPS = "DEJMPS"
    """Local quarter turns, bilateral CNOT, equal results."""
    BBPSSW = "BBPSSW"
    """The pairs are made Werner states first; bilateral CNOT, equal results."""


def _after_cnot(one: State, two: State, kept: tuple[tuple[int, int], ...]) -> State:
    """Pair 1 after CNOTs onto pair 2 on both sides and these results on pair 2, not normalised."""
    a = one.reshape(*one.shape[:-2], 2, 2, 2, 2)
    b = two.reshape(*two.shape[:-2], 2, 2, 2, 2)
    lead = np.broadcast_shapes(a.shape[:-4], b.shape[:-4])
    out = np.zeros((*lead, 2, 2, 2, 2), dtype=np.complex128)
    for results in kept:
        for i in np.ndindex(2, 2, 2, 2):  # ket (A, B), bra (A, B) of pair 1
            # the target's result is its own bit plus the control's: ket and bra alike
            own = tuple(r ^ c for r, c in zip((*results, *results), i, strict=True))
            out[(..., *i)] += a[(..., *i)] * b[(..., *own)]
    return out.reshape(*lead, 4, 4)


def purify(one: State, two: State, how: Purification) -> Heralded:
    r"""Turn two pairs into one (L19).

    Parameters
    ----------
    one, two : ndarray of complex, shape (..., 4, 4)
        Normalised states aimed at :math:`|\Psi^+\rangle`, basis \|A B> = 00, 01, 10, 11.
    how : Purification
        Protocol.

    Returns
    -------
    Heralded
        The kept pair, aimed at :math:`|\Psi^+\rangle` again; its trace is the probability of
        success.

    Source: Campbell and Benjamin, Phys. Rev. Lett. 101, 130502 (2008) (EPL); Deutsch et al., Phys.
    Rev. Lett. 77, 2818 (1996); Bennett et al., Phys. Rev. Lett. 76, 722 (1996).

    Examples
    --------
    >>> from fibre.herald import PSI_PLUS
    >>> noisy = 0.7 * np.outer(PSI_PLUS, PSI_PLUS) + 0.3 * np.diag([0, 0, 0, 1])
    >>> better = purify(noisy, noisy, Purification.EPL)
    >>> print(f"{better.probability:.3f} {better.fidelity:.3f}")
    0.245 1.000
    """
    for name, state in (("one", one), ("two", two)):
        require_state(f"purify: {name}", state)
    if how is Purification.EPL:
        return Heralded(_after_cnot(one, two, ((1, 1),)))
    pairs = [_FLIP @ state @ _FLIP for state in (one, two)]
    if how is Purification.BBPSSW:
        pairs = [_werner(state) for state in pairs]
    else:
        pairs = [_ROTATED @ state @ np.conj(_ROTATED.T) for state in pairs]
    kept = _after_cnot(pairs[0], pairs[1], ((0, 0), (1, 1)))
    return Heralded(np.asarray(_FLIP @ kept @ _FLIP))


def _werner(state: State) -> State:
    phi = np.array([1.0, 0.0, 0.0, 1.0]) / np.sqrt(2)
    fidelity = np.einsum("i,...ij,j->...", phi, state, phi).real[..., None, None]
    bell = np.outer(phi, phi)
    return np.asarray(fidelity * bell + (1 - fidelity) * (np.eye(4) - bell) / 3, dtype=complex)


@dataclass(frozen=True)
class Purified:
    """What purifying a link's pairs gives.

    Parameters
    ----------
    how : Purification
        Protocol.
    probability : float
        Of success, once two pairs are there [1].
    fidelity : float
        Of the kept pair when both nodes know the result [1].
    rate : float
        Kept pairs per second [1/s].
    hashing_rate : float
        Distillable ebits per second, lower bound [1/s].
    state : ndarray of complex, shape (4, 4)
        The kept pair.
    """

    how: Purification
    probability: float
    fidelity: float
    rate: float
    hashing_rate: float
    state: State


def purified(
    pair: State,
    how: Purification,
    memories: tuple[Memory, Memory],
    attempts: Attempts,
    message: float,
    availability: float = 1.0,
) -> Purified:
    """Make a pair, store it until the next one, purify, and tell both nodes.

    Parameters
    ----------
    pair : ndarray of complex, shape (4, 4)
        Normalised pair as the link delivers it.
    how : Purification
        Protocol.
    memories : tuple of two Memory
        In which the first pair waits for the second, and the kept one for the message.
    attempts : Attempts
        Probability and period of the link.
    message : float
        Time until both nodes know the result [s], >= 0.
    availability : float
        Share of the time the link is up [1].

    Notes
    -----
    The first pair waits over the law of the second one's arrival. One pair at a time: two mean
    waits per try.
    """
    checks.number("purified: message", message, "s", at_least=0.0)
    checks.probability("purified: availability", availability)
    waited = stored(pair, memories, attempts)
    found = purify(pair, waited, how)
    # EPL and the others keep pair 1: the fresh one; the older is measured
    told = decay(found.state, *(qubit_channel(memory, message) for memory in memories))
    final = Heralded(told)
    probability = float(np.max(final.probability))
    rate = availability * probability * attempts.rate / 2
    return Purified(
        how,
        probability,
        float(np.max(final.fidelity)),
        rate,
        rate * float(np.max(hashing_bound(final.normalised))),
        final.normalised,
    )


def secret_key_fraction(state: State) -> NDArray[np.float64]:
    r"""Key bits per pair of entanglement-based BB84, asymptotic, one-way (a lower bound).

    .. math:: r = \max[0,\;1 - h(e_z) - h(e_x)]

    Parameters
    ----------
    state : ndarray of complex, shape (..., 4, 4)
        Normalised pairs aimed at :math:`|\Psi^+\rangle`.

    Returns
    -------
    ndarray, shape (...)
        Bits per pair [1]; error rates in the two bases from the state, perfect measurements.

    Source: Shor and Preskill, Phys. Rev. Lett. 85, 441 (2000).

    Examples
    --------
    >>> from fibre.herald import PSI_PLUS
    >>> round(float(secret_key_fraction(np.outer(PSI_PLUS, PSI_PLUS))), 12)
    1.0
    """
    require_state("secret_key_fraction: state", state)
    wrong_z = (state[..., 0, 0] + state[..., 3, 3]).real
    turned = 2 * (state[..., 1, 2] + state[..., 0, 3]).real
    errors = (wrong_z, (1 - turned) / 2)
    return np.asarray(np.maximum(0.0, 1 - sum(_binary_entropy(e) for e in errors)))


def _binary_entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    q = np.clip(p, 0.0, 1.0)
    parts = [np.where(x > 0, -x * np.log2(np.where(x > 0, x, 1.0)), 0.0) for x in (q, 1 - q)]
    return np.asarray(parts[0] + parts[1])
