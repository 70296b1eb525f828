"""A project of which raw files and a contract set rows aside: January has a ragged row, an id that is none, a size too large."""

from __future__ import annotations

from typing import Any

from lakehouse.record import Result
from tests.notebooks import MONTHS, contract
from tests.workspace import Workspace, monthly

SOURCES = """
    from pathlib import Path

    from lakehouse import Folder, Source
    from lakehouse.partitions import PartitionSpace

    SPACE = PartitionSpace("month", "2013-01", "2013-03")
    incoming = Path(__file__).parent.parent / "incoming"
    things = Source(
        "raw.things", Folder(incoming, "things-{month}*.csv", settle=0), partitions=SPACE,
        options={"header": True}, tolerance=0.3,
    )
"""
READS = monthly(
    "bronze/things",
    'df = lake.read("raw.things").withColumn("month", F.lit(str(months[0])))',
    'lake.write(df, "bronze.things")',
    imports="from pyspark.sql import functions as F",
)
TYPED = monthly(
    "silver/things",
    'df = lake.sql("select month, cast(id as bigint) id, cast(size as double) size, owner from bronze.things")',
    'lake.write(df, "silver.things")',
)
TEXT = dict.fromkeys(("id", "size", "owner", "_source_file", "_source_sha256"), "string")
BRONZE = contract(
    "bronze.things",
    {"month": {"type": "string", "nullable": False}, **TEXT, "_received_at": "timestamp"},
    partitions=MONTHS,
    expectations=[
        {
            "type": "expect_column_values_to_match_regex",
            "kwargs": {"column": "id", "regex": "^[0-9]+$"},
            "severity": "quarantine",
            "reason": "an id is a number",
        }
    ],
    quarantine={"at_most": 0.5},
)
TOO_LARGE = {
    "type": "expect_column_values_to_be_between",
    "kwargs": {"column": "size", "max_value": 100},
    "severity": "quarantine",
    "reason": "nothing is larger than the shelf",
}


def silver(*expectations: dict[str, Any], at_most: float = 0.5, version: int = 1) -> dict[str, Any]:
    owner = {"type": "string", "personal": True}
    columns = {
        "month": {"type": "string", "nullable": False},
        "id": {"type": "bigint", "nullable": False},
        "size": "double",
        "owner": owner,
    }
    return contract(
        "silver.things",
        columns,
        partitions=MONTHS,
        expectations=list(expectations),
        quarantine={"at_most": at_most},
        version=version,
    )


JANUARY = "id,size,owner\n1,10,Ada\n2,20\n3,3000,Bob\nx4,40,Cy\n5,50,Di\n"


def deliver(place: Workspace, month: str, text: str, name: str = "") -> None:
    (place.project / "incoming").mkdir(exist_ok=True)
    (place.project / "incoming" / f"things-{month}{name}.csv").write_text(text)
    place.land("raw.things", month)


def write(place: Workspace) -> None:
    """The project, with January landed."""
    notebooks = {"bronze/things": READS, "silver/things": TYPED}
    place.write(notebooks, {"bronze.things": BRONZE, "silver.things": silver(TOO_LARGE)}, SOURCES)
    deliver(place, "2013-01", JANUARY)


def run(place: Workspace, month: str = "2013-01") -> tuple[Result, Result]:
    return place.run("bronze/things", months=[month]), place.run("silver/things", months=[month])
