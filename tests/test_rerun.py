"""Reruns change nothing: killed at each named point of a write, twice, in another order, or two at once."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from lakehouse import record, runner
from lakehouse.errors import KernelDied
from lakehouse.names import TableName
from lakehouse.project import Project
from lakehouse.spark.content import content
from lakehouse.spark.session import connect
from tests.notebooks import MONTHS, contract, notebook
from tests.workspace import COMMAND, IMPORTS, PARAMETERS, VALUES, Workspace

ASSET = TableName("silver", "rerun")
MONTHS_ALL = ["2013-01", "2013-02", "2013-03"]
MADE = """
made = [(key, number, number / 7) for key in months for number in range(50)]
df = lake.spark.createDataFrame(made, "month string, id bigint, value double").repartition(3)
means = df.groupBy("month").agg({"value": "avg", "id": "count"}).toDF("month", "value", "id")
"""
DYING = """
    import os
    import signal

    from lakehouse import gate, publish

    POINTS = {
        "before computing": (publish.Publisher, "_compute"),
        "computed": (gate, "audit"),
        "audited": (publish.Publisher, "_publish"),
        "published": (publish.Publisher, "_note_write"),
    }

    def die(*_, **__):
        os.kill(os.getpid(), signal.SIGKILL)

    def at(point):
        if point in POINTS:
            setattr(*POINTS[point], die)
"""
POINTS = {"before computing": 0, "computed": 0, "audited": 0, "published": 1, "recorded": 1}
"""At which point of the write the kernel dies, and whether the first table has been published by then."""


@pytest.fixture(scope="module")
def place(warm_workspace: Callable[[str], Workspace]) -> Workspace:
    """Two tables of one notebook, all months built once; `die` says where its kernel is killed."""
    made = warm_workspace("rerun")
    cells = [
        "at(die)", MADE, 'lake.write(means, "silver.rerun_means")', 'lake.write(df, "silver.rerun")',
        'if die == "recorded":\n    import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)',
    ]  # fmt: skip
    imports = f"{IMPORTS}\nfrom assets.transforms.dying import at"
    rounded = {**VALUES, "value": {"type": "double", "round": 9}}
    made.write(
        {"silver/rerun": notebook("silver/rerun", *cells, parameters=f'{PARAMETERS}\ndie: str = ""  # where', imports=imports)},
        {name: contract(name, rounded, partitions=MONTHS) for name in ("silver.rerun", "silver.rerun_means")},
        files={"assets/__init__.py": "", "assets/transforms/__init__.py": "", "assets/transforms/dying.py": DYING},
    )
    run(made, MONTHS_ALL)
    return made


@pytest.fixture(scope="module")
def clean(place: Workspace) -> dict[str, dict[str, tuple[int, str]]]:
    return contents(place)


def run(place: Workspace, months: list[str], die: str = "") -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in place.shell.items():
            patch.setenv(name, value)
        runner.run(ASSET, {"months": months, "die": die}, place.settings)


def contents(place: Workspace) -> dict[str, dict[str, tuple[int, str]]]:
    """Rows and hash of each partition of both tables, rounded as their contracts say."""
    contracts = Project.load(place.project).contracts
    spark = connect(place.settings, place.environ["LAKEHOUSE_SESSION"])
    read = {table: spark.read.format("delta").load(str(place.path(table.dotted))) for table in contracts}
    return {table.dotted: content(frame, contracts[table]) for table, frame in read.items()}


@pytest.mark.slow
@pytest.mark.parametrize(("point", "published"), POINTS.items(), ids=list(POINTS))
def test_killed_at_a_point_of_a_write_the_rerun_leaves_the_same(
    place: Workspace, clean: dict[str, dict[str, tuple[int, str]]], point: str, published: int
) -> None:
    before = {table: place.version(table) or 0 for table in clean}
    with pytest.raises(KernelDied):
        run(place, ["2013-02"], point)
    moved = {table: (place.version(table) or 0) - version for table, version in before.items()}
    assert moved == {"silver.rerun_means": published, "silver.rerun": int(point == "recorded")}
    ended = record.latest(place.root, ASSET)
    assert ended is not None and ended.status == "failed"
    run(place, ["2013-02"])
    assert contents(place) == clean


@pytest.mark.slow
def test_segments_run_twice_in_another_order_and_at_once_leave_the_same(
    place: Workspace, clean: dict[str, dict[str, tuple[int, str]]]
) -> None:
    run(place, ["2013-03", "2013-01"])
    words = ["notebook", "run", "silver/rerun", "-p"]
    both = [
        subprocess.Popen([*COMMAND, *words, f"months={months}"], cwd=place.project, env=place.shell, stdout=subprocess.DEVNULL)
        for months in ("2013-01,2013-02", "2013-02,2013-03")
    ]
    assert [process.wait(120) for process in both] == [0, 0]
    assert contents(place) == clean
