"""The link contract.

The one object that ``transducer link --json`` prints, versioned and described by a schema.
"""

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from cavities.constants import Real, ordinary
from cavities.numbers import count_by_status
from transducer.simulation import ArmConversion, LinkReport, Outcome, verdict
from transducer.version import versions

CONTRACT_VERSION: Literal["1.1"] = "1.1"
"""Version of the contract: the second number grows with new keys, the first with changed ones."""


class _Out(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, defer_build=True)


class InputOut(_Out):
    """One number the result rests on."""

    file: str
    key: str
    value: float
    status: str
    where: str
    sigma: tuple[float, float] | None


class ProvenanceOut(_Out):
    """What computed the result, and from what."""

    versions: dict[str, str]
    inputs_by_status: dict[str, int]
    inputs: list[InputOut]


class ConversionOut(_Out):
    """What a device does, at the photon's centre frequency."""

    arm: str
    device: str
    engine: str
    efficiency: float = Field(ge=0)
    added_noise: float = Field(ge=0, description="quanta, normally ordered, referred to the source")
    noise_by_port: dict[str, float] = Field(description="quanta at the output, by port of origin")
    bandwidth_hz: float = Field(gt=0, description="full width at half maximum")
    cooperativity: float | None
    reference_plane: str


class RefereeOut(_Out):
    """What an independent engine says about the conversion of one arm."""

    arm: str
    engine: str
    efficiency: float | None
    added_noise: float | None
    max_relative_deviation: float | None
    agrees: bool | None
    truncation: dict[str, int] | None = Field(description="levels kept of each mode")
    note: str


class RowOut(_Out):
    """One line of the budget."""

    arm: str
    element: str
    loss_db: float
    loss_db_max: float
    cumulative_db: float
    transmittance: float = Field(ge=0, le=1)
    added_noise: float = Field(ge=0)
    delay_s: float = Field(ge=0)
    basis: str
    kind: str
    band_nm: tuple[float, float] | None
    sigma_db: float = Field(ge=0, description="a data sheet's maximum is read as three of them")


class ArmOut(_Out):
    """One arm's total."""

    name: str
    loss_db: float


class LinkOut(_Out):
    """The budget."""

    rows: list[RowOut]
    arms: list[ArmOut]
    total_loss_db: float


class HeraldOut(_Out):
    """What one protocol gives."""

    protocol: str
    probability: float = Field(ge=0, le=1)
    fidelity: float = Field(
        ge=0, le=1, description="with the target Bell state, when both nodes know"
    )
    fidelity_at_emission: float = Field(ge=0, le=1)
    kept: float = Field(
        ge=0, le=1, description="share of heralds that a check of both memories would keep"
    )
    checked_fidelity: float = Field(ge=0, le=1, description="fidelity of those that are kept")
    beyond: float = Field(
        ge=0,
        le=1,
        description="share of heralds that left no two qubits: the state's trace lacks it",
    )
    state: list[list[float]] = Field(description="real part of the delivered 4x4 density matrix")
    state_imag: list[list[float]]
    attempt_period_s: float = Field(gt=0)
    rate_hz: float = Field(ge=0)
    delivered_rate_hz: float = Field(ge=0)
    latency_s: float = Field(ge=0)
    entangled: bool
    noise_modes: float
    overlap: float
    dark_probability: float
    limits: dict[str, float] = Field(description="fidelity gained without each cause")
    interplay: float = Field(description="infidelity that no single cause explains")


class BoundsOut(_Out):
    """What no protocol can beat, and what hashing reaches."""

    relay_ebit_per_attempt: float
    direct_ebit_per_attempt: float
    hashing_ebit_per_pair: float
    hashing_ebit_hz: float
    noise_at_emitter: list[float] = Field(description="quanta in the photon's mode, arms A and B")
    noise_threshold: float = Field(description="L23, quanta: equal arms, one mode, no dark counts")
    separability: float = Field(description="entangled below one, phase noise included")


class ProtocolOut(_Out):
    """One of the compared protocols."""

    herald: HeraldOut
    bounds: BoundsOut


class BandOut(_Out):
    """One-sigma steps of a figure."""

    minus: float = Field(ge=0)
    plus: float = Field(ge=0)


class UncertaintyOut(_Out):
    """Band from the inputs that state an uncertainty."""

    figures: dict[str, BandOut]
    varied_inputs: list[str]
    silent_inputs: int = Field(description="inputs that state no uncertainty")


class Contract(_Out):
    """Everything a link gives.

    ``herald`` and ``bounds`` belong to the best protocol, ``protocols`` holds all.
    """

    schema_version: Literal["1.1"]
    scenario: dict[str, object]
    provenance: ProvenanceOut
    conversion: ConversionOut
    conversions: list[ConversionOut]
    referee: RefereeOut
    referees: list[RefereeOut]
    link: LinkOut
    herald: HeraldOut
    bounds: BoundsOut
    protocols: list[ProtocolOut]
    uncertainty: UncertaintyOut
    warnings: list[str]
    verdict: str


