"""Commands for developing: check the graph, run one notebook, run the tests and the benchmark, see the settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    app.command("check")(check)
    handed_on = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command("test", context_settings=handed_on)(test)
    app.command("faults", context_settings=handed_on)(faults)
    app.command("bench", context_settings={**handed_on, "help_option_names": []})(bench)
    app.command("settings")(show_settings)
    notebook = typer.Typer(help="Run one notebook.", no_args_is_help=True)
    notebook.command("run")(run_notebook)
    notebook.command("show")(show_notebook)
    app.add_typer(notebook, name="notebook")


def check(as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False) -> int:
    """Hold notebooks, contracts and sources against each other, without running anything."""
    from lakehouse import settings
    from lakehouse.check import check as findings_of
    from lakehouse.project import Project

    now = settings.load()
    project = now.project
    findings = findings_of(project, root=now.root)
    if as_json:
        print(json.dumps([finding.to_dict() for finding in findings], indent=1))
        return 1 if findings else 0
    for finding in findings:
        print(f"{finding.where}: {finding.message} [{finding.rule}]")
        if finding.hint:
            print(f"    {finding.hint}")
    read = Project.load(project)
    count = len(read.notebooks) + len(read.explore)
    print(f"{len(findings)} findings." if findings else f"{count} notebooks, no findings.")
    return 1 if findings else 0


def test(context: typer.Context) -> int:
    """Run the project's tests; what follows is handed to pytest."""
    return _module("pytest", context)


def bench(context: typer.Context) -> int:
    """Measure: beside what people use today, growth, tuning; what follows is handed to the benchmark."""
    return _module("tests.benchmarks", context)


def _module(name: str, context: typer.Context) -> int:
    """This process becomes `python -m name`: an interrupt reaches it, and its clearing up is waited for."""
    from lakehouse import settings

    os.chdir(settings.load().project)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", name, *context.args])


def faults(
    context: typer.Context,
    readme: Annotated[bool, typer.Option("--readme", help="put the table between README.md's markers <!-- faults -->")] = False,
) -> int:
    """Break everything that can break, and check that nothing is lost; what follows is handed to pytest.

    (Some 20 minutes: `lakehouse test` runs the short form of it.)
    """
    from lakehouse import settings

    project = settings.load().project
    report = project / "build" / "faults"
    environ = {**os.environ, "FAULTS_REPORT": str(report), **({"FAULTS_README": str(project / "README.md")} if readme else {})}
    argv = [sys.executable, "-m", "pytest", "tests/faults", "-m", "", *context.args]
    code = subprocess.run(argv, cwd=project, env=environ, check=False).returncode
    if (report / "faults.md").exists():
        print(f"What was seen: {report / 'faults.md'}")
    return code


def show_settings(as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False) -> int:
    """Every setting: its value, where that came from, what it means."""
    from lakehouse import settings

    now, origin = settings.load_with_sources()
    values = {name: getattr(now, name) for name in type(now).model_fields}
    if as_json:
        print(json.dumps({name: {"value": _plain(value), "from": origin[name]} for name, value in values.items()}, indent=1))
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table("setting", "value", "from", "meaning")
    for name, value in values.items():
        table.add_row(name, "" if value is None else str(value), origin[name], type(now).model_fields[name].description or "")
    Console(highlight=False).print(table)
    print(f"Set one by LAKEHOUSE_<NAME> in the environment, or in {settings.FILE} beside pyproject.toml.")
    return 0


def _plain(value: object) -> object:
    return value if isinstance(value, (int, float, bool, type(None))) else str(value)


def run_notebook(
    notebook: Annotated[str, typer.Argument(help="notebooks/silver/flights.ipynb, or its name silver/flights")],
    parameter: Annotated[list[str] | None, typer.Option("-p", "--parameter", help="name=value, repeatable")] = None,
) -> int:
    """Run one notebook to the lake, as Dagster would."""
    from rich.console import Console

    from lakehouse import checks, runner, settings

    console = Console(highlight=False)
    now = settings.load()
    asset = name_of(notebook, now.project)
    values = dict(_pair(text) for text in parameter or [])
    with console.status(f"running {asset.slashed}"):
        done = runner.run(asset, values, now)
    for write in done.writes:
        console.print(f"{write.table}: {write.rows:,} rows, version {write.version}")
    for model in done.models:
        metrics = ", ".join(f"{name} {value:.4g}" for name, value in model.metrics.items())
        console.print(f"{model.name}: version {model.version}  {metrics}")
    for failed in runner.failed_checks(done.checks):
        console.print(f"warning: {failed.table}: {checks.in_words(failed)}", markup=False)
    console.print(f"{asset.slashed} in {done.seconds:.1f} s: {done.notebook}", soft_wrap=True)
    return 0


def show_notebook(notebook: Annotated[str, typer.Argument(help="notebooks/silver/flights.ipynb, or silver/flights")]) -> int:
    """What a notebook says of itself: title, parameters, reads, writes."""
    from rich.console import Console
    from rich.table import Table

    from lakehouse import settings
    from lakehouse.project import Project

    now = settings.load()
    spec = Project.load(now.project).notebook(name_of(notebook, now.project))
    table = Table(show_header=False, title=spec.title, title_justify="left")
    table.add_row("notebook", str(spec.path.relative_to(now.project)))
    table.add_row("about", spec.description)
    for read in (*spec.reads, *spec.models_read):
        table.add_row("reads", f"{read.table} (partitions {read.coverage}, cell {read.cell})")
    for write in (*spec.writes, *spec.models_written):
        table.add_row("writes", f"{write.table} (cell {write.cell})")
    for judged in spec.models_judged:
        table.add_row("judges", f"{judged.table} (cell {judged.cell})")
    for item in spec.parameters:
        table.add_row("parameter", f"{item.name}: {item.type} = {item.default}  {item.help}")
    Console(highlight=False).print(table)
    return 0


def name_of(notebook: str, project: Path) -> object:
    """A notebook's name from its name, its path, or its path within the project. Raises UnknownName."""
    from lakehouse.errors import UnknownName
    from lakehouse.names import TableName

    if not notebook.endswith(".ipynb"):
        return TableName.parse_notebook(notebook)
    for candidate in (Path(notebook), project / notebook):
        try:
            inside = candidate.absolute().resolve().relative_to((project / "notebooks").resolve())
        except ValueError:
            continue
        return TableName.parse_notebook(inside.with_suffix("").as_posix())
    raise UnknownName(f"{notebook} is not in {project / 'notebooks'}", "Notebooks lie in notebooks/<layer>/<name>.ipynb.")


def _pair(text: str) -> tuple[str, str]:
    from lakehouse.errors import ParameterError

    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ParameterError(f"-p {text!r} is not name=value", "Write for example -p months=2013-02.")
    return name, value
