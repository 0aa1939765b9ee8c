"""Switch fabrics built as graphs and walked; pools counted; totals and margins against sums."""

import itertools
from collections import Counter
from dataclasses import replace
from math import comb, exp, factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavities import ParameterError
from fibre import (
    Arm,
    Detector,
    FibreSpan,
    Link,
    Loss,
    Memory,
    Photon,
    Schedule,
    Scheme,
    SpectralGrid,
    Station,
    Wave,
    evaluate_link,
    gaussian_amplitude,
)
from fibre.budget import Row, budget, propagate, seen
from fibre.elements import Switch, transmittance
from fibre.fabrics import BellPool, Fabric, Topology
from fibre.link import heralded
from fibre.margins import Margins, degraded, totals
from fibre.memory import depolarised

Graph = dict[str, list[str]]
"""What each element's outputs lead to; names of elements, and out0, out1, ... at the ends."""

CELL = Switch("cell", 0.8, 0.3, "measured", 1e-3, 0.1, (1500.0, 1600.0), 25.0, 0.2, 0.01)


# --- fabrics as graphs ---------------------------------------------------------------------------------


def walks(graph: Graph, start: str) -> list[tuple[str, ...]]:
    """Every way from an element to an output: the elements passed, then the output."""
    if start.startswith("out"):
        return [(start,)]
    return [(start, *rest) for after in graph[start] for rest in walks(graph, after)]


