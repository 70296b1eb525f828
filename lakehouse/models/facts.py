"""What is known of a training run when its model is logged: enough to do it again."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse import code, deltalog, tables
from lakehouse.models import libraries
from lakehouse.names import TableName
from lakehouse.record import Result
from lakehouse.training.rows import TrainingSet

if TYPE_CHECKING:
    from lakehouse.models.registry import Registered

FILE = "lakehouse.json"
"""The artifact of a run in which they are kept."""


def facts(project: Path, result: Result, metrics: Mapping[str, float], training: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON: the asset and its run, parameters, inputs, code by part, the commit, packages, metrics and the training."""
    return {
        "asset": result.asset,
        "run": result.run_id,
        "parameters": result.parameters,
        "partitions": result.partitions,
        "inputs": result.inputs,
        "code": result.code,
        "git": git(project),
        "python": platform.python_version(),
        "packages": libraries.installed(),
        "metrics": dict(metrics),
        "training": dict(training),
    }


def tags(found: Mapping[str, Any]) -> dict[str, str]:
    """The same in few words, to be read and searched in MLflow."""
    training, git_ = found["training"], found["git"]
    told = {
        "lakehouse.run": found["run"],
        "lakehouse.asset": found["asset"],
        "lakehouse.code": code.identity_of(found["code"]),
        "lakehouse.environment": found["code"].get(code.LOCK, ""),
        "lakehouse.python": found["python"],
        "lakehouse.training_set": "; ".join(str(TrainingSet(**one)) for one in training.get("sets", ())),
        "lakehouse.oddities": "; ".join(training.get("oddities", ())),
        "lakehouse.left_to_chance": "; ".join(training.get("left_to_chance", ())),
        "mlflow.source.git.commit": git_.get("commit", ""),
        "lakehouse.git.clean": str(git_["clean"]).lower() if git_ else "",
    }
    return {name: words[:5000] for name, words in told.items() if words}


def in_words(one: Registered, known: Mapping[str, Any], moved: Mapping[str, tuple[str | None, str | None]]) -> dict[str, list[str]]:
    """What is known of a version, by subject, a line each; `moved` are packages that are others now than then."""
    tags = one.tags
    sets = tags.get("lakehouse.training_set", "").split("; ")
    commit = tags.get("mlflow.source.git.commit", "")
    dirty = "" if tags.get("lakehouse.git.clean") == "true" else ", with changes that were not committed"
    return {
        "metrics": [f"{name} {value:.6g}" for name, value in sorted(one.metrics.items())],
        "parameters": [f"{name} = {value}" for name, value in known.get("parameters", {}).items()],
        "training set": [line for line in sets if line] or [f"{name} version {number}" for name, number in one.inputs.items()],
        "odd in it": [line for line in tags.get("lakehouse.oddities", "").split("; ") if line],
        "left to chance": [line for line in tags.get("lakehouse.left_to_chance", "nothing" * bool(known)).split("; ") if line],
        "code": [f"commit {commit}{dirty}"] * bool(commit) + [f"identity {tags.get('lakehouse.code', '?')[:16]}"],
        "environment": [
            f"Python {known['python']}, lock {tags.get('lakehouse.environment', '?')[:16]}" if known else "not recorded",
            *(f"{name} {then or 'was not there'}, now {now or 'gone'}" for name, (then, now) in moved.items()),
        ],
        "it took": [f"{name.replace('_', ' ')} {value:.1f}" for name, value in sorted(one.used.items())],
    }


def git(project: Path) -> dict[str, Any]:
    """The commit the project stands at and whether anything differs from it; nothing outside a git checkout."""

    def ask(*words: str) -> str | None:
        done = subprocess.run(["git", "-C", str(project), *words], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    commit = ask("rev-parse", "HEAD")
    return {"commit": commit, "clean": ask("status", "--porcelain") == ""} if commit else {}


def table_digest(root: Path, table: TableName, version: int) -> str:
    """What tells this version of a table from any other, also of another lake: SHA-256 of its commit, 16 digits of it."""
    commit = deltalog.commit_path(tables.lake_path(root, table), version)
    content = commit.read_bytes() if commit.exists() else f"{table}@{version}".encode()
    return hashlib.sha256(content).hexdigest()[:16]
