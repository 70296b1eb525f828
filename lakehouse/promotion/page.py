"""A model's page: what was decided about it and why, as a table, as figures and as a plot. From the ledger; no row is read.

(Dagster's processes read this before they fork, so nothing here may import numpy or pyarrow; the functions do.)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.evaluation.words import GAIN
from lakehouse.names import TableName

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from lakehouse.ledger import Entry

_NEW = ("promoted", "approved", "unjudged")
_COLOURS = {
    "promoted": "tab:green",
    "approved": "tab:green",
    "refused": "tab:red",
    "waiting": "tab:orange",
    "rolled_back": "tab:purple",
    "unjudged": "tab:grey",
}


def history(root: Path, model: TableName) -> list[Entry]:
    """The decisions about a model, the first first."""
    from lakehouse import ledger

    return ledger.entries(root, model)


def said(entry: Entry) -> str:
    """A decision in one line: what, and which gates failed by how much."""
    failed = [f"{gate['name']}: {gate['said']}" for gate in entry.gates if gate["passed"] is False]
    note = f" ({entry.note})" if entry.note else ""
    return "; ".join([f"version {entry.to_version} {entry.action.replace('_', ' ')}{note}", *failed])


def markdown(told: Sequence[Entry]) -> str:
    """The decisions as a table, the newest first."""
    lines = [
        f"| {entry.at:%Y-%m-%d %H:%M} | {entry.to_version} | {entry.action.replace('_', ' ')} | {entry.from_version or ''} "
        f"| {_span(entry)} | {_gain(entry)} | {_why(entry)} | {entry.who} |"
        for entry in reversed(told)
    ]
    head = ["when (UTC)", "version", "decision", "champion till then", "judged on", "gain", "why", "who"]
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *lines])


def figures(entry: Entry) -> dict[str, float]:
    """The numbers of a decision, under names that stay the same: Dagster plots what has the same name."""
    found: dict[str, float] = {
        "champion": float(entry.to_version if entry.action in (*_NEW, "rolled_back") else entry.from_version or 0)
    }
    found["gates failed"] = float(sum(gate["passed"] is False for gate in entry.gates))
    for line in _measures(entry):
        if line["model_version"] == entry.to_version and line["value"] is not None:
            found[line["measure"].replace("_", " ")] = line["value"]
    return found


def frame(told: Sequence[Entry]) -> pd.DataFrame:
    """A row for each decision and measure of all rows: seq, at, action, version, against, through, measure, value, low, high.

    A gain is the challenger's beside its opponent, positive is better.
    """
    import pandas as pd

    rows = [
        {
            "seq": entry.seq,
            "at": entry.at,
            "action": entry.action,
            "version": line["model_version"],
            "against": entry.from_version,
            "through": (entry.evidence.get("months") or [""])[-1],
            **{name: line[name] for name in ("measure", "value", "low", "high")},
        }
        for entry in told
        for line in _measures(entry)
    ]
    columns = ["seq", "at", "action", "version", "against", "through", "measure", "value", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def plot(told: Sequence[Entry], axes: Axes, measure: str = "log_loss") -> None:
    """Draws each judged challenger's gain with its interval, by the last month that it was judged on, coloured by what became
    of it; the line is no gain."""
    shown = frame([entry for entry in told if entry.evidence])
    shown = shown[shown["measure"] == f"{measure}{GAIN}"].reset_index(drop=True)
    axes.axhline(0, color="grey", linewidth=1)
    for action, lines in shown.groupby("action"):
        errors = [(lines["value"] - lines["low"]).to_numpy(), (lines["high"] - lines["value"]).to_numpy()]
        axes.errorbar(
            lines.index.to_numpy(),
            lines["value"].to_numpy(),
            errors,
            fmt="o",
            color=_COLOURS[str(action)],
            label=str(action),
            capsize=3,
        )
    axes.set_xticks(shown.index, [f"{line.version}\n{line.through}" for line in shown.itertuples()])
    axes.set(xlabel="version, judged through", ylabel=f"{measure.replace('_', ' ')} gained")
    if len(shown):
        axes.legend()


def _measures(entry: Entry) -> list[dict[str, Any]]:
    return entry.evidence.get("measures", [])


def _gain(entry: Entry) -> str:
    found = next((line for line in _measures(entry) if line["measure"] == f"log_loss{GAIN}"), None)
    return f"{found['value']:+.4f} ({found['low']:+.4f} to {found['high']:+.4f})" if found else ""


def _span(entry: Entry) -> str:
    months = entry.evidence.get("months") or []
    return f"{months[0]} to {months[-1]}, {entry.evidence['rows']:,} rows" if months else ""


def _why(entry: Entry) -> str:
    failed = [f"**{gate['name']}**: {gate['said']}" for gate in entry.gates if gate["passed"] is False]
    return "; ".join([*([entry.note] if entry.note else []), *failed]).replace("|", "/")
