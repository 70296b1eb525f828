from __future__ import annotations

import copy
from typing import Any

import pytest

from lakehouse.contract import Contract
from lakehouse.contracts import diff

BETWEEN = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "miles", "min_value": 0, "max_value": 9}}
IN_SET = {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "status", "value_set": ["a", "b"]}}
BEFORE: dict[str, Any] = {
    "table": "silver.flights",
    "description": "Flights.",
    "owner": "o",
    "key": ["id"],
    "partitions": {"column": "month", "start": "2013-01", "end": "2013-12"},
    "columns": {
        "id": {"type": "bigint", "nullable": False},
        "month": {"type": "string", "nullable": False},
        "miles": {"type": "int", "unit": "miles", "description": "Distance."},
        "status": {"type": "string", "nullable": False, "description": "What became of it."},
    },
    "references": [{"columns": ["status"], "to": "bronze.states", "to_columns": ["code"]}],
    "expectations": [BETWEEN, IN_SET],
}


def changed(**values: Any) -> dict[str, Any]:
    """BEFORE with values set by their place, such as columns__miles__unit; None takes away."""
    after = copy.deepcopy(BEFORE)
    for at, value in values.items():
        *path, last = at.split("__")
        inner: Any = after
        for part in path:
            inner = inner[int(part)] if part.isdigit() else inner[part]
        key: Any = int(last) if last.isdigit() else last
        if value is None:
            del inner[key]
        else:
            inner[key] = value
    return after


def compare(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str, str]]:
    found = diff.compare(Contract.model_validate(before), Contract.model_validate(after))
    return [(change.what, change.said, change.breaks) for change in found]


def renamed(old: str, new: str) -> dict[str, Any]:
    return {new if name == old else name: column for name, column in BEFORE["columns"].items()}


RANGE = "expectations.column_values_to_be_between miles"
SET = "expectations.column_values_to_be_in_set status"
CASES = [
    pytest.param({"columns__miles": None}, ("columns.miles", "removed", "readers"), id="column removed"),
    pytest.param({"columns": renamed("miles", "distance")}, ("columns.miles", "renamed to distance", "readers"), id="renamed"),
    pytest.param({"columns__new": {"type": "int"}}, ("columns.new", "added, int", ""), id="column added"),
    pytest.param(
        {"columns__new": {"type": "int", "nullable": False}}, ("columns.new", "added, int, never null", "writers"), id="never null"
    ),
    pytest.param({"columns__miles__type": "bigint"}, ("columns.miles", "widened from int to bigint", ""), id="wider"),
    pytest.param({"columns__miles__type": "smallint"}, ("columns.miles", "retyped from int to smallint", "readers"), id="narrower"),
    pytest.param({"columns__miles__type": "string"}, ("columns.miles", "retyped from int to string", "readers"), id="other type"),
    pytest.param({"columns__miles__nullable": False}, ("columns.miles", "is never null now", "writers"), id="not null"),
    pytest.param({"columns__status__nullable": True}, ("columns.status", "may be null now", "readers"), id="nullable"),
    pytest.param({"columns__miles__unit": "km"}, ("columns.miles", "unit from miles to km", "readers"), id="unit"),
    pytest.param({"columns__miles__unit": None}, ("columns.miles", "unit from miles to none", "readers"), id="no unit"),
    pytest.param({"columns__id__unit": "flights"}, ("columns.id", "unit from none to flights", ""), id="a first unit"),
    pytest.param({"columns__id__personal": True}, ("columns.id", "is personal now", ""), id="personal"),
    pytest.param({"columns__miles__description": "D"}, ("columns.miles", "description changed", ""), id="column's description"),
    pytest.param(
        {"columns__miles__impute": "mean"}, ("columns.miles", "missing values are filled otherwise now", ""), id="imputation"
    ),
    pytest.param({"description": "More."}, ("description", "changed", ""), id="description"),
    pytest.param({"known_at": "left_at"}, ("known_at", "from none to left_at", ""), id="known at"),
    pytest.param(
        {"columns__miles__known_at": "left_at"}, ("columns.miles", "known_at from none to left_at", ""), id="column's known at"
    ),
    pytest.param({"owner": "p"}, ("owner", "from o to p", ""), id="owner"),
    pytest.param({"retention": "400d"}, ("retention", "from none to 400d", ""), id="retention"),
    pytest.param({"key": ["id", "month"]}, ("key", "from id to id, month", "readers"), id="key"),
    pytest.param({"key": None}, ("key", "from id to none", "readers"), id="no key"),
    pytest.param({"partitions__column": "id"}, ("partitions.column", "from month to id", "readers"), id="partition column"),
    pytest.param({"partitions": None}, ("partitions.column", "from month to none", "readers"), id="no partitions"),
    pytest.param(
        {"partitions__start": "2013-02"}, ("partitions.start", "from 2013-01 to 2013-02", "readers"), id="fewer partitions"
    ),
    pytest.param({"partitions__end": "2014-12"}, ("partitions.end", "from 2013-12 to 2014-12", ""), id="more partitions"),
    pytest.param({"partitions__end": None}, ("partitions.end", "from 2013-12 to none", ""), id="partitions without end"),
    pytest.param({"version": 2}, ("version", "from 1 to 2", ""), id="version"),
    pytest.param({"references": None}, ("references.status → bronze.states", "removed", ""), id="reference removed"),
    pytest.param(
        {"references__0__severity": "warn"},
        ("references.status → bronze.states", "severity from error to warn", ""),
        id="reference loosened",
    ),
    pytest.param(
        {"references__0__to": "bronze.other"}, ("references.status → bronze.other", "added, severity error", "writers"), id="to"
    ),
    pytest.param(
        {"parity": {"features": "features.x"}}, ("parity", "from none to with features.x, 200 rows", "writers"), id="parity"
    ),
    pytest.param(
        {"expectations__0__kwargs__max_value": 8}, (RANGE, "tightened: max_value from 9 to 8", "writers"), id="range tightened"
    ),
    pytest.param({"expectations__0__kwargs__max_value": 10}, (RANGE, "changed: max_value from 9 to 10", ""), id="loosened"),
    pytest.param({"expectations__0__kwargs__max_value": None}, (RANGE, "changed: max_value from 9 to None", ""), id="no maximum"),
    pytest.param({"expectations__0__kwargs__mostly": 0.9}, (RANGE, "changed: mostly from None to 0.9", ""), id="mostly"),
    pytest.param(
        {"expectations__0__kwargs__strict_min": True}, (RANGE, "tightened: strict_min from None to True", "writers"), id="unknown"
    ),
    pytest.param(
        {"expectations__0__kwargs__max_value": 8, "expectations__0__severity": "warn"},
        (RANGE, "changed: max_value from 9 to 8; severity from error to warn", ""),
        id="tighter as a warning",
    ),
    pytest.param({"expectations__0__reason": "r"}, (RANGE, "reason changed", ""), id="reason"),
    pytest.param({"expectations__0": None}, (RANGE, "removed", ""), id="expectation removed"),
    pytest.param(
        {"expectations__1__kwargs__value_set": ["a"]},
        (SET, "tightened: value_set from ['a', 'b'] to ['a']", "writers"),
        id="fewer values",
    ),
    pytest.param(
        {"expectations__1__kwargs__value_set": ["b", "a", "c"]},
        (SET, "changed: value_set from ['a', 'b'] to ['b', 'a', 'c']", ""),
        id="more values",
    ),
    pytest.param(
        {"expectations": [BETWEEN, IN_SET, BETWEEN]}, (f"{RANGE}'", "added, severity error", "writers"), id="expectation added"
    ),
    pytest.param({"profile": {"least": 3}}, ("profile", "changed", ""), id="profile"),
    pytest.param({"profile": False}, ("profile", "off now", ""), id="profile off"),
    pytest.param(
        {"profile": {"volume": {"severity": "error"}}},
        ("profile", "holds back what is unusual now: volume", "writers"),
        id="profile of severity error",
    ),
]


