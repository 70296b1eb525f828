from __future__ import annotations

import pytest

from lakehouse.spark import plantext
from lakehouse.spark.plantext import MISLEADING, Item, items, lists

EXPLAINED = """== Parsed Logical Plan ==
'Project [*]

== Analyzed Logical Plan ==
month: string, most: bigint
Project [month#1, scalar-subquery#9 [] AS most#7L]
:  +- Aggregate [max(value#3L) AS max(value)#8L]
:     +- Relation [value#3L] parquet
+- Join Inner, (month#1 = month#2)
   :- Filter (note#4 = two
lines)
   :  +- Relation [month#1,note#4] parquet
   +- Relation [month#2] parquet

== Optimized Logical Plan ==
LocalRelation <empty>
"""


def test_lines_make_a_tree_of_operators_and_subqueries() -> None:
    plan = plantext.analyzed(EXPLAINED)
    assert plan is not None
    (join,) = plan.children
    assert (plan.name, join.name, [node.name for node in plan.inner]) == ("Project", "Join", ["Aggregate"])
    assert [child.name for child in join.children] == ["Filter", "Relation"]
    assert join.children[0].text == "(note#4 = two\nlines)"
    named = [node.name for node in plantext.upwards(plan)]
    assert named == ["Relation", "Aggregate", "Relation", "Filter", "Relation", "Join", "Project"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("== Physical Plan ==\nScan", id="no analyzed plan"),
        pytest.param("\n== Analyzed Logical Plan ==\na: int\n", id="cut off"),
        pytest.param("\n== Analyzed Logical Plan ==\na: int\nA\n         +- B\n\n== Optimized Logical Plan ==", id="no tree"),
    ],
)
def test_what_is_no_plan_is_none(text: str) -> None:
    assert plantext.analyzed(text) is None


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        pytest.param("a#1, b#2L", [Item(1, "a", None), Item(2, "b", None)], id="columns"),
        pytest.param("concat(a#1, , , b#2) AS c#3, d#4", [Item(3, "c", "concat(a#1, , , b#2)"), Item(4, "d", None)], id="commas"),
        pytest.param("CASE WHEN a#1 THEN x, y END AS c#3", [Item(3, "c", "CASE WHEN a#1 THEN x, y END")], id="bare comma"),
        pytest.param("(a#1 = b AS c) AS d#2", [Item(2, "d", "(a#1 = b AS c)")], id="as in a literal"),
        pytest.param("no dep_delay, of all#1L", [Item(1, "no dep_delay, of all", None)], id="name"),
        pytest.param("", [], id="nothing"),
        pytest.param("split(a#1, () AS b#2, c#3", None, id="open bracket in a literal"),
        pytest.param("split(a#1, )) AS b#2, c#3", None, id="closed bracket in a literal"),
    ],
)
def test_a_list_is_split_where_that_is_certain(listed: str, expected: list[Item] | None) -> None:
    assert items(listed) == expected


def test_lists_are_the_outermost_brackets() -> None:
    assert lists("[a#1[0], b#2], [c#3]") == ["a#1[0], b#2", "c#3"]
    assert lists("[a#1, ]]") is None


@pytest.mark.parametrize(
    ("text", "misleads"),
    [(b"select a\n   +- b", True), (b"x\n== Optimized", True), (b"select a +- b == C", False), (b"select a\n  from b", False)],
)
def test_what_looks_like_the_plans_own_lines_is_known(text: bytes, misleads: bool) -> None:
    assert bool(MISLEADING.search(text)) == misleads
