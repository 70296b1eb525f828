"""What a model's contract says: what it is for, how it is judged, and the gates it must pass: assets/contracts/models.

Every gate is on unless it is switched off there; a threshold that is left out has the library's.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, ValidationError, WithJsonSchema

from lakehouse import contract as tables
from lakehouse import yamllines
from lakehouse.contracts.profiling import OrOff
from lakehouse.contracts.values import ColumnName, Span, Strict, Table
from lakehouse.errors import ContractError, LakehouseError
from lakehouse.finding import Finding
from lakehouse.names import WORD, TableName
from lakehouse.yamllines import Place

LAYER = "models"

Measure = Literal["log_loss", "brier", "auc", "average_precision"]
Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0, strict=False)]


def _read_model(value: object) -> TableName:
    try:
        name = TableName.parse(str(value))
    except LakehouseError as error:
        raise ValueError(f"{error.what}. {error.hint}") from None
    if name.layer != LAYER:
        raise ValueError(f"{name} is no model: write {LAYER}.{name.name}")
    return name


def _read_word(text: str) -> str:
    if not WORD.fullmatch(text):
        raise ValueError(f"{text!r} is not a plain word: a-z, 0-9 and _, a letter first")
    return text


Model = Annotated[
    TableName,
    BeforeValidator(_read_model),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "pattern": f"^{LAYER}[./]{WORD.pattern}$", "maxLength": 111}),
]
Word = Annotated[str, AfterValidator(_read_word), WithJsonSchema({"type": "string", "pattern": f"^{WORD.pattern}$"})]
Words = Annotated[tuple[Word, ...], Field(strict=False)]


class Outcome(Strict):
    """Where it stands what the model predicts, and from when on it is known."""

    table: Table
    """The table of rows that the model is asked about."""
    column: ColumnName
    """Its column that holds what came of a row; null until it is known."""
    known_at: ColumnName
    """Its column of type timestamp that says when that became known."""
    at: ColumnName
    """Its column of type timestamp for which a prediction is made."""
    share: Annotated[float, Field(gt=0, le=1, strict=False)] = 0.9
    """Of all rows of a month, the share that must have an outcome before a model is judged by it: less than 1 where some never
    get one."""
    grace: Span = timedelta(days=1)
    """How long after a month's end its outcomes are waited for at least."""


class Business(Strict):
    """What acting on a prediction is worth; not acting is worth nothing."""

    name: Word
    """What the measure is called, such as minutes_saved; it is told for 1,000 rows."""
    right: Annotated[float, Field(strict=False)]
    """What acting on a row is worth where the outcome comes."""
    wrong: Annotated[float, Field(strict=False)]
    """What it is worth where it does not: a cost is negative."""
    unit: str = ""
    """What it counts, such as minutes or dollars."""
    reason: str = ""
    """Where these figures are from."""


class Evaluate(Strict):
    """On which rows a challenger meets the champion."""

    months: Annotated[int, Field(ge=1)] = 2
    """How many of the newest months whose outcomes are known."""
    resample_by: Word = "day"
    """What rows have in common that are not independent of each other; uncertainty is told by drawing these."""
    slices: Words = ()
    """The kinds of slices that are looked at, such as carrier."""
    groups: Words = ()
    """Those among them between which the model is to be fair."""
    business: Business | None = None
    """What acting on a prediction is worth; left out, that is not judged."""


class Gate(Strict):
    """One condition that a challenger must meet."""

    reason: str = ""
    """Why it is asked for; shown where it fails."""


class Enough(Gate):
    """The evaluation saw enough: with less there is no verdict."""

    rows: Count = 2000
    """Rows with a known outcome."""
    positives: Count = 200
    """Those in which it came, and those in which it did not, each."""
    units: Count = 14
    """Different values of resample_by, such as days."""


class Better(Gate):
    """It is better than the champion by more than noise, on all rows: the whole interval of the gain lies above this. A first
    champion is held against the base rate."""

    measure: Measure = "log_loss"
    """The measure that decides."""
    gain: Amount = 0.0
    """How large the lower end of the interval must be more than."""


class Guard(Gate):
    """It is not worse than the champion on any slice: by more than the tolerance, and by more than noise."""

    measure: Measure = "log_loss"
    """The measure that is looked at."""
    tolerance: Amount = 0.01
    """By how much it may be worse, in units of the measure."""
    slices: Words = ()
    """The kinds of slices that are guarded; left out, all declared ones."""
    rows: Count = 200
    """Slices with fewer rows are not looked at."""


class Calibrated(Gate):
    """Its probabilities can be believed: the expected calibration error is small, or at least smaller than the champion's."""

    at_most: Amount = 0.05
    """The error, between 0 and 1."""


class Size(Gate):
    """Its files are small enough to be handed around."""

    megabytes: Amount = 100.0
    """Of all its files."""


class Speed(Gate):
    """It is quick enough to score with."""

    seconds: Amount = 2.0
    """For 1,000 rows, in one process."""


class Tolerance(Gate):
    """The business measure is not worse than the champion's: by more than the tolerance, and by more than noise."""

    tolerance: Amount = 0.0
    """By how much it may be worse, for 1,000 rows."""


