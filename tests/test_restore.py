from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from lakehouse import deltalog, tables
from lakehouse.errors import ContractError, LakeError, LakehouseError, UnknownName
from lakehouse.names import TableName
from lakehouse.plan import Step
from lakehouse.project import Project
from lakehouse.restore import Restored, restore
from tests.things import MONTHS_ALL
from tests.workspace import Workspace

SILVER = TableName("silver", "things")


@pytest.fixture
def changed(place: Workspace) -> Workspace:
    """silver.things: version 0 doubled, version 1 times nine in all months; all below is built of version 1."""
    place.run("silver/things", months=list(MONTHS_ALL), factor=9)
    for asset, values in (("features/recent", {"months": list(MONTHS_ALL)}), ("gold/totals", {})):
        place.run(asset, **values)
    return place


def back(place: Workspace, table: TableName = SILVER, version: int = 0, **how: object) -> Restored:
    return restore(Project.load(place.project), place.settings, table, version, **how)  # type: ignore[arg-type]


def spelled(steps: list[Step]) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    return {step.asset.slashed: (step.partitions, step.reasons) for step in steps}


def test_the_older_rows_stand_again_and_the_commit_says_who_and_why(changed: Workspace) -> None:
    done = back(changed, because="nine was wrong")
    assert (done.version, done.before, done.written) == (0, 1, 2)
    assert changed.rows("silver.things") == [("2013-01", 2), ("2013-02", 4), ("2013-03", 6)]
    last = deltalog.commits(changed.path("silver.things"))[-1]
    assert (last.operation, last.touched, last.made) == ("RESTORE", None, None)
    assert last.ours == {
        "lakehouse": 1,
        "operation": "restore",
        "asset": "silver.things",
        "restored": 0,
        "before": 1,
        "by": tables.current_user(),
        "because": "nine was wrong",
    }


def test_what_lies_below_is_stale_and_can_be_built_of_what_was_restored(changed: Workspace) -> None:
    done = back(changed)
    rebuilt = ("silver.things is being rebuilt",)
    assert spelled(done.stale) == {
        "silver/things": (MONTHS_ALL, ("restored to an older version",)),
        "features/recent": (MONTHS_ALL, rebuilt),
        "gold/totals": ((), rebuilt),
    }
    assert spelled(changed.plan("gold/totals")) == {"gold/totals": ((), ("silver.things changed",))}
    changed.run("gold/totals")
    assert changed.rows("gold.totals") == [("2013-01", 2), ("2013-02", 4), ("2013-03", 6)]
    assert changed.plan("gold/totals") == []


def test_a_rerun_writes_again(changed: Workspace) -> None:
    back(changed)
    back(changed, version=1)
    assert changed.rows("silver.things", "id") == [(18,), (27,), (9,)]
    assert changed.bring_up_to_date() == ["silver/things", "features/recent", "gold/totals"]
    assert changed.rows("silver.things", "id") == [(2,), (4,), (6,)]
    assert changed.version("silver.things") == 4
    assert changed.plan() == []


def test_a_dry_run_only_tells(changed: Workspace) -> None:
    done = back(changed, dry_run=True)
    assert (done.version, done.before, done.written) == (0, 1, None)
    assert {step.asset.slashed: step.partitions for step in done.stale} == {"features/recent": MONTHS_ALL, "gold/totals": ()}
    assert changed.version("silver.things") == 1


def lose(place: Workspace) -> None:
    next(place.path("silver.things").glob("month=2013-02/*.parquet")).unlink()


def rename(place: Workspace) -> None:
    path = place.project / "assets" / "contracts" / "silver" / "things.yaml"
    contract = json.loads(path.read_text())
    contract["columns"] = {"month": contract["columns"]["month"], "id": {"type": "int"}, "name": {"type": "string"}}
    path.write_text(json.dumps(contract))


@pytest.mark.parametrize(
    ("table", "version", "error", "message"),
    [
        pytest.param("silver.things", 7, UnknownName, "silver.things has no version 7", id="no such version"),
        pytest.param("silver.things", 0, LakeError, "stands at version 0 already", id="the one that stands"),
        pytest.param("silver.thing", 0, UnknownName, "silver.thing has not been built", id="no such table"),
        pytest.param("raw.things", 0, UnknownName, "raw.things cannot be restored", id="raw"),
        pytest.param("models.line", 1, UnknownName, "models.line cannot be restored", id="model"),
    ],
)
def test_what_cannot_be_is_refused(built: Workspace, table: str, version: int, error: type[LakehouseError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        back(built, TableName.parse(table), version)
    assert caught.value.hint
    assert built.version("silver.things") == 0


@pytest.mark.parametrize(
    ("before", "error", "message"),
    [
        pytest.param(lose, LakeError, r"1 of its 3 files are gone", id="files gone"),
        pytest.param(rename, ContractError, r"name is missing; id is bigint, the contract says int", id="contract"),
    ],
)
def test_a_version_that_could_not_be_read_as_promised_is_refused(
    place: Workspace, before: Callable[[Workspace], None], error: type[LakehouseError], message: str
) -> None:
    before(place)
    log = place.path("silver.things") / "_delta_log"
    (log / f"{1:020d}.json").write_text('{"commitInfo": {"operation": "SET TBLPROPERTIES", "timestamp": 1}}\n')
    with pytest.raises(error, match=message) as caught:
        back(place)
    assert caught.value.hint and place.version("silver.things") == 1
