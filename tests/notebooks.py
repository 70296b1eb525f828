"""Small notebooks and projects for tests, written as text.

cells = notebook("silver/flights", code('df = lake.read("bronze.flights")'), code('lake.write(df, "silver.flights")'))
path = project(tmp_path, {"silver/flights": cells}, contracts={"silver.flights": {...}}, sources="…")
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Cell = dict[str, Any]


def markdown(text: str) -> Cell:
    return {"cell_type": "markdown", "id": "", "metadata": {}, "source": _text(text)}


def code(text: str, *tags: str) -> Cell:
    metadata = {"tags": list(tags)} if tags else {}
    return {"cell_type": "code", "id": "", "metadata": metadata, "outputs": [], "execution_count": None, "source": _text(text)}


def document(*cells: Cell | str, kernelspec: str = "lakehouse") -> dict[str, Any]:
    """A notebook of exactly these cells; plain text stands for a code cell."""
    made = [code(cell) if isinstance(cell, str) else cell for cell in cells]
    return {
        "cells": [{**cell, "id": f"cell-{number}"} for number, cell in enumerate(made, start=1)],
        "metadata": {
            "kernelspec": {"name": kernelspec, "display_name": "Lakehouse", "language": "python"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def notebook(name: str, *cells: Cell | str, parameters: str = "", imports: str = "") -> dict[str, Any]:
    """A notebook that keeps the contract: title, imports, parameters (cell 3), open (cell 4), then `cells` (from 5 on)."""
    word = name.split("/")[1]
    return document(
        markdown(f"# {word.replace('_', ' ').capitalize()}\n\nWhat is in {word}?"),
        code(f"import lakehouse\n{textwrap.dedent(imports)}"),
        code(parameters or "# none", "parameters"),
        code(f'lake = lakehouse.open("{name}")'),
        *cells,
    )


def copies(source: str, target: str, parameters: str = "") -> dict[str, Any]:
    """The shortest asset: reads one table and writes it to another."""
    body = [f'df = lake.read("{source}")', f'lake.write(df, "{target}")']
    return notebook(target.replace(".", "/"), *body, parameters=parameters)


def contract(table: str, columns: Mapping[str, str | Mapping[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    """A contract with an `id` key column, or with these columns; a partition column is added when `partitions` names one."""
    described = {name: {"type": kind} if isinstance(kind, str) else dict(kind) for name, kind in (columns or {}).items()}
    if not columns:
        described = {"id": {"type": "bigint", "nullable": False}}
        more.setdefault("key", ["id"])
    if "partitions" in more:
        described.setdefault(more["partitions"]["column"], {"type": "string", "nullable": False})
    return {"table": table, "description": f"Rows of {table}.", "owner": "team@example.com", **more, "columns": described}


MONTHS = {"column": "month", "start": "2013-01", "end": "2013-03"}

RAW_SOURCE = """
    from lakehouse.source import Delivery, Source

    def deliver(partition):
        yield Delivery("things.csv", b"id\\n1\\n2\\n")

    things = Source("raw.things", deliver)
"""


def project(
    folder: Path,
    notebooks: Mapping[str, Mapping[str, Any] | str] | None = None,
    contracts: Mapping[str, Mapping[str, Any] | str] | Iterable[str] = (),
    sources: str | None = None,
    files: Mapping[str, str] | None = None,
) -> Path:
    """Writes a project to `folder` and returns it.

    `notebooks` by name (`silver/flights`), `contracts` by table (`silver.flights`; only the names for default ones); a
    text instead of a mapping is written as it is. `sources` is the text of assets/sources.py, `files` any others by path.
    """
    (folder / "notebooks").mkdir(parents=True, exist_ok=True)
    (folder / "assets").mkdir(exist_ok=True)
    for name, content in (notebooks or {}).items():
        _write(folder / "notebooks" / f"{name}.ipynb", content if isinstance(content, str) else json.dumps(content, indent=1))
    given = contracts if isinstance(contracts, Mapping) else {table: contract(table) for table in contracts}
    for table, content in given.items():
        text = content if isinstance(content, str) else json.dumps(content)  # JSON is YAML
        _write(folder / "assets" / "contracts" / f"{table.replace('.', '/')}.yaml", text)
    if sources is not None:
        _write(folder / "assets" / "sources.py", _text(sources))
    for path, text in (files or {}).items():
        _write(folder / path, _text(text))
    return folder


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _text(text: str) -> str:
    return textwrap.dedent(text).strip("\n")
