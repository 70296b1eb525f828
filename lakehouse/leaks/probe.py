"""The lake as a probe's notebook sees it: inputs as they were known at a moment, and a write that only compares.

It stands in for `Lake` where `lakehouse.open` finds that a leak check has started the kernel (`VARIABLE`).
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lakehouse import record, tables
from lakehouse.conform import conform
from lakehouse.contract import Contract
from lakehouse.lake import Lake
from lakehouse.leaks import compare, later, moments
from lakehouse.leaks.outcome import VARIABLE, Answer, Asked
from lakehouse.names import TableName
from lakehouse.partitions import Coverage
from lakehouse.quarantine.split import split

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame

_NEVER = "timestamp'9999-12-31T00:00:00Z'"


class Probe(Lake):
    """Reads the lake's tables at the versions that the published run had read; writes nothing, logs no model."""

    def __init__(self, *about: Any) -> None:
        super().__init__(*about)
        self._asked = Asked.model_validate_json(os.environ[VARIABLE])
        self._table = TableName.parse(self._asked.table)
        self._resolver = tables.Resolver(self._root)
        self._pins = {TableName.parse(name): version for name, version in self._asked.inputs.items()}
        self._views: dict[tuple[TableName, str], str] = {}
        self._altered: dict[str, int] = {}

    @cached_property
    def _promise(self) -> Contract:
        return self._project.contracts[self._table]

    @cached_property
    def _published(self) -> DataFrame:
        space = self._promise.partitions
        where = tables.partitions_clause(space.column, self.partitions) if space and self.partitions else ""
        return self.spark.sql(f"select * from {self._resolver.relation(self._table, self._asked.version, where)}")

    @cached_property
    def _moment(self) -> str:
        """SQL for the moment: one of the rows' own, the `share` of which were asked up to it."""
        if self._asked.share is None:
            return _NEVER
        at = f"unix_micros(`{moments.of_rows(self._promise)}`)"
        micros = self._published.selectExpr(f"percentile_approx({at}, {self._asked.share}, 10000) as at").collect()[0]["at"]
        return moments.literal(micros) if micros is not None else _NEVER

    def _relation(self, table: TableName, coverage: Coverage, version: int | None) -> str:
        source = super()._relation(table, coverage, version)
        contract = self._project.contracts.get(table)
        if contract is None or self._asked.share is None or not moments.told(contract):
            return source
        key = table, source
        if key not in self._views:
            self._views[key] = name = f"_as_known_{len(self._views)}"
            columns = self.spark.sql(f"select * from {source}").dtypes
            self.spark.sql(later.query(source, columns, contract, self._moment, self._asked.seed)).createOrReplaceTempView(name)
            counted = self.spark.sql(later.count(source, contract, self._moment)).collect()[0]["n"]
            self._altered[table.dotted] = max(int(counted), self._altered.get(table.dotted, 0))
        return f"(select * from {self._views[key]})"

    def write(self, frame: DataFrame | pd.DataFrame, table: str) -> None:
        """Compares `frame` with what stands in the table that is asked about; others of the notebook are let be."""
        from lakehouse.spark.session import checkpoint

        if self._to_publish(table, "write") != self._table:
            return
        probed = split(checkpoint(conform(self._on_spark(frame), self._promise)), self._promise).fits
        rows, found = compare.differences(self._published, probed, self._promise, self._moment)
        said = self.spark.sql(f"select string({self._moment}) as at").collect()[0]["at"]
        record.save(self._asked.answer, Answer(moment=said, rows=rows, altered=self._altered, differences=found))

    def log_model(self, model: Any, name: str, **about: Any) -> int:
        """Logs nothing."""
        return 0

    def _announce(self) -> None:
        print(f"{self._spec.name.slashed}: a probe for leaks; it reads what was known at a moment, and writes nothing")
