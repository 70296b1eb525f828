"""The shipped notebooks, run on four real months: what they leave, and where its columns come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from lakehouse import columntrace, models, runner
from lakehouse.bootstrap import PROJECT
from lakehouse.columntrace import ColumnBranch
from lakehouse.evaluation import card as evaluation_card
from lakehouse.leaks import check as leaks
from lakehouse.leaks.outcome import Outcome
from lakehouse.names import TableName
from lakehouse.project import Project
from lakehouse.record import Result
from tests.workspace import Workspace

MONTHS = ["2013-08", "2013-09", "2013-10", "2013-11"]
FLIGHTS = {"2013-08": 29_327, "2013-09": 27_574, "2013-10": 28_889, "2013-11": 27_268}
# Features take the month before as well.
ASKED = MONTHS[1:]
OTHERS = {
    "features/flight_departure": {"months": ASKED},
    "models/flight_delay": {"train_until": "2013-09", "rounds": 20, "tries": 2},
    "evaluation/flight_delay": {"through": "2013-11"},
    "scores/flight_delay": {"months": ["2013-11"]},
}

# What a flight's departure is told by, and the carrier that the window is over.
DEPARTED = ("carrier", "year", "month", "day", "sched_dep_time", "dep_delay")


@pytest.fixture(scope="module")
def shipped(new_workspace: Callable[[str], Workspace]) -> Workspace:
    """The project itself, with a lake of its own."""
    made = new_workspace("shipped")
    made.project = PROJECT
    made.environ["LAKEHOUSE_PROJECT"] = str(PROJECT)
    return made


@pytest.fixture(scope="module")
def looked() -> dict[str, Outcome]:
    """What the leak check found, by table: a model is judged only where it was looked for leaks."""
    return {}


@pytest.fixture(scope="module")
def results(shipped: Workspace, looked: dict[str, Outcome]) -> dict[str, Result]:
    """What each notebook's run left, by its name."""
    found = {}
    for step in shipped.plan():
        if step.asset.layer == "evaluation":
            looked.update(look_for_leaks(shipped))
        # The register's changes make sense as a whole only.
        months = [key for key in step.partitions if key in MONTHS or step.asset.name == "aircraft"]
        if step.asset.layer == "raw":
            shipped.land(step.asset.dotted, *months)
        else:
            values = {"months": months} if step.partitions else {}
            found[step.asset.slashed] = shipped.run(step.asset.slashed, **{**values, **OTHERS.get(step.asset.slashed, {})})
    return found


@pytest.mark.slow
def test_every_notebook_writes_every_month(shipped: Workspace, results: dict[str, Result]) -> None:
    asked = {key: FLIGHTS[key] for key in ASKED}
    for table, rows in {"bronze.flights": FLIGHTS, "silver.flights": FLIGHTS, "features.flight_departure": asked}.items():
        (write,) = [write for result in results.values() for write in result.writes if write.table == table]
        assert write.partition_rows == rows, table
    carriers = shipped.rows("gold.carrier_performance", "month, sum(flights) over (partition by month)")
    assert dict(carriers) == FLIGHTS
    assert dict(shipped.rows("scores.flight_delay", "month, count(*) over ()")) == {"2013-11": FLIGHTS["2013-11"]}
    assert all(check.passed for result in results.values() for check in result.checks if check.severity == "error")


def test_the_model_is_better_than_what_costs_nothing(results: dict[str, Result]) -> None:
    (model,) = results["models/flight_delay"].models
    assert 0.6 < model.metrics["auc"] < 0.85 and model.metrics["auc_base_rate"] == 0.5
    assert model.metrics["log_loss"] < model.metrics["log_loss_base_rate"]


def test_the_model_is_judged_and_becomes_the_champion(shipped: Workspace, results: dict[str, Result]) -> None:
    """Better than the base rate on two months that it did not learn from, in nearly all that is looked at."""
    (judged,) = results["evaluation/flight_delay"].judged
    assert (judged.version, judged.against, judged.outcome) == (1, None, "promoted")
    assert {gate.name for gate in judged.gates if gate.passed} >= {"enough", "better", "calibrated", "behaviour", "edge_cases"}
    found = {
        kind: rows for kind, rows in shipped.rows("evaluation.flight_delay", "distinct slice_kind, through") if rows == "2013-11"
    }
    assert found.keys() >= {"all", "month", "carrier", "origin", "hour", "distance", "weather", "score", "group origin"}
    assert {row[0] for row in shipped.rows("scores.flight_delay", "distinct model_version")} == {1}
    (kept,) = shipped.root.glob("mlflow/artifacts/models.flight_delay/*/artifacts/card.md")
    card = kept.read_text()
    assert card == evaluation_card.render(shipped.settings, models.find(shipped.settings, TableName("models", "flight_delay"), 1))
    assert "On 2013-10, 2013-11; gains are over the base rate." in card and "version 1 promoted" in card


def look_for_leaks(shipped: Workspace) -> dict[str, Outcome]:
    project = Project.load(PROJECT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "rehearse", shipped.rehearse)
        return {table.name: leaks.look(project, shipped.settings, table, "2013-10") for table in leaks.checked(project)}


def test_no_feature_changes_with_what_came_later(results: dict[str, Result], looked: dict[str, Outcome]) -> None:
    assert {name: (one.leaks, one.unsteady) for name, one in looked.items()} == dict.fromkeys(looked, ([], []))
    (answer,) = looked["flight_departure"].answers
    assert answer.rows > 8000 and answer.altered["silver.flights"] > 8000


@pytest.mark.parametrize(
    ("table", "column", "sources"),
    [
        pytest.param("silver.flights", "arrival_delay", {"flights.arr_delay"}, id="a cast"),
        pytest.param("silver.flights", "plane_seats", {"planes.seats"}, id="a join"),
        pytest.param("silver.flights", "temperature", {"weather.temp"}, id="two notebooks further up"),
        pytest.param("gold.carrier_performance", "carrier_name", {"airlines.name"}, id="through the notebook's own checkpoint"),
        pytest.param("features.flight_departure", "plane_seats", {"planes.seats"}, id="through a union"),
        pytest.param("features.flight_departure", "carrier_delay", {f"flights.{name}" for name in DEPARTED}, id="a window"),
    ],
)
def test_a_column_is_traced_to_raw(
    shipped: Workspace, results: dict[str, Result], table: str, column: str, sources: set[str]
) -> None:
    found = columntrace.back(Project.load(PROJECT), shipped.root, TableName.parse(table), column)
    assert set(leaves(found)) == {f"raw.{source}" for source in sources}


def leaves(branch: ColumnBranch) -> Iterator[str]:
    if not branch.branches and not branch.again:
        yield f"{branch.table}.{branch.column}"
    for below in branch.branches:
        yield from leaves(below)
