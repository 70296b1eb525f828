"""Which files of a model are opened: those whose digest was registered, holding types that were reviewed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from lakehouse.errors import UntrustedModel

DIGEST = "lakehouse.digest"
"""The tag of a version that holds its files' digest."""

_BACK = "go back to the champion before (`lakehouse models rollback`)"
RESTORE = f"Restore them from a backup, train again, or {_BACK}. Nothing was loaded."

# Types beyond skops's own list that a stored model may hold. Each is data (arrays, numbers, structure) and, when
# restored, calls nothing that the file could choose. A partial can only call a function that is itself trusted, and
# of those there is one: it checks an array (boosted trees with categories hold it).
TRUSTED_TYPES = [
    "numpy.dtype",
    "collections.defaultdict",
    "functools.partial",
    "sklearn._loss._loss.CyHalfBinomialLoss",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.compose._column_transformer._RemainderColsList",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
]


def digest(folder: Path) -> str:
    """SHA-256 over the names and bytes of a model's files."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def opened(files: Path, registered: str, whose: str) -> Any:
    """The estimator in a model's folder `files`, if they have the digest that was `registered` of `whose` version.

    Raises UntrustedModel where they do not, or hold types that are not on the list.
    """
    hold(files, registered, whose)
    return restore(files)


def hold(files: Path, registered: str, whose: str) -> None:
    """Raises UntrustedModel where the files are not there, or do not have the digest that was `registered`."""
    if not files.is_dir():
        raise UntrustedModel(f"The files of {whose} are gone: {files}", RESTORE)
    if digest(files) != registered:
        raise UntrustedModel(
            f"The files of {whose} are not those that were registered ({files})",
            f"They were altered or damaged. {RESTORE}",
        )


def restore(files: Path) -> Any:
    """The estimator in a model's folder. Raises UntrustedModel for types that are not on the list."""
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return skops.io.load(files / "model.skops", trusted=TRUSTED_TYPES)
    except UntrustedTypesFoundException as error:
        raise UntrustedModel(f"{files} holds types that are not trusted: {error}", "Nothing was loaded.") from None
