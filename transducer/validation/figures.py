"""Every figure that a claim may name, and what a claim predicts."""

from transducer.validation import pulse_figures, steady_figures
from transducer.validation.registry import FIGURES, Figure

__all__ = ["FIGURES", "Figure"]
assert steady_figures
assert pulse_figures
