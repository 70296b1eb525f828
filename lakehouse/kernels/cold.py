"""Keeps one ordinary kernel, started as any Jupyter client would, under the same lease as a warm one.

`python -m lakehouse.kernels.cold N` holds the lease on descriptor N.
"""

from __future__ import annotations

import os
import signal
import socket
import sys

from lakehouse.kernels.channel import Channel, Request
from lakehouse.kernels.keeper import Keeper


def main(lease: int) -> None:
    """Serves the one request that comes over `lease`, until its kernel and what follows it have ended."""
    channel = Channel(socket.socket(fileno=lease))
    keeper = Keeper(_kernel, _aftermath, lambda message: None, lambda words: None)
    keeper.start(channel, channel.ask(timeout=10))
    keeper.run()


def _kernel(request: Request) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execvpe(request.argv[0], request.argv, {**request.env, "JPY_PARENT_PID": str(os.getppid())})


def _aftermath(request: Request) -> None:
    os.execve(sys.executable, [sys.executable, "-m", "lakehouse.kernels.aftermath"], request.env)


if __name__ == "__main__":
    main(int(sys.argv[1]))
