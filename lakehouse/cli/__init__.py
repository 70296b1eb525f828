"""The command line. Each command's own work is imported when it is called, so that `--help` and `check` stay quick."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import typer

from lakehouse.cli import (
    care,
    contracts,
    data,
    develop,
    history,
    leaks,
    models,
    profile,
    quality,
    quarantine,
    run,
    serving,
    stream,
    trace,
    versions,
)
from lakehouse.errors import AuditFailed, Cancelled, LakehouseError, RunFailed

app = typer.Typer(
    name="lakehouse",
    help="Notebooks as a lakehouse's assets: the notebook you explore is the asset that runs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
run.register(app)
stream.register(app)
develop.register(app)
contracts.register(app)
data.register(app)
quarantine.register(app)
history.register(app)
profile.register(app)
leaks.register(app)
trace.register(app)
models.register(app)
quality.register(app)
versions.register(app)
serving.register(app)
care.register(app)

OK, FAILED, WRONG_INPUT, CANCELLED = 0, 1, 2, 130


def main() -> int:
    """Runs the command line and returns its exit code: 0 done, 1 failed, 2 wrong input, 130 cancelled."""
    # A terminated command ends as an interrupted one does: kernels and Spark work are cancelled, the record is kept.
    signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        return int(app(standalone_mode=False) or OK)
    except LakehouseError as error:
        return _tell(error)
    except KeyboardInterrupt:
        print("\nlakehouse: cancelled", file=sys.stderr)
        return CANCELLED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except Exception as error:
        if isinstance(error, _click_exceptions()):
            error.show()
            return WRONG_INPUT
        if type(error).__name__ == "Abort":
            return CANCELLED
        raise


def _as_interrupt(_signal: int, _frame: Any) -> None:
    raise KeyboardInterrupt


def _click_exceptions() -> tuple[type[Any], ...]:
    """Usage errors: typer carries its own copy of click in some versions and uses click's in others."""
    import click

    found: list[type[Any]] = [click.ClickException]
    try:
        from typer._click.exceptions import ClickException

        found.append(ClickException)
    except ImportError:
        pass
    return tuple(found)


def _tell(error: LakehouseError) -> int:
    print(f"lakehouse: {error.what}", file=sys.stderr)
    for line in error.hint.splitlines():
        print(f"  {line}", file=sys.stderr)
    if isinstance(error, RunFailed) and error.notebook:
        print(f"  The executed notebook: {error.notebook}", file=sys.stderr)
    if isinstance(error, Cancelled):
        return CANCELLED
    return FAILED if isinstance(error, (RunFailed, AuditFailed)) or error.transient else WRONG_INPUT
