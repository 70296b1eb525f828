from __future__ import annotations

import json
import pickle
import re
from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import NotebookError, ParameterError
from lakehouse.names import TableName
from lakehouse.notebook import NotebookSpec, parse
from tests.notebooks import code, document, markdown, notebook, project

FLIGHTS = TableName("silver", "flights")


def spec(folder: Path, made: dict[str, Any], name: str = "silver/flights") -> NotebookSpec:
    project(folder, {name: made})
    return parse(folder / "notebooks" / f"{name}.ipynb", folder)


def problems(folder: Path, *body: str, **more: str) -> list[tuple[str, int, int]]:
    found = spec(folder, notebook("silver/flights", *body, **more)).problems
    return [(finding.rule, finding.cell, finding.line) for finding in found]


def test_a_notebook_says_what_it_is(tmp_path: Path) -> None:
    found = spec(
        tmp_path,
        notebook(
            "silver/flights",
            'df = lake.read("bronze.flights")\nall_of_it = lake.read("bronze.weather", partitions="all")',
            'x = lake.sql("""\n  select * from bronze.planes p\n  join gold.carriers c using (k)\n""", partitions=(-1, 0))',
            'm = lake.load_model("models.delay")\nlake.log_model(m, "models.late", metrics={})\n'
            'lake.score(x, "models.early", keep=["id"])',
            'lake.write(x, "silver.extra")\nlake.write(df, table="silver.flights")',
            parameters='months: list[month] = ["2013-02"]  # months to build\n# How late counts,\n# in minutes.\nlate: int = 15',
        ),
    )
    assert found.problems == ()
    assert (found.name, found.file) == (FLIGHTS, "notebooks/silver/flights.ipynb")
    assert (found.title, found.description) == ("Flights", "What is in flights?")
    assert [(p.name, str(p.type), p.default, p.help, p.cell, p.line) for p in found.parameters] == [
        ("months", "list[month]", ["2013-02"], "months to build", 3, 1),
        ("late", "int", 15, "How late counts, in minutes.", 3, 4),
    ]
    assert [(str(r.table), r.coverage, r.cell, r.line) for r in found.reads] == [
        ("bronze.flights", "own", 5, 1),
        ("bronze.weather", "all", 5, 2),
        ("bronze.planes", (-1, 0), 6, 2),
        ("gold.carriers", (-1, 0), 6, 3),
    ]
    assert [(str(w.table), w.cell, w.line) for w in found.writes] == [("silver.extra", 8, 1), ("silver.flights", 8, 2)]
    assert [str(r.table) for r in found.models_read] == ["models.delay", "models.early"]
    assert [str(w.table) for w in found.models_written] == ["models.late"]
    assert [str(name) for name in found.outputs] == ["models.late", "silver.extra", "silver.flights"]
    assert found.partition_parameter is found.parameters[0]
    assert pickle.loads(pickle.dumps(found)) == found


@pytest.mark.parametrize(
    "cells",
    [
        pytest.param(['import lakehouse as lh\nthe_lake = lh.open("silver/flights")', 'the_lake.read("gold.a")'], id="names"),
        pytest.param(
            ['import lakehouse\nlake = lakehouse.open(name="silver/flights")', 'lake.read(table="gold.a")'], id="keywords"
        ),
        pytest.param(['import lakehouse\nlake = lakehouse.open("silver.flights")', 'x = [lake.read("gold/a")]'], id="spellings"),
        pytest.param(
            ['%load_ext x\nimport lakehouse\nlake = lakehouse.open("silver/flights")', 'lake.sql("select * " "from gold.a")'],
            id="implicit concatenation",
        ),
        pytest.param(
            ['import lakehouse\nlake = lakehouse.open("silver/flights")', 'for i in (1,):\n    print(lake.read("gold.a").count())'],
            id="nested",
        ),
    ],
)
def test_calls_are_found_however_they_are_written(tmp_path: Path, cells: list[str]) -> None:
    found = spec(tmp_path, document(markdown("# T"), code("# none", "parameters"), *cells))
    assert found.problems == ()
    assert [str(read.table) for read in found.reads] == ["gold.a"]


