"""Sweeps: any function over named axes, block by block, into an archive that survives a kill."""

from transducer.sweeps.axes import Axis, Design, Range, grid, sampled, zipped
from transducer.sweeps.run import sweep

__all__ = ["Axis", "Design", "Range", "grid", "sampled", "sweep", "zipped"]
