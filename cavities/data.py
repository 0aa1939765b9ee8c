"""One door to every data file.

Where it lies, what is in it, and how far each number can be trusted.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo

from cavities.errors import DataError

KINDS = {
    "parts": "fibre",
    "links": "fibre",
    "devices": "transducer",
    "scenarios": "transducer",
    "measured": "transducer",
}
"""Folder below ``data/`` and the package that carries it in a wheel."""

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

TRUSTED = ("read", "abstract", "derived")
"""Statuses that can carry a prediction."""

ModelT = TypeVar("ModelT", bound=BaseModel)


class Strict(BaseModel):
    """Base of everything read from a file.

    No unknown key, no silent change of type, no infinite number.
    """

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, defer_build=True
    )


Size = Annotated[float, Field(ge=0)]


def _both_ways(sigma: object) -> object:
    return [sigma, sigma] if isinstance(sigma, (int, float)) else sigma


def assumed(value: object) -> object:
    """Read a plain number of a scenario as a guess: a number that states no address has none."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"value": value, "where": "given without an address", "status": "guess"}
    return value


class Number(Strict):
    """One number of a data file with its address, its status and its uncertainty."""

    value: float
    where: Annotated[str, Field(min_length=1)]
    status: Status
    sigma: Annotated[
        list[Size], BeforeValidator(_both_ways), Field(min_length=2, max_length=2)
    ] = []
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
        return self

    @property
    def sigmas(self) -> tuple[float, float] | None:
        """One-sigma steps (down, up), or None where no uncertainty is stated."""
        return (self.sigma[0], self.sigma[1]) if self.sigma else None


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
    for status in Status.__args__:  # type: ignore[attr-defined]
        if status in statuses:
            counts[status] = statuses.count(status)
    return counts


def nearest(name: str, known: Iterable[str]) -> str:
    """Half a sentence that helps with a misspelt name.

    Examples
    --------
    >>> nearest("sahu2202", ["sahu2022", "hease2020"])
    "did you mean 'sahu2022'?"
    """
    options = sorted(known)
    match = get_close_matches(name, options, n=1, cutoff=0.6)
    if match:
        return f"did you mean '{match[0]}'?"
    return "known: " + (", ".join(options) if options else "none")


@cache
def root(kind: str) -> Path:
    """Folder that holds the files of `kind`: ``data/`` of a checkout, or the copy inside a wheel.

    Raises
    ------
    DataError
        If the package that carries this kind is not installed.
    """
    checkout = Path(__file__).resolve().parent.parent
    project = checkout / "pyproject.toml"
    if project.is_file() and 'name = "transducer-toolkit"' in project.read_text("utf-8"):
        return checkout / "data" / kind
    owner = KINDS[kind]
    spec = find_spec(owner)
    if spec is None or spec.origin is None:
        raise DataError(f"data/{kind} is carried by the package '{owner}', which is not installed")
    return Path(spec.origin).parent / "_data" / kind


def names(kind: str) -> list[str]:
    """Names of the files of `kind`, sorted, without their ending.

    Examples
    --------
    >>> "fibre.g652d" in names("parts")
    True
    """
    return sorted(path.name.removesuffix(".toml") for path in root(kind).glob("*.toml"))


def find(kind: str, name: str, beside: Path | None = None) -> Path:
    """Path of a data file by name, or of a user's own file.

    Parameters
    ----------
    kind, name : str
        Folder below ``data/`` and file name without ending; a name that ends in ``.toml`` is a
        user's own file.
    beside : Path, optional
        Folder that a user's own file is relative to; the working directory by default.

    Raises
    ------
    DataError
        If there is none of that name; the sentence suggests the nearest one.
    """
    if name.endswith(".toml"):
        return (beside or Path()) / name
    path = root(kind) / f"{name}.toml"
    try:
        if Path(name).name == name and path.is_file():
            return path
    except (OSError, ValueError):
        pass  # a name that no file can have
    raise DataError(
        f"there is no {_short(name)} in data/{kind}; {nearest(name, names(kind))} "
        "(a file of your own ends in .toml)"
    )


def read_toml(path: Path, label: str | None = None) -> Mapping[str, object]:
    """Parse a TOML file.

    Parameters
    ----------
    path : Path
        The file.
    label : str, optional
        What to call it in an error; the path by default.

    Returns
    -------
    mapping
        Nested tables; shared between callers, so copy before changing anything.

    Raises
    ------
    DataError
        If the file is missing, unreadable, not UTF-8 or not TOML; the sentence names file, line and
        reason.
    """
    name = label or str(path)
    try:
        stamp = path.stat()
        return _parsed(path, name, stamp.st_mtime_ns, stamp.st_size)
    except FileNotFoundError:
        raise DataError(f"{name}: there is no such file; check the path") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{name}: cannot be read: {reason}; name a TOML file") from None


