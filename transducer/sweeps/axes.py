"""Which points a sweep visits: a grid of named axes, axes side by side, or a sampled box."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cavities.errors import ParameterError
from cavities.sentences import nearest, short

Values = NDArray[Any]
"""Values of an axis: float64, or words."""

POINT = "point"
"""Dimension of points that are not a grid."""

LONGEST = 100
"""Characters of a name: what every file format takes."""

RESERVED = (POINT, "status", "reason", "reason_text", "reason_index", "inputs", "detail")
"""Names that a sweep's result uses itself."""


@dataclass(frozen=True)
class Axis:
    """A named parameter and the values it takes.

    Parameters
    ----------
    name : str
        Name of the function's argument.
    values : array_like, shape (n,)
        Finite numbers in `unit`, or words; at least one.
    unit : str
        Unit as it is printed; ``1`` for a pure number.
    long_name : str
        What it is, in words.

    Raises
    ------
    ParameterError
        If there is no value, a value is not finite, or the name is taken.

    Examples
    --------
    >>> Axis("power", [1e-6, 2e-6], "W").values.tolist()
    [1e-06, 2e-06]
    """

    name: str
    values: Values
    unit: str = "1"
    long_name: str = ""

    def __post_init__(self) -> None:
        _require_name(self.name)
        for text in (self.unit, self.long_name):
            require_storable(text, f"axis '{self.name}'")
        require_unit(self.unit, f"axis '{self.name}'")
        object.__setattr__(self, "values", _values(self.name, self.values))
        if not self.numeric:
            for word in self.values:
                require_storable(word, f"axis '{self.name}'")

    @property
    def numeric(self) -> bool:
        """Whether the values are numbers."""
        return self.values.dtype.kind == "f"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the values."""
        raw = self.values.tobytes() if self.numeric else "\0".join(self.values).encode("utf-8")
        return hashlib.sha256(raw).hexdigest()


def require_storable(text: str, what: str) -> None:
    """Refuse what no file can hold: a NUL, half a character."""
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ParameterError(
            f"{what}: {short(text)} holds a character that no file can keep; leave it out"
        )


def require_unit(unit: str, what: str) -> None:
    """Refuse a unit that every reader would take for a calendar."""
    if " since " in f" {unit} ":
        raise ParameterError(
            f"{what}: the unit {short(unit)} would be read as a date; write 's' or 'd', and say in "
            "the long name since when"
        )


def _require_name(name: str) -> None:
    if not (isinstance(name, str) and name.isidentifier() and len(name) <= LONGEST):
        raise ParameterError(
            f"axis {short(name)}: a name must be letters, digits and underscores, at most "
            f"{LONGEST} of them; rename it"
        )
    if name in RESERVED:
        raise ParameterError(f"axis '{name}': a sweep's result uses this name; rename the axis")


def _values(name: str, given: ArrayLike) -> Values:
    try:
        values = np.atleast_1d(np.asarray(given))
    except ValueError:
        values = np.zeros((1, 1))
    if values.ndim != 1:
        raise ParameterError(f"axis '{name}': values must form one row, got shape {values.shape}")
    if values.size == 0:
        raise ParameterError(f"axis '{name}' is empty; give it at least one value")
    if values.dtype.kind in "biuf":
        return _frozen(_finite(name, values))
    entries = list(given) if isinstance(given, (list, tuple)) else values.tolist()
    other = next((v for v in entries if not isinstance(v, str)), None)
    if values.dtype.kind not in "UO" or any(not isinstance(v, str) for v in entries):
        raise ParameterError(
            f"axis '{name}': values must be numbers or words, all of them, got {short(other)}; "
            f"whole numbers must stay below 2^63"
        )
    return _frozen(np.array([str(v) for v in entries], dtype=object))


def _finite(name: str, values: Values) -> Values:
    numbers = values.astype(np.float64)
    bad = numbers[~np.isfinite(numbers)]
    if bad.size:
        raise ParameterError(f"axis '{name}': values must be finite numbers, got {bad[0]}")
    if values.dtype.kind in "iu":
        rounded = [int(v) for v in values if int(v) != int(float(v))]
        if rounded:
            raise ParameterError(
                f"axis '{name}': {rounded[0]} does not fit a floating-point number exactly; use "
                "values up to 2^53"
            )
    return numbers


def _frozen(values: Values) -> Values:
    """A copy nobody can change: the points of a sweep are fixed."""
    values = values.copy()
    values.setflags(write=False)
    return values


@dataclass(frozen=True)
class Range:
    """A named parameter and the interval it is sampled from.

    Parameters
    ----------
    name : str
        Name of the function's argument.
    low, high : float
        Ends of the interval in `unit`, low < high.
    unit, long_name : str
        As of `Axis`.
    scale : str
        ``linear``, or ``log`` for samples that are uniform in the logarithm (low > 0).
    """

    name: str
    low: float
    high: float
    unit: str = "1"
    long_name: str = ""
    scale: Literal["linear", "log"] = "linear"

    def __post_init__(self) -> None:
        _require_name(self.name)
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ParameterError(
                f"range '{self.name}': low must be below high, both finite, got {self.low} and "
                f"{self.high}"
            )
        if self.scale not in ("linear", "log"):
            raise ParameterError(
                f"range '{self.name}': scale '{self.scale}' is not known; "
                f"{nearest(self.scale, ('linear', 'log'))}"
            )
        if self.scale == "log" and not self.low > 0:
            raise ParameterError(
                f"range '{self.name}': a logarithmic range must start above 0, got {self.low}"
            )

    def at(self, share: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values at shares of the interval in [0, 1]."""
        if self.scale == "log":
            values = np.exp((1 - share) * np.log(self.low) + share * np.log(self.high))
        else:
            values = (1 - share) * self.low + share * self.high
        return np.asarray(np.clip(values, self.low, self.high))


