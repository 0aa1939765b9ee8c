"""Adversarial referee of archives: what is written opens anywhere, goes on, and is never a wrong number."""

import functools
import hashlib
import importlib.util
import json
import math
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
import scipy.io
import xarray
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cavities.errors import DataError, ParameterError, SweepError, ToolkitError, UnstableError
from cavities.rules import Status
from transducer import archive
from transducer.disk import Seal, is_sealed, seal_file, seal_of, sealed
from transducer.sweeps import Axis, Range, grid, merge, probe, sampled, shards, sweep, zipped
from transducer.sweeps.points import Variable
from transducer.sweeps.run import finish

LINK = Path(__file__).parent / "archives" / "link-v1.h5"
TAIL = 40


def tree(path):
    """Hash of a file, or of all names and bytes in a folder."""
    path = Path(path)
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def same(one, two):
    """Equal to the last bit, in the same order, with the same units; other attributes may differ."""
    marks = {"status", "reason"}
    assert [n for n in one.data_vars if n not in marks] == [
        n for n in two.data_vars if n not in marks
    ]
    assert set(one.data_vars) == set(two.data_vars)
    assert list(one.coords) == list(two.coords)
    assert dict(one.sizes) == dict(two.sizes)
    xarray.testing.assert_equal(one, two)
    for name, variable in one.variables.items():
        other = two.variables[name]
        assert variable.dims == other.dims
        words = {variable.dtype.kind, other.dtype.kind} <= {"O", "U", "T"}  # as xarray likes it
        assert words or variable.dtype == other.dtype, name
        assert variable.attrs.get("units") == other.attrs.get("units")
        if words:
            assert variable.values.tolist() == other.values.tolist()
        else:
            assert variable.values.tobytes() == other.values.tobytes()
        if variable.attrs.get("long_name"):
            assert variable.attrs["long_name"] == other.attrs["long_name"]


class Log(list):
    """A list that a function may hold without being another function: it says nothing lasting of itself."""

    __repr__ = object.__repr__
    __hash__ = object.__hash__


# --- archives of every form --------------------------------------------------------------------


def rough(x, y):
    if x < 1:
        raise ParameterError(f"x must be at least 1, got {x:g}")
    if y > 7:
        raise UnstableError("it oscillates; lower y")
    return {
        "z": math.sin(x) + y,
        "odd": math.nan if x == 2 else x / 3,
        "tiny": 5e-324 * y,
        "large": math.inf,
    }


def never(x, y):
    raise UnstableError(f"at {x:g} it oscillates")


def spelt(scheme, x):
    if scheme == "none":
        raise ParameterError("scheme 'none' is not known; try 'two-click' or 'µ → η'")
    return {"letters": len(scheme) * x}


def six(a, b, c, d, e, f):
    return {"number": a + 10 * b + 100 * c + 1000 * d + 1e4 * e + 1e5 * f}


def columns(x, y):
    bad = (x % 7 == 3) & (y % 5 == 1)
    return {
        "z": 1000 * x + y,
        "root": np.sqrt(x * y),
        "status": np.where(bad, Status.CROWDED, 0),
        "reason": np.where(bad, "too close", ""),
    }


def long(x):
    if (x == 66666).any():
        raise ParameterError("66666 is refused")
    return {"square": x * x}


def many_reasons(x):
    raise ParameterError(f"x must not be {x:g}: " + "long " * int(x % 50))


LABELS = {"z": Variable("1/s", "rate of pairs"), "number": Variable("km", "a number")}
TWO = (Axis("x", [0.5, 1.0, 2.0, 3.0], "W", "pump power"), Axis("y", [-1.0, 7.0, 8.0], "m"))

FORMS = {
    "grid": (rough, grid(*TWO), {"block": 5}),
    "mapping": (rough, {"x": [1, 2, 3], "y": [4]}, {}),
    "zipped": (rough, zipped(Axis("x", [2, 2, 0, 5], "W"), Axis("y", [1, 1, 3, 9])), {"block": 3}),
    "sobol": (
        rough,
        sampled(Range("x", 0.1, 9, "W", scale="log"), Range("y", 0, 8, "m"), count=37, seed=4),
        {"block": 10},
    ),
    "latin-hypercube": (
        rough,
        sampled(Range("x", 0, 9), Range("y", 0, 8), count=11, seed=4, method="latin-hypercube"),
        {},
    ),
    "words": (
        spelt,
        {"scheme": Axis("scheme", ["two-click", "none", "µ → η", ""]), "x": [1, 2]},
        {"block": 3},
    ),
    "zipped words": (
        spelt,
        zipped(Axis("scheme", ["a", "none", "a"], long_name="how"), Axis("x", [1, 2, 3])),
        {},
    ),
    "all failed": (never, {"x": [1, 2, 3], "y": [1, 2]}, {"block": 4}),
    "single point": (rough, {"x": [1], "y": [2]}, {}),
    "single sample": (rough, sampled(Range("x", 1, 2), Range("y", 1, 2), count=1, seed=1), {}),
    "six dimensions": (
        six,
        {name: np.arange(n) for name, n in zip("abcdef", (3, 2, 1, 4, 2, 3), strict=True)},
        {"block": 7},
    ),
    "partial rows": (
        columns,
        {"x": np.arange(300.0), "y": np.arange(400.0)},
        {"block": 3000 - 7, "vectorised": True},
    ),
    "beyond one chunk": (long, {"x": np.arange(70000)}, {"block": 7777, "vectorised": True}),
    "many reasons": (many_reasons, {"x": np.arange(700)}, {"block": 200}),
}


@dataclass
class Made:
    path: Path
    memory: xarray.Dataset
    back: xarray.Dataset
    function: object
    axes: object
    more: dict

    @property
    def figures(self):
        return [n for n in self.memory.data_vars if n not in ("status", "reason")]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder, built = tmp_path_factory.mktemp("forms"), {}

    def make(form):
        if form not in built:
            function, axes, more = FORMS[form]
            path = folder / f"{form}.h5"
            more = {**more, "outputs": LABELS, "inputs": {"note.txt": "µ\n", "a/b.json": "{}"}}
            memory = sweep(function, axes, title="a title", **more)
            back = sweep(function, axes, archive=path, title="a title", **more)
            built[form] = Made(path, memory, back, function, axes, more)
        return built[form]

    return make


