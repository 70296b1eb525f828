"""Commands on registered models: list, show, reproduce. (Who is champion: see promotion.)"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakehouse.cli import compare, promotion
from lakehouse.cli.history import console_of_whole_lines, print_tree, when
from lakehouse.cli.retrain import retrain

if TYPE_CHECKING:
    from rich.tree import Tree

    from lakehouse.ledger import Head
    from lakehouse.models import Registered
    from lakehouse.settings import Settings
    from lakehouse.training.reproduce import Verdict

_METRICS = 3
_FEW = 10
_VERSION = typer.Argument(metavar="MODEL[/VERSION|@ALIAS]", help="flight_delay/7, flight_delay@champion; alone: the champion")


def register(app: typer.Typer) -> None:
    about = "Registered models: which there are, what they were made of, which is champion and why."
    group = typer.Typer(help=about, no_args_is_help=True)
    group.command("list")(listing)
    group.command("show")(show)
    group.command("reproduce")(reproduce)
    group.command("retrain")(retrain)
    group.command("compare")(compare.compare)
    group.command("card")(compare.card)
    promotion.register(group)
    app.add_typer(group, name="models")


def listing(as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False) -> int:
    """List every version, the newest first: aliases, what was decided about it last, on what it was trained, how well it did."""
    found = _registered()
    decided = _decided(found)
    if as_json:
        said = [decided.get((one.name, one.version)) for one in found]
        told = [{**_plain(one), "decision": head and head.model_dump(mode="json")} for one, head in zip(found, said, strict=True)]
        print(json.dumps(told, indent=1, default=str))
        return 0
    if not found:
        print("No model is registered yet. `lakehouse run 'models/*'` trains those that the project has.")
        return 0
    from rich import box
    from rich.table import Table

    from lakehouse import models, settings

    now = settings.load()
    columns = ("model", "version", "aliases", "decided", "trained", "on", "metrics")
    table = Table(*columns, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for one in found:
        head = decided.get((one.name, one.version))
        decision = f"{head.action.replace('_', ' ')} {when(head.at)}" if head else ""
        told = models.facts_of(now, one).get("metrics") or one.metrics  # in the notebook's order, where that is known
        metrics = ", ".join(f"{name} {value:.4g}" for name, value in list(told.items())[:_METRICS])
        on = ", ".join(f"{name}@{version}" for name, version in one.inputs.items())
        trained = when(one.at) if one.at else ""
        table.add_row(one.name, str(one.version), ", ".join(one.aliases), decision, trained, on, metrics)
    console_of_whole_lines().print(table)
    return 0


def _registered() -> list[Registered]:
    from lakehouse import settings

    now = settings.load()
    if not (now.root / "mlflow" / "mlflow.db").exists():
        return []
    from lakehouse import models

    models.settle(now)
    return sorted(models.registered(now), key=lambda one: (one.name, -one.version))


def _decided(found: list[Registered]) -> dict[tuple[str, int], Head]:
    """What was decided last about each version."""
    from lakehouse import ledger, settings

    heads = ledger.heads(settings.load().root) if found else []
    return {(head.model, head.to_version): head for head in heads}


def _plain(one: Registered) -> dict[str, Any]:
    return {**asdict(one), "at": one.at.isoformat() if one.at else None}


def show(
    which: Annotated[str, _VERSION],
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> int:
    """Tell of one version: metrics, training set, code, environment, aliases."""
    from lakehouse import models, settings
    from lakehouse.training.which import Which

    now, wanted = settings.load(), Which.parse(which)
    _refuse_none(now, wanted)
    found = models.find(now, wanted.model, wanted.version)
    facts = models.facts_of(now, found)
    if as_json:
        print(json.dumps({**_plain(found), "facts": facts}, indent=1, default=str))
        return 0
    print_tree(_tree(found, facts, models.moved(facts["packages"]) if facts else {}))
    return 0


def _refuse_none(now: Settings, wanted: Any) -> None:
    """Without a store there is nothing to ask, and asking would make one, which takes seconds."""
    from lakehouse.errors import UnknownName

    if not (now.root / "mlflow" / "mlflow.db").exists():
        raise UnknownName(
            f"No model is registered, so there is no {wanted.model}", f"To train it: lakehouse run {wanted.model.slashed}"
        )


def _tree(one: Registered, facts: dict[str, Any], moved: dict[str, Any]) -> Tree:
    from rich.markup import escape
    from rich.tree import Tree

    from lakehouse import models

    called = f" ({', '.join(one.aliases)})" if one.aliases else ""
    tree = Tree(f"[bold]{one.name} version {one.version}[/]{called}")
    tree.add(f"trained {when(one.at) if one.at else '?'} by run {one.tags.get('lakehouse.run', '?')}; in MLflow run {one.run}")
    for title, lines in models.in_words(one, facts, moved).items():
        if lines:
            branch = tree.add(title)
            for line in lines:
                branch.add(escape(line))
    return tree


def reproduce(
    which: Annotated[str, _VERSION],
    from_raw: Annotated[bool, typer.Option("--from-raw", help="make the training set anew too, from the raw files")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> int:
    """Train a version again on what it was trained on, and compare. Writes nothing. Exit code 0: equal, 1: not."""
    from rich.console import Console

    from lakehouse import settings
    from lakehouse.training.reproduce import reproduce as again
    from lakehouse.training.which import Which

    now, wanted = settings.load(), Which.parse(which)
    _refuse_none(now, wanted)
    told = Console(stderr=True, highlight=False)
    verdict = again(now, wanted, from_raw=from_raw, tell=lambda words: told.print(words, markup=False, soft_wrap=True))
    if as_json:
        print(json.dumps({**asdict(verdict), "equal": verdict.equal}, indent=1))
    else:
        print_tree(_verdict_tree(verdict))
    return 0 if verdict.equal else 1


def _verdict_tree(verdict: Verdict) -> Tree:
    from rich.markup import escape
    from rich.tree import Tree

    ending = "equal" if verdict.equal else "not equal" if verdict.ran else "cannot be done again"
    tree = Tree(f"[bold]{verdict.model} version {verdict.version}[/]: {ending}")
    for part in verdict.equal_parts:
        tree.add(f"the same: {part}")
    for kind in dict.fromkeys(one.kind for one in verdict.differences):
        which = [one for one in verdict.differences if one.kind == kind]
        branch = tree.add(kind if any(one.matters for one in which) else f"{kind} (told, not counted)")
        for one in which[:_FEW]:
            branch.add(escape(one.what))
        if len(which) > _FEW:
            branch.add(f"and {len(which) - _FEW} more (--json lists all)")
    if not verdict.ran and any(one.kind == "data" for one in verdict.differences):
        tree.add("--from-raw makes the training set anew")
    if verdict.notebook and not verdict.equal:
        tree.add(escape(f"the executed notebook: {verdict.notebook}"))
    return tree
