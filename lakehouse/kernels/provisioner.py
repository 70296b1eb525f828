"""The Jupyter kernel provisioner `lakehouse-warm`: it runs in the client, whoever that is.

So it is here that a kernel learns where it writes: to the lake when a runner (papermill) has started it, to the
user's sandbox in JupyterLab and everywhere else.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
import uuid
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner

from lakehouse import settings as settings_module
from lakehouse import telemetry
from lakehouse.errors import ServiceError
from lakehouse.kernels import lease, rendezvous, repeatable
from lakehouse.kernels.channel import Request
from lakehouse.settings import Settings

# Set in each kernel beside LAKEHOUSE_SESSION: where both are equal, they were inherited from a kernel around us.
_MARK = "_LAKEHOUSE_KERNEL_SESSION"
SHARED = "LAKEHOUSE_KERNELS_OF"


class WarmProvisioner(LocalProvisioner):
    """`session` is the id of the kernel's Spark session, `target` "lake" or "sandbox", `cold_reason` why not warm."""

    session: str = ""
    target: str = ""
    cold_reason: str = ""
    _lease: lease.Lease | None = None
    _settings: Settings

    @property
    def has_process(self) -> bool:
        return self._lease is not None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        if self.parent is not None and not Path(self.parent.connection_file or "-").exists():
            _prefer_files(self.parent)
        kwargs = await super().pre_launch(**kwargs)
        cwd = str(kwargs.get("cwd") or os.getcwd())
        self._settings = _settings_for(kwargs["env"], cwd)
        self.target = _target(kwargs["env"])
        _disinherit(kwargs["env"])
        self.session = kwargs["env"].get("LAKEHOUSE_SESSION") or str(uuid.uuid4())
        kwargs["env"] = self._environment(kwargs["env"])
        return kwargs

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Starts the kernel, warm if possible, and holds its lease."""
        self.cwd = kwargs.get("cwd") or os.getcwd()
        request = Request(
            argv=self._arguments(cmd),
            cwd=str(self.cwd),
            env=kwargs["env"],
            session=self.session,
            memory=_bytes(self._settings.kernel_memory),
            sockets=str(self.connection_info["ip"]) if self.connection_info["transport"] == "ipc" else "",
        )
        with _Output(kwargs) as files:
            # Both may wait for seconds, and a Jupyter server has other kernels to serve meanwhile.
            self._lease = await asyncio.to_thread(self._start, request, files)
        self.pid = self.pgid = self._lease.pid
        return self.connection_info

    def _start(self, request: Request, files: tuple[int, int]) -> lease.Lease:
        def tell(words: str) -> None:
            os.write(files[1], f"{words}\n".encode())

        self.cold_reason = ""
        try:
            if not _same_python(request.argv[0]):
                raise ServiceError(f"the kernelspec's Python, {request.argv[0]}, is not this environment's")
            return lease.warm(_whose(self._settings, request.env), request, files, tell)
        except (ServiceError, OSError) as error:
            self.cold_reason = error.what if isinstance(error, ServiceError) else str(error)
            tell(f"lakehouse: a cold kernel, slower by some 15 s: {self.cold_reason}")
            return lease.cold(request, files)

    def _arguments(self, cmd: list[str]) -> list[str]:
        if self.target == "sandbox":
            return cmd
        # Runs side by side would queue for the one history file of the user's, and nobody scrolls back in them. What
        # ipykernel logs of a cancel, frames and all, would reach the terminal: the run's own ending tells it.
        return [*cmd, "--HistoryManager.hist_file=:memory:", "--IPKernelApp.log_level=CRITICAL"]

    def _environment(self, env: dict[str, str]) -> dict[str, str]:
        fixed = repeatable.environment(self._settings.kernel_threads) if self.target == "lake" else repeatable.HASH_SEED
        return {**telemetry.OFF, **fixed, **env} | {
            "LAKEHOUSE_PROJECT": str(self._settings.project),
            "LAKEHOUSE_ROOT": str(self._settings.root),
            "LAKEHOUSE_TARGET": self.target,
            "LAKEHOUSE_SESSION": self.session,
            _MARK: self.session,
        }

    async def poll(self) -> int | None:
        return 0 if self._lease is None else self._lease.poll()

    async def wait(self) -> int | None:
        if self._lease is None:
            return 0
        while (code := self._lease.poll()) is None:
            await asyncio.sleep(0.02)
        self._release()
        return code

    async def send_signal(self, signum: int) -> None:
        if self._lease is not None:
            self._lease.signal(signum)

    async def kill(self, restart: bool = False) -> None:
        await self.send_signal(signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:
        await self.send_signal(signal.SIGTERM)

    async def cleanup(self, restart: bool = False) -> None:
        await super().cleanup(restart=restart)
        if not restart:
            self._release()

    def _release(self) -> None:
        if self._lease is not None:
            self._lease.close()
            self._lease = None


class _Output:
    """The open files for the kernel's stdout and stderr: what the client asked for, else the client's own."""

    def __init__(self, kwargs: dict[str, Any]) -> None:
        self._wanted = (kwargs.get("stdout"), kwargs.get("stderr"))
        self._null = -1

    def __enter__(self) -> tuple[int, int]:
        self._null = os.open(os.devnull, os.O_WRONLY)
        out, err = (self._number(wanted, standard) for standard, wanted in enumerate(self._wanted, start=1))
        return out, err

    def __exit__(self, *_: object) -> None:
        os.close(self._null)

    def _number(self, wanted: Any, standard: int) -> int:
        number = wanted.fileno() if hasattr(wanted, "fileno") else standard if wanted is None else wanted
        try:
            os.fstat(number)
        except OSError:
            return self._null
        return number


def _prefer_files(manager: Any) -> None:
    """ZeroMQ over files: ports are chosen long before the kernel binds them, so that parallel starts collide."""
    try:
        manager.ip = str(rendezvous.folder() / secrets.token_hex(6))
    except ServiceError:
        return  # the launch says what is wrong with the folder
    manager.transport = "ipc"


def _settings_for(env: dict[str, str], cwd: str) -> Settings:
    if env.get("LAKEHOUSE_PROJECT"):
        return settings_module.load(env)
    return settings_module.load({**env, "LAKEHOUSE_PROJECT": str(settings_module.find_project(Path(cwd)))})


def _target(env: dict[str, str]) -> str:
    """A runner writes to the lake unless told otherwise. Exploring writes to the sandbox, whatever the environment."""
    if "papermill" in sys.modules and "jupyter_server" not in sys.modules:
        return env.get("LAKEHOUSE_TARGET") or "lake"
    return "sandbox"


def _disinherit(env: dict[str, str]) -> None:
    """A client inside a kernel of ours starts a kernel of its own: the session and the run are not its to share."""
    if _MARK in env and env[_MARK] == env.get("LAKEHOUSE_SESSION"):
        for name in ("LAKEHOUSE_SESSION", "LAKEHOUSE_RUN_ID"):
            env.pop(name, None)


def _whose(settings: Settings, env: dict[str, str]) -> Settings:
    """Of which lake the fork process is used: a lake that is made for a few runs shares that of another."""
    return settings.model_copy(update={"root": Path(env[SHARED])}) if env.get(SHARED) else settings


def _same_python(program: str) -> bool:
    return Path(program).parent == Path(sys.executable).parent


def _bytes(size: str | None) -> int | None:
    return None if size is None else int(size[:-1]) * {"m": 1 << 20, "g": 1 << 30}[size[-1]]
