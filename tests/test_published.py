"""Published devices number by number: what became of every claim, pinned; a paper is one file and no code."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from cavities import DataError, data
from cavities.numbers import TRUSTED, count_by_status
from tests.commands import transducer
from transducer.published import load_device, read_paper
from transducer.validation.judge import SIGMAS, UNSTATED, Judged, Verdict, judged

COUNTED = """
brubaker2022 matched_ceiling up - fitted
fan2018 efficiency up strongest fails
fan2018 cooperativity_per_photon up strongest fails
forsch2020 cooperativity_per_photon up - consistent
han2020 microwave_cooperativity up - fails
holzgrafe2020 coupling_hz up - fails
holzgrafe2020 bandwidth_hz up - consistent
jiang2020 cooperativity_per_photon up - consistent
magnard2020 transfer_efficiency up - predicted
magnard2020 bell_fidelity up - consistent
mckenna2020 bandwidth_hz up - fails
meenehan2015_heating scattering_rate_hz up on predicted
meesala2024_natphys scattering_probability up pulse consistent
meesala2024_natphys click_probability up pulse fails
meesala2024_natphys click_rate_hz up pulse fails
meesala2024_natphys microwave_extraction up pulse predicted
meesala2024_natphys cross_correlation up pulse consistent
meesala2024_natphys heralded_correlation up pulse consistent
meesala2024_natphys packet_correlation up - predicted
mirhosseini2020 pump_photons up readout predicted
mirhosseini2020 scattering_rate_hz up counted predicted
mirhosseini2020 swap_probability up - predicted
mirhosseini2020 readout_click up counted consistent
mirhosseini2020 readout_click up counted consistent
mirhosseini2020 qubit_click up counted consistent
mirhosseini2020 noise_at_the_qubit up counted predicted
mirhosseini2020 heated_quanta up counted consistent
multani2025 efficiency up strongest fitted
multani2025 cooperativity_per_photon up weak consistent
multani2025 bandwidth_hz up weak consistent
multani2025 coupling_hz up weak consistent
riedinger2016 scattering_probability up write fails
riedinger2016 readout_probability up read fails
riedinger2016 phonon_cross_correlation up - predicted
riedinger2016 heralded_phonon_correlation up - fitted
rochman2023 microwave_cooperativity up - predicted
rochman2023 optical_cooperativity up - predicted
rochman2023 optical_cooperativity up - predicted
sahu2022 efficiency up low_noise fitted
sahu2022 added_noise up low_noise fitted
sahu2022 added_noise down low_noise fails
sahu2022 efficiency up high_efficiency consistent
sahu2022 added_noise up high_efficiency fitted
stockill2022 cooperativity_per_photon up best predicted
stockill2022 cooperativity_per_photon up best_low predicted
stockill2022 best_photons up best predicted
stockill2022 best_photons up best_low predicted
stockill2022 cooperativity up incident predicted
stockill2022 cooperativity up incident_low predicted
stockill2022 readout_probability up pulsed predicted
stockill2022 readout_into_beam up pulsed predicted
stockill2022 cooperativity up pulsed predicted
stockill2022 pulsed_conversion up pulsed predicted
stockill2022 stokes_fraction up pulsed predicted
stockill2022 heated_quanta up weaker consistent
strekalov2009 efficiency up - fitted
witmer2020 selectivity_db up weak consistent
witmer2020 bandwidth_hz up weak fails
witmer2020 coupling_hz up - fails
xu2021 efficiency up strongest fails
xu2021 cooperativity_per_photon up strongest fitted
yoon2023 efficiency up peak consistent
yoon2023 optical_cooperativity up - predicted
yoon2023 optical_cooperativity up - predicted
yoon2023 cooperativity up full_power fails
yoon2023 coupling_hz up full_power fails
yoon2023 coupling_hz up - consistent
yoon2023 microwave_cooperativity up - fitted
yoon2023 occupation up - fitted
yoon2023 pockels_coupling_hz up - fails
zhong2020_proposal threshold_cooperativity up unit fitted
"""
"""Every claim with a verdict in numbers, in the order of the files; all others cannot be tested."""


@pytest.fixture(scope="module")
def everything(all_claims: list[Judged]) -> list[Judged]:
    return [entry for entry in all_claims if entry.verdict is not Verdict.UNTESTABLE]


def named(entry: Judged) -> str:
    claim = entry.claim
    at = claim.operating_point or "-"
    return f"{entry.paper.key} {claim.figure} {claim.direction} {at}"


# ---------------------------------------------------------------- every claim


def test_every_claim_has_the_verdict_that_is_pinned_here(everything: list[Judged]) -> None:
    found = [f"{named(entry)} {entry.verdict.value}" for entry in everything]
    assert found == COUNTED.strip().splitlines()


def test_a_met_claim_is_met_within_two_standard_deviations(everything: list[Judged]) -> None:
    """Recomputed from the claim, the percentiles of the inputs and the band alone."""
    met = [e for e in everything if e.verdict in (Verdict.PREDICTED, Verdict.CONSISTENT)]
    assert len(met) > 40
    for entry in met:
        claim, spread = entry.claim, entry.spread
        assert spread is not None
        assert entry.predicted is not None
        low, high = spread.band or (entry.predicted, entry.predicted)
        if low <= claim.value <= high:
            continue
        edge = low if low > claim.value else high
        above = entry.predicted > claim.value
        ours = entry.predicted - spread.low if above else spread.high - entry.predicted
        theirs = claim.sigma[int(above)] if claim.sigma else UNSTATED * claim.value
        if not claim.sigma and claim.figure.endswith("_db"):
            theirs = 0.2
        if claim.rounding is not None:
            theirs = np.hypot(theirs, claim.rounding / np.sqrt(3))
        assert abs(edge - claim.value) <= 2 * np.hypot(ours, theirs) * (1 + 1e-9), named(entry)


def test_a_known_deviation_has_its_size_and_a_reason_and_no_other_claim_has_one(
    all_claims: list[Judged],
) -> None:
    """A change of its size by 0.02 dB is news: either way it wants an explanation."""
    for entry in all_claims:
        claim = entry.claim
        if entry.verdict is not Verdict.FAILS:
            assert claim.deviation_db is None, named(entry)
            continue
        assert claim.deviation_db is not None, named(entry)
        assert len(claim.reason.split()) >= 4, named(entry)
        assert entry.miss_db == pytest.approx(claim.deviation_db, abs=0.02), named(entry)
        assert entry.z is not None
        assert abs(entry.z) > SIGMAS


def test_what_was_back_solved_from_a_claim_gives_it_back(everything: list[Judged]) -> None:
    """An identity checks the file and the code, never the physics."""
    found = [
        e
        for e in everything
        if e.verdict is Verdict.FITTED and any(i.number.status == "identity" for i in e.inputs)
    ]
    assert len(found) >= 3
    for entry in found:
        assert entry.predicted == pytest.approx(entry.claim.value, rel=1e-3), named(entry)


def test_recalled_numbers_and_guesses_never_enter_pass_or_fail(everything: list[Judged]) -> None:
    for entry in everything:
        assert entry.claim.status not in ("recalled", "guess"), named(entry)
        for used in entry.inputs:
            number = used.number
            assert number.status != "recalled", (named(entry), used.key)
            if number.status == "guess":  # a free parameter: a stated range, shown as a band
                assert number.min is not None
                assert number.max is not None
                assert number.min < number.max
                assert entry.spread is not None
                assert entry.spread.band is not None


def test_predicted_rests_on_what_was_read_and_fitted_is_never_counted(
    everything: list[Judged],
) -> None:
    for entry in everything:
        statuses = {e.number.status for e in entry.inputs} | {entry.claim.status}
        if entry.verdict is Verdict.PREDICTED:
            assert statuses <= set(TRUSTED), named(entry)
        bent = {"fitted", "tuned", "identity"} & statuses
        if bent and entry.verdict is not Verdict.FITTED:
            assert entry.claim.solved_elsewhere, named(entry)
            assert entry.verdict in (Verdict.CONSISTENT, Verdict.FAILS)


def test_what_cannot_be_tested_says_why(all_claims: list[Judged]) -> None:
    silent = [e for e in all_claims if e.verdict is Verdict.UNTESTABLE]
    assert len(silent) > 60
    for entry in silent:
        assert entry.why, named(entry)
        assert "missing" in entry.why or "recalled" in entry.why or "guess" in entry.why


def test_every_prediction_names_its_engine_and_its_claim_has_an_address(
    everything: list[Judged],
) -> None:
    for entry in everything:
        assert entry.engine
        assert entry.plane or entry.claim.by
        assert entry.claim.where
        assert entry.claim.definition, named(entry)
        assert entry.quantity is not None
        assert entry.unit
        for used in entry.inputs:
            assert used.number.where


# ---------------------------------------------------------------- single papers


def test_sahu2022_says_how_many_inputs_are_of_which_status() -> None:
    counts = count_by_status(load_device("sahu2022", "low_noise").inputs)
    assert counts == {"secondary": 8, "derived": 1, "recalled": 2, "guess": 1, "identity": 5}
    assert "read" not in counts


def test_the_heating_law_passes_through_both_reported_points_and_no_further() -> None:
    device = load_device("sahu2022").device
    heating = device.microwave_internal.heating  # type: ignore[attr-defined]
    ratio = device.microwave.kappa_int / device.microwave.kappa_ext  # type: ignore[attr-defined]
    n_wg = device.microwave_waveguide.occupation  # type: ignore[attr-defined]
    unit = heating.reference / 0.86792
    for C, noise in ((0.22594, 0.16), (0.86792, 0.41)):
        assert heating.covers(unit * C)
        assert n_wg + heating.at(unit * C) * ratio == pytest.approx(noise, rel=1e-9)
    assert heating.exponent == pytest.approx(0.702, abs=0.005)
    assert not heating.covers(unit * 0.1)
    assert not heating.covers(unit * 0.9)


def test_every_shipped_paper_has_a_family_a_year_and_a_way_to_find_it() -> None:
    for name in data.names("devices"):
        source = read_paper(name).file.source
        if source.family == "example":
            assert name.startswith("example")
            continue
        assert source.year is not None, name
        assert source.title, name
        assert source.doi or source.arxiv or source.journal or source.note, name


# ---------------------------------------------------------------- a paper is one file


PAPER = """
model = "electro-optic"
key = "mine2031"

