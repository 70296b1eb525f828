from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse import orchestration
from lakehouse.errors import LakeError
from lakehouse.orchestration.home import home
from lakehouse.orchestration.instance import instance
from tests.orchestration.conftest import Place


def test_history_is_kept_in_the_lake_without_telemetry(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    with instance(place.settings) as store:
        assert Path(store.root_directory) == place.settings.root / "dagster"
        assert not store.is_ephemeral
        assert store.telemetry_enabled is False
        assert type(store.compute_log_manager).__name__ == "FileLogs"


def test_an_edited_dagster_yaml_is_left_alone(place: Place) -> None:
    config = home(place.settings) / "dagster.yaml"
    config.write_text("telemetry: {enabled: false}\n")
    assert (home(place.settings) / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"


def test_a_lake_that_cannot_be_written_is_told_by_name(place: Place) -> None:
    place.settings.root.parent.mkdir(parents=True, exist_ok=True)
    place.settings.root.write_text("a file")
    with pytest.raises(LakeError, match="cannot be written"):
        home(place.settings)


def test_the_page_listens_on_this_machine_only(place: Place) -> None:
    page, daemon = orchestration.services(place.settings)
    name, argv, environ, port = page
    assert (name, port, daemon[0], daemon[3]) == ("dagster-webserver", place.settings.dagster_port, "dagster-daemon", None)
    assert argv[argv.index("-h") + 1] == "127.0.0.1"
    assert environ["DAGSTER_HOME"] == str(place.settings.root / "dagster")
    assert environ["DAGSTER_DISABLE_TELEMETRY"] == "1"
