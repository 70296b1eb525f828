from __future__ import annotations

from lakehouse.lineage import Lineage, Node, Origin
from lakehouse.names import TableName
from lakehouse.project import Project
from lakehouse.raw import RawFile
from lakehouse.restore import restore
from tests.things import MONTHS_ALL
from tests.workspace import Workspace


def lineage(place: Workspace) -> Lineage:
    return Lineage(Project.load(place.project), place.root)


def node(name: str, version: int, *partitions: str) -> Node:
    return Node(TableName.parse(name), version, partitions)


def named(origins: list[Origin]) -> list[str]:
    """Nodes as `silver.things 0 2013-01`, files by their place under raw/things."""
    return [
        "/".join(one.path.parts[-2:]) if isinstance(one, RawFile) else " ".join([f"{one.table} {one.version}", *_keys(one)])
        for one in origins
    ]


def _keys(one: Node) -> list[str]:
    return [",".join(one.partitions)] if one.partitions else []


def test_a_partition_is_made_of_what_its_notebook_reads_for_it(built: Workspace) -> None:
    found = lineage(built)
    assert named(found.inputs(node("features.recent", 0, "2013-02"))) == ["silver.things 0 2013-01,2013-02"]
    assert named(found.inputs(node("silver.things", 0, "2013-02"))) == ["bronze.things 0 2013-02"]
    assert named(found.inputs(node("bronze.things", 0, "2013-02"))) == ["2013-02/things.csv"]
    assert named(found.inputs(node("gold.totals", 0))) == [f"silver.things 0 {','.join(MONTHS_ALL)}"]


def test_each_partition_is_followed_to_the_commit_that_left_it_then(place: Workspace) -> None:
    place.run("silver/things", months=["2013-02"], factor=3)
    place.run("gold/totals")
    place.run("silver/things", months=["2013-03"], factor=3)
    found = lineage(place)
    assert named(found.inputs(node("gold.totals", 0))) == ["silver.things 0 2013-01,2013-02,2013-03"]
    assert named(found.inputs(node("gold.totals", 1))) == ["silver.things 0 2013-01,2013-03", "silver.things 1 2013-02"]
    now = found.standing(TableName("silver", "things"))
    assert named(list(now)) == ["silver.things 0 2013-01", "silver.things 1 2013-02", "silver.things 2 2013-03"]
    assert named(list(found.standing(TableName("silver", "things"), ["2013-02"], upto=0))) == ["silver.things 0 2013-02"]


def test_raw_files_are_those_that_the_run_saw(place: Workspace) -> None:
    (place.project / "assets" / "late-2013-01.csv").write_text("id,month\n7,2013-01\n")
    place.land("raw.things", "2013-01")
    place.run("bronze/things", months=["2013-01"])
    found = lineage(place)
    assert named(found.inputs(node("bronze.things", 0, "2013-01"))) == ["2013-01/things.csv"]
    assert named(found.inputs(node("bronze.things", 1, "2013-01"))) == ["2013-01/things.csv", "2013-01/late-2013-01.csv"]


def test_a_model_is_made_of_its_training_set_and_scores_of_both(scored: Workspace) -> None:
    found = lineage(scored)
    assert named(found.inputs(node("models.line", 1))) == ["gold.totals 0"]
    assert named(found.inputs(node("scores.line", 0, "2013-03"))) == ["models.line 1", "silver.things 0 2013-03"]


def test_forward_a_file_is_in_all_that_was_made_of_it(scored: Workspace) -> None:
    found = lineage(scored)
    (file,) = found.inputs(node("bronze.things", 0, "2013-02"))
    assert named(list(found.outputs[file])) == ["bronze.things 0 2013-02"]
    assert named(list(found.outputs[node("silver.things", 0, "2013-02")])) == [
        "features.recent 0 2013-02",
        "features.recent 0 2013-03",
        "gold.totals 0",
        "scores.line 0 2013-02",
    ]
    assert named(list(found.outputs[node("models.line", 1)])) == [f"scores.line 0 {key}" for key in MONTHS_ALL]


def test_what_was_restored_was_made_of_what_stood_then(place: Workspace) -> None:
    place.run("silver/things", months=["2013-02"], factor=3)
    place.run("silver/things", months=list(MONTHS_ALL), factor=9)
    restore(Project.load(place.project), place.settings, TableName("silver", "things"), 1)
    found = lineage(place)
    restored = node("silver.things", 3, "2013-01", "2013-02")
    assert named(found.inputs(restored)) == ["silver.things 0 2013-01", "silver.things 1 2013-02"]


def test_what_something_else_wrote_has_no_origin(place: Workspace) -> None:
    from lakehouse.spark.session import connect

    spark = connect(place.settings, place.environ["LAKEHOUSE_SESSION"])
    spark.sql(f"delete from delta.`{place.path('silver.things')}` where month = '2013-02'").collect()
    found = lineage(place)
    one = node("silver.things", 1, "2013-02")
    made = found.made(one)
    assert found.inputs(one) == [] and made is not None and made.by == "something other than its notebook"
    assert found.made(node("silver.things", 9)) is None and found.inputs(node("silver.things", 9)) == []
