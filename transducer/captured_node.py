"""A qubit's photon through a transducer by the master equation, joint state and all."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.errors import ValidityError
from cavities.wavepackets import TemporalMode
from fibre.held import Held
from fibre.memory import QubitChannel, qubit_channel
from fibre.photon import Photon, SpectralGrid, Wave
from transducer.hamiltonian import Hamiltonian, number
from transducer.node import Emitter, sent
from transducer.nodes import Node, spin_packet, through
from transducer.solvers.itinerant import captured
from transducer.solvers.reduced import Evolution, evolve
from transducer.solvers.regression import steady
from transducer.solvers.start import Start
from transducer.solvers.symmetry import conserved

Complex = NDArray[np.complex128]
Array = NDArray[np.float64]

POINTS = 1600
"""Instants along the outgoing packet at first; a spline of order 5 goes between them."""
RUNG_DOWN = 1e-9
"""Share of the packet that may still come in the last eighth of its span [1]."""
STIFF = 5e3
"""Largest linewidth times length of the run that is integrated."""
LONGEST = 1e3
"""Longest ring-down that is followed, in lengths of the emission."""
ACCURACY = 1e-5
"""Accuracy asked of the joint state."""


@dataclass(frozen=True)
class CapturedEmission:
    """What a node sends in one wave packet, and how it was found.

    Parameters
    ----------
    photon : Photon
        With its `held` joint state; what a link takes.
    packet : TemporalMode
        Shape of the outgoing photon, normalised.
    evolution : Evolution
        The run that chose the Fock space: ``print`` it for route, truncation and approximations.
    """

    photon: Photon
    packet: TemporalMode
    evolution: Evolution


def emit_captured(
    model: Hamiltonian,
    source: str,
    target: str,
    emitter: Emitter,
    grid: SpectralGrid,
    noise_out: Array,
    carrier: float,
    *,
    centre: float = 0.0,
    pump_light: tuple[float, float] = (0.0, 0.0),
    accuracy: float = ACCURACY,
) -> CapturedEmission:
    r"""Photon behind a transducer, jointly with the qubit that it left, by virtual cavities (L13).

    .. math:: |s\rangle\langle s'| \to \mathrm{Tr}_\mathrm{device}\,U
              \big(|s\rangle|s\rangle_u\langle s'|\langle s'|_u\otimes\rho_\mathrm{ss}\big)
              U^\dagger

    Parameters
    ----------
    model : Hamiltonian
        The transducer under its pump, Gaussian or not; it must conserve quanta but for losses.
    source, target : str
        Ports where the microwave photon comes in and where the light leaves.
    emitter : Emitter
        The qubit; its T1 and T2 act while it emits.
    grid : SpectralGrid
        Frequencies of the link, from `centre`.
    noise_out : ndarray, shape (n,)
        Output noise at `target` on the grid [quanta], for the modes beside the photon's own.
    carrier : float
        Optical carrier [rad/s].
    centre : float
        Of the transducer's line, from the model's frame [rad/s].
    pump_light : tuple of float
        Pump photons per second at the output [1/s] and their offset [rad/s].
    accuracy : float
        Of every element of the joint state [1].

    Returns
    -------
    CapturedEmission
        Efficiency and noise at the plane of `target`.

    Raises
    ------
    ValidityError
        If the link's frequencies do not hold the photon, nothing is converted, the device makes
        quanta by itself, rings for too long, or has a mode that is too fast to be followed.
    TruncationError
        If the Fock space it would need is too large.

    Notes
    -----
    The packet is the one that the cold device makes of the photon. The qubit's decay from six
    widths before the photon's middle until it has rung down is part of the joint state; the link's
    memory acts from the clock on. While it emits, the virtual cavity takes up what the waveguide's
    bath held in the photon's mode: the noise of the table is that of the Gaussian engine less the
    transmission times that bath's occupation.
    """
    checks.number("emit_captured: accuracy", accuracy, "1", above=0.0, below=1.0)
    if not any(np.all(q > 0) or np.all(q < 0) for q in conserved(model).charges):
        raise ValidityError(
            "emit_captured: this device makes quanta by itself (a blue pump, or counter-rotating "
            "terms), so a photon has no shape of its own; take the rotating-wave limit or the "
            "pulse engine"
        )
    incoming = TemporalMode.gaussian(source, 0.0, emitter.photon_fwhm, centre + emitter.offset)
    # six widths before and behind the middle hold all but 1e-8 of it
    reach = 0.5 * incoming.span[1]
    node = spin_packet(replace(incoming, span=(-reach, reach)))
    cold = replace(model, channels=tuple(replace(c, occupation=0.0) for c in model.channels))
    lone = through(node, cold, source, target, emitter.efficiency)
    packet, transmission = outgoing_packet(lone, -reach, reach)
    end = packet.span[1]

    occupied = steady(model, {m: number(m) for m in model.modes}, accuracy=accuracy)
    warm = {m: max(0.0, v.real) for m, v in occupied.values.items()}
    full = through(node, model, source, target, emitter.efficiency, warm)
    # the modes start uncorrelated: they are given as long to settle as they take to ring down
    begin = -reach - (end - reach)
    fastest = max(sum(c.rate(m) for c in model.channels) for m in model.modes)
    if fastest * (end - begin) > STIFF:
        raise ValidityError(
            f"emit_captured: the fastest mode decays {fastest * (end - begin):.2g} times over "
            f"while the photon passes, more than {STIFF:.0e}: it would take hours; "
            "use the scattering or pulse engine, or eliminate that mode"
        )
    found, table = _table(full, packet, begin, end, accuracy)
    quiet = _table(lone, packet, -reach, end, accuracy)[1]
    kept = qubit_channel(emitter.memory, end + reach)
    table, quiet = _decayed(table, kept), _decayed(quiet, kept)
    levels = table.shape[3]
    padded = np.zeros_like(table)
    low = min(levels, quiet.shape[3])
    padded[..., :low, :, :low] = quiet[..., :low, :, :low]
    held = Held(table, padded, transmission)

    amplitude = np.sqrt(transmission) * _spectrum(packet, grid.omega + centre)
    inside = float(np.sum(grid.weight * np.abs(amplitude) ** 2)) / transmission
    if abs(inside - 1) > 1e-3:
        raise ValidityError(
            f"the link's frequencies hold {inside:.4g} of the converted photon; its duration or "
            "offset is out of scale with the lines it meets"
        )
    wave = Wave(grid, amplitude / np.sqrt(inside), noise_out)
    sending = sent(wave, emitter, carrier, pump_light)
    # the table holds the qubit's decay until the end of the run, the photon's middle being zero
    photon = replace(sending, held=held, clock=end + emitter.idle)
    return CapturedEmission(photon, packet, found)


def outgoing_packet(node: Node, begin: float, sent_by: float) -> tuple[TemporalMode, float]:
    r"""Shape of the photon that leaves a cold node, and the probability that it does.

    .. math:: \psi(t) = 2\,\langle L(t)\rangle
              \quad\text{from}\quad (|0\rangle+|1\rangle)/\sqrt2\ \text{in the emitting mode}

    Parameters
    ----------
    node : Node
        With a mode ``photon`` that emits, all baths cold, quanta conserved but for losses.
    begin, sent_by : float
        The emitting mode emits between them [s]; the packet goes on until it has rung down.

    Returns
    -------
    TemporalMode
        Normalised; its span ends when all but 1e-9 of it has left.
    float
        Probability that the photon leaves by the port [1].

    Raises
    ------
    ValidityError
        If nothing leaves, or it rings for more than a thousand times the emission.
    """
    from scipy.interpolate import make_interp_spline

    half = 1 / np.sqrt(2)
    start = Start.superposed((half, {}), (half, {"photon": 1}))
    operator = node.model.channel(node.port).leaving
    length, tail, points = sent_by - begin, 0.5 * (sent_by - begin), POINTS
    while tail <= LONGEST * length and points <= 16 * POINTS:
        end = sent_by + tail
        times = np.linspace(begin, end, points + 1)
        run = evolve(
            node.model, start, times, {"L": operator}, levels=dict.fromkeys(node.model.modes, 2)
        )
        psi = 2 * run.values["L"]
        norms = [
            float(make_interp_spline(times[::k], np.abs(psi[::k]) ** 2, 5).integrate(begin, end))
            for k in (1, 2)
        ]
        if norms[0] < 1e-12:
            break
        late = float(np.sum(np.abs(psi[-(points // 8) :]) ** 2) / np.sum(np.abs(psi) ** 2))
        if abs(norms[0] - norms[1]) > 1e-7 * norms[0]:
            points *= 2
        elif late > RUNG_DOWN:
            tail *= 2
        else:
            shape = make_interp_spline(times, psi / np.sqrt(norms[0]), 5)
            return TemporalMode(node.port, shape, (begin, end), (), 8 / (end - begin)), norms[0]
    if norms[0] < 1e-12:
        raise ValidityError("the node sends no light: nothing of its photon leaves by the port")
    raise ValidityError(
        f"the photon rings in the device for more than {tail:.3g} s after an emission of "
        f"{length:.3g} s, too long to be followed; damp the slow mode or lengthen the photon"
    )


def _decayed(table: Complex, kept: QubitChannel) -> Complex:
    """Let the memory decay; nothing in the node depends on it once its photon is on the way."""
    out = table * float(np.max(kept.coherence))
    lit = table[:, :, 1, :, 1, :]
    out[:, :, 1, :, 1, :] = float(np.max(kept.survival)) * lit
    out[:, :, 0, :, 0, :] = table[:, :, 0, :, 0, :] + (1 - float(np.max(kept.survival))) * lit
    return out


def _table(
    node: Node, packet: TemporalMode, begin: float, end: float, accuracy: float
) -> tuple[Evolution, Complex]:
    """The node's map from |s><s'| to memory and photon mode, from four pure starts."""
    half = 1 / np.sqrt(2)
    first = captured(
        node.model,
        node.start(half, half),
        node.port,
        packet,
        begin=begin,
        end=end,
        kept=node.memory,
        accuracy=accuracy,
    )
    assert first.truncation is not None

    def state(*amplitudes: complex) -> Complex:
        return captured(
            node.model,
            node.start(*amplitudes),
            node.port,
            packet,
            begin=begin,
            end=end,
            kept=node.memory,
            levels=first.truncation.levels if first.truncation else None,
        ).state

    plus = first.state
    turned, dark, bright = state(half, 1j * half), state(1.0, 0.0), state(0.0, 1.0)
    # |+><+| and |i><i| give the real and imaginary parts of |0><1|
    up = plus + 1j * turned - 0.5 * (1 + 1j) * (dark + bright)
    n = first.dimensions[1]
    table = np.empty((2, 2, 2 * n, 2 * n), dtype=np.complex128)
    # turned = (T00 + T11 - i T01 + i T10)/2
    table[0, 0], table[1, 1], table[0, 1], table[1, 0] = dark, bright, up, up.conj().T
    shaped = table.reshape(2, 2, 2, n, 2, n)
    return first, shaped


def _spectrum(packet: TemporalMode, omega: Array) -> Complex:
    r"""Amplitude :math:`\int v(t)e^{i\omega t}dt` [s^1/2]."""
    a, b = packet.span
    x, w = np.polynomial.legendre.leggauss(16)
    edges = np.linspace(a, b, 129)
    step = np.diff(edges)
    t = (edges[:-1, None] + step[:, None] * (x + 1) / 2).ravel()
    weight = (step[:, None] / 2 * w).ravel()
    # sixteen nodes a step follow sixteen radians; beyond them a smooth packet holds nothing
    seen = np.abs(omega) * step[0] < 16
    found = np.zeros(len(omega), dtype=np.complex128)
    found[seen] = np.exp(1j * np.outer(omega[seen], t)) @ (weight * packet.at(t))
    return found
