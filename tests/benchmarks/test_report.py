from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks import beside, features, growth, picture, report, tuning
from tests.benchmarks.rounds import Peer
from tests.benchmarks.timing import middle, ratio


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param([], None, id="nothing measured"),
        pytest.param([3.0], 3.0, id="one round"),
        pytest.param([9.0, 1.0, 2.0], 2.0, id="the one in the middle, not the mean"),
        pytest.param([1.0, 2.0], 1.5, id="two rounds"),
    ],
)
def test_middle(seconds: list[float], expected: float | None) -> None:
    assert middle(seconds) == expected


def test_a_ratio_is_told_only_of_what_was_measured() -> None:
    assert ratio(30.0, 10.0) == 3.0
    assert ratio(None, 10.0) is None
    assert ratio(30.0, None) is None


def test_peers_are_held_against_ours_and_the_plain_script() -> None:
    peers = [
        Peer("ours", "ours", seconds=[90.0, 100.0, 110.0], memory=4 << 30, largest={"kernel": 1 << 30, "Spark (Java)": 3 << 30}),
        Peer("plain", "plain", seconds=[50.0]),
        Peer("papermill", "papermill", slow=True),
    ]
    ours, plain, papermill = beside.table(peers)
    assert ours == ["ours", "3", "100", "90-110", "1.00", "2.00", "4.0", "Spark (Java) 3.0, kernel 1.0"]
    assert plain[:6] == ["plain", "1", "50.0", "50-50", "0.50", "1.00"]
    assert papermill == ["papermill", "0", "", "", "", "", "", ""]


def test_markdown_keeps_bars_within_their_cell() -> None:
    made = report.markdown(["what", "seconds"], [["a | b", "1.0"]])
    assert made == "| what | seconds |\n| --- | ---: |\n| a \\| b | 1.0 |"


def test_a_table_replaces_what_stands_between_its_own_markers(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("a\n<!-- bench:peers -->\nold\n<!-- /bench -->\nb\n<!-- bench:growth -->\nstays\n<!-- /bench -->\n")
    assert report.put(page, "peers", r"new \1 | line")
    assert page.read_text() == (
        "a\n<!-- bench:peers -->\nnew \\1 | line\n<!-- /bench -->\nb\n<!-- bench:growth -->\nstays\n<!-- /bench -->\n"
    )
    before = page.read_text()
    assert not report.put(page, "tuning", "new")
    assert page.read_text() == before
    assert not report.put(tmp_path / "none.md", "peers", "new")


def test_what_was_measured_is_kept_as_a_file(tmp_path: Path) -> None:
    whole, part = (report.save("peers", {"peers": [1]}, whole=whole, folder=tmp_path / "results") for whole in (True, False))
    assert (whole.name, part.name) == ("peers.json", "peers-some.json")
    assert json.loads(whole.read_text()) == {"peers": [1]}


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    picture.draw(tmp_path / "pictures" / "one.png", [("ours", 90.0, True), ("theirs", 1200.0, False)], "2 cores")
    assert (tmp_path / "pictures" / "one.png").read_bytes().startswith(b"\x89PNG")


def _scale(scale: int, seconds: float, rows: int | None, status: str = "succeeded") -> dict:
    asset = {"asset": "silver/flights", "seconds": seconds, "rows": rows, "memory": 1 << 30, "status": status, "cause": "no memory"}
    return {"scale": scale, "bytes": 30 << 20, "landing": 2.0, "seconds": 9.0, "assets": [asset], "ended": "done", "why": ""}


def test_growth_is_told_for_each_row_against_the_smallest_scale() -> None:
    first, tenth = growth.table([_scale(1, 10.0, 1_000_000), _scale(10, 200.0, 10_000_000)])
    assert first == ["silver/flights", "1x", "1,000,000", "10.0", "10.0", "1.00", "1.0", "1.0", "succeeded"]
    assert tenth == ["silver/flights", "10x", "10,000,000", "200", "20.0", "2.00", "1.0", "0.1", "succeeded"]


def test_growth_tells_where_it_ended_and_why() -> None:
    failed = {**_scale(100, 5.0, None, "failed"), "ended": "failed", "why": "no memory"}
    assert growth.table([_scale(1, 10.0, 1_000), failed])[1][2:] == ["", "5.0", "", "", "1.0", "", "failed"]
    assert growth.in_words(failed).endswith("after 9 s and 0 assets it failed: no memory")
    assert growth.in_words(_scale(1, 10.0, 1_000)).endswith("1 assets built in 9 s.")


def test_what_is_tried_is_held_against_all_runs_of_the_shipped_server() -> None:
    def told(group: str, name: str, *seconds: float) -> dict:
        return {"group": group, "variant": name, "work": "graph", "seconds": list(seconds), "note": name}

    rows = tuning.table(
        [told("shipped", "as shipped", 9.0, 10.0), told("compression", "zstd", 12.0), told("shipped", "as shipped", 10.0, 11.0)]
    )
    assert rows == [
        ["shipped", "as shipped", "graph", "10.00", "0.90-1.10", "as shipped"],
        ["compression", "zstd", "graph", "12.00", "1.20", "zstd"],
    ]


def test_joins_are_held_against_the_plain_one_of_the_same_view_and_scale() -> None:
    facts = {"flights": 1000, "rows": 50, "memory": 2 << 30, "processor": [5.0]}
    measured = [
        {**facts, "view": "", "rows": 0, "way": features.READING, "seconds": [1.0]},
        {**facts, "view": "v", "way": features.PLAIN, "seconds": [2.0, 4.0, 3.0]},
        {**facts, "view": "v", "way": features.OURS, "seconds": [6.0], "processor": [9.0, 11.0]},
    ]
    reading, plain, ours = features.table(measured)
    assert reading == ["1,000", "", "", features.READING, "1.0", "", "5.0", "", "2.0"]
    assert plain == ["1,000", "v", "50", features.PLAIN, "3.0", "1.00", "5.0", "1.00", "2.0"]
    assert ours[4:8] == ["6.0", "2.00", "10.0", "2.00"]
