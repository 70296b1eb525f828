"""What a stream landed is a table like others: pinned, planned, traced, verified, kept; and raw: never changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse import holds, trace, vacuum, verify, why
from lakehouse.contracts import draft
from lakehouse.errors import UnknownName
from lakehouse.lineage import Node
from lakehouse.names import TableName
from lakehouse.project import Project
from lakehouse.quarantine import origin
from lakehouse.quarantine.look import Row
from lakehouse.raw import RawFile
from lakehouse.restore import restore
from lakehouse.streams.landing import Landed, land
from lakehouse.trace import Branch
from tests.notebooks import contract, copies
from tests.workspace import Workspace

SOURCES = """
    from lakehouse import Stream

    words = Stream("raw.words", inbox="inbox", description="Words as they come.")
"""
RAW, BRONZE = TableName("raw", "words"), TableName("bronze", "words")
COLUMNS = {"value": "string", "_source_file": "string", "_delivery": "bigint", "_received_at": "timestamp"}


def put(place: Workspace, name: str, text: str) -> None:
    (place.project / "inbox").mkdir(exist_ok=True)
    (place.project / "inbox" / name).write_text(text)


def landed(place: Workspace) -> Landed:
    from lakehouse.source import Stream

    stream = Project.load(place.project).sources[RAW]
    assert isinstance(stream, Stream)
    return land(place.settings, stream)


def planned(place: Workspace, *selection: str, asked: set[TableName] = frozenset()) -> dict[str, tuple[str, ...]]:
    from lakehouse import plan

    project = Project.load(place.project)
    steps = plan.plan(project, place.settings, project.select(selection or ["*"]), asked=asked)
    return {step.asset.slashed: step.reasons for step in steps}


@pytest.fixture(scope="module")
def place(new_workspace: Callable[[str], Workspace]) -> Workspace:
    """raw.words with versions 0 (one.txt) and 1 (two.txt and three.txt), bronze.words made of each."""
    made = new_workspace("streamed")
    made.write({"bronze/words": copies("raw.words", "bronze.words")}, {"bronze.words": contract("bronze.words", COLUMNS)}, SOURCES)
    before = planned(made)
    put(made, "one.txt", "a\nb\n")
    assert landed(made).rows == 2
    made.run("bronze/words")
    put(made, "two.txt", "c\n")
    put(made, "three.txt", "d\n")
    assert landed(made).rows == 2
    assert before == {"raw/words": ("not landed yet",), "bronze/words": ("never built",)}
    assert planned(made) == {"bronze/words": ("raw.words changed",)}
    made.run("bronze/words")
    assert planned(made) == {}
    return made


def test_a_landed_stream_is_stale_only_where_it_is_asked_for(place: Workspace) -> None:
    project = Project.load(place.project)
    assert project.streams(["raw/words"]) == project.streams(["+raw.words+"]) == {RAW}
    assert project.streams(["*"]) == project.streams(["raw/*"]) == project.streams(["+bronze/words"]) == set()
    assert planned(place, "raw/words", asked={RAW}) == {"raw/words": ("asked for: what came since lands",)}


def test_a_run_reads_the_version_that_it_pinned(place: Workspace) -> None:
    lake = place.open("bronze/words")
    assert lake._publisher.result.inputs["raw.words"] == {"version": 1, "seen": {"*": 1}}
    assert sorted(row[0] for row in lake.read("raw.words").select("value").collect()) == ["a", "b", "c", "d"]


def files(branches: tuple[Branch, ...]) -> list[str]:
    found = []
    for branch in branches:
        found += [branch.what.filename] if isinstance(branch.what, RawFile) else files(branch.branches)
    return sorted(found)


@pytest.mark.parametrize(
    ("where", "names"),
    [pytest.param("value = 'b'", ["one.txt"], id="row"), pytest.param(None, ["one.txt", "three.txt", "two.txt"], id="table")],
)
def test_rows_are_traced_back_to_their_file(place: Workspace, where: str | None, names: list[str]) -> None:
    (rows,) = trace.back(Project.load(place.project), place.settings, BRONZE, where)
    assert files(rows.back) == names


def test_a_file_is_traced_forward_to_the_versions_that_have_it(place: Workspace) -> None:
    (branch,) = trace.forward(Project.load(place.project), place.settings, RAW, "two.txt")
    (table,) = branch.branches
    assert table.what == Node(RAW, 1) and table.made is not None and table.made.asset == RAW
    assert [one.what for one in table.branches] == [Node(BRONZE, 1)]


def test_why_tells_of_the_landing(place: Workspace) -> None:
    project = Project.load(place.project)
    (raw_story,) = why.explain(project, place.settings, RAW)
    assert [str(told.reason) for told in raw_story.because] == ["landed"]
    assert [mover.what for mover in raw_story.because[0].movers] == ["raw.words version 1 (STREAMING UPDATE)"]
    (story,) = why.explain(project, place.settings, BRONZE)
    assert [mover.what for mover in story.because[0].movers] == ["raw.words version 1 (STREAMING UPDATE)"]


def test_files_and_versions_are_verified_and_kept(place: Workspace) -> None:
    found = verify.verify(place.settings)
    assert (found.troubles, found.raw_files) == ([], 3)
    held = {(hold.table, hold.version, hold.kind) for hold in holds.holds(place.settings, timedelta())}
    assert {(RAW, 0, "run"), (RAW, 1, "run"), (RAW, 1, "stands")} <= held
    (sweep,) = vacuum.vacuum(place.settings, RAW, timedelta(), dry_run=True)
    assert (sweep.files, sweep.lost, sweep.broken) == ({}, [], [])


def test_raw_is_never_put_back(place: Workspace) -> None:
    with pytest.raises(UnknownName, match=r"raw\.words cannot be restored\nWhat is raw is never changed"):
        restore(Project.load(place.project), place.settings, RAW, 0)


def test_a_row_in_quarantine_is_told_with_its_file(place: Workspace) -> None:
    said = dict.fromkeys(("id", "check_name", "reason", "run_id", "state", "state_said"), "")
    row = Row(
        table_name="bronze.words", partition_key="*", raw_file="words/two.txt", sha256=None, line=None, row_text="{}",
        noted_at=datetime.now(UTC), **said,
    )  # fmt: skip
    found = origin.find(place.root, Project.load(place.project), row)
    assert found is not None and found.file.filename == "two.txt"


def test_a_contract_is_drafted_of_what_landed(place: Workspace) -> None:
    text = draft.draft(place.settings, RAW)
    assert "table: bronze.words\n" in text and "_delivery: {type: bigint" in text


def test_a_data_file_that_is_gone_is_told_with_what_to_do(place: Workspace, tmp_path: Path) -> None:
    import shutil

    from lakehouse.doctor import datafiles

    root = Path(shutil.copytree(place.root, tmp_path / "lake"))
    damaged = Workspace(place.project.parent, place.environ["LAKEHOUSE_SPARK"], root)
    next(damaged.path("raw.words").glob("*.parquet")).unlink()
    for found in (verify.verify(damaged.settings).troubles[-1], next(iter(datafiles.look(damaged.settings, False)))):
        assert "land all anew: move " in found.todo and "streams/words" in found.todo
