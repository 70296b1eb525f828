"""Trains a registered model again as its record says and holds the outcome against it. Nothing is written to the lake."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lakehouse import deltafiles, raw, runner, tables
from lakehouse.errors import LakeError, RunFailed, UnknownName
from lakehouse.kernels import repeatable
from lakehouse.lake import REPRODUCES
from lakehouse.names import TableName
from lakehouse.processes import is_alive, this_process
from lakehouse.project import Project
from lakehouse.settings import Settings
from lakehouse.training import fromraw
from lakehouse.training.again import Found, Order
from lakehouse.training.source import Code, code_of
from lakehouse.training.which import Which

Tell = Callable[[str], None]
Kind = Literal["code", "data", "environment", "rows", "metrics", "predictions", "chance"]
_SCRATCH, _PROCESS = ".reproduce-", "process"
_CLOSE = 1e-6  # relative; of a training set that was rebuilt, and so equals the first one only after rounding


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it was; `matters` where the outcome is another for it."""

    kind: Kind
    what: str
    matters: bool = True


@dataclass
class Verdict:
    """What came of it: equal where no difference matters. Not `ran`: it could not be done again at all."""

    model: str
    version: int
    ran: bool = False
    differences: list[Difference] = field(default_factory=list)
    equal_parts: list[str] = field(default_factory=list)
    metrics: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)
    notebook: str = ""

    @property
    def equal(self) -> bool:
        return self.ran and not any(one.matters for one in self.differences)


def reproduce(settings: Settings, which: Which, *, from_raw: bool = False, tell: Tell = print) -> Verdict:
    """Runs the recorded notebook with its parameters on its pinned inputs, or (`from_raw`) on tables made anew from the raw files.

    The inputs' versions, the code and the packages are compared first, then metrics, and predictions on rows that were
    trained on: to the last bit, after `from_raw` to six digits. Raises UnknownName for a version that is not there or
    whose record tells too little, RunFailed where the notebook fails.
    """
    from lakehouse import models

    found = models.find(settings, which.model, which.version)
    facts = models.facts_of(settings, found)
    if not facts:
        raise UnknownName(
            f"{which.model} version {found.version} was registered before all was recorded that is needed to do it again",
            "Train a new version; `lakehouse models list` shows which there are.",
        )
    verdict = Verdict(which.model.dotted, found.version)
    verdict.differences += _environment(models.moved(facts["packages"]))
    with _scratch(settings) as folder:
        code = code_of(settings.project, facts, folder)
        verdict.differences += [] if code.project is None else _told(code)
        gone = [_gone_code(code)] if code.project is None else [] if from_raw else _gone_data(settings, facts)
        if gone:
            verdict.differences += gone
            return verdict
        assert code.project is not None
        here = settings.model_copy(update={"project": code.project})
        _train(here, facts, verdict, folder, tell, from_raw)
    return verdict


def _train(here: Settings, facts: Mapping[str, Any], verdict: Verdict, folder: Path, tell: Tell, from_raw: bool) -> None:
    """Runs the notebook and adds what differs."""
    asset = TableName.parse_notebook(facts["asset"])
    pins = {table: seen["version"] for table, seen in facts["inputs"].items() if seen.get("version") is not None}
    with fromraw.rebuilt(here, facts, folder, tell) if from_raw else nullcontext(here) as place:
        if from_raw:
            verdict.differences += [Difference("data", what) for what in fromraw.differing(here, place, pins)]
            pins = {table: version for table, version in pins.items() if table.startswith("models.")}
        else:
            verdict.differences += _raw_moved(here, facts)
        Order(model=verdict.model, version=verdict.version, lake=here.root, pins=pins).save(folder)
        tell(f"training {verdict.model} again, as run {facts['run']} did")
        values = _values(Project.load(here.project), asset, facts)
        told = {REPRODUCES: str(folder), **repeatable.environment(here.kernel_threads)}
        try:
            notebook = runner.rehearse(asset, values, place, folder / "run", told)
        except RunFailed as error:
            error.notebook = _keep(error.notebook, verdict)
            raise
    verdict.notebook = _keep(str(notebook or ""), verdict)
    _compare(facts, Found.read(folder), verdict, close=_CLOSE if from_raw else 0.0)


