"""Which columns of what was read a written column comes from, told by Spark's analyzed plan.

A column comes from those that stand in its expression, the conditions of a `case` and a window's order included; not
from those that only chose rows (filters, joins' conditions, groupings). What cannot be told is left out, never guessed:
functions of Python over whole batches, rows that were in pandas meanwhile, expressions whose text is ambiguous.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.spark import plantext
from lakehouse.spark.columnflow import READ, Output, Sources, Walk
from lakehouse.spark.session import at_home

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from lakehouse.names import TableName

_LONGEST = 4_000_000  # characters of a plan's text that are looked at
_FIELDS = "spark.sql.debug.maxToStringFields"


def told(frame: DataFrame, root: Path, table: TableName) -> dict[str, list[str]]:
    """For each column of `frame` the columns it comes from, {"arrival_delay": ["bronze.flights.arr_delay"]}.

    `root` is the lake's, `table` is what will hold the rows; what comes from its own older rows is not told. Columns of
    which nothing can be told are left out.
    """
    found = {}
    for name, sources in zip(frame.columns, _sources(frame, root), strict=False):
        others = sorted(f"{of}.{column}" for of, column in sources if of != table)
        if others:
            found[name] = others
    return found


def called(table: TableName, frame: DataFrame) -> DataFrame:
    """`frame`, which holds the rows of a raw `table`, under a name by which its plan tells so."""
    return frame.alias(f"{READ}{table}")


def follow(spark: SparkSession, root: Path) -> None:
    """From now on it is noted where the columns of this session's checkpoints come from: later plans begin with these."""
    from pyspark.sql.connect.dataframe import DataFrame

    _followed.setdefault(spark.session_id, _Followed(root)).root = root  # type: ignore[attr-defined]
    for name in ("checkpoint", "localCheckpoint"):
        method = getattr(DataFrame, name)
        if not hasattr(method, "__wrapped__"):
            setattr(DataFrame, name, _noting(method))


@dataclass
class _Followed:
    """A session: its lake, and where its checkpoints' columns come from."""

    root: Path
    columns: dict[int, Sources] = field(default_factory=dict)


_followed: dict[str, _Followed] = {}


def _noting(method: Callable[..., DataFrame]) -> Callable[..., DataFrame]:
    @functools.wraps(method)
    def checkpoint(frame: DataFrame, *args: Any, **kwargs: Any) -> DataFrame:
        computed = at_home(frame, method(frame, *args, **kwargs))
        followed = _followed.get(frame.sparkSession.session_id)  # type: ignore[attr-defined]
        if followed is not None:
            numbers = _asked(computed, followed.root).order or ()
            followed.columns.update(zip(numbers, _sources(frame, followed.root), strict=False))
        return computed

    return checkpoint


def _sources(frame: DataFrame, root: Path) -> list[Sources]:
    """For each column, in order; none at all where the order cannot be told."""
    # Not `to_proto`, which compresses what is large.
    plan = frame._plan.plan(frame.sparkSession.client).SerializeToString()  # type: ignore[attr-defined]
    if plantext.MISLEADING.search(plan):
        return []
    # "gate #12" in a literal looks like a column's number. Those differ each time that Spark is asked, a literal does not.
    asked = [_asked(frame, root) for _ in range(2 if re.search(rb"#\d", plan) else 1)]
    answers = [[one.of([number]) for number in one.order or ()] for one in asked]
    return [functools.reduce(frozenset.__and__, same) for same in zip(*answers, strict=False)]


def _asked(frame: DataFrame, root: Path) -> Output:
    from pyspark.errors import PySparkException

    spark = frame.sparkSession
    try:
        with _every_column(spark):
            # No row is asked for, so that Spark is done soon after it has analyzed the plan.
            text = frame.limit(0)._explain_string(extended=True)  # type: ignore[operator]
    except PySparkException:
        return Output()  # whatever is wrong, the write itself will say it
    plan = plantext.analyzed(text) if len(text) <= _LONGEST else None
    followed = _followed.get(spark.session_id)  # type: ignore[attr-defined]
    return Walk(root, followed.columns if followed else {}).top(plan) if plan else Output()


@contextmanager
def _every_column(spark: SparkSession) -> Iterator[None]:
    """Inside, Spark's texts cut off no list of columns."""
    before = spark.conf.get(_FIELDS)
    spark.conf.set(_FIELDS, "100000")
    try:
        yield
    finally:
        spark.conf.set(_FIELDS, before or "25")
