"""The whole graph through Dagster beside one plain script on the same warm server, in turn, results compared.

    .venv/bin/python tests/benchmarks/graph.py [--rounds 3]

Ours is the whole command `lakehouse run --force`: Dagster's import, kernels, gate, pins, records and commits are in
it; the plain script (plain_script.py) has none of them. Prints each round's seconds and the medians' ratio.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lakehouse import kernels, settings, tables
from lakehouse.project import Project
from lakehouse.spark import server

PLAIN = Path(__file__).with_name("plain_script.py")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=3)
    rounds = arguments.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="lakehouse-bench-") as scratch:
        root = Path(scratch) / "lake"
        os.environ["LAKEHOUSE_ROOT"] = str(root)
        now = settings.load()
        try:
            measure(now, root, Path(scratch), rounds)
        finally:
            kernels.stop(now)
            server.stop(now)


def measure(now: settings.Settings, root: Path, scratch: Path, rounds: int) -> None:
    print("first run, not counted: it lands the raw files and warms the server", flush=True)
    timed([sys.executable, "-m", "lakehouse", "run"])
    timed([sys.executable, str(PLAIN), str(root), str(scratch / "warm")])
    assets = sorted(asset.slashed for asset in Project.load(now.project).notebooks)
    ours, plain = [], []
    for number in range(rounds):
        ours.append(timed([sys.executable, "-m", "lakehouse", "run", "--force", *assets]))
        folder = scratch / f"plain-{number}"
        plain.append(timed([sys.executable, str(PLAIN), str(root), str(folder)]))
        print(f"round {number + 1}: ours {ours[-1]:.1f} s, plain script {plain[-1]:.1f} s", flush=True)
        compare(now, root, folder)
        shutil.rmtree(folder)
    idle = timed([sys.executable, "-m", "lakehouse", "run"])
    a, b = statistics.median(ours), statistics.median(plain)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {len(assets)} notebooks")
    print(f"median of {rounds}: ours {a:.1f} s, plain script {b:.1f} s, ratio {a / b:.2f}")
    print(f"nothing changed: {idle:.1f} s")


def timed(command: list[str]) -> float:
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return time.monotonic() - began


def compare(now: settings.Settings, root: Path, folder: Path) -> None:
    """Every table but for what names the run (ids, times, versions, file paths) holds the same rows in both."""
    from lakehouse.spark.session import connect

    named_by_run = {"_source_file", "_source_sha256", "_received_at", "model_version", "run_id", "scored_at"}
    spark = connect(now)
    for table in tables.tables_under(root / "tables"):
        here = spark.read.format("delta").load(str(tables.lake_path(root, table)))
        there = spark.read.format("delta").load(str(folder / table.layer / table.name))
        columns = [name for name in here.columns if name not in named_by_run]
        here, there = here.select(columns), there.select(columns)
        differing = here.exceptAll(there).count() + there.exceptAll(here).count()
        if differing:
            raise SystemExit(f"{table}: {differing} rows differ between ours and the plain script's")
    spark.stop()


if __name__ == "__main__":
    main()
