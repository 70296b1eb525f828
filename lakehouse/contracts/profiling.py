"""What a contract says of its table's profiles: what they are compared with, and from where on that is a finding."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema

from lakehouse.contracts.values import ColumnName, Strict
from lakehouse.errors import LakehouseError
from lakehouse.partitions import parse_months

Measure = Literal["psi", "jensen_shannon", "total_variation", "kolmogorov_smirnov", "wasserstein"]
Kind = Literal["volume", "freshness", "missing", "distribution", "cardinality", "categories"]
KINDS: tuple[Kind, ...] = get_args(Kind)
TIMES = ("date", "timestamp", "timestamp_ntz")
"""Types of columns that tell how fresh rows are."""

DISTANCES: dict[Measure, float] = {
    "psi": 0.25,
    "jensen_shannon": 0.2,
    "total_variation": 0.2,
    "kolmogorov_smirnov": 0.2,
    "wasserstein": 0.5,
}
"""From where on a distance speaks of another distribution: 0.25 is the customary one of the PSI, the others are what a
normal distribution has that is shifted as far (by half its standard deviation, in which `wasserstein` is told)."""

THRESHOLDS: dict[Kind, float] = {"volume": 0.3, "freshness": 3, "missing": 0.02, "cardinality": 2, "categories": 0.01}

Severity = Literal["error", "warn"]
Form = TypeVar("Form")
OrOff = Annotated[
    Annotated[Form, Tag("[on]")] | Annotated[Literal[False], Tag("[off]")],
    Discriminator(lambda value: "[off]" if value is False else "[on]"),
]
"""A part of the contract, or `off`, of which YAML makes false. (Tags, so that a mistake is told of the part alone.)"""
Threshold = Annotated[float, Field(gt=0, strict=False)]


class Rule(Strict):
    """From where on one kind of difference is a finding, and what it does then."""

    threshold: Threshold | None = None
    """How large it is at least; left out, the default of its kind."""
    severity: Severity | None = None
    """error publishes nothing, warn publishes and reports; left out, that of the whole."""


class DistributionRule(Rule):
    """The same for distributions, with the name of the distance."""

    measure: Measure = "psi"
    """How the distance of two distributions is told."""


class ColumnRules(Strict):
    """One column's own thresholds."""

    missing: OrOff[Threshold] | None = None
    """Difference of the share of missing values, such as 0.02, or off."""
    distribution: OrOff[Threshold] | None = None
    """Distance of the distributions, or off."""
    cardinality: OrOff[Threshold] | None = None
    """How many times as many distinct values, or off."""
    categories: OrOff[Threshold] | None = None
    """Share of rows with values not seen before, or off."""


def _read_months(value: object) -> object:
    try:
        return ",".join(parse_months(str(value)))
    except LakehouseError as error:
        raise ValueError(f"{error.what}. {error.hint}") from None


_MONTH = "[0-9]{4}-(0[1-9]|1[0-2])"
Months = Annotated[
    str,
    BeforeValidator(_read_months),
    WithJsonSchema({"type": "string", "pattern": rf"^{_MONTH}((\.\.|, *){_MONTH})*$"}),
]


class Pinned(Strict):
    """A version of the table that stays the reference."""

    version: Annotated[int, Field(ge=0)]
    """The version, as `lakehouse sql` and Dagster show it."""
    partitions: Months | None = None
    """Some of its partitions, such as 2013-01..2013-09; left out, all."""


Reference = Annotated[
    Annotated[Literal["recent"], Tag("[recent]")] | Annotated[Pinned, Tag("[pinned]")],
    Discriminator(lambda value: "[recent]" if isinstance(value, str) else "[pinned]"),
]


class Profiling(Strict):
    """How each written batch of the table is profiled and compared; all may be left out."""

    reference: Reference = "recent"
    """recent (the batches nearest in time), or a pinned version."""
    batches: Annotated[int, Field(ge=1, le=120)] = 12
    """How many batches make the reference, at most."""
    least: Annotated[int, Field(ge=1, le=120)] = 6
    """How many it takes, at least, to speak of what is usual."""
    by: ColumnName | None = None
    """A column with few values, for each of which missing values are looked at too."""
    severity: Severity = "warn"
    """Of all findings whose rule says nothing else."""
    volume: OrOff[Rule] = Rule()
    """Rows of a batch: share more or fewer than usual (0.3)."""
    freshness: OrOff[Rule] = Rule()
    """Newest time in a batch: days older than usual (3)."""
    missing: OrOff[Rule] = Rule()
    """Share of missing values: difference from the usual one (0.02)."""
    distribution: OrOff[DistributionRule] = DistributionRule()
    """Distance of a column's distribution from the reference's (PSI 0.25)."""
    cardinality: OrOff[Rule] = Rule()
    """Distinct values: how many times as many as usual (2)."""
    categories: OrOff[Rule] = Rule()
    """Share of rows with values that the reference does not have (0.01)."""
    columns: dict[ColumnName, OrOff[ColumnRules]] = Field(default_factory=dict, json_schema_extra={"additionalProperties": False})
    """Columns with thresholds of their own, or off."""

    @property
    def needed(self) -> int:
        """How many batches it takes to compare one with them."""
        return self.least if self.reference == "recent" else 1

    def rule(self, kind: Kind) -> Rule | None:
        """The rule of that kind, None where it is off."""
        return getattr(self, kind) or None

    def severity_of(self, kind: Kind) -> Severity:
        rule = self.rule(kind)
        return (rule.severity if rule else None) or self.severity

    def threshold(self, kind: Kind, column: str | None = None) -> float | None:
        """From where on it is a finding, of `column` where one is named; None where that is off."""
        rule = self.rule(kind)
        own = self.columns.get(column) if column else None
        said = getattr(own, kind, None) if own is not False else False
        if rule is None or said is False:
            return None
        default = DISTANCES[rule.measure] if isinstance(rule, DistributionRule) else THRESHOLDS[kind]
        return said or rule.threshold or default

    @property
    def measure(self) -> Measure:
        return self.distribution.measure if self.distribution else "psi"
