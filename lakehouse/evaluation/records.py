"""What the lake's records tell of versions that meet: read as files, without MLflow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.training import keep

if TYPE_CHECKING:
    from lakehouse.evaluation.trial import Contest
    from lakehouse.lake import Lake


def trained_with(lake: Lake, contest: Contest, parameter: str) -> dict[int, str]:
    """By version, the value that a parameter of its training notebook had, as text; without those of which it was not recorded."""
    found = {}
    for model in (contest.challenger, contest.champion):
        if model is not None and parameter in (told := facts(lake._root, model).get("parameters", {})):
            found[model.version] = str(told[parameter])
    return found


def facts(root: Path, model: Any) -> dict[str, Any]:
    """What was recorded of the training of a version (its `name` and `run_id` say which); empty where nothing was."""
    try:
        return json.loads((keep.artifacts(root, model.name) / model.run_id / "artifacts" / "lakehouse.json").read_text())
    except (OSError, ValueError):
        return {}
