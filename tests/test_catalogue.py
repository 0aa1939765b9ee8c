"""The catalogue of parts and of published links: every file, every use, every refusal."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cavities import data
from cavities.constants import LIGHT_SPEED, angular, wavelength_nm
from cavities.errors import DataError, ToolkitError
from cavities.numbers import STATUSES, Input, Number, numbers_in
from fibre.budget import Row, budget
from fibre.elements import FabryPerot, FibreSpan, FlatTop, Loss, Switch
from fibre.part_file import MODELS
from fibre.parts import (
    DetectorPart,
    FibrePart,
    FilterPart,
    LossPart,
    QubitPart,
    SwitchPart,
    attenuation_at,
    check_band,
    detector_of,
    element_of,
    inputs_of,
    load_part,
    memory_of,
)
from fibre.published_links import LinkClaim, claims_of, load_link, worth_of
from transducer.budget_diff import paired
from transducer.chain import link_of
from transducer.scenario import load_scenario
from transducer.simulation import simulate

PARTS = data.names("parts")
LINKS = data.names("links")
TARGET = (data.root("scenarios") / "metro_target.toml").read_text("utf-8")


def carrier_of(nm: float) -> float:
    return float(angular(LIGHT_SPEED / (nm * 1e-9)))


def sentence(error: ToolkitError, *words: str) -> None:
    said = str(error)
    assert "\n" not in said
    assert len(said.split()) > 4
    for word in words:
        assert word in said, (word, said)


# ---------------------------------------------------------------- every part file


@pytest.mark.parametrize("name", PARTS)
def test_every_part_says_what_it_is_and_where_each_number_is_from(name: str) -> None:
    part = load_part(name)
    assert part.key == name
    assert part.category in MODELS
    assert part.name.strip() == part.name != ""
    if part.band_nm is not None:
        assert 200 < part.band_nm[0] < part.band_nm[1] < 5000
    numbers = list(numbers_in(part))
    for key, number in numbers:
        assert number.where.strip(), key
        assert number.status in STATUSES, key
        assert number.max_status is None or number.max is not None, key
        assert np.isfinite(number.value)
    assert [e.key for e in inputs_of(part)] == [key for key, _ in numbers]


@pytest.mark.parametrize(
    ("kind", "name"), [*(("parts", n) for n in PARTS), *(("links", n) for n in LINKS)]
)
def test_no_file_names_a_registry_or_a_place_on_somebodys_disk(kind: str, name: str) -> None:
    text = (data.root(kind) / f"{name}.toml").read_text("utf-8")
    for word in ("pypi.org", "huggingface", "crates.io", "npmjs", "/home/", "/root/"):
        assert word not in text.lower(), word
    assert "TODO" not in text
    assert "FIXME" not in text


@pytest.mark.parametrize("nm", [637.0, 850.0, 1310.0, 1550.0])
@pytest.mark.parametrize("name", PARTS)
def test_every_part_is_an_element_or_says_why_not(name: str, nm: float) -> None:
    part = load_part(name)
    length = 2.0 if isinstance(part, FibrePart) else None
    try:
        element, used = element_of(part, carrier_of(nm), length_km=length, count=2)
    except DataError as error:
        sentence(error, name)
        return
    kinds = {FibrePart: FibreSpan, LossPart: Loss, SwitchPart: Switch}
    expected = kinds.get(type(part), (FabryPerot, FlatTop))
    assert isinstance(element, expected)
    assert used
    assert element.name
    assert element.basis in STATUSES
    assert float(np.max(element.margin_db)) >= 0
    assert float(np.max(element.sigma_db)) >= 0
    assert element.band_nm == (None if part.band_nm is None else tuple(part.band_nm))
    for entry in used:
        assert entry.file == f"parts/{name}"


@pytest.mark.parametrize("name", PARTS)
def test_every_part_is_a_detector_or_a_memory_or_says_why_not(name: str) -> None:
    part = load_part(name)
    try:
        detector, used = detector_of(part)
        assert isinstance(part, DetectorPart)
        assert used
        assert 0 < detector.efficiency <= 1
        assert detector.margin_db >= 0
    except DataError as error:
        sentence(error, name)
        v = part.values
        assert not isinstance(part, DetectorPart) or None in (
            v.efficiency,
            v.dark_rate_hz,
            v.dead_time_s,
        )
    try:
        memory, pi_time, _ = memory_of(part)
        assert isinstance(part, QubitPart)
        assert memory.T2 <= 2 * memory.T1 * (1 + 1e-12)
        assert pi_time >= 0
    except ToolkitError as error:
        sentence(error)
        if isinstance(error, DataError):
            sentence(error, name)
        else:
            pytest.fail(f"{name}: its own numbers make no memory: {error}")


@pytest.mark.parametrize("name", [n for n in PARTS if load_part(n).band_nm is not None])
def test_a_wavelength_outside_the_band_is_refused(name: str) -> None:
    part = load_part(name)
    assert part.band_nm is not None
    low, high = part.band_nm
    for nm in (low - 1, high + 1):
        with pytest.raises(DataError) as caught:
            check_band(part, carrier_of(nm))
        sentence(caught.value, name, f"{nm:.1f} nm", f"{low:g}", f"{high:g}")
        length = 1.0 if isinstance(part, FibrePart) else None
        with pytest.raises(DataError):
            element_of(part, carrier_of(nm), length_km=length)
    check_band(part, carrier_of((low + high) / 2))
    assert wavelength_nm(carrier_of(low)) == pytest.approx(low)


def test_a_length_belongs_to_a_fibre() -> None:
    with pytest.raises(DataError) as caught:
        element_of(load_part("fibre.g652d"), carrier_of(1550))
    sentence(caught.value, "fibre.g652d", "length_km")
    with pytest.raises(DataError) as caught:
        element_of(load_part("conn.lc_apc"), carrier_of(1550), length_km=1.0)
    sentence(caught.value, "conn.lc_apc", "length_km")


@pytest.mark.parametrize("name", [n for n in PARTS if n != "fibre.model.spectral"])
def test_an_element_carries_its_files_range(name: str) -> None:
    """Typical is the file's value, worst is its max, and n of them are n times both."""
    part = load_part(name)
    nm = 1550.0 if part.band_nm is None else float(np.clip(1550.0, *part.band_nm))
    try:
        length = 3.0 if isinstance(part, FibrePart) else None
        one, _ = element_of(part, carrier_of(nm), length_km=length)
        four, _ = element_of(part, carrier_of(nm), length_km=length, count=4)
    except DataError:
        return  # another test sees to it that it says why
    if isinstance(one, FibreSpan):
        typical, most, _ = attenuation_at(part, carrier_of(nm))  # type: ignore[arg-type]
        assert one.attenuation * one.length == pytest.approx(3 * typical)
        assert one.margin_db == pytest.approx(3 * (most - typical))
        assert float(four.delay) == pytest.approx(4 * float(one.delay))
    else:
        loss = part.values.insertion_loss_db  # type: ignore[union-attr]
        assert loss is not None
        margin = 0.0 if loss.max is None else loss.max - loss.value
        own = one.insertion_db if isinstance(part, FilterPart) else one.loss_db  # type: ignore[union-attr]
        assert own == pytest.approx(loss.value)
        assert one.margin_db == pytest.approx(margin)
    assert float(np.max(four.margin_db)) == pytest.approx(4 * float(np.max(one.margin_db)))


