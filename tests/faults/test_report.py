from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.faults.report import FOLDER, README, Report, Row, into_readme


def test_a_run_of_some_faults_renews_their_rows_and_keeps_the_others(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("Before\n<!-- faults -->\nold\n<!-- /faults -->\nAfter\n")
    environ = {FOLDER: str(tmp_path / "report"), README: str(readme)}
    first, second = Report(), Report()
    first.add(Row("b | c", "told", "seen", 1.25, None, "1"))
    first.add(Row("a", "told", "seen", None, 3, "2"))
    first.save(environ)
    second.add(Row("a", "told", "seen again", 2, 4, "2"))
    second.save(environ)
    lines = (tmp_path / "report" / "faults.md").read_text().splitlines()[2:]
    assert lines == ["| b \\| c | told | seen | 1.2 s |  |", "| a | told | seen again | 2.0 s | 4.0 s |"]
    assert [row["seen"] for row in json.loads((tmp_path / "report" / "faults.json").read_text())] == ["seen", "seen again"]
    assert readme.read_text().splitlines()[1:4] == [
        "<!-- faults -->",
        *(["| fault | promised | seen | told after | works again after |"]),
        "|---|---|---|---|---|",
    ]
    assert readme.read_text().endswith("<!-- /faults -->\nAfter\n")


def test_nothing_is_written_unasked(tmp_path: Path) -> None:
    made = Report()
    made.add(Row("a", "told", "seen"))
    made.save({})
    assert list(tmp_path.iterdir()) == []


def test_a_readme_without_the_markers_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("Nothing here")
    with pytest.raises(ValueError, match="<!-- faults -->"):
        into_readme(tmp_path / "README.md", "| a |")
