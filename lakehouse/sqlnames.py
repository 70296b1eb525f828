"""The tables that SQL text names, each with its place in the text, so that a name can be replaced there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lakehouse.errors import NotebookError, UnknownName
from lakehouse.names import TableName

if TYPE_CHECKING:
    from sqlglot import exp

# Table functions that take a table's name as text: it could not be found here, nor replaced.
_NAMING_FUNCTIONS = {"identifier", "stream", "table"}


@dataclass(frozen=True, slots=True)
class TableRef:
    """One place that names a table: `sql[start:end]` is its text, back quotes included.

    `has_alias` says whether an alias follows; `has_version` whether `VERSION AS OF …` does.
    """

    name: TableName
    start: int
    end: int
    has_alias: bool
    has_version: bool


class SqlError(NotebookError):
    """SQL text that names tables in a way that cannot be followed; `line` counts from 1 within the text."""

    def __init__(self, what: str, hint: str = "", line: int = 1) -> None:
        super().__init__(what, hint)
        self.line = line

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.what, self.hint, self.line)


def tables(sql: str) -> list[TableRef]:
    """All tables that the query `sql` names, in the order of the text; names of CTEs are left out.

    Raises SqlError when it cannot be parsed, isn't one query, or names a table other than as layer.name.
    """
    from sqlglot import exp

    query = _parse(sql)
    ctes = {cte.alias.lower() for cte in query.find_all(exp.CTE)}
    refs = [ref for table in query.find_all(exp.Table) if (ref := _ref(table, ctes, sql)) is not None]
    refs.sort(key=lambda ref: ref.start)
    _refuse_layered_columns(query, {(ref.name.layer, ref.name.name) for ref in refs})
    return refs


def _parse(sql: str) -> exp.Expression:
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import ParseError, SqlglotError

    try:
        statements = [statement for statement in sqlglot.parse(sql, dialect="spark") if statement is not None]
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        line, column = first.get("line") or 1, first.get("col") or 0
        near = f" near {first['highlight']!r}" if first.get("highlight") else ""
        raise SqlError(
            f"The SQL cannot be parsed at line {line}, column {column}{near}: {_sentence(first, error)}",
            "Correct it there; it is read as Spark SQL.",
            line,
        ) from None
    except (SqlglotError, RecursionError) as error:
        raise SqlError(f"The SQL cannot be parsed: {error}", "Correct it; it is read as Spark SQL.") from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        what = f"{len(statements)} statements" if len(statements) != 1 else f"{statements[0].key.upper()}"
        raise SqlError(f"lake.sql takes one query, this is {what}", "Write one SELECT; use lake.write to change a table.")
    return statements[0]


def _sentence(first: dict[str, Any], error: Exception) -> str:
    return str(first.get("description") or error).split(" but got <Token")[0].split("\n")[0]


def _ref(table: exp.Table, ctes: set[str], sql: str) -> TableRef | None:
    from sqlglot import exp

    word, layer = table.this, table.args.get("db")
    if not isinstance(word, exp.Identifier):
        _refuse_naming_function(word)
        return None
    line = sql.count("\n", 0, word.meta["start"]) + 1
    written = ".".join(part.name for part in table.parts)
    if layer is None and table.name.lower() in ctes:
        return None
    if layer is None or table.args.get("catalog") is not None:
        raise SqlError(
            f"{written!r} in the SQL is neither layer.name nor a CTE of the query",
            "Write layer and name, as in silver.flights; for what is in between use a CTE or the DataFrame.",
            line,
        )
    try:
        name = TableName.parse(written)
    except UnknownName as error:
        raise SqlError(f"In the SQL: {error.what}", error.hint, line) from None
    if not table.alias and (table.args.get("sample") or table.args.get("pivots")):
        raise SqlError(f"{name} is sampled or pivoted without an alias", f"Give it one: {name} … as {name.name}.", line)
    return TableRef(name, layer.meta["start"], word.meta["end"] + 1, bool(table.alias), table.args.get("version") is not None)


def _refuse_naming_function(function: Any) -> None:
    name = str(getattr(function, "name", "") or getattr(function, "key", "")).lower()
    if name in _NAMING_FUNCTIONS:
        raise SqlError(f"{name}(…) hides which table is read", "Write the table's name itself, for example silver.flights.")


def _refuse_layered_columns(query: exp.Expression, names: set[tuple[str, str]]) -> None:
    from sqlglot import exp

    for column in query.find_all(exp.Column):
        if (column.db, column.table) in names:
            raise SqlError(
                f"The column {column.db}.{column.table}.{column.name} is qualified by layer and table",
                f"Give the table an alias and write alias.{column.name}.",
            )
