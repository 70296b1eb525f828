"""The clinic's project, written as text.

442 real patients (Efron, Hastie, Johnstone and Tibshirani, "Least Angle Regression", Annals of Statistics 32, 2004;
scikit-learn's `load_diabetes`): age, sex, body mass index, blood pressure, six measures of their blood serum and how far
the illness had come a year later. The data have no dates, so patient n is said to have come in the month 1 + n mod 3, on
the day 1 + n mod 28.

    raw.visits ─→ bronze.visits ─→ silver.visits ─┬→ gold.by_age
                                                  └→ features.patient ─→ models.progression ─→ scores.progression
    raw.readings (a stream of blood sugar) ─→ bronze.readings     raw.register (change events) ─→ bronze.register, …_history

What streams and changes is made up; the files in assets/ are written by the tests.
"""

from __future__ import annotations

from typing import Any

from tests.notebooks import contract, notebook
from tests.workspace import IMPORTS

MONTHS = {"column": "month", "start": "2024-01", "end": "2024-03"}
SERUM = ("tc", "ldl", "hdl", "tch", "ltg", "glu")
MEASURES = ("age", "sex", "bmi", "bp", *SERUM)

SOURCES = """
    from pathlib import Path

    from lakehouse.partitions import PartitionSpace
    from lakehouse.source import Delivery, Source, Stream

    NAMES = "patient,month,age,sex,bmi,bp,tc,ldl,hdl,tch,ltg,glu,progression"
    MONTHS = PartitionSpace("month", "2024-01", "2024-03")

    def visits_of(partition):
        from sklearn.datasets import load_diabetes

        patients = load_diabetes(scaled=False)
        lines = [NAMES]
        for number, (measures, progression) in enumerate(zip(patients.data.tolist(), patients.target.tolist(), strict=True)):
            if f"2024-{1 + number % 3:02d}" == partition:
                lines.append(",".join(map(str, [number, partition, *measures, progression])))
        yield Delivery(f"visits-{partition}.csv", ("\\n".join(lines) + "\\n").encode())
        for late in sorted(Path(__file__).parent.glob(f"late-{partition}*.csv")):
            yield Delivery(late.name, late)

    def files_of(kind):
        return [Delivery(file.name, file) for file in sorted(Path(__file__).parent.glob(f"{kind}-*.jsonl"))]

    def poll(last):
        return [one for one in files_of("readings") if last is None or one.filename > last]

    readings = Stream("raw.readings", poll=poll, owner="clinic")
    register = Source("raw.register", lambda partition: files_of("register"), format="text", owner="clinic")
    visits = Source("raw.visits", visits_of, partitions=MONTHS, options={"header": "true"}, owner="clinic")
"""


def monthly(name: str, *cells: str, imports: str = "") -> dict[str, Any]:
    months = 'months: list[month] = ["2024-01"]  # months of the visit'
    return notebook(name, *cells, parameters=months, imports=f"{IMPORTS}\n{imports}")


TYPED = "{name: 'double' for name in ('age', 'bmi', 'bp', 'tc', 'ldl', 'hdl', 'tch', 'ltg', 'glu', 'progression')}"

NOTEBOOKS = {
    "bronze/readings": notebook(
        "bronze/readings",
        """
        received = lake.read("raw.readings", partitions="new")
        record = F.from_json("value", "patient bigint, at timestamp, glucose double")
        rows = received.select(record.alias("record"), "_delivery").select("record.*", "_delivery")
        df = rows.groupBy("patient", "at").agg(F.max_by("glucose", "_delivery").alias("glucose"))
        """,
        'lake.merge(df, "bronze.readings")',
        imports="from pyspark.sql import functions as F",
    ),
    "bronze/register": notebook(
        "bronze/register",
        """
        history, aside = lake.standing("bronze.register_history"), lake.standing("bronze.register_aside")
        new = lake.read("raw.register", partitions="new")
        batch = cdc.events(new, "patient bigint, ward string", ["patient"], aside=aside, history=history)
        versions = cdc.history(batch.events, ["patient"], history)
        """,
        """
        lake.merge(batch.aside, "bronze.register_aside", delete="applied")
        lake.merge(versions, "bronze.register_history")
        lake.merge(cdc.current(versions), "bronze.register", delete="deleted")
        """,
        imports="from lakehouse import cdc",
    ),
    "bronze/visits": monthly("bronze/visits", 'df = lake.read("raw.visits")', 'lake.write(df, "bronze.visits")'),
    "silver/visits": monthly(
        "silver/visits",
        f"""
        rows = lake.read("bronze.visits").dropDuplicates(["patient"])
        df = rows.select(
            "month",
            F.col("patient").cast("bigint").alias("patient"),
            F.expr("timestamp(month || '-01') + make_dt_interval(cast(patient as int) % 28, 8)").alias("came_at"),
            F.expr("timestamp(month || '-01') + make_dt_interval(cast(patient as int) % 28 + 365, 8)").alias("seen_again_at"),
            F.when(F.col("sex") == "1.0", "a").when(F.col("sex") == "2.0", "b").alias("sex"),
            *(F.col(name).cast(kind).alias(name) for name, kind in {TYPED}.items()),
        )
        """,
        'lake.write(df, "silver.visits")',
        imports="from pyspark.sql import functions as F",
    ),
    "gold/by_age": monthly(
        "gold/by_age",
        """
        df = lake.sql('''
            select month, cast(floor(age / 10) * 10 as int) as decade, count(*) as patients,
                   round(avg(progression), 1) as progression
            from silver.visits group by month, decade
        ''')
        """,
        'lake.write(df, "gold.by_age")',
    ),
    "features/patient": monthly(
        "features/patient",
        """
        df = lake.sql('''
            select month, patient, came_at, bmi, bp, ltg, tc / hdl as ratio, progression, seen_again_at from silver.visits
        ''')
        """,
        'lake.write(df, "features.patient")',
    ),
    "models/progression": notebook(
        "models/progression",
        """
        rows = lake.read("features.patient").where("month < '2024-03'").orderBy("patient").toPandas()
        inputs = rows[["bmi", "bp", "ltg", "ratio"]]
        model = make_pipeline(StandardScaler(), Ridge()).fit(inputs, rows["progression"])
        """,
        """
        error = float(abs(model.predict(inputs) - rows["progression"]).mean())
        lake.log_model(model, "models.progression", metrics={"mean_absolute_error": error}, example=inputs.head(3))
        """,
        imports="""
        from sklearn.linear_model import Ridge
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        """,
    ),
    "scores/progression": monthly(
        "scores/progression",
        """
        features = lake.read("features.patient")
        scores = lake.score(features, "models.progression", keep=["month", "patient"])
        """,
        """
        a_year_later = "add_months(to_date(concat(month, '-01')), 12)"
        outcomes = features.selectExpr(
            "month", "patient", "progression as outcome", f"cast({a_year_later} as timestamp) as outcome_known_at"
        )
        lake.merge(with_outcomes(scores, lake.standing("scores.progression"), outcomes), "scores.progression")
        """,
        imports="from lakehouse.scoring import with_outcomes",
    ),
}

