"""The same tables from the same raw files by Polars and delta-rs, in one process and without Spark, as its users write it.

Lazy up to each table, typed by casts that fail on what they cannot read, windows by `rolling_sum_by`, what was known at
a moment by `join_asof`; the model is trained, logged and loaded by the same scikit-learn and MLflow as everywhere.

    python polars_script.py <job>
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import polars_features
from sklearn.impute import SimpleImputer

from assets.transforms import delay_model  # scikit-learn only
from lakehouse import evaluation  # of it, what needs scikit-learn only
from lakehouse.training.search import search

NEW_YORK = "America/New_York"
UNLISTED_ZONES = {
    "BQN": "America/Puerto_Rico",
    "PSE": "America/Puerto_Rico",
    "SJU": "America/Puerto_Rico",
    "STT": "America/St_Thomas",
}
STRONGEST_WIND = 253.0
LATE_AFTER = 15  # minutes
FLIGHT = ["flight_date", "carrier", "flight_number", "origin"]
MEASURED = {
    "temperature": "temp",
    "dew_point": "dewp",
    "humidity": "humid",
    "wind_direction": "wind_dir",
    "wind_speed": "wind_speed",
    "wind_gust": "wind_gust",
    "precipitation": "precip",
    "pressure": "pressure",
    "visibility": "visib",
}
TRAIN_UNTIL, TEST_MONTH, SCORED = "2013-02", "2013-03", [f"2013-{month:02}" for month in range(5, 13)]


class Run:
    """One run's tables: `job` says where the raw files lie and where the tables go."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        self._job, self._folder = job, Path(job["folder"])
        self.model: Any = None

    def raw(self, name: str) -> pl.LazyFrame:
        files = self._job["raw"][f"raw.{name}"]
        return pl.scan_csv(files, infer_schema=False, include_file_paths="_source_file").with_columns(
            _source_sha256=pl.lit(""), _received_at=pl.lit(datetime.now(UTC)).cast(pl.Datetime("us", "UTC"))
        )

    def table(self, name: str) -> pl.LazyFrame:
        return pl.scan_delta(str(self._folder / name.replace(".", "/")))

    def write(self, frame: pl.LazyFrame | pl.DataFrame, name: str) -> None:
        column = self._job["partitioned"].get(name)
        options = {"partition_by": [column]} if column else {}
        frame.lazy().collect().write_delta(
            str(self._folder / name.replace(".", "/")), mode="overwrite", delta_write_options=options
        )


def register(name: str) -> Any:
    def step(run: Run) -> None:
        run.write(run.raw(name), f"bronze.{name}")

    return step


def monthly_delivery(name: str) -> Any:
    def step(run: Run) -> None:
        run.write(run.raw(name).with_columns(source_month=month_of_row()), f"bronze.{name}")

    return step


def silver_weather(run: Run) -> None:
    columns = {name: typed(source, pl.Float64) for name, source in MEASURED.items()}
    hour = pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC")
    weather = (
        newest(run.table("bronze.weather"), ["origin", "time_hour"])
        .select("origin", month=month_of_row(), observed_hour=hour, known_at=hour.dt.offset_by("1h"), **columns)
        .with_columns(wind_speed=pl.when(pl.col("wind_speed") <= STRONGEST_WIND).then("wind_speed"))
    )
    run.write(weather, "silver.weather")


def silver_flights(run: Run) -> None:
    flights = one_per_flight(run.table("bronze.flights"))
    flights = on_utc(flights, run.table("bronze.airports"))
    weather = run.table("silver.weather").select("origin", "observed_hour", *MEASURED)
    planes = run.table("bronze.planes").select(
        tail_number="tailnum",
        plane_year=typed("year", pl.Int32),
        plane_maker=present("manufacturer"),
        plane_seats=typed("seats", pl.Int32),
    )
    flights = (
        flights.with_columns(observed_hour=pl.col("scheduled_departure").dt.truncate("1h"))
        .join(weather, on=["origin", "observed_hour"], how="left")
        .join(planes, on="tail_number", how="left")
        .drop("observed_hour")
    )
    run.write(flights, "silver.flights")


def one_per_flight(delivered: pl.LazyFrame) -> pl.LazyFrame:
    numbers = {
        "flight_number": "flight",
        "distance": "distance",
        "departure_delay": "dep_delay",
        "arrival_delay": "arr_delay",
        "air_time": "air_time",
        "departure_clock": "sched_dep_time",
        "arrival_clock": "sched_arr_time",
    }
    rows = delivered.select(
        "_received_at",
        "_source_file",
        month=month_of_row(),
        flight_date=pl.date(*(pl.col(part).cast(pl.Int32) for part in ("year", "month", "day"))),
        carrier=present("carrier"),
        tail_number=present("tailnum"),
        origin=present("origin"),
        destination=present("dest"),
        **{name: typed(source, pl.Int32) for name, source in numbers.items()},
    )
    status = (
        pl.when(pl.col("departure_delay").is_null())
        .then(pl.lit("cancelled"))
        .when(pl.col("arrival_delay").is_null())
        .then(pl.lit("diverted"))
        .otherwise(pl.lit("landed"))
    )
    day = pl.col("flight_date").dt.to_string("%Y%m%d")
    return (
        newest(rows, FLIGHT)
        .drop("_received_at", "_source_file")
        .with_columns(flight_id=pl.concat_str(day, "carrier", "flight_number", "origin", separator="-"), status=status)
    )


