"""Takes the README's pictures from the running pages: `lakehouse up`, then `.venv/bin/python tests/screenshots.py`.

Drives a headless Chromium (Debian's package `chromium`) by its DevTools protocol. Starts a JupyterLab of its own.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import websocket

from lakehouse import runner, settings
from lakehouse.names import LAYERS, TableName

PICTURES = Path(__file__).resolve().parent.parent / ".pictures"
_PORT = 9333
_LAB_PORT = 8899
_SECONDS = 90


class Page:
    """One browser tab."""

    def __init__(self, url: str) -> None:
        self._socket = websocket.create_connection(url, timeout=_SECONDS, suppress_origin=True)
        self._ids = itertools.count(1)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == number:
                return answer.get("result", {})

    def value(self, script: str) -> Any:
        found = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        return found.get("result", {}).get("value")

    def open(self, url: str, until: str, settle: float = 2.0) -> None:
        """Goes to `url`, and waits until the script `until` is true and the page has had time to settle."""
        self.ask("Page.navigate", url=url)
        deadline = time.monotonic() + _SECONDS
        while not self.value(until):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url} never showed: {until}")
            time.sleep(0.5)
        time.sleep(settle)

    def shoot(self, name: str) -> None:
        picture = self.ask("Page.captureScreenshot", format="png")["data"]
        PICTURES.mkdir(exist_ok=True)
        (PICTURES / name).write_bytes(base64.b64decode(picture))
        print(f"{PICTURES / name}")


@contextmanager
def browser(width: int = 1500, height: int = 900) -> Iterator[Page]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        chromium = subprocess.Popen(
            [
                "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
                f"--remote-debugging-port={_PORT}", f"--user-data-dir={profile}", f"--window-size={width},{height}",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            page = Page(_first_tab())
            page.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
            yield page
        finally:
            chromium.terminate()
            chromium.wait(timeout=10)


def _first_tab() -> str:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{_PORT}/json", timeout=2) as answer:
                return next(tab["webSocketDebuggerUrl"] for tab in json.load(answer) if tab["type"] == "page")
        except (OSError, StopIteration):
            time.sleep(0.3)
    raise TimeoutError("Chromium did not start; is the package `chromium` installed?")


@contextmanager
def jupyterlab() -> Iterator[str]:
    """A JupyterLab with a token of its own; yields the address of the tour."""
    token = base64.b16encode(os.urandom(16)).decode()
    environ = {**os.environ, "LAKEHOUSE_LAB_PORT": str(_LAB_PORT), "JUPYTER_TOKEN": token}
    command = [str(Path(sys.prefix) / "bin" / "lakehouse"), "lab", "--no-browser", "--expose-app-in-browser"]
    lab = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://localhost:{_LAB_PORT}/lab/tree/explore/tour.ipynb?token={token}&reset"
    finally:
        lab.terminate()
        lab.wait(timeout=30)


def has_text(text: str) -> str:
    return f"!!document.body && document.body.innerText.includes({json.dumps(text)})"


def year() -> None:
    """The year that notebooks/explore/promotions.ipynb draws, after `lakehouse models retrain flight_delay`."""
    done = runner.run(TableName("explore", "promotions"), {}, settings.load())
    cells = json.loads(Path(done.notebook or "").read_text())["cells"]
    drawn = [
        output["data"]["image/png"] for cell in cells for output in cell.get("outputs", ()) if "image/png" in output.get("data", ())
    ]
    (PICTURES / "retraining.png").write_bytes(base64.b64decode(drawn[0]))
    print(f"{PICTURES / 'retraining.png'}")


def main() -> None:
    year()
    dagster = f"http://localhost:{settings.load().dagster_port}"
    with browser(2000, 2450) as page:
        layers = ",".join(f"global@global:{layer}" for layer in LAYERS if layer != "monitoring")
        page.open(f"{dagster}/asset-groups?expanded={layers}", has_text("route_performance"), 6)
        page.shoot("dagster-lineage.png")
    with browser() as page:
        page.open(f"{dagster}/assets/silver/flights?view=overview", has_text("Column name"), 4)
        page.shoot("dagster-table.png")
        with jupyterlab() as tour:
            wait_for_lab()
            page.open(tour, "document.querySelectorAll('.jp-Notebook-cell').length > 3", 4)
            page.value(_RUN_ALL)
            time.sleep(45)
            page.value(_SHOW_PLOT)
            time.sleep(3)
            page.shoot("jupyterlab.png")


_RUN_ALL = """
(async () => {
  const app = window.jupyterapp;
  if (app) { await app.commands.execute('notebook:run-all-cells'); return 'run'; }
  return 'no app';
})()
"""


_SHOW_PLOT = """
(async () => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  notebook.activeCellIndex = 7;
  await notebook.scrollToItem(7, 'start');
})()
"""


def wait_for_lab() -> None:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{_LAB_PORT}/login", timeout=2):
                return
        except OSError:
            time.sleep(0.5)
    raise TimeoutError("JupyterLab did not start")


if __name__ == "__main__":
    main()
