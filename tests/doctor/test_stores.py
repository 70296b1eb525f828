from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from lakehouse import doctor, models, services
from lakehouse.doctor import stores
from lakehouse.errors import LakeError
from lakehouse.names import TableName
from lakehouse.orchestration.instance import instance, told_of_damage
from lakehouse.settings import Settings

STORES = "dagster and mlflow"


@dg.asset
def thing() -> None:
    pass


@pytest.fixture
def now(tmp_path: Path) -> Settings:
    return Settings(project=tmp_path, root=tmp_path / "lake", cache=tmp_path / "cache")


def run_once(now: Settings) -> str:
    with instance(now) as store:
        return dg.materialize([thing], instance=store).run_id


def break_header(path: Path) -> None:
    path.write_bytes(b"no database" + path.read_bytes()[11:])


def break_pages(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:4096] + bytes(len(content) - 4096))


def break_length(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: 4096 * 2 + 100])


@pytest.mark.parametrize("break_", [break_header, break_pages, break_length])
@pytest.mark.parametrize("file", ["history/runs.db", "history/runs/index.db", "history/runs/{run}.db", "schedules/schedules.db"])
def test_a_damaged_file_of_dagsters_is_set_aside_and_dagster_runs_again(
    now: Settings, file: str, break_: Callable[[Path], None]
) -> None:
    run = run_once(now)
    path = now.root / "dagster" / file.format(run=run)
    break_(path)
    (found,) = doctor.examine(now, names=[STORES])
    assert found.trouble.where == str(path) and "is damaged: " in found.trouble.what
    assert stores.damaged(now) == [path]
    with pytest.raises(LakeError, match="Dagster's history is damaged") as caught, told_of_damage(now):
        if file in ("history/runs.db", "history/runs/index.db"):
            run_once(now)
        raise sqlite3.DatabaseError("what Dagster meets where it needs this file")
    assert str(path) in caught.value.what
    first, *rest = doctor.heal(now, names=[STORES])
    assert first.done.startswith(f"Set {path} aside as {path.name}.damaged-")
    assert rest == []
    again = run_once(now)
    with instance(now) as store:
        assert store.get_run_by_id(again).status is dg.DagsterRunStatus.SUCCESS
        assert store.get_latest_materialization_event(thing.key).run_id == again
        if file != "history/runs.db":
            assert store.get_run_by_id(run).status is dg.DagsterRunStatus.SUCCESS


def test_what_dagsters_services_use_stays_until_they_end(now: Settings) -> None:
    import os

    run_once(now)
    break_header(now.root / "dagster" / "history" / "runs.db")
    services.record(now, "dagster-daemon", os.getpid())
    (found,) = list(doctor.heal(now, names=[STORES]))
    assert "dagster-daemon use" in found.failed and "lakehouse down" in found.failed
    assert not list((now.root / "dagster").rglob("*.damaged-*"))


def test_an_error_that_is_not_of_a_damaged_file_stays_what_it_is(now: Settings) -> None:
    with pytest.raises(KeyError), told_of_damage(now):
        raise KeyError("x")


def test_mlflows_records_are_never_moved(now: Settings) -> None:
    store = now.root / "mlflow" / "mlflow.db"
    store.parent.mkdir(parents=True)
    store.write_bytes(b"no database at all, " * 500)
    before = store.read_bytes()
    found = list(doctor.heal(now, names=[STORES]))
    assert [one.trouble.where for one in found] == [str(store)]
    assert "never moved" in found[0].trouble.todo and "train again" in found[0].trouble.todo
    assert store.read_bytes() == before
    with pytest.raises(LakeError, match=r"mlflow\.db are damaged") as caught:
        models.load(now, TableName("models", "m"))
    assert "lakehouse doctor" in caught.value.hint


def test_a_file_in_use_is_no_finding(tmp_path: Path) -> None:
    path = tmp_path / "used?.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("create table t (x)")
    connection.execute("begin exclusive")
    try:
        stores_busy, stores._BUSY_SECONDS = stores._BUSY_SECONDS, 0.1
        assert stores.flaw(path) == ""
    finally:
        stores._BUSY_SECONDS = stores_busy
        connection.close()
