"""What was known at a moment: running sums of what had happened by then, and nothing later.

(What was known last of an entity, and nothing more of it, is a feature view: `lake.features`.)

Questions (rows with `asked_at`) and changes (rows with `at`, when something became known) are put into one stream
per key, in order of time; each question takes what the stream adds up to so far. A thing counts from the moment at
which it is known, that moment included. What shall be forgotten after a while enters as a second change, with the
opposite sign, when it leaves the window; so a window costs one pass in order, however long it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F


def windowed(events: DataFrame, key: str, known_at: str, hours: int, values: Mapping[str, Column]) -> DataFrame:
    """Changes by which each event counts for `hours` from `known_at` on; events with a null key or time never do.

    `values` (name → whole number) are what an event adds, taken back when it leaves the window. Whole numbers only:
    sums of fractions would not come back to zero.
    """
    enters, leaves = F.col(known_at), F.timestamp_add("HOUR", F.lit(hours), known_at)
    return _changes(events.where(F.col(known_at).isNotNull()), key, enters, leaves, values)


def between(events: DataFrame, key: str, start: Column, end: Column, values: Mapping[str, Column]) -> DataFrame:
    """Changes by which each event counts from `start` until just before `end`; not at all where `end` is not later."""
    return _changes(events.where(end > start), key, start, end, values)


def _changes(events: DataFrame, key: str, start: Column, end: Column, values: Mapping[str, Column]) -> DataFrame:
    added = F.struct(start.alias("at"), *(value.cast("long").alias(name) for name, value in values.items()))
    taken = F.struct(end.alias("at"), *((-value.cast("long")).alias(name) for name, value in values.items()))
    return events.where(F.col(key).isNotNull()).select(key, F.inline(F.array(added, taken)))


def known(questions: DataFrame, changes: DataFrame, key: str, sums: Sequence[str]) -> DataFrame:
    """`questions` with, for each, the sum of `sums` over the changes of its `key` with `at` not after `asked_at`; 0 where
    nothing is known."""
    asked = questions.withColumns({"at": F.col("asked_at"), "is_question": F.lit(True)})
    happened = changes.select(key, "at", *sums, F.lit(False).alias("is_question"))
    stream = asked.unionByName(happened, allowMissingColumns=True)
    # A change at the very moment of asking comes first.
    so_far = Window.partitionBy(key).orderBy("at", "is_question").rowsBetween(Window.unboundedPreceding, 0)
    answers = [F.coalesce(F.sum(name).over(so_far), F.lit(0)).alias(name) for name in sums]
    answered = stream.select(*questions.columns, *answers, "is_question")
    return answered.where("is_question").drop("is_question")
