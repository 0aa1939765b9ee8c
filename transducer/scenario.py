"""The door for a link described in TOML.

Units in the key names, every mistake answered with a sentence.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from cavities import data
from cavities.baths import thermal_occupation
from cavities.constants import angular
from cavities.envelope import Ramped
from cavities.errors import DataError, PhysicsError
from cavities.heating import lifetime_under_light
from cavities.numbers import Input, Number, weakest
from cavities.pump import Plane, Pump, Sideband
from cavities.sentences import validate
from fibre import parts
from fibre.detectors import Station
from fibre.elements import Element, FibreSpan, Loss, Switch, transmittance
from fibre.herald import Scheme
from fibre.line_noise import Cascade, Classical
from fibre.margins import Margins
from fibre.memory import Memory
from fibre.schedule import Schedule
from fibre.waiting import Outage
from transducer.devices.base import Device
from transducer.node import Emitter
from transducer.published import Published, load_device
from transducer.scenario_file import (
    ArmTable,
    ClassicalTable,
    LineTable,
    PathEntry,
    RegistrationTable,
    ScenarioFile,
    ScheduleTable,
    StationTable,
    TransducerTable,
)

if TYPE_CHECKING:
    from fibre.registration import Registration

NO_PART_IN_LOSS = ("pulse.", "figures.repetition_rate_hz", "optical.wavelength_nm")
"""Numbers of a device that its conversion loss does not rest on."""


@dataclass(frozen=True)
class ArmSetup:
    """One side of a link before any light runs: device, pump, qubit and path.

    Parameters
    ----------
    name : str
        A or B.
    device : Device
        The transducer.
    device_name : str
        Key of its data file.
    pump : Pump, optional
        None for a data sheet.
    emitter : Emitter
        The qubit.
    elements : tuple of Element
        Path to the station, in signal order.
    node_basis, device_basis : str
        Status of the weakest number of the node and of the device.
    """

    name: str
    device: Device
    device_name: str
    pump: Pump | None
    emitter: Emitter
    elements: tuple[Element, ...]
    node_basis: str
    device_basis: str


@dataclass(frozen=True)
class Request:
    """What a user of the link wants of it.

    Parameters
    ----------
    pairs : int
        Pairs held at once.
    cutoff : float, optional
        Age at which a stored pair is thrown away [s].
    deadline : float, optional
        Time by which they are wanted [s].
    """

    pairs: int = 1
    cutoff: float | None = None
    deadline: float | None = None


@dataclass(frozen=True)
class Scenario:
    """A link ready to be evaluated.

    Parameters
    ----------
    name, title : str
        What it is called.
    schemes : tuple of Scheme
        Heralding schemes to compare.
    arms : tuple of two ArmSetup
        A and B.
    station : Station
        The midpoint.
    schedule : Schedule
        Timing.
    inputs : tuple of Input
        Every number it rests on that is not a design choice.
    raw : dict
        The parsed file, arms laid out, as it was used.
    label : str
        File it came from.
    folder : Path
        Folder that user's files are relative to.
    files : dict of str to str
        Text of every device and part file it rests on, by ``kind/key``.
    registration : Registration, optional
        What holds the phases together, where the file says more than two sigmas.
    request : Request
        How many pairs are wanted at once, and by when.
    margins : Margins
        Loss held in reserve in each arm.
    """

    name: str
    title: str
    schemes: tuple[Scheme, ...]
    arms: tuple[ArmSetup, ArmSetup]
    station: Station
    schedule: Schedule
    inputs: tuple[Input, ...]
    raw: dict[str, object]
    label: str
    folder: Path
    files: dict[str, str]
    registration: "Registration | None" = None
    request: Request = Request()
    margins: Margins = Margins()


def load_scenario(name: str | Path) -> Scenario:
    """Read a scenario from a path, or by the name of a shipped one.

    Parameters
    ----------
    name : str or Path
        Path of a TOML file, or a name in ``data/scenarios``.

    Raises
    ------
    DataError
        If the file, a key, a value, a device or a part is not what it should be; nothing is
        written.

    Examples
    --------
    >>> load_scenario("metro").arms[0].device_name
    'sahu2022'
    """
    written, label, folder = as_written(name)
    return scenario_from(laid_out(written, label), label, folder, written)


def as_written(
    name: str | Path, beside: Path | None = None
) -> tuple[Mapping[str, object], str, Path]:
    """A scenario's parsed file, what to call it, and its folder.

    Parameters
    ----------
    name : str or Path
        As of `load_scenario`.
    beside : Path, optional
        Folder that a path is relative to; the working directory by default.

    Raises
    ------
    DataError
        If there is no such file or it is not TOML.
    """
    text = str(name)
    own = (beside or Path()) / text
    if text.lower().endswith(".toml") or isinstance(name, Path) or _is_file(str(own)):
        path, label = own, text
    else:
        path, label = data.find("scenarios", text), f"data/scenarios/{text}.toml"
    return data.read_toml(path, label), label, path.parent


def scenario_from(
    raw: Mapping[str, object],
    label: str,
    folder: Path,
    written: Mapping[str, object] | None = None,
) -> Scenario:
    """Build a laid-out scenario; its errors name the keys of the file as it was written.

    Parameters
    ----------
    raw : mapping
        From `laid_out`.
    label : str
        What to call the file in errors.
    folder : Path
        Folder that its own files are relative to.
    written : mapping, optional
        The file before it was laid out.
    """
    try:
        return build_scenario(raw, label, folder)
    except DataError as error:
        if written is not None and ("arm_a" in written or "arm_b" in written):
            raise
        raise DataError(str(error).replace("'arm_a.", "'arm.")) from None
    except RecursionError:
        raise DataError(f"{label}: is nested too deeply to be read; flatten it") from None


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def laid_out(raw: Mapping[str, object], label: str) -> dict[str, object]:
    """Lay ``[arm_a]`` and ``[arm_b]`` over the common ``[arm]``.

    An arm that names its own device, or its own pump power, takes nothing of that over.
    """
    for name in ("arm", "arm_a", "arm_b"):
        table = raw.get(name, {})
        if not isinstance(table, Mapping):
            raise DataError(f"{label}: '{name}' = {table!r} must be a table; write it as [{name}]")
    common = data.merged(raw.get("arm", {}), {})  # type: ignore[arg-type]
    out = {key: value for key, value in raw.items() if key != "arm"}
    for side in ("arm_a", "arm_b"):
        own = data.merged(raw.get(side, {}), {})  # type: ignore[arg-type]
        base = dict(common)
        transducer, mine = base.get("transducer"), own.get("transducer")
        if isinstance(transducer, Mapping) and isinstance(mine, Mapping):
            pump = mine.get("pump")
            if "device" in mine:
                base["transducer"] = {}
            elif isinstance(pump, Mapping) and {"power_w", "cooperativity"} & set(pump):
                kept = dict(transducer.get("pump") or {})
                for key in ("power_w", "cooperativity", "plane", "insertion"):
                    kept.pop(key, None)
                base["transducer"] = {**transducer, "pump": kept}
        out[side] = data.merged(base, own)
    return out


def build_scenario(
    raw: Mapping[str, object],
    label: str,
    folder: Path,
    replaced: tuple[Input, float] | None = None,
) -> Scenario:
    """Check a laid-out scenario and turn it into records.

    Parameters
    ----------
    raw : mapping
        Parsed file with ``arm_a`` and ``arm_b``.
    label : str
        What to call the file in errors.
    folder : Path
        Folder that user's device and part files are relative to.
    replaced : tuple of Input and float, optional
        An input and another value for it: how uncertainties are carried through.
    """
    file = validate(ScenarioFile, raw, label)
    build = _Builder(label, folder, replaced)
    try:
        arms = (build.arm("A", file.arm_a), build.arm("B", file.arm_b))
        station = build.station(file.station, arms[0].device.carrier)
        schedule = build.schedule(file.schedule, arms)
        registration = None
        if file.registration is not None:
            offset = _offset(file, arms)
            registration = build.registration(file.registration, station.detector.jitter, offset)
            station, schedule = registered(registration, station, schedule)
    except (DataError, PhysicsError) as error:
        raise type(error)(f"{label}: {error}") from None
    except ArithmeticError:
        raise DataError(
            f"{label}: a number is too large or too small to compute with; look for a slip in an "
            "exponent or a unit"
        ) from None
    schemes = tuple(dict.fromkeys(Scheme(name) for name in file.schemes))
    inputs = tuple(build.inputs)
    return Scenario(
        file.name,
        file.title,
        schemes,
        arms,
        station,
        schedule,
        inputs,
        dict(raw),
        label,
        folder,
        build.files,
        registration,
        Request(file.request.pairs, file.request.cutoff_s, file.request.deadline_s),
        Margins(file.margins.repair_db, file.margins.ageing_db),
    )


def _offset(file: ScenarioFile, arms: tuple[ArmSetup, ArmSetup]) -> float:
    """Known frequency difference of the two photons [rad/s]."""
    sent = [
        arm.device.converted_frequency(arm.pump) + arm.emitter.offset
        if arm.device.takes_pump
        else arm.device.carrier + arm.emitter.offset
        for arm in arms
    ]
    return sent[0] - sent[1]


def registered(
    registration: "Registration", station: Station, schedule: Schedule
) -> tuple[Station, Schedule]:
    """Station and timing with the phase that the registration leaves."""
    gap = schedule.gap(station.gate, station.detector.dead_time)
    bins = replace(schedule, flip=0.0).gap(station.gate, station.detector.dead_time)
    phased = replace(
        station,
        phase_rms=registration.within_attempt().rms,
        phase_change_rms=registration.between_bins(gap).rms,
        bin_change_rms=registration.between_bins(bins).rms,
    )
    if registration.lock_time > 0:
        schedule = replace(schedule, lock_duty=registration.duty)
    return phased, schedule


Loaded = TypeVar("Loaded")
_KNOWN: dict[tuple[object, ...], object] = {}


def _remembered(
    kind: str, name: str, folder: Path, asked: object, load: Callable[[], Loaded]
) -> Loaded:
    """A record of a data file that has not changed since it was read; bands build scenarios often.

    A device with a measured table is read anew: its table may have changed beside it.
    """
    path = data.find(kind, name, folder)
    try:
        state = path.stat()
    except OSError:
        return load()
    if "table" in data.read_toml(path, name):
        return load()
    key = (kind, str(path), state.st_mtime_ns, state.st_size, state.st_ino, repr(asked))
    if key not in _KNOWN:
        if len(_KNOWN) > 512:
            _KNOWN.clear()
        _KNOWN[key] = load()
    return _KNOWN[key]  # type: ignore[return-value]


class _Builder:
    """Turns checked tables into records and keeps a list of every number that was used."""

    def __init__(self, label: str, folder: Path, replaced: tuple[Input, float] | None) -> None:
        self.label, self.folder, self.replaced = label, folder, replaced
        self.inputs: list[Input] = []
        self.files: dict[str, str] = {}
        self.pulse_rates: list[float] = []
        self.flip = 0.0

    def _note(self, entries: Sequence[Input]) -> None:
        """Count a number once; the same key with another value or status is another number."""
        self.inputs += [entry for entry in entries if entry not in self.inputs]

    def _value(self, number: Number, key: str) -> float:
        """Note a number of the scenario that is a claim about the world, not a choice."""
        entry = Input("scenario", key, number)
        self._note([entry])
        if self.replaced is not None and self.replaced[0] == entry:
            return self.replaced[1]
        return number.value

    def _override(self, own: Mapping[str, object], numbers: Sequence[Input]) -> dict[str, object]:
        """Overrides of a data file, with the varied input laid on if the file uses that number."""
        over = dict(data.flattened(own))
        if self.replaced is not None and self.replaced[0] in numbers:
            entry, value = self.replaced
            over[entry.key] = {"value": value, "where": "varied by its sigma", "status": "derived"}
        return over

    def arm(self, name: str, table: ArmTable) -> ArmSetup:
        """Device, pump, qubit and path of one arm."""
        t = table.transducer
        self._open("devices", t.device)
        over = self._override(t.override, ())
        plain = over
        file = _remembered(
            "devices",
            t.device,
            self.folder,
            (t.operating_point, over),
            lambda: load_device(t.device, t.operating_point, plain, self.folder),
        )
        self._note(file.inputs)
        if self.replaced is not None and self.replaced[0] in file.inputs:
            over = self._override(t.override, file.inputs)
            file = load_device(t.device, t.operating_point, over, self.folder)
        self.pulse_rates.append(file.repetition_rate)
        node, carrier = table.node, file.device.carrier
        qubit = self._part(node.qubit, node.override)
        memory, pi_time, used = parts.memory_of(qubit)
        self._note(used)
        pump = self._pump(t, file)
        memory = _beside_light(memory, pump, file)
        self.flip = max(self.flip, pi_time)
        emission = self._value(
            node.emission_efficiency, f"arm_{name.lower()}.node.emission_efficiency"
        )
        line = Cascade((), ()) if node.line is None else self._line(node.line)
        emitter = Emitter(
            memory,
            node.bright_population,
            node.photon_fwhm_s,
            emission * line.transmission,
            float(angular(node.offset_hz)),
            line_noise=line.outgoing,
            incoming_noise=line.reversed.outgoing,
        )
        elements = []
        for entry in table.path:
            part = self._part(entry.part, entry.override)
            element, used = parts.element_of(
                part, carrier, length_km=entry.length_km, count=entry.count
            )
            self._note(used)
            elements.append(self._beside(element, entry, part, carrier))
        return ArmSetup(
            name,
            file.device,
            file.file.key,
            pump,
            emitter,
            tuple(elements),
            node.emission_efficiency.status,
            weakest(e.number for e in file.inputs if not e.key.startswith(NO_PART_IN_LOSS)),
        )

    def _line(self, table: LineTable) -> Cascade:
        """Microwave path from the qubit to the transducer: losses at their temperatures (L22d)."""
        transmissions, occupations = [], []
        for stage in table.stages:
            part = self._part(stage.part, stage.override)
            if not isinstance(part, parts.MicrowavePart):
                raise DataError(
                    f"parts/{part.key}: a {part.category} has no place in a microwave line; name a "
                    "microwave part, such as mw.circulator.cryo"
                )
            key = "insertion_loss_db" if stage.length_m is None else "attenuation_db_per_km"
            number = parts.stated(part, key, getattr(part.values, key))
            self._note(parts.inputs_of(part, [f"values.{key}"]))
            loss = number.value * (1.0 if stage.length_m is None else stage.length_m / 1e3)
            transmissions.append(float(transmittance(stage.count * loss)))
            n = thermal_occupation(float(angular(table.frequency_hz)), stage.temperature_k)
            occupations.append(float(n))
        return Cascade(tuple(transmissions), tuple(occupations))

    def _beside(
        self, element: Element, entry: PathEntry, part: parts.Part, carrier: float
    ) -> Element:
        """An element with what shares it: classical light in a fibre, neighbours in a switch."""
        if isinstance(element, FibreSpan):
            channels = tuple(self._classical(table, carrier) for table in entry.classical)
            element = replace(element, classical=channels, carrier=carrier)
        elif entry.classical:
            raise DataError(
                f"parts/{part.key}: 'classical' light shares a fibre; it has no place in a "
                f"{part.category}"
            )
        if isinstance(element, Switch):
            if entry.fabric is not None and entry.count > 1:
                raise DataError(
                    f"parts/{part.key}: 'count' = {entry.count} and 'fabric' contradict each "
                    "other: a fabric says itself how many elements a path passes; leave it away"
                )
            if entry.fabric is not None:
                from fibre.fabrics import Fabric, Topology

                f = entry.fabric
                element = Fabric(
                    Topology(f.topology),
                    element,
                    f.ports,
                    f.interstage_db,
                    f.interstage_margin_db,
                    f.modules,
                ).path()
            return replace(element, neighbour_quanta=entry.neighbour_quanta)
        if entry.fabric is not None or entry.neighbour_quanta:
            raise DataError(
                f"parts/{part.key}: 'fabric' and 'neighbour_quanta' belong to a switch, not to a "
                f"{part.category}"
            )
        return element

    def _classical(self, table: ClassicalTable, carrier: float) -> Classical:
        part = self._part(table.raman, table.override)
        if not isinstance(part, parts.NoisePart):
            raise DataError(
                f"parts/{part.key}: 'classical.raman' names how classical light scatters, a noise "
                f"part such as noise.raman.cband, not a {part.category}"
            )
        parts.check_band(part, carrier)
        number = parts.stated(part, "raman_per_km_nm", part.values.raman_per_km_nm)
        self._note(parts.inputs_of(part, ["values.raman_per_km_nm"]))
        # 1/(km nm) is 1e6/m^2
        return Classical(
            1e-3 * 10 ** (table.power_dbm / 10),
            1e6 * number.value,
            table.attenuation_db_per_km / 1e3,
            table.counter,
        )

    def registration(
        self, table: RegistrationTable, jitter: float, offset: float
    ) -> "Registration":
        """What holds the phases of both nodes together."""
        from fibre.registration import Registration

        def value(name: str) -> float:
            number = getattr(table, name)
            return 0.0 if number is None else self._value(number, f"registration.{name}")

        return Registration(
            float(angular(value("linewidth_a_hz"))),
            float(angular(value("linewidth_b_hz"))),
            table.shared_laser,
            value("laser_delay_s"),
            value("fibre_drift_rad_per_s"),
            value("residual_rad"),
            value("interval_s"),
            value("lock_time_s"),
            offset,
            float(angular(value("offset_rms_hz"))),
            jitter / np.sqrt(8 * np.log(2)),
        )

    def _open(self, kind: str, name: str) -> None:
        """Note the text of a data file and refuse one that goes by another name."""
        path = data.find(kind, name, self.folder)
        key = data.read_toml(path, name).get("key")
        if key != path.name.removesuffix(".toml"):
            raise DataError(
                f"{name}: 'key' = {key!r} must be the file's own name without .toml; rename the "
                "file or the key"
            )
        text = path.read_text("utf-8-sig")
        if self.files.setdefault(f"{kind}/{key}", text) != text:
            raise DataError(f"{name}: another file named '{key}' is in use already; rename one")
        table = data.read_toml(path, name).get("table")
        if kind == "devices" and isinstance(table, str):
            own = path.parent if name.endswith(".toml") else data.root("measured")
            with contextlib.suppress(OSError, ValueError):  # reading it says what is wrong
                self.files[f"measured/{table}"] = (own / table).read_text("utf-8-sig")

    def _part(self, name: str, override: Mapping[str, object]) -> parts.Part:
        self._open("parts", name)
        over = self._override(override, ())
        part = _remembered(
            "parts", name, self.folder, over, lambda: parts.load_part(name, over, self.folder)
        )
        numbers = parts.inputs_of(part)
        if self.replaced is not None and self.replaced[0] in numbers:
            part = parts.load_part(name, self._override(override, numbers), self.folder)
        return part

    def _pump(self, table: TransducerTable, file: Published) -> Pump | None:
        p = table.pump
        if not file.device.takes_pump:
            if p.power_w is not None or p.cooperativity is not None:
                raise DataError(
                    f"{self.label}: 'transducer.pump' has no place: '{table.device}' is a data "
                    "sheet and states no pump; leave it out"
                )
            return None
        length = p.pulse_length_s if p.pulse_length_s is not None else file.pulse_length
        pump = Pump(
            p.power_w if p.power_w is not None else 0.0,
            Sideband(p.sideband),
            Plane(p.plane) if p.power_w is not None else Plane.COUPLER,
            p.insertion if p.power_w is not None else 1.0,
            float(angular(p.detuning_hz)),
            length,
            Ramped(length, p.rise_s, p.fall_s) if length and (p.rise_s or p.fall_s) else None,
            repetition_rate=file.repetition_rate if np.isfinite(file.repetition_rate) else None,
        )
        if p.power_w is not None:
            return pump
        if p.cooperativity is not None:
            return file.device.pump_for(p.cooperativity, pump)
        found = file.pump(pump)
        if found is None:
            known = getattr(file.file, "operating_point", {})
            raise DataError(
                f"no pump is given for '{table.device}': set 'transducer.operating_point' to one "
                f"of {', '.join(sorted(known)) or 'none in the file'}, or 'transducer.pump.power_w'"
            )
        return found

    def station(self, table: StationTable, carrier: float) -> Station:
        """Detectors and beam splitter of the midpoint, checked at the carrier [rad/s]."""
        detector_part = self._part(table.detector, table.override.detector)
        parts.check_band(detector_part, carrier)
        detector, used = parts.detector_of(detector_part)
        self._note(used)
        splitter_part = self._part(table.splitter, table.override.splitter)
        splitter, used = parts.element_of(splitter_part, carrier)
        self._note(used)
        if splitter_part.category != "passive" or not isinstance(splitter, Loss):
            raise DataError(
                f"'station.splitter' = '{table.splitter}' is no beam splitter; name a passive "
                "part, such as passive.bs5050"
            )
        return Station(
            detector,
            table.gate_s,
            float(np.max(splitter.loss_db)),
            splitter.margin_db,
            splitter.basis,
            self._optional(table.phase_rms_rad, "station.phase_rms_rad"),
            self._optional(table.phase_change_rms_rad, "station.phase_change_rms_rad"),
            self._value(table.distinguishability, "station.distinguishability"),
            self._optional(table.background_hz, "station.background_hz"),
        )

    def _optional(self, number: Number | None, key: str) -> float:
        return 0.0 if number is None else self._value(number, key)

    def schedule(self, table: ScheduleTable, arms: tuple[ArmSetup, ArmSetup]) -> Schedule:
        """Timing, limited by the slower device and the slower qubit."""
        rate = min(self.pulse_rates)
        if table.repetition_rate_hz is not None:
            rate = min(rate, self._value(table.repetition_rate_hz, "schedule.repetition_rate_hz"))
        pulses = [a.pump.pulse_length for a in arms if a.pump is not None and a.pump.pulse_length]
        return Schedule(
            self._value(table.reset_s, "schedule.reset_s"),
            self.flip,
            self._value(table.feedback_s, "schedule.feedback_s"),
            max(pulses, default=0.0),
            self._value(table.pump_duty, "schedule.pump_duty"),
            rate,
            1.0 if table.lock_duty is None else self._value(table.lock_duty, "schedule.lock_duty"),
            np.inf if table.hold_s is None else table.hold_s,
            table.memories,
            table.modes,
            tuple(
                Outage(
                    outage.name,
                    self._value(outage.interval_s, f"schedule.outages.{outage.name}.interval_s"),
                    self._value(outage.duration_s, f"schedule.outages.{outage.name}.duration_s"),
                )
                for outage in table.outages
            ),
        )


def _beside_light(memory: Memory, pump: Pump | None, file: Published) -> Memory:
    """The qubit with what the pump light beside it takes off its T1, and so off its T2."""
    law = file.qubit_relaxation
    if law is None or pump is None:
        return memory
    power = pump.average_power
    if power is None:
        raise DataError(
            f"'{file.file.key}' says how light relaxes its qubit, but the average power of a pulse "
            "is not known without 'pulse.repetition_rate_hz'; give it"
        )
    T1 = float(np.max(lifetime_under_light(memory.T1, law, power)))
    added = 1 / T1 - 1 / memory.T1
    return Memory(T1, 1 / (1 / memory.T2 + added / 2))


def varied(scenario: Scenario, entry: Input, value: float) -> Scenario:
    """Give one input of a scenario another value, wherever that very number is used."""
    other = build_scenario(scenario.raw, scenario.label, scenario.folder, (entry, value))
    return replace(other, schemes=scenario.schemes)