def contract_of(report: LinkReport) -> Contract:
    """Turn a report into the contract."""
    scenario = report.scenario
    inputs = [
        InputOut(
            file=e.file,
            key=e.key,
            value=e.number.value,
            status=e.number.status,
            where=e.number.where,
            sigma=e.number.sigmas,
        )
        for e in scenario.inputs
    ]
    conversions = [_conversion(c) for c in report.conversions]
    protocols = [_protocol(outcome) for outcome in report.outcomes]
    arms = [
        ArmOut(name=arm.name, loss_db=_one(report_rows[-1].cumulative_db))
        for arm in scenario.arms
        if (report_rows := [row for row in report.rows if row.arm == arm.name])
    ]
    return Contract(
        schema_version=CONTRACT_VERSION,
        scenario={
            "name": scenario.name,
            "title": scenario.title,
            "file": scenario.label,
            "definition": scenario.raw,
        },
        provenance=ProvenanceOut(
            versions=versions(), inputs_by_status=count_by_status(scenario.inputs), inputs=inputs
        ),
        conversion=conversions[0],
        conversions=conversions,
        referee=_referee(report.conversions[0]),
        referees=[_referee(c) for c in report.conversions],
        link=LinkOut(
            rows=[
                RowOut.model_validate(
                    {
                        name: value
                        if value is None or isinstance(value, (str, tuple))
                        else _one(value)
                        for name, value in vars(row).items()
                    }
                )
                for row in report.rows
            ],
            arms=arms,
            total_loss_db=sum(arm.loss_db for arm in arms),
        ),
        herald=protocols[0].herald,
        bounds=protocols[0].bounds,
        protocols=protocols,
        uncertainty=UncertaintyOut(
            figures={
                n: BandOut(minus=low, plus=high) for n, (low, high) in report.uncertainty.items()
            },
            varied_inputs=[f"{e.file}: {e.key}" for e in report.varied_inputs],
            silent_inputs=len(inputs) - len(report.varied_inputs),
        ),
        warnings=list(report.warnings),
        verdict=verdict(report),
    )


def _open(schema: object) -> object:
    """Let every object hold keys that later versions add."""
    if isinstance(schema, dict):
        return {k: _open(v) for k, v in schema.items() if (k, v) != ("additionalProperties", False)}
    return [_open(entry) for entry in schema] if isinstance(schema, list) else schema


def _one(value: Real) -> float:
    return float(np.asarray(value).reshape(()))


def _conversion(found: ArmConversion) -> ConversionOut:
    signal = found.at_signal
    return ConversionOut(
        arm=found.arm,
        device=found.device,
        engine=signal.engine,
        efficiency=_one(signal.efficiency[0]),
        added_noise=_one(signal.added_noise[0]),
        noise_by_port={name: _one(n[0]) for name, n in signal.contributions.items()},
        bandwidth_hz=_one(ordinary(found.bandwidth)),
        cooperativity=found.cooperativity,
        reference_plane=found.reference_plane,
    )


def _referee(found: ArmConversion) -> RefereeOut:
    opinion = found.referee
    theirs = opinion.conversion
    cut = theirs.truncation if theirs is not None else None
    return RefereeOut(
        arm=found.arm,
        engine=opinion.engine,
        efficiency=None if theirs is None else _one(theirs.efficiency[0]),
        added_noise=None if theirs is None else _one(theirs.added_noise[0]),
        max_relative_deviation=opinion.max_relative_deviation,
        agrees=opinion.agrees,
        truncation=None if cut is None else dict(cut.levels),
        note=opinion.note,
    )


def _protocol(outcome: Outcome) -> ProtocolOut:
    f = {name: _one(value) for name, value in outcome.figures.as_dict().items()}
    state = outcome.pair.normalised
    herald = HeraldOut(
        protocol=outcome.scheme.value,
        probability=f["herald_probability"],
        fidelity=f["fidelity"],
        fidelity_at_emission=f["herald_fidelity"],
        kept=f["kept"],
        checked_fidelity=f["checked_fidelity"],
        beyond=1 - f["kept"],
        state=state.real.tolist(),
        state_imag=state.imag.tolist(),
        attempt_period_s=f["attempt_period"],
        rate_hz=f["rate"],
        delivered_rate_hz=f["delivered_rate"],
        latency_s=f["latency"],
        entangled=f["negativity"] > 1e-12,
        noise_modes=f["noise_modes"],
        overlap=f["overlap"],
        dark_probability=f["dark_probability"],
        limits=dict(outcome.limits),
        interplay=outcome.interplay,
    )
    bounds = BoundsOut(
        relay_ebit_per_attempt=f["relay_bound"],
        direct_ebit_per_attempt=f["direct_bound"],
        hashing_ebit_per_pair=f["hashing"],
        hashing_ebit_hz=f["hashing_rate"],
        noise_at_emitter=[f["added_noise_a"], f["added_noise_b"]],
        noise_threshold=f["noise_threshold"],
        separability=f["separability"],
    )
    return ProtocolOut(herald=herald, bounds=bounds)


def json_schema() -> dict[str, object]:
    """JSON Schema of the contract, as it stands in ``docs/link-contract.schema.json``."""
    schema = _open(Contract.model_json_schema(mode="serialization"))
    assert isinstance(schema, dict)
    # a reader of version 1.0 accepts what later versions 1.x add
    schema["properties"]["schema_version"] = {"type": "string", "pattern": r"^1\.[0-9]+$"}
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return schema
