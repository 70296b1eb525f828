from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse.settings import Settings
from tests.streams.place import Place


@pytest.fixture
def new_place(fresh_lake: Settings, tmp_path: Path) -> Callable[..., Place]:
    """The lake is on the suite's server."""
    return lambda **options: Place(fresh_lake, tmp_path, **options)
