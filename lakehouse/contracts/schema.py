"""The contract's form as a JSON schema, from which editors complete, explain and check contracts as they are typed."""

from __future__ import annotations

from typing import Any

from lakehouse.contract import Contract


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a contract.

    It refuses what the loader refuses, but for what it cannot say: that a column spoken of exists, that a key's columns
    are never null, that moments are timestamps, that brackets close, that the end comes after the start, that references
    name as many columns on both sides, that a feature view's moments and key and what is imputed fit the columns, and
    that the table's name is the path's.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Contract.model_json_schema(),
        "title": "A table's contract",
    }
