"""Everything on the line that is not the photon: Raman light, leaks, backgrounds, switches, phases."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.constants import c as LIGHT
from scipy.constants import h as PLANCK
from scipy.integrate import quad, solve_ivp
from scipy.special import erf

from cavities import ParameterError, ValidityError
from fibre import (
    Arm,
    Detector,
    FabryPerot,
    FibreSpan,
    Link,
    Loss,
    Memory,
    Photon,
    Schedule,
    Scheme,
    SpectralGrid,
    Station,
    Wave,
    evaluate_link,
    gaussian_amplitude,
    overlap,
    propagate,
)
from fibre.budget import budget, seen
from fibre.elements import Background, FlatTop, Switch
from fibre.line_noise import Cascade, Classical, combined, leaked_counts, raman_quanta
from fibre.link import heralded, require_encoding
from fibre.memory import depolarised
from fibre.registration import Registration, Shares, offset_overlap

Array = NDArray[np.float64]

WAVELENGTH = 1550e-9
CARRIER = 2 * np.pi * LIGHT / WAVELENGTH
GRID = SpectralGrid.around(6e7, 1024)
FWHM = 40e-9
SIGMA = FWHM / np.sqrt(8 * np.log(2))


def photon(fwhm: float = FWHM, noise: float = 0.0) -> Photon:
    line = noise / (1 + (GRID.omega / 1.2e8) ** 2)
    return Photon(Wave(GRID, gaussian_amplitude(GRID.omega, fwhm), line), 0.1, CARRIER)


def spectrum(omega: float) -> float:
    """|u|^2 of the photon, written out [s]."""
    return float(np.sqrt(8 * np.pi) * SIGMA * np.exp(-2 * (SIGMA * omega) ** 2))


def integral(f: object, width: float = 60 / SIGMA) -> float:
    value = quad(f, -width, width, points=[0.0], limit=400, epsabs=0, epsrel=1e-10)[0]
    return float(value / (2 * np.pi))


# --- Raman light ------------------------------------------------------------------------------------


def raman_by_ode(channel: Classical, length: float, attenuation: float) -> float:
    """Watts per metre of wavelength at the fibre's end: generated along the way, lost along the way."""
    a, c = (np.log(10) / 10 * x for x in (attenuation, channel.attenuation))

    def slope(z: float, power: Array) -> Array:
        way = length - z if channel.counter else z
        return -a * power + channel.coefficient * channel.power * np.exp(-c * way)

    found = solve_ivp(slope, (0.0, length), [0.0], rtol=1e-10, atol=1e-24, method="DOP853")
    return float(found.y[0, -1])


def per_mode(watts_per_metre: float, band: float = 1e-15) -> float:
    """Photons per second over a narrow band, over the hertz in it."""
    hertz = LIGHT / (WAVELENGTH - band / 2) - LIGHT / (WAVELENGTH + band / 2)
    return watts_per_metre * band / (PLANCK * LIGHT / WAVELENGTH) / hertz


@pytest.mark.parametrize("counter", [False, True])
@pytest.mark.parametrize(
    ("quantum", "classical"), [(2e-4, 3.5e-4), (3.5e-4, 2e-4), (2e-4, 2e-4), (0.0, 2e-4), (2e-4, 0)]
)
@pytest.mark.parametrize("length", [1e3, 50e3])
def test_raman_light_is_generated_and_lost_along_the_fibre(
    counter: bool, quantum: float, classical: float, length: float
) -> None:
    channel = Classical(1e-3, 2e-3, classical, counter)
    found = raman_quanta(channel, length, quantum, CARRIER)
    assert found == pytest.approx(per_mode(raman_by_ode(channel, length, quantum)), rel=1e-6)


def test_raman_light_of_a_milliwatt_over_20_km_is_that_of_the_atlas() -> None:
    """2e-9 /(km nm), 0.2 dB/km, 0.1 nm: some 1.2e7 photons per second."""
    quanta = raman_quanta(Classical(1e-3, 2e-9 / (1e3 * 1e-9), 2e-4), 20e3, 2e-4, CARRIER)
    band = LIGHT / WAVELENGTH**2 * 0.1e-9
    assert quanta * band == pytest.approx(1.2e7, rel=0.05)


