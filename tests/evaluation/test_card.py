"""What a card says where little is known; that of a judged model is looked at in tests/assets/test_notebooks.py."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakehouse import settings
from lakehouse.evaluation import card
from lakehouse.models import Registered
from tests.notebooks import contract, notebook, project

ONE = Registered(
    "models.rides",
    3,
    ("champion",),
    {"features.rides": 7},
    "abc",
    datetime(2013, 5, 2, tzinfo=UTC),
    tags={"lakehouse.run": "r-1", "lakehouse.oddities": "z has one value only", "mlflow.source.git.commit": "0ff1ce"},
)
CONTRACT = {
    "model": "models.rides",
    "purpose": "Which rides | walks are late.",
    "owner": "rides@example.com",
    "ethics": "Nobody's.",
}
JUDGE = notebook("evaluation/rides", 'lake.contest("models.rides")', 'lake.promote("models.rides", evidence)')


@pytest.mark.parametrize(
    ("notebooks", "said"),
    [
        pytest.param({}, "No notebook judges it: nothing was measured.", id="not judged"),
        pytest.param({"evaluation/rides": JUDGE}, "It was not measured yet.", id="not yet judged"),
    ],
)
def test_what_is_not_known_is_said_and_nothing_is_made_up(tmp_path: Path, notebooks: dict, said: str) -> None:  # type: ignore[type-arg]
    folder = project(tmp_path / "project", notebooks, {"models.rides": CONTRACT, "features.rides": contract("features.rides")})
    here = settings.load({"LAKEHOUSE_PROJECT": str(folder), "LAKEHOUSE_ROOT": str(tmp_path / "lake")})
    told = card.render(here, ONE)
    assert told.startswith("# models.rides version 3 (champion)\n\n## Purpose\n\nWhich rides | walks are late.\n")
    titles = [line.removeprefix("## ") for line in told.splitlines() if line.startswith("## ")]
    assert titles == ["Purpose", "Ethics", "Made of", "Results", "Owner"]
    for line in (
        said,
        "- read: features.rides version 7",
        "- odd in its rows: z has one value only",
        "- code: commit 0ff1ce, with",
    ):
        assert line in told
