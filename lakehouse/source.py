"""Sources and streams: where raw data comes from, declared in a project's assets/sources.py."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import ClassVar, Literal

from lakehouse.errors import LakehouseError, SourceError
from lakehouse.names import TableName
from lakehouse.partitions import PartitionSpace

FILE = "assets/sources.py"
FORMATS = ("csv", "json", "parquet", "orc", "text")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One file as the source gives it: its name there, and its bytes (or the path of a file that holds them)."""

    filename: str
    content: bytes | Path


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that the source has but does not give yet, and why; told, and looked for again."""

    filename: str
    why: str


@dataclass(frozen=True)
class Source:
    """What lands in one raw table. Raises SourceError when declared wrongly.

    `fetch(partition)` gives the files of one month, or of everything (`None`) when there are no `partitions`.
    `format` and `options` are Spark's, for reading the files. What does not fit is judged at the read: `columns` are
    those that every file has (in any order; none: those of the first delivery), `optional` those that a file may have
    or not. `tolerance` is the share of a batch's rows that may be left out because they do not fit. `varying` columns
    may change the kind or unit of their values; a suspected change of unit in another warns, or refuses with
    `units="error"`.
    """

    table: str
    fetch: Callable[[str | None], Iterable[Delivery | Skipped]]
    partitions: PartitionSpace | None = None
    format: str = "csv"
    options: Mapping[str, str | int | bool] = field(default_factory=dict)
    description: str = ""
    owner: str = ""
    columns: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    varying: tuple[str, ...] = ()
    tolerance: float = 0.01
    units: Literal["warn", "error"] = "warn"

    def __post_init__(self) -> None:
        _refuse_other_tables("Source", self.table)
        if not callable(self.fetch):
            raise SourceError(f"Source {self.table}: fetch is not a function", "Give one that takes a partition or None.")
        if self.format not in FORMATS:
            raise SourceError(f"Source {self.table}: unknown format {self.format!r}", f"Use {', '.join(FORMATS)}.")
        for name in ("columns", "optional", "varying"):
            given = getattr(self, name)
            if isinstance(given, str) or not all(isinstance(column, str) for column in given):
                raise SourceError(f"Source {self.table}: {name} = {given!r} are no names", f'Write {name}=("a", "b").')
            object.__setattr__(self, name, tuple(given))
        if not 0 <= self.tolerance <= 1:
            raise SourceError(f"Source {self.table}: tolerance = {self.tolerance} is no share", "Write one from 0 to 1.")
        if self.units not in ("warn", "error"):
            raise SourceError(f"Source {self.table}: units = {self.units!r} is unknown", 'Write "warn" or "error".')

    @property
    def name(self) -> TableName:
        return TableName.parse(self.table)


@dataclass(frozen=True)
class Stream:
    """What keeps coming and lands in one raw table, a Delta table that is only appended to. Raises SourceError.

    Of the format "text" are files, each line a record. They come by `poll(last)`, called before each round with the
    name of the newest delivery (None at first), which gives the deliveries since; or they are put, whole, by a rename,
    into the folder `inbox` (relative to the project), from which each is taken. Any other `format` is a streaming
    reader of Spark's, such as "kafka", with its `options`.
    """

    table: str
    poll: Callable[[str | None], Iterable[Delivery]] | None = None
    inbox: Path | str | None = None
    format: str = "text"
    options: Mapping[str, str | int | bool] = field(default_factory=dict)
    description: str = ""
    owner: str = ""
    partitions: ClassVar[None] = None

    def __post_init__(self) -> None:
        _refuse_other_tables("Stream", self.table)
        if self.format != "text" and self.format in FORMATS:
            hint = 'Leave the format at "text": records land as they came, and bronze takes them apart (from_json, from_csv).'
            raise SourceError(f"Stream {self.table}: records land as text, not as {self.format}", hint)
        if self.of_files and (self.poll is None) == (self.inbox is None):
            raise SourceError(f"Stream {self.table}: files come by a poll or by an inbox", "Give one of the two.")
        if not self.of_files and (self.poll or self.inbox):
            hint = "Leave out poll and inbox, which are for files."
            raise SourceError(f"Stream {self.table}: {self.format} brings its records itself", hint)
        if self.poll is not None and not callable(self.poll):
            hint = "Give one that takes the newest delivery's name, or None."
            raise SourceError(f"Stream {self.table}: poll is not a function", hint)

    @property
    def name(self) -> TableName:
        return TableName.parse(self.table)

    @property
    def of_files(self) -> bool:
        return self.format == "text"


def _refuse_other_tables(kind: str, table: str) -> None:
    try:
        name = TableName.parse(table)
    except LakehouseError as error:
        raise SourceError(f"{kind} {table!r}: {error.what}", error.hint) from None
    if name.layer != "raw":
        raise SourceError(f"{kind} {table!r} lands in no raw table", f"Name it raw.{name.name}.")


def load(project: Path) -> dict[TableName, Source | Stream]:
    """All sources and streams that assets/sources.py of `project` holds by a name of its own; none when there is no such file.

    The file is run. Raises SourceError if it fails, or declares one table twice.
    """
    path = project / FILE
    if not path.exists():
        return {}
    module = _execute(path, project)
    found: dict[TableName, Source | Stream] = {}
    for source in {id(value): value for value in vars(module).values() if isinstance(value, (Source, Stream))}.values():
        if source.name in found:
            raise SourceError(f"{FILE} declares {source.table} twice", "Keep one of them.")
        found[source.name] = source
    return dict(sorted(found.items()))


def _execute(path: Path, project: Path) -> ModuleType:
    # A name of its own per file, so that two projects in one process do not meet in sys.modules.
    name = f"_lakehouse_sources_{hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SourceError(f"{path} cannot be loaded", "It must be a Python file.")
    module = importlib.util.module_from_spec(spec)
    if str(project) not in sys.path:
        sys.path.insert(0, str(project))
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except SourceError:
        raise
    except SyntaxError as error:
        raise SourceError(f"{FILE}, line {error.lineno}: Python cannot read this: {error.msg}", "Correct it.") from error
    except (Exception, SystemExit) as error:
        raise SourceError(f"{FILE} failed: {type(error).__name__}: {error}", f"Correct it{_place(error, path)}.") from error
    return module


def _place(error: BaseException, path: Path) -> str:
    """The line of the file that the error passed through last."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" at line {line}" if line else ""
