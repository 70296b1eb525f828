"""Small pieces of work on the lake's server as it runs, each timed in a process of its own after its imports.

    python -m tests.benchmarks.workloads <name> <rounds> <folder> [<notebook> ...]

Prints JSON: {"seconds": one for each round, "first": of the round before them, which is not counted, "note": text}.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lakehouse import settings
from lakehouse.project import Project
from lakehouse.spark.session import connect
from tests.benchmarks.peers import plain_script

TABLES = 4  # that `small_writes` writes, reads and merges in one round


def graph(folder: Path, names: list[str], *, session_each: bool = False) -> str:
    """The notebooks' cells by the plain script; tells how large the tables became and in how many files."""
    now = settings.load()
    project = Project.load(now.project)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    spark = connect(now)
    lake = plain_script.PlainLake(spark, project, now.root, folder)
    for asset in project.select(names):
        if session_each:
            spark.stop()
            spark = lake._spark = connect(now)
        if asset in project.notebooks:
            plain_script._run(project.notebooks[asset], project, lake)
    spark.stop()
    files = list(folder.rglob("*.parquet"))
    return f"{sum(file.stat().st_size for file in files) / 2**20:.0f} MiB in {len(files)} files"


def graph_sessions(folder: Path, names: list[str]) -> str:
    return graph(folder, names, session_each=True)


def small_writes(folder: Path, _names: list[str]) -> str:
    """Delta tables of a thousand rows: written, read, merged into."""
    spark = connect(settings.load())
    for number in range(TABLES):
        path = folder / f"small-{number}"
        rows = spark.range(1000).selectExpr("id", "id % 7 as part", "rand(1) as value")
        rows.write.format("delta").mode("overwrite").save(str(path))
        spark.read.format("delta").load(str(path)).where("part = 3").count()
        spark.sql(
            f"merge into delta.`{path}` t using (select id + 500 as id, 1 as part, 0.5d as value from range(1000)) s "
            "on t.id = s.id when matched then update set * when not matched then insert *"
        )
    spark.stop()
    return f"{TABLES} tables"


def to_pandas(folder: Path, _names: list[str]) -> str:
    """A wide table of 336,776 rows, as the model's notebook takes its features; it lies in `folder`."""
    spark = connect(settings.load())
    frame = spark.read.format("delta").load(str(folder / "features" / "flight_departure")).toPandas()
    spark.stop()
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return f"{len(frame):,} rows, {highest:.2f} GiB at most"


def small_read(folder: Path, _names: list[str]) -> str:
    """A register of 16 rows to pandas, through Spark."""
    spark = _kept_session()
    return f"{len(spark.read.format('delta').load(str(folder / 'bronze' / 'airlines')).toPandas())} rows"


_session: list[Any] = []


def _kept_session() -> Any:
    if not _session:
        _session.append(connect(settings.load()))
    return _session[0]


WORK: dict[str, Callable[[Path, list[str]], str]] = {
    work.__name__: work for work in (graph, graph_sessions, small_writes, to_pandas, small_read)
}


def main(name: str, rounds: str, folder: str, *names: str) -> None:
    seconds, note = [], ""
    for _ in range(int(rounds) + 1):
        began = time.monotonic()
        note = WORK[name](Path(folder), list(names))
        seconds.append(time.monotonic() - began)
    print(json.dumps({"seconds": seconds[1:], "first": seconds[0], "note": note}))


if __name__ == "__main__":
    main(*sys.argv[1:])
