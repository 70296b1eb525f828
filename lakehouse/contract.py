"""What a table promises its readers: one YAML file per table, assets/contracts/<layer>/<name>.yaml."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from lakehouse import yamllines
from lakehouse.contracts import features
from lakehouse.contracts.features import Constant, FeatureView, Impute
from lakehouse.contracts.profiling import ColumnRules, DistributionRule, OrOff, Pinned, Profiling
from lakehouse.contracts.values import ColumnName, ColumnType, Partitions, Space, Span, Strict, Table
from lakehouse.errors import ContractError
from lakehouse.finding import Finding
from lakehouse.names import LAYERS, did_you_mean
from lakehouse.quarantine import conditions
from lakehouse.yamllines import Place

FOLDER = "assets/contracts"
RULE = "bad-contract"
# Arguments of Great Expectations that name columns of the table.
_COLUMN_ARGUMENTS = ("column", "column_A", "column_B", "column_list", "column_set")

Severity = Literal["error", "warn"]
RowSeverity = Literal["error", "warn", "quarantine"]
Upstream = Literal["wait", "last_good"]


class Column(Strict):
    """A column: its Spark SQL type, and what a reader must know."""

    type: ColumnType
    """Spark SQL's type, such as string, bigint, decimal(10,2) or array<string>."""
    nullable: bool = True
    """false refuses rows in which it is null."""
    unit: str | None = None
    """What its numbers count, such as minutes or miles."""
    description: str = ""
    """What it holds, for people."""
    personal: bool = False
    """true masks its values wherever rows are shown."""
    round: Annotated[int, Field(ge=0, le=15)] | None = None
    """Digits after the point to which two values must agree to be equal; left out, exactly."""
    impute: Impute | None = None
    """How a missing value is filled for models that take none, learnt from training rows; left out, not at all."""
    known_at: str | None = None
    """The column of type timestamp that says when its value became known (null: never); it may name itself. Left out, its
    row's."""


class Reference(Strict):
    """These columns hold values that stand in another table. Rows with a null among them are not looked at."""

    columns: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]
    """Columns of this table."""
    to: Table
    """The table that they refer to."""
    to_columns: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Its columns, in the same order; left out, those of the same names."""
    severity: Severity = "error"
    """error publishes nothing, warn publishes and reports."""
    reason: str = ""
    """Why it matters, or what exceptions are known."""

    @model_validator(mode="after")
    def _pairs(self) -> Reference:
        if self.to_columns and len(self.to_columns) != len(self.columns):
            raise ValueError(f"columns names {len(self.columns)}, to_columns {len(self.to_columns)}: name as many")
        return self

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Each column of this table with the one that it refers to."""
        return tuple(zip(self.columns, self.to_columns or self.columns, strict=True))


class Expectation(Strict):
    """One expectation of Great Expectations."""

    type: Annotated[str, Field(pattern=r"^expect_[a-z][a-z_]*$")]
    """Its name, such as expect_column_values_to_be_between."""
    kwargs: dict[str, Any] = Field(default_factory=dict)
    """Its arguments, such as column, min_value or value_set."""
    severity: RowSeverity = "error"
    """error publishes nothing, warn publishes and reports, quarantine publishes without the rows that break it."""
    reason: str = ""
    """Why it is expected; shown where it fails."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The table's columns that it speaks of."""
        named: list[str] = []
        for argument in _COLUMN_ARGUMENTS:
            value = self.kwargs.get(argument, [])
            named.extend([value] if isinstance(value, str) else map(str, value))
        return tuple(named)


class Parity(Strict):
    """Of a table of scores: those of a sample are what a notebook gets from the features as their table holds them."""

    features: Table
    """The table whose rows were scored; its key names an entity."""
    sample: Annotated[int, Field(ge=1, le=10_000)] = 200
    """How many entities of each write are looked at, always the same of the same rows."""


class Quarantine(Strict):
    """How much of a write may be set aside by expectations of severity quarantine."""

    at_most: Annotated[float, Field(ge=0, le=1)] = 0.01
    """The share of its rows; with more, nothing is published."""