[source]
title = "A converter of one's own"
authors = "A. Maker, B. Builder"
journal = "J. Made-up 3, 14"
year = 2031
doi = "10.0000/mine"
family = "electro-optic"

[optical]
wavelength_nm = { value = 1550.0, status = "read", where = "Table I" }
kappa_ext_hz = { value = 120e6, status = "read", where = "Table I", sigma = 2e6 }
kappa_int_hz = { value = 80e6, status = "read", where = "Table I", sigma = 2e6 }

[microwave]
frequency_hz = { value = 8.0e9, status = "read", where = "Table I" }
kappa_ext_hz = { value = 8e6, status = "read", where = "Table I" }
kappa_int_hz = { value = 2e6, status = "read", where = "Table I" }

[baths]
waveguide_occupation = { value = 0.02, status = "read", where = "Table I" }
internal_occupation = { value = 0.15, status = "read", where = "Table I" }

[coupling]
g0_hz = { value = 100.0, status = "read", where = "Table I" }

[operating_point.half]
cooperativity = { value = 0.5, status = "read", where = "Fig. 3" }

[[reported]]
figure = "efficiency"
value = 0.43
sigma = 0.01
status = "read"
where = "Fig. 3"
operating_point = "half"
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine2031.toml"
    path.write_text(PAPER, "utf-8")
    return path


