"""The tables of a part file: which numbers each kind of part may state, units in the key names.

A catalogue entry may leave a number out; whoever uses the part asks for the ones it needs.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from cavities.numbers import NonNegative, Number, Positive, Share, Strict

Encoding = Literal["path", "time-bin", "polarisation", "frequency"]
"""How a photon carries a qubit: which arm (or whether), when, which polarisation, which colour."""


def _wavelengths(table: dict[str, object]) -> dict[str, object]:
    for key in table:
        if not key.isdecimal():
            raise ValueError(f"its keys are wavelengths in nm, such as 1550, got {key!r}")
    return table


Spectral = Annotated[dict[str, NonNegative], AfterValidator(_wavelengths)]


class AttenuationLaw(Strict):
    r"""Loss of silica fibre between the listed wavelengths.

    .. math:: \alpha = A/\lambda^4 + C + B e^{-b/\lambda} + D e^{-(\lambda-\lambda_0)^2/2w^2}

    with λ in µm: Rayleigh scattering, a floor, the infrared edge and the water line.
    """

    rayleigh_db_um4_per_km: NonNegative
    floor_db_per_km: NonNegative
    infrared_db_per_km: NonNegative
    infrared_um: Positive
    water_db_per_km: NonNegative
    water_um: Positive
    water_width_um: Positive


class FibreValues(Strict):
    """Numbers of a fibre; those that depend on the wavelength are tables by nm."""

    attenuation_db_per_km: Spectral = Field(default_factory=dict)
    attenuation_law: AttenuationLaw | None = None
    group_index: Annotated[dict[str, Positive], AfterValidator(_wavelengths)] = Field(
        default_factory=dict
    )
    dispersion_ps_per_nm_km: Spectral = Field(default_factory=dict)
    pmd_ps_per_sqrt_km: NonNegative | None = None
    mode_field_um: Spectral = Field(default_factory=dict)
    cutoff_nm: Positive | None = None
    bend_loss_db: Spectral = Field(default_factory=dict)
    splice_loss_db: NonNegative | None = None
    ageing_db_per_km: NonNegative | None = None


class LossValues(Strict):
    """Numbers of a part that light passes once: its losses, and what it keeps apart."""

    insertion_loss_db: NonNegative | None = None
    return_loss_db: NonNegative | None = None
    polarisation_loss_db: NonNegative | None = None
    isolation_db: NonNegative | None = None
    extinction_db: NonNegative | None = None
    rise_time_s: NonNegative | None = None
    split_error: NonNegative | None = None
    temperature_k: NonNegative | None = None
    drift: NonNegative | None = None
    spacing_km: Positive | None = None


class FilterValues(Strict):
    """Numbers of one filter stage."""

    insertion_loss_db: NonNegative | None = None
    bandwidth_hz: Positive | None = None
    extinction_db: NonNegative | None = None
    adjacent_isolation_db: NonNegative | None = None


class SwitchValues(Strict):
    """Numbers of a switch path; `fidelity_loss` is all that some vendors state of it."""

    insertion_loss_db: NonNegative | None = None
    switch_time_s: NonNegative | None = None
    isolation_db: NonNegative | None = None
    polarisation_loss_db: NonNegative | None = None
    return_loss_db: NonNegative | None = None
    repeatability_db: NonNegative | None = None
    ageing_db: NonNegative | None = None
    ports: Positive | None = None
    power_w: NonNegative | None = None
    fidelity_loss: NonNegative | None = None


class DetectorValues(Strict):
    """Numbers of a detector; `photons_resolved` above 1 makes it number-resolving."""

    efficiency: Share | None = None
    dark_rate_hz: NonNegative | None = None
    dead_time_s: NonNegative | None = None
    jitter_fwhm_s: NonNegative | None = None
    afterpulse_probability: NonNegative | None = None
    photons_resolved: Positive | None = None
    polarisation_dependence: NonNegative | None = None
    count_rate_hz: Positive | None = None


class QubitValues(Strict):
    """Numbers of a qubit or a memory."""

    t1_s: Positive | None = None
    t2_s: Positive | None = None
    pi_time_s: Positive | None = None
    gate_time_s: Positive | None = None
    readout_time_s: Positive | None = None
    single_qubit_error: NonNegative | None = None
    two_qubit_error: NonNegative | None = None
    readout_error: NonNegative | None = None
    frequency_hz: Positive | None = None


class ConverterValues(Strict):
    """Numbers of a frequency converter between two colours of light."""

    efficiency: Share | None = None
    noise_rate_hz: NonNegative | None = None


class NoiseValues(Strict):
    """Numbers of what disturbs a line: Raman light, phase, polarisation."""

    raman_per_km_nm: NonNegative | None = None
    background_hz_per_thz: NonNegative | None = None
    phase_rms_rad: NonNegative | None = None
    phase_drift_rad_per_s: NonNegative | None = None
    polarisation_drift_rad_per_s: NonNegative | None = None
    realign_time_s: NonNegative | None = None
    uptime: Share | None = None
    classical_power_dbm: Number | None = None


class MicrowaveValues(Strict):
    """Numbers of a microwave part: cable, circulator, amplifier, launch."""

    insertion_loss_db: NonNegative | None = None
    attenuation_db_per_km: NonNegative | None = None
    isolation_db: NonNegative | None = None
    efficiency: Share | None = None
    internal_q: Positive | None = None
    gain_db: NonNegative | None = None
    temperature_k: NonNegative | None = None
    swap_time_s: Positive | None = None


def _ordered(band: list[float]) -> list[float]:
    if not 0 < band[0] < band[1]:
        raise ValueError(f"it goes from the shorter to the longer wavelength in nm, got {band}")
    return band


class _Part(Strict):
    key: str
    name: str
    band_nm: (
        Annotated[list[float], Field(min_length=2, max_length=2), AfterValidator(_ordered)] | None
    ) = None
    source: str = ""
    note: str = ""


class FibrePart(_Part):
    """A fibre."""

    category: Literal["fibre"]
    values: FibreValues


class LossPart(_Part):
    """A coupler, connector, splice, feedthrough, circulator, isolator, beam splitter, modulator."""

    category: Literal["coupling", "connector", "passive", "active"]
    values: LossValues


class FilterPart(_Part):
    """A filter stage: one resonance, or the flat passband of a channel filter."""

    category: Literal["filter"]
    shape: Literal["lorentzian", "flat-top"] = "lorentzian"
    values: FilterValues


class SwitchPart(_Part):
    """An optical switch, and the encodings it has been shown to carry."""

    category: Literal["switch"]
    encodings: list[Encoding] | None = None
    values: SwitchValues


class DetectorPart(_Part):
    """A photon detector."""

    category: Literal["detector"]
    values: DetectorValues


class QubitPart(_Part):
    """A qubit or a memory."""

    category: Literal["qubit", "memory"]
    values: QubitValues


class ConverterPart(_Part):
    """A frequency converter."""

    category: Literal["converter"]
    values: ConverterValues


class NoisePart(_Part):
    """Something that disturbs a line."""

    category: Literal["noise"]
    values: NoiseValues


class MicrowavePart(_Part):
    """A microwave part."""

    category: Literal["microwave"]
    values: MicrowaveValues


Part = (
    FibrePart
    | LossPart
    | FilterPart
    | SwitchPart
    | DetectorPart
    | QubitPart
    | ConverterPart
    | NoisePart
    | MicrowavePart
)

MODELS: dict[str, type[Part]] = {
    "fibre": FibrePart,
    "coupling": LossPart,
    "connector": LossPart,
    "passive": LossPart,
    "active": LossPart,
    "filter": FilterPart,
    "switch": SwitchPart,
    "detector": DetectorPart,
    "qubit": QubitPart,
    "memory": QubitPart,
    "converter": ConverterPart,
    "noise": NoisePart,
    "microwave": MicrowavePart,
}
"""Category of a part file, and the table that reads it."""
