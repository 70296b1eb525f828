"""A filter on one table's rows, as text from outside: one boolean expression over its columns, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from lakehouse.errors import LakehouseError
from lakehouse.names import did_you_mean

if TYPE_CHECKING:
    from sqlglot import exp

_HINT = "Write conditions on the table's columns, such as \"carrier = 'UA' and month = '2013-02'\"."


class FilterError(LakehouseError):
    """A filter that is not one boolean expression over the columns of its table."""


def condition(text: str, columns: Iterable[str]) -> str:
    """The filter `text` as Spark SQL, written anew from what was understood of it.

    Allowed are comparisons, and, or, not, in, between, like, is null, arithmetic, casts and a few plain functions of
    the table's `columns` and literals. Raises FilterError for a query within it, a second statement and all else.
    """
    from sqlglot import exp

    tree = _parsed(text)
    known = {name.lower(): name for name in columns}
    for node in tree.walk():
        if not isinstance(node, _allowed()):
            raise FilterError(f"The filter holds {_called(node)}, which a filter may not", _HINT)
        if isinstance(node, exp.Column) and (len(node.parts) != 1 or node.name.lower() not in known):
            near = did_you_mean(node.name, known.values())
            raise FilterError(f"The filter names {node.sql()!r}, which is no column of the table", near.strip() or _HINT)
    if not isinstance(tree.unnest(), (exp.Predicate, exp.Connector, exp.Not, exp.Boolean, exp.Column)):
        raise FilterError(f"The filter {text!r} is not true or false for a row", _HINT)
    return tree.sql(dialect="spark", comments=False)


def _parsed(text: str) -> exp.Expression:
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        statements = sqlglot.parse(text, dialect="spark")
    except (SqlglotError, RecursionError) as error:
        raise FilterError(f"The filter {text!r:.200} cannot be parsed: {str(error).splitlines()[0]}", _HINT) from None
    if len(statements) != 1 or statements[0] is None:
        raise FilterError(f"The filter holds {len([one for one in statements if one])} statements, not one condition", _HINT)
    return statements[0]


def _allowed() -> tuple[type[exp.Expression], ...]:
    from sqlglot import exp

    values = (exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Tuple)
    logic = (exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ)
    tests = (exp.Is, exp.In, exp.Between, exp.Like, exp.ILike, exp.RegexpLike, exp.Escape)
    numbers = (exp.Neg, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Abs, exp.Round, exp.Floor, exp.Ceil)
    texts = (exp.Lower, exp.Upper, exp.Trim, exp.Length, exp.Substring, exp.StartsWith, exp.EndsWith, exp.Coalesce)
    times = (exp.Cast, exp.TryCast, exp.DataType, exp.DataTypeParam, exp.Year, exp.Month, exp.Day, exp.TsOrDsToDate)
    return (*values, *logic, *tests, *numbers, *texts, *times)


def _called(node: exp.Expression) -> str:
    from sqlglot import exp

    if isinstance(node, (exp.Query, exp.Exists)):
        return "a query"
    return f"{node.sql(dialect='spark')!r:.60}"
