"""The rows of judged raw files on Spark, each file read by its own header."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.ingest.batch import Batch, Judged

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

ORIGIN = ("_source_file", "_source_sha256", "_received_at")
"""The columns that say where a row came from."""


def rows(spark: SparkSession, root: Path, batch: Batch) -> DataFrame:
    """The rows that fit, with where each came from: `_source_file`, `_source_sha256`, `_received_at`.

    Those of CSV are text, under the names that the files' own headers give, whatever the order of each file: Spark
    alone takes one file's header for all of them, by position.
    """
    if batch.columns is None:
        return _read(spark, root, batch, batch.files, None)
    by_header: dict[tuple[tuple[str, ...], bool], list[Judged]] = {}
    for judged in batch.files:
        by_header.setdefault((judged.verdict.columns, judged.verdict.copy is not None), []).append(judged)
    frames = [_read(spark, root, batch, files, header) for (header, _), files in by_header.items()]
    frame = reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), frames)
    absent = [f"cast(null as string) as {_quoted(name)}" for name in batch.columns if name not in frame.columns]
    return frame.selectExpr("*", *absent).select(*map(_quoted, (*batch.columns, *ORIGIN)))


def _read(spark: SparkSession, root: Path, batch: Batch, files: Iterable[Judged], header: tuple[str, ...] | None) -> DataFrame:
    """Files of one header (None: as Spark finds it)."""
    known = {str(one.verdict.copy or one.file.path): one.file for one in files}
    facts = spark.createDataFrame(
        [
            (path, str(file.path.relative_to(root / "raw")), file.sha256, file.received_at.isoformat())
            for path, file in known.items()
        ],
        "_path string, _source_file string, _source_sha256 string, _received_at string",
    ).selectExpr("_path", "_source_file", "_source_sha256", "cast(_received_at as timestamp) as _received_at")
    reader = spark.read.format(batch.source.format).options(**_options(batch, files))
    if header is not None:
        reader = reader.schema(", ".join(f"{_quoted(name)} string" for name in header))
    # Spark takes braces and brackets in a folder's name for a pattern.
    frame = reader.load([re.sub(r"([{}\[\]*?\\])", r"\\\1", path) for path in known])
    # Spark names a file by its URI; "+" is a plus there, but url_decode would make it a space.
    uri = "regexp_replace(url_decode(replace(_metadata.file_path, '+', '%2B')), '^file:/+', '/') as _path"
    named = frame.selectExpr("*", uri).join(facts.hint("broadcast"), "_path")
    return named.select(*map(_quoted, (*frame.columns, *ORIGIN)))


def _options(batch: Batch, files: Iterable[Judged]) -> dict[str, Any]:
    """The source's options; what was judged to fit must fit, so a row that Spark sees otherwise stops the read."""
    form, given = batch.form, {name.lower(): value for name, value in batch.source.options.items()}
    if form is None:
        return given
    if any(one.verdict.copy for one in files):
        given = {name: value for name, value in given.items() if name not in ("encoding", "charset")}
    return {**given, "escape": form.escape, "mode": "FAILFAST"} if form.format == "csv" else given


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
