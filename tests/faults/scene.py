"""The project that the faults happen to: two notebooks, three small tables, a Spark server and kernels of its own.

    bronze/things ─▶ silver/things ─▶ silver.totals (published first), silver.things

What a run computes is told by a file beside the project's code (`Control`), so that the same notebook can be told
to wait at a moment whoever runs it: the command line, Dagster's step or a run that the daemon started. The notebook
says how far it is by making a file; what happens inside `lake.write` is seen from the lake's own files.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lakehouse import deltalog, record, services
from lakehouse.names import TableName
from lakehouse.record import RunRecord
from tests.notebooks import MONTHS, contract, notebook
from tests.workspace import PARAMETERS, Workspace

ASSET = TableName("silver", "things")
TABLES = ("bronze.things", "silver.totals", "silver.things")
ROWS = 40
"""Rows of each month in bronze.things and silver.things."""
COMMAND = [sys.executable, "-c", "import sys; from lakehouse.__main__ import command; sys.exit(command())"]
"""`lakehouse`, without looking after its environment first."""

SIGNALS = """
    import json, os, time
    from pathlib import Path

    HERE = Path(__file__).parent


    def control():
        return json.loads((HERE / "control.json").read_text())


    def reach(moment):
        stage = Path(control()["stage"])
        draft = stage / f".{moment}.{os.getpid()}"
        draft.write_text(json.dumps({"pid": os.getpid(), "session": os.environ["LAKEHOUSE_SESSION"]}))
        draft.replace(stage / moment)
        while (stage / f"{moment} hold").exists():
            time.sleep(0.01)


    def value():
        now = control()
        if not now["seconds"]:
            return f"value * {now['factor']} as value"
        sleep = f"java_method('java.lang.Thread', 'sleep', cast({now['seconds'] * 1000} as bigint) + id * 0)"
        return f"if(id = 0 and {sleep} = 'x', 0D, value * {now['factor']}) as value"
"""

MADE = """
made = [(key, number, number * 1.5) for key in months for number in range(ROWS)]
df = lake.spark.createDataFrame(made, "month string, id bigint, value double")
lake.write(df, "bronze.things")
""".replace("ROWS", str(ROWS))

READING = """
signals.reach("before reading")
things = lake.read("bronze.things")
"""
COMPUTING = """
from pyspark.sql import functions as F

