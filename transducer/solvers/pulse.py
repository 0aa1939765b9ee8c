"""Gaussian moments in time: any pump envelope, any wave packet, no cut-off.

Every output wave packet is a sum of what came in, and the weights solve one linear equation
backwards in time. Efficiency, noise by port, squeezing and mode functions are integrals of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.envelope import Sampled
from cavities.errors import ParameterError, ValidityError
from cavities.gaussian import GaussianState
from cavities.pump import Pump
from cavities.rules import Codes, Status, settle
from cavities.timeline import BACKWARD, STAGES, WEIGHTS, Timeline, ring_up
from cavities.wavepackets import TemporalMode
from transducer.devices.base import Device
from transducer.linear import LinearDevice, langevin
from transducer.solvers.steady import stationary

BLOCK = 2048
"""Steps times batch points solved at once."""
LARGEST = 400_000
"""Largest number of steps that is tried."""

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


def respond(
    device: Device,
    pump: Pump,
    modes: Sequence[TemporalMode],
    *,
    held: Sequence[str] = (),
    end: float | None = None,
    start: Mapping[str, float] | None = None,
    begin: float | None = None,
    rtol: float | None = None,
) -> PulseResponse:
    r"""Trace wave packets at the outputs of a pulsed device back to their origins.

    .. math:: -\dot\lambda = A(t)^T\lambda + K_i^T v^*(t),\qquad
              f_j(t) = \delta_{ij}v^*(t) - [K^*\lambda]_j

    Parameters
    ----------
    device : Device
        A transducer; arrays in it and in the pump must keep a last axis of length 1 free for time.
    pump : Pump
        Its `envelope` starts at time zero and fills the cavity as a cavity fills; without envelope
        the pump is on all the time.
    modes : sequence of TemporalMode
        Output wave packets; may be empty if modes are `held`.
    held : sequence of str
        Modes of the device whose operator at the end is asked, too: what a phonon or a microwave
        mode holds after a pulse.
    end : float, optional
        End [s]: by default that of the last packet.
    start : mapping of str to float, optional
        Occupation of each mode of the device at the beginning [quanta]; by default the state that
        the baths make without light (with it, for a continuous pump).
    begin : float, optional
        Beginning [s]: by default when the first packet or the pump begins.
    rtol : float, optional
        Steps are halved until the estimated error of efficiencies and moments is below this [1]:
        1e-8 by default; 1e-5 with hot baths or a measured envelope, which are followed to second
        order.

    Returns
    -------
    PulseResponse

    Raises
    ------
    ValidityError
        If the steps would be too many, or, for a single point, the model does not hold for this
        pump; a batch is marked instead.
    ParameterError
        If a packet has no norm in its span.

    Notes
    -----
    Gauss collocation keeps every commutator to rounding, whatever the step. White baths; a hot
    bath's delay is followed. Adjoint method for linear input-output theory: Gardiner and Collett,
    Phys. Rev. A 31, 3761 (1985), read backwards.
    """
    codes = settle(device.rules(pump))
    breaks = _breaks(pump, modes, begin, end)
    first, last = breaks[0], breaks[1]
    _check(device, pump, modes, held, start, rtol)
    still = langevin(device.network(pump))
    rates = [float(np.max(np.abs(still.A))), *(m.fastest for m in modes)]
    fill = 0j
    if pump.envelope is not None:
        fill = device.pump_rate(pump)
        rates.append(fill.real)
    rough = isinstance(pump.envelope, Sampled) or bool(getattr(device, "hot_baths", dict)())
    wanted = rtol if rtol is not None else (1e-5 if rough else 1e-8)
    step, before = 3.0 / max(rates), None
    while True:
        line = Timeline.between(breaks, step, _ringing(pump, fill, step * max(rates)))
        if len(line.steps) > LARGEST:
            raise ValidityError(
                f"the pulse needs more than {LARGEST} steps of {step:.2g} s between {first:.3g} "
                f"and {last:.3g} s; shorten the window, or eliminate the fastest mode"
            )
        found = _trace(device, pump, tuple(modes), tuple(held), line, start)
        asked = np.concatenate(
            [
                np.sum(np.abs(found.kernels) ** 2 * line.weights, -1).ravel(),
                found.memory.ravel(),
                found.normal.ravel(),
                found.anomalous.ravel(),
            ]
        )
        if before is not None:
            change = float(np.max(np.abs(asked - before)) / max(1.0, float(np.max(np.abs(asked)))))
            error = change / (3 if rough else 50)
            if error <= wanted:
                return _judged(found, error, codes, device.caveats(pump))
        before, step = asked, step / 2


def _ringing(pump: Pump, fill: complex, reach: float) -> list[tuple[float, float, float]]:
    """Where a detuned pump beats with its cavity: after every edge, until it has filled it."""
    if pump.envelope is None or abs(fill) <= 2 * fill.real:
        return []
    return [(b, b + 20 / fill.real, reach / abs(fill)) for b in pump.envelope.breaks]


def _check(
    device: Device,
    pump: Pump,
    modes: Sequence[TemporalMode],
    held: Sequence[str],
    start: Mapping[str, float] | None,
    rtol: float | None,
) -> None:
    """Refuse what cannot be traced, in words."""
    if not modes and not held:
        raise ParameterError("respond: nothing is asked; give a packet, or name modes in 'held'")
    if rtol is not None:
        checks.number("respond: rtol", rtol, "1", above=0.0)
    for name, quanta in (start or {}).items():
        checks.number(f"respond: start of '{name}'", quanta, "quanta", at_least=0.0)
    still = langevin(device.network(pump)).A
    if still.ndim > 2 and still.shape[-3] != 1:
        raise ParameterError(
            f"respond: arrays of shape {still.shape[:-2]} leave no axis for time; give them a last "
            "axis of length 1, for example power[:, None]"
        )


def _judged(
    found: PulseResponse, error: float, codes: Codes, flags: Sequence[str]
) -> PulseResponse:
    """Mark the points of a batch that break a rule, and make their figures NaN."""
    found = replace(found, refinement=error, flags=tuple(flags))
    if codes.ndim == 0:
        return found
    shape = found.kernels.shape[:-3]
    status = np.broadcast_to(codes[..., 0], shape)
    bad = status != Status.OK
    kernels, memory = found.kernels.copy(), found.memory.copy()
    kernels[bad], memory[bad] = np.nan, np.nan
    return replace(found, kernels=kernels, memory=memory, status=status)


def _breaks(
    pump: Pump, modes: Sequence[TemporalMode], begin: float | None, end: float | None
) -> list[float]:
    """Beginning, end, and all instants between where something is not smooth [s]."""
    marks = [b for m in modes for b in (*m.breaks, *m.span)]
    if pump.envelope is not None:
        marks += list(pump.envelope.breaks)
    starts = [m.span[0] for m in modes] + ([0.0] if pump.envelope is not None else [])
    if (begin is None and not starts) or (end is None and not modes):
        raise ParameterError(
            "respond: without packets both 'begin' (or a pump envelope) and 'end' must be given"
        )
    first = min(starts) if begin is None else begin
    last = max(m.span[1] for m in modes) if end is None else end
    if not first < last:
        raise ParameterError(f"respond: it begins at {first:.4g} s, after its end at {last:.4g} s")
    # light after the end does not reach what is asked
    return [first, last, *(b for b in marks if first < b < last)]


def _in_time(device: Device, pump: Pump, line: Timeline) -> LinearDevice:
    """The device at every node: A (..., t, n, n), K and occupations as far as they move."""
    if pump.envelope is None:
        drive: Complex = np.ones(len(line.times), dtype=np.complex128)
        lit = np.ones(len(line.times))
    else:
        relative = pump.envelope.amplitude(line.times)
        drive = ring_up(device.pump_rate(pump), relative, line)
        lit = relative**2
    return langevin(device.in_time(pump, line.times, drive, lit))


def _trace(
    device: Device,
    pump: Pump,
    modes: tuple[TemporalMode, ...],
    held: tuple[str, ...],
    line: Timeline,
    start: Mapping[str, float] | None,
) -> PulseResponse:
    linear = _in_time(device, pump, line)
    n, p = linear.A.shape[-1], len(linear.ports)
    batch = np.broadcast_shapes(linear.A.shape[:-3], linear.K.shape[:-3])
    count = len(line.steps)
    A = np.broadcast_to(linear.A, (*batch, count * STAGES, n, n))
    A = A.reshape(*batch, count, STAGES, n, n)
    K = np.broadcast_to(linear.K, (*batch, count * STAGES, p, n))
    K = K.reshape(*batch, count, STAGES, p, n)
    index = [linear.index(m.port) for m in modes]
    creation = tuple(linear.ports[i].creation for i in index)
    packets = (
        np.stack([m.at(line.times) for m in modes]) if modes else np.zeros((0, count * STAGES))
    )
    packets = np.where(np.array(creation, dtype=bool)[:, None], packets, np.conj(packets))
    norms = np.sum(np.abs(packets) ** 2 * line.weights, axis=-1)
    for mode, norm in zip(modes, norms, strict=True):
        if not norm > 0:
            raise ParameterError(f"TemporalMode at '{mode.port}' has no norm inside its span")
    packets = (packets / np.sqrt(norms)[:, None]).reshape(len(modes), count, STAGES)

    # -lambda' = A^T lambda + K_i^T v*: at the stages, for a start of one and for the packets
    source = np.swapaxes(K[..., index, :], -1, -2) * np.moveaxis(packets, 0, -1)[..., None, :]
    transposed = np.swapaxes(A, -1, -2)
    stages, ends = _solve_steps(transposed, source, line.steps, n, len(modes))

    inner = _positions(device, pump, held)
    creation += tuple(linear.kinds[a] for a in inner)
    wide = len(modes) + len(held)
    lam = np.zeros((*batch, n, wide), dtype=np.complex128)
    for k, a in enumerate(inner):
        lam[..., a, len(modes) + k] = 1.0
    inside = np.empty((*batch, count, STAGES, n, wide), dtype=np.complex128)
    own = slice(0, len(modes))
    for s in range(count - 1, -1, -1):
        inside[..., s, :, :, :] = stages[..., s, :, :, :n] @ lam[..., None, :, :]
        inside[..., s, :, :, own] += stages[..., s, :, :, n:]
        lam = ends[..., s, :, :n] @ lam
        lam[..., own] += ends[..., s, :, n:]
    turned = np.moveaxis(inside, -1, -4)  # (..., k, s, stage, n)
    if linear.K.ndim == 2:  # doors that stand still: one product for all
        kernels = -(turned.reshape(-1, n) @ np.conj(linear.K).T).reshape(*turned.shape[:-1], p)
    else:
        kernels = -(np.conj(K)[..., None, :, :, :, :] @ turned[..., None])[..., 0]
    for k, i in enumerate(index):
        kernels[..., k, :, :, i] += packets[k]
    kernels = kernels.reshape(*batch, wide, count * STAGES, p)
    kernels = kernels.swapaxes(-1, -2)
    memory = np.swapaxes(lam, -1, -2)
    before = _before(device, pump, linear, start, batch)
    return PulseResponse(modes, held, line, kernels, memory, before, linear, creation)


def _positions(device: Device, pump: Pump, held: tuple[str, ...]) -> list[int]:
    names = device.network(pump).names
    for name in held:
        if name not in names:
            raise ParameterError(
                f"held: there is no mode '{name}'; the device has {', '.join(names)}"
            )
    return [names.index(name) for name in held]


def _solve_steps(
    A: Complex, source: Complex, steps: Array, n: int, packets: int
) -> tuple[Complex, Complex]:
    """Stage values and end of every step, for each unit start and for the packets' sources."""
    lead = A.shape[:-4]
    flat_A = A.reshape(-1, STAGES, n, n)
    every = (len(flat_A), STAGES, n, packets)
    flat_s = np.broadcast_to(source, (*A.shape[:-2], n, packets)).reshape(every)
    h = np.broadcast_to(steps, (*lead, len(steps))).reshape(-1)
    total, wide = len(h), n + packets
    stages = np.empty((total, STAGES, n, wide), dtype=np.complex128)
    ends = np.empty((total, n, wide), dtype=np.complex128)
    for at in range(0, total, BLOCK):
        part = slice(at, at + BLOCK)
        a, s, step = flat_A[part], flat_s[part], h[part]
        # stage slopes k_i = A_i (l + h sum_j back_ij k_j) + s_i
        backward = step[:, None, None, None, None] * BACKWARD[:, None, :, None]
        matrix = (-a[:, :, :, None, :] * backward).reshape(-1, STAGES * n, STAGES * n)
        matrix[:, np.arange(STAGES * n), np.arange(STAGES * n)] += 1
        right = np.concatenate([a, s], axis=-1).reshape(-1, STAGES * n, wide)
        slopes = np.linalg.solve(matrix, right).reshape(-1, STAGES, n * wide)
        slopes *= step[:, None, None]
        unit = np.concatenate([np.eye(n), np.zeros((n, packets))], axis=-1)
        stages[part] = unit + (BACKWARD @ slopes).reshape(-1, STAGES, n, wide)
        ends[part] = unit + (WEIGHTS @ slopes).reshape(-1, n, wide)
    shape = (*lead, len(steps))
    return stages.reshape(*shape, STAGES, n, wide), ends.reshape(*shape, n, wide)


