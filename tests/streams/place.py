"""A stream of files from an inbox, with a lake of its own."""

from __future__ import annotations

from pathlib import Path

from lakehouse.settings import Settings
from lakehouse.source import Stream


class Place:
    """A lake with a stream raw.words, whose inbox lies beside it."""

    def __init__(self, settings: Settings, folder: Path, **options: str | int | bool) -> None:
        self.settings, self.root, self.inbox = settings, settings.root, folder / "inbox"
        self.inbox.mkdir()
        self.stream = Stream("raw.words", inbox=self.inbox, options=options)

    def put(self, name: str, *lines: str) -> None:
        """A whole file appears, by a rename."""
        draft = self.inbox / f".{name}"
        draft.write_text("".join(f"{line}\n" for line in lines))
        draft.rename(self.inbox / name)