class Contract(Strict):
    """What a table promises its readers."""

    table: Table
    """Layer and name, as in the file's path."""
    version: Annotated[int, Field(ge=1)] = 1
    """Raised with every change that breaks readers or writers."""
    description: Annotated[str, Field(min_length=1)]
    """What one row is, for people."""
    owner: Annotated[str, Field(min_length=1)]
    """Whom to ask: an address or a team."""
    freshness: Span | None = None
    """How old its newest data may be, such as 45d; shown and judged in Dagster."""
    retention: Span | None = None
    """How long old versions are kept, such as 400d."""
    key: tuple[str, ...] = Field(default=(), strict=False)
    """The columns that name one row; checked unique."""
    known_at: str | None = None
    """The column of type timestamp that says by when a row is known, but for columns with their own (null: never), such as the
    moment at which is asked; left out, always. Nothing in a row may come from later: `lakehouse leaks`."""
    partitions: Space | None = None
    """The table's months; left out, the table is written whole."""
    feature_view: FeatureView | None = None
    """Of a table of features: whose they are, and when each was true and known."""
    backfill_chunk: Annotated[int, Field(ge=1)] | None = None
    """Partitions that one run takes at most; left out, all."""
    upstream: Upstream | None = None
    """When what it reads failed or is overdue: wait, or run on the last_good version; left out, it waits for what failed."""
    columns: Annotated[dict[ColumnName, Column], Field(min_length=1, json_schema_extra={"additionalProperties": False})]
    """Every column, in the table's order."""
    references: tuple[Reference, ...] = Field(default=(), strict=False)
    """Columns whose values stand in other tables."""
    expectations: tuple[Expectation, ...] = Field(default=(), strict=False)
    """What else must hold for its rows."""
    parity: Parity | None = None
    """Whether scores are held against the features that they were made of."""
    quarantine: Quarantine = Quarantine()
    """How many rows may be set aside, by the expectations of severity quarantine."""
    profile: OrOff[Profiling] = Profiling()
    """What is unusual beside other batches, or off."""

    def mismatches(self, columns: Mapping[str, str]) -> list[str]:
        """How `columns` (types by name) differ from the contract's, a phrase each; their order does not count."""
        wrong = [f"{name} is missing" for name in self.columns if name not in columns]
        wrong += [f"{name} is not in the contract" for name in columns if name not in self.columns]
        return wrong + [
            f"{name} is {columns[name]}, the contract says {column.type}"
            for name, column in self.columns.items()
            if name in columns and columns[name] != column.type
        ]


def load(path: Path) -> Contract:
    """Reads one contract. Raises ContractError, which names file, line, key, value and what to do, for all mistakes."""
    contract, findings = examine(path)
    if contract is None or findings:
        wrong = "\n".join(f"  line {one.line}: {one.message}. {one.hint}" for one in findings)
        raise ContractError(f"The contract {path} is wrong:\n{wrong}", "`lakehouse check` holds all contracts against this.")
    return contract


def examine(path: Path, file: str = "") -> tuple[Contract | None, list[Finding]]:
    """The contract, if the file could be understood, and what is wrong with it; findings call the file `file`."""
    try:
        data, lines = yamllines.read(path)
    except ContractError as error:
        return None, [unreadable(error, file)]
    try:
        contract = Contract.model_validate(data)
        wrong = list(_cross_checks(contract, path))
    except ValidationError as error:
        contract = None
        wrong = [sentence(one, _KNOWN_KEYS) for one in error.errors()]
    return contract, [Finding(file, 0, yamllines.line_of(at, lines), RULE, message, hint) for at, message, hint in wrong]


def unreadable(error: ContractError, file: str) -> Finding:
    """What `yamllines.read` raised, as a finding in `file`."""
    line = re.match(r"line (\d+): ", error.what)
    message = error.what[line.end() :] if line else error.what
    return Finding(file, 0, int(line[1]) if line else 1, RULE, message, error.hint)


