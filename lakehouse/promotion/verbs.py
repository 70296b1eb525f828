"""`lake.contest` and `lake.promote`: who meets whom, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lakehouse import inputs, ledger
from lakehouse.errors import LakehouseError, NotebookError, UnknownName
from lakehouse.ledger import Entry
from lakehouse.ledger.entry import plain as as_json
from lakehouse.names import TableName
from lakehouse.promotion import contract as contracts
from lakehouse.promotion import facts, gates
from lakehouse.promotion.contract import ModelContract
from lakehouse.promotion.gates import Verdict
from lakehouse.record import Judged

if TYPE_CHECKING:
    from lakehouse.evaluation import Evidence
    from lakehouse.lake import Lake
    from lakehouse.models import LoadedModel


_MADE = ("promoted", "approved", "unjudged")


@dataclass(frozen=True)
class Contest:
    """The newest version of a model, the champion that it meets (None: there is none yet), and the contract by which it is
    judged. Where the newest is the champion already, it meets the one that it replaced: so it can be judged again."""

    model: TableName
    challenger: LoadedModel
    champion: LoadedModel | None
    contract: ModelContract


def contest(lake: Lake, model: TableName) -> Contest:
    """Opens both, and pins them in the run's record. Raises UnknownName where no version was registered, and UntrustedModel
    where the files of one are not those that were registered."""
    newest = inputs.newest_model(lake._project, lake._root, model)
    if newest is None:
        raise UnknownName(f"Model {model} has no version that could be judged", f"To train it: lakehouse run {model.slashed}")
    champion = _opponent(lake, model, newest.version)
    lake._publisher.pin_model(model, newest.version, champion=champion)
    contract = lake._project.model_contracts.get(model) or contracts.default(model)
    opened = {version: _open(lake, model, version) for version in (newest.version, champion) if version is not None}
    met = f"the champion, version {champion}" if champion is not None else "nobody: there is no champion yet"
    print(f"{model} version {newest.version} meets {met}")
    return Contest(model, opened[newest.version], opened[champion] if champion is not None else None, contract)


def _open(lake: Lake, model: TableName, version: int) -> LoadedModel:
    from lakehouse import models

    return models.load(lake._settings, model, version)


def _opponent(lake: Lake, model: TableName, version: int) -> int | None:
    champion = ledger.champion(lake._root, model)
    if champion != version:
        return champion
    made = [
        one for one in ledger.heads(lake._root) if one.model == model.dotted and one.action in _MADE and one.to_version == version
    ]
    return made[-1].from_version if made else None


def promote(lake: Lake, met: Contest | None, model: TableName, evidence: Evidence) -> Verdict:
    """Judges the challenger by the gates; in the lake (not in a sandbox) the ledger records what became of it.

    Raises NotebookError for evidence of another contest, and what `ledger.record` raises, as where another became champion
    meanwhile.
    """
    _refuse_other(met, model, evidence)
    assert met is not None
    told = ledger.entries(lake._root, model)
    known = facts.gather(lake._project, lake._root, model, evidence.challenger, _rolled_back(told, evidence.challenger))
    verdict = gates.decide(met.contract, evidence, known)
    print(verdict.said)
    if lake.in_sandbox:
        print("Nothing is recorded: only a runner's run promotes.")
        return verdict
    guard = met.contract.gates.slices
    _record(lake, verdict, evidence.plain(guard.measure) if guard else evidence.plain(), told)
    judged = Judged(**{name: getattr(verdict, name) for name in ("model", "version", "against", "outcome")}, gates=[*verdict.gates])
    lake._publisher.note_verdict(judged)
    _keep_card(lake, model, verdict.version)
    return verdict


def _keep_card(lake: Lake, model: TableName, version: int) -> None:
    """What was decided stands, whether or not its card can be kept: `lakehouse models card` makes it anew."""
    from lakehouse import models
    from lakehouse.evaluation import card

    try:
        card.keep(lake._settings, models.find(lake._settings, model, version))
    except (LakehouseError, OSError) as error:
        print(f"warning: the card of version {version} could not be kept: {error}")


def _refuse_other(met: Contest | None, model: TableName, evidence: Evidence) -> None:
    if met is None:
        raise NotebookError(f"{model} is judged without having met the champion", f'First: contest = lake.contest("{model}").')
    champion = met.champion.version if met.champion else None
    if (evidence.challenger, evidence.champion) != (met.challenger.version, champion):
        what = f"The evidence is of version {evidence.challenger} against {evidence.champion}"
        hint = f"The contest is version {met.challenger.version} against {champion}: evaluate that one."
        raise NotebookError(f"{what}, not of this contest", hint)


def _rolled_back(told: list[Entry], version: int) -> str:
    found = [one for one in told if one.action == "rolled_back" and one.from_version == version]
    return f"it was taken out of use on {found[-1].at:%Y-%m-%d}: {found[-1].note or 'no reason was given'}" if found else ""


def _record(lake: Lake, verdict: Verdict, found: dict[str, Any], told: list[Entry]) -> None:
    """Once: a champion that is judged again stays, and a verdict that is found again on the same rows is not told twice."""
    model = TableName.parse(verdict.model)
    if ledger.champion(lake._root, model) == verdict.version:
        print(f"Version {verdict.version} is the champion already; what is in the ledger stays.")
        return
    action = verdict.outcome if verdict.outcome in ("promoted", "waiting") else "refused"
    written = {write.table: write.version for write in lake._publisher.result.writes}
    plain = {**found, "run": lake.run_id, "tables": lake._read_versions(), "written": written}
    answers = [gate.model_dump() for gate in verdict.gates]
    last = next((one for one in reversed(told) if one.to_version == verdict.version), None)
    if last is not None and last.action == action != "promoted" and _same(last, plain, answers):
        print(f"The ledger says so already (entry {last.seq}).")
        return
    note = "not enough evidence" if verdict.outcome == "not enough evidence" else ""
    ledger.record(
        lake._settings,
        model,
        action,
        from_version=verdict.against,
        to_version=verdict.version,
        after=told[-1].seq if told else 0,
        evidence=plain,
        gates=answers,
        note=note,
    )


def _same(last: Entry, plain: dict[str, Any], answers: list[dict[str, Any]]) -> bool:
    """Whether an entry is of the same rows and says the same; what was measured of speed differs from run to run."""
    then: dict[str, Any] = dict(last.evidence)
    rows = all(then.get(name) == as_json(plain[name]) for name in ("months", "rows", "positives", "champion", "measures"))
    return rows and [(one["name"], one["passed"]) for one in last.gates] == [(one["name"], one["passed"]) for one in answers]
