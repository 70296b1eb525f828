"""One measure of a batch beside those of other batches, the rule by which it is unusual, and how it is told."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import BaseModel

from lakehouse.contracts.profiling import Kind
from lakehouse.profiles.profile import WHOLE

_FAR = 3


class Measured(BaseModel):
    """`observed` and `usual` (of the reference, lowest and highest) are in the measure's unit: rows, days, shares,
    distances, distinct values. `unusual` makes it a finding, told by `said`; `of` is a value of the contract's `by`, or
    the name of the distance."""

    batch: str
    kind: Kind
    column: str | None = None
    of: str | None = None
    observed: float
    usual: tuple[float, float]
    threshold: float
    unusual: bool
    said: str = ""


def measured(
    batch: str,
    kind: Kind,
    column: str | None,
    observed: Any,
    usual: Any,
    threshold: float,
    unusual: Any,
    said: str,
    of: str | None = None,
) -> Measured:
    low, high = float(np.min(usual)), float(np.max(usual))
    return Measured(
        batch=batch, kind=kind, column=column, of=of, observed=float(observed), usual=(low, high), threshold=threshold,
        unusual=bool(unusual), said=said if unusual else "",
    )  # fmt: skip


def far(usual: Any) -> Any:
    """How far off is unusual, where these deviations are usual (along the first axis): three times the largest but one,
    so that a single odd batch among them does not make the next one usual. 0 of a single one."""
    return _FAR * np.sort(usual, axis=0)[-2] if len(usual) > 1 else 0 * np.asarray(usual[0])


def call(batch: str) -> str:
    """A batch's name in a sentence."""
    return "this write" if batch == WHOLE else batch


def percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def percents(shares: Any) -> str:
    return f"{percent(np.min(shares))} to {percent(np.max(shares))}"
