"""Puts a published table back to an older version, by one commit that says who did so and why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakehouse import deltalog, holds, plan, tables
from lakehouse.deltastate import State, states
from lakehouse.errors import ContractError, LakeError, UnknownName
from lakehouse.names import PROMOTIONS, TableName
from lakehouse.plan import Step
from lakehouse.project import Project
from lakehouse.settings import Settings

_METADATA = "spark.databricks.delta.commitInfo.userMetadata"


@dataclass(frozen=True)
class Restored:
    """`table` at version `before` was put back to `version` by the commit `written` (None: only asked what would be).

    `stale` is what a run would do now: the table itself, for its notebook makes something else, and what lies below.
    """

    table: TableName
    version: int
    before: int
    written: int | None
    stale: list[Step]


def restore(
    project: Project, settings: Settings, table: TableName, version: int, *, because: str = "", dry_run: bool = False
) -> Restored:
    """Restores `table` to `version`; `because` goes into the commit.

    Raises UnknownName for a table or version that does not exist, LakeError where files of that version are gone or it
    stands already, ContractError where its columns are not those of today's contract.
    """
    if table.layer in ("raw", "models") or table == PROMOTIONS:
        hint = "What is raw is never changed, nor is the ledger; to an older model goes `lakehouse models rollback`."
        raise UnknownName(f"{table} cannot be restored", hint)
    path = tables.Resolver(settings.root).path(table)
    with holds.deciding(settings.root):
        before = deltalog.latest(path)
        assert before is not None
        _check(project, table, _state(path, table, version), before)
        if not dry_run:
            _commit(settings, path, version, _metadata(project, table, version, before, because))
    asset = project.writer_of(table)
    below = project.descendants(asset) if asset else set()
    if dry_run:
        # What it would be: everything that reads the table, as for any other rewrite of it.
        stale = plan.plan(project, settings, below, moving={table: None})
        return Restored(table, version, before, None, stale)
    stale = plan.plan(project, settings, {asset, *below} if asset else ())
    return Restored(table, version, before, deltalog.latest(path), stale)


def _state(path: Path, table: TableName, version: int) -> State:
    found = states(path, [version]).get(version)
    if found is None:
        newest = deltalog.latest(path)
        raise UnknownName(f"{table} has no version {version}", f"There are 0 to {newest}: `lakehouse why {table}` tells of them.")
    return found


def _check(project: Project, table: TableName, state: State, before: int) -> None:
    if state.version == before:
        raise LakeError(f"{table} stands at version {before} already", "Name an older one.")
    gone = state.gone()
    if gone:
        raise LakeError(
            f"{table} cannot go back to version {state.version}: {len(gone)} of its {len(state.files)} files are gone",
            f"The first is {gone[0]}. Choose one that is held (`lakehouse vacuum --dry-run` lists them), or run its notebook.",
        )
    contract = project.contracts.get(table)
    wrong = contract.mismatches(state.columns) if contract else []
    if wrong:
        raise ContractError(
            f"Version {state.version} of {table} breaks today's contract: {'; '.join(wrong[:8])}",
            f"Choose another version, or go back to the contract of then in assets/contracts/{table.slashed}.yaml.",
        )


def _metadata(project: Project, table: TableName, version: int, before: int, because: str) -> Mapping[str, Any]:
    return {
        "lakehouse": tables.FORMAT,
        "operation": "restore",
        "asset": (project.writer_of(table) or table).dotted,
        "restored": version,
        "before": before,
        "by": tables.current_user(),
        "because": because,
    }


def _commit(settings: Settings, path: Path, version: int, metadata: Mapping[str, Any]) -> None:
    from lakehouse.spark.ask import in_words
    from lakehouse.spark.session import connect

    spark = connect(settings)
    try:
        # A session of its own, so that no other statement carries this.
        spark.conf.set(_METADATA, json.dumps(metadata))
        with in_words("The restore", "Nothing was changed. Run it again if another commit came between."):
            spark.sql(f"restore table {tables.at(path)} to version as of {int(version)}").collect()
    finally:
        spark.stop()
