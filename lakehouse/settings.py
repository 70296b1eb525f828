"""Settings: typed, from the environment (`LAKEHOUSE_*`) and the file `.lakehouse.toml` of the project, unknown keys refused."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from lakehouse.errors import SettingsError

FILE = ".lakehouse.toml"
PREFIX = "LAKEHOUSE_"
# What a runner tells a kernel travels in the environment too, but is not a setting.
RUN_VARIABLES = {"TARGET", "RUN_ID", "SESSION", "FORCE", "BEHIND", "PROBE", "REPRODUCES", "KERNELS_OF"}


def _parallel() -> int:
    """One more than the cores, as a notebook also waits (for its kernel, for Dagster's records); each takes memory."""
    return min(8, (os.cpu_count() or 1) + 1)


class Settings(BaseModel):
    """One value per setting; `lakehouse settings` prints each with where it came from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    project: Path = Field(description="folder that holds notebooks/ and assets/")
    root: Path = Field(default=Path(".lake"), description="the lake's folder (relative to the project)")
    cache: Path = Field(default=Path("~/.cache/lakehouse"), description="downloads kept between lakes")
    ivy_settings: Path | None = Field(default=None, description="Ivy settings file that names a mirror of Java packages")
    spark: str | None = Field(default=None, description="sc://host:port of a Spark Connect server to use instead of our own")
    spark_memory: str = Field(default="4g", pattern=r"^\d+[mg]$", description="heap of our Spark server")
    spark_jars: str | None = Field(default=None, description="jars for our Spark server beside its own, joined by colons")
    spark_cores: int | None = Field(default=None, ge=1, description="cores of our Spark server (default: all)")
    parallel: int = Field(default_factory=_parallel, ge=1, description="notebooks that run side by side (default: cores + 1)")
    cell_timeout: int | None = Field(default=None, ge=1, description="seconds one cell may take")
    kernel_memory: str | None = Field(default=None, pattern=r"^\d+[mg]$", description="memory one kernel may take")
    kernel_threads: int = Field(default=1, ge=1, description="OpenMP and BLAS threads of a run (more: other last bits)")
    moved_libraries: Literal["refuse", "allow"] = Field(default="refuse", description="models trained with another scikit-learn")
    keep_notebooks_days: int = Field(default=90, ge=1, description="days that executed notebooks are kept (records stay)")
    keep_versions_days: int = Field(default=90, ge=1, description="days that a run's record holds the versions it read and wrote")
    dagster_port: int = Field(default=3000, ge=1, le=65535, description="port of Dagster's page")
    mlflow_port: int = Field(default=5000, ge=1, le=65535, description="port of MLflow's page")
    lab_port: int = Field(default=8888, ge=1, le=65535, description="port of JupyterLab")
    webhook: SecretStr | None = Field(default=None, description="URL told of failed runs")

    @field_validator("root")
    @classmethod
    def _local(cls, root: Path) -> Path:
        if "://" in str(root) or ":/" in str(root):
            raise ValueError("only a local path has been tested; another kind of storage is refused")
        return root

    @field_validator("spark")
    @classmethod
    def _connect_url(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith("sc://"):
            raise ValueError("a Spark Connect address begins with sc://, as in sc://host:15002")
        return url


def find_project(start: Path | None = None) -> Path:
    """The nearest folder at or above `start` that holds notebooks/ and assets/, else the one this library lies in."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "notebooks").is_dir() and (folder / "assets").is_dir():
            return folder
    return Path(__file__).resolve().parent.parent


def load(environ: dict[str, str] | None = None) -> Settings:
    """Today's settings. Raises SettingsError for an unknown key or a wrong value, naming where it stands."""
    return load_with_sources(environ)[0]


def load_with_sources(environ: dict[str, str] | None = None) -> tuple[Settings, dict[str, str]]:
    """The settings, and for each name where its value came from."""
    environ = dict(os.environ) if environ is None else environ
    project = Path(environ[f"{PREFIX}PROJECT"]).expanduser().resolve() if environ.get(f"{PREFIX}PROJECT") else find_project()
    values: dict[str, Any] = {"project": project}
    origin = dict.fromkeys(Settings.model_fields, "default")
    origin["project"] = f"{PREFIX}PROJECT" if environ.get(f"{PREFIX}PROJECT") else "found from the current folder"
    for name, value in _from_file(project / FILE).items():
        if name == "project":
            raise SettingsError(f"The file {FILE} lies in its project and cannot name another", f"Set {PREFIX}PROJECT.")
        values[name], origin[name] = value, FILE
    for name, value in _from_environment(environ).items():
        values[name], origin[name] = value, f"{PREFIX}{name.upper()}"
    _refuse_unknown(values, origin)
    try:
        settings = Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        shown = "(hidden)" if name == "webhook" else repr(first["input"])
        raise SettingsError(
            f"Setting {name} = {shown} ({origin.get(name, FILE)}): {first['msg']}",
            f"Correct it in {origin.get(name, FILE)}; `lakehouse settings` lists every setting.",
        ) from None
    paths = {"root": project / settings.root.expanduser(), "cache": project / settings.cache.expanduser()}
    return settings.model_copy(update={name: path.absolute() for name, path in paths.items()}), origin


def _from_file(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}", "Correct the file, or remove it to use the defaults.") from None


def _from_environment(environ: dict[str, str]) -> dict[str, str]:
    names = {key.removeprefix(PREFIX) for key in environ if key.startswith(PREFIX)} - RUN_VARIABLES - {"PROJECT"}
    return {name.lower(): environ[PREFIX + name] for name in names if environ[PREFIX + name] != ""}


def _refuse_unknown(values: dict[str, Any], origin: dict[str, str]) -> None:
    from difflib import get_close_matches

    for name in values:
        if name not in Settings.model_fields:
            near = get_close_matches(name, Settings.model_fields, n=2)
            raise SettingsError(
                f"Unknown setting {name!r} ({origin[name]})",
                f"Did you mean {' or '.join(near)}?" if near else "`lakehouse settings` lists every setting.",
            )
