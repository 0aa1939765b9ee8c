"""An independent referee of the published claims: every predicted number a second time, by hand.

The numbers are typed from the atlas of published devices; the physics is written anew here, as
closed forms of the literature, as a small quantum Langevin solver and as differential equations.
Of the toolkit only the verdicts on the claims are used, no engine, no closed form, no device file.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad, solve_ivp
from scipy.linalg import expm
from scipy.optimize import brentq, minimize_scalar

from transducer.validation.judge import Judged

PI2 = 2 * np.pi
H = 6.62607015e-34
HBAR = H / PI2
BOLTZMANN = 1.380649e-23
LIGHT = 299792458.0

EXACT = 1e-6
"""Closed form against closed form, or linear algebra against linear algebra, same numbers."""
PRINTED = 2e-4
"""The file derives a rate from a printed one (Q, T1, a sum) and rounds it in the fourth digit."""
FOLLOWED = 1e-3
"""A differential equation or a grid of mine against a closed form of theirs, or another grid."""

Complex = NDArray[np.complex128]


# ------------------------------------------------------------------ a Langevin solver of my own


@dataclass(frozen=True)
class Lab:
    """Modes with frequencies, decay ports and couplings, all over 2π; both rotations are kept.

    `swaps` are g(a^dag b + h.c.), `pairs` g(a^dag b^dag + h.c.); ports are (mode, rate, quanta).
    """

    frequencies: tuple[float, ...]
    ports: tuple[tuple[int, float, float], ...]
    swaps: tuple[tuple[int, int, float], ...] = ()
    pairs: tuple[tuple[int, int, float], ...] = ()

    def drift(self) -> Complex:
        """A of d/dt (a, a^dag) = A (a, a^dag), over 2π."""
        n = len(self.frequencies)
        energy, squeeze = np.diag(self.frequencies).astype(complex), np.zeros((n, n), complex)
        for j, k, g in self.swaps:
            energy[j, k] += g
            energy[k, j] += g
        for j, k, g in self.pairs:
            squeeze[j, k] += g
            squeeze[k, j] += g
        loss = np.zeros(n)
        for mode, rate, _ in self.ports:
            loss[mode] += rate
        upper = np.hstack([-1j * energy - np.diag(loss) / 2, -1j * squeeze])
        lower = np.hstack([1j * squeeze.conj(), 1j * energy.conj() - np.diag(loss) / 2])
        return np.vstack([upper, lower])

    def scattered(self, out: int, frequency: float) -> tuple[Complex, Complex]:
        """Amplitudes from every port, and from the conjugate of every port, to port `out`."""
        n = len(self.frequencies)
        answer = np.linalg.inv(-1j * frequency * np.eye(2 * n) - self.drift())
        where, rate, _ = self.ports[out]
        plain = np.array([-np.sqrt(rate * r) * answer[where, m] for m, r, _ in self.ports])
        turned = np.array([-np.sqrt(rate * r) * answer[where, n + m] for m, r, _ in self.ports])
        plain[out] += 1
        return plain, turned

    def efficiency(self, source: int, out: int, frequency: float = 0.0) -> float:
        return float(np.abs(self.scattered(out, frequency)[0][source]) ** 2)

    def added_noise(self, source: int, out: int, frequency: float = 0.0) -> float:
        """Quanta at the output with nothing sent in, over the efficiency."""
        plain, turned = self.scattered(out, frequency)
        quanta = np.array([q for _, _, q in self.ports])
        leaving = np.sum(np.abs(plain) ** 2 * quanta + np.abs(turned) ** 2 * (1 + quanta))
        return float(leaving / np.abs(plain[source]) ** 2)

    def peak(self, source: int, out: int, around: float, reach: float) -> tuple[float, float]:
        """Frequency and height of the highest point of the conversion near a frequency."""
        found = minimize_scalar(
            lambda f: -self.efficiency(source, out, around + f),
            bounds=(-reach, reach),
            method="bounded",
            options={"xatol": 1e-7 * reach},
        )
        return around + float(found.x), -float(found.fun)

    def width(self, source: int, out: int, around: float, reach: float) -> float:
        """Full width at half maximum."""
        centre, height = self.peak(source, out, around, reach)

        def above(f: float) -> float:
            return self.efficiency(source, out, f) / height - 0.5

        right = brentq(above, centre, centre + 20 * reach, xtol=1e-3, rtol=1e-12)
        left = brentq(above, centre - 20 * reach, centre, xtol=1e-3, rtol=1e-12)
        return float(right - left)


def two_modes(
    light: tuple[float, float],
    microwave: tuple[float, float],
    g: float,
    delta_e: float = 0.0,
    quanta: tuple[float, float] = (0.0, 0.0),
) -> Lab:
    """Beam-splitter converter: ports are light out, light lost, waveguide, microwave lost."""
    ports = (
        (0, light[0], 0.0),
        (0, light[1], 0.0),
        (1, microwave[0], quanta[0]),
        (1, microwave[1], quanta[1]),
    )
    return Lab((0.0, delta_e), ports, swaps=((0, 1, g),))


# ------------------------------------------------------------------ closed forms of the literature


def coop(g: float, kappa: float, gamma: float) -> float:
    return 4 * g * g / kappa / gamma


def matched(C: float) -> float:
    """Internal efficiency of two resonant modes, Tsang 2011."""
    return 4 * C / (1 + C) ** 2


def coop_of(internal: float) -> float:
    """The undercoupled root of 4C/(1+C)^2."""
    return float((2 - internal - 2 * np.sqrt(1 - internal)) / internal)


def photons(
    power: float, wavelength: float, ext: float, kappa: float, detuning: float = 0.0
) -> float:
    """Intracavity photons of a laser, rates over 2π."""
    flux = power * wavelength / (H * LIGHT)
    return ext * flux / (detuning**2 + kappa**2 / 4) / PI2


def planck(frequency: float, temperature: float) -> float:
    return float(1 / np.expm1(H * frequency / (BOLTZMANN * temperature)))


def weak_width(one: float, two: float) -> float:
    """Half maximum of the product of two Lorentzian lines: a root, no formula."""

    def above(f: float) -> float:
        return float(1 / ((1 + (2 * f / one) ** 2) * (1 + (2 * f / two) ** 2)) - 0.5)

    return float(2 * brentq(above, 0, max(one, two), xtol=1e-3, rtol=1e-13))


# ------------------------------------------------------------------ brubaker2022

# Two photon numbers are guesses of the device file (the atlas has none): both are typed from there.
BRUBAKER_LIGHT, BRUBAKER_MICROWAVE = 1.8e5, 2.2e8


def brubaker() -> tuple[Lab, float]:
    """Membrane with both cavities red by its frequency, nothing rotating; and its shifted line."""
    omega, G_o = 1.451e6, 60.0 * np.sqrt(BRUBAKER_LIGHT)
    G_e = 1.6 * np.sqrt(BRUBAKER_MICROWAVE)
    ports = (
        (0, 2.12e6 * 0.894**2, 0.0),  # root of the mode matching of 0.8, in three digits
        (0, 2.12e6 * (1 - 0.894**2) + 0.56e6, 0.0),
        (1, 1.42e6, 0.0),
        (1, 0.88e6, 0.0),
        (2, 0.113, planck(omega, 0.04)),
    )
    both = ((0, 2, G_o), (1, 2, G_e))
    lab = Lab((omega, omega, omega), ports, both, both)
    return lab, lab.peak(2, 0, omega, 2e4)[0]


def brubaker_gain() -> float:
    return float(np.prod([1 + (kappa / (4 * 1.451e6)) ** 2 for kappa in (2.68e6, 2.30e6)]))


def brubaker_efficiency() -> float:
    lab, line = brubaker()
    return lab.efficiency(2, 0, line) / brubaker_gain()


def brubaker_noise() -> float:
    lab, line = brubaker()
    return lab.added_noise(2, 0, line)


# ------------------------------------------------------------------ electro-optic devices

FAN_LIGHT, FAN_MICROWAVE = (100e6, 200e6), (407e3, 143e3)
XU_LIGHT, XU_MICROWAVE = (109e6, 192e6), (3.22e6, 6.0e6)


def strongest_of(
    light: tuple[float, float], microwave: tuple[float, float], internal: float
) -> Lab:
    kappas = sum(light) * sum(microwave)
    return two_modes(light, microwave, float(np.sqrt(coop_of(internal) * kappas / 4)))


MULTANI_LIGHT = (0.4378 * 205e6, 0.5622 * 205e6)
MULTANI_MICROWAVE = (0.2488 * 1.674e9, 0.7512 * 1.674e9)
MULTANI_OFF = 106.993e9 - 105.285e9


def multani(C: float) -> Lab:
    g = float(np.sqrt(C * 205e6 * 1.674e9 / 4))
    return two_modes(MULTANI_LIGHT, MULTANI_MICROWAVE, g, MULTANI_OFF)


def rueda() -> Lab:
    """Quality factors as recalled; critical coupling is a guess of atlas and file alike."""
    kappa_o, kappa_e = LIGHT / 1.55e-6 / 1.4e8, 10.0e9 / 234
    n = photons(0.42e-3, 1.55e-6, kappa_o / 2, kappa_o)
    return two_modes(
        (kappa_o / 2, kappa_o / 2), (kappa_e / 2, kappa_e / 2), 7.43 * float(np.sqrt(n))
    )


SAHU_ETA_E, SAHU_ETA_O, SAHU_OVERLAP = 0.41, 0.58, 0.78


def sahu_low() -> float:
    """Cooperativity that the 8.7 % imply."""
    return coop_of(0.087 / (SAHU_ETA_E * SAHU_ETA_O * SAHU_OVERLAP**2))


def sahu(C: float, noise: float) -> Lab:
    """The converter with the internal bath that a reported upward noise implies."""
    kappa_o, kappa_e = 10.8e6 / (1 - SAHU_ETA_O), 8.1e6 / (1 - SAHU_ETA_E)
    out = SAHU_ETA_O * SAHU_OVERLAP**2 * kappa_o
    cold = planck(8.795e9, 0.06)
    inside = (noise - cold) * SAHU_ETA_E / (1 - SAHU_ETA_E)
    return two_modes(
        (out, kappa_o - out),
        (SAHU_ETA_E * kappa_e, 8.1e6),
        float(np.sqrt(C * kappa_o * kappa_e / 4)),
        quanta=(cold, inside),
    )


WITMER_LOADED, WITMER_EXT = 192.6e12 / 19900, 192.6e12 / 19900 - 192.6e12 / 93100


def witmer(pump_photons: float) -> Lab:
    """One optical line, laser red of it by the microwave frequency, both sidebands."""
    g = 330.0 * float(np.sqrt(pump_photons))
    ports = (
        (0, WITMER_EXT, 0.0),
        (0, WITMER_LOADED - WITMER_EXT, 0.0),
        (1, 2.53e6, 0.0),
        (1, 1.91e6, 0.0),
    )
    return Lab((6.7e9, 6.7e9), ports, ((0, 1, g),), ((0, 1, g),))


def witmer_selectivity() -> float:
    """Anti-Stokes light is resonant, Stokes light two microwave frequencies off."""
    return float(10 * np.log10(1 + (2 * 6.7e9 / (WITMER_LOADED / 2)) ** 2))


# ------------------------------------------------------------------ meesala2024_natphys


def meesala_drift() -> Complex:
    """Amplitudes of resonator and phonon on resonance [1/s]."""
    g = 800e3
    return np.array([[-1.75e6 / 2, -1j * g], [-1j * g, -150e3 / 2]], np.complex128) * PI2


def meesala_extraction() -> float:
    """One phonon, followed until it has gone: what left by the waveguide."""
    drift = meesala_drift()

    def leaving(t: float) -> float:
        return float(PI2 * 1.2e6 * np.abs(expm(drift * t)[0, 1]) ** 2)

    return float(quad(leaving, 0, 6e-6, limit=400, epsabs=1e-10, epsrel=1e-9)[0])


def meesala_scattered() -> float:
    """Γ at the peak times the area of a Gaussian of 160 ns full width at half maximum."""
    area = 160e-9 * np.sqrt(np.pi / (4 * np.log(2)))
    return float(np.expm1(PI2 * 4 * 270e3**2 * 0.8 / 1.3e9 * area))


def meesala_matched() -> float:
    """Largest share of the packet in one shape: grids of birth and detection, singular values."""
    births, step = np.linspace(-400e-9, 400e-9, 401), 2e-9
    share = np.exp(-4 * np.log(2) * (births / 160e-9) ** 2)
    share /= share.sum()
    rates, modes = np.linalg.eig(meesala_drift())
    start = np.linalg.solve(modes, np.array([0, 1], complex))
    times = np.arange(-400e-9, 4e-6, step)
    passed = times[:, None] - births[None, :]
    sent = np.zeros(passed.shape, complex)
    for k in range(2):
        grown = np.exp(rates[k] * np.maximum(passed, 0))
        sent += modes[0, k] * start[k] * grown
    sent = np.where(passed >= 0, sent, 0) * np.sqrt(PI2 * 1.2e6 * step)
    values = np.linalg.svd(sent * np.sqrt(share)[None, :], compute_uv=False)
    return float(values[0] ** 2)


def meesala_correlations() -> tuple[float, float]:
    """A photon added to the phonon's thermal state, in Fock space; then loss, then other noise."""
    quanta, total, kept = 0.097, 0.16, meesala_matched()
    k = np.arange(200)
    thermal = (quanta / (1 + quanta)) ** k / (1 + quanta)
    added = np.zeros(201)
    added[1:] = thermal * (k + 1)  # a^dag |k> has the norm k + 1
    added /= added.sum()
    n = np.arange(201)
    mean, pairs = float(added @ n), float(added @ (n * (n - 1)))
    other = total - kept * quanta
    given = kept * mean + other
    twice = kept**2 * pairs + 4 * kept * mean * other + 2 * other**2
    return given / total, twice / given**2


