"""One scene for the whole suite, with an engine of its own; what each fault leaves goes into the suite's table."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from lakehouse import kernels, services, tables
from lakehouse.spark import server
from tests.faults import invariants
from tests.faults.invariants import WRITTEN, Seen
from tests.faults.report import Report, Row
from tests.faults.rows import content
from tests.faults.scene import Scene, end

_ENVIRON = dict(os.environ)  # before the suite cleans it

Promise = Callable[..., AbstractContextManager[Seen]]


@pytest.fixture(scope="session")
def report() -> Iterator[Report]:
    made = Report()
    yield made
    made.save(_ENVIRON)


@pytest.fixture(scope="session")
def new_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Scene]]:
    """Makes scenes; whatever still runs for them at the end is ended."""
    made: list[Scene] = []

    def new(name: str = "faults", root: Path | None = None) -> Scene:
        made.append(Scene(tmp_path_factory.mktemp(name), root))
        return made[-1]

    yield new
    for one in made:
        quiet(one)


def quiet(scene: Scene) -> None:
    """Ends all that runs for a scene."""
    for service in services.all(scene.settings):
        if service.name not in ("kernels", server.NAME, server.SETTLE):
            services.stop(scene.settings, service.name, grace=2)
    kernels.stop(scene.settings)
    server.stop(scene.settings)


@pytest.fixture(scope="session")
def scene(new_scene: Callable[..., Scene]) -> Scene:
    """The scene with its tables built once, all warm."""
    made = new_scene()
    tables.open_root(made.root)
    for words in (("notebook", "run", "bronze/things"), ("notebook", "run", "silver/things")):
        assert end(made.start(*words), 200) == 0, made.said()
    return made


@pytest.fixture(scope="session")
def clean(scene: Scene) -> dict[int, dict[str, str]]:
    """By factor, what a clean run leaves in each table."""
    found = {}
    for factor in (2, 1):
        scene.control(factor)
        assert end(scene.start("notebook", "run", "silver/things")) == 0, scene.said()
        found[factor] = {table: content(scene.path(table)) for table in WRITTEN}
    assert found[1] != found[2]
    return found


@pytest.fixture
def factor(scene: Scene, clean: dict[int, dict[str, str]]) -> int:
    """What the next run shall compute: something else than what stands there."""
    return 2 if {table: content(scene.path(table)) for table in WRITTEN} == clean[1] else 1


@pytest.fixture
def promise(scene: Scene, clean: dict[int, dict[str, str]], factor: int, report: Report) -> Promise:
    """`with promise("the fault", "what is promised") as seen:` watches the invariants and adds a row to the table."""

    @contextmanager
    def watch(fault: str, promised: str, order: str = "9") -> Iterator[Seen]:
        with invariants.watched(scene, clean[factor]) as seen:
            yield seen
        report.add(Row(fault, promised, describe(seen), seen.told_after, seen.recovered_after, order))

    return watch


def describe(seen: Seen) -> str:
    """What was seen, in few words."""
    moved = [table for table, steps in seen.advanced.items() if steps]
    words = [f"published: {', '.join(moved)}" if moved else "nothing published"] if seen.advanced else []
    words += [f"“{seen.cause.replace(str(seen.scene.project.parent), '…')}”"] if seen.cause else []
    words += [f"{seen.stray} data files that no reader sees stay"] if seen.stray > 0 else []
    return "; ".join([*words, f"reader: {seen.reader.polls} looks, all whole"])
