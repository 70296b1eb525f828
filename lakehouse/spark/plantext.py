"""Spark's analyzed plan, read from the text in which Spark tells it: a tree of nodes, and the lists they hold.

Over Spark Connect the text is all there is: what the client holds has neither SQL text parsed nor names resolved. In
the text each column carries a number that is nobody else's (`carrier#12`, a bigint `flights#7L`). Literals stand in it
without quotes, so lists are only split where that is certain; where it is not, None is returned, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_HEADER, _NEXT = "\n== Analyzed Logical Plan ==\n", "\n== Optimized Logical Plan =="
_LINE = re.compile(r"((?::  |   )*)(?:[:+]- )(.*)", re.DOTALL)
_OPENING, _CLOSING = "([{", ")]}"
_ENDS = re.compile(r"#\d+L?(?=, |$)")
_ITEM = re.compile(r"(?:(?P<expression>.*) AS )?(?P<name>.*)#(?P<id>\d+)L?", re.DOTALL)
# What in a user's own literals or SQL would look like the plan's own lines.
MISLEADING = re.compile(rb"\n(?::  |   )*[:+]- |\n== [A-Z]")


@dataclass
class Node:
    """One operator: `name` and the rest of its text; `inner` are the plans of the subqueries in its expressions."""

    name: str
    text: str
    depth: int = 0
    children: list[Node] = field(default_factory=list)
    inner: list[Node] = field(default_factory=list)


@dataclass(frozen=True)
class Item:
    """A column in a list: its number and name, and the expression that it stands for (None: a column as it is)."""

    id: int
    name: str
    expression: str | None


def analyzed(explained: str) -> Node | None:
    """The analyzed plan in the text of an extended explanation; None where it has none, or its lines make no tree."""
    _, _, after = explained.partition(_HEADER)
    body, found, _ = after.partition(_NEXT)
    lines = body.rstrip("\n").split("\n")[1:]  # the first line lists the columns
    if not found or not lines:
        return None
    nodes: list[Node] = []
    for line in lines:
        match = _LINE.fullmatch(line)
        if match:
            nodes.append(_node(match[2], len(match[1]) // 3 + 1))
        elif nodes:
            nodes[-1].text += f"\n{line}"  # a literal with a line break
        else:
            nodes.append(_node(line, 0))
    return nodes[0] if _grown(nodes) else None


def _node(line: str, depth: int) -> Node:
    word = re.match(r"'?\w+", line)
    name = word[0] if word else ""
    return Node(name, line[len(name) :].strip(), depth)


def _grown(nodes: list[Node]) -> bool:
    """Hangs each node under its own: a child is one level deeper, a subquery's plan two."""
    above: list[Node] = nodes[:1]
    for node in nodes[1:]:
        while above and above[-1].depth >= node.depth:
            above.pop()
        if not above or node.depth - above[-1].depth > 2:
            return False
        (above[-1].children if node.depth - above[-1].depth == 1 else above[-1].inner).append(node)
        above.append(node)
    return True


def upwards(root: Node) -> Iterator[Node]:
    """Every node after all below it, the first below first; plans can be deeper than Python's stack."""
    waiting = [(root, False)]
    while waiting:
        node, seen = waiting.pop()
        if seen:
            yield node
            continue
        waiting.append((node, True))
        waiting += [(below, False) for below in reversed((*node.inner, *node.children))]


def lists(text: str) -> list[str] | None:
    """The contents of the outermost `[…]` of a node's text; None where brackets do not pair."""
    found, depth, begun = [], 0, -1
    for index, sign in enumerate(text):
        if sign in _OPENING:
            if depth == 0 and sign == "[":
                begun = index
            depth += 1
        elif sign in _CLOSING:
            depth -= 1
            if depth < 0:
                return None
            if depth == 0 and begun >= 0 and sign == "]":
                found.append(text[begun + 1 : index])
                begun = -1
    return found if depth == 0 else None


def items(listed: str) -> list[Item] | None:
    """The columns of a list such as `a#1, upper(b#2) AS c#3`; None where its parts cannot be told apart."""
    if not listed:
        return []
    found, begun, depth, at = [], 0, 0, 0
    for end in _ENDS.finditer(listed):
        depth += _depth(listed[at : end.end()])
        at = end.end()
        if depth < 0:
            return None
        if depth == 0:
            match = _ITEM.fullmatch(listed[begun:at])
            assert match is not None
            found.append(Item(int(match["id"]), match["name"], match["expression"]))
            begun = at + 2
    return found if begun == len(listed) + 2 else None


def _depth(text: str) -> int:
    return sum(text.count(sign) for sign in _OPENING) - sum(text.count(sign) for sign in _CLOSING)


def parts(listed: str) -> list[str]:
    """A list's parts between the commas that stand in no bracket."""
    found, begun, depth = [], 0, 0
    for index, sign in enumerate(listed):
        depth += (sign in _OPENING) - (sign in _CLOSING)
        if sign == "," and depth == 0:
            found.append(listed[begun:index].strip())
            begun = index + 1
    return [*found, listed[begun:].strip()]


def numbers(text: str) -> list[int]:
    """The numbers of the columns that stand in an expression, and any other `#` with a number."""
    return [int(found) for found in re.findall(r"#(\d+)", text)]
