from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from lakehouse.deltastate import states
from lakehouse.errors import LakeError

COLUMNS = {
    "id": "bigint",
    "small": "smallint",
    "price": "decimal(10,2)",
    "at": "timestamp",
    "tags": "array<struct<name:string,n:int>>",
    "known": "map<string,tinyint>",
    "month": "string",
}
ROWS = """
select id, cast(1 as smallint) as small, cast(1.5 as decimal(10, 2)) as price, timestamp '2013-01-01 00:00:00' as at,
       array(named_struct('name', 'a', 'n', 1)) as tags, map('a', cast(1 as tinyint)) as known, month
from range(2) cross join (select explode(array('2013-01', '2013 02%')) as month)
"""


@pytest.fixture(scope="module")
def table(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 0 has two partitions, one with a name that paths encode; version 1 replaced the first."""
    path = tmp_path_factory.mktemp("state") / "a table"
    spark.sql(ROWS).write.format("delta").partitionBy("month").save(str(path))
    january = spark.sql(ROWS).where("month = '2013-01'")
    january.write.format("delta").mode("overwrite").option("replaceWhere", "month = '2013-01'").save(str(path))
    return path


def test_a_version_has_its_files_and_no_others(table: Path) -> None:
    first, second = states(table).values()
    assert not first.gone() and not second.gone()
    both = first.files.keys() & second.files.keys()
    assert {file.parent.name for file in first.files.keys() - both} == {"month=2013-01"}
    on_disk = {file for file in table.rglob("*.parquet") if "_delta_log" not in file.parts}
    assert first.files.keys() | second.files.keys() == on_disk
    assert states(table, [1]).keys() == {1}
    assert states(table, [7]) == {}


def test_columns_have_the_types_that_contracts_write(table: Path) -> None:
    assert dict(states(table, [0])[0].columns) == COLUMNS


def test_files_that_are_gone_or_cut_off_are_told(table: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(table, tmp_path / "copy"))
    first, *others = states(path, [1])[1].files
    first.unlink()
    others[0].write_bytes(b"")
    assert set(states(path, [1])[1].gone()) == {first, others[0]}


def test_a_clones_files_are_those_of_its_source(spark: Any, table: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    spark.sql(f"create table delta.`{clone}` shallow clone delta.`{table}` version as of 1").collect()
    assert states(clone)[0].files == states(table, [1])[1].files


def test_a_log_with_gaps_is_refused(table: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(table, tmp_path / "copy"))
    (path / "_delta_log" / f"{0:020d}.json").unlink()
    with pytest.raises(LakeError, match="is missing"):
        states(path)


def test_where_there_is_no_table_there_are_no_versions(tmp_path: Path) -> None:
    assert states(tmp_path) == {}
