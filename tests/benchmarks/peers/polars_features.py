"""What was known of each flight two hours before, by Polars: sums over windows of time, and the latest by `join_asof`."""

from __future__ import annotations

import polars as pl

LATE_AFTER = 15  # minutes
WEATHER = ["temperature", "humidity", "wind_speed", "wind_gust", "precipitation", "pressure", "visibility"]


def known(flights: pl.DataFrame, weather: pl.DataFrame) -> pl.DataFrame:
    """The features of all `flights`."""
    departed = flights.filter(pl.col("departed_at").is_not_null())
    landed = flights.filter(pl.col("arrived_at").is_not_null())
    asked = questions(flights)
    asked = recent(asked, departed, "origin", "departed_at", "departure_delay", "3h", "origin_departures", "origin_delay")
    asked = with_weather(overdue(asked, flights), weather)
    asked = recent(asked, departed, "carrier", "departed_at", "departure_delay", "3h", "carrier_departures", "carrier_delay")
    asked = recent(asked, landed, "destination", "arrived_at", "arrival_delay", "6h", "destination_arrivals", "destination_delay")
    return with_plane(asked, landed)


def questions(flights: pl.DataFrame) -> pl.DataFrame:
    departure, landed = pl.col("scheduled_departure"), pl.col("status") == "landed"
    return flights.select(
        "flight_id",
        "month",
        "scheduled_departure",
        "carrier",
        "origin",
        "destination",
        "tail_number",
        "departure_hour",
        "departure_minute",
        "distance",
        "plane_seats",
        asked_at=departure.dt.offset_by("-2h"),
        weekday=pl.col("flight_date").dt.weekday().cast(pl.Int32) - 1,
        scheduled_minutes=(pl.col("scheduled_arrival") - departure).dt.total_minutes().cast(pl.Int32),
        plane_age=pl.col("flight_date").dt.year() - pl.col("plane_year"),
        is_late=pl.when(landed).then(pl.col("arrival_delay") > LATE_AFTER),
        label_known_at=pl.when(landed).then("arrived_at"),
    )


def recent(
    asked: pl.DataFrame, events: pl.DataFrame, key: str, at: str, delay: str, window: str, count: str, mean: str
) -> pl.DataFrame:
    """With the number of `events` of the same `key` in the `window` before asking, and the mean of their `delay`."""
    happened = events.select(pl.col(key), pl.col(at).alias("at"), one=1, total=pl.col(delay).cast(pl.Int64))
    asking = asked.select("flight_id", key, at="asked_at", one=0, total=pl.lit(0, pl.Int64))
    stream = pl.concat([happened, asking], how="diagonal").sort("at")
    answers = (
        stream.with_columns(pl.col("one", "total").rolling_sum_by("at", window_size=window, closed="right").over(key))
        .filter(pl.col("flight_id").is_not_null())
        .select(
            "flight_id",
            pl.col("one").cast(pl.Int64).alias(count),
            pl.when(pl.col("one") > 0).then(pl.col("total") / pl.col("one")).alias(mean),
        )
    )
    return asked.join(answers, on="flight_id", how="left")


def overdue(asked: pl.DataFrame, flights: pl.DataFrame) -> pl.DataFrame:
    """With the number of flights that should have left the origin and have not, for six hours at most."""
    limit = pl.col("scheduled_departure").dt.offset_by("6h")
    gone = pl.min_horizontal(limit, pl.coalesce("departed_at", limit))
    waiting = flights.select("origin", start="scheduled_departure", end=gone).filter(pl.col("end") > pl.col("start"))
    changes = pl.concat(
        [
            waiting.select("origin", asked_at="start", change=pl.lit(1, pl.Int64)),
            waiting.select("origin", asked_at="end", change=pl.lit(-1, pl.Int64)),
        ]
    ).sort("asked_at")
    standing = changes.with_columns(origin_overdue=pl.col("change").cum_sum().over("origin")).drop("change")
    # Of several changes at one moment the last row has them all, and that is the one that is joined.
    return latest(asked, standing, "origin").with_columns(pl.col("origin_overdue").fill_null(0))


def with_weather(asked: pl.DataFrame, weather: pl.DataFrame) -> pl.DataFrame:
    seen = weather.select("origin", "known_at", *WEATHER, asked_at="known_at").sort("asked_at")
    fresh = (pl.col("asked_at") - pl.col("known_at")).dt.total_minutes() < 6 * 60
    joined = latest(asked, seen, "origin")
    return joined.with_columns(pl.when(fresh).then(pl.col(name)).alias(name) for name in WEATHER).drop("known_at")


def with_plane(asked: pl.DataFrame, landed: pl.DataFrame) -> pl.DataFrame:
    """With the last landing of the same plane, if it is not more than 36 hours ago."""
    landings = landed.filter(pl.col("tail_number").is_not_null()).sort("arrived_at", "arrival_delay")
    landings = landings.select("tail_number", "arrived_at", "arrival_delay", asked_at="arrived_at")
    joined = latest(asked, landings, "tail_number")
    hours = (pl.col("asked_at") - pl.col("arrived_at")).dt.total_minutes() / 60
    return joined.with_columns(
        plane_last_delay=pl.when(hours < 36).then("arrival_delay"), plane_hours_since=pl.when(hours < 36).then(hours)
    ).drop("tail_number", "arrived_at", "arrival_delay")


def latest(asked: pl.DataFrame, changes: pl.DataFrame, key: str) -> pl.DataFrame:
    """`asked` with the last row of `changes` of its `key` by then; `changes` are sorted by their `asked_at`."""
    return asked.sort("asked_at").join_asof(changes, on="asked_at", by=key, check_sortedness=False)