# ---------------------------------------------------------------- fibre by wavelength


@pytest.mark.parametrize("nm", [1310, 1550, 1625])
def test_the_spectral_law_meets_tabulated_g652d(nm: int) -> None:
    law = attenuation_at(load_part("fibre.model.spectral"), carrier_of(nm))[0]  # type: ignore[arg-type]
    table = load_part("fibre.g652d").values.attenuation_db_per_km[str(nm)].value  # type: ignore[union-attr]
    assert law == pytest.approx(table, abs=0.05)
    um = nm / 1e3
    by_hand = (
        0.8 / um**4
        + 0.03
        + 7.81e11 * np.exp(-48.48 / um)
        + 0.03 * np.exp(-((um - 1.383) ** 2) / (2 * 0.012**2))
    )
    assert law == pytest.approx(by_hand, rel=1e-9)


def test_the_law_has_its_water_peak_and_its_minimum_where_silica_has_them() -> None:
    part = load_part("fibre.model.spectral")
    nm = np.arange(1260.0, 1680.0, 1.0)
    loss = np.array([attenuation_at(part, carrier_of(x))[0] for x in nm])  # type: ignore[arg-type]
    assert 1530 < nm[np.argmin(loss)] < 1600
    peak = loss[(nm > 1350) & (nm < 1410)]
    assert nm[(nm > 1350) & (nm < 1410)][np.argmax(peak - 0.8 / 1.383**4)] < 1386


