"""Where each column of an analyzed plan comes from, walked from the plan's leaves up. Nothing is asked of Spark here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lakehouse.errors import LakehouseError
from lakehouse.names import TableName
from lakehouse.spark import plantext
from lakehouse.spark.plantext import Item, Node

Sources = frozenset[tuple[TableName, str]]
NOTHING: Sources = frozenset()
READ = "lake.read "
"""How the plan calls the rows of a raw table, whose files it does not name: `lake.read raw.flights`."""

_AT_PATH = re.compile(r"delta\.`((?:[^`]|``)+)`")
_QUOTED = re.compile(r"`(?:[^`]|``)+`")
_SUBQUERY = re.compile(r"([a-z-]+)#(\d+) \[[^\]]*\]")
_SAME_ROWS = re.compile(
    "Filter|Sort|GlobalLimit|LocalLimit|Offset|Tail|Distinct|Deduplicate|Repartition|RepartitionByExpression"
    "|RebalancePartitions|Sample|ResolvedHint|View|SubqueryAlias|EventTimeWatermark"
)


@dataclass(frozen=True)
class Output:
    """What a node hands on: where each numbered column comes from, and in which order they stand (None: not told)."""

    sources: Mapping[int, Sources] = field(default_factory=dict)
    order: tuple[int, ...] | None = None

    def of(self, ids: Iterable[int]) -> Sources:
        return NOTHING.union(*(self.sources.get(one, NOTHING) for one in ids))


class Walk:
    """One walk from a plan's leaves up; `known` are the columns of checkpoints, by number."""

    def __init__(self, root: Path, known: Mapping[int, Sources]) -> None:
        self._tables, self._known = root / "tables", known
        self._done: dict[int, Output] = {}
        self._named: dict[str, Output] = {}  # the queries of a `with`, by their number

    def top(self, plan: Node) -> Output:
        for node in plantext.upwards(plan):
            below = [self._done[id(child)] for child in node.children]
            self._done[id(node)] = _OPERATORS.get(node.name, Walk._other)(self, node, below)
        return self._done[id(plan)]

    def _project(self, node: Node, below: list[Output]) -> Output:
        listed = plantext.items(node.text[1:-1])
        return self._listed(listed, self._seen(node, below)) if listed is not None else Output(_merged(below))

    def _aggregate(self, node: Node, below: list[Output]) -> Output:
        found = plantext.lists(node.text)
        listed = plantext.items(found[-1]) if found else None  # without groups there is only one list
        return self._listed(listed, self._seen(node, below)) if listed is not None else Output(_merged(below))

    def _window(self, node: Node, below: list[Output]) -> Output:
        found = plantext.lists(node.text)
        listed = plantext.items(found[0]) if found else None
        if listed is None:
            return Output(_merged(below))
        return _joined([*below, self._listed(listed, self._seen(node, below))])

    def _generate(self, node: Node, below: list[Output]) -> Output:
        before, _, last = node.text.rpartition("[")
        made = plantext.items(last.rstrip("]"))
        if made is None:
            return Output(_merged(below))
        sources = self._seen(node, below).of(plantext.numbers(before))
        return _joined([*below, Output({one.id: sources for one in made}, tuple(one.id for one in made))])

    def _expand(self, node: Node, below: list[Output]) -> Output:
        """`[[a#1, null], [a#1, b#2]], [a#3, b#4]`: each column comes from those in its place."""
        found = plantext.lists(node.text)
        made = plantext.items(found[1]) if found and len(found) == 2 else None
        if made is None:
            return Output(_merged(below))
        rows = [plantext.parts(row) for row in plantext.lists(found[0]) or ()]  # type: ignore[index]
        seen = _merged(below)
        sources = {
            one.id: Output(seen).of(number for row in rows for number in plantext.numbers(row[place]))
            for place, one in enumerate(made)
            if all(len(row) == len(made) for row in rows)
        }
        return Output(sources, tuple(one.id for one in made))

    def _union(self, node: Node, below: list[Output]) -> Output:
        """By place; its columns have the first one's numbers."""
        orders = [one.order for one in below]
        if any(order is None or len(order) != len(orders[0] or ()) for order in orders):
            return Output()
        places = zip(*(order for order in orders if order is not None), strict=True)
        gathered = [NOTHING.union(*(one.of([number]) for one, number in zip(below, place, strict=True))) for place in places]
        return Output(dict(zip(orders[0] or (), gathered, strict=True)), orders[0])

    def _except(self, node: Node, below: list[Output]) -> Output:
        return below[0]

    def _join(self, node: Node, below: list[Output]) -> Output:
        return below[0] if node.text.startswith(("LeftSemi", "LeftAnti")) else _joined(below)

    def _lateral_join(self, node: Node, below: list[Output]) -> Output:
        return _joined([*below, *(self._done[id(plan)] for plan in node.inner)])

    def _with(self, node: Node, below: list[Output]) -> Output:
        return below[-1]

    def _definition(self, node: Node, below: list[Output]) -> Output:
        self._named[node.text.partition(",")[0]] = below[0]
        return below[0]

    def _reference(self, node: Node, below: list[Output]) -> Output:
        number, _, _ = node.text.partition(",")
        defined, found = self._named.get(number), plantext.lists(node.text)
        listed = plantext.items(found[0]) if found else None
        if defined is None or listed is None or len(defined.order or ()) != len(listed):
            return Output()
        pairs = zip(listed, defined.order or (), strict=True)
        return Output({one.id: defined.of([number]) for one, number in pairs}, tuple(one.id for one in listed))

    def _alias(self, node: Node, below: list[Output]) -> Output:
        table = self._table(node.text)
        listed = _columns(node.children[0]) if table else None
        if table is None or listed is None:
            return below[0]
        return Output({one.id: frozenset([(table, one.name)]) for one in listed}, tuple(one.id for one in listed))

    def _relation(self, node: Node, below: list[Output]) -> Output:
        table, listed = self._table(node.text), _columns(node)
        sources = {one.id: frozenset([(table, one.name)]) for one in listed or () if table}
        return Output(sources, tuple(one.id for one in listed) if listed is not None else None)

    def _computed(self, node: Node, below: list[Output]) -> Output:
        listed = _columns(node)
        known = {one.id: self._known.get(one.id, NOTHING) for one in listed or ()}
        return Output(known, tuple(one.id for one in listed) if listed is not None else None)

    def _other(self, node: Node, below: list[Output]) -> Output:
        """A column that keeps its number is the same column; in which order they stand is known of some nodes only."""
        if _SAME_ROWS.fullmatch(node.name) and len(below) == 1:
            return below[0]
        return Output(_merged(below))

    def _seen(self, node: Node, below: list[Output]) -> Output:
        """What the expressions of a node may name: the columns below, and the values of its subqueries."""
        seen = _merged(below)
        asked = _SUBQUERY.findall(node.text)
        if len(asked) == len(node.inner):
            for (kind, number), plan in zip(asked, node.inner, strict=True):
                order = self._done[id(plan)].order
                if kind == "scalar-subquery" and order:
                    seen[int(number)] = self._done[id(plan)].of(order[:1])
        return Output(seen)

    def _listed(self, listed: list[Item], seen: Output) -> Output:
        sources = {}
        for one in listed:
            # A column of the name "c AS d" looks like an expression, but has its number already.
            as_it_is = one.expression is None or one.id in seen.sources
            sources[one.id] = seen.of([one.id] if as_it_is else plantext.numbers(_SUBQUERY.sub(r"\1#\2", one.expression or "")))
        return Output(sources, tuple(one.id for one in listed))

    def _table(self, text: str) -> TableName | None:
        """The table of ours that a relation's text names."""
        if text.strip("`").startswith(READ):
            with suppress(LakehouseError):  # a notebook's own name for something else
                return TableName.parse(text.strip("`").removeprefix(READ))
        match = _AT_PATH.search(text)
        path = Path(match[1].replace("``", "`")) if match else None
        if path is None or path.parent.parent != self._tables:
            return None
        return TableName(path.parent.name, path.name)


