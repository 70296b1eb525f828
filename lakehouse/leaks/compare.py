"""What a probe says, beside what stands: which columns differ in rows of which all was known.

One query over both, joined by key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from lakehouse.checks import MASK
from lakehouse.contract import Contract
from lakehouse.leaks import moments

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ROW = "(row)"
"""Stands for a column's name where rows came or went."""
SIDES = ("_p", "_q")  # published, probed


class Difference(BaseModel):
    """A column that differs in `rows` rows, asked from `first` to `last` (UTC); of the last of them, its key and both values."""

    column: str
    rows: int
    first: str
    last: str
    key: dict[str, str]
    published: str | None = None
    probed: str | None = None


def differences(published: DataFrame, probed: DataFrame, contract: Contract, moment: str) -> tuple[int, list[Difference]]:
    """How many rows stand up to `moment` (SQL for a timestamp), and what differs in them; see `lakehouse.leaks`.

    Numbers are equal when they agree in the digits that the contract says. Personal values are masked.
    """
    at, keys = moments.of_rows(contract), list(contract.key)
    known = f"`{at}` <= {moment}"
    ours = published.where(known).selectExpr(*(f"`{key}`" for key in keys), "struct(*) as _p")
    theirs = probed.where(known).selectExpr(*(f"`{key}`" for key in keys), "struct(*) as _q")
    both = ours.join(theirs, keys, "full_outer")
    found = {name: _differs(name, contract, moment) for name in contract.columns if name not in moments.naming(contract)}
    found[ROW] = _came_or_went(contract, moment)
    told = [sql for number, name in enumerate(found) for sql in _told(number, name, found[name], contract)]
    row = both.selectExpr("count_if(_p is not null) as n", *told).collect()[0]
    counted = [(name, number) for number, name in enumerate(found) if row[f"n{number}"]]
    return int(row["n"]), [_difference(name, row, number) for name, number in counted]


def _told(number: int, name: str, differs: str, contract: Contract) -> tuple[str, str, str]:
    """Of the rows for which `differs` is true: how many, the first moment of them, and the last row."""
    at, keys = moments.of_rows(contract), contract.key
    when = f"coalesce(_p.`{at}`, _q.`{at}`)"
    named = ", ".join(f"{_text(f'`{key}`', key, contract)} as `{key}`" for key in keys)
    if name == ROW:
        published, probed = (f"if({side} is null, 'absent', 'present')" for side in SIDES)
    else:
        published, probed = (_text(f"{side}.`{name}`", name, contract) for side in SIDES)
    example = f"struct({when} as at, struct({named}) as named, {published} as p, {probed} as q)"
    order = f"struct({when}, {', '.join(f'`{key}`' for key in keys)})"
    where = f"filter (where {differs})"
    first, last = f"string(min({when}) {where})", f"max_by({example}, {order}) {where}"
    return f"count_if({differs}) as n{number}", f"{first} as f{number}", f"{last} as e{number}"


def _differs(name: str, contract: Contract, moment: str) -> str:
    """SQL: the value is another, in a row that stands in both and in which it was known in one of them."""
    values = [_comparable(f"{side}.`{name}`", name, contract) for side in SIDES]
    own = moments.of_column(contract, name)
    known = " or ".join(f"coalesce({side}.`{own}` <= {moment}, false)" for side in SIDES) if own else "true"
    return f"_p is not null and _q is not null and ({known}) and not ({values[0]} <=> {values[1]})"


def _came_or_went(contract: Contract, moment: str) -> str:
    answers = {own for name in contract.columns if (own := moments.of_column(contract, name))}
    unknown = " or ".join(moments.open_at(f"coalesce(_p.`{own}`, _q.`{own}`)", moment) for own in sorted(answers)) or "false"
    return f"(_p is null or _q is null) and not ({unknown})"


def _comparable(value: str, name: str, contract: Contract) -> str:
    column = contract.columns[name]
    if "map<" in column.type:
        return f"to_json({value})"
    return value if column.round is None else f"round({value}, {column.round})"


def _text(value: str, name: str, contract: Contract) -> str:
    return f"'{MASK}'" if contract.columns[name].personal else f"cast({value} as string)"


def _difference(name: str, row: Any, number: int) -> Difference:
    example = row[f"e{number}"]
    key = {part: str(value) for part, value in example["named"].asDict().items()}
    return Difference(
        column=name,
        rows=int(row[f"n{number}"]),
        first=str(row[f"f{number}"]),
        last=str(example["at"]),
        key=key,
        published=example["p"],
        probed=example["q"],
    )