def on_utc(flights: pl.LazyFrame, airports: pl.LazyFrame) -> pl.LazyFrame:
    """The schedule's clocks as moments; the arrival's are in the destination's zone, of which there are a handful."""
    register = airports.select(destination="faa", zone=present("tzone"))
    unlisted = pl.col("destination").replace_strict(UNLISTED_ZONES, default=None, return_dtype=pl.String)
    minutes = pl.col("departure_clock") // 100 * 60 + pl.col("departure_clock") % 100
    placed = (
        flights.join(register, on="destination", how="left")
        .with_columns(
            zone=pl.coalesce("zone", unlisted),
            scheduled_departure=at_clock("flight_date", "departure_clock", NEW_YORK),
            departure_hour=pl.col("departure_clock") // 100 % 24,
            departure_minute=minutes % 1440,
        )
        .collect()
    )
    arrivals = [
        rows.with_columns(
            same=at_clock("flight_date", "arrival_clock", zone),
            next=at_clock(pl.col("flight_date").dt.offset_by("1d"), "arrival_clock", zone),
        )
        for (zone,), rows in placed.partition_by("zone", as_dict=True).items()
    ]
    departure, same = pl.col("scheduled_departure"), pl.col("same")
    return (
        pl.concat(arrivals)
        .lazy()
        .with_columns(scheduled_arrival=pl.when(same > departure).then(same).otherwise("next"))
        .with_columns(
            departed_at=departure + pl.duration(minutes="departure_delay"),
            arrived_at=pl.col("scheduled_arrival") + pl.duration(minutes="arrival_delay"),
        )
        .drop("zone", "same", "next", "departure_clock", "arrival_clock")
    )


