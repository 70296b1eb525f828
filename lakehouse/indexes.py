"""Where packages come from: what pip is configured with, given to pip and to uv alike.

Only what concerns the network is passed on. Everything else that a machine's pip may be told (install for the user,
into a target, with constraints, only in a virtual environment) would spoil an environment of our own.
"""

from __future__ import annotations

import ast
import os
import ssl
import subprocess
from collections.abc import Mapping
from pathlib import Path

PIP_KEPT = (
    "index-url",
    "extra-index-url",
    "find-links",
    "no-index",
    "cert",
    "client-cert",
    "trusted-host",
    "proxy",
    "timeout",
    "retries",
    "keyring-provider",
    "cache-dir",
)
UV_KEPT = (
    "UV_CACHE_DIR",
    "UV_CONCURRENT_BUILDS",
    "UV_CONCURRENT_DOWNLOADS",
    "UV_CONCURRENT_INSTALLS",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_HTTP_TIMEOUT",
    "UV_INDEX",
    "UV_INDEX_STRATEGY",
    "UV_INDEX_URL",
    "UV_INSECURE_HOST",
    "UV_KEYRING_PROVIDER",
    "UV_LINK_MODE",
    "UV_OFFLINE",
    "UV_SYSTEM_CERTS",
)
PYTHON_DROPPED = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONUSERBASE", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")


def for_python(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` without what would lead a Python of ours to other modules than its own."""
    return {name: value for name, value in environ.items() if name not in PYTHON_DROPPED}


def for_tools(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` without what would lead our Python, pip or uv elsewhere."""
    return {
        name: value
        for name, value in for_python(environ).items()
        if not name.startswith("PIP_")
        and (not name.startswith("UV_") or name in UV_KEPT)
        and name != "PYTHONDONTWRITEBYTECODE"  # compiled once, at set-up, or by every process anew
    }


def pip_settings(python: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What the pip of `python` is configured with, by files and variables, as far as `PIP_KEPT` goes.

    Empty if that Python has no pip: then there is nothing configured for it either, but for the variables.
    """
    # `pip config` itself takes "user = true" (meant for installing) as "look into the user's file only".
    variables = for_python(environ) | {"PIP_USER": "0", "PIP_GLOBAL": "0", "PIP_SITE": "0"}
    command = [python, "-m", "pip", "config", "list"]
    asked = subprocess.run(command, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    settings: dict[str, str] = {}
    # pip's own order: a variable beats a command's section, that beats the global one.
    for scope in ("global", "install", ":env:"):
        for line in asked.stdout.splitlines():
            key, _, value = line.partition("=")
            where, _, name = key.rpartition(".")
            name = "timeout" if name == "default-timeout" else name
            if where == scope and name in PIP_KEPT:
                settings[name] = str(ast.literal_eval(value))
    return settings


def trusted_certificates() -> str | None:
    """The machine's own certificates, where it has some: a file, or a folder of them."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        return paths.cafile
    if paths.capath and any(Path(paths.capath).iterdir()):
        return paths.capath
    return None


def for_pip(settings: Mapping[str, str]) -> dict[str, str]:
    """Variables that make pip use exactly `settings`, and no configuration file."""
    variables = {"PIP_" + name.upper().replace("-", "_"): value for name, value in settings.items()}
    certificates = trusted_certificates()
    if certificates:
        variables.setdefault("PIP_CERT", certificates)  # an older pip trusts only the list it brings itself
    return variables | {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


def for_uv(settings: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """The same settings as uv's variables (variables also keep passwords off the process list).

    A variable of uv's own that the user has set wins. Several indexes are all asked, as pip does: with hashed pins
    none of them can smuggle a package in.
    """
    variables = {"UV_SYSTEM_CERTS": "1", "UV_NO_CONFIG": "1", "UV_NO_PROGRESS": "1"}
    plain = {"index-url": "UV_DEFAULT_INDEX", "client-cert": "SSL_CLIENT_CERT", "timeout": "UV_HTTP_TIMEOUT"}
    variables |= {ours: settings[name] for name, ours in plain.items() if name in settings}
    if "extra-index-url" in settings:
        variables |= {
            "UV_INDEX": " ".join(settings["extra-index-url"].split()),
            "UV_INDEX_STRATEGY": "unsafe-best-match",
        }
    if "find-links" in settings:
        variables["UV_FIND_LINKS"] = ",".join(filter(_can_be_read, settings["find-links"].split()))
    if "trusted-host" in settings:
        variables["UV_INSECURE_HOST"] = " ".join(settings["trusted-host"].split())
    if "cert" in settings:
        variables["SSL_CERT_DIR" if os.path.isdir(settings["cert"]) else "SSL_CERT_FILE"] = settings["cert"]
    if "proxy" in settings:
        variables |= {"HTTP_PROXY": settings["proxy"], "HTTPS_PROXY": settings["proxy"]}
    if settings.get("keyring-provider", "disabled") != "disabled":
        variables["UV_KEYRING_PROVIDER"] = "subprocess"
    return {name: value for name, value in variables.items() if not (name in UV_KEPT and name in environ)}


def uv_options(settings: Mapping[str, str]) -> list[str]:
    """What uv knows no variable for."""
    return ["--no-index"] if settings.get("no-index", "").lower() in ("1", "true", "yes", "on") else []


def _can_be_read(place: str) -> bool:
    # pip passes over a folder that isn't there, uv stops
    return "://" in place or os.path.exists(place)
