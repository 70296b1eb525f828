"""The rows of a training set: bounded in Spark, the same ones in the same order whatever order they lie in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lakehouse.errors import ContractError, TrainingError, UndeclaredTable
from lakehouse.names import TableName
from lakehouse.training import rows
from tests.notebooks import contract, notebook
from tests.workspace import Workspace

NAME = TableName("features", "many")
MAKE = (
    'df = lake.spark.sql("select cast(id as string) as id, id % 10 as x from range(5000)")',
    'lake.write(df.repartition(4), "features.many")',
    'lake.write(df.limit(3), "features.unkeyed")',
)
READ = (
    'df = lake.training_set("features.many", where="x < 8", columns=["x"], at_most=100)',
    'lake.training_set("features.unkeyed")',
)
COLUMNS = {"id": {"type": "string", "nullable": False}, "x": "bigint"}


@pytest.fixture(scope="module")
def lake(new_workspace: Callable[[str], Workspace]) -> Any:
    made = new_workspace("many")
    contracts = {
        "features.many": contract("features.many", COLUMNS, key=["id"]),
        "features.unkeyed": contract("features.unkeyed", COLUMNS),
    }
    made.write({"features/many": notebook("features/many", *MAKE), "models/m": notebook("models/m", *READ)}, contracts)
    made.run("features/many")
    return made.open("models/m")


def test_all_rows_come_in_the_order_of_the_key(lake: Any) -> None:
    found = lake.training_set("features.many")
    assert list(found["id"]) == sorted(str(number) for number in range(5000))
    assert str(lake._training.sets[-1]) == "features.many version 0: 5,000 rows"


def test_what_a_training_set_is_made_of_is_found_in_the_text(lake: Any) -> None:
    assert [read.table.dotted for read in lake._spec.reads] == ["features.many", "features.unkeyed"]
    assert lake._publisher.result.inputs["features.many"]["version"] == 0


def test_a_sample_is_bounded_and_the_same_rows_however_they_lie(lake: Any) -> None:
    frame = lake.read("features.many")
    taken = [rows.take(one, NAME, ("id",), 100, 7) for one in (frame, frame.repartition(7, "x"))]
    assert [(len(found), there) for found, there in taken] == [(100, 5000)] * 2
    assert taken[0][0].equals(taken[1][0])
    other, _ = rows.take(frame, NAME, ("id",), 100, 8)
    assert len(set(other["id"]) & set(taken[0][0]["id"])) < 20


def test_a_sample_holds_its_share_of_everything(lake: Any) -> None:
    found, _ = rows.take(lake.read("features.many"), NAME, ("id",), 2000, 0)
    shares = found["x"].value_counts(normalize=True)
    assert len(shares) == 10 and shares.min() > 0.07 and shares.max() < 0.13  # of 2,000 rows a tenth is 200 ± 40 (3 sigma)


def test_what_was_taken_is_told(lake: Any, capsys: pytest.CaptureFixture[str]) -> None:
    found = lake.training_set("features.many", where="x < 8", columns=["x"], at_most=100)
    assert list(found.columns) == ["id", "x"] and len(found) == 100
    said = "features.many version 0: 100 rows of 4,000 (2.5%, by a hash of the key, seed 0) where x < 8"
    assert str(lake._training.sets[-1]) == said
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("table", "about", "kind", "message", "hint"),
    [
        pytest.param("features.many", {"columns": ["z"]}, TrainingError, "has no column z", "vanished", id="vanished column"),
        pytest.param("features.many", {"where": "x > 99"}, TrainingError, "has no row to train on", "condition", id="no row"),
        pytest.param("features.unkeyed", {}, ContractError, "has no key", "key:", id="no key"),
        pytest.param("silver.other", {}, UndeclaredTable, "does not name", "literal", id="not in the text"),
    ],
)
def test_what_cannot_be_taken_is_told(lake: Any, table: str, about: dict[str, Any], kind: type, message: str, hint: str) -> None:
    with pytest.raises(kind, match=message) as caught:
        lake.training_set(table, **about)
    assert hint in caught.value.hint
