"""Kinds of figures that are compared, one marker each in a picture."""

from enum import Enum


class Quantity(Enum):
    """What a figure measures."""

    EFFICIENCY = "efficiency"
    NOISE = "added noise"
    BANDWIDTH = "bandwidth"
    RATE = "rate"
    PHOTONS = "pump photons and couplings"
    COOPERATIVITY = "cooperativity"
    OCCUPATION = "occupation"
    PROBABILITY = "probability"
    CORRELATION = "correlation"
    RATIO = "sideband ratio"
    FIDELITY = "fidelity"
