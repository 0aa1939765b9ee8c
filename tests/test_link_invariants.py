"""What whole links and their heralds promise whatever their numbers: states, bounds, symmetry, causes, batches, digits."""

from collections.abc import Callable
from dataclasses import replace

import mpmath
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, example, given, settings
from hypothesis import strategies as st

from fibre import (
    Arm,
    Detection,
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
    gaussian_amplitude,
    propagate,
    relay_bound,
    single_click,
    two_click,
)
from fibre.budget import budget, seen
from fibre.causes import CAUSES, fidelity_without, interplay, shares_of
from fibre.distil import hashing_bound
from fibre.elements import Background, Switch
from fibre.herald import EMITTERS, Heralded
from fibre.line_noise import Classical
from fibre.link import figures, heralded, when_known
from fibre.pair_herald import Idler, Storage, pair_click, pair_time_bin

GRID = SpectralGrid.around(6e7, 512)
CARRIER = 2 * np.pi * 193.4e12
LINE = 1 / (1 + (GRID.omega / 1.2e8) ** 2)
SWAP = np.ix_([0, 2, 1, 3], [0, 2, 1, 3])
many = settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
)
some = settings(many, max_examples=25)
few = settings(many, max_examples=8)  # each is a hundred links
unit = st.floats(0.0, 1.0)


def photon(
    fwhm: float = 40e-9,
    offset: float = 0.0,
    eta: float = 0.8,
    noise: float = 0.01,
    bright: float = 0.1,
    pump: float = 0.0,
    own: tuple[float, float] = (1.0, 1.0),
) -> Photon:
    """From a qubit that emits; noise as wide as a converter's line."""
    wave = Wave(GRID, np.sqrt(eta) * gaussian_amplitude(GRID.omega - offset, fwhm), noise * LINE)
    survival, coherence = own[0], own[1] * np.sqrt(own[0])
    return Photon(wave, bright, CARRIER, survival=survival, coherence=coherence, pump_flux=pump)


def most_cross(wave: Wave, n_i: float) -> float:
    r"""Largest cross moment of an idler with light of spectrum N whose mode v alone is correlated.

    :math:`m^2\int|v|^2/N \le n_i+1` and :math:`m^2\int|v|^2/(N+1) \le n_i`: less than the bound
    of one mode, for a line that is not flat over the packet.
    """
    share = wave.share / wave.norm
    own = ((n_i + v) / float(np.sum(share / (wave.noise + 1 - v))) for v in (0, 1))
    return float(np.sqrt(min(own)))


def pair_photon(
    p: float = 0.05,
    thermal: float = 0.0,
    fwhm: float = 40e-9,
    offset: float = 0.0,
    capture: float = 0.9,
    share: float = 1.0,
    pump: float = 0.0,
) -> Photon:
    """Signal of a squeezer: all its light is its noise, `share` of the largest cross moment."""
    wave = Wave(GRID, gaussian_amplitude(GRID.omega - offset, fwhm), p * LINE)
    n_i = wave.mode_noise + thermal
    return Photon(
        wave,
        0.5,
        CARRIER,
        idler=Idler(n_i, share * most_cross(wave, n_i), capture),
        pump_flux=pump,
    )


def link_of(
    one: Arm, two: Arm, detector: Detector, schedule: Schedule | None = None, **station: object
) -> Link:
    gate = station.pop("gate", 150e-9)
    return Link(
        (one, two),
        Station(detector, gate, **station),  # type: ignore[arg-type]
        schedule or Schedule(reset=2e-6, flip=60e-9, feedback=0.5e-6),
    )


memories = st.builds(lambda T1, r: Memory(T1, r * T1), st.floats(5e-6, 1e-3), st.floats(0.1, 2.0))
shapes = st.tuples(st.floats(25e-9, 90e-9), st.floats(-1.2e7, 1.2e7))


@st.composite
def arms(draw: st.DrawFn, name: str, pairs: bool, quiet: bool = False) -> Arm:
    fwhm, offset = draw(shapes)
    pump = 0.0 if quiet else draw(st.sampled_from([0.0, 2e3]))
    light: Photon
    if pairs:
        light = pair_photon(
            draw(st.floats(1e-4, 0.4)),
            draw(st.sampled_from([0.0, 0.05])),
            fwhm,
            offset,
            draw(st.floats(0.3, 1.0)),
            draw(st.sampled_from([1.0, 0.8])),
            pump,
        )
    else:
        light = photon(
            fwhm,
            offset,
            draw(st.floats(1e-3, 1.0)),
            draw(st.one_of(st.just(0.0), st.floats(1e-6, 0.3))),
            draw(st.floats(0.0, 1.0)),
            pump,
            (draw(st.floats(0.5, 1.0)), draw(st.floats(0.3, 1.0))),
        )
    elements = (
        Loss("coupler", draw(st.floats(0.0, 12.0))),
        Background("stray", 0.0 if quiet else draw(st.sampled_from([0.0, 0.02]))),
        FabryPerot(
            "filter",
            draw(st.floats(1e9, 2e9) if pairs else st.floats(6e7, 6e8)),
            0.5,
            0.0,
            40.0,
            stages=2,
        ),
        Switch("switch", draw(st.floats(0.0, 2.0)), fidelity_loss=draw(st.sampled_from([0, 0.02]))),
        FibreSpan("span", draw(st.floats(0.0, 80e3)), 2e-4, 3e-4, 1.468),
    )
    return Arm(name, light, (), elements, draw(memories))


