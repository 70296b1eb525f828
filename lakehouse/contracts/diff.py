"""What changed between two contracts of a table, and whom each change breaks: readers, writers or nobody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from lakehouse import columntypes
from lakehouse.contract import Column, Contract, Expectation, Parity, Reference
from lakehouse.contracts.features import FeatureView
from lakehouse.contracts.profiling import KINDS
from lakehouse.partitions import PartitionSpace

Breaks = Literal["readers", "writers", ""]
# Arguments of which a higher (a lower) value admits fewer rows, and sets of which fewer (more) values do.
_FROM_BELOW, _FROM_ABOVE = ("min_value", "mostly"), ("max_value",)
_ALLOWED, _FORBIDDEN = "in_set", "not_be_in_set"
# quarantine refuses a batch too, past a share of its rows.
_STRICTNESS = ("warn", "quarantine", "error")


@dataclass(frozen=True)
class Change:
    """One change: `what` it is of (`columns.carrier`), in words, and whom it `breaks` (nobody: empty)."""

    what: str
    said: str
    breaks: Breaks = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def compare(before: Contract, after: Contract) -> list[Change]:
    """The changes from `before` to `after`, in the contract's order; empty where both say the same.

    Readers break where a promise that they count on is gone: a column, its type, its unit, never null, the key, a
    partition. Writers break where rows that passed may fail now. What only tells more, or promises more, breaks nobody.
    """
    return [
        *_version(before, after),
        *_words(before, after),
        *_key(before, after),
        *_feature_view(before.feature_view, after.feature_view),
        *_partitions(before.partitions, after.partitions),
        *_columns(before, after),
        *_references(before.references, after.references),
        *_expectations(before.expectations, after.expectations),
        *_parity(before.parity, after.parity),
        *_profile(before, after),
    ]


def breaking(changes: list[Change]) -> list[Change]:
    return [change for change in changes if change.breaks]


def refused(before: Contract, after: Contract) -> list[Change]:
    """The breaking changes that come without a higher `version`."""
    return breaking(compare(before, after)) if after.version <= before.version else []


def _version(before: Contract, after: Contract) -> Iterator[Change]:
    if before.version != after.version:
        lower = after.version < before.version
        yield Change("version", f"from {before.version} to {after.version}", "readers" if lower else "")


def _words(before: Contract, after: Contract) -> Iterator[Change]:
    """What tells people, or the machinery around the rows, and is no promise about the rows."""
    names = ("description", "owner", "freshness", "retention", "known_at", "backfill_chunk", "upstream")
    olds, news = (contract.model_dump(mode="json", include=set(names)) for contract in (before, after))
    for name in names:
        if olds[name] != news[name]:
            said = f"from {olds[name] or 'none'} to {news[name] or 'none'}"
            yield Change(name, "changed" if name == "description" else said)


def _key(before: Contract, after: Contract) -> Iterator[Change]:
    if set(before.key) == set(after.key):
        return
    if not before.key:
        yield Change("key", f"now {', '.join(after.key)}, checked unique", "writers")
    else:
        yield Change("key", f"from {', '.join(before.key)} to {', '.join(after.key) or 'none'}", "readers")


def _feature_view(before: FeatureView | None, after: FeatureView | None) -> Iterator[Change]:
    """Readers break where rows would be found by another entity, or at other moments; not where they count longer."""
    if before is None or after is None:
        if before != after:
            yield Change("feature_view", "added" if after else "removed", "readers" if before else "")
        return
    olds, news = before.model_dump(mode="json"), after.model_dump(mode="json")
    for name in olds:
        if olds[name] != news[name]:
            said = f"from {olds[name] or 'none'} to {news[name] or 'none'}"
            yield Change(f"feature_view.{name}", said, "" if name == "ttl" else "readers")


def _partitions(before: PartitionSpace | None, after: PartitionSpace | None) -> Iterator[Change]:
    if before == after:
        return
    if before is None or after is None or before.column != after.column:
        old, new = (space.column if space else "none" for space in (before, after))
        yield Change("partitions.column", f"from {old} to {new}", "readers")
        return
    if before.start != after.start:
        later = after.start > before.start
        yield Change("partitions.start", f"from {before.start} to {after.start}", "readers" if later else "")
    if before.end != after.end:
        earlier = after.end is not None and (before.end is None or after.end < before.end)
        yield Change("partitions.end", f"from {before.end or 'none'} to {after.end or 'none'}", "readers" if earlier else "")


def _columns(before: Contract, after: Contract) -> Iterator[Change]:
    renamed = _renamed(before, after)
    for name, old in before.columns.items():
        if name in after.columns:
            yield from _column(f"columns.{name}", old, after.columns[name])
        elif name in renamed:
            yield Change(f"columns.{name}", f"renamed to {renamed[name]}", "readers")
            yield from _column(f"columns.{renamed[name]}", old, after.columns[renamed[name]])
        else:
            yield Change(f"columns.{name}", "removed", "readers")
    for name, new in after.columns.items():
        if name not in before.columns and name not in renamed.values():
            null = "" if new.nullable else ", never null"
            yield Change(f"columns.{name}", f"added, {new.type}{null}", "" if new.nullable else "writers")


def _renamed(before: Contract, after: Contract) -> dict[str, str]:
    """A column that went and one that came, alike in all they say, or in type and place."""
    gone = [name for name in before.columns if name not in after.columns]
    come = [name for name in after.columns if name not in before.columns]
    olds, news = list(before.columns), list(after.columns)
    found: dict[str, str] = {}
    for old in gone:
        for new in come:
            one, other = before.columns[old], after.columns[new]
            place = olds.index(old) == news.index(new) and one.type == other.type and one.unit == other.unit
            if new not in found.values() and (place or (one.description and one == other)):
                found[old] = new
                break
    return found


def _column(what: str, old: Column, new: Column) -> Iterator[Change]:
    if old.type != new.type:
        wider = columntypes.is_wider(old.type, new.type)
        said = f"{'widened' if wider else 'retyped'} from {old.type} to {new.type}"
        yield Change(what, said, "" if wider else "readers")
    if old.nullable != new.nullable:
        yield Change(what, *(("may be null now", "readers") if new.nullable else ("is never null now", "writers")))
    if old.unit != new.unit:
        said = f"unit from {old.unit or 'none'} to {new.unit or 'none'}"
        yield Change(what, said, "readers" if old.unit else "")
    if old.personal != new.personal:
        yield Change(what, "is personal now" if new.personal else "is not personal any more")
    if old.round != new.round:
        yield Change(what, "is compared to other digits now")
    if old.impute != new.impute:
        yield Change(what, "missing values are filled otherwise now")
    if old.known_at != new.known_at:
        yield Change(what, f"known_at from {old.known_at or 'none'} to {new.known_at or 'none'}")
    if old.description != new.description:
        yield Change(what, "description changed")


def _references(before: tuple[Reference, ...], after: tuple[Reference, ...]) -> Iterator[Change]:
    olds, news = ({(one.to, one.pairs): one for one in listed} for listed in (before, after))
    for about, old in olds.items():
        what, new = _named(old), news.get(about)
        if new is None:
            yield Change(what, "removed")
        elif old.severity != new.severity:
            yield Change(what, f"severity from {old.severity} to {new.severity}", "writers" if new.severity == "error" else "")
        elif old.reason != new.reason:
            yield Change(what, "reason changed")
    for about, new in news.items():
        if about not in olds:
            yield Change(_named(new), f"added, severity {new.severity}", "writers" if new.severity == "error" else "")


def _named(reference: Reference) -> str:
    return f"references.{', '.join(reference.columns)} → {reference.to}"


def _expectations(before: tuple[Expectation, ...], after: tuple[Expectation, ...]) -> Iterator[Change]:
    """Those of one type about the same columns are compared in their order."""
    olds, news = _by_subject(before), _by_subject(after)
    for subject, old in olds.items():
        new = news.get(subject)
        if new is None:
            yield Change(subject, "removed")
        elif old.severity != new.severity or _plain(old.kwargs) != _plain(new.kwargs):
            yield _expectation(subject, old, new)
        elif old.reason != new.reason:
            yield Change(subject, "reason changed")
    for subject, new in news.items():
        if subject not in olds:
            yield Change(subject, f"added, severity {new.severity}", "" if new.severity == "warn" else "writers")


def _by_subject(listed: tuple[Expectation, ...]) -> dict[str, Expectation]:
    found: dict[str, Expectation] = {}
    for one in listed:
        subject = "expectations." + " ".join((one.type.removeprefix("expect_"), *one.columns))
        while subject in found:
            subject += "'"
        found[subject] = one
    return found


def _expectation(subject: str, old: Expectation, new: Expectation) -> Change:
    was, now = _plain(old.kwargs), _plain(new.kwargs)
    moved = [f"{name} from {was.get(name)} to {now.get(name)}" for name in {**was, **now} if was.get(name) != now.get(name)]
    if old.severity != new.severity:
        moved.append(f"severity from {old.severity} to {new.severity}")
    stricter = _STRICTNESS.index(new.severity) > _STRICTNESS.index(old.severity)
    tighter = new.severity != "warn" and (stricter or _tighter(new.type, was, now))
    return Change(subject, f"{'tightened' if tighter else 'changed'}: {'; '.join(moved)}", "writers" if tighter else "")


def _tighter(kind: str, was: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether rows that passed may fail. An argument of which that cannot be told counts as one that does."""
    return any(_narrows(kind, name, was.get(name), now.get(name)) for name in {*was, *now} if was.get(name) != now.get(name))


