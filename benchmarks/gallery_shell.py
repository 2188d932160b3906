"""Time of what a person types: searches of 20,000 pictures from the shell, and one file more.

    python benchmarks/gallery_shell.py [--pictures 20000] [--model irra_tiny_synth]

Times are those of whole processes, the import of PyTorch among them: wall and CPU seconds. The machine should do
nothing else. ``of limit`` is the wall time as a share of what it may be, ``of torch`` as a multiple of what
``import torch`` takes alone.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tipr_zoo.synthpedes import draw_synthpedes

TEXT = "a man in a red jacket and blue jeans"
QUERY_LIMIT, MORE_LIMIT, MANY_TIMES = 3.0, 3.0, 2.0
"""Seconds of one query, and of one file more; how many times one query's time 100 may take."""

_TRIES = 3


def timed(command: Sequence[str], tries: int = _TRIES) -> tuple[float, float]:
    """Run a command several times; return the wall and CPU seconds of the fastest."""
    found = []
    for _ in range(tries):
        wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True)
        wall, after = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append((wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    return min(found)


def told(what: str, seconds: tuple[float, float], limit: float | None, torch_alone: float) -> None:
    """Print a row."""
    share = "-" if limit is None else f"{seconds[0] / limit:.2f}"
    print(
        f"{what:46} {seconds[0]:7.2f} s {seconds[1]:7.2f} CPU s {share:>9} {seconds[0] / torch_alone:9.1f}", flush=True
    )


def measure(folder: Path, pictures: int, model: str) -> None:
    """Measure every row over drawn people."""
    os.environ["TIPR_ZOO_HOME"] = str(folder / "cache")
    zoo, images, gallery = [sys.executable, "-m", "tipr_zoo"], folder / "data" / "imgs", str(folder / "crops.gallery")
    draw_synthpedes(folder / "data", train=max(1, pictures // 4), val=2, test=2, pictures=4)
    print(f"{'':46} {'wall':>9} {'CPU':>13} {'of limit':>9} {'of torch':>9}")
    alone = timed([sys.executable, "-c", "import torch"])
    told("import torch alone", alone, None, alone[0])
    subprocess.run([*zoo, "gallery", "create", gallery, "--model", model], check=True, capture_output=True)
    told("gallery add", timed([*zoo, "gallery", "add", gallery, str(images)], tries=1), None, alone[0])
    search = [*zoo, "search", gallery, "--paths"]
    one = timed([*search, TEXT])
    told("search GALLERY TEXT", one, QUERY_LIMIT, alone[0])
    many = timed([*search, *(f"{TEXT} {number}" for number in range(100))])
    told("search GALLERY, 100 sentences", many, MANY_TIMES * one[0], alone[0])
    by_folder = [*zoo, "search", model, str(images), TEXT, "--paths"]
    told("search NAME FOLDER TEXT, the first time", timed(by_folder, tries=1), None, alone[0])
    told("search NAME FOLDER TEXT, again", timed(by_folder), QUERY_LIMIT, alone[0])
    content = next(images.rglob("*.jpg")).read_bytes()
    more = {"gallery refresh": [*zoo, "gallery", "refresh", gallery], "search NAME FOLDER TEXT": by_folder}
    for what, command in more.items():
        found = []
        for number in range(_TRIES):
            (images / "one_more.jpg").write_bytes(content + f"{what}{number}".encode())
            found.append(timed(command, tries=1))
        told(f"{what}, one file more", min(found), MORE_LIMIT, alone[0])


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=20_000, help="pictures to embed (default 20,000)")
    parser.add_argument("--model", default="irra_tiny_synth", help="what embeds them (default irra_tiny_synth)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), options.pictures, options.model)


if __name__ == "__main__":
    main()
