"""`lakehouse bench tuning`: one thing changed at a time, each with its ratio against the server as shipped.

A variant's server is started anew, does its work once without being counted, then `rounds` times. The shipped one is
measured first, in the middle and last; how far these lie apart is what a ratio has to exceed to tell anything.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lakehouse.errors import UnknownName
from lakehouse.project import Project
from lakehouse.settings import Settings
from lakehouse.spark import server
from tests.benchmarks import environments, machine, report
from tests.benchmarks.rounds import LAKEHOUSE
from tests.benchmarks.timing import BenchmarkFailed, timed
from tests.benchmarks.variants import SHIPPED, Variant, running, settled

HEADERS = ["what", "variant", "work", "seconds", "to shipped", "note"]
SMALL = "small_writes"
LIMIT_SECONDS = 1200  # a workload's: the longest takes a tenth of it a round
TIERS = ("-XX:Tier4",)

GRAPH = [
    *(Variant("shuffle partitions", str(n), {"spark.sql.shuffle.partitions": n}) for n in (2, 8, 32, 200)),
    Variant(
        "shuffle partitions",
        "200, not coalesced",
        {"spark.sql.shuffle.partitions": 200, "spark.sql.adaptive.coalescePartitions.enabled": "false"},
    ),
    Variant("adaptive execution", "off", {"spark.sql.adaptive.enabled": "false"}),
    *(Variant("compression", codec, {"spark.sql.parquet.compression.codec": codec}) for codec in ("snappy", "zstd", "lz4", "none")),
    Variant("file sizes", "optimizeWrite for every write", {"spark.databricks.delta.optimizeWrite.enabled": "true"}),
    Variant("file sizes", "splits of 16 MiB", {"spark.sql.files.maxPartitionBytes": "16m"}),
    Variant("compiler", "Java's own thresholds", without=TIERS),
    Variant("compiler", "the quick one only", without=TIERS, java=("-XX:TieredStopAtLevel=1",)),
    Variant("garbage collector", "G1", without=("-XX:+UseParallelGC",), java=("-XX:+UseG1GC",)),
    Variant("garbage collector", "serial", without=("-XX:+UseParallelGC",), java=("-XX:+UseSerialGC",)),
    Variant("Delta's snapshots", "50 partitions", {"spark.databricks.delta.snapshotPartitions": 50}),
    Variant("artifact isolation", "on", {"spark.sql.artifact.isolation.enabled": "true"}),
]
SMALL_WRITES = [
    Variant("Delta's snapshots", "50 partitions", {"spark.databricks.delta.snapshotPartitions": 50}),
    Variant("artifact isolation", "on", {"spark.sql.artifact.isolation.enabled": "true"}),
    Variant(
        "snapshots and isolation",
        "both as in Spark",
        {"spark.databricks.delta.snapshotPartitions": 50, "spark.sql.artifact.isolation.enabled": "true"},
    ),
]
START = [
    Variant("class data sharing", "off", without=("-XX:SharedArchiveFile=", "-XX:DumpLoadedClassList=")),
    Variant("compiler", "Java's own thresholds", without=TIERS),
    Variant("garbage collector", "G1", without=("-XX:+UseParallelGC",), java=("-XX:+UseG1GC",)),
]
ARROW = [
    *(Variant("Arrow", f"batches of {n:,} rows", {"spark.sql.execution.arrow.maxRecordsPerBatch": n}) for n in (1_000, 100_000)),
    Variant("Arrow", "messages of 32 MiB", {"spark.connect.grpc.arrow.maxBatchSize": 32 << 20}),
    Variant("Arrow", "self-destruct", {"spark.sql.execution.arrow.pyspark.selfDestruct.enabled": "true"}),
    *(Variant("Arrow", f"compressed, {c}", {"spark.sql.execution.arrow.compression.codec": c}) for c in ("lz4", "zstd")),
]

COLD, SESSIONS = ("warm-up", "first run on a new server"), ("sessions", "one for each notebook")
WITHOUT_SPARK = ("small reads", "delta-rs, no Spark")

# Run by the Python of the peer that has delta-rs.
DELTA_RS = """
import json, sys, time
from deltalake import DeltaTable
seconds = []
for _ in range(int(sys.argv[1]) + 1):
    began = time.monotonic()
    rows = len(DeltaTable(sys.argv[2]).to_pandas())
    seconds.append(time.monotonic() - began)
