"""A project with a lake of its own on the suite's Spark server, its notebooks' cells run in this very process.

The pins, the gate and the commits are what they are in a kernel, without its start. What a kernel adds is tested in
test_runner.py and test_four_ways.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lakehouse import deltalog, kernels, raw, record, tables
from lakehouse import plan as plans
from lakehouse import settings as settings_module
from lakehouse.lake import Lake
from lakehouse.names import TableName
from lakehouse.plan import Step
from lakehouse.project import Project
from lakehouse.record import Result
from lakehouse.settings import Settings
from lakehouse.source import Stream
from lakehouse.spark import server
from lakehouse.streams import landing
from tests import notebooks

PARAMETERS = 'months: list[month] = ["2013-01"]  # months to build'
IMPORTS = "from lakehouse import month"
VALUES = {"month": {"type": "string", "nullable": False}, "id": {"type": "bigint", "nullable": False}, "value": "double"}
"""Columns of the tables that most tests write."""

COMMAND = [sys.executable, "-c", "import sys; from lakehouse.cli import main; sys.exit(main())"]
"""The command `lakehouse`, as installed beside this Python."""

_SESSION = str(uuid.uuid4())


def monthly(name: str, *cells: str, imports: str = "") -> dict[str, Any]:
    """A notebook that takes months."""
    return notebooks.notebook(name, *cells, parameters=PARAMETERS, imports=f"{IMPORTS}\n{imports}")


def rows(select: str) -> str:
    """A cell: `df` from a query without tables."""
    return f"df = lake.spark.sql({select!r})"


class Workspace:
    """`values` given to `run` are the notebook's parameters; tables are asked for by name."""

    def __init__(self, folder: Path, address: str, root: Path | None = None) -> None:
        self.project, self.root = folder / "project", root or folder / "lake"
        self.environ = {
            "LAKEHOUSE_PROJECT": str(self.project),
            "LAKEHOUSE_ROOT": str(self.root),
            "LAKEHOUSE_SPARK": address,
            "LAKEHOUSE_SESSION": _SESSION,
        }

    @property
    def settings(self) -> Settings:
        return settings_module.load(self.environ)

    def write(
        self,
        made: Mapping[str, Any],
        contracts: Mapping[str, Any],
        sources: str | None = None,
        files: Mapping[str, str] | None = None,
    ) -> None:
        """Writes notebooks, contracts, sources and other files; those of before stay."""
        notebooks.project(self.project, made, contracts, sources, files)

    def open(self, name: str, target: str = "lake", **values: Any) -> Lake:
        """The lake as the notebook `name` sees it after its first cells."""
        namespace: dict[str, Any] = dict(values)
        with self.running(target):
            exec(f"import lakehouse\nlake = lakehouse.open({name!r})", namespace)
        return namespace["lake"]

    def run(self, name: str, target: str = "lake", **values: Any) -> Result:
        """Runs all cells of a notebook here and returns what it knows of its run."""
        return self.names(name, target, **values)["lake"]._publisher.result

    def names(self, name: str, target: str = "lake", environ: Mapping[str, str] | None = None, **values: Any) -> dict[str, Any]:
        """As `run`; returns the names that the cells left."""
        spec = Project.load(self.project).notebook(name)
        namespace: dict[str, Any] = {}
        with self.running(target, **(environ or {})):
            for cell in spec.code_cells:
                exec(compile(cell.source, f"{spec.file}, cell {cell.number}", "exec"), namespace)
                if "parameters" in cell.tags:
                    namespace.update(values)
        return namespace

    def rehearse(self, asset: TableName, values: Mapping[str, Any], _: Settings, __: Path, environ: Mapping[str, str]) -> None:
        """Stands in for `runner.rehearse`, without a kernel."""
        self.names(asset.slashed, "sandbox", environ, **values)

    def land(self, table: str, *months: str) -> None:
        source = Project.load(self.project).sources[TableName.parse(table)]
        if isinstance(source, Stream):
            tables.open_root(self.root)
            landing.land(self.settings, source)
            return
        for key in months or (None,):
            raw.land(tables.open_root(self.root), source, key)

    def plan(self, *selection: str, months: tuple[str, ...] | None = None, force: bool = False) -> list[Step]:
        project = Project.load(self.project)
        return plans.plan(project, self.settings, project.select(selection or ["*"]), months, force)

    def bring_up_to_date(self) -> list[str]:
        """Does what the plan says, in its order; returns the assets."""
        steps = self.plan()
        for step in steps:
            if step.asset.layer == "raw":
                self.land(step.asset.dotted, *step.partitions)
            else:
                self.run(step.asset.slashed, **({"months": list(step.partitions)} if step.partitions else {}))
        return [step.asset.slashed for step in steps]

    def path(self, table: str) -> Path:
        return tables.lake_path(self.root, TableName.parse(table))

    def version(self, table: str) -> int | None:
        return deltalog.latest(self.path(table))

    def rows(self, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
        """The newest rows, sorted."""
        return self.rows_at(self.path(table), columns)

    def rows_at(self, path: Path, columns: str = "*") -> list[tuple[Any, ...]]:
        from lakehouse.spark.session import connect

        found = connect(self.settings, _SESSION).sql(f"select {columns} from delta.`{path}`").collect()
        return sorted((tuple(row) for row in found), key=str)

    @property
    def shell(self) -> dict[str, str]:
        """The environment of a user's shell in this project."""
        ours = {name: value for name, value in self.environ.items() if name != "LAKEHOUSE_SESSION"}
        return {**os.environ, **ours}

    def command(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """`lakehouse …` in a process of its own."""
        argv, env = [*COMMAND, *words], {**self.shell, **environ}
        return subprocess.run(argv, cwd=self.project, env=env, capture_output=True, text=True, check=False, timeout=300)

    @contextmanager
    def running(self, target: str = "lake", **environ: str) -> Iterator[None]:
        """The environment of a kernel, and the project's own modules where they would be found."""
        wanted = {**self.environ, "LAKEHOUSE_TARGET": target, "LAKEHOUSE_RUN_ID": record.new_run_id(), **environ}
        before = dict(os.environ)
        theirs = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "assets"}
        os.environ.update(wanted)
        sys.path.insert(0, str(self.project))
        try:
            yield
        finally:
            sys.path.remove(str(self.project))
            for name in [name for name in sys.modules if name.split(".")[0] == "assets"]:
                del sys.modules[name]
            sys.modules.update(theirs)
            os.environ.clear()
            os.environ.update(before)


@pytest.fixture(scope="session")
def spark_address(settings: Settings) -> str:
    """The suite's Spark server, as LAKEHOUSE_SPARK names one."""
    return server.ensure(settings).url


@pytest.fixture(scope="session")
def new_workspace(spark_address: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Workspace]:
    return lambda name: Workspace(tmp_path_factory.mktemp(name), spark_address)


@pytest.fixture
def workspace(new_workspace: Callable[[str], Workspace]) -> Workspace:
    return new_workspace("workspace")


@pytest.fixture(scope="session")
def warm_workspace(spark_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Workspace]]:
    """Makes workspaces in which tests start kernels. They share one lake, so each module names tables of its own."""
    first = Workspace(tmp_path_factory.mktemp("warm"), spark_address)
    first.write({}, {})
    tables.open_root(first.root)
    kernels.ensure(first.settings)
    yield lambda name: Workspace(tmp_path_factory.mktemp(name), spark_address, first.root)
    kernels.stop(first.settings)
