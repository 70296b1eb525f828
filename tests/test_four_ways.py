"""One notebook, run in each of the four ways a person or a machine may run it, leaves the same rows."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse import record, tables
from lakehouse.names import TableName
from tests.notebooks import MONTHS, contract, notebook
from tests.workspace import IMPORTS, PARAMETERS, VALUES, Workspace

NAME = TableName("silver", "ways")
CELLS = (
    "base = lake.spark.createDataFrame([(key, number) for key in months for number in range(5)], 'month string, id long')",
    'df = base.where(base.id >= least).selectExpr("month", "id", "id * 1.5d as value")',
    'lake.write(df, "silver.ways")',
)
# Cell by cell, as JupyterLab does, and in a process that is no runner.
CELL_BY_CELL = """
import sys, nbformat
from nbclient import NotebookClient
made = nbformat.read(sys.argv[1], as_version=4)
client = NotebookClient(made, kernel_name="lakehouse", resources={"metadata": {"path": sys.argv[2]}})
with client.setup_kernel():
    for number, cell in enumerate(made.cells):
        if "parameters" in cell.metadata.get("tags", []):
            cell.source += "\\nmonths, least = ['2013-02'], 2"
        client.execute_cell(cell, number)
print("".join(output.get("text", "") for cell in made.cells for output in cell.get("outputs", [])))
"""


@pytest.fixture(scope="module")
def place(warm_workspace: Callable[[str], Workspace]) -> Workspace:
    warm = warm_workspace("four ways")
    parameters = f"{PARAMETERS}\nleast: int = 1  # ids from here on"
    made = notebook("silver/ways", *CELLS, parameters=parameters, imports=IMPORTS)
    warm.write({"silver/ways": made}, {"silver.ways": contract("silver.ways", VALUES, key=["month", "id"], partitions=MONTHS)})
    return warm


def by_command(place: Workspace) -> None:
    done = place.command("notebook", "run", "notebooks/silver/ways.ipynb", "-p", "months=2013-02", "-p", "least=2")
    assert (done.returncode, done.stderr) == (0, "")
    assert "silver.ways: 3 rows, version" in done.stdout


def by_papermill(place: Workspace, folder: Path) -> None:
    out = folder / "out.ipynb"
    argv = [sys.executable, "-m", "papermill", "notebooks/silver/ways.ipynb", str(out), "--no-progress-bar"]
    argv += ["-y", "months: ['2013-02']", "-p", "least", "2"]
    done = subprocess.run(argv, cwd=place.project, env=place.shell, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "published to the lake" in out.read_text()


def by_dagster(place: Workspace) -> None:
    """As `lakehouse run` does it, which is a Dagster run; parameters other than months are the notebook's own there."""
    path = place.project / "notebooks" / "silver" / "ways.ipynb"
    path.write_text(path.read_text().replace("least: int = 1", "least: int = 2"))
    done = place.command("run", "silver.ways", "--partition", "2013-02", "--force")
    assert done.returncode == 0, done.stdout + done.stderr
    assert record.latest(place.root, NAME).origin == "dagster"  # type: ignore[union-attr]


def test_all_four_ways_leave_equal_rows(place: Workspace, tmp_path: Path) -> None:
    expected = [("2013-02", number, number * 1.5) for number in (2, 3, 4)]
    ways = {"command": by_command, "papermill": lambda place: by_papermill(place, tmp_path), "dagster": by_dagster}
    for version, (way, run) in enumerate(ways.items()):
        run(place)
        assert place.version("silver.ways") == version, way
        assert place.rows("silver.ways") == expected, way
    cell_by_cell(place)
    assert place.version("silver.ways") == version
    own = tables.sandbox_path(place.root, NAME)
    assert place.rows_at(own) == expected


def cell_by_cell(place: Workspace) -> None:
    argv = [sys.executable, "-c", CELL_BY_CELL, "notebooks/silver/ways.ipynb", str(place.project)]
    done = subprocess.run(argv, cwd=place.project, env=place.shell, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "writes go to your sandbox" in done.stdout
    assert "3 rows published to your sandbox" in done.stdout


def test_plain_papermill_is_told_of_an_unknown_parameter(place: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "out.ipynb"
    argv = [sys.executable, "-m", "papermill", "notebooks/silver/ways.ipynb", str(out), "--no-progress-bar", "-p", "lest", "2"]
    version = place.version("silver.ways")
    done = subprocess.run(argv, cwd=place.project, env=place.shell, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "ParameterError" in done.stderr and "least" in done.stderr
    assert place.version("silver.ways") == version
