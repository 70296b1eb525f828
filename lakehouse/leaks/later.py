"""An input as it was known at a moment T, with something else in place of what came after, as one SQL query.

By turns, which a hash of a row's key decides, what came after T

- has never come: a row is gone, a moment null, a value null where it may be;
- came otherwise: a moment lies 11 hours later (after T in any case), a value is the largest or the smallest of its column.

So whatever uses it, by its presence, its value, its extremes or its time, sees something else. The values are the column's
own, for a notebook that would stumble over others.
"""

from __future__ import annotations

from collections.abc import Iterable

from lakehouse.contract import Contract
from lakehouse.leaks import moments

_TURNS = 4  # 0 and 1: never came; 2 and 3: otherwise. Even ones take the largest value first.
_LATER = "interval 11 hours"
_UNORDERED = ("map<", "variant")


def query(source: str, columns: Iterable[tuple[str, str]], contract: Contract, moment: str, seed: int) -> str:
    """SQL for the rows of the relation `source`, whose `columns` (name, type) it keeps in their order, as known at `moment`.

    The values that take others' place are the extremes of `source` itself.
    """
    columns, rows = list(columns), moments.of_rows(contract)
    names = [name for name, _ in columns]
    gone = moments.open_at(f"`{rows}`", moment) if rows else "false"
    altered = {name: sql for name, kind in columns if (sql := _altered(name, kind, contract, moment))}
    shown = ", ".join(f"{altered[name]} as `{name}`" if name in altered else f"`{name}`" for name in names)
    by = ", ".join(f"`{name}`" for name in contract.key or [name for name, kind in columns if not _unordered(kind)])
    turned = f"select *, pmod(xxhash64({by}, {int(seed)}), {_TURNS}) as _turn, {gone} as _open from {source}"
    bounded = [name for name in altered if f"`_most_{name}`" in altered[name]]
    bounds = [f"max(`{name}`) as `_most_{name}`, min(`{name}`) as `_least_{name}`" for name in bounded]
    beside = f" cross join (select {', '.join(bounds)} from {source})" if bounds else ""
    return f"select {shown} from ({turned}){beside} where not (_open and _turn < 2)"


def count(source: str, contract: Contract, moment: str) -> str:
    """SQL for how many rows of `source` hold something that came after `moment`."""
    rows = [moments.of_rows(contract)]
    found = {name for name in (*rows, *(moments.of_column(contract, column) for column in contract.columns)) if name}
    came = " or ".join(moments.open_at(f"`{name}`", moment) for name in sorted(found)) or "false"
    return f"select count_if({came}) as n from {source}"


def _altered(name: str, kind: str, contract: Contract, moment: str) -> str | None:
    """SQL for the column in place of `name`; None where it stays as it is."""
    own, rows = moments.of_column(contract, name), moments.of_rows(contract)
    if name in moments.naming(contract) or (own is None and rows is None):
        return None
    column = contract.columns.get(name)
    nullable = column is None or column.nullable
    is_moment = name == rows or own == name
    came_later = f"_open or {moments.open_at(f'`{own}`', moment)}" if own else "_open"
    if is_moment:
        other = f"coalesce(`{name}`, {moment}) + {_LATER}"
    elif _unordered(kind):
        other = "null"
    else:
        most, least = f"`_most_{name}`", f"`_least_{name}`"
        first, second = f"if(_turn % 2 = 0, {most}, {least})", f"if(_turn % 2 = 0, {least}, {most})"
        other = f"coalesce(nullif({first}, `{name}`), {second})"
    never = "_turn < 2" if nullable and name != rows else "false"
    return f"case when {came_later} then if({never}, null, {other}) else `{name}` end"


def _unordered(kind: str) -> bool:
    return any(part in kind for part in _UNORDERED)
