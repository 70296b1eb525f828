from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest

from lakehouse import deltafiles
from lakehouse.deltafiles import DataFile
from tests.small_lake import cut, flip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """2,500 bytes with the shape of Parquet, and Hadoop's checksums beside them."""
    path = tmp_path / "part.parquet"
    path.write_bytes(b"PAR1" + bytes(range(248)) * 10 + struct.pack("<I", 80) + b"PAR1" + b"" * 8)
    content = path.read_bytes()
    sums = [zlib.crc32(content[start : start + 512]) for start in range(0, len(content), 512)]
    deltafiles.checksums(path).write_bytes(b"crc\0" + struct.pack(f">I{len(sums)}I", 512, *sums))
    return path


def test_checksums_tell_every_changed_byte(file: Path) -> None:
    assert deltafiles.matches_checksums(file) is True
    for position in (0.0, 0.3, 0.999):
        flip(file, position)
        assert deltafiles.matches_checksums(file) is False
        flip(file, position)
    assert deltafiles.matches_checksums(file) is True


def test_checksums_tell_a_file_that_is_longer_or_shorter(file: Path) -> None:
    whole = file.read_bytes()
    for other in (whole + b"x", whole + bytes(512), whole[:-1], whole[:512], b""):
        file.write_bytes(other)
        assert deltafiles.matches_checksums(file) is False


@pytest.mark.parametrize("content", [b"", b"crc", b"nonsense", b"crc\0" + struct.pack(">I", 0)])
def test_checksums_that_are_damaged_themselves_say_nothing(file: Path, content: bytes) -> None:
    deltafiles.checksums(file).write_bytes(content)
    assert deltafiles.matches_checksums(file) is None
    deltafiles.checksums(file).unlink()
    assert deltafiles.matches_checksums(file) is None


def test_a_file_is_judged_by_its_size_and_shape_and_when_asked_by_its_bytes(file: Path) -> None:
    data = DataFile(file, file.stat().st_size, "", 0)
    assert deltafiles.flaw(data, deep=True) == ""
    flip(file, 0.5)
    assert deltafiles.flaw(data) == ""
    assert "was changed" in deltafiles.flaw(data, deep=True)
    flip(file, 0.0)
    assert "does not begin and end as a Parquet file does" in deltafiles.flaw(data)
    cut(file)
    assert deltafiles.flaw(data) == f"has {data.size // 2:,} bytes, its commit says {data.size:,}"
    file.unlink()
    assert deltafiles.flaw(data) == "is gone"
