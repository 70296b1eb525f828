from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from lakehouse.code import code_identity, explain
from lakehouse.project import Project
from tests.notebooks import MONTHS, RAW_SOURCE, code, contract, markdown, notebook, project

FILES = {
    "assets/transforms/flights.py": '"""Flights."""\nfrom assets.transforms.times import utc\n\ndef typed(df):\n    utc(df)\n',
    "assets/transforms/times.py": "from . import zones\n\ndef utc(df):\n    return df\n",
    "assets/transforms/zones.py": "ZONES = {}\n",
    "assets/transforms/unused.py": "X = 1\n",
    "assets/transforms/__init__.py": "",
    "requirements.txt": "# compiled\npandas==2.3.3 \\\n    --hash=sha256:aa\n",
}
BODY = (
    "from assets.transforms import flights",
    'df = flights.typed(lake.read("raw.things"))',
    'lake.write(df, "bronze.things")',
)
PARAMETERS = 'months: list[month] = ["2013-01"]  # to build'


def made(folder: Path, *, cells: Any = BODY, parameters: str = PARAMETERS, files: Any = FILES, **more: Any) -> Project:
    described = more.pop("contract", contract("bronze.things", partitions=MONTHS))
    sources = more.pop("sources", RAW_SOURCE)
    things = notebook("bronze/things", *cells, parameters=parameters)
    things["cells"].extend(more.pop("extra", []))
    return Project.load(project(folder, {"bronze/things": things}, {"bronze.things": described}, sources, files))


def parts(found: Project) -> dict[str, str]:
    return explain(found, found.notebook("bronze/things"))


def changed(before: Project, after: Project) -> set[str]:
    old, new = parts(before), parts(after)
    return {part for part in old.keys() | new.keys() if old.get(part) != new.get(part)}


def test_every_part_is_named(tmp_path: Path) -> None:
    assert list(parts(made(tmp_path))) == [
        "code cell 1", "code cell 2", "code cell 3", "code cell 4", "code cell 5", "code cell 6",
        "assets/transforms/__init__.py", "assets/transforms/flights.py", "assets/transforms/times.py",
        "assets/transforms/zones.py", "contract bronze.things", "source raw.things", "requirements.txt",
    ]  # fmt: skip


def described(**columns: Any) -> dict[str, Any]:
    return contract("bronze.things", {"id": {"type": "bigint", "nullable": False, **columns}}, key=["id"], partitions=MONTHS)


SAME: list[Any] = [
    pytest.param({"cells": (BODY[0], "df = flights.typed(\n  lake.read('raw.things')  # all\n)\n\n", BODY[2])}, id="formatting"),
    pytest.param({"cells": (markdown("Prose"), *BODY)}, id="a cell of prose"),
    pytest.param({"cells": (code("# nothing but a comment"), code(""), *BODY)}, id="blank cells"),
    pytest.param(
        {"cells": ({**code(BODY[0]), "outputs": [{"output_type": "stream"}], "execution_count": 1}, *BODY[1:])}, id="outputs"
    ),
    pytest.param({"parameters": 'months: list[month] = ["2013-02", "2013-03"]  # others'}, id="sample and help of a parameter"),
    pytest.param(
        {
            "files": {
                **FILES,
                "assets/transforms/flights.py": '"""Other words."""\n'
                + FILES["assets/transforms/flights.py"].split("\n", 1)[1]
                + "# x\n",
            }
        },
        id="words in a module",
    ),
    pytest.param({"files": {**FILES, "assets/transforms/unused.py": "X = 2\n"}}, id="a module that is not imported"),
    pytest.param(
        {"files": {**FILES, "requirements.txt": "pandas==2.3.3 \\\n    --hash=sha256:bb\n# x\n"}},
        id="another hash of the same version",
    ),
    pytest.param(
        {"contract": {**described(description="The key"), "owner": "else@example.com", "freshness": "1d"}}, id="words in a contract"
    ),
    pytest.param({"contract": {**described(), "partitions": {**MONTHS, "end": "2013-12"}}}, id="a longer range of partitions"),
    pytest.param({"sources": RAW_SOURCE.replace("1\\n2", "3")}, id="what a source delivers"),
]
OTHER: list[Any] = [
    pytest.param({"cells": (BODY[0], BODY[1].replace("typed", "other"), BODY[2])}, {"code cell 5"}, id="a cell"),
    pytest.param({"cells": (BODY[0], "%time 1\n" + BODY[1], BODY[2])}, {"code cell 5"}, id="a magic"),
    pytest.param({"extra": [code("print(1)")]}, {"code cell 7"}, id="one more cell"),
    pytest.param({"parameters": PARAMETERS + "\nlate: int = 1"}, {"code cell 2"}, id="one more parameter"),
    pytest.param(
        {"files": {**FILES, "assets/transforms/flights.py": FILES["assets/transforms/flights.py"] + "x = 1\n"}},
        {"assets/transforms/flights.py"},
        id="a module",
    ),
    pytest.param(
        {"files": {**FILES, "assets/transforms/zones.py": "ZONES = {1: 2}\n"}},
        {"assets/transforms/zones.py"},
        id="a module's module",
    ),
    pytest.param(
        {"files": {**FILES, "assets/transforms/zones.py": "x = (\n"}}, {"assets/transforms/zones.py"}, id="a broken module"
    ),
    pytest.param({"files": {**FILES, "requirements.txt": "pandas==2.3.4\n"}}, {"requirements.txt"}, id="a version"),
    pytest.param(
        {"contract": contract("bronze.things", {"id": {"type": "int", "nullable": False}}, key=["id"], partitions=MONTHS)},
        {"contract bronze.things"},
        id="a column's type",
    ),
    pytest.param(
        {"contract": {**described(), "expectations": [{"type": "expect_column_to_exist", "kwargs": {"column": "id"}}]}},
        {"contract bronze.things"},
        id="an expectation",
    ),
    pytest.param(
        {"sources": RAW_SOURCE.replace("deliver)\n", 'deliver, options={"sep": ";"})\n')},
        {"source raw.things"},
        id="how raw files are read",
    ),
]


