"""`lakehouse bench stream`: rows a second and lag of a stream, in continuous mode, with ever more files a second.

At scale n, n files of 100 observations arrive each second: the hours of 2013 at the three airports, year after year
(each 365 days later than the one before). First the files of so many seconds are there at once (the backlog: how fast
can it be?), then as many arrive at their rate (live: how old is a record when bronze has it?). Landing, gate and merge
are the shipped ones, in a project of nothing else; each scale has a lake of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from assets import sources
from lakehouse import kernels, settings
from lakehouse.project import Project
from lakehouse.settings import Settings
from lakehouse.spark import server
from lakehouse.streams.rounds import Round, Rounds
from tests.benchmarks import machine, report
from tests.benchmarks.memory import Watch
from tests.benchmarks.timing import BenchmarkFailed, engine
from tests.benchmarks.variants import settled

SCALES = [1, 10, 100]
RECORDS = 100  # of one file
HEADERS = [
    "scale", "records/s", "backlog rows", "landing rows/s", "bronze rows/s",
    "live rows", "rounds", "lag s (median)", "lag s (longest)", "server GiB", "all GiB",
]  # fmt: skip
SHIPPED = (
    "notebooks/bronze/observations.ipynb", "assets/contracts/bronze/observations.yaml", "assets/__init__.py",
    "assets/transforms/__init__.py", "assets/transforms/observations.py",
)  # fmt: skip
SOURCES = """
from lakehouse import Stream

observations = Stream("raw.observations", inbox="inbox")
"""


def run(scales: Sequence[int], seconds: int, every: float) -> None:
    """Measures each scale, prints, saves."""
    shipped, measured = settings.load(), []
    for scale in scales:
        scratch = Path(tempfile.mkdtemp(prefix="lakehouse-stream-"))
        try:
            measured.append(measure(shipped, scratch, scale, seconds, every))
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    here, rows = machine.describe(), [row(each) for each in measured]
    saved = {"machine": here, "seconds": seconds, "every": every, "scales": measured}
    whole = list(scales) == SCALES
    caption = f"A round every {every:g} s, files of {RECORDS} records for {seconds} s. {machine.in_words(here)}."
    report.show("stream", HEADERS, rows, caption)
    print("saved:", report.save("stream", saved, whole=whole))
    body = f"{report.markdown(HEADERS, rows)}\n\n{caption}"
    if not whole or not report.put(shipped.project / "README.md", "stream", body):
        print(body)


def measure(shipped: Settings, scratch: Path, scale: int, seconds: int, every: float) -> dict[str, Any]:
    """The figures of one scale, in a project and a lake of its own. Raises BenchmarkFailed where a round fails."""
    now = _project(shipped, scratch)
    files = list(_files(scratch / "drafts", 2 * scale * seconds))
    streams = list(Project.load(now.project).sources.values())
    try:
        settled(now)
        kernels.ensure(now)
        with _environment(now), Watch(engine(now)) as watch:
            _put(now, files[:1])
            warm = _rounds(now, streams, 0.0, lambda made: len(made) == 1)
            _put(now, files[1 : scale * seconds])
            backlog = _rounds(now, streams, 0.0, lambda made: len(made) == 1)
            print(f"{scale}x: a backlog of {backlog[0].rows:,} rows", flush=True)
            live = _live(now, streams, files[scale * seconds :], scale, every)
    finally:
        kernels.stop(now)
        server.stop(now)
    for made in (*warm, *backlog, *live):
        if made.failed:
            raise BenchmarkFailed(f"{scale}x: a round failed", "\n".join(made.failed.values()))
    return {"scale": scale, **_figures(backlog[0], live), "memory": watch.peak.by_role, "total": watch.peak.total}


def _figures(backlog: Round, live: Sequence[Round]) -> dict[str, Any]:
    with_rows = [made for made in live if made.rows]
    (landed,) = backlog.landed.values()
    lags = [made.oldest for made in with_rows if made.oldest is not None]
    return {
        "backlog": backlog.rows,
        "landing": landed.seconds,
        "bronze": sum(backlog.ran.values()),
        "live": sum(made.rows for made in live),
        "rounds": len(with_rows),
        "lags": lags,
        "landings": [one.seconds for made in with_rows for one in made.landed.values()],
        "notebooks": [sum(made.ran.values()) for made in with_rows],
    }


def row(each: dict[str, Any]) -> list[str]:
    return [
        f"{each['scale']}x",
        f"{each['scale'] * RECORDS:,}",
        f"{each['backlog']:,}",
        f"{each['backlog'] / each['landing']:,.0f}",
        f"{each['backlog'] / each['bronze']:,.0f}",
        f"{each['live']:,}",
        str(each["rounds"]),
        f"{statistics.median(each['lags']):.1f}",
        f"{max(each['lags']):.1f}",
        report.gib(each["memory"].get("Spark (Java)")),
        report.gib(each["total"]),
    ]


def _project(shipped: Settings, scratch: Path) -> Settings:
    project = scratch / "project"
    for name in SHIPPED:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(shipped.project / name, project / name)
    (project / "assets" / "sources.py").write_text(SOURCES)
    (project / "inbox").mkdir()
    return shipped.model_copy(update={"project": project, "root": scratch / "lake"})


def _environment(now: Settings) -> Any:
    """Of this process, from which kernels take where they are."""
    from unittest import mock

    return mock.patch.dict(os.environ, {"LAKEHOUSE_PROJECT": str(now.project), "LAKEHOUSE_ROOT": str(now.root)})


def _files(folder: Path, count: int) -> Iterator[Path]:
    """So many files with the next records each, written beforehand: only their renames are timed."""
    folder.mkdir(parents=True)
    lines = _endless()
    for number in range(count):
        path = folder / f"observations-{number:07d}.jsonl"
        path.write_text("".join(f"{next(lines)}\n" for _ in range(RECORDS)))
        yield path


def _endless() -> Iterator[str]:
    """The year's records, each once, again and again a year later."""
    year = [json.loads(line) for lines in sources._observed().values() for line in lines]
    for later in range(10_000):
        for record in year:
            moved = datetime.fromisoformat(record["time_hour"]) + timedelta(days=365 * later)
            yield json.dumps({**record, "time_hour": moved.isoformat().replace("+00:00", "Z")})


def _put(now: Settings, files: Sequence[Path]) -> None:
    for path in files:
        path.rename(now.project / "inbox" / path.name)


def _rounds(now: Settings, streams: Sequence[Any], every: float, enough: Any) -> list[Round]:
    made: list[Round] = []
    for one in Rounds(now, streams, every).run(lambda: enough(made)):
        made.append(one)
    return made


def _live(now: Settings, streams: Sequence[Any], files: Sequence[Path], scale: int, every: float) -> list[Round]:
    """Rounds while the files arrive, and until the last of them is in bronze."""

    def arrive() -> None:
        began = time.monotonic()
        for number, path in enumerate(files):
            time.sleep(max(0.0, began + number / scale - time.monotonic()))
            _put(now, [path])

    thread = threading.Thread(target=arrive, name="arrivals", daemon=True)
    thread.start()
    expected = len(files) * RECORDS
    return _rounds(now, streams, every, lambda made: sum(one.rows for one in made) >= expected or _failed(made))


def _failed(made: Sequence[Round]) -> bool:
    return bool(made and made[-1].failed)
