from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from lakehouse.errors import LakehouseError
from lakehouse.lineage import Node
from lakehouse.names import TableName
from lakehouse.project import Project
from lakehouse.raw import RawFile
from lakehouse.trace import Branch, Rows, back, forward
from tests.workspace import Workspace


def rows(place: Workspace, table: str, where: str | None = None) -> list[Rows]:
    return back(Project.load(place.project), place.settings, TableName.parse(table), where)


def ahead(place: Workspace, table: str, name: str | None) -> list[Branch]:
    return forward(Project.load(place.project), place.settings, TableName.parse(table), name)


def walk(*branches: Branch) -> Iterator[Branch]:
    for branch in branches:
        yield branch
        yield from walk(*branch.branches)


def spelled(*branches: Branch) -> list[str]:
    found = []
    for branch in walk(*branches):
        what = branch.what
        name = what.path.name if isinstance(what, RawFile) else f"{what.table} {','.join(what.partitions)}".strip()
        found.append(name + (" …" if branch.again else ""))
    return found


def test_rows_are_walked_back_to_the_raw_file_and_its_checksum(built: Workspace) -> None:
    (found,) = rows(built, "silver.things", "month = '2013-02' and id > 0")
    assert (found.count, found.partition, found.examples) == (1, "2013-02", [{"month": "2013-02", "id": "4"}])
    assert spelled(*found.back) == ["silver.things 2013-02", "bronze.things 2013-02", "things.csv"]
    silver, bronze, leaf = walk(*found.back)
    assert silver.made is not None and silver.made.facts is not None
    assert silver.made.facts["parameters"] == {"factor": 2} and "assets/transforms/doubling.py" in silver.made.facts["code"]
    assert bronze.made is not None and bronze.made.run_id
    assert isinstance(leaf.what, RawFile)
    assert leaf.what.sha256 == hashlib.sha256(leaf.what.path.read_bytes()).hexdigest()
    assert leaf.what.partition == "2013-02"


def test_rows_of_several_partitions_are_told_one_by_one(built: Workspace) -> None:
    found = rows(built, "silver.things", "id >= 4")
    assert [(one.partition, one.count) for one in found] == [("2013-02", 1), ("2013-03", 1)]
    assert rows(built, "silver.things", "id > 100") == []


def test_rows_that_name_their_file_go_back_to_that_only(place: Workspace) -> None:
    sources = place.project / "assets" / "sources.py"
    text = sources.read_text()
    more = 'Delivery("words.csv", b"word\\nplan\\n"), Delivery("more.csv", b"word\\nother\\n")'
    sources.write_text(text.replace('Delivery("words.csv", b"word\\nplan\\n")', more))
    place.land("raw.words")
    place.run("bronze/words")
    (found,) = rows(place, "bronze.words", "word = 'other'")
    assert found.source_file == "words/more.csv"
    assert spelled(*found.back) == ["bronze.words", "more.csv"]
    assert spelled(*rows(place, "bronze.words")[0].back) == ["bronze.words", "words.csv", "more.csv"]


def test_scores_go_back_to_their_model_and_its_training_set(scored: Workspace) -> None:
    (found,) = rows(scored, "scores.line", "month = '2013-03'")
    months = "2013-01,2013-02,2013-03"
    assert spelled(*found.back)[:4] == ["scores.line 2013-03", "models.line", "gold.totals", f"silver.things {months}"]
    model = next(branch for branch in walk(*found.back) if isinstance(branch.what, Node) and branch.what.table.layer == "models")
    assert model.made is not None and model.made.asset == TableName("models", "line")
    (alone,) = rows(scored, "models.line")
    assert spelled(*alone.back)[:2] == ["models.line", "gold.totals"]


def test_a_file_is_followed_down_to_models_and_scores(scored: Workspace) -> None:
    (file,) = ahead(scored, "raw.things", "2013-02/things.csv")
    assert spelled(file) == [
        "things.csv",
        "bronze.things 2013-02",
        "silver.things 2013-02",
        "features.recent 2013-02,2013-03",
        "gold.totals",
        "models.line",
        "scores.line 2013-01,2013-02,2013-03",
        "scores.line 2013-02",
    ]
    assert [spelled(branch)[1] for branch in ahead(scored, "raw.things", "things.csv")] == [
        "bronze.things 2013-01",
        "bronze.things 2013-02",
        "bronze.things 2013-03",
    ]
    assert spelled(*ahead(scored, "raw.words", None)) == ["words.csv", "bronze.words"]


@pytest.mark.parametrize(
    ("table", "where", "message"),
    [
        pytest.param("silver.things", "id in (select 1)", "holds a query", id="subquery"),
        pytest.param("silver.things", "colour = 'red'", "'colour', which is no column", id="column"),
        pytest.param("silver.things", "month", "The filter is not understood", id="not boolean"),
        pytest.param("silver.thing", "true", "has not been built", id="table"),
        pytest.param("models.line", "true", "models.line has no rows", id="model"),
    ],
)
def test_what_cannot_be_traced_is_refused(built: Workspace, table: str, where: str, message: str) -> None:
    with pytest.raises(LakehouseError) as caught:
        rows(built, table, where)
    assert message in caught.value.what and caught.value.hint


def test_a_file_that_never_came_is_named(built: Workspace) -> None:
    with pytest.raises(LakehouseError, match=r"raw\.things has no file thing\.csv") as caught:
        ahead(built, "raw.things", "thing.csv")
    assert "Did you mean things.csv?" in caught.value.hint
