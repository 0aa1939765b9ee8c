"""Two photons, two arms, one station: the entanglement that is left."""

from dataclasses import replace

import numpy as np

from cavities.constants import Real
from cavities.errors import ParameterError, ValidityError
from fibre.bounds import direct_bound, noise_threshold, relay_bound
from fibre.budget import Arm, Link, budget, seen
from fibre.distil import hashing_bound, negativity
from fibre.elements import Switch
from fibre.figures import LinkFigures
from fibre.herald import (
    Detection,
    Heralded,
    Scheme,
    click_operator,
    prepared_pair,
    single_click,
    two_click,
)
from fibre.memory import QubitChannel, decay, depolarised, qubit_channel
from fibre.schedule import Schedule
from fibre.waiting import multiplexed


def _travel(arm: Arm) -> Real:
    return sum((element.delay for element in arm.elements), start=0.0)


def _schedule(link: Link, scheme: Scheme) -> Schedule:
    """Timing of one scheme: bins of one photon need no flip between them."""
    return link.schedule if scheme.flips else replace(link.schedule, flip=0.0)


def _gap(link: Link, scheme: Scheme) -> float:
    """Time from one round, or bin, to the next [s]."""
    return _schedule(link, scheme).gap(link.station.gate, link.station.detector.dead_time)


def heralded(link: Link, scheme: Scheme, detection: Detection) -> Heralded:
    """State at the end of the emission, the nodes' own dynamics until their clocks included.

    Parameters
    ----------
    link : Link
        Bright populations, memories and timing of both arms.
    scheme : Scheme
        Heralding scheme.
    detection : Detection
        What the detectors see, from `seen`.

    Returns
    -------
    Heralded
        Unnormalised state of the two stored qubits.

    Raises
    ------
    ParameterError
        If nodes that emit are asked for a pair scheme, or the reverse.
    ValidityError
        If a switch does not carry the scheme's encoding.
    """
    one, two = link.arms
    station = link.station
    if scheme.pairs:
        return _switched(link, _from_pairs(link, scheme, detection, (0.0, 0.0)))
    if one.photon.idler is not None or two.photon.idler is not None:
        raise ParameterError(
            f"{scheme.value} needs qubits that emit, these nodes make pairs (a blue pump); use a "
            "pair scheme or pump red"
        )
    if one.photon.held is not None or two.photon.held is not None:
        return _switched(link, _heralded_held(link, scheme, detection))
    if scheme is Scheme.SINGLE_CLICK:
        pair = single_click(detection, one.photon.bright, two.photon.bright, station.phase_rms)
    else:
        pair = two_click(
            detection,
            station.change_rms(scheme.flips),
            (one.memory, two.memory),
            _gap(link, scheme),
            station.detector.afterpulse,
        )
    own = [QubitChannel(arm.photon.survival, arm.photon.coherence) for arm in link.arms]
    return _switched(link, Heralded(decay(pair.state, own[0], own[1])))


def _switched(link: Link, pair: Heralded) -> Heralded:
    """What switches of which only a fidelity loss is known do to the qubits that passed them."""
    state = pair.state
    for side, arm in enumerate(link.arms):
        for element in arm.elements:
            if isinstance(element, Switch) and element.depolarising > 0:
                state = depolarised(state, side, element.depolarising)
    return replace(pair, state=state)


def require_encoding(link: Link, scheme: Scheme) -> None:
    """Refuse a link whose switches are known not to carry the scheme's encoding.

    Raises
    ------
    ValidityError
        It names the switch, what it carries and what is asked.
    """
    for arm in link.arms:
        for element in arm.elements:
            if isinstance(element, Switch):
                element.require(scheme.encoding)


