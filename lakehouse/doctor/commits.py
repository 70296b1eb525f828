"""A Delta table's log: commits that are torn, changed or missing, checkpoints that cannot be read.

Delta leaves beside each commit a summary (`<version>.crc`) that lists the files which the table then had. A commit that
was lost is rebuilt from it: what the version has more than the one before was added, what it has less was removed. Who
wrote it stands in the run's record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from lakehouse import atomic, deltafiles, deltalog, services, tables
from lakehouse.doctor import written
from lakehouse.doctor.aside import set_aside
from lakehouse.errors import LakeError, ServiceError
from lakehouse.names import TableName
from lakehouse.settings import Settings
from lakehouse.trouble import Trouble

_CHECKPOINT = re.compile(r"^(\d{20})\.checkpoint.*\.(?:parquet|json)$")
_SUMMARY = re.compile(r"^(\d{20})\.crc$")
_LAST = "_last_checkpoint"


def look(settings: Settings, deep: bool) -> Iterator[Trouble]:
    """Every table of the lake and of every sandbox."""
    for table in all_tables(settings.root):
        yield from _checkpoints(table)
        yield from _summaries(table)
        yield from _commits(settings, table)


def all_tables(root: Path) -> list[Path]:
    """The folders of all tables, those of sandboxes too."""
    logs = [*root.glob("tables/*/*/_delta_log"), *root.glob("sandbox/*/*/*/_delta_log")]
    return sorted(log.parent for log in logs if not log.parent.name.startswith("."))


def _commits(settings: Settings, table: Path) -> Iterator[Trouble]:
    root = settings.root
    summaries = _numbers(table, _SUMMARY)  # before the commits: a writer may be at work, and writes the summary last
    there = deltalog.versions(table)
    newest = max([*there, *summaries], default=-1)
    # With a checkpoint, the oldest commits may have been cleaned away, their summaries with them.
    first = 0 if not _numbers(table, _CHECKPOINT) else min([*there, *summaries], default=0)
    for version in range(first, newest + 1):
        path = deltalog.commit_path(table, version)
        words = "is missing" if version not in there else commit_flaw(path)
        if not words:
            continue
        mend: Any = None
        if _rebuilt(root, table, version) is not None:
            mend = partial(_rebuild, root, table, version)
            todo = f"--repair writes it anew from what Delta noted beside it ({version:020d}.crc)."
        elif version == newest and version in there:
            mend = partial(_go_back, settings, table, version)
            before = f"version {version - 1} stands again" if version else "the table counts as not built"
            todo = f"--repair sets it aside: {before}, and `{_run(root, table)}` writes anew what it held."
        else:
            todo = f"Restore it from a backup, or move {table} away and write the table anew: `{_run(root, table)}`."
        yield Trouble(str(path), words, todo, mend=mend)


def commit_flaw(path: Path) -> str:
    """What is wrong with a commit's file, in words; empty is good."""
    try:
        for _ in deltalog.actions(path):
            pass
    except LakeError as error:
        return error.what.partition(f"{path} ")[2]
    return "was changed: it does not match the checksums beside it" if deltafiles.matches_checksums(path) is False else ""


def _run(root: Path, table: Path) -> str:
    if table.is_relative_to(root / "sandbox"):
        return f"lakehouse sandbox drop {table.parent.name}.{table.name}"
    return f"lakehouse run {table.parent.name}/{table.name} --force"


def _numbers(table: Path, pattern: re.Pattern[str]) -> list[int]:
    names = [entry.name for entry in (table / "_delta_log").iterdir()]
    return sorted({int(match[1]) for name in names if (match := pattern.match(name))})


