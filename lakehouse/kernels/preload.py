"""What a kernel finds already imported, and how to import it without starting a thread.

A process is forked safely only while it has one thread, and some libraries start theirs at import, unseen by
Python: OpenBLAS a pool, Arrow's jemalloc a `jemalloc_bg_thd` (even when its pool is not used). Both are told not to by the
environment, which has to be there before the process starts.
"""

from __future__ import annotations

import gc
import hashlib
import importlib
import os
import sys
import sysconfig
from pathlib import Path

from lakehouse import telemetry
from lakehouse.kernels import repeatable

MODULES = (
    "numpy",
    "pandas",
    "pyarrow.parquet",
    "sklearn.compose",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.pipeline",
    "threadpoolctl",
    "matplotlib.pyplot",
    "pyspark.sql.connect.functions",
    "pyspark.sql.connect.session",
    "mlflow.sklearn",
    "great_expectations",
    "sqlglot",
    "pydantic",
    "yaml",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.extensions.storemagic",
    "tornado.platform.asyncio",
    "tornado.queues",
    "ipykernel.ipkernel",
    "ipykernel.kernelapp",
)

# Read by libraries while they are imported.
_AT_IMPORT = {
    "OMP_NUM_THREADS": "1",
    # Threads that wait for each other sleep: spinning, two of them on a busy machine took eight times as long.
    "OMP_WAIT_POLICY": "passive",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
}
_KEPT = {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH"}


def environment() -> dict[str, str]:
    """The fork process's own environment: the same whoever happens to start it."""
    kept = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(("LC_", "XDG_"))}
    return kept | _AT_IMPORT | repeatable.HASH_SEED | telemetry.OFF


def fingerprint() -> str:
    """Changes with anything that a running fork process has loaded: these modules and the installed packages.

    The rest of lakehouse and the project are imported by each kernel anew.
    """
    digest = hashlib.sha256(f"{sys.prefix} {sys.version}".encode())
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(str(file).encode() + file.read_bytes())
    for folder in sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}):
        with os.scandir(folder) as entries:
            found = sorted((entry.name, entry.stat().st_mtime_ns) for entry in entries if entry.name.endswith(".dist-info"))
        digest.update(repr(found).encode())
    return digest.hexdigest()[:16]


def load() -> None:
    """Imports everything. What is alive afterwards stays out of the garbage collector's way, and so shared."""
    for name in MODULES:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


def threads() -> list[str]:
    """The names of this process's threads beside the first, whoever started them."""
    names = []
    for task in os.listdir("/proc/self/task"):
        if int(task) != os.getpid():
            names.append(Path(f"/proc/self/task/{task}/comm").read_text().strip())
    return names


def memory() -> int:
    """The bytes of this process that a kernel's memory limit counts."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmData:")[2].split()[0]) << 10
