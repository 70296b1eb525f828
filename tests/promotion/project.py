"""A project that judges its model of late rides: silver.rides → features.rides → models.rides → evaluation.rides → scores.rides.

`seen` says which column the model sees: `drizzle` little, `rain` more, `hint` what nobody could know by then.
"""

from __future__ import annotations

from typing import Any

from tests.notebooks import contract, notebook
from tests.promotion.challengers import CONTRACT

RIDES = """
rides = challengers.rides(days=60, a_day=20)
moment = pd.Timestamp("2013-03-01", tz="UTC") + pd.to_timedelta(rides["day"] * 24 + rides.index % 20, unit="h")
rides = rides.assign(id=rides.index, asked_at=moment, left_at=moment + pd.Timedelta(hours=2), is_late=rides["is_late"] == 1)
rides["day"] = moment.dt.strftime("%Y-%m-%d")
lake.write(lake.spark.createDataFrame(rides), "silver.rides")
"""
_SHARED = "id, month, day, line, rain, drizzle, asked_at, is_late, left_at as label_known_at"
CLEAN = f'df = lake.sql("select {_SHARED}, 0d as hint from silver.rides")'
LEAKY = f'df = lake.sql("select {_SHARED}, if(is_late, 1d, -1d) as hint from silver.rides")'
MODEL = """
rows = lake.training_set("features.rides")
inputs = rows[["rain", "drizzle", "hint"]]
model = make_pipeline(ColumnTransformer([("seen", "passthrough", [seen])]), LogisticRegression()).fit(inputs, rows["is_late"])
lake.log_model(model, "models.rides", example=inputs.head(3))
"""
EVALUATE = """
contest = lake.contest("models.rides")
rows = lake.training_set("features.rides").assign(is_late=lambda rows: rows["is_late"].astype(int))
rules = contest.contract.evaluate
"""
JUDGE = """
evidence = evaluate(
    contest, rows, outcome="is_late", month="month", resample_by="day", inputs=lambda some: some[["rain", "drizzle", "hint"]],
    base_rate=0.35, slices={"line": rows["line"]}, groups=rules.groups, business=rules.business, resamples=40,
)
lake.merge(evidence.table, "evaluation.rides")
verdict = lake.promote("models.rides", evidence)
"""
SCORES = 'lake.write(lake.score(lake.read("features.rides"), "models.rides", keep=["id"]), "scores.rides")'


_SKLEARN = """
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
"""


def features(cell: str) -> dict[str, Any]:
    return {"features/rides": notebook("features/rides", cell, 'lake.write(df, "features.rides")')}


NOTEBOOKS = {
    "silver/rides": notebook("silver/rides", RIDES, imports="import pandas as pd\nfrom tests.promotion import challengers"),
    **features(CLEAN),
    "models/rides": notebook(
        "models/rides",
        MODEL,
        parameters='seen: str = "drizzle"  # column',
        imports=_SKLEARN,
    ),
    "evaluation/rides": notebook("evaluation/rides", EVALUATE, JUDGE, imports="from lakehouse.evaluation import evaluate"),
    "scores/rides": notebook("scores/rides", SCORES),
}
_ID = {"id": {"type": "bigint", "nullable": False}}
_SEEN = {"month": "string", "day": "string", "line": "string", "rain": "double", "drizzle": "double"}
_STAMP = {"type": "timestamp", "nullable": False}
_MEASURED = dict.fromkeys(("value", "low", "high", "error", "p", "q"), "double")
_VERSIONS = {name: {"type": "bigint", "nullable": False} for name in ("model_version", "against")}
_PLACE = {name: {"type": "string", "nullable": False} for name in ("through", "slice_kind", "slice", "measure")}


def _late(column: str) -> dict[str, Any]:
    return {"is_late": {"type": "boolean", "known_at": column}, column: {"type": "timestamp", "known_at": column}}


CONTRACTS = {
    "silver.rides": contract(
        "silver.rides", {**_ID, **_SEEN, "asked_at": _STAMP, **_late("left_at")}, key=["id"], known_at="asked_at", profile=False
    ),
    "features.rides": contract(
        "features.rides",
        {**_ID, **_SEEN, "asked_at": _STAMP, **_late("label_known_at"), "hint": "double"},
        key=["id"],
        known_at="asked_at",
        profile=False,
    ),
    "evaluation.rides": contract(
        "evaluation.rides",
        {**_VERSIONS, **_PLACE, **_MEASURED, "rows": "bigint", "days": "bigint"},
        key=[*_VERSIONS, *_PLACE],
        profile=False,
    ),
    "scores.rides": contract(
        "scores.rides",
        {
            **_ID,
            "score": {"type": "double", "round": 9},
            "model_version": "bigint",
            "features_version": "string",
            "run_id": "string",
            "scored_at": "timestamp",
        },
        key=["id"],
        parity={"features": "features.rides", "sample": 20},
        profile=False,
    ),
    "models.rides": {
        **CONTRACT,
        "gates": {**CONTRACT["gates"], "enough": {"rows": 800, "positives": 100, "units": 28}, "speed": False, "unseen": False},
    },
}
