"""A device as a quantum optician writes it on the board.

Ladder operators, couplings, and a bath at every port.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.errors import ParameterError, ValidityError
from cavities.timeline import Timeline
from transducer.network import Amplitude, Mixing, Network


@dataclass(frozen=True)
class Ladder:
    """One ladder operator.

    Parameters
    ----------
    mode : str
        Name of the mode it acts on.
    dagger : bool
        True for a creation operator.
    """

    mode: str
    dagger: bool = False


@dataclass(frozen=True)
class Transition:
    r"""Jump between two levels of a mode, :math:`|k\rangle\langle b|`.

    Parameters
    ----------
    mode : str
        Name of the mode it acts on.
    ket, bra : int
        Levels; equal ones make a projector.
    """

    mode: str
    ket: int
    bra: int

    def __post_init__(self) -> None:
        checks.number("Transition.ket", self.ket, "1", at_least=0)
        checks.number("Transition.bra", self.bra, "1", at_least=0)


@dataclass(frozen=True)
class Modulation:
    """A dimensionless factor that depends on time: a pulse, a tunable coupling, a wave packet.

    Parameters
    ----------
    factor : callable
        Complex value [1] at one instant [s].
    breaks : tuple of float
        Instants where it is not smooth [s]: no integration step crosses them. A pulse shorter than
        a hundredth of the run must be framed by breaks, or it may be stepped over.
    real : bool
        Whether it is real at all times.
    """

    factor: Callable[[float], complex]
    breaks: tuple[float, ...] = ()
    real: bool = False


@dataclass(frozen=True)
class Term:
    """A coefficient times a product of operators, written left to right.

    Parameters
    ----------
    coefficient : complex
        Angular frequency [rad/s] in a Hamiltonian, in units of ħ; root of a rate in a jump
        operator [(rad/s)^1/2]; free in an observable.
    operators : tuple of Ladder or Transition
        The product.
    modulation : Modulation, optional
        Factor in time; None stands still.
    """

    coefficient: complex
    operators: tuple[Ladder | Transition, ...]
    modulation: Modulation | None = None

    def adjoint(self) -> "Term":
        """Hermitian conjugate."""
        turned = tuple(_adjoint(op) for op in reversed(self.operators))
        return Term(np.conj(self.coefficient), turned, conjugate(self.modulation))


Polynomial = tuple[Term, ...]
"""A sum of terms: an operator that needs no number of levels yet."""


def _adjoint(op: Ladder | Transition) -> Ladder | Transition:
    if isinstance(op, Ladder):
        return Ladder(op.mode, not op.dagger)
    return Transition(op.mode, op.bra, op.ket)


def conjugate(modulation: Modulation | None) -> Modulation | None:
    """Complex conjugate of a factor in time."""
    if modulation is None or modulation.real:
        return modulation
    factor = modulation.factor
    return replace(modulation, factor=lambda t: np.conj(factor(t)))


def product(*modulations: Modulation | None) -> Modulation | None:
    """Product of factors in time; None stands still."""
    moving = [m for m in modulations if m is not None]
    if len(moving) < 2:
        return moving[0] if moving else None
    factors = [m.factor for m in moving]

    def together(t: float) -> complex:
        value: complex = 1.0
        for factor in factors:
            value = value * factor(t)
        return value

    breaks = tuple(sorted({b for m in moving for b in m.breaks}))
    return Modulation(together, breaks, all(m.real for m in moving))


def adjoint(operator: Polynomial) -> Polynomial:
    """Hermitian conjugate of a sum of terms."""
    return tuple(term.adjoint() for term in operator)


def number(mode: str) -> Polynomial:
    """Number operator of a mode (excited population of a two-level one)."""
    return (Term(1.0, (Ladder(mode, True), Ladder(mode))),)


def lowering(mode: str) -> Polynomial:
    """Annihilation operator of a mode."""
    return (Term(1.0, (Ladder(mode),)),)


def transition(mode: str, ket: int, bra: int) -> Polynomial:
    """Operator that takes level `bra` of a mode to level `ket`."""
    return (Term(1.0, (Transition(mode, ket, bra),)),)


@dataclass(frozen=True)
class Channel:
    r"""A port as the master equation sees it: loss through L = sum u a, and its thermal reverse.

    .. math:: (n+1)\,\mathcal D[L] + n\,\mathcal D[L^\dagger],
              \qquad L = \sum_k u_k a_k,\quad \kappa = \sum_k |u_k|^2

    Parameters
    ----------
    name : str
        Port name.
    amplitudes : tuple of (str, complex)
        Mode and root of its energy decay rate through the port [(rad/s)^1/2].
    occupation : float
        Normally ordered occupation of its bath [quanta], >= 0.
    modulations : tuple of (str, Modulation)
        Modes whose amplitude moves in time, and its factor.
    warming : Modulation, optional
        Factor on the occupation in time, >= 0; None stands still.
    """

    name: str
    amplitudes: tuple[tuple[str, complex], ...]
    occupation: float
    modulations: tuple[tuple[str, Modulation], ...] = ()
    warming: Modulation | None = None

    def __post_init__(self) -> None:
        checks.number("Channel.kappa", self.kappa, "rad/s", at_least=0.0)
        checks.number("Channel.occupation", self.occupation, "quanta", at_least=0.0)

    @property
    def kappa(self) -> float:
        """Full-width energy decay rate, summed over its modes [rad/s], factors in time at one."""
        return float(sum(abs(u) ** 2 for _, u in self.amplitudes))

    @property
    def leaving(self) -> Polynomial:
        """Output operator L [(rad/s)^1/2]."""
        moving = dict(self.modulations)
        return tuple(Term(u, (Ladder(m),), moving.get(m)) for m, u in self.amplitudes)

    def rate(self, mode: str) -> float:
        """Energy decay rate of one mode through it [rad/s]."""
        return float(sum(abs(u) ** 2 for m, u in self.amplitudes if m == mode))


@dataclass(frozen=True)
class Jump:
    r"""A collapse operator that belongs to no port, :math:`\mathcal D[L]`: dephasing, relaxation.

    Parameters
    ----------
    name : str
        What happens.
    operator : tuple of Term
        L [(rad/s)^1/2].
    """

    name: str
    operator: Polynomial


@dataclass(frozen=True)
class Hamiltonian:
    r"""Hamiltonian and baths of a device or a node; everything a master equation needs.

    .. math:: \dot\rho = -i[H,\rho] + \sum_j (n_j+1)\mathcal D[L_j]\rho
              + n_j\mathcal D[L_j^\dagger]\rho + \sum_k\mathcal D[J_k]\rho

    Parameters
    ----------
    modes : tuple of str
        Names of the modes, in the order of the tensor product.
    terms : tuple of Term
        H/ħ, Hermitian conjugates written out.
    channels : tuple of Channel
        All ports.
    approximations : tuple of str
        What was neglected, in words.
    jumps : tuple of Jump
        Collapse operators beside those of the ports.
    levels : tuple of (str, int)
        Modes that have this many levels and no more: qubits.
    """

    modes: tuple[str, ...]
    terms: tuple[Term, ...]
    channels: tuple[Channel, ...]
    approximations: tuple[str, ...] = ()
    jumps: tuple[Jump, ...] = ()
    levels: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.modes)) < len(self.modes):
            twice = next(m for m in self.modes if self.modes.count(m) > 1)
            raise ParameterError(f"Hamiltonian: two modes are called '{twice}'; rename one")
        inside = [*self.terms, *(t for jump in self.jumps for t in jump.operator)]
        names = [channel.name for channel in self.channels]
        if len(set(names)) < len(names):
            twice = next(n for n in names if names.count(n) > 1)
            raise ParameterError(f"Hamiltonian: two ports are called '{twice}'; rename one")
        for term in inside:
            checks.number("Term.coefficient: size", abs(term.coefficient), "rad/s")
        used = {op.mode for term in inside for op in term.operators}
        used |= {mode for channel in self.channels for mode, _ in channel.amplitudes}
        used |= {mode for mode, _ in self.levels}
        unknown = sorted(used - set(self.modes))
        if unknown:
            raise ParameterError(
                f"Hamiltonian: {unknown[0]!r} is not one of the modes {self.modes}"
            )
        for mode, count in self.levels:
            checks.number(f"Hamiltonian.levels of {mode}", count, "1", at_least=2)

    @property
    def growing(self) -> tuple[str, ...]:
        """Modes whose number of levels is a choice, not physics."""
        fixed = dict(self.levels)
        return tuple(mode for mode in self.modes if mode not in fixed)

    @property
    def gaussian(self) -> bool:
        """Whether Gaussian states stay Gaussian: quadratic couplings, linear jumps, no qubit."""
        if self.levels:
            return False
        jumps = [t for jump in self.jumps for t in jump.operator]
        ladders = all(isinstance(op, Ladder) for t in [*self.terms, *jumps] for op in t.operators)
        return (
            ladders
            and all(len(t.operators) <= 2 for t in self.terms)
            and all(len(t.operators) <= 1 for t in jumps)
        )

    def breaks(self) -> tuple[float, ...]:
        """Instants where a factor in time is not smooth [s], increasing."""
        return tuple(sorted({b for m in self.modulations() for b in m.breaks}))

    def modulations(self) -> Iterator[Modulation]:
        """All factors in time."""
        terms = [*self.terms, *(t for jump in self.jumps for t in jump.operator)]
        yield from (t.modulation for t in terms if t.modulation is not None)
        for channel in self.channels:
            yield from (m for _, m in channel.modulations)
            if channel.warming is not None:
                yield channel.warming

    def merged(self) -> Iterator[tuple[float, Modulation | None, Polynomial]]:
        """The same with the two parts of a still bath's loss, 1 and n, put together."""
        for channel in self.channels:
            n, L = channel.occupation, channel.leaving
            if channel.kappa == 0:
                continue
            if channel.warming is not None and n > 0:
                yield 1.0, None, L
                yield n, channel.warming, L
                yield n, channel.warming, adjoint(L)
                continue
            yield 1.0 + n, None, L
            if n > 0:
                yield n, None, adjoint(L)
        for jump in self.jumps:
            yield 1.0, None, jump.operator

    def collapses(self) -> Iterator[tuple[float, Modulation | None, Polynomial]]:
        r"""Every collapse operator as (rate factor r, its factor in time, L): r f(t) D[L]."""
        for channel in self.channels:
            n, L = channel.occupation, channel.leaving
            if channel.kappa == 0:
                continue
            yield 1.0, None, L
            if n > 0:
                yield n, channel.warming, L
                yield n, channel.warming, tuple(t.adjoint() for t in L)
        for jump in self.jumps:
            yield 1.0, None, jump.operator

    def channel(self, name: str) -> Channel:
        """Port by name.

        Raises
        ------
        ParameterError
            If there is no such port.
        """
        for channel in self.channels:
            if channel.name == name:
                return channel
        known = ", ".join(c.name for c in self.channels)
        raise ParameterError(f"there is no port '{name}'; the device has {known}")


