"""Types of columns as Spark SQL writes them: `string`, `bigint`, `decimal(10,2)`, `array<struct<a:int>>`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from lakehouse.names import nearest

PLAIN = (
    "string", "boolean", "tinyint", "smallint", "int", "bigint", "float", "double",
    "date", "timestamp", "timestamp_ntz", "binary",
)  # fmt: skip
# What people write who come from elsewhere.
_OTHER_NAMES = {
    "str": "string", "text": "string", "varchar": "string", "bool": "boolean", "byte": "tinyint", "short": "smallint",
    "integer": "int", "int32": "int", "long": "bigint", "int64": "bigint", "real": "float", "float32": "float",
    "float64": "double", "number": "double", "datetime": "timestamp", "decimal": "decimal(10,0)",
}  # fmt: skip


def _any_case(words: Iterable[str]) -> str:
    return "|".join("".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in word) for word in words)


PATTERN = rf"^\s*({_any_case(PLAIN)}|({_any_case(['decimal'])})\s*\(.*\)|({_any_case(['array', 'map', 'struct'])})\s*<.*>)\s*$"
"""What an editor can tell of a type, in any case; only `normal` knows whether its brackets close."""


def normal(text: str) -> str:
    """The type's one spelling (no spaces, lower case). Raises ValueError, with the nearest type, for anything else."""
    squeezed = re.sub(r"\s+", "", text)
    rest = _take(squeezed)
    if rest:
        raise ValueError(f"{text!r} is not a type of Spark SQL: {rest!r} is too much")
    return re.sub(r"[^<:,>]+(?=[<,>]|$)", lambda found: found[0].lower(), squeezed)


# For each type those that hold all its values exactly.
_WIDER = {
    "tinyint": ("smallint", "int", "bigint", "float", "double"), "smallint": ("int", "bigint", "float", "double"),
    "int": ("bigint", "double"), "float": ("double",),
}  # fmt: skip
_WHOLE_DIGITS = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 19}


def is_wider(before: str, after: str) -> bool:
    """Whether every value of type `before` is one of type `after` too; both as `normal` spells them.

    Arrays are as their items; other nested types are wider only where they are the same.
    """
    if before == after or after in _WIDER.get(before, ()):
        return True
    if before.startswith("array<") and after.startswith("array<"):
        return is_wider(before[6:-1], after[6:-1])
    old, new = _digits(before), _digits(after)
    return bool(old and new and after.startswith("decimal") and new[0] >= old[0] and new[1] >= old[1])


def _digits(text: str) -> tuple[int, int] | None:
    """Digits before and after the point of an exact number."""
    if text in _WHOLE_DIGITS:
        return _WHOLE_DIGITS[text], 0
    found = re.fullmatch(r"decimal\((\d+),(\d+)\)", text)
    return (int(found[1]) - int(found[2]), int(found[2])) if found else None


def _take(text: str) -> str:
    """What is left of `text` after the one type it begins with."""
    word = re.match(r"[\w]*", text)[0]  # type: ignore[index]  # matches the empty text too
    kind, rest = word.lower(), text[len(word) :]
    if kind in PLAIN:
        return rest
    if kind == "decimal" and (digits := re.match(r"\((\d{1,2}),(\d{1,2})\)", rest)):
        if 0 < int(digits[1]) <= 38 and int(digits[2]) <= int(digits[1]):
            return rest[digits.end() :]
        raise ValueError(f"decimal{digits[0]} is out of range: at most 38 digits, no more of them after the point")
    if kind == "array" and rest.startswith("<"):
        return _closed(_take(rest[1:]), text)
    if kind == "map" and rest.startswith("<"):
        value = _take(rest[1:])
        if value.startswith(","):
            return _closed(_take(value[1:]), text)
    if kind == "struct" and rest.startswith("<"):
        return _closed(_fields(rest[1:], text), text)
    raise ValueError(f"{text!r} is not a type of Spark SQL. {_suggestion(kind)}")


def _fields(text: str, whole: str) -> str:
    while True:
        field = re.match(r"\w+:", text)
        if not field:
            raise ValueError(f"{whole!r} is not a type of Spark SQL: write struct<name:type,…>")
        text = _take(text[field.end() :])
        if not text.startswith(","):
            return text
        text = text[1:]


def _closed(rest: str, whole: str) -> str:
    if not rest.startswith(">"):
        raise ValueError(f"{whole!r} is not a type of Spark SQL: a > is missing")
    return rest[1:]


def _suggestion(kind: str) -> str:
    near = [_OTHER_NAMES[kind]] if kind in _OTHER_NAMES else nearest(kind, PLAIN)
    return f"Did you mean {' or '.join(near)}?" if near else f"The plain ones are {', '.join(PLAIN)}."
