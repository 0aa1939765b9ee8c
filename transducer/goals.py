"""What is asked of a link when its knobs are turned, and which setting answers it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from cavities import checks
from cavities.errors import ParameterError, PhysicsError, ValidityError
from fibre.figures import LinkFigures

UNMET = 1e9
"""What a floor that is missed counts, beyond any rate."""

Setting = Mapping[str, float]
"""Values of the knobs, by name."""


@dataclass(frozen=True)
class Goal:
    """What makes one setting better than another.

    Parameters
    ----------
    fidelity_floor : float, optional
        Most delivered pairs per second of at least this fidelity [1].
    rate_floor : float, optional
        Highest fidelity at not less than so many delivered pairs per second [1/s].

    Raises
    ------
    ParameterError
        If both are given.

    Notes
    -----
    With neither, the most distillable entanglement per second; where there is none, the highest
    fidelity.
    """

    fidelity_floor: float | None = None
    rate_floor: float | None = None

    def __post_init__(self) -> None:
        if self.fidelity_floor is not None:
            checks.probability("Goal.fidelity_floor", self.fidelity_floor)
        if self.rate_floor is not None:
            checks.number("Goal.rate_floor", self.rate_floor, "1/s", at_least=0.0)
        if self.fidelity_floor is not None and self.rate_floor is not None:
            raise ParameterError("Goal: give a fidelity floor or a rate floor, not both")

    def worth(self, found: LinkFigures) -> tuple[float, float]:
        """Whether the floor is met, or there is entanglement to distil, and how good it is."""
        fidelity, rate = float(found.fidelity), float(found.delivered_rate)
        if self.fidelity_floor is not None:
            met = fidelity >= self.fidelity_floor
            return (1.0, rate) if met else (0.0, fidelity)
        if self.rate_floor is not None:
            met = rate >= self.rate_floor
            return (1.0, fidelity) if met else (0.0, rate)
        ebits = float(found.hashing_rate)
        return (1.0, ebits) if ebits > 0 else (0.0, float(found.negativity) + fidelity)

    def pick(self, found: LinkFigures) -> tuple[int, LinkFigures]:
        """Best point of a batch: its index, and its figures."""
        values = {
            name: np.broadcast_to(v, np.shape(found.fidelity)).ravel()
            for name, v in found.as_dict().items()
        }
        count = np.size(found.fidelity)
        each = [
            LinkFigures(**{name: float(v[k]) for name, v in values.items()}) for k in range(count)
        ]
        best = max(range(count), key=lambda k: self.worth(each[k]))
        return best, each[best]

    def require(self, best: LinkFigures, what: str) -> None:
        """Refuse a floor that no setting meets, with the bound that forbids it.

        Raises
        ------
        ValidityError
            It says how far one gets, and what stands in the way.
        """
        if self.worth(best)[0] == 1.0:
            return
        if self.fidelity_floor is not None:
            said = (
                f"{what}: no setting reaches a fidelity of {self.fidelity_floor:g}: the best is "
                f"{float(np.max(best.fidelity)):.4f}, with {float(np.max(best.added_noise_a)):.3g} "
                f"and {float(np.max(best.added_noise_b)):.3g} noise quanta at the emitters"
            )
            if np.all(np.isfinite(best.separability)):
                said += f", separability {float(np.max(best.separability)):.3g} (entangled below 1)"
            if np.all(np.isfinite(best.noise_threshold)):
                said += f", where L23 allows {float(np.max(best.noise_threshold)):.3g} quanta"
            raise ValidityError(said + "; lower the noise or the floor")
        if self.rate_floor is not None:
            most = float(best.relay_bound) / float(best.attempt_period)
            raise ValidityError(
                f"{what}: no setting reaches {self.rate_floor:g} pairs/s: the most is "
                f"{float(best.delivered_rate):.4g}; the relay bound allows {most:.4g} ebit/s at "
                f"one attempt per {float(best.attempt_period):.3g} s; shorten the attempts, lose "
                "less light or lower the floor"
            )


def best_setting(
    evaluate: Callable[[Setting], LinkFigures],
    knobs: Mapping[str, tuple[float, float]],
    goal: Goal | None = None,
    points: int = 6,
) -> tuple[dict[str, float], LinkFigures]:
    """Turn knobs until a goal is met best: a geometric grid, then a simplex from its best point.

    Parameters
    ----------
    evaluate : callable
        Figures at a setting; a point that raises a physics error counts as worthless.
    knobs : mapping of str to (float, float)
        Range of each knob, both ends > 0; searched in its logarithm.
    goal : Goal, optional
        Most distillable entanglement per second by default.
    points : int
        Points per knob of the grid.

    Returns
    -------
    tuple of dict and LinkFigures
        Best setting and its figures; see `Goal.require` for a floor that is missed.

    Raises
    ------
    ValidityError
        If no point could be evaluated; with the reason of the last one.
    """
    from scipy.optimize import minimize

    goal = goal or Goal()
    for name, (low, high) in knobs.items():
        checks.number(f"best_setting: {name}", low, "", above=0.0)
        checks.number(f"best_setting: {name}", high, "", at_least=low)
    best: list[tuple[tuple[float, float], dict[str, float], LinkFigures]] = []
    reason = [""]

    def tried(values: Sequence[float]) -> float:
        setting = {name: float(v) for name, v in zip(knobs, values, strict=True)}
        try:
            found = evaluate(setting)
        except PhysicsError as error:
            reason[0] = str(error)
            return np.inf
        worth = goal.worth(found)
        if not best or worth > best[0][0]:
            best[:] = [(worth, setting, found)]
        # what meets the goal comes before whatever does not, and that still shows the way back
        return -worth[1] + UNMET * (1 - worth[0])

    for values in product(*(np.geomspace(*ends, points) for ends in knobs.values())):
        tried(values)
    if not best:
        raise ValidityError(f"no setting of {', '.join(knobs)} works: {reason[0]}")
    bounds = [(np.log(low), np.log(high)) for low, high in knobs.values()]
    for size in (0.5, 0.1, 0.02):  # a simplex folds up at a floor: begin again from the best
        start = np.log(list(best[0][1].values()))
        corners = np.vstack([start, start + size * np.eye(len(start))])
        corners[1:] = np.where(corners[1:] > [b for _, b in bounds], start - size, corners[1:])
        minimize(
            lambda logs: tried(np.exp(logs)),
            start,
            method="Nelder-Mead",
            bounds=bounds,
            options={
                "initial_simplex": corners,
                "xatol": size / 50,
                "fatol": np.inf,
                "maxfev": 30 * len(knobs),
            },
        )
    return best[0][1], best[0][2]
