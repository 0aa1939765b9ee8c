"""The tables of a study file: which scenario, which axes, what is kept."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from cavities.numbers import Strict
from transducer.sweeps.axes import Axis, Range

Key = Annotated[str, Field(min_length=1, max_length=200)]
Value = float | str


class AxisTable(Strict):
    """``[[axes]]``: a name, the scenario keys it sets, and its values or its range."""

    name: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    keys: Annotated[list[Key], Field(min_length=1)]
    unit: Annotated[str, Field(max_length=40)] = "1"
    long_name: Annotated[str, Field(max_length=200)] = ""
    values: Annotated[list[Value], Field(min_length=1)] | None = None
    start: float | None = None
    stop: float | None = None
    count: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    spacing: Literal["linear", "log"] = "linear"

    @model_validator(mode="after")
    def _one_form(self) -> "AxisTable":
        span = self.start is not None or self.stop is not None
        if (self.values is None) == (not span):
            raise ValueError("give either 'values', or 'start' and 'stop'")
        if self.values is not None:
            if self.count is not None or self.spacing != "linear":
                raise ValueError("'count' and 'spacing' belong to 'start' and 'stop'")
            if len({isinstance(value, str) for value in self.values}) > 1:
                raise ValueError("'values' must be all numbers or all words")
        elif self.start is None or self.stop is None:
            raise ValueError("'start' and 'stop' belong together")
        elif self.spacing == "log" and not (self.start > 0 and self.stop > 0):
            raise ValueError("'spacing' = 'log' needs 'start' and 'stop' above 0")
        return self

    def axis(self) -> Axis:
        """The axis of a grid, or of axes side by side."""
        if self.values is not None:
            words = any(isinstance(value, str) for value in self.values)
            values = np.array(self.values, dtype=object if words else np.float64)
        else:
            assert self.start is not None
            assert self.stop is not None
            spaced = np.geomspace if self.spacing == "log" else np.linspace
            values = spaced(self.start, self.stop, self.count or 1)
        return Axis(self.name, values, self.unit, self.long_name)

    def range(self) -> Range:
        """The interval that a sampler draws from."""
        assert self.start is not None
        assert self.stop is not None
        return Range(self.name, self.start, self.stop, self.unit, self.long_name, self.spacing)


class SamplerTable(Strict):
    """``[sampler]``: how the points are chosen from the axes."""

    kind: Literal["grid", "zipped", "sobol", "latin-hypercube"] = "grid"
    count: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    seed: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _complete(self) -> "SamplerTable":
        drawn = self.kind in ("sobol", "latin-hypercube")
        if drawn and (self.count is None or self.seed is None):
            raise ValueError(f"'{self.kind}' needs 'count' and 'seed'")
        if not drawn and (self.count is not None or self.seed is not None):
            raise ValueError(f"'count' and 'seed' belong to a sampler, not to '{self.kind}'")
        return self


class StudyFile(Strict):
    """A whole study."""

    schema_version: Annotated[int, Field(ge=1, le=1)]
    name: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9_.-]+$")]
    title: Annotated[str, Field(max_length=200)] = ""
    scenario: Annotated[str, Field(min_length=1)]
    scheme: Literal["single-click", "two-click"] | None = None
    engine: Literal["scattering", "master-equation", "pulse", "node"] = "scattering"
    sampler: SamplerTable = SamplerTable()
    axes: Annotated[list[AxisTable], Field(min_length=1)]
    outputs: list[str] | None = None
    archive: Annotated[str, Field(pattern=r"\.h5$")] | None = None
    block: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "StudyFile":
        for axis in self.axes:
            if self.sampler.kind in ("sobol", "latin-hypercube"):
                if axis.values is not None or axis.count is not None:
                    raise ValueError(
                        f"axis '{axis.name}' of a sampled study takes 'start', 'stop' and 'spacing'"
                    )
            elif axis.values is None and axis.count is None:
                raise ValueError(f"axis '{axis.name}' needs 'count'")
        return self
