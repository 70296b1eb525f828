"""The query that lands a stream: all that is there now, appended to a raw Delta table, exactly once by its checkpoint."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.errors import LakeError, SourceError
from lakehouse.source import Stream
from lakehouse.streams.deliveries import DIGITS

if TYPE_CHECKING:
    from pyspark.sql.connect.dataframe import DataFrame
    from pyspark.sql.connect.session import SparkSession

# What a new table of this session begins with. A sink takes no properties of the table as options.
_BEGIN = {
    "spark.databricks.delta.properties.defaults.appendOnly": "true",
    "spark.databricks.delta.properties.defaults.logRetentionDuration": "interval 3650 days",
    "spark.databricks.delta.properties.defaults.deletedFileRetentionDuration": "interval 3650 days",
}
_ASK_SECONDS = 10


def land(spark: SparkSession, stream: Stream, waiting: Path | None, table: Path, checkpoint: Path, note: str) -> None:
    """Lands what is there now; `note` is the commits' metadata. An interrupt stops the query; what it had not committed
    comes next time. A run of the same query that is still going on (its client was killed) is stopped by Spark first.

    Raises SourceError for a format that the server does not know, LakeError where the query fails, or SparkLost.
    """
    from pyspark.errors import PySparkException

    for name, value in _BEGIN.items():
        spark.conf.set(name, value)
    query: Any = None
    try:
        writer = _records(spark, stream, waiting).writeStream.format("delta").outputMode("append").trigger(availableNow=True)
        query = writer.option("checkpointLocation", str(checkpoint)).option("userMetadata", note).start(str(table))
        while not query.awaitTermination(_ASK_SECONDS):
            pass
    except PySparkException as error:
        raise _in_words(stream, error) from None
    except BaseException:
        with suppress(Exception):
            if query is not None:
                query.stop()
        raise


def _records(spark: SparkSession, stream: Stream, waiting: Path | None) -> DataFrame:
    reader = spark.readStream.format(stream.format).options(**stream.options)
    if waiting is None:
        return reader.load().selectExpr("*", "current_timestamp() as _received_at")
    # Spark takes braces and brackets in a folder's name for a pattern.
    return reader.load(re.sub(r"([{}\[\]*?\\])", r"\\\1", str(waiting))).selectExpr(
        "value",
        f"concat('{stream.name.name}/', substring(_metadata.file_name, {DIGITS + 2})) as _source_file",
        f"cast(substring(_metadata.file_name, 1, {DIGITS}) as bigint) as _delivery",
        "_metadata.file_modification_time as _received_at",
    )


def _in_words(stream: Stream, error: Any) -> LakeError | SourceError:
    told = str(error.getMessage() or error).split("\n\nJVM stacktrace")[0].strip()
    if "DATA_SOURCE_NOT_FOUND" in told or "Failed to find data source" in told or "Failed to find the data source" in told:
        return SourceError(
            f"{stream.table}: Spark's server has no reader called {stream.format}",
            "Correct the format, or give the server the reader's jars (LAKEHOUSE_SPARK_JARS) and start it anew: lakehouse down",
        )
    return LakeError(f"{stream.table} could not be landed: {told}", "What was not committed lands with the next run.")
