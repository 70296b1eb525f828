"""The peers' own environments: hashed requirements, made on first use into the cache, reused ever after."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from lakehouse import indexes, telemetry
from lakehouse.environment import BUILD_LOCK, Environment
from lakehouse.errors import SetupError
from lakehouse.settings import Settings
from lakehouse.spark import java

PEERS = Path(__file__).parent / "peers"
READY = ".ready"

# Spark's own launcher asks for a module of Java that the runtime in the wheel lacks; only MLlib would use it.
WITHOUT_VECTORS = """#!/bin/sh
for word in "$@"; do
    shift
    case "$word" in
        --add-modules=jdk.incubator.vector) ;;
        *) set -- "$@" "$word" ;;
    esac
done
exec "{java}" "$@"
"""


def ensure(peer: str, now: Settings) -> Path:
    """The Python of the environment for `peers/<peer>.txt`. Raises SetupError where it cannot be made."""
    requirements, tools = PEERS / f"{peer}.txt", now.project / BUILD_LOCK
    made_from = requirements.read_bytes() + tools.read_bytes() + sys.version.encode()
    folder = now.cache / "bench" / f"{peer}-{hashlib.sha256(made_from).hexdigest()[:12]}"
    python = folder / "bin" / "python"
    if (folder / READY).exists():
        return python
    print(f"making the environment of {peer} in {folder} (once)", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    base = getattr(sys, "_base_executable", sys.executable)
    into = ["--python", str(python), "--no-build-isolation", "--require-hashes", "--compile-bytecode"]
    # As for the project itself: pyspark comes as source only, so what builds it is installed first, hashed too.
    _uv(now, ["venv", "--python", base, str(folder)])
    _uv(now, ["pip", "install", *into, "-r", str(tools)])
    _uv(now, ["pip", "install", *into, "-r", str(requirements)])
    (folder / READY).touch()
    return python


def _uv(now: Settings, words: list[str]) -> None:
    uv = Environment(now.project).uv
    settings = indexes.pip_settings(sys.executable, os.environ)
    clean = indexes.for_tools(os.environ)
    options = indexes.uv_options(settings) if words[0] == "pip" else []
    done = subprocess.run(
        [str(uv), *words, *options], env=clean | indexes.for_uv(settings, clean), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SetupError(f"uv {' '.join(words[:2])} failed: {done.stderr.strip()[-1500:]}", "See what pip is configured with.")


def variables(now: Settings, folder: Path) -> dict[str, str]:
    """The environment of a peer's process: the project's own modules, the Java that we use, no telemetry either."""
    clean = indexes.for_python(os.environ)
    return {name: value for name, value in clean.items() if not name.startswith(("LAKEHOUSE_", "SPARK_", "PYSPARK_"))} | {
        "PYTHONPATH": os.pathsep.join([str(now.project), str(PEERS)]),
        "JAVA_HOME": os.environ.get("JAVA_HOME") or str(_java_home(now)),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "GIT_PYTHON_REFRESH": "quiet",
        "DAGSTER_HOME": str(folder),
        **telemetry.OFF,
    }


def _java_home(now: Settings) -> Path:
    """A folder with the bin/java that Spark's launcher looks for, which is the Java of the wheel."""
    home = now.cache / "bench" / "java"
    script = home / "bin" / "java"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(WITHOUT_VECTORS.format(java=java.find().binary))
    script.chmod(0o755)
    return home