Kind = Literal["grid", "zipped", "sobol", "latin-hypercube"]


@dataclass(frozen=True)
class Design:
    """The points of a sweep, numbered: a grid in row-major order, or one after another.

    Parameters
    ----------
    kind : str
        ``grid``, ``zipped``, ``sobol`` or ``latin-hypercube``.
    axes : tuple of Axis
        In the order of the dimensions.
    seed : int, optional
        Seed of the samples.
    """

    kind: Kind
    axes: tuple[Axis, ...]
    seed: int | None = None

    def __post_init__(self) -> None:
        if not self.axes:
            raise ParameterError("a sweep needs at least one axis")
        for axis in self.axes:
            if not isinstance(axis, Axis):
                raise ParameterError(
                    f"a {self.kind} design is made of Axis, got {type(axis).__name__}; a Range "
                    "belongs into 'sampled'"
                )
        names = [axis.name for axis in self.axes]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ParameterError(f"axis '{twice}' is given twice; leave one of them out")
        if self.kind == "grid":
            for axis in self.axes:
                unique, counts = np.unique(axis.values, return_counts=True)
                if np.any(counts > 1):
                    raise ParameterError(
                        f"axis '{axis.name}' holds {unique[counts > 1][0]} more than once; a grid "
                        "takes every value once"
                    )
            return
        lengths = {axis.name: len(axis.values) for axis in self.axes}
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{name} has {n}" for name, n in lengths.items())
            raise ParameterError(f"axes side by side must be equally long: {listed}")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the axes."""
        return tuple(axis.name for axis in self.axes)

    @property
    def dims(self) -> tuple[str, ...]:
        """Dimensions of the result."""
        return self.names if self.kind == "grid" else (POINT,)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each dimension."""
        if self.kind == "grid":
            return tuple(len(axis.values) for axis in self.axes)
        return (len(self.axes[0].values),)

    @property
    def size(self) -> int:
        """Number of points."""
        return math.prod(self.shape)

    def columns(self, start: int, stop: int) -> dict[str, Values]:
        """Values of every axis at points ``start`` to ``stop`` (excluded), shape (stop - start,).

        Examples
        --------
        >>> grid(Axis("x", [1.0, 2.0]), Axis("y", [5.0, 6.0])).columns(1, 3)["x"].tolist()
        [1.0, 2.0]
        """
        if self.kind != "grid":
            return {axis.name: axis.values[start:stop] for axis in self.axes}
        index = np.unravel_index(np.arange(start, stop), self.shape)
        return {axis.name: axis.values[i] for axis, i in zip(self.axes, index, strict=True)}


