"""What each paper reports is held against its file, with what that comparison is worth."""

import numpy as np
import pytest

from cavities import data
from cavities.numbers import count_by_status
from transducer.claims import compare, predict
from transducer.device_file import Claim
from transducer.published import load_device


def all_claims() -> list[tuple[str, Claim]]:
    """Adding a paper adds its claims here: every device file is read."""
    found = []
    for name in data.names("devices"):
        claims: list[Claim] = getattr(load_device(name).file, "reported", [])
        found += [(name, claim) for claim in claims if claim.kind != "untested"]
    return found


def predicted(name: str, claim: Claim) -> float:
    return predict(load_device(name, claim.operating_point), claim)


@pytest.mark.parametrize(
    ("name", "claim"),
    all_claims(),
    ids=lambda v: v if isinstance(v, str) else f"{v.figure}-{v.direction}-{v.operating_point}",
)
def test_a_reported_figure_comes_back_or_misses_by_what_the_file_says(
    name: str, claim: Claim
) -> None:
    found = predicted(name, claim)
    miss = 10 * np.log10(found / claim.value)
    if claim.figure.endswith("_db"):
        miss = found - claim.value
    if (
        claim.kind == "identity"
    ):  # back-solved from the claim: a check of the file, not of the physics
        assert found == pytest.approx(claim.value, rel=1e-3)
    elif claim.kind in ("predicted", "consistent") and claim.sigma:
        assert abs(found - claim.value) <= 2 * max(claim.sigma)
    else:  # a known deviation: the test fails if its size changes
        assert claim.deviation_db is not None
        assert miss == pytest.approx(claim.deviation_db, abs=0.02)


def test_sahu2022_predicts_the_wrong_noise_in_the_other_direction_and_says_so() -> None:
    (claim,) = [c for _, c in all_claims() if c.direction == "down"]
    assert claim.kind == "fails"
    assert abs(predicted("sahu2022", claim) - claim.value) > 3 * min(claim.sigma)


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


def test_every_device_file_says_at_which_point_each_claim_was_made() -> None:
    for name in data.names("devices"):
        for entry in compare(name):
            assert np.isfinite(entry.miss_db), (name, entry.claim.figure)


def test_recalled_inputs_never_enter_pass_or_fail() -> None:
    """A file whose device rests on recalled or guessed rates may list claims, not test them."""
    found = load_device("brubaker2022", "matched")
    assert count_by_status(found.inputs)["recalled"] > 0
    claims: list[Claim] = found.file.reported  # type: ignore[union-attr]
    assert {claim.kind for claim in claims} == {"untested"}