forms = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.replace(" ", "_"))


@forms
def test_what_comes_back_is_what_was_computed(made, form):
    here = made(form)
    same(here.memory, here.back)
    same(here.memory, archive.load(here.path))
    same(here.memory, archive.load(str(here.path)))
    for name in ("schema", "schema_version", "title", "function", "sampling"):
        assert here.memory.attrs[name] == here.back.attrs[name]
    assert not here.path.with_name(here.path.name + ".parts").exists()


@pytest.mark.parametrize("form", ["grid", "zipped words"])
def test_variables_come_back_in_their_order(made, form):
    here = made(form)
    assert list(here.memory.data_vars) == list(here.back.data_vars)
    assert list(here.memory.coords) == list(here.back.coords)


@forms
def test_it_opens_in_plain_xarray(made, form):
    here = made(form)
    with xarray.open_dataset(here.path, engine="h5netcdf") as found:
        assert set(found.data_vars) == {*here.memory.data_vars, "reason_text"}
        assert set(found.coords) == set(here.memory.coords)
        for name in (*here.figures, "status", *here.memory.coords):
            assert found[name].dims == here.memory[name].dims
            assert found[name].attrs.get("units") == here.memory[name].attrs.get("units")
            assert found[name].attrs["long_name"]
            np.testing.assert_array_equal(found[name].values, here.memory[name].values)
        assert found["status"].dtype == np.int8
        words = found["reason_text"].values
        assert words[found["reason"].values].tolist() == here.memory["reason"].values.tolist()
        assert found.attrs["schema"] == "transducer-toolkit/sweep"
        assert found.attrs["schema_version"] == 2


@forms
def test_it_opens_in_plain_h5py_checksummed_and_with_its_scales(made, form):
    here = made(form)
    dims = here.memory["status"].dims
    with h5py.File(here.path) as file:
        for name in (*here.figures, "status", "reason"):
            for place, dim in enumerate(dims):
                scales = list(file[name].dims[place].values())
                assert [scale.name for scale in scales] == [f"/{dim}"]
                assert scales[0].is_scale
        for name in (*here.figures, "status"):
            np.testing.assert_array_equal(file[name][()], here.memory[name].values)
        for name in here.memory.coords:
            stored = file[name].asstr()[()] if file[name].dtype.kind == "O" else file[name][()]
            assert stored.tolist() == here.memory[name].values.tolist()
        for name, entry in file.items():
            if isinstance(entry, h5py.Dataset) and entry.dtype.kind in "biuf":
                label = entry.attrs.get("NAME", b"")
                if b"not a netCDF variable" in label:
                    continue
                assert entry.fletcher32, name
        for entry in file["inputs"].values():
            assert entry.fletcher32


@forms
def test_it_opens_in_the_netcdf_library(made, form):
    here = made(form)
    with netCDF4.Dataset(here.path) as file:
        file.set_auto_mask(False)
        assert {d: n.size for d, n in file.dimensions.items() if d != "reason_index"} == dict(
            here.memory.sizes
        )
        for name in (*here.figures, "status", *here.memory.coords):
            assert file[name].dimensions == here.memory[name].dims
            np.testing.assert_array_equal(file[name][:], here.memory[name].values)
            if "units" in here.memory[name].attrs:
                assert file[name].units == here.memory[name].attrs["units"]
            assert file[name].long_name
        meanings = dict(
            zip(
                file["status"].flag_values.tolist(),
                file["status"].flag_meanings.split(),
                strict=True,
            )
        )
        assert meanings == {int(s): s.name.lower() for s in Status}
        words = file["reason_text"][:]
        assert words[file["reason"][:]].tolist() == here.memory["reason"].values.tolist()


@forms
def test_nothing_in_it_is_an_object_that_could_be_executed(made, form):
    here = made(form)
    content = here.path.read_bytes()
    assert b"pickle" not in content
    assert b"cloudpickle" not in content

    def visit(_, entry):
        if isinstance(entry, h5py.Dataset):
            assert entry.dtype.kind in "biuf" or h5py.check_string_dtype(entry.dtype) is not None

    with h5py.File(here.path) as file:
        file.visititems(visit)


@forms
def test_a_finished_archive_is_given_back_without_a_call(made, form, monkeypatch):
    here = made(form)
    before = tree(here.path)
    monkeypatch.setattr("transducer.sweeps.run._compute", None)
    same(here.back, sweep(here.function, here.axes, archive=here.path, title="", **here.more))
    assert tree(here.path) == before


@pytest.mark.parametrize("form", ["grid", "words", "partial rows", "all failed"])
def test_an_archive_that_is_read_as_it_is_used_holds_the_same(made, form, monkeypatch):
    here = made(form)
    monkeypatch.setattr(archive, "EAGER", 0)
    found = archive.load(here.path)
    if form == "partial rows":
        part = found["z"].isel(x=slice(100, 103), y=[0, 399]).values
        assert part.tolist() == [[1000 * x, 1000 * x + 399] for x in (100, 101, 102)]
    same(here.memory, found)
    found.close()


def test_archives_in_small_chunks_hold_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(merge, "CHUNK", 7)
    for number, form in enumerate(("grid", "sobol", "six dimensions")):
        function, axes, more = FORMS[form]
        path = tmp_path / f"{number}.h5"
        same(sweep(function, axes, **more), sweep(function, axes, archive=path, **more))


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=4),
    st.integers(1, 20),
    st.integers(1, 30),
    st.sets(st.integers(0, 255), max_size=40),
    st.booleans(),
)
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_shape_block_chunk_and_failures_come_back(tmp_path, shape, block, chunk, bad, vector):
    names = [f"a{i}" for i in range(len(shape))]
    place = np.cumprod([1, *shape[:-1]])

    def number(**point):
        return sum(int(k) * point[n] for n, k in zip(names, place, strict=True))

    def scalar(**point):
        if int(number(**point)) in bad:
            raise ParameterError(f"number {int(number(**point)) % 5} is bad")
        return {"n": number(**point), "third": number(**point) / 3}

    def vectorised(**point):
        for n in number(**point):
            if int(n) in bad:
                raise ParameterError(f"number {int(n) % 5} is bad")
        return {"n": number(**point), "third": number(**point) / 3}

    function = vectorised if vector else scalar
    axes = {name: np.arange(n) for name, n in zip(names, shape, strict=True)}
    path = tmp_path / "any.h5"
    path.unlink(missing_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merge, "CHUNK", chunk)
        found = sweep(function, axes, archive=path, vectorised=vector, block=block)
    same(sweep(scalar, axes), found)


