"""`lakehouse bench month`: one month again, in tables that are there already, as a schedule runs it each month.

All notebooks that have months and need no model, each peer in a copy of the tables that ours built; afterwards its
tables must still equal ours. Here little is computed, so what is measured is mostly what each way takes to start.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from lakehouse import settings
from lakehouse.errors import UnknownName
from lakehouse.project import Project
from tests.benchmarks import beside, environments, machine, report, rounds
from tests.benchmarks.rounds import LAKEHOUSE, Bench
from tests.benchmarks.timing import timed

NAME = "month"


class MonthBench(Bench):
    """A bench whose folders begin as copies of the tables that ours built."""

    def __init__(self, now: settings.Settings, scratch: Path, month: str) -> None:
        project = Project.load(now.project)
        super().__init__(now, scratch, _monthly(project, month))
        self._needed = self.names
        self.month = month
        self.assets = [asset for asset in self.assets if asset.slashed in _monthly(project, month)]

    def warm_up(self) -> None:
        """Builds all months, with what they stand on; then each of the two on the warm server once, uncounted."""
        timed([*LAKEHOUSE, "run", *(f"+{name}" for name in self._needed)], self.scratch / "warm-up.log")
        self.ours(self.scratch)
        self.plain(self._folder("warm"))
        shutil.rmtree(self.scratch / "warm")

    def _folder(self, name: str) -> Path:
        folder = super()._folder(name)
        if name != "ours":
            shutil.copytree(self.now.root / "tables", folder, dirs_exist_ok=True)
        return folder


def _monthly(project: Project, month: str) -> list[str]:
    """The notebooks that have this month and read or write no model."""
    chosen = []
    for name, spec in project.notebooks.items():
        space = project.partitions_of(name)
        if space and month in space.keys() and not spec.models_read and not spec.models_written:  # noqa: SIM118
            chosen.append(name.slashed)
    if not chosen:
        raise UnknownName(f"No notebook has the month {month}", "Give one of the flights', such as 2013-11.")
    return sorted(chosen)


def run(now: settings.Settings, scratch: Path, month: str, fast: int, slow: int) -> None:
    """Measures, prints, saves. Raises BenchmarkFailed, UnknownName."""
    bench = MonthBench(now, scratch, month)
    peers = [peer for peer in rounds.all_peers() if peer.name != "polars" and (slow or not peer.slow)]
    peers[0].title = f"lakehouse run --force --partition {month}, through Dagster"
    for peer in peers:
        if peer.slow:
            environments.ensure(peer.name, now)
    print(f"{len(bench.assets)} notebooks, {month}; the first run of ours and of the plain script is not counted", flush=True)
    bench.warm_up()
    rounds.measure(bench, peers, fast, slow, lambda words: print(words, flush=True))
    here = machine.describe()
    headers = [f"{len(bench.assets)} notebooks, one month", *beside.HEADERS[1:]]
    rows, caption = beside.table(peers), machine.in_words(here)
    report.show(f"{month} again, tables equal", headers, rows, caption)
    facts = [{"name": p.name, "title": p.title, "seconds": p.seconds, "median": p.median, "memory": p.memory} for p in peers]
    measured = {"machine": here, "month": month, "notebooks": bench.names, "peers": facts}
    print("saved:", report.save(NAME, measured, whole=True))
    body = f"{report.markdown(headers, rows)}\n\n{caption}."
    if not report.put(now.project / "README.md", NAME, body):
        print(body)
