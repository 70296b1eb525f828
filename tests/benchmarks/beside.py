"""`lakehouse bench peers`: the rounds, the spine's own figures, and where they are written down."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lakehouse import settings
from lakehouse.errors import UnknownName
from tests.benchmarks import environments, machine, picture, report, rounds, spine
from tests.benchmarks.rounds import Bench, Peer
from tests.benchmarks.timing import middle, ratio

HEADERS = [
    "the same notebooks, all months",
    "rounds",
    "seconds",
    "from-to",
    "to ours",
    "to plain",
    "memory GiB",
    "largest processes GiB",
]
PICTURE = ".pictures/benchmark.png"


def run(now: settings.Settings, scratch: Path, fast: int, slow: int, only: Sequence[str], names: Sequence[str] | None) -> None:
    """Measures, prints, saves. Raises BenchmarkFailed, UnknownName."""
    peers = _chosen(names, slow)
    for name in ("papermill", "dagstermill", "polars"):
        if any(peer.name == name for peer in peers):
            environments.ensure(name, now)
    bench = Bench(now, scratch, only)
    print(f"{len(bench.assets)} notebooks; the first run of ours and of the plain script is not counted", flush=True)
    bench.warm_up()
    rounds.measure(bench, peers, fast, slow, lambda words: print(words, flush=True))
    idle = spine.nothing_changed(now, scratch, fast, [f"+{name}" for name in bench.names])
    starts = spine.kernel_starts(now, fast)
    tell(now, bench, peers, {"nothing changed": idle, "kernel": starts})


def _chosen(names: Sequence[str] | None, slow: int) -> list[Peer]:
    peers = rounds.all_peers()
    known = [peer.name for peer in peers]
    for name in names or ():
        if name not in known:
            raise UnknownName(f"There is no peer {name!r}", f"There are {', '.join(known)}.")
    wanted = {"ours", *(known if names is None else names)}  # whose tables are not compared with ours does not count
    return [peer for peer in peers if peer.name in wanted and (slow or not peer.slow)]


def tell(now: settings.Settings, bench: Bench, peers: Sequence[Peer], the_spine: dict[str, Any]) -> None:
    here = machine.describe()
    rows = table(peers)
    caption = machine.in_words(here)
    report.show(f"{len(bench.assets)} notebooks, all months, tables equal", HEADERS, rows, caption)
    small = spine.table(the_spine["nothing changed"], the_spine["kernel"])
    report.show("the spine", ["what", "seconds"], small)
    facts = [
        {"name": p.name, "title": p.title, "seconds": p.seconds, "median": p.median, "memory": p.memory, "largest": p.largest}
        for p in peers
    ]
    whole = len(bench.assets) == len(rounds.compared(bench.project))
    measured = {"machine": here, "notebooks": bench.names, "peers": facts, "spine": the_spine}
    print("saved:", report.save("peers", measured, whole=whole))
    if not whole:
        print("Some notebooks only: README and picture stay as they are.")
        return
    picture.draw(now.project / PICTURE, [(p.title, p.median, p.name == "ours") for p in peers if p.median], caption)
    body = "\n\n".join([report.markdown(HEADERS, rows), report.markdown(["the spine", "seconds"], small), caption + "."])
    if not report.put(now.project / "README.md", "peers", body):
        print(body)


def table(peers: Sequence[Peer]) -> list[list[str]]:
    """One row a peer, as in HEADERS."""
    medians = {peer.name: middle(peer.seconds) for peer in peers}
    rows = []
    for peer in peers:
        largest = sorted(peer.largest.items(), key=lambda item: -item[1])[:3]
        rows.append(
            [
                peer.title,
                str(len(peer.seconds)),
                report.seconds(peer.median),
                f"{min(peer.seconds):.0f}-{max(peer.seconds):.0f}" if peer.seconds else "",
                report.times(ratio(peer.median, medians.get("ours"))),
                report.times(ratio(peer.median, medians.get("plain"))),
                report.gib(peer.memory),
                ", ".join(f"{role} {report.gib(size)}" for role, size in largest),
            ]
        )
    return rows
