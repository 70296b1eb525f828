"""A plan's steps as few Dagster runs: each over one stretch of months, exactly the planned ones, parents first.

A run of Dagster has one range of partitions, and tells of every partition in it. So steps share a run when they are
planned for the same stretch of months; steps without partitions join any run. A contract's `backfill_chunk` cuts the
stretches: what a run published stays when a later one fails, and the next plan begins there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lakehouse import inputs
from lakehouse.names import TableName
from lakehouse.orchestration.run_partitions import month_ranges
from lakehouse.plan import Step
from lakehouse.project import Project


@dataclass(frozen=True)
class Piece:
    """One asset over one stretch of months (none where it has no partitions)."""

    asset: TableName
    months: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """One Dagster run."""

    pieces: tuple[Piece, ...]
    months: tuple[str, ...]


def groups(project: Project, steps: Sequence[Step]) -> list[Group]:
    """The runs for `steps`, which are in the graph's order, in the order in which to execute them."""
    waiting = [piece for step in steps for piece in _pieces(project, step)]
    needs = {piece: {other for other in waiting if reads(project, piece, other)} for piece in waiting}
    made: list[Group] = []
    while waiting:
        stretches = list(dict.fromkeys(piece.months for piece in waiting if piece.months)) or [()]
        candidates = [_takeable(waiting, needs, months) for months in stretches]
        best = max(range(len(stretches)), key=lambda index: len(candidates[index]))
        taken = candidates[best]
        if not taken:
            raise AssertionError(f"a cycle among {[piece.asset.slashed for piece in waiting]}")
        made.append(Group(tuple(taken), stretches[best] if any(piece.months for piece in taken) else ()))
        waiting = [piece for piece in waiting if piece not in taken]
        needs = {piece: needs[piece] - set(taken) for piece in waiting}
    return made


def _pieces(project: Project, step: Step) -> list[Piece]:
    if not step.partitions:
        return [Piece(step.asset, ())]
    stretches = month_ranges(step.partitions)
    size = project.backfill_chunk(step.asset) or len(step.partitions)
    return [Piece(step.asset, tuple(months[at : at + size])) for months in stretches for at in range(0, len(months), size)]


def _takeable(waiting: list[Piece], needs: dict[Piece, set[Piece]], months: tuple[str, ...]) -> list[Piece]:
    """What can be in one run over `months`: all it needs is done or in that run as well."""
    taken: list[Piece] = []
    for piece in waiting:
        if piece.months in ((), months) and needs[piece] <= set(taken):
            taken.append(piece)
    return taken


def reads(project: Project, piece: Piece, other: Piece) -> bool:
    """Whether `piece` reads something that `other` writes, or refers to it, or uses a champion that it judges."""
    spec = project.notebooks.get(piece.asset)
    if spec is None or other.asset == piece.asset:
        return False
    if other.asset in project.judges_above(spec):
        return True
    if any(project.writer_of(table) == other.asset for table in project.referenced(spec) if table not in spec.inputs):
        return True
    for read in (*spec.reads, *spec.models_read):
        if project.writer_of(read.table) != other.asset:
            continue
        covered = inputs.covered(project, read.table, read.coverage, piece.months)
        if covered is None or not other.months or set(covered) & set(other.months):
            return True
    return False
