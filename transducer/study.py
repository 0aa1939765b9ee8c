"""A study: a scenario, some of its keys as axes, and the figures at every point.

Keys that only scale light or phase (lengths, populations, phase noise) are evaluated for a whole
column at a time; every other key builds the scenario anew.
"""

import json
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cavities import data
from cavities.constants import ordinary
from cavities.errors import DataError, ParameterError, PhysicsError, ToolkitError
from cavities.rules import Status, status_of
from cavities.sentences import nearest, short, validate
from fibre.budget import Link
from fibre.figures import LinkFigures
from fibre.herald import Scheme
from fibre.link import evaluate_link
from transducer.chain import bandwidth_of, convert, converter, link_of
from transducer.scenario import Scenario, as_written, laid_out, scenario_from
from transducer.scenario_keys import batched, is_fast, require_apart, value_at, with_key
from transducer.study_file import StudyFile
from transducer.sweeps.axes import Design, Values, sampled
from transducer.sweeps.points import REASON, STATUS, Block, Columns, Variable, batch, single
from transducer.sweeps.pool import Maker
from transducer.sweeps.run import sweep

if TYPE_CHECKING:
    import xarray

RETOLD = 256
"""Refused points of a block that are evaluated once more, for the words."""

DEVICE_OUTPUTS = {
    "conversion_efficiency": Variable("1", "conversion efficiency at the photon's centre"),
    "conversion_noise": Variable("quanta", "added noise at the photon's centre, at the source"),
    "conversion_bandwidth": Variable("Hz", "full width at half maximum of the conversion"),
}


def output_labels() -> dict[str, Variable]:
    """Every figure that a study can keep, with unit and meaning."""
    found = {
        f.name: Variable(f.metadata["unit"], f.metadata["long_name"]) for f in fields(LinkFigures)
    }
    for side in ("a", "b"):
        for name, label in DEVICE_OUTPUTS.items():
            long_name = f"{label.long_name}, arm {side.upper()}"
            found[f"{name}_{side}"] = replace(label, long_name=long_name)
    return found


