"""Time of `tipr-zoo list` beside that of listing timm's models, from the start of the process to its end.

    python benchmarks/listing.py [--repeats 7]

`python -m tipr_zoo list` stands for `tipr-zoo list`, so that this very interpreter runs both. The two take turns; a
first round of each warms the disk cache and compiles the modules, and is not counted.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

from prettytable import PrettyTable

COMMANDS = {
    "tipr-zoo list": [sys.executable, "-m", "tipr_zoo", "list"],
    "timm.list_models()": [sys.executable, "-c", "import timm; timm.list_models()"],
}


def seconds_for(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7, help="counted runs of each (default 7)")
    options = parser.parse_args()

    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(1 + options.repeats):
        for name, command in COMMANDS.items():
            seconds[name].append(seconds_for(command))

    table = PrettyTable(["command", "median (s)", "fastest (s)", "slowest (s)"], align="r")
    medians = []
    for name, (_, *counted) in seconds.items():
        medians.append(statistics.median(counted))
        table.add_row([name, *(f"{value:.3f}" for value in (medians[-1], min(counted), max(counted)))])
    print(table)
    ours, timm = medians
    print(f"tipr-zoo list is {timm / ours:.1f}x faster than timm.list_models() (medians of {options.repeats} runs)")


if __name__ == "__main__":
    main()