Axes = Design | Mapping[str, "ArrayLike | Axis"] | Sequence[Axis]
"""What a sweep takes for its axes: a design, or axes that make a grid."""


def grid(*axes: Axis) -> Design:
    """Every combination of the axes' values; the last axis runs fastest.

    Raises
    ------
    ParameterError
        If there is no axis, a name comes twice, or an axis repeats a value.
    """
    return Design("grid", axes)


def zipped(*axes: Axis) -> Design:
    """Point i takes the i-th value of every axis.

    Raises
    ------
    ParameterError
        If the axes differ in length, a name comes twice, or there is none.
    """
    return Design("zipped", axes)


def sampled(
    *ranges: Range, count: int, seed: int, method: Literal["sobol", "latin-hypercube"] = "sobol"
) -> Design:
    """Sample a box: a scrambled Sobol sequence, or a Latin hypercube.

    Parameters
    ----------
    *ranges : Range
        Sides of the box.
    count : int
        Number of points, >= 1; a power of two keeps a Sobol sequence balanced.
    seed : int
        Seed of the generator, >= 0: the same seed gives the same points.
    method : str
        ``sobol`` or ``latin-hypercube``.

    Returns
    -------
    Design
        The points, with their seed.

    Source: `scipy.stats.qmc`.

    Examples
    --------
    >>> box = sampled(Range("power", 1e-6, 1e-3, "W", scale="log"), count=4, seed=7)
    >>> bool(((box.axes[0].values > 1e-6) & (box.axes[0].values < 1e-3)).all())
    True
    """
    if not (_whole(count) and _whole(seed) and count >= 1 and seed >= 0):
        raise ParameterError(
            f"sampled: whole numbers count >= 1 and seed >= 0 are needed, got {count}, {seed}"
        )
    if not ranges:
        raise ParameterError("a sweep needs at least one axis")
    from scipy.stats import qmc

    makers = {"sobol": qmc.Sobol, "latin-hypercube": qmc.LatinHypercube}
    if method not in makers:
        raise ParameterError(f"sampler '{method}' is not known; {nearest(method, makers)}")
    generator = np.random.default_rng(seed)
    if method == "sobol":
        engine = qmc.Sobol(len(ranges), scramble=True, rng=generator)
        # whole powers of two are drawn, and the first of them kept
        unit = engine.random_base2(max(0, math.ceil(math.log2(count))))[:count]
    else:
        unit = qmc.LatinHypercube(len(ranges), rng=generator).random(count)
    axes = (Axis(r.name, r.at(u), r.unit, r.long_name) for r, u in zip(ranges, unit.T, strict=True))
    return Design(method, tuple(axes), seed)


def _whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def design_of(axes: Axes) -> Design:
    """Turn what a user gives for axes into a design: a mapping or a list of axes makes a grid.

    Examples
    --------
    >>> design_of({"x": [1, 2], "y": Axis("y", [0.1, 0.2, 0.3], "s")}).shape
    (2, 3)
    """
    if isinstance(axes, Design):
        return axes
    if isinstance(axes, Mapping):
        return grid(*(_named(name, values) for name, values in axes.items()))
    if not isinstance(axes, (list, tuple)):
        raise ParameterError(
            f"the axes of a sweep are a mapping of names to values, got {short(axes)}; write "
            "{'power': [1e-6, 2e-6]}"
        )
    return grid(*axes)


def _named(name: str, values: "ArrayLike | Axis") -> Axis:
    if not isinstance(values, Axis):
        return Axis(name, np.asarray(values))
    if values.name != name:
        raise ParameterError(
            f"axis '{values.name}' stands under the key '{name}'; give both one name"
        )
    return values
