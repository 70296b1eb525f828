"""After a kernel's end: nothing of its Spark session goes on.

A killed kernel leaves its query running for minutes, and only a second client with the same session id can stop
it. A fresh process does that, so that neither the keeper nor the client imports Spark or waits for it.
"""

from __future__ import annotations

import os
import signal
import time

SECONDS = 15
# Once more after this: the last request of a killed kernel may arrive late, and then opens a session that is not known
# yet. On a server without our listener, jobs submitted after an interrupt run on, and an operation is interrupted once.
SETTLE_SECONDS = 3


def stop_spark_work(spark_session: str) -> None:
    """Interrupts and releases the Spark session, where there is a server. It is killed after SECONDS."""
    from lakehouse import settings
    from lakehouse.spark import server, session

    signal.alarm(SECONDS)
    now = settings.load()
    if server.running(now) is None:
        return
    if not now.spark:  # with `lakehouse.spark.orphans`, which another's server may lack: there this would come too soon
        session.interrupt(now, spark_session)
    time.sleep(SETTLE_SECONDS)
    session.interrupt(now, spark_session)


if __name__ == "__main__":
    stop_spark_work(os.environ["LAKEHOUSE_SESSION"])
