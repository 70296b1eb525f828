"""Parameters of a notebook: their types, and how a value from anywhere becomes one of the right type or is refused."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from lakehouse.errors import ParameterError, PartitionError
from lakehouse.names import did_you_mean
from lakehouse.partitions import month, parse_months


class _Unfit(Exception):
    """A value is not of the type; the text says what would be."""


def _str(value: object) -> str:
    if isinstance(value, str) and "\x00" not in value:
        return str(value)
    raise _Unfit("a text")


def _int(value: object) -> int:
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,300}", value.strip(), re.ASCII):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _Unfit("a whole number such as 42")


def _float(value: object) -> float:
    if isinstance(value, str) and re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", value.strip(), re.ASCII):
        value = float(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise _Unfit("a finite number such as 0.5")


def _bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise _Unfit("true or false")


def _date(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value.strip(), re.ASCII):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            pass
    raise _Unfit("a date such as 2013-02-28")


def _datetime(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d", value.strip(), re.ASCII):
        try:
            return datetime.fromisoformat(value.strip())
        except ValueError:
            pass
    raise _Unfit("a date and time such as 2013-02-28T13:45:00")


def _month(value: object) -> month:
    try:
        return month(value.strip() if type(value) is str else value)
    except PartitionError:
        raise _Unfit("a month such as 2013-02") from None


BASES: dict[str, Callable[[object], Any]] = {
    "str": _str,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "date": _date,
    "datetime": _datetime,
    "month": _month,
}


@dataclass(frozen=True, slots=True)
class ParameterType:
    """One of str, int, float, bool, date, datetime, month, or a list of one of them (`many`)."""

    base: str
    many: bool = False

    @classmethod
    def parse(cls, annotation: str) -> ParameterType:
        """From an annotation's text, such as `list[month]`. Raises ParameterError."""
        found = re.fullmatch(r"(list\[)?\s*(\w+)\s*(?(1)\])", annotation.strip().strip("'\""))
        if not found or found[2] not in BASES:
            raise ParameterError(
                f"{annotation!r} is not a type of a parameter",
                f"Use {', '.join(BASES)} or a list of one of them such as list[month].",
            )
        return cls(found[2], bool(found[1]))

    def __str__(self) -> str:
        return f"list[{self.base}]" if self.many else self.base

    def coerce(self, value: object, name: str = "value") -> Any:
        """`value` (typed already, or text as on a command line) as this type. Raises ParameterError.

        A list is read from JSON (`["a", "b"]`) or from text with commas; months also from ranges `2013-01..2013-03`.
        """
        try:
            if not self.many:
                return BASES[self.base](value)
            items = self._items(value)
            return [BASES[self.base](item) for item in items]
        except _Unfit as fit:
            raise ParameterError(
                f"Parameter {name} = {_shown(value)} is not {_article(str(self))}", f"Give {fit}{self._example()}."
            ) from None
        except PartitionError as error:
            raise ParameterError(f"Parameter {name} = {_shown(value)}: {error.what}", error.hint) from None

    def _items(self, value: object) -> list[object]:
        if isinstance(value, (list, tuple)):
            return list(value)
        if not isinstance(value, str):
            raise _Unfit("a list")
        text = value.strip()
        if text.startswith("["):
            try:
                return list(json.loads(text))
            except ValueError:
                raise _Unfit('a list such as ["a", "b"]') from None
        if not text:
            raise _Unfit("at least one value, or [] for none")
        return list(parse_months(text)) if self.base == "month" else [part.strip() for part in text.split(",")]

    def _example(self) -> str:
        if not self.many:
            return ""
        return ", a range 2013-01..2013-03 or a list with commas" if self.base == "month" else ", or several with commas"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One line of a notebook's `parameters` cell. `default` is its sample value, typed; `help` its comment."""

    name: str
    type: ParameterType
    default: Any
    help: str = ""
    cell: int = 0
    line: int = 0


def bind(parameters: tuple[Parameter, ...], values: Mapping[str, object], owner: str = "this notebook") -> dict[str, Any]:
    """Every parameter's typed value: from `values` where given, else its sample. Raises ParameterError."""
    known = {parameter.name: parameter for parameter in parameters}
    for name in values:
        if name not in known:
            there = ", ".join(f"{p.name}: {p.type}" for p in parameters)
            raise ParameterError(
                f"{owner} has no parameter {name!r}",
                (f"It has {there}." if there else "It takes none.") + did_you_mean(name, known),
            )
    return {
        name: parameter.type.coerce(values[name], name) if name in values else copy(parameter.default)
        for name, parameter in known.items()
    }


def to_injectable(value: object) -> Any:
    """A typed value as plain str, int, float, bool or list of them, which cannot be taken for code when injected."""
    if isinstance(value, (list, tuple)):
        return [to_injectable(item) for item in value]
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    raise ParameterError(f"{_shown(value)} cannot be handed to a notebook", f"Use {', '.join(BASES)} or a list of them.")


def _shown(value: object) -> str:
    text = repr(str(value)) if isinstance(value, month) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _article(kind: str) -> str:
    return f"an {kind}" if kind == "int" else f"a {kind}"
