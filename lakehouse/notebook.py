"""A notebook as an asset: all that it says of itself, found in its file without running it."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakehouse import cells, lakecalls, parameters
from lakehouse.cells import Cell, Document
from lakehouse.errors import LakehouseError, NotebookError, ParameterError
from lakehouse.finding import Finding, Findings
from lakehouse.lakecalls import Open, Read, Write
from lakehouse.names import EXPLORE, TableName
from lakehouse.parameters import Parameter, ParameterType
from lakehouse.partitions import Coverage, month

__all__ = ["FOLDER", "NotebookSpec", "Open", "Read", "Write", "parse"]

FOLDER = "notebooks"
PARAMETERS_TAG = "parameters"


@dataclass(frozen=True, slots=True)
class NotebookSpec:
    """One notebook. `problems` breaks its contract; the rest is what could be understood all the same."""

    name: TableName
    path: Path
    file: str
    title: str
    description: str
    parameters: tuple[Parameter, ...]
    opens: Open | None
    reads: tuple[Read, ...]
    writes: tuple[Write, ...]
    models_read: tuple[Read, ...]
    models_written: tuple[Write, ...]
    models_judged: tuple[Write, ...]
    document: Document
    problems: tuple[Finding, ...]

    @property
    def code_cells(self) -> tuple[Cell, ...]:
        return self.document.code

    @property
    def explore(self) -> bool:
        return self.name.layer == EXPLORE

    @property
    def inputs(self) -> tuple[TableName, ...]:
        """Tables and models it reads, each once, sorted."""
        return tuple(sorted({read.table for read in (*self.reads, *self.models_read)}))

    @property
    def outputs(self) -> tuple[TableName, ...]:
        """Tables and models it writes, each once; the one of its own name comes last, as it is published last."""
        names = {write.table for write in (*self.writes, *self.models_written)}
        return tuple(sorted(names, key=lambda name: (name == self.name, name)))

    @property
    def only_merges(self) -> bool:
        """Whether all it writes is merged by key, and not month by month: then it may read what is new alone."""
        return all(write.merged for write in self.writes) and not self.models_written and self.partition_parameter is None

    def coverages(self, table: TableName) -> tuple[Coverage, ...]:
        """The different partitions= under which `table` is read, in the order of the text."""
        return tuple(dict.fromkeys(read.coverage for read in self.reads if read.table == table))

    @property
    def partition_parameter(self) -> Parameter | None:
        """The parameter that takes the partitions of a run: the only one of type list[month]."""
        found = [parameter for parameter in self.parameters if parameter.type == ParameterType("month", many=True)]
        return found[0] if len(found) == 1 else None

    def bind(self, values: Mapping[str, object]) -> dict[str, Any]:
        """Every parameter's typed value, from `values` (typed or text) or its sample. Raises ParameterError."""
        bound = parameters.bind(self.parameters, values, self.file)
        own = self.partition_parameter
        if own is not None:
            bound[own.name] = sorted(set(bound[own.name]))
            if not bound[own.name]:
                raise ParameterError(f"Parameter {own.name} = [] names no partition", "Give at least one month, such as 2013-02.")
        return bound

    def partitions(self, bound: Mapping[str, Any]) -> tuple[month, ...]:
        """The partitions that a run with the `bound` values is for; none when it takes no partitions."""
        own = self.partition_parameter
        return tuple(bound[own.name]) if own is not None else ()


def parse(path: Path, project: Path) -> NotebookSpec:
    """Reads the notebook at `path` of the project folder `project`.

    Raises NotebookError if the file is no notebook or lies where none may; all else that is wrong goes to `problems`.
    """
    name, file = _place(path, project)
    document = cells.read(path)
    problems = Findings(file)
    trees = _trees(document, problems)
    found = lakecalls.collect(trees, problems, explore=name.layer == EXPLORE)
    title, description = cells.title_and_description(document)
    return NotebookSpec(
        name=name,
        path=path,
        file=file,
        title=title,
        description=description,
        parameters=_parameters(document, dict(trees), problems, needed=name.layer != EXPLORE),
        opens=_own_name(found.opens, name, problems),
        reads=tuple(found.reads),
        writes=tuple(found.writes),
        models_read=tuple(found.models_read),
        models_written=tuple(found.models_written),
        models_judged=tuple(found.models_judged),
        document=document,
        problems=tuple(sorted(set(problems.found))),
    )


def _place(path: Path, project: Path) -> tuple[TableName, str]:
    try:
        inside = path.absolute().relative_to((project / FOLDER).absolute())
    except ValueError:
        raise NotebookError(f"{path} is not in {project / FOLDER}", f"Notebooks lie in {FOLDER}/<layer>/<name>.ipynb.") from None
    file = f"{FOLDER}/{inside.as_posix()}"
    try:
        return TableName.parse_notebook(inside.with_suffix("").as_posix()), file
    except LakehouseError as error:
        raise NotebookError(f"{file}: {error.what}", f"Move it to {FOLDER}/<layer>/<name>.ipynb. {error.hint}") from None


