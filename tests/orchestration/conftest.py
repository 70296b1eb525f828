"""Tiny projects, and one lake with a real Spark server and real kernels for the tests that run notebooks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lakehouse import settings
from lakehouse.settings import Settings
from tests.notebooks import MONTHS, contract, notebook, project

PARAMETERS = 'months: list[month] = ["2013-01"]  # months to build'

SOURCES = """
    from lakehouse.partitions import PartitionSpace
    from lakehouse.source import Delivery, Source

    def deliver(partition):
        yield Delivery("things.csv", f"id,month\\n{partition}-1,{partition}\\n{partition}-2,{partition}\\n".encode())

    things = Source(
        "raw.things", deliver, partitions=PartitionSpace("month", "2013-01", "2013-03"),
        options={"header": "true"}, description="Things, month by month.", owner="Field Team",
    )
"""


def monthly(name: str, reads: str, *before_write: str, partitions: str = "own") -> dict[str, Any]:
    """A notebook by month that copies one table to the table of its own name."""
    table = name.replace("/", ".")
    return notebook(
        name,
        f'df = lake.read("{reads}", partitions="{partitions}").select("id", "month")',
        *before_write,
        f'lake.write(df, "{table}")',
        parameters=PARAMETERS,
        imports="from lakehouse import month",
    )


def monthly_contract(table: str, **more: Any) -> dict[str, Any]:
    columns = {name: {"type": "string", "nullable": False} for name in ("id", "month")}
    return contract(table, columns, key=["id"], partitions=MONTHS, **more)


SUMS = notebook(
    "gold/sums",
    'df = lake.sql("select month, count(*) as n from silver.a group by month", partitions="all")',
    'lake.write(df, "gold.sums")',
)
SUMS_CONTRACT = contract("gold.sums", {"month": {"type": "string", "nullable": False}, "n": "bigint"})


def small_project(folder: Path, changed: Mapping[str, Any] | None = None) -> Path:
    """raw.things → bronze.things → silver.a → gold.sums, and silver.b beside silver.a; `changed` replaces notebooks."""
    notebooks = {
        "bronze/things": monthly("bronze/things", "raw.things"),
        "silver/a": monthly("silver/a", "bronze.things"),
        "silver/b": monthly("silver/b", "bronze.things"),
        "gold/sums": SUMS,
        **(changed or {}),
    }
    no_x = {"type": "expect_column_values_to_not_be_in_set", "kwargs": {"column": "id", "value_set": ["x"]}}
    contracts = {
        "bronze.things": monthly_contract("bronze.things"),
        "silver.a": monthly_contract("silver.a", freshness="2d"),
        "silver.b": monthly_contract("silver.b", expectations=[{**no_x, "severity": "warn", "reason": "x is a placeholder"}]),
        "gold.sums": SUMS_CONTRACT,
    }
    return project(folder, notebooks, contracts, SOURCES)


@dataclass
class Place:
    """A project and the lake it works on."""

    settings: Settings
    environ: dict[str, str]

    def python(self, code: str, *arguments: str) -> str:
        """What `code` prints in a process of its own, as the command line would be one."""
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), *arguments],
            cwd=self.settings.project, env=self.environ, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout

    def run(self, *selection: str, partitions: str = "") -> dict[str, Any]:
        """Plans and launches; the events, and each asset's outcome."""
        return json.loads(self.python(LAUNCH, partitions, *selection).splitlines()[-1])


LAUNCH = """
    import json, sys
    from lakehouse import plan, settings, tables
    from lakehouse.orchestration import launch
    from lakehouse.project import Project

    now = settings.load()
    project = Project.load(now.project)
    tables.open_root(now.root)
    chosen = project.select(sys.argv[2:] or ["*"])
    steps = plan.plan(project, now, chosen, plan.requested(project, chosen, sys.argv[1]) if sys.argv[1] else None)
    events = []
    outcomes = launch.execute(project, now, steps, lambda asset, event, seconds, outcome: events.append([asset.slashed, event]))
    print(json.dumps({"events": events, "outcomes": {
        o.asset.slashed: {
            "status": o.status, "rows": o.rows, "cause": o.cause, "partitions": o.partitions, "checks": len(o.checks),
            "notebook": str(o.notebook) if o.notebook else None, "seconds": o.seconds,
            "run": o.record.labels["dagster run"] if o.record else None,
        } for o in outcomes}}))
"""


def place_of(folder: Path, root: Path, **environ: str) -> Place:
    ours = {"LAKEHOUSE_PROJECT": str(folder), "LAKEHOUSE_ROOT": str(root), **environ}
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LAKEHOUSE_", "DAGSTER_"))}
    return Place(settings.load(ours), {**clean, **ours})


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A small project with a lake of its own, in which nothing runs."""
    return place_of(small_project(tmp_path / "project"), tmp_path / "lake")


@pytest.fixture(scope="module")
def live_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A lake whose Spark server and fork process end with the module's tests."""
    from lakehouse import kernels
    from lakehouse.spark import server

    folder = tmp_path_factory.mktemp("live")
    ours = place_of(small_project(folder / "project"), folder / "lake").settings
    try:
        yield ours.root
    finally:
        kernels.stop(ours)
        server.stop(ours)