def test_the_worst_case_of_a_law_uses_the_largest_of_its_numbers() -> None:
    """The file states rayleigh up to 0.9 dB um^4/km: 0.017 dB/km more at 1550 nm."""
    part = load_part("fibre.model.spectral")
    typical, most, _ = attenuation_at(part, carrier_of(1550))  # type: ignore[arg-type]
    assert most - typical == pytest.approx(0.1 / 1.55**4, rel=1e-6)


# ---------------------------------------------------------------- a part of one's own


OWN = """key = "{key}"
category = "connector"
name = "our own patch panel"
band_nm = [{low}, 1600.0]

[values]
insertion_loss_db = {{ value = 0.6, min = 0.4, max = 1.9, status = "read", where = "our bench" }}
"""


def with_own(folder: Path, key: str = "mine", low: float = 1500.0, stem: str = "mine") -> Path:
    (folder / f"{stem}.toml").write_text(OWN.format(key=key, low=low), "utf-8")
    path = folder / "link.toml"
    path.write_text(
        TARGET.replace('part = "conn.lc_apc"\ncount = 2', 'part = "mine.toml"\ncount = 3'), "utf-8"
    )
    return path


def test_a_part_of_ones_own_enters_typical_and_worst_case(tmp_path: Path) -> None:
    scenario = load_scenario(with_own(tmp_path))
    _, rows = budget(link_of(scenario))
    (row,) = [r for r in rows if r.arm == "A" and "our own patch panel" in r.element]
    assert row.loss_db == pytest.approx(1.8)
    assert row.loss_db_max == pytest.approx(5.7)
    assert row.sigma_db == pytest.approx(np.sqrt(3) * 1.3 / 3)
    assert (row.kind, row.basis, row.band_nm) == ("connector", "read", (1500.0, 1600.0))
    base = simulate(load_scenario("metro_target"), "scattering")
    found = simulate(scenario, "scattering")
    moved = [f.losses_db[0] - b.losses_db[0] for f, b in zip(found.cases, base.cases, strict=True)]
    assert moved[0] == pytest.approx(1.8 - 0.4)
    assert moved[2] == pytest.approx(5.7 - 1.5)
    assert any(e.file == "parts/mine" and e.number.max == 1.9 for e in scenario.inputs)


