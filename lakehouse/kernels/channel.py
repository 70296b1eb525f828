"""Messages between a client and a keeper: one JSON object a line over a Unix socket, with open files beside them."""

from __future__ import annotations

import json
import os
import socket
import struct
from dataclasses import asdict, dataclass, fields
from typing import Any

_CHUNK = 1 << 16
_FILES = 4


@dataclass(frozen=True)
class Request:
    """A kernel that a client wants; its stdout and stderr travel beside it as open files."""

    argv: list[str]  # the kernelspec's command line
    cwd: str
    env: dict[str, str]  # all of it: nothing of the keeper's own environment remains
    session: str  # id of the Spark session that the kernel uses
    memory: int | None = None  # bytes
    sockets: str = ""  # where the names of its sockets begin, if these are files

    def message(self, **more: Any) -> dict[str, Any]:
        return {"do": "start", **asdict(self), **more}

    @classmethod
    def parse(cls, message: dict[str, Any]) -> Request:
        return cls(**{field.name: message[field.name] for field in fields(cls)})


class Channel:
    """One connection. `receive` never blocks; `ask` waits for the next message."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._socket.setblocking(False)
        self._bytes = b""
        self._waiting: list[dict[str, Any]] = []
        self.files: list[int] = []

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, message: dict[str, Any], files: tuple[int, ...] = ()) -> None:
        """Raises OSError where the other end is gone."""
        data = json.dumps(message).encode() + b"\n"
        self._socket.settimeout(10)
        try:
            sent = socket.send_fds(self._socket, [data], files) if files else 0
            self._socket.sendall(data[sent:])
        finally:
            self._socket.setblocking(False)

    def receive(self) -> list[dict[str, Any]]:
        """The messages that have arrived. Raises EOFError once the other end is closed and all has been read."""
        ended = self._read()
        *lines, self._bytes = self._bytes.split(b"\n")
        messages, self._waiting = self._waiting + [json.loads(line) for line in lines], []
        if ended and not messages:
            raise EOFError
        return messages

    def ask(self, timeout: float) -> dict[str, Any]:
        """The next message. Raises TimeoutError or EOFError where none comes."""
        import select
        import time

        deadline = time.monotonic() + timeout
        while True:
            if messages := self.receive():
                self._waiting = messages[1:]
                return messages[0]
            if not select.select([self], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError(f"no answer within {timeout:.0f} s")

    def _read(self) -> bool:
        while True:
            try:
                data, files, _, _ = socket.recv_fds(self._socket, _CHUNK, _FILES)
            except BlockingIOError:
                return False
            except OSError:
                return True
            self.files += files
            if not data:
                return True
            self._bytes += data

    def peer(self) -> tuple[int, int]:
        """(process id, user id) of the other end, as the system vouches for it (Linux)."""
        packed = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid, uid, _ = struct.unpack("3i", packed)
        return pid, uid

    def close(self) -> None:
        for number in self.files:
            os.close(number)
        self.files = []
        self._socket.close()