@pytest.mark.parametrize("change", SAME)
def test_what_changes_no_row_does_not_count(tmp_path: Path, change: dict[str, Any]) -> None:
    before = made(tmp_path / "before", contract=described())
    after = made(tmp_path / "after", **{"contract": described(), **change})
    assert changed(before, after) == set()


@pytest.mark.parametrize(("change", "expected"), OTHER)
def test_what_may_change_a_row_counts(tmp_path: Path, change: dict[str, Any], expected: set[str]) -> None:
    before = made(tmp_path / "before", contract=described())
    after = made(tmp_path / "after", **{"contract": described(), **change})
    assert changed(before, after) == expected
    spec = "bronze/things"
    assert code_identity(before, before.notebook(spec)) != code_identity(after, after.notebook(spec))


@pytest.mark.parametrize(
    ("statement", "module"),
    [
        ("import assets.transforms.zones", "assets/transforms/zones.py"),
        ("from assets.transforms import zones as z", "assets/transforms/zones.py"),
        ("from assets.transforms.zones import ZONES", "assets/transforms/zones.py"),
        ("if True:\n    from assets.transforms import zones", "assets/transforms/zones.py"),
        ("from assets.transforms.zones import *", "assets/transforms/zones.py"),
    ],
)
def test_imports_are_followed_however_they_are_written(tmp_path: Path, statement: str, module: str) -> None:
    found = parts(made(tmp_path, cells=(statement, BODY[2])))
    assert module in found
    assert not any(part.startswith("lakehouse") for part in found)


@pytest.mark.parametrize("relative", ["from . import deep", "from .deep import x", "from .. import zones", "from ..zones import y"])
def test_relative_imports_are_followed(tmp_path: Path, relative: str) -> None:
    files = {**FILES, "assets/transforms/sub/__init__.py": relative, "assets/transforms/sub/deep.py": "x = 1"}
    found = parts(made(tmp_path, cells=("import assets.transforms.sub", BODY[2]), files=files))
    assert "assets/transforms/sub/__init__.py" in found
    assert ("assets/transforms/zones.py" in found) == ("zones" in relative)
    assert ("assets/transforms/sub/deep.py" in found) == ("deep" in relative)


def test_modules_that_import_each_other_end(tmp_path: Path) -> None:
    files = {
        "assets/transforms/a.py": "from assets.transforms import b",
        "assets/transforms/b.py": "from assets.transforms import a",
    }
    found = parts(made(tmp_path, cells=("from assets.transforms import a", BODY[2]), files=files))
    assert {"assets/transforms/a.py", "assets/transforms/b.py"} <= set(found)


def test_an_edit_counts_at_once(tmp_path: Path) -> None:
    found = made(tmp_path)
    before = parts(found)
    path = tmp_path / "assets/transforms/zones.py"
    path.write_text("ZONES = {2: 3}\n")
    os.utime(path, ns=(1, 1))
    assert parts(found) != before


def test_the_identity_is_the_same_in_another_place(tmp_path: Path) -> None:
    here, there = made(tmp_path / "here"), made(tmp_path / "there")
    assert parts(here) == parts(there)
    assert json.dumps(parts(here))
