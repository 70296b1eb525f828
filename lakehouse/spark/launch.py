"""The command line of our Spark Connect server.

Java is started directly: Spark's own launcher asks for a Java module that the bundled Java lacks, and takes twice as long.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lakehouse.errors import SettingsError
from lakehouse.settings import Settings
from lakehouse.spark import archive, jars, orphans
from lakehouse.spark.java import Java

MAIN = "org.apache.spark.sql.connect.service.SparkConnectServer"
# What Spark's own launcher opens.
OPENED = (
    "java.base/java.lang", "java.base/java.lang.invoke", "java.base/java.lang.reflect", "java.base/java.io",
    "java.base/java.net", "java.base/java.nio", "java.base/java.util", "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic", "java.base/jdk.internal.ref", "java.base/sun.nio.ch",
    "java.base/sun.nio.cs", "java.base/sun.security.action", "java.base/sun.util.calendar",
    "java.security.jgss/sun.security.krb5",
)  # fmt: skip

# On two cores the optimising compiler took more from the first minutes than it gave back: compiling for good only what
# is five times as hot as by default, and no concurrent collector, cost 49 s of processor instead of 70 s for a fresh
# server's first writes, joins and reads, and 3.7 s instead of 4.6 s for each later round.
FRUGAL = (
    "-XX:+UseParallelGC", "-XX:Tier4InvocationThreshold=25000", "-XX:Tier4MinInvocationThreshold=3000",
    "-XX:Tier4CompileThreshold=75000", "-XX:Tier4BackEdgeThreshold=200000",
)  # fmt: skip


def command(settings: Settings, runtime: Java, classes: str, port: int, work: Path) -> list[str]:
    """Starts a server that listens on loopback at `port` and keeps its temporary files in `work`."""
    shared = archive.options(archive.path(settings, runtime, classes), work)
    options = [*_java_options(settings), *shared, *_spark_options(settings, port, work)]
    return [str(runtime.binary), *options, "-cp", classes, MAIN]


def class_path(settings: Settings, runtime: Java) -> str:
    """Delta's jars and our own before pyspark's; what is missing is made. Raises SetupError."""
    ours = [*jars.ensure(settings), orphans.jar(settings, runtime), *_added(settings)]
    return os.pathsep.join([*map(str, ours), f"{jars.pyspark_jars()}/*"])


def _added(settings: Settings) -> list[Path]:
    paths = [settings.project / Path(jar).expanduser() for jar in (settings.spark_jars or "").split(os.pathsep) if jar]
    for path in paths:
        if not path.is_file():
            hint = "Correct LAKEHOUSE_SPARK_JARS, or unset it."
            raise SettingsError(f"Setting spark_jars names {path}, which is not there", hint)
    return paths


def _java_options(settings: Settings) -> list[str]:
    opens = [f"--add-opens={package}=ALL-UNNAMED" for package in OPENED]
    return [f"-Xmx{settings.spark_memory}", "-XX:+ExitOnOutOfMemoryError", "-XX:-UsePerfData", *FRUGAL, *opens]


def _spark_options(settings: Settings, port: int, work: Path) -> list[str]:
    cores = settings.spark_cores or os.cpu_count() or 2
    options = {
        "java.io.tmpdir": work,
        "io.netty.tryReflectionSetAccessible": "true",
        "spark.app.name": "lakehouse",
        "spark.master": f"local[{cores}]",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.local.dir": work,
        "spark.log.level": "WARN",
        "spark.ui.enabled": "false",
        "spark.extraListeners": orphans.CLASS,
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": port,
        # A stream that falls silent is noticed when it should have ended: soon.
        "spark.connect.execute.reattachable.senderMaxStreamDuration": "20s",
        "spark.connect.session.manager.defaultSessionTimeout": "24h",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.warehouse.dir": work / "warehouse",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.shuffle.partitions": 2 * cores,
        "spark.sql.adaptive.enabled": "true",
        # An error shows what was wrong with the query, not Java's frames (they stand in the log).
        "spark.sql.connect.serverStacktrace.enabled": "false",
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": 4,
        # The two that made small writes to Delta four times faster.
        "spark.databricks.delta.snapshotPartitions": 1,
        "spark.sql.artifact.isolation.enabled": "false",
        "spark.python.daemon.module": "lakehouse.spark.pyworkers",
        "spark.databricks.delta.vacuum.parallelDelete.enabled": "true",
    }
    return [f"-D{name}={value}" for name, value in options.items()]


def environment(token: str) -> dict[str, str]:
    """Ours without what would steer another Spark; the token travels here because `ps` shows arguments."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))}
    return environment | {
        "SPARK_CONNECT_AUTHENTICATE_TOKEN": token,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }
