"""Models: logged to MLflow with what they were made of, registered as versions, loaded only when untampered.

The only package that imports MLflow. Models are stored by skops, not pickle: loading one runs no code of its
file, only types from the reviewed list in `trust`; and its files' digest is checked before they are opened.
"""

from lakehouse.models.facts import in_words
from lakehouse.models.libraries import moved
from lakehouse.models.loading import LoadedModel, load
from lakehouse.models.registry import CHAMPION, Registered, facts_of, find, recheck, registered
from lakehouse.models.store import settle, tracking_uri
from lakehouse.models.tracking import log
from lakehouse.models.trust import TRUSTED_TYPES

__all__ = [
    "CHAMPION",
    "TRUSTED_TYPES",
    "LoadedModel",
    "Registered",
    "facts_of",
    "find",
    "in_words",
    "load",
    "log",
    "moved",
    "recheck",
    "registered",
    "settle",
    "tracking_uri",
]
