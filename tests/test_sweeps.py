"""Adversarial referee of sweeps in memory: which points, which numbers, which reasons, which sentences."""

import json
import math
from dataclasses import dataclass, field, replace
from fractions import Fraction

import matplotlib
import numpy as np
import pytest
import xarray
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cavities.errors import (
    DataError,
    ParameterError,
    SweepError,
    ToolkitError,
    TruncationError,
    UnstableError,
    ValidityError,
)
from cavities.rules import Status
from fibre.figures import LinkFigures
from transducer import load_scenario
from transducer.chain import evaluate
from transducer.sweeps import Axis, Range, grid, sampled, sweep, zipped
from transducer.sweeps.merge import slabs
from transducer.sweeps.points import Variable

matplotlib.use("Agg")

ERRORS = {
    "invalid": (ValidityError, Status.NOT_VALID),
    "domain": (ParameterError, Status.OUTSIDE_DOMAIN),
    "unstable": (UnstableError, Status.UNSTABLE),
    "truncated": (TruncationError, Status.TRUNCATED),
}


def law(x, y):
    return {"sum": x + y, "product": x * y}


def same(one, two):
    """Equal to the last bit, names, order, dtypes and labels included; only the archive's own attributes differ."""
    one, two = one.copy(), two.copy()
    one.attrs, two.attrs = {}, {}
    xarray.testing.assert_identical(one, two)
    assert list(one.variables) == list(two.variables)
    for name, variable in one.variables.items():
        assert variable.dtype == two.variables[name].dtype
        if variable.dtype.kind != "O":
            assert variable.values.tobytes() == two.variables[name].values.tobytes()


# --- which points ------------------------------------------------------------------------------


def test_a_grid_has_every_combination_with_units_and_names_and_xarray_just_works():
    axes = grid(
        Axis("x", [1.0, 2.0, 4.0], "W", "pump power"), Axis("y", [0.5, 0.25], "m", "length")
    )
    found = sweep(law, axes, outputs={"product": Variable("W m", "power times length")}, title="t")
    assert found["sum"].dims == found["status"].dims == found["reason"].dims == ("x", "y")
    assert dict(found.sizes) == {"x": 3, "y": 2}
    assert found["product"].values.tolist() == [[x * y for y in (0.5, 0.25)] for x in (1, 2, 4)]
    assert found["sum"].sel(x=4.0, y=0.25).item() == 4.25
    assert found["x"].attrs == {"units": "W", "long_name": "pump power"}
    assert found["product"].attrs == {"units": "W m", "long_name": "power times length"}
    assert found["sum"].attrs["units"] == "1"
    assert found["status"].dtype == np.int8
    assert (found["status"] == Status.OK).all()
    assert set(found["reason"].values.flat) == {""}
    assert found["status"].attrs["flag_values"].tolist() == [int(s) for s in Status]
    assert len(found["status"].attrs["flag_meanings"].split()) == len(Status)
    assert found.attrs["schema"] == "transducer-toolkit/sweep"
    assert found.attrs["title"] == "t"
    frame = found.to_dataframe()
    assert len(frame) == 6
    assert frame.loc[(2.0, 0.5), "product"] == 1.0
    found["sum"].plot()
    found["sum"].isel(y=0).plot()
    matplotlib.pyplot.close("all")


def test_a_mapping_a_list_of_axes_and_a_grid_are_the_same_points():
    x, y = Axis("x", [1, 2]), Axis("y", [3.0, 4.0, 5.0])
    wanted = sweep(law, grid(x, y))
    for axes in ({"x": [1, 2], "y": y}, [x, y], (x, y), {"x": np.array([1, 2]), "y": (3, 4, 5)}):
        same(sweep(law, axes), wanted)
    assert sweep(law, {"y": y, "x": x})["sum"].dims == ("y", "x")
    assert sweep(law, {"x": range(2), "y": 7})["sum"].values.tolist() == [[7], [8]]


def test_axes_side_by_side_visit_one_point_per_row():
    found = sweep(law, zipped(Axis("x", [1.0, 1.0, 3.0], "W", "power"), Axis("y", [9.0, 9.0, 7.0])))
    assert found["sum"].dims == ("point",)
    assert found["sum"].values.tolist() == [10.0, 10.0, 10.0]
    assert found["x"].dims == ("point",)
    assert found["x"].attrs == {"units": "W", "long_name": "power"}
    assert list(found.to_dataframe()["y"]) == [9.0, 9.0, 7.0]
    found["product"].plot()
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize("method", ["sobol", "latin-hypercube"])
@pytest.mark.parametrize("count", [1, 2, 37, 64])
def test_a_seed_fixes_the_samples_and_they_fill_the_box(method, count):
    box = (Range("x", 1e-6, 1e-2, "W", "power", scale="log"), Range("y", -3.0, 5.0))
    one, two, other = (sampled(*box, count=count, seed=s, method=method) for s in (5, 5, 6))
    for a, b, c in zip(one.axes, two.axes, other.axes, strict=True):
        assert a.values.tobytes() == b.values.tobytes() != c.values.tobytes()
        assert a.values.shape == (count,)
    x, y = (axis.values for axis in one.axes)
    assert np.all((x >= 1e-6) & (x <= 1e-2) & (y >= -3) & (y <= 5))
    found = sweep(law, one)
    assert dict(found.sizes) == {"point": count}
    assert found["sum"].values.tolist() == (x + y).tolist()
    assert found["x"].attrs == {"units": "W", "long_name": "power"}
    assert found.attrs["sampling"] == method


