from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lakehouse.errors import LakehouseError, ParameterError, PartitionError, UndeclaredTable, UnknownName
from tests.notebooks import MONTHS, contract, document, notebook
from tests.workspace import IMPORTS, PARAMETERS, VALUES, Workspace, monthly, rows

SOURCES = """
    from lakehouse.partitions import PartitionSpace
    from lakehouse.source import Delivery, Source

    def of(month):
        yield Delivery("it's + 1%.csv", f"id,value\\n{month[-1]},1.5\\n".encode())

    things = Source("raw.things", of, partitions=PartitionSpace("month", "2013-01", "2013-03"), options={"header": "true"})
"""
ALL = "select concat('2013-0', 1 + id % 3) as month, id, cast(id as double) as value from range(9)"
READS = monthly(
    "gold/reads",
    'own = lake.read("silver.things")',
    'every = lake.read("silver.things", partitions="all")',
    'until = lake.read("silver.things", partitions="until")',
    'window = lake.read("silver.things", partitions=(-1, 0))',
    'raw = lake.read("raw.things")',
    'lake.write(own.select("id"), "gold.reads")',
)


@pytest.fixture(scope="module")
def place(new_workspace: Callable[[str], Workspace]) -> Workspace:
    """silver.things with three rows in each of three months, in a lake whose path is hard to quote."""
    made = new_workspace("a lake's {place}")
    contracts = {
        "silver.things": contract("silver.things", VALUES, partitions=MONTHS),
        "silver.half": contract("silver.half", VALUES, partitions=MONTHS),
        "silver.never": contract("silver.never", VALUES, partitions=MONTHS),
        "gold.reads": contract("gold.reads"),
    }
    cells = [rows(ALL), "df = df.where(df.month.isin(months))"]
    written = {
        "silver/things": monthly("silver/things", *cells, 'lake.write(df, "silver.things")'),
        "silver/half": monthly("silver/half", *cells, 'lake.write(df, "silver.half")'),
        "gold/reads": READS,
        "explore/tour": document('import lakehouse\nlake = lakehouse.open("explore/tour")'),
    }
    made.write(written, contracts, SOURCES)
    made.run("silver/things", months=["2013-01", "2013-02", "2013-03"])
    made.run("silver/half", months=["2013-02"])
    return made


def months_of(frame: Any) -> list[str]:
    return sorted({row.month for row in frame.select("month").distinct().collect()})


def reader(
    place: Workspace, months: str = "2013-02", reads: str = "silver.things", name: str = "gold/reader", **values: Any
) -> Any:
    """The lake of a notebook that reads a table."""
    place.write({name: monthly(name, f'x = lake.read("{reads}")')}, {name.replace("/", "."): contract(name.replace("/", "."))})
    return place.open(name, months=[months], **values)


@pytest.mark.parametrize(
    ("coverage", "month", "months"),
    [
        pytest.param("own", "2013-02", ["2013-02"], id="own"),
        pytest.param("all", "2013-02", ["2013-01", "2013-02", "2013-03"], id="all"),
        pytest.param("until", "2013-02", ["2013-01", "2013-02"], id="until"),
        pytest.param((-1, 0), "2013-03", ["2013-02", "2013-03"], id="window"),
        pytest.param((-1, 0), "2013-01", ["2013-01"], id="window at the start"),
        pytest.param((-2, -1), "2013-03", ["2013-01", "2013-02"], id="window before"),
    ],
)
def test_a_read_covers_what_it_says(place: Workspace, coverage: Any, month: str, months: list[str]) -> None:
    lake = reader(place, month)
    assert months_of(lake.read("silver.things", partitions=coverage)) == months
    assert months_of(lake.sql("select t.month from silver.things t", partitions=coverage)) == months


def test_a_query_names_tables_as_they_are_called(place: Workspace) -> None:
    lake = reader(place)
    query = """
        with things as (select * from silver.things where value > 2.0)  -- not silver.things
        select 'silver.things' as word, count(*) as n, max(b.id) as top
        from things join `silver`.`things` b using (id)
    """
    (row,) = lake.sql(query).collect()
    assert (row.word, row.n, row.top) == ("silver.things", 2, 7)


def test_all_reads_of_a_run_see_the_version_it_pinned(place: Workspace) -> None:
    lake = reader(place)
    before = lake.read("silver.things").count()
    place.run("silver/things", months=["2013-02"])
    place.write({"silver/things": monthly("silver/things", rows(ALL + " where id < 2"), 'lake.write(df, "silver.things")')}, {})
    place.run("silver/things", months=["2013-01", "2013-02"])
    assert lake.read("silver.things").count() == before == 3
    assert lake.sql("select * from silver.things").count() == before
    assert reader(place).read("silver.things").count() == 1
    place.write({"silver/things": monthly("silver/things", rows(ALL), 'lake.write(df, "silver.things")')}, {})
    place.run("silver/things", months=["2013-01", "2013-02", "2013-03"])


def test_raw_files_come_as_text_with_where_they_are_from(place: Workspace) -> None:
    place.land("raw.things", "2013-01", "2013-02")
    lake = reader(place, reads="raw.things")
    (row,) = lake.read("raw.things").collect()
    assert (row.id, row.value) == ("2", "1.5")
    assert row._source_file.startswith("things/2013-02/")
    assert len(row._source_sha256) == 64
    assert row._received_at is not None
    assert lake.read("raw.things", partitions="all").count() == 2


