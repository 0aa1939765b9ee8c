"""Keys of a scenario file: set one in the file, or put a whole column in its place in the link."""

import re
from collections.abc import Mapping
from dataclasses import replace

from cavities.errors import DataError
from cavities.sentences import short
from fibre.budget import Arm, Link
from fibre.elements import FibreSpan
from transducer.sweeps.axes import Values

_FAST = re.compile(
    r"(arm|arm_a|arm_b)\.(path\[\d+\]\.length_km|node\.bright_population)"
    r"|station\.(phase_rms_rad|phase_change_rms_rad|distinguishability)"
)


def is_fast(key: str) -> bool:
    """Whether a link takes whole columns in place of this key: it scales light or phase only.

    Examples
    --------
    >>> is_fast("arm.path[3].length_km"), is_fast("arm.transducer.pump.power_w")
    (True, False)
    """
    return _FAST.fullmatch(key) is not None


WHOLE = ("count", "memories", "modes")
"""Keys that hold a whole number where a file leaves them out."""

_STEP = re.compile(r"([^.\[\]]+)((?:\[\d+\])*)(?:\.|$)")


def _steps(key: str, label: str) -> list[str | int]:
    steps: list[str | int] = []
    at = 0
    while at < len(key):
        match = _STEP.match(key, at)
        if match is None:
            raise DataError(
                f"{label}: key {short(key)} cannot be read; write it like arm.path[3].length_km"
            )
        steps.append(match[1])
        steps += [int(number) for number in re.findall(r"\[(\d+)\]", match[2])]
        at = match.end()
    return steps


def with_key(
    raw: Mapping[str, object], key: str, value: float | str, label: str
) -> dict[str, object]:
    """Copy of a parsed scenario with one key set.

    Parameters
    ----------
    raw : mapping
        The scenario as it was written.
    key : str
        Dotted, entries of lists in brackets: ``arm.path[3].length_km``.
    value : float or str
        Its new value; a number with address and status keeps these and loses its uncertainty.
    label : str
        What to call the file in errors.

    Raises
    ------
    DataError
        If the key leads nowhere, or an arm's own table hides it.

    Examples
    --------
    >>> with_key({"arm": {"path": [{"length_km": 1.0}]}}, "arm.path[0].length_km", 2.0, "x")
    {'arm': {'path': [{'length_km': 2.0}]}}
    """
    steps = _steps(key, label)
    if steps[0] in ("schemes", "name", "title", "schema_version"):
        raise DataError(
            f"{label}: key '{key}' is no number of the link; use the key 'scheme' for that"
        )
    if steps[0] in ("request", "margins"):
        raise DataError(
            f"{label}: key '{key}' moves none of a sweep's figures: it belongs to the tables of "
            "'transducer link'; leave it to the scenario"
        )
    if steps[0] in ("arm_a", "arm_b"):
        raw = _own_list(raw, str(steps[0]), steps[1:])
    if steps[0] == "arm":
        for own in ("arm_a", "arm_b"):
            if _leads(raw.get(own), steps[1:]):
                raise DataError(
                    f"{label}: key '{key}' is hidden by '{own}', which sets it itself; name the "
                    f"keys of 'arm_a' and 'arm_b' instead"
                )
    out = _set(raw, steps, value, label, key)
    assert isinstance(out, dict)
    return out


def _leads(table: object, steps: list[str | int]) -> bool:
    for step in steps:
        if isinstance(table, Mapping) and step in table:
            table = table[step]
        else:
            return isinstance(table, list)  # an arm's own list stands for the whole list
    return True


def _set(table: object, steps: list[str | int], value: object, label: str, key: str) -> object:
    if not steps:
        if isinstance(table, Mapping):
            if "value" not in table:
                raise DataError(f"{label}: key '{key}' is a table; name a number inside it")
            kept = {k: v for k, v in table.items() if k in ("where", "status", "note")}
            return {**kept, "value": value}
        whole = isinstance(table, int) and not isinstance(table, bool)
        return int(value) if whole and isinstance(value, float) and value.is_integer() else value
    step, rest = steps[0], steps[1:]
    written = ".".join(map(str, steps))
    if len(steps) > 1 and isinstance(table, Mapping) and written in table:  # a quoted key
        return {**table, written: _set(table[written], [], value, label, key)}
    if isinstance(step, int):
        if not isinstance(table, list) or step >= len(table):
            count = len(table) if isinstance(table, list) else 0
            raise DataError(
                f"{label}: key '{key}': there is no entry [{step}]; the list holds "
                f"{count}, counted from 0"
            )
        return [_set(v, rest, value, label, key) if i == step else v for i, v in enumerate(table)]
    if table is not None and not isinstance(table, Mapping):
        raise DataError(f"{label}: key '{key}': '{step}' is looked for where there is no table")
    below = dict(table) if isinstance(table, Mapping) else {}
    before = below.get(step, 1 if step in WHOLE else None)
    below[step] = _set(before, rest, value, label, key)
    return below


