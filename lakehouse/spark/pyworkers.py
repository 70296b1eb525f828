"""The process that Spark's Python workers are forked from: it has imported what scoring takes, about two seconds' worth.

The project's own modules are imported by the workers. Spark starts it with the first Python function of its life, and
as `__main__`; its threads must be none, as in `lakehouse.kernels.preload`.
"""

from __future__ import annotations

import importlib
import os

MODULES = ("pandas", "pyarrow", "pyspark.worker", "sklearn.compose", "sklearn.ensemble", "sklearn.linear_model", "skops.io")
# Read by Arrow while it is imported. (Spark itself says one thread to OpenMP and OpenBLAS, for each task has one core.)
_AT_IMPORT = {"ARROW_DEFAULT_MEMORY_POOL": "system", "JE_ARROW_MALLOC_CONF": "background_thread:false"}

if __name__ == "__main__":
    os.environ.update(_AT_IMPORT)
    for name in MODULES:
        importlib.import_module(name)
    from pyspark import daemon

    daemon.manager()
