"""Photons, one by one, through a noisy converter: what becomes of number states."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.constants import Real
from cavities.errors import ParameterError

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]


def _binomial_roots(levels: int) -> Array:
    """Roots of binomial coefficients n over k, shape (levels, levels)."""
    table = np.zeros((levels, levels))
    for n in range(levels):
        row = [1.0]
        for k in range(n):
            row.append(row[-1] * (n - k) / (k + 1))
        table[n, : n + 1] = np.sqrt(row)
    return table


def through_converter(
    state: Complex, efficiency: float, noise_out: float, levels: int | None = None
) -> Complex:
    r"""Density matrix of one mode behind a converter (L12).

    Any phase-insensitive Gaussian channel is a loss of :math:`\tau/(1+N)` and then an amplifier of
    gain :math:`1+N`:

    .. math:: \rho\to\sum_{k,l} B_k A_l\,\rho\,A_l^\dagger B_k^\dagger

    Parameters
    ----------
    state : ndarray of complex, shape (d, d)
        Input in the number basis.
    efficiency : float
        Photon-number efficiency τ [1], >= 0; above one it is a gain.
    noise_out : float
        Output noise N on vacuum [quanta], normally ordered, >= 0.
    levels : int, optional
        Levels kept of the output; by default enough to hold all but 1e-12 of the noise.

    Returns
    -------
    ndarray of complex, shape (levels, levels)
        Output; what its trace lacks has more photons than `levels`.

    Raises
    ------
    ParameterError
        If the noise is below the quantum floor of the gain, :math:`N\ge\tau-1`.

    Source: decomposition of Caruso, Giovannetti and Holevo, New J. Phys. 8, 310 (2006).

    Examples
    --------
    >>> out = through_converter(np.diag([0.0, 1.0]).astype(complex), 0.4, 0.1)
    >>> round(float(out[0, 0].real), 10)      # (1 + N - tau)/(1 + N)^2
    0.5785123967
    """
    checks.number("through_converter: efficiency", efficiency, "1", at_least=0.0)
    checks.number("through_converter: noise_out", noise_out, "quanta", at_least=0.0)
    rho = np.asarray(state, dtype=np.complex128)
    if rho.ndim != 2 or rho.shape[0] != rho.shape[1]:
        raise ParameterError(f"through_converter: state must be (d, d), got {rho.shape}")
    gain = 1 + noise_out
    loss = efficiency / gain
    if loss > 1 + 1e-12:
        raise ParameterError(
            f"through_converter: noise_out [quanta] must be >= efficiency - 1 = "
            f"{efficiency - 1:.4g}, got {noise_out}: a gain adds its quantum"
        )
    loss = min(loss, 1.0)
    d = len(rho)
    if levels is None:
        tail = 0 if noise_out == 0 else int(np.ceil(np.log(1e-13) / np.log(noise_out / gain)))
        levels = d + 2 * tail
    roots = _binomial_roots(max(levels, d))
    lost = np.zeros_like(rho)
    for k in range(d):  # k photons lost
        n = np.arange(d - k)
        a = roots[n + k, k] * loss ** (n / 2) * (1 - loss) ** (k / 2)
        lost[: d - k, : d - k] += a[:, None] * a * rho[k:, k:]
    out = np.zeros((levels, levels), dtype=np.complex128)
    for k in range(levels):  # k photons added
        m = np.arange(min(d, levels - k))
        b = roots[m + k, k] * gain ** (-(m + 1) / 2) * (noise_out / gain) ** (k / 2)
        out[k : k + len(m), k : k + len(m)] += b[:, None] * b * lost[: len(m), : len(m)]
        if noise_out == 0:
            break
    return out


@dataclass(frozen=True)
class DualRail:
    """A photon in one of two rails, sent through two equal converters and post-selected (L12).

    Parameters
    ----------
    probability : float or ndarray, shape (...)
        That exactly one photon arrives in the two rails [1].
    fidelity : float or ndarray, shape (...)
        Entanglement fidelity if it does [1].
    """

    probability: Real
    fidelity: Real


def thermal_loss_elements(
    efficiency: Real, noise_out: Real
) -> tuple[Array, Array, Array, Array, Array]:
    r"""What a thermal loss makes of no photon and one (L12).

    .. math:: P(0|0)=\frac{1}{1+N},\; P(1|0)=\frac{N}{(1+N)^2},\;
              P(0|1)=\frac{1+N-\tau}{(1+N)^2},\;
              P(1|1)=\frac{N(1+N)+\tau(1-N)}{(1+N)^3},\;
              |1\rangle\langle0|\to\frac{\sqrt\tau}{(1+N)^2}

    Parameters
    ----------
    efficiency : float or ndarray, shape (...)
        τ [1], in [0, 1].
    noise_out : float or ndarray, shape (...)
        N at the output [quanta], >= 0.

    Returns
    -------
    tuple of ndarray, shape (...)
        P(0|0), P(1|0), P(0|1), P(1|1) and the factor of the coherence [1].
    """
    checks.probability("thermal_loss_elements: efficiency", efficiency)
    checks.number("thermal_loss_elements: noise_out", noise_out, "quanta", at_least=0.0)
    t, N = np.broadcast_arrays(np.asarray(efficiency, float), np.asarray(noise_out, float))
    return (
        1 / (1 + N),
        N / (1 + N) ** 2,
        (1 + N - t) / (1 + N) ** 2,
        (N * (1 + N) + t * (1 - N)) / (1 + N) ** 3,
        np.sqrt(t) / (1 + N) ** 2,
    )


def dual_rail(efficiency: Real, noise_out: Real) -> DualRail:
    r"""Direct transduction of a dual-rail qubit, post-selected on one photon (L12).

    .. math:: p = P_{11}P_{00}+P_{10}P_{01},\qquad
              F = \frac{P_{11}P_{00}+\tau/(1+N)^4}{2p}

    with :math:`P_{ij}=P(i|j)` of one rail.

    Parameters
    ----------
    efficiency : float or ndarray, shape (...)
        τ from end to end [1], in [0, 1].
    noise_out : float or ndarray, shape (...)
        N in each rail's mode at the end [quanta], >= 0.

    Notes
    -----
    Post-selection hides lost and multiple photons: report the probability beside the fidelity.
    """
    checks.probability("dual_rail: efficiency", efficiency)
    checks.number("dual_rail: noise_out", noise_out, "quanta", at_least=0.0)
    p00, p10, p01, p11, c = thermal_loss_elements(efficiency, noise_out)
    p = p11 * p00 + p10 * p01
    if not np.all(p > 0):
        raise ParameterError(
            "dual_rail: no photon arrives: efficiency and noise are both zero; raise the efficiency"
        )
    return DualRail(p, (p11 * p00 + c**2) / (2 * p))


def photon_added_thermal(quanta: float, levels: int) -> Array:
    r"""Number distribution of a thermal mode that one quantum was added to (L10).

    .. math:: P(k) = \frac{k\,n^{k-1}}{(1+n)^{k+1}}

    What a phonon mode of occupation n holds when the click of a weak blue pulse heralds one phonon
    more; its mean is 2 n + 1.

    Parameters
    ----------
    quanta : float
        Occupation n before [quanta], >= 0.
    levels : int
        Levels kept, >= 2.

    Returns
    -------
    ndarray, shape (levels,)
        Probabilities [1]; what is missing to one lies above.

    Source: Agarwal and Tara, Phys. Rev. A 46, 485 (1992).
    """
    checks.number("photon_added_thermal: quanta", quanta, "quanta", at_least=0.0)
    k = np.arange(levels)
    if quanta == 0:
        return np.asarray((k == 1).astype(np.float64))
    return np.asarray(k * (quanta / (1 + quanta)) ** (k - 1.0) / (1 + quanta) ** 2)
