"""An input as it was known at a moment T, with something else in place of what came after, as one SQL query.

By turns, which a hash of a row's key decides, what came after T

- has never come: a row is gone, a moment null, a value null where it may be;
- came otherwise: a moment lies 11 hours later (after T in any case); a number is larger by one than all of its column, or
  smaller, a date or time by a day; what cannot be counted is the last or the first of its column.

So whatever uses it, by its presence, its value, its extremes or its time, sees something else. The values are as near to
the column's own as that allows, for notebooks that would stumble over others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lakehouse.contract import Contract
from lakehouse.leaks import moments

_TURNS = 4  # 0 and 1: never came; 2 and 3: otherwise. Even ones take the largest value first.
_LATER = "interval 11 hours"
_UNORDERED = ("map<", "variant")
_NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")
_TIMES = ("date", "timestamp", "timestamp_ntz")


def query(source: str, columns: Iterable[tuple[str, str]], contract: Contract, moment: str, seed: int) -> str:
    """SQL for the rows of the relation `source`, whose `columns` (name, type) it keeps in their order, as known at `moment`."""
    kinds, rows = dict(columns), moments.of_rows(contract)
    came_later = moments.open_at(f"`{rows}`", moment) if rows else "false"
    by = ", ".join(f"`{name}`" for name in contract.key or [name for name, kind in kinds.items() if not _unordered(kind)])
    turned = f"select *, pmod(xxhash64({by}, {int(seed)}), {_TURNS}) as _turn, {came_later} as _open from {source}"
    altered = {name: sql for name, kind in kinds.items() if (sql := _altered(name, kind, contract, moment))}
    shown = ", ".join(f"{altered.get(name, f'`{name}`')} as `{name}`" for name in kinds)
    bounds = ", ".join(bound for name in altered for bound in _bounds(name, kinds[name]))
    beside = f" cross join (select {bounds} from {source})" if bounds else ""
    return f"select {shown} from ({turned}){beside} where not (_open and _turn < 2)"


def count(source: str, contract: Contract, moment: str) -> str:
    """SQL for how many rows of `source` hold something that came after `moment`."""
    told = [moments.of_rows(contract), *(moments.of_column(contract, name) for name in contract.columns)]
    came_later = [moments.open_at(f"`{name}`", moment) for name in dict.fromkeys(told) if name]
    return f"select count_if({' or '.join(came_later) or 'false'}) as n from {source}"


def _altered(name: str, kind: str, contract: Contract, moment: str) -> str | None:
    """SQL for the column in place of `name`; None where it stays as it is."""
    own, rows = moments.of_column(contract, name), moments.of_rows(contract)
    if name in moments.naming(contract) or (own is None and rows is None):
        return None
    came_later = f"_open or {moments.open_at(f'`{own}`', moment)}" if own else "_open"
    if name in (rows, own):
        other = f"coalesce(`{name}`, {moment}) + {_LATER}"
    elif _unordered(kind):
        other = "null"
    else:
        most, least = f"`_most_{name}`", f"`_least_{name}`"
        other = f"if(_turn % 2 = 0, coalesce(nullif({most}, `{name}`), {least}), coalesce(nullif({least}, `{name}`), {most}))"
    column = contract.columns.get(name)
    if name != rows and (column is None or column.nullable):
        other = f"if(_turn < 2, null, {other})"
    return f"case when {came_later} then {other} else `{name}` end"


def _bounds(name: str, kind: str) -> Iterator[str]:
    """SQL for what lies just beyond the column's values, or at their end where there is no beyond."""
    if _unordered(kind):
        return
    step = "1" if kind.partition("(")[0] in _NUMBERS else "interval 1 day" if kind in _TIMES else None
    for at, end, beyond in (("_most", "max", "try_add"), ("_least", "min", "try_subtract")):
        value = f"{end}(`{name}`)"
        further = f"coalesce(try_cast({beyond}({value}, {step}) as {kind}), {value})" if step else value
        yield f"{further} as `{at}_{name}`"


def _unordered(kind: str) -> bool:
    return any(part in kind for part in _UNORDERED)
