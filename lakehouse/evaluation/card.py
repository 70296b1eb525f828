"""A version's card: what it is for, what it was made of, how good it is and where not, what was decided about it, as Markdown.

Mitchell et al. 2019, Model Cards for Model Reporting (FAT*, 220-229). Everything in it stands in records: the model's contract,
MLflow's run, the table of evaluations, the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lakehouse import ledger
from lakehouse.atomic import replacing
from lakehouse.evaluation import records
from lakehouse.evaluation.words import ALL, GAIN, GAP, GROUP
from lakehouse.names import TableName
from lakehouse.project import Project
from lakehouse.promotion import contract as contracts
from lakehouse.training import keep as kept

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from lakehouse.ledger import Entry
    from lakehouse.models import Registered
    from lakehouse.settings import Settings

FILE = "card.md"
"""The artifact of its run in which a card is kept."""
_FEW = 5


def keep(settings: Settings, one: Registered) -> Path:
    """Puts the card beside the files of a version, where it stays as long as the model. Returns where."""
    path = kept.artifacts(settings.root, one.name) / one.run / "artifacts" / FILE
    text = render(settings, one)
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")
    return path


def render(settings: Settings, one: Registered) -> str:
    """The card as the records stand now."""
    project, name = Project.load(settings.project), TableName.parse(one.name)
    contract = project.model_contracts.get(name) or contracts.default(name)
    judge = project.judge_of(name)
    told = [each for each in ledger.entries(settings.root, name) if one.version in (each.to_version, each.from_version)]
    lines = records.measured(settings.root, judge) if judge else None
    parts = {
        "Purpose": [contract.purpose],
        "Limits": [contract.limits],
        "Ethics": [contract.ethics],
        "Made of": _bullets(_made_of(one, records.facts(settings.root, one.name, one.run))),
        "Decisions": _table(("when (UTC)", "who", "what", "why"), map(_decision, reversed(told))),
        **(_results(one.version, lines) if lines is not None else {"Results": ["No notebook judges it: nothing was measured."]}),
        "Behaviour": _table(("", "test", "what was seen"), _tests(one.version, told)),
        "Owner": [contract.owner],
    }
    called = f" ({', '.join(one.aliases)})" if one.aliases else ""
    body = [line for title, text in parts.items() if any(text) for line in (f"## {title}", "", *text, "")]
    return "\n".join([f"# {one.name} version {one.version}{called}", "", *body])


def _made_of(one: Registered, facts: Mapping[str, Any]) -> Iterator[str]:
    tags = one.tags
    yield f"trained {one.at:%Y-%m-%d %H:%M} UTC by run {tags.get('lakehouse.run', '?')}" if one.at else "when is not recorded"
    sets = [line for line in tags.get("lakehouse.training_set", "").split("; ") if line]
    yield from (f"read: {line}" for line in sets or [f"{table} version {version}" for table, version in one.inputs.items()])
    parameters = ", ".join(f"{name} = {value}" for name, value in facts.get("parameters", {}).items())
    if parameters:
        yield f"parameters: {parameters}"
    yield from (f"odd in its rows: {line}" for line in tags.get("lakehouse.oddities", "").split("; ") if line)
    yield from (f"left to chance: {line}" for line in tags.get("lakehouse.left_to_chance", "").split("; ") if line)
    if commit := tags.get("mlflow.source.git.commit"):
        clean = tags.get("lakehouse.git.clean") == "true"
        yield f"code: commit {commit}{'' if clean else ', with changes that were not committed'}"
    if "packages" in facts:
        yield f"Python {facts.get('python')}, scikit-learn {facts['packages'].get('scikit-learn', '?')}"


def _decision(entry: Entry) -> tuple[str, ...]:
    failed = [f"{gate['name']}: {gate['said']}" for gate in entry.gates if gate["passed"] is False]
    what = f"version {entry.to_version} {entry.action.replace('_', ' ')}"
    return f"{entry.at:%Y-%m-%d %H:%M}", entry.who, what, "; ".join([entry.note] * bool(entry.note) + failed)


def _results(version: int, lines: pd.DataFrame) -> dict[str, list[str]]:
    """Of the last contest in which it was the challenger, else of the last rows it was measured on."""
    own = lines[lines["model_version"] == version]
    gains = own[own["measure"].str.endswith(GAIN)]
    if own.empty:
        return {"Results": ["It was not measured yet."]}
    through = (gains if len(gains) else own)["through"].max()
    own, gains = own[own["through"] == through], gains[gains["through"] == through]
    whole = own[own["slice_kind"] == ALL]
    sliced = gains[(gains["measure"] == f"log_loss{GAIN}") & ~gains["slice_kind"].isin([ALL, "month"])].sort_values("value")
    groups = own[own["slice_kind"].str.startswith(GROUP) & (own["slice"] == GAP)]
    months = ", ".join(sorted(own[own["slice_kind"] == "month"]["slice"].unique()))
    met = gains["against"].max() if len(gains) else 0
    head = f"On {months or f'months up to {through}'}; gains are over {f'version {met}' if met else 'the base rate'}. "
    head += "In brackets the interval of 95 percent, from whole days drawn anew."
    return {
        "Results": [head, "", *_table(("measure", "value", "rows"), _values(whole, "measure"))],
        "Where it gains least": _table(("slice", "log loss gain", "rows"), _values(sliced.head(_FEW), "slice_kind", "slice")),
        "Where it gains most": _table(("slice", "log loss gain", "rows"), _values(sliced.tail(_FEW)[::-1], "slice_kind", "slice")),
        "Groups": _table(("largest difference", "value", "rows"), _values(groups, "slice_kind", "measure")),
    }


def _values(lines: pd.DataFrame, *names: str) -> Iterator[tuple[str, ...]]:
    for line in lines.to_dict("records"):
        name = " ".join(str(line[each]) for each in names).removeprefix("found ").removeprefix(GROUP).replace("_", " ")
        interval = "" if line["low"] != line["low"] else f" ({line['low']:.4g} to {line['high']:.4g})"
        yield name, f"{line['value']:.4g}{interval}", f"{line['rows']:,}"


def _tests(version: int, told: Sequence[Entry]) -> Iterator[tuple[str, ...]]:
    """By the last entry that was made of an evaluation of this version."""
    made = [entry.evidence for entry in told if entry.to_version == version and "behaviour" in entry.evidence]
    for test in [*made[-1]["behaviour"], *made[-1]["edge_cases"]] if made else ():
        yield {True: "✓", False: "✗", None: "·"}[test["passed"]], test["name"], test["said"]


def _bullets(lines: Iterable[str]) -> list[str]:
    return [f"- {line}" for line in lines]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(cell.replace('|', '/').replace(chr(10), ' ') for cell in row)} |" for row in rows]
    return [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *lines] if lines else []
