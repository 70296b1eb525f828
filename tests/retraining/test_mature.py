"""When a month's outcomes have come, of a Delta table as any writer leaves it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from lakehouse import tables
from lakehouse.errors import LakeError
from lakehouse.names import TableName
from lakehouse.partitions import month
from lakehouse.promotion.contract import Outcome
from lakehouse.retraining import mature

THINGS = TableName("features", "things")
OUTCOME = Outcome(table=THINGS, column="came", known_at="known", at="asked_at", share=0.9, grace="1d")
Row = tuple[datetime, datetime | None]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def asked(*, days: int = 10, key: str = "2013-01", later: float = 5.0) -> list[Row]:
    """A thing a day, each with an outcome some hours later."""
    first = at(f"{key}-01")
    return [(first + timedelta(days=day), first + timedelta(days=day, hours=later)) for day in range(days)]


def write(root: Path, months: dict[str, Sequence[Sequence[Row]]]) -> None:
    """The table: for each month its files."""
    table = tables.lake_path(root, THINGS)
    adds = []
    for key, files in months.items():
        for number, rows in enumerate(files):
            name = f"month={key}/part-{number}.parquet"
            (table / name).parent.mkdir(parents=True, exist_ok=True)
            moment = pyarrow.timestamp("us", "UTC")
            columns = {
                "asked_at": pyarrow.array([row[0] for row in rows], moment),
                "known": pyarrow.array([row[1] for row in rows], moment),
                "came": pyarrow.array([None if row[1] is None else True for row in rows], pyarrow.bool_()),
            }
            parquet.write_table(pyarrow.table(columns), table / name)
            adds.append({"add": {"path": name, "partitionValues": {"month": key}, "size": 1, "dataChange": True}})
    log = table / "_delta_log"
    log.mkdir(parents=True)
    (log / f"{0:020d}.json").write_text("\n".join(map(json.dumps, [{"commitInfo": {"timestamp": 0}}, *adds])))


LATE = at("2013-03-05 07:00")
CASES = {
    "all known in time: a grace after the month's end": ([asked()], at("2013-02-02")),
    "a tenth never gets an outcome": ([[*asked()[:9], (at("2013-01-20"), None)]], at("2013-02-02")),
    "two tenths have none": ([[*asked()[:8], (at("2013-01-20"), None), (at("2013-01-21"), None)]], None),
    "two tenths come late: from when nine tenths are known": (
        [[*asked()[:8], (at("2013-01-20"), LATE), (at("2013-01-21"), at("2013-04-01"))]],
        LATE,
    ),
    "the last question is asked after the month's end elsewhere": (
        [[*asked(), (at("2013-02-01 04:00"), LATE)]],
        at("2013-02-02 04:00"),
    ),
    "in several files": ([asked(days=4), asked(days=6)], at("2013-02-02")),
}


@pytest.mark.parametrize("files, expected", CASES.values(), ids=CASES.keys())
def test_a_month_is_mature_when_enough_of_its_rows_have_an_outcome(
    files: list[list[Row]], expected: datetime | None, tmp_path: Path
) -> None:
    write(tmp_path, {"2013-01": files})
    (found,) = mature.read(tmp_path, OUTCOME).values()
    assert (found.key, found.mature, found.rows) == ("2013-01", expected, sum(map(len, files)))


@pytest.mark.parametrize("key", ["", "2013", "null"])
def test_rows_of_no_month_are_told_also_from_a_process_of_its_own(key: str, tmp_path: Path) -> None:
    write(tmp_path, {key: [asked()]})
    with pytest.raises(LakeError, match=r"features.things has rows of no month, .*: part-0.parquet\nPartition features.things by"):
        mature.labels(tmp_path, OUTCOME)


def test_an_outcome_without_a_moment_is_not_known(tmp_path: Path) -> None:
    write(tmp_path, {"2013-01": [asked(days=1)], "2013-02": [[(at("2013-02-01"), None)]]})
    found = mature.read(tmp_path, OUTCOME)
    assert [one.known for one in found.values()] == [1, 0]
    assert found[month("2013-02")].said(0.9) == "2013-02: 0 of 1 rows have an outcome, 90% are needed"


def test_months_are_judged_together_once_the_last_of_them_is_mature(tmp_path: Path) -> None:
    write(tmp_path, {"2013-01": [asked(later=24 * 60)], "2013-02": [asked(key="2013-02")], "2013-03": [[(at("2013-03-01"), None)]]})
    found = mature.labels(tmp_path, OUTCOME)  # in a process of its own, as before Dagster's steps are forked
    assert mature.known_by(found, month("2013-02"), 2) == max(one.mature for one in found.values() if one.mature)
    assert mature.known_by(found, month("2013-02"), 1) == at("2013-03-02")
    assert mature.known_by(found, month("2013-02"), 3) is None  # nobody has seen 2012-12
    assert mature.known_by(found, month("2013-03"), 1) is None
