"""Whether the ledger is what was written: each row's hash, its place in the chain, the log beside the rows, MLflow's anchors
and aliases. Only reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from lakehouse import deltalog, tables
from lakehouse.errors import LakeError, LakehouseError, UnknownName, UntrustedModel
from lakehouse.ledger import chain, table
from lakehouse.ledger.entry import NOTHING_BEFORE, Entry, Head
from lakehouse.names import PROMOTIONS, TableName
from lakehouse.settings import Settings
from lakehouse.trouble import Trouble

BACKUP = (
    f"Restore tables/{PROMOTIONS.slashed} from a backup. Without one, move it away and name the champion anew: "
    'lakehouse models promote MODEL/VERSION --force --note "…".'
)
_REPAIR = "`lakehouse models verify --repair`, or the next decision, lets it follow again."


def look(settings: Settings, *, alone: bool = True) -> Iterator[Trouble]:
    """What is wrong with the ledger and with MLflow's aliases beside it; `alone` (beside no other look at the models), with
    the champions' files and MLflow's records too."""
    path = tables.lake_path(settings.root, PROMOTIONS)
    told: list[Head] = []
    try:
        told, rows = list(chain.read(path)), table.entries(settings.root)
        wrong = [*_foreign(path), *_edited(rows), *_chained(rows), *_beside(told, rows)]
        yield from (Trouble(PROMOTIONS.dotted, words, BACKUP) for words in wrong)
    except LakeError as error:
        yield Trouble(PROMOTIONS.dotted, error.what, BACKUP)
    yield from _beyond(settings, told, alone)


def _beyond(settings: Settings, told: Sequence[Head], alone: bool) -> Iterator[Trouble]:
    """What MLflow knows: it is elsewhere, and so tells what was cut off."""
    store = settings.root / "mlflow" / "mlflow.db"
    if not store.exists():
        return
    from lakehouse import models

    try:
        for model, words, follows in models.astray(settings, told):
            mend = partial(_follow, settings, model) if follows else None
            yield Trouble(model.dotted, words, _REPAIR if follows else BACKUP, mend=mend)
        for model in sorted({TableName.parse(head.model) for head in told}) if alone else ():
            champion = chain.of(told, model).champion
            try:
                if champion is not None:
                    models.locate(settings, model, champion).hold()
            except (UntrustedModel, UnknownName) as error:
                todo = f"{error.hint.removesuffix(' Nothing was loaded.')} To go back: lakehouse models rollback {model.name}"
                yield Trouble(model.dotted, f"the champion cannot be used: {error.what}", todo)
    except LakehouseError as error:
        if alone:
            yield Trouble(str(store), error.what, error.hint)


def _follow(settings: Settings, model: TableName) -> str:
    from lakehouse import models

    models.follow(settings, model)
    return f"MLflow's aliases of {model} follow the ledger again."


def _edited(rows: Sequence[Entry]) -> Iterator[str]:
    for row in rows:
        if row.digest != row.hash:
            yield f"entry {row.seq} ({row.model}: {row.said}) was edited: its hash is that of something else"


def _chained(rows: Sequence[Entry]) -> Iterator[str]:
    before, last = NOTHING_BEFORE, 0
    for row in rows:
        if row.seq > last + 1:
            gone = f"entry {last + 1}" if row.seq == last + 2 else f"entries {last + 1} to {row.seq - 1}"
            yield f"{gone} {'is' if row.seq == last + 2 else 'are'} missing"
        elif row.seq <= last:
            yield f"entry {row.seq} is there twice"
        elif row.previous_hash != before:
            yield f"entry {row.seq} does not follow entry {last}: one of them was replaced"
        before, last = row.hash, row.seq


def _beside(told: Sequence[Head], rows: Sequence[Entry]) -> Iterator[str]:
    """Where the log, from which the champion is read, says something else than the rows."""
    by_seq = {row.seq: row.head for row in rows}
    for head in told:
        if (row := by_seq.pop(head.seq, None)) is None:
            yield f"entry {head.seq} ({head.model}: {head.said}) stands in the table's log, and has no row"
        elif row != head:
            yield f"entry {head.seq} is another in the table's log ({head.model}: {head.said}) than in its rows"
    for seq in sorted(by_seq):
        yield f"entry {seq} has a row, and no commit of the ledger tells of it"


def _foreign(path: Path) -> Iterator[str]:
    if deltalog.versions(path)[:1] not in ([], [0]):
        yield "its first commits are missing"
    ours = {head.seq for head in chain.read(path)}
    data = [entry for entry in deltalog.commits(path) if entry.data]
    if len(data) > len(ours):
        others = ", ".join(sorted({entry.operation for entry in data} - {"WRITE"})) or "writes"
        yield f"{len(data) - len(ours)} commits that are not the ledger's changed it ({others})"
