"""Figures of a device that is pulsed: pairs, readout, clicks, correlations."""

from dataclasses import replace

import numpy as np

from cavities.pump import Pump, Sideband
from transducer import pulsed
from transducer.detected import (
    Correlations,
    Window,
    extraction,
    leaving_probability,
    matched_extraction,
    pair_correlations,
)
from transducer.device_file import DetectionTable
from transducer.devices.piezo import PiezoOptomechanical
from transducer.validation.cases import Case, MissingInputError
from transducer.validation.quantities import Quantity
from transducer.validation.registry import LIGHT, figure
from transducer.validation.steady_figures import heated_quanta, phonons_of


def _length(case: Case) -> float:
    """Energy over peak power of the file's pulse [s]."""
    if case.found.envelope is None:
        raise MissingInputError("pulse.length_s")
    return case.found.envelope.energy_length


def _blue(case: Case) -> pulsed.Pairs:
    """What a blue pulse does to the first phonon."""
    device, pump = phonons_of(case), case.pump(Sideband.BLUE)
    quanta = float(np.max(device.phonons[0].mode.bath.occupation))
    rate = float(np.max(device.scattering_rate(pump)))
    return pulsed.blue_pulse(rate, _length(case), quanta, device.optical.kappa)


@figure(Quantity.PROBABILITY, "1", "closed form (L10)", "into all optical ports")
def scattering_probability(case: Case) -> float:
    r"""Stokes photons that a blue pulse scatters, :math:`(1+n)(e^{\int\Gamma dt}-1)`."""
    return float(np.max(_blue(case).photons))


@figure(Quantity.PROBABILITY, "1", "closed form (L10)", "into all optical ports")
def readout_probability(case: Case) -> float:
    r"""Probability that a red pulse turns a phonon into light, :math:`1-e^{-\int\Gamma dt}`."""
    device = phonons_of(case)
    rate = float(np.max(device.scattering_rate(case.pump())))
    return float(np.max(pulsed.readout_probability(rate, _length(case), device.optical.kappa)))


@figure(Quantity.PROBABILITY, "1", "closed form (L10)", LIGHT)
def readout_into_beam(case: Case) -> float:
    """Probability that a red pulse turns a phonon into light in the output beam."""
    device = phonons_of(case)
    return readout_probability(case) * float(np.max(device.optical.extraction)) * device.overlap**2


def _detection(case: Case) -> DetectionTable:
    table = getattr(case.paper.file, "detection", None)
    return table if isinstance(table, DetectionTable) else DetectionTable()


def _detected(case: Case) -> float:
    """Transmission of the detection chain [1]."""
    chain = _detection(case).chain
    if not chain:
        raise MissingInputError("detection.chain")
    return float(np.prod([number.value for number in chain.values()]))


@figure(Quantity.PROBABILITY, "1", "pulse", "from a phonon to a click, gate and filters counted")
def readout_click(case: Case) -> float:
    """Probability that a phonon becomes a click: pump ramp, filter ring-up and gate followed."""
    device, table = phonons_of(case), _detection(case)
    if table.gate_s is None:
        raise MissingInputError("detection.gate_s")
    if case.found.envelope is None:
        raise MissingInputError("pulse.length_s")
    opens = 0.0 if table.gate_delay_s is None else table.gate_delay_s.value
    width = None if table.filter_hz is None else 2 * np.pi * table.filter_hz.value
    window = Window(opens, opens + table.gate_s.value, table.filters, width)
    pump = replace(case.pump(), envelope=case.found.envelope)
    return _detected(case) * leaving_probability(
        _alone(device), pump, "mechanics", device.target, window
    )


def _alone(device: PiezoOptomechanical) -> PiezoOptomechanical:
    """The optomechanical half, as it is after a swap with the qubit tuned away."""
    return replace(device, microwave=None, direct=0j)


@figure(Quantity.PROBABILITY, "1", "closed form (L10)", "from the qubit to the phonon")
def swap_probability(case: Case) -> float:
    """Probability that the excitation of the qubit becomes a phonon, both decaying."""
    device = phonons_of(case)
    if device.microwave is None:
        raise MissingInputError("microwave")
    first = device.phonons[0]
    kappas = (float(np.max(device.microwave.kappa)), float(np.max(first.mode.gamma)))
    return float(np.max(pulsed.swap_probability(float(np.abs(first.piezo)), kappas)))


@figure(Quantity.PROBABILITY, "1", "pulse", "from the qubit to a click")
def qubit_click(case: Case) -> float:
    """Probability that a qubit excitation becomes a click: swap, then readout."""
    return swap_probability(case) * readout_click(case)


@figure(Quantity.NOISE, "quanta", "closed form (L10)", "referred to the qubit")
def noise_at_the_qubit(case: Case) -> float:
    """Phonons during the readout over the efficiency of the swap."""
    return heated_quanta(case) / swap_probability(case)


@figure(Quantity.PROBABILITY, "1", "closed form (L10)", "clicks of the pulse")
def click_probability(case: Case) -> float:
    """Clicks per blue pulse: scattering probability times what of it is detected."""
    device, inside = phonons_of(case), _detection(case).begins == "cavity"
    left = 1.0 if inside else float(np.max(device.optical.extraction)) * device.overlap**2
    return scattering_probability(case) * left * _detected(case)


@figure(Quantity.RATE, "Hz", "closed form (L10)", "clicks of the pulse")
def click_rate_hz(case: Case) -> float:
    """Clicks per second: clicks per pulse times pulses per second."""
    return click_probability(case) * case.value("pulse.repetition_rate_hz")


@figure(
    Quantity.EFFICIENCY, "1", "closed form (L10)", "from the microwave input to the output beam"
)
def pulsed_conversion(case: Case) -> float:
    """Loading of the phonon by the microwave times what a red pulse reads of it."""
    return case.value("measured.loading") * readout_into_beam(case)


@figure(Quantity.EFFICIENCY, "1", "Lyapunov", "from the phonon to the microwave waveguide")
def microwave_extraction(case: Case) -> float:
    """Probability that a phonon leaves by the microwave waveguide, the pump dark."""
    device = phonons_of(case)
    return extraction(device, Pump(0.0), "mechanics", device.source)


def _correlations(case: Case) -> Correlations:
    device = phonons_of(case)
    if case.found.envelope is None:
        raise MissingInputError("pulse.length_s")
    pump = Pump(0.0, sideband=Sideband.BLUE, envelope=case.found.envelope)
    matched, _ = matched_extraction(device, pump, "mechanics", device.source)
    quanta, noise = case.value("measured.quanta"), case.value("measured.microwave_noise")
    return pair_correlations(matched, quanta, noise)


MATCHED = "matched filter of the microwave output, given a click"


@figure(Quantity.CORRELATION, "1", "matched filter", MATCHED)
def cross_correlation(case: Case) -> float:
    """Microwave intensity given an optical click over that without, in a matched filter."""
    return float(np.max(_correlations(case).cross))


@figure(Quantity.CORRELATION, "1", "matched filter", MATCHED)
def heralded_correlation(case: Case) -> float:
    """Autocorrelation of the microwave packet given an optical click."""
    return float(np.max(_correlations(case).heralded))


@figure(Quantity.CORRELATION, "1", "closed form (L10)", "click and phonon, no light between")
def phonon_cross_correlation(case: Case) -> float:
    r"""Cross correlation of a blue pulse and its phonons, :math:`2+1/n_m`, without heating."""
    return float(np.max(pulsed.cross_correlation(_blue(case).phonons)))
