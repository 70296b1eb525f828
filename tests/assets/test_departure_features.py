from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from assets.transforms import delay_model
from assets.transforms import departure_features as features
from lakehouse.contract import load
from lakehouse.features import asked
from lakehouse.names import TableName
from tests.assets.frames import rows, utc

SCHEMA = (
    "flight_id string, month string, flight_date date, carrier string, origin string, destination string, tail_number string, "
    "distance int, status string, departure_hour int, departure_minute int, scheduled_departure timestamp, "
    "scheduled_arrival timestamp, departed_at timestamp, arrived_at timestamp, departure_delay int, arrival_delay int, "
    "plane_year int, plane_seats int"
)
WEATHER = "origin string, known_at timestamp, " + ", ".join(f"{name} double" for name in features.WEATHER)
FOLDER = Path(__file__).parents[2] / "assets" / "contracts" / "features"
ASKED = utc("07-15 10:00")
SUBJECT = "the flight asked about"


def flight(name: str, scheduled: str, delay: int | None = 0, late: int | None = 0, **other: Any) -> dict[str, Any]:
    """A flight of two hours; without `delay` it is cancelled, without `late` diverted."""
    departure = utc(scheduled)
    arrival = departure + timedelta(hours=2)
    fate = "cancelled" if delay is None else "diverted" if late is None else "landed"
    gone = delay is None or late is None
    usual = {
        "flight_id": name, "month": f"{departure:%Y-%m}", "flight_date": date(2013, 7, 15), "carrier": "UA", "origin": "EWR",
        "destination": "IAH", "tail_number": None, "distance": 1400, "status": fate, "departure_hour": 8,
        "departure_minute": 480, "scheduled_departure": departure, "scheduled_arrival": arrival,
        "departed_at": None if delay is None else departure + timedelta(minutes=delay),
        "arrived_at": None if gone else arrival + timedelta(minutes=late or 0),
        "departure_delay": delay, "arrival_delay": None if gone else late, "plane_year": 2003, "plane_seats": 150,
    }  # fmt: skip
    return {**usual, **other}


def observed(known: str, temperature: float, origin: str = "EWR") -> tuple[Any, ...]:
    return (origin, utc(known), temperature, *[1.0] * (len(features.WEATHER) - 1))


def frame(spark: SparkSession, flights: list[dict[str, Any]]) -> DataFrame:
    return spark.createDataFrame([tuple(one.values()) for one in flights], SCHEMA)


def build(spark: SparkSession, flights: list[dict[str, Any]], weather: list[tuple[Any, ...]] | None = None) -> DataFrame:
    """As the notebook does it, with the feature views as their contracts say."""
    silver, sky = frame(spark, flights), spark.createDataFrame(weather or [observed("01-01 00:00", 0.0)], WEATHER)
    rows = {"origin_weather": sky, "plane_landing": features.landings(silver)}
    views = {"features.origin_weather": features.WEATHER, "features.plane_landing": features.LANDING}
    contracts = {TableName("features", name): load(FOLDER / f"{name}.yaml") for name in rows}
    asked_of = features.questions(silver, ["2013-07"])
    known = asked.answer(contracts, asked_of, views, "asked_at", lambda table: rows[table.name])
    known = features.with_hours_since_landing(known)
    known = features.with_origin(known, silver)
    known = features.with_carrier(known, silver)
    return features.with_destination(known, silver)


def of_subject(
    spark: SparkSession, others: list[dict[str, Any]], *columns: str, weather: Any = None, **subject: Any
) -> tuple[Any, ...]:
    flights = [flight(SUBJECT, "07-15 12:00", **subject), *others]
    return rows(build(spark, flights, weather), *columns)[SUBJECT]


def test_a_question_is_asked_two_hours_before_the_scheduled_departure(spark: SparkSession) -> None:
    found = rows(
        build(spark, [flight(SUBJECT, "07-15 12:00", 90, 30), flight("june", "06-30 12:00")]),
        "asked_at", "weekday", "scheduled_minutes", "plane_age", "is_late", "label_known_at",
    )  # fmt: skip
    assert found == {SUBJECT: ("2013-07-15 10:00:00", "0", "120", "10", "true", "2013-07-15 14:30:00")}