@given(
    one=st.floats(0.0, 1e-3),
    two=st.floats(0.0, 1e-3),
    length=st.floats(0.0, 2e5),
    counter=st.booleans(),
)
def test_raman_light_does_not_tell_the_two_attenuations_apart(
    one: float, two: float, length: float, counter: bool
) -> None:
    ahead = raman_quanta(Classical(1e-3, 2e-3, two, counter), length, one, CARRIER)
    back = raman_quanta(Classical(1e-3, 2e-3, one, counter), length, two, CARRIER)
    assert ahead == pytest.approx(float(back), rel=1e-9, abs=1e-300)
    lossless = raman_quanta(Classical(1e-3, 2e-3, 0.0, counter), length, 0.0, CARRIER)
    assert 0 <= ahead <= lossless * (1 + 1e-12)


def test_raman_light_is_smooth_where_the_attenuations_meet() -> None:
    same = raman_quanta(Classical(1e-3, 2e-3, 2e-4), 30e3, 2e-4, CARRIER)
    for step in (1e-18, 1e-16, 1e-14, 1e-12, 1e-10):
        near = raman_quanta(Classical(1e-3, 2e-3, 2e-4 + step), 30e3, 2e-4, CARRIER)
        assert near == pytest.approx(float(same), rel=1e-4 * max(step / 1e-10, 1e-6))


def test_raman_light_against_the_photon_saturates_and_along_with_it_passes() -> None:
    lengths = np.array([10e3, 50e3, 200e3, 400e3])
    along = raman_quanta(Classical(1e-3, 2e-3, 2e-4), lengths, 2e-4, CARRIER)
    against = raman_quanta(Classical(1e-3, 2e-3, 2e-4, True), lengths, 2e-4, CARRIER)
    assert along.shape == against.shape == (4,)
    assert along[-1] < 1e-4 * along[0]
    assert against[-1] == pytest.approx(against[-2], rel=1e-6)
    assert np.all(against > along)


# --- pump light that leaks ----------------------------------------------------------------------------


def test_a_microwatt_behind_120_db_is_the_worked_number_of_l22() -> None:
    assert leaked_counts(1e-6, CARRIER, 120.0) == pytest.approx(7.803, abs=5e-4)
    assert leaked_counts(1e-6, CARRIER, 0.0) == pytest.approx(7.8029e12, rel=1e-4)
    assert leaked_counts(1e-6, CARRIER, 120.0, 0.01) == pytest.approx(0.07803, rel=1e-4)
    batch = leaked_counts(np.array([1e-6, 1e-3]), CARRIER, np.array([[120.0], [90.0]]))
    assert batch.shape == (2, 2)
    assert batch[1, 1] == pytest.approx(7.803e6, rel=1e-4)


# --- losses in a row -----------------------------------------------------------------------------------


def test_a_cascade_gives_the_worked_numbers_of_l22() -> None:
    chain = Cascade((0.5, 0.8, 0.3), (0.1, 1.5, 0.0), 0.02)
    assert chain.outgoing == pytest.approx(0.1044, rel=1e-12)
    noise = 0.02
    for k, (eta, n) in enumerate(zip(chain.transmissions, chain.occupations, strict=True)):
        assert chain.at(k) == pytest.approx(noise)
        noise = eta * noise + (1 - eta) * n
    assert chain.referred(0) == pytest.approx(0.1044 / 0.12)
    assert chain.referred(3) == pytest.approx(chain.outgoing)


stages = st.lists(st.tuples(st.floats(0.01, 1.0), st.floats(0.0, 10.0)), min_size=1, max_size=6)


@given(stages, st.floats(0.0, 5.0))
def test_a_cascade_is_a_sum_over_baths_seen_through_what_follows(
    chain: list[tuple[float, float]], incoming: float
) -> None:
    etas, baths = (tuple(x) for x in zip(*chain, strict=True))
    found = Cascade(etas, baths, incoming)
    total = incoming * float(np.prod(etas))
    for k, n in enumerate(baths):
        total += (1 - etas[k]) * n * float(np.prod(etas[k + 1 :]))
    assert found.outgoing == pytest.approx(total, rel=1e-9, abs=1e-12)
    for plane in range(len(etas) + 1):
        beyond = float(np.prod(etas[plane:]))
        assert found.referred(plane) * beyond == pytest.approx(found.outgoing, rel=1e-9, abs=1e-12)


def test_noisy_losses_do_not_commute_and_cold_ones_do() -> None:
    ahead = Cascade((0.5, 0.8, 0.3), (0.1, 1.5, 0.0))
    back = Cascade((0.3, 0.8, 0.5), (0.0, 1.5, 0.1))
    assert ahead.transmission == pytest.approx(back.transmission)
    assert abs(ahead.outgoing - back.outgoing) > 0.05
    cold = [Cascade(etas, (0.0, 0.0), 0.3).outgoing for etas in ((0.5, 0.8), (0.8, 0.5))]
    assert cold[0] == pytest.approx(cold[1], rel=1e-12)


