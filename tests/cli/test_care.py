from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from lakehouse import deltafiles, deltalog
from tests.small_lake import cut
from tests.workspace import Workspace

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def free_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in enumerate(("DAGSTER", "MLFLOW", "LAB")):
        monkeypatch.setenv(f"LAKEHOUSE_{name}_PORT", str(23_117 + number))


def test_a_sound_lake(small_lake: Workspace, lakehouse: Command) -> None:
    code, out, _ = lakehouse(small_lake, "verify")
    assert (code, out.splitlines()[-1].endswith("all is as it was recorded.")) == (0, True)
    assert json.loads(lakehouse(small_lake, "verify", "--json")[1]) == {
        "checked": {"raw_files": 0, "runs": 4, "versions": 8, "models": 0, "released": 0}, "findings": [],
    }  # fmt: skip
    assert lakehouse(small_lake, "doctor", "--deep")[:2] == (0, "All is well.\n")


def test_findings_are_a_table_with_what_to_do(small_lake: Workspace, lakehouse: Command) -> None:
    file = deltafiles.current(small_lake.path("silver.things"))[0]
    file.path.unlink()
    code, out, _ = lakehouse(small_lake, "verify")
    assert (code, "is gone" in out, "--force" in out, "findings." in out) == (1, True, True, True)
    code, out, _ = lakehouse(small_lake, "verify", "--json", "silver/things")
    assert code == 1
    assert {finding["where"] for finding in json.loads(out)["findings"]} == {"silver.things"}
    assert lakehouse(small_lake, "verify", "gold/sums")[0] == 0
    assert lakehouse(small_lake, "verify", "gold/smus")[0] == 2
    code, out, _ = lakehouse(small_lake, "doctor")
    assert (code, "gone" in out, "1 finding." in out) == (1, True, True)
    (told,) = json.loads(lakehouse(small_lake, "doctor", "--json")[1])["findings"]
    assert told["where"] == str(file.path) and not told["repairable"]


def test_a_repair_says_what_it_did_and_can_be_done_twice(small_lake: Workspace, lakehouse: Command) -> None:
    commit = deltalog.commit_path(small_lake.path("gold.sums"), 1)
    cut(commit)
    code, out, _ = lakehouse(small_lake, "doctor")
    assert (code, "`lakehouse doctor --repair` mends 1 of them" in out) == (1, True)
    code, out, _ = lakehouse(small_lake, "doctor", "--repair")
    assert (code, out.startswith("✓ Wrote "), out.endswith("The rest is well.\n")) == (0, True, True)
    assert lakehouse(small_lake, "doctor", "--repair")[:2] == (0, "All is well.\n")
    cut(commit)
    code, out, _ = lakehouse(small_lake, "doctor", "--repair", "--json")
    told = json.loads(out)
    assert (code, told["findings"], told["repaired"][0]["where"]) == (0, [], str(commit))


def test_wrong_settings_are_a_finding_and_the_rest_is_looked_at(small_lake: Workspace, lakehouse: Command) -> None:
    cut(deltalog.commit_path(small_lake.path("gold.sums"), 1))
    code, out, err = lakehouse(small_lake, "doctor", "--json", LAKEHOUSE_PARALEL="2")
    settings, commit = json.loads(out)["findings"]
    assert (code, err) == (1, "")
    assert "Unknown setting 'paralel'" in settings["what"] and str(small_lake.root) in settings["todo"]
    assert "is damaged" in commit["what"]


def test_without_java_the_doctor_works(small_lake: Workspace, lakehouse: Command) -> None:
    code, out, err = lakehouse(small_lake, "doctor", JAVA_HOME="/nowhere", LAKEHOUSE_SPARK="")
    assert code == 1
    assert "JAVA_HOME=/nowhere holds no bin/java" in out and "Traceback" not in err


def test_a_damaged_environment_is_told_in_words(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import sys

    from lakehouse import __main__

    monkeypatch.setitem(sys.modules, "lakehouse.cli", None)
    monkeypatch.setattr(sys, "argv", ["lakehouse", "status"])
    assert __main__.command() == 1
    said = capsys.readouterr().err
    assert "is damaged" in said and "`lakehouse doctor --repair` makes it anew" in said
