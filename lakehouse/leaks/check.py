"""Runs the probes of a table: which tables have one, at which moments, and what is kept of what they found."""

from __future__ import annotations

import random
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from lakehouse import making, record, runner
from lakehouse.code import code_identity
from lakehouse.contract import FOLDER
from lakehouse.errors import ContractError, NotebookError, UnknownName
from lakehouse.leaks import moments
from lakehouse.leaks import outcome as kept
from lakehouse.leaks.outcome import VARIABLE, Answer, Asked, Outcome
from lakehouse.making import Making
from lakehouse.names import TableName, did_you_mean
from lakehouse.project import Project
from lakehouse.settings import Settings

SEED = 13
# Between these shares of a partition's rows, so that rows lie before the moment and what comes later in the inputs.
_EARLIEST, _LATEST = 0.3, 0.7
_KEPT = 20  # checks of each table
_ANSWER = "answer.json"


def checked(project: Project) -> list[TableName]:
    """The tables that can be probed, in the graph's order."""
    outputs = (output for asset in project.order() if (spec := project.notebooks.get(asset)) for output in spec.outputs)
    return [table for table in outputs if table in project.contracts and _why_not(project, table) is None]


def look(
    project: Project, settings: Settings, table: TableName, partition: str | None = None, *, count: int = 1, seed: int = SEED
) -> Outcome:
    """Probes `table` at `count` moments of one partition (by default the newest that stands), and keeps what is found.

    The moments are drawn by `seed`. Where anything differs, the notebook runs once more with nothing altered. Raises
    ContractError for a table that cannot be probed, UnknownName for what does not stand, and what `runner.run` raises.
    """
    why = _why_not(project, table)
    if why is not None:
        raise why
    began = time.monotonic()
    key = partition or _newest(project, settings, table)
    where = kept.folder(settings.root, table) / record.new_run_id()
    probes = _Probes(project, settings, table, key, _standing(project, settings, table, key), where, seed)
    draw = random.Random(f"{seed} {table} {key}")
    answers = [probes.ask(share) for share in sorted(draw.uniform(_EARLIEST, _LATEST) for _ in range(count))]
    found = {one.column: one for answer in answers for one in answer.differences}
    unsteady = {one.column for one in probes.ask(None).differences} if found else set()
    outcome = Outcome(
        table=table.dotted,
        partition=key,
        version=probes.made.version,
        made_by=probes.made.run_id,
        code=present_code(project, table),
        seconds=time.monotonic() - began,
        answers=answers,
        leaks=[one for one in found.values() if one.column not in unsteady],
        unsteady=sorted(unsteady),
        notebook=probes.notebook,
    )
    record.save(where / kept.FILE, outcome)
    for old in sorted(where.parent.iterdir())[:-_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return outcome


def present_code(project: Project, table: TableName) -> str:
    """The identity of the code that makes `table` now; an outcome of another says nothing of it."""
    asset = project.writer_of(table)
    return code_identity(project, project.notebooks[asset]) if asset in project.notebooks else ""


def _why_not(project: Project, table: TableName) -> ContractError | UnknownName | NotebookError | None:
    """Why a table cannot be probed, as the error that says so."""
    contract, asset = project.contracts.get(table), project.writer_of(table)
    if contract is None or asset is None:
        return UnknownName(f"There is no table {table}", did_you_mean(table, project.contracts).strip())
    file = f"{FOLDER}/{table.slashed}.yaml"
    if moments.of_rows(contract) is None:
        return ContractError(f"{table} does not say when its rows are known", f"Write known_at: <column> in {file}.")
    if not contract.key:
        return ContractError(f"{table} has no key by which its rows could be compared", f"Name it in {file}.")
    spec = project.notebooks[asset]
    if any(write.merged for write in spec.writes):
        return NotebookError(f"{table} is merged into, so what a run of its notebook says is not all of it", "It cannot be probed.")
    if not any(read.table in project.contracts and moments.told(project.contracts[read.table]) for read in spec.reads):
        hint = f"Write known_at in the contracts of what {spec.file} reads."
        return ContractError(f"None of the tables that {table} is made of says when what it holds is known", hint)
    return None


def _newest(project: Project, settings: Settings, table: TableName) -> str | None:
    """The last partition that stands; None for a table that has none."""
    space = project.partitions_of(table)
    if space is None:
        return None
    keys = [str(key) for key in space.keys()]  # noqa: SIM118  # a method of its own
    return next((key for key in reversed(keys) if making.newest(project, settings.root, table, key)), keys[0])


def _standing(project: Project, settings: Settings, table: TableName, partition: str | None) -> Making:
    made = making.newest(project, settings.root, table, partition)
    if made is None or made.facts is None:
        said = "has not been built" if made is None else f"was last changed by {made.by}"
        which, asked = (f" {partition}", f" --partition {partition}") if partition else ("", "")
        raise UnknownName(f"{table}{which} {said}", f"To build it: lakehouse run {table.slashed}{asked}")
    return made


@dataclass
class _Probes:
    """Runs the notebook of `table` for one partition, as its run `made` did, once for each question."""

    project: Project
    settings: Settings
    table: TableName
    partition: str | None
    made: Making
    where: Path
    seed: int
    asked: int = 0
    notebook: Path | None = None

    def ask(self, share: float | None) -> Answer:
        folder = self.where / str(self.asked)
        self.asked += 1
        facts = self.made.facts or {}
        inputs = {name: known["version"] for name, known in facts.get("inputs", {}).items() if known.get("version") is not None}
        asked = Asked(
            table=self.table.dotted, version=self.made.version, share=share, seed=self.seed, inputs=inputs, answer=folder / _ANSWER
        )
        asset = self.project.writer_of(self.table) or self.table
        values = dict(facts.get("parameters", {}))
        own = self.project.notebooks[asset].partition_parameter
        if own is not None and self.partition is not None:
            values[own.name] = [self.partition]
        notebook = runner.rehearse(asset, values, self.settings, folder, {VARIABLE: asked.model_dump_json()})
        self.notebook = self.notebook or notebook
        try:
            return Answer.model_validate_json(asked.answer.read_text())
        except FileNotFoundError:
            raise NotebookError(f"The probe of {self.table} ended without writing it", f"Its notebook: {notebook}") from None
