"""A copy of an executed notebook that can be shown to anybody: no scripts, no frames, nothing fetched from elsewhere.

Dagster's page renders a notebook's HTML as it is. So the copy holds only what was proved harmless: texts, tables,
links, and images whose bytes are in the file.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lakehouse import atomic

NAME = "notebook.safe.ipynb"

_TAGS = {
    *(
        "a",
        "abbr",
        "b",
        "blockquote",
        "br",
        "caption",
        "code",
        "dd",
        "del",
        "details",
        "div",
        "dl",
        "dt",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
    ),
    *("h5", "h6", "hr", "i", "img", "kbd", "li", "ol", "p", "pre", "s", "samp", "small", "span", "strong", "sub", "summary", "sup"),
    *("table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "u", "ul", "var"),
}
_PLAIN_ATTRIBUTES = {"align", "alt", "colspan", "rowspan", "title"}
_CLASSES = {"dataframe"}
_LINK = re.compile(r"(https?://|mailto:|#)", re.IGNORECASE)
_IMAGE = re.compile(r"data:image/(png|jpeg|gif);base64,[A-Za-z0-9+/=\s]*")
# Their text is not for reading; cleaning would leave it standing there.
_UNREADABLE = re.compile(r"<(script|style|template|noscript)\b.*?(</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
# The pilcrow beside each heading, which the page hides by a class of its own.
_ANCHOR = re.compile(r'<a class="anchor-link"[^>]*>[^<]*</a>')
_IMAGE_TYPES = ("image/png", "image/jpeg")
# The richest first, of those that can be shown.
_TEXT_TYPES = ("text/html", "text/markdown", "text/latex", "text/plain")


def safe_copy(notebook: Path) -> Path:
    """Writes the copy beside `notebook` and returns its path."""
    import nbformat

    copy = notebook.with_name(NAME)
    with atomic.replacing(copy) as beside:
        nbformat.write(sanitised(nbformat.read(notebook, as_version=4)), beside)
    return copy


def sanitised(notebook: Any) -> Any:
    """A new notebook with the harmless part of `notebook`. Metadata goes too: templates put it into the page."""
    import nbformat.v4 as v4

    return v4.new_notebook(cells=[_cell(cell) for cell in notebook.cells], metadata={"language_info": {"name": "python"}})


def _cell(cell: Any) -> Any:
    import nbformat.v4 as v4

    if cell.cell_type == "code":
        outputs = [safe for output in cell.outputs if (safe := _output(output)) is not None]
        count = cell.execution_count if isinstance(cell.execution_count, int) else None
        return v4.new_code_cell(str(cell.source), outputs=outputs, execution_count=count)
    if cell.cell_type == "markdown":
        return v4.new_markdown_cell(_markdown(str(cell.source), cell.get("attachments", {})))
    return v4.new_markdown_cell(f"<pre>{_escaped(str(cell.source))}</pre>")


def _output(output: Any) -> Any:
    import nbformat.v4 as v4

    kind = output.output_type
    if kind == "stream":
        return v4.new_output("stream", name="stderr" if output.name == "stderr" else "stdout", text=str(output.text))
    if kind == "error":
        trace = [str(line) for line in output.traceback]
        return v4.new_output("error", ename=str(output.ename), evalue=str(output.evalue), traceback=trace)
    data = _data(output.get("data", {}))
    return v4.new_output("display_data", data=data) if data else None


def _data(bundle: Mapping[str, Any]) -> dict[str, str]:
    """The best of what an output offers that can be shown safely: its image, else its text."""
    for kind in _IMAGE_TYPES:
        if image := _image(bundle.get(kind)):
            return {kind: image}
    for kind in _TEXT_TYPES:
        if kind not in bundle:
            continue
        text = "".join(bundle[kind]) if isinstance(bundle[kind], list) else str(bundle[kind])
        if kind == "text/html":
            return {kind: _clean(text)}
        if kind == "text/markdown":
            return {"text/html": _rendered(text)}
        return {"text/plain": text}
    hidden = ", ".join(sorted(bundle))
    return {"text/plain": f"[not shown here: {hidden}]"} if hidden else {}


def _image(encoded: object) -> str | None:
    """The image's bytes encoded anew, so that nothing but base64 reaches the page."""
    try:
        return base64.b64encode(base64.b64decode("".join(str(encoded).split()), validate=True)).decode() if encoded else None
    except (binascii.Error, ValueError):
        return None


def _markdown(source: str, attachments: Mapping[str, Any]) -> str:
    for name, bundle in attachments.items():
        kind, image = next(((kind, image) for kind in _IMAGE_TYPES if (image := _image(bundle.get(kind)))), ("", None))
        source = source.replace(f"attachment:{name}", f"data:{kind};base64,{image}" if image else "#")
    return _rendered(source)


def _rendered(markdown: str) -> str:
    """HTML of `markdown`, cleaned, in a form that passes a Markdown renderer unchanged: one block without line ends."""
    from nbconvert.filters.markdown import markdown2html

    return f"<div>{_clean(_ANCHOR.sub('', markdown2html(markdown))).strip()}</div>".replace("\r", "").replace("\n", "&#10;")


def _clean(html: str) -> str:
    import bleach

    return bleach.clean(
        _UNREADABLE.sub("", html),
        tags=_TAGS,
        attributes=_attribute,
        protocols={"http", "https", "mailto", "data"},
        strip=True,
        strip_comments=True,
    )


def _attribute(tag: str, name: str, value: str) -> bool:
    if name == "href":
        return tag == "a" and _LINK.match(value.strip()) is not None
    if name == "src":
        return tag == "img" and _IMAGE.fullmatch(value.strip()) is not None
    if name == "class":
        return value in _CLASSES
    if name in ("width", "height"):
        return tag == "img" and value.isdigit()
    return name in _PLAIN_ATTRIBUTES


def _escaped(text: str) -> str:
    import html

    return html.escape(text).replace("\r", "").replace("\n", "&#10;")
