"""The doctor's tests call the small lake `place`, and what it was copied from `built`."""

from __future__ import annotations

import pytest

from tests.workspace import Workspace


@pytest.fixture
def place(small_lake: Workspace) -> Workspace:
    return small_lake


@pytest.fixture
def built(built_lake: Workspace) -> Workspace:
    return built_lake
