"""What came to an input since a notebook last read it: what `lake.read(…, partitions="new")` gives.

Only of an input that grew can this be told: files of a source beside those that were there, commits that added rows and
took none away. Of any other, and wherever what stands was not made by the notebook as it is now, all is read again;
a merge by key makes the same of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lakehouse import deltafiles, making, raw
from lakehouse.names import TableName
from lakehouse.notebook import NotebookSpec
from lakehouse.partitions import NEW
from lakehouse.project import Project
from lakehouse.raw import RawFile
from lakehouse.record import Result


def read_before(project: Project, root: Path, spec: NotebookSpec, now: Result) -> Mapping[str, Any]:
    """By table what the run that made all that stands of the notebook's tables had read of it, as its commits say.

    Empty where there is no such run, or where that would make something else of the same rows: with other code or
    parameters, or another state of the inputs that are not read as "new".
    """
    made = [making.newest(project, root, output) for output in spec.outputs]
    facts = [one.facts for one in made if one is not None and one.facts is not None]
    if len(facts) < len(made) or len({one.get("run_id") for one in facts}) != 1:
        return {}
    then: Mapping[str, Any] = facts[0].get("inputs", {})
    others = {read.table.dotted for read in (*spec.reads, *spec.models_read) if read.coverage != NEW and not read.scored}
    same = facts[0].get("code") == now.code and facts[0].get("parameters") == now.parameters
    if not same or any(_seen(then, table) != _seen(now.inputs, table) for table in others):
        return {}
    return then


def _seen(inputs: Mapping[str, Any], table: str) -> Any:
    return inputs.get(table, {}).get("seen", {})


def new_files(root: Path, table: TableName, before: Mapping[str, Any] | None) -> list[RawFile]:
    """The raw files that came since a run knew `before` of the table; all where one that it saw is gone."""
    there = raw.files(root, table)
    seen = (before or {}).get("seen", {})
    then = {part: raw.seen_as(root, table, part, identity) for part, identity in seen.items()}
    known = {_content(file) for files in then.values() for file in files}
    if not all(then.values()) or not known <= {_content(file) for file in there}:
        return there
    return [file for file in there if _content(file) not in known]


def _content(file: RawFile) -> tuple[str | None, str, str]:
    return file.partition, file.filename, file.sha256


def new_data(path: Path, version: int, before: Mapping[str, Any] | None) -> list[Path] | None:
    """The data files that commits of the Delta table at `path` added since a run knew `before`, up to `version`.

    None where all of it is to be read: it is new, or a commit did more than add rows, or a file is gone since.
    """
    since = (before or {}).get("version")
    if since is None or since > version:
        return None
    found: list[Path] = []
    for number in range(since + 1, version + 1):
        added = deltafiles.appended(path, number)
        if added is None:
            return None
        found += added
    return found if all(file.exists() for file in found) else None
