"""A decision is recorded: one commit that somebody else may have made first, and then MLflow's aliases follow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from lakehouse import deltalog, tables
from lakehouse.errors import LakeError, LedgerError
from lakehouse.ledger import chain, table
from lakehouse.ledger.entry import Action, Entry, Head
from lakehouse.names import PROMOTIONS, TableName
from lakehouse.settings import Settings

_ATTEMPTS = 20
ANYONE = -1
"""As `from_version`: whoever is champion, for what is made champion whoever that is."""


def record(
    settings: Settings,
    model: TableName,
    action: Action,
    *,
    from_version: int | None,
    to_version: int,
    evidence: Mapping[str, Any] | None = None,
    gates: Sequence[Any] = (),
    note: str = "",
    who: str | None = None,
    past_anchor: bool = False,
    tell: Callable[[str], None] = print,
) -> Entry:
    """Records what was decided about version `to_version` of `model`, and lets MLflow's aliases follow.

    `from_version` is who the caller believes to be champion (None: nobody): of two at once one wins, and the other is told.
    `evidence` and `gates` become JSON. Once this has returned, or was killed after the commit, the decision holds; where
    MLflow could not follow that is told, and it does at its next opening. `past_anchor` records although MLflow knows of
    entries that the ledger has no more.
    Raises LedgerError where somebody else was first, or the ledger does not hold together: nothing is recorded then.
    """
    from lakehouse.models import projection

    tables.open_root(settings.root)
    anchored = projection.anchored(settings, model)
    facts = {"model": model.dotted, "action": action, "to_version": to_version, "note": note}
    facts |= {"who": who or tables.current_user(), "evidence": evidence or {}, "gates": gates}
    path = tables.lake_path(settings.root, PROMOTIONS)
    for _ in range(_ATTEMPTS):
        there = deltalog.latest(path)  # before it is read: what comes in between makes this attempt one too many
        known = chain.heads(settings.root)
        if not past_anchor:
            hold(known, model, anchored)
        champion = _met(known, model, from_version)
        entry = Entry.after(known[-1] if known else None, from_version=champion, **facts)
        if table.append(settings.root, 0 if there is None else there + 1, entry):
            break
    else:
        raise LedgerError(f"{PROMOTIONS}: {_ATTEMPTS} times another decision was first", "Nothing was decided. Do it again.")
    try:
        projection.follow(settings, model)
    except LakeError as error:
        tell(f"warning: {model}: recorded, but MLflow's aliases could not follow: {error.what}. They do at its next opening.")
    return entry


def _met(known: Iterable[Head], model: TableName, believed: int | None) -> int | None:
    """The champion, if it is who the caller believes it to be. Raises LedgerError."""
    now = chain.of(known, model)
    if believed == ANYONE or believed == now.champion:
        return now.champion
    who = "nobody" if believed is None else f"version {believed}"
    since = f": {now.last.said}, {now.last.at:%Y-%m-%d %H:%M:%S} UTC" if now.last else ""
    raise LedgerError(
        f"{model}: {who} is not the champion (any more), version {now.champion} is{since}"
        if now.champion is not None
        else f"{model}: {who} is not the champion, it has none",
        "Nothing was recorded. Judge it again, against the champion that there is now.",
    )


def hold(known: Sequence[Head], model: TableName, anchored: tuple[int, str] | None) -> None:
    """Raises LedgerError where the ledger lacks what MLflow knows to have been in it."""
    if anchored is None or anchored[0] == 0:
        return
    seq, digest = anchored
    found, last = next((head for head in known if head.seq == seq), None), known[-1].seq if known else 0
    if found is None:
        how = "was cut off its end" if seq > last else "is missing"
        raise chain.broken(f"entry {seq} about {model}, which MLflow knows of, {how}")
    if found.hash != digest:
        raise chain.broken(f"entry {seq} about {model} is not the one that MLflow knows")