def test_a_read_of_something_else_is_none_of_ours(tmp_path: Path) -> None:
    found = spec(tmp_path, notebook("silver/flights", 'x = open("silver.a").read()\ny = other.read(name)\npd.read("gold.b")'))
    assert (found.problems, found.reads) == ((), ())


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        pytest.param("lake.read(name)", "not-literal", id="variable"),
        pytest.param('lake.read(f"silver.{x}")', "not-literal", id="f-string"),
        pytest.param('lake.read("silver." + x)', "not-literal", id="sum"),
        pytest.param("lake.read()", "not-literal", id="nothing"),
        pytest.param('lake.read("flights")', "bad-name", id="one part"),
        pytest.param('lake.read("explore.tour")', "bad-name", id="explore"),
        pytest.param('lake.read("models.m")', "model-as-table", id="model as table"),
        pytest.param('lake.read("silver.a", partitions=which)', "not-literal", id="coverage from a variable"),
        pytest.param('lake.read("silver.a", partitions="last")', "bad-coverage", id="unknown coverage"),
        pytest.param('lake.sql(f"select * from silver.a where x = {x}")', "not-literal", id="f-string SQL"),
        pytest.param('lake.sql("select * from silver.{}".format(x))', "not-literal", id="formatted SQL"),
        pytest.param('lake.sql("select * from raw.a")', "bad-sql", id="raw in SQL"),
        pytest.param('lake.sql("select * from models.a")', "bad-sql", id="model in SQL"),
        pytest.param('lake.sql("select from")', "bad-sql", id="SQL that is none"),
        pytest.param('lake.write(df, "raw.a")', "write-not-table", id="write to raw"),
        pytest.param('lake.write(df, "models.a")', "write-not-table", id="write to models"),
        pytest.param("lake.write(df, TABLE)", "not-literal", id="write to a variable"),
        pytest.param("lake.write(df)", "not-literal", id="write to nothing"),
        pytest.param('lake.log_model(m, "silver.a")', "bad-name", id="model in another layer"),
        pytest.param("lake.load_model(name)", "not-literal", id="model from a variable"),
        pytest.param('lake.score(df, name, keep=["id"])', "not-literal", id="scored by a model from a variable"),
        pytest.param('lake2 = lakehouse.open("silver/flights")', "open-twice", id="opened twice"),
        pytest.param('lake.read("silver.a", version=3)', "time-travel", id="version"),
        pytest.param('lake.sql("select * from silver.a version as of 3")', "time-travel", id="version in SQL"),
        pytest.param('lake.read("silver.a", **options)', "not-literal", id="stars"),
        pytest.param("lake.read(*names)", "not-literal", id="star"),
        pytest.param("x = (", "syntax-error", id="syntax"),
    ],
)
def test_a_call_that_cannot_be_followed_is_a_problem(tmp_path: Path, body: str, rule: str) -> None:
    assert (rule, 5, 2) in problems(tmp_path, "1\n" + body)


def test_the_line_of_bad_sql_is_that_of_the_mistake(tmp_path: Path) -> None:
    assert problems(tmp_path, 'x = lake.sql("""\n  select *\n  from sliver.a\n""")') == [("bad-sql", 5, 3)]


@pytest.mark.parametrize(
    ("opening", "rule"),
    [
        pytest.param('lake = lakehouse.open("silver/flight")', "open-name", id="another name"),
        pytest.param("lake = lakehouse.open(NAME)", "not-literal", id="variable"),
        pytest.param('lake = lakehouse.open("sliver/flights")', "bad-name", id="no name"),
        pytest.param('lakehouse.open("silver/flights")', "open-not-assigned", id="no variable"),
        pytest.param("lake = 1", "open-missing", id="not at all"),
        pytest.param('from lakehouse import open\nlake = open("silver/flights")', "open-missing", id="imported open"),
    ],
)
def test_a_notebook_opens_the_lake_by_its_own_name(tmp_path: Path, opening: str, rule: str) -> None:
    found = spec(tmp_path, document(markdown("# T"), code("# none", "parameters"), "import lakehouse", opening))
    assert [finding.rule for finding in found.problems] == [rule]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("late = 15", "Parameter late has no type", id="no type"),
        pytest.param("late: int", "Parameter late has no sample value", id="no sample"),
        pytest.param("late: integer = 15", "'integer' is not a type", id="unknown type"),
        pytest.param('late: int = "15"', "is a text, not int", id="text as number"),
        pytest.param("late: int = 1.5", "is not an int", id="wrong sample"),
        pytest.param("late: int = minutes(3)", "is not a literal", id="computed sample"),
        pytest.param('late: list[int] = "1,2"', "is not a list", id="text as list"),
        pytest.param('late: list[month] = ["2013-13"]', "is not a list\\[month\\]", id="month out of range"),
        pytest.param("import os", "This line is not a parameter", id="import"),
        pytest.param("late: int = 1\nlate: int = 2", "stands here twice", id="twice"),
    ],
)
def test_a_parameter_is_typed_and_has_a_sample(tmp_path: Path, line: str, message: str) -> None:
    found = spec(tmp_path, notebook("silver/flights", parameters=line))
    (finding,) = found.problems
    assert (finding.rule, finding.cell, finding.line) == ("bad-parameter", 3, line.count("\n") + 1)
    assert re.search(message, finding.message)