# --- inputs, manifest, runs --------------------------------------------------------------------


def test_inputs_and_description_come_back_with_their_hashes(tmp_path):
    path = tmp_path / "a.h5"
    texts = {"devices/one.toml": 'name = "µ"\n', "set.json": '{"a": [1, 2]}', "plain": "line\r\n"}
    sweep(rough, grid(*TWO), archive=path, inputs=texts, title="t", outputs=LABELS, block=4)
    said, found = archive.study_of(path)
    assert found == {name.replace("/", "."): text for name, text in texts.items()}
    hashes = {n: hashlib.sha256(t.encode()).hexdigest() for n, t in found.items()}
    assert said["inputs"] == hashes
    with h5py.File(path) as file:
        for name, text in found.items():
            assert bytes(file["inputs"][name][()]) == text.encode()
            assert file["inputs"][name].attrs["sha256"] == hashes[name]
    assert said["title"] == "t"
    assert said["block"] == 4
    assert said["vectorised"] is False
    assert said["function"]["name"].endswith("rough")
    assert said["schema_version"] == 2
    assert [a["name"] for a in said["design"]["axes"]] == ["x", "y"]
    for axis, entry in zip(TWO, said["design"]["axes"], strict=True):
        assert entry["unit"] == axis.unit
        assert entry["size"] == len(axis.values)
        assert entry["sha256"] == hashlib.sha256(axis.values.astype("<f8").tobytes()).hexdigest()
    assert archive.texts_of(path) == found


def test_runs_say_who_computed_what_with_which_versions(tmp_path):
    path = tmp_path / "a.h5"
    sweep(rough, grid(*TWO), archive=path, block=4)
    (run,) = archive.runs_of(path)
    assert run["executor"] == "serial"
    assert run["points"] == 12
    assert run["versions"]["numpy"] == np.__version__
    assert run["versions"]["h5py"] == h5py.__version__
    root = Path(__file__).parent.parent
    assert run["git_revision"] or not (root / ".git").exists()
    assert run["wall_s"] > 0
    found = archive.load(path)
    assert json.loads(found.attrs["versions"]) == run["versions"]
    assert found.attrs["git_revision"] == run["git_revision"]
    assert found.attrs["created"].endswith("Z")


AWKWARD_INPUTS = {
    "empty text": {"empty.toml": ""},
    "called study.json": {"study.json": "{}", "runs.json": "[]"},
    "called by a dot": {".": "text"},
    "without a name": {"": "text"},
    "two that become one": {"a/b": "one", "a.b": "two"},
    "large": {"large.csv": "1,2\n" * 50_000},
    "with a nul": {"nul": "a\0b"},
}


@pytest.mark.parametrize("case", AWKWARD_INPUTS, ids=lambda name: name.replace(" ", "_"))
def test_inputs_come_back_whatever_they_are_called_or_are_refused_at_once(tmp_path, case):
    path, calls = tmp_path / "a.h5", Log()

    def note(x):
        calls.append(x)
        return {"y": x}

    texts = AWKWARD_INPUTS[case]
    try:
        sweep(note, {"x": [1.0]}, archive=path, inputs=texts)
    except ToolkitError:
        assert calls == []
        assert list(tmp_path.iterdir()) == []
        return
    assert archive.study_of(path)[1] == {n.replace("/", "."): t for n, t in texts.items()}
    assert len(archive.study_of(path)[1]) == len(texts)
    sweep(note, {"x": [1.0]}, archive=path, inputs=texts)
    assert calls == [1.0]


def fails_with(text):
    def function(x):
        if x == 1:
            raise ParameterError(text)
        return {"y": x}

    return function


LATE = {
    "output called inputs": (lambda x: {"inputs": x}, [1.0, 2.0], {}),
    "output called reason_index": (lambda x: {"reason_index": x}, [1.0, 2.0], {}),
    "axis called inputs": (lambda inputs: {"y": inputs}, [1.0, 2.0], {"axis": "inputs"}),
    "axis called reason_index": (
        lambda reason_index: {"y": reason_index},
        [1.0, 2.0],
        {"axis": "reason_index"},
    ),
    "nul in a reason": (fails_with("bad \0 byte"), [1.0, 2.0], {}),
    "surrogate in a reason": (fails_with("no file \udcff.toml"), [1.0, 2.0], {}),
    "very long reason": (fails_with("long " * 20_000), [1.0, 2.0], {}),
    "line breaks in a reason": (fails_with("one\ntwo\r\n\tthree"), [1.0, 2.0], {}),
    "nul in a word": (lambda x: {"y": len(x)}, ["a\0b", "c"], {}),
    "surrogate in a word": (lambda x: {"y": len(x)}, ["\udcff", "c"], {}),
    "nul in the title": (lambda x: {"y": x}, [1.0], {"title": "a\0b"}),
    "output name of 300 letters": (lambda x: {"y" * 300: x}, [1.0, 2.0], {}),
    "axis name of 70000 letters": (lambda **p: {"y": 1}, [1.0, 2.0], {"axis": "x" * 70_000}),
    "unit that xarray takes for a date": (
        lambda x: {"y": x},
        [1.0, 2.0],
        {"outputs": {"y": Variable("days since the start", "time")}},
    ),
    "axis in hours since": (lambda x: {"y": x}, [1.0, 2.0], {"unit": "hours since noon"}),
    "unit of hours": (lambda x: {"y": x}, [1.0, 2.0], {"unit": "hours"}),
    "output in days": (
        lambda x: {"y": x / 3},
        [1.0, 2.0],
        {"outputs": {"y": Variable("days", "time")}},
    ),
    "output with an underscore": (lambda x: {"_y": x}, [1.0, 2.0], {}),
    "output called by a greek letter": (lambda x: {"η": x}, [1.0, 2.0], {}),
    "output called like an attribute": (lambda x: {"attrs": x, "dims": -x}, [1.0, 2.0], {}),
}


