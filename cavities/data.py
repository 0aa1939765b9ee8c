"""One door to every data file.

Where it lies, what is in it, and how far each number can be trusted.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

from cavities.errors import DataError
from cavities.numbers import assumed
from cavities.sentences import ModelT, nearest, short, validate

KINDS = {
    "parts": "fibre",
    "links": "fibre",
    "devices": "transducer",
    "scenarios": "transducer",
    "studies": "transducer",
    "measured": "transducer",
    "materials": "transducer",
}
"""Folder below ``data/`` and the package that carries it in a wheel."""


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
        f"there is no {short(name)} in data/{kind}; {nearest(name, names(kind))} (a file of your "
        "own ends in .toml)"
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
    except DataError:
        raise
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