# ------------------------------------------------------------------ mirhosseini2020


def mirhosseini_swap() -> float:
    """Qubit and phonon with their T1, followed for the 104 ns of the swap."""
    swap, qubit, phonon = 104e-9, 522e-9, 357e-9
    g = np.pi / (2 * swap)
    drift = np.array([[-0.5 / qubit, -1j * g], [-1j * g, -0.5 / phonon]])
    return float(np.abs(expm(drift * swap)[1, 0]) ** 2)


def mirhosseini_click() -> float:
    """A phonon into light behind three 50 MHz filters, inside the 38 ns from the first light.

    The modulator opens as a sine squared in amplitude over 20 ns; the atlas only says a ramp.
    """
    kappa, ext, gamma = PI2 * 1.61e9, PI2 * 0.81e9, PI2 * 446e3
    omega, line, g = PI2 * 5.159e9, PI2 * 50e6, PI2 * 420e3 * np.sqrt(44.0)
    fill = kappa / 2 - 1j * omega  # the laser stands one phonon red of the cavity that it fills

    def light(t: float) -> float:
        return float(np.sin(np.pi / 2 * min(t / 20e-9, 1.0)) ** 2)

    def flow(t: float, y: Complex) -> Complex:
        field, a, c, one, two, three = y[:6]
        G = g * field
        return np.array(
            [
                fill * (light(t) - field),
                -kappa / 2 * a - 1j * G * c,
                -gamma / 2 * c - 1j * np.conj(G) * a,
                line / 2 * (np.sqrt(ext) * a - one),
                line / 2 * (one - two),
                line / 2 * (two - three),
                np.abs(three) ** 2 + 0j,
            ]
        )

    start = np.zeros(7, complex)
    start[2] = 1.0
    end = solve_ivp(flow, (0, 38e-9), start, method="DOP853", rtol=1e-8, atol=1e-12).y[6, -1]
    return float(0.015 * end.real)


