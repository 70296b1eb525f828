from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import pytest

from lakehouse import raw, tables
from lakehouse.errors import BatchRefused
from lakehouse.ingest import batch, form, kept
from tests.ingest.deliveries import source, take

FIRST = b"id,speed,name\n1,10,a\n2,20,b\n"


def csv_of(names: str, *columns: Any) -> bytes:
    lines = [",".join(map(str, row)) for row in zip(*columns, strict=True)]
    return "\n".join([names, *lines, ""]).encode()


def numbers(seed: int, factor: float = 1.0, digits: int | None = None) -> list[float]:
    draw = random.Random(seed)
    return [round(draw.lognormvariate(5, 0.6) * factor, digits) for _ in range(400)]


IDS = range(400)
DAYS = [f"2013-01-{1 + number % 28:02d}" for number in IDS]
MILES = csv_of("id,day,distance,delay", IDS, DAYS, numbers(1, digits=None), numbers(2))
AGAIN = csv_of("id,day,distance,delay", IDS, DAYS, numbers(3, digits=None), numbers(4))


def test_columns_in_another_order_are_no_change(tmp_path: Path) -> None:
    found = take(tmp_path, FIRST, b"name,id,speed\nc,3,30\n")
    assert (found.columns, found.warnings) == (("id", "speed", "name"), ())


REFUSED = [
    pytest.param([FIRST, b"id,name\n3,c\n"], {}, "2013-02.csv: speed is gone (since 2013-01.csv", id="gone"),
    pytest.param([FIRST, b"id,speed,name,tempo\n3,30,c,1\n"], {}, "2013-02.csv: tempo came (since", id="added"),
    pytest.param(
        [MILES, csv_of("id,day,miles,delay", IDS, DAYS, numbers(5, digits=None), numbers(6))],
        {},
        "2013-02.csv: distance is now miles, as it seems: their values are alike (since 2013-01.csv",
        id="renamed",
    ),
    pytest.param(
        [MILES, csv_of("id,day,other,delay", IDS, DAYS, DAYS, numbers(6))],
        {},
        "distance is gone; other came",
        id="gone and added, for their values are not alike",
    ),
    pytest.param([FIRST, b"ID,speed,name\n3,30,c\n"], {}, "id is now ID, as it seems", id="other case"),
    pytest.param([FIRST, b"3,30,c\n"], {}, "has no header line: its first is '3,30,c'", id="no header"),
    pytest.param([FIRST], {"columns": ("id", "velocity", "name")}, "velocity is gone; speed came", id="not as declared"),
    pytest.param([FIRST, b""], {}, "2013-02.csv is empty", id="empty"),
    pytest.param([FIRST, gzip.compress(FIRST * 99)[:-9]], {}, "2013-02.csv is a truncated gzip", id="truncated"),
    pytest.param(
        [FIRST, b"id,speed,name\n1,2\n2,3,4\n5,6,7,8\n"],
        {},
        "2 of 3 rows do not fit, more than 1%: 2013-02.csv, line 2 has 2 fields, not 3: '1,2'; 2013-02.csv, line 4",
        id="too many misfits",
    ),
    pytest.param(
        [MILES, csv_of("id,day,distance,delay", IDS, DAYS, DAYS, numbers(4))],
        {},
        "distance was numbers, now 100% are dates, such as '2013-01-01' (since",
        id="retyped",
    ),
    pytest.param(
        [MILES, csv_of("id,day,distance,delay", IDS, DAYS, numbers(3, 1.609344), numbers(4))],
        {"units": "error"},
        "distance seems to be in another unit, 1.609 times as much (miles to kilometres): its median is",
        id="another unit, where that is an error",
    ),
]


@pytest.mark.parametrize(("deliveries", "about", "message"), REFUSED)
def test_what_cannot_be_read_safely_is_refused_with_what_changed(
    tmp_path: Path, deliveries: list[bytes], about: dict[str, Any], message: str
) -> None:
    with pytest.raises(BatchRefused) as caught:
        take(tmp_path, *deliveries, **about)
    assert message in caught.value.what
    assert caught.value.what.startswith("raw.things: ")
    assert caught.value.hint


HINTS = [
    pytest.param(
        [FIRST, b"id,name\n3,c\n"], {}, "Expected are id, speed, name (as in the first delivery, 2013-01.csv)", id="columns"
    ),
    pytest.param([FIRST, b"id,speed,name\n3,3,caf\xe9\n"], {}, 'say options={"encoding": …}', id="encoding"),
    pytest.param([FIRST, b'id,speed,name\n3,3,"a\nb"\n'], {}, 'say options={"multiLine": True}', id="line ends in values"),
    pytest.param([MILES, csv_of("id,day,distance,delay", IDS, DAYS, DAYS, IDS)], {}, "name the column in varying=…", id="values"),
]


@pytest.mark.parametrize(("deliveries", "about", "hint"), HINTS)
def test_a_refusal_says_what_to_do(tmp_path: Path, deliveries: list[bytes], about: dict[str, Any], hint: str) -> None:
    with pytest.raises(BatchRefused) as caught:
        take(tmp_path, *deliveries, **about)
    assert hint in caught.value.hint


