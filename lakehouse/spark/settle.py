"""What a fresh server still needs and nobody should wait for: the catalog of tables, and the archive of classes.

Runs as a process of its own (`python -m lakehouse.spark.settle <settings as JSON>`), ends by itself, and is listed
and ended with the other services of the lake.
"""

from __future__ import annotations

import os
import sys
import time

from lakehouse import services
from lakehouse.settings import Settings
from lakehouse.spark import archive, catalog, java, launch, server, session

# Late enough that the first notebooks' classes are among those loaded.
ARCHIVE_AFTER_SECONDS = 60.0


def main(settings: Settings) -> None:
    """Registers the tables, then builds the archive if it is missing and the server lives long enough."""
    found = server.running(settings)
    if found is None:
        return
    tables = catalog.published(settings.root)
    if tables:
        # By its address, so that a server which ends meanwhile is not started again.
        catalog.register(session.connect(settings.model_copy(update={"spark": found.url})), settings.root, tables)
    runtime = java.find()
    class_path = launch.class_path(settings, runtime)
    made = archive.path(settings, runtime, class_path)
    if made.exists():
        return
    os.nice(19)
    deadline = time.monotonic() + ARCHIVE_AFTER_SECONDS
    while time.monotonic() < deadline:
        service = services.read(settings, server.NAME)
        if service is None or not service.alive:
            return
        time.sleep(1.0)
    archive.build(made, runtime, class_path, server.work_folder(settings))


if __name__ == "__main__":
    ours = Settings.model_validate_json(sys.argv[1])
    try:
        main(ours)
    finally:
        services.forget(ours, server.SETTLE)
