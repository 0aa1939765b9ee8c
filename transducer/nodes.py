"""Nodes as master equations: a memory, what it emits, and the transducer behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cavities import checks
from cavities.errors import ParameterError
from cavities.wavepackets import TemporalMode
from fibre.memory import Memory
from transducer.hamiltonian import (
    Channel,
    Hamiltonian,
    Jump,
    Ladder,
    Modulation,
    Term,
    Transition,
    conjugate,
)
from transducer.solvers.itinerant import chained, throwing
from transducer.solvers.start import Start


@dataclass(frozen=True)
class Node:
    """A master equation with a memory, and the levels in which it starts for each memory state.

    Parameters
    ----------
    model : Hamiltonian
        Everything in the node.
    memory : tuple of str
        Modes that are read at the end.
    kets : tuple of tuple of (str, int)
        For each state that can be prepared, the level of every mode that is not in its ground
        state; the memory's own level included.
    port : str
        Where the photon leaves.
    thermal : tuple of (str, float)
        Modes that start in a thermal state, and their occupation [quanta].
    """

    model: Hamiltonian
    memory: tuple[str, ...]
    kets: tuple[tuple[tuple[str, int], ...], ...]
    port: str
    thermal: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        self.model.channel(self.port)
        unknown = [m for m in self.memory if m not in self.model.modes]
        if unknown:
            raise ParameterError(f"Node: memory '{unknown[0]}' is not one of {self.model.modes}")

    def start(self, *amplitudes: complex) -> Start:
        """State with these amplitudes of the prepared states; none takes the only one."""
        given = amplitudes or (1.0,)
        if len(given) != len(self.kets):
            raise ParameterError(
                f"Node.start: give {len(self.kets)} amplitudes, one for each state that can be "
                f"prepared, got {len(given)}"
            )
        parts = tuple((complex(c), ket) for c, ket in zip(given, self.kets, strict=True) if c != 0)
        return Start(parts, self.thermal)

    def bright(self, alpha: float) -> Start:
        r"""State :math:`\sqrt{1-\alpha}\,|0\rangle+\sqrt\alpha\,|1\rangle` of the emitter."""
        checks.probability("Node.bright: alpha", alpha)
        return self.start(np.sqrt(1 - alpha), np.sqrt(alpha))


def resting(memory: str, store: Memory | None) -> tuple[Jump, ...]:
    """Relaxation and dephasing of a two-level memory; None is perfect.

    Parameters
    ----------
    memory : str
        Its mode.
    store : Memory, optional
        T1 and T2.
    """
    if store is None:
        return ()
    dephasing = max(0.0, 1 / store.T2 - 0.5 / store.T1)
    found = [Jump(f"relaxation of {memory}", (Term(np.sqrt(1 / store.T1), (Ladder(memory),)),))]
    if dephasing > 0:
        found.append(Jump(f"dephasing of {memory}", _dephasing(memory, dephasing)))
    return tuple(found)


def _dephasing(mode: str, rate: float) -> tuple[Term, ...]:
    return (Term(np.sqrt(2 * rate), (Ladder(mode, True), Ladder(mode))),)


def under_light(node: Node, memory: str, extra: float, lit: Modulation) -> Node:
    """Let pump light shorten the life of a memory while it is on.

    Parameters
    ----------
    node : Node
        The node.
    memory : str
        The memory.
    extra : float
        Relaxation rate that full light adds [1/s], >= 0, for example from
        `cavities.heating.lifetime_under_light`.
    lit : Modulation
        Root of the light's power over full power [1].
    """
    checks.number("under_light: extra", extra, "1/s", at_least=0.0)
    jump = Jump(
        f"relaxation of {memory} under light", (Term(np.sqrt(extra), (Ladder(memory),), lit),)
    )
    return replace(node, model=replace(node.model, jumps=(*node.model.jumps, jump)))


def spin_photon(
    rate: float,
    *,
    packet: TemporalMode | None = None,
    store: Memory | None = None,
    lost: float = 0.0,
    dephasing: float = 0.0,
    detuning: float = 0.0,
    occupation: float = 0.0,
) -> Node:
    r"""A spin that emits a photon where it is bright: ``spin``, ``emitter``, port ``emission``.

    .. math:: |0\rangle|0\rangle \text{ or } |1\rangle|1\rangle,\qquad
              L=\sqrt\Gamma\,\sigma\ \text{or}\ g_u^*(t)\,\sigma

    Parameters
    ----------
    rate : float
        Decay rate of the emitter into the port Γ [rad/s]; ignored if a packet is given.
    packet : TemporalMode, optional
        Shape that a tunable coupler gives the photon instead.
    store : Memory, optional
        T1 and T2 of the spin.
    lost : float
        Decay rate of the emitter elsewhere, its own 1/T1 [1/s].
    dephasing : float
        Pure dephasing of the emitter γ* [1/s].
    detuning : float
        Emitter from the frame [rad/s].
    occupation : float
        Thermal quanta of the port's bath [quanta].
    """
    checks.number("spin_photon: rate", rate, "rad/s", at_least=0.0)
    checks.number("spin_photon: lost", lost, "1/s", at_least=0.0)
    checks.number("spin_photon: dephasing", dephasing, "1/s", at_least=0.0)
    jumps = list(resting("spin", store))
    if dephasing > 0:
        jumps.append(Jump("dephasing of emitter", _dephasing("emitter", dephasing)))
    terms = (Term(detuning, (Ladder("emitter", True), Ladder("emitter"))),) if detuning else ()
    if packet is None:
        out = Channel("emission", (("emitter", np.sqrt(rate)),), occupation)
    else:
        shape = conjugate(throwing(packet))
        assert shape is not None
        out = Channel("emission", (("emitter", 1.0),), occupation, (("emitter", shape),))
    channels = [out]
    if lost > 0:
        channels.append(Channel("emitter.lost", (("emitter", np.sqrt(lost)),), 0.0))
    model = Hamiltonian(
        ("spin", "emitter"),
        terms,
        tuple(channels),
        ("instantaneous excitation of the emitter",),
        tuple(jumps),
        (("spin", 2), ("emitter", 2)),
    )
    return Node(model, ("spin",), ((), (("emitter", 1), ("spin", 1))), "emission")


@dataclass(frozen=True)
class Transmon:
    r"""A transmon of a few levels in the frame of its resonator.

    .. math:: H/\hbar=\delta\,q^\dagger q+\tfrac K2q^{\dagger2}q^2

    Parameters
    ----------
    levels : int
        2 for a qubit; 3 or more keep the anharmonicity.
    detuning : float
        Of its first transition from the frame δ [rad/s].
    anharmonicity : float
        K [rad/s], negative.
    T1, Tphi : float
        Relaxation and pure dephasing time of the first transition [s]; infinite by default.
    """

    levels: int = 2
    detuning: float = 0.0
    anharmonicity: float = 0.0
    T1: float = np.inf
    Tphi: float = np.inf

    def __post_init__(self) -> None:
        checks.number("Transmon.levels", self.levels, "1", at_least=2)
        checks.number("Transmon.detuning", self.detuning, "rad/s")
        checks.number("Transmon.anharmonicity", self.anharmonicity, "rad/s")
        for name, value in (("T1", self.T1), ("Tphi", self.Tphi)):
            if not value > 0:
                raise ParameterError(f"Transmon.{name} [s] must be > 0, got {value:g}")

    def terms(self, mode: str) -> tuple[Term, ...]:
        """Its Hamiltonian over ħ as the mode `mode`."""
        up, down = Ladder(mode, True), Ladder(mode)
        found = []
        if self.detuning:
            found.append(Term(self.detuning, (up, down)))
        if self.anharmonicity and self.levels > 2:
            found.append(Term(self.anharmonicity / 2, (up, up, down, down)))
        return tuple(found)

    def jumps(self, mode: str) -> tuple[Jump, ...]:
        """Relaxation (level n at n/T1) and dephasing (levels n, n' at (n-n')²/Tphi)."""
        found = []
        if np.isfinite(self.T1):
            found.append(
                Jump(f"relaxation of {mode}", (Term(np.sqrt(1 / self.T1), (Ladder(mode),)),))
            )
        if np.isfinite(self.Tphi):
            found.append(Jump(f"dephasing of {mode}", _dephasing(mode, 1 / self.Tphi)))
        return tuple(found)


def transmon_resonator(
    transmon: Transmon,
    coupling: Modulation,
    strength: float,
    kappa: float,
    *,
    kappa_int: float = 0.0,
    occupation: float = 0.0,
    raman: bool = True,
) -> Node:
    r"""A transmon that emits through its resonator: ``transmon`` and ``resonator``.

    With `raman` the second excited state is dropped to the ground state,
    :math:`g(t)\,(r^\dagger|0\rangle\langle2|+\mathrm{h.c.})`: prepared are the dark state
    :math:`|1\rangle` and the bright :math:`|2\rangle`, which ends in :math:`|0\rangle` beside a
    photon. Without it the whole excitation leaves, :math:`g(t)\,(r^\dagger q+\mathrm{h.c.})`:
    prepared are levels 0 and 1, and nothing stays behind.

    Parameters
    ----------
    transmon : Transmon
        At least three levels with `raman`.
    coupling : Modulation
        Shape of the tunable coupling in time [1].
    strength : float
        Its peak g [rad/s].
    kappa, kappa_int : float
        Decay rate of the resonator into the port ``emission`` and elsewhere [rad/s].
    occupation : float
        Thermal quanta of both [quanta].
    raman : bool
        Which of the two.
    """
    if raman and transmon.levels < 3:
        raise ParameterError(
            f"transmon_resonator: a Raman emission needs three levels, got {transmon.levels}"
        )
    checks.number("transmon_resonator: kappa", kappa, "rad/s", at_least=0.0)
    checks.number("transmon_resonator: kappa_int", kappa_int, "rad/s", at_least=0.0)
    up = Ladder("resonator", True)
    lower = Transition("transmon", 0, 2) if raman else Ladder("transmon")
    drop = Term(strength, (up, lower), coupling)
    ports = [Channel("emission", (("resonator", np.sqrt(kappa)),), occupation)]
    if kappa_int > 0:
        ports.append(Channel("resonator.int", (("resonator", np.sqrt(kappa_int)),), occupation))
    said = ("rotating wave: coupling of one transition",) if raman else ("rotating wave",)
    model = Hamiltonian(
        ("transmon", "resonator"),
        (*transmon.terms("transmon"), drop, drop.adjoint()),
        tuple(ports),
        said,
        transmon.jumps("transmon"),
        (("transmon", transmon.levels),),
    )
    prepared = ((("transmon", 1),), (("transmon", 2),)) if raman else ((), (("transmon", 1),))
    return Node(model, ("transmon",), prepared, "emission")


def time_bin(early: TemporalMode, late: TemporalMode, store: Memory | None = None) -> Node:
    r"""A spin whose photon leaves early or late: ``spin``, ``early``, ``late``, port ``emission``.

    .. math:: |0\rangle|1\rangle_\mathrm{early} \text{ or } |1\rangle|1\rangle_\mathrm{late}

    Parameters
    ----------
    early, late : TemporalMode
        Shapes of the photon in the two bins.
    store : Memory, optional
        T1 and T2 of the spin.
    """
    tail = _share_after(early, late.span[0])
    if tail > 1e-9 and _share_before(late, early.span[1]) > 1e-9:
        raise ParameterError(
            f"time_bin: the bins overlap ({tail:.2g} of the early photon comes after the late one "
            "begins): the late cavity would scatter it; move them apart"
        )
    base = Hamiltonian(
        ("spin",), (), (Channel("emission", (), 0.0),), (), resting("spin", store), (("spin", 2),)
    )
    model = base
    for name, packet in (("early", early), ("late", late)):
        bin_ = Term(1.0, (Ladder(name),), conjugate(throwing(packet)))
        model = chained(model, model.channel("emission"), (name,), (bin_,), first=False)
    model = replace(model, levels=(*model.levels, ("early", 2), ("late", 2)))
    return Node(model, ("spin",), ((("early", 1),), (("late", 1), ("spin", 1))), "emission")


def spin_packet(packet: TemporalMode, store: Memory | None = None) -> Node:
    r"""A spin beside a virtual cavity that emits one wave packet where it is bright.

    ``spin`` and ``photon``, port ``emission``: :math:`|0\rangle|0\rangle` or
    :math:`|1\rangle|1\rangle`. Unlike the two-level emitter of `spin_photon` the cavity is linear.

    Parameters
    ----------
    packet : TemporalMode
        Shape of the photon.
    store : Memory, optional
        T1 and T2 of the spin.
    """
    model = Hamiltonian(
        ("spin",), (), (Channel("emission", (), 0.0),), (), resting("spin", store), (("spin", 2),)
    )
    photon = Term(1.0, (Ladder("photon"),), conjugate(throwing(packet)))
    model = chained(model, model.channel("emission"), ("photon",), (photon,), first=False)
    return Node(model, ("spin",), ((), (("photon", 1), ("spin", 1))), "emission")


def _share_after(packet: TemporalMode, time: float) -> float:
    """Share of a packet after an instant [1]."""
    t = np.linspace(*packet.span, 20001)
    density = np.abs(packet.at(t)) ** 2
    return float(np.sum(density[t > time]) / np.sum(density))


def _share_before(packet: TemporalMode, time: float) -> float:
    return 1.0 - _share_after(packet, time)


def with_memory_cavity(
    node: Node,
    mode: str,
    coupling: Modulation,
    strength: float,
    *,
    kappa: float = 0.0,
    dephasing: float = 0.0,
    occupation: float = 0.0,
    name: str = "cavity",
) -> Node:
    """Give a node a microwave cavity that a tunable coupling swaps a mode into; it is the memory.

    Parameters
    ----------
    node : Node
        The node.
    mode : str
        Mode that is swapped.
    coupling : Modulation
        Shape of the coupling in time [1].
    strength : float
        Its peak [rad/s].
    kappa : float
        Energy decay rate of the cavity [rad/s].
    dephasing : float
        Pure dephasing of neighbouring levels [1/s].
    occupation : float
        Thermal quanta of its bath [quanta].
    name : str
        Of the new mode.
    """
    checks.number("with_memory_cavity: kappa", kappa, "rad/s", at_least=0.0)
    checks.number("with_memory_cavity: dephasing", dephasing, "1/s", at_least=0.0)
    swap = Term(strength, (Ladder(name, True), Ladder(mode)), coupling)
    model = node.model
    channels, jumps = model.channels, model.jumps
    if kappa > 0:
        channels += (Channel(f"{name}.int", ((name, np.sqrt(kappa)),), occupation),)
    if dephasing > 0:
        jumps += (Jump(f"dephasing of {name}", _dephasing(name, dephasing)),)
    grown = replace(
        model,
        modes=(*model.modes, name),
        terms=(*model.terms, swap, swap.adjoint()),
        channels=channels,
        jumps=jumps,
    )
    return replace(node, model=grown, memory=(name,))


def pair_source(
    device: Hamiltonian,
    port: str,
    memory: str = "microwave",
    thermal: Mapping[str, float] | None = None,
) -> Node:
    """A blue-pumped transducer whose microwave mode is the memory of the pairs it makes.

    Parameters
    ----------
    device : Hamiltonian
        For example ``device.hamiltonian(pump, window)``.
    port : str
        Where the light leaves.
    memory : str
        Mode that keeps the other half.
    thermal : mapping of str to float, optional
        Modes that start warm, and their occupation [quanta].
    """
    return Node(device, (memory,), ((),), port, tuple(sorted((thermal or {}).items())))


def through(
    node: Node,
    device: Hamiltonian,
    source: str,
    target: str,
    efficiency: float = 1.0,
    thermal: Mapping[str, float] | None = None,
) -> Node:
    """Send what a node emits into a transducer, and let the light leave from there.

    Parameters
    ----------
    node : Node
        Its photon leaves by `Node.port`.
    device : Hamiltonian
        The transducer.
    source : str
        Port of the device where the photon comes in; what the bath of that port brings in now comes
        with the photon, through the node.
    target : str
        Port of the device where the light leaves.
    efficiency : float
        Of the path between them [1], in [0, 1]; its loss has the bath of the source port.
    thermal : mapping of str to float, optional
        Modes of the device that start warm, and their occupation [quanta].

    Notes
    -----
    Cascaded systems: Carmichael, Phys. Rev. Lett. 70, 2273 (1993). Nothing travels back.
    """
    checks.probability("through: efficiency", efficiency)
    twice = sorted(set(node.model.modes) & set(device.modes))
    if twice:
        raise ParameterError(f"through: node and device both have a mode '{twice[0]}'; rename one")
    emission = node.model.channel(node.port)
    entry = device.channel(source)
    if emission.occupation > 0 and emission.occupation != entry.occupation:
        raise ParameterError(
            f"through: port '{emission.name}' brings {emission.occupation:g} quanta and "
            f"'{source}' {entry.occupation:g}; one guide has one bath: give both the same"
        )
    root = np.sqrt(efficiency)
    arriving = tuple(replace(t, coefficient=root * t.coefficient) for t in emission.leaving)
    lost = replace(
        emission,
        name=f"{node.port}.path",
        amplitudes=tuple((m, np.sqrt(1 - efficiency) * u) for m, u in emission.amplitudes),
        occupation=entry.occupation,
        warming=entry.warming,
    )
    joined = chained(device, entry, node.model.modes, arriving, first=True)
    others = tuple(c for c in node.model.channels if c.name != node.port)
    names = {c.name for c in joined.channels} & {c.name for c in others}
    if names:
        raise ParameterError(f"through: node and device both have a port '{min(names)}'")
    model = replace(
        joined,
        terms=(*joined.terms, *node.model.terms),
        channels=(*joined.channels, *others, *((lost,) if efficiency < 1 else ())),
        jumps=(*device.jumps, *node.model.jumps),
        levels=(*device.levels, *node.model.levels),
        approximations=tuple(dict.fromkeys((*device.approximations, *node.model.approximations))),
    )
    warm = dict(node.thermal) | dict(thermal or {})
    return replace(node, model=model, port=target, thermal=tuple(sorted(warm.items())))


def filtered(node: Node, width: float, offset: float = 0.0, stages: int = 1) -> Node:
    """Put Lorentzian filter cavities behind the port of a node: what they transmit is emitted.

    Parameters
    ----------
    node : Node
        The node.
    width : float
        Full width at half maximum of one stage's transmission [rad/s], > 0.
    offset : float
        Centre of the filter from the frame [rad/s].
    stages : int
        Identical stages, isolated from each other, >= 1.

    Notes
    -----
    Each stage is a cavity with two equal mirrors; the light it reflects is lost.
    """
    checks.number("filtered: width", width, "rad/s", above=0.0)
    checks.number("filtered: stages", stages, "1", at_least=1)
    for _ in range(stages):
        name = _free(node.model.modes, "filter")
        half = np.sqrt(width / 2)
        terms = (Term(offset, (Ladder(name, True), Ladder(name))),) if offset else ()
        stage = Hamiltonian(
            (name,),
            terms,
            (
                Channel(f"{name}.in", ((name, half),), 0.0),
                Channel(f"{name}.out", ((name, half),), 0.0),
            ),
        )
        node = through(node, stage, f"{name}.in", f"{name}.out")
    return node


def _free(taken: Sequence[str], name: str) -> str:
    return next(f"{name}{k}" for k in range(1, len(taken) + 2) if f"{name}{k}" not in taken)
