from __future__ import annotations

import pickle

import pytest

from lakehouse.sqlnames import SqlError, tables


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        pytest.param("select * from silver.flights", ["silver.flights"], id="plain"),
        pytest.param("select 'silver.x' -- silver.y\nfrom gold.z /* silver.w */", ["gold.z"], id="strings and comments"),
        pytest.param("select * from `silver`.`flights` f", ["`silver`.`flights`"], id="back quotes"),
        pytest.param("select * from silver . flights", ["silver . flights"], id="spaces"),
        pytest.param("with f as (select * from silver.a) select * from f join silver.b", ["silver.a", "silver.b"], id="CTE"),
        pytest.param("with F as (select 1) select * from f", [], id="CTE in another case"),
        pytest.param("select * from a, lateral (select 1)", None, id="one part"),
        pytest.param("select '日本😀é', x from silver.a", ["silver.a"], id="text beyond ASCII before it"),
        pytest.param("select * from silver.a where k in (select k from gold.b)", ["silver.a", "gold.b"], id="subquery"),
        pytest.param("select * from silver.a union all select * from silver.a", ["silver.a"] * 2, id="twice"),
        pytest.param("select * from silver.a version as of 3", ["silver.a"], id="time travel"),
        pytest.param("from silver.a select x", ["silver.a"], id="from first"),
        pytest.param("select * from range(10)", [], id="table function"),
        pytest.param("select * from values (1, 2) as t(a, b)", [], id="values"),
        pytest.param("select x from silver.a lateral view explode(xs) t as x", ["silver.a"], id="lateral view"),
        pytest.param("select * from silver.a where m = :month", ["silver.a"], id="named argument"),
    ],
)
def test_names_are_found_with_their_places(sql: str, found: list[str] | None) -> None:
    if found is None:
        with pytest.raises(SqlError):
            tables(sql)
        return
    assert [sql[ref.start : ref.end] for ref in tables(sql)] == found


def test_what_follows_a_name_is_told() -> None:
    first, second, third = tables("select * from silver.a x, silver.b version as of 2, silver.c timestamp as of '2013-01-01' t")
    assert (first.has_alias, first.has_version) == (True, False)
    assert (second.has_alias, second.has_version) == (False, True)
    assert (third.has_alias, third.has_version) == (True, True)


@pytest.mark.parametrize(
    ("sql", "message", "line"),
    [
        pytest.param("select\nfrom where", "cannot be parsed at line 2", 2, id="syntax"),
        pytest.param("select 'x", "cannot be parsed", 1, id="open quote"),
        pytest.param("select *\nfrom flights", "'flights' in the SQL is neither layer.name nor a CTE", 2, id="one part"),
        pytest.param("select * from cat.silver.flights", "'cat.silver.flights' in the SQL is neither", 1, id="three parts"),
        pytest.param("select 1\nfrom sliver.flights", "'sliver.flights' is not a name of a table", 2, id="layer"),
        pytest.param("select * from delta.`/tmp/x`", "is not a name of a table", 1, id="path"),
        pytest.param("select * from explore.tour", "is a folder of notebooks", 1, id="explore"),
        pytest.param("insert into silver.a select 1", "lake.sql takes one query, this is INSERT", 1, id="insert"),
        pytest.param("drop table silver.a", "this is DROP", 1, id="drop"),
        pytest.param("select 1; select 2", "this is 2 statements", 1, id="two"),
        pytest.param("", "this is 0 statements", 1, id="empty"),
        pytest.param("select * from identifier('silver.a')", "hides which table is read", 1, id="identifier"),
        pytest.param("select silver.a.x from silver.a", "is qualified by layer and table", 1, id="qualified column"),
        pytest.param("select * from silver.a tablesample (5 rows)", "without an alias", 1, id="sample without alias"),
    ],
)
def test_names_that_cannot_be_followed_are_refused(sql: str, message: str, line: int) -> None:
    with pytest.raises(SqlError, match=message) as caught:
        tables(sql)
    assert caught.value.line == line
    assert pickle.loads(pickle.dumps(caught.value)).line == line


def test_fields_of_a_struct_are_no_qualified_columns() -> None:
    assert len(tables("select x.address.street from silver.a x")) == 1
