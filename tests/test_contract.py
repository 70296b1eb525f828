from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from lakehouse.contract import examine, load
from lakehouse.errors import ContractError
from lakehouse.names import TableName
from lakehouse.partitions import PartitionSpace, month

FLIGHTS = """\
table: silver.flights
description: One row per flight.
owner: flights@example.com
freshness: 45d
retention: 400d
version: 2
key: [flight_id]
partitions: {column: month, start: 2013-01, end: 2013-12}
backfill_chunk: 3
columns:
  flight_id: {type: string, nullable: false}
  month:     {type: string, nullable: false, description: Month of departure}
  dep_delay: {type: double, unit: minutes}
references:
  - {columns: [month], to: bronze.months, severity: warn}
expectations:
  - type: expect_column_values_to_be_between
    kwargs: {column: dep_delay, min_value: -120, max_value: 2000}
    severity: warn
    reason: Longer ones were typing errors.
"""


LISTED = "expectations:"


def profile(text: str) -> str:
    """The contract's list of expectations with a section before it."""
    return f"profile: {text}\n{LISTED}"


def write(folder: Path, text: str, name: str = "silver/flights") -> Path:
    path = folder / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_contract_says_all_a_reader_wants_to_know(tmp_path: Path) -> None:
    contract = load(write(tmp_path, FLIGHTS))
    assert contract.table == TableName("silver", "flights")
    assert contract.key == ("flight_id",)
    assert contract.partitions == PartitionSpace("month", month("2013-01"), month("2013-12"))
    assert contract.freshness == timedelta(days=45)
    assert (contract.retention, contract.version) == (timedelta(days=400), 2)
    assert contract.backfill_chunk == 3
    assert contract.columns["dep_delay"].unit == "minutes"
    assert contract.columns["dep_delay"].nullable
    assert contract.expectations[0].columns == ("dep_delay",)
    assert contract.expectations[0].severity == "warn"


def test_profiles_are_on_by_default_and_off_where_the_contract_says_so(tmp_path: Path) -> None:
    rules = load(write(tmp_path, FLIGHTS)).profile
    assert rules and (rules.threshold("distribution"), rules.measure, rules.severity_of("missing")) == (0.25, "psi", "warn")
    assert load(write(tmp_path, FLIGHTS.replace(LISTED, profile("off")))).profile is False
    own = load(write(tmp_path, FLIGHTS.replace(LISTED, profile("{missing: off, columns: {dep_delay: {distribution: 1}}}")))).profile
    assert own and own.rule("missing") is None
    assert (own.threshold("distribution", "dep_delay"), own.threshold("missing", "dep_delay")) == (1, None)
    assert own.threshold("distribution", "month") == 0.25


PROFILES = [
    pytest.param(
        "{bach: 3}",
        "unknown key 'profile.bach'. Did you mean batches?",
        id="unknown key of the profile",
    ),
    pytest.param(
        "{missing: {treshold: 1}}",
        "unknown key 'profile.missing.treshold'. Did you mean threshold?",
        id="unknown key of a rule",
    ),
    pytest.param(
        "{columns: {dep_delay: {mising: 1}}}",
        "unknown key 'profile.columns.dep_delay.mising'. Did you mean missing?",
        id="unknown rule of a column",
    ),
    pytest.param(
        "{distribution: {measure: chi}}",
        "profile.distribution.measure = 'chi': input should be 'psi'",
        id="distance",
    ),
    pytest.param(
        "{reference: {version: -1}}",
        "profile.reference.version = -1",
        id="pinned version",
    ),
    pytest.param(
        "{reference: {version: 1, partitions: 13-1}}",
        "profile.reference.partitions = '13-1': '13-1' is not a month",
        id="pinned months",
    ),
    pytest.param(
        "{columns: {dep_dely: off}}",
        "profile.columns.dep_dely: 'dep_dely' is not one of the columns. Did you mean dep_delay?",
        id="column of the profile",
    ),
    pytest.param(
        "{by: mont}",
        "profile.by: 'mont' is not one of the columns. Did you mean month?",
        id="by of no column",
    ),
]


@pytest.mark.parametrize(("text", "message"), PROFILES)
def test_a_mistake_in_what_it_says_of_profiles_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ContractError) as caught:
        load(write(tmp_path, FLIGHTS.replace(LISTED, profile(text))))
    assert f"line 16: {message}" in caught.value.what


def test_a_personal_column_does_not_part_the_profiles(tmp_path: Path) -> None:
    text = FLIGHTS.replace("unit: minutes", "personal: true").replace(LISTED, profile("{by: dep_delay}"))
    with pytest.raises(ContractError, match="dep_delay is personal: its values would be told"):
        load(write(tmp_path, text))


VIEW = """\
table: features.weather
description: Weather.
owner: o
key: [origin, known_at]
feature_view:
  entity: [origin]
  event_timestamp: hour
  created_timestamp: known_at
  ttl: 6h
columns:
  origin: {type: string, nullable: false}
  hour: {type: timestamp, nullable: false}
  known_at: {type: timestamp, nullable: false}
  gust: {type: double, impute: {constant: 0}}
  wind: {type: double, impute: mean}
"""


