"""The same notebooks' steps by us and by what people use today, in turn, each one's tables held against ours.

    a  ours           `lakehouse run --force` through Dagster on a warm server: the whole command, with gate, pins, kernels
    b  plain          one script on the same warm server, with none of these (peers/plain_script.py)
    c  papermill      stock papermill, an ordinary kernel and a SparkSession for each notebook (stock_notebooks.py)
    d  dagstermill    the same notebooks as Dagster's own notebook assets, in one job with its default executor
    e  polars         one script with Polars and delta-rs, no Spark (peers/polars_script.py)

c, d and e run in environments of their own, made from peers/<name>.txt. Notebooks that only merge what is new are left
out: the others have no counterpart.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lakehouse import raw, settings, tables
from lakehouse.names import TableName
from lakehouse.project import Project
from tests.benchmarks import environments, equality, stock_notebooks
from tests.benchmarks.timing import Timed, engine, middle, timed

PEERS = Path(__file__).parent / "peers"
LIMIT_SECONDS = 3600  # none of them takes nearly so long: what does hangs
LAKEHOUSE = [sys.executable, "-m", "lakehouse"]


@dataclass
class Peer:
    """One way to do it. `seconds` has a figure for each round, `memory` and `largest` (bytes) are the highest of all."""

    name: str
    title: str
    slow: bool = False
    seconds: list[float] = field(default_factory=list)
    memory: int = 0
    largest: dict[str, int] = field(default_factory=dict)

    def note(self, done: Timed) -> None:
        self.seconds.append(done.seconds)
        self.memory = max(self.memory, done.peak.total)
        self.largest = {role: max(size, self.largest.get(role, 0)) for role, size in {**self.largest, **done.peak.by_role}.items()}

    @property
    def median(self) -> float | None:
        return middle(self.seconds)


def all_peers() -> list[Peer]:
    return [
        Peer("ours", "lakehouse run --force, through Dagster"),
        Peer("plain", "one plain script, the same warm Spark server"),
        Peer("papermill", "stock papermill, a SparkSession per notebook", slow=True),
        Peer("dagstermill", "dagstermill, a SparkSession per notebook", slow=True),
        Peer("polars", "one Polars + delta-rs script, no Spark"),
    ]


def compared(project: Project) -> list[TableName]:
    """The notebooks that all can run, in the graph's order."""
    specs = project.notebooks
    return [asset for asset in project.order() if asset in specs and not specs[asset].only_merges]