# ------------------------------------------------------------------ nanobeams


def nanobeam(
    energy: float, g0: float, wavelength: float, ext: float, kappa: float, omega: float
) -> float:
    """Γ integrated over a pulse of an energy: 4 eta g0^2 E / hbar w (w_m^2 + kappa^2/4)."""
    quanta = energy * wavelength / (H * LIGHT)
    return 4 * g0**2 * (ext / kappa) * quanta / (omega**2 + kappa**2 / 4)


def riedinger(energy: float) -> float:
    return nanobeam(energy, 825e3, 1556.21e-9, 0.65e9, 1.3e9, 5.307e9)


@dataclass(frozen=True)
class Shot:
    """A pulse into an optomechanical cavity, rates over 2π; `shape` is the power over its peak."""

    peak_photons: float
    g0: float
    kappa: float
    omega: float
    length: float
    shape: Callable[[float], float]

    def moments(self, blue: bool, before: float) -> float:
        """Phonons afterwards, with the cavity filling and its light followed in time.

        For H = G(a^dag c^dag + h.c.) or G(a^dag c + h.c.): <a^dag a>, <c^dag c> and <ac> or
        <a^dag c>, nothing eliminated, one sideband.
        """
        kappa, g = PI2 * self.kappa, PI2 * self.g0 * float(np.sqrt(self.peak_photons))
        fill = kappa / 2 + 1j * PI2 * self.omega * (1 if blue else -1)

        def flow(t: float, y: Complex) -> Complex:
            field, light, phonons, cross = y
            G = g * field
            if blue:
                made = 2 * np.real(-1j * G * np.conj(cross))
                turned = -1j * G * (light + phonons + 1)
                lost = made
            else:
                made = 2 * np.real(-1j * G * cross)
                turned = 1j * np.conj(G) * (phonons - light)
                lost = -made
            return np.array(
                [
                    fill * (np.sqrt(self.shape(t)) - field),
                    -kappa * light + made,
                    lost,
                    -kappa / 2 * cross + turned,
                ]
            )

        start = np.array([0, 0, before, 0], complex)
        end = solve_ivp(
            flow, (0, self.length), start, "DOP853", rtol=1e-8, atol=1e-12, max_step=2e-9
        )
        return float(end.y[2, -1].real)


