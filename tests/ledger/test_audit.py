"""Every edit, removal and truncation of the ledger is found, and an alias moved behind its back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakehouse import deltafiles, deltalog, ledger, models, tables
from lakehouse.errors import LakeError, LedgerError
from lakehouse.ledger import audit, byhand
from lakehouse.names import PROMOTIONS
from lakehouse.record import Result
from lakehouse.settings import Settings
from tests.ledger.conftest import MODEL, client
from tests.ledger.test_recording import promote


@pytest.fixture
def decided(place: Settings) -> Settings:
    for version, before in ((1, None), (2, 1), (3, 2)):
        promote(place, version, before, evidence={"log_loss": 0.4})
    assert list(audit.look(place)) == []
    return place


def path(place: Settings) -> Path:
    return tables.lake_path(place.root, PROMOTIONS)


def commit(place: Settings, version: int) -> Path:
    return deltalog.commit_path(path(place), version)


def edit_a_row(place: Settings) -> None:
    """As whoever has the file can: the table's log is not touched."""
    import pyarrow
    from pyarrow import parquet

    file = deltafiles.current(path(place))[1].path
    rows = parquet.ParquetFile(file).read()
    column = pyarrow.array(['{"log_loss":0.1}'])
    parquet.write_table(rows.set_column(rows.schema.get_field_index("evidence"), "evidence", column), file)


def edit_the_log(place: Settings) -> None:
    text = commit(place, 2).read_text()
    commit(place, 2).write_text(text.replace(r"\"to_version\": 3", r"\"to_version\": 1"))


def edit_both_and_hash_anew(place: Settings, *more: int) -> None:
    """The whole chain from entry 2 on, rewritten so that it holds together."""
    before = ledger.entries(place.root)
    shutil.rmtree(path(place))
    mlflow_too = place.model_copy(update={"root": place.root.with_name("elsewhere")})
    for one in before:
        to = 1 if one.seq == 3 else one.to_version
        promote(mlflow_too, to, one.from_version, evidence=one.evidence)
    for to in more:
        promote(mlflow_too, to, 1)
    shutil.copytree(path(mlflow_too), path(place))


def hash_anew_and_longer(place: Settings) -> None:
    edit_both_and_hash_anew(place, 3)


def remove_a_commit(place: Settings) -> None:
    commit(place, 1).unlink()


def remove_and_renumber(place: Settings) -> None:
    commit(place, 2).rename(commit(place, 1))


def cut_off_the_end(place: Settings) -> None:
    commit(place, 2).unlink()


def remove_all(place: Settings) -> None:
    shutil.rmtree(path(place))


def delete_by_delta(place: Settings) -> None:
    """What a DELETE does that someone forced through: a commit that removes a row's file."""
    file = deltafiles.current(path(place))[1].path.name
    actions: list[dict[str, Any]] = [{"commitInfo": {"timestamp": 0, "operation": "DELETE"}}]
    actions.append({"remove": {"path": file, "dataChange": True, "deletionTimestamp": 0}})
    commit(place, 3).write_text("".join(json.dumps(action) + "\n" for action in actions))


def remove_a_file(place: Settings) -> None:
    deltafiles.current(path(place))[1].path.unlink()


def move_the_alias(place: Settings) -> None:
    client(place).set_registered_model_alias(MODEL.dotted, "champion", "1")


def remove_the_alias(place: Settings) -> None:
    client(place).delete_registered_model_alias(MODEL.dotted, "previous")


@pytest.mark.parametrize(
    ("harm", "finding"),
    [
        pytest.param(edit_a_row, "entry 2 (models.m: promoted 2 by", id="a row edited"),
        pytest.param(edit_the_log, "entry 3 is another in the table's log (models.m: promoted 1 by", id="the log edited"),
        pytest.param(edit_both_and_hash_anew, "entry 3 about models.m is not the one that MLflow knows", id="all hashed anew"),
        pytest.param(remove_a_commit, "00000000000000000001.json is missing", id="a commit removed"),
        pytest.param(remove_and_renumber, "entry 2 is missing", id="a commit removed, the next in its place"),
        pytest.param(cut_off_the_end, "entry 3 about models.m, which MLflow knows of, was cut off its end", id="the end cut off"),
        pytest.param(remove_all, "entry 3 about models.m, which MLflow knows of, was cut off its end", id="everything gone"),
        pytest.param(delete_by_delta, "commits that are not the ledger's changed it (DELETE)", id="deleted by Delta"),
        pytest.param(remove_a_file, "is gone", id="a row's file gone"),
        pytest.param(
            move_the_alias, "the alias champion stands at version 1 in MLflow, the ledger says version 3", id="alias moved"
        ),
        pytest.param(remove_the_alias, "the alias previous is gone in MLflow, the ledger says version 2", id="alias removed"),
    ],
)
def test_it_is_found(decided: Settings, harm: Callable[[Settings], None], finding: str) -> None:
    harm(decided)
    assert any(finding in trouble.what for trouble in audit.look(decided)), [trouble.what for trouble in audit.look(decided)]


@pytest.mark.parametrize("harm", [remove_a_commit, remove_and_renumber, cut_off_the_end, remove_all, edit_both_and_hash_anew])
def test_nothing_is_recorded_upon_a_ledger_that_was_harmed(decided: Settings, harm: Callable[[Settings], None]) -> None:
    harm(decided)
    with pytest.raises(LakeError, match=r"does not hold together|is missing"):
        ledger.record(decided, MODEL, "refused", from_version=3, to_version=2)


@pytest.mark.parametrize("harm", [remove_and_renumber, cut_off_the_end, remove_all, edit_both_and_hash_anew, hash_anew_and_longer])
def test_whatever_is_done_afterwards_it_is_not_forgotten(decided: Settings, fitted: Any, harm: Callable[[Settings], None]) -> None:
    harm(decided)
    found = [trouble.what for trouble in audit.look(decided)]
    with pytest.raises(LedgerError):
        models.load(decided, MODEL)
    with pytest.raises(LedgerError):
        models.log(decided, fitted, MODEL, result=Result(run_id="another", asset="models.m"), judged=True)
    assert found and [trouble.what for trouble in audit.look(decided)] == found


def test_a_model_of_which_all_versions_were_refused_is_no_finding(place: Settings) -> None:
    ledger.record(place, MODEL, "refused", from_version=None, to_version=1)
    assert list(audit.look(place)) == []


def test_without_a_backup_a_champion_is_named_by_force(decided: Settings) -> None:
    remove_all(decided)
    with pytest.raises(LedgerError, match="was cut off"):
        promote(decided, 2, None)
    entry = byhand.promote(decided, MODEL, 2, force=True, note="the disk was lost")
    assert (entry.seq, ledger.champion(decided.root, MODEL)) == (1, 2)
    assert list(audit.look(decided)) == []


def test_mended_aliases_are_what_the_ledger_says(decided: Settings, aliases: Callable[[], dict[str, int]]) -> None:
    move_the_alias(decided)
    (trouble,) = audit.look(decided)
    assert trouble.mend is not None and "follow the ledger again" in trouble.mend()
    assert aliases() == {"champion": 3, "previous": 2} and list(audit.look(decided)) == []


def test_a_champion_without_files_is_told_with_the_way_back(decided: Settings) -> None:
    files = models.locate(decided, MODEL).files
    aside = files.rename(files.with_name("aside"))
    try:
        (trouble,) = audit.look(decided)
    finally:
        aside.rename(files)
    assert "the champion cannot be used: The files of models.m version 3 are gone" in trouble.what
    assert "lakehouse models rollback m" in trouble.todo