@pytest.mark.parametrize("case", LATE, ids=lambda name: name.replace(" ", "_"))
def test_what_no_file_can_hold_is_refused_before_it_costs_anything(tmp_path, case):
    """Either it becomes an archive that gives the same back, or at most one block was computed for nothing."""
    function, values, more = LATE[case]
    path, more = tmp_path / "a.h5", dict(more)
    name, unit = more.pop("axis", "x"), more.pop("unit", "1")
    calls = []

    @functools.wraps(function)
    def counted(**point):
        calls.append(point)
        return function(**point)

    try:
        axis = Axis(name, values, unit)
        found = sweep(counted, [axis], archive=path, block=1, **more)
    except ToolkitError:
        assert len(calls) <= 1
        assert not path.exists()
        return
    same(sweep(function, [axis], **more), found)
    with netCDF4.Dataset(path) as file:
        assert set(found.data_vars) <= set(file.variables)


# --- going on ----------------------------------------------------------------------------------

PLAIN = """
STOP = [False]
CALLS = []

def law(x, y, gain=2.0):
    CALLS.append((x, y))
    if STOP[0] and x > 1.5:
        raise RuntimeError("stopped by hand")
    return {"z": gain * x + y}
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module under one name and load it afresh."""
    count = iter(range(1000))

    def load(text):
        folder = tmp_path / f"code{next(count)}"
        folder.mkdir()
        path = folder / "law_of_the_test.py"
        path.write_text(text)
        spec = importlib.util.spec_from_file_location("law_of_the_test", path)
        made = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "law_of_the_test", made)
        spec.loader.exec_module(made)
        return made

    return load


AXES = (Axis("x", [1.0, 2.0, 3.0], "W"), Axis("y", [0.0, 5.0], "m"))
TABLE = np.linspace(0, 1, 5000)
BASE = {
    "axes": grid(*AXES),
    "block": 2,
    "inputs": {
        "set.json": '{"a": 1, "b": {"c": [1, 2.5]}}',
        "dev.toml": "rate = 5\n[cavity]\nq = 7\n",
        "plain.txt": "as it is",
    },
}


_BEGUN = {}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    return tmp_path_factory.mktemp("begun")


@pytest.fixture
def begun(module, shelf):
    """Make an archive that stopped after its first block, or a finished one."""

    def make(path, state, text=PLAIN, wrap=None, **more):
        path.parent.mkdir(exist_ok=True)
        code = module(text)
        kept = _BEGUN.get((state, text)) if wrap is None and not more else None
        if kept is not None:
            if kept.is_dir():
                shutil.copytree(kept, shards.parts_of(path))
            else:
                shutil.copy(kept, path)
            return code
        function = code.law if wrap is None else wrap(code.law)
        code.STOP[0] = state == "unfinished"
        call = {**BASE, **more}
        if state == "unfinished":
            with pytest.raises(RuntimeError, match="stopped by hand"):
                sweep(function, archive=path, **call)
            assert not path.exists()
            assert (shards.parts_of(path) / "block-00000000.h5").exists()
            code.STOP[0] = False
            made = shards.parts_of(path)
        else:
            sweep(function, archive=path, **call)
            made = path
        if wrap is None and not more:
            kept = shelf / f"{len(_BEGUN)}{made.suffix}"
            shutil.copytree(made, kept) if made.is_dir() else shutil.copy(made, kept)
            _BEGUN[state, text] = kept
        return code

    return make


states = pytest.mark.parametrize("state", ["unfinished", "finished"])


@pytest.mark.parametrize("vectorised", [False, True])
@pytest.mark.parametrize("stop", [0, 3])
def test_a_mistake_keeps_what_was_committed_and_the_same_call_completes_it(
    tmp_path, stop, vectorised
):
    path, fixed, calls = tmp_path / "deep" / "a.h5", Log(), Log()

    def law(i, j):
        calls.append(np.size(i))
        if not fixed and np.max(4 * i + j) >= 4 * stop:
            raise RuntimeError("a mistake")
        if not vectorised and i == j == 1:
            raise ParameterError("both are 1")
        bad = np.asarray((i == 1) & (j == 1))
        marks = {"status": np.where(bad, 6, 0), "reason": np.where(bad, "both are 1", "")}
        return {"y": np.sin(i) + j, "third": i / 3, **(marks if vectorised else {})}

    axes = {"i": np.arange(6), "j": np.arange(4)}
    call = {"vectorised": vectorised, "block": 4}
    with pytest.raises(RuntimeError, match="a mistake"):
        sweep(law, axes, archive=path, **call)
    assert not path.exists()
    growing = archive.load(path)
    assert dict(growing.sizes) == {"i": 6, "j": 4}
    there = growing["status"].values != Status.PENDING
    assert there.sum() == 4 * stop
    assert there.ravel()[: 4 * stop].all()
    assert set(growing["reason"].values[~there]) == {"not computed yet"}
    if stop:
        assert np.isnan(growing["y"].values[~there]).all()
    assert archive.study_of(path)[0]["block"] == 4
    assert len(archive.runs_of(path)) == 1
    fixed.append(True)
    calls.clear()
    found = sweep(law, axes, archive=path, **call)
    assert sum(calls) == 24 - 4 * stop
    whole = sweep(law, axes, archive=tmp_path / "b.h5", **call)
    same(whole, found)
    same(sweep(law, axes, **call), found)
    if stop:
        done = growing["y"].values.ravel()[: 4 * stop]
        assert done.tobytes() == found["y"].values.ravel()[: 4 * stop].tobytes()
    assert sum(run["points"] for run in archive.runs_of(path)) == 24
    assert [p.name for p in path.parent.iterdir()] == ["a.h5"]


