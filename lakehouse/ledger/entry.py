"""One decision about a model, and the hash by which it is chained to the one before."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

Action = Literal["promoted", "refused", "waiting", "approved", "rolled_back", "unjudged"]
CROWNING: frozenset[str] = frozenset({"promoted", "approved", "rolled_back", "unjudged"})
"""After these `to_version` is the champion; after the others it is who it was."""

NOTHING_BEFORE = "0" * 64
"""Stands for the hash before the first entry's."""


class Head(BaseModel, frozen=True):
    """What a decision is without its evidence: as the log of the ledger's table says it.

    `from_version` is the champion that was met (None: there was none), `to_version` the version that was decided about.
    """

    seq: int
    at: datetime
    who: str
    model: str
    action: Action
    from_version: int | None = None
    to_version: int
    note: str = ""
    previous_hash: str
    hash: str = ""

    @property
    def said(self) -> str:
        """In a few words: who did what."""
        came = f" from {self.from_version}" if self.action == "rolled_back" else ""
        did = {"rolled_back": "rolled back to", "unjudged": "made champion unjudged:"}.get(self.action, self.action)
        return f"{did} {self.to_version}{came} by {self.who}"


class Entry(Head, frozen=True):
    """A decision with its evidence (metrics, slices, data versions) and what each gate said."""

    evidence: dict[str, Any] = {}
    gates: list[dict[str, Any]] = []

    @property
    def head(self) -> Head:
        return Head.model_validate(self.model_dump(include=set(Head.model_fields)))

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of all but `hash`: keys sorted, no blanks, the time in UTC with microseconds."""
        return hashlib.sha256(canonical(self.model_dump(exclude={"hash"})).encode()).hexdigest()

    @classmethod
    def after(cls, last: Head | None, **facts: Any) -> Entry:
        """The entry that follows `last` (None: the first) with these facts."""
        facts = {name: plain(value) for name, value in facts.items()}
        seq, before = (last.seq + 1, last.hash) if last else (1, NOTHING_BEFORE)
        entry = cls(seq=seq, at=datetime.now(UTC), previous_hash=before, **facts)
        return entry.model_copy(update={"hash": entry.digest})


def canonical(value: Any) -> str:
    """JSON of which there is one only: keys sorted, no blanks."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def plain(value: Any) -> Any:
    """What JSON can say of `value`: dataclasses and models as objects, numpy's numbers as numbers, NaN as null."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, BaseModel):
        return plain(value.model_dump())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        return plain(value.item())
    if isinstance(value, Iterable) and not isinstance(value, Path):
        return [plain(one) for one in value]
    return str(value)
