"""A search over parameters: a few drawn at random, each tried, all of them kept, within a budget.

Random search beats a grid where few of the parameters matter (Bergstra and Bengio 2012, JMLR 13:281-305).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lakehouse.errors import TrainingError

if TYPE_CHECKING:
    import pandas as pd

Space = Mapping[str, Any]
"""By parameter a list of values, or a distribution of scipy.stats."""
Attempt = Callable[[dict[str, Any]], Mapping[str, float]]
"""Trains with these parameters and gives metrics, measured on rows that it was not trained on."""


@dataclass(frozen=True)
class Try:
    """One set of parameters, what it reached, when it began (seconds since 1970) and took; `failed` says why it did not."""

    parameters: dict[str, Any]
    metrics: dict[str, float]
    began: float
    seconds: float
    failed: str = ""


@dataclass
class Search:
    """The tries in their order. The best is the one with the lowest `metric` (the highest with `largest`)."""

    metric: str
    largest: bool
    tries: list[Try] = field(default_factory=list)
    stopped: str = ""

    @property
    def best(self) -> Try:
        """The first of the best. Raises TrainingError where none ended well."""
        done = [one for one in self.tries if not one.failed]
        if not done:
            why = self.tries[-1].failed if self.tries else "there was none"
            raise TrainingError(f"None of {len(self.tries)} tries ended well: {why}", "Run one by hand to see where it fails.")
        return min(done, key=lambda one: -one.metrics[self.metric] if self.largest else one.metrics[self.metric])

    @property
    def parameters(self) -> dict[str, Any]:
        """Those of the best."""
        return self.best.parameters

    @property
    def table(self) -> pd.DataFrame:
        """A row for each try: its parameters, metrics and seconds; the best first."""
        import pandas as pd

        found = pd.DataFrame([{**one.parameters, **one.metrics, "seconds": round(one.seconds, 2)} for one in self.tries])
        return found.sort_values(self.metric, ascending=not self.largest, kind="stable")


def search(
    attempt: Attempt,
    space: Space,
    *,
    metric: str,
    largest: bool = False,
    tries: int = 10,
    seconds: float | None = None,
    seed: int = 0,
    first: Sequence[Mapping[str, Any]] = (),
) -> Search:
    """Tries those in `first`, then others of `space`, `tries` in all, and begins none after `seconds`; each is told.

    Which are tried depends on `seed` alone, how many also on the clock where `seconds` are given. A try that fails, or
    whose metric is no number, is kept as failed. Raises TrainingError where all do.
    """
    found, began = Search(metric, largest), time.monotonic()
    for number, parameters in enumerate(_drawn(space, tries, seed, first), start=1):
        if seconds is not None and found.tries and time.monotonic() - began > seconds:
            found.stopped = f"the search ended by the clock, after {number - 1} of {tries} tries in {seconds:g} s"
            print(found.stopped)
            break
        found.tries.append(_try(attempt, parameters, metric))
        _tell(found, number, tries)
    found.best  # noqa: B018 (raises where there is none)
    return found


def _drawn(space: Space, tries: int, seed: int, first: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    from sklearn.model_selection import ParameterGrid, ParameterSampler

    lists = all(isinstance(values, (list, tuple)) for values in space.values())
    there = len(ParameterGrid({name: list(values) for name, values in space.items()})) if lists else tries
    drawn = [dict(one) for one in first]
    for one in ParameterSampler(dict(space), min(tries, there), random_state=seed):
        plain = {name: getattr(value, "item", lambda value=value: value)() for name, value in sorted(one.items())}
        if plain not in drawn:
            drawn.append(plain)
    return drawn[:tries]


def _try(attempt: Attempt, parameters: dict[str, Any], metric: str) -> Try:
    wall, began, metrics, failed = time.time(), time.monotonic(), {}, ""
    try:
        metrics = {name: float(value) for name, value in attempt(dict(parameters)).items()}
        if metric not in metrics:
            failed = f"it gave no {metric}, only {', '.join(metrics) or 'nothing'}"
        elif metrics[metric] != metrics[metric]:
            failed = f"its {metric} is no number"
    except Exception as error:
        failed = f"{type(error).__name__}: {error}"
    return Try(parameters, metrics, wall, time.monotonic() - began, failed)


def _tell(found: Search, number: int, tries: int) -> None:
    last = found.tries[-1]
    said = f"failed: {last.failed}" if last.failed else f"{found.metric} {last.metrics[found.metric]:.5g}"
    best = "" if all(one.failed for one in found.tries) else f", best {found.best.metrics[found.metric]:.5g}"
    print(f"try {number} of {tries}, {last.seconds:.1f} s: {said}{best}  {last.parameters}")
