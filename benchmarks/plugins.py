"""Time that installed plugins add to `tipr-zoo list`, from the start of the process to its end.

    python benchmarks/plugins.py [--plugins 200] [--repeats 15]

Writes that many distributions as pip would install them, each with a package, its metadata and one model card, into a
temporary folder of the size and kind of `site-packages`, and runs `tipr-zoo list` with and without it on the path. The
two take turns, so that what else the machine does falls on both; a first round of each warms the disk cache and
compiles the modules, and is not counted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from prettytable import PrettyTable

from tipr_zoo.authoring.new_plugin import PluginNames, rendered_files

ALLOWED = 0.1
"""Seconds that the plugins may add."""

METADATA = """Metadata-Version: 2.4
Name: {names.distribution}
Version: 0.1.0
Summary: A plugin of tipr-zoo
Requires-Python: >=3.10
Description-Content-Type: text/markdown
Requires-Dist: tipr-zoo>=0.1

{readme}"""

FIGURES = """
model-index:
  - name: {names.model}
    results:
      - task: {{type: text-to-image-person-retrieval, name: Text-to-image person retrieval}}
        dataset: {{type: cuhk-pedes, name: CUHK-PEDES, split: test}}
        metrics:
          - {{type: R1, value: 50.00}}
          - {{type: R5, value: 70.00}}
          - {{type: R10, value: 80.00}}
          - {{type: mAP, value: 45.00}}
          - {{type: mINP, value: 30.00}}
        source: {{name: "made up for this measurement", url: "https://example.org/"}}
"""


def write_plugin(site: Path, name: str) -> None:
    """Write a plugin of `tipr-zoo new-plugin` into `site`, as pip would install its wheel."""
    names = PluginNames.of(name)
    files = rendered_files(names)
    for path, text in files.items():
        if path.parts[0] == names.package:
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            (site / path).write_text(text)
    information = site / f"{names.distribution.replace('-', '_')}-0.1.0.dist-info"
    information.mkdir()
    card = site / names.package / "model_cards" / f"{names.model}.md"
    card.write_text(card.read_text().replace("\ntipr_zoo:\n", FIGURES.format(names=names) + "tipr_zoo:\n"))
    (information / "METADATA").write_text(METADATA.format(names=names, readme=files[Path("README.md")]))
    (information / "entry_points.txt").write_text(f"[tipr_zoo.plugins]\n{names.plugin} = {names.package}.components\n")
    (information / "INSTALLER").write_text("pip\n")
    (information / "top_level.txt").write_text(f"{names.package}\n")
    (information / "RECORD").write_text("".join(f"{path},,\n" for path in files))


def seconds_for(site: Path | None, count: int) -> tuple[float, float]:
    """Return wall-clock and CPU seconds of `tipr-zoo list` in a new process. Check that `count` plugins are listed."""
    environment = {**os.environ, "PYTHONPATH": str(site)} if site else dict(os.environ)
    command = [sys.executable, "-m", "tipr_zoo", "list"]
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    seconds, after = time.perf_counter() - start, os.times()
    if done.stderr or done.stdout.count("measured_plugin") < count:
        raise SystemExit(f"the list is not what it should be: {done.stderr or done.stdout}")
    cpu_seconds = sum(after[2:4]) - sum(before[2:4])  # user and system time of the children
    return seconds, cpu_seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plugins", type=int, default=200, help="how many to install (default 200)")
    parser.add_argument("--repeats", type=int, default=15, help="counted runs of each (default 15)")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.plugins):
            write_plugin(Path(folder), f"measured-plugin-{number:03}")
        sites = {"none": (None, 0), f"{options.plugins}": (Path(folder), options.plugins)}
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in sites}
        for _ in range(1 + options.repeats):
            for name, (site, count) in sites.items():
                seconds[name].append(seconds_for(site, count))

    table = PrettyTable(["plugins", "median (s)", "fastest (s)", "slowest (s)", "CPU, median (s)"], align="r")
    without, with_plugins = ([list(kind) for kind in zip(*counted, strict=True)] for _, *counted in seconds.values())
    for name, (wall, cpu) in zip(sites, (without, with_plugins), strict=True):
        figures = (statistics.median(wall), min(wall), max(wall), statistics.median(cpu))
        table.add_row([name, *(f"{figure:.3f}" for figure in figures)])
    print(table)
    added, added_cpu = (
        statistics.median(more - less for less, more in zip(*kinds, strict=True))
        for kinds in zip(without, with_plugins, strict=True)
    )
    print(
        f"{options.plugins} plugins add {added:.3f} s to tipr-zoo list, of which the processor works {added_cpu:.3f} s"
        f" (medians over {options.repeats} pairs of runs; at most {ALLOWED} s is allowed)"
    )
    return int(added > ALLOWED)


if __name__ == "__main__":
    sys.exit(main())
