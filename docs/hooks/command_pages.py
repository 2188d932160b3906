"""A page for every command, with its help and real examples. Other pages can show outputs, too.

In a page, ``<!-- commands -->`` becomes a table of the commands. ``<!-- output: tipr-zoo list -->`` becomes the output
of that example of `command_examples`, as text. ``<!-- printed: ... -->`` inserts the output as Markdown.
``<!-- file: hits.jpg -->`` shows a file that an example wrote. A reader of the repository does not see these comments.
"""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from command_examples import EXAMPLES, Example
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.utils import log

from tipr_zoo.command_line import COMMANDS, command_module

NAV_ENTRY = "Commands"

_MARKER = re.compile(r"^<!-- (commands|output|printed|file)(?:: (.+?))? -->$", re.MULTILINE)


@dataclass(frozen=True)
class Runs:
    """The outputs of the commands.

    Attributes:
        helps: The output of ``--help``, by command.
        outputs: The output of each example, by its command line.
        files: The content of the files that examples wrote, by name.
    """

    helps: dict[str, str]
    outputs: dict[str, str]
    files: dict[str, bytes]


@cache
def runs() -> Runs:
    """Run every example, once in a run of MkDocs.

    Raises:
        PluginError: A command has no example, an example has no command, or an example does not end as it should.
    """
    if wrong := sorted(set(COMMANDS) ^ set(EXAMPLES)):
        raise PluginError(f"docs/hooks/command_examples.py and COMMANDS differ in: {', '.join(wrong)}")
    log.info("Running the examples of every command; this takes a minute or two")
    script = Path(__file__).parent / "run_examples.py"
    with tempfile.TemporaryDirectory() as temporary:
        folder, result = Path(temporary, "work"), Path(temporary, "outputs.json")
        folder.mkdir()
        environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
        ended = subprocess.run([sys.executable, str(script), str(folder), str(result)], env=environment)
        if ended.returncode:
            raise PluginError("an example of a command does not end as docs/hooks/command_examples.py says; see above")
        found = json.loads(result.read_text())
        names = [name for examples in EXAMPLES.values() for example in examples for name in example.files]
        return Runs(
            helps=found["helps"],
            outputs={run["line"]: run["output"] for run in found["outputs"]},
            files={name: (folder / name).read_bytes() for name in names},
        )


def on_config(config: Any, **_: Any) -> Any:
    """Put the pages of the commands into the navigation, below that of all commands. MkDocs calls this first."""
    for entry in config.nav:
        if NAV_ENTRY in entry:
            entry[NAV_ENTRY] = [entry[NAV_ENTRY], *({command: page_name(command)} for command in COMMANDS)]
    return config


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """Add the pages that are made here. MkDocs calls this with the files of the documentation."""
    for command, examples in EXAMPLES.items():
        files.append(File.generated(config, page_name(command), content=command_page(command, examples)))
    for name, content in runs().files.items():
        files.append(File.generated(config, f"commands/{name}", content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Replace the comments that stand for outputs. MkDocs calls this with the text of every page."""

    def replacement(marker: re.Match[str]) -> str:
        kind, line = marker[1], marker[2]
        if kind == "commands":
            return command_table()
        if kind == "file":
            return file_link(line, "commands/")
        if line not in runs().outputs:
            raise PluginError(f"{page.file.src_uri}: `{line}` is no example of docs/hooks/command_examples.py")
        return runs().outputs[line] if kind == "printed" else output_block(runs().outputs[line])

    return _MARKER.sub(replacement, markdown)


def page_name(command: str) -> str:
    """Return the page of a command: ``"data check"`` -> ``"commands/data-check.md"``."""
    return f"commands/{command.replace(' ', '-')}.md"


def command_table() -> str:
    """Return a table of every command with its line of help."""
    rows = [f"| [`{name}`]({page_name(name)}) | {html.escape(command_module(name).HELP)} |" for name in COMMANDS]
    return "\n".join(["| command | what it does |", "| --- | --- |", *rows])


def command_page(command: str, examples: tuple[Example, ...]) -> str:
    """Return Markdown with the help of a command and its examples."""
    parts = [f"# tipr-zoo {command}", f"{_sentence(command_module(command).HELP)}"]
    for example in examples:
        if example.is_on_page:
            parts += [
                example.about,
                f"```{{.text .command}}\n{example.line}\n```",
                output_block(runs().outputs[example.line]),
            ]
            parts += [file_link(name) for name in example.files]
    parts += ["## Options", f"```text\n{runs().helps[command]}\n```"]
    return "\n\n".join(part for part in parts if part) + "\n"


def file_link(name: str, folder: str = "") -> str:
    """Return a picture that an example drew, or a link to a page that it wrote."""
    if name not in runs().files:
        raise PluginError(f"no example of docs/hooks/command_examples.py writes {name}")
    is_picture = name.endswith((".jpg", ".png"))
    return f"![{name}, as it was drawn]({folder}{name})" if is_picture else f"[{name}]({folder}{name})"


def output_block(output: str) -> str:
    """Return a command's output as a fenced block. Its fence is longer than any inside. Empty without an output."""
    if not output:
        return ""
    fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", output)), default=0))
    return f"{fence}{{.text .output}}\n{output}\n{fence}"


def _sentence(text: str) -> str:
    return html.escape(text[0].upper() + text[1:]) + "."
