"""Time of listing, filtering and rendering 1,000 cards, from the start of the process to its end.

    python benchmarks/leaderboard.py [--cards 1000] [--repeats 5]

The cards are copies of those that ship with the zoo, brought by a plugin that is installed for this alone. They are
read as any others: found, parsed or taken from the cache of what was parsed, checked field by field, sorted, ranked and
drawn. The first run of all fills the cache and stands in a line of its own.
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

from tipr_zoo.cards.index import core_cards_folder

LIMIT = 1.0
"""Seconds that a command may take."""

COMMANDS = [
    ["list"],
    ["list", "copy_1*", "--dataset", "CUHK-PEDES"],
    ["leaderboard"],
    ["leaderboard", "--dataset", "CUHK-PEDES", "--sort", "mAP", "--pretraining", "none", "--encoder", "ViT-B/16"],
    *(["leaderboard", "--format", format] for format in ("markdown", "latex", "csv", "json", "html")),
]


def write_plugin(site: Path, count: int) -> None:
    """Write a plugin with `count` cards as pip would install it."""
    package, info = site / "many_cards", site / "many_cards-1.0.dist-info"
    cards = package / "model_cards"
    cards.mkdir(parents=True)
    info.mkdir()
    (package / "__init__.py").touch()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: many-cards\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tipr_zoo.plugins]\nmany = many_cards.components\n")
    # Cards with published figures only: measured figures would need their evaluation records.
    shipped = sorted(core_cards_folder().glob("*_vit*.md"))
    for number in range(count):
        source = shipped[number % len(shipped)]
        name = f"copy_{number}_{source.stem}"
        text = source.read_text(encoding="utf-8").replace(f"- name: {source.stem}", f"- name: {name}")
        plugin = next(line for line in text.splitlines() if line.startswith("  plugin: "))
        (cards / f"{name}.md").write_text(text.replace(plugin, "  plugin: many"), encoding="utf-8")


def seconds_for(words: list[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    command = [sys.executable, "-m", "tipr_zoo", *words]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=environment)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cards", type=int, default=1000, help="how many cards (default 1000)")
    parser.add_argument("--repeats", type=int, default=5, help="counted runs of each command (default 5)")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        write_plugin(Path(folder), options.cards)
        environment = {**os.environ, "PYTHONPATH": folder, "TIPR_ZOO_HOME": str(Path(folder) / "home")}
        first = seconds_for(["list"], environment)
        table = PrettyTable(["command", "median (s)", "fastest (s)", "slowest (s)"], align="r")
        table.align["command"] = "l"
        table.add_row(["list, nothing parsed before", *[f"{first:.3f}"] * 3])
        medians = []
        for words in COMMANDS:
            seconds_for(words, environment)  # compiles the modules
            counted = [seconds_for(words, environment) for _ in range(options.repeats)]
            medians.append(statistics.median(counted))
            figures = (medians[-1], min(counted), max(counted))
            table.add_row([" ".join(words), *(f"{value:.3f}" for value in figures)])
    print(table)
    verdict = "within" if max(medians) <= LIMIT else "above"
    print(f"{options.cards} cards: the slowest command takes {max(medians):.2f} s, {verdict} {LIMIT:g} s")


if __name__ == "__main__":
    main()
