from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse import deltafiles
from lakehouse.errors import LakehouseError
from tests.small_lake import cut, examined, flip, healed
from tests.workspace import Workspace

FILES = "tables' files"
BREAKS: dict[str, tuple[Callable[[Path], object], bool, str]] = {
    "gone": (lambda path: path.unlink(), False, "is gone"),
    "cut off": (lambda path: cut(path), False, "bytes, its commit says"),
    "empty": (lambda path: path.write_bytes(b""), False, "has 0 bytes"),
    "zeros": (lambda path: path.write_bytes(bytes(path.stat().st_size)), False, "does not begin and end as a Parquet file does"),
    "one bit": (lambda path: flip(path), True, "was changed: it does not match the checksums"),
}


def february(place: Workspace) -> Path:
    return next(file.path for file in deltafiles.current(place.path("silver.things")) if "2013-02" in file.partition)


@pytest.mark.parametrize(("break_", "deep", "words"), BREAKS.values(), ids=BREAKS)
def test_a_damaged_data_file_is_told_and_written_anew_by_what_is_said(
    built: Workspace, place: Workspace, break_: Callable[[Path], object], deep: bool, words: str
) -> None:
    path = february(place)
    break_(path)
    (found,) = examined(place, FILES, deep=deep)
    assert found.trouble.where == str(path) and words in found.trouble.what
    assert "lakehouse run silver/things --partition 2013-02 --force" in found.trouble.todo
    assert found.trouble.since == "written by version 1"
    (step,) = place.plan("silver/things", months=("2013-02",), force=True)
    place.run("silver/things", months=list(step.partitions))
    assert place.rows("silver.things") == built.rows("silver.things")
    assert examined(place, FILES, deep=True) == []


def test_without_its_checksums_a_changed_file_is_read_as_parquet(place: Workspace) -> None:
    path = february(place)
    deltafiles.checksums(path).unlink()
    assert examined(place, FILES, deep=True) == []
    content = bytearray(path.read_bytes())
    content[4:40] = bytes(36)
    path.write_bytes(content)
    (found,) = examined(place, FILES, deep=True)
    assert "cannot be read as Parquet" in found.trouble.what


def test_a_query_on_a_damaged_table_names_the_file(place: Workspace) -> None:
    path = february(place)
    flip(path)
    done = place.command("sql", "select sum(value) from silver.things")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert str(path) in done.stderr and "`lakehouse doctor`" in done.stderr


def test_a_query_that_is_wrong_by_itself_is_told_as_such(place: Workspace) -> None:
    done = place.command("sql", "select nothing from silver.things")
    assert "The query is not understood" in done.stderr and "doctor" not in done.stderr


def test_files_of_earlier_versions_are_not_this_examinations(place: Workspace) -> None:
    path = place.path("silver.things")
    gone = deltafiles.removed(path, 1).pop()
    gone.unlink()
    assert examined(place, FILES) == []


def test_nothing_is_wrong_with_a_sound_lake(place: Workspace) -> None:
    assert healed(place, deep=True) == ([], [])
    assert deltafiles.first_flaw(place.path("silver.things"), deep=True) is None


def test_first_flaw_is_an_error_in_words(place: Workspace) -> None:
    february(place).unlink()
    flaw = deltafiles.first_flaw(place.path("silver.things"))
    assert isinstance(flaw, LakehouseError) and flaw.what.endswith("is gone")
