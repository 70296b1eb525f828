"""What makes a run repeatable: the seeds and the threads of its kernel.

The order of a set of texts depends on Python's hash seed, sums in their last bits on how many threads share them.
"""

from __future__ import annotations

import os
import random
import sys

SEED = 0
HASH_SEED = {"PYTHONHASHSEED": str(SEED)}
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def environment(threads: int) -> dict[str, str]:
    """The variables of a kernel that a runner starts, with so many threads for OpenMP and BLAS."""
    return HASH_SEED | dict.fromkeys(THREADS, str(threads))


def seed() -> None:
    """Sets the seeds of `random` and, where it is in use, of numpy's global generator."""
    random.seed(SEED)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(SEED)


def left_to_chance() -> list[str]:
    """What of this process could make the same training end otherwise, in words."""
    found = []
    if os.environ.get("PYTHONHASHSEED") != HASH_SEED["PYTHONHASHSEED"]:
        found.append("Python's hash seed is not set: sets have another order in each process")
    threads = os.environ.get(THREADS[0], "as many as cores")
    if threads != "1":
        found.append(f"threads: {threads}; with another number the last bits may differ")
    return found
