"""A write: compute once → audit exactly those rows → one commit, which replaces months or the table, or merges by key.

What a notebook writes together is all audited before the first table is published, its own table last. A crash
between two commits is healed by running again, which is cheaper than recovering: `replaceWhere` makes a repeat
leave the same rows. (On 336 thousand rows, checkpointing took 2.4 s where staging a copy as Delta took 7.8 s.)
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse import checks as checks_of
from lakehouse import commit, deltalog, merge, record, tables
from lakehouse.conform import conform
from lakehouse.contract import Contract, Parity
from lakehouse.contracts import before, versions
from lakehouse.errors import AuditFailed, ContractError, LakeError, LakehouseError, PartitionError, UnknownName
from lakehouse.names import TableName
from lakehouse.profiles.audit import Profiler
from lakehouse.quarantine import table as quarantine
from lakehouse.quarantine.split import Split, split
from lakehouse.record import CheckRecord, Judged, ModelVersion, Result, Write
from lakehouse.spark import columns
from lakehouse.spark.session import spark_seconds

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from lakehouse.ingest.batch import Batch
    from lakehouse.lake import Lake

_CONFLICT = "DELTA_CONCURRENT"
_ATTEMPTS = 4


@dataclass(frozen=True)
class _Staged:
    """`frame` is what will stand; `changes`, of a merge, the same rows and those that take one away."""

    table: TableName
    contract: Contract | None
    frame: DataFrame
    partitions: list[str]
    changes: DataFrame | None = None
    split: Split | None = None
    columns: dict[str, list[str]] = field(default_factory=dict)


class Publisher:
    """Collects one run's writes and makes them visible; `result` is what becomes of the run's record."""

    def __init__(self, lake: Lake, result: Result) -> None:
        self._lake, self.result = lake, result
        self._staged: dict[TableName, _Staged] = {}
        self._raw: list[tuple[Batch, bool]] = []
        self._profiler = Profiler(lake._root, None if lake.in_sandbox else self._folder)
        # For each table to be merged into, the version against which it was audited (None: there was no table), and
        # the changes that change something there.
        self._audited: dict[TableName, tuple[int | None, DataFrame]] = {}
        # And the version of which what is merged was made, where the notebook asked.
        self._made_of: dict[TableName, int | None] = {}
        # Seconds waited for Spark while auditing and publishing, which count as those and not as "spark".
        self._spark_elsewhere = 0.0
        self._save()

    def write(self, frame: DataFrame, table: TableName) -> None:
        """Audits `frame` for `table`; publishes once everything the notebook writes has been audited."""
        contract = self._promise(table)
        if contract is not None:
            frame = conform(frame, contract)
        self._stage(self._compute(frame, table, contract))

    def merge(self, frame: DataFrame, table: TableName, delete: str | None) -> None:
        """As `write`, of rows to be merged by key; the column `delete` says which take one away."""
        contract = self._promise(table)
        if contract is None or not contract.key:
            hint = f"Name the key in assets/contracts/{table.slashed}.yaml, or use lake.write."
            raise ContractError(f"{table} has no key by which rows could be merged", hint)
        computed = self._compute(conform(frame, contract, delete or ""), table, contract)
        self._stage(replace(computed, frame=merge.kept(computed.frame), changes=computed.frame))

    def standing(self, table: TableName) -> DataFrame | None:
        """The rows into which the notebook is about to merge, None where there is no table yet."""
        path, version = self._stands(table)
        self._made_of[table] = version
        return None if path is None else self._lake.spark.sql(f"select * from {tables.at(path)} version as of {version}")

    def _promise(self, table: TableName) -> Contract | None:
        contract = self._lake._project.contracts.get(table)
        if contract is None and not self._lake._spec.explore:
            raise ContractError(
                f"Table {table} has no contract", f"Write one at assets/contracts/{table.slashed}.yaml (see the README)."
            )
        if contract is not None:
            self._hold_to_version(contract)
        if self._is_unpartitioned_run(contract):
            raise PartitionError(
                f"{table} has partitions, but this run names none",
                "Give the notebook a parameter of type list[month], or pass at least one month.",
            )
        return contract

    def note_raw(self, batch: Batch, *, whole: bool = True) -> None:
        """What a read left out of raw files goes to the quarantine when the run publishes; `whole` says that the files
        are all of their partitions."""
        for warning in batch.warnings:
            print(f"warning: {warning}")
        if batch.misfits:
            print(f"warning: {batch.source.table}: {len(batch.misfits):,} rows do not fit and are left out")
        self._raw.append((batch, whole))

    def _stage(self, staged: _Staged) -> None:
        if staged.contract is not None:
            staged = self._set_aside(staged, staged.contract)
            self._audit(staged)
        self._staged[staged.table] = staged
        spec = self._lake._spec
        if spec.explore or {item.table for item in spec.writes} <= set(self._staged):
            with ExitStack() as alone:
                self._publish_all(sorted(self._staged.values(), key=lambda item: item.table == spec.name), alone)
            self._staged.clear()

    def _publish_all(self, ready: list[_Staged], alone: ExitStack) -> None:
        merged = [item for item in ready if item.changes is not None]
        for item in merged:
            alone.enter_context(merge.alone(self._target(item.table)))
        for item in merged:
            now = self._stands(item.table)[1]
            if now != self._made_of.get(item.table, now):
                what = f"{item.table} was changed by another run while this one was at work on it"
                raise LakeError(what, "Nothing was published. Run it again.")
            if now != self._audited[item.table][0]:
                self._audit(item)
        with self._spending("publishing"):
            self._publish_quarantine(ready)
        for item in ready:
            with self._spending("publishing"):
                self._publish(item)
            self._made_of.pop(item.table, None)
        with self._spending("profiling"):
            self._profiler.tell(item.table for item in ready)
        self._save()

    def _hold_to_version(self, contract: Contract) -> None:
        """Exploring may try a breaking change; the lake refuses it without a new version."""
        try:
            versions.hold(contract, self._lake._root)
        except ContractError as error:
            if not self._lake.in_sandbox:
                raise
            print(f"warning: the lake would refuse this. {error.what}")
        self.result.contracts[contract.table.dotted] = before.plain(contract)

    def log_model(self, models: Any, model: Any, name: TableName, about: dict[str, Any]) -> int:
        """Registers a model and notes its version; in the sandbox it is logged but not registered."""
        register, judged = not self._lake.in_sandbox, self._lake._project.judge_of(name) is not None
        with self._spending("tracking"), record.logging(self._folder if register else None):
            about = {"result": self.result, "register": register, "judged": judged, "notes": self._lake._training, **about}
            logged: ModelVersion = models.log(self._lake._settings, model, name, **about)
        self.result.models = [*self.result.models, logged]
        self._save()
        return logged.version

    def pin_model(self, name: TableName, version: int, **more: Any) -> None:
        self.result.inputs[name.dotted] = {"version": version, "seen": {"*": version}, **more}
        self._save()

    def note_verdict(self, judged: Judged) -> None:
        self.result.judged = [*self.result.judged, judged]
        self._save()

    def pinned_model(self, name: TableName) -> int | None:
        """The version of a model that this run has met first; None before."""
        return self.result.inputs.get(name.dotted, {}).get("version")

    def _is_unpartitioned_run(self, contract: Contract | None) -> bool:
        return bool(contract and contract.partitions and not self._lake.partitions and not self._lake._spec.explore)

    def _compute(self, frame: DataFrame, table: TableName, contract: Contract | None) -> _Staged:
        from lakehouse.spark.session import checkpoint

        told: dict[str, list[str]] = {}
        if not self._lake.in_sandbox:
            with self._spending("lineage"):
                found = columns.told(frame, self._lake._root, table)
                told = {name: sources for name, sources in found.items() if contract is None or name in contract.columns}
        computed = checkpoint(frame)
        partitions = list(self._lake.partitions)
        if contract and contract.partitions and not partitions:
            column = contract.partitions.column
            partitions = sorted(str(row[0]) for row in computed.select(column).distinct().collect())
        return _Staged(table, contract, computed, partitions if contract and contract.partitions else [], columns=told)

    def _set_aside(self, staged: _Staged, contract: Contract) -> _Staged:
        """Without the rows that break an expectation of severity quarantine; a merge leaves what stands under their keys."""
        with self._spending("auditing"):
            if staged.changes is None:
                parts = split(staged.frame, contract)
                staged = replace(staged, frame=parts.fits, split=parts)
            else:
                parts = split(staged.changes, contract, f"not {merge.DELETED}")
                staged = replace(staged, frame=merge.kept(parts.fits), changes=parts.fits, split=parts)
        if parts.count:
            print(f"warning: {staged.table}: {parts.count:,} rows are set aside (`lakehouse quarantine` when published)")
        return staged

    def _publish_quarantine(self, ready: list[_Staged]) -> None:
        """Before the tables: a crash in between leaves rows in quarantine that the next run puts there again."""
        found = quarantine.SetAside()
        for batch, whole in self._raw:
            found.add_raw(self._lake._root, batch, whole)
        for item in ready:
            if item.split is not None:
                found.add(item.table, item.partitions, item.split.aside, item.split.count, whole=item.changes is None)
        self.result.set_aside = found.rows
        if not self._lake.in_sandbox:
            quarantine.publish(self._lake.spark, self._lake._root, self.result.run_id, found)
        self._raw.clear()

    def _audit(self, staged: _Staged) -> None:
        from lakehouse import gate, references, upstream

        assert staged.contract is not None and staged.split is not None
        with self._spending("auditing"):
            if staged.changes is None:
                checks = gate.audit(staged.frame, staged.contract, staged.partitions)
            else:
                checks = self._audit_merge(staged)
            contracts = self._lake._project.contracts
            checks += staged.split.records
            checks += references.audit(staged.frame, staged.contract, contracts, lambda to: self._referenced(to, staged))
        if staged.contract.parity is not None:
            with self._spending("auditing"):
                checks += self._audit_parity(staged.frame, staged.contract, staged.contract.parity)
        # Rows that are refused are nothing to compare, and may lie in partitions that are none.
        if checks_of.profiled(staged.contract) and not any(checks_of.broke(check) for check in checks):
            with self._spending("profiling"):
                checks += self._profiler.audit(staged.frame, staged.contract, staged.partitions, merged=staged.changes is not None)
        checks += upstream.audit(staged.contract, self.result.behind)
        self.result.checks = [check for check in self.result.checks if check.table != staged.table.dotted] + checks
        self._save()
        broken = [check for check in checks if checks_of.broke(check)]
        for check in checks:
            if not check.passed and check.severity == "warn":
                print(f"warning: {checks_of.in_words(check)}")
        if broken:
            raise AuditFailed(
                f"{staged.table}: {'; '.join(checks_of.in_words(check) for check in broken[:5])}",
                f"{len(broken)} of {len(checks)} checks failed, so nothing was published. "
                f"Correct the rows, or the contract assets/contracts/{staged.table.slashed}.yaml.",
                tuple(check.model_dump() for check in broken),
            )

    def _audit_parity(self, rows: DataFrame, contract: Contract, wanted: Parity) -> list[CheckRecord]:
        from lakehouse.scoring import parity

        return parity.audit(self._lake, rows, contract, wanted)

    def _audit_merge(self, staged: _Staged) -> list[CheckRecord]:
        """Each row by itself; the key, and what else is promised of all rows together, of the table as it will stand."""
        from lakehouse import gate
        from lakehouse.spark.session import checkpoint

        contract, partitions, changes = staged.contract, staged.partitions, staged.changes
        assert contract is not None and changes is not None
        path, version = self._stands(staged.table)
        there = f"select * from {tables.at(path)} version as of {version}" if path else ""
        old = merge.standing(changes.sparkSession.sql(there), contract) if there else None
        met = checkpoint(merge.meet(changes, old, contract, partitions))
        self._audited[staged.table] = version, merge.needed(met, contract)
        checks = [*gate.audit(staged.frame, contract, partitions, "rows"), merge.key_check(met, contract)]
        return checks + gate.audit(merge.will_stand(changes, old, contract, partitions), contract, partitions, "table")

    def _stands(self, table: TableName) -> tuple[Path | None, int | None]:
        """Where the table lies that a merge finds, and at which version; nothing where there is none yet."""
        places = [self._target(table), tables.lake_path(self._lake._root, table)]
        return next(((path, version) for path in places if (version := deltalog.latest(path)) is not None), (None, None))

    def _target(self, table: TableName) -> Path:
        root = self._lake._root
        return tables.sandbox_path(root, table) if self._lake.in_sandbox else tables.lake_path(root, table)

    def _referenced(self, table: TableName, staged: _Staged) -> tuple[DataFrame, str]:
        """The rows of `table`, to which `staged` refers, as they will stand once this run has published; which those are."""
        other = staged if table == staged.table else self._staged.get(table)
        spark = staged.frame.sparkSession  # rows can only be joined within their own session
        if other is None:
            if not self._lake._spec.explore and table in {item.table for item in self._lake._spec.writes}:
                hint = "Write it first: a reference is held against what the run has computed."
                raise ContractError(f"{staged.table} refers to {table}, which this notebook writes later", hint)
            relation, which = self._lake.pinned(table)
            return spark.sql(f"select * from {relation}"), which
        if other.contract is None or other.contract.partitions is None:
            return other.frame, "the rows of this run"
        replaced = tables.partitions_clause(other.contract.partitions.column, other.partitions)
        try:
            relation, which = self._lake.pinned(table, f"not ({replaced})")
        except UnknownName:
            return other.frame, "the rows of this run"
        rest = spark.sql(f"select * from {relation}")
        columns = [name for name in other.frame.columns if name in rest.columns]
        return other.frame.select(*columns).unionAll(rest.select(*columns)), f"the rows of this run and {which}"

    def _publish(self, staged: _Staged) -> None:
        path, (found, _) = self._target(staged.table), self._stands(staged.table)
        if found is not None and found != path:
            commit.clone(self._lake.spark, found, path)
        for attempt in range(_ATTEMPTS):
            said = commit.metadata(self.result, staged.table, staged.partitions)
            try:
                if staged.changes is None or found is None:
                    commit.replace(staged.frame, staged.contract, staged.partitions, path, said)
                else:
                    assert staged.contract is not None
                    merge.commit(self._audited[staged.table][1], staged.contract, staged.partitions, path, said)
                break
            except LakehouseError:
                raise
            except Exception as error:
                # Another run's commit came between; the rows are computed and audited, so only the commit is repeated.
                if _CONFLICT not in str(error) or attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(0.2 * 2**attempt)
                if staged.changes is not None:
                    self._audit(staged)  # of all its rows together another table will stand
        self._note_write(staged, path)
        self._save()

    def _note_write(self, staged: _Staged, path: Any) -> None:
        published = next(
            entry for entry in reversed(deltalog.commits(path)) if (entry.ours or {}).get("run_id") == self.result.run_id
        )
        if not self._lake.in_sandbox and published.version == 0:
            commit.name_in_catalog(self._lake.spark, staged.table, path)
        write = Write(
            table=staged.table.dotted,
            version=published.version,
            rows=published.rows,
            partition_rows=published.partition_rows if staged.partitions and staged.changes is None else {},
            columns=staged.columns,
        )
        self.result.writes = [item for item in self.result.writes if item.table != write.table] + [write]
        where = "your sandbox" if self._lake.in_sandbox else "the lake"
        print(f"{staged.table}: {published.rows:,} rows published to {where} as version {published.version}")

    @contextmanager
    def _spending(self, part: str) -> Iterator[None]:
        began, waited = time.monotonic(), spark_seconds()
        try:
            yield
        finally:
            self._spark_elsewhere += spark_seconds() - waited
            self.result.timings[part] = self.result.timings.get(part, 0.0) + time.monotonic() - began

    def _save(self) -> None:
        self.result.timings["spark"] = spark_seconds() - self._spark_elsewhere
        if not self._lake.in_sandbox:
            record.save(self._folder / record.RESULT, self.result)

    @property
    def _folder(self) -> Path:
        return record.folder(self._lake._root, self._lake._spec.name, self.result.run_id)
