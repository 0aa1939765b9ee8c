"""``transducer validate`` and ``transducer cite``: tables, pictures and what they refuse; how far a prediction is known."""

import csv
import io
import re
from collections import Counter
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from rich.console import Console

from cavities import DataError, ParameterError
from cavities.numbers import Input, Number
from tests.commands import refused, transducer
from tests.test_published import PAPER
from transducer import link_of, load_scenario
from transducer.chain import evaluate
from transducer.citations import (
    bibtex,
    citation_line,
    known_papers,
    papers_in,
    rests_on,
    unknown_fields,
)
from transducer.published import read_paper
from transducer.tables import tex, tex_numbers
from transducer.validation import plots
from transducer.validation.figures import FIGURES
from transducer.validation.judge import Judged, Verdict, judged
from transducer.validation.landscape import places_of, rate_map
from transducer.validation.relations import RELATIONS, computed
from transducer.validation.report import as_csv, as_latex, count_of, show_claims, show_figures
from transducer.validation.uncertainty import moved_by, spread_of

REPOSITORY = Path(__file__).resolve().parent.parent


def printed(found: list[Judged]) -> str:
    written = io.StringIO()
    show_claims(found, Console(file=written, width=120, highlight=False))
    return written.getvalue()


# ---------------------------------------------------------------- tables


def test_the_table_holds_every_tested_claim_and_says_why_the_others_are_not(
    all_claims: list[Judged],
) -> None:
    text = printed(all_claims)
    assert max(map(len, text.splitlines())) <= 120
    rows = [line for line in text.splitlines() if line.startswith("│") and line[1] != " "]
    tested = [e for e in all_claims if e.verdict is not Verdict.UNTESTABLE]
    assert [row.strip("│").split("│")[0].strip() for row in rows] == [e.paper.key for e in tested]
    flat = " ".join(text.split())
    for entry in all_claims:
        if entry.verdict is Verdict.FAILS:
            assert " ".join(entry.claim.reason.split()) in flat
        if entry.verdict is Verdict.UNTESTABLE:
            assert " ".join(entry.why.split()) in flat
    for key in {entry.paper.key for entry in all_claims}:
        assert key in flat.partition("Papers: ")[2]


def test_the_count_is_the_one_of_readme_and_of_the_claims(all_claims: list[Judged]) -> None:
    counts = Counter(entry.verdict.value for entry in all_claims)
    papers = len({entry.paper.key for entry in all_claims})
    said = count_of(all_claims)
    assert said.startswith(f"{len(all_claims)} claims of {papers} papers: ")
    for word, count in counts.items():
        assert f"{count} {word}" in said
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    found = re.search(
        r"Of (\d+) claims in (\d+) papers (\d+) are predicted \(.*?\), (\d+) consistent, (\d+) fail.*?"
        r"(\d+) were fitted.*?(\d+) cannot be tested",
        readme,
    )
    assert found is not None
    order = ("predicted", "consistent", "fails", "fitted", "cannot be tested")
    assert [int(n) for n in found.groups()] == [
        len(all_claims),
        papers,
        *(counts[word] for word in order),
    ]


def test_the_page_about_failures_lists_the_ones_there_are(all_claims: list[Judged]) -> None:
    text = (REPOSITORY / "docs" / "validation.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if re.match(r"\| \w+: ", line)]
    failing = [e for e in all_claims if e.verdict is Verdict.FAILS]
    assert len(rows) == len(failing)
    for row, entry in zip(rows, failing, strict=True):
        what, miss, why = (cell.strip() for cell in row.strip("|").split("|"))
        assert what.startswith(f"{entry.paper.key}: {entry.claim.figure.replace('_', ' ')}")
        assert float(miss.removesuffix(" dB")) == pytest.approx(entry.miss_db, abs=0.02)
        assert why == entry.claim.reason


def test_the_csv_table_gives_numbers_in_full_and_an_empty_field_where_there_is_none(
    all_claims: list[Judged],
) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(all_claims))))
    assert len(rows) == len(all_claims)
    for row, entry in zip(rows, all_claims, strict=True):
        assert row["paper"] == entry.paper.key
        assert float(row["reported"]) == entry.claim.value
        assert row["verdict"] == entry.verdict.value
        for name, value in (("predicted", entry.predicted), ("ratio_db", entry.miss_db)):
            assert row[name] == ("" if value is None else repr(value))
        for used in entry.inputs:
            assert f"{used.key} {used.number.status}" in row["inputs"]