def _from_pairs(
    link: Link, scheme: Scheme, detection: Detection, waits: tuple[Real, Real]
) -> Heralded:
    """State of stored idlers that have waited since the emission ended."""
    from fibre.pair_herald import pair_click, pair_time_bin, require_idlers, storage

    one, two = link.arms
    idlers = require_idlers(one.photon.idler, two.photon.idler)
    late = [storage(arm.memory, wait) for arm, wait in zip(link.arms, waits, strict=True)]
    station = link.station
    if scheme is Scheme.PAIR_CLICK:
        return pair_click(detection, *idlers, station.phase_rms, (late[0], late[1]))
    gap = _gap(link, scheme)
    early = [storage(arm.memory, wait + gap) for arm, wait in zip(link.arms, waits, strict=True)]
    return pair_time_bin(
        detection,
        *idlers,
        station.change_rms(scheme.flips),
        (early[0], early[1]),
        (late[0], late[1]),
    )


def _heralded_held(link: Link, scheme: Scheme, detection: Detection) -> Heralded:
    """The same for photons that carry a joint state; what the nodes did is in it already."""
    from fibre.held import Held, herald_held

    one, two = link.arms
    arriving = ((detection.tau_a, detection.noise_a), (detection.tau_b, detection.noise_b))
    held, passed, shares = [], [], []
    for arm, (tau, noise) in zip(link.arms, arriving, strict=True):
        table = arm.photon.held
        if table is None:
            # a pure photon in Gaussian noise: the table that arrives with just this noise
            norm = arm.photon.wave.norm
            table = Held.gaussian(norm, float(np.max(noise / tau * norm)))
        held.append(table)
        passed.append(tau / table.transmission)
        shares.append(passed[-1] * table.mode_noise)
    mean = np.asarray(detection.noise_a + detection.noise_b) / 2
    # the gate holds K modes of the mean noise; what the tables bring of it is taken off
    brought = np.asarray(shares[0] + shares[1]) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(mean > 0, brought / np.where(mean > 0, mean, 1.0), 1.0)
    modes = np.maximum(1.0, detection.noise_modes + 1.0 - share)
    after = replace(detection, tau_a=passed[0], tau_b=passed[1], noise_modes=modes)
    station = link.station
    if scheme is Scheme.SINGLE_CLICK:
        pair = prepared_pair(one.photon.bright, two.photon.bright)
        state = herald_held(held[0], held[1], after, pair, station.phase_rms)
    else:
        gap = _gap(link, scheme)
        # a table holds its node's decay until the clock: only what is left of the gap remains
        held_for = [a.photon.clock - a.photon.emitted if a.photon.held else 0.0 for a in link.arms]
        waits = [
            qubit_channel(arm.memory, max(0.0, gap - own))
            for arm, own in zip(link.arms, held_for, strict=True)
        ]
        state = herald_held(held[0], held[1], after, prepared_pair(0.5, 0.5))
        flipped = decay(state, waits[0], waits[1])[..., ::-1, ::-1]
        state = herald_held(held[0], held[1], after, flipped, station.change_rms(scheme.flips))
    own = [QubitChannel(arm.photon.survival, arm.photon.coherence) for arm in link.arms]
    return Heralded(decay(state, own[0], own[1]))


def waits_of(link: Link) -> tuple[tuple[Real, Real], tuple[Real, Real]]:
    """Time from each emission's end until both nodes know, and what of it a memory waits (L20).

    The nodes emit such that the photons meet: a node on the shorter arm emits later and waits less.
    Each memory decays from its photon's `clock`, the instant at which the node's dynamics ended.

    Returns
    -------
    tuple of two pairs of float or ndarray
        Waits from the emission [s] of A and B, and from the clock [s].

    Raises
    ------
    ValidityError
        If a node's own dynamics outlast its herald.
    """
    travel = [_travel(arm) for arm in link.arms]
    last = np.maximum(travel[0], travel[1]) + link.schedule.feedback
    waits, rests = [], []
    for arm, own in zip(link.arms, travel, strict=True):
        wait = own + last
        rest = wait - (arm.photon.clock - arm.photon.emitted)
        if np.any(np.asarray(rest) < 0):
            raise ValidityError(
                f"arm {arm.name}: the node's own dynamics last until {arm.photon.clock:g} s, "
                f"longer than the herald's travel of {np.min(wait):g} s; end them earlier"
            )
        waits.append(wait)
        rests.append(rest)
    return (waits[0], waits[1]), (rests[0], rests[1])