@pytest.mark.parametrize("method", ["sobol", "latin-hypercube"])
def test_logarithmic_samples_are_uniform_in_the_logarithm(method):
    box = sampled(
        Range("x", 1e-9, 1e3, scale="log"), Range("y", 0, 1), count=1200, seed=3, method=method
    )
    share = (np.log10(box.axes[0].values) + 9) / 12
    counts, _ = np.histogram(share, bins=12, range=(0, 1))
    assert counts.sum() == 1200
    assert np.all(np.abs(counts - 100) <= 12)
    linear, _ = np.histogram(box.axes[1].values, bins=12, range=(0, 1))
    assert np.all(np.abs(linear - 100) <= 12)
    assert abs(np.corrcoef(share, box.axes[1].values)[0, 1]) < 0.05


def test_the_first_samples_of_a_sobol_sequence_do_not_depend_on_the_count():
    few, many = (sampled(Range("x", 0, 1), count=n, seed=1).axes[0].values for n in (37, 64))
    assert few.tolist() == many[:37].tolist()


@given(st.floats(-1e6, 1e6), st.floats(1e-9, 1e6), st.integers(0, 2**31), st.booleans())
@settings(max_examples=40)
def test_samples_never_leave_their_range(low, width, seed, log):
    low = abs(low) + 1e-9 if log else low
    high = low + max(width, 1e-9 * abs(low))
    box = sampled(
        Range("x", low, high, scale="log" if log else "linear"),
        count=16,
        seed=seed,
        method="latin-hypercube",
    )
    assert np.all((box.axes[0].values >= low) & (box.axes[0].values <= high))


@pytest.mark.parametrize(
    "wide",
    [Range("x", 1e-200, 1e200, scale="log"), Range("x", -1.5e308, 1.5e308)],
    ids=["logarithmic", "linear"],
)
def test_a_range_as_wide_as_the_numbers_can_be_sampled(wide):
    values = sampled(wide, count=64, seed=1).axes[0].values
    assert np.all((values >= wide.low) & (values <= wide.high))
    assert np.median(values) < wide.high / 2


def test_words_are_an_axis_like_any_other():
    def spelt(scheme, x):
        assert type(scheme) is str
        return {"letters": len(scheme) * x}

    found = sweep(spelt, {"scheme": ["two-click", "η", ""], "x": [1.0, 10.0]})
    assert found["letters"].sel(scheme="two-click", x=10.0).item() == 90
    assert found["letters"].sel(scheme="η").values.tolist() == [1, 10]
    assert found["letters"].sel(scheme="").values.tolist() == [0, 0]
    assert sorted(found.to_dataframe().reset_index()["scheme"].unique()) == ["", "two-click", "η"]

    def columns(scheme, x):
        return {"letters": np.array([len(s) for s in scheme]) * x}

    axes = zipped(Axis("scheme", ["a", "bb", "a"]), Axis("x", [1, 2, 3]))
    assert sweep(columns, axes, vectorised=True)["letters"].values.tolist() == [1, 4, 3]
    same(sweep(spelt, axes), sweep(columns, axes, vectorised=True))


def test_a_function_gets_plain_numbers_not_arrays():
    kinds = set()

    def note(x):
        kinds.add(type(x))
        return {"y": x}

    sweep(note, {"x": [1, 2]})
    sweep(note, zipped(Axis("x", [True, False])))
    assert kinds == {float}


# --- records -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Labelled:
    eta: float = field(metadata={"unit": "1", "long_name": "efficiency"})
    rate: float = field(metadata={"unit": "1/s", "long_name": "rate of pairs"})
    plain: float = 0.0


