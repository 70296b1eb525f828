"""The gates: each a question about a challenger, answered by what its evaluation measured and by what the lake knows of it.

Pure: contract, evidence and facts in, a verdict out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from lakehouse.evaluation.words import ALL, CHANCE, GAIN, GAP, GROUP, RATES
from lakehouse.promotion.contract import Better, Calibrated, Enough, Fair, Gate, Guard, ModelContract, Size, Speed, Tolerance
from lakehouse.record import GateResult

if TYPE_CHECKING:
    from lakehouse.evaluation import Evidence
    from lakehouse.evaluation.behaviour import Outcome as Tested
    from lakehouse.evaluation.evidence import Figure

Decision = Literal["promoted", "refused", "not enough evidence", "waiting"]

_TOLD = 3  # slices of a refusal


@dataclass(frozen=True)
class Facts:
    """What lake and records know of a challenger. A leak check or parity check by what it looked at: whether it passed (None:
    it was not looked at, or cannot be) and in words."""

    leaks: dict[str, tuple[bool | None, str]] = field(default_factory=dict)
    parity: dict[str, tuple[bool | None, str]] = field(default_factory=dict)
    rolled_back: str = ""


@dataclass(frozen=True)
class Verdict:
    """What became of a challenger, and each gate's answer; `against` is the champion that it met (None: the base rate)."""

    model: str
    version: int
    against: int | None
    outcome: Decision
    gates: tuple[GateResult, ...]

    @property
    def failed(self) -> tuple[GateResult, ...]:
        return tuple(gate for gate in self.gates if gate.passed is False)

    @property
    def said(self) -> str:
        """In one line: what became of it, and which gates it failed."""
        met = "the base rate" if self.against is None else f"version {self.against}"
        why = "".join(f"; {gate.name}: {gate.said}" for gate in self.failed)
        return f"{self.model} version {self.version} against {met}: {self.outcome}{why}"

    def __str__(self) -> str:
        return "\n".join([self.said, *(f"  {_MARKS[gate.passed]} {gate.name}: {gate.said}" for gate in self.gates)])

    def _repr_markdown_(self) -> str:
        """As a notebook shows it."""
        lines = [f"| {_MARKS[gate.passed]} | {gate.name} | {gate.said} | {gate.reason} |" for gate in self.gates]
        head = f"**{self.model} version {self.version}: {self.outcome}**"
        return "\n".join([head, "", "| | gate | what was seen | why it is asked |", "|---|---|---|---|", *lines])


_MARKS = {True: "✓", False: "✗", None: "·"}


def decide(contract: ModelContract, evidence: Evidence, facts: Facts) -> Verdict:
    """Every gate's answer, and the verdict: promoted where none failed, and waiting where that is to be approved by hand.

    Where the evaluation saw too little, the verdict is that, whatever the other gates say.
    """
    asked = _Asked(contract, evidence, facts)
    gates = tuple(asked.answers())
    failed = {gate.name for gate in gates if gate.passed is False}
    outcome: Decision = "waiting" if contract.approval == "manual" else "promoted"
    if failed:
        outcome = "not enough evidence" if "enough" in failed else "refused"
    return Verdict(contract.model.dotted, evidence.challenger, evidence.champion, outcome, gates)


Answer = tuple[bool | None, str]