@given(stages, stages, st.floats(0.0, 5.0))
def test_chains_in_a_row_hand_on_what_leaves(
    one: list[tuple[float, float]], two: list[tuple[float, float]], incoming: float
) -> None:
    first = Cascade(*(tuple(x) for x in zip(*one, strict=True)), incoming)
    second = Cascade(*(tuple(x) for x in zip(*two, strict=True)))
    whole = combined([first, second])
    handed = replace(second, incoming=first.outgoing)
    assert whole.outgoing == pytest.approx(handed.outgoing, rel=1e-9, abs=1e-12)
    assert whole.transmission == pytest.approx(first.transmission * second.transmission)
    assert whole.at(len(one)) == pytest.approx(first.outgoing, rel=1e-12)
    with pytest.raises(ParameterError, match="only the first chain"):
        combined([first, replace(second, incoming=0.1)])


# --- light that joins ------------------------------------------------------------------------------------


def lorentzian(bandwidth: float, stages_: int = 1, insertion_db: float = 0.0) -> object:
    inserted = 10 ** (-stages_ * insertion_db / 10)
    return lambda w: inserted / (1 + (2 * w / bandwidth) ** 2) ** stages_


B1, B2 = 5e7, 8e7
FIRST = FabryPerot("first", B1, 0.5, 0.0, 40.0)
SECOND = FabryPerot("second", B2, 0.8, 0.0, 40.0, stages=2)


def test_white_light_that_joins_is_shaped_by_later_filters_alone() -> None:
    """Mode noise and flux against adaptive quadrature of the spectra, losses on both sides."""
    q, before, after = 0.03, 10**-0.2, 10**-0.1
    out, _ = propagate(
        photon(), [FIRST, Loss("x", 2.0), Background("stray", q), SECOND, Loss("y", 1.0)]
    )
    f1, f2 = lorentzian(B1, 1, 0.5), lorentzian(B2, 2, 0.8)
    passed = integral(lambda w: spectrum(w) * f1(w) * f2(w))  # type: ignore[operator]
    caught = integral(lambda w: spectrum(w) * f1(w) * f2(w) ** 2)  # type: ignore[operator]
    assert out.transmission == pytest.approx(before * after * passed, rel=1e-8)
    assert out.mode_noise == pytest.approx(after * q * caught / passed, rel=1e-8)
    # integral of (1 + (2 w/B)^2)^-2 d omega/2 pi is B/8
    assert out.noise_flux == pytest.approx(after * q * 10**-0.16 * B2 / 8, rel=1e-8)


def test_joined_light_adds_to_the_noise_that_comes_along() -> None:
    q = 0.03
    path = [FIRST, Background("stray", q), SECOND]
    quiet, _ = propagate(photon(), path)
    alone, _ = propagate(photon(noise=0.2), [FIRST, SECOND])
    both, _ = propagate(photon(noise=0.2), path)
    assert both.mode_noise == pytest.approx(quiet.mode_noise + alone.mode_noise, rel=1e-12)
    assert both.noise_flux == pytest.approx(quiet.noise_flux + alone.noise_flux, rel=1e-12)
    far = 3e7
    assert both.noise_beyond(far) == pytest.approx(
        quiet.noise_beyond(far) + alone.noise_beyond(far), rel=1e-12
    )
    assert both.joined_noise == pytest.approx(quiet.mode_noise, rel=1e-12)


def test_noise_beyond_is_the_tail_of_the_last_filter() -> None:
    q, far = 0.03, 1.1e8
    out, _ = propagate(photon(), [Background("stray", q), SECOND])
    f2 = lorentzian(1.0, 2, 0.8)
    tail = 2 * B2 * quad(f2, far / B2, np.inf)[0] / (2 * np.pi)  # type: ignore[arg-type]
    assert out.noise_beyond(far) == pytest.approx(q * tail, rel=2e-2)  # one node wide
    assert out.noise_beyond(0.0) == pytest.approx(out.noise_flux)


def test_a_filter_in_front_of_a_background_spares_it() -> None:
    q = 0.03
    bare, _ = propagate(photon(), [Background("stray", q)])
    behind, _ = propagate(photon(), [SECOND, Background("stray", q)])
    assert bare.mode_noise == pytest.approx(q)
    assert behind.mode_noise == pytest.approx(q)


