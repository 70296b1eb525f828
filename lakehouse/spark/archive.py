"""Java's archive of loaded classes (class data sharing): with it the server starts in half the time.

The first server on a machine writes down which classes it loads; `build` makes the archive from that, once.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
from pathlib import Path

from lakehouse.settings import Settings
from lakehouse.spark.java import Java

BUILD_SECONDS = 600
KEPT = 2  # 200 MB each; an older one belongs to a Java or a Spark that was replaced
CLASSES = "classes.list"


def path(settings: Settings, runtime: Java, class_path: str) -> Path:
    """Where the archive for exactly this Java and these jars is, or will be. Another one would be ignored by Java."""
    key = hashlib.sha256(f"{runtime.binary} {runtime.version} {class_path}".encode()).hexdigest()[:16]
    return settings.cache / "archive" / f"spark-{key}.jsa"


def options(archive: Path, work: Path) -> list[str]:
    """Java's options that use the archive, or that write down into `work` what it needs."""
    if archive.exists():
        return [f"-XX:SharedArchiveFile={archive}"]
    return [f"-XX:DumpLoadedClassList={work / CLASSES}"]


def usable(archive: Path, runtime: Java, class_path: str) -> bool:
    """Whether this Java takes the archive, all of it read; a server would silently go without one that it does not."""
    command = [str(runtime.binary), "-Xshare:on", f"-XX:SharedArchiveFile={archive}", "-XX:+VerifySharedSpaces"]
    command += ["-XX:+UseParallelGC", "-Xlog:disable", "-cp", class_path, "-version"]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=BUILD_SECONDS, check=False)
    return done.returncode == 0


def build(archive: Path, runtime: Java, class_path: str, work: Path) -> bool:
    """Makes the archive from the classes in `work` (20 s of one core). False when somebody else does, or Java cannot."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with (archive.parent / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if archive.exists():
            return True
        _complete_lines(work / CLASSES, work / "classes.txt")
        draft = archive.with_suffix(f".{os.getpid()}")
        command = [str(runtime.binary), "-Xshare:dump", f"-XX:SharedClassListFile={work / 'classes.txt'}"]
        command += [f"-XX:SharedArchiveFile={draft}", "-Xmx1g", "-Xlog:disable", "-cp", class_path]
        try:
            done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=BUILD_SECONDS)
            if done.returncode == 0 and draft.exists():
                draft.replace(archive)
        finally:
            draft.unlink(missing_ok=True)
        _drop_old(archive.parent)
    return archive.exists()


def _complete_lines(source: Path, target: Path) -> None:
    """The server is still writing: its last line may be cut."""
    text = source.read_text(errors="replace")
    target.write_text(text[: text.rfind("\n") + 1])


def _drop_old(folder: Path) -> None:
    newest_first = sorted(folder.glob("*.jsa"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in newest_first[KEPT:]:
        file.unlink(missing_ok=True)
