"""Change events: what is set aside, and that any batches in any order end in what plain Python makes of the whole log."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql.connect.dataframe import DataFrame
from pyspark.sql.connect.session import SparkSession

from lakehouse import cdc

SCHEMA = "log int, id int, value string"
KEY = ("log", "id")
Row = dict[str, Any]


def event(op: str, before: Row | None, after: Row | None, lsn: int, transaction: tuple[str, int] | None = None) -> Row:
    block = {"id": transaction[0], "total_order": transaction[1]} if transaction else None
    at = {"lsn": lsn, "ts_ms": lsn * 1000, "snapshot": "true" if op == "r" else "false"}
    return {"op": op, "before": before, "after": after, "source": at, "ts_ms": lsn * 1000 + 7, "transaction": block}


@dataclass
class Log:
    """A table of a few rows in plain Python, and the events that its changes leave; `lines` are to be delivered."""

    number: int
    chance: random.Random
    rows: dict[int, str] = field(default_factory=dict)
    events: list[Row] = field(default_factory=list)
    marks: list[Row] = field(default_factory=list)
    lsn: int = 1

    def row(self, id: int) -> Row:
        return {"log": self.number, "id": id, "value": self.rows[id]}

    def tell(self, op: str, before: Row | None, after: Row | None, of: tuple[str, int] | None) -> None:
        self.events.append(event(op, before, after, self.lsn, of))

    def change(self, of: tuple[str, int] | None) -> int:
        """One change of a random row; returns how many events it made."""
        self.lsn += 1
        id, new, value = self.chance.randrange(4), self.chance.randrange(4), f"v{self.lsn}"
        if id not in self.rows:
            self.rows[id] = value
            self.tell("c", None, self.row(id), of)
            return 1
        before = self.row(id)
        what = self.chance.choice("udkK")
        if what == "d" or (what in "kK" and new in self.rows):
            del self.rows[id]
            self.tell("d", before, None, of)
            return 1
        if what == "u":
            self.rows[id] = value
            self.tell("u", self.chance.choice([before, None]), self.row(id), of)
            return 1
        self.rows[new] = self.rows.pop(id)
        if what == "k":  # another key, as an update
            self.tell("u", before, self.row(new), of)
            return 1
        self.tell("d", before, None, of)  # or as Debezium tells it
        self.tell("c", None, self.row(new), of and (of[0], of[1] + 1))
        return 2

    def transact(self) -> None:
        name, count = f"{self.number}:{self.lsn}", 0
        for _ in range(self.chance.randint(1, 3)):
            count += self.change((name, count + 1))
        self.marks.append({"status": "BEGIN", "id": name, "event_count": None})
        self.marks.append({"status": "END", "id": name, "event_count": count})


def written(number: int, seed: int, length: int) -> Log:
    log = Log(number, random.Random(seed))
    log.rows = {id: "old" for id in range(4) if log.chance.random() < 0.5}
    for id in log.rows:
        log.tell("r", None, log.row(id), None)
    for _ in range(length):
        if log.chance.random() < 0.5:
            log.change(None)
        else:
            log.transact()
    # Now and then something never comes.
    for told in (log.events, log.marks):
        if told and log.chance.random() < 0.3:
            told.pop(log.chance.randrange(len(told)))
    return log


def truth(log: Log) -> dict[tuple[int, int, str], tuple[Any, ...]]:
    """Of each version, by key and position: op, value, deleted, the next position. Worked out one event after the other."""
    promised = {mark["id"]: mark["event_count"] for mark in log.marks if mark["status"] == "END"}
    there: dict[str, int] = defaultdict(int)
    for one in log.events:
        if one["transaction"]:
            there[one["transaction"]["id"]] += 1
    versions: dict[int, list[tuple[str, str, str | None, bool]]] = defaultdict(list)
    for one in sorted(log.events, key=place):
        block = one["transaction"]
        if block and there[block["id"]] < promised.get(block["id"], 99):
            continue
        before, after = one["before"], one["after"]
        if before and (after is None or before["id"] != after["id"]):
            versions[before["id"]].append((place(one), one["op"], None, True))
        if after:
            versions[after["id"]].append((place(one), one["op"], after["value"], False))
    found = {}
    for id, of in versions.items():
        for this, following in zip(of, [*of[1:], None], strict=True):
            found[log.number, id, this[0]] = (*this[1:], following and following[0])
    return found


def place(one: Row) -> str:
    block = one["transaction"]
    return f"{one['source']['lsn']:020d}/{block['total_order'] if block else 0:010d}"


def delivered(logs: Iterable[Log], chance: random.Random) -> list[str]:
    """All lines out of order, some twice, plain or wrapped with a schema."""
    told = [one for log in logs for one in (*log.events, *log.marks)]
    told += [one for one in told if chance.random() < 0.2]
    chance.shuffle(told)
    return [json.dumps({"schema": {}, "payload": one} if chance.random() < 0.5 else one) for one in told]


class Tables:
    """What a notebook keeps: set aside lines, the history and the current rows, merged as `lake.merge` does."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark
        self.aside: DataFrame | None = None
        self.history: DataFrame | None = None
        self.current: dict[tuple[int, int], str] = {}

    def apply(self, lines: list[str]) -> None:
        rows = self.spark.createDataFrame([(line,) for line in lines], "value string")
        batch = cdc.events(rows, SCHEMA, KEY, aside=self.aside, history=self.history)
        versions = self.kept(cdc.history(batch.events, KEY, self.history))
        for row in cdc.current(versions).collect():
            self.current.pop((row["log"], row["id"]), None)
            if not row["deleted"]:
                self.current[row["log"], row["id"]] = row["value"]
        left = self.kept(batch.aside)
        self.aside = left.where("not applied").drop("applied")
        if self.history is not None:
            versions = versions.unionByName(self.history.join(versions, [*KEY, "position"], "left_anti"))
        self.history = self.kept(versions)

    def kept(self, frame: DataFrame) -> DataFrame:
        return self.spark.createDataFrame(frame.collect(), frame.schema)

    def versions(self) -> dict[tuple[int, int, str], tuple[Any, ...]]:
        assert self.history is not None
        names = ("op", "value", "deleted", "next_position")
        return {(row["log"], row["id"], row["position"]): tuple(row[name] for name in names) for row in self.history.collect()}


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), lengths=st.lists(st.integers(0, 12), min_size=30, max_size=30))
def test_any_batches_in_any_order_end_in_what_the_log_says(spark: SparkSession, seed: int, lengths: list[int]) -> None:
    """Many logs at once, each of a table of its own; of some, all comes with the first batch, as when replayed from raw."""
    chance = random.Random(seed)
    logs = [written(number, chance.randrange(2**32), length) for number, length in enumerate(lengths)]
    replayed = delivered(logs[::5], chance)
    lines = delivered([log for log in logs if log not in logs[::5]], chance)
    cuts = sorted(chance.randrange(len(lines) + 1) for _ in range(2))
    tables = Tables(spark)
    for batch in (lines[: cuts[0]] + replayed, lines[cuts[0] : cuts[1]], lines[cuts[1] :]):
        tables.apply(batch)
    expected = {at: version for log in logs for at, version in truth(log).items()}
    assert tables.versions() == expected
    now = {(at[0], at[1]): version[1] for at, version in expected.items() if version[3] is None and not version[2]}
    assert tables.current == now


