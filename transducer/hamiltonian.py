"""A device as a quantum optician writes it on the board.

Ladder operators, couplings, and a bath at every port.
"""

from dataclasses import dataclass

import numpy as np

from cavities import checks
from cavities.errors import ParameterError
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
class Term:
    """A coefficient times a product of ladder operators, written left to right.

    Parameters
    ----------
    coefficient : complex
        Angular frequency [rad/s]; the Hamiltonian is in units of ħ.
    operators : tuple of Ladder
        The product.
    """

    coefficient: complex
    operators: tuple[Ladder, ...]


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
    """

    name: str
    amplitudes: tuple[tuple[str, complex], ...]
    occupation: float

    def __post_init__(self) -> None:
        checks.number("Channel.kappa", self.kappa, "rad/s", at_least=0.0)
        checks.number("Channel.occupation", self.occupation, "quanta", at_least=0.0)

    @property
    def kappa(self) -> float:
        """Full-width energy decay rate, summed over its modes [rad/s]."""
        return float(sum(abs(u) ** 2 for _, u in self.amplitudes))

    def rate(self, mode: str) -> float:
        """Energy decay rate of one mode through it [rad/s]."""
        return float(sum(abs(u) ** 2 for m, u in self.amplitudes if m == mode))


@dataclass(frozen=True)
class Hamiltonian:
    r"""Hamiltonian and baths of a device; everything a master equation needs.

    .. math:: \dot\rho = -i[H,\rho] + \sum_j (n_j+1)\mathcal D[L_j]\rho
              + n_j\mathcal D[L_j^\dagger]\rho

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
    """

    modes: tuple[str, ...]
    terms: tuple[Term, ...]
    channels: tuple[Channel, ...]
    approximations: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        used = {op.mode for term in self.terms for op in term.operators}
        used |= {mode for channel in self.channels for mode, _ in channel.amplitudes}
        unknown = sorted(used - set(self.modes))
        if unknown:
            raise ParameterError(
                f"Hamiltonian: {unknown[0]!r} is not one of the modes {self.modes}"
            )

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


def on_the_board(network: Network) -> Hamiltonian:
    """Write a network as ladder operators and baths.

    Raises
    ------
    ParameterError
        If a quantity is an array: the master equation takes one device at a time.
    """
    terms = [
        Term(_one(f"detuning of {m.name}", m.delta), (Ladder(m.name, True), Ladder(m.name)))
        for m in network.modes
    ]
    for c in network.couplings:
        g = _one(f"coupling {c.first}-{c.second}", c.g)
        if c.first == c.second:
            g = g / 2
        squeezes = c.mixing is Mixing.SQUEEZING
        terms.append(Term(g, (Ladder(c.first, True), Ladder(c.second, squeezes))))
        terms.append(Term(np.conj(g), (Ladder(c.second, not squeezes), Ladder(c.first))))
    channels = tuple(
        Channel(
            d.name,
            tuple((m, _one(f"rate of {d.name}", u)) for m, u in d.amplitudes),
            _one(f"occupation of {d.name}", d.occupation).real,
        )
        for d in network.doors
    )
    return Hamiltonian(tuple(network.names), tuple(terms), channels, network.approximations)


def _one(label: str, value: Amplitude) -> complex:
    array = np.asarray(value, dtype=np.complex128)
    if array.size != 1:
        raise ParameterError(
            f"{label}: the master equation takes one device at a time, got {array.size} values; "
            "loop over them"
        )
    return complex(array.reshape(()))