def test_a_record_labels_its_outputs_and_the_call_may_say_otherwise():
    def record(x):
        if x == 1:
            raise UnstableError("it oscillates")
        return Labelled(x, 2 * x)

    found = sweep(record, {"x": [1, 2, 3]}, outputs={"eta": Variable("%", "share")})
    assert [*found.data_vars] == ["eta", "rate", "plain", "status", "reason"]
    assert found["eta"].attrs == {"units": "%", "long_name": "share"}
    assert found["rate"].attrs == {"units": "1/s", "long_name": "rate of pairs"}
    assert found["rate"].values.tolist()[1:] == [4, 6]
    vectorised = sweep(
        lambda x: Labelled(x, 2 * x), {"x": [2, 3]}, vectorised=True, outputs={"eta": Variable("%")}
    )
    assert vectorised["rate"].attrs == {"units": "1/s", "long_name": "rate of pairs"}
    assert vectorised["plain"].values.tolist() == [0, 0]


def test_numbers_of_any_kind_are_outputs():
    def record(x):
        return {
            "python": 3,
            "yes": True,
            "small": np.float32(0.5),
            "whole": np.int64(7),
            "array": np.array(2.5),
            "large": math.inf,
        }

    found = sweep(record, {"x": [1]}).isel(x=0)
    wanted = {"python": 3, "yes": 1, "small": 0.5, "whole": 7, "array": 2.5, "large": math.inf}
    assert {name: found[name].item() for name in wanted} == wanted
    assert found["status"].item() == Status.OK


def test_outputs_get_their_labels_from_the_call():
    found = sweep(
        lambda x: {"eta": x / 2}, {"x": [0.5, 1]}, outputs={"eta": Variable("1", "efficiency")}
    )
    assert found["eta"].attrs == {"units": "1", "long_name": "efficiency"}


def test_figures_of_a_link_are_swept_with_their_units():
    scenario = load_scenario("metro_target")
    scheme = scenario.schemes[0]
    assert any(f.metadata.get("unit") == "1/s" for f in LinkFigures.__dataclass_fields__.values())

    def link(drive):
        arms = tuple(
            replace(arm, pump=replace(arm.pump, power=arm.pump.power * drive))
            for arm in scenario.arms
        )
        return evaluate(replace(scenario, arms=arms), scheme)

    found = sweep(link, {"drive": [0.5, 1.0]})
    assert (found["status"] == Status.OK).all()
    single = evaluate(scenario, scheme)
    for entry in LinkFigures.__dataclass_fields__.values():
        assert found[entry.name].attrs["units"] == entry.metadata["unit"]
        assert found[entry.name].attrs["long_name"] == entry.metadata["long_name"]
        assert found[entry.name].sel(drive=1.0).item() == float(getattr(single, entry.name))
    assert found["fidelity"].sel(drive=0.5).item() != found["fidelity"].sel(drive=1.0).item()


# --- points that fail --------------------------------------------------------------------------

bad_points = st.dictionaries(st.integers(0, 22), st.sampled_from(sorted(ERRORS)), max_size=23)


def fails(bad, i):
    kind = bad.get(int(i))
    if kind is not None:
        raise ERRORS[kind][0](f"point {int(i)} is {kind}")


@given(bad_points, st.integers(1, 25), st.booleans())
@example({i: "invalid" for i in range(23)}, 7, True)
@example({}, 23, True)
@settings(max_examples=40)
def test_scalar_vectorised_and_self_marking_functions_give_the_same_dataset(bad, block, last):
    axes = zipped(Axis("i", np.arange(23)), Axis("w", ["a", "b"] * 11 + ["c"]))

    def scalar(i, w):
        fails(bad, i)
        return {"root": math.sqrt(i), "code": ord(w), "both": i / 3 + ord(w)}

    def columns(i, w):
        for k in i[:: -1 if last else 1]:  # any bad point refuses the whole block
            fails(bad, k)
        codes = np.array([ord(c) for c in w])
        return {"root": np.sqrt(i), "code": codes, "both": i / 3 + codes}

    def marking(i, w):
        codes = np.array([ord(c) for c in w])
        status = [ERRORS[bad[int(k)]][1] if int(k) in bad else 0 for k in i]
        reason = [f"point {int(k)} is {bad[int(k)]}" if int(k) in bad else "" for k in i]
        return {
            "status": status,
            "reason": reason,
            "root": np.sqrt(i),
            "code": codes,
            "both": i / 3 + codes,
        }

    one = sweep(scalar, axes, block=block)
    same(one, sweep(columns, axes, vectorised=True, block=block))
    for i in range(23):
        point = one.isel(point=i)
        if i in bad:
            assert point["status"].item() == ERRORS[bad[i]][1]
            assert point["reason"].item() == f"point {i} is {bad[i]}"
        else:
            assert point["status"].item() == Status.OK
            assert point["reason"].item() == ""
            assert point["root"].item() == math.sqrt(i)
    if len(bad) < 23:
        same(one, sweep(marking, axes, vectorised=True, block=block))


