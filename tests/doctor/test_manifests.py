from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse import doctor, raw
from lakehouse.errors import RawError
from lakehouse.names import TableName
from lakehouse.settings import Settings
from lakehouse.source import Delivery, Source
from tests.small_lake import cut

TABLE = TableName("raw", "things")


@pytest.fixture
def now(tmp_path: Path) -> Settings:
    made = Settings(project=tmp_path, root=tmp_path / "lake", cache=tmp_path / "cache")
    deliveries = [Delivery(f"{name}.csv", name.encode()) for name in "abc"]
    raw.land(made.root, Source("raw.things", lambda partition: deliveries))
    return made


def entry(now: Settings, number: int) -> Path:
    return now.root / "raw" / "things" / "_manifest" / f"{number:08d}.json"


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_torn_entry_is_written_anew(now: Settings, number: int) -> None:
    before = raw.files(now.root, TABLE)
    identity = raw.identity(now.root, TABLE)
    cut(entry(now, number))
    with pytest.raises(RawError, match="cannot be understood") as caught:
        raw.files(now.root, TABLE)
    assert "lakehouse doctor" in caught.value.hint
    (found,) = doctor.examine(now, names=["raw manifests"])
    assert f"it can only have named {'abc'[number - 1]}.csv" in found.trouble.todo
    done = [one.done for one in doctor.heal(now, names=["raw manifests"])]
    assert len(done) == 1
    after = raw.files(now.root, TABLE)
    assert [(file.path, file.filename, file.size, file.sha256) for file in after] == [
        (file.path, file.filename, file.size, file.sha256) for file in before
    ]
    assert raw.identity(now.root, TABLE) == identity
    assert raw.verify(now.root) == []


def test_two_torn_entries_cannot_be_told_apart(now: Settings) -> None:
    cut(entry(now, 1))
    cut(entry(now, 2))
    found = list(doctor.heal(now, names=["raw manifests"]))
    assert len(found) == 2 and not any(one.done for one in found)
    assert "Restore it from a backup" in found[0].trouble.todo


def test_a_lost_raw_file_is_landed_again(now: Settings) -> None:
    (lost,) = [file for file in raw.files(now.root, TABLE) if file.filename == "b.csv"]
    lost.path.unlink()
    assert len(raw.verify(now.root)) == 1
    landed = raw.land(now.root, Source("raw.things", lambda partition: [Delivery("b.csv", b"b")]))
    assert landed.new == ()
    assert raw.verify(now.root) == []
