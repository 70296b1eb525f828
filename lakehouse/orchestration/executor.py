"""Each step in a process of its own, forked: 0.3 s a step, where Dagster's own starting methods take 2 to 5 s.

A fork copies only the thread that calls it, so it is used when there is exactly one. What a step needs is imported
before, once for all steps.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import dagster as dg
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.multiprocess import MultiprocessExecutor

from lakehouse.variables import variables

# Libraries that start threads when imported, told not to: Arrow's allocator, BLAS, OpenMP.
_SINGLE_THREADED = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}

_HARMLESS = {"termination-handler", "QueueFeederThread"}


def forked_executor(parallel: int) -> dg.ExecutorDefinition:
    """Runs at most `parallel` steps side by side."""

    @dg.executor(name="forked", requirements=dg.multiple_process_executor_requirements())
    def forked(context: dg.InitExecutorContext) -> MultiprocessExecutor:
        preload()
        return MultiprocessExecutor(retries=RetryMode.ENABLED, max_concurrent=parallel, start_method=start_method())

    return forked


def start_method() -> str:
    """`fork` where that is safe (Linux, one thread), else `forkserver`, which is slower."""
    return "fork" if sys.platform == "linux" and thread_count() == 1 else "forkserver"


def thread_count() -> int:
    """All threads of this process that a fork could trip over, also those that Python does not know of.

    Left out are those that hold no lock but their own: the one that draws a progress bar, and the two by which
    Dagster's own process of a run hears of a cancel and sends its events.
    """
    harmless = [thread for thread in threading.enumerate() if thread.name in _HARMLESS or type(thread).__module__ == "rich.live"]
    return len(list(Path("/proc/self/task").iterdir())) - len(harmless)


def preload() -> None:
    """Imports what every step imports, without leaving a thread behind."""
    # nbformat imports jsonschema, which takes every checker of formats that it finds; this one compiles 38 grammars
    # when imported (two seconds), and no notebook's schema asks for its formats. jsonschema goes on without it.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    # For a while only: kernels started later must not inherit them.
    with variables({name: value for name, value in _SINGLE_THREADED.items() if name not in os.environ}):
        import nbclient  # noqa: F401
        import nbconvert  # noqa: F401
        import papermill  # noqa: F401

        import lakehouse.plan
        import lakehouse.profiles.shown
        import lakehouse.runner  # noqa: F401
