"""Switch fabrics from one element's data: what a path passes, what that costs, what connects."""

from dataclasses import dataclass, replace
from enum import Enum
from math import ceil, comb, log2

import numpy as np

from cavities import checks
from cavities.errors import ParameterError
from fibre.elements import Switch, decibels, transmittance


class Topology(Enum):
    """How elements are wired into a fabric of N inputs and N outputs."""

    SINGLE = "single-stage"
    """One element holds all ports: a beam-steering or mirror switch."""
    CROSSBAR = "crossbar"
    """N x N crossing points; the longest path passes 2 N - 1 of them, the shortest one."""
    BENES = "benes"
    """2 log2 N - 1 stages of 2 x 2 elements; rearrangeable."""
    SPANKE = "spanke"
    """A tree of 1 x 2 elements per input and output, 2 log2 N on a path; strictly non-blocking."""
    CLOS = "clos"
    """Three stages of larger elements."""


@dataclass(frozen=True)
class Fabric:
    """A fabric of equal elements.

    Parameters
    ----------
    topology : Topology
        How they are wired.
    element : Switch
        One element: a 2 x 2 or 1 x 2 switch, a whole matrix for a single stage, a module for Clos.
    ports : int
        Inputs N, as many outputs, >= 2; a power of two for Benes and Spanke.
    interstage_db : float
        Loss between two stages: connectors, splices, facets [dB], >= 0.
    interstage_margin_db : float
        Worst case above typical of one such loss [dB], >= 0.
    modules : int
        Ports of a Clos module on the outer side n: there are N/n of them.

    Raises
    ------
    ParameterError
        If ports do not fit the topology.
    """

    topology: Topology
    element: Switch
    ports: int
    interstage_db: float = 0.0
    interstage_margin_db: float = 0.0
    modules: int = 0

    def __post_init__(self) -> None:
        checks.number("Fabric.ports", self.ports, "1", at_least=2)
        checks.number("Fabric.interstage_db", self.interstage_db, "dB", at_least=0.0)
        checks.number("Fabric.interstage_margin_db", self.interstage_margin_db, "dB", at_least=0.0)
        if self.topology in (Topology.BENES, Topology.SPANKE) and self.ports & (self.ports - 1):
            raise ParameterError(
                f"Fabric.ports of a {self.topology.value} fabric must be a power of two, got "
                f"{self.ports}; use {2 ** ceil(log2(self.ports))} and leave some free"
            )
        if self.topology is Topology.CLOS and (self.modules < 2 or self.ports % self.modules):
            raise ParameterError(
                f"Fabric.modules of a Clos fabric must divide its {self.ports} ports and be at "
                f"least 2, got {self.modules}"
            )

    @property
    def stages(self) -> int:
        """Elements on the longest path."""
        if self.topology is Topology.SINGLE:
            return 1
        if self.topology is Topology.CROSSBAR:
            return 2 * self.ports - 1
        if self.topology is Topology.CLOS:
            return 3
        depth = round(log2(self.ports))
        return 2 * depth - 1 if self.topology is Topology.BENES else 2 * depth

    @property
    def typical_stages(self) -> float:
        """Elements on a path, averaged over all pairs of ports."""
        return float(self.ports) if self.topology is Topology.CROSSBAR else float(self.stages)

    @property
    def elements(self) -> int:
        """Elements in the whole fabric."""
        N = self.ports
        if self.topology is Topology.SINGLE:
            return 1
        if self.topology is Topology.CROSSBAR:
            return N * N
        if self.topology is Topology.BENES:
            return self.stages * N // 2
        if self.topology is Topology.SPANKE:
            return 2 * N * (N - 1)
        return 2 * N // self.modules + self.middle

    @property
    def middle(self) -> int:
        """Middle modules that make a Clos fabric strictly non-blocking, 2 n - 1; 0 for others."""
        return 2 * self.modules - 1 if self.topology is Topology.CLOS else 0

    @property
    def blocking(self) -> str:
        """Whether any free pair of ports can be joined, and whether others are disturbed."""
        if self.topology is Topology.BENES:
            return "rearrangeable: a new circuit may move others"
        return "strictly non-blocking"

    @property
    def leaks(self) -> int:
        """Elements at which light of the other circuits can leak into a path, at most.

        An upper bound but for the Spanke tree, where each other input reaches an output once.
        """
        return 1 if self.topology is Topology.SPANKE else self.stages

    def path(self) -> Switch:
        r"""One circuit's path as one switch: typical loss on the mean path, worst on the longest.

        .. math:: L = s\,L_1 + (s-1)\,L_\mathrm{between}, \qquad
                  X = X_1 - 10\log_{10}(\text{leaks})

        Elements are independent parts: their standard deviations add in squares. Leaks add in
        power, each suppressed by one element; a Spanke tree suppresses them by two.

        Returns
        -------
        Switch
            For a link's arm.
        """
        e, s = self.element, self.typical_stages
        between = max(0.0, s - 1) * self.interstage_db
        typical = s * np.asarray(e.loss_db) + between
        worst = self.stages * (np.asarray(e.loss_db) + e.margin_db)
        worst = worst + (self.stages - 1) * (self.interstage_db + self.interstage_margin_db)
        isolation = e.isolation_db
        if isolation is not None:
            once = 2 * isolation if self.topology is Topology.SPANKE else isolation
            isolation = max(0.0, float(decibels(self.leaks * transmittance(once))))
        kept = (1 - 2 * e.fidelity_loss) ** self.stages  # depolarising channels multiply
        return replace(
            e,
            name=f"{self.topology.value} {self.ports} x {self.ports} of {e.name}",
            loss_db=typical if np.ndim(typical) else float(typical),
            margin_db=float(np.max(worst - typical)),
            sigma_db=float(np.sqrt(s)) * e.sigma_db,
            isolation_db=isolation,
            polarisation_loss_db=self.stages * e.polarisation_loss_db,
            fidelity_loss=(1 - kept) / 2,
        )


@dataclass(frozen=True)
class BellPool:
    """Nodes that are joined in pairs through a pool of Bell stations.

    Parameters
    ----------
    nodes : int
        Nodes n, >= 2.
    stations : int
        Stations s, each with two inputs, >= 1.
    """

    nodes: int
    stations: int

    def __post_init__(self) -> None:
        checks.number("BellPool.nodes", self.nodes, "1", at_least=2)
        checks.number("BellPool.stations", self.stations, "1", at_least=1)

    @property
    def ports(self) -> int:
        """Ports of the fabric between them: the larger of nodes and station inputs."""
        return max(self.nodes, 2 * self.stations)

    @property
    def pairs(self) -> int:
        """Links that can run at once."""
        return min(self.stations, self.nodes // 2)

    @property
    def matchings(self) -> int:
        """Ways to choose which nodes are joined at once, stations alike."""
        k, n = self.pairs, self.nodes
        double = 1
        for odd in range(2 * k - 1, 0, -2):
            double *= odd
        return comb(n, 2 * k) * double

    def served(self, busy: float) -> float:
        r"""Probability that a request finds a station free (Erlang B).

        .. math:: 1 - \frac{a^s/s!}{\sum_{k\le s} a^k/k!}

        Parameters
        ----------
        busy : float
            Offered load a: requests per second times the time each holds a station [1], >= 0.
        """
        checks.number("BellPool.served: busy", busy, "1", at_least=0.0)
        blocked = 1.0
        for k in range(1, self.stations + 1):
            blocked = busy * blocked / (k + busy * blocked)
        return 1 - blocked
