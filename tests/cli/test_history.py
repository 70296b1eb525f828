"""`why`, `trace`, `restore` and `vacuum` as commands: what they print, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.workspace import Workspace

Command = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("name", ["silver.things@2013-02", "silver/things@2013-02"])
def test_why_is_told_in_words(built: Workspace, lakehouse: Command, name: str) -> None:
    code, out, err = lakehouse(built, "why", name)
    assert (code, err) == (0, "")
    lines = [line.strip("│├└─ ") for line in out.splitlines()]
    assert lines[0] == "silver/things 2013-02"
    assert lines[1].startswith("silver.things version 0, 20") and " UTC, by run 20" in lines[1]
    assert lines[2:] == ["it ran because", "never built", "it would not run now: up to date"]


def test_why_is_told_to_machines(place: Workspace, lakehouse: Command) -> None:
    (place.project / "assets" / "late-2013-01.csv").write_text("id,month\n7,2013-01\n")
    place.land("raw.things", "2013-01")
    code, out, _ = lakehouse(place, "why", "bronze.things", "--json")
    january, others = json.loads(out)
    assert (code, january["partitions"], others["would_run"]) == (0, ["2013-01"], False)
    (reason,) = january["now"]
    assert (reason["reason"], reason["table"], reason["words"]) == ("input", "raw.things", "raw.things changed (2013-01)")
    assert "late-2013-01.csv" in reason["moved_by"][0]["what"]
    _, out, _ = lakehouse(place, "run", "bronze/things+", "--dry-run", "--json")
    assert [(step["asset"], step["partitions"]) for step in json.loads(out)] == [
        ("bronze/things", ["2013-01"]),
        ("silver/things", ["2013-01"]),
        ("features/recent", ["2013-01", "2013-02"]),
        ("gold/totals", []),
    ]


def test_trace_is_a_tree(scored: Workspace, lakehouse: Command) -> None:
    code, out, err = lakehouse(scored, "trace", "silver/things", "--where", "month = '2013-02'")
    assert (code, err) == (0, "")
    lines = [line.strip("│├└─ ") for line in out.splitlines()]
    assert lines[:2] == ["silver.things: 1 row, 2013-02", "month 2013-02, id 4"]
    assert lines[2].startswith("silver.things version 0 (2013-02): run 20") and lines[2].endswith(", factor=2")
    assert "things.csv: SHA-256 " in lines[-1]
    code, out, _ = lakehouse(scored, "trace", "raw.things", "--file", "2013-03/things.csv", "--json")
    (file,) = json.loads(out)
    assert (code, len(file["sha256"]), file["branches"][0]["table"]) == (0, 64, "bronze.things")
    path = scored.root / "raw" / "things" / "2013-03" / "things.csv"
    assert json.loads(lakehouse(scored, "trace", "--forward", str(path), "--json")[1]) == [file]


def test_trace_tells_of_a_model_what_it_is_called_and_was_measured_by(scored: Workspace, lakehouse: Command) -> None:
    code, out, _ = lakehouse(scored, "trace", "scores.line", "--where", "month = '2013-03'")
    (line,) = (line for line in out.splitlines() if "models.line" in line)
    assert "models.line version 1 (champion): run 20" in line and line.endswith(", measured error 0")
    (rows,) = json.loads(lakehouse(scored, "trace", "models.line", "--json")[1])
    (model,) = rows["back"]
    assert (code, model["aliases"], model["metrics"]) == (0, ["champion"], {"error": 0.0})


def test_restore_and_vacuum_say_what_they_do(place: Workspace, lakehouse: Command) -> None:
    place.run("silver/things", months=["2013-03"], factor=9)
    code, out, _ = lakehouse(place, "restore", "silver/things", "--version", "0", "--dry-run")
    assert (code, out.splitlines()[0]) == (0, "silver.things would go back from version 1 to 0. Nothing was changed.")
    code, out, err = lakehouse(place, "restore", "silver/things", "--version", "0", "--because", "a trial")
    assert (code, err) == (0, "")
    assert out.startswith("silver.things: version 0 stands again, as version 2 (it was 1).\n")
    assert out.endswith("from the restored rows: lakehouse run features/recent gold/totals\n")
    said = lakehouse(place, "why", "silver.things@2013-03")[1]
    assert "by `lakehouse restore` to version 0 by " in said and ": a trial" in said
    assert json.loads(lakehouse(place, "restore", "silver.things", "--version", "1", "--dry-run", "--json")[1])["written"] is None
    code, out, err = lakehouse(place, "vacuum", "silver/things", "--dry-run", "--older-than", "0d")
    assert (code, err) == (0, "")
    assert "kept because it stands: version 2" in out and "0 files, 0.0 MB would be deleted." in out
    (told,) = json.loads(lakehouse(place, "vacuum", "silver.things", "--dry-run", "--json")[1])
    assert {kept["version"] for kept in told["kept"]} == {0, 1, 2}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["why", "silver/thing"], "Did you mean silver.things", id="asset"),
        pytest.param(["why", "bronze/*"], "names 2 assets", id="several"),
        pytest.param(["why", "silver/things@2014-01"], "Partition 2014-01 does not exist", id="partition"),
        pytest.param(["trace"], "name a table", id="trace nothing"),
        pytest.param(["trace", "--forward", "/etc/passwd"], "is not a raw file of this lake", id="no raw file"),
        pytest.param(["trace", "silver.things", "--where", "1 = (select 1)"], "holds a query", id="subquery"),
        pytest.param(["trace", "raw.things", "--where", "id = 1"], "go with a table of rows", id="rows of raw"),
        pytest.param(["restore", "silver.things", "--version", "9"], "has no version 9", id="version"),
        pytest.param(["vacuum", "--older-than", "soon"], "'soon' is not a span of time", id="span"),
        pytest.param(["run", "--json"], "--json goes with --dry-run", id="run as JSON"),
    ],
)
def test_wrong_words_are_refused(built: Workspace, lakehouse: Command, words: list[str], message: str) -> None:
    code, out, err = lakehouse(built, *words)
    assert (code, out) == (2, "")
    assert message in err