def benes(ins: list[str], outs: list[str], prefix: str = "b") -> tuple[Graph, list[str]]:
    """Benes by its recursion: outer switches, and two half networks; entry elements of each input."""
    n = len(outs)
    if n == 2:
        return {prefix: list(outs)}, [prefix, prefix]
    graph: Graph = {}
    halves = []
    last = [f"{prefix}o{k}" for k in range(n // 2)]
    for k, name in enumerate(last):
        graph[name] = [outs[2 * k], outs[2 * k + 1]]
    for half in "ud":
        inner, entries = benes(ins[: n // 2], last, prefix + half)
        graph |= inner
        halves.append(entries)
    entry = []
    for k in range(n // 2):
        name = f"{prefix}i{k}"
        graph[name] = [halves[0][k], halves[1][k]]
        entry += [name, name]
    return graph, entry


def spanke(n: int) -> tuple[Graph, list[str]]:
    """A tree of 1 x 2 switches per input, a tree of 2 x 1 switches per output."""
    graph: Graph = {}

    def fan_out(name: str, leaves: list[str]) -> str:
        if len(leaves) == 1:
            return leaves[0]
        half = len(leaves) // 2
        graph[name] = [fan_out(name + "0", leaves[:half]), fan_out(name + "1", leaves[half:])]
        return name

    def fan_in(name: str, after: str, width: int) -> list[str]:
        graph[name] = [after]
        if width == 2:
            return [name, name]
        return fan_in(name + "0", name, width // 2) + fan_in(name + "1", name, width // 2)

    leaves = [fan_in(f"t{j}:", f"out{j}", n) for j in range(n)]
    return graph, [fan_out(f"s{i}:", [leaves[j][i] for j in range(n)]) for i in range(n)]


def crossbar(n: int) -> tuple[Graph, list[str]]:
    """Rows of crossing points that light follows until one turns it down its column."""
    graph: Graph = {}
    for i, j in itertools.product(range(n), repeat=2):
        down = f"x{i + 1},{j}" if i + 1 < n else f"out{j}"
        graph[f"x{i},{j}"] = [down, f"x{i},{j + 1}"] if j + 1 < n else [down]
    return graph, [f"x{i},0" for i in range(n)]


def crossbar_path(n: int, i: int, j: int) -> tuple[str, ...]:
    """Along row i to column j, then down: the only way with one turn."""
    return (*(f"x{i},{k}" for k in range(j)), *(f"x{k},{j}" for k in range(i, n)), f"out{j}")


def clos(ports: int, n: int) -> tuple[Graph, list[str]]:
    """Ports/n outer modules on each side, each joined once to each of 2 n - 1 middle ones."""
    outer, middle = ports // n, 2 * n - 1
    graph: Graph = {f"a{k}": [f"m{c}" for c in range(middle)] for k in range(outer)}
    graph |= {f"m{c}": [f"z{k}" for k in range(outer)] for c in range(middle)}
    graph |= {f"z{k}": [f"out{k * n + port}" for port in range(n)] for k in range(outer)}
    return graph, [f"a{i // n}" for i in range(ports)]


@pytest.mark.parametrize("n", [2, 4, 8, 16])
def test_a_benes_fabric_has_the_elements_of_its_recursion_on_every_path(n: int) -> None:
    outs = [f"out{k}" for k in range(n)]
    graph, entry = benes([str(k) for k in range(n)], outs)
    fabric = Fabric(Topology.BENES, CELL, n)
    assert fabric.elements == len(graph)
    assert all(len(after) == 2 for after in graph.values())
    for start in set(entry):
        paths = walks(graph, start)
        assert {path[-1] for path in paths} == set(outs)
        assert {len(path) - 1 for path in paths} == {fabric.stages} == {int(fabric.typical_stages)}


def test_a_benes_fabric_of_four_is_rearrangeable_and_blocks() -> None:
    """Every permutation has element-disjoint wires; some first choices must be moved."""
    graph, entry = benes(list("0123"), [f"out{k}" for k in range(4)])
    ways: dict[tuple[int, int], list[frozenset[tuple[str, str]]]] = {}
    for i, j in itertools.product(range(4), repeat=2):
        paths = [p for p in walks(graph, entry[i]) if p[-1] == f"out{j}"]
        ways[i, j] = [frozenset(itertools.pairwise(p)) for p in paths]
    blocked = False
    for order in itertools.permutations(range(4)):
        choices = list(itertools.product(*(ways[i, j] for i, j in enumerate(order))))
        assert any(max(Counter(w for c in one for w in c).values()) == 1 for one in choices)
        for first, second in itertools.product(ways[0, order[0]], ways[2, order[2]]):
            if first.isdisjoint(second):
                blocked |= not any(w.isdisjoint(first | second) for w in ways[1, order[1]])
    assert blocked
    assert "rearrangeable" in Fabric(Topology.BENES, CELL, 4).blocking
    assert Fabric(Topology.SPANKE, CELL, 4).blocking == "strictly non-blocking"


@pytest.mark.parametrize("n", [2, 4, 8, 16])
def test_a_spanke_fabric_has_the_elements_of_its_trees_on_every_path(n: int) -> None:
    graph, entry = spanke(n)
    fabric = Fabric(Topology.SPANKE, CELL, n)
    assert fabric.elements == len(graph)
    for start in entry:
        paths = walks(graph, start)
        assert sorted(path[-1] for path in paths) == sorted(f"out{k}" for k in range(n))
        assert {len(path) - 1 for path in paths} == {fabric.stages} == {int(fabric.typical_stages)}


@pytest.mark.parametrize("n", [2, 3, 4, 7, 10])
def test_a_crossbar_is_walked_by_rows_and_columns(n: int) -> None:
    graph, entry = crossbar(n)
    fabric = Fabric(Topology.CROSSBAR, CELL, n)
    assert fabric.elements == len(graph)
    lengths = []
    for i, j in itertools.product(range(n), repeat=2):
        path = crossbar_path(n, i, j)
        assert path[0] == entry[i]
        assert all(after in graph[name] for name, after in itertools.pairwise(path))
        lengths.append(len(path) - 1)
    assert (min(lengths), max(lengths)) == (1, fabric.stages)
    assert float(np.mean(lengths)) == pytest.approx(fabric.typical_stages)


@pytest.mark.parametrize(("ports", "n"), [(4, 2), (8, 2), (9, 3), (12, 3), (12, 4), (32, 4)])
def test_a_clos_fabric_has_its_modules_and_always_a_free_middle_one(ports: int, n: int) -> None:
    graph, entry = clos(ports, n)
    fabric = Fabric(Topology.CLOS, CELL, ports, modules=n)
    assert fabric.elements == len(graph)
    assert fabric.middle == sum(name.startswith("m") for name in graph) == 2 * n - 1
    for start in set(entry):
        paths = walks(graph, start)
        assert {len(path) - 1 for path in paths} == {3} == {fabric.stages}
        assert set(Counter(path[-1] for path in paths).values()) == {fabric.middle}
    # worst case: n - 1 circuits leave a's module, n - 1 others come into z's, all through others
    busy = set(range(n - 1)) | set(range(n - 1, 2 * n - 2))
    assert len(set(range(fabric.middle)) - busy) == 1


def test_one_element_is_a_fabric_of_one() -> None:
    fabric = Fabric(Topology.SINGLE, CELL, 32)
    assert (fabric.elements, fabric.stages, fabric.typical_stages, fabric.leaks) == (1, 1, 1.0, 1)
    path = fabric.path()
    for name in ("loss_db", "margin_db", "sigma_db", "isolation_db", "polarisation_loss_db"):
        assert getattr(path, name) == pytest.approx(getattr(CELL, name))
    assert path.fidelity_loss == pytest.approx(CELL.fidelity_loss)


# --- what a path costs -------------------------------------------------------------------------------

KINDS = [
    (Topology.SINGLE, 8, 0),
    (Topology.CROSSBAR, 5, 0),
    (Topology.BENES, 8, 0),
    (Topology.SPANKE, 16, 0),
    (Topology.CLOS, 12, 3),
]


def lengths(topology: Topology, n: int) -> list[int]:
    """Elements on every path, by walking."""
    if topology is Topology.SINGLE:
        return [1]
    if topology is Topology.CLOS:
        return [3]
    if topology is Topology.CROSSBAR:
        return [len(crossbar_path(n, i, j)) - 1 for i in range(n) for j in range(n)]
    graph, entry = (
        spanke(n) if topology is Topology.SPANKE else benes([""] * n, [f"out{k}" for k in range(n)])
    )
    return [len(path) - 1 for start in entry for path in walks(graph, start)]


@pytest.mark.parametrize(("topology", "n", "modules"), KINDS)
def test_losses_of_a_path_are_summed_element_by_element(
    topology: Topology, n: int, modules: int
) -> None:
    between, more = 0.15, 0.05
    path = Fabric(topology, CELL, n, between, more, modules).path()
    typical, worst, variance = [], [], []
    for length in lengths(topology, n):
        loss = top = square = 0.0
        for stage in range(length):
            loss, top = loss + 0.8, top + 0.8 + 0.3
            square += 0.1**2
            if stage:
                loss, top = loss + between, top + between + more
        typical.append(loss)
        worst.append(top)
        variance.append(square)
    assert path.loss_db == pytest.approx(float(np.mean(typical)))
    assert float(path.loss_db) + path.margin_db == pytest.approx(max(worst))
    assert path.sigma_db**2 == pytest.approx(float(np.mean(variance)))
    assert path.polarisation_loss_db == pytest.approx(0.2 * max(lengths(topology, n)))
    assert (path.switch_time, path.band_nm, path.basis) == (1e-3, (1500.0, 1600.0), "measured")


@pytest.mark.parametrize(("topology", "n", "modules"), KINDS)
@pytest.mark.parametrize("loss", [0.0, 0.01, 0.5])
def test_depolarising_elements_are_composed_one_by_one(
    topology: Topology, n: int, modules: int, loss: float
) -> None:
    cell = replace(CELL, fidelity_loss=loss)
    path = Fabric(topology, cell, n, modules=modules).path()
    rng = np.random.default_rng(n)
    root = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    state = root @ root.conj().T / np.trace(root @ root.conj().T)
    for side in (0, 1):
        passed = state
        for _ in range(max(lengths(topology, n))):
            passed = depolarised(passed, side, cell.depolarising)
        np.testing.assert_allclose(depolarised(state, side, path.depolarising), passed, atol=1e-14)


def shared(one: tuple[str, ...], two: tuple[str, ...]) -> int:
    return len(set(one[:-1]) & set(two[:-1]))


@pytest.mark.parametrize("n", [2, 4])
def test_no_other_circuit_meets_a_benes_path_more_often_than_the_leaks_say(n: int) -> None:
    graph, entry = benes([""] * n, [f"out{k}" for k in range(n)])
    paths = [(i, p) for i in range(n) for p in walks(graph, entry[i])]
    met = 0
    for (i, p), (k, q) in itertools.product(paths, repeat=2):
        wires = set(itertools.pairwise(p)) & set(itertools.pairwise(q))
        if i != k and p[-1] != q[-1] and not wires:
            met = max(met, shared(p, q))
    assert 1 <= met <= Fabric(Topology.BENES, CELL, n).leaks


@pytest.mark.parametrize("n", [2, 3, 4])
def test_all_other_circuits_of_a_crossbar_meet_a_path_no_more_often_than_the_leaks_say(
    n: int,
) -> None:
    most = 0
    for order in itertools.permutations(range(n)):
        paths = [crossbar_path(n, i, j) for i, j in enumerate(order)]
        for k, own in enumerate(paths):
            most = max(most, sum(shared(own, p) for m, p in enumerate(paths) if m != k))
    assert most <= Fabric(Topology.CROSSBAR, CELL, n).leaks


@pytest.mark.parametrize("n", [2, 4])
def test_a_spanke_fabric_suppresses_other_circuits_by_two_elements(n: int) -> None:
    """A 2 x 1 switch lets its other input in by its isolation, a 1 x 2 switch its other output."""
    graph, entry = spanke(n)
    isolation = 20.0
    x = 10 ** (-isolation / 10)
    found = Fabric(Topology.SPANKE, replace(CELL, isolation_db=isolation), n).path().isolation_db
    assert found is not None
    routes = {(i, p[-1]): p for i in range(n) for p in walks(graph, entry[i])}
    worst = 0.0
    for order in itertools.permutations(range(n)):
        circuits = [routes[i, f"out{j}"] for i, j in enumerate(order)]
        listening = {p[k]: p[k - 1] for p in circuits for k in range(1, len(p) - 1)}
        sending = {a: b for p in circuits for a, b in itertools.pairwise(p)}
        for i, other in itertools.permutations(range(n), 2):
            power, route = 1.0, routes[other, f"out{order[i]}"]
            for k, name in enumerate(route[:-1]):
                if name.startswith("s") and sending.get(name) not in (None, route[k + 1]):
                    power *= x
                if name.startswith("t") and k and listening.get(name) not in (None, route[k - 1]):
                    # both inputs of a leaf may come from trees: told apart by what is before
                    power *= x
            worst = max(worst, power)
    assert worst == pytest.approx(x**2)
    assert worst <= float(transmittance(found)) * (1 + 1e-12)


@pytest.mark.parametrize(("topology", "n", "modules"), KINDS)
def test_leaks_of_a_path_add_in_power(topology: Topology, n: int, modules: int) -> None:
    fabric = Fabric(topology, CELL, n, modules=modules)
    once = 10 ** (-(50.0 if topology is Topology.SPANKE else 25.0) / 10)
    total = sum(once for _ in range(fabric.leaks))
    found = fabric.path().isolation_db
    assert found is not None
    assert 10 ** (-found / 10) == pytest.approx(total, rel=1e-12)
    silent = Fabric(topology, replace(CELL, isolation_db=None), n, modules=modules).path()
    assert silent.isolation_db is None
    open_ = Fabric(topology, replace(CELL, isolation_db=0.0), n, modules=modules).path()
    assert open_.isolation_db == 0.0


def test_a_batch_of_losses_is_its_points() -> None:
    losses = np.array([0.5, 1.5])
    for topology, n, modules in KINDS:
        whole = Fabric(topology, replace(CELL, loss_db=losses), n, 0.1, 0.0, modules).path()
        for k in range(2):
            one = Fabric(
                topology, replace(CELL, loss_db=float(losses[k])), n, 0.1, 0.0, modules
            ).path()
            assert np.asarray(whole.loss_db)[k] == pytest.approx(one.loss_db)
            assert whole.margin_db >= one.margin_db - 1e-12  # never better than a point


def test_fabrics_that_cannot_be_built_are_refused_in_a_sentence() -> None:
    for make, words in (
        (lambda: Fabric(Topology.BENES, CELL, 12), "power of two, got 12; use 16"),
        (lambda: Fabric(Topology.SPANKE, CELL, 3), "power of two, got 3; use 4"),
        (lambda: Fabric(Topology.CROSSBAR, CELL, 1), "Fabric.ports"),
        (lambda: Fabric(Topology.CLOS, CELL, 12), "divide its 12 ports"),
        (lambda: Fabric(Topology.CLOS, CELL, 12, modules=5), "divide its 12 ports"),
        (lambda: Fabric(Topology.CLOS, CELL, 12, modules=1), "at least 2"),
        (lambda: Fabric(Topology.SINGLE, CELL, 4, -0.1), "interstage_db"),
        (lambda: Fabric(Topology.SINGLE, CELL, 4, 0.1, -0.1), "interstage_margin_db"),
        (lambda: BellPool(1, 1), "nodes"),
        (lambda: BellPool(2, 0), "stations"),
        (lambda: BellPool(2, 1).served(-0.1), "busy"),
        (lambda: Margins(-1.0), "repair_db"),
        (lambda: Margins(0.0, np.nan), "ageing_db"),
        (lambda: replace(CELL, fidelity_loss=0.6), "fidelity_loss"),
        (lambda: replace(CELL, isolation_db=None, neighbour_quanta=0.1), "isolation"),
    ):
        with pytest.raises(ParameterError, match=words):
            make()


# --- a pool of Bell stations ------------------------------------------------------------------------


@pytest.mark.parametrize("nodes", [2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("stations", [1, 2, 3, 5])
def test_matchings_are_those_that_can_be_listed(nodes: int, stations: int) -> None:
    pool = BellPool(nodes, stations)
    edges = list(itertools.combinations(range(nodes), 2))
    at_once, ways = 0, 0
    for k in range(1, stations + 1):
        fit = [
            chosen
            for chosen in itertools.combinations(edges, k)
            if len({node for edge in chosen for node in edge}) == 2 * k
        ]
        if fit:
            at_once, ways = k, len(fit)
    assert pool.pairs == at_once
    assert pool.matchings == ways
    assert pool.ports >= nodes
    assert pool.ports >= 2 * stations


@given(stations=st.integers(1, 40), busy=st.floats(0.0, 60.0))
def test_requests_are_served_by_the_sum_formula_of_erlang_b(stations: int, busy: float) -> None:
    terms = [busy**k / factorial(k) for k in range(stations + 1)]
    assert BellPool(2, stations).served(busy) == pytest.approx(
        1 - terms[-1] / sum(terms), abs=1e-12
    )


def test_erlang_b_is_what_a_simulated_pool_loses() -> None:
    stations, busy, requests = 3, 2.0, 60_000
    rng = np.random.default_rng(4)
    free_at = np.zeros(stations)
    served, clock = 0, 0.0
    for gap, hold in zip(
        rng.exponential(1 / busy, requests), rng.exponential(1.0, requests), strict=True
    ):
        clock += gap
        if free_at.min() <= clock:
            free_at[int(np.argmin(free_at))] = clock + hold
            served += 1
    assert served / requests == pytest.approx(BellPool(6, stations).served(busy), abs=0.012)
    assert BellPool(6, 3).served(0.0) == 1.0
    assert BellPool(6, 400).served(300.0) > 1 - exp(-15)
    assert BellPool(6, 2).matchings == comb(6, 4) * 3


# --- totals ---------------------------------------------------------------------------------------------

row_numbers = st.lists(
    st.tuples(st.sampled_from("AB"), st.floats(0, 20), st.floats(0, 5), st.floats(0, 2)),
    min_size=1,
    max_size=12,
)


@given(row_numbers)
def test_totals_are_sums_and_three_sigma_of_independent_rows(
    numbers: list[tuple[str, float, float, float]],
) -> None:
    rows = [
        Row(arm, "x", loss, loss + margin, 0.0, 1.0, 0.0, 0.0, "read", sigma_db=sigma)
        for arm, loss, margin, sigma in numbers
    ]
    found = totals(rows)
    assert [t.arm for t in found] == list(dict.fromkeys(arm for arm, *_ in numbers))
    for total in found:
        own = [n for n in numbers if n[0] == total.arm]
        assert total.typical_db == pytest.approx(sum(n[1] for n in own))
        assert total.worst_db == pytest.approx(sum(n[1] + n[2] for n in own))
        rms = np.sqrt(sum(n[3] ** 2 for n in own))
        assert total.statistical_db == pytest.approx(total.typical_db + 3 * rms)


def test_three_sigma_of_many_parts_is_what_drawn_parts_exceed_once_in_740() -> None:
    sigmas = (0.1, 0.3, 0.05, 0.2)
    rows = [Row("A", "x", 2.0, 3.0, 0.0, 1.0, 0.0, 0.0, "read", sigma_db=s) for s in sigmas]
    drawn = 8.0 + np.random.default_rng(12).normal(size=(400_000, 4)) @ np.array(sigmas)
    share = float(np.mean(drawn > totals(rows)[0].statistical_db))
    assert share == pytest.approx(0.00135, abs=0.0003)


GRID = SpectralGrid.around(6e7, 512)


def photon(noise: float = 0.02) -> Photon:
    line = noise / (1 + (GRID.omega / 1.2e8) ** 2)
    return Photon(Wave(GRID, gaussian_amplitude(GRID.omega, 40e-9), line), 0.3, 1.2e15)


def make_link(extra: tuple[float, float] = (0.0, 0.0), switch: Switch | None = None) -> Link:
    """A link whose photons are already dimmer by so many dB before they set out."""
    arms = []
    for name, db, coupler, length in (("A", extra[0], 1.0, 5e3), ("B", extra[1], 2.0, 3e3)):
        light = photon().attenuated(10 ** (-db / 10))
        path = [
            Loss("coupler", coupler, 0.5, sigma_db=0.2),
            FibreSpan("f", length, 2e-4, 3e-4, 1.47),
        ]
        if switch is not None:
            path.append(switch)
        arms.append(Arm(name, light, (), tuple(path), Memory(3e-4, 2e-4)))
    station = Station(Detector("d", 0.9, 10.0, 30e-9, 0.3), 200e-9, 0.2, 0.1)
    return Link((arms[0], arms[1]), station, Schedule(reset=5e-6, feedback=1e-6))


@pytest.mark.parametrize("scheme", [Scheme.SINGLE_CLICK, Scheme.TWO_CLICK, Scheme.TIME_BIN])
@pytest.mark.parametrize("extra", [(0.0, 0.0), (3.0, 3.0), (0.7, 11.0), (25.0, 0.0)])
def test_a_degraded_link_is_one_whose_photons_are_dimmer(
    scheme: Scheme, extra: tuple[float, float]
) -> None:
    found = evaluate_link(degraded(make_link(), extra), scheme).as_dict()
    expected = evaluate_link(make_link(extra), scheme).as_dict()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-9, err_msg=name)


def test_a_degraded_budget_has_the_margin_as_a_row_of_its_own() -> None:
    _, before = budget(make_link())
    _, rows = budget(degraded(make_link(), (1.5, 2.5)))
    for old, new, extra in zip(totals(before), totals(rows), (1.5, 2.5), strict=True):
        assert new.typical_db == pytest.approx(old.typical_db + extra)
        assert new.worst_db == pytest.approx(old.worst_db + extra)
        assert new.statistical_db == pytest.approx(old.statistical_db + extra)
    assert [row.loss_db for row in rows if row.kind == "margin"] == pytest.approx([1.5, 2.5])
    with pytest.raises(ParameterError, match="loss_db"):
        degraded(make_link(), (-1.0, 0.0))
    with pytest.raises(ValueError, match=r"shorter|longer"):
        degraded(make_link(), (1.0,))


def test_totals_of_a_budget_are_what_the_photon_lost() -> None:
    photons, rows = budget(make_link())
    for total, light in zip(totals(rows), photons, strict=True):
        passed = light.transmission / photon().transmission
        assert 10 ** (-total.typical_db / 10) == pytest.approx(float(passed), rel=1e-12)
        own = [row for row in rows if row.arm == total.arm]
        assert total.typical_db == pytest.approx(float(np.asarray(own[-1].cumulative_db)))
        # coupler, fibre ceiling, splitter, detector
        spread = {"A": 0.5 + 0.5, "B": 0.5 + 0.3}[total.arm] + 0.1 + 0.3
        assert total.worst_db - total.typical_db == pytest.approx(spread)
        rms = np.sqrt(0.2**2 + (0.1 / 3) ** 2 + (0.3 / 3) ** 2)
        assert total.statistical_db - total.typical_db == pytest.approx(3 * rms)


def test_totals_of_a_batch_are_those_of_its_worst_point() -> None:
    """Two links in one batch: no point of it loses the largest of every row."""
    rows = [
        Row("A", name, np.array(loss), np.array(loss), 0.0, 1.0, 0.0, 0.0, "read")
        for name, loss in (("x", [1.0, 5.0]), ("y", [5.0, 1.0]))
    ]
    assert totals(rows)[0].typical_db == pytest.approx(6.0)


def test_margins_add() -> None:
    assert Margins(0.7, 0.4).total_db == pytest.approx(1.1)
    assert Margins().total_db == 0.0


# --- a fabric's path in a link --------------------------------------------------------------------------


@pytest.mark.parametrize(("topology", "n", "modules"), KINDS)
def test_a_path_in_a_link_is_its_elements_in_a_row(
    topology: Topology, n: int, modules: int
) -> None:
    """Loss, time and depolarisation of the state; a crossbar's length differs from path to path."""
    if topology is Topology.CROSSBAR:
        pytest.skip("typical and longest path differ: its fidelity is that of the longest")
    fabric = Fabric(topology, CELL, n, 0.1, 0.0, modules)
    chain = []
    for k in range(fabric.stages):
        chain += [CELL] if k == 0 else [Loss("between", 0.1), CELL]
    whole = make_link(switch=fabric.path())
    arms = [replace(arm, elements=(*arm.elements, *chain)) for arm in make_link().arms]
    parts = replace(make_link(), arms=(arms[0], arms[1]))
    for scheme in (Scheme.SINGLE_CLICK, Scheme.TWO_CLICK):
        states = []
        for link in (whole, parts):
            photons, _ = budget(link)
            states.append(heralded(link, scheme, seen(photons, link.station)).state)
        np.testing.assert_allclose(states[0], states[1], rtol=1e-9, atol=1e-18)
    worst = [sum(t.worst_db for t in totals(budget(link)[1])) for link in (whole, parts)]
    assert worst[0] == pytest.approx(worst[1])
    three = [[t.statistical_db for t in totals(budget(link)[1])] for link in (whole, parts)]
    assert three[0] == pytest.approx(three[1])


def test_neighbours_leak_into_a_path_by_its_isolation() -> None:
    path = Fabric(Topology.BENES, CELL, 8).path()
    quanta = 0.4
    light, rows = propagate(photon(), [replace(path, neighbour_quanta=quanta)])
    quiet, _ = propagate(photon(), [path])
    assert light.mode_noise - quiet.mode_noise == pytest.approx(5 * 10**-2.5 * quanta, rel=1e-9)
    assert rows[0].added_noise == pytest.approx(5 * 10**-2.5 * quanta)
    assert light.transmission == pytest.approx(quiet.transmission)
