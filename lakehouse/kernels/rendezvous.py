"""Where a lake's fork process is met: a socket in a folder that only this user can enter.

A lake's path may be longer than a socket's name may be (107 bytes), so the name is a hash of it, in /tmp. The
folder does not depend on the environment: a cron job and a terminal must find the same process.
"""

from __future__ import annotations

import hashlib
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

from lakehouse.errors import ServiceError
from lakehouse.kernels.channel import Channel


def folder() -> Path:
    """The private folder, made if need be. Raises ServiceError where somebody else could have put things there."""
    return private_folder(Path(f"/tmp/lakehouse-{os.getuid()}"))


def private_folder(path: Path) -> Path:
    """`path` as a folder of this user's with mode 0700. Raises ServiceError where it is anything else."""
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise ServiceError(f"{path} is not a folder of yours", "Another user may have made it: remove it.")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise ServiceError(f"{path} has mode {stat.S_IMODE(found.st_mode):04o}: others can reach the kernels", f"chmod 700 {path}")
    return path


def address(root: Path) -> Path:
    """The socket of the fork process of the lake at `root`."""
    return folder() / f"{hashlib.sha256(os.fsencode(root.absolute())).hexdigest()[:16]}.sock"


def listen(path: Path) -> socket.socket:
    """A socket at `path`, put there in one step, in the place of an earlier one."""
    partial = path.with_suffix(f".{os.getpid()}")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    previous = os.umask(0o177)
    try:
        listener.bind(str(partial))
    finally:
        os.umask(previous)
    listener.listen(64)
    listener.setblocking(False)
    os.replace(partial, path)
    return listener


def connect(path: Path) -> Channel | None:
    """A connection to who listens at `path`; None where nobody does. Raises ServiceError where it is not this user."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(5)
    try:
        connection.connect(str(path))
    except (FileNotFoundError, ConnectionError, TimeoutError):
        connection.close()
        return None
    channel = Channel(connection)
    if channel.peer()[1] != os.getuid():
        channel.close()
        raise ServiceError(f"The process that listens at {path} is not yours", f"Remove {path}.")
    return channel
