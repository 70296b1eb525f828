"""Expectations that one Spark predicate says: for which rows an expectation of Great Expectations does not hold.

The meaning is Great Expectations' own (1.24), nulls included: a null breaks no rule about values. A test holds every
predicate here against it.
"""

from __future__ import annotations

import datetime
import decimal
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Kwargs = Mapping[str, Any]


class NotRowWise(Exception):
    """Why an expectation cannot set single rows aside, in words."""


def misfit(type_: str, kwargs: Kwargs) -> str:
    """SQL that is true for exactly the rows that break the expectation (else false or null). Raises NotRowWise."""
    if type_ not in _CONDITIONS:
        known = ", ".join(name.removeprefix("expect_") for name in _CONDITIONS)
        raise NotRowWise(f"{type_} judges no single rows by a plain condition, as these do: {known}")
    for name in ("mostly", "row_condition"):
        if kwargs.get(name) is not None:
            raise NotRowWise(f"{name} cannot be said of rows that are set aside one by one")
    try:
        return _CONDITIONS[type_](kwargs)
    except KeyError as error:
        raise NotRowWise(f"{type_} needs {error.args[0]}") from None


def _not_null(kwargs: Kwargs) -> str:
    return f"{_column(kwargs)} is null"


def _null(kwargs: Kwargs) -> str:
    return f"{_column(kwargs)} is not null"


def _in_set(kwargs: Kwargs) -> str:
    return f"not ({_column(kwargs)} in ({_values(kwargs['value_set'])}))"


def _not_in_set(kwargs: Kwargs) -> str:
    return f"{_column(kwargs)} in ({_values(kwargs['value_set'])})"


def _between(kwargs: Kwargs) -> str:
    return f"not ({_range(_column(kwargs), kwargs)})"


def _matches(kwargs: Kwargs) -> str:
    return f"not ({_column(kwargs)} rlike {_sql(kwargs['regex'])})"


def _matches_not(kwargs: Kwargs) -> str:
    return f"{_column(kwargs)} rlike {_sql(kwargs['regex'])}"


def _matches_list(kwargs: Kwargs) -> str:
    one = [f"{_column(kwargs)} rlike {_sql(regex)}" for regex in kwargs["regex_list"]]
    return f"not ({(' and ' if kwargs.get('match_on') == 'all' else ' or ').join(one)})"


def _matches_no_list(kwargs: Kwargs) -> str:
    return " or ".join(f"{_column(kwargs)} rlike {_sql(regex)}" for regex in kwargs["regex_list"])


def _length_between(kwargs: Kwargs) -> str:
    return f"not ({_range(f'length({_column(kwargs)})', kwargs)})"


def _length(kwargs: Kwargs) -> str:
    return f"length({_column(kwargs)}) != {_sql(kwargs['value'])}"


def _pair_equal(kwargs: Kwargs) -> str:
    return _pair(kwargs, f"not ({_column(kwargs, 'column_A')} <=> {_column(kwargs, 'column_B')})")


def _pair_greater(kwargs: Kwargs) -> str:
    a, b = _column(kwargs, "column_A"), _column(kwargs, "column_B")
    return _pair(kwargs, f"not ({a} >= {b} or {a} <=> {b})" if kwargs.get("or_equal") else f"not ({a} > {b})")


def _pair_in_set(kwargs: Kwargs) -> str:
    a, b = _column(kwargs, "column_A"), _column(kwargs, "column_B")
    pairs = [f"({a} <=> {_sql(x)} and {b} <=> {_sql(y)})" for x, y in kwargs["value_pairs_set"]]
    return _pair(kwargs, f"not ({' or '.join(pairs)})")


_CONDITIONS: dict[str, Callable[[Kwargs], str]] = {
    "expect_column_values_to_not_be_null": _not_null,
    "expect_column_values_to_be_null": _null,
    "expect_column_values_to_be_in_set": _in_set,
    "expect_column_values_to_not_be_in_set": _not_in_set,
    "expect_column_values_to_be_between": _between,
    "expect_column_values_to_match_regex": _matches,
    "expect_column_values_to_not_match_regex": _matches_not,
    "expect_column_values_to_match_regex_list": _matches_list,
    "expect_column_values_to_not_match_regex_list": _matches_no_list,
    "expect_column_value_lengths_to_be_between": _length_between,
    "expect_column_value_lengths_to_equal": _length,
    "expect_column_pair_values_to_be_equal": _pair_equal,
    "expect_column_pair_values_a_to_be_greater_than_b": _pair_greater,
    "expect_column_pair_values_to_be_in_set": _pair_in_set,
}


def _pair(kwargs: Kwargs, condition: str) -> str:
    """The rows that a rule about two columns looks at, by `ignore_row_if`."""
    a, b = _column(kwargs, "column_A"), _column(kwargs, "column_B")
    ignored = {
        "both_values_are_missing": f"{a} is null and {b} is null",
        "either_value_is_missing": f"{a} is null or {b} is null",
        "neither": "false",
    }
    given = kwargs.get("ignore_row_if", "both_values_are_missing")
    if given not in ignored:
        raise NotRowWise(f"ignore_row_if = {given!r} is none of {', '.join(ignored)}")
    return f"not ({ignored[given]}) and ({condition})"


def _range(value: str, kwargs: Kwargs) -> str:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if low is None and high is None:
        raise NotRowWise("min_value and max_value are both missing")
    parts = [] if low is None else [f"{value} {'>' if kwargs.get('strict_min') else '>='} {_sql(low)}"]
    parts += [] if high is None else [f"{value} {'<' if kwargs.get('strict_max') else '<='} {_sql(high)}"]
    return " and ".join(parts)


def _column(kwargs: Kwargs, name: str = "column") -> str:
    return "`" + str(kwargs[name]).replace("`", "``") + "`"


def _values(values: Sequence[Any]) -> str:
    if not values:
        raise NotRowWise("value_set is empty")
    return ", ".join(map(_sql, values))


def _sql(value: Any) -> str:
    """A value as Spark SQL's literal of the type that PySpark gives it."""
    if value is None or isinstance(value, bool):
        return str(value).lower() if value is not None else "null"
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    if isinstance(value, float):
        return f"{value!r}D" if math.isfinite(value) else f"double('{value}')"
    if isinstance(value, datetime.datetime):
        return f"timestamp '{value.isoformat(sep=' ')}'"
    if isinstance(value, datetime.date):
        return f"date '{value.isoformat()}'"
    if isinstance(value, (int, decimal.Decimal)):
        return str(value)
    raise NotRowWise(f"{value!r} is no plain value")
