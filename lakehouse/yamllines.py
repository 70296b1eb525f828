"""A YAML file's content, and the line on which each of its keys stands, so that a mistake can be told with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from lakehouse.errors import ContractError

Place = tuple[str, ...]
"""Where a value stands in the file: its keys from the top, items of a list by number."""

_DEEPEST = 20


def read(path: Path) -> tuple[Any, dict[Place, int]]:
    """The content of the file at `path` and the lines of its keys, see `parse`."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ContractError(f"this is not valid YAML: {error}", "Save it as UTF-8.") from None
    except OSError as error:
        raise ContractError(f"it cannot be read: {error.strerror}", "Check the path and its permissions.") from None


def parse(text: str) -> tuple[Any, dict[Place, int]]:
    """The mapping that `text` holds, and the line on which each key stands.

    Raises ContractError for all that is no mapping; its words begin with the line where there is one.
    """
    lines: dict[Place, int] = {}
    try:
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
        _note_lines(node, (), lines)
        data = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ContractError(f"line {line}: this is not valid YAML: {error.problem}", "Correct it there.") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ContractError(f"this is not valid YAML: {error}", "Save it as UTF-8.") from None
    if not isinstance(data, dict):
        raise ContractError("a contract is a mapping of keys to values", "Begin with table: layer.name.")
    return data, lines


def line_of(at: Place, lines: dict[Place, int]) -> int:
    """The line of the innermost key of `at` that stands in the file."""
    return next((lines[at[:end]] for end in range(len(at), 0, -1) if at[:end] in lines), 1)


def _note_lines(node: Any, at: Place, lines: dict[Place, int]) -> None:
    """Fills `lines`; refuses a key that stands twice, of which YAML would silently drop one."""
    if len(at) > _DEEPEST:
        raise ContractError(f"line {lines[at]}: this is nested too deeply", "An alias may not contain itself.")
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            here, line = (*at, str(key.value)), key.start_mark.line + 1
            if here in seen:
                raise ContractError(f"line {line}: {'.'.join(here)} stands here twice", "Remove one.")
            seen.add(here)
            lines[here] = line
            _note_lines(value, here, lines)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            lines[(*at, str(number))] = value.start_mark.line + 1
            _note_lines(value, (*at, str(number)), lines)
