"""How the model of late arrivals is judged: on which rows, by which slices, and what it must do whatever its figures are.

The weather of a flight is what was observed at its origin two hours before.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd

WEATHER = ["temperature", "humidity", "wind_speed", "wind_gust", "precipitation", "pressure", "visibility"]
_HOURS = {"05-08": 8, "09-11": 11, "12-14": 14, "15-17": 17, "18-20": 20, "21-23": 23}
_MILES = {"under 500 miles": 499, "500-999 miles": 999, "1000-1499 miles": 1499, "1500 miles and more": np.inf}


def judged_on(flights: pd.DataFrame, through: str, grace: timedelta) -> pd.DataFrame:
    """Of flights with an outcome those of which it was known so long after the month `through` ended, with their local `day`."""
    known = flights[flights["label_known_at"] <= pd.Period(through).end_time + grace]
    return known.assign(is_late=known["is_late"].astype(int), day=day(known)).reset_index(drop=True)


def day(rows: pd.DataFrame) -> pd.Series:
    """The local day of the scheduled departure, as 2013-02-28."""
    return _local(rows["scheduled_departure"]).dt.strftime("%Y-%m-%d")


def slices(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """The kinds of slices, each with a label by row."""
    return {
        "carrier": rows["carrier"],
        "origin": rows["origin"],
        "hour": _steps(rows["departure_hour"], _HOURS),
        "distance": _steps(rows["distance"], _MILES),
        "weather": weather(rows),
    }


def weather(rows: pd.DataFrame) -> pd.Series:
    """In one word, the first that fits: unknown, rain (or snow), fog (less than 3 miles of sight), wind (20 mph or gusts), fair."""
    fits = {
        "unknown": rows[WEATHER].isna().all(axis=1),
        "rain": rows["precipitation"] > 0,
        "fog": rows["visibility"] < 3,
        "wind": (rows["wind_speed"] >= 20) | rows["wind_gust"].notna(),
    }
    return pd.Series(np.select(list(fits.values()), list(fits), "fair"), rows.index)


def windier(rows: pd.DataFrame) -> pd.DataFrame:
    """With 15 mph more wind."""
    return rows.assign(wind_speed=rows["wind_speed"] + 15, wind_gust=rows["wind_gust"] + 15)


def more_overdue(rows: pd.DataFrame) -> pd.DataFrame:
    """With ten more flights that stand at the origin past their time."""
    return rows.assign(origin_overdue=rows["origin_overdue"] + 10)


def other_numbers(rows: pd.DataFrame) -> pd.DataFrame:
    """With each other's flight numbers (a part of `flight_id`)."""
    return rows.assign(flight_id=rows["flight_id"].to_numpy()[::-1])


def first_flights(rows: pd.DataFrame) -> pd.DataFrame:
    """Every tenth flight, as if it were the first of a carrier that nobody knows."""
    return rows.iloc[::10].assign(carrier="??", carrier_departures=0, carrier_delay=np.nan)


def without_weather(rows: pd.DataFrame) -> pd.DataFrame:
    """Every tenth flight, as if the weather stations were silent."""
    return rows.iloc[::10].assign(**dict.fromkeys(WEATHER, np.nan))


def on_the_storm_day(rows: pd.DataFrame) -> pd.DataFrame:
    """The flights of the day on which most rain or snow fell; none where nothing was observed."""
    days = day(rows)
    fallen = rows["precipitation"].groupby(days).mean().dropna()
    return rows[days.isin(fallen.nlargest(1).index)]


def after_the_clock_change(rows: pd.DataFrame) -> pd.DataFrame:
    """The flights of the 24 hours after the clocks were changed."""
    moment, hours = rows["scheduled_departure"], pd.Timedelta(hours=24)
    return rows[_offset(moment) != _offset(moment - hours)]


def _steps(values: pd.Series, steps: dict[str, float]) -> pd.Series:
    return pd.cut(values, [-np.inf, *steps.values()], labels=list(steps))


def _local(moment: pd.Series) -> pd.Series:
    """In New York's time; without a zone it is UTC."""
    return (moment if moment.dt.tz else moment.dt.tz_localize("UTC")).dt.tz_convert("America/New_York")


def _offset(moment: pd.Series) -> pd.Series:
    local = _local(moment)
    return local.dt.tz_localize(None) - local.dt.tz_convert("UTC").dt.tz_localize(None)