@lru_cache(maxsize=256)
def _parsed(path: Path, name: str, changed: int, size: int) -> dict[str, object]:
    """Parse a file once per change of it; nobody may alter what is returned."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{name}: cannot be read: it is not UTF-8 text; save it as UTF-8") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{name}: is not valid TOML: {error}; mend that line") from None
    except (RecursionError, ValueError):
        raise DataError(
            f"{name}: cannot be read: a number is too long or tables are nested too deeply; "
            "shorten it"
        ) from None


def merged(base: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    """Lay `over` on `base`, table by table; anything but a table replaces what was there.

    Examples
    --------
    >>> merged({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}})
    {'a': {'b': 3, 'c': 2}}
    """
    out = dict(base)
    for key, value in over.items():
        below = out.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            out[key] = merged(below, value)
        else:
            out[key] = value
    return out


def flattened(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Dotted keys and leaves of nested tables; a table with a ``value`` counts as a leaf."""
    for key, value in table.items():
        if isinstance(value, Mapping) and value and "value" not in value:
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


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


def validate(model: type[ModelT], raw: Mapping[str, object], label: str) -> ModelT:
    """Check a parsed table against its model.

    Raises
    ------
    DataError
        One sentence that names file, key, value, what is allowed and what to do.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise DataError(_sentence(error, model, raw, label)) from None
    except RecursionError:
        raise DataError(f"{label}: is nested too deeply to be read; flatten it") from None


def _sentence(
    error: ValidationError, model: type[BaseModel], raw: Mapping[str, object], label: str
) -> str:
    # The most telling error first: a misspelt key usually also makes its namesake "missing".
    order = {"extra_forbidden": 0, "value_error": 1, "missing": 3}
    first = min(error.errors(include_url=False), key=lambda e: order.get(e["type"], 2))
    where = [str(part) for part in first["loc"]]
    if where[-1:] == ["value"] and not isinstance(_at(raw, first["loc"][:-1]), Mapping):
        where.pop()  # the user wrote a plain number
    key = ".".join(where) or "the file"
    value = first.get("input")
    shown = f" = {_short(value)}"
    if first["type"] == "extra_forbidden":
        known = _fields_at(model, where[:-1])
        known += ["arm"] if "arm_a" in known else []
        return f"{label}: unknown key '{key}'{shown}; {nearest(where[-1], known)}"
    if first["type"] == "missing":
        return f"{label}: the key '{key}' is missing; add it"
    if first["type"] == "value_error":
        message = first["msg"].removeprefix("Value error, ")
        return f"{label}: '{key}': {message}; correct it"
    if first["type"] == "literal_error":
        options = re.findall(r"'([^']*)'|(\d+)", str(first.get("ctx", {}).get("expected", "")))
        names_ = [one or two for one, two in options]
        hint = nearest(str(value), names_)
        return f"{label}: '{key}'{shown} is not one of {', '.join(map(repr, names_))}; {hint}"
    return f"{label}: '{key}'{shown}: {_rule_of(first, model, where)}; correct the value"


def _rule_of(error: Mapping[str, object], model: type[BaseModel], where: list[str]) -> str:
    """Say what a value must be, its whole range included."""
    kind, context = str(error["type"]), error.get("ctx")
    wanted = str(context.get("class_name", "")) if isinstance(context, Mapping) else ""
    if wanted in ("Number", "Positive", "NonNegative", "Share"):
        return "it must be a number (in a data file a table with value, where and status)"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"it must be a table, such as [{where[-1]}]"
    if kind == "list_type":
        return "it must be a list, in square brackets"
    if kind in ("too_short", "string_too_short"):
        return "it must not be empty"
    if kind in ("float_type", "finite_number", "int_type", "float_parsing") or "than" in kind:
        return f"it must be a finite number{_range_of(model, where)}"
    return str(error["msg"]).replace("Input should", "it must", 1)


def _range_of(model: type[BaseModel], where: list[str]) -> str:
    """Limits of a field, collected from its declaration."""
    found = _field_at(model, where)
    inner = _model_in(found.annotation) if found is not None else None
    if inner is not None and "value" in inner.model_fields:
        found = inner.model_fields["value"]
    if found is None:
        return ""
    signs = {"gt": "> ", "ge": ">= ", "lt": "< ", "le": "<= "}
    limits = [
        f"{sign}{getattr(entry, name):g}"
        for entry in (*found.metadata, *_metadata_in(found.annotation))
        for name, sign in signs.items()
        if getattr(entry, name, None) is not None
    ]
    return " " + " and ".join(limits) if limits else ""


def _metadata_in(annotation: object) -> Iterator[object]:
    """Limits inside an annotation, also where the key may be left out."""
    for entry in getattr(annotation, "__metadata__", ()):
        yield from (entry, *getattr(entry, "metadata", ()))
    for inner in getattr(annotation, "__args__", ()):
        yield from _metadata_in(inner)


def _field_at(model: type[BaseModel], where: list[str]) -> FieldInfo | None:
    here: type[BaseModel] | None = model
    found = None
    for part in where:
        if part.isdigit():
            continue
        found = here.model_fields.get(part) if here is not None else None
        here = _model_in(found.annotation) if found is not None else None
    return found


def _at(raw: object, path: Iterable[str | int]) -> object:
    for part in path:
        if isinstance(raw, list) and isinstance(part, int) and part < len(raw):
            raw = raw[part]
        elif isinstance(raw, Mapping):
            raw = raw.get(part)
        else:
            return None
    return raw


def _short(value: object) -> str:
    text = repr(dict(value) if isinstance(value, Mapping) else value)
    return text if len(text) <= 60 else text[:57] + "..."


def _fields_at(model: type[BaseModel], path: list[str]) -> list[str]:
    here: type[BaseModel] | None = model
    for part in path:
        if part.isdigit() or here is None:
            continue
        field = here.model_fields.get(part)
        here = None if field is None else _model_in(field.annotation)
    return list(here.model_fields) if here is not None else []


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found is not None:
            return found
    return None


def load(
    kind: str,
    name: str,
    model: type[ModelT],
    override: Mapping[str, object] | None = None,
    exclusive: Iterable[tuple[str, str]] = (),
    beside: Path | None = None,
) -> ModelT:
    """Read a data file by name, lay overrides on it, and check it.

    Parameters
    ----------
    kind, name : str
        Folder below ``data/`` and file name without ending.
    model : type
        Model of the file.
    override : mapping, optional
        Dotted key to a plain number (status ``guess``) or to a table with ``value``, ``where``,
        ``status``, ``sigma``.
    exclusive : iterable of pairs of str
        Last parts of keys that exclude each other; an override of one takes the other out.
    beside : Path, optional
        Folder that a user's own file (a name ending in ``.toml``) is relative to.

    Raises
    ------
    DataError
        If the file or a key does not exist or a value is not allowed.
    """
    label = name if name.endswith(".toml") else f"data/{kind}/{name}.toml"
    raw: Mapping[str, object] = read_toml(find(kind, name, beside), label)
    over = dict(override or {})
    for dotted, value in over.items():
        twin = next((q for p in exclusive for q in over if _twins(dotted, q, p)), None)
        if twin is not None:
            raise DataError(f"{label}: '{dotted}' and '{twin}' exclude each other; override one")
        if dotted.split(".")[0] in ("key", "model", "category", "source"):
            raise DataError(
                f"{label}: '{dotted}' names the file and cannot be overridden; leave it out"
            )
        raw = _overridden(raw, dotted, value, exclusive)
    return validate(model, raw, label + (" with overrides" if over else ""))


def _twins(one: str, two: str, pair: tuple[str, str]) -> bool:
    """Whether two dotted keys are the two members of an exclusive pair in one table."""
    (head, _, last), (other, _, end) = one.rpartition("."), two.rpartition(".")
    return head == other and (last, end) == pair


def _overridden(
    raw: Mapping[str, object], dotted: str, value: object, exclusive: Iterable[tuple[str, str]]
) -> dict[str, object]:
    """Copy of `raw` with one dotted key replaced, not merged.

    A new number inherits nothing from the old one.
    """
    head, _, rest = dotted.partition(".")
    out = dict(raw)
    if rest:
        below = out.get(head)
        out[head] = _overridden(below if isinstance(below, Mapping) else {}, rest, value, exclusive)
        return out
    for pair in exclusive:
        if head in pair:
            out.pop(pair[1 - pair.index(head)], None)
    out[head] = assumed(value)
    return out