def test_a_feature_view_says_whose_its_rows_are_and_since_when(tmp_path: Path) -> None:
    contract = load(write(tmp_path, VIEW, "features/weather"))
    view = contract.feature_view
    assert view and (view.entity, view.created, view.ttl) == (("origin",), "known_at", timedelta(hours=6))
    shorter = VIEW.replace("  created_timestamp: known_at\n  ttl: 6h\n", "").replace("[origin, known_at]", "[origin, hour]")
    view = load(write(tmp_path, shorter, "features/weather")).feature_view
    assert view and (view.created, view.ttl) == ("hour", None)


VIEWS = [
    pytest.param("entity", "entities", 6, "unknown key 'feature_view.entities'. Did you mean entity", id="unknown key"),
    pytest.param("[origin]", "[]", 6, "feature_view.entity = []", id="no entity"),
    pytest.param("[origin]", "[orign]", 6, "'orign' is not one of the columns. Did you mean origin?", id="entity"),
    pytest.param("event_timestamp: hour", "event_timestamp: hours", 7, "'hours' is not one of the columns", id="event"),
    pytest.param("6h", "90m", 9, "feature_view.ttl = '90m': write a span such as 12h", id="ttl"),
    pytest.param("[origin, known_at]", "[origin, wind]", 4, "the key ['origin', 'wind'] is not made of entity", id="key"),
    pytest.param("key: [origin, known_at]", "version: 1", 5, "the key [] is not made of entity", id="no key"),
    pytest.param(
        "hour: {type: timestamp,", "hour: {type: date,", 7, "hour is date, which is no moment. Write type: timestamp", id="a date"
    ),
    pytest.param(
        "hour: {type: timestamp, nullable: false}", "hour: {type: timestamp}", 12,
        "columns.hour may be null, but it is part of the feature view", id="event null",
    ),
    pytest.param("table: features.", "table: gold.", 5, "gold.weather is not in the layer features", id="layer"),
    pytest.param("impute: mean", "impute: average", 15, "columns.wind.impute = 'average': input should be 'mean'", id="impute"),
    pytest.param("{constant: 0}", "{constnat: 0}", 14, "unknown key 'columns.gust.impute.constnat'", id="unknown key of impute"),
    pytest.param("{constant: 0}", "{constant: none}", 14, "gust is double, the constant is 'none'", id="constant of another type"),
    pytest.param("{type: double, impute: mean}", "{type: string, impute: mean}", 15, "wind is string: it has no mean", id="mean"),
    pytest.param("double, impute: {constant: 0}", "int, impute: {constant: .5}", 14, "the constant is 0.5", id="no whole number"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "instead", "line", "message"), VIEWS)
def test_a_mistake_in_a_feature_view_is_told_with_its_line(
    tmp_path: Path, text: str, instead: str, line: int, message: str
) -> None:
    assert text in VIEW
    with pytest.raises(ContractError) as caught:
        load(write(tmp_path, VIEW.replace(text, instead, 1), "features/weather"))
    said = [one for one in caught.value.what.splitlines() if one.startswith(f"  line {line}: ")]
    assert any(message in one for one in said), caught.value.what


def test_the_shortest_contract(tmp_path: Path) -> None:
    text = "table: gold.a\ndescription: d\nowner: o\ncolumns: {x: {type: int}}\n"
    contract = load(write(tmp_path, text, "gold/a"))
    assert (contract.key, contract.partitions, contract.freshness, contract.expectations) == ((), None, None, ())