def _before(
    device: Device,
    pump: Pump,
    linear: LinearDevice,
    start: Mapping[str, float] | None,
    batch: tuple[int, ...],
) -> Complex:
    """<x_a^dag x_b> at the beginning."""
    dark = pump.envelope is not None
    network = device.network(pump, 0.0) if dark else device.network(pump)
    names = network.names
    signs = linear.kinds
    if start is not None:
        unknown = sorted(set(start) - set(names))
        if unknown:
            raise ParameterError(
                f"start: there is no mode '{unknown[0]}'; the device has {', '.join(names)}"
            )
        filled = [start.get(name, 0.0) for name in names] * (2 if linear.doubled else 1)
        return np.diag([q + s for q, s in zip(filled, signs, strict=True)]).astype(np.complex128)
    steady = langevin(network)
    A = np.squeeze(steady.A, axis=-3) if steady.A.ndim > 2 else steady.A
    K = np.squeeze(steady.K, axis=-3) if steady.K.ndim > 2 else steady.K
    quanta = []
    for port in steady.ports:
        q = np.asarray(port.occupation, dtype=np.float64) + port.creation
        quanta.append(q[..., 0] if q.ndim else q)
    return stationary(A, K, np.stack(np.broadcast_arrays(*quanta), axis=-1))
