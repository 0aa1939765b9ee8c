"""The tables of a scenario file: which keys there are, and what each may be."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from cavities.numbers import NonNegative, Positive, Share, Strict, assumed

AssumedShare = Annotated[Share, BeforeValidator(assumed)]
AssumedSize = Annotated[NonNegative, BeforeValidator(assumed)]
AssumedPositive = Annotated[Positive, BeforeValidator(assumed)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
AtLeastZero = Annotated[float, Field(ge=0)]
AboveZero = Annotated[float, Field(gt=0)]


class PumpTable(Strict):
    """``[arm.transducer.pump]``: a power with its plane, or a cooperativity.

    Both default to the operating point.
    """

    sideband: Literal["red", "blue"] = "red"
    power_w: AtLeastZero | None = None
    cooperativity: AtLeastZero | None = None
    plane: Literal["coupler", "fibre"] = "coupler"
    insertion: Fraction = 1.0
    detuning_hz: float = 0.0
    pulse_length_s: AboveZero | None = None
    rise_s: AtLeastZero = 0.0
    fall_s: AtLeastZero = 0.0

    @model_validator(mode="after")
    def _one_power(self) -> "PumpTable":
        if self.power_w is not None and self.cooperativity is not None:
            raise ValueError("give 'power_w' or 'cooperativity', not both")
        if self.power_w is None and (self.plane != "coupler" or self.insertion != 1.0):
            raise ValueError("'plane' and 'insertion' belong to 'power_w'; give the power")
        if (self.rise_s or self.fall_s) and self.pulse_length_s is None:
            raise ValueError("'rise_s' and 'fall_s' need 'pulse_length_s'")
        if self.plane == "coupler" and self.insertion != 1.0:
            raise ValueError("'insertion' needs plane = \"fibre\"")
        return self


class TransducerTable(Strict):
    """``[arm.transducer]``: a device by name, its pump, and any of its numbers overridden."""

    device: str
    operating_point: str | None = None
    pump: PumpTable = PumpTable()
    override: dict[str, object] = Field(default_factory=dict)


class NodeTable(Strict):
    """``[arm.node]``: the qubit and the photon it emits."""

    qubit: str
    bright_population: Probability
    photon_fwhm_s: AboveZero
    emission_efficiency: AssumedShare
    offset_hz: float = 0.0
    override: dict[str, object] = Field(default_factory=dict)


class PathEntry(Strict):
    """``[[arm.path]]``: one part on the way to the station, in signal order."""

    part: str
    count: Annotated[int, Field(ge=1, le=64)] = 1
    length_km: AtLeastZero | None = None
    override: dict[str, object] = Field(default_factory=dict)


class ArmTable(Strict):
    """``[arm]``, ``[arm_a]``, ``[arm_b]``: one side of the link."""

    transducer: TransducerTable
    node: NodeTable
    path: list[PathEntry]


class StationOverride(Strict):
    """``[station.override]``: keys of the detector's and the splitter's files."""

    detector: dict[str, object] = Field(default_factory=dict)
    splitter: dict[str, object] = Field(default_factory=dict)


class StationTable(Strict):
    """``[station]``: the midpoint."""

    detector: str
    splitter: str
    gate_s: AboveZero
    phase_rms_rad: AssumedSize
    phase_change_rms_rad: AssumedSize
    distinguishability: AssumedShare
    override: StationOverride = StationOverride()


class ScheduleTable(Strict):
    """``[schedule]``: timing and down times."""

    reset_s: AssumedSize
    feedback_s: AssumedSize
    pump_duty: AssumedShare
    lock_duty: AssumedShare
    hold_s: AboveZero | None = None
    repetition_rate_hz: AssumedPositive | None = None


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it must hold printable characters only")
    return text


class ScenarioFile(Strict):
    """A whole scenario, arms already laid out."""

    schema_version: Annotated[int, Field(ge=1, le=1)]
    name: Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_printable)]
    title: Annotated[str, Field(max_length=200), AfterValidator(_printable)] = ""
    schemes: Annotated[
        list[Literal["single-click", "two-click", "time-bin", "pair-click", "pair-time-bin"]],
        Field(min_length=1),
    ]
    arm_a: ArmTable
    arm_b: ArmTable
    station: StationTable
    schedule: ScheduleTable
