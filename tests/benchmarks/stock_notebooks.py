"""The project's notebooks as they would be without the lakehouse, for stock papermill and for dagstermill.

The cells stay as they are, with the same `assets.transforms`. Two are changed: `import lakehouse` goes, and
`lake = lakehouse.open(…)` becomes a cell that makes a SparkSession as Delta's documentation teaches (and sets what
pyspark's teaches for pandas), with a plain reader and writer (peers/stock_lake.py) in the lake's place. Delta's jars
come from our cache by `spark.jars`, where `configure_spark_with_delta_pip` would have each session resolve them, and
the session gets as much memory as our server: both only make these peers faster than what is taught.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from lakehouse.notebook import PARAMETERS_TAG, NotebookSpec
from lakehouse.parameters import ParameterType
from lakehouse.settings import Settings
from lakehouse.spark import jars

SESSION = """\
from pyspark.sql import SparkSession
from stock_lake import StockLake

spark = (
    SparkSession.builder.appName({name!r})
    .config("spark.jars", {jars!r})
    .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
    .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
    .config("spark.sql.execution.arrow.pyspark.enabled", "true")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.driver.memory", {memory!r})
    .getOrCreate()
)
lake = StockLake(spark{months})"""

# Dagster puts its own context in place of the cell that is tagged so.
DAGSTERMILL_PARAMETERS = """\
import dagstermill

context = dagstermill.get_context(op_config={config!r})"""
DAGSTERMILL_MONTHS = '{name} = context.op_config["months"]'


def write(spec: NotebookSpec, target: Path, now: Settings, *, dagstermill: bool = False) -> Path:
    """Writes the notebook of `spec` into the folder `target`, for papermill or for dagstermill."""
    notebook = json.loads(spec.path.read_text())
    changed = stock(notebook, spec, session_cell(spec, now), dagstermill=dagstermill)
    path = target / f"{spec.name.dotted}.ipynb"
    path.write_text(json.dumps(changed))
    return path


def session_cell(spec: NotebookSpec, now: Settings) -> str:
    own = spec.partition_parameter
    months = f", {own.name}" if own else ""
    classes = ",".join(map(str, jars.ensure(now)))
    made = SESSION.format(name=spec.name.slashed, jars=classes, memory=now.spark_memory, months=months)
    # `lakehouse.open` gives parameters their types; nobody does here.
    typed = [f"{p.name} = month({p.name})" for p in spec.parameters if p.type == ParameterType("month", many=False)]
    return "\n".join([made, *typed])


def stock(notebook: dict[str, Any], spec: NotebookSpec, session: str, *, dagstermill: bool) -> dict[str, Any]:
    """The notebook with its lake opened by the cell `session`, on the kernel `python3`."""
    changed = copy.deepcopy(notebook)
    changed["metadata"]["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    cells = []
    for cell in changed["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and "lakehouse.open(" in source:
            source = session
        elif cell["cell_type"] == "code":
            source = "\n".join(line for line in source.splitlines() if line.strip() != "import lakehouse")
        cell["source"] = source
        if dagstermill and PARAMETERS_TAG in cell["metadata"].get("tags", []):
            cells += _dagstermill_parameters(cell, spec)
        else:
            cells.append(cell)
    return {**changed, "cells": cells}


def _dagstermill_parameters(cell: dict[str, Any], spec: NotebookSpec) -> list[dict[str, Any]]:
    """Dagster's context, then the parameters with their samples, then the months from Dagster's configuration."""
    own = spec.partition_parameter
    config = {"months": list(own.default)} if own else {}
    source = cell["source"] + ("\n" + DAGSTERMILL_MONTHS.format(name=own.name) if own else "")
    context = {**cell, "source": DAGSTERMILL_PARAMETERS.format(config=config), "id": f"{cell.get('id', 'cell')}-context"[:64]}
    return [context, {**cell, "source": source, "metadata": {}}]
