"""Sets damaged files aside: out of everybody's way, under a name that says so."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

MARK = ".damaged-"


def set_aside(path: Path, *companions: Path) -> Path:
    """Renames `path`, and those of `companions` that are there, in place; returns the new name of `path`.

    The end of the name is one that neither Delta, Dagster nor this library takes for a file of its own.
    """
    suffix = f"{MARK}{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
    target = path.with_name(path.name + suffix)
    for companion in companions:
        if companion.exists():
            os.replace(companion, companion.with_name(companion.name + suffix))
    os.replace(path, target)
    return target