print(json.dumps({"seconds": seconds[1:], "first": seconds[0], "note": f"{rows} rows"}))
"""


@dataclass
class Tuning:
    """All that is measured, row by row; ratios are made at the end, against all runs of the shipped server."""

    now: Settings
    scratch: Path
    rounds: int
    names: list[str]
    wanted: Sequence[str] | None
    rows: list[dict[str, Any]] = field(default_factory=list)

    def chosen(self, variants: Sequence[Variant]) -> list[Variant]:
        """Those asked for, with the shipped server before, amid and after them; nothing where none is asked for."""
        found = [v for v in variants if self._asked(v.group, v.name)]
        half = (len(found) + 1) // 2
        return [SHIPPED, *found[:half], SHIPPED, *found[half:], SHIPPED] if found else []

    def _asked(self, group: str, name: str) -> bool:
        return self.wanted is None or any(part.lower() in f"{group} {name}".lower() for part in self.wanted)

    def work(self, name: str, variant: Variant) -> dict[str, Any]:
        """Does the work `name` on the server that runs and notes its seconds under `variant`."""
        return self.note(variant.group, variant.name, name, self._ask(name))

    def note(self, group: str, name: str, work: str, told: dict[str, Any]) -> dict[str, Any]:
        self.rows.append({"group": group, "variant": name, "work": work, **told})
        print(f"{work}: {group}, {name}: {', '.join(map(_short, told['seconds']))} s", flush=True)
        return told

    def _ask(self, work: str, *names: str, rounds: int | None = None) -> dict[str, Any]:
        told = [str(self.rounds if rounds is None else rounds), str(self.scratch / "tables"), *(names or self.names)]
        return _told([sys.executable, "-m", "tests.benchmarks.workloads", work, *told], self.now.project)

    def graph(self) -> None:
        """The notebooks' cells, warm; of the shipped server also cold, and with a session for each notebook."""
        cold, sessions = self._asked(*COLD), self._asked(*SESSIONS)
        for variant in self.chosen(GRAPH) or [SHIPPED] * (cold or sessions):
            with running(variant, self.now):
                told = self.work("graph", variant)
                if variant is SHIPPED and cold:
                    self.note(*COLD, "graph", {**told, "seconds": [told["first"]]})
        if sessions:
            with running(SHIPPED, self.now):
                self.note(*SESSIONS, "graph", self._ask("graph_sessions"))

    def small_writes(self) -> None:
        for variant in self.chosen(SMALL_WRITES):
            with running(variant, self.now):
                self.work(SMALL, variant)

    def start(self) -> None:
        """Seconds until a new server answers, and of its first small writes."""
        for variant in self.chosen(START):
            starts, firsts = [], []
            for _ in range(self.rounds):
                began = time.monotonic()
                with running(variant, self.now):
                    starts.append(time.monotonic() - began)
                    firsts.append(self._ask(SMALL, rounds=0)["first"])
            self.note(variant.group, variant.name, "start", {"seconds": starts, "first": starts[0], "note": ""})
            self.note(variant.group, variant.name, "first writes", {"seconds": firsts, "first": firsts[0], "note": ""})

    def pandas(self) -> None:
        """A wide table and a small one into pandas; the small one also without Spark."""
        arrow = self.chosen(ARROW)
        small = self._asked(*WITHOUT_SPARK)
        if not (arrow or small):
            return
        self._make_tables()
        for variant in arrow:
            with running(variant, self.now):
                self.work("to_pandas", variant)
        if small:
            with running(SHIPPED, self.now):
                self.work("small_read", SHIPPED)
            python = environments.ensure("polars", self.now)
            table = self.scratch / "tables" / "bronze" / "airlines"
            told = _told([str(python), "-c", DELTA_RS, str(self.rounds), str(table)], self.now.project)
            self.note(*WITHOUT_SPARK, "small_read", told)

    def _make_tables(self) -> None:
        if not (self.scratch / "tables" / "features").exists():
            with running(SHIPPED, self.now):
                self._ask("graph", "+features/flight_departure", rounds=0)


def _told(command: list[str], cwd: Path) -> dict[str, Any]:
    """The last line that a workload printed. Raises BenchmarkFailed, also where it stands still."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        raise BenchmarkFailed(f"{' '.join(command)[:200]} was not done within {LIMIT_SECONDS} s", "See the server's log.") from None
    if done.returncode:
        raise BenchmarkFailed(f"{' '.join(command)[:200]} failed", f"Its last words:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def run(now: Settings, scratch: Path, rounds: int, only: Sequence[str], wanted: Sequence[str] | None) -> None:
    """Measures, prints, saves. Raises BenchmarkFailed where a variant cannot do its work."""
    chosen = Project.load(now.project).select([f"+{name}" if not name.startswith(("+", "*")) else name for name in only])
    timed([*LAKEHOUSE, "run", "raw/*"], scratch / "landing.log")
    settled(now)
    server.stop(now)
    tuning = Tuning(now, scratch, rounds, [asset.slashed for asset in chosen], wanted)
    (scratch / "tables").mkdir()
    for part in (tuning.start, tuning.small_writes, tuning.graph, tuning.pandas):
        part()
    if not tuning.rows:
        raise UnknownName(f"No variant is called {', '.join(wanted or ())}", "Give a part of a name, such as zstd or shuffle.")
    here = machine.describe()
    rows, caption = table(tuning.rows), machine.in_words(here)
    report.show("tuning: less than 1 is faster than shipped", HEADERS, rows, caption)
    measured = {"machine": here, "notebooks": tuning.names, "rows": tuning.rows}
    print("saved:", report.save("tuning", measured, whole=wanted is None))
    body = f"{report.markdown(HEADERS, rows)}\n\n{caption}."
    if wanted or not report.put(now.project / "README.md", "tuning", body):
        print(body)


def table(measured: Sequence[dict[str, Any]]) -> list[list[str]]:
    """One row for each thing tried, after the shipped server's own for the same work, whose ratio is its spread."""
    rows = []
    for work in dict.fromkeys(each["work"] for each in measured):
        same = [each for each in measured if each["work"] == work]
        shipped = [seconds for each in same if each["group"] == SHIPPED.group for seconds in each["seconds"]]
        base = statistics.median(shipped)
        spread = f"{min(shipped) / base:.2f}-{max(shipped) / base:.2f}"
        note = next(each["note"] for each in same if each["group"] == SHIPPED.group)
        rows.append([SHIPPED.group, SHIPPED.name, work, _short(base), spread, note])
        groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for each in same:
            if each["group"] != SHIPPED.group:
                groups.setdefault((each["group"], each["variant"]), []).append(each)
        for (group, name), told in groups.items():
            middle = statistics.median(seconds for each in told for seconds in each["seconds"])
            rows.append([group, name, work, _short(middle), _short(middle / base), told[-1]["note"]])
    return rows


def _short(value: float) -> str:
    return f"{value:.2f}" if value >= 0.1 else f"{value:.4f}"
