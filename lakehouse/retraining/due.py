"""Which months are due: those after the last that a version was decided on, as far as their outcomes have come.

What has been done is told by the ledger and the runs' records, never noted apart, so a loop that was killed goes on where it
was: a month that was decided is not decided again, a version that was trained for it is not trained again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from lakehouse import code, deltalog, inputs, ledger, making, record, tables
from lakehouse.names import TableName
from lakehouse.partitions import month, month_range
from lakehouse.project import Project
from lakehouse.retraining import mature
from lakehouse.retraining.course import Course
from lakehouse.retraining.mature import Labels
from lakehouse.settings import Settings


@dataclass(frozen=True)
class Turn:
    """One month of the loop: the last month to judge by, the last to train on, and by when all of it was known.

    `trained` is the version that waits to be judged by it, where a loop was killed in between.
    """

    through: month
    train_until: month
    known_by: datetime
    trained: int | None = None

    def parameters(self, course: Course) -> dict[TableName, dict[str, str]]:
        """Of the training and the judging notebook those that the loop moves."""
        found = {
            course.trainer: {course.train_parameter: str(self.train_until)},
            course.judge: {course.judge_parameter: str(self.through)},
        }
        for asset, name in course.moments:
            found[asset][name] = self.known_by.strftime("%Y-%m-%dT%H:%M:%S")
        return found


@dataclass(frozen=True)
class Due:
    """The `turns` to take, in order; `waits` says for what the one after them waits, where it waits for outcomes.

    `last` is the month that was judged by last (None: none was), `left` the notebooks that have not scored the month after it
    by the champion, `revised` the months judged by then whose outcomes were written again since.
    """

    turns: tuple[Turn, ...]
    waits: str = ""
    last: month | None = None
    left: tuple[TableName, ...] = ()
    revised: tuple[month, ...] = ()


def due(
    project: Project,
    settings: Settings,
    course: Course,
    *,
    through: month | None = None,
    at: datetime | None = None,
    apart: bool = True,
) -> Due:
    """What is due `at` a moment (now), up to the month `through`.

    `apart` looks at the outcomes in another process, for one that is to fork Dagster's steps. Raises LakeError.
    """
    last = last_decided(project, settings, course)
    labels = (mature.labels if apart else mature.read)(settings.root, course.outcome)
    first = last.shift(1) if last else course.first
    newest = max(labels, default=first)
    turns: list[Turn] = []
    waits = ""
    for key in month_range(first, min(through or newest, newest)):
        known_by = mature.known_by(labels, key, course.months)
        if known_by is None or known_by > (at or datetime.now(UTC)):
            waits = _waits(labels, key, course, at or datetime.now(UTC))
            break
        train_until = key.shift(-course.months)
        turns.append(Turn(key, train_until, known_by, _trained(project, settings, course, train_until) if not turns else None))
    if last is None:
        return Due(tuple(turns), waits)
    left = to_score(project, settings, course, last.shift(1))
    return Due(tuple(turns), waits, last, tuple(left), revised(project, settings, course, last))


def last_decided(project: Project, settings: Settings, course: Course) -> month | None:
    """The newest month by which a version of the model was decided on; None where none was.

    A version that was trained until a month was judged by the months that follow it. Raises LedgerError.
    """
    decided = ledger.standing(settings.root, course.model).decided
    until = _trained_until(project, settings, course)
    return max((until[version].shift(course.months) for version in decided if version in until), default=None)


def months_of(project: Project, scorer: TableName) -> tuple[month, ...]:
    """The months that a scoring notebook can score."""
    space = project.partitions_of(scorer)
    return space.keys() if space else ()


def _trained_until(project: Project, settings: Settings, course: Course) -> dict[int, month]:
    """By version the last month that it was trained on, as its run was told."""
    return {
        made.version: month(told)
        for made in making.makings(project, settings.root, course.model)
        if (told := (made.facts or {}).get("parameters", {}).get(course.train_parameter))
    }


def revised(project: Project, settings: Settings, course: Course, last: month) -> tuple[month, ...]:
    """Of the months up to `last` those whose rows were written again since a version was judged by them."""
    judged = next(record.results_newest_first(settings.root, course.judge), None)
    if judged is None or judged.parameters.get(course.judge_parameter) != last:
        return ()
    then = judged.inputs.get(course.outcome.table.dotted, {}).get("seen", {})
    keys = [last.shift(-back) for back in reversed(range(course.months))]
    now = deltalog.identity(tables.lake_path(settings.root, course.outcome.table), keys)
    return tuple(key for key in keys if key in then and now.get(key) != then[key])


def to_score(project: Project, settings: Settings, course: Course, key: month) -> list[TableName]:
    """The scoring notebooks that have not scored the month `key` by the champion, where its rows are there to be scored."""
    champion, found = ledger.champion(settings.root, course.model), []
    for scorer in course.scorers:
        spec = project.notebooks[scorer]
        if champion is None or key not in months_of(project, scorer):
            continue
        if any(inputs.missing(project, settings.root, read.table, read.coverage, [key]) for read in spec.reads):
            continue
        made = making.newest(project, settings.root, scorer, key)
        seen = ((made.facts if made else None) or {}).get("inputs", {}).get(course.model.dotted, {}).get("seen", {})
        if seen.get(inputs.WHOLE) != champion:
            found.append(scorer)
    return found


def _trained(project: Project, settings: Settings, course: Course, until: month) -> int | None:
    """The newest version, if it was trained until that month by the notebook as it is now, and nothing was decided on it."""
    newest = making.newest(project, settings.root, course.model)
    facts = (newest.facts if newest else None) or {}
    same = facts.get("code") == code.explain(project, project.notebook(course.trainer))
    if newest is None or not same or facts.get("parameters", {}).get(course.train_parameter) != until:
        return None
    return None if newest.version in ledger.standing(settings.root, course.model).decided else newest.version


def _waits(labels: Mapping[month, Labels], key: month, course: Course, now: datetime) -> str:
    for back in reversed(range(course.months)):
        one = labels.get(key.shift(-back))
        if one is None:
            return f"{key.shift(-back)}: {course.outcome.table} has no row of it"
        if one.mature is None or one.mature > now:
            return one.said(course.outcome.share)
    return ""