def test_a_damaged_block_is_told_and_computed_again(tmp_path, begun):
    path = tmp_path / "a.h5"
    code = begun(path, "unfinished")
    block = shards.parts_of(path) / "block-00000000.h5"
    content = bytearray(block.read_bytes())
    content[len(content) // 2] ^= 4
    block.write_bytes(content)
    found = archive.load(path)
    told = np.char.find(found["reason"].values.astype(str), "damaged") >= 0
    assert told.any()
    assert (found["status"].values[told] == Status.PENDING).all()
    same(sweep(code.law, **BASE), sweep(code.law, archive=path, **BASE))


def test_a_large_archive_can_be_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "EAGER", 0)
    path = tmp_path / "a.h5"
    found = sweep(rough, grid(*TWO), archive=path)
    held = Path("/proc/self/fd")
    if not held.is_dir():
        pytest.skip("this system does not list open files")

    def open_files():
        return sum(1 for entry in held.iterdir() if Path(entry).resolve() == path.resolve())

    assert open_files() == 1
    found.close()
    assert open_files() == 0


def test_merging_what_a_kill_left_beside_the_archive_clears_it(tmp_path, monkeypatch):
    path = tmp_path / "a.h5"
    with monkeypatch.context() as patch:
        patch.setattr("transducer.sweeps.shards.shutil.rmtree", lambda *a, **k: None)
        sweep(rough, grid(*TWO), archive=path)
    before = path.read_bytes()
    finish(path)
    assert path.read_bytes() == before
    assert not shards.parts_of(path).exists()


def test_a_name_that_no_file_can_have_is_one_sentence(tmp_path):
    with pytest.raises(DataError, match=r"no archive can stand there: File name too long"):
        sweep(rough, grid(*TWO), archive=tmp_path / ("x" * 300 + ".h5"))


def test_a_damaged_description_is_told(tmp_path, begun):
    path = tmp_path / "a.h5"
    code = begun(path, "unfinished")
    study = shards.parts_of(path) / "study.h5"
    study.write_bytes(study.read_bytes()[:-1])
    before = tree(study)
    for call in (archive.load, archive.study_of, lambda p: sweep(code.law, archive=p, **BASE)):
        with pytest.raises(DataError, match=r"study\.h5"):
            call(path)
    assert tree(study) == before


def changed_body(text):
    return text.replace("gain * x + y", "gain * x - y")


CLOSURE = PLAIN.replace("def law(x, y, gain=2.0):", "def make(gain):\n  def law(x, y):").replace(
    "\n    ", "\n      "
)
CLOSURE += "\n  return law\nlaw = make(2.0)\n"

CHANGES = {
    "values of an axis": (
        {"axes": grid(AXES[0], Axis("y", [0.0, np.nextafter(5.0, 6)], "m"))},
        ["'y'", "values"],
    ),
    "order of values": (
        {"axes": grid(Axis("x", [1.0, 3.0, 2.0], "W"), AXES[1])},
        ["'x'", "values"],
    ),
    "length of an axis": (
        {"axes": grid(Axis("x", [1.0, 2.0, 3.0, 4.0], "W"), AXES[1])},
        ["'x'", "3", "4"],
    ),
    "unit of an axis": (
        {"axes": grid(AXES[0], Axis("y", [0.0, 5.0], "km"))},
        ["'y'", "unit", "m", "km"],
    ),
    "order of axes": ({"axes": grid(AXES[1], AXES[0])}, ["x, y", "y, x"]),
    "one axis more": ({"axes": grid(*AXES, Axis("gain", [2.0]))}, ["x, y, gain"]),
    "numbers to words": ({"axes": grid(Axis("x", ["1", "2", "3"], "W"), AXES[1])}, ["'x'"]),
    "block": ({"block": 3}, ["'block'", "2", "3"]),
    "no block given": ({"block": None}, ["'block'", "2"]),
    "vectorised": ({"vectorised": True}, ["'vectorised'", "False", "True"]),
    "json key": (
        {"inputs": {**BASE["inputs"], "set.json": '{"a": 1, "b": {"c": [1, 2.6]}}'}},
        ["set.json", "b.c[1]", "2.5", "2.6"],
    ),
    "json true for one": (
        {"inputs": {**BASE["inputs"], "set.json": '{"a": true, "b": {"c": [1, 2.5]}}'}},
        ["set.json", "'a'"],
    ),
    "json word nothing": (
        {
            "inputs": {
                **BASE["inputs"],
                "set.json": '{"a": 1, "b": {"c": [1, 2.5]}, "d": "nothing"}',
            }
        },
        ["set.json", "'d'"],
    ),
    "toml key": (
        {"inputs": {**BASE["inputs"], "dev.toml": "rate = 5\n[cavity]\nq = 8\n"}},
        ["dev.toml", "cavity.q", "7", "8"],
    ),
    "plain text": ({"inputs": {**BASE["inputs"], "plain.txt": "as it was"}}, ["plain.txt"]),
    "one text more": ({"inputs": {**BASE["inputs"], "new.txt": ""}}, ["new.txt"]),
    "one text less": ({"inputs": {"set.json": BASE["inputs"]["set.json"]}}, ["dev.toml"]),
    "unit of an output": ({"outputs": {"z": Variable("km")}}, ["z"]),
}


def refused_and_untouched(path, function, words, **call):
    before = tree(path.parent)
    with pytest.raises(SweepError) as caught:
        sweep(function, archive=path, **call)
    assert tree(path.parent) == before
    said = str(caught.value)
    assert "\n" not in said
    assert str(path) in said
    assert not [word for word in words if word not in said], said


@states
@pytest.mark.parametrize("change", CHANGES, ids=lambda name: name.replace(" ", "_"))
def test_a_changed_sweep_is_refused_with_what_changed(tmp_path, begun, state, change):
    path = tmp_path / "here" / "a.h5"
    code = begun(path, state)
    call, words = CHANGES[change]
    calls = len(code.CALLS)
    refused_and_untouched(path, code.law, words, **{**BASE, **call})
    assert len(code.CALLS) == calls


