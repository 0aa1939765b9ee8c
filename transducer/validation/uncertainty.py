"""What a prediction rests on, and how far it is known.

Both are found by asking again with changed numbers: shaken one by one, then drawn together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cavities.errors import ToolkitError
from cavities.numbers import Input, Number

SHAKE = 1e-2
"""Relative change of a number that is shaken."""
SILENT = 1e-9
"""A prediction that moves by less than this relative amount does not rest on the number."""
ZERO_STEPS = {"_hz": (1e3, 1e6, 1e9), "_k": (1e-3, 1.0), "_s": (1e-12, 1e-9, 1e-6)}
"""Steps for a number that is zero, by the unit in its key; `ANY_STEPS` for any other."""
ANY_STEPS = (1e-3, 1.0)
"""A detuning of one kilohertz says nothing of a line of a gigahertz: several decades are tried."""

Predict = Callable[[Mapping[str, float]], float]
"""A prediction with some numbers changed, by dotted key."""


def moved_by(
    predict: Predict, inputs: Sequence[Input], base: float, known_to: float = SILENT
) -> tuple[Input, ...]:
    """Find the numbers that a prediction moves with.

    Parameters
    ----------
    predict : callable
        The prediction with some numbers changed.
    inputs : sequence of Input
        Every number it might rest on.
    base : float
        The prediction with none changed.
    known_to : float
        Relative accuracy of the prediction; smaller moves are none.

    Returns
    -------
    tuple of Input
        Those that move it; a number that cannot be changed either way without being refused counts,
        too.
    """
    return tuple(entry for entry in inputs if _moves(predict, entry, base, known_to))


def _moves(predict: Predict, entry: Input, base: float, known_to: float) -> bool:
    value = entry.number.value
    steps: tuple[float, ...] = (SHAKE * abs(value),)
    if value == 0:
        unit = next((u for u in ZERO_STEPS if entry.key.endswith(u)), "")
        steps = ZERO_STEPS.get(unit, ANY_STEPS)
    refused = 0
    for shaken in (value + sign * step for step in steps for sign in (1, -1)):
        try:
            moved = predict({entry.key: shaken})
        except ToolkitError:
            refused += 1
            continue
        if not abs(moved - base) <= known_to * abs(base):
            return True
    return refused == 2 * len(steps)


@dataclass(frozen=True)
class Spread:
    """How far a prediction is known.

    Parameters
    ----------
    low, high : float
        16th and 84th percentile of the prediction over the uncertainties of its inputs.
    band : tuple of float, optional
        Lowest and highest prediction over the stated ranges of free parameters.
    samples : int
        Draws, points of a range too, that made a device.
    refused : int
        Draws that made none and were left out.
    """

    low: float
    high: float
    band: tuple[float, float] | None = None
    samples: int = 0
    refused: int = 0


def is_free(number: Number) -> bool:
    """Whether no source states a number, and it is varied over a stated range instead."""
    return number.status == "guess" and number.min is not None and number.max is not None


def spread_of(
    predict: Predict, inputs: Sequence[Input], base: float, samples: int, seed: int = 1
) -> Spread:
    r"""Monte Carlo over the uncertainties of the inputs, and the band of the free ones.

    A stated sigma is drawn from a normal law (two halves where the steps differ), a rounding from
    the interval that rounds to the printed digits; a free parameter keeps its value in this part
    and is then taken over its range alone.

    Parameters
    ----------
    predict : callable
        The prediction with some numbers changed.
    inputs : sequence of Input
        Numbers it rests on.
    base : float
        The prediction with none changed.
    samples : int
        Draws, >= 2.
    seed : int
        Of the random numbers.
    """
    uncertain = [e for e in inputs if e.number.sigma or e.number.rounding is not None]
    uncertain = [e for e in uncertain if not is_free(e.number)]
    free = [e for e in inputs if is_free(e.number)]
    low, high, made, refused = base, base, 0, 0
    if uncertain:
        found, refused = _drawn(predict, uncertain, samples, seed)
        made = len(found)
        if made > 1:
            low, high = (float(x) for x in np.percentile(found, (15.8655, 84.1345)))
    band = None
    if free:
        edge, outside = _over_ranges(predict, free, max(16, samples // 4), seed)
        values = [base, *edge]
        band = float(min(values)), float(max(values))
        made, refused = made + len(edge), refused + outside
    return Spread(low, high, band, made, refused)


def _drawn(
    predict: Predict, inputs: Sequence[Input], samples: int, seed: int
) -> tuple[NDArray[np.float64], int]:
    from scipy.special import ndtri

    uniform = _even(samples, len(inputs), seed)
    found: list[float] = []
    refused = 0
    for row in uniform:
        changed = {}
        for u, entry in zip(row, inputs, strict=True):
            number = entry.number
            if number.sigmas is not None:
                z = float(ndtri(u))
                step = z * (number.sigmas[1] if z > 0 else number.sigmas[0])
            else:
                assert number.rounding is not None
                step = (2 * u - 1) * number.rounding
            changed[entry.key] = number.value + step
        refused += not _asked(predict, changed, found)
    return np.array(found), refused


def _asked(predict: Predict, changed: Mapping[str, float], found: list[float]) -> bool:
    """Add a prediction; false where the numbers make no device, or the figure does not exist."""
    try:
        value = predict(changed)
    except ToolkitError:
        return False
    if np.isfinite(value):
        found.append(value)
    return bool(np.isfinite(value))


def _over_ranges(
    predict: Predict, free: Sequence[Input], samples: int, seed: int
) -> tuple[list[float], int]:
    """Predictions at the corners and inside of the ranges; a range may hold a maximum."""
    ends = [(e.number.min, e.number.max) for e in free]
    low = np.array([float(a) for a, _ in ends if a is not None])
    wide = np.array([float(b) for _, b in ends if b is not None]) - low
    n = len(free)
    corners = np.array([[(k >> i) & 1 for i in range(n)] for k in range(2 ** min(n, 6))], float)
    inside = _even(samples, n, seed)
    if n == 1:
        inside = np.linspace(0, 1, samples)[:, None]
    found: list[float] = []
    refused = 0
    for u in np.concatenate([corners, inside]):
        changed = dict(zip((e.key for e in free), (float(x) for x in low + u * wide), strict=True))
        refused += not _asked(predict, changed, found)
    return found, refused


def _even(samples: int, dimensions: int, seed: int) -> NDArray[np.float64]:
    """Evenly spread points of the open unit cube (Latin hypercube)."""
    rng = np.random.default_rng(seed)
    ranks = np.argsort(rng.random((samples, dimensions)), axis=0)
    return np.asarray((ranks + rng.random((samples, dimensions))) / samples)
