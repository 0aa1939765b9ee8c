"""Gaussian moments in time: any pump envelope, any wave packet, no cut-off.

Every output wave packet is a sum of what came in, and the weights solve one linear equation
backwards in time. Efficiency, noise by port, squeezing and mode functions are integrals of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.envelope import Sampled
from cavities.errors import ParameterError, ValidityError
from cavities.pump import Pump
from cavities.rules import Codes, Status, settle
from cavities.timeline import BACKWARD, STAGES, WEIGHTS, Timeline
from cavities.wavepackets import TemporalMode
from transducer.devices.base import Device
from transducer.linear import LinearDevice, langevin
from transducer.solvers.response import PulseResponse
from transducer.solvers.steady import stationary

BLOCK = 2048
"""Steps times batch points solved at once."""
LARGEST = 400_000
"""Largest number of steps that is tried."""

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]


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
    line = Timeline.between(breaks, step, ringing(pump, fill, step * max(rates)))
    while True:
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
        before, step, line = asked, step / 2, line.halved()


def ringing(pump: Pump, fill: complex, reach: float) -> list[tuple[float, float, float]]:
    """Where a detuned pump beats with its cavity: after every edge, until it has filled it.

    Parameters
    ----------
    pump : Pump
        With an envelope, or without.
    fill : complex
        Rate at which it fills its cavity, κ/2 - iΔ [rad/s].
    reach : float
        Longest step times the fastest rate that it resolves [rad].

    Returns
    -------
    list of (float, float, float)
        From, to [s], and the longest step between them [s].
    """
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
    return langevin(device.in_pulse(pump, line))


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


def forward(A: Complex, line: Timeline, start: Complex) -> Complex:
    r"""Amplitudes that a start becomes, :math:`\dot x=A(t)\,x`, without any input.

    Parameters
    ----------
    A : ndarray of complex, shape (t, n, n)
        Drift at the nodes of `line` [rad/s].
    line : Timeline
        Steps.
    start : ndarray of complex, shape (n, m)
        Amplitudes at the beginning, one column for each of m starts.

    Returns
    -------
    ndarray of complex, shape (t, n, m)
        Amplitudes at the nodes.
    """
    n, count = A.shape[-1], len(line.steps)
    # run backwards: the nodes lie symmetric in a step, so a mirrored line has mirrored nodes
    mirrored = A.reshape(count, STAGES, n, n)[::-1, ::-1]
    none = np.zeros((count, STAGES, n, 0), np.complex128)
    stages, ends = _solve_steps(mirrored, none, line.steps[::-1], n, 0)
    x, out = start, np.empty((count, STAGES, *start.shape), np.complex128)
    for s in range(count):
        out[s] = stages[count - 1 - s, ::-1] @ x
        x = ends[count - 1 - s] @ x
    return out.reshape(-1, *start.shape)


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
