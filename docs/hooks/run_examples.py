"""Running the examples of every command, and writing their outputs as JSON.

Everything runs in a new folder and in one process, which imports torch once. `command_pages` starts it as a separate
process, since the commands change the working directory and the environment.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import platform
import re
import shlex
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from command_examples import EXAMPLES, Example

ROOT = Path(__file__).parents[2]
NEUTRAL = {
    sys.prefix: "/home/me/venv",
    str(ROOT): "/home/me/tipr-zoo",
    str(Path.home()): "/home/me",
    platform.platform(): f"{platform.system()}-{platform.machine()}",
}
"""Replacements for the paths and the kernel of the machine that builds the site."""


def main() -> None:
    """Run in the folder of the first argument, and write to the file of the second."""
    folder, result = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    os.chdir(folder)
    os.environ |= {"TIPR_ZOO_HOME": str(folder / ".cache" / "tipr-zoo"), "COLUMNS": "100", "HF_HUB_OFFLINE": "1"}
    write_official_checkpoint(folder / "best.pth")
    write_mistaken_card(folder / "draft" / "irra_vitb16_cuhk.md")
    helps = {command: run(f"tipr-zoo {command} --help")[1] for command in EXAMPLES}
    outputs = [run_example(example, folder) for examples in EXAMPLES.values() for example in examples]
    result.write_text(json.dumps({"helps": helps, "outputs": outputs}))


def run_example(example: Example, folder: Path) -> dict[str, Any]:
    """Run one example. It must end with its exit code."""
    print(f"  {example.line}", file=sys.stderr, flush=True)
    line, _, file = example.line.partition(" > ")
    code, output = run(line)
    if code != example.exit_code:
        sys.exit(f"`{example.line}` ended with {code} instead of {example.exit_code}:\n{output}")
    if file:
        (folder / file).write_text(output)
        output = ""
    if missing := [name for name in example.files if not (folder / name).is_file()]:
        sys.exit(f"`{example.line}` wrote no {missing[0]}:\n{output}")
    return {"line": example.line, "output": neutral(output, folder)}


def run(line: str) -> tuple[int, str]:
    """Run a command line of tipr-zoo. Return its exit code, and what a terminal shows at the end."""
    from tipr_zoo.command_line import main as tipr_zoo

    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        try:
            code = tipr_zoo(shlex.split(line)[1:])
        except SystemExit as ending:  # --help ends in this way
            code = int(ending.code or 0)
    return code, without_progress(shown.getvalue())


def without_progress(text: str) -> str:
    """Return the text without progress bars, which a terminal overwrites."""
    lines = [line.rpartition("\r")[2].rstrip() for line in text.split("\n")]
    return "\n".join(line for line in lines if not re.search(r"\d+%\|", line)).strip("\n")


def neutral(text: str, folder: Path) -> str:
    """Return the text with neutral paths in place of this machine's."""
    for path, replacement in {str(folder): "/home/me/work", **NEUTRAL}.items():
        text = text.replace(path, replacement)
    return text


def write_official_checkpoint(path: Path) -> None:
    """Write a small checkpoint with the names of IRRA's official code, as in the parity tests."""
    import torch

    inputs = _module(ROOT / "tests" / "parity" / "files" / "parity_inputs.py")
    small = ("embed_dim", "vision_width", "text_width")
    sizes = {**inputs.CONFIGS["tiny"], **dict.fromkeys(small, 64)}
    weights = inputs.state_dict(inputs.model_shapes("irra", sizes), 0)
    torch.save({"model": {name: torch.from_numpy(weight) for name, weight in weights.items()}}, path)


def write_mistaken_card(path: Path) -> None:
    """Write a card of the zoo with a misspelt field."""
    path.parent.mkdir()
    card = (ROOT / "model_cards" / path.name).read_text()
    path.write_text(card.replace("license:", "licence:", 1))


def _module(path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
