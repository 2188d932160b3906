"""Kills processes that write into a gallery, and looks whether anything is lost, there twice or torn.

    python -m tools.kill_gallery --times 50

A folder of drawn people is added, refreshed after changes, removed and copied, each in a process of its own that is
killed at a random moment (SIGKILL), as often as is asked. After each kill the gallery must open, hold no
row twice and no vector that is not the one that was written, and lose no row that was there before. Work that is not
killed must end without an error.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tipr_zoo.gallery.gallery import Gallery
from tipr_zoo.gallery.picture_embedding import EmbeddingSettings
from tipr_zoo.synthpedes import draw_synthpedes

MODEL = "irra_tiny_synth"
LONGEST = 300.0
"""Seconds after which a process is taken for one that hangs."""


def main() -> int:
    """Kill, look, and return 1 where anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=50, help="kills of each kind (default: 50)")
    parser.add_argument("--people", type=int, default=100, help="people to draw, four pictures each (default: 100)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        draw_synthpedes(work / "data", train=arguments.people, val=2, test=2, pictures=4, workers=1)
        pictures = work / "data" / "imgs"
        settings = EmbeddingSettings(batch_size=8, workers=0)
        Gallery.create(work / "whole", MODEL).close()
        with Gallery.open(work / "whole") as whole:
            whole.add(pictures, settings=settings)
        wrong = 0
        for name, case in (("add", _add), ("refresh", _refresh), ("remove", _remove), ("copy", _copy)):
            kills, faults = case(work, pictures, settings, arguments.times)
            wrong += len(faults)
            print(f"{name}: {kills} kills, {len(faults)} faults", *faults[:5], sep="\n  ", flush=True)
    return 1 if wrong else 0


def _add(work: Path, pictures: Path, settings: EmbeddingSettings, times: int) -> tuple[int, list[str]]:
    def begin() -> None:
        shutil.rmtree(work / "g", ignore_errors=True)
        Gallery.create(work / "g", MODEL).close()

    return _killed(work, times, begin, lambda gallery: gallery.add(pictures, settings=settings), may_shrink=False)


def _refresh(work: Path, pictures: Path, settings: EmbeddingSettings, times: int) -> tuple[int, list[str]]:
    def begin() -> None:
        """A gallery of the same pictures under other names, of which some are other pictures now."""
        shutil.rmtree(work / "g", ignore_errors=True)
        shutil.copytree(work / "whole", work / "g")
        moved = sorted(pictures.rglob("*.jpg"))
        for path in moved[::5]:
            path.rename(path.with_name(f"m{path.name}"))
        for path in moved[1::7]:
            if path.exists():
                path.write_bytes(path.read_bytes() + os.urandom(4))  # a decoder reads no further than the picture's end

    return _killed(work, times, begin, lambda gallery: gallery.refresh(pictures, settings=settings), may_shrink=True)


def _remove(work: Path, pictures: Path, settings: EmbeddingSettings, times: int) -> tuple[int, list[str]]:
    paths = [path for path in sorted(pictures.rglob("*.jpg")) if path.exists()]

    def begin() -> None:
        shutil.rmtree(work / "g", ignore_errors=True)
        with Gallery.create(work / "g", MODEL) as gallery:
            gallery.add(pictures, settings=settings)

    def remove(gallery: Gallery) -> None:
        there = {hit.picture for hit in gallery.search("a man", top=len(paths) + 1)}
        for path in paths:
            if path in there:
                gallery.remove(path)

    return _killed(work, times, begin, remove, may_shrink=True, expects=0)


def _copy(work: Path, pictures: Path, settings: EmbeddingSettings, times: int) -> tuple[int, list[str]]:
    def begin() -> None:
        shutil.rmtree(work / "g", ignore_errors=True)
        Gallery.create(work / "g", MODEL).close()

    def copy(gallery: Gallery) -> None:
        with Gallery.open(work / "whole") as whole:
            whole.copy(gallery.address).close()

    return _killed(work, times, begin, copy, may_shrink=False)


def _killed(
    work: Path,
    times: int,
    begin: Callable[[], None],
    change: Callable[[Gallery], object],
    *,
    may_shrink: bool,
    expects: int | None = None,
) -> tuple[int, list[str]]:
    """Begin, change, kill and look, so often; return how many were killed before they ended, and what was wrong."""
    kills, faults, before, seconds = 0, [], 0, 5.0
    is_begun = False
    for _ in range(3 * times):
        if not is_begun:
            begin()
            is_begun, before = True, 0
        started = time.monotonic()
        process = os.fork()
        if process == 0:
            _change(work, change)
        was_killed = _wait(process, random.uniform(0, seconds))
        kills += was_killed
        count, found = _faults(work)
        faults += found
        if not may_shrink and count < before:
            faults.append(f"{before - count} rows are lost")
        before = count
        if not was_killed:
            seconds = max(0.2, time.monotonic() - started)
            if expects is not None and count != expects:
                faults.append(f"{count} rows are there at the end instead of {expects}")
            is_begun = False
        if kills >= times:
            break
    return kills, faults


def _change(work: Path, change: Callable[[Gallery], object]) -> None:
    """Change the gallery in a process of its own, and end it."""
    code = 1
    try:
        with Gallery.open(work / "g") as gallery:
            change(gallery)
        code = 0
    finally:
        sys.stdout.flush()
        os._exit(code)


def _wait(process: int, seconds: float) -> bool:
    """Kill a process after some seconds; return whether it was killed before it ended.

    Raises:
        RuntimeError: It failed by itself.
    """
    ends = time.monotonic() + seconds
    while True:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            if status:
                raise RuntimeError(f"the process ended by itself with {os.waitstatus_to_exitcode(status)}")
            return False
        if time.monotonic() > ends:
            os.kill(process, signal.SIGKILL)
            return os.waitpid(process, 0)[1] != 0
        time.sleep(0.002)


def _faults(work: Path) -> tuple[int, list[str]]:
    """Return how many rows a gallery has, and what is wrong with it."""
    with Gallery.open(work / "g") as gallery:
        hits = gallery.search("a man", top=10**6)
        faults = []
        if len({(hit.picture, hit.box) for hit in hits}) < len(hits) or len(hits) != len(gallery):
            faults.append(f"{len(hits)} hits of {len(gallery)} rows, some of them twice")
        if damaged := gallery.check().damaged:
            faults.append(f"{len(damaged)} vectors are damaged, {damaged[0]} among them")
        return len(gallery), faults


if __name__ == "__main__":
    sys.exit(main())
