"""The sentences the toolkit says when physics or data forbid what was asked.

One class per reason.
"""


class ToolkitError(ValueError):
    """Base of every error the toolkit raises on purpose: its text is a sentence for the user."""


class PhysicsError(ToolkitError):
    """What was asked is outside the domain or the validity of the physics."""


class ParameterError(PhysicsError):
    """A quantity lies outside its domain."""


class UnstableError(PhysicsError):
    """The device has a growing mode: it oscillates instead of converting."""


class ValidityError(PhysicsError):
    """A model was asked for outside the range in which it holds."""


class TruncationError(PhysicsError):
    """A Fock space that would fit in the limits cannot reach the asked accuracy."""


class DataError(ToolkitError):
    """A file, a key or a name in the data is missing, misspelt or malformed."""


class DamageError(DataError):
    """A file of ours is not as it was written; others beside it may be whole."""


class SweepError(ToolkitError):
    """A sweep, its function or its archive is not what it must be; what was committed is kept."""
