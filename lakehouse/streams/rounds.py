"""Continuous mode: a round of each stream, then what lies below by the plan, again and again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from lakehouse import plan, runner
from lakehouse.errors import LakehouseError
from lakehouse.names import TableName
from lakehouse.plan import Step
from lakehouse.project import Project
from lakehouse.settings import Settings
from lakehouse.source import Stream
from lakehouse.streams.landing import Landed, Lander

LONGEST_WAIT = 60.0
_LOOK_SECONDS = 0.2


@dataclass
class Round:
    """What one round did: landings and notebooks' seconds by asset, what failed in words.

    `oldest` and `newest`: seconds from a record's coming to the round's end, of the first and the last that landed.
    """

    landed: dict[TableName, Landed] = field(default_factory=dict)
    ran: dict[TableName, float] = field(default_factory=dict)
    failed: dict[TableName, str] = field(default_factory=dict)
    transient: bool = False
    oldest: float | None = None
    newest: float | None = None

    @property
    def idle(self) -> bool:
        return not (self.rows or self.ran or self.failed)

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.landed.values())

    def end(self) -> None:
        now = time.time()
        came = [one for one in self.landed.values() if one.oldest is not None and one.newest is not None]
        self.oldest = max((now - one.oldest for one in came), default=None)
        self.newest = min((now - one.newest for one in came), default=None)


class Rounds:
    """Lands `streams` (raw tables) every `every` seconds and runs the notebooks below, unless `land_only`.

    A failure is told in its round and stops nothing. A notebook that failed runs again when something has moved; what
    trying again can help (a lost Spark server) is tried after 1, 2, 4 … seconds, once a minute at last.
    """

    def __init__(self, settings: Settings, streams: Sequence[Stream], every: float, *, land_only: bool = False) -> None:
        self._settings, self._every, self._land_only = settings, every, land_only
        self._landers = {stream.name: Lander(settings, stream) for stream in streams}
        self._failed: dict[TableName, Step] = {}
        self._tries = 0

    def run(self, stopping: Callable[[], bool]) -> Iterator[Round]:
        """Rounds until `stopping()`, which is asked between two, often. What is under way is finished."""
        try:
            while not stopping():
                began = time.monotonic()
                made = self._round()
                yield made
                self._tries = self._tries + 1 if made.transient else 0
                wait = min(2.0 ** (self._tries - 1), LONGEST_WAIT) if made.transient else self._every
                until = (time.monotonic() if made.transient else began) + wait
                while time.monotonic() < until and not stopping():
                    time.sleep(_LOOK_SECONDS)
        finally:
            for lander in self._landers.values():
                lander.close()

    def _round(self) -> Round:
        made = Round()
        for table, lander in self._landers.items():
            try:
                made.landed[table] = lander.land()
            except LakehouseError as error:
                _note(made, table, error)
        if not self._land_only and not made.transient:
            try:
                self._below(made)
            except LakehouseError as error:  # the plan cannot be told: a commit is damaged, the project is being edited
                _note(made, next(iter(self._landers)), error)
        made.end()
        return made

    def _below(self, made: Round) -> None:
        project = Project.load(self._settings.project)
        below = {asset for table in self._landers for asset in project.descendants(table)}
        stopped: set[TableName] = set()
        for step in plan.plan(project, self._settings, below):
            if stopped & set(project.ancestors(step.asset)):
                continue
            if self._failed.get(step.asset) == step or not self._run(project, step, made):
                stopped.add(step.asset)

    def _run(self, project: Project, step: Step, made: Round) -> bool:
        own = project.notebooks[step.asset].partition_parameter
        values = {own.name: list(step.partitions)} if own and step.partitions else {}
        try:
            made.ran[step.asset] = runner.run(step.asset, values, self._settings, origin="lakehouse stream").seconds
        except LakehouseError as error:
            _note(made, step.asset, error)
            if not error.transient:
                self._failed[step.asset] = step
            return False
        self._failed.pop(step.asset, None)
        return True


def _note(made: Round, asset: TableName, error: LakehouseError) -> None:
    made.failed[asset] = str(error)
    made.transient = made.transient or error.transient