def test_backgrounds_add_and_each_is_lost_from_where_it_joined() -> None:
    path = [Background("a", 0.1), Loss("x", 3.0), Background("b", 0.02), Loss("y", 1.0)]
    out, rows = propagate(photon(), path)
    assert out.mode_noise == pytest.approx(0.1 * 10**-0.4 + 0.02 * 10**-0.1)
    assert [row.added_noise for row in rows] == pytest.approx([0.1, 0.0, 0.02, 0.0])
    assert [row.loss_db for row in rows] == pytest.approx([0.0, 3.0, 0.0, 1.0])


@given(x=st.floats(0.0, 20.0), y=st.floats(0.0, 20.0), q=st.floats(0.0, 1.0), n=st.floats(0.0, 1.0))
def test_only_backgrounds_notice_the_order_of_losses(
    x: float, y: float, q: float, n: float
) -> None:
    one, two, light = Loss("x", x), FibreSpan("y", y * 1e3, 1e-3, 1e-3, 1.47), Background("b", q)
    ahead, _ = propagate(photon(noise=n), [one, two])
    back, _ = propagate(photon(noise=n), [two, one])
    assert ahead.transmission == pytest.approx(back.transmission)
    assert ahead.mode_noise == pytest.approx(back.mode_noise)
    assert ahead.noise_flux == pytest.approx(back.noise_flux)
    ahead, _ = propagate(photon(), [light, one, two])
    swapped, _ = propagate(photon(), [light, two, one])
    between, _ = propagate(photon(), [one, light, two])
    assert ahead.mode_noise == pytest.approx(swapped.mode_noise)
    assert ahead.mode_noise == pytest.approx(q * 10 ** (-(x + y) / 10))
    assert between.mode_noise == pytest.approx(q * 10 ** (-y / 10))


def test_batches_of_background_and_loss_are_their_points() -> None:
    q, loss = np.array([0.0, 0.01, 0.1]), np.array([[1.0], [5.0]])
    path = lambda quanta, db: [Background("b", quanta), Loss("x", db), SECOND]  # noqa: E731
    whole, rows = propagate(photon(noise=0.1), path(q, loss))
    assert whole.mode_noise.shape == whole.noise_flux.shape == (2, 3)  # type: ignore[union-attr]
    assert whole.noise_beyond(5e7).shape == (2, 3)  # type: ignore[union-attr]
    for i in range(2):
        for j in range(3):
            point, _ = propagate(photon(noise=0.1), path(float(q[j]), float(loss[i, 0])))
            for name in ("mode_noise", "noise_flux", "joined_noise"):
                assert getattr(whole, name)[i, j] == pytest.approx(getattr(point, name))
    np.testing.assert_allclose(rows[0].added_noise, q)


def test_a_gate_leaves_the_noise_per_mode_alone() -> None:
    out, _ = propagate(photon(), [Background("b", 0.05), SECOND])
    cut = out.gated(30e-9)
    assert cut.transmission < 0.95 * out.transmission
    assert cut.mode_noise == pytest.approx(out.mode_noise, rel=1e-9)
    assert cut.noise_flux == pytest.approx(out.noise_flux, rel=1e-12)


# --- filters -----------------------------------------------------------------------------------------------


@given(
    bandwidth=st.floats(1e7, 1e9),
    insertion=st.floats(0.0, 5.0),
    extinction=st.floats(0.0, 60.0),
    count=st.integers(1, 4),
    omega=st.floats(-1e10, 1e10),
)
def test_equal_stages_in_a_row_are_powers_of_one(
    bandwidth: float, insertion: float, extinction: float, count: int, omega: float
) -> None:
    for kind in (FabryPerot, FlatTop):
        one = kind("f", bandwidth, insertion, 0.0, extinction)
        row = replace(one, stages=count)
        w = np.array([omega])
        assert abs(row.response(w)[0]) == pytest.approx(abs(one.response(w)[0]) ** count)
        assert row.pump_transmittance(omega) == pytest.approx(
            one.pump_transmittance(omega) ** count
        )
        assert row.rejection_db(omega) <= count * extinction * (1 + 1e-12)


def test_a_flat_top_passes_its_band_and_rejects_the_rest() -> None:
    wide = FlatTop("dwdm", 4e8, 1.0, 0.0, 25.0, stages=2)
    out = wide(photon().joined_by(0.02))
    assert out.transmission == pytest.approx(10**-0.2, rel=1e-9)
    assert out.mode_noise == pytest.approx(0.02 * 10**-0.2, rel=1e-9)
    inside = out.noise_flux - out.noise_beyond(2e8)
    assert inside == pytest.approx(0.02 * 10**-0.2 * 4e8 / (2 * np.pi), rel=1e-2)
    assert wide.pump_transmittance(1e9) == pytest.approx(10 ** (-(2 * 1.0 + 2 * 25.0) / 10))
    assert wide.pump_transmittance(1e8) == pytest.approx(10**-0.2)


