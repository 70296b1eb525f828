from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse import contract as form
from lakehouse.contract import Contract
from lakehouse.contracts import draft
from lakehouse.contracts.seen import Rows, Seen, look
from lakehouse.errors import ContractError, UnknownName
from lakehouse.names import TableName
from lakehouse.partitions import PartitionSpace, month
from tests.notebooks import MONTHS, contract, document, notebook
from tests.workspace import Workspace, monthly, rows

NAME = TableName("gold", "t")


def understood(text: str, folder: Path, table: TableName = NAME) -> Contract:
    """The draft as `lakehouse check` would read it."""
    path = folder / f"{table.slashed}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return form.load(path)


def test_what_was_seen_becomes_a_contract(tmp_path: Path) -> None:
    seen = (
        Seen("id", "bigint", 0, 1, 900),
        Seen("month", "string", 0, values=("2013-01", "2013-02")),
        Seen("delay", "double", 4, -3.5, 60),
        Seen("status", "string", 0, values=("late", "no", "on: time")),
        Seen("email", "string", 0, values=("a@b.c",)),
        Seen("_received_at", "timestamp", 0),
    )
    space = PartitionSpace("month", month("2013-01"), month("2013-02"))
    made = understood(draft.text(NAME, Rows(900, seen, ("id",)), "gold.t", space), tmp_path)
    assert (made.key, made.partitions) == (("id",), space)
    assert [name for name, column in made.columns.items() if column.nullable] == ["delay"]
    assert [name for name, column in made.columns.items() if column.personal] == ["email"]
    assert {one.columns[0]: (one.severity, one.reason) for one in made.expectations} == {
        "delay": ("warn", "As seen in 900 rows."),
        "status": ("warn", "As seen in 900 rows."),
    }
    assert made.expectations[0].kwargs == {"column": "delay", "min_value": -3.5, "max_value": 60}
    assert made.expectations[1].kwargs["value_set"] == ["late", "no", "on: time"]


@pytest.mark.parametrize(
    ("name", "personal"),
    [
        *[
            (name, True)
            for name in ("email", "user_email", "phone_number", "name", "last_name", "birth_date", "Address", "username")
        ],
        *[(name, False) for name in ("carrier_name", "renamed", "nameplate", "filename", "telephoned", "tail_number")],
    ],
)
def test_personal_columns_are_guessed_by_name_and_their_values_not_told(name: str, personal: bool) -> None:
    text = draft.text(NAME, Rows(100, (Seen(name, "string", 0, values=("Ada",)),), ()), "gold.t")
    assert ("personal: true}  # personal by its name: is it?" in text) is personal
    assert ("Ada" in text) is not personal


def test_names_and_types_that_a_contract_does_not_know_are_told(tmp_path: Path) -> None:
    names = {"Dep. Delay": "Dep__Delay", "Dep- Delay": "Dep__Delay_2", "nothing": "nothing", "2nd": "_2nd", "on": "on"}
    seen = tuple(Seen(name, "void" if name == "nothing" else "string", 0) for name in names)
    text = draft.text(NAME, Rows(9, seen, ()), "x")
    assert list(understood(text, tmp_path).columns) == list(names.values())
    assert "# in the data it is 'Dep. Delay'" in text and "# in the data it is void" in text


def test_of_no_rows_nothing_is_promised(tmp_path: Path) -> None:
    seen = Seen("id", "int", 0), Seen("month", "string", 0)
    text = draft.text(NAME, Rows(0, seen, ()), "gold.t", PartitionSpace("month", month("2013-01")))
    made = understood(text, tmp_path)
    assert (made.key, made.columns["id"].nullable, made.expectations) == ((), True, ())
    assert not made.columns["month"].nullable


LOOKED = [
    pytest.param("select id, id * 2 as twice from range(500)", ("id",), id="one column"),
    pytest.param("select id % 20 as a, 'x' as same, id div 20 as b from range(400)", ("a", "b"), id="two columns"),
    pytest.param("select id % 8 as a, (id div 8) % 8 as b, id div 64 as c from range(512)", ("a", "b", "c"), id="three columns"),
    pytest.param("select id div 2 as a, 1 as b from range(400)", (), id="none"),
    pytest.param("select nullif(id, 3L) as a, concat('n', id) as code from range(400)", ("code",), id="a null is in no key"),
    pytest.param("select id / 7 as share, id as row_id from range(400)", ("row_id",), id="a measure is no key"),
    pytest.param("select 1 as a where false", (), id="no rows"),
]


@pytest.mark.parametrize(("select", "key"), LOOKED)
def test_the_smallest_unique_set_of_columns_is_found(place: Workspace, select: str, key: tuple[str, ...]) -> None:
    assert look(place.open("gold/t").spark.sql(select)).key == key


