from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from lakehouse.errors import SourceError
from lakehouse.ingest import form
from lakehouse.ingest.judge import judge
from lakehouse.ingest.verdict import Verdict
from lakehouse.source import Source


def judged(folder: Path, content: bytes, name: str = "a.csv", format: str = "csv", **options: object) -> Verdict:
    path = folder / name
    path.write_bytes(content)
    how = form.of(Source("raw.a", print, format=format, options={"header": True, **options}))  # type: ignore[arg-type]
    assert how is not None
    return judge(path, how, folder / "copy")


def test_a_file_that_fits_needs_no_copy(tmp_path: Path) -> None:
    found = judged(tmp_path, b'a,b\r\n1,x\r\n\r\n2,"y, z"\r\n')
    assert (found.flaw, found.columns, found.rows, found.misfits, found.copy) == ("", ("a", "b"), 2, (), None)


WHOLE = b"a,b\n1,2\n"
FLAWED = [
    pytest.param(b"", "a.csv", "is empty", id="empty"),
    pytest.param(b"\n \n", "a.csv", "holds nothing but blank lines", id="blank"),
    pytest.param(gzip.compress(WHOLE * 9000)[:-30], "a.csv.gz", "is a truncated gzip", id="truncated gzip"),
    pytest.param(gzip.compress(WHOLE)[:-8] + b"12345678", "a.csv.gz", "is a broken gzip: CRC check failed", id="damaged gzip"),
    pytest.param(WHOLE, "a.csv.gz", "is called .gz but is no gzip", id="no gzip"),
    pytest.param(b"PK\x03\x04rest", "a.csv", "is a zip archive: the source must give the files in it", id="zip"),
    pytest.param("a,b\n1,2\n".encode("utf-16"), "a.csv", 'is in UTF-16: say options={"encoding": "utf-16"}', id="utf-16"),
    pytest.param(b"a,b,A\n1,2,3\n", "a.csv", "names the column A twice", id="column twice"),
]


@pytest.mark.parametrize(("content", "name", "flaw"), FLAWED)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, content: bytes, name: str, flaw: str) -> None:
    assert judged(tmp_path, content, name).flaw.startswith(flaw)


MISFITS = [
    pytest.param(b"a,b\n1,2\n3\n", {}, [(3, "has 1 field, not 2", "3")], id="too few fields"),
    pytest.param(b"a,b\n1,2,3\n4,5\n", {}, [(2, "has 3 fields, not 2", "1,2,3")], id="too many fields"),
    pytest.param(b'a,b\n1,"2,3\n4,5\n', {}, [(2, "is quoted wrongly: unexpected end of data", '1,"2,3')], id="open quote"),
    pytest.param(b'a,b\n1,"2"3\n', {}, [(2, "is quoted wrongly: ',' expected after '\"'", '1,"2"3')], id="text after a quote"),
    pytest.param(b"a,b\n1,caf\xe9\n", {}, [(2, "is not in utf-8", "1,caf\\xe9")], id="another encoding"),
    pytest.param(b"a;b\n1;2\n1,2\n", {"sep": ";"}, [(3, "has 1 field, not 2", "1,2")], id="another separator"),
    pytest.param(b"a,b\n# 1\n1,2\n3\n", {"comment": "#"}, [(4, "has 1 field, not 2", "3")], id="comments are none"),
    pytest.param(b"a,b\n1,2\n3", {"header": False}, [(3, "has 1 field, not 2", "3")], id="without a header"),
    pytest.param(
        b'a,b\n1,"2\n3"\n4\n', {"multiLine": True}, [(4, "has 1 field, not 2", "4")], id="line ends in values"
    ),
    pytest.param(
        b'a,b\n1,"2\n3,4\n', {"multiLine": True}, [(2, "is quoted wrongly: unexpected end of data", '1,"2\n3,4')], id="never closed"
    ),
]  # fmt: skip


