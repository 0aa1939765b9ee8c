"""What a sweep is: its function, points, blocks and inputs. Two calls alike are one sweep."""

import ast
import functools
import hashlib
import inspect
import json
import pickle
import textwrap
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from cavities.errors import SweepError
from cavities.sentences import nearest, short
from transducer.sweeps.axes import Design, require_storable
from transducer.sweeps.points import Columns, Function, Variable

VECTOR_BLOCK = 65536
"""Points per block of a vectorised function."""
FEWEST, MOST = 16, 1024
"""Points per block of a function that is called point by point: between these."""


@dataclass(frozen=True)
class Plan:
    """A sweep before it runs.

    Parameters
    ----------
    function : callable
        What is called at the points.
    design : Design
        The points.
    vectorised : bool
        Whether the function takes whole columns.
    block : int
        Points per block: its boundaries are fixed once and for all.
    outputs : dict of str to Variable
        Units and names of outputs, over what the function's record declares itself.
    inputs : dict of str to str
        Texts of everything the function rests on, by name.
    title : str
        What the archive is called.
    """

    function: Function
    design: Design
    vectorised: bool
    block: int
    outputs: Mapping[str, Variable]
    inputs: Mapping[str, str]
    title: str

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return -(-self.design.size // self.block)

    def bounds(self, number: int) -> tuple[int, int]:
        """First point of a block, and the first behind it."""
        return number * self.block, min(self.design.size, (number + 1) * self.block)

    def columns(self, number: int) -> Columns:
        """Values of the axes in a block."""
        return self.design.columns(*self.bounds(number))

    def manifest(self) -> dict[str, Any]:
        """All that makes it this sweep and no other, as it is stored."""
        design = self.design
        return {
            "title": self.title,
            "function": identity(self.function),
            "vectorised": self.vectorised,
            "block": self.block,
            "design": {
                "kind": design.kind,
                "seed": design.seed,
                "axes": [
                    {
                        "name": axis.name,
                        "unit": axis.unit,
                        "long_name": axis.long_name,
                        "size": len(axis.values),
                        "sha256": axis.digest,
                    }
                    for axis in design.axes
                ],
            },
            "outputs": {name: asdict(label) for name, label in self.outputs.items()},
            "inputs": {name: _digest(text) for name, text in sorted(self.inputs.items())},
        }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def plan_of(
    function: Function,
    design: Design,
    vectorised: bool,
    block: int | None,
    outputs: Mapping[str, Variable],
    inputs: Mapping[str, str],
    title: str,
) -> Plan:
    """Check a sweep and fix its blocks.

    Raises
    ------
    SweepError
        If the function does not take the axes, an output is named like an axis, or a block has no
        point.
    """
    require_call(function, design.names)
    for name, label in outputs.items():
        if not isinstance(label, Variable):
            raise SweepError(f"the label of '{name}' must be a Variable, got {short(label)}")
        label.require_storable(name)
    for name, text in inputs.items():
        if not isinstance(text, str):
            raise SweepError(f"the input '{name}' must be a text, got {type(text).__name__}")
    clash = set(outputs) & set(design.names)
    if clash:
        raise SweepError(f"'{clash.pop()}' is an axis and an output; rename one of them")
    if block is None:
        most = VECTOR_BLOCK if vectorised else min(MOST, max(FEWEST, -(-design.size // 4096)))
        block = min(most, design.size)
    if not isinstance(block, (int, np.integer)) or block < 1:
        raise SweepError(f"a block must hold a whole number of points, at least one, got {block}")
    named = {name.replace("/", "."): text for name, text in inputs.items()}
    if len(named) < len(inputs) or {"", ".", "study.json", "runs.json"} & set(named):
        raise SweepError(
            "names of inputs must differ, '/' counting as '.', and be none of '', '.', "
            f"'study.json' and 'runs.json'; got {', '.join(map(repr, inputs))}"
        )
    for text in (title, *named, *named.values()):
        require_storable(text, "the title or an input")
    return Plan(function, design, vectorised, int(block), outputs, named, title)


def require_call(function: Function, names: tuple[str, ...]) -> None:
    """Refuse axes that a function does not take, and arguments that no axis gives."""
    if not callable(function):
        raise SweepError(f"a sweep calls a function, got {type(function).__name__}")
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return  # a builtin says nothing of its arguments; calling it will
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    taken = [
        n for n, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    for name in names:
        if name not in taken and not anything:
            raise SweepError(
                f"the function does not take an argument '{name}'; {nearest(name, taken)}"
            )
    needed = [n for n in taken if parameters[n].default is inspect.Parameter.empty]
    missing = [n for n in needed if n not in names]
    if missing:
        raise SweepError(
            f"the function also needs '{missing[0]}'; add an axis (one value will do) or give the "
            "argument a default"
        )


def identity(function: Any) -> dict[str, str]:
    """Name of a function and a hash of what it says: its code, and every value bound to it.

    Notes
    -----
    Comments, blank lines and docstrings do not count. What a function reads from elsewhere (other
    functions, globals, files, lists and tables around it) is not seen: pass it as ``inputs``. An
    object with a method ``fingerprint`` says itself what it is.
    """
    return {"name": _name(function), "sha256": _digest(_worth(function, ()))}


def _name(thing: Any) -> str:
    if isinstance(thing, functools.partial):
        return f"{_name(thing.func)} with arguments"
    if not hasattr(thing, "__qualname__"):
        thing = getattr(thing, "__wrapped__", None) or type(thing)
    module = getattr(thing, "__module__", None) or "__main__"  # none: made by exec
    return f"{'' if module == '__main__' else module + '.'}{thing.__qualname__}"


_PLAIN = (type(None), bool, int, float, complex, str, bytes)


def _worth(value: Any, within: tuple[int, ...]) -> str:
    """What a function or a value bound to it says, as a text that is equal for equals."""
    kind = type(value).__qualname__
    if isinstance(value, _PLAIN):
        return f"{kind} {value!r}"
    if id(value) in within:
        return "itself"
    inside = (*within, id(value))

    def each(values: Iterable[Any]) -> str:
        return json.dumps([_worth(v, inside) for v in values])

    if isinstance(value, np.ndarray) and value.dtype.kind != "O":
        content = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return f"array {value.dtype.str} {value.shape} {content}"
    if isinstance(value, (list, tuple)):
        return f"{kind} {each(value)}"
    if isinstance(value, (set, frozenset)):
        return f"{kind} {sorted(_worth(v, inside) for v in value)}"
    if isinstance(value, Mapping):
        pairs = [[_worth(k, inside), _worth(v, inside)] for k, v in value.items()]
        return f"{kind} {json.dumps(sorted(pairs))}"
    if isinstance(value, functools.partial):
        return f"partial {each([value.func, value.args, dict(value.keywords)])}"
    if inspect.ismethod(value):
        return f"method {each([value.__func__, value.__self__])}"
    if inspect.isfunction(value):
        cells = [_cell(cell) for cell in value.__closure__ or ()]
        bound = each([*cells, *(value.__defaults__ or ()), value.__kwdefaults__ or {}])
        return f"function {_source(value)} {bound}"
    if isinstance(value, type):
        return f"class {_name(value)} {_source(value)}"
    if hasattr(value, "__wrapped__"):
        return f"{kind} {each([value.__wrapped__])}"
    if callable(getattr(value, "fingerprint", None)):
        return f"{kind} {value.fingerprint()}"
    return _state(value, kind, each)


def _state(value: Any, kind: str, each: Callable[[Iterable[Any]], str]) -> str:
    """What any other object says: its class's code if it is called, and what it holds."""
    code = [_source(type(value))] if callable(value) else []
    held = getattr(value, "__dict__", None)
    if is_dataclass(value):
        held = {field.name: getattr(value, field.name) for field in fields(value)}
    elif held is None or type(value).__module__.split(".")[0] in ("xarray", "pandas", "builtins"):
        try:
            return f"{kind} {hashlib.sha256(pickle.dumps(value)).hexdigest()}"
        except Exception:  # what cannot be written down counts by its class
            return kind
    return f"{kind} {each([*code, held])}"


def _cell(cell: Any) -> Any:
    """Value a closure holds; a list, a set or a table in it may be anybody's notebook."""
    try:
        value = cell.cell_contents
    except ValueError:
        return None  # not filled yet
    return type(value) if isinstance(value, (list, dict, set)) else value


def _source(thing: Any) -> str:
    """Code of a function or class: its syntax, or its bytecode where a line holds several."""
    code = getattr(thing, "__code__", None)
    try:
        if code is not None and code.co_name == "<lambda>":
            raise SyntaxError
        tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    except (OSError, TypeError, SyntaxError):
        return _bytecode(code) if code is not None else _name(thing)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                node.body = body[1:] or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _bytecode(code: Any) -> str:
    constants = [_bytecode(c) if inspect.iscode(c) else repr(c) for c in code.co_consts]
    return repr((code.co_code, code.co_names, code.co_varnames, constants))


def require_same(
    stored: Mapping[str, Any], stored_inputs: Mapping[str, str], plan: Plan, where: str
) -> None:
    """Refuse to go on with an archive that another sweep began.

    Raises
    ------
    SweepError
        It says what changed.
    """
    wanted = plan.manifest()
    changes = list(_changes(stored, stored_inputs, wanted, plan.inputs))
    if changes:
        more = f" (and {len(changes) - 3} more)" if len(changes) > 3 else ""
        raise SweepError(
            f"{where}: holds another sweep and is kept: {'; '.join(changes[:3])}{more}; choose "
            "another archive, or undo the change to go on"
        )


def _changes(
    stored: Mapping[str, Any],
    stored_inputs: Mapping[str, str],
    wanted: Mapping[str, Any],
    inputs: Mapping[str, str],
) -> Iterator[str]:
    texts = [
        change
        for name in sorted({*stored_inputs, *inputs})
        for change in differences(name, stored_inputs.get(name), inputs.get(name))
    ]
    one, two = stored["function"], wanted["function"]
    if one["name"] != two["name"]:
        yield f"the function was {one['name']}, is {two['name']}"
    elif one["sha256"] != two["sha256"] and not texts:
        yield f"the function {two['name']} says something else"
    was, now = stored["design"], wanted["design"]
    for key in ("kind", "seed"):
        if was[key] != now[key]:
            yield f"{key} was {was[key]}, is {now[key]}"
    names_then, names_now = [a["name"] for a in was["axes"]], [a["name"] for a in now["axes"]]
    if names_then != names_now:
        yield f"the axes were {', '.join(names_then)}, are {', '.join(names_now)}"
    else:
        for a, b in zip(was["axes"], now["axes"], strict=True):
            if a["size"] != b["size"]:
                yield f"axis '{a['name']}' had {a['size']} values, has {b['size']}"
            elif a["sha256"] != b["sha256"]:
                yield f"axis '{a['name']}' has other values"
            elif a["unit"] != b["unit"]:
                yield f"the unit of axis '{a['name']}' was {a['unit']}, is {b['unit']}"
    for name in sorted({*stored["outputs"], *wanted["outputs"]}):
        one, two = stored["outputs"].get(name), wanted["outputs"].get(name)
        if one != two:
            yield f"the label of '{name}' was {_brief(one)}, is {_brief(two)}"
    for key in ("vectorised", "block"):
        if stored[key] != wanted[key]:
            yield f"'{key}' was {stored[key]}, is {wanted[key]}"
    yield from texts


def differences(name: str, was: str | None, now: str | None) -> Iterator[str]:
    """What changed in a text: key by key where it is JSON or TOML."""
    if was == now:
        return
    if was is None or now is None:
        yield f"{name} {'came in' if was is None else 'is gone'}"
        return
    one, two = _parsed(was), _parsed(now)
    if one is None or two is None:
        yield f"{name} was changed"
        return
    # nothing is yielded for the same numbers, written otherwise
    yield from (f"{name} '{key}' was {a}, is {b}" for key, a, b in _apart(one, two, ""))


def _parsed(text: str) -> Any:
    for parse in (json.loads, tomllib.loads):
        try:
            return parse(text)
        except (ValueError, RecursionError):
            continue
    return None


class _Nothing:
    def __str__(self) -> str:
        return "nothing"


_NOTHING = _Nothing()


def _apart(one: Any, two: Any, key: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(one, dict) and isinstance(two, dict):
        for name in [*one, *(n for n in two if n not in one)]:
            below = f"{key}.{name}" if key else name
            yield from _apart(one.get(name, _NOTHING), two.get(name, _NOTHING), below)
    elif isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
        for i, (a, b) in enumerate(zip(one, two, strict=True)):
            yield from _apart(a, b, f"{key}[{i}]")
    elif one != two or isinstance(one, bool) != isinstance(two, bool):
        yield key, _brief(one), _brief(two)


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."