@pytest.mark.parametrize("outside", [0.5e-3, 0.9e-3, 1.1e-3, 2e-3, 0.1])
def test_a_flat_top_refuses_a_photon_of_which_a_thousandth_lies_outside(outside: float) -> None:
    """|u|^2 is Gaussian: the share inside a half width w is erf(sqrt2 sigma w)."""
    widths = np.linspace(0.1, 6, 200001)
    half = float(np.interp(1 - outside, erf(np.sqrt(2) * widths), widths)) / SIGMA
    narrow = FlatTop("grating", 2 * half, 1.0, 0.0, 25.0)
    if outside > 1e-3:
        with pytest.raises(ValidityError, match=r"'grating'.* % .*outside its passband.* Hz"):
            narrow(photon())
    else:
        narrow(photon())


def test_a_flat_top_judges_the_photon_that_reaches_it() -> None:
    """A short photon that a Fabry-Perot has narrowed passes where the bare one is refused."""
    short, clean = photon(6e-9), FabryPerot("fp", 1.5e7, 0.0, 0.0, 40.0, stages=3)
    band = FlatTop("dwdm", 3e8, 1.0, 0.0, 25.0)
    with pytest.raises(ValidityError, match="passband"):
        band(short)
    assert band(clean(short)).transmission > 0


def test_white_light_behind_a_flat_top_has_no_bandwidth_and_is_refused_at_the_station() -> None:
    """Beyond the passband 20 dB are left of light that is white everywhere: its rate is the grid's."""
    line = [Background("raman", 0.01), FlatTop("dwdm", 4e8, 1.0, 0.0, 20.0)]
    ends = [propagate(photon(), line)[0] for _ in "AB"]
    with pytest.raises(ValidityError, match="no bandwidth"):
        seen((ends[0], ends[1]), Station(Detector("d", 0.9, 10.0), 200e-9))


# --- switches ------------------------------------------------------------------------------------------------


def test_a_switch_leaks_its_neighbours_by_its_isolation_at_its_output() -> None:
    quiet = Switch("mems", 2.0, isolation_db=30.0)
    busy = replace(quiet, neighbour_quanta=5.0)
    one, two = quiet(photon(noise=0.1)), busy(photon(noise=0.1))
    assert one.transmission == pytest.approx(two.transmission) == pytest.approx(10**-0.2)
    assert two.mode_noise - one.mode_noise == pytest.approx(5e-3, rel=1e-9)
    _, rows = propagate(photon(), [busy])
    assert rows[0].added_noise == pytest.approx(5e-3)
    with pytest.raises(ParameterError, match=r"isolation.*not stated.*'isolation_db'"):
        Switch("mems", 2.0, neighbour_quanta=1.0)


def test_polarisation_dependence_is_in_the_worst_case_alone() -> None:
    path = Switch("mems", np.array([1.0, 2.0]), 0.4, polarisation_loss_db=0.3)
    out, rows = propagate(photon(), [path])
    np.testing.assert_allclose(rows[0].loss_db, [1.0, 2.0])
    np.testing.assert_allclose(rows[0].loss_db_max, [1.7, 2.7])
    np.testing.assert_allclose(out.transmission, 10 ** -np.array([0.1, 0.2]))


def a_link(*switches: Switch) -> Link:
    arms = tuple(
        Arm(name, photon(noise=0.02), (), (Loss("coupler", 3.0), *extra), Memory(3e-4, 2e-4))
        for name, extra in (("A", switches), ("B", ()))
    )
    station = Station(Detector("d", 0.9, 10.0, 30e-9), 200e-9, 0.2)
    return Link((arms[0], arms[1]), station, Schedule(reset=5e-6, feedback=1e-6))


def test_a_switch_refuses_an_encoding_that_it_does_not_carry() -> None:
    path = Switch("mems", 1.0, encodings=frozenset({"polarisation", "time-bin"}))
    path.require("time-bin")
    Switch("any", 1.0).require("path")
    with pytest.raises(ValidityError, match=r"'mems' carries polarisation, time-bin, not the path"):
        path.require("path")
    with pytest.raises(ValidityError, match=r"carries none"):
        Switch("none", 1.0, encodings=frozenset()).require("path")
    require_encoding(a_link(path), Scheme.TWO_CLICK)
    with pytest.raises(ValidityError, match="'mems'"):
        require_encoding(a_link(path), Scheme.SINGLE_CLICK)
    with pytest.raises(ValidityError, match="'mems'"):
        evaluate_link(a_link(path), Scheme.SINGLE_CLICK)