@st.composite
def links(draw: st.DrawFn, pairs: bool, dark: bool = True) -> Link:
    station = {
        "gate": draw(st.floats(60e-9, 300e-9)),
        "splitter_db": draw(st.floats(0.0, 1.0)),
        "phase_rms": draw(st.floats(0.0, 1.5)),
        "phase_change_rms": draw(st.floats(0.0, 1.5)),
        "distinguishability": draw(st.sampled_from([1.0, 0.9, 0.3, 1e-3])),
        "background": draw(st.sampled_from([0.0, 500.0])) if dark else 0.0,
    }
    detector = Detector(
        "d",
        draw(st.floats(0.05, 1.0)),
        draw(st.sampled_from([0.0, 30.0, 2e5])) if dark else 0.0,
        40e-9,
        afterpulse=draw(st.sampled_from([0.0, 0.03])) if dark else 0.0,
        resolved=draw(st.sampled_from([1, 4])),
    )
    one = draw(arms("A", pairs, quiet=not dark))
    two = draw(arms("B", pairs, quiet=not dark))
    return link_of(one, two, detector, **station)


def detected(link: Link) -> Detection:
    return seen(budget(link)[0], link.station)


def evaluated(link: Link, scheme: Scheme) -> tuple[object, Heralded]:
    return figures(link, scheme, detected(link))


def some_light(link: Link) -> bool:
    """Whether anything heralds: an emitter that is never bright, without noise, never does."""
    view = detected(link)
    bright = any(float(np.max(a.photon.bright)) > 1e-6 for a in link.arms)
    return bright or view.noise_a + view.noise_b > 1e-9 or view.dark > 1e-12


def is_state(pair: Heralded, tolerance: float = 1e-12) -> None:
    P = float(pair.probability)
    assert 0 <= P <= 1 + tolerance
    assert float(np.max(pair.beyond)) >= 0
    assert np.abs(pair.state - pair.state.conj().T).max() <= tolerance * P
    assert np.linalg.eigvalsh(pair.state).min() >= -tolerance * P


# --- states and probabilities ----------------------------------------------------------------------


@many
@given(links(pairs=False))
def test_every_link_of_emitters_delivers_a_state_with_a_probability(link: Link) -> None:
    for scheme in EMITTERS:
        if scheme is Scheme.SINGLE_CLICK and not some_light(link):
            continue
        found, final = evaluated(link, scheme)
        is_state(final)
        is_state(heralded(link, scheme, detected(link)))
        for name in ("fidelity", "herald_fidelity", "herald_probability", "kept", "hashing"):
            assert 0 <= getattr(found, name) <= 1 + 1e-12, (scheme, name)
        assert found.kept == pytest.approx(1.0, abs=1e-12)
        assert 0 <= found.negativity <= 0.5 + 1e-12
        assert 0 <= found.overlap <= 1


@many
@given(links(pairs=True))
def test_every_link_of_pair_sources_delivers_a_state_with_a_probability(link: Link) -> None:
    for scheme in (Scheme.PAIR_CLICK, Scheme.PAIR_TIME_BIN):
        found, final = evaluated(link, scheme)
        is_state(final, 1e-9)
        names = ("fidelity", "herald_fidelity", "checked_fidelity", "kept", "hashing")
        for name in (*names, "herald_probability"):
            assert 0 <= getattr(found, name) <= 1 + 1e-9, (scheme, name)
        assert found.fidelity <= found.checked_fidelity + 1e-12
        assert 0 <= found.negativity <= 0.5 + 1e-12


@many
@given(links(pairs=True), st.floats(1.0, 1e3))
def test_fully_overlapping_pair_light_delivers_a_state_to_twelve_digits(
    link: Link, modes: float
) -> None:
    """The closed form of threshold detectors has no cancellation to hide behind."""
    link = replace(
        link, station=replace(link.station, detector=replace(link.station.detector, resolved=1))
    )
    view = replace(detected(link), overlap=1.0, noise_modes=modes)
    for scheme in (Scheme.PAIR_CLICK, Scheme.PAIR_TIME_BIN):
        if float(heralded(link, scheme, view).probability) > 1e-250:
            is_state(figures(link, scheme, view)[1])


# --- bounds ------------------------------------------------------------------------------------------