def gaussian(fwhm: float) -> tuple[float, Callable[[float], float]]:
    """Length of five full widths, and the shape."""
    return 5 * fwhm, lambda t: float(np.exp(-4 * np.log(2) * (t / fwhm - 2.5) ** 2))


def riedinger_shot(energy: float) -> Shot:
    area = 28.4e-9 * float(np.sqrt(np.pi / (4 * np.log(2))))
    peak = photons(energy / area, 1556.21e-9, 0.65e9, 1.3e9, 5.307e9)
    return Shot(peak, 825e3, 1.3e9, 5.307e9, *gaussian(28.4e-9))


def squeezed_correlation(before: float, stokes: float) -> float:
    """Cross correlation of n Stokes photons with the phonons that they leave, Gaussian moments."""
    gain = 1 + stokes / (1 + before)  # cosh^2 r
    phonons = before + stokes  # every Stokes photon makes one phonon
    anomalous = (1 + before) ** 2 * gain * (gain - 1)
    return 1 + anomalous / (stokes * phonons)


STOCKILL_EXT, STOCKILL_KAPPA, STOCKILL_WAVE = 2.54e9, 4.17e9, 1555.4e-9
HIGH, LOW = (2.799e9, 67e3, 700e3), (2.790e9, 191e3, 272e3)
"""Frequency, linewidth, coupling of the two phonons."""


def stockill(pump_photons: float, first: tuple[float, float, float]) -> Lab:
    """Both phonons, both sidebands; the laser one frequency of the first phonon red of the line."""
    second = LOW if first is HIGH else HIGH
    G = [phonon[2] * float(np.sqrt(pump_photons)) for phonon in (first, second)]
    ports = (
        (0, STOCKILL_EXT, 0.0),
        (0, STOCKILL_KAPPA - STOCKILL_EXT, 0.0),
        (1, first[1], 0.0),
        (2, second[1], 0.0),
    )
    both = ((0, 1, G[0]), (0, 2, G[1]))
    return Lab((first[0], first[0], second[0]), ports, both, both)


def stockill_best(first: tuple[float, float, float]) -> float:
    """Photons of the most efficient conversion, on top of the line.

    The light pulls the line down by 12 and 28 kHz, a tenth of its width (L9: evaluate at the
    shifted resonance); at the bare frequency of the phonon the optimum is 6 and 2 % lower.
    """
    rate = coop(first[2], STOCKILL_KAPPA, first[1])

    def lost(log_photons: float) -> float:
        lab = stockill(float(np.exp(log_photons)), first)
        return -lab.peak(2, 0, first[0], first[1])[1]

    found = minimize_scalar(
        lost,
        bounds=(-np.log(rate) - 1, -np.log(rate) + 1),
        method="bounded",
        options={"xatol": 1e-8},
    )
    return float(np.exp(found.x))


def stockill_photons(power: float, first: tuple[float, float, float]) -> float:
    return photons(power, STOCKILL_WAVE, STOCKILL_EXT, STOCKILL_KAPPA, first[0])


def stockill_swap() -> float:
    """Equation 6 of the paper at 40 fJ."""
    rate = nanobeam(40e-15, 700e3, STOCKILL_WAVE, STOCKILL_EXT, STOCKILL_KAPPA, HIGH[0])
    return float(-np.expm1(-rate))


def stockill_heated() -> float:
    """0.55 phonons at 40 fJ, with the root of the energy; from 40 fJ to where eta_om is 8e-3."""
    energy = 40e-15 * 8e-3 / (0.032 * STOCKILL_EXT / STOCKILL_KAPPA)
    return 0.55 * float(np.sqrt(energy / 40e-15))


# ------------------------------------------------------------------ yoon2023, zhong2020, magnard

YOON_LIGHT, YOON_MICROWAVE = (0.53 * 2.2e6, 0.47 * 2.2e6), (7.33e6, 9.79e6)


