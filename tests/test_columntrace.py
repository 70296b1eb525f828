from __future__ import annotations

import json

import pytest

from lakehouse.columntrace import ColumnBranch, back
from lakehouse.errors import UnknownName
from lakehouse.names import TableName
from lakehouse.project import Project
from tests.workspace import Workspace


def spelled(one: ColumnBranch) -> list[str]:
    below = [line for branch in one.branches for line in spelled(branch)]
    return [f"{one.table}.{one.column}{' …' if one.again else ''}", *below]


def walked(place: Workspace, table: str, column: str) -> list[str]:
    return spelled(back(Project.load(place.project), place.root, TableName.parse(table), column))


def test_a_column_is_walked_back_to_the_raw_one(built: Workspace) -> None:
    expected = ["gold.totals.id", "silver.things.id", "bronze.things.id", "raw.things.id"]
    assert walked(built, "gold.totals", "id") == expected
    assert walked(built, "bronze.words", "_source_file") == ["bronze.words._source_file", "raw.words._source_file"]


def test_a_column_of_pandas_or_of_nothing_is_not_guessed_at(scored: Workspace) -> None:
    assert walked(scored, "scores.line", "score") == ["scores.line.score"]
    assert walked(scored, "features.recent", "id") == ["features.recent.id"]


def test_a_column_that_is_not_there_is_named(built: Workspace) -> None:
    with pytest.raises(UnknownName, match=r"gold\.totals has no column ids") as caught:
        walked(built, "gold.totals", "ids")
    assert "Did you mean id?" in caught.value.hint


def test_the_command_prints_it(built: Workspace) -> None:
    done = built.command("trace", "silver.things", "--column", "id")
    assert [line.strip(" └─") for line in done.stdout.splitlines()] == ["silver.things.id", "bronze.things.id", "raw.things.id"]
    (below,) = json.loads(built.command("trace", "silver.things", "--column", "id", "--json").stdout)["branches"]
    assert (below["table"], below["column"]) == ("bronze.things", "id")
    assert built.command("trace", "raw.things", "--column", "id").returncode == 2
