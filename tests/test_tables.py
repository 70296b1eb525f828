from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from lakehouse import tables
from lakehouse.errors import LakeError, UnknownName
from lakehouse.names import TableName
from lakehouse.sqlnames import SqlError
from lakehouse.tables import Resolver, open_root, partitions_clause, rewrite

FLIGHTS, PLANES = TableName("silver", "flights"), TableName("bronze", "planes")


def relation(name: TableName, versioned: bool) -> str:
    return f"<{name}{' plain' if versioned else ''}>"


@pytest.mark.parametrize(
    ("sql", "written"),
    [
        pytest.param("select * from silver.flights", "select * from <silver.flights> as `flights`", id="name becomes alias"),
        pytest.param("select f.x from silver.flights f", "select f.x from <silver.flights> f", id="alias"),
        pytest.param("select * from silver.flights as f", "select * from <silver.flights> as f", id="alias with as"),
        pytest.param(
            "select flights.x from silver.flights join bronze.planes p using (tail)",
            "select flights.x from <silver.flights> as `flights` join <bronze.planes> p using (tail)",
            id="join",
        ),
        pytest.param(
            "select * from silver.flights, bronze.planes",
            "select * from <silver.flights> as `flights`, <bronze.planes> as `planes`",
            id="comma",
        ),
        pytest.param(
            "with flights as (select * from silver.flights) select * from flights",
            "with flights as (select * from <silver.flights> as `flights`) select * from flights",
            id="CTE of the same name stays",
        ),
        pytest.param(
            "select (select max(x) from silver.flights) from bronze.planes where k in (select k from silver.flights f)",
            "select (select max(x) from <silver.flights> as `flights`) from <bronze.planes> as `planes` "
            "where k in (select k from <silver.flights> f)",
            id="subqueries",
        ),
        pytest.param(
            "select 'silver.flights' -- from silver.flights\nfrom /* silver.flights */ silver.flights",
            "select 'silver.flights' -- from silver.flights\nfrom /* silver.flights */ <silver.flights> as `flights`",
            id="strings and comments stay",
        ),
        pytest.param("select * from `silver`.`flights`", "select * from <silver.flights> as `flights`", id="back quotes"),
        pytest.param(
            "select * from silver.flights version as of 3 f", "select * from <silver.flights plain> version as of 3 f", id="version"
        ),
        pytest.param(
            "select 'é😀', x\n  from silver.flights\n union all select 1, 2",
            "select 'é😀', x\n  from <silver.flights> as `flights`\n union all select 1, 2",
            id="spacing and letters stay",
        ),
        pytest.param("select 1", "select 1", id="no table"),
    ],
)
def test_names_in_a_query_are_replaced_in_place(sql: str, written: str) -> None:
    assert rewrite(sql, relation) == written


def test_a_query_that_cannot_be_followed_is_refused() -> None:
    with pytest.raises(SqlError, match=r"neither layer\.name nor a CTE"):
        rewrite("select * from flights", relation)


@pytest.mark.parametrize(
    ("keys", "clause"),
    [
        pytest.param(["2013-01"], "`month` in ('2013-01')", id="one"),
        pytest.param(["2013-01", "2013-02"], "`month` in ('2013-01', '2013-02')", id="two"),
        pytest.param(["it's"], "`month` in ('it''s')", id="quote"),
        pytest.param([], "false", id="none means no row"),
    ],
)
def test_partitions_become_a_condition(keys: list[str], clause: str) -> None:
    assert partitions_clause("month", keys) == clause


def build(root: Path, *names: TableName, sandbox: bool = False) -> None:
    for name in names:
        path = tables.sandbox_path(root, name) if sandbox else tables.lake_path(root, name)
        (path / "_delta_log").mkdir(parents=True)
        (path / "_delta_log" / f"{0:020d}.json").write_text("{}")


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        pytest.param(TableName("silver", "flihgts"), "Did you mean silver.flights?", id="misspelt"),
        pytest.param(TableName("bronze", "plane"), "Did you mean bronze.planes?", id="singular"),
        pytest.param(TableName("gold", "zebra"), "lakehouse run gold/zebra", id="nothing near"),
    ],
)
def test_a_table_that_was_not_built_is_named_with_the_nearest(tmp_path: Path, asked: TableName, hint: str) -> None:
    build(tmp_path, FLIGHTS, PLANES)
    with pytest.raises(UnknownName, match=f"Table {asked} has not been built") as caught:
        Resolver(tmp_path).path(asked)
    assert hint in caught.value.hint
    assert ("Did you mean" in caught.value.hint) == ("Did you mean" in hint)