def delivered(link: Link, pair: Heralded) -> tuple[Heralded, Real]:
    """Let both qubits wait until both nodes know (L20).

    Parameters
    ----------
    link : Link
        Travel times, memories and feedback.
    pair : Heralded
        Two qubits at the end of the emission, from `heralded`.

    Returns
    -------
    tuple of Heralded and (float or ndarray)
        The delivered state, and the latency from the end of the emission [s].

    Raises
    ------
    ValidityError
        If a node's own dynamics outlast its herald.

    Notes
    -----
    Decay during the emission window itself, a share gate/T1 of the qubit, is left to the node.
    """
    waits, rests = waits_of(link)
    one, two = (qubit_channel(arm.memory, rest) for arm, rest in zip(link.arms, rests, strict=True))
    return replace(pair, state=decay(pair.state, one, two)), np.maximum(waits[0], waits[1])


def when_known(
    link: Link, scheme: Scheme, detection: Detection, pair: Heralded
) -> tuple[Heralded, Real]:
    """The delivered state of any scheme, and the latency [s].

    Qubits wait as in `delivered`; idlers of pair light lose quanta before they are looked at, which
    commutes with the click. Arguments as of `figures`, and the state at the end of the emission.
    """
    if not scheme.pairs:
        return delivered(link, pair)
    waits, rests = waits_of(link)
    late = _switched(link, _from_pairs(link, scheme, detection, rests))
    return late, np.maximum(waits[0], waits[1])


def figures(link: Link, scheme: Scheme, detection: Detection) -> tuple[LinkFigures, Heralded]:
    """Evaluate a link whose photons have been propagated.

    Parameters
    ----------
    link : Link
        The link.
    scheme : Scheme
        Heralding scheme.
    detection : Detection
        What the detectors see, from `seen`.

    Returns
    -------
    tuple of LinkFigures and Heralded
        The figures, and the unnormalised state when both nodes know.
    """
    station, schedule = link.station, _schedule(link, scheme)
    require_encoding(link, scheme)
    pair = heralded(link, scheme, detection)
    final, latency = when_known(link, scheme, detection, pair)
    if not np.all(final.probability > 0):
        raise ValidityError(
            f"{scheme.value}: nothing ever heralds (probability 0); let the qubits be bright, or "
            "raise a transmission"
        )
    travel = np.maximum(_travel(link.arms[0]), _travel(link.arms[1]))
    steps = (scheme.rounds, station.gate, station.detector.dead_time, travel, travel)
    tau, modes = (detection.tau_a, detection.tau_b), scheme.rounds * schedule.modes
    found = replace(
        tallied(link, schedule, steps, detection, pair, final),
        latency=latency,
        relay_bound=relay_bound(*tau, modes),
        direct_bound=direct_bound(*tau, modes),
        separability=_separability(link, detection, scheme, pair),
        noise_threshold=noise_threshold(np.minimum(*tau)),
    )
    for name, value in found.as_dict().items():
        if not np.all(np.isfinite(value)):
            raise ValidityError(
                f"'{name}' cannot be computed: a number of this link is too large or too small; "
                "look for a slip in an exponent or a unit"
            )
    return found, final


