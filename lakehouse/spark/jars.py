"""Delta's jars, which its wheel lacks: fetched once with the Ivy that pyspark ships, checked, kept in the cache."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from lakehouse.errors import SetupError
from lakehouse.settings import Settings
from lakehouse.spark import java

log = logging.getLogger(__name__)

FETCH_SECONDS = 180
RECORD = "verified.json"


@dataclass(frozen=True)
class Jar:
    organisation: str
    module: str
    revision: str
    sha256: str

    @property
    def name(self) -> str:
        return f"{self.module}-{self.revision}.jar"


# 13 MB; everything else that Delta needs is among pyspark's own jars.
JARS = (
    Jar("io.delta", "delta-spark_4.2_2.13", "4.4.0", "27d4fd8b1f879535c573ed1c718177d6a27f24d3e626ba02e216369725721ead"),
    Jar("io.delta", "delta-storage", "4.4.0", "c46735481fa8e326b0957be02b4420cbcab4b325bb08009b7f2045a95133f1cc"),
    Jar("io.delta", "delta-kernel-api", "4.4.0", "ee9b5a14ac3b7efdff4d61a58478fe8eb0e5a3fbca43889dca7290795fe79a11"),
    Jar("io.delta", "delta-kernel-defaults", "4.4.0", "225c975199e4718b38ee5b7e6da7f19e9585024262b2cec2656b32151a856b0b"),
    Jar("io.delta", "delta-kernel-unitycatalog", "4.4.0", "cea22dfb4ac562b3cd27bf652697750e8336009d73fb06631363aaaad5345ffa"),
    Jar("io.unitycatalog", "unitycatalog-client", "0.6.0", "48257499a86b801a3e2372cec55ac226ca1c1c7eabe5c118e7302f29a1fdbc19"),
    Jar("io.unitycatalog", "unitycatalog-hadoop", "0.6.0", "c47b63c961c87102b9e1d63809a0915ba4c86b7652f57c8d39ca3a05b441a150"),
)


def ensure(settings: Settings) -> list[Path]:
    """The jars' paths, fetched if missing. Raises SetupError when they cannot be had or are not what they should be."""
    folder = settings.cache / "jars"
    if _unchanged(folder):
        return [folder / jar.name for jar in JARS]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            missing = [jar for jar in JARS if not _verified(folder / jar.name, jar)]
            if missing:
                _fetch(missing, folder, settings)
            _record(folder)
    except OSError as error:
        raise SetupError(
            f"The cache of jars {folder} cannot be used: {error}", "Make it writable, or set LAKEHOUSE_CACHE to another folder."
        ) from None
    return [folder / jar.name for jar in JARS]


def damaged(settings: Settings) -> list[Path]:
    """The cached jars that are gone or not the pinned files, byte for byte; none before they were first fetched."""
    paths = {settings.cache / "jars" / jar.name: jar.sha256 for jar in JARS}
    if not any(path.exists() for path in paths):
        return []
    return [path for path, sha256 in paths.items() if not path.exists() or _sha256(path) != sha256]


def refetch(settings: Settings) -> list[Path]:
    """`ensure`, with every jar's hash computed again whatever was noted of it."""
    (settings.cache / "jars" / RECORD).unlink(missing_ok=True)
    return ensure(settings)


def pyspark_jars() -> Path:
    """The folder of the jars that pyspark brings (found without importing it, which takes a second)."""
    spec = find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise SetupError("The package pyspark is not installed", "Run `python3 -m lakehouse run`, which sets up the environment.")
    return Path(spec.origin).parent / "jars"


def _stamps(folder: Path) -> dict[str, list[int]]:
    stats = {jar.name: (folder / jar.name).stat() for jar in JARS}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def _unchanged(folder: Path) -> bool:
    """Whether every jar still has the size and time it had when its hash was checked."""
    try:
        return json.loads((folder / RECORD).read_text()) == _stamps(folder)
    except (OSError, ValueError):
        return False


def _record(folder: Path) -> None:
    draft = folder / f"{RECORD}.{os.getpid()}"
    draft.write_text(json.dumps(_stamps(folder), indent=1))
    draft.replace(folder / RECORD)


def _verified(path: Path, jar: Jar) -> bool:
    if not path.exists():
        return False
    if _sha256(path) == jar.sha256:
        return True
    log.warning("%s is damaged (its SHA-256 is not the pinned one): fetching it again", path)
    return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(jars: list[Jar], folder: Path, settings: Settings) -> None:
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as work:
        answer = _run_ivy(jars, Path(work), settings)
        for jar in jars:
            got = Path(work) / jar.name
            if not got.exists():
                raise SetupError(f"{jar.name} could not be fetched: {_reason(answer)}", _mirror_hint(settings))
            if _sha256(got) != jar.sha256:
                raise SetupError(
                    f"{jar.name} as fetched is not the file this project was tested with: SHA-256 {_sha256(got)} "
                    f"instead of {jar.sha256}",
                    "Its source was changed or the download was altered. " + _mirror_hint(settings),
                )
            got.replace(folder / jar.name)


def _run_ivy(jars: list[Jar], work: Path, settings: Settings) -> str:
    """What Ivy said; the jars it found lie in `work`."""
    runtime = java.find()
    module = work / "ivy.xml"
    module.write_text(_ivy_module(jars))
    ivy = next(pyspark_jars().glob("ivy-*.jar"))
    command = [str(runtime.binary), *java.network_options(runtime, work), f"-Divy.default.ivy.user.dir={work / 'home'}"]
    command += ["-cp", str(ivy), "org.apache.ivy.Main", "-cache", str(work / "ivy"), "-ivy", str(module)]
    if settings.ivy_settings:
        command += ["-settings", str(settings.project / settings.ivy_settings.expanduser())]
    command += ["-retrieve", f"{work}/[artifact]-[revision].[ext]"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS)
    except subprocess.TimeoutExpired:
        raise SetupError(f"Fetching Delta's jars took longer than {FETCH_SECONDS} s", _mirror_hint(settings)) from None
    return answer.stdout + answer.stderr


def _ivy_module(jars: list[Jar]) -> str:
    wanted = "".join(
        f'<dependency org="{jar.organisation}" name="{jar.module}" rev="{jar.revision}" transitive="false"/>' for jar in jars
    )
    return (
        '<ivy-module version="2.0"><info organisation="lakehouse" module="spark"/>'
        f'<dependencies defaultconf="default->master">{wanted}</dependencies></ivy-module>'
    )


def _reason(answer: str) -> str:
    """The line of Ivy's long answer that tells why."""
    lines = [line.strip() for line in answer.splitlines()]
    telling = [line for line in lines if "Exception" in line or "not found" in line or "host" in line.lower()]
    return (telling or [line for line in lines if line] or ["Ivy said nothing"])[0][:300]


def _mirror_hint(settings: Settings) -> str:
    asked = f"the mirror of {settings.ivy_settings}" if settings.ivy_settings else "the public repository of Java packages"
    return (
        f"They are fetched once, from {asked}: check the network and run again, "
        "or name a mirror with LAKEHOUSE_IVY_SETTINGS=<an Ivy settings file>."
    )
