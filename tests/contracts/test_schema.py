from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from lakehouse.contract import Contract
from lakehouse.contracts.schema import schema
from tests.contracts.test_diff import BEFORE, changed

_CONTRACTS = Path(__file__).parents[2] / "assets" / "contracts"
PATHS = sorted(path for path in _CONTRACTS.glob("*/*.yaml") if path.parent.name != "models")
VALIDATOR = jsonschema.Draft202012Validator(schema())


def test_it_is_a_json_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_it_accepts_every_shipped_contract(path: Path) -> None:
    VALIDATOR.validate(yaml.safe_load(path.read_text(encoding="utf-8")))


ACCEPTED = [
    pytest.param({}, id="as it is"),
    pytest.param({"columns__miles__type": "BIGINT"}, id="type in capitals"),
    pytest.param({"columns__miles__type": "decimal(10, 2)"}, id="decimal"),
    pytest.param({"columns__miles__type": "array<struct<a:int,b:map<string,int>>>"}, id="nested type"),
    pytest.param({"table": "silver/flights"}, id="name with a slash"),
    pytest.param({"freshness": "12h", "retention": "400d", "backfill_chunk": 3, "version": 7}, id="spans and counts"),
    pytest.param({"known_at": "at", "columns__at": {"type": "timestamp", "known_at": "at"}}, id="moments"),
    pytest.param({"partitions__end": None}, id="no end"),
    pytest.param({"profile": False}, id="no profile"),
    pytest.param({"profile": {"by": "status", "missing": {"threshold": 0.1}, "volume": False}}, id="profile"),
    pytest.param({"profile": {"columns": {"miles": False, "status": {"categories": 1}}}}, id="profile of columns"),
    pytest.param({"profile": {"reference": {"version": 3, "partitions": "2013-01..2013-03"}}}, id="pinned profile"),
    pytest.param({"feature_view": {"entity": ["id"], "event_timestamp": "at", "ttl": "6h"}}, id="feature view"),
    pytest.param({"columns__miles__impute": {"constant": 0}, "columns__status__impute": "most_frequent"}, id="imputation"),
]


@pytest.mark.parametrize("values", ACCEPTED)
def test_it_accepts_what_the_loader_accepts(values: dict[str, Any]) -> None:
    content = changed(**values)
    Contract.model_validate(content)
    VALIDATOR.validate(content)


REFUSED = [
    pytest.param({"owner": None}, id="missing key"),
    pytest.param({"ower": "o"}, id="unknown key"),
    pytest.param({"columns__miles__unti": "m"}, id="unknown key of a column"),
    pytest.param({"references__0__table": "x"}, id="unknown key of a reference"),
    pytest.param({"expectations__0__cause": "x"}, id="unknown key of an expectation"),
    pytest.param({"partitions__begin": "2013-01"}, id="unknown key of the partitions"),
    pytest.param({"table": "raw.flights"}, id="raw"),
    pytest.param({"table": "flights"}, id="no layer"),
    pytest.param({"description": ""}, id="empty"),
    pytest.param({"version": 0}, id="version 0"),
    pytest.param({"version": "1"}, id="version as text"),
    pytest.param({"freshness": "45"}, id="span without unit"),
    pytest.param({"retention": "1y"}, id="span in years"),
    pytest.param({"backfill_chunk": 0}, id="chunk of none"),
    pytest.param({"partitions__start": "2013-1"}, id="month"),
    pytest.param({"columns__miles__known_at": True}, id="moment that is no text"),
    pytest.param({"columns": {}}, id="no column"),
    pytest.param({"columns__dep delay": {"type": "int"}}, id="column's name"),
    pytest.param({"columns__miles__type": "long"}, id="type"),
    pytest.param({"columns__miles__nullable": "no"}, id="text for a boolean"),
    pytest.param({"references__0__to": "states"}, id="reference without layer"),
    pytest.param({"references__0__columns": []}, id="reference of nothing"),
    pytest.param({"expectations__0__severity": "warning"}, id="severity"),
    pytest.param({"expectations__0__type": "column_values"}, id="expectation's name"),
    pytest.param({"key": "id"}, id="key as text"),
    pytest.param({"profile": True}, id="profile on"),
    pytest.param({"feature_view": {"entity": ["id"]}}, id="feature view without event"),
    pytest.param({"feature_view": {"entity": [], "event_timestamp": "at"}}, id="feature view of nobody"),
    pytest.param({"columns__miles__impute": "average"}, id="imputation's name"),
    pytest.param({"columns__miles__impute": {"value": 0}}, id="imputation's key"),
    pytest.param({"profile": {"bins": 3}}, id="unknown key of the profile"),
    pytest.param({"profile": {"missing": 0.1}}, id="rule without a name"),
    pytest.param({"profile": {"distribution": {"measure": "chi"}}}, id="distance"),
    pytest.param({"profile": {"reference": "last"}}, id="reference"),
    pytest.param({"profile": {"reference": {"version": 1, "partitions": "2013"}}}, id="pinned months"),
]


@pytest.mark.parametrize("values", REFUSED)
def test_it_refuses_what_the_loader_refuses(values: dict[str, Any]) -> None:
    content = changed(**values)
    with pytest.raises(ValueError, match="validation error"):
        Contract.model_validate(copy.deepcopy(content))
    assert not VALIDATOR.is_valid(content)
    assert VALIDATOR.is_valid(BEFORE)


def test_every_key_is_explained_to_the_editor() -> None:
    parts = [schema(), *schema()["$defs"].values()]
    assert [name for part in parts for name, about in part["properties"].items() if not about.get("description")] == []
