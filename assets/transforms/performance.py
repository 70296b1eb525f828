"""How punctual flights were, by whatever they are grouped by."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

LATE_AFTER = 15  # minutes


def performance(flights: DataFrame, *keys: str) -> DataFrame:
    """One row per group of `keys`: how many flights, what became of them, shares, mean and high delays in minutes.

    `late_share` is of the flights that landed, `cancelled_share` of all; null where there is none. Means divide whole
    minutes by a count, percentiles are exact, so a repeat gives the same numbers to the last bit.
    """
    status = F.col("status")
    counts = {
        "flights": F.count("*"),
        "landed": F.count_if(status == "landed"),
        "cancelled": F.count_if(status == "cancelled"),
        "diverted": F.count_if(status == "diverted"),
        "late": F.count_if(F.col("arrival_delay") > LATE_AFTER),
    }
    delays = {
        "mean_departure_delay": _mean("departure_delay"),
        "mean_arrival_delay": _mean("arrival_delay"),
        "arrival_delay_90th": F.percentile("arrival_delay", 0.9),
    }
    grouped = flights.groupBy(*keys).agg(*(value.alias(name) for name, value in {**counts, **delays}.items()))
    return grouped.withColumns(
        {
            "late_share": F.try_divide("late", "landed"),
            "cancelled_share": F.try_divide("cancelled", "flights"),
        }
    )


def _mean(minutes: str) -> Column:
    return F.try_divide(F.sum(minutes), F.count(minutes))
