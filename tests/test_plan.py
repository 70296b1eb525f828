from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakehouse import plan as plans
from lakehouse import record
from lakehouse.errors import PartitionError, UnknownName
from lakehouse.names import TableName
from lakehouse.project import Project
from tests.notebooks import contract, markdown, notebook
from tests.things import MODEL, MONTHS_ALL, SCORE, replace, silver
from tests.workspace import Workspace


def found(place: Workspace, *selection: str, **how: Any) -> dict[str, tuple[str, ...]]:
    return {step.asset.slashed: step.partitions for step in place.plan(*selection, **how)}


def reasons(place: Workspace, asset: str) -> tuple[str, ...]:
    return next(step.reasons for step in place.plan() if step.asset.slashed == asset)


def edit(place: Workspace, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    path = place.project / "notebooks" / f"{name}.ipynb"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_in_a_new_lake_everything_is_to_be_done_in_the_graphs_order(built: Workspace, tmp_path: Path, spark_address: str) -> None:
    shutil.copytree(built.project, tmp_path / "project")
    place = Workspace(tmp_path, spark_address)
    steps = [(step.asset.slashed, step.partitions, step.reasons) for step in place.plan()]
    months = MONTHS_ALL
    assert steps == [
        ("raw/things", months, ("not landed yet",)),
        ("bronze/things", months, ("never built",)),
        ("raw/words", (), ("not landed yet",)),
        ("bronze/words", (), ("never built",)),
        ("silver/things", months, ("never built",)),
        ("features/recent", months, ("never built",)),
        ("gold/totals", (), ("never built",)),
    ]
    assert not place.root.exists()


def test_after_a_run_nothing_is_to_be_done(built: Workspace) -> None:
    assert built.plan() == []


def test_a_changed_code_cell_is_for_its_asset_and_all_below(place: Workspace) -> None:
    place.write({"silver/things": silver('df = double(lake.read("bronze.things"), 3)', 'lake.write(df, "silver.things")')}, {})
    assert found(place) == {"silver/things": MONTHS_ALL, "features/recent": MONTHS_ALL, "gold/totals": ()}
    assert reasons(place, "silver/things") == ("code changed: code cell 4",)
    assert reasons(place, "gold/totals") == ("silver.things is being rebuilt",)


READ = 'df = double(\n    lake.read("bronze.things"),\n    factor,\n)  # more\n'
PRINTED = {"output_type": "stream", "name": "stdout", "text": "x"}


def parameters(made: dict[str, Any], before: str, after: str) -> None:
    made["cells"][2]["source"] = made["cells"][2]["source"].replace(before, after)


NOTHING: dict[str, Callable[[dict[str, Any]], object]] = {
    "prose": lambda made: made["cells"].insert(4, {**markdown("## 1 Read\n\nThe rows."), "id": "prose"}),
    "title": lambda made: made["cells"][0].update(source="# Other words"),
    "outputs": lambda made: made["cells"][5].update(outputs=[PRINTED], execution_count=3),
    "formatting": lambda made: made["cells"][4].update(source=READ),
    "an empty cell": lambda made: made["cells"].append({**made["cells"][5], "source": "# later", "id": "empty"}),
    "metadata": lambda made: made["metadata"].update(language_info={"name": "python", "version": "3.12"}),
    "the sample of the months": lambda made: parameters(made, "2013-01", "2013-02"),
    "the help of a parameter": lambda made: parameters(made, "how often", "times"),
}


@pytest.mark.parametrize("change", NOTHING.values(), ids=NOTHING)
def test_what_does_not_change_the_code_changes_nothing(place: Workspace, change: Callable[[dict[str, Any]], object]) -> None:
    edit(place, "silver/things", change)
    assert found(place) == {}


@pytest.mark.parametrize(
    ("file", "before", "after", "changed"),
    [
        pytest.param("assets/transforms/doubling.py", "* {factor}", "* 1 * {factor}", "assets/transforms/doubling.py", id="module"),
        pytest.param("assets/transforms/words.py", '"x"', '"y"', "assets/transforms/words.py", id="module of a module"),
        pytest.param("assets/transforms/doubling.py", "Makes", "Renders", None, id="its docstring"),
        pytest.param("assets/transforms/unused.py", "1", "2", None, id="module of nobody"),
        pytest.param("assets/contracts/silver/things.yaml", '"key": []', '"key": ["id"]', "contract silver.things", id="contract"),
        pytest.param("assets/contracts/silver/things.yaml", "Rows of", "All of", None, id="its prose"),
    ],
)
def test_an_edit_is_for_those_that_use_it_and_all_below(
    place: Workspace, file: str, before: str, after: str, changed: str | None
) -> None:
    path = place.project / file
    if file.endswith(".yaml"):
        path.write_text(json.dumps({"key": [], **json.loads(path.read_text())}))
    assert found(place) == {}
    replace(place, file, before, after)
    below = {"silver/things": MONTHS_ALL, "features/recent": MONTHS_ALL, "gold/totals": ()}
    assert found(place) == (below if changed else {})
    if changed:
        assert reasons(place, "silver/things") == (f"code changed: {changed}",)


def test_an_edit_of_how_raw_files_are_read_is_for_their_readers(place: Workspace) -> None:
    replace(place, "assets/sources.py", 'plan\\n")], options={', 'plan\\n")], options={"sep": ";", ')
    assert found(place) == {"bronze/words": ()}
    assert reasons(place, "bronze/words") == ("code changed: source raw.words",)


def test_another_sample_of_a_parameter_is_for_its_asset_and_all_below(place: Workspace) -> None:
    replace(place, "notebooks/silver/things.ipynb", "factor: int = 2", "factor: int = 3")
    assert found(place) == {"silver/things": MONTHS_ALL, "features/recent": MONTHS_ALL, "gold/totals": ()}
    assert reasons(place, "silver/things") == ("parameters differ: factor",)


def test_another_value_by_hand_is_told_and_taken_back(place: Workspace) -> None:
    place.run("silver/things", months=["2013-03"], factor=9)
    assert found(place, "silver/things") == {"silver/things": ("2013-03",)}
    assert reasons(place, "silver/things") == ("parameters differ: factor",)


def test_a_late_file_is_for_its_month_and_what_reads_that(place: Workspace) -> None:
    (place.project / "assets" / "late-2013-01.csv").write_text("id,month\n7,2013-01\n")
    assert found(place) == {}  # nobody has fetched it
    place.land("raw.things", "2013-01", "2013-02")
    assert found(place) == {
        "bronze/things": ("2013-01",),
        "silver/things": ("2013-01",),
        "features/recent": ("2013-01", "2013-02"),
        "gold/totals": (),
    }
    assert reasons(place, "bronze/things") == ("raw.things changed (2013-01)",)
    place.bring_up_to_date()
    assert place.plan() == []
    assert place.rows("gold.totals") == [("2013-01", 16), ("2013-02", 4), ("2013-03", 6)]


def test_a_table_that_something_else_wrote_is_built_again(place: Workspace) -> None:
    from lakehouse.spark.session import connect

    connect(place.settings, place.environ["LAKEHOUSE_SESSION"]).sql(
        f"delete from delta.`{place.path('silver.things')}` where month = '2013-02'"
    ).collect()
    assert reasons(place, "silver/things") == ("changed by something other than its notebook",)
    assert found(place) == {"silver/things": MONTHS_ALL, "features/recent": MONTHS_ALL, "gold/totals": ()}


def test_a_run_by_hand_is_for_those_below(place: Workspace) -> None:
    place.run("silver/things", months=["2013-03"])
    assert found(place) == {"features/recent": ("2013-03",), "gold/totals": ()}
    assert reasons(place, "features/recent") == ("silver.things changed (2013-03)",)


def test_a_removed_table_is_built_again(place: Workspace) -> None:
    shutil.rmtree(place.path("gold.totals"))
    assert found(place) == {"gold/totals": ()}


def test_force_is_for_all_that_is_selected(place: Workspace) -> None:
    assert found(place, "silver/things", "gold.totals", force=True) == {"silver/things": MONTHS_ALL, "gold/totals": ()}
    assert [step.reasons for step in place.plan("gold/totals", force=True)] == [("forced",)]


def test_months_narrow_assets_that_have_them(place: Workspace) -> None:
    assert found(place, months=("2013-02",), force=True) == {
        "raw/things": ("2013-02",),
        "bronze/things": ("2013-02",),
        "raw/words": (),
        "bronze/words": (),
        "silver/things": ("2013-02",),
        "features/recent": ("2013-02",),
        "gold/totals": (),
    }
    assert found(place, months=("2013-02",)) == {}


def test_from_here_down_other_months_follow_where_they_depend(place: Workspace) -> None:
    selection = ["silver/things+"]
    project = Project.load(place.project)
    steps = plans.plan(
        project, place.settings, project.select(selection), ("2013-01",), force=True, following=project.below(selection)
    )
    assert {step.asset.slashed: step.partitions for step in steps} == {
        "silver/things": ("2013-01",),
        "features/recent": ("2013-01", "2013-02"),
        "gold/totals": (),
    }
    assert steps[1].reasons == ("forced", "silver.things is being rebuilt")
    assert project.below(["silver/things", "+gold/totals"]) == set()
    assert project.below(["silver/things+", "gold/totals"]) == {TableName("features", "recent")}


@pytest.mark.parametrize(
    ("selection", "text", "months", "message"),
    [
        pytest.param(["*"], "2013-02", ("2013-02",), "", id="one"),
        pytest.param(["*"], "2013-01..2013-03", MONTHS_ALL, "", id="range"),
        pytest.param(["silver/*"], "2013-03,2013-01", ("2013-03", "2013-01"), "", id="list"),
        pytest.param(["*"], "2013-04", None, "Partition 2013-04 does not exist", id="after the last"),
        pytest.param(["*"], "2013-13", None, "'2013-13' is not a month", id="no month"),
        pytest.param(["*"], "2013-03..2013-01", None, "runs backwards", id="backwards"),
        pytest.param(["gold/totals"], "2013-01", None, "Partition 2013-01 does not exist", id="of an asset without any"),
    ],
)
def test_months_are_asked_for_in_words(
    built: Workspace, selection: list[str], text: str, months: tuple[str, ...] | None, message: str
) -> None:
    project = Project.load(built.project)
    chosen = project.select(selection)
    if months is not None:
        assert plans.requested(project, chosen, text) == months
        return
    with pytest.raises(PartitionError, match=message):
        plans.requested(project, chosen, text)


def test_a_models_new_version_is_for_what_loads_it(workspace: Workspace) -> None:
    read = 'frame = lake.sql("select id from gold.ids").toPandas()'
    written = {
        "gold/ids": notebook("gold/ids", 'lake.write(lake.spark.range(3), "gold.ids")'),
        "models/line": notebook("models/line", read, MODEL),
        "scores/line": notebook("scores/line", read, SCORE),
    }
    workspace.write(
        written, {"gold.ids": contract("gold.ids"), "scores.line": contract("scores.line", {"id": "bigint", "score": "double"})}
    )
    workspace.run("gold/ids")
    with pytest.raises(UnknownName, match=r"Model models\.line has no champion"):
        workspace.run("scores/line")
    assert workspace.bring_up_to_date() == ["models/line", "scores/line"]
    assert workspace.plan() == []
    made = next(record.results_newest_first(workspace.root, TableName("models", "line")))
    assert [(model.name, model.version, model.metrics) for model in made.models] == [("models.line", 1, {"error": 0.0})]
    assert made.inputs == {"gold.ids": {"version": 0, "seen": {"*": 0}}}
    scored = next(record.results_newest_first(workspace.root, TableName("scores", "line")))
    assert scored.inputs["models.line"] == {"version": 1, "seen": {"*": 1}}
    workspace.run("models/line")
    assert found(workspace) == {"scores/line": ()}
    assert reasons(workspace, "scores/line") == ("models.line changed",)


PLAN_ALONE = """
import sys
from lakehouse import plan, settings
from lakehouse.project import Project
project = Project.load(settings.load().project)
assert plan.plan(project, settings.load(), project.assets) == []
print([name for name in ("pyspark", "dagster", "mlflow", "great_expectations", "papermill", "pandas") if name in sys.modules])
"""


def test_a_plan_needs_neither_spark_nor_dagster(built: Workspace) -> None:
    environ = {**built.environ, "PATH": "/usr/bin:/bin", "LAKEHOUSE_SPARK": "sc://localhost:1"}
    done = subprocess.run([sys.executable, "-c", PLAN_ALONE], env=environ, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
