"""The narrow waist.

Any Gaussian device is a drift matrix, a port matrix and a bath at every port.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.constants import Real
from cavities.errors import ParameterError
from cavities.rules import Codes, Rule, Status, settle
from transducer.network import Amplitude, Mixing, Network

Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class Port:
    """One door of one mode.

    Parameters
    ----------
    name : str
        For example ``microwave.waveguide``.
    occupation : float or ndarray, shape (...)
        Normally ordered occupation of the bath that comes in [quanta], >= 0.
    creation : bool
        True if the vector x holds the creation operator of this port's mode.
    """

    name: str
    occupation: Real
    creation: bool = False

    def __post_init__(self) -> None:
        checks.number(f"Port {self.name}: occupation", self.occupation, "quanta", at_least=0.0)


def same(one: object, other: object) -> bool:
    """Whether two records of one class hold equal fields, arrays compared whole."""
    return all(
        np.array_equal(getattr(one, f.name), getattr(other, f.name))
        for f in fields(one)  # type: ignore[arg-type]
    )


@dataclass(frozen=True, eq=False)
class LinearDevice:
    r"""Linear quantum Langevin equations in the frame of pump and reference.

    .. math:: \dot x = A x - K^\dagger x_\mathrm{in}, \qquad x_\mathrm{out} = x_\mathrm{in} + K x

    x holds annihilation operators, or creation operators for modes that a squeezing interaction
    mixes in. Where counter-rotating terms need an operator and its conjugate both, x holds all
    annihilation operators and then all creation operators, and every port stands twice under one
    name.

    Parameters
    ----------
    A : ndarray of complex, shape (..., n, n)
        Drift matrix [rad/s], loss included.
    K : ndarray, shape (..., p, n)
        Port matrix [rad^1/2 s^-1/2]: element (port, mode) is the root of the port's decay rate.
    ports : tuple of Port
        All p doors; loss channels are ports too.
    kinds : tuple of bool
        Which entries of x are creation operators; read off the ports if left out.
    status : ndarray of int8, shape (...), optional
        A `cavities.rules.Status` per point of a batch; points that are not OK give NaN.

    Raises
    ------
    ParameterError
        If the shapes do not match.
    """

    A: Complex
    K: NDArray[np.float64] | Complex
    ports: tuple[Port, ...]
    kinds: tuple[bool, ...] = ()
    status: Codes | None = None

    def __eq__(self, other: object) -> bool:
        """Equal in every number: arrays are compared whole."""
        return isinstance(other, LinearDevice) and same(self, other)

    __hash__ = object.__hash__

    def __post_init__(self) -> None:
        n = self.A.shape[-1]
        if not self.kinds:
            object.__setattr__(self, "kinds", self._kinds_of_ports())
        if self.A.shape[-2:] != (n, n) or self.K.shape[-2:] != (len(self.ports), n):
            raise ParameterError(
                f"LinearDevice: A {self.A.shape}, K {self.K.shape} and {len(self.ports)} ports do "
                "not fit together"
            )

    def _kinds_of_ports(self) -> tuple[bool, ...]:
        creation = np.array([port.creation for port in self.ports])
        open_ = np.any(np.abs(self.K).reshape(-1, *self.K.shape[-2:]) > 0, axis=0)
        return tuple(bool(np.any(creation & open_[:, a])) for a in range(self.K.shape[-1]))

    @property
    def signature(self) -> NDArray[np.float64]:
        """+1 for ports of annihilation operators, -1 for creation operators.

        J of S J S^dag = J, shape (p,).
        """
        return np.array([-1.0 if port.creation else 1.0 for port in self.ports])

    @property
    def doubled(self) -> bool:
        """Whether every port stands twice, with its operator and its conjugate."""
        return len({port.name for port in self.ports}) < len(self.ports)

    @property
    def names(self) -> list[str]:
        """Names of the ports, each once."""
        return list(dict.fromkeys(port.name for port in self.ports))

    def index(self, name: str, creation: bool | None = None) -> int:
        """Position of a port; of its operator of the asked kind, where it stands twice.

        Raises
        ------
        ParameterError
            If there is no such port.
        """
        for k, port in enumerate(self.ports):
            if port.name == name and creation in (None, port.creation):
                return k
        raise ParameterError(f"there is no port '{name}'; the device has {', '.join(self.names)}")

    @property
    def growth_rate(self) -> NDArray[np.float64]:
        """Fastest growth of an amplitude [rad/s], shape (...); negative for a stable device."""
        return np.asarray(np.max(np.linalg.eigvals(self.A).real, axis=-1))

    def judged(
        self, rules: tuple[Rule, ...], remedy: Callable[[], str], decays: bool = False
    ) -> "LinearDevice":
        """Settle the validity rules of a device and its stability.

        Parameters
        ----------
        rules : tuple of Rule
            What the model needs to hold.
        remedy : callable
            Says what would make an unstable device stable.
        decays : bool
            Known to be stable, so that nothing need be computed.

        Returns
        -------
        LinearDevice
            With the status of every point of a batch.

        Raises
        ------
        ValidityError, UnstableError
            For a single point; the sentence says by how much it grows and what `remedy` returns.
        """
        growth = -np.ones(self.A.shape[:-2]) if decays else self.growth_rate
        stable = Rule(
            "growth of the fastest mode",
            Status.UNSTABLE,
            growth,
            -np.finfo(float).tiny,
            lambda g: f"device is unstable: the fastest mode grows at {g:.3g} rad/s; {remedy()}",
        )
        codes = settle((*rules, stable))
        return self if codes.ndim == 0 else replace(self, status=codes)


def langevin(network: Network) -> LinearDevice:
    r"""Langevin equations of a network, in the smallest closed set of operators.

    .. math:: \dot a_j = -i\,\partial H/\partial a_j^\dagger - \tfrac12\sum_k (u^\dagger u)_{jk} a_k
              - \sum_p u_{pj}^*\,a_{\mathrm{in},p}

    with :math:`u_{pj}` the amplitude of mode j at port p.

    Parameters
    ----------
    network : Network
        Modes, doors, couplings; arrays broadcast to a batch.

    Returns
    -------
    LinearDevice
        Of n operators where annihilation and creation operators do not mix, of 2n where they do.
        Its stability is not looked at.
    """
    names = network.names
    n, p = len(names), len(network.doors)
    # doors that do not vary over the batch stay one matrix
    doors_shape = _shape(u for d in network.doors for _, u in d.amplitudes)
    batch = np.broadcast_shapes(
        doors_shape, _shape(m.delta for m in network.modes), _shape(c.g for c in network.couplings)
    )
    K = np.zeros((*doors_shape, p, n), dtype=np.complex128)
    for row, door in enumerate(network.doors):
        for mode, u in door.amplitudes:
            K[..., row, names.index(mode)] += u
    drift = np.empty((*batch, n, n), dtype=np.complex128)  # of annihilation operators
    drift[...] = -0.5 * np.conj(np.swapaxes(K, -1, -2)) @ K
    squeezes = any(c.mixing is Mixing.SQUEEZING for c in network.couplings)
    M = np.zeros((*batch, n, n), dtype=np.complex128) if squeezes else np.zeros((n, n))
    for k, mode_ in enumerate(network.modes):
        drift[..., k, k] -= 1j * mode_.delta
    for c in network.couplings:
        i, j = names.index(c.first), names.index(c.second)
        if c.mixing is Mixing.EXCHANGE:
            drift[..., i, j] -= 1j * c.g
            drift[..., j, i] -= 1j * np.conj(c.g)
        else:  # H = (a^dag M a^dag^T + h.c.)/2 with M symmetric
            M[..., i, j] += c.g
            if i != j:
                M[..., j, i] += c.g
    kind = network.conjugated()
    if kind is None:
        A = np.concatenate(
            [
                np.concatenate([drift, -1j * M], axis=-1),
                np.concatenate([1j * np.conj(M), np.conj(drift)], axis=-1),
            ],
            axis=-2,
        )
        none = np.zeros_like(K)
        doors = np.concatenate(
            [np.concatenate([K, none], -1), np.concatenate([none, np.conj(K)], -1)], axis=-2
        )
        ports = tuple(Port(d.name, d.occupation, c) for c in (False, True) for d in network.doors)
        return LinearDevice(A, _real_if_so(doors), ports, (False,) * n + (True,) * n)
    if not any(kind):
        ports = tuple(Port(d.name, d.occupation) for d in network.doors)
        return LinearDevice(drift, _real_if_so(K), ports, tuple(kind))
    conj = np.array(kind)
    mixed = conj[:, None] != conj[None, :]
    rows = np.where(mixed, -1j * M, drift)
    A = np.where(conj[:, None], np.conj(rows), rows)
    K = np.where(conj[None, :], np.conj(K), K)
    ports = tuple(
        Port(d.name, d.occupation, bool(conj[names.index(d.amplitudes[0][0])]))
        for d in network.doors
    )
    return LinearDevice(A, _real_if_so(K), ports, tuple(kind))


def _shape(values: Iterable[Amplitude]) -> tuple[int, ...]:
    return np.broadcast_shapes(*(np.shape(value) for value in values))


def _real_if_so(K: Complex) -> NDArray[np.float64] | Complex:
    return K if np.any(K.imag) else np.asarray(K.real)
