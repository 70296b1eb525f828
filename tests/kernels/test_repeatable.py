"""Seeds and threads of kernels: the same in every run, warm or cold."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lakehouse.kernels import preload, repeatable
from lakehouse.kernels.provisioner import WarmProvisioner
from lakehouse.settings import Settings


def variables(tmp_path: Path, target: str, threads: int = 1, **environ: str) -> dict[str, str]:
    """Those of a kernel that a client with this environment starts."""
    provisioner = WarmProvisioner()
    provisioner._settings, provisioner.target = Settings(project=tmp_path, kernel_threads=threads), target
    return provisioner._environment(environ)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({"target": "lake"}, "1", id="a run"),
        pytest.param({"target": "lake", "threads": 4}, "4", id="a setting"),
        pytest.param({"target": "lake", "OMP_NUM_THREADS": "2"}, "2", id="the user's own"),
        pytest.param({"target": "sandbox"}, None, id="exploring may use all cores"),
    ],
)
def test_threads(tmp_path: Path, given: dict, expected: str | None) -> None:
    assert variables(tmp_path, **given).get("OMP_NUM_THREADS") == expected


@pytest.mark.parametrize("target", ["lake", "sandbox"])
def test_sets_have_one_order_in_every_kernel(tmp_path: Path, target: str) -> None:
    """A cold kernel is given its variables at its start; a warm one has the hash seed of the process it is forked from."""
    warm, cold = preload.environment(), variables(tmp_path, target)
    assert warm["PYTHONHASHSEED"] == cold["PYTHONHASHSEED"] == "0"
    ask = [sys.executable, "-c", "print({'late', 'punctual', 'cancelled', 'diverted'})"]
    said = {subprocess.run(ask, env={**environ}, capture_output=True, text=True, check=True).stdout for environ in (warm, cold)}
    assert len(said) == 1


def test_the_same_numbers_are_drawn_after_the_seeds_are_set() -> None:
    drawn = []
    for _ in range(2):
        repeatable.seed()
        drawn.append((random.random(), np.random.rand()))
    assert drawn[0] == drawn[1]


def test_what_is_left_to_chance_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in repeatable.environment(1).items():
        monkeypatch.setenv(name, value)
    assert repeatable.left_to_chance() == []
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    monkeypatch.delenv("PYTHONHASHSEED")
    assert [words.split(":")[0] for words in repeatable.left_to_chance()] == ["Python's hash seed is not set", "threads"]
