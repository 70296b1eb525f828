"""Leaks planted in a notebook, found by probes that run its cells in this very process; with kernels in test_cli.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lakehouse import runner
from lakehouse.errors import LakehouseError
from lakehouse.leaks import check, outcome
from lakehouse.leaks.outcome import Outcome
from lakehouse.names import TableName
from lakehouse.project import Project
from lakehouse.quality import Quality
from tests.leaks import trips
from tests.notebooks import contract
from tests.workspace import Workspace

TABLE = TableName("features", "trip")
Look = Callable[..., Outcome]


@pytest.fixture(scope="module")
def place(new_workspace: Callable[[str], Workspace]) -> Workspace:
    made = new_workspace("trips")
    made.write(trips.sources(), trips.promises())
    made.bring_up_to_date()
    return made


@pytest.fixture
def look(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Look]:
    """Probes features.trip; each probe is noted in `look.probes`."""
    probes: list[str] = []

    def noted(asset: TableName, *about: Any) -> None:
        probes.append(asset.slashed)
        place.rehearse(asset, *about)

    monkeypatch.setattr(runner, "rehearse", noted)

    def ask(**more: Any) -> Outcome:
        probes.clear()
        return check.look(Project.load(place.project), place.settings, TABLE, **more)

    ask.probes = probes  # type: ignore[attr-defined]
    yield ask


def build(place: Workspace, columns: dict[str, Any], *cells: str) -> None:
    """Its columns are others each time, which needs a new version."""
    before = place.version("features.trip")
    place.write(trips.features(*cells), trips.promise(columns, version=1 if before is None else before + 2))
    place.run("features/trip")


def asked(*columns: str, where: str = "true") -> str:
    listed = ", ".join(map(repr, ("id", "bus", "asked_at", *columns)))
    return f"df = asked.where({where!r}).selectExpr({listed})"


def test_each_planted_leak_is_named_by_column_and_nothing_else(place: Workspace, look: Look) -> None:
    build(place, trips.COLUMNS, trips.EVENTS, trips.FEATURES)
    version, before = place.version("features.trip"), place.rows("features.trip")
    found = look()
    assert {one.column for one in found.leaks} == set(trips.LEAKS)
    assert (found.passed, found.unsteady, look.probes) == (False, [], ["features/trip"] * 2)
    assert (place.version("features.trip"), place.rows("features.trip")) == (version, before), "a probe has published"
    (answer,) = found.answers
    by_column = {one.column: one for one in found.leaks}
    own = by_column["own_delay"]
    assert own.published != own.probed and own.first <= own.last <= answer.moment
    delays = dict(place.rows("features.trip", "id, own_delay"))
    assert own.published == str(delays[int(own.key["id"])])
    assert (by_column["driver"].published, by_column["driver"].probed) == ("(personal)", "(personal)")
    assert answer.rows == len([row for row in place.rows("features.trip", "string(asked_at)") if row[0] <= answer.moment])
    assert answer.altered.keys() == {"silver.trips", "silver.lines"} and answer.altered["silver.lines"] == 1
    finding = next(one for one in Quality(Project.load(place.project), place.root).findings if one.what == "leaks")
    assert (finding.table, finding.severity, "own_delay" in finding.said) == (TABLE, "error", True)


LATER = {"type": "timestamp", "known_at": "label_known_at"}
CLEAN = [
    pytest.param(trips.LABEL, asked("delay > 30 as is_late", "left_at as label_known_at"), id="a label is known later"),
    pytest.param(
        trips.LABEL,
        asked("delay > 30 as is_late", "left_at as label_known_at", where="delay > 10"),
        id="rows without an answer yet are left out",
    ),
    pytest.param({"planned": "timestamp"}, asked("asked_at + interval 1 hour as planned"), id="the schedule is known ahead"),
]


@pytest.mark.parametrize(("columns", "cell"), CLEAN)
def test_what_was_known_or_is_an_answer_is_no_leak(place: Workspace, look: Look, columns: dict[str, Any], cell: str) -> None:
    build(place, columns, cell)
    found = look()
    assert (found.passed, found.leaks, look.probes) == (True, [], ["features/trip"])
    assert found.answers[0].rows > 50 and found.answers[0].altered["silver.trips"] > 50
    assert not [one for one in Quality(Project.load(place.project), place.root).findings if one.what == "leaks"]


LEAKY = [
    pytest.param({}, asked(where="delay > 30"), "(row)", id="rows chosen by what came later"),
    pytest.param({"n": "bigint"}, asked("count(left_at) over () as n"), "n", id="a count of all that left"),
    pytest.param({"most": "int"}, asked("max(delay) over (partition by bus) as most"), "most", id="a maximum over all time"),
    pytest.param({"left_at": "timestamp"}, asked("left_at"), "left_at", id="a moment of its own"),
    pytest.param(
        trips.LABEL | {"answer": "boolean"},
        asked("delay > 30 as is_late", "left_at as label_known_at", "delay > 30 as answer"),
        "answer",
        id="a copy of the label",
    ),
    pytest.param(
        {"is_late": {"type": "boolean"}, "label_known_at": "timestamp"},
        asked("delay > 30 as is_late", "cast(null as timestamp) as label_known_at"),
        "is_late",
        id="a label that is not called one",
    ),
]


@pytest.mark.parametrize(("columns", "cell", "leak"), LEAKY)
def test_a_leak_of_one_column(place: Workspace, look: Look, columns: dict[str, Any], cell: str, leak: str) -> None:
    build(place, columns, cell)
    assert [one.column for one in look().leaks] == [leak]


def test_what_differs_by_itself_is_told_and_no_leak(place: Workspace, look: Look) -> None:
    build(place, {"luck": "double", "own": "int"}, asked("rand() as luck", "delay as own"))
    found = look()
    assert ([one.column for one in found.leaks], found.unsteady) == (["own"], ["luck"])
    without = found.model_copy(update={"leaks": []})
    assert (without.passed, "not judged: luck" in without.said) == (True, True)


def test_each_moment_is_a_probe_and_the_newest_outcome_is_kept(place: Workspace, look: Look) -> None:
    build(place, {}, asked())
    look()
    found = look(count=2, seed=7)
    first, second = found.answers
    assert first.moment < second.moment and look.probes == ["features/trip"] * 2
    assert outcome.newest(place.root, TABLE) == {None: found}


REFUSED = [
    pytest.param({"known_at": None}, "does not say when its rows are known", id="no moment"),
    pytest.param({"key": []}, "has no key", id="no key"),
]


@pytest.mark.parametrize(("more", "message"), REFUSED)
def test_what_cannot_be_probed_is_refused_with_the_reason(place: Workspace, look: Look, more: dict[str, Any], message: str) -> None:
    place.write(trips.features(asked()), trips.promise({}, **more))
    with pytest.raises(LakehouseError, match=message):
        look()
    assert look.probes == [] and TABLE not in check.checked(Project.load(place.project))


def test_a_table_that_was_not_built_says_so(workspace: Workspace) -> None:
    workspace.write(trips.sources() | trips.features(asked()), trips.promises() | trips.promise({}))
    with pytest.raises(LakehouseError, match=r"features\.trip has not been built") as caught:
        check.look(Project.load(workspace.project), workspace.settings, TABLE)
    assert "lakehouse run features/trip" in caught.value.hint


def test_inputs_that_say_nothing_leave_nothing_to_probe(workspace: Workspace) -> None:
    silent = {"silver.trips": contract("silver.trips"), "silver.lines": contract("silver.lines")}
    workspace.write(trips.sources() | trips.features(asked()), silent | trips.promise({}))
    assert check.checked(Project.load(workspace.project)) == []
    with pytest.raises(LakehouseError, match=r"None of the tables that features\.trip is made of says"):
        check.look(Project.load(workspace.project), workspace.settings, TABLE)
