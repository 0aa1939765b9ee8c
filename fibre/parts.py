"""Parts from data sheets.

A file each, every number with its address and status, turned into link elements.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np

from cavities import data
from cavities.constants import angular, wavelength_nm
from cavities.errors import DataError
from cavities.numbers import Input, Number, numbers_in, weakest
from cavities.sentences import nearest
from fibre.detectors import Detector
from fibre.elements import (
    Element,
    FabryPerot,
    FibreSpan,
    FlatTop,
    Loss,
    Switch,
    decibels,
    transmittance,
)
from fibre.memory import Memory
from fibre.part_file import (
    MODELS,
    AttenuationLaw,
    ConverterPart,
    DetectorPart,
    FibrePart,
    FilterPart,
    LossPart,
    MicrowavePart,
    NoisePart,
    Part,
    QubitPart,
    SwitchPart,
)

__all__ = [
    "ConverterPart",
    "DetectorPart",
    "FibrePart",
    "FilterPart",
    "LossPart",
    "MicrowavePart",
    "NoisePart",
    "Part",
    "QubitPart",
    "SwitchPart",
    "attenuation_at",
    "check_band",
    "detector_of",
    "element_of",
    "inputs_of",
    "load_part",
    "memory_of",
]

NumberT = TypeVar("NumberT", bound=Number)

SAME_WAVELENGTH_NM = 15.0
"""A tabulated value is taken for wavelengths this near [nm]."""


def load_part(
    name: str, override: dict[str, object] | None = None, beside: Path | None = None
) -> Part:
    """Read a part by name from ``data/parts``, or from a user's own TOML file.

    Parameters
    ----------
    name : str
        Name of a shipped part, or the path of a file that ends in ``.toml``.
    override : dict, optional
        Dotted keys laid over the file, see `cavities.data.load`.
    beside : Path, optional
        Folder that a user's own file is relative to.

    Raises
    ------
    DataError
        If there is no such part, or its category or a key is unknown.

    Examples
    --------
    >>> load_part("fibre.g652d").values.group_index["1550"].value
    1.4682
    """
    label = name if name.endswith(".toml") else f"data/parts/{name}.toml"
    category = data.read_toml(data.find("parts", name, beside), label).get("category")
    if not isinstance(category, str) or category not in MODELS:
        hint = nearest(str(category), MODELS)
        raise DataError(f"{label}: 'category' = {category!r} is not a kind of part; {hint}")
    return data.load("parts", name, MODELS[category], override, beside=beside)


def inputs_of(part: Part, keys: list[str] | None = None) -> list[Input]:
    """Numbers of a part as inputs of a result; `keys` picks some of them."""
    found = list(numbers_in(part))
    return [
        Input(f"parts/{part.key}", key, number)
        for key, number in found
        if keys is None or key in keys
    ]


def stated(part: Part, key: str, number: NumberT | None) -> NumberT:
    """A number that a use of the part needs.

    Raises
    ------
    DataError
        If the part's file leaves it out.
    """
    if number is None:
        raise DataError(
            f"parts/{part.key}: its source states no '{key}', which this use needs; choose another "
            f"part, or give your own number as override.values.{key}"
        )
    return number


def check_band(part: Part, carrier: float) -> None:
    """Refuse a part outside its band.

    Raises
    ------
    DataError
        If the carrier [rad/s] lies outside the part's ``band_nm``.
    """
    nm = wavelength_nm(carrier)
    if part.band_nm is not None and not part.band_nm[0] <= nm <= part.band_nm[1]:
        raise DataError(
            f"parts/{part.key}: {nm:.1f} nm lies outside its band of {part.band_nm[0]:g} to "
            f"{part.band_nm[1]:g} nm; choose a part for this wavelength"
        )


def _tabulated(
    table: Mapping[str, NumberT], carrier: float, what: str, part: Part
) -> tuple[str, NumberT] | None:
    """Nearest entry of a table by wavelength, None if none is near."""
    nm = wavelength_nm(carrier)
    near = min(table, key=lambda key: abs(float(key) - nm), default=None)
    if near is None or abs(float(near) - nm) > SAME_WAVELENGTH_NM:
        return None
    return f"values.{what}.{near}", table[near]


def _looked_up(
    table: Mapping[str, NumberT], carrier: float, what: str, part: Part
) -> tuple[str, NumberT]:
    found = _tabulated(table, carrier, what, part)
    if found is None:
        listed = ", ".join(sorted(table)) or "no"
        raise DataError(
            f"parts/{part.key}: '{what}' is not given within {SAME_WAVELENGTH_NM:g} nm of "
            f"{wavelength_nm(carrier):.1f} nm; it lists {listed} nm: add that wavelength or choose "
            "another fibre"
        )
    return found


def attenuation_at(part: FibrePart, carrier: float) -> tuple[float, float, list[str]]:
    """Typical and largest attenuation of a fibre at a carrier.

    Its table within 15 nm of an entry, its spectral law elsewhere.

    Parameters
    ----------
    part : FibrePart
        The fibre.
    carrier : float
        Carrier of the photon [rad/s].

    Returns
    -------
    tuple of float, float and list of str
        Typical and largest attenuation [dB/km], and the keys they rest on.

    Raises
    ------
    DataError
        If the part states neither.

    Examples
    --------
    >>> from cavities.constants import LIGHT_SPEED, angular
    >>> attenuation_at(load_part("fibre.g652d"), float(angular(LIGHT_SPEED / 1550e-9)))[:2]
    (0.2, 0.3)
    """
    law = part.values.attenuation_law
    table = part.values.attenuation_db_per_km
    found = _tabulated(table, carrier, "attenuation_db_per_km", part)
    if found is None and law is not None:
        typical, ceiling = (_by_law(law, carrier, largest) for largest in (False, True))
        keys = [f"values.attenuation_law.{key}" for key, _ in numbers_in(law)]
        return typical, ceiling, keys
    key, number = _looked_up(table, carrier, "attenuation_db_per_km", part)
    return number.value, number.value if number.max is None else number.max, [key]


def _by_law(law: AttenuationLaw, carrier: float, largest: bool) -> float:
    """Attenuation of the law [dB/km], with the maxima of its loss terms if `largest`."""
    um = wavelength_nm(carrier) / 1e3

    def size(number: Number) -> float:
        return number.value if number.max is None or not largest else number.max

    water = np.exp(-((um - law.water_um.value) ** 2) / (2 * law.water_width_um.value**2))
    return float(
        size(law.rayleigh_db_um4_per_km) / um**4
        + size(law.floor_db_per_km)
        + size(law.infrared_db_per_km) * np.exp(-law.infrared_um.value / um)
        + size(law.water_db_per_km) * water
    )


def _margin(number: Number) -> float:
    return 0.0 if number.max is None else number.max - number.value


def _sigma(number: Number) -> float:
    """One sigma of a loss upwards; a data sheet's maximum is read as three of them."""
    if number.sigmas is not None:
        return number.sigmas[1]
    return _margin(number) / 3