def test_one_bad_point_costs_no_other_and_few_calls():
    calls = []

    def columns(x):
        calls.append(x.size)
        if (x == 777).any():
            raise ValidityError("777 is out of range")
        return {"y": 2 * x}

    found = sweep(columns, {"x": np.arange(4096)}, vectorised=True)
    assert np.flatnonzero(found["status"]).tolist() == [777]
    assert np.flatnonzero(np.isnan(found["y"])).tolist() == [777]
    assert found["reason"].values[777] == "777 is out of range"
    assert np.nansum(found["y"]) == 2 * (4095 * 4096 // 2 - 777)
    assert len(calls) <= 2 * 12 + 1


def test_a_number_that_is_none_is_marked_and_never_silent():
    def scalar(x):
        return {"fine": x, "odd": math.nan if x == 2 else x, "worse": math.nan if x > 2 else x}

    def columns(x):
        return {
            "fine": x,
            "odd": np.where(x == 2, np.nan, x),
            "worse": np.where(x > 2, np.nan, x),
        }

    axes = {"x": [1.0, 2.0, 3.0]}
    one, two = sweep(scalar, axes), sweep(columns, axes, vectorised=True)
    same(one, two)
    assert one["status"].values.tolist() == [0, Status.NOT_A_NUMBER, Status.NOT_A_NUMBER]
    assert "'odd'" in one["reason"].values[1]
    assert "'worse'" in one["reason"].values[2]
    assert np.isnan(one["fine"].values).tolist() == [False, True, True]


def test_a_dataset_comes_back_though_every_point_failed():
    def never(x, y):
        raise UnstableError(f"it oscillates at {x:g}")

    for vectorised in (False, True):
        if vectorised:

            def never(x, y):
                raise UnstableError(f"it oscillates at {x[0]:g}")

        found = sweep(never, {"x": [1, 2], "y": [1, 2, 3]}, vectorised=vectorised)
        assert (found["status"] == Status.UNSTABLE).all()
        assert found["reason"].sel(x=2, y=3).item() == "it oscillates at 2"
        assert dict(found.sizes) == {"x": 2, "y": 3}
        assert len(found.to_dataframe()) == 6


@pytest.mark.parametrize("kind", [RuntimeError, KeyError, DataError, ZeroDivisionError])
def test_any_other_exception_stops_the_sweep_and_names_the_point(kind):
    def scalar(x, y):
        if (x, y) == (2, 0.25):
            raise kind("a mistake")
        return {"z": x}

    with pytest.raises(kind) as caught:
        sweep(scalar, {"x": [1, 2], "y": [0.5, 0.25]})
    said = str(caught.value) + " ".join(getattr(caught.value, "__notes__", []))
    assert "a mistake" in said
    assert "x = 2, y = 0.25" in said

    def columns(x):
        if (x == 2).any():
            raise kind("a mistake")
        return {"z": x}

    with pytest.raises(kind) as caught:
        sweep(columns, {"x": [0, 1, 2, 3]}, vectorised=True, block=2)
    said = str(caught.value) + " ".join(getattr(caught.value, "__notes__", []))
    assert "x = 2" in said


def test_an_exception_with_a_note_of_its_own_still_names_the_point():
    def noted(x):
        if x == 2:
            error = RuntimeError("the solver gave up")
            error.add_note("try a smaller step")
            raise error
        return {"y": x}

    with pytest.raises(RuntimeError) as caught:
        sweep(noted, {"x": [1, 2, 3]})
    assert any("x = 2" in note for note in caught.value.__notes__)


def test_an_exception_object_that_is_raised_twice_names_the_second_point():
    cached = RuntimeError("no licence")

    def lazy(x):
        raise cached

    for x in (1, 2):
        with pytest.raises(RuntimeError) as caught:
            sweep(lazy, {"x": [x]})
        assert f"x = {x}" in caught.value.__notes__[-1]


def test_a_refusal_without_words_still_gives_a_reason():
    def bare(x):
        raise UnstableError

    def marked(x):
        return {"y": x, "status": Status.UNSTABLE}

    assert sweep(marked, {"x": [1.0]}, vectorised=True)["reason"].values.tolist() == ["unstable"]
    for vectorised in (False, True):
        found = sweep(bare, {"x": [1.0, 2.0]}, vectorised=vectorised)
        assert (found["status"] == Status.UNSTABLE).all()
        assert all(found["reason"].values)


def test_a_point_without_outputs_among_points_with_outputs_is_never_a_silent_gap():
    def partly(x):
        return {} if x == 2 else {"y": x}

    try:
        found = sweep(partly, {"x": [1.0, 2.0, 3.0]})
    except SweepError:
        return
    gap = np.isnan(found["y"].values)
    assert not np.any(gap & (found["status"].values == Status.OK))


def test_self_marked_points_are_empty_and_the_others_kept():
    def marking(x):
        bad = x > 2
        return {
            "y": 2 * x,
            "z": np.where(x == 1, np.nan, x),
            "status": np.where(bad, Status.CROWDED, Status.OK),
            "reason": np.where(bad, "too large", ""),
        }

    found = sweep(marking, {"x": [0, 1, 2, 3, 4]}, vectorised=True, block=2)
    assert found["status"].values.tolist() == [0, Status.NOT_A_NUMBER, 0, 3, 3]
    assert found["reason"].values.tolist()[3:] == ["too large", "too large"]
    assert np.isnan(found["y"].values).tolist() == [False, True, False, True, True]
    whole = sweep(lambda x: {"y": x, "status": 7, "reason": "all"}, {"x": [1, 2]}, vectorised=True)
    assert whole["status"].values.tolist() == [7, 7]
    assert whole["reason"].values.tolist() == ["all", "all"]


@pytest.mark.parametrize("code", [256, 300, 44, -1, 1.5, math.nan, "a"])
@pytest.mark.parametrize("reason", [{}, {"reason": "said"}], ids=["wordless", "said"])
def test_a_status_that_is_none_is_refused(code, reason):
    with pytest.raises(ToolkitError, match="status"):
        sweep(lambda x: {"y": x, "status": code, **reason}, {"x": [1, 2, 3]}, vectorised=True)


@pytest.mark.parametrize("given", [{"status": [0, 0]}, {"status": 1, "reason": ["a", "b"]}])
def test_marks_of_the_wrong_length_are_refused_in_a_sentence(given):
    with pytest.raises(SweepError, match=r"status|reason"):
        sweep(lambda x: {"y": x, **given}, {"x": [1, 2, 3]}, vectorised=True)


def test_a_masked_value_is_never_taken_for_the_number_under_the_mask():
    def masked(x):
        return {"y": np.ma.masked_greater(x, 1.5)}

    try:
        found = sweep(masked, {"x": [1.0, 2.0]}, vectorised=True)
    except SweepError:
        return
    assert found["status"].values[1] != Status.OK


# --- blocks ------------------------------------------------------------------------------------


@given(st.integers(1, 40), st.integers(1, 40), st.booleans(), bad_points)
@settings(max_examples=30)
def test_any_block_size_gives_the_same_result(one, two, vectorised, bad):
    def scalar(i, j):
        fails(bad, 4 * i + j)
        return {"y": math.sin(i) + j, "odd": math.nan if i == j == 3 else i}

    def columns(i, j):
        for a, b in zip(i, j, strict=True):
            fails(bad, 4 * a + b)
        return {"y": np.sin(i) + j, "odd": np.where((i == 3) & (j == 3), np.nan, i)}

    axes = {"i": np.arange(6), "j": np.arange(4)}
    function = columns if vectorised else scalar
    found = [sweep(function, axes, vectorised=vectorised, block=b) for b in (one, two, None)]
    same(found[0], found[1])
    same(found[0], found[2])


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=5).flatmap(
        lambda shape: st.tuples(
            st.just(tuple(shape)),
            st.integers(0, math.prod(shape)),
            st.integers(0, math.prod(shape)),
        )
    )
)
@settings(max_examples=150)
def test_slabs_cover_every_index_once_in_row_major_order(case):
    shape, a, b = case
    start, stop = min(a, b), max(a, b)
    numbers = np.arange(math.prod(shape)).reshape(shape)
    seen, place = [], 0
    for box, first, last in slabs(start, stop, shape):
        assert all(0 <= s.start < s.stop <= n for s, n in zip(box, shape, strict=True)) or (
            start == stop
        )
        assert first == place
        place = last
        inside = numbers[box].ravel()
        assert inside.size == last - first
        seen.extend(inside.tolist())
    assert place == stop - start
    assert seen == list(range(start, stop))


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.data())
@settings(max_examples=40)
def test_columns_of_a_grid_are_its_points_in_row_major_order(shape, data):
    axes = [Axis(f"a{i}", np.arange(n) * 10.0**i) for i, n in enumerate(shape)]
    design = grid(*axes)
    start = data.draw(st.integers(0, design.size - 1))
    stop = data.draw(st.integers(start + 1, design.size))
    whole = np.meshgrid(*(a.values for a in axes), indexing="ij")
    for axis, values in zip(axes, whole, strict=True):
        assert (
            design.columns(start, stop)[axis.name].tolist() == values.ravel()[start:stop].tolist()
        )