def _narrows(kind: str, name: str, was: Any, now: Any) -> bool:
    if name == "mostly":
        was, now = (1 if value is None else value for value in (was, now))
    if name in (*_FROM_BELOW, *_FROM_ABOVE):
        if was is None or now is None:
            return was is None
        try:
            return bool(now > was if name in _FROM_BELOW else now < was)
        except TypeError:
            return True
    if name == "value_set" and isinstance(was, list) and isinstance(now, list):
        gone, come = ([one for one in a if one not in b] for a, b in ((was, now), (now, was)))
        return bool(come) if kind.endswith(_FORBIDDEN) else bool(gone) or not kind.endswith(_ALLOWED)
    return True


def _parity(before: Parity | None, after: Parity | None) -> Iterator[Change]:
    if before != after:
        old, new = (f"with {one.features}, {one.sample} rows" if one else "none" for one in (before, after))
        yield Change("parity", f"from {old} to {new}", "writers" if after else "")


def _profile(before: Contract, after: Contract) -> Iterator[Change]:
    """Writers break where a finding that was reported holds back the rows now."""
    old, new = (_holding(contract) for contract in (before, after))
    if new - old:
        yield Change("profile", f"holds back what is unusual now: {', '.join(sorted(new - old))}", "writers")
    elif before.profile != after.profile:
        yield Change("profile", "changed" if after.profile else "off now")


def _holding(contract: Contract) -> set[str]:
    rules = contract.profile
    return {kind for kind in KINDS if rules and rules.rule(kind) and rules.severity_of(kind) == "error"}


def _plain(kwargs: dict[str, Any]) -> dict[str, Any]:
    """As a record holds them: a date is its text."""
    plain: dict[str, Any] = json.loads(json.dumps(kwargs, default=str))
    return plain
