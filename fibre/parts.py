"""Parts from data sheets.

A file each, every number with its address and status, turned into link elements.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from cavities import data
from cavities.constants import angular, wavelength_nm
from cavities.errors import DataError
from cavities.numbers import (
    Input,
    NonNegative,
    Number,
    Positive,
    Share,
    Strict,
    numbers_in,
    weakest,
)
from cavities.sentences import nearest
from fibre.detectors import Detector
from fibre.elements import Element, FabryPerot, FibreSpan, Loss, decibels
from fibre.memory import Memory


class _Part(Strict):
    key: str
    name: str
    band_nm: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    note: str = ""


def _wavelengths(table: dict[str, object]) -> dict[str, object]:
    for key in table:
        if not key.isdecimal():
            raise ValueError(f"its keys are wavelengths in nm, such as 1550, got {key!r}")
    return table


class FibreValues(Strict):
    """Numbers of a fibre; attenuation and group index by wavelength in nm."""

    attenuation_db_per_km: Annotated[dict[str, NonNegative], AfterValidator(_wavelengths)]
    group_index: Annotated[dict[str, Positive], AfterValidator(_wavelengths)]


class LossValues(Strict):
    """Numbers of a part that only loses light."""

    insertion_loss_db: NonNegative


class FilterValues(Strict):
    """Numbers of one Fabry-Perot stage."""

    insertion_loss_db: NonNegative
    bandwidth_hz: Positive
    extinction_db: NonNegative


class SwitchValues(Strict):
    """Numbers of a switch path."""

    insertion_loss_db: NonNegative
    switch_time_s: NonNegative


class DetectorValues(Strict):
    """Numbers of a threshold detector."""

    efficiency: Share
    dark_rate_hz: NonNegative
    dead_time_s: NonNegative


class QubitValues(Strict):
    """Numbers of a qubit or a memory."""

    t1_s: Positive
    t2_s: Positive
    pi_time_s: Positive | None = None


class FibrePart(_Part):
    """A fibre."""

    category: Literal["fibre"]
    values: FibreValues


class LossPart(_Part):
    """A coupler, connector, splice, feedthrough or beam splitter."""

    category: Literal["coupling", "connector", "passive"]
    values: LossValues


class FilterPart(_Part):
    """A Fabry-Perot filter stage."""

    category: Literal["filter"]
    values: FilterValues


class SwitchPart(_Part):
    """An optical switch."""

    category: Literal["switch"]
    values: SwitchValues


class DetectorPart(_Part):
    """A threshold detector."""

    category: Literal["detector"]
    values: DetectorValues


class QubitPart(_Part):
    """A qubit or a memory."""

    category: Literal["qubit", "memory"]
    values: QubitValues


Part = FibrePart | LossPart | FilterPart | SwitchPart | DetectorPart | QubitPart

_MODELS: dict[str, type[Part]] = {
    "fibre": FibrePart,
    "coupling": LossPart,
    "connector": LossPart,
    "passive": LossPart,
    "filter": FilterPart,
    "switch": SwitchPart,
    "detector": DetectorPart,
    "qubit": QubitPart,
    "memory": QubitPart,
}


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
    if not isinstance(category, str) or category not in _MODELS:
        hint = nearest(str(category), _MODELS)
        raise DataError(f"{label}: 'category' = {category!r} is not a kind of part; {hint}")
    return data.load("parts", name, _MODELS[category], override, beside=beside)


def inputs_of(part: Part, keys: list[str] | None = None) -> list[Input]:
    """Numbers of a part as inputs of a result; `keys` picks some of them."""
    found = list(numbers_in(part))
    return [
        Input(f"parts/{part.key}", key, number)
        for key, number in found
        if keys is None or key in keys
    ]


def _wavelength(table: Mapping[str, Number], carrier: float, what: str, part: FibrePart) -> str:
    nm = wavelength_nm(carrier)
    for key in table:
        if abs(float(key) - nm) <= 15.0:
            return key
    listed = ", ".join(sorted(table))
    raise DataError(
        f"parts/{part.key}: '{what}' is not given within 15 nm of {nm:.1f} nm; it lists {listed} "
        "nm: add that wavelength or choose another fibre"
    )


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
        If the part is no link element, lies outside its band, or `length_km` is missing or
        misplaced.
    """
    check_band(part, carrier)
    if (length_km is not None) != isinstance(part, FibrePart):
        raise DataError(
            f"parts/{part.key}: 'length_km' belongs to a fibre, and a fibre needs it; got "
            f"{length_km}"
        )
    times = f"{count} x " if count > 1 else ""
    if isinstance(part, FibrePart):
        at = _wavelength(part.values.attenuation_db_per_km, carrier, "attenuation_db_per_km", part)
        loss = part.values.attenuation_db_per_km[at]
        at_index = _wavelength(part.values.group_index, carrier, "group_index", part)
        index = part.values.group_index[at_index]
        assert length_km is not None
        ceiling = loss.max if loss.max is not None else loss.value
        span = FibreSpan(
            f"{part.name}, {length_km * count:g} km",
            1e3 * length_km * count,
            loss.value / 1e3,
            ceiling / 1e3,
            index.value,
            weakest([loss, index]),
        )
        keys = [f"values.attenuation_db_per_km.{at}", f"values.group_index.{at_index}"]
        return span, inputs_of(part, keys)
    if isinstance(part, FilterPart):
        v = part.values
        stages = FabryPerot(
            times + part.name,
            float(angular(v.bandwidth_hz.value)),
            v.insertion_loss_db.value,
            count * _margin(v.insertion_loss_db),
            v.extinction_db.value,
            count,
            weakest([v.insertion_loss_db, v.bandwidth_hz, v.extinction_db]),
        )
        return stages, inputs_of(part)
    if isinstance(part, LossPart | SwitchPart):
        loss = part.values.insertion_loss_db
        setup = part.values.switch_time_s.value if isinstance(part, SwitchPart) else 0.0
        numbers = [number for _, number in numbers_in(part)]
        lossy = Loss(
            times + part.name, count * loss.value, count * _margin(loss), weakest(numbers), setup
        )
        return lossy, inputs_of(part)
    raise DataError(
        f"parts/{part.key}: a {part.category} cannot stand in an arm; use a coupling, connector, "
        "filter, fibre, switch or passive part"
    )


