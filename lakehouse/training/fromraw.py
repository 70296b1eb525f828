"""Everything above a model made anew from the raw files that had come by then, in a lake of its own."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from lakehouse import deltalog, making, manifest, raw, record, runner, tables
from lakehouse.errors import TrainingError
from lakehouse.kernels.provisioner import SHARED
from lakehouse.names import TableName
from lakehouse.project import Project
from lakehouse.settings import Settings
from lakehouse.source import Stream
from lakehouse.variables import variables


@contextmanager
def rebuilt(settings: Settings, facts: Mapping[str, Any], folder: Path, tell: Callable[[str], None]) -> Iterator[Settings]:
    """A lake in `folder` with all that the notebook reads; its settings.

    Raises TrainingError where a stream is above the model: what it brought cannot be fetched again.
    """
    from lakehouse.spark import server

    project, asset = Project.load(settings.project), TableName.parse_notebook(facts["asset"])
    above = [one for one in project.order() if one in project.ancestors(asset)]
    streams = [one for one in above if isinstance(project.sources.get(one), Stream)]
    if streams:
        raise TrainingError(f"{streams[0]} is a stream, which is not brought again", "Reproduce it without --from-raw.")
    place = settings.model_copy(update={"root": folder / "lake", "spark": server.ensure(settings).url})
    tables.open_root(place.root)
    for table in (one for one in above if one.layer == "raw"):
        files = link(settings.root, place.root, table, record.started(facts["run"]))
        tell(f"{table}: {files:,} files as they were")
    with _sharing(settings, place):
        for one in (one for one in above if one.layer != "raw"):
            _build(project, settings, place, one, tell)
        yield place


@contextmanager
def _sharing(lake: Settings, place: Settings) -> Iterator[None]:
    """Kernels are told by the environment to use the lake's own Spark server and fork process: two more would take
    as much memory again."""
    wanted = {"LAKEHOUSE_SPARK": str(place.spark), SHARED: str(lake.root)}
    with variables(wanted):
        yield


def link(lake: Path, into: Path, table: TableName, until: datetime) -> int:
    """The deliveries of a raw table that had come by `until`, linked (copied where that fails); how many."""
    count = 0
    for key in _keys(lake, table):
        source, target = raw.folder_of(lake, table, key), raw.folder_of(into, table, key)
        for number, file in enumerate(manifest.entries_of(source), start=1):
            if file.received_at > until:
                break  # in the order they came
            (target / manifest.MANIFEST).mkdir(parents=True, exist_ok=True)
            _link(manifest.entry_path(source, number), manifest.entry_path(target, number))
            _link(file.path, target / file.path.name)
            count += 1
    return count


def _keys(lake: Path, table: TableName) -> list[str | None]:
    return sorted({file.partition for file in raw.received(lake, table)}, key=str)


def _link(source: Path, target: Path) -> None:
    if target.exists():
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _build(project: Project, lake: Settings, place: Settings, asset: TableName, tell: Callable[[str], None]) -> None:
    """Runs one notebook for the partitions that the lake has of it, with the parameters it had there."""
    space, own = project.partitions_of(asset), project.notebook(asset).partition_parameter
    made = making.newest(project, lake.root, asset)
    values = dict((made.facts or {}).get("parameters", {})) if made else {}
    if space is not None and own is not None:
        there = deltalog.identity(tables.lake_path(lake.root, asset), space.keys())
        values[own.name] = sorted(map(str, there))
    began = time.monotonic()
    done = runner.run(asset, values, place, origin="lakehouse models reproduce --from-raw")
    tell(f"{asset.slashed}: {sum(one.rows for one in done.writes):,} rows, {time.monotonic() - began:.1f} s")


def differing(lake: Settings, place: Settings, pins: Mapping[str, int]) -> list[str]:
    """Of the tables that are read, which differ from the version that was: by row, rounded as the contract says."""
    from lakehouse.spark.content import content
    from lakehouse.spark.session import connect

    project, found = Project.load(lake.project), []
    spark = connect(place)
    try:
        for table, version in pins.items():
            name = TableName.parse(table)
            if name.layer == "models":
                continue
            then = spark.sql(f"select * from {tables.Resolver(lake.root).relation(name, version)}")
            now = spark.sql(f"select * from {tables.Resolver(place.root).plain(name)}")
            before, after = (content(one, project.contracts.get(name)) for one in (then, now))
            other = [key for key in sorted({*before, *after}) if before.get(key) != after.get(key)]
            if other:
                found.append(f"{table}, made anew, is not version {version}: {', '.join(other)} of it differ")
    finally:
        spark.stop()
    return found
