"""Commands for what runs in the background: start it, list it, end it, read its log; and JupyterLab in front."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from lakehouse.settings import Settings


def register(app: typer.Typer) -> None:
    app.command("up")(up)
    app.command("status")(status)
    app.command("down")(down)
    app.command("logs")(logs)
    app.command("lab", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(lab)


def up() -> int:
    """Start Spark, the kernels' process, Dagster (page and daemon) and MLflow's page, all on this machine only."""
    from rich.console import Console

    from lakehouse import kernels, orchestration, services, settings, tables
    from lakehouse.spark import server

    console = Console(highlight=False)
    now = settings.load()
    tables.open_root(now.root)
    pages = [*orchestration.services(now), _mlflow(now)]
    for name, _argv, _environ, port in pages:
        if port is not None and services.read(now, name) is None:
            services.refuse_taken_port(name, port)
    with console.status("starting Spark"):
        server.ensure(now)
    with console.status("starting the kernels' process"):
        kernels.ensure(now)
    for name, argv, environ, port in pages:
        running = services.read(now, name)
        if running is not None and running.alive:
            continue
        with console.status(f"starting {name}"):
            url = f"http://localhost:{port}" if port else None
            services.spawn(
                now, name, argv, env=environ, port=port, url=url, cwd=now.project, ready=lambda port=port: _answers(port)
            )
    _print_services(console, now)
    return 0


def _mlflow(now: Settings) -> tuple[str, list[str], dict[str, str], int]:
    store = now.root / "mlflow"
    store.mkdir(exist_ok=True)
    argv = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(now.mlflow_port), "--workers", "1"]
    argv += ["--backend-store-uri", f"sqlite:///{store / 'mlflow.db'}", "--default-artifact-root", (store / "artifacts").as_uri()]
    # Its job runner serves features that are not used here, with four processes more.
    return "mlflow", argv, {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}, now.mlflow_port


def _answers(port: int | None) -> bool:
    """Whether a page answers; what has no port is ready when it runs."""
    import urllib.error
    import urllib.request

    if port is None:
        return True
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def status() -> int:
    """What runs in the background for this lake, and where."""
    from rich.console import Console

    from lakehouse import settings

    _print_services(Console(highlight=False), settings.load())
    return 0


def _print_services(console: Console, now: Settings) -> None:
    import psutil
    from rich import box
    from rich.table import Table

    from lakehouse import services

    running = services.all(now)
    if not running:
        console.print(f"Nothing runs for the lake at {now.root}.")
        return
    table = Table("service", "process", "memory", "up for", "where", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for service in running:
        process = service.process()
        memory = 0
        for member in [process, *process.children(recursive=True)] if process else []:
            try:
                memory += member.memory_info().rss
            except psutil.Error:
                continue
        minutes = (time.time() - service.created) / 60
        lasting = f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.0f} h"
        table.add_row(service.name, str(service.pid), f"{memory / 2**20:,.0f} MiB", lasting, service.url or "")
    console.print(table)
    console.print(f"{command_name(now)} down ends them.")


def tell_running(console: Console, now: Settings) -> None:
    """Says which processes stay, so that nothing runs on that the user was not told of."""
    from lakehouse import services

    names = [f"{service.name} (process {service.pid})" for service in services.all(now)]
    if names:
        told = f"Still running, so that the next run starts at once: {', '.join(names)}."
        console.print(f"\n{told} {command_name(now)} down ends them.", soft_wrap=True)


def command_name(now: Settings) -> str:
    """How the command can be typed here: by its name where it is on the PATH, else by its place."""
    installed = Path(sys.prefix) / "bin" / "lakehouse"
    found = shutil.which("lakehouse")
    if found and Path(found).resolve() == installed.resolve():
        return "lakehouse"
    try:
        return str(installed.relative_to(Path.cwd()))
    except ValueError:
        return str(installed)


def down() -> int:
    """End all that runs in the background for this lake."""
    from lakehouse import kernels, services, settings
    from lakehouse.spark import server

    now = settings.load()
    names = [service.name for service in services.all(now)]
    # Those that use others go first: pages and daemon, then kernels, then Spark.
    for name in names:
        if name not in ("kernels", server.NAME, server.SETTLE):
            services.stop(now, name)
    kernels.stop(now)
    server.stop(now)
    print(f"Ended {', '.join(names)}." if names else "Nothing was running.")
    return 0


def logs(
    service: Annotated[str | None, typer.Argument(help="spark, kernels, dagster-webserver, dagster-daemon or mlflow")] = None,
    lines: Annotated[int, typer.Option("-n", min=1, help="lines from the end")] = 50,
) -> int:
    """The end of a service's log; without a name, which logs there are."""
    from lakehouse import services, settings
    from lakehouse.errors import UnknownName
    from lakehouse.names import did_you_mean

    now = settings.load()
    known = sorted(path.stem for path in (now.root / "services").glob("*.log"))
    if service is None:
        for name in known:
            print(services.log_path(now, name))
        return 0
    if service not in known:
        raise UnknownName(f"No log of {service!r}", f"There are {', '.join(known) or 'none yet'}.{did_you_mean(service, known)}")
    for line in services.log_path(now, service).read_text(errors="replace").splitlines()[-lines:]:
        print(line)
    return 0


def lab(context: typer.Context) -> int:
    """Open JupyterLab on notebooks/; what follows is handed to it. Ends with Ctrl-C."""
    from lakehouse import kernels, services, settings, tables
    from lakehouse.spark import server

    now = settings.load()
    tables.open_root(now.root)
    services.refuse_taken_port("JupyterLab", now.lab_port)
    print("Starting Spark and the kernels' process …", flush=True)
    server.ensure(now)
    kernels.ensure(now)
    folder = now.project / "notebooks"
    argv = [
        sys.executable, "-m", "jupyterlab", "--ip=127.0.0.1", f"--port={now.lab_port}", "--port-retries=0",
        f"--ServerApp.root_dir={folder}", "--MultiKernelManager.default_kernel_name=lakehouse",
        *context.args,
    ]  # fmt: skip
    tour = "/lab/tree/explore/tour.ipynb"
    if (folder / "explore" / "tour.ipynb").exists():
        argv.append(f"--LabApp.default_url={tour}")
    environ = {**os.environ, "LAKEHOUSE_PROJECT": str(now.project), "LAKEHOUSE_ROOT": str(now.root)}
    if not (os.environ.get("DISPLAY") or sys.platform == "darwin"):
        argv.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        argv.append("--allow-root")
    os.execve(sys.executable, argv, environ)
