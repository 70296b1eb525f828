"""A small lake of two tables, built once; each test breaks a copy of its own. And how files are broken, on purpose."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lakehouse import doctor
from lakehouse.doctor import Found
from tests.notebooks import MONTHS, contract, notebook
from tests.workspace import VALUES, Workspace, monthly

THINGS = (
    'keys = ", ".join(repr(str(key)) for key in months)',
    'df = lake.spark.sql(f"select m as month, id, id * 2d as value from range(5) lateral view explode(array({keys})) t as m")',
    'lake.write(df, "silver.things")',
)
SUMS = ('df = lake.sql("select count(*) as id from silver.things")', 'lake.write(df, "gold.sums")')


@pytest.fixture(scope="session")
def built_lake(new_workspace: Callable[[str], Workspace]) -> Workspace:
    """silver.things with versions 0 (three months) and 1 (February again), gold.sums with 0 and 1."""
    made = new_workspace("doctor")
    made.write(
        {"silver/things": monthly("silver/things", *THINGS), "gold/sums": notebook("gold/sums", *SUMS)},
        {"silver.things": contract("silver.things", VALUES, partitions=MONTHS), "gold.sums": contract("gold.sums")},
    )
    made.run("silver/things", months=["2013-01", "2013-02", "2013-03"])
    made.run("gold/sums")
    made.run("silver/things", months=["2013-02"])
    made.run("gold/sums")
    assert made.plan() == []
    return made


@pytest.fixture
def small_lake(built_lake: Workspace, tmp_path: Path) -> Iterator[Workspace]:
    """A copy of that lake, which the server has not read yet."""
    root = Path(shutil.copytree(built_lake.root, tmp_path / "lake"))
    yield Workspace(built_lake.project.parent, built_lake.environ["LAKEHOUSE_SPARK"], root)


def examined(place: Workspace, *names: str, deep: bool = False) -> list[Found]:
    return list(doctor.examine(place.settings, deep, names=names))


def healed(place: Workspace, deep: bool = False) -> tuple[list[str], list[Found]]:
    """What was done to the lake's own files, and what is left."""
    own = ("stamp", "raw manifests", "tables' logs", "tables' files", "runs", "leftovers", "dagster and mlflow")
    found = list(doctor.heal(place.settings, deep, names=own))
    return [one.done for one in found if one.done], [one for one in found if not one.done]


def cut(path: Path, keep: float = 0.5) -> None:
    """Cuts a file off, as a full disk or a lost block does."""
    content = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(content[: int(len(content) * keep)])


def flip(path: Path, position: float = 0.5) -> None:
    """Changes one bit."""
    content = bytearray(path.read_bytes())
    content[int(len(content) * position)] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
