"""Which version of a model is meant: `flight_delay/7`, `flight_delay@champion`, or `flight_delay` for the champion."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lakehouse.errors import UnknownName
from lakehouse.names import TableName

_FORM = re.compile(r"(?:models[./])?(?P<name>[a-z][a-z0-9_]*)(?:/(?P<version>\d+)|@(?P<alias>[A-Za-z][\w-]*))?", re.ASCII)


@dataclass(frozen=True)
class Which:
    """A model's name, and a version's number or alias."""

    model: TableName
    version: int | str

    @classmethod
    def alone(cls, text: str, apart: str) -> TableName:
        """A model's name without a version, which is said `apart`. Raises UnknownName."""
        if "/" in text.strip().removeprefix("models/") or "@" in text:
            raise UnknownName(f"{text!r} names a version", f"Name the model alone, and the version by {apart}.")
        return cls.parse(text).model

    @classmethod
    def parse(cls, text: str) -> Which:
        """Raises UnknownName for what is no such name."""
        found = _FORM.fullmatch(text.strip())
        if found is None:
            raise UnknownName(
                f"{text!r} names no version of a model", "Write flight_delay/7, flight_delay@champion or flight_delay."
            )
        number = found["version"]
        return cls(TableName("models", found["name"]), int(number) if number else found["alias"] or "champion")
