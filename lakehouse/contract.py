"""What a table promises its readers: one YAML file per table, assets/contracts/<layer>/<name>.yaml."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from lakehouse import columntypes
from lakehouse.errors import ContractError, LakehouseError
from lakehouse.finding import Finding
from lakehouse.names import LAYERS, TableName, did_you_mean
from lakehouse.partitions import PartitionSpace, month

FOLDER = "assets/contracts"
RULE = "bad-contract"
_DEEPEST = 20
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
# Arguments of Great Expectations that name columns of the table.
_COLUMN_ARGUMENTS = ("column", "column_A", "column_B", "column_list", "column_set")

Place = tuple[str, ...]
"""Where a value stands in the file: its keys from the top, items of a list by number."""


def _span(value: object) -> timedelta:
    found = re.fullmatch(r"([1-9]\d{0,5})([hdw])", value, re.ASCII) if isinstance(value, str) else None
    if not found:
        raise ValueError("write a span such as 12h, 45d or 2w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _table(value: object) -> TableName:
    try:
        name = TableName.parse(str(value))
    except LakehouseError as error:
        raise ValueError(f"{error.what}. {error.hint}") from None
    if name.layer in ("raw", "models"):
        raise ValueError("raw files are declared as a Source, models are MLflow's: only tables have a contract")
    return name


def _month(text: str) -> month:
    try:
        return month(text)
    except LakehouseError as error:
        raise ValueError(f"{error.what}. {error.hint}") from None


def _column_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        raise ValueError(f"{name!r} is not a column's name: letters, digits and _, no digit first")
    return name


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True)


class Column(_Strict):
    """A column: its Spark SQL type, and what a reader must know. `personal` values are masked where rows are shown."""

    type: Annotated[str, AfterValidator(columntypes.normal)]
    nullable: bool = True
    unit: str | None = None
    description: str = ""
    personal: bool = False


class Expectation(_Strict):
    """One expectation of Great Expectations. An `error` publishes nothing, a `warn` publishes and reports."""

    type: Annotated[str, Field(pattern=r"^expect_[a-z][a-z_]*$")]
    kwargs: dict[str, Any] = {}
    severity: Literal["error", "warn"] = "error"
    reason: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The table's columns that it speaks of."""
        named: list[str] = []
        for argument in _COLUMN_ARGUMENTS:
            value = self.kwargs.get(argument, [])
            named.extend([value] if isinstance(value, str) else map(str, value))
        return tuple(named)


class _Partitions(_Strict):
    """As written in the file; a PartitionSpace once it is known to be right."""

    column: str
    start: Annotated[str, AfterValidator(_month)]
    end: Annotated[str, AfterValidator(_month)] | None = None


def _space(value: object) -> PartitionSpace:
    if isinstance(value, PartitionSpace):
        return value
    try:
        return PartitionSpace(**_Partitions.model_validate(value).model_dump())
    except LakehouseError as error:
        raise ValueError(f"{error.what}. {error.hint}") from None


class Contract(_Strict):
    """A table written whole has no `partitions`. `backfill_chunk`: partitions that one run takes at most, None for all."""

    table: Annotated[TableName, BeforeValidator(_table)]
    description: Annotated[str, Field(min_length=1)]
    owner: Annotated[str, Field(min_length=1)]
    freshness: Annotated[timedelta, BeforeValidator(_span)] | None = None
    key: tuple[str, ...] = Field(default=(), strict=False)
    partitions: Annotated[PartitionSpace, BeforeValidator(_space)] | None = None
    backfill_chunk: Annotated[int, Field(ge=1)] | None = None
    columns: Annotated[dict[Annotated[str, AfterValidator(_column_name)], Column], Field(min_length=1)]
    expectations: tuple[Expectation, ...] = Field(default=(), strict=False)

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
        data, lines = _read(path)
    except ContractError as error:
        line = re.match(r"line (\d+): ", error.what)
        message = error.what[line.end() :] if line else error.what
        return None, [Finding(file, 0, int(line[1]) if line else 1, RULE, message, error.hint)]
    try:
        contract = Contract.model_validate(data)
        wrong = list(_cross_checks(contract, path))
    except ValidationError as error:
        contract = None
        wrong = [_sentence(one) for one in error.errors()]
    return contract, [Finding(file, 0, _line(at, lines), RULE, message, hint) for at, message, hint in wrong]


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
    spoken_of = [
        (("expectations", str(number), "kwargs"), name)
        for number, expectation in enumerate(contract.expectations)
        for name in expectation.columns
    ]
    for at, name in needed + spoken_of:
        if name not in contract.columns:
            near = did_you_mean(name, contract.columns).strip()
            yield at, f"{'.'.join(at)}: {name!r} is not one of the columns", near or "Add the column, or correct the name."
    for at, name in needed:
        if name in contract.columns and contract.columns[name].nullable:
            message = f"columns.{name} may be null, but it is part of the {'key' if at[0] == 'key' else 'partitions'}"
            yield ("columns", name), message, "Write nullable: false."
    if contract.partitions and contract.columns.get(contract.partitions.column, _STRING).type != "string":
        yield ("columns", contract.partitions.column), "The partition column holds YYYY-MM", "Write type: string."


