from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from pyspark.sql import functions as F

from lakehouse.spark import pyworkers


def test_workers_are_forked_from_a_process_of_one_thread_that_has_imported_what_scoring_takes(spark) -> None:
    def look(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        import os
        import sys
        from pathlib import Path

        command = Path(f"/proc/{os.getppid()}/cmdline").read_text().replace("\0", " ")
        threads = len(os.listdir(f"/proc/{os.getppid()}/task"))
        for batch in batches:
            there = {"skops.io", "sklearn.ensemble"} <= set(sys.modules)
            told = f"{there} {threads} {os.environ['OMP_NUM_THREADS']} {command}"
            yield pd.Series([told] * len(batch))

    (found,) = spark.range(1).select(F.pandas_udf(look, "string")("id").alias("told")).collect()
    imported, threads, openmp, command = found.told.split(" ", 3)
    assert (imported, threads, openmp) == ("True", "1", "1")
    assert f"-m {pyworkers.__name__}" in command
