"""What was made of what, by commits and runs' records: partitions of tables, versions of models, raw files.

No data is read and neither Spark nor Dagster is imported. Which partitions of an input a partition was made of is told
by the notebook's reads as they are now; which version of each stood then, by what its run recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from lakehouse import deltalog, inputs, ledger, making, raw, record, tables
from lakehouse.deltalog import Commit
from lakehouse.making import Making
from lakehouse.names import TableName
from lakehouse.project import Project
from lakehouse.raw import RawFile
from lakehouse.streams import checkpoint


@dataclass(frozen=True, order=True)
class Node:
    """`partitions` of `table` as the commit `version` left them (none: the table has none), or a model's version."""

    table: TableName
    version: int
    partitions: tuple[str, ...] = ()

    def split(self) -> list[Node]:
        """One node for each partition."""
        return [Node(self.table, self.version, (key,)) for key in self.partitions] or [self]


Origin = Node | RawFile


class Lineage:
    """The lineage of one lake, as far as its commits and records tell."""

    def __init__(self, project: Project, root: Path, *, every_model: bool = False) -> None:
        self._project, self._root, self._every_model = project, root, every_model
        self._inputs: dict[Node, list[Origin]] = {}

    def made(self, node: Node) -> Making | None:
        """The run or commit that left `node`; None where the record or log of it is gone."""
        if node.table.layer == "models":
            found = making.makings(self._project, self._root, node.table)
            return next((one for one in found if one.version == node.version), None)
        path = tables.lake_path(self._root, node.table)
        if node.version not in deltalog.versions(path):
            return None
        return making.of_commit(node.table, deltalog.commit(path, node.version))

    def standing(self, table: TableName, partitions: Iterable[str] | None = None, upto: int | None = None) -> list[Node]:
        """What stands in a table (in these partitions of it) as of version `upto` (None: now), by the commits that left it.

        Of a model its champion (the newest version where it has none).
        """
        if table.layer == "models":
            version = ledger.champion(self._root, table) or next(self._versions(table), None)
            return [Node(table, version)] if version else []
        history = deltalog.commits(tables.lake_path(self._root, table))
        history = [entry for entry in reversed(history) if entry.data and (upto is None or entry.version <= upto)]
        if self._project.partitions_of(table) is None:
            return [Node(table, history[0].version)] if history else []
        wanted = _ever_written(history) if partitions is None else set(partitions)
        by_version: dict[int, list[str]] = {}
        for key in sorted(wanted):
            left = next((entry for entry in history if entry.changed(key)), None)
            if left is not None:
                by_version.setdefault(left.version, []).append(key)
        return [Node(table, version, tuple(keys)) for version, keys in sorted(by_version.items())]

    def left_by(self, run_id: str, table: TableName, partitions: Iterable[str]) -> list[Node]:
        """What a run left in `partitions` of a table, by the commit that it made; nothing where that is not known any more."""
        history = deltalog.commits(tables.lake_path(self._root, table))
        own = (entry.version for entry in reversed(history) if (entry.ours or {}).get("run_id") == run_id)
        return [Node(table, version, tuple(partitions)) for version in own][:1]

    def inputs(self, node: Node) -> list[Origin]:
        """What `node` was made of. What no run of ours made has no inputs; a restored version is what stood then."""
        if node not in self._inputs:
            made = self.made(node)
            if node.table.layer == "raw":
                self._inputs[node] = list(checkpoint.files(self._root, node.table, node.version))
            elif made is None:
                self._inputs[node] = []
            elif made.facts is None:
                self._inputs[node] = self._restored(node, made)
            else:
                self._inputs[node] = self._read(node, made.facts)
        return self._inputs[node]

    def everything(self) -> list[Node]:
        """All that stands in the lake, partition by partition, with the champion and the newest (or every) version of models."""
        models = [name for name in self._project.writers if name.layer == "models"]
        found = [node for table in (*tables.tables_under(self._root / "tables"), *models) for node in self.standing(table)]
        for model in models:
            upto = None if self._every_model else 1
            found += [Node(model, version) for version in islice(self._versions(model), upto)]
        return [single for node in dict.fromkeys(found) for single in node.split()]

    def _versions(self, model: TableName) -> Iterator[int]:
        """Of a model, the newest first."""
        return (made.version for made in making.makings(self._project, self._root, model))

    @cached_property
    def outputs(self) -> Mapping[Origin, list[Node]]:
        """What was made of each origin, partition by partition, among everything and what that was made of."""
        found: dict[Origin, set[Node]] = {}
        waiting = self.everything()
        known = set(waiting)
        while waiting:
            node = waiting.pop()
            for origin in self.inputs(node):
                for single in origin.split() if isinstance(origin, Node) else [origin]:
                    found.setdefault(single, set()).add(node)
                    if isinstance(single, Node) and single not in known:
                        known.add(single)
                        waiting.append(single)
        return {origin: sorted(nodes) for origin, nodes in found.items()}

    def notebook(self, made: Making) -> Path | None:
        """The executed notebook of the run that made it, while it is kept."""
        if made.asset is None or made.run_id is None:
            return None
        path = record.folder(self._root, made.asset, made.run_id) / record.NOTEBOOK
        return path if path.exists() else None

    def _restored(self, node: Node, made: Making) -> list[Origin]:
        version = made.note.get("restored")
        return [] if version is None else list(self.standing(node.table, node.partitions or None, int(version)))

    def _read(self, node: Node, facts: Mapping[str, Any]) -> list[Origin]:
        found: list[Origin] = []
        spec = self._project.notebooks.get(TableName.parse_notebook(facts.get("asset", node.table.dotted)))
        for name, known in sorted(facts.get("inputs", {}).items()):
            table, seen = TableName.parse(name), known.get("seen", {})
            parts = [inputs.parts_read(self._project, spec, table, key) for key in node.partitions] if spec else []
            if parts and all(part is not None for part in parts):
                seen = {key: what for key, what in seen.items() if any(key in (part or ()) for part in parts)}
            found += self._origins(table, seen)
        return found

    def _origins(self, table: TableName, seen: Mapping[str, Any]) -> list[Origin]:
        if self._project.is_of_files(table):
            return [file for key, identity in sorted(seen.items()) for file in raw.seen_as(self._root, table, key, identity)]
        if table.layer == "models" or self._project.partitions_of(table) is None:
            return [Node(table, int(version)) for version in dict.fromkeys(seen.values())]
        whole = seen.get(inputs.WHOLE)
        if whole is not None:
            return list(self.standing(table, upto=int(whole)))
        by_version: dict[int, list[str]] = {}
        for key, version in sorted(seen.items()):
            by_version.setdefault(int(version), []).append(key)
        return [Node(table, version, tuple(keys)) for version, keys in sorted(by_version.items())]


def _ever_written(history: Iterable[Commit]) -> set[str]:
    return {key for entry in history for key in (*entry.partition_rows, *(entry.touched or ()))}
