"""The tables of a device file: which numbers there are, and what each may be."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cavities.numbers import NonNegative, Number, Positive, Share, Strict
from transducer.paper_file import Claim, Key, Source


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
    """Pump pulses; what they leave behind may limit their rate.

    `length_s` is the duration, of a Gaussian its full width at half maximum; `rise_s` is the time a
    modulator takes from no light to full power in a ramped one. `recovery_s` is the time constant
    of quasiparticles or heat, `residue` the share of one pulse's excess that may be left when the
    next one comes.
    """

    length_s: Positive | None = None
    shape: Literal["square", "gaussian", "ramped"] = "square"
    rise_s: NonNegative | None = None
    repetition_rate_hz: Positive | None = None
    recovery_s: Positive | None = None
    residue: Positive | None = None

    @model_validator(mode="after")
    def _whole_recovery(self) -> "PulseTable":
        if (self.recovery_s is None) != (self.residue is None):
            raise ValueError("'recovery_s' and 'residue' belong together; give both or neither")
        return self

    @model_validator(mode="after")
    def _whole_shape(self) -> "PulseTable":
        if self.shape == "ramped" and self.rise_s is None:
            raise ValueError("a ramped pulse needs its 'rise_s'; give it, or take another 'shape'")
        if self.shape != "ramped" and self.rise_s is not None:
            raise ValueError("'rise_s' belongs to a ramped pulse; set 'shape' to \"ramped\"")
        if self.shape != "square" and self.length_s is None:
            raise ValueError(f"a {self.shape} pulse needs its 'length_s'; give it")
        return self


class OperatingPoint(Strict):
    """One setting of the pump, by one of five numbers.

    A cooperativity, an internal efficiency (the weaker pump that has it), photons (those of the
    peak of a pulse), a power, or the energy of a pulse. `insertion` says what of power or energy
    reaches the coupler, if it was measured before; `phonon` which phonon the point is about.
    """

    cooperativity: NonNegative | None = None
    internal_efficiency: Share | None = None
    photons: NonNegative | None = None
    power_w: NonNegative | None = None
    energy_j: NonNegative | None = None
    insertion: Share | None = None
    detuning_hz: Number | None = None
    phonon: str | None = None

    @model_validator(mode="after")
    def _one_pump(self) -> "OperatingPoint":
        ways = ("cooperativity", "internal_efficiency", "photons", "power_w", "energy_j")
        if sum(getattr(self, way) is not None for way in ways) != 1:
            listed = ", ".join(f"'{way}'" for way in ways[:-1])
            raise ValueError(f"give exactly one of {listed} and '{ways[-1]}'")
        if self.insertion is not None and self.power_w is None and self.energy_j is None:
            raise ValueError("'insertion' belongs to 'power_w' or 'energy_j'; give one of them")
        return self


class LawTable(Strict):
    """A power law of the light, measured between `lowest` and `highest`."""

    value: NonNegative
    reference: Positive
    exponent: NonNegative
    lowest: NonNegative
    highest: NonNegative


class IrradiationTable(Strict):
    """What pump light does to the microwave resonator, against intracavity photons."""

    loss_hz: LawTable | None = None
    shift_hz: LawTable | None = None


class DetectionTable(Strict):
    """How converted light becomes clicks.

    `chain` multiplies to the transmission from the plane `begins` to a click: the beam behind the
    coupler, or the light inside the cavity (the chain then holds the share that leaves by the
    coupler). `filters` Lorentzian filters of one width stand in it; the gate opens `gate_delay_s`
    after the first light of the pulse.
    """

    chain: dict[str, Share] = Field(default_factory=dict)
    begins: Literal["beam", "cavity"] = "beam"
    filters: Annotated[int, Field(ge=0, le=20)] = 0
    filter_hz: Positive | None = None
    gate_s: Positive | None = None
    gate_delay_s: NonNegative | None = None

    @model_validator(mode="after")
    def _whole_filters(self) -> "DetectionTable":
        if (self.filters > 0) != (self.filter_hz is not None):
            raise ValueError("'filters' and 'filter_hz' belong together; give both or neither")
        return self


class _PumpedFile(Strict):
    """What every file of a pumped device may state beside its physics.

    `qubit_relaxation` is the relaxation rate [1/s] that the light adds to a qubit beside the
    device, against the average pump power at the coupler [W]. `measured` holds numbers that were
    measured in use and that some figures need; `other_inputs` what only closed forms use.
    """

    key: Key
    source: Source
    measured: dict[str, NonNegative] = Field(default_factory=dict)
    other_inputs: dict[str, Number] = Field(default_factory=dict)
    detection: DetectionTable = DetectionTable()
    irradiation: IrradiationTable | None = None
    qubit_relaxation: LawTable | None = None
    pulse: PulseTable = PulseTable()
    operating_point: dict[str, OperatingPoint] = Field(default_factory=dict)
    reported: list[Claim] = Field(default_factory=list)


class HotTable(Strict):
    """A bath that absorbed light makes; laws against n_c + per_watt P."""

    occupation: LawTable
    rate_hz: LawTable
    per_watt: NonNegative | None = None
    delayed: NonNegative | None = None
    turn_on_hz: Positive | None = None
    turn_off_hz: Positive | None = None


class PhononTable(Strict):
    """One mechanical mode."""

    frequency_hz: Positive
    gamma_hz: NonNegative
    g0_hz: NonNegative
    piezo_hz: Number | None = None
    occupation: NonNegative
    heating: LawTable | None = None
    hot: HotTable | None = None


class PumpModeTable(_Resonance):
    """The mode that holds the pump, where it is not the converted one."""


class DirectTable(Strict):
    """A direct electro-optic path beside the phonons."""

    g0_hz: NonNegative
    phase_rad: Number


class PiezoFile(_PumpedFile):
    """A published piezo-optomechanical device, or an optomechanical crystal alone."""

    model: Literal["piezo-optomechanical"]
    optical: OpticalTable
    pump_mode: PumpModeTable | None = None
    microwave: MicrowaveTable | None = None
    phonon: Annotated[dict[str, PhononTable], Field(min_length=1)]
    direct: DirectTable | None = None
    baths: BathTable | None = None
    mode_spacing_hz: Positive | None = None
    counter_rotating: bool = False


class MembraneCouplingTable(Strict):
    """Couplings of a membrane to light and microwave."""

    g0_o_hz: Positive
    g0_e_hz: Positive


class MechanicsTable(Strict):
    """The membrane mode; a temperature or an occupation for its bath."""

    frequency_hz: Positive
    gamma_hz: Positive
    temperature_k: NonNegative | None = None
    occupation: NonNegative | None = None

    @model_validator(mode="after")
    def _one_bath(self) -> "MechanicsTable":
        if (self.temperature_k is None) == (self.occupation is None):
            raise ValueError("give exactly one of 'temperature_k' and 'occupation'")
        return self


class MicrowavePumpTable(Strict):
    """Drive of the microwave cavity."""

    photons: NonNegative
    detuning_hz: Number | None = None


class MembraneFile(_PumpedFile):
    """A published membrane electro-optomechanical device."""

    model: Literal["membrane"]
    optical: OpticalTable
    microwave: MicrowaveTable
    mechanics: MechanicsTable
    coupling: MembraneCouplingTable
    microwave_pump: MicrowavePumpTable
    baths: BathTable


class SingleModeFile(_PumpedFile):
    """A published electro-optic device with one optical mode."""

    model: Literal["single-mode-electro-optic"]
    optical: OpticalTable
    microwave: MicrowaveTable
    coupling: CouplingTable
    baths: BathTable


class BlackBoxFile(Strict):
    """A measured scattering matrix in a CSV file beside this one, or in ``data/measured``.

    Columns: ``offset_hz``, then ``OUT<IN_re`` and ``OUT<IN_im`` for every pair of ports.
    """

    key: Key
    model: Literal["black-box"]
    source: Source
    table: str
    ports: Annotated[dict[str, NonNegative], Field(min_length=2)]
    source_port: str
    target_port: str
    wavelength_nm: Positive
    width_hz: Positive
    environment: NonNegative
    closed: bool = True


class ElectroOpticFile(_PumpedFile):
    """A published direct electro-optic device."""

    model: Literal["electro-optic"]
    optical: OpticalTable
    microwave: MicrowaveTable
    coupling: CouplingTable
    baths: BathTable
    heating: HeatingTable | None = None


class FiguresTable(Strict):
    """All that a data sheet states: four numbers, and a wavelength if it is not 1550 nm."""

    efficiency: Share
    added_noise: NonNegative
    bandwidth_hz: Positive
    repetition_rate_hz: Positive
    wavelength_nm: Positive | None = None


class DatasheetFile(Strict):
    """A transducer known by its data sheet."""

    key: Key
    model: Literal["datasheet"]
    source: Source
    figures: FiguresTable


class ListingFile(Strict):
    """A paper that states too little to build a device: what it says, and what it reports."""

    key: Key
    model: Literal["listing"]
    source: Source
    other_inputs: dict[str, Number] = Field(default_factory=dict)
    missing: list[str] = Field(default_factory=list)
    reported: list[Claim] = Field(default_factory=list)


PumpedFile = ElectroOpticFile | SingleModeFile | PiezoFile | MembraneFile
"""Files of devices that a laser pumps."""

DeviceFile = PumpedFile | BlackBoxFile | DatasheetFile
"""Files that describe a device."""

PaperFile = DeviceFile | ListingFile
"""Any file of ``data/devices``."""
