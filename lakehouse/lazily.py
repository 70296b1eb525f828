"""A package's names, looked up in its modules when they are first asked for: importing the package imports none of them.

PEP 562: https://peps.python.org/pep-0562/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def attributes(package: str, modules: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """The `__getattr__` of a `package` whose names stand in `modules`, {"trial": ("evaluate",)}. It raises AttributeError."""

    def find(name: str) -> Any:
        for module, names in modules.items():
            if name in names:
                return getattr(import_module(f"{package}.{module}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find
