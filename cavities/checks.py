"""Guards at construction: a quantity that leaves its domain is answered with a sentence."""

import numpy as np

from cavities.constants import Real
from cavities.errors import ParameterError


def _rule(
    at_least: float | None, above: float | None, at_most: float | None, below: float | None
) -> str:
    parts = []
    if above is not None:
        parts.append(f"> {above:g}")
    if at_least is not None:
        parts.append(f">= {at_least:g}")
    if below is not None:
        parts.append(f"< {below:g}")
    if at_most is not None:
        parts.append(f"<= {at_most:g}")
    return " and ".join(parts)


def number(
    label: str,
    value: Real,
    unit: str,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    remedy: str = "",
) -> None:
    """Refuse a value that is not a finite real number inside its range.

    Parameters
    ----------
    label : str
        What the value is called, for example ``Mode.kappa_ext``.
    value : float or ndarray, shape (...)
        The value; every element of an array must pass, and an empty array does not.
    unit : str
        Its unit, printed in brackets.
    at_least, above, at_most, below : float, optional
        Closed and open limits.
    remedy : str, optional
        What to do about it, appended to the sentence.

    Raises
    ------
    ParameterError
        Names the quantity, its unit, the rule and the first offending value.

    Examples
    --------
    >>> number("Mode.kappa_ext", -1.0, "rad/s", at_least=0.0)
    Traceback (most recent call last):
    ...
    cavities.errors.ParameterError: Mode.kappa_ext [rad/s] must be a finite number >= 0, got -1.0
    """
    if isinstance(value, float) and (  # the common case, without arrays
        (at_least is None or value >= at_least)
        and (above is None or value > above)
        and (at_most is None or value <= at_most)
        and (below is None or value < below)
        and -float("inf") < value < float("inf")
    ):
        return
    rule = _rule(at_least, above, at_most, below)
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.array([np.nan])
    bad = ~np.isfinite(array)
    with np.errstate(invalid="ignore"):
        if at_least is not None:
            bad |= ~(array >= at_least)
        if above is not None:
            bad |= ~(array > above)
        if at_most is not None:
            bad |= ~(array <= at_most)
        if below is not None:
            bad |= ~(array < below)
    if array.size == 0:
        raise ParameterError(f"{label} [{unit}] must hold at least one number, got an empty array")
    if np.any(bad):
        got = value if array.ndim == 0 else array[bad].flat[0]
        tail = f"; {remedy}" if remedy else ""
        raise ParameterError(f"{label} [{unit}] must be a finite number {rule}, got {got}{tail}")


def probability(label: str, value: Real) -> None:
    """Refuse a value outside [0, 1].

    Examples
    --------
    >>> probability("alpha", 1.5)
    Traceback (most recent call last):
    ...
    cavities.errors.ParameterError: alpha [1] must be a finite number >= 0 and <= 1, got 1.5
    """
    number(label, value, "1", at_least=0.0, at_most=1.0)