def test_adding_a_paper_is_one_file_and_no_code(mine: Path) -> None:
    (entry,) = judged([str(mine)], samples=50)
    assert entry.verdict is Verdict.PREDICTED
    by_hand = 4 * 0.5 / 1.5**2 * 0.6 * 0.8  # L1
    assert entry.predicted == pytest.approx(by_hand, rel=1e-9)
    keys = {e.key for e in entry.inputs}
    assert {"optical.kappa_ext_hz", "operating_point.half.cooperativity"} <= keys
    assert "baths.internal_occupation" not in keys  # noise says nothing about efficiency
    done = transducer("validate", "devices", mine.name, "--csv", cwd=mine.parent)
    assert done.returncode == 0, done.stderr
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert (row["paper"], row["verdict"]) == ("mine2031", "predicted")
    assert float(row["predicted"]) == pytest.approx(by_hand, rel=1e-9)
    done = transducer("cite", mine.name, cwd=mine.parent)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("@article{mine2031,")
    assert "author = {A. Maker and B. Builder}" in done.stdout
    done = transducer("device", "show", mine.name, cwd=mine.parent)
    assert done.returncode == 0, done.stderr
    assert "1 predicted" in done.stdout
    assert [p.name for p in mine.parent.iterdir()] == [mine.name]  # nothing was written


