from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lakehouse.check import check
from tests.notebooks import MONTHS, RAW_SOURCE, code, contract, copies, document, markdown, notebook, project

THINGS = {"bronze/things": copies("raw.things", "bronze.things")}
MONTHLY = {"bronze.things": contract("bronze.things", partitions=MONTHS)}
A_MONTH = 'months: list[month] = ["2013-01"]'


def things(*body: str | dict[str, Any], **more: str) -> dict[str, Any]:
    """The clean notebook bronze/things with more cells, from cell 5 on."""
    return {"bronze/things": notebook("bronze/things", *body, 'lake.write(lake.read("raw.things"), "bronze.things")', **more)}


def found(folder: Path, notebooks: dict[str, Any], contracts: Any = ("bronze.things",), **more: Any) -> list[str]:
    path = project(folder, notebooks, contracts, **{"sources": RAW_SOURCE, **more})
    return [f"{one.where} [{one.rule}] {one.message} | {one.hint}" for one in check(path)]


def test_a_clean_project_has_no_findings(tmp_path: Path) -> None:
    tour = document('import lakehouse\nlake = lakehouse.open("explore/tour")\nlake.read("bronze.things")')
    assert found(tmp_path, {**THINGS, "explore/tour": tour}) == []


B = "notebooks/bronze/things.ipynb"


def bare(*cells: str | dict[str, Any]) -> dict[str, Any]:
    return {"bronze/things": document(*cells)}


