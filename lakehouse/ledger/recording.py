"""A decision is recorded: one commit that somebody else may have made first, and then MLflow's aliases follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lakehouse import deltalog, tables
from lakehouse.errors import LakeError, LedgerError
from lakehouse.ledger import chain, table
from lakehouse.ledger.chain import Standing
from lakehouse.ledger.entry import Action, Entry
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
    after: int | None = None,
    evidence: Mapping[str, Any] | None = None,
    gates: Sequence[Any] = (),
    note: str = "",
    who: str | None = None,
    past_anchor: bool = False,
    tell: Callable[[str], None] = print,
) -> Entry:
    """Records what was decided about version `to_version` of `model`, and lets MLflow's aliases follow.

    `from_version` is who the caller believes to be champion (None: nobody), and `after` the number of the last entry about the
    model that the caller knows (0: none): of two decisions at once one wins, and the other is told. An `after` of None is for
    what rests on no entry before.
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
            chain.hold(known, model, anchored)
        champion = _met(chain.of(known, model), model, from_version, after)
        entry = Entry.after(known[-1] if known else None, from_version=champion, **facts)
        if table.append(settings.root, 0 if there is None else there + 1, entry):
            break
    else:
        raise LedgerError(f"{PROMOTIONS}: {_ATTEMPTS} times another decision was first", "Nothing was decided. Do it again.")
    try:
        projection.follow(settings, model, past_anchor=past_anchor)
    except LakeError as error:
        tell(f"warning: {model}: recorded, but MLflow's aliases could not follow: {error.what}. They do at its next opening.")
    return entry


def _met(now: Standing, model: TableName, believed: int | None, after: int | None) -> int | None:
    """The champion, if it is who the caller believes it to be, and nothing was decided since. Raises LedgerError."""
    if after is not None and now.number != after and now.last is not None and believed == now.champion:
        what = f"{model}: somebody else was first, in entry {now.number} of the ledger: {now.last.said}"
        raise LedgerError(what, "Nothing was recorded. `lakehouse models list` tells how things stand.")
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
