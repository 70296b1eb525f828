"""The aircraft register's changes, and the shipped notebook that makes the register and its history of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql.connect.session import SparkSession

from assets import register, sources
from lakehouse import cdc
from tests.workspace import Workspace

SHIPPED = Path(__file__).parents[2]
MONTHS = [f"2013-{number:02d}" for number in range(1, 13)]
PLANES = "tailnum, year, type, manufacturer, model, engines, seats, speed, engine"
COLUMNS = "tailnum string, year int, seats int"


@pytest.fixture(scope="module")
def lines() -> dict[str, list[dict[str, Any]]]:
    return {key: [json.loads(line) for line in content.splitlines()] for key, content in sources._register().items()}


def test_every_month_brings_changes_out_of_order_and_some_twice(lines: dict[str, list[dict[str, Any]]]) -> None:
    assert sorted(lines) == MONTHS
    told = [json.dumps(one) for of in lines.values() for one in of]
    assert len(told) > len(set(told))
    for key, of in lines.items():
        places = [one["source"]["lsn"] for one in of if one.get("op") not in (None, "r")]
        assert places != sorted(places), key
    ops = {op: len({json.dumps(one) for of in lines.values() for one in of if one.get("op") == op}) for op in "cudr"}
    assert ops == {"c": 92, "u": 33 + 4, "d": 2, "r": 3230}


def test_the_same_bytes_are_delivered_each_time() -> None:
    first = sources._register()
    sources._register.cache_clear()
    assert sources._register() == first


@pytest.fixture(scope="module")
def shipped(new_workspace: Callable[[str], Workspace]) -> Workspace:
    """A lake of the shipped sources, contracts and notebook."""
    made = new_workspace("register")
    shutil.copytree(SHIPPED / "assets", made.project / "assets", ignore=shutil.ignore_patterns("__pycache__"))
    (made.project / "notebooks" / "bronze").mkdir(parents=True)
    shutil.copy(SHIPPED / "notebooks" / "bronze" / "aircraft.ipynb", made.project / "notebooks" / "bronze")
    return made


def test_in_batches_or_at_once_the_register_ends_as_the_package_has_it(shipped: Workspace, spark: SparkSession) -> None:
    shipped.land("raw.aircraft", "2013-12", "2013-08", "2013-01")
    shipped.run("bronze/aircraft")
    waiting = shipped.rows("bronze.aircraft_aside", "reason")
    assert waiting and {reason for (reason,) in waiting} <= {f"transaction corrections of {key}-15 is incomplete" for key in MONTHS}
    shipped.land("raw.aircraft", *MONTHS)
    shipped.run("bronze/aircraft")

    assert shipped.rows("bronze.aircraft_aside") == []
    told = [(line,) for content in sources._register().values() for line in content.decode().splitlines()]
    batch = cdc.events(spark.createDataFrame(told, "value string"), COLUMNS, ["tailnum"])
    compared = ("tailnum", "position", "op", "seats", "deleted", "valid_from", "valid_to", "next_position")
    at_once = cdc.history(batch.events, ["tailnum"]).select(*compared).collect()
    assert shipped.rows("bronze.aircraft_history", ", ".join(compared)) == sorted(map(tuple, at_once), key=str)
    planes = register.planes(sources._content("planes.csv"))
    oldest = sorted((row["year"] or 9999, row["tailnum"]) for row in planes)[:2]
    names = PLANES.split(", ")
    expected = [tuple(row[name] for name in names) for row in planes if (row["year"], row["tailnum"]) not in oldest]
    assert shipped.rows("bronze.aircraft", PLANES) == sorted(expected, key=str)
    assert shipped.plan("bronze/aircraft") == []
