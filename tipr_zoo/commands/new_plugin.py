"""``tipr-zoo new-plugin``: write the start of your own plugin."""

from __future__ import annotations

import argparse
from pathlib import Path

from tipr_zoo.authoring.new_plugin import PluginNames, write_plugin
from tipr_zoo.display.tables import to_json
from tipr_zoo.machine.whole_path import whole_path
from tipr_zoo.terminal.streams import write_document
from tipr_zoo.terminal.suggested_command import quoted

NAME = "new-plugin"
HELP = "write a plugin to start from: a loss, a recipe, a card and tests, which work as written"
EXAMPLE = """
tipr-zoo new-plugin hard-pairs
tipr-zoo new-plugin hard-pairs --dir ~/plugins
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("name", metavar="NAME", help="e.g. hard-pairs; the package becomes tipr-zoo-hard-pairs")
    parser.add_argument(
        "--dir", type=Path, default=Path(), metavar="DIR", help="folder to write the package's folder into (default: .)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> None:
    """Write the package, then say what it has and what to type next."""
    folder = write_plugin(arguments.name, whole_path(arguments.dir))
    names = PluginNames.of(arguments.name)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    # pip would take a path that begins with a hyphen for an option, and a bare name for a distribution of its index.
    install = f"pip install -e {quoted(str(folder) if folder.is_absolute() else f'./{folder.as_posix()}')}"
    listing = f"tipr-zoo list --plugin {quoted(names.plugin)}"
    if arguments.json:
        write_document(to_json({"folder": str(folder), "files": files, "next": [install, listing]}))
        return
    print(f"{folder}: {len(files)} files\n" + "\n".join(f"  {file}" for file in files))
    print(f"\nnext:\n  {install}\n  {listing}")