@dataclass(frozen=True)
class _Asked:
    contract: ModelContract
    evidence: Evidence
    facts: Facts

    def answers(self) -> Iterator[GateResult]:
        gates = self.contract.gates
        for name in type(gates).model_fields:
            gate = getattr(gates, name)
            if gate is False:
                yield GateResult(name=name, passed=None, said="switched off by the contract")
                continue
            answer: Callable[[Gate], Answer] = getattr(self, f"_{name}")
            passed, said = answer(gate)
            yield GateResult(name=name, passed=passed, said=said, reason=gate.reason)

    def _own(self, measure: str, kind: str = ALL, slice_: str = ALL) -> Figure | None:
        return self.evidence.find(self.evidence.challenger, kind, slice_, measure)

    def _champions(self, measure: str, kind: str = ALL, slice_: str = ALL) -> Figure | None:
        if self.evidence.champion is None:
            return None
        return self.evidence.find(self.evidence.champion, kind, slice_, measure)

    @property
    def _opponent(self) -> str:
        return "the base rate" if self.evidence.champion is None else f"version {self.evidence.champion}"

    @property
    def _where(self) -> str:
        months = self.evidence.months
        span = f"{months[0]} to {months[-1]}" if len(months) > 1 else "".join(months)
        return f"{self.evidence.rows:,} rows of {span or 'no month'}"

    def _enough(self, gate: Enough) -> Answer:
        seen = self.evidence
        counts = [
            ("rows with an outcome", seen.rows, gate.rows),
            ("of them in which it came", seen.positives, gate.positives),
            ("in which it did not", seen.rows - seen.positives, gate.positives),
            (f"{self.contract.evaluate.resample_by}s", seen.days, gate.units),
            ("months", len(seen.months), self.contract.evaluate.months),
        ]
        short = [f"{count:,} {what}, {least:,} are needed" for what, count, least in counts if count < least]
        return not short, "; ".join(short) or f"{self._where}, {seen.positives:,} of them positive, on {seen.days} different days"

    def _unseen(self, _: Gate) -> Answer:
        seen = self.evidence
        met = [version for version in (seen.challenger, seen.champion) if version is not None]
        unknown = ", ".join(str(version) for version in met if version not in seen.trained_until)
        if unknown:
            return False, f"which months version {unknown} learnt from was not told: give evaluate trained_until (see trained_with)"
        last = max(seen.trained_until[version] for version in met)
        later = all(month > last for month in seen.months)
        return later, f"learnt from months up to {last}, judged on {self._where}"

    def _better(self, gate: Better) -> Answer:
        gain, own = self._own(f"{gate.measure}{GAIN}"), self._own(gate.measure)
        if gain is None or own is None:
            return False, f"{gate.measure} could not be measured on {self._where}"
        verb = "better than" if gain.value > 0 else "worse than"
        said = f"{_words(gate.measure)} {own.value:.4f}, {abs(gain.value):.4f} {verb} {self._opponent}"
        said += f" ({gain.low:+.4f} to {gain.high:+.4f}) on {self._where}"
        if gain.low > gate.gain:
            return True, said
        return False, f"{said}: not better by more than {'noise' if not gate.gain else gate.gain}"

    def _slices(self, gate: Guard) -> Answer:
        if self.evidence.champion is None:
            return None, "there is no champion to be worse than"
        kinds = gate.slices or self.contract.evaluate.slices
        if not kinds:
            return None, "no slices are declared"
        told = self._lines(f"{gate.measure}{GAIN}", kinds)
        if unmeasured := self._unmeasured(gate, kinds, {kind for kind, _, _ in told}):
            return False, unmeasured
        lines = [(kind, name, gain) for kind, name, gain in told if gain.rows >= gate.rows]
        small = [f"no {kind} has {gate.rows:,} rows" for kind in kinds if kind not in {line[0] for line in lines}]
        if not lines:
            return False, "; ".join(small)
        worse = [line for line in lines if line[2].value < -gate.tolerance and line[2].q <= CHANCE]
        if worse:
            return False, f"{_worst(gate.measure, worse)}; {gate.tolerance:g} is tolerated"
        kind, name, gain = lines[0]
        lowest = f"the lowest gain is {gain.value:+.4f}, {kind} {name} ({gain.rows:,} rows)"
        return True, "; ".join([f"none of {len(lines)} slices", lowest, *small])

    def _unmeasured(self, gate: Guard, kinds: Sequence[str], measured: set[str]) -> str:
        """What is guarded and the evaluation left out, in words."""
        least = self.evidence.at_least
        if least > gate.rows:
            return f"slices of less than {least:,} rows were not measured: give evaluate at_least={gate.rows}"
        missing = ", ".join(kind for kind in kinds if kind not in measured)
        hint = f"give evaluate its labels in slices, some with {least:,} rows on ten days"
        return f"{_words(gate.measure)} was not measured by {missing}: {hint}" if missing else ""

    def _lines(self, measure: str, kinds: Sequence[str]) -> list[tuple[str, str, Figure]]:
        """The slices of these kinds in which a measure is told of the challenger, the lowest value first."""
        table = self.evidence.table
        own = table[(table["model_version"] == self.evidence.challenger) & (table["measure"] == measure)]
        own = own[own["slice_kind"].isin(kinds)].sort_values("value", kind="stable")
        found = [(kind, name, self._own(measure, kind, name)) for kind, name in zip(own["slice_kind"], own["slice"], strict=True)]
        return [(kind, name, figure) for kind, name, figure in found if figure is not None]

    def _calibrated(self, gate: Calibrated) -> Answer:
        own, champions = self._own("ece"), self._champions("ece")
        if own is None:
            return False, f"the calibration error could not be measured on {self._where}"
        bias = self._own("bias")
        way = "" if bias is None else f", on average {abs(bias.value):.4f} too {'high' if bias.value > 0 else 'low'}"
        said = f"expected calibration error {own.value:.4f} ({own.low:.4f} to {own.high:.4f}){way} on {self._where}"
        if own.value <= gate.at_most:
            return True, f"{said}; at most {gate.at_most:g}"
        if champions is not None and own.value <= champions.value:
            return True, f"{said}: more than {gate.at_most:g}, but no more than the champion's {champions.value:.4f}"
        return False, f"{said}: more than {gate.at_most:g}"

    def _business(self, gate: Tolerance) -> Answer:
        business = self.contract.evaluate.business
        if business is None:
            return None, "the contract says nothing of what acting is worth"
        own, gain = self._own(business.name), self._own(f"{business.name}{GAIN}")
        if own is None or gain is None:
            return False, f"{business.name} could not be measured on {self._where}"
        said = f"{_words(business.name)} {own.value:,.1f} for 1,000 rows, {gain.value:+,.1f} beside {self._opponent}"
        said += f" ({gain.low:+,.1f} to {gain.high:+,.1f})"
        worse = gain.value < -gate.tolerance and gain.high < 0
        return not worse, f"{said}: worse by more than {gate.tolerance:g}" if worse else said

    def _fairness(self, gate: Fair) -> Answer:
        groups = self.contract.evaluate.groups
        if not groups:
            return None, "the contract marks no group"
        gaps = [(kind, rate, own) for kind in groups for rate in RATES if (own := self._own(rate, GROUP + kind, GAP)) is not None]
        if missing := [kind for kind in groups if kind not in {gap[0] for gap in gaps}]:
            return False, f"no gap between groups by {', '.join(missing)} was measured"
        wide = [(kind, rate, own) for kind, rate, own in gaps if own.value > gate.gap and self._wider(kind, rate, own)]
        told = "; ".join(f"{_words(rate)} of {kind} differs by {own.value:.3f}" for kind, rate, own in wide[:_TOLD])
        if wide:
            return False, f"{told}: more than {gate.gap:g}, and than the champion's"
        kind, rate, own = max(gaps, key=lambda gap: gap[2].value)
        return True, f"the widest gap is {own.value:.3f}, {_words(rate)} of {kind}"

    def _wider(self, kind: str, rate: str, own: Figure) -> bool:
        """Whether a gap is not the champion's already."""
        champions = self._champions(rate, GROUP + kind, GAP)
        return champions is None or own.value > champions.value

    def _behaviour(self, _: Gate) -> Answer:
        return _tests(self.evidence.behaviour, "tests of behaviour")

    def _edge_cases(self, _: Gate) -> Answer:
        return _tests(self.evidence.edge_cases, "edge cases")

    def _size(self, gate: Size) -> Answer:
        size = self.evidence.size_bytes.get(self.evidence.challenger)
        if not size:
            return None, "the size of its files is not known"
        megabytes = size / 1e6
        said = f"{megabytes:,.1f} MB of files"
        return megabytes <= gate.megabytes, f"{said}; at most {gate.megabytes:g}"

    def _speed(self, gate: Speed) -> Answer:
        seconds = self.evidence.seconds_per_1000.get(self.evidence.challenger)
        if seconds is None:
            return False, "how quick it is was not measured"
        said = f"{seconds:.3f} s for 1,000 rows"
        return seconds <= gate.seconds, f"{said}; at most {gate.seconds:g}"

    def _leaks(self, _: Gate) -> Answer:
        return _looked_at(self.facts.leaks, "it was trained on no table that could be checked")

    def _parity(self, _: Gate) -> Answer:
        return _looked_at(self.facts.parity, "no scores of it are held against features")

    def _not_rolled_back(self, _: Gate) -> Answer:
        return not self.facts.rolled_back, self.facts.rolled_back or "it was never taken out of use"


