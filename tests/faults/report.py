"""The suite's own table: fault, what is promised, what was seen, seconds until told and until recovered.

It is written as JSON and Markdown to the folder that FAULTS_REPORT names; a run of some of the faults renews their
rows and keeps the others. README.md gets it between `<!-- faults -->` and `<!-- /faults -->` where FAULTS_README names it.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER, README = "FAULTS_REPORT", "FAULTS_README"
BEGIN, END = "<!-- faults -->", "<!-- /faults -->"


@dataclass(frozen=True)
class Row:
    """`told` and `recovered` are seconds after the fault; None where there is nothing to wait for."""

    fault: str
    promised: str
    seen: str
    told: float | None = None
    recovered: float | None = None
    order: str = ""


class Report:
    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}

    def add(self, row: Row) -> None:
        self.rows[row.fault] = row

    def save(self, environ: dict[str, str] | None = None) -> None:
        """Writes the files that the environment asks for."""
        environ = dict(os.environ) if environ is None else environ
        if not self.rows or not environ.get(FOLDER):
            return
        folder = Path(environ[FOLDER])
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / "faults.json"
        before = {row["fault"]: Row(**row) for row in json.loads(kept.read_text())} if kept.exists() else {}
        rows = sorted({**before, **self.rows}.values(), key=lambda row: (row.order, row.fault))
        kept.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
        (folder / "faults.md").write_text(markdown(rows))
        if environ.get(README):
            into_readme(Path(environ[README]), markdown(rows))


def markdown(rows: list[Row]) -> str:
    """One line a fault."""
    lines = ["| fault | promised | seen | told after | works again after |", "|---|---|---|---|---|"]
    for row in rows:
        cells = (row.fault, row.promised, row.seen, _seconds(row.told), _seconds(row.recovered))
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def into_readme(path: Path, table: str) -> None:
    """Puts `table` between the markers. Raises ValueError where they are missing."""
    text = path.read_text()
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"{path} has no {BEGIN} … {END}")
    path.write_text(pattern.sub(lambda _: f"{BEGIN}\n{table}{END}", text))


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"
