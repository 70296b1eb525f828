"""`lakehouse bench growth`: the whole graph on 1, 10, 100 times the flights; seconds and memory for each row.

Each scale has a generated project of its own (grown_project.py) with a lake of its own.
Assets run one after another, so that seconds and memory belong to one. A kernel may take what the machine has left
beside the server, so that one that wants more is refused memory, instead of the system killing whom it likes.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from lakehouse import kernels, record, settings
from lakehouse.names import TableName
from lakehouse.project import Project
from lakehouse.settings import Settings
from lakehouse.spark import server
from tests.benchmarks import grown_project, machine, report
from tests.benchmarks.rounds import LAKEHOUSE
from tests.benchmarks.timing import BenchmarkFailed, Timed, engine, last_words, timed
from tests.benchmarks.variants import settled

HEADERS = ["asset", "scale", "rows", "seconds", "µs a row", "to the smallest", "memory GiB", "KiB a row", "ended"]
RESERVED = 3 << 30  # bytes left to the system, the fork process and the command


def run(scales: Sequence[int], budget: float, only: Sequence[str]) -> None:
    """Measures each scale for `budget` seconds at most, prints, saves."""
    shipped, measured = settings.load(), []
    for scale in scales:
        scratch = Path(tempfile.mkdtemp(prefix="lakehouse-growth-"))
        try:
            measured.append(measure(shipped, scratch, scale, budget, only))
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    here = machine.describe()
    rows = table(measured)
    report.show("growth", HEADERS, rows, machine.in_words(here))
    for each in measured:
        print(in_words(each))
    whole = list(only) == ["*"]
    print("saved:", report.save("growth", {"machine": here, "budget": budget, "scales": measured}, whole=whole))
    body = "\n\n".join([report.markdown(HEADERS, rows), *map(in_words, measured), machine.in_words(here) + "."])
    if not whole or not report.put(shipped.project / "README.md", "growth", body):
        print(body)


def measure(shipped: Settings, scratch: Path, scale: int, budget: float, only: Sequence[str]) -> dict[str, Any]:
    """{"scale", "bytes", "landing", "seconds", "ended", "why", "assets"} of one scale, in a lake of its own."""
    project = grown_project.generate(shipped.project, scratch / "project", scale)
    now, environ = environment(shipped, project, scratch / "lake")
    try:
        landing, done = _land_and_build(now, environ, scratch, f"{scale}x", budget, only)
        landed = sum(file.stat().st_size for file in (now.root / "raw").rglob("*.csv"))
        assets = per_asset(now, done)
    finally:
        kernels.stop(now)
        server.stop(now)
    ended = "over" if done.cancelled else "done" if done.code == 0 else "failed"
    why = "" if ended == "done" else cause(assets, done.log)
    facts = {"scale": scale, "bytes": landed, "landing": landing.seconds, "seconds": done.seconds}
    return {**facts, "ended": ended, "why": why, "assets": assets}


def _land_and_build(
    now: Settings, environ: dict[str, str], scratch: Path, scale: str, budget: float, only: Sequence[str]
) -> tuple[Timed, Timed]:
    """Both runs; the first twice where the time was over before anything could be built. Raises BenchmarkFailed."""
    print(f"{scale}: landing", flush=True)
    run = [*LAKEHOUSE, "run"]
    shared = {"environ": environ, "cwd": now.project, "must_succeed": False}
    landing = timed([*run, "raw/*"], scratch / "landing.log", limit=budget, **shared)
    if landing.cancelled:
        return landing, landing
    if landing.code:
        raise BenchmarkFailed(f"{scale}: landing failed", f"Its last words:\n{last_words(landing.log)}")
    settled(now)
    kernels.ensure(now)
    left = max(1.0, budget - landing.seconds)
    print(f"{scale}: landed in {landing.seconds:.0f} s; building, for {left:.0f} s at most", flush=True)
    wanted = [name if name.startswith("+") or name == "*" else f"+{name}" for name in only]
    log = scratch / "building.log"
    return landing, timed([*run, *wanted], log, beside=engine(now), limit=left, exact=True, **shared)


def environment(shipped: Settings, project: Path, root: Path) -> tuple[Settings, dict[str, str]]:
    heap = server_bytes(shipped.spark_memory)
    kernel = max(psutil.virtual_memory().total - heap - RESERVED, 1 << 30)
    ours = {
        "LAKEHOUSE_PROJECT": str(project),
        "LAKEHOUSE_ROOT": str(root),
        "LAKEHOUSE_CACHE": str(shipped.cache),
        "LAKEHOUSE_SPARK_MEMORY": shipped.spark_memory,
        "LAKEHOUSE_PARALLEL": "1",
        "LAKEHOUSE_KERNEL_MEMORY": f"{kernel >> 20}m",
    }
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LAKEHOUSE_")} | ours
    return settings.load(environ), environ


def server_bytes(memory: str) -> int:
    """4 << 30 for `4g`."""
    return int(memory[:-1]) << (30 if memory.endswith("g") else 20)


def per_asset(now: Settings, done: Timed) -> list[dict[str, Any]]:
    """What each notebook's run left behind, in the order of their starts, with the most memory seen meanwhile."""
    found = []
    for name in Project.load(now.project).notebooks:
        kept = record.latest(now.root, name)
        if kept is not None:
            start = _moment(kept.run_id)
            memory = done.watch.between(start, start + kept.seconds)
            rows = _rows(now, name, kept)
            facts = {"asset": name.slashed, "start": start, "seconds": kept.seconds, "rows": rows, "memory": memory}
            found.append({**facts, "status": kept.status, "cause": kept.cause, "timings": kept.timings})
    return sorted(found, key=lambda each: each["start"])


