"""A lake whose files are broken all at once, and what a user then sees: words, a repair, and a lake that runs again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from lakehouse import deltalog, kernels, record
from lakehouse.names import TableName
from lakehouse.record import RunRecord
from tests.notebooks import copies, notebook
from tests.small_lake import cut
from tests.workspace import Workspace

SOURCES = """
    from lakehouse.source import Delivery, Source

    words = Source("raw.words", lambda partition: [Delivery("words.csv", b"id\\n1\\n2\\n")], options={"header": "true"})
"""
BRONZE = notebook(
    "bronze/words", 'df = lake.read("raw.words").selectExpr("cast(id as bigint) as id")', 'lake.write(df, "bronze.words")'
)


@pytest.fixture(scope="module")
def place(new_workspace: Callable[[str], Workspace]) -> Iterator[Workspace]:
    made = new_workspace("whole")
    made.write(
        {"bronze/words": BRONZE, "silver/words": copies("bronze.words", "silver.words")}, ["bronze.words", "silver.words"], SOURCES
    )
    yield made
    kernels.stop(made.settings)


@pytest.mark.slow
def test_a_lake_runs_again_after_a_repair_with_equal_content(place: Workspace) -> None:
    first = place.command("run")
    assert first.returncode == 0, first.stdout + first.stderr
    rows = place.rows("silver.words")
    commit = deltalog.commit_path(place.path("silver.words"), 0)
    kept = record.latest(place.root, TableName("silver", "words"))
    assert kept is not None
    folder = record.folder(place.root, TableName("silver", "words"), kept.run_id)
    runs = place.root / "dagster" / "history" / "runs.db"
    torn = (commit, folder / record.RECORD, place.root / "raw" / "words" / "_manifest" / "00000001.json", runs)
    for path in torn:
        cut(path)

    for words in (("run",), ("run", "--dry-run"), ("sql", "select * from silver.words")):
        refused = place.command(*words)
        assert refused.returncode == 2 and "Traceback" not in refused.stderr, refused.stderr
        assert "lakehouse doctor" in refused.stderr
    seen = place.command("doctor", "--json")
    assert seen.returncode == 1 and all(str(path) in seen.stdout for path in torn)
    place.command("doctor", "--repair")
    left = place.command("doctor")
    assert not any(path.name in left.stdout for path in torn), left.stdout

    assert "Nothing to do" in place.command("run").stdout
    again = place.command("run", "--force")
    assert again.returncode == 0, again.stdout + again.stderr
    assert (place.rows("silver.words"), place.version("silver.words")) == (rows, 1)
    restored = RunRecord.read(folder)
    assert (restored.status, restored.writes, restored.checks) == ("succeeded", kept.writes, kept.checks)
    assert place.command("verify").returncode == 0