@pytest.mark.parametrize(
    "delay, late, answer",
    [(0, 15, "false"), (0, 16, "true"), (60, -5, "false"), (5, None, None), (None, None, None)],
    ids=["15 minutes are punctual", "16 are late", "left late, made it up", "diverted", "cancelled"],
)
def test_the_label(spark: SparkSession, delay: int | None, late: int | None, answer: str | None) -> None:
    flights = frame(spark, [flight(SUBJECT, "07-15 12:00", delay, late)])
    found = rows(features.questions(flights, ["2013-07"]), "is_late", "label_known_at")[SUBJECT]
    assert found[0] == answer
    assert (found[1] is None) == (answer is None)


def test_departures_of_the_last_three_hours_count_once_the_plane_has_left(spark: SparkSession) -> None:
    others = [
        flight("left just now", "07-15 09:50", 10),
        flight("left after the question", "07-15 09:50", 11),
        flight("left three hours ago", "07-15 07:00", 0),
        flight("left a little later than that", "07-15 07:01", 0),
        flight("from another airport", "07-15 09:00", 100, origin="JFK", carrier="AA"),
        flight("of another carrier", "07-15 09:00", 20, carrier="AA"),
        flight("cancelled", "07-15 09:00", None, None),
    ]
    columns = ("origin_departures", "origin_delay", "carrier_departures", "carrier_delay")
    assert of_subject(spark, others, *columns) == ("3", "10.0", "2", "5.0")


def test_flights_past_their_time_wait_cancelled_ones_too(spark: SparkSession) -> None:
    others = [
        flight("waits", "07-15 09:00", 200),
        flight("will be cancelled", "07-15 09:30", None, None),
        flight("was cancelled long ago", "07-15 04:00", None, None),
        flight("has left", "07-15 09:00", 30),
        flight("is not due yet", "07-15 10:01", 60),
        flight("waits elsewhere", "07-15 09:00", 200, origin="LGA"),
    ]
    assert of_subject(spark, others, "origin_overdue") == ("2",)


def test_landings_at_the_destination_count_diverted_flights_do_not(spark: SparkSession) -> None:
    others = [
        flight("landed", "07-15 07:00", 0, 20),
        flight("lands after the question", "07-15 07:00", 0, 61),
        flight("diverted", "07-15 07:00", 0, None),
        flight("landed elsewhere", "07-15 07:00", 0, 20, destination="BOS"),
    ]
    assert of_subject(spark, others, "destination_arrivals", "destination_delay") == ("1", "20.0")


def test_nothing_known_is_null_not_zero(spark: SparkSession) -> None:
    columns = ("origin_departures", "origin_delay", "carrier_delay", "destination_delay", "plane_last_delay", "temperature")
    assert of_subject(spark, [], *columns) == ("0", None, None, None, None, None)


def test_the_planes_last_landing_counts_if_it_is_known_and_recent(spark: SparkSession) -> None:
    others = [
        flight("earlier leg", "07-14 12:00", 0, 5, tail_number="N1"),
        flight("last leg", "07-15 06:00", 0, 45, tail_number="N1"),
        flight("in the air", "07-15 08:30", 0, 50, tail_number="N1"),
        flight("another plane", "07-15 06:00", 0, 99, tail_number="N2"),
    ]
    columns = ("plane_last_delay", "plane_hours_since")
    assert of_subject(spark, others, *columns, tail_number="N1") == ("45", "1.25")
    assert of_subject(spark, others, *columns) == (None, None)
    long_ago = [flight("two days ago", "07-13 06:00", 0, 45, tail_number="N1")]
    assert of_subject(spark, long_ago, *columns, tail_number="N1") == (None, None)


def test_of_two_landings_in_one_minute_the_later_one_counts(spark: SparkSession) -> None:
    others = [flight(f"from {origin}", "07-15 06:00", 0, 45, tail_number="N1", origin=origin) for origin in ("EWR", "LGA")]
    others[0] |= {"scheduled_arrival": others[0]["arrived_at"], "arrival_delay": -20}
    assert rows(features.landings(frame(spark, others)), "arrival_delay", by="tail_number") == {"N1": ("45",)}