def test_a_function_that_changes_its_columns_changes_no_axis():
    def careless(x):
        x *= 2
        return {"y": x}

    found = sweep(careless, zipped(Axis("x", [1.0, 2.0, 3.0])), vectorised=True)
    assert found["x"].values.tolist() == [1, 2, 3]
    assert found["y"].values.tolist() == [2, 4, 6]


def test_a_function_that_changes_its_columns_is_not_halved_onto_changed_points():
    def careless(x):
        x *= 2
        if (x == 4).any():
            raise ParameterError("4 is forbidden")
        return {"y": x}

    found = sweep(careless, {"x": [1.0, 2.0, 3.0]}, vectorised=True)
    assert found["status"].values.tolist() == [0, Status.OUTSIDE_DOMAIN, 0]
    assert found["y"].values[[0, 2]].tolist() == [2, 6]


def test_a_function_that_returns_its_own_buffer_again_and_again_is_read_at_once():
    buffer = np.zeros(2)

    def lazy(x):
        np.multiply(x, 3, out=buffer)
        return {"y": buffer}

    found = sweep(lazy, {"x": [1, 2, 3, 4]}, vectorised=True, block=2)
    assert found["y"].values.tolist() == [3, 6, 9, 12]


def test_the_arrays_of_the_caller_are_not_shared_with_the_result():
    mine = np.array([1.0, 2.0])
    design = zipped(Axis("x", mine))
    found = sweep(lambda x: {"y": x}, design)
    mine[:] = 9
    assert found["x"].values.tolist() == [1, 2]
    found["x"].values[:] = 7
    assert design.axes[0].values.tolist() == [1, 2]


