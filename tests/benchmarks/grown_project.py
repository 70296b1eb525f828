"""A project that is this one with more flights: what `lakehouse bench growth` runs.

Notebooks and transforms are as they are, the sources deliver more (larger.py), and the contracts' upper bounds on
numbers of rows, of flights and of flights that wait are multiplied, as these grow with the traffic.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

from tests.benchmarks import larger

COUNTED = ("flights", "origin_overdue")  # columns that grow with the flights

SOURCES = '''\
"""The sources of the project {project}, with {scale} times the flights and planes."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from assets import original_sources
from lakehouse.source import Delivery, Source, Stream


def _more_flights(partition: str | None) -> Iterator[Delivery]:
    from assets import larger  # imports pyarrow, which starts threads: only where it is needed

    for delivery in original_sources.flights.fetch(partition):
        file = larger.flights(delivery.content, {scale}, Path(__file__).parent / delivery.filename)
        yield Delivery(delivery.filename, file)
        file.unlink()


def _more_planes(partition: str | None) -> Iterator[Delivery]:
    from assets import larger

    for delivery in original_sources.planes.fetch(partition):
        yield Delivery(delivery.filename, larger.planes(delivery.content, {scale}))


globals().update({{name: value for name, value in vars(original_sources).items() if isinstance(value, Source | Stream)}})
flights = replace(original_sources.flights, fetch=_more_flights)
planes = replace(original_sources.planes, fetch=_more_planes)
'''


def generate(project: Path, target: Path, scale: int) -> Path:
    """A project in `target` that is `project` with `scale` times the flights."""
    shutil.copytree(project / "notebooks", target / "notebooks", ignore=shutil.ignore_patterns("explore", ".*"))
    shutil.copytree(project / "assets", target / "assets", ignore=shutil.ignore_patterns("__pycache__"))
    assets = target / "assets"
    (assets / "sources.py").rename(assets / "original_sources.py")
    (assets / "sources.py").write_text(SOURCES.format(project=project.name, scale=scale))
    shutil.copy(larger.__file__, assets / "larger.py")
    for file in (assets / "contracts").rglob("*.yaml"):
        file.write_text(yaml.safe_dump(scaled(yaml.safe_load(file.read_text()), scale), sort_keys=False))
    return target


def scaled(contract: dict[str, Any], scale: int) -> dict[str, Any]:
    """The contract with its upper bounds on what grows with the flights times `scale`."""
    expectations = [dict(each) for each in contract.get("expectations", [])]
    for each in expectations:
        bounds = each.get("kwargs", {})
        grows = each["type"] == "expect_table_row_count_to_be_between" or bounds.get("column") in COUNTED
        if grows and bounds.get("max_value") is not None:
            each["kwargs"] = {**bounds, "max_value": bounds["max_value"] * scale}
    return {**contract, "expectations": expectations} if expectations else contract
