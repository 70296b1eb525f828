"""A small project that trains: raw.points → features.points → models.points."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from tests.notebooks import contract, notebook
from tests.workspace import Workspace

SOURCES = """
    from lakehouse.source import Delivery, Source

    def line(n):
        x = n * 7919 % 1000
        return f"{n},{x / 10},{n * 104729 % 97},{int(x > 400 + n * 31 % 200)}"

    def deliver(partition):
        yield Delivery("points.csv", "\\n".join(["id,x,y,late", *map(line, range(900))]).encode())

    points = Source("raw.points", deliver, options={"header": "true"})
"""
LEARNING = """
    \"\"\"What is learnt of points.\"\"\"
    from sklearn.ensemble import RandomForestClassifier

    INPUTS = ["x", "y"]

    def forest(trees):
        return RandomForestClassifier(n_estimators=trees, max_depth=4, random_state=1)
"""
TRAIN = (
    'rows = lake.training_set("features.points", where="id < 800", at_most=most)',
    "lake.examine_training(rows[learning.INPUTS], rows['late'], at_least=50)",
    "model = learning.forest(trees).fit(rows[learning.INPUTS], rows['late'])",
    "accuracy = float((model.predict(rows[learning.INPUTS]) == rows['late']).mean())",
    'lake.log_model(model, "models.points", metrics={"accuracy": accuracy}, example=rows[learning.INPUTS].head(), figures=figures)',
)
COLUMNS = {
    "id": {"type": "bigint", "nullable": False},
    "x": {"type": "double", "round": 9},
    "y": "bigint",
    "late": {"type": "boolean", "nullable": False},
}
PARAMETERS = """
trees: int = 5  # trees of the forest
most: int = 1000  # rows at most
"""
NOTEBOOKS = {
    "features/points": notebook(
        "features/points",
        'rows = lake.read("raw.points")',
        'df = rows.selectExpr("cast(id as bigint) id", "cast(x as double) / 3 x", "cast(y as bigint) y", "late = 1 late")',
        'lake.write(df.repartition(3), "features.points")',
    ),
    "models/points": notebook(
        "models/points",
        "figures = {}",
        *TRAIN,
        parameters=PARAMETERS,
        imports="from assets.transforms import learning",
    ),
}
FILES = {"assets/__init__.py": "", "assets/transforms/__init__.py": "", "assets/transforms/learning.py": LEARNING}


@pytest.fixture(scope="module")
def points(warm_workspace: Callable[[str], Workspace]) -> Workspace:
    """Everything but the model, committed to git."""
    made = warm_workspace("points")
    made.write(NOTEBOOKS, {"features.points": contract("features.points", COLUMNS, key=["id"])}, SOURCES, FILES)
    (made.project / ".gitignore").write_text("__pycache__/\n")
    git(made, "init", "--quiet")
    commit(made)
    made.land("raw.points")
    made.run("features/points")
    return made


def git(place: Workspace, *words: str) -> None:
    subprocess.run(["git", "-C", str(place.project), *words], check=True, capture_output=True)


def commit(place: Workspace) -> None:
    git(place, "add", "--all")
    git(place, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "-m", "Points")