def test_the_weather_is_the_latest_observation_that_was_known(spark: SparkSession) -> None:
    weather = [observed("07-15 09:00", 70.0), observed("07-15 10:00", 71.0), observed("07-15 11:00", 72.0)]
    elsewhere = observed("07-15 10:00", 50.0, "JFK")
    assert of_subject(spark, [], "temperature", weather=[*weather, elsewhere]) == ("71.0",)
    assert of_subject(spark, [], "temperature", weather=[observed("07-15 04:00", 60.0)]) == (None,)


def test_the_first_flights_of_a_month_know_the_last_of_the_month_before(spark: SparkSession) -> None:
    flights = [flight("first", "07-01 04:30"), flight("of june", "06-30 23:50", 7, 0)]
    found = rows(build(spark, flights, [observed("07-01 00:00", 65.0)]), "origin_departures", "origin_delay", "temperature")
    assert found == {"first": ("1", "7.0", "65.0")}


def busy_day() -> list[dict[str, Any]]:
    """Flights every twenty minutes, of two carriers, four planes and two destinations, with all kinds of ends."""
    flights = []
    for number in range(48):
        scheduled = utc("07-15 00:00") + timedelta(minutes=20 * number)
        ends: tuple[int | None, int | None] = (None, None) if number % 11 == 5 else ((number * 7) % 90, (number * 13) % 120 - 20)
        if number % 13 == 6:
            ends = (30, None)
        other = {
            "carrier": "UA" if number % 3 else "AA",
            "destination": "IAH" if number % 2 else "BOS",
            "tail_number": f"N{number % 4}",
        }
        flights.append(flight(f"f{number:02d}", f"{scheduled:%m-%d %H:%M}", *ends, **other))
    return [flight(SUBJECT, "07-15 12:00", tail_number="N1"), *flights]


def as_if_later_were_otherwise(flights: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same flights, with everything that happened after the moment of asking changed."""
    changed = []
    for one in flights:
        new = dict(one)
        if one["departed_at"] is None or one["departed_at"] > ASKED:
            new |= {"departed_at": ASKED + timedelta(hours=9), "departure_delay": 777, "status": "landed"}
        if one["arrived_at"] is None or one["arrived_at"] > ASKED:
            new |= {"arrived_at": ASKED + timedelta(hours=12), "arrival_delay": 888}
        changed.append(new)
    return changed


def test_what_happens_after_the_moment_of_asking_changes_no_feature(spark: SparkSession) -> None:
    hours = [observed(f"07-15 {hour:02d}:00", 60.0 + hour) for hour in range(24)]
    otherwise = [hour if hour[1] <= ASKED else (hour[0], hour[1], *[-99.0] * len(features.WEATHER)) for hour in hours]
    flights = busy_day()
    before = rows(build(spark, flights, hours), *delay_model.INPUTS, "label_known_at")[SUBJECT]
    after = rows(build(spark, as_if_later_were_otherwise(flights), otherwise), *delay_model.INPUTS, "label_known_at")[SUBJECT]
    assert before[:-1] == after[:-1]
    assert before[-1] != after[-1], "the day was not changed at all"
    assert sum(value is None for value in before) == 0, "a feature was not tested, it is null"


def test_every_feature_depends_on_something_that_happened(spark: SparkSession) -> None:
    """That the leak test can see: changing what happened before the question does change the features."""
    flights = busy_day()
    earlier = [
        {**one, "departure_delay": (one["departure_delay"] or 0) + 5, "arrival_delay": (one["arrival_delay"] or 0) + 5}
        for one in flights
    ]
    columns = ("origin_delay", "carrier_delay", "destination_delay", "plane_last_delay")
    before, after = (rows(build(spark, day), *columns)[SUBJECT] for day in (flights, earlier))
    assert all(old != new for old, new in zip(before, after, strict=True))
