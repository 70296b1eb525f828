"""How a notebook looks to its next reader: title, size, no outputs in the file, imports, kernelspec."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from lakehouse import cells
from lakehouse.cells import Cell
from lakehouse.finding import Finding
from lakehouse.notebook import NotebookSpec

KERNELSPEC = "lakehouse"
MOST_CELLS = 30
MOST_CODE_LINES = 120
MOST_LINES_A_CELL = 25
# What of the project a notebook may import.
ALLOWED = ("lakehouse", "assets.transforms")


def check(spec: NotebookSpec, project: Path) -> Iterator[Finding]:
    """What is wrong with a notebook's form; exploring notebooks may be long and need no title."""
    if spec.document.kernelspec != KERNELSPEC:
        own = spec.document.kernelspec
        named = f"its kernelspec is {own!r}" if own else "it has no kernelspec"
        hint = f"Choose the kernel Lakehouse in JupyterLab, or write {KERNELSPEC!r} as metadata.kernelspec.name."
        yield Finding(spec.file, 0, 0, "kernelspec", f"The notebook does not run on the shared kernel: {named}", hint)
    for cell in spec.document.cells:
        if cell.ran:
            hint = "Clear all outputs before saving; nbstripout does it for git."
            yield Finding(spec.file, cell.number, 0, "outputs", "Outputs or an execution count were left in the file", hint)
    for cell in spec.code_cells:
        yield from _imports(spec, cell, project)
    if not spec.explore:
        yield from _size(spec)
        yield from _after_the_write(spec)
        if not spec.title:
            hint = "Begin with a markdown cell: `# Title`, then the question it answers."
            yield Finding(spec.file, 1, 0, "title", "The notebook has no title", hint)


def _after_the_write(spec: NotebookSpec) -> Iterator[Finding]:
    """What fails after the last write fails a run whose table is published already."""
    written = max(((write.cell, write.line) for write in (*spec.writes, *spec.models_written, *spec.models_judged)), default=None)
    last = next((cell for cell in reversed(spec.code_cells) if _tree(cell).body), None)
    if written is None or last is None:
        return
    final = _tree(last).body[-1]
    if last.number != written[0] or (final.end_lineno or final.lineno) < written[1] or final.lineno > written[1]:
        hint = "Write last: should this code fail, the run would be called failed although its table is published."
        yield Finding(spec.file, last.number, final.lineno, "write-not-last", "Code follows the last lake.write or log_model", hint)


def _size(spec: NotebookSpec) -> Iterator[Finding]:
    count = len(spec.document.cells)
    if count > MOST_CELLS:
        hint = "Move logic to assets/transforms, or make two notebooks of it."
        yield Finding(spec.file, 0, 0, "size", f"{count} cells, at most {MOST_CELLS} are readable", hint)
    lines = {cell.number: sum(bool(line.strip()) for line in cell.source.splitlines()) for cell in spec.code_cells}
    if sum(lines.values()) > MOST_CODE_LINES:
        message = f"{sum(lines.values())} lines of code, at most {MOST_CODE_LINES} are readable"
        yield Finding(spec.file, 0, 0, "size", message, "Move logic to assets/transforms, where it is tested.")
    for number, length in lines.items():
        if length > MOST_LINES_A_CELL:
            message = f"{length} lines in one cell, at most {MOST_LINES_A_CELL} are readable"
            yield Finding(spec.file, number, 0, "size", message, "Split the cell, with a sentence of prose between.")
    for cell in spec.code_cells:
        for node in ast.walk(_tree(cell)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                hint = "Move it to a module of assets/transforms, where it is tested, and import it."
                message = f"{node.name} is defined in the notebook"
                yield Finding(spec.file, cell.number, node.lineno, "definition", message, hint)


def _imports(spec: NotebookSpec, cell: Cell, project: Path) -> Iterator[Finding]:
    """Refuses what belongs to the project but not to notebooks: such a change would not be seen, or not be tested."""
    for node in ast.walk(_tree(cell)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names] if node.module and not node.level else ["."]
        for name in names:
            if _of_the_project(name, project) and not any(f"{name}.".startswith(f"{one}.") for one in ALLOWED):
                hint = f"Import from {' and '.join(ALLOWED)} only, and from installed packages."
                message = f"{name} is not for notebooks" if name != "." else "A notebook is in no package: relative import"
                yield Finding(spec.file, cell.number, node.lineno, "import", message, hint)


def _of_the_project(name: str, project: Path) -> bool:
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names:
        return False
    return not top or (project / top).is_dir() or (project / f"{top}.py").is_file()


def _tree(cell: Cell) -> ast.Module:
    try:
        return cells.parse_python(cell.source)[0]
    except SyntaxError:  # a finding of its own
        return ast.Module(body=[], type_ignores=[])
