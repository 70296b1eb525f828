"""What a notebook does with its lake: the calls of `lakehouse.open` and of the lake's methods that name tables or models."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from lakehouse import sqlnames
from lakehouse.errors import LakehouseError
from lakehouse.finding import Findings
from lakehouse.names import TableName
from lakehouse.partitions import ALL, NEW, OWN, Coverage, parse_coverage


@dataclass(frozen=True, slots=True)
class Open:
    """`lakehouse.open("silver/flights")`: the name that the notebook gives itself."""

    name: TableName
    cell: int
    line: int


@dataclass(frozen=True, slots=True)
class Read:
    """One place that reads `table` (or a model), with the partitions it covers; `view` says that it is a feature view's.

    Of a model "own" is the champion, and "all" its versions, of which the newest is a challenger (`lake.contest`). What it
    `scored` stays: each row says which version told it.
    """

    table: TableName
    coverage: Coverage
    cell: int
    line: int
    view: bool = False
    scored: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """One place that writes `table` (or logs or judges a model); `merged` says that it does so by key."""

    table: TableName
    cell: int
    line: int
    merged: bool = False


@dataclass
class LakeCalls:
    """Collected over all code cells of one notebook; what is wrong goes to `problems`."""

    problems: Findings
    explore: bool = False
    opens: list[Open] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    models_read: list[Read] = field(default_factory=list)
    models_written: list[Write] = field(default_factory=list)
    models_judged: list[Write] = field(default_factory=list)


def collect(trees: list[tuple[int, ast.Module]], problems: Findings, *, explore: bool = False) -> LakeCalls:
    """All calls on the lake in `trees`: pairs of a cell's number and its syntax tree. Only exploring travels in time."""
    calls = LakeCalls(problems, explore)
    modules = _module_names(trees)
    lakes: set[str] = set()
    for cell, tree in trees:
        lakes |= _opens(calls, cell, tree, modules)
    for cell, tree in trees:
        for node in _calls_on(tree, lakes):
            assert isinstance(node.func, ast.Attribute)
            if node.func.attr in _METHODS and _is_plain(calls, cell, node):
                _METHODS[node.func.attr](calls, cell, node)
    return calls


def _is_plain(calls: LakeCalls, cell: int, node: ast.Call) -> bool:
    """Whether the call's arguments all stand in it; `*` and `**` would hide a name or a coverage."""
    hidden = any(isinstance(given, ast.Starred) for given in node.args) or any(given.arg is None for given in node.keywords)
    if hidden:
        message = f"`{_short(node)}` hides its arguments behind a star"
        calls.problems.add(cell, node.lineno, "not-literal", message, "Write them out.")
    return not hidden


def _refuse_time_travel(calls: LakeCalls, cell: int, line: int, table: TableName) -> None:
    if not calls.explore:
        message = f"{table} is read at a version of its own"
        hint = "An asset reads what its run is pinned to: leave the version out, or travel in notebooks/explore."
        calls.problems.add(cell, line, "time-travel", message, hint)


def _module_names(trees: list[tuple[int, ast.Module]]) -> set[str]:
    """The names under which cells import `lakehouse`."""
    imports = (node for _, tree in trees for node in ast.walk(tree) if isinstance(node, ast.Import))
    return {alias.asname or alias.name for node in imports for alias in node.names if alias.name == "lakehouse"}


def _calls_on(tree: ast.AST, names: set[str]) -> Iterator[ast.Call]:
    """Calls `name.method(…)` in the order of the text."""
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in names
    ]
    return iter(sorted(found, key=lambda node: (node.lineno, node.col_offset)))


