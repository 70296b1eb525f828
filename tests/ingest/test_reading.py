"""What `lake.read` makes of uneven raw files, on Spark."""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from lakehouse import raw, tables
from lakehouse.ingest import batch, reading
from lakehouse.source import Delivery, Source
from lakehouse.spark import session
from tests.workspace import Workspace

SESSION = str(uuid.uuid4())


@pytest.fixture(scope="module")
def place(new_workspace: Callable[[str], Workspace]) -> Workspace:
    return new_workspace("a lake's + {reading}")


def read(place: Workspace, name: str, *contents: bytes, ending: str = "csv", **about: Any) -> list[tuple[Any, ...]]:
    """The rows of these files, without their origin, sorted; each file with its number."""
    deliveries = [Delivery(f"it's {number} + 1%.{ending}", content) for number, content in enumerate(contents)]
    source = Source(f"raw.{name}", lambda partition: deliveries, **{"options": {"header": True}, **about})
    root = tables.open_root(place.root)
    raw.land(root, source)
    taken = batch.take(root, source, raw.files(root, source.name))
    frame = reading.rows(session.connect(place.settings, SESSION), root, taken)
    assert frame.columns[-3:] == ["_source_file", "_source_sha256", "_received_at"]
    known = {file.sha256: str(file.path.relative_to(root / "raw")) for file in raw.files(root, source.name)}
    found = frame.collect()
    assert all(known[row["_source_sha256"]] == row["_source_file"] for row in found)
    return sorted((tuple(row)[:-3] for row in found), key=str)


CASES = [
    pytest.param([b"a,b\n1,x\n", b"b,a\ny,2\n"], {}, [("1", "x"), ("2", "y")], id="another order"),
    pytest.param(
        [b"a,b\n1,x\n", b"a\n2\n", b"b,c,a\nz,w,3\n"],
        {"columns": ("a", "b"), "optional": ("b", "c")},
        [("1", "x", None), ("2", None, None), ("3", "z", "w")],
        id="optional columns",
    ),
    pytest.param([b"a,b\n1,\n2,\"\"\n"], {}, [("1", None), ("2", None)], id="an empty value is null"),
    pytest.param([b"a,b\r\n1,x\r\n\r\n2,y"], {}, [("1", "x"), ("2", "y")], id="line ends of Windows"),
    pytest.param([b'a,b\n1,"x ""y"", z"\n2,5" pipe\n'], {}, [("1", 'x "y", z'), ("2", '5" pipe')], id="quotes"),
    pytest.param([b'a,b\n1,"x \\", z"\n'], {"options": {"header": True, "escape": "\\"}}, [("1", 'x ", z')], id="escaped quotes"),
    pytest.param([b"a,b\n1,x\n2\n3,z\n"], {"tolerance": 0.5}, [("1", "x"), ("3", "z")], id="a ragged row"),
    pytest.param([b"a,b\n1,x\n2,\xff\n"], {"tolerance": 0.5}, [("1", "x")], id="an undecodable row"),
    pytest.param([b'a,b\n1,"x\n2,y\n'], {"tolerance": 0.5}, [("2", "y")], id="a quote that is never closed"),
    pytest.param(
        [b'a,b\n1,"x\ny"\n2,z\n3\n'],
        {"options": {"header": True, "multiLine": True}, "tolerance": 0.5},
        [("1", "x\ny"), ("2", "z")],
        id="line ends in values",
    ),
    pytest.param(["a,b\n1,é\n".encode("cp1252")], {"options": {"header": True, "encoding": "cp1252"}}, [("1", "é")], id="cp1252"),
    pytest.param(["a,b\n1,é\n".encode("utf-16")], {"options": {"header": True, "encoding": "utf-16"}}, [("1", "é")], id="utf-16"),
    pytest.param([b"\xef\xbb\xbfa,b\n1,x\n"], {}, [("1", "x")], id="a byte order mark"),
    pytest.param([b"\xef\xbb\xbf1,x\n"], {"options": {}}, [("1", "x")], id="a byte order mark, no header"),
    pytest.param([gzip.compress(b"a,b\n1,x\n")], {}, [("1", "x")], id="a gzip that is not called one"),
    pytest.param([b"a|b\n1|x\n"], {"options": {"header": True, "sep": "|"}}, [("1", "x")], id="another separator"),
    pytest.param([b"1,x\n2,y\n"], {"options": {}}, [("1", "x"), ("2", "y")], id="no header"),
    pytest.param([b"a b,c`d\n1,x\n"], {}, [("1", "x")], id="names that must be quoted"),
    pytest.param(
        [b'{"a": 1, "b": {"c": "x"}}\n{"a": 2\n{"a": 3}\n'],
        {"format": "json", "options": {}, "tolerance": 0.5},
        [(1, ("x",)), (3, None)],
        id="a broken line of JSON",
    ),
    pytest.param([b"one\ntwo\xff\n"], {"format": "text", "options": {}, "tolerance": 0.5}, [("one",)], id="text"),
]  # fmt: skip


@pytest.mark.parametrize(("contents", "about", "rows"), CASES)
def test_rows_are_read_as_the_files_say(
    place: Workspace, request: pytest.FixtureRequest, contents: list[bytes], about: dict[str, Any], rows: list[Any]
) -> None:
    name = "t" + "".join(letter for letter in request.node.callspec.id.lower() if letter.isalnum())
    found = [tuple(tuple(v) if isinstance(v, tuple) else v for v in row) for row in read(place, name, *contents, **about)]
    assert found == rows


def test_a_gzip_is_read_by_its_ending(place: Workspace) -> None:
    assert read(place, "zipped", gzip.compress(b"a,b\n1,x\n"), ending="csv.gz") == [("1", "x")]


def test_a_column_of_which_no_file_of_the_read_has_any_is_there_and_null(place: Workspace) -> None:
    assert read(place, "absent", b"a\n1\n", optional=("c",)) == [("1", None)]