def on_the_board(
    network: Network, line: Timeline | None = None, breaks: tuple[float, ...] = ()
) -> Hamiltonian:
    """Write a network as ladder operators and baths.

    Parameters
    ----------
    network : Network
        Of one device; with a timeline, every quantity may be an array over its nodes.
    line : Timeline, optional
        The nodes, when the network is one in time.
    breaks : tuple of float
        Instants where a pulse is not smooth [s].

    Raises
    ------
    ParameterError
        If a quantity is an array without a timeline: the master equation takes one device at a
        time.
    """
    read = _Reader(line, breaks)
    terms = []
    for m in network.modes:
        delta, moving = read.quantity(f"detuning of {m.name}", m.delta)
        terms.append(Term(delta, (Ladder(m.name, True), Ladder(m.name)), moving))
    for c in network.couplings:
        g, moving = read.quantity(f"coupling {c.first}-{c.second}", c.g)
        if c.first == c.second:
            g = g / 2
        squeezes = c.mixing is Mixing.SQUEEZING
        term = Term(g, (Ladder(c.first, True), Ladder(c.second, squeezes)), moving)
        terms += [term, term.adjoint()]
    channels = []
    for d in network.doors:
        amplitudes, modulations = [], []
        for mode, u in d.amplitudes:
            value, moving = read.quantity(f"rate of {d.name}", u)
            amplitudes.append((mode, value))
            if moving is not None:
                modulations.append((mode, moving))
        occupation, warming = read.quantity(f"occupation of {d.name}", d.occupation)
        channels.append(
            Channel(d.name, tuple(amplitudes), occupation.real, tuple(modulations), warming)
        )
    return Hamiltonian(tuple(network.names), tuple(terms), tuple(channels), network.approximations)