def test_one_cell_is_tagged_parameters(tmp_path: Path) -> None:
    none = document(markdown("# T"), 'import lakehouse\nlake = lakehouse.open("silver/flights")')
    two = notebook("silver/flights", code("x: int = 1", "parameters"))
    assert [(f.rule, f.cell) for f in spec(tmp_path, none).problems] == [("parameters-cell", 0)]
    assert [(f.rule, f.cell) for f in spec(tmp_path, two).problems] == [("parameters-cell", 5)]


def test_an_exploring_notebook_needs_no_parameters(tmp_path: Path) -> None:
    found = spec(tmp_path, document('import lakehouse\nlake = lakehouse.open("explore/tour")'), "explore/tour")
    assert found.explore
    assert found.problems == ()


def test_an_exploring_notebook_may_travel_in_time_and_open_itself_again(tmp_path: Path) -> None:
    opening = 'import lakehouse\nlake = lakehouse.open("explore/tour")'
    body = 'lake.read("silver.a", version=1)\nlake.sql("select * from silver.a version as of 1 a")'
    found = spec(tmp_path, document(opening, body, opening), "explore/tour")
    assert found.problems == ()
    assert len(found.reads) == 2


@pytest.mark.parametrize("name", ["flights", "silver/deep/flights", "sliver/flights", "silver/My Flights"])
def test_a_file_in_another_place_is_no_notebook_of_ours(tmp_path: Path, name: str) -> None:
    project(tmp_path, {name: document()})
    with pytest.raises(NotebookError, match=r"Move it to notebooks/<layer>/<name>.ipynb"):
        parse(tmp_path / "notebooks" / f"{name}.ipynb", tmp_path)


def test_a_file_outside_the_project_is_no_notebook_of_ours(tmp_path: Path) -> None:
    (tmp_path / "x.ipynb").write_text(json.dumps(document()))
    with pytest.raises(NotebookError, match="is not in"):
        parse(tmp_path / "x.ipynb", tmp_path)


def test_binding_sorts_the_partitions_and_refuses_none(tmp_path: Path) -> None:
    found = spec(tmp_path, notebook("silver/flights", parameters='months: list[month] = ["2013-02"]\nlate: int = 15'))
    bound = found.bind({"months": "2013-03,2013-01,2013-03"})
    assert bound == {"months": ["2013-01", "2013-03"], "late": 15}
    assert found.partitions(bound) == ("2013-01", "2013-03")
    with pytest.raises(ParameterError, match="names no partition"):
        found.bind({"months": []})
    with pytest.raises(ParameterError, match=r"notebooks/silver/flights.ipynb has no parameter 'moths'"):
        found.bind({"moths": "2013-01"})


def test_samples_are_not_shared_between_runs(tmp_path: Path) -> None:
    found = spec(tmp_path, notebook("silver/flights", parameters='names: list[str] = ["a"]'))
    found.bind({})["names"].append("b")
    assert found.bind({}) == {"names": ["a"]}


def test_a_read_under_two_coverages_tells_both(tmp_path: Path) -> None:
    found = spec(tmp_path, notebook("silver/flights", 'lake.read("gold.a")\nlake.read("gold.a", partitions="all")'))
    assert found.coverages(TableName("gold", "a")) == ("own", "all")
