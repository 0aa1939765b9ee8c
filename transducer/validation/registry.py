"""The list of figures that a device file can be asked, each with unit, engine and plane."""

from collections.abc import Callable
from dataclasses import dataclass

from transducer.validation.cases import Case
from transducer.validation.quantities import Quantity


@dataclass(frozen=True)
class Figure:
    """A figure that can be predicted.

    Parameters
    ----------
    name : str
        What a claim calls it.
    unit : str
        Its unit.
    quantity : Quantity
        What kind of figure it is.
    engine : str
        What computes it.
    plane : str
        Ports and reference plane.
    predict : callable
        From a `Case` to the value in that unit.
    """

    name: str
    unit: str
    quantity: Quantity
    engine: str
    plane: str
    predict: Callable[[Case], float]

    @property
    def says(self) -> str:
        """First line of what its function says."""
        return (self.predict.__doc__ or "").strip().splitlines()[0]


FIGURES: dict[str, Figure] = {}
"""Every figure that a claim may name."""

LIGHT = "behind the optical coupler, mode mismatch included"
INTO_LIGHT = f"from the device's source port to the beam {LIGHT}"


def figure(
    quantity: Quantity, unit: str, engine: str, plane: str
) -> Callable[[Callable[[Case], float]], Callable[[Case], float]]:
    """Enter a function into `FIGURES` under its own name."""

    def enter(predict: Callable[[Case], float]) -> Callable[[Case], float]:
        name = predict.__name__
        FIGURES[name] = Figure(name, unit, quantity, engine, plane, predict)
        return predict

    return enter