def _opens(calls: LakeCalls, cell: int, tree: ast.Module, modules: set[str]) -> set[str]:
    """Records the calls of `lakehouse.open`; returns the variables that hold the lake."""
    variables: dict[int, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            variables[id(node.value)] = node.targets[0].id
    found = set()
    for node in _calls_on(tree, modules):
        if not isinstance(node.func, ast.Attribute) or node.func.attr != "open":
            continue
        if id(node) in variables:
            found.add(variables[id(node)])
        else:
            calls.problems.add(
                cell,
                node.lineno,
                "open-not-assigned",
                "The lake that is opened here gets no name",
                'Write lake = lakehouse.open("layer/name"), alone on its line.',
            )
        _open(calls, cell, node)
    return found


def _open(calls: LakeCalls, cell: int, node: ast.Call) -> None:
    text = _literal(calls, cell, node, 0, "name", "lakehouse.open")
    if text is None:
        return
    try:
        calls.opens.append(Open(TableName.parse_notebook(text), cell, node.lineno))
    except LakehouseError as error:
        calls.problems.add(cell, node.lineno, "bad-name", error.what, error.hint)


def _read(calls: LakeCalls, cell: int, node: ast.Call) -> None:
    assert isinstance(node.func, ast.Attribute)
    table = _name(calls, cell, node, 0, "table", f"lake.{node.func.attr}")
    coverage = _coverage(calls, cell, node)
    if table is not None and any(given.arg == "version" for given in node.keywords):
        _refuse_time_travel(calls, cell, node.lineno, table)
    if table is not None and coverage is not None:
        if table.layer == "models":
            calls.problems.add(
                cell,
                node.lineno,
                "model-as-table",
                f"{table} is a model, not a table",
                f'Use lake.load_model("{table}").',
            )
        else:
            calls.reads.append(Read(table, coverage, cell, node.lineno))


def _sql(calls: LakeCalls, cell: int, node: ast.Call) -> None:
    text = _literal(calls, cell, node, 0, "query", "lake.sql")
    coverage = _coverage(calls, cell, node)
    if text is None or coverage is None:
        return
    if coverage == NEW:
        message = 'lake.sql reads no partitions="new"'
        calls.problems.add(cell, node.lineno, "bad-coverage", message, 'Read each such input by lake.read(…, partitions="new").')
        return
    argument = _argument(node, 0, "query")
    first = argument.lineno if argument is not None else node.lineno
    last = (argument.end_lineno if argument is not None else None) or first
    try:
        refs = sqlnames.tables(text)
    except sqlnames.SqlError as error:
        calls.problems.add(cell, min(first + error.line - 1, last), "bad-sql", error.what, error.hint)
        return
    for ref in refs:
        line = min(first + text.count("\n", 0, ref.start), last)
        if ref.has_version:
            _refuse_time_travel(calls, cell, line, ref.name)
        if ref.name.layer in ("raw", "models"):
            other = "lake.read" if ref.name.layer == "raw" else "lake.load_model"
            calls.problems.add(cell, line, "bad-sql", f"{ref.name} is not a table that SQL can read", f'Use {other}("{ref.name}").')
        else:
            calls.reads.append(Read(ref.name, coverage, cell, line))


def _features(calls: LakeCalls, cell: int, node: ast.Call) -> None:
    """The keys of the mapping of views are names; which columns of them are asked for is found when it runs."""
    views, coverage = _argument(node, 1, "views"), _coverage(calls, cell, node, default="until")
    if coverage == NEW:
        calls.problems.add(cell, node.lineno, "bad-coverage", 'lake.features reads no partitions="new"', "What was known is older.")
    keys = views.keys if isinstance(views, ast.Dict) else [None]
    for key in keys:
        if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
            hint = 'Write {"features.name": ["column", …], …}: what a notebook reads is found without running it.'
            message = "The views in lake.features(…) are not written out by their names"
            calls.problems.add(cell, (key or views or node).lineno, "not-literal", message, hint)
            continue
        table = _parsed(calls, cell, key, key.value, "lake.features")
        if table is not None and coverage is not None:
            calls.reads.append(Read(table, coverage, cell, key.lineno, view=True))


def _write(calls: LakeCalls, cell: int, node: ast.Call) -> None:
    _publish(calls, cell, node, "write")


def _merge(calls: LakeCalls, cell: int, node: ast.Call) -> None:
    _publish(calls, cell, node, "merge")


def _publish(calls: LakeCalls, cell: int, node: ast.Call, verb: str) -> None:
    table = _name(calls, cell, node, 1, "table", f"lake.{verb}")
    if table is None:
        return
    if table.layer in ("raw", "models"):
        hint = "Raw files come from a Source." if table.layer == "raw" else f'Use lake.log_model(model, "{table}").'
        calls.problems.add(cell, node.lineno, "write-not-table", f"{table} is not a table that lake.{verb} can write", hint)
    else:
        calls.writes.append(Write(table, cell, node.lineno, verb == "merge"))


def _reads_model(method: str, position: int, coverage: Coverage = OWN, *, scored: bool = False) -> _Method:
    """Notes a call of `method`, whose argument at `position` names the model that it reads."""

    def note(calls: LakeCalls, cell: int, node: ast.Call) -> None:
        if (model := _model(calls, cell, node, position, f"lake.{method}")) is not None:
            calls.models_read.append(Read(model, coverage, cell, node.lineno, scored=scored))

    return note


def _log_model(calls: LakeCalls, cell: int, node: ast.Call) -> None:
    if (model := _model(calls, cell, node, 1, "lake.log_model")) is not None:
        calls.models_written.append(Write(model, cell, node.lineno))


def _promote(calls: LakeCalls, cell: int, node: ast.Call) -> None:
    if (model := _model(calls, cell, node, 0, "lake.promote")) is not None:
        calls.models_judged.append(Write(model, cell, node.lineno))


_Method = Callable[[LakeCalls, int, ast.Call], None]
_METHODS: dict[str, _Method] = {
    "read": _read,
    "sql": _sql,
    "features": _features,
    "write": _write,
    "merge": _merge,
    "training_set": _read,
    "log_model": _log_model,
    "load_model": _reads_model("load_model", 0),
    "score": _reads_model("score", 1, scored=True),
    "contest": _reads_model("contest", 0, ALL),
    "promote": _promote,
}


def _model(calls: LakeCalls, cell: int, node: ast.Call, position: int, what: str) -> TableName | None:
    name = _name(calls, cell, node, position, "name", what)
    if name is not None and name.layer != "models":
        calls.problems.add(
            cell,
            node.lineno,
            "bad-name",
            f"{name} is not a name of a model",
            f"Models are in the layer models: models.{name.name}.",
        )
        return None
    return name


def _name(calls: LakeCalls, cell: int, node: ast.Call, position: int, keyword: str, what: str) -> TableName | None:
    text = _literal(calls, cell, node, position, keyword, what)
    return None if text is None else _parsed(calls, cell, node, text, what)


def _parsed(calls: LakeCalls, cell: int, node: ast.expr, text: str, what: str) -> TableName | None:
    try:
        return TableName.parse(text)
    except LakehouseError as error:
        calls.problems.add(cell, node.lineno, "bad-name", f"{what}: {error.what}", error.hint)
        return None


def _literal(calls: LakeCalls, cell: int, node: ast.Call, position: int, keyword: str, what: str) -> str | None:
    """The text of an argument that must stand there as a literal, else None and a finding."""
    argument = _argument(node, position, keyword)
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        return argument.value
    if argument is None:
        message, hint = f"{what}(…) names nothing", f"Write the {keyword} into the call."
    else:
        kind = "an f-string" if isinstance(argument, ast.JoinedStr) else f"`{_short(argument)}`"
        message = f"The {keyword} in {what}(…) is {kind}, not a literal"
        hint = "Write it out as plain text in quotes: what a notebook reads and writes is found without running it."
        if what == "lake.sql":
            hint += " Filter by values afterwards: lake.sql(…).where(…)."
    calls.problems.add(cell, (argument or node).lineno, "not-literal", message, hint)
    return None


def _coverage(calls: LakeCalls, cell: int, node: ast.Call, default: Coverage = OWN) -> Coverage | None:
    written = next((keyword.value for keyword in node.keywords if keyword.arg == "partitions"), None)
    if written is None:
        return default
    try:
        return parse_coverage(ast.literal_eval(written))
    except (ValueError, TypeError, SyntaxError):
        calls.problems.add(
            cell,
            written.lineno,
            "not-literal",
            f"partitions=`{_short(written)}` is not a literal",
            'Write "own", "all", "until", "new" or a range of offsets such as (-1, 0).',
        )
    except LakehouseError as error:
        calls.problems.add(cell, written.lineno, "bad-coverage", error.what, error.hint)
    return None


def _argument(node: ast.Call, position: int, keyword: str) -> ast.expr | None:
    for given in node.keywords:
        if given.arg == keyword:
            return given.value
    return node.args[position] if position < len(node.args) else None


def _short(node: ast.expr) -> str:
    text = ast.unparse(node)
    return text if len(text) <= 60 else f"{text[:57]}…"
