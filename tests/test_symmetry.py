"""Charges found from lists of terms, known beforehand, and blocks against QuTiP's Liouvillian."""

import numpy as np
import pytest

from transducer.hamiltonian import (
    Channel,
    Hamiltonian,
    Jump,
    Ladder,
    Modulation,
    Term,
    Transition,
    adjoint,
    lowering,
    number,
    transition,
)
from transducer.solvers.blocks import Block, Space
from transducer.solvers.operators import operators, polynomial
from transducer.solvers.symmetry import Symmetry, change, conserved


def up(mode: str) -> Ladder:
    return Ladder(mode, True)


def down(mode: str) -> Ladder:
    return Ladder(mode)


def with_adjoint(coefficient: complex, *ops: Ladder | Transition) -> tuple[Term, Term]:
    term = Term(coefficient, ops)
    return term, term.adjoint()


def ports(*modes: str, occupation: float = 0.2) -> tuple[Channel, ...]:
    return tuple(
        Channel(f"port of {m}", ((m, 1.1 + 0.2 * k),), occupation) for k, m in enumerate(modes)
    )


def same_span(found: np.ndarray, expected: list[list[int]]) -> bool:
    """Equal rational row spaces: the choice of a basis is free."""
    wanted = np.array(expected, dtype=float).reshape(-1, found.shape[1])
    ranks = [np.linalg.matrix_rank(m) if len(m) else 0 for m in (found, wanted)]
    both = np.vstack([found, wanted])
    joint = np.linalg.matrix_rank(both) if len(both) else 0
    return ranks[0] == ranks[1] == joint == len(found)


MIXER = with_adjoint(0.4 + 0.3j, up("a"), down("b"))
SQUEEZER = with_adjoint(0.4 + 0.3j, up("a"), up("b"))
PAIR_EXCHANGE = with_adjoint(0.2 - 0.1j, up("a"), down("b"), down("b"))
TRILINEAR = with_adjoint(0.3j, up("a"), down("b"), down("p"))
DRIVE = with_adjoint(0.1 + 0.2j, down("a"))
ONE_MODE_SQUEEZING = with_adjoint(0.2 + 0.1j, down("a"), down("a"))
KERR = (Term(0.3, (up("a"), up("a"), down("a"), down("a"))),)


@pytest.mark.parametrize(
    ("modes", "terms", "charges"),
    [
        pytest.param(("a", "b"), MIXER, [[1, 1]], id="mixing: the sum"),
        pytest.param(("a", "b"), SQUEEZER, [[1, -1]], id="squeezing: the difference"),
        pytest.param(("a", "b"), PAIR_EXCHANGE, [[2, 1]], id="one for two: 2 n_a + n_b"),
        pytest.param(("a", "b", "p"), TRILINEAR, [[1, 1, 0], [1, 0, 1]], id="trilinear: two"),
        pytest.param(("a", "b"), (), [[1, 0], [0, 1]], id="nothing couples: each its own"),
        pytest.param(("a", "b"), KERR, [[1, 0], [0, 1]], id="Kerr: moves nothing"),
        pytest.param(
            ("a", "b", "p"), (*MIXER, *KERR), [[1, 1, 0], [0, 0, 1]], id="an idle third mode"
        ),
        pytest.param(("a", "b"), (*MIXER, *PAIR_EXCHANGE), [], id="two rules that share no charge"),
    ],
)
def test_the_charges_are_those_of_the_textbook(
    modes: tuple[str, ...], terms: tuple[Term, ...], charges: list[list[int]]
) -> None:
    found = conserved(Hamiltonian(modes, terms, ports(*modes)))
    assert same_span(found.charges, charges)
    assert np.all(np.gcd.reduce(found.charges, axis=1) == 1)  # whole, and no common factor


def test_two_independent_pairs_have_two_independent_charges() -> None:
    modes = ("a", "b", "c", "d")
    terms = (*MIXER, *with_adjoint(0.2j, up("c"), up("d")))
    found = conserved(Hamiltonian(modes, terms, ports(*modes)))
    assert same_span(found.charges, [[1, 1, 0, 0], [0, 0, 1, -1]])
    assert len(found.parities) == 0  # both parities follow from the charges


def test_a_linear_drive_leaves_nothing() -> None:
    found = conserved(Hamiltonian(("a",), DRIVE, ports("a")))
    assert not found.exists
    assert found.named(("a",)) == "nothing"


def test_a_drive_on_one_mode_spares_the_charge_of_those_it_does_not_reach() -> None:
    found = conserved(Hamiltonian(("a", "b"), DRIVE, ports("a", "b")))
    assert same_span(found.charges, [[0, 1]])
    assert len(found.parities) == 0


def test_squeezing_one_mode_leaves_its_parity_alone() -> None:
    found = conserved(Hamiltonian(("a",), ONE_MODE_SQUEEZING, ports("a")))
    assert len(found.charges) == 0
    assert found.parities.tolist() == [[1]]
    assert found.exists
    assert found.named(("a",)) == "parity of n(a)"


