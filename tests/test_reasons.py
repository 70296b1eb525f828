from __future__ import annotations

import pytest

from lakehouse import reasons
from lakehouse.names import TableName
from lakehouse.reasons import Change, Reason

TABLE = TableName("silver", "things")


def test_code_that_came_went_or_changed_is_named() -> None:
    then, now = {"code cell 1": "a", "code cell 2": "b", "x.py": "c"}, {"code cell 1": "a", "code cell 2": "d", "y.py": "e"}
    (found,) = reasons.code(then, now)
    assert found.changes == (Change("code cell 2", "b", "d"), Change("x.py", "c", None), Change("y.py", None, "e"))
    assert str(found) == "code changed: code cell 2, x.py, y.py"
    assert reasons.code({"x.py": "a"}, {"x.py": "a"}) == ()


@pytest.mark.parametrize(
    ("then", "now", "covered", "parts"),
    [
        pytest.param({"2013-01": 0, "2013-02": 0}, {"2013-01": 0, "2013-02": 3}, None, ["2013-02"], id="moved"),
        pytest.param({"2013-01": 0}, {"2013-01": 0, "2013-02": 0}, None, ["2013-02"], id="new"),
        pytest.param({"2013-01": 0, "2013-02": 0}, {"2013-01": 0}, ["2013-02"], ["2013-02"], id="gone"),
        pytest.param({"2013-01": 0, "2013-02": 0}, {"2013-01": 0}, ["2013-01"], None, id="not read any more"),
        pytest.param({"*": 4}, {"*": 4}, None, None, id="same"),
    ],
)
def test_an_input_moves_part_by_part(
    then: dict[str, int], now: dict[str, int], covered: list[str] | None, parts: list[str] | None
) -> None:
    found = reasons.moved(TABLE, then, now, covered)
    assert [change.part for reason in found for change in reason.changes] == (parts or [])
    assert len(found) == bool(parts)


def test_reasons_of_several_partitions_become_one() -> None:
    january, february = (Reason("input", TABLE, (Change(key, 0, 1),)) for key in ("2013-01", "2013-02"))
    forced = Reason("forced")
    (both, other) = reasons.merged([january, february, january, forced])
    assert both == Reason("input", TABLE, january.changes + february.changes)
    assert (str(both), other) == ("silver.things changed (2013-01, 2013-02)", forced)


def test_many_parts_are_told_in_short() -> None:
    (found,) = reasons.moved(TABLE, {}, {f"2013-{number:02d}": 1 for number in range(1, 15)}, None)
    assert str(found).endswith("2013-12 and 2 more)")
