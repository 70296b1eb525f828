"""The examinations, each by its name, and what is done with what they find."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib import import_module

from lakehouse import services
from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings
from lakehouse.trouble import Trouble

Look = Callable[[Settings, bool], Iterable[Trouble]]

# Named, not imported: an examination whose own module cannot be imported is a finding too, and the others go on.
EXAMINATIONS: dict[str, str] = {
    "environment": "installation.look_at_environment",
    "java": "installation.look_at_java",
    "jars": "installation.look_at_jars",
    "archive of classes": "installation.look_at_archive",
    "kernelspec": "installation.look_at_kernelspec",
    "folders": "machine.look_at_folders",
    "disk": "machine.look_at_disk",
    "ports": "machine.look_at_ports",
    "stamp": "machine.look_at_stamp",
    "services": "machine.look_at_services",
    "spark": "machine.look_at_spark",
    "sockets": "machine.look_at_sockets",
    "raw manifests": "manifests.look",
    "tables' logs": "commits.look",
    "tables' files": "datafiles.look",
    "runs": "runs.look",
    "leftovers": "runs.look_aside",
    "dagster and mlflow": "stores.look",
}
_ROUNDS = 5  # a repair may bring to light what it hid: a rebuilt commit names files


@dataclass(frozen=True)
class Found:
    """One finding, by which examination; `done` is what a repair did about it, `failed` why it could not."""

    examination: str
    trouble: Trouble
    done: str = ""
    failed: str = ""


def examine(
    settings: Settings, deep: bool = False, tell: Callable[[str], None] = lambda name: None, names: Iterable[str] = EXAMINATIONS
) -> Iterator[Found]:
    """What is wrong, examination by examination; `tell` is given the name of each before it begins."""
    for name in names:
        tell(name)
        try:
            for trouble in _look(name)(settings, deep):
                yield Found(name, trouble)
        except Exception as error:
            yield Found(name, Trouble(f"the examination of {name}", f"failed: {_words(error)}", _todo(error)))


def heal(
    settings: Settings, deep: bool = False, tell: Callable[[str], None] = lambda name: None, names: Iterable[str] = EXAMINATIONS
) -> Iterator[Found]:
    """Repairs what can be, and looks again: first what was done, then what is left. One at a time for each lake."""
    with ExitStack() as held:
        with suppress(LakehouseError, OSError):  # where the lake cannot be written there is little to repair
            held.enter_context(services.lock(settings, "doctor"))
        failed: dict[Trouble, str] = {}
        for _ in range(_ROUNDS):
            left = list(examine(settings, deep, tell, names))
            open_ones = [found for found in left if found.trouble.mend is not None and found.trouble not in failed]
            if not open_ones:
                break
            for found in open_ones:
                done, why = _mend(found.trouble)
                if done:
                    yield Found(found.examination, found.trouble, done)
                else:
                    failed[found.trouble] = why
        for found in left:
            yield Found(found.examination, found.trouble, failed=failed.get(found.trouble, ""))


def _look(name: str) -> Look:
    module, _, function = EXAMINATIONS[name].partition(".")
    look: Look = getattr(import_module(f"lakehouse.doctor.{module}"), function)
    return look


def _mend(trouble: Trouble) -> tuple[str, str]:
    """What was done, or why it could not be."""
    assert trouble.mend is not None
    try:
        return trouble.mend(), ""
    except Exception as error:
        return "", _words(error) + (f" {error.hint}" if isinstance(error, LakehouseError) else "")


def _words(error: Exception) -> str:
    return error.what + "." if isinstance(error, LakehouseError) else f"{type(error).__name__}: {error}"


def _todo(error: Exception) -> str:
    return error.hint if isinstance(error, LakehouseError) else "Mend what it names, then look again."
