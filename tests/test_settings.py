from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.errors import SettingsError
from lakehouse.settings import find_project, load, load_with_sources


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "a project"
    (folder / "notebooks").mkdir(parents=True)
    (folder / "assets").mkdir()
    return folder


def environ(project: Path, **values: str) -> dict[str, str]:
    return {"LAKEHOUSE_PROJECT": str(project), **{f"LAKEHOUSE_{name}": value for name, value in values.items()}}


def test_defaults_are_paths_of_the_project(project: Path) -> None:
    settings = load(environ(project))
    assert settings.project == project
    assert settings.root == project / ".lake"
    assert settings.cache.is_absolute()


def test_the_environment_wins_over_the_file_and_each_value_says_where_it_came_from(project: Path) -> None:
    (project / ".lakehouse.toml").write_text('root = "data"\ndagster_port = 3100\nmlflow_port = 5100\n')
    settings, origin = load_with_sources(environ(project, DAGSTER_PORT="3200"))
    assert (settings.dagster_port, settings.mlflow_port, settings.root) == (3200, 5100, project / "data")
    assert origin["dagster_port"] == "LAKEHOUSE_DAGSTER_PORT"
    assert origin["mlflow_port"] == ".lakehouse.toml"
    assert origin["lab_port"] == "default"
    assert set(origin) == set(type(settings).model_fields)


def test_an_absolute_root_stays_where_it_is(project: Path, tmp_path: Path) -> None:
    assert load(environ(project, ROOT=str(tmp_path / "lake"))).root == tmp_path / "lake"


def test_an_empty_variable_is_as_if_unset(project: Path) -> None:
    assert load(environ(project, SPARK="")).spark is None


def test_what_a_runner_tells_a_kernel_is_no_setting(project: Path) -> None:
    assert load(environ(project, TARGET="lake", RUN_ID="x", SESSION="y"))


@pytest.mark.parametrize(
    ("file", "variables", "message"),
    [
        pytest.param(
            "",
            {"SPARK_MEMMORY": "1g"},
            "Unknown setting 'spark_memmory' (LAKEHOUSE_SPARK_MEMMORY)\nDid you mean spark_memory",
            id="unknown variable",
        ),
        pytest.param("rot = 1", {}, "Unknown setting 'rot' (.lakehouse.toml)\nDid you mean root", id="unknown key"),
        pytest.param("", {"DAGSTER_PORT": "http"}, "Setting dagster_port = 'http' (LAKEHOUSE_DAGSTER_PORT): ", id="no number"),
        pytest.param("", {"DAGSTER_PORT": "0"}, "Setting dagster_port = '0'", id="out of range"),
        pytest.param("lab_port = 70000", {}, "Setting lab_port = 70000 (.lakehouse.toml)", id="out of range in the file"),
        pytest.param("", {"SPARK": "http://host"}, "begins with sc://", id="address"),
        pytest.param("", {"SPARK_MEMORY": "4 gigabytes"}, "Setting spark_memory = '4 gigabytes'", id="memory"),
        pytest.param("", {"ROOT": "s3://bucket/lake"}, "only a local path has been tested", id="another storage"),
        pytest.param("root = ", {}, "is not valid TOML", id="TOML"),
        pytest.param("project = 'elsewhere'", {}, "lies in its project and cannot name another", id="project in the file"),
        pytest.param("webhook = 5", {}, "Setting webhook = (hidden)", id="kind in the file"),
    ],
)
def test_wrong_settings_are_refused(project: Path, file: str, variables: dict[str, str], message: str) -> None:
    (project / ".lakehouse.toml").write_text(file)
    with pytest.raises(SettingsError) as caught:
        load(environ(project, **variables))
    assert message in str(caught.value)


def test_a_secret_is_not_shown(project: Path) -> None:
    settings = load(environ(project, WEBHOOK="https://example.com/t0k3n"))
    assert "t0k3n" not in repr(settings)
    assert settings.webhook is not None
    assert settings.webhook.get_secret_value().endswith("t0k3n")


def test_settings_cannot_be_changed(project: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(environ(project)).lab_port = 1  # type: ignore[misc]


def test_the_project_is_found_from_a_folder_below(project: Path) -> None:
    below = project / "notebooks" / "silver"
    below.mkdir()
    assert find_project(below) == project.resolve()


def test_without_a_project_around_it_is_the_librarys_own(tmp_path: Path) -> None:
    assert (find_project(tmp_path) / "lakehouse" / "settings.py").is_file()