def _rows(now: Settings, name: TableName, kept: record.RunRecord) -> int | None:
    """Rows written, or for a model those read; None where nothing was written."""
    from lakehouse import deltalog, tables

    if kept.writes:
        return sum(write.rows for write in kept.writes)
    if not kept.models:
        return None
    read = [read.table for read in Project.load(now.project).notebook(name).reads]
    return sum(sum(deltalog.current_rows(tables.lake_path(now.root, table)).values()) for table in read)


def _moment(run_id: str) -> float:
    """Seconds since 1970 at which the run began: its name begins with that."""
    stamp = run_id.partition("-")[0]
    return datetime.strptime(stamp[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC).timestamp() + int(stamp[15:]) / 1000


def cause(assets: Sequence[dict[str, Any]], log: Path) -> str:
    """Why the first asset that did not succeed did not; else what the command said of it."""
    told = [each["cause"] for each in assets if each["status"] != "succeeded"]
    told += [line for line in log.read_text(errors="replace").splitlines() if line.startswith("✗")]
    return told[0].splitlines()[0] if told and told[0] else ""


def in_words(each: dict[str, Any]) -> str:
    size = f"{each['scale']}x ({each['bytes'] / 2**20:,.0f} MiB of raw files): landed in {each['landing']:.0f} s"
    built = sum(asset["status"] == "succeeded" for asset in each["assets"])
    if each["ended"] == "done":
        return f"{size}, {built} assets built in {each['seconds']:.0f} s."
    ending = "the time was over" if each["ended"] == "over" else "it failed"
    return f"{size}; after {each['seconds']:.0f} s and {built} assets {ending}{': ' if each['why'] else '.'}{each['why']}"


def table(measured: Sequence[dict[str, Any]]) -> list[list[str]]:
    """One row for each asset and scale; `to the smallest` is how many times as long a row took as in the smallest scale."""
    smallest = {each["asset"]: _per_row(each) for each in measured[0]["assets"]} if measured else {}
    rows = []
    for name in smallest:
        for scale in measured:
            for each in scale["assets"]:
                if each["asset"] != name:
                    continue
                own, first = _per_row(each), smallest[name]
                rows.append(
                    [
                        name,
                        f"{scale['scale']}x",
                        f"{each['rows']:,}" if each["rows"] is not None else "",
                        report.seconds(each["seconds"]),
                        f"{1e6 * own:,.1f}" if own else "",
                        report.times(own / first) if own and first else "",
                        report.gib(each["memory"]),
                        f"{each['memory'] / each['rows'] / 1024:,.1f}" if each["rows"] else "",
                        each["status"],
                    ]
                )
    return rows


def _per_row(each: dict[str, Any]) -> float | None:
    return each["seconds"] / each["rows"] if each["rows"] and each["status"] == "succeeded" else None
