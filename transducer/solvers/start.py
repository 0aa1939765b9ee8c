"""The state in which a master equation starts, before anyone has chosen a number of levels."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cavities import checks
from cavities.errors import ParameterError
from transducer.solvers.blocks import Space

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True)
class Start:
    r"""A superposition of product states of levels, times thermal states of other modes.

    .. math:: \rho_0 = \Big(\sum_a c_a|\mathbf n_a\rangle\Big)\Big(\mathrm{h.c.}\Big)
              \otimes\bigotimes_k\rho_\mathrm{th}(\bar n_k)

    Parameters
    ----------
    ket : tuple of (complex, tuple of (str, int))
        Amplitude c and the level of each mode that is not in its ground state.
    thermal : tuple of (str, float)
        Modes in a thermal state and their occupation [quanta], >= 0.

    Raises
    ------
    ParameterError
        If the amplitudes are not normalised, or a thermal mode is given a level.
    """

    ket: tuple[tuple[complex, tuple[tuple[str, int], ...]], ...] = ((1.0, ()),)
    thermal: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        states = [tuple(sorted((m, n) for m, n in ket if n)) for _, ket in self.ket]
        if len(set(states)) < len(states):
            raise ParameterError("Start.ket: a product state occurs twice; add its amplitudes up")
        norm = sum(abs(c) ** 2 for c, _ in self.ket)
        if abs(norm - 1) > 1e-9:
            raise ParameterError(
                f"Start.ket: the squared amplitudes must sum to 1, got {norm:.9g}; normalise them"
            )
        warm = {mode for mode, _ in self.thermal}
        for mode, occupation in self.thermal:
            checks.number(f"Start.thermal of {mode}", occupation, "quanta", at_least=0.0)
        for _, numbers in self.ket:
            for mode, n in numbers:
                checks.number(f"Start.ket: level of {mode}", n, "1", at_least=0)
                if mode in warm:
                    raise ParameterError(f"Start: '{mode}' is thermal and in a level at once")

    @classmethod
    def fock(cls, **levels: int) -> "Start":
        """Every named mode in one level, the others in their ground state."""
        return cls(((1.0, tuple(sorted(levels.items()))),))

    @classmethod
    def superposed(cls, *parts: tuple[complex, Mapping[str, int]]) -> "Start":
        """Amplitudes and the levels that go with them."""
        return cls(tuple((complex(c), tuple(sorted(n.items()))) for c, n in parts))

    def warmed(self, **occupations: float) -> "Start":
        """Put the named modes in thermal states [quanta] instead of their ground states."""
        return Start(self.ket, (*self.thermal, *sorted(occupations.items())))

    @property
    def modes(self) -> set[str]:
        """Modes it speaks of."""
        return {m for _, ket in self.ket for m, _ in ket} | {m for m, _ in self.thermal}

    def excitations(self, modes: Iterable[str]) -> int:
        """Largest number of quanta that one of the superposed states has in these modes."""
        counted = set(modes)
        return max(sum(n for m, n in numbers if m in counted) for _, numbers in self.ket)

    def matrix(self, space: Space) -> "csr_array":
        """Density matrix, shape (d, d); thermal states are cut and normalised."""
        from scipy.sparse import coo_array

        offsets, weights = np.zeros(1, dtype=np.int64), np.ones(1)
        for mode, n in self.thermal:
            k = space.modes.index(mode)
            count = np.arange(space.levels[k])
            p = (n / (1 + n)) ** count if n > 0 else (count == 0).astype(float)
            p = p / p.sum()
            offsets = (offsets[:, None] + count * space.strides[k]).ravel()
            weights = (weights[:, None] * p).ravel()
        parts = [(c, space.ket(dict(numbers))) for c, numbers in self.ket]
        rows, columns, values = [], [], []
        for c, a in parts:
            for e, b in parts:
                rows.append(a + offsets)
                columns.append(b + offsets)
                values.append(c * np.conj(e) * weights)
        d = space.dimension
        entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
        return coo_array(entries, shape=(d, d)).tocsr()
