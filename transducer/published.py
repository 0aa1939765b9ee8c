"""From a file about a published device to one that can be pumped, every number's address kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from cavities import data
from cavities.baths import Bath, Heating
from cavities.constants import LIGHT_SPEED, angular
from cavities.errors import DataError
from cavities.modes import Mode
from cavities.numbers import (
    Input,
    NonNegative,
    Number,
    Positive,
    Share,
    Size,
    Strict,
    both_ways,
    numbers_in,
)
from cavities.sentences import nearest
from transducer.devices.base import Device
from transducer.devices.datasheet import Datasheet
from transducer.devices.electro_optic import ElectroOptic

C_BAND_NM = 1550.0
"""Wavelength of a data sheet that states none [nm]."""

EXCLUSIVE = (
    ("extraction", "kappa_ext_hz"),
    ("waveguide_temperature_k", "waveguide_occupation"),
    ("cooperativity", "power_w"),
)
"""Two ways to say one thing: a file gives one, an override of one replaces the other."""


class Source(Strict):
    """Where a device was published."""

    title: str
    authors: str = ""
    journal: str = ""
    year: int | None = None
    doi: str = ""
    arxiv: str = ""
    platform: str = ""
    note: str = ""


class Claim(Strict):
    """A figure that the paper reports, and what comparing with it is worth."""

    figure: Literal["efficiency", "internal_efficiency", "added_noise", "bandwidth_hz"]
    direction: Literal["up", "down"] = "up"
    value: float
    sigma: Annotated[list[Size], BeforeValidator(both_ways)] = Field(default_factory=list)
    where: str
    operating_point: str
    kind: Literal["predicted", "consistent", "identity", "fitted", "fails"]
    deviation_db: float | None = None
    definition: str = ""
    note: str = ""


class _Resonance(Strict):
    kappa_int_hz: NonNegative
    extraction: Number | None = None
    kappa_ext_hz: NonNegative | None = None

    @model_validator(mode="after")
    def _one_door(self) -> "_Resonance":
        if (self.extraction is None) == (self.kappa_ext_hz is None):
            raise ValueError("give exactly one of 'extraction' and 'kappa_ext_hz'")
        if self.extraction is not None and not 0 <= self.extraction.value < 1:
            raise ValueError(
                f"extraction must be a number >= 0 and < 1, got {self.extraction.value}"
            )
        return self

    @property
    def external_hz(self) -> float:
        """External loss rate/2π [Hz]."""
        if self.kappa_ext_hz is not None:
            return self.kappa_ext_hz.value
        assert self.extraction is not None
        eta = self.extraction.value
        return self.kappa_int_hz.value * eta / (1 - eta)


class OpticalTable(_Resonance):
    """The optical mode."""

    wavelength_nm: Positive
    overlap: Share | None = None


class MicrowaveTable(_Resonance):
    """The microwave mode."""

    frequency_hz: Positive


class CouplingTable(Strict):
    """Coupling and detunings."""

    g0_hz: Positive
    delta_o_hz: Number | None = None
    delta_e_hz: Number | None = None


class BathTable(Strict):
    """Baths of the microwave mode; a temperature or an occupation for the waveguide."""

    waveguide_temperature_k: NonNegative | None = None
    waveguide_occupation: NonNegative | None = None
    internal_occupation: NonNegative

    @model_validator(mode="after")
    def _one_waveguide(self) -> "BathTable":
        if (self.waveguide_temperature_k is None) == (self.waveguide_occupation is None):
            raise ValueError(
                "give exactly one of 'waveguide_temperature_k' and 'waveguide_occupation'"
            )
        return self


class HeatingTable(Strict):
    """Added noise at two cooperativities; between them the internal bath follows a power law."""

    low_noise: NonNegative
    low_cooperativity: Positive
    high_noise: NonNegative
    high_cooperativity: Positive

    @model_validator(mode="after")
    def _ordered(self) -> "HeatingTable":
        if not self.low_cooperativity.value < self.high_cooperativity.value:
            raise ValueError("low_cooperativity must be below high_cooperativity")
        if not 0 < self.low_noise.value <= self.high_noise.value:
            raise ValueError("low_noise must be > 0 and at most high_noise")
        return self


class PulseTable(Strict):
    """Pump pulses."""

    length_s: Positive | None = None
    repetition_rate_hz: Positive | None = None


class OperatingPoint(Strict):
    """One setting of the pump; a cooperativity or a power at the coupler."""

    cooperativity: NonNegative | None = None
    power_w: NonNegative | None = None

    @model_validator(mode="after")
    def _one_pump(self) -> "OperatingPoint":
        if (self.cooperativity is None) == (self.power_w is None):
            raise ValueError("give exactly one of 'cooperativity' and 'power_w'")
        return self


class ElectroOpticFile(Strict):
    """A published direct electro-optic device."""

    key: str
    model: Literal["electro-optic"]
    source: Source
    optical: OpticalTable
    microwave: MicrowaveTable
    coupling: CouplingTable
    baths: BathTable
    heating: HeatingTable | None = None
    pulse: PulseTable = PulseTable()
    operating_point: dict[str, OperatingPoint] = Field(default_factory=dict)
    reported: list[Claim] = Field(default_factory=list)


class FiguresTable(Strict):
    """All that a data sheet states: four numbers, and a wavelength if it is not 1550 nm."""

    efficiency: Share
    added_noise: NonNegative
    bandwidth_hz: Positive
    repetition_rate_hz: Positive
    wavelength_nm: Positive | None = None


class DatasheetFile(Strict):
    """A transducer known by its data sheet."""

    key: str
    model: Literal["datasheet"]
    source: Source
    figures: FiguresTable


DeviceFile = ElectroOpticFile | DatasheetFile


@dataclass(frozen=True)
class Published:
    """A device from a data file, with what the file says about it.

    Parameters
    ----------
    device : Device
        The physics.
    file : ElectroOpticFile or DatasheetFile
        The numbers with address and status, overrides laid on.
    inputs : tuple of Input
        Every number the device rests on; those of unused operating points left out.
    cooperativity : float, optional
        Of the chosen operating point [1].
    power : float, optional
        Of the chosen operating point, at the coupler [W].
    pulse_length : float, optional
        Length of a pump pulse [s].
    repetition_rate : float
        Largest pulse rate [1/s]; infinite where none is stated.
    """

    device: Device
    file: DeviceFile
    inputs: tuple[Input, ...]
    cooperativity: float | None = None
    power: float | None = None
    pulse_length: float | None = None
    repetition_rate: float = np.inf


def load_device(
    name: str,
    operating_point: str | None = None,
    override: Mapping[str, object] | None = None,
    beside: Path | None = None,
) -> Published:
    """Read a device by name from ``data/devices``, or from a user's own TOML file.

    Parameters
    ----------
    name : str
        Name of a shipped device, or the path of a file that ends in ``.toml``.
    operating_point : str, optional
        Key of one of the file's operating points; it sets the pump.
    override : mapping, optional
        Dotted keys laid over the file: a plain number (status ``guess``) or a table with value,
        where, status, sigma.
    beside : Path, optional
        Folder that a user's own file is relative to.

    Raises
    ------
    DataError
        If file, operating point or key do not exist, or a value is not allowed.
    ParameterError, ValidityError
        If the numbers make no device.

    Examples
    --------
    >>> from cavities.numbers import count_by_status
    >>> count_by_status(load_device("sahu2022", "low_noise").inputs)
    {'secondary': 8, 'derived': 1, 'recalled': 2, 'guess': 1, 'identity': 5}
    """
    label = name if name.endswith(".toml") else f"data/devices/{name}.toml"
    model = data.read_toml(data.find("devices", name, beside), label).get("model")
    if not isinstance(model, str) or model not in KINDS:
        hint = nearest(str(model), KINDS)
        raise DataError(f"{label}: 'model' = {model!r} is not a kind of device; {hint}")
    kind = KINDS[model]
    file = data.load("devices", name, kind.table, override, EXCLUSIVE, beside)
    return kind.build(file, operating_point, label)


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


def _electro_optic(file: ElectroOpticFile, operating_point: str | None, label: str) -> Published:
    point = None
    if operating_point is not None:
        if operating_point not in file.operating_point:
            hint = nearest(operating_point, file.operating_point)
            raise DataError(f"{label}: there is no operating point '{operating_point}'; {hint}")
        point = file.operating_point[operating_point]
    frequency_hz = LIGHT_SPEED / (file.optical.wavelength_nm.value * 1e-9)
    optical = Mode.from_hz(
        frequency_hz,
        kappa_ext_hz=file.optical.external_hz,
        kappa_int_hz=file.optical.kappa_int_hz.value,
    )
    microwave = Mode.from_hz(
        file.microwave.frequency_hz.value,
        kappa_ext_hz=file.microwave.external_hz,
        kappa_int_hz=file.microwave.kappa_int_hz.value,
    )
    c, b = file.coupling, file.baths
    if b.waveguide_temperature_k is not None:
        temperature = b.waveguide_temperature_k.value
        waveguide = Bath.from_temperature(
            temperature, frequency_hz=file.microwave.frequency_hz.value
        )
    else:
        assert b.waveguide_occupation is not None
        waveguide = Bath(b.waveguide_occupation.value)
    device = ElectroOptic(
        optical,
        microwave,
        angular(c.g0_hz.value),
        file.optical.overlap.value if file.optical.overlap else 1.0,
        waveguide,
        Bath(b.internal_occupation.value, _heating(file, optical, microwave, waveguide)),
        delta_o=_detuning(c.delta_o_hz),
        delta_e=_detuning(c.delta_e_hz),
    )
    pulse = file.pulse
    return Published(
        device,
        file,
        _inputs(file, operating_point),
        cooperativity=point.cooperativity.value if point and point.cooperativity else None,
        power=point.power_w.value if point and point.power_w else None,
        pulse_length=pulse.length_s.value if pulse.length_s else None,
        repetition_rate=pulse.repetition_rate_hz.value if pulse.repetition_rate_hz else np.inf,
    )


def _detuning(number: Number | None) -> float:
    return 0.0 if number is None else float(angular(number.value))


def _heating(
    file: ElectroOpticFile, optical: Mode, microwave: Mode, waveguide: Bath
) -> Heating | None:
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
    return Heating(
        high,
        last * per_cooperativity,
        float(np.log(high / low) / np.log(last / first)),
        first * per_cooperativity,
        last * per_cooperativity,
    )


def _inputs(file: DeviceFile, operating_point: str | None) -> tuple[Input, ...]:
    """Numbers that figures rest on.

    Other operating points and mere range limits are not among them.
    """
    kept = []
    for key, number in numbers_in(file):
        other = key.startswith("operating_point.") and key.split(".")[1] != operating_point
        if not other:
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
    "datasheet": Kind(DatasheetFile, _datasheet),
}
"""What the key ``model`` of a device file may say: a new kind of device adds its line here."""
