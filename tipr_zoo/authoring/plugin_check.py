"""Trying whether a plugin imports, in its own process. There, an error, a crash or a hang does no harm."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO

from tipr_zoo.plugins.discovery import installed_plugins

# -I keeps the working folder off the path. The child takes the path of this process, so both see the same plugins.
_CHILD = """import sys
sys.path[:] = {path!r}
from tipr_zoo.authoring.plugin_check import report_import
report_import({name!r})
"""


@dataclass(frozen=True)
class PluginCheck:
    """The result of an attempt to import a plugin.

    Attributes:
        works: Whether the import succeeded.
        reason: Why it failed. Empty where it succeeded.
        components: The names that the plugin registered, by the kind of component.
    """

    works: bool
    reason: str = ""
    components: dict[str, list[str]] = field(default_factory=dict)


def check_plugins(names: Iterable[str], timeout: float = 60.0) -> dict[str, PluginCheck]:
    """Import each plugin in its own process, a few at a time.

    Args:
        names: Names of installed plugins.
        timeout: Seconds that an import may take.
    """
    names = list(names)
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        return dict(zip(names, pool.map(lambda name: check_plugin(name, timeout), names), strict=True))


def check_plugin(name: str, timeout: float = 60.0) -> PluginCheck:
    """Import one plugin in its own process; see `check_plugins`."""
    child = _CHILD.format(path=sys.path, name=name)
    # Files and not pipes: a process that the plugin started can hold a pipe open after the plugin has ended.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", child],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
        try:
            code = process.wait(timeout)
        except BaseException as error:
            _kill(process)
            if isinstance(error, subprocess.TimeoutExpired):
                return _failed(name, f"gave no answer in {timeout:g} s", "wait longer with --timeout, ")
            raise
        return _read_answer(name, code, output, errors)


def report_import(name: str) -> None:
    """Import a plugin and write the result to stdout as JSON. This runs in the process of `check_plugin`."""
    answer = os.dup(1)
    os.dup2(2, 1)  # the plugin's output must not mix with the answer
    # Not at the top: they bring mmengine, which the parent does not need. Nor may their output mix with the answer.
    from tipr_zoo.errors import TiprZooError
    from tipr_zoo.models.plugin_import import import_plugin
    from tipr_zoo.registries import REGISTRIES

    try:
        import_plugin(name)
        package = installed_plugins()[name].package
        components = {registry.name: names for registry in REGISTRIES if (names := registry.names_from(package))}
        result: dict[str, object] = {"components": components}
    except TiprZooError as error:
        result = {"reason": " ".join(str(error).split())}
    os.write(answer, json.dumps(result).encode())


def _read_answer(name: str, code: int, output: IO[bytes], errors: IO[bytes]) -> PluginCheck:
    """Read what the process wrote. If it wrote nothing, report how it ended."""
    output.seek(0)
    try:
        result = json.loads(output.read())
    except ValueError:
        errors.seek(0)
        last_line = errors.read().decode(errors="replace").strip().rpartition("\n")[2]
        ending = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return _failed(name, ending + (f": {last_line}" if last_line else ""))
    return PluginCheck("reason" not in result, result.get("reason", ""), result.get("components", {}))


def _failed(name: str, ending: str, fix: str = "") -> PluginCheck:
    """Return the result for a plugin whose import did not finish by itself."""
    plugin = installed_plugins()[name]
    return PluginCheck(False, f"{plugin.place}: its import {ending}; {fix}{plugin.removal}")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and every process that it started."""
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
