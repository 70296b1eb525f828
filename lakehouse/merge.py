"""A keyed merge: rows replace those of the same key, are added, or take one away; the rest of the table stays.

What no single row can tell (that a key is unique, how many rows there are) is held against the table as it will
stand. Another commit in between would make that another table, so merges of one table commit one after the other,
and one that finds the table moved on since its audit is audited again.
"""

from __future__ import annotations

import fcntl
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse import checks, tables
from lakehouse.checks import KEY, MASK
from lakehouse.contract import Contract
from lakehouse.errors import ContractError
from lakehouse.record import CheckRecord

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DELETED = "_lakehouse_deleted"
"""The column that says of a row to be merged that it takes away the one of its key."""

_EXAMPLES = 5


def kept(changes: DataFrame) -> DataFrame:
    """The rows that will stand."""
    return changes.where(f"not {DELETED}").drop(DELETED)


def standing(old: DataFrame, contract: Contract) -> DataFrame:
    """The rows of the table as it is, with the contract's columns: one that is new is null.

    A merge keeps the rows that it does not touch, so it can neither take a column away nor make it another type:
    raises ContractError.
    """
    known = {name: column.type for name, column in contract.columns.items()}
    wrong = [f"{name} is {kind} there" for name, kind in old.dtypes if known.get(name) != kind]
    if wrong:
        raise ContractError(
            f"{contract.table} has columns that its contract does not know so: {', '.join(wrong[:8])}",
            "A merge keeps the rows that it does not touch, so it cannot change them: call the new table by another name.",
        )
    there = set(old.columns)
    return old.selectExpr(*(f"`{name}`" if name in there else f"cast(null as {kind}) as `{name}`" for name, kind in known.items()))


def will_stand(changes: DataFrame, old: DataFrame | None, contract: Contract, partitions: list[str]) -> DataFrame:
    """The table's rows as the merge of `changes` into `old` (None: no table yet) will leave them."""
    if old is None:
        return kept(changes)
    keys = changes.select(*contract.key).alias("s")
    return kept(changes).unionByName(old.alias("t").join(keys, _expression(_matches(contract, partitions)), "left_anti"))


def meet(changes: DataFrame, old: DataFrame | None, contract: Contract, partitions: list[str]) -> DataFrame:
    """`changes`, a row for each row of `old` that has its key, and what they find: how often the key is given, whether
    such a row is there (within the run's partitions, or outside), and whether it is equal already."""
    key = ", ".join(f"`{name}`" for name in contract.key)
    given = changes.selectExpr("*", f"count(*) over (partition by {key}) as _given")
    if old is None:
        return given.selectExpr("*", "false as _inside", "false as _outside", "false as _equal")
    here = _within(contract, partitions, "t.") or "true"
    there = f"t.`{contract.key[0]}` is not null"
    equal = " and ".join(_equal(name, column.type) for name, column in contract.columns.items())
    places = (f"{there} and {here} as _inside", f"{there} and not ({here}) as _outside", f"coalesce({equal}, false) as _equal")
    return given.alias("s").join(old.alias("t"), _expression(_same(list(contract.key))), "left").selectExpr("s.*", *places)


def key_check(met: DataFrame, contract: Contract) -> CheckRecord:
    """Whether each key that is merged is given once, is no null, and will name one row of the table.

    Keys that the merge does not touch are not looked at. Of a table with partitions a key may stand in one that the run
    does not write, where the merge will not find it.
    """
    key = list(contract.key)
    found = ("max(_given) as given", f"max({DELETED}) as gone", "sum(int(_inside)) as inside", "max(_outside) as outside")
    judged = met.groupBy(*key).agg(*map(_expression, found))
    null = " or ".join(f"`{name}` is null" for name in key)
    wrong = judged.where(f"given > 1 or {null} or (not gone and (inside > 1 or outside))")
    return _record(contract, wrong.selectExpr("*", "count(*) over () as n").orderBy(*key).limit(_EXAMPLES).collect())


def needed(met: DataFrame, contract: Contract) -> DataFrame:
    """The changes that change something. (Delta rewrites each file in which a row is matched, whatever becomes of it.)"""
    changing = f"if({DELETED}, _inside, not _equal)"
    return met.where(changing).dropDuplicates(list(contract.key)).drop("_given", "_inside", "_outside", "_equal")


def _record(contract: Contract, worst: list[Any]) -> CheckRecord:
    check = next(check for check in checks.of(contract) if check.name == KEY)
    said = ("given more than once" if row["given"] > 1 else "null, or elsewhere in the table too" for row in worst)
    masked = any(contract.columns[name].personal for name in contract.key)
    examples = [", ".join(str(row[name]) for name in contract.key) for row in worst]
    return checks.outcome(
        contract,
        check,
        passed=not worst,
        observed="; ".join(sorted(set(said))),
        unexpected=worst[0]["n"] if worst else 0,
        examples=[MASK] * bool(worst) if masked else examples,
    )


def commit(changes: DataFrame, contract: Contract, partitions: list[str], path: Path, metadata: str) -> None:
    """Merges `changes`, as of `needed`, into the table at `path`, by one commit (also where there are none)."""
    spark, view = changes.sparkSession, f"merge_{uuid.uuid4().hex}"
    changes.createOrReplaceTempView(view)
    columns = ", ".join(f"`{name}`" for name in contract.columns)
    values = ", ".join(f"s.`{name}`" for name in contract.columns)
    update = ", ".join(f"`{name}` = s.`{name}`" for name in contract.columns)
    statement = (
        f"merge with schema evolution into {tables.at(path)} t using {view} s on {_matches(contract, partitions)}"
        f" when matched and s.{DELETED} then delete when matched then update set {update}"
        f" when not matched and not s.{DELETED} then insert ({columns}) values ({values})"
    )
    with _carrying(spark, metadata):
        spark.sql(statement).collect()
    spark.catalog.dropTempView(view)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """While one process of this machine is in here for the table at `path`, no other is. Ends with its process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _carrying(spark: SparkSession, metadata: str) -> Iterator[None]:
    """The session's next commit carries this, and a transaction's id of its own as those of `publish` do."""
    settings = {
        "spark.databricks.delta.commitInfo.userMetadata": metadata,
        "spark.databricks.delta.write.txnAppId": str(uuid.uuid4()),
        "spark.databricks.delta.write.txnVersion": "1",
        # The rows are computed already; Delta would keep a second copy.
        "spark.databricks.delta.merge.materializeSource": "none",
    }
    for name, value in settings.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name in settings:
            spark.conf.unset(name)


def _matches(contract: Contract, partitions: list[str]) -> str:
    """When a row of the table (t) is the one that a row to be merged (s) speaks of. The partitions prune."""
    within = _within(contract, partitions, "t.")
    return " and ".join([*([within] if within else []), _same(list(contract.key))])


def _within(contract: Contract, partitions: list[str], of: str = "") -> str:
    return of + tables.partitions_clause(contract.partitions.column, partitions) if contract.partitions else ""


def _same(key: list[str]) -> str:
    return " and ".join(f"t.`{name}` = s.`{name}`" for name in key)


def _equal(name: str, kind: str) -> str:
    """Spark compares no maps; as text it does."""
    return f"to_json(t.`{name}`) <=> to_json(s.`{name}`)" if "map<" in kind else f"t.`{name}` <=> s.`{name}`"


def _expression(text: str) -> Any:
    from pyspark.sql import functions as F

    return F.expr(text)
