"""Trips of two buses, and features of them at the moment of asking: clean ones, and every kind of leak.

A trip is asked about an hour before it should leave. Every twenty minutes one should, and it leaves up to an hour late.
"""

from __future__ import annotations

from typing import Any

from tests.notebooks import contract, notebook

LEAKS = ("own_delay", "hour_mean", "line_delay", "driver", "late_again")
CLEAN = ("bus", "departures", "mean_delay", "line_by_then")

TRIPS = """
trips = lake.spark.sql('''
    select id, if(id % 2 = 0, 'red', 'blue') as bus, planned, planned + make_dt_interval(0, 0, delay) as left_at, delay
    from (select id, timestamp'2024-01-01T06:00:00Z' + make_dt_interval(0, 0, 20 * id) as planned,
                 cast(pmod(id * 37, 60) as int) as delay from range(200))
''')
"""
LINES = """
lines = lake.spark.sql('''
    select * from values
        ('red', timestamp'2024-01-01T00:00:00Z', 'Ada', 3.0d), ('blue', timestamp'2024-01-03T12:00:00Z', 'Bob', 5.0d)
        as (bus, updated_at, driver, mean_delay)
''')
"""
FEATURES = """
asked = lake.sql("select id, bus, planned - interval 1 hour as asked_at, delay, left_at from silver.trips")
trips = lake.read("silver.trips")
lines = lake.read("silver.lines")
"""
JOINED = """
earlier = asked.alias("a").join(trips.alias("t"), F.expr("t.bus = a.bus and t.left_at <= a.asked_at"), "left")
known = earlier.groupBy("a.id").agg(F.count("t.id").alias("departures"), F.avg("t.delay").alias("mean_delay"))
hour = asked.alias("a").join(trips.alias("t"), F.expr("date_trunc('hour', t.left_at) = date_trunc('hour', a.asked_at)"), "left")
means = hour.groupBy("a.id").agg(F.avg("t.delay").alias("hour_mean"))
"""
PUT_TOGETHER = """
df = asked.alias("a").join(known, "id").join(means, "id").join(lines.alias("l"), "bus", "left").select(
    "id", "bus", "asked_at", "departures", "mean_delay", "hour_mean",
    F.col("a.delay").alias("own_delay"),
    F.col("l.mean_delay").alias("line_delay"), "driver",
    F.expr("if(l.updated_at <= a.asked_at, l.mean_delay, null)").alias("line_by_then"),
    (F.col("a.delay") > 30).alias("is_late"), F.col("a.left_at").alias("label_known_at"),
    (F.col("a.delay") > 30).alias("late_again"),
)
"""

_STAMP = {"type": "timestamp", "nullable": False}
_ID = {"id": {"type": "bigint", "nullable": False}}
_NUMBERS = dict.fromkeys(("departures", "mean_delay", "hour_mean", "own_delay", "line_delay", "line_by_then"), "double")


def notebooks(put_together: str = PUT_TOGETHER, joined: str = JOINED) -> dict[str, Any]:
    functions = "from pyspark.sql import functions as F"
    return {
        "silver/trips": notebook("silver/trips", TRIPS, 'lake.write(trips, "silver.trips")'),
        "silver/lines": notebook("silver/lines", LINES, 'lake.write(lines, "silver.lines")'),
        "features/trip": notebook(
            "features/trip", FEATURES, joined, put_together, 'lake.write(df, "features.trip")', imports=functions
        ),
    }


def contracts(**features: Any) -> dict[str, Any]:
    left_at, known = _itself("left_at"), _itself("label_known_at")
    trips = {**_ID, "bus": "string", "planned": _STAMP, "left_at": left_at, "delay": {"type": "int", "known_at": "left_at"}}
    lines = {"bus": {"type": "string", "nullable": False}, "updated_at": _STAMP, "driver": "string", "mean_delay": "double"}
    label = {"is_late": {"type": "boolean", "known_at": "label_known_at"}, "label_known_at": known, "late_again": "boolean"}
    trip = {**_ID, "bus": "string", "asked_at": _STAMP, **_NUMBERS, "departures": "bigint", "own_delay": "int", "driver": "string"}
    return {
        "silver.trips": contract("silver.trips", trips, key=["id"]),
        "silver.lines": contract("silver.lines", lines, key=["bus"], known_at="updated_at"),
        "features.trip": contract("features.trip", {**trip, **label}, key=["id"], **{"known_at": "asked_at", **features}),
    }


def _itself(name: str) -> dict[str, str]:
    """A moment that is known when it comes."""
    return {"type": "timestamp", "known_at": name}
