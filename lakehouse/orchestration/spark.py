"""The shared Spark session for a team's own Python assets."""

from __future__ import annotations

from typing import Any

from dagster_pyspark import LazyPySparkResource
from pydantic import Field

from lakehouse import settings


class SharedSpark(LazyPySparkResource):
    """A session of its own on the lake's one Spark server, which is started when a step first asks for it.

    @dg.asset
    def totals(spark: SharedSpark):
        spark.spark_session.sql("select …")
    """

    spark_config: dict[str, Any] = Field(default_factory=dict)

    def _init_session(self) -> None:
        if self._spark_session is None:
            from lakehouse.spark.session import connect

            session = connect(settings.load())
            for name, value in self.spark_config.items():
                session.conf.set(name, str(value))
            self._spark_session = session