def test_a_part_of_ones_own_is_checked_like_any_other(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_scenario(with_own(tmp_path, low=1555.0))
    sentence(caught.value, "mine", "1555 to 1600 nm", "1550.0 nm")
    with pytest.raises(DataError) as caught:
        load_scenario(with_own(tmp_path, key="other"))
    sentence(caught.value, "mine.toml", "other")
    for old, new, word in (
        ("max = 1.9", "max = 0.5", "0.5"),
        ("min = 0.4", "min = 0.8", "0.8"),
        ("value = 0.6", "value = -0.6", "insertion_loss_db"),
        ('status = "read"', 'status = "measured"', "status"),
        (', where = "our bench"', "", "where"),
        ("insertion_loss_db", "insertion_loss_dB", "insertion_loss_db"),
        ('category = "connector"', 'category = "conector"', "connector"),
        ("[1500.0, 1600.0]", "[1500.0]", "band_nm"),
    ):
        path = with_own(tmp_path)
        text = OWN.format(key="mine", low=1500.0)
        assert old in text
        (tmp_path / "mine.toml").write_text(text.replace(old, new), "utf-8")
        with pytest.raises(DataError) as caught:
            load_scenario(path)
        sentence(caught.value, word, "mine.toml")


def test_a_band_written_backwards_is_named_as_such(tmp_path: Path) -> None:
    """No light fits a band of 1600 to 1500 nm: the file is wrong, not the wavelength."""
    path = with_own(tmp_path)
    text = OWN.format(key="mine", low=1500.0)
    (tmp_path / "mine.toml").write_text(
        text.replace("[1500.0, 1600.0]", "[1600.0, 1500.0]"), "utf-8"
    )
    with pytest.raises(DataError) as caught:
        load_scenario(path)
    sentence(caught.value, "mine.toml", "band_nm")


def test_a_worst_case_efficiency_of_ones_own_detector_is_its_min(tmp_path: Path) -> None:
    (tmp_path / "eye.toml").write_text(
        'key = "eye"\ncategory = "detector"\nname = "our eye"\n\n[values]\n'
        'efficiency = { value = 0.9, min = 0.45, status = "read", where = "bench" }\n'
        'dark_rate_hz = { value = 5.0, status = "read", where = "bench" }\n'
        'dead_time_s = { value = 30e-9, status = "read", where = "bench" }\n',
        "utf-8",
    )
    path = tmp_path / "link.toml"
    path.write_text(TARGET.replace("det.snspd.commercial", "eye.toml"), "utf-8")
    _, rows = budget(link_of(load_scenario(path)))
    (row,) = [r for r in rows if r.arm == "A" and r.element == "our eye"]
    assert row.loss_db_max - row.loss_db == pytest.approx(10 * np.log10(2), rel=1e-9)


# ---------------------------------------------------------------- published links


@pytest.mark.parametrize("name", LINKS)
def test_every_link_loads_and_judges_only_what_it_may(name: str) -> None:
    file = load_link(name)
    assert file.key == name
    for key, number in numbers_in(file):
        assert number.where.strip(), key
        assert number.status in STATUSES, key
    reported = [
        figure
        for figure in ("probability", "rate_hz", "fidelity")
        if getattr(file.reported, figure) is not None
    ]
    claims = claims_of(file)
    assert [claim.figure for claim in claims] == reported
    for claim in claims:
        if claim.predicted is None:
            assert claim.worth == "none"
            assert claim.why
            assert claim.deviation is None
            continue
        assert claim.predicted > 0
        if claim.figure != "rate_hz":
            assert claim.predicted <= 1
        statuses = {e.number.status for e in claim.inputs}
        weak = statuses & {"recalled", "guess", "tuned", "fitted", "identity"}
        assert not (weak and claim.worth in ("independent", "consistent"))
        if weak:
            assert claim.deviation is None


@pytest.mark.parametrize(
    ("statuses", "worth"),
    [
        (("read",), "independent"),
        (("read", "abstract", "derived"), "independent"),
        (("read", "secondary"), "consistent"),
        (("secondary", "recalled"), "illustration"),
        (("read", "guess"), "illustration"),
        (("guess", "tuned"), "tuned"),
        (("read", "fitted"), "tuned"),
        (("fitted", "identity", "read"), "identity"),
        ((), "independent"),
    ],
)
def test_a_match_is_worth_what_its_weakest_input_is(statuses: tuple[str, ...], worth: str) -> None:
    numbers = [Number(value=1.0, where="p. 1", status=s) for s in statuses]  # type: ignore[arg-type]
    assert worth_of([Input("links/x", str(k), n) for k, n in enumerate(numbers)]) == worth


def test_deviations_are_judged_in_the_sigma_of_their_side() -> None:
    number = Number(value=0.8, where="p. 1", status="read", sigma=[0.02, 0.05])
    one = LinkClaim("x", "fidelity", number, 0.9, (), "independent")
    assert one.deviation == pytest.approx(2.0)
    assert one.ratio_db == pytest.approx(10 * np.log10(0.9 / 0.8))
    assert replace(one, predicted=0.76).deviation == pytest.approx(-2.0)
    for worth in ("illustration", "tuned", "identity", "upper bound", "none"):
        assert replace(one, worth=worth).deviation is None
    assert replace(one, predicted=None).ratio_db is None


def test_humphreys_2018_is_frozen() -> None:
    """Single click by L15 with unequal arms, its double excitation and its spin errors, by hand."""
    claims = {c.figure: c for c in claims_of(load_link("humphreys2018_lo"))}
    ta, tb, a = 2.8e-4, 4.2e-4, 0.05
    M, s = np.sqrt(0.9), 0.2618
    pd = 1 - np.exp(-20.0 * 25e-9)
    # weights of |10>, |01>, |00>, |11> for one of two detectors, no thermal noise
    one = lambda t: (1 - pd) * (t / 2 + pd * (1 - t))  # noqa: E731
    p10, p01, p00 = one(ta), one(tb), (1 - pd) * pd
    both = (1 - ta) * (1 - tb)
    # two photons: this detector fires, the other is silent
    only = ta / 2 * (1 - tb) + (1 - ta) * tb / 2 + ta * tb * (1 + M**2) / 4
    p11 = (1 - pd) * (only + pd * both)
    P = 2 * (a * (1 - a) * (p10 + p01) + (1 - a) ** 2 * p00 + a**2 * p11)
    coherence = (1 - pd) * M * np.sqrt(ta * tb) / 2 * np.exp(-(s**2) / 2) * (1 - 0.04)
    F = 2 * a * (1 - a) * ((p10 + p01) / 2 + coherence) / P
    assert claims["rate_hz"].predicted == pytest.approx(P / 5.5e-6, rel=1e-6)
    assert claims["fidelity"].predicted == pytest.approx(0.98 * F + 0.02 / 4, rel=1e-6)
    # and the digits, so that a change of the file or of the model shows
    assert claims["rate_hz"].predicted == pytest.approx(FROZEN["rate_hz"], rel=1e-6)
    assert claims["fidelity"].predicted == pytest.approx(FROZEN["fidelity"], rel=1e-6)
    assert claims["rate_hz"].worth == claims["fidelity"].worth == "illustration"
    assert claims["fidelity"].deviation is None


FROZEN = {"rate_hz": 6.545388736, "fidelity": 0.8491087131}


# ---------------------------------------------------------------- budgets row by row


def row(arm: str, element: str, kind: str, loss: float = 1.0) -> Row:
    return Row(arm, element, loss, loss, loss, 0.8, 0.0, 0.0, "read", kind)


def names(pairs: list) -> list[tuple[str | None, str | None]]:
    return [
        (p.first.element if p.first else None, p.second.element if p.second else None)
        for p in pairs
    ]


def test_equal_budgets_pair_row_by_row() -> None:
    _, rows = budget(link_of(load_scenario("metro_target")))
    for pair in paired(rows, rows):
        assert pair.first is pair.second
    assert len(paired(rows, rows)) == len(rows)


@pytest.mark.parametrize("order", [1, -1])
def test_the_same_element_is_matched_before_the_same_kind(order: int) -> None:
    """A connector put beside another is new; the other one did not change."""
    old = [row("A", "LC/APC", "connector"), row("A", "fibre", "fibre")][::order]
    new = [row("A", "MPO", "connector", 0.3), *old]
    expected = [(None, "MPO"), ("LC/APC", "LC/APC"), ("fibre", "fibre")]
    if order == -1:
        new = [old[0], row("A", "MPO", "connector", 0.3), old[1]]
        expected = [("fibre", "fibre"), (None, "MPO"), ("LC/APC", "LC/APC")]
    assert names(paired(old, new)) == expected


def test_an_exchanged_element_is_paired_by_kind_and_every_row_appears_once() -> None:
    old = [row(arm, e, k) for arm in "AB" for e, k in (("x", "switch"), ("y", "fibre"))]
    new = [row(arm, e, k) for arm in "AB" for e, k in (("z", "switch"), ("y", "fibre"))]
    assert names(paired(old, new)) == [("x", "z"), ("y", "y")] * 2
    shorter = [new[0], *new[2:]]
    assert names(paired(old, shorter)) == [("x", "z"), ("y", None), ("x", "z"), ("y", "y")]


# ---------------------------------------------------------------- the command line


def transducer(*arguments: str, cwd: Path) -> SimpleNamespace:
    done = subprocess.run(
        [sys.executable, "-m", "transducer", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert list(cwd.glob("**/*.h5")) == []
    return SimpleNamespace(rc=done.returncode, out=done.stdout, err=done.stderr)


def test_part_list_shows_every_part_and_every_category(tmp_path: Path) -> None:
    done = transducer("part", "list", cwd=tmp_path)
    assert done.rc == 0, done.err
    for name in PARTS:
        assert name in done.out
    done = transducer("part", "list", "--category", "switch", cwd=tmp_path)
    assert done.rc == 0
    assert "switch.polatis.6000_32" in done.out
    assert "fibre.g652d" not in done.out


@pytest.mark.parametrize("name", ["switch.cisco.uqs", "fibre.g652d", "fibre.model.spectral"])
def test_part_show_gives_status_and_range(tmp_path: Path, name: str) -> None:
    done = transducer("part", "show", name, cwd=tmp_path)
    assert done.rc == 0, done.err
    for entry in inputs_of(load_part(name)):
        assert f"{entry.number.value:g}" in done.out
        assert entry.number.status in done.out


def test_part_show_reads_a_file_of_ones_own(tmp_path: Path) -> None:
    with_own(tmp_path)
    done = transducer("part", "show", "mine.toml", cwd=tmp_path)
    assert done.rc == 0, done.err
    assert "our own patch panel" in done.out
    assert "1.9" in done.out


def test_validate_links_shows_every_link(tmp_path: Path) -> None:
    done = transducer("validate", "links", cwd=tmp_path)
    assert done.rc == 0, done.err
    for name in LINKS:
        assert name in done.out, name
    done = transducer("validate", "links", "humphreys2018_lo", cwd=tmp_path)
    assert done.rc == 0
    assert "illustration" in done.out
    assert "hensen2015" not in done.out


def test_diff_of_a_scenario_with_itself_shows_no_change(tmp_path: Path) -> None:
    done = transducer("diff", "metro_target", "metro_target", cwd=tmp_path)
    assert done.rc == 0, done.err
    assert "->" not in done.out
    assert not re.search(r"[+-]\d+\.\d", done.out)
    ratios = re.findall(r"│\s+([\d.]+|-)│\s*$", done.out.split("Figures")[1], re.M)
    assert ratios
    assert set(ratios) <= {"1", "-"}


def test_diff_names_what_changed_and_by_how_much(tmp_path: Path) -> None:
    text = TARGET.replace("length_km = 12.5", "length_km = 22.5").replace(
        "switch.polatis.6000_32", "switch.siph.mems_240"
    )
    (tmp_path / "b.toml").write_text(text, "utf-8")
    done = transducer("diff", "metro_target", "b.toml", cwd=tmp_path)
    assert done.rc == 0, done.err
    assert "+2.00" in done.out
    assert "+8.80" in done.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("part", "show", "switch.polatis.6000_31"), ("switch.polatis.6000_32",)),
        (("part", "show", "absent.toml"), ("absent.toml", "no such file")),
        (("part", "list", "--category", "swich"), ("did you mean 'switch'",)),
        (("validate", "links", "humphreys2018"), ("humphreys2018_lo",)),
        (("validate", "links", "hensen2015", "nothing"), ("nothing",)),
        (("diff", "metro", "metroo"), ("metroo",)),
        (("diff", "metro", "absent.toml"), ("absent.toml",)),
        (("diff", "metro", "a.h5"), ("a.h5", "scenarios")),
        (("diff", "a.h5", "b.h5"), ("a.h5",)),
    ],
    ids=[f"mistake{k}" for k in range(9)],
)
def test_unknown_names_are_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    done = transducer(*arguments, cwd=tmp_path)
    assert done.rc == 2, (done.out, done.err)
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert done.err.startswith("transducer: ")
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err, (word, done.err)
    assert list(tmp_path.iterdir()) == []
