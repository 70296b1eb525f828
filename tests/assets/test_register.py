"""The aircraft register's changes, and the shipped notebook that makes the register and its history of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assets import register, sources
from tests.workspace import Workspace

SHIPPED = Path(__file__).parents[2]
MONTHS = [f"2013-{number:02d}" for number in range(1, 13)]
PLANES = "tailnum, year, type, manufacturer, model, engines, seats, speed, engine"


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
def shipped(new_workspace: Callable[[str], Workspace]) -> Callable[[], Workspace]:
    """Makes lakes of the shipped source, contracts and notebook."""

    def make() -> Workspace:
        made = new_workspace("register")
        for path in ("assets/sources.py", "assets/register.py", "assets/__init__.py", "notebooks/bronze/aircraft.ipynb"):
            (made.project / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(SHIPPED / path, made.project / path)
        shutil.copytree(SHIPPED / "assets" / "contracts" / "bronze", made.project / "assets" / "contracts" / "bronze")
        return made

    return make


def test_in_batches_or_at_once_the_register_ends_as_the_package_has_it(shipped: Callable[[], Workspace]) -> None:
    in_two, at_once = shipped(), shipped()
    in_two.land("raw.aircraft", "2013-12", "2013-08", "2013-01")
    in_two.run("bronze/aircraft")
    waiting = in_two.rows("bronze.aircraft_aside", "reason")
    assert waiting and {reason for (reason,) in waiting} <= {f"transaction corrections of {key}-15 is incomplete" for key in MONTHS}
    in_two.land("raw.aircraft", *MONTHS)
    in_two.run("bronze/aircraft")
    at_once.land("raw.aircraft", *MONTHS)
    at_once.run("bronze/aircraft")

    assert in_two.rows("bronze.aircraft_aside") == []
    tables = {table: at_once.rows(table) for table in ("bronze.aircraft", "bronze.aircraft_history")}
    assert {table: in_two.rows(table) for table in tables} == tables
    planes = register.planes(sources._content("planes.csv"))
    oldest = sorted((row["year"] or 9999, row["tailnum"]) for row in planes)[:2]
    names = PLANES.split(", ")
    expected = [tuple(row[name] for name in names) for row in planes if (row["year"], row["tailnum"]) not in oldest]
    assert in_two.rows("bronze.aircraft", PLANES) == sorted(expected, key=str)
    assert at_once.plan("bronze/aircraft") == []
