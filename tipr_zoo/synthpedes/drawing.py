"""Drawing many identities with a progress bar, in this process or in several."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from tqdm import tqdm

from tipr_zoo.synthpedes.figure import draw_picture
from tipr_zoo.synthpedes.identity import Identity
from tipr_zoo.synthpedes.shot import shots
from tipr_zoo.synthpedes.streams import stream

CHUNK = 4  # identities that a process draws at a time


@dataclass(frozen=True)
class Sitting:
    """An identity, its place in the data set, and the files for its pictures."""

    identity: Identity
    split: str
    index: int
    seed: int
    paths: tuple[str, ...]


def draw_all(sittings: Sequence[Sitting], *, workers: int | None, progress: bool) -> None:
    """Draws every picture of every identity.

    Args:
        sittings: What to draw; the folders exist.
        workers: Processes; None takes every available core, 1 this process.
        progress: Whether to show a progress bar on stderr.
    """
    workers = min(workers or available_cores(), -(-len(sittings) // CHUNK))
    chunks = [sittings[start : start + CHUNK] for start in range(0, len(sittings), CHUNK)]
    total = sum(len(sitting.paths) for sitting in sittings)
    with tqdm(total=total, desc="SynthPEDES", unit="picture", disable=not progress) as bar:
        if workers <= 1:
            for chunk in chunks:
                bar.update(draw_some(chunk))
            return
        with processes(workers) as pool:
            with hidden_main():
                futures = [pool.submit(draw_some, chunk) for chunk in chunks]
            for done in as_completed(futures):
                bar.update(done.result())


@contextmanager
def processes(workers: int) -> Iterator[ProcessPoolExecutor]:
    """A pool that gives up at once when it is interrupted."""
    # Spawned, not forked: the caller may have threads running, and every platform then behaves alike.
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), ignore_interrupts)
    try:
        yield pool
    except BaseException:
        # Asking them to end does not always reach them while work is queued, and then they would be waited for forever.
        for worker in set(multiprocessing.active_children()) - others:
            worker.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def hidden_main() -> Iterator[None]:
    """Keeps processes that start meanwhile from running the caller's main module again.

    Nothing here needs it, and it cannot be run again where it came from stdin or starts its work without asking for
    ``__name__ == "__main__"``.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def ignore_interrupts() -> None:
    """Leaves Ctrl-C to the parent process, which then ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def draw_some(sittings: Sequence[Sitting]) -> int:
    """Draws a few identities; returns how many pictures that were."""
    for sitting in sittings:
        taken = shots(sitting.identity, sitting.split, sitting.index, len(sitting.paths), seed=sitting.seed)
        for picture, (shot, path) in enumerate(zip(taken, sitting.paths, strict=True)):
            chance = stream(sitting.seed, sitting.split, sitting.index, "picture", picture)
            write_whole(Path(path), draw_picture(sitting.identity, shot, chance))
    return sum(len(sitting.paths) for sitting in sittings)


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file so that it is either there as a whole or not at all."""
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(content)
    os.replace(partial, path)


def available_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