@pytest.mark.parametrize(
    ("old", "new", "verdict", "said"),
    [
        ("", "", Verdict.PREDICTED, ""),
        ('value = 0.43\nsigma = 0.01\nstatus = "read"', None, Verdict.CONSISTENT, "the claim"),
        (
            'value = 80e6, status = "read"',
            'value = 80e6, status = "secondary"',
            Verdict.CONSISTENT,
            "optical.kappa_int_hz",
        ),
        (
            'value = 80e6, status = "read"',
            'value = 80e6, status = "recalled"',
            Verdict.UNTESTABLE,
            "only recalled: optical.kappa_int_hz",
        ),
        (
            'value = 80e6, status = "read"',
            'value = 80e6, status = "guess"',
            Verdict.UNTESTABLE,
            "a guess stands in its place",
        ),
        (
            'value = 80e6, status = "read", where = "Table I", sigma = 2e6',
            'value = 80e6, status = "guess", where = "free", min = 60e6, max = 90e6',
            Verdict.CONSISTENT,
            "free within a stated range: optical.kappa_int_hz",
        ),
        (
            'value = 80e6, status = "read"',
            'value = 80e6, status = "fitted"',
            Verdict.FITTED,
            "fitted: optical.kappa_int_hz",
        ),
        (
            'value = 0.5, status = "read"',
            'value = 0.5, status = "identity"',
            Verdict.FITTED,
            "identity: operating_point.half.cooperativity",
        ),
        (
            'value = 0.15, status = "read"',  # the occupation is no input of an efficiency
            'value = 0.15, status = "recalled"',
            Verdict.PREDICTED,
            "",
        ),
        ("value = 0.43\nsigma = 0.01", "value = 0.5\nsigma = 0.01", Verdict.FAILS, ""),
        ("value = 0.43\nsigma = 0.01", "value = 0.43\nbound = 'below'", Verdict.PREDICTED, ""),
        ("value = 0.43\nsigma = 0.01", "value = 0.42\nbound = 'below'", Verdict.PREDICTED, ""),
        ("value = 0.43\nsigma = 0.01", "value = 0.20\nbound = 'below'", Verdict.FAILS, ""),
        ("value = 0.43\nsigma = 0.01", "value = 0.20\nbound = 'above'", Verdict.PREDICTED, ""),
        (
            "value = 0.43\nsigma = 0.01",
            "value = 0.43\nsigma = 100.0",
            Verdict.UNTESTABLE,
            "accuracy",
        ),
        (
            'value = 100.0, status = "read"',
            'value = 100.0, status = "read", sigma = 1e5',
            Verdict.PREDICTED,  # the coupling is no input at a given cooperativity
            "",
        ),
        (
            'value = 0.5, status = "read", where = "Fig. 3"',
            'value = 0.5, status = "guess", where = "free", min = 1e-4, max = 0.9',
            Verdict.UNTESTABLE,
            "accuracy; the prediction is known from",
        ),
        (
            'value = 80e6, status = "read", where = "Table I", sigma = 2e6',
            'value = 1e9, status = "read", where = "Table I", sigma = 2e6',
            Verdict.UNTESTABLE,
            "one sideband alone",
        ),
        (
            'operating_point = "half"\n',
            'operating_point = "half"\nmissing = ["plane of the efficiency"]\n',
            Verdict.UNTESTABLE,
            "missing: plane of the efficiency",
        ),
    ],
)
def test_the_verdict_follows_from_the_statuses_of_what_a_claim_rests_on(
    old: str, new: str | None, verdict: Verdict, said: str, mine: Path
) -> None:
    text = PAPER.split("[[reported]]")
    if new is None:
        new = old.replace('"read"', '"secondary"')
    changed = PAPER.replace(old, new) if old else PAPER
    if old and old not in text[0]:
        changed = text[0] + "[[reported]]" + text[1].replace(old, new)
    assert not old or changed != PAPER
    mine.write_text(changed, "utf-8")
    (entry,) = judged([str(mine)], samples=40)
    assert (entry.verdict, said in entry.why) == (verdict, True), entry.why


