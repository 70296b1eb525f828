from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse import doctor
from lakehouse.doctor import examinations, machine
from lakehouse.errors import LakeError
from lakehouse.settings import Settings
from lakehouse.trouble import Trouble


@pytest.fixture
def now(tmp_path: Path) -> Settings:
    return Settings(project=tmp_path, root=tmp_path / "lake", cache=tmp_path / "cache")


def set_up(monkeypatch: pytest.MonkeyPatch, look: object) -> None:
    monkeypatch.setattr(examinations, "EXAMINATIONS", {"one": "machine.look_at_disk", "two": "machine.look_at_ports"})
    monkeypatch.setattr(machine, "look_at_disk", look)
    monkeypatch.setattr(machine, "look_at_ports", lambda settings, deep: [Trouble("there", "is wrong", "Mend it.")])


def names() -> list[str]:
    return list(examinations.EXAMINATIONS)


def test_an_examination_that_fails_is_a_finding_and_the_others_go_on(now: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(settings: Settings, deep: bool) -> list[Trouble]:
        raise ZeroDivisionError("by nought")

    set_up(monkeypatch, look)
    found = list(doctor.examine(now, names=names()))
    assert [one.trouble.what for one in found] == ["failed: ZeroDivisionError: by nought", "is wrong"]


def test_an_examination_whose_module_is_missing_is_a_finding(now: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examinations, "EXAMINATIONS", {"gone": "no_such_module.look"})
    (found,) = doctor.examine(now, names=["gone"])
    assert "the examination of gone" in found.trouble.where and "no_such_module" in found.trouble.what


def test_every_examination_of_the_table_is_there() -> None:
    for name in doctor.EXAMINATIONS:
        assert callable(examinations._look(name))


def test_a_repair_that_fails_is_tried_once_and_told(now: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def mend() -> str:
        tried.append(1)
        raise LakeError("It is in use", "Wait.")

    set_up(monkeypatch, lambda settings, deep: [Trouble("here", "is wrong", "--repair mends it.", mend=mend)])
    found = list(doctor.heal(now, names=names()))
    assert [one.failed for one in found] == ["It is in use. Wait.", ""]
    assert len(tried) == 1


def test_what_a_repair_brings_to_light_is_repaired_too(now: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    left = ["first", "second"]
    mend = lambda: left.pop(0)  # noqa: E731
    set_up(monkeypatch, lambda settings, deep: [Trouble(one, "is wrong", "", mend=mend) for one in left[:1]])
    assert [one.done for one in doctor.heal(now, names=names())] == ["first", "second", ""]


def test_examining_needs_neither_spark_nor_dagster_nor_mlflow(tmp_path: Path) -> None:
    text = (
        "import sys; from lakehouse.settings import Settings; from lakehouse import doctor; from pathlib import Path\n"
        "p = Path(sys.argv[1])\n"
        "list(doctor.examine(Settings(project=p, root=p / 'lake', cache=p / 'cache'), True))\n"
        "heavy = ('pyspark', 'dagster', 'mlflow', 'great_expectations', 'pandas')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", text, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
