r"""What becomes of one quantum: through a pulsed device, filters and a gate; and what a click says.

A laboratory does not see an efficiency but counts in a window. The first functions follow the
amplitude of one quantum exactly in time; the last ones say what a click on the other half of a
pair tells about it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm, solve_continuous_lyapunov, toeplitz

from cavities import checks
from cavities.constants import Real
from cavities.errors import ParameterError, ValidityError
from cavities.pump import Pump, Sideband
from cavities.rules import settle
from cavities.timeline import Timeline
from transducer.devices.base import Device
from transducer.linear import LinearDevice, langevin
from transducer.solvers.pulse import LARGEST, forward, ringing

Complex = NDArray[np.complex128]

REACH = 1.0
"""Step times fastest rate: probabilities change by less than 1e-6 if it is halved, by less than
1e-4 with the delay of a hot bath."""


@dataclass(frozen=True)
class Window:
    """What stands between an output and a count: equal Lorentzian filters, then a gate.

    Parameters
    ----------
    opens, closes : float
        Gate, counted from the first light of the pulse [s].
    filters : int
        How many filters, one behind the other, all on the line.
    width : float, optional
        Full width at half maximum of the power transmission of each [rad/s], > 0; needed with
        filters.
    """

    opens: float
    closes: float
    filters: int = 0
    width: float | None = None

    def __post_init__(self) -> None:
        checks.number("Window.opens", self.opens, "s", at_least=0.0)
        checks.number("Window.closes", self.closes, "s", above=self.opens)
        if not isinstance(self.filters, int) or isinstance(self.filters, bool):
            raise ParameterError(f"Window.filters must be a whole number, got {self.filters!r}")
        if self.filters < 0 or (self.filters > 0) != (self.width is not None):
            raise ParameterError(
                f"Window: {self.filters} filters and a width of {self.width} rad/s do not belong "
                "together; give both or neither"
            )
        if self.width is not None:
            checks.number("Window.width", self.width, "rad/s", above=0.0)


def leaving_probability(device: Device, pump: Pump, held: str, port: str, window: Window) -> float:
    r"""Probability that a quantum held at the first light of a pulse is found in a window.

    .. math:: p = \int_\mathrm{gate}|y(t)|^2dt,\qquad \dot x = A(t)\,x,\quad
              \dot y_k = \tfrac{\kappa_f}{2}(y_{k-1}-y_k) - i\,\delta\,y_k,\quad y_0 = K_i x

    with x starting as one quantum in `held`, and y the amplitude behind the last filter; where x
    holds operators and their conjugates, both parts of the quantum are counted.

    Parameters
    ----------
    device : Device
        A transducer.
    pump : Pump
        Its envelope starts at time zero and fills the cavity as a cavity fills.
    held : str
        Mode of the device that holds the quantum, for example ``mechanics``.
    port : str
        Where it is looked for, for example ``optical.out``: the efficiency is from the quantum to
        the beam at this port, counted behind the filters.
    window : Window
        Filters and gate.

    Returns
    -------
    float
        Probability [1]; for a device with gain, the number of quanta that the one adds.

    Raises
    ------
    ParameterError
        If the pump has no envelope, mode or port do not exist, or device or pump are a batch.
    ValidityError
        If the model does not hold for this pump, or the steps would be too many.

    Notes
    -----
    Filters stand on the line, `Device.centre` for what the pump exchanges and its mirror image for
    light that a blue pump pairs with it; they reflect what they do not pass. Gauss collocation of
    order eight between the breaks of pulse and gate. Source: input-output theory of time-dependent
    linear systems, Gardiner and Collett, Phys. Rev. A 31, 3761 (1985).
    """
    if pump.envelope is None:
        raise ParameterError("leaving_probability: the pump needs an envelope; give it a pulse")
    settle(device.rules(pump))
    fill, network = device.pump_rate(pump), device.network(pump)
    still = langevin(network)
    _require_single("leaving_probability", still)
    fastest = max(float(np.max(np.abs(still.A))), fill.real)
    if window.width is not None:
        fastest = max(fastest, window.width)
    end = window.closes
    marks = [b for b in (window.opens, *pump.envelope.breaks) if 0 < b < end]
    fine = [(a, min(b, end), step) for a, b, step in ringing(pump, fill, REACH) if a < end]
    steps = end * fastest / REACH + sum((b - a) / step for a, b, step in fine)
    if not steps <= LARGEST:
        raise ValidityError(
            f"leaving_probability: {end:.3g} s need {steps:.3g} steps, more than {LARGEST}; close "
            "the window earlier, or eliminate the fastest mode"
        )
    line = Timeline.between([0.0, end, *marks], REACH / fastest, fine)
    held_at = _operators("leaving_probability", network.names, still, held)
    linear = langevin(device.in_pulse(pump, line))
    out = linear.index(port)
    A, row = _followed(linear, out, line, window, _turning(device, pump, linear, out))
    start = np.zeros((A.shape[-1], len(held_at)), np.complex128)
    start[held_at, np.arange(len(held_at))] = 1.0
    amplitudes = forward(A, line, start)
    field = np.einsum("tn,tnm->tm", row, amplitudes) if not window.filters else amplitudes[:, -1]
    gate = (line.times >= window.opens) & (line.times <= window.closes)
    return float(np.sum(line.weights * np.sum(np.abs(field) ** 2, axis=-1) * gate))


def _require_single(what: str, linear: LinearDevice) -> None:
    """One point at a time: what is followed is one quantum."""
    if linear.A.size != linear.A.shape[-1] ** 2:
        raise ParameterError(
            f"{what}: takes one device and one pump, got a batch of shape {linear.A.shape[:-2]}; "
            "ask point by point"
        )


def _operators(what: str, names: Sequence[str], linear: LinearDevice, held: str) -> list[int]:
    """Where a mode stands in x: once, or as operator and conjugate."""
    if held not in names:
        raise ParameterError(
            f"{what}: there is no mode '{held}'; the device has {', '.join(names)}"
        )
    k = names.index(held)
    return [k, k + len(names)] if linear.doubled else [k]


def _turning(device: Device, pump: Pump, linear: LinearDevice, out: int) -> float:
    """Frequency at which the operator of a port turns on the line, e^{-i w t} [rad/s]."""
    port = linear.ports[out]
    if linear.doubled:  # light is paired with what a blue pump amplifies
        optical = port.name.split(".")[0] == device.target.split(".")[0]
        paired = optical and pump.sideband is Sideband.BLUE
    else:
        paired = port.creation != linear.ports[linear.index(device.source)].creation
    centre = float(np.max(device.centre(pump)))
    return centre * (-1 if paired else 1) * (-1 if port.creation else 1)


def _followed(
    linear: LinearDevice, out: int, line: Timeline, window: Window, turning: float
) -> tuple[Complex, Complex]:
    """Drift (t, n + f, n + f) with the filters as modes of their own, and the output row (t, n)."""
    count, n = len(line.times), linear.A.shape[-1]
    A = np.zeros((count, n + window.filters, n + window.filters), np.complex128)
    A[:, :n, :n] = linear.A
    row = np.broadcast_to(linear.K[..., out, :], (count, n)).astype(np.complex128)
    for k in range(window.filters):
        assert window.width is not None
        half = window.width / 2
        A[:, n + k, n + k] = -half - 1j * turning
        if k == 0:
            A[:, n, :n] = half * row
        else:
            A[:, n + k, n + k - 1] = half
    return A, row


def extraction(device: Device, pump: Pump | None, held: str, port: str) -> float:
    r"""Probability that a quantum held by a mode leaves by a port, however long it takes.

    .. math:: \eta = X_{kk},\qquad A^\dagger X + X A + K_i^\dagger K_i = 0

    summed over operator and conjugate of the mode where the frame holds both; with gain it is the
    number of quanta that the one adds.

    Parameters
    ----------
    device : Device
        A transducer of linear, stable dynamics.
    pump : Pump, optional
        A pump that stands still: of power zero for a device in the dark.
    held : str
        Mode that holds the quantum.
    port : str
        Port it is looked for, for example ``microwave.waveguide``; the efficiency is from the mode
        to this port.

    Raises
    ------
    ParameterError
        If mode or port do not exist, the pump is a pulse, or device or pump are a batch.
    ValidityError
        If a mode grows, or does not decay: what leaves has no bound, or never all leaves.

    Notes
    -----
    Observability Gramian of the linear system. Phonon to waveguide: the extraction of a heralded
    phonon.
    """
    if pump is not None and pump.envelope is not None:
        raise ParameterError(
            "extraction: takes a pump that stands still, got a pulse; take leaving_probability"
        )
    network = device.network(pump)
    linear = langevin(network)
    _require_single("extraction", linear)
    held_at = _operators("extraction", network.names, linear, held)
    growth = float(np.max(linear.growth_rate))
    if not growth < 0:
        raise ValidityError(
            f"extraction: a mode grows at {growth:.3g} rad/s instead of decaying; lower the pump "
            "power, or give every mode a loss"
        )
    A = linear.A.reshape(linear.A.shape[-2:])
    row = linear.K.reshape(linear.K.shape[-2:])[linear.index(port)]
    X = solve_continuous_lyapunov(A.conj().T, -np.outer(row.conj(), row))
    return float(np.sum(np.diag(X).real[held_at]))


def matched_extraction(
    device: Device, pump: Pump, held: str, port: str, points: int = 160
) -> tuple[float, float]:
    r"""Extraction of a quantum born somewhere in a pulse, into the one packet that holds most.

    .. math:: M(t,t') = \int \frac{P(\tau)}{\int P}\,\phi(t-\tau)\,\phi^*(t'-\tau)\,d\tau,\qquad
              \phi(s) = [K_i e^{As}]_k\,\theta(s)

    A click of the other half of the pair does not say when in the pulse it was born, so the packet
    is mixed; a matched filter holds the largest eigenvalue of M, of a trace of all.

    Parameters
    ----------
    device : Device
        A transducer; its pump only sets when quanta are born, what it does to the mode meanwhile is
        left out.
    pump : Pump
        A weak pump with an envelope.
    held, port : str
        Mode and port.
    points : int
        Instants of the pulse, >= 2.

    Returns
    -------
    matched, all : float
        Largest eigenvalue, and trace (`extraction` in the dark) [1].

    Raises
    ------
    ParameterError
        If the pump has no envelope, or mode or port do not exist.
    """
    if pump.envelope is None:
        raise ParameterError("matched_extraction: the pump needs an envelope; give it a pulse")
    checks.number("matched_extraction: points", float(points), "1", at_least=2.0)
    dark = replace(pump, power=0.0, envelope=None, pulse_length=None)
    whole = extraction(device, dark, held, port)
    network = device.network(dark)
    linear = langevin(network)
    A = linear.A.reshape(linear.A.shape[-2:])
    row = linear.K.reshape(linear.K.shape[-2:])[linear.index(port)]
    held_at = _operators("matched_extraction", network.names, linear, held)
    born = np.diag(np.isin(np.arange(len(A)), held_at)).astype(np.complex128)
    inside = solve_continuous_lyapunov(
        A, -born
    )  # what the quantum makes of all modes, over all time
    step = pump.envelope.length / points
    share = pump.envelope.power(np.float64(step) * (np.arange(points) + 0.5))
    root = np.sqrt(share / np.sum(share))
    onward, column = expm(A * step), inside @ row.conj()
    gram = np.empty(points, np.complex128)  # overlap of packets born k steps apart
    for k in range(points):
        gram[k] = row @ column
        column = onward @ column
    values = np.linalg.eigvalsh(root[:, None] * toeplitz(gram) * root[None, :])
    return float(values[-1]), whole


@dataclass(frozen=True)
class Correlations:
    """Intensity correlations of a pair source's second half, of one packet.

    Parameters
    ----------
    cross : float or ndarray, shape (...)
        Its mean intensity given a click on the first half, over that without [1].
    heralded : float or ndarray, shape (...)
        Its autocorrelation given a click [1]; below 1 it is not classical.
    """

    cross: Real
    heralded: Real


def pair_correlations(extracted: Real, quanta: Real, noise: Real) -> Correlations:
    r"""What a click says about a packet that carries pairs and noise, in the limit of few pairs.

    .. math:: g^{(2)}_{AC} = 1+\frac{X}{N},\qquad
              g^{(2)}_{CC|A} = \frac{2N^2+4NX}{(N+X)^2},\qquad X=\eta\,(1+n)

    A click takes a Stokes photon from a mode that holds n thermal quanta: the mode is left with one
    photon added to that thermal state, 1 + n quanta more on average.

    Parameters
    ----------
    extracted : float or ndarray, shape (...)
        From the mode to the packet η [1], the matched filter counted.
    quanta : float or ndarray, shape (...)
        Quanta n of the mode without a click [quanta].
    noise : float or ndarray, shape (...)
        Mean quanta N of the packet without a click [quanta], > 0, at the same plane as the packet;
        at least the η n that the mode itself sends.

    Returns
    -------
    Correlations

    Notes
    -----
    Gaussian state without mean field, Isserlis; few pairs, so that a click is one Stokes photon.
    Clicks without meaning bring the first towards 1 and the second towards 2. Source: L10 and L18;
    with N = η n and n = p from the pairs alone the first is :math:`2+1/p`.
    """
    checks.probability("pair_correlations: extracted", extracted)
    checks.number("pair_correlations: quanta", quanta, "quanta", at_least=0.0)
    checks.number("pair_correlations: noise", noise, "quanta", above=0.0)
    if np.any(np.multiply(extracted, quanta) > np.asarray(noise) * (1 + 1e-9)):
        raise ParameterError(
            f"pair_correlations: noise {noise} quanta is below the "
            f"{np.multiply(extracted, quanta)} that the mode alone sends into the packet without a "
            "click; the noise counts these, too"
        )
    N, X = np.asarray(noise, float), np.multiply(extracted, 1 + np.asarray(quanta, float))
    return Correlations(1 + X / N, (2 * N**2 + 4 * N * X) / (N + X) ** 2)
