"""Names of tables, models and notebooks: a layer and a word, written `silver.flights` or `silver/flights`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from lakehouse.errors import UnknownName

LAYERS = ("raw", "bronze", "silver", "gold", "features", "models", "evaluation", "scores", "monitoring")
# A folder of notebooks, not a layer of tables: what is tried here is nobody's input.
EXPLORE = "explore"

WORD = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)


@dataclass(frozen=True, order=True, slots=True)
class TableName:
    """A table, model or notebook asset. Both parts are plain lower-case words, so a name is always safe in a path."""

    layer: str
    name: str

    def __post_init__(self) -> None:
        if self.layer not in (*LAYERS, EXPLORE) or not WORD.fullmatch(self.name) or len(self.name) > 100:
            raise UnknownName(
                f"{f'{self.layer}.{self.name}'!r} is not a name of a table",
                f"Write layer.name: the layer one of {', '.join(LAYERS)}; the name in a-z, 0-9 and _, a letter first."
                + did_you_mean(self.layer, LAYERS),
            )

    @classmethod
    def parse(cls, text: str) -> TableName:
        """Understands `silver.flights` and `silver/flights`. Raises UnknownName for all else, `explore/…` included."""
        name = cls.parse_notebook(text)
        if name.layer == EXPLORE:
            raise UnknownName(
                f"{text!r}: {EXPLORE} is a folder of notebooks, not a layer of tables",
                f"The layers are {', '.join(LAYERS)}.",
            )
        return name

    @classmethod
    def parse_notebook(cls, text: str) -> TableName:
        """The same for a notebook's name, which may also be `explore/<name>`."""
        parts = re.split(r"[./]", text) if isinstance(text, str) else []
        if len(parts) != 2:
            raise UnknownName(
                f"{text!r} is not a name of a table",
                "Write layer.name or layer/name, for example silver.flights.",
            )
        return cls(parts[0], parts[1])

    @property
    def dotted(self) -> str:
        return f"{self.layer}.{self.name}"

    @property
    def slashed(self) -> str:
        return f"{self.layer}/{self.name}"

    def __str__(self) -> str:
        return self.dotted


PROFILES = TableName("monitoring", "profiles")
PROMOTIONS = TableName("monitoring", "promotions")
OWN_TABLES = (PROFILES, PROMOTIONS)
"""What the library writes itself, without a notebook: any notebook may read these."""


def nearest(name: object, candidates: Iterable[object], n: int = 3) -> list[str]:
    """The candidates that look most like `name`, best first, at most `n`."""
    wanted = str(name).replace("/", ".").lower()
    words = {str(candidate).replace("/", ".").lower(): str(candidate) for candidate in candidates}
    return [words[word] for word in get_close_matches(wanted, sorted(words), n=n, cutoff=0.6)]


def did_you_mean(name: object, candidates: Iterable[object]) -> str:
    """` Did you mean silver.flights or …?`, ready to be put after a sentence; empty when nothing is near."""
    near = nearest(name, candidates)
    return f" Did you mean {' or '.join(near)}?" if near else ""