def _trees(document: Document, problems: Findings) -> list[tuple[int, ast.Module]]:
    trees = []
    for cell in document.code:
        try:
            trees.append((cell.number, cells.parse_python(cell.source)[0]))
        except SyntaxError as error:
            message = f"Python cannot read this: {error.msg}"
            problems.add(cell.number, error.lineno or 1, "syntax-error", message, "Correct it.")
    return trees


def _own_name(opens: list[Open], name: TableName, problems: Findings) -> Open | None:
    written = f'lake = lakehouse.open("{name.slashed}")'
    for again in opens[1:]:
        if name.layer == EXPLORE and again.name == name:
            continue  # a tour may run another notebook in between, which leaves its own lake behind
        problems.add(again.cell, again.line, "open-twice", "The lake is opened twice", "Keep the first.")
    if opens and opens[0].name != name:
        message = f"The notebook calls itself {opens[0].name.slashed}, its path says {name.slashed}"
        hint = f"Write `{written}`, or move the file."
        problems.add(opens[0].cell, opens[0].line, "open-name", message, hint)
    if not opens and not problems.has("not-literal", "bad-name", "syntax-error"):
        problems.add(0, 0, "open-missing", "The notebook opens no lake", f"Add `import lakehouse` and `{written}`.")
    return opens[0] if opens else None


def _parameters(document: Document, trees: Mapping[int, ast.Module], problems: Findings, *, needed: bool) -> tuple[Parameter, ...]:
    tagged = [cell for cell in document.code if PARAMETERS_TAG in cell.tags]
    if len(tagged) > 1 or (needed and not tagged):
        message = f"{len(tagged) or 'No'} cells are tagged `{PARAMETERS_TAG}`, it must be one"
        hint = "Tag one code cell so; it holds a comment only when there are no parameters."
        problems.add(tagged[1].number if tagged else 0, 0, "parameters-cell", message, hint)
    if not tagged or tagged[0].number not in trees:
        return ()
    cell = tagged[0]
    comments = _comments(cell.source)
    found: dict[str, Parameter] = {}
    for node in trees[cell.number].body:
        try:
            parameter = _parameter(node, cell.number, comments)
            if parameter.name in found:
                raise ParameterError(f"Parameter {parameter.name} stands here twice", "Remove one.")
            found[parameter.name] = parameter
        except ParameterError as error:
            problems.add(cell.number, node.lineno, "bad-parameter", error.what, error.hint)
    return tuple(found.values())


def _parameter(node: ast.stmt, cell: int, comments: _Comments) -> Parameter:
    shape = "Write each parameter as `name: type = sample  # help`."
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        raise ParameterError(f"Parameter {node.targets[0].id} has no type", shape)
    if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
        raise ParameterError("This line is not a parameter", f"{shape} Other code goes to another cell.")
    name = node.target.id
    if node.value is None:
        raise ParameterError(f"Parameter {name} has no sample value", shape)
    kind = ParameterType.parse(ast.unparse(node.annotation))
    try:
        sample = ast.literal_eval(node.value)
    except (ValueError, TypeError, SyntaxError):
        raise ParameterError(f"The sample of parameter {name} is not a literal", f'{shape} Dates are text: "2013-02-28".') from None
    if kind.many and not isinstance(sample, list):
        raise ParameterError(f"The sample of parameter {name} is not a list", "Write it in [ ].")
    if kind.base in ("int", "float", "bool") and isinstance(sample, str):
        raise ParameterError(f"The sample of parameter {name} is a text, not {kind}", "Write it without quotes.")
    return Parameter(name, kind, kind.coerce(sample, name), _help(node, comments), cell, node.lineno)


@dataclass(frozen=True, slots=True)
class _Comments:
    """Comments by line, without their `#`: those beside code, and those alone on their line."""

    beside: dict[int, str]
    alone: dict[int, str]


def _help(node: ast.stmt, comments: _Comments) -> str:
    """The comment at the end of the parameter's lines, else those right above it."""
    lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
    beside = [comments.beside[line] for line in lines if line in comments.beside]
    if beside:
        return " ".join(beside)
    above: list[str] = []
    line = node.lineno - 1
    while line in comments.alone:
        above.insert(0, comments.alone[line])
        line -= 1
    return " ".join(above)


def _comments(source: str) -> _Comments:
    found = _Comments({}, {})
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                alone = not token.line[: token.start[1]].strip()
                (found.alone if alone else found.beside)[token.start[0]] = token.string.lstrip("#").strip()
    except (tokenize.TokenError, SyntaxError):
        pass
    return found
