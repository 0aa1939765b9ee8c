"""What a mistaken file is told.

One sentence with file, key, value, allowed range and remedy.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from cavities.errors import DataError

ModelT = TypeVar("ModelT", bound=BaseModel)


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
    shown = f" = {short(value)}"
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


def short(value: object) -> str:
    """Show a value in a sentence, long ones abridged."""
    try:
        text = repr(dict(value) if isinstance(value, Mapping) else value)
    except RecursionError:
        text = "a table nested too deeply"
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
