"""Executes a plan's steps from the command line, as Dagster runs that its page shows like any other."""

from __future__ import annotations

import json
import os
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import dagster as dg
from dagster._core.code_pointer import CustomPointer, ModuleCodePointer
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository
from dagster._core.execution.api import execute_run_iterator
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from lakehouse import record, upstream
from lakehouse import settings as current_settings
from lakehouse.names import TableName
from lakehouse.orchestration import abandoned, describe, last_good
from lakehouse.orchestration.definitions import LOCATION, build_definitions
from lakehouse.orchestration.events import quick_events
from lakehouse.orchestration.grouping import Group, Piece, groups, reads
from lakehouse.orchestration.instance import instance, told_of_damage
from lakehouse.orchestration.run_partitions import range_tags
from lakehouse.orchestration.step import FORCED, RUN_LABEL
from lakehouse.plan import Step
from lakehouse.processes import this_process
from lakehouse.project import Project
from lakehouse.record import CheckRecord, RunRecord
from lakehouse.settings import Settings

MODULE = "assets.definitions"
_JOB = "__ASSET_JOB"
_REPOSITORY = "__repository__"

Status = Literal["succeeded", "failed", "skipped", "cancelled"]


@dataclass(frozen=True)
class StepOutcome:
    """How one planned step ended. `rows` is what this run wrote; `seconds` of a step in several runs are added up."""

    asset: TableName
    partitions: tuple[str, ...]
    status: Status
    seconds: float = 0.0
    rows: int | None = None
    checks: tuple[CheckRecord, ...] = ()
    notebook: Path | None = None
    cause: str = ""
    record: RunRecord | None = field(default=None, repr=False)


OnEvent = Callable[[TableName, str, float, StepOutcome | None], None]
"""Called with (asset, "started", 0.0, None) and then once with how it ended and its StepOutcome."""


