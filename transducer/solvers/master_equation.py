"""The independent referee.

The same questions put to a QuTiP master equation that knows nothing of matrices A and K.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from transducer.conversion import Conversion
from transducer.hamiltonian import Hamiltonian, Polynomial, adjoint
from transducer.solvers.blocks import Block
from transducer.solvers.regression import Stationary, settled
from transducer.solvers.truncation import Trial

Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class _Answer:
    amplitude: Complex
    noise: NDArray[np.float64]
    populations: Mapping[str, NDArray[np.float64]]
    block: int


def _answer(
    hamiltonian: Hamiltonian,
    levels: Mapping[str, int],
    source: str,
    target: str,
    omega: NDArray[np.float64],
) -> _Answer:
    solved = Stationary(hamiltonian, levels)
    a, b = hamiltonian.channel(target).leaving, hamiltonian.channel(source).leaving
    a_dag, b_dag = adjoint(a), adjoint(b)
    occupation = hamiltonian.channel(target).occupation

    def commuted(first: Polynomial) -> tuple[Block, Complex]:
        """[X, rho] of the steady state."""
        block, x = solved.times(first, None)
        return block, x - solved.times(None, adjoint(first))[1]

    def transform(block: Block, *vectors: Complex) -> list[Complex]:
        row = block.functional(a)
        return solved.resolvents(omega, block, [(x, row) for x in vectors])

    # coherent probe (Kubo): the output follows <[L_out(t), L_in^dag]>, or <[L_out(t), L_in]> when
    # it is phase conjugated
    amplitude = (1.0 if source == target else 0.0) - transform(*commuted(b_dag))[0]
    if not np.any(np.abs(amplitude) > 1e-12):
        amplitude = transform(*commuted(b))[0]
    block, response = commuted(a_dag)
    spectrum, answered = transform(block, solved.times(None, a)[1], response)
    noise = occupation + 2 * (spectrum - occupation * answered).real
    populations = {name: solved.populations(name) for name in hamiltonian.modes}
    return _Answer(amplitude, noise, populations, solved.largest)


def convert(
    hamiltonian: Hamiltonian,
    source: str,
    target: str,
    omega: NDArray[np.float64],
    accuracy: float = 2e-7,
) -> Conversion:
    r"""Efficiency and noise from one port to another, from the master equation alone.

    Efficiency is the response of the output to a weak coherent probe at the source (Kubo),

    .. math:: S(\omega) = \delta
              - \int_0^\infty dt\,e^{i\omega t}\langle[L_i(t),L_j^\dagger(0)]\rangle,

    and the output noise is the port's spectrum with the interference between what comes in and what
    comes out,

    .. math:: N_\mathrm{out}(\omega) = n_i + \mathcal S_{L^\dagger L}(\omega)
              - 2 n_i\,\mathrm{Re}\!\int_0^\infty dt\,e^{i\omega
              t}\langle[L_i(t),L_i^\dagger(0)]\rangle ,

    with :math:`L_i=\sum_k\sqrt{\kappa_{ik}}\,a_k` the output operator of port i.

    Parameters
    ----------
    hamiltonian : Hamiltonian
        The device.
    source, target : str
        Port names, as in `transducer.solvers.scattering.convert`.
    omega : ndarray, shape (n,)
        Offset of the signal from the frame [rad/s].
    accuracy : float
        The Fock space grows until enlarging all modes moves neither efficiency nor noise by more
        than this, relative to the value [1] (below 1e-3 to 1e-3), at nine of the frequencies.

    Returns
    -------
    Conversion
        With its `Truncation`; contributions by port are left empty.

    Raises
    ------
    TruncationError
        If no Fock space that is tried reaches the accuracy; the sentence says what was reached.

    Notes
    -----
    Conserved charges split the Liouvillian; only the blocks that the question needs are assembled.

    Source: Gardiner and Zoller, *Quantum Noise*, sections 5.3 and 5.4 (regression theorem, output
    correlations).
    """
    checks.number("master_equation.convert: omega", omega, "rad/s")
    omega = np.atleast_1d(np.asarray(omega, dtype=np.float64))

    some = omega[np.unique(np.linspace(0, len(omega) - 1, 9).astype(int))]

    def trial(levels: dict[str, int]) -> Trial:
        found = _answer(hamiltonian, levels, source, target, some)
        values = (*np.abs(found.amplitude) ** 2, *found.noise)
        return Trial(tuple(np.array(v) for v in values), found.populations, found.block)

    _, report = settled(trial, hamiltonian, None, accuracy)
    assert report is not None
    best = _answer(hamiltonian, report.levels, source, target, omega)
    return Conversion(
        omega, best.amplitude, best.noise, source, target, "master-equation", truncation=report
    )
