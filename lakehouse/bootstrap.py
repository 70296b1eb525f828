"""Set-up: makes the project's own environment from two hashed lock files, and goes on inside it.

The first file brings the build tools and uv, with pip; the second everything else, with uv and without build
isolation, so that nothing unpinned is ever fetched. The stamp is written last, so an environment that was left half
made, or that no longer fits, is seen by the next command. Only the standard library can be used here.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from lakehouse import indexes
from lakehouse.environment import BUILD_LOCK, LOCK, Environment
from lakehouse.errors import LakehouseError, SetupError

PROJECT = Path(__file__).resolve().parent.parent
# Imported once at the end: it proves that they can be, and leaves their bytecode also where PYTHONDONTWRITEBYTECODE
# would have every process compile them anew (compiling all 15,000 files takes longer than installing them).
IMPORTED = ("dagster", "dagster_webserver.cli", "dagster._daemon.cli", "papermill.execute", "jupyterlab.labapp")


def enter(arguments: Sequence[str], project: Path = PROJECT) -> None:
    """Go on with `python -m lakehouse arguments` in the project's environment, made ready first.

    Returns only if this process already runs there (or if there is no project here, but an installed package).
    Raises SetupError.
    """
    environment = Environment(project)
    if not (project / LOCK).exists():
        return
    if ensure(environment) and environment.is_this_process():
        return
    sys.stdout.flush()
    sys.stderr.flush()
    python = str(environment.python)
    os.execve(python, [python, "-m", "lakehouse", *arguments], indexes.for_python(os.environ))


def ensure(environment: Environment) -> bool:
    """Make `environment` ready. True if it already was. Raises SetupError."""
    try:
        if environment.finding() == "ready":
            return True
        environment.lock.parent.mkdir(exist_ok=True)
        with alone(environment.lock) as held:
            finding = environment.finding()  # another command may just have done it
            if finding != "ready":
                Setup(environment, held).run(finding)
    except OSError as error:
        raise SetupError(
            f"the environment in {environment.folder} could not be set up: {error}",
            "The project's folder must be writable for its first command, and the disk have 3 GB free.",
        ) from error
    return False


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[int]:
    """Hold the file `lock` (a second process says that it waits, and waits) and give its descriptor.

    The system frees it when the last process that has the descriptor ends: given to the tools that we start, it keeps
    others out until they end too, even where we are killed.
    """
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("lakehouse: another command is setting the environment up: waiting for it")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield held.fileno()


def say(line: str, end: str = "\n") -> None:
    """Progress goes to standard error: standard output is the command's own."""
    print(line, end=end, file=sys.stderr, flush=True)


