"""One Spark server for the whole run, shared by every test that needs one; a clean environment for all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lakehouse.settings import Settings
from lakehouse.spark import server, session

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

pytest_plugins = ["tests.workspace", "tests.small_lake", "tests.things"]

# The cache may be another one than the user's; nothing else of the user's settings may reach a test.
CACHE = Path(os.environ.get("LAKEHOUSE_CACHE", "~/.cache/lakehouse")).expanduser().absolute()


@pytest.fixture(scope="session", autouse=True)
def clean_environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("LAKEHOUSE_", "SPARK_", "PYSPARK_"))]:
            patch.delenv(name)
        patch.setenv("LAKEHOUSE_CACHE", str(CACHE))
        yield


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A lake whose server all tests share (started by the first that connects). Its path holds a space."""
    project = tmp_path_factory.mktemp("a project")
    here = Settings(project=project, root=project / "lake", cache=CACHE, spark_memory="2g")
    yield here
    server.stop(here)


@pytest.fixture(scope="session")
def spark(settings: Settings) -> SparkSession:
    """A session on the shared server."""
    return session.connect(settings)


@pytest.fixture
def fresh_lake(settings: Settings, tmp_path: Path) -> Settings:
    """An empty lake of the test's own, on the shared server."""
    return settings.model_copy(update={"root": tmp_path / "lake", "spark": server.ensure(settings).url})
