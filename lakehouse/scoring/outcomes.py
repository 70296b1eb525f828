"""Scores beside those that were told before, each with what came of it once that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

OUTCOME = ("outcome", "outcome_known_at")
_VERSION = "model_version"
# How far two scores may lie apart and be the same: how rows were batched moves a linear model's last bits.
_SAME = 1e-9


def with_outcomes(scores: DataFrame, standing: DataFrame | None, known: DataFrame) -> DataFrame:
    """The rows to merge into a table of scores: those of this run, and the `standing` ones of the entities in `known`.

    `known` has a row for each entity: the columns that name it, `outcome` and `outcome_known_at` (null until it is known).
    Every row gets these, those of other models too. A score that the same version of a model told before, to nine digits,
    stays as it stands, with the run and the time that told it first; so scoring again changes only what differs.
    """
    entity = [name for name in known.columns if name not in OUTCOME]
    if standing is None:
        return scores.join(known, entity, "left")
    names = [name for name in scores.columns if name not in (*entity, _VERSION)]
    # Rows that were told before a column was known have nothing in it: where they can be, they are told anew.
    kinds = dict(scores.dtypes)
    there = [name if name in standing.columns else f"cast(null as {kinds[name]}) as {name}" for name in names]
    old = standing.join(known.select(*entity), entity, "left_semi").selectExpr(*entity, _VERSION, *there)
    whole = " and ".join(f"(o.{name} is not null or s.{name} is null)" for name in names)
    same = f"abs(s.score - o.score) <= {_SAME} * greatest(1, abs(o.score)) and {whole}"
    stays = f"s.score is null or (o.score is not null and {same})"
    both = scores.alias("s").join(old.alias("o"), [*entity, _VERSION], "full")
    told = both.selectExpr(*entity, _VERSION, *(f"if({stays}, o.{name}, s.{name}) as {name}" for name in names))
    return told.join(known, entity, "left")
