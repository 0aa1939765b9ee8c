"""The exact answer of a linear device.

Its scattering matrix at every frequency, and every bath seen through it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.errors import ParameterError, ValidityError
from cavities.rules import Status
from transducer.conversion import Conversion, half_power_width
from transducer.linear import LinearDevice
from transducer.tabulated import Tabulated

BLOCK = 8192
"""Frequencies and batch points solved at once: keeps memory flat and the cache warm."""

Complex = NDArray[np.complex128]


def scatter(device: LinearDevice | Tabulated, omega: NDArray[np.float64]) -> Complex:
    r"""Scattering matrix between all ports (L1, L4).

    .. math:: S(\omega) = 1 - K(-i\omega - A)^{-1}K^\dagger

    Parameters
    ----------
    device : LinearDevice or Tabulated
        A of shape (..., n, n); its batch axes broadcast against those of `omega`.
    omega : ndarray, shape (...)
        Offset from the frame [rad/s]. For a batch of devices at several frequencies give both an
        axis: A (b, 1, n, n) and omega (w,) give S (b, w, p, p).

    Returns
    -------
    ndarray of complex, shape (..., p, p)
        Row: port out. Column: port in. :math:`S J S^\dagger = J`, unitary for a beam splitter.
        NaN at points of a batch whose status is not OK.

    Source: Gardiner and Collett, Phys. Rev. A 31, 3761 (1985), with the sign of SLH.
    """
    checks.number("scatter: omega", omega, "rad/s")
    omega = np.asarray(omega, dtype=np.float64)
    if isinstance(device, Tabulated):
        return device.scatter(omega)
    n = device.A.shape[-1]
    ports = len(device.ports)
    batch = np.broadcast_shapes(device.A.shape[:-2], device.K.shape[:-2], omega.shape)
    size = int(np.prod(batch, dtype=np.int64))
    drift = np.broadcast_to(device.A, (*batch, n, n)).reshape(size, n, n)
    coupling = np.broadcast_to(device.K, (*batch, ports, n)).reshape(size, ports, n)
    frequency = np.broadcast_to(omega, batch).reshape(size)
    out = np.empty((size, ports, ports), dtype=np.complex128)
    for start in range(0, size, BLOCK):
        at = slice(start, start + BLOCK)
        K = coupling[at]
        pencil = -1j * frequency[at, None, None] * np.eye(n) - drift[at]
        response = np.linalg.solve(pencil, np.conj(np.swapaxes(K, -1, -2)).astype(np.complex128))
        out[at] = np.eye(ports) - K @ response
    S = out.reshape(*batch, ports, ports)
    if device.status is not None:
        S[np.broadcast_to(device.status != Status.OK, batch)] = np.nan
    return S


def noise_by_port(
    device: LinearDevice | Tabulated, S: Complex, target: str, creation: bool | None = None
) -> dict[str, NDArray[np.float64]]:
    r"""Output noise at one port, by the port where it comes in (L3, L4).

    .. math:: N_\mathrm{out} = \sum_{j\,\text{same kind}} |S_{ij}|^2 n_j
              + \sum_{j\,\text{other kind}} |S_{ij}|^2 (n_j+1)

    Parameters
    ----------
    device : LinearDevice
        Its ports carry the occupations.
    S : ndarray of complex, shape (..., p, p)
        From `scatter`.
    target : str
        Port at whose output the noise is counted.
    creation : bool, optional
        Which of its two rows to take where every port stands twice: that of the creation operator
        counts the noise at minus the frequency.

    Returns
    -------
    dict of str to ndarray, shape (...)
        Normally ordered quanta at the target port, per mode.
    """
    i = device.index(target, creation)
    return _shares(device, S[..., i, :], device.ports[i].creation)


def _shares(
    device: LinearDevice | Tabulated, row: Complex, kind: bool
) -> dict[str, NDArray[np.float64]]:
    """Output noise of one port by the port where it comes in, from its row of S."""
    noise: dict[str, NDArray[np.float64]] = {}
    for j, port in enumerate(device.ports):
        quanta = np.asarray(port.occupation) + (port.creation != kind)
        amplitude = row[..., j]
        share = np.asarray((np.square(amplitude.real) + np.square(amplitude.imag)) * quanta)
        noise[port.name] = noise[port.name] + share if port.name in noise else share
    return noise


def convert(
    device: LinearDevice | Tabulated, source: str, target: str, omega: NDArray[np.float64]
) -> Conversion:
    """Efficiency and noise from one port to another.

    Parameters
    ----------
    device : LinearDevice
        A stable device.
    source, target : str
        Port names. Efficiency is from the input of `source` to the output of `target`; noise is
        normally ordered, at the output of `target`.
    omega : ndarray, shape (n,)
        Offset of the signal from the frame [rad/s].

    Returns
    -------
    Conversion
        With the contribution of every port.
    """
    checks.number("convert: omega", omega, "rad/s")
    conjugate = device.ports[device.index(target)].creation
    w = np.asarray(omega, dtype=np.float64)
    # the row of a creation operator at -w is the conjugate of its mode at w
    row = _row(device, -w if conjugate else w, device.index(target))
    contributions = _shares(device, row, conjugate)
    total = sum(contributions.values(), start=np.zeros(()))
    amplitude = row[..., device.index(source)]
    amplitude = np.conj(amplitude) if conjugate else amplitude
    status = device.status if isinstance(device, LinearDevice) else None
    return Conversion(
        np.asarray(omega, float),
        amplitude,
        np.asarray(total),
        source,
        target,
        "scattering",
        contributions,
        status=status,
    )


def _row(device: LinearDevice | Tabulated, omega: NDArray[np.float64], i: int) -> Complex:
    """One row of S, what reaches port i from all ports, shape (..., p): one solve instead of p."""
    if isinstance(device, Tabulated):
        return device.scatter(omega)[..., i, :]
    n = device.A.shape[-1]
    shape = np.broadcast_shapes(device.A.shape[:-2], device.K.shape[:-2], omega.shape)
    A = np.swapaxes(device.A, -1, -2)
    # (-i w - A)^T y = K_i; S_ij = delta_ij - y . K_j^*
    y = np.empty((*shape, n), dtype=np.complex128)
    for part in blocks(shape):
        w = np.broadcast_to(omega, shape)[part]
        pencil = -1j * w[..., None, None] * np.eye(n) - np.broadcast_to(A, (*shape, n, n))[part]
        right = np.broadcast_to(device.K[..., i, :], (*shape, n))[part][..., None]
        y[part] = solved(pencil, right.astype(np.complex128))[..., 0]
    row = -(y @ np.conj(device.K).T if device.K.ndim == 2 else _along(np.conj(device.K), y))
    row[..., i] += 1
    if device.status is not None:
        row[np.broadcast_to(device.status != Status.OK, shape)] = np.nan
    return np.asarray(row)


def _along(K: NDArray[np.inexact], y: Complex) -> Complex:
    return np.asarray((K @ y[..., None])[..., 0])


def solved(matrix: Complex, right: Complex) -> Complex:
    """Solutions of many small systems; two unknowns by Cramer's rule, which numpy does in one go.

    Parameters
    ----------
    matrix : ndarray of complex, shape (..., n, n)
        Systems.
    right : ndarray of complex, shape (..., n, k)
        Right-hand sides.
    """
    if matrix.shape[-1] != 2:
        return np.asarray(np.linalg.solve(matrix, right), dtype=np.complex128)
    a, b = matrix[..., 0, 0], matrix[..., 0, 1]
    c, d = matrix[..., 1, 0], matrix[..., 1, 1]
    inverse = (1.0 / (a * d - b * c))[..., None]
    first, second = right[..., 0, :], right[..., 1, :]
    one = (d[..., None] * first - b[..., None] * second) * inverse
    two = (a[..., None] * second - c[..., None] * first) * inverse
    return np.stack([one, two], axis=-2)


def blocks(shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Slices of the first axis that hold about `BLOCK` points each; all of a small batch at once.

    Parameters
    ----------
    shape : tuple of int
        Shape of the batch.
    """
    if not shape or int(np.prod(shape)) <= BLOCK:
        yield (slice(None),) * len(shape)
        return
    step = max(1, BLOCK * shape[0] // int(np.prod(shape)))
    for start in range(0, shape[0], step):
        yield (slice(start, start + step), *((slice(None),) * (len(shape) - 1)))


def bandwidth(
    device: LinearDevice | Tabulated, source: str, target: str, scale: float, centre: float = 0.0
) -> float:
    """Full width at half maximum of a conversion (L2), between the outermost half points.

    Parameters
    ----------
    device : LinearDevice
        One stable device.
    source, target : str
        Port names.
    scale : float
        Any width of the order of the line's, for example the largest linewidth [rad/s], > 0.
    centre : float
        Any offset inside the line [rad/s].

    Returns
    -------
    float
        Width [rad/s].

    Raises
    ------
    ValidityError
        If nothing is converted.
    """
    i, j = device.index(target), device.index(source)
    if isinstance(device, LinearDevice) and device.A.ndim != 2:
        raise ParameterError(
            f"bandwidth: it takes one device, got a batch of shape {device.A.shape[:-2]}; loop"
        )
    if isinstance(device, Tabulated):
        line = np.abs(device.S[:, i, j]) ** 2
        if max(line[0], line[-1]) > np.max(line) / 2:
            raise ValidityError(
                "the half-power points of this conversion lie outside the measured range; measure "
                "further"
            )
        device = replace(device, closed=True)

    def efficiency(omega: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.abs(scatter(device, centre + omega)[..., i, j]) ** 2)

    return half_power_width(efficiency, scale)


@dataclass(frozen=True)
class PairMoments:
    """Normally ordered moments of two output ports at one frequency.

    Parameters
    ----------
    n_1, n_2 : ndarray, shape (...)
        Occupations per mode [quanta]; port 1 at ω, port 2 at -ω.
    m : ndarray of complex, shape (...)
        Anomalous moment of the two [quanta].
    """

    n_1: NDArray[np.float64]
    n_2: NDArray[np.float64]
    m: Complex


def pair_moments(
    device: LinearDevice, first: str, second: str, omega: NDArray[np.float64]
) -> PairMoments:
    r"""Moments of a squeezed pair of outputs, an annihilation- and a creation-type port (L4, L5).

    .. math:: m = \sum_j S_{1j} S_{2j}^* \,(n_j + [j\,\text{annihilation-type}])

    Parameters
    ----------
    device : LinearDevice
        Below threshold.
    first : str
        Port of an annihilation operator (a at ω).
    second : str
        Port of a creation operator (b at -ω).
    omega : ndarray, shape (...)
        Frequency [rad/s].
    """
    S = scatter(device, omega)
    i, k = device.index(first, creation=False), device.index(second, creation=True)
    n_1 = np.sum(list(noise_by_port(device, S, first, False).values()), axis=0)
    n_2 = np.sum(list(noise_by_port(device, S, second, True).values()), axis=0)
    # <a_out b_out>: b_out = conj(row k); an annihilation-type input gives <c c^dag> = n + 1, a
    # creation-type one n
    order = np.array([0.0 if port.creation else 1.0 for port in device.ports])
    occupations = np.broadcast_arrays(*(np.asarray(port.occupation) for port in device.ports))
    quanta = np.stack(occupations, axis=-1) + order
    m = np.sum(S[..., i, :] * np.conj(S[..., k, :]) * quanta, axis=-1)
    return PairMoments(n_1, n_2, np.asarray(m))