def _cross_checks(contract: Contract, path: Path) -> Iterator[tuple[Place, str, str]]:
    """What no single value can tell: the path's name, and that the columns spoken of exist."""
    expected = f"{path.parent.name}.{path.stem}"
    if contract.table.dotted != expected:
        moved = f"{FOLDER}/{contract.table.slashed}.yaml"
        message = f"table is {contract.table}, the path says {expected}"
        rename = f"Write table: {expected}, or move" if path.parent.name in LAYERS else "Move"
        yield ("table",), message, f"{rename} the file to {moved}."
    needed: list[tuple[Place, str]] = [(("key", str(number)), name) for number, name in enumerate(contract.key)]
    if contract.partitions:
        needed.append((("partitions", "column"), contract.partitions.column))
    needed += features.named(contract.feature_view)
    spoken_of = [
        (("expectations", str(number), "kwargs"), name)
        for number, expectation in enumerate(contract.expectations)
        for name in expectation.columns
    ]
    spoken_of += [
        (("references", str(number), "columns"), name)
        for number, reference in enumerate(contract.references)
        for name in reference.columns
    ]
    if contract.profile:
        spoken_of += [(("profile", "columns", name), name) for name in contract.profile.columns]
        spoken_of += [(("profile", "by"), contract.profile.by)] if contract.profile.by else []
    for at, name in needed + spoken_of:
        if name not in contract.columns:
            near = did_you_mean(name, contract.columns).strip()
            yield at, f"{'.'.join(at)}: {name!r} is not one of the columns", near or "Add the column, or correct the name."
    for at, name in needed:
        if name in contract.columns and contract.columns[name].nullable:
            message = f"columns.{name} may be null, but it is part of the {at[0].replace('_', ' ')}"
            yield ("columns", name), message, "Write nullable: false."
    for number, expectation in enumerate(contract.expectations):
        if expectation.severity == "quarantine":
            try:
                conditions.misfit(expectation.type, expectation.kwargs)
            except conditions.NotRowWise as error:
                at = ("expectations", str(number), "severity")
                yield at, f"{'.'.join(at)}: rows cannot be set aside by it: {error}", "Write severity: error, or warn."
    yield from _moments(contract, [name for _, name in needed])
    if contract.profile and contract.columns.get(contract.profile.by or "", _STRING).personal:
        yield ("profile", "by"), f"{contract.profile.by} is personal: its values would be told", "Name another column."
    if contract.partitions and contract.columns.get(contract.partitions.column, _STRING).type != "string":
        yield ("columns", contract.partitions.column), "The partition column holds YYYY-MM", "Write type: string."
    yield from features.mistakes(contract)


def _moments(contract: Contract, naming: Iterable[str]) -> Iterator[tuple[Place, str, str]]:
    """When something is known is a timestamp; what names a row is known with it."""
    told: list[tuple[Place, str | None]] = [(("known_at",), contract.known_at)]
    told += [(("columns", name, "known_at"), column.known_at) for name, column in contract.columns.items()]
    for at, moment in told:
        if moment is not None and contract.columns.get(moment, _STRING).type != "timestamp":
            stamps = [name for name, column in contract.columns.items() if column.type == "timestamp"]
            near = did_you_mean(moment, stamps).strip() or f"There are {', '.join(stamps)}." if stamps else "Add one."
            yield at, f"{'.'.join(at)}: {moment!r} is not a column of type timestamp", near
    for name in naming:
        if name in contract.columns and contract.columns[name].known_at:
            yield ("columns", name, "known_at"), f"{name} names the row, so it is known when the row is", "Remove its known_at."


_STRING = Column(type="string")


_KNOWN_KEYS: dict[Place, tuple[str, ...]] = {
    (): tuple(Contract.model_fields),
    ("columns", "*"): tuple(Column.model_fields),
    ("columns", "*", "*"): tuple(Constant.model_fields),
    ("feature_view",): tuple(FeatureView.model_fields),
    ("expectations", "*"): tuple(Expectation.model_fields),
    ("references", "*"): tuple(Reference.model_fields),
    ("partitions",): tuple(Partitions.model_fields),
    ("parity",): tuple(Parity.model_fields),
    ("quarantine",): tuple(Quarantine.model_fields),
    ("profile",): tuple(Profiling.model_fields),
    ("profile", "*"): (*DistributionRule.model_fields, *Pinned.model_fields),
    ("profile", "*", "*"): tuple(ColumnRules.model_fields),
}


def sentence(error: Any, keys: Mapping[Place, tuple[str, ...]]) -> tuple[Place, str, str]:
    """One of pydantic's errors: where, a sentence with key and value, what to do; `keys` are those known at each place."""
    at = tuple(str(part) for part in error["loc"] if not str(part).startswith("["))
    key, kind, said = ".".join(at), error["type"], error["msg"]
    if kind == "extra_forbidden":
        known = keys.get(at[:1] + ("*",) * (len(at) - 2) if len(at) > 1 else (), ())
        near = did_you_mean(at[-1], known).strip()
        return at, f"unknown key {key!r}", near or f"There are {', '.join(known)}."
    if kind == "missing":
        return at, f"{key} is missing", f"Add {at[-1]}: … ."
    if kind == "value_error":
        return at, f"{key} = {error['input']!r:.80}: {error['ctx']['error']}", ""
    if kind == "string_pattern_mismatch":
        return at, f"{key} = {error['input']!r:.80} is not an expectation", "They begin with expect_, see Great Expectations."
    return at, f"{key} = {error['input']!r:.80}: {said[0].lower()}{said[1:]}", ""
