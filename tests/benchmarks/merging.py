"""`lakehouse bench merge`: what a merge of 1% and 10% of the flights costs, at 1, 10, 100 times the flights.

Each scale has a generated project (grown_project.py) with a lake of its own, and one notebook more: it makes a table of
all flights with a number as key, then merges changes of a seeded share of them into it. Of ten changed rows eight are
updated, one is new and one is deleted; they lie all over the table, which has no partitions: the worst case.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from lakehouse import kernels, record, settings
from lakehouse.names import TableName
from lakehouse.settings import Settings
from lakehouse.spark import server
from tests.benchmarks import grown_project, machine, report
from tests.benchmarks.growth import environment
from tests.benchmarks.memory import JAVA
from tests.benchmarks.rounds import LAKEHOUSE
from tests.benchmarks.timing import engine, timed

HEADERS = ["flights", "changed", "rows", "seconds", "computing", "auditing", "MERGE", "µs a changed row", "server GiB"]
NOTEBOOK = "silver/merged"
COLUMNS = ("carrier", "flight", "tailnum", "origin", "dest", "month", "day", "sched_dep_time", "arr_delay")

READ = f"""
from pyspark.sql import functions as F
standing = lake.standing("silver.merged")
NEW = 2**50  # added to the numbers of new rows, which are changed by no later merge
flights = lake.read("bronze.flights").select(F.monotonically_increasing_id().alias("id"), {", ".join(map(repr, COLUMNS))})
"""
CHANGE = """
rows = flights.withColumn("gone", F.lit(False)) if standing is None else (
    standing.where(f"id < {NEW} and pmod(xxhash64(id), 1000) < {share} * 10")
    .withColumn("kind", F.expr("pmod(xxhash64(id, 1), 10)"))
    .withColumn("arr_delay", F.expr("if(kind < 8, concat(arr_delay, '!'), arr_delay)"))
    .withColumn("id", F.expr(f"if(kind = 8, id + {NEW} * (1 + {share}), id)"))
    .withColumn("gone", F.expr("kind = 9")).drop("kind")
)
"""
WRITE = 'lake.merge(rows, "silver.merged", delete="gone")'


def run(scales: Sequence[int], shares: Sequence[int]) -> None:
    """Measures, prints, saves."""
    shipped, measured = settings.load(), []
    for scale in scales:
        scratch = Path(tempfile.mkdtemp(prefix="lakehouse-merge-"))
        try:
            measured += measure(shipped, scratch, scale, shares)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    here, rows, whole = machine.describe(), table(measured), len(scales) > 1
    report.show("merge", HEADERS, rows, machine.in_words(here))
    print("saved:", report.save("merge", {"machine": here, "merges": measured}, whole=whole))
    body = f"{report.markdown(HEADERS, rows)}\n\n{machine.in_words(here)}."
    if not whole or not report.put(shipped.project / "README.md", "merge", body):
        print(body)


def measure(shipped: Settings, scratch: Path, scale: int, shares: Sequence[int]) -> Iterator[dict[str, Any]]:
    """{"flights", "share", "rows", "seconds", "timings", "memory"} of the table's making (share 0) and of each share."""
    project = grown_project.generate(shipped.project, scratch / "project", scale)
    _add_notebook(project)
    now, environ = environment(shipped, project, scratch / "lake")
    try:
        print(f"{scale}x: landing and bronze", flush=True)
        timed([*LAKEHOUSE, "run", "+bronze/flights"], scratch / "bronze.log", environ=environ, cwd=project)
        flights = 0
        for share in (0, *shares):
            words = [*LAKEHOUSE, "notebook", "run", f"notebooks/{NOTEBOOK}.ipynb", "-p", f"share={share}"]
            log = scratch / f"merge-{share}.log"
            done = timed(words, log, environ=environ, cwd=project, beside=engine(now), exact=True)
            kept = record.latest(now.root, TableName.parse_notebook(NOTEBOOK))
            assert kept is not None
            rows = kept.writes[0].rows
            flights = flights or rows
            print(f"{scale}x, {share}%: {kept.seconds:.1f} s", flush=True)
            facts = {"flights": flights, "share": share, "rows": rows, "seconds": kept.seconds, "timings": kept.timings}
            yield {**facts, "memory": done.peak.by_role.get(JAVA, 0)}
    finally:
        kernels.stop(now)
        server.stop(now)


def table(measured: Sequence[dict[str, Any]]) -> list[list[str]]:
    return [
        [
            f"{each['flights']:,}",
            f"{each['share']}%" if each["share"] else "(made)",
            f"{each['rows']:,}",
            *(report.seconds(value) for value in (each["seconds"], *_parts(each["timings"]))),
            f"{1e6 * each['seconds'] / each['rows']:,.0f}",
            report.gib(each["memory"]),
        ]
        for each in measured
    ]


def _parts(timings: dict[str, float]) -> list[float]:
    return [timings.get(part, 0.0) for part in ("spark", "auditing", "publishing")]


def _add_notebook(project: Path) -> None:
    """The merging notebook and its contract: a number as key, and the flights' columns as text."""
    cells = [
        ("markdown", "# Merged flights\n\nWhat does a merge cost?", []),
        ("code", "import lakehouse", []),
        ("code", "share: int = 1  # percent of the rows that change; 0 makes the table", ["parameters"]),
        ("code", f'lake = lakehouse.open("{NOTEBOOK}")', []),
        *(("code", text.strip(), []) for text in (READ, CHANGE, WRITE)),
    ]
    made = [
        {"cell_type": kind, "id": f"c{number}", "metadata": {"tags": tags}, "source": text}
        | ({"outputs": [], "execution_count": None} if kind == "code" else {})
        for number, (kind, text, tags) in enumerate(cells)
    ]
    spec = {"kernelspec": {"name": "lakehouse", "display_name": "Lakehouse", "language": "python"}}
    notebook = {"cells": made, "metadata": spec, "nbformat": 4, "nbformat_minor": 5}
    (project / "notebooks" / f"{NOTEBOOK}.ipynb").write_text(json.dumps(notebook))
    columns = {"id": {"type": "bigint", "nullable": False}, **{name: {"type": "string"} for name in COLUMNS}}
    promise = {"table": "silver.merged", "description": "Flights by a number.", "owner": "bench", "key": ["id"], "columns": columns}
    (project / "assets" / "contracts" / "silver" / "merged.yaml").write_text(yaml.safe_dump(promise, sort_keys=False))
