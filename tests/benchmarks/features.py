"""`lakehouse bench features`: what asking feature views costs beside a plain union-and-window join.

On the flights, the shipped questions and views, and copies of them made in Spark (each copy with planes of its own, all
moments moved by up to five minutes): of few entities (the weather of three airports) and of many (the last landing of
thousands of planes). The plain join puts questions and rows into one stream per entity, ordered by event, and takes the
last value that is not null: right as long as nothing is known late, corrected or missing, which is so in these data but
for missing values; its answers are compared where there are none. Each is computed to the end and nothing is written.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from lakehouse.settings import Settings
from tests.benchmarks import machine, report
from tests.benchmarks.memory import JAVA, Watch
from tests.benchmarks.rounds import LAKEHOUSE
from tests.benchmarks.timing import BenchmarkFailed, engine, middle, ratio, timed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from lakehouse.features.pointintime import View

HEADERS = ["flights", "view", "rows", "way", "seconds", "to plain", "processor s", "to plain", "server GiB"]
READING, PLAIN, OURS = "(reading the flights)", "plain union and window", "lake.features"
VIEWS = {"features.origin_weather": "visibility", "features.plane_landing": "arrival_delay"}
"""Of each view the column that is compared: one that is never missing."""


def run(now: Settings, scratch: Path, scales: Sequence[int], rounds: int) -> None:
    """Measures, prints, saves."""
    from lakehouse.spark.session import connect

    timed([*LAKEHOUSE, "run", *(f"+{name.replace('.', '/')}" for name in VIEWS)], scratch / "build.log", cwd=now.project)
    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
    spark = connect(now)
    measured = [one for scale in scales for one in measure(spark, now, scale, rounds)]
    here = machine.describe()
    report.show("features", HEADERS, table(measured), machine.in_words(here))
    print("saved:", report.save("features", {"machine": here, "joins": measured}, whole=len(scales) > 1))
    print(report.markdown(HEADERS, table(measured)))


def measure(spark: SparkSession, now: Settings, scale: int, rounds: int) -> Iterator[dict[str, Any]]:
    """{"flights", "view", "rows", "way", "seconds": [...], "memory"} of reading alone, and of each way for each view.

    Raises BenchmarkFailed where the two ways answer otherwise.
    """
    from lakehouse.features import pointintime

    asked = questions(spark, now, scale)
    flights = asked.count()
    yield {"flights": flights, "view": "", "rows": 0, "way": READING, **_timed(now, rounds, lambda: asked, [])}
    for name, column in VIEWS.items():
        one = view(spark, now, name, scale)
        rows, answers = one.rows.count(), []
        for way, join in {PLAIN: plain, OURS: pointintime.join}.items():
            facts = _timed(now, rounds, partial(join, asked, [one], "asked_at"), answers, column)
            yield {"flights": flights, "view": name, "rows": rows, "way": way, **facts}
        if len(set(answers)) > 1:
            raise BenchmarkFailed(f"{scale}x: the two ways do not give the same {column}", "One of them is wrong.")


def _timed(now: Settings, rounds: int, make: Callable[[], DataFrame], answers: list[int], *compared: str) -> dict[str, Any]:
    """Seconds of each round, those of the server's processors (which a busy machine moves less), its most memory; what the
    `compared` columns hash to goes to `answers`."""
    from pyspark.sql import functions as F

    seconds, processor = [], []
    server = psutil.Process(engine(now)()[0])
    with Watch(engine(now)) as watch:
        for _ in range(rounds):
            frame, began, busy = make(), time.monotonic(), sum(server.cpu_times()[:2])
            every = F.bit_xor(F.xxhash64(*frame.columns))
            given = F.bit_xor(F.xxhash64("flight_id", *compared)) if compared else F.lit(0)
            row = frame.agg(every, given).collect()[0]
            seconds.append(time.monotonic() - began)
            processor.append(sum(server.cpu_times()[:2]) - busy)
    answers += [row[1]] if compared else []
    return {"seconds": seconds, "processor": processor, "memory": watch.peak.by_role.get(JAVA, 0)}


def questions(spark: SparkSession, now: Settings, scale: int) -> DataFrame:
    from assets.transforms.departure_features import questions as shipped

    flights = spark.read.format("delta").load(str(now.root / "tables" / "silver" / "flights"))
    months = [row[0] for row in flights.select("month").distinct().collect()]
    return _copies(spark, shipped(flights, months), scale, ["asked_at"], ["flight_id", "tail_number"])


def view(spark: SparkSession, now: Settings, name: str, scale: int) -> View:
    """A shipped view with all its columns; one whose entities are planes has as many copies as there are planes."""
    from lakehouse import contract as contracts
    from lakehouse.features.pointintime import View

    layer, word = name.split(".")
    contract = contracts.load(now.project / contracts.FOLDER / layer / f"{word}.yaml")
    about = contract.feature_view
    assert about is not None
    rows = spark.read.format("delta").load(str(now.root / "tables" / layer / word))
    if "tail_number" in about.entity:
        rows = _copies(spark, rows, scale, [about.event_timestamp], ["tail_number"])
    own = [column for column in contract.columns if column not in ("month", *about.entity, about.event_timestamp)]
    return View(rows, about.entity, about.event_timestamp, about.created, {column: column for column in own}, about.ttl)


def plain(asked: DataFrame, views: Sequence[View], at: str) -> DataFrame:
    """The join that everyone writes first."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    (one,) = views
    rows = one.rows.select(*one.entity, F.col(one.event).alias("_at"), F.col(one.event).alias("_event"), *one.columns)
    stream = asked.withColumn("_at", F.col(at)).unionByName(rows, allowMissingColumns=True)
    so_far = Window.partitionBy(*one.entity).orderBy("_at", F.desc("_event")).rowsBetween(Window.unboundedPreceding, 0)
    latest = [F.last(name, ignorenulls=True).over(so_far).alias(f"_last_{name}") for name in ("_event", *one.columns)]
    found = stream.select(*asked.columns, "_event", *latest).where("_event is null")
    fresh = F.lit(True) if one.ttl is None else F.col(at) < F.col("_last__event") + F.lit(one.ttl)
    return found.select(*asked.columns, *(F.when(fresh, F.col(f"_last_{name}")).alias(name) for name in one.columns))