def test_uncertain_inputs_spread_a_prediction_as_the_derivative_says(mine: Path) -> None:
    (entry,) = judged([str(mine)], samples=2000)
    assert entry.spread is not None
    assert entry.predicted is not None
    # eta_o = k_ext/(k_ext + k_int) at fixed C: d eta/eta = (1 - eta_o) (dk_ext/k_ext - dk_int/k_int)
    relative = 0.4 * np.hypot(2 / 120, 2 / 80)
    assert entry.spread.samples == 2000
    for edge in (entry.predicted - entry.spread.low, entry.spread.high - entry.predicted):
        assert edge / entry.predicted == pytest.approx(relative, rel=0.06)
    assert entry.z == pytest.approx(
        (entry.predicted - 0.43) / np.hypot(0.01, relative * entry.predicted), rel=0.06
    )
    assert entry.miss_db == pytest.approx(10 * np.log10(entry.predicted / 0.43), rel=1e-12)


def test_a_free_parameter_is_shown_as_a_band_and_a_claim_inside_it_is_no_miss(mine: Path) -> None:
    free = 'value = 80e6, status = "guess", where = "free", min = 40e6, max = 120e6'
    mine.write_text(
        PAPER.replace('value = 80e6, status = "read", where = "Table I", sigma = 2e6', free),
        "utf-8",
    )
    (entry,) = judged([str(mine)], samples=40)
    assert entry.spread is not None
    assert entry.spread.band is not None
    ends = [4 * 0.5 / 1.5**2 * 0.8 * 120 / (120 + k) for k in (120, 40)]
    assert entry.spread.band == pytest.approx(ends, rel=1e-9)
    assert entry.z == 0.0


def test_a_figure_that_does_not_exist_at_a_setting_cannot_be_tested(mine: Path) -> None:
    """Noise referred to the input of a device that converts nothing."""
    dark = PAPER.replace("cooperativity = { value = 0.5", "photons = { value = 0.0")
    mine.write_text(dark.replace('figure = "efficiency"', 'figure = "added_noise"'), "utf-8")
    (entry,) = judged([str(mine)], samples=8)
    assert entry.verdict is Verdict.UNTESTABLE
    assert entry.why == "missing: a setting at which this figure exists"
    mine.write_text(dark, "utf-8")  # and an efficiency of zero fails without a warning
    (entry,) = judged([str(mine)], samples=8)
    assert entry.verdict is Verdict.FAILS
    assert entry.miss_db == -np.inf


