"""Sessions on the lake's Spark server, over Spark Connect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.settings import Settings
from lakehouse.spark import server

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession


def connect(settings: Settings, session_id: str | None = None) -> SparkSession:
    """A session of its own on the lake's server (started if needed)."""
    from pyspark.sql.connect.session import SparkSession

    url = server.ensure(settings).url
    if session_id:
        url += f";session_id={session_id}"
    return SparkSession.builder.remote(url).create()
