"""A write's profile: computed from the rows to be published, compared with what stands, and told as checks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse import checks
from lakehouse.checks import PROFILE
from lakehouse.contract import Contract
from lakehouse.contracts.profiling import Profiling
from lakehouse.errors import LakeError
from lakehouse.names import TableName
from lakehouse.profiles import kept, reference, table
from lakehouse.profiles.compare import compare
from lakehouse.profiles.compute import compute
from lakehouse.profiles.kept import RunProfile, TableProfile
from lakehouse.profiles.measured import Measured
from lakehouse.profiles.profile import WHOLE, Batch
from lakehouse.record import CheckRecord

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_TOLD = 6


class Profiler:
    """Profiles what one run writes, and keeps it in the run's `folder` (None: nowhere, as in a sandbox)."""

    def __init__(self, root: Path, folder: Path | None) -> None:
        self._root, self._folder, self._found = root, folder, RunProfile()

    def audit(self, frame: DataFrame, contract: Contract, partitions: Iterable[str], *, merged: bool = False) -> list[CheckRecord]:
        """The outcome of each check of `contract` that the profile of the rows of `frame` is made for.

        Kept before the commit: it counts where the commit stands, so no crash can lose one.
        """
        self._found.tables[contract.table.dotted], checks = audit(self._root, frame, contract, partitions, merged=merged)
        if self._folder is not None:
            kept.save(self._folder, self._found)
        return checks

    def tell(self, published: Iterable[TableName]) -> None:
        """Adds what was published to the table of profiles; its next write adds what this one cannot."""
        if self._found.tables and self._folder is not None:
            try:
                table.add(self._root, published)
            except LakeError as error:
                print(f"warning: {error}")


def audit(
    root: Path, frame: DataFrame, contract: Contract, partitions: Iterable[str], *, merged: bool = False
) -> tuple[TableProfile, list[CheckRecord]]:
    """The profile of the rows of `frame`, and the outcome of each check of `contract` that it is made for.

    A batch is compared with what stands of other partitions and with the others of this write. `partitions` without
    rows are batches of none. Rows that are `merged` are one batch, whatever partitions they go to, compared with those
    of the merges before; how many there are says nothing.
    """
    rules = contract.profile or Profiling()
    personal = [name for name, column in contract.columns.items() if column.personal]
    never_null = [name for name, column in contract.columns.items() if not column.nullable]
    partition = contract.partitions.column if contract.partitions and not merged else None
    if merged:
        rules = rules.model_copy(update={"volume": False})
    batches = compute(frame, partition=partition, personal=personal, never_null=never_null, by=rules.by)
    for key in partitions if partition else [WHOLE]:
        batches.setdefault(key, Batch(rows=0))
    there = reference.standing(root, contract, rules, whole=partition is None)
    if partition and rules.reference == "recent":
        there = {**there, **batches}
    found = beside(batches, there, rules)
    of_plots = [one for one in found if one.unusual or one.kind == "distribution"]
    others = len(set(there) - {min(batches)})
    too_few = "" if found else f"not compared: it takes {rules.needed} other batches with a profile, there are {others}"
    profile = TableProfile(profiled_at=datetime.now(UTC), batches=batches, measured=of_plots)
    return profile, list(_outcomes(contract, found, too_few))


def beside(batches: Mapping[str, Batch], there: Mapping[str, Batch], rules: Profiling) -> list[Measured]:
    """Every measure of each of `batches` beside the nearest of those that are `there`."""
    found: list[Measured] = []
    for key, batch in sorted(batches.items()):
        others = reference.near(key, there, rules)
        ends = {name: reference.end(name) for name in (key, *others)} if reference.is_month(key) else {}
        found += compare(key, batch, others, rules, ends)
    return found


def _outcomes(contract: Contract, found: Iterable[Measured], too_few: str) -> Iterator[CheckRecord]:
    unusual = [one for one in found if one.unusual]
    for check in checks.of(contract):
        if check.type == PROFILE:
            own = [one for one in unusual if one.kind == check.kwargs["kind"]]
            yield checks.outcome(
                contract,
                check,
                passed=not own,
                observed=in_words(own) if own else too_few,
            )


def in_words(found: Iterable[Measured]) -> str:
    """Findings in a line, the columns of which the same is said together, the first few of them."""
    told: dict[str, list[str]] = {}
    for one in found:
        told.setdefault(one.said, []).append(one.column or "")
    lines = [f"{', '.join(columns)}: {said}" if any(columns) else said for said, columns in told.items()]
    rest = f"; and {len(lines) - _TOLD} more" if len(lines) > _TOLD else ""
    return "; ".join(lines[:_TOLD]) + rest