NEW = {"log": 1, "id": 1, "value": "a"}
ASIDE = [
    pytest.param("{", "not JSON of the declared columns", id="not JSON"),
    pytest.param(json.dumps(event("c", None, {**NEW, "id": "x"}, 5)), "not JSON of the declared columns", id="another type"),
    pytest.param(json.dumps({"payload": event("c", None, {**NEW, "id": "y"}, 5)}), "not JSON of the declared columns", id="nested"),
    pytest.param(json.dumps({"foo": 1}), "no op", id="something else"),
    pytest.param(json.dumps(event("t", None, None, 5)), "op t is not understood", id="truncate"),
    pytest.param(json.dumps({**event("c", None, NEW, 5), "source": {}}), "no position", id="no position"),
    pytest.param(json.dumps(event("u", NEW, None, 5)), "no key after", id="no after"),
    pytest.param(json.dumps(event("d", {**NEW, "id": None}, None, 5)), "no key before", id="no key"),
    pytest.param(json.dumps(event("c", None, NEW, 5, ("7", 1))), "transaction 7 is incomplete", id="incomplete"),
    pytest.param(json.dumps({"status": "END", "id": "8", "event_count": 1}), "transaction 8 is incomplete", id="mark alone"),
]


@pytest.fixture(scope="module")
def batch(spark: SparkSession) -> cdc.Batch:
    lines = [case.values[0] for case in ASIDE]
    nothing = ["null", "", '{"schema": null, "payload": null}', json.dumps({"status": "BEGIN", "id": "9"})]
    rows = spark.createDataFrame([(line, "f") for line in (*lines, *nothing)], "value string, _source_file string")
    return cdc.events(rows, SCHEMA, KEY)


@pytest.fixture(scope="module")
def reasons(batch: cdc.Batch) -> dict[str, str]:
    return {row["line"]: row["reason"] for row in batch.aside.collect()}


@pytest.mark.parametrize(("line", "reason"), ASIDE)
def test_what_cannot_be_applied_is_set_aside_with_the_reason(reasons: dict[str, str], line: str, reason: str) -> None:
    assert reasons[line] == reason


def test_tombstones_and_empty_lines_say_nothing(batch: cdc.Batch, reasons: dict[str, str]) -> None:
    assert len(reasons) == len(ASIDE)
    assert batch.events.count() == 0


def test_of_a_transaction_over_several_tables_only_this_one_is_counted(spark: SparkSession) -> None:
    counts = [{"data_collection": "shop.things", "event_count": 1}, {"data_collection": "shop.others", "event_count": 4}]
    mark = {"status": "END", "id": "7", "event_count": 5, "data_collections": counts}
    lines = [json.dumps(mark), json.dumps(event("c", None, NEW, 5, ("7", 3)))]
    rows = spark.createDataFrame([(line,) for line in lines], "value string")
    assert cdc.events(rows, SCHEMA, KEY).events.count() == 0
    assert cdc.events(rows, SCHEMA, KEY, collection="shop.things").events.count() == 1


def test_a_table_can_be_read_as_it_was(spark: SparkSession) -> None:
    told = [
        event("r", None, NEW, 10), event("u", NEW, {**NEW, "value": "b"}, 20), event("u", NEW, {**NEW, "id": 2}, 30),
        event("d", {**NEW, "id": 2}, None, 40),
    ]  # fmt: skip
    rows = spark.createDataFrame([(json.dumps(one),) for one in told], "value string")
    history = cdc.history(cdc.events(rows, SCHEMA, KEY).events, KEY)
    at = [cdc.as_of(history, f"1970-01-01 00:00:{second}").collect() for second in (15, 25, 35, 45)]
    assert [[(row["id"], row["value"]) for row in rows] for rows in at] == [[(1, "a")], [(1, "b")], [(2, "a")], []]