CODE = {
    "body": (PLAIN, changed_body(PLAIN)),
    "constant": (PLAIN, PLAIN.replace("x > 1.5", "x > 1.25")),
    "default": (PLAIN, PLAIN.replace("gain=2.0", "gain=2.5")),
    "name": (PLAIN, PLAIN.replace("def law", "def other") + "\nlaw = other\n"),
    "closure": (CLOSURE, CLOSURE.replace("make(2.0)", "make(2.5)")),
    "keyword default": (
        PLAIN.replace("y, gain", "y, *, gain"),
        PLAIN.replace("y, gain=2.0", "y, *, gain=2.5"),
    ),
    "default from a name": (
        PLAIN.replace("def law", "G = 2.0\ndef law").replace("gain=2.0", "gain=G"),
        PLAIN.replace("def law", "G = 2.5\ndef law").replace("gain=2.0", "gain=G"),
    ),
}


@states
@pytest.mark.parametrize("change", CODE, ids=lambda name: name.replace(" ", "_"))
def test_changed_code_is_refused(tmp_path, begun, module, state, change):
    path = tmp_path / "here" / "a.h5"
    first, second = CODE[change]
    begun(path, state, first)
    refused_and_untouched(path, module(second).law, ["function"], **BASE)


@states
def test_comments_blank_lines_docstrings_and_line_breaks_do_not_count(
    tmp_path, begun, module, state
):
    path = tmp_path / "a.h5"
    begun(path, state)
    talkative = PLAIN.replace(
        "    CALLS", '    """What it is."""\n\n    # a comment\n    CALLS'
    ).replace('return {"z": gain * x + y}', 'return {\n        "z": gain*x + y,  # the law\n    }')
    code = module("\n\n# moved down\n" + talkative)
    same(sweep(code.law, **BASE), sweep(code.law, archive=path, **BASE))


@states
def test_rewritten_inputs_that_say_the_same_do_not_count(tmp_path, begun, state):
    path = tmp_path / "a.h5"
    code = begun(path, state)
    inputs = {
        "set.json": '{ "b": {"c": [1,\n 2.50]}, "a": 1.0 }',
        "dev.toml": "# a comment\nrate = 5\n\ncavity.q = 7\n",
        "plain.txt": "as it is",
    }
    same(sweep(code.law, **BASE), sweep(code.law, archive=path, **{**BASE, "inputs": inputs}))


@states
def test_another_seed_is_refused(tmp_path, begun, state):
    path = tmp_path / "here" / "a.h5"

    def box(seed):
        sides = Range("x", 0.1, 3), Range("y", 0, 1)
        design = sampled(*sides, count=8, seed=seed)
        order = np.argsort(design.axes[0].values)  # so that the first block is below 1.5
        return type(design)(
            design.kind,
            tuple(Axis(a.name, a.values[order], a.unit) for a in design.axes),
            seed,
        )

    code = begun(path, state, axes=box(3))
    refused_and_untouched(path, code.law, ["seed", "3", "4"], **{**BASE, "axes": box(4)})
    refused_and_untouched(path, code.law, ["kind"], **{**BASE, "axes": zipped(*box(3).axes)})


def bound(**more):
    return lambda law: functools.partial(law, **more)


middle = TABLE.copy()
middle[2500] += 1e-15
small = np.array([0.1, 0.2])
close = small + np.array([0, 1e-15])


@dataclass(frozen=True)
class Record:
    table: np.ndarray
    gain: float = 1.0


PARTIAL = {
    "number": ({"gain": 3.0}, {"gain": np.nextafter(3.0, 4)}),
    "large array": ({"table": TABLE}, {"table": middle}),
    "small array": ({"table": small}, {"table": close}),
    "list of large arrays": ({"table": [TABLE]}, {"table": [middle]}),
    "list of small arrays": ({"table": [small]}, {"table": [close]}),
    "dict of large arrays": ({"table": {"a": TABLE}}, {"table": {"a": middle}}),
    "record with an array": ({"table": Record(TABLE)}, {"table": Record(middle)}),
    "shape of an array": (
        {"table": np.arange(6.0).reshape(2, 3)},
        {"table": np.arange(6.0).reshape(3, 2)},
    ),
    "type of an array": (
        {"table": np.array([1.5, 2.5])},
        {"table": np.array([1.5, 2.5]).view(np.int64)},
    ),
    "dataset": (
        {"table": xarray.DataArray(TABLE)},
        {"table": xarray.DataArray(middle)},
    ),
    "text": ({"table": "noise at 0x1"}, {"table": "noise at 0x2"}),
}


@pytest.mark.parametrize(
    ("change", "state"),
    [*((change, "finished") for change in PARTIAL), ("large array", "unfinished")],
    ids=lambda name: name.replace(" ", "_"),
)
def test_a_changed_bound_argument_is_refused(tmp_path, begun, change, state):
    path = tmp_path / "here" / "a.h5"
    one, two = PARTIAL[change]
    text = PLAIN.replace("gain=2.0", "gain=2.0, table=None")
    code = begun(path, state, text, wrap=bound(**one))
    again = functools.partial(code.law, **one)
    refused_and_untouched(path, functools.partial(code.law, **two), ["function"], **BASE)
    if change == "large array":
        same(sweep(again, **BASE), sweep(again, archive=path, **BASE))


def test_bound_arguments_that_are_equal_are_one_sweep(tmp_path, module):
    code = module(PLAIN.replace("gain=2.0", "gain=2.0, table=None"))

    def words():
        return np.array(["".join(["a", "b"]), "".join(["c", "d"])], dtype=object)

    for number, make in enumerate((TABLE.copy, lambda: {"a": 1, "b": [2]}, words)):
        path = tmp_path / f"{number}.h5"
        for _ in range(2):
            sweep(functools.partial(code.law, table=make()), archive=path, **BASE)
        assert len(code.CALLS) == 6
        code.CALLS.clear()


class Model:
    def __init__(self, gain):
        self.gain = gain

    def evaluate(self, x):
        return {"y": self.gain * x}

    __call__ = evaluate


