"""What a node sends: a photon whose presence is entangled with a qubit, and the noise that travels in its company."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cavities import checks
from cavities.constants import Real
from cavities.errors import ParameterError

Spectrum = NDArray[np.float64]
Amplitude = NDArray[np.complex128]

_LEGENDRE = np.polynomial.legendre.leggauss(48)


@dataclass(frozen=True)
class SpectralGrid:
    r"""Quadrature nodes for integrals over all frequencies, :math:`\int f\,d\omega/2\pi \approx \sum_k w_k f(\omega_k)`.

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
        r"""Midpoint nodes of :math:`\omega = s\tan\theta`: converges geometrically for Lorentzian lines.

        Parameters
        ----------
        scale : float
            Width s of the lines to be resolved [rad/s]; lines from s/50 to 50 s are resolved with 512 points.
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


@dataclass(frozen=True)
class Photon:
    r"""One arm's photon at one plane, with the noise around it and the qubit it left behind.

    The node holds :math:`\sqrt{1-\alpha}\,|0\rangle|\mathrm{vac}\rangle + \sqrt{\alpha}\,|1\rangle|\mathrm{photon}\rangle`:
    the stored qubit is 1, the energy-excited state, where a photon was sent.

    Parameters
    ----------
    grid : SpectralGrid
        Frequencies, relative to the carrier.
    amplitude : ndarray of complex, shape (n,)
        Spectral amplitude at this plane, up to the factor of `transmittance` [s^1/2]; at emission its norm is 1.
    noise : ndarray, shape (n,)
        Normally ordered noise quanta per mode at this plane, up to the factor of `transmittance` [quanta].
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
    """

    grid: SpectralGrid
    amplitude: Amplitude
    noise: Spectrum
    bright: Real
    carrier: float
    emitted: float = 0.0
    clock: float = 0.0
    survival: float = 1.0
    coherence: float = 1.0
    transmittance: Real = 1.0
    pump_flux: Real = 0.0
    pump_offset: float = 0.0

    def __post_init__(self) -> None:
        checks.probability("Photon.bright", self.bright)
        checks.probability("Photon.transmittance", self.transmittance)
        checks.number("Photon.noise", self.noise, "quanta", at_least=0.0)
        checks.number("Photon.pump_flux", self.pump_flux, "1/s", at_least=0.0)
        checks.number("Photon.carrier", self.carrier, "rad/s", above=0.0)
        checks.number("Photon.clock", self.clock, "s", at_least=self.emitted)
        if self._norm > 1 + 1e-9:
            raise ParameterError(
                "Photon.amplitude [s^1/2] must have a norm <= 1: a heralded link takes a converter without gain, "
                f"got {self._norm:.6g}; use a red-detuned (beam-splitter) pump"
            )

    @property
    def _norm(self) -> float:
        return float(np.sum(self.grid.weight * np.abs(self.amplitude) ** 2))

    @property
    def transmission(self) -> Real:
        """Probability that the photon, if one was sent, is at this plane [1]: the arm's τ so far."""
        return self.transmittance * self._norm

    @property
    def mode_noise(self) -> Real:
        """Noise quanta in the photon's own temporal mode at this plane [quanta]."""
        share = self.grid.weight * np.abs(self.amplitude) ** 2
        return self.transmittance * float(np.sum(share * self.noise) / np.sum(share))

    @property
    def noise_flux(self) -> Real:
        """Noise photons per second at this plane, over all frequencies [1/s]."""
        return self.transmittance * float(np.sum(self.grid.weight * self.noise))

    @property
    def arrival(self) -> float:
        """Mean arrival time of the wave packet, travel delays left out [s]."""
        phase = np.unwrap(np.angle(self.amplitude))
        delay = np.gradient(phase, self.grid.omega)
        share = self.grid.weight * np.abs(self.amplitude) ** 2
        return float(np.sum(share * delay) / np.sum(share))

    def attenuated(self, transmittance: Real) -> "Photon":
        """Send photon, noise and pump light through a cold, frequency-independent loss [1]."""
        checks.probability("Photon.attenuated: transmittance", transmittance)
        return replace(
            self,
            transmittance=self.transmittance * transmittance,
            pump_flux=self.pump_flux * transmittance,
        )

    def filtered(self, response: Amplitude, pump_transmittance: Real) -> "Photon":
        """Send it through a passive filter of amplitude `response` [1], with another transmission for the pump [1]."""
        return replace(
            self,
            amplitude=self.amplitude * response,
            noise=self.noise * np.abs(response) ** 2,
            pump_flux=self.pump_flux * pump_transmittance,
        )

    def gated(self, gate: float) -> "Photon":
        """Cut the photon by a detection gate of length `gate` [s] centred on its arrival; the noise rate stays."""
        return replace(self, amplitude=self.amplitude * np.sqrt(self.gate_share(gate)))

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
            Share [1], by 48-point Gauss-Legendre quadrature of the Fourier transform.
        """
        checks.number("Photon.gate_share: gate", gate, "s", above=0.0)
        share = self.grid.weight * np.abs(self.amplitude) ** 2
        keep = share > 1e-16 * np.max(share)
        nodes, weights = _LEGENDRE
        time = self.arrival + 0.5 * gate * nodes
        kernel = np.exp(-1j * np.outer(time, self.grid.omega[keep]))
        packet = kernel @ (self.grid.weight * self.amplitude)[keep]
        inside = 0.5 * gate * float(np.sum(weights * np.abs(packet) ** 2))
        return min(1.0, inside / float(np.sum(share)))


def gaussian_amplitude(omega: Spectrum, fwhm: float) -> Amplitude:
    r"""Spectral amplitude of a photon with a Gaussian intensity in time.

    .. math:: u(\omega) = (8\pi\sigma^2)^{1/4} e^{-\sigma^2\omega^2}, \quad \sigma = T_\mathrm{FWHM}/\sqrt{8\ln2}

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
    r"""Amplitude overlap :math:`M = |\langle u|v\rangle|` of two photons whose mean arrivals are aligned [1].

    Raises
    ------
    ParameterError
        If the photons live on different frequency grids.
    """
    if first.grid.omega.shape != second.grid.omega.shape or not np.array_equal(
        first.grid.omega, second.grid.omega
    ):
        raise ParameterError("overlap: the two photons must share one SpectralGrid")
    shift = np.exp(1j * first.grid.omega * (first.arrival - second.arrival))
    product = first.grid.weight * np.conj(first.amplitude) * second.amplitude * shift
    norms = np.sqrt(first._norm * second._norm)
    return min(1.0, float(np.abs(np.sum(product)) / norms))