def _fibre(part: FibrePart, carrier: float, length_km: float, count: int) -> Element:
    typical, ceiling, _ = attenuation_at(part, carrier)
    index = _looked_up(part.values.group_index, carrier, "group_index", part)[1]
    length = length_km * count
    number = _tabulated(part.values.attenuation_db_per_km, carrier, "", part)
    one = (ceiling - typical) / 3 if number is None else _sigma(number[1])
    used = [entry.number for entry in inputs_of(part, _fibre_keys(part, carrier))]
    return FibreSpan(
        f"{part.name}, {length:g} km",
        1e3 * length,
        typical / 1e3,
        ceiling / 1e3,
        index.value,
        weakest(used),
        sigma=one / 1e3,
        band_nm=_band(part),
    )


def _fibre_keys(part: FibrePart, carrier: float) -> list[str]:
    index = _looked_up(part.values.group_index, carrier, "group_index", part)[0]
    return [*attenuation_at(part, carrier)[2], index]


def _band(part: Part) -> tuple[float, float] | None:
    return None if part.band_nm is None else (part.band_nm[0], part.band_nm[1])


def _times(part: Part, count: int) -> str:
    return f"{count} x {part.name}" if count > 1 else part.name


def _filter(part: FilterPart, count: int) -> Element:
    v = part.values
    loss = stated(part, "insertion_loss_db", v.insertion_loss_db)
    width = stated(part, "bandwidth_hz", v.bandwidth_hz)
    extinction = stated(part, "extinction_db", v.extinction_db)
    kind = FabryPerot if part.shape == "lorentzian" else FlatTop
    return kind(
        _times(part, count),
        float(angular(width.value)),
        loss.value,
        count * _margin(loss),
        extinction.value,
        count,
        weakest([loss, width, extinction]),
        float(np.sqrt(count)) * _sigma(loss),
        _band(part),
    )


def _loss(part: LossPart, count: int) -> Element:
    loss = stated(part, "insertion_loss_db", part.values.insertion_loss_db)
    return Loss(
        _times(part, count),
        count * loss.value,
        count * _margin(loss),
        weakest([loss]),
        sigma_db=float(np.sqrt(count)) * _sigma(loss),
        kind=part.category,
        band_nm=_band(part),
    )


_SWITCH_KEYS = (
    "insertion_loss_db",
    "switch_time_s",
    "isolation_db",
    "polarisation_loss_db",
    "fidelity_loss",
)


