from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse import deltalog, trace
from lakehouse.check import check
from lakehouse.errors import NotebookError
from lakehouse.lineage import Node
from lakehouse.names import TableName
from lakehouse.project import Project
from lakehouse.raw import RawFile
from lakehouse.restore import restore
from lakehouse.why import explain
from tests.notebooks import MONTHS, contract, copies, notebook, project
from tests.workspace import IMPORTS, PARAMETERS, Workspace

# raw.things → bronze.things → silver.things, each merging what is new; bronze also reads all of raw.kinds.
SOURCES = """
    from pathlib import Path

    from lakehouse.source import Delivery, Source

    def incoming(folder):
        for file in sorted((Path(__file__).parent.parent / folder).glob("*.csv")):
            yield Delivery(file.name, file)

    things = Source("raw.things", lambda partition: incoming("things"), options={"header": "true"})
    kinds = Source("raw.kinds", lambda partition: incoming("kinds"), options={"header": "true"})
"""
BRONZE = """
kind = lake.read("raw.kinds").orderBy("id").first()["id"]
new = lake.read("raw.things", partitions="new")
seen = sorted(int(row["id"]) for row in new.select("id").collect())
lake.merge(new.selectExpr("cast(id as bigint) as id", f"'{kind}' as kind", "'x' as note"), "bronze.things")
"""
SILVER = """
new = lake.read("bronze.things", partitions="new")
seen = sorted(row["id"] for row in new.select("id").collect())
lake.merge(new, "silver.things")
"""
COLUMNS = {"id": {"type": "bigint", "nullable": False}, "kind": "string", "note": "string"}
NOTEBOOKS = {"bronze/things": notebook("bronze/things", BRONZE), "silver/things": notebook("silver/things", SILVER)}
PROMISES = {table: contract(table, COLUMNS, key=["id"]) for table in ("bronze.things", "silver.things")}


@pytest.fixture(scope="module")
def built(new_workspace: Callable[[str], Workspace]) -> Workspace:
    """Everything built from two files with the ids 1 and 2."""
    made = new_workspace("arrivals")
    made.write(NOTEBOOKS, PROMISES, SOURCES)
    deliver(made, "kinds/k.csv", 7)
    deliver(made, "things/a.csv", 1)
    deliver(made, "things/b.csv", 2)
    assert (seen(made, "bronze/things"), seen(made, "silver/things")) == ([1, 2], [1, 2])
    return made


@pytest.fixture
def place(built: Workspace, new_workspace: Callable[[str], Workspace]) -> Workspace:
    made = new_workspace("a copy")
    shutil.copytree(built.project, made.project)
    shutil.copytree(built.root, made.root)
    return made


def deliver(place: Workspace, path: str, *ids: int) -> None:
    file = place.project / path
    file.parent.mkdir(exist_ok=True)
    file.write_text("id\n" + "".join(f"{number}\n" for number in ids))
    place.land(f"raw.{file.parent.name}")


def seen(place: Workspace, name: str, target: str = "lake", **environ: str) -> list[int]:
    """Runs a notebook; which ids it saw as new."""
    return place.names(name, target, environ)["seen"]  # type: ignore[no-any-return]


def stale(place: Workspace) -> dict[str, tuple[str, ...]]:
    return {step.asset.slashed: step.reasons for step in place.plan()}


def test_only_what_came_since_is_read(place: Workspace) -> None:
    assert stale(place) == {}
    assert (seen(place, "bronze/things"), seen(place, "silver/things")) == ([], [])
    deliver(place, "things/c.csv", 3, 4)
    assert stale(place) == {"bronze/things": ("raw.things changed",), "silver/things": ("bronze.things is being rebuilt",)}
    assert (seen(place, "bronze/things"), seen(place, "silver/things")) == ([3, 4], [3, 4])
    assert stale(place) == {}
    assert place.rows("silver.things", "id") == [(1,), (2,), (3,), (4,)]


def test_an_arrival_that_changes_no_row_moves_nothing_below(place: Workspace) -> None:
    deliver(place, "things/c.csv", 2, 1)
    assert seen(place, "bronze/things") == [1, 2]
    assert stale(place) == {}
    (story,) = explain(Project.load(place.project), place.settings, TableName.parse("bronze.things"))
    assert story.last is not None and story.last.by.endswith("which changed no row")
    assert [str(told.reason) for told in story.because] == ["raw.things changed"]


