"""``recipe.py``: the whole recipe of a training as one file, with its bases and what the command line changed."""

from __future__ import annotations

import ast
import pprint
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tipr_zoo.machine.whole_file import write_whole
from tipr_zoo.terminal.log import logger

RECIPE = "recipe.py"

_HEAD = '"""The recipe of a training of {name}, as it was resolved: `tipr-zoo train {name} --recipe {file}`."""\n'

_WIDTH = 119

_LEFT_OUT = object()


def write_recipe(work_dir: Path, name: str, recipe: Mapping[str, Any]) -> None:
    """Write a recipe so that it can be trained by again. A value that Python has no word for is told and left out.

    Args:
        work_dir: Where it goes.
        name: The model's name.
        recipe: The recipe, as it is trained by.

    Raises:
        WriteError: It cannot be written.
    """
    parts = [_HEAD.format(name=name, file=RECIPE)]
    for entry, value in _plain(recipe, "").items():
        text = pprint.pformat(value, width=_WIDTH - len(entry) - 3, sort_dicts=False)
        indent = "\n" + " " * (len(entry) + 3)
        parts.append(f"{entry} = {text.replace(chr(10), indent)}\n")
    write_whole(work_dir / RECIPE, "\n".join(parts).encode())


def _plain(value: Any, place: str) -> Any:
    """Return a value of plain dicts, lists and literals; `_LEFT_OUT` for one that is something else."""
    if isinstance(value, Mapping):
        found = {key: _plain(each, f"{place}.{key}".strip(".")) for key, each in value.items()}
        return {key: each for key, each in found.items() if each is not _LEFT_OUT}
    if isinstance(value, (list, tuple)):
        parts = [_plain(each, f"{place}[{number}]") for number, each in enumerate(value)]
        return _LEFT_OUT if any(each is _LEFT_OUT for each in parts) else type(value)(parts)
    try:
        if ast.literal_eval(repr(value)) == value:
            return value
    except (ValueError, SyntaxError):
        pass
    logger.warning("%s leaves out %s, which is %r: no file can say it", RECIPE, place, value)
    return _LEFT_OUT
