"""The independent referee.

The same questions put to a QuTiP master equation that knows nothing of matrices A and K.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.errors import TruncationError
from transducer.conversion import Conversion, Truncation
from transducer.hamiltonian import Channel, Hamiltonian

if TYPE_CHECKING:
    import qutip
    from scipy.sparse import csc_matrix

LARGEST_DIMENSION = 640
"""Largest Hilbert-space dimension that is tried; its Liouvillian takes about 1 GiB."""
LARGEST_BLOCK = 40_000
"""Largest symmetry block that is factorised [unknowns]."""

Complex = NDArray[np.complex128]


def operators(
    hamiltonian: Hamiltonian, levels: Mapping[str, int]
) -> tuple["qutip.Qobj", list["qutip.Qobj"], dict[str, "qutip.Qobj"]]:
    """QuTiP objects of a device in a truncated Fock space.

    Parameters
    ----------
    hamiltonian : Hamiltonian
        The device.
    levels : mapping of str to int
        Levels of each mode, >= 2.

    Returns
    -------
    H : Qobj
        Hamiltonian over ħ [rad/s].
    c_ops : list of Qobj
        Collapse operators [rad^1/2 s^-1/2], loss and thermal gain of every port.
    a : dict of str to Qobj
        Annihilation operator of each mode.
    """
    import qutip

    a = {}
    for name in hamiltonian.modes:
        factors = [
            qutip.destroy(levels[m]) if m == name else qutip.qeye(levels[m])
            for m in hamiltonian.modes
        ]
        a[name] = qutip.tensor(factors)
    identity = qutip.tensor([qutip.qeye(levels[m]) for m in hamiltonian.modes])
    H = 0 * identity
    for term in hamiltonian.terms:
        product = term.coefficient * identity
        for op in term.operators:
            product = product * (a[op.mode].dag() if op.dagger else a[op.mode])
        H = H + product
    c_ops = []
    for channel in hamiltonian.channels:
        if channel.kappa > 0:
            L = leaving(channel, a)
            c_ops.append(np.sqrt(channel.occupation + 1) * L)
            if channel.occupation > 0:
                c_ops.append(np.sqrt(channel.occupation) * L.dag())
    return H, c_ops, a


def leaving(channel: Channel, a: Mapping[str, "qutip.Qobj"]) -> "qutip.Qobj":
    """Output operator L of a port [(rad/s)^1/2] from the annihilation operators of the modes."""
    return sum(u * a[mode] for mode, u in channel.amplitudes)


class _Solved:
    """Steady state and resolvent of one truncated device, block by uncoupled block."""

    def __init__(self, hamiltonian: Hamiltonian, levels: Mapping[str, int]) -> None:
        import qutip
        from scipy.sparse.csgraph import connected_components

        H, c_ops, a = operators(hamiltonian, levels)
        self.scale = float(max(c.kappa for c in hamiltonian.channels))
        self.a = {name: op.to("CSR").data.as_scipy().tocsr() for name, op in a.items()}
        self.L_out = {
            c.name: leaving(c, a).to("CSR").data.as_scipy().tocsr() for c in hamiltonian.channels
        }
        self.dimension = H.shape[0]
        liouvillian = qutip.liouvillian(H, c_ops).to("CSR").data.as_scipy().tocsr()
        liouvillian.eliminate_zeros()
        self.L: csc_matrix = (liouvillian / self.scale).tocsc()
        _, self.label = connected_components(abs(self.L), directed=False)
        self.largest = 0
        self.rho = self._steady_state()

    def _block(self, support: NDArray[np.int64]) -> NDArray[np.int64]:
        index = np.flatnonzero(np.isin(self.label, np.unique(self.label[support])))
        self.largest = max(self.largest, len(index))
        if len(index) > LARGEST_BLOCK:
            raise TruncationError(
                f"the master equation needs a block of {len(index)} unknowns, more than "
                f"{LARGEST_BLOCK}; use the scattering engine: this device is Gaussian"
            )
        return index

    def _steady_state(self) -> Complex:
        from scipy.sparse import csc_matrix
        from scipy.sparse.linalg import splu

        d = self.dimension
        diagonal = np.arange(d) * (d + 1)
        index = self._block(diagonal)
        block = self.L[index][:, index].tolil()
        trace = np.isin(index, diagonal).astype(np.complex128)
        # the rows of a block with populations sum to zero: one of them becomes the trace
        block[0, :] = trace
        right = np.zeros(len(index), dtype=np.complex128)
        right[0] = 1.0
        vector = np.zeros(d * d, dtype=np.complex128)
        vector[index] = splu(csc_matrix(block)).solve(right)
        rho = vector.reshape(d, d, order="F")
        return np.asarray((rho + rho.conj().T) / 2)

    def resolvents(
        self,
        omega: NDArray[np.float64],
        questions: Sequence[tuple[Complex, "csc_matrix"]],
    ) -> list[Complex]:
        r"""Half-sided transforms :math:`\int_0^\infty dt\,e^{i\omega t}\mathrm{Tr}[Me^{Lt}X]` [s].

        One factorisation per frequency serves all `questions` (X, M); each answer has the shape of
        `omega`.
        """
        from scipy.sparse import csc_matrix, identity
        from scipy.sparse.linalg import splu

        vectors = np.stack([start.reshape(-1, order="F") for start, _ in questions], axis=1)
        support = np.flatnonzero(np.any(np.abs(vectors) > 0, axis=1))
        answers = [np.zeros(omega.shape, dtype=np.complex128) for _ in questions]
        if len(support) == 0:
            return answers
        index = self._block(support)
        block = self.L[index][:, index]
        one = csc_matrix(identity(len(index), dtype=np.complex128))
        # Tr[M X] = sum_ij M_ji X_ij: column-stacked, the row vector of M^T
        rows = [np.asarray(m.toarray()).T.reshape(-1, order="F")[index] for _, m in questions]
        for k, w in np.ndenumerate(omega):
            solved = splu(csc_matrix(block + (1j * w / self.scale) * one)).solve(vectors[index])
            for q, row in enumerate(rows):
                answers[q][k] = -(row @ solved[:, q]) / self.scale
        return answers

    def populations(self, name: str) -> NDArray[np.float64]:
        """Populations of the levels of one mode, shape (levels,)."""
        a = self.a[name]
        number = np.rint((a.conj().T @ a).diagonal().real).astype(int)
        return np.asarray(np.bincount(number, weights=self.rho.diagonal().real), dtype=np.float64)


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
    solved = _Solved(hamiltonian, levels)
    hamiltonian.channel(source)
    out = hamiltonian.channel(target)
    a, b, rho = solved.L_out[target], solved.L_out[source], solved.rho
    b_dag, a_dag = b.conj().T, a.conj().T
    # coherent probe (Kubo): the output follows <[L_out(t), L_in^dag]>, or <[L_out(t), L_in]> when
    # it is phase conjugated
    probe, spectrum, response = solved.resolvents(
        omega,
        [(b_dag @ rho - rho @ b_dag, a), (rho @ a_dag, a), (a_dag @ rho - rho @ a_dag, a)],
    )
    amplitude = (1.0 if source == target else 0.0) - probe
    if not np.any(np.abs(amplitude) > 1e-12):
        amplitude = solved.resolvents(omega, [(b @ rho - rho @ b, a)])[0]
    interference = out.occupation * response
    noise = out.occupation + 2 * (spectrum - interference).real
    populations = {name: solved.populations(name) for name in solved.a}
    return _Answer(amplitude, noise, populations, solved.largest)


def _first_guess(hamiltonian: Hamiltonian) -> dict[str, int]:
    levels = {}
    for mode in hamiltonian.modes:
        rates = [(c.rate(mode), c.occupation) for c in hamiltonian.channels]
        total = sum(rate for rate, _ in rates)
        n = sum(rate * occupation for rate, occupation in rates) / total if total > 0 else 0.0
        tail = np.log(1e-8) / np.log(n / (1 + n)) if n > 0 else 0.0
        levels[mode] = max(3, int(np.ceil(tail)))
        if len(hamiltonian.modes) > 2:  # couplings cool: start small, the check enlarges
            levels[mode] = min(levels[mode], 4)
    return levels


def _enlarged(levels: Mapping[str, int], mode: str, more: int = 0) -> dict[str, int]:
    return {**levels, mode: levels[mode] + max(1, more, int(np.ceil(0.2 * levels[mode])))}


def _missing_levels(populations: NDArray[np.float64], move: float) -> int:
    """Levels still missing, if the error falls from level to level as the populations do."""
    if len(populations) < 4 or not 0 < populations[-2] < populations[-3]:
        return 0
    fall = float(np.log(populations[-3] / populations[-2]))
    return int(np.ceil(np.log(move) / fall))


def _distance(one: _Answer, two: _Answer, rtol: float, atol: float) -> float:
    """Largest difference of efficiency or noise, in units of the tolerance."""
    pairs = (
        (np.abs(one.amplitude) ** 2, np.abs(two.amplitude) ** 2),
        (one.noise, two.noise),
    )
    return max(float(np.max(np.abs(x - y) / (rtol * np.abs(y) + atol))) for x, y in pairs)


def convert(
    hamiltonian: Hamiltonian,
    source: str,
    target: str,
    omega: NDArray[np.float64],
    rtol: float = 2e-7,
    atol: float = 2e-10,
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
    rtol, atol : float
        Asked accuracy of efficiency [1] and noise [quanta]: the Fock space grows until enlarging
        any mode by a fifth moves neither by more than ``rtol * value + atol`` at nine of the
        frequencies.

    Returns
    -------
    Conversion
        With its `Truncation`; contributions by port are left empty.

    Raises
    ------
    TruncationError
        If no Fock space within `LARGEST_DIMENSION` reaches the accuracy; the sentence says what was
        reached.

    Notes
    -----
    The Liouvillian is QuTiP's. Whatever symmetry it has shows as blocks that its sparsity leaves
    uncoupled; they are found from the matrix itself, and only those that the question needs are
    factorised.

    Source: Gardiner and Zoller, *Quantum Noise*, sections 5.3 and 5.4 (regression theorem, output
    correlations).
    """
    checks.number("master_equation.convert: omega", omega, "rad/s")
    omega = np.atleast_1d(np.asarray(omega, dtype=np.float64))

    some = omega[np.unique(np.linspace(0, len(omega) - 1, 9).astype(int))]

    @cache
    def answer(sizes: tuple[int, ...]) -> _Answer:
        levels = dict(zip(hamiltonian.modes, sizes, strict=True))
        return _answer(hamiltonian, levels, source, target, some)

    levels = _first_guess(hamiltonian)
    while True:
        moves: dict[str, float] = {}
        for mode in hamiltonian.modes:
            larger = _enlarged(levels, mode)
            _refuse_too_large(larger, levels, moves)
            moves[mode] = _distance(
                answer(tuple(levels.values())), answer(tuple(larger.values())), rtol, atol
            )
        if max(moves.values()) <= 1.0:
            break
        found = answer(tuple(levels.values()))
        for mode, move in moves.items():
            if move > 1.0:
                more = _missing_levels(found.populations[mode], move)
                levels = _enlarged(levels, mode, more)
    best = _answer(hamiltonian, levels, source, target, omega)
    leakage = max(float(np.abs(p[-1])) for p in best.populations.values())
    report = Truncation(dict(levels), max(moves.values()), leakage, best.block)
    return Conversion(
        omega, best.amplitude, best.noise, source, target, "master-equation", truncation=report
    )


def _refuse_too_large(
    larger: Mapping[str, int], levels: Mapping[str, int], moves: Mapping[str, float]
) -> None:
    dimension = int(np.prod(list(larger.values())))
    if dimension > LARGEST_DIMENSION:
        kept = " x ".join(str(n) for n in levels.values())
        reached = (
            f"; at {kept} levels a quantity still moves by {max(moves.values()):.2g} tolerances"
            if moves
            else ""
        )
        raise TruncationError(
            f"the master equation needs a Fock space of dimension {dimension} or more (Liouvillian "
            f"of {dimension**2:.2g} unknowns), beyond {LARGEST_DIMENSION}{reached}: the "
            "occupations are too high for it; the scattering engine is exact here"
        )
