from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse import doctor
from lakehouse.doctor import installation
from lakehouse.environment import BUILD_LOCK, LOCK, PROJECT_FILE, Environment
from lakehouse.kernels import kernelspec
from lakehouse.settings import Settings
from lakehouse.spark import archive, jars, launch, orphans
from tests.conftest import CACHE
from tests.small_lake import cut, flip


@pytest.fixture
def now(tmp_path: Path) -> Settings:
    return Settings(project=tmp_path, root=tmp_path / "lake", cache=tmp_path / "cache")


def look(now: Settings, name: str) -> list[doctor.Found]:
    return list(doctor.examine(now, names=[name]))


def test_this_environment_is_sound(now: Settings) -> None:
    assert look(now, "environment") == []


def test_a_package_that_is_not_the_pinned_one_is_named(tmp_path: Path) -> None:
    lock = tmp_path / LOCK
    version = importlib.metadata.version("typer")
    lock.write_text(
        f"typer=={version} \\\n    --hash=sha256:0\nnumpy==0.1 ; python_version >= '3.11' \\\n    --hash=sha256:0\n"
        "lakehouse-no-such-package==1.0 \\\nonly-elsewhere==1 ; sys_platform == 'win32'\n"
    )
    there = importlib.metadata.version("numpy")
    assert installation._missing(lock) == [f"numpy 0.1 (there is {there})", "lakehouse-no-such-package"]


@pytest.mark.parametrize("break_", [lambda path: path.unlink(), cut], ids=["gone", "cut off"])
def test_a_file_of_a_package_that_is_torn_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, break_: Callable[[Path], object]
) -> None:
    info = tmp_path / "thing-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: thing\nVersion: 1.0\n")
    (tmp_path / "thing.py").write_text("x = 1\n")
    (info / "RECORD").write_text("thing.py,sha256=x,6\nthing-1.0.dist-info/RECORD,,\n__pycache__/thing.pyc,,\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert installation._torn_files() == []
    break_(tmp_path / "thing.py")
    assert installation._torn_files() == ["thing.py"]


def test_an_environment_that_is_not_trusted_is_seen_to_by_the_next_command(tmp_path: Path) -> None:
    environment = Environment(tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "pyvenv.cfg").touch()
    environment.python.symlink_to(sys.executable)
    for name in (BUILD_LOCK, LOCK, PROJECT_FILE):
        (tmp_path / name).write_text(name)
    environment.record(environment.stamp(), {})
    assert environment.finding() == "ready"
    installation._distrust(environment, False)
    assert environment.finding() == "outdated"
    installation._distrust(environment, True)
    assert environment.finding() == "half made"


def test_an_old_or_missing_java_is_told(now: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert look(now, "java") == []
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").touch(0o755)
    (tmp_path / "release").write_text('JAVA_VERSION="1.8.0_311"')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    (found,) = look(now, "java")
    assert "is Java 8; Spark needs Java 17" in found.trouble.what and "Unset JAVA_HOME" in found.trouble.todo
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    assert "holds no bin/java" in look(now, "java")[0].trouble.what
    assert look(now.model_copy(update={"spark": "sc://elsewhere:15002"}), "java") == []


def test_a_damaged_jar_is_told_though_it_looks_unchanged_and_fetched_again(now: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(CACHE / "jars", now.cache / "jars")
    jars.ensure(now)
    victim = now.cache / "jars" / jars.JARS[1].name
    times = victim.stat()
    flip(victim)
    os.utime(victim, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert jars.ensure(now)  # sees the size and time it knows
    (found,) = look(now, "jars")
    assert found.trouble.where == str(victim)

    def fetch(wanted: list[jars.Jar], folder: Path, _: Settings) -> None:
        for jar in wanted:
            shutil.copy(CACHE / "jars" / jar.name, folder)

    monkeypatch.setattr(jars, "_fetch", fetch)
    assert [bool(one.done) for one in doctor.heal(now, names=["jars"])] == [True]
    assert look(now, "jars") == []


def test_a_jar_that_cannot_be_fetched_leaves_a_finding(now: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from lakehouse.errors import SetupError

    shutil.copytree(CACHE / "jars", now.cache / "jars")
    cut(now.cache / "jars" / jars.JARS[0].name)

    def offline(*_: object) -> None:
        raise SetupError("delta-spark could not be fetched: no route", "Check the network.")

    monkeypatch.setattr(jars, "_fetch", offline)
    (found,) = doctor.heal(now, names=["jars"])
    assert "no route. Check the network." in found.failed


def test_a_damaged_listener_is_removed_to_be_compiled_again(now: Settings) -> None:
    path = orphans.path(now)
    path.parent.mkdir(parents=True)
    assert look(now, "jars") == []
    path.write_bytes(b"half a jar")
    assert [one.trouble.where for one in look(now, "jars") if one.trouble.what == "is damaged"] == [str(path)]
    assert any(one.done for one in doctor.heal(now, names=["jars"]))
    assert not path.exists()


def test_an_archive_that_java_does_not_take_is_removed(now: Settings) -> None:
    shutil.copytree(CACHE / "jars", now.cache / "jars")
    runtime = installation.java.find()
    class_path = launch.class_path(now, runtime)
    path = archive.path(now, runtime, class_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"an archive of another Java")
    path.with_suffix(".999999999").write_bytes(b"half")
    assert not archive.usable(path, runtime, class_path)
    found = look(now, "archive of classes")
    assert ["stale or damaged" in found[0].trouble.what, "ended while it made" in found[1].trouble.what] == [True, True]
    assert [bool(one.done) for one in doctor.heal(now, names=["archive of classes"])] == [True, True]
    assert list(path.parent.iterdir()) == []


def test_an_archive_that_was_made_here_is_taken_until_a_byte_changes(tmp_path: Path) -> None:
    runtime, path = installation.java.find(), tmp_path / "small.jsa"
    classes = tmp_path / "classes"
    classes.write_text("java/lang/Object\njava/lang/String\n")
    class_path = launch.class_path(Settings(project=tmp_path, cache=CACHE), runtime)
    assert archive.build(path, runtime, class_path, _work(tmp_path, classes))
    assert archive.usable(path, runtime, class_path)
    flip(path)
    assert not archive.usable(path, runtime, class_path)


def _work(folder: Path, classes: Path) -> Path:
    work = folder / "work"
    work.mkdir()
    shutil.copy(classes, work / archive.CLASSES)
    return work


def test_a_kernelspec_that_points_elsewhere_is_told_and_ours_written_anew(
    now: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = tmp_path / "env"
    monkeypatch.setenv("JUPYTER_PATH", str(prefix / "share" / "jupyter"))
    other = kernelspec.install_kernelspec(prefix, tmp_path / "other" / "bin" / "python")
    (found,) = look(now, "kernelspec")
    assert found.trouble.where == str(other) and "points elsewhere" in found.trouble.what
    assert "jupyter kernelspec remove lakehouse" in found.trouble.todo and found.trouble.mend is None
    monkeypatch.setattr(sys, "prefix", str(prefix))
    assert [bool(one.done) for one in doctor.heal(now, names=["kernelspec"])] == [True]
    assert kernelspec.command_of(other)[0] == str(prefix / "bin" / Path(sys.executable).name)
    cut(other / "kernel.json")
    found = look(now, "kernelspec")
    assert "is missing or damaged" in found[0].trouble.what
    doctor_done = [one.done for one in doctor.heal(now, names=["kernelspec"]) if one.done]
    assert doctor_done and json.loads((other / "kernel.json").read_text())["display_name"] == "Lakehouse"