@dataclass
class Setup:
    """One set-up of `environment`, step by step, under the lock `held`; `seconds` is what each step took."""

    environment: Environment
    held: int
    seconds: dict[str, float] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    uv_options: list[str] = field(default_factory=list)

    def run(self, finding: str) -> None:
        """Mend what was found. Raises SetupError, OSError."""
        folder, started = self.environment.folder, time.monotonic()
        self.environment.log.write_text("", encoding="utf-8")
        self._say_why(finding)
        self._read_configuration()
        if finding in ("outdated", "project changed"):
            self.environment.record(None, {})
        else:
            self._create()
        try:
            if finding == "project changed":
                self._install_project()
            else:
                self._install_packages()
                self._install_project()
                self._finish()
        finally:
            shutil.rmtree(folder / "uv-cache", ignore_errors=True)
        self.seconds["in all"] = round(time.monotonic() - started, 1)
        self.environment.record(self.environment.stamp(), self.seconds)
        say(f"  {'ready':<34}{self.seconds['in all']:6.1f} s in all")

    def _say_why(self, finding: str) -> None:
        folder = self.environment.folder
        if finding == "foreign":
            raise SetupError(
                f"{folder} exists, but set-up has not made it", "Move it away or delete it; then run the command again."
            )
        words = {
            "missing": f"making an environment in {folder} (once)",
            "outdated": f"bringing the environment in {folder} up to date with the lock files",
            "project changed": f"bringing the environment in {folder} up to date with pyproject.toml",
        }
        say(f"lakehouse: {words.get(finding, f'making the environment in {folder} anew (it is {finding})')}")

    def _read_configuration(self) -> None:
        settings = indexes.pip_settings(_base_python(), os.environ)
        clean = indexes.for_tools(os.environ)
        self.variables = clean | indexes.for_pip(settings) | indexes.for_uv(settings, clean)
        self.uv_options = indexes.uv_options(settings)
        if "UV_CACHE_DIR" not in clean and not _home_cache_is_writable():
            self.variables["UV_CACHE_DIR"] = str(self.environment.folder / "uv-cache")

    def _create(self) -> None:
        for module in ("venv", "ensurepip"):
            if importlib.util.find_spec(module) is None:
                raise SetupError(
                    f"{_base_python()} cannot make environments: its module {module} is missing",
                    "Debian and Ubuntu have it in the package python3-venv: `apt install python3-venv` "
                    "(or python3.11-venv). Then run the command again.",
                )
        shutil.rmtree(self.environment.folder, ignore_errors=True)
        self.environment.folder.mkdir(exist_ok=True)
        self.environment.record(None, {})  # from here on the folder is known as ours
        self._step("environment", [_base_python(), "-m", "venv", str(self.environment.folder)])

    def _install_packages(self) -> None:
        locks = [str(self.environment.project / name) for name in (LOCK, BUILD_LOCK)]
        pip = [str(self.environment.python), "-m", "pip", "install", "--no-deps", "--require-hashes"]
        self._step("build tools", [*pip, "--no-compile", "--only-binary", ":all:", "-r", locks[1]])
        if not self._uv_runs():
            say("  uv does not run on this machine: going on with pip, which takes some minutes longer")
            self._step("packages", [*pip, "--no-build-isolation", "-r", locks[0]])
            return
        # pyspark comes as source only; not compressing the wheel that is made of it saves most of its 40 seconds.
        quick = self.environment.folder / "quick-wheels.cfg"
        quick.write_text("[bdist_wheel]\ncompression = stored\n", encoding="utf-8")
        self.variables["DIST_EXTRA_CONFIG"] = str(quick)
        self._step("packages", [*self._uv("sync"), "--require-hashes", *locks])

    def _install_project(self) -> None:
        pip = [str(self.environment.python), "-m", "pip", "install", "--no-build-isolation"]
        tool = self._uv("install") if self._uv_runs() else pip
        self._step("project", [*tool, "--no-deps", "-e", str(self.environment.project)])

    def _finish(self) -> None:
        last = "import sys; from lakehouse import bootstrap; sys.exit(bootstrap.finish())"
        self._step("Delta's jars, kernel, bytecode", [str(self.environment.python), "-c", last])

    def _uv(self, verb: str) -> list[str]:
        into = ["--python", str(self.environment.python), "--no-build-isolation"]
        return [str(self.environment.uv), "pip", verb, *into, *self.uv_options]

    def _uv_runs(self) -> bool:
        try:
            asked = [str(self.environment.uv), "--version"]
            return subprocess.run(asked, env=self.variables, capture_output=True).returncode == 0
        except OSError:
            return False

    def _step(self, name: str, command: list[str]) -> None:
        """Run `command`, its output into the log. Raises SetupError with the last line of it."""
        started = time.monotonic()
        with self.environment.log.open("a+", encoding="utf-8", errors="replace") as log:
            log.write(f"\n== {name}: {' '.join(command)}\n")
            log.flush()
            start_of_output = log.tell()
            code = self._run(name, command, log)
            log.seek(start_of_output)
            lines = [line.strip() for line in log if line.strip()]
        self.seconds[name] = round(time.monotonic() - started, 1)
        say(_progress(name, started, ".1f") + (" failed" if code != 0 else ""))
        if code != 0:
            raise SetupError(
                f'set-up failed at the step "{name}": {lines[-1] if lines else f"exit code {code}"}',
                f"The whole log is in {self.environment.log}. If it speaks of connections, certificates or missing "
                "versions, check the way to the package index (what pip is configured with is used).",
            )

    def _run(self, name: str, command: list[str], log: TextIO) -> int:
        started = time.monotonic()
        with subprocess.Popen(
            command,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=(self.held,),
        ) as process:
            try:
                while True:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        return process.wait(timeout=1)
                    if sys.stderr.isatty():
                        say(_progress(name, started, ".0f"), end="")
            except BaseException:
                process.kill()
                raise


def finish() -> str | None:
    """The last step, run inside the new environment: what needs its packages. What went wrong, or None."""
    from lakehouse import settings, telemetry
    from lakehouse.kernels import install_kernelspec, preload
    from lakehouse.spark import java, launch

    prefix = Path(sys.prefix)
    telemetry.switch_off_in_lab(prefix)
    install_kernelspec(prefix)
    kernel = [sys.executable, "-c", "from lakehouse.kernels import preload; preload.load()"]
    with subprocess.Popen(kernel, env=os.environ | preload.environment()) as loading:  # beside what follows
        try:
            started = time.monotonic()
            launch.class_path(settings.load(), java.find())
            print(f"jars: {time.monotonic() - started:.1f} s", flush=True)
            for module in IMPORTED:
                importlib.import_module(module)
            print(f"jars and imports: {time.monotonic() - started:.1f} s", flush=True)
        except LakehouseError as error:
            return f"{error.what}. {error.hint}"
        except ImportError as error:
            return f"{module} cannot be imported: {error}"
    return "a kernel's libraries cannot be imported" if loading.returncode != 0 else None


def _progress(name: str, started: float, precision: str) -> str:
    start = "\r" if sys.stderr.isatty() else ""
    return f"{start}  {name:<34}{time.monotonic() - started:6{precision}} s"


def _base_python() -> str:
    # a venv made from a venv's python would depend on that venv
    return getattr(sys, "_base_executable", None) or sys.executable


def _home_cache_is_writable() -> bool:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    with contextlib.suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
    return cache.is_dir() and os.access(cache, os.W_OK)