def test_the_latex_table_balances_and_cites_what_bibtex_knows(all_claims: list[Judged]) -> None:
    text = as_latex(all_claims)
    lines = text.splitlines()
    assert lines[0].startswith(r"\begin{tabular}{")
    width = len(lines[0].removeprefix(r"\begin{tabular}{").removesuffix("}"))
    body = [line for line in lines if line.endswith(r"\\")]
    tested = [e for e in all_claims if e.verdict is not Verdict.UNTESTABLE]
    assert len(body) == len(tested) + 1
    for line in body:
        assert len(re.findall(r"(?<!\\)&", line)) == width - 1
        assert line.count("$") % 2 == 0
        assert line.count("{") == line.count("}")
        assert "_" not in re.sub(r"\\cite\{\w+\}|\\_", "", line)
    for key in re.findall(r"\\cite\{(\w+)\}", text):
        assert bibtex(key).startswith("@")


def test_tex_is_escaped_and_numbers_become_mathematics() -> None:
    assert tex(r"a_b & 3% of {x}\y") == r"a\_b \& 3\% of \{x\}\textbackslash{}y"
    assert tex_numbers("1.2e-06 ±3e-07") == r"$1.2\times10^{-6}$ $\pm 3\times10^{-7}$"
    assert tex_numbers("< 0.5") == "$<$ $0.5$" or tex_numbers("< 0.5") == "$< 0.5$"
    assert tex_numbers("3e-06 to 2e-05") == r"$3\times10^{-6}$ to $2\times10^{-5}$"


