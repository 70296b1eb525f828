"""Everything that can go wrong in a way a user can mend, as one tree.

    LakehouseError
    ├── SetupError            the environment, the jars or Java could not be made ready
    ├── SettingsError         a setting is unknown or has a wrong value
    ├── LakeError             the lake itself: newer format, read-only, not a lake
    │   ├── RawError          a raw file or its manifest
    │   └── LedgerError       the ledger of promotions does not hold together, or somebody else decided first
    ├── NotebookError         a notebook cannot be read or breaks the notebook contract
    ├── ContractError         a contract file is wrong
    ├── SourceError           a source is declared wrongly or could not deliver
    │   └── BatchRefused      raw files that cannot be read, or of whose rows too many do not fit
    ├── UnknownName           no such table, asset, model, parameter (nearest names given)
    ├── UndeclaredTable       a read or write at run time that the notebook's own text does not show
    ├── ParameterError        a parameter's name or value
    ├── PartitionError        a partition is malformed or does not exist
    ├── AuditFailed           rows broke the contract; nothing was published
    ├── TrainingError         rows that nothing can be learnt from, or a model that learnt nothing
    ├── EvaluationError       rows on which models cannot be judged, or scores that are no probabilities
    ├── UntrustedModel        a model's files changed, hold a type that is not trusted, or are another scikit-learn's
    ├── ScoringError          a model cannot score the rows that it was given
    ├── ServiceError          a process of ours could not be started or stopped
    │   └── PortTaken
    ├── SparkLost             the Spark server is gone, stuck or silent (transient)
    └── RunFailed             a notebook's run ended badly
        ├── CellFailed        a cell raised
        ├── KernelDied        killed, or out of memory
        ├── CellTimeout       a cell took longer than `cell_timeout`
        └── Cancelled         stopped by the user or the orchestrator

Each carries `what` (what failed, with which value) and `hint` (what to do next). The command line prints both
and no traceback.
"""

from __future__ import annotations

from typing import Any


class LakehouseError(Exception):
    """`what` failed, and what to do next (`hint`). `transient` says whether trying again can help."""

    transient = False

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what, hint)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}\n{self.hint}" if self.hint else self.what


class SetupError(LakehouseError):
    pass


class SettingsError(LakehouseError):
    pass


class LakeError(LakehouseError):
    pass


class RawError(LakeError):
    pass


class LedgerError(LakeError):
    pass


class NotebookError(LakehouseError):
    pass


class ContractError(LakehouseError):
    pass


class SourceError(LakehouseError):
    pass


class BatchRefused(SourceError):
    pass


class UnknownName(LakehouseError):
    pass


class UndeclaredTable(LakehouseError):
    pass


class ParameterError(LakehouseError):
    pass


class PartitionError(LakehouseError):
    pass


class AuditFailed(LakehouseError):
    """`results` holds one plain dictionary per check that did not pass (check, column, count, a few examples)."""

    def __init__(self, what: str, hint: str = "", results: tuple[dict[str, Any], ...] = ()) -> None:
        super().__init__(what, hint)
        self.results = results

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.what, self.hint, self.results)


class TrainingError(LakehouseError):
    pass


class EvaluationError(LakehouseError):
    pass


class UntrustedModel(LakehouseError):
    pass


class ScoringError(LakehouseError):
    pass


class ServiceError(LakehouseError):
    pass


class PortTaken(ServiceError):
    pass


class SparkLost(LakehouseError):
    transient = True


class RunFailed(LakehouseError):
    """A notebook's run ended badly; `notebook` is the executed notebook that tells the story (may be empty)."""

    def __init__(self, what: str, hint: str = "", notebook: str = "") -> None:
        super().__init__(what, hint)
        self.notebook = notebook

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.what, self.hint, self.notebook)


class CellFailed(RunFailed):
    pass


class KernelDied(RunFailed):
    pass


class CellTimeout(RunFailed):
    pass


class Cancelled(RunFailed):
    pass
