from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.notebooks import contract, notebook
from tests.workspace import Workspace, rows

Command = Callable[..., tuple[int, str, str]]
COLUMNS = {"id": "bigint", "word": "string", "share": "double", "at": "timestamp"}
ROWS = """
select id, case when id = 1 then null when id = 2 then 'a,"b"' else concat('w', id) end as word, id / 3d as share,
       timestamp '2013-01-01 10:00:00' as at from range(60)
"""


@pytest.fixture(scope="module")
def place(new_workspace: Callable[[str], Workspace]) -> Workspace:
    made = new_workspace("a lake")
    cells = [rows(ROWS), 'lake.write(df, "gold.words")']
    made.write({"gold/words": notebook("gold/words", *cells)}, {"gold.words": contract("gold.words", COLUMNS)})
    made.run("gold/words")
    return made


QUERY = "select id, word, share, at from gold.words order by id"


def test_rows_are_shown_as_a_table(place: Workspace, lakehouse: Command) -> None:
    code, out, err = lakehouse(place, "sql", QUERY)
    assert (code, err) == (0, "")
    lines = [[part.strip() for part in line.split("│")[1:-1]] for line in out.splitlines() if "│" in line]
    assert lines[0] == ["0", "w0", "0", "2013-01-01 10:00:00"]
    assert lines[1][:3] == ["1", "", "0.333333"]
    assert len(lines) == 50
    assert "The first 50 rows" in out


def test_rows_are_given_whole_to_machines(place: Workspace, lakehouse: Command) -> None:
    code, out, _ = lakehouse(place, "sql", QUERY, "--json")
    found = [json.loads(line) for line in out.splitlines()]
    assert (code, len(found)) == (0, 60)
    assert found[1]["word"] is None
    assert found[2] == {"id": 2, "word": 'a,"b"', "share": pytest.approx(2 / 3), "at": "2013-01-01T10:00:00.000000"}
    code, out, _ = lakehouse(place, "sql", QUERY, "--csv", "--limit", "3")
    assert out.splitlines()[0] == "id,word,share,at"
    assert out.splitlines()[3].startswith('2,"a,""b""",0.66')
    assert len(out.splitlines()) == 4


def test_a_query_without_rows_is_an_answer(place: Workspace, lakehouse: Command) -> None:
    assert lakehouse(place, "sql", "select id from gold.words where id < 0", "--csv") == (0, "id\n", "")
    assert lakehouse(place, "sql", "select id from gold.words where id < 0", "--json")[:2] == (0, "")


def test_time_travel_is_for_the_command_line_too(place: Workspace, lakehouse: Command) -> None:
    code, out, err = lakehouse(place, "sql", "select count(*) as n from gold.words version as of 0", "--csv")
    assert (code, out, err) == (0, "n\n60\n", "")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        pytest.param("select * frm gold.words", "The SQL cannot be parsed at line 1", id="syntax"),
        pytest.param("select * from gold.word", "Table gold.word has not been built", id="unknown table"),
        pytest.param("select * from words", "'words' in the SQL is neither layer.name", id="without layer"),
        pytest.param("select nothing from gold.words", "The query is not understood: [UNRESOLVED_COLUMN", id="unknown column"),
        pytest.param("select 1 / (id - id) from gold.words", "The query failed: [DIVIDE_BY_ZERO]", id="failing"),
        pytest.param("drop table gold.words", "this is DROP", id="no query"),
        pytest.param("", "0 statements", id="empty"),
    ],
)
def test_a_query_that_cannot_be_answered_is_told_in_words(place: Workspace, lakehouse: Command, query: str, message: str) -> None:
    code, out, err = lakehouse(place, "sql", query)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) < 8 and "JVM" not in err


def test_two_formats_at_once_are_refused(place: Workspace, lakehouse: Command) -> None:
    code, _, err = lakehouse(place, "sql", "select 1", "--json", "--csv")
    assert (code, "exclude each other" in err) == (2, True)


def test_a_sandbox_is_listed_compared_and_dropped(place: Workspace, lakehouse: Command) -> None:
    assert "Your sandbox is empty" in lakehouse(place, "sandbox", "list")[1]
    place.run("gold/words", "sandbox")
    (row,) = [line for line in lakehouse(place, "sandbox", "list")[1].splitlines() if "gold.words" in line]
    assert [part.strip() for part in row.split("│")][2:4] == ["60", "60"]
    code, out, _ = lakehouse(place, "sandbox", "diff", "gold.words")
    assert (code, out) == (0, "gold.words: 60 rows the same, 0 only in your sandbox, 0 only in the lake\n")
    assert lakehouse(place, "sandbox", "drop")[0] == 2
    assert lakehouse(place, "sandbox", "drop", "gold.word")[0] == 2
    assert lakehouse(place, "sandbox", "drop", "gold/words")[:2] == (0, "Dropped gold.words.\n")
    assert lakehouse(place, "sandbox", "drop", "--all")[:2] == (0, "Your sandbox was empty.\n")
