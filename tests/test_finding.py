from __future__ import annotations

import pytest

from lakehouse.finding import Finding, Findings


@pytest.mark.parametrize(
    ("cell", "line", "where"),
    [(0, 0, "a.ipynb"), (3, 0, "a.ipynb, cell 3"), (3, 2, "a.ipynb, cell 3, line 2"), (0, 2, "a.ipynb, line 2")],
)
def test_a_finding_says_where(cell: int, line: int, where: str) -> None:
    assert str(Finding("a.ipynb", cell, line, "size", "It is long", "Split it.")) == f"{where}: It is long. Split it."


def test_findings_are_collected_for_one_file() -> None:
    findings = Findings("a.ipynb")
    findings.add(1, 0, "title", "No title")
    assert findings.found == [Finding("a.ipynb", 1, 0, "title", "No title")]
    assert findings.has("size", "title")
    assert not findings.has("size")
