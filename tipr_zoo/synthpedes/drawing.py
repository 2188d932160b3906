"""The drawing of many identities with a progress bar, in this process or in several."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path

from tipr_zoo.machine.processes import available_cores, hidden_main, process_pool
from tipr_zoo.machine.whole_file import write_whole
from tipr_zoo.synthpedes.figure import draw_picture
from tipr_zoo.synthpedes.identity import Identity
from tipr_zoo.synthpedes.shot import shots
from tipr_zoo.synthpedes.streams import stream
from tipr_zoo.terminal.progress_bar import ProgressBar

CHUNK = 4  # identities that a process draws at a time


@dataclass(frozen=True)
class Sitting:
    """An identity, its place in the data set, and the files for its pictures.

    Attributes:
        identity: The person.
        split: ``"train"``, ``"val"`` or ``"test"``.
        index: Place of the identity in its split, from 0.
        seed: Seed of the data set.
        paths: The file of each picture.
    """

    identity: Identity
    split: str
    index: int
    seed: int
    paths: tuple[str, ...]


def draw_all(sittings: Sequence[Sitting], *, workers: int | None, progress: bool) -> None:
    """Draw every picture of every identity.

    Args:
        sittings: What to draw; the folders exist.
        workers: Number of processes. None takes one for each available core, 1 draws in this process.
        progress: Whether to show a progress bar on stderr.

    Raises:
        WriteError: A file cannot be written.
    """
    workers = min(workers or available_cores(), -(-len(sittings) // CHUNK))
    chunks = [sittings[start : start + CHUNK] for start in range(0, len(sittings), CHUNK)]
    total = sum(len(sitting.paths) for sitting in sittings)
    with ProgressBar(total=total, desc="SynthPEDES", unit="picture", disable=not progress) as bar:
        if workers <= 1:
            for chunk in chunks:
                bar.update(draw_some(chunk))
            return
        with process_pool(workers) as pool:
            with hidden_main():
                futures = [pool.submit(draw_some, chunk) for chunk in chunks]
            for done in as_completed(futures):
                bar.update(done.result())


def draw_some(sittings: Sequence[Sitting]) -> int:
    """Draw a few identities, and return how many pictures that were."""
    for sitting in sittings:
        taken = shots(sitting.identity, sitting.split, sitting.index, len(sitting.paths), seed=sitting.seed)
        for picture, (shot, path) in enumerate(zip(taken, sitting.paths, strict=True)):
            chance = stream(sitting.seed, sitting.split, sitting.index, "picture", picture)
            # There are thousands of files. One that a crash of the machine emptied is drawn anew.
            write_whole(Path(path), draw_picture(sitting.identity, shot, chance), must_last=False)
    return sum(len(sitting.paths) for sitting in sittings)
