"""A number of a data file is a value, an address, a status and perhaps an uncertainty.

Everything read from a file is built from the types here.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Status = Literal[
    "read",
    "abstract",
    "secondary",
    "derived",
    "fitted",
    "recalled",
    "guess",
    "tuned",
    "identity",
]
"""How a number is known; the one vocabulary of the project (CONVENTIONS.md)."""

STATUSES: tuple[str, ...] = get_args(Status)
"""The vocabulary, in the order of trust."""

TRUSTED = ("read", "abstract", "derived")
"""Statuses that can carry a prediction."""


class Strict(BaseModel):
    """Base of everything read from a file.

    No unknown key, no silent change of type, no infinite number.
    """

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, defer_build=True
    )


Size = Annotated[float, Field(ge=0)]


def both_ways(sigma: object) -> object:
    """Read one sigma as the same step down and up."""
    return [sigma, sigma] if isinstance(sigma, (int, float)) else sigma


def assumed(value: object) -> object:
    """Read a plain number of a scenario as a guess: a number that states no address has none."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"value": value, "where": "given without an address", "status": "guess"}
    return value


class Number(Strict):
    """One number of a data file with its address, its status and its uncertainty.

    `sigma` is what the source states. Where it states nothing, `rounding` is half a unit of the
    last digit printed, all that is known of the error. `min` and `max` bound what may vary.
    """

    value: float
    where: Annotated[str, Field(min_length=1)]
    status: Status
    sigma: Annotated[list[Size], BeforeValidator(both_ways), Field(min_length=2, max_length=2)] = []
    rounding: Annotated[float, Field(gt=0)] | None = None
    min: float | None = None
    max: float | None = None
    max_status: Status | None = None
    note: str = ""

    @model_validator(mode="after")
    def _ordered(self) -> "Number":
        if self.min is not None and self.min > self.value:
            raise ValueError(f"min {self.min} must not exceed value {self.value}")
        if self.max is not None and self.max < self.value:
            raise ValueError(f"max {self.max} must not be below value {self.value}")
        if self.sigma and self.rounding is not None:
            raise ValueError("give 'sigma' or 'rounding', not both: a stated sigma includes it")
        return self

    @property
    def sigmas(self) -> tuple[float, float] | None:
        """One-sigma steps (down, up), or None where no uncertainty is stated."""
        return (self.sigma[0], self.sigma[1]) if self.sigma else None


def weakest(numbers: Iterable[Number]) -> str:
    """Status of the least trustworthy of some numbers, the maximum of a data sheet included.

    The vocabulary is in the order of trust, from ``read`` to ``identity``.

    Examples
    --------
    >>> read, tuned = (Number(value=1.0, where="x", status=s) for s in ("read", "tuned"))
    >>> weakest([read, tuned])
    'tuned'
    """
    statuses = [s for n in numbers for s in (n.status, n.max_status) if s is not None]
    return max(statuses, key=STATUSES.index)


class Positive(Number):
    """A number > 0."""

    value: Annotated[float, Field(gt=0)]


class NonNegative(Number):
    """A number >= 0."""

    value: Annotated[float, Field(ge=0)]


class Share(Number):
    """A number in (0, 1]."""

    value: Annotated[float, Field(gt=0, le=1)]


@dataclass(frozen=True)
class Input:
    """One number that a result rests on.

    Parameters
    ----------
    file : str
        File it comes from, as ``kind/name``.
    key : str
        Dotted key inside that file.
    number : Number
        Value, address, status and uncertainty.
    """

    file: str
    key: str
    number: Number


def count_by_status(inputs: Iterable[Input]) -> dict[str, int]:
    """How many inputs are of which status, in the order of the vocabulary.

    Examples
    --------
    >>> one = Input("devices/x", "g0_hz", Number(value=1.0, where="p. 2", status="read"))
    >>> count_by_status([one, one])
    {'read': 2}
    """
    counts: dict[str, int] = {}
    statuses = [entry.number.status for entry in inputs]
    for status in STATUSES:
        if status in statuses:
            counts[status] = statuses.count(status)
    return counts


def numbers_in(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, Number]]:
    """Every `Number` inside a parsed file with its dotted key."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, Number):
            yield prefix + name, value
        elif isinstance(value, BaseModel):
            yield from numbers_in(value, f"{prefix}{name}.")
        elif isinstance(value, Mapping):
            for key, entry in value.items():
                if isinstance(entry, Number):
                    yield f"{prefix}{name}.{key}", entry
                elif isinstance(entry, BaseModel):
                    yield from numbers_in(entry, f"{prefix}{name}.{key}.")
