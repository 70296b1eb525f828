"""More flights, by a stated rule: `scale` copies of each, told apart, moved a little, the same on every machine.

Copy 0 is the flight as it was. In copy n, flight numbers are 10,000 n higher and tail numbers (in the register of
planes too) end in `-n`, so each copy has flights and planes of its own. Its schedule is moved by up to five minutes
to either side within the hour, departure and arrival alike, by a generator seeded with the month and n; what really
happened stays, so its delays change by as much. A scheduled time of 24:00 is not moved. Airports, carriers and weather
stay, so each of them sees `scale` times the traffic.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

SEED = 2013
NUMBERS_APART = 10_000  # the highest flight number of 2013 is 8,500
FURTHEST = 5  # minutes
MISSING = "NA"


def flights(content: bytes, scale: int, target: Path) -> Path:
    """Writes a month's CSV `content` with `scale` copies of each row to `target`, and returns it."""
    rows = _read(content)
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="none")
    with pa.OSFile(str(target), "wb") as file:
        file.write(content[: content.index(b"\n") + 1])
        for copy in range(scale):
            pyarrow.csv.write_csv(_flights_copy(rows, copy) if copy else rows, file, options)
    return target


def planes(content: bytes, scale: int) -> bytes:
    """The register of planes with each plane `scale` times."""
    header, *lines = content.splitlines(keepends=True)
    copies = [line for copy in range(scale) for line in (lines if not copy else _planes_copy(lines, copy))]
    return b"".join([header, *copies])


def _planes_copy(lines: list[bytes], copy: int) -> list[bytes]:
    return [b"%b-%d,%b" % (tail, copy, rest) for tail, _, rest in (line.partition(b",") for line in lines)]


def _read(content: bytes) -> pa.Table:
    names = content.partition(b"\n")[0].decode().strip().split(",")
    texts = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    return pyarrow.csv.read_csv(io.BytesIO(content), convert_options=texts)


def _flights_copy(rows: pa.Table, copy: int) -> pa.Table:
    departure, arrival = (_numbers(rows, name) for name in ("sched_dep_time", "sched_arr_time"))
    moved = _minutes(departure, arrival, [SEED, int(rows["month"][0].as_py()), copy])
    tails = rows["tailnum"]
    changed = {
        "flight": _texts(_numbers(rows, "flight") + NUMBERS_APART * copy),
        "tailnum": pc.if_else(pc.equal(tails, MISSING), tails, pc.binary_join_element_wise(tails, f"-{copy}", "")),
        "sched_dep_time": _texts(departure + moved),
        "sched_arr_time": _texts(arrival + moved),
        "minute": _texts(_numbers(rows, "minute") + moved),
        "dep_delay": _later(rows, "dep_delay", moved),
        "arr_delay": _later(rows, "arr_delay", moved),
    }
    for name, values in changed.items():
        rows = rows.set_column(rows.schema.get_field_index(name), name, values)
    return rows


def _minutes(departure: np.ndarray, arrival: np.ndarray, seed: list[int]) -> np.ndarray:
    """By how much each schedule is moved: departure and arrival both stay within their hour."""
    low = np.minimum(FURTHEST, np.minimum(departure % 100, arrival % 100))
    high = np.minimum(FURTHEST, 59 - np.maximum(departure % 100, arrival % 100))
    drawn = np.random.default_rng(seed).integers(-low, high, endpoint=True)
    return np.where((departure == 2400) | (arrival == 2400), 0, drawn)


def _numbers(rows: pa.Table, name: str) -> np.ndarray:
    return rows[name].cast(pa.int64()).to_numpy()


def _texts(numbers: np.ndarray) -> pa.Array:
    return pa.array(numbers).cast(pa.string())


def _later(rows: pa.Table, name: str, moved: np.ndarray) -> pa.Array:
    """The delays against the moved schedule; one that is missing stays so."""
    missing = pc.equal(rows[name], MISSING)
    numbers = pc.if_else(missing, None, rows[name]).cast(pa.int64())
    return pc.fill_null(pc.subtract(numbers, pa.array(moved)).cast(pa.string()), MISSING)
