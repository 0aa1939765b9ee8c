"""Two archives of the same points: which figures moved, and by how much."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cavities.errors import SweepError
from transducer import archive
from transducer.sweeps.plan import differences

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True)
class Move:
    """How one figure differs between two archives.

    Parameters
    ----------
    name, unit : str
        The figure.
    points : int
        Points at which it differs, or has a value in one archive only.
    largest : float
        Largest difference, second minus first, in `unit`.
    relative : float
        Largest difference over the larger magnitude of the two [1].
    where : str
        Point of the largest relative difference.
    """

    name: str
    unit: str
    points: int
    largest: float
    relative: float
    where: str


@dataclass(frozen=True)
class Comparison:
    """Two archives, held against each other.

    Parameters
    ----------
    moves : tuple of Move
        Figures that differ, the largest relative change first.
    same : int
        Figures that are equal at every point.
    missing : tuple of str
        Figures that only one of them holds.
    inputs : tuple of str
        What differs in the inputs, a sentence each.
    """

    moves: tuple[Move, ...]
    same: int
    missing: tuple[str, ...]
    inputs: tuple[str, ...]


def compare(first: Path | str, second: Path | str) -> Comparison:
    """Compare two archives point by point.

    Parameters
    ----------
    first, second : path
        Archives of sweeps (or of links), finished or not.

    Raises
    ------
    SweepError
        If they do not hold the same points.
    DataError
        If one cannot be read.
    """
    one, two = archive.load(first), archive.load(second)
    _require_same_points(one, two, first, second)
    figures = [[n for n, v in d.data_vars.items() if v.dtype.kind == "f"] for d in (one, two)]
    common = [name for name in figures[0] if name in figures[1]]
    moves = [m for name in common if (m := _move(name, one[name], two[name])) is not None]
    moves.sort(key=lambda move: -move.relative)
    missing = tuple(sorted(set(figures[0]) ^ set(figures[1])))
    return Comparison(tuple(moves), len(common) - len(moves), missing, _inputs(first, second))


def _require_same_points(
    one: "xarray.Dataset", two: "xarray.Dataset", first: Path | str, second: Path | str
) -> None:
    for name in dict.fromkeys([*one.coords, *two.coords]):
        if name not in one.coords or name not in two.coords:
            where = first if name in one.coords else second
            raise SweepError(f"only {where} has an axis '{name}'; compare archives of one study")
        if not np.array_equal(one[name].values, two[name].values):
            raise SweepError(
                f"axis '{name}' has other values in {second} than in {first}; compare archives of "
                "the same points"
            )
    if dict(one.sizes) != dict(two.sizes):
        raise SweepError(
            f"{first} and {second} hold {dict(one.sizes)} and {dict(two.sizes)} points"
        )


def _move(name: str, one: "xarray.DataArray", two: "xarray.DataArray") -> Move | None:
    a, b = np.asarray(one.values), np.asarray(two.values)
    apart = ~((a == b) | (np.isnan(a) & np.isnan(b)))
    if not apart.any():
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = np.abs(b - a) / np.maximum(np.abs(a), np.abs(b))
    relative = np.where(apart, np.where(np.isnan(relative), np.inf, relative), 0.0)
    at = np.unravel_index(int(np.argmax(relative)), a.shape)
    change = np.where(apart & np.isfinite(b - a), b - a, 0.0)
    largest = change.flat[int(np.argmax(np.abs(change)))] if np.any(change) else np.nan
    return Move(
        name,
        str(one.attrs.get("units", "1")),
        int(np.count_nonzero(apart)),
        float(largest),
        float(relative[at]),
        _point(one, at),
    )


def _point(of: "xarray.DataArray", at: tuple[Any, ...]) -> str:
    place = dict(zip(of.dims, at, strict=True))
    shown = []
    for name, axis in of.coords.items():
        if set(axis.dims) <= set(place):
            value = axis.values[tuple(place[d] for d in axis.dims)]
            shown.append(
                f"{name} = {value:.6g}" if isinstance(value, float) else f"{name} = {value}"
            )
    return ", ".join(shown)


def _inputs(first: Path | str, second: Path | str) -> tuple[str, ...]:
    texts = [archive.texts_of(path) for path in (first, second)]
    names = sorted({*texts[0], *texts[1]})
    return tuple(
        change
        for name in names
        for change in differences(name, texts[0].get(name), texts[1].get(name))
    )