# --- sentences ---------------------------------------------------------------------------------

ONE = {"x": [1.0, 2.0, 3.0]}


def value(what):
    return lambda x: {"y": what}


def odd_one(x):
    return {"a": x} if x == 2 else {"b": x}


REFUSED = {
    "no such argument": (lambda: sweep(law, {"x": [1], "z": [1], "y": [1]}), ["'z'"]),
    "misspelt": (lambda: sweep(lambda power: {"y": 1}, {"powr": [1]}), ["'powr'", "'power'"]),
    "missing argument": (lambda: sweep(law, {"x": [1]}), ["'y'", "default"]),
    "missing argument beside keywords": (
        lambda: sweep(lambda x, gain, **rest: {"y": x}, ONE),
        ["'gain'"],
    ),
    "not a function": (lambda: sweep(3, ONE), ["function", "int"]),
    "no axis": (lambda: sweep(law, {}), ["at least one axis"]),
    "no axes in a grid": (lambda: grid(), ["at least one axis"]),
    "no range": (lambda: sampled(count=4, seed=1), ["at least one axis"]),
    "empty axis": (lambda: sweep(law, {"x": [], "y": [1]}), ["'x'", "empty", "at least one"]),
    "axis twice": (lambda: grid(Axis("x", [1]), Axis("x", [2])), ["'x'", "twice"]),
    "zipped axis twice": (lambda: zipped(Axis("x", [1]), Axis("x", [2])), ["'x'", "twice"]),
    "range twice": (
        lambda: sampled(Range("x", 0, 1), Range("x", 0, 1), count=2, seed=1),
        ["'x'", "twice"],
    ),
    "value twice": (lambda: sweep(value(1), {"x": [1, 2, 1.0]}), ["'x'", "1.0", "once"]),
    "word twice": (lambda: sweep(value(1), {"x": ["b", "a", "b"]}), ["'x'", "b", "once"]),
    "two zeros": (lambda: sweep(value(1), {"x": [0.0, -0.0]}), ["'x'", "once"]),
    "not a number": (lambda: Axis("x", [1, math.nan]), ["'x'", "finite", "nan"]),
    "infinite": (lambda: Axis("x", [1, -math.inf]), ["'x'", "finite", "inf"]),
    "unequal lengths": (
        lambda: zipped(Axis("x", [1, 2]), Axis("y", [1, 2, 3])),
        ["x has 2", "y has 3"],
    ),
    "range upside down": (lambda: Range("x", 2, 1), ["'x'", "low", "2", "1"]),
    "range of nothing": (lambda: Range("x", 1, 1), ["'x'", "low"]),
    "infinite range": (lambda: Range("x", 0, math.inf), ["'x'", "finite", "inf"]),
    "range of nan": (lambda: Range("x", math.nan, 1), ["'x'", "finite", "nan"]),
    "logarithm of zero": (lambda: Range("x", 0, 1, scale="log"), ["'x'", "above 0"]),
    "unknown scale": (lambda: Range("x", 0, 1, scale="lin"), ["'x'", "'lin'", "'linear'"]),
    "unknown sampler": (
        lambda: sampled(Range("x", 0, 1), count=2, seed=1, method="sobl"),
        ["'sobl'", "'sobol'"],
    ),
    "no samples": (lambda: sampled(Range("x", 0, 1), count=0, seed=1), ["count", "0"]),
    "half a sample": (lambda: sampled(Range("x", 0, 1), count=2.5, seed=1), ["count", "2.5"]),
    "negative seed": (lambda: sampled(Range("x", 0, 1), count=2, seed=-1), ["seed", "-1"]),
    "half a seed": (lambda: sampled(Range("x", 0, 1), count=2, seed=0.5), ["seed", "0.5"]),
    "axis called status": (lambda: Axis("status", [1]), ["'status'", "rename"]),
    "axis called reason": (lambda: Axis("reason", [1]), ["'reason'", "rename"]),
    "axis called point": (lambda: Axis("point", [1]), ["'point'", "rename"]),
    "range called point": (lambda: Range("point", 0, 1), ["'point'", "rename"]),
    "name with a blank": (lambda: Axis("a b", [1]), ["'a b'", "rename"]),
    "name that is none": (lambda: Axis("", [1]), ["''", "rename"]),
    "name that is a number": (lambda: Axis(3, [1]), ["3", "rename"]),
    "key and name differ": (lambda: sweep(law, {"x": Axis("y", [1])}), ["'x'", "'y'"]),
    "two-dimensional": (lambda: Axis("x", [[1, 2], [3, 4]]), ["'x'", "one row", "(2, 2)"]),
    "ragged": (lambda: Axis("x", [[1, 2], [3]]), ["'x'", "one row"]),
    "complex axis": (lambda: Axis("x", [1j]), ["'x'", "numbers or words"]),
    "axis of nothing": (lambda: Axis("x", [None]), ["'x'", "numbers or words", "None"]),
    "words and numbers": (lambda: Axis("x", ["a", 1.5]), ["'x'", "numbers or words"]),
    "numbers and words": (lambda: Axis("x", [1.5, "a"]), ["'x'", "numbers or words"]),
    "words and nothing": (lambda: Axis("x", ["a", None]), ["'x'", "None"]),
    "bytes": (lambda: Axis("x", [b"a"]), ["'x'", "numbers or words"]),
    "dates": (lambda: Axis("x", np.array(["2020-01-01"], "M8[D]")), ["'x'", "numbers or words"]),
    "too large to be exact": (lambda: Axis("x", [2**53, 2**53 + 1]), ["'x'", "9007199254740993"]),
    "too large for 64 bits": (lambda: Axis("x", [2**64 + 1]), ["'x'", "18446744073709551617"]),
    "very long name": (lambda: Axis("x" * 300, [1]), ["rename"]),
    "ranges as a grid": (lambda: sweep(value(1), [Range("x", 0, 1)]), ["Range"]),
    "axes as a word": (lambda: sweep(value(1), "x"), ["ax"]),
    "axes as nothing": (lambda: sweep(value(1), None), ["ax", "None"]),
    "output called like an axis": (lambda: sweep(lambda x: {"x": x}, ONE), ["'x'", "rename"]),
    "declared like an axis": (
        lambda: sweep(value(1), ONE, outputs={"x": Variable()}),
        ["'x'", "rename"],
    ),
    "output called status": (lambda: sweep(lambda x: {"status": 1}, ONE), ["'status'", "name"]),
    "output called point": (lambda: sweep(lambda x: {"point": 1}, ONE), ["'point'", "name"]),
    "output with a blank": (lambda: sweep(lambda x: {"a b": 1}, ONE), ["'a b'", "name"]),
    "output called by a number": (lambda: sweep(lambda x: {1: 1}, ONE), ["1", "name"]),
    "output is a word": (lambda: sweep(value("high"), ONE), ["'y'", "real number", "str"]),
    "output is nothing": (lambda: sweep(value(None), ONE), ["'y'", "real number", "NoneType"]),
    "output is complex": (lambda: sweep(value(1j), ONE), ["'y'", "complex", "split"]),
    "output is a fraction": (lambda: sweep(value(Fraction(1, 3)), ONE), ["'y'", "Fraction"]),
    "output is an array": (
        lambda: sweep(value(np.zeros(3)), ONE),
        ["'y'", "(3,)", "vectorised=True"],
    ),
    "output is ragged": (lambda: sweep(value([[1], [1, 2]]), ONE), ["'y'"]),
    "wrong length": (
        lambda: sweep(value(np.zeros(2)), ONE, vectorised=True),
        ["'y'", "(3,)", "(2,)"],
    ),
    "length of one": (lambda: sweep(value([1.0]), ONE, vectorised=True), ["'y'", "(3,)", "(1,)"]),
    "complex columns": (lambda: sweep(lambda x: {"y": 1j * x}, ONE, vectorised=True), ["'y'"]),
    "other outputs": (lambda: sweep(odd_one, ONE), ["'a'", "'b'", "same outputs"]),
    "other outputs in another block": (
        lambda: sweep(odd_one, ONE, block=1),
        ["'a'", "'b'", "same outputs"],
    ),
    "more outputs": (
        lambda: sweep(lambda x: {"a": 1} | ({"b": 2} if x > 2 else {}), ONE),
        ["'b'", "same outputs"],
    ),
    "returns nothing": (lambda: sweep(lambda x: None, ONE), ["mapping", "NoneType"]),
    "returns a number": (lambda: sweep(lambda x: x, ONE), ["mapping", "float"]),
    "returns a class": (lambda: sweep(lambda x: Labelled, ONE), ["mapping"]),
    "returns columns of nothing": (
        lambda: sweep(lambda x: None, ONE, vectorised=True),
        ["mapping", "NoneType"],
    ),
    "block of nothing": (lambda: sweep(value(1), ONE, block=0), ["block", "0"]),
    "negative block": (lambda: sweep(value(1), ONE, block=-3), ["block", "-3"]),
    "block of a half": (lambda: sweep(value(1), ONE, block=2.5), ["block", "2.5"]),
    "block in words": (lambda: sweep(value(1), ONE, block="3"), ["block", "3"]),
    "label that is no variable": (
        lambda: sweep(value(1), ONE, outputs={"y": ("1", "efficiency")}),
        ["'y'", "Variable"],
    ),
    "input that is no text": (lambda: sweep(value(1), ONE, inputs={"device": 5}), ["device"]),
    "archive of another kind": (lambda: sweep(value(1), ONE, archive="a.nc"), ["a.nc", ".h5"]),
}


