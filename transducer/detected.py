r"""What becomes of one quantum: through a pulsed device, filters and a gate; and what a click says.

A laboratory does not see an efficiency but counts in a window. The first functions follow the
amplitude of one quantum exactly in time; the last ones say what a click on the other half of a
pair tells about it.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_continuous_lyapunov

from cavities import checks
from cavities.constants import Real
from cavities.errors import ParameterError, ValidityError
from cavities.pump import Pump
from cavities.timeline import Timeline
from transducer.devices.base import Device
from transducer.linear import LinearDevice, langevin
from transducer.solvers.pulse import forward, ringing

Complex = NDArray[np.complex128]

REACH = 1.0
"""Step times fastest rate: probabilities change by less than 1e-6 if it is halved."""


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

    with x starting as one quantum in `held`, and y the amplitude behind the last filter.

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
        If the pump has no envelope, or mode or port do not exist.

    Notes
    -----
    Filters are centred on `Device.centre`; they reflect what they do not pass. Gauss collocation of
    order eight between the breaks of pulse and gate. Source: input-output theory of time-dependent
    linear systems, Gardiner and Collett, Phys. Rev. A 31, 3761 (1985).
    """
    if pump.envelope is None:
        raise ParameterError("leaving_probability: the pump needs an envelope; give it a pulse")
    fill = device.pump_rate(pump)
    fastest = max(float(np.max(np.abs(langevin(device.network(pump)).A))), fill.real)
    if window.width is not None:
        fastest = max(fastest, window.width)
    end = window.closes
    marks = [b for b in (window.opens, *pump.envelope.breaks) if 0 < b < end]
    fine = [(a, min(b, end), step) for a, b, step in ringing(pump, fill, REACH) if a < end]
    line = Timeline.between([0.0, end, *marks], REACH / fastest, fine)
    linear = langevin(device.in_pulse(pump, line))
    names = device.network(pump).names
    if held not in names:
        raise ParameterError(
            f"leaving_probability: there is no mode '{held}'; the device has {', '.join(names)}"
        )
    out = linear.index(port)
    A, row = _followed(linear, out, line, window, float(np.max(device.centre(pump))))
    start = np.zeros(A.shape[-1], np.complex128)
    start[names.index(held)] = 1.0
    amplitudes = forward(A, line, start)
    field = np.sum(row * amplitudes, axis=-1) if window.filters == 0 else amplitudes[:, -1]
    gate = (line.times >= window.opens) & (line.times <= window.closes)
    return float(np.sum(line.weights * np.abs(field) ** 2 * gate))


def _followed(
    linear: LinearDevice, out: int, line: Timeline, window: Window, centre: float
) -> tuple[Complex, Complex]:
    """Drift (t, n + f, n + f) with the filters as modes of their own, and the output row (t, n)."""
    count, n = len(line.times), linear.A.shape[-1]
    A = np.zeros((count, n + window.filters, n + window.filters), np.complex128)
    A[:, :n, :n] = linear.A
    row = np.broadcast_to(linear.K[..., out, :], (count, n)).astype(np.complex128)
    for k in range(window.filters):
        assert window.width is not None
        half = window.width / 2
        A[:, n + k, n + k] = -half - 1j * centre
        if k == 0:
            A[:, n, :n] = half * row
        else:
            A[:, n + k, n + k - 1] = half
    return A, row


def extraction(device: Device, pump: Pump | None, held: str, port: str) -> float:
    r"""Probability that a quantum held by a mode leaves by a port, however long it takes.

    .. math:: \eta = X_{kk},\qquad A^\dagger X + X A + K_i^\dagger K_i = 0

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
        If mode or port do not exist.
    ValidityError
        If the device is unstable: what leaves has no bound.

    Notes
    -----
    Observability Gramian of the linear system. Phonon to waveguide: the extraction of a heralded
    phonon.
    """
    network = device.network(pump)
    linear = langevin(network)
    if held not in network.names:
        raise ParameterError(
            f"extraction: there is no mode '{held}'; the device has {', '.join(network.names)}"
        )
    if not float(np.max(linear.growth_rate)) < 0:
        raise ValidityError("extraction: the device is unstable; lower the pump power")
    A = linear.A.reshape(-1, *linear.A.shape[-2:])[0]
    row = linear.K.reshape(-1, *linear.K.shape[-2:])[0][linear.index(port)]
    X = solve_continuous_lyapunov(A.conj().T, -np.outer(row.conj(), row))
    k = network.names.index(held)
    return float(X[k, k].real)


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
        Instants of the pulse.

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
    dark = replace(pump, power=0.0, envelope=None, pulse_length=None)
    whole = extraction(device, dark, held, port)
    network = device.network(dark)
    linear = langevin(network)
    A = linear.A.reshape(-1, *linear.A.shape[-2:])[0]
    row = linear.K.reshape(-1, *linear.K.shape[-2:])[0][linear.index(port)]
    rates, modes = np.linalg.eig(A)
    weight = np.linalg.solve(modes, np.eye(len(A))[:, network.names.index(held)]) * (row @ modes)
    born = (np.arange(points) + 0.5) / points * pump.envelope.length
    share = pump.envelope.power(born)
    share = share / np.sum(share)
    # Gram matrix of decaying packets born at different times: sums of exponentials, no time grid
    late = np.abs(born[:, None] - born[None, :])
    pair = np.conj(weight)[:, None] * weight[None, :] / -(np.conj(rates)[:, None] + rates[None, :])
    turning = np.exp(rates * late[..., None])  # the earlier packet has gone on for `late`
    gram = np.einsum("ij,tuj->tu", pair, turning)
    gram = np.where(born[:, None] < born[None, :], np.conj(gram), gram)
    root = np.sqrt(share)
    values = np.linalg.eigvalsh(root[:, None] * gram * root[None, :])
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
        Quanta n of the mode when the pair is born [quanta].
    noise : float or ndarray, shape (...)
        Mean quanta N of the packet without a click [quanta], > 0, at the same plane as the packet.

    Returns
    -------
    Correlations

    Notes
    -----
    Gaussian state without mean field, first order in the pair probability (Isserlis); thermal
    noise. Dark and stray clicks lower both towards the values without a click, 1 and 2. Source: L10
    and L18; with N from pairs alone it is :math:`2+1/p`.
    """
    checks.probability("pair_correlations: extracted", extracted)
    checks.number("pair_correlations: quanta", quanta, "quanta", at_least=0.0)
    checks.number("pair_correlations: noise", noise, "quanta", above=0.0)
    N, X = np.asarray(noise, float), np.multiply(extracted, 1 + np.asarray(quanta, float))
    return Correlations(1 + X / N, (2 * N**2 + 4 * N * X) / (N + X) ** 2)


def diluted(correlation: Real, true_share: Real, without: float = 1.0) -> Real:
    r"""Correlation of an average over true and false clicks, :math:`sg+(1-s)g_0`.

    Parameters
    ----------
    correlation : float or ndarray, shape (...)
        g of true clicks [1].
    true_share : float or ndarray, shape (...)
        Share s of the clicks that are true [1].
    without : float
        Value :math:`g_0` that a click without meaning leaves [1].
    """
    checks.probability("diluted: true_share", true_share)
    return np.asarray(true_share) * correlation + (1 - np.asarray(true_share)) * without
