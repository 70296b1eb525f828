from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from lakehouse.errors import ParameterError, PartitionError, UnknownName
from lakehouse.names import TableName
from lakehouse.project import Project
from tests.notebooks import MONTHS, RAW_SOURCE, contract, copies, document, notebook, project


@pytest.fixture
def diamond(tmp_path: Path) -> Project:
    """raw.things → bronze.things → silver.a, silver.b → gold.both → models.m → scores.s"""
    months = 'months: list[month] = ["2013-01"]'
    made = {
        "bronze/things": copies("raw.things", "bronze.things"),
        "silver/a": copies("bronze.things", "silver.a"),
        "silver/b": copies("bronze.things", "silver.b", parameters=months),
        "gold/both": notebook(
            "gold/both", 'x = lake.sql("select * from silver.a join silver.b using (id)")', 'lake.write(x, "gold.both")'
        ),
        "models/m": notebook("models/m", 'lake.log_model(lake.read("gold.both"), "models.m")'),
        "scores/s": notebook(
            "scores/s", 'm = lake.load_model("models.m")\nlake.write(m, "scores.s_log")\nlake.write(m, "scores.s")'
        ),
        "explore/tour": document('import lakehouse\nlake = lakehouse.open("explore/tour")\nlake.read("gold.both")'),
    }
    tables = ["bronze.things", "silver.a", "gold.both", "scores.s", "scores.s_log"]
    contracts = {table: contract(table) for table in tables}
    contracts["silver.b"] = contract("silver.b", partitions=MONTHS)
    return Project.load(project(tmp_path, made, contracts, RAW_SOURCE))


def test_what_a_table_refers_to_stands_above_it(tmp_path: Path) -> None:
    made = {"silver/a": copies("raw.things", "silver.a"), "silver/z": copies("raw.things", "silver.z")}
    contracts = {
        "silver.a": contract("silver.a", references=[{"columns": ["id"], "to": "silver.z"}]),
        "silver.z": contract("silver.z", references=[{"columns": ["id"], "to": "silver.z"}]),
    }
    found = Project.load(project(tmp_path, made, contracts, RAW_SOURCE))
    assert names(found.order()) == ["raw/things", "silver/z", "silver/a"]
    assert names(found.parents(TableName("silver", "a"))) == ["raw/things", "silver/z"]
    assert names(found.parents(TableName("silver", "z"))) == ["raw/things"]


def names(found: tuple[TableName, ...]) -> list[str]:
    return [name.slashed for name in found]


def test_the_graph_follows_from_reads_and_writes(diamond: Project) -> None:
    assert diamond.problems == []
    assert names(diamond.order()) == [
        "raw/things", "bronze/things", "silver/a", "silver/b", "gold/both", "models/m", "scores/s",
    ]  # fmt: skip
    assert names(diamond.parents(TableName("gold", "both"))) == ["silver/a", "silver/b"]
    assert names(diamond.children(TableName("bronze", "things"))) == ["silver/a", "silver/b"]
    assert names(diamond.parents(TableName("scores", "s"))) == ["models/m"]
    assert names(diamond.parents(TableName("raw", "things"))) == []
    assert diamond.writer_of(TableName("scores", "s_log")) == TableName("scores", "s")
    assert diamond.writer_of(TableName("gold", "nothing")) is None
    assert [name.slashed for name in diamond.explore] == ["explore/tour"]
    assert TableName("explore", "tour") not in diamond.assets


def test_the_longest_chain_from_an_asset_on(diamond: Project) -> None:
    chains = {asset.slashed: seconds for asset, seconds in diamond.longest_chains({}).items()}
    assert chains == {
        "raw/things": 6, "bronze/things": 5, "silver/a": 4, "silver/b": 4, "gold/both": 3, "models/m": 2, "scores/s": 1,
    }  # fmt: skip
    known = diamond.longest_chains({TableName("silver", "b"): 7.5, TableName("scores", "s"): 0.5})
    assert (known[TableName("silver", "a")], known[TableName("silver", "b")]) == (3.5, 10.0)


