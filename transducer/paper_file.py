"""What every device file says about its paper: where it was published, and what it claims."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from cavities.numbers import Size, Status, Strict, both_ways

Family = Literal[
    "electro-optic",
    "piezo-optomechanical",
    "optomechanical crystal",
    "membrane",
    "electrostatic",
    "rare-earth ions",
    "atoms",
    "magnons",
    "microwave link",
    "other",
    "example",
]
"""Kinds of hardware, for pictures; an example is made up."""

Text = Annotated[str, Field(min_length=1)]
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")]
"""Name of a paper, for tables and for citing: letters, digits and _ . + - only."""


class Source(Strict):
    """Where a device was published; `evidence` says whether it was built, designed or thought.

    `recalled` names identifiers that nobody has looked up.
    """

    title: str
    authors: str = ""
    journal: str = ""
    year: int | None = None
    doi: str = ""
    arxiv: str = ""
    recalled: list[Literal["doi", "arxiv"]] = Field(default_factory=list)
    platform: str = ""
    family: Family = "other"
    evidence: Literal["experiment", "design", "theory"] = "experiment"
    note: str = ""


class Claim(Strict):
    """A figure that the paper reports.

    What it is (`figure`, `direction`, `definition`), how well it is known (`sigma`, or `rounding`:
    half a unit of the last digit printed), and at which setting it holds. `bound` says that the
    paper gives a limit, not a value. With `by` the prediction is a closed form of the field whose
    arguments are `given` as keys of this file; without it the device itself answers. `missing`
    names inputs that no source states: the claim then cannot be tested. `deviation_db` and `reason`
    record a miss that is known. `solved_elsewhere` are keys of inputs that were back-solved from
    other claims than this one, so that this one is still a test of them together.
    """

    figure: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    direction: Literal["up", "down"] = "up"
    value: float
    status: Status
    where: Text
    sigma: Annotated[list[Size], BeforeValidator(both_ways), Field(max_length=2)] = Field(
        default_factory=list
    )
    rounding: Annotated[float, Field(gt=0)] | None = None
    bound: Literal["below", "above"] | None = None
    operating_point: Text | None = None
    definition: str = ""
    by: Text | None = None
    given: dict[str, Text] = Field(default_factory=dict)
    missing: list[Text] = Field(default_factory=list)
    solved_elsewhere: list[Text] = Field(default_factory=list)
    deviation_db: float | None = None
    reason: str = ""
    note: str = ""

    @model_validator(mode="after")
    def _whole(self) -> "Claim":
        if not self.figure.endswith("_db") and not self.value > 0:
            raise ValueError(f"value must be > 0, got {self.value}; only figures in dB may be less")
        if self.sigma and len(self.sigma) != 2:
            raise ValueError("sigma must be one number, or two: the step down and the step up")
        if self.sigma and self.rounding is not None:
            raise ValueError("give 'sigma' or 'rounding', not both: a stated sigma includes it")
        if self.by is None and self.given:
            raise ValueError("'given' names the arguments of 'by'; give both or neither")
        if (self.deviation_db is None) != (not self.reason):
            raise ValueError("'deviation_db' and 'reason' belong together; give both or neither")
        return self

    @property
    def sigmas(self) -> tuple[float, float]:
        """One standard deviation (down, up): as stated, else that of the rounding, else zero."""
        if self.sigma:
            return self.sigma[0], self.sigma[1]
        half = 0.0 if self.rounding is None else self.rounding / 3**0.5
        return half, half
