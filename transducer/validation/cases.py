"""One claim and the paper it stands in: what a prediction may ask for, and what is missing."""

from dataclasses import dataclass
from functools import cached_property

from cavities.errors import DataError
from cavities.numbers import Number, numbers_in
from cavities.pump import Pump, Sideband
from transducer.paper_file import Claim
from transducer.published import Paper, Published


class MissingInputError(DataError):
    """A prediction needs a number that the file does not state."""


@dataclass(frozen=True)
class Case:
    """A claim with its paper; everything is looked up when it is asked for.

    Parameters
    ----------
    paper : Paper
        The file.
    claim : Claim
        One of its claims.
    """

    paper: Paper
    claim: Claim

    @cached_property
    def found(self) -> Published:
        """The device at the operating point of the claim."""
        return self.paper.at(self.claim.operating_point)

    def pump(self, sideband: Sideband = Sideband.RED) -> Pump:
        """Pump of the operating point; the file's envelope shapes it.

        Parameters
        ----------
        sideband : Sideband
            Which side the laser stands on.

        Raises
        ------
        MissingInputError
            If the claim names no operating point.
        """
        like = Pump(0.0, sideband=sideband)
        pump = self.found.pump(like)
        if pump is None:
            raise MissingInputError("an operating point that sets the pump")
        return pump

    def number(self, key: str) -> Number:
        """A number of the file by its dotted key.

        Raises
        ------
        MissingInputError
            If the file does not state it.
        """
        for name, number in numbers_in(self.paper.file):
            if name == key:
                return number
        raise MissingInputError(key)

    def value(self, key: str) -> float:
        """Value of `number`."""
        return self.number(key).value