class Fair(Gate):
    """It treats the groups alike, or at least no less alike than the champion."""

    gap: Amount = 0.2
    """The largest difference between two groups: in the share that is acted on, and in the shares of right and wrong alarms."""


class Gates(Strict):
    """What a challenger must show. Each is on with the library's thresholds unless something else is said, or `off`."""

    enough: Enough = Enough()
    """Enough rows. Cannot be switched off."""
    unseen: OrOff[Gate] = Gate()
    """Judged on months after those that challenger and champion learnt from."""
    better: OrOff[Better] = Better()
    """Better on all rows."""
    slices: OrOff[Guard] = Guard()
    """Nowhere worse."""
    calibrated: OrOff[Calibrated] = Calibrated()
    """Probabilities that can be believed."""
    business: OrOff[Tolerance] = Tolerance()
    """Worth at least as much."""
    fairness: OrOff[Fair] = Fair()
    """Groups treated alike."""
    behaviour: OrOff[Gate] = Gate()
    """It behaves as it must: the evaluation's named tests of behaviour."""
    edge_cases: OrOff[Gate] = Gate()
    """It is right at the edges: the evaluation's named cases."""
    size: OrOff[Size] = Size()
    """Small enough."""
    speed: OrOff[Speed] = Speed()
    """Quick enough."""
    leaks: OrOff[Gate] = Gate()
    """The leak check of what it was trained on has passed for the present code."""
    parity: OrOff[Gate] = Gate()
    """The last scores were those that a notebook gets of the same rows."""
    not_rolled_back: OrOff[Gate] = Gate()
    """It was not taken out of use before."""


class ModelContract(Strict):
    """What a model is for, how it is judged, and the gates that it must pass to become the champion."""

    model: Model
    """Layer and name, as in the file's path."""
    purpose: Annotated[str, Field(min_length=1)]
    """What it predicts, for whom, and what is done with it."""
    owner: Annotated[str, Field(min_length=1)]
    """Whom to ask: an address or a team."""
    limits: str = ""
    """Where it should not be used, and what it does not know."""
    ethics: str = ""
    """Whom its mistakes could harm, and what is done about it."""
    outcome: Outcome | None = None
    """What it predicts, and when that is known."""
    evaluate: Evaluate = Evaluate()
    """How a challenger is evaluated."""
    gates: Gates = Gates()
    """What it must show."""
    approval: Literal["automatic", "manual"] = "automatic"
    """manual: who passes all gates waits for `lakehouse models promote`."""


def default(model: TableName) -> ModelContract:
    """What holds for a model without a contract: every gate with the library's thresholds."""
    return ModelContract(model=model, purpose="(it has no contract)", owner="(it has no contract)")


def examine(path: Path, file: str = "") -> tuple[ModelContract | None, list[Finding]]:
    """The contract, if the file could be understood, and what is wrong with it; findings call the file `file`."""
    try:
        data, lines = yamllines.read(path)
    except ContractError as error:
        return None, [tables.unreadable(error, file)]
    try:
        contract = ModelContract.model_validate(data)
        wrong = list(_cross_checks(contract, path))
    except ValidationError as error:
        contract = None
        wrong = [tables.sentence(one, _KNOWN_KEYS) for one in error.errors()]
    return contract, [Finding(file, 0, yamllines.line_of(at, lines), tables.RULE, message, hint) for at, message, hint in wrong]


def _cross_checks(contract: ModelContract, path: Path) -> Iterator[tuple[Place, str, str]]:
    """What no single value can tell: the path's name, and that kinds of slices spoken of are declared."""
    if contract.model.name != path.stem:
        moved = f"{tables.FOLDER}/{contract.model.slashed}.yaml"
        yield ("model",), f"model is {contract.model}, the path says {LAYER}.{path.stem}", f"Move the file to {moved}."
    declared = contract.evaluate.slices
    spoken_of: list[tuple[Place, str]] = [(("evaluate", "groups"), name) for name in contract.evaluate.groups]
    if contract.gates.slices:
        spoken_of += [(("gates", "slices", "slices"), name) for name in contract.gates.slices.slices]
    for at, name in spoken_of:
        if name not in declared:
            hint = f"Add it there, or name one of {', '.join(declared)}." if declared else "Add it there."
            yield at, f"{'.'.join(at)}: {name!r} is not one of evaluate.slices", hint


_KNOWN_KEYS: dict[Place, tuple[str, ...]] = {
    (): tuple(ModelContract.model_fields),
    ("outcome",): tuple(Outcome.model_fields),
    ("evaluate",): tuple(Evaluate.model_fields),
    ("evaluate", "*"): tuple(Business.model_fields),
    ("gates",): tuple(Gates.model_fields),
    ("gates", "*"): tuple(
        dict.fromkeys(
            name for form in (Enough, Better, Guard, Calibrated, Size, Speed, Tolerance, Fair) for name in form.model_fields
        )
    ),
}


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a model's contract; it cannot say that kinds of slices are declared, nor the path's name."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **ModelContract.model_json_schema(),
        "title": "A model's contract",
    }
