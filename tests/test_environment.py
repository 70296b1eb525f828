"""How an environment stands, told from a real folder for each case."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse.environment import BUILD_LOCK, LOCK, PROJECT_FILE, Environment


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """One that is ready, in a folder with a space in its name."""
    project = tmp_path / "my project"
    project.mkdir()
    for name in (BUILD_LOCK, LOCK, PROJECT_FILE):
        (project / name).write_text(f"{name}\n")
    made = Environment(project)
    made.python.parent.mkdir(parents=True)
    made.python.symlink_to(sys.executable)
    (made.folder / "pyvenv.cfg").write_text("")
    made.record(made.stamp(), {"packages": 1.0})
    return made


def test_an_environment_with_its_stamp_is_ready(environment: Environment) -> None:
    assert environment.finding() == "ready"


def _empty(environment: Environment) -> None:
    for path in sorted(environment.folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def _other_python(environment: Environment) -> None:
    environment.python.unlink()
    environment.python.symlink_to("/nonexistent/python3.11")


CASES: dict[str, tuple[Callable[[Environment], object], str]] = {
    "an empty folder": (_empty, "missing"),
    "the lock was changed": (lambda e: (e.project / LOCK).write_text("other"), "outdated"),
    "the build tools' lock was changed": (lambda e: (e.project / BUILD_LOCK).write_text("other"), "outdated"),
    "only pyproject.toml was changed": (lambda e: (e.project / PROJECT_FILE).write_text("other"), "project changed"),
    "set-up was killed before its end": (lambda e: e.record(None, {}), "half made"),
    "the state cannot be read": (lambda e: e.state.write_text("{"), "half made"),
    "the state is something else": (lambda e: e.state.write_text("[]"), "half made"),
    "pyvenv.cfg was deleted": (lambda e: (e.folder / "pyvenv.cfg").unlink(), "half made"),
    "its Python has gone": (_other_python, "moved"),
    "somebody else made it": (lambda e: e.state.unlink(), "foreign"),
}


@pytest.mark.parametrize(("damage", "expected"), CASES.values(), ids=CASES.keys())
def test_what_is_wrong_with_an_environment_is_told(
    environment: Environment, damage: Callable[[Environment], object], expected: str
) -> None:
    damage(environment)
    assert environment.finding() == expected


def test_a_project_that_was_moved_needs_a_new_environment(environment: Environment, tmp_path: Path) -> None:
    environment.project.rename(tmp_path / "elsewhere")
    assert Environment(tmp_path / "elsewhere").finding() == "moved"


def test_a_look_at_the_stamp_costs_nothing_that_a_user_would_feel(environment: Environment) -> None:
    (environment.project / LOCK).write_text("x" * 500_000)
    environment.record(environment.stamp(), {})
    started = time.perf_counter()
    assert environment.finding() == "ready"
    assert time.perf_counter() - started < 0.05
