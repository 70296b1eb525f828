from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse.project import Project
from lakehouse.settings import Settings
from lakehouse.spark import java, launch
from tests.benchmarks import grown_project, memory, stock_notebooks, tuning
from tests.benchmarks.variants import SHIPPED, Variant
from tests.workspace import COMMAND

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The shipped server's command line."""
    folder = tmp_path_factory.mktemp("variants")
    now = Settings(project=folder, root=folder / "lake", cache=folder / "cache")
    return launch.command(now, java.find(), "delta.jar", 15002, folder / "work")


def test_the_shipped_server_stays_as_it_is(command: list[str]) -> None:
    assert SHIPPED.applied(command) == command


def test_a_variant_replaces_a_setting_and_keeps_the_rest(command: list[str]) -> None:
    changed = Variant("a", "b", {"spark.sql.shuffle.partitions": 200}).applied(command)
    assert [word for word in changed if "shuffle.partitions" in word] == ["-Dspark.sql.shuffle.partitions=200"]
    assert changed[0] == command[0] and changed[-3:] == command[-3:]
    assert len(changed) == len(command)


@pytest.mark.parametrize(
    "variant",
    {id(v): v for v in (*tuning.GRAPH, *tuning.SMALL_WRITES, *tuning.START, *tuning.ARROW)}.values(),
    ids=lambda variant: f"{variant.group} {variant.name}",
)
def test_each_variant_changes_something(command: list[str], variant: Variant) -> None:
    """What a variant would take away is really on the shipped server's command line, what it sets is not yet."""
    assert variant.applied(command) != command
    for beginning in variant.without[:1]:
        assert any(word.startswith(beginning) for word in command) or "Shared" in beginning


def test_only_bounds_on_what_grows_are_scaled() -> None:
    def between(kind: str, **kwargs: object) -> dict:
        return {"type": f"expect_{kind}_to_be_between", "kwargs": kwargs}

    contract = {
        "table": "gold.x",
        "expectations": [
            between("table_row_count", min_value=10, max_value=250),
            between("column_values", column="flights", min_value=1, max_value=2000),
            between("column_values", column="late_share", min_value=0, max_value=1),
            between("column_unique_value_count", column="score", min_value=1000),
        ],
    }
    scaled = grown_project.scaled(contract, 10)
    assert [each["kwargs"].get("max_value") for each in scaled["expectations"]] == [2500, 20000, 1, None]
    assert [each["kwargs"]["min_value"] for each in scaled["expectations"]] == [10, 1, 0, 1000]
    assert contract["expectations"][0]["kwargs"]["max_value"] == 250


COUNT = """
from pathlib import Path
from lakehouse.project import Project
sources = {name.dotted: source for name, source in Project.load(Path.cwd()).sources.items()}
(planes,) = sources["raw.planes"].fetch(None)
for flights in sources["raw.flights"].fetch("2013-02"):
    print(planes.content.count(b"\\n"), flights.content.read_bytes().count(b"\\n"), sorted(sources))
print([file.name for file in Path("assets").glob("*.csv")])
"""


def test_a_grown_project_is_sound_and_delivers_more(tmp_path: Path) -> None:
    grown = grown_project.generate(PROJECT, tmp_path / "grown", 3)
    environ = {**os.environ, "LAKEHOUSE_PROJECT": str(grown)}

    def said(*argv: str) -> str:
        done = subprocess.run([sys.executable, *argv], cwd=grown, env=environ, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    assert said(*COMMAND[1:], "check").endswith(" notebooks, no findings.\n")
    tables = sorted(name.dotted for name in Project.load(PROJECT).sources)
    assert said("-c", COUNT) == f"{3 * 3322 + 1} {3 * 24951 + 1} {tables}\n[]\n"


@pytest.mark.parametrize("dagstermill", [False, True])
def test_stock_notebooks_keep_their_cells_but_for_the_lake(dagstermill: bool) -> None:
    for spec in Project.load(PROJECT).notebooks.values():
        notebook = json.loads(spec.path.read_text())
        made = stock_notebooks.stock(notebook, spec, "SESSION", dagstermill=dagstermill)
        before = ["".join(cell["source"]) for cell in notebook["cells"]]
        after = [cell["source"] for cell in made["cells"]]
        assert after.count("SESSION") == 1
        assert not any("lakehouse.open" in source or "import lakehouse\n" in source for source in after)
        assert len(after) == len(before) + dagstermill
        kept = [source for source in before if "lakehouse" not in source and "list[month]" not in source]
        assert set(kept) <= set(after), spec.file
        tagged = [cell["source"] for cell in made["cells"] if "parameters" in cell["metadata"].get("tags", [])]
        assert len(tagged) == 1 and ("get_context" in tagged[0]) == dagstermill


@pytest.mark.parametrize(
    ("words", "is_root", "parent_role", "expected"),
    [
        pytest.param(["/x/bin/java", "-Xmx4g"], True, None, memory.JAVA, id="server"),
        pytest.param(["python", "-m", "lakehouse.kernels.forkserver", "/lake"], True, None, memory.FORK, id="fork process"),
        pytest.param(["python", "-m", "lakehouse.kernels.forkserver", "/lake"], False, None, memory.KERNEL, id="forked kernel"),
        pytest.param(["python", "-m", "ipykernel_launcher", "-f", "x"], False, None, memory.KERNEL, id="ordinary kernel"),
        pytest.param(["python", "-m", "lakehouse", "run"], True, None, memory.COMMAND, id="command"),
        pytest.param(["python", "-m", "lakehouse", "run"], False, None, memory.STEP, id="forked step"),
        pytest.param(["python", "-c", "from multiprocessing"], False, memory.STEP, memory.STEP, id="below a step"),
        pytest.param(["git", "status"], False, None, memory.OTHER, id="anything else"),
    ],
)
def test_roles_of_processes(words: list[str], is_root: bool, parent_role: str | None, expected: str) -> None:
    assert memory.role(words, 7, is_root, {7: parent_role} if parent_role else {}) == expected


def test_memory_of_a_process_and_what_it_starts_is_seen() -> None:
    inner = "b = bytearray(150 << 20); import time; time.sleep(1.5)"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    process = subprocess.Popen([sys.executable, "-c", outer])
    with memory.Watch(lambda: [process.pid], every=0.05) as watch:
        process.wait()
    assert 150 << 20 < watch.peak.total < 400 << 20
    assert set(watch.peak.by_role) == {memory.COMMAND, memory.OTHER}