class Bench:
    """The lake that ours builds and the raw files of all lie in `scratch`/lake; each other run has a folder of its own."""

    month: str | None = None
    """The only month that is run; None: all, from nothing."""

    def __init__(self, now: settings.Settings, scratch: Path, selection: Sequence[str]) -> None:
        self.now, self.scratch = now, scratch
        self.project = Project.load(now.project)
        # With all above them: each peer makes its own tables, from the raw files on.
        wanted = {above for asset in self.project.select(selection) for above in (asset, *self.project.ancestors(asset))}
        self.assets = [asset for asset in compared(self.project) if asset in wanted]
        self._spark: Any = None

    @property
    def names(self) -> list[str]:
        return [asset.slashed for asset in self.assets]

    def warm_up(self) -> None:
        """What is not counted: raw files land, the server and the fork process start, code is compiled."""
        timed([*LAKEHOUSE, "run", *(f"+{name}" for name in self.names)], self.scratch / "warm-up.log")
        self.plain(self._folder("warm"))
        shutil.rmtree(self.scratch / "warm")

    def run(self, peer: Peer) -> dict[str, Any]:
        """One round of one peer; returns what is in its tables."""
        folder = self._folder(peer.name)
        peer.note(getattr(self, peer.name)(folder))
        root = self.now.root / "tables" if peer.name == "ours" else folder
        wanted = {table for asset in self.assets for table in self.project.notebooks[asset].outputs if table.layer != "models"}
        made = {table: root / table.layer / table.name for table in tables.tables_under(root) if table in wanted}
        found = equality.contents(self._session(), made)
        shutil.rmtree(folder)
        return found

    def ours(self, _folder: Path) -> Timed:
        month = ["--partition", self.month] if self.month else []
        return self._timed([*LAKEHOUSE, "run", "--force", *month, *self.names], "ours")

    def plain(self, folder: Path) -> Timed:
        script = [sys.executable, str(PEERS / "plain_script.py"), str(self.now.root), str(folder), self.month or "all"]
        return self._timed([*script, *self.names], "plain")

    def papermill(self, folder: Path) -> Timed:
        job = self._job(folder, notebooks=True)
        python = environments.ensure("papermill", self.now)
        return self._timed_peer([str(python), str(PEERS / "papermill_run.py"), str(job)], "papermill", job)

    def dagstermill(self, folder: Path) -> Timed:
        job = self._job(folder, notebooks=True, dagstermill=True)
        months = {asset: self._months(asset) for asset in self.assets}
        config = {"ops": {f"{a.layer}__{a.name}": {"config": {"months": keys}} for a, keys in months.items() if keys}}
        (folder / "run.json").write_text(json.dumps(config))
        python = environments.ensure("dagstermill", self.now)
        command = [str(python), "-m", "dagster", "job", "execute", "-f", str(PEERS / "dagstermill_run.py"), "-j", "graph"]
        return self._timed_peer([*command, "-c", str(folder / "run.json")], "dagstermill", job)

    def polars(self, folder: Path) -> Timed:
        job = self._job(folder)
        python = environments.ensure("polars", self.now)
        return self._timed_peer([str(python), str(PEERS / "polars_script.py"), str(job)], "polars", job)

    def _folder(self, name: str) -> Path:
        folder = self.scratch / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder

    def _timed(self, command: list[str], name: str) -> Timed:
        return timed(command, self.scratch / f"{name}.log", beside=engine(self.now))

    def _timed_peer(self, command: list[str], name: str, job: Path) -> Timed:
        variables = environments.variables(self.now, job.parent) | {"LAKEHOUSE_BENCH_JOB": str(job)}
        return timed(command, self.scratch / f"{name}.log", environ=variables, cwd=job.parent, limit=LIMIT_SECONDS)

    def _months(self, asset: TableName) -> list[str]:
        space = self.project.partitions_of(asset)
        if space and self.month:
            return [self.month]
        return [str(key) for key in space.keys()] if space else []  # noqa: SIM118  # no dictionary

    def _job(self, folder: Path, *, notebooks: bool = False, dagstermill: bool = False) -> Path:
        """All that a peer is told, as a file."""
        from lakehouse.models import TRUSTED_TYPES

        steps = []
        for asset in self.assets:
            spec = self.project.notebooks[asset]
            path = str(stock_notebooks.write(spec, folder, self.now, dagstermill=dagstermill)) if notebooks else ""
            parents = [parent.slashed for parent in self.project.parents(asset) if parent in self.assets]
            steps.append({"name": asset.slashed, "path": path, "months": self._months(asset), "parents": parents})
        partitioned = {table.dotted: c.partitions.column for table, c in self.project.contracts.items() if c.partitions}
        own = [self.month] if self.month else None
        files = {name.dotted: [str(file.path) for file in raw.files(self.now.root, name, own)] for name in self.project.sources}
        job = {"folder": str(folder), "notebooks": steps, "partitioned": partitioned, "raw": files, "trusted_types": TRUSTED_TYPES}
        job["replace"] = self.month is not None
        job["views"] = {
            table.dotted: {
                "entity": list(view.entity),
                "event": view.event_timestamp,
                "created": view.created,
                "seconds": view.ttl.total_seconds() if view.ttl else None,
            }
            for table, contract in self.project.contracts.items()
            if (view := contract.feature_view) is not None
        }
        path = folder / "job.json"
        path.write_text(json.dumps(job))
        return path

    def _session(self) -> Any:
        from lakehouse.spark.session import connect

        if self._spark is None:
            self._spark = connect(self.now)
        return self._spark


def measure(bench: Bench, peers: Sequence[Peer], rounds: int, slow_rounds: int, say: Callable[[str], None]) -> None:
    """All rounds in turn; fills in `peers`. Raises BenchmarkFailed where a peer fails or its tables are not ours."""
    ours: dict[str, Any] = {}
    for number in range(max(rounds, slow_rounds)):
        for peer in peers:
            if number >= (slow_rounds if peer.slow else rounds):
                continue
            found = bench.run(peer)
            ours = ours or found
            equality.refuse_differences(peer.name, ours, found)
            say(f"round {number + 1}: {peer.name} {peer.seconds[-1]:.1f} s, {peer.memory / 2**30:.1f} GiB, equal")