class _Reader:
    """Splits a quantity into its peak and a factor in time; equal factors are made once."""

    def __init__(self, line: Timeline | None, breaks: tuple[float, ...]) -> None:
        self.line, self.breaks = line, breaks
        self._known: dict[bytes, Modulation] = {}

    def quantity(self, label: str, value: Amplitude) -> tuple[complex, Modulation | None]:
        array = np.asarray(value, dtype=np.complex128)
        if array.size == 1:
            return complex(array.reshape(())), None
        if self.line is None or array.shape != self.line.times.shape:
            raise ParameterError(
                f"{label}: the master equation takes one device at a time, got {array.size} "
                "values; loop over them"
            )
        peak = complex(array[int(np.argmax(np.abs(array)))])
        if peak == 0 or np.all(array == array[0]):
            return complex(array[0]), None
        relative = array / peak
        key = relative.tobytes()
        if key not in self._known:
            self._known[key] = _interpolated(self.line, relative, self.breaks)
        return peak, self._known[key]


def _interpolated(
    line: Timeline, values: NDArray[np.complex128], breaks: tuple[float, ...]
) -> Modulation:
    at = line.interpolate(values)

    first, last = float(line.edges[0]), float(line.edges[-1])
    slack = 1e-9 * (last - first)

    def factor(t: float) -> complex:
        if not first - slack <= t <= last + slack:
            raise ValidityError(
                f"this Hamiltonian follows its pulse from {first:.6g} s to {last:.6g} s, not at "
                f"{t:.6g} s; make it with a longer window"
            )
        return complex(at(np.array([min(max(t, first), last)]))[0])

    real = bool(np.max(np.abs(values.imag)) == 0)
    return Modulation(factor, breaks, real)
