"""Floor 1, from a photon to a pair.

Photons, parts, elements, detectors, heralding, memories, bounds, links.
"""

from cavities.capacity import pure_loss_bound
from fibre.bounds import direct_bound, noise_threshold, relay_bound
from fibre.budget import Arm, Link, Row, propagate, stretched
from fibre.detectors import Detector, Station
from fibre.distil import hashing_bound, negativity
from fibre.elements import Element, FabryPerot, FibreSpan, Loss
from fibre.figures import LinkFigures
from fibre.herald import Detection, Heralded, Scheme, click_operator, single_click, two_click
from fibre.link import evaluate_link
from fibre.memory import Memory, QubitChannel, decay, qubit_channel
from fibre.parts import load_part
from fibre.photon import Photon, SpectralGrid, Wave, gaussian_amplitude, overlap
from fibre.schedule import Schedule

__all__ = [
    "Arm",
    "Detection",
    "Detector",
    "Element",
    "FabryPerot",
    "FibreSpan",
    "Heralded",
    "Link",
    "LinkFigures",
    "Loss",
    "Memory",
    "Photon",
    "QubitChannel",
    "Row",
    "Schedule",
    "Scheme",
    "SpectralGrid",
    "Station",
    "Wave",
    "click_operator",
    "decay",
    "direct_bound",
    "evaluate_link",
    "gaussian_amplitude",
    "hashing_bound",
    "load_part",
    "negativity",
    "noise_threshold",
    "overlap",
    "propagate",
    "pure_loss_bound",
    "qubit_channel",
    "relay_bound",
    "single_click",
    "stretched",
    "two_click",
]