def yoon() -> Lab:
    """Brillouin converter at C_om = 1, the direct path in phase: one sideband, since the pump has
    a resonance of its own."""
    n = 1 / coop(5.89, 2.2e6, 0.5e6)
    ports = (
        (0, YOON_LIGHT[0], 0.0),
        (0, YOON_LIGHT[1], 0.0),
        (1, YOON_MICROWAVE[0], 0.0),
        (1, YOON_MICROWAVE[1], 0.0),
        (2, 0.5e6, 0.0),
    )
    direct = 137.0 * float(np.sqrt(n / 7.0e10))
    swaps = ((0, 2, 5.89 * float(np.sqrt(n))), (1, 2, 298.0), (0, 1, direct))
    return Lab((0.0, 0.0, 0.0), ports, swaps)


def zhong() -> float:
    """Cooperativity at which an eigenvalue of light, microwave and phonon crosses zero."""
    kappa_o, kappa_e, gamma, g = 480e6, 15.1e6, 20e3, 2e6

    def growth(C: float) -> float:
        G = float(np.sqrt(C * kappa_o * gamma / 4))
        ports = ((0, kappa_o, 0.0), (1, kappa_e, 0.0), (2, gamma, 0.0))
        lab = Lab((0.0, 0.0, 0.0), ports, swaps=((1, 2, g),), pairs=((0, 2, G),))
        return float(np.max(np.linalg.eigvals(lab.drift()).real))

    return float(brentq(growth, 1, 200, xtol=1e-10))


def magnard_fidelity() -> float:
    """Overlap of the Choi state with a Bell pair: loss, then a loss of coherence.

    The coherence is the file's guess, exp(-0.311/6): the atlas does not state one.
    """
    eta, coherence = 0.675, 0.949
    keep = [np.array([[1, 0], [0, np.sqrt(eta)]]), np.array([[0, np.sqrt(1 - eta)], [0, 0]])]
    turn = [
        np.sqrt((1 + coherence) / 2) * np.eye(2),
        np.sqrt((1 - coherence) / 2) * np.diag([1, -1]),
    ]
    bell = np.array([1, 0, 0, 1]) / np.sqrt(2)
    return float(
        sum(np.abs(bell @ np.kron(np.eye(2), t @ k) @ bell) ** 2 for t in turn for k in keep)
    )


# ------------------------------------------------------------------ the claims


@dataclass(frozen=True)
class Claim:
    """A claim with a number of my own; `reported` is the figure as the atlas has it."""

    paper: str
    figure: str
    reported: float
    mine: Callable[[], float]
    tolerance: float
    point: str | None = None
    direction: str = "up"

    @property
    def key(self) -> tuple[str, str, str, str | None, float]:
        return self.paper, self.figure, self.direction, self.point, self.reported

    def __str__(self) -> str:
        return f"{self.paper}-{self.figure}-{self.direction}-{self.point}-{self.reported:g}"


