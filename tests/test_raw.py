from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest

from lakehouse.errors import PartitionError, RawError, SourceError
from lakehouse.names import TableName
from lakehouse.partitions import PartitionSpace, month
from lakehouse.raw import WHOLE, files, identity, land, received, seen_as, verify
from lakehouse.source import Delivery, Source

THINGS = TableName("raw", "things")
SPACE = PartitionSpace("month", month("2013-01"), month("2013-03"))


def gives(*deliveries: Delivery, partitions: PartitionSpace | None = None) -> Source:
    return Source("raw.things", lambda partition: deliveries, partitions=partitions)


def one(content: bytes, name: str = "things.csv") -> Source:
    return gives(Delivery(name, content))


def stored(root: Path) -> set[str]:
    """Every file below raw/ but the manifest's."""
    return {
        path.relative_to(root / "raw").as_posix()
        for path in (root / "raw").rglob("*")
        if path.is_file() and path.parent.name != "_manifest"
    }


def test_a_file_lands_byte_for_byte_with_its_entry(tmp_path: Path) -> None:
    landing = land(tmp_path, one(b"a,b\r\n\xff\x00"))
    (file,) = landing.new
    assert landing.unchanged == ()
    assert file.path == tmp_path / "raw" / "things" / "things.csv"
    assert file.path.read_bytes() == b"a,b\r\n\xff\x00"
    assert (file.size, file.filename, file.partition) == (7, "things.csv", None)
    assert file.received_at.utcoffset() == timedelta(0)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o444
    assert files(tmp_path, THINGS) == [file]
    assert verify(tmp_path) == []


def test_a_file_given_by_path_is_copied(tmp_path: Path) -> None:
    given = tmp_path / "big.bin"
    given.write_bytes(os.urandom(3_000_000))
    (file,) = land(tmp_path / "lake", gives(Delivery("big.bin", given))).new
    assert file.path.read_bytes() == given.read_bytes()
    assert file.origin == str(given)


def test_the_same_bytes_again_change_nothing(tmp_path: Path) -> None:
    first = land(tmp_path, one(b"1"))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "raw" / "things").rglob("*")}
    again = land(tmp_path, one(b"1"))
    under_another_name = land(tmp_path, one(b"1", "copy.csv"))
    assert again.new == under_another_name.new == ()
    assert again.unchanged == under_another_name.unchanged == first.new
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "raw" / "things").rglob("*")} == before


def test_other_bytes_under_the_same_name_are_kept_beside(tmp_path: Path) -> None:
    (first,) = land(tmp_path, one(b"1")).new
    (second,) = land(tmp_path, one(b"2")).new
    assert first.path.read_bytes() == b"1"
    assert second.path.name.startswith("things.")
    assert second.path.suffix == ".csv"
    assert files(tmp_path, THINGS) == [second]
    assert verify(tmp_path) == []


def test_bytes_that_come_back_are_the_newest_again_and_stored_once(tmp_path: Path) -> None:
    for content in (b"1", b"2", b"1"):
        land(tmp_path, one(content))
    (now,) = files(tmp_path, THINGS)
    assert now.path.read_bytes() == b"1"
    assert len(stored(tmp_path)) == 2
    assert land(tmp_path, one(b"1")).new == ()


def test_partitions_lie_apart(tmp_path: Path) -> None:
    source = Source("raw.things", lambda partition: [Delivery("x.csv", str(partition).encode())], partitions=SPACE)
    land(tmp_path, source, "2013-02")
    land(tmp_path, source, "2013-01")
    assert [file.partition for file in files(tmp_path, THINGS)] == ["2013-01", "2013-02"]
    assert [file.path.read_bytes() for file in files(tmp_path, THINGS, ["2013-02", "2013-03"])] == [b"2013-02"]
    assert set(identity(tmp_path, THINGS)) == {"2013-01", "2013-02"}
    assert set(identity(tmp_path, THINGS, ["2013-02"])) == {"2013-02"}


def test_identity_follows_the_bytes_alone(tmp_path: Path) -> None:
    land(tmp_path / "a", one(b"1"))
    land(tmp_path / "b", one(b"2"))
    land(tmp_path / "c", one(b"2"))
    land(tmp_path / "c", one(b"1"))
    a, b, c = (identity(tmp_path / lake, THINGS) for lake in "abc")
    assert set(a) == {"*"}
    assert a != b
    assert a == c
    assert identity(tmp_path / "none", THINGS) == {}


def test_what_was_there_under_an_identity_is_found_again(tmp_path: Path) -> None:
    seen = []
    for content, name in ((b"1", "a.csv"), (b"2", "b.csv"), (b"3", "a.csv")):
        land(tmp_path, one(content, name))
        seen.append(identity(tmp_path, THINGS)[WHOLE])
    known = [[file.path.read_bytes() for file in seen_as(tmp_path, THINGS, WHOLE, was)] for was in seen]
    assert known == [[b"1"], [b"1", b"2"], [b"3", b"2"]]
    assert seen_as(tmp_path, THINGS, WHOLE, "never") == []
    assert [file.path.read_bytes() for file in received(tmp_path, THINGS)] == [b"1", b"2", b"3"]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("../../etc/passwd", "passwd"),
        ("a/b\\c.csv", "c.csv"),
        (".hidden", "hidden"),
        ("_part.csv", "part.csv"),
        ("a b=c;$(x).csv.gz", "a_b_c_x_.csv.gz"),
        ("..", "file"),
        ("é", "file"),
        ("a" * 300 + ".csv", "a" * 100 + ".csv"),
    ],
)
def test_a_name_cannot_lead_elsewhere(tmp_path: Path, name: str, path: str) -> None:
    (file,) = land(tmp_path, one(b"1", name)).new
    assert file.path == tmp_path / "raw" / "things" / path
    assert file.filename == name