def at_clock(day: str | pl.Expr, clock: str, zone: str) -> pl.Expr:
    """When clocks in `zone` show `clock` (517 is 5:17, 2400 the day's end) on `day`; a missing hour is the one after it."""
    day = pl.col(day) if isinstance(day, str) else day
    local = day.cast(pl.Datetime("us")) + pl.duration(hours=pl.col(clock) // 100, minutes=pl.col(clock) % 100)
    there, later = (
        moment.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        for moment in (local, local + pl.duration(hours=1))
    )
    return pl.coalesce(there, later).dt.convert_time_zone("UTC")


def performance(flights: pl.LazyFrame, *keys: str) -> pl.LazyFrame:
    status = pl.col("status")
    counted = flights.group_by(keys).agg(
        flights=pl.len().cast(pl.Int64),
        landed=(status == "landed").sum().cast(pl.Int64),
        cancelled=(status == "cancelled").sum().cast(pl.Int64),
        diverted=(status == "diverted").sum().cast(pl.Int64),
        late=(pl.col("arrival_delay") > LATE_AFTER).sum().cast(pl.Int64),
        mean_departure_delay=pl.col("departure_delay").mean(),
        mean_arrival_delay=pl.col("arrival_delay").mean(),
        arrival_delay_90th=pl.col("arrival_delay").quantile(0.9, "linear"),
    )
    return counted.with_columns(
        late_share=pl.when(pl.col("landed") > 0).then(pl.col("late") / pl.col("landed")),
        cancelled_share=pl.col("cancelled") / pl.col("flights"),
    )


def gold_carriers(run: Run) -> None:
    names = run.table("bronze.airlines").select("carrier", carrier_name="name")
    carriers = performance(run.table("silver.flights"), "month", "carrier").join(names, on="carrier", how="left").collect()
    total = carriers.group_by("carrier_name").agg(pl.col("late", "landed").sum()).to_pandas().set_index("carrier_name")
    (100 * total["late"] / total["landed"]).sort_values().plot.barh(figsize=(8, 4.5))
    plt.close("all")
    run.write(carriers, "gold.carrier_performance")


def gold_routes(run: Run) -> None:
    names = run.table("bronze.airports").select(destination="faa", destination_name="name")
    routes = performance(run.table("silver.flights"), "month", "origin", "destination")
    routes = routes.join(names, on="destination", how="left").collect()
    for (_origin,), rows in routes.partition_by("origin", as_dict=True).items():
        plt.scatter(rows["flights"], 100 * rows["late_share"], s=8)
    plt.close("all")
    run.write(routes, "gold.route_performance")


def features(run: Run) -> None:
    known = polars_features.known(run.table("silver.flights").collect(), run.table("silver.weather").collect())
    run.write(known, "features.flight_departure")


def origin_weather(run: Run) -> None:
    weather = run.table("silver.weather").select("month", "origin", "known_at", *polars_features.WEATHER)
    run.write(weather.collect(), "features.origin_weather")


def plane_landing(run: Run) -> None:
    landed = run.table("silver.flights").filter(pl.col("arrived_at").is_not_null(), pl.col("tail_number").is_not_null())
    landings = landed.group_by("month", "tail_number", "arrived_at").agg(pl.col("arrival_delay").max())
    run.write(landings.collect(), "features.plane_landing")


def train(run: Run) -> None:
    table = run.table("features.flight_departure").filter(pl.col("month") <= TEST_MONTH).collect().to_pandas()
    past, test = delay_model.split(table, TRAIN_UNTIL, TEST_MONTH)
    late, late_test = past["is_late"].astype(int), test["is_late"].astype(int)
    waiting = pd.cut(past["origin_overdue"], [-1, 0, 2, 5, 10, 20, 40, np.inf])
    (100 * late.groupby(waiting, observed=True).mean()).plot.bar(figsize=(7, 3))
    earlier, recent = delay_model.lately(past)
    some = delay_model.some(earlier, 30_000, 13)
    worth = SimpleNamespace(right=15, wrong=-5)

    def warn(outcome: Any, score: Any) -> float:
        return evaluation.best_threshold(outcome.to_numpy(), score, worth)

    found = search(
        lambda chosen: delay_model.attempt(some, recent, 200, 13, warn, **chosen),
        delay_model.SETTINGS,
        metric="log_loss",
        tries=5,
        seed=13,
        first=[{"learning_rate": 0.05}],
    )
    trees = delay_model.fit(delay_model.boosted_trees(rounds=200, random_state=13, **found.parameters), past, late)
    model = evaluation.carry(trees, found.best.metrics["warn_from"], delay_model.inputs(past), late)
    linear = delay_model.fit(delay_model.linear(SimpleImputer()), past, late)
    scores = {
        "base_rate": np.full(len(test), late.mean()),
        "linear": delay_model.score(linear, test),
        "boosted": delay_model.score(model, test),
    }
    measures = {name: delay_model.measures(late_test, score) for name, score in scores.items()}
    figure, axes = plt.subplots(figsize=(4.5, 4.5))
    for name in ("linear", "boosted"):
        groups = delay_model.reliability(late_test, scores[name])
        axes.plot(groups["predicted"], groups["observed"], marker="o", label=name)
    metrics = {f"{measure}_{name}": value for name, values in measures.items() for measure, value in values.items()}
    run.model = log(run, model, metrics, {"rows_trained": len(past)}, delay_model.inputs(test).head(5), figure)
    plt.close("all")


def log(run: Run, model: Any, metrics: Any, parameters: Any, example: Any, figure: Any) -> Any:
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{run._folder / 'mlflow.db'}")
    mlflow.set_experiment("models.flight_delay")
    with mlflow.start_run():
        mlflow.log_metrics(metrics)
        mlflow.log_params(parameters)
        mlflow.log_figure(figure, "reliability.png")
        mlflow.sklearn.log_model(
            model,
            name="model",
            input_example=example,
            pip_requirements=["scikit-learn"],
            skops_trusted_types=run._job["trusted_types"],
        )
    return model


def score(run: Run) -> None:
    asked = run.table("features.flight_departure").filter(pl.col("month").is_in(SCORED)).collect()
    outcome = {"outcome": pl.col("is_late"), "outcome_known_at": pl.col("label_known_at")}
    scores = asked.select("flight_id", "month", "asked_at", **outcome).with_columns(
        score=pl.Series(delay_model.score(run.model, asked.to_pandas())),
        model_version=pl.lit(1, pl.Int64),
        features_version=pl.lit(""),
        run_id=pl.lit("polars"),
        scored_at=pl.lit(datetime.now(UTC)).cast(pl.Datetime("us", "UTC")),
    )
    for (_month,), rows in scores.partition_by("month", as_dict=True).items():
        plt.hist(rows["score"], bins=50, range=(0, 1), histtype="step")
    plt.close("all")
    run.write(scores, "scores.flight_delay")


def month_of_row() -> pl.Expr:
    return pl.format("{}-{}", pl.col("year").str.zfill(4), pl.col("month").str.zfill(2))


def present(name: str) -> pl.Expr:
    return pl.when(pl.col(name) != "NA").then(pl.col(name))


def typed(name: str, kind: Any) -> pl.Expr:
    return present(name).cast(kind)


def newest(rows: pl.LazyFrame, key: Sequence[str]) -> pl.LazyFrame:
    return rows.sort("_received_at", "_source_file").unique(subset=key, keep="last")


STEPS = {
    "bronze/airlines": register("airlines"),
    "bronze/airports": register("airports"),
    "bronze/planes": register("planes"),
    "bronze/flights": monthly_delivery("flights"),
    "bronze/weather": monthly_delivery("weather"),
    "silver/weather": silver_weather,
    "silver/flights": silver_flights,
    "gold/carrier_performance": gold_carriers,
    "gold/route_performance": gold_routes,
    "features/origin_weather": origin_weather,
    "features/plane_landing": plane_landing,
    "features/flight_departure": features,
    "models/flight_delay": train,
    "scores/flight_delay": score,
}


def main(job: Mapping[str, Any]) -> None:
    run = Run(job)
    for notebook in job["notebooks"]:
        STEPS[notebook["name"]](run)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
