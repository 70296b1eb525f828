"""What was known at a moment: each question answered by the rows of feature views that were known by then.

Questions and a view's rows are put into one stream per entity, in the order of time; a row enters it at the moment from
which on it counts, when it had happened and was known. What is kept along the stream is not the last row but the one of
the newest event, so what is known late (or a correction) never hides what is newer, and changes no answer before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_AT, _ASKED = "__at", "__asked"


@dataclass(frozen=True)
class View:
    """A feature view as the join takes it: its `rows`, and which of its columns are what.

    `columns` are those to be joined, by the names that they get. `ttl`: a row counts while asked less than this after
    its event; None: for ever.
    """

    rows: DataFrame
    entity: tuple[str, ...]
    event: str
    created: str
    columns: Mapping[str, str]
    ttl: timedelta | None = None


def join(asked: DataFrame, views: Sequence[View], at: str) -> DataFrame:
    """The rows of `asked`, each with the views' columns as they were known at its moment `at`.

    Of a view's rows with the question's entity those count that were known (`created`) and had happened (`event`) by
    `at`, `at` included; of these the one of the newest event answers, of several the one known last, and of several
    still the one of the largest values, so that the same rows always give the same answer. If it is stale there is no
    answer: null. Nor is there where the entity or `at` is null. No row of `asked` is lost or comes twice.
    """
    by_entity: dict[tuple[str, ...], list[View]] = {}
    for view in views:
        by_entity.setdefault(view.entity, []).append(view)
    for same in by_entity.values():
        asked = _answered(asked, same, at)
    return asked


def _answered(asked: DataFrame, views: Sequence[View], at: str) -> DataFrame:
    """One pass in order: however many views of one entity there are, and however many rows they have."""
    entity, known = views[0].entity, [f"__view_{number}" for number in range(len(views))]
    questions = asked.withColumns({_AT: F.col(at), _ASKED: F.lit(True)})
    rows = [_entering(view, name) for view, name in zip(views, known, strict=True)]
    stream = reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), rows, questions)
    # false comes before true: what is known at the very moment of asking is known.
    so_far = Window.partitionBy(*entity).orderBy(_AT, _ASKED).rowsBetween(Window.unboundedPreceding, Window.currentRow)
    newest = stream.select(*asked.columns, _ASKED, *(F.max(name).over(so_far).alias(name) for name in known))
    answers = [answer for view, name in zip(views, known, strict=True) for answer in _unpacked(view, name, at)]
    return newest.where(_ASKED).select(*asked.columns, *answers)


def _entering(view: View, name: str) -> DataFrame:
    """The view's rows, each at the moment from which on it counts, packed so that the newest event is the largest."""
    packed = [F.col(column).alias(f"_{number}") for number, column in enumerate((view.event, view.created, *view.columns))]
    moments = F.greatest(view.event, view.created).alias(_AT)
    whole = view.rows.dropna(subset=[*view.entity, view.event, view.created])
    return whole.select(*view.entity, moments, F.lit(False).alias(_ASKED), F.struct(*packed).alias(name))


def _unpacked(view: View, name: str, at: str) -> Iterator[Column]:
    # In microseconds: of an interval Spark adds whole days by the clocks of the session's zone.
    age = F.unix_micros(F.col(at)) - F.unix_micros(F.col(f"{name}._0"))
    fresh = age < view.ttl // timedelta(microseconds=1) if view.ttl is not None else F.lit(True)
    for number, called in enumerate(view.columns.values(), start=2):
        yield F.when(fresh, F.col(f"{name}._{number}")).alias(called)