def test_squeezing_two_coupled_modes_leaves_the_parity_of_their_sum() -> None:
    terms = (*MIXER, *ONE_MODE_SQUEEZING)
    found = conserved(Hamiltonian(("a", "b"), terms, ports("a", "b")))
    assert len(found.charges) == 0
    assert found.parities.tolist() == [[1, 1]]


def test_a_parity_that_a_charge_implies_is_not_counted_twice() -> None:
    """2 n_a + n_b is conserved, so the parity of n_b is; that of n_a is not."""
    found = conserved(Hamiltonian(("a", "b"), PAIR_EXCHANGE, ports("a", "b")))
    assert found.charges.tolist() in ([[2, 1]], [[-2, -1]])
    assert len(found.parities) == 0


def test_a_charge_and_a_further_parity_are_found_together() -> None:
    """a^dag b and c^2: n_a + n_b, and the parity of n_c."""
    terms = (*MIXER, *with_adjoint(0.2j, down("c"), down("c")))
    found = conserved(Hamiltonian(("a", "b", "c"), terms, ports("a", "b", "c")))
    assert same_span(found.charges, [[1, 1, 0]])
    assert len(found.parities) == 1
    assert found.parities[0][2] == 1
    moved = np.array([1, 0, 1])
    assert len(found.order(moved)) == 2


def test_a_jump_of_two_different_charges_destroys_them() -> None:
    """D[a + 0.3 a^dag] couples coherence orders; each term alone would not."""
    mixed = Jump("squashed loss", (Term(0.5, (down("a"),)), Term(0.15j, (up("a"),))))
    found = conserved(Hamiltonian(("a",), (), ports("a"), jumps=(mixed,)))
    assert len(found.charges) == 0
    assert found.parities.tolist() == [[1]]  # both terms flip it: weak parity survives
    still = Jump("loss and no loss", (Term(0.5, (down("a"),)), Term(0.15, ())))
    assert not conserved(Hamiltonian(("a",), (), ports("a"), jumps=(still,))).exists


def test_jumps_apart_keep_what_their_sum_would_destroy() -> None:
    parts = (
        Jump("loss", (Term(0.5, (down("a"),)),)),
        Jump("gain", (Term(0.15j, (up("a"),)),)),
    )
    found = conserved(Hamiltonian(("a",), (), (), jumps=parts))
    assert same_span(found.charges, [[1]])


def test_a_port_shared_by_two_modes_ties_their_charges() -> None:
    shared = Channel("shared", (("a", 0.9), ("b", 0.4j)), 0.0)
    assert same_span(conserved(Hamiltonian(("a", "b"), (), (shared,))).charges, [[1, 1]])
    apart = (Channel("one", (("a", 0.9),), 0.0), Channel("two", (("b", 0.4j),), 0.0))
    assert same_span(conserved(Hamiltonian(("a", "b"), (), apart)).charges, [[1, 0], [0, 1]])


def test_a_shared_port_and_squeezing_of_the_same_modes_leave_their_parity() -> None:
    shared = Channel("shared", (("a", 0.9), ("b", 0.4j)), 0.1)
    found = conserved(Hamiltonian(("a", "b"), SQUEEZER, (shared,)))
    assert len(found.charges) == 0
    assert found.parities.tolist() == [[1, 1]]


def test_a_term_of_coefficient_zero_breaks_nothing() -> None:
    silent = (Term(0.0, (down("a"),)), Term(0.0, (up("a"),)))
    found = conserved(Hamiltonian(("a", "b"), (*MIXER, *silent), ports("a", "b")))
    assert same_span(found.charges, [[1, 1]])


def test_a_modulated_drive_breaks_the_charge_although_it_may_be_off() -> None:
    off = Modulation(lambda t: 0.0, real=True)
    drive = (Term(0.3, (down("a"),), off), Term(0.3, (up("a"),), off))
    assert not conserved(Hamiltonian(("a",), drive, ports("a"))).exists


def test_transitions_carry_the_difference_of_their_levels() -> None:
    """|2><0| b b conserves n_q + n_b for a three-level atom."""
    terms = with_adjoint(0.3, Transition("q", 2, 0), down("b"), down("b"))
    found = conserved(Hamiltonian(("q", "b"), terms, ports("q", "b"), levels=(("q", 3),)))
    assert same_span(found.charges, [[1, 1]])
    assert change(terms[0], ("q", "b")).tolist() == [2, -2]
    assert change(terms[1], ("q", "b")).tolist() == [-2, 2]


def test_the_order_of_an_adjoint_is_the_negative_one_and_parities_have_no_sign() -> None:
    found = Symmetry(np.array([[2, 1]]), np.array([[1, 0]]))
    modes = ("a", "b")
    operator = (Term(0.3j, (up("a"), down("b"))), Term(0.2, (down("b"), down("b"), down("b"))))
    assert found.orders(operator, modes) == {(1, 1), (-3, 0)}
    assert found.orders(adjoint(operator), modes) == {(-1, 1), (3, 0)}
    assert {found.negative(o) for o in found.orders(operator, modes)} == {(-1, 1), (3, 0)}


def test_what_is_conserved_is_said_in_words() -> None:
    found = Symmetry(np.array([[2, -1]]), np.array([[0, 1]]))
    assert found.named(("a", "b")) == "2 n(a) - n(b); parity of n(b)"


