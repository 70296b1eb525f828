from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def columns_on_connect(clean_environment: None) -> Iterator[None]:
    """Functions such as F.col ask a JVM in this process for columns unless told of Connect; `lakehouse.open` tells them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_CONNECT_MODE_ENABLED", "1")
        yield
