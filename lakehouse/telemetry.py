"""No dependency of this project calls home.

Settings of the pinned versions, found in their code: Dagster's upload thread, MLflow's client and its UI, Great
Expectations' analytics, and JupyterLab's news and update check (which knows no variable, only a configuration file).
`DO_NOT_TRACK` is the common wish that MLflow and others honour.
"""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from pathlib import Path

OFF: dict[str, str] = {
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "true",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}

LAB: dict[str, dict[str, str | None]] = {
    "LabApp": {
        "check_for_updates_class": "jupyterlab.handlers.announcements.NeverCheckForUpdate",
        "news_url": None,
    }
}

LAB_SETTINGS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
"""Without it a new user is asked whether to fetch news."""


def switch_off(environ: MutableMapping[str, str]) -> None:
    """Set every variable of `OFF` in `environ`; child processes inherit them."""
    environ.update(OFF)


def switch_off_in_lab(prefix: Path) -> Path:
    """Write JupyterLab's part into the environment at `prefix`, so that a plain `jupyter lab` there is quiet too."""
    config = prefix / "etc" / "jupyter" / "jupyter_lab_config.json"
    overrides = prefix / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    for path, content in ((config, LAB), (overrides, LAB_SETTINGS)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return config
