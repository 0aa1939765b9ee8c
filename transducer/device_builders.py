"""From the numbers of a device file to the physics: one builder per kind of device."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cavities import checks, data
from cavities.baths import Bath
from cavities.constants import LIGHT_SPEED, angular
from cavities.envelope import Envelope, Gaussian, Ramped, Square
from cavities.errors import DataError
from cavities.heating import HotBath, Irradiation, PowerLaw, Recovery
from cavities.modes import Mode, Oscillator
from cavities.numbers import Input, Number, numbers_in
from cavities.pump import Pump, power_for_photons
from cavities.sentences import nearest
from transducer.device_file import (
    BathTable,
    BlackBoxFile,
    DatasheetFile,
    DeviceFile,
    ElectroOpticFile,
    HotTable,
    IrradiationTable,
    LawTable,
    MembraneFile,
    MicrowaveTable,
    OperatingPoint,
    OpticalTable,
    PhononTable,
    PiezoFile,
    PulseTable,
    PumpedFile,
    SingleModeFile,
)
from transducer.devices.base import Device
from transducer.devices.black_box import BlackBox
from transducer.devices.datasheet import Datasheet
from transducer.devices.electro_optic import ElectroOptic
from transducer.devices.membrane import Membrane
from transducer.devices.piezo import Phonon, PiezoOptomechanical
from transducer.devices.pumped import PumpedDevice
from transducer.devices.single_mode import SingleModeElectroOptic
from transducer.measured import read_scattering

C_BAND_NM = 1550.0
"""Wavelength of a data sheet that states none [nm]."""

ASIDE = ("measured.", "other_inputs.", "detection.")
"""Numbers of a file that its device does not rest on."""


@dataclass(frozen=True)
class Published:
    """A device from a data file, with what the file says about it.

    Parameters
    ----------
    device : Device
        The physics.
    file : DeviceFile
        The numbers with address and status, overrides laid on.
    inputs : tuple of Input
        Every number the device rests on; those of unused operating points left out.
    point : OperatingPoint, optional
        The chosen operating point.
    pulse_length : float, optional
        Length of a pump pulse [s].
    repetition_rate : float
        Largest pulse rate [1/s]; infinite where none is stated.
    qubit_relaxation : PowerLaw, optional
        Relaxation rate that light adds to a qubit beside it [1/s], against average power [W].
    envelope : Envelope, optional
        Shape of a pump pulse, as the file states it.
    """

    device: Device
    file: DeviceFile
    inputs: tuple[Input, ...]
    point: OperatingPoint | None = None
    pulse_length: float | None = None
    repetition_rate: float = np.inf
    qubit_relaxation: PowerLaw | None = None
    envelope: Envelope | None = None

    def pump(self, like: Pump) -> Pump | None:
        """Find the pump of the operating point; None if there is none, or no pump to set.

        Parameters
        ----------
        like : Pump
            Sideband, detuning and timing; a detuning of the operating point is added.
        """
        if self.point is None or not isinstance(self.device, PumpedDevice):
            return None
        if self.point.detuning_hz is not None:
            extra = float(angular(self.point.detuning_hz.value))
            like = replace(like, detuning=like.detuning + extra)
        if self.point.cooperativity is not None:
            return self.device.pump_for(self.point.cooperativity.value, like)
        if self.point.internal_efficiency is not None:
            return self.device.pump_for(self._weak_cooperativity(), like)
        if self.point.photons is not None:
            return self.device.pump_with(self.point.photons.value, like)
        passed = self.point.insertion.value if self.point.insertion is not None else 1.0
        if self.point.power_w is not None:
            return replace(like, power=self.point.power_w.value * passed / like.insertion)
        assert self.point.energy_j is not None
        shape = like.envelope if like.envelope is not None else self.envelope
        if shape is None:
            raise DataError(
                f"devices/{self.file.key}: 'energy_j' of an operating point needs the pulse's "
                "'length_s' to become a power; give '[pulse]' its length, or the point a power"
            )
        peak = self.point.energy_j.value / shape.energy_length
        return replace(like, power=peak * passed / like.insertion)

    def _weak_cooperativity(self) -> float:
        r"""The smaller root of :math:`\eta_\mathrm{int}=4C/(1+C)^2` (L1)."""
        assert self.point is not None
        assert self.point.internal_efficiency is not None
        if not isinstance(self.device, ElectroOptic):
            raise DataError(
                f"devices/{self.file.key}: 'internal_efficiency' sets the pump of direct "
                "electro-optic devices only; give photons, a power or a cooperativity"
            )
        eta = self.point.internal_efficiency.value
        checks.probability("internal_efficiency", eta)
        return float((2 - eta - 2 * np.sqrt(1 - eta)) / eta)


def _datasheet(file: DatasheetFile, operating_point: str | None, label: str) -> Published:
    if operating_point is not None:
        raise DataError(
            f"{label}: a data sheet has no operating point '{operating_point}'; leave it out"
        )
    f = file.figures
    device = Datasheet.from_hz(
        f.efficiency.value,
        f.added_noise.value,
        bandwidth_hz=f.bandwidth_hz.value,
        repetition_rate=f.repetition_rate_hz.value,
        frequency_hz=LIGHT_SPEED
        / (1e-9 * (f.wavelength_nm.value if f.wavelength_nm else C_BAND_NM)),
    )
    return Published(device, file, _inputs(file, None), repetition_rate=f.repetition_rate_hz.value)


def _point(file: PumpedFile, name: str | None, label: str) -> OperatingPoint | None:
    if name is None:
        return None
    if name not in file.operating_point:
        hint = nearest(name, file.operating_point)
        raise DataError(f"{label}: there is no operating point '{name}'; {hint}")
    return file.operating_point[name]


def _optical(table: OpticalTable) -> Mode:
    return Mode.from_hz(
        LIGHT_SPEED / (table.wavelength_nm.value * 1e-9),
        kappa_ext_hz=table.external_hz,
        kappa_int_hz=table.kappa_int_hz.value,
    )


def _microwave(table: MicrowaveTable) -> Mode:
    return Mode.from_hz(
        table.frequency_hz.value,
        kappa_ext_hz=table.external_hz,
        kappa_int_hz=table.kappa_int_hz.value,
    )


def _waveguide(baths: BathTable, microwave: MicrowaveTable) -> Bath:
    if baths.waveguide_temperature_k is not None:
        return Bath.from_temperature(
            baths.waveguide_temperature_k.value, frequency_hz=microwave.frequency_hz.value
        )
    assert baths.waveguide_occupation is not None
    return Bath(baths.waveguide_occupation.value)


def _overlap(table: OpticalTable) -> float:
    return table.overlap.value if table.overlap else 1.0


def _published(
    file: PumpedFile, device: Device, operating_point: str | None, label: str
) -> Published:
    pulse: PulseTable = file.pulse
    return Published(
        device,
        file,
        _inputs(file, operating_point),
        point=_point(file, operating_point, label),
        pulse_length=pulse.length_s.value if pulse.length_s else None,
        repetition_rate=_rate(pulse),
        qubit_relaxation=_law(file.qubit_relaxation) if file.qubit_relaxation else None,
        envelope=_envelope(pulse),
    )


def _envelope(pulse: PulseTable) -> Envelope | None:
    if pulse.length_s is None:
        return None
    length = pulse.length_s.value
    if pulse.shape == "gaussian":
        return Gaussian(length)
    if pulse.shape == "ramped":
        assert pulse.rise_s is not None
        return Ramped(length, pulse.rise_s.value)
    return Square(length)


def _rate(pulse: PulseTable) -> float:
    """Largest repetition rate [1/s]: what is stated, or what recovery allows."""
    rate = pulse.repetition_rate_hz.value if pulse.repetition_rate_hz else np.inf
    if pulse.recovery_s is not None and pulse.residue is not None:
        recovery = Recovery(pulse.recovery_s.value)
        rate = min(rate, float(np.max(recovery.highest_rate(pulse.residue.value))))
    return rate


def _irradiation(table: IrradiationTable | None) -> Irradiation | None:
    if table is None:
        return None
    unit = float(angular(1.0))
    return Irradiation(
        _law(table.loss_hz, unit) if table.loss_hz else None,
        _law(table.shift_hz, unit) if table.shift_hz else None,
    )


def _electro_optic(file: ElectroOpticFile, operating_point: str | None, label: str) -> Published:
    optical, microwave = _optical(file.optical), _microwave(file.microwave)
    c, b = file.coupling, file.baths
    waveguide = _waveguide(b, file.microwave)
    device = ElectroOptic(
        optical,
        microwave,
        angular(c.g0_hz.value),
        _overlap(file.optical),
        waveguide,
        Bath(b.internal_occupation.value, _heating(file, optical, microwave, waveguide)),
        delta_o=_hz(c.delta_o_hz),
        delta_e=_hz(c.delta_e_hz),
        irradiation=_irradiation(file.irradiation),
    )
    return _published(file, device, operating_point, label)


def _single_mode(file: SingleModeFile, operating_point: str | None, label: str) -> Published:
    device = SingleModeElectroOptic(
        _optical(file.optical),
        _microwave(file.microwave),
        angular(file.coupling.g0_hz.value),
        _overlap(file.optical),
        _waveguide(file.baths, file.microwave),
        Bath(file.baths.internal_occupation.value),
        irradiation=_irradiation(file.irradiation),
    )
    return _published(file, device, operating_point, label)


def _membrane(file: MembraneFile, operating_point: str | None, label: str) -> Published:
    m, drive = file.mechanics, file.microwave_pump
    if m.temperature_k is not None:
        bath = Bath.from_temperature(m.temperature_k.value, frequency_hz=m.frequency_hz.value)
    else:
        assert m.occupation is not None
        bath = Bath(m.occupation.value)
    mechanics = Oscillator.from_hz(m.frequency_hz.value, gamma_hz=m.gamma_hz.value, bath=bath)
    microwave = _microwave(file.microwave)
    detuning = _hz(drive.detuning_hz)
    power = power_for_photons(microwave, drive.photons.value, detuning - mechanics.omega)
    device = Membrane(
        _optical(file.optical),
        microwave,
        mechanics,
        angular(file.coupling.g0_o_hz.value),
        angular(file.coupling.g0_e_hz.value),
        Pump(power, detuning=detuning),
        _overlap(file.optical),
        _waveguide(file.baths, file.microwave),
        Bath(file.baths.internal_occupation.value),
        irradiation=_irradiation(file.irradiation),
    )
    return _published(file, device, operating_point, label)


def _piezo(file: PiezoFile, operating_point: str | None, label: str) -> Published:
    microwave, waveguide, internal = None, Bath(), Bath()
    if file.microwave is not None:
        if file.baths is None:
            raise DataError(f"{label}: '[microwave]' needs its '[baths]'; give them")
        microwave = _microwave(file.microwave)
        waveguide = _waveguide(file.baths, file.microwave)
        internal = Bath(file.baths.internal_occupation.value)
    direct = 0j
    if file.direct is not None:
        size = float(angular(file.direct.g0_hz.value))
        direct = size * complex(np.exp(1j * file.direct.phase_rad.value))
    pump_mode = None
    if file.pump_mode is not None:
        pump_mode = Mode.from_hz(
            LIGHT_SPEED / (file.optical.wavelength_nm.value * 1e-9),
            kappa_ext_hz=file.pump_mode.external_hz,
            kappa_int_hz=file.pump_mode.kappa_int_hz.value,
        )
    point = _point(file, operating_point, label)
    first = next(iter(file.phonon)) if point is None or point.phonon is None else point.phonon
    if first not in file.phonon:
        raise DataError(
            f"{label}: 'operating_point.{operating_point}.phonon' = '{first}' is not a phonon of "
            f"this file; {nearest(first, file.phonon)}"
        )
    ordered = [file.phonon[first], *(t for name, t in file.phonon.items() if name != first)]
    device = PiezoOptomechanical(
        _optical(file.optical),
        microwave,
        tuple(_phonon(table) for table in ordered),
        direct,
        _overlap(file.optical),
        waveguide,
        internal,
        irradiation=_irradiation(file.irradiation),
        pump_mode=pump_mode,
        mode_spacing=_hz(file.mode_spacing_hz) if file.mode_spacing_hz else None,
        counter_rotating=file.counter_rotating,
    )
    return _published(file, device, operating_point, label)


def _phonon(table: PhononTable) -> Phonon:
    mode = Oscillator.from_hz(
        table.frequency_hz.value,
        gamma_hz=table.gamma_hz.value,
        bath=Bath(table.occupation.value, _law(table.heating) if table.heating else None),
        hot=_hot(table.hot) if table.hot else None,
    )
    return Phonon(mode, angular(table.g0_hz.value), _hz(table.piezo_hz))


def _law(table: LawTable, unit: float = 1.0) -> PowerLaw:
    return PowerLaw(
        table.value.value * unit,
        table.reference.value,
        table.exponent.value,
        table.lowest.value,
        table.highest.value,
    )


def _hot(table: HotTable) -> HotBath:
    return HotBath(
        _law(table.occupation),
        _law(table.rate_hz, float(angular(1.0))),
        table.per_watt.value if table.per_watt else 0.0,
        table.delayed.value if table.delayed else 0.0,
        _hz(table.turn_on_hz) if table.turn_on_hz else np.inf,
        _hz(table.turn_off_hz) if table.turn_off_hz else np.inf,
    )


def black_box(
    file: BlackBoxFile, operating_point: str | None, label: str, folder: Path | None
) -> Published:
    """Build a device from its measured scattering matrix.

    Parameters
    ----------
    file : BlackBoxFile
        The numbers.
    operating_point : str, optional
        A black box has none.
    label : str
        What to call the file in an error.
    folder : Path, optional
        Where the table lies; ``data/measured`` by default.
    """
    if operating_point is not None:
        raise DataError(
            f"{label}: a black box has no operating point '{operating_point}'; leave it out"
        )
    occupations = {name: number.value for name, number in file.ports.items()}
    path = (folder or data.root("measured")) / file.table
    inside = read_scattering(path, occupations, file.environment.value, closed=file.closed)
    width = float(angular(file.width_hz.value))
    carrier = float(angular(LIGHT_SPEED / (1e-9 * file.wavelength_nm.value)))
    device = BlackBox(inside, file.source_port, file.target_port, carrier, width)
    return Published(device, file, _inputs(file, None))


def _hz(number: Number | None) -> float:
    return 0.0 if number is None else float(angular(number.value))


def _heating(
    file: ElectroOpticFile, optical: Mode, microwave: Mode, waveguide: Bath
) -> PowerLaw | None:
    r"""Power law of the internal bath through two points of reported noise (L3).

    .. math:: n_\mathrm{int} = (N_\mathrm{add} - n_\mathrm{wg})\,
              \kappa_\mathrm{wg}/\kappa_\mathrm{int}
    """
    h = file.heating
    if h is None:
        return None
    ratio = float(microwave.kappa_ext / microwave.kappa_int)
    cold = float(np.max(waveguide.occupation)) + file.baths.internal_occupation.value / ratio
    low, high = ((n.value - cold) * ratio for n in (h.low_noise, h.high_noise))
    if not low > 0:
        raise DataError(
            f"'heating.low_noise' = {h.low_noise.value:g} must exceed the noise without pump, "
            f"{cold:.3g}; lower the baths or raise the noise"
        )
    g0 = angular(file.coupling.g0_hz.value)
    per_cooperativity = float(optical.kappa * microwave.kappa / (4 * g0**2))  # photons at C = 1
    first, last = h.low_cooperativity.value, h.high_cooperativity.value
    return PowerLaw(
        high,
        last * per_cooperativity,
        float(np.log(high / low) / np.log(last / first)),
        first * per_cooperativity,
        last * per_cooperativity,
    )


def _inputs(file: DeviceFile, operating_point: str | None) -> tuple[Input, ...]:
    """Numbers that figures rest on.

    Other operating points are not among them, nor numbers that only claims use.
    """
    kept = []
    for key, number in numbers_in(file):
        other = key.startswith("operating_point.") and key.split(".")[1] != operating_point
        if not other and not key.startswith(ASIDE):
            kept.append(Input(f"devices/{file.key}", key, number))
    return tuple(kept)


@dataclass(frozen=True)
class Kind:
    """A kind of device file.

    Parameters
    ----------
    table : type
        Model of the file.
    build : callable
        Makes the device from the checked file, an operating point and what to call the file.
    """

    table: type[DeviceFile]
    build: Callable[..., Published]


KINDS: dict[str, Kind] = {
    "electro-optic": Kind(ElectroOpticFile, _electro_optic),
    "single-mode-electro-optic": Kind(SingleModeFile, _single_mode),
    "piezo-optomechanical": Kind(PiezoFile, _piezo),
    "membrane": Kind(MembraneFile, _membrane),
    "black-box": Kind(BlackBoxFile, black_box),
    "datasheet": Kind(DatasheetFile, _datasheet),
}
"""What the key ``model`` of a device file may say: a new kind of device adds its line here."""