def test_names_that_look_alike_are_kept_apart(tmp_path: Path) -> None:
    land(tmp_path, gives(Delivery("a b", b"1"), Delivery("a_b", b"2")))
    assert {file.filename: file.path.read_bytes() for file in files(tmp_path, THINGS)} == {"a b": b"1", "a_b": b"2"}


def test_bytes_without_an_entry_are_not_there_until_landed_again(tmp_path: Path) -> None:
    (file,) = land(tmp_path, one(b"1")).new
    (tmp_path / "raw" / "things" / "_manifest" / "00000001.json").unlink()
    assert files(tmp_path, THINGS) == []
    assert land(tmp_path, one(b"1")).new[0].path == file.path
    assert stored(tmp_path) == {"things/things.csv"}


def test_a_landing_killed_between_two_files_is_healed(tmp_path: Path) -> None:
    program = f"""
        import os, pathlib, sys
        from lakehouse.raw import land
        from lakehouse.source import Delivery, Source

        def fetch(partition):
            yield Delivery("a.csv", b"1")
            os.kill(os.getpid(), {int(signal.SIGKILL)})

        land(pathlib.Path(sys.argv[1]), Source("raw.things", fetch))
        """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program), str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    landing = land(tmp_path, gives(Delivery("a.csv", b"1"), Delivery("b.csv", b"2")))
    assert [file.filename for file in landing.new] == ["b.csv"]
    assert len(files(tmp_path, THINGS)) == 2
    assert verify(tmp_path) == []


def test_two_that_land_at_once_lose_and_double_nothing(tmp_path: Path) -> None:
    both = threading.Barrier(4)

    def fetch(partition: str | None) -> Iterable[Delivery]:
        both.wait()
        for number in range(10):
            yield Delivery(f"{number}.csv", str(number).encode())

    source = Source("raw.things", fetch)
    threads = [threading.Thread(target=land, args=(tmp_path, source)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(files(tmp_path, THINGS)) == len(stored(tmp_path)) == 10
    assert len(list((tmp_path / "raw" / "things" / "_manifest").iterdir())) == 10


def test_a_source_that_fails_is_named_and_what_came_before_stays(tmp_path: Path) -> None:
    def fetch(partition: str | None) -> Iterable[Delivery]:
        yield Delivery("a.csv", b"1")
        raise TimeoutError("no answer")

    with pytest.raises(SourceError, match=r"raw.things, partition 2013-01 could not be fetched: TimeoutError: no answer"):
        land(tmp_path, Source("raw.things", fetch, partitions=SPACE), "2013-01")
    assert len(files(tmp_path, THINGS)) == 1


def test_a_file_the_source_names_but_does_not_have_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"gone.csv cannot be read: No such file"):
        land(tmp_path, gives(Delivery("gone.csv", tmp_path / "gone.csv")))
    assert stored(tmp_path) == set()


@pytest.mark.parametrize(
    ("partitions", "partition", "message"),
    [
        (SPACE, None, "lands month by month"),
        (SPACE, "2013-04", "raw.things: Partition 2013-04 does not exist\nThere are 2013-01 to 2013-03"),
        (None, "2013-01", "has no partitions"),
    ],
)
def test_only_a_partition_of_the_source_lands(
    tmp_path: Path, partitions: PartitionSpace | None, partition: str | None, message: str
) -> None:
    with pytest.raises(PartitionError, match=message):
        land(tmp_path, gives(partitions=partitions), partition)


def test_a_source_that_gives_something_else_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="It must give Delivery"):
        land(tmp_path, Source("raw.things", lambda partition: ["a.csv"]))  # type: ignore[arg-type,return-value]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_lake_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(RawError, match="cannot be written: Permission denied"):
        land(tmp_path, one(b"1"))


def test_a_lake_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("")
    with pytest.raises(RawError, match="cannot be written"):
        land(tmp_path, one(b"1"))


def test_verify_finds_changed_and_missing_bytes_of_older_deliveries_too(tmp_path: Path) -> None:
    (old,) = land(tmp_path, one(b"1")).new
    land(tmp_path, one(b"2"))
    (other,) = land(tmp_path, one(b"3", "other.csv")).new
    old.path.chmod(0o644)
    old.path.write_bytes(b"x")
    other.path.unlink()
    changed, gone = sorted(verify(tmp_path), key=lambda said: "gone" in said)
    assert "raw/things/things.csv was changed" in changed
    assert "raw/things/other.csv is gone" in gone


def test_a_manifest_that_cannot_be_understood_is_told(tmp_path: Path) -> None:
    land(tmp_path, one(b"1"))
    entry = tmp_path / "raw" / "things" / "_manifest" / "00000001.json"
    entry.write_text(json.dumps({"filename": "x"}))
    with pytest.raises(RawError, match="cannot be understood"):
        files(tmp_path, THINGS)
    assert "cannot be understood" in verify(tmp_path)[0]