ACCEPTED = [
    pytest.param([FIRST, b"id,name\n3,c\n"], {"optional": ("speed",)}, ("id", "speed", "name"), id="an optional column is gone"),
    pytest.param([FIRST], {"optional": ("tempo",)}, ("id", "speed", "name", "tempo"), id="an optional column may come"),
    pytest.param([FIRST, b"id,tempo\n3,c\n"], {"columns": ("id", "tempo")}, ("id", "tempo"), id="declared anew"),
    pytest.param(
        [MILES, csv_of("id,day,distance,delay", IDS, DAYS, DAYS, IDS)],
        {"varying": ("distance", "delay")},
        ("id", "day", "distance", "delay"),
        id="may vary",
    ),
    pytest.param([FIRST, b"id,speed,name\n1,2\n"], {"tolerance": 1.0}, ("id", "speed", "name"), id="any share tolerated"),
]


@pytest.mark.parametrize(("deliveries", "about", "columns"), ACCEPTED)
def test_what_the_source_allows_is_taken(
    tmp_path: Path, deliveries: list[bytes], about: dict[str, Any], columns: tuple[str, ...]
) -> None:
    found = take(tmp_path, *deliveries, **about)
    assert (found.columns, found.warnings) == (columns, ())


def test_a_suspected_change_of_unit_is_told_with_every_delivery_until_the_source_says_it_is_right(tmp_path: Path) -> None:
    kilometres = [csv_of("id,day,distance,delay", IDS, DAYS, numbers(seed, 1.609344), numbers(seed + 1)) for seed in (5, 7)]
    found = take(tmp_path / "warned", MILES, AGAIN, *kilometres)
    (warning,) = found.warnings
    assert warning.startswith("raw.things, 2013-04.csv: distance seems to be in another unit, 1.609 times as much")
    assert "2 other columns of numbers have not moved (since 2013-02.csv" in warning
    assert take(tmp_path / "settled", MILES, AGAIN, *kilometres, varying=("distance",)).warnings == ()


def test_a_wrong_delivery_is_refused_again_after_another_of_its_kind(tmp_path: Path) -> None:
    wrong = csv_of("id,day,distance,delay", IDS, DAYS, DAYS, numbers(4))
    with pytest.raises(BatchRefused, match=r"2013-04\.csv: distance was numbers"):
        take(tmp_path, MILES, AGAIN, wrong, wrong + b"400,2013-01-01,2013-01-01,1\n")


def test_a_file_is_judged_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = take(tmp_path, FIRST, tolerance=0.5)
    monkeypatch.setattr(kept, "judge", None)
    made = source({"2013-01": ("2013-01.csv", FIRST)})
    again = batch.take(tmp_path, made, raw.files(tmp_path, made.name))
    assert again.files == first.files


def test_a_verdict_that_is_torn_is_made_anew(tmp_path: Path) -> None:
    found = take(tmp_path, FIRST + b"3\n", tolerance=0.5)
    for path in (tmp_path / "raw" / kept.FOLDER).iterdir():
        path.write_bytes(path.read_bytes()[:20]) if path.suffix == ".json" else path.unlink()
    made = source({"2013-01": ("2013-01.csv", b"")}, tolerance=0.5)
    assert batch.take(tmp_path, made, raw.files(tmp_path, made.name)).files == found.files


def test_another_way_of_reading_is_another_verdict(tmp_path: Path) -> None:
    taken = take(tmp_path, b"a;b\n1;2\n")
    made = source({"2013-01": ("", b"")}, options={"header": True, "sep": ";"})
    assert (taken.columns, batch.take(tmp_path, made, raw.files(tmp_path, made.name)).columns) == (("a;b",), ("a", "b"))


def test_files_that_describe_themselves_are_not_judged(tmp_path: Path) -> None:
    made = source({None: ("a.parquet", b"PAR1")}, format="parquet")
    raw.land(tables.open_root(tmp_path), made)
    taken = batch.take(tmp_path, made, raw.files(tmp_path, made.name))
    assert (form.of(made), taken.columns, len(taken.files)) == (None, None, 1)


def test_keys_of_json_may_come_and_go_but_are_told(tmp_path: Path) -> None:
    found = take(tmp_path, b'{"a": 1}\n{"a": 2, "c": 1}\n', b'{"b": 1}\n', format="json", options={})
    assert [words.split(": ", 1)[1].partition(" (")[0] for words in found.warnings] == ["a is gone", "b came"]
    with pytest.raises(BatchRefused, match="a is gone"):
        take(tmp_path / "declared", b'{"a": 1}\n', b'{"c": 1}\n', format="json", options={}, columns=("a",), optional=("c",))


def test_findings_tell_all_and_refuse_nothing(tmp_path: Path) -> None:
    made = source({"2013-01": ("a.csv", b"a,b\n1,2\n" + b"x\n" * 5), "2013-02": ("b.csv", b"")})
    for month in ("2013-01", "2013-02"):
        raw.land(tables.open_root(tmp_path), made, month)
    said = batch.findings(tmp_path, made, raw.files(tmp_path, made.name))
    assert said[0] == "a.csv, line 3 has 1 field, not 2: 'x'"
    assert said[3:] == ["a.csv: 2 more rows do not fit", "b.csv is empty"]
