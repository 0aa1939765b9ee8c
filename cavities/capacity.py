"""How much quantum information a converter can carry, and what its noise forbids."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.constants import Real
from cavities.errors import ValidityError

Array = NDArray[np.float64]


def thermal_entropy(quanta: Real) -> Array:
    r"""Entropy of a thermal mode, :math:`g(x)=(x+1)\log_2(x+1)-x\log_2x`.

    Parameters
    ----------
    quanta : float or ndarray, shape (...)
        Mean photon number x [quanta], >= 0.

    Returns
    -------
    ndarray, shape (...)
        Entropy [bits].
    """
    checks.number("thermal_entropy: quanta", quanta, "quanta", at_least=0.0)
    x = np.asarray(quanta, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(x > 0, (x + 1) * np.log2(x + 1) - x * np.log2(np.where(x > 0, x, 1)), 0.0)


def pure_loss_capacity(efficiency: Real) -> Array:
    r"""Quantum capacity of a pure loss without assistance, :math:`\max(0,\log_2\frac\eta{1-\eta})`.

    Zero up to η = 1/2, but only one-way and without help: a heralded or two-way assisted link has
    no such threshold (`pure_loss_bound`).

    Parameters
    ----------
    efficiency : float or ndarray, shape (...)
        Photon-number efficiency η [1], in [0, 1].

    Returns
    -------
    ndarray, shape (...)
        Qubits per mode; infinite at η = 1.

    Source: Wolf, Pérez-García and Giedke, Phys. Rev. Lett. 98, 130501 (2007) (L11).
    """
    checks.probability("pure_loss_capacity: efficiency", efficiency)
    eta = np.asarray(efficiency, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.where(eta > 0.5, np.log2(eta / (1 - eta)), 0.0)


def pure_loss_bound(transmission: Real) -> Array:
    r"""Two-way assisted capacity of a pure-loss mode, :math:`-\log_2(1-\eta)` (L11).

    Parameters
    ----------
    transmission : float or ndarray, shape (...)
        Transmission η from end to end [1], in [0, 1].

    Returns
    -------
    ndarray, shape (...)
        Ebits per mode; infinite at η = 1.

    Source: Pirandola, Laurenza, Ottaviani and Banchi, Nat. Commun. 8, 15043 (2017).

    Examples
    --------
    >>> round(float(pure_loss_bound(0.01)), 10)
    0.0144995697
    """
    checks.probability("pure_loss_bound: transmission", transmission)
    with np.errstate(divide="ignore"):
        return np.asarray(-np.log1p(-np.asarray(transmission, float)) / np.log(2))


def thermal_loss_bounds(efficiency: Real, noise_out: Real) -> tuple[Array, Array]:
    r"""What is known of the capacity of a loss with thermal noise (L11).

    .. math:: \max\!\left(0,\log_2\tfrac\eta{1-\eta}-g(n_E)\right)\le Q,\qquad
              Q_2\le \max\!\left(0,-\log_2[(1-\eta)\eta^{n_E}]-g(n_E)\right)

    with :math:`n_E = N_\mathrm{out}/(1-\eta)`; the upper bound is zero from
    :math:`n_E\ge\eta/(1-\eta)` on, where the channel breaks entanglement.

    Parameters
    ----------
    efficiency : float or ndarray, shape (...)
        Photon-number efficiency η [1], in (0, 1).
    noise_out : float or ndarray, shape (...)
        Output noise [quanta], normally ordered, >= 0.

    Returns
    -------
    tuple of ndarray, shape (...)
        Lower bound of the unassisted capacity, upper bound of the two-way assisted one [1/mode].

    Source: Holevo and Werner, Phys. Rev. A 63, 032312 (2001); Pirandola et al., Nat. Commun. 8,
    15043 (2017) for the upper bound, quoted.
    """
    checks.number("thermal_loss_bounds: efficiency", efficiency, "1", above=0.0, below=1.0)
    checks.number("thermal_loss_bounds: noise_out", noise_out, "quanta", at_least=0.0)
    eta = np.asarray(efficiency, dtype=np.float64)
    n = np.asarray(noise_out, dtype=np.float64) / (1 - eta)
    entropy = thermal_entropy(n)
    lower = np.maximum(0.0, np.log2(eta / (1 - eta)) - entropy)
    upper = np.maximum(0.0, -np.log2(1 - eta) - n * np.log2(eta) - entropy)
    return lower, np.where(n >= eta / (1 - eta), 0.0, upper)


def breaks_entanglement(added_noise: Real) -> NDArray[np.bool_]:
    """Whether a converter destroys all entanglement: input-referred noise of one quantum or more.

    For every phase-insensitive converter, with loss or with gain (L11). Heralded links die much
    earlier, at 0.207.

    Parameters
    ----------
    added_noise : float or ndarray, shape (...)
        Noise referred to the input, normally ordered [quanta], >= 0.

    Source: Holevo, Problems of Information Transmission 44, 171 (2008).
    """
    checks.number("breaks_entanglement: added_noise", added_noise, "quanta", at_least=0.0)
    return np.asarray(np.asarray(added_noise) >= 1.0)


def coherent_state_fidelity(added_noise: Real) -> Array:
    r"""Fidelity of coherent states through a converter of unit gain, :math:`1/(1+N)` (L11).

    Above 1/2 (N < 1) no measurement and preparation does as well, above 2/3 (N < 1/2) there is no
    better copy.

    Parameters
    ----------
    added_noise : float or ndarray, shape (...)
        Noise N, normally ordered [quanta], >= 0.
    """
    checks.number("coherent_state_fidelity: added_noise", added_noise, "quanta", at_least=0.0)
    return 1 / (1 + np.asarray(added_noise, dtype=np.float64))


def _capacity_of_loss(loss: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.where(loss < 0.5, np.log2((1 - loss) / loss), 0.0)


def capacity_rate(
    loss: Callable[[Array], Array],
    scale: float,
    capacity: Callable[[Array], Array] = _capacity_of_loss,
    rtol: float = 1e-8,
) -> float:
    r"""Capacity of a converter in continuous time.

    .. math:: Q = \int\frac{d\omega}{2\pi}\,q(\eta(\omega))

    Parameters
    ----------
    loss : callable
        What is lost, 1 - η [1], at an array of frequencies [rad/s]: computed as such (reflection
        and loss ports), since near η = 1 the difference has no digits left.
    scale : float
        Width of the line [rad/s], > 0.
    capacity : callable
        Capacity per mode against the loss; the unassisted one of a pure loss by default.
    rtol : float
        Asked relative accuracy.

    Returns
    -------
    float
        Qubits or ebits per second.

    Raises
    ------
    ValidityError
        If the integral does not settle, as for no loss over a whole band.

    Source: Wang, Li and Jiang, npj Quantum Inf. 8, 149 (2022), continuous-time capacity.
    """
    checks.number("capacity_rate: scale", scale, "rad/s", above=0.0)
    from scipy.integrate import quad

    def density(u: float) -> float:
        # omega = s tan(u): the wings become an end point, the centre another
        line = np.array([scale * np.tan(u)])
        q = capacity(np.clip(loss(line), 0.0, 1.0))
        return float(q[0] * scale / np.cos(u) ** 2 / (2 * np.pi))

    ends = [float(share * np.pi) for share in (-0.5, -0.25, 0.0, 0.25, 0.5)]
    parts = [quad(density, a, b, epsrel=rtol, epsabs=0.0, limit=1000) for a, b in pairwise(ends)]
    value: float = float(sum(part[0] for part in parts))
    error = float(sum(part[1] for part in parts))
    if np.isfinite(value) and error <= 100 * rtol * abs(value) + 1e-300:
        return float(value)
    raise ValidityError(
        "capacity_rate: the integral does not settle: nothing is lost over a whole band, or the "
        "wings fall too slowly"
    )


def teleported_noise(cooperativity: Real) -> Array:
    r"""Noise of a transduction by teleportation over an ideal pair source, unit gain (L11).

    .. math:: N = e^{-2r} = \left(\frac{1-\sqrt C}{1+\sqrt C}\right)^2

    Parameters
    ----------
    cooperativity : float or ndarray, shape (...)
        Cooperativity of the pair source C [1], in [0, 1).

    Returns
    -------
    ndarray, shape (...)
        Added noise [quanta], for unit extraction at both ports; the capacity is positive once it is
        below 1/e.

    Source: Wu, Cui, Fan and Zhuang, Phys. Rev. Applied 16, 064044 (2021).
    """
    checks.number("teleported_noise: cooperativity", cooperativity, "1", at_least=0.0, below=1.0)
    root = np.sqrt(np.asarray(cooperativity, dtype=np.float64))
    return np.asarray(((1 - root) / (1 + root)) ** 2)


def adaptive_noise(efficiency: Real, squeezed_variance: Real) -> Array:
    r"""Noise of a converter whose idle port is squeezed, measured and fed forward (L22f, g).

    .. math:: x_o=\sqrt\eta\,x+\sqrt{1-\eta}\,x_s,\quad p_o=p/\sqrt\eta
              \;\Rightarrow\; \Delta x^2_\mathrm{added} = \frac{1-\eta}{\eta}V_s

    Parameters
    ----------
    efficiency : float or ndarray, shape (...)
        Efficiency η [1], in (0, 1].
    squeezed_variance : float or ndarray, shape (...)
        Variance of the ancilla's quiet quadrature V_s [quanta, vacuum = 1/2], > 0.

    Returns
    -------
    ndarray, shape (...)
        Input-referred variance added to x; p gets none [quanta].

    Source: Zhang, Zou and Jiang, Phys. Rev. Lett. 120, 020502 (2018); Lau and Clerk, npj Quantum
    Inf. 5, 31 (2019).
    """
    checks.number("adaptive_noise: efficiency", efficiency, "1", above=0.0, at_most=1.0)
    checks.number("adaptive_noise: squeezed_variance", squeezed_variance, "quanta", above=0.0)
    eta = np.asarray(efficiency, dtype=np.float64)
    return np.asarray((1 - eta) / eta * squeezed_variance)