@pytest.mark.parametrize(("content", "options", "misfits"), MISFITS)
def test_rows_that_do_not_fit_are_named_and_left_out_of_the_copy(
    tmp_path: Path, content: bytes, options: dict[str, object], misfits: list[tuple[int, str, str]]
) -> None:
    found = judged(tmp_path, content, **options)
    assert [(one.line, one.reason, one.text) for one in found.misfits] == misfits
    assert found.copy is not None
    again = judged(tmp_path, found.copy.read_bytes(), "again.csv", **options)
    assert (again.rows, again.misfits, again.columns) == (found.rows, (), found.columns)


JSON_LINES = b'{"a": 1}\n{"a": \n[1]\n\n{"a": 2, "b": {"c": 3}}\n'


def test_broken_lines_of_json_are_left_out(tmp_path: Path) -> None:
    found = judged(tmp_path, JSON_LINES, format="json")
    assert [(one.line, one.reason[:12]) for one in found.misfits] == [(2, "is no JSON: "), (3, "is no object")]
    assert (found.columns, found.rows) == (("a", "b"), 2)
    assert found.copy is not None
    assert [json.loads(line) for line in found.copy.read_bytes().splitlines() if line] == [{"a": 1}, {"a": 2, "b": {"c": 3}}]


def test_a_document_of_json_is_judged_as_one(tmp_path: Path) -> None:
    assert judged(tmp_path, b'[{"a": 1},\n{"a": 2}]', format="json", multiLine=True).rows == 2
    assert judged(tmp_path, b'[{"a": 1},\n', format="json", multiLine=True).flaw.startswith("is no JSON: Expecting value")
    assert judged(tmp_path, b"[1]", format="json", multiLine=True).flaw == "holds no objects"


@pytest.mark.parametrize(("encoding", "text"), [("cp1252", "é€"), ("utf-16", "é€"), ("utf-8-sig", "é€"), ("latin-1", "é")])
def test_other_encodings_are_copied_as_utf_8(tmp_path: Path, encoding: str, text: str) -> None:
    content = f"a,b\n1,{text}\n".encode(encoding)
    found = judged(tmp_path, content, encoding="utf-8" if encoding == "utf-8-sig" else encoding)
    assert (found.columns, found.rows, found.misfits) == (("a", "b"), 1, ())
    assert found.copy is not None and found.copy.read_text("utf-8") == f"a,b\n1,{text}\n"


def test_a_gzip_is_known_by_its_bytes(tmp_path: Path) -> None:
    assert judged(tmp_path, gzip.compress(WHOLE), "a.csv.gz").copy is None
    found = judged(tmp_path, gzip.compress(WHOLE), "a.csv")
    assert found.copy is not None and found.copy.read_bytes() == WHOLE


def test_quotes_within_quotes_follow_rfc_4180_or_the_source(tmp_path: Path) -> None:
    assert judged(tmp_path, b'a,b\n1,"2 "", 3"\n').misfits == ()
    assert judged(tmp_path, b'a,b\n1,"2 \\", 3"\n', escape="\\").misfits == ()
    assert judged(tmp_path, b'a,b\n1,5" pipe\n').misfits == ()


def test_facts_are_taken_from_a_sample_of_the_whole_file(tmp_path: Path) -> None:
    lines = [f"{n},{n / 4},{'NA' if n % 2 else 'x'},2013-01-{1 + n % 28:02d},0{n}" for n in range(20_000)]
    facts = judged(tmp_path, "\n".join(["n,share,word,day,code", *lines]).encode()).facts
    assert {name: max(one.kinds, key=one.kinds.get) for name, one in facts.items()} == {  # type: ignore[arg-type]
        "n": "integer", "share": "decimal", "word": "text", "day": "date", "code": "text",
    }  # fmt: skip
    assert facts["word"].nulls == pytest.approx(0.5, abs=0.02)
    assert facts["n"].quantiles[2] == pytest.approx(10_000, rel=0.05)
    assert 1000 < facts["n"].values <= 4000


@pytest.mark.parametrize(
    ("options", "message"),
    [({"encoding": "utf-9"}, "unknown encoding 'utf-9'"), ({"sep": "||"}, r"sep = '\|\|' is not one character")],
)
def test_options_that_cannot_be_judged_by_are_refused(tmp_path: Path, options: dict[str, str], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        judged(tmp_path, WHOLE, **options)
