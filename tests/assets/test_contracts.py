from __future__ import annotations

from pathlib import Path

import pytest

from assets.transforms import delay_model
from lakehouse import contract as contracts

FOLDER = Path(__file__).parents[2] / "assets" / "contracts"
PATHS = sorted(path for path in FOLDER.glob("*/*.yaml") if path.parent.name != "models")


@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_every_column_is_described_and_every_expectation_has_its_reason(path: Path) -> None:
    contract = contracts.load(path)
    assert [name for name, column in contract.columns.items() if not column.description] == []
    assert [one.type for one in contract.expectations if not one.reason] == []
    assert [one.to for one in contract.references if not one.reason] == []
    assert contract.owner


def test_every_input_of_the_model_says_why_it_is_known() -> None:
    columns = contracts.load(FOLDER / "features" / "flight_departure.yaml").columns
    assert [name for name in delay_model.INPUTS if "Known" not in columns[name].description] == []
