"""A project that retrains: things whose outcome comes days later, a model of them, its judge and its scores.

features.things ─┬→ models.things ─→ evaluation.things ─→ scores.things
                 └───────────────────↗─────────────────────↗
"""

from __future__ import annotations

from typing import Any

from tests.notebooks import contract, notebook
from tests.scoring.project import SCORED
from tests.workspace import monthly

MONTHS = {"column": "month", "start": "2013-01", "end": "2013-06"}
# 400 things a month. January's sizes were measured badly, so a model of January alone is timid.
FEATURES = """
df = lake.spark.sql('''
    select month, bigint(id) as id, asked_at, asked_at + interval 12 hours as known,
           (pmod(hash(id, month), 1000) + if(month = '2013-01', pmod(hash(id, 2), 400) - 200, 0)) / 1000d as size,
           pmod(hash(id, month), 1000) + pmod(hash(month, id, 1), 600) > 800 as came
    from (select month, id, timestamp(month || '-01') + make_dt_interval(id % 28, id % 24) as asked_at
          from (select explode(array({months})) as month) lateral view explode(sequence(0, 399)) ids as id)
'''.format(months=", ".join(map(repr, months))))
answered = "id % 25 != 0 and (month < '{late}' or id % 2 = 0)".format(late=late)
for name in ("came", "known"):
    df = df.withColumn(name, F.expr(f"if({answered}, {name}, null)"))
"""
MODEL = """
rows = lake.read("features.things", partitions="all").where(f"month <= '{until}' and came is not null")
rows = rows.orderBy("month", "id").toPandas()
model = LogisticRegression(C=10.0 ** -spoilt).fit(rows[["size"]], rows["came"].astype(int))
lake.log_model(model, "models.things", metrics={"rows": len(rows)}, example=rows[["size"]].head(3))
"""
JUDGE = (
    'contest = lake.contest("models.things")',
    """
    known = lake.read("features.things", partitions="all").where(f"known <= timestamp '{known_by}' and month <= '{through}'")
    known = known.orderBy("month", "id").toPandas()
    rows = known[known["month"] >= through.shift(-1)].reset_index(drop=True)
    evidence = evaluate(
        contest, rows.assign(came=rows["came"].astype(int)), outcome="came", month="month", resample_by=rows["asked_at"].dt.date,
        inputs=lambda these: these[["size"]], base_rate=float(known["came"].astype(int).mean()), resamples=50,
        trained_until=trained_with(lake, contest, "until"),
    )
    """,
    'lake.merge(evidence.table, "evaluation.things")',
    'lake.promote("models.things", evidence)',
)
SCORES = (
    'features = lake.read("features.things")',
    'scores = lake.score(features, "models.things", keep=["id", "month"])',
    'outcomes = features.selectExpr("id", "month", "came as outcome", "known as outcome_known_at")',
    'lake.merge(with_outcomes(scores, lake.standing("scores.things"), outcomes), "scores.things")',
)

NOTEBOOKS: dict[str, Any] = {
    "features/things": monthly(
        "features/things", FEATURES, 'lake.write(df, "features.things")', imports="from pyspark.sql import functions as F"
    ),
    "models/things": notebook(
        "models/things",
        MODEL,
        parameters='until: month = "2013-01"  # last month to train on\nspoilt: int = 0  # how strongly it is kept from learning',
        imports="from sklearn.linear_model import LogisticRegression\nfrom lakehouse import month",
    ),
    "evaluation/things": notebook(
        "evaluation/things",
        *JUDGE,
        parameters="""
        through: month = "2013-03"  # last month to judge by
        known_by: datetime = "2013-04-02T00:00:00"  # outcomes that became known later do not count
        """,
        imports="""
        from datetime import datetime
        from lakehouse import month
        from lakehouse.evaluation import evaluate, trained_with
        """,
    ),
    "scores/things": monthly("scores/things", *SCORES, imports="from lakehouse.scoring import with_outcomes"),
}
NOTEBOOKS["scores/things"]["cells"][2]["source"] = 'months: list[month] = ["2013-04"]  # months to score'
NOTEBOOKS["features/things"]["cells"][2]["source"] += (
    '\nlate: str = "2014-01"  # from this month on, half of the outcomes are still to come'
)

_THING = {"month": {"type": "string", "nullable": False}, "id": {"type": "bigint", "nullable": False}}
_NUMBERS = dict.fromkeys(("value", "low", "high", "error", "p", "q"), "double")
_WORDS = {name: {"type": "string", "nullable": False} for name in ("through", "slice_kind", "slice", "measure")}
_COUNTS = {name: {"type": "bigint", "nullable": False} for name in ("model_version", "against")}
KEY = ["model_version", "against", "through", "slice_kind", "slice", "measure"]

CONTRACTS: dict[str, Any] = {
    "features.things": contract(
        "features.things",
        {**_THING, "asked_at": "timestamp", "known": "timestamp", "size": "double", "came": "boolean"},
        key=["month", "id"],
        partitions=MONTHS,
        profile=False,
    ),
    "evaluation.things": contract(
        "evaluation.things",
        {**_COUNTS, **_WORDS, **_NUMBERS, "rows": "bigint", "days": "bigint"},
        key=KEY,
        profile=False,
    ),
    "scores.things": contract(
        "scores.things",
        {**_THING, **SCORED},
        key=["month", "id", "model_version"],
        partitions={**MONTHS, "start": "2013-04"},
        profile=False,
    ),
    "models.things": {
        "model": "models.things",
        "purpose": "Whether a thing comes.",
        "owner": "team@example.com",
        "outcome": {
            "table": "features.things",
            "column": "came",
            "known_at": "known",
            "at": "asked_at",
            "share": 0.9,
            "grace": "1d",
        },
        "evaluate": {"months": 2},
        "gates": {
            "enough": {"rows": 500, "positives": 50},
            "better": {"gain": 0.01},
            "speed": {"seconds": 60},
            **dict.fromkeys(("leaks", "calibrated"), False),
        },
    },
}