@pytest.mark.parametrize("scheme", [Scheme.SINGLE_CLICK, Scheme.TWO_CLICK])
def test_a_switch_of_stated_fidelity_depolarises_the_qubit_of_its_arm(scheme: Scheme) -> None:
    clean, noisy = Switch("mems", 1.0), Switch("mems", 1.0, fidelity_loss=0.03)
    assert noisy.depolarising == pytest.approx(0.06)
    found = []
    for path in ((clean, clean), (noisy, noisy)):
        link = a_link(*path)
        photons, _ = budget(link)
        found.append(heralded(link, scheme, seen(photons, link.station)))
    good, bad = found
    once = 1 - 0.06
    brute = depolarised(good.state, 0, 1 - once**2)  # two in a row
    np.testing.assert_allclose(bad.state, brute, rtol=1e-12, atol=1e-18)
    assert bad.probability == pytest.approx(float(good.probability))
    assert bad.fidelity < good.fidelity


# --- phases: Monte Carlo -----------------------------------------------------------------------------------


def walks(rng: np.random.Generator, width: float, step: float, count: int, runs: int) -> Array:
    """Phase of lasers of this full linewidth, at multiples of `step`, shape (runs, count + 1)."""
    kicks = rng.normal(0, np.sqrt(width * step), (runs, count))
    return np.concatenate([np.zeros((runs, 1)), np.cumsum(kicks, axis=1)], axis=1)


def test_phase_that_diffuses_by_its_full_width_has_a_lorentzian_line_of_that_width() -> None:
    """Coherence e^{-width t/2}, from Wiener paths; its Fourier transform falls to half at width/2."""
    width, step, count = 2.0, 0.02, 60
    phase = walks(np.random.default_rng(5), width, step, count, 20000)
    t = step * np.arange(count + 1)
    np.testing.assert_allclose(np.mean(np.cos(phase), axis=0), np.exp(-width * t / 2), atol=0.02)

    def line(omega: float) -> float:
        return quad(lambda s: np.exp(-width * s / 2) * np.cos(omega * s), 0, 60, limit=400)[0]

    assert line(width / 2) / line(0.0) == pytest.approx(0.5, rel=1e-6)
    apart = Registration(linewidth_a=width, interval=1.0).between_bins(0.7)
    assert apart.coherence == pytest.approx(np.exp(-width * 0.7 / 2), rel=1e-12)


def test_independent_lasers_diffuse_by_both_linewidths() -> None:
    rng = np.random.default_rng(6)
    one, two = (walks(rng, w, 0.01, 40, 20000) for w in (1.5, 0.4))
    change = (one[:, 30] - one[:, 10]) - (two[:, 30] - two[:, 10])
    found = Registration(1.5, 0.4, interval=1.0).between_bins(0.2)
    assert np.var(change) == pytest.approx(found.laser, rel=0.03)
    assert np.mean(np.cos(change)) == pytest.approx(found.coherence, abs=0.01)
    assert found.laser == pytest.approx(1.9 * 0.2)


@pytest.mark.parametrize("gap", [5, 20, 60])
def test_a_shared_laser_diffuses_by_the_difference_of_its_delays(gap: int) -> None:
    """Relative phase phi(t) - phi(t - delay), in one attempt and its change over a gap."""
    width, step, delay = 1.5, 0.01, 20
    phase = walks(np.random.default_rng(7), width, step, 100, 20000)
    relative = phase[:, delay:] - phase[:, :-delay]
    shared = Registration(width, 99.0, shared_laser=True, laser_delay=delay * step)
    assert np.var(relative[:, 3]) == pytest.approx(shared.within_attempt().laser, rel=0.04)
    change = relative[:, 3 + gap] - relative[:, 3]
    assert np.var(change) == pytest.approx(shared.between_bins(gap * step).laser, rel=0.04)


def test_a_lock_leaves_the_mean_square_of_its_sawtooth() -> None:
    """Attempts at any time since the lock acted: its residue, the lasers' walk, the fibre's drift."""
    rng, runs, T = np.random.default_rng(8), 400000, 0.05
    locked = Registration(1.5, 0.5, fibre_drift=8.0, residual=0.1, interval=T)
    since = rng.uniform(0, T, runs)
    residue = rng.normal(0, 0.1, runs)
    walk = rng.normal(0, 1, runs) * np.sqrt(2.0 * since)
    drift = 8.0 * since * rng.choice([-1, 1], runs)
    shares = locked.within_attempt()
    assert np.var(residue) == pytest.approx(shares.lock, rel=0.02)
    assert np.var(walk) == pytest.approx(shares.laser, rel=0.02)
    assert np.var(drift) == pytest.approx(shares.fibre, rel=0.02)
    whole = residue + walk + drift
    assert np.std(whole) == pytest.approx(shares.rms, rel=0.01)
    # small and nearly Gaussian: the coherence follows
    assert np.mean(np.cos(whole)) == pytest.approx(shares.coherence, abs=2e-3)


