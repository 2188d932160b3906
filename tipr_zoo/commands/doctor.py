"""``tipr-zoo doctor``: what is installed, what works, what is missing, and the command that brings it."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.metadata
import os
import platform
import re
import sys
from typing import Any

from tipr_zoo.cache_folder import cache_folder, has_home
from tipr_zoo.commands.plugin_rows import plugin_rows
from tipr_zoo.display.tables import render_table, terminal_width, to_json
from tipr_zoo.errors import ConfigError
from tipr_zoo.machine.processes import available_cores
from tipr_zoo.terminal.streams import write_document
from tipr_zoo.terminal.suggested_command import suggested_command
from tipr_zoo.version import __version__

NAME = "doctor"
HELP = "show versions, plugins, cache and device, and what is missing (exit code 1 if anything is)"
EXAMPLE = """
tipr-zoo doctor
tipr-zoo doctor --json > doctor.json
"""

IMPORTED = ("torch", "timm", "transformers", "mmengine")
"""Dependencies that can be installed and still fail to import, e.g. where torch and torchvision do not fit."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the report."""
    report = doctor_report()
    if arguments.json:
        write_document(to_json(report))
    else:
        _print_report(report)
    return 1 if any(entry["needed"] for entry in report["missing"]) else 0


def doctor_report() -> dict[str, Any]:
    """Look at everything that the doctor looks at.

    Returns:
        ``python``, ``platform``, ``tipr_zoo`` and ``device`` as texts. ``cache`` as a mapping. ``dependencies`` and
        ``plugins`` as lists of mappings. ``missing`` as a list of mappings: what is missing or broken, the command
        that fixes it, and whether the core needs it.
    """
    dependencies = dependency_rows()
    plugins = plugin_rows(timeout=60.0)
    missing = [
        {
            "name": row["name"],
            "problem": row["problem"],
            "command": suggested_command("pip", "install", row["requirement"]),
            "needed": True,
        }
        for row in dependencies
        if row["problem"]
    ]
    for row in plugins:
        if row["status"] == "not installed":
            install = {
                "problem": "not installed",
                "command": suggested_command("pip", "install", row["distribution"]),
                "needed": False,
            }
            missing.append({"name": f"plugin {row['plugin']}", **install})
        elif row["status"] == "broken":  # the reason says what to do
            missing.append(
                {"name": f"plugin {row['plugin']}", "problem": row["reason"], "command": None, "needed": True}
            )
    folder = cache_folder()
    note = {} if has_home() else {"note": "there is no home folder; set TIPR_ZOO_HOME to one that stays"}
    exists = os.path.isdir(folder)  # unlike Path's, it takes a name of any length
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if exists else 0
    return {
        "python": f"{platform.python_version()} ({sys.executable})",
        "platform": platform.platform(),
        "tipr_zoo": __version__,
        "device": _device(),
        "cache": {"folder": str(folder), "exists": exists, "bytes": size, **note},
        "dependencies": dependencies,
        "plugins": plugins,
        "missing": missing,
    }


def dependency_rows() -> list[dict[str, Any]]:
    """Return a row for each dependency of tipr-zoo: its name, the requirement, the version, and the problem.

    Raises:
        ConfigError: tipr-zoo is not installed.
    """
    try:
        requirements = importlib.metadata.requires("tipr-zoo") or []
    except importlib.metadata.PackageNotFoundError as error:
        raise ConfigError("tipr-zoo runs from a folder and is not installed; run: pip install -e .") from error
    rows = []
    for requirement in requirements:
        if "extra ==" in requirement:
            continue
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            version = None
        problem = "not installed" if version is None else _problem(name, requirement, version)
        rows.append({"name": name, "requirement": requirement, "version": version, "problem": problem})
    return rows


def _problem(name: str, requirement: str, version: str) -> str | None:
    """Return the problem of an installed dependency. None where there is none."""
    # packaging comes with transformers. Without both, no version is checked, and transformers is reported as missing.
    with contextlib.suppress(ImportError):
        from packaging.requirements import Requirement

        if not Requirement(requirement).specifier.contains(version, prereleases=True):
            return f"{version} does not meet {requirement}"
    if name in IMPORTED:
        try:
            importlib.import_module(name)
        except Exception as error:  # a broken installation can raise anything
            return f"does not import: {type(error).__name__}: {' '.join(str(error).split())}"
    return None


def _device() -> str:
    """Return the device on which a model would run, in words."""
    cores = available_cores()
    try:
        import torch
    except Exception as error:  # a broken installation can raise anything
        return f"unknown: torch does not import ({type(error).__name__}); {cores} cores"
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        return f"cuda: {', '.join(names)}; {cores} cores"
    kind = "mps" if torch.backends.mps.is_available() else "cpu"
    return f"{kind}; {cores} cores, {torch.get_num_threads()} threads"


def _print_report(report: dict[str, Any]) -> None:
    cache = report["cache"]
    state = f"{cache['bytes'] / 1e6:.1f} MB" if cache["exists"] else "not there yet"
    for name, text in (
        ("tipr-zoo", report["tipr_zoo"]),
        ("Python", report["python"]),
        ("platform", report["platform"]),
        ("device", report["device"]),
        ("cache", f"{cache['folder']} ({state}{'; ' + cache['note'] if 'note' in cache else ''})"),
    ):
        print(f"{name:10}{text}")
    width = terminal_width()
    cells = [[row["requirement"], row["version"], row["problem"] or "ok"] for row in report["dependencies"]]
    print("\n" + render_table(["dependency", "version", "state"], cells, width=width))
    cells = [[row["plugin"], row["version"], row["status"]] for row in report["plugins"]]
    print("\n" + render_table(["plugin", "version", "state"], cells, width=width))
    if not report["missing"]:
        print("\nnothing is missing")
        return
    cells = [[row["name"], row["problem"], row["command"]] for row in report["missing"]]
    print("\n" + render_table(["missing", "problem", "command"], cells, width=width))