CLAIMS = [
    # my line is where the conversion peaks, theirs is the eigenvalue: 0.1 of 1645 Hz apart
    Claim("brubaker2022", "efficiency_without_gain", 0.47, brubaker_efficiency, 1e-5, "matched"),
    Claim("brubaker2022", "matched_ceiling", 0.47, lambda: 2.12 / 2.68 * 1.42 / 2.3, EXACT),
    Claim("brubaker2022", "added_noise", 3.2, brubaker_noise, 1e-5, "matched"),
    Claim("fan2018", "efficiency", 0.0205, lambda: 0.259 / 3 * 407 / 550, EXACT, "strongest"),
    Claim(
        "fan2018",
        "cooperativity_per_photon",
        2.67e-9,
        lambda: coop(300, 300e6, 550e3),
        EXACT,
        "strongest",
    ),
    Claim(
        "fan2018",
        "bandwidth_hz",
        590e3,
        lambda: strongest_of(FAN_LIGHT, FAN_MICROWAVE, 0.259).width(2, 0, 0.0, 275e3),
        EXACT,
        "strongest",
    ),
    Claim(
        "forsch2020",
        "cooperativity_per_photon",
        0.006179,
        lambda: coop(1.3e6, 2.03e9 + 3.77e9, 197e3),
        EXACT,
    ),
    Claim("han2020", "microwave_cooperativity", 7.0, lambda: coop(3.0e6, 24.6e6, 1.15e6), EXACT),
    Claim("holzgrafe2020", "coupling_hz", 650.0, lambda: 830.0, EXACT),
    Claim("holzgrafe2020", "bandwidth_hz", 13e6, lambda: weak_width(1.0e9, 11.7e6), EXACT),
    Claim(
        "jiang2020",
        "cooperativity_per_photon",
        1.2e-5,
        lambda: coop(80e3, 413e6 + 800e6, 1.94e6),
        EXACT,
    ),
    Claim(
        "magnard2020",
        "transfer_efficiency",
        0.675,
        lambda: 0.777 * 0.958 * float(np.exp(-0.311 / 12)),
        EXACT,
    ),
    Claim("magnard2020", "bell_fidelity", 0.795, magnard_fidelity, EXACT),
    Claim("mckenna2020", "bandwidth_hz", 20e6, lambda: weak_width(650e6, 17.2e6), EXACT),
    Claim(
        "meenehan2015_heating",
        "scattering_rate_hz",
        205e3,
        lambda: 4 * 710e3**2 * 45 / 443e6,
        EXACT,
        "on",
    ),
    # laser or line in the photon's energy: they differ by 3e-5
    Claim(
        "meesala2024_natphys",
        "pump_photons",
        0.8,
        lambda: photons(83e-9, 1561.3e-9, 650e6, 1.3e9, 5.001e9),
        1e-4,
        "power",
    ),
    # they cut the Gaussian at 2.5 full widths
    Claim(
        "meesala2024_natphys",
        "scattering_probability",
        1.8e-4,
        meesala_scattered,
        1e-5,
        "pulse",
    ),
    Claim(
        "meesala2024_natphys",
        "click_probability",
        2.7e-6,
        lambda: 0.017 * meesala_scattered(),
        1e-5,
        "pulse",
    ),
    Claim(
        "meesala2024_natphys",
        "click_rate_hz",
        0.14,
        lambda: 50e3 * 0.017 * meesala_scattered(),
        1e-5,
        "pulse",
    ),
    Claim("meesala2024_natphys", "microwave_extraction", 0.56, meesala_extraction, EXACT, "pulse"),
    # two grids of the pulse, theirs of 160 instants, mine of 401
    Claim(
        "meesala2024_natphys",
        "cross_correlation",
        3.9,
        lambda: meesala_correlations()[0],
        FOLLOWED,
        "pulse",
    ),
    Claim(
        "meesala2024_natphys",
        "heralded_correlation",
        0.42,
        lambda: meesala_correlations()[1],
        FOLLOWED,
        "pulse",
    ),
    Claim("meesala2024_natphys", "packet_correlation", 1.91, lambda: 2.0, EXACT),
    Claim(
        "mirhosseini2020",
        "pump_photons",
        44.0,
        lambda: photons(0.65 * 2e-6, 1541.7e-9, 0.81e9, 1.61e9, 5.159e9),
        1e-4,
        "readout",
    ),
    Claim(
        "mirhosseini2020",
        "scattering_rate_hz",
        19e3,
        lambda: 4 * 420e3**2 * 44 / 1.61e9,
        EXACT,
        "counted",
    ),
    # a matrix exponential of 104 ns against the first zero of a closed form, with rounded rates
    Claim("mirhosseini2020", "swap_probability", 0.75, mirhosseini_swap, FOLLOWED),
    Claim("mirhosseini2020", "readout_click", 8.8e-6, mirhosseini_click, 1e-4, "counted"),
    Claim("mirhosseini2020", "readout_click", 1.18e-5, mirhosseini_click, 1e-4, "counted"),
    Claim(
        "mirhosseini2020",
        "qubit_click",
        8.8e-6,
        lambda: mirhosseini_swap() * mirhosseini_click(),
        FOLLOWED,
        "counted",
    ),
    Claim(
        "mirhosseini2020",
        "noise_at_the_qubit",
        0.57,
        lambda: 0.64 / mirhosseini_swap(),
        FOLLOWED,
        "counted",
    ),
    Claim("mirhosseini2020", "heated_quanta", 0.43, lambda: 0.64, EXACT, "counted"),
    # 205 MHz and 1.674 GHz come back from rounded internal rates, 7e-6 off
    Claim(
        "multani2025",
        "efficiency",
        8.2e-7,
        lambda: multani(1e-5).efficiency(2, 0, 0.0),
        3e-5,
        "strongest",
    ),
    Claim(
        "multani2025",
        "cooperativity_per_photon",
        6.0e-12,
        lambda: coop(685, 205e6, 1.674e9),
        1e-5,
        "weak",
    ),
    Claim(
        "multani2025",
        "bandwidth_hz",
        210e6,
        lambda: multani(5.5e-12).width(2, 0, 0.0, 50e6),
        1e-5,
        "weak",
    ),
    Claim("multani2025", "coupling_hz", 707.0, lambda: 685.0, EXACT, "weak"),
    Claim(
        "riedinger2016",
        "scattering_probability",
        0.03,
        lambda: 1.025 * float(np.expm1(riedinger(40e-15))),
        1e-4,
        "write",
    ),
    Claim(
        "riedinger2016",
        "readout_probability",
        0.037,
        lambda: float(-np.expm1(-riedinger(50e-15))),
        1e-4,
        "read",
    ),
    # the paper's 0.03 are Stokes photons per pulse, the thermal part included
    Claim(
        "riedinger2016",
        "phonon_cross_correlation",
        19.6,
        lambda: squeezed_correlation(0.025, 0.03),
        FOLLOWED,
    ),
    Claim(
        "riedinger2016",
        "phonon_cross_correlation",
        8.0,
        lambda: squeezed_correlation(0.025, 1.025 * float(np.expm1(riedinger(40e-15)))),
        1e-4,
        "write",
    ),
    Claim("riedinger2016", "heralded_phonon_correlation", 0.22, lambda: 4 / 18.6, EXACT),
    Claim("rochman2023", "microwave_cooperativity", 340.0, lambda: coop(105e6, 2e6, 65e6), EXACT),
    Claim("rochman2023", "optical_cooperativity", 4.1, lambda: coop(2e9, 13.2e9, 300e6), EXACT),
    Claim("rochman2023", "optical_cooperativity", 1.1, lambda: coop(0.98e9, 13.2e9, 300e6), EXACT),
    # three rates of the file are rounded in the third digit
    Claim(
        "rueda2016",
        "efficiency",
        1e-3,
        lambda: rueda().efficiency(2, 0),
        5e-3,
        "strongest",
    ),
    Claim(
        "rueda2016",
        "bandwidth_hz",
        1e6,
        lambda: rueda().width(2, 0, 0.0, 0.5e6),
        5e-3,
        "strongest",
    ),
    # cooperativities of the file have five digits
    Claim(
        "sahu2022",
        "efficiency",
        0.087,
        lambda: sahu(sahu_low(), 0.16).efficiency(2, 0),
        2e-5,
        "low_noise",
    ),
    Claim(
        "sahu2022",
        "added_noise",
        0.16,
        lambda: sahu(sahu_low(), 0.16).added_noise(2, 0),
        2e-5,
        "low_noise",
    ),
    Claim(
        "sahu2022",
        "added_noise",
        1.11,
        lambda: sahu(sahu_low(), 0.16).added_noise(0, 2),
        2e-5,
        "low_noise",
        "down",
    ),
    Claim(
        "sahu2022",
        "efficiency",
        0.15,
        lambda: sahu(coop_of(0.995), 0.41).efficiency(2, 0),
        EXACT,
        "high_efficiency",
    ),
    Claim(
        "sahu2022",
        "added_noise",
        0.41,
        lambda: sahu(coop_of(0.995), 0.41).added_noise(2, 0),
        2e-5,
        "high_efficiency",
    ),
    Claim(
        "stockill2022",
        "cooperativity_per_photon",
        0.007,
        lambda: coop(700e3, 4.17e9, 67e3),
        EXACT,
        "best",
    ),
    Claim(
        "stockill2022",
        "cooperativity_per_photon",
        0.00037,
        lambda: coop(272e3, 4.17e9, 191e3),
        EXACT,
        "best_low",
    ),
    # two maximisations of the same linear algebra, flat at their top
    Claim("witmer2020", "coupling_hz", 330.0, lambda: 400.0, 1e-12),
    Claim("yoon2023", "pockels_coupling_hz", 162.0, lambda: 137.0, 1e-12),
    # the toolkit stands where the spring puts the phonon, the referee on top of the line: they
    # differ by what the neighbouring phonon does to it
    Claim("stockill2022", "best_photons", 148.0, lambda: stockill_best(HIGH), FOLLOWED, "best"),
    Claim("stockill2022", "best_photons", 2720.0, lambda: stockill_best(LOW), 6e-3, "best_low"),
    Claim(
        "stockill2022",
        "cooperativity",
        1.0,
        lambda: coop(700e3, 4.17e9, 67e3) * stockill_photons(0.5e-6, HIGH),
        1e-4,
        "incident",
    ),
    Claim(
        "stockill2022",
        "cooperativity",
        1.0,
        lambda: coop(272e3, 4.17e9, 191e3) * stockill_photons(11.3e-6, LOW),
        1e-4,
        "incident_low",
    ),
    Claim("stockill2022", "readout_probability", 0.032, stockill_swap, 1e-4, "pulsed"),
    Claim(
        "stockill2022",
        "readout_into_beam",
        0.019,
        lambda: stockill_swap() * 2.54 / 4.17,
        1e-4,
        "pulsed",
    ),
    Claim(
        "stockill2022",
        "cooperativity",
        1.74,
        lambda: coop(700e3, 4.17e9, 67e3) * stockill_photons(40e-15 / 40e-9, HIGH),
        1e-4,
        "pulsed",
    ),
    Claim(
        "stockill2022",
        "pulsed_conversion",
        6.8e-8,
        lambda: 3.6e-6 * stockill_swap() * 2.54 / 4.17,
        1e-4,
        "pulsed",
    ),
    Claim(
        "stockill2022",
        "stokes_fraction",
        0.12,
        lambda: (4.17e9 / 2) ** 2 / ((4.17e9 / 2) ** 2 + (2 * 2.799e9) ** 2),
        EXACT,
        "pulsed",
    ),
    # their energy for eta_om = 8e-3 is rounded to 16.3 fJ
    Claim("stockill2022", "heated_quanta", 0.36, stockill_heated, 5e-3, "weaker"),
    Claim("strekalov2009", "efficiency", 2.602e-6, lambda: 0.005 * 1e11 * 1.56e-6 / LIGHT, EXACT),
    # 192.6 THz over a quality factor, rounded
    Claim("witmer2020", "selectivity_db", 9.5, witmer_selectivity, PRINTED, "weak"),
    Claim(
        "witmer2020",
        "bandwidth_hz",
        20.3e6,
        lambda: witmer(1.0).width(2, 0, 6.7e9, 2e6),
        1e-5,
        "weak",
    ),
    Claim(
        "witmer2020",
        "efficiency",
        2.2e-9,
        lambda: witmer(1.0).efficiency(2, 0, 6.7e9),
        PRINTED,
        "weak",
    ),
    Claim(
        "xu2021",
        "efficiency",
        0.0102,
        lambda: strongest_of(XU_LIGHT, XU_MICROWAVE, 0.152).efficiency(2, 0),
        EXACT,
        "strongest",
    ),
    Claim(
        "xu2021",
        "cooperativity_per_photon",
        8.11e-10,
        lambda: coop(750, 301e6, 9.22e6),
        EXACT,
        "strongest",
    ),
    # the file rounds the direct coupling of one photon in the third digit
    Claim("yoon2023", "efficiency", 1.2e-8, lambda: yoon().efficiency(2, 0), 1e-5, "peak"),
    Claim("yoon2023", "optical_cooperativity", 7.0, lambda: coop(1.4e6, 2.2e6, 0.5e6), EXACT),
    Claim("yoon2023", "optical_cooperativity", 1.48, lambda: coop(643e3, 2.2e6, 0.5e6), EXACT),
    Claim(
        "yoon2023",
        "cooperativity",
        7.0,
        lambda: 7.0e10 * coop(5.89, 2.2e6, 0.5e6),
        EXACT,
        "full_power",
    ),
    Claim("yoon2023", "coupling_hz", 5.28, lambda: 5.89, EXACT, "full_power"),
    Claim("yoon2023", "coupling_hz", 5.28, lambda: 1.4e6 / float(np.sqrt(7.0e10)), EXACT),
    Claim("yoon2023", "microwave_cooperativity", 5.6e-8, lambda: coop(347, 17.1e6, 0.5e6), EXACT),
    Claim("yoon2023", "occupation", 16.0, lambda: planck(11.366e9, 9.0), EXACT),
    Claim("yoon2023", "bandwidth_hz", 500e3, lambda: yoon().width(2, 0, 0.0, 0.2e6), 1e-5, "peak"),
    Claim("zhao2025", "efficiency_bandwidth_hz", 1.9e3, lambda: 0.022 * 88.9e3, EXACT),
    Claim("zhong2020_proposal", "threshold_cooperativity", 53.98, zhong, EXACT, "unit"),
]

