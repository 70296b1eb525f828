"""The files of one read, held against what their source says and against earlier deliveries, before Spark sees them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lakehouse.errors import BatchRefused
from lakehouse.ingest import form, kept
from lakehouse.ingest.drift import Change
from lakehouse.ingest.form import Form
from lakehouse.ingest.past import Compared, Past
from lakehouse.ingest.verdict import Misfit, Verdict
from lakehouse.raw import RawFile
from lakehouse.source import Source

_SHOWN = 3


@dataclass(frozen=True)
class Judged:
    """One file and what was found."""

    file: RawFile
    verdict: Verdict


@dataclass(frozen=True)
class Batch:
    """Files that can be read. `columns` are the result's, in order (None: each file's own, as JSON and Parquet have
    them); `warnings` are sentences."""

    source: Source
    form: Form | None
    files: tuple[Judged, ...]
    columns: tuple[str, ...] | None = None
    warnings: tuple[str, ...] = ()

    @property
    def misfits(self) -> list[tuple[RawFile, Misfit]]:
        """The records that are left out."""
        return [(judged.file, misfit) for judged in self.files for misfit in judged.verdict.misfits]


def take(root: Path, source: Source, files: Iterable[RawFile]) -> Batch:
    """Judges the files of one read. Raises BatchRefused, naming file, line and what changed, for what cannot be read."""
    how = form.of(source)
    if how is None:
        return Batch(source, None, tuple(Judged(file, Verdict()) for file in files))
    batch = Batch(source, how, tuple(Judged(file, kept.of(root, file, how)) for file in files))
    _refuse_flawed(batch)
    _refuse_many(batch)
    past = Past(root, source, how)
    compared = past.compare([judged.file for judged in batch.files])
    wrong = [one for one in compared if any(_refuses(source, change) for change in one.changes)]
    if wrong:
        _refuse_changed(source, past, wrong)
    warnings = [f"{source.table}, {one.file.filename}: {change.words}{one.since}" for one in compared for change in one.changes]
    return Batch(source, how, batch.files, past.columns if how.format == "csv" else None, tuple(warnings))


def findings(root: Path, source: Source, files: Iterable[RawFile]) -> list[str]:
    """All that a read of these files would say of them, a sentence each; nothing is refused."""
    how = form.of(source)
    if how is None:
        return []
    said = []
    for file in files:
        verdict = kept.of(root, file, how)
        said += [f"{file.filename} {verdict.flaw}"] if verdict.flaw else []
        said += [_of_misfit(file, misfit) for misfit in verdict.misfits[:_SHOWN]]
        more = len(verdict.misfits) - _SHOWN
        said += [f"{file.filename}: {more:,} more rows do not fit"] if more > 0 else []
    compared = Past(root, source, how).compare(list(files))
    return said + [f"{one.file.filename}: {change.words}{one.since}" for one in compared for change in one.changes]


def _of_misfit(file: RawFile, misfit: Misfit) -> str:
    return f"{file.filename}, line {misfit.line} {misfit.reason}: {misfit.text[:80]!r}"


def _refuses(source: Source, change: Change) -> bool:
    """Whether a change refuses the batch; else it is told only."""
    if change.kind == "unit":
        return source.units == "error"
    # JSON is read by name, and its records need not have the same keys, unless the source says so.
    return change.kind == "retyped" or source.format == "csv" or bool(source.columns)


def _refuse_flawed(batch: Batch) -> None:
    flawed = [f"{one.file.filename} {one.verdict.flaw}" for one in batch.files if one.verdict.flaw]
    if flawed:
        raise BatchRefused(
            f"{batch.source.table}: {_listed(flawed, 'file')}",
            "The files stay as they were received. Have the source deliver them again: the newest of a name counts.",
        )


def _refuse_many(batch: Batch) -> None:
    misfits, left_out = batch.misfits, sum(one.verdict.left_out for one in batch.files)
    rows = left_out + sum(one.verdict.rows for one in batch.files)
    if not misfits or left_out <= batch.source.tolerance * rows:
        return
    assert batch.form is not None
    shown = [_of_misfit(file, misfit) for file, misfit in misfits]
    hint = "Have the files delivered again, or correct how the source is declared to be written (options)."
    if any("is not in" in misfit.reason for _, misfit in misfits):
        hint = f'If they are in another encoding than {batch.form.encoding}, say options={{"encoding": …}}; cp1252 is a common one.'
    elif any("quoted" in misfit.reason for _, misfit in misfits) and not batch.form.multiline:
        hint = 'If quoted values hold line ends, say options={"multiLine": True}.'
    raise BatchRefused(
        f"{batch.source.table}: {left_out:,} of {rows:,} rows do not fit, more than {100 * batch.source.tolerance:g}%: "
        + _listed(shown, "row"),
        f"{hint} A larger share is allowed by tolerance=….",
    )


def _refuse_changed(source: Source, past: Past, wrong: Sequence[Compared]) -> None:
    said, hints = [], []
    for one in wrong:
        words = "; ".join(change.words for change in one.changes if _refuses(source, change))
        said.append(f"{one.file.filename}: {words}{one.since}")
    kinds = {change.kind for one in wrong for change in one.changes}
    if kinds & {"added", "gone", "renamed"}:
        hints.append(f"Expected are {past.told}. If the change is to stay, say columns=… of the source, or optional=… for those")
        hints[-1] += " that a file may have or not."
    if kinds & {"retyped", "unit"}:
        hints.append("If the change is right and your notebooks know of it, name the column in varying=… of the source.")
    raise BatchRefused(f"{source.table}: {_listed(said, 'file')}", " ".join(hints))


def _listed(said: Sequence[str], what: str) -> str:
    more = len(said) - _SHOWN
    return "; ".join(said[:_SHOWN]) + (f"; and {more} more {what}{'s' * (more > 1)}" if more > 0 else "")
