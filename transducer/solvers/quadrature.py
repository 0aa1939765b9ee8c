"""Squeezed, amplified and correlated light: what a scalar occupation cannot carry.

Operators and their conjugates travel together, as (x, p) quadratures or as (a, a^dagger).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.constants import Real
from cavities.errors import ParameterError
from cavities.rules import Status
from transducer.linear import LinearDevice, Port
from transducer.network import Amplitude
from transducer.solvers.scattering import scatter

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class PortNoise:
    r"""White noise that comes in at a port, with a preferred quadrature.

    .. math:: \langle a^\dagger a\rangle = N,\qquad \langle a\,a\rangle = M,\qquad
              |M|^2\le N(N+1)

    Parameters
    ----------
    normal : float
        N [quanta], >= 0.
    anomalous : complex
        M [quanta]; its phase is twice the angle of the noisy quadrature.
    about_laser : bool
        The two correlated frequencies lie around a pump laser: only equations in the laser's own
        frame, with both sidebands, can carry that.

    Raises
    ------
    ParameterError
        If M breaks the uncertainty relation.

    Examples
    --------
    >>> [round(v, 6) for v in PortNoise.squeezed(0.5).quadratures]
    [1.359141, 0.18394]
    """

    normal: float
    anomalous: complex = 0.0
    about_laser: bool = False

    def __post_init__(self) -> None:
        checks.number("PortNoise.normal", self.normal, "quanta", at_least=0.0)
        checks.number("PortNoise.anomalous: |M|", abs(self.anomalous), "quanta")
        limit = self.normal * (self.normal + 1)
        if abs(self.anomalous) ** 2 > limit * (1 + 1e-9) + 1e-15:
            raise ParameterError(
                f"PortNoise: |M| = {abs(self.anomalous):.4g} exceeds sqrt(N(N+1)) = "
                f"{np.sqrt(limit):.4g}: no state squeezes that much; raise N or lower M"
            )

    @classmethod
    def squeezed(cls, r: float, angle: float = 0.0, thermal: float = 0.0) -> "PortNoise":
        r"""Squeezed noise, :math:`V_\pm=(n+\tfrac12)e^{\pm2r}`.

        Parameters
        ----------
        r : float
            Squeezing parameter [1].
        angle : float
            Angle of the noisy quadrature [rad].
        thermal : float
            Occupation n that was squeezed [quanta], >= 0.
        """
        checks.number("PortNoise.squeezed: thermal", thermal, "quanta", at_least=0.0)
        N = (thermal + 0.5) * np.cosh(2 * r) - 0.5
        return cls(float(N), complex((thermal + 0.5) * np.sinh(2 * r) * np.exp(2j * angle)))

    @classmethod
    def laser(cls, amplitude: float, phase: float, angle: float = 0.0) -> "PortNoise":
        r"""Classical noise of a laser above the vacuum.

        .. math:: V_x=\tfrac12+n_x,\qquad V_p=\tfrac12+n_p

        Parameters
        ----------
        amplitude, phase : float
            Noise n_x, n_p of the quadratures along and across the laser's field [quanta], >= 0. A
            phase noise spectrum S_φ [rad²/Hz, two-sided] of a beam of P/ħω photons per second is
            n_p = 2 (P/ħω) S_φ.
        angle : float
            Phase of the laser's field at the port [rad]; `drive_angle` gives it.
        """
        checks.number("PortNoise.laser: angle", angle, "rad")
        checks.number("PortNoise.laser: amplitude", amplitude, "quanta", at_least=0.0)
        checks.number("PortNoise.laser: phase", phase, "quanta", at_least=0.0)
        N = (amplitude + phase) / 2
        return cls(N, complex((amplitude - phase) / 2 * np.exp(2j * angle)), about_laser=True)

    @property
    def quadratures(self) -> tuple[float, float]:
        """Variances of the noisier and the quieter quadrature [quanta, vacuum = 1/2]."""
        mean, swing = self.normal + 0.5, abs(self.anomalous)
        return mean + swing, mean - swing


def drive_angle(kappa: float, detuning: float) -> float:
    r"""Phase of a pump at its port, where its field inside the cavity is real and positive [rad].

    .. math:: \alpha = \frac{\sqrt{\kappa_\mathrm{ext}}\,\alpha_\mathrm{in}}{i\Delta-\kappa/2}

    Parameters
    ----------
    kappa : float
        Full linewidth [rad/s], > 0.
    detuning : float
        Laser minus resonance Δ [rad/s].
    """
    checks.number("drive_angle: kappa", kappa, "rad/s", above=0.0)
    checks.number("drive_angle: detuning", detuning, "rad/s")
    return float(np.angle(1j * detuning - kappa / 2))


def doubled(device: LinearDevice) -> LinearDevice:
    """Give the same device with every operator and its conjugate, annihilation operators first."""
    if device.doubled:
        return device
    A, K = device.A, device.K
    n, p = A.shape[-1], len(device.ports)
    big_A = np.zeros((*A.shape[:-2], 2 * n, 2 * n), dtype=np.complex128)
    big_K = np.zeros((*K.shape[:-2], 2 * p, 2 * n), dtype=np.complex128)
    kind = np.array([port.creation for port in device.ports])
    for half in (0, 1):
        at = slice(half * n, (half + 1) * n)
        big_A[..., at, at] = np.conj(A) if half else A
    # rows: annihilation operators of all ports first, whichever half of x they live in
    for j in range(p):
        for half in (0, 1):
            row = j + p * int(kind[j] != bool(half))
            big_K[..., row, half * n : (half + 1) * n] = (
                np.conj(K[..., j, :]) if half else K[..., j, :]
            )
    ports = tuple(
        Port(port.name, port.occupation, creation)
        for creation in (False, True)
        for port in device.ports
    )
    kinds = device.kinds + tuple(not kind for kind in device.kinds)
    return LinearDevice(big_A, big_K, ports, kinds, device.status)


def quadrature_scattering(device: LinearDevice, omega: Array) -> Complex:
    r"""Scattering matrix between quadratures.

    .. math:: S_q = U S U^\dagger,\qquad \binom xp = U\binom a{a^\dagger},\quad
              U=\tfrac1{\sqrt2}\begin{pmatrix}1&1\\-i&i\end{pmatrix}

    Parameters
    ----------
    device : LinearDevice
        Any linear device.
    omega : ndarray, shape (...)
        Frequency of the quadrature fluctuations, from the frame [rad/s].

    Returns
    -------
    ndarray of complex, shape (..., 2 p, 2 p)
        Order (x of all ports, p of all ports). Real at zero frequency, and symplectic there.
    """
    S = scatter(doubled(device), omega)
    U = _to_quadratures(S.shape[-1] // 2)
    turned: Complex = U @ S @ U.conj().T
    return turned


def _to_quadratures(p: int) -> Complex:
    one = np.eye(p)
    return np.asarray(np.block([[one, one], [-1j * one, 1j * one]]) / np.sqrt(2))


@dataclass(frozen=True)
class OutputNoise:
    r"""Second moments of what leaves all ports at one frequency of fluctuation.

    Parameters
    ----------
    ports : tuple of str
        Port names.
    normal : ndarray of complex, shape (..., p, p)
        :math:`\langle a_i^\dagger(\omega)a_j(\omega)\rangle` [quanta].
    anomalous : ndarray of complex, shape (..., p, p)
        :math:`\langle a_i(\omega)a_j(-\omega)\rangle` [quanta].
    mirrored : ndarray of complex, shape (..., p, p)
        :math:`\langle a_i^\dagger(-\omega)a_j(-\omega)\rangle` [quanta].
    """

    ports: tuple[str, ...]
    normal: Complex
    anomalous: Complex
    mirrored: Complex

    def _index(self, port: str) -> int:
        if port not in self.ports:
            raise ParameterError(f"there is no port '{port}'; there are {', '.join(self.ports)}")
        return self.ports.index(port)

    def occupation(self, port: str) -> Array:
        """Normally ordered output noise at ω [quanta], shape (...)."""
        i = self._index(port)
        return np.asarray(self.normal[..., i, i].real)

    def homodyne(self, port: str, angle: float = 0.0) -> Array:
        r"""Symmetrised spectrum of one quadrature [quanta, vacuum = 1/2], shape (...).

        .. math:: S_\theta(\omega) = \tfrac12+\tfrac12[N(\omega)+N(-\omega)]
                  + \mathrm{Re}\,[M(\omega)e^{-2i\theta}]

        Parameters
        ----------
        port : str
            Output port.
        angle : float
            Quadrature θ [rad]; zero is x.
        """
        i = self._index(port)
        mean = (self.normal[..., i, i] + self.mirrored[..., i, i]).real / 2
        return np.asarray(0.5 + mean + (self.anomalous[..., i, i] * np.exp(-2j * angle)).real)

    def squeezing(self, port: str) -> Array:
        """Quietest quadrature's spectrum [quanta, vacuum = 1/2], shape (...)."""
        i = self._index(port)
        mean = (self.normal[..., i, i] + self.mirrored[..., i, i]).real / 2
        return np.asarray(0.5 + mean - np.abs(self.anomalous[..., i, i]))


