from __future__ import annotations

from datetime import UTC, datetime

from lakehouse import record
from lakehouse.names import TableName
from lakehouse.project import Project
from lakehouse.record import RunRecord
from lakehouse.why import Explanation, explain
from tests.things import MONTHS_ALL, replace
from tests.workspace import Workspace


def told(place: Workspace, asset: str, *partitions: str) -> list[Explanation]:
    return explain(Project.load(place.project), place.settings, TableName.parse(asset), partitions or None)


def one(place: Workspace, asset: str, *partitions: str) -> Explanation:
    (found,) = told(place, asset, *partitions)
    return found


def words(reasons: object) -> list[str]:
    return [str(item.reason) for item in reasons]  # type: ignore[attr-defined]


def movers(reasons: object) -> list[tuple[str, str]]:
    return [(mover.what, mover.by) for item in reasons for mover in item.movers]  # type: ignore[attr-defined]


def test_the_first_run_had_nothing_before_it(built: Workspace) -> None:
    built_months = one(built, "silver/things")
    assert built_months.partitions == MONTHS_ALL
    assert (words(built_months.because), built_months.now, built_months.failed) == (["never built"], (), None)
    assert built_months.last is not None and built_months.last.version == 0
    assert built_months.last.by.startswith("run 2") and built_months.last.by.endswith(" of silver/things")


def test_a_late_file_is_named_where_it_arrives_and_followed_by_commits_below(place: Workspace) -> None:
    (place.project / "assets" / "late-2013-01.csv").write_text("id,month\n7,2013-01\n")
    place.land("raw.things", "2013-01", "2013-02")
    january, others = told(place, "bronze/things")
    assert (january.partitions, others.partitions) == (("2013-01",), ("2013-02", "2013-03"))
    assert (words(january.now), others.now) == (["raw.things changed (2013-01)"], ())
    ((what, by),) = movers(january.now)
    assert what.startswith("raw/things/2013-01/late-2013-01.csv (SHA-256 ") and by == "received as late-2013-01.csv"
    below = one(place, "gold/totals")
    assert words(below.now) == ["silver.things is being rebuilt"]
    assert [(asset.slashed, words(why)) for asset, why in below.above] == [("bronze/things", ["raw.things changed (2013-01)"])]
    place.bring_up_to_date()
    january = one(place, "silver/things", "2013-01")
    assert (words(january.because), january.now) == (["bronze.things changed (2013-01)"], ())
    ((what, by),) = movers(january.because)
    assert what == "bronze.things version 1 (WRITE)" and by.endswith(" of bronze/things")
    assert words(one(place, "silver/things", "2013-03").because) == ["never built"]
    assert [found.partitions for found in told(place, "features/recent")] == [("2013-01", "2013-02"), ("2013-03",)]


def test_an_edited_module_is_named_before_and_after_the_run(place: Workspace) -> None:
    replace(place, "assets/transforms/words.py", '"x"', '"y"')
    assert words(one(place, "silver/things").now) == ["code changed: assets/transforms/words.py"]
    assert one(place, "bronze/things").now == ()
    place.run("silver/things", months=list(MONTHS_ALL))
    found = one(place, "silver/things")
    assert (words(found.because), found.now) == (["code changed: assets/transforms/words.py"], ())


def test_parameters_are_told_with_their_values(place: Workspace) -> None:
    place.run("silver/things", months=["2013-03"], factor=9)
    found = one(place, "silver/things", "2013-03")
    (before,), (now,) = found.because[0].reason.changes, found.now[0].reason.changes
    assert ((before.part, before.then, before.now), (now.then, now.now)) == (("factor", 2, 9), (9, 2))


def test_a_run_for_which_nothing_moved_was_asked_for(place: Workspace) -> None:
    place.run("silver/things", months=["2013-02"])
    found = one(place, "silver/things", "2013-02")
    assert (found.because, found.now) == ((), ())
    assert found.last is not None and found.last.version == 1


def test_what_something_else_wrote_is_told_with_its_commit(place: Workspace) -> None:
    from lakehouse.spark.session import connect

    spark = connect(place.settings, place.environ["LAKEHOUSE_SESSION"])
    spark.sql(f"delete from delta.`{place.path('silver.things')}` where month = '2013-02'").collect()
    found = one(place, "silver/things")
    assert found.last is not None and (found.last.operation, found.last.by) == ("DELETE", "something other than its notebook")
    assert words(found.now) == ["changed by something other than its notebook"]
    assert movers(found.now) == [("silver.things version 1 (DELETE)", "something other than its notebook")]
    place.run("silver/things", months=list(MONTHS_ALL))
    after = one(place, "silver/things")
    assert (words(after.because), after.now) == (["changed by something other than its notebook"], ())
    assert movers(one(place, "gold/totals").now)[0] == ("silver.things version 1 (DELETE)", "something other than its notebook")


def test_a_raw_table_tells_what_landed(built: Workspace) -> None:
    found = one(built, "raw/things", "2013-02")
    assert (words(found.because), found.now) == (["landed"], ())
    assert movers(found.because)[0][0].startswith("raw/things/2013-02/things.csv")


def test_a_failure_since_is_told(place: Workspace) -> None:
    now = datetime.now(UTC)
    name = TableName("silver", "things")
    failed = RunRecord(run_id=record.new_run_id(), asset=name.dotted, status="failed", cause="cell 5: ValueError", started=now)
    record.save(record.folder(place.root, name, failed.run_id) / record.RECORD, failed)
    found = one(place, "silver/things", "2013-01")
    assert found.failed is not None and found.failed.cause == "cell 5: ValueError"
    assert found.last is not None and found.last.run_id != failed.run_id


def test_a_models_version_moves_what_scores_by_it(scored: Workspace) -> None:
    model = one(scored, "models/line")
    assert model.last is not None and (model.last.version, words(model.because)) == (1, ["never built"])
    scores = one(scored, "scores/line")
    assert (words(scores.because), scores.now) == (["never built"], ())
