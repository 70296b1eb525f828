from __future__ import annotations

import numpy as np
import pytest

from lakehouse.profiles import shown
from lakehouse.profiles.measured import Measured
from tests.profiles.batches import batch, moments, number, text

COLUMNS = {
    "delay": number(np.arange(-10, 91), missing=5),
    "status": text({"landed": 90, "lost": 10}),
    "id": text({}, distinct=1000),
    "at": moments(high=1359676740.0),
}
DISTANCE = Measured(
    batch="b", kind="distribution", column="delay", of="psi", observed=0.1234, usual=(0, 0.1), threshold=0.25, unusual=False
)


def test_each_column_is_a_line() -> None:
    lines = {line[0]: line[1:] for line in shown.lines(batch(100, **COLUMNS), [DISTANCE])}
    assert lines["delay"] == ("5 %", "101", "-10 … 40 … 90", "█▇▇▇▇▇▇▇▇▇▇█", "0.12")
    assert lines["status"] == ("", "2", "landed 90 %, lost 10 %", "█▂", "")
    assert lines["id"] == ("", "1,000", "many", "", "")
    assert lines["at"] == ("", "2", "1970-01-01 00:00 to 2013-01-31 23:59", "", "")


def test_values_mean_nothing_in_markdown() -> None:
    hostile = batch(2, note=text({"<script>alert(1)</script>": 1, "a|b [x](javascript:y) `c`": 1}))
    found = shown.markdown(hostile, [])
    assert "<" not in found and "[x]" not in found and "`" not in found
    assert len(found.splitlines()) == 3 and all(line.count("|") == 7 for line in found.splitlines())


@pytest.mark.parametrize(("numbers", "expected"), [([], ""), ([0, 0], ""), ([1, 2, 4], "▃▅█")], ids=["none", "zero", "some"])
def test_blocks_are_as_high_as_the_numbers(numbers: list[float], expected: str) -> None:
    assert shown.blocks(numbers) == expected
