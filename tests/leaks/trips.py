"""Trips of two buses, and features of them at the moment of asking: clean ones, and every kind of leak.

A trip is asked about an hour before it should leave. Every twenty minutes one should, and it leaves up to an hour late.
"""

from __future__ import annotations

from typing import Any

from tests.notebooks import contract, notebook

LEAKS = ("own_delay", "hour_mean", "line_delay", "driver", "late_again")

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
        as (bus, updated_at, driver, line_delay)
''')
"""
QUESTIONS = """
asked = lake.sql("select id, bus, planned - interval 1 hour as asked_at, delay, left_at from silver.trips")
"""
EVENTS = """
trips, lines = lake.read("silver.trips"), lake.read("silver.lines")
earlier = asked.alias("a").join(trips.alias("t"), F.expr("t.bus = a.bus and t.left_at <= a.asked_at"), "left")
known = earlier.groupBy("a.id").agg(F.count("t.id").alias("departures"), F.avg("t.delay").alias("mean_delay"))
hour = asked.alias("a").join(trips.alias("t"), F.expr("date_trunc('hour', t.left_at) = date_trunc('hour', a.asked_at)"), "left")
means = hour.groupBy("a.id").agg(F.avg("t.delay").alias("hour_mean"))
"""
FEATURES = """
joined = asked.alias("a").join(known, "id").join(means, "id").join(lines.alias("l"), "bus", "left")
df = joined.selectExpr(
    "id", "bus", "asked_at", "departures", "mean_delay", "hour_mean", "a.delay as own_delay", "l.line_delay", "driver",
    "if(l.updated_at <= a.asked_at, l.line_delay, null) as line_by_then", "a.delay > 30 as late_again",
    "a.delay > 30 as is_late", "a.left_at as label_known_at",
)
"""
LABEL = {
    "is_late": {"type": "boolean", "known_at": "label_known_at"},
    "label_known_at": {"type": "timestamp", "known_at": "label_known_at"},
}
COLUMNS = {
    "departures": "bigint", **dict.fromkeys(("mean_delay", "hour_mean"), "double"), "own_delay": "int", "line_delay": "double",
    "driver": {"type": "string", "personal": True}, "line_by_then": "double", "late_again": "boolean", **LABEL,
}  # fmt: skip

_STAMP = {"type": "timestamp", "nullable": False}
_KEY = {"id": {"type": "bigint", "nullable": False}, "bus": "string", "asked_at": _STAMP}


def sources() -> dict[str, Any]:
    """The notebooks of silver, which say when each thing is known."""
    return {
        "silver/trips": notebook("silver/trips", TRIPS, 'lake.write(trips, "silver.trips")'),
        "silver/lines": notebook("silver/lines", LINES, 'lake.write(lines, "silver.lines")'),
    }


def features(*cells: str) -> dict[str, Any]:
    """The notebook features/trip, which asks, then does `cells`, and writes `df`."""
    functions = "from pyspark.sql import functions as F"
    return {"features/trip": notebook("features/trip", QUESTIONS, *cells, 'lake.write(df, "features.trip")', imports=functions)}


def promises() -> dict[str, Any]:
    """Contracts of silver."""
    told = {"left_at": {"type": "timestamp", "known_at": "left_at"}, "delay": {"type": "int", "known_at": "left_at"}}
    trips = {"id": _KEY["id"], "bus": "string", "planned": _STAMP, **told}
    lines = {"bus": {"type": "string", "nullable": False}, "updated_at": _STAMP, "driver": "string", "line_delay": "double"}
    return {
        "silver.trips": contract("silver.trips", trips, key=["id"]),
        "silver.lines": contract("silver.lines", lines, key=["bus"], known_at="updated_at"),
    }


def promise(columns: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The contract of features.trip."""
    return {"features.trip": contract("features.trip", {**_KEY, **columns}, **{"key": ["id"], "known_at": "asked_at", **more})}
