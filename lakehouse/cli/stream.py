"""`lakehouse stream`: lands what keeps coming and brings up to date what lies below, until it is told to stop."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lakehouse.project import Project
    from lakehouse.settings import Settings
    from lakehouse.source import Stream
    from lakehouse.streams.rounds import Round

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def register(app: typer.Typer) -> None:
    app.command("stream")(stream)


def stream(
    selection: Annotated[list[str] | None, typer.Argument(help="streams by their raw table; all by default")] = None,
    every: Annotated[str, typer.Option("--every", help="how long from one round to the next: 10s, 5m")] = "10s",
    land_only: Annotated[bool, typer.Option("--land-only", help="leave the notebooks below to others, such as Dagster")] = False,
    rounds: Annotated[int | None, typer.Option("--rounds", min=1, help="end after so many rounds")] = None,
) -> int:
    """Land what keeps coming, and run the notebooks below, until Ctrl-C (which finishes the round; twice: at once)."""
    from lakehouse import settings
    from lakehouse.cli.run import refuse_broken
    from lakehouse.project import Project
    from lakehouse.streams.rounds import Rounds

    seconds = _seconds(every)
    now = settings.load()
    project = Project.load(now.project)
    refuse_broken(project)
    streams = _chosen(project, selection)
    stop = _Stop()
    told = _Told(project, streams, every, land_only)
    with stop, _known(now, streams):
        for number, made in enumerate(Rounds(now, streams, seconds, land_only=land_only).run(stop.asked), start=1):
            told.tell(made)
            if number == rounds:
                stop.now = True
    told.end()
    return 0


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip())
    if not found or found[2] not in _UNITS:
        raise typer.BadParameter(f"--every {text!r} is not a span of time: write 10s, 5m or 1h")
    return float(found[1]) * _UNITS[found[2]]


def _chosen(project: Project, selection: list[str] | None) -> list[Stream]:
    """Raises UnknownName where nothing chosen is a stream."""
    from lakehouse.errors import UnknownName
    from lakehouse.source import Stream

    every = {name: one for name, one in project.sources.items() if isinstance(one, Stream)}
    wanted = project.select(selection) if selection else tuple(every)
    other = [name for name in wanted if name not in every]
    if other or not wanted:
        what = f"{other[0]} is not landed by a stream" if other else "No stream is declared"
        known = f"There are {', '.join(map(str, every))}." if every else "Declare one in assets/sources.py: Stream(…)."
        raise UnknownName(what, known)
    return [every[name] for name in wanted]


class _Stop:
    """Within `with stop:` an interrupt asks for the end; a second one is what it always was."""

    def __init__(self) -> None:
        self.now = False
        self._before: dict[int, Any] = {}

    def asked(self) -> bool:
        return self.now

    def __enter__(self) -> _Stop:
        self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, _number: int, _frame: Any) -> None:
        if self.now:
            raise KeyboardInterrupt
        self.now = True
        os.write(1, b"Ending after this round (once more: at once).\n")


class _Told:
    """Says what is kept, a line for each round that did anything, and what it came to."""

    def __init__(self, project: Project, streams: list[Stream], every: str, land_only: bool) -> None:
        below = {asset.slashed for one in streams for asset in project.descendants(one.name)} if not land_only else set()
        names = ", ".join(one.name.slashed for one in streams)
        then = f", then {', '.join(sorted(below))}" if below else ""
        self._rounds = self._rows = 0
        self._worst = 0.0
        keeps = f"A record can be read {every} and a round after it came, at most."
        print(f"{names} every {every}{then}. {keeps} Ctrl-C ends this.", flush=True)

    def tell(self, made: Round) -> None:
        self._rounds += 1
        self._rows += made.rows
        if made.idle:
            return
        parts = [
            f"{table.slashed} {one.rows:,} rows of {one.files} file{'s' if one.files != 1 else ''} in {one.seconds:.1f} s"
            for table, one in made.landed.items()
            if one.version is not None
        ]
        parts += [f"{asset.slashed} in {seconds:.1f} s" for asset, seconds in made.ran.items()]
        if made.newest is not None and made.oldest is not None:
            self._worst = max(self._worst, made.oldest)
            parts.append(f"lag {made.newest:.1f} to {made.oldest:.1f} s")
        if parts:
            print(f"{time.strftime('%H:%M:%S')}  {'; '.join(parts)}", flush=True)
        for asset, cause in made.failed.items():
            print(f"{time.strftime('%H:%M:%S')}  ✗ {asset.slashed}: {cause}", flush=True)

    def end(self) -> None:
        lag = f"; the longest lag {self._worst:.1f} s" if self._worst else ""
        print(f"{self._rounds} rounds, {self._rows:,} rows{lag}.")


@contextmanager
def _known(now: Settings, streams: list[Stream]) -> Iterator[None]:
    """While it runs, `lakehouse status` lists it and `lakehouse down` ends it. Raises ServiceError where it runs already."""
    from lakehouse import services
    from lakehouse.errors import ServiceError

    names = [f"stream-{one.name.name}" for one in streams]
    for name in names:
        running = services.read(now, name)
        if running is not None and running.alive:
            raise ServiceError(f"{name} runs already: process {running.pid}", "End that one first, by Ctrl-C or SIGTERM.")
    for name in names:
        services.record(now, name, os.getpid())
    try:
        yield
    finally:
        for name in names:
            services.forget(now, name)