def _own_list(raw: Mapping[str, object], arm: str, steps: list[str | int]) -> Mapping[str, object]:
    """Give an arm a copy of the common list that it shares, before one entry of it is changed."""
    index = next((i for i, step in enumerate(steps) if isinstance(step, int)), None)
    if index is None:
        return raw
    path = [arm, *map(str, steps[:index])]
    if value_at(raw, ".".join(path), "") is not None:
        return raw
    common = value_at(raw, ".".join(["arm", *path[1:]]), "")
    if not isinstance(common, list):
        return raw
    out = _set(raw, [*path], common, "", "")
    assert isinstance(out, dict)
    return out


def value_at(raw: object, key: str, label: str) -> object:
    """What stands under a key of a parsed scenario; None if nothing does."""
    for step in _steps(key, label):
        if isinstance(raw, list) and isinstance(step, int) and step < len(raw):
            raw = raw[step]
        elif isinstance(raw, Mapping):
            raw = raw.get(str(step))
        else:
            return None
    return raw


class _Mark:
    """Stands where a key was set."""


def require_apart(
    raw: Mapping[str, object], keys: Mapping[str, tuple[str, ...]], label: str, scenario: str
) -> None:
    """Refuse a key that two axes set, and one that does not reach the arms it names.

    Raises
    ------
    DataError
        It names the axes.
    """
    owner: dict[str, str] = {}
    for axis, named in keys.items():
        for key in named:
            steps = _steps(key, label)
            plain = ".".join(map(str, steps))
            arms = ("arm_a", "arm_b") if steps[0] == "arm" else (str(steps[0]),)
            for arm in arms:
                one = ".".join([arm, *plain.split(".")[1:]])
                if one in owner:
                    raise DataError(
                        f"{label}: '{key}' is set by axis '{axis}' and by axis '{owner[one]}'; let "
                        "one axis set it"
                    )
                owner[one] = axis
            if key == "scheme":
                continue
            try:
                _require_reach(raw, key, arms, scenario)
            except DataError as error:
                raise DataError(f"{label}: axis '{axis}': {error}") from None


def _require_reach(
    raw: Mapping[str, object], key: str, arms: tuple[str, ...], scenario: str
) -> None:
    from transducer.scenario import laid_out

    laid = laid_out(with_key(raw, key, _Mark(), scenario), scenario)  # type: ignore[arg-type]
    for arm in arms:
        if not _holds_mark(laid.get(arm)):
            raise DataError(
                f"{scenario}: key '{key}' does not reach '{arm}', which has its own; name the keys "
                "of 'arm_a' and 'arm_b' instead"
            )


def _holds_mark(table: object) -> bool:
    if isinstance(table, Mapping):
        return any(map(_holds_mark, table.values()))
    return any(map(_holds_mark, table)) if isinstance(table, list) else isinstance(table, _Mark)


def batched(link: Link, key: str, values: Values) -> Link:
    """The link with a column in place of one number.

    Parameters
    ----------
    link : Link
        Built from the scenario.
    key : str
        One that `is_fast`.
    values : ndarray, shape (n,)
        In the unit of the key.
    """
    head, _, rest = key.partition(".")
    station = link.station
    if key == "station.phase_rms_rad":
        return replace(link, station=replace(station, phase_rms=values))
    if key == "station.phase_change_rms_rad":
        return replace(link, station=replace(station, phase_change_rms=values))
    if key == "station.distinguishability":
        return replace(link, station=replace(station, distinguishability=values))
    one, two = link.arms
    if head in ("arm", "arm_a"):
        one = _batched_arm(one, rest, values)
    if head in ("arm", "arm_b"):
        two = _batched_arm(two, rest, values)
    return replace(link, arms=(one, two))


def _batched_arm(arm: Arm, key: str, values: Values) -> Arm:
    if key == "node.bright_population":
        return replace(arm, photon=replace(arm.photon, bright=values))
    index = int(key[len("path[") : key.index("]")])
    elements = list(arm.elements)
    span = elements[index]
    assert isinstance(span, FibreSpan)  # the scenario was built with a length for it
    elements[index] = replace(span, length=1e3 * values)
    return replace(arm, elements=tuple(elements))
