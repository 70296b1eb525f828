"""A model of another scikit-learn is refused, unless a setting allows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lakehouse.errors import UntrustedModel
from lakehouse.models import libraries
from lakehouse.settings import Settings

NOW = libraries.installed()["scikit-learn"]
MAJOR, MINOR, PATCH = NOW.split(".")[:3]


@pytest.fixture
def place(tmp_path: Path) -> Settings:
    return Settings(project=tmp_path)


def tag(version: str) -> str:
    return json.dumps({**libraries.needed(), "scikit-learn": version})


@pytest.mark.parametrize("then", [NOW, f"{MAJOR}.{MINOR}.{int(PATCH) + 3}"])
def test_the_same_minor_version_is_loaded(place: Settings, then: str) -> None:
    libraries.refuse_moved(place, "models.m version 1", tag(then))


@pytest.mark.parametrize("then", ["0.24.2", f"{MAJOR}.{int(MINOR) + 1}.0"])
def test_another_is_refused_unless_allowed(place: Settings, then: str) -> None:
    with pytest.raises(UntrustedModel, match=f"models.m version 1 was trained with scikit-learn {then}, here is {NOW}") as caught:
        libraries.refuse_moved(place, "models.m version 1", tag(then))
    assert "LAKEHOUSE_MOVED_LIBRARIES=allow" in caught.value.hint
    libraries.refuse_moved(place.model_copy(update={"moved_libraries": "allow"}), "models.m version 1", tag(then))


def test_a_version_that_does_not_say_is_loaded(place: Settings) -> None:
    libraries.refuse_moved(place, "models.m version 1", None)


def test_what_moved_is_named_with_both_versions() -> None:
    then = {**libraries.installed(), "scikit-learn": "0.1", "gone-since": "3"}
    then.pop("skops")
    assert libraries.moved(then) == {
        "gone-since": ("3", None),
        "scikit-learn": ("0.1", NOW),
        "skops": (None, libraries.installed()["skops"]),
    }
    assert libraries.moved(libraries.installed()) == {}
