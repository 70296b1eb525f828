from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.notebooks import RAW_SOURCE, copies
from tests.workspace import COMMAND, Workspace

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def place(new_workspace: Callable[[str], Workspace]) -> Workspace:
    made = new_workspace("develop")
    made.write({"bronze/things": copies("raw.things", "bronze.things")}, ["bronze.things"], RAW_SOURCE)
    return made


def test_a_clean_project_is_said_to_be_so(place: Workspace, lakehouse: Command) -> None:
    assert lakehouse(place, "check") == (0, "1 notebooks, no findings.\n", "")
    assert lakehouse(place, "check", "--json")[:2] == (0, "[]\n")


def test_findings_are_told_with_their_place(place: Workspace, lakehouse: Command) -> None:
    place.write({"silver/things": copies("bronze.thing", "silver.things")}, ["silver.things"])
    code, out, _ = lakehouse(place, "check")
    assert code == 1
    assert "notebooks/silver/things.ipynb, cell 5, line 1: There is no table bronze.thing [unknown-table]" in out
    assert "Did you mean bronze.things or raw.things?" in out
    assert out.endswith("1 findings.\n")
    code, out, _ = lakehouse(place, "check", "--json")
    (found,) = json.loads(out)
    assert (code, found["file"], found["cell"], found["rule"]) == (1, "notebooks/silver/things.ipynb", 5, "unknown-table")


def test_settings_are_shown_with_where_they_come_from(place: Workspace, lakehouse: Command) -> None:
    (place.project / ".lakehouse.toml").write_text("parallel = 3\n")
    code, out, _ = lakehouse(place, "settings", "--json", LAKEHOUSE_CELL_TIMEOUT="60")
    found = json.loads(out)
    assert code == 0
    assert found["parallel"] == {"value": 3, "from": ".lakehouse.toml"}
    assert found["cell_timeout"] == {"value": 60, "from": "LAKEHOUSE_CELL_TIMEOUT"}
    assert found["lab_port"] == {"value": 8888, "from": "default"}
    assert found["root"] == {"value": str(place.root), "from": "LAKEHOUSE_ROOT"}
    out = lakehouse(place, "settings")[1]
    assert all(name in out for name in found)


@pytest.mark.parametrize(
    ("file", "environ", "message"),
    [
        pytest.param(
            "", {"LAKEHOUSE_PARALEL": "2"}, "Unknown setting 'paralel' (LAKEHOUSE_PARALEL)\n  Did you mean parallel?", id="unknown"
        ),
        pytest.param("parralel = 2", {}, "Unknown setting 'parralel' (.lakehouse.toml)", id="unknown in the file"),
        pytest.param("", {"LAKEHOUSE_LAB_PORT": "http"}, "Setting lab_port = 'http' (LAKEHOUSE_LAB_PORT)", id="wrong type"),
        pytest.param("lab_port = 0", {}, "Setting lab_port = 0 (.lakehouse.toml)", id="out of range"),
        pytest.param("lab_port = ", {}, ".lakehouse.toml is not valid TOML", id="no TOML"),
        pytest.param("", {"LAKEHOUSE_ROOT": "s3://bucket"}, "only a local path has been tested", id="other storage"),
        pytest.param("", {"LAKEHOUSE_SPARK": "localhost:1"}, "begins with sc://", id="no Connect address"),
    ],
)
def test_wrong_settings_are_refused_with_their_place(
    place: Workspace, lakehouse: Command, file: str, environ: dict[str, str], message: str
) -> None:
    (place.project / ".lakehouse.toml").write_text(file)
    code, out, err = lakehouse(place, "check", **environ)
    assert (code, out) == (2, "")
    assert message in err


HEAVY = ("pyspark", "dagster", "mlflow", "great_expectations", "papermill", "pandas", "sklearn", "jupyter_client")
IMPORTED = f"""
import sys
from lakehouse.cli import main
code = main()
print("IMPORTED", [name for name in {HEAVY} if name in sys.modules], code)
"""


@pytest.mark.parametrize(
    "words", [["--help"], ["run", "--help"], ["check"], ["settings"], ["status"], ["sandbox", "list"], ["down"]]
)
def test_light_commands_import_no_heavy_library(place: Workspace, words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, *words], cwd=place.project, env=place.shell, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1] == "IMPORTED [] 0", done.stdout + done.stderr


def test_help_does_not_take_long(place: Workspace) -> None:
    def processor_seconds() -> float:
        import resource

        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    before = processor_seconds()
    assert place.command("--help").returncode == 0
    assert processor_seconds() - before < 2


def test_every_command_says_what_it_does(place: Workspace) -> None:
    said = place.command("--help").stdout
    commands = ("run", "check", "test", "bench", "settings", "notebook", "sql", "sandbox", "up", "status", "down", "logs", "lab")
    for command in commands:
        assert f" {command} " in said, command


def test_an_unknown_command_is_wrong_input(place: Workspace, lakehouse: Command) -> None:
    code, _, err = lakehouse(place, "rnu")
    assert code == 2
    assert "rnu" in err


def test_the_reader_may_go_away(place: Workspace) -> None:
    """`lakehouse settings | head -1` ends without a word of complaint."""
    process = subprocess.Popen(
        [*COMMAND, "settings"], cwd=place.project, env=place.shell, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.wait(30)
    process.stderr.close()
