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


class StageTable(Strict):
    """``[[arm.node.line.stages]]``: one lossy microwave part at its temperature."""

    part: str
    temperature_k: AtLeastZero
    count: Annotated[int, Field(ge=1, le=64)] = 1
    length_m: AtLeastZero | None = None
    override: dict[str, object] = Field(default_factory=dict)


class LineTable(Strict):
    """``[arm.node.line]``: the microwave path from the qubit to the transducer."""

    frequency_hz: AboveZero
    stages: Annotated[list[StageTable], Field(min_length=1)]


class NodeTable(Strict):
    """``[arm.node]``: the qubit and the photon it emits."""

    qubit: str
    bright_population: Probability
    photon_fwhm_s: AboveZero
    emission_efficiency: AssumedShare
    line: LineTable | None = None
    offset_hz: float = 0.0
    override: dict[str, object] = Field(default_factory=dict)


class ClassicalTable(Strict):
    """``[[arm.path.classical]]``: classical light in the same fibre, and how it scatters."""

    power_dbm: Annotated[float, Field(ge=-200, le=40)]
    raman: str
    attenuation_db_per_km: AtLeastZero
    counter: bool = False
    override: dict[str, object] = Field(default_factory=dict)


class FabricTable(Strict):
    """``fabric`` of a path entry: many switches of one kind wired up."""

    topology: Literal["single-stage", "crossbar", "benes", "spanke", "clos"]
    ports: Annotated[int, Field(ge=2, le=65536)]
    modules: Annotated[int, Field(ge=0)] = 0
    interstage_db: AtLeastZero = 0.0
    interstage_margin_db: AtLeastZero = 0.0


class PathEntry(Strict):
    """``[[arm.path]]``: one part on the way to the station, in signal order."""

    part: str
    count: Annotated[int, Field(ge=1, le=64)] = 1
    length_km: AtLeastZero | None = None
    classical: list[ClassicalTable] = Field(default_factory=list)
    fabric: FabricTable | None = None
    neighbour_quanta: AtLeastZero = 0.0
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
    phase_rms_rad: AssumedSize | None = None
    phase_change_rms_rad: AssumedSize | None = None
    distinguishability: AssumedShare
    background_hz: AssumedSize | None = None
    override: StationOverride = StationOverride()


class RegistrationTable(Strict):
    """``[registration]``: what holds the phases of both nodes together, instead of two sigmas."""

    linewidth_a_hz: AssumedSize
    linewidth_b_hz: AssumedSize
    shared_laser: bool = False
    laser_delay_s: AssumedSize | None = None
    fibre_drift_rad_per_s: AssumedSize
    residual_rad: AssumedSize
    interval_s: AssumedSize
    lock_time_s: AssumedSize | None = None
    offset_rms_hz: AssumedSize | None = None


class OutageTable(Strict):
    """``[[schedule.outages]]``: a down time that recurs."""

    name: Annotated[str, Field(min_length=1)]
    interval_s: AssumedPositive
    duration_s: AssumedSize


class RequestTable(Strict):
    """``[request]``: how many pairs are wanted at once, how long they keep, and by when."""

    pairs: Annotated[int, Field(ge=1, le=64)] = 1
    cutoff_s: AboveZero | None = None
    deadline_s: AboveZero | None = None


class MarginsTable(Strict):
    """``[margins]``: loss held in reserve in each arm."""

    repair_db: Annotated[float, Field(ge=0, le=60)] = 0.0
    ageing_db: Annotated[float, Field(ge=0, le=60)] = 0.0


class ScheduleTable(Strict):
    """``[schedule]``: timing and down times."""

    reset_s: AssumedSize
    feedback_s: AssumedSize
    pump_duty: AssumedShare
    lock_duty: AssumedShare | None = None
    hold_s: AboveZero | None = None
    memories: Annotated[int, Field(ge=1)] = 1
    modes: Annotated[int, Field(ge=1)] = 1
    outages: list[OutageTable] = Field(default_factory=list)
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
    registration: RegistrationTable | None = None
    request: RequestTable = RequestTable()
    margins: MarginsTable = MarginsTable()

    @model_validator(mode="after")
    def _one_phase(self) -> "ScenarioFile":
        typed = (self.station.phase_rms_rad, self.station.phase_change_rms_rad)
        if self.registration is None and None in typed:
            raise ValueError(
                "'station.phase_rms_rad' and 'station.phase_change_rms_rad' are missing; add them, "
                "or a [registration] table that they follow from"
            )
        if self.registration is not None and typed != (None, None):
            raise ValueError(
                "[registration] gives the phase; leave 'station.phase_rms_rad' and "
                "'station.phase_change_rms_rad' out"
            )
        timed = self.registration is not None and self.registration.lock_time_s is not None
        if timed == (self.schedule.lock_duty is not None):
            raise ValueError(
                "the lock's share of the time is given once: as 'schedule.lock_duty', or as "
                "'registration.lock_time_s' with 'registration.interval_s'"
            )
        return self
