"""The fork process of a lake: imports the heavy libraries once, then forks a kernel for each lease.

    python -m lakehouse.kernels.forkserver <lake root> <fingerprint> <descriptor>

`control.ensure` starts it and waits at the pipe `descriptor` for "ready" or for the reason why not. A client whose
fingerprint (`preload.fingerprint`) is another one is told that this process is stale.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import Any

from lakehouse.kernels import preload, rendezvous
from lakehouse.kernels.aftermath import stop_spark_work
from lakehouse.kernels.channel import Request
from lakehouse.kernels.handover import become_kernel, renew
from lakehouse.kernels.keeper import Keeper, log

IDLE_SECONDS = 12 * 3600
SPARE_BYTES = 200 << 20  # ipykernel's threads, and a first cell


def main(root: Path, mark: str, ready: int) -> None:
    """Serves until stopped, replaced by a newer one, idle for long, or the lake is gone."""
    if os.fork():
        os._exit(0)  # nobody's child: whoever started it may live on and not care
    os.setsid()
    began = time.monotonic()
    preload.load()
    path = rendezvous.address(root)
    if threads := preload.threads():
        _answer(ready, f"imported libraries run threads of their own ({', '.join(threads)}), which a fork would lose")
        return
    keeper = Keeper(become_kernel, _aftermath, lambda message: _refuse(message, mark))
    keeper.facts = {"fingerprint": mark, "root": str(root), "seconds": time.monotonic() - began}
    listener = rendezvous.listen(path)
    place = path.stat().st_ino
    log(f"ready after {keeper.facts['seconds']:.1f} s, at {path}")
    _answer(ready, "ready")
    keeper.run(listener, lambda: _wanted(keeper, root, path, place))
    if _inode(path) == place:
        path.unlink()
    log("ended")


def _answer(ready: int, words: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # whoever started it no longer waits; the next one finds it
        os.write(ready, words.encode())
    os.close(ready)


def _refuse(message: dict[str, Any], mark: str) -> dict[str, Any] | None:
    if message.get("fingerprint") != mark:
        return {"stale": True}
    if threads := preload.threads():
        return {"error": f"the fork process has threads of its own ({', '.join(threads)})"}
    memory = message.get("memory")
    if memory is not None and memory < (least := preload.memory() + SPARE_BYTES):
        return {"error": f"kernel_memory = {memory >> 20}m is less than the {least >> 20}m that the imported libraries take"}
    return None


def _aftermath(request: Request) -> None:
    renew(request)
    stop_spark_work(request.session)


def _wanted(keeper: Keeper, root: Path, path: Path, place: int) -> bool:
    idle = not keeper.busy and time.monotonic() - keeper.idle_since > IDLE_SECONDS
    return _inode(path) == place and root.exists() and not idle


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
