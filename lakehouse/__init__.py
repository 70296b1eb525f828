"""A notebook-first lakehouse: each notebook is an asset that says itself what it reads and writes.

    import lakehouse
    from lakehouse import month

    lake = lakehouse.open("silver/flights")

Only the standard library is imported here, and that lazily: `python3 -m lakehouse` runs this file with whatever
Python the machine has, before any environment exists. So it also stays readable by an old Python 3.
"""

__all__ = ["Folder", "Source", "Stream", "month", "open"]

_HOME = {
    "Folder": "lakehouse.ingest.folder",
    "Source": "lakehouse.source",
    "Stream": "lakehouse.source",
    "month": "lakehouse.partitions",
    "open": "lakehouse.lake",
}

TYPE_CHECKING = False  # what type checkers take for true, without importing typing
if TYPE_CHECKING:
    from lakehouse.ingest.folder import Folder
    from lakehouse.lake import open
    from lakehouse.partitions import month
    from lakehouse.source import Source, Stream


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError("module 'lakehouse' has no attribute {!r}".format(name))
    import importlib

    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(set(globals()) | set(__all__))
