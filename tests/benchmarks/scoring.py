"""`lakehouse bench score`: scores on Spark beside a bare `predict_proba` of the same rows, at 1 and 10 times the flights scored.

The shipped graph is built once; the rows are the features of the months that it scores, `scale` copies of each, as a
Delta table. Bare is one call in this process with the rows in pandas already, on all cores and on one. Ours is what
`lake.score` does: read the table, hand its rows to Spark's Python workers, keep the scores on the server. Its first
round starts the workers; the others are what counts. Each round's scores are held against the bare ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from lakehouse import models, settings, tables
from lakehouse.names import TableName
from lakehouse.project import Project
from lakehouse.scoring import scores, signature
from lakehouse.spark.session import connect
from tests.benchmarks import machine, report
from tests.benchmarks.rounds import LAKEHOUSE
from tests.benchmarks.timing import BenchmarkFailed, middle, ratio, timed

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame, SparkSession

    from lakehouse.models import StoredModel

HEADERS = ["rows", "bare", "bare, one thread", "into pandas", "ours", "ours, workers started", "ours to bare", "µs a row"]
FEATURES = TableName("features", "flight_departure")
MODEL = TableName("models", "flight_delay")
SCORES = TableName("scores", "flight_delay")
KEEP = ("flight_id", "month", "asked_at")


def run(now: settings.Settings, scratch: Path, scales: Sequence[int], rounds: int) -> None:
    """Measures, prints, saves. Raises BenchmarkFailed."""
    print("building the shipped graph", flush=True)
    timed([*LAKEHOUSE, "run", f"+{SCORES.slashed}"], scratch / "build.log", cwd=now.project)
    spark, model = connect(now), models.locate(now, MODEL)
    months = Project.load(now.project).partitions_of(SCORES)
    assert months is not None
    resolver = tables.Resolver(now.root)
    where = tables.partitions_clause(months.column, [str(key) for key in months.keys()])  # noqa: SIM118  # no dictionary
    measured = []
    for scale in scales:
        rows = _copies(spark, resolver.relation(FEATURES, resolver.pin(FEATURES), where), scale, scratch / f"rows-{scale}")
        measured.append({"scale": scale, **measure(model, rows, rounds)})
        print(f"{scale}x: {measured[-1]}", flush=True)
    here = machine.describe()
    report.show("score", HEADERS, table(measured), machine.in_words(here))
    print("saved:", report.save("score", {"machine": here, "scores": measured}, whole=len(scales) > 1))
    print(report.markdown(HEADERS, table(measured)))


def _copies(spark: SparkSession, relation: str, scale: int, path: Path) -> DataFrame:
    """`scale` copies of the rows as a table, read anew by each use."""
    columns = spark.sql(f"select * from {relation}").columns
    chosen = ", ".join("concat(flight_id, '-', copy) as flight_id" if name == "flight_id" else name for name in columns)
    made = spark.sql(f"select {chosen} from {relation} cross join (select id as copy from range({scale}))")
    made.write.format("delta").partitionBy("month").save(str(path))
    return spark.read.format("delta").load(str(path))


def measure(model: StoredModel, rows: DataFrame, rounds: int) -> dict[str, Any]:
    """Seconds, the middle of `rounds`, but for those of the round that starts the workers."""
    columns = signature.inputs(model.files, str(model))
    taken = rows.selectExpr("flight_id", *(f"cast({name} as {kind}) as {name}" for name, kind in columns.items()))
    frame, into = _clocked(taken.toPandas)
    frame = frame.set_index("flight_id")
    estimator = model.opened().estimator
    bare = [_clocked(lambda: estimator.predict_proba(frame)) for _ in range(rounds)]
    with threadpool_limits(1):
        one = [_clocked(lambda: estimator.predict_proba(frame)) for _ in range(rounds)]
    ours = [_clocked(lambda: scores.compute(model, rows, KEEP, made_of="", run_id="bench").rows) for _ in range(rounds + 1)]
    _hold(ours[-1][0], frame, bare[0][0][:, 1])
    return {
        "rows": len(frame),
        "bare": middle([seconds for _, seconds in bare]),
        "one_thread": middle([seconds for _, seconds in one]),
        "into_pandas": into,
        "ours": middle([seconds for _, seconds in ours[1:]]),
        "first": ours[0][1],
    }


def _clocked(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.monotonic()
    return work(), time.monotonic() - began


def _hold(ours: DataFrame, frame: pd.DataFrame, bare: np.ndarray) -> None:
    """Raises BenchmarkFailed where the scores are not the bare ones to the last bit."""
    found = ours.select("flight_id", "score").toPandas().set_index("flight_id")["score"]
    if not np.array_equal(found.loc[frame.index].to_numpy(), bare):
        raise BenchmarkFailed("The scores are not those of predict_proba", "Its figures would not count.")


def table(measured: Sequence[dict[str, Any]]) -> list[list[str]]:
    return [
        [
            f"{each['rows']:,}",
            *(report.seconds(each[name]) for name in ("bare", "one_thread", "into_pandas", "ours", "first")),
            f"{ratio(each['ours'], each['bare']):.2f}",
            f"{1e6 * each['ours'] / each['rows']:.1f}",
        ]
        for each in measured
    ]
