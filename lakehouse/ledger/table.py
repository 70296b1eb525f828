"""The Delta table `monitoring.promotions`: a row, a file and a commit for each decision, and Delta refuses to change them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse import deltafiles, deltalog, deltawrite, tables
from lakehouse.errors import LedgerError
from lakehouse.ledger.chain import KEY
from lakehouse.ledger.entry import Entry, canonical
from lakehouse.names import PROMOTIONS, TableName

if TYPE_CHECKING:
    import pyarrow

COLUMNS: dict[str, tuple[str, str]] = {
    "seq": ("long", "Its number; 1 is the first."),
    "at": ("timestamp", "When it was decided (UTC)."),
    "who": ("string", "Who or what decided: a user, or a run."),
    "model": ("string", "The model, such as models.flight_delay."),
    "action": ("string", "promoted, refused, waiting, approved, rolled_back or unjudged."),
    "from_version": ("long", "The champion until then; null where there was none."),
    "to_version": ("long", "The version that was decided about."),
    "evidence": ("string", "What it was decided on, as JSON: metrics, slices, versions of data."),
    "gates": ("string", "What each gate said, as JSON."),
    "note": ("string", "What the one who decided says."),
    "previous_hash": ("string", "The hash of the row before; zeros before the first."),
    "hash": ("string", "SHA-256 of the canonical JSON of all other columns."),
}
_ABOUT = "Which version of which model became champion or did not, when, by whom and why. Only appended to."
_JSON = ("evidence", "gates")


def append(root: Path, version: int, entry: Entry) -> bool:
    """Adds `entry` as `version` of the table; False, and nothing is added, where that version is there already.

    Raises LedgerError where it cannot be written.
    """
    import pyarrow

    path = tables.lake_path(root, PROMOTIONS)
    row = {**entry.model_dump(), **{name: canonical(getattr(entry, name)) for name in _JSON}}
    file = f"part-{entry.seq:05d}-{entry.hash[:16]}.snappy.parquet"
    told = {KEY: entry.head.model_dump(mode="json")}
    actions = [deltawrite.appended(version, userMetadata=json.dumps(told))]
    if version == 0:
        actions += deltawrite.created(_ABOUT, COLUMNS, **{"delta.appendOnly": "true"})
    try:
        actions.append(deltawrite.file(path, file, pyarrow.Table.from_pylist([row], _schema())))
        if deltawrite.put(path, version, actions):
            return True
        (path / file).unlink(missing_ok=True)
        return False
    except OSError as error:
        what = f"The ledger {PROMOTIONS} cannot be written: {error.strerror} at {error.filename}"
        raise LedgerError(what, "Nothing was decided. Check its permissions and the disk, then do it again.") from None


def entries(root: Path, model: TableName | None = None) -> list[Entry]:
    """The decisions about `model` (None: about all), with their evidence, the first first.

    Raises LedgerError where the table's files cannot be read.
    """
    from pyarrow import parquet

    path = tables.lake_path(root, PROMOTIONS)
    if deltalog.latest(path) is None:
        return []
    found = []
    for file in deltafiles.current(path):
        try:
            # Spark's OPTIMIZE writes times without a zone, and in nanoseconds.
            rows = parquet.ParquetFile(file.path).read(list(COLUMNS)).cast(_schema())
            found += [_entry(row) for row in rows.to_pylist()]
        except (OSError, ValueError) as error:
            what = f"The ledger {PROMOTIONS} cannot be read: {file.path} {deltafiles.flaw(file) or error}"
            raise LedgerError(what, "Restore it from a backup; `lakehouse models verify` says what else is wrong.") from None
    return sorted((one for one in found if model is None or one.model == model.dotted), key=lambda one: one.seq)


def _schema() -> pyarrow.Schema:
    import pyarrow

    kinds = {"long": pyarrow.int64(), "string": pyarrow.string(), "timestamp": pyarrow.timestamp("us", "UTC")}
    return pyarrow.schema([(name, kinds[kind]) for name, (kind, _) in COLUMNS.items()])


def _entry(row: dict[str, Any]) -> Entry:
    return Entry.model_validate({**row, **{name: json.loads(row[name]) for name in _JSON}})
