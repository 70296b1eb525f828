"""Models: logged to MLflow with what they were made of, registered as versions, loaded only when untampered.

The only package that imports MLflow. Models are stored by skops, not pickle: loading one runs no code of its
file, only types from the reviewed list in `trust`; and its files' digest is checked before they are opened.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

# Looked up when asked for: Spark's workers need `trust` alone, and MLflow takes seconds.
_FROM = {
    "facts": ("in_words",),
    "libraries": ("moved",),
    "loading": ("LoadedModel", "StoredModel", "load", "locate"),
    "projection": ("astray", "follow"),
    "registry": ("CHAMPION", "Registered", "aliases", "facts_of", "find", "recheck", "registered"),
    "store": ("settle", "tracking_uri"),
    "tracking": ("log",),
    "trust": ("TRUSTED_TYPES",),
}
__all__ = [name for names in _FROM.values() for name in names]


def __getattr__(name: str) -> Any:
    for module, names in _FROM.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