def test_a_closed_form_needs_no_device(tmp_path: Path) -> None:
    path = tmp_path / "short2032.toml"
    path.write_text(
        """
model = "listing"
key = "short2032"
[source]
title = "A letter"
year = 2032
family = "electro-optic"
[other_inputs]
kappa_o_hz = { value = 200e6, status = "read", where = "text" }
kappa_e_hz = { value = 10e6, status = "read", where = "text" }
g0_hz = { value = 100.0, status = "read", where = "text" }
[[reported]]
figure = "cooperativity_per_photon"
value = 2.0e-11
status = "read"
where = "abstract"
by = "cooperativity"
given = { g = "other_inputs.g0_hz", kappa = "other_inputs.kappa_o_hz", gamma = "other_inputs.kappa_e_hz" }
""",
        "utf-8",
    )
    (entry,) = judged([str(path)], samples=40)
    assert entry.predicted == pytest.approx(4 * 100**2 / (200e6 * 10e6), rel=1e-12)
    assert entry.verdict is Verdict.PREDICTED
    with pytest.raises(DataError, match="is a listing"):
        load_device(str(path))


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('figure = "efficiency"', 'figure = "eficiency"', ["'eficiency'", "'efficiency'"]),
        ('figure = "efficiency"', 'figure = "Efficiency"', ["figure"]),
        ('operating_point = "half"', 'operating_point = "hafl"', ["did you mean 'half'?"]),
        ("value = 0.43", "value = -0.43", ["value", "-0.43"]),
        ("value = 0.43", "value = 0.0", ["value", "0"]),
        ("sigma = 0.01", "sigma = -0.01", ["sigma"]),
        ("sigma = 0.01", "sigma = [0.01, 0.02, 0.03]", ["sigma"]),
        ("sigma = 0.01", "sigma = 0.01\nrounding = 0.005", ["'sigma' or 'rounding'"]),
        ('status = "read"\nwhere = "Fig. 3"', 'status = "sure"\nwhere = "Fig. 3"', ["'sure'"]),
        ('where = "Fig. 3"\noperating', 'where = ""\noperating', ["where"]),
        ("sigma = 0.01", "sigma = 0.01\ndeviation_db = 0.1", ["'deviation_db' and 'reason'"]),
        ("sigma = 0.01", 'sigma = 0.01\nreason = "because"', ["'deviation_db' and 'reason'"]),
        ("sigma = 0.01", 'sigma = 0.01\ngiven = { a = "b" }', ["'given'", "'by'"]),
        ("sigma = 0.01", 'sigma = 0.01\nby = "cooperativty"', ["'cooperativty'", "closed form"]),
        (
            "sigma = 0.01",
            'sigma = 0.01\nby = "weak_bandwidth_hz"\ngiven = { kappa_o = "optical.kappa_int_hz" }',
            ["weak_bandwidth_hz", "kappa_e"],
        ),
        ("sigma = 0.01", 'sigma = 0.01\nsolved_elsewhere = ["optical.kapa"]', ["optical.kapa"]),
        ("sigma = 0.01", "sigma = 0.01\nbound = 'under'", ["bound", "'under'"]),
        ("sigma = 0.01", "sigma = 0.01\nsigmas = 0.01", ["sigmas", "sigma"]),
        ('direction = "up"', "", []),
    ],
)
def test_a_mistake_in_a_claim_is_one_sentence(
    old: str, new: str, words: list[str], mine: Path
) -> None:
    head, tail = PAPER.split("[[reported]]")
    if not words:
        tail, old, new = tail + 'direction = "up"\n', 'direction = "up"', 'direction = "across"'
        words = ["direction", "'across'"]
    assert tail.count(old) == 1, old
    mine.write_text(head + "[[reported]]" + tail.replace(old, new), "utf-8")
    with pytest.raises(DataError) as caught:
        judged([str(mine)], samples=4)
    said = str(caught.value)
    assert "\n" not in said
    for word in ("mine2031.toml", *words):
        assert word in said, (word, said)


# ---------------------------------------------------------------- what must not slip through


def listing(tmp_path: Path, body: str) -> Path:
    path = tmp_path / "short2032.toml"
    path.write_text(
        'model = "listing"\nkey = "short2032"\n[source]\ntitle = "A letter"\nyear = 2032\n' + body,
        "utf-8",
    )
    return path


