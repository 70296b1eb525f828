"""The libraries that a model was trained with, and whether they are still those that are here."""

from __future__ import annotations

import json
import sysconfig
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from lakehouse.errors import UntrustedModel
from lakehouse.settings import Settings

TAG = "lakehouse.libraries"
"""The tag of a version that holds the versions of those libraries that its files depend on, as JSON."""
NEEDED = ("scikit-learn", "skops", "numpy", "scipy", "pandas")
_FORM = "scikit-learn"  # whose objects the files hold: it promises nothing between two of its versions


@cache
def installed() -> dict[str, str]:
    """The version of every installed package, by its name as `pip freeze` writes it. Reads names of folders only."""
    found = {}
    for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for path in Path(folder).glob("*.dist-info"):
            name, _, version = path.stem.rpartition("-")
            found[name.replace("_", "-").lower()] = version
    return dict(sorted(found.items()))


def needed() -> dict[str, str]:
    """The versions of the libraries that a model's files depend on."""
    return {name: installed()[name] for name in NEEDED}


def moved(then: Mapping[str, str]) -> dict[str, tuple[str | None, str | None]]:
    """For each package that differs from what it was `then`, its version then and now (None: not there)."""
    now = installed()
    names = sorted({*then, *now})
    return {name: (then.get(name), now.get(name)) for name in names if then.get(name) != now.get(name)}


def refuse_moved(settings: Settings, which: str, tag: str | None) -> None:
    """Raises UntrustedModel for a model of another minor version of scikit-learn, unless the setting allows it."""
    then = json.loads(tag or "{}").get(_FORM)
    now = installed()[_FORM]
    if then is None or settings.moved_libraries == "allow" or _minor(then) == _minor(now):
        return
    raise UntrustedModel(
        f"{which} was trained with {_FORM} {then}, here is {now}: it may predict otherwise, or not at all",
        "Train it again, or set LAKEHOUSE_MOVED_LIBRARIES=allow to load it all the same. Nothing was loaded.",
    )


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]