NO_PARAMETERS = code("# none", "parameters")
OPEN = 'import lakehouse\nlake = lakehouse.open("bronze/things")'
WRITE = 'lake.write(1, "bronze.things")'
SECOND = notebook("silver/other", WRITE, 'lake.write(1, "silver.other")')
STREAM = {"output_type": "stream", "name": "stdout", "text": "1"}
KERNEL = {"kernelspec": {"name": "python3"}}
CASES = [
    pytest.param(
        things('lake.read("bronze.thing")'),
        [f"{B}, cell 5, line 1 [unknown-table] There is no table bronze.thing"],
        id="unknown table",
    ),
    pytest.param(
        things('lake.read("raw.thing")'),
        [f"{B}, cell 5, line 1 [unknown-table] No source declares raw.thing"],
        id="raw without source",
    ),
    pytest.param(
        things('lake.sql("select *\\nfrom gold.nothing")'),
        ["[unknown-table] There is no table gold.nothing | Write it by"],
        id="unknown table in SQL",
    ),
    pytest.param(
        things('lake.load_model("models.m")'), ["[unknown-model] No notebook logs the model models.m"], id="model nobody logs"
    ),
    pytest.param(
        {**THINGS, "silver/other": SECOND},
        [
            "notebooks/silver/other.ipynb, cell 5, line 1 [two-writers] bronze.things is written by notebooks/bronze/things.ipynb",
            "[no-contract] silver.other",
        ],
        id="two writers",
    ),
    pytest.param(
        things('lake.write(1, "bronze.extra")'),
        [f"{B}, cell 5, line 1 [no-contract] bronze.extra has no contract | Write assets/contracts/bronze/extra.yaml."],
        id="table without contract",
    ),
    pytest.param(bare(markdown("# T"), OPEN, WRITE), [f"{B} [parameters-cell] No cells are tagged"], id="no parameters cell"),
    pytest.param(
        things(code("x: int = 1", "parameters")), [f"{B}, cell 5 [parameters-cell] 2 cells are tagged"], id="two parameters cells"
    ),
    pytest.param(
        things(parameters="late = 15"),
        [f"{B}, cell 3, line 1 [bad-parameter] Parameter late has no type"],
        id="parameter without type",
    ),
    pytest.param(
        things("lake.read(name)"),
        [f"{B}, cell 5, line 1 [not-literal] The table in lake.read(…) is `name`, not a literal"],
        id="name not literal",
    ),
    pytest.param(
        {"bronze/things": copies("raw.things", "bronze.thing")},
        [
            f"{B}, cell 4, line 1 [open-name] The notebook calls itself bronze/thing, its path says bronze/things",
            "[no-contract] bronze.thing",
            "[main-output]",
            "[no-writer] No notebook writes bronze.things",
        ],
        id="another name than the path",
    ),
    pytest.param(bare(markdown("# T"), NO_PARAMETERS, "x = 1"), [f"{B} [open-missing]", "[no-writer]"], id="no open"),
    pytest.param(
        things({**code("1"), "execution_count": 3}), [f"{B}, cell 5 [outputs] Outputs or an execution count"], id="execution count"
    ),
    pytest.param(things({**code("1"), "outputs": [STREAM]}), [f"{B}, cell 5 [outputs]"], id="output"),
    pytest.param(things(*[markdown("x")] * 26), [f"{B} [size] 31 cells, at most 30"], id="cells"),
    pytest.param(things(*["x = 1\n" * 25] * 5), [f"{B} [size] 129 lines of code, at most 120"], id="code lines"),
    pytest.param(things("x = 1\n" * 26), [f"{B}, cell 5 [size] 26 lines in one cell, at most 25"], id="lines a cell"),
    pytest.param(
        things("x = 1\ndef f():\n    pass\nclass C:\n    pass"),
        [f"{B}, cell 5, line 2 [definition] f is defined", f"{B}, cell 5, line 4 [definition] C is defined"],
        id="definitions",
    ),
    pytest.param(bare(NO_PARAMETERS, OPEN, WRITE), [f"{B}, cell 1 [title] The notebook has no title"], id="title"),
    pytest.param(
        {"bronze/things": {**THINGS["bronze/things"], "metadata": KERNEL}},
        [f"{B} [kernelspec] The notebook does not run on the shared kernel: its kernelspec is 'python3'"],
        id="kernelspec",
    ),
    pytest.param(
        {"bronze/things": {**THINGS["bronze/things"], "metadata": {}}},
        [f"{B} [kernelspec] The notebook does not run on the shared kernel: it has no kernelspec"],
        id="no kernelspec",
    ),
    pytest.param(
        things("from assets.sources import x\nfrom assets.transforms import y, z\nfrom assets.transforms.y import w"),
        [f"{B}, cell 5, line 1 [import] assets.sources.x is not for notebooks"],
        id="import",
    ),
    pytest.param(things("import assets"), [f"{B}, cell 5, line 1 [import] assets is not for notebooks"], id="import of all"),
    pytest.param(things("from . import x"), [f"{B}, cell 5, line 1 [import] A notebook is in no package"], id="relative import"),
    pytest.param({"bronze/things": "{"}, [f"{B} [bad-notebook] The file is not JSON", "[no-writer]"], id="not JSON"),
    pytest.param(
        {"bronze/things": '{"nbformat": 3}'},
        [f"{B} [bad-notebook] The file is of notebook format 3", "[no-writer]"],
        id="old format",
    ),
    pytest.param({**THINGS, "things": document()}, ["notebooks/things.ipynb [bad-notebook]"], id="in no layer"),
    pytest.param(
        things("x = ("), [f"{B}, cell 5, line 1 [syntax-error] Python cannot read this: '(' was never closed"], id="syntax"
    ),
    pytest.param(things('lake.sql("select from")'), [f"{B}, cell 5, line 1 [bad-sql] The SQL cannot be parsed"], id="SQL"),
    pytest.param(
        {"bronze/things": notebook("bronze/things", 'lake.read("raw.things")')},
        [f"{B} [writes-nothing]", "[no-writer]"],
        id="writes nothing",
    ),
    pytest.param(
        things('lake.read("bronze.things")'),
        [f"{B}, cell 5, line 1 [cycle] bronze/things reads bronze.things, which it writes itself"],
        id="reads itself",
    ),
]


@pytest.mark.parametrize(("notebooks", "expected"), CASES)
def test_finding(tmp_path: Path, notebooks: dict[str, Any], expected: list[str]) -> None:
    said = found(tmp_path, notebooks, files={"assets/transforms/y.py": "z = w = 1"})
    assert len(said) == len(expected), said
    for one in expected:
        assert any(one in line for line in said), said


@pytest.mark.parametrize(
    ("parameters", "count"),
    [(A_MONTH, None), ("late: int = 1", 0), (f'{A_MONTH}\nothers: list[month] = ["2013-01"]', 2), ('m: month = "2013-01"', 0)],
)
def test_a_partitioned_table_takes_one_list_of_months(tmp_path: Path, parameters: str, count: int | None) -> None:
    said = found(tmp_path, things(parameters=parameters), MONTHLY)
    if count is None:
        assert said == []
    else:
        assert len(said) == 1
        assert "[partition-parameter] bronze.things has partitions, so the notebook takes exactly one list[month]" in said[0]
        assert f", not {count}" in said[0]


