from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse.orchestration.interrupts import one_interrupt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_interrupts_and_the_next_does_not_cut_the_clean_up(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    cleaned = False
    with pytest.raises(KeyboardInterrupt), one_interrupt():
        try:
            os.kill(os.getpid(), number)
        finally:
            os.kill(os.getpid(), number)
            cleaned = True
    assert cleaned
    assert signal.getsignal(number) is before


CHILD = """
import multiprocessing, os, signal, sys, time
from lakehouse.orchestration.interrupts import end_with_run, one_interrupt

def step():
    try:
        with one_interrupt():
            end_with_run()
            print("ready", flush=True)
            time.sleep(60)
    except KeyboardInterrupt:
        print("cleaned up", flush=True)

if __name__ == "__main__":
    process = multiprocessing.get_context(sys.argv[1]).Process(target=step)
    process.start()
    process.join()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asked of Linux")
@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_a_step_ends_with_the_run_that_was_killed(method: str, tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(CHILD)
    run = subprocess.Popen([sys.executable, str(script), method], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    assert run.stdout.readline() == "ready\n"
    run.kill()
    assert run.stdout.read() == "cleaned up\n"  # and the pipe is closed: nobody is left
    run.wait()
    run.stdout.close()
