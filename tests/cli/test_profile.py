from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from tests.profiles.trips import MILES, MONTHS, promise, trips
from tests.workspace import Workspace

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def place(new_workspace: Callable[[str], Workspace]) -> Workspace:
    """silver.trips with eight months, the last of them in kilometres."""
    made = new_workspace("profiled")
    made.write(trips(), promise())
    made.run("silver/trips", months=MONTHS[:-1])
    made.write(trips(miles=f"1.609 * ({MILES})"), {})
    made.run("silver/trips", months=MONTHS[-1:])
    return made


def test_the_newest_batch_is_shown_by_column(place: Workspace, lakehouse: Command) -> None:
    code, out, err = lakehouse(place, "profile", "silver.trips")
    assert (code, err) == (0, "")
    assert "silver.trips, 2013-08: 400 rows" in out
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert "bus 66 %, taxi 34 %" in lines["code"]
    assert "(personal)" in lines["guest"] and "Ada" not in out
    assert "Unusual: miles: distributed otherwise in 2013-08, PSI" in out


def test_a_batch_by_name_may_have_nothing_unusual(place: Workspace, lakehouse: Command) -> None:
    code, out, _ = lakehouse(place, "profile", "silver/trips", "--partition", "2013-02")
    assert (code, "silver.trips, 2013-02" in out, "Nothing unusual." in out) == (0, True, True)


def test_a_column_is_shown_over_time(place: Workspace, lakehouse: Command) -> None:
    _, out, _ = lakehouse(place, "profile", "silver.trips", "--column", "miles")
    assert re.findall(r"^ *(2013-\d\d) +400 ", out, re.MULTILINE) == MONTHS
    assert "1.61 times" in " ".join(out.split())


def test_findings_alone_are_told_of_every_table(place: Workspace, lakehouse: Command) -> None:
    code, out, _ = lakehouse(place, "profile", "--findings")
    assert code == 1
    assert "profile_distribution" in out and "2013-08" in out and "8 batches, " in out
    code, out, _ = lakehouse(place, "profile", "silver.trips", "--findings", "--partition", "2013-01..2013-03")
    assert (code, out.strip()) == (0, "3 batches, 0 findings.")


def test_machines_get_all_of_it(place: Workspace, lakehouse: Command) -> None:
    told = json.loads(lakehouse(place, "profile", "silver.trips", "--json")[1])
    assert told["batches"]["2013-08"]["columns"]["code"]["values"] == {"bus": 266, "taxi": 134}
    assert {one["kind"] for one in told["measured"]} == {"volume", "missing", "distribution", "cardinality", "categories"}
    found = json.loads(lakehouse(place, "profile", "--findings", "--json")[1])
    assert {(one["table"], one["batch"], one["column"]) for one in found} == {("silver.trips", "2013-08", "miles")}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["silver.trip"], "There is no table silver.trip\n  Did you mean silver.trips?", id="table"),
        pytest.param(["silver.trips", "--column", "mile"], "has no column mile that is profiled\n  Did you", id="column"),
        pytest.param(["silver.trips", "--partition", "2013-11"], "There is no profile of silver.trips 2013-11", id="partition"),
        pytest.param(["silver.trips", "--partition", "May"], "'May' is not a month", id="no month"),
        pytest.param([], "name a table, or say --findings", id="nothing"),
    ],
)
def test_a_wrong_word_is_told(place: Workspace, lakehouse: Command, words: list[str], message: str) -> None:
    code, _, err = lakehouse(place, "profile", *words)
    assert (code, message in err) == (2, True), err