Key = tuple[str, str, str, str | None, float]


@pytest.fixture(scope="module")
def found(all_claims: list[Judged]) -> dict[Key, Judged]:
    """What the toolkit predicts, by claim."""
    return {
        (j.paper.key, j.claim.figure, j.claim.direction, j.claim.operating_point, j.claim.value): j
        for j in all_claims
        if j.predicted is not None
    }


@pytest.mark.parametrize("claim", CLAIMS, ids=str)
def test_an_independent_number_agrees_with_the_prediction(
    claim: Claim, found: dict[Key, Judged]
) -> None:
    predicted = found[claim.key].predicted
    assert predicted == pytest.approx(claim.mine(), rel=claim.tolerance)


def test_every_prediction_has_an_independent_number(found: dict[Key, Judged]) -> None:
    assert {claim.key for claim in CLAIMS} == set(found)


# The closed forms of pulses let the light follow at once. A square pulse that must fill its cavity
# loses 3/κT = 3e-3 of its rate (stockill2022, κT = 1048); the Gaussians are 20 times closer.
ADIABATIC = 3e-3


def predicted(found: dict[Key, Judged], figure: str, paper: str) -> float:
    values = [j.predicted for key, j in found.items() if key[:2] == (paper, figure)]
    assert len(values) == 1
    assert values[0] is not None
    return values[0]


