from __future__ import annotations

from pathlib import Path

from lakehouse import inputs, making, record
from lakehouse.names import TableName
from lakehouse.project import Project
from lakehouse.record import ModelVersion, Result

MODEL = TableName("models", "things")


def test_of_two_trainings_that_overlap_the_newest_is_the_last_to_register(tmp_path: Path) -> None:
    project = Project.load(tmp_path)
    assert inputs.newest_model(project, tmp_path, MODEL) is None
    for run_id, version in (("20130101T000000", 1), ("20130102T000000", 3), ("20130103T000000", 2)):
        made = ModelVersion(name=MODEL.dotted, version=version, run_id=run_id)
        kept = Result(run_id=run_id, asset=MODEL.dotted, models=[made])
        record.save(record.folder(tmp_path, MODEL, run_id) / record.RESULT, kept)
    found = inputs.newest_model(project, tmp_path, MODEL)
    assert found is not None and (found.version, found.run_id) == (3, "20130102T000000")
    assert [made.version for made in making.makings(project, tmp_path, MODEL)] == [3, 2, 1]
