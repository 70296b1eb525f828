"""The shipped notebooks of features hold against six real days of January, of which every later part is altered."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from assets import sources
from lakehouse import runner
from lakehouse.leaks import check
from lakehouse.leaks.outcome import Outcome
from lakehouse.names import TableName
from lakehouse.project import Project
from tests.workspace import Workspace, monthly

HERE = Path(__file__).parents[2]
DEPARTURE = TableName("features", "flight_departure")
DAYS = tuple(f"2013,1,{day},".encode() for day in range(1, 7))
IMPORTS = """
from pyspark.sql import functions as F
from assets.transforms.flights import on_utc, one_per_flight, with_plane, with_weather
from assets.transforms.weather import observations
"""
TEXT = """
def delivered(name):
    text = lake.spark.read.csv(f"{project}/{name}", header=True)
    return text.withColumns({"_received_at": F.lit("2013-12-31").cast("timestamp"), "_source_file": F.lit(name)})
"""
FLIGHTS = """
flights = on_utc(one_per_flight(delivered("flights.csv")), delivered("airports.csv"))
flights = with_plane(with_weather(flights, lake.read("silver.weather")), delivered("planes.csv"))
lake.write(flights, "silver.flights")
"""
OBSERVED = """
weather = observations(delivered("weather.csv")).localCheckpoint()
lake.write(weather, "silver.weather")
"""


def sample(name: str) -> str:
    """A file of the source; of flights and weather those days' lines."""
    header, *lines = sources._content(name).splitlines(keepends=True)
    of_days = [line for line in lines if name == "flights.csv.zip" and line.startswith(DAYS)]
    of_days += [line for line in lines if name == "weather.csv" and line.split(b",", 1)[1].startswith(DAYS)]
    return b"".join([header, *(of_days or lines)]).decode()


def promises() -> dict[str, Any]:
    """The shipped contracts, without what is expected of whole months."""
    folder = HERE / "assets" / "contracts"
    found = {}
    for path in (folder / "silver" / "flights.yaml", folder / "silver" / "weather.yaml", *folder.glob("features/*.yaml")):
        promised = yaml.safe_load(path.read_text()) | {"expectations": [], "references": [], "profile": False}
        found[promised["table"]] = json.loads(json.dumps(promised, default=str))
    return found


@pytest.fixture(scope="module")
def place(new_workspace: Callable[[str], Workspace]) -> Workspace:
    made = new_workspace("six days")
    read = f"project = {str(made.project)!r}\n{TEXT}"
    silver = {
        "silver/flights": monthly("silver/flights", read, FLIGHTS, imports=IMPORTS),
        "silver/weather": monthly("silver/weather", read, OBSERVED, imports=IMPORTS),
    }
    shipped = {f"features/{path.stem}": path.read_text() for path in HERE.glob("notebooks/features/*.ipynb")}
    names = {"flights.csv": "flights.csv.zip", **{name: name for name in ("weather.csv", "airports.csv", "planes.csv")}}
    files = {name: sample(packed) for name, packed in names.items()}
    files |= {f"assets/transforms/{path.name}": path.read_text() for path in HERE.glob("assets/transforms/*.py")}
    made.write(silver | shipped, promises(), files=files)
    for asset in Project.load(made.project).order():
        made.run(asset.slashed, months=["2013-01"])
    return made


@pytest.fixture
def look(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> Callable[[TableName], Outcome]:
    """Probes a table, with the notebook's cells run in this process."""
    monkeypatch.setattr(runner, "rehearse", place.rehearse)
    return lambda table: check.look(Project.load(place.project), place.settings, table)


def test_no_feature_changes_with_what_came_later(look: Callable[[TableName], Outcome]) -> None:
    found = look(DEPARTURE)
    assert (found.leaks, found.unsteady) == ([], [])
    assert found.answers[0].rows > 1000 and found.answers[0].altered["silver.flights"] > 1000


def test_a_departure_that_counts_before_it_happened_is_a_leak(place: Workspace, look: Callable[[TableName], Outcome]) -> None:
    shipped = (HERE / "notebooks/features/flight_departure.ipynb").read_text()
    early = 'flights.withColumn(\\"departed_at\\", F.col(\\"scheduled_departure\\"))'
    changed = shipped.replace("with_carrier(known, flights)", f"with_carrier(known, {early})")
    assert changed != shipped
    place.write({"features/flight_departure": changed}, {})
    place.run("features/flight_departure", months=["2013-01"])
    assert {one.column for one in look(DEPARTURE).leaks} == {"carrier_delay"}
