"""What set-up made: the environment and its packages, Java, Delta's jars, the archive of classes, the kernelspec."""

from __future__ import annotations

import csv
import importlib.metadata
import re
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from lakehouse.bootstrap import PROJECT
from lakehouse.environment import LOCK, Environment
from lakehouse.errors import SetupError
from lakehouse.kernels.kernelspec import KERNELSPEC, command_of, install_kernelspec
from lakehouse.settings import Settings
from lakehouse.spark import archive, jars, java, launch, orphans
from lakehouse.trouble import Trouble

_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)(?:\s*;\s*([^\\]+))?")
_REWRITTEN = ("/RECORD", "/direct_url.json", "/INSTALLER", "/REQUESTED")
_AGAIN = "the next command sees to it (some minutes)"


def look_at_environment(settings: Settings, deep: bool) -> Iterator[Trouble]:
    environment = Environment(PROJECT)
    if not environment.is_this_process():
        return  # installed elsewhere: not ours to judge
    finding = environment.finding()
    if finding != "ready":
        yield Trouble(str(environment.folder), f"is {finding}", "Run `python3 -m lakehouse doctor`: set-up comes first.")
        return
    missing = _missing(PROJECT / LOCK)
    if missing:
        what = f"lacks {len(missing)} pinned packages: {', '.join(missing[:5])}{' …' if len(missing) > 5 else ''}"
        todo = f"--repair marks it as outdated: {_AGAIN}."
        yield Trouble(str(environment.folder), what, todo, mend=partial(_distrust, environment, False))
    torn = [] if missing else _torn_files()
    if torn:
        what = f"has {len(torn)} files that are gone or cut off, as {torn[0]}"
        todo = f"--repair marks it as half made: {_AGAIN}."
        yield Trouble(str(environment.folder), what, todo, mend=partial(_distrust, environment, True))


def _missing(lock: Path) -> list[str]:
    """Pinned packages that are not installed, or in another version."""
    from packaging.markers import Marker

    found = []
    for line in lock.read_text().splitlines():
        match = _PINNED.match(line)
        if not match or (match[3] and not Marker(match[3].strip()).evaluate()):
            continue
        try:
            version = importlib.metadata.version(match[1])
        except importlib.metadata.PackageNotFoundError:
            found.append(match[1])
            continue
        if version != match[2]:
            found.append(f"{match[1]} {match[2]} (there is {version})")
    return found


def _torn_files() -> list[str]:
    """Files of installed packages that are gone, or shorter or longer than when they were installed."""
    found = []
    for package in importlib.metadata.distributions(path=[path for path in sys.path if path.startswith(sys.prefix)]):
        # Not `package.files`: it leaves out what is gone.
        for name, _, size in csv.reader((package.read_text("RECORD") or "").splitlines()):
            if not size or name.startswith("..") or name.endswith(_REWRITTEN):
                continue
            try:
                torn = Path(package.locate_file(name)).stat().st_size != int(size)
            except OSError:
                torn = True
            if torn:
                found.append(name)
    return found


def _distrust(environment: Environment, whole: bool) -> str:
    environment.distrust(whole)
    return f"Marked {environment.folder}: {_AGAIN}."


def look_at_java(settings: Settings, deep: bool) -> Iterator[Trouble]:
    if settings.spark:
        return
    try:
        java.find()
    except SetupError as error:
        yield Trouble("Java", error.what, error.hint)


def look_at_jars(settings: Settings, deep: bool) -> Iterator[Trouble]:
    for path in jars.damaged(settings):
        what = "is damaged: its SHA-256 is not the pinned one" if path.exists() else "is gone"
        yield Trouble(str(path), what, "--repair fetches it again.", mend=partial(_refetch, settings, path))
    if orphans.damaged(settings):
        path = orphans.path(settings)
        todo = "--repair removes it; the next Spark server compiles it again."
        yield Trouble(str(path), "is damaged", todo, mend=partial(_remove, path))


def _refetch(settings: Settings, path: Path) -> str:
    jars.refetch(settings)
    return f"Fetched {path} again."


def look_at_archive(settings: Settings, deep: bool) -> Iterator[Trouble]:
    """A server goes without a stale archive, and says nothing: it only starts more slowly."""
    made = all((settings.cache / "jars" / jar.name).exists() for jar in jars.JARS) and orphans.path(settings).exists()
    if settings.spark or not made or jars.damaged(settings) or orphans.damaged(settings):
        return  # what is missing would be fetched now; what is damaged is told of by itself
    runtime = java.find()
    class_path = launch.class_path(settings, runtime)
    path = archive.path(settings, runtime, class_path)
    if path.exists() and not archive.usable(path, runtime, class_path):
        what = "is stale or damaged: Java does not take it, so that Spark starts in twice the time"
        todo = "--repair removes it; the next Spark server makes it anew, by itself."
        yield Trouble(str(path), what, todo, mend=partial(_remove, path))
    for draft in sorted(path.parent.glob("spark-*.[0-9]*")):
        if not _alive(draft.suffix):
            what = "was left by a process that ended while it made the archive of classes"
            yield Trouble(str(draft), what, "--repair removes it.", mend=partial(_remove, draft))


def _alive(suffix: str) -> bool:
    import psutil

    return suffix[1:].isdigit() and psutil.pid_exists(int(suffix[1:]))


def _remove(path: Path) -> str:
    path.unlink(missing_ok=True)
    return f"Removed {path}."


def look_at_kernelspec(settings: Settings, deep: bool) -> Iterator[Trouble]:
    """papermill and JupyterLab take the first of that name in Jupyter's path: it must start this very Python."""
    from jupyter_core.paths import jupyter_path

    own = Path(sys.prefix) / "share" / "jupyter" / "kernels" / KERNELSPEC
    mend = partial(_install, own)
    if command_of(own) is None:
        yield Trouble(str(own), "is missing or damaged: notebooks find no kernel", "--repair writes it.", mend=mend)
    for place in dict.fromkeys([*(Path(path) / KERNELSPEC for path in jupyter_path("kernels")), own]):
        command = command_of(place)
        if command is None:
            continue
        if Path(command[0]) != Path(sys.prefix) / "bin" / Path(sys.executable).name:
            what = f"points elsewhere: notebooks would run on {command[0]}, not on {sys.executable}"
            if place == own:
                yield Trouble(str(place), what, "--repair writes it anew.", mend=mend)
            else:
                yield Trouble(str(place), what, f"Remove it: `jupyter kernelspec remove {KERNELSPEC}`.")
        break


def _install(own: Path) -> str:
    install_kernelspec(Path(sys.prefix))
    return f"Wrote {own} anew."
