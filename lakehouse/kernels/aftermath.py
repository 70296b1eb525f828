"""After a kernel's end: nothing of its Spark session goes on.

A killed kernel leaves its query running for minutes, and only a second client with the same session id can stop
it. A fresh process does that, so that neither the keeper nor the client imports Spark or waits for it.
"""

from __future__ import annotations

import os
import signal
import time

SECONDS = 15
# An operation can be interrupted once, and where that comes before its jobs are submitted they run on for ever
# (seen when a query was interrupted within a second of its start).
SETTLE_SECONDS = 3


def stop_spark_work(spark_session: str) -> None:
    """Interrupts and releases the Spark session, where there is a server. It is killed after SECONDS."""
    from lakehouse import settings
    from lakehouse.spark import server, session

    signal.alarm(SECONDS)
    now = settings.load()
    if server.running(now) is not None:
        time.sleep(SETTLE_SECONDS)
        session.interrupt(now, spark_session)


if __name__ == "__main__":
    stop_spark_work(os.environ["LAKEHOUSE_SESSION"])
