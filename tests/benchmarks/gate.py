"""`lakehouse bench gate`: what the gate costs. The whole graph as shipped, without profiles, and without any audit.

The product cannot publish unaudited rows, so the two others are run by a copy of this project, in which the module that
publishes has a line more. All use the same Spark server and fork process, in turn.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lakehouse import record, settings
from lakehouse.names import TableName
from lakehouse.project import Project
from tests.benchmarks import machine, report
from tests.benchmarks.timing import engine, middle, ratio, timed

HEADERS = ["the whole graph, all months", "rounds", "seconds", "from-to", "to unaudited", "audit s", "profile s", "publish s"]
# Every check says that it passed, as Dagster runs nothing below one that says nothing.
UNAUDITED = """
from lakehouse import gate, references
from lakehouse.scoring import parity

gate.audit = lambda frame, contract, partitions, judging="all": [gate._passed(one, contract) for one in checks_of.of(contract)]
references.audit = parity.audit = lambda *_: []
checks_of.profiled = lambda contract: None
"""
VARIANTS = {
    "unaudited": UNAUDITED,
    "audited, not profiled": "checks_of.profiled = lambda contract: None\n",
    "audited and profiled": "",
}
# Not `-m lakehouse`, which would set up the copy's own environment.
COMMAND = [sys.executable, "-c", "import sys; from lakehouse.cli import main; sys.exit(main())", "run"]
PHASES = ("auditing", "profiling", "publishing")
_COPIED = ("assets", "lakehouse", "notebooks", "pyproject.toml", "requirements.txt")


class Copy:
    """This project, somewhere else, with a module of ours that can be changed."""

    def __init__(self, now: settings.Settings, scratch: Path, only: Sequence[str]) -> None:
        self.scratch, self.path = scratch, scratch / "project"
        self.path.mkdir()
        for name in _COPIED:
            source = now.project / name
            if source.is_dir():
                shutil.copytree(source, self.path / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
            else:
                shutil.copy(source, self.path / name)
        self.now = now.model_copy(update={"project": self.path})
        self.project = Project.load(self.path)
        chosen = self.project.select([name if name.startswith(("+", "*")) else f"+{name}" for name in only])
        self.names = [asset.slashed for asset in chosen if asset in self.project.notebooks]
        self._module = self.path / "lakehouse" / "publish.py"
        self._shipped = self._module.read_text()

    def run(self, variant: str, *, force: bool = True) -> dict[str, float]:
        """Seconds of one run of everything, in all and by phase (summed up over notebooks, which run side by side)."""
        self._module.write_text(f"{self._shipped}\n\n{VARIANTS[variant]}" if VARIANTS[variant] else self._shipped)
        words = ["--force", *self.names] if force else [f"+{name}" for name in self.names]
        environ = {**os.environ, "LAKEHOUSE_PROJECT": str(self.path), "LAKEHOUSE_ROOT": str(self.now.root)}
        log = self.scratch / "run.log"
        done = timed([*COMMAND, *words], log, environ=environ, cwd=self.path, beside=engine(self.now))
        runs = [record.latest(self.now.root, TableName.parse(name)) for name in self.names]
        spent = {phase: sum(run.timings.get(phase, 0.0) for run in runs if run) for phase in PHASES}
        return {"seconds": done.seconds, **spent}


def run(now: settings.Settings, scratch: Path, rounds: int, only: Sequence[str]) -> None:
    """Measures, prints, saves. Raises BenchmarkFailed, UnknownName."""
    copy = Copy(now, scratch, only)
    print(f"{len(copy.names)} notebooks; the first run is not counted", flush=True)
    copy.run("audited and profiled", force=False)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in VARIANTS}
    for number in range(rounds):
        order = list(VARIANTS) if number % 2 == 0 else list(VARIANTS)[::-1]
        for name in order:
            found[name].append(copy.run(name))
            print(f"round {number + 1}: {name}: {json.dumps({key: round(s, 1) for key, s in found[name][-1].items()})}", flush=True)
    tell(now, found, whole=len(copy.names) == len(copy.project.notebooks), names=copy.names)


def tell(now: settings.Settings, found: dict[str, list[dict[str, float]]], *, whole: bool, names: Sequence[str]) -> None:
    here = machine.describe()
    rows, caption = table(found), machine.in_words(here)
    report.show("the gate's cost", HEADERS, rows, caption)
    measured: dict[str, Any] = {"machine": here, "notebooks": list(names), "variants": found}
    print("saved:", report.save("gate", measured, whole=whole))
    body = f"{report.markdown(HEADERS, rows)}\n\n{caption}."
    if not whole or not report.put(now.project / "README.md", "gate", body):
        print(body)


def table(found: dict[str, list[dict[str, float]]]) -> list[list[str]]:
    """One row a variant, as in HEADERS."""
    middles = {name: middle([each["seconds"] for each in each_run]) for name, each_run in found.items()}
    rows = []
    for name, each_run in found.items():
        seconds = [each["seconds"] for each in each_run]
        phases = [report.seconds(middle([each[phase] for each in each_run])) for phase in PHASES]
        span = f"{min(seconds):.0f}-{max(seconds):.0f}" if seconds else ""
        times = report.times(ratio(middles[name], middles["unaudited"]))
        rows.append([name, str(len(seconds)), report.seconds(middles[name]), span, times, *phases])
    return rows
