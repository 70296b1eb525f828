"""Where Dagster keeps this lake's history, and the file that says how."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse import atomic, tables
from lakehouse.errors import LakeError

if TYPE_CHECKING:
    from lakehouse.settings import Settings

_CONFIG = "dagster.yaml"


def home(settings: Settings) -> Path:
    """DAGSTER_HOME of this lake, made ready. Raises LakeError if the lake cannot be written."""
    folder = settings.root / "dagster"
    config = folder / _CONFIG
    try:
        tables.make_folder(settings.root)
        folder.mkdir(exist_ok=True)
        if not config.exists():
            with atomic.replacing(config) as beside:
                shutil.copyfile(Path(__file__).with_name(_CONFIG), beside)
    except OSError as error:
        raise LakeError(
            f"Dagster's store {folder} cannot be written: {error.strerror}",
            "Check the folder's permissions, or set LAKEHOUSE_ROOT to another folder.",
        ) from None
    return folder
