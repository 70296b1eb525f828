from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from lakehouse import doctor, services, tables
from lakehouse.doctor import Found
from lakehouse.kernels import control, rendezvous
from lakehouse.settings import Settings


@pytest.fixture
def now(tmp_path: Path) -> Iterator[Settings]:
    made = Settings(project=tmp_path, root=tmp_path / "lake", cache=tmp_path / "cache")
    tables.open_root(made.root)
    yield made
    rendezvous.address(made.root).unlink(missing_ok=True)


def look(now: Settings, name: str) -> list[Found]:
    return list(doctor.examine(now, names=[name]))


def heal(now: Settings, name: str) -> tuple[list[str], list[Found]]:
    found = list(doctor.heal(now, names=[name]))
    return [one.done for one in found if one.done], [one for one in found if not one.done]


def commit(now: Settings, version: int) -> None:
    log = now.root / "tables" / "silver" / "things" / "_delta_log"
    log.mkdir(parents=True)
    ours = json.dumps({"lakehouse": version, "run_id": "r"})
    (log / f"{0:020d}.json").write_text(json.dumps({"commitInfo": {"userMetadata": ours}}))


STAMPS = [(None, "is missing"), ("", "is damaged"), ('{"format"', "is damaged"), ("[]", "is damaged")]


@pytest.mark.parametrize(("content", "words"), STAMPS)
def test_a_lakes_stamp_is_written_anew(now: Settings, content: str | None, words: str) -> None:
    stamp = now.root / tables.STAMP
    commit(now, tables.FORMAT)
    stamp.unlink() if content is None else stamp.write_text(content)
    (found,) = look(now, "stamp")
    assert words in found.trouble.what
    done, left = heal(now, "stamp")
    assert (len(done), left) == (1, [])
    assert json.loads(stamp.read_text()) == {"format": tables.FORMAT}


def test_a_lake_of_a_newer_format_is_left_alone(now: Settings) -> None:
    stamp = now.root / tables.STAMP
    stamp.write_text(json.dumps({"format": tables.FORMAT + 1}))
    (found,) = look(now, "stamp")
    assert f"has format {tables.FORMAT + 1}" in found.trouble.what and "git pull" in found.trouble.todo
    commit(now, tables.FORMAT + 1)
    stamp.unlink()
    done, left = heal(now, "stamp")
    assert done == [] and not stamp.exists()
    assert "update the project" in left[0].trouble.todo


def test_a_lake_that_is_not_there_yet_is_healthy(now: Settings) -> None:
    shutil.rmtree(now.root)
    for name in ("stamp", "folders", "services", "sockets", "raw manifests", "tables' logs", "tables' files", "runs"):
        assert look(now, name) == [], name


def test_a_file_where_a_folder_should_be(now: Settings) -> None:
    (now.root / "tables").write_text("")
    assert [one.trouble.where for one in look(now, "folders")] == [str(now.root / "tables")]


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(now: Settings) -> None:
    now.root.chmod(0o555)
    try:
        assert "cannot be written by you" in look(now, "folders")[0].trouble.what
    finally:
        now.root.chmod(0o755)


def test_too_little_disk(now: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=5 << 20))
    (found,) = look(now, "disk")
    assert "has 5 MiB free" in found.trouble.what


def test_a_port_that_somebody_else_holds(now: Settings) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        mine = now.model_copy(update={"dagster_port": port, "mlflow_port": 23_118, "lab_port": 23_119})
        (found,) = look(mine, "ports")
        assert found.trouble.where == f"port {port}"
        assert f"process {os.getpid()} holds it" in found.trouble.what and "LAKEHOUSE_DAGSTER_PORT" in found.trouble.todo
        services.record(mine, "dagster-webserver", os.getpid(), port=port)
        assert look(mine, "ports") == []  # it is ours


def test_one_port_for_two_pages(now: Settings) -> None:
    same = now.model_copy(update={"dagster_port": 23_117, "mlflow_port": 23_117, "lab_port": 23_119})
    assert len([one for one in look(same, "ports") if "is set for both" in one.trouble.what]) == 2


def test_what_dead_services_left_is_removed(now: Settings) -> None:
    process = subprocess.Popen(["sleep", "60"])
    services.record(now, "mlflow", process.pid)
    services.record(now, "dagster-daemon", os.getpid())
    process.kill()
    process.wait()
    folder = now.root / "services"
    (folder / "kernels.json").write_text('{"name": "ker')
    (folder / f"spark.{process.pid}.draft").write_text("{")
    (folder / f"spark.{os.getpid()}.draft").write_text("{")
    assert len(look(now, "services")) == 3
    done, left = heal(now, "services")
    assert (len(done), left) == (3, [])
    assert sorted(path.name for path in folder.glob("*.json")) == ["dagster-daemon.json"]
    assert [path.name for path in folder.glob("*.draft")] == [f"spark.{os.getpid()}.draft"]


def test_a_socket_where_nobody_listens_is_removed(now: Settings) -> None:
    path = rendezvous.address(now.root)
    listener = rendezvous.listen(path)
    assert look(now, "sockets") == []
    listener.close()
    assert "nobody listens" in look(now, "sockets")[0].trouble.what
    assert len(heal(now, "sockets")[0]) == 1
    assert not path.exists()


def test_a_note_that_kernels_cannot_be_forked_is_told(now: Settings) -> None:
    note = control.failure_note(rendezvous.address(now.root))
    note.write_text("mark\nNo module named 'sklearn'")
    assert "No module named 'sklearn'" in look(now, "sockets")[0].trouble.what
    heal(now, "sockets")
    assert not note.exists()


def test_a_spark_server_that_does_not_answer_is_ended(now: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from lakehouse.spark import server

    monkeypatch.setattr(server, "PATIENCE_SECONDS", 0.1)
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    services.record(now, "spark", process.pid, port=1)
    (now.root / "services" / "spark.token").write_text("token")
    (found,) = look(now, "spark")
    assert f"(process {process.pid}) is alive and does not answer" in found.trouble.what
    done, left = heal(now, "spark")
    assert (len(done), left) == (1, [])
    assert not psutil.pid_exists(process.pid)
