"""Who is champion, from the log of the ledger's table: each of its commits says its decision too, without the evidence."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from lakehouse import deltalog, tables
from lakehouse.errors import LedgerError
from lakehouse.ledger.entry import CROWNING, NOTHING_BEFORE, Action, Head
from lakehouse.names import PROMOTIONS, TableName

KEY = "ledger"
"""The key of the commit's `userMetadata` under which it stands."""


@dataclass
class Standing:
    """Where a model stands after its decisions: `reigns` are the champions to which one can go back, the present one last;
    `decided` says of each version what was said of it last."""

    reigns: list[int] = field(default_factory=list)
    decided: dict[int, Action] = field(default_factory=dict)
    last: Head | None = None

    @property
    def champion(self) -> int | None:
        return self.reigns[-1] if self.reigns else None

    @property
    def previous(self) -> int | None:
        """The champion before: what a rollback goes back to."""
        return self.reigns[-2] if len(self.reigns) > 1 else None

    @property
    def number(self) -> int:
        """Of the last entry about it; 0 where there is none."""
        return self.last.seq if self.last else 0

    def challenger(self, newest: int | None) -> int | None:
        """The `newest` registered version, while nothing final was said of it."""
        return newest if newest is not None and self.decided.get(newest, "waiting") == "waiting" else None

    def aliases(self, newest: int | None) -> dict[str, int]:
        """The aliases that follow from this, with the version of each."""
        found = {"champion": self.champion, "challenger": self.challenger(newest), "previous": self.previous}
        return {alias: version for alias, version in found.items() if version is not None}

    def _follow(self, head: Head) -> None:
        self.last = head
        self.decided[head.to_version] = head.action
        if head.action not in CROWNING:
            return
        if head.action == "rolled_back" and head.to_version in self.reigns:
            del self.reigns[self.reigns.index(head.to_version) + 1 :]
        elif head.to_version != self.champion:
            self.reigns = [version for version in self.reigns if version != head.to_version] + [head.to_version]


def champion(root: Path, model: TableName) -> int | None:
    """The version of `model` that is in use; None where none is yet. Raises LedgerError for a ledger with a hole."""
    return standing(root, model).champion


def standing(root: Path, model: TableName) -> Standing:
    """Where `model` stands. Raises LedgerError for a ledger with a hole."""
    return of(heads(root), model)


def of(known: Iterable[Head], model: TableName) -> Standing:
    """Where `model` stands after these decisions, in their order."""
    found = Standing()
    for head in known:
        if head.model == model.dotted:
            found._follow(head)
    return found


def heads(root: Path) -> list[Head]:
    """Every decision about every model, the first first. Raises LedgerError where one is missing in between."""
    found = list(read(tables.lake_path(root, PROMOTIONS)))
    before, seq = NOTHING_BEFORE, 1
    for head in found:
        if head.previous_hash != before or head.seq != seq:
            raise broken(f"entry {head.seq} does not follow the one before it")
        before, seq = head.hash, seq + 1
    return found


def read(table: Path) -> Iterable[Head]:
    """The decisions that the commits of the ledger's table tell, as they are."""
    for version in deltalog.versions(table):
        path = deltalog.commit_path(table, version)
        status = path.stat()
        head = _head(path, status.st_ino, status.st_mtime_ns)
        if head is not None:
            yield head


@lru_cache(maxsize=10_000)
def _head(path: Path, _inode: int, _mtime: int) -> Head | None:
    """What a commit decided; None for one that is not of the ledger's making, such as OPTIMIZE."""
    info = next((facts for kind, facts in deltalog.actions(path) if kind == "commitInfo"), {})
    try:
        told = json.loads(info.get("userMetadata") or "{}")
        return Head.model_validate(told[KEY]) if KEY in told else None
    except (ValueError, TypeError):
        raise broken(f"{path.name} cannot be understood") from None


def hold(known: Sequence[Head], model: TableName, anchored: tuple[int, str] | None) -> None:
    """Raises LedgerError where the ledger lacks what MLflow knows to have been in it."""
    if anchored is None or anchored[0] == 0:
        return
    seq, digest = anchored
    found, last = next((head for head in known if head.seq == seq), None), known[-1].seq if known else 0
    if found is None:
        how = "was cut off its end" if seq > last else "is missing"
        raise broken(f"entry {seq} about {model}, which MLflow knows of, {how}")
    if found.hash != digest:
        raise broken(f"entry {seq} about {model} is not the one that MLflow knows")


def broken(what: str) -> LedgerError:
    return LedgerError(f"The ledger {PROMOTIONS} does not hold together: {what}", "`lakehouse models verify` says more.")
