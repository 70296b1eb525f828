"""From the clocks on the wall to UTC: local dates, clock times such as 517 or 2400, time zones, daylight saving."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

ORIGIN_ZONE = "America/New_York"

# The register of airports leaves out Puerto Rico and the Virgin Islands, where 7,602 flights of 2013 went.
UNLISTED_ZONES = {
    "BQN": "America/Puerto_Rico",
    "PSE": "America/Puerto_Rico",
    "SJU": "America/Puerto_Rico",
    "STT": "America/St_Thomas",
}


def at_clock(day: Column, clock: Column, zone: Column) -> Column:
    """The moment at which clocks in `zone` show `clock` (hour times 100 + minute; 2400 is the end of `day`) on `day`.

    Where clocks are put back an hour occurs twice: the first is meant. Where they are put forward an hour is missing:
    a time within it counts as one hour later. Both are what `java.time` does.
    """
    date = F.when(clock == 2400, F.date_add(day, 1)).otherwise(day)
    hour = F.floor(clock / 100) % 24
    return F.make_timestamp(F.year(date), F.month(date), F.day(date), hour.cast("int"), (clock % 100).cast("int"), F.lit(0), zone)


def first_after(moment: Column, day: Column, clock: Column, zone: Column) -> Column:
    """The first time after `moment` that clocks in `zone` show `clock`, on `day` or the day after.

    `day` is the local date at the place of departure; zones to the east of it and flights of more than a day are not
    expected to need an earlier or a later date.
    """
    same_day = at_clock(day, clock, zone)
    return F.when(same_day > moment, same_day).otherwise(at_clock(F.date_add(day, 1), clock, zone))


def later(moment: Column, minutes: Column) -> Column:
    """`moment` moved by a whole number of minutes, which may be negative."""
    return F.timestamp_add("MINUTE", minutes, moment)


def zone_of(destination: Column, listed: Column) -> Column:
    """The destination's time zone: as `listed` in the register of airports, or from `UNLISTED_ZONES`, or null."""
    pairs = [F.lit(text) for pair in UNLISTED_ZONES.items() for text in pair]
    return F.coalesce(listed, F.try_element_at(F.create_map(*pairs), destination))
