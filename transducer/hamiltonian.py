"""A device as a quantum optician writes it on the board.

Ladder operators, couplings, and a bath at every port.
"""

from dataclasses import dataclass

from cavities import checks
from cavities.errors import ParameterError


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
    r"""A port as the master equation sees it: loss at rate κ(n+1) and gain at rate κ n.

    Parameters
    ----------
    name : str
        Port name.
    mode : str
        Mode it opens.
    kappa : float
        Full-width energy decay rate through it [rad/s], >= 0.
    occupation : float
        Normally ordered occupation of its bath [quanta], >= 0.
    """

    name: str
    mode: str
    kappa: float
    occupation: float

    def __post_init__(self) -> None:
        checks.number("Channel.kappa", self.kappa, "rad/s", at_least=0.0)
        checks.number("Channel.occupation", self.occupation, "quanta", at_least=0.0)


@dataclass(frozen=True)
class Hamiltonian:
    r"""Hamiltonian and baths of a device; everything a master equation needs.

    .. math:: \dot\rho = -i[H,\rho] + \sum_j \kappa_j(n_j+1)\mathcal D[a_j]\rho
              + \kappa_j n_j\mathcal D[a_j^\dagger]\rho

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
        used |= {channel.mode for channel in self.channels}
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
