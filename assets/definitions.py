"""What Dagster loads: every notebook and source of this project, and the assets that a team writes in Python."""

import dagster as dg

from lakehouse import settings
from lakehouse.orchestration.definitions import build_definitions

now = settings.load()

# Assets in Python stand here, or in modules of their own beside this one. They get the lake's shared Spark session as
# the resource `spark` (lakehouse.orchestration.spark.SharedSpark) and name notebooks' tables as dependencies:
#
#     @dg.asset(deps=[dg.AssetKey(["gold", "monthly_by_carrier"])])
#     def report(spark: SharedSpark): ...
python_assets: list[dg.AssetsDefinition] = []

defs = dg.Definitions.merge(build_definitions(now.project, now), dg.Definitions(assets=python_assets))