MISTAKES = [
    pytest.param("unit:", "unti:", 13, "unknown key 'columns.dep_delay.unti'. Did you mean unit?", id="unknown key in a column"),
    pytest.param("owner:", "ower:", 3, "unknown key 'ower'. Did you mean owner?", id="unknown key at the top"),
    pytest.param("owner:", "ower:", 1, "owner is missing", id="missing key"),
    pytest.param("start:", "begin:", 8, "unknown key 'partitions.begin'", id="unknown key of the partitions"),
    pytest.param("    reason:", "    cause:", 20, "unknown key 'expectations.0.cause'", id="unknown key of an expectation"),
    pytest.param("2013-01", "2013-1", 8, "partitions.start = '2013-1': '2013-1' is not a month", id="bad month"),
    pytest.param("end: 2013-12", "end: 2012-12", 8, "end (2012-12) before they start", id="backwards"),
    pytest.param("column: month", "column: months", 8, "'months' is not one of the columns. Did you mean month?", id="partitions"),
    pytest.param("[flight_id]", "[flight]", 7, "'flight' is not one of the columns. Did you mean flight_id?", id="key"),
    pytest.param("column: dep_delay", "column: dep_dely", 18, "'dep_dely' is not one of the columns", id="expectation"),
    pytest.param("double", "long", 13, "columns.dep_delay.type = 'long'", id="type"),
    pytest.param("severity: warn\n", "severity: warning\n", 19, "should be 'error', 'warn' or 'quarantine'", id="severity"),
    pytest.param("expect_column", "column", 17, "is not an expectation", id="expectation's name"),
    pytest.param("45d", "45", 4, "write a span such as 12h, 45d or 2w", id="freshness"),
    pytest.param("nullable: false}", "nullable: 'no'}", 11, "columns.flight_id.nullable = 'no'", id="text for a boolean"),
    pytest.param(
        "nullable: false}", "nullable: true}", 11, "columns.flight_id may be null, but it is part of the key", id="nullable key"
    ),
    pytest.param(
        "type: string, nullable: false, d", "type: date, nullable: false, d", 12, "Write type: string", id="partition type"
    ),
    pytest.param("backfill_chunk: 3", "backfill_chunk: 0", 9, "backfill_chunk = 0", id="chunk"),
    pytest.param("  dep_delay: {", "  dep delay: {", 13, "'dep delay' is not a column's name", id="column's name"),
    pytest.param("freshness: 45d", "owner: other", 4, "owner stands here twice", id="key twice"),
    pytest.param("silver.flights", "silver.flight", 1, "the path says silver.flights. Write table: silver.flights", id="path"),
    pytest.param("silver.flights", "flights", 1, "'flights' is not a name of a table", id="name"),
    pytest.param("silver.flights", "raw.flights", 1, "raw files are declared as a Source", id="raw"),
    pytest.param("{column: month,", "{column: month,,", 8, "not valid YAML", id="YAML"),
    pytest.param("One row per flight.", "''", 2, "description = ''", id="empty"),
    pytest.param("400d", "4y", 5, "retention = '4y': write a span", id="retention"),
    pytest.param("version: 2", "version: 0", 6, "version = 0", id="version"),
    pytest.param("to: bronze", "table: bronze", 15, "unknown key 'references.0.table'", id="unknown key of a reference"),
    pytest.param("to: bronze.months", "to: months", 15, "references.0.to = 'months'", id="table of a reference"),
    pytest.param("to: bronze.months", "to: raw.months", 15, "only tables have a contract", id="reference to raw"),
    pytest.param("unit: minutes", "known_at: left_at", 13, "known_at: 'left_at' is not a column of type timestamp", id="moment"),
    pytest.param(
        "description: Month of departure", "known_at: dep_delay", 12, "month names the row, so it is known", id="known in part"
    ),
    pytest.param("backfill_chunk: 3", "known_at: dep_delay", 9, "'dep_delay' is not a column of type timestamp", id="rows' moment"),
    pytest.param("[month]", "[mont]", 15, "references.0.columns: 'mont' is not one of the columns", id="reference"),
    pytest.param("[month]", "[]", 15, "references.0.columns = []", id="reference of no column"),
    pytest.param("to: bronze", "to_columns: [a, b], to: bronze", 15, "columns names 1, to_columns 2", id="other columns"),
]


@pytest.mark.parametrize(("text", "instead", "line", "message"), MISTAKES)
def test_a_mistake_is_told_with_its_line_key_and_value(tmp_path: Path, text: str, instead: str, line: int, message: str) -> None:
    assert text in FLIGHTS
    path = write(tmp_path, FLIGHTS.replace(text, instead, 1))
    with pytest.raises(ContractError) as caught:
        load(path)
    assert str(path) in caught.value.what
    said = [one for one in caught.value.what.splitlines() if one.startswith(f"  line {line}: ")]
    assert any(message in one for one in said), caught.value.what
    assert "pydantic" not in str(caught.value)
    assert line in {finding.line for finding in examine(path, "c.yaml")[1]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"- a\n", "a contract is a mapping", id="list"),
        pytest.param(b"", "a contract is a mapping", id="empty"),
        pytest.param(b"\xff\xfe\xfa", "not valid YAML", id="not text"),
        pytest.param(b"a: !!python/object/apply:os.system ['ls']", "not valid YAML", id="an object"),
        pytest.param(b"? [a]\n: b", "not valid YAML", id="a list as a key"),
        pytest.param(b"a: &x [*x]", "nested too deeply", id="alias to itself"),
    ],
)
def test_a_file_that_is_no_contract_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = write(tmp_path, "")
    path.write_bytes(content)
    with pytest.raises(ContractError, match=message):
        load(path)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = FLIGHTS.replace("double", "long").replace("owner:", "ower:")
    assert {finding.line for finding in examine(write(tmp_path, text), "c.yaml")[1]} == {1, 3, 13}


def test_a_contract_in_no_layers_folder_is_to_be_moved(tmp_path: Path) -> None:
    (finding,) = examine(write(tmp_path, FLIGHTS, "flights"), "c.yaml")[1]
    assert finding.hint == "Move the file to assets/contracts/silver/flights.yaml."
