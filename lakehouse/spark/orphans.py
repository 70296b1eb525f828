"""What ends Spark's orphans: a listener in our server, `orphans.scala`, compiled once with the compiler pyspark ships.

An interrupted operation has those of its jobs cancelled that run at that moment. What adaptive execution prepares in
other threads at that moment (a stage, a broadcast) starts its job a moment later; nobody waits for it, nothing in
Spark's protocol reaches it any more, and it runs to its end. Spark tells its listeners both of operations that were
cancelled and sessions that were closed, and of every job that starts: so the listener cancels what comes late. Where
Spark fails to tell, the listener finds by itself, within two seconds, that a job's operation is not known any more.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import zipfile
from pathlib import Path

from lakehouse.errors import SetupError
from lakehouse.settings import Settings
from lakehouse.spark.jars import pyspark_jars
from lakehouse.spark.java import Java

CLASS = "lakehouse.Orphans"
SOURCE = Path(__file__).with_name("orphans.scala")
COMPILE_SECONDS = 120


def jar(settings: Settings, runtime: Java) -> Path:
    """The listener's jar, compiled (5 s) for exactly this source and Spark if missing or damaged. Raises SetupError."""
    made = path(settings)
    if not zipfile.is_zipfile(made):  # missing, or cut short by a full disk
        _compile(made, runtime)
    return made


def path(settings: Settings) -> Path:
    """Where the jar for exactly this source and Spark is, or will be."""
    spark = next(pyspark_jars().glob("spark-connect_*.jar")).name
    key = hashlib.sha256(f"{spark} {SOURCE.read_text()}".encode()).hexdigest()[:16]
    return settings.cache / "jars" / f"lakehouse-orphans-{key}.jar"


def damaged(settings: Settings) -> bool:
    """Whether the jar is there and cannot be read, each part by its checksum."""
    made = path(settings)
    try:
        with zipfile.ZipFile(made) as content:
            return content.testzip() is not None
    except FileNotFoundError:
        return False
    except zipfile.BadZipFile:
        return True


def _compile(made: Path, runtime: Java) -> None:
    draft = made.with_suffix(f".{os.getpid()}.jar")
    command = [str(runtime.binary), "-cp", f"{pyspark_jars()}/*", "scala.tools.nsc.Main", "-usejavacp", "-nowarn"]
    try:
        made.parent.mkdir(parents=True, exist_ok=True)
        done = subprocess.run([*command, "-d", str(draft), str(SOURCE)], capture_output=True, text=True, timeout=COMPILE_SECONDS)
        if done.returncode != 0:
            raise SetupError(f"{SOURCE.name} could not be compiled: {(done.stdout + done.stderr).strip()[:500]}", _HINT)
        draft.replace(made)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"{SOURCE.name} could not be compiled to {made}: {error}", _HINT) from None
    finally:
        draft.unlink(missing_ok=True)


_HINT = "Check that the cache (LAKEHOUSE_CACHE) can be written and that Java is the one that came with the environment."
