from __future__ import annotations

import pytest

from lakehouse.columntypes import normal


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("string", "string"),
        ("BIGINT", "bigint"),
        ("decimal(10, 2)", "decimal(10,2)"),
        ("array< string >", "array<string>"),
        ("map<string,array<int>>", "map<string,array<int>>"),
        ("struct<A:int, b:array<struct<c:decimal(38,0)>>>", "struct<A:int,b:array<struct<c:decimal(38,0)>>>"),
    ],
)
def test_a_type_has_one_spelling(text: str, spelled: str) -> None:
    assert normal(text) == spelled
    assert normal(spelled) == spelled


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("long", "Did you mean bigint"),
        ("str", "Did you mean string"),
        ("doubel", "Did you mean double"),
        ("xyz", "The plain ones are string"),
        ("decimal", "Did you mean decimal\\(10,0\\)"),
        ("decimal(39,0)", "out of range"),
        ("decimal(2,3)", "out of range"),
        ("array<int", "a > is missing"),
        ("array<>", "is not a type"),
        ("map<string>", "is not a type"),
        ("struct<int>", "write struct<name:type"),
        ("int>", "is too much"),
        ("", "is not a type"),
    ],
)
def test_other_types_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        normal(text)