@pytest.mark.parametrize("case", REFUSED, ids=lambda name: name.replace(" ", "_"))
def test_bad_input_gets_one_sentence_with_the_name_and_the_remedy(case):
    call, words = REFUSED[case]
    with pytest.raises((SweepError, ParameterError)) as caught:
        call()
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 400
    assert not [word for word in words if word not in said], said


def test_what_cannot_be_called_is_refused_before_anything_is_computed():
    calls = []

    def note(x):
        calls.append(x)
        return {"y": x}

    for axes, more in (({"z": [1]}, {}), ({"x": [1], "y": [2]}, {}), (ONE, {"block": 0})):
        with pytest.raises(SweepError):
            sweep(note, axes, **more)
    assert calls == []


def test_an_output_called_like_an_axis_stops_the_sweep_at_its_first_block():
    calls = []

    def clash(x):
        calls.append(x)
        return {"x": x}

    with pytest.raises(SweepError, match="'x'"):
        sweep(clash, {"x": np.arange(100)}, block=2)
    assert len(calls) <= 2


def test_other_outputs_stop_the_sweep_where_they_come_up():
    calls = []

    def moody(x):
        calls.append(x)
        return {"a": x} if x < 3 else {"b": x}

    with pytest.raises(SweepError, match="same outputs"):
        sweep(moody, {"x": np.arange(100)}, block=2)
    assert len(calls) <= 4


