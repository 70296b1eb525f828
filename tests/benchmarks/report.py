"""What was measured, as a table on the screen, as Markdown in the README, and as a file."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def show(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> None:
    """A table on the screen; all columns but the first to the right."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left")
    for number, header in enumerate(headers):
        table.add_column(header, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, width=None if _is_wide() else 160).print(table, markup=False)


def _is_wide() -> bool:
    import shutil

    return shutil.get_terminal_size().columns >= 120


def markdown(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The table as Markdown; a bar in a cell does not end it."""
    lines = [headers, ["---", *(["---:"] * (len(headers) - 1))], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def put(file: Path, name: str, body: str) -> bool:
    """Replaces what stands in `file` between `<!-- bench:name -->` and `<!-- /bench -->`. False where they are not."""
    text = file.read_text() if file.exists() else ""
    marked = re.compile(rf"(<!-- bench:{re.escape(name)} -->\n).*?(<!-- /bench -->)", re.DOTALL)
    if not marked.search(text):
        return False
    file.write_text(marked.sub(lambda found: f"{found[1]}{body}\n{found[2]}", text, count=1))
    return True


def save(name: str, measured: dict[str, Any], *, whole: bool, folder: Path = RESULTS) -> Path:
    """Writes `<folder>/<name>.json`, or `<name>-some.json` (which git ignores) of a part, and returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}{'' if whole else '-some'}.json"
    path.write_text(json.dumps(measured, indent=1) + "\n")
    return path


def seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def times(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}" if value >= 10 else f"{value:.2f}"


def gib(value: float | None) -> str:
    return "" if not value else f"{value / 2**30:.1f}"
