"""Why an asset is to be run, as facts: what a run knew, held against what is known now or was by the next run.

Pure functions over the recorded code, parameters and inputs. `plan` asks them of a run and today, `why` of two runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lakehouse.inputs import WHOLE
from lakehouse.names import TableName

Kind = Literal[
    "forced", "asked", "not landed", "landed", "arrived", "never built", "foreign", "restored", "code", "parameters", "input",
    "upstream",
]  # fmt: skip
_SHOWN = 12


@dataclass(frozen=True)
class Change:
    """One part that differs: a partition (or "*"), a code cell, module or contract, a parameter. None: it was not there."""

    part: str
    then: Any = None
    now: Any = None


@dataclass(frozen=True)
class Reason:
    """One reason; `table` is the input that moved, or the output that something else changed."""

    kind: Kind
    table: TableName | None = None
    changes: tuple[Change, ...] = ()

    def __str__(self) -> str:
        parts = [change.part for change in self.changes]
        listed = ", ".join(parts[:_SHOWN]) + (f" and {len(parts) - _SHOWN} more" if len(parts) > _SHOWN else "")
        where = "" if parts == [WHOLE] else f" ({listed})"
        return {
            "forced": "forced",
            "asked": "asked for: what came since lands",
            "not landed": "not landed yet",
            "landed": "landed",
            "arrived": f"files arrived: {listed}",
            "never built": "never built",
            "foreign": "changed by something other than its notebook",
            "restored": "restored to an older version",
            "code": f"code changed: {listed}",
            "parameters": f"parameters differ: {listed}",
            "input": f"{self.table} changed{where}",
            "upstream": f"{self.table} is being rebuilt",
        }[self.kind]


def arrived(names: Iterable[str]) -> tuple[Reason, ...]:
    """Files that lie in a source's folder and have not landed."""
    return _reason("arrived", None, tuple(Change(name) for name in names))


def code(then: Mapping[str, str], now: Mapping[str, str]) -> tuple[Reason, ...]:
    """Code cells, modules, contracts, ways of reading raw files and the lock file that differ, by their hashes."""
    return _reason("code", None, _differing(then, now))


def parameters(then: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[Reason, ...]:
    return _reason("parameters", None, _differing(then, now))


def moved(table: TableName, then: Mapping[str, Any], now: Mapping[str, Any], covered: Iterable[str] | None) -> tuple[Reason, ...]:
    """Of an input, the parts that stand otherwise now; of what was there then only `covered` can be missing now."""
    changes = [Change(part, then.get(part), now[part]) for part in sorted(now) if now[part] != then.get(part)]
    changes += [Change(part, then[part]) for part in sorted(covered or ()) if part in then and part not in now]
    return _reason("input", table, changes)


def merged(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """The same of several partitions or reads, each kind and table once, with all its changes."""
    found: dict[tuple[Kind, TableName | None], dict[Change, None]] = {}
    for reason in reasons:
        found.setdefault((reason.kind, reason.table), {}).update(dict.fromkeys(reason.changes))
    return tuple(Reason(kind, table, tuple(changes)) for (kind, table), changes in found.items())


def _differing(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    parts = sorted({*then, *now})
    return [Change(part, then.get(part), now.get(part)) for part in parts if then.get(part) != now.get(part)]


def _reason(kind: Kind, table: TableName | None, changes: Iterable[Change]) -> tuple[Reason, ...]:
    found = tuple(changes)
    return (Reason(kind, table, found),) if found else ()
