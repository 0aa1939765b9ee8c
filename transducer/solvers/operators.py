"""The QuTiP objects of a device or a node, for those who take them and go on alone."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from cavities.errors import ParameterError
from transducer.hamiltonian import (
    Hamiltonian,
    Ladder,
    Modulation,
    Polynomial,
    Term,
    product,
)

if TYPE_CHECKING:
    import qutip

Operators = tuple[
    "qutip.Qobj | qutip.QobjEvo", list["qutip.Qobj | qutip.QobjEvo"], dict[str, "qutip.Qobj"]
]


def operators(hamiltonian: Hamiltonian, levels: Mapping[str, int]) -> Operators:
    """QuTiP objects of a device or a node in a truncated Fock space.

    Parameters
    ----------
    hamiltonian : Hamiltonian
        The device or node; `Hamiltonian.approximations` says what it neglects.
    levels : mapping of str to int
        Levels of each mode, >= 2; those that physics fixes may be left out.

    Returns
    -------
    H : Qobj or QobjEvo
        Hamiltonian over ħ [rad/s]; it depends on time where a pulse or a packet does.
    c_ops : list of Qobj or QobjEvo
        Collapse operators [rad^1/2 s^-1/2]: loss and thermal gain of every port, and the jumps.
    a : dict of str to Qobj
        Annihilation operator of each mode.

    Raises
    ------
    ParameterError
        If a mode has no levels.
    """
    import qutip

    fixed = dict(hamiltonian.levels)
    counts = {m: fixed.get(m, levels.get(m, 0)) for m in hamiltonian.modes}
    for mode, n in counts.items():
        if n < 2:
            raise ParameterError(f"levels of '{mode}' must be at least 2, got {n}; give them")
    a = {name: _on(qutip.destroy(counts[name]), name, counts) for name in hamiltonian.modes}
    H = polynomial(hamiltonian.terms, a, counts)
    c_ops = []
    for rate, warming, operator in hamiltonian.merged():
        root = None if warming is None else Modulation(_root(warming), warming.breaks, True)
        scaled = tuple(
            Term(np.sqrt(rate) * t.coefficient, t.operators, product(t.modulation, root))
            for t in operator
        )
        c_ops.append(polynomial(scaled, a, counts))
    return H, c_ops, a


def _root(warming: Modulation) -> Callable[[float], complex]:
    factor = warming.factor
    # an interpolated occupation may fall below zero by rounding before the light comes
    return lambda t: complex(np.sqrt(max(0.0, float(np.real(factor(t))))))


def _on(operator: "qutip.Qobj", name: str, counts: Mapping[str, int]) -> "qutip.Qobj":
    import qutip

    return qutip.tensor([operator if m == name else qutip.qeye(n) for m, n in counts.items()])


def polynomial(
    operator: Polynomial, a: Mapping[str, "qutip.Qobj"], counts: Mapping[str, int]
) -> "qutip.Qobj | qutip.QobjEvo":
    """QuTiP object of a sum of terms.

    Parameters
    ----------
    operator : tuple of Term
        The sum.
    a : mapping of str to Qobj
        Annihilation operators, from `operators`.
    counts : mapping of str to int
        Levels of each mode, in order.
    """
    import qutip

    identity = qutip.tensor([qutip.qeye(n) for n in counts.values()])
    still = 0 * identity
    moving: dict[Modulation, qutip.Qobj] = {}
    for term in operator:
        made = term.coefficient * identity
        for op in term.operators:
            if isinstance(op, Ladder):
                made = made * (a[op.mode].dag() if op.dagger else a[op.mode])
            else:
                n = counts[op.mode]
                jump = qutip.basis(n, op.ket) * qutip.basis(n, op.bra).dag()
                made = made * _on(jump, op.mode, counts)
        if term.modulation is None:
            still = still + made
        else:
            known = moving.get(term.modulation, 0)
            moving[term.modulation] = known + made
    if not moving:
        return still
    parts: list[object] = [still]
    for modulation, made in moving.items():
        parts.append([made, coefficient(modulation)])
    return qutip.QobjEvo(parts)


def coefficient(modulation: Modulation) -> object:
    """QuTiP's coefficient of a factor in time."""
    import qutip

    factor = modulation.factor
    return qutip.coefficient(lambda t: complex(factor(t)))