def test_a_known_offset_costs_the_jitter_and_an_unknown_one_the_gap() -> None:
    rng, runs = np.random.default_rng(9), 200000
    gap, jitter = 0.3, 0.02
    clicks = rng.normal(0, jitter, (2, runs))
    known = Registration(offset=5.0, jitter=jitter)
    assert np.var(5.0 * clicks[0]) == pytest.approx(known.within_attempt().offset, rel=0.02)
    change = 5.0 * (gap + clicks[1] - clicks[0]) - 5.0 * gap  # what is known is corrected
    assert np.var(change) == pytest.approx(known.between_bins(gap).offset, rel=0.02)
    unknown = rng.normal(0, 0.4, runs)
    loose = Registration(offset_rms=0.4)
    assert np.var(unknown * gap) == pytest.approx(loose.between_bins(gap).offset, rel=0.02)


def test_an_uncertain_offset_is_never_underestimated() -> None:
    rng, runs = np.random.default_rng(10), 200000
    detuning = 5.0 + rng.normal(0, 3.0, runs)
    exact = float(np.mean((detuning * rng.normal(0, 0.02, runs)) ** 2))
    found = Registration(offset=5.0, offset_rms=3.0, jitter=0.02).within_attempt().offset
    assert 0.98 * exact <= found <= 2.05 * exact


def test_nothing_pulls_a_perfect_registration_apart() -> None:
    for shares in (Registration().within_attempt(), Registration().between_bins(1.0)):
        assert shares == Shares(0.0, 0.0, 0.0, 0.0)
        assert shares.rms == 0
        assert shares.coherence == 1
    assert Registration().duty == 1
    assert 0 < Registration(interval=1e-3, lock_time=1e-4).duty < 1


@given(gap=st.floats(0.0, 10.0), width=st.floats(0.0, 10.0), delay=st.floats(0.0, 10.0))
def test_a_shared_laser_is_never_worse_than_two_of_its_kind(
    gap: float, width: float, delay: float
) -> None:
    shared = Registration(width, shared_laser=True, laser_delay=delay).between_bins(gap)
    apart = Registration(width, width, interval=1.0).between_bins(gap)
    assert shared.laser <= apart.laser * (1 + 1e-12)
    assert 0 <= shared.coherence <= 1


def test_offset_photons_have_the_worked_overlap_of_l14() -> None:
    assert offset_overlap(0.3, 2.0) ** 2 == pytest.approx(0.6976763261, rel=1e-9)
    # by the overlap of two photons of the toolkit's own, one of them off by delta
    delta = 1.3e7
    waves = [
        Photon(
            Wave(GRID, gaussian_amplitude(GRID.omega - d, FWHM), np.zeros_like(GRID.omega)),
            0.1,
            CARRIER,
        )
        for d in (0.0, delta)
    ]
    assert offset_overlap(delta, SIGMA) == pytest.approx(overlap(*waves), rel=1e-6)
    batch = offset_overlap(np.array([0.0, 0.3]), np.array([[2.0], [4.0]]))
    assert np.shape(batch) == (2, 2)


# --- refusals ------------------------------------------------------------------------------------------------

