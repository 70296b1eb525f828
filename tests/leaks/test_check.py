from __future__ import annotations

from collections.abc import Callable

import pytest

from lakehouse.leaks import check
from lakehouse.leaks.outcome import Outcome
from lakehouse.names import TableName
from lakehouse.project import Project
from tests.leaks import trips
from tests.workspace import Workspace

TABLE = TableName("features", "trip")


@pytest.fixture(scope="module")
def planted(warm_workspace: Callable[[str], Workspace]) -> Workspace:
    made = warm_workspace("trips")
    made.write(trips.notebooks(), trips.contracts())
    made.bring_up_to_date()
    return made


@pytest.fixture(scope="module")
def found(planted: Workspace) -> Outcome:
    return check.look(Project.load(planted.project), planted.settings, TABLE)


def test_each_planted_leak_is_named_by_column_and_nothing_else(found: Outcome) -> None:
    print(found.model_dump_json(indent=1))
    assert {one.column for one in found.leaks} == set(trips.LEAKS)
