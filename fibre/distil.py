"""How much entanglement a pair is worth.

Hashing, negativity, and what is left of imperfect pairs.
"""

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.errors import ParameterError

State = NDArray[np.complex128]


def entropy_bits(state: State) -> NDArray[np.float64]:
    r"""Von Neumann entropy, :math:`-\mathrm{Tr}\rho\log_2\rho`.

    Parameters
    ----------
    state : ndarray of complex, shape (..., d, d)
        Normalised density matrices.

    Returns
    -------
    ndarray, shape (...)
        Entropy [bits].
    """
    values = np.clip(np.linalg.eigvalsh(state), 1e-300, None)
    return np.asarray(-np.sum(values * np.log2(values), axis=-1))


def require_state(what: str, state: State) -> None:
    """Refuse what is no normalised density matrix of two qubits.

    Parameters
    ----------
    what : str
        What it is called in the sentence.
    state : ndarray of complex, shape (..., 4, 4)
        The state.

    Raises
    ------
    ParameterError
        If shape, trace, Hermiticity or positivity fail; it says by how much.

    Examples
    --------
    >>> require_state("pair", np.diag([0.5, 0.6, -0.1, 0.0]) + 0j)
    Traceback (most recent call last):
    ...
    cavities.errors.ParameterError: pair must be positive, its lowest eigenvalue is -0.1
    """
    if np.shape(state)[-2:] != (4, 4) or not np.all(np.isfinite(state)):
        raise ParameterError(f"{what} must be finite 4 x 4 matrices, got shape {np.shape(state)}")
    trace = np.einsum("...ii->...", state)
    off = float(np.max(np.abs(trace - 1)))
    if off > 1e-6:
        raise ParameterError(f"{what} must have a trace of 1, it misses it by {off:.3g}; normalise")
    skew = float(np.max(np.abs(state - np.swapaxes(np.conj(state), -1, -2))))
    if skew > 1e-8:
        raise ParameterError(f"{what} must be Hermitian, it differs from its adjoint by {skew:.3g}")
    low = float(np.min(np.linalg.eigvalsh(state)))
    if low < -1e-8:
        raise ParameterError(f"{what} must be positive, its lowest eigenvalue is {low:.3g}")


def hashing_bound(state: State) -> NDArray[np.float64]:
    r"""Distillable pairs per pair by one-way hashing, a lower bound.

    .. math:: D \ge \max[0,\; S(\rho_A) - S(\rho_{AB}),\; S(\rho_B) - S(\rho_{AB})]

    Parameters
    ----------
    state : ndarray of complex, shape (..., 4, 4)
        Normalised two-qubit states, basis |A B> = 00, 01, 10, 11.

    Returns
    -------
    ndarray, shape (...)
        Ebits per pair [1]; for a Bell-diagonal state 1 - H(λ) (L19i).

    Source: Devetak and Winter, Proc. R. Soc. A 461, 207 (2005).

    Examples
    --------
    >>> bell = np.outer([0, 1, 1, 0], [0, 1, 1, 0]) / 2 + 0j
    >>> round(float(hashing_bound(bell)), 12)
    1.0
    """
    pair = state.reshape(*state.shape[:-2], 2, 2, 2, 2)
    first = np.einsum("...abcb->...ac", pair)
    second = np.einsum("...abad->...bd", pair)
    local = np.maximum(entropy_bits(first), entropy_bits(second))
    return np.maximum(0.0, local - entropy_bits(state))


def negativity(state: State) -> NDArray[np.float64]:
    r"""Negativity of two-qubit states, above zero exactly when they are entangled.

    .. math:: \mathcal N = \sum_k \max(0, -\lambda_k(\rho^{T_B}))

    Parameters
    ----------
    state : ndarray of complex, shape (..., 4, 4)
        Normalised density matrices, basis \|A B> = 00, 01, 10, 11.

    Returns
    -------
    ndarray, shape (...)
        Negativity [1], at most 1/2.

    Source: Peres, Phys. Rev. Lett. 77, 1413 (1996); Vidal and Werner, Phys. Rev. A 65, 032314
    (2002).
    """
    pair = state.reshape(*state.shape[:-2], 2, 2, 2, 2)
    transposed = np.swapaxes(pair, -3, -1).reshape(state.shape)
    values = np.linalg.eigvalsh(transposed)
    return np.asarray(np.sum(np.maximum(0.0, -values), axis=-1))


def teleported_gate_fidelity(bell_fidelity: float) -> float:
    r"""Average fidelity of a CNOT teleported through a pair, :math:`(4F+1)/5` (L23c).

    Bell-diagonal pair of fidelity `bell_fidelity` [1], perfect local gates.

    Examples
    --------
    >>> round(teleported_gate_fidelity(0.93), 3)
    0.944
    """
    checks.probability("teleported_gate_fidelity: bell_fidelity", bell_fidelity)
    return (4 * bell_fidelity + 1) / 5
