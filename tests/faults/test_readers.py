"""Readers poll thousands of times through a bad batch, a killed writer and two writers at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from lakehouse.spark.session import connect
from tests.faults.conftest import Promise
from tests.faults.injections import DURING_COMMIT, Moment
from tests.faults.invariants import Reader
from tests.faults.scene import ROWS, Scene, end
from tests.faults.test_kills import NOTEBOOK, again, caught, strike

LOOKS = 3000
NEGATIVE = -1
"""A factor that makes rows of which the contract refuses all but one."""


class SparkReader(Reader):
    """Asks the lake's Spark server all the time, in a session of its own."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene, every=0.3)
        self._spark = connect(scene.settings)

    def _look(self, table: str, path: object) -> None:
        rows = 1 if table == "silver.totals" else ROWS
        of_runs = "count(distinct made_by)" if table != "bronze.things" else "1"
        asked = f"select month, count(*) as n, {of_runs} as runs, min(value) as least from delta.`{path}` group by month"
        try:
            found = self._spark.sql(asked).collect()
            self.wrong += [f"{table}: {row}" for row in found if (row.n, row.runs, row.least >= 0) != (rows, 1, True)]
        except Exception as error:
            self.wrong.append(f"{table}: {type(error).__name__}: {error}")

    def end(self) -> None:
        super().end()
        self._spark.stop()


@contextmanager
def polling(*readers: Reader) -> Iterator[None]:
    with ExitStack() as ends:
        for reader in readers:
            reader.start()
            ends.callback(reader.end)
        yield


def test_readers_see_only_whole_and_checked_versions(scene: Scene, promise: Promise, factor: int) -> None:
    log, spark = Reader(scene, every=0.002), SparkReader(scene)
    with polling(log, spark), promise("a bad batch, kill -9, two at once", "readers see whole and checked versions", "4f") as seen:
        seen.fault_happened()
        before = scene.versions()
        scene.control(NEGATIVE)
        assert end(scene.start(*NOTEBOOK)) == 1 and "column_values_to_be_between_value" in scene.said()
        assert scene.versions() == before

        moment = Moment(scene, DURING_COMMIT, factor)
        process = caught(scene, moment, *NOTEBOOK)
        strike(seen, moment.kernel())
        assert end(process) == 1

        scene.control(factor)
        both = [scene.start(*NOTEBOOK) for _ in range(2)]
        assert [end(process) for process in both] == [0, 0], scene.said()
        seen.settled(at_most=3)
        seen.rerun(again(scene, factor))
    assert not log.wrong and not spark.wrong, (log.wrong, spark.wrong)
    assert log.polls > LOOKS and spark.polls > 10, (log.polls, spark.polls)
    assert {table for table, _ in log.versions} == {"bronze.things", "silver.totals", "silver.things"}
