"""Damaged archives and mangled files: never a traceback, a hang, a partial write or a silent NaN.

Mutants come from (seed, index) alone; ``python -m benchmarks.fuzz archives 81 123`` judges one of them by itself.
"""

import numpy as np
import pytest

from benchmarks import fuzz


def _require_clean(found: dict, count: int) -> None:
    assert found["count"] == count
    assert not found["failures"], "\n" + fuzz.summary(found)
    assert found["slowest"] < fuzz.SLOW


def test_mutated_archives_are_refused_or_hold_the_same_numbers() -> None:
    found = fuzz.fuzz_archives(350, 81)
    _require_clean(found, 350)
    outcomes = found["outcomes"]
    assert outcomes["refused"] > 175
    assert sum(n for name, n in outcomes.items() if name.endswith(", went on")) >= 10


def test_mutated_scenarios_and_studies_are_refused_or_give_finite_figures() -> None:
    found = fuzz.fuzz_texts(1000, 82)
    _require_clean(found, 1000)
    outcomes = found["outcomes"]
    for reached in ("scenario refused", "scenario computed", "study refused", "study computed"):
        assert outcomes[reached] >= 50, outcomes


def test_the_command_line_answers_mutants_with_status_0_or_2_and_one_sentence() -> None:
    _require_clean(fuzz.fuzz_commands(20, 83), 20)


def test_the_judge_sees_what_it_looks_for(tmp_path) -> None:
    """A changed number, a hidden NaN, a file left behind and a foreign exception are failures."""
    from transducer.sweeps import sweep

    fine = sweep(fuzz.swept, fuzz.axes(), block=9)
    assert fuzz._unlike(fine, fine) == ([], [])
    moved = fine.copy(deep=True)
    moved["ratio"].values[-1, -1, 0] = np.nextafter(moved["ratio"].values[-1, -1, 0], np.inf)
    assert "ratio" in fuzz._unlike(fine, moved)[0][0]
    hidden = fine.copy(deep=True)
    hidden["ratio"].values[-1, -1, 0] = np.nan
    assert any("NaN at points that say OK" in s for s in fuzz._unlike(fine, hidden)[0])
    before = fuzz.snapshot(tmp_path)
    (tmp_path / "left.tmp").write_bytes(b"")
    with pytest.raises(fuzz.Failure, match=r"left\.tmp"):
        fuzz._require_untouched(before, tmp_path, "it")
    with pytest.raises(ZeroDivisionError):
        fuzz._told(lambda: 1 / 0, [])


@pytest.mark.parametrize("kind", ["archives", "texts"])
def test_a_mutant_is_made_from_seed_and_index_alone(kind: str, tmp_path, monkeypatch) -> None:
    seen = []
    monkeypatch.setitem(
        fuzz.KINDS, kind, lambda rng, *_: seen.append(rng.integers(0, 2**60, 4).tolist()) or {}
    )
    for _ in range(2):
        fuzz.judged(kind, 5, 17, tmp_path, 0.1)
    fuzz.judged(kind, 5, 18, tmp_path, 0.1)
    assert seen[0] == seen[1] != seen[2]
