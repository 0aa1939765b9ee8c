"""The steady state of a linear device: what its modes hold and what leaves its ports."""

import numpy as np
from numpy.typing import NDArray

from cavities.errors import ValidityError
from cavities.rules import Status
from transducer.linear import LinearDevice

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]


def stationary(A: Complex, K: NDArray[np.inexact], quanta: Array) -> Complex:
    r"""Steady second moments :math:`X_{ab}=\langle x_a^\dagger x_b\rangle` of a stable device.

    .. math:: A^* X + X A^T + K^T\,\mathrm{diag}(\langle x_\mathrm{in}^\dagger
              x_\mathrm{in}\rangle)\,K^* = 0

    Parameters
    ----------
    A : ndarray of complex, shape (..., n, n)
        Drift matrix [rad/s].
    K : ndarray, shape (..., p, n)
        Port matrix [(rad/s)^1/2].
    quanta : ndarray, shape (..., p)
        :math:`\langle x_j^\dagger x_j\rangle` of the inputs [quanta].

    Returns
    -------
    ndarray of complex, shape (..., n, n)
        Moments [quanta].

    Raises
    ------
    ValidityError
        If the device has no steady state.
    """
    n = A.shape[-1]
    if np.any(np.linalg.eigvals(A).real >= 0):
        raise ValidityError(
            "the device has no steady state to start from: a mode is not damped; give 'start'"
        )
    # x' = A x - K^dag x_in: <(K^dag x_in)_a^dag (K^dag x_in)_b> = sum_p K_pa q_p K_pb^*
    D = np.einsum("...pa,...p,...pb->...ab", K, quanta, np.conj(K))
    eye = np.eye(n)
    left = np.einsum("...ac,bd->...abcd", np.conj(A), eye) + np.einsum("ac,...bd->...abcd", eye, A)
    shape = np.broadcast_shapes(A.shape[:-2], D.shape[:-2])
    matrix = np.broadcast_to(left.reshape(*A.shape[:-2], n * n, n * n), (*shape, n * n, n * n))
    right = np.broadcast_to(-D.reshape(*D.shape[:-2], n * n, 1), (*shape, n * n, 1))
    return np.asarray(np.linalg.solve(matrix, right).reshape(*shape, n, n))


def moments(device: LinearDevice) -> Complex:
    r"""Steady moments :math:`\langle x_a^\dagger x_b\rangle` [quanta], shape (..., n, n).

    Creation-type entries of x count :math:`\langle b\,b^\dagger\rangle`.

    Parameters
    ----------
    device : LinearDevice
        Stable.

    Raises
    ------
    ValidityError
        If a single device has no steady state; a batch gives NaN at points that are not OK.
    """
    if device.status is None:
        return stationary(device.A, device.K, _quanta(device))
    bad = (device.status != Status.OK)[..., None, None]
    A = np.where(bad, -np.eye(device.A.shape[-1]), device.A)
    return np.where(bad, np.nan, stationary(A, device.K, _quanta(device)))


def fluxes(device: LinearDevice) -> dict[str, Array]:
    r"""Photons per second that a device sends out of each port, above what came in (L4).

    .. math:: F_j = \int\frac{d\omega}{2\pi}\,[N_{\mathrm{out},j}(\omega)-n_j]
              = [K^* X K^T]_{jj} - \langle x_{\mathrm{in},j}^\dagger x_{\mathrm{in},j}\rangle
              [K K^\dagger]_{jj}

    Parameters
    ----------
    device : LinearDevice
        Stable.

    Returns
    -------
    dict of str to ndarray, shape (...)
        Net flux by port [1/s]; negative where a warm port cools. Over all ports and modes of a
        passive device they add up to zero.
    """
    X, K = moments(device), device.K
    quanta = _quanta(device)
    found: dict[str, Array] = {}
    for j, port in enumerate(device.ports):
        if port.name not in found:
            row = K[..., j, :]
            inside = np.einsum("...a,...ab,...b->...", np.conj(row), X, row).real
            found[port.name] = np.asarray(
                inside - quanta[..., j] * np.sum(np.abs(row) ** 2, axis=-1)
            )
    return found


def _quanta(device: LinearDevice) -> Array:
    rows = [np.asarray(p.occupation, dtype=np.float64) + p.creation for p in device.ports]
    return np.stack(np.broadcast_arrays(*rows), axis=-1)