def _copies(spark: SparkSession, rows: DataFrame, scale: int, moments: Sequence[str], names: Sequence[str]) -> DataFrame:
    """Each row `scale` times: copy 0 as it is; in the others the `names` end in the copy's number, `moments` are moved."""
    from pyspark.sql import functions as F

    if scale == 1:
        return rows
    copy = F.col("copy").cast("int")
    changed: Mapping[str, Any] = {
        **{name: F.when(copy > 0, F.concat_ws("-", name, copy)).otherwise(F.col(name)) for name in names},
        **{name: F.timestamp_add("MINUTE", F.when(copy > 0, copy % 11 - 5).otherwise(0), name) for name in moments},
    }
    several = spark.range(scale).select(F.col("id").alias("copy"))
    return rows.crossJoin(F.broadcast(several)).withColumns(changed).drop("copy")


def table(measured: Sequence[dict[str, Any]]) -> list[list[str]]:
    beside = {(one["flights"], one["view"]): one for one in measured if one["way"] == PLAIN}
    rows = []
    for one in measured:
        row = [f"{one['flights']:,}", one["view"], f"{one['rows']:,}" if one["rows"] else "", one["way"]]
        for what in ("seconds", "processor"):
            own, other = middle(one[what]), beside.get((one["flights"], one["view"]))
            row += [report.seconds(own), report.times(ratio(own, middle(other[what]) if other else None))]
        rows.append([*row, report.gib(one["memory"])])
    return rows