def execute(project: Project, settings: Settings, steps: Sequence[Step], on_event: OnEvent) -> list[StepOutcome]:
    """Runs `steps`, in as few Dagster runs as can be; returns an outcome for each, in their order.

    What stands on a failed step is skipped, or at last runs on what was published before, as its contract says; everything
    else runs to its end. An interrupt cancels the run and returns.
    Raises LakeError where Dagster's store cannot be used.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with told_of_damage(settings), instance(settings) as store:
            abandoned.settle(store)
            runs = groups(project, steps)
            execution = _Execution(project, settings, store, steps, runs, on_event)
            for group in runs:
                execution.run(group)
            execution.run_on_last_good()
            return execution.outcomes()


def load_repository(project: str, root: str) -> dg.RepositoryDefinition:
    """The project's definitions for a process of a run; Dagster calls this by name.

    Checks that run a notebook again (`leaks`) are no part of it: a run of assets would include them.
    """
    now = current_settings.load({**os.environ, "LAKEHOUSE_PROJECT": project, "LAKEHOUSE_ROOT": root})
    return build_definitions(Path(project), now, probes=False).get_repository_def()


@dataclass
class _Ended:
    """How one piece ended; `blocker` is the failed step because of which it was skipped."""

    piece: Piece
    status: Status
    seconds: float = 0.0
    cause: str = ""
    record: RunRecord | None = None
    blocker: TableName | None = None


class _Execution:
    def __init__(
        self,
        project: Project,
        settings: Settings,
        store: dg.DagsterInstance,
        steps: Sequence[Step],
        runs: Sequence[Group],
        on_event: OnEvent,
    ) -> None:
        self._project, self._settings, self._store, self._on_event = project, settings, store, on_event
        self._steps = {step.asset: step for step in steps}
        self._waiting = Counter(piece.asset for group in runs for piece in group.pieces)
        self._later: list[Piece] = []  # to run on what was published before, or after such a one
        self._ended: dict[TableName, list[_Ended]] = {step.asset: [] for step in steps}
        self._started: dict[TableName, float] = {}
        self._cancelled = False
        pointer = CustomPointer(ModuleCodePointer(__name__, "load_repository"), (str(project.path), str(settings.root)), ())
        self._job = ReconstructableJob(ReconstructableRepository(pointer), _JOB)

    def run(self, group: Group) -> None:
        """Executes one run, without what stands on a step that did not succeed."""
        self._execute([piece for piece in group.pieces if not self._held_back(piece)], group.months)

    def run_on_last_good(self) -> None:
        """Executes what was left for later: on what was published last of a step that failed, or after such a one."""
        while self._later:
            piece = next(one for one in self._later if not any(reads(self._project, one, other) for other in self._later))
            self._later.remove(piece)
            if self._cancelled:
                self._end(_Ended(piece, "cancelled", cause="Cancelled before it began"))
                continue
            bad = {parent.asset: blocker for parent, blocker in self._bad(piece)}
            why = last_good.refusal(self._project, self._settings, self._steps[piece.asset], piece) if bad else None
            if why is not None:
                first = next(iter(bad.values()))
                self._end(_Ended(piece, "skipped", cause=f"{first.slashed} did not succeed{why}", blocker=first))
            else:
                told = last_good.told(self._project, piece.asset, bad)
                self._execute([piece], piece.months, {last_good.TAG: json.dumps(told)} if told else {})

    def _held_back(self, piece: Piece) -> bool:
        """Whether a piece cannot run, or not now; then that is noted."""
        if self._cancelled:
            self._end(_Ended(piece, "cancelled", cause="Cancelled before it began"))
        elif any(reads(self._project, piece, other) for other in self._later):
            self._later.append(piece)
        elif blockers := [blocker for _, blocker in self._bad(piece)]:
            self._skip(piece, blockers[0])
        elif why := last_good.wait(self._project, self._settings, self._steps, piece):
            self._end(_Ended(piece, "skipped", cause=why))
        else:
            return False
        return True

    def _skip(self, piece: Piece, blocker: TableName) -> None:
        if upstream.policy(self._project, piece.asset) == "last_good":
            self._later.append(piece)
        else:
            self._end(_Ended(piece, "skipped", cause=f"{blocker.slashed} did not succeed", blocker=blocker))

    def _execute(self, pieces: list[Piece], months: tuple[str, ...], tags: Mapping[str, str] | None = None) -> None:
        if not pieces:
            return
        by_step = {describe.op_name(piece.asset): piece for piece in pieces}
        run = self._create(pieces, months, tags or {})
        for event in execute_run_iterator(self._job, run, self._store):
            self._follow(event, by_step, run)
        for piece in by_step.values():
            self._not_reached(piece)

    def outcomes(self) -> list[StepOutcome]:
        return [self._outcome(step) for step in self._steps.values()]

    def _create(self, pieces: list[Piece], months: tuple[str, ...], tags: Mapping[str, str]) -> dg.DagsterRun:
        keys = frozenset(key for piece in pieces for key in describe.keys_of(self._project, piece.asset))
        forced = all(self._steps[piece.asset].forced for piece in pieces)
        with quick_events(self._store):
            return self._store.create_run_for_job(
                self._job.get_subset(asset_selection=keys).get_definition(),
                asset_selection=keys,
                tags={abandoned.PROCESS: this_process(), **range_tags(months), **({FORCED: "true"} if forced else {}), **tags},
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}, "ops": self._parameters(pieces)},
                remote_job_origin=_origin(self._project.path),
                job_code_origin=self._job.get_python_origin(),
            )

    def _parameters(self, pieces: Sequence[Piece]) -> dict[str, Any]:
        """What the steps say of their notebooks' parameters, as Dagster is told it."""
        given = {piece.asset: self._steps[piece.asset].parameters for piece in pieces}
        return {describe.op_name(asset): {"config": dict(values)} for asset, values in given.items() if values}

    def _follow(self, event: dg.DagsterEvent, by_step: dict[str, Piece], run: dg.DagsterRun) -> None:
        if event.is_engine_event and "received termination signal" in (event.message or ""):
            # Without this Dagster takes Ctrl-C for a crash.
            self._cancelled = True
            self._store.report_run_canceling(run)
        piece = by_step.get(event.step_key or "")
        if piece is None:
            return
        if event.is_step_start and piece.asset not in self._started:
            self._started[piece.asset] = time.monotonic()
            self._on_event(piece.asset, "started", 0.0, None)
        elif event.is_step_success:
            del by_step[event.step_key]
            self._end(self._told(piece, "succeeded", run.run_id))
        elif event.is_step_failure:
            del by_step[event.step_key]
            status = "cancelled" if self._cancelled else "failed"
            self._end(self._told(piece, status, run.run_id, _message(event)))

    def _told(self, piece: Piece, status: Status, run_id: str, cause: str = "") -> _Ended:
        found = record.newest_first(self._settings.root, piece.asset)
        own = next((one for one in found if one.labels.get(RUN_LABEL) == run_id), None)
        seconds = time.monotonic() - self._started.get(piece.asset, time.monotonic())
        return _Ended(piece, status, own.seconds if own else seconds, cause, own)

    def _not_reached(self, piece: Piece) -> None:
        """Dagster runs no step below one that failed, whatever months it reads of it."""
        if self._cancelled:
            self._end(_Ended(piece, "cancelled", cause="Cancelled before it ended"))
        elif any(reads(self._project, piece, other) for other in self._later):
            self._later.append(piece)
        elif blockers := [blocker for _, blocker in self._bad(piece, whole=True)]:
            self._skip(piece, blockers[0])
        else:
            self._end(_Ended(piece, "failed", cause="Its process ended without a word; see the run in Dagster"))

    def _bad(self, piece: Piece, *, whole: bool = False) -> list[tuple[Piece, TableName]]:
        """Of what `piece` reads (`whole`: of whatever months), the pieces that did not succeed, failed ones first; and the
        failed step because of which each did not."""
        parents = self._project.parents(piece.asset)
        found = [
            (one.piece, one.blocker or one.piece.asset)
            for parent in parents
            for one in sorted(self._ended.get(parent, ()), key=lambda one: one.status != "failed")
            if one.status != "succeeded" and (whole or reads(self._project, piece, one.piece))
        ]
        return sorted(found, key=lambda pair: pair[0].asset != pair[1])

    def _end(self, ended: _Ended) -> None:
        asset = ended.piece.asset
        self._ended[asset].append(ended)
        self._waiting[asset] -= 1
        if not self._waiting[asset]:
            outcome = self._outcome(self._steps[asset])
            self._on_event(asset, outcome.status, outcome.seconds, outcome)

    def _outcome(self, step: Step) -> StepOutcome:
        ended = self._ended[step.asset]
        worst = max(ended, key=lambda one: ("succeeded", "skipped", "cancelled", "failed").index(one.status))
        records = [one.record for one in ended if one.record]
        told = worst.record or (records[-1] if records else None)
        writes = [write.rows for one in records for write in one.writes if write.table == step.asset.dotted]
        return StepOutcome(
            asset=step.asset,
            partitions=step.partitions,
            status=worst.status,
            seconds=sum(one.seconds for one in ended),
            rows=sum(writes) if writes else None,
            checks=tuple(check for one in records for check in one.checks),
            notebook=told.notebook if told else None,
            cause=worst.cause,
            record=told,
        )


def _message(event: dg.DagsterEvent) -> str:
    error = event.step_failure_data.error
    return error.message.strip() if error else (event.message or "")


def _origin(project: Path) -> RemoteJobOrigin:
    """By which Dagster's page finds the run's job among what workspace.yaml loads."""
    target = LoadableTargetOrigin(module_name=MODULE, working_directory=str(project))
    location = ManagedGrpcPythonEnvCodeLocationOrigin(target, LOCATION)
    return RemoteJobOrigin(RemoteRepositoryOrigin(location, _REPOSITORY), _JOB)