@pytest.mark.parametrize(
    ("selection", "found"),
    [
        pytest.param(["silver/a"], ["silver/a"], id="asset"),
        pytest.param(["silver.a", "silver/a"], ["silver/a"], id="table, named twice"),
        pytest.param(["scores.s_log"], ["scores/s"], id="second table"),
        pytest.param(["models.m"], ["models/m"], id="model"),
        pytest.param(["+silver.a"], ["raw/things", "bronze/things", "silver/a"], id="above"),
        pytest.param(["silver/a+"], ["silver/a", "gold/both", "models/m", "scores/s"], id="below"),
        pytest.param(
            ["+gold/both+"],
            ["raw/things", "bronze/things", "silver/a", "silver/b", "gold/both", "models/m", "scores/s"],
            id="around",
        ),
        pytest.param(["silver/*"], ["silver/a", "silver/b"], id="layer"),
        pytest.param(["silver.*", "raw.things"], ["raw/things", "silver/a", "silver/b"], id="in the graph's order"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_selection(diamond: Project, selection: list[str], found: list[str]) -> None:
    assert names(diamond.select(selection)) == found


def test_a_star_is_everything(diamond: Project) -> None:
    assert diamond.select(["*"]) == diamond.order()


@pytest.mark.parametrize("wanted", ["silver.c", "explore/tour", "platinum/*", "", "++", "silver"])
def test_an_unknown_selection_is_refused(diamond: Project, wanted: str) -> None:
    with pytest.raises(UnknownName, match="Nothing is called"):
        diamond.select([wanted])


def test_an_unknown_name_is_answered_with_the_nearest(diamond: Project) -> None:
    with pytest.raises(UnknownName, match=r"Did you mean gold.both"):
        diamond.select(["+gold.bot"])
    with pytest.raises(UnknownName, match=r"There is no notebook gold/bot\nIt would be .*Did you mean gold.both"):
        diamond.notebook("gold.bot")


def test_parameters_are_bound_to_partitions_that_exist(diamond: Project) -> None:
    b = TableName("silver", "b")
    assert diamond.bind(b, {"months": "2013-01..2013-02"}) == {"months": ["2013-01", "2013-02"]}
    with pytest.raises(PartitionError, match=r"silver/b.ipynb, parameter months: Partition 2013-04 does not exist"):
        diamond.bind(b, {"months": "2013-04"})
    with pytest.raises(ParameterError, match="Did you mean months"):
        diamond.bind(b, {"month": "2013-04"})


def test_an_open_space_refuses_the_month_that_is_not_over(tmp_path: Path) -> None:
    made = {"silver/b": copies("bronze.x", "silver.b", parameters='months: list[month] = ["2013-01"]')}
    space = {"column": "month", "start": "2013-01"}
    found = Project.load(project(tmp_path, made, {"silver.b": contract("silver.b", partitions=space)}))
    asset = TableName("silver", "b")
    assert found.bind(asset, {"months": "2013-03"}, date(2013, 4, 1))
    with pytest.raises(PartitionError, match="There are 2013-01 to 2013-02"):
        found.bind(asset, {"months": "2013-03"}, date(2013, 3, 31))


def test_a_cycle_does_not_stop_loading(tmp_path: Path) -> None:
    made = {"silver/a": copies("silver.b", "silver.a"), "silver/b": copies("silver.a", "silver.b")}
    found = Project.load(project(tmp_path, {**made, "gold/x": copies("gold.y", "gold.x")}))
    assert names(found.order()) == ["gold/x", "silver/a", "silver/b"]
    assert names(found.select(["+silver/a"])) == ["silver/a", "silver/b"]


def test_files_that_cannot_be_read_are_problems_and_the_rest_is_there(tmp_path: Path) -> None:
    made = {"silver/a": "{", "nowhere/b": document(), "silver/c": copies("raw.x", "silver.c")}
    found = Project.load(project(tmp_path, made, {"silver.a": "- x", "silver.c": contract("silver.c")}))
    assert names(tuple(found.notebooks)) == ["silver/c"]
    assert [(problem.file, problem.rule) for problem in found.problems] == [
        ("notebooks/nowhere/b.ipynb", "bad-notebook"),
        ("notebooks/silver/a.ipynb", "bad-notebook"),
        ("assets/contracts/silver/a.yaml", "bad-contract"),
    ]
    assert all(str(tmp_path) not in problem.message for problem in found.problems)


def test_jupyters_own_copies_are_left_alone(tmp_path: Path) -> None:
    found = Project.load(project(tmp_path, {"silver/.ipynb_checkpoints/a-checkpoint": "{"}))
    assert found.problems == []


def test_an_empty_project_is_a_project(tmp_path: Path) -> None:
    found = Project.load(tmp_path)
    assert found.order() == found.select(["*"]) == ()


def test_loading_runs_no_sources(tmp_path: Path) -> None:
    path = project(tmp_path, {"silver/c": copies("bronze.x", "silver.c")}, sources="raise RuntimeError('run')")
    assert Project.load(path).notebook("silver/c")


def judged(folder: Path) -> Project:
    """models.m is trained, then judged by evaluation/m; scores/a and scores/b use its champion, scores/c its versions."""
    judging = notebook(
        "evaluation/m", 'found = lake.contest("models.m")', 'lake.write(found, "evaluation.m")', 'lake.promote("models.m", found)'
    )
    made = {
        "gold/both": copies("raw.things", "gold.both"),
        "models/m": notebook("models/m", 'lake.log_model(lake.read("gold.both"), "models.m")'),
        "evaluation/m": judging,
        "scores/a": notebook("scores/a", 'lake.write(lake.load_model("models.m"), "scores.a")'),
        "scores/b": notebook("scores/b", 'lake.write(lake.score(lake.read("gold.both"), "models.m", keep=[]), "scores.b")'),
        "scores/c": notebook("scores/c", 'lake.write(lake.contest("models.m"), "scores.c")'),
    }
    tables = ["gold.both", "evaluation.m", "scores.a", "scores.b", "scores.c"]
    return Project.load(project(folder, made, {table: contract(table) for table in tables}, RAW_SOURCE))


def test_who_uses_a_champion_stands_below_the_notebook_that_judges_it(tmp_path: Path) -> None:
    found = judged(tmp_path)
    assert found.problems == []
    judge, model = TableName("evaluation", "m"), TableName("models", "m")
    assert found.judge_of(model) == judge
    assert found.judge_of(TableName("models", "other")) is None
    assert names(found.parents(judge)) == ["models/m"]
    assert names(found.parents(TableName("scores", "a"))) == ["evaluation/m", "models/m"]
    assert names(found.parents(TableName("scores", "b"))) == ["evaluation/m", "gold/both", "models/m"]
    assert names(found.parents(TableName("scores", "c"))) == ["models/m"]
    assert names(found.select(["evaluation/m+"])) == ["evaluation/m", "scores/a", "scores/b"]
    assert names(found.order()) == [
        "raw/things", "gold/both", "models/m", "evaluation/m", "scores/a", "scores/b", "scores/c",
    ]  # fmt: skip
