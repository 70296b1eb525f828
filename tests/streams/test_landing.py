"""Each record lands exactly once, whoever is killed, and whatever is done again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse import deltalog, tables
from lakehouse.errors import LakeError, LakehouseError, SourceError, SparkLost
from lakehouse.names import TableName
from lakehouse.settings import Settings
from lakehouse.source import Stream
from lakehouse.spark import server, session
from lakehouse.streams import landing
from lakehouse.streams.landing import land
from tests.conftest import CACHE
from tests.streams.place import Place

WORDS = TableName("raw", "words")
FILES, LINES = 8, 50


def rows(settings: Settings, columns: str = "value") -> list[tuple[object, ...]]:
    spark = session.connect(settings)
    try:
        path = tables.at(tables.lake_path(settings.root, WORDS))
        return sorted(tuple(row) for row in spark.sql(f"select {columns} from {path}").collect())
    finally:
        spark.stop()


def many(place: Place) -> list[tuple[str]]:
    """Files of so many records that a landing of one file after another takes its time; and all the records."""
    for file in range(FILES):
        place.put(f"w{file}", *(f"{file}-{line}" for line in range(LINES)))
    return sorted((f"{file}-{line}",) for file in range(FILES) for line in range(LINES))


def versions(place: Place) -> int:
    return len(deltalog.versions(tables.lake_path(place.root, WORDS)))


def test_what_comes_is_appended_as_it_came_with_where_and_when(new_place: Callable[..., Place]) -> None:
    place = new_place()
    place.put("a.jsonl", '{"x": 1}', "no json, but a record ")
    place.put("b.jsonl", "three")
    began = time.time()
    landed = land(place.settings, place.stream)
    assert (landed.rows, landed.files, landed.version) == (3, 2, 0)
    assert landed.oldest is not None and landed.newest is not None and landed.oldest <= landed.newest <= time.time()
    assert land(place.settings, place.stream) == landing.Landed()
    place.put("c.jsonl", "four")
    assert land(place.settings, place.stream).version == 1
    found = rows(place.settings, "value, _source_file, _delivery, unix_millis(_received_at)")
    assert [row[:3] for row in found] == [
        ("four", "words/c.jsonl", 3),
        ("no json, but a record ", "words/a.jsonl", 1),
        ("three", "words/b.jsonl", 2),
        ('{"x": 1}', "words/a.jsonl", 1),
    ]
    assert all(began - 1 < float(str(row[3])) / 1000 < time.time() for row in found)
    commits = deltalog.commits(tables.lake_path(place.root, WORDS))
    assert [(one.operation, (one.made or {}).get("asset")) for one in commits] == [("STREAMING UPDATE", "raw.words")] * 2
    with pytest.raises(Exception, match="DELTA_CANNOT_MODIFY_APPEND_ONLY"):
        session.connect(place.settings).sql(f"delete from {tables.at(tables.lake_path(place.root, WORDS))}").collect()


def test_what_is_landed_is_not_landed_again_where_only_the_note_of_it_is_lost(new_place: Callable[..., Place]) -> None:
    place = new_place()
    place.put("a", "one")
    land(place.settings, place.stream)
    (place.root / "streams" / "words" / "landed").unlink()
    place.put("b", "two")
    assert land(place.settings, place.stream).rows == 1
    assert rows(place.settings) == [("one",), ("two",)]


CLIENT = """
import sys
from pathlib import Path
from lakehouse.settings import Settings
from lakehouse.source import Stream
from lakehouse.streams.landing import land
settings = Settings.model_validate_json(sys.argv[1])
land(settings, Stream("raw.words", inbox=Path(sys.argv[2]), options={"maxFilesPerTrigger": 1}))
"""


def start(place: Place) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-c", CLIENT, place.settings.model_dump_json(), str(place.inbox)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def await_versions(place: Place, count: int, client: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while versions(place) < count:
        assert client.poll() is None and time.monotonic() < deadline, client.stdout and client.stdout.read()
        time.sleep(0.02)


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT], ids=lambda number: number.name)
def test_nothing_is_lost_or_doubled_when_the_client_ends(new_place: Callable[..., Place], ending: signal.Signals) -> None:
    place = new_place(maxFilesPerTrigger=1)
    every = many(place)
    client = start(place)
    await_versions(place, 1 if ending == signal.SIGKILL else 2, client)
    client.send_signal(ending)
    client.wait(30)
    assert versions(place) < FILES, "all had landed before"
    land(place.settings, place.stream)
    assert rows(place.settings) == every
    assert list((place.root / "streams" / "words" / "waiting").iterdir()) == []


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_when_the_server_is_killed(tmp_path: Path) -> None:
    own = Settings(project=tmp_path, root=tmp_path / "lake", cache=CACHE, spark_memory="1g")
    place = Place(own, tmp_path, maxFilesPerTrigger=1)
    every = many(place)
    failures: list[LakehouseError] = []

    def first() -> None:
        try:
            land(own, place.stream)
        except LakehouseError as error:
            failures.append(error)

    try:
        pid = server.ensure(own).pid
        assert pid is not None
        thread = threading.Thread(target=first)
        thread.start()
        while not versions(place):
            time.sleep(0.02)
        os.kill(pid, signal.SIGKILL)
        thread.join(60)
        assert len(failures) == 1 and isinstance(failures[0], SparkLost), failures
        assert versions(place) < FILES
        land(own, place.stream)
        assert rows(own) == every
    finally:
        server.stop(own)


def test_two_landings_at_once_take_turns(new_place: Callable[..., Place]) -> None:
    place = new_place()
    every = many(place)
    landed: list[int] = []
    threads = [threading.Thread(target=lambda: landed.append(land(place.settings, place.stream).rows)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    assert sorted(landed) == [0, len(every)]
    assert rows(place.settings) == every


def test_a_landing_that_does_not_end_is_named(new_place: Callable[..., Place], monkeypatch: pytest.MonkeyPatch) -> None:
    place = new_place()
    monkeypatch.setattr(landing, "PATIENCE_SECONDS", 0.0)
    with landing.alone(place.root, WORDS), pytest.raises(LakeError, match=f"is being landed by process {os.getpid()}"):
        land(place.settings, place.stream)


def lose_checkpoint(place: Place) -> None:
    shutil.rmtree(place.root / "streams")


def lose_table(place: Place) -> None:
    shutil.rmtree(tables.lake_path(place.root, WORDS))


def mix(place: Place) -> None:
    shutil.rmtree(place.root / "streams")
    other = tables.lake_path(place.root, WORDS)
    shutil.move(other, place.root / "kept")
    land(place.settings, place.stream)
    shutil.rmtree(other)
    shutil.move(place.root / "kept", other)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        pytest.param(lose_checkpoint, "raw.words has rows, but the checkpoint .* is gone", id="checkpoint"),
        pytest.param(lose_table, "raw.words has a checkpoint .*, but the table is gone", id="table"),
        pytest.param(mix, "raw.words was landed by another checkpoint", id="both"),
    ],
)
def test_table_and_checkpoint_that_do_not_belong_together_are_refused(
    new_place: Callable[..., Place], damage: Callable[[Place], None], message: str
) -> None:
    place = new_place()
    place.put("a", "one")
    land(place.settings, place.stream)
    damage(place)
    place.put("b", "two")
    with pytest.raises(LakeError, match=f"(?s){message}.*land all anew: move "):
        land(place.settings, place.stream)
    for folder in (tables.lake_path(place.root, WORDS), place.root / "streams"):  # as the error says
        shutil.rmtree(folder, ignore_errors=True)
    land(place.settings, place.stream)
    assert rows(place.settings) == [("one",), ("two",)]


def test_a_reader_of_sparks_own_is_a_change_of_settings(fresh_lake: Settings) -> None:
    options = {"rowsPerBatch": 5, "startTimestamp": 0, "advanceMillisPerBatch": 1000}
    stream = Stream("raw.words", format="rate-micro-batch", options=options)
    first, second = land(fresh_lake, stream), land(fresh_lake, stream)
    assert first.rows and second.rows and first.rows % 5 == second.rows % 5 == 0
    found = rows(fresh_lake, "value, timestamp is not null, _received_at is not null")
    assert found == [(number, True, True) for number in range(first.rows + second.rows)]


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        pytest.param(
            Stream("raw.words", format="kafka", options={"subscribe": "words", "kafka.bootstrap.servers": "localhost:1"}),
            "raw.words: Spark's server has no reader called kafka\n.*LAKEHOUSE_SPARK_JARS",
            id="no such reader",
        ),
        pytest.param(
            Stream("raw.words", format="rate-micro-batch", options={"rowsPerBatch": -1}),
            "raw.words could not be landed: .*rowsPerBatch",
            id="wrong option",
        ),
    ],
)
def test_what_spark_refuses_is_told_in_words(fresh_lake: Settings, stream: Stream, message: str) -> None:
    with pytest.raises((SourceError, LakeError), match=message):
        land(fresh_lake, stream)