def _worst(measure: str, worse: Sequence[tuple[str, str, Figure]]) -> str:
    told = "; ".join(
        f"{kind} {name}: {_words(measure)} worse by {-gain.value:.4f} ({-gain.high:+.4f} to {-gain.low:+.4f}) on {gain.rows:,} rows"
        for kind, name, gain in worse[:_TOLD]
    )
    return f"{told} and {len(worse) - _TOLD} more" if len(worse) > _TOLD else told


def _tests(outcomes: Sequence[Tested], what: str) -> Answer:
    failed = [one for one in outcomes if one.passed is False]
    if failed:
        return False, "; ".join(f"{one.name}: {one.said}" for one in failed)
    judged = sum(one.passed is True for one in outcomes)
    return (True, f"{judged} {what} passed") if judged else (None, f"there are no {what} that could be judged")


def _looked_at(found: dict[str, tuple[bool | None, str]], nothing: str) -> Answer:
    """All must have passed; what cannot be looked at is told."""
    failed = [f"{name}: {said}" for name, (passed, said) in found.items() if passed is False]
    if failed:
        return False, "; ".join(failed)
    told = "; ".join(f"{name}: {said}" for name, (_, said) in found.items())
    return (True if any(passed for passed, _ in found.values()) else None), told or nothing


def _words(measure: str) -> str:
    return measure.replace("_", " ")
