"""From a file about a published device to one that can be pumped, every number's address kept."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from pydantic import BaseModel, ValidationError

from cavities import data
from cavities.errors import DataError, ParameterError
from cavities.numbers import Input, Number, numbers_in
from cavities.sentences import nearest
from transducer.device_builders import KINDS, Published, black_box
from transducer.device_file import BlackBoxFile, DeviceFile, ListingFile, PaperFile
from transducer.paper_file import Claim

__all__ = ["EXCLUSIVE", "Paper", "Published", "device_names", "load_device", "read_paper"]

EXCLUSIVE = (
    ("extraction", "kappa_ext_hz"),
    ("waveguide_temperature_k", "waveguide_occupation"),
    ("temperature_k", "occupation"),
    *combinations(("cooperativity", "internal_efficiency", "photons", "power_w", "energy_j"), 2),
)
"""Two ways to say one thing: a file gives one, an override of one replaces the other."""


@dataclass(frozen=True)
class Paper:
    """A file of ``data/devices``: read and checked, no device built yet.

    Parameters
    ----------
    file : PaperFile
        Its numbers with address and status.
    label : str
        What to call it in an error.
    folder : Path, optional
        Where a user's own file lies.
    """

    file: PaperFile
    label: str
    folder: Path | None = None

    @property
    def key(self) -> str:
        """Its name."""
        return self.file.key

    @property
    def citable(self) -> str:
        """What ``transducer cite`` knows it by: its name, or the path of a user's own file."""
        return self.key if self.folder is None else self.label

    @property
    def claims(self) -> list[Claim]:
        """What the paper reports."""
        return list(getattr(self.file, "reported", []))

    def at(self, operating_point: str | None = None) -> Published:
        """Build the device, its pump set by an operating point.

        Raises
        ------
        DataError
            If the file is a listing, or has no such operating point.
        ParameterError, ValidityError
            If the numbers make no device.
        """
        file: DeviceFile | ListingFile = self.file
        if isinstance(file, ListingFile):
            raise DataError(
                f"{self.label}: is a listing: it states too little to build a device; "
                f"'transducer device show {self.key}' prints what it reports"
            )
        if isinstance(file, BlackBoxFile):
            return black_box(file, operating_point, self.label, self.folder)
        return KINDS[file.model].build(file, operating_point, self.label)

    def inputs(self, operating_point: str | None, every_point: bool = False) -> list[Input]:
        """Every number of the file but those of other operating points, or with those, too."""
        kept = []
        for key, number in numbers_in(self.file):
            parts = key.split(".")
            if every_point or parts[0] != "operating_point" or parts[1] == operating_point:
                kept.append(Input(f"devices/{self.key}", key, number))
        return kept

    def with_values(self, values: Mapping[str, float]) -> "Paper":
        """Same paper with some numbers changed, whatever their status and their stated range.

        Parameters
        ----------
        values : mapping of str to float
            Dotted key of a number to its new value.

        Raises
        ------
        ParameterError
            If a value lies outside what such a number can be, a share above one for example.
        """
        file = self.file
        for key, value in values.items():
            file = file.model_copy(update=_replaced(file, key.split("."), value))
        return replace(self, file=file)


def _replaced(table: object, path: list[str], value: float) -> dict[str, object]:
    """The one entry of a table that changes, made anew."""
    head, rest = path[0], path[1:]
    below = table[head] if isinstance(table, Mapping) else getattr(table, head)
    if isinstance(below, Number):
        try:
            type(below)(value=value, where=below.where, status=below.status)  # its domain
        except ValidationError:
            raise ParameterError(f"'{head}' cannot be {value:.6g}") from None
        return {head: below.model_copy(update={"value": value})}
    changed = _replaced(below, rest, value)
    if isinstance(below, Mapping):
        return {head: {**below, **changed}}
    assert isinstance(below, BaseModel)
    return {head: below.model_copy(update=changed)}


def read_paper(
    name: str, override: Mapping[str, object] | None = None, beside: Path | None = None
) -> Paper:
    """Read any file of ``data/devices`` by name, or a user's own TOML file.

    Parameters as `load_device`.

    Raises
    ------
    DataError
        If file or key do not exist, or a value is not allowed.
    """
    label = name if name.endswith(".toml") else f"data/devices/{name}.toml"
    model = data.read_toml(data.find("devices", name, beside), label).get("model")
    known = [*KINDS, "listing"]
    if not isinstance(model, str) or model not in known:
        hint = nearest(str(model), known)
        raise DataError(f"{label}: 'model' = {model!r} is not a kind of device; {hint}")
    table: type[DeviceFile] | type[ListingFile] = (
        ListingFile if model == "listing" else KINDS[model].table
    )
    file = data.load("devices", name, table, override, EXCLUSIVE, beside)
    own = (beside or Path()) / Path(name).parent if name.endswith(".toml") else None
    return Paper(file, label, own)


def device_names() -> list[str]:
    """Names of the shipped files that a device can be built from, sorted; listings are left out."""
    found = []
    for name in data.names("devices"):
        model = data.read_toml(data.find("devices", name)).get("model")
        if model != "listing":
            found.append(name)
    return found


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
    return read_paper(name, override, beside).at(operating_point)
