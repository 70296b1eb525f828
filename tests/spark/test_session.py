from __future__ import annotations

import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lakehouse.names import TableName
from lakehouse.settings import Settings
from lakehouse.spark import catalog, channel, server, session

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

SLEEP = "SELECT java_method('java.lang.Thread', 'sleep', {}L + id) AS slept FROM range(0, 1, 1, 1)"


def test_a_table_is_written_and_read(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "a table")
    spark.range(10).write.format("delta").save(path)
    spark.sql(f"UPDATE delta.`{path}` SET id = -1 WHERE id = 3")
    assert spark.read.format("delta").option("versionAsOf", 0).load(path).count() == 10
    assert spark.sql(f"SELECT min(id) FROM delta.`{path}`").first()[0] == -1


def test_a_python_function_runs_in_this_environment(spark: SparkSession) -> None:
    import sys

    from pyspark.sql.functions import udf

    executable = udf(lambda _: __import__("sys").executable, "string")
    assert spark.range(1).select(executable("id")).first()[0] == sys.executable


def test_time_is_utc_and_overflow_an_error(spark: SparkSession) -> None:
    assert spark.conf.get("spark.sql.session.timeZone") == "UTC"
    assert spark.conf.get("spark.sql.ansi.enabled") == "true"


def test_sessions_share_neither_views_nor_settings(settings: Settings, spark: SparkSession) -> None:
    from pyspark.errors import AnalysisException

    other = session.connect(settings)
    try:
        other.range(1).createOrReplaceTempView("only_mine")
        other.conf.set("spark.sql.shuffle.partitions", "77")
        with pytest.raises(AnalysisException, match="TABLE_OR_VIEW_NOT_FOUND"):
            spark.sql("SELECT * FROM only_mine").collect()
        assert spark.conf.get("spark.sql.shuffle.partitions") != "77"
    finally:
        other.stop()


def test_the_same_id_gives_the_same_session_while_it_lives(settings: Settings) -> None:
    name = str(uuid.uuid4())
    first = session.connect(settings, name)
    assert first.session_id == name
    assert session.connect(settings, name) is first
    first.stop()
    again = session.connect(settings, name.replace(name[:8], "00000000"))
    assert again is not first
    again.stop()


def test_waiting_for_spark_is_counted_and_nothing_else_is(spark: SparkSession) -> None:
    before = session.spark_seconds()
    time.sleep(0.3)
    assert session.spark_seconds() == before
    spark.sql(SLEEP.format(500)).collect()
    assert 0.5 <= session.spark_seconds() - before < 30


def test_a_query_longer_than_a_stream_may_last_is_asked_for_again(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "STREAM_SECONDS", 1.0)
    own = session.connect(settings)
    try:
        assert len(own.sql(SLEEP.format(4000)).collect()) == 1
    finally:
        own.stop()


def test_an_error_in_a_query_is_told_once_and_without_javas_frames(spark: SparkSession, capfd: pytest.CaptureFixture[str]) -> None:
    from pyspark.errors import ArithmeticException

    with pytest.raises(ArithmeticException, match="DIVIDE_BY_ZERO") as caught:
        spark.sql("SELECT 1 / 0").collect()
    assert "JVM stacktrace" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_an_error_ends_with_its_deepest_cause(spark: SparkSession, tmp_path: Path) -> None:
    spark.range(10).write.parquet(str(tmp_path / "table"))
    (file,) = [path for path in (tmp_path / "table").glob("*.parquet") if path.stat().st_size > 300][-1:]
    file.write_bytes(b"no parquet")
    with pytest.raises(Exception, match=r"\nCaused by RuntimeException: .* is not a Parquet file") as caught:
        spark.read.schema("id bigint").parquet(str(tmp_path / "table")).collect()
    assert str(caught.value).count("Caused by") == 1


def test_details_without_a_cause_stay_as_they_are() -> None:
    from pyspark.sql.connect.proto import FetchErrorDetailsResponse as Details

    errors = [Details.Error(message="writing failed", cause_idx=1), Details.Error(message="disk full\nat", cause_idx=2)]
    errors[1].error_type_hierarchy.append("java.io.IOException")
    loop = Details(root_error_idx=0, errors=[*errors, Details.Error(message="")])
    assert channel.with_cause(loop).errors[0].message == "writing failed"
    del loop.errors[2]
    loop.errors[1].ClearField("cause_idx")
    assert channel.with_cause(loop).errors[0].message == "writing failed\nCaused by IOException: disk full"
    assert channel.with_cause(loop).errors[0].message.count("Caused by") == 1
    assert channel.with_cause(Details()).errors == []


def test_a_sessions_work_is_stopped_from_outside(settings: Settings) -> None:
    own = session.connect(settings, str(uuid.uuid4()))
    own.sql("SELECT 1").collect()
    timer = threading.Timer(2, session.interrupt, (settings, own.session_id))
    timer.start()
    began = time.monotonic()
    with pytest.raises(Exception, match=r"OPERATION_CANCELED|INTERRUPTED|SESSION_CLOSED|cancelled|OPERATION_ABANDONED"):
        own.sql(SLEEP.format(90000)).collect()
    print(f"interrupted {time.monotonic() - began - 2:.1f} s after asking")
    assert time.monotonic() - began < 32
    timer.join()


def test_interrupting_without_a_server_or_session_does_nothing(settings: Settings, spark: SparkSession, tmp_path: Path) -> None:
    session.interrupt(settings, str(uuid.uuid4()))
    session.interrupt(settings.model_copy(update={"root": tmp_path}), str(uuid.uuid4()))
    assert server.running(settings.model_copy(update={"root": tmp_path})) is None


def test_published_tables_are_known_by_name(spark: SparkSession, tmp_path: Path) -> None:
    root = tmp_path / "it's a lake"
    spark.range(5).write.format("delta").save(str(root / "tables" / "silver" / "known_by_name"))
    assert catalog.published(root) == [TableName("silver", "known_by_name")]
    catalog.register(spark, root, catalog.published(root))
    assert spark.sql("SELECT count(*) FROM silver.known_by_name").first()[0] == 5


def test_another_server_is_used_where_one_is_named(settings: Settings, fresh_lake: Settings) -> None:
    found = server.ensure(fresh_lake)
    assert found.pid is None and not found.started and found.url == server.ensure(settings).url
    own = session.connect(fresh_lake)
    assert own.sql("SELECT 1").first()[0] == 1
    own.stop()
    assert not (fresh_lake.root / "services").exists()


def test_a_checkpoint_is_freed_at_the_next_one_and_never_by_the_garbage_collector(settings: Settings) -> None:
    import gc

    spark = session.connect(settings)
    first = session.checkpoint(spark.range(3))
    before = len(session._unneeded)
    watched = session.spark_seconds()
    del first
    gc.collect()
    assert len(session._unneeded) > before
    assert session.spark_seconds() == watched
    second = session.checkpoint(spark.range(4))
    assert not session._unneeded
    assert second.count() == 4