def _summary(table: Path, version: int) -> dict[str, Any] | None:
    """What Delta noted of a version; None where it is damaged, or lists no files (it does for small tables only)."""
    path = table / "_delta_log" / f"{version:020d}.crc"
    try:
        found = json.loads(path.read_text())
        whole = len(found["allFiles"]) == found["numFiles"] and found["metadata"] and found["protocol"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if whole and deltafiles.matches_checksums(path) is not False else None


def _files(table: Path, version: int) -> dict[str, dict[str, Any]] | None:
    """The `add` of each file of a version, by path; None where that cannot be known."""
    if version < 0:
        return {}
    summary = _summary(table, version)
    if summary is not None:
        return {add["path"]: add for add in summary["allFiles"]}
    live: dict[str, dict[str, Any]] = {}
    for number in range(version + 1):
        path = deltalog.commit_path(table, number)
        if commit_flaw(path):
            return None
        for kind, facts in deltalog.actions(path):
            if kind == "add":
                live[facts["path"]] = facts
            elif kind == "remove":
                live.pop(facts["path"], None)
    return live


def _rebuilt(root: Path, table: Path, version: int) -> list[dict[str, Any]] | None:
    """The actions of a commit that was lost; None where they cannot be known."""
    summary, before, after = _summary(table, version), _files(table, version - 1), _files(table, version)
    if summary is None or before is None or after is None:
        return None
    previous = _summary(table, version - 1) or {}
    added = [add for path, add in after.items() if path not in before]
    removed = [add for path, add in before.items() if path not in after]
    known = {txn["appId"]: txn for txn in previous.get("setTransactions") or []}
    transactions = [txn for txn in summary.get("setTransactions") or [] if known.get(txn["appId"]) != txn]
    at = max([txn.get("lastUpdated") or 0 for txn in transactions] + [add["modificationTime"] for add in added], default=0)
    actions: list[dict[str, Any]] = [{"commitInfo": _info(root, table, version, summary, at)}]
    if previous.get("metadata") != summary["metadata"]:
        actions.append({"metaData": summary["metadata"]})
    if previous.get("protocol") != summary["protocol"]:
        actions.append({"protocol": summary["protocol"]})
    actions += [{"txn": txn} for txn in transactions]
    actions += [{"add": {**add, "dataChange": True}} for add in added]
    return actions + [{"remove": _remove(add, at)} for add in removed]


def _info(root: Path, table: Path, version: int, summary: dict[str, Any], at: int) -> dict[str, Any]:
    """The commit's own first line where that is still whole, else what the run's record knows."""
    try:
        with deltalog.commit_path(table, version).open() as content:
            info = json.loads(content.readline())["commitInfo"]
        if info["txnId"] == summary["txnId"]:
            return info
    except (OSError, ValueError, KeyError, TypeError):
        pass
    info = {"timestamp": at, "operation": "WRITE", "operationParameters": {"mode": "Overwrite"}, "txnId": summary["txnId"]}
    result = written.who_wrote(root, TableName(table.parent.name, table.name), version)
    if result is None or table.is_relative_to(root / "sandbox"):
        return info
    kept = {"run_id", "asset", "partitions", "parameters", "inputs", "code"}
    return {**info, "userMetadata": json.dumps({"lakehouse": tables.FORMAT, **result.model_dump(include=kept)})}


def _remove(add: dict[str, Any], at: int) -> dict[str, Any]:
    kept = {name: add[name] for name in ("path", "partitionValues", "size") if name in add}
    return {**kept, "deletionTimestamp": at, "dataChange": True, "extendedFileMetadata": True}


def _rebuild(root: Path, table: Path, version: int) -> str:
    actions = _rebuilt(root, table, version)
    if actions is None:
        raise LakeError(f"Version {version} of {table} cannot be rebuilt any more", "Another process may be at work on it.")
    path = deltalog.commit_path(table, version)
    with atomic.replacing(path) as beside:
        beside.write_text("".join(json.dumps(action, separators=(",", ":")) + "\n" for action in actions))
        kept = f"; the damaged one is now {set_aside(path, deltafiles.checksums(path)).name}" if path.exists() else ""
        deltafiles.checksums(path).unlink(missing_ok=True)
    return f"Wrote {path} anew from Delta's summary{kept}."


def _go_back(settings: Settings, table: Path, version: int) -> str:
    spark = services.read(settings, "spark")
    if spark is not None and spark.alive:  # it may remember the version that goes, and write the one after it
        raise ServiceError(f"The Spark server (process {spark.pid}) may have read {table}", "End it first: `lakehouse down`.")
    path = deltalog.commit_path(table, version)
    summary = path.with_suffix(".crc")
    kept = set_aside(path, deltafiles.checksums(path), summary, deltafiles.checksums(summary))
    return f"Set {path} aside as {kept.name}."


def _checkpoints(table: Path) -> Iterator[Trouble]:
    log = table / "_delta_log"
    for path in sorted(path for path in log.iterdir() if _CHECKPOINT.match(path.name)):
        words = deltafiles.parquet_flaw(path) if path.suffix == ".parquet" else ""
        if words or (words := deltafiles.contents_flaw(path)):
            yield _removable(table, path, words)
    last = log / _LAST
    if last.exists() and (words := _pointer_flaw(table, last)):
        yield _removable(table, last, words)


def _pointer_flaw(table: Path, last: Path) -> str:
    try:
        version = int(json.loads(last.read_text())["version"])
    except (ValueError, KeyError, TypeError, OSError) as error:
        return f"is damaged: {error}"
    if version not in _numbers(table, _CHECKPOINT):
        return f"names a checkpoint of version {version}, which is not there"
    return "was changed: it does not match the checksums beside it" if deltafiles.matches_checksums(last) is False else ""


def _removable(table: Path, path: Path, words: str) -> Trouble:
    """Checkpoints only save time, as long as the commits that they sum up are there."""
    whole = deltalog.versions(table)[:1] == [0]
    if not whole and path.name != _LAST:
        return Trouble(str(path), words, "Restore it from a backup: the commits before it are gone.")
    return Trouble(str(path), words, "--repair sets it aside: Delta reads the commits instead.", mend=partial(_set_aside, path))


def _set_aside(path: Path) -> str:
    return f"Set {path} aside as {set_aside(path, deltafiles.checksums(path)).name}."


def _summaries(table: Path) -> Iterator[Trouble]:
    for version in _numbers(table, _SUMMARY):
        path = table / "_delta_log" / f"{version:020d}.crc"
        try:
            json.loads(path.read_text())
            words = "" if deltafiles.matches_checksums(path) is not False else "does not match the checksums beside it"
        except (OSError, ValueError) as error:
            words = f"is damaged: {error}"
        if words:
            todo = "--repair sets it aside: Delta does without."
            yield Trouble(str(path), words, todo, mend=partial(_set_aside, path))
