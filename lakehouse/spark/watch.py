"""Watches a Spark server while calls wait for it, and turns its end into one clear error within seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import psutil

from lakehouse.errors import SparkLost
from lakehouse.services import Service
from lakehouse.spark.ping import Address, Answer, ask, open_channel

EVERY_SECONDS = 1.5
ANSWER_SECONDS = 3.0
PATIENCE_SECONDS = 8.0  # no answer for so long, asked again and again: lost. Longer than any usual garbage collection


class Call(Protocol):
    def cancel(self) -> object: ...


class Stopwatch:
    """Wall seconds during which at least one call waited (two at once count once)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting = 0
        self._since = 0.0
        self._total = 0.0

    def start(self) -> None:
        with self._lock:
            if self._waiting == 0:
                self._since = time.monotonic()
            self._waiting += 1

    def stop(self) -> None:
        with self._lock:
            self._waiting -= 1
            if self._waiting == 0:
                self._total += time.monotonic() - self._since

    @property
    def seconds(self) -> float:
        with self._lock:
            running = time.monotonic() - self._since if self._waiting else 0.0
            return self._total + running


class Watch:
    """The watch over one server; `service` is None for a server that isn't ours.

    Its thread asks on a channel of its own, and only while a call waits. It lives until `close()`.
    """

    def __init__(self, address: Address, service: Service | None, stopwatch: Stopwatch) -> None:
        self.lost: SparkLost | None = None
        self._address = address
        self._service = service
        self._stopwatch = stopwatch
        self._channel = open_channel(address)
        self._calls: dict[int, Call] = {}
        self._changed = threading.Condition()
        self._closed = False
        threading.Thread(target=self._run, name="spark-watch", daemon=True).start()

    @contextmanager
    def waiting(self, call: Call, *, counted: bool = True) -> Iterator[None]:
        """While inside, `call` is cancelled as soon as the server is lost; `counted` adds to the stopwatch."""
        with self._changed:
            self._calls[id(call)] = call
            self._changed.notify()
        if counted:
            self._stopwatch.start()
        try:
            yield
        finally:
            if counted:
                self._stopwatch.stop()
            with self._changed:
                self._calls.pop(id(call), None)

    @property
    def over(self) -> bool:
        """Whether the server is known to be lost, or its process is gone though no call has noticed yet."""
        return self.lost is not None or (self._service is not None and not self._service.alive)

    def refuse_if_lost(self) -> None:
        """Raises SparkLost once the server is known to be lost: nothing needs to wait to find out again."""
        if self.lost:
            raise SparkLost(self.lost.what, self.lost.hint)

    def judge(self) -> None:
        """After a call found nobody listening: returns when the server answers after all, else raises SparkLost."""
        self._examine()
        self.refuse_if_lost()

    def ending(self) -> None:
        """The server says itself that it comes to its end: raises SparkLost."""
        self.lost = self.lost or self._error("was told to end (by `lakehouse down`, or by a signal)")
        self.refuse_if_lost()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _run(self) -> None:
        while self._await_call():
            self._examine()
            if self.lost:
                self._cancel_all()
                break
        self._channel.close()

    def _await_call(self) -> bool:
        """Sleeps until a call has been waiting for a moment. False when the watch is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._calls or self._closed)
            self._changed.wait_for(lambda: self._closed, timeout=EVERY_SECONDS)
            return not self._closed

    def _cancel_all(self) -> None:
        with self._changed:
            calls = list(self._calls.values())
        for call in calls:
            call.cancel()

    def _examine(self) -> None:
        """Asks until the server answers, or is lost."""
        begin = time.monotonic()
        while not self._closed and not self.lost:
            if self._service is not None and self._service.process() is None:
                self.lost = self._ended(self._service)
                return
            answer = ask(self._channel, ANSWER_SECONDS)
            silent = time.monotonic() - begin
            if answer is Answer.YES:
                return
            if answer is Answer.REFUSED:
                self.lost = self._error("is another one than before: it refuses the token")
            elif silent > PATIENCE_SECONDS:
                self.lost = self._silent(answer, silent)
            else:
                time.sleep(0.2)

    def _ended(self, service: Service) -> SparkLost:
        told = [line.strip() for line in service.log_text().splitlines() if "OutOfMemoryError" in line]
        if told:
            error = self._error(f"ran out of memory and ended: {told[-1][:200]}")
            return SparkLost(error.what, f"{error.hint} LAKEHOUSE_SPARK_MEMORY gives it more.")
        return self._error(f"ended: process {service.pid} is gone")

    def _silent(self, answer: Answer, seconds: float) -> SparkLost:
        process = self._service.process() if self._service else None
        if process is not None and process.status() == psutil.STATUS_STOPPED:
            return self._error(f"is stuck: process {process.pid} was stopped (SIGSTOP) and has not answered for {seconds:.0f} s")
        if answer is Answer.GONE:
            return self._error(f"cannot be reached any more (tried for {seconds:.0f} s)")
        return self._error(f"is stuck: it has not answered for {seconds:.0f} s")

    def _error(self, what: str) -> SparkLost:
        if self._service is None:
            return SparkLost(
                f"The Spark server {self._address.endpoint} (LAKEHOUSE_SPARK) {what}",
                "Check that it runs, then run again; or unset LAKEHOUSE_SPARK to use a server of our own.",
            )
        return SparkLost(f"The lake's Spark server {what}", f"The next run starts a new one. Its log: {self._service.log}")
