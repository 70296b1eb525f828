"""The imputation that a contract declares, as a part of a model: fitted with it on training rows, stored with it.

Plain parts of scikit-learn only, so that a stored model holds no code of ours (see `lakehouse.models.TRUSTED_TYPES`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lakehouse.contract import Contract
from lakehouse.contracts.features import Constant
from lakehouse.errors import UnknownName
from lakehouse.names import TableName, did_you_mean

if TYPE_CHECKING:
    from sklearn.compose import ColumnTransformer


def imputer(contracts: Mapping[TableName, Contract], table: TableName, columns: Sequence[str]) -> ColumnTransformer:
    """A transformer of frames that fills each of `columns` as the contract of `table` says, in this order, and drops others.

    What is learnt (mean, median, most frequent) is learnt from the rows that it is fitted to. A column that has no value
    among these becomes 0, or its constant; one without `impute` is passed on as it is. Missing numbers are NaN, missing
    texts and booleans None, as `toPandas` gives them. Raises UnknownName where there is no contract, or not that column.
    """
    from sklearn.compose import ColumnTransformer

    contract = contracts.get(table)
    if contract is None:
        raise UnknownName(f"{table} has no contract", f"Name the table of features.{did_you_mean(table, contracts)}")
    for name in columns:
        if name not in contract.columns:
            near = did_you_mean(name, contract.columns)
            raise UnknownName(f"{contract.table} has no column {name!r}", f"It has {', '.join(contract.columns)}.{near}")
    parts = [(name, _part(contract, name), [name]) for name in columns]
    return ColumnTransformer(parts, verbose_feature_names_out=False)


def _part(contract: Contract, name: str) -> Any:
    import numpy as np
    from sklearn.impute import SimpleImputer

    column = contract.columns[name]
    if column.impute is None:
        return "passthrough"
    missing = None if column.type in ("string", "boolean") else np.nan
    if isinstance(column.impute, Constant):
        learnt = {"strategy": "constant", "fill_value": column.impute.constant}
    else:
        learnt = {"strategy": column.impute}
    return SimpleImputer(missing_values=missing, keep_empty_features=True, **learnt)
