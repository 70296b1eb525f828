"""`lakehouse run`: Dagster runs on real kernels, and what is told of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse import record
from lakehouse.names import TableName
from tests.notebooks import copies, notebook
from tests.workspace import Workspace

SOURCES = """
    from lakehouse.source import Delivery, Source

    letters = Source("raw.letters", lambda partition: [Delivery("letters.csv", b"id\\n1\\n2\\n")], options={"header": "true"})
"""
BRONZE = notebook(
    "bronze/letters",
    'df = lake.read("raw.letters").selectExpr("cast(id as bigint) as id")',
    'lake.write(df, "bronze.letters")',
)
BAD = notebook(
    "silver/bad",
    'df = lake.read("bronze.letters")',
    'raise ValueError("no such colour: mauve")',
    'lake.write(df, "silver.bad")',
)
NAMES = ["bronze.letters", "silver.good", "silver.bad", "gold.below"]


@pytest.fixture(scope="module")
def place(warm_workspace: Callable[[str], Workspace]) -> Workspace:
    """raw.letters → bronze.letters → silver.good, silver.bad (it fails) → gold.below"""
    made = warm_workspace("run")
    notebooks = {
        "bronze/letters": BRONZE,
        "silver/good": copies("bronze.letters", "silver.good"),
        "silver/bad": BAD,
        "gold/below": copies("silver.bad", "gold.below"),
    }
    made.write(notebooks, NAMES, SOURCES)
    return made


def test_a_failure_stops_what_stands_on_it_and_nothing_else(place: Workspace) -> None:
    done = place.command("run")
    assert done.returncode == 1, done.stderr
    assert "5 assets to run" in done.stdout
    assert [place.version(name) for name in NAMES] == [0, 0, None, None]
    said = " ".join(done.stdout.split())
    assert "silver/bad, cell 6 (raise ValueError" in said and "ValueError: no such colour: mauve" in said
    assert "gold/below: silver/bad did not succeed" in said
    assert "3 of 5 assets brought up to date" in said
    kept = record.latest(place.root, TableName("silver", "bad"))
    assert kept is not None and kept.status == "failed"
    assert str(kept.run_id) in "".join(done.stdout.split())


def test_the_next_run_does_what_is_left(place: Workspace) -> None:
    place.write({"silver/bad": copies("bronze.letters", "silver.bad")}, {})
    done = place.command("run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 assets brought up to date" in done.stdout
    assert [place.version(name) for name in NAMES] == [0, 0, 0, 0]
    assert "Still running" in done.stdout and "kernels (process" in done.stdout


def test_where_the_seconds_went_is_told_and_recorded(place: Workspace) -> None:
    done = place.command("run", "--force", "--timings")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["wait", "start", "Spark", "Python", "audit", "stats", "write"] in [line[1:8] for line in lines]
    notebooks = {"bronze/letters", "silver/good", "silver/bad", "gold/below"}
    spent = {line[0]: [float(number) for number in line[1:]] for line in lines if len(line) == 9 and line[0] in notebooks}
    assert set(spent) == notebooks
    for _waiting, *phases, in_all in spent.values():
        assert 0 < sum(phases) <= in_all * 1.05 + 0.3
    kept = record.latest(place.root, TableName("silver", "good"))
    above = record.latest(place.root, TableName("bronze", "letters"))
    assert kept is not None and above is not None
    gap = (kept.started - above.started).total_seconds() - above.seconds
    assert 0 < kept.timings["waiting"] <= gap + 0.1


def test_then_there_is_nothing_to_do(place: Workspace) -> None:
    done = place.command("run")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Nothing to do: 5 assets up to date.\n", "")


@pytest.mark.parametrize(
    ("selection", "assets"),
    [
        pytest.param("silver.good", ["silver/good"], id="table"),
        pytest.param("silver/good", ["silver/good"], id="asset"),
        pytest.param("+silver.good", ["raw/letters", "bronze/letters", "silver/good"], id="and above"),
        pytest.param("bronze/letters+", ["bronze/letters", "silver/bad", "gold/below", "silver/good"], id="and below"),
        pytest.param("silver/*", ["silver/bad", "silver/good"], id="layer"),
    ],
)
def test_what_would_run_is_listed_with_why(
    place: Workspace, lakehouse: Callable[..., tuple[int, str, str]], selection: str, assets: list[str]
) -> None:
    code, out, err = lakehouse(place, "run", selection, "--force", "--dry-run")
    assert (code, err) == (0, "")
    assert [line.split("│")[1].strip() for line in out.splitlines() if "forced" in line] == assets


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["silver.godo"], "Nothing is called 'silver.godo'", id="misspelt"),
        pytest.param(["+sliver/*"], "Nothing is called '+sliver/*'", id="no such layer"),
        pytest.param(["--partition", "2013-02"], "Partition 2013-02 does not exist", id="no partitions"),
        pytest.param(["--partition", "Mai"], "'Mai' is not a month", id="no month"),
    ],
)
def test_a_wrong_selection_is_refused(
    place: Workspace, lakehouse: Callable[..., tuple[int, str, str]], words: list[str], message: str
) -> None:
    code, out, err = lakehouse(place, "run", *words)
    assert (code, out) == (2, "")
    assert message in err
    assert "Did you mean silver.good" in err or "godo" not in message


def test_a_broken_graph_is_not_run(workspace: Workspace, lakehouse: Callable[..., tuple[int, str, str]]) -> None:
    workspace.write({"silver/good": copies("bronze.absent", "silver.good")}, ["silver.good"])
    code, _, err = lakehouse(workspace, "run")
    assert code == 2
    assert "notebooks/silver/good.ipynb, cell 5, line 1" in err and "There is no table bronze.absent" in err
    assert "lakehouse check" in err
    assert not (workspace.root / "tables").exists()


def test_a_notebook_is_run_by_its_path_or_name(place: Workspace, lakehouse: Callable[..., tuple[int, str, str]]) -> None:
    for name in ("silver/good", "silver.good", str(place.project / "notebooks" / "silver" / "good.ipynb")):
        code, out, err = lakehouse(place, "notebook", "show", name)
        assert (code, err) == (0, ""), name
        assert "bronze.letters" in out and "silver.good" in out
    version = place.version("silver.good")
    done = place.command("notebook", "run", "notebooks/silver/good.ipynb")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"silver.good: 2 rows, version {version + 1}\n")  # type: ignore[operator]
    executed = json.loads(Path(done.stdout.split()[-1]).read_text())
    assert executed["metadata"]["lakehouse"]["asset"] == "silver/good"
