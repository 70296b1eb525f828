"""Dagster's own notebooks, in an environment of their own: an asset each, in one job, with the executor it has by default.

dagster job execute -f dagstermill_run.py -j graph -c <run configuration>
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import dagster as dg
from dagstermill import ConfigurableLocalOutputNotebookIOManager, define_dagstermill_asset

JOB = json.loads(Path(os.environ["LAKEHOUSE_BENCH_JOB"]).read_text())


def asset(notebook: dict) -> dg.AssetsDefinition:
    layer, name = notebook["name"].split("/")
    return define_dagstermill_asset(
        name=name,
        key_prefix=layer,
        group_name=layer,
        notebook_path=notebook["path"],
        deps=[dg.AssetKey(parent.split("/")) for parent in notebook["parents"]],
        config_schema={"months": dg.Field([str], is_required=False, default_value=[])},
    )


defs = dg.Definitions(
    assets=[asset(notebook) for notebook in JOB["notebooks"]],
    jobs=[dg.define_asset_job("graph", selection="*")],
    resources={"output_notebook_io_manager": ConfigurableLocalOutputNotebookIOManager()},
)
