from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakehouse import deltalog
from lakehouse.errors import LakeError


class Table:
    """A Delta table by month, written as the lake writes (`ours`) or as anybody would."""

    def __init__(self, spark: Any, path: Path) -> None:
        self.spark, self.path = spark, path

    def write(self, rows: dict[str, int], *, months: list[str] | None = None, ours: bool = True) -> None:
        """Replaces the partitions `months` (those of `rows`) by so many rows each."""
        values = ", ".join(f"('{key}', {count})" for key, count in rows.items()) or "('', 0)"
        frame = self.spark.sql(f"select month, explode(sequence(1, n)) as id from values {values} as t(month, n) where n > 0")
        keys = months or list(rows)
        writer = frame.write.format("delta").mode("overwrite").partitionBy("month")
        writer = writer.option("replaceWhere", f"month in ({', '.join(map(repr, keys))})")
        if ours:
            writer = writer.option("userMetadata", json.dumps({"lakehouse": 1, "run_id": f"run of {keys}", "partitions": keys}))
            writer = writer.option("txnAppId", str(uuid.uuid4())).option("txnVersion", 1)
        writer.save(str(self.path))

    def sql(self, text: str) -> None:
        self.spark.sql(text.format(t=f"delta.`{self.path}`")).collect()

    def identity(self, *months: str) -> dict[str, int]:
        return deltalog.identity(self.path, months or None)


@pytest.fixture(scope="module")
def table(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Table:
    """Version 0: January with 3 rows and February with 2; version 1: January again with 4; version 2: an empty March."""
    made = Table(spark, tmp_path_factory.mktemp("log") / "t")
    made.write({"2013-01": 3, "2013-02": 2})
    made.write({"2013-01": 4})
    made.write({}, months=["2013-03"])
    return made


@pytest.fixture
def copy_of(table: Table, tmp_path: Path) -> Callable[[], Table]:
    """That table once more, to be changed."""
    import shutil

    return lambda: Table(table.spark, Path(shutil.copytree(table.path, tmp_path / "t")))


def test_where_there_is_no_table_there_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "absent", tmp_path / "file"):
        assert deltalog.versions(path) == []
        assert deltalog.latest(path) is None
        assert deltalog.identity(path, None) == {}
        assert deltalog.identity(path, ["2013-01"]) == {}
        assert deltalog.written_by(path, None) is None
        assert deltalog.current_rows(path) == {}


def test_a_commit_tells_its_partitions_rows_and_run(table: Table) -> None:
    assert deltalog.versions(table.path) == [0, 1, 2]
    first, second, third = deltalog.commits(table.path)
    assert (first.rows, first.partition_rows) == (5, {"2013-01": 3, "2013-02": 2})
    assert (second.rows, second.touched) == (4, {"2013-01"})
    assert (third.rows, third.touched, third.data) == (0, {"2013-03"}, True)
    assert first.ours is not None and first.ours["run_id"] == "run of ['2013-01', '2013-02']"


def test_a_partitions_identity_is_the_last_commit_that_changed_it(table: Table) -> None:
    assert table.identity("2013-01", "2013-02") == {"2013-01": 1, "2013-02": 0}
    assert table.identity() == {"*": 2}


def test_a_partition_written_empty_was_written_and_one_never_written_was_not(table: Table) -> None:
    assert table.identity("2013-03", "2013-04") == {"2013-03": 2}


def test_what_stands_now_is_counted_without_reading_it(table: Table) -> None:
    assert deltalog.current_rows(table.path) == {"2013-01": 4, "2013-02": 2}


def test_who_left_what_stands_in_a_partition(table: Table) -> None:
    found = {key: deltalog.written_by(table.path, key) for key in ("2013-01", "2013-02", "2013-04")}
    assert {key: commit and commit.version for key, commit in found.items()} == {"2013-01": 1, "2013-02": 0, "2013-04": None}