@dataclass(frozen=True)
class Table:
    values: np.ndarray

    def __call__(self, x):
        return {"y": x * float(self.values[2500])}


def double(x):
    return {"y": 2.0 * x}


def triple(x):
    return {"y": 3.0 * x}


LAMBDAS = [lambda x: {"y": 2.0 * x}, lambda x: {"y": 3.0 * x}]  # fmt: skip
PAIRS = {
    "methods of two objects": (Model(2.0).evaluate, Model(3.0).evaluate),
    "objects that are called": (Model(2.0), Model(3.0)),
    "records that are called": (Table(TABLE), Table(TABLE + 1e-9 * (np.arange(5000) == 2500))),
    "cached functions": (functools.lru_cache(double), functools.lru_cache(triple)),
    "lambdas of one line": tuple(LAMBDAS),
    "functions of other names": (double, triple),
}


@pytest.mark.parametrize("pair", PAIRS, ids=lambda name: name.replace(" ", "_"))
def test_one_function_is_never_answered_with_the_numbers_of_another(tmp_path, pair):
    one, two = PAIRS[pair]
    path = tmp_path / "a.h5"
    sweep(one, {"x": [1.0, 2.0]}, archive=path)
    try:
        found = sweep(two, {"x": [1.0, 2.0]}, archive=path)
    except SweepError:
        return
    assert found["y"].values.tolist() == [two(x)["y"] for x in (1.0, 2.0)]


def test_the_code_of_a_record_that_is_called_counts(tmp_path, module):
    text = (
        "from dataclasses import dataclass\n\n@dataclass(frozen=True)\nclass Law:\n"
        '    gain: float = 2.0\n\n    def __call__(self, x):\n        return {"y": self.gain * x}\n'
    )
    path = tmp_path / "a.h5"
    sweep(module(text).Law(), {"x": [1.0]}, archive=path)
    other = module(text.replace("self.gain * x", "self.gain + x")).Law()
    try:
        found = sweep(other, {"x": [1.0]}, archive=path)
    except SweepError:
        return
    assert found["y"].values.tolist() == [3.0]


def test_a_lambda_is_the_same_sweep_wherever_the_call_stands(tmp_path):
    path = tmp_path / "a.h5"
    one = sweep(lambda x: {"y": 2 * x}, {"x": [1.0, 2.0]}, archive=path)
    two = sweep(lambda x: {"y": 2 * x}, {"x": [1.0, 2.0]}, archive=path, in_flight=3)
    same(one, two)


def test_a_recursive_closure_can_be_swept_and_goes_on(tmp_path):
    def make():
        def factorial(x):
            return {"y": 1.0 if x <= 1 else x * factorial(x - 1)["y"]}

        return factorial

    path = tmp_path / "a.h5"
    same(*(sweep(make(), {"x": [1, 4]}, archive=path) for _ in range(2)))


# --- files of others ---------------------------------------------------------------------------


def a_netcdf3(path):
    with scipy.io.netcdf_file(path, "w") as file:
        file.createDimension("x", 2)
        file.createVariable("y", "f8", ("x",))[:] = [1, 2]


def an_hdf5(path):
    with h5py.File(path, "w") as file:
        file["measured"] = np.arange(10)
        file.create_group("inputs")["study.json"] = np.frombuffer(b"{}", np.uint8)


def an_unrelated_hdf5(path):
    with h5py.File(path, "w") as file:
        file["measured"] = np.arange(10)


FOREIGN = {
    "text": lambda path: path.write_text("figures\n1 2 3\n" * 10),
    "empty": lambda path: path.write_bytes(b""),
    "folder": lambda path: path.mkdir(),
    "netcdf3": a_netcdf3,
    "hdf5": an_unrelated_hdf5,
    "hdf5 that looks like ours": an_hdf5,
    "link": lambda path: shutil.copy(LINK, path),
}


@pytest.mark.parametrize("kind", FOREIGN, ids=lambda name: name.replace(" ", "_"))
def test_a_file_of_somebody_else_is_kept_and_nothing_is_computed(tmp_path, kind):
    path, calls = tmp_path / "theirs.h5", []
    FOREIGN[kind](path)
    before = tree(tmp_path)

    def note(x):
        calls.append(x)
        return {"y": x}

    with pytest.raises(ToolkitError, match=r"theirs\.h5") as caught:
        sweep(note, {"x": [1.0]}, archive=path)
    assert "\n" not in str(caught.value)
    assert calls == []
    assert tree(tmp_path) == before
    assert [p.name for p in tmp_path.iterdir()] == ["theirs.h5"]


@pytest.mark.parametrize(
    "kind", [k for k in FOREIGN if k != "link"], ids=lambda name: name.replace(" ", "_")
)
def test_what_is_no_archive_is_told_in_a_sentence(tmp_path, kind):
    path = tmp_path / "theirs.h5"
    FOREIGN[kind](path)
    for read in (archive.load, archive.study_of):
        with pytest.raises(DataError, match=r"theirs\.h5") as caught:
            read(path)
        assert "\n" not in str(caught.value)


def test_somebody_elses_file_is_not_called_a_link(tmp_path):
    path = tmp_path / "theirs.h5"
    an_unrelated_hdf5(path)
    with pytest.raises(DataError) as caught:
        archive.study_of(path)
    assert "link" not in str(caught.value)


@pytest.mark.parametrize("name", ["missing.h5", "no/such/folder/a.h5", "nul\0.h5", "x" * 300])
def test_what_is_not_there_is_told_in_a_sentence(tmp_path, name):
    for read in (archive.load, archive.study_of, archive.runs_of):
        with pytest.raises(DataError):
            read(tmp_path / name)


def test_a_link_of_version_1_stays_readable():
    found = archive.load(LINK)
    assert np.isfinite(found["fidelity"].values).all()
    assert (found["status"].values == 0).all()
    assert found["fidelity"].dims == ("scheme",)
    assert found["delivered_rate"].attrs["units"] == "1/s"
    assert archive.texts_of(LINK)["scenario.json"]
    with pytest.raises(DataError, match="link"):
        archive.study_of(LINK)


