"""What people decide themselves: back to an older champion, and yes or no to a version that waits."""

from __future__ import annotations

from lakehouse.errors import LakehouseError, LedgerError, UnknownName
from lakehouse.ledger import chain, table
from lakehouse.ledger.entry import CROWNING, Entry
from lakehouse.ledger.recording import record
from lakehouse.names import TableName
from lakehouse.settings import Settings


def roll_back(settings: Settings, model: TableName, to: int | None = None, *, note: str = "", who: str | None = None) -> Entry:
    """Makes the champion before (or version `to`, which was one) the champion again.

    Raises UnknownName where there is none to go back to, UntrustedModel where its files are gone or altered, LedgerError
    where somebody else decided meanwhile.
    """
    known = chain.heads(settings.root)
    now = chain.of(known, model)
    if now.champion is None:
        raise UnknownName(f"Model {model} has no champion to go back from", "`lakehouse models list` tells of its versions.")
    target = to if to is not None else now.previous
    were = sorted({head.to_version for head in known if head.model == model.dotted and head.action in CROWNING})
    if target is None:
        raise UnknownName(f"Model {model} had no champion before version {now.champion}", "There is nothing to go back to.")
    if target == now.champion:
        raise UnknownName(f"Version {target} of {model} is the champion already", "Name another one by --to.")
    if target not in were:
        listed = ", ".join(map(str, were))
        hint = f"Champions were {listed}. To make another one champion: lakehouse models promote {model.name}/{target}"
        raise UnknownName(f"Version {target} of {model} was never the champion", hint)
    _refuse_unusable(settings, model, target)
    return record(
        settings, model, "rolled_back", from_version=now.champion, to_version=target, after=now.number, note=note, who=who
    )


def promote(
    settings: Settings, model: TableName, version: int, *, note: str = "", force: bool = False, who: str | None = None
) -> Entry:
    """Makes `version` the champion: one that waits is approved, one that has passed its gates may be again.

    With `force` (and a `note`) any other too, and where entries of the ledger were lost: it is recorded as such.
    Raises LedgerError where it has not passed, or waits and was judged against another champion than there is now; else
    what `roll_back` does.
    """
    now = chain.standing(settings.root, model)
    champion = now.champion
    if version == champion:
        raise UnknownName(f"Version {version} of {model} is the champion already", "Nothing was recorded.")
    if force and not note:
        raise LedgerError(f"Nothing says why version {version} of {model} is to be champion all the same", "Say so by --note.")
    _refuse_unusable(settings, model, version)
    passed = next((one for one in reversed(table.entries(settings.root, model)) if one.to_version == version), None)
    wrong = _not_passed(model, version, passed, champion)
    if wrong and not force:
        raise LedgerError(wrong, 'Nothing was recorded. To make it champion all the same: --force --note "why".')
    evidence = {"by hand": True, "forced": wrong if force else "", "judged in entry": passed.seq if passed else None}
    gates = passed.gates if passed else []
    action = "approved" if passed and passed.action == "waiting" and not wrong else "promoted"
    return record(
        settings, model, action, from_version=champion, to_version=version, after=now.number,
        evidence=evidence, gates=gates, note=note, who=who, past_anchor=force,
    )  # fmt: skip


def refuse(settings: Settings, model: TableName, version: int, *, note: str = "", who: str | None = None) -> Entry:
    """Says no to a `version` that waits. Raises LedgerError where it does not wait."""
    now = chain.standing(settings.root, model)
    if now.decided.get(version) != "waiting":
        raise LedgerError(f"Version {version} of {model} does not wait for an approval", "`lakehouse models list` tells which do.")
    waiting = next(one for one in reversed(table.entries(settings.root, model)) if one.to_version == version)
    evidence = {"by hand": True, "judged in entry": waiting.seq}
    return record(
        settings, model, "refused", from_version=now.champion, to_version=version, after=now.number,
        evidence=evidence, gates=waiting.gates, note=note, who=who,
    )  # fmt: skip


def _not_passed(model: TableName, version: int, last: Entry | None, champion: int | None) -> str:
    """Why `version` may not be champion by what the ledger says of it last; empty where it may."""
    if last is None:
        return f"Version {version} of {model} was never judged"
    if last.action == "waiting" and last.from_version != champion:
        met = f"version {last.from_version}" if last.from_version else "no champion"
        return f"Version {version} of {model} was judged against {met}, and the champion is version {champion} now"
    if last.action == "refused":
        return f"Version {version} of {model} was refused in entry {last.seq} of the ledger"
    if last.evidence.get("forced"):
        return f"Version {version} of {model} was made champion by force, in entry {last.seq} of the ledger"
    return ""


def _refuse_unusable(settings: Settings, model: TableName, version: int) -> None:
    """Raises what loading it would, without opening it."""
    from lakehouse import models

    try:
        models.locate(settings, model, version).hold()
    except LakehouseError as error:
        raise type(error)(error.what, f"{error.hint.removesuffix(' Nothing was loaded.')} Nothing was recorded.") from None