def test_the_sample_of_the_partitions_exists(tmp_path: Path) -> None:
    (said,) = found(tmp_path, things(parameters='months: list[month] = ["2014-01"]'), MONTHLY)
    assert said == (
        f"{B}, cell 3, line 1 [partition-sample] The sample of months is no partition of bronze.things: "
        "Partition 2014-01 does not exist | There are 2013-01 to 2013-03."
    )


def test_tables_written_together_have_the_same_partitions(tmp_path: Path) -> None:
    contracts = {**MONTHLY, "bronze.more": contract("bronze.more", partitions={**MONTHS, "start": "2012-01"})}
    said = found(tmp_path, things('lake.write(1, "bronze.more")', parameters=A_MONTH), contracts)
    assert len(said) == 1
    assert "[partition-mismatch] bronze.more and bronze.things have different partitions" in said[0]


def test_a_cycle_is_told_once_with_its_path(tmp_path: Path) -> None:
    made = {"silver/a": copies("silver.c", "silver.a"), "silver/b": copies("silver.a", "silver.b")}
    made |= {"silver/c": copies("silver.b", "silver.c"), "silver/d": copies("silver.c", "silver.d")}
    said = found(tmp_path, made, ["silver.a", "silver.b", "silver.c", "silver.d"])
    assert said == [
        "notebooks/silver/a.ipynb, cell 5, line 1 [cycle] "
        "A cycle: silver/a → silver/b → silver/c → silver/a | Take away one of these reads or references."
    ]


def test_a_contract_without_writer(tmp_path: Path) -> None:
    said = found(tmp_path, THINGS, ["bronze.things", "bronze.thing"])
    assert said == [
        "assets/contracts/bronze/thing.yaml [no-writer] No notebook writes bronze.thing | "
        "Write it by notebooks/bronze/thing.ipynb, or remove the contract. Did you mean bronze.things?"
    ]


def test_a_bad_contract_is_one_finding_with_its_line(tmp_path: Path) -> None:
    text = "table: bronze.things\ndescription: d\nowner: o\ncolumns:\n  id: {type: long}\n"
    said = found(tmp_path, THINGS, {"bronze.things": text})
    assert len(said) == 1
    assert said[0].startswith("assets/contracts/bronze/things.yaml, line 5 [bad-contract] columns.id.type = 'long'")


def test_sources_that_fail_are_a_finding(tmp_path: Path) -> None:
    said = found(tmp_path, THINGS, sources="import no_such_package")
    assert "assets/sources.py [bad-source]" in said[0]
    assert "ModuleNotFoundError" in said[0]


def test_an_exploring_notebook_may_be_long_and_read_its_own_tables(tmp_path: Path) -> None:
    body = 'import lakehouse\nlake = lakehouse.open("explore/tour")\nlake.write(1, "silver.mine")\nlake.read("silver.mine")'
    tour = document(body, "def f():\n    pass", *["x = 1\n" * 30] * 40)
    assert found(tmp_path, {**THINGS, "explore/tour": tour}) == []


def test_an_exploring_notebook_is_checked_for_what_would_fail(tmp_path: Path) -> None:
    tour = document('import lakehouse\nlake = lakehouse.open("explore/other")\nlake.read("silver.nothing")')
    said = found(tmp_path, {**THINGS, "explore/tour": tour})
    assert [line.split("]")[0].split("[")[1] for line in said] == ["open-name", "unknown-table"]


def test_findings_are_data_for_machines(tmp_path: Path) -> None:
    (finding,) = check(project(tmp_path, {"bronze/things": "{"}))
    again = json.loads(json.dumps(finding.to_dict()))
    assert set(again) == {"file", "cell", "line", "rule", "message", "hint"}