def output_noise(
    device: LinearDevice, omega: Array, inputs: Mapping[str, PortNoise] | None = None
) -> OutputNoise:
    r"""Second moments of all outputs, for inputs that may be squeezed or correlated.

    .. math:: C_\mathrm{out} = S\,C_\mathrm{in}S^\dagger,\qquad
              C=\langle z z^\dagger\rangle,\quad z=(a,a^\dagger)

    A laser's noise that a device passes on and that also drives it interferes with itself
    (squashing): it is in S.

    Parameters
    ----------
    device : LinearDevice
        Stable.
    omega : ndarray, shape (...)
        Frequency from the frame [rad/s].
    inputs : mapping of str to PortNoise, optional
        Noise of ports that is not their thermal occupation; it replaces that.

    Returns
    -------
    OutputNoise
    """
    given = dict(inputs or {})
    if not device.doubled and any(n.about_laser and n.anomalous for n in given.values()):
        raise ParameterError(
            "laser noise is correlated around the laser, and these equations hold one sideband in "
            "a frame beside it; take a model with both sidebands (Membrane, "
            "SingleModeElectroOptic, counter_rotating)"
        )
    both = doubled(device)
    S = scatter(both, np.asarray(omega, dtype=np.float64))
    p = len(both.ports) // 2
    names = tuple(port.name for port in both.ports[:p])
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise ParameterError(f"there is no port '{unknown[0]}'; the device has {', '.join(names)}")
    N = [
        given[n].normal if n in given else port.occupation
        for n, port in zip(names, both.ports[:p], strict=True)
    ]
    quanta = np.stack(np.broadcast_arrays(*(np.asarray(q, dtype=np.float64) for q in N)), axis=-1)
    M = np.array([given[n].anomalous if n in given else 0.0 for n in names], dtype=np.complex128)
    C = np.zeros((*quanta.shape[:-1], 2 * p, 2 * p), dtype=np.complex128)
    k = np.arange(p)
    C[..., k, k] = quanta + 1
    C[..., p + k, p + k] = quanta
    C[..., k, p + k] = M
    C[..., p + k, k] = np.conj(M)
    out = S @ C @ np.conj(np.swapaxes(S, -1, -2))
    one = np.eye(p)
    # <a_i a_j^dag> = N_ji + delta; <a_i^dag a_j> of minus the frequency stands in the lower block
    normal = np.swapaxes(out[..., :p, :p], -1, -2) - one
    return OutputNoise(names, normal, out[..., :p, p:], out[..., p:, p:])


