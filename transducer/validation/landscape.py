"""Where published devices stand: efficiency against added noise, and what a link makes of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.errors import ParameterError
from fibre.herald import Scheme
from transducer.chain import bandwidth_of, evaluate
from transducer.devices.datasheet import Datasheet
from transducer.paper_file import Claim
from transducer.published import Paper
from transducer.scenario import Scenario

EFFICIENCIES = (
    "efficiency",
    "efficiency_without_gain",
    "internal_efficiency",
    "pulsed_conversion",
    "qubit_click",
)
"""Figures that say how much comes through."""
NOISES = ("added_noise", "noise_at_the_qubit")
"""Figures that say what is added, referred to the input."""


@dataclass(frozen=True)
class Place:
    """One operating point of a paper on the map.

    Parameters
    ----------
    paper : Paper
        The paper.
    point : str
        Its operating point; empty where none is named.
    efficiency, noise : Claim, optional
        What it reports there; one of them may be missing.
    """

    paper: Paper
    point: str
    efficiency: Claim | None
    noise: Claim | None

    @property
    def firm(self) -> bool:
        """Whether every figure shown was read in the paper or its abstract, or derived from it."""
        claims = [c for c in (self.efficiency, self.noise) if c is not None]
        return all(c.status in ("read", "abstract", "derived") for c in claims)


def places_of(papers: Sequence[Paper]) -> list[Place]:
    """Every reported efficiency, with the added noise of the same operating point if there is one.

    Parameters
    ----------
    papers : sequence of Paper
        Designs and theory are left out: nobody measured them.

    Returns
    -------
    list of Place
        An internal efficiency is left out where the paper gives another at the same point.
    """
    found = []
    for paper in papers:
        if paper.file.source.evidence != "experiment":
            continue
        up = [c for c in paper.claims if c.direction == "up" and c.by is None]
        efficiencies = [c for c in up if c.figure in EFFICIENCIES]
        outer = [c for c in efficiencies if c.figure != "internal_efficiency"]
        noises = {c.operating_point: c for c in reversed(up) if c.figure in NOISES}
        taken = set()
        for claim in [*outer, *(c for c in efficiencies if c not in outer)]:
            point = claim.operating_point
            if point in taken:
                continue
            taken.add(point)
            found.append(Place(paper, point or "", claim, noises.pop(point, None)))
        found += [Place(paper, point or "", None, claim) for point, claim in noises.items()]
    return found


@dataclass(frozen=True)
class RateMap:
    """What a link delivers with a transducer of any efficiency and added noise.

    Parameters
    ----------
    scenario : str
        Name of the link.
    efficiency : ndarray, shape (x,)
        Microwave port to optical port of the transducer [1].
    noise : ndarray, shape (y,)
        Added noise referred to the microwave port [quanta].
    pairs : ndarray, shape (y, x)
        Entangled pairs delivered per second, best of the scenario's schemes [1/s]; zero where the
        pairs of no scheme are entangled.
    separability : ndarray, shape (y, x)
        Lowest `LinkFigures.separability` of the schemes [1]: entangled below one.
    """

    scenario: str
    efficiency: NDArray[np.float64]
    noise: NDArray[np.float64]
    pairs: NDArray[np.float64]
    separability: NDArray[np.float64]


def require_emitters(scenario: Scenario) -> list[Scheme]:
    """Schemes of a link in which a transducer converts a qubit's photon.

    Raises
    ------
    ParameterError
        If it has none: its transducers then make pairs, and efficiency says little.
    """
    schemes = [scheme for scheme in scenario.schemes if not scheme.pairs]
    if not schemes:
        raise ParameterError(
            f"link '{scenario.name}' has no scheme in which a transducer converts a photon; take "
            "a scenario with one of "
            + ", ".join(scheme.value for scheme in Scheme if not scheme.pairs)
        )
    return schemes


def rate_map(
    scenario: Scenario, efficiency: NDArray[np.float64], noise: NDArray[np.float64]
) -> RateMap:
    """Put transducers of any efficiency and noise into both arms of a link.

    Parameters
    ----------
    scenario : Scenario
        The link; its transducers give way to a single pole of the same bandwidth and carrier.
    efficiency : ndarray, shape (x,)
        Efficiencies to try [1], in (0, 1].
    noise : ndarray, shape (y,)
        Added noises to try, at the microwave port [quanta], >= 0.

    Raises
    ------
    ParameterError
        If the scenario has no scheme for emitters.

    Notes
    -----
    Pump light is not counted. A pair counts where `LinkFigures.separability` is below one.
    """
    checks.number("rate_map: efficiency", efficiency, "1", above=0.0, at_most=1.0)
    checks.number("rate_map: noise", noise, "quanta", at_least=0.0)
    schemes = require_emitters(scenario)
    wide = [bandwidth_of(arm) for arm in scenario.arms]
    pairs, separability = (np.zeros((len(noise), len(efficiency))) for _ in range(2))
    for y, n in enumerate(noise):
        for x, eta in enumerate(efficiency):
            arms = []
            for arm, width in zip(scenario.arms, wide, strict=True):
                carrier = arm.device.converted_frequency(arm.pump)
                box = Datasheet(float(eta), float(n), width, 1e12, carrier)
                arms.append(replace(arm, device=box, pump=None))
            other = replace(scenario, arms=(arms[0], arms[1]))
            found = [evaluate(other, scheme) for scheme in schemes]
            rates = [float(f.delivered_rate) for f in found if f.separability < 1]
            pairs[y, x] = max(rates, default=0.0)
            separability[y, x] = min(float(f.separability) for f in found)
    return RateMap(scenario.name, efficiency, noise, pairs, separability)