def _switch(part: SwitchPart, count: int) -> Element:
    v = part.values
    loss = stated(part, "insertion_loss_db", v.insertion_loss_db)
    setup = stated(part, "switch_time_s", v.switch_time_s)
    known = [n for n in (getattr(v, key) for key in _SWITCH_KEYS) if n is not None]
    polarised = 0.0 if v.polarisation_loss_db is None else v.polarisation_loss_db.value
    fidelity = 0.0 if v.fidelity_loss is None else v.fidelity_loss.value
    isolation = None
    if v.isolation_db is not None:  # each leaks at its output, and the next ones lose of it
        leaks = sum(float(transmittance(k * loss.value)) for k in range(count))
        isolation = max(0.0, v.isolation_db.value - 10 * float(np.log10(leaks)))
    return Switch(
        _times(part, count),
        count * loss.value,
        count * _margin(loss),
        weakest(known),
        setup.value,
        float(np.sqrt(count)) * _sigma(loss),
        _band(part),
        isolation,
        count * polarised,
        (1 - (1 - 2 * fidelity) ** count) / 2,  # depolarising channels multiply
        None if part.encodings is None else frozenset(part.encodings),
    )


def element_of(
    part: Part, carrier: float, *, length_km: float | None = None, count: int = 1
) -> tuple[Element, list[Input]]:
    """Turn a part into a link element.

    Parameters
    ----------
    part : Part
        The part.
    carrier : float
        Carrier of the photon [rad/s], against which the band is checked.
    length_km : float, optional
        Length of a fibre [km]; needed by a fibre and refused by anything else.
    count : int
        How many of them in a row.

    Returns
    -------
    tuple of Element and list of Input
        The element, and the numbers it rests on.

    Raises
    ------
    DataError
        If the part is no link element, lies outside its band, leaves out a number that is needed,
        or `length_km` is missing or misplaced.
    """
    check_band(part, carrier)
    if (length_km is not None) != isinstance(part, FibrePart):
        raise DataError(
            f"parts/{part.key}: 'length_km' belongs to a fibre, and a fibre needs it; got "
            f"{length_km}"
        )
    if isinstance(part, FibrePart):
        assert length_km is not None
        made = _fibre(part, carrier, length_km, count)
        return made, inputs_of(part, _fibre_keys(part, carrier))
    if isinstance(part, FilterPart):
        keys = ["insertion_loss_db", "bandwidth_hz", "extinction_db"]
        return _filter(part, count), inputs_of(part, [f"values.{key}" for key in keys])
    if isinstance(part, LossPart):
        return _loss(part, count), inputs_of(part, ["values.insertion_loss_db"])
    if isinstance(part, SwitchPart):
        keys = [f"values.{key}" for key in _SWITCH_KEYS]
        return _switch(part, count), inputs_of(part, keys)
    raise DataError(
        f"parts/{part.key}: a {part.category} cannot stand in an arm; use a coupling, connector, "
        "filter, fibre, switch, active or passive part"
    )


def detector_of(part: Part) -> tuple[Detector, list[Input]]:
    """Turn a part into a detector.

    Raises
    ------
    DataError
        If it is no detector, or states no efficiency, dark counts or dead time.
    """
    if not isinstance(part, DetectorPart):
        raise DataError(f"parts/{part.key}: a {part.category} is not a detector; name a detector")
    v = part.values
    efficiency = stated(part, "efficiency", v.efficiency)
    dark = stated(part, "dark_rate_hz", v.dark_rate_hz)
    dead = stated(part, "dead_time_s", v.dead_time_s)
    low = efficiency.min if efficiency.min is not None else efficiency.value
    also = [n for n in (v.afterpulse_probability, v.photons_resolved) if n is not None]
    used = [efficiency, dark, dead, *also]
    made = Detector(
        part.name,
        efficiency.value,
        dark.value,
        dead.value,
        float(decibels(low) - decibels(efficiency.value)),
        weakest(used),
        0.0 if v.jitter_fwhm_s is None else v.jitter_fwhm_s.value,
        0.0 if v.afterpulse_probability is None else v.afterpulse_probability.value,
        1 if v.photons_resolved is None else int(v.photons_resolved.value),
    )
    keys = ["efficiency", "dark_rate_hz", "dead_time_s", "afterpulse_probability"]
    keys.append("photons_resolved")  # jitter counts where a registration uses it
    return made, inputs_of(part, [f"values.{key}" for key in keys])


def memory_of(part: Part) -> tuple[Memory, float, list[Input]]:
    """Turn a part into a memory, with the time of its π pulse [s] (zero where none is stated).

    Raises
    ------
    DataError
        If it is no qubit or memory, or states no T1 or T2.
    """
    if not isinstance(part, QubitPart):
        raise DataError(
            f"parts/{part.key}: a {part.category} is not a qubit; name a qubit or memory"
        )
    v = part.values
    T1, T2 = stated(part, "t1_s", v.t1_s), stated(part, "t2_s", v.t2_s)
    pi_time = v.pi_time_s.value if v.pi_time_s is not None else 0.0
    keys = ["values.t1_s", "values.t2_s", "values.pi_time_s"]
    return Memory(T1.value, T2.value), pi_time, inputs_of(part, keys)
