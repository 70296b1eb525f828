from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from lakehouse.cells import parse_python, read, title_and_description
from lakehouse.errors import NotebookError
from tests.notebooks import code, document, markdown


@pytest.mark.parametrize(
    ("source", "magics"),
    [
        pytest.param("%matplotlib inline\nx = 1", ["%matplotlib inline"], id="line magic"),
        pytest.param("!ls 'it''s\nx = 1", ["!ls 'it''s"], id="shell line with a quote"),
        pytest.param("files = !ls\nx = 1", ["files = !ls"], id="assigned shell line"),
        pytest.param("t = %timeit -o 1\nx = 1", ["t = %timeit -o 1"], id="assigned magic"),
        pytest.param("df?\nx = 1", ["df?"], id="help"),
        pytest.param("?df\nx = 1", ["?df"], id="help in front"),
        pytest.param("if True:\n    %time f()\nx = 1", ["%time f()"], id="in a block"),
        pytest.param("%%time\nx = 1", ["%%time"], id="cell magic over Python"),
        pytest.param('q = """\n% of all\n!important\n"""\nx = 1', [], id="in a string"),
        pytest.param("y = (5\n  % 3)\nx = 1", [], id="in an expression"),
        pytest.param('%time f()\nq = """\n% of all\n"""\nx = 1', ["%time f()"], id="both"),
    ],
)
def test_magics_are_left_out_and_lines_keep_their_numbers(source: str, magics: list[str]) -> None:
    tree, found = parse_python(source)
    assert list(found) == magics
    last = tree.body[-1]
    assert ast.unparse(last) == "x = 1"
    assert last.lineno == source.count("\n") + 1


def test_another_language_is_no_code_of_ours() -> None:
    tree, magics = parse_python("%%bash\nif true; then ls; fi")
    assert tree.body == []
    assert len(magics) == 2


def test_a_cell_may_await() -> None:
    assert parse_python("await f()")[0].body


@pytest.mark.parametrize("source", ["x = (", "%x\ny = (", "a b", "x = '\x00'", "(" * 500])
def test_wrong_code_is_a_syntax_error(source: str) -> None:
    with pytest.raises(SyntaxError):
        parse_python(source)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"{", "is not JSON", id="not JSON"),
        pytest.param(b"\xff\xfe", "is not JSON", id="not text"),
        pytest.param(b"[" * 100_000, "is not JSON", id="too deep"),
        pytest.param(b"[]", "is JSON but not a notebook", id="a list"),
        pytest.param(b'{"a": 1}', "is JSON but not a notebook", id="something else"),
        pytest.param(b'{"nbformat": 3, "worksheets": []}', "is of notebook format 3", id="format 3"),
        pytest.param(b'{"nbformat": 4, "cells": [1]}', "is JSON but not a notebook", id="cells of another kind"),
    ],
)
def test_a_file_that_is_no_notebook_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.ipynb"
    path.write_bytes(content)
    with pytest.raises(NotebookError, match=message):
        read(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match="There is no notebook"):
        read(tmp_path / "x.ipynb")


def test_cells_are_read_as_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "x.ipynb"
    made = document(markdown("# T"), code("x = 1\ny = 2", "parameters"))
    made["cells"][1]["source"] = ["x = 1\n", "y = 2"]
    made["cells"][1]["execution_count"] = 3
    path.write_text(json.dumps(made))
    found = read(path)
    assert found.kernelspec == "lakehouse"
    assert [cell.number for cell in found.code] == [2]
    assert found.code[0].source == "x = 1\ny = 2"
    assert found.code[0].tags == ("parameters",)
    assert found.code[0].ran


@pytest.mark.parametrize(
    ("text", "title", "description"),
    [
        pytest.param("# Late flights\n\nHow many?\n\nAnd why?\n\n## Data\nx", "Late flights", "How many?\n\nAnd why?", id="all"),
        pytest.param("# Late flights #", "Late flights", "", id="title only"),
        pytest.param("## Data\nx", "", "", id="no first heading"),
        pytest.param("Hello\n# Late", "Late", "", id="text before it"),
        pytest.param("#hashtag", "", "", id="no heading"),
    ],
)
def test_title_and_description(tmp_path: Path, text: str, title: str, description: str) -> None:
    path = tmp_path / "x.ipynb"
    path.write_text(json.dumps(document(markdown(text))))
    assert title_and_description(read(path)) == (title, description)
