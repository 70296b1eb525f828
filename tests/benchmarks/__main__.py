"""`lakehouse bench …`, also `python -m tests.benchmarks …` in the project's folder."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tests.benchmarks
from lakehouse import kernels, settings
from lakehouse.errors import LakehouseError
from lakehouse.spark import server
from tests.benchmarks.timing import BenchmarkFailed


def main(words: list[str] | None = None) -> int:
    """Exit codes as the command's own: 0 done, 1 a part failed, 2 wrong input, 130 cancelled."""
    chosen = _arguments().parse_args(words)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # terminated, it ends its servers as if interrupted
    try:
        chosen.run(chosen)
        return 0
    except LakehouseError as error:
        print(f"lakehouse: {error.what}\n  {error.hint}", file=sys.stderr)
        return 1 if isinstance(error, BenchmarkFailed) or error.transient else 2
    except KeyboardInterrupt:
        print("\nlakehouse: cancelled", file=sys.stderr)
        return 130


def _arguments() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("lakehouse bench", description=tests.benchmarks.__doc__, formatter_class=form)
    which = parser.add_subparsers(required=True, metavar="peers|month|growth|tuning|merge|features|score|stream|gate")
    peers = which.add_parser("peers", help="beside what people use today")
    peers.add_argument("--rounds", type=_positive, default=3)
    peers.add_argument("--slow-rounds", type=_natural, default=1, help="of papermill and dagstermill, over ten minutes each")
    peers.add_argument("--only", type=_listed, default=["*"], help="assets (with all above them), by commas")
    peers.add_argument("--peers", type=_listed, default=None, help="some of the five by name, by commas; ours is always among them")
    peers.set_defaults(run=_peers)
    month = which.add_parser("month", help="one month again beside what people use today, as a schedule runs it")
    month.add_argument("--rounds", type=_positive, default=3)
    month.add_argument("--slow-rounds", type=_natural, default=1, help="of papermill and dagstermill")
    month.add_argument("--partition", default="2013-11", help="which month")
    month.set_defaults(run=_month)
    growth = which.add_parser("growth", help="ten and a hundred times the flights")
    growth.add_argument("--scales", type=_numbers, default=[1, 10, 100])
    growth.add_argument("--budget", type=_positive, default=3600, help="seconds that one scale may take")
    growth.add_argument("--only", type=_listed, default=["*"], help="assets (with all above them), by commas")
    growth.set_defaults(run=_growth)
    merging = which.add_parser("merge", help="merges of a share of the flights")
    merging.add_argument("--scales", type=_numbers, default=[1, 10])
    merging.add_argument("--shares", type=_numbers, default=[1, 10], help="how many of a hundred rows change")
    merging.set_defaults(run=_merging)
    features = which.add_parser("features", help="feature views joined as known at a moment, beside a plain join")
    features.add_argument("--scales", type=_numbers, default=[1, 10])
    features.add_argument("--rounds", type=_positive, default=3)
    features.set_defaults(run=_features)
    scoring = which.add_parser("score", help="scores on Spark beside a bare predict_proba")
    scoring.add_argument("--scales", type=_numbers, default=[1, 10])
    scoring.add_argument("--rounds", type=_positive, default=3)
    scoring.set_defaults(run=_scoring)
    tuning = which.add_parser("tuning", help="what each setting is worth")
    tuning.add_argument("--rounds", type=_positive, default=2)
    tuning.add_argument("--only", type=_listed, default=["features/*", "gold/*"], help="assets (with all above them), by commas")
    tuning.add_argument("--variants", type=_listed, default=None, help="some of the variants by a part of their name, by commas")
    tuning.set_defaults(run=_tuning)
    gate = which.add_parser("gate", help="what audit and profiles cost")
    gate.add_argument("--rounds", type=_positive, default=3)
    gate.add_argument("--only", type=_listed, default=["*"], help="assets (with all above them), by commas")
    gate.set_defaults(run=_gate)
    stream = which.add_parser("stream", help="rows a second and lag of a stream")
    stream.add_argument("--scales", type=lambda text: [_positive(each) for each in text.split(",")], default=[1, 10, 100])
    stream.add_argument("--seconds", type=_positive, default=60, help="for which files arrive")
    stream.add_argument("--every", type=_positive, default=5, help="seconds from one round to the next")
    stream.set_defaults(run=_stream)
    return parser


def _numbers(text: str) -> list[int]:
    return [_positive(each) for each in text.split(",")]


def _positive(text: str) -> int:
    number = _natural(text)
    if not number:
        raise argparse.ArgumentTypeError("give 1 or more")
    return number


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


@contextmanager
def _lake() -> Iterator[tuple[settings.Settings, Path]]:
    """An empty lake in a temporary folder, and that folder; all that was started for it is ended."""
    scratch = Path(tempfile.mkdtemp(prefix="lakehouse-bench-"))
    os.environ["LAKEHOUSE_ROOT"] = str(scratch / "lake")
    now = settings.load()
    try:
        yield now, scratch
    finally:
        kernels.stop(now)
        server.stop(now)
        shutil.rmtree(scratch, ignore_errors=True)


def _peers(chosen: argparse.Namespace) -> None:
    from tests.benchmarks import beside

    with _lake() as (now, scratch):
        beside.run(now, scratch, chosen.rounds, chosen.slow_rounds, chosen.only, chosen.peers)


def _month(chosen: argparse.Namespace) -> None:
    from tests.benchmarks import monthly

    with _lake() as (now, scratch):
        monthly.run(now, scratch, chosen.partition, chosen.rounds, chosen.slow_rounds)


def _growth(chosen: argparse.Namespace) -> None:
    from tests.benchmarks import growth

    growth.run(chosen.scales, chosen.budget, chosen.only)


def _merging(chosen: argparse.Namespace) -> None:
    from tests.benchmarks import merging

    merging.run(chosen.scales, chosen.shares)


def _features(chosen: argparse.Namespace) -> None:
    from tests.benchmarks import features

    with _lake() as (now, scratch):
        features.run(now, scratch, chosen.scales, chosen.rounds)


def _scoring(chosen: argparse.Namespace) -> None:
    from tests.benchmarks import scoring

    with _lake() as (now, scratch):
        scoring.run(now, scratch, chosen.scales, chosen.rounds)


def _stream(chosen: argparse.Namespace) -> None:
    from tests.benchmarks import streaming

    streaming.run(chosen.scales, chosen.seconds, chosen.every)


def _tuning(chosen: argparse.Namespace) -> None:
    from tests.benchmarks import tuning

    with _lake() as (now, scratch):
        tuning.run(now, scratch, chosen.rounds, chosen.only, chosen.variants)


def _gate(chosen: argparse.Namespace) -> None:
    from tests.benchmarks import gate

    with _lake() as (now, scratch):
        gate.run(now, scratch, chosen.rounds, chosen.only)


if __name__ == "__main__":
    sys.exit(main())
