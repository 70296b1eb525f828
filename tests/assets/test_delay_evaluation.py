from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from assets.transforms import delay_evaluation as delays


def flights(**columns: list[object]) -> pd.DataFrame:
    """Flights on a fair January noon, but for what is given."""
    size = len(next(iter(columns.values())))
    usual = {
        "flight_id": [f"f{number}" for number in range(size)],
        "scheduled_departure": [pd.Timestamp("2013-01-15 17:00")] * size,
        "asked_at": [pd.Timestamp("2013-01-15 15:00")] * size,
        "carrier": ["UA"] * size,
        "origin": ["EWR"] * size,
        "departure_hour": [12] * size,
        "distance": [700] * size,
        "carrier_departures": [5] * size,
        "carrier_delay": [3.0] * size,
        "origin_overdue": [2] * size,
        **{name: [10.0] * size for name in delays.WEATHER},
        "precipitation": [0.0] * size,
        "wind_gust": [np.nan] * size,
    }
    return pd.DataFrame({**usual, **columns})


@pytest.mark.parametrize(
    ("kind", "column", "values", "labels"),
    [
        pytest.param(
            "hour", "departure_hour", [5, 8, 9, 17, 18, 23], ["05-08", "05-08", "09-11", "15-17", "18-20", "21-23"], id="hour"
        ),
        pytest.param(
            "distance",
            "distance",
            [80, 499, 500, 1500, 4983],
            ["under 500 miles", "under 500 miles", "500-999 miles", "1500 miles and more", "1500 miles and more"],
            id="distance",
        ),
        pytest.param("weather", "precipitation", [0.0, 0.01, np.nan], ["fair", "rain", "fair"], id="rain"),
        pytest.param("weather", "visibility", [3.0, 2.9], ["fair", "fog"], id="fog"),
        pytest.param("weather", "wind_speed", [19.9, 20.0], ["fair", "wind"], id="wind"),
        pytest.param("weather", "wind_gust", [np.nan, 25.0], ["fair", "wind"], id="gusts"),
    ],
)
def test_every_flight_is_in_one_slice_of_a_kind(kind: str, column: str, values: list[object], labels: list[str]) -> None:
    assert list(delays.slices(flights(**{column: values}))[kind]) == labels


def test_without_any_observation_the_weather_is_unknown() -> None:
    assert list(delays.weather(delays.without_weather(flights(origin=["EWR"] * 10)))) == ["unknown"]


def test_a_day_is_new_yorks() -> None:
    asked = flights(scheduled_departure=[pd.Timestamp("2013-01-16 03:00"), pd.Timestamp("2013-01-16 05:00")])
    assert list(delays.day(asked)) == ["2013-01-15", "2013-01-16"]
    zoned = asked.assign(scheduled_departure=asked["scheduled_departure"].dt.tz_localize("UTC"))
    assert list(delays.day(zoned)) == ["2013-01-15", "2013-01-16"]


@pytest.mark.parametrize("change", ["2013-03-10 07:00", "2013-11-03 06:00"])
def test_the_day_after_a_clock_change_is_told_from_its_neighbours(change: str) -> None:
    hours = [-1, 1, 23, 25]
    asked = flights(scheduled_departure=[pd.Timestamp(change) + pd.Timedelta(hours=hour) for hour in hours])
    assert list(delays.after_the_clock_change(asked)["flight_id"]) == ["f1", "f2"]


def test_the_storm_day_is_the_one_with_most_rain() -> None:
    asked = flights(
        scheduled_departure=[pd.Timestamp(f"2013-01-{day} 17:00") for day in (14, 15, 15, 16)], precipitation=[0.2, 0.0, 0.5, 0.1]
    )
    assert list(delays.on_the_storm_day(asked)["flight_id"]) == ["f1", "f2"]


def test_where_nothing_was_observed_there_is_no_storm_day() -> None:
    assert delays.on_the_storm_day(flights(precipitation=[np.nan, np.nan])).empty
    assert delays.on_the_storm_day(flights(origin=["EWR"]).head(0)).empty


def test_only_outcomes_count_that_were_known_a_day_after_the_months_end() -> None:
    known = [pd.Timestamp("2013-02-01 23:00"), pd.Timestamp("2013-02-02 01:00")]
    found = delays.judged_on(flights(label_known_at=known, is_late=[True, False]), "2013-01", timedelta(days=1))
    assert (list(found["flight_id"]), list(found["is_late"]), list(found["day"])) == (["f0"], [1], ["2013-01-15"])


@pytest.mark.parametrize(
    ("change", "columns"),
    [
        (delays.windier, {"wind_speed", "wind_gust"}),
        (delays.more_overdue, {"origin_overdue"}),
        (delays.other_numbers, {"flight_id"}),
    ],
)
def test_a_copy_differs_in_what_it_says_only(change: object, columns: set[str]) -> None:
    before = flights(origin=["EWR", "JFK"], wind_gust=[20.0, np.nan])
    after = change(before)  # type: ignore[operator]
    assert {name for name in before if not before[name].equals(after[name])} == columns


def test_a_first_flight_is_of_a_carrier_that_nobody_knows() -> None:
    (first,) = delays.first_flights(flights(origin=["EWR"] * 10)).to_dict("records")
    assert first["carrier"] == "??" and first["carrier_departures"] == 0 and np.isnan(first["carrier_delay"])