def test_the_same_outputs_in_another_order_are_the_same_outputs():
    def shuffled(x):
        return {"a": x, "b": -x} if x == 1 else {"b": -x, "a": x}

    found = sweep(shuffled, {"x": [1.0, 2.0]})
    assert found["a"].values.tolist() == [1, 2]
    assert found["b"].values.tolist() == [-1, -2]


def test_whole_numbers_that_a_float_holds_stay_exact():
    values = [2**53 - 1, -(2**53), 0]
    found = sweep(lambda n: {"n_again": n}, {"n": values})
    assert [int(v) for v in found["n"].values] == values
    assert [int(v) for v in found["n_again"].values] == values


def test_optional_arguments_keyword_arguments_and_partials_are_called_as_python_would():
    import functools

    def taken(x, *, gain=2.0):
        return {"y": gain * x}

    assert sweep(taken, {"x": [1, 2]})["y"].values.tolist() == [2, 4]
    assert sweep(taken, {"x": [1], "gain": [1, 5]})["y"].values.tolist() == [[1, 5]]
    bound = functools.partial(taken, gain=7)
    assert sweep(bound, {"x": [1, 2]})["y"].values.tolist() == [7, 14]
    assert sweep(lambda **point: {"y": sum(point.values())}, {"x": [1], "z": [5]})["y"].item() == 6
    assert sweep(lambda *rest, x: {"y": x}, {"x": [3]})["y"].item() == 3


def test_the_result_tells_what_it_was_computed_with():
    found = sweep(law, {"x": [1], "y": [2]}, title="a title")
    assert "numpy" in json.loads(found.attrs["versions"])
    assert found.attrs["function"].endswith("law")
    assert found.attrs["cpu_time_s"] >= 0
    assert found.attrs["wall_time_s"] > 0