_OPERATORS: Mapping[str, Callable[[Walk, Node, list[Output]], Output]] = {
    "Project": Walk._project,
    "Aggregate": Walk._aggregate,
    "Window": Walk._window,
    "Generate": Walk._generate,
    "Expand": Walk._expand,
    "Union": Walk._union,
    "Intersect": Walk._union,
    "Except": Walk._except,
    "Join": Walk._join,
    "LateralJoin": Walk._lateral_join,
    "WithCTE": Walk._with,
    "CTERelationDef": Walk._definition,
    "CTERelationRef": Walk._reference,
    "SubqueryAlias": Walk._alias,
    "Relation": Walk._relation,
    "LogicalRDD": Walk._computed,
    "LocalRelation": Walk._computed,
}


def _columns(node: Node) -> list[Item] | None:
    """The columns that a relation lists, or a projection hands on as they are."""
    if node.name == "Project":
        return plantext.items(node.text[1:-1])
    _, found, after = _QUOTED.sub("", node.text).partition("[")
    return plantext.items(re.sub(r",\s*", ", ", after.rpartition("]")[0])) if found else None


def _merged(outputs: Iterable[Output]) -> dict[int, Sources]:
    return {number: sources for output in outputs for number, sources in output.sources.items()}


def _joined(outputs: list[Output]) -> Output:
    orders = [output.order for output in outputs]
    whole = None if None in orders else tuple(number for order in orders for number in order or ())
    return Output(_merged(outputs), whole)