# --- damage ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "a.h5"
    sweep(rough, grid(*TWO), archive=path, inputs={"a.json": "{}"})
    return path


def test_no_flipped_bit_gives_a_wrong_number(whole, tmp_path):
    content, path = whole.read_bytes(), tmp_path / "flipped.h5"
    draw = np.random.default_rng(11)
    places = [0, 8, 9, len(content) - TAIL, len(content) - 32, len(content) - 1]
    places += draw.integers(0, len(content), 40).tolist()
    where = content.find(np.float64(1 / 3).tobytes())
    places += [where, where + 7] if where > 0 else []
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(draw.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"flipped\.h5"):
            archive.load(path)


def test_no_truncated_archive_is_read(whole, tmp_path):
    content, path = whole.read_bytes(), tmp_path / "short.h5"
    size = len(content)
    for length in (0, 39, size // 2, size - TAIL - 1, size - TAIL, size - 1):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match=r"short\.h5"):
            archive.load(path)
    path.write_bytes(content + b"\n")
    with pytest.raises(DataError, match=r"short\.h5"):
        archive.load(path)
    path.write_bytes(content)
    assert archive.load(path).sizes == {"x": 4, "y": 3}


def rewritten(whole, path, change):
    """A copy without its seal, changed with h5py."""
    path.write_bytes(whole.read_bytes()[:-TAIL])
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def test_an_archive_of_a_newer_toolkit_asks_for_an_update(whole, tmp_path):
    def newer(file):
        file.attrs["schema_version"] = 3

    path = rewritten(whole, tmp_path / "new.h5", newer)
    with pytest.raises(DataError, match="newer toolkit"):
        archive.load(path)
    seal_file(path)
    assert seal_of(path) is Seal.WHOLE
    with pytest.raises(DataError, match="newer toolkit"):
        archive.load(path)
    with pytest.raises(ToolkitError):
        sweep(rough, grid(*TWO), archive=path, inputs={"a.json": "{}"})


@pytest.mark.parametrize("version", ["two", 2.5, [2, 2]])
def test_a_version_that_is_none_is_told_in_a_sentence(whole, tmp_path, version):
    def odd(file):
        del file.attrs["schema_version"]
        file.attrs["schema_version"] = version

    path = rewritten(whole, tmp_path / "odd.h5", odd)
    seal_file(path)
    with pytest.raises(DataError, match=r"odd\.h5"):
        archive.load(path)


def test_an_archive_that_was_resealed_after_a_harmless_change_reads(whole, tmp_path):
    def harmless(file):
        file.attrs["remark"] = "seen"

    path = rewritten(whole, tmp_path / "seen.h5", harmless)
    with pytest.raises(DataError, match="seal"):
        archive.load(path)
    seal_file(path)
    found = archive.load(path)
    assert found.attrs["remark"] == "seen"
    same(archive.load(whole), found)


def test_a_file_that_promises_more_than_there_is_is_refused_within_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "PATIENCE", 5.0)
    for number, chunks in enumerate((None, (1 << 16,))):
        path = tmp_path / f"absurd{number}.h5"
        with h5py.File(path, "w") as file:
            file.attrs["schema"] = "transducer-toolkit/sweep"
            file.attrs["schema_version"] = 1
            file.create_dataset("y", shape=(1 << 45,), dtype="f8", chunks=chunks)
        with pytest.raises(DataError, match="absurd"):
            archive.load(path)


def test_a_reader_that_hangs_is_given_up(tmp_path, monkeypatch):
    import time

    script = tmp_path / "sleeps.py"
    script.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(probe, "__file__", str(script))
    monkeypatch.setattr(archive, "PATIENCE", 0.3)
    start = time.perf_counter()
    with pytest.raises(DataError, match="did not end within"):
        archive.load(LINK)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    "script",
    ["import os\nos.abort()", "print('hello')", "print('{}')"],
    ids=["crashes", "chatters", "empty"],
)
def test_a_reader_that_crashes_or_talks_nonsense_is_a_sentence(tmp_path, monkeypatch, script):
    path = tmp_path / "crash.py"
    path.write_text(script)
    monkeypatch.setattr(probe, "__file__", str(path))
    theirs = tmp_path / "theirs.h5"
    an_unrelated_hdf5(theirs)
    with pytest.raises(DataError):
        archive.load(theirs)


# --- the seal ----------------------------------------------------------------------------------


@given(st.binary(max_size=300), st.data())
def test_any_flipped_bit_breaks_a_seal(content, data):
    whole = sealed(content)
    assert is_sealed(whole)
    place = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[place] ^= data.draw(st.integers(1, 255))
    assert not is_sealed(bytes(damaged))


@given(st.binary(max_size=300), st.data())
def test_no_part_of_a_sealed_content_is_sealed(content, data):
    whole = sealed(content)
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert not is_sealed(whole[:cut])
    assert not is_sealed(whole + data.draw(st.binary(min_size=1, max_size=3)))


@given(st.binary(max_size=300), st.integers(0, 339), st.integers(1, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_seal_of_a_file_is_the_seal_of_its_content(tmp_path, content, place, flip):
    path = tmp_path / "sealed.bin"
    path.write_bytes(content)
    assert seal_of(path) is Seal.NONE
    seal_file(path)
    assert path.read_bytes() == sealed(content)
    assert seal_of(path) is Seal.WHOLE
    damaged = bytearray(sealed(content))
    damaged[place % len(damaged)] ^= flip
    path.write_bytes(damaged)
    assert seal_of(path) is not Seal.WHOLE


def test_a_finished_archive_clears_what_a_kill_left_beside_it(tmp_path, monkeypatch):
    """Killed between moving the archive into place and removing its parts."""
    path = tmp_path / "a.h5"
    with monkeypatch.context() as patch:
        patch.setattr("transducer.sweeps.shards.shutil.rmtree", lambda *a, **k: None)
        sweep(rough, grid(*TWO), archive=path)
    assert shards.parts_of(path).is_dir()
    before = tree(path)
    same(sweep(rough, grid(*TWO)), sweep(rough, grid(*TWO), archive=path))
    assert tree(path) == before
    assert not shards.parts_of(path).exists()