@many
@given(links(pairs=False, dark=False), st.booleans())
def test_no_emitters_without_dark_counts_beat_the_relay_bound(link: Link, noisy: bool) -> None:
    if not noisy:
        link = without_noise(link)
    view = detected(link)
    for scheme in EMITTERS:
        if scheme is Scheme.SINGLE_CLICK and not some_light(link):
            continue
        found, final = evaluated(link, scheme)
        bound = relay_bound(view.tau_a, view.tau_b, scheme.rounds)
        per_attempt = final.probability * hashing_bound(final.normalised)
        assert per_attempt <= bound * (1 + 1e-12) + 1e-300
        assert found.herald_probability * found.hashing <= found.relay_bound * (1 + 1e-12) + 1e-300


@many
@given(unit, unit, unit, unit, unit, st.booleans())
@example(1.0 - 2e-16, 1.0 - 2e-16, 0.5, 0.5, 1.0, True)
@example(0.3, 0.3, 0.4, 0.4, 1.0, True)
def test_no_herald_of_bare_arms_beats_the_relay_bound(
    tau_a: float, tau_b: float, a: float, b: float, overlap: float, resolving: bool
) -> None:
    assume(min(tau_a, tau_b) > 0 and max(tau_a, tau_b) < 1)
    view = Detection(tau_a, tau_b, overlap=overlap, resolving=resolving)
    pairs = [(two_click(view), 2)]
    if max(a, b) > 1e-9:
        pairs.append((single_click(view, a, b), 1))
    for pair, modes in pairs:
        if pair.probability > 1e-250:
            ebits = float(pair.probability * hashing_bound(pair.normalised))
            assert ebits <= float(relay_bound(tau_a, tau_b, modes)) * (1 + 1e-12) + 1e-15


@many
@given(
    pairs=st.booleans(),
    light=st.floats(1e-4, 0.3),
    bright=st.floats(1e-3, 1.0),
    eta=st.floats(1e-6, 1.0),
    loss=st.floats(0.01, 40.0),
    memory=memories,
    resolved=st.sampled_from([1, 4]),
    distinguishable=st.sampled_from([1.0, 0.8]),
)
def test_common_loss_never_raises_the_entanglement_per_attempt_of_equal_quiet_arms(
    pairs: bool,
    light: float,
    bright: float,
    eta: float,
    loss: float,
    memory: Memory,
    resolved: int,
    distinguishable: float,
) -> None:
    """Probability times hashing, whole links: identical, phase-locked, no noise, no dark counts."""

    def ebits(extra: float, scheme: Scheme) -> float:
        node = pair_photon(light) if pairs else photon(noise=0.0, bright=bright, eta=eta)
        own = 0.0 if not pairs else float(-10 * np.log10(eta))
        elements = (Loss("own", own), Loss("common", extra), FibreSpan("s", 5e3, 2e-4, 3e-4, 1.47))
        one, two = (Arm(name, node, (), elements, memory) for name in "AB")
        station = {"gate": 400e-9, "distinguishability": 1.0 if pairs else distinguishable}
        link = link_of(one, two, Detector("d", 0.9, 0.0, resolved=resolved), **station)
        if pairs:  # one mode in the gate: nothing but the pairs themselves
            view = replace(detected(link), noise_modes=1.0, overlap=1.0)
            found, _ = figures(link, scheme, view)
        else:
            found, _ = figures(link, scheme, detected(link))
        return float(found.herald_probability * found.hashing)

    for scheme in Scheme:
        if scheme.pairs is pairs and not (pairs and resolved > 1 and scheme.rounds == 2):
            near, far = ebits(0.0, scheme), ebits(loss, scheme)
            assert far <= near * (1 + 1e-9) + 1e-18, scheme


# --- symmetry ----------------------------------------------------------------------------------------


@many
@given(links(pairs=False))
def test_swapping_the_arms_of_any_link_of_emitters_swaps_its_state(link: Link) -> None:
    mirror = replace(link, arms=link.arms[::-1])
    for scheme in EMITTERS:
        if scheme is Scheme.SINGLE_CLICK and not some_light(link):
            continue
        (here, a), (there, b) = evaluated(link, scheme), evaluated(mirror, scheme)
        assert np.abs(b.state[SWAP] - a.state).max() <= 1e-12 * float(a.probability)
        assert here.herald_probability == pytest.approx(there.herald_probability, rel=1e-12)
        assert here.latency == there.latency
        assert here.transmission_a == there.transmission_b


@some
@given(links(pairs=True))
def test_swapping_the_arms_of_any_link_of_pair_sources_swaps_its_state(link: Link) -> None:
    mirror = replace(link, arms=link.arms[::-1])
    for scheme in (Scheme.PAIR_CLICK, Scheme.PAIR_TIME_BIN):
        (_, a), (_, b) = evaluated(link, scheme), evaluated(mirror, scheme)
        assert np.abs(b.state[SWAP] - a.state).max() <= 1e-10 * float(a.probability)
        assert b.probability == pytest.approx(float(a.probability), rel=1e-10)