def test_a_recalled_number_of_another_operating_point_is_seen_by_a_closed_form(mine: Path) -> None:
    text = PAPER.replace(
        "[[reported]]",
        '[operating_point.other]\nphotons = { value = 1e9, status = "recalled", where = "x" }\n'
        "[[reported]]",
    ).replace(
        'figure = "efficiency"\nvalue = 0.43\nsigma = 0.01',
        'figure = "coupling_hz"\nvalue = 3.2e-3\nby = "single_photon_coupling"\n'
        'given = { g = "coupling.g0_hz", photons = "operating_point.other.photons" }',
    )
    mine.write_text(text.replace('operating_point = "half"\n', ""), "utf-8")
    (entry,) = judged([str(mine)], samples=8)
    assert entry.verdict is Verdict.UNTESTABLE
    assert entry.why == "rests on what is only recalled: operating_point.other.photons"


def test_a_recalled_zero_that_matters_only_over_a_gigahertz_is_seen(mine: Path) -> None:
    zero = 'g0_hz = { value = 100.0, status = "read", where = "Table I" }\n'
    detuned = 'delta_o_hz = { value = 0.0, status = "recalled", where = "x" }\n'
    mine.write_text(PAPER.replace(zero, zero + detuned), "utf-8")
    (entry,) = judged([str(mine)], samples=8)
    assert entry.verdict is Verdict.UNTESTABLE
    assert "coupling.delta_o_hz" in entry.why


def test_a_setting_that_the_model_refuses_stops_no_other_claim(mine: Path) -> None:
    text = PAPER + PAPER.split("[[reported]]")[1].join(["\n[[reported]]", ""])
    wide = text.replace("value = 80e6", "value = 1e9")
    mine.write_text(wide, "utf-8")
    found = judged([str(mine), "zhong2020_proposal"], samples=4)
    assert [e.verdict for e in found[:2]] == [Verdict.UNTESTABLE] * 2
    assert len(found) > 2


def test_a_draw_that_leaves_what_a_number_can_be_is_refused(tmp_path: Path) -> None:
    """A share of 0.9 +- 0.5 is never above one; the loss it stands for is never negative."""
    body = """
[other_inputs]
loss = { value = 0.1, sigma = 0.08, status = "read", where = "x" }
missed = { value = 0.0, status = "read", where = "x" }
time_s = { value = 1e-7, status = "read", where = "x" }
t1_s = { value = 1e-6, sigma = 1e-6, status = "read", where = "x" }
[[reported]]
figure = "transfer_efficiency"
value = 0.8
status = "read"
where = "x"
by = "transferred"
given = { loss = "other_inputs.loss", missed = "other_inputs.missed", time_s = "other_inputs.time_s", t1_s = "other_inputs.t1_s" }
"""
    (entry,) = judged([str(listing(tmp_path, body))], samples=200)
    assert entry.spread is not None
    assert entry.spread.high <= 1.0


def test_figures_in_dB_may_be_zero_or_less_and_others_may_not(mine: Path) -> None:
    mine.write_text(
        PAPER.replace('figure = "efficiency"\nvalue = 0.43', 'figure = "x_db"\nvalue = -3.0')
        + 'missing = ["a model"]\n',
        "utf-8",
    )
    (entry,) = judged([str(mine)], samples=4)
    assert entry.claim.value == -3.0


def test_two_names_of_one_paper_are_judged_once() -> None:
    one, two = judged(["jiang2020"], 4), judged(["jiang2020", "jiang2020"], 4)
    assert len(one) == len(two)


@pytest.mark.parametrize("key", ["a b", "a{b", "a&b", "", "_a"])
def test_a_key_that_cannot_be_cited_is_refused(key: str, mine: Path) -> None:
    mine.write_text(PAPER.replace('key = "mine2031"', f'key = "{key}"'), "utf-8")
    with pytest.raises(DataError, match="key"):
        read_paper(str(mine))


def test_a_number_solved_elsewhere_must_say_so_itself(mine: Path) -> None:
    mine.write_text(PAPER + 'solved_elsewhere = ["coupling.g0_hz"]\n', "utf-8")
    with pytest.raises(DataError, match=r"coupling\.g0_hz.* status is read"):
        judged([str(mine)], samples=4)
