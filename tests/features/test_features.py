"""`lake.features` in notebooks of a lake: what it reads, what it gives, what it refuses; and the views' pages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakehouse.check import check
from lakehouse.code import explain
from lakehouse.errors import ContractError, LakehouseError, NotebookError, UndeclaredTable, UnknownName
from lakehouse.features import page, uses
from lakehouse.names import TableName
from lakehouse.notebook import parse
from lakehouse.orchestration import metadata
from lakehouse.project import Project
from tests.notebooks import MONTHS, contract, document, notebook
from tests.workspace import Workspace, monthly

# Of each airport one observation a month, known an hour after; a correction of February's comes in March.
WIND = """
select * from values
    ("2013-01", "EWR", timestamp "2013-01-31 22:00:00Z", timestamp "2013-01-31 23:00:00Z", 5d),
    ("2013-02", "EWR", timestamp "2013-02-01 06:00:00Z", timestamp "2013-02-01 07:00:00Z", 7d),
    ("2013-03", "EWR", timestamp "2013-02-01 06:00:00Z", timestamp "2013-03-01 00:00:00Z", 8d)
    as t(month, origin, hour, known_at, wind)
"""
FLIGHTS = """
select * from values
    (1L, "2013-01", "EWR", timestamp "2013-01-31 22:30:00Z"), (2L, "2013-02", "EWR", timestamp "2013-02-01 01:00:00Z"),
    (3L, "2013-02", "EWR", timestamp "2013-02-01 07:00:00Z"), (4L, "2013-02", "JFK", timestamp "2013-02-01 07:00:00Z"),
    (5L, "2013-03", "EWR", timestamp "2013-03-01 07:00:00Z")
    as t(id, month, origin, asked_at)
