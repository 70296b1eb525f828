from __future__ import annotations

import pytest

from lakehouse.where import FilterError, condition

COLUMNS = ["carrier", "month", "is_late", "distance", "departure"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("carrier='UA' and month = '2013-02'", "carrier = 'UA' AND month = '2013-02'"),
        ("is_late", "is_late"),
        ("not is_late or Carrier in ('A', 'B')", "NOT is_late OR Carrier IN ('A', 'B')"),
        ("(carrier is not null) -- a comment", "(NOT carrier IS NULL)"),
        ("departure >= timestamp '2013-02-01 10:00:00'", "departure >= CAST('2013-02-01 10:00:00' AS TIMESTAMP)"),
        ("lower(carrier) = 'ua' and distance * 1.6 > 100", "LOWER(carrier) = 'ua' AND distance * 1.6 > 100"),
        ("carrier = 'a\\'b'", "carrier = 'a\\'b'"),
    ],
)
def test_a_condition_is_written_anew(text: str, meant: str) -> None:
    assert condition(text, COLUMNS) == meant


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("month in (select month from gold.x)", "holds a query", id="subquery"),
        pytest.param("exists (select 1)", "holds a query", id="exists"),
        pytest.param("distance > (select 1)", "holds a query", id="scalar subquery"),
        pytest.param("carrier = 'a' union select 1", "holds a query", id="union"),
        pytest.param("select 1", "holds a query", id="query"),
        pytest.param("1 = 1; drop table x", "2 statements", id="statements"),
        pytest.param("", "0 statements", id="empty"),
        pytest.param("carrier = 'a') or (1 = 1", "cannot be parsed", id="closing bracket"),
        pytest.param("carrier = 'a", "cannot be parsed", id="open quote"),
        pytest.param("delay > 1", "'delay', which is no column", id="unknown column"),
        pytest.param("t.carrier = 'a'", "'t.carrier', which is no column", id="qualified"),
        pytest.param("distance + 1", "is not true or false", id="number"),
        pytest.param("'true'", "is not true or false", id="text"),
        pytest.param("count(*) > 1", "COUNT", id="aggregate"),
        pytest.param("sum(distance) over () > 1", "OVER", id="window"),
        pytest.param("java_method('java.lang.System', 'exit') = ''", "JAVA_METHOD", id="other function"),
        pytest.param("explode(carrier) = 'a'", "EXPLODE", id="generator"),
        pytest.param("carrier = :x", ":x", id="placeholder"),
        pytest.param("(" * 5000 + "is_late" + ")" * 5000, "", id="too deep"),
    ],
)
def test_what_is_more_than_a_condition_is_refused(text: str, message: str) -> None:
    with pytest.raises(FilterError) as caught:
        condition(text, COLUMNS)
    assert message in caught.value.what and caught.value.hint


def test_a_misspelt_column_is_helped() -> None:
    with pytest.raises(FilterError) as caught:
        condition("carier = 'UA'", COLUMNS)
    assert caught.value.hint == "Did you mean carrier?"
