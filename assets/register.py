"""The aircraft register's change events of 2013, made from the package's planes by rule: it holds no changes itself.

The rules, in which planes are those of planes.csv sorted by tail number:
- A snapshot (op r) of the planes not built in 2013 comes first, with January.
- A plane built in 2013 enters (c) on the day of its first flight.
- Of the snapshot's planes every hundredth has one seat too many. Those of a month are put right (u) on its 15th, in one
  transaction: the first of them in January, the next in February, and so on.
- Of the snapshot's planes every thousandth has a provisional number, its own and "-P", and gets its own (u with another
  key) on the 20th of January, April, July, October.
- The two oldest are removed (d) on 31 December.
So at the end of the year the register is planes.csv without these two. Deliveries are uneven, as a log's are: a month's
lines come in the order of their SHA-256, every tenth again with the next month, and a month's first change only then.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Row = dict[str, Any]
_NUMBERS = ("year", "engines", "seats", "speed")
_OF_A_DAY = 10_000


def planes(content: bytes) -> list[Row]:
    """The lines of planes.csv, sorted by tail number; numbers as such, NA as None."""
    rows = csv.DictReader(content.decode().splitlines())
    return sorted((_typed(row) for row in rows), key=lambda row: row["tailnum"])


def _typed(row: Mapping[str, str]) -> Row:
    known = {name: None if value == "NA" else value for name, value in row.items()}
    return {name: int(value) if value and name in _NUMBERS else value for name, value in known.items()}


def first_flights(months: Mapping[str, bytes], of: set[str]) -> dict[str, str]:
    """The day, YYYY-MM-DD, on which each of these planes first flew by the flights' lines of each month."""
    found: dict[str, str] = {}
    for key in sorted(months):
        header, *lines = months[key].splitlines()
        names = header.decode().split(",")
        day, tail = names.index("day"), names.index("tailnum")
        for line in lines:
            fields = line.split(b",", tail + 1)
            number = fields[tail].decode()
            if number in of:
                found[number] = min(found.get(number, "9"), f"{key}-{int(fields[day]):02d}")
    return found


@dataclass(frozen=True)
class _Change:
    day: str
    op: str
    before: Row | None
    after: Row | None
    transaction: bool = False


def deliveries(register: list[Row], first: Mapping[str, str]) -> dict[str, bytes]:
    """By month the lines delivered, in Debezium's envelope; `register` and `first` as `planes` and `first_flights` give them."""
    told = _told(sorted(_changes(register, first), key=lambda change: change.day))
    files: dict[str, list[str]] = {key: [] for key in sorted(told)}
    later: list[str] = []
    for key, lines in sorted(told.items()):
        last = key == max(told)
        files[key] = sorted([*(lines if last else lines[1:]), *later], key=lambda line: hashlib.sha256(line.encode()).digest())
        later = [*lines[:1], *lines[10::10]]
    files[min(files)] += [_line("r", None, row, "2013-01-01", 1) for row in _snapshot(register)]
    return {key: "".join(f"{line}\n" for line in lines).encode() for key, lines in files.items()}


def _old(register: list[Row]) -> list[Row]:
    return [row for row in register if row["year"] != 2013]


def _snapshot(register: list[Row]) -> Iterator[Row]:
    """The planes as they were entered, mistakes and provisional numbers among them."""
    for place, row in enumerate(_old(register)):
        wrong = {"seats": row["seats"] + 1} if place % 100 == 0 else {}
        provisional = {"tailnum": f"{row['tailnum']}-P"} if place % 1000 == 50 else {}
        yield {**row, **wrong, **provisional}


def _changes(register: list[Row], first: Mapping[str, str]) -> Iterator[_Change]:
    for row in register:
        if row["year"] == 2013 and row["tailnum"] in first:
            yield _Change(first[row["tailnum"]], "c", None, row)
    for place, (before, row) in enumerate(zip(_snapshot(register), _old(register), strict=True)):
        if place % 100 == 0:
            yield _Change(f"2013-{place // 100 % 12 + 1:02d}-15", "u", before, row, transaction=True)
        elif place % 1000 == 50:
            yield _Change(f"2013-{place // 1000 * 3 % 12 + 1:02d}-20", "u", before, row)
    for row in sorted(_old(register), key=lambda row: (row["year"] or 9999, row["tailnum"]))[:2]:
        yield _Change("2013-12-31", "d", row, None)


def _told(changes: list[_Change]) -> dict[str, list[str]]:
    """The lines of each month in the log's order; a transaction's mark stands behind its events."""
    lines: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    for number, change in enumerate(changes, start=1):
        name = order = None
        if change.transaction:
            name = f"corrections of {change.day}"
            order = counts[name] = counts.get(name, 0) + 1
        told = _line(change.op, change.before, change.after, change.day, _OF_A_DAY + number, name, order)
        lines.setdefault(change.day[:7], []).append(told)
    for name, count in counts.items():
        lines[name.split()[-1][:7]].append(json.dumps({"status": "END", "id": name, "event_count": count}))
    return lines


def _line(
    op: str, before: Row | None, after: Row | None, day: str, lsn: int, transaction: str | None = None, order: int | None = None
) -> str:
    at = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)
    source = {"connector": "postgresql", "table": "aircraft", "lsn": lsn, "ts_ms": at, "snapshot": str(op == "r").lower()}
    block = {"id": transaction, "total_order": order} if transaction else None
    return json.dumps({"op": op, "ts_ms": at, "source": source, "transaction": block, "before": before, "after": after})
