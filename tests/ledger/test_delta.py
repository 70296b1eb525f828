"""The ledger is a Delta table as any other to who reads it, and Delta refuses to change its rows."""

from __future__ import annotations

import pytest

from lakehouse import ledger, tables
from lakehouse.errors import LakehouseError
from lakehouse.ledger import audit
from lakehouse.names import PROMOTIONS
from tests.ledger.conftest import MODEL
from tests.ledger.test_recording import promote
from tests.workspace import Workspace


def test_spark_reads_it_and_cannot_change_it(workspace: Workspace) -> None:
    from pyspark.errors import PySparkException

    from lakehouse.spark.session import connect

    promote(workspace.settings, 1, None, evidence={"log_loss": 0.4}, note="first")
    last = promote(workspace.settings, 2, 1)
    assert workspace.rows("monitoring.promotions", "seq, model, from_version, to_version, evidence, note, hash") == [
        (1, "models.m", None, 1, '{"log_loss":0.4}', "first", last.previous_hash),
        (2, "models.m", 1, 2, "{}", "", last.hash),
    ]
    spark = connect(workspace.settings)
    try:
        at = tables.at(tables.lake_path(workspace.root, PROMOTIONS))
        for change in (f"delete from {at} where seq = 1", f"update {at} set to_version = 1"):
            with pytest.raises(PySparkException, match="append"):
                spark.sql(change).collect()
        spark.sql(f"optimize {at}").collect()
    finally:
        spark.stop()
    assert ledger.champion(workspace.root, MODEL) == 2 and list(audit.look(workspace.settings)) == []
    assert promote(workspace.settings, 3, 2).seq == 3 == len(ledger.entries(workspace.root))


def test_it_is_restored_to_nothing_older(workspace: Workspace) -> None:
    from lakehouse import restore
    from lakehouse.project import Project

    workspace.write({}, {})
    with pytest.raises(LakehouseError, match=r"monitoring\.promotions cannot be restored"):
        restore.restore(Project.load(workspace.project), workspace.settings, PROMOTIONS, 0)
