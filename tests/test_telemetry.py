"""The settings that keep dependencies quiet are ones that the pinned versions know."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from pathlib import Path

import pytest

from lakehouse import telemetry

READ_IN = {
    "DAGSTER_DISABLE_TELEMETRY": "dagster/_core/telemetry_upload.py",
    "DO_NOT_TRACK": "mlflow/telemetry/utils.py",
    "GX_ANALYTICS_ENABLED": "great_expectations/data_context/data_context/abstract_data_context.py",
    "MLFLOW_DISABLE_TELEMETRY": "mlflow/telemetry/utils.py",
}


@pytest.mark.parametrize("variable", telemetry.OFF)
def test_each_variable_is_one_that_its_package_knows(variable: str) -> None:
    package, _, rest = READ_IN[variable].partition("/")
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert variable in (Path(spec.submodule_search_locations[0]) / rest).read_text()


def test_switching_off_beats_what_was_set() -> None:
    environ = {"MLFLOW_DISABLE_TELEMETRY": "false", "PATH": "/bin"}
    telemetry.switch_off(environ)
    assert environ == {"PATH": "/bin"} | telemetry.OFF


def test_jupyterlab_takes_its_part(tmp_path: Path) -> None:
    written = json.loads(telemetry.switch_off_in_lab(tmp_path).read_text())["LabApp"]
    module, _, name = written["check_for_updates_class"].rpartition(".")
    assert hasattr(importlib.import_module(module), name)
    assert written["news_url"] is None
    overrides = json.loads((tmp_path / "share/jupyter/lab/settings/overrides.json").read_text())
    for plugin, values in overrides.items():
        extension, _, name = plugin.partition(":")
        schema = Path(sys.prefix, "share/jupyter/lab/schemas", extension, f"{name}.json")
        known = json.loads(schema.read_text())["properties"]
        assert values.keys() <= known.keys()
        assert values["fetchNews"] in [choice["const"] for choice in known["fetchNews"]["oneOf"]]
