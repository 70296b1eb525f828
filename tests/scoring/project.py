"""A project that scores things: features of two months, a model of boosted trees, scores by model and their outcomes.

features.things ─┬→ models.things ─→ scores.things
                 └─────────────────────↗
"""

from __future__ import annotations

from tests.notebooks import MONTHS, contract, notebook
from tests.workspace import PARAMETERS, monthly

FEATURES = """
df = lake.spark.sql('''
    select month, id, if(id % 10 = 0, null, pmod(id * 37, 100) / 10d) as size,
           element_at(array('a', 'b', 'c'), 1 + int(id % 3)) as kind,
           if({known}, pmod(id * 37, 100) > 50, null) as is_big, if({known}, timestamp '2013-04-01', null) as label_known_at
    from (select explode(array({months})) as month) lateral view explode(sequence(0, 99)) ids as id
'''.format(known=known, months=", ".join(map(repr, months))))
"""
# Ids are told apart by month, so that an id is one thing.
MONTHLY = 'df = df.withColumn("id", F.expr("bigint(id + 1000 * int(right(month, 2)))")).withColumn("size", F.expr(size))'
MODEL = """
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=float("nan"))
columns = ColumnTransformer([("codes", codes, ["kind"]), ("numbers", "passthrough", ["size"])])
model = make_pipeline(columns, HistGradientBoostingClassifier(max_iter=rounds, min_samples_leaf=5, random_state=1))
model.fit(rows[["kind", "size"]], rows["is_big"].astype(bool))
lake.log_model(model, "models.things", metrics={"rounds": rounds}, example=rows[["kind", "size"]].head(3))
"""
SCORES = (
    'features = lake.read("features.things").withColumn("size", F.expr(seen))',
    'scores = lake.score(features, "models.things", keep=["id", "month"])',
    'known = features.selectExpr("id", "month", "is_big as outcome", "label_known_at as outcome_known_at")',
    'told = with_outcomes(scores.withColumn("score", F.expr(say)), lake.standing("scores.things"), known)',
    'lake.merge(told, "scores.things")',
)
_F = "from pyspark.sql import functions as F"

NOTEBOOKS = {
    "features/things": monthly("features/things", FEATURES, MONTHLY, 'lake.write(df, "features.things")', imports=_F),
    "models/things": notebook(
        "models/things",
        'rows = lake.read("features.things", partitions="all").where("is_big is not null").orderBy("id").toPandas()',
        MODEL,
        parameters="rounds: int = 5  # of boosting",
    ),
    "scores/things": monthly("scores/things", *SCORES, imports=f"{_F}\nfrom lakehouse.scoring import with_outcomes"),
}
_OF = {
    "features/things": ("known: bool = True", 'size: str = "size"'),
    "scores/things": ('seen: str = "size"', 'say: str = "score"'),
}
for _name, _parameters in _OF.items():
    NOTEBOOKS[_name]["cells"][2]["source"] = "\n".join((PARAMETERS, *_parameters))

_THING = {"month": {"type": "string", "nullable": False}, "id": {"type": "bigint", "nullable": False}}
SCORED = {
    "score": {"type": "double", "nullable": False, "round": 9},
    "model_version": {"type": "bigint", "nullable": False},
    **dict.fromkeys(("features_version", "run_id"), "string"),
    **dict.fromkeys(("scored_at", "outcome_known_at"), "timestamp"),
    "outcome": "boolean",
}
"""The columns of a table of scores beside those that name a row."""
CONTRACTS = {
    "features.things": contract(
        "features.things",
        {**_THING, "size": "double", "kind": "string", "is_big": "boolean", "label_known_at": "timestamp"},
        key=["id"],
        partitions=MONTHS,
        profile=False,
    ),
    "scores.things": contract(
        "scores.things",
        {**_THING, **SCORED},
        key=["id", "model_version"],
        partitions=MONTHS,
        parity={"features": "features.things", "sample": 50},
        profile=False,
    ),
}
