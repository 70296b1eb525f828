"""Who may import whom, as the contracts in pyproject.toml say."""

from __future__ import annotations

from pathlib import Path

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports


def test_nothing_imports_what_it_should_not(monkeypatch) -> None:
    project = Path(__file__).parents[1]
    monkeypatch.chdir(project)
    monkeypatch.syspath_prepend(str(project))
    assert lint_imports(config_filename=str(project / "pyproject.toml"), no_cache=True) == EXIT_STATUS_SUCCESS
