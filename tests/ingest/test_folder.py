from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from lakehouse import raw, tables
from lakehouse.errors import SourceError
from lakehouse.ingest.folder import Folder, news
from lakehouse.partitions import PartitionSpace
from lakehouse.source import Delivery, Source

MONTHS = PartitionSpace("month", "2013-01", "2013-03")


def put(folder: Path, name: str, content: str = "a\n1\n", *, age: float = 60.0) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(content)
    os.utime(path, (time.time() - age,) * 2)
    return path


def given(folder: Folder, partition: str | None = None) -> dict[str, str]:
    """Each file's name, and why it is not given (empty: it is)."""
    return {one.filename: getattr(one, "why", "") for one in folder(partition)}


def test_files_come_oldest_first_by_their_pattern(tmp_path: Path) -> None:
    for name, age in (("sales-2.csv", 10.0), ("sales-1.csv", 20.0), ("other.csv", 30.0)):
        put(tmp_path, name, age=age)
    (tmp_path / "sales-folder.csv").mkdir()
    found = list(Folder(tmp_path, "sales-*.csv")(None))
    assert [one.filename for one in found] == ["sales-1.csv", "sales-2.csv"]
    assert isinstance(found[0], Delivery) and found[0].content == tmp_path / "sales-1.csv"


def test_a_month_is_taken_from_the_name(tmp_path: Path) -> None:
    for name in ("s-2013-01.csv", "s-201302-b.csv", "s-2013-02-a.csv", "s-2013-13.csv"):
        put(tmp_path, name)
    folder = Folder(tmp_path, "s-{month}*.csv")
    assert given(folder, "2013-01").keys() == {"s-2013-01.csv"}
    assert given(folder, "2013-02").keys() == {"s-201302-b.csv", "s-2013-02-a.csv"}
    assert not given(folder, "2013-03")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("a.csv.part", "is still being written, as its ending .part says"),
        ("a.csv.crdownload", "is still being written, as its ending .crdownload says"),
        ("A.CSV.TMP", "is still being written, as its ending .tmp says"),
        (".a.csv.swp", "is hidden"),
        (".a.csv", "is hidden"),
    ],
)
def test_a_file_that_says_it_is_unfinished_is_told_and_left(tmp_path: Path, name: str, why: str) -> None:
    put(tmp_path, name)
    put(tmp_path, "unrelated.part")
    assert given(Folder(tmp_path, "[aA].[cC][sS][vV]")) == {name: why}


def test_a_file_that_grows_while_one_looks_is_told_and_left(tmp_path: Path) -> None:
    path = put(tmp_path, "a.csv", age=0)
    put(tmp_path, "done.csv", age=0.1)
    timer = threading.Timer(0.1, lambda: path.write_text("a\n1\n2\n"))
    timer.start()
    found = given(Folder(tmp_path, "*.csv", settle=0.5))
    timer.join()
    assert found == {"done.csv": "", "a.csv": "is still being written: it grew from 4 to 6 bytes"}


def test_what_is_left_lands_the_next_time(tmp_path: Path) -> None:
    source = Source("raw.sales", Folder(tmp_path / "in"))
    root = tables.open_root(tmp_path / "lake")
    put(tmp_path / "in", "a.csv")
    part = put(tmp_path / "in", "b.csv.part", "a\n2\n")
    first = raw.land(root, source)
    assert ([file.filename for file in first.new], [one.filename for one in first.skipped]) == (["a.csv"], ["b.csv.part"])
    part.rename(tmp_path / "in" / "b.csv")
    second = raw.land(root, source)
    assert ([file.filename for file in second.new], second.skipped) == (["b.csv"], ())


def test_what_has_not_landed_is_news(tmp_path: Path) -> None:
    source = Source("raw.sales", Folder(tmp_path / "in", "s-{month}.csv"), partitions=MONTHS)
    root = tables.open_root(tmp_path / "lake")
    put(tmp_path / "in", "s-2013-01.csv")
    assert (news(root, source, "2013-01"), news(root, source, "2013-02")) == (["s-2013-01.csv"], [])
    raw.land(root, source, "2013-01")
    assert news(root, source, "2013-01") == []
    put(tmp_path / "in", "s-2013-02.csv", age=0)
    assert news(root, source, "2013-02") == []  # it may still be written
    put(tmp_path / "in", "s-2013-01.csv", "a\n55\n")
    assert news(root, source, "2013-01") == ["s-2013-01.csv"]


def test_a_file_under_two_names_changes_nothing_and_is_no_news(tmp_path: Path) -> None:
    source = Source("raw.sales", Folder(tmp_path / "in"))
    root = tables.open_root(tmp_path / "lake")
    put(tmp_path / "in", "a.csv", age=70)
    put(tmp_path / "in", "again.csv")
    landing = raw.land(root, source)
    assert [file.filename for file in (*landing.new, *landing.unchanged)] == ["a.csv", "a.csv"]
    assert len(raw.files(root, source.name)) == 1
    assert news(root, source, None) == []


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    source = Source("raw.sales", Folder(tmp_path / "nowhere"))
    with pytest.raises(SourceError, match="nowhere cannot be read: No such file"):
        raw.land(tables.open_root(tmp_path / "lake"), source)
    assert "cannot be read" in news(tmp_path / "lake", source, None)[0]


def test_a_month_twice_in_a_pattern_is_refused() -> None:
    with pytest.raises(SourceError, match=r"names \{month\} twice"):
        Folder("in", "{month}/{month}.csv")