"""
OWN = "df = df.where(df.month.isin(months))"
KEY = {"type": "string", "nullable": False}
MOMENT = {"type": "timestamp", "nullable": False}
VIEW = {"entity": ["origin"], "event_timestamp": "hour", "created_timestamp": "known_at", "ttl": "1d"}
WEATHER = contract(
    "features.weather",
    {"month": KEY, "origin": KEY, "hour": MOMENT, "known_at": MOMENT, "wind": {"type": "double", "impute": "mean"}},
    key=["origin", "hour", "known_at"],
    partitions=MONTHS,
    feature_view=VIEW,
    freshness="45d",
)
ASK = (
    f"flights = lake.spark.sql({FLIGHTS!r})",
    "flights = flights.where(flights.month.isin(months))",
    'df = lake.features(flights, {"features.weather": {"wind": "wind_then"}}, at="asked_at")',
    'lake.write(df.drop("origin", "asked_at"), "features.flight")',
)
TRAIN = (
    'frame = lake.read("features.flight", partitions="all").toPandas()',
    "from sklearn.linear_model import LinearRegression\nfrom sklearn.pipeline import make_pipeline",
    'fill = lake.imputer("features.flight", ["wind_then"])',
    'model = make_pipeline(fill, LinearRegression()).fit(frame[["wind_then"]], frame["id"])',
    'lake.log_model(model, "models.wind", example=frame[["wind_then"]])',
)


def flight(**wind: Any) -> dict[str, Any]:
    columns = {"id": {"type": "bigint", "nullable": False}, "month": KEY, "wind_then": {"type": "double", **wind}}
    return contract("features.flight", columns, key=["id"], partitions=MONTHS)


@pytest.fixture(scope="module")
def place(new_workspace: Callable[[str], Workspace]) -> Workspace:
    """features.weather → features.flight → models.wind, of all months."""
    made = new_workspace("features")
    rows = (f"df = lake.spark.sql({WIND!r})", OWN, 'lake.write(df, "features.weather")')
    notebooks = {
        "features/weather": monthly("features/weather", *rows),
        "features/flight": monthly("features/flight", *ASK),
        "models/wind": notebook("models/wind", *TRAIN),
        "explore/tour": document('import lakehouse\nlake = lakehouse.open("explore/tour")'),
    }
    made.write(notebooks, {"features.weather": WEATHER, "features.flight": flight(impute={"constant": 0.0})})
    made.bring_up_to_date()
    return made


def test_a_training_set_holds_what_was_known_when_it_was_asked(place: Workspace) -> None:
    """Not known yet; January's, from another month; February's, not as March corrected it; another airport; stale."""
    assert place.rows("features.flight", "id, wind_then") == [(1, None), (2, 5.0), (3, 7.0), (4, None), (5, None)]


def test_a_view_is_read_up_to_the_runs_months_at_the_pinned_version(place: Workspace) -> None:
    (read,) = Project.load(place.project).notebook("features/flight").reads
    assert (str(read.table), read.coverage, read.view) == ("features.weather", "until", True)
    seen = place.open("features/flight", months=["2013-02"])._publisher.result.inputs["features.weather"]
    assert (seen["version"], set(seen["seen"])) == (place.version("features.weather"), {"2013-01", "2013-02"})


def test_a_month_that_a_view_is_told_anew_makes_the_later_ones_stale(place: Workspace) -> None:
    place.run("features/weather", months=["2013-02"])
    stale = {step.asset.slashed: step.partitions for step in place.plan("features/flight")}
    assert stale == {"features/flight": ("2013-02", "2013-03")}


def questions(columns: str = "1 as id, 'EWR' as origin, timestamp '2013-02-01 00:00:00Z' as asked_at") -> str:
    return f"select {columns}"


REFUSED = [
    pytest.param(
        questions(), {"features.wether": ["wind"]}, UnknownName, "There is no feature view features.wether", "features.weather",
        id="no such view",
    ),
    pytest.param(
        questions(), {"features.flight": ["wind_then"]}, ContractError, "features.flight is no feature view", "feature_view",
        id="no view",
    ),
    pytest.param(
        questions(), {"features.weather": ["wnid"]}, UnknownName, "features.weather has no column 'wnid'", "Did you mean wind",
        id="no such column",
    ),
    pytest.param(
        questions("'EWR' as origin, current_timestamp() as at"), {"features.weather": ["wind"]}, UnknownName,
        "The questions have no column 'asked_at'", "They have origin, at", id="no such moment",
    ),
    pytest.param(
        questions("'EWR' as origin, '2013-02-01' as asked_at"), {"features.weather": ["wind"]}, NotebookError,
        "The column asked_at (at=) is string: a moment is a timestamp", "F.to_timestamp", id="moment as text",
    ),
    pytest.param(
        questions("'EWR' as origin, date '2013-02-01' as asked_at"), {"features.weather": ["wind"]}, NotebookError,
        "The column asked_at (at=) is date: a moment is a timestamp", "F.to_timestamp", id="a date",
    ),
    pytest.param(
        questions("'EWR' as origen, current_timestamp() as asked_at"), {"features.weather": ["wind"]}, UnknownName,
        "The questions have no column origin, the entity of features.weather", "Did you mean origen", id="no entity",
    ),
    pytest.param(
        questions("1 as origin, current_timestamp() as asked_at"), {"features.weather": ["wind"]}, NotebookError,
        "origin is int in the questions, string in features.weather", "Cast it", id="entity of another type",
    ),
    pytest.param(
        questions("'EWR' as origin, current_timestamp() as asked_at, 1 as Wind"), {"features.weather": ["wind"]}, NotebookError,
        "features.weather.wind would be called wind, as is a column of the questions", '{"wind": "…"}', id="a name twice",
    ),
    pytest.param(
        questions(), {"features.weather": {"wind": "w", "hour": "w"}}, NotebookError,
        "features.weather.hour would be called w, as is a column of features.weather", '{"hour": "…"}', id="a new name twice",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("query", "views", "kind", "message", "hint"), REFUSED)
def test_what_cannot_be_answered_is_refused_before_it_is_computed(
    place: Workspace, query: str, views: Any, kind: type[LakehouseError], message: str, hint: str
) -> None:
    lake = place.open("explore/tour")
    with pytest.raises(kind) as caught:
        lake.features(lake.spark.sql(query), views, at="asked_at")
    assert message in caught.value.what
    assert hint in caught.value.hint


def test_a_view_that_the_notebooks_text_does_not_name_is_refused(place: Workspace) -> None:
    lake = place.open("models/wind")
    with pytest.raises(UndeclaredTable, match=r"features of features\.weather, which the notebook's text does not name"):
        lake.features(lake.spark.sql(questions()), {"features.weather": ["wind"]}, at="asked_at")


@pytest.mark.parametrize(
    ("call", "reads", "rules"),
    [
        pytest.param(
            'lake.features(x, {"features.a": c, "features/b": ["d"]}, at="t")', [("a", "until"), ("b", "until")], [], id="two"
        ),
        pytest.param('lake.features(x, views={"features.a": c}, at="t", partitions=(-1, 0))', [("a", (-1, 0))], [], id="window"),
        pytest.param('lake.features(x, views, at="t")', [], ["not-literal"], id="a variable"),
        pytest.param('lake.features(x, {name: c, "features.a": c}, at="t")', [("a", "until")], ["not-literal"], id="a name in it"),
        pytest.param('lake.features(x, {**more}, at="t")', [], ["not-literal"], id="a star in it"),
        pytest.param('lake.features(x, {"feature.a": c}, at="t")', [], ["bad-name"], id="no layer"),
        pytest.param('lake.features(x, {"features.a": c}, at="t", partitions="new")', [("a", "new")], ["bad-coverage"], id="new"),
    ],
)
def test_views_are_found_in_the_call_without_running_it(tmp_path: Path, call: str, reads: Any, rules: list[str]) -> None:
    path = tmp_path / "notebooks" / "gold" / "a.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(notebook("gold/a", call)))
    found = parse(path, tmp_path)
    assert [(read.table.name, read.coverage) for read in found.reads] == reads
    assert [problem.rule for problem in found.problems] == rules


def test_check_tells_of_a_table_that_is_no_view(place: Workspace, tmp_path: Path) -> None:
    made = Workspace(tmp_path, place.environ["LAKEHOUSE_SPARK"])
    plain = {name: value for name, value in WEATHER.items() if name != "feature_view"}
    weather = monthly("features/weather", 'lake.write(1, "features.weather")')
    notebooks = {"features/weather": weather, "features/flight": monthly("features/flight", *ASK)}
    made.write(notebooks, {"features.weather": plain, "features.flight": flight()})
    assert [(one.rule, one.message) for one in check(made.project)] == [("no-view", "features.weather is no feature view")]


def test_what_a_contract_says_of_features_counts_as_its_readers_code(place: Workspace, tmp_path: Path) -> None:
    def parts(view: dict[str, Any], **wind: Any) -> dict[str, dict[str, str]]:
        made = Workspace(tmp_path, place.environ["LAKEHOUSE_SPARK"])
        notebooks = {"features/flight": monthly("features/flight", *ASK), "models/wind": notebook("models/wind", *TRAIN)}
        made.write(notebooks, {"features.weather": {**WEATHER, "feature_view": view}, "features.flight": flight(**wind)})
        project = Project.load(made.project)
        return {name: explain(project, project.notebook(name)) for name in notebooks}

    before, after = parts(VIEW), parts({**VIEW, "ttl": "2d"}, impute="mean")
    moved = {name: [part for part in after[name] if before[name].get(part) != after[name][part]] for name in after}
    assert moved == {"features/flight": ["features features.weather"], "models/wind": ["features features.flight"]}


def test_a_views_page_tells_how_it_stands_and_who_uses_it(place: Workspace) -> None:
    project = Project.load(place.project)
    (use,) = uses.uses(project, place.root, TableName("features", "weather"))
    assert (str(use.model), use.version, use.made_of) == ("models.wind", 1, (0,))
    shown = metadata.of_view(project, place.root, TableName("features", "weather"))["used by"]
    assert shown.value == {"models.wind version 1": [0]}
    assert metadata.of_view(project, place.root, TableName("features", "flight")) == {}
    found = page.frames(place.open("explore/tour"))
    (view,) = found.views.to_dict("records")
    told = {name: view[name] for name in ("view", "entity", "known from", "time to live", "rows", "models")}
    assert told == {
        "view": "features.weather", "entity": "origin", "known from": "known_at", "time to live": "1d", "rows": 3,
        "models": "models.wind 1",
    }  # fmt: skip
    columns = found.columns.set_index("column")
    assert (columns.loc["wind", "impute"], columns.loc["wind", "values"]) == ("mean", "8 … 8 … 8")
    assert set(found.missing["batch"]) == {"2013-01", "2013-02", "2013-03"}


def test_the_shipped_notebook_of_views_runs(place: Workspace) -> None:
    shipped = Path(__file__).parents[2] / "notebooks" / "explore" / "features.ipynb"
    place.write({"explore/features": shipped.read_text()}, {})
    assert "found" in place.names("explore/features", target="sandbox")