def test_each_column_is_seen_in_one_pass(place: Workspace) -> None:
    select = """select id, if(id < 3, null, id / 4) as share, cast(id as decimal(9,2)) as price, id % 2 = 0 as even,
        concat('s', id % 3) as status, concat('t', id) as text, array(id) as list, map('a', id) as more,
        cast('NaN' as double) as broken, date'2013-01-01' as day, `id` as `odd name` from range(1000)"""
    found = {one.name: one for one in look(place.open("gold/t").spark.sql(select)).columns}
    assert found["id"] == Seen("id", "bigint", 0, 0, 999)
    assert found["share"] == Seen("share", "double", 3, 0.75, 249.75)
    assert found["price"] == Seen("price", "decimal(9,2)", 0, 0, 999)
    assert found["status"] == Seen("status", "string", 0, values=("s0", "s1", "s2"))
    assert found["text"] == Seen("text", "string", 0)
    assert found["broken"] == Seen("broken", "double", 0)
    assert {found[name].type for name in ("even", "list", "more", "day", "odd name")} == {
        "boolean",
        "array<bigint>",
        "map<string,bigint>",
        "date",
        "bigint",
    }


SOURCE = """
    from lakehouse.source import Delivery, Source

    def deliver(partition):
        yield Delivery("things.csv", b"id,word\\n" + b"\\n".join(b"%d,w%d" % (n, n % 2) for n in range(40)))

    things = Source("raw.things", deliver, options={"header": True})
    empty = Source("raw.empty", deliver)
"""


@pytest.fixture(scope="module")
def place(new_workspace: Callable[[str], Workspace]) -> Workspace:
    """gold.t published by month with a contract; gold.mine only in the sandbox; raw.things landed."""
    made = new_workspace("draft")
    select = "select '2013-01' as month, id, id * 1.5d as value from range(40)"
    promise = contract("gold.t", {"id": "bigint", "value": "double"}, partitions=MONTHS)
    mine = document('import lakehouse\nlake = lakehouse.open("explore/e")\nlake.write(lake.spark.range(5), "gold.mine")')
    made.write({"gold/t": monthly("gold/t", rows(select), 'lake.write(df, "gold.t")')}, {"gold.t": promise}, SOURCE)
    made.write({"explore/e": mine, "gold/u": notebook("gold/u")}, {})
    made.run("gold/t")
    made.run("explore/e", target="sandbox")
    made.land("raw.things")
    return made


def test_a_published_table_keeps_its_partitions(place: Workspace, tmp_path: Path) -> None:
    text = draft.draft(place.settings, NAME)
    assert text.startswith("# Drafted from gold.t, version 0 in the lake: 40 rows.")
    made = understood(text, tmp_path)
    assert made.partitions == PartitionSpace("month", month("2013-01"), month("2013-03"))
    assert (made.key, {name: column.type for name, column in made.columns.items()}) == (
        ("id",),
        {"id": "bigint", "value": "double", "month": "string"},
    )


def test_a_table_without_contract_in_the_sandbox(place: Workspace, tmp_path: Path) -> None:
    text = draft.draft(place.settings, TableName("gold", "mine"))
    assert "version 0 in your sandbox: 5 rows" in text
    assert understood(text, tmp_path, TableName("gold", "mine")).key == ("id",)


def test_raw_files_draft_the_contract_of_bronze(place: Workspace, tmp_path: Path) -> None:
    text = draft.draft(place.settings, TableName("raw", "things"))
    made = understood(text, tmp_path, TableName("bronze", "things"))
    assert (made.table.dotted, made.key) == ("bronze.things", ("id",))
    assert list(made.columns) == ["id", "word", "_source_file", "_source_sha256", "_received_at"]
    assert made.expectations[0].kwargs == {"column": "word", "value_set": ["w0", "w1"]}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("gold.tt", r"Table gold\.tt has not been built"),
        ("raw.thing", r"No source declares raw\.thing"),
        ("raw.empty", r"No file of raw\.empty has landed"),
    ],
)
def test_what_has_no_rows_drafts_nothing(place: Workspace, table: str, message: str) -> None:
    with pytest.raises(UnknownName, match=message):
        draft.draft(place.settings, TableName.parse(table))


def test_a_contract_that_is_there_is_not_written_over(place: Workspace) -> None:
    with pytest.raises(ContractError, match=r"assets/contracts/gold/t\.yaml is there already"):
        draft.place(place.project, NAME)
    path = draft.place(place.project, TableName("raw", "things"))
    assert path == place.project / "assets" / "contracts" / "bronze" / "things.yaml"