def test_all_is_read_where_the_same_rows_would_give_something_else(place: Workspace) -> None:
    """Other code, a moved input that is not read as new, the force of a runner, and any sandbox."""
    place.write({"bronze/things": notebook("bronze/things", BRONZE.replace("'x'", "'y'"))}, {})
    assert seen(place, "bronze/things") == [1, 2]
    deliver(place, "kinds/k.csv", 5)
    assert seen(place, "bronze/things") == [1, 2]
    assert seen(place, "bronze/things") == []
    assert seen(place, "bronze/things", LAKEHOUSE_FORCE="1") == [1, 2]
    assert seen(place, "bronze/things", target="sandbox") == [1, 2]
    # The rows were changed, not added, so below all is read too.
    assert seen(place, "silver/things") == [1, 2]
    assert place.rows("silver.things") == [(1, "5", "y"), (2, "5", "y")]


def test_all_is_read_where_an_input_did_not_only_grow_or_the_output_was_put_back(place: Workspace) -> None:
    deliver(place, "things/a.csv", 1, 8)
    assert seen(place, "bronze/things") == [1, 2, 8]
    deliver(place, "things/c.csv", 3)
    assert seen(place, "bronze/things") == [3]
    assert seen(place, "silver/things") == [3, 8]
    restore(Project.load(place.project), place.settings, TableName.parse("silver.things"), 0)
    assert seen(place, "silver/things") == [1, 2, 3, 8]
    restore(Project.load(place.project), place.settings, TableName.parse("bronze.things"), 1)
    assert seen(place, "silver/things") == [1, 2, 8]


def test_the_trace_of_what_is_merged_goes_to_all_of_it(place: Workspace) -> None:
    deliver(place, "things/c.csv", 3)
    place.bring_up_to_date()
    (rows,) = trace.back(Project.load(place.project), place.settings, TableName.parse("silver.things"))
    (silver,) = rows.back
    (bronze,) = silver.branches
    assert isinstance(bronze.what, Node) and bronze.what.version == deltalog.latest(place.path("bronze.things"))
    files = [one.what.filename for one in bronze.branches if isinstance(one.what, RawFile)]
    assert sorted(files) == ["a.csv", "b.csv", "c.csv", "k.csv"]
    (after,) = trace.forward(Project.load(place.project), place.settings, TableName.parse("raw.things"), "a.csv")
    assert [one.what.table.dotted for one in after.branches if isinstance(one.what, Node)] == ["bronze.things"]


READ = 'df = lake.read("bronze.things", partitions="new")'
WRONG = [
    pytest.param([READ, 'lake.write(df, "silver.things")'], "# none", "new-needs-merge", id="whole table"),
    pytest.param([READ, 'lake.merge(df, "silver.things")'], PARAMETERS, "new-needs-merge", id="months"),
    pytest.param(
        ['df = lake.sql("select id from bronze.things", partitions="new")', 'lake.merge(df, "silver.things")'],
        "# none", "bad-coverage", id="sql",
    ),
    pytest.param([READ, 'lake.merge(df, "silver.keyless")'], "# none", "merge-without-key", id="no key"),
]  # fmt: skip


@pytest.mark.parametrize(("cells", "parameters", "rule"), WRONG)
def test_what_cannot_be_made_of_new_rows_is_found_before_it_runs(
    tmp_path: Path, cells: list[str], parameters: str, rule: str
) -> None:
    name = "silver/keyless" if "keyless" in cells[-1] else "silver/things"
    reader = notebook(name, *cells, parameters=parameters, imports=IMPORTS)
    table, months = name.replace("/", "."), {"partitions": MONTHS} if parameters == PARAMETERS else {}
    promise = contract(table, COLUMNS, key=["id"] if "things" in name else [], **months)
    made = {"bronze/things": copies("raw.things", "bronze.things"), name: reader}
    path = project(tmp_path, made, {"bronze.things": PROMISES["bronze.things"], table: promise}, SOURCES)
    found = [finding for finding in check(path, form=False) if finding.file == f"notebooks/{name}.ipynb"]
    assert rule in {finding.rule for finding in found}


def test_new_rows_are_refused_at_run_time_too(place: Workspace) -> None:
    place.write({"silver/things": notebook("silver/things", READ, 'lake.write(df, "silver.things")')}, {})
    with pytest.raises(NotebookError, match="only a merge can be made of what is new"):
        place.run("silver/things")
