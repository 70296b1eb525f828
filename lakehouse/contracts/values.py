"""The kinds of values that a contract holds: how each is read, written again, and described to an editor."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema

from lakehouse import columntypes
from lakehouse.errors import LakehouseError
from lakehouse.names import LAYERS, WORD, TableName
from lakehouse.partitions import PartitionSpace, month

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_SPAN = r"[1-9][0-9]{0,5}[hdw]"
_COLUMN = r"[A-Za-z_][A-Za-z0-9_]*"
_NO_TABLES = ("raw", "models")


class Strict(BaseModel):
    """A part of a contract: unknown keys and values of another type are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True, use_attribute_docstrings=True)


def _read_span(value: object) -> timedelta:
    if not isinstance(value, str) or not re.fullmatch(_SPAN, value):
        raise ValueError("write a span such as 12h, 45d or 2w")
    return timedelta(**{_UNITS[value[-1]]: int(value[:-1])})


def _write_span(value: timedelta) -> str:
    hours = int(value.total_seconds()) // 3600
    return f"{hours}h" if hours % 24 else f"{hours // 24}d"


def _read_table(value: object) -> TableName:
    try:
        name = TableName.parse(str(value))
    except LakehouseError as error:
        raise ValueError(f"{error.what}. {error.hint}") from None
    if name.layer in _NO_TABLES:
        raise ValueError("raw files are declared as a Source, models are MLflow's: only tables have a contract")
    return name


def _read_month(text: str) -> month:
    try:
        return month(text)
    except LakehouseError as error:
        raise ValueError(f"{error.what}. {error.hint}") from None


def _read_column(name: str) -> str:
    if not re.fullmatch(_COLUMN, name):
        raise ValueError(f"{name!r} is not a column's name: letters, digits and _, no digit first")
    return name


Month = Annotated[str, AfterValidator(_read_month), WithJsonSchema({"type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$"})]


class Partitions(Strict):
    """The months that the table has, and the column that holds them."""

    column: str
    """The column that holds the month, a string such as 2013-02."""
    start: Month
    """The first month, YYYY-MM."""
    end: Month | None = None
    """The last month; without it, the last that is over."""


def _read_space(value: object) -> PartitionSpace:
    if isinstance(value, PartitionSpace):
        return value
    try:
        return PartitionSpace(**Partitions.model_validate(value).model_dump())
    except LakehouseError as error:
        raise ValueError(f"{error.what}. {error.hint}") from None


def _write_space(space: PartitionSpace) -> dict[str, str]:
    return {name: str(value) for name, value in vars(space).items() if value is not None}


_LAYER = "|".join(layer for layer in LAYERS if layer not in _NO_TABLES)

Table = Annotated[
    TableName,
    BeforeValidator(_read_table),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "pattern": f"^({_LAYER})[./]{WORD.pattern}$", "maxLength": 111}),
]
Span = Annotated[
    timedelta,
    BeforeValidator(_read_span),
    PlainSerializer(_write_span),
    WithJsonSchema({"type": "string", "pattern": f"^{_SPAN}$", "examples": ["12h", "45d", "2w"]}),
]
ColumnName = Annotated[str, AfterValidator(_read_column), WithJsonSchema({"type": "string", "pattern": f"^{_COLUMN}$"})]
ColumnType = Annotated[
    str,
    AfterValidator(columntypes.normal),
    WithJsonSchema({"anyOf": [{"enum": list(columntypes.PLAIN)}, {"type": "string", "pattern": columntypes.PATTERN}]}),
]
Space = Annotated[PartitionSpace, BeforeValidator(_read_space, json_schema_input_type=Partitions), PlainSerializer(_write_space)]