signals.reach("while computing")
df = things.selectExpr("month", "id", signals.value(), f"'{lake.run_id}' as made_by").repartition(1)
totals = df.groupBy("month").agg(F.count("*").alias("things"), F.sum("value").alias("value"), F.max("made_by").alias("made_by"))
"""
WRITING = """
lake.write(totals, "silver.totals")
lake.write(df, "silver.things")
"""
WRITTEN = 'signals.reach("written")'

_NOT_NULL = {"type": "string", "nullable": False}
_POSITIVE = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "value", "min_value": 0, "max_value": 1e9}}


@dataclass(frozen=True)
class Control:
    """`factor` decides the content of what is written, `seconds` how long Spark computes; signals go to `stage`."""

    stage: str
    factor: int = 1
    seconds: int = 0


class Scene(Workspace):
    """A workspace whose engine is its own to be broken."""

    def __init__(self, folder: Path, root: Path | None = None) -> None:
        super().__init__(folder, "", root)
        del self.environ["LAKEHOUSE_SESSION"]
        self.environ |= {"LAKEHOUSE_SPARK_MEMORY": "768m", "LAKEHOUSE_CACHE": os.environ["LAKEHOUSE_CACHE"]}
        self.stage = folder / "stage"
        self.stage.mkdir(exist_ok=True)
        self.sessions: dict[str, int] = {}
        self._started: list[subprocess.Popen[str]] = []
        self._write_project()
        self.control()

    def _write_project(self) -> None:
        made = notebook("bronze/things", MADE, parameters=PARAMETERS, imports="from lakehouse import month")
        imports = "from assets.transforms import signals\nfrom lakehouse import month"
        cells = [READING, COMPUTING, WRITING, WRITTEN]
        things = notebook("silver/things", *cells, parameters=PARAMETERS, imports=imports)
        columns: dict[str, Any] = {"month": _NOT_NULL, "id": {"type": "bigint", "nullable": False}, "value": "double"}
        promised: dict[str, Any] = {"partitions": MONTHS, "expectations": [{**_POSITIVE, "severity": "error"}]}
        totals = {"month": _NOT_NULL, "things": "bigint", "value": "double", "made_by": "string"}
        contracts = {
            "bronze.things": contract("bronze.things", columns, key=["id", "month"], **promised),
            "silver.things": contract("silver.things", {**columns, "made_by": "string"}, key=["id", "month"], **promised),
            "silver.totals": contract("silver.totals", totals, key=["month"], **promised),
        }
        code = {"assets/__init__.py": "", "assets/transforms/__init__.py": "", "assets/transforms/signals.py": SIGNALS}
        dagster = {
            "assets/definitions.py": """
                from lakehouse.orchestration.definitions import build_definitions
                from lakehouse import settings

                now = settings.load()
                defs = build_definitions(now.project, now)
            """,
            "workspace.yaml": """
                load_from:
                  - python_module: {module_name: assets.definitions, location_name: lakehouse, working_directory: .}
            """,
        }
        self.write({"bronze/things": made, "silver/things": things}, contracts, "", {**code, **dagster})

    def control(self, factor: int = 1, seconds: int = 0, hold: str = "") -> None:
        """What the next run computes, and at which of the notebook's signals it waits."""
        self.note_session()
        for path in self.stage.iterdir():
            path.unlink()
        if hold:
            (self.stage / f"{hold} hold").touch()
        where = self.project / "assets" / "transforms" / "control.json"
        draft = where.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(Control(str(self.stage), factor, seconds))))
        draft.replace(where)

    def signal(self, moment: str) -> dict[str, Any] | None:
        """The kernel (`pid`) and its Spark `session`, once a run has reached `moment`."""
        try:
            return json.loads((self.stage / moment).read_text())
        except FileNotFoundError:
            return None

    def note_session(self) -> None:
        """Keeps in `sessions` the Spark session of a run that has come to compute, with its server's process id."""
        told, spark = self.signal("while computing"), services.read(self.settings, "spark")
        if told and spark:
            self.sessions.setdefault(told["session"], spark.pid)

    def release(self, moment: str) -> None:
        (self.stage / f"{moment} hold").unlink(missing_ok=True)

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """`lakehouse …` in a session of its own, its words kept in files (a pipe would be held by what outlives it)."""
        environ = {**self.shell, **options.pop("environ", {})}
        out = (self.stage.parent / "out.txt").open("a+")
        pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": out, "text": True}
        with out:
            argv = [*COMMAND, *words]
            made = subprocess.Popen(argv, cwd=self.project, env=environ, start_new_session=True, **pipes, **options)
        self._started.append(made)
        return made

    def end_started(self) -> None:
        """Kills the commands that still run: a test has failed in their middle."""
        for process in self._started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def python(self, code: str) -> subprocess.Popen[str]:
        """Python code in a process of the scene's, its words thrown away."""
        null: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        argv = [sys.executable, "-c", code]
        return subprocess.Popen(argv, cwd=self.project, env=self.shell, text=True, start_new_session=True, **null)

    def said(self) -> str:
        """All that the commands started so far have said."""
        path = self.stage.parent / "out.txt"
        return path.read_text() if path.exists() else ""

    def last(self) -> RunRecord | None:
        return record.latest(self.root, ASSET)

    def run_folders(self) -> list[Path]:
        where = record.runs_of(self.root, ASSET)
        return sorted(where.iterdir()) if where.is_dir() else []

    def versions(self) -> dict[str, int]:
        """Each table's newest version, -1 where there is none."""
        found = {table: deltalog.latest(self.path(table)) for table in TABLES}
        return {table: -1 if version is None else version for table, version in found.items()}


def eventually(condition: Callable[[], Any], seconds: float = 20, every: float = 0.05) -> Any:
    """What `condition` gives once that is true, or its last word after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(every)
    return found


def end(process: subprocess.Popen[str], seconds: float = 120) -> int:
    """The exit code of a command; what does not end within `seconds` is killed and fails the test."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
        raise AssertionError(f"the command did not end within {seconds:.0f} s") from None
