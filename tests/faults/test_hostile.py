"""Input that means harm, or that only looks like it: values, names, paths, and what a notebook shows."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from lakehouse import record
from lakehouse.errors import LakehouseError
from lakehouse.names import TableName
from lakehouse.orchestration.safe_notebook import safe_copy
from lakehouse.spark import server
from tests.faults.conftest import quiet
from tests.faults.report import Report, Row
from tests.faults.rows import content, rows
from tests.faults.scene import Scene, end
from tests.notebooks import contract, notebook
from tests.workspace import Workspace

VALUES = [
    '"); import os; os.system("touch {made}") #',
    "'''\n!touch {made}\n'''",
    "{{made}} {0} {month} %(x)s $HOME `id` $(touch {made})",
    "\\u0022; \\x00 \\N{{BULLET}} 🦆 \u202e",
    "--help",
    "=1+1|cmd",
]


@pytest.fixture(scope="module")
def echo(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A notebook that publishes the text it was given, in a project whose path means something to every tool on its way."""
    place = Workspace(tmp_path_factory.mktemp("it's {a} [b] $c %d #e ;f &g 'h"), "", scene.root)
    del place.environ["LAKEHOUSE_SESSION"]
    parameters = 'text: str = "plain"  # what to write\nnumbers: list[int] = [1]'
    shown = """
        from IPython.display import HTML, Javascript, Markdown, display
        display(HTML("<b>bold</b><script>alert(1)</script><img src=x onerror=alert(2)><a href='javascript:alert(3)'>x</a>"))
        display(Javascript("alert(4)"))
        display(Markdown("<svg onload=alert(5)></svg> [x](javascript:alert(6)) <iframe src='http://evil.example'></iframe>"))
        display({"text/html": "<style>@import 'http://evil.example'</style><p>kept</p>"}, raw=True)
        print("<script>alert(7)</script>", text)
    """
    write = 'lake.write(lake.spark.createDataFrame([(1, text)], "id bigint, text string"), "silver.echo")'
    made = notebook("silver/echo", shown, write, parameters=parameters)
    place.write({"silver/echo": made}, {"silver.echo": contract("silver.echo", {"id": "bigint", "text": "string"}, key=["id"])})
    return place


def run(place: Workspace, *words: str) -> subprocess.CompletedProcess[str]:
    return place.command("notebook", "run", "silver/echo", *words)


def test_values_stay_values(echo: Workspace, tmp_path: Path, report: Report) -> None:
    made = tmp_path / "made"
    text = "\n".join(VALUES).replace("{made}", str(made))
    done = run(echo, "-p", f"text={text}")
    assert done.returncode == 0, done.stderr
    assert [row["text"] for row in rows(echo.path("silver.echo"))] == [text]
    assert not made.exists()
    seen = f"{len(VALUES)} kinds arrived unchanged, none was run"
    report.add(Row("code, quotes, braces, control characters in parameters and paths", "a value is never code", seen, order="5a"))


def test_what_a_notebook_shows_is_harmless_in_dagster(echo: Workspace, report: Report) -> None:
    done = run(echo, "-p", "text=<script>alert(8)</script>")
    assert done.returncode == 0, done.stderr
    kept = record.latest(echo.root, TableName("silver", "echo"))
    assert kept is not None and kept.notebook is not None
    cells = nbformat.read(safe_copy(kept.notebook), as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    html = "".join(output["data"].get("text/html", "") for output in outputs if "data" in output)
    assert "<b>bold</b>" in html and "<p>kept</p>" in html
    for bad in ("<script", "onerror", "javascript:", "onload", "<iframe", "evil.example", "<style", "alert(1)", "alert(4)"):
        assert bad not in html, bad
    report.add(
        Row(
            "HTML and script in a notebook's output, seen in Dagster",
            "text and pictures only",
            "nothing active is left",
            order="5b",
        )
    )


NAMES = [
    "silver/things; drop table x",
    "../../etc/passwd",
    "silver/../../../tmp/x",
    "silver/{things}",
    "silver/things\x00",
    "silver/`id`",
    "silver/" + "x" * 300,
    "",
    "-p",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_refused(name: str) -> None:
    with pytest.raises(LakehouseError):
        TableName.parse_notebook(name)


@pytest.mark.parametrize(
    "query",
    ["drop table silver.echo", "delete from silver.echo", "select * from parquet.`/etc/passwd`", "select * from silver.`../x`"],
)
def test_the_sql_command_only_asks(echo: Workspace, query: str) -> None:
    if echo.version("silver.echo") is None:
        run(echo)
    before = content(echo.path("silver.echo"))
    done = echo.command("sql", query)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    assert content(echo.path("silver.echo")) == before


@pytest.mark.faults
def test_a_whole_lake_at_a_hostile_path(new_scene: Callable[..., Scene], report: Report) -> None:
    """With a server, kernels and Dagster of its own."""
    made = new_scene("it's {a} lake [b] $c %d #e ;f")
    assert end(made.start("run"), 300) == 0, made.said()
    assert made.versions()["silver.things"] == 0
    assert server.running(made.settings) is not None
    quiet(made)
    report.add(Row("a lake whose path holds quotes, braces, brackets, $, % and #", "works like any other", "all built", order="5a"))
