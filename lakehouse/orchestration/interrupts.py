"""How a step ends early: interrupted once, so that nothing cuts short its clean-up, and never outliving its run."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def one_interrupt() -> Iterator[None]:
    """Turns the first SIGINT or SIGTERM into KeyboardInterrupt and ignores any other.

    (Ctrl-C reaches every process of the terminal, and then the executor interrupts each step once more.)
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupted = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        if not interrupted:
            interrupted = True
            raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_with_run() -> None:
    """Has this step's process told to end (SIGTERM) when the run's process dies, even by kill -9. Linux only.

    Linux tells a child of its parent's end. A step that multiprocessing's fork server has started is that one's child,
    which lives as long as its children do: there a thread waits for the run's end.
    """
    parent = multiprocessing.parent_process()
    if parent is None or sys.platform != "linux":
        return
    if os.getppid() == parent.pid:
        death_signal = 1  # PR_SET_PDEATHSIG
        ctypes.CDLL(None, use_errno=True).prctl(death_signal, signal.SIGTERM)
        if not parent.is_alive():  # it died before we could ask
            raise KeyboardInterrupt
        return

    def end() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=end, name="end-with-run", daemon=True).start()
