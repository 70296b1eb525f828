"""Models: logged to MLflow with what they were made of, registered as versions, loaded only when untampered.

The only package that imports MLflow. Models are stored by skops, not pickle: loading one runs no code of its
file, only types from the reviewed list in `trust`; and its files' digest is checked before they are opened.
"""

from __future__ import annotations

from lakehouse import lazily

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
__getattr__ = lazily.attributes(__name__, _FROM)