_WHERE_FROM = {"_source_file": "string", "_source_sha256": "string", "_received_at": "timestamp"}
_TEXTS = dict.fromkeys(("patient", *MEASURES, "progression"), "string")
_NUMBERS = dict.fromkeys(("age", "bmi", "bp", *SERUM, "progression"), "double")
_PATIENT = {"patient": {"type": "bigint", "nullable": False}}

_SEEN = {"came_at": {"type": "timestamp", "nullable": False}, "seen_again_at": {"type": "timestamp", "known_at": "seen_again_at"}}
_LATER = {"progression": {"type": "double", "known_at": "seen_again_at"}}


def _between(column: str, low: float, high: float, reason: str) -> dict[str, object]:
    kwargs = {"column": column, "min_value": low, "max_value": high}
    return {"type": "expect_column_values_to_be_between", "kwargs": kwargs, "reason": reason}


_WARD = {**_PATIENT, "ward": "string", "_source_file": "string"}
_VERSION = {"op": "string", "position": {"type": "string", "nullable": False}, "transaction": "string"}
_VALID = {"deleted": "boolean", "valid_from": "timestamp", "valid_to": "timestamp", "next_position": "string"}
_LINE = {"line": {"type": "string", "nullable": False}, "reason": "string", "_source_file": "string"}

_SCORED = {
    "model_version": {"type": "bigint", "nullable": False},
    **dict.fromkeys(("features_version", "run_id"), "string"),
    "scored_at": "timestamp",
    "outcome": "double",
    "outcome_known_at": "timestamp",
}

CONTRACTS = {
    "bronze.readings": contract(
        "bronze.readings",
        {**_PATIENT, "at": {"type": "timestamp", "nullable": False}, "glucose": "double"},
        key=["patient", "at"],
        expectations=[_between("glucose", 1, 40, "Beyond these, in mmol per litre, nobody lives.")],
    ),
    "bronze.register": contract("bronze.register", _WARD, key=["patient"]),
    "bronze.register_history": contract("bronze.register_history", {**_WARD, **_VERSION, **_VALID}, key=["patient", "position"]),
    "bronze.register_aside": contract("bronze.register_aside", _LINE, key=["line"]),
    "bronze.visits": contract("bronze.visits", {**_TEXTS, **_WHERE_FROM}, partitions=MONTHS),
    "silver.visits": contract(
        "silver.visits",
        {**_PATIENT, **_SEEN, "sex": {"type": "string", "nullable": False}, **_NUMBERS, **_LATER},
        key=["patient"],
        known_at="came_at",
        partitions=MONTHS,
        expectations=[
            _between("bmi", 12, 60, "A body mass index beyond these is a slip of the pen."),
            _between("bp", 40, 200, "Mean arterial pressure in mmHg.") | {"severity": "quarantine"},
        ],
    ),
    "gold.by_age": contract(
        "gold.by_age",
        {"decade": {"type": "int", "nullable": False}, "patients": "bigint", "progression": "double"},
        key=["month", "decade"],
        partitions=MONTHS,
    ),
    "features.patient": contract(
        "features.patient",
        {**_PATIENT, **_SEEN, **dict.fromkeys(("bmi", "bp", "ltg", "ratio"), "double"), **_LATER},
        key=["patient"],
        known_at="came_at",
        partitions=MONTHS,
    ),
    "scores.progression": contract(
        "scores.progression",
        {**_PATIENT, "score": {"type": "double", "nullable": False}, **_SCORED},
        key=["patient", "model_version"],
        partitions=MONTHS,
        parity={"features": "features.patient"},
    ),
}
