from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator

import pytest

from lakehouse.cli import main
from tests.workspace import Workspace


@pytest.fixture
def lakehouse(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """The command in this process: its exit code, what it printed, and its words on stderr."""
    before = signal.getsignal(signal.SIGTERM)

    def call(place: Workspace, *words: str, **environ: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with monkeypatch.context() as patch:
            for name, value in {**place.shell, "COLUMNS": "200", **environ}.items():
                patch.setenv(name, value)
            for name in [name for name, value in environ.items() if not value]:
                patch.delenv(name)
            patch.chdir(place.project)
            patch.setattr(sys, "argv", ["lakehouse", *words])
            code = main()
        said = capsys.readouterr()
        return code, said.out, said.err

    yield call
    signal.signal(signal.SIGTERM, before)
    assert os.environ.get("LAKEHOUSE_ROOT") is None
