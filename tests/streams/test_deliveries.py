"""What came is in the lake byte for byte before Spark sees it, once, however a landing was cut off."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lakehouse import raw
from lakehouse.errors import RawError, SourceError
from lakehouse.names import TableName
from lakehouse.settings import Settings
from lakehouse.source import Delivery, Stream
from lakehouse.streams.deliveries import Deliveries

WORDS = TableName("raw", "words")
Poll = Callable[[str | None], Iterator[Delivery]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "inbox").mkdir()
    return Settings(project=tmp_path, root=tmp_path / "lake")


def polled(settings: Settings, poll: Poll) -> Deliveries:
    return Deliveries(settings, Stream("raw.words", poll=poll))


def put(settings: Settings) -> Deliveries:
    return Deliveries(settings, Stream("raw.words", inbox="inbox"))


def names(links: dict[Path, float]) -> list[str]:
    return [link.name for link in links]


def test_a_poll_is_told_what_came_last_and_its_files_are_linked_by_number(settings: Settings) -> None:
    asked = []

    def poll(last: str | None) -> Iterator[Delivery]:
        asked.append(last)
        number = int(last[1:]) + 1 if last else 1
        yield Delivery(f"w{number}", b"\xff\r\n%d" % number)

    came = polled(settings, poll)
    came.take()
    came.take()
    polled(settings, poll).take()  # another process
    came.take()
    links = came.link()
    assert asked == [None, "w1", "w2", "w3"]
    assert names(links) == ["00000001-w1", "00000002-w2", "00000003-w3", "00000004-w4"]
    assert [link.read_bytes() for link in links] == [b"\xff\r\n%d" % number for number in (1, 2, 3, 4)]
    assert [file.filename for file in raw.received(settings.root, WORDS)] == ["w1", "w2", "w3", "w4"]
    assert raw.verify(settings.root) == []


def test_what_is_landed_waits_no_more_and_stays_as_it_came(settings: Settings) -> None:
    came = polled(settings, lambda last: iter([] if last else [Delivery("w", b"1\n")]))
    came.take()
    came.done(came.link())
    assert list(came.waiting.iterdir()) == []
    assert came.link() == {}
    assert polled(settings, lambda last: iter(())).link() == {}
    assert [file.path.read_bytes() for file in raw.received(settings.root, WORDS)] == [b"1\n"]


def test_the_same_bytes_again_are_no_delivery_and_other_bytes_are(settings: Settings) -> None:
    contents = iter([b"1\n", b"1\n", b"2\n", b"1\n"])
    came = polled(settings, lambda last: iter([Delivery("w", next(contents))]))
    for _ in range(4):
        came.take()
    links = came.link()
    assert [link.read_bytes() for link in links] == [b"1\n", b"2\n", b"1\n"]
    assert names(links)[0] == "00000001-w" and names(links)[2] == "00000003-w"


def test_files_are_taken_from_the_inbox_the_oldest_first(settings: Settings) -> None:
    inbox = settings.project / "inbox"
    for age, name in enumerate(["c", "a", "b"]):
        (inbox / name).write_text(name)
        os.utime(inbox / name, (age, age))
    (inbox / ".half").write_text("half")
    (inbox / "folder").mkdir()
    came = put(settings)
    came.take()
    assert names(came.link()) == ["00000001-c", "00000002-a", "00000003-b"]
    assert sorted(path.name for path in inbox.iterdir()) == [".half", "folder"]


def test_a_file_that_was_received_but_not_removed_is_known_again(settings: Settings) -> None:
    inbox = settings.project / "inbox"
    (inbox / "w").write_text("1\n")
    kept = settings.project / "kept"
    os.link(inbox / "w", kept)
    came = put(settings)
    came.take()
    came.done(came.link())
    os.rename(kept, inbox / "w")  # as if the landing had been killed before it removed it
    again = put(settings)
    again.take()
    assert again.link() == {} and list(inbox.iterdir()) == []


def test_what_came_before_a_failure_is_taken(settings: Settings) -> None:
    def poll(last: str | None) -> Iterator[Delivery]:
        yield Delivery("first", b"1\n")
        raise TimeoutError("the service does not answer")

    came = polled(settings, poll)
    with pytest.raises(SourceError, match=r"raw\.words could not be fetched: TimeoutError: the service does not answer"):
        came.take()
    assert names(came.link()) == ["00000001-first"]


def test_links_that_a_landing_left_behind_are_removed(settings: Settings) -> None:
    came = polled(settings, lambda last: iter([] if last else [Delivery("w", b"1\n")]))
    came.take()
    (link,) = came.link()
    came.done([])
    assert link.exists()
    assert came.link() == {} and not link.exists()


def test_a_raw_file_that_is_lost_before_it_landed_is_told(settings: Settings) -> None:
    came = polled(settings, lambda last: iter([Delivery("w", b"1\n")]))
    came.take()
    raw.received(settings.root, WORDS)[0].path.unlink()
    with pytest.raises(RawError, match="raw/words/w is gone, and not landed yet"):
        came.link()


def test_a_missing_inbox_is_told(tmp_path: Path) -> None:
    settings = Settings(project=tmp_path, root=tmp_path / "lake")
    with pytest.raises(SourceError, match=f"raw.words: its inbox {tmp_path}/inbox is not there\nMake the folder"):
        put(settings).take()
