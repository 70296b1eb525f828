"""Set-up: what runs before anything is installed, its locks, and its endings."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lakehouse import __main__ as entry
from lakehouse import bootstrap
from lakehouse.environment import BUILD_LOCK, LOCK, PROJECT_FILE, Environment
from lakehouse.errors import SetupError

PROJECT = bootstrap.PROJECT
PIN = re.compile(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)(.*)$")


def pins(lock: str) -> dict[tuple[str, str], list[str]]:
    """(name, version) → the hashes below it."""
    found: dict[tuple[str, str], list[str]] = {}
    for line in (PROJECT / lock).read_text().splitlines():
        if pin := PIN.match(line):
            found[pin[1], pin[2]] = current = []
        elif hashed := re.match(r"\s+--hash=(sha256:[0-9a-f]{64})", line):
            current.append(hashed[1])
        else:
            assert not line.strip() or line.lstrip().startswith("#"), line
    return found


@pytest.mark.parametrize("lock", [LOCK, BUILD_LOCK])
def test_every_pin_has_a_hash_and_no_host_is_named(lock: str) -> None:
    found = pins(lock)
    assert found
    assert [pin for pin, hashes in found.items() if not hashes] == []
    assert "://" not in (PROJECT / lock).read_text()


def test_the_lock_holds_what_pyproject_asks_for() -> None:
    project = tomllib.loads((PROJECT / PROJECT_FILE).read_text())["project"]
    asked = [*project["dependencies"], *(pin for extra in project["optional-dependencies"].values() for pin in extra)]
    locked = set(pins(LOCK))
    for requirement in asked:
        name, version = re.sub(r"\[.*\]", "", requirement).split("==")
        assert (name, version) in locked, f"compile {LOCK} again: the command is at its head"


def test_the_two_locks_agree() -> None:
    everything, build = dict(pins(LOCK)), dict(pins(BUILD_LOCK))
    shared = {name for name, _ in everything} & {name for name, _ in build}
    assert {pin for pin in build if pin[0] in shared} <= everything.keys()


def test_the_supported_pythons_are_written_in_two_places_alike() -> None:
    asked = tomllib.loads((PROJECT / PROJECT_FILE).read_text())["project"]["requires-python"]
    oldest, newest = entry.OLDEST, entry.NEWEST
    assert asked == f">={oldest[0]}.{oldest[1]},<{newest[0]}.{newest[1] + 1}"


@pytest.mark.parametrize("file", ["__init__.py", "__main__.py"])
def test_an_old_python_can_read_what_it_runs_first(file: str) -> None:
    tree = ast.parse((PROJECT / "lakehouse" / file).read_bytes(), feature_version=(3, 7))
    newer = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr)
    assert [node for node in ast.walk(tree) if isinstance(node, newer)] == []
    assert "annotations" not in [a.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names]


PYTHONS = {
    "too old": ((3, 8, 18), "lakehouse needs Python 3.11 or newer, this is 3.8.18 "),
    "too new": ((3, 99, 0), "lakehouse needs Python 3.11 to 3.13, this is 3.99.0 "),
    "very old": ((2, 7, 18), "lakehouse needs Python 3.11 or newer, this is 2.7.18 "),
}


@pytest.mark.parametrize(("version", "words"), PYTHONS.values(), ids=PYTHONS.keys())
def test_a_wrong_python_is_told_so_in_one_line(version: tuple[int, int, int], words: str) -> None:
    code = f"import runpy, sys; sys.version_info = {version}; runpy.run_module('lakehouse', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith(words)
    assert done.stderr.count("\n") == 1


def test_the_message_names_a_python_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert entry.wrong_python((3, 9, 1), "python").endswith("run it with python3.11, which has to be installed first")
    (tmp_path / "python3.12").touch(mode=0o755)
    assert entry.wrong_python((3, 9, 1), "python").endswith("run it with python3.12: python3.12 -m lakehouse")


def test_set_up_needs_the_standard_library_only() -> None:
    base = getattr(sys, "_base_executable", sys.executable)
    code = (
        f"import sys; sys.path.insert(0, {str(PROJECT)!r}); import lakehouse.bootstrap, lakehouse.__main__, lakehouse.telemetry;"
        "print(*sorted({name.split('.')[0] for name in sys.modules} - sys.stdlib_module_names - {'__main__'}))"
    )
    done = subprocess.run([base, "-I", "-S", "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["lakehouse"], done.stderr


def test_importing_lakehouse_imports_nothing_of_it() -> None:
    code = "import sys, lakehouse; print(*[name for name in sys.modules if name.startswith('lakehouse.')])"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True)
    assert done.stdout.split() == []


def test_a_second_set_up_says_that_it_waits_and_waits(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from lakehouse import bootstrap\n"
        "with bootstrap.alone(pathlib.Path(sys.argv[1])): print('mine', flush=True)"
    )
    with bootstrap.alone(tmp_path / "lock"):
        second = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "lock")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=PROJECT,
            text=True,
        )
        assert "another command is setting the environment up" in second.stderr.readline()
        assert second.poll() is None
    out, _ = second.communicate(timeout=10)
    assert out == "mine\n"


def test_a_tool_that_outlives_a_killed_set_up_keeps_others_out(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with bootstrap.alone(lock) as held:
        tool = subprocess.Popen(["sleep", "30"], pass_fds=(held,))
    code = f"import pathlib; from lakehouse import bootstrap\nwith bootstrap.alone(pathlib.Path({str(lock)!r})): pass"
    second = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, cwd=PROJECT, text=True)
    assert "waiting" in second.stderr.readline()
    tool.kill()
    tool.wait()
    second.communicate(timeout=10)
    assert second.returncode == 0


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose build lock cannot be had."""
    (tmp_path / BUILD_LOCK).write_text(f"no-such-package==1.0 --hash=sha256:{'0' * 64}\n")
    (tmp_path / LOCK).write_text("")
    (tmp_path / PROJECT_FILE).write_text("")
    return tmp_path


def test_without_a_way_to_the_index_the_step_the_reason_and_the_log_are_named(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    environment = Environment(project)
    with pytest.raises(SetupError) as failed:
        bootstrap.ensure(environment)
    assert failed.value.what.startswith('set-up failed at the step "build tools": ERROR: ')
    assert str(environment.log) in failed.value.hint
    assert "no-such-package" in environment.log.read_text()
    assert environment.finding() == "half made"
    assert "environment" in capfd.readouterr().err


def test_a_folder_that_set_up_has_not_made_is_left_alone(project: Path) -> None:
    precious = project / ".venv" / "precious.txt"
    precious.parent.mkdir()
    precious.write_text("mine")
    with pytest.raises(SetupError, match="set-up has not made it"):
        bootstrap.ensure(Environment(project))
    assert precious.read_text() == "mine"


def test_a_python_without_ensurepip_gets_the_name_of_the_package(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ensurepip" else real(name))
    with pytest.raises(SetupError, match="apt install python3-venv"):
        bootstrap.ensure(Environment(project))


def test_an_installed_package_without_a_project_needs_no_set_up(tmp_path: Path) -> None:
    bootstrap.enter(["run"], tmp_path)
    assert list(tmp_path.iterdir()) == []


INTERRUPTED = """
import sys


class Interrupt:
    def find_spec(self, name, *_):
        if name == "lakehouse.cli":
            raise KeyboardInterrupt


sys.meta_path.insert(0, Interrupt())
from lakehouse.__main__ import command

sys.exit(command())
"""


def test_ctrl_c_while_the_command_is_still_imported_is_a_cancel() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\nlakehouse: cancelled\n")