_STRING = Column(type="string")


def _read(path: Path) -> tuple[Any, dict[Place, int]]:
    """The file's content, and the line on which each key stands. An error begins with its line where there is one."""
    lines: dict[Place, int] = {}
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
        _note_lines(node, (), lines)
        data = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ContractError(f"line {line}: this is not valid YAML: {error.problem}", "Correct it there.") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ContractError(f"this is not valid YAML: {error}", "Save it as UTF-8.") from None
    except OSError as error:
        raise ContractError(f"it cannot be read: {error.strerror}", "Check the path and its permissions.") from None
    if not isinstance(data, dict):
        raise ContractError("a contract is a mapping of keys to values", "Begin with table: layer.name.")
    return data, lines


def _note_lines(node: Any, at: Place, lines: dict[Place, int]) -> None:
    """Fills `lines`; refuses a key that stands twice, of which YAML would silently drop one."""
    if len(at) > _DEEPEST:
        raise ContractError(f"line {lines[at]}: this is nested too deeply", "An alias may not contain itself.")
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            here, line = (*at, str(key.value)), key.start_mark.line + 1
            if here in seen:
                raise ContractError(f"line {line}: {'.'.join(here)} stands here twice", "Remove one.")
            seen.add(here)
            lines[here] = line
            _note_lines(value, here, lines)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            lines[(*at, str(number))] = value.start_mark.line + 1
            _note_lines(value, (*at, str(number)), lines)


def _line(at: Place, lines: dict[Place, int]) -> int:
    return next((lines[at[:end]] for end in range(len(at), 0, -1) if at[:end] in lines), 1)


_KNOWN_KEYS: dict[Place, tuple[str, ...]] = {
    (): tuple(Contract.model_fields),
    ("columns", "*"): tuple(Column.model_fields),
    ("expectations", "*"): tuple(Expectation.model_fields),
    ("partitions",): tuple(_Partitions.model_fields),
}


def _sentence(error: Any) -> tuple[Place, str, str]:
    """One of pydantic's errors: where, a sentence with key and value, what to do."""
    at = tuple(str(part) for part in error["loc"] if part != "[key]")
    key, kind, said = ".".join(at), error["type"], error["msg"]
    if kind == "extra_forbidden":
        known = _KNOWN_KEYS.get(at[:1] + ("*",) * (len(at) - 2) if len(at) > 1 else (), ())
        near = did_you_mean(at[-1], known).strip()
        return at, f"unknown key {key!r}", near or f"There are {', '.join(known)}."
    if kind == "missing":
        return at, f"{key} is missing", f"Add {at[-1]}: … ."
    if kind == "value_error":
        return at, f"{key} = {error['input']!r:.80}: {error['ctx']['error']}", ""
    if kind == "string_pattern_mismatch":
        return at, f"{key} = {error['input']!r:.80} is not an expectation", "They begin with expect_, see Great Expectations."
    return at, f"{key} = {error['input']!r:.80}: {said[0].lower()}{said[1:]}", ""
