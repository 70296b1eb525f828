"""Scores of a model for many rows: computed on Spark, kept beside older ones, held against what a notebook gets."""

from lakehouse.scoring.outcomes import with_outcomes

__all__ = ["with_outcomes"]
