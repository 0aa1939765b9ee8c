"""What a node sends.

A photon whose presence is entangled with a qubit, and the noise that travels in its company.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.constants import Real, ordinary
from cavities.errors import ParameterError, ValidityError

if TYPE_CHECKING:
    from fibre.elements import Filter
    from fibre.held import Held
    from fibre.pair_herald import Idler

Spectrum = NDArray[np.float64]
Amplitude = NDArray[np.complex128]

SAME_CARRIER_HZ = 1e3
"""Carriers closer than this are one carrier [Hz]."""


def _fejer(points: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights of Fejér's first rule on [-1, 1].

    Spectral accuracy without an eigenvalue problem.
    """
    theta = np.pi * (np.arange(points) + 0.5) / points
    j = np.arange(1, points // 2 + 1)
    ripple = np.sum(np.cos(2 * theta[:, None] * j) / (4 * j**2 - 1), axis=1)
    return np.cos(theta), (2 - 4 * ripple) / points


_NODES, _WEIGHTS = _fejer(64)


@dataclass(frozen=True)
class SpectralGrid:
    r"""Quadrature nodes for integrals over all frequencies.

    .. math:: \int f\,d\omega/2\pi \approx \sum_k w_k f(\omega_k)

    Parameters
    ----------
    omega : ndarray, shape (n,)
        Offsets from the carrier [rad/s].
    weight : ndarray, shape (n,)
        Weights with the 1/2π inside [1/s].
    """

    omega: Spectrum
    weight: Spectrum

    @classmethod
    def around(cls, scale: float, points: int = 512) -> "SpectralGrid":
        r"""Midpoint nodes of :math:`\omega = s\tan\theta`, geometric convergence for Lorentzians.

        Parameters
        ----------
        scale : float
            Width s of the lines to be resolved [rad/s]; lines from s/50 to 50 s are resolved with
            512 points.
        points : int
            Number of nodes.

        Examples
        --------
        >>> grid = SpectralGrid.around(1.0)
        >>> line = 1.0 / (grid.omega**2 + 0.25)             # integral d omega/2 pi is 1
        >>> round(float(np.sum(grid.weight * line)), 12)
        1.0
        """
        checks.number("SpectralGrid.around: scale", scale, "rad/s", above=0.0)
        theta = np.pi * ((np.arange(points) + 0.5) / points - 0.5)
        weight = scale / np.cos(theta) ** 2 * np.pi / points / (2 * np.pi)
        return cls(scale * np.tan(theta), weight)

    @classmethod
    def resolving(
        cls, widths: Sequence[float], packets: Sequence[tuple[float, float]]
    ) -> "SpectralGrid":
        """Nodes that resolve lines of these `widths` and Gaussian packets at their offsets.

        Parameters
        ----------
        widths : sequence of float
            Full widths of Lorentzian lines around the carrier [rad/s], > 0.
        packets : sequence of (float, float)
            Offset [rad/s] and duration (full width at half maximum of the intensity) [s] of
            photons.

        Raises
        ------
        ValidityError
            If more than 65536 nodes would be needed.
        """
        spectral = [np.sqrt(2 * np.log(2)) / fwhm for _, fwhm in packets]  # rms width of |u|^2
        lines = [*widths, *spectral]
        scale = float(np.sqrt(min(lines) * max(lines)))
        needed = 16 * np.sqrt(max(lines) / min(lines))
        for (offset, _), width in zip(packets, spectral, strict=True):
            # a spacing of 0.7 rms widths leaves exp(-2 (pi/0.7)^2) of a Gaussian unseen
            needed = max(needed, np.pi * (scale**2 + offset**2) / (scale * 0.7 * width))
        points = 2 ** int(np.ceil(np.log2(max(512.0, needed))))
        if points > 65536:
            raise ValidityError(
                f"photons and lines from {min(lines):.3g} to {max(lines):.3g} rad/s wide cannot be "
                "resolved together; shorten the photon or bring its offset closer to the line"
            )
        return cls.around(scale, points)


@dataclass(frozen=True)
class Wave:
    """Spectral shape of a photon and of the noise around it.

    Parameters
    ----------
    grid : SpectralGrid
        Frequencies, relative to the carrier.
    amplitude : ndarray of complex, shape (n,)
        Spectral amplitude [s^1/2]; its norm is the probability that the photon is there, at most 1.
    noise : ndarray, shape (n,)
        Normally ordered noise quanta per mode [quanta].

    Raises
    ------
    ParameterError
        If the norm exceeds one or a noise is negative.
    """

    grid: SpectralGrid
    amplitude: Amplitude
    noise: Spectrum

    def __post_init__(self) -> None:
        shapes = {np.shape(self.amplitude), np.shape(self.noise), self.grid.omega.shape}
        if len(shapes) > 1 or np.ndim(self.amplitude) != 1:
            raise ParameterError(
                f"Wave takes one spectrum on its grid, got shapes {sorted(shapes)}; make one wave "
                "per device and pump, and batch over lengths, populations or transmissions instead"
            )
        checks.number("Wave.noise", self.noise, "quanta", at_least=0.0)
        if not self.norm <= 1 + 1e-9:
            raise ParameterError(
                "Wave.amplitude [s^1/2] must have a norm <= 1: a heralded link takes a converter "
                f"without gain, got {self.norm:.6g}; use a red-detuned (beam-splitter) pump"
            )

    @cached_property
    def share(self) -> Spectrum:
        """Weight of each frequency in the wave packet, shape (n,); sums to `norm` [1]."""
        return np.asarray(self.grid.weight * np.abs(self.amplitude) ** 2)

    @cached_property
    def norm(self) -> float:
        """Probability that the photon is there [1]."""
        return float(np.sum(self.share))

    @cached_property
    def mode_noise(self) -> float:
        """Noise in the photon's own temporal mode [quanta]."""
        return float(np.sum(self.share * self.noise)) / self.norm

    @cached_property
    def noise_flux(self) -> float:
        """Noise photons per second over all frequencies [1/s]."""
        return float(np.sum(self.grid.weight * self.noise))

    @cached_property
    def arrival(self) -> float:
        """Mean arrival time of the wave packet, travel delays left out [s]."""
        # the nodes are equidistant in theta = arctan(omega/s), where a Fourier derivative is exact
        points = len(self.grid.omega)
        order = np.fft.fftfreq(points, 1 / points)
        slope = np.fft.ifft(2j * order * np.fft.fft(self.amplitude))
        per_omega = slope / (2 * points * self.grid.weight)
        moment = np.sum(self.grid.weight * np.imag(np.conj(self.amplitude) * per_omega))
        return float(moment) / self.norm

    def packet(self, gate: float) -> Amplitude:
        """Amplitude in time at the quadrature nodes of a gate centred on the arrival [s^-1/2]."""
        if gate in self._packets:
            return self._packets[gate]
        keep = self.share > 1e-16 * np.max(self.share)
        time = self.arrival + 0.5 * gate * _NODES
        kernel = np.exp(-1j * np.outer(time, self.grid.omega[keep]))
        # einsum, not a BLAS product: this small sum must not wake a thread pool
        packet = np.einsum("tk,k->t", kernel, (self.grid.weight * self.amplitude)[keep])
        self._packets[gate] = np.asarray(packet)
        return self._packets[gate]

    def cut_share(self, gate: float) -> Spectrum:
        """Weight of each frequency in the packet that a gate has cut, shape (n,); sums to 1 [1].

        A cut packet is broader than the whole one: what its light holds is asked where it is.
        """
        packet, half = self.packet(gate), 0.5 * gate
        seen = np.abs(self.grid.omega) < len(_NODES) / gate  # the nodes resolve no faster beat
        kernel = np.exp(1j * half * np.outer(self.grid.omega[seen], _NODES))
        cut = half * np.einsum("wt,t->w", kernel, _WEIGHTS * packet)
        norm = half * float(np.sum(_WEIGHTS * np.abs(packet) ** 2))
        share = np.zeros_like(self.grid.omega)
        share[seen] = self.grid.weight[seen] * np.abs(cut) ** 2 / norm
        return share

    @cached_property
    def _packets(self) -> dict[float, Amplitude]:
        """Packets in time that have been computed, by gate."""
        return {}

    def gate_share(self, gate: float) -> float:
        r"""Share of the wave packet inside a gate centred on its mean arrival.

        .. math:: \int_{-T/2}^{T/2} |v(t_0+t)|^2 dt \Big/ \int |v|^2 dt

        Parameters
        ----------
        gate : float
            Gate length T [s], > 0.

        Returns
        -------
        float
            Share [1], by 64-point Fejér quadrature of the Fourier transform.
        """
        checks.number("Wave.gate_share: gate", gate, "s", above=0.0)
        inside = 0.5 * gate * float(np.sum(_WEIGHTS * np.abs(self.packet(gate)) ** 2))
        return min(1.0, inside / self.norm)


@dataclass(frozen=True)
class Company:
    """Light that joined the photon on its way.

    Parameters
    ----------
    quanta : float or ndarray, shape (...)
        Size at this plane [quanta per mode], before its shape is counted.
    shape : ndarray, shape (n,)
        What filters have made of its spectrum since it joined [1], one where it is untouched.
    """

    quanta: Real
    shape: Spectrum


@dataclass(frozen=True)
class Photon:
    r"""One arm's photon at one plane, with the noise around it and the qubit it left behind.

    The node holds :math:`\sqrt{1-\alpha}\,|0\rangle|\mathrm{vac}\rangle +
    \sqrt{\alpha}\,|1\rangle|\mathrm{photon}\rangle`: the stored qubit is 1, the energy-excited
    state, where a photon was sent.

    Parameters
    ----------
    wave : Wave
        Shape of photon and noise, up to the factor of `transmittance`.
    bright : float or ndarray, shape (...)
        Bright-state population α [1].
    carrier : float
        Carrier angular frequency [rad/s].
    emitted : float
        Instant at which the emission ended [s].
    clock : float
        Instant at which the node's own dynamics ended [s]; the link's memory acts from here on.
    survival : float
        Factor that the node's own dynamics put on the excited population until `clock` [1].
    coherence : float
        Factor that the node's own dynamics put on the qubit coherence until `clock` [1].
    transmittance : float or ndarray, shape (...)
        Frequency-independent transmission since emission, for photon and noise alike [1].
    pump_flux : float or ndarray, shape (...)
        Pump light that travels along [photons/s at this plane].
    pump_offset : float
        Angular frequency of the pump from the carrier [rad/s].
    gate : float, optional
        Length of the detection gate that has cut it [s].
    held : Held, optional
        Joint state of qubit and photon mode at emission, from a master equation; without it they
        are the pure pair above, and the noise is Gaussian.
    company : tuple of Company
        Light that joined on the way: Raman light, crosstalk, stray light.
    idler : Idler, optional
        What the node keeps of the pair light it makes; the wave is then the signal's temporal mode,
        of norm one at emission, and its noise is all the light there is.
    """

    wave: Wave
    bright: Real
    carrier: float
    emitted: float = 0.0
    clock: float = 0.0
    survival: float = 1.0
    coherence: float = 1.0
    transmittance: Real = 1.0
    pump_flux: Real = 0.0
    pump_offset: float = 0.0
    gate: float | None = None
    held: "Held | None" = None
    company: tuple[Company, ...] = ()
    idler: "Idler | None" = None

    def __post_init__(self) -> None:
        checks.probability("Photon.bright", self.bright)
        checks.probability("Photon.transmittance", self.transmittance)
        checks.number("Photon.pump_flux", self.pump_flux, "1/s", at_least=0.0)
        checks.number("Photon.carrier", self.carrier, "rad/s", above=0.0)
        checks.number("Photon.clock", self.clock, "s", at_least=self.emitted)

    @property
    def transmission(self) -> Real:
        """Probability that the photon, if one was sent, is at this plane [1].

        The arm's τ so far.
        """
        return self.transmittance * self.wave.norm

    @property
    def mode_noise(self) -> Real:
        """Noise quanta in the photon's own temporal mode at this plane [quanta]."""
        if self.idler is not None and self.gate is not None:
            own = float(np.sum(self.wave.cut_share(self.gate) * self.wave.noise))
            return self.transmittance * own + self.joined_noise
        return self.transmittance * self.wave.mode_noise + self.joined_noise

    @property
    def joined_noise(self) -> Real:
        """The part of it that joined on the way [quanta]."""
        shares = (c.quanta * float(np.sum(self.wave.share * c.shape)) for c in self.company)
        return sum(shares, start=0.0) / self.wave.norm

    @property
    def noise_flux(self) -> Real:
        """Noise photons per second at this plane, over all frequencies [1/s]."""
        joined = sum(
            (c.quanta * float(np.sum(self.wave.grid.weight * c.shape)) for c in self.company),
            start=0.0,
        )
        return self.transmittance * self.wave.noise_flux + joined

    def noise_beyond(self, omega: float) -> Real:
        """Noise photons per second farther than `omega` [rad/s] from the carrier [1/s]."""
        grid = self.wave.grid
        far = np.where(np.abs(grid.omega) > omega, grid.weight, 0.0)
        joined = sum((c.quanta * float(np.sum(far * c.shape)) for c in self.company), start=0.0)
        return self.transmittance * float(np.sum(far * self.wave.noise)) + joined

    def share_within(self, half_width: float) -> float:
        """Share of the photon within `half_width` [rad/s] of the carrier [1]."""
        near = np.abs(self.wave.grid.omega) <= half_width
        return float(np.sum(self.wave.share[near])) / self.wave.norm

    def attenuated(self, transmittance: Real) -> "Photon":
        """Send photon, noise and pump light through a cold, frequency-independent loss [1]."""
        checks.probability("Photon.attenuated: transmittance", transmittance)
        return replace(
            self,
            transmittance=self.transmittance * transmittance,
            pump_flux=self.pump_flux * transmittance,
            company=tuple(replace(c, quanta=c.quanta * transmittance) for c in self.company),
        )

    def joined_by(self, quanta: Real) -> "Photon":
        """Let white light of `quanta` per mode join it [quanta at this plane], >= 0."""
        checks.number("Photon.joined_by: quanta", quanta, "quanta", at_least=0.0)
        white = Company(quanta, np.ones_like(self.wave.grid.omega))
        return replace(self, company=(*self.company, white))

    def delayed(self, delay: Real) -> "Photon":
        """Let it travel: its shape is kept from its own arrival, the link counts the time."""
        return self

    def filtered(self, element: "Filter") -> "Photon":
        """Send it through a filter; the pump sees its own factor."""
        response = element.response(self.wave.grid.omega)
        pump_transmittance = element.pump_transmittance(self.pump_offset)
        amplitude = self.wave.amplitude * response
        passed = np.abs(response) ** 2
        wave = Wave(self.wave.grid, amplitude, self.wave.noise * passed)
        return replace(
            self,
            wave=wave,
            pump_flux=self.pump_flux * pump_transmittance,
            company=tuple(replace(c, shape=c.shape * passed) for c in self.company),
        )

    def gated(self, gate: float) -> "Photon":
        """Cut the photon by a detection gate of length `gate` [s] centred on its arrival.

        The noise rate stays.
        """
        kept = np.sqrt(self.wave.gate_share(gate))
        wave = replace(self.wave, amplitude=self.wave.amplitude * kept)
        wave._packets[gate] = kept * self.wave.packet(gate)
        return replace(self, wave=wave, gate=gate)


def gaussian_amplitude(omega: Spectrum, fwhm: float) -> Amplitude:
    r"""Spectral amplitude of a photon with a Gaussian intensity in time.

    .. math:: u(\omega) = (8\pi\sigma^2)^{1/4} e^{-\sigma^2\omega^2},
              \quad \sigma = T_\mathrm{FWHM}/\sqrt{8\ln2}

    Parameters
    ----------
    omega : ndarray, shape (n,)
        Offsets from the photon's centre [rad/s].
    fwhm : float
        Full width at half maximum of \|u(t)\|² [s], > 0.

    Returns
    -------
    ndarray of complex, shape (n,)
        Amplitude with :math:`\int |u|^2 d\omega/2\pi = 1` [s^1/2].
    """
    checks.number("gaussian_amplitude: fwhm", fwhm, "s", above=0.0)
    sigma = fwhm / np.sqrt(8 * np.log(2))
    return np.asarray((8 * np.pi * sigma**2) ** 0.25 * np.exp(-((sigma * omega) ** 2)) + 0j)


def overlap(first: Photon, second: Photon) -> float:
    r"""Amplitude overlap of two photons whose mean arrivals are aligned [1].

    .. math:: M = \Big|\int_\mathrm{gate} u^* v\,dt\Big| \Big/
              \sqrt{\int_\mathrm{gate}|u|^2dt\int_\mathrm{gate}|v|^2dt}

    Over all times if no gate has cut the photons.

    Raises
    ------
    ParameterError
        If the photons live on different frequency grids or were cut by different gates.
    ValidityError
        If their carriers differ: such photons never interfere.
    """
    one, two = first.wave, second.wave
    if not np.array_equal(one.grid.omega, two.grid.omega) or first.gate != second.gate:
        raise ParameterError("overlap: the two photons must share one SpectralGrid and one gate")
    apart = abs(float(np.max(ordinary(first.carrier - second.carrier))))
    if apart > SAME_CARRIER_HZ:
        raise ValidityError(
            f"the carriers of the two arms are {apart:.4g} Hz apart: their photons do not "
            "interfere; tune both transducers to one optical frequency (wavelength and detunings)"
        )
    if first.gate is None:
        shift = np.exp(1j * one.grid.omega * (one.arrival - two.arrival))
        product = one.grid.weight * np.conj(one.amplitude) * two.amplitude * shift
        return min(1.0, float(np.abs(np.sum(product)) / np.sqrt(one.norm * two.norm)))
    u, v = one.packet(first.gate), two.packet(first.gate)
    norms = np.sum(_WEIGHTS * np.abs(u) ** 2) * np.sum(_WEIGHTS * np.abs(v) ** 2)
    return min(1.0, float(np.abs(np.sum(_WEIGHTS * np.conj(u) * v)) / np.sqrt(norms)))
