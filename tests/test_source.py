from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lakehouse.errors import SourceError
from lakehouse.names import TableName
from lakehouse.source import Source, load
from tests.notebooks import RAW_SOURCE, project


def test_all_sources_of_the_file_are_found(tmp_path: Path) -> None:
    text = """
        from lakehouse.partitions import PartitionSpace, month
        from lakehouse.source import Delivery, Source

        MONTHS = PartitionSpace("month", month("2013-01"), month("2013-12"))
        b = Source("raw.b", lambda partition: [], partitions=MONTHS, format="json")
        a = Source("raw.a", lambda partition: [], options={"header": True}, owner="me")
        again = a
        """
    found = load(project(tmp_path, sources=text))
    assert [name.dotted for name in found] == ["raw.a", "raw.b"]
    assert found[TableName("raw", "b")].partitions is not None


def test_a_project_without_the_file_has_no_sources(tmp_path: Path) -> None:
    assert load(project(tmp_path)) == {}


def test_the_file_may_import_from_its_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    files = {"deliveries_of_this_test.py": "def nothing(partition):\n    return []\n"}
    text = "from deliveries_of_this_test import nothing\nfrom lakehouse.source import Source\na = Source('raw.a', nothing)"
    assert load(project(tmp_path, sources=text, files=files))


def test_two_projects_do_not_meet(tmp_path: Path) -> None:
    first, second = project(tmp_path / "first", sources=RAW_SOURCE), project(tmp_path / "second", sources="")
    assert load(first)
    assert not load(second)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("x = (", "line 1: Python cannot read this", id="syntax"),
        pytest.param("x = 1\nimport no_such_package", "ModuleNotFoundError: .*\nCorrect it at line 2", id="import"),
        pytest.param("raise SystemExit(3)", "failed: SystemExit: 3", id="exit"),
        pytest.param(
            "from lakehouse import Source\na = Source('silver.a', print)", "lands in no raw table\nName it raw.a", id="layer"
        ),
        pytest.param("from lakehouse import Source\na = Source('a', print)", "is not a name of a table", id="name"),
        pytest.param("from lakehouse import Source\na = Source('raw.a', 3)", "fetch is not a function", id="fetch"),
        pytest.param("from lakehouse import Source\na = Source('raw.a', print, format='xls')", "unknown format 'xls'", id="format"),
        pytest.param(
            "from lakehouse import Source\na = Source('raw.a', print)\nb = Source('raw.a', print)",
            "declares raw.a twice",
            id="twice",
        ),
    ],
)
def test_a_wrong_file_is_told(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        load(project(tmp_path, sources=text))


def test_a_source_is_named_by_its_table() -> None:
    assert Source("raw/things", print).name == TableName("raw", "things")
