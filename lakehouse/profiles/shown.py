"""A profile for people: a line for each column, with its shape in one word of blocks. For the terminal and for Dagster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from lakehouse.profiles import bins
from lakehouse.profiles.measured import Measured, percent
from lakehouse.profiles.profile import Batch, ColumnProfile

HEADERS = ("column", "missing", "distinct", "values", "shape", "distance")
_BLOCKS = "▁▂▃▄▅▆▇█"
_FREQUENT, _BARS = 3, 12


def lines(batch: Batch, measured: Iterable[Measured]) -> Iterator[tuple[str, ...]]:
    """One line of HEADERS for each column; `measured` gives the distances."""
    apart = {one.column: one for one in measured if one.kind == "distribution"}
    for name, column in batch.columns.items():
        filled = batch.filled(name)
        missing = percent(column.missing / batch.rows) if column.missing else ""
        distance = f"{apart[name].observed:.2f}" if name in apart else ""
        yield name, missing, f"{column.distinct:,}", _values(column, filled), shape(column, filled), distance


def _values(column: ColumnProfile, filled: int) -> str:
    if column.kind == "time" and column.low is not None and column.high is not None:
        return f"{_moment(column.low)} to {_moment(column.high)}"
    if column.quantiles:
        low, middle, high = (column.quantiles[at] for at in (0, 50, 100))
        return f"{low:.4g} … {middle:.4g} … {high:.4g}"
    if column.kind != "text" or not filled:
        return "(personal)" if column.kind == "personal" else ""
    frequent = sorted(column.values.items(), key=lambda item: -item[1])[:_FREQUENT]
    if not frequent:  # none of them has a share to speak of
        return "many"
    several = column.distinct > len(frequent)
    return ", ".join(f"{_short(value)} {percent(rows / filled)}" for value, rows in frequent) + (" …" if several else "")


def _short(value: str) -> str:
    return value if len(value) <= 20 else f"{value[:19]}…"


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


def shape(column: ColumnProfile, filled: int) -> str:
    """Its histogram, or how rows go down from its most frequent value, as blocks."""
    if column.quantiles:
        return blocks(bins.histogram(column, filled, _BARS))
    return blocks(sorted(column.values.values(), reverse=True)[:_BARS]) if column.distinct > 1 and column.values else ""


def blocks(numbers: Sequence[float]) -> str:
    """A block for each number, as high as it is beside the largest."""
    top = max(numbers, default=0)
    return "".join(_BLOCKS[round(number / top * (len(_BLOCKS) - 1))] for number in numbers) if top > 0 else ""


def markdown(batch: Batch, measured: Iterable[Measured]) -> str:
    """The lines as a table in Markdown; values are text of others, so that no character of theirs means anything."""
    table = [HEADERS, ("---",) * len(HEADERS), *lines(batch, measured)]
    return "\n".join("| " + " | ".join(map(_plain, line)) + " |" for line in table)


def _plain(text: str) -> str:
    return "".join(f"&#{ord(character)};" if character in "|<>&[]()!*_`\\#~\n\r" else character for character in text)
