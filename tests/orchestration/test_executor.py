from __future__ import annotations

import sys

import pytest

from tests.orchestration.conftest import Place

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="steps are forked on Linux only")


def test_what_steps_need_is_imported_and_leaves_one_thread(place: Place) -> None:
    out = place.python("""
        import os, sys
        from lakehouse.orchestration import executor, launch
        executor.preload()
        print(executor.thread_count(), executor.start_method(), "papermill" in sys.modules, "OMP_NUM_THREADS" in os.environ)
        print(sys.modules["rfc3987_syntax"])
    """)
    assert out.split() == ["1", "fork", "True", "False", "None"]


def test_another_thread_makes_it_slower_but_safe(place: Place) -> None:
    out = place.python("""
        import threading
        from lakehouse.orchestration import executor
        end = threading.Event()
        threading.Thread(target=end.wait).start()
        print(executor.start_method())
        end.set()
    """)
    assert out.split() == ["forkserver"]


def test_a_progress_bar_is_no_obstacle(place: Place) -> None:
    out = place.python("""
        from rich.console import Console
        from rich.progress import Progress
        from lakehouse.orchestration import executor
        with Progress(console=Console(file=open("/dev/null", "w"), force_terminal=True)):
            chosen = executor.start_method()
        print(chosen)
    """)
    assert out.split() == ["fork"]


def test_the_threads_of_dagsters_own_run_process_are_no_obstacle(place: Place) -> None:
    out = place.python("""
        import multiprocessing, threading
        from dagster._utils import start_termination_thread
        from lakehouse.orchestration import executor
        spawning = multiprocessing.get_context("spawn")
        stop, done, queue = spawning.Event(), threading.Event(), spawning.Queue()
        start_termination_thread(stop, done)
        queue.put("an event")
        print(threading.active_count(), executor.start_method())
        done.set(), stop.set()
    """)
    assert out.split() == ["3", "fork"]