def test_optimize_and_properties_do_not_count(copy_of: Callable[[], Table]) -> None:
    table = copy_of()
    before = table.identity("2013-01", "2013-02"), table.identity()
    table.sql("insert into {t} select '2013-02', 9")  # a second file, so that there is something to put together
    changed = table.identity("2013-01", "2013-02"), table.identity()
    assert changed != before
    rows = deltalog.current_rows(table.path)
    table.sql("optimize {t}")
    table.sql("alter table {t} set tblproperties ('delta.appendOnly' = 'false')")
    newest = deltalog.commits(table.path)[-2:]
    assert [(commit.operation, commit.data) for commit in newest] == [("OPTIMIZE", False), ("SET TBLPROPERTIES", False)]
    assert (table.identity("2013-01", "2013-02"), table.identity()) == changed
    assert deltalog.current_rows(table.path) == rows


def test_a_commit_that_is_not_ours_counts_for_every_partition(copy_of: Callable[[], Table]) -> None:
    table = copy_of()
    table.write({"2013-02": 1}, ours=False)
    assert deltalog.commits(table.path)[-1].ours is None
    assert table.identity("2013-01", "2013-02", "2013-12") == {"2013-01": 3, "2013-02": 3, "2013-12": 3}


def test_a_foreign_commit_with_metadata_of_its_own_is_not_ours(copy_of: Callable[[], Table]) -> None:
    table = copy_of()
    for words in ("a note", "[1]", '{"run_id": "x"}'):
        frame = table.spark.sql("select '2013-02' as month, 1 as id")
        frame.write.format("delta").mode("append").option("userMetadata", words).save(str(table.path))
        assert deltalog.commits(table.path)[-1].ours is None, words


def test_a_restore_counts_for_every_partition(copy_of: Callable[[], Table]) -> None:
    table = copy_of()
    table.sql("restore table {t} to version as of 0")
    assert table.identity("2013-01", "2013-02") == {"2013-01": 3, "2013-02": 3}
    assert deltalog.current_rows(table.path) == {"2013-01": 3, "2013-02": 2}


def test_a_table_without_partitions_has_one_identity(spark: Any, tmp_path: Path) -> None:
    path = tmp_path / "whole"
    spark.range(7).write.format("delta").option("userMetadata", '{"lakehouse": 1, "partitions": []}').save(str(path))
    assert deltalog.identity(path, None) == {"*": 0}
    assert deltalog.current_rows(path) == {"*": 7}
    spark.sql(f"delete from delta.`{path}` where id > 3").collect()
    assert deltalog.identity(path, None) == {"*": 1}
    assert deltalog.current_rows(path) == {"*": 4}


def _log(folder: Path, *commits: str | None) -> Path:
    """A table whose commits hold these texts; None stands for one that is missing."""
    (folder / "_delta_log").mkdir(parents=True)
    for version, text in enumerate(commits):
        if text is not None:
            deltalog.commit_path(folder, version).write_text(text)
    return folder


@pytest.mark.parametrize(
    "text", ["", "\0\0\0\0", '{"add": {"path": "a', '{"add": 3}', "[1]", '{"add": {}}', '{"add": {"path": "a", "stats": "{"}}']
)
def test_a_torn_commit_is_an_error_that_names_the_file_and_the_doctor(tmp_path: Path, text: str) -> None:
    table = _log(tmp_path / "t", '{"commitInfo": {}}', text)
    for read in (deltalog.commits, deltalog.current_rows, lambda path: deltalog.identity(path, None)):
        with pytest.raises(LakeError, match="is damaged") as caught:
            read(table)
        assert str(deltalog.commit_path(table, 1)) in caught.value.what
        assert "`lakehouse doctor`" in caught.value.hint
    assert deltalog.latest(table) == 1


def test_a_missing_commit_is_an_error_before_anything_is_decided_without_it(tmp_path: Path) -> None:
    table = _log(tmp_path / "t", '{"commitInfo": {}}', None, '{"commitInfo": {}}')
    for read in (deltalog.commits, deltalog.current_rows, lambda path: deltalog.written_by(path, "2013-01")):
        with pytest.raises(LakeError, match="is missing") as caught:
            read(table)
        assert str(deltalog.commit_path(table, 1)) in caught.value.what
    with pytest.raises(LakeError, match="is missing"):
        deltalog.commit(table, 7)
