"""What a contract says of features: whose they are, when each was true and known, and how a missing one is filled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Discriminator, Field, Tag

from lakehouse.contracts.values import Span, Strict
from lakehouse.yamllines import Place

if TYPE_CHECKING:
    from lakehouse.contract import Contract

LAYER = "features"
_WHOLE = ("tinyint", "smallint", "int", "bigint")
_NUMBERS = (*_WHOLE, "float", "double", "decimal")


class FeatureView(Strict):
    """Makes the table a feature view: rows that `lake.features` finds by entity, as they were known at a moment."""

    entity: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]
    """The columns that name whom a row tells of."""
    event_timestamp: str
    """The column that says when what the row tells was true; of several rows the newest event counts."""
    created_timestamp: str | None = None
    """The column that says when the row became known; left out, at its event."""
    ttl: Span | None = None
    """How long after its event a row counts, such as 6h; left out, for ever."""

    @property
    def created(self) -> str:
        """The column that says when a row became known."""
        return self.created_timestamp or self.event_timestamp

    @property
    def times(self) -> dict[str, str]:
        """The columns of moments by the key that names them."""
        named = {"event_timestamp": self.event_timestamp, "created_timestamp": self.created_timestamp}
        return {key: column for key, column in named.items() if column}


class Constant(Strict):
    """One value for all that are missing."""

    constant: bool | int | float | str
    """The value, of the column's type."""


Impute = Annotated[
    Annotated[Literal["mean", "median", "most_frequent"], Tag("[learnt]")] | Annotated[Constant, Tag("[constant]")],
    Discriminator(lambda value: "[constant]" if isinstance(value, (dict, Constant)) else "[learnt]"),
]


def named(view: FeatureView | None) -> Iterator[tuple[Place, str]]:
    """The columns that a view is made of, each with its place in the contract."""
    if view is not None:
        yield from ((("feature_view", "entity", str(number)), name) for number, name in enumerate(view.entity))
        yield from ((("feature_view", key), name) for key, name in view.times.items())


def mistakes(contract: Contract) -> Iterator[tuple[Place, str, str]]:
    """What no single value of the section and of `impute` can tell: where, a sentence, what to do."""
    yield from _view(contract)
    for name, column in contract.columns.items():
        at = ("columns", name, "impute")
        if column.impute in ("mean", "median") and column.type.partition("(")[0] not in _NUMBERS:
            yield at, f"{name} is {column.type}: it has no {column.impute}", "Write most_frequent, or {constant: …}."
        if isinstance(column.impute, Constant) and not _fits(column.impute.constant, column.type):
            message = f"{name} is {column.type}, the constant is {column.impute.constant!r}"
            yield at, message, "Write a value of the column's type."


def _fits(value: object, kind: str) -> bool:
    if isinstance(value, bool) or kind == "boolean":
        return isinstance(value, bool) and kind == "boolean"
    if kind.partition("(")[0] in _NUMBERS:
        return isinstance(value, int if kind in _WHOLE else int | float)
    return isinstance(value, str)


def _view(contract: Contract) -> Iterator[tuple[Place, str, str]]:
    view = contract.feature_view
    if view is None:
        return
    if contract.table.layer != LAYER:
        message = f"feature_view: {contract.table} is not in the layer {LAYER}"
        yield ("feature_view",), message, f"Move the table to {LAYER}.{contract.table.name}, or take the section away."
    for key, name in view.times.items():
        if name in contract.columns and contract.columns[name].type != "timestamp":
            message = f"feature_view.{key}: {name} is {contract.columns[name].type}, which is no moment"
            yield ("feature_view", key), message, "Write type: timestamp, a moment in UTC."
    names = list(dict.fromkeys([*view.entity, *view.times.values()]))
    if not contract.key or not set(contract.key) <= set(names):
        # Else two rows could tell different things of one entity, event and moment, and chance would choose.
        message = f"feature_view: the key {list(contract.key)} is not made of entity and timestamps"
        yield ("key",) if contract.key else ("feature_view",), message, f"Write key: [{', '.join(names)}], or a part of these."
