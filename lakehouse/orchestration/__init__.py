"""Dagster: a project's notebooks as assets, and everything that runs them. The only package that imports Dagster.

`definitions` builds what Dagster loads; `launch` executes steps from the command line as runs that its page shows.
Dagster is not imported here: it takes a second or more, which `lakehouse check` and `--help` do not have.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse import telemetry
from lakehouse.orchestration.home import home

if TYPE_CHECKING:
    from lakehouse.settings import Settings

WEBSERVER = "dagster-webserver"
DAEMON = "dagster-daemon"


def services(settings: Settings) -> list[tuple[str, list[str], dict[str, str], int | None]]:
    """How to start Dagster's page (on this machine only) and its daemon: name, command line, environment, port.

    The daemon is what schedules, sensors, backfills and queued runs need. Nothing is started here.
    """
    workspace = ["-w", str(settings.project / "workspace.yaml")]
    scripts = Path(sys.executable).parent
    environ = {
        **os.environ,
        **telemetry.OFF,
        "DAGSTER_HOME": str(home(settings)),
        "LAKEHOUSE_PROJECT": str(settings.project),
        "LAKEHOUSE_ROOT": str(settings.root),
    }
    port = settings.dagster_port
    page = [str(scripts / WEBSERVER), "-h", "127.0.0.1", "-p", str(port), *workspace]
    return [
        (WEBSERVER, page, environ, port),
        (DAEMON, [str(scripts / DAEMON), "run", *workspace], environ, None),
    ]