def tallied(
    link: Link,
    schedule: Schedule,
    steps: tuple[int, float, float, Real, Real],
    detection: Detection,
    pair: Heralded,
    final: Heralded,
) -> LinkFigures:
    """Rates and qualities of any protocol, whatever announces its pairs.

    Parameters
    ----------
    link : Link
        Its switches count in the availability.
    schedule : Schedule
        Timing of this protocol.
    steps : tuple
        Rounds, gate [s], dead time [s], travel [s] and message [s] of `Schedule.attempt_period`.
    detection : Detection
        Transmissions and noise that the figures report.
    pair, final : Heralded
        When the emission ended, and when both nodes know.

    Returns
    -------
    LinkFigures
        Bounds and criteria are left as not a number; latency is travel, message and feedback.
    """
    period = schedule.attempt_period(*steps)
    switches = [e.switch_time for arm in link.arms for e in arm.elements]
    up = schedule.availability(max(switches, default=0.0))
    probability, checked = final.probability, final.checked.normalised
    hashing = final.kept * hashing_bound(checked)
    announced = probability if schedule.modes == 1 else multiplexed(probability, schedule.modes)
    tau_a, tau_b = detection.tau_a, detection.tau_b
    return LinkFigures(
        transmission_a=tau_a,
        transmission_b=tau_b,
        noise_a=detection.noise_a,
        noise_b=detection.noise_b,
        added_noise_a=detection.noise_a / tau_a,
        added_noise_b=detection.noise_b / tau_b,
        noise_modes=detection.noise_modes,
        overlap=detection.overlap,
        dark_probability=detection.dark,
        herald_probability=probability,
        herald_fidelity=pair.fidelity,
        fidelity=final.fidelity,
        kept=final.kept,
        checked_fidelity=final.checked.fidelity,
        negativity=final.kept * negativity(checked),
        latency=steps[3] + steps[4] + schedule.feedback,
        attempt_period=period,
        waiting=period / schedule.serial_time(*steps),
        rate=announced / period,
        delivered_rate=up * announced / period,
        hashing=hashing,
        hashing_rate=up * announced / period * hashing,
        relay_bound=np.nan,
        direct_bound=np.nan,
        separability=np.nan,
        noise_threshold=np.nan,
    )


def _separability(link: Link, seen_: Detection, scheme: Scheme, pair: Heralded) -> Real:
    """P00 P11 over the squared coherence: below one exactly when a herald is entangled (0 < α < 1).

    It depends neither on the bright-state populations nor on the scheme, but for the phase noise.
    """
    station = link.station
    if scheme.pairs:
        coherence = np.abs(pair.state[..., 1, 2])
        with np.errstate(divide="ignore", invalid="ignore"):
            below = pair.state[..., 0, 0].real / coherence
            return np.asarray(below * pair.state[..., 3, 3].real / coherence)
    if any(arm.photon.held is not None for arm in link.arms):
        half = [
            replace(arm, photon=replace(arm.photon, bright=0.5, survival=1.0, coherence=1.0))
            for arm in link.arms
        ]
        rms = station.phase_rms
        if scheme.rounds == 2:
            rms = station.change_rms(scheme.flips) / np.sqrt(2)
        even = Link((half[0], half[1]), replace(station, phase_rms=rms), link.schedule)
        state = heralded(even, Scheme.SINGLE_CLICK, seen_).state
        coherence = np.abs(state[..., 1, 2])
        return np.asarray(state[..., 0, 0].real / coherence * state[..., 3, 3].real / coherence)
    click = click_operator(seen_)
    single = scheme is Scheme.SINGLE_CLICK
    rms = station.phase_rms if single else station.change_rms(scheme.flips) / np.sqrt(2)
    coherence = click[..., 1, 2] * np.exp(-(rms**2) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):  # no coherence: refused as not finite
        return np.asarray((click[..., 0, 0] / coherence) * (click[..., 3, 3] / coherence))


def evaluate_link(link: Link, scheme: Scheme) -> LinkFigures:
    """Figures of a link from its parts, without the rows.

    Raises
    ------
    ParameterError, ValidityError
        If an arm sends no light, a gate is too short for its noise, or a number left its domain.
    """
    photons, _ = budget(link)
    return figures(link, scheme, seen(photons, link.station))[0]