@dataclass(frozen=True)
class LinkFunction:
    """Figures of a scenario as a function of some of its keys: what a study sweeps.

    Parameters
    ----------
    raw : dict
        Parsed scenario, as it was written.
    label : str
        What to call it in errors.
    folder : Path
        Folder that its own files are relative to.
    keys : dict of str to tuple of str
        Scenario keys that each axis sets.
    scheme : Scheme
        Heralding scheme, where no axis sets it.
    engine : str
        As of `transducer.chain.evaluate`.
    outputs : tuple of str
        Figures to keep.
    """

    raw: dict[str, object]
    label: str
    folder: Path
    keys: dict[str, tuple[str, ...]]
    scheme: Scheme
    engine: str
    outputs: tuple[str, ...]

    def fingerprint(self) -> str:
        """What makes it this function and no other, wherever it is called from."""
        said = [self.raw, self.keys, self.scheme.value, self.engine, self.outputs]
        return json.dumps(said, sort_keys=True)

    def __call__(self, /, **columns: Values) -> dict[str, Any]:
        """Figures at every point, with ``status`` and ``reason`` where there are none.

        Parameters
        ----------
        **columns : ndarray, shape (n,)
            Values of every axis.

        Returns
        -------
        dict
            One array of shape (n,) per output, ``status`` and ``reason``.
        """
        size = len(next(iter(columns.values())))
        found = {name: np.full(size, np.nan) for name in self.outputs}
        codes, reasons = np.zeros(size, dtype=np.int8), np.full(size, "", dtype=object)
        retold = Counter[str]()
        for rows, slow in self._groups(columns, size):
            fast = {name: columns[name][rows] for name in columns if name not in slow}
            block = self._group(slow, fast, len(rows), retold)
            codes[rows] = block.codes
            reasons[rows] = np.array(block.sentences, dtype=object)[block.reasons]
            for name, values in zip(block.names, block.values, strict=True):
                found[name][rows] = values
        return {**found, STATUS: codes, REASON: reasons}

    @cached_property
    def slow(self) -> tuple[str, ...]:
        """Axes whose keys build the scenario anew."""
        columns = self.engine != "node"  # its joint states hold the population already
        return tuple(
            axis
            for axis, keys in self.keys.items()
            if not (columns and all(is_fast(key) and self._alone(key) for key in keys))
        )

    def _alone(self, key: str) -> bool:
        """Whether a key sets one part, and not several in a row."""
        head, _, rest = key.rpartition(".")[0].partition(".")
        laid = laid_out(self.raw, self.label)
        arms = ("arm_a", "arm_b") if head == "arm" else (head,)
        entries = [value_at(laid, f"{arm}.{rest}" if rest else arm, self.label) for arm in arms]
        return all(not isinstance(e, Mapping) or e.get("count", 1) == 1 for e in entries)

    def _groups(
        self, columns: Columns, size: int
    ) -> Iterator[tuple[NDArray[np.intp], dict[str, float | str]]]:
        """Rows that share one scenario, with the values that make it."""
        if not self.slow:
            yield np.arange(size), {}
            return
        codes = np.stack([np.unique(columns[n], return_inverse=True)[1] for n in self.slow])
        _, first, which = np.unique(codes, axis=1, return_index=True, return_inverse=True)
        order = np.argsort(which.ravel(), kind="stable")
        edges = np.flatnonzero(np.diff(which.ravel()[order])) + 1
        for rows in np.split(order, edges):
            at = first[which.ravel()[rows[0]]]
            yield rows, {name: _plain(columns[name][at]) for name in self.slow}

    def _group(
        self,
        slow: Mapping[str, float | str],
        fast: Columns,
        size: int,
        retold: "Counter[str]",
    ) -> Block:
        try:
            scenario, scheme = self.scenario(slow)
            link = link_of(scenario, self.engine)
            device = _device_figures(scenario, self.engine, self.outputs)
        except (PhysicsError, DataError, *_NUMERICAL) as error:
            code = status_of(error) if isinstance(error, PhysicsError) else Status.OUTSIDE_DOMAIN
            codes = np.full(size, code, dtype=np.int8)
            once = np.ones(size, dtype=np.int32)
            return Block((), np.empty((0, size)), codes, once, ("", _said(error)), {})

        def figures(**columns: Values) -> dict[str, Any]:
            try:
                record = evaluate_link(self._with(link, columns), scheme).as_dict()
            except _NUMERICAL as error:
                raise ParameterError(_said(error)) from None
            except PhysicsError:
                if columns and len(next(iter(columns.values()))) == 1:
                    self._retell({**slow, **{n: _plain(v[0]) for n, v in columns.items()}}, retold)
                raise
            return {name: device[name] if name in device else record[name] for name in self.outputs}

        if fast:
            return batch(figures, fast)
        one = single(figures, {})
        values, codes = np.repeat(one.values, size, axis=1), np.repeat(one.codes, size)
        return replace(one, values=values, codes=codes, reasons=np.repeat(one.reasons, size))

    def _retell(self, point: Mapping[str, float | str], retold: "Counter[str]") -> None:
        """Refuse a point in the words of a link built for it alone: with its keys, its units.

        Building one takes 10 ms: beyond 256 points of a block they are told as the columns tell.
        """
        retold["points"] += 1
        if retold["points"] > RETOLD:
            return
        try:
            scenario, scheme = self.scenario(point)
            evaluate_link(link_of(scenario, self.engine), scheme)
        except (DataError, *_NUMERICAL) as error:
            raise ParameterError(_said(error)) from None

    def scenario(self, values: Mapping[str, float | str]) -> tuple[Scenario, Scheme]:
        """Scenario and scheme at values of the slow axes; the fast ones are as written.

        Raises
        ------
        DataError, PhysicsError
            If a value is refused.
        """
        raw, scheme = self.raw, self.scheme
        for axis, value in values.items():
            for key in self.keys[axis]:
                if key == "scheme":
                    scheme = _scheme(value)
                else:
                    raw = with_key(raw, key, value, self.label)
        return scenario_from(laid_out(raw, self.label), self.label, self.folder, raw), scheme

    def _with(self, link: Link, columns: Columns) -> Link:
        """The link with whole columns in place of some of its numbers."""
        for axis, values in columns.items():
            for key in self.keys.get(axis, ()):
                link = batched(link, key, values)
        return link


_NUMERICAL = (ArithmeticError, np.linalg.LinAlgError)


def _said(error: Exception) -> str:
    if isinstance(error, _NUMERICAL):
        return "a number is too large or too small to compute with; look for a slip in an exponent"
    return str(error)


