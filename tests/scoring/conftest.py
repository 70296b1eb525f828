from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.scoring.project import CONTRACTS, NOTEBOOKS
from tests.workspace import Workspace

JANUARY, FEBRUARY = "2013-01", "2013-02"


@pytest.fixture(scope="session")
def things(new_workspace: Callable[[str], Workspace]) -> Workspace:
    """Two months of features, of which January's outcomes are known, the first version of the model, and their scores."""
    made = new_workspace("scoring")
    made.write(NOTEBOOKS, CONTRACTS)
    made.run("features/things", months=[JANUARY])
    made.run("features/things", months=[FEBRUARY], known=False)
    made.run("models/things")
    made.run("scores/things", months=[JANUARY, FEBRUARY])
    return made
