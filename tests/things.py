"""A small project with what a lineage can have: months, a window of them, a whole table, code of its own, a model."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.notebooks import MONTHS, contract, notebook
from tests.workspace import IMPORTS, PARAMETERS, Workspace, monthly

# raw.things → bronze.things → silver.things → features.recent (its month and the one before)
#                                            → gold.totals (all months)      raw.words → bronze.words
SOURCES = """
    from pathlib import Path

    from lakehouse.partitions import PartitionSpace
    from lakehouse.source import Delivery, Source

    def things_of(partition):
        yield Delivery("things.csv", f"id,month\\n{partition[-1]},{partition}\\n".encode())
        for late in sorted(Path(__file__).parent.glob(f"late-{partition}*.csv")):
            yield Delivery(late.name, late)

    months = PartitionSpace("month", "2013-01", "2013-03")
    things = Source("raw.things", things_of, partitions=months, options={"header": "true"})
    words = Source("raw.words", lambda partition: [Delivery("words.csv", b"word\\nplan\\n")], options={"header": "true"})
"""
COLUMNS = {"month": {"type": "string", "nullable": False}, "id": {"type": "bigint", "nullable": False}}


def silver(*changed: str) -> dict[str, Any]:
    cells = changed or ('df = double(lake.read("bronze.things"), factor)', 'lake.write(df, "silver.things")')
    return notebook(
        "silver/things",
        *cells,
        parameters=f"{PARAMETERS}\nfactor: int = 2  # how often",
        imports=f"{IMPORTS}\nfrom assets.transforms.doubling import double",
    )


NOTEBOOKS = {
    "bronze/things": monthly(
        "bronze/things",
        'df = lake.read("raw.things").selectExpr("month", "cast(id as bigint) id")',
        'lake.write(df, "bronze.things")',
    ),
    "bronze/words": notebook(
        "bronze/words",
        'df = lake.read("raw.words").select("word", "_source_file")',
        'lake.write(df, "bronze.words")',
    ),
    "silver/things": silver(),
    "features/recent": monthly(
        "features/recent",
        'df = lake.sql("select max(month) as month, sum(id) as id from silver.things", partitions=(-1, 0))',
        "keys = lake.spark.createDataFrame([(key,) for key in months], 'month string')",
        'lake.write(keys.selectExpr("month", "1L as id"), "features.recent")',
    ),
    "gold/totals": notebook(
        "gold/totals",
        'df = lake.sql("select month, sum(id) as id from silver.things group by month")',
        'lake.write(df, "gold.totals")',
    ),
}
CONTRACTS = {
    **{table: contract(table, COLUMNS, partitions=MONTHS) for table in ("bronze.things", "silver.things", "features.recent")},
    "gold.totals": contract("gold.totals", {"month": "string", "id": "bigint"}),
    "bronze.words": contract("bronze.words", {"word": "string", "_source_file": "string"}),
}
DOUBLING = """
    \"\"\"Makes things more.\"\"\"
    from assets.transforms.words import NAME

    def double(frame, factor):
        return frame.selectExpr("month", f"id * {factor} as id")
"""
FILES = {
    "assets/__init__.py": "",
    "assets/transforms/__init__.py": "",
    "assets/transforms/doubling.py": DOUBLING,
    "assets/transforms/words.py": 'NAME = "x"\n',
    "assets/transforms/unused.py": "X = 1\n",
}
MODEL = """
from sklearn.linear_model import LinearRegression

model = LinearRegression().fit(frame[["id"]], frame["id"])
lake.log_model(model, "models.line", metrics={"error": 0.0}, example=frame[["id"]])
"""
SCORE = """
model = lake.load_model("models.line")
frame["score"] = model.predict(frame[["id"]])
lake.write(frame, "scores.line")
"""
# gold.totals → models.line → scores.line, which also reads silver.things month by month
SCORED = {
    "models/line": notebook("models/line", 'frame = lake.sql("select id from gold.totals").toPandas()', MODEL),
    "scores/line": monthly("scores/line", 'frame = lake.read("silver.things").toPandas()', SCORE),
}
SCORES = {"scores.line": contract("scores.line", {**COLUMNS, "score": "double"}, partitions=MONTHS)}
MONTHS_ALL = ("2013-01", "2013-02", "2013-03")


@pytest.fixture(scope="session")
def built(new_workspace: Callable[[str], Workspace]) -> Workspace:
    """The project with everything built, but for the model and its scores."""
    made = new_workspace("things")
    made.write(NOTEBOOKS, CONTRACTS, SOURCES, FILES)
    made.bring_up_to_date()
    return made


@pytest.fixture
def place(built: Workspace, tmp_path: Path) -> Workspace:
    """A copy of it, to be changed. Its path holds a space."""
    return copy(built, tmp_path / "a place")


@pytest.fixture(scope="session")
def scored(built: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A copy of it with a model and its scores, not to be changed."""
    made = copy(built, tmp_path_factory.mktemp("scored"))
    made.write(SCORED, SCORES)
    made.bring_up_to_date()
    return made


def copy(place: Workspace, folder: Path) -> Workspace:
    shutil.copytree(place.project, folder / "project", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(place.root, folder / "lake")
    return Workspace(folder, place.environ["LAKEHOUSE_SPARK"])


def replace(place: Workspace, file: str, before: str, after: str) -> None:
    path = place.project / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