@pytest.mark.parametrize(
    ("table", "month", "message", "hint"),
    [
        pytest.param(
            "silver.never", "2013-02", r"Table silver\.never has not been built", "lakehouse run silver/never", id="table"
        ),
        pytest.param(
            "silver.half",
            "2013-01",
            r"silver\.half has not been built for 2013-01",
            "silver/half --partition 2013-01..2013-01",
            id="month",
        ),
        pytest.param(
            "silver.thigns", "2013-01", r"Table silver\.thigns has not been built", "Did you mean silver.things", id="near"
        ),
    ],
)
def test_what_was_not_built_is_told_when_the_lake_is_opened(
    place: Workspace, table: str, month: str, message: str, hint: str
) -> None:
    with pytest.raises(UnknownName, match=message) as caught:
        reader(place, month, table)
    assert hint in caught.value.hint


def test_raw_files_that_did_not_land_are_told(place: Workspace) -> None:
    with pytest.raises(UnknownName, match=r"2013-03") as caught:
        reader(place, "2013-03", "raw.things").read("raw.things")
    assert "lakehouse run raw/things" in caught.value.hint


@pytest.mark.parametrize("target", ["lake", "sandbox"])
@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(lambda lake: lake.read("silver.half"), r"reader\.ipynb, here: read of silver\.half", id="read"),
        pytest.param(lambda lake: lake.sql("select * from silver.half"), r"reader\.ipynb, here: read of silver\.half", id="sql"),
        pytest.param(
            lambda lake: lake.write(lake.spark.range(1), "gold.other"), r"reader\.ipynb, here: write of gold\.other", id="write"
        ),
        pytest.param(lambda lake: lake.log_model(1, "models.m"), r"reader\.ipynb, here: log_model of models\.m", id="log_model"),
        pytest.param(lambda lake: lake.load_model("models.m"), r"reader\.ipynb, here: load_model of models\.m", id="load_model"),
        pytest.param(
            lambda lake: lake.sql("select * from silver.things version as of 0"), "names a version of silver.things", id="version"
        ),
    ],
)
def test_what_the_notebooks_text_does_not_name_is_refused(
    place: Workspace, call: Callable[[Any], Any], message: str, target: str
) -> None:
    with pytest.raises(UndeclaredTable, match=message):
        call(reader(place, target=target))


def test_what_the_text_names_since_is_told_to_open_again(place: Workspace) -> None:
    lake = reader(place)
    reader(place, reads="silver.half")
    with pytest.raises(UndeclaredTable, match="newer than this session") as caught:
        lake.read("silver.half")
    assert 'lake = lakehouse.open("gold/reader")' in caught.value.hint


PARAMETER_CASES = [
    pytest.param({"months": "2013-01..2013-03"}, {"months": ["2013-01", "2013-02", "2013-03"]}, id="range of text"),
    pytest.param({"months": ["2013-02", "2013-01", "2013-02"]}, {"months": ["2013-01", "2013-02"]}, id="sorted, once"),
    pytest.param({"day": "2013-02-28", "share": 1}, {"share": 1.0}, id="typed"),
]


@pytest.fixture
def typed(place: Workspace) -> str:
    parameters = f'{PARAMETERS}\nday: date = "2013-01-31"\nshare: float = 0.5'
    made = notebook(
        "gold/typed", 'x = lake.read("silver.things")', parameters=parameters, imports=f"from datetime import date\n{IMPORTS}"
    )
    place.write({"gold/typed": made}, {"gold.typed": contract("gold.typed", partitions=MONTHS)})
    return "gold/typed"


@pytest.mark.parametrize(("values", "bound"), PARAMETER_CASES)
def test_parameters_become_their_types(place: Workspace, typed: str, values: dict[str, Any], bound: dict[str, Any]) -> None:
    found = place.open(typed, **values).parameters
    assert {name: found[name] for name in bound} == bound
    assert type(found["day"]).__name__ == "date"


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        pytest.param({"months": ["2014-01"]}, PartitionError, "Partition 2014-01 does not exist", id="no such month"),
        pytest.param({"months": "x"}, ParameterError, "months", id="no month"),
        pytest.param({"share": "much"}, ParameterError, "share", id="no number"),
        pytest.param({"day": "2013-02-30"}, ParameterError, "day", id="no day"),
    ],
)
def test_wrong_parameters_are_refused_at_the_open(
    place: Workspace, typed: str, values: dict[str, Any], kind: type[LakehouseError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        place.open(typed, **values)


def test_a_name_without_a_notebook_is_told_with_the_nearest(place: Workspace) -> None:
    with pytest.raises(UnknownName, match="There is no notebook silver/thing") as caught:
        place.open("silver/thing")
    assert "Did you mean silver.things" in caught.value.hint


def test_where_one_is_is_said_in_the_sandbox_only(place: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    place.open("silver/things", months=["2013-02"])
    assert capsys.readouterr().out == ""
    place.open("silver/things", target="sandbox", months=["2013-02"])
    said = capsys.readouterr().out
    assert "silver/things, partitions 2013-02" in said
    assert "writes go to your sandbox" in said


def test_tables_history_and_time_travel_are_for_exploring(place: Workspace) -> None:
    lake = place.open("explore/tour")
    found = lake.tables().set_index("table")
    assert found.loc["silver.things", "rows"] == 9
    assert found.loc["silver.half", ["version", "place"]].tolist() == [0, "lake"]
    history = lake.history("silver.things")
    assert history.version.tolist() == list(range(len(history)))[::-1]
    first = history.iloc[-1]
    assert (first["rows"], first.notebook, first.partitions) == (9, "silver.things", "2013-01, 2013-02, 2013-03")
    assert lake.read("silver.things", version=0).count() == 9
    assert lake.sql("select * from silver.things version as of 0").count() == 9
    assert lake.read("silver.things").count() == 9
