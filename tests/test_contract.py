"""The JSON contract validates against the schema in docs/, and its numbers hang together."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from cavities import ordinary
from transducer import load_scenario, simulate
from transducer.contract import contract_of, json_schema

SCHEMA = Path(__file__).resolve().parent.parent / "docs" / "link-contract.schema.json"
PROMISED = {
    "conversion": {"efficiency", "added_noise", "bandwidth_hz", "cooperativity", "reference_plane"},
    "referee": {
        "arm",
        "engine",
        "efficiency",
        "added_noise",
        "max_relative_deviation",
        "truncation",
    },
    "link": {"rows", "arms", "total_loss_db"},
    "herald": {
        "protocol",
        "probability",
        "fidelity",
        "state",
        "attempt_period_s",
        "rate_hz",
        "delivered_rate_hz",
        "latency_s",
    },
    "bounds": {"relay_ebit_per_attempt", "direct_ebit_per_attempt", "hashing_ebit_hz"},
    "provenance": {"versions", "inputs_by_status"},
}
ROW = {
    "arm",
    "element",
    "loss_db",
    "loss_db_max",
    "cumulative_db",
    "transmittance",
    "added_noise",
    "delay_s",
    "basis",
    "kind",
    "band_nm",
    "sigma_db",
}


def printed(name: str, engine: str) -> dict:
    report = simulate(load_scenario(name), engine)
    return json.loads(contract_of(report).model_dump_json())


def test_the_schema_in_docs_is_the_one_the_code_speaks() -> None:
    assert json.loads(SCHEMA.read_text("utf-8")) == json_schema(), (
        "write it anew: json.dumps(transducer.contract.json_schema(), indent=2)"
    )


@pytest.mark.parametrize(
    ("name", "engine"),
    [("metro", "all"), ("metro_target", "scattering"), ("metro_datasheet", "all")],
)
def test_the_contract_validates_and_keeps_its_promises(name: str, engine: str) -> None:
    found = printed(name, engine)
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text("utf-8"))).validate(found)
    assert found["schema_version"] == "1.1"
    assert {"scenario", "uncertainty", "warnings", *PROMISED} <= set(found)
    for section, keys in PROMISED.items():
        assert keys <= set(found[section])
    for row in found["link"]["rows"]:
        assert set(row) == ROW


def test_the_validator_refuses_a_contract_that_lost_a_key() -> None:
    found = printed("metro", "scattering")
    del found["herald"]["state"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, json.loads(SCHEMA.read_text("utf-8")))


def test_the_numbers_of_the_contract_hang_together() -> None:
    found = printed("metro_target", "all")
    for arm in found["link"]["arms"]:
        rows = [row for row in found["link"]["rows"] if row["arm"] == arm["name"]]
        assert sum(row["loss_db"] for row in rows) == pytest.approx(arm["loss_db"], abs=1e-9)
        assert np.prod([row["transmittance"] for row in rows]) == pytest.approx(
            10 ** (-arm["loss_db"] / 10), rel=1e-9
        )
        assert all(row["loss_db_max"] >= row["loss_db"] - 1e-12 for row in rows)
    assert sum(a["loss_db"] for a in found["link"]["arms"]) == pytest.approx(
        found["link"]["total_loss_db"]
    )
    state = np.array(found["herald"]["state"]) + 1j * np.array(found["herald"]["state_imag"])
    assert state.shape == (4, 4)
    assert np.trace(state).real == pytest.approx(1.0)
    assert np.linalg.eigvalsh(state).min() > -1e-12
    psi = np.array([0, 1, 1, 0]) / np.sqrt(2)
    assert np.real(psi @ state @ psi) == pytest.approx(found["herald"]["fidelity"])
    herald = found["herald"]
    assert herald["rate_hz"] == pytest.approx(herald["probability"] / herald["attempt_period_s"])
    assert herald["delivered_rate_hz"] <= herald["rate_hz"]
    assert found["referee"]["max_relative_deviation"] < 1e-6
    assert found["referee"]["agrees"] is True
    assert sum(found["provenance"]["inputs_by_status"].values()) == len(
        found["provenance"]["inputs"]
    )
    by_port = found["conversion"]["noise_by_port"]
    assert sum(by_port.values()) == pytest.approx(
        found["conversion"]["added_noise"] * found["conversion"]["efficiency"]
    )
    report = simulate(load_scenario("metro_target"), "scattering")
    assert found["conversion"]["bandwidth_hz"] == pytest.approx(
        ordinary(report.conversions[0].bandwidth)
    )


def test_a_data_sheet_has_no_referee_and_says_why() -> None:
    found = printed("metro_datasheet", "all")
    assert found["referee"]["engine"] == "none"
    assert "no Hamiltonian" in found["referee"]["note"]
    assert any("single-pole" in warning for warning in found["warnings"])


def test_each_arm_has_its_own_referee() -> None:
    from transducer.scenario import build_scenario

    scenario = load_scenario("metro")
    raw = dict(scenario.raw)
    raw["arm_b"] = {
        **raw["arm_b"],
        "transducer": {**raw["arm_b"]["transducer"], "pump": {"cooperativity": 0.5}},
    }
    found = json.loads(
        contract_of(simulate(build_scenario(raw, "x", scenario.folder), "all")).model_dump_json()
    )
    for conversion, referee in zip(found["conversions"], found["referees"], strict=True):
        assert conversion["arm"] == referee["arm"]
        assert referee["efficiency"] == pytest.approx(conversion["efficiency"], rel=1e-6)
    assert found["referee"]["arm"] == found["conversion"]["arm"] == "A"
    assert found["conversions"][0]["efficiency"] != found["conversions"][1]["efficiency"]


def test_a_reader_of_this_version_accepts_what_later_ones_add() -> None:
    found = printed("metro", "scattering")
    found["schema_version"] = "1.7"
    found["herald"]["something_new"] = 1
    jsonschema.validate(found, json.loads(SCHEMA.read_text("utf-8")))
    found["schema_version"] = "2.0"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, json.loads(SCHEMA.read_text("utf-8")))


def test_engines_are_compared_by_one_part_in_a_million_or_a_billionth_of_a_quantum() -> None:
    from transducer.simulation import ABSOLUTE, RELATIVE, deviation

    floor = ABSOLUTE / RELATIVE
    here = np.array([0.0, 1e-12, 0.5])
    assert deviation(here, here + np.array([1e-18, 1e-15, 0.0]), floor) < 1e-11  # 1e-18 against 0
    assert deviation(here, here + np.array([1.1e-9, 0.0, 0.0]), floor) > RELATIVE
    assert deviation(here, here + np.array([0.9e-9, 0.0, 0.4e-6]), floor) < RELATIVE
    assert deviation(here, here + np.array([0.0, 0.0, 0.6e-6]), floor) > RELATIVE
    assert (
        deviation(np.array([1e-5]), np.array([1.000002e-5])) > RELATIVE
    )  # an efficiency: relative only