def _plain(value: Any) -> float | str:
    return value if isinstance(value, str) else float(value)


def _scheme(value: object) -> Scheme:
    known = [scheme.value for scheme in Scheme]
    if value not in known:
        raise DataError(f"'scheme' = {short(value)} is not a scheme; {nearest(str(value), known)}")
    return Scheme(value)


def _device_figures(scenario: Scenario, engine: str, wanted: tuple[str, ...]) -> dict[str, float]:
    found: dict[str, float] = {}
    for side, arm in zip("ab", scenario.arms, strict=True):
        names = {name: f"{name}_{side}" for name in DEVICE_OUTPUTS}
        if not set(names.values()) & set(wanted):
            continue
        signal = convert(arm, converter(engine), np.array([arm.emitter.offset]))
        found[names["conversion_efficiency"]] = float(signal.efficiency[0])
        found[names["conversion_noise"]] = float(signal.added_noise[0])
        found[names["conversion_bandwidth"]] = float(np.max(ordinary(bandwidth_of(arm))))
    return found


@dataclass(frozen=True)
class Study:
    """A study ready to be swept.

    Parameters
    ----------
    name, title : str
        What it is called.
    function : LinkFunction
        What is evaluated.
    design : Design
        Where.
    block : int
        Points per block.
    archive : Path
        Where its archive goes.
    inputs : dict of str to str
        Texts of everything it rests on.
    """

    name: str
    title: str
    function: LinkFunction
    design: Design
    block: int
    archive: Path
    inputs: dict[str, str]

    @property
    def outputs(self) -> dict[str, Variable]:
        """Units and meanings of what it keeps."""
        labels = output_labels()
        return {name: labels[name] for name in self.function.outputs}


def load_study(path: Path | str, archive: Path | str | None = None) -> Study:
    """Read a study file.

    Parameters
    ----------
    path : path
        TOML file, or the name of a study in ``data/studies``; a scenario's own path in it is
        relative to its folder.
    archive : path, optional
        Where the archive goes, instead of the place the file names (relative to the working
        directory; ``results/NAME.h5`` if it names none).

    Raises
    ------
    DataError, ParameterError
        If the file, an axis, a key or the scenario is not what it should be.
    """
    place = Path(path)
    label = str(path)
    if place.suffix != ".toml" and not _is_file(place):
        place, label = data.find("studies", str(path)), f"data/studies/{path}.toml"
    raw = data.read_toml(place, label)
    text = place.read_text("utf-8-sig")
    file = validate(StudyFile, raw, label)
    target = Path(archive or file.archive or f"results/{file.name}.h5")
    try:
        scenario, named, folder = as_written(file.scenario, place.parent)
    except DataError as error:
        raise DataError(f"{label}: 'scenario': {error}") from None
    return _study(file, label, text, (dict(scenario), named, folder), target)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False  # a name that no file can have


def run(
    study: Study,
    workers: int = 0,
    executor: Executor | Maker | None = None,
    in_flight: int | None = None,
) -> "xarray.Dataset":
    """Sweep a study into its archive, or go on with it.

    Parameters
    ----------
    study : Study
        From `load_study` or `restored`.
    workers, executor, in_flight
        As of `transducer.sweeps.sweep`.

    Returns
    -------
    xarray.Dataset
        Figures on the axes, ``status`` and ``reason`` per point.
    """
    return sweep(
        study.function,
        study.design,
        archive=study.archive,
        vectorised=True,
        block=study.block,
        workers=workers,
        executor=executor,
        in_flight=in_flight,
        outputs=study.outputs,
        inputs=study.inputs,
        title=study.title or study.name,
    )


def restored(archive: Path | str) -> Study:
    """The study that an archive, finished or not, was made by.

    Raises
    ------
    DataError
        If the archive was not made by a study, or a file it rests on changed since.
    """
    from transducer import archive as archives

    place = Path(archive)
    _, inputs = archives.study_of(place)
    if not {"study.toml", "scenario.json", "place.json"} <= set(inputs):
        raise DataError(
            f"{place}: was not made by a study file; call the same sweep again to go on with it"
        )
    import tomllib

    file = validate(StudyFile, tomllib.loads(inputs["study.toml"]), f"{place}: study.toml")
    where = json.loads(inputs["place.json"])
    folder = Path(os.path.normpath(place.parent / where["folder"]))
    scenario = (json.loads(inputs["scenario.json"]), str(where["label"]), folder)
    return _study(file, f"{place}: study.toml", inputs["study.toml"], scenario, place)


