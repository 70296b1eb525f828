"""The lake's folder and the machine below it: stamp, permissions, disk, ports, and what background processes left."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from lakehouse import deltalog, services, tables
from lakehouse.doctor.aside import set_aside
from lakehouse.errors import LakeError, PortTaken, ServiceError
from lakehouse.settings import Settings
from lakehouse.trouble import Trouble

_LEAST_BYTES = 1 << 30
_LEAST_FILES = 10_000


def look_at_stamp(settings: Settings, deep: bool) -> Iterator[Trouble]:
    root, stamp = settings.root, settings.root / tables.STAMP
    if not root.exists():
        return  # the first run makes it
    if not stamp.exists():
        if any((root / name).exists() for name in ("tables", "raw", "runs")):
            yield _without_stamp(root, stamp, "is missing: nothing says which format this lake has")
        return
    try:
        tables.open_root(root)
    except LakeError as error:
        if "not a lake's stamp" in error.what:
            yield _without_stamp(root, stamp, "is damaged: nothing says which format this lake has")
        else:
            yield Trouble(str(root), error.what, error.hint)


def _without_stamp(root: Path, stamp: Path, what: str) -> Trouble:
    newest = _newest_format(root)
    if newest > tables.FORMAT:
        todo = f"Its commits are of format {newest}, this version reads up to {tables.FORMAT}: update the project (git pull)."
        return Trouble(str(stamp), what, todo)
    todo = f"--repair writes it: no commit is of a newer format than {tables.FORMAT}."
    return Trouble(str(stamp), what, todo, mend=partial(_write_stamp, root, stamp))


def _newest_format(root: Path) -> int:
    """The newest format that a commit names; damaged commits are told of by themselves."""
    newest = 0
    for table in tables.tables_under(root / "tables"):
        path = tables.lake_path(root, table)
        for version in deltalog.versions(path):
            try:
                newest = max(newest, int((deltalog.commit(path, version).ours or {}).get("lakehouse", 0)))
            except LakeError:
                continue
    return newest


def _write_stamp(root: Path, stamp: Path) -> str:
    kept = f"; the damaged one is now {set_aside(stamp).name}" if stamp.exists() else ""
    tables.write_stamp(root)
    return f"Wrote {stamp}{kept}."


def look_at_folders(settings: Settings, deep: bool) -> Iterator[Trouble]:
    """Every folder of the lake and the cache: there or to be made, and writable."""
    own = [settings.root, settings.cache, *(settings.root / name for name in sorted(tables.OWN_FOLDERS))]
    for path in own:
        nearest = next(folder for folder in (path, *path.parents) if os.path.lexists(folder))
        if not nearest.is_dir():
            yield Trouble(str(nearest), "is no folder, so nothing can be written below it", "Move it away.")
        elif not os.access(nearest, os.W_OK | os.X_OK):
            setting = "LAKEHOUSE_CACHE" if path == settings.cache else "LAKEHOUSE_ROOT"
            todo = f"Make it writable for you (`chmod u+rwx`, or its owner), or set {setting} to a folder that is."
            yield Trouble(str(nearest), "cannot be written by you", todo)


def look_at_disk(settings: Settings, deep: bool) -> Iterator[Trouble]:
    nearest = next(folder for folder in (settings.root, *settings.root.parents) if folder.is_dir())
    free = shutil.disk_usage(nearest).free
    if free < _LEAST_BYTES:
        what = f"has {free / 2**20:,.0f} MiB free; a run of the whole graph may need {_LEAST_BYTES / 2**20:,.0f}"
        yield Trouble(str(nearest), what, "Free some space, or set LAKEHOUSE_ROOT to another disk.")
    names = os.statvfs(nearest)
    if names.f_files and names.f_favail < _LEAST_FILES:
        yield Trouble(str(nearest), f"has room for {names.f_favail:,} files only", "Remove files, or set LAKEHOUSE_ROOT.")


def look_at_ports(settings: Settings, deep: bool) -> Iterator[Trouble]:
    """Ports that the pages should have and that somebody else holds (or one port for two pages)."""
    wanted = {"dagster-webserver": settings.dagster_port, "mlflow": settings.mlflow_port, "JupyterLab": settings.lab_port}
    for name, port in wanted.items():
        ours = services.read(settings, name)
        twins = [other for other, number in wanted.items() if number == port and other != name]
        if twins:
            todo = f"Set LAKEHOUSE_{_setting(name)} to another port."
            yield Trouble(f"port {port}", f"is set for both {name} and {' and '.join(twins)}", todo)
        if (ours is not None and ours.alive) or _is_our_lab(settings, name, port):
            continue
        try:
            services.refuse_taken_port(name, port)
        except PortTaken as error:
            yield Trouble(f"port {port}", error.what, f"End that process, or set LAKEHOUSE_{_setting(name)}.")


def _setting(name: str) -> str:
    return {"dagster-webserver": "DAGSTER_PORT", "mlflow": "MLFLOW_PORT"}.get(name, "LAB_PORT")


def _is_our_lab(settings: Settings, name: str, port: int) -> bool:
    holder = services.holder(port) or ""
    return name == "JupyterLab" and "jupyter" in holder and str(settings.project) in holder


def look_at_services(settings: Settings, deep: bool) -> Iterator[Trouble]:
    for path in sorted((settings.root / "services").glob("*.json")):
        service = services.read(settings, path.stem)
        if service is None:
            what = "is torn, so that the process it names is not found any more"
            todo = "--repair sets it aside. Should that process still run, `ps` shows it with this lake's path: end it."
            yield Trouble(str(path), what, todo, mend=partial(_set_aside, path))
        elif not service.alive:
            what = f"names process {service.pid}, which has ended"
            yield Trouble(str(path), what, "--repair removes it.", service.started_at, partial(_forget, settings, service))
    for path in sorted((settings.root / "services").glob("*.*.draft")):
        if not _process_exists(path.suffixes[-2]):
            yield Trouble(str(path), "was left by a process that ended", "--repair removes it.", mend=partial(_remove, path))


def _process_exists(suffix: str) -> bool:
    import psutil

    return suffix[1:].isdigit() and psutil.pid_exists(int(suffix[1:]))


def _forget(settings: Settings, service: services.Service) -> str:
    with services.lock(settings, service.name):
        now = services.read(settings, service.name)
        if now == service and not now.alive:  # another may have been started meanwhile
            (settings.root / "services" / f"{service.name}.json").unlink(missing_ok=True)
    return f"Removed what was written down of {service.name} (process {service.pid})."


def _set_aside(path: Path) -> str:
    return f"Set {path} aside as {set_aside(path).name}."


def _remove(path: Path) -> str:
    path.unlink(missing_ok=True)
    return f"Removed {path}."


def look_at_spark(settings: Settings, deep: bool) -> Iterator[Trouble]:
    """A server that is alive and does not answer: stopped, out of memory, or its token was changed."""
    from lakehouse.spark import server

    service = None if settings.spark else services.read(settings, server.NAME)
    if service is not None and service.alive and server.running(settings, patience=server.PATIENCE_SECONDS) is None:
        what = f"(process {service.pid}) is alive and does not answer"
        todo = "--repair ends it; the next command starts a new one. Its log: " + service.log
        yield Trouble("the Spark server", what, todo, service.started_at, partial(_end_spark, settings, service.pid))


def _end_spark(settings: Settings, pid: int) -> str:
    from lakehouse.spark import server

    server.stop(settings)
    return f"Ended the Spark server (process {pid})."


def look_at_sockets(settings: Settings, deep: bool) -> Iterator[Trouble]:
    """Where the process that kernels are forked from is met, and what it left when it could not start."""
    from lakehouse.kernels import control, rendezvous

    try:
        path = rendezvous.address(settings.root)
    except ServiceError as error:
        yield Trouble("the kernels' sockets", error.what, error.hint)
        return
    if path.exists() and not _somebody_listens(path):
        yield Trouble(str(path), "is a socket where nobody listens", "--repair removes it.", mend=partial(_remove, path))
    failed = control.failure_note(path)
    if failed.exists():
        words = failed.read_text(errors="replace").partition("\n")[2].strip()
        what = f"says that warm kernels cannot be had here: {words}"
        yield Trouble(str(failed), what, "--repair removes it, so that it is tried again.", mend=partial(_remove, failed))


def _somebody_listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(5)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False
        except OSError:
            return True  # busy, or just gone
    return True
