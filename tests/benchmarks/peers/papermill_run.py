"""Stock papermill, in its own environment: one notebook after another, each in an ordinary kernel.

python papermill_run.py <job>
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import papermill


def main(job: dict) -> None:
    for notebook in job["notebooks"]:
        papermill.execute_notebook(
            notebook["path"],
            str(Path(job["folder"]) / f"{notebook['name'].replace('/', '.')}.ipynb"),
            parameters={"months": notebook["months"]} if notebook["months"] else {},
            kernel_name="python3",
            cwd=job["folder"],
            progress_bar=False,
        )


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
