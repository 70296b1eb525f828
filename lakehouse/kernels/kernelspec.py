"""The one kernelspec, for papermill and JupyterLab alike."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lakehouse import atomic

KERNELSPEC = "lakehouse"
PROVISIONER = "lakehouse-warm"


def command_of(folder: Path) -> list[str] | None:
    """The command line that the kernelspec in `folder` starts; None where there is none that can be read."""
    try:
        argv = json.loads((folder / "kernel.json").read_text())["argv"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return [str(word) for word in argv] if isinstance(argv, list) and argv else None


def install_kernelspec(prefix: Path, python: Path | None = None) -> Path:
    """Writes the kernelspec below the environment `prefix` and returns its folder. Writing it again changes nothing."""
    python = python or prefix / "bin" / Path(sys.executable).name
    folder = prefix / "share" / "jupyter" / "kernels" / KERNELSPEC
    folder.mkdir(parents=True, exist_ok=True)
    spec = {
        "argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Lakehouse",
        "language": "python",
        "interrupt_mode": "signal",
        "metadata": {"debugger": True, "kernel_provisioner": {"provisioner_name": PROVISIONER}},
    }
    with atomic.replacing(folder / "kernel.json") as beside:
        beside.write_text(json.dumps(spec, indent=1) + "\n")
    return folder
