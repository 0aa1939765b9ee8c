"""Two qubits that wait for a message: amplitude damping and dephasing, each on its own clock."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.constants import Real
from cavities.errors import ParameterError

State = NDArray[np.complex128]


@dataclass(frozen=True)
class Memory:
    """A stored qubit in a cold bath.

    Parameters
    ----------
    T1 : float
        Energy relaxation time [s], > 0.
    T2 : float
        Coherence time (echo) [s], in (0, 2 T1].

    Raises
    ------
    ParameterError
        If a time is not positive or T2 > 2 T1.
    """

    T1: float
    T2: float

    def __post_init__(self) -> None:
        checks.number("Memory.T1", self.T1, "s", above=0.0)
        checks.number("Memory.T2", self.T2, "s", above=0.0)
        if self.T2 > 2 * self.T1 * (1 + 1e-12):
            raise ParameterError(
                f"Memory.T2 [s] must be at most 2 T1 = {2 * self.T1:g}, got {self.T2:g}; check "
                "which of the two times is the longer"
            )


@dataclass(frozen=True)
class QubitChannel:
    """What waiting did to one qubit: a T = 0 amplitude damping with extra dephasing.

    Parameters
    ----------
    survival : float or ndarray, shape (...)
        Factor on the excited population [1], in [0, 1].
    coherence : float or ndarray, shape (...)
        Factor on the coherence [1], in [0, sqrt(survival)].
    """

    survival: Real
    coherence: Real

    def __post_init__(self) -> None:
        checks.probability("QubitChannel.survival", self.survival)
        checks.probability("QubitChannel.coherence", self.coherence)
        if np.any(np.square(self.coherence) > np.asarray(self.survival) * (1 + 1e-9)):
            raise ParameterError("QubitChannel.coherence [1] must not exceed sqrt(survival)")


def qubit_channel(memory: Memory, time: Real) -> QubitChannel:
    r"""Channel of a qubit that waits.

    :math:`e^{-t/T_1}` on the population, :math:`e^{-t/T_2}` on the coherence.

    Parameters
    ----------
    memory : Memory
        The qubit.
    time : float or ndarray, shape (...)
        Waiting time [s], >= 0.
    """
    checks.number("qubit_channel: time", time, "s", at_least=0.0)
    return QubitChannel(np.exp(-time / memory.T1), np.exp(-time / memory.T2))


def _on_first(state: State, channel: QubitChannel) -> State:
    # state[..., a, b, a', b']; damp a
    keep = np.asarray(channel.survival)[..., None, None]
    phase = np.asarray(channel.coherence)[..., None, None]
    excited, ground = state[..., 1, :, 1, :], state[..., 0, :, 0, :]
    up, down = state[..., 1, :, 0, :], state[..., 0, :, 1, :]
    shape = np.broadcast_shapes(excited.shape, keep.shape)
    out = np.empty((*shape[:-2], 2, 2, 2, 2), dtype=np.complex128)
    out[..., 1, :, 1, :] = keep * excited
    out[..., 0, :, 0, :] = ground + (1 - keep) * excited
    out[..., 1, :, 0, :] = phase * up
    out[..., 0, :, 1, :] = phase * down
    return out


def depolarised(state: State, side: int, probability: float) -> State:
    r"""Replace one qubit of a pair by noise with a probability.

    .. math:: \rho \to (1-p)\,\rho + p\,\tfrac12\mathbb 1\otimes\mathrm{Tr}_j\rho

    Parameters
    ----------
    state : ndarray of complex, shape (..., 4, 4)
        Density matrix, basis \|A B> = 00, 01, 10, 11.
    side : int
        0 for qubit A, 1 for B.
    probability : float
        p [1], in [0, 1]; the average fidelity of the channel is 1 - p/2.
    """
    checks.probability("depolarised: probability", probability)
    pair = state.reshape(*state.shape[:-2], 2, 2, 2, 2)
    even = np.eye(2) / 2
    if side == 0:
        other = np.einsum("...abac->...bc", pair)
        mixed = np.einsum("ab,...cd->...acbd", even, other)
    else:
        other = np.einsum("...abcb->...ac", pair)
        mixed = np.einsum("...ab,cd->...acbd", other, even)
    return np.asarray((1 - probability) * state + probability * mixed.reshape(state.shape))


def decay(state: State, first: QubitChannel, second: QubitChannel) -> State:
    """Let both qubits of a pair wait (L20).

    Parameters
    ----------
    state : ndarray of complex, shape (..., 4, 4)
        Density matrix, basis |A B> = 00, 01, 10, 11 with 1 the energy-excited state; it need not be
        normalised.
    first, second : QubitChannel
        What happens to A and to B.

    Returns
    -------
    ndarray of complex, shape (..., 4, 4)
        State afterwards; its trace is kept.

    Notes
    -----
    Cold bath (T = 0).

    Source: amplitude damping and dephasing channels, Nielsen and Chuang, *Quantum Computation and
    Quantum Information*, section 8.3.

    Examples
    --------
    >>> psi = np.outer([0, 1, 1, 0], [0, 1, 1, 0]) / 2 + 0j
    >>> wait = qubit_channel(Memory(100e-6, 80e-6), 12e-6)
    >>> later = decay(psi, wait, wait)
    >>> round(float(np.real(later[1:3, 1:3].sum()) / 2), 6)     # (e^{-t/T1} + e^{-2t/T2})/2
    0.813869
    """
    pair = state.reshape(*state.shape[:-2], 2, 2, 2, 2)
    pair = _on_first(pair, first)
    pair = np.swapaxes(np.swapaxes(pair, -4, -3), -2, -1)
    pair = _on_first(pair, second)
    pair = np.swapaxes(np.swapaxes(pair, -4, -3), -2, -1)
    return np.ascontiguousarray(pair).reshape(*pair.shape[:-4], 4, 4)