REFUSED = [
    (lambda: Classical(-1.0, 1e-3, 0.0), r"Classical\.power \[W\].*>= 0.*got -1"),
    (lambda: Classical(1.0, -1e-3, 0.0), r"Classical\.coefficient \[1/m\^2\].*>= 0.*got -0\.001"),
    (lambda: Classical(1.0, 1e-3, -2e-4), r"Classical\.attenuation \[dB/m\].*>= 0.*got -0\.0002"),
    (
        lambda: raman_quanta(Classical(1.0, 1e-3, 0.0), -1.0, 0.0, CARRIER),
        r"length \[m\].*>= 0.*got -1",
    ),
    (
        lambda: raman_quanta(Classical(1.0, 1e-3, 0.0), 1.0, -0.1, CARRIER),
        r"attenuation \[dB/m\].*>= 0.*got -0\.1",
    ),
    (
        lambda: raman_quanta(Classical(1.0, 1e-3, 0.0), 1.0, 0.0, 0.0),
        r"carrier \[rad/s\].*> 0.*got 0",
    ),
    (lambda: leaked_counts(-1.0, CARRIER, 1.0), r"power \[W\].*>= 0.*got -1"),
    (lambda: leaked_counts(1.0, CARRIER, -1.0), r"rejection_db \[dB\].*>= 0.*got -1"),
    (lambda: leaked_counts(1.0, CARRIER, 1.0, 1.5), r"duty \[1\].*<= 1.*got 1\.5"),
    (lambda: Cascade((0.5,), (0.1, 0.2)), r"one occupation per transmission.*2 and 1"),
    (lambda: Cascade((0.0,), (0.1,)), r"Cascade\.transmissions \[1\].*> 0 and <= 1.*got 0"),
    (lambda: Cascade((0.5,), (-0.1,)), r"Cascade\.occupations \[quanta\].*>= 0.*got -0\.1"),
    (lambda: Cascade((0.5,), (0.1,), -0.2), r"Cascade\.incoming \[quanta\].*>= 0.*got -0\.2"),
    (lambda: Cascade((0.5,), (0.1,)).at(2), r"plane 2 does not exist.*1 the output"),
    (lambda: Cascade((0.5,), (0.1,)).referred(-1), r"plane -1 does not exist"),
    (lambda: Background("b", -0.1), r"Background\.quanta \[quanta\].*>= 0.*got -0\.1"),
    (lambda: Background("b", np.array([0.1, np.nan])), r"Background\.quanta.*finite.*got nan"),
    (lambda: photon().joined_by(-0.1), r"joined_by: quanta \[quanta\].*>= 0.*got -0\.1"),
    (lambda: Switch("s", -1.0), r"Switch\.loss_db \[dB\].*>= 0.*got -1"),
    (
        lambda: Switch("s", 1.0, polarisation_loss_db=-0.1),
        r"Switch\.polarisation_loss_db \[dB\].*>= 0.*got -0\.1",
    ),
    (lambda: Switch("s", 1.0, fidelity_loss=0.6), r"fidelity_loss \[1\].*<= 0\.5.*got 0\.6"),
    (lambda: Switch("s", 1.0, isolation_db=-3.0), r"isolation_db \[dB\].*>= 0.*got -3"),
    (lambda: Switch("s", 1.0, switch_time=-3.0), r"switch_time \[s\].*>= 0.*got -3"),
    (lambda: FlatTop("f", 0.0, 1.0, 0.0, 20.0), r"FlatTop\.bandwidth \[rad/s\].*> 0.*got 0"),
    (lambda: FlatTop("f", 1.0, 1.0, 0.0, -2.0), r"FlatTop\.extinction_db \[dB\].*>= 0.*got -2"),
    (lambda: FabryPerot("f", 1.0, 1.0, 0.0, 2.0, 0), r"FabryPerot\.stages \[1\].*>= 1.*got 0"),
    (lambda: Registration(-1.0), r"Registration\.linewidth_a \[rad/s\].*>= 0.*got -1"),
    (lambda: Registration(offset=np.inf), r"Registration\.offset \[rad/s\].*finite.*got inf"),
    (lambda: Registration(jitter=-1e-9), r"Registration\.jitter \[s\].*>= 0.*got -1e-09"),
    (lambda: Registration(laser_delay=1.0), r"laser_delay \[s\].*set shared_laser"),
    (lambda: Registration(lock_time=1.0), r"lock_time \[s\].*interval \[s\] > 0"),
    (lambda: Registration(1.0), r"interval \[s\] must be > 0"),
    (lambda: Registration().between_bins(-1.0), r"gap \[s\].*>= 0.*got -1"),
    (lambda: Shares(-0.1, 0.0, 0.0, 0.0), r"Shares\.lock \[rad\^2\].*>= 0.*got -0\.1"),
    (lambda: offset_overlap(0.1, -1.0), r"rms_duration \[s\].*>= 0.*got -1"),
]


@pytest.mark.parametrize("case", range(len(REFUSED)))
def test_refusals_name_quantity_unit_range_and_value(case: int) -> None:
    act, sentence = REFUSED[case]
    with pytest.raises(ParameterError, match=sentence):
        act()


def test_a_switch_refuses_a_loss_of_fidelity_it_cannot_have_in_a_batch_too() -> None:
    with pytest.raises(ParameterError, match=r"Switch\.loss_db \[dB\].*got -2"):
        Switch("s", np.array([1.0, -2.0]))
