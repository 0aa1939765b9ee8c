"""Brute force in Fock space: a slow, independent way to everything a herald computes in closed form."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

Operator = NDArray[np.complex128]


@cache
def destroy(levels: int) -> Operator:
    return np.diag(np.sqrt(np.arange(1, levels)), 1).astype(complex)


@cache
def mixer(levels: int, theta: float, larger: int = 0) -> Operator:
    """exp(theta (a^dag b - a b^dag)) on two modes: a -> cos a + sin b, built in a larger space and cut."""
    top = larger or levels
    a = np.kron(destroy(top), np.eye(top))
    b = np.kron(np.eye(top), destroy(top))
    return expm(theta * (a.conj().T @ b - a @ b.conj().T))


def thermal_weights(mean: float, levels: int) -> NDArray[np.float64]:
    if mean == 0:
        return np.eye(1, levels)[0]
    n = np.arange(levels)
    return (mean / (1 + mean)) ** n / (1 + mean)


def thermal_loss(operator: Operator, tau: float, noise: float, environment: int = 14) -> Operator:
    """Send an operator on one mode through a loss `tau` that leaves `noise` output quanta on vacuum."""
    small = len(operator)
    top = small + environment
    big = np.zeros((top, top), dtype=complex)
    big[:small, :small] = operator
    weights = thermal_weights(noise / (1 - tau) if tau < 1 else 0.0, top)
    u = mixer(top, float(np.arccos(np.sqrt(tau))))
    joint = u @ np.kron(big, np.diag(weights)) @ u.conj().T
    joint = joint.reshape(top, top, top, top)
    return np.einsum("ikjk->ij", joint)


def herald_elements(
    tau: tuple[float, float],
    noise: tuple[float, float],
    overlap: float,
    dark: float,
    levels: int = 6,
) -> dict[str, NDArray[np.complex128]]:
    """Click elements by brute force: two arms, two temporal modes each, a beam splitter, threshold detectors.

    Returns
    -------
    dict
        ``plus`` and ``minus``: matrices E[n', n] over photon numbers 00, 01, 10, 11 such that the
        spin state after that click is E * rho element by element. Photon A is in temporal mode 1,
        photon B in M 1 + sqrt(1-M^2) 2; white noise fills both modes.
    """
    d = levels
    out = {name: np.zeros((4, 4), dtype=complex) for name in ("plus", "minus")}
    # arm B's photon: turn its temporal mode 1 into M 1 + sqrt(1 - M^2) 2 before the loss (white
    # noise is invariant)
    basis = [np.eye(d)[0], np.eye(d)[1]]
    turn = mixer(d, float(np.arccos(overlap)))

    def arm_a(n: int, m: int) -> Operator:
        one = thermal_loss(np.outer(basis[n], basis[m]), tau[0], noise[0])[:d, :d]
        two = np.diag(thermal_weights(noise[0], d))
        return np.kron(one, two)

    def arm_b(n: int, m: int) -> Operator:
        # loss and rotation of two modes with equal thermal baths commute: lose first in the
        # photon's own mode
        one = thermal_loss(np.outer(basis[n], basis[m]), tau[1], noise[1])[:d, :d]
        two = np.diag(thermal_weights(noise[1], d))
        return turn @ np.kron(one, two) @ turn.conj().T

    bs = mixer(d, -np.pi / 4)  # a -> (a - b)/sqrt2 in this sign; both outputs are looked at
    silent = np.zeros(d)
    silent[0] = 1.0
    quiet = (1 - dark) * np.outer(silent, silent)
    any_ = np.eye(d)
    # effects on (first output, second output) for both temporal modes: silent means silent in both
    none_first = _povm(bs, quiet, any_, d), _povm(bs, np.outer(silent, silent), any_, d)
    none_second = _povm(bs, any_, quiet, d), _povm(bs, any_, np.outer(silent, silent), d)
    none_both = (
        _povm(bs, quiet, quiet, d),
        _povm(bs, np.outer(silent, silent), np.outer(silent, silent), d),
    )
    for i, (na, nb) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        for j, (ma, mb) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
            a, b = arm_a(na, ma), arm_b(nb, mb)
            value = {}
            for name, (first, second) in (
                ("first", none_first),
                ("second", none_second),
                ("both", none_both),
            ):
                value[name] = _expect(a, b, first, second, d)
            out["plus"][i, j] = value["second"] - value["both"]
            out["minus"][i, j] = value["first"] - value["both"]
    return out


def _povm(bs: Operator, one: Operator, two: Operator, d: int) -> Operator:
    return (bs.conj().T @ np.kron(one, two) @ bs).reshape(d, d, d, d)


def _expect(a: Operator, b: Operator, first: Operator, second: Operator, d: int) -> complex:
    """Tr[(first on temporal mode 1) (second on temporal mode 2) (a x b)], each a POVM over (arm A, arm B)."""
    ra = a.reshape(d, d, d, d)  # a1 a2, a1' a2'
    rb = b.reshape(d, d, d, d)
    # first[a1' b1' , a1 b1], second[a2' b2', a2 b2]
    left = np.einsum("ijkl,kmip->jlmp", ra, first.transpose(0, 1, 2, 3), optimize=True)
    # left[a2, a2', b1', b1]
    mid = np.einsum("jlmp,pqmr->jlqr", left, rb, optimize=True)
    return complex(np.einsum("jlqr,lrjq->", mid, second, optimize=True))
