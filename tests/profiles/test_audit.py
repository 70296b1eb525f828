"""Profiles at the write: made of what is published, compared before the commit, kept whatever happens after it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lakehouse import deltalog, record
from lakehouse.errors import AuditFailed
from lakehouse.names import PROFILES, TableName
from lakehouse.profiles import kept
from lakehouse.profiles import table as profiles
from lakehouse.record import CheckRecord, Result
from tests.notebooks import contract, notebook
from tests.profiles.trips import MILES, MONTHS, TABLE, promise, trips
from tests.workspace import Workspace


def of_profiles(done: Result) -> dict[str, CheckRecord]:
    return {check.name: check for check in done.checks if check.name.startswith("profile_")}


@pytest.fixture(scope="module")
def place(new_workspace: Callable[[str], Workspace]) -> Workspace:
    """silver.trips with eight months from one run, and a whole table beside it."""
    made = new_workspace("profiles")
    whole = ["df = lake.spark.sql('select id from range(5)')", 'lake.write(df, "gold.whole")']
    made.write({**trips(), "gold/whole": notebook("gold/whole", *whole)}, {**promise(), "gold.whole": contract("gold.whole")})
    made.run("silver/trips", months=MONTHS)
    made.run("gold/whole")
    return made


def runs(place: Workspace) -> list[Result]:
    return list(record.results_newest_first(place.root, TableName.parse(TABLE)))[::-1]


def test_good_batches_pass_every_check(place: Workspace) -> None:
    found = of_profiles(runs(place)[0])
    assert list(found) == [f"profile_{kind}" for kind in ("volume", "missing", "distribution", "cardinality", "categories")]
    assert all(check.passed and check.severity == "warn" and check.observed == "" for check in found.values())


def test_the_profile_lies_beside_the_runs_record(place: Workspace) -> None:
    run = runs(place)[0]
    profile = kept.read(record.folder(place.root, TableName.parse(TABLE), run.run_id))
    assert profile is not None
    assert {key: batch.rows for key, batch in profile.tables[TABLE].batches.items()} == dict.fromkeys(MONTHS, 400)
    assert "Ada" not in profile.model_dump_json()


def test_a_table_with_one_version_is_not_compared(place: Workspace) -> None:
    (done,) = record.results_newest_first(place.root, TableName.parse("gold.whole"))
    said = "not compared: it takes 6 other batches with a profile, there are 0"
    assert {(check.passed, check.observed) for check in of_profiles(done).values()} == {(True, said)}


def test_an_unusual_batch_is_published_and_reported(place: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    version = place.version(TABLE)
    place.write(trips(miles=f"1.609 * ({MILES})"), {})
    done = place.run("silver/trips", months=["2013-09"])
    failed = {name: check for name, check in of_profiles(done).items() if not check.passed}
    assert "miles: distributed otherwise in 2013-09, PSI" in failed["profile_distribution"].observed
    assert "1.61 times" in failed["profile_distribution"].observed
    assert place.version(TABLE) == (version or 0) + 1
    assert "warning: profile_distribution (miles: distributed otherwise in 2013-09" in capsys.readouterr().out


def test_an_unusual_batch_is_held_back_where_the_contract_says_so(place: Workspace) -> None:
    version = place.version(TABLE)
    place.write(trips(rows=40), promise(2, volume={"severity": "error"}))
    with pytest.raises(AuditFailed, match=r"profile_volume \(2013-10 has 40 rows, usual 400 to 400\)") as caught:
        place.run("silver/trips", months=["2013-10"])
    assert "nothing was published" in caught.value.hint
    assert place.version(TABLE) == version
    place.write(trips(), promise())


def test_rows_that_are_refused_are_not_profiled(place: Workspace) -> None:
    version = place.version(TABLE)
    book = json.dumps(trips()["silver/trips"]).replace("select m as month", "select cast(null as string) as month")
    place.write({"silver/trips": json.loads(book)}, {})
    with pytest.raises(AuditFailed, match="not_null_month"):
        place.run("silver/trips", months=["2013-10"])
    assert place.version(TABLE) == version
    assert of_profiles(runs(place)[-1]) == {}
    place.write(trips(), {})


def test_a_batch_that_was_not_published_is_no_reference(place: Workspace) -> None:
    done = runs(place)[-2]
    assert kept.read(record.folder(place.root, TableName.parse(TABLE), done.run_id)) is not None
    assert not [row for row in place.rows("monitoring.profiles", "batch") if row[0] == "2013-10"]


def test_a_pinned_version_is_the_reference(place: Workspace) -> None:
    place.write(trips(), promise(reference={"version": 0, "partitions": "2013-01"}))
    done = place.run("silver/trips", months=["2013-09"])
    assert all(check.passed and check.observed == "" for check in of_profiles(done).values())
    place.write({}, promise())


def test_off_profiles_nothing(place: Workspace) -> None:
    made = {"gold.quiet": contract("gold.quiet", profile=False), "monitoring.own": contract("monitoring.own")}
    cells = "df = lake.spark.sql('select id from range(5)')"
    books = {name.replace(".", "/"): notebook(name.replace(".", "/"), cells, f'lake.write(df, "{name}")') for name in made}
    place.write(books, made)
    for name in books:
        assert of_profiles(place.run(name)) == {}


def test_the_table_of_profiles_has_a_row_for_each_batch_and_column(place: Workspace) -> None:
    rows = place.rows("monitoring.profiles", "table, batch, column, kind, version, rows, missing, missing_rate")
    assert ("silver.trips", "2013-03", "miles", "number", 0, 400, 0, 0.0) in rows
    assert ("silver.trips", "2013-03", "guest", "personal", 0, 400, 0, 0.0) in rows
    assert ("gold.whole", "*", "id", "number", 0, 5, 0, 0.0) in rows
    columns = place.rows("monitoring.profiles", "size(quantiles), size(histogram), values['bus'], values['taxi'], distance")
    assert {row[:2] for row in columns} == {(101, 20), (0, 0), (0, None)} or (101, 20) in {row[:2] for row in columns}


def test_a_notebook_reads_it_like_any_table(place: Workspace) -> None:
    cells = ['df = lake.sql("select count(*) as id from monitoring.profiles")', 'lake.write(df, "monitoring.count")']
    place.write({"monitoring/count": notebook("monitoring/count", *cells)}, ["monitoring.count"])
    place.run("monitoring/count")
    assert place.rows("monitoring.count")[0][0] > 20


def test_what_a_crash_kept_from_it_is_added_by_the_next_write(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(profiles, "add", lambda *_: 0)
        lost = place.run("silver/trips", months=["2013-11"]).writes[0].version
    assert not [row for row in place.rows("monitoring.profiles", "version") if row[0] == lost]
    place.run("silver/trips", months=["2013-12"])
    assert {row[0] for row in place.rows("monitoring.profiles", "batch") if row[0] >= "2013-11"} == {"2013-11", "2013-12"}
    assert profiles.add(place.root, [TableName.parse(TABLE)]) == 0


def test_spark_and_the_library_may_both_write_to_it(place: Workspace) -> None:
    from lakehouse.spark.session import connect

    path = place.path("monitoring.profiles")
    before = len(place.rows("monitoring.profiles", "batch"))
    spark = connect(place.settings, place.environ["LAKEHOUSE_SESSION"])
    spark.sql(f"insert into delta.`{path}` by name select 'silver.other' as table, 'b' as batch, 'c' as column")
    place.run("gold/whole")
    assert len(place.rows("monitoring.profiles", "batch")) == before + 2
    assert deltalog.versions(path) == list(range(len(deltalog.versions(path))))


def test_two_writers_at_once_lose_nothing(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    path = place.path("monitoring.profiles")
    with monkeypatch.context() as patch:
        patch.setattr(profiles, "add", lambda *_: 0)
        place.run("gold/whole")
        place.run("silver/trips", months=["2013-12"])
    newest, seen = deltalog.latest, []

    def late(table: Any) -> int | None:
        """The other writer takes the version that this one is about to."""
        found = newest(table)
        if table == path and not seen:
            seen.append(found)
            profiles.add(place.root, [TableName.parse("gold.whole")])
        return found

    monkeypatch.setattr(deltalog, "latest", late)
    assert profiles.add(place.root, [TableName.parse(TABLE)]) == 4
    monkeypatch.undo()
    assert deltalog.latest(path) == seen[0] + 2
    files = [facts["path"] for kind, facts in deltalog.actions(deltalog.commit_path(path, seen[0] + 2)) if kind == "add"]
    assert sorted(str(file.relative_to(path)) for file in path.glob("table=silver.trips/*.parquet"))
    assert all((path / file).exists() for file in files)


def test_nothing_of_a_sandbox_is_told(place: Workspace) -> None:
    version = place.version("monitoring.profiles")
    place.run("silver/trips", "sandbox", months=["2013-12"])
    assert place.version("monitoring.profiles") == version


def test_a_restored_version_is_the_reference_again(place: Workspace) -> None:
    from lakehouse import restore
    from lakehouse.profiles import reference
    from lakehouse.project import Project

    project = Project.load(place.project)
    promised = project.contracts[TableName.parse(TABLE)]
    restore.restore(project, place.settings, promised.table, 0)
    assert sorted(reference.standing(place.root, promised, promised.profile or pytest.fail())) == MONTHS


def test_the_doctor_and_verify_find_nothing_wrong_with_it(place: Workspace) -> None:
    from lakehouse import doctor
    from lakehouse.verify import verify

    own = ("tables' logs", "tables' files", "runs", "leftovers")
    found = [one for one in doctor.examine(place.settings, True, names=own) if "monitoring/profiles" in json.dumps(str(one))]
    assert found == []
    assert [one for one in verify(place.settings, [PROFILES]).troubles if "profiles" in one.what] == []
