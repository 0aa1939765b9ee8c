"""One table of rules for every call: a single point raises, a batch gets a code per point."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from cavities.constants import Real
from cavities.errors import PhysicsError, TruncationError, UnstableError, ValidityError

Codes = NDArray[np.int8]


class Status(IntEnum):
    """What became of a point of a batch."""

    OK = 0
    """Computed."""
    UNSTABLE = 1
    """A mode grows: the device oscillates."""
    NOT_RESOLVED = 2
    """A rate is too large against the frequency that the rotating-wave model needs to be far."""
    CROWDED = 3
    """A coupling reaches a mode spacing: a neighbouring mode takes part."""
    NOT_ADIABATIC = 4
    """A pulse is too short for a formula that follows it adiabatically."""
    WRONG_SIDE = 5
    """The pump stands on the other side of the mode than it says."""
    OUTSIDE_DOMAIN = 6
    """A quantity lies outside its domain."""
    NOT_VALID = 7
    """The model was asked for outside the range in which it holds."""
    TRUNCATED = 8
    """No Fock space within the limits reaches the asked accuracy."""
    NOT_A_NUMBER = 9
    """A result is not a number though nothing was refused."""
    LOST = 10
    """The worker that computed it died, and died again when it was tried alone."""
    PENDING = 11
    """Not computed yet."""


_ERRORS: dict[Status, type[PhysicsError]] = {Status.UNSTABLE: UnstableError}
_CODES: tuple[tuple[type[PhysicsError], Status], ...] = (
    (UnstableError, Status.UNSTABLE),
    (TruncationError, Status.TRUNCATED),
    (ValidityError, Status.NOT_VALID),
)


def status_of(error: PhysicsError) -> Status:
    """Code of a point whose evaluation raised `error`.

    Examples
    --------
    >>> status_of(UnstableError("it oscillates")).name
    'UNSTABLE'
    """
    for kind, status in _CODES:
        if isinstance(error, kind):
            return status
    return Status.OUTSIDE_DOMAIN


@dataclass(frozen=True)
class Rule:
    """A ratio that must not exceed a limit.

    Parameters
    ----------
    what : str
        What is compared with what, in words.
    status : Status
        What a point that breaks it is marked with.
    ratio : float or ndarray, shape (...)
        The ratio [1].
    limit : float
        Largest allowed ratio [1].
    sentence : callable
        Says what is wrong, given the worst ratio.
    """

    what: str
    status: Status
    ratio: Real
    limit: float
    sentence: Callable[[float], str]

    @property
    def broken(self) -> NDArray[np.bool_]:
        """Where the ratio exceeds the limit, shape (...); a ratio that is not a number does."""
        return np.asarray(~(np.asarray(self.ratio) <= self.limit))


def settle(rules: Sequence[Rule]) -> Codes:
    """Raise for a single point that breaks a rule, mark the points of a batch that do.

    Parameters
    ----------
    rules : sequence of Rule
        In the order in which they are looked at: the first broken one names the point.

    Returns
    -------
    ndarray of int8, shape (...)
        A `Status` per point.

    Raises
    ------
    UnstableError, ValidityError
        For a single point.

    Examples
    --------
    >>> rule = Rule("a/b", Status.NOT_RESOLVED, np.array([0.05, 0.3]), 0.1, str)
    >>> settle([rule]).tolist()
    [0, 2]
    """
    shape = np.broadcast_shapes(*(np.shape(rule.ratio) for rule in rules))
    codes = np.zeros(shape, dtype=np.int8)
    for rule in rules:
        broken = rule.broken
        if shape == () and broken:
            raise _ERRORS.get(rule.status, ValidityError)(rule.sentence(float(rule.ratio)))
        codes = np.where((codes == Status.OK) & broken, np.int8(rule.status), codes)
    return np.asarray(codes, dtype=np.int8)