def test_it_is_quick_and_imports_nothing_heavy(tmp_path: Path) -> None:
    sql = 'x = lake.sql("select a.*, sum(b) over (partition by c) from bronze.things a join silver.n0 using (id)")'
    made = {f"silver/n{n}": notebook(f"silver/n{n}", *[sql] * 8, f'lake.write(x, "silver.n{n}")') for n in range(1, 13)}
    made["silver/n0"] = copies("bronze.things", "silver.n0")
    path = project(tmp_path, {**THINGS, **made}, ["bronze.things", *(f"silver.n{n}" for n in range(13))], RAW_SOURCE)
    program = (
        "import sys, time, pathlib, sqlglot, yaml, pydantic; from lakehouse.check import check\n"
        "start = time.perf_counter(); found = check(pathlib.Path(sys.argv[1])); assert not found, found\n"
        "heavy = {'pyspark', 'dagster', 'great_expectations', 'mlflow', 'pandas', 'nbformat'} & set(sys.modules)\n"
        "assert not heavy, heavy; print(time.perf_counter() - start)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1


def test_code_after_the_last_write_is_told(tmp_path: Path) -> None:
    after = notebook("bronze/things", 'lake.write(lake.read("raw.things"), "bronze.things")\nprint(1)', "2 / 0")
    same = notebook("bronze/things", 'lake.write(lake.read("raw.things"), "bronze.things")\nprint(1)')
    assert f"{B}, cell 6, line 1 [write-not-last]" in found(tmp_path / "a", {"bronze/things": after})[0]
    assert f"{B}, cell 5, line 2 [write-not-last]" in found(tmp_path / "b", {"bronze/things": same})[0]


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        pytest.param({"columns": ["id"], "to": "bronze.things"}, None, id="good"),
        pytest.param(
            {"columns": ["id"], "to": "bronze.thing"},
            "silver.other refers to bronze.thing, which has no contract | Did you mean bronze.things?",
            id="no such table",
        ),
        pytest.param(
            {"columns": ["id"], "to": "bronze.things", "to_columns": ["word"]},
            "silver.other.id is bigint, bronze.things.word string | A reference compares values of one type.",
            id="another type",
        ),
        pytest.param(
            {"columns": ["id"], "to": "bronze.things", "to_columns": ["words"]},
            "silver.other.id refers to bronze.things.words, which is no column | Did you mean word?",
            id="no such column",
        ),
    ],
)
def test_a_reference_is_held_against_the_other_contract(tmp_path: Path, reference: dict[str, Any], said: str | None) -> None:
    contracts = {
        "bronze.things": contract("bronze.things", {"id": "bigint", "word": "string"}),
        "silver.other": contract("silver.other", references=[reference]),
    }
    told = found(tmp_path, {**THINGS, "silver/other": copies("raw.things", "silver.other")}, contracts)
    assert told == ([f"assets/contracts/silver/other.yaml [bad-reference] {said}"] if said else [])


@pytest.mark.parametrize(
    ("features", "columns", "said"),
    [
        pytest.param("bronze.things", ("id", "score", "model_version"), None, id="good"),
        pytest.param(
            "features.thing",
            ("id", "score", "model_version"),
            "scores.things is held against features.thing, which has no contract with a key | Correct the name, or give it a key.",
            id="no such table",
        ),
        pytest.param(
            "bronze.things",
            ("score",),
            "scores.things has no column id, model_version | Scores carry the key of their features, and what lake.score gives.",
            id="no key",
        ),
    ],
)
def test_scores_are_held_against_features_that_have_their_key(
    tmp_path: Path, features: str, columns: tuple[str, ...], said: str | None
) -> None:
    contracts = {
        "bronze.things": contract("bronze.things"),
        "scores.things": contract("scores.things", dict.fromkeys(columns, "bigint"), parity={"features": features}),
    }
    told = found(tmp_path, {**THINGS, "scores/things": copies("raw.things", "scores.things")}, contracts)
    assert told == ([f"assets/contracts/scores/things.yaml [bad-parity] {said}"] if said else [])


def test_tables_that_refer_to_each_other_are_a_cycle(tmp_path: Path) -> None:
    made = {"silver/a": copies("raw.things", "silver.a"), "silver/b": copies("silver.a", "silver.b")}
    contracts = {
        "silver.a": contract("silver.a", references=[{"columns": ["id"], "to": "silver.b"}]),
        "silver.b": contract("silver.b"),
    }
    (said,) = found(tmp_path, made, contracts)
    assert "[cycle] A cycle: silver/a → silver/b → silver/a | Take away one of these reads or references." in said
