"""Whether anything can be learnt from rows: told before an hour of training, not after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lakehouse.errors import TrainingError

if TYPE_CHECKING:
    import pandas as pd

_FEW = 5


def examine(inputs: pd.DataFrame, outcome: pd.Series, at_least: int) -> list[str]:
    """What is odd about `inputs` (rows, features) and their `outcome` (rows,), a phrase each.

    Missing values are allowed among inputs. Raises TrainingError for fewer rows than `at_least`, an outcome that is
    missing or the same everywhere, infinite values, and features without any value.
    """
    if len(inputs) != len(outcome):
        raise TrainingError(f"There are {len(inputs):,} rows of features and {len(outcome):,} outcomes", "Give one for each.")
    if len(inputs) < at_least:
        hint = "Read more partitions or a longer past; if so few are enough, say so: at_least=…"
        raise TrainingError(f"{len(inputs):,} rows to train on are not enough: at least {at_least:,} are wanted", hint)
    _outcome(outcome)
    numbers = inputs.select_dtypes("number")
    infinite = numbers.columns[numbers.abs().max() == float("inf")]
    if len(infinite):
        hint = "Divide by nothing that can be zero, or make it missing: .replace([inf, -inf], nan)."
        raise TrainingError(f"{_named(infinite)} hold infinite values", hint)
    seen = inputs.nunique()
    vanished = seen.index[seen == 0]
    if len(vanished):
        hint = "What they are made of has failed, or lacks for these months: mend it, or train without them."
        raise TrainingError(f"{_named(vanished)} hold no value in any of {len(inputs):,} rows", hint)
    constant = seen.index[seen == 1]
    return [f"{name} has one value only in all {len(inputs):,} rows" for name in constant if inputs[name].notna().all()]


def _outcome(outcome: pd.Series) -> None:
    name = f"outcome {outcome.name}" if outcome.name else "outcome"
    missing = int(outcome.isna().sum())
    if missing:
        raise TrainingError(
            f"The {name} is missing in {missing:,} of {len(outcome):,} rows", "Leave out rows whose outcome is not known."
        )
    values = outcome.unique()
    if len(values) < 2:
        raise TrainingError(
            f"The {name} is {values[0]} in all {len(outcome):,} rows", "Nothing can be told apart: read a longer past."
        )
    if outcome.dtype.kind == "f" and outcome.abs().max() == float("inf"):
        raise TrainingError(f"The {name} holds infinite values", "Nothing can be learnt towards them: leave those rows out.")


def refuse_ill(model: Any, metrics: dict[str, float], name: object) -> None:
    """Raises TrainingError for a fitted model that knows one class only, or a metric that is no number."""
    classes = getattr(model, "classes_", None)
    if classes is not None and len(classes) < 2:
        raise TrainingError(f"{name} knows one class only, {classes[0]}", "Its training rows had no other: read a longer past.")
    for metric, value in metrics.items():
        if not -float("inf") < value < float("inf"):
            hint = "It was computed of no rows, of one class, or of predictions that are none: nothing was registered."
            raise TrainingError(f"{name}: the metric {metric} is {value}", hint)


def _named(names: Any) -> str:
    shown = ", ".join(map(str, names[:_FEW]))
    return shown if len(names) <= _FEW else f"{shown} and {len(names) - _FEW} more"
