"""What wave packets behind a pulsed device are made of, and every figure that follows from it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cavities.errors import ParameterError
from cavities.gaussian import GaussianState
from cavities.rules import Codes
from cavities.timeline import Timeline
from cavities.wavepackets import TemporalMode
from transducer.linear import LinearDevice

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class PulseResponse:
    r"""What wave packets at the outputs are made of.

    .. math:: y_k = \sum_j\int f_{kj}(t)\,x_{\mathrm{in},j}(t)\,dt + c_k\cdot x(t_0)

    with y_k the annihilation operator of packet k, or its creation operator where the device's
    equations hold that one.

    Parameters
    ----------
    modes : tuple of TemporalMode
        The output packets k.
    held : tuple of str
        Modes of the device whose operator at the end is asked; they follow the packets as k.
    line : Timeline
        Steps and nodes in time.
    kernels : ndarray of complex, shape (..., k, p, t)
        f at the nodes [s^-1/2].
    memory : ndarray of complex, shape (..., k, n)
        c, weights of the modes' amplitudes at the start [1].
    before : ndarray of complex, shape (..., n, n)
        :math:`\langle x_a^\dagger x_b\rangle` at the start [quanta].
    device : LinearDevice
        Ports, with occupations of shape (..., t) or (...).
    creation : tuple of bool
        Which y_k are creation operators.
    refinement : float
        Estimated error of efficiencies and moments: a fiftieth of their change when the steps were
        last halved (the order is eight), a third of it where hot baths or a measured envelope
        lower the order.
    flags : tuple of str
        What a reader must know, for example heating beyond its measured range.
    status : ndarray of int8, shape (...), optional
        A `cavities.Status` per point of a batch; figures are NaN where it is not OK.
    """

    modes: tuple[TemporalMode, ...]
    held: tuple[str, ...]
    line: Timeline
    kernels: Complex
    memory: Complex
    before: Complex
    device: LinearDevice
    creation: tuple[bool, ...]
    refinement: float = np.nan
    flags: tuple[str, ...] = ()
    status: Codes | None = None

    @cached_property
    def _quanta(self) -> Array:
        """<x_j^dag x_j> of the inputs, shape (..., p, t)."""
        rows = [
            np.asarray(port.occupation, dtype=np.float64) + port.creation
            for port in self.device.ports
        ]
        rows = [row[..., None] if row.ndim == 0 else row for row in rows]
        return np.stack(np.broadcast_arrays(*rows), axis=-2)

    def _correlate(
        self, left: Complex, right: Complex, start_l: Complex, start_r: Complex
    ) -> Complex:
        """<y_l^dag y_r> from kernels and starting weights, shape (..., k, k)."""
        weighted = right * (self._quanta * self.line.weights)[..., None, :, :]
        inside = _gram(np.conj(left), weighted)
        start = np.einsum("...ka,...ab,...lb->...kl", np.conj(start_l), self.before, start_r)
        return np.asarray(inside + start)

    @cached_property
    def _own(self) -> Complex:
        return self._correlate(self.kernels, self.kernels, self.memory, self.memory)

    @cached_property
    def overlaps(self) -> Complex:
        r"""Commutators :math:`[a_k,a_l^\dagger]` from the kernels, shape (..., k, k).

        One on the diagonal and, for orthogonal packets, zero beside it.
        """
        sign = self.device.signature[:, None] * self.line.weights
        inside = _gram(self.kernels * sign, np.conj(self.kernels))
        J = self._start_signature
        start = np.einsum("...ka,a,...la->...kl", self.memory, J, np.conj(self.memory))
        flip = np.array([-1.0 if c else 1.0 for c in self.creation])
        found = (inside + start) * flip[:, None]
        conj = np.array(self.creation)
        both = conj[:, None] & conj[None, :]
        return np.asarray(np.where(both, np.conj(found), found))

    @property
    def _start_signature(self) -> Array:
        """+1 for annihilation operators in x, -1 for creation operators, shape (n,)."""
        return np.where(self.device.kinds, -1.0, 1.0)

    @cached_property
    def normal(self) -> Complex:
        r"""Moments :math:`\langle a_k^\dagger a_l\rangle` [quanta], shape (..., k, k)."""
        if not any(self.creation):
            return self._own
        own, conj = self._own, np.array(self.creation)
        # for creation operators y = b^dag: <y_k^dag y_l> = <b_l^dag b_k> + [b_k, b_l^dag]
        turned = np.swapaxes(own - self.overlaps, -1, -2)
        both = conj[:, None] & conj[None, :]
        found = np.where(both, np.swapaxes(turned, -1, -2).conj(), own)
        return np.where(conj[:, None] == conj[None, :], found, 0.0)

    @cached_property
    def anomalous(self) -> Complex:
        r"""Moments :math:`\langle a_k a_l\rangle` [quanta], shape (..., k, k)."""
        if self.device.doubled:
            half, n = len(self.device.ports) // 2, self.memory.shape[-1] // 2
            kernels = np.conj(np.roll(self.kernels, half, axis=-2))
            memory = np.conj(np.roll(self.memory, n, axis=-1))
            return self._correlate(kernels, self.kernels, memory, self.memory)
        own, conj = self._own, np.array(self.creation)
        if not any(self.creation):
            return np.zeros_like(own)
        # k annihilation, l creation: <a_k^dag b_l^dag> = <a_k b_l>*
        upper = np.where(~conj[:, None] & conj[None, :], np.conj(own), 0.0)
        return np.asarray(upper + np.swapaxes(upper, -1, -2))

    def quanta(self, k: int = 0) -> Array:
        """Mean photon number of packet k [quanta], shape (...)."""
        return np.asarray(self.normal[..., k, k].real)

    def budget(self, k: int = 0) -> dict[str, Array]:
        """Mean photon number of packet k by port of origin, and from the ``start`` [quanta]."""
        f = self.kernels[..., k, :, :]
        kind = self.creation[k]
        shares: dict[str, Array] = {}
        for j, port in enumerate(self.device.ports):
            n = np.asarray(port.occupation, dtype=np.float64) + (port.creation != kind)
            part = np.sum(np.abs(f[..., j, :]) ** 2 * n * self.line.weights, axis=-1)
            shares[port.name] = shares[port.name] + part if port.name in shares else part
        shares["start"] = self.quanta(k) - np.sum(list(shares.values()), axis=0)
        return shares

    def amplitude(self, packet: TemporalMode, k: int = 0) -> Complex:
        r"""Amplitude from an input packet to output packet k, :math:`\int fu\,dt` [1].

        Parameters
        ----------
        packet : TemporalMode
            Input packet u at its port.
        k : int
            Output packet.
        """
        j = self.device.index(packet.port)
        u = packet.at(self.line.times)
        if self.device.ports[j].creation:
            u = np.conj(u)
        found = np.sum(self.kernels[..., k, j, :] * u * self.line.weights, axis=-1)
        return np.asarray(np.conj(found) if self.creation[k] else found)

    def largest_efficiency(self, port: str, k: int = 0) -> Array:
        r"""Efficiency into packet k from the input packet that suits it best (a matched filter).

        .. math:: \eta = \int |f_{kj}(t)|^2 dt

        Parameters
        ----------
        port : str
            Input port j.
        k : int
            Output packet.

        Returns
        -------
        ndarray, shape (...)
            Efficiency [1]; the packet itself is :math:`f_{kj}^*/\sqrt\eta`.
        """
        f = self.kernels[..., k, self.device.index(port), :]
        return np.asarray(np.sum(np.abs(f) ** 2 * self.line.weights, axis=-1))

    def from_start(self, mode: int, k: int = 0) -> Array:
        """Efficiency from a quantum that a mode of the device held at the start to packet k [1].

        Parameters
        ----------
        mode : int
            Position of the mode in the device's network.
        k : int
            Output packet.
        """
        return np.asarray(np.abs(self.memory[..., k, mode]) ** 2)

    def state(self) -> GaussianState:
        """Gaussian state of all packets, for one device.

        Raises
        ------
        ParameterError
            For a batch, or for packets that are not orthogonal.
        """
        if self.normal.ndim != 2:
            raise ParameterError("PulseResponse.state: a batch has many states; take one point")
        apart = float(np.max(np.abs(self.overlaps - np.eye(len(self.creation)))))
        if apart > 1e-6:
            raise ParameterError(
                f"PulseResponse.state: the packets overlap by {apart:.3g}; orthogonalise them first"
            )
        return GaussianState.from_correlations(self.normal, self.anomalous)


def _gram(left: Complex, right: Complex) -> Complex:
    """Sums over ports and times of products of two sets of kernels, shape (..., k, k)."""
    one = left.reshape(*left.shape[:-2], -1)
    two = right.reshape(*right.shape[:-2], -1)
    return np.asarray(one @ np.swapaxes(two, -1, -2))
