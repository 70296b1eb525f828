from __future__ import annotations

import ast
import json
import math
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from papermill.translators import PythonTranslator

from lakehouse.errors import ParameterError
from lakehouse.parameters import Parameter, ParameterType, bind, to_injectable
from lakehouse.partitions import month

BASES: dict[str, st.SearchStrategy[Any]] = {
    "str": st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",))),
    "int": st.integers(),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "bool": st.booleans(),
    "date": st.dates(),
    "datetime": st.datetimes(timezones=st.sampled_from([None, UTC])),
    "month": st.dates(date(1, 1, 1)).map(month.of),
}
TYPED = st.sampled_from(sorted(BASES)).flatmap(
    lambda base: st.one_of(
        BASES[base].map(lambda value: (ParameterType(base), value)),
        st.lists(BASES[base]).map(lambda values: (ParameterType(base, many=True), values)),
    )
)


@given(TYPED)
def test_a_value_comes_back_from_its_injected_form(typed: tuple[ParameterType, Any]) -> None:
    kind, value = typed
    injected = to_injectable(value)
    assert type(injected) in (str, int, float, bool, list)
    assert kind.coerce(injected) == value
    assert kind.coerce(json.loads(json.dumps(injected))) == value


@given(TYPED)
def test_an_injected_value_is_a_literal_and_never_code(typed: tuple[ParameterType, Any]) -> None:
    injected = to_injectable(typed[1])
    code = PythonTranslator.codify({"name": injected})
    (statement,) = ast.parse(code).body
    assert isinstance(statement, ast.Assign)
    assert ast.literal_eval(statement.value) == injected


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("int", " 42 ", 42),
        ("int", "-7", -7),
        ("float", "1e-3", 0.001),
        ("float", ".5", 0.5),
        ("float", 3, 3.0),
        ("bool", "True", True),
        ("bool", "false", False),
        ("str", "2013", "2013"),
        ("str", "", ""),
        ("date", "2013-02-28", date(2013, 2, 28)),
        ("datetime", "2013-02-28T13:45:00+00:00", datetime(2013, 2, 28, 13, 45, tzinfo=UTC)),
        ("datetime", "2013-02-28", datetime(2013, 2, 28)),  # noqa: DTZ001
        ("month", "2013-02", "2013-02"),
        ("list[month]", "2013-02", ["2013-02"]),
        ("list[month]", "2013-01..2013-03", ["2013-01", "2013-02", "2013-03"]),
        ("list[month]", "2013-01,2013-03", ["2013-01", "2013-03"]),
        ("list[month]", '["2013-01"]', ["2013-01"]),
        ("list[int]", "1, 2", [1, 2]),
        ("list[int]", "[1, 2]", [1, 2]),
        ("list[str]", '["a,b", "c"]', ["a,b", "c"]),
        ("list[str]", "[]", []),
        ("list[date]", ("2013-02-28",), [date(2013, 2, 28)]),
    ],
)
def test_text_becomes_a_typed_value(kind: str, text: object, value: object) -> None:
    found = ParameterType.parse(kind).coerce(text)
    assert found == value
    assert type(found) is type(value) or isinstance(found, month)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", "4.2"),
        ("int", 4.0),
        ("int", True),
        ("int", math.nan),
        ("int", "1_000"),
        ("int", "٣"),
        ("int", None),
        ("float", math.nan),
        ("float", "inf"),
        ("float", "nan"),
        ("float", 10**400),
        ("float", False),
        ("bool", 1),
        ("bool", "yes"),
        ("str", 7),
        ("str", "a\x00b"),
        ("date", "20130228"),
        ("date", "2013-02-30"),
        ("date", datetime(2013, 2, 28)),  # noqa: DTZ001
        ("datetime", "yesterday"),
        ("datetime", date(2013, 2, 28)),
        ("month", "2013-13"),
        ("month", "__import__('os')"),
        ("list[int]", "1,,2"),
        ("list[int]", ""),
        ("list[int]", 1),
        ("list[int]", "[1, "),
        ("list[int]", '{"a": 1}'),
        ("list[month]", "2013-03..2013-01"),
        ("list[month]", [201302]),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(kind: str, value: object) -> None:
    with pytest.raises(ParameterError, match="Parameter size = "):
        ParameterType.parse(kind).coerce(value, "size")


@pytest.mark.parametrize("annotation", ["dict", "list", "list[list[int]]", "str | None", "pd.DataFrame", "lst[int]", ""])
def test_other_types_are_refused(annotation: str) -> None:
    with pytest.raises(ParameterError, match="is not a type of a parameter\nUse str, int, float"):
        ParameterType.parse(annotation)


@given(st.sampled_from([ParameterType(base, many) for base in BASES for many in (False, True)]))
def test_a_type_is_read_back_from_its_text(kind: ParameterType) -> None:
    assert ParameterType.parse(str(kind)) == kind


PARAMETERS = (
    Parameter("months", ParameterType("month", many=True), [month("2013-02")]),
    Parameter("minutes", ParameterType("int"), 15),
)


def test_samples_fill_what_is_not_given() -> None:
    assert bind(PARAMETERS, {"minutes": "30"}) == {"months": ["2013-02"], "minutes": 30}


def test_an_unknown_parameter_is_answered_with_the_nearest_and_all_there_are() -> None:
    with pytest.raises(ParameterError) as caught:
        bind(PARAMETERS, {"month": "2013-02"}, "notebooks/silver/flights.ipynb")
    assert str(caught.value) == (
        "notebooks/silver/flights.ipynb has no parameter 'month'\nIt has months: list[month], minutes: int. Did you mean months?"
    )


def test_a_notebook_without_parameters_says_so() -> None:
    with pytest.raises(ParameterError, match="It takes none"):
        bind((), {"x": "1"})


def test_what_is_no_parameter_cannot_be_injected() -> None:
    with pytest.raises(ParameterError, match="cannot be handed to a notebook"):
        to_injectable(object())