# --- blocks ---------------------------------------------------------------------------------------

LEVELS = {"q": 2, "a": 3, "b": 4}
BLOCKY = Hamiltonian(
    ("q", "a", "b"),
    (
        Term(0.7, (up("a"), down("a"))),
        Term(-0.4, (up("b"), up("b"), down("b"), down("b"))),
        *with_adjoint(0.31 + 0.2j, up("a"), down("b")),
        *with_adjoint(0.17 - 0.4j, Transition("q", 1, 0), down("a")),
    ),
    (
        Channel("shared", (("a", 0.9 * np.exp(0.4j)), ("b", 0.6j)), 0.3),
        Channel("inside", (("b", 0.5),), 0.1),
    ),
    jumps=(
        Jump("dephasing", (Term(0.35, (Transition("q", 1, 1),)),)),
        Jump("relaxation", (Term(0.22, (Transition("q", 0, 1),)),)),
    ),
    levels=(("q", 2),),
)


@pytest.mark.parametrize("order", [0, 1, -2])
def test_a_block_of_the_generator_is_that_of_qutips_liouvillian(order: int) -> None:
    import qutip

    space, symmetry = Space(BLOCKY.modes, LEVELS), conserved(BLOCKY)
    assert symmetry.charges.tolist() == [[1, 1, 1]]
    block = Block(space, symmetry, [(order,)])
    (piece,) = block.generator(BLOCKY)
    H, c_ops, _ = operators(BLOCKY, LEVELS)
    # QuTiP stacks columns: element (i, j) stands at i + d j
    L = qutip.liouvillian(H, c_ops).full()
    at = block.i + space.dimension * block.j
    assert np.abs(piece.matrix.toarray() - L[np.ix_(at, at)]).max() < 1e-13
    others = np.setdiff1d(np.arange(space.dimension**2), at)
    assert np.abs(L[np.ix_(others, at)]).max() == 0  # a block is not left
    assert 0 < block.size < space.dimension**2


def test_functionals_and_maps_are_traces_and_products_of_matrices() -> None:
    space, symmetry = Space(BLOCKY.modes, LEVELS), conserved(BLOCKY)
    _, _, a = operators(BLOCKY, LEVELS)
    rng = np.random.default_rng(5)
    d = space.dimension
    rho = rng.normal(size=(d, d)) + 1j * rng.normal(size=(d, d))
    kick = (Term(0.3 - 0.2j, (down("a"),)), Term(0.8j, (Transition("q", 0, 1), up("b"), down("a"))))
    measure = (Term(0.7j, (up("b"),)), Term(1.1, (Transition("q", 1, 0),)))
    A, B = (polynomial(op, a, LEVELS).full() for op in (kick, measure))
    block = Block(space, symmetry, [(0,), (1,), (-1,), (-2,)])
    inside = block.unpack(block.pack(rho))
    assert np.count_nonzero(inside) == block.size
    row = block.functional(measure)
    assert row @ block.pack(rho) == pytest.approx(np.trace(B @ inside), rel=1e-12)
    assert abs(np.trace(B @ inside)) > 0.1
    whole = Block(space, Symmetry(np.zeros((0, 3), int), np.zeros((0, 3), int)), [()])
    assert whole.size == d * d
    moved = whole.map_to(whole, kick, measure) @ whole.pack(rho)
    # rho -> A rho B^dagger
    assert np.abs(whole.unpack(moved) - A @ rho @ B.conj().T).max() < 1e-12
    target = Block(space, symmetry, [(-1,)])  # A of order -1 takes 0 to -1
    still = Block(space, symmetry, [(0,)])
    part = target.unpack(still.map_to(target, kick, None) @ still.pack(rho))
    assert np.abs(part - A @ still.unpack(still.pack(rho))).max() < 1e-12


def test_truncated_products_are_those_of_truncated_matrices() -> None:
    """a a^dag at the highest level is zero, not n + 1, in both."""
    levels = {"a": 4}
    model = Hamiltonian(("a",), (), ports("a"))
    _, _, a = operators(model, levels)
    product = (Term(1.3, (down("a"), up("a"))), Term(0.2, (down("a"), down("a"), up("a"))))
    ours = Space(("a",), levels).matrix(product).toarray()
    assert np.abs(ours - polynomial(product, a, levels).full()).max() < 1e-14
    assert ours[3, 3] == 0
    assert ours[2, 2] == pytest.approx(1.3 * 3)


def test_a_level_that_does_not_exist_is_refused_by_name() -> None:
    from cavities import ParameterError

    space = Space(("q",), {"q": 2})
    with pytest.raises(ParameterError, match=r"mode 'q' has 2 levels.*no level 2"):
        space.shift(transition("q", 2, 0)[0])
    with pytest.raises(ParameterError, match="level 2 is not among them"):
        space.ket({"q": 2})
    assert space.matrix(number("q")).toarray().tolist() == [[0, 0], [0, 1]]
    assert space.matrix(lowering("q")).toarray().tolist() == [[0, 1], [0, 0]]
