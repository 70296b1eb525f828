"""What is wrong in a lake or around it, in words that say what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Trouble:
    """`where` is a file or a part, `what` is wrong with it, `todo` what a user can do, `since` when or by which run.

    `mend` repairs it without losing anything and returns what it did, in a sentence; None where nothing of ours can.
    """

    where: str
    what: str
    todo: str
    since: str = ""
    mend: Callable[[], str] | None = field(default=None, compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        return {
            "where": self.where, "what": self.what, "since": self.since, "todo": self.todo, "repairable": self.mend is not None,
        }  # fmt: skip
