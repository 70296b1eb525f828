"""What a user may get wrong, as the command line tells it: the exit code, what failed, and what to do next."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse.settings import Settings
from tests.notebooks import MONTHS, contract, copies, notebook, project
from tests.workspace import COMMAND, IMPORTS, PARAMETERS, Workspace

WORDS = ["notebook", "run", "silver/things", "-p"]


@pytest.fixture(scope="module")
def place(new_workspace: Callable[[str], Workspace]) -> Workspace:
    made = new_workspace("a place with spaces")
    months = notebook(
        "silver/things", 'lake.write(lake.read("bronze.things"), "silver.things")', parameters=PARAMETERS, imports=IMPORTS
    )
    made.write({"silver/things": months}, {"silver.things": contract("silver.things", partitions=MONTHS)})
    return made


def refused(place: Workspace, *words: str, **environ: str) -> str:
    """What the command says on stderr; it is wrong input, without a traceback."""
    done = place.command(*words, **environ)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("value", "what", "hint"),
    [
        pytest.param("monhts=2013-02", "monhts", "Did you mean months?", id="misspelt parameter"),
        pytest.param("months=2013-2", "'2013-2' is not a month", "Write YYYY-MM", id="bad month"),
        pytest.param("months=2013-04", "Partition 2013-04 does not exist", "There are 2013-01 to 2013-03", id="no such month"),
        pytest.param("months", "-p 'months' is not name=value", "-p months=2013-02", id="no value"),
    ],
)
def test_a_wrong_parameter(place: Workspace, value: str, what: str, hint: str) -> None:
    said = refused(place, *WORDS, value)
    assert what in said and hint in said
    assert not (place.root / "runs").exists()


def test_a_missing_notebook(place: Workspace) -> None:
    said = refused(place, "notebook", "run", "silver/thigns")
    assert "There is no notebook silver/thigns" in said and "Did you mean silver.things?" in said
    assert "is not in" in refused(place, "notebook", "run", "/tmp/elsewhere.ipynb")


def test_a_missing_table(place: Workspace) -> None:
    said = refused(place, "sql", "select * from silver.things")
    assert "Table silver.things has not been built" in said and "lakehouse run silver/things" in said


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("{", "is not JSON", id="not JSON"),
        pytest.param("", "is not JSON", id="empty"),
        pytest.param("[1]", "is JSON but not a notebook", id="other JSON"),
        pytest.param('{"nbformat": 3, "worksheets": []}', "is of notebook format 3", id="old format"),
    ],
)
def test_a_notebook_that_is_none(workspace: Workspace, content: str, message: str) -> None:
    workspace.write({"silver/broken": content, "gold/good": copies("silver.x", "gold.good")}, ["gold.good"])
    done = workspace.command("check")
    assert done.returncode == 1
    assert "notebooks/silver/broken.ipynb" in done.stdout and message in done.stdout
    said = refused(workspace, "run")
    assert "notebooks/silver/broken.ipynb" in said and message in said


def test_an_old_java(place: Workspace, tmp_path: Path, settings: Settings) -> None:
    java = tmp_path / "jdk" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    java.chmod(0o755)
    said = refused(place, "sql", "select 1", LAKEHOUSE_SPARK="", JAVA_HOME=str(tmp_path / "jdk"))
    assert "is Java 11; Spark needs Java 17 or newer" in said and "Unset JAVA_HOME" in said


def test_a_lake_of_a_newer_format(workspace: Workspace) -> None:
    workspace.write({}, {})
    workspace.root.mkdir(parents=True)
    (workspace.root / "lake.json").write_text('{"format": 99}')
    for words in (["run"], ["sql", "select 1"], ["up"]):
        said = refused(workspace, *words)
        assert "has format 99; this version reads up to 1" in said and "git pull" in said, words


# Root may write anywhere, so as root the command is run by nobody, who may read no library: they are imported before.
AS_NOBODY = """
import os, sys
import lakehouse.cli, lakehouse.check, lakehouse.project, lakehouse.runner, lakehouse.settings, lakehouse.names
import lakehouse.publish, nbclient.exceptions, nbformat, papermill, rich.console, rich.progress
import sqlglot.dialects.spark, lakehouse.spark.session, psutil, pyspark.sql.connect.session, pyspark.sql.connect.proto
import rich._unicode_data, rich.spinner, rich.status, getpass, uuid
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
sys.exit(lakehouse.cli.main())
"""


@pytest.mark.parametrize("words", [[*WORDS, "months=2013-01"], ["sql", "select 1"]], ids=["notebook run", "sql"])
def test_a_lake_that_may_not_be_written(words: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = notebook("silver/things", 'lake.write(1, "silver.things")', parameters=PARAMETERS, imports=IMPORTS)
        home = project(
            Path(folder) / "project", {"silver/things": made}, {"silver.things": contract("silver.things", partitions=MONTHS)}
        )
        lake = Path(folder) / "lake"
        lake.mkdir()
        (lake / "lake.json").write_text('{"format": 1}')
        lake.chmod(0o555)
        Path(folder).chmod(0o755)
        environ = {**os.environ, "LAKEHOUSE_PROJECT": str(home), "LAKEHOUSE_ROOT": str(lake), "HOME": folder}
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, *words], env=environ, capture_output=True, text=True, cwd=home, check=False
        )
        lake.chmod(0o755)
    assert done.returncode == 2, done.stderr
    assert "cannot be written: Permission denied" in done.stderr
    assert "LAKEHOUSE_ROOT" in done.stderr and "Traceback" not in done.stderr


NO_NETWORK = """
import fcntl, socket, struct, subprocess, sys
with socket.socket() as loopback:  # the one way that is left
    fcntl.ioctl(loopback, 0x8914, struct.pack("16sH14s", b"lo", 0x41, b""))
for words in (["sql", "select 41 + 1 as answer", "--csv"], ["down"]):
    subprocess.run([*sys.argv[1:], *words], check=True)
"""


def test_no_network_once_set_up(place: Workspace, tmp_path: Path) -> None:
    """A server of the lake's own starts and answers: in a network of its own where that can be had, else behind a dead proxy."""
    unshare = ["unshare", "--map-root-user", "--net"]
    alone = subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode == 0
    dead = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    ours = {"LAKEHOUSE_ROOT": str(tmp_path / "a lake"), "LAKEHOUSE_SPARK": "", "LAKEHOUSE_SPARK_MEMORY": "512m"}
    argv = [*(unshare if alone else []), sys.executable, "-c", NO_NETWORK, *COMMAND]
    done = subprocess.run(
        argv, env={**place.shell, **dead, **ours}, cwd=place.project, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "answer\n42\nEnded spark.\n"