def test_pairs_of_a_blue_pulse_agree_with_moments_followed_in_time(
    found: dict[Key, Judged],
) -> None:
    shot = Shot(0.8, 270e3, 1.3e9, 5.001e9, *gaussian(160e-9))
    mine = shot.moments(blue=True, before=0.0)
    theirs = predicted(found, "scattering_probability", "meesala2024_natphys")
    assert theirs == pytest.approx(mine, rel=ADIABATIC)
    warm = riedinger_shot(40e-15).moments(blue=True, before=0.025) - 0.025
    theirs = predicted(found, "scattering_probability", "riedinger2016")
    assert theirs == pytest.approx(warm, rel=ADIABATIC)


def test_readout_by_a_red_pulse_agrees_with_moments_followed_in_time(
    found: dict[Key, Judged],
) -> None:
    left = riedinger_shot(50e-15).moments(blue=False, before=1.0)
    theirs = predicted(found, "readout_probability", "riedinger2016")
    assert theirs == pytest.approx(1 - left, rel=ADIABATIC)
    peak = stockill_photons(40e-15 / 40e-9, HIGH)
    square = Shot(peak, 700e3, STOCKILL_KAPPA, HIGH[0], 40e-9, lambda t: 1.0)
    theirs = predicted(found, "readout_probability", "stockill2022")
    assert theirs == pytest.approx(1 - square.moments(blue=False, before=1.0), rel=ADIABATIC)


def test_the_referee_reproduces_worked_numbers_of_the_field() -> None:
    """Rows L1a, L8a, L8c, L9b and L9d of the project's worked numbers: is the referee fit?"""
    light, microwave = (120.0, 80.0), (8.0, 2.0)
    g = float(np.sqrt(0.3 * 200 * 10 / 4))
    ports = tuple((k // 2, rate, 0.0) for k, rate in enumerate((*light, *microwave)))
    lab = Lab((15.0, -1.0), ports, swaps=((0, 1, g),))
    assert lab.efficiency(2, 0, 3.0) == pytest.approx(0.2388836172, rel=1e-9)
    lab = Lab(
        (0.0, 0.0, 0.0),
        ((0, 1.0, 0.0), (0, 1.0, 0.0), (1, 0.7, 0.0), (1, 0.3, 0.1), (2, 1e-4, 30.0)),
        swaps=((0, 2, 0.05), (1, 2, 0.02)),
    )
    assert lab.added_noise(2, 0) == pytest.approx(2.721428571, rel=1e-9)
    assert lab.efficiency(2, 0) == pytest.approx(0.2494987748, rel=1e-9)
    omega, both = 1.0, ((0, 2, 2.5e-3), (1, 2, 1.5e-3))
    lab = Lab(
        (omega, omega, omega),
        ((0, 0.96, 0.0), (0, 0.24, 0.0), (1, 0.45, 0.0), (1, 0.05, 0.0), (2, 1e-7, 200.0)),
        both,
        both,
    )
    line = lab.peak(2, 0, omega, 1e-4)[0]
    assert line == pytest.approx(1 - 3.97474e-6, abs=2e-8)
    leaving = lab.added_noise(2, 0, line) * lab.efficiency(2, 0, line)
    assert leaving == pytest.approx(1.074899849, rel=1e-5)
