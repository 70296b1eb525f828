"""`lake = lakehouse.open("silver/flights")`: what a notebook sees of the lakehouse.

The same object stands in JupyterLab, under papermill and in Dagster's runs, so that the same pins, the same
gate and the same refusals hold in all of them. Only where a write goes differs: to the lake when a runner started
the kernel, to the user's sandbox otherwise.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse import arrivals, code, deltalog, inputs, notebook, parameters, raw, record, settings, shell, tables, upstream
from lakehouse.errors import NotebookError, UndeclaredTable, UnknownName
from lakehouse.ingest import batch, reading
from lakehouse.kernels import repeatable
from lakehouse.leaks import outcome as leaks
from lakehouse.modelling import Modelling
from lakehouse.names import TableName, did_you_mean
from lakehouse.notebook import NotebookSpec
from lakehouse.partitions import NEW, Coverage
from lakehouse.project import Project
from lakehouse.publish import Publisher
from lakehouse.record import Result

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame, SparkSession

REPRODUCES = "LAKEHOUSE_REPRODUCES"
"""Tells a kernel the folder in which it finds what it is to do again, and leaves what came of it."""


def open(name: str) -> Lake:
    """Opens the lake for the notebook called `name`, as in "silver/flights" or "explore/tour".

    The notebook's parameters are taken from its namespace, checked, and put back as their types; its inputs are
    pinned to the versions they have now. Raises UnknownName, ParameterError, PartitionError or LakeError.
    """
    namespace = sys._getframe(1).f_globals
    # Without it pyspark's functions (F.col) look for a JVM in this process.
    os.environ.setdefault("SPARK_CONNECT_MODE_ENABLED", "1")
    now = settings.load()
    root = tables.open_root(now.root)
    repeatable.seed()
    project = Project.load(now.project)
    spec = project.notebook(name)
    if spec.explore:
        # Also for what it runs by hand: exploring never writes to the lake, whoever started the kernel.
        os.environ["LAKEHOUSE_TARGET"] = "sandbox"
    shell.refuse_unknown_parameters(spec)
    bound = project.bind(spec.name, {p.name: namespace[p.name] for p in spec.parameters if p.name in namespace})
    namespace.update(bound)
    lake = _kind()(now, root, project, spec, bound)
    lake._announce()
    return lake


def _kind() -> type[Lake]:
    """What stands in for a lake in a kernel that a leak check has started, or that trains again only to compare."""
    if os.environ.get(leaks.VARIABLE):
        from lakehouse.leaks.probe import Probe

        return Probe
    if os.environ.get(REPRODUCES):
        from lakehouse.training.again import Again

        return Again
    return Lake


class Lake(Modelling):
    """Tables, SQL, models and the one way to write, for one notebook's run. Made by `lakehouse.open`."""

    def __init__(self, now: settings.Settings, root: Path, project: Project, spec: NotebookSpec, bound: Mapping[str, Any]) -> None:
        self._settings, self._root, self._project, self._spec = now, root, project, spec
        self.parameters = dict(bound)
        self.partitions: list[str] = [str(key) for key in spec.partitions(bound)]
        self.run_id = os.environ.get("LAKEHOUSE_RUN_ID") or record.new_run_id()
        self.in_sandbox = os.environ.get("LAKEHOUSE_TARGET") != "lake" or spec.explore
        self._resolver = tables.Resolver(root, sandbox=self.in_sandbox)
        self._pins: dict[TableName, int] = {}
        self._opened = time.monotonic()
        self._publisher = Publisher(self, self._first_result())

    def _first_result(self) -> Result:
        """Pins every declared input and notes what stands in it.

        Raises UnknownName for a table, or a partition of it, that was never written: no rows there is not the same
        as nobody having looked. In the sandbox that is told at the read.
        """
        # What stands is looked up before it is pinned: a commit in between makes a run too many, not one too few.
        seen = inputs.identities(self._project, self._root, self._spec, self.partitions)
        for read in self._spec.reads:
            if self._project.is_of_files(read.table) or self.in_sandbox:
                continue
            self._pin(read.table)
            absent = inputs.missing(self._project, self._root, read.table, read.coverage, self.partitions)
            if absent:
                raise UnknownName(
                    f"{read.table} has not been built for {', '.join(absent)}",
                    f"To build it: lakehouse run {read.table.slashed} --partition {absent[0]}..{absent[-1]}",
                )
        versions = {**self._pins, **inputs.champions(self._spec, seen)}
        return Result(
            run_id=self.run_id,
            asset=self._spec.name.dotted,
            partitions=self.partitions,
            parameters=recorded(self._spec, self.parameters),
            inputs={table.dotted: {"version": versions.get(table), "seen": identity} for table, identity in seen.items()},
            behind={} if self.in_sandbox else self._behind(),
            code=code.explain(self._project, self._spec),
            target="sandbox" if self.in_sandbox else "lake",
        )

    def _behind(self) -> dict[str, str]:
        """What of its inputs is behind, as the runner told and as the lake tells; said once."""
        found = {**upstream.behind(self._project, self._root, self._spec, self.partitions), **upstream.told()}
        for table, why in found.items():
            print(f"warning: {table}: the last good version is read: {why}")
        return found

    @cached_property
    def spark(self) -> SparkSession:
        """This notebook's own Spark session on the shared server."""
        from lakehouse.spark import columns
        from lakehouse.spark.session import connect

        session = connect(self._settings, os.environ.get("LAKEHOUSE_SESSION"))
        if not self.in_sandbox:
            columns.follow(session, self._root)
        return session

    def read(self, table: str, *, partitions: Coverage = "own", version: int | None = None) -> DataFrame:
        """The rows of `table` at the version this run pinned.

        In a notebook with partitions, its own by default; "all", "until" (own and all before) or a window such as
        (-1, 0) reads others. "new" is for notebooks that only merge: what came since the run before had read it, and all
        of it where that cannot be told (see `lakehouse.arrivals`), in the sandbox and by `--force`.
        Raw files come as columns of text, with `_source_file`, `_source_sha256` and `_received_at`; rows that do not fit
        are left out, and go to the quarantine when the run publishes.
        `version` travels in time and is for exploring only.
        Raises UndeclaredTable for a table that the notebook's text does not name, UnknownName for one not built,
        NotebookError for "new" in a notebook that does more than merge, BatchRefused for raw files that cannot be read,
        or of whose rows too many do not fit.
        """
        name = TableName.parse(table)
        self._declared(name, self._spec.reads, "read")
        if partitions == NEW and not self._spec.explore and not self._spec.only_merges:
            hint = "Merge by key (lake.merge) into every table of the notebook, and give it no months; or read it all."
            where = f"{self._spec.path.name}, {shell.cell_now()}"
            raise NotebookError(f"{where}: only a merge can be made of what is new in {name}", hint)
        if self._project.is_of_files(name):
            return self._read_raw(name, partitions)
        if partitions == NEW and (new := self._new_rows(name)) is not None:
            return new
        return self.spark.sql(f"select * from {self._relation(name, partitions, version)}")

    @cached_property
    def _read_before(self) -> Mapping[str, Any]:
        """What the run that made what stands had read, by table; nothing where all is to be read again."""
        if self.in_sandbox or os.environ.get("LAKEHOUSE_FORCE"):
            return {}
        return arrivals.read_before(self._project, self._root, self._spec, self._publisher.result)

    def standing(self, table: str) -> DataFrame | None:
        """The rows of a table that the notebook merges into, as they stand before it; None where there are none yet.

        No input, as the table is its own: what is merged may be made of it. The merge is refused if another run has
        moved the table meanwhile.
        """
        return self._publisher.standing(self._to_publish(table, "merge"))

    def sql(self, query: str, *, partitions: Coverage = "own") -> DataFrame:
        """The result of a query over tables named in place (`select … from silver.flights`), pinned as by `read`.

        The text is a literal, as lineage is made of it; what depends on a value is filtered afterwards (`.where(…)`).
        (Spark's own `args` fail where Delta's extension is loaded, delta-io/delta#7640.)
        """

        def relation(name: TableName, versioned: bool) -> str:
            self._declared(name, self._spec.reads, "read")
            if versioned and self._spec.explore:
                return self._resolver.plain(name)
            if versioned:
                raise UndeclaredTable(
                    f"{self._spec.path.name}, {shell.cell_now()}: the query names a version of {name}",
                    "An asset reads the version its run is pinned to; travel in time in notebooks/explore/.",
                )
            return self._relation(name, partitions, None)

        return self.spark.sql(tables.rewrite(query, relation))

    def write(self, frame: DataFrame | pd.DataFrame, table: str) -> None:
        """Holds the rows of `frame` against the contract of `table` and, if they pass, publishes them in one commit.

        With partitions, exactly this run's are replaced, else the whole table. A notebook with several tables
        publishes when all are audited. Raises AuditFailed (nothing is published), ContractError or UndeclaredTable.
        """
        name = self._to_publish(table, "write")
        self._publisher.write(self._on_spark(frame), name)
        self._forget_pin(name)

    def merge(self, frame: DataFrame | pd.DataFrame, table: str, *, delete: str | None = None) -> None:
        """As `write`, but by the contract's key: rows of `frame` replace those of their keys or are added, others stay.

        Rows whose boolean column `delete` is true take away those of their keys; the column itself is not written.
        What the contract promises of all rows together is held against the table as it will stand. With partitions
        only this run's are looked at. The table is created by the first merge. Raises what `write` raises; AuditFailed
        too where a key is in `frame` twice.
        """
        name = self._to_publish(table, "merge")
        self._publisher.merge(self._on_spark(frame), name, delete)
        self._forget_pin(name)

    def _to_publish(self, table: str, verb: str) -> TableName:
        name = TableName.parse(table)
        self._declared(name, [item for item in self._spec.writes if item.merged == (verb == "merge")], verb)
        return name

    def _on_spark(self, frame: DataFrame | pd.DataFrame) -> DataFrame:
        return frame if hasattr(frame, "sparkSession") else self.spark.createDataFrame(frame)

    def _forget_pin(self, table: TableName) -> None:
        if self.in_sandbox:
            self._pins.pop(table, None)  # from now on it is read from the sandbox

    def tables(self) -> pd.DataFrame:
        """The tables that can be read here: name, newest version, rows, where it lies (lake or sandbox)."""
        import pandas as pd

        rows = []
        for name in self._resolver.tables():
            path = self._resolver.path(name)
            place = "sandbox" if path != tables.lake_path(self._root, name) else "lake"
            rows.append((name.dotted, deltalog.latest(path), sum(deltalog.current_rows(path).values()), place))
        return pd.DataFrame(rows, columns=["table", "version", "rows", "place"])

    def history(self, table: str) -> pd.DataFrame:
        """The versions of `table`, newest first: when, what operation, which run and notebook, rows written."""
        import pandas as pd

        path = self._resolver.path(TableName.parse(table))
        rows = [
            {
                "version": entry.version,
                "at": pd.Timestamp(entry.timestamp, unit="ms", tz="UTC"),
                "operation": entry.operation,
                "rows": entry.rows,
                "partitions": ", ".join(sorted((entry.ours or {}).get("partitions", []))),
                "notebook": (entry.ours or {}).get("asset", ""),
                "run": (entry.ours or {}).get("run_id", ""),
            }
            for entry in reversed(deltalog.commits(path))
        ]
        return pd.DataFrame(rows)

    def pinned(self, table: TableName, where: str = "") -> tuple[str, str]:
        """SQL for the rows of any table (restricted by `where`) at the version this run pinned, else the newest, pinned
        from now on; and that version in words. Raises UnknownName for a table not built."""
        version = self._pin(table)
        return self._resolver.relation(table, version, where), f"{table} version {version}"

    def _pin(self, table: TableName) -> int:
        if table not in self._pins:
            self._pins[table] = self._resolver.pin(table)
        return self._pins[table]

    def _relation(self, table: TableName, coverage: Coverage, version: int | None) -> str:
        keys = inputs.covered(self._project, table, coverage, self.partitions)
        space = self._project.partitions_of(table)
        where = tables.partitions_clause(space.column, keys) if space and keys is not None else ""
        return self._resolver.relation(table, self._pin(table) if version is None else version, where)

    def _new_rows(self, table: TableName) -> DataFrame | None:
        """The rows that came since the run before, None where all of them are to be read."""
        from lakehouse.spark.columns import called

        path, version = self._resolver.path(table), self._pin(table)
        files = arrivals.new_data(path, version, self._read_before.get(table.dotted))
        if files is None:
            return None
        print(f"{table}: {len(files)} data files are new")
        there = self.spark.sql(f"select * from {self._relation(table, NEW, None)}")
        if not files:
            return there.limit(0)
        found = self.spark.read.schema(there.schema).option("basePath", str(path)).parquet(*map(str, files))
        return called(table, found.select(*found.columns))

    def _read_raw(self, table: TableName, coverage: Coverage) -> DataFrame:
        from lakehouse.spark.columns import called

        source = self._project.sources[table]
        files = raw.files(self._root, table, inputs.covered(self._project, table, coverage, self.partitions))
        if coverage == NEW and files:
            new = arrivals.new_files(self._root, table, self._read_before.get(table.dotted))
            print(f"{table}: {len(new)} of {len(files)} files are new")
            taken = batch.take(self._root, source, new or files[-1:])
            self._publisher.note_raw(taken, whole=False)
            rows = called(table, reading.rows(self.spark, self._root, taken))
            return rows if new else rows.limit(0)
        if not files:
            raise UnknownName(
                f"No file of {table} has landed for {', '.join(self.partitions) or 'it'}",
                f"To land it: lakehouse run {table.slashed}",
            )
        taken = batch.take(self._root, source, files)
        self._publisher.note_raw(taken)
        return called(table, reading.rows(self.spark, self._root, taken))

    def _declared(self, table: TableName, found: Any, verb: str) -> None:
        """Refuses what the notebook's own text does not show: lineage is made of that text."""
        if self._spec.explore or any(item.table == table for item in found):
            return
        again = notebook.parse(self._spec.path, self._project.path)
        models = (*again.models_read, *again.models_written, *again.models_judged)
        if any(item.table == table for item in (*again.reads, *again.writes, *models)):
            raise UndeclaredTable(
                f"{self._spec.path.name}, {shell.cell_now()}: {verb} of {table} is newer than this session",
                f'Run the cell lake = lakehouse.open("{self._spec.name.slashed}") again.',
            )
        raise UndeclaredTable(
            f"{self._spec.path.name}, {shell.cell_now()}: {verb} of {table}, which the notebook's text does not name",
            f'Write it as a literal, lake.{verb}(… "{table}"), and save the notebook.'
            + did_you_mean(table, [item.table for item in found]),
        )

    def _announce(self) -> None:
        """Says once where one is; a runner's kernel has nobody to tell."""
        if not self.in_sandbox:
            return
        where = tables.sandbox_root(self._root)
        months = f", partitions {', '.join(self.partitions)}" if self.partitions else ""
        print(
            f"{self._spec.name.slashed}{months}: reads come from the lake at {self._root}, your sandbox first; "
            f"writes go to your sandbox ({where.name}). Nothing here changes the lake. See: lakehouse sandbox"
        )


def recorded(spec: NotebookSpec, bound: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that say how a table was made, as plain values: all but which partitions."""
    own = spec.partition_parameter
    return {name: parameters.to_injectable(value) for name, value in bound.items() if own is None or name != own.name}