def _margin(number: Number) -> float:
    return 0.0 if number.max is None else number.max - number.value


def detector_of(part: Part) -> tuple[Detector, list[Input]]:
    """Turn a part into a detector.

    Raises
    ------
    DataError
        If it is no detector.
    """
    if not isinstance(part, DetectorPart):
        raise DataError(f"parts/{part.key}: a {part.category} is not a detector; name a detector")
    v = part.values
    low = v.efficiency.min if v.efficiency.min is not None else v.efficiency.value
    margin = float(decibels(low) - decibels(v.efficiency.value))
    basis = weakest([v.efficiency, v.dark_rate_hz, v.dead_time_s])
    made = Detector(
        part.name, v.efficiency.value, v.dark_rate_hz.value, v.dead_time_s.value, margin, basis
    )
    return made, inputs_of(part)


def memory_of(part: Part) -> tuple[Memory, float, list[Input]]:
    """Turn a part into a memory, with the time of its π pulse [s] (zero where none is stated).

    Raises
    ------
    DataError
        If it is no qubit or memory.
    """
    if not isinstance(part, QubitPart):
        raise DataError(
            f"parts/{part.key}: a {part.category} is not a qubit; name a qubit or memory"
        )
    v = part.values
    pi_time = v.pi_time_s.value if v.pi_time_s is not None else 0.0
    return Memory(v.t1_s.value, v.t2_s.value), pi_time, inputs_of(part)