def test_only_in_the_sandbox_are_its_tables_seen_and_first(tmp_path: Path) -> None:
    build(tmp_path, FLIGHTS, PLANES)
    build(tmp_path, FLIGHTS, TableName("gold", "mine"), sandbox=True)
    lake, sandbox = Resolver(tmp_path), Resolver(tmp_path, sandbox=True)
    assert lake.tables() == [PLANES, FLIGHTS]
    assert sandbox.tables() == [PLANES, TableName("gold", "mine"), FLIGHTS]
    assert lake.path(FLIGHTS) == tables.lake_path(tmp_path, FLIGHTS)
    assert sandbox.path(FLIGHTS) == tables.sandbox_path(tmp_path, FLIGHTS)
    assert sandbox.path(PLANES) == tables.lake_path(tmp_path, PLANES)


def test_a_relation_names_place_version_and_rows(tmp_path: Path) -> None:
    build(tmp_path, FLIGHTS)
    place = f"delta.`{tables.lake_path(tmp_path, FLIGHTS)}`"
    found = Resolver(tmp_path)
    assert found.plain(FLIGHTS) == place
    assert found.relation(FLIGHTS, 4) == f"(select * from {place} version as of 4)"
    assert found.relation(FLIGHTS, 4, "x > 1") == f"(select * from {place} version as of 4 where x > 1)"


@pytest.mark.parametrize("folder", ["with spaces", "with {braces}", "with 'quotes\" and `", "ümläut+plus%20", "a;b&c$d"])
def test_a_lake_may_lie_anywhere(spark: Any, tmp_path: Path, folder: str) -> None:
    root = open_root(tmp_path / folder)
    spark.range(3).write.format("delta").save(str(tables.lake_path(root, FLIGHTS)))
    found = Resolver(root)
    query = rewrite("select count(*) as n from silver.flights where id > 0", lambda name, _: found.relation(name, found.pin(name)))
    assert spark.sql(query).collect()[0].n == 2


def test_a_new_lake_is_stamped_and_opened_again(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "lake"
    assert open_root(root) == root
    assert json.loads((root / "lake.json").read_text()) == {"format": tables.FORMAT}
    assert open_root(root) == root
    assert [path.name for path in root.iterdir()] == ["lake.json"]


def test_a_new_lake_is_closed_to_other_users_and_one_that_exists_stays_as_it_is(tmp_path: Path) -> None:
    assert open_root(tmp_path / "a" / "new").stat().st_mode & 0o777 == 0o700
    (tmp_path / "shared").mkdir(mode=0o755)
    (tmp_path / "shared").chmod(0o775)
    assert open_root(tmp_path / "shared").stat().st_mode & 0o777 == 0o775


def test_services_may_have_been_there_first(tmp_path: Path) -> None:
    (tmp_path / "services").mkdir()
    (tmp_path / ".gitkeep").touch()
    open_root(tmp_path)
    assert (tmp_path / "lake.json").exists()


@pytest.mark.parametrize(
    ("files", "message", "hint"),
    [
        pytest.param({"lake.json": '{"format": 2}'}, "has format 2; this version reads up to 1", "git pull", id="newer"),
        pytest.param({"lake.json": "{"}, "is not a lake's stamp", '"format": 1', id="broken stamp"),
        pytest.param({"lake.json": "[]"}, "is not a lake's stamp", '"format": 1', id="stamp of another shape"),
        pytest.param({"lake.json": '{"format": "new"}'}, "is not a lake's stamp", '"format": 1', id="format in words"),
        pytest.param({"thesis.doc": "x"}, "holds other files and is not a lake", "LAKEHOUSE_ROOT", id="other files"),
    ],
)
def test_a_folder_that_is_no_lake_of_ours_is_refused(tmp_path: Path, files: dict[str, str], message: str, hint: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(LakeError, match=message) as caught:
        open_root(tmp_path)
    assert hint in caught.value.hint
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == files


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("x")
    with pytest.raises(LakeError, match="cannot be used: File exists"):
        open_root(tmp_path / "lake")


# Root may write anywhere, so as root the lake is opened by nobody.
OPEN_AS_NOBODY = """
import os, sys
from pathlib import Path
from lakehouse.errors import LakeError
from lakehouse.tables import open_root
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    open_root(Path(sys.argv[1]))
except LakeError as error:
    print(error)
"""


def test_a_lake_that_may_not_be_written_is_refused() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        done = subprocess.run([sys.executable, "-c", OPEN_AS_NOBODY, f"{folder}/lake"], capture_output=True, text=True, check=True)
        Path(folder).chmod(0o755)
    assert "lake cannot be used: Permission denied" in done.stdout
    assert "LAKEHOUSE_ROOT" in done.stdout