@pytest.mark.parametrize(("values", "expected"), CASES)
def test_a_change_is_told_with_whom_it_breaks(values: dict[str, Any], expected: tuple[str, str, str]) -> None:
    assert expected in compare(BEFORE, changed(**values))


def test_nothing_changed() -> None:
    assert compare(BEFORE, copy.deepcopy(BEFORE)) == []


def test_each_change_is_told_once() -> None:
    assert len(compare(BEFORE, changed(columns__miles=None, expectations__0=None, owner="p"))) == 3


def test_a_column_that_went_beside_another_that_came_is_not_renamed() -> None:
    columns = {name: column for name, column in BEFORE["columns"].items() if name != "miles"}
    found = compare(BEFORE, changed(columns={**columns, "seats": {"type": "bigint"}}, expectations__0=None))
    assert ("columns.miles", "removed", "readers") in found
    assert ("columns.seats", "added, bigint", "") in found


@pytest.mark.parametrize(
    ("version", "refused"),
    [pytest.param(1, True, id="same version"), pytest.param(2, False, id="higher version")],
)
def test_a_breaking_change_needs_a_higher_version(version: int, refused: bool) -> None:
    after = Contract.model_validate(changed(columns__miles__unit="km", version=version))
    assert bool(diff.refused(Contract.model_validate(BEFORE), after)) is refused


def test_a_lower_version_is_refused_even_if_nothing_else_changed() -> None:
    before = Contract.model_validate(changed(version=3))
    assert [change.what for change in diff.refused(before, Contract.model_validate(BEFORE))] == ["version"]


VIEW = {"entity": ["id"], "event_timestamp": "at", "ttl": "6h"}


@pytest.mark.parametrize(
    ("after", "change"),
    [
        pytest.param(None, ("feature_view", "removed", "readers"), id="removed"),
        pytest.param({**VIEW, "entity": ["status"]}, ("feature_view.entity", "from ['id'] to ['status']", "readers"), id="entity"),
        pytest.param(
            {**VIEW, "created_timestamp": "on"},
            ("feature_view.created_timestamp", "from none to on", "readers"),
            id="known otherwise",
        ),
        pytest.param({**VIEW, "ttl": "1d"}, ("feature_view.ttl", "from 6h to 1d", ""), id="ttl"),
    ],
)
def test_a_feature_view_that_is_found_otherwise_breaks_its_readers(after: Any, change: tuple[str, str, str]) -> None:
    assert compare(changed(feature_view=VIEW), changed(feature_view=after) if after else BEFORE) == [change]


def test_a_first_feature_view_breaks_nobody() -> None:
    assert compare(BEFORE, changed(feature_view=VIEW)) == [("feature_view", "added", "")]
