from __future__ import annotations

import base64
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import nbformat.v4 as v4
import pytest
from nbconvert import HTMLExporter

from lakehouse.orchestration.safe_notebook import safe_copy

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
EVIL = "<script>alert('evil')</script>"


def page(folder: Path, *cells: Any, **metadata: Any) -> str:
    """The body of what Dagster's notebook page would show of the safe copy."""
    path = folder / "notebook.ipynb"
    nbformat.write(v4.new_notebook(cells=list(cells), metadata=metadata), path)
    copy = safe_copy(path)
    assert copy.name == "notebook.safe.ipynb"
    html, _ = HTMLExporter().from_notebook_node(nbformat.read(copy, as_version=4))
    head, _, body = html.partition("<main>")
    assert "evil" not in head
    return body


def shown(**data: str) -> Any:
    return v4.new_output("display_data", data={name.replace("__", "/"): value for name, value in data.items()})


HOSTILE = {
    "a script in prose": v4.new_markdown_cell(f"text {EVIL}"),
    "a handler in prose": v4.new_markdown_cell("<img src=x onerror=alert('evil')>"),
    "a script's link in prose": v4.new_markdown_cell("[x](javascript:alert('evil')) <a href=' jAvascript:evil'>y</a>"),
    "a frame": v4.new_markdown_cell("<iframe src='https://evil.example'></iframe><object data=evil></object>"),
    "a drawing": v4.new_markdown_cell("<svg onload=alert('evil')><style>@import evil</style></svg>"),
    "a raw cell": v4.new_raw_cell(EVIL, metadata={"raw_mimetype": "text/html"}),
    "HTML output": v4.new_code_cell("1", outputs=[shown(text__html=f"<b onclick=evil>b</b>{EVIL}<form action=//evil>")]),
    "a data link": v4.new_code_cell("1", outputs=[shown(text__html="<a href='data:text/html,evil'>x</a><base href=//evil>")]),
    "a picture from elsewhere": v4.new_code_cell("1", outputs=[shown(text__html="<img src='https://evil.example/t.png'>")]),
    "a style": v4.new_code_cell("1", outputs=[shown(text__html="<p style='background:url(//evil)'>p</p><style>evil{}</style>")]),
    "JavaScript output": v4.new_code_cell("1", outputs=[shown(application__javascript="alert('evil')")]),
    "Markdown output": v4.new_code_cell("1", outputs=[shown(text__markdown=f"**b** {EVIL} [x](javascript:evil)")]),
    "an SVG picture": v4.new_code_cell("1", outputs=[v4.new_output("display_data", data={"image/svg+xml": f"<svg>{EVIL}</svg>"})]),
    "a picture that is none": v4.new_code_cell("1", outputs=[shown(image__png=f'x">{EVIL}', text__plain="plain")]),
    "a widget": v4.new_code_cell(
        "1", outputs=[v4.new_output("display_data", data={"application/vnd.jupyter.widget-view+json": {"model_id": "evil"}})]
    ),
}


class Active(HTMLParser):
    """Collects whatever in a page could do or fetch something."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "iframe", "object", "embed", "form", "input", "base", "meta", "link", "style", "svg"):
            self.found.append(tag)
        for name, value in attributes:
            text = (value or "").strip().lower()
            harmless = {"href": text.startswith(("#", "http", "mailto:")), "src": text.startswith("data:image/")}
            if name.startswith("on") or name == "style" or not harmless.get(name, True):
                self.found.append(f"{tag} {name}={value}")


@pytest.mark.parametrize("cell", HOSTILE.values(), ids=HOSTILE.keys())
def test_nothing_hostile_reaches_the_page(tmp_path: Path, cell: Any) -> None:
    body = Active()
    body.feed(page(tmp_path, cell))
    assert body.found == []


def test_metadata_and_texts_cannot_break_out(tmp_path: Path) -> None:
    streams = [
        v4.new_output("stream", name="stdout", text=EVIL),
        v4.new_output("error", ename=EVIL, evalue=EVIL, traceback=[EVIL]),
        v4.new_output("display_data", data={"image/png": PNG}, metadata={"image/png": {"width": f'1">{EVIL}'}}),
    ]
    cell = v4.new_code_cell(f"print({EVIL!r})", outputs=streams, metadata={"tags": [f'">{EVIL}']})
    body = page(
        tmp_path, cell, title=f"</title>{EVIL}", language_info={"name": "python"}, kernelspec={"display_name": EVIL, "name": "x"}
    )
    assert "<script" not in body


def test_what_helps_a_reader_stays(tmp_path: Path) -> None:
    table = "<table border='1' class='dataframe'><tr><th>hour</th></tr><tr><td>17</td></tr></table>"
    body = page(
        tmp_path,
        v4.new_markdown_cell("# Title\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\nx < y\n\nz\n```\n\n[docs](https://example.com)"),
        v4.new_code_cell("show()", execution_count=3, outputs=[shown(text__html=table), shown(image__png=PNG)]),
    )
    for part in ("<h1>Title", "<td>1</td>", "x &lt; y", 'href="https://example.com"', 'class="dataframe"', "<td>17</td>", "[3]"):
        assert part in body
    assert f"data:image/png;base64,{base64.b64encode(base64.b64decode(PNG)).decode()}" in body


def test_an_attached_picture_is_shown(tmp_path: Path) -> None:
    cell = v4.new_markdown_cell("![plot](attachment:plot.png)", attachments={"plot.png": {"image/png": PNG}})
    assert "data:image/png;base64," in page(tmp_path, cell)
