"""What a notebook that trains does with its lake, beside reading, writing and logging."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lakehouse.errors import ContractError
from lakehouse.names import TableName
from lakehouse.partitions import Coverage
from lakehouse.training import examine, rows
from lakehouse.training.notes import Notes

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from pyspark.sql import Column, DataFrame

    from lakehouse.project import Project
    from lakehouse.training.search import Search


class Training:
    """The part of `Lake` that is for training."""

    _opened: float
    _project: Project
    read: Callable[..., DataFrame]
    _pin: Callable[[TableName], int]

    @cached_property
    def _training(self) -> Notes:
        return Notes(self._opened)

    def training_set(
        self,
        table: str,
        *,
        partitions: Coverage = "own",
        where: str | Column | None = None,
        columns: Sequence[str] | None = None,
        at_most: int = 500_000,
        seed: int = 0,
    ) -> pd.DataFrame:
        """The rows of `table` for training, in pandas, in the order of its contract's key: the same each time.

        Read and pinned as by `read`, restricted by `where` and to `columns` (the key's are there too). Of more than
        `at_most` rows a sample by a hash of the key is taken, in Spark; the model that is logged says which part it is.
        Raises what `read` raises; ContractError without a key, TrainingError for an absent column or without any row.
        """
        name = TableName.parse(table)
        frame = self.read(table, partitions=partitions)
        key = rows.key_of(name, self._project.contracts.get(name))
        if columns is not None:
            rows.refuse_unknown(name, columns, frame.columns)
        if where is not None:
            frame = frame.where(where)
        if columns is not None:
            frame = frame.select(*dict.fromkeys((*key, *columns)))
        found, there = rows.take(frame, name, key, at_most, seed)
        words = "" if where is None else str(where).removeprefix("Column<'").removesuffix("'>")
        taken = rows.TrainingSet(name.dotted, self._pin(name), len(found), there, words, seed if len(found) < there else None)
        self._training.sets.append(taken)
        print(taken)
        return found

    def examine_training(self, inputs: pd.DataFrame, outcome: pd.Series, *, at_least: int = 1000) -> None:
        """Refuses rows from which nothing can be learnt, before a model is fitted to them; tells what is odd.

        `inputs` has a column for each feature, as the model gets them, `outcome` what it learns, a value for each row.
        Some of these rows are kept: `lakehouse models reproduce` compares predictions on them. Raises TrainingError.
        """
        odd = examine.examine(inputs, outcome, at_least)
        for words in odd:
            print(f"warning: {words}")
        self._training.oddities += odd
        self._training.keep(inputs)
        print(f"{len(inputs):,} rows with {inputs.shape[1]} features, {outcome.nunique()} different outcomes")

    def search(self, attempt: Callable[[dict[str, Any]], Mapping[str, float]], space: Mapping[str, Any], **budget: Any) -> Search:
        """Tries parameters drawn from `space`; see `lakehouse.training.search.search` for the budget and the result.

        Given to `log_model(…, search=…)`, each try is a child of the model's run in MLflow.
        """
        from lakehouse.training import search

        return search.search(attempt, space, **budget)

    def best_threshold(self, name: str, outcome: pd.Series, score: np.ndarray) -> float:
        """The score from which acting on a model's word is worth most, as its contract values right and wrong (`business`).

        Of rows that `score` was not learnt from; see `lakehouse.evaluation.carry` for how a model keeps it. Raises
        ContractError where the contract says nothing of that.
        """
        from lakehouse import evaluation

        model = TableName.parse(name)
        contract = self._project.model_contracts.get(model)
        if contract is None or contract.evaluate.business is None:
            hint = f"Write evaluate: {{business: {{name: …, right: …, wrong: …}}}} in assets/contracts/{model.slashed}.yaml."
            raise ContractError(f"Nothing says what acting on {model} is worth", hint)
        return evaluation.best_threshold(outcome.to_numpy(), score, contract.evaluate.business)
