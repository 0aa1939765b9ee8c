"""A device as a list: its modes, the doors through which they lose energy, and what couples them.

Every device writes this list once. `transducer.linear` reads it as Langevin equations,
`transducer.hamiltonian` as ladder operators; the two readings share no algebra.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.constants import Real
from cavities.errors import ParameterError

Amplitude = complex | NDArray[np.inexact]
"""A complex quantity: one number or an array of them (records broadcast)."""


class Mixing(Enum):
    """How two modes are coupled."""

    EXCHANGE = "exchange"
    """Beam splitter: a quantum leaves one mode and enters the other."""
    SQUEEZING = "squeezing"
    """Two quanta are born, one in each mode (or both in the same)."""


@dataclass(frozen=True)
class Resonance:
    """One mode in the frame of the device.

    Parameters
    ----------
    name : str
        For example ``optical``.
    delta : float or ndarray, shape (...)
        Its angular frequency minus the frame's [rad/s].
    """

    name: str
    delta: Real = 0.0

    def __post_init__(self) -> None:
        checks.number(f"Resonance {self.name}: delta", self.delta, "rad/s")


@dataclass(frozen=True)
class Door:
    r"""One port, :math:`L=\sum_k u_k a_k`: of one mode, or of several that share a guide.

    Parameters
    ----------
    name : str
        For example ``microwave.waveguide``.
    amplitudes : tuple of (str, complex)
        Mode and root of its energy decay rate through this door [(rad/s)^1/2]; the phases matter
        only where modes share the door.
    occupation : float or ndarray, shape (...)
        Normally ordered occupation of the bath that comes in [quanta], >= 0.
    """

    name: str
    amplitudes: tuple[tuple[str, Amplitude], ...]
    occupation: Real

    def __post_init__(self) -> None:
        checks.number(f"Door {self.name}: occupation", self.occupation, "quanta", at_least=0.0)
        for _, amplitude in self.amplitudes:
            checks.number(f"Door {self.name}: root of a rate", np.abs(amplitude), "(rad/s)^1/2")

    @classmethod
    def of(cls, name: str, mode: str, rate: Real, occupation: Real) -> "Door":
        """Door of one mode with an energy decay rate [rad/s], full width, >= 0."""
        checks.number(f"Door {name}: rate", rate, "rad/s", at_least=0.0)
        return cls(name, ((mode, np.sqrt(rate)),), occupation)


@dataclass(frozen=True)
class Coupling:
    r"""What mixes two modes.

    .. math:: H/\hbar = \begin{cases} g\,a_1^\dagger a_2 + \mathrm{h.c.} & \text{exchange} \\
              g\,a_1^\dagger a_2^\dagger + \mathrm{h.c.} & \text{squeezing} \\
              \tfrac12 g\,a_1^{\dagger2} + \mathrm{h.c.} & \text{squeezing of one mode}
              \end{cases}

    Parameters
    ----------
    first, second : str
        Modes.
    mixing : Mixing
        Exchange or squeezing.
    g : complex or ndarray, shape (...)
        Coupling [rad/s].
    """

    first: str
    second: str
    mixing: Mixing
    g: Amplitude

    def __post_init__(self) -> None:
        checks.number(f"Coupling {self.first}-{self.second}: |g|", np.abs(self.g), "rad/s")
        if self.first == self.second and self.mixing is Mixing.EXCHANGE:
            raise ParameterError(
                f"Coupling: '{self.first}' cannot exchange quanta with itself; that is a detuning"
            )


@dataclass(frozen=True)
class Network:
    """Modes, doors and couplings of a device under one pump.

    Parameters
    ----------
    modes : tuple of Resonance
        The first one is read as an annihilation operator.
    doors : tuple of Door
        All ports, losses included.
    couplings : tuple of Coupling
        What mixes the modes.
    approximations : tuple of str
        What was neglected, in words.

    Raises
    ------
    ParameterError
        If a door or a coupling names a mode that is not there, or a name occurs twice.
    """

    modes: tuple[Resonance, ...]
    doors: tuple[Door, ...]
    couplings: tuple[Coupling, ...] = ()
    approximations: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = self.names
        for kind, given in (("mode", names), ("door", [d.name for d in self.doors])):
            twice = sorted({n for n in given if given.count(n) > 1})
            if twice:
                raise ParameterError(f"Network: two {kind}s are called '{twice[0]}'; rename one")
        used = {m for d in self.doors for m, _ in d.amplitudes}
        used |= {m for c in self.couplings for m in (c.first, c.second)}
        unknown = sorted(used - set(names))
        if unknown:
            raise ParameterError(f"Network: '{unknown[0]}' is not one of the modes {names}")

    @property
    def names(self) -> list[str]:
        """Names of the modes, in order."""
        return [mode.name for mode in self.modes]

    def decays(self) -> bool:
        """Whether it is stable whatever its couplings: only exchange, and a loss in every mode."""
        lossy = {
            m for d in self.doors if len(d.amplitudes) == 1 for m, u in d.amplitudes if np.all(u)
        }
        exchange = all(c.mixing is Mixing.EXCHANGE for c in self.couplings)
        return exchange and lossy == set(self.names)

    def conjugated(self) -> list[bool] | None:
        """Which modes enter as creation operators in the smallest closed set of equations.

        Exchange keeps two modes of one kind, squeezing makes them of unlike kind, and so does a
        shared door keep its modes alike.

        Returns
        -------
        list of bool, or None
            None if no such choice exists: then operators and their conjugates are all needed.
        """
        links: list[tuple[str, str, bool]] = [
            (c.first, c.second, c.mixing is Mixing.SQUEEZING) for c in self.couplings
        ]
        for door in self.doors:
            shared = [m for m, _ in door.amplitudes]
            links += [(shared[0], other, False) for other in shared[1:]]
        kind: dict[str, bool] = {}
        for start in self.names:
            if start in kind:
                continue
            kind[start] = False
            todo = [start]
            while todo:
                here = todo.pop()
                for there, other in _neighbours(here, links):
                    wanted = kind[here] != other
                    if there not in kind:
                        kind[there] = wanted
                        todo.append(there)
                    elif kind[there] != wanted:
                        return None
        return [kind[name] for name in self.names]


def _neighbours(here: str, links: Sequence[tuple[str, str, bool]]) -> list[tuple[str, bool]]:
    return [(b, odd) for a, b, odd in links if a == here] + [
        (a, odd) for a, b, odd in links if b == here
    ]
