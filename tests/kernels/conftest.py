"""A small project, a lake with one fork process for all tests here, and clients that start real kernels in it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest

from lakehouse import kernels, services, settings
from lakehouse.settings import Settings


@dataclass
class Place:
    """A project and its lake; `environ` is what a client needs to work there."""

    settings: Settings
    environ: dict[str, str]
    folder: Path

    def processes(self) -> dict[int, str]:
        """Every live process that belongs to this lake, with its command line."""
        mark, found = os.fsencode(self.settings.root), {}
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                state = (process / "stat").read_text().rpartition(")")[2].split()[0]
                command = (process / "cmdline").read_bytes()
                if state != "Z" and mark in command + (process / "environ").read_bytes():
                    found[int(process.name)] = command.replace(b"\0", b" ").decode()
        found.pop(os.getpid(), None)
        return found

    def strangers(self) -> dict[int, str]:
        """Those of `processes` that are not services of the lake, nor about to end (waits a few seconds)."""
        for _ in range(100):
            fork = kernels.running(self.settings)
            known = {service.pid for service in (fork, *services.all(self.settings)) if service}
            rest = {pid: command for pid, command in self.processes().items() if pid not in known}
            if not rest:
                break
            time.sleep(0.1)
        return rest

    def python(self, code: str, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        """A client in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), *arguments],
            cwd=self.settings.project,
            env={**self.environ, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def notebook(self, name: str, *cells: str) -> Path:
        path = self.folder / f"{name}.ipynb"
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(textwrap.dedent(cell)) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": kernels.KERNELSPEC, "display_name": "Lakehouse", "language": "python"}
        nbformat.write(notebook, path)
        return path


@pytest.fixture(scope="session")
def kernelspec() -> Iterator[Path]:
    """The kernelspec, in a folder where Jupyter looks."""
    with tempfile.TemporaryDirectory(prefix="lakehouse-spec-") as prefix:
        kernels.install_kernelspec(Path(prefix), Path(sys.executable))
        yield Path(prefix) / "share" / "jupyter"


def make_place(folder: Path, kernelspec: Path) -> Place:
    project = folder / "a project"
    (project / "notebooks").mkdir(parents=True)
    (project / "assets").mkdir()
    (project / "assets" / "__init__.py").touch()
    ours = {"LAKEHOUSE_PROJECT": str(project), "LAKEHOUSE_ROOT": str(folder / "lake"), "JUPYTER_PATH": str(kernelspec)}
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LAKEHOUSE_", "JPY_"))}
    jupyter = {"IPYTHONDIR": str(folder / "ipython"), "JUPYTER_RUNTIME_DIR": str(folder / "runtime")}
    return Place(settings.load(ours), {**clean, **ours, **jupyter}, folder)


@pytest.fixture(scope="session")
def shared_place(kernelspec: Path) -> Iterator[Place]:
    if sys.platform != "linux":
        pytest.skip("warm kernels need Linux")
    with tempfile.TemporaryDirectory(prefix="lakehouse-kernels-") as folder:
        place = make_place(Path(folder), kernelspec)
        try:
            yield place
        finally:
            kernels.stop(place.settings)
        assert place.strangers() == {}


@pytest.fixture
def place(shared_place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The shared place, with this process as a client in it; afterwards no kernel may be left."""
    for name in [name for name in os.environ if name.startswith(("LAKEHOUSE_", "JPY_"))]:
        monkeypatch.delenv(name)
    for name, value in shared_place.environ.items():
        monkeypatch.setenv(name, value)
    # A client that has imported papermill is a runner; that another test did so must not make one of this process.
    monkeypatch.delitem(sys.modules, "papermill", raising=False)
    yield shared_place
    assert shared_place.strangers() == {}


class Kernel:
    """A kernel with a client that waits for answers."""

    def __init__(self, **launch: Any) -> None:
        from jupyter_client.manager import KernelManager

        began = time.monotonic()
        self.manager = KernelManager(kernel_name=kernels.KERNELSPEC)
        # ipykernel does not capture the output of child processes where it sees pytest.
        env = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
        self.manager.start_kernel(env=env, **launch)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=120)
        self.run("pass")
        self.seconds = time.monotonic() - began

    @property
    def provisioner(self) -> Any:
        return self.manager.provisioner

    def run(self, code: str, timeout: float = 60) -> str:
        """What the code prints, or "ErrorName: message"."""
        said: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                said.append(content["text"])
            elif message["msg_type"] == "error":
                said.append(f"{content['ename']}: {content['evalue']}")
            elif message["msg_type"] == "display_data":
                said.append(f"<{' '.join(sorted(content['data']))}>")

        self.client.execute_interactive(textwrap.dedent(code), output_hook=hear, timeout=timeout)
        return "".join(said).strip()

    def close(self) -> None:
        self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


@pytest.fixture
def kernel(place: Place) -> Iterator[Callable[..., Kernel]]:
    """Starts kernels, and ends them with the test."""
    with contextlib.ExitStack() as open_kernels:

        def start(**launch: Any) -> Kernel:
            made = Kernel(**launch)
            open_kernels.callback(made.close)
            return made

        yield start


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool], float], bool]:
    return wait_until
