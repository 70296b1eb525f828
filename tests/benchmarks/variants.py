"""A Spark server that differs in one thing from the shipped one, without a setting for it in the product.

The server's command line is made in one function (lakehouse.spark.launch.command); while a variant's server starts,
that function's answer is changed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lakehouse import services
from lakehouse.settings import Settings
from lakehouse.spark import launch, server


@dataclass(frozen=True)
class Variant:
    """`spark` are Spark's settings, `without` beginnings of options that go, `java` options that come instead."""

    group: str
    name: str
    spark: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    java: tuple[str, ...] = ()

    def applied(self, command: Sequence[str]) -> list[str]:
        """The server's command line, changed: java first, the class path and the main class last, as they were."""
        gone = (*self.without, *(f"-D{name}=" for name in self.spark))
        java, *options = [word for word in command if not word.startswith(gone)] if gone else command
        settings = [f"-D{name}={value}" for name, value in self.spark.items()]
        return [java, *self.java, *settings, *options]


SHIPPED = Variant("shipped", "as shipped")


@contextmanager
def running(variant: Variant, now: Settings) -> Iterator[server.Server]:
    """The lake's server, started anew as `variant`, ended afterwards."""
    shipped = launch.command
    server.stop(now)
    launch.command = lambda *given: variant.applied(shipped(*given))
    try:
        yield server.ensure(now)
    finally:
        launch.command = shipped
        server.stop(now)


def settled(now: Settings) -> None:
    """The lake's server runs, and what the first one on a machine starts beside it (Java's archive of classes) is done."""
    server.ensure(now)
    while (settling := services.read(now, server.SETTLE)) and settling.alive:
        time.sleep(0.5)