@contextmanager
def _scratch(settings: Settings) -> Iterator[Path]:
    """A folder beside the lake's own, so that raw files can be linked into it; gone afterwards.

    What a killed process left goes with the next.
    """
    for left in tables.open_root(settings.root).glob(f"{_SCRATCH}*/{_PROCESS}"):
        if not is_alive(left.read_text()):
            shutil.rmtree(left.parent, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=settings.root))
    (folder / _PROCESS).write_text(this_process())
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _values(project: Project, asset: TableName, facts: Mapping[str, Any]) -> dict[str, Any]:
    own = project.notebook(asset).partition_parameter
    return {**facts["parameters"], **({own.name: facts["partitions"]} if own is not None else {})}


def _keep(notebook: str, verdict: Verdict) -> str:
    """The executed notebook where it can be looked at, until the next time."""
    if not notebook:
        return ""
    name = f"lakehouse-reproduce-{verdict.model}-{verdict.version}.ipynb"
    return str(shutil.copy(notebook, Path(tempfile.gettempdir()) / name))


def _environment(moved: Mapping[str, tuple[str | None, str | None]]) -> list[Difference]:
    words = [f"{name} {then or 'was not there'}, now {now or 'gone'}" for name, (then, now) in moved.items()]
    return [Difference("environment", one, matters=False) for one in words]


def _told(code: Code) -> list[Difference]:
    what = f"{', '.join(code.moved)} changed since; run as {code.why} has it"
    return [Difference("code", what, matters=False)] if code.moved else []


def _gone_code(code: Code) -> Difference:
    return Difference("code", f"{', '.join(code.moved)} changed since, and {code.why}")


def _gone_data(settings: Settings, facts: Mapping[str, Any]) -> list[Difference]:
    """Versions of which a commit or a file is gone."""
    found = []
    for table, seen in facts["inputs"].items():
        if seen.get("version") is not None and not table.startswith("models."):
            why = _gone(tables.lake_path(settings.root, TableName.parse(table)), seen["version"])
            if why:
                found.append(Difference("data", f"{table} version {seen['version']} can no longer be read: {why}"))
    return found


def _gone(path: Path, wanted: int) -> str:
    try:
        for version, files in deltafiles.replay(path):
            if version == wanted:
                absent = sum(not file.path.exists() for file in files.values())
                return f"{absent} of its {len(files)} files are gone" if absent else ""
    except LakeError as error:
        return error.what
    return "there is no such version (any more)"


def _raw_moved(settings: Settings, facts: Mapping[str, Any]) -> Iterator[Difference]:
    """Raw files have no versions: where others stand now, these are read."""
    for table, seen in facts["inputs"].items():
        if table.startswith("raw.") and seen.get("version") is None:
            now = raw.identity(settings.root, TableName.parse(table))
            other = sorted(key for key, then in seen.get("seen", {}).items() if now.get(key) != then)
            if other:
                yield Difference("data", f"{table} holds other files now ({', '.join(other)})", matters=False)


def _compare(facts: Mapping[str, Any], found: Found, verdict: Verdict, close: float) -> None:
    verdict.ran = True
    then = facts["metrics"]
    verdict.metrics = {name: (then.get(name), found.metrics.get(name)) for name in sorted({*then, *found.metrics})}
    other = {name: pair for name, pair in verdict.metrics.items() if not _same(*pair, close)}
    for name, (before, now) in other.items():
        verdict.differences.append(Difference("metrics", f"{name} was {before!r}, is {now!r}"))
    if not other:
        verdict.equal_parts.append(f"{len(then)} metrics")
    kept = facts["training"].get("kept")
    rows = f"predictions on {found.rows:,} training rows"
    if kept and found.inputs and kept["inputs"] != found.inputs:
        verdict.differences.append(Difference("rows", "the rows that are trained on are others", matters=not close))
    if found.unloadable and not (kept and kept["predictions"] == found.predictions):
        verdict.differences.append(Difference("predictions", f"they cannot be compared: {found.unloadable}"))
    elif found.differing and found.largest > close:
        what = f"{found.differing:,} of the {rows} differ, by up to {found.largest:.3g}"
        verdict.differences.append(Difference("predictions", what))
    else:
        verdict.equal_parts.append(rows)
    if not verdict.equal:
        verdict.differences += [Difference("chance", words) for words in found.left_to_chance]


def _same(then: float | None, now: float | None, close: float) -> bool:
    if then is None or now is None:
        return False
    return then == now or (close > 0 and math.isclose(then, now, rel_tol=close))
