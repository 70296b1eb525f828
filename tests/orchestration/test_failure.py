import dagster as dg
import pytest

from lakehouse.errors import AuditFailed, CellFailed, LakehouseError, SparkLost
from lakehouse.orchestration import failure

CELL = CellFailed("silver/a, cell 5 (1/0): ZeroDivisionError: division by zero", "See the notebook.", "run/notebook.ipynb")


def events_of(error: LakehouseError) -> list[dg.DagsterEvent]:
    @dg.asset
    def broken(context: dg.AssetExecutionContext) -> None:
        raise failure.failed(error, {"notebook": dg.MetadataValue.notebook("safe.ipynb")}, context.retry_number)

    result = dg.materialize([broken], raise_on_error=False)
    return list(result.all_events)


def test_a_failure_shows_the_cells_error_first_and_no_frames() -> None:
    (event,) = [event for event in events_of(CELL) if event.is_step_failure]
    data = event.step_failure_data
    assert data.error.message.startswith("silver/a, cell 5 (1/0): ZeroDivisionError")
    assert (data.error.stack, data.error.cause) == ([], None)
    assert data.user_failure_data.metadata["notebook"].value == "safe.ipynb"


@pytest.mark.parametrize(("error", "attempts"), [(CELL, 1), (AuditFailed("2 checks failed"), 1), (SparkLost("gone"), 3)])
def test_only_what_is_transient_is_tried_again(error: LakehouseError, attempts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failure, "RETRY_SECONDS", 0)
    events = events_of(error)
    assert 1 + sum(event.event_type_value == "STEP_RESTARTED" for event in events) == attempts
    assert sum(event.is_step_failure for event in events) == 1