def test_the_command_prints_a_table_and_nothing_else_for_another_program(tmp_path: Path) -> None:
    done = transducer("validate", "devices", "zhong2020_proposal", "--csv", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {row["paper"] for row in rows} == {"zhong2020_proposal"}
    done = transducer("validate", "links", "hensen2015", "--csv", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    (row, *_) = csv.DictReader(io.StringIO(done.stdout))
    assert row["link"] == "hensen2015"
    assert float(row["predicted"]) / float(row["reported"]) == pytest.approx(
        10 ** (float(row["ratio_db"]) / 10), rel=1e-9
    )
    done = transducer("validate", "links", "hensen2015", "--latex", cwd=tmp_path)
    assert done.stdout.count(r"\cite{hensen2015}") == 3
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_both_pictures_and_never_over_others(tmp_path: Path) -> None:
    asked = ("validate", "devices", "magnard2020", "sahu2022", "--samples", "8")
    done = transducer(*asked, "--figures", "pictures", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    paths = [tmp_path / "pictures" / name for name in ("claims.png", "map.png")]
    assert sorted((tmp_path / "pictures").iterdir()) == paths
    for path in paths:
        assert f"wrote pictures/{path.name}" in done.stdout
        picture = matplotlib.image.imread(path)
        assert picture.shape[0] > 500
        assert picture.std() > 0.05
    paths[1].write_bytes(b"mine")
    paths[0].unlink()
    refused(transducer(*asked, "--figures", "pictures", cwd=tmp_path), "map.png", "--overwrite")
    assert [p.name for p in (tmp_path / "pictures").iterdir()] == ["map.png"]
    assert paths[1].read_bytes() == b"mine"
    done = transducer(*asked, "--figures", "pictures", "--overwrite", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert paths[1].read_bytes() != b"mine"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["validate", "devices", "sahu2023"], ["sahu2023", "did you mean 'sahu2022'?"]),
        (["validate", "devices", "none.toml"], ["none.toml", "no such file"]),
        (["validate", "devices", "--csv", "--latex"], ["--csv", "--latex"]),
        (["validate", "devices", "--figures", "x", "--no-files"], ["--figures", "--no-files"]),
        (["validate", "devices", "--samples", "1"], ["--samples", "2"]),
        (["validate", "devices", "--link", "metor"], ["metor", "did you mean 'metro'?"]),
        (["validate", "devices", "--link", "metro_pairs"], ["metro_pairs", "converts a photon"]),
        (["validate", "links", "hensen2016"], ["hensen2016", "hensen2015"]),
        (["validate", "links", "--csv", "--latex"], ["--csv", "--latex"]),
        (["cite"], ["sahu2022", "name what to cite"]),
        (["cite", "sahu2023"], ["sahu2023", "did you mean 'sahu2022'?"]),
        (["cite", "sahu2022", "nobody1999"], ["nobody1999"]),
        (["cite", "example_datasheet"], ["made-up example"]),
        (["cite", "none.toml"], ["none.toml"]),
        (["validate", "device"], ["device"]),
    ],
)
def test_a_mistaken_command_is_one_sentence_and_writes_nothing(
    arguments: list[str], words: list[str], tmp_path: Path
) -> None:
    refused(transducer(*arguments, cwd=tmp_path), *words)
    assert list(tmp_path.iterdir()) == []


def test_every_figure_that_is_listed_says_unit_engine_and_plane() -> None:
    written = io.StringIO()
    show_figures(Console(file=written, width=160, highlight=False))
    text = written.getvalue()
    for known in FIGURES.values():
        assert known.name in text
        assert known.unit
        assert known.engine
        assert known.plane
        assert known.says.endswith((".", "]."))
    for form in RELATIONS.values():
        assert form.name in text
        assert form.says.endswith((".", "]."))
    assert ":math:" not in text


# ---------------------------------------------------------------- pictures


def test_the_picture_has_one_marker_per_claim_and_a_black_edge_where_it_fails(
    all_claims: list[Judged],
) -> None:
    left, right = plots.claims_figure(all_claims).axes
    tested = [e for e in all_claims if e.verdict is not Verdict.UNTESTABLE]
    drawn = left.containers
    assert len(drawn) == len(tested)
    for container, entry in zip(drawn, tested, strict=True):
        (line, *_) = container
        told, ours = entry.claim.value, entry.predicted
        if entry.claim.figure.endswith("_db"):
            told, ours = 10 ** (told / 10), 10 ** (ours / 10)  # type: ignore[operator]
        assert line.get_xdata() == [told]
        assert line.get_ydata() == [ours]
        assert (line.get_markeredgecolor() == "black") is (entry.verdict is Verdict.FAILS)
        assert (line.get_markerfacecolor() == "white") is (entry.verdict is Verdict.FITTED)
        assert line.get_marker() == plots.MARKERS[entry.quantity]  # type: ignore[index]
        colour = plots.FAMILY_COLOURS[entry.paper.file.source.family]
        assert line.get_color() == colour
    counted = [e for e in tested if e.verdict is not Verdict.FITTED]
    misses = sorted(float(c[0].get_xdata()[0]) for c in right.containers)
    assert misses == pytest.approx(sorted(e.miss_db for e in counted))  # type: ignore[type-var]


def test_every_quantity_and_every_family_has_its_own_look() -> None:
    assert len(set(plots.MARKERS.values())) == len(plots.MARKERS)
    assert {known.quantity for known in FIGURES.values()} <= set(plots.MARKERS)
    assert {form.quantity for form in RELATIONS.values()} <= set(plots.MARKERS)
    assert len(set(plots.FAMILY_COLOURS.values())) == len(plots.FAMILY_COLOURS)


def test_the_map_holds_every_measured_efficiency_with_the_noise_of_its_point() -> None:
    papers = [read_paper(name) for name in known_papers() if name in devices()]
    places = places_of(papers)
    found = {(p.paper.key, p.point): p for p in places}
    low = found["sahu2022", "low_noise"]
    assert low.efficiency is not None
    assert low.noise is not None
    assert (low.efficiency.value, low.noise.value) == (0.087, 0.16)
    assert not any(p.paper.key == "zhong2020_proposal" for p in places)  # a design: not measured
    for place in places:
        for claim in (place.efficiency, place.noise):
            assert claim is None or claim.direction == "up"
        assert place.efficiency is not None or place.noise is not None
    shown = {p.paper.key for p in places}
    figure = plots.map_figure(places, None)
    told = {text.get_text() for text in figure.axes[0].texts}
    assert shown <= told


def devices() -> list[str]:
    from cavities import data

    return data.names("devices")


def test_the_rate_of_the_map_is_that_of_the_link_with_such_a_device() -> None:
    """A data sheet in a scenario file, the long way round."""
    scenario = load_scenario("metro_datasheet")
    schemes = scenario.schemes
    sheet = scenario.arms[0].device
    figures = read_paper("example_datasheet").file.figures  # type: ignore[attr-defined]
    eta, noise = figures.efficiency.value, figures.added_noise.value
    found = rate_map(scenario, np.array([eta, eta / 10]), np.array([noise, 50.0]))
    rates = []
    for scheme in schemes:
        one = evaluate(scenario, scheme)
        rates.append(float(one.delivered_rate) if float(one.separability) < 1 else 0.0)
    assert sheet.target == "optical"
    assert found.pairs[0, 0] == pytest.approx(max(rates), rel=1e-6)
    assert found.pairs[0, 1] < found.pairs[0, 0]
    assert found.pairs[1, 0] == 0.0  # fifty quanta destroy everything
    assert found.separability[1, 0] > 1
    assert link_of(scenario) is not None


@pytest.mark.parametrize(
    ("efficiency", "noise"), [([1.5], [0.1]), ([0.0], [0.1]), ([0.5], [-0.1]), ([np.nan], [0.1])]
)
def test_a_map_outside_its_domain_is_refused(efficiency: list[float], noise: list[float]) -> None:
    with pytest.raises(ParameterError):
        rate_map(load_scenario("metro_target"), np.array(efficiency), np.array(noise))


# ---------------------------------------------------------------- how far a prediction is known


def number(value: float, **more: object) -> Number:
    return Number.model_validate({"value": value, "where": "here", "status": "read", **more})


def product(values: dict[str, float]) -> "object":
    base = {"a": 2.0, "b": 3.0, "c": 0.0, "d": 5.0}

    def predict(changed: object) -> float:
        v = {**base, **values, **dict(changed)}  # type: ignore[call-overload]
        if v["d"] < 0:
            raise ParameterError("d must be positive")
        return v["a"] * v["b"] ** 2 + v["c"]

    return predict


def test_a_prediction_rests_on_what_moves_it_and_on_nothing_else() -> None:
    inputs = [Input("f", k, number(v)) for k, v in (("a", 2.0), ("b", 3.0), ("c", 0.0), ("d", 5.0))]
    found = moved_by(product({}), inputs, 18.0)  # type: ignore[arg-type]
    assert [entry.key for entry in found] == ["a", "b", "c"]


def test_an_input_that_cannot_be_moved_without_being_refused_counts() -> None:
    def edge(changed: object) -> float:
        if dict(changed).get("a", 1.0) != 1.0:  # type: ignore[call-overload]
            raise ParameterError("a must be 1")
        return 7.0

    (found,) = moved_by(edge, [Input("f", "a", number(1.0))], 7.0)
    assert found.key == "a"


def test_sigmas_add_in_squares_and_a_rounding_is_a_box() -> None:
    inputs = [
        Input("f", "a", number(2.0, sigma=0.02)),
        Input("f", "b", number(3.0, rounding=0.05)),
    ]
    found = spread_of(product({}), inputs, 18.0, 4000)  # type: ignore[arg-type]
    rng = np.random.default_rng(5)  # the same, drawn plainly
    drawn = rng.normal(2, 0.02, 400_000) * rng.uniform(2.95, 3.05, 400_000) ** 2
    assert [found.low - 18, found.high - 18] == pytest.approx(
        np.percentile(drawn, [15.8655, 84.1345]) - 18, rel=0.03
    )
    only = spread_of(product({}), inputs[1:], 18.0, 4000)  # type: ignore[arg-type]
    edges = [2 * (3 + 0.05 * (2 * p - 1)) ** 2 for p in (0.158655, 0.841345)]
    assert [only.low, only.high] == pytest.approx(edges, rel=1e-3)


def test_unequal_sigmas_are_two_halves_and_refused_draws_are_counted() -> None:
    inputs = [Input("f", "a", number(2.0, sigma=[0.02, 0.2]))]
    found = spread_of(product({}), inputs, 18.0, 4000)  # type: ignore[arg-type]
    assert (18.0 - found.low, found.high - 18.0) == pytest.approx((0.18, 1.8), rel=0.03)
    inputs = [Input("f", "d", number(5.0, sigma=5.0))]
    found = spread_of(product({}), inputs, 18.0, 1000)  # type: ignore[arg-type]
    assert found.refused == pytest.approx(159, abs=3)  # one sigma below: the 16 % that are negative
    assert found.samples + found.refused == 1000


def test_free_parameters_make_a_band_over_corners_and_inside() -> None:
    def bump(changed: object) -> float:
        v = {"a": 0.0, "b": 0.0, **dict(changed)}  # type: ignore[call-overload]
        return 1.0 + v["a"] * (1 - v["a"]) + v["b"]

    free = {"status": "guess", "min": 0.0, "max": 1.0}
    inputs = [Input("f", k, number(0.0, **free)) for k in ("a", "b")]
    found = spread_of(bump, inputs, 1.0, 400)
    assert found.band is not None
    assert found.band[0] == 1.0
    assert found.band[1] == pytest.approx(2.25, abs=0.06)  # a maximum inside one range
    assert (found.low, found.high) == (1.0, 1.0)


def test_a_part_of_a_range_that_makes_no_device_is_left_out_and_counted() -> None:
    free = {"status": "guess", "min": -1.0, "max": 9.0}
    found = spread_of(product({}), [Input("f", "d", number(5.0, **free))], 18.0, 400)  # type: ignore[arg-type]
    assert found.band == (18.0, 18.0)
    assert found.refused == 1 + 10  # a corner, and the tenth of the inner points below zero


def test_the_same_claim_is_judged_the_same_twice() -> None:
    one, two = (judged(["jiang2020"], samples=50) for _ in range(2))
    assert as_csv(one) == as_csv(two)


@pytest.mark.parametrize(
    ("name", "arguments", "value"),
    [
        ("cooperativity", {"g": 2.0, "kappa": 4.0, "gamma": 8.0}, 0.5),
        ("internal_efficiency", {"c": 1.0}, 1.0),
        ("internal_efficiency", {"c": 0.5}, 8 / 9),
        ("three_mode_efficiency", {"eta_o": 0.5, "eta_e": 0.8, "c_o": 3.0, "c_e": 2.0}, 0.4 * 2 / 3),
        ("thermal_quanta", {"frequency_hz": 5e9, "temperature_k": 0.1}, 0.0998),  # x = 2.3996
        ("weak_bandwidth_hz", {"kappa_o": 1e6, "kappa_e": 1e6}, 1e6 * np.sqrt(np.sqrt(2) - 1)),
        ("weak_bandwidth_hz", {"kappa_o": 1e12, "kappa_e": 1e6}, 1e6),
        ("pair_cross_correlation", {"probability": 0.01, "quanta": 0.0}, 102.0),
        ("thermal_correlation", {"modes": 4.0}, 1.25),
        ("transfer_fidelity", {"efficiency": 1.0, "coherence": 1.0}, 1.0),
        ("transferred", {"loss": 0.2, "missed": 0.1, "time_s": 0.0, "t1_s": 1.0}, 0.72),
        ("photon_from_power_efficiency", {"power_efficiency": 1.0, "frequency_hz": 5e9, "wavelength_m": 1.5e-6}, 5e9 * 1.5e-6 / 299792458),
    ],
)  # fmt: skip
def test_closed_forms_by_hand(name: str, arguments: dict[str, float], value: float) -> None:
    assert computed(name, arguments) == pytest.approx(value, rel=2e-4)


# ---------------------------------------------------------------- citing


def test_every_paper_can_be_cited_with_a_title_and_balanced_braces() -> None:
    papers = known_papers()
    assert len(papers) > 90
    for key in papers:
        text = bibtex(key)
        assert re.match(r"@(article|misc)\{" + re.escape(key) + ",\n", text), key
        assert text.count("{") == text.count("}")
        assert "title = {{" in text
        assert re.search(r"(?<!\\)[&%#]", text) is None, key


def test_bibtex_says_what_the_file_says() -> None:
    text = bibtex("sahu2022")
    assert (
        "author = {R. Sahu and W. Hease and A. Rueda and G. Arnold and L. Qiu and J. M. Fink}"
        in text
    )
    for line in (
        "journal = {Nature Communications}",
        "volume = {13}",
        "pages = {1276}",
        "year = {2022}",
    ):
        assert line in text
    assert "doi = {10.1038/s41467-022-28924-2}" in text
    with pytest.raises(DataError, match="did you mean 'sahu2022'"):
        bibtex("sahu2021")


def test_what_a_result_rests_on_names_its_papers() -> None:
    scenario = load_scenario("metro")
    said = rests_on(scenario.inputs)
    assert said.startswith(f"Rests on {len(scenario.inputs)} inputs: ")
    assert said.endswith("Papers: sahu2022. BibTeX: transducer cite sahu2022")
    assert papers_in(
        ["devices/b", "parts/x", "devices/a", "links/c", "devices/example_x", "b"]
    ) == ["a", "b", "c"]
    assert citation_line([]) == ""
    assert (
        citation_line(["a", "b", "c", "d", "a"])
        == "Papers: a, b, c, d. BibTeX: transducer cite KEY"
    )
    assert "Papers" not in rests_on(load_scenario("metro_datasheet").inputs)


def test_what_an_entry_lacks_is_said_beside_it(tmp_path: Path) -> None:
    assert unknown_fields("sahu2022") == []
    done = transducer("cite", "sahu2022", "mayor2025", cwd=tmp_path)
    assert done.returncode == 0
    assert "mayor2025: not on file: author" in done.stderr
    assert "sahu2022" not in done.stderr
    path = tmp_path / "mine.toml"
    path.write_text(
        'model = "listing"\nkey = "mine"\n[source]\ntitle = "T"\nauthors = "A. B, et al."\n'
        'journal = "J. 3, 4"\nyear = 2031\n',
        "utf-8",
    )
    assert "note = {not looked up: doi, arxiv}" in bibtex("riedinger2016")
    assert "author = {A. B and others}" in bibtex(str(path))
    done = transducer("validate", "devices", "mine.toml", "--no-files", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("\n0 claims of 0 papers: none.")


def test_a_prediction_of_nothing_stays_in_both_pictures(tmp_path: Path) -> None:
    path = tmp_path / "mine2031.toml"
    dark = PAPER.replace("cooperativity = { value = 0.5", "photons = { value = 0.0")
    path.write_text(dark, "utf-8")
    (entry,) = judged([str(path)], samples=4)
    assert entry.verdict is Verdict.FAILS
    left, right = plots.claims_figure([entry]).axes
    assert len(left.containers) == 1
    assert left.get_ylim()[0] < left.containers[0][0].get_ydata()[0] < left.get_ylim()[1]
    assert "nothing is predicted" in {text.get_text() for text in right.texts}
    assert r"$-\infty$" in as_latex([entry])
    assert "cite mine2031.toml" in printed([entry]) or str(path) in printed([entry])


def test_words_of_an_operating_point_are_escaped_once(tmp_path: Path) -> None:
    path = tmp_path / "mine2031.toml"
    odd = PAPER.replace("operating_point.half", 'operating_point."a & b [red]"')
    path.write_text(odd.replace('= "half"', '= "a & b [red]"'), "utf-8")
    found = judged([str(path)], samples=4)
    assert r"efficiency at a \& b [red]" in as_latex(found)
    assert "[red]" in printed(found)