def _study(
    file: StudyFile,
    label: str,
    text: str,
    scenario: tuple[dict[str, object], str, Path],
    place: Path,
) -> Study:
    raw, name, folder = scenario
    try:
        design = _design(file)
    except ToolkitError as error:
        raise DataError(f"{label}: {error}") from None
    keys = {axis.name: tuple(axis.keys) for axis in file.axes}
    outputs = tuple(file.outputs if file.outputs is not None else output_labels())
    for output in outputs:
        if output not in output_labels():
            hint = nearest(output, output_labels())
            raise DataError(f"{label}: 'outputs' holds '{output}', which is no figure; {hint}")
    if len(set(outputs)) < len(outputs) or not outputs:
        raise DataError(f"{label}: 'outputs' must name each figure once, and one at least")
    clash = set(outputs) & set(keys)
    if clash:
        raise DataError(f"{label}: '{clash.pop()}' is an axis and an output; rename the axis")
    require_apart(raw, keys, label, name)
    swept = any(key == "scheme" for named in keys.values() for key in named)
    if swept and file.scheme is not None:
        raise DataError(f"{label}: 'scheme' is set and is an axis, too; leave one of them out")
    first = laid_out(raw, name).get("schemes")
    own = first[0] if isinstance(first, list) and first else "single-click"
    scheme = _scheme(file.scheme or own)
    function = LinkFunction(raw, name, folder, keys, scheme, file.engine, outputs)
    used, numbers = _rehearsed(function, design, label)
    relative = os.path.relpath(folder.absolute(), place.absolute().parent)
    inputs = {
        "study.toml": text,
        "scenario.json": json.dumps(raw, sort_keys=True),
        "inputs.json": numbers,
        "place.json": json.dumps({"folder": relative, "label": name}),
        **{f"{n}.toml" if n.startswith(("devices/", "parts/")) else n: t for n, t in used.items()},
    }
    return Study(
        file.name, file.title, function, design, _block(file, function, design), place, inputs
    )


def _block(file: StudyFile, function: LinkFunction, design: Design) -> int:
    """Points per block: seconds of work, by what has to be built anew."""
    if file.block is not None:
        return file.block
    if not function.slow:
        return min(65536, design.size)
    builds = 64 if function.engine == "scattering" else 4
    fast = [a for a in design.axes if a.name not in function.slow] if design.kind == "grid" else []
    return min(65536, design.size, builds * math.prod(len(axis.values) for axis in fast))


def _design(file: StudyFile) -> Design:
    sampler = file.sampler
    if sampler.kind == "grid" or sampler.kind == "zipped":
        return Design(sampler.kind, tuple(table.axis() for table in file.axes))
    assert sampler.count is not None
    assert sampler.seed is not None
    ranges = (table.range() for table in file.axes)
    return sampled(*ranges, count=sampler.count, seed=sampler.seed, method=sampler.kind)


def _rehearsed(function: LinkFunction, design: Design, label: str) -> tuple[dict[str, str], str]:
    """Build the scenario along every axis, so that a misspelt key is refused before anything runs.

    Returns the texts of all files that the scenarios rest on, and every number with its status.
    """
    used: dict[str, str] = {}
    numbers: dict[str, object] = {}
    first = {axis.name: _plain(axis.values[0]) for axis in design.axes}
    for axis in design.axes:
        tried = axis.values[[0, len(axis.values) // 2, -1]] if axis.numeric else axis.values
        problem: ToolkitError | None = None
        built = False
        for value in dict.fromkeys(map(_plain, tried)):
            built = built and not isinstance(value, str)
            for point in ({axis.name: value}, {**first, axis.name: value}):
                try:
                    scenario = function.scenario(point)[0]
                except (DataError, PhysicsError) as error:
                    problem = problem or error
                    continue
                built = True
                used |= scenario.files
                for e in scenario.inputs:
                    entry = {"file": e.file, "key": e.key, **e.number.model_dump()}
                    numbers.setdefault(f"{e.file} {e.key}", entry)
                break
            if not built and isinstance(value, str) and isinstance(problem, DataError):
                break  # a misspelt word
        if not built and problem is not None:
            raise DataError(f"{label}: axis '{axis.name}': {problem}")
    return used, json.dumps(list(numbers.values()))
