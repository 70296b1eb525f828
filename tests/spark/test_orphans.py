"""Queries that would run for minutes are ended at several moments after their start; then the server is idle."""

from __future__ import annotations

import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lakehouse.errors import SetupError
from lakehouse.settings import Settings
from lakehouse.spark import java, orphans, session
from tests import work

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

MOMENTS = (0.0, 0.2, 1.0)
LONG = "select id % 1000 as key, hash(id) as value from range(0, 200000000000, 1, 64)"
MANY = "select id % 1000 as key, id as value from range(0, 400000000, 1, 3000)"


def _write(spark: SparkSession, path: Path) -> None:
    """Not compiled, as then `range` looks between two rows whether it shall end, like files and shuffles do. Compiled it
    does not where each row is handed on alone: then a task that is told to end while Hadoop's shell runs, which loses an
    interrupt, writes on (seen). No table is made of `range` alone."""
    spark.conf.set("spark.sql.codegen.wholeStage", "false")
    spark.sql(LONG).write.format("delta").save(str(path))


QUERIES = {
    "one job": lambda spark, _: spark.sql(f"select max(value) from ({LONG})").collect(),
    "many short jobs": lambda spark, _: spark.sql(
        f"select count(*) from (select a.key, sum(b.value) from ({MANY}) a join (select key, max(value) value from ({MANY}) "
        f"group by key) b using (key) group by a.key) join (select distinct key from ({LONG})) using (key)"
    ).collect(),
    "a broadcast": lambda spark, _: spark.sql(
        f"select /*+ broadcast(b) */ count(*) from range(10) a join (select max(value) id from ({LONG})) b using (id)"
    ).collect(),
    "a write": lambda spark, folder: _write(spark, folder / uuid.uuid4().hex),
    "a checkpoint": lambda spark, _: session.checkpoint(spark.sql(LONG)),
}


def _end_after(settings: Settings, query: str, seconds: float, folder: Path) -> None:
    own, ended = session.connect(settings, str(uuid.uuid4())), []
    own.sql("select 1").collect()

    def run() -> None:
        try:
            QUERIES[query](own, folder)
            ended.append("in peace")
        except Exception as error:
            ended.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(seconds)
    assert ended == []
    session.interrupt(settings, own.session_id)
    own.client.close()  # as a killed client's connection ends; one that lives may be told at its next question only
    thread.join(30)
    assert ended and ended != ["in peace"], ended


@pytest.mark.slow
@pytest.mark.parametrize(("query", "processes"), [*((query, 0) for query in QUERIES), ("many short jobs", 2), ("a broadcast", 2)])
def test_nothing_of_a_session_that_was_ended_runs_on(settings: Settings, tmp_path: Path, query: str, processes: int) -> None:
    with work.load(processes):
        for moment in MOMENTS:
            _end_after(settings, query, moment, tmp_path)
        assert work.becomes_idle(settings, 30)


def test_other_sessions_work_on_when_one_is_ended(settings: Settings, tmp_path: Path) -> None:
    other, answer = session.connect(settings), []
    other.sql("select 1").collect()
    count = "select count(*) from (select distinct hash(id) from range(0, 20000000, 1, 8))"
    thread = threading.Thread(target=lambda: answer.append(other.sql(count).first()[0]))
    thread.start()
    _end_after(settings, "one job", 0.5, tmp_path)
    thread.join(60)
    assert len(answer) == 1
    other.stop()


@pytest.mark.slow
def test_the_listener_is_compiled_once(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cold, runtime = settings.model_copy(update={"cache": tmp_path / "a cache"}), java.find()
    made = orphans.jar(cold, runtime)
    stamp = made.stat().st_mtime_ns
    assert orphans.jar(cold, runtime) == made and made.stat().st_mtime_ns == stamp
    assert [path.name for path in made.parent.iterdir()] == [made.name]
    made.write_bytes(made.read_bytes()[:1000])
    assert orphans.jar(cold, runtime) == made and made.stat().st_size > 1000
    wrong = tmp_path / "wrong.scala"
    wrong.write_text("class Orphans extends Nothing")
    monkeypatch.setattr(orphans, "SOURCE", wrong)
    with pytest.raises(SetupError, match=r"wrong\.scala could not be compiled"):
        orphans.jar(cold, runtime)
    assert [path.name for path in made.parent.iterdir()] == [made.name]
