"""A notebook's file: its cells as they stand, and their Python without IPython's magics."""

from __future__ import annotations

import ast
import json
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakehouse.errors import NotebookError

# Cell magics whose cell is ordinary Python that runs; the body of all others is another language.
_PYTHON_CELLS = {"time", "timeit", "capture", "prun"}
_MAGIC_LINE = re.compile(r"\s*([%!?]|[\w.]+\s*=\s*[%!]|.*\?\s*$)")


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell; `number` counts all cells from 1. `ran` says that outputs or an execution count were left in it."""

    number: int
    kind: str
    source: str
    tags: tuple[str, ...] = ()
    ran: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """A notebook file of format 4, as read from JSON."""

    cells: tuple[Cell, ...]
    kernelspec: str
    minor: int

    @property
    def code(self) -> tuple[Cell, ...]:
        return tuple(cell for cell in self.cells if cell.kind == "code")


def read(path: Path) -> Document:
    """Reads the file as plain JSON. Raises NotebookError if it is missing, not JSON or not a notebook of format 4."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotebookError(f"There is no notebook {path}", "Check the path.") from None
    except (ValueError, RecursionError) as error:
        raise NotebookError(f"{path} is not JSON: {error}", "Restore it from git, or save it again in JupyterLab.") from None
    except OSError as error:
        raise NotebookError(f"{path} cannot be read: {error.strerror}", "Check the path and its permissions.") from None
    try:
        if data["nbformat"] != 4:
            raise NotebookError(f"{path} is of notebook format {data['nbformat']!r}", "Save it as format 4, as JupyterLab does.")
        cells = tuple(_cell(number, cell) for number, cell in enumerate(data["cells"], start=1))
        kernelspec = str(data.get("metadata", {}).get("kernelspec", {}).get("name", ""))
        return Document(cells, kernelspec, int(data.get("nbformat_minor", 0)))
    except (KeyError, TypeError, AttributeError, ValueError):
        raise NotebookError(f"{path} is JSON but not a notebook", "It needs `nbformat` and a list of `cells`.") from None


def _cell(number: int, cell: dict[str, Any]) -> Cell:
    source = cell.get("source", "")
    text = source if isinstance(source, str) else "".join(source)
    tags = tuple(str(tag) for tag in cell.get("metadata", {}).get("tags", ()))
    ran = bool(cell.get("outputs")) or cell.get("execution_count") is not None
    return Cell(number, cell["cell_type"], text.replace("\r\n", "\n"), tags, ran)


def parse_python(source: str) -> tuple[ast.Module, tuple[str, ...]]:
    """The syntax tree of a code cell, and the magic lines left out of it. Lines keep their numbers.

    A line is taken for a magic only where Python itself stumbles over it, so a `%` in a string or a continued
    expression stays. Raises SyntaxError.
    """
    lines = source.split("\n")
    magics: list[str] = []
    first = next((index for index, line in enumerate(lines) if line.strip()), 0)
    cell_magic = re.match(r"\s*%%(\w+)", lines[first])
    if cell_magic:
        taken = lines[first : first + 1] if cell_magic[1] in _PYTHON_CELLS else lines[first:]
        magics.extend(taken)
        lines[first : first + len(taken)] = [""] * len(taken)
    while True:
        try:
            return _compile("\n".join(lines)), tuple(magics)
        except SyntaxError as error:
            index = (error.lineno or 1) - 1
            if index >= len(lines) or not _MAGIC_LINE.match(lines[index]):
                raise
            magics.append(lines[index].strip())
            indent = lines[index][: len(lines[index]) - len(lines[index].lstrip())]
            lines[index] = f"{indent}pass"


def _compile(source: str) -> ast.Module:
    try:
        # Notebooks may await at the top of a cell.
        flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as invalid escapes: the kernel says those, once
            tree = compile(source, "<cell>", "exec", flags, dont_inherit=True)
    except (ValueError, RecursionError, MemoryError) as error:
        raise SyntaxError(str(error), ("<cell>", 1, 1, "")) from None
    assert isinstance(tree, ast.Module)
    return tree


def title_and_description(document: Document) -> tuple[str, str]:
    """The first heading of the first cell, and the prose below it up to the next heading; empty where there is none."""
    first = document.cells[0] if document.cells else None
    if first is None or first.kind != "markdown":
        return "", ""
    found = re.search(r"^#[ \t]+(\S.*?)[ \t]*#*[ \t]*$", first.source, re.MULTILINE)
    if not found:
        return "", ""
    below = first.source[found.end() :]
    return found[1], re.split(r"^#+[ \t]", below, maxsplit=1, flags=re.MULTILINE)[0].strip()
