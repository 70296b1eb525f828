"""Continuous mode, on real kernels: what fails is told, and stops nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lakehouse.errors import SparkLost
from lakehouse.names import TableName
from lakehouse.project import Project
from lakehouse.streams import rounds
from lakehouse.streams.landing import Landed, Lander
from lakehouse.streams.rounds import Round, Rounds
from tests.notebooks import contract, copies, notebook
from tests.workspace import Workspace

SOURCES = """
    from lakehouse import Stream

    letters = Stream("raw.spelt", inbox="inbox")
"""
RAW, BRONZE, SILVER = (TableName(layer, "spelt") for layer in ("raw", "bronze", "silver"))
NOTEBOOKS = {
    "bronze/spelt": notebook(
        "bronze/spelt",
        'df = lake.read("raw.spelt").selectExpr("try_cast(value as bigint) as id")',
        'lake.write(df, "bronze.spelt")',
    ),
    "silver/spelt": copies("bronze.spelt", "silver.spelt"),
}


@pytest.fixture(scope="module")
def place(warm_workspace: Callable[[str], Workspace]) -> Workspace:
    """raw.spelt → bronze.spelt, whose key is a number → silver.spelt"""
    made = warm_workspace("spelt")
    made.write(NOTEBOOKS, {name: contract(name) for name in ("bronze.spelt", "silver.spelt")}, SOURCES)
    (made.project / "inbox").mkdir()
    return made


def run(place: Workspace, *texts: str, land_only: bool = False) -> list[Round]:
    """A round for each text, a file of which has come by then (none for an empty one)."""
    streams = list(Project.load(place.project).sources.values())
    done: list[Round] = []

    def put() -> bool:
        text = texts[len(done)] if len(done) < len(texts) else ""
        if text:
            (place.project / "inbox" / f"{len(list((place.root / 'raw').rglob('*.txt')))}.txt").write_text(text)
        return len(done) == len(texts)

    for made in Rounds(place.settings, streams, 0.0, land_only=land_only).run(put):  # type: ignore[arg-type]
        done.append(made)
    return done


def test_what_comes_is_landed_and_brought_down(place: Workspace) -> None:
    with place.running():
        first, idle, second = run(place, "1\n2\n", "", "3\n")
    assert list(first.ran) == list(second.ran) == [BRONZE, SILVER]
    assert [first.rows, idle.rows, second.rows] == [2, 0, 1]
    assert idle.idle and not first.failed and not second.failed
    assert first.newest is not None and first.oldest is not None and 0 < first.newest <= first.oldest < 120
    assert place.rows("silver.spelt") == [(1,), (2,), (3,)]


def test_a_bad_batch_is_told_once_and_does_not_stop_the_landing(place: Workspace) -> None:
    before = place.version("bronze.spelt")
    with place.running():
        bad, idle, more = run(place, "four\n", "", "5\n")
    assert list(bad.failed) == [BRONZE] and "not_null_id" in bad.failed[BRONZE]
    assert idle.idle, "it is not tried again before anything has moved"
    assert list(more.failed) == [BRONZE]
    assert (bad.rows, more.rows, place.version("bronze.spelt")) == (1, 1, before)


def test_notebooks_may_be_left_to_others(place: Workspace) -> None:
    with place.running():
        (only,) = run(place, "6\n", land_only=True)
    assert (only.rows, only.ran, only.failed) == (1, {}, {})


def test_a_plan_that_cannot_be_told_does_not_stop_the_landing(place: Workspace) -> None:
    streams = list(Project.load(place.project).sources.values())
    place.write({}, {}, "raise ValueError('half an edit')")
    try:
        (place.project / "inbox" / "late.txt").write_text("7\n")
        with place.running():
            made = next(Rounds(place.settings, streams, 0.0).run(lambda: False))  # type: ignore[arg-type]
    finally:
        place.write({}, {}, SOURCES)
    assert made.rows == 1 and "half an edit" in made.failed[RAW]


def test_a_lost_server_is_tried_again_later_and_later(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([SparkLost("gone"), SparkLost("gone"), SparkLost("gone"), Landed(), Landed()])
    slept: list[float] = []
    clock = [0.0]

    def land(_: Lander) -> Landed:
        answer = next(answers)
        if isinstance(answer, SparkLost):
            raise answer
        return answer

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(Lander, "land", land)
    monkeypatch.setattr(rounds.time, "sleep", sleep)
    monkeypatch.setattr(rounds.time, "monotonic", lambda: clock[0])
    streams = list(Project.load(place.project).sources.values())
    ends = []
    for made in Rounds(place.settings, streams, 10.0, land_only=True).run(lambda: len(ends) == 5):  # type: ignore[arg-type]
        ends.append((round(clock[0]), made.transient))
    assert ends == [(0, True), (1, True), (3, True), (7, False), (17, False)]