# --- order along an arm --------------------------------------------------------------------------------


@many
@given(
    st.lists(st.floats(0.0, 8.0), min_size=2, max_size=4),
    st.floats(0.0, 3e4),
    st.floats(5e7, 5e8),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_pure_losses_along_an_arm_commute(
    losses: list[float], length: float, width: float, order: object, pairs: bool
) -> None:
    """Fibres, couplers, switches, filters in any order: one photon at the end, each row its own loss."""
    start = pair_photon(0.1) if pairs else photon(noise=0.2, pump=1e3)
    elements = [Loss(f"loss {k}", value) for k, value in enumerate(losses)]
    elements += [
        FibreSpan("span", length, 2e-4, 3e-4, 1.47),
        Switch("switch", 0.7),
        FabryPerot("filter", width, 0.5, 0.0, 40.0),
    ]
    shuffled = list(elements)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    (one, first), (two, second) = propagate(start, elements), propagate(start, shuffled)
    assert two.transmission == pytest.approx(one.transmission, rel=1e-12)
    assert two.mode_noise == pytest.approx(one.mode_noise, rel=1e-12)
    assert two.noise_flux == pytest.approx(one.noise_flux, rel=1e-12)
    assert two.pump_flux == pytest.approx(one.pump_flux, rel=1e-12)
    np.testing.assert_allclose(two.wave.amplitude, one.wave.amplitude, rtol=1e-12)
    rows = {row.element: row for row in second}
    for row in first:
        assert rows[row.element].loss_db == pytest.approx(row.loss_db, abs=1e-11)
        assert rows[row.element].added_noise == 0
    assert second[-1].cumulative_db == pytest.approx(first[-1].cumulative_db, abs=1e-10)


RAMAN = FibreSpan(
    "lit",
    2e4,
    2e-4,
    3e-4,
    1.47,
    classical=(Classical(1e-3, 2e-3, 2.2e-4),),
    carrier=CARRIER,
)


@pytest.mark.parametrize("noisy", [Background("stray", 0.05), RAMAN])
def test_light_that_joins_does_not_commute_with_a_loss(noisy: Background | FibreSpan) -> None:
    loss = Loss("3 dB", 10 * np.log10(2))
    start = photon(noise=0.0)
    before, _ = propagate(start, [noisy, loss])
    after, _ = propagate(start, [loss, noisy])
    assert after.transmission == pytest.approx(before.transmission, rel=1e-12)
    assert after.mode_noise == pytest.approx(2 * before.mode_noise, rel=1e-12)
    assert before.mode_noise > 1e-4
    # nor with a filter, which shapes what joined before it
    width = FabryPerot("narrow", 4e7, 0.0, 0.0, 40.0)
    shaped, _ = propagate(start, [noisy, width])
    white, _ = propagate(start, [width, noisy])
    assert shaped.noise_flux < 0.1 * white.noise_flux
    assert shaped.mode_noise < 0.95 * white.mode_noise


# --- causes --------------------------------------------------------------------------------------------


def every_arm(link: Link, change: Callable[[Arm], Arm]) -> Link:
    one, two = map(change, link.arms)
    return replace(link, arms=(one, two))


def of_elements(link: Link, kind: type, **fields: object) -> Link:
    def change(arm: Arm) -> Arm:
        return replace(
            arm,
            elements=tuple(
                replace(e, **fields) if isinstance(e, kind) else e  # type: ignore[arg-type]
                for e in arm.elements
            ),
        )

    return every_arm(link, change)


def with_light(link: Link, **fields: object) -> Link:
    return every_arm(link, lambda arm: replace(arm, photon=replace(arm.photon, **fields)))  # type: ignore[arg-type]


def without_noise(link: Link) -> Link:
    def change(arm: Arm) -> Arm:
        wave = replace(arm.photon.wave, noise=0 * GRID.omega)
        return replace(arm, photon=replace(arm.photon, wave=wave))

    return every_arm(link, change)


def with_station(link: Link, **fields: object) -> Link:
    return replace(link, station=replace(link.station, **fields))  # type: ignore[arg-type]


def with_detector(link: Link, **fields: object) -> Link:
    return with_station(link, detector=replace(link.station.detector, **fields))


def caught(arm: Arm) -> Arm:
    assert arm.photon.idler is not None
    idler = replace(arm.photon.idler, capture=1.0, noise=0.0)
    return replace(arm, photon=replace(arm.photon, idler=idler))


BUILT_WITHOUT: dict[str, Callable[[Link], Link]] = {
    "transducer noise": without_noise,
    "light that joins on the line": lambda link: of_elements(link, Background, quanta=0.0),
    "memory decay while the herald travels": lambda link: every_arm(
        link, lambda arm: replace(arm, memory=Memory(1e12, 1e12))
    ),
    "detector dark counts": lambda link: with_detector(link, dark_rate=0.0),
    "stray light at the detectors": lambda link: with_station(link, background=0.0),
    "pump light in the gate": lambda link: with_light(link, pump_flux=0.0),
    "afterpulses": lambda link: with_detector(link, afterpulse=0.0),
    "optical phase noise": lambda link: with_station(link, phase_rms=0.0, phase_change_rms=0.0),
    "switches that turn the qubit": lambda link: of_elements(link, Switch, fidelity_loss=0.0),
    "idlers that are not caught": lambda link: every_arm(link, caught),
}


def delivered_fidelity(link: Link, scheme: Scheme) -> float:
    return float(evaluated(link, scheme)[0].fidelity)  # type: ignore[attr-defined]


@st.composite
def imperfect(draw: st.DrawFn, pairs: bool) -> Link:
    """A link that has every imperfection but photons of different shapes."""
    link = draw(links(pairs))
    link = with_station(
        link, background=300.0, distinguishability=0.9, phase_rms=0.2, phase_change_rms=0.3
    )
    link = with_detector(link, dark_rate=80.0, afterpulse=0.02)
    link = of_elements(link, Background, quanta=0.01)
    link = of_elements(link, Switch, fidelity_loss=0.01)
    link = with_light(link, pump_flux=1e3)
    shape = link.arms[0].photon.wave.amplitude
    width = link.arms[0].elements[2]

    def alike(arm: Arm) -> Arm:
        scale = np.sqrt(arm.photon.wave.norm / link.arms[0].photon.wave.norm)
        wave = replace(arm.photon.wave, amplitude=scale * shape)
        new = replace(arm.photon, wave=wave)
        if new.idler is not None:
            most = most_cross(wave, float(new.idler.quanta))
            new = replace(new, idler=replace(new.idler, cross=min(new.idler.cross, most)))
        if not pairs:
            new = replace(new, bright=min(0.9, max(0.02, float(np.max(arm.photon.bright)))))
        elements = (*arm.elements[:2], width, *arm.elements[3:])
        return replace(arm, photon=new, elements=elements)

    return every_arm(link, alike)


@few
@given(imperfect(pairs=False))
def test_each_cause_of_an_emitters_link_is_off_as_in_a_link_built_without_it(
    link: Link,
) -> None:
    """Light on the line is left out here: the noise of two kinds has a test of its own."""
    link = of_elements(link, Background, quanta=0.0)
    view = detected(link)
    for scheme in EMITTERS:
        F = delivered_fidelity(link, scheme)
        shares = shares_of(link, scheme, view, F)
        assert sum(s for _, s in shares) + interplay(F, shares) == pytest.approx(1 - F, abs=1e-12)
        assert {name for name, _ in shares} == {c.name for c in CAUSES if scheme in c.schemes}
        for name, share in shares:
            if name in BUILT_WITHOUT:
                direct = delivered_fidelity(BUILT_WITHOUT[name](link), scheme) - F
            elif name == "distinguishable photons":
                direct = delivered_fidelity(with_station(link, distinguishability=1.0), scheme) - F
            else:
                state = heralded(link, scheme, view).state.copy()
                state[3, 3] = 0.0
                direct = float(when_known(link, scheme, view, Heralded(state))[0].fidelity) - F
            assert share == pytest.approx(direct, abs=1e-11), (scheme, name)


@few
@given(imperfect(pairs=True))
def test_each_cause_of_a_pair_link_is_off_as_in_a_link_built_without_it(link: Link) -> None:
    view = detected(link)
    for scheme in (Scheme.PAIR_CLICK, Scheme.PAIR_TIME_BIN):
        F = delivered_fidelity(link, scheme)
        shares = shares_of(link, scheme, view, F)
        assert sum(s for _, s in shares) + interplay(F, shares) == pytest.approx(1 - F, abs=1e-12)
        assert {name for name, _ in shares} == {c.name for c in CAUSES if scheme in c.schemes}
        for name, share in shares:
            if name == "distinguishable photons":
                continue  # see the test of a vanishing distinguishability
            if name == "clicks of modes whose idler is not stored":
                one_mode = replace(view, noise_modes=1.0)
                pair = heralded(link, scheme, one_mode)
                direct = float(when_known(link, scheme, one_mode, pair)[0].fidelity) - F
                assert share == pytest.approx(direct, abs=1e-12)
                continue
            without = BUILT_WITHOUT[name]
            direct = delivered_fidelity(without(link), scheme) - F
            assert share == pytest.approx(direct, abs=1e-9), (scheme, name)


@pytest.mark.parametrize("scheme", EMITTERS)
@pytest.mark.parametrize("name", ["transducer noise", "light that joins on the line"])
def test_transducer_noise_and_light_on_the_line_are_switched_off_one_without_the_other(
    scheme: Scheme, name: str
) -> None:
    filters = FabryPerot("filter", 2e8, 0.5, 0.0, 40.0, stages=2)
    one, two = (
        Arm(
            side,
            photon(noise=noise, bright=bright),
            (),
            (Loss("coupler", db), Background("stray", quanta), filters),
            Memory(1e-3, 1e-3),
        )
        for side, noise, bright, db, quanta in (
            ("A", 0.02, 0.1, 3.0, 0.01),
            ("B", 0.05, 0.2, 6.0, 0.004),
        )
    )
    link = link_of(one, two, Detector("d", 0.9, 0.0))
    cause = next(cause for cause in CAUSES if cause.name == name)
    found = fidelity_without(link, scheme, detected(link), cause)
    assert found == pytest.approx(delivered_fidelity(BUILT_WITHOUT[name](link), scheme), abs=1e-12)


# --- batches -------------------------------------------------------------------------------------------


def batch_link(
    pairs: bool, bright: object, length: object, stray: object, phase: object, resolved: int
) -> Link:
    light = (
        (pair_photon(0.05, 0.01), pair_photon(0.12, 0.0, 60e-9, 5e6, 0.7))
        if pairs
        else (photon(bright=bright), photon(60e-9, 5e6, 0.4, 0.05, 0.3))  # type: ignore[arg-type]
    )
    filters = FabryPerot("filter", 2e8, 0.5, 0.0, 40.0, stages=2)
    memory = (Memory(3e-4, 2e-4), Memory(1e-4, 1.5e-4))
    one = Arm(
        "A",
        light[0],
        (),
        (FibreSpan("s", length, 2e-4, 3e-4, 1.47), Background("b", stray), filters),  # type: ignore[arg-type]
        memory[0],
    )
    two = Arm("B", light[1], (), (FibreSpan("s", 3e3, 2e-4, 3e-4, 1.47), filters), memory[1])
    return link_of(
        one,
        two,
        Detector("d", 0.8, 50.0, 40e-9, resolved=resolved),
        phase_rms=phase,
        phase_change_rms=phase,
    )


@some
@given(
    st.sampled_from(list(Scheme)),
    st.lists(st.floats(0.01, 0.99), min_size=2, max_size=3),
    st.lists(st.floats(0.0, 5e4), min_size=2, max_size=3),
    st.lists(st.floats(0.0, 0.03), min_size=2, max_size=3),
    st.floats(0.0, 1.0),
    st.sampled_from([1, 4]),
)
def test_a_batch_of_links_is_its_points(
    scheme: Scheme,
    bright: list[float],
    lengths: list[float],
    stray: list[float],
    phase: float,
    resolved: int,
) -> None:
    """Bright populations x lengths x light on the line, each along an axis of its own."""
    a, L, q = (np.array(v) for v in (bright, lengths, stray))
    shape = (len(a), len(L), len(q))
    axes = a[:, None, None], L[:, None], q
    whole, final = evaluated(batch_link(scheme.pairs, *axes, phase, resolved), scheme)
    known = whole.as_dict()  # type: ignore[attr-defined]
    for i, j, k in ((0, 0, 0), (1, 0, 1), (0, 1, 1), tuple(n - 1 for n in shape)):
        at = (float(a[i]), float(L[j]), float(q[k]))
        point, state = evaluated(batch_link(scheme.pairs, *at, phase, resolved), scheme)
        for name, value in point.as_dict().items():  # type: ignore[attr-defined]
            here = np.broadcast_to(known[name], shape)[i, j, k]
            assert here == pytest.approx(value, rel=1e-9, abs=1e-13), name
        same = np.broadcast_to(final.state, (*shape, 4, 4))[i, j, k]
        assert np.abs(same - state.state).max() <= 1e-11 * float(state.probability)


@some
@given(
    st.booleans(),
    st.lists(st.floats(1e-4, 0.5), min_size=2, max_size=4),
    st.lists(st.floats(1e-3, 1.0), min_size=2, max_size=3),
    st.floats(0.3, 1.0),
    st.floats(1.0, 5.0),
    st.booleans(),
)
def test_a_batch_of_pair_sources_and_arms_is_its_points(
    bins: bool, p: list[float], tau: list[float], overlap: float, modes: float, resolving: bool
) -> None:
    act = pair_time_bin if bins else pair_click

    def at(p: object, t: object) -> Heralded:
        m = np.sqrt(p * (1 + p))  # type: ignore[operator]
        view = Detection(t, 0.3, t * p, 0.3 * p / 2, overlap, modes, 1e-4, resolving)  # type: ignore[operator]
        return act(view, Idler(p, m, 0.8), Idler(p / 2, 0.9 * m / 2), 0.1)  # type: ignore[operator]

    whole = at(np.array(p)[:, None], np.array(tau))
    assert whole.probability.shape == (len(p), len(tau))
    for i, value in enumerate(p):
        for k, t in enumerate(tau):
            point = at(value, t)
            P = float(point.probability)
            assert whole.probability[i, k] == pytest.approx(P, rel=1e-12)
            assert np.abs(whole.state[i, k] - point.state).max() <= 1e-12 * P


@pytest.mark.parametrize("resolving", [False, True])
@pytest.mark.parametrize("overlap", [1.0, 0.9])
def test_a_batch_of_pair_links_over_gates_is_its_points(resolving: bool, overlap: float) -> None:
    """Noise modes of a gate that lie between different whole numbers, arms of unequal noise."""
    modes, idler = np.array([1.5, 3.7]), Idler(0.1, 0.3)
    whole = pair_click(Detection(0.5, 0.5, 0.08, 0.3, overlap, modes, 0.0, resolving), idler, idler)
    for k, K in enumerate(modes):
        view = Detection(0.5, 0.5, 0.08, 0.3, overlap, float(K), 0.0, resolving)
        point = pair_click(view, idler, idler)
        assert whole.probability[k] == pytest.approx(float(point.probability), rel=1e-12)
        assert whole.fidelity[k] == pytest.approx(float(point.fidelity), rel=1e-12)


@pytest.mark.parametrize("modes", [1.0, 1.5, 2.0, 2.5, 3.7])
def test_a_vanishing_distinguishability_of_pair_light_changes_nothing(modes: float) -> None:
    """Unequal noise: overlap 1 and overlap 1 - 1e-12 are one experiment, whatever the gate holds."""
    idler = Idler(0.1, 0.3)
    equal, nearly = (
        pair_click(Detection(0.5, 0.5, 0.08, 0.3, M, modes), idler, idler) for M in (1.0, 1 - 1e-12)
    )
    assert nearly.probability == pytest.approx(float(equal.probability), rel=1e-9)
    assert nearly.fidelity == pytest.approx(float(equal.fidelity), rel=1e-9)


# --- digits --------------------------------------------------------------------------------------------


def faint(lowest: float, highest: float = 0.0) -> st.SearchStrategy[float]:
    return st.floats(lowest, highest).map(lambda e: float(10.0**e))


def matrices(view: Detection) -> tuple[mpmath.matrix, mpmath.matrix]:
    """Detected modes (1, u), (2, u), (1, w), (2, w): amplitudes of both emitters, and noise."""
    ta, tb, na, nb, m = (
        mpmath.mpf(float(v))
        for v in (view.tau_a, view.tau_b, view.noise_a, view.noise_b, view.overlap)
    )
    ra, rb, rest = mpmath.sqrt(ta / 2), mpmath.sqrt(tb / 2), mpmath.sqrt(1 - m**2)
    t = mpmath.matrix([[ra, m * rb], [ra, -m * rb], [0, rest * rb], [0, -rest * rb]])
    s, r = (na + nb) / 2, (na - nb) / 2
    N = mpmath.matrix([[s, r, 0, 0], [r, s, 0, 0], [0, 0, s, r], [0, 0, r, s]])
    return t, N


def without_click(view: Detection, silent: tuple[int, int]) -> tuple[mpmath.mpf, mpmath.matrix]:
    """Weight of these detectors' silence, and mu (1 + N mu)^-1 on the four detected modes."""
    _, N = matrices(view)
    s, r = N[0, 0], N[0, 1]
    mu = mpmath.diag([*silent, *silent])
    one = mpmath.eye(4)
    spare = mpmath.det(mpmath.eye(2) + mpmath.diag(silent) * mpmath.matrix([[s, r], [r, s]]))
    dark = (1 - mpmath.mpf(float(view.dark))) ** sum(silent)
    modes = mpmath.mpf(float(view.noise_modes)) - 2
    weight = dark / mpmath.det(one + mu * N) / spare**modes
    return weight, mu * (one + N * mu) ** -1


def exact_emitters(view: Detection) -> list[mpmath.mpf]:
    """Click elements 00, 01, 10, 11 and coherence: permanents of 1 - Q, one silent less both."""
    t, _ = matrices(view)
    out = [mpmath.mpf(0)] * 5
    for sign, silent in ((1, (0, 1)), (-1, (1, 1))):
        weight, inner = without_click(view, silent)
        Q = t.T * inner * t
        a, b, c = 1 - Q[0, 0], 1 - Q[1, 1], -Q[0, 1]
        for k, value in enumerate((1, b, a, a * b + c**2, c)):
            out[k] += sign * weight * value
    return out


def exact_pairs(view: Detection, one: Idler, two: Idler) -> tuple[list[mpmath.mpf], mpmath.mpf]:
    """Idlers are Gaussian whatever was silent: elements are permanents of B/(1 + B) over det(1 + B)."""
    t, _ = matrices(view)
    scale = [
        mpmath.sqrt(mpmath.mpf(float(i.capture))) * mpmath.mpf(float(i.cross)) for i in (one, two)
    ]
    C = t * mpmath.diag(scale)
    own = [mpmath.mpf(float(i.capture)) * mpmath.mpf(float(i.quanta)) for i in (one, two)]
    out, total = [mpmath.mpf(0)] * 5, mpmath.mpf(0)
    for sign, silent in ((1, (0, 1)), (-1, (1, 1))):
        weight, inner = without_click(view, silent)
        B = mpmath.diag(own) - C.T * inner * C
        A = B * (mpmath.eye(2) + B) ** -1
        front = weight / mpmath.det(mpmath.eye(2) + B)
        a, b, c = A[0, 0], A[1, 1], A[0, 1]
        for k, value in enumerate((1, b, a, a * b + c**2, c)):
            out[k] += sign * front * value
        total += sign * weight
    return out, total


views = st.builds(
    lambda ta, tb, na, nb, m, k, d: Detection(ta, tb, na * ta, nb * tb, m, k, d),
    faint(-15.0),
    faint(-15.0),
    st.one_of(st.just(0.0), faint(-8.0, 0.3)),
    st.one_of(st.just(0.0), faint(-8.0, 0.3)),
    unit,
    st.floats(1.0, 6.0),
    st.one_of(st.just(0.0), faint(-16.0, -1.0)),
)


@many
@given(views, st.floats(1e-3, 0.999), st.floats(1e-3, 0.999))
@example(Detection(1e-15, 1e-15), 0.1, 0.3)
@example(Detection(1e-15, 0.9, 1e-16, 0.2, 0.9, 2.5, 1e-16), 0.1, 0.3)
def test_heralds_of_emitters_keep_twelve_digits_down_to_a_transmission_of_1e_15(
    view: Detection, a: float, b: float
) -> None:
    with mpmath.workdps(50):
        x = exact_emitters(view)
        A, B = mpmath.mpf(a), mpmath.mpf(b)
        root = mpmath.sqrt(A * B * (1 - A) * (1 - B))
        single = [
            2 * (1 - A) * (1 - B) * x[0],
            2 * (1 - A) * B * x[1],
            2 * A * (1 - B) * x[2],
            2 * A * B * x[3],
            2 * root * x[4],
        ]
        twice = [x[0] * x[3], x[1] * x[2], x[1] * x[2], x[0] * x[3], x[4] ** 2]
        for pair, exact in ((single_click(view, a, b), single), (two_click(view), twice)):
            s = pair.state.real
            found = [s[0, 0], s[1, 1], s[2, 2], s[3, 3], s[1, 2]]
            total = sum(exact[:4])
            bell = (exact[1] + exact[2]) / 2 + exact[4]
            for value, reference in zip(found, exact, strict=True):
                assert abs(float(value) - reference) <= 1e-12 * abs(reference) + 1e-300
            assert abs(float(pair.probability) - total) <= 1e-12 * total
            assert abs(float(pair.fidelity) - bell / total) <= 1e-12 * bell / total


sources = st.tuples(faint(-4.0, 0.0), st.sampled_from([0.0, 0.03]), st.floats(0.2, 1.0))


@some
@given(
    faint(-15.0),
    faint(-15.0),
    sources,
    sources,
    st.one_of(st.just(1.0), unit),
    st.floats(1.0, 6.0),
    st.one_of(st.just(0.0), faint(-16.0, -1.0)),
)
@example(1e-15, 1e-15, (0.05, 0.0, 1.0), (0.05, 0.0, 1.0), 1.0, 1.0, 0.0)
@example(1e-15, 0.4, (0.05, 0.0, 0.9), (0.2, 0.03, 0.5), 1.0, 2.0, 1e-16)
def test_heralds_of_pair_light_keep_twelve_digits_down_to_a_transmission_of_1e_15(
    tau_a: float,
    tau_b: float,
    one: tuple[float, float, float],
    two: tuple[float, float, float],
    overlap: float,
    modes: float,
    dark: float,
) -> None:
    if overlap < 1:
        modes = float(np.floor(modes) + 1)  # part of a noise mode: see the tests of batches
    elif 1 < modes < 2:
        modes = 2.0  # a second mode of pair light that holds a share of the quanta
    idlers = [
        Idler(p + n, float(np.sqrt(p * (1 + p))) * (1 - 1e-9), capture)
        for p, n, capture in (one, two)
    ]
    view = Detection(tau_a, tau_b, tau_a * one[0], tau_b * two[0], overlap, modes, dark)
    pair = pair_click(view, *idlers, 0.0, (Storage(), Storage()))
    with mpmath.workdps(50):
        exact, half = exact_pairs(view, *idlers)
        total = 2 * half
        s = pair.state.real
        found = [s[0, 0], s[1, 1], s[2, 2], s[3, 3], s[1, 2]]
        assert abs(float(pair.probability) - total) <= 1e-12 * total
        for value, reference in zip(found, exact, strict=True):
            assert abs(float(value) - 2 * reference) <= 1e-12 * total
        bell = (exact[1] + exact[2]) / 2 + exact[4]
        assert abs(float(pair.fidelity) - bell / half) <= 1e-12
