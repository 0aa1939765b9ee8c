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
    known_to : float
        Relative accuracy of what a search finds; smaller moves are none.
    ours : bool
        Whether physics of the toolkit stands between the numbers of the file and the figure.
    """

    name: str
    unit: str
    quantity: Quantity
    engine: str
    plane: str
    predict: Callable[[Case], float]
    known_to: float = 1e-9
    ours: bool = True

    def plane_of(self, direction: str) -> str:
        """Ports and plane in one direction, ``up`` or ``down``."""
        return OUT_OF_LIGHT if direction == "down" and self.plane == INTO_LIGHT else self.plane

    @property
    def says(self) -> str:
        """First line of what its function says."""
        return (self.predict.__doc__ or "").strip().splitlines()[0]


FIGURES: dict[str, Figure] = {}
"""Every figure that a claim may name."""

LIGHT = "behind the optical coupler, mode mismatch included"
INTO_LIGHT = f"from the device's source port to the beam {LIGHT}"
OUT_OF_LIGHT = f"from the beam {LIGHT}, to the device's source port"


def figure(
    quantity: Quantity,
    unit: str,
    engine: str,
    plane: str,
    known_to: float = 1e-9,
    ours: bool = True,
) -> Callable[[Callable[[Case], float]], Callable[[Case], float]]:
    """Enter a function into `FIGURES` under its own name."""

    def enter(predict: Callable[[Case], float]) -> Callable[[Case], float]:
        name = predict.__name__
        FIGURES[name] = Figure(name, unit, quantity, engine, plane, predict, known_to, ours)
        return predict

    return enter