def cascade(first: LinearDevice, leaves: str, second: LinearDevice, enters: str) -> LinearDevice:
    r"""Feed one output of a device into an input of another (L13e), without delay or loss between.

    .. math:: A = \begin{pmatrix}A_1&0\\-K_2^\dagger K_1&A_2\end{pmatrix},\qquad
              K=\begin{pmatrix}K_1&K_2\end{pmatrix}

    on the port they share.

    Parameters
    ----------
    first, second : LinearDevice
        Source and receiver in one frame.
    leaves, enters : str
        Output port of the first, input port of the second; together they are one port, called
        `enters`.

    Returns
    -------
    LinearDevice
        With all other ports of both, those of the first marked ``first:``.

    Source: Gough and James, IEEE Trans. Autom. Control 54, 2530 (2009), series product.
    """
    one, two = doubled(first), doubled(second)
    n1, n2 = one.A.shape[-1], two.A.shape[-1]
    n = n1 + n2
    batch = np.broadcast_shapes(one.A.shape[:-2], two.A.shape[:-2])
    A = np.zeros((*batch, n, n), dtype=np.complex128)
    A[..., :n1, :n1], A[..., n1:, n1:] = one.A, two.A
    rows: list[tuple[Port, Complex]] = []
    for creation in (False, True):
        i, j = one.index(leaves, creation), two.index(enters, creation)
        A[..., n1:, :n1] -= np.conj(two.K[..., j, :, None]) * one.K[..., i, None, :]
        shared = np.concatenate(
            np.broadcast_arrays(
                np.broadcast_to(one.K[..., i, :], (*batch, n1)),
            )
            + np.broadcast_arrays(np.broadcast_to(two.K[..., j, :], (*batch, n2))),
            axis=-1,
        )
        rows.append((Port(enters, one.ports[i].occupation, creation), shared))
        for device, skip, shift, mark in ((one, i, 0, "first:"), (two, j, n1, "")):
            for k, port in enumerate(device.ports):
                if k == skip or port.creation != creation:
                    continue
                row = np.zeros((*batch, n), dtype=np.complex128)
                row[..., shift : shift + device.A.shape[-1]] = device.K[..., k, :]
                rows.append((Port(mark + port.name, port.occupation, creation), row))
    rows.sort(key=lambda entry: entry[0].creation)
    K = np.stack([row for _, row in rows], axis=-2)
    codes = [d.status for d in (one, two) if d.status is not None]
    status = None
    for code in codes:
        status = code if status is None else np.where(status == Status.OK, code, status)
    ports = tuple(port for port, _ in rows)
    return LinearDevice(A, K, ports, one.kinds + two.kinds, status)


def linearised_kerr(
    kappa: Real, kerr: Real, field: complex, detuning: Real
) -> tuple[Real, Amplitude]:
    r"""Detuning and squeezing of a Kerr resonator around its field.

    .. math:: H/\hbar=\delta\,a^\dagger a+\tfrac K2a^{\dagger2}a^2 \;\to\;
              (\delta+2K|\alpha|^2)\,a^\dagger a+\tfrac12(K\alpha^2a^{\dagger2}+\mathrm{h.c.})

    Parameters
    ----------
    kappa : float
        Full linewidth [rad/s], > 0.
    kerr : float
        K [rad/s] per photon.
    field : complex
        Amplitude α [1] of the steady state.
    detuning : float
        Resonance minus drive δ [rad/s].

    Returns
    -------
    float
        Effective detuning [rad/s].
    complex
        Squeezing coupling of the mode with itself [rad/s].
    """
    checks.number("linearised_kerr: kappa", kappa, "rad/s", above=0.0)
    return detuning + 2 * kerr * abs(field) ** 2, kerr * field**2
