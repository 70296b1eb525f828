from __future__ import annotations

import os
import subprocess
import sys

import pytest

from lakehouse.processes import is_alive, this_process


def test_this_process_is_alive() -> None:
    assert this_process().startswith(f"{os.getpid()}-")
    assert is_alive(this_process())


def test_one_that_ended_is_not_even_before_anybody_waits_for_it() -> None:
    code = "from lakehouse.processes import this_process; print(this_process())"
    ended = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert ended.stdout is not None
    mark = ended.stdout.readline().strip()
    ended.stdout.read()
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(mark)
    ended.communicate()
    assert not is_alive(mark)


@pytest.mark.parametrize(
    "mark", [f"{os.getpid()}-1", "", "x-y", f"{os.getpid()}"], ids=["later owner", "empty", "none", "no start"]
)
def test_what_names_no_living_process_is_not(mark: str) -> None:
    assert not is_alive(mark)
