"""The machine and the versions that figures were taken with; nothing that names the machine itself."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import psutil

from lakehouse.spark import java

VERSIONS = ("pyspark", "dagster", "papermill", "mlflow", "scikit-learn", "pandas", "pyarrow")


def describe() -> dict[str, object]:
    """{"cpu", "cores", "memory_gib", "system", "python", "java", "versions", "date"}."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": f"{_distribution()}, {platform.system()} {platform.release().split('-')[0]}, {platform.machine()}",
        "python": platform.python_version(),
        "java": java.find().version,
        "versions": {name: importlib.metadata.version(name) for name in VERSIONS},
        "date": datetime.now(UTC).date().isoformat(),
    }


def in_words(machine: dict[str, object]) -> str:
    """One line, for a table's caption and the picture."""
    return (
        f"{machine['cores']} cores ({machine['cpu']}), {machine['memory_gib']} GiB, {machine['system']}, "
        f"Python {machine['python']}, Java {machine['java']}, {machine['date']}"
    )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.platform(terse=True)
