"""What the lake's records tell of versions that meet: read as files, without MLflow and Spark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse import deltafiles, deltalog, tables
from lakehouse.errors import EvaluationError
from lakehouse.models.facts import FILE
from lakehouse.names import TableName
from lakehouse.training import keep

if TYPE_CHECKING:
    import pandas as pd

    from lakehouse.evaluation.trial import Contest
    from lakehouse.lake import Lake


def trained_with(lake: Lake, contest: Contest, parameter: str) -> dict[int, str]:
    """By version, the value that a parameter of its training notebook had, as text. Raises EvaluationError for a version of which
    it was not recorded."""
    found = {}
    for model in (contest.challenger, contest.champion):
        if model is not None:
            told = facts(lake._root, model.name, model.run_id).get("parameters", {})
            if parameter not in told:
                raise _unrecorded(model.name, model.version, parameter, told)
            found[model.version] = str(told[parameter])
    return found


def _unrecorded(name: str, version: int, parameter: str, told: dict[str, Any]) -> EvaluationError:
    what = f"With which {parameter} {name} version {version} was trained is not recorded"
    there = f"Recorded are {', '.join(told)}: name one of these" if told else "Nothing of its training is recorded"
    return EvaluationError(what, f"{there}, or give evaluate what you know: trained_until={{{version}: …}} has the last month.")


def facts(root: Path, model: str, run: str) -> dict[str, Any]:
    """What was recorded of the training of a version (MLflow's `run` says which); empty where nothing was."""
    try:
        return json.loads((keep.artifacts(root, model) / run / "artifacts" / FILE).read_text())
    except (OSError, ValueError):
        return {}


def measured(root: Path, table: TableName) -> pd.DataFrame:
    """The rows of a table of evaluations as it stands; none where it was not built yet. Raises LakeError."""
    import pandas as pd
    from pyarrow import parquet

    from lakehouse.evaluation.sheet import COLUMNS

    path = tables.lake_path(root, table)
    files = deltafiles.current(path) if deltalog.latest(path) is not None else []
    parts = [parquet.ParquetFile(file.path).read().to_pandas() for file in files]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)
