"""A budget's totals: typical, worst case, mean plus three sigma, and room for repair and ageing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cavities import checks
from fibre.budget import Link, Row
from fibre.elements import Loss


@dataclass(frozen=True)
class Margins:
    """Loss that is held in reserve in each arm.

    Parameters
    ----------
    repair_db : float
        For splices of later repairs [dB], >= 0.
    ageing_db : float
        For ageing over the life of the link [dB], >= 0.
    """

    repair_db: float = 0.0
    ageing_db: float = 0.0

    def __post_init__(self) -> None:
        checks.number("Margins.repair_db", self.repair_db, "dB", at_least=0.0)
        checks.number("Margins.ageing_db", self.ageing_db, "dB", at_least=0.0)

    @property
    def total_db(self) -> float:
        """Both together [dB]."""
        return self.repair_db + self.ageing_db


@dataclass(frozen=True)
class Total:
    r"""Loss of one arm from the emitter to the click.

    Parameters
    ----------
    arm : str
        Name of the arm.
    typical_db : float
        Sum of typical losses [dB]; of a batch, that of its worst point.
    statistical_db : float
        :math:`\\sum L_k + 3\\sqrt{\\sum\\sigma_k^2}` [dB], rows independent.
    worst_db : float
        Sum of worst cases [dB].
    """

    arm: str
    typical_db: float
    statistical_db: float
    worst_db: float


def totals(rows: Sequence[Row]) -> tuple[Total, ...]:
    """Totals of every arm in a budget, in the order of its rows.

    Examples
    --------
    >>> rows = [Row("A", "x", 3.0, 4.0, 3.0, 0.5, 0.0, 0.0, "read", sigma_db=0.3)] * 4
    >>> total = totals(rows)[0]
    >>> print(f"{total.typical_db:.1f} {total.statistical_db:.1f} {total.worst_db:.1f}")
    12.0 13.8 16.0
    """
    found = []
    for arm in dict.fromkeys(row.arm for row in rows):
        own = [row for row in rows if row.arm == arm]
        typical = sum((np.asarray(row.loss_db) for row in own), start=np.zeros(()))
        variance = sum((np.square(row.sigma_db) for row in own), start=np.zeros(()))
        worst = sum((np.asarray(row.loss_db_max) for row in own), start=np.zeros(()))
        statistical = typical + 3 * np.sqrt(variance)
        found.append(Total(arm, *(float(np.max(v)) for v in (typical, statistical, worst))))
    return tuple(found)


def degraded(link: Link, extra_db: Sequence[float]) -> Link:
    """The link with so much more loss in each arm, at the station's input.

    Parameters
    ----------
    link : Link
        The link.
    extra_db : sequence of two float
        Loss on top of typical, arms A and B [dB], >= 0.
    """
    arms = [
        replace(arm, elements=(*arm.elements, Loss("margin", extra, kind="margin")))
        for arm, extra in zip(link.arms, extra_db, strict=True)
    ]
    return replace(link, arms=(arms[0], arms[1]))
