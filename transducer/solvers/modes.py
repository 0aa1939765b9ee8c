"""Which wave packets a device really emits: mode functions from the two-time correlations."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cavities.errors import ParameterError
from cavities.wavepackets import TemporalMode
from transducer.solvers.response import PulseResponse

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class EmittedModes:
    """Packets without correlations between them, fullest first.

    Parameters
    ----------
    quanta : ndarray, shape (k,)
        Mean photon number of each [quanta].
    modes : tuple of TemporalMode
        Their shapes.
    tail : float
        Share of all quanta in the last quarter of the basis [1]: small if the basis holds them.
    """

    quanta: Array
    modes: tuple[TemporalMode, ...]
    tail: float


@dataclass(frozen=True)
class PairModes:
    r"""Packets of two ports that are correlated in pairs (Schmidt modes), strongest first.

    Parameters
    ----------
    correlations : ndarray, shape (k,)
        :math:`|\langle a_kb_k\rangle|` [quanta].
    first, second : tuple of TemporalMode
        Their shapes at the two ports.
    """

    correlations: Array
    first: tuple[TemporalMode, ...]
    second: tuple[TemporalMode, ...]

    @property
    def schmidt_number(self) -> float:
        r"""Effective number of pairs of modes, :math:`K=(\sum s^2)^2/\sum s^4` [1] (L13).

        At low gain a click in one port leaves the other with purity 1/K.
        """
        squared = self.correlations**2
        return float(np.sum(squared) ** 2 / np.sum(squared**2))


def mixed(basis: Sequence[TemporalMode], weights: Complex) -> TemporalMode:
    r"""Packet :math:`\sum_k c_kv_k` of packets of one port.

    Parameters
    ----------
    basis : sequence of TemporalMode
        Orthonormal packets of one port.
    weights : ndarray of complex, shape (k,)
        Amplitudes c, normalised.
    """

    def shape(t: Array) -> Complex:
        terms = [c * m.at(t) for c, m in zip(weights, basis, strict=True)]
        return np.asarray(np.sum(terms, axis=0))

    span = (min(m.span[0] for m in basis), max(m.span[1] for m in basis))
    breaks = tuple(sorted({b for m in basis for b in m.breaks}))
    return TemporalMode(basis[0].port, shape, span, breaks, max(m.fastest for m in basis))


def emitted(response: PulseResponse) -> EmittedModes:
    r"""Mode functions of a port: eigenvectors of :math:`\langle a_k^\dagger a_l\rangle`.

    Parameters
    ----------
    response : PulseResponse
        Of an orthonormal basis at one port, for example `TemporalMode.legendre`.

    Raises
    ------
    ParameterError
        If the basis is not orthonormal, belongs to several ports, or the response is a batch.
    """
    _require(response, range(len(response.modes)))
    N = response.normal
    values, vectors = np.linalg.eigh(N)
    order = np.argsort(values)[::-1]
    modes = tuple(mixed(response.modes, np.conj(vectors[:, k])) for k in order)
    diagonal = np.diag(N).real
    total = float(np.sum(diagonal))
    last = float(np.sum(diagonal[-max(1, len(diagonal) // 4) :]))
    return EmittedModes(values[order], modes, last / total if total > 0 else 0.0)


def pairs(response: PulseResponse, first: Sequence[int], second: Sequence[int]) -> PairModes:
    r"""Schmidt modes of a pair source: singular vectors of :math:`\langle a_kb_l\rangle`.

    Parameters
    ----------
    response : PulseResponse
        Of two orthonormal bases at two ports.
    first, second : sequence of int
        Positions of the packets of one and of the other port.

    Raises
    ------
    ParameterError
        As `emitted`.
    """
    _require(response, first)
    _require(response, second)
    M = response.anomalous[np.ix_(first, second)]
    U, s, Vh = np.linalg.svd(M)
    one = [response.modes[k] for k in first]
    two = [response.modes[k] for k in second]
    kept = range(min(M.shape))
    return PairModes(
        s,
        tuple(mixed(one, U[:, k]) for k in kept),
        tuple(mixed(two, Vh[k]) for k in kept),
    )


def _require(response: PulseResponse, which: Sequence[int]) -> None:
    if response.normal.ndim != 2:
        raise ParameterError("mode functions: a batch has many; take one point")
    index = list(which)
    if len({response.modes[k].port for k in index}) != 1:
        raise ParameterError("mode functions: the packets of a basis must belong to one port")
    overlaps = response.overlaps[np.ix_(index, index)]
    apart = float(np.max(np.abs(overlaps - np.eye(len(index)))))
    if apart > 1e-6:
        raise ParameterError(
            f"mode functions: the basis is not orthonormal (by {apart:.3g}); take "
            "TemporalMode.legendre"
        )
